"""Shuffles."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convcalc.graph import Operation
from convcalc.layers.shuffle import ChannelShuffle, PixelShuffle, PixelUnshuffle
from convcalc.view import IDENTITY, View

from .naive import (
    Case,
    DoesNotFitError,
    Index,
    Run,
    Tensor,
    check_forward,
    equal_groups,
    group_counts,
    output_of,
    positions,
    ramp,
    refusal,
    shapes,
    spatial,
)


@st.composite
def channel_shuffles(draw: st.DrawFn) -> tuple[ChannelShuffle, tuple[Index]]:
    batch, channels, *sizes = draw(shapes((0, 1, 2, 3)))
    groups = draw(group_counts(channels))
    # as many groups as channels in each are shuffled forwards and backwards alike
    channels = draw(st.sampled_from([channels, groups * (groups + 1)]))
    return ChannelShuffle(groups=groups), ((batch, channels, *sizes),)


def naive_channel_shuffle(layer: ChannelShuffle, run: Run, x: Index) -> Tensor:
    group_size = len(equal_groups(x[1], layer.groups)[0])
    groups = [range(i, i + group_size) for i in range(0, x[1], group_size)]
    # the first of every group, then the second of every group, …
    order = [channel for together in zip(*groups, strict=True) for channel in together]
    return {
        (place[0], order.index(place[1]), *place[2:]): run.element(*place)
        for place in positions(*x)
    }


@st.composite
def pixel_shuffles(draw: st.DrawFn) -> tuple[PixelShuffle, tuple[Index]]:
    batch, channels, *sizes = draw(shapes((1, 2, 3) * 3 + (0,)))
    scale = draw(st.integers(1, 3))
    block = scale ** len(sizes)
    channels = draw(st.just(block * (channels % 3 + 1)) | st.just(channels))
    return PixelShuffle(scale=scale), ((batch, channels, *(size % 4 + 1 for size in sizes)),)


@st.composite
def pixel_unshuffles(draw: st.DrawFn) -> tuple[PixelUnshuffle, tuple[Index]]:
    x = draw(shapes((1, 2, 3) * 3 + (0,)))
    scale = draw(st.integers(1, 3))
    fitting = (*x[:2], *(scale * (size % 3 + 1) for size in x[2:]))
    return PixelUnshuffle(scale=scale), (draw(st.sampled_from([fitting, fitting, x])),)


def naive_pixel_shuffle(layer: PixelShuffle, run: Run, x: Index) -> Tensor:
    return {image: run.element(*stack) for image, stack in pairs(layer.scale, x)}


def naive_pixel_unshuffle(layer: PixelUnshuffle, run: Run, x: Index) -> Tensor:
    rank = len(spatial(x))
    for channels in range(1, x[1] * layer.scale**rank + 1):
        # the small image whose shuffle is x
        small = (x[0], channels, *(len(range(0, size, layer.scale)) for size in x[2:]))
        try:
            found = list(pairs(layer.scale, small))
        except DoesNotFitError:
            continue
        if {image for image, _ in found} == set(positions(*x)):
            return {stack: run.element(*image) for image, stack in found}
    raise DoesNotFitError


def pairs(scale: int, stacked: Index) -> list[tuple[Index, Index]]:
    """Each place in the large image, with the place in the stack of channels it comes from."""
    rank = len(spatial(stacked))
    corners = list(product(range(scale), repeat=rank))
    if len(range(stacked[1])[:: len(corners)]) * len(corners) != stacked[1]:
        raise DoesNotFitError
    found = []
    for sample, channel, *position in positions(*stacked):
        out, corner = divmod(channel, len(corners))
        pixels = (i * scale + c for i, c in zip(position, corners[corner], strict=True))
        found.append(((sample, out, *pixels), (sample, channel, *position)))
    return found


CASES = {
    "channel_shuffle": Case(channel_shuffles(), naive_channel_shuffle),
    "pixel_shuffle": Case(pixel_shuffles(), naive_pixel_shuffle),
    "pixel_unshuffle": Case(pixel_unshuffles(), naive_pixel_unshuffle),
}


@pytest.mark.parametrize("name", CASES)
def test_the_values_are_those_of_a_naive_run(name: str) -> None:
    check_forward(CASES[name])


def view_of(layer: PixelShuffle | PixelUnshuffle, axis: int, x: Index) -> View:
    found = layer.view(axis, 0, x)
    assert found is not None
    assert found[0] == axis
    return found[1]


@given(st.integers(1, 3), st.sampled_from([(2, 3), (1, 2), (3,), (1, 2, 1)]))
def test_a_pixel_is_read_where_it_comes_from(scale: int, sizes: Index) -> None:
    stacked = (1, 2 * scale ** len(sizes), *sizes)
    image = Operation(PixelShuffle(scale=scale), (stacked,)).output_shape
    there = [view_of(PixelShuffle(scale=scale), a, stacked) for a in range(len(stacked))]
    back = [view_of(PixelUnshuffle(scale=scale), a, image) for a in range(len(image))]
    pixels, channels = zip(*pairs(scale, stacked), strict=True)
    for axis in range(len(stacked)):
        for views, outputs, inputs in ((there, pixels, channels), (back, channels, pixels)):
            for i in range(max(place[axis] for place in outputs) + 1):
                # channels of the image hold pixels of a whole block
                read = [q[axis] for p, q in zip(outputs, inputs, strict=True) if p[axis] == i]
                assert views[axis].reads(i, i) == (min(read), max(read))


def test_shufflenet_and_its_channels() -> None:
    # Zhang et al. 2017, table 1: 240 output channels at stage 2 for 3 groups
    operation = Operation(ChannelShuffle(groups=3), ((1, 240, 28, 28),))
    assert operation.output_shape == (1, 240, 28, 28)
    assert operation.params == sum(operation.cost) == 0
    assert ChannelShuffle(groups=3).view(2, 0, (1, 240, 28, 28)) == (2, IDENTITY)
    assert ChannelShuffle(groups=3).view(1, 0, (1, 240, 28, 28)) is None
    assert ChannelShuffle(groups=1).view(1, 0, (1, 240, 28, 28)) == (1, IDENTITY)


def test_groups_that_do_not_divide_are_told_with_both_numbers() -> None:
    assert refusal(ChannelShuffle(groups=3), (1, 116, 28, 28)) == (
        "groups 3 does not divide in_channels 116. "
        "A channel shuffle interleaves groups of one size."
    )


def test_as_in_the_documentation_of_pytorch() -> None:
    # torch.nn.PixelShuffle and PixelUnshuffle, "Examples"
    operation = Operation(PixelShuffle(scale=3), ((1, 9, 4, 4),))
    assert operation.output_shape == (1, 1, 12, 12)
    assert Operation(PixelUnshuffle(scale=3), ((1, 1, 12, 12),)).output_shape == (1, 9, 4, 4)


def test_a_block_that_does_not_fit_is_told_with_both_numbers() -> None:
    assert refusal(PixelShuffle(scale=2), (1, 6, 5, 5)) == (
        "scale 2 makes 1 channel of 4, and 4 does not divide in_channels 6. "
        "in_channels must be a multiple of scale to the power of the number of spatial axes."
    )
    assert refusal(PixelUnshuffle(scale=2), (1, 6, 4, 5)) == (
        "scale 2 does not divide width 5. Pad or crop the input to a multiple of the scale."
    )


@pytest.mark.parametrize("layer", [PixelShuffle(scale=2), PixelUnshuffle(scale=2)])
def test_they_need_spatial_axes(layer: PixelShuffle | PixelUnshuffle) -> None:
    assert refusal(layer, (2, 4)) == (
        f"{layer.name} needs 1 to 3 spatial axes after [N, channels], and gets [2, 4]. "
        "A flattened tensor has none: put the layer before flatten."
    )


def test_values_as_pytorch_has_them() -> None:
    # PyTorch 2.14, torch.nn.functional
    x = ramp(1, 4, 2, 1)
    image = [[[[1, 3], [5, 7], [2, 4], [6, 8]]]]
    assert output_of(PixelShuffle(scale=2), x).tolist() == image
    assert output_of(PixelUnshuffle(scale=2), image).tolist() == x.tolist()
    x = ramp(1, 6, 1)
    assert output_of(ChannelShuffle(groups=2), x).ravel().tolist() == [1, 4, 2, 5, 3, 6]
    assert output_of(ChannelShuffle(groups=3), x).ravel().tolist() == [1, 3, 5, 2, 4, 6]
