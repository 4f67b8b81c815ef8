"""Padding as a layer of its own."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, NamedTuple

from convcalc import arith
from convcalc.arrays import Array, borders
from convcalc.cost import Cost
from convcalc.errors import ShapeError
from convcalc.fields import Choice, LayerName, Padding, Pads, Sizes, not_a_number
from convcalc.layer import (
    AXIS_NAMES,
    Layer,
    Requirement,
    Shape,
    per_axis,
    spatial,
    window_shape,
    windows,
)
from convcalc.view import Reach, View, Window

_MODES = {"constant": "constant", "reflect": "reflect", "replicate": "edge"}
"""As the array module calls them."""


class Amounts(Padding):
    """Positions before and after each axis, as numbers only."""

    def __init__(self) -> None:
        super().__init__(words=())

    @property
    def description(self) -> str:  # type: ignore[override]
        return "a whole number, one per axis, or [[before, after], …]"

    def read(self, value: Any) -> Pads:
        if isinstance(value, str):
            raise not_a_number(value, "a number")
        return super().read(value)


class Bordered(NamedTuple):
    """An axis with `before` copies of its own elements before it, and copies after it."""

    before: Any
    size: Any
    mirrored: bool
    """Whether the copies are a reflection at the border element, or that element repeated."""

    def reach(self, before: Reach) -> Reach:
        """That of zeros in the place of the copies."""
        return Window(before=self.before).reach(before)

    def reads(self, first: int, last: int) -> tuple[int, int]:
        low, high = Window(before=self.before).reads(first, last)
        end = self.size - 1
        if not self.mirrored:
            return min(max(low, 0), end), min(max(high, 0), end)
        within = [(max(low, 0), min(high, end))]
        within += [(-min(high, 0), -low)] if low < 0 else []
        within += [(2 * end - high, 2 * end - max(low, end))] if high > end else []
        some = [(a, b) for a, b in within if a <= b]
        return min(a for a, _ in some), max(b for _, b in some)


@dataclass(frozen=True, kw_only=True)
class Pad(Layer, name="pad"):
    """Positions around the spatial axes: so many, up to a size, or up to that of a layer (`like`).

    `constant` adds zeros; `reflect` mirrors the input at its border elements, 1234 → 321234321;
    `replicate` repeats them, 1234 → 111234444. Of an odd number the larger half goes after. It
    moves data and computes nothing.

    Source: Dumoulin and Visin 2016, arXiv:1603.07285, section 2.2; the modes as PyTorch's.
    """

    padding: Annotated[Pads, Amounts()] = None
    size: Sizes = None
    like: LayerName = None
    mode: Annotated[str, Choice(tuple(_MODES))] = "constant"

    example = "pad: 1"

    def output_shape(self, x: Shape) -> Shape:
        return (*x[:2], *window_shape(x[2:], self._borders(x), 0))

    def cost(self, x: Shape) -> Cost:
        return Cost()

    def forward(self, xp: Any, inputs: tuple[Array, ...], weights: Mapping[str, Array]) -> Array:
        (x,) = inputs
        return xp.pad(x, borders(self._borders(x.shape)), mode=_MODES[self.mode])

    def window(self, x: Shape) -> tuple[View, ...]:
        found = self._borders(x)
        if self.mode == "constant":
            return found
        mirrored = self.mode == "reflect"
        return tuple(Bordered(w.before, n, mirrored) for n, w in zip(x[2:], found, strict=True))

    def requirements(self, x: Shape) -> Iterable[Requirement]:
        sizes = spatial(self, x)
        if (self.padding is None) == (self.size is None):
            raise ShapeError("pad needs either a padding, or a size, or like: a layer's name")
        for axis, size, w in zip(AXIS_NAMES[len(sizes)], sizes, self._borders(x), strict=True):
            if self.size is not None:
                due = size + w.before + w.after
                fact = "pad to {0} {2} of {0} {1}"
                hint = "Padding cannot shrink: crop can."
                yield Requirement(due, ">=", size, partial(fact.format, axis, size, due), hint)
            if self.mode == "reflect":
                most = arith.maximum(w.before, w.after)
                fact = "reflecting {0} positions of {1} {2}, which has {2} with the border itself"
                hint = "mode: replicate takes any number."
                yield Requirement(
                    size, ">=", most + 1, partial(fact.format, most, axis, size), hint
                )

    def _borders(self, x: Shape) -> tuple[Window, ...]:
        """Windows of one position, with what goes before and after each axis."""
        sizes = spatial(self, x)
        if self.size is None:
            return windows(sizes, 1, 1, self.padding, 1)
        more: list[Any] = [
            due - size
            for due, size in zip(per_axis(self.size, len(sizes), "size"), sizes, strict=True)
        ]
        return tuple(Window(before=n // 2, after=n - n // 2) for n in more)
