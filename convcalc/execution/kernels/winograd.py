"""Winograd's minimal filtering: 3×3 convolutions with fewer multiplications."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from convcalc.arrays import Array
from convcalc.execution.kernels.recording import (
    Block,
    Epilogue,
    Padding,
    Recorder,
    Windows,
    blocks,
    strips,
)  # fmt: skip
from convcalc.view import Window


class Transform(NamedTuple):
    """F(m×m, 3×3): Aᵀ((G g Gᵀ) ⊙ (Bᵀ d B))A gives m×m outputs of m + 2 inputs squared."""

    outputs: int
    input: tuple[tuple[float, ...], ...]
    weight: tuple[tuple[float, ...], ...]
    output: tuple[tuple[float, ...], ...]

    @property
    def size(self) -> int:
        """m + 2."""
        return self.outputs + 2


F2 = Transform(
    2,
    ((1, 0, -1, 0), (0, 1, 1, 0), (0, -1, 1, 0), (0, 1, 0, -1)),
    ((1, 0, 0), (0.5, 0.5, 0.5), (0.5, -0.5, 0.5), (0, 0, 1)),
    ((1, 1, 1, 0), (0, 1, -1, -1)),
)
"""Lavin and Gray 2015, arXiv:1509.09308, section 4.1."""

_R = math.sqrt(2)
F4 = Transform(
    4,
    (
        (1, 0, -5 / 2, 0, 1, 0), (0, -_R, -2, _R / 2, 1, 0), (0, _R, -2, -_R / 2, 1, 0),
        (0, -_R / 2, -1 / 2, _R, 1, 0), (0, _R / 2, -1 / 2, -_R, 1, 0), (0, 1, 0, -5 / 2, 0, 1),
    ),
    (
        (1, 0, 0), (-2 / 3, -_R / 3, -1 / 3), (-2 / 3, _R / 3, -1 / 3),
        (1 / 6, _R / 6, 1 / 3), (1 / 6, -_R / 6, 1 / 3), (0, 0, 1),
    ),
    (
        (1, 1, 1, 1, 1, 0), (0, _R / 2, -_R / 2, _R, -_R, 0), (0, 1 / 2, 1 / 2, 2, 2, 0),
        (0, _R / 4, -_R / 4, 2 * _R, -2 * _R, 1),
    ),
)  # fmt: skip
"""Lavin and Gray 2015, section 4.3, but for the points 0, ±√½, ±√2 and ∞ in place of 0, ±1, ±2 and
∞: numbers that lie closer together lose less (Barabasz, Anderson, Soodhalter, Gregg 2018, "Error
Analysis and Improving the Accuracy of Winograd Convolution for Deep Neural Networks",
arXiv:1803.10986)."""


def transformed(transform: Transform, weight: Any) -> Any:
    """G g Gᵀ for every pair of channels, on the host.

    Args:
        transform: F2 or F4.
        weight: (K, C, 3, 3), an array of NumPy's.

    Returns:
        ((m + 2)², C, K)
    """
    import numpy

    g = numpy.asarray(transform.weight, weight.dtype)
    channels, depth = weight.shape[:2]
    # one long axis, so that the products are few
    flat = weight.transpose(2, 3, 1, 0).reshape(3, -1)
    rows = (g @ flat).reshape(transform.size, 3, depth * channels)
    return (g @ rows).reshape(transform.size**2, depth, channels)


def record(
    recorder: Recorder, x: Array, weight: Array, y: Array, windows: Windows, epilogue: Epilogue,
    transform: Transform,
) -> None:  # fmt: skip
    """Record a 3×3 convolution of stride 1.

    The reference is `Conv.forward`. The error, of the largest output: 8·10⁻⁷ for F2 and 5·10⁻⁶ for
    F4 at most were seen in float32. What is not finite spreads over a tile.

    Source: Lavin and Gray 2015, arXiv:1509.09308, algorithm 1.

    Args:
        recorder: takes the calls.
        x: (N, H, W, C).
        weight: ((m + 2)², C, K), as `transformed` gives it.
        y: (N, oh, ow, K).
        windows: along height and width.
        epilogue: what comes after, for all of y.
        transform: F2 or F4.
    """
    values = transform.size**2 * (x.shape[3] + y.shape[3])
    tiles = max(_TILES, 4 * recorder.cache // values)
    for strip in strips(x, y, windows, epilogue, transform.outputs * tiles):
        _record_strip(recorder, weight, *strip, transform, tiles)


def _record_strip(
    recorder: Recorder, weight: Array, x: Array, y: Array, windows: Windows, epilogue: Epilogue,
    transform: Transform, tiles: int,
) -> None:  # fmt: skip
    m = transform.outputs
    images, height, width, channels = y.shape
    down, across = -(-height // m), -(-width // m)
    share, columns = recorder.share.split(images * down * across, _TILES, channels)
    if columns.start == columns.stop:
        return
    for block in blocks(share, images, down, max(1, tiles // across)):
        _record_block(
            recorder, x, weight[..., columns], y[..., columns], windows, block,
            epilogue.of((), columns) if epilogue.residual is None else
            epilogue.of((slice(None),) * 3, columns), transform,
        )  # fmt: skip
        recorder.give_back()


_TILES = 96
"""The fewest tiles of a product: with fewer, reading the weights takes longer than it saves."""


def _record_block(
    recorder: Recorder, x: Array, weight: Array, y: Array, windows: Windows, block: Block,
    epilogue: Epilogue, transform: Transform,
) -> None:  # fmt: skip
    xp = recorder.xp
    m, size = transform.outputs, transform.size
    _, height, width, channels = y.shape
    depth = x.shape[3]
    across = -(-width // m)
    bt, at = (xp.asarray(t, x.dtype) for t in (transform.input, transform.output))
    # windows of m + 2 at every m-th place read all that the tiles do, what lies beyond as zeros
    tiles = (Window(size, m, windows[0].before), Window(size, m, windows[1].before))
    slab = Padding(tiles).slab(recorder, x, block, across)
    n, rows = slab.shape[:2]
    down = block.rows.stop - block.rows.start
    count = n * down * across
    image, line, column, value = slab.strides
    # the columns of all tiles by their place j in the tile: (j, n, rows, tiles across, C)
    view = xp.lib.stride_tricks.as_strided(
        slab, (size, n, rows, across, depth), (column, image, line, m * column, value)
    )
    gathered = recorder.scratch(size, n, rows, across * depth)
    recorder.copy(view, gathered.reshape(view.shape))
    # Bᵀ along the height: (j, n, tiles down, i, tiles across · C)
    plane, image, line, value = gathered.strides
    strips = xp.lib.stride_tricks.as_strided(
        gathered, (size, n, down, size, across * depth), (plane, image, m * line, line, value)
    )
    half = recorder.scratch(size, size, n, down, across * depth)
    recorder.add(xp.matmul, bt, strips, out=half.transpose(0, 2, 3, 1, 4))
    # Bᵀ along the width: (i, j, tiles · C)
    whole = recorder.scratch(size, size, count * depth)
    recorder.add(xp.matmul, bt, half.reshape(size, size, -1).transpose(1, 0, 2), out=whole)
    products = recorder.scratch(size * size, count, channels)
    recorder.add(xp.matmul, whole.reshape(size * size, count, depth), weight, out=products)
    # Aᵀ along the height: (u, j, tiles · K), and along the width: (u, v, tiles · K)
    partly = recorder.scratch(m, size * count * channels)
    recorder.add(xp.matmul, at, products.reshape(size, -1), out=partly)
    found = recorder.scratch(m, m, count * channels)
    recorder.add(xp.matmul, at, partly.reshape(m, size, -1), out=found)
    outputs = found.reshape(m, m, n, down, across, channels).transpose(2, 3, 0, 4, 1, 5)
    first = block.rows.start * m
    last = min(height, block.rows.stop * m)
    target = y[block.images, first:last]
    own = (
        epilogue.of((block.images, slice(first, last)))
        if epilogue.residual is not None
        else epilogue
    )
    if last - first == down * m and width == across * m:
        shape = (n, down, m, across, m, channels)
        tiled = _tiled(xp, target, shape, m)
        residual = own.residual
        if residual is not None:
            residual = _tiled(xp, residual, shape, m)
        own._replace(residual=residual).record(recorder, outputs, tiled)
        return
    padded = recorder.scratch(n, down * m, across * m, channels)
    recorder.copy(outputs, padded.reshape(n, down, m, across, m, channels))
    own.record(recorder, padded[:, : last - first, :width], target)


def _tiled(xp: Any, y: Array, shape: tuple[int, ...], m: int) -> Array:
    image, line, column, value = y.strides
    strides = (image, m * line, line, m * column, column, value)
    return xp.lib.stride_tricks.as_strided(y, shape, strides)
