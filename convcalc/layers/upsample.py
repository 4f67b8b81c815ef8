"""Upsampling."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Annotated, Any, NamedTuple

from convcalc import arith
from convcalc.arrays import Array
from convcalc.cost import Cost, per_element
from convcalc.dim import Dim
from convcalc.errors import ShapeError
from convcalc.fields import Boolean, Choice, Decimal, LayerName, PerAxis, Sizes, show
from convcalc.layer import AXIS_NAMES, Layer, Requirement, Shape, per_axis, resized, spatial
from convcalc.view import Reach, View, whole

_AXES_OF_MODE = {"bilinear": 2, "bicubic": 2, "trilinear": 3}
_NEIGHBOURS = {"nearest": 1, "cubic": 4, "bicubic": 4}
"""Along each axis; all other modes are linear and weigh 2."""


def _keys(xp: Any, distance: Array, a: float = -0.75) -> Array:
    """The weight of an element at a distance of 2 at most: Keys 1981, which then sets a = −1/2."""
    near = ((a + 2) * distance - (a + 3)) * distance**2 + 1
    far = ((distance - 5) * distance + 8) * a * distance - 4 * a
    return xp.where(distance <= 1, near, far)


class AlignedResize(NamedTuple):
    """The whole axis mapped to another size, first on first and last on last position.

    Output i lies at i·(size − 1)/(out − 1), between the `neighbours` that are weighed.
    """

    size: Any
    out: Any
    neighbours: int

    def reach(self, before: Reach) -> Reach | None:
        """As many inputs as are weighed; the start is that of output 0."""
        if isinstance(self.size, Dim) or isinstance(self.out, Dim):
            return None
        first, last = self.reads(0, 0)
        step = Fraction(self.size - 1, max(self.out - 1, 1))
        return before._replace(
            size=before.size + before.stride * (last - first),
            stride=whole(before.stride * step),
            start=before.start + before.stride * first,
        )

    def reads(self, first: int, last: int) -> tuple[int, int]:
        low, high = (i * (self.size - 1) // max(self.out - 1, 1) for i in (first, last))
        more = self.neighbours // 2
        return low - (more - 1), high + more


@dataclass(frozen=True, kw_only=True)
class Upsample(Layer, name="upsample"):
    """Enlarges the spatial axes by a factor, to a size, or to that of another layer (`like`).

    `nearest` repeats elements and computes nothing. `linear`, which over two axes may be called
    `bilinear` and over three `trilinear`, is a weighted mean of 2 neighbours per axis: for d axes
    2^d multiplies and 2^d − 1 adds per output. `cubic`, over two axes `bicubic`, weighs 4 per axis:
    4^d multiplies and 4^d − 1 adds, with a = −3/4 as PyTorch and ONNX have it. The weights are
    constants of the two sizes, even where `scale` does not give whole ones (PyTorch's
    recompute_scale_factor). Neighbours outside the input are its border elements. `align_corners`
    lays the corner elements on each other, not the corners of the image; it costs the same.

    Source: Keys 1981, "Cubic convolution interpolation for digital image processing", for cubic.
    """

    scale: Annotated[Any, PerAxis(Decimal(positive=True))] = None
    size: Sizes = None
    like: LayerName = None
    mode: Annotated[str, Choice(("nearest", "linear", "cubic", *_AXES_OF_MODE))] = "nearest"
    align_corners: Boolean = False

    example = "upsample: 2"

    def output_shape(self, x: Shape) -> Shape:
        rank = len(spatial(self, x))
        if self.size is not None:
            return (*x[:2], *per_axis(self.size, rank, "size"))
        scales = per_axis(self.scale, rank, "scale")
        return (*x[:2], *map(arith.scaled_out, x[2:], scales))

    def cost(self, x: Shape) -> Cost:
        if self.mode == "nearest":
            return Cost()
        neighbours = self._neighbours ** len(x[2:])
        outputs = arith.product(self.output_shape(x))
        return per_element(outputs, multiplies=neighbours, adds=neighbours - 1)

    def forward(self, xp: Any, inputs: tuple[Array, ...], weights: Mapping[str, Array]) -> Array:
        (x,) = inputs
        rank = x.ndim - 2
        if self.size is not None:
            due = per_axis(self.size, rank, "size")
        else:
            scales = per_axis(self.scale, rank, "scale")
            due = tuple(math.floor(n * scale) for n, scale in zip(x.shape[2:], scales, strict=True))
        for axis, out in enumerate(due, start=2):
            x = self._resized(xp, x, axis, out)
        return x

    def _resized(self, xp: Any, x: Array, axis: int, out: int) -> Array:
        """The input with one axis mapped to `out` positions."""
        size = x.shape[axis]
        i = xp.arange(out)
        if self.mode == "nearest":
            return xp.take(x, i * size // out, axis=axis)
        # output i lies at place/unit
        place, unit = (2 * i + 1) * size - out, 2 * out
        if self.align_corners:
            place, unit = i * (size - 1), max(out - 1, 1)
        below = place // unit
        past = (place - below * unit) / unit
        half = self._neighbours // 2
        y = 0
        for tap in range(1 - half, half + 1):
            distance = abs(past - tap)
            factor = 1 - distance if half == 1 else _keys(xp, distance)
            factor = factor.astype(x.dtype).reshape(-1, *(1,) * (x.ndim - 1 - axis))
            y = y + factor * xp.take(x, xp.clip(below + tap, 0, size - 1), axis=axis)
        return y

    def window(self, x: Shape) -> tuple[View, ...]:
        out = self.output_shape(x)[2:]
        if not self.align_corners:
            return resized(x[2:], out, self._neighbours)
        sizes = zip(x[2:], out, strict=True)
        return tuple(AlignedResize(n, m, self._neighbours) for n, m in sizes)

    def requirements(self, x: Shape) -> Iterable[Requirement]:
        rank = len(spatial(self, x))
        if (self.size is None) == (self.scale is None):
            raise ShapeError("upsample needs either a scale, or a size, or like: a layer's name")
        due = _AXES_OF_MODE.get(self.mode, rank)
        if due != rank:
            raise ShapeError(
                f"mode {self.mode} is over {due} spatial axes, and the input has {rank}",
                hint=f"mode: {'cubic' if self.mode == 'bicubic' else 'linear'} is over any number.",
            )
        if self.align_corners and self.mode == "nearest":
            raise ShapeError(
                "align_corners says where to interpolate, and mode nearest repeats elements",
                hint="mode: linear interpolates.",
            )
        for axis, size, out in zip(AXIS_NAMES[rank], x[2:], self.output_shape(x)[2:], strict=True):
            fact = partial("scale {} leaves nothing of {} {}".format, show(self.scale), axis, size)
            yield Requirement(out, ">=", 1, fact)

    @property
    def _neighbours(self) -> int:
        return _NEIGHBOURS.get(self.mode, 2)
