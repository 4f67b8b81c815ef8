"""Pooling to a given size: global and adaptive."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from convcalc import arith
from convcalc.arrays import Array
from convcalc.cost import Cost
from convcalc.fields import Boolean, Sizes
from convcalc.layer import Layer, Requirement, Shape, per_axis, resized, spatial
from convcalc.view import IDENTITY, View


@dataclass(frozen=True, kw_only=True)
class _GlobalPool(Layer):
    """One output per channel: (N, C, *n) → (N, C), or (N, C, 1, …) with keep_axes."""

    keep_axes: Boolean = False

    def output_shape(self, x: Shape) -> Shape:
        return (*x[:2], *((1,) * len(x[2:]) if self.keep_axes else ()))

    def window(self, x: Shape) -> None:
        return None

    def view(self, axis: int, index: int, x: Shape) -> tuple[int, View] | None:
        return (axis, IDENTITY) if axis < 2 else None

    def requirements(self, x: Shape) -> tuple[Requirement, ...]:
        spatial(self, x)
        return ()


class GlobalAvgPool(_GlobalPool, name="global_avg_pool"):
    """Mean over all spatial positions: (N, C, *n) → (N, C), or (N, C, 1, …) with keep_axes.

    Source: Lin, Chen, Yan 2013, arXiv:1312.4400, section 3.2.
    """

    example = "global_avg_pool"

    def cost(self, x: Shape) -> Cost:
        channels = arith.product(x[:2])
        return Cost(adds=channels * (arith.product(x[2:]) - 1), divides=channels)

    def forward(self, xp: Any, inputs: tuple[Array, ...], weights: Mapping[str, Array]) -> Array:
        (x,) = inputs
        return x.mean(axis=tuple(range(2, x.ndim)), keepdims=self.keep_axes)


class GlobalMaxPool(_GlobalPool, name="global_max_pool"):
    """Maximum over all spatial positions: (N, C, *n) → (N, C), or (N, C, 1, …) with keep_axes.

    k − 1 comparisons for k positions. Source: Oquab, Bottou, Laptev, Sivic 2015, section 3.
    """

    example = "global_max_pool"

    def cost(self, x: Shape) -> Cost:
        return Cost(compares=arith.product(x[:2]) * (arith.product(x[2:]) - 1))

    def forward(self, xp: Any, inputs: tuple[Array, ...], weights: Mapping[str, Array]) -> Array:
        (x,) = inputs
        return x.max(axis=tuple(range(2, x.ndim)), keepdims=self.keep_axes)


@dataclass(frozen=True, kw_only=True)
class _AdaptivePool(Layer):
    """Windows that divide the input into a grid of the given size: → (N, C, *size).

    Window i runs from ⌊i·n/m⌋ to ⌈(i + 1)·n/m⌉ − 1, as PyTorch's.
    """

    size: Sizes

    def output_shape(self, x: Shape) -> Shape:
        return (*x[:2], *per_axis(self.size, len(spatial(self, x)), "size"))

    def window(self, x: Shape) -> tuple[View, ...] | None:
        return resized(x[2:], self.output_shape(x)[2:], neighbours=0)

    def requirements(self, x: Shape) -> tuple[Requirement, ...]:
        per_axis(self.size, len(spatial(self, x)), "size")
        return ()

    def _pooled(self, xp: Any, x: Array, pool: Callable[..., Array]) -> Array:
        """Every window pooled, axis by axis.

        A window is a product of stretches of the axes, so the mean of its rows' means is its mean.
        """
        for axis, parts in enumerate(per_axis(self.size, x.ndim - 2, "size"), start=2):
            n = x.shape[axis]
            stretches = [
                slice(i * n // parts, arith.ceil_div((i + 1) * n, parts)) for i in range(parts)
            ]
            before = (slice(None),) * axis
            cells = [pool(x[(*before, own)], axis=axis, keepdims=True) for own in stretches]
            x = xp.concatenate(cells, axis=axis)
        return x

    def _elements(self, x: Shape) -> Any:
        """The elements of all windows of all channels."""
        sizes = self.output_shape(x)[2:]
        # the windows are a grid, so the elements they read are a product over the axes
        read = arith.product(arith.adaptive_taps(n, m) for n, m in zip(x[2:], sizes, strict=True))
        return arith.product(x[:2]) * read


class AdaptiveAvgPool(_AdaptivePool, name="adaptive_avg_pool"):
    """Mean over windows that divide the input into a grid of the given size: → (N, C, *size).

    Window i runs from ⌊i·n/m⌋ to ⌈(i + 1)·n/m⌉ − 1, as PyTorch's; windows of k elements cost
    k − 1 adds and 1 division.
    """

    example = "adaptive_avg_pool: 7"

    def cost(self, x: Shape) -> Cost:
        outputs = arith.product(self.output_shape(x))
        return Cost(adds=self._elements(x) - outputs, divides=outputs)

    def forward(self, xp: Any, inputs: tuple[Array, ...], weights: Mapping[str, Array]) -> Array:
        return self._pooled(xp, inputs[0], xp.mean)


class AdaptiveMaxPool(_AdaptivePool, name="adaptive_max_pool"):
    """Maximum over windows that divide the input into a grid of the given size: → (N, C, *size).

    Window i runs from ⌊i·n/m⌋ to ⌈(i + 1)·n/m⌉ − 1, as PyTorch's; windows of k elements cost
    k − 1 comparisons. Source: He, Zhang, Ren, Sun 2014, arXiv:1406.4729, section 2.2.
    """

    example = "adaptive_max_pool: 7"

    def cost(self, x: Shape) -> Cost:
        return Cost(compares=self._elements(x) - arith.product(self.output_shape(x)))

    def forward(self, xp: Any, inputs: tuple[Array, ...], weights: Mapping[str, Array]) -> Array:
        return self._pooled(xp, inputs[0], xp.max)
