"""Initial weights: by the rules of the papers, the same on every machine."""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING, Any

from convcalc.graph import Graph, Node

if TYPE_CHECKING:
    from numpy.typing import NDArray

_RECTIFIERS = ("relu", "relu6", "leaky_relu", "prelu", "elu", "gelu", "silu", "hard_swish", "mish")
_PASSING = ("batch_norm", "group_norm", "layer_norm", "instance_norm", "identity", "dropout", "add")


def initial_weights(graph: Graph, seed: int = 0, dtype: str = "float32") -> dict[str, NDArray[Any]]:
    """Random weights for every layer of a network, by their paths.

    Weights of convolutions and linear layers are uniform with the variance 2/fan_in where a
    rectifier follows (He, Zhang, Ren, Sun 2015, arXiv:1502.01852, equation 10), else
    2/(fan_in + fan_out) (Glorot and Bengio 2010, equation 16); biases and running means are 0,
    the scales of norms and running variances 1.

    Each array is drawn from a stream of its own, that of the seed and its path: a layer more does
    not change the others, and the numbers are the same on every machine.
    """
    import numpy

    readers = _readers(graph)
    found: dict[str, NDArray[Any]] = {}
    for node in graph.nodes:
        if node.owner is not node:
            continue
        for name, weight in node.op.layer.weights(*node.op.inputs).items():
            path = f"{node.path}.{name}"
            shape: Any = weight.shape
            if node.op.cost.macs == 0 or len(shape) < 2:
                found[path] = numpy.full(shape, _constant(node, name), dtype)
                continue
            fan_in, fan_out = _fans(node, shape)
            variance = 2 / (fan_in if _is_rectified(node, readers) else fan_in + fan_out)
            digest = hashlib.sha256(path.encode()).digest()
            stream = numpy.random.PCG64([seed, *digest])
            numbers = numpy.random.Generator(stream).random(shape)
            numbers *= 2
            numbers -= 1
            numbers *= math.sqrt(3 * variance)
            found[path] = numbers.astype(dtype)
    return found


def random_inputs(graph: Graph, seed: int = 0) -> dict[str, NDArray[Any]]:
    """Numbers between −1 and 1 for every input of a network, in float32, by its path."""
    import numpy

    rng = numpy.random.Generator(numpy.random.PCG64(seed))
    return {
        node.path: (2 * rng.random(node.shape) - 1).astype("float32")  # type: ignore[arg-type]
        for node in graph.inputs
    }


def _constant(node: Node, name: str) -> float:
    if node.kind == "prelu":
        return 0.25  # He, Zhang, Ren, Sun 2015, section 2.1
    return 1.0 if name in ("weight", "running_var") and node.op.cost.macs == 0 else 0.0


def _readers(graph: Graph) -> dict[Node, Node]:
    """The first reader of every tensor."""
    return {source: node for node in reversed(graph.nodes) for source in node.inputs}


def _fans(node: Node, shape: tuple[int, ...]) -> tuple[int, int]:
    """The numbers of inputs of one output, and of outputs of one input."""
    taps = math.prod(shape[2:])
    first, second = shape[0] * taps, shape[1] * taps
    # a transposed convolution's weight has the input channels first
    return (first, second) if node.kind == "conv_transpose" else (second, first)


def _is_rectified(node: Node, readers: dict[Node, Node]) -> bool:
    """Whether the next layer that is more than a norm or a sum is a rectifier."""
    following = readers.get(node)
    while following is not None and following.kind in _PASSING:
        following = readers.get(following)
    return following is not None and following.kind in _RECTIFIERS
