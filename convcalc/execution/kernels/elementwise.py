"""Norms, activations and merges: an operation of every element."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from convcalc.arrays import Array
from convcalc.execution.kernels.recording import Epilogue, Recorder, activate, blocks


def parts(recorder: Recorder, y: Array) -> Iterator[tuple[slice, slice]]:
    """The worker's pieces of an array (N, …), as indices of its first two axes.

    Whole images, as many as fit the cache; or cuts along the second axis of (N, n, …, C), where an
    image alone is larger.
    """
    if not y.size:
        return
    images, each = len(y), y.size // len(y)
    if each <= recorder.cache or y.ndim < 3:
        share = recorder.share
        pieces = max(-(-images * each // recorder.cache), share.parts)
        pieces = min(images, -(-pieces // share.parts) * share.parts)
        for number in share.of(pieces):
            whole = slice(number * images // pieces, (number + 1) * images // pieces)
            yield whole, slice(None)
        return
    rows = max(1, recorder.cache // (each // y.shape[1]))
    for block in blocks(recorder.share, images, y.shape[1], rows):
        yield block.images, block.rows


def record_norm(
    recorder: Recorder, x: Array, scale: Array, shift: Array, y: Array, activation: Any
) -> None:
    """Record y = activation(x·scale + shift), with a factor and a shift for every channel.

    The reference is `BatchNorm.forward`; the error is two roundings, and that of the factors.

    Args:
        recorder: takes the calls.
        x: (N, …, C).
        scale: (C,).
        shift: (C,).
        y: as x.
        activation: or None.
    """
    for index in parts(recorder, y):
        recorder.add(recorder.xp.multiply, x[index], scale, out=y[index])
        Epilogue(shift, None, activation).record(recorder, y[index], y[index])


def record_activation(recorder: Recorder, x: Array, y: Array, activation: Any) -> None:
    """Record y = activation(x); the reference is the layer's `forward`."""
    for index in parts(recorder, y):
        activate(recorder, activation, x[index], y[index])


def record_merge(
    recorder: Recorder, operation: Any, inputs: list[Array], y: Array, activation: Any
) -> None:
    """Record an operation of several inputs, those with an axis of size 1 repeated along it.

    The reference is `ElementwiseMerge.forward`; the result is the same to the last bit.

    Args:
        recorder: takes the calls.
        operation: of two arrays.
        inputs: of the shape of y, or with 1 for some axes.
        y: the output.
        activation: or None.
    """
    inputs = [recorder.xp.broadcast_to(x, y.shape) for x in inputs]
    for index in parts(recorder, y):
        target = y[index]
        first = inputs[0][index]
        for other in inputs[1:]:
            first = recorder.add(operation, first, other[index], out=target)
        if activation is not None:
            activate(recorder, activation, first, target)
        elif first is not target:
            recorder.copy(first, target)
