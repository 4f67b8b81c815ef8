"""A network's outputs held against those of another library, on the same weights and inputs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from convcalc.arrays import Array
from convcalc.errors import UsageError, did_you_mean, shorten
from convcalc.execution.executor import Weights, run
from convcalc.execution.initial import initial_weights, random_inputs
from convcalc.execution.memory import weight_values
from convcalc.execution.verify import Check
from convcalc.graph import Graph, Node

TOLERANCE = 1e-4
"""The largest difference allowed, of the largest output.

Float32 rounds every operation to 6·10⁻⁸ of its result, and every library adds up in an order of its
own. Over the thousands of terms of a sum, and a hundred layers, correct results differ by some
10⁻⁶; over the many gates of EfficientNet-B7 by up to 6·10⁻⁵, and from float64 by as much.
"""

LIBRARIES = ("onnxruntime", "torch")

Runner = Callable[[Graph, Weights, Mapping[str, Array], Iterable[Node]], Mapping[str, Array]]
"""What gives the outputs of some layers, by their paths."""


def runner(library: str) -> Runner:
    """What runs networks with a library.

    Raises:
        UsageError: no such library is known here, or it is not installed.
    """
    if library == "onnxruntime":
        from convcalc.interchange.onnx_runtime import onnx_outputs

        return onnx_outputs
    if library == "torch":
        from convcalc.interchange.torch_module import torch_outputs

        return torch_outputs
    hint = did_you_mean(library, LIBRARIES) or f"There are {', '.join(LIBRARIES)}."
    raise UsageError(f"outputs cannot be held against '{shorten(library)}'", hint=hint)


def arrays(graph: Graph, seed: int) -> tuple[dict[str, Array], dict[str, Array]]:
    """Random inputs, and weights whose running variances fit them, as a trained network's do.

    Every batch norm divides by the root mean square of what reaches it. With variances of 1 the
    activations of a hundred residual blocks grow until the gates of squeeze-and-excitation turn
    rounding into another result: of EfficientNetV2-M, float32 then gives no digit of what float64
    does, in any library.
    """
    import numpy

    inputs, weights = random_inputs(graph, seed), initial_weights(graph, seed)
    variances: dict[Node, list[str]] = {}
    for node in graph.nodes:
        if "running_var" in node.op.layer.weights(*node.op.inputs):
            variances.setdefault(node.inputs[0], []).append(f"{node.owner.path}.running_var")

    def observe(node: Node, _: tuple[Array, ...], output: Array, held: int) -> None:
        # the readers of this output have not run yet, and find what is written here
        for path in variances.get(node, ()):
            weights[path][:] = numpy.mean(output * output)

    run(graph, inputs, weights, numpy, observe)
    return inputs, weights


def output_checks(
    graph: Graph,
    weights: Weights,
    inputs: Mapping[str, Array],
    outputs: Any,
    library: str,
) -> list[Check]:
    """For every output, whether a library computes the same.

    Where one differs, a check of the first layer that does comes before it.

    Args:
        graph: the network, with numbers for all sizes.
        weights: an array for every weight, by its path, in float32.
        inputs: an array for every input, by its name, in float32.
        outputs: what `Network.run` makes of them: an array, or several by the layers' paths.
        library: one of `LIBRARIES`.
    """
    other = runner(library)
    theirs = other(graph, weights, inputs, graph.outputs)
    ours = outputs if isinstance(outputs, Mapping) else {graph.outputs[0].path: outputs}
    checks = [_check(path, y, theirs[path], library) for path, y in ours.items()]
    if not all(check.ok for check in checks):
        first = _first_difference(graph, weights, inputs, other, library)
        if first is not None and first.layer not in ours:
            checks.insert(0, first)
    return checks


def needed_bytes(graph: Graph) -> int:
    """What a comparison holds beyond one run, about: the weights thrice more, and all outputs."""
    weights = sum(weight_values(node.op) for node in graph.nodes if node.owner is node)
    outputs: Any = sum(math.prod(node.shape) for node in graph.nodes)
    return int(4 * (3 * weights + outputs))


def relative_error(ours: Array, theirs: Array) -> float:
    """max |a − b| / max |b|, b theirs: NaN where there is one, 0 between equal infinities."""
    import numpy

    a, b = (numpy.asarray(y, "float64") for y in (ours, theirs))
    if a.shape != b.shape:
        return math.nan
    with numpy.errstate(invalid="ignore"):
        difference = float(numpy.where(a == b, 0, numpy.abs(a - b)).max())
    largest = float(numpy.abs(b[numpy.isfinite(b)]).max(initial=0))
    return difference / largest if largest else difference


def _check(path: str, ours: Array, theirs: Array, library: str) -> Check:
    error = relative_error(ours, theirs)
    observed = error if math.isfinite(error) else None
    return Check(path, f"output_vs_{library}", TOLERANCE, observed, error <= TOLERANCE)


def _first_difference(
    graph: Graph, weights: Weights, inputs: Mapping[str, Array], other: Runner, library: str
) -> Check | None:
    """The check of the first layer, in running order, whose output differs."""
    import numpy

    theirs = other(graph, weights, inputs, graph.nodes)
    found: list[Check] = []

    def observe(node: Node, _: tuple[Array, ...], output: Array, held: int) -> None:
        if not found:
            check = _check(node.path, output, theirs[node.path], library)
            found.extend([] if check.ok else [check])

    run(graph, inputs, weights, numpy, observe)
    return found[0] if found else None
