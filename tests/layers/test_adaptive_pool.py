"""Pooling to a given size: global and adaptive."""

from collections.abc import Iterable
from fractions import Fraction
from itertools import product
from math import ceil, floor
from typing import Any

import numpy
import pytest
from hypothesis import strategies as st

from convcalc.cost import Cost
from convcalc.graph import Operation
from convcalc.layer import Layer
from convcalc.layers.adaptive_pool import (
    AdaptiveAvgPool,
    AdaptiveMaxPool,
    GlobalAvgPool,
    GlobalMaxPool,
)
from convcalc.view import IDENTITY

from .naive import (
    Case,
    Index,
    Number,
    Run,
    Tensor,
    alone,
    check_forward,
    each_axis,
    largest,
    output_of,
    per_axis,
    positions,
    ramp,
    refusal,
    shapes,
    spatial,
    total,
)


def pooled(layer: Any, window: Iterable[Number]) -> Number:
    """The mean or the largest, whichever the layer gives."""
    numbers = list(window)
    if isinstance(layer, (GlobalMaxPool, AdaptiveMaxPool)):
        return largest(numbers)
    return total(numbers) / len(numbers)


def naive_global(layer: GlobalAvgPool | GlobalMaxPool, run: Run, x: Index) -> Tensor:
    sizes = spatial(x)
    kept = (0,) * (len(sizes) if layer.keep_axes else 0)
    return {
        (*place, *kept): pooled(layer, (run.element(*place, *i) for i in positions(*sizes)))
        for place in positions(*x[:2])
    }


@st.composite
def adaptives(
    draw: st.DrawFn, layer: type[AdaptiveAvgPool | AdaptiveMaxPool]
) -> tuple[AdaptiveAvgPool | AdaptiveMaxPool, tuple[Index]]:
    x = draw(shapes())
    # grids larger than the input among them, and grids over two axes only
    rank = draw(st.sampled_from([len(x) - 2] * 4 + [2]))
    size = draw(per_axis(st.integers(1, 6 if len(x) < 5 else 3), rank))
    return layer(size=size), (x,)


def naive_adaptive(layer: AdaptiveAvgPool | AdaptiveMaxPool, run: Run, x: Index) -> Tensor:
    sizes = spatial(x)
    cells = [
        # cell i covers the stretch i·n/m … (i + 1)·n/m, and takes all elements it touches
        [
            range(floor(Fraction(i * size, parts)), ceil(Fraction((i + 1) * size, parts)))
            for i in range(parts)
        ]
        for size, parts in zip(sizes, each_axis(layer.size, len(sizes)), strict=True)
    ]
    output: Tensor = {}
    for place in positions(*x[:2]):
        for position in positions(*map(len, cells)):
            window = product(*(axis[i] for axis, i in zip(cells, position, strict=True)))
            output[*place, *position] = pooled(layer, (run.element(*place, *i) for i in window))
    return output


CASES = {
    "global_avg_pool": Case(alone(st.builds(GlobalAvgPool, keep_axes=st.booleans())), naive_global),
    "global_max_pool": Case(alone(st.builds(GlobalMaxPool, keep_axes=st.booleans())), naive_global),
    "adaptive_avg_pool": Case(adaptives(AdaptiveAvgPool), naive_adaptive),
    "adaptive_max_pool": Case(adaptives(AdaptiveMaxPool), naive_adaptive),
}


@pytest.mark.parametrize("name", CASES)
def test_the_values_are_those_of_a_naive_run(name: str) -> None:
    check_forward(CASES[name])


@pytest.mark.parametrize(
    ("layer", "due"),
    [
        (AdaptiveAvgPool(size=3), [4, 17 / 3, 17 / 3]),
        (AdaptiveAvgPool(size=5), [2.5, 4, 17 / 3, 7, 4.5]),
        (AdaptiveMaxPool(size=3), [7, 8, 8]),
        (AdaptiveMaxPool(size=9), [4, 4, 7, 7, 2, 8, 8, 6, 3]),
    ],
)
def test_values_of_pytorch(layer: Layer, due: list[float]) -> None:
    # torch 2.14, nn.functional.adaptive_avg_pool1d and adaptive_max_pool1d
    y = output_of(layer, [[[4, 1, 7, 2, 8, 6, 3]]])
    numpy.testing.assert_allclose(y, [[due]], rtol=1e-15)


def test_values_of_pytorch_over_two_axes() -> None:
    # torch 2.14, nn.functional.adaptive_avg_pool2d
    y = output_of(AdaptiveAvgPool(size=(2, 3)), ramp(1, 1, 3, 5) ** 2)
    due = [[22.5, 223 / 6, 55.5], [87.5, 703 / 6, 150.5]]
    numpy.testing.assert_allclose(y, [[due]], rtol=1e-15)


def test_the_pooling_of_resnet50_as_thop_counts_it() -> None:
    # reference/conventions.md: k + 1 for a window of k, where ours is k − 1 adds and a division
    for layer in (GlobalAvgPool(), AdaptiveAvgPool(size=1)):
        cost = Operation(layer, ((1, 2048, 7, 7),)).cost
        assert cost.adds + 2 * cost.divides == 102_400


def test_samples_and_channels_stay_apart() -> None:
    views = [GlobalAvgPool().view(axis, 0, (2, 3, 4, 5)) for axis in range(4)]
    assert views == [(0, IDENTITY), (1, IDENTITY), None, None]


def test_a_grid_of_the_size_of_the_input_adds_nothing() -> None:
    cost = Operation(AdaptiveAvgPool(size=(6, 7)), ((1, 512, 6, 7),)).cost
    assert (cost.adds, cost.divides) == (0, 512 * 6 * 7)


def test_a_grid_larger_than_the_input_repeats_elements() -> None:
    # AlexNet at 63×63 reaches its adaptive pooling at 1×1; torchvision pools to 6×6 all the same
    operation = Operation(AdaptiveAvgPool(size=6), ((1, 256, 1, 1),))
    assert operation.output_shape == (1, 256, 6, 6)
    assert operation.cost.adds == 0


@pytest.mark.parametrize(("mean", "largest"), [
    (GlobalAvgPool(keep_axes=True), GlobalMaxPool(keep_axes=True)),
    (AdaptiveAvgPool(size=(2, 3)), AdaptiveMaxPool(size=(2, 3))),
])  # fmt: skip
def test_a_maximum_compares_what_a_mean_adds(mean: Layer, largest: Layer) -> None:
    one, other = (Operation(layer, ((2, 4, 5, 7),)) for layer in (mean, largest))
    assert one.output_shape == other.output_shape
    assert mean.window(*one.inputs) == largest.window(*other.inputs)
    assert other.cost == Cost(compares=one.cost.adds)


def test_spatial_pyramid_pooling() -> None:
    # He et al. 2014, figure 3: 256 channels pooled to 4×4, 2×2 and 1×1 from 13×13
    x = (1, 256, 13, 13)
    pools = [Operation(AdaptiveMaxPool(size=n), (x,)) for n in (4, 2, 1)]
    assert sum(pool.output_shape[2] * pool.output_shape[3] for pool in pools) == 21
    # 4×4: windows of 4 along each axis, 16 in all; 2×2: of 7, 14 in all
    compares = 256 * ((16 * 16 - 16) + (14 * 14 - 4) + (13 * 13 - 1))
    assert sum(pool.cost.compares for pool in pools) == compares


@pytest.mark.parametrize(
    "layer",
    [GlobalAvgPool(), GlobalMaxPool(), AdaptiveAvgPool(size=2), AdaptiveMaxPool(size=2)],
)
def test_it_needs_spatial_axes(layer: Layer) -> None:
    assert refusal(layer, (2, 3)) == (
        f"{layer.name} needs 1 to 3 spatial axes after [N, channels], and gets [2, 3]. "
        "A flattened tensor has none: put the layer before flatten."
    )


def test_a_list_of_the_wrong_length_is_told_with_the_axes() -> None:
    assert refusal(AdaptiveAvgPool(size=(2, 3)), (1, 4, 9)) == (
        "size has 2 values, but the input has 1 spatial axis (length)"
    )
