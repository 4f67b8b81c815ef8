"""Layers that move data, or pass it on, and compute nothing at inference."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Annotated, Any

from convcalc import arith
from convcalc.arrays import Array
from convcalc.cost import Cost
from convcalc.errors import ShapeError
from convcalc.fields import Axes, Count, Decimal, LayerName, Sizes, Whole
from convcalc.layer import (
    AXIS_NAMES,
    Layer,
    Requirement,
    Shape,
    axis_index,
    per_axis,
    show_shape,
    spatial,
)
from convcalc.view import IDENTITY, View, Window


@dataclass(frozen=True, kw_only=True)
class _Free(Layer):
    """No operations; the input passes as it is unless a subclass says otherwise."""

    def output_shape(self, x: Shape) -> Shape:
        return x

    def cost(self, x: Shape) -> Cost:
        return Cost()

    def forward(self, xp: Any, inputs: tuple[Array, ...], weights: Mapping[str, Array]) -> Array:
        return inputs[0]


class Identity(_Free, name="identity"):
    """x: passes its input on."""

    is_view = True
    shares_storage = True

    example = "identity"


@dataclass(frozen=True, kw_only=True)
class Dropout(_Free, name="dropout"):
    """Zeroes a share of the elements while training; at inference it passes its input on.

    Source: Srivastava et al. 2014, Journal of Machine Learning Research 15.
    """

    rate: Annotated[int | Fraction, Decimal(0, 1)] = Fraction(1, 2)

    is_view = True
    shares_storage = True

    example = "dropout: 0.5"


class Flatten(_Free, name="flatten"):
    """All axes but the batch in one: (N, C, *n) → (N, C·Πn)."""

    is_view = True
    shares_storage = True

    example = "flatten"

    def output_shape(self, x: Shape) -> Shape:
        return (x[0], arith.product(x[1:]))

    def forward(self, xp: Any, inputs: tuple[Array, ...], weights: Mapping[str, Array]) -> Array:
        return inputs[0].reshape(inputs[0].shape[0], -1)

    def window(self, x: Shape) -> None:
        return None


@dataclass(frozen=True, kw_only=True)
class Permute(_Free, name="permute"):
    """The axes in another order: output axis i is input axis axes[i]; the batch stays first.

    Source: as PyTorch's `permute` and ONNX's Transpose.
    """

    axes: Annotated[Any, Axes()]

    example = "permute: [0, 2, 3, 1]"

    def output_shape(self, x: Shape) -> Shape:
        return tuple(x[axis] for axis in self.axes)

    def forward(self, xp: Any, inputs: tuple[Array, ...], weights: Mapping[str, Array]) -> Array:
        return xp.transpose(inputs[0], self.axes)

    def view(self, axis: int, index: int, x: Shape) -> tuple[int, View]:
        return self._order(x).index(axis), IDENTITY

    def _order(self, x: Shape) -> list[int]:
        return [axis + len(x) if axis < 0 else axis for axis in self.axes]

    def requirements(self, x: Shape) -> Iterable[Requirement]:
        rank, order = len(x), self._order(x)
        if sorted(order) != list(range(rank)) or order[0] != 0:
            raise ShapeError(
                f"permute: {show_shape(self.axes)} is no order of the axes 0 to {rank - 1} of "
                f"{show_shape(x)} with the batch, 0, first"
            )
        return ()


@dataclass(frozen=True, kw_only=True)
class Crop(_Free, name="crop"):
    """The centre of the input, of a given spatial size or of that of another layer (`like`).

    An odd remainder is cut after. Source: Ronneberger, Fischer, Brox 2015, arXiv:1505.04597,
    figure 1.
    """

    size: Sizes = None
    like: LayerName = None

    example = "crop: {size: 56}"

    def output_shape(self, x: Shape) -> Shape:
        return (*x[:2], *per_axis(self.size, len(spatial(self, x)), "size"))

    def forward(self, xp: Any, inputs: tuple[Array, ...], weights: Mapping[str, Array]) -> Array:
        (x,) = inputs
        kept = per_axis(self.size, x.ndim - 2, "size")
        starts = (-w.before for w in self.window(x.shape))
        return x[(..., *(slice(i, i + m) for i, m in zip(starts, kept, strict=True)))]

    def window(self, x: Shape) -> tuple[Window, ...]:
        kept = per_axis(self.size, len(spatial(self, x)), "size")
        return tuple(Window(before=-((n - m) // 2)) for n, m in zip(x[2:], kept, strict=True))

    def requirements(self, x: Shape) -> Iterable[Requirement]:
        sizes = spatial(self, x)
        if self.size is None:
            raise ShapeError("crop needs a size, or like: the name of a layer of that size")
        for axis, size, due in zip(
            AXIS_NAMES[len(sizes)], sizes, per_axis(self.size, len(sizes), "size"), strict=True
        ):
            fact = partial("crop to {0} {2} of {0} {1}".format, axis, size, due)
            yield Requirement(size, ">=", due, fact, "A crop cannot enlarge.")


@dataclass(frozen=True, kw_only=True)
class Slice(_Free, name="slice"):
    """The positions start, start + step, … below stop of one axis.

    Negative positions count from the end, as in Python; without `stop` it goes to the end.
    """

    axis: Annotated[int, Axes(single=True)] = 1
    start: Annotated[Any, Whole(None, symbolic=True)] = 0
    stop: Annotated[Any, Whole(None, symbolic=True)] = None
    step: Count = 1

    example = "slice: {axis: 1, start: 0, stop: 32}"

    def output_shape(self, x: Shape) -> Shape:
        axis = axis_index(self.axis, len(x), self)
        start, stop = self._range(x[axis])
        return (*x[:axis], arith.slice_out(start, stop, self.step), *x[axis + 1 :])

    def forward(self, xp: Any, inputs: tuple[Array, ...], weights: Mapping[str, Array]) -> Array:
        (x,) = inputs
        axis = axis_index(self.axis, x.ndim, self)
        return x[(*(slice(None),) * axis, slice(*self._range(x.shape[axis]), self.step))]

    def requirements(self, x: Shape) -> Iterable[Requirement]:
        axis = axis_index(self.axis, len(x), self)
        size = x[axis]
        start, stop = self._range(size)

        def fact() -> str:
            end = "the end" if self.stop is None else self.stop
            return f"slice from {self.start} to {end} of axis {axis}, which has {size} positions"

        hint = "0 ≤ start < stop ≤ size is due."
        yield Requirement(start, ">=", 0, fact, hint)
        yield Requirement(stop, ">=", start + 1, fact, hint)
        yield Requirement(size, ">=", stop, fact, hint)

    def view(self, axis: int, index: int, x: Shape) -> tuple[int, View]:
        if axis != axis_index(self.axis, len(x), self):
            return axis, IDENTITY
        return axis, Window(stride=self.step, before=-self._range(x[axis])[0])

    def _range(self, size: Any) -> tuple[Any, Any]:
        ends = (self.start, size if self.stop is None else self.stop)
        start, stop = (size + end if isinstance(end, int) and end < 0 else end for end in ends)
        return start, stop
