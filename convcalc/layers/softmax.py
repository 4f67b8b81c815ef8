"""Softmax."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from convcalc import arith
from convcalc.cost import Cost
from convcalc.fields import Axes
from convcalc.layer import Layer, Requirement, Shape, axis_index


@dataclass(frozen=True, kw_only=True)
class Softmax(Layer, name="softmax"):
    """exp(x − max) / Σ exp(x − max) along one axis, the channels by default: the shape stays.

    For each row of n elements: n − 1 comparisons, n subtractions, n exps, n − 1 adds and
    n divisions.
    """

    axis: Annotated[int, Axes(single=True)] = 1

    example = "softmax"
    example_input = "[C]"

    def output_shape(self, x: Shape) -> Shape:
        return x

    def cost(self, x: Shape) -> Cost:
        elements = arith.product(x)
        along = axis_index(self.axis, len(x), self)
        rows = arith.product(size for axis, size in enumerate(x) if axis != along)
        return Cost(
            compares=elements - rows,
            adds=2 * elements - rows,
            exps=elements,
            divides=elements,
        )

    def requirements(self, x: Shape) -> Iterable[Requirement]:
        axis_index(self.axis, len(x), self)
        return ()
