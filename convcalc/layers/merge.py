"""Merges: several inputs, one output."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Annotated, Any, ClassVar

from convcalc import arith
from convcalc.arrays import Array
from convcalc.cost import Cost
from convcalc.dim import Size
from convcalc.errors import ShapeError
from convcalc.fields import Axes
from convcalc.layer import Layer, Requirement, Shape, axis_index, show_shape
from convcalc.view import IDENTITY, View, Window


@dataclass(frozen=True, kw_only=True)
class ElementwiseMerge(Layer):
    """One operation of the kind `operation` per output and further input.

    Sizes must be equal; an axis of size 1 is repeated to the size of the others.
    """

    operation: ClassVar[str]
    merges = True
    is_elementwise = True

    def output_shape(self, *inputs: Shape) -> Shape:
        return tuple(
            next((size for size in sizes if size != 1), 1) for sizes in zip(*inputs, strict=True)
        )

    def cost(self, *inputs: Shape) -> Cost:
        outputs = arith.product(self.output_shape(*inputs))
        return Cost(**{self.operation: outputs * (len(inputs) - 1)})

    def forward(self, xp: Any, inputs: tuple[Array, ...], weights: Mapping[str, Array]) -> Array:
        # array modules call the operations as the layers are called
        return reduce(getattr(xp, self.name), inputs)

    def requirements(self, *inputs: Shape) -> Iterable[Requirement]:
        same_rank(self, inputs)
        out = self.output_shape(*inputs)
        for x in inputs:
            for axis, (size, due) in enumerate(zip(x, out, strict=True)):
                if size != 1:
                    yield _equal(self, size, due, axis, inputs)


class _BinaryMerge(ElementwiseMerge):
    """A merge whose order matters takes two inputs."""

    def requirements(self, *inputs: Shape) -> Iterable[Requirement]:
        if len(inputs) != 2:
            raise ShapeError(f"{self.name} takes two inputs, and gets {len(inputs)}")
        return super().requirements(*inputs)


class Add(ElementwiseMerge, name="add"):
    """Sum of the branches, element by element; axes of size 1 are repeated.

    Source: He, Zhang, Ren, Sun 2015, arXiv:1512.03385, equation 1.
    """

    operation = "adds"
    example = "add: [[], [conv: {out_channels: C, kernel: 3, padding: 1}]]"


class Subtract(_BinaryMerge, name="subtract"):
    """First branch less the second, element by element; axes of size 1 are repeated."""

    operation = "adds"
    example = "subtract: [[], [relu]]"


class Multiply(ElementwiseMerge, name="multiply"):
    """Product of the branches, element by element; axes of size 1 are repeated.

    Source: Hu, Shen, Sun 2017, arXiv:1709.01507, equation 4 (squeeze-and-excitation).
    """

    operation = "multiplies"
    example = "multiply: [[], [sigmoid]]"


class Divide(_BinaryMerge, name="divide"):
    """First branch over the second, element by element; axes of size 1 are repeated."""

    operation = "divides"
    example = "divide: [[], [sigmoid]]"


class Maximum(ElementwiseMerge, name="maximum"):
    """The largest of the branches, element by element; axes of size 1 are repeated.

    Source: Goodfellow et al. 2013, arXiv:1302.4389, section 2 (maxout).
    """

    operation = "compares"
    example = "maximum: [[], [conv: {out_channels: C, kernel: 3, padding: 1}]]"


class Minimum(ElementwiseMerge, name="minimum"):
    """The smallest of the branches, element by element; axes of size 1 are repeated."""

    operation = "compares"
    example = "minimum: [[], [sigmoid]]"


@dataclass(frozen=True, kw_only=True)
class Concat(Layer, name="concat"):
    """The branches side by side along one axis, the channels by default; all other sizes equal.

    It moves data and computes nothing. Source: Huang et al. 2016, arXiv:1608.06993, equation 2.
    """

    axis: Annotated[int, Axes(single=True)] = 1
    merges = True

    example = "concat: [[], [conv: {out_channels: 32, kernel: 3, padding: 1}]]"

    def output_shape(self, *inputs: Shape) -> Shape:
        axis = self._axis(inputs)
        joined = sum(x[axis] for x in inputs)
        return (*inputs[0][:axis], joined, *inputs[0][axis + 1 :])

    def cost(self, *inputs: Shape) -> Cost:
        return Cost()

    def forward(self, xp: Any, inputs: tuple[Array, ...], weights: Mapping[str, Array]) -> Array:
        return xp.concatenate(inputs, axis=self.axis)

    def requirements(self, *inputs: Shape) -> Iterable[Requirement]:
        joined = self._axis(inputs)
        for x in inputs[1:]:
            for axis, (size, due) in enumerate(zip(x, inputs[0], strict=True)):
                if axis != joined:
                    yield _equal(self, size, due, axis, inputs)

    def view(self, axis: int, index: int, *inputs: Shape) -> tuple[int, View]:
        if axis != self._axis(inputs):
            return axis, IDENTITY
        return axis, Window(before=sum(x[axis] for x in inputs[:index]))

    def _axis(self, inputs: tuple[Shape, ...]) -> int:
        same_rank(self, inputs)
        return axis_index(self.axis, len(inputs[0]), self)


def same_rank(layer: Layer, inputs: tuple[Shape, ...]) -> None:
    """Raise unless all inputs have the same number of axes."""
    if len({len(x) for x in inputs}) > 1:
        raise ShapeError(
            f"{layer.name} of tensors with different numbers of axes: "
            + " and ".join(map(show_shape, inputs)),
            hint="keep_axes: true on a global pooling keeps the axes.",
        )


def _equal(
    layer: Layer, size: Size, due: Size, axis: int, inputs: tuple[Shape, ...]
) -> Requirement:
    def fact() -> str:
        shapes = " and ".join(map(show_shape, inputs))
        return f"{layer.name} of unequal sizes {due} and {size} on axis {axis}: {shapes}"

    hint = "All branches must give the same shape: look at the strides, paddings and channels."
    return Requirement(size, "==", due, fact, hint)
