"""Pooling over sliding windows."""

from itertools import product
from math import inf

import pytest
from hypothesis import strategies as st

from convcalc.graph import Operation
from convcalc.layers.pool import AvgPool, MaxPool

from .naive import (
    Case,
    DoesNotFitError,
    Index,
    Run,
    Tensor,
    check_forward,
    kernels,
    largest,
    output_of,
    paddings,
    pads_of,
    per_axis,
    positions,
    ramp,
    refusal,
    shapes,
    total,
    windows_of,
)

Pool = MaxPool | AvgPool


@st.composite
def pools(draw: st.DrawFn, layer: type[Pool]) -> tuple[Pool, tuple[Index]]:
    x = draw(shapes())
    rank = len(x) - 2
    fields = {
        "kernel": draw(kernels(rank, most=6)),
        "stride": draw(st.none() | per_axis(st.integers(1, 3), rank)),
        "padding": draw(paddings(rank)),
        "ceil_mode": draw(st.booleans()),
    }
    if layer is MaxPool:
        fields["dilation"] = draw(per_axis(st.integers(1, 2), rank))
    else:
        fields["count_include_pad"] = draw(st.booleans())
    return layer(**fields), (x,)


def windows_with_taps(layer: Pool, run: Run, x: Index) -> list[tuple[Index, list[Index]]]:
    """Every output's position, and the places under its window, padding among them."""
    dilation = getattr(layer, "dilation", 1)
    stride = layer.kernel if layer.stride is None else layer.stride
    run.taps = windows_of(layer, x, dilation=dilation, stride=stride, ceil_mode=layer.ceil_mode)
    if layer.padding not in ("same", "same_lower"):
        for windows, (before, after) in zip(
            run.taps, pads_of(layer.padding, len(x) - 2), strict=True
        ):
            length = windows[0][-1] - windows[0][0] + 1
            # a window pushed out to the first, or the last, zero leaves the input
            if before >= length or after >= length:
                raise DoesNotFitError
    if dilation == 1:
        for windows, size in zip(run.taps, x[2:], strict=True):
            assert all(set(window) & set(range(size)) for window in windows), "no mean, no maximum"
    return [
        (
            (*place, *position),
            list(product(*(axis[i] for axis, i in zip(run.taps, position, strict=True)))),
        )
        for place in positions(*x[:2])
        for position in positions(*map(len, run.taps))
    ]


def naive_max_pool(layer: MaxPool, run: Run, x: Index) -> Tensor:
    return {
        place: largest(
            run.element(*place[:2], *tap) if inside(tap, x[2:]) else run.constant(-inf)
            for tap in window
        )
        for place, window in windows_with_taps(layer, run, x)
    }


def naive_avg_pool(layer: AvgPool, run: Run, x: Index) -> Tensor:
    output: Tensor = {}
    for place, window in windows_with_taps(layer, run, x):
        if not layer.count_include_pad:
            count = sum(inside(tap, x[2:]) for tap in window)
        elif layer.padding in ("same", "same_lower"):
            count = len(window)
        else:
            pads = pads_of(layer.padding, len(x) - 2)
            count = sum(
                all(i < n + after for i, n, (_, after) in zip(tap, x[2:], pads, strict=True))
                for tap in window
            )
        output[place] = total(run.element(*place[:2], *tap) for tap in window) / count
    return output


def inside(place: Index, sizes: Index) -> bool:
    return all(0 <= i < n for i, n in zip(place, sizes, strict=True))


CASES = {
    "max_pool": Case(pools(MaxPool), naive_max_pool, examples=250),
    "avg_pool": Case(pools(AvgPool), naive_avg_pool, examples=250),
}


@pytest.mark.parametrize("name", CASES)
def test_the_values_are_those_of_a_naive_run(name: str) -> None:
    check_forward(CASES[name])


@pytest.mark.parametrize(
    ("layer", "size", "due"),
    [
        (AvgPool(kernel=3, stride=2, padding=1), 6, [1, 3, 5]),
        # the last window holds 6 and one zero; its third place hangs over, and does not count
        (AvgPool(kernel=3, stride=2, padding=1, ceil_mode=True), 6, [1, 3, 5, 3]),
        (AvgPool(kernel=3, stride=2, padding=1, ceil_mode=True), 5, [1, 3, 3]),
        (AvgPool(kernel=3, stride=2, padding=1, count_include_pad=False), 6, [1.5, 3, 5]),
        (AvgPool(kernel=3, stride=2, padding=1, ceil_mode=True, count_include_pad=False), 6,
         [1.5, 3, 5, 6]),
        (MaxPool(kernel=3, stride=2, padding=1, ceil_mode=True), 6, [2, 4, 6, 6]),
    ],
)  # fmt: skip
def test_values_of_pytorch(layer: Pool, size: int, due: list[float]) -> None:
    # torch 2.14, nn.functional.avg_pool1d and max_pool1d
    assert output_of(layer, ramp(1, 1, size)).tolist() == [[due]]


def test_the_padding_never_wins() -> None:
    # torch 2.14, nn.functional.max_pool2d; all elements are negative
    layer = MaxPool(kernel=(2, 3), stride=2, padding=1, dilation=(2, 1), ceil_mode=True)
    y = output_of(layer, -ramp(1, 1, 4, 5))
    assert y.tolist() == [[[[-6, -7, -9], [-6, -7, -9], [-16, -17, -19]]]]


def test_same_padding_of_a_mean() -> None:
    # tf.nn.avg_pool leaves the zeros of SAME out of its means
    layer = AvgPool(kernel=2, stride=2, padding="same", count_include_pad=False)
    assert output_of(layer, ramp(1, 1, 5)).tolist() == [[[1.5, 3.5, 5]]]


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding", "outputs"),
    [
        # PyTorch's pooling_output_shape, worked through by hand
        (112, 3, 2, 1, 57),  # the last window hangs over the end
        (3, 2, 2, 1, 2),  # a third window would start in the padding, and is dropped
        (2, 3, 2, 0, 1),  # the only window hangs over the end
        (1, 3, 3, 0, 1),
    ],
)
@pytest.mark.parametrize("layer", [MaxPool, AvgPool])
def test_ceil_mode(
    layer: type[Pool], size: int, kernel: int, stride: int, padding: int, outputs: int
) -> None:
    pool = layer(kernel=kernel, stride=stride, padding=padding, ceil_mode=True)
    assert Operation(pool, ((1, 1, size),)).output_shape == (1, 1, outputs)


def test_googlenet_pools_to_one_position_at_32() -> None:
    # arXiv:1409.4842, table 1: 3×3/2 four times, in Caffe, which rounds up; 32 → 16 by conv1
    size = 16
    for due in (8, 4, 2, 1):
        pool = MaxPool(kernel=3, stride=2, ceil_mode=True)
        size = Operation(pool, ((1, 1, size),)).output_shape[2]
        assert size == due


def test_the_stride_is_the_kernel_unless_it_is_given() -> None:
    assert Operation(AvgPool(kernel=(2, 3)), ((1, 5, 8, 9),)).output_shape == (1, 5, 4, 3)


HINT = "A larger input, more padding or one pooling less would do."


def test_a_window_that_does_not_fit_is_told_with_both_sizes() -> None:
    assert refusal(MaxPool(kernel=3, stride=2), (1, 64, 5, 2)) == (
        f"a window of 3 does not fit width 2. {HINT}"
    )
    assert refusal(AvgPool(kernel=(2, 7), padding=(0, 1)), (1, 64, 5, 4)) == (
        f"a window of 7 does not fit width 4 (6 with its padding). {HINT}"
    )
    assert refusal(MaxPool(kernel=5, stride=2, ceil_mode=True), (1, 64, 3)) == (
        f"a window of 5 does not fit length 3, even with ceil_mode and stride 2. {HINT}"
    )


def test_padding_as_wide_as_the_window_is_told_with_both_sizes() -> None:
    assert refusal(MaxPool(kernel=2, stride=1, padding=((0, 2), (0, 0))), (1, 1, 9, 8)) == (
        "padding 2 before or after the height must be smaller than the pooling window 2"
    )
    assert refusal(MaxPool(kernel=2, dilation=3, padding=4), (1, 1, 9)) == (
        "padding 4 before or after the length must be smaller than the pooling window 4"
    )


def test_a_list_of_the_wrong_length_is_told_with_the_axes() -> None:
    assert refusal(MaxPool(kernel=(2, 3)), (1, 1, 9)) == (
        "kernel has 2 values, but the input has 1 spatial axis (length)"
    )
    assert refusal(AvgPool(kernel=2, stride=(2, 3)), (1, 1, 9, 8, 7)) == (
        "stride has 2 values, but the input has 3 spatial axes (depth, height, width)"
    )


@pytest.mark.parametrize("layer", [MaxPool(kernel=2), AvgPool(kernel=2)])
def test_it_needs_spatial_axes(layer: Pool) -> None:
    assert refusal(layer, (2, 3)) == (
        f"{layer.name} needs 1 to 3 spatial axes after [N, channels], and gets [2, 3]. "
        "A flattened tensor has none: put the layer before flatten."
    )
