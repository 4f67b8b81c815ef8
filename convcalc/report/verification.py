"""A verification as a table: what was predicted, what a run showed, ✓ or ✗."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from convcalc.execution.verify import Check, Verification
from convcalc.report.formats.text import plain_rows
from convcalc.report.page import Page
from convcalc.report.table import Column, Row, Sizes, Table, Told
from convcalc.report.terminal import Rendered

_TITLES = {
    "output_shape": "Output", "params": "Params", "macs": "MACs", "macs_nonpad": "Without padding",
    "receptive_field": "Field", "finite": "Finite",
}  # fmt: skip
_NUMBERS = ("params", "macs", "macs_nonpad")

_COMPARED = "output_vs_"
"""How a quantity is called that says how much the outputs of a library differ; its name follows."""


class Verified(Page, Verification):
    """A verification as a page: a line for every layer, then every figure that is wrong."""

    def table(self, **options: Any) -> Table:
        """What the run showed, a row for every layer and one for the whole network."""
        by_layer: dict[str, dict[str, Check]] = {}
        for check in self.checks:
            by_layer.setdefault(check.layer, {})[check.quantity] = check
        whole = by_layer.pop("", {})
        rows = [_row(layer, checks) for layer, checks in by_layer.items()]
        columns = (Column(key, title, right=key in _NUMBERS) for key, title in _TITLES.items())
        return Table(
            (Column("ok", ""), Column("layer", "Layer"), *columns),
            rows,
            None if self.skipped else _row("Total", whole),
            title=self.name,
            remarks=tuple(self._told(whole)),
        )

    def records(self, **options: Any) -> Table:
        """A row for every figure."""
        columns = tuple(Column(key, "") for key in Check._fields)
        rows = [Row(tuple(check)) for check in self.checks]
        return Table(columns, rows, title=self.name)

    def rendered(self, width: int | None, **options: Any) -> Rendered:
        """The table for a terminal, what is wrong in red."""
        table = self.table()
        told = ([(line, "failed" if line.startswith("✗ ") else "")] for line in table.remarks)
        return Rendered([[(table.title, "title")], *plain_rows(table, width).rows, *told])

    def _told(self, whole: dict[str, Check]) -> Iterator[str]:
        """The peak, the figures that are wrong, and how many there are."""
        if "peak_activation_bytes" in whole:
            peak = whole["peak_activation_bytes"]
            mark = "✓" if peak.ok else "✗"
            yield f"{mark} Peak of the activations: {peak.observed:,} bytes held at once."
        if self.skipped:
            yield f"Not run: {self.skipped}"
            return
        checks = self.checks
        compared = [check for check in checks if check.quantity.startswith(_COMPARED)]
        yield from map(_comparison, compared)
        if compared:
            allowed = f"{compared[0].predicted:.0e} is allowed"
            yield f"{allowed}: float32 is rounded, and sums have no fixed order."
        wrong = [check for check in checks if not check.ok]
        for check in wrong:
            if check in compared:
                continue
            where = f"{check.layer}: " if check.layer else ""
            told = f"✗ {where}{check.quantity}: predicted {_shown(check.predicted)}, "
            yield f"{told}observed {_shown(check.observed)}"
        result = "all confirmed" if not wrong else f"{len(wrong):,} wrong"
        yield f"{len(checks):,} figures held against the run: {result}."

    def to_dict(self) -> list[dict[str, Any]]:
        """The checks as `verify --format json` prints them."""
        return [check._asdict() for check in self.checks]


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


def _row(layer: str, checks: dict[str, Check]) -> Row:
    ok = all(check.ok for check in checks.values())
    cells = (_cell(checks.get(quantity)) for quantity in _TITLES)
    return Row((Told(ok, "✓" if ok else "✗"), layer, *cells))


def _cell(check: Check | None) -> Any:
    if check is None:
        return None
    observed = check.observed
    return Sizes(observed) if isinstance(observed, list) else observed


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return "×".join(f"{size}" for size in value)
    return f"{value:,}" if isinstance(value, int) else str(value)
