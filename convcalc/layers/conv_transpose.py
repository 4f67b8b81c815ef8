"""Transposed convolution."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated

from convcalc import arith
from convcalc.cost import Cost
from convcalc.fields import (
    Boolean,
    Channels,
    Count,
    Dilation,
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
    Window,
    divides,
    per_axis,
    spatial,
    windows,
)


@dataclass(frozen=True, kw_only=True)
class ConvTranspose(Layer, name="conv_transpose"):
    """Transposed convolution: (N, C, *n) → (N, out_channels, *o); padding crops the output.

    Every input is multiplied by the whole kernel and added into the output, so operations are
    counted over *input* positions; the zeros that the stride would insert are never multiplied.
    Every product is one add: onto the bias, or onto zero.

    Source: Dumoulin and Visin 2016, arXiv:1603.07285, relationship 14.
    """

    out_channels: Channels
    kernel: Kernel
    stride: Stride = 1
    padding: Annotated[Pads, Padding(words=("valid",))] = 0
    output_padding: Annotated[Pads, PerAxis(Whole(0))] = 0
    dilation: Dilation = 1
    groups: Count = 1
    bias: Boolean = True

    example = "conv_transpose: {out_channels: 64, kernel: 2, stride: 2}"

    def output_shape(self, x: Shape) -> Shape:
        return (x[0], self.out_channels, *self._sizes(x))

    def weights(self, x: Shape) -> Mapping[str, Weight]:
        kernel = (w.kernel for w in self.window(x))
        weight = Weight((x[1], self.out_channels // self.groups, *kernel))
        return {"weight": weight, **({"bias": Weight((self.out_channels,))} if self.bias else {})}

    def cost(self, x: Shape) -> Cost:
        taps = self.out_channels // self.groups * arith.product(w.kernel for w in self.window(x))
        macs = arith.product(x) * taps
        return Cost(macs=macs, multiplies=macs, adds=macs)

    def window(self, x: Shape) -> tuple[Window, ...]:
        return windows(spatial(self, x), self.kernel, self.stride, self.padding, self.dilation)

    def requirements(self, x: Shape) -> Iterable[Requirement]:
        spatial(self, x)
        if self.groups != 1:
            yield divides(self.groups, x[1], "groups", "in_channels")
            yield divides(self.groups, self.out_channels, "groups", "out_channels")
        extras = per_axis(self.output_padding, len(x) - 2, "output_padding")
        for axis, out, w, extra in zip(
            AXIS_NAMES[len(x) - 2], self._sizes(x), self.window(x), extras, strict=True
        ):
            yield Requirement(
                max(w.stride, w.dilation) - 1, ">=", extra,
                lambda extra=extra, w=w: f"output_padding {extra} must be smaller than the stride "
                f"{w.stride} or the dilation {w.dilation}",
            )  # fmt: skip
            yield Requirement(
                out, ">=", 1,
                lambda axis=axis, out=out: f"the padding crops the whole {axis}: {out} are left",
            )  # fmt: skip

    def _sizes(self, x: Shape) -> Shape:
        extras = per_axis(self.output_padding, len(x) - 2, "output_padding")
        return tuple(
            arith.transposed_out(n, w.kernel, w.stride, w.before + w.after, w.dilation, extra)
            for n, w, extra in zip(x[2:], self.window(x), extras, strict=True)
        )
