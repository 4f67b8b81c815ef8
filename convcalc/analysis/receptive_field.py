"""Receptive fields: what part of the input every layer's outputs see.

Araujo, Norris, Sim 2019, "Computing Receptive Fields of Convolutional Neural Networks", Distill:
size, stride and start are folded forwards, the maximum over all paths; which positions exactly one
output sees is followed backwards.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from convcalc import arith
from convcalc.graph import Graph, Node
from convcalc.view import Reach


class Tracked(NamedTuple):
    """Where an axis of the network's input is now in a tensor, and how far its positions reach.

    None in place of a Tracked says that every position sees the whole axis; no `reach`, that a
    symbol leaves it open.
    """

    axis: int
    reach: Reach | None


Fields = tuple[Tracked | None, ...]
"""For each spatial axis of the input."""


def receptive_fields(graph: Graph) -> dict[Node, Fields]:
    """The field of every node that depends on the first input, for that input's spatial axes."""
    source = graph.inputs[0]
    start = tuple(Tracked(axis, Reach()) for axis in range(2, len(source.shape)))
    found: dict[Node, Fields] = {source: start}
    for node in graph.nodes:
        known = [(i, found[n]) for i, n in enumerate(node.inputs) if n in found]
        if known:
            paths = [tuple(_through(node, i, field) for field in fields) for i, fields in known]
            found[node] = tuple(map(joined, zip(*paths, strict=True)))
    return found


def _through(node: Node, index: int, field: Tracked | None) -> Tracked | None:
    """The field after a layer, for one of its inputs."""
    if field is None:
        return None
    view = node.op.layer.view(field.axis, index, *node.op.inputs)
    if view is None:
        return None
    return Tracked(view[0], view[1].reach(field.reach) if field.reach is not None else None)


def joined(paths: tuple[Tracked | None, ...]) -> Tracked | None:
    """The field that spans those of all paths.

    It is not `aligned` where their centres or strides differ.
    """
    first = paths[0]
    if len(paths) == 1 or first is None or None in paths:
        return None if None in paths else first
    reaches = [path.reach for path in paths if path is not None and path.reach is not None]
    if len(reaches) < len(paths):
        return Tracked(first.axis, None)
    if any(path is not None and path.axis != first.axis for path in paths):
        return None
    start = arith.minimum(*(r.start for r in reaches))
    end = arith.maximum(*(r.start + r.size for r in reaches))
    same_stride = all(r.stride == reaches[0].stride for r in reaches)
    centred = all(2 * r.start + r.size == 2 * reaches[0].start + reaches[0].size for r in reaches)
    aligned = same_stride and centred and all(r.aligned for r in reaches)
    stride = reaches[0].stride if same_stride else arith.maximum(*(r.stride for r in reaches))
    return Tracked(first.axis, Reach(end - start, stride, start, aligned))


def seen_by(graph: Graph, node: Node, unit: tuple[int, ...]) -> dict[Node, list[tuple[int, int]]]:
    """The positions that one output unit sees: for each input, (first, last) along each axis.

    An input that the unit does not depend on is absent. See `needed_by`.
    """
    wanted = needed_by(graph, node, unit)
    return {source: wanted[source] for source in graph.inputs if source in wanted}


def needed_by(graph: Graph, node: Node, unit: tuple[int, ...]) -> dict[Node, list[tuple[int, int]]]:
    """What one output unit needs of every layer before it, and of the inputs.

    For each, the (first, last) position along each axis of its image. Followed backwards through
    every layer and clipped at every border. Windows with gaps (dilation) are taken as ranges from
    their first to their last tap. What the unit does not depend on is absent.

    Args:
        graph: the network, with numbers for its sizes.
        node: the layer.
        unit: the position along each spatial axis of its output.
    """
    rank = len(node.shape)
    whole = [(0, int(size) - 1) for size in node.shape]  # type: ignore[arg-type]
    whole[rank - len(unit) :] = [(i, i) for i in unit]
    wanted: dict[Node, list[tuple[int, int]]] = {node: whole}
    for step in reversed(graph.nodes):
        ranges = wanted.get(step)
        if ranges is None or step.operation is None:
            continue
        for index, source in enumerate(step.inputs):
            read = _read(step, index, ranges)
            if read is not None:
                known = wanted.get(source)
                wanted[source] = read if known is None else _hull(known, read)
    return {source: ranges[2:] for source, ranges in wanted.items()}


def _read(step: Node, index: int, ranges: list[tuple[int, int]]) -> list[tuple[int, int]] | None:
    """What some outputs of a layer read of one input; None if only of its padding."""
    shape: Any = step.op.inputs[index]
    read = [(0, shape[0] - 1)]
    for axis in range(1, len(shape)):
        view = step.op.layer.view(axis, index, *step.op.inputs)
        first, last = (0, shape[axis] - 1) if view is None else view[1].reads(*ranges[view[0]])
        first, last = max(first, 0), min(last, shape[axis] - 1)
        if first > last:
            return None
        read.append((first, last))
    return read


def _hull(a: list[tuple[int, int]], b: list[tuple[int, int]]) -> list[tuple[int, int]]:
    return [(min(p[0], q[0]), max(p[1], q[1])) for p, q in zip(a, b, strict=True)]
