"""Reductions over axes that the spec names."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from convcalc import arith
from convcalc.arrays import Array
from convcalc.cost import Cost
from convcalc.fields import Axes, Boolean
from convcalc.layer import Layer, Requirement, Shape, axis_index
from convcalc.layers.norm import axis_sizes
from convcalc.view import IDENTITY, View


@dataclass(frozen=True, kw_only=True)
class Mean(Layer, name="mean"):
    """Mean over some axes, which go, or stay with size 1 with keep_axes.

    n − 1 adds and 1 division for n elements. Over all spatial axes it is what global_avg_pool
    does, and what PyTorch's networks write as `x.mean([2, 3])`.
    """

    axes: Annotated[Any, Axes()]
    keep_axes: Boolean = False

    example = "mean: [2, 3]"

    def output_shape(self, x: Shape) -> Shape:
        gone = self._axes(x)
        if self.keep_axes:
            return tuple(1 if axis in gone else size for axis, size in enumerate(x))
        return tuple(size for axis, size in enumerate(x) if axis not in gone)

    def cost(self, x: Shape) -> Cost:
        means = arith.product(self.output_shape(x))
        return Cost(adds=arith.product(x) - means, divides=means)

    def forward(self, xp: Any, inputs: tuple[Array, ...], weights: Mapping[str, Array]) -> Array:
        return xp.mean(inputs[0], axis=self.axes, keepdims=self.keep_axes)

    def view(self, axis: int, index: int, x: Shape) -> tuple[int, View] | None:
        gone = self._axes(x)
        if axis in gone:
            return None
        before = 0 if self.keep_axes else sum(other < axis for other in gone)
        return axis - before, IDENTITY

    def requirements(self, x: Shape) -> Iterable[Requirement]:
        axis_sizes(self, self.axes, x)
        return ()

    def _axes(self, x: Shape) -> set[int]:
        return {axis_index(axis, len(x), self) for axis in self.axes}
