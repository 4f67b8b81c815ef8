"""The smallest input that a network accepts, from the requirements that its layers make."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from convcalc.dim import Dim
from convcalc.layer import Requirement

_LARGEST = 2**24
_SCANNED = 1_000


class Limits(NamedTuple):
    """The least value of each symbol, and the conditions that a least value does not say.

    `smallest` maps symbols to the least value at which every requirement on it alone holds; a
    symbol is absent where none was found. `conditions` are equalities (2·⌊H/2⌋ = H), and
    requirements on several symbols together.
    """

    smallest: dict[str, int]
    conditions: tuple[Requirement, ...]

    @property
    def bounds(self) -> list[str]:
        """The least values above 1, as H ≥ 63."""
        return [f"{name} ≥ {value}" for name, value in self.smallest.items() if value > 1]

    def __str__(self) -> str:
        return ", ".join([*self.bounds, *map(str, self.conditions)])


def limits(requirements: Iterable[Requirement], names: Iterable[str]) -> Limits:
    """The limits of the symbols `names` under some requirements."""
    alone: dict[str, list[Requirement]] = {name: [] for name in names}
    conditions = []
    for requirement in requirements:
        free = symbols_of(requirement)
        if len(free) == 1 and next(iter(free)) in alone:
            alone[next(iter(free))].append(requirement)
        if len(free) > 1 or requirement.relation == "==":
            conditions.append(requirement)
    found = {name: _least(name, own) for name, own in alone.items()}
    return Limits({n: v for n, v in found.items() if v is not None}, tuple(conditions))


def symbols_of(requirement: Requirement) -> frozenset[str]:
    """The symbols that a requirement depends on."""
    sides = (requirement.left, requirement.right)
    return frozenset(name for side in sides if isinstance(side, Dim) for name in side.symbols)


def holds_at(requirement: Requirement, values: Mapping[str, int]) -> bool:
    """Whether a requirement holds at some values of all its symbols."""
    left, right = (
        side.evaluate(**{name: values[name] for name in side.symbols})
        if isinstance(side, Dim)
        else side
        for side in (requirement.left, requirement.right)
    )
    return bool(left >= right if requirement.relation == ">=" else left == right)


def _least(name: str, requirements: list[Requirement]) -> int | None:
    """The least value at which all hold: bisection where more is always better, else a scan."""
    start = 1
    for requirement in requirements:
        if requirement.relation == ">=":
            low, high = 0, 1
            while not holds_at(requirement, {name: high}):
                low, high = high, 2 * high
                if high > _LARGEST:
                    return None
            while high - low > 1:
                middle = (low + high) // 2
                if holds_at(requirement, {name: middle}):
                    high = middle
                else:
                    low = middle
            start = max(start, high)
    for value in range(start, start + _SCANNED):
        if all(holds_at(requirement, {name: value}) for requirement in requirements):
            return value
    return None
