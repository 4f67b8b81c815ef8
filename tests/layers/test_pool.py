"""Pooling over sliding windows."""

from functools import reduce
from itertools import product

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
    kernels,
    paddings,
    pads_of,
    per_axis,
    positions,
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
        place: reduce(max, [run.number for _ in window])
        for place, window in windows_with_taps(layer, run, x)
    }


def naive_avg_pool(layer: AvgPool, run: Run, x: Index) -> Tensor:
    return {
        place: total(run.number for _ in window) / len(window)
        for place, window in windows_with_taps(layer, run, x)
    }


CASES = {
    "max_pool": Case(pools(MaxPool), naive_max_pool, examples=250),
    "avg_pool": Case(pools(AvgPool), naive_avg_pool, examples=250),
}


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
