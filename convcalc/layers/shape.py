"""Layers that move data, or pass it on, and compute nothing at inference."""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Any

from convcalc import arith
from convcalc.cost import Cost
from convcalc.errors import ShapeError
from convcalc.fields import Axes, Count, Decimal, LayerName, Sizes, Whole
from convcalc.layer import (
    AXIS_NAMES,
    Layer,
    Requirement,
    Shape,
    Window,
    axis_index,
    per_axis,
    show_shape,
    spatial,
)


@dataclass(frozen=True, kw_only=True)
class _Free(Layer):
    """No operations; the shape stays unless a subclass says otherwise."""

    def output_shape(self, x: Shape) -> Shape:
        return x

    def cost(self, x: Shape) -> Cost:
        return Cost()


class Identity(_Free, name="identity"):
    """x: passes its input on."""

    example = "identity"


@dataclass(frozen=True, kw_only=True)
class Dropout(_Free, name="dropout"):
    """Zeroes a share of the elements while training; at inference it passes its input on.

    Source: Srivastava et al. 2014, Journal of Machine Learning Research 15.
    """

    rate: Annotated[int | Fraction, Decimal(0, 1)] = Fraction(1, 2)

    example = "dropout: 0.5"


class Flatten(_Free, name="flatten"):
    """All axes but the batch in one: (N, C, *n) → (N, C·Πn)."""

    example = "flatten"

    def output_shape(self, x: Shape) -> Shape:
        return (x[0], arith.product(x[1:]))

    def window(self, x: Shape) -> tuple[Window, ...] | None:
        return None


@dataclass(frozen=True, kw_only=True)
class Permute(_Free, name="permute"):
    """The axes in another order: output axis i is input axis axes[i]; the batch stays first."""

    axes: Annotated[Any, Axes()]

    example = "permute: [0, 2, 3, 1]"

    def output_shape(self, x: Shape) -> Shape:
        return tuple(x[axis] for axis in self.axes)

    def requirements(self, x: Shape) -> Iterable[Requirement]:
        if sorted(self.axes) != list(range(len(x))) or self.axes[0] != 0:
            raise ShapeError(
                f"permute: {list(self.axes)} is no order of the axes 0 to {len(x) - 1} of "
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

    def requirements(self, x: Shape) -> Iterable[Requirement]:
        sizes = spatial(self, x)
        if self.size is None:
            raise ShapeError("crop needs a size, or like: the name of a layer of that size")
        for axis, size, due in zip(
            AXIS_NAMES[len(sizes)], sizes, per_axis(self.size, len(sizes), "size"), strict=True
        ):
            yield Requirement(
                size, ">=", due,
                lambda axis=axis, size=size, due=due: f"crop to {axis} {due} of {axis} {size}",
                "A crop cannot enlarge.",
            )  # fmt: skip


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

    def requirements(self, x: Shape) -> Iterable[Requirement]:
        axis = axis_index(self.axis, len(x), self)
        if axis == 0:
            raise ShapeError("slice: axis 0 is the batch, which stays whole")
        size = x[axis]
        start, stop = self._range(size)

        def fact() -> str:
            return f"slice from {start} to {stop} of axis {axis}, which has {size} positions"

        hint = "0 ≤ start < stop ≤ size is due."
        yield Requirement(start, ">=", 0, fact, hint)
        yield Requirement(stop, ">=", start + 1, fact, hint)
        yield Requirement(size, ">=", stop, fact, hint)

    def _range(self, size: Any) -> tuple[Any, Any]:
        ends = (self.start, size if self.stop is None else self.stop)
        start, stop = (size + end if isinstance(end, int) and end < 0 else end for end in ends)
        return start, stop
