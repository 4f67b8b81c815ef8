"""Transposed convolution."""

import pytest
from hypothesis import strategies as st

from convcalc.graph import Operation
from convcalc.layers.conv import Conv
from convcalc.layers.conv_transpose import ConvTranspose

from .naive import (
    Case,
    DoesNotFitError,
    Index,
    Run,
    Tensor,
    check_forward,
    each_axis,
    equal_groups,
    group_counts,
    kernels,
    output_of,
    pads_of,
    per_axis,
    positions,
    ramp,
    refusal,
    shapes,
    spatial,
)


@st.composite
def transposed(draw: st.DrawFn) -> tuple[ConvTranspose, tuple[Index]]:
    x = draw(shapes())
    rank, channels = len(x) - 2, x[1]
    groups = draw(group_counts(channels))
    crops = st.integers(0, 2)
    layer = ConvTranspose(
        out_channels=draw(st.sampled_from([groups, 2 * groups]) | st.integers(1, 6)),
        kernel=draw(kernels(rank)),
        stride=draw(per_axis(st.integers(1, 3), rank)),
        padding=draw(per_axis(crops, rank) | st.tuples(*[st.tuples(crops, crops)] * rank)),
        output_padding=draw(st.just(0) | per_axis(st.integers(0, 1), rank) | st.integers(0, 2)),
        dilation=draw(per_axis(st.integers(1, 2), rank)),
        groups=groups,
        bias=draw(st.booleans()),
    )
    return layer, (x,)


def naive_transposed(layer: ConvTranspose, run: Run, x: Index) -> Tensor:
    """Every input times the whole kernel is added into a canvas, which is then cropped."""
    sizes = spatial(x)
    rank = len(sizes)
    groups = zip(
        equal_groups(x[1], layer.groups),
        equal_groups(layer.out_channels, layer.groups),
        strict=True,
    )
    kernel, stride, dilation, extra = (
        each_axis(value, rank)
        for value in (layer.kernel, layer.stride, layer.dilation, layer.output_padding)
    )
    if any(e >= s and e >= d for e, s, d in zip(extra, stride, dilation, strict=True)):
        raise DoesNotFitError
    reach = [
        s * (n - 1) + d * (k - 1) + e + 1
        for n, k, s, d, e in zip(sizes, kernel, stride, dilation, extra, strict=True)
    ]
    kept = [
        range(length)[before : max(0, length - after)]
        for length, (before, after) in zip(reach, pads_of(layer.padding, rank), strict=True)
    ]
    if not all(kept):
        raise DoesNotFitError
    output: Tensor = {}
    for channels, outputs in groups:
        for sample in range(x[0]):
            canvas = {
                (out, *place): run.weight("bias", out) if layer.bias else run.constant(0)
                for out in outputs
                for place in positions(*reach)
            }
            for channel in channels:
                for position in positions(*sizes):
                    for i, out in enumerate(outputs):
                        for tap in positions(*kernel):
                            place = (
                                s * p + d * t
                                for p, t, s, d in zip(position, tap, stride, dilation, strict=True)
                            )
                            weight = run.weight("weight", channel, i, *tap)
                            canvas[out, *place] += run.mac(
                                run.element(sample, channel, *position), weight
                            )
            for (out, *place), value in canvas.items():
                if all(p in keep for p, keep in zip(place, kept, strict=True)):
                    shifted = (p - keep[0] for p, keep in zip(place, kept, strict=True))
                    output[sample, out, *shifted] = value
    return output


CASES = {"conv_transpose": Case(transposed(), naive_transposed, examples=250)}


def test_the_values_are_those_of_a_naive_run() -> None:
    check_forward(CASES["conv_transpose"])


def test_values_of_pytorch() -> None:
    # torch 2.14, nn.functional.conv_transpose2d and conv_transpose1d
    layer = ConvTranspose(
        out_channels=2, kernel=2, stride=(2, 1), padding=(1, 0), output_padding=(1, 0),
        groups=2, dilation=(1, 2),
    )  # fmt: skip
    y = output_of(layer, ramp(1, 2, 2, 2), weight=ramp(2, 1, 2, 2), bias=ramp(2))
    assert y.tolist() == [
        [
            [[4, 7, 5, 9], [4, 5, 7, 9], [10, 13, 13, 17]],
            [[37, 44, 42, 50], [37, 42, 44, 50], [51, 58, 58, 66]],
        ]
    ]
    layer = ConvTranspose(
        out_channels=2, kernel=3, stride=3, padding=1, output_padding=2, dilation=2
    )
    y = output_of(layer, ramp(1, 1, 3), weight=ramp(1, 2, 3), bias=ramp(2))
    assert y.tolist() == [
        [[1, 3, 3, 4, 5, 4, 7, 7, 1, 10, 1], [2, 7, 10, 8, 12, 14, 14, 17, 2, 20, 2]]
    ]


def test_a_weight_of_another_shape_is_an_error() -> None:
    layer = ConvTranspose(out_channels=4, kernel=2)
    # that of a convolution has the channels the other way round
    with pytest.raises(
        ValueError, match=r"^weight has the shape \(4, 2, 2\), and \(2, 4, 2\) is due$"
    ):
        output_of(layer, ramp(1, 2, 5), weight=ramp(4, 2, 2), bias=ramp(4))
    with pytest.raises(ValueError, match=r"^bias has the shape \(1,\), and \(4,\) is due$"):
        output_of(layer, ramp(1, 2, 5), weight=ramp(2, 4, 2), bias=ramp(1))


def test_output_padding_as_in_the_documentation_of_pytorch() -> None:
    # torch.nn.ConvTranspose2d, its example: 12 → 6 by the convolution, and 6 → 12 back
    down = Conv(out_channels=16, kernel=3, stride=2, padding=1)
    assert Operation(down, ((1, 16, 12, 12),)).output_shape == (1, 16, 6, 6)
    for extra, size in ((0, 11), (1, 12)):
        up = ConvTranspose(out_channels=16, kernel=3, stride=2, padding=1, output_padding=extra)
        assert Operation(up, ((1, 16, 6, 6),)).output_shape == (1, 16, size, size)


def test_operations_are_counted_over_input_positions() -> None:
    # U-Net's up-convolution 2×2 of stride 2, 1024 → 512 on 28×28 (arXiv:1505.04597, figure 1)
    up = ConvTranspose(out_channels=512, kernel=2, stride=2)
    operation = Operation(up, ((1, 1024, 28, 28),))
    assert operation.output_shape == (1, 512, 56, 56)
    assert operation.params == 2_097_664
    assert operation.cost.macs == 28 * 28 * 1024 * 512 * 2 * 2  # not 56 · 56: a quarter of that


def test_groups_that_do_not_divide_are_told_with_both_numbers() -> None:
    assert refusal(ConvTranspose(out_channels=5, kernel=1, groups=3), (1, 6, 9)) == (
        "groups 3 does not divide out_channels 5. "
        "Both in_channels and out_channels must be multiples of groups."
    )


def test_output_padding_is_less_than_the_stride_or_the_dilation() -> None:
    layer = ConvTranspose(out_channels=1, kernel=2, stride=2, dilation=3, output_padding=(2, 3))
    assert refusal(layer, (1, 1, 5, 6)) == (
        "output_padding 3 must be smaller than the stride 2 or the dilation 3"
    )


def test_a_crop_of_everything_is_told_with_both_sizes() -> None:
    layer = ConvTranspose(out_channels=1, kernel=(3, 2), padding=((1, 2), (3, 4)))
    assert refusal(layer, (1, 1, 7, 5)) == "padding 3 and 4 crops the whole width of 6"


@pytest.mark.parametrize("field", ["kernel", "stride", "dilation", "padding", "output_padding"])
def test_a_list_of_the_wrong_length_is_told_with_the_axes(field: str) -> None:
    layer = ConvTranspose(**{"out_channels": 1, "kernel": 1, field: (1, 1, 1)})
    assert refusal(layer, (1, 3, 9, 8)) == (
        f"{field} has 3 values, but the input has 2 spatial axes (height, width)"
    )


def test_it_needs_spatial_axes() -> None:
    assert refusal(ConvTranspose(out_channels=1, kernel=1), (2, 3)) == (
        "conv_transpose needs 1 to 3 spatial axes after [N, channels], and gets [2, 3]. "
        "A flattened tensor has none: put the layer before flatten."
    )
