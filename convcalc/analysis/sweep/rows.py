"""The rows of a sweep: a structure evaluated on parts of its grid, and which rows are kept."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from functools import reduce
from typing import TYPE_CHECKING, Any, NamedTuple

from convcalc.analysis.conditions import Condition
from convcalc.analysis.sweep.plan import Structure, value_range
from convcalc.dim import divided
from convcalc.fields import show

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]
    Columns = dict[str, Array]

Part = tuple[slice, ...]
_COMPARED = 32
"""Points of a Pareto front that all rows are held against before any are sorted."""


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


class Rows(NamedTuple):
    """Some rows of a sweep, a column for each name, and how many configurations they are of."""

    columns: Columns
    configurations: int
    legal: int


def evaluate(structure: Structure, parts: Iterable[Part], selection: Selection) -> Rows:
    """The rows of some parts of a structure's grid that may be kept in the end."""
    found = [_evaluate_part(structure, part, selection) for part in parts]
    return joined(found, selection)


def joined(rows: Sequence[Rows], selection: Selection) -> Rows:
    """Some rows after each other, those that cannot be kept left out."""
    import numpy

    if len(rows) == 1:
        columns = rows[0].columns
    else:
        columns = {
            name: numpy.concatenate([r.columns[name] for r in rows]) for name in rows[0].columns
        }
    return Rows(
        keep(columns, selection), sum(r.configurations for r in rows), sum(r.legal for r in rows)
    )


def keep(columns: Columns, selection: Selection) -> Columns:
    """The rows on the Pareto front, and of them the top."""
    if selection.pareto:
        chosen = front([_signed(columns, name) for name in selection.pareto])
        columns = {name: column[chosen] for name, column in columns.items()}
    if selection.top is not None:
        chosen = largest(_signed(columns, selection.by), selection.top)
        columns = {name: column[chosen] for name, column in columns.items()}
    return columns


def _signed(columns: Columns, name: str) -> Array:
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

    Equal rows are kept or left together.
    """
    import numpy

    some = numpy.arange(len(objectives[0]))
    if len(some) > 4 * _COMPARED:
        some = some[~_beaten(objectives)]
    columns = [objective[some] for objective in objectives]
    order = numpy.lexsort(columns[::-1])
    columns = [column[order] for column in columns]
    kept = _staircase(*columns) if len(columns) == 2 else _filtered(columns)
    places: Array = numpy.sort(some[order[kept]])
    return places


def _beaten(objectives: Sequence[Array]) -> Array:
    """Whether each row is worse than one of a few good ones: quick, and never wrong."""
    import numpy

    # the best in each objective, and rows that are good in all of them
    score = reduce(numpy.add, [_ranks(objective) for objective in objectives])
    count = min(_COMPARED, len(score))
    good = numpy.argpartition(score, count - 1)[:count]
    good = numpy.append(good, [numpy.argmin(objective) for objective in objectives])
    beaten = numpy.zeros(len(score), bool)
    for row in good:
        as_good = reduce(numpy.logical_and, [o[row] <= o for o in objectives])
        beaten |= as_good & reduce(numpy.logical_or, [o[row] < o for o in objectives])
    return beaten


def _ranks(objective: Array) -> Array:
    """About how large each value is among all."""
    import numpy

    low, high = objective.min(), objective.max()
    ranks: Array = numpy.asarray(objective - low, float) / max(1.0, float(high - low))
    return ranks


def _staircase(first: Array, second: Array) -> Array:
    """Which of the rows, sorted, are on the front of two objectives."""
    import numpy

    least = numpy.minimum.accumulate(second)
    starts = numpy.flatnonzero(numpy.append([True], first[1:] != first[:-1]))
    group = numpy.cumsum(numpy.append([True], first[1:] != first[:-1])) - 1
    best = second[starts][group]  # of rows with the same first objective
    kept = second == best
    inside = starts[group] > 0
    before = least[numpy.maximum(starts[group] - 1, 0)]
    on_front: Array = kept & ~(inside & (before <= second))
    return on_front


def _filtered(columns: Sequence[Array]) -> Array:
    """Which of the rows, sorted, are on the front of any number of objectives."""
    import numpy

    waiting = numpy.arange(len(columns[0]))
    kept = numpy.zeros(len(waiting), bool)
    while len(waiting):
        # the first in order is worse than none that is left
        best = [column[waiting[0]] for column in columns]
        rest = [column[waiting] for column in columns]
        equal = reduce(numpy.logical_and, [c == b for c, b in zip(rest, best, strict=True)])
        worse = reduce(numpy.logical_and, [c >= b for c, b in zip(rest, best, strict=True)])
        kept[waiting[equal]] = True
        waiting = waiting[~worse]
    return kept


# -- evaluation -----------------------------------------------------------------------------------


def _evaluate_part(structure: Structure, part: Part, selection: Selection) -> Rows:
    import numpy

    shape = tuple(s.stop - s.start for s in part)
    total = int(numpy.prod(shape, dtype=object)) if shape else 1
    if structure.kernel is None:
        return Rows(_empty(selection), total, 0)
    inputs, shown, compared = _axis_values(structure, part)
    results = structure.kernel.block(inputs)
    sizes = [
        divided(_whole(value), scale)
        for value, scale in zip(results, structure.scales, strict=False)
    ]
    kept = numpy.ones(shape, bool)
    for holds in results[len(sizes) :]:
        kept &= holds
    legal = int(kept.sum())
    quantities = dict(zip(selection.quantities, sizes, strict=True))
    if selection.where is not None:
        values = {**structure.fixed, **compared, **quantities}
        kept &= selection.where.holds({name: values[name] for name in selection.where.names})
    every = bool(kept.all())
    columns = {}
    for name in (*selection.variables, *selection.quantities):
        if name in structure.fixed:
            column = _of_fixed(structure.fixed[name], shape)
        else:
            column = numpy.broadcast_to(
                quantities[name] if name in quantities else shown[name], shape
            )
        columns[name] = column.ravel() if every else column[kept]
    return Rows(keep(columns, selection), total, legal)


def _axis_values(structure: Structure, part: Part) -> tuple[Columns, Columns, dict[str, Any]]:
    """The values of a part along each axis: as the kernel takes them, as shown, and as compared."""
    import numpy

    inputs, shown, compared = {}, {}, {}
    for i, (axis, along) in enumerate(zip(structure.axes, part, strict=True)):
        place = tuple(-1 if j == i else 1 for j in range(len(part)))
        for name, column in zip(axis.names, axis.columns, strict=True):
            values: Any = column[along]
            scale = value_range(column).scale
            whole: Any
            if isinstance(values, range):
                whole = numpy.arange(values.start, values.stop, values.step)
            elif hasattr(values, "dtype"):
                whole = values
            else:
                whole = numpy.array([int(v * scale) for v in values], _type(values, scale))
            inputs[name] = whole.reshape(place)
            compared[name] = inputs[name]
            shown[name] = inputs[name]
            if scale > 1:
                shown[name] = numpy.array([float(v) for v in values]).reshape(place)
                compared[name] = numpy.array(
                    [Fraction(v) for v in values], object
                ).reshape(place)  # fmt: skip
    return inputs, shown, compared


def _type(values: Sequence[Any], scale: int) -> Any:
    return "int64" if max(values) * scale < 2**63 else object


def _whole(value: Any) -> Any:
    """Whole numbers out of a kernel's block: as int64, unless they are Python's own."""
    import numpy

    value = numpy.asarray(value)
    return value.copy() if value.dtype == object else value.astype("int64")


def _of_fixed(value: Any, shape: tuple[int, ...]) -> Array:
    """A column of one value; what is no number is shown as it is written."""
    import numpy

    if isinstance(value, Fraction):
        return numpy.full(shape, float(value))
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63:
        return numpy.full(shape, value)
    column = numpy.empty(shape, object)
    column[...] = show(value).strip("'") if not isinstance(value, int) else value
    return column


def _empty(selection: Selection) -> Columns:
    import numpy

    return {name: numpy.empty(0, "int64") for name in (*selection.variables, *selection.quantities)}
