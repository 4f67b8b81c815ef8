"""The rows of a sweep: a structure evaluated on parts of its grid, and which rows are kept."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from typing import TYPE_CHECKING, Any, NamedTuple

from convcalc.analysis.conditions import Condition, Ratio
from convcalc.analysis.sweep.plan import Axis
from convcalc.dim import divided
from convcalc.program import Kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]
    Columns = dict[str, Array]

Grid = tuple[Axis, ...]
_COMPARED = 4_096
"""Pairs of rows that are compared at once."""
_GOOD = 8
"""Rows that all others are held against before they are sorted."""


class Form(NamedTuple):
    """What computes a structure: its kernel, None where it never fits, and the sizes' scales."""

    kernel: Kernel | None
    scales: tuple[int, ...]


class Selection(NamedTuple):
    """Which columns a sweep has and which of its legal rows it keeps.

    `variables` are the names of its axes, `quantities` what is counted. Of the rows where `where`
    holds, those on the Pareto front of `pareto` are kept (smaller is better), and of them the `top`
    with the largest `by`. A name after a − means the opposite.
    """

    variables: tuple[str, ...]
    quantities: tuple[str, ...]
    where: Condition | None = None
    pareto: tuple[str, ...] = ()
    top: int | None = None
    by: str = ""

    @property
    def chooses(self) -> bool:
        """Whether what is kept of some rows depends on other rows."""
        return bool(self.pareto) or self.top is not None

    @property
    def objectives(self) -> set[str]:
        """The names that decide which rows are kept."""
        return {name.removeprefix("-") for name in (*self.pareto, self.by) if name}


class Rows(NamedTuple):
    """Some rows of a sweep, a column for each name, and how many configurations they are of."""

    columns: Columns
    configurations: int
    legal: int

    @property
    def values(self) -> int:
        """How many there are in all columns."""
        return sum(map(len, self.columns.values()))


def evaluate(form: Form, grids: Iterable[Grid], selection: Selection) -> Rows:
    """The rows of some grids of one structure that may be kept in the end."""
    return joined([_evaluate_grid(form, grid, selection) for grid in grids], selection)


def joined(rows: Sequence[Rows], selection: Selection | None = None) -> Rows:
    """Some rows after each other; with a selection, without those that cannot be kept."""
    import numpy

    columns = rows[0].columns
    if len(rows) > 1:
        columns = {name: numpy.concatenate([r.columns[name] for r in rows]) for name in columns}
    if selection is not None and selection.chooses:
        some = best(columns, selection)
        columns = {name: column[some] for name, column in columns.items()}
    return Rows(columns, sum(r.configurations for r in rows), sum(r.legal for r in rows))


def best(columns: Mapping[str, Array], selection: Selection) -> Array:
    """The places of the rows on the Pareto front, and of them the top."""
    import numpy

    some = numpy.arange(len(next(iter(columns.values()))))
    if selection.pareto:
        some = front([_signed(columns, name) for name in selection.pareto])
    if selection.top is not None:
        some = some[largest(_signed(columns, selection.by)[some], selection.top)]
    return some


def _signed(columns: Mapping[str, Array], name: str) -> Array:
    return -columns[name[1:]] if name.startswith("-") else columns[name]


def largest(values: Array, count: int) -> Array:
    """The places of the largest values, the largest first, of equal ones the first."""
    import numpy

    if 0 < count < len(values) // 4 and values.dtype != object:
        # most values are smaller than all that can be kept, and sorting takes longest
        least = numpy.partition(values, len(values) - count)[len(values) - count]
        some = numpy.flatnonzero(values >= least)
        if len(some) < len(values):
            chosen: Array = some[largest(values[some], count)]
            return chosen
    return _sorted(values)[:count]


def _sorted(values: Array) -> Array:
    import numpy

    order: Array = numpy.argsort(values[::-1], kind="stable")[::-1]
    return len(values) - 1 - order


def front(objectives: Sequence[Array]) -> Array:
    """The places, in order, of the rows that no other is better than: as small, and smaller in one.

    Equal rows are kept or left together. Divide and conquer: Kung, Luccio, Preparata, On Finding
    the Maxima of a Set of Vectors (1975).
    """
    import numpy

    some = numpy.flatnonzero(~_beaten(objectives))
    columns = [objective[some] for objective in objectives]
    order = numpy.lexsort(columns[::-1])
    columns = [column[order] for column in columns]
    first = numpy.ones(len(order), bool)  # of the equal rows
    if len(order):
        first[1:] = reduce(numpy.logical_or, [c[1:] != c[:-1] for c in columns])
    on_front = _undominated([column[first] for column in columns])
    places: Array = numpy.sort(some[order[on_front[numpy.cumsum(first) - 1]]])
    return places


def _beaten(objectives: Sequence[Array]) -> Array:
    """Whether a row is worse than one of a few good ones: quick, and most are."""
    import numpy

    beaten = numpy.zeros(len(objectives[0]), bool)
    if len(beaten) < 100 * _GOOD or any(o.dtype == object for o in objectives):
        return beaten
    numbers = [objective.astype(float) for objective in objectives]
    score = reduce(numpy.add, [(n - n.min()) / (numpy.ptp(n) or 1) for n in numbers])
    for row in numpy.argpartition(score, _GOOD)[:_GOOD]:
        no_better = reduce(numpy.logical_and, [o >= o[row] for o in objectives])
        beaten |= no_better & reduce(numpy.logical_or, [o > o[row] for o in objectives])
    return beaten


def _undominated(columns: Sequence[Array]) -> Array:
    """Which rows, sorted and all different, have no other that is nowhere larger."""
    import numpy

    count = len(columns[0])
    kept = numpy.ones(count, bool)
    if len(columns) == 1:
        kept[1:] = False
    elif len(columns) == 2:
        least = numpy.minimum.accumulate(columns[1])
        kept[1:] = columns[1][1:] < least[:-1]
    elif count**2 <= _COMPARED:
        kept = _pairs(columns, columns).sum(axis=0) == 1  # itself
    else:
        # only rows before it can dominate a row, and these are nowhere larger in the first column
        half = count // 2
        kept[:half] = _undominated([column[:half] for column in columns])
        kept[half:] = _undominated([column[half:] for column in columns])
        before, after = numpy.flatnonzero(kept[:half]), half + numpy.flatnonzero(kept[half:])
        rest = columns[1:]
        kept[after] = ~_dominated([c[before] for c in rest], [c[after] for c in rest])
    return kept


def _dominated(some: Sequence[Array], others: Sequence[Array]) -> Array:
    """For which of the other rows one of some rows is nowhere larger."""
    import numpy

    found = numpy.zeros(len(others[0]), bool)
    if not len(some[0]) or not len(found):
        return found
    if len(some) == 2:
        order = numpy.lexsort(some[::-1])
        least = numpy.minimum.accumulate(some[1][order])
        up_to = numpy.searchsorted(some[0][order], others[0], "right")
        found |= (up_to > 0) & (least[numpy.maximum(up_to, 1) - 1] <= others[1])
    elif len(some[0]) * len(found) <= _COMPARED:
        found |= _pairs(some, others).any(axis=0)
    else:
        middle = numpy.sort(numpy.concatenate([some[0], others[0]]))[
            (len(some[0]) + len(found)) // 2
        ]
        low, low_others = some[0] < middle, others[0] < middle
        high, high_others = some[0] > middle, others[0] > middle

        def compare(a: Array, b: Array, start: int) -> None:
            """Rows of which the columns before `start` say nothing any more."""
            found[b] |= _dominated([c[a] for c in some[start:]], [c[b] for c in others[start:]])

        compare(low, low_others, 0)
        compare(high, high_others, 0)
        compare(~high, ~low_others, 1)
    return found


def _pairs(some: Sequence[Array], others: Sequence[Array]) -> Array:
    """Whether each of some rows is nowhere larger than each of the others."""
    import numpy

    pairs = [a[:, None] <= b for a, b in zip(some, others, strict=True)]
    whole: Array = reduce(numpy.logical_and, pairs).astype(bool)
    return whole


# -- evaluation -----------------------------------------------------------------------------------


def _evaluate_grid(form: Form, grid: Grid, selection: Selection) -> Rows:
    import numpy

    shape = tuple(a.size for a in grid)
    total = math.prod(shape)
    if form.kernel is None:
        return Rows(_no_rows(grid, selection), total, 0)
    places = {name: (i, column) for i, a in enumerate(grid) for name, column in a.items()}

    def along_axis(name: str, values: Array) -> Array:
        i, _ = places[name]
        return values.reshape([-1 if j == i else 1 for j in range(len(shape))])

    inputs = {name: along_axis(name, places[name][1].whole()) for name, _ in form.kernel.inputs}
    results = form.kernel.block(inputs)
    sizes = [
        divided(_whole(value), scale) for value, scale in zip(results, form.scales, strict=False)
    ]
    kept = numpy.ones(shape, bool)
    for holds in results[len(sizes) :]:
        kept &= holds
    legal = int(kept.sum())
    quantities = dict(zip(selection.quantities, sizes, strict=True))

    def flat(values: Array) -> Array:
        whole = numpy.broadcast_to(values, shape)
        return whole.reshape(-1) if every else whole[kept]

    every = legal == total
    if selection.where is not None and legal:
        compared: dict[str, Any] = {}
        for name in selection.where.names:
            if name in quantities:
                compared[name] = flat(quantities[name])
            elif (column := places[name][1]).span is None:
                compared[name] = column.at(0)
            else:
                compared[name] = Ratio(flat(along_axis(name, column.whole())), column.span.scale)
        kept[kept] = selection.where.holds(compared)
        every = bool(kept.all())
    columns = {
        name: quantities[name] if name in quantities else along_axis(name, places[name][1].shown())
        for name in (*selection.variables, *selection.quantities)
    }
    if selection.chooses:
        some = best({name: flat(columns[name]) for name in selection.objectives}, selection)
        at = numpy.unravel_index(numpy.flatnonzero(kept)[some], shape)
        chosen = {name: numpy.broadcast_to(c, shape)[at] for name, c in columns.items()}
    else:
        chosen = {name: flat(c) for name, c in columns.items()}
    return Rows(chosen, total, legal)


def _whole(value: Any) -> Any:
    """Whole numbers out of a kernel's block: as int64, unless they are Python's own."""
    import numpy

    value = numpy.asarray(value)
    return value.copy() if value.dtype == object else value.astype("int64")


def _no_rows(grid: Grid, selection: Selection) -> Columns:
    import numpy

    none = slice(0, 0)
    columns = {name: column.part(none).shown() for a in grid for name, column in a.items()}
    return {
        **{name: columns[name] for name in selection.variables},
        **{name: numpy.empty(0, "int64") for name in selection.quantities},
    }
