"""Networks of one layer, for code that runs layers in other ways than `forward`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy
from hypothesis import given, settings
from hypothesis import strategies as st

from convcalc.graph import Graph, Module, Node, Operation
from convcalc.layer import Layer
from convcalc.layers.adaptive_pool import AdaptiveAvgPool, AdaptiveMaxPool
from convcalc.layers.conv import Conv
from convcalc.layers.conv_transpose import ConvTranspose
from convcalc.layers.merge import Add, Concat, Maximum
from convcalc.layers.norm import GroupNorm, InstanceNorm, LayerNorm, LocalResponseNorm, Scale
from convcalc.layers.pool import AvgPool, MaxPool
from convcalc.layers.shuffle import PixelShuffle, PixelUnshuffle
from convcalc.layers.upsample import Upsample

from .test_layer_contract import case_of, operation

Shapes = tuple[Any, ...]

CORNERS: list[tuple[Layer, Shapes]] = [
    (Conv(out_channels=6, kernel=(2, 3), padding=((3, 0), (0, 4)), groups=2), ((2, 4, 5, 6),)),
    (Conv(out_channels=2, kernel=5, padding="same_lower", dilation=2), ((1, 3, 4),)),
    # zeros that the dilation allows and the stride alone would not; cropped, and past the crop
    (ConvTranspose(out_channels=4, kernel=2, dilation=3, output_padding=2, groups=2),
     ((2, 2, 4, 5),)),
    (ConvTranspose(out_channels=4, kernel=2, dilation=4, output_padding=3, padding=2, bias=False),
     ((2, 2, 4, 5),)),
    (ConvTranspose(out_channels=3, kernel=3, stride=2, padding=((0, 2), (1, 0))), ((1, 2, 4, 5),)),
    # padding as wide as a kernel, which its dilation makes wider
    (MaxPool(kernel=2, dilation=3, padding=2, stride=1), ((1, 2, 6, 7),)),
    (MaxPool(kernel=2, dilation=3, padding=2, stride=3, ceil_mode=True), ((1, 2, 6, 7),)),
    (MaxPool(kernel=3, stride=2, ceil_mode=True, padding=((1, 0), (0, 1))), ((1, 2, 7, 8),)),
    (MaxPool(kernel=3, stride=2, padding="same"), ((1, 2, 7, 8, 9),)),
    (AvgPool(kernel=3, stride=2, padding=1, ceil_mode=True), ((1, 2, 6, 8),)),
    (AvgPool(kernel=3, stride=2, padding=((1, 0), (0, 1)), ceil_mode=True), ((1, 2, 7, 8),)),
    (AvgPool(kernel=3, stride=2, padding=((1, 0), (0, 1)), ceil_mode=True,
             count_include_pad=False), ((1, 2, 8, 7),)),
    (AvgPool(kernel=2, padding="same", stride=1, count_include_pad=False), ((1, 2, 3, 4, 5),)),
    (AvgPool(kernel=3, padding=1), ((1, 2, 2, 4, 5),)),
    (AdaptiveAvgPool(size=(3, 7)), ((1, 2, 8, 5),)),
    (AdaptiveMaxPool(size=(3, 7, 1)), ((1, 2, 8, 5, 4),)),
    (AdaptiveMaxPool(size=3), ((1, 2, 4),)),
    (Upsample(size=(12, 4)), ((1, 2, 21, 14),)),  # a rounded ratio would fall short
    (Upsample(size=82), ((1, 1, 2),)),
    (Upsample(scale=(2, 3)), ((2, 3, 4, 5),)),
    *[
        (Upsample(size=6, mode=mode, align_corners=aligned), (shape,))
        for mode in ("linear", "cubic")
        for aligned in (False, True)
        for shape in ((2, 3, 4), (2, 3, 4, 8), (1, 2, 4, 8, 3))
    ],
    (LocalResponseNorm(size=4, alpha=2), ((2, 5, 3, 4),)),
    (LocalResponseNorm(size=3, alpha=2), ((2, 5, 3, 4),)),
    (LocalResponseNorm(size=3, alpha=2), ((2, 5),)),
    (LayerNorm(axes=(3, 1)), ((2, 3, 4, 5),)),
    (LayerNorm(axes=(2, 3), affine=False), ((2, 3, 4, 5),)),
    (GroupNorm(groups=3), ((2, 6),)),
    (GroupNorm(groups=6, affine=False), ((2, 6),)),
    (InstanceNorm(), ((2, 3, 1),)),
    (Scale(axes=(3, 1)), ((2, 3, 4, 5),)),
    (PixelShuffle(scale=2), ((1, 8, 2, 3, 4),)),
    (PixelUnshuffle(scale=2), ((1, 2, 2, 4, 6),)),
    (Add(), ((2, 3),)),
    (Add(), ((2, 3, 4), (2, 1, 4), (2, 3, 1))),
    (Maximum(), ((2, 3, 4), (2, 1, 4), (2, 3, 1))),
    (Concat(axis=-1), ((2, 3, 4), (2, 3, 1))),
]  # fmt: skip
"""What is written in a way of its own somewhere, and seldom drawn."""


def graph_of(layer: Layer, shapes: Shapes) -> Graph:
    """The layer, called `layer`, on inputs of those shapes."""
    root = Module("network", None, None, "", None)
    inputs = [Node(None, (), root, f"input{i}", "", shape) for i, shape in enumerate(shapes)]
    graph = Graph(root, inputs)
    op = Operation(layer, shapes)
    node = Node(op, tuple(inputs), root, "layer", "", op.output_shape)
    graph.nodes, graph.outputs = [node], [node]
    return graph


Run = Callable[[Graph, dict[str, Any], dict[str, Any]], Any]


def check_output(run: Run, layer: Layer, shapes: Shapes, seed: int, tolerance: float) -> None:
    """That other code gives what `forward` gives, on random weights and inputs in float32."""
    graph = graph_of(layer, shapes)
    rng = numpy.random.default_rng(seed)
    inputs = {n.path: rng.uniform(-1, 1, n.shape).astype("float32") for n in graph.inputs}
    own = {
        name: rng.uniform(0.1 if "var" in name else -1, 1, w.shape).astype("float32")
        for name, w in layer.weights(*shapes).items()
    }
    due = layer.forward(numpy, tuple(inputs.values()), own)
    found = run(graph, {f"layer.{name}": array for name, array in own.items()}, inputs)
    assert found.shape == due.shape
    numpy.testing.assert_allclose(found, due, rtol=tolerance, atol=tolerance)


def check_outputs(
    run: Run,
    name: str,
    examples: int,
    tolerance: float = 1e-5,
    expressible: Callable[[Layer, Shapes], bool] = lambda layer, shapes: True,
) -> None:
    """The same in configurations of the layer's case, and in the corners of that layer."""

    @settings(deadline=None, max_examples=examples)
    @given(case_of(name).configurations, st.integers(0, 2**32 - 1))
    def check(configuration: tuple[Layer, Shapes], seed: int) -> None:
        layer, shapes = configuration
        if operation(layer, shapes) is not None and expressible(layer, shapes):
            check_output(run, layer, shapes, seed, tolerance)

    check()
    for layer, shapes in CORNERS:
        if layer.name == name:
            check_output(run, layer, shapes, 0, tolerance)
