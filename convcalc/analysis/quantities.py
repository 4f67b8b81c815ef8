"""The quantities that are counted, each defined once, and their totals over a graph."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from convcalc.dim import Size
from convcalc.graph import Graph, Node, Operation

BYTES_PER_PARAMETER = 4
"""float32."""


class Quantity(NamedTuple):
    """Something that is counted for every layer and added up.

    A quantity of the weights counts once for layers that share them: in their owner's row.
    """

    count: Callable[[Operation], Any]
    of_weights: bool
    meaning: str

    def of(self, node: Node) -> Size:
        """The count for one node."""
        if self.of_weights and node.owner is not node:
            return 0
        return self.count(node.op)  # type: ignore[no-any-return]


QUANTITIES: dict[str, Quantity] = {
    "params": Quantity(lambda op: op.params, True, "learnable scalars"),
    "buffers": Quantity(
        lambda op: op.buffers, True, "values kept but not learnt, as running statistics"
    ),
    "macs": Quantity(
        lambda op: op.cost.macs,
        False,
        "multiply–accumulates of convolution and linear layers; no bias, norm or activation",
    ),
    "flops": Quantity(lambda op: op.cost.flops, False, "2·macs"),
    "multiplies": Quantity(lambda op: op.cost.multiplies, False, "multiplications of all layers"),
    "adds": Quantity(lambda op: op.cost.adds, False, "additions and subtractions of all layers"),
    "compares": Quantity(lambda op: op.cost.compares, False, "comparisons of all layers"),
    "divides": Quantity(lambda op: op.cost.divides, False, "divisions of all layers"),
    "exps": Quantity(
        lambda op: op.cost.exps, False, "exp, log, tanh, erf, powers and roots of all layers"
    ),
    "param_bytes": Quantity(
        lambda op: op.params * BYTES_PER_PARAMETER, True, "bytes of the parameters as float32"
    ),
}


class Totals(NamedTuple):
    """The sums over all layers; ints, or Dims where the network is symbolic."""

    params: Size
    buffers: Size
    macs: Size
    flops: Size
    multiplies: Size
    adds: Size
    compares: Size
    divides: Size
    exps: Size
    param_bytes: Size


def total(quantity: str, nodes: Iterable[Node]) -> Size:
    """The sum of one quantity over some nodes."""
    return _sum(QUANTITIES[quantity], _counted(nodes))


def totals(graph: Graph) -> Totals:
    """The sums of all quantities over a graph."""
    counted = _counted(graph.nodes)
    return Totals(**{name: _sum(quantity, counted) for name, quantity in QUANTITIES.items()})


Counted = list[tuple[Operation, bool, int]]


def _counted(nodes: Iterable[Node]) -> Counted:
    """The operations with the number of nodes that run each, owners of weights and others apart."""
    operations: dict[int, Operation] = {}
    counts: Counter[tuple[int, bool]] = Counter()
    for node in nodes:
        operation = node.op
        operations[id(operation)] = operation
        counts[id(operation), node.owner is node] += 1
    return [(operations[key], owned, count) for (key, owned), count in counts.items()]


def _sum(quantity: Quantity, counted: Counted) -> Size:
    result: Any = 0
    for operation, owned, count in counted:
        if owned or not quantity.of_weights:
            result = result + quantity.count(operation) * count
    return result  # type: ignore[no-any-return]
