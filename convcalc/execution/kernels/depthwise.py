"""Depthwise convolution: a filter for every channel."""

from __future__ import annotations

from typing import Any

from convcalc.arrays import Array
from convcalc.execution.kernels.recording import (
    Epilogue,
    Padding,
    Recorder,
    Windows,
    blocks,
    strips,
    windowed,
)  # fmt: skip
from convcalc.view import Window


def record(
    recorder: Recorder, x: Array, weight: Array, y: Array, windows: Windows, epilogue: Epilogue
) -> None:
    """Record a depthwise convolution: taps times weights, added up row by row.

    A row of the output is one long vector of columns and channels, and so is what a tap reads of
    the input. Where columns are skipped (strides), each tap's columns are gathered first.

    The reference is `Conv.forward` with as many groups as channels. The error is that of a dot
    product of kh·kw values.

    Args:
        recorder: takes the calls.
        x: (N, H, W, C).
        weight: (kh, kw, columns·C), as `tiled` gives it.
        y: (N, oh, ow, C).
        windows: along height and width.
        epilogue: what comes after, for all of y.
    """
    for strip in strips(x, y, windows, epilogue, weight.shape[2] // y.shape[3]):
        _record_strip(recorder, weight, *strip)


def tiled(weight: Any, width: int) -> Any:
    """A filter for every channel, (kh, kw, C), as one for every column of a strip, on the host.

    A strip is as wide as the output, as long as its rows are no longer than pays.
    """
    import numpy

    columns = max(1, min(width, ROW // weight.shape[2]))
    return numpy.tile(weight, (1, 1, columns))


ROW = 1 << 14
"""The most values of a row; longer ones are no faster, and the weights as long."""


def _record_strip(
    recorder: Recorder, weight: Array, x: Array, y: Array, windows: Windows, epilogue: Epilogue
) -> None:
    xp = recorder.xp
    images, height, width, channels = y.shape
    down, across = windows
    row = weight[:, :, : width * channels]
    rows = max(1, recorder.cache // (2 * width * channels * down.stride))
    for block in blocks(recorder.share, images, height, rows):
        target = y[block.images, block.rows]
        slab = Padding(windows).slab(recorder, x, block, width)
        n, oh = target.shape[:2]
        if across.stride == 1 and _is_joined(slab):
            image, line, column, value = slab.strides
            tap = column * across.dilation
        else:
            lines = recorder.scratch(n, slab.shape[1], across.kernel, width, channels)
            every = (Window(), across)
            columns = windowed(xp, slab, every, (slab.shape[1], width))[:, :, :, 0]
            recorder.copy(columns.transpose(0, 1, 3, 2, 4), lines)
            slab = lines
            image, line, tap, _, value = lines.strides
        vectors = xp.lib.stride_tricks.as_strided(
            slab,
            (n, oh, down.kernel, across.kernel, width * channels),
            (image, line * down.stride, line * down.dilation, tap, value),
        )
        out = target if _is_joined(target) else recorder.scratch(*target.shape)
        image, line, _, value = out.strides
        sums = xp.lib.stride_tricks.as_strided(out, (n, oh, width * channels), (image, line, value))
        recorder.add(recorder.device.sum_taps, vectors, row, out=sums)
        epilogue.of((*block, slice(None))).record(recorder, out, target)
        recorder.give_back()


def _is_joined(x: Array) -> bool:
    """Whether the columns and channels of (n, h, w, C) are one vector in memory."""
    return bool(x.strides[2] == x.shape[3] * x.strides[3] and x.strides[3] == x.itemsize)
