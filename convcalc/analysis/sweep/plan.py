"""What a sweep is to compute: axes of values, and one compiled closed form for each structure.

Variables that only enter sizes are left symbolic, and one closed form serves all their values. The
others, such as depths, words and strides, change the structure of the network: for each of their
values it is built anew. Nothing is evaluated here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

from convcalc.analysis.closed_form import Forms
from convcalc.dim import ArrayCode, Dim, Range, exact_number
from convcalc.errors import ConvcalcError, ShapeError, SpecError, UsageError, shorten
from convcalc.program import Kernel
from convcalc.spec.expressions import parse

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

MAX_STRUCTURES = 10_000
MAX_CONFIGURATIONS = 1_000_000_000
_MAX_DENOMINATOR = 10**40

Build = Callable[[Sequence[str], Mapping[str, Any]], Forms]
"""(names to leave symbolic, values of other variables) → closed forms of what is counted."""


class Column(NamedTuple):
    """The values of a variable: whole numbers over the scale of `span`, or of any kind without.

    `span` is that of the whole axis, also in a part of it.
    """

    values: Any
    span: Range | None

    @classmethod
    def of(cls, name: str, values: Any) -> Column:
        """The column of some values: a range, an integer array, or a sequence of anything.

        Raises:
            UsageError: the fractions have no reasonable common denominator.
        """
        import numpy

        if isinstance(values, range):
            return cls(values, Range(min(values[0], values[-1]), max(values[0], values[-1])))
        if hasattr(values, "dtype"):
            low, high = int(values.min()), int(values.max())
            return cls(values.astype(_kind(low, high)), Range(low, high))
        values = [exact_number(plain(value)) for value in values]
        if not all(isinstance(v, (int, Fraction)) and not isinstance(v, bool) for v in values):
            return cls(values, None)
        scale = 1
        for value in values:
            scale = math.lcm(scale, value.denominator)
            if scale > _MAX_DENOMINATOR:
                raise UsageError(
                    f"{name}: fractions whose common denominator has more than 40 digits",
                    hint="Round them.",
                )
        numerators = [int(value * scale) for value in values]
        low, high = min(numerators), max(numerators)
        return cls(numpy.array(numerators, _kind(low, high)), Range(low, high, scale))

    @property
    def size(self) -> int:
        """The number of values; `len` of a range ends at 64 bits."""
        if isinstance(self.values, range) and self.values:
            return (self.values[-1] - self.values[0]) // self.values.step + 1
        return len(self.values)

    def part(self, along: slice) -> Column:
        """Some of the values."""
        return self._replace(values=self.values[along])

    def at(self, index: int) -> Any:
        """The value at one place."""
        value = plain(self.values[index])
        if self.span is None or self.span.scale == 1:
            return value
        return exact_number(Fraction(value, self.span.scale))

    def whole(self) -> Array:
        """The numbers times their scale."""
        import numpy

        if not isinstance(self.values, range):
            return self.values  # type: ignore[no-any-return]
        assert self.span is not None
        kind = _kind(self.span.low - abs(self.values.step), self.span.high + abs(self.values.step))
        ends: Any = (self.values.start, self.values.stop, self.values.step)
        return numpy.arange(*ends, dtype=kind)

    def shown(self) -> Array:
        """The values as rows have them: fractions as floats, what is no number as text."""
        import numpy

        if self.span is None:
            texts = numpy.empty(len(self.values), object)
            texts[:] = [str(v).lower() if isinstance(v, bool) else str(v) for v in self.values]
            return texts
        if self.span.scale == 1:
            return self.whole()
        # Python's division rounds rightly for numbers of any size
        return (self.values.astype(object) / self.span.scale).astype(float)  # type: ignore[no-any-return]


def _kind(low: int, high: int) -> Any:
    return "int64" if -(2**63) < low and high < 2**63 else object


def plain(value: Any) -> Any:
    """A NumPy scalar as Python's own, a float as the decimal that it prints as; all else as is."""
    if not hasattr(value, "dtype"):
        return value
    return float(str(value)) if value.dtype.kind == "f" and not value.ndim else value.tolist()


class Axis(NamedTuple):
    """One or several variables that move together, with a column for each name."""

    names: tuple[str, ...]
    columns: tuple[Column, ...]

    @property
    def size(self) -> int:
        """The number of values."""
        return self.columns[0].size

    @property
    def is_positive(self) -> bool:
        """Whether all values are positive numbers, so that a symbol could stand for them."""
        return all(column.span is not None and column.span.low > 0 for column in self.columns)

    @property
    def fractions(self) -> set[str]:
        """The names with a value that is not whole."""
        return {n for n, c in self.items() if c.span is not None and c.span.scale > 1}

    def reads(self) -> set[str]:
        """The names in values that are expressions.

        Raises:
            UsageError: a text is no expression.
        """
        found: set[str] = set()
        for name, column in self.items():
            for value in column.values if column.span is None else ():
                if isinstance(value, str):
                    try:
                        found.update(parse(value).names)
                    except SpecError as error:
                        raise UsageError(f"{name}: {error.fact}", hint=error.hint) from None
        return found

    def items(self) -> Iterable[tuple[str, Column]]:
        """The names with their columns."""
        return zip(self.names, self.columns, strict=True)

    def at(self, index: int) -> dict[str, Any]:
        """The values at one place."""
        return {name: column.at(index) for name, column in self.items()}

    def part(self, along: slice) -> Axis:
        """Some of the values; itself, if they are all."""
        if along == slice(0, self.size):
            return self
        return Axis(self.names, tuple(column.part(along) for column in self.columns))


def axis(names: str | Sequence[str], values: Any) -> Axis:
    """An axis of a name and its values, or of several names and a row for each step.

    Raises:
        UsageError: there are no values, or rows of another length.
    """
    names = (names,) if isinstance(names, str) else tuple(names)
    told = ", ".join(names)
    columns: Sequence[Any]
    if isinstance(values, range):
        columns = [values] * len(names)
    elif getattr(values, "ndim", 0) and values.dtype.kind in "iu":
        if values.shape[1:] != ((len(names),) if len(names) > 1 else ()):
            raise UsageError(f"{told}: {_due(names)} in each row, not an array {values.shape}")
        columns = [values] if len(names) == 1 else list(values.T)
    elif len(names) == 1:
        is_one = isinstance(values, str) or not hasattr(values, "__iter__")
        columns = [[values] if is_one or getattr(values, "ndim", 1) == 0 else list(values)]
    else:
        rows = list(values) if hasattr(values, "__iter__") else [values]
        for row in rows:
            if isinstance(row, str) or not hasattr(row, "__len__") or len(row) != len(names):
                raise UsageError(f"{told}: {_due(names)} in each row, not {shorten(str(row))}")
        columns = list(zip(*rows, strict=True))
    # a range may be too long for `len`
    if not columns or not len(columns[0][:1]):
        raise UsageError(f"{told}: no values")
    return Axis(names, tuple(map(Column.of, names, columns)))


def _due(names: Sequence[str]) -> str:
    return "one value is due" if len(names) == 1 else f"{len(names)} values are due"


class Structure(NamedTuple):
    """A network of one structure, to be evaluated on a grid: all combinations of some axes.

    The kernel gives the sizes times `scales`, then whether each requirement holds; it is None, and
    `misfit` says why, where no values fit.
    """

    axes: tuple[Axis, ...]
    kernel: Kernel | None
    scales: tuple[int, ...]
    misfit: str = ""

    @property
    def divides(self) -> bool:
        """Whether a size is divided by one that is 0 somewhere."""
        return self.kernel is not None and any(s.operation == "check" for s in self.kernel.steps)


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
        UsageError: a name is no variable, or has no value, or there are too many structures.
        ConvcalcError: the spec itself is broken.
    """
    return _split((), tuple(axes), build)


def _split(
    fixed: tuple[Axis, ...], axes: tuple[Axis, ...], build: Build, copies: int = 1
) -> Iterator[Structure]:
    """The structures at one place of some axes, `fixed`, and all places of the others.

    `copies` is how many places the fixed axes have together: no fewer than structures of that kind.
    """
    values = {name: value for a in fixed for name, value in a.at(0).items()}
    apart = next((a for a in axes if not a.is_positive), None)
    if apart is None:
        try:
            forms = build(_names(axes), values)
        except UsageError:
            raise
        except ConvcalcError as error:
            decisions = error.partial.decisions if error.partial is not None else {}
            apart = _deciding(decisions, axes)
            if apart is None and _is_certain(error, values, axes, build):
                yield Structure((*fixed, *axes), None, (), str(error))
                return
            apart = apart or _cause(values, axes, build)
        else:
            apart = _deciding(forms.decisions, axes) or next(
                # fractions of a variable that is a size itself
                (a for a in axes if a.fractions - forms.multipliers),
                None,
            )
            if apart is None:
                structure = _structure(fixed, axes, forms)
                if not structure.divides:
                    yield structure
                    return
                apart = min(axes, key=lambda a: a.size)
    copies *= apart.size
    if copies > MAX_STRUCTURES:
        raise UsageError(
            f"{copies:,} structures; {MAX_STRUCTURES:,} are the limit: variables that are no "
            "sizes, such as depths and strides, or not positive, need a network for each value",
            hint=f"Give {', '.join(apart.names)} fewer values.",
        )
    others = tuple(a for a in axes if a is not apart)
    for index in range(apart.size):
        yield from _split((*fixed, apart.part(slice(index, index + 1))), others, build, copies)


def _names(axes: Sequence[Axis]) -> list[str]:
    return [name for a in axes for name in a.names]


def _deciding(decisions: Iterable[Dim], axes: Sequence[Axis]) -> Axis | None:
    """An axis on which it depends which sizes are equal, and so the structure."""
    deciding = {name for difference in decisions for name in difference.symbols}
    return next((a for a in axes if deciding & {*a.names}), None)


def _is_certain(
    error: ConvcalcError, values: Mapping[str, Any], axes: Sequence[Axis], build: Build
) -> bool:
    """Whether an error comes at all values, and not because some have no number."""
    if isinstance(error, ShapeError) or not axes:
        return True
    first = {name: value for a in axes for name, value in a.at(0).items()}
    try:
        build((), {**values, **first})
    except ConvcalcError as other:
        return str(other) == str(error)
    return False


def _cause(values: Mapping[str, Any], axes: Sequence[Axis], build: Build) -> Axis:
    """An axis that cannot be symbolic: one that fails alone, or else the shortest."""
    for a in axes:
        rest = {k: v for other in axes if other is not a for k, v in other.at(0).items()}
        try:
            build(a.names, {**values, **rest})
        except ShapeError:
            continue
        except ConvcalcError:
            return a
    return min(axes, key=lambda a: a.size)


def _structure(fixed: tuple[Axis, ...], axes: tuple[Axis, ...], forms: Forms) -> Structure:
    conditions = [(r.left, r.relation, r.right) for _, r in forms.requirements]
    code = ArrayCode(forms.sizes, conditions)
    missing = sorted(code.names.difference(_names(axes)))
    if missing:
        raise UsageError(
            f"no value for {', '.join(missing)}", hint=f"For instance --set {missing[0]}=64."
        )
    ranges = {name: column.span for a in axes for name, column in a.items() if column.span}
    kernel, scales = code.kernel(ranges)
    return Structure((*fixed, *axes), kernel, tuple(scales))
