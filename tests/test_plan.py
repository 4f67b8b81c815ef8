"""Networks run fast: fused, placed in one block of memory, by kernels chosen by shape.

What all is held to is the reference executor, in float64: there, whatever is fused and however it
is summed, what is left of a difference is rounding.
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import convcalc
from convcalc.execution import threads as threads_module
from convcalc.execution.arena import ALIGNMENT, Span, placed
from convcalc.execution.backends import Backend
from convcalc.execution.executor import run
from convcalc.execution.fusion import steps
from convcalc.execution.initial import initial_weights, random_inputs
from convcalc.execution.kernels import depthwise, im2col, pointwise, pool, winograd
from convcalc.execution.kernels.recording import (
    Epilogue,
    Recorder,
    Scratch,
    Share,
    channels_last,
    merged,
)  # fmt: skip
from convcalc.execution.plan import Plan
from convcalc.execution.tape import play
from convcalc.graph import Graph
from convcalc.layers.activation import ReLU
from convcalc.layers.conv import Conv
from convcalc.layers.pool import AvgPool, MaxPool
from convcalc.spec.zoo import zoo_names
from tests.strict import StrictBackend

# -- whole networks -------------------------------------------------------------------------------


def random_weights(graph: Graph, negative: bool, dtype: str = "float64") -> dict[str, Any]:
    """Weights whose norms do something: factors of both signs, means, variances."""
    rng = np.random.default_rng(3)
    weights = initial_weights(graph, 0, dtype)
    for path, array in weights.items():
        if array.ndim == 1:
            numbers = rng.random(array.shape)
            if path.endswith("running_var"):
                numbers = numbers + 0.5
            elif path.endswith("weight"):
                signs = np.where(rng.random(array.shape) < 0.3 * negative, -1, 1)
                numbers = (0.5 * numbers + 0.75) * signs
            else:
                numbers = numbers - 0.5
            weights[path] = numbers.astype(dtype)
    return weights


def differs(net: convcalc.Network, workers: int, negative: bool = False) -> float:
    """The largest difference of a plan from the reference, of the largest output, in float64."""
    graph = net.graph
    weights = random_weights(graph, negative)
    inputs = {name: x.astype("float64") for name, x in random_inputs(graph, 1).items()}
    due = run(graph, inputs, weights, np)
    plan = Plan(graph, weights, Backend(), "float64", workers)
    plan.run({name: np.full_like(x, math.nan) for name, x in inputs.items()})  # leaves no trace
    found = plan.run(inputs)
    assert found.keys() == due.keys()
    assert all(found[path].shape == due[path].shape for path in due)
    return max(float(abs(found[p] - due[p]).max() / (abs(due[p]).max() or 1)) for p in due)


def small(name: str) -> dict[str, int]:
    """Sizes a little above the smallest legal ones, different along both axes."""
    smallest = convcalc.load(name).limits.smallest
    axes = [name for name in smallest if name != "N"]
    return {axis: max(smallest[axis], 20) + 5 * i for i, axis in enumerate(axes)}


SLOW = {"mlp_megapixel", "c3d", "r3d_18", "dcgan_generator", "fcn32s", "unet"}
HALF = [name for i, name in enumerate(sorted({*zoo_names()} - SLOW)) if i % 4 == 1]


@pytest.mark.parametrize("name", HALF)
def test_the_zoo_runs_as_its_reference_does(name: str) -> None:
    which = HALF.index(name)
    try:
        net = convcalc.load(name, **small(name), N=1 + which % 3)
    except convcalc.ConvcalcError:  # a size that does not fit: the network's own
        net = convcalc.load(name, N=2)
    if net.summarize().totals.params > 30_000_000:
        pytest.skip("its weights take longer to draw than all others")
    assert differs(net, 1 + which % 2, negative=which % 2 == 1) < 1e-8


@pytest.mark.parametrize("name", ["resnet50", "densenet121", "mobilenet_v2", "vgg11"])
def test_float32_is_off_by_less_than_a_hundred_thousandth(name: str) -> None:
    net = convcalc.load(name, H=64, W=96)
    weights = net.init(0)
    x = random_inputs(net.graph, 1)
    due = net.run(x, weights, exact=True, dtype="float64")
    assert abs(net.run(x, weights) - due).max() < 1e-5 * abs(due).max()
    assert abs(net.run(x, weights, exact=True) - due).max() < 1e-6 * abs(due).max()


BLOCKS = {
    "norm, residual and activation": """
      - add:
          - - conv: {out_channels: 6, kernel: 3, padding: 1, bias: false}
            - batch_norm
          - []
      - relu6
    """,
    "a residual that is computed later": """
      - add:
          - - conv: {out_channels: 6, kernel: 3, padding: 1}
          - - conv: {out_channels: 6, kernel: 1}
            - batch_norm
            - tanh
      - hard_swish
    """,
    "a residual twice": """
      - {conv: {out_channels: 6, kernel: 1}, name: a}
      - {add: , from: [a, a]}
    """,
    "a norm before": "- batch_norm\n      - relu\n      - conv: {out_channels: 7, kernel: 1}",
    "a norm before a stride": """
      - batch_norm
      - relu
      - conv: {out_channels: 7, kernel: 1, stride: 2}
    """,
    "norms on both sides": """
      - batch_norm
      - relu
      - conv: {out_channels: 40, kernel: 1}
      - batch_norm
      - relu
      - conv: {out_channels: 33, kernel: 3, padding: 1}
    """,
    "a norm alone": "- batch_norm\n      - sigmoid\n      - batch_norm",
    "a dense block": """
      - concat: [[], [conv: {out_channels: 4, kernel: 3, padding: 1}]]
      - concat: [[], [batch_norm, relu, conv: {out_channels: 5, kernel: 1}]]
      - concat: [[], [conv: {out_channels: 3, kernel: 3, padding: 1}, relu]]
      - max_pool: {kernel: 3, stride: 2, padding: 1}
    """,
    "a concatenation of views, and of one tensor twice": """
      - concat: [[], [], [slice: {axis: 1, start: 1, stop: 4}], [relu], [dropout: 0.5]]
      - conv: {out_channels: 5, kernel: [1, 3], stride: [2, 1], padding: [0, 1]}
    """,
    "a concatenation along the height": """
      - concat:
          axis: 2
          branches: [[max_pool: 2], [avg_pool: 2], [conv: {out_channels: 6, kernel: 2, stride: 2}]]
    """,
    "squeeze and excitation": """
      - multiply:
          - []
          - - global_avg_pool: {keep_axes: true}
            - conv: {out_channels: 2, kernel: 1}
            - relu
            - conv: {out_channels: 6, kernel: 1}
            - hard_sigmoid
      - subtract: [[], [relu]]
    """,
    "grouped and depthwise": """
      - conv: {out_channels: 12, kernel: 3, padding: [1, 2], groups: 3, dilation: [1, 2]}
      - batch_norm
      - depthwise_conv: {kernel: [5, 3], stride: [1, 2], padding: 1, multiplier: 1}
      - silu
      - depthwise_conv: {kernel: 3, multiplier: 2, dilation: 2, padding: 2}
    """,
    "inverted residuals": """
      - add:
          - - conv: {out_channels: 20, kernel: 1, bias: false}
            - batch_norm
            - relu6
            - depthwise_conv: {kernel: 3, padding: 1, bias: false}
            - batch_norm
            - relu6
            - conv: {out_channels: 6, kernel: 1}
          - []
      - conv: {out_channels: 34, kernel: 1}
      - sigmoid
      - depthwise_conv: {kernel: [5, 3], stride: [2, 3], padding: [2, 4], dilation: [1, 2]}
      - {conv: {out_channels: 18, kernel: 1}, name: wide}
      - add: [[depthwise_conv: {kernel: 3, stride: 1, padding: 1}, tanh], []]
    """,
    "a filter behind a residual": """
      - add: [[conv: {out_channels: 6, kernel: 1}], []]
      - depthwise_conv: {kernel: 3}
    """,
    "an expansion of a view": """
      - crop: [15, 9]
      - conv: {out_channels: 21, kernel: 1, bias: false}
      - depthwise_conv: {kernel: [4, 1], stride: [3, 1], padding: [[0, 2], [0, 0]]}
    """,
    "permutations and features last": """
      - depthwise_conv: {kernel: 3, padding: 1}
      - permute: [0, 2, 3, 1]
      - layer_norm: {axes: -1}
      - linear: {out_features: 9, axis: -1}
      - gelu
      - linear: {out_features: 6, axis: -1}
      - permute: [0, 3, 1, 2]
    """,
    "linear layers": """
      - flatten
      - linear: 30
      - batch_norm
      - relu
      - linear: 7
      - softmax
    """,
    "pooling in ceil mode": """
      - max_pool: {kernel: 3, stride: 2, ceil_mode: true}
      - avg_pool: {kernel: 2, stride: 1, padding: 1, count_include_pad: false}
      - avg_pool: {kernel: [3, 2], stride: [1, 2], padding: [1, 0]}
      - max_pool: {kernel: 2, stride: 1, dilation: 2}
    """,
    "padding that is same": """
      - conv: {out_channels: 34, kernel: 3, padding: same}
      - conv: {out_channels: 33, kernel: 3, stride: 2, padding: same}
      - conv: {out_channels: 35, kernel: 3, padding: same_lower}
      - prelu
      - leaky_relu: 0.2
    """,
    "beyond the input": "- conv: {out_channels: 5, kernel: 9, padding: 7, stride: 4}",
    "reshapes and an upsampling": """
      - upsample: {scale: 2}
      - conv: {out_channels: 4, kernel: 3, padding: 1}
      - pixel_shuffle: 2
      - reshape: [2, -1, 4]
      - relu
    """,
}  # fmt: skip


@pytest.mark.parametrize("negative", [False, True])
@pytest.mark.parametrize("what", BLOCKS)
def test_what_is_fused_is_what_the_layers_do(what: str, negative: bool) -> None:
    net = convcalc.loads(f"input: [6, 18, 13]\nlayers:\n      {BLOCKS[what].strip()}", N=4)
    for workers in (1, 2, 3):
        assert differs(net, workers, negative) < 1e-12


OVER_INPUTS = {
    "a sum of three, of which the last dies": """
      - {relu: , name: a}
      - {tanh: , name: b, from: a}
      - {conv: {out_channels: 6, kernel: 1}, name: c, from: a}
      - {add: , from: [a, b, c], name: d}
      - {add: , from: [a, b, d]}
    """,
    "a tensor and itself, turned": """
      - conv: {out_channels: 40, kernel: 1}
      - {relu: , name: x}
      - {permute: [0, 1, 3, 2], name: turned}
      - {subtract: , from: [x, turned]}
    """,
    "a tensor and itself, shifted": """
      - conv: {out_channels: 40, kernel: 1}
      - {relu: , name: x}
      - {slice: {axis: 3, start: 0, stop: 16}, name: left}
      - {slice: {axis: 3, start: 1, stop: 17}, from: x, name: right}
      - {add: , from: [left, right]}
    """,
}


@pytest.mark.parametrize("what", OVER_INPUTS)
def test_a_merge_writes_over_an_input_only_where_nothing_is_read_after(what: str) -> None:
    net = convcalc.loads(f"input: [6, 17, 17]\nlayers:\n      {OVER_INPUTS[what].strip()}", N=4)
    for workers in (1, 2, 3):
        assert differs(net, workers) < 1e-12


WHOLE = {
    "a concatenation of a tensor with itself": (
        "{input: [3, 4], layers: [{relu: , name: a}, {concat: , from: [a, a]}]}"
    ),
    "a sum of two, one of them twice": (
        "{inputs: {a: [3], b: [3]}, layers: [{add: , from: [a, b, a]}]}"
    ),
    "a norm of vectors": "{input: [50], layers: [batch_norm, linear: 8, relu, batch_norm, tanh]}",
    "a norm of turned axes": "{input: [2, 2, 20], layers: [permute: [0, 2, 1, 3], batch_norm]}",
    "the batch as a value": (
        "{input: [8, 4, 4], layers: [slice: {axis: 1, start: N, stop: N + 1}, conv: "
        "{out_channels: 3, kernel: 1}]}"
    ),
    "the batch as a condition": (
        "{input: [2, 4, 4], layers: [{relu: , name: a, when: N > 2}, "
        "{tanh: , name: b, when: N <= 2}, conv: {out_channels: 3, kernel: 1}]}"
    ),
    "norms that share all but their eps": (
        "{input: [2, 4, 4], layers: [{batch_norm: {eps: 0.5}, share: w}, "
        "{batch_norm: {eps: 0.001}, share: w}]}"
    ),
    "convolutions that share all but their stride": (
        "{input: [4, 9, 9], layers: [{conv: {out_channels: 4, kernel: 3}, share: w}, "
        "{conv: {out_channels: 4, kernel: 3, stride: 2}, share: w}]}"
    ),
    "the mean of a view": (
        "{input: [6, 9, 8], layers: [slice: {axis: 3, start: 2, stop: 7}, global_avg_pool]}"
    ),
    "a norm before, of three axes": (
        "{input: [6, 3, 4, 5], layers: [batch_norm, relu, conv: {out_channels: 7, kernel: 1}]}"
    ),
}


class Tiny(Backend):
    """A cache so small that all is done in many blocks."""

    cache_values = 64


@pytest.mark.parametrize("device", [Backend, Tiny])
@pytest.mark.parametrize("what", WHOLE)
def test_networks_as_a_whole(
    what: str, device: type[Backend], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Backend, "cache_values", device.cache_values)
    net = convcalc.loads(WHOLE[what], N=4)
    for workers in (1, 2, 3):
        assert differs(net, workers) < 1e-12


@pytest.mark.parametrize("what", BLOCKS)
def test_what_is_fused_in_many_blocks(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Backend, "cache_values", 64)
    net = convcalc.loads(f"input: [6, 18, 13]\nlayers:\n      {BLOCKS[what].strip()}", N=3)
    assert differs(net, 2) < 1e-12


def test_factors_that_leave_the_range_of_the_type() -> None:
    net = convcalc.loads(
        "{input: [2, 3, 3], layers: [batch_norm, relu, conv: {out_channels: 4, kernel: 1}]}"
    )
    weights = net.init()
    weights["batch_norm1.weight"][1], weights["batch_norm1.bias"][1] = 1e-40, -0.5
    x = random_inputs(net.graph)
    assert np.allclose(net.run(x, weights), net.run(x, weights, exact=True), rtol=1e-5)


def test_windows_that_read_no_plane() -> None:
    net = convcalc.loads(
        "{input: [2, 1, 5, 5], layers: "
        "[max_pool: {kernel: 2, stride: 1, padding: 1, dilation: [2, 1, 1]}]}"
    )
    x = random_inputs(net.graph)
    assert (net.run(x) == net.run(x, exact=True)).all()


def test_a_profile_counts_the_whole_batch() -> None:
    net = convcalc.load("lenet5", N=4)
    for threads in (1, 2):
        _, timed = net.profile(threads=threads)
        assert sum(step.macs for step in timed) == net.summarize().totals.macs
        assert [path for step in timed for path in step.layers if "flatten" not in path] == [
            node.path for node in net.graph.nodes if node.kind != "flatten"
        ]


@pytest.mark.parametrize(
    ("call", "told"),
    [
        ({"threads": 0}, "threads=0: a whole number from 1 on is due"),
        ({"threads": "2"}, "threads=2: a whole number from 1 on is due"),
        ({"seed": -1}, "seed=-1: a whole number from 0 on is due"),
        ({"weights": [1]}, "weights: a mapping of arrays by the paths of the weights is due"),
        ({"weights": {1: 2}}, "weights: a mapping of arrays by the paths of the weights is due"),
        ({"backend": None}, "no backend 'None'. There are numpy, cupy, auto."),
        ({"dtype": "no"}, "networks are not compiled in no."),
        ({"dtype": "int8"}, "networks are not compiled in int8."),
    ],
)
def test_what_a_call_cannot_be_made_with(call: dict[str, Any], told: str) -> None:
    net = convcalc.load("lenet5")
    with pytest.raises(convcalc.ConvcalcError) as error:
        net.compile(**call)
    assert str(error.value).startswith(told)
    if "dtype" not in call:
        with pytest.raises(convcalc.ConvcalcError):
            net.run(exact=True, **call)


def test_types_as_numpy_has_them() -> None:
    net = convcalc.load("lenet5")
    for dtype in (np.float64, np.dtype("f8"), "float64", float):
        assert net.compile(dtype=dtype)(random_inputs(net.graph)).dtype == "float64"
        assert net.run(dtype=dtype).dtype == "float64"


def test_one_axis_and_three() -> None:
    line = """
    input: [5, 61]
    layers:
      - conv: {out_channels: 33, kernel: 3, padding: 1, stride: 2}
      - batch_norm
      - relu
      - conv: {out_channels: 34, kernel: 3, padding: 1}
      - max_pool: 3
      - depthwise_conv: {kernel: 5, dilation: 2, padding: 3}
      - global_avg_pool
    """
    room = """
    input: [3, 7, 6, 5]
    layers:
      - conv: {out_channels: 4, kernel: 3, padding: 1}
      - batch_norm
      - relu
      - conv:
          out_channels: 6
          kernel: [3, 3, 2]
          stride: [2, 1, 1]
          padding: [7, 1, 0]
          dilation: [2, 1, 2]
          groups: 2
      - conv: {out_channels: 5, kernel: 1}
      - relu
      - max_pool: {kernel: [3, 2, 2], stride: [2, 1, 2], padding: 1}
      - avg_pool: {kernel: [2, 1, 2], stride: 1}
      - global_avg_pool
    """
    for spec in (line, room):
        net = convcalc.loads(spec, N=3)
        assert differs(net, 2) < 1e-12
        assert differs(net, 1) < 1e-12


def test_several_inputs_and_outputs_and_shared_weights() -> None:
    net = convcalc.loads("""
    inputs: {left: [3, 9, 8], right: [3, 9, 8]}
    blocks:
      tower:
        layers: [conv: {out_channels: 5, kernel: 3}, batch_norm, relu, flatten, linear: 4]
    layers:
      - {tower: , from: left, name: a, share: tower}
      - {tower: , from: right, name: b, share: tower}
      - {subtract: , from: [a, b]}
      - {abs: , name: distance}
    outputs: [a, distance]
    """, N=5)  # fmt: skip
    assert differs(net, 2) < 1e-12
    assert differs(net, 2) < 1e-12


# -- what a plan is -------------------------------------------------------------------------------


def test_a_residual_block_is_as_many_steps_as_it_has_convolutions() -> None:
    graph = convcalc.load("resnet50").graph
    kinds = [step.node.kind for step in steps(graph)]
    assert kinds == ["conv", "max_pool", *["conv"] * 52, "global_avg_pool", "linear"]
    assert sorted(n.path for s in steps(graph) for n in s.nodes) == sorted(
        node.path for node in graph.nodes
    )


def test_what_an_expansion_gives_takes_no_memory() -> None:
    net = convcalc.load("mobilenet_v2", H=64, W=48)
    plan = Plan(net.graph, net.init(), Backend(), "float32")
    expanded = [step for step in plan.steps if step.expansion is not None]
    assert len(expanded) == 16
    assert [step.nodes[0].path.split(".")[2] for step in expanded] == ["expand"] * 16
    assert all("depthwise" in step.nodes[-1].path for step in expanded)
    # the widest tensor of all, at the first of them
    assert plan.activation_bytes < 4 * 96 * 32 * 24


def test_a_tensor_that_is_read_twice_is_not_fused_away() -> None:
    net = convcalc.loads("""
    input: [3, 8, 8]
    layers:
      - {conv: {out_channels: 4, kernel: 3}, name: c}
      - {batch_norm: , name: b}
      - {relu: , name: r}
      - {add: , from: [r, c]}
    """)
    paths = [[node.path for node in step.nodes] for step in steps(net.graph)]
    assert paths == [["c"], ["b", "r"], ["add1"]]
    assert differs(net, 1) < 1e-12


@pytest.mark.parametrize("name", ["resnet50", "mobilenet_v2", "densenet121", "vgg16", "alexnet",
                                  "googlenet", "inception_v3", "efficientnet_b0"])  # fmt: skip
def test_memory_is_what_the_peak_predicts(name: str) -> None:
    """Within a tenth, at the sizes that the networks are made for."""
    net = convcalc.load(name)
    weights = {k: np.broadcast_to(np.float32(1), a) for k, a in _shapes(net).items()}
    plan = Plan(net.graph, weights, Backend(), "float32", 1)
    predicted = net.summarize().totals.peak_activation_bytes
    assert plan.activation_bytes <= 1.1 * predicted
    assert plan.scratch_bytes < 64_000_000


def _shapes(net: convcalc.Network) -> Any:
    from convcalc.execution.executor import weight_shapes

    return weight_shapes(net.graph)


@given(
    st.lists(
        st.tuples(st.integers(1, 500), st.integers(0, 30), st.integers(0, 8)), min_size=1,
        max_size=40,
    )
)  # fmt: skip
def test_tensors_that_are_alive_together_do_not_overlap(drawn: list[tuple[int, int, int]]) -> None:
    spans = [Span(size, first, first + longer) for size, first, longer in drawn]
    offsets, total = placed(spans)
    for i, (one, start) in enumerate(zip(spans, offsets, strict=True)):
        assert start % ALIGNMENT == 0
        assert start + one.size <= total
        for other, begin in zip(spans[:i], offsets, strict=False):
            together = one.first <= other.last and other.first <= one.last
            assert not together or start + one.size <= begin or begin + other.size <= start
    alive = max(
        sum(-(-s.size // ALIGNMENT) * ALIGNMENT for s in spans if s.first <= step <= s.last)
        for step in range(40)
    )
    assert alive <= total <= sum(-(-s.size // ALIGNMENT) * ALIGNMENT for s in spans)


# -- kernels --------------------------------------------------------------------------------------


def played(
    record: Callable[[Recorder], None], parts: int = 1, dtype: str = "float64", cache: int = 1 << 17
) -> None:
    """Record a kernel for some workers, and let them run."""
    scratches = [Scratch(np, dtype) for _ in range(parts)]
    recorders = [Recorder(Backend(), s, Share(i, parts)) for i, s in enumerate(scratches)]
    for recorder in recorders:
        recorder.cache = cache
    for recorder in recorders:
        record(recorder)
    play([[recorder.calls] for recorder in recorders])


@st.composite
def convolutions(draw: Any, plain: bool = False) -> tuple[Conv, tuple[int, ...]]:
    """A convolution of two axes, and the shape of an input that it fits."""
    groups = 1 if plain else draw(st.sampled_from([1, 1, 2, 3]))
    channels = groups * draw(st.integers(1, 5))
    kernel = (3, 3) if plain else draw(st.tuples(st.integers(1, 5), st.integers(1, 4)))
    dilation = (1, 1) if plain else draw(st.tuples(st.integers(1, 2), st.integers(1, 3)))
    stride = (1, 1) if plain else draw(st.tuples(st.integers(1, 4), st.integers(1, 3)))
    pads = draw(st.tuples(*[st.tuples(st.integers(0, 4), st.integers(0, 4))] * 2))
    spans = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    least = [max(1, s - a - b) for s, (a, b) in zip(spans, pads, strict=True)]
    sizes = [n + draw(st.integers(0, 17)) for n in least]
    conv = Conv(
        out_channels=groups * draw(st.integers(1, 5)), kernel=kernel, stride=stride,
        padding=pads, dilation=dilation, groups=groups, bias=True,
    )  # fmt: skip
    return conv, (draw(st.integers(1, 3)), channels, *sizes)


def arrays(conv: Conv, shape: tuple[int, ...]) -> tuple[Any, dict[str, Any], Any]:
    """An input, weights, and the reference's output."""
    rng = np.random.default_rng(len(shape) + sum(shape))
    weights = {n: rng.standard_normal(w.shape) for n, w in conv.weights(shape).items()}
    x = rng.standard_normal(shape)
    return x, weights, conv.forward(np, (x,), weights)


def close(found: Any, due: Any) -> bool:
    return bool(np.allclose(found, due, rtol=1e-10, atol=1e-10 * (1 + abs(due).max())))


@settings(max_examples=60, deadline=None)
@given(convolutions(), st.integers(1, 3))
def test_gathered_windows(drawn: tuple[Conv, tuple[int, ...]], parts: int) -> None:
    conv, shape = drawn
    x, weights, due = arrays(conv, shape)
    y = channels_last(np.full_like(due, math.nan))
    matrices = im2col.arranged(weights["weight"], conv.groups)
    played(
        lambda recorder: im2col.record(
            recorder, channels_last(x), matrices, y, conv.window(shape),
            Epilogue(weights["bias"], channels_last(due), ReLU()),
        ),
        parts,
    )  # fmt: skip
    assert close(y, np.maximum(2 * channels_last(due), 0))


@settings(max_examples=60, deadline=None)
@given(convolutions(plain=True), st.integers(1, 3), st.sampled_from([winograd.F2, winograd.F4]))
def test_winograd(drawn: Any, parts: int, transform: winograd.Transform) -> None:
    conv, shape = drawn
    x, weights, due = arrays(conv, shape)
    y = channels_last(np.full_like(due, math.nan))
    lifted = winograd.transformed(transform, weights["weight"])
    played(
        lambda recorder: winograd.record(
            recorder, channels_last(x), lifted, y, conv.window(shape),
            Epilogue(weights["bias"], channels_last(due)), transform,
        ),
        parts,
    )  # fmt: skip
    assert close(y, 2 * channels_last(due))


@pytest.mark.parametrize(("transform", "bound"), [(winograd.F2, 8e-7), (winograd.F4, 5e-6)])
def test_winograds_error(transform: winograd.Transform, bound: float) -> None:
    conv, shape = Conv(out_channels=64, kernel=3, padding=1), (1, 96, 30, 29)
    x, weights, due = arrays(conv, shape)
    y = channels_last(np.zeros_like(due, dtype="float32"))
    lifted = winograd.transformed(transform, weights["weight"].astype("float32"))
    played(
        lambda recorder: winograd.record(
            recorder, channels_last(x.astype("float32")), lifted, y, conv.window(shape),
            Epilogue(weights["bias"].astype("float32")), transform,
        ),
        dtype="float32",
    )  # fmt: skip
    error = abs(y - channels_last(due)).max() / abs(due).max()
    assert bound / 50 < error < bound


@settings(max_examples=60, deadline=None)
@given(convolutions(), st.integers(1, 3))
def test_depthwise(drawn: tuple[Conv, tuple[int, ...]], parts: int) -> None:
    conv, shape = depthwise_of(drawn)
    x, weights, due = arrays(conv, shape)
    y = channels_last(np.full_like(due, math.nan))
    taps = depthwise.tiled(weights["weight"][:, 0].transpose(1, 2, 0), y.shape[2])
    played(
        lambda recorder: depthwise.record(
            recorder, channels_last(x), taps, y, conv.window(shape), Epilogue(weights["bias"])
        ),
        parts,
    )
    assert close(y, channels_last(due))


@settings(max_examples=100, deadline=None)
@given(
    convolutions(), st.integers(1, 4), st.integers(1, 3), st.sampled_from([30, 300, 1 << 17]),
    st.booleans(),
)  # fmt: skip
def test_depthwise_behind_an_expansion(
    drawn: tuple[Conv, tuple[int, ...]], depth: int, parts: int, cache: int, biased: bool
) -> None:
    conv, shape = depthwise_of(drawn)
    rng = np.random.default_rng(sum(shape))
    x = rng.standard_normal((shape[0], depth, *shape[2:]))
    matrix, bias = rng.standard_normal((depth, shape[1])), rng.standard_normal(shape[1])
    products = channels_last(x) @ matrix + (bias if biased else 0)
    wide = np.moveaxis(np.maximum(products, 0), -1, 1)
    _, weights, _ = arrays(conv, shape)
    due = conv.forward(np, (wide,), weights)
    y = channels_last(np.full_like(due, math.nan))
    taps = depthwise.tiled(weights["weight"][:, 0].transpose(1, 2, 0), y.shape[2])
    first = depthwise.Expansion(matrix, Epilogue(bias if biased else None, None, ReLU()))
    played(
        lambda recorder: depthwise.record(
            recorder, channels_last(x), taps, y, conv.window(shape), Epilogue(weights["bias"]),
            first,
        ),
        parts, cache=cache,
    )  # fmt: skip
    assert close(y, channels_last(due))


def depthwise_of(drawn: tuple[Conv, tuple[int, ...]]) -> tuple[Conv, tuple[int, ...]]:
    """A convolution with a filter for every channel of the input."""
    given, (n, channels, *sizes) = drawn
    conv = Conv(
        out_channels=channels, kernel=given.kernel, stride=given.stride, padding=given.padding,
        dilation=given.dilation, groups=channels, bias=True,
    )  # fmt: skip
    return conv, (n, channels, *sizes)


@settings(max_examples=60, deadline=None)
@given(convolutions(), st.integers(1, 3), st.booleans())
def test_pooling(drawn: tuple[Conv, tuple[int, ...]], parts: int, largest: bool) -> None:
    conv, shape = drawn
    fields: dict[str, Any] = {"kernel": conv.kernel, "stride": conv.stride}
    # no more padding than leaves something under every window
    pairs: Any = zip(conv.padding, conv.kernel, strict=True)  # type: ignore[arg-type]
    pads = [(min(a, k - 1), min(b, k - 1)) for (a, b), k in pairs]
    layer: Any = (MaxPool if largest else AvgPool)(**fields, padding=tuple(pads))
    x = np.random.default_rng(1).standard_normal((*shape[:2], *(n + 20 for n in shape[2:])))
    due = channels_last(layer.forward(np, (x,), {}))
    y = np.full_like(due, math.nan)
    record = pool.record_max if largest else pool.record_mean
    played(lambda recorder: record(recorder, channels_last(x), y, layer.window(x.shape)), parts)
    assert (y == due).all() if largest else close(y, due)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 900), st.integers(1, 9), st.integers(1, 70), st.integers(1, 3))
def test_products(rows: int, depth: int, channels: int, parts: int) -> None:
    rng = np.random.default_rng(rows)
    x, w = rng.standard_normal((rows, depth)), rng.standard_normal((depth, channels))
    residual, bias = rng.standard_normal((rows, channels)), rng.standard_normal(channels)
    floor = rng.standard_normal(depth)
    wide = np.full((rows, channels + 3), math.nan)
    y = wide[:, 2 : channels + 2]
    played(
        lambda recorder: pointwise.record(
            recorder, x, w, y, Epilogue(bias, residual, ReLU()), [("maximum", floor)]
        ),
        parts,
    )
    assert close(y, np.maximum(np.maximum(x, floor) @ w + bias + residual, 0))
    assert np.isnan(wide[:, :2]).all()
    assert np.isnan(wide[:, channels + 2 :]).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 24), st.integers(1, 70), st.integers(1, 70), st.integers(1, 3), st.booleans())
def test_products_of_few_rows(
    rows: int, depth: int, channels: int, parts: int, apart: bool
) -> None:
    rng = np.random.default_rng(rows)
    x, w = rng.standard_normal((rows, depth)), rng.standard_normal((channels, depth))
    bias, y = rng.standard_normal(channels), np.full((rows, channels), math.nan)
    if apart:
        y = np.full((rows, 2 * channels), math.nan)[:, ::2]
    cache = Backend.cache_values
    try:
        Backend.cache_values = 1 + depth * (rows % 5)  # type: ignore[misc]
        played(lambda recorder: pointwise.record(recorder, x, w.T, y, Epilogue(bias)), parts)
    finally:
        Backend.cache_values = cache  # type: ignore[misc]
    assert close(y, x @ w.T + bias)


@given(st.data())
def test_axes_are_merged_only_as_a_view(data: st.DataObject) -> None:
    shape = data.draw(st.tuples(*[st.integers(1, 4)] * 3))
    x = np.arange(600.0).reshape(6, 10, 10)[tuple(slice(None, n) for n in shape)]
    x = x.transpose(data.draw(st.permutations(range(3))))
    found = merged(x, 2)
    if found is not None:
        assert (found == x.reshape(-1, x.shape[2])).all()
        assert np.shares_memory(found, x)
    else:
        assert not np.shares_memory(x.reshape(-1, x.shape[2]), x)


# -- threads --------------------------------------------------------------------------------------


def _raise(error: type[BaseException], out: Any) -> None:
    raise error


@pytest.mark.parametrize("which", [0, 1, 2])
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failure_ends_all_workers(which: int, error: type[BaseException]) -> None:
    done: list[int] = []

    def work(worker: int, out: Any) -> None:
        done.append(worker)

    programs: list[Any] = [[[(work, (w,), None)] for _ in range(50)] for w in range(3)]
    programs[which][7] = [(_raise, (error,), None)]
    before = threading.active_count()
    with pytest.raises(error):
        play(programs)
    assert threading.active_count() == before
    assert done.count(which) == 7
    assert all(done.count(worker) in (7, 8) for worker in range(3))


def test_an_interrupt_while_waiting_ends_all_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first worker is done, and waits for the others in `join`."""
    done: list[int] = []

    def work(step: int, out: Any) -> None:
        time.sleep(0.002)
        done.append(step)

    real = threading.Thread.join

    def interrupted(self: threading.Thread, timeout: float | None = None) -> None:
        monkeypatch.setattr(threading.Thread, "join", real)
        raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "join", interrupted)
    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        play([[], [[(work, (s,), None)] for s in range(500)]])
    assert threading.active_count() == before
    assert len(done) < 500


def test_a_thread_that_cannot_be_started_ends_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    real, started = threading.Thread.start, []

    def start(self: threading.Thread) -> None:
        started.append(self)
        if len(started) == 2:
            raise RuntimeError("can't start new thread")
        real(self)

    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(RuntimeError, match="can't start"):
        play([[[]], [[]], [[]]])
    assert not started[0].is_alive()


def test_workers_wait_for_one_another() -> None:
    steps_done = [0, 0, 0]

    def work(worker: int, step: int, out: Any) -> None:
        assert all(done in (step, step + 1) for done in steps_done)
        steps_done[worker] = step + 1

    programs = [[[(work, (w, s), None)] for s in range(300)] for w in range(3)]
    play(programs)
    assert steps_done == [300] * 3


@pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2,
    reason="needs two processor cores, and a system that lets them be chosen",
)
@pytest.mark.parametrize("failing", [False, True])
def test_workers_start_on_cores_of_their_own_and_leave_them(failing: bool) -> None:
    seen: list[list[set[int]]] = [[], []]

    def work(worker: int, step: int, out: Any) -> None:
        seen[worker].append(os.sched_getaffinity(0))
        if failing and step == 3:
            raise ValueError

    before = os.sched_getaffinity(0)
    programs = [[[(work, (w, s), None)] for s in range(30)] for w in range(2)]
    if failing:
        with pytest.raises(ValueError):  # noqa: PT011
            play(programs)
    else:
        play(programs)
        assert all(each[-1] == before for each in seen)
    first, second = seen[0][0], seen[1][0]
    assert len(first) == len(second) == 1
    assert not first & second
    assert os.sched_getaffinity(0) == before


def test_calls_from_several_threads_wait_for_one_another() -> None:
    net = convcalc.loads("{input: [4, 30, 30], layers: [conv: {out_channels: 64, kernel: 3}]}")
    compiled = net.compile(dtype="float64")
    inputs = [np.full((1, 4, 30, 30), float(i)) for i in range(6)]
    due = [compiled(x) for x in inputs]
    found: dict[int, list[Any]] = {i: [] for i in range(6)}

    def call(i: int) -> None:
        for _ in range(5):
            found[i].append(compiled(inputs[i]))

    callers = [threading.Thread(target=call, args=(i,)) for i in range(6)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert all((y == due[i]).all() for i, ys in found.items() for y in ys)


def test_blas_is_left_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    threadpoolctl = pytest.importorskip("threadpoolctl", reason="needs the extra fast")

    def blas() -> list[int]:
        return [
            p["num_threads"] for p in threadpoolctl.threadpool_info() if p["user_api"] == "blas"
        ]

    net = convcalc.load("lenet5")
    seen: list[list[int]] = []
    real = Plan.run

    def watched(self: Plan, *args: Any) -> Any:
        seen.append(blas())
        return real(self, *args)

    monkeypatch.setattr(Plan, "run", watched)
    with threadpoolctl.threadpool_limits(3, user_api="blas"):
        before = blas()
        compiled = net.compile(threads=2)
        assert blas() == before
        compiled(random_inputs(net.graph))
        assert [n for each in seen for n in each] == [1] * len(before)
        assert blas() == before
        with pytest.raises(convcalc.ConvcalcError):
            compiled(np.zeros(3))
        assert blas() == before
    assert 3 in before


@pytest.mark.parametrize(
    ("limit", "due"),
    [("200000 100000", 2), ("max 100000", 4), ("50000 100000", 1), ("", 4), ("1 0", 4)],
)
def test_no_more_workers_than_a_container_may_use(
    limit: str, due: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "cpu.max").write_text(limit)
    monkeypatch.setattr(threads_module, "_CPU_MAX", str(tmp_path / "cpu.max"))
    monkeypatch.setattr(threads_module, "_blas", lambda: object())
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(4), raising=False)
    assert threads_module.workers() == threads_module.workers(9) == due
    assert threads_module.workers(1) == 1


def test_without_threadpoolctl_one_worker_leaves_the_threads_to_blas(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(threads_module, "_blas", lambda: None)
    assert threads_module.workers(4) == 1
    net = convcalc.load("lenet5")
    x = random_inputs(net.graph)
    assert np.allclose(net.compile(threads=4)(x), net.run(x, exact=True), rtol=1e-5)


# -- on another device ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["resnet18", "densenet121", "mobilenet_v3_large", "googlenet"])
def test_a_plan_never_reads_what_is_on_the_device(name: str) -> None:
    net = convcalc.load(name, H=40, W=48, N=2)
    weights = net.init(0, "float64")
    x = {k: a.astype("float64") for k, a in random_inputs(net.graph, 1).items()}
    due = net.run(x, weights, exact=True)
    device = StrictBackend()
    compiled = net.compile(weights, dtype="float64", backend=device)
    assert device.fetched == []
    device.sent.clear()
    assert np.allclose(compiled(x), due, rtol=1e-8, atol=1e-8 * abs(due).max())
    assert device.sent == [(2, 3, 40, 48)]
    assert device.fetched == [(2, 1000)]
