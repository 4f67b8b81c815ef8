"""Every figure of a report held against a run of the network.

What is observed comes from the run alone: shapes from the arrays, parameters from the weights that
layers read, MACs from the operands of matrix products, the products without padding from sums of
ones, peak memory from the arrays alive, receptive fields from where a NaN in the input arrives.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from convcalc.analysis.receptive_field import Fields, receptive_fields, seen_by
from convcalc.arrays import Array
from convcalc.errors import ConvcalcError
from convcalc.execution.backends import Backend
from convcalc.execution.counting import Counting
from convcalc.execution.executor import held_bytes, run, steps
from convcalc.execution.initial import initial_weights, random_inputs
from convcalc.execution.memory import needs, scratch_bytes, weight_values
from convcalc.graph import Graph, Node, Operation
from convcalc.view import View, Window

PROBES = 2


class Check(NamedTuple):
    """One figure: what was predicted, what a run showed, and whether they agree."""

    layer: str
    quantity: str
    predicted: Any
    observed: Any
    ok: bool


class Verification(NamedTuple):
    """The checks of one network; `skipped` says why there are none."""

    name: str
    checks: tuple[Check, ...]
    skipped: str = ""

    @property
    def ok(self) -> bool:
        """Whether every figure was confirmed."""
        return all(check.ok for check in self.checks)


def verify(
    name: str,
    graph: Graph,
    report: Mapping[str, Any],
    *,
    device: Backend,
    seed: int = 0,
    progress: Any = None,
) -> Verification:
    """Hold a report, in the form of its JSON, against runs of the network in float32.

    Args:
        name: how the network is called.
        graph: the network, with numbers for all sizes.
        report: what is predicted: `Report.to_dict()`, or a file with the same.
        device: where to run.
        seed: of the weights and inputs.
        progress: called with the number of layers run, and of all that will be.

    Raises:
        ConvcalcError: the report is of another network, or the memory does not do.
    """
    with device.running("verify"):
        checks = tuple(_Run(graph, report, device, seed, progress).checks())
    return Verification(name, checks)


class _Run:
    def __init__(
        self, graph: Graph, report: Mapping[str, Any], device: Backend, seed: int, progress: Any
    ) -> None:
        self.graph = graph
        self.device = device
        self.xp = device.xp
        self.seed = seed
        self.progress = progress
        self.totals = report["totals"]
        self.layers = {row["name"]: row for row in report["layers"]}
        names = [node.path for node in graph.nodes]
        if list(self.layers) != names:
            raise ConvcalcError(
                f"the report has other layers than the network: {len(self.layers):,} and "
                f"{len(names):,}",
                hint="It was made of another spec, or at other values.",
            )
        self.uneven = _behind(graph, lambda view: view is None or isinstance(view, Window))
        self.gaps = _behind(graph, _has_no_gap)
        self.done = 0
        self.peak = 0
        self.shapes: dict[Node, list[int]] = {}
        self.macs: dict[Node, int] = {}
        self.params: dict[Node, int] = {}
        self.finite: dict[Node, bool] = {}
        self.ones: dict[int, int] = {}
        self.reached: list[tuple[tuple[int, ...], dict[Node, Array]]] = []

    def checks(self) -> Iterator[Check]:
        """All checks, layer by layer, then those of the whole network."""
        weights = {
            path: self.device.to_device(array)
            for path, array in initial_weights(self.graph, self.seed).items()
        }
        self._run_plainly(weights)
        self._run_probes(weights)
        fields = receptive_fields(self.graph)
        for node in self.graph.nodes:
            row = self.layers[node.path]
            yield _check(node.path, "output_shape", row["output_shape"], self.shapes[node])
            yield _check(node.path, "params", row["params"], self.params[node])
            yield _check(node.path, "macs", row["macs"], self.macs[node])
            yield _check(node.path, "macs_nonpad", row["macs_nonpad"], self._ones(node))
            if node in fields:
                yield from self._field(node, row, fields[node])
            yield Check(node.path, "finite", True, self.finite[node], self.finite[node])
        yield _check("", "params", self.totals["params"], sum(self.params.values()))
        yield _check("", "macs", self.totals["macs"], sum(self.macs.values()))
        nonpad = sum(self._ones(node) for node in self.graph.nodes)
        yield _check("", "macs_nonpad", self.totals["macs_nonpad"], nonpad)
        yield _check("", "peak_activation_bytes", self.totals["peak_activation_bytes"], self.peak)

    def _inputs(self) -> dict[str, Array]:
        inputs = random_inputs(self.graph, self.seed)
        return {path: self.device.to_device(array) for path, array in inputs.items()}

    def _run_plainly(self, weights: Mapping[str, Array]) -> None:
        import numpy

        counting = Counting(self.xp)
        read = _Reading(weights)
        inputs = self._inputs()
        self.peak = held_bytes(inputs.values())
        before = 0

        def observe(node: Node, _: tuple[Array, ...], output: Array, held: int) -> None:
            nonlocal before
            self._advance()
            self.shapes[node] = list(output.shape)
            self.macs[node] = counting.macs - before
            before = counting.macs
            self.finite[node] = bool(self.device.to_host(self.xp.isfinite(output).all()))
            self.peak = max(self.peak, held)

        with numpy.errstate(all="ignore"):  # what is not finite is told
            run(self.graph, inputs, read, counting, observe)
        for node in self.graph.nodes:
            self.params[node] = 0
            if node.owner is node:
                trainable = [
                    n for n, w in node.op.layer.weights(*node.op.inputs).items() if w.trainable
                ]
                self.params[node] = sum(read.sizes.get(f"{node.path}.{n}", 0) for n in trainable)

    def _run_probes(self, weights: Mapping[str, Array]) -> None:
        import numpy

        rng = numpy.random.Generator(numpy.random.PCG64([self.seed, 1]))
        sizes: Any = self.graph.inputs[0].shape[2:]
        if not sizes:
            return
        for probe in range(PROBES):
            place = tuple(size // 2 if probe == 0 else int(rng.integers(0, size)) for size in sizes)
            inputs = self._inputs()
            inputs[self.graph.inputs[0].path][(0, slice(None), *place)] = math.nan
            reached: dict[Node, Array] = {}

            def observe(
                node: Node, _: tuple[Array, ...], output: Array, held: int,
                reached: dict[Node, Array] = reached,
            ) -> None:  # fmt: skip
                self._advance()
                reached[node] = self.device.to_host(self.xp.isnan(output[0]))

            with numpy.errstate(all="ignore"):
                run(self.graph, inputs, weights, self.xp, observe)
            self.reached.append((place, reached))

    def _advance(self) -> None:
        self.done += 1
        if self.progress is not None:
            self.progress(self.done, len(self.graph.nodes) * (1 + PROBES))

    def _ones(self, node: Node) -> int:
        """The products without padding: the sum of a layer's outputs where all is 1."""
        operation = node.op
        if operation.cost.macs == 0:
            return 0
        if id(operation) not in self.ones:
            self.ones[id(operation)] = _sum_of_ones(operation, self.device)
        return self.ones[id(operation)]

    def _field(self, node: Node, row: Mapping[str, Any], fields: Fields) -> Iterator[Check]:
        """The receptive field along every spatial axis: where a NaN in the input arrives."""
        predicted = row["receptive_field"]
        if None in predicted:
            return
        if node in self.uneven:
            ok: bool | None = all(self._inside(node, axis) for axis in range(len(fields)))
        else:
            ok = self._reaches(node, row, fields)
        if ok is not None:
            yield Check(node.path, "receptive_field", predicted, predicted if ok else None, ok)

    def _reaches(self, node: Node, row: Mapping[str, Any], fields: Fields) -> bool | None:
        """Whether outputs are reached within their fields, and at both ends by some probe.

        None where no probe arrives: all lie beyond what a slice or a crop leaves, or in the gaps
        of windows.
        """
        ends: list[list[bool]] = [[False, False] for _ in fields]
        observed = False
        for place, reached in self.reached:
            mask = reached[node]
            ranges = [
                None
                if tracked is None
                else self._outputs(row, axis, place, mask.shape[tracked.axis - 1])
                for axis, tracked in enumerate(fields)
            ]
            expected = all(each is None or each[0] <= each[1] for each in ranges)
            if not mask.any():
                continue
            if not expected:
                return False
            observed = True
            for end, tracked, each in zip(ends, fields, ranges, strict=True):
                if tracked is None or each is None:
                    end[:] = True, True
                    continue
                others = tuple(i for i in range(mask.ndim) if i != tracked.axis - 1)
                hit = mask.any(axis=others).nonzero()[0]
                if hit[0] < each[0] or hit[-1] > each[1]:
                    return False
                end[:] = end[0] or hit[0] == each[0], end[1] or hit[-1] == each[1]
        if not observed:
            return None
        return node in self.gaps or all(all(end) for end in ends)

    def _outputs(
        self, row: Mapping[str, Any], axis: int, place: tuple[int, ...], count: int
    ) -> tuple[int, int]:
        """The first and the last output whose field has a place of the input, along an axis."""
        size, stride = row["receptive_field"][axis], _number(row["receptive_stride"][axis])
        start = -_number(row["receptive_padding"][axis])
        first = max(math.ceil((place[axis] - start - size + 1) / stride), 0)
        return first, min(math.floor((place[axis] - start) / stride), count - 1)

    def _inside(self, node: Node, axis: int) -> bool:
        """Whether the first and the last output that is reached are said to see the input there.

        After upsampling the fields of neighbours are unevenly placed, so that only units are sure.
        """
        import numpy

        source = self.graph.inputs[0]
        for place, reached in self.reached:
            places = numpy.argwhere(reached[node].any(axis=0))
            for unit in (places[0], places[-1]) if len(places) else ():
                ranges = seen_by(self.graph, node, tuple(map(int, unit))).get(source)
                if ranges is None:
                    continue  # what is no number here was not the probe's: 0/0
                first, last = ranges[axis]
                if not first <= place[axis] <= last:
                    return False
        return True


def _behind(graph: Graph, plain: Callable[[View | None], bool]) -> set[Node]:
    """The nodes whose layer, or one before them, has a view of its input that is not plain."""
    found: set[Node] = set()
    for node in graph.nodes:
        layer, shapes = node.op.layer, node.op.inputs
        views = (
            layer.view(axis, index, *shapes)
            for index, shape in enumerate(shapes)
            for axis in range(2, len(shape))
        )
        all_plain = all(plain(None if view is None else view[1]) for view in views)
        if not all_plain or any(source in found for source in node.inputs):
            found.add(node)
    return found


def _has_no_gap(view: View | None) -> bool:
    """Whether neighbouring outputs read all that lies between what they read."""
    window: Any = view
    return not isinstance(view, Window) or (window.dilation == 1 and window.stride <= window.kernel)


class _Reading(dict[str, Any]):
    """Weights that remember how many elements of each were read."""

    def __init__(self, weights: Mapping[str, Array]) -> None:
        super().__init__(weights)
        self.sizes: dict[str, int] = {}

    def __getitem__(self, path: str) -> Array:
        array = super().__getitem__(path)
        self.sizes[path] = int(array.size)
        return array


def _sum_of_ones(operation: Operation, device: Backend) -> int:
    """The sum of a layer's outputs where all is 1; of all layers that it is short for, added."""
    xp, found = device.xp, 0
    for part, shapes in steps(operation):
        layer: Any = part
        if not layer.cost(*shapes).macs:
            continue
        if getattr(layer, "bias", False):
            layer = dataclasses.replace(layer, bias=False)
        weights = {n: xp.ones(w.shape) for n, w in layer.weights(*shapes).items()}
        ones = tuple(xp.ones(shape) for shape in shapes)
        found += int(device.to_host(layer.forward(xp, ones, weights).sum()))
    return found


def _number(value: Any) -> Any:
    from fractions import Fraction

    return Fraction(value) if isinstance(value, str) else value


def _check(layer: str, quantity: str, predicted: Any, observed: Any) -> Check:
    return Check(layer, quantity, predicted, observed, predicted == observed)


def needed_bytes(graph: Graph, device: Backend) -> int:
    """What a verification holds at once, about: a run, the masks of probes, a layer of ones."""
    run = needs(graph, "float32", device)
    masks: Any = PROBES * sum(math.prod(node.shape) for node in graph.nodes)
    counted = [node.op for node in graph.nodes if node.op.cost.macs]
    ones = max((_ones_bytes(operation) for operation in counted), default=0)
    return max(run.total, run.weights + ones) + int(masks)


def _ones_bytes(operation: Operation) -> int:
    shapes: Any = (*operation.inputs, operation.output_shape)
    values: int = weight_values(operation) + sum(math.prod(shape) for shape in shapes)
    return 8 * values + scratch_bytes(operation, "float64")


def checked_memory(name: str, graph: Graph, device: Backend, more: int = 0) -> Verification | None:
    """A verification that is skipped, where the memory would not do; `more` bytes are needed."""
    needed, free = needed_bytes(graph, device) + more, device.free_bytes()
    if free is None or needed <= free:
        return None
    reason = f"it needs about {needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free"
    return Verification(name, (), reason)
