"""Networks run by ONNX Runtime, through their ONNX model in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from convcalc.errors import ConvcalcError
from convcalc.graph import Graph, Node
from convcalc.interchange.libraries import not_installed
from convcalc.interchange.onnx_model import onnx_model

try:
    import onnxruntime
except ImportError:
    raise not_installed("onnxruntime") from None


def session(model: Any) -> Any:
    """An `onnxruntime.InferenceSession` of a model on the CPU."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what goes wrong is raised, and need not be printed as well
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def onnx_outputs(
    graph: Graph, weights: Mapping[str, Any], inputs: Mapping[str, Any], nodes: Iterable[Node]
) -> dict[str, Any]:
    """The outputs of some layers, by their paths; see `onnx_model` for the arguments.

    Raises:
        ConvcalcError: the model cannot be made, or ONNX Runtime does not run it.
    """
    nodes = list(nodes)
    model = onnx_model(graph, weights, nodes)
    given = {node.path: inputs[node.path] for node in graph.inputs}
    try:
        found = session(model).run([node.path for node in nodes], given)
    except Exception as error:  # its errors have nothing else in common
        raise ConvcalcError(f"ONNX Runtime does not run the network: {error}") from None
    return {node.path: y for node, y in zip(nodes, found, strict=True)}
