"""What `Network.compile` gives: a network ready to run."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any, NamedTuple

from convcalc.arrays import Array
from convcalc.execution.backends import Backend
from convcalc.execution.executor import checked_inputs
from convcalc.execution.plan import Plan
from convcalc.execution.threads import one_blas_thread, workers
from convcalc.graph import Graph


class Timing(NamedTuple):
    """The time of layers that ran as one: their paths, the first one's kind, and their MACs."""

    layers: tuple[str, ...]
    kind: str
    seconds: float
    macs: int


class Compiled:
    """A network with its weights, ready to run for inputs of one shape; call it with one.

    It holds its memory from one call to the next; calls from several threads wait for one another.

    Args:
        graph: the network, with numbers for all sizes.
        weights: an array on the host for every weight, by its path, of the type `dtype`.
        dtype: float32 or float64.
        device: where it is run.
        threads: how many to use on a processor; by default as many as there are cores. Without
            threadpoolctl, BLAS decides.
        what: the name of this in errors.
    """

    def __init__(
        self,
        graph: Graph,
        weights: Mapping[str, Array],
        dtype: str,
        device: Backend,
        threads: int | None = None,
        what: str = "compile",
    ) -> None:
        self._graph = graph
        self._dtype = dtype
        self._device = device
        self._lock = Lock()
        count = workers(threads) if device.shares_work else 1
        with device.running(what), one_blas_thread:
            self._plan = Plan(graph, weights, device, dtype, count)

    def __repr__(self) -> str:
        return f"<Compiled {self._graph.title}: {len(self._graph.nodes):,} layers, {self._dtype}>"

    @property
    def activation_bytes(self) -> int:
        """The memory that all tensors lie in, placed so that those alive together do not overlap.

        What `peak_activation_bytes` predicts, or a little more: where gaps are left between
        tensors, where a tensor is flattened that lies channels last, and where the inputs of a
        concatenation are written in their place.
        """
        return self._plan.activation_bytes

    @property
    def scratch_bytes(self) -> int:
        """The memory that kernels use beside it: gathered windows, transformed tiles."""
        return self._plan.scratch_bytes

    def __call__(self, x: Any) -> Any:
        """The output for an input (N, channels, *spatial).

        Args:
            x: the input, or a mapping of arrays where the network has several.

        Returns:
            The output, or a mapping by the layers' paths where there are several: NumPy's arrays.

        Raises:
            ConvcalcError: an input is missing, or of another shape or type than the network's.
        """
        return self._run(x, None)

    def profile(self, x: Any) -> tuple[Any, list[Timing]]:
        """What a call gives, and the time of every step: a layer and what is fused into it."""
        found: list[Timing] = []
        # of the whole batch, whatever share of it a worker has
        macs: dict[str, Any] = {node.path: node.op.cost.macs for node in self._graph.nodes}
        last = time.perf_counter()

        def watch(number: int) -> None:
            nonlocal last
            self._device.wait()
            now = time.perf_counter()
            step = self._plan.steps[number]
            paths = tuple(node.path for node in step.nodes)
            found.append(Timing(paths, step.node.kind, now - last, sum(macs[p] for p in paths)))
            last = time.perf_counter()

        return self._run(x, watch), found

    def _run(self, x: Any, watch: Callable[[int], None] | None) -> Any:
        device = self._device
        with self._lock, device.running("run"), one_blas_thread:
            inputs, _ = checked_inputs(self._graph, x, self._dtype, device)
            outputs = {path: device.to_host(y) for path, y in self._plan.run(inputs, watch).items()}
        return next(iter(outputs.values())) if len(outputs) == 1 else outputs
