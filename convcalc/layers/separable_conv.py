"""Short forms: convolutions that keep the channels apart, and then mix them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from convcalc.arrays import Array
from convcalc.cost import Cost
from convcalc.dim import Size
from convcalc.fields import Boolean, Channels, Count, Dilation, Kernel, Padding, Pads, Stride
from convcalc.layer import Layer, Requirement, Shape, Weight, spatial, windows, windows_fit
from convcalc.layers.conv import Conv
from convcalc.view import IDENTITY, Resize, View, Window


@dataclass(frozen=True, kw_only=True)
class DepthwiseConv(Layer, name="depthwise_conv"):
    """Depthwise convolution, a filter per channel: (N, C, *n) → (N, C·multiplier, *o).

    Short for a `conv` whose groups are its in_channels: every output is a dot product of the
    window over one channel.

    Source: Howard et al. 2017, arXiv:1704.04861, equations 3 and 4.
    """

    kernel: Kernel
    multiplier: Count = 1
    stride: Stride = 1
    padding: Annotated[Pads, Padding()] = 0
    dilation: Dilation = 1
    bias: Boolean = True

    example = "depthwise_conv: {kernel: 3, padding: 1}"

    def output_shape(self, x: Shape) -> Shape:
        return self._conv(x).output_shape(x)

    def weights(self, x: Shape) -> Mapping[str, Weight]:
        return self._conv(x).weights(x)

    def parts(self, x: Shape) -> tuple[Layer, ...]:
        return (self._conv(x),)

    def cost(self, x: Shape) -> Cost:
        return self._conv(x).cost(x)

    def forward(self, xp: Any, inputs: tuple[Array, ...], weights: Mapping[str, Array]) -> Array:
        return self._conv(inputs[0].shape).forward(xp, inputs, weights)

    def macs_nonpad(self, x: Shape) -> Size:
        return self._conv(x).macs_nonpad(x)

    def window(self, x: Shape) -> tuple[Window, ...]:
        return windows(spatial(self, x), self.kernel, self.stride, self.padding, self.dilation)

    def view(self, axis: int, index: int, x: Shape) -> tuple[int, View] | None:
        if axis == 1:
            apart = self.multiplier == 1
            return axis, IDENTITY if apart else Resize(1, self.multiplier, neighbours=1)
        return super().view(axis, index, x)

    def requirements(self, x: Shape) -> Iterable[Requirement]:
        return windows_fit(spatial(self, x), self.window(x), self.padding)

    def _conv(self, x: Shape) -> Conv:
        return Conv(
            out_channels=x[1] * self.multiplier,
            kernel=self.kernel,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            groups=x[1],
            bias=self.bias,
        )


@dataclass(frozen=True, kw_only=True)
class SeparableConv(Layer, name="separable_conv"):
    """Depthwise separable convolution: (N, C, *n) → (N, out_channels, *o).

    A `depthwise_conv` without bias, then a 1×1 `conv`, with nothing in between; the weights, the
    operations and the MACs are those of both. As one layer it has one output: the tensor in
    between is not counted as an activation. Write the two layers for that, or for a norm there.

    Source: Chollet 2016, arXiv:1610.02357, section 1.1; Howard et al. 2017, arXiv:1704.04861,
    equation 5.
    """

    out_channels: Channels
    kernel: Kernel
    multiplier: Count = 1
    stride: Stride = 1
    padding: Annotated[Pads, Padding()] = 0
    dilation: Dilation = 1
    bias: Boolean = True

    mixes_channels = True

    example = "separable_conv: {out_channels: 64, kernel: 3, padding: 1}"

    def output_shape(self, x: Shape) -> Shape:
        return self._pointwise.output_shape(self._depthwise.output_shape(x))

    def weights(self, x: Shape) -> Mapping[str, Weight]:
        own = self._pointwise.weights(self._depthwise.output_shape(x))
        return {
            "depthwise_weight": self._depthwise.weights(x)["weight"],
            "pointwise_weight": own["weight"],
            **({"bias": own["bias"]} if self.bias else {}),
        }

    def parts(self, x: Shape) -> tuple[Layer, ...]:
        return (*self._depthwise.parts(x), self._pointwise)

    def cost(self, x: Shape) -> Cost:
        pointwise = self._pointwise.cost(self._depthwise.output_shape(x))
        both = zip(self._depthwise.cost(x), pointwise, strict=True)
        return Cost(*(one + other for one, other in both))

    def forward(self, xp: Any, inputs: tuple[Array, ...], weights: Mapping[str, Array]) -> Array:
        between = self._depthwise.forward(xp, inputs, {"weight": weights["depthwise_weight"]})
        own = {**weights, "weight": weights["pointwise_weight"]}
        return self._pointwise.forward(xp, (between,), own)

    def macs_nonpad(self, x: Shape) -> Size:
        pointwise = self._pointwise.macs_nonpad(self._depthwise.output_shape(x))
        return self._depthwise.macs_nonpad(x) + pointwise

    def window(self, x: Shape) -> tuple[Window, ...]:
        spatial(self, x)
        return self._depthwise.window(x)

    def requirements(self, x: Shape) -> Iterable[Requirement]:
        spatial(self, x)
        return self._depthwise.requirements(x)

    @property
    def _depthwise(self) -> DepthwiseConv:
        return DepthwiseConv(
            kernel=self.kernel,
            multiplier=self.multiplier,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            bias=False,
        )

    @property
    def _pointwise(self) -> Conv:
        return Conv(out_channels=self.out_channels, kernel=1, bias=self.bias)
