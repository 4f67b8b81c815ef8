"""Transposed convolution."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from convcalc import arith
from convcalc.arrays import Array, biased, spread, weight
from convcalc.cost import Cost
from convcalc.dim import Size
from convcalc.fields import (
    Boolean,
    Channels,
    Dilation,
    Groups,
    Kernel,
    Padding,
    Pads,
    PerAxis,
    Stride,
    Whole,
)
from convcalc.layer import (
    AXIS_NAMES,
    Layer,
    Requirement,
    Shape,
    Weight,
    divides,
    per_axis,
    spatial,
    windows,
)
from convcalc.view import Spread, View, Window


@dataclass(frozen=True, kw_only=True)
class ConvTranspose(Layer, name="conv_transpose"):
    """Transposed convolution: (N, C, *n) → (N, out_channels, *o); padding crops the output.

    Every input is multiplied by the whole kernel and added into the output, so operations are
    counted over input positions; the zeros that the stride would insert are never multiplied.
    Every product is one add: onto the bias, or onto zero.

    Source: Dumoulin and Visin 2016, arXiv:1603.07285, relationship 14.
    """

    out_channels: Channels
    kernel: Kernel
    stride: Stride = 1
    padding: Annotated[Pads, Padding(words=("valid",))] = 0
    output_padding: Annotated[Pads, PerAxis(Whole(0))] = 0
    dilation: Dilation = 1
    groups: Groups = 1
    bias: Boolean = True

    mixes_channels = True

    example = "conv_transpose: {out_channels: 64, kernel: 2, stride: 2}"

    def output_shape(self, x: Shape) -> Shape:
        return (x[0], self.out_channels, *self._sizes(x))

    def weights(self, x: Shape) -> Mapping[str, Weight]:
        kernel = (w.kernel for w in self._windows(x))
        weight = Weight((x[1], self.out_channels // self.groups, *kernel))
        return {"weight": weight, **({"bias": Weight((self.out_channels,))} if self.bias else {})}

    def cost(self, x: Shape) -> Cost:
        taps = self.out_channels // self.groups * arith.product(w.kernel for w in self._windows(x))
        macs = arith.product(x) * taps
        return Cost(macs=macs, multiplies=macs, adds=macs)

    def forward(self, xp: Any, inputs: tuple[Array, ...], weights: Mapping[str, Array]) -> Array:
        (x,) = inputs
        n, channels, *sizes = x.shape
        found = self._windows(x.shape)
        groups, kernel = self.groups, [w.kernel for w in found]
        shape = (channels, self.out_channels // groups, *kernel)
        filters = weight(weights, "weight", shape).reshape(groups, channels // groups, -1)
        columns = x.reshape(n, groups, channels // groups, -1)
        products = xp.matmul(filters.swapaxes(1, 2), columns)
        products = products.reshape(n, self.out_channels, *kernel, *sizes)
        extras = per_axis(self.output_padding, len(sizes), "output_padding")
        y = spread(xp, products, found, extras)
        return biased(y, weights) if self.bias else y

    def macs_nonpad(self, x: Shape) -> Size:
        # the products that the padding crops away fall on no output
        kept: Size = arith.product(
            arith.taps_inside(out, n, w.kernel, w.stride, w.before, w.dilation)
            for n, out, w in zip(x[2:], self._sizes(x), self._windows(x), strict=True)
        )
        return x[0] * x[1] * (self.out_channels // self.groups) * kept

    def window(self, x: Shape) -> tuple[View, ...]:
        return tuple(Spread(w.kernel, w.stride, w.before, w.dilation) for w in self._windows(x))

    def requirements(self, x: Shape) -> Iterable[Requirement]:
        spatial(self, x)
        if self.groups != 1:
            yield divides(self.groups, x[1], "groups", "in_channels")
            yield divides(self.groups, self.out_channels, "groups", "out_channels")
        extras = per_axis(self.output_padding, len(x) - 2, "output_padding")
        for axis, out, w, extra in zip(
            AXIS_NAMES[len(x) - 2], self._sizes(x), self._windows(x), extras, strict=True
        ):
            most = arith.maximum(w.stride, w.dilation) - 1
            fact = "output_padding {} must be smaller than the stride {} or the dilation {}"
            yield Requirement(most, ">=", extra, partial(fact.format, extra, w.stride, w.dilation))
            whole = out + w.before + w.after
            fact = "padding {} and {} crops the whole {} of {}"
            yield Requirement(out, ">=", 1, partial(fact.format, w.before, w.after, axis, whole))

    def _sizes(self, x: Shape) -> Shape:
        extras = per_axis(self.output_padding, len(x) - 2, "output_padding")
        return tuple(
            arith.transposed_out(n, w.kernel, w.stride, w.before + w.after, w.dilation, extra)
            for n, w, extra in zip(x[2:], self._windows(x), extras, strict=True)
        )

    def _windows(self, x: Shape) -> tuple[Window, ...]:
        """The windows of the convolution that this transposes."""
        return windows(spatial(self, x), self.kernel, self.stride, self.padding, self.dilation)
