"""What a sweep is to compute: axes of values, and one compiled closed form for each structure.

Variables that only enter sizes are left symbolic, and one closed form serves all their values. The
others, such as depths, words and strides, change the structure of the network: for each of their
values it is built anew. Nothing is evaluated here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

from convcalc.analysis.closed_form import Forms
from convcalc.dim import ArrayCode, Range, exact_number
from convcalc.errors import ConvcalcError, ShapeError, UsageError
from convcalc.program import Kernel

MAX_STRUCTURES = 10_000
MAX_CONFIGURATIONS = 1_000_000_000

Build = Callable[[Sequence[str], Mapping[str, Any]], Forms]
"""(names to leave symbolic, values of other variables) → closed forms of what is counted."""


class Axis(NamedTuple):
    """One or several variables that move together, with their values, a column for each name."""

    names: tuple[str, ...]
    columns: tuple[Sequence[Any], ...]

    @property
    def size(self) -> int:
        """The number of values."""
        return len(self.columns[0])

    @property
    def is_numeric(self) -> bool:
        """Whether all values are positive numbers, so that a symbol could stand for them."""
        return all(
            value_range(column).low >= 1
            if _is_of_ints(column)
            else all(_is_positive_number(v) for v in column)
            for column in self.columns
        )

    @property
    def fractions(self) -> set[str]:
        """The names with a value that is not whole."""
        return {
            name
            for name, column in zip(self.names, self.columns, strict=True)
            if not _is_of_ints(column) and any(isinstance(v, Fraction) for v in column)
        }

    def at(self, index: int) -> dict[str, Any]:
        """The values at one place."""
        return {n: plain(c[index]) for n, c in zip(self.names, self.columns, strict=True)}


def _is_of_ints(column: Sequence[Any]) -> bool:
    return isinstance(column, range) or hasattr(column, "dtype")


def _is_positive_number(value: Any) -> bool:
    return isinstance(value, (int, Fraction)) and not isinstance(value, bool) and value > 0


def plain(value: Any) -> Any:
    """A NumPy number as Python's own; all else as it is."""
    return value.item() if hasattr(value, "dtype") else value


def axis(names: str | Sequence[str], values: Any) -> Axis:
    """An axis of a name and its values, or of several names and a row for each step.

    Raises:
        UsageError: there are no values, or rows of another length.
    """
    if isinstance(names, str):
        names = (names,)
    if isinstance(values, range):
        columns: Sequence[Any] = [values] * len(names)
    elif hasattr(values, "dtype") and values.dtype.kind in "iu":
        columns = [values] if len(names) == 1 else list(values.T)
    else:
        rows = [value if len(names) > 1 else (value,) for value in values]
        for row in rows:
            if len(row) != len(names):
                raise UsageError(f"{', '.join(names)}: a value for each is due, not {row}")
        columns = [[exact_number(plain(v)) for v in column] for column in zip(*rows, strict=True)]
    if not columns or not len(columns[0]):
        raise UsageError(f"{', '.join(names)}: no values")
    return Axis(tuple(names), tuple(columns))


class Structure(NamedTuple):
    """A network of one structure, to be evaluated on a grid: all combinations of some axes.

    `fixed` are the values of the variables that the structure depends on. The kernel gives the
    sizes times `scales`, then whether each requirement holds; it is None, and `misfit` says why,
    where no values fit.
    """

    fixed: dict[str, Any]
    axes: tuple[Axis, ...]
    kernel: Kernel | None
    scales: tuple[int, ...]
    misfit: str = ""

    @property
    def shape(self) -> tuple[int, ...]:
        """The sizes of the grid."""
        return tuple(a.size for a in self.axes)


def count(axes: Sequence[Axis]) -> int:
    """The number of configurations."""
    return math.prod(a.size for a in axes)


def check_count(axes: Sequence[Axis], limit: int = MAX_CONFIGURATIONS) -> None:
    """Raise if there are too many configurations.

    Raises:
        UsageError: with their number, and which variables make it.
    """
    total = count(axes)
    if total > limit:
        told = " × ".join(f"{a.size:,} of {', '.join(a.names)}" for a in axes)
        raise UsageError(
            f"{total:,} configurations ({told}); {limit:,} are the limit",
            hint="Take larger steps, let variables move together (--set H,W=…), or raise --limit.",
        )


def structures(axes: Sequence[Axis], build: Build) -> Iterator[Structure]:
    """The structures of a sweep, in the order of their configurations.

    Raises:
        UsageError: a name is no variable, or there are too many structures.
        ConvcalcError: the spec itself is broken.
    """
    made = 0
    for structure in _split({}, tuple(axes), build):
        made += 1
        if made > MAX_STRUCTURES:
            raise UsageError(
                f"more than {MAX_STRUCTURES:,} structures: variables that are no sizes, such as "
                "depths and strides, need a network for each of their values",
                hint="Give them fewer values.",
            )
        yield structure


def _split(fixed: dict[str, Any], axes: tuple[Axis, ...], build: Build) -> Iterator[Structure]:
    apart = next((a for a in axes if not a.is_numeric), None)
    if apart is None:
        try:
            forms = build(_names(axes), fixed)
        except UsageError:
            raise
        except ConvcalcError as error:
            if isinstance(error, ShapeError) or not axes:
                yield Structure(fixed, axes, None, (), str(error))
                return
            apart = _cause(fixed, axes, build)
        else:
            apart = _hindrance(forms, axes)
            if apart is None:
                yield _structure(fixed, axes, forms)
                return
    others = tuple(a for a in axes if a is not apart)
    for index in range(apart.size):
        yield from _split({**fixed, **apart.at(index)}, others, build)


def _names(axes: Sequence[Axis]) -> list[str]:
    return [name for a in axes for name in a.names]


def _hindrance(forms: Forms, axes: Sequence[Axis]) -> Axis | None:
    """An axis that needs a structure for each value although the network could be built.

    It has fractions for a variable that is a size itself, or decides which sizes are equal.
    """
    deciding = {name for difference in forms.decisions for name in difference.symbols}
    for a in axes:
        if a.fractions - forms.multipliers or deciding & {*a.names}:
            return a
    return None


def _cause(fixed: dict[str, Any], axes: Sequence[Axis], build: Build) -> Axis:
    """An axis that cannot be symbolic: one that fails alone, or else the shortest."""
    for a in axes:
        rest = {k: v for other in axes if other is not a for k, v in other.at(0).items()}
        try:
            build(a.names, {**fixed, **rest})
        except ShapeError:
            continue
        except ConvcalcError:
            return a
    return min(axes, key=lambda a: a.size)


def _structure(fixed: dict[str, Any], axes: tuple[Axis, ...], forms: Forms) -> Structure:
    conditions = [(r.left, r.relation, r.right) for _, r in forms.requirements]
    ranges = {
        name: value_range(column)
        for a in axes
        for name, column in zip(a.names, a.columns, strict=True)
    }
    kernel, scales = ArrayCode(forms.sizes, conditions).kernel(ranges)
    return Structure(fixed, axes, kernel, tuple(scales))


def value_range(column: Sequence[Any]) -> Range:
    """The range of some numbers, over their common denominator."""
    if isinstance(column, range):
        return Range(min(column[0], column[-1]), max(column[0], column[-1]))
    array: Any = column
    if hasattr(array, "dtype"):
        return Range(int(array.min()), int(array.max()))
    scale = math.lcm(*(value.denominator for value in column))
    return Range(int(min(column) * scale), int(max(column) * scale), scale)
