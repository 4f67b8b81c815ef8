"""Matrix products: 1×1 convolutions and linear layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from convcalc.arrays import Array
from convcalc.execution.kernels.recording import Epilogue, Recorder, merged

ROWS = 192
"""The fewest rows of a product: below, packing the weights takes longer than it saves."""


def record(
    recorder: Recorder, x: Array, weight: Array, y: Array, epilogue: Epilogue,
    before: Sequence[tuple[str, Any]] = (),
) -> None:  # fmt: skip
    """Record y = epilogue(x · weight), in blocks of rows.

    The reference is `Conv.forward` with kernel 1, and `Linear.forward`. The error is that of a dot
    product of C values, at most C·u·Σ|x·w| with u the unit roundoff; BLAS sums in blocks, and
    3·10⁻⁷ of the largest output is typical in float32.

    Args:
        recorder: takes the calls.
        x: (…, C), one matrix in memory.
        weight: (C, K).
        y: (…, K), one matrix in memory, as is the residual.
        epilogue: what comes after, for all of y.
        before: what x goes through first: names of operations, and second operands:
            (C,), or a number.
    """
    xp = recorder.xp
    rows, target = _matrix(x), _matrix(y)
    if epilogue.residual is not None:
        epilogue = epilogue._replace(residual=_matrix(epilogue.residual))
    count, channels = target.shape
    share, columns = recorder.share.split(count, ROWS, channels)
    if columns.start == columns.stop:
        return
    if count <= _FEW and not before and weight.strides[0] == weight.itemsize:
        _record_few(recorder, rows, weight.T[columns], target[:, columns])
        epilogue.of((slice(None),), columns).record(
            recorder, target[:, columns], target[:, columns]
        )
        return
    values = channels + (len(weight) if before else 0)
    cuts = max(1, round(count / max(ROWS, recorder.cache // values)))
    cuts = -(-cuts // share.parts) * share.parts
    changed = recorder.scratch(-(-count // cuts) if before else 0, len(weight))
    for cut in share.of(cuts):
        part = slice(cut * count // cuts, (cut + 1) * count // cuts)
        source, out = rows[part], target[part, columns]
        for operation, operand in before:
            source = recorder.add(
                getattr(xp, operation), source, operand, out=changed[: len(source)]
            )
        recorder.add(xp.matmul, source, weight[:, columns], out=out)
        epilogue.of((part,), columns).record(recorder, out, out)


def _record_few(recorder: Recorder, x: Array, weight: Array, y: Array) -> None:
    """Record y = x · weightᵀ for few rows, which takes as long as reading the weight.

    BLAS would copy the weight first. Products of a matrix and a vector read it where it lies, a
    part in the cache for one row after the other; from some rows on, one product with it on the
    left is faster. These products are `dot`'s: `matmul` keeps Python's lock for those of vectors,
    and workers wait for one another.

    Args:
        recorder: takes the calls.
        x: (M, C).
        weight: (K, C), each row together in memory.
        y: (M, K).
    """
    xp = recorder.xp
    if len(x) > _FEWER:
        turned = recorder.scratch(len(weight), len(x))
        recorder.add(xp.matmul, weight, x.T, out=turned)
        recorder.copy(turned.T, y)
        return
    # dot writes what lies together only
    rows = y if y.strides[1] == y.itemsize else recorder.scratch(*y.shape)
    each = max(1, recorder.cache // weight.shape[1])
    for start in range(0, len(weight), each):
        part = slice(start, start + each)
        for row in range(len(x)):
            recorder.add(xp.dot, weight[part], x[row], out=rows[row, part])
    if rows is not y:
        recorder.copy(rows, y)


_FEW = 16
_FEWER = 4


def _matrix(x: Array) -> Array:
    found = merged(x, x.ndim - 1)
    assert found is not None
    return found
