"""Convolution."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from convcalc import arith
from convcalc.arrays import Array, biased, padded, slid, weight
from convcalc.cost import Cost, dot_products
from convcalc.dim import Size
from convcalc.fields import Boolean, Channels, Dilation, Groups, Kernel, Padding, Pads, Stride
from convcalc.layer import (
    Layer,
    Requirement,
    Shape,
    Weight,
    divides,
    spatial,
    taps_inside,
    window_shape,
    windows,
    windows_fit,
)
from convcalc.view import Window


@dataclass(frozen=True, kw_only=True)
class Conv(Layer, name="conv"):
    """Convolution (cross-correlation) over 1 to 3 spatial axes: (N, C, *n) → (N, out_channels, *o).

    Every output is a dot product over a window of all channels, or of its group's.

    Source: Dumoulin and Visin 2016, arXiv:1603.07285, relationships 6 and 15.
    """

    out_channels: Channels
    kernel: Kernel
    stride: Stride = 1
    padding: Annotated[Pads, Padding()] = 0
    dilation: Dilation = 1
    groups: Groups = 1
    bias: Boolean = True

    mixes_channels = True

    example = "conv: {out_channels: 64, kernel: 3, padding: 1}"

    def output_shape(self, x: Shape) -> Shape:
        return (x[0], self.out_channels, *window_shape(x[2:], self.window(x), self.padding))

    def weights(self, x: Shape) -> Mapping[str, Weight]:
        kernel = (w.kernel for w in self.window(x))
        weight = Weight((self.out_channels, x[1] // self.groups, *kernel))
        return {"weight": weight, **({"bias": Weight((self.out_channels,))} if self.bias else {})}

    def cost(self, x: Shape) -> Cost:
        taps = x[1] // self.groups * arith.product(w.kernel for w in self.window(x))
        return dot_products(arith.product(self.output_shape(x)), taps, self.bias)

    def forward(self, xp: Any, inputs: tuple[Array, ...], weights: Mapping[str, Array]) -> Array:
        (x,) = inputs
        n, channels = x.shape[:2]
        found = self.window(x.shape)
        rank, groups = len(found), self.groups
        windows = slid(xp, padded(xp, x, found), found)
        positions, taps = windows.shape[2 : 2 + rank], windows.shape[2 + rank :]
        columns = xp.moveaxis(windows, range(2, 2 + rank), range(-rank, 0))
        columns = columns.reshape(n, groups, channels // groups * math.prod(taps), -1)
        filters = weight(weights, "weight", (self.out_channels, channels // groups, *taps))
        filters = filters.reshape(groups, self.out_channels // groups, -1)
        y = xp.matmul(filters, columns).reshape(n, self.out_channels, *positions)
        return biased(y, weights) if self.bias else y

    def macs_nonpad(self, x: Shape) -> Size:
        inside = taps_inside(x[2:], self.kernel, self.stride, self.padding, self.dilation)
        return x[0] * self.out_channels * (x[1] // self.groups) * inside

    def window(self, x: Shape) -> tuple[Window, ...]:
        return windows(spatial(self, x), self.kernel, self.stride, self.padding, self.dilation)

    def requirements(self, x: Shape) -> Iterable[Requirement]:
        sizes = spatial(self, x)
        if self.groups != 1:
            yield divides(self.groups, x[1], "groups", "in_channels")
            yield divides(self.groups, self.out_channels, "groups", "out_channels")
        yield from windows_fit(sizes, self.window(x), self.padding)
