"""Convolution as a matrix product of gathered windows, block by block."""

from __future__ import annotations

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
    merged,
    strips,
    windowed,
)

PIXELS = 128
"""The fewest outputs of a product."""


def arranged(weight: Array, groups: int) -> Array:
    """Weights (K, C/groups, *k) as matrices (groups, Πk·C/groups, K/groups)."""
    apart = weight.reshape(groups, -1, *weight.shape[1:])
    rank = apart.ndim - 3
    moved = apart.transpose(0, *range(3, 3 + rank), 2, 1)
    return moved.reshape(groups, -1, moved.shape[-1])


def record(
    recorder: Recorder, x: Array, weight: Array, y: Array, windows: Windows, epilogue: Epilogue
) -> None:
    """Record a convolution: the windows of a block become the rows of a matrix.

    The reference is `Conv.forward`. The error is that of a dot product of Πk·C/groups values;
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
    for strip in strips(x, y, windows, epilogue, _pixels(recorder, weight)):
        _record_strip(recorder, weight, *strip)


def _record_strip(
    recorder: Recorder, weight: Array, x: Array, y: Array, windows: Windows, epilogue: Epilogue
) -> None:
    images, height, width, channels = y.shape
    pixels = images * height * width
    # groups are one product, which channels would not split
    share, columns = recorder.share.split(pixels, PIXELS if len(weight) == 1 else 0, channels)
    if columns.start == columns.stop:
        return
    for block in blocks(share, images, height, max(1, _pixels(recorder, weight) // width)):
        target = y[(*block, slice(None), columns)]
        slab = Padding(windows).slab(recorder, x, block, width)
        taps = windowed(recorder.xp, slab, windows, target.shape[1:3])
        own = epilogue.of((*block, slice(None)), columns)
        _record_product(recorder, taps, weight[..., columns], target, own)
        recorder.give_back()


def record_volume(
    recorder: Recorder, x: Array, weight: Array, y: Array, windows: Any, epilogue: Epilogue
) -> None:
    """Record a convolution over three axes; planes beyond the input are left out of the products.

    Args:
        recorder: takes the calls.
        x: (N, D, H, W, C).
        weight: (groups, kd·kh·kw·C/groups, K/groups).
        y: (N, od, oh, ow, K).
        windows: along depth, height and width.
        epilogue: what comes after, for all of y.
    """
    xp = recorder.xp
    images, depth, height, width, _ = y.shape
    inward, *flat = windows
    each = weight.shape[1] // inward.kernel
    rows = max(1, _pixels(recorder, weight) // width)
    for number in recorder.share.of(images * depth):
        image, plane = divmod(number, depth)
        read = inside(inward, plane, x.shape[1])
        for block in blocks(WHOLE, 1, height, rows):
            target = y[image, plane : plane + 1, block.rows]
            own = epilogue.of((image, slice(plane, plane + 1), block.rows, slice(None)))
            if not read:
                recorder.fill(0.0, target)
                own.record(recorder, target, target)
                continue
            taps, places = list(read), list(read.values())
            planes = x[image, places[0] : places[-1] + 1 : inward.dilation]
            every = block._replace(images=slice(0, len(read)))
            slab = Padding((flat[0], flat[1])).slab(recorder, planes, every, width)
            under = windowed(xp, slab, (flat[0], flat[1]), target.shape[1:3])
            part = weight[:, each * taps[0] : each * (taps[-1] + 1)]
            _record_product(recorder, under.transpose(1, 2, 0, 3, 4, 5)[None], part, target, own)
            recorder.give_back()


def _pixels(recorder: Recorder, weight: Array) -> int:
    """How many outputs make a block."""
    values: int = weight.shape[0] * weight.shape[1]
    return max(PIXELS, recorder.cache // values)


def _record_product(
    recorder: Recorder, taps: Array, weight: Array, target: Array, epilogue: Epilogue
) -> None:
    """Record the product of gathered windows, and what comes after.

    Args:
        recorder: takes the calls.
        taps: (n, oh, ow, *k, C).
        weight: (groups, Πk·C/groups, K/groups).
        target: (n, oh, ow, K).
        epilogue: that of the target.
    """
    groups, length = weight.shape[:2]
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
    recorder.add(recorder.xp.matmul, matrix, weight, out=out)
    epilogue.record(recorder, flat.reshape(target.shape), target)
