"""What layers compute with, beyond a call of the array module: weights, padding, windows, erf.

`xp` is NumPy, CuPy, or whatever has their interface; nothing here imports either. Arrays are
(N, channels, *spatial), as shapes are. Matrix products go through `xp.matmul` alone, whose operands
say how many multiply–accumulates a run performs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from itertools import product
from typing import Any

from convcalc.view import Window

Array = Any


def weight(weights: Mapping[str, Array], name: str, shape: tuple[Any, ...]) -> Array:
    """The weight of that name, which must have that shape.

    Raises:
        ValueError: it has another. Reshaping would take a transposed weight, and broadcasting a
            single number in the place of many.
    """
    found = weights[name]
    if found.shape != shape:
        raise ValueError(f"{name} has the shape {found.shape}, and {shape} is due")
    return found


def biased(y: Array, weights: Mapping[str, Array]) -> Array:
    """The output with the bias of its channel added to every element."""
    return y + weight(weights, "bias", y.shape[1:2]).reshape(-1, *(1,) * (y.ndim - 2))


def borders(windows: Sequence[Window]) -> list[tuple[Any, Any]]:
    """What windows have before and after every axis of their input, as `xp.pad` takes it."""
    return [(0, 0), (0, 0), *((w.before, w.after) for w in windows)]


def padded(xp: Any, x: Array, windows: Sequence[Window], value: float = 0) -> Array:
    """The input with what its windows have before and after it along every spatial axis."""
    if not any(w.before or w.after for w in windows):
        return x
    return xp.pad(x, borders(windows), constant_values=value)


def slid(xp: Any, x: Array, windows: Sequence[Window]) -> Array:
    """The elements under every window of a padded input: (N, C, *positions, *kernel), a view."""
    axes = tuple(range(2, x.ndim))
    spans = tuple(w.dilation * (w.kernel - 1) + 1 for w in windows)
    view = xp.lib.stride_tricks.sliding_window_view(x, spans, axis=axes)
    steps = [slice(None, None, w.stride) for w in windows]
    taps = [slice(None, None, w.dilation) for w in windows]
    return view[(slice(None), slice(None), *steps, *taps)]


def spread(xp: Any, products: Array, windows: Sequence[Window], extra: Sequence[int]) -> Array:
    """What every input puts under its window, added up: (N, C, *kernel, *n) → (N, C, *o).

    The reverse of `slid`: tap t of input i falls on i·stride + t·dilation. Then come `extra` zeros
    along every axis, and what the windows have before and after is cropped.
    """
    rank = len(windows)
    kernel, sizes = products.shape[2 : 2 + rank], products.shape[2 + rank :]
    ends = [w.stride * (n - 1) + 1 for n, w in zip(sizes, windows, strict=True)]
    reach = [
        end + w.dilation * (w.kernel - 1) + more
        for end, w, more in zip(ends, windows, extra, strict=True)
    ]
    canvas = xp.zeros((*products.shape[:2], *reach), products.dtype)
    for tap in product(*map(range, kernel)):
        shifts = [t * w.dilation for t, w in zip(tap, windows, strict=True)]
        places = (
            slice(shift, shift + end, w.stride)
            for shift, end, w in zip(shifts, ends, windows, strict=True)
        )
        canvas[(..., *places)] += products[(slice(None), slice(None), *tap)]
    kept = (slice(w.before, n - w.after) for n, w in zip(reach, windows, strict=True))
    return canvas[(..., *kept)]


def along(xp: Any, weights: Mapping[str, Array], name: str, x: Array, axes: Sequence[int]) -> Array:
    """The weight of that name, laid along axes of `x`: an array that `x` can be multiplied by.

    Args:
        xp: the array module.
        weights: the arrays by their names.
        name: that of the one, whose axes are as long as those of `x`, in the order given.
        x: the array along whose axes it lies.
        axes: their numbers from the front, all different.
    """
    found = weight(weights, name, tuple(x.shape[axis] for axis in axes))
    moved = xp.transpose(found, sorted(range(len(axes)), key=axes.__getitem__))
    return moved.reshape([size if axis in axes else 1 for axis, size in enumerate(x.shape)])


_ERF = (
    (3.20937758913846947e3, 3.77485237685302021e2, 1.13864154151050156e2, 3.16112374387056560,
     1.85777706184603153e-1),
    (2.84423683343917062e3, 1.28261652607737228e3, 2.44024637934444173e2, 2.36012909523441209e1,
     1.0),
)  # fmt: skip
_ERFC = (
    (1.23033935479799725e3, 2.05107837782607147e3, 1.71204761263407058e3, 8.81952221241769090e2,
     2.98635138197400131e2, 6.61191906371416295e1, 8.88314979438837594, 5.64188496988670089e-1,
     2.15311535474403846e-8),
    (1.23033935480374942e3, 3.43936767414372164e3, 4.36261909014324716e3, 3.29079923573345963e3,
     1.62138957456669019e3, 5.37181101862009858e2, 1.17693950891312499e2, 1.57449261107098347e1,
     1.0),
)  # fmt: skip
"""The coefficients of the numerators and the denominators, from the constant on."""


def erf(xp: Any, x: Array) -> Array:
    """The error function, to within three units in the last place of a double.

    x · R(x²) where |x| < ½, and else ±(1 − exp(−x²) · S(|x|)), with R and S quotients of
    polynomials. Beyond 6 it is ±1 to all digits.

    Source: Cody 1969, "Rational Chebyshev approximations for the error function", Mathematics of
    Computation 23; the coefficients as in his CALERF (netlib, SPECFUN), whose quotient for the
    complement beyond 4 is not needed where it is taken from 1.
    """
    size = xp.minimum(xp.abs(x), 6)
    inner = x * _quotient(size * size, *_ERF)
    outer = xp.sign(x) * (1 - xp.exp(-size * size) * _quotient(size, *_ERFC))
    return xp.where(size < 0.5, inner, outer)


def _quotient(x: Array, above: Sequence[float], below: Sequence[float]) -> Array:
    """The quotient of two polynomials, by Horner's rule."""
    up, down = (reduce(lambda value, c: value * x + c, reversed(p)) for p in (above, below))
    return up / down
