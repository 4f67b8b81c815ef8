"""Memory of the activations: what all outputs take, and what is alive at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from convcalc import arith
from convcalc.dim import Dim, Size, equal
from convcalc.errors import UndecidableError
from convcalc.graph import Graph, Node

BYTES = {"float32": 4, "float64": 8, "float16": 2, "bfloat16": 2, "int8": 1}
"""Bytes of one value, by dtype."""


class Peak(NamedTuple):
    """The largest number of values alive at once, at which step, and whose they are."""

    values: Size
    node: Node | None
    alive: tuple[Node, ...]


class Step(NamedTuple):
    """The values held while a layer runs, or an input is there: its output, what it reads, more.

    `values` is all that is held. `written` is the output; `read` are those of the inputs that it
    is not written over. What is left over is kept for later layers.
    """

    node: Node
    values: Size
    written: Size
    read: Size


def activation_values(nodes: Iterable[Node]) -> Size:
    """The values of those inputs and outputs that have storage of their own."""
    total: Any = 0
    for node in nodes:
        if node.operation is None or not node.op.layer.shares_storage:
            total = total + arith.product(node.shape)
    return total  # type: ignore[no-any-return]


def peak(graph: Graph) -> Peak:
    """The peak while the layers run in order.

    An operation's inputs and output are alive together; a tensor is freed after its last reader;
    the outputs of the network stay. A view (flatten, dropout at inference …) takes no storage, and
    an element-wise layer writes into an input of its size that dies with it. Where sizes are
    symbolic, the peak is the maximum over all steps, `node` is None and nobody is named.
    """
    return _Liveness(graph).peak()


def held_values(graph: Graph) -> list[Size]:
    """The values alive at each step, without repeats; the peak is the largest of them.

    Raises:
        UndecidableError: what can be written over what depends on symbols.
    """
    return list(dict.fromkeys(held for held, *_ in _Liveness(graph)._steps()))


def timeline(graph: Graph) -> list[Step]:
    """What is held at each step, the inputs first; views are no steps. The peak is the largest.

    Raises:
        UndecidableError: what can be written over what depends on symbols.
    """
    return _Liveness(graph).timeline()


class _Liveness:
    """Who holds which storage, and until when. A storage is known by the node that opened it."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.order = {node: i for i, node in enumerate((*graph.inputs, *graph.nodes))}
        self.base = {node: self._base(node) for node in self.order}
        self.last_use = self._last_uses()

    def _base(self, node: Node) -> Node:
        """The node whose tensor this is a view of: itself, unless it is a view."""
        while node.operation is not None and node.op.layer.is_view:
            node = node.inputs[0]
        return node

    def _last_uses(self) -> dict[Node, int]:
        """The step that reads a tensor, or a view of it, for the last time."""
        last = {base: self.order[base] for base in self.base.values()}
        for node, step in self.order.items():
            for source in node.inputs:
                base = self.base[source]
                last[base] = max(last[base], step)
        for node in self.graph.outputs:
            last[self.base[node]] = len(self.order)
        return last

    def peak(self) -> Peak:
        steps = [(held, node) for held, node, *_ in self._steps()]
        if any(isinstance(held, Dim) for held, _ in steps):
            return Peak(arith.maximum(*dict.fromkeys(held for held, _ in steps)), None, ())
        most, highest = max(steps, key=lambda step: step[0])
        alive = next(tuple(now.values()) for _, node, now, _ in self._steps() if node is highest)
        return Peak(most, highest, alive)

    def timeline(self) -> list[Step]:
        found = []
        for held, node, _, sources in self._steps():
            read: Any = sum(arith.product(source.shape) for source in sources)
            found.append(Step(node, held, arith.product(node.shape), read))
        return found

    def _steps(self) -> Iterator[tuple[Any, Node, dict[Node, Node], list[Node]]]:
        """For every step the values held, the node, and the tensor in each open storage.

        Last, the tensors that it reads and does not write over.
        """
        holder: dict[Node, Node] = {}
        alive: dict[Node, Node] = {}
        held: Any = 0
        for node, step in self.order.items():
            if self.base[node] is not node:
                continue
            reused = self._reused(node, step)
            holder[node] = node if reused is None else holder[reused]
            if reused is None:
                held = held + arith.product(node.shape)
            alive[holder[node]] = node
            read = {self.base[source] for source in node.inputs}
            sources = [source for source in read if alive.get(holder[source]) is source]
            yield held, node, alive, sources
            for source in sources:
                if self.last_use[source] == step:
                    del alive[holder[source]]
                    held = held - arith.product(holder[source].shape)

    def _reused(self, node: Node, step: int) -> Node | None:
        """The input that dies with the node and whose storage it can write into."""
        if node.operation is None or not node.op.layer.is_elementwise:
            return None
        for source in node.inputs:
            base = self.base[source]
            if self.last_use[base] == step:
                same = equal(arith.product(base.shape), arith.product(node.shape))
                if same is None:
                    raise UndecidableError(
                        f"whether {node.path} can be written over {base.path} depends on symbols",
                        hint="Give them numbers.",
                    )
                if same:
                    return base
        return None
