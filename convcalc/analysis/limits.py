"""The smallest input that a network accepts, from the requirements that its layers make."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import NamedTuple

from convcalc.analysis.exact_sizes import Congruence, ExactSizes, exact_sizes
from convcalc.dim import Dim, never_falls, period, symbols
from convcalc.fields import MAX_SIZE
from convcalc.graph import Graph, Node
from convcalc.layer import Requirement

_SCANNED = 4_096
"""Values looked at one by one where a requirement can fail again further up."""

Demand = tuple[Node, Requirement]
"""A requirement and the node that makes it."""


class Limits(NamedTuple):
    """The least value of each symbol, and the conditions that a least value does not say.

    `smallest` maps symbols to the least value at which every requirement on it alone holds; a
    symbol is absent where none was found, and where it is one of the `multipliers`, which may be
    any fraction above 0 at which the conditions hold. `set_by` names for a least value above 1 the
    first layer that refuses one less, with its requirement.

    `multiples` says which numbers a symbol must be, as 8 divides H, where its equalities come to
    that, and `demanded_by` which layers make them. `conditions` are all other equalities, and
    requirements on several symbols together; `makers` the nodes that make them.

    Of a network, `together` gives several spatial symbols of the input one value, the least at
    which everything holds (empty where none was found), and `exact` says where no layer rounds
    (None where no value was found for some symbol). Its structure is that at the decisions
    `assumed`, sizes on whose being 0 it depends.
    """

    smallest: dict[str, int]
    conditions: tuple[Requirement, ...]
    makers: tuple[Node, ...] = ()
    set_by: dict[str, Demand] = {}  # noqa: RUF012
    multiples: dict[str, Congruence] = {}  # noqa: RUF012
    demanded_by: dict[str, tuple[Node, ...]] = {}  # noqa: RUF012
    together: dict[str, int] = {}  # noqa: RUF012
    exact: ExactSizes | None = None
    multipliers: tuple[str, ...] = ()
    assumed: dict[Dim, bool] = {}  # noqa: RUF012

    @property
    def bounds(self) -> list[str]:
        """The least values above 1, as H ≥ 63."""
        return [f"{name} ≥ {value}" for name, value in self.smallest.items() if value > 1]

    @property
    def needs(self) -> list[str]:
        """What a least value does not say, as 8 divides H."""
        return [
            *(congruence.condition(name) for name, congruence in self.multiples.items()),
            *map(str, self.conditions),
        ]

    def __str__(self) -> str:
        return ", ".join([*self.bounds, *self.needs]) or "none: it accepts inputs of every size"


def limits(
    demands: Iterable[Demand], names: Iterable[str], multipliers: Collection[str] = ()
) -> Limits:
    """The limits of the symbols `names` under the requirements that nodes make."""
    names = tuple(names)
    alone: dict[str, list[Demand]] = {name: [] for name in names if name not in multipliers}
    conditions = []
    for node, requirement in demands:
        free = symbols_of(requirement)
        if len(free) == 1 and next(iter(free)) in alone:
            alone[next(iter(free))].append((node, requirement))
        if len(free) > 1 or requirement.relation == "==" or not free.isdisjoint(multipliers):
            conditions.append((node, requirement))
    found = Limits({}, (), (), {}, {}, {})
    for name, own in alone.items():
        least = least_value([requirement for _, requirement in own], [name])
        if least is None:
            continue
        found.smallest[name] = least
        below = {name: least - 1}
        if least > 1:
            found.set_by[name] = next(demand for demand in own if not holds_at(demand[1], below))
        congruence, makers, said = _as_congruence(own, name, least)
        conditions = [demand for demand in conditions if demand not in said]
        if congruence.modulus > 1:
            found.multiples[name], found.demanded_by[name] = congruence, makers
    return found._replace(
        conditions=tuple(requirement for _, requirement in conditions),
        makers=tuple(node for node, _ in conditions),
        multipliers=tuple(name for name in names if name in multipliers),
    )


def _as_congruence(
    demands: Iterable[Demand], name: str, least: int
) -> tuple[Congruence, tuple[Node, ...], list[Demand]]:
    """The congruence that the equalities on one symbol come to, their nodes, and those it says.

    Where both sides grow alike, whether an equality holds is periodic: all residues of a common
    period are looked at. The congruence is the narrowest around those that hold; an equality that
    holds on all of it is said by it.
    """
    length = 1
    periodic = []
    for node, requirement in demands:
        found = period(requirement.left - requirement.right)
        if requirement.relation != "==" or found is None or found[1] != 0:
            continue
        if math.lcm(length, found[0]) <= _SCANNED:
            length = math.lcm(length, found[0])
            periodic.append((node, requirement))
    values = range(least, least + length)
    holding = [{v for v in values if holds_at(r, {name: v})} for _, r in periodic]
    together = set(values).intersection(*holding)
    modulus = math.gcd(length, *(value - least for value in together))
    members = set(range(least, least + length, modulus))
    said = [demand for demand, own in zip(periodic, holding, strict=True) if members <= own]
    nodes = tuple(dict.fromkeys(node for node, _ in periodic))
    return Congruence(modulus, least % modulus), nodes, said


def network_limits(graph: Graph, names: Iterable[str]) -> Limits:
    """The limits of the symbols `names` of a symbolic graph, and where its layers do not round."""
    names = tuple(names)
    demands = distinct(graph.undecided)
    found = limits(demands, names, graph.multipliers)
    sides = {name for node in graph.inputs for size in node.shape[2:] for name in symbols(size)}
    joined = [name for name in found.smallest if name in sides]
    together: dict[str, int] = {}
    if len(joined) > 1:
        known = {*joined, "N"} & found.smallest.keys()
        joint = [requirement for _, requirement in demands if symbols_of(requirement) <= known]
        least = least_value(joint, joined, batch=found.smallest.get("N", 1))
        together = dict.fromkeys(joined, least) if least is not None else {}
    exact = None
    if all(name in found.smallest for name in names if name not in found.multipliers):
        exact = exact_sizes(graph, found.smallest)
    return found._replace(together=together, exact=exact, assumed=graph.decisions)


def distinct(demands: Iterable[Demand]) -> list[Demand]:
    """The requirements without repeats, each with the first node that makes it."""
    seen: dict[tuple[object, ...], Demand] = {}
    for node, requirement in demands:
        key = (requirement.left, requirement.relation, requirement.right)
        seen.setdefault(key, (node, requirement))
    return list(seen.values())


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


def goes_on(requirement: Requirement) -> bool:
    """Whether a requirement that holds somewhere holds wherever its symbols are larger."""
    slack = requirement.left - requirement.right
    return requirement.relation == ">=" and never_falls(slack)


def least_value(
    requirements: Iterable[Requirement], names: Iterable[str], batch: int = 1
) -> int | None:
    """The least value of some symbols, the same for all, at which requirements hold.

    Those that hold further up once they hold are met by bisection; from there on values are looked
    at one by one, some thousands of them. None where none is found.
    """
    names = tuple(names)

    def holds(requirement: Requirement, value: int) -> bool:
        return holds_at(requirement, {"N": batch, **dict.fromkeys(names, value)})

    lasting: list[Requirement] = []
    open_ones: list[Requirement] = []
    for requirement in requirements:
        (lasting if goes_on(requirement) else open_ones).append(requirement)
    start = 1
    for requirement in lasting:
        if not holds(requirement, start):
            found = first(lambda value, r=requirement: holds(r, value), start)  # type: ignore[misc]
            if found is None:
                return None
            start = found
    if not open_ones:
        return start
    values = range(start, start + _SCANNED)
    return next((v for v in values if all(holds(r, v) for r in open_ones)), None)


def first(holds: Callable[[int], bool], low: int) -> int | None:
    """The first value above `low` at which something holds that then holds on, and not at `low`."""
    step = 1
    while not holds(min(low + step, MAX_SIZE)):
        if low + step >= MAX_SIZE:
            return None
        low, step = low + step, 2 * step
    high = min(low + step, MAX_SIZE)
    while high - low > 1:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle
    return high
