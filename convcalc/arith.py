"""Window arithmetic, the only home of it.

Every function takes ints, Dims or integer arrays alike: it uses `+ - * //`, products, `maximum`,
`minimum` and `ceil_div`, and branches on configuration only, never on a size.

[DV] is Dumoulin and Visin, "A guide to convolution arithmetic for deep learning",
arXiv:1603.07285; "relationship" is their numbering.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import chain
from typing import Any

from convcalc.dim import Dim, bounds
from convcalc.dim import gcd as _gcd
from convcalc.dim import maximum as maximum
from convcalc.dim import minimum as minimum


def product(sizes: Iterable[Any]) -> Any:
    """The product of some sizes, 1 for none."""
    return math.prod(sizes)


def ceil_div(a: Any, b: Any) -> Any:
    """⌈a/b⌉ = ⌊(a + b − 1)/b⌋, for b ≥ 1."""
    return (a + b - 1) // b


def span(kernel: Any, dilation: Any) -> Any:
    """d·(k − 1) + 1: what a dilated kernel covers. [DV] relationship 15."""
    return dilation * (kernel - 1) + 1


def window_out(size: Any, kernel: Any, stride: Any, padding: Any, dilation: Any) -> Any:
    """⌊(n + p − d·(k − 1) − 1)/s⌋ + 1, with p = before + after. [DV] relationships 6 and 15."""
    return (size + padding - span(kernel, dilation)) // stride + 1


def window_out_ceil(
    size: Any, kernel: Any, stride: Any, before: Any, after: Any, dilation: Any
) -> Any:
    """min(⌈(n + p − d·(k − 1) − 1)/s⌉, ⌊(n + before − 1)/s⌋) + 1: ceil mode.

    The last window is kept if it hangs over the end, but dropped if it would start in the
    padding after the input, as PyTorch does (`pooling_output_shape`, aten/src/ATen/native/Pool.h).
    """
    rounded_up = ceil_div(size + before + after - span(kernel, dilation), stride)
    last_inside = (size + before - 1) // stride
    return minimum(rounded_up, last_inside) + 1


def same_out(size: Any, stride: Any) -> Any:
    """⌈n/s⌉: the output of SAME padding, whatever the kernel (TensorFlow, ONNX SAME_UPPER)."""
    return ceil_div(size, stride)


def same_padding(size: Any, kernel: Any, stride: Any, dilation: Any) -> Any:
    """max(0, (⌈n/s⌉ − 1)·s + d·(k − 1) + 1 − n): the zeros that SAME adds, both sides together."""
    return maximum(0, (same_out(size, stride) - 1) * stride + span(kernel, dilation) - size)


def transposed_out(
    size: Any, kernel: Any, stride: Any, padding: Any, dilation: Any, extra: Any
) -> Any:
    """s·(n − 1) + d·(k − 1) + 1 − p + e: a transposed convolution. [DV] relationship 14.

    `padding` is before + after; `extra`, the rows added at the end, chooses among the sizes that
    the convolution maps to n.
    """
    return stride * (size - 1) + span(kernel, dilation) - padding + extra


def slice_out(start: Any, stop: Any, step: Any) -> Any:
    """⌈(stop − start)/step⌉: the positions start, start + step, … below stop."""
    return ceil_div(stop - start, step)


def adaptive_taps(size: Any, out: Any) -> Any:
    """The lengths of all windows of adaptive pooling to m, added up: n + m − gcd(n, m).

    Window i runs from ⌊i·n/m⌋ to ⌈(i + 1)·n/m⌉ (PyTorch's `start_index` and `end_index`). Two
    neighbours share an element wherever m does not divide j·n, for j = 1 … m − 1: in m − gcd(n, m)
    places.
    """
    return size + out - _gcd(size, out)


def scaled_out(size: Any, scale: Any) -> Any:
    """⌊n·scale⌋: resizing by a factor, as PyTorch and ONNX round it."""
    return size * scale // 1


def taps_inside(
    size: Any, positions: Any, kernel: Any, stride: Any, before: Any, dilation: Any
) -> Any:
    """How often a window's taps lie inside the input, over all its positions.

    Σ over t < k of max(0, min(o − 1, ⌊(n − 1 + b − t·d)/s⌋) − max(0, ⌈(b − t·d)/s⌉) + 1), with b
    zeros before the input: position i puts tap t on i·s − b + t·d, inside from 0 to n − 1.
    """
    first_clear, last_clear = _clear_taps(size, positions, kernel, stride, before, dilation)
    total: Any = positions * (last_clear - first_clear)
    for tap in chain(range(first_clear), range(last_clear, kernel)):
        shift = before - tap * dilation
        first = maximum(0, ceil_div(shift, stride))
        last = minimum(positions - 1, (size - 1 + shift) // stride)
        total = total + maximum(0, last - first + 1)
    return total


def _clear_taps(
    size: Any, positions: Any, kernel: Any, stride: Any, before: Any, dilation: Any
) -> tuple[int, int]:
    """The taps, as a range, that no position puts into the padding, whatever the size.

    Only the few others need a look each, so that a kernel may be large.
    """
    room = size - 1 + before - (positions - 1) * stride
    if not all(isinstance(n, int) for n in (before, dilation)) or not isinstance(room, (int, Dim)):
        return 0, 0
    least = bounds(room)[0]
    if least is None:
        return 0, 0
    first = min(kernel, max(0, ceil_div(before, dilation)))
    return first, max(first, min(kernel, math.floor(least) // dilation + 1))


def field_size(size: Any, stride: Any, further: Any) -> Any:
    """r + ⌈j·m⌉: what units 0 … m see together, each a field of r, the fields j apart.

    Araujo, Norris, Sim 2019, equation 2, folded from the input on, with m = d·(k − 1); after
    upsampling j is a fraction, and the fields start at whole positions.
    """
    return size - (-stride * further // 1)
