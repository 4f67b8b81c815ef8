"""What kernels share: recording calls, blocks that fit the cache, padding, and what comes last."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from convcalc.arith import span
from convcalc.arrays import Array
from convcalc.execution.backends import Backend
from convcalc.execution.tape import Call, copy, fill
from convcalc.view import Window

_WIDE = 1 << 11
"""How many values an inner loop should run over."""


SCRATCH_BYTES = 24_000_000
"""What is set apart for a worker's scratch memory; few networks need as much."""


class Scratch:
    """Memory of one worker, used by one kernel after another.

    Args:
        xp: the array module.
        dtype: of its values.
        reserve: bytes to begin with. A processor's memory is taken when it is first written.

    Attributes:
        bytes: what has been used at most.
    """

    def __init__(self, xp: Any, dtype: str, reserve: int = 0) -> None:
        self._xp = xp
        self._dtype = dtype
        self._memory = xp.empty(0, dtype)
        self._memory = xp.empty(reserve // self._memory.itemsize, dtype)
        self._used = 0
        self._outgrown = 0
        self.bytes = 0

    def reset(self) -> None:
        """Let the next kernel have all of it."""
        self._used = 0

    def take(self, *shape: int) -> Array:
        """An array that holds what nobody else uses until the next reset."""
        size = -(-math.prod(shape) // 16) * 16
        if self._used + size > self._memory.size:
            # views of the old block stay valid: it lives as long as they do
            self._outgrown = self.bytes
            self._memory = self._xp.empty(max(size, 2 * self._memory.size), self._dtype)
            self._used = 0
        start, self._used = self._used, self._used + size
        taken = self._outgrown + self._used * self._memory.itemsize
        self.bytes = max(self.bytes, taken)
        return self._memory[start : start + math.prod(shape)].reshape(shape)


class Share(NamedTuple):
    """Which share of a step is one worker's: number `part` of `parts`."""

    part: int = 0
    parts: int = 1

    def of(self, count: int) -> range:
        """The worker's share of things that are numbered."""
        return range(self.part * count // self.parts, (self.part + 1) * count // self.parts)

    def channels(self, count: int) -> slice:
        """The worker's share of the channels, in whole vectors."""
        own = self.of(-(-count // _VECTOR))
        return slice(min(count, _VECTOR * own.start), min(count, _VECTOR * own.stop))

    def split(self, outputs: int, least: int, channels: int) -> tuple[Share, slice]:
        """The worker's share of the outputs, and which channels of these it computes.

        Where there are fewer than `least` outputs for each worker, they share the channels, so
        that products keep their rows; whose slice is empty has nothing to do.
        """
        if outputs < least * self.parts:
            return WHOLE, self.channels(channels)
        return self, slice(0, channels)


WHOLE = Share()
_VECTOR = 16
"""Channels that are computed together."""


class Recorder:
    """Takes down the calls of one worker for one step.

    `cache` is how many values a block should have to stay in the cache.
    """

    def __init__(self, device: Backend, scratch: Scratch, share: Share = WHOLE) -> None:
        self.device = device
        self.xp = device.xp
        self.cache = device.cache_values or sys.maxsize
        self.share = share
        self.calls: list[Call] = []
        self._scratch = scratch
        scratch.reset()

    def add(self, function: Callable[..., Any], *args: Any, out: Array) -> Array:
        """Record a call that writes `out`."""
        self.calls.append((function, args, out))
        return out

    def copy(self, source: Array, out: Array) -> None:
        """Record a copy."""
        self.calls.append((copy, (source,), out))

    def fill(self, value: float, out: Array) -> None:
        """Record that all elements become one value."""
        if out.size:
            self.calls.append((fill, (value,), out))

    def scratch(self, *shape: int) -> Array:
        """Memory that holds until the step ends, or its scratch is given back."""
        return self._scratch.take(*shape)

    def give_back(self) -> None:
        """Let what follows use the scratch memory that was taken."""
        self._scratch.reset()


class Block(NamedTuple):
    """Some rows of some images of an output."""

    images: slice
    rows: slice


def blocks(share: Share, images: int, height: int, rows: int) -> Iterator[Block]:
    """The worker's blocks of about so many rows: parts of an image, or several whole ones."""
    if rows >= height and (images >= share.parts or height < share.parts):
        count = max(-(-images // (rows // height)), min(images, share.parts))
        for number in share.of(count):
            some = slice(number * images // count, (number + 1) * images // count)
            yield Block(some, slice(0, height))
        return
    cuts = -(-height // rows)
    # as many blocks for every worker, as far as there are rows for them
    while cuts < height and (images * cuts) % share.parts:
        cuts += 1
    for number in share.of(images * cuts):
        image, cut = divmod(number, cuts)
        some = slice(cut * height // cuts, (cut + 1) * height // cuts)
        yield Block(slice(image, image + 1), some)


def channels_last(x: Array) -> Array:
    """A tensor (N, C, *n) seen as (N, H, W, C), with H = 1 if it has one spatial axis."""
    if x.ndim == 3:
        x = x[:, :, None]
    return x.transpose(0, 2, 3, 1)


def merged(x: Array, axes: int) -> Array | None:
    """A tensor with its first axes made one, as a view; None where it takes a copy."""
    size, stride = 1, None
    for length, step in zip(reversed(x.shape[:axes]), reversed(x.strides[:axes]), strict=True):
        if length == 1:
            continue
        if stride is not None and step != size * stride:
            return None
        stride = step if stride is None else stride
        size *= length
    return x.reshape(-1, *x.shape[axes:])


Windows = tuple[Any, Any]
"""The `Window` along the height and that along the width, whose sizes are numbers."""


def windowed(xp: Any, slab: Array, windows: Windows, size: Sequence[int]) -> Array:
    """The elements under every window of a slab: (n, oh, ow, kh, kw, C), a view.

    Args:
        xp: the array module.
        slab: (n, rows, columns, C), which starts at the first window.
        windows: along height and width.
        size: oh and ow.
    """
    n, _, _, channels = slab.shape
    image, row, column, channel = slab.strides
    (a, b), kernel = windows, (windows[0].kernel, windows[1].kernel)
    strides = (
        image, row * a.stride, column * b.stride, row * a.dilation, column * b.dilation, channel
    )  # fmt: skip
    as_strided = xp.lib.stride_tricks.as_strided
    return as_strided(slab, (n, *size, *kernel, channels), strides)


class Frame(NamedTuple):
    """How much is missing around what is read: rows before and after, columns before and after."""

    above: int
    below: int
    left: int
    right: int

    def inside(self, slab: Array) -> Array:
        """The part of a slab (n, rows, columns, C) that is read, not missing."""
        _, rows, columns, _ = slab.shape
        return slab[:, self.above : rows - self.below, self.left : columns - self.right]

    def around(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of what is read, (n, rows, columns, C), with all that is missing."""
        n, rows, columns, channels = shape
        return n, self.above + rows + self.below, self.left + columns + self.right, channels

    def fill(self, recorder: Recorder, slab: Array, value: float) -> None:
        """Record that all that is missing in a slab has one value."""
        _, rows, columns, _ = slab.shape
        between = slab[:, self.above : rows - self.below]
        recorder.fill(value, slab[:, : self.above])
        recorder.fill(value, slab[:, rows - self.below :])
        recorder.fill(value, between[:, :, : self.left])
        recorder.fill(value, between[:, :, columns - self.right :])


class Padding(NamedTuple):
    """The rows and columns that a block of outputs reads, where some lie outside of the input."""

    windows: Windows
    value: float = 0.0

    def slab(self, recorder: Recorder, x: Array, block: Block, width: int) -> Array:
        """The input of a block, (n, rows, columns, C), with the padding around it.

        A view where nothing is padded, else a copy in scratch memory.

        Args:
            recorder: takes the calls.
            x: the input, channels last.
            block: the outputs.
            width: of the output.
        """
        rows, columns, frame = self.reads(x, block, width)
        inside = x[block.images, rows, columns]
        if not any(frame):
            return inside
        slab = recorder.scratch(*frame.around(inside.shape))
        frame.fill(recorder, slab, self.value)
        recorder.copy(inside, frame.inside(slab))
        return slab

    def reads(self, x: Array, block: Block, width: int) -> tuple[slice, slice, Frame]:
        """Which rows and columns of the input a block reads, and what is missing around them."""
        first, last, above, below = _reach(self.windows[0], x.shape[1], block.rows)
        _, end, left, right = _reach(self.windows[1], x.shape[2], slice(0, width))
        return slice(first, last), slice(0, end), Frame(above, below, left, right)


def _reach(window: Any, size: int, outputs: slice) -> tuple[int, int, int, int]:
    """The first and the end of what outputs read, and how much is missing before and after."""
    low = outputs.start * window.stride - window.before
    high = (outputs.stop - 1) * window.stride - window.before + span(window.kernel, window.dilation)
    first, last = min(max(low, 0), size), min(max(high, 0), size)
    return first, last, max(0, min(high, 0) - low), max(0, high - max(last, low, 0))


class Strip(NamedTuple):
    """Some columns of an output, and what they read, as a layer of their own."""

    x: Array
    y: Array
    windows: Windows
    epilogue: Epilogue


def strips(
    x: Array, y: Array, windows: Windows, epilogue: Epilogue, columns: int
) -> Iterator[Strip]:
    """An output (N, oh, ow, K) in strips of at most so many columns, for rows beyond the cache.

    Args:
        x: the input, channels last.
        y: the output.
        windows: along height and width.
        epilogue: that of all of y.
        columns: the most of a strip.
    """
    width = y.shape[2]
    if width <= columns:
        yield Strip(x, y, windows, epilogue)
        return
    count = -(-width // max(1, columns))
    down, across = windows
    for number in range(count):
        part = slice(number * width // count, (number + 1) * width // count)
        first, last, before, _ = _reach(across, x.shape[2], part)
        yield Strip(
            x[:, :, first:last],
            y[:, :, part],
            (down, across._replace(before=before)),
            epilogue.of((slice(None), slice(None), part)),
        )


class Epilogue(NamedTuple):
    """What comes after the products: a bias, a residual, an activation."""

    bias: Array | None = None
    residual: Array | None = None
    activation: Any = None

    def of(self, index: Any, channels: slice = slice(None)) -> Epilogue:
        """That of some outputs: `index` of all axes but the channels, which come last."""
        return self._replace(
            bias=None if self.bias is None else self.bias[channels],
            residual=None if self.residual is None else self.residual[(*index, channels)],
        )

    def record(self, recorder: Recorder, products: Array, target: Array) -> None:
        """Record it, from the products to the target, both (…, C); they may be the same."""
        xp = recorder.xp
        source = products
        if self.bias is not None:
            source, bias, out = _widened(xp, source, self.bias, target)
            recorder.add(xp.add, source, bias, out=out)
            source = target
        if self.residual is not None:
            recorder.add(xp.add, source, self.residual, out=target)
            source = target
        if self.activation is not None:
            activate(recorder, self.activation, source, target)
        elif source is not target:
            recorder.copy(source, target)


def _widened(xp: Any, x: Array, row: Array, out: Array) -> tuple[Array, Array, Array]:
    """Arrays of rows seen with several rows as one, so that inner loops are long."""
    channels = x.shape[-1]
    rows = math.prod(x.shape[:-1])
    times = max(1, _WIDE // max(1, channels))
    while times > 1 and rows % times:
        times -= 1
    flat, other = merged(x, x.ndim - 1), merged(out, out.ndim - 1)
    if times == 1 or flat is None or other is None:
        return x, row, out
    together = (channels * x.itemsize, x.itemsize)
    if channels > 1 and not tuple(flat.strides) == tuple(other.strides) == together:
        return x, row, out
    return (
        flat.reshape(rows // times, times * channels),
        xp.tile(row, times),
        other.reshape(rows // times, times * channels),
    )


def activate(recorder: Recorder, activation: Any, source: Array, target: Array) -> None:
    """Record an activation of every element."""
    xp, kind = recorder.xp, activation.name
    if kind in _CLIPS:
        recorder.add(source.clip, *_CLIPS[kind], out=target)
    else:
        recorder.add(_activated, activation, xp, source, out=target)


_CLIPS = {"relu": (0.0, math.inf), "relu6": (0.0, 6.0), "hard_tanh": (-1.0, 1.0)}
"""A clip between two scalars is several times as fast as a maximum with one."""


def _activated(activation: Any, xp: Any, source: Array, out: Array) -> None:
    out[...] = activation.function(xp, source)


def inside(window: Any, output: int, size: int) -> dict[int, int]:
    """The places that an output reads along an axis, by their taps; those within the input."""
    places = {
        tap: output * window.stride - window.before + tap * window.dilation
        for tap in range(window.kernel)
    }
    return {tap: place for tap, place in places.items() if 0 <= place < size}


def windows_2d(windows: Any) -> Windows:
    """The windows along height and width, where a tensor may have the one axis."""
    return (Window(), windows[0]) if len(windows) == 1 else (windows[0], windows[1])
