"""The change from one network to another as a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

from convcalc.analysis.differences import (
    ADDED,
    CHANGED,
    FIGURES,
    REMOVED,
    RENAMED,
    SAME,
    Bound,
    Change,
    Layer,
    Snapshot,
    changes,
    percent,
)
from convcalc.analysis.memory import BYTES
from convcalc.analysis.quantities import COLUMNS, TOTALS
from convcalc.dim import Dim, Size
from convcalc.errors import UsageError, shorten
from convcalc.notation import IMMENSE
from convcalc.report.columns import units_told
from convcalc.report.formats.text import TEXT, page_in_blocks, shape
from convcalc.report.page import Page
from convcalc.report.rounding import rounded
from convcalc.report.table import (
    BYTE_UNITS,
    COUNTS,
    JSON_VERSION,
    LAYER,
    MODULE,
    TOTAL,
    Column,
    Row,
    Sizes,
    Table,
    Told,
    cell,
    plain,
)
from convcalc.report.terminal import Rendered

if TYPE_CHECKING:
    from convcalc.report.report import Report

_ROWS = 50
"""As many rows are shown to people unless they ask for all."""
_SHOWN = ("params", "macs", "values")
"""The figures that have a column."""
_COLUMNS = tuple(
    Column(f"{name}_change", f"± {title}", right=True, style="number", units=units)
    for name, title, units in zip(
        _SHOWN, ("Params", "MACs", "Memory"), (COUNTS, COUNTS, BYTE_UNITS), strict=True
    )
)
_EXACT = Column("", "")


def snapshot_of(report: Report) -> Snapshot:
    """What a report has to compare."""
    layers = [
        Layer(
            row.name, row.type, row.output_shape,
            {name: COLUMNS[name].of(row.node) for name in FIGURES},
        )
        for row in report.rows
    ]  # fmt: skip
    value_bytes = BYTES[report.dtype]
    return Snapshot(report.name, report.variables, layers, report.totals._asdict(), value_bytes)


class Shown(NamedTuple):
    """What a table of changes shows."""

    depth: int | None = None
    """Levels of the module tree: a row for every module there."""
    everything: bool = False
    """A row for every layer; else modules that are new or gone have one, and where there are more
    than fifty rows, all modules."""
    numbers: str | None = None
    memory: str | None = None
    digits: int | None = None
    """How the changes of the rows are rounded, as in a report's table."""


class Failure(NamedTuple):
    """A condition on a change that holds, and should not."""

    bound: Bound
    told: str

    def __str__(self) -> str:
        return f"✗ {self.bound.text}: {self.told}"


class Difference(Page):
    """The change from one network to another.

    `changes` are the layers side by side, in the order of the new network; `total(quantity)` is a
    total before and after; `failed` has the conditions of `fail_on` that hold, and `ok` says
    whether none does; `notes` have what one may have meant otherwise.
    """

    def __init__(self, old: Snapshot, new: Snapshot, fail_on: Iterable[Bound] = ()) -> None:
        if old.value_bytes and new.value_bytes and old.value_bytes != new.value_bytes:
            raise UsageError(
                f"a value has {old.value_bytes} bytes in the one, and {new.value_bytes} in the "
                "other: their memory does not compare",
                hint="Say the --dtype of the saved report.",
            )
        self.old = old
        self.new = new
        self._value_bytes = new.value_bytes or old.value_bytes
        self.changes = changes(old.layers, new.layers)
        conditions = list(fail_on)
        self.notes = [bound.note for bound in conditions if bound.note]
        self.failed = [
            Failure(bound, self._told(bound.quantity))
            for bound in conditions
            if bound.holds(*self.total(bound.quantity))
        ]

    @property
    def ok(self) -> bool:
        """Whether no condition of `fail_on` holds."""
        return not self.failed

    def total(self, quantity: str) -> tuple[Size | None, Size | None]:
        """A total before and after; None where the peak of symbolic sizes is open."""
        return self.old.totals[quantity], self.new.totals[quantity]

    def table(self, **options: Any) -> Table:
        """What changed, a row for every layer; see `Shown` for what may be said of it."""
        shown = Shown(**options)
        columns = rounded(_COLUMNS, shown.numbers, shown.memory, shown.digits)
        groups = self._groups(shown)
        rows = [*self._inputs(columns), *(self._row(group, columns) for group in groups)]
        by_module = any(group.module for group in groups)
        remarks = []
        if not groups:
            remarks.append("No layer differs in its type, its output or its figures.")
        elif by_module:
            remarks.append("Modules are the sums of their layers.")
        remarks += units_told(columns)
        return Table(
            (
                Column("layer", "Layer", style=LAYER),
                Column("change", "Change"),
                Column("output", "Output", style="shape"),
                *columns,
            ),
            rows,
            Row(("total", "", "", *self._total_changes(columns)), TOTAL) if rows else None,
            title=self._title,
            about=self._about,
            remarks=tuple(remarks),
            hints=("--all shows every layer.",) if by_module and shown.depth is None else (),
            notes=tuple(self._notes()),
        )

    def rendered(self, width: int | None, **options: Any) -> Rendered:
        """The table for a terminal; columns that find no room stand below the others."""
        return page_in_blocks(self.table(**options), width)

    def tree(self, **options: Any) -> Table:
        """A row for every layer: a browser scrolls."""
        return self.table(**{"everything": options.get("depth") is None, **options})

    def records(self, **options: Any) -> Table:
        """A row for every layer that differs, with its figures before and after."""
        rows = []
        for change in self.changes:
            if change.kind != SAME:
                old, new = change.old, change.new
                figures = (pair for name in FIGURES for pair in change.figure(name))
                rows.append(
                    Row(
                        (
                            change.kind,
                            *(layer and layer.path for layer in (old, new)),
                            *(layer and layer.type for layer in (old, new)),
                            *(layer and Sizes(layer.shape) for layer in (old, new)),
                            *figures,
                        )
                    )
                )
        names = ("name", "type", "output_shape", *FIGURES)
        return Table(
            (
                Column("change", ""),
                *(Column(f"{side}_{name}", "") for name in names for side in ("old", "new")),
            ),
            rows,
            title=self._title,
        )

    def to_dict(self) -> dict[str, Any]:
        """The change as `diff --format json` prints it."""
        totals = {}
        for quantity in TOTALS:
            old, new = self.total(quantity)
            change = share = None
            if old is not None and new is not None:
                change, share = plain(new - old), percent(old, new)
            totals[quantity] = {
                "old": plain(old),
                "new": plain(new),
                "change": change,
                "percent": None if share is None else _float(share),
            }
        return {
            "convcalc": JSON_VERSION,
            "old": self.old.name,
            "new": self.new.name,
            "totals": totals,
            "layers": self.to_dicts(),
            "failed": [{"condition": f.bound.text, "found": f.told} for f in self.failed],
        }

    # -- what is said around the table

    @property
    def _title(self) -> str:
        old, new = self.old.name, self.new.name
        return new if old == new else f"{old} → {new}"

    @property
    def _about(self) -> str:
        old, new = len(self.old.layers), len(self.new.layers)
        counted = Counter(change.kind for change in self.changes)
        told = [f"{counted[kind]:,} {kind}" for kind in _KINDS if counted[kind]]
        before = f"{old:,} → " if old != new else ""
        return ", ".join([f"{before}{new:,} layer{'' if new == 1 else 's'}", *told])

    def _notes(self) -> Iterator[str]:
        yield from map(str, self.failed)
        for quantity, title in _TITLES.items():
            yield f"{title}: {self._told(quantity)}."
        old, new = _variables(self.old), _variables(self.new)
        differing = [
            shorten(f"{name} {old[name]} → {new[name]}", 200)
            for name in old
            if name in new and old[name] != new[name]
        ]
        if differing:
            yield f"Variables: {', '.join(differing)}."
        if None in (self.old.value_bytes, self.new.value_bytes):
            yield (
                "A saved report without params does not tell how many bytes a value has: memory "
                "compares where it is as many in both."
            )

    def _told(self, quantity: str) -> str:
        """A total before and after, in words."""
        old, new = self.total(quantity)
        if old is None or new is None:
            return "open, for it depends on the sizes"
        unit = " bytes" if quantity.endswith("_bytes") else ""
        if not isinstance(new - old, Dim) and new == old:
            return f"{new:,}{unit}, as before"
        return f"{old:,} → {new:,}{unit}, {_signed(old, new)}"

    def _total_changes(self, columns: Sequence[Column]) -> Iterator[Told | Dim | None]:
        for quantity, column in zip(("params", "macs", "activation_bytes"), columns, strict=True):
            old, new = self.total(quantity)
            yield None if old is None or new is None else _change(old, new, column)

    # -- rows

    def _inputs(self, columns: Sequence[Column]) -> Iterator[Row]:
        """The memory of the inputs where it changes: what the total has beside the layers."""
        old, new = self.total("activation_bytes")
        size = self._value_bytes
        if size is None or old is None or new is None:
            return
        for change in self.changes:
            before, after = change.figure("values")
            old, new = old - size * before, new - size * after
        told = _change(old, new, columns[-1])
        if told is not None:
            yield Row(("input", CHANGED, "", None, None, told))

    def _groups(self, shown: Shown) -> list[_Group]:
        if shown.depth is not None:
            return self._modules(_module_at(shown.depth))
        if shown.everything:
            return self._modules(lambda change: change.layer.path)
        if len(found := self._modules(self._whole())) <= _ROWS:
            return found
        deepest = max(change.layer.path.count(".") for change in self.changes)
        for level in range(deepest, 0, -1):
            found = self._modules(_module_at(level))
            if len(found) <= _ROWS:
                break
        return found

    def _whole(self) -> Callable[[Change], str]:
        """For a layer, the largest module that was added or removed with it, or its own path."""
        kinds: dict[str, set[str]] = {}
        for change in self.changes:
            for prefix in _prefixes(change.layer.path):
                kinds.setdefault(prefix, set()).add(change.kind)

        def module(change: Change) -> str:
            prefixes = _prefixes(change.layer.path) if change.kind in (ADDED, REMOVED) else ()
            whole = (prefix for prefix in prefixes if kinds[prefix] == {change.kind})
            return next(whole, change.layer.path)

        return module

    def _modules(self, module: Callable[[Change], str]) -> list[_Group]:
        """The changes by module, where there are any."""
        groups: dict[str, list[Change]] = {}
        for change in self.changes:
            groups.setdefault(module(change), []).append(change)
        return [
            _Group("" if name == found[0].layer.path else name, found)
            for name, found in groups.items()
            if any(change.kind != SAME for change in found)
        ]

    def _row(self, group: _Group, columns: Sequence[Column]) -> Row:
        figures = []
        for name, column in zip(_SHOWN, columns, strict=True):
            old, new = group.figure(name)
            size = 1 if name != "values" else self._value_bytes
            figures.append(
                None if size is None else _change(size * old, size * new, column, group.stays)
            )
        if group.module:
            return Row((group.module, group.counted, "", *figures), MODULE)
        change = group.changes[0]
        return Row((change.layer.path, _what(change), _output(change), *figures))


def _variables(snapshot: Snapshot) -> dict[str, str]:
    """The values of the variables, and of the batch, in words."""
    found = {name: str(plain(value)) for name, value in snapshot.variables.items()}
    if snapshot.layers:
        found = {"N": str(plain(snapshot.layers[0].shape[0])), **found}
    return {name: "symbolic" if value == name else value for name, value in found.items()}


def _module_at(depth: int) -> Callable[[Change], str]:
    """What says which module at a depth holds a layer; that itself where it is not so deep."""
    return lambda change: _prefixes(change.layer.path)[:depth][-1]


def _prefixes(path: str) -> list[str]:
    """The modules that hold a layer, the outermost first, and the layer."""
    parts = path.split(".")
    return [".".join(parts[:depth]) for depth in range(1, len(parts) + 1)]


class _Group(NamedTuple):
    """Some changes that share a row: those of a module, or one alone."""

    module: str
    changes: Sequence[Change]

    def figure(self, name: str) -> tuple[Size, Size]:
        """The sums of a figure before and after."""
        old: Any = 0
        new: Any = 0
        for change in self.changes:
            before, after = change.figure(name)
            old, new = old + before, new + after
        return old, new

    @property
    def stays(self) -> bool:
        """Whether it was there before: what is put together anew is no percentage of anything."""
        within = f"{self.module}."
        return not self.module or any(
            change.old is not None and f"{change.old.path}.".startswith(within)
            for change in self.changes
        )

    @property
    def counted(self) -> str:
        """How many layers are changed, renamed, added, removed."""
        counted = Counter(change.kind for change in self.changes)
        return ", ".join(f"{counted[kind]:,} {kind}" for kind in _KINDS if counted[kind])


_KINDS = (CHANGED, RENAMED, ADDED, REMOVED)
_TITLES = {
    "params": "Params", "buffers": "Buffers", "macs": "MACs", "param_bytes": "Memory of the params",
    "activation_bytes": "Memory of the input and all outputs",
    "peak_activation_bytes": "Peak of the activations",
}  # fmt: skip


def _what(change: Change) -> str:
    """What became of a layer."""
    old, new = change.old, change.new
    if old is None or new is None:
        return f"{change.kind}: {change.layer.type}"
    found = []
    if change.kind == RENAMED:
        found.append(f"was {old.path}")
    if old.type != new.type:
        found.append(f"{old.type} → {new.type}")
    elif old.shape == new.shape and all(old.figures[n] == new.figures[n] for n in _SHOWN):
        found += [name for name in FIGURES if old.figures[name] != new.figures[name]]
    return f"{change.kind}: {', '.join(found)}" if found else change.kind


def _output(change: Change) -> Any:
    old, new = change.old, change.new
    if old is None or new is None or old.shape == new.shape:
        return Sizes(change.layer.shape[1:])
    if old.shape[1:] == new.shape[1:]:
        return f"N = {old.shape[0]} → {new.shape[0]}"
    return f"{shape(old.shape)} → {shape(new.shape)}"


def _change(old: Size, new: Size, column: Column, percents: bool = True) -> Told | Dim | None:
    """The difference, as people read it; nothing where there is none."""
    change = new - old
    if isinstance(change, Dim):
        return change
    if change == 0:
        return None
    return Told(change, _signed(old, new, column, percents))


def _signed(old: Size, new: Size, column: Column = _EXACT, percents: bool = True) -> str:
    """+2,048 (+12.5 %), rounded as in a column, or the closed form of the difference."""
    change = new - old
    if isinstance(change, Dim):
        return f"by {change}"
    told = f"{'−' if change < 0 else '+'}{cell(abs(change), column, TEXT)}"
    return told + (_share(old, new) if percents else "")


def _float(number: Fraction) -> float | int:
    return float(number) if abs(number) <= IMMENSE else round(number)


def _share(old: Size, new: Size) -> str:
    """The change in percent, in brackets; nothing for what is new, gone, symbolic or immense."""
    found = percent(old, new)
    if found is None or new == 0 or abs(found) > IMMENSE:
        return ""
    # a small change is none of 0.0 %
    digits = ".1f" if abs(found) >= Fraction(1, 20) else ".1g"
    return f" ({'−' if found < 0 else '+'}{float(abs(found)):,{digits}} %)"
