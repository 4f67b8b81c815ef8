"""What one output position reads along one axis of a layer's input."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any, NamedTuple, Protocol

from convcalc import arith
from convcalc.dim import Dim, Size


class Reach(NamedTuple):
    """The receptive field along one axis of a network's input.

    Output i sees `size` positions, the first of them start + i·stride; −start is what Araujo,
    Norris and Sim call the padding. Where branches with different centres, or strides, meet,
    `aligned` is false and the field spans them all; so it is where the stride is a fraction, as
    outputs are then unevenly placed, and some may see a position more.
    """

    size: Any = 1
    stride: Any = 1
    start: Any = 0
    aligned: bool = True


class View(Protocol):
    """What an output position reads along an axis."""

    def reach(self, before: Reach) -> Reach | None:
        """The receptive field of the output, given that of the input.

        None where a symbol leaves open how far it reaches.
        """

    def reads(self, first: int, last: int) -> tuple[int, int]:
        """The first and the last input position that outputs first … last read."""


class Window(NamedTuple):
    """A sliding window: output i reads i·stride − before + t·dilation for t < kernel."""

    kernel: Size = 1
    stride: Size = 1
    before: Size = 0
    after: Size = 0
    dilation: Size = 1

    def reach(self, before: Reach) -> Reach:
        """Araujo, Norris, Sim 2019, "Computing Receptive Fields of CNNs", equations 2 to 4."""
        return before._replace(
            size=arith.field_size(
                before.size, before.stride, arith.span(self.kernel, self.dilation) - 1
            ),
            stride=whole(before.stride * self.stride),
            start=whole(before.start - before.stride * self.before),
        )

    def reads(self, first: int, last: int) -> tuple[int, int]:
        span = arith.span(self.kernel, self.dilation)
        return first * self.stride - self.before, last * self.stride - self.before + span - 1


class Spread(NamedTuple):
    """A transposed window: input i is spread over i·stride − before + t·dilation, t < kernel."""

    kernel: Any
    stride: Any
    before: Any
    dilation: Any

    def reach(self, before: Reach) -> Reach:
        """As many inputs as meet in one output at most; the start is that of output 0."""
        first, _ = self.reads(0, 0)
        meeting = arith.span(self.kernel, self.dilation) - 1
        stride = whole(before.stride * Fraction(1, self.stride))
        return Reach(
            size=arith.field_size(before.size, before.stride, meeting // self.stride),
            stride=stride,
            start=whole(before.start + before.stride * first),
            aligned=before.aligned and not isinstance(stride, Fraction),
        )

    def reads(self, first: int, last: int) -> tuple[int, int]:
        reach = arith.span(self.kernel, self.dilation) - 1
        low = arith.ceil_div(first + self.before - reach, self.stride)
        return low, (last + self.before) // self.stride


class Resize(NamedTuple):
    """The whole axis mapped to another size: output i reads around i·size/out.

    `neighbours` are the inputs that interpolation weighs: 1 nearest, 2 linear, 4 cubic; 0 is
    adaptive pooling, whose windows run from ⌊i·size/out⌋ to ⌈(i + 1)·size/out⌉ − 1.
    """

    size: Any
    out: Any
    neighbours: int

    def reach(self, before: Reach) -> Reach | None:
        """The longest field of all outputs; the start is that of output 0."""
        if isinstance(self.size, Dim) or isinstance(self.out, Dim):
            return None
        # i·size/out lies at most (out − gcd)/out beyond a whole position
        rest = self.out - math.gcd(self.size, self.out)
        longest = self.neighbours or arith.ceil_div(self.size + rest, self.out)
        first, _ = self.reads(0, 0)
        stride = whole(before.stride * Fraction(self.size, self.out))
        return Reach(
            size=arith.field_size(before.size, before.stride, longest - 1),
            stride=stride,
            start=whole(before.start + before.stride * first),
            aligned=before.aligned and not isinstance(stride, Fraction),
        )

    def reads(self, first: int, last: int) -> tuple[int, int]:
        if self.neighbours == 0:
            return first * self.size // self.out, arith.ceil_div(
                (last + 1) * self.size, self.out
            ) - 1
        if self.neighbours == 1:
            return first * self.size // self.out, last * self.size // self.out
        # half-pixel centres: output i lies at (i + ½)·size/out − ½
        low = ((2 * first + 1) * self.size - self.out) // (2 * self.out)
        high = ((2 * last + 1) * self.size - self.out) // (2 * self.out)
        more = self.neighbours // 2
        return low - (more - 1), high + more


IDENTITY = Window()


def whole(value: Any) -> Any:
    """A fraction that is a whole number as an int."""
    return int(value) if isinstance(value, Fraction) and value.denominator == 1 else value
