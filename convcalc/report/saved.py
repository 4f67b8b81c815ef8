"""What `summarize --format json` printed, read back: a network without its spec."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from convcalc import arith
from convcalc.analysis.differences import FIGURES, Layer, Snapshot
from convcalc.analysis.memory import BYTES
from convcalc.analysis.quantities import QUANTITIES, TOTALS
from convcalc.dim import Dim, Size, at_least, symbol
from convcalc.errors import ConvcalcError, SpecError, shorten
from convcalc.layers import layer_class, layer_names
from convcalc.report.table import JSON_VERSION
from convcalc.spec.tree import Key, Scalar
from convcalc.spec.values import Constants, Env, Value
from convcalc.spec.zoo import find_spec, read_text

_AGAIN = "`convcalc summarize SPEC --format json` writes such a file."


SPEC_OR_REPORT = "a spec or a saved report"
_START = re.compile(r'[\s\[]*\{\s*"convcalc"\s*:')


def saved_in(text: str, shown: str) -> Any:
    """A saved report in some text, as JSON has it; None where it is something else, as a spec.

    Raises:
        SpecError: it starts as one, and is no JSON, as where it was cut off; `shown` says where.
    """
    if text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        if not _START.match(text):
            return None
        fact = f"a saved report that is cut off or damaged: {shorten(str(error), 200)}"
        raise SpecError(fact, hint=_AGAIN).located(shown) from None
    first = found[0] if isinstance(found, list) and found else found
    return found if isinstance(first, dict) and "convcalc" in first else None


def saved_file(spec: str | os.PathLike[str]) -> Any:
    """The saved report in a file, as JSON has it; None where it is a spec, or one of the zoo."""
    file = find_spec(spec)
    return saved_in(read_text(file, SPEC_OR_REPORT), shorten(file, 200))


def snapshot(found: Any, shown: str) -> Snapshot:
    """What a saved report has to compare.

    Args:
        found: the values of its JSON.
        shown: what it is called in errors.

    Raises:
        SpecError: it is none, with the place in it.
    """
    try:
        return _Reader().report(found)
    except ConvcalcError as error:
        place = ".".join(filter(None, (shown, error.where)))
        raise SpecError(f"{place}: {error.fact}", hint=error.hint or _AGAIN) from None


class _Reader:
    """Reads the values of one report; the names of its variables are symbols in its sizes."""

    def __init__(self) -> None:
        self.symbols: dict[str, Dim] = {}

    def report(self, found: Any) -> Snapshot:
        if isinstance(found, list):
            if len(found) != 1:
                raise SpecError(f"one report is due, not a list of {len(found):,}")
            found = found[0]
        version = self.part(found, "convcalc", int, "")
        if version != JSON_VERSION:
            raise SpecError(f"a report of version {JSON_VERSION} is due, not of {version}")
        name = shorten(self.part(found, "name", str, ""), 200)
        variables = self.part(found, "variables", dict, "")
        self.symbols = {name: symbol(name) for name in ("N", *variables)}
        written = self.part(found, "totals", dict, "")
        totals: dict[str, Size | None] = {}
        for quantity in TOTALS:
            is_open = quantity.startswith("peak") and written.get(quantity, 0) is None
            place = f"totals.{quantity}"
            totals[quantity] = None if is_open else self.size(written.get(quantity), place)
        rows = self.part(found, "layers", list, "")
        layers = [self.layer(row, f"layers[{i}]") for i, row in enumerate(rows)]
        if len({layer.path for layer in layers}) < len(layers):
            raise SpecError("layers of one name stand here twice")
        self.check_sums(layers, totals)
        params = totals["params"]
        value_bytes = None
        params, taken = totals["params"], totals["param_bytes"]
        if params is not None and params != 0:
            sizes = sorted(set(BYTES.values()))
            value_bytes = next((size for size in sizes if size * params == taken), None)
            if value_bytes is None:
                raise SpecError(
                    f"{params:,} params take {sizes[0]} to {sizes[-1]} bytes each, not {taken:,} "
                    "together"
                ).located("totals.param_bytes")
        self.check_memory(layers, totals["activation_bytes"], value_bytes)
        return Snapshot(name, variables, layers, totals, value_bytes)

    def layer(self, row: Any, place: str) -> Layer:
        kind = self.part(row, "type", str, place)
        if kind not in layer_names():
            raise SpecError(f"there is no layer '{shorten(kind)}'").located(f"{place}.type")
        shape = tuple(
            self.size(size, f"{place}.output_shape[{k}]")
            for k, size in enumerate(self.part(row, "output_shape", list, place))
        )
        if not shape:
            raise SpecError("at least the batch is due here").located(f"{place}.output_shape")
        figures = {
            figure: self.size(row.get(figure), f"{place}.{figure}")
            for figure in FIGURES
            if figure != "values"
        }
        shares = layer_class(kind).shares_storage
        figures["values"] = 0 if shares else arith.product(shape)
        # it goes to terminals: no escape sequences
        path = shorten(self.part(row, "name", str, place), 1_000)
        return Layer(path, kind, shape, figures)

    def check_sums(self, layers: Sequence[Layer], totals: Mapping[str, Size | None]) -> None:
        """Raise where the layers do not add up to the totals: some are missing."""
        for quantity in QUANTITIES:
            if quantity in FIGURES:
                found = sum(layer.figures[quantity] for layer in layers)
                if found != totals[quantity]:
                    raise SpecError(
                        f"the layers add up to {found:,}, and the total is {totals[quantity]:,}"
                    ).located(f"totals.{quantity}")

    def check_memory(self, layers: Sequence[Layer], total: Any, value_bytes: int | None) -> None:
        """Raise where the outputs alone take more than the total."""
        outputs = (value_bytes or 0) * sum(layer.figures["values"] for layer in layers)
        if at_least(total, outputs) is False:
            raise SpecError(
                f"the outputs take {outputs:,} bytes, and the total is {total:,}"
            ).located("totals.activation_bytes")

    def part(self, found: Any, name: str, kind: type, place: str) -> Any:
        """A part of a mapping, of a type."""
        value = found.get(name) if isinstance(found, Mapping) else None
        if not isinstance(value, kind) or isinstance(value, bool):
            where = f"{place}.{name}" if place else name
            due = {int: "a number", str: "a text", dict: "a mapping", list: "a list"}[kind]
            raise SpecError(f"{due} is due here").located(where)
        return value

    def size(self, value: Any, place: str) -> Any:
        """A number, or an expression of the spec language."""
        if isinstance(value, str):
            written = Value(Scalar(value, Key(None, place)))
            value = written.evaluate(Env(Constants(self.symbols)))
        is_number = isinstance(value, int) and not isinstance(value, bool)
        if not isinstance(value, Dim) and not (is_number and value >= 0):
            raise SpecError("a size is due here").located(place)
        return value
