"""What a run needs of memory, and whether it is there."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from convcalc import arith
from convcalc.analysis.memory import peak
from convcalc.errors import ConvcalcError
from convcalc.execution.backends import SMALLER, Backend, available_bytes
from convcalc.execution.executor import steps, weight_shapes
from convcalc.execution.kernels.depthwise import ROW
from convcalc.execution.kernels.im2col import PIXELS
from convcalc.execution.kernels.lowering import has_kernel
from convcalc.execution.kernels.recording import SCRATCH_BYTES
from convcalc.execution.numbers import FLOATS
from convcalc.graph import Graph, Operation
from convcalc.layer import Layer

DRAWN_BYTES = 8
"""Of a random number on its way to a weight."""


class Needs(NamedTuple):
    """The bytes that a run needs, about, by what they are for."""

    weights: int
    activations: int
    scratch: int
    drawn: int
    """Random numbers that become the largest weight; gone before a layer runs."""

    @property
    def total(self) -> int:
        """The most that there are at once."""
        return self.weights + max(self.activations + self.scratch, self.drawn)


def needs(
    graph: Graph, dtype: str, device: Backend, given: Mapping[str, Any] | None = None
) -> Needs:
    """What a run by the plain references needs of memory, beside the arrays that are given.

    Args:
        graph: the network, with numbers for all sizes.
        dtype: the type that it is run in.
        device: where it is run.
        given: arrays of weights by their paths; without any, random ones are drawn.
    """
    sizes = {path: math.prod(shape) for path, shape in weight_shapes(graph).items()}
    taken = {} if given is None else given
    due = [size for path, size in sizes.items() if not _there(taken.get(path), dtype, device)]
    inputs: Any = sum(arith.product(node.shape) for node in graph.inputs)
    values: Any = peak(graph).values
    return Needs(
        weights=FLOATS[dtype] * sum(due),
        activations=FLOATS[dtype] * (values + inputs),
        scratch=max((scratch_bytes(node.op, dtype) for node in graph.nodes), default=0),
        drawn=DRAWN_BYTES * max(due, default=0) if given is None else 0,
    )


def planned_needs(
    graph: Graph,
    dtype: str,
    device: Backend,
    given: Mapping[str, Any] | None = None,
    workers: int = 1,
) -> Needs:
    """What a plan of a network needs at most, about; see `needs` for the arguments.

    Weights are held once more as kernels want them: those of 3×3 convolutions transformed, four
    times as many. Kernels work on blocks; layers without one need what their references do.
    """
    plainly = needs(graph, dtype, device, given)
    prepared, scratch = 0, workers * SCRATCH_BYTES
    for node in graph.nodes:
        if node.kind in ("conv", "depthwise_conv"):
            values = weight_values(node.op)
            if node.owner is node:
                prepared += values * (_TRANSFORMED if _is_3x3(node.op) else 1)
            channels: Any = node.shape[1]
            gathered = PIXELS * (values // channels + 2 * channels)
            scratch = max(scratch, workers * 3 * FLOATS[dtype] * gathered)
            (conv,) = node.op.layer.parts(*node.op.inputs)
            if conv.groups == node.op.inputs[0][1]:  # type: ignore[attr-defined]
                prepared += values // channels * ROW
        if device.cache_values is None or not has_kernel(node):
            scratch = max(scratch, scratch_bytes(node.op, dtype))
    return plainly._replace(
        weights=plainly.weights + FLOATS[dtype] * prepared,
        activations=int(_GAPS * plainly.activations),
        scratch=scratch,
    )


_GAPS = 1.1
_TRANSFORMED = 4


def _is_3x3(operation: Operation) -> bool:
    weights = operation.layer.weights(*operation.inputs).values()
    return any(weight.shape[2:] == (3, 3) for weight in weights)


def check_memory(
    what: str, due: Needs, device: Backend, given: Mapping[str, Any] | None = None
) -> None:
    """Raise unless a run finds its memory; called before any is taken.

    Args:
        what: the name of the run in the error.
        due: what it needs.
        device: where it is run.
        given: weights, if any are.

    Raises:
        ConvcalcError: there is less than the run needs, about.
    """
    _check(what, due, device.free_bytes())
    if given is None:  # random weights are drawn on the host
        _check(what, due._replace(activations=0, scratch=0), available_bytes())


def _check(what: str, due: Needs, free: int | None) -> None:
    if free is not None and due.total > free:
        running = {"activations": due.activations, "scratch": due.scratch}
        largest = {"numbers to draw": due.drawn} if due.drawn > sum(running.values()) else running
        parts = {"weights": due.weights, **largest}
        told = ", ".join(f"{name} {size / 1e9:,.2f}" for name, size in parts.items() if size)
        raise ConvcalcError(
            f"{what}: it needs about {due.total / 1e9:,.2f} GB of memory ({told}), and "
            f"{free / 1e9:,.2f} GB are free",
            hint=SMALLER,
        )


def _there(array: Any, dtype: str, device: Backend) -> bool:
    """Whether a weight is taken as it is."""
    return device.holds(array) and array.dtype.name == dtype


def scratch_bytes(operation: Operation, dtype: str) -> int:
    """What a layer's plain reference holds beside its inputs, weights and output, about.

    The columns of a convolution, one for every position, with as many values as there are products
    for one of its output channels, and its padded input; some arrays of the size of the output; in
    float16 all that the layer sees, once more in float32.
    """
    if operation.layer.is_view:
        return 0
    output: Any = arith.product(operation.output_shape)
    values = _BETWEEN.get(operation.layer.name, 3) * output
    values += max(_columns(layer, shapes) for layer, shapes in steps(operation))
    if dtype == "float16":
        inputs: Any = sum(arith.product(shape) for shape in operation.inputs)
        values += inputs + output + weight_values(operation)
    return int(values * max(4, FLOATS[dtype]))


_BETWEEN = {"gelu": 9}
"""The arrays of the output's size within a layer where they are more than 3: those of `erf`."""


def weight_values(operation: Operation) -> int:
    """The values of all weights of a layer, shared ones too."""
    weights = operation.layer.weights(*operation.inputs).values()
    return sum(int(arith.product(weight.shape)) for weight in weights)


def _columns(layer: Layer, shapes: tuple[Any, ...]) -> Any:
    """The values of a convolution's columns and input, or of a transposed one's products."""
    if layer.name not in ("conv", "conv_transpose"):
        return 0
    conv: Any = layer
    channels = conv.out_channels if layer.name == "conv" else shapes[0][1]
    return layer.cost(*shapes).macs * conv.groups // channels + arith.product(shapes[0])
