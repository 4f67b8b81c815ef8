"""Where tensors lie in one block of memory, so that those alive together do not overlap."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

ALIGNMENT = 16
"""Values: a cache line of float32."""


class Span(NamedTuple):
    """A tensor's values, and the first and the last step at which it is alive."""

    size: int
    first: int
    last: int


def placed(spans: Sequence[Span]) -> tuple[list[int], int]:
    """An offset for every tensor, and the size of the block that holds them all.

    Tensors come one after another, each at the lowest gap that fits between those alive with it.
    Which order wastes least is up to the network: the largest first, or the first to live.

    Source: Pisarchyk and Lee 2020, "Efficient Memory Management for Deep Neural Net Inference",
    arXiv:2001.03288, algorithm 3 (greedy by size).
    """
    orders: list[Callable[[Span], tuple[int, ...]]] = [
        lambda span: (-span.size, span.first),
        lambda span: (span.first, -span.last),
        lambda span: (span.first - span.last, -span.size),
    ]
    return min((_placed_in(spans, order) for order in orders), key=lambda found: found[1])


def _placed_in(
    spans: Sequence[Span], order: Callable[[Span], tuple[int, ...]]
) -> tuple[list[int], int]:
    import numpy

    offsets, total = [0] * len(spans), 0
    # of those that have their place: first and last step, offset and end
    placed = numpy.zeros((4, len(spans)), "int64")
    for count, index in enumerate(sorted(range(len(spans)), key=lambda i: order(spans[i]))):
        span = spans[index]
        size = -(-span.size // ALIGNMENT) * ALIGNMENT
        first, last, starts, ends = placed[:, :count]
        beside = (first <= span.last) & (last >= span.first)
        end, best, least = 0, -1, -1
        for start, stop in sorted(zip(starts[beside].tolist(), ends[beside].tolist(), strict=True)):
            gap = start - end
            if gap >= size and (best < 0 or gap < least):
                best, least = end, gap
            end = max(end, stop)
        offsets[index] = end if best < 0 else best
        total = max(total, offsets[index] + size)
        placed[:, count] = span.first, span.last, offsets[index], offsets[index] + size
    return offsets, total
