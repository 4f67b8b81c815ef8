"""Normalisation, and the learnable factor that often follows one."""

import math
import operator
from fractions import Fraction
from typing import Any

import numpy
import pytest
from hypothesis import strategies as st

from convcalc.graph import Operation
from convcalc.layer import Layer
from convcalc.layers.norm import (
    BatchNorm,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    LocalResponseNorm,
    Scale,
)
from convcalc.view import IDENTITY

from .naive import (
    Case,
    DoesNotFitError,
    Index,
    Run,
    Tensor,
    alone,
    check_forward,
    equal_groups,
    front,
    group_counts,
    output_of,
    positions,
    refusal,
    shapes,
    spatial,
    total,
    transcendental,
)


def naive_batch_norm(layer: BatchNorm, run: Run, x: Index) -> Tensor:
    output: Tensor = {}
    for channel in range(x[1]):
        mean, variance = run.buffer("running_mean", channel), run.buffer("running_var", channel)
        factor = run.folded(lambda v: 1 / math.sqrt(v + layer.eps), variance)
        shift = run.folded(lambda m, f: -m * f, mean, factor)
        if layer.affine:
            weight, bias = run.weight("weight", channel), run.weight("bias", channel)
            factor = run.folded(operator.mul, factor, weight)
            shift = run.folded(lambda s, w, b: s * w + b, shift, weight, bias)
        for sample, *place in positions(x[0], *x[2:]):
            output[sample, channel, *place] = run.element(sample, channel, *place) * factor + shift
    return output


def naive_local_response_norm(layer: LocalResponseNorm, run: Run, x: Index) -> Tensor:
    output: Tensor = {}
    for sample, *place in positions(x[0], *x[2:]):
        values = [run.element(sample, channel, *place) for channel in range(x[1])]
        squares = [value * value for value in values]
        zeros = [run.constant(0)] * layer.size
        padded = [*zeros, *squares, *zeros]
        for channel in range(x[1]):
            start = channel + layer.size - layer.size // 2
            mean = total(padded[start : start + layer.size]) * (layer.alpha / layer.size)
            output[sample, channel, *place] = values[channel] / (layer.k + mean) ** layer.beta
    return output


def naive_layer_norm(layer: LayerNorm, run: Run, x: Index) -> Tensor:
    axes = different_axes(layer.axes, x)
    return normalised(layer, run, rows(axes, x), axes)


def normalised(
    layer: LayerNorm | GroupNorm | InstanceNorm,
    run: Run,
    together: list[list[Index]],
    axes: list[int],
) -> Tensor:
    """Each list of places brought to mean 0 and variance 1; what is learnt lies along the axes."""
    output: Tensor = {}
    for row in together:
        n = len(row)
        values = [run.element(*place) for place in row]
        mean = total(values) / n
        centred = [value - mean for value in values]
        variance = total(c * c for c in centred) / n
        inverse = 1 / transcendental(math.sqrt, variance + layer.eps)
        for place, value in zip(row, centred, strict=True):
            scaled = value * inverse
            if layer.affine:
                index = [place[axis] for axis in axes]
                scaled = scaled * run.weight("weight", *index) + run.weight("bias", *index)
            output[place] = scaled
    return output


def naive_group_norm(layer: GroupNorm, run: Run, x: Index) -> Tensor:
    together = [
        [(sample, channel, *place) for channel in channels for place in positions(*x[2:])]
        for sample in range(x[0])
        for channels in equal_groups(x[1], layer.groups)
    ]
    return normalised(layer, run, together, [1])


EPS = st.sampled_from([Fraction(1, 100_000), Fraction(1, 10)])


@st.composite
def group_norms(draw: st.DrawFn) -> tuple[GroupNorm, tuple[Index]]:
    x = draw(shapes((0, 1, 2, 3)))
    groups, affine, eps = draw(group_counts(x[1])), draw(st.booleans()), draw(EPS)
    return GroupNorm(groups=groups, affine=affine, eps=eps), (x,)


def naive_instance_norm(layer: InstanceNorm, run: Run, x: Index) -> Tensor:
    spatial(x)
    if layer.running_statistics:
        return naive_batch_norm(BatchNorm(affine=layer.affine, eps=layer.eps), run, x)
    return normalised(layer, run, rows(list(range(2, len(x))), x), [1])


def naive_scale(layer: Scale, run: Run, x: Index) -> Tensor:
    axes = different_axes(layer.axes, x)
    return {
        place: run.element(*place) * run.weight("weight", *(place[axis] for axis in axes))
        for place in positions(*x)
    }


def different_axes(numbers: tuple[int, ...], x: Index) -> list[int]:
    axes = [front(axis, x) for axis in numbers]
    if any(axes.count(axis) > 1 for axis in axes):
        raise DoesNotFitError
    return axes


def rows(axes: list[int], x: Index) -> list[list[Index]]:
    """The places that are normalised together: those that differ along these axes only."""
    found: dict[Index, list[Index]] = {}
    for place in positions(*x):
        others = tuple(i for axis, i in enumerate(place) if axis not in axes)
        found.setdefault(others, []).append(place)
    return list(found.values())


AXES = st.lists(st.sampled_from([1, 2, -1, -2, 3]), min_size=1, max_size=2).map(tuple)

CASES = {
    "batch_norm": Case(
        alone(st.builds(BatchNorm, affine=st.booleans(), eps=EPS)), naive_batch_norm
    ),
    "local_response_norm": Case(
        alone(
            st.builds(
                LocalResponseNorm,
                size=st.integers(1, 6),
                alpha=st.sampled_from([Fraction(1, 10_000), 2]),
                beta=st.sampled_from([Fraction(3, 4), Fraction(1, 2)]),
                k=st.sampled_from([1, 2]),
            )
        ),
        naive_local_response_norm,
    ),
    "layer_norm": Case(
        alone(st.builds(LayerNorm, axes=AXES, affine=st.booleans(), eps=EPS)), naive_layer_norm
    ),
    "group_norm": Case(group_norms(), naive_group_norm),
    "instance_norm": Case(
        alone(
            st.builds(InstanceNorm, affine=st.booleans(), running_statistics=st.booleans(), eps=EPS)
        ),
        naive_instance_norm,
    ),
    "scale": Case(alone(st.builds(Scale, axes=AXES)), naive_scale),
}


@pytest.mark.parametrize("name", CASES)
def test_the_values_are_those_of_a_naive_run(name: str) -> None:
    check_forward(CASES[name])


def test_batch_norm_counts_its_statistics_apart() -> None:
    # PyTorch's num_batches_tracked is no scalar of the network
    operation = Operation(BatchNorm(), ((1, 64, 112, 112),))
    assert (operation.params, operation.buffers) == (128, 128)
    assert operation.cost.multiplies == operation.cost.adds == 64 * 112 * 112


def test_layer_norm_is_over_the_last_axis_by_default() -> None:
    assert Operation(LayerNorm(), ((1, 7, 5, 96),)).params == 2 * 96
    assert Operation(LayerNorm(axes=(1, 2, 3)), ((2, 3, 5, 7),)).params == 2 * 105


@pytest.mark.parametrize("layer", [LayerNorm, Scale])
def test_axes_that_are_not_there(layer: type[LayerNorm | Scale]) -> None:
    assert refusal(layer(axes=(1, 4)), (2, 3, 5, 7)) == (
        f"{layer.name}: axis 4 does not exist: the input has 4 axes, 0 to 3"
    )
    assert refusal(layer(axes=(1, -3)), (2, 3, 5, 7)) == (
        f"{layer.name}: axes [1, -3] of [2, 3, 5, 7] name one axis twice"
    )
    assert refusal(layer(axes=(-4,)), (2, 3, 5, 7)) == (
        f"{layer.name}: axis -4 is the batch, whose samples stay apart. The channels are axis 1."
    )


def test_group_norm_is_between_layer_and_instance_norm() -> None:
    # Wu and He 2018, section 3.1: one group is layer norm, one per channel instance norm
    x = (2, 6, 5, 7)
    one, all_six = (Operation(GroupNorm(groups=n), (x,)) for n in (1, 6))
    assert one.cost == Operation(LayerNorm(axes=(1, 2, 3)), (x,)).cost
    assert all_six.cost == Operation(InstanceNorm(), (x,)).cost
    assert one.params == all_six.params == 12


def test_instance_norm_with_running_statistics_is_batch_norm() -> None:
    x = (2, 6, 5, 7)
    kept = Operation(InstanceNorm(running_statistics=True), (x,))
    due = Operation(BatchNorm(), (x,))
    assert (kept.cost, kept.params, kept.buffers) == (due.cost, due.params, due.buffers)
    assert Operation(InstanceNorm(), (x,)).buffers == 0


def test_what_is_normalised_together_is_read_whole() -> None:
    x = (2, 6, 5, 7)
    apart = (0, IDENTITY)
    assert [GroupNorm(groups=2).view(axis, 0, x) for axis in range(4)] == [apart, *[None] * 3]
    own, kept = InstanceNorm(), InstanceNorm(running_statistics=True)
    assert [own.view(axis, 0, x) for axis in range(4)] == [apart, (1, IDENTITY), None, None]
    assert [kept.view(axis, 0, x) for axis in range(4)] == [(i, IDENTITY) for i in range(4)]
    assert GroupNorm(groups=2).window(x) is own.window(x) is None
    assert kept.window(x) == (IDENTITY, IDENTITY)


def test_groups_that_do_not_divide_are_told_with_both_numbers() -> None:
    assert refusal(GroupNorm(groups=32), (1, 48, 7, 7)) == (
        "groups 32 does not divide in_channels 48. in_channels must be a multiple of groups."
    )


def test_instance_norm_needs_spatial_axes() -> None:
    assert refusal(InstanceNorm(), (2, 3)) == (
        "instance_norm needs 1 to 3 spatial axes after [N, channels], and gets [2, 3]. "
        "A flattened tensor has none: put the layer before flatten."
    )


# PyTorch 2.14, torch.nn.functional in float64
X = [[[-5, 0, 5], [-2, 3, -4], [1, 6, -1], [4, -3, 2]]]
LEARNT = {"weight": numpy.array([1, 2, -1, 0.5]), "bias": numpy.array([0.0, 1, 2, 3])}
KEPT = {
    "running_mean": numpy.array([1.0, -1, 0, 2]),
    "running_var": numpy.array([1, 4, 0.25, 2]),
}
HALF = Fraction(1, 2)


@pytest.mark.parametrize(
    ("layer", "weights", "due"),
    [
        (BatchNorm(eps=HALF), LEARNT | KEPT,
         [-4.898979486, -0.8164965809, 3.265986324, 0.05719095842, 4.771236166, -1.828427125,
          0.8452994616, -4.92820323, 3.154700538, 3.632455532, 1.41886117, 3]),
        (BatchNorm(eps=HALF, affine=False), KEPT,
         [-4.898979486, -0.8164965809, 3.265986324, -0.4714045208, 1.885618083, -1.414213562,
          1.154700538, 6.92820323, -1.154700538, 1.264911064, -3.16227766, 0]),
        (InstanceNorm(eps=HALF, running_statistics=True), LEARNT | KEPT,
         [-4.898979486, -0.8164965809, 3.265986324, 0.05719095842, 4.771236166, -1.828427125,
          0.8452994616, -4.92820323, 3.154700538, 3.632455532, 1.41886117, 3]),
        (InstanceNorm(eps=HALF), LEARNT,
         [-1.20677698, 0, 1.20677698, 0.3394217409, 3.642313036, -0.9817347772,
          2.33028913, 0.6788434818, 2.990867389, 3.495433694, 2.339421741, 3.165144565]),
        (GroupNorm(groups=2, eps=HALF), LEARNT,
         [-1.228542539, 0.1365047266, 1.501551992, 0.1809716407, 2.911066172, -0.9110661718,
          2.162937634, 0.5335612942, 2.81468817, 3.407344085, 2.266780647, 3.081468817]),
        (LayerNorm(affine=False), {},
         [-1.224744504, 0, 1.224744504, -0.3396829143, 1.358731657, -1.019048743,
          -0.3396829143, 1.358731657, -1.019048743, 1.019048743, -1.358731657, 0.3396829143]),
        (LocalResponseNorm(size=2, alpha=HALF, k=2), {},
         [-1.027139765, 0, 1.027139765, -0.3770714892, 1.013513545, -0.6108828387,
          0.4131307099, 0.8639514576, -0.2529822128, 1.011928851, -0.4319757288, 0.8262614198]),
        (LocalResponseNorm(size=3, alpha=HALF, beta=HALF), {},
         [-2.070196678, 0, 1.786474003, -0.8164965809, 1.028991511, -1.414213562,
          0.4714045208, 1.897366596, -0.4714045208, 2.043015674, -1.028991511, 1.477097892]),
    ],
)  # fmt: skip
def test_values_as_pytorch_has_them(layer: Layer, weights: Any, due: list[float]) -> None:
    y = output_of(layer, X, **weights)
    numpy.testing.assert_allclose(y.ravel(), due, rtol=2e-9, atol=1e-12)


@pytest.mark.parametrize("axes", [(1, 2), (2, 1), (-1, -2)])
def test_what_is_learnt_lies_along_the_axes_as_they_are_named(axes: Index) -> None:
    # torch.nn.functional.layer_norm over [4, 3]
    factor = numpy.array([[1.0, 2, 3], [4, 5, 6], [-1, -2, -3], [0, 1, 0]])
    factor = factor if axes == (1, 2) else factor.T
    due = [-2.56084644, -2.283790262, 0.8311685357, -6.837902619, -1.452621726, -13.66233707,
           0.858104869, -1.121692881, 4.277056179, 0, -1.993265917, 0]  # fmt: skip
    y = output_of(LayerNorm(axes=axes, eps=HALF), X, weight=factor, bias=-factor)
    numpy.testing.assert_allclose(y.ravel(), due, rtol=2e-9, atol=1e-12)
    assert output_of(Scale(axes=axes), X, weight=factor)[0, 1].tolist() == [-8, 15, -24]
