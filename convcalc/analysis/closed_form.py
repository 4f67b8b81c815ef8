"""Closed forms of a network's totals, with the inputs for which they hold."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from fractions import Fraction
from itertools import chain, product
from typing import Any

from convcalc.analysis.limits import Limits, distinct, limits
from convcalc.dim import (
    ArrayCode,
    Dim,
    Size,
    as_equation,
    equal,
    exact_number,
    is_whole,
    measured,
    symbols,
)
from convcalc.errors import ConvcalcError, ShapeError, UndecidableError, did_you_mean
from convcalc.graph import Graph, Node
from convcalc.layer import Requirement
from convcalc.notation import Notation

Decisions = dict[Dim, bool]
_FEW_DECISIONS = 4
_MOST_STRUCTURES = 100


class Forms:
    """Closed forms of some sizes of one network, and their domain.

    `names` are the symbols left free; `requirements` the conditions on them without which the
    network does not fit together, each with the node that makes it. Where the structure depends on
    whether two sizes are equal, `decisions` says what these forms take them for; at values where
    that is not so, `evaluate` and `arrays` go over to the forms that hold there.
    """

    def __init__(
        self,
        sizes: Sequence[Size],
        graph: Graph,
        names: Iterable[str],
        rebuild: Callable[[Decisions, Collection[str]], Forms] | None = None,
        fix: Callable[[Mapping[str, Any]], Forms] | None = None,
    ) -> None:
        self.sizes = tuple(sizes)
        self.names = tuple(names)
        self.requirements = tuple(distinct(graph.undecided))
        self.decisions = dict(graph.decisions)
        self.multipliers = graph.multipliers
        self._rebuild = rebuild
        self._fix = fix
        self._others: dict[tuple[tuple[Dim, bool], ...], Forms] = {}
        self._codes: dict[frozenset[str], ArrayCode] = {}

    def evaluate(self, values: Mapping[str, Any]) -> list[Any]:
        """The sizes at numbers, or Dims, for the names.

        Raises:
            ConvcalcError: a name has no value, or is none of the names, or is below 1.
            UndecidableError: Dims leave open which structure the network has.
            ShapeError: the network does not fit together at these values, with the layer.
        """
        values = {name: exact_number(value) for name, value in values.items()}
        fractions = {
            name: value for name, value in values.items()
            if isinstance(value, Fraction) and name in self.names and name not in self.multipliers
        }  # fmt: skip
        if fractions and self._fix is not None:
            # half a size may still be whole where it is used: 16·width
            rest = {name: value for name, value in values.items() if name not in fractions}
            return self._fix(fractions).evaluate(rest)
        values = self._checked(values)
        found: Decisions = {}
        for difference in self.decisions:
            here = _at(difference, values)
            holds = equal(here, 0)
            if holds is None and difference.symbols <= values.keys() and self.assumed():
                raise UndecidableError(
                    f"the structure of the network depends on whether {as_equation(here, '=')}"
                )
            if holds is not None:
                found[difference] = holds
        if any(zero != self.decisions[difference] for difference, zero in found.items()):
            return self.otherwise(found).evaluate(values)
        for node, requirement in self.requirements:
            left, right = _at(requirement.left, values), _at(requirement.right, values)
            if isinstance(left, Dim) or isinstance(right, Dim):
                continue  # a constant is asked for without sizes
            if not (left >= right if requirement.relation == ">=" else left == right):
                raise _misfit(node, requirement, values)
        return [_at(size, values) for size in self.sizes]

    def arrays(self, values: Mapping[str, Any]) -> tuple[list[Any], Any]:
        """The sizes at arrays that broadcast, and for each element whether the network fits there.

        Raises:
            ConvcalcError: a name has no value, or is none of the names, or is below 1.
        """
        import numpy

        values = self._checked(values)
        arrays, ranges = measured(values, self.multipliers)
        for name, span in ranges.items():
            self._check_least(name, Fraction(span.low, span.scale))
        code = self._code(frozenset(values))
        results = code.run(arrays, ranges)
        sizes, conditions = results[: len(self.sizes)], results[len(self.sizes) :]
        shape = results[0].shape
        if not conditions:
            return sizes, numpy.broadcast_to(numpy.True_, shape)
        fits = numpy.ones(shape, bool)
        open_still = numpy.ones(shape, bool)
        found: Decisions = {}
        for (left, relation, _), holds in zip(code.conditions, conditions, strict=True):
            if relation != "zero" or not isinstance(left, Dim):
                fits &= holds
                continue
            zero = self.decisions[left]
            differs = open_still & (holds != zero)
            if differs.any():
                other = self.otherwise({**found, left: not zero})
                self._fill_in(other, differs, values, sizes, fits)
            open_still &= ~differs
            found[left] = zero
        return sizes, fits

    def check(self, values: Mapping[str, Any], fits: Any) -> None:
        """Raise the error of an element at which the network does not fit together.

        Raises:
            ShapeError: there is one.
        """
        import numpy

        if fits.all():
            return
        first = int(numpy.argmin(fits))
        self.evaluate({name: _element(value, first, fits.shape) for name, value in values.items()})

    def otherwise(self, decisions: Decisions) -> Forms:
        """The forms at other decisions."""
        assert self._rebuild is not None
        key = tuple(decisions.items())
        if key not in self._others:
            if len(self._others) >= _MOST_STRUCTURES:
                self._others.clear()
            self._others[key] = self._rebuild(decisions, self.multipliers)
        return self._others[key]

    def assumed(self) -> Decisions:
        """The decisions that these sizes depend on: none, where all of them give the same."""
        if len(self.decisions) > _FEW_DECISIONS:
            return self.decisions
        for zeros in product((False, True), repeat=len(self.decisions)):
            other = dict(zip(self.decisions, zeros, strict=True))
            try:
                forms = self.otherwise(other)
            except ConvcalcError:
                return self.decisions
            if forms.sizes != self.sizes or not forms.decisions.keys() <= other.keys():
                return self.decisions
        return {}

    def _code(self, names: frozenset[str]) -> ArrayCode:
        """What computes the sizes, and the conditions that some names decide."""
        if names not in self._codes:
            conditions = [(r.left, r.relation, r.right) for _, r in self.requirements]
            zeros = [(difference, "zero", 0) for difference in self.decisions]
            known = [c for c in (*conditions, *zeros) if {*symbols(c[0]), *symbols(c[2])} <= names]
            self._codes[names] = ArrayCode(self.sizes, known)
        return self._codes[names]

    def _fill_in(
        self, other: Forms, where: Any, values: Mapping[str, Any], sizes: list[Any], fits: Any
    ) -> None:
        """Put what other forms give into the elements `where` they hold."""
        import numpy

        fits[where] = False
        spread = {name: numpy.broadcast_to(value, where.shape) for name, value in values.items()}
        for name in (self.multipliers - other.multipliers) & values.keys():
            # a size itself in that structure
            numbers = map(exact_number, spread[name].ravel().tolist())
            exact = numpy.fromiter(numbers, dtype=object, count=where.size)
            spread[name] = exact.reshape(where.shape)
            where = where & numpy.vectorize(is_whole, otypes=[bool])(spread[name])
        chosen = {name: value[where] for name, value in spread.items()}
        found, fitting = other.arrays(chosen)
        fits[where] = fitting
        for i, part in enumerate(found):
            if part.dtype == object and sizes[i].dtype != object:
                sizes[i] = sizes[i].astype(object)
            sizes[i][where] = part

    def _checked(self, values: Mapping[str, Any]) -> dict[str, Any]:
        checked = {}
        for name, value in values.items():
            value = exact_number(value)
            if name not in self.names:
                raise ConvcalcError(
                    f"'{name}' is no symbol of this formula (it has: {', '.join(self.names)})",
                    hint=did_you_mean(name, self.names),
                )
            kinds = (int, Dim, Fraction) if name in self.multipliers else (int, Dim)
            is_number = isinstance(value, kinds) and not isinstance(value, bool)
            if not is_number and not hasattr(value, "dtype"):
                due = "a number" if name in self.multipliers else "a whole number"
                given = value if isinstance(value, Fraction) else repr(value)
                raise ConvcalcError(f"{name}: {due} or an array of them is due, not {given}")
            if isinstance(value, (int, Fraction)):
                self._check_least(name, value)
            checked[name] = value
        free = {*chain.from_iterable(map(symbols, self.sizes))}
        deciding = {*chain.from_iterable(map(symbols, self.decisions))}
        if deciding - values.keys() and self.assumed():
            free |= deciding
        missing = [name for name in self.names if name in free and name not in values]
        if missing:
            raise ConvcalcError(
                f"no value for {', '.join(missing)} in {', '.join(map(str, self.sizes))}"
            )
        return checked

    def _check_least(self, name: str, value: int | Fraction) -> None:
        if name in self.multipliers:
            if value <= 0:
                raise ConvcalcError(f"{name} = {value}: sizes are above 0")
        elif value < 1:
            raise ConvcalcError(f"{name} = {value}: sizes are at least 1")


class Formula(Dim):
    """A closed form that knows its domain: a Dim, also where it is constant.

    `forms` holds the names left free, the requirements and the decisions; see `Forms`.
    """

    __slots__ = ("forms",)

    def __init__(self, forms: Forms) -> None:
        (value,) = forms.sizes
        super().__init__(value.terms if isinstance(value, Dim) else {(): value} if value else {})
        self.forms = forms

    @property
    def names(self) -> tuple[str, ...]:
        """The names left free."""
        return self.forms.names

    @property
    def requirements(self) -> tuple[tuple[Node, Requirement], ...]:
        """The conditions without which the network does not fit, with the nodes that make them."""
        return self.forms.requirements

    @property
    def decisions(self) -> Decisions:
        """The sizes on whose being 0 the structure depends, with what this form takes them for."""
        return self.forms.decisions

    @property
    def value(self) -> Size:
        """The same without its domain: an int where it is constant."""
        return self.forms.sizes[0]

    @property
    def limits(self) -> Limits:
        """The least values of its names, and other conditions on them."""
        return limits(self.requirements, self.names, self.forms.multipliers)

    def __eq__(self, other: object) -> bool:
        return bool(self.value == (other.value if isinstance(other, Formula) else other))

    def __hash__(self) -> int:
        return hash(self.value)

    # a constant is a Dim here, which elsewhere is none and divides by rules of its own

    def __neg__(self) -> Any:
        return -self.value

    def __floordiv__(self, other: object) -> Any:
        return self.value // _plain(other)

    def __rfloordiv__(self, other: object) -> Any:
        return other // self.value  # type: ignore[operator]

    def __truediv__(self, other: object) -> Any:
        return exact_number(_exact(self.value) / _plain(other))

    def __rtruediv__(self, other: object) -> Any:
        return exact_number(_exact(other) / self.value)

    def write(self, notation: Notation) -> str:
        """Write it; a constant, 0 too, is a number."""
        value = self.value
        return super().write(notation) if isinstance(value, Dim) else notation.number(value)

    def evaluate(self, /, **values: Any) -> Any:
        """Its value with numbers, or NumPy arrays that broadcast, for its names.

        Exact for every input that the network accepts, also where equal sizes give the network
        another structure; see `Dim.evaluate` for what numbers and arrays may be.

        Raises:
            ConvcalcError: a name has no value, or is none of its names, or is below 1.
            ShapeError: the network does not fit together at these values, with the layer.
        """
        if not any(hasattr(value, "dtype") for value in values.values()):
            return self.forms.evaluate(values)[0]
        (result,), fits = self.forms.arrays(values)
        self.forms.check(values, fits)
        return result

    def compile(self) -> Callable[..., Any]:
        """The same as `evaluate`."""
        return self.evaluate


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, Formula) else value


def _exact(value: Any) -> Any:
    return Fraction(value) if isinstance(value, int) else value


def _misfit(node: Node, requirement: Requirement, values: Mapping[str, Any]) -> ConvcalcError:
    given = ", ".join(f"{name} = {value}" for name, value in values.items())
    error = ShapeError(f"{requirement.fact()}, at {given}", hint=requirement.hint)
    return error.located(str(node.where), node.path)


def _at(size: Size, values: Mapping[str, Any]) -> Any:
    """A size at some values; itself where they do not name all its symbols."""
    if not isinstance(size, Dim) or not size.symbols <= values.keys():
        return size
    return size.evaluate(**{name: values[name] for name in size.symbols})


def _element(value: Any, index: int, shape: tuple[int, ...]) -> Any:
    import numpy

    if not hasattr(value, "dtype"):
        return value
    element = numpy.broadcast_to(value, shape).flat[index]
    return element.item() if hasattr(element, "dtype") else element
