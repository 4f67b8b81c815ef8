"""MACs without padded zeros, against loops that look at every product."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import convcalc
from convcalc.dim import Dim, symbol
from convcalc.errors import ShapeError
from convcalc.graph import Operation
from convcalc.layers.conv import Conv
from convcalc.layers.conv_transpose import ConvTranspose

SIDES = st.integers(0, 4)
PADDING = (
    SIDES | st.tuples(SIDES, SIDES).map(lambda p: (p,)) | st.sampled_from(["same", "same_lower"])
)


def placed(layer: Any, size: int, out: int) -> int:
    """The products of one axis of a convolution whose input is no padded zero."""
    window = layer.window((1, 1, size))[0]
    return sum(
        0 <= i * window.stride - window.before + t * window.dilation < size
        for i, t in itertools.product(range(out), range(window.kernel))
    )


@given(st.integers(1, 14), st.integers(1, 6), st.integers(1, 5), PADDING, st.integers(1, 4))
def test_conv(size: int, kernel: int, stride: int, padding: Any, dilation: int) -> None:
    layer = Conv(
        out_channels=6, kernel=kernel, stride=stride, padding=padding, dilation=dilation, groups=3
    )
    try:
        operation = Operation(layer, ((2, 9, size),))
    except ShapeError:
        return
    out = operation.output_shape[2]
    assert isinstance(out, int)
    assert operation.macs_nonpad == 2 * 6 * 3 * placed(layer, size, out)
    form = Operation(layer, ((2, 9, symbol("H")),)).macs_nonpad
    assert (form.evaluate(H=size) if isinstance(form, Dim) else form) == operation.macs_nonpad


@given(
    st.tuples(st.integers(3, 7), st.integers(3, 9)),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.tuples(st.tuples(SIDES, SIDES), st.tuples(SIDES, SIDES)),
)
def test_conv_over_two_axes(size: Any, kernel: Any, padding: Any) -> None:
    layer = Conv(out_channels=5, kernel=kernel, stride=(2, 1), padding=padding)
    operation = Operation(layer, ((1, 2, *size),))
    windows = layer.window((1, 2, *size))
    found = 0
    for i, j in itertools.product(*map(range, operation.output_shape[2:])):  # type: ignore[arg-type]
        for s, t in itertools.product(*map(range, kernel)):
            row = i * 2 - windows[0].before + s
            column = j - windows[1].before + t
            found += 0 <= row < size[0] and 0 <= column < size[1]
    assert operation.macs_nonpad == 5 * 2 * found


@given(
    st.integers(1, 9),
    st.integers(1, 5),
    st.integers(1, 4),
    SIDES,
    st.integers(1, 3),
    st.integers(0, 3),
)
def test_conv_transpose(
    size: int, kernel: int, stride: int, padding: int, dilation: int, extra: int
) -> None:
    layer = ConvTranspose(
        out_channels=4, kernel=kernel, stride=stride, padding=padding, dilation=dilation,
        output_padding=extra, groups=2,
    )  # fmt: skip
    try:
        operation = Operation(layer, ((3, 6, size),))
    except ShapeError:
        return
    out = operation.output_shape[2]
    assert isinstance(out, int)
    kept = sum(
        0 <= i * stride + t * dilation - padding < out
        for i, t in itertools.product(range(size), range(kernel))
    )
    assert operation.macs_nonpad == 3 * 6 * 2 * kept
    form = Operation(layer, ((3, 6, symbol("H")),)).macs_nonpad
    assert (form.evaluate(H=size) if isinstance(form, Dim) else form) == operation.macs_nonpad


@pytest.mark.parametrize(
    ("name", "macs_nonpad"),
    [("alexnet", 657_918_720), ("vgg16", 14_969_824_000), ("resnet50", 3_948_251_904)],
)
def test_published(name: str, macs_nonpad: int) -> None:
    net = convcalc.load(name)
    assert net.summarize().totals.macs_nonpad == macs_nonpad
    form = net.formula("macs_nonpad")
    assert form.evaluate(N=1, H=224, W=224) == macs_nonpad
    assert form.evaluate(N=2, H=97, W=130) == net.summarize(N=2, H=97, W=130).totals.macs_nonpad


def test_configuration_decides_what_it_can() -> None:
    # 8·3·(3·H − 2)·(3·W − 2): of three taps the outer ones miss one position each
    net = convcalc.loads(
        "{input: [3, H, W], layers: [conv: {out_channels: 8, kernel: 3, padding: 1}]}"
    )
    assert str(net.formula("macs_nonpad")) == "N·(216·H·W − 144·H − 144·W + 96)"


def test_padding_that_depends_on_the_size() -> None:
    net = convcalc.loads(
        "{input: [1, H, W], variables: {H: 64, W: 64},"
        " layers: [conv: {out_channels: 4, kernel: 3, padding: H // 3}]}"
    )
    form = net.formula("macs_nonpad")
    for sizes in ({"N": 1, "H": 5, "W": 9}, {"N": 2, "H": 12, "W": 3}):
        assert form.evaluate(**sizes) == net.summarize(**sizes).totals.macs_nonpad


def test_large_kernels_are_quick() -> None:
    net = convcalc.loads(
        "{input: [1, 999_999_999], layers: [conv: {out_channels: 1, kernel: 99_999, padding: 3}]}"
    )
    # of the first three taps 3, 2 and 1 products meet padding, and so at the end
    totals = net.summarize().totals
    assert totals.macs - totals.macs_nonpad == 2 * (3 + 2 + 1)


def test_without_padding_nothing_is_left_out() -> None:
    for name in ("unet", "lenet5"):
        totals = convcalc.load(name).summarize().totals
        assert (totals.macs_nonpad == totals.macs) == (name == "unet")
