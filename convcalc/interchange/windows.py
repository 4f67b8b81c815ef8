"""How the windows of a pooling lie over its input, in the terms of other libraries."""

from __future__ import annotations

from typing import Any, NamedTuple


class Border(NamedTuple):
    """The windows along one axis of `size` elements, `outputs` of them."""

    window: Any
    """A `Window` of numbers."""
    size: int
    outputs: int

    @property
    def beyond(self) -> int:
        """How far the last window hangs over the padding, in ceil mode.

        So many positions after the padding give as many windows where division rounds down.
        """
        _, last = self.window.reads(self.outputs - 1, self.outputs - 1)
        return max(0, int(last + 1 - self.size - self.window.after))

    @property
    def leaves_input(self) -> bool:
        """Whether all taps of some window, which is then dilated, are in the padding."""
        kernel, step = self.window.kernel, self.window.dilation
        starts = (self.window.reads(i, i)[0] for i in range(self.outputs))
        # the first tap that is not before the input
        firsts = ((start, max(0, -(start // step))) for start in starts)
        return any(tap >= kernel or start + tap * step >= self.size for start, tap in firsts)


def pool_borders(layer: Any, x: Any) -> list[Border]:
    """The windows of a pooling along every spatial axis of an input of that shape."""
    sizes = zip(layer.window(x), x[2:], layer.output_shape(x)[2:], strict=True)
    return [Border(window, size, outputs) for window, size, outputs in sizes]
