"""Upsampling."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any

from convcalc import arith
from convcalc.cost import Cost, per_element
from convcalc.errors import ShapeError
from convcalc.fields import Choice, Decimal, LayerName, PerAxis, Sizes
from convcalc.layer import AXIS_NAMES, Layer, Requirement, Shape, Window, per_axis, spatial


@dataclass(frozen=True, kw_only=True)
class Upsample(Layer, name="upsample"):
    """Enlarges the spatial axes by a factor, to a size, or to that of another layer (`like`).

    `nearest` repeats elements and computes nothing. `linear` (bilinear over two axes, trilinear
    over three) is a weighted mean of 2 neighbours per axis: for d axes 2^d multiplies and
    2^d − 1 adds per output.
    """

    scale: Annotated[Any, PerAxis(Decimal(positive=True))] = None
    size: Sizes = None
    like: LayerName = None
    mode: Annotated[str, Choice(("nearest", "linear", "bilinear"))] = "nearest"

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
        neighbours = 2 ** len(x[2:])
        outputs = arith.product(self.output_shape(x))
        return per_element(outputs, multiplies=neighbours, adds=neighbours - 1)

    def window(self, x: Shape) -> tuple[Window, ...] | None:
        return None

    def requirements(self, x: Shape) -> Iterable[Requirement]:
        spatial(self, x)
        if (self.size is None) == (self.scale is None):
            raise ShapeError("upsample needs either a scale, or a size, or like: a layer's name")
        for axis, out in zip(AXIS_NAMES[len(x) - 2], self.output_shape(x)[2:], strict=True):
            yield Requirement(
                out, ">=", 1, lambda axis=axis, out=out: f"upsample leaves no {axis}: {out}"
            )
