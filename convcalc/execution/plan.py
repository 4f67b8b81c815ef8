"""A network made ready to run fast, again and again, for inputs of one shape.

Planning decides all that does not depend on the inputs: which layers run as one, where every
tensor lies, which kernel computes it, and how workers share the work. What is left for a run is a
list of array calls on memory that is there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from convcalc.arrays import Array
from convcalc.execution import arena
from convcalc.execution.backends import Backend
from convcalc.execution.executor import storage
from convcalc.execution.fusion import Step, steps
from convcalc.execution.kernels.lowering import Task, lower
from convcalc.execution.kernels.recording import SCRATCH_BYTES, Recorder, Scratch, Share
from convcalc.execution.tape import Program, play
from convcalc.graph import Graph, Node

_MOVING = ("permute", "slice", "crop", "reshape", "flatten", "identity", "dropout")
"""Layers whose output can be a view of the input."""

_CHANNELS_LAST = ("conv", "depthwise_conv", "separable_conv", "conv_transpose", "input")
"""What is written channels last, however the input lies; other layers keep its order."""


class Plan:
    """A network as calls on memory of its own; `run` makes them.

    Args:
        graph: the network, with numbers for all sizes.
        weights: an array on the host for every weight by its path, of the type `dtype`.
        device: where it is run.
        dtype: float32 or float64.
        workers: how many threads share every step, in each of which BLAS should then use one.

    Attributes:
        steps: what runs as one, in running order; views, which need no call, are left out.
        activation_bytes: the memory that all tensors lie in.
        scratch_bytes: what the kernels use beside it.
    """

    def __init__(
        self, graph: Graph, weights: Mapping[str, Array], device: Backend, dtype: str,
        workers: int = 1,
    ) -> None:  # fmt: skip
        self._graph = graph
        self._layout = layout = _smallest_layout(graph)
        memory = device.xp.empty(layout.size, dtype)
        self.activation_bytes: int = memory.nbytes
        self._arrays = {
            node: block.tensor(device.xp, memory[layout.offsets[node] :][: math.prod(block.shape)])
            for node, block in layout.blocks.items()
        }
        self.steps = [step for step in layout.steps if step not in layout.idle]
        reserve = 0 if device.cache_values is None else SCRATCH_BYTES
        scratches = [Scratch(device.xp, dtype, reserve) for _ in range(workers)]
        self._programs: list[Program] = [[] for _ in range(workers)]
        prepared: dict[Any, Any] = {}
        for step in self.steps:
            record = lower(self._task(step, weights, device, prepared))
            for part, program in enumerate(self._programs):
                recorder = Recorder(device, scratches[part], Share(part, workers))
                record(recorder)
                program.append(recorder.calls)
        self.scratch_bytes = sum(scratch.bytes for scratch in scratches)

    def run(
        self, inputs: Mapping[str, Array], watch: Callable[[int], None] | None = None
    ) -> dict[str, Array]:
        """The outputs by the paths of their layers.

        Args:
            inputs: arrays of the inputs' shapes, by their names.
            watch: called with the number of every step when it is done.
        """
        for node in self._graph.inputs:
            _put(inputs[node.path], self._array(node))
        play(self._programs, watch)
        return {node.path: self._array(node).copy() for node in self._graph.outputs}

    def _array(self, node: Node) -> Array:
        """A tensor in its place."""
        return self._layout.seen(node, self._arrays)

    def _task(
        self, step: Step, weights: Mapping[str, Array], device: Backend, prepared: dict[Any, Any]
    ) -> Task:
        return Task(
            device=device,
            step=step,
            x=[self._array(source) for source in step.sources],
            y=self._array(step.output),
            residual=None if step.residual is None else self._array(step.residual),
            in_place=[
                self._layout.inside.get(source, (None,))[0] is step.output
                and step.sources.index(source) == number
                for number, source in enumerate(step.sources)
            ],
            weights=weights,
            prepared=prepared,
        )


@dataclass(eq=False)
class _Block:
    """A piece of memory: one tensor, or several that lie side by side in it.

    It is alive from step `first` to step `last`; `plain` says that the axes lie in their order,
    where else the channels are last.
    """

    shape: tuple[int, ...]
    first: int
    last: int
    plain: bool

    def tensor(self, xp: Any, memory: Array) -> Array:
        """Memory of its size as a tensor (N, C, *n)."""
        if self.plain or len(self.shape) < 3:
            return memory.reshape(self.shape)
        batch, channels, *sizes = self.shape
        return xp.moveaxis(memory.reshape(batch, *sizes, channels), -1, 1)


class _Layout:
    """Which tensor is in which block of memory, and how it is seen there.

    The inputs of a concatenation are written into it at once; what moves no data is a view; an
    element-wise step writes over an input that dies with it.
    """

    def __init__(self, graph: Graph, join: bool) -> None:
        self.graph = graph
        self.steps = steps(graph)
        self.blocks: dict[Node, _Block] = {}
        self.idle: set[Step] = set()
        self.inside: dict[Node, tuple[Node, Any]] = {}
        self._views: dict[Node, tuple[Node, Callable[[Array], Array]]] = {}
        self._homes: dict[Node, Node] = {}
        self._stand_ins: dict[Node, Array] = {}
        self._last_read = {
            source: number for number, step in enumerate(self.steps) for source in step.reads
        }
        self._last_read.update(dict.fromkeys(graph.outputs, len(self.steps)))
        if join:
            self._join()
        for node in graph.inputs:
            self._open(node, -1, False)
        for number, step in enumerate(self.steps):
            self._place(step, number)
        self._stand_ins.clear()
        blocks = self.blocks.values()
        offsets, self.size = arena.placed(
            [arena.Span(math.prod(b.shape), b.first, b.last) for b in blocks]
        )
        self.offsets = dict(zip(self.blocks, offsets, strict=True))

    def seen(self, node: Node, blocks: Mapping[Node, Array]) -> Array:
        """A tensor (N, C, *n), where every block is an array."""
        chain: list[Any] = []
        while node not in blocks:
            node, view = self._around(node)
            chain.append(view)
        array = blocks[node]
        for view in reversed(chain):
            array = view(array) if callable(view) else array[view]
        return array

    def _around(self, node: Node) -> tuple[Node, Any]:
        """What a tensor is a part or a view of, and how; itself if it has a block of its own."""
        return self.inside.get(node) or self._views.get(node) or (node, None)

    def _home(self, node: Node) -> Node:
        """The node whose block a tensor lies in."""
        if node in self._homes:
            return self._homes[node]
        passed, home = [node], self._around(node)[0]
        while home is not passed[-1]:
            passed.append(home)
            home = self._homes.get(home) or self._around(home)[0]
        if home in self.blocks:  # what has no place yet may still become a part of another
            self._homes.update(dict.fromkeys(passed, home))
        return home

    def _join(self) -> None:
        """Find the inputs of concatenations that can be written into them at once."""
        written = {step.output for step in self.steps if step.node.kind not in _MOVING}
        for step in reversed(self.steps):
            if step.node.kind != "concat" or len(step.nodes) > 1:
                continue
            axis = step.node.op.layer.axis % len(step.node.shape)  # type: ignore[attr-defined]
            start = 0
            for source in step.sources:
                size: Any = source.shape[axis]
                if source in written and source not in self.inside:
                    place = (*(slice(None),) * axis, slice(start, start + size))
                    self.inside[source] = (step.output, place)
                start += size

    def _open(self, node: Node, number: int, plain: bool) -> None:
        """Give a tensor its place: a block of its own, or that of the tensor around it."""
        import numpy

        home = self._home(node)
        if home not in self.blocks:
            shape: Any = home.shape
            self.blocks[home] = block = _Block(shape, number, number, plain)
            # never touched, so that it takes no memory
            self._stand_ins[home] = block.tensor(numpy, numpy.empty(math.prod(shape), "int8"))
            self._hold(home, home)
        self._hold(node, home)

    def _hold(self, node: Node, home: Node) -> None:
        """Keep a block until a tensor in it is read for the last time."""
        block = self.blocks[home]
        block.last = max(block.last, self._last_read.get(node, block.last))

    def _place(self, step: Step, number: int) -> None:
        node, kind = step.output, step.node.kind
        before = self.seen(step.sources[0], self._stand_ins)
        plain = kind not in _CHANNELS_LAST and before.ndim > 2 and _is_plain(before)
        if node in self.inside:
            self._open(node, number, plain)
            return
        if kind in _MOVING and len(step.nodes) == 1:
            layer = step.node.op.layer

            def moved(x: Array) -> Array:
                import numpy

                return layer.forward(numpy, (x,), {})

            if storage(moved(before)) is storage(before):
                self.idle.add(step)
                self._see(node, step.sources[0], moved)
                return
        if (step.node.op.layer.is_elementwise or kind == "batch_norm") and step.before is None:
            # of a fold of several inputs, the first operation writes when two of them are read
            for source in step.sources[:2]:
                if source.shape == node.shape and self._dies_alone(source, step, number):
                    # in the very place of the source, which may be a view itself
                    self._see(node, *self._views.get(source, (source, _as_it_is)))
                    return
        self._open(node, number, plain)

    def _dies_alone(self, source: Node, step: Step, number: int) -> bool:
        """Whether a step is the last to read a block, and reads nothing else in it."""
        if len(step.sources) > 2 and step.sources.count(source) > 1:
            return False  # it is read again after the first operation has written
        home = self._home(source)
        others = {other for other in step.sources if other is not source}
        return self.blocks[home].last <= number and all(
            self._home(other) is not home for other in others
        )

    def _see(self, node: Node, source: Node, view: Callable[[Array], Array]) -> None:
        self._views[node] = (source, view)
        self._hold(node, self._home(node))


def _smallest_layout(graph: Graph) -> _Layout:
    """A layout; concatenations are made in place where that takes little more memory.

    In place, the whole output is alive from the first of its inputs on.
    """
    joined = _Layout(graph, join=True)
    if not joined.inside:
        return joined
    apart = _Layout(graph, join=False)
    return joined if joined.size <= _MORE * apart.size else apart


_MORE = 1.05


def _put(x: Array, place: Array) -> None:
    """Copy an input to its place, channels last: a few channels one by one, in long loops."""
    if x.ndim < 3 or x.shape[1] > _FEW:
        place[...] = x
        return
    for channel in range(x.shape[1]):
        place[:, channel] = x[:, channel]


_FEW = 8


def _as_it_is(x: Array) -> Array:
    return x


def _is_plain(x: Array) -> bool:
    """Whether the last axis lies together in memory, and the channels do not."""
    return bool(x.strides[-1] == x.itemsize != x.strides[1])
