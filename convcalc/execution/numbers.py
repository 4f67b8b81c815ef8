"""The numbers that networks compute with: the types, and how arrays of others get there."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from convcalc.arrays import Array
from convcalc.errors import ConvcalcError, UsageError, did_you_mean, shorten
from convcalc.execution.backends import Backend
from convcalc.layer import Layer

FLOATS = {"float16": 2, "float32": 4, "float64": 8}
"""The types that networks run in, and the bytes of a value."""


class Stored(NamedTuple):
    """An array in a file, not read yet: its shape, and how to read it."""

    shape: tuple[int, ...]
    read: Callable[[], Array]


def computed(layer: Layer, xp: Any, inputs: tuple[Array, ...], weights: dict[str, Array]) -> Array:
    """A layer's output, of the type of its inputs.

    A layer computes in float32 or float64. Where tensors and weights are float16, it computes in
    float32, and its output is rounded once, as GPUs do: to the nearest, ties to even, and to
    infinity beyond 65,504. An element y of the output is then off what real numbers give for the
    same inputs by at most what float32 is off, and max(2⁻¹¹·|y|, 2⁻²⁵) by rounding (IEEE 754,
    binary16: 11 bits of significand, the smallest number 2⁻²⁴).

    bfloat16 would be computed alike; neither NumPy nor CuPy has it, so what is stored as bfloat16
    is read as float32, which holds all of its numbers.
    """
    if layer.is_view or inputs[0].dtype != "float16":
        return layer.forward(xp, inputs, weights)
    import numpy

    wide = tuple(x.astype("float32") for x in inputs)
    output = layer.forward(xp, wide, {n: w.astype("float32") for n, w in weights.items()})
    with numpy.errstate(over="ignore"):
        return output.astype("float16")


def type_name(dtype: Any) -> str:
    """The name of a type, one of NumPy's or text; what is none, as text."""
    import numpy

    try:
        return numpy.dtype(str(dtype) if dtype is None else dtype).name
    except TypeError:
        return str(dtype)


def as_array(array: Any, what: str, device: Backend) -> Array:
    """An array, on the device or on the host, of whatever was given as one.

    Raises:
        ConvcalcError: it is none.
    """
    import numpy

    if device.holds(array):
        return array
    try:
        return numpy.asarray(array)
    except (ValueError, TypeError) as error:
        on_gpu = hasattr(array, "__cuda_array_interface__")
        raise ConvcalcError(
            f"{what} is no array ({shorten(str(error), 200)})",
            hint="Arrays on a GPU are for backend='cupy'." if on_gpu else "",
        ) from None


def common_type(arrays: Iterable[Array], dtype: str | None) -> str:
    """The type to compute in: that asked for, or the widest of the arrays'.

    Integers are computed in float32, unless an array beside them is of another float; wider ones
    than float64 in float64.

    Raises:
        UsageError: none is computed in that is asked for.
    """
    if dtype is not None:
        if dtype not in FLOATS:
            hint = did_you_mean(dtype, FLOATS) or f"There are {', '.join(FLOATS)}."
            raise UsageError(f"networks are not run in {shorten(dtype)}", hint=hint)
        return dtype
    sizes = (array.dtype.itemsize for array in arrays if array.dtype.kind == "f")
    widest = min(max(sizes, default=4), 8)
    return next(name for name, size in FLOATS.items() if size == widest)


def misfit(array: Array, dtype: str, device: Backend) -> str:
    """Why an array cannot be computed with in a type; nothing if it can.

    What is no real number cannot; nor integers beyond those that the type has all of, up to 2²⁴ in
    float32, nor numbers that it would make infinite. Fractions are rounded.
    """
    import numpy

    kind, about = array.dtype.kind, numpy.finfo(dtype)
    if kind not in "fiub":
        return f"holds {array.dtype.name}, not real numbers"
    fits = kind == "b" or (kind == "f" and array.dtype.itemsize <= FLOATS[dtype])
    if fits or not array.size:
        return ""
    largest = max(abs(end) for end in _ends(array, device))
    if kind in "iu":
        most = 2 ** (about.nmant + 1)
        if largest > most:
            return f"holds {largest:,}, and {dtype} has all integers up to {most:,} only"
    elif float(about.max) < largest < math.inf:
        return f"holds {largest:,.6g}, and {dtype} ends at {float(about.max):,.6g}"
    return ""


def holds_nan(array: Array, device: Backend) -> bool:
    """Whether one of the numbers of an array is none."""
    return array.dtype.kind == "f" and array.size > 0 and math.isnan(_ends(array, device)[0])


def _ends(array: Array, device: Backend) -> tuple[Any, Any]:
    """The least and the largest number, both NaN where one is: found without a second array."""
    ends = array.min(), array.max()
    least, largest = map(device.to_host, ends) if device.holds(array) else ends
    return least.item(), largest.item()


def converted(array: Array, dtype: str, device: Backend) -> Array:
    """An array in a type and on the device; the same one where it is both."""
    return device.to_device(array.astype(dtype, copy=False))
