"""Which layers run as one: a convolution with its norm, its residual and its activation.

A depthwise convolution also takes in the 1×1 convolution in front of it. What is fused passes
through the cache once, and its intermediate tensors take no memory.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from convcalc.graph import Graph, Node
from convcalc.layers.activation import Activation
from convcalc.layers.merge import ElementwiseMerge

_PRODUCTS = ("conv", "depthwise_conv", "linear")
_PASSING = ("identity", "dropout")


@dataclass(eq=False)
class Step:
    """One step of a plan: a layer, and those that run with it.

    Attributes:
        node: the layer that is computed.
        nodes: with those that run with it, in running order; the tensor of the last is written.
        before: a batch norm in front of it, whose ReLU follows, computed as the input is read.
        expansion: a step in front of a depthwise convolution, whose output is made block by block.
        norm: a batch norm behind it, folded into its weights.
        residual: the tensor that is then added.
        activation: what is applied in the end.
    """

    node: Node
    nodes: list[Node]
    before: Node | None = None
    expansion: Step | None = None
    norm: Node | None = None
    residual: Node | None = None
    activation: Activation | None = None

    @property
    def sources(self) -> tuple[Node, ...]:
        """The tensors that its first layer reads."""
        return self.nodes[0].inputs

    @property
    def reads(self) -> tuple[Node, ...]:
        """All tensors that it reads."""
        return self.sources if self.residual is None else (*self.sources, self.residual)

    @property
    def output(self) -> Node:
        """The node whose tensor it writes."""
        return self.nodes[-1]


def steps(graph: Graph) -> list[Step]:
    """The steps of a network, in running order."""
    return list(_Fusion(graph).steps())


class _Fusion:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.reads = Counter(source for node in graph.nodes for source in node.inputs)
        self.reads.update(graph.outputs)
        self.reader = {source: node for node in graph.nodes for source in node.inputs}
        self.order = {node: i for i, node in enumerate((*graph.inputs, *graph.nodes))}

    def steps(self) -> Any:
        taken: set[Node] = set()
        for node in self.graph.nodes:
            if node not in taken:
                step = Step(node, [node])
                self._look_ahead(step)
                self._extend(step)
                step = self._filtered(step)
                taken.update(step.nodes)
                yield step

    def _follower(self, node: Node) -> Node | None:
        """The only reader of a tensor, if nothing else needs it."""
        return self.reader.get(node) if self.reads[node] == 1 else None

    def _look_ahead(self, step: Step) -> None:
        """A batch norm and a ReLU before a 1×1 convolution become part of it."""
        relu = self._follower(step.node)
        if step.node.kind != "batch_norm" or relu is None or relu.kind != "relu":
            return
        product = self._follower(relu)
        if product is not None and product.kind == "conv" and _reads_single_positions(product):
            step.before, step.node = step.node, product
            step.nodes += [relu, product]

    def _extend(self, step: Step) -> None:
        """Take in what follows, as long as nothing else reads what lies between."""
        is_product = step.node.kind in _PRODUCTS
        is_activated = (
            is_product
            or step.node.kind == "batch_norm"
            or isinstance(step.node.op.layer, ElementwiseMerge)
        )
        while (node := self._follower(step.output)) is not None:
            if node.kind in _PASSING:
                pass
            elif step.activation is not None:
                return
            elif is_product and node.kind == "batch_norm" and self._takes_norm(step):
                step.norm = node
            elif is_product and node.kind == "add" and self._takes_residual(step, node):
                (step.residual,) = (s for s in node.inputs if s is not step.output)
            elif is_activated and isinstance(node.op.layer, Activation) and node.kind != "prelu":
                step.activation = node.op.layer
            else:
                return
            step.nodes.append(node)

    def _filtered(self, step: Step) -> Step:
        """A 1×1 convolution with the depthwise one that alone reads it, as in MobileNetV2."""
        node = self._follower(step.output)
        if (
            node is None
            or node.kind not in ("conv", "depthwise_conv")
            or step.node.kind != "conv"
            or step.before is not None
            or step.residual is not None
            or not _reads_single_positions(step.node)
            or not _is_depthwise(node)
        ):
            return step
        both = Step(node, [*step.nodes, node], expansion=step)
        self._extend(both)
        return both

    def _takes_norm(self, step: Step) -> bool:
        # a linear layer of more axes has its features last, and a norm its channels second
        channels_second = step.node.kind != "linear" or len(step.node.shape) == 2
        return step.norm is None and step.residual is None and channels_second

    def _takes_residual(self, step: Step, add: Node) -> bool:
        others = [source for source in add.inputs if source is not step.output]
        return (
            step.residual is None
            and len(add.inputs) == 2
            and len(others) == 1
            and others[0].shape == add.shape == step.output.shape
            and self.order[others[0]] < self.order[step.nodes[0]]
        )


def _reads_single_positions(node: Node) -> bool:
    """Whether a convolution has a kernel of 1, no stride, no padding and no groups."""
    layer: Any = node.op.layer
    return (
        len(node.shape) < 5
        and layer.groups == 1
        and all(
            (w.kernel, w.stride, w.before, w.after) == (1, 1, 0, 0)
            for w in layer.window(node.op.inputs[0])
        )
    )


def _is_depthwise(node: Node) -> bool:
    """Whether a convolution has a filter for every channel, over one or two axes."""
    (conv,) = node.op.layer.parts(node.op.inputs[0])
    channels = node.op.inputs[0][1]
    return len(node.shape) < 5 and conv.groups == channels == node.shape[1] > 1  # type: ignore[attr-defined]
