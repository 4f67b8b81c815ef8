"""Short forms: convolutions that keep the channels apart, and then mix them."""

from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convcalc.dim import Dim, symbol
from convcalc.graph import Operation
from convcalc.layer import Layer, fields
from convcalc.layers import layer_names
from convcalc.layers.conv import Conv
from convcalc.layers.separable_conv import DepthwiseConv, SeparableConv
from convcalc.spec.suggest import field_hint, layer_hint
from convcalc.view import IDENTITY

from .naive import (
    Case,
    DoesNotFitError,
    Index,
    Run,
    Tensor,
    check_forward,
    kernels,
    paddings,
    per_axis,
    positions,
    refusal,
    shapes,
    total,
    windows_of,
)


@st.composite
def configurations(
    draw: st.DrawFn, layer: type[DepthwiseConv | SeparableConv]
) -> tuple[Any, tuple[Index]]:
    x = draw(shapes())
    rank = len(x) - 2
    more = {"out_channels": draw(st.integers(1, 4))} if layer is SeparableConv else {}
    return layer(
        **more,
        kernel=draw(kernels(rank)),
        multiplier=draw(st.integers(1, 3)),
        stride=draw(per_axis(st.integers(1, 3), rank)),
        padding=draw(paddings(rank)),
        dilation=draw(per_axis(st.integers(1, 2), rank)),
        bias=draw(st.booleans()),
    ), (x,)


def filtered(layer: DepthwiseConv | SeparableConv, run: Run, x: Index, weight: str) -> Tensor:
    """`multiplier` filters over each channel alone."""
    run.taps = windows_of(layer, x, dilation=layer.dilation, stride=layer.stride)
    output: Tensor = {}
    for sample, channel, i in positions(x[0], x[1], layer.multiplier):
        out = channel * layer.multiplier + i
        for position in positions(*map(len, run.taps)):
            window = [axis[i] for axis, i in zip(run.taps, position, strict=True)]
            output[sample, out, *position] = total(
                run.mac(run.element(sample, channel, *place), run.weight(weight, out, 0, *tap))
                for tap, place in zip(
                    product(*(range(len(taps)) for taps in window)), product(*window), strict=True
                )
            )
    return output


def naive_depthwise(layer: DepthwiseConv, run: Run, x: Index) -> Tensor:
    output = filtered(layer, run, x, "weight")
    if not layer.bias:
        return output
    return {place: value + run.weight("bias", place[1]) for place, value in output.items()}


def naive_separable(layer: SeparableConv, run: Run, x: Index) -> Tensor:
    between = filtered(layer, run, x, "depthwise_weight")
    assert run.taps is not None
    rank, channels = len(run.taps), {place[1] for place in between}
    output: Tensor = {}
    for sample, out, *position in positions(x[0], layer.out_channels, *map(len, run.taps)):
        value = total(
            run.mac(
                between[sample, channel, *position],
                run.weight("pointwise_weight", out, channel, *[0] * rank),
            )
            for channel in channels
        )
        output[sample, out, *position] = value + run.weight("bias", out) if layer.bias else value
    return output


CASES = {
    "depthwise_conv": Case(configurations(DepthwiseConv), naive_depthwise, examples=100),
    "separable_conv": Case(configurations(SeparableConv), naive_separable, examples=100),
}


@pytest.mark.parametrize("name", CASES)
def test_the_values_are_those_of_a_naive_run(name: str) -> None:
    check_forward(CASES[name])


@given(configurations(DepthwiseConv))
def test_products_with_a_padded_zero_are_left_out(
    drawn: tuple[DepthwiseConv, tuple[Index]],
) -> None:
    layer, (x,) = drawn
    separable = SeparableConv(out_channels=5, **vars(layer))
    run = Run()
    try:
        filtered(layer, run, x, "weight")
    except DoesNotFitError:
        return
    assert run.taps is not None
    inside = [sum(0 <= i < n for window in axis for i in window)
              for n, axis in zip(x[2:], run.taps, strict=True)]  # fmt: skip
    products = x[0] * x[1] * layer.multiplier
    for count in inside:
        products *= count
    assert layer.macs_nonpad(x) == products
    pointwise = separable.cost(x).macs - layer.cost(x).macs
    assert separable.macs_nonpad(x) == products + pointwise
    batch, channels, size = symbol("N"), symbol("C"), symbol("H")
    for short in (layer, separable):
        form = short.macs_nonpad((batch, channels, size, *x[3:]))
        value = form.evaluate(N=x[0], C=x[1], H=x[2]) if isinstance(form, Dim) else form
        assert value == short.macs_nonpad(x)


def test_a_layer_of_mobilenet() -> None:
    # Howard et al. 2017, table 1: conv dw / s1, 3×3×512 on 14×14; then 1×1×512×512
    x = (1, 512, 14, 14)
    depthwise = Operation(DepthwiseConv(kernel=3, padding=1, bias=False), (x,))
    assert (depthwise.params, depthwise.cost.macs) == (4_608, 903_168)
    separable = SeparableConv(out_channels=512, kernel=3, padding=1, bias=False)
    both = Operation(separable, (x,))
    assert both.params == 4_608 + 262_144
    assert both.cost.macs == 903_168 + 51_380_224
    # equation 5: 1/N + 1/D_K² of a full convolution
    full = Operation(Conv(out_channels=512, kernel=3, padding=1), (x,)).cost.macs
    assert both.cost.macs * 9 * 512 == full * (9 + 512)


def test_a_layer_of_xception() -> None:
    # keras.applications.Xception, block5_sepconv1: 536,536 parameters
    layer = SeparableConv(out_channels=728, kernel=3, padding="same", bias=False)
    operation = Operation(layer, ((1, 728, 19, 19),))
    assert operation.output_shape == (1, 728, 19, 19)
    assert operation.params == 536_536


def test_it_is_a_convolution_with_a_group_per_channel() -> None:
    x = (2, 6, 9, 8)
    fields = {"kernel": (3, 2), "stride": (2, 1), "padding": ((0, 1), (2, 0)), "dilation": (1, 2)}
    short = Operation(DepthwiseConv(**fields, multiplier=2), (x,))
    long = Operation(Conv(**fields, out_channels=12, groups=6), (x,))
    assert short.output_shape == long.output_shape
    assert short.cost == long.cost
    assert short.layer.weights(x) == long.layer.weights(x)
    assert short.layer.macs_nonpad(x) == long.layer.macs_nonpad(x)


def test_a_channel_is_read_from_its_own() -> None:
    x = (2, 6, 9, 8)
    assert DepthwiseConv(kernel=3).view(1, 0, x) == (1, IDENTITY)
    _, view = DepthwiseConv(kernel=3, multiplier=2).view(1, 0, x) or (0, IDENTITY)
    assert [view.reads(i, i) for i in range(4)] == [(0, 0), (0, 0), (1, 1), (1, 1)]
    assert SeparableConv(out_channels=4, kernel=3).view(1, 0, x) is None


@pytest.mark.parametrize(
    "layer", [DepthwiseConv(kernel=4), SeparableConv(out_channels=1, kernel=4)]
)
def test_what_does_not_fit_is_told_as_by_a_convolution(layer: Layer) -> None:
    assert refusal(layer, (1, 3, 9, 3)) == (
        "a window of 4 does not fit width 3. "
        "A larger input, more padding or one pooling less would do."
    )
    assert refusal(layer, (2, 3)) == (
        f"{layer.name} needs 1 to 3 spatial axes after [N, channels], and gets [2, 3]. "
        "A flattened tensor has none: put the layer before flatten."
    )


def test_the_names_that_people_bring() -> None:
    for name in ("DepthwiseConv2D", "depthwise_conv2d", "dwconv"):
        assert layer_hint(name, layer_names()) == "Did you mean 'depthwise_conv'?"
    for name in ("SeparableConv2D", "sepconv", "depthwise_separable_conv"):
        assert layer_hint(name, layer_names()) == "Did you mean 'separable_conv'?"
    hint = field_hint("depth_multiplier", [field.name for field in fields(DepthwiseConv)])
    assert hint == "Did you mean 'multiplier'?"
