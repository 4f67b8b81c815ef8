"""Pooling to a given size: global and adaptive."""

from dataclasses import dataclass

from convcalc import arith
from convcalc.cost import Cost
from convcalc.fields import Boolean, Sizes
from convcalc.layer import Layer, Requirement, Shape, Window, per_axis, spatial


@dataclass(frozen=True, kw_only=True)
class GlobalAvgPool(Layer, name="global_avg_pool"):
    """Mean over all spatial positions: (N, C, *n) → (N, C), or (N, C, 1, …) with keep_axes.

    Source: Lin, Chen, Yan 2013, arXiv:1312.4400, section 3.2.
    """

    keep_axes: Boolean = False

    example = "global_avg_pool"

    def output_shape(self, x: Shape) -> Shape:
        return (*x[:2], *((1,) * len(x[2:]) if self.keep_axes else ()))

    def cost(self, x: Shape) -> Cost:
        channels = arith.product(x[:2])
        return Cost(adds=channels * (arith.product(x[2:]) - 1), divides=channels)

    def window(self, x: Shape) -> tuple[Window, ...] | None:
        return None

    def requirements(self, x: Shape) -> tuple[Requirement, ...]:
        spatial(self, x)
        return ()


@dataclass(frozen=True, kw_only=True)
class AdaptiveAvgPool(Layer, name="adaptive_avg_pool"):
    """Mean over windows that divide the input into a grid of the given size: → (N, C, *size).

    Window i runs from ⌊i·n/m⌋ to ⌈(i + 1)·n/m⌉ − 1, as PyTorch's; windows of k elements cost
    k − 1 adds and 1 division.
    """

    size: Sizes

    example = "adaptive_avg_pool: 7"

    def output_shape(self, x: Shape) -> Shape:
        return (*x[:2], *per_axis(self.size, len(spatial(self, x)), "size"))

    def cost(self, x: Shape) -> Cost:
        channels = arith.product(x[:2])
        sizes = self.output_shape(x)[2:]
        # the windows are a grid, so the elements they read are a product over the axes
        read = arith.product(
            arith.adaptive_taps(n, m) for n, m in zip(x[2:], sizes, strict=True)
        )
        outputs = arith.product(sizes)
        return Cost(adds=channels * (read - outputs), divides=channels * outputs)

    def window(self, x: Shape) -> tuple[Window, ...] | None:
        return None

    def requirements(self, x: Shape) -> tuple[Requirement, ...]:
        per_axis(self.size, len(spatial(self, x)), "size")
        return ()
