"""Convolution as a matrix product of gathered windows, block by block."""

from __future__ import annotations

from convcalc.arrays import Array
from convcalc.execution.kernels.recording import (
    WHOLE,
    Epilogue,
    Padding,
    Recorder,
    Windows,
    blocks,
    merged,
    windowed,
)  # fmt: skip

_PIXELS = 128
"""The fewest outputs of a product."""


def arranged(weight: Array, groups: int) -> Array:
    """Weights (K, C/groups, kh, kw) as matrices (groups, kh·kw·C/groups, K/groups)."""
    apart = weight.reshape(groups, -1, *weight.shape[1:]).transpose(0, 3, 4, 2, 1)
    return apart.reshape(groups, -1, apart.shape[-1])


def record(
    recorder: Recorder, x: Array, weight: Array, y: Array, windows: Windows, epilogue: Epilogue
) -> None:
    """Record a convolution: the windows of a block become the rows of a matrix.

    The reference is `Conv.forward`. The error is that of a dot product of kh·kw·C/groups values;
    7·10⁻⁷ of the largest output at most was seen in float32.

    Source: Chellapilla, Puri, Simard 2006, "High Performance Convolutional Neural Networks for
    Document Processing", section 3.

    Args:
        recorder: takes the calls.
        x: (N, H, W, C).
        weight: (groups, kh·kw·C/groups, K/groups).
        y: (N, oh, ow, K).
        windows: along height and width.
        epilogue: what comes after, for all of y.
    """
    images, height, width, channels = y.shape
    groups, length = weight.shape[:2]
    share, columns = recorder.share, slice(None)
    if groups == 1 and images * height * width < _PIXELS * share.parts:
        columns, share = share.channels(channels), WHOLE
        if columns.start == columns.stop:
            return
    rows = max(_PIXELS, recorder.cache // (groups * length)) // width
    for block in blocks(share, images, height, max(1, rows)):
        target = y[(*block, slice(None), columns)]
        slab = Padding(windows).slab(recorder, x, block, width)
        taps = windowed(recorder.xp, slab, windows, target.shape[1:3])
        pixels = target.size // target.shape[-1]
        matrix = recorder.scratch(groups, pixels, length)
        if groups == 1:
            recorder.copy(taps, matrix.reshape(taps.shape))
        else:
            apart = taps.reshape(*taps.shape[:-1], groups, -1)
            apart = recorder.xp.moveaxis(apart, -2, 0)
            recorder.copy(apart, matrix.reshape(apart.shape))
        flat = merged(target, 3)
        if flat is None or groups > 1:
            flat = recorder.scratch(pixels, target.shape[-1])
        out = flat.reshape(pixels, groups, -1).transpose(1, 0, 2)
        recorder.add(recorder.xp.matmul, matrix, weight[..., columns], out=out)
        own = epilogue.of((*block, slice(None)), columns)
        own.record(recorder, flat.reshape(target.shape), target)
        recorder.give_back()
