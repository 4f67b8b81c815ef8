"""Pooling: the largest, or the mean, of every window."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from convcalc.arrays import Array
from convcalc.execution.kernels.recording import (
    WHOLE,
    Epilogue,
    Padding,
    Recorder,
    Windows,
    blocks,
    inside,
    strips,
)


def record_max(recorder: Recorder, x: Array, y: Array, windows: Sequence[Any]) -> None:
    """Record a max pooling: the largest along one axis after the other.

    The reference is `MaxPool.forward`; the result is the same to the last bit.

    Args:
        recorder: takes the calls.
        x: (N, H, W, C) or (N, D, H, W, C).
        y: (N, oh, ow, C) or (N, od, oh, ow, C).
        windows: along the spatial axes.
    """
    _record(recorder, recorder.xp.maximum, x, y, windows, -math.inf, None)


def record_mean(recorder: Recorder, x: Array, y: Array, windows: Sequence[Any]) -> None:
    """Record an average pooling whose windows all have as many elements, padding among them.

    The reference is `AvgPool.forward`; the error is that of a sum of all elements of a window.

    Args: as those of `record_max`.
    """
    elements = math.prod(w.kernel for w in windows)
    _record(recorder, recorder.xp.add, x, y, windows, 0.0, 1 / elements)


def _record(
    recorder: Recorder, operation: Any, x: Array, y: Array, windows: Sequence[Any], beyond: float,
    factor: float | None,
) -> None:  # fmt: skip
    height, width, channels = y.shape[-3:]
    flat = (windows[-2], windows[-1])
    padding = Padding(flat, beyond)
    if y.ndim == 4:
        columns = max(1, recorder.cache // (channels * flat[0].stride * flat[1].stride))
        for strip in strips(x, y, flat, Epilogue(), columns):
            around = strip.x.shape[2] * channels * flat[0].stride
            rows = max(1, recorder.cache // max(1, around))
            own = Padding(strip.windows, beyond)
            for block in blocks(recorder.share, len(y), height, rows):
                slab = own.slab(recorder, strip.x, block, strip.y.shape[2])
                target = strip.y[block.images, block.rows]
                _record_block(recorder, operation, [slab], target, flat, factor)
                recorder.give_back()
        return
    rows = max(1, recorder.cache // (x.shape[-2] * channels * flat[0].stride))
    inward = windows[0]
    for number in recorder.share.of(len(y) * y.shape[1]):
        image, plane = divmod(number, y.shape[1])
        read = inside(inward, plane, x.shape[1])
        for block in blocks(WHOLE, 1, height, rows):
            target = y[image, plane : plane + 1, block.rows]
            if not read:
                recorder.fill(beyond, target)
                continue
            slabs = [
                padding.slab(recorder, x[image, depth : depth + 1], block, width)
                for depth in read.values()
            ]
            _record_block(recorder, operation, slabs, target, flat, factor)
            recorder.give_back()


def _record_block(
    recorder: Recorder, operation: Any, slabs: list[Array], target: Array, windows: Windows,
    factor: float | None,
) -> None:  # fmt: skip
    down, across = windows
    count, width = target.shape[1:3]
    lines = [_tap(slab, 1, t, down, count) for slab in slabs for t in range(down.kernel)]
    narrow = _folded(recorder, operation, lines)
    columns = [_tap(narrow, 2, t, across, width) for t in range(across.kernel)]
    found = _folded(recorder, operation, columns, target)
    if found is not target:
        recorder.copy(found, target)
    if factor is not None:
        recorder.add(recorder.xp.multiply, target, factor, out=target)


def _tap(x: Array, axis: int, tap: int, window: Any, count: int) -> Array:
    """What one tap of so many windows reads along an axis."""
    start = tap * window.dilation
    every = slice(start, start + window.stride * (count - 1) + 1, window.stride)
    return x[(*(slice(None),) * axis, every)]


def _folded(
    recorder: Recorder, operation: Any, arrays: list[Array], out: Array | None = None
) -> Array:
    """All arrays folded into one by an operation of two."""
    first = arrays[0]
    if len(arrays) > 1 and out is None:
        out = recorder.scratch(*first.shape)
    for other in arrays[1:]:
        first = recorder.add(operation, first, other, out=out)
    return first


def record_global_mean(recorder: Recorder, x: Array, y: Array) -> None:
    """Record the mean over all positions, as a product with a row of equal weights.

    The reference is `GlobalAvgPool.forward`; the error is that of a dot product of H·W values.

    Args:
        recorder: takes the calls.
        x: (N, H, W, C).
        y: (N, C).
    """
    xp = recorder.xp
    _, height, width, _ = x.shape
    row = xp.full((1, height * width), 1 / (height * width), x.dtype)
    own = recorder.share.of(len(x))
    images = x[own.start : own.stop]
    if not len(images):
        return
    if images.strides[1] == width * images.strides[2]:
        flat = images.reshape(len(images), height * width, -1)
    else:
        flat = recorder.scratch(len(images), height * width, x.shape[3])
        recorder.copy(images, flat.reshape(images.shape))
    recorder.add(xp.matmul, row, flat, out=y[own.start : own.stop, None])
