"""Shuffles: every element moves to another place, and nothing is computed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

from convcalc import arith
from convcalc.arrays import Array
from convcalc.cost import Cost
from convcalc.dim import Size
from convcalc.fields import Count
from convcalc.layer import AXIS_NAMES, Layer, Requirement, Shape, divides, spatial
from convcalc.view import IDENTITY, Resize, View, Window


@dataclass(frozen=True, kw_only=True)
class ChannelShuffle(Layer, name="channel_shuffle"):
    """Groups of channels interleaved, channel by channel: the shape stays.

    Channel j of group i becomes channel j·groups + i, so that the next grouped convolution reads
    from all groups. It moves data and computes nothing.

    Source: Zhang et al. 2017, arXiv:1707.01083, section 3.1.
    """

    groups: Count

    example = "channel_shuffle: 2"

    def output_shape(self, x: Shape) -> Shape:
        return x

    def cost(self, x: Shape) -> Cost:
        return Cost()

    def forward(self, xp: Any, inputs: tuple[Array, ...], weights: Mapping[str, Array]) -> Array:
        (x,) = inputs
        groups = x.reshape(x.shape[0], self.groups, -1, *x.shape[2:])
        return xp.swapaxes(groups, 1, 2).reshape(x.shape)

    def view(self, axis: int, index: int, x: Shape) -> tuple[int, View] | None:
        # an output channel reads one input channel, but neighbours read far apart
        return None if axis == 1 and self.groups != 1 else (axis, IDENTITY)

    def requirements(self, x: Shape) -> Iterable[Requirement]:
        hint = "A channel shuffle interleaves groups of one size."
        yield divides(self.groups, x[1], "groups", "in_channels")._replace(hint=hint)


@dataclass(frozen=True, kw_only=True)
class _PixelShuffle(Layer):
    """Channels against pixels, `scale` along each spatial axis; it computes nothing."""

    scale: Count

    def cost(self, x: Shape) -> Cost:
        return Cost()

    def _block(self, x: Shape) -> Size:
        """How many channels make one block of pixels."""
        return arith.product([self.scale] * len(spatial(self, x)))  # type: ignore[no-any-return]


class PixelShuffle(_PixelShuffle, name="pixel_shuffle"):
    """Blocks of pixels from channels: (N, C·r^d, *n) → (N, C, *(n·r)), r the scale, d axes.

    It moves data and computes nothing.

    Source: Shi et al. 2016, arXiv:1609.05158, equation 4.
    """

    example = "pixel_shuffle: 2"

    def output_shape(self, x: Shape) -> Shape:
        return (x[0], x[1] // self._block(x), *(size * self.scale for size in x[2:]))

    def forward(self, xp: Any, inputs: tuple[Array, ...], weights: Mapping[str, Array]) -> Array:
        (x,) = inputs
        rank = x.ndim - 2
        blocks = x.reshape(x.shape[0], -1, *(self.scale,) * rank, *x.shape[2:])
        pixels = ((2 + rank + axis, 2 + axis) for axis in range(rank))
        moved = xp.transpose(blocks, (0, 1, *chain.from_iterable(pixels)))
        return moved.reshape(*moved.shape[:2], *(size * self.scale for size in x.shape[2:]))

    def window(self, x: Shape) -> tuple[View, ...]:
        return (Resize(1, self.scale, neighbours=1),) * len(x[2:])

    def view(self, axis: int, index: int, x: Shape) -> tuple[int, View] | None:
        if axis == 1:
            return axis, Window(kernel=self._block(x), stride=self._block(x))
        return super().view(axis, index, x)

    def requirements(self, x: Shape) -> Iterable[Requirement]:
        block = self._block(x)
        fact = f"scale {self.scale} makes 1 channel of {block}, and {block} does not divide"
        yield Requirement(
            x[1] % block, "==", 0, lambda: f"{fact} in_channels {x[1]}",
            "in_channels must be a multiple of scale to the power of the number of spatial axes.",
        )  # fmt: skip


class PixelUnshuffle(_PixelShuffle, name="pixel_unshuffle"):
    """Channels from blocks of pixels: (N, C, *(n·r)) → (N, C·r^d, *n), r the scale, d axes.

    It undoes a pixel shuffle, and is known as space to depth; it moves data and computes nothing.

    Source: Shi et al. 2016, arXiv:1609.05158, equation 4, read backwards.
    """

    example = "pixel_unshuffle: 2"
    example_input = "[C, 2*H, 2*W]"

    def output_shape(self, x: Shape) -> Shape:
        return (x[0], x[1] * self._block(x), *(size // self.scale for size in x[2:]))

    def forward(self, xp: Any, inputs: tuple[Array, ...], weights: Mapping[str, Array]) -> Array:
        (x,) = inputs
        blocks = ((size // self.scale, self.scale) for size in x.shape[2:])
        pixels = x.reshape(*x.shape[:2], *chain.from_iterable(blocks))
        small, within = range(2, pixels.ndim, 2), range(3, pixels.ndim, 2)
        moved = xp.transpose(pixels, (0, 1, *within, *small))
        return moved.reshape(x.shape[0], -1, *moved.shape[-len(small) :])

    def window(self, x: Shape) -> tuple[View, ...]:
        return (Window(kernel=self.scale, stride=self.scale),) * len(x[2:])

    def view(self, axis: int, index: int, x: Shape) -> tuple[int, View] | None:
        if axis == 1:
            return axis, Resize(1, self._block(x), neighbours=1)
        return super().view(axis, index, x)

    def requirements(self, x: Shape) -> Iterable[Requirement]:
        sizes = spatial(self, x)
        for axis, size in zip(AXIS_NAMES[len(sizes)], sizes, strict=True):
            hint = "Pad or crop the input to a multiple of the scale."
            yield divides(self.scale, size, "scale", axis)._replace(hint=hint)
