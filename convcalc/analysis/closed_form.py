"""Closed forms of a network's totals, with the inputs for which they hold."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from convcalc.analysis.limits import Limits, limits, symbols_of
from convcalc.dim import Dim, Size
from convcalc.errors import ConvcalcError, ShapeError, did_you_mean
from convcalc.graph import Graph, Node
from convcalc.layer import Requirement
from convcalc.notation import Notation


class Formula(Dim):
    """A closed form that knows its domain: a Dim, also where it is constant.

    `names` are the names left free; `requirements` the conditions on them without which the
    network does not fit together, each with the node that makes it.
    """

    __slots__ = ("names", "requirements")

    def __init__(
        self, value: Size, names: Iterable[str], requirements: Iterable[tuple[Node, Requirement]]
    ) -> None:
        super().__init__(value.terms if isinstance(value, Dim) else {(): value} if value else {})
        self.names = tuple(names)
        self.requirements = tuple(requirements)

    @property
    def value(self) -> Size:
        """The same without its domain: an int where it is constant."""
        plain: Size = Dim(self.terms) + 0 if self.symbols else self.terms.get((), 0)  # type: ignore[assignment]
        return plain

    @property
    def limits(self) -> Limits:
        """The least values of its names, and other conditions on them."""
        return limits((requirement for _, requirement in self.requirements), self.names)

    def __eq__(self, other: object) -> bool:
        return bool(self.value == (other.value if isinstance(other, Formula) else other))

    def __hash__(self) -> int:
        return hash(self.value)

    def write(self, notation: Notation) -> str:
        """Write it; a constant, 0 too, is a number."""
        value = self.value
        return super().write(notation) if isinstance(value, Dim) else notation.number(value)

    def evaluate(self, /, **values: Any) -> Any:
        """Its value with numbers, or NumPy integer arrays that broadcast, for its names.

        Raises:
            ConvcalcError: a name has no value, or is none of its names, or is below 1.
            ShapeError: the network does not fit together at these values, with the layer.
        """
        self._check_values(values)
        for node, requirement in self.requirements:
            if not symbols_of(requirement) <= values.keys():
                continue  # a constant is asked for without sizes
            left, right = (_at(side, values) for side in (requirement.left, requirement.right))
            if isinstance(left, Dim) or isinstance(right, Dim):
                continue
            holds = left >= right if requirement.relation == ">=" else left == right
            if not _everywhere(holds):
                given = ", ".join(f"{name} = {_shown(value)}" for name, value in values.items())
                raise ShapeError(
                    f"{requirement.fact()}, at {given}", hint=requirement.hint
                ).located(str(node.where), node.path)
        return _at(self.value, values)

    def _check_values(self, values: dict[str, Any]) -> None:
        for name, value in values.items():
            if name not in self.names:
                raise ConvcalcError(
                    f"'{name}' is no symbol of this formula (it has: {', '.join(self.names)})",
                    hint=did_you_mean(name, self.names),
                )
            if not isinstance(value, (int, Dim)) and not hasattr(value, "dtype"):
                raise ConvcalcError(f"{name}: a number or an integer array is due, not {value!r}")
            if not isinstance(value, Dim) and not _everywhere(value >= 1):
                raise ConvcalcError(f"{name} = {_shown(value)}: sizes are at least 1")
        missing = [name for name in self.names if name in self.symbols and name not in values]
        if missing:
            raise ConvcalcError(f"no value for {', '.join(missing)} in {self}")


def closed_form(graph: Graph, value: Size, names: Iterable[str]) -> Formula:
    """The closed form `value` of a graph in the symbols `names`, with its domain."""
    distinct = {(r.left, r.relation, r.right): (node, r) for node, r in reversed(graph.undecided)}
    return Formula(value, names, reversed(distinct.values()))


def _at(size: Size, values: dict[str, Any]) -> Any:
    if not isinstance(size, Dim):
        return size
    return size.evaluate(**{name: values[name] for name in size.symbols})


def _everywhere(condition: Any) -> bool:
    return bool(condition.all()) if hasattr(condition, "all") else bool(condition)


def _shown(value: Any) -> str:
    return str(value) if not hasattr(value, "dtype") or value.size < 6 else "some element"
