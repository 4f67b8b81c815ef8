"""Normalisation, and the learnable factor that often follows one."""

import pytest
from hypothesis import strategies as st

from convcalc.graph import Operation
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
    equal_groups,
    front,
    group_counts,
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
        # folded into a factor and a shift once and for all, before any input is seen
        factor = run.buffer("running_var", channel)
        shift = run.buffer("running_mean", channel)
        if layer.affine:
            factor = run.weight("weight", channel)
            shift = run.weight("bias", channel)
        for sample, *place in positions(x[0], *x[2:]):
            output[sample, channel, *place] = run.number * factor + shift
    return output


def naive_local_response_norm(layer: LocalResponseNorm, run: Run, x: Index) -> Tensor:
    output: Tensor = {}
    for sample, *place in positions(x[0], *x[2:]):
        squares = [run.number * run.number for _ in range(x[1])]
        zeros = [run.number] * layer.size
        padded = [*zeros, *squares, *zeros]
        for channel in range(x[1]):
            start = channel + layer.size - layer.size // 2
            mean = total(padded[start : start + layer.size]) * (layer.alpha / layer.size)
            output[sample, channel, *place] = run.number / (layer.k + mean) ** layer.beta
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
        mean = total(run.number for _ in row) / n
        centred = [run.number - mean for _ in row]
        variance = total(c * c for c in centred) / n
        inverse = 1 / transcendental(variance + layer.eps)
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


@st.composite
def group_norms(draw: st.DrawFn) -> tuple[GroupNorm, tuple[Index]]:
    x = draw(shapes((0, 1, 2, 3)))
    return GroupNorm(groups=draw(group_counts(x[1])), affine=draw(st.booleans())), (x,)


def naive_instance_norm(layer: InstanceNorm, run: Run, x: Index) -> Tensor:
    spatial(x)
    if layer.running_statistics:
        return naive_batch_norm(BatchNorm(affine=layer.affine), run, x)
    return normalised(layer, run, rows(list(range(2, len(x))), x), [1])


def naive_scale(layer: Scale, run: Run, x: Index) -> Tensor:
    axes = different_axes(layer.axes, x)
    return {
        place: run.number * run.weight("weight", *(place[axis] for axis in axes))
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
    "batch_norm": Case(alone(st.builds(BatchNorm, affine=st.booleans())), naive_batch_norm),
    "local_response_norm": Case(
        alone(st.builds(LocalResponseNorm, size=st.integers(1, 6))), naive_local_response_norm
    ),
    "layer_norm": Case(
        alone(st.builds(LayerNorm, axes=AXES, affine=st.booleans())), naive_layer_norm
    ),
    "group_norm": Case(group_norms(), naive_group_norm),
    "instance_norm": Case(
        alone(st.builds(InstanceNorm, affine=st.booleans(), running_statistics=st.booleans())),
        naive_instance_norm,
    ),
    "scale": Case(alone(st.builds(Scale, axes=AXES)), naive_scale),
}


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
