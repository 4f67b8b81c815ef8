"""Softmax and its logarithm."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from convcalc import arith
from convcalc.arrays import Array
from convcalc.cost import Cost
from convcalc.fields import Axes
from convcalc.layer import Layer, Requirement, Shape, axis_index
from convcalc.view import IDENTITY, View


@dataclass(frozen=True, kw_only=True)
class _Softmax(Layer):
    """Σ exp(x − max) along one axis, the channels by default: the shape stays.

    For each row of n elements: n − 1 comparisons, n subtractions, n exps and n − 1 adds.
    """

    axis: Annotated[int, Axes(single=True)] = 1

    example_input = "[C]"

    def output_shape(self, x: Shape) -> Shape:
        return x

    def cost(self, x: Shape) -> Cost:
        elements, rows = arith.product(x), self._rows(x)
        return Cost(compares=elements - rows, adds=2 * elements - rows, exps=elements)

    def _shifted(self, xp: Any, x: Array) -> tuple[Array, Array]:
        """x − max, which no exp of overflows, and Σ exp(x − max)."""
        shifted = x - xp.max(x, axis=self.axis, keepdims=True)
        return shifted, xp.sum(xp.exp(shifted), axis=self.axis, keepdims=True)

    def _rows(self, x: Shape) -> Any:
        along = axis_index(self.axis, len(x), self)
        return arith.product(size for axis, size in enumerate(x) if axis != along)

    def view(self, axis: int, index: int, x: Shape) -> tuple[int, View] | None:
        return None if axis == axis_index(self.axis, len(x), self) else (axis, IDENTITY)

    def requirements(self, x: Shape) -> Iterable[Requirement]:
        axis_index(self.axis, len(x), self)
        return ()


class Softmax(_Softmax, name="softmax"):
    """exp(x − max) / Σ exp(x − max) along one axis, the channels by default: the shape stays.

    For each row of n elements: n − 1 comparisons, n subtractions, n exps, n − 1 adds and
    n divisions.
    """

    example = "softmax"

    def cost(self, x: Shape) -> Cost:
        return super().cost(x)._replace(divides=arith.product(x))

    def forward(self, xp: Any, inputs: tuple[Array, ...], weights: Mapping[str, Array]) -> Array:
        shifted, total = self._shifted(xp, inputs[0])
        return xp.exp(shifted) / total


class LogSoftmax(_Softmax, name="log_softmax"):
    """x − max − log Σ exp(x − max) along one axis, the channels by default: the shape stays.

    For each row of n elements: n − 1 comparisons, n subtractions, n exps, n − 1 adds, a log and
    n subtractions more.
    """

    example = "log_softmax"

    def cost(self, x: Shape) -> Cost:
        shared = super().cost(x)
        return shared._replace(
            adds=shared.adds + arith.product(x), exps=shared.exps + self._rows(x)
        )

    def forward(self, xp: Any, inputs: tuple[Array, ...], weights: Mapping[str, Array]) -> Array:
        shifted, total = self._shifted(xp, inputs[0])
        return shifted - xp.log(total)
