"""Norms, activations and merges: an operation of every element."""

from __future__ import annotations

from typing import Any

from convcalc.arrays import Array
from convcalc.execution.kernels.recording import Epilogue, Recorder, activate


def parts(recorder: Recorder, y: Array) -> list[Any]:
    """Indices that cut an array (N, …) into the worker's pieces of what fits the cache."""
    if y.ndim < 2 or not y.size:
        return [slice(None)] if recorder.share.part == 0 else []
    inner = y[0, 0].size
    cuts = min(
        y.shape[1], max(-(-y.size // len(y) // recorder.cache), -(-recorder.share.parts // len(y)))
    )
    del inner
    found: list[Any] = []
    for number in recorder.share.of(len(y) * cuts):
        image, cut = divmod(number, cuts)
        size = y.shape[1]
        found.append((slice(image, image + 1), slice(cut * size // cuts, (cut + 1) * size // cuts)))
    return found


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
