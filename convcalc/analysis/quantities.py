"""The quantities that are counted, each defined once, and their totals over a graph."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from convcalc import arith
from convcalc.analysis.memory import BYTES, activation_values, peak
from convcalc.dim import Size
from convcalc.errors import UndecidableError, UsageError, did_you_mean, shorten
from convcalc.graph import Graph, Node, Operation


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
    "macs_nonpad": Quantity(
        lambda op: op.macs_nonpad, False, "macs without the products with a padded zero"
    ),
    "flops": Quantity(lambda op: op.cost.flops, False, "2·macs"),
    "multiplies": Quantity(lambda op: op.cost.multiplies, False, "multiplications of all layers"),
    "adds": Quantity(lambda op: op.cost.adds, False, "additions and subtractions of all layers"),
    "compares": Quantity(lambda op: op.cost.compares, False, "comparisons of all layers"),
    "divides": Quantity(lambda op: op.cost.divides, False, "divisions of all layers"),
    "exps": Quantity(
        lambda op: op.cost.exps, False, "exp, log, tanh, erf, powers and roots of all layers"
    ),
}

COLUMNS: dict[str, Quantity] = {
    **QUANTITIES,
    "params_no_bias": Quantity(lambda op: op.params - op.biases, True, "params without biases"),
    "values": Quantity(
        lambda op: 0 if op.layer.shares_storage else arith.product(op.output_shape),
        False,
        "values of the outputs that have storage of their own",
    ),
}
"""What a table may count for every layer: the quantities, and others for its columns alone."""

MEMORY = ("param_bytes", "activation_bytes", "peak_activation_bytes")
"""Totals in bytes; they depend on the dtype."""

TOTALS = (*QUANTITIES, *MEMORY)

ALIASES = {"peak_bytes": "peak_activation_bytes"}
"""Short names of totals."""


def quantity(name: str) -> str:
    """The name of a total, given that or a short one.

    Raises:
        UsageError: there is no such total.
    """
    name = ALIASES.get(name, name)
    if name not in TOTALS:
        hint = did_you_mean(name, TOTALS) or f"There are {', '.join(TOTALS)}."
        raise UsageError(f"unknown quantity '{shorten(name)}'", hint=hint)
    return name


class Totals(NamedTuple):
    """The sums over all layers, and the memory; ints, or Dims where the network is symbolic.

    `activation_bytes` are the inputs and every output that has storage of its own;
    `peak_activation_bytes` the most that is alive at once while the layers run in order.
    """

    params: Size
    buffers: Size
    macs: Size
    macs_nonpad: Size
    flops: Size
    multiplies: Size
    adds: Size
    compares: Size
    divides: Size
    exps: Size
    param_bytes: Size
    activation_bytes: Size
    peak_activation_bytes: Size | None
    """None where the order of too many symbolic sizes is open."""


def total(
    of: str, graph: Graph, dtype: str = "float32", nodes: Sequence[Node] | None = None
) -> Size:
    """One total over a graph, or over some of its nodes; of a table's counts too.

    Raises:
        UsageError: the peak is asked for of some nodes.
    """
    if of == "activation_bytes":
        held = (*graph.inputs, *graph.nodes) if nodes is None else nodes
        return BYTES[dtype] * activation_values(held)
    if of == "peak_activation_bytes":
        if nodes is not None:
            raise UsageError(
                "peak_activation_bytes is of the whole network, not of a layer",
                hint="activation_bytes is what a layer's own output takes.",
            )
        return BYTES[dtype] * peak(graph).values
    counted = _counted(graph.nodes if nodes is None else nodes)
    if of == "param_bytes":
        return BYTES[dtype] * _sum(QUANTITIES["params"], counted)
    return _sum(COLUMNS[of], counted)


def column_total(of: str, graph: Graph) -> Size:
    """The sum of what a table counts, over all layers; the values of the inputs are among it."""
    inputs = activation_values(graph.inputs) if of == "values" else 0
    return _sum(COLUMNS[of], _counted(graph.nodes)) + inputs


def totals(graph: Graph, dtype: str = "float32") -> Totals:
    """All totals over a graph, bytes for one dtype."""
    counted = _counted(graph.nodes)
    sums = {name: _sum(quantity, counted) for name, quantity in QUANTITIES.items()}
    return Totals(
        **sums,
        param_bytes=BYTES[dtype] * sums["params"],
        activation_bytes=BYTES[dtype] * activation_values((*graph.inputs, *graph.nodes)),
        peak_activation_bytes=_peak_bytes(graph, dtype),
    )


def _peak_bytes(graph: Graph, dtype: str) -> Size | None:
    try:
        return BYTES[dtype] * peak(graph).values
    except UndecidableError:
        return None


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
