"""The fully connected layer."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from convcalc import arith
from convcalc.arrays import Array, weight
from convcalc.cost import Cost, dot_products
from convcalc.errors import ShapeError
from convcalc.fields import Axes, Boolean, Channels
from convcalc.layer import Layer, Requirement, Shape, Weight, show_shape
from convcalc.view import IDENTITY, View


@dataclass(frozen=True, kw_only=True)
class Linear(Layer, name="linear"):
    """Fully connected layer: (N, in_features) → (N, out_features), y = W·x + b.

    Every output is a dot product over in_features. With `axis: -1` the last axis of a tensor of any
    rank is mapped, at every position.
    """

    out_features: Channels
    bias: Boolean = True
    axis: Annotated[int | None, Axes(single=True)] = None

    example = "linear: 1000"
    example_input = "[C]"

    def output_shape(self, x: Shape) -> Shape:
        return (*x[:-1], self.out_features)

    def weights(self, x: Shape) -> Mapping[str, Weight]:
        matrix = Weight((self.out_features, x[-1]))
        return {"weight": matrix, **({"bias": Weight((self.out_features,))} if self.bias else {})}

    def cost(self, x: Shape) -> Cost:
        return dot_products(arith.product(self.output_shape(x)), x[-1], self.bias)

    def forward(self, xp: Any, inputs: tuple[Array, ...], weights: Mapping[str, Array]) -> Array:
        (x,) = inputs
        matrix = weight(weights, "weight", (self.out_features, x.shape[-1]))
        y = xp.matmul(x.reshape(-1, x.shape[-1]), matrix.T)
        if self.bias:
            y = y + weight(weights, "bias", (self.out_features,))
        return y.reshape(*x.shape[:-1], self.out_features)

    def view(self, axis: int, index: int, x: Shape) -> tuple[int, View] | None:
        return None if axis == len(x) - 1 else (axis, IDENTITY)

    def requirements(self, x: Shape) -> Iterable[Requirement]:
        if self.axis is not None:
            if self.axis not in (-1, len(x) - 1):
                raise ShapeError(
                    f"linear maps the last axis only, not axis {self.axis} of {show_shape(x)}",
                    hint="Say axis: -1, or permute before it.",
                )
        elif len(x) != 2:
            raise ShapeError(
                f"linear needs one axis after the batch, and gets {show_shape(x)}",
                hint="Put flatten before it, or say axis: -1 to map the last axis.",
            )
        return ()
