"""Depthwise convolution: a filter for every channel."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from convcalc.arrays import Array
from convcalc.execution.kernels.pointwise import ROWS
from convcalc.execution.kernels.recording import (
    Block,
    Epilogue,
    Padding,
    Recorder,
    Share,
    Windows,
    blocks,
    merged,
    strips,
    windowed,
)  # fmt: skip
from convcalc.view import Window


class Expansion(NamedTuple):
    """A 1×1 convolution whose outputs are what is filtered.

    Attributes:
        weight: (C, K).
        epilogue: a bias and an activation, for all K channels.
    """

    weight: Array
    epilogue: Epilogue


def record(
    recorder: Recorder, x: Array, weight: Array, y: Array, windows: Windows, epilogue: Epilogue,
    expansion: Expansion | None = None,
) -> None:  # fmt: skip
    """Record a depthwise convolution: taps times weights, added up row by row.

    A row of the output is one long vector of columns and channels, and so is what a tap reads of
    the input. Where columns are skipped (strides), each tap's columns are gathered first.

    A 1×1 convolution in front of it is computed block by block, in the cache: what lies between
    them is several times as large as input and output.

    The reference is `Conv.forward` with as many groups as channels. The error is that of a dot
    product of kh·kw values, and of C values for the expansion.

    Source: Sandler, Howard, Zhu, Zhmoginov, Chen 2018, "MobileNetV2: Inverted Residuals and Linear
    Bottlenecks", arXiv:1801.04381, section 5.1 (memory-efficient inference).

    Args:
        recorder: takes the calls.
        x: (N, H, W, C).
        weight: (kh, kw, columns·K), as `tiled` gives it; K is C without an expansion.
        y: (N, oh, ow, K).
        windows: along height and width.
        epilogue: what comes after, for all of y.
        expansion: what x goes through first.
    """
    columns = weight.shape[2] // y.shape[3]
    share, own = recorder.share, slice(0, y.shape[3])
    if expansion is not None:
        share, own = share.split(math.prod(x.shape[:3]), ROWS, y.shape[3])
        if own.start == own.stop:
            return
        expansion = Expansion(expansion.weight[:, own], expansion.epilogue.of((), own))
        weight = _cut(weight, y.shape[3], own)
        y, epilogue = y[..., own], epilogue.of((slice(None),) * 3, own)
    for strip in strips(x, y, windows, epilogue, columns):
        _record_strip(recorder, share, weight, expansion, *strip)


def tiled(weight: Any, width: int) -> Any:
    """A filter for every channel, (kh, kw, C), as one for every column of a strip, on the host.

    A strip is as wide as the output, as long as its rows are no longer than pays.
    """
    import numpy

    columns = max(1, min(width, ROW // weight.shape[2]))
    return numpy.tile(weight, (1, 1, columns))


ROW = 1 << 14
"""The most values of a row; longer ones are no faster, and the weights as long."""


def _cut(weight: Array, channels: int, own: slice) -> Array:
    """Tiled filters (kh, kw, columns·channels) of some of the channels."""
    if own == slice(0, channels):
        return weight
    apart = weight.reshape(*weight.shape[:2], -1, channels)
    return apart[..., own].copy().reshape(*weight.shape[:2], -1)


def _record_strip(
    recorder: Recorder, share: Share, weight: Array, expansion: Expansion | None, x: Array,
    y: Array, windows: Windows, epilogue: Epilogue,
) -> None:  # fmt: skip
    images, height, width, channels = y.shape
    row = weight[:, :, : width * channels]
    rows = max(1, recorder.cache // (width * channels * windows[0].stride))
    wide = None if expansion is None else _Expanded(recorder, x, expansion, windows, width)
    for block in blocks(share, images, height, rows):
        if wide is None:
            slab = Padding(windows).slab(recorder, x, block, width)
        else:
            slab = wide.slab(block)
        own = epilogue.of((*block, slice(None)))
        _record_block(recorder, slab, row, y[block.images, block.rows], windows, own)
        recorder.give_back()


def _record_block(
    recorder: Recorder, slab: Array, row: Array, target: Array, windows: Windows,
    epilogue: Epilogue,
) -> None:  # fmt: skip
    xp = recorder.xp
    down, across = windows
    n, oh, width, channels = target.shape
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
    epilogue.record(recorder, out, target)


class _Expanded:
    """The outputs of an expansion, padded, one block after the other in the same memory.

    Rows that two blocks read are computed once, and moved.
    """

    def __init__(
        self, recorder: Recorder, x: Array, expansion: Expansion, windows: Windows, width: int
    ) -> None:
        self._recorder = recorder
        self._x = x
        self._expansion = expansion
        self._padding = Padding(windows)
        self._width = width
        self._before: tuple[slice, int, Array] | None = None

    def slab(self, block: Block) -> Array:
        """What a block reads: (n, rows, columns, K)."""
        recorder, x = self._recorder, self._x
        rows, columns, frame = self._padding.reads(x, block, self._width)
        inside = x[block.images, rows, columns]
        channels = self._expansion.weight.shape[1]
        slab = recorder.scratch(*frame.around((*inside.shape[:3], channels)))
        target = frame.inside(slab)
        known = self._take_over(block, rows, target)
        frame.fill(recorder, slab, 0.0)
        self._compute(inside[:, known:], target[:, known:])
        self._before = (block.images, rows.stop, target)
        return slab

    def _compute(self, inside: Array, target: Array) -> None:
        """Record the expansion of some rows."""
        if not target.size:
            return
        recorder = self._recorder
        weight, epilogue = self._expansion
        matrix = merged(inside, 3)
        if matrix is None:
            copied = recorder.scratch(*inside.shape)
            recorder.copy(inside, copied)
            matrix = copied.reshape(-1, copied.shape[-1])
        products = recorder.scratch(*target.shape)
        recorder.add(recorder.xp.matmul, matrix, weight, out=products.reshape(len(matrix), -1))
        if epilogue.bias is not None:
            # in long rows, before they are cut
            Epilogue(epilogue.bias).record(recorder, products, products)
        Epilogue(activation=epilogue.activation).record(recorder, products, target)

    def _take_over(self, block: Block, rows: slice, target: Array) -> int:
        """Move the rows that the block before has computed, and tell how many they are.

        They may lie where this block's own are to be: they are moved before anything is written.
        """
        images, end, computed = self._before or (None, 0, target)
        known: int = end - rows.start
        if images != block.images or not 0 < known <= computed.shape[1]:
            return 0
        self._recorder.copy(computed[:, computed.shape[1] - known :], target[:, :known])
        return known


def _is_joined(x: Array) -> bool:
    """Whether the columns and channels of (n, h, w, C) are one vector in memory."""
    return bool(x.strides[2] == x.shape[3] * x.strides[3] and x.strides[3] == x.itemsize)
