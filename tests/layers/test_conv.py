"""Convolution."""

from itertools import product

import pytest
from hypothesis import strategies as st

from convcalc.graph import Operation
from convcalc.layers.conv import Conv

from .naive import (
    Case,
    Index,
    Run,
    Tensor,
    check_forward,
    equal_groups,
    group_counts,
    kernels,
    output_of,
    paddings,
    per_axis,
    positions,
    ramp,
    refusal,
    shapes,
    total,
    windows_of,
)


@st.composite
def convs(draw: st.DrawFn) -> tuple[Conv, tuple[Index]]:
    x = draw(shapes())
    rank, channels = len(x) - 2, x[1]
    groups = draw(group_counts(channels))
    layer = Conv(
        out_channels=draw(st.sampled_from([groups, 2 * groups]) | st.integers(1, 6)),
        kernel=draw(kernels(rank)),
        stride=draw(per_axis(st.integers(1, 3), rank)),
        padding=draw(paddings(rank)),
        dilation=draw(per_axis(st.integers(1, 2), rank)),
        groups=groups,
        bias=draw(st.booleans()),
    )
    return layer, (x,)


def naive_conv(layer: Conv, run: Run, x: Index) -> Tensor:
    groups = list(
        zip(
            equal_groups(x[1], layer.groups),
            equal_groups(layer.out_channels, layer.groups),
            strict=True,
        )
    )
    run.taps = windows_of(layer, x, dilation=layer.dilation, stride=layer.stride)
    output: Tensor = {}
    for sample in range(x[0]):
        for channels, outputs in groups:
            for out in outputs:
                for position in positions(*map(len, run.taps)):
                    window = [axis[i] for axis, i in zip(run.taps, position, strict=True)]
                    value = total(
                        run.mac(
                            run.element(sample, channel, *place), run.weight("weight", out, i, *tap)
                        )
                        for i, channel in enumerate(channels)
                        for tap, place in zip(
                            product(*(range(len(taps)) for taps in window)),
                            product(*window),
                            strict=True,
                        )
                    )
                    if layer.bias:
                        value = value + run.weight("bias", out)
                    output[sample, out, *position] = value
    return output


CASES = {"conv": Case(convs(), naive_conv, examples=250)}


def test_the_values_are_those_of_a_naive_run() -> None:
    check_forward(CASES["conv"])


def test_values_of_pytorch() -> None:
    # torch 2.14, nn.functional.conv2d
    layer = Conv(out_channels=2, kernel=2, stride=(2, 1), padding=(1, 0), dilation=(1, 2), groups=2)
    y = output_of(layer, ramp(1, 2, 4, 3), weight=ramp(2, 1, 2, 2), bias=ramp(2))
    assert y.tolist() == [[[[16], [74], [35]], [[213], [491], [256]]]]


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("weight", (2, 4, 3, 2)),  # transposed: as many elements
        ("weight", (4, 2, 6)),
        ("weight", (1, 2, 3, 2)),
        ("bias", (1,)),
        ("bias", (4, 1)),
    ],
)
def test_a_weight_of_another_shape_is_an_error(name: str, shape: Index) -> None:
    weights = {"weight": ramp(4, 2, 3, 2), "bias": ramp(4)}
    layer = Conv(out_channels=4, kernel=(3, 2))
    assert output_of(layer, ramp(1, 2, 5, 5), **weights).shape == (1, 4, 3, 4)
    with pytest.raises(ValueError, match=rf"^{name} has the shape \(.*\), and \(.*\) is due$"):
        output_of(layer, ramp(1, 2, 5, 5), **{**weights, name: ramp(*shape)})


def test_the_first_layer_of_alexnet() -> None:
    # Krizhevsky, Sutskever, Hinton 2012: 96 kernels of 11×11×3, stride 4, on 227×227
    operation = Operation(Conv(out_channels=96, kernel=11, stride=4), ((1, 3, 227, 227),))
    assert operation.output_shape == (1, 96, 55, 55)
    assert operation.params == 34_944
    assert operation.cost.macs == 105_415_200
    assert operation.cost.adds == 105_415_200  # one fewer in the sum, one for the bias


@pytest.mark.parametrize(
    ("padding", "outputs", "before", "after"),
    [(0, 2, 0, 0), ("same", 3, 1, 2), ("same_lower", 3, 2, 1)],
)
def test_same_as_in_the_documentation_of_tensorflow(
    padding: object, outputs: int, before: int, after: int
) -> None:
    # tf.nn, "Notes on padding": input width 13, filter width 6, stride 5
    layer = Conv(out_channels=1, kernel=6, stride=5, padding=padding)
    assert Operation(layer, ((1, 1, 13),)).output_shape[2] == outputs
    (window,) = layer.window((1, 1, 13))
    assert (window.before, window.after) == (before, after)


def test_a_window_that_does_not_fit_is_told_with_both_sizes() -> None:
    assert refusal(Conv(out_channels=1, kernel=7), (1, 3, 9, 5)) == (
        "a window of 7 does not fit width 5. "
        "A larger input, more padding or one pooling less would do."
    )
    assert refusal(Conv(out_channels=1, kernel=3, dilation=4, padding=1), (1, 3, 8, 6, 11)) == (
        "a window of 3 (9 with dilation 4) does not fit height 6 (8 with its padding). "
        "A larger input, more padding or one pooling less would do."
    )


def test_groups_that_do_not_divide_are_told_with_both_numbers() -> None:
    hint = "Both in_channels and out_channels must be multiples of groups."
    assert refusal(Conv(out_channels=4, kernel=1, groups=2), (1, 7, 9)) == (
        f"groups 2 does not divide in_channels 7. {hint}"
    )
    assert refusal(Conv(out_channels=5, kernel=1, groups=3), (1, 6, 9)) == (
        f"groups 3 does not divide out_channels 5. {hint}"
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [("kernel", (3, 4)), ("stride", (1, 2)), ("dilation", (1, 2)), ("padding", ((0, 1), (2, 3)))],
)
def test_a_list_of_the_wrong_length_is_told_with_the_axes(field: str, value: object) -> None:
    layer = Conv(**{"out_channels": 1, "kernel": 1, field: value})
    assert refusal(layer, (1, 3, 9, 8, 7)) == (
        f"{field} has 2 values, but the input has 3 spatial axes (depth, height, width)"
    )
    assert refusal(layer, (1, 3, 9)) == (
        f"{field} has 2 values, but the input has 1 spatial axis (length)"
    )


def test_it_needs_spatial_axes() -> None:
    assert refusal(Conv(out_channels=1, kernel=1), (2, 3)) == (
        "conv needs 1 to 3 spatial axes after [N, channels], and gets [2, 3]. "
        "A flattened tensor has none: put the layer before flatten."
    )
    assert refusal(Conv(out_channels=1, kernel=1), (2, 3, 4, 5, 6, 7)) == (
        "conv needs 1 to 3 spatial axes after [N, channels], and gets [2, 3, 4, 5, 6, 7]"
    )
