"""Pooling over sliding windows."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from convcalc import arith
from convcalc.arrays import Array, padded, slid
from convcalc.cost import Cost
from convcalc.fields import Boolean, Dilation, Padding, Pads, PerAxis, PoolKernel, Whole
from convcalc.layer import (
    AXIS_NAMES,
    SAME,
    Layer,
    Requirement,
    Shape,
    spatial,
    window_shape,
    windows,
    windows_fit,
)
from convcalc.view import Window


@dataclass(frozen=True, kw_only=True)
class _Pool(Layer):
    """The windows of both poolings; the stride is the kernel unless it is given."""

    kernel: PoolKernel
    stride: Annotated[Pads, PerAxis(Whole())] = None
    padding: Annotated[Pads, Padding()] = 0
    ceil_mode: Boolean = False

    def output_shape(self, x: Shape) -> Shape:
        found = self.window(x)
        if self.ceil_mode and self.padding not in SAME:
            sizes = tuple(
                arith.window_out_ceil(n, w.kernel, w.stride, w.before, w.after, w.dilation)
                for n, w in zip(x[2:], found, strict=True)
            )
        else:
            sizes = window_shape(x[2:], found, self.padding)
        return (*x[:2], *sizes)

    def window(self, x: Shape) -> tuple[Window, ...]:
        stride = self.kernel if self.stride is None else self.stride
        dilation = getattr(self, "dilation", 1)
        return windows(spatial(self, x), self.kernel, stride, self.padding, dilation)

    def requirements(self, x: Shape) -> Iterable[Requirement]:
        found = self.window(x)
        if self.padding in SAME:
            return
        for axis, w in zip(AXIS_NAMES[len(found)], found, strict=True):
            pad = arith.maximum(w.before, w.after)
            covered = arith.span(w.kernel, w.dilation)
            # a window wholly inside the padding would have no maximum and no mean; that rules
            # out less than PyTorch, which wants half a window at most, and as much as Caffe
            fact = "padding {} before or after the {} must be smaller than the pooling window {}"
            yield Requirement(covered, ">=", pad + 1, partial(fact.format, pad, axis, covered))
        yield from windows_fit(x[2:], found, self.padding, self.ceil_mode)

    def _slid(self, xp: Any, x: Array, found: tuple[Window, ...], beyond: float) -> Array:
        """The elements of a padded input under every window; `beyond` where windows hang over."""
        if not self.ceil_mode or self.padding in SAME:
            return slid(xp, x, found)
        hanging = padded(xp, x, [Window(after=w.stride - 1) for w in found], beyond)
        inside = (
            slice(arith.ceil_div(n - w.after, w.stride))
            for n, w in zip(x.shape[2:], found, strict=True)
        )
        # dropped are the windows that start after the input
        return slid(xp, hanging, found)[(slice(None), slice(None), *inside)]

    def _window_elements(self, x: Shape) -> Any:
        return arith.product(w.kernel for w in self.window(x))


@dataclass(frozen=True, kw_only=True)
class MaxPool(_Pool, name="max_pool"):
    """Maximum over windows: (N, C, *n) → (N, C, *o); the padding never wins.

    k − 1 comparisons for a window of k elements, padding among them.

    Source: Dumoulin and Visin 2016, arXiv:1603.07285, relationship 7; ceil mode as PyTorch's,
    which drops windows that start in the padding after the input.
    """

    dilation: Dilation = 1

    example = "max_pool: {kernel: 3, stride: 2}"

    def cost(self, x: Shape) -> Cost:
        elements = self._window_elements(x)
        return Cost(compares=arith.product(self.output_shape(x)) * (elements - 1))

    def forward(self, xp: Any, inputs: tuple[Array, ...], weights: Mapping[str, Array]) -> Array:
        (x,) = inputs
        found = self.window(x.shape)
        windows = self._slid(xp, padded(xp, x, found, -math.inf), found, -math.inf)
        return windows.max(axis=tuple(range(x.ndim, windows.ndim)))


@dataclass(frozen=True, kw_only=True)
class AvgPool(_Pool, name="avg_pool"):
    """Mean over windows: (N, C, *n) → (N, C, *o).

    k − 1 adds and 1 division for a window of k elements, padding among them. `count_include_pad`
    says whether the padding's zeros enter the mean, which changes its value and not its cost; what
    hangs over the padding in ceil mode never enters it.

    Source: Dumoulin and Visin 2016, arXiv:1603.07285, relationship 7; ceil mode as PyTorch's.
    """

    count_include_pad: Boolean = True

    example = "avg_pool: 2"

    def cost(self, x: Shape) -> Cost:
        elements = self._window_elements(x)
        outputs = arith.product(self.output_shape(x))
        return Cost(adds=outputs * (elements - 1), divides=outputs)

    def forward(self, xp: Any, inputs: tuple[Array, ...], weights: Mapping[str, Array]) -> Array:
        (x,) = inputs
        found = self.window(x.shape)
        windows = self._slid(xp, padded(xp, x, found), found, 0)
        entering = padded(xp, xp.ones_like(x[:1, :1]), found, int(self.count_include_pad))
        counted = self._slid(xp, entering, found, 0)
        axes = tuple(range(x.ndim, windows.ndim))
        return windows.sum(axis=axes) / counted.sum(axis=axes)
