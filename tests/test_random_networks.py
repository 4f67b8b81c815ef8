"""Networks drawn at random, run by the planner and by the reference in float64.

What is fused, viewed, joined or overwritten depends on who else reads a tensor; drawn networks read
them in ways that nobody would think of.
"""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
import pytest

import convcalc
from convcalc.execution.backends import Backend
from convcalc.execution.executor import run
from convcalc.execution.plan import Plan
from tests.test_plan import random_weights

MOST = 20_000
"""Values of a tensor."""


class Small(Backend):
    """Blocks of a row or less."""

    cache_values = 64


class Middling(Backend):
    """Blocks of some rows."""

    cache_values = 3000


Shape = tuple[int, ...]


def layer(draw: random.Random, shape: Shape) -> dict[str, Any]:
    """A layer for an input of a shape (N, C, H, W) or (N, C)."""
    channels, rank = shape[1], len(shape) - 2
    if not rank:
        return draw.choice([{"linear": draw.randint(1, 9)}, {"relu": {}}, {"batch_norm": {}}])

    def each(low: int, high: int) -> list[int]:
        return [draw.randint(low, high) for _ in range(rank)]

    padding = [[draw.randint(0, 2), draw.randint(0, 2)] for _ in range(rank)]
    windows = {"kernel": each(1, 4), "stride": each(1, 3), "padding": padding}
    dilation = each(1, 2)
    small = {"kernel": each(2, 3), "stride": each(1, 2), "padding": draw.randint(0, 1)}
    axis = draw.randint(1, 1 + rank)
    order = draw.sample(range(1, 2 + rank), 1 + rank)
    wide = draw.choice([channels, 33, 40])
    makers: list[tuple[int, dict[str, Any]]] = [
        (4, {draw.choice(["relu", "relu6", "sigmoid", "hard_swish", "prelu", "tanh"]): {}}),
        (3, {"batch_norm": {}}),
        (4, {"conv": {"out_channels": draw.randint(1, 9), "kernel": 1}}),
        (2, {"conv": {"out_channels": wide, "kernel": 3, "padding": 1}}),
        (1, {"conv": {"out_channels": 4, "dilation": dilation, **windows}}),
        (1, {"conv": {"out_channels": 2 * channels, "groups": channels, **windows}}),
        (5, {"depthwise_conv": {"dilation": dilation, **windows}}),
        (1, {"conv_transpose": {"out_channels": 3, "kernel": 2, "stride": 2}}),
        (1, {draw.choice(["max_pool", "avg_pool"]): small}),
        (1, {"global_avg_pool": {"keep_axes": True}}),
        (1, {"slice": {"axis": axis, "start": draw.randrange(shape[axis])}}),
        (1, {"permute": [0, *order]}),
        (1, {"softmax": {"axis": axis}}),
        (1, {"dropout": 0.5}),
        (1, {"upsample": {"scale": 2, "mode": "nearest"}}),
        (1, {"flatten": {}}),
    ]
    return draw.choices([made for _, made in makers], [weight for weight, _ in makers])[0]


def merge(draw: random.Random, shapes: dict[str, Shape], source: str) -> dict[str, Any]:
    """A merge of a tensor with others, perhaps with itself."""
    shape = shapes[source]
    kind = draw.choice(["add", "add", "multiply", "subtract", "maximum", "concat", "concat"])

    def fits(name: str) -> bool:
        other = shapes[name]
        if kind == "concat":
            return len(other) == len(shape) and other[2:] == shape[2:]
        pairs = zip(other, shape, strict=False)
        return len(other) == len(shape) and all(a == b or 1 in (a, b) for a, b in pairs)

    found = [name for name in shapes if fits(name)][-5:]
    count = 2 if kind == "subtract" else draw.choice([2, 2, 3])
    sources = [source, *draw.choices(found, k=count - 1)]
    draw.shuffle(sources)
    return {kind: {}, "from": sources}


def network(draw: random.Random) -> convcalc.Network:
    """A network of one input, whose layers read any of the tensors before them."""
    batch, rank = draw.choice([1, 1, 2, 5]), draw.choice([1, 2, 2, 2])
    shape = [draw.choice([1, 3, 6, 32]), *(draw.randint(1, 13) for _ in range(rank))]
    shapes: dict[str, Shape] = {"input": (batch, *shape)}
    layers: list[dict[str, Any]] = []
    for _ in range(40):
        names = list(shapes)
        source = names[-1] if draw.random() < 0.7 else draw.choice(names)
        if draw.random() < 0.25:
            entry = merge(draw, shapes, source)
        else:
            entry = {**layer(draw, shapes[source]), "from": source}
            if draw.random() < 0.2:
                entry["share"] = f"set_of_{next(iter(entry))}"
        entry["name"] = f"l{len(layers)}"
        spec = {"input": shape, "layers": [*layers, entry], "outputs": [entry["name"]]}
        try:
            (node,) = convcalc.from_dict(spec, N=batch).graph.outputs
        except convcalc.ConvcalcError:
            continue  # it does not fit
        if math.prod(node.shape) <= MOST:
            layers.append(entry)
            shapes[entry["name"]] = node.shape
    names = [entry["name"] for entry in layers]
    outputs = list(dict.fromkeys([names[-1], *draw.sample(names, 2)]))
    return convcalc.from_dict({"input": shape, "layers": layers, "outputs": outputs}, N=batch)


@pytest.mark.parametrize("seed", range(24))
def test_a_plan_does_what_the_layers_do(seed: int) -> None:
    draw = random.Random(seed)
    net = network(draw)
    weights = random_weights(net.graph, draw.random() < 0.4)
    (node,) = net.graph.inputs
    first, second = np.random.default_rng(seed).uniform(-1, 1, (2, *node.shape))
    for device, workers in ((Backend(), 1), (Small(), 2), (Middling(), 3), (Backend(), 2)):
        plan = Plan(net.graph, weights, device, "float64", workers)
        for x in (first, second, first):  # a run leaves nothing behind
            given = {node.path: x.copy()}
            found, due = plan.run(given), run(net.graph, given, weights, np)
            assert found.keys() == due.keys()
            for path, y in due.items():
                assert found[path].shape == y.shape
                assert abs(found[path] - y).max() <= 1e-9 * abs(y).max(), (path, workers)
