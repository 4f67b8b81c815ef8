"""A verification as a table: what was predicted, what a run showed, ✓ or ✗."""

from __future__ import annotations

from typing import Any

from convcalc.execution.verify import Check, Verification
from convcalc.report.terminal import Rendered, listing

_TITLES = {
    "output_shape": "Output", "params": "Params", "macs": "MACs", "macs_nonpad": "Without padding",
    "receptive_field": "Field", "finite": "Finite",
}  # fmt: skip

_COMPARED = "output_vs_"
"""How a quantity is called that says how much the outputs of a library differ; its name follows."""


def rendered(verification: Verification, width: int | None) -> Rendered:
    """A line for every layer and for the whole network, then every figure that is wrong."""
    by_layer: dict[str, dict[str, Check]] = {}
    for check in verification.checks:
        by_layer.setdefault(check.layer, {})[check.quantity] = check
    whole = by_layer.pop("", {})
    rows = []
    for layer, checks in [*by_layer.items(), ("Total", whole)]:
        cells = [_cell(checks.get(quantity)) for quantity in _TITLES]
        ok = all(check.ok for check in checks.values())
        rows.append(["✓" if ok else "✗", layer, *cells])
    table = listing(("", "Layer", *_TITLES.values()), rows, width, right=(3, 4, 5))
    lines = [[(verification.name, "title")], *table.rows]
    if "peak_activation_bytes" in whole:
        peak = whole["peak_activation_bytes"]
        mark = "✓" if peak.ok else "✗"
        lines.append(
            [(f"{mark} Peak of the activations: {peak.observed:,} bytes held at once.", "")]
        )
    compared = [c for c in verification.checks if c.quantity.startswith(_COMPARED)]
    lines += [[(_comparison(check), "" if check.ok else "failed")] for check in compared]
    if compared:
        allowed = f"{compared[0].predicted:.0e} is allowed"
        lines.append([(f"{allowed}: float32 is rounded, and sums have no fixed order.", "")])
    wrong = [check for check in verification.checks if not check.ok]
    for check in wrong:
        if check in compared:
            continue
        where = f"{check.layer}: " if check.layer else ""
        told = f"✗ {where}{check.quantity}: predicted {_shown(check.predicted)}, "
        lines.append([(f"{told}observed {_shown(check.observed)}", "failed")])
    count = len(verification.checks)
    result = "all confirmed" if not wrong else f"{len(wrong):,} wrong"
    lines.append([(f"{count:,} figures held against the run: {result}.", "")])
    return Rendered(lines)


def _comparison(check: Check) -> str:
    library = check.quantity.removeprefix(_COMPARED)
    if check.observed is None:
        return f"✗ {check.layer}: {library} gives NaN, infinity or another shape."
    if check.ok:
        return (
            f"✓ {check.layer}: as {library} has it, to {check.observed:.1e} of its largest number."
        )
    return (
        f"✗ {check.layer}: differs from {library}'s by {check.observed:.1e} of its largest number."
    )


def _cell(check: Check | None) -> str:
    return "" if check is None else _shown(check.observed)


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return "×".join(f"{size}" for size in value)
    return f"{value:,}" if isinstance(value, int) else str(value)


def to_dicts(verification: Verification) -> list[dict[str, Any]]:
    """The checks as `verify --format json` prints them."""
    return [check._asdict() for check in verification.checks]
