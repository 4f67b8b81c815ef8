"""The smallest input that a network accepts, from the requirements that its layers make."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import NamedTuple

from convcalc.analysis.exact_sizes import ExactSizes, exact_sizes
from convcalc.dim import Dim, never_falls, symbols
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
    symbol is absent where none was found, or where it may be a fraction: those are `multipliers`.
    `conditions` are equalities (2·⌊H/2⌋ = H), and requirements on several symbols together or on
    multipliers, `makers` the nodes that make them. `set_by` names
    for a least value above 1 the first layer that refuses one less, with its requirement.

    Of a network, `together` gives several spatial symbols of the input one value, the least at
    which everything holds (empty where none was found), and `exact` says where no layer rounds
    (None where no value was found for some symbol).
    """

    smallest: dict[str, int]
    conditions: tuple[Requirement, ...]
    makers: tuple[Node, ...] = ()
    set_by: dict[str, Demand] = {}  # noqa: RUF012
    together: dict[str, int] = {}  # noqa: RUF012
    exact: ExactSizes | None = None
    multipliers: tuple[str, ...] = ()

    @property
    def bounds(self) -> list[str]:
        """The least values above 1, as H ≥ 63."""
        return [f"{name} ≥ {value}" for name, value in self.smallest.items() if value > 1]

    def __str__(self) -> str:
        return ", ".join([*self.bounds, *map(str, self.conditions)])


def limits(
    demands: Iterable[Demand], names: Iterable[str], multipliers: Collection[str] = ()
) -> Limits:
    """The limits of the symbols `names` under the requirements that nodes make.

    Those that may be fractions are in `multipliers`.
    """
    names = tuple(names)
    fractions = tuple(name for name in names if name in multipliers)
    alone: dict[str, list[Demand]] = {name: [] for name in names if name not in multipliers}
    conditions = []
    for node, requirement in demands:
        free = symbols_of(requirement)
        if len(free) == 1 and next(iter(free)) in alone:
            alone[next(iter(free))].append((node, requirement))
        if len(free) > 1 or requirement.relation == "==" or free <= {*fractions}:
            conditions.append((node, requirement))
    smallest, set_by = {}, {}
    for name, own in alone.items():
        found = least_value([requirement for _, requirement in own], [name])
        if found is None:
            continue
        smallest[name] = found
        below = {name: found - 1}
        if found > 1:
            set_by[name] = next(demand for demand in own if not holds_at(demand[1], below))
    makers = tuple(node for node, _ in conditions)
    asked = tuple(requirement for _, requirement in conditions)
    return Limits(smallest, asked, makers, set_by, multipliers=fractions)


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
    if {*names} == {*found.smallest, *found.multipliers}:
        exact = exact_sizes(graph, found.smallest)
    return found._replace(together=together, exact=exact)


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
