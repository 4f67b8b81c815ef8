"""Networks as ONNX models, and the check that ONNX sees the shapes that convcalc sees.

Operators are those of opset 17 (IR version 8), which ONNX Runtime reads from 1.12 on: the first
with layer norm as an operator; all else that is newer can be written with several. Numbers are
float32. Nodes, their outputs and weights are called by the paths of the layers; of a layer that is
written with several operators, the last one is. The first axis of an input is the batch that the
network has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy

import convcalc
from convcalc.errors import ConvcalcError
from convcalc.execution.backends import available_bytes
from convcalc.execution.executor import weight_shapes
from convcalc.graph import Graph, Node
from convcalc.interchange.libraries import not_installed
from convcalc.interchange.onnx_layers import EXPORTERS, OPSET, Writer
from convcalc.layer import show_shape

try:
    import onnx
except ImportError:
    raise not_installed("onnx") from None

MAX_BYTES = 2_000_000_000
"""Of all weights: a protobuf message holds less than 2³¹ bytes, and the nodes need some."""

_COPIES = 4
"""Of the weights: arrays, the model, its bytes, and what ONNX reads to check it."""

_FLOAT = onnx.TensorProto.FLOAT


def onnx_model(
    graph: Graph, weights: Mapping[str, Any], outputs: Sequence[Node] | None = None
) -> Any:
    """A network and its weights as an `onnx.ModelProto`.

    Args:
        graph: the network, with numbers for all sizes.
        weights: a float32 array for every weight, by its path; shared ones once.
        outputs: the layers whose outputs the model gives; those of the network if none are given.

    Raises:
        ConvcalcError: the weights take more than an ONNX file can hold; a layer cannot be written;
            or ONNX infers another shape for a layer's output than convcalc computes.
    """
    check_size(graph)
    due = weight_shapes(graph)
    nodes: list[Any] = []
    constants: list[Any] = []
    for node in graph.nodes:
        nodes += _written(node, constants)
    inputs = [_value(node.path, node.shape) for node in graph.inputs]
    given = graph.outputs if outputs is None else outputs
    body = onnx.helper.make_graph(
        nodes, graph.title or "network", inputs, [_value(n.path, n.shape) for n in given],
        initializer=constants,
    )  # fmt: skip
    _check_shapes(graph, body, due)
    shown = set(given)
    body.value_info.extend(_value(n.path, n.shape) for n in graph.nodes if n not in shown)
    for path in due:
        body.initializer.append(
            onnx.numpy_helper.from_array(numpy.asarray(weights[path], "float32"), path)
        )
    return _model(body)


def check_size(graph: Graph) -> None:
    """Raise where the weights are more than an ONNX file can hold, or than memory can.

    Raises:
        ConvcalcError: they are.
    """
    total = 4 * sum(prod(shape) for shape in weight_shapes(graph).values())
    if total > MAX_BYTES:
        raise ConvcalcError(
            f"the weights take {total / 1e9:,.1f} GB as float32, and an ONNX file holds "
            f"{MAX_BYTES / 1e9:,.0f} GB"
        )
    needed, free = _COPIES * total, available_bytes()
    if free is not None and needed > free:
        raise ConvcalcError(
            f"export: it needs about {needed / 1e9:,.2f} GB of memory, and {free / 1e9:,.2f} GB "
            "are free"
        )


def save(model: Any, path: str) -> None:
    """Write a model to a file, and let ONNX check what was written.

    Raises:
        ConvcalcError: ONNX finds it wrong.
    """
    with open(path, "wb") as file:
        file.write(model.SerializeToString())
    try:
        onnx.checker.check_model(path, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ConvcalcError(f"ONNX refuses the model: {error}") from None


def _written(node: Node, constants: list[Any]) -> list[Any]:
    """The operators of a layer."""
    writer = Writer(node, constants)
    try:
        if node.kind not in EXPORTERS:
            raise ConvcalcError(f"{node.kind} cannot be written to ONNX")
        return writer.finished(EXPORTERS[node.kind](writer))
    except ConvcalcError as error:
        raise error.located(path=node.path) from None


def _value(path: str, shape: Any) -> Any:
    return onnx.helper.make_tensor_value_info(path, _FLOAT, shape)


def _model(body: Any) -> Any:
    return onnx.helper.make_model(
        body,
        producer_name="convcalc",
        producer_version=convcalc.__version__,
        opset_imports=[onnx.helper.make_opsetid("", OPSET)],
        ir_version=8,
    )


def _check_shapes(graph: Graph, body: Any, weights: Mapping[str, Any]) -> None:
    """Raise unless ONNX infers, for every layer, the output shape that convcalc computes.

    The weights are inputs here: their numbers change no shape, and would be copied.
    """
    bare = onnx.GraphProto()
    bare.CopyFrom(body)
    bare.input.extend(_value(path, shape) for path, shape in weights.items())
    del bare.output[:]
    bare.output.extend(onnx.ValueInfoProto(name=value.name) for value in body.output)
    try:
        inferred = onnx.shape_inference.infer_shapes(
            _model(bare), check_type=True, strict_mode=True, data_prop=True
        )
    except onnx.shape_inference.InferenceError as error:
        raise ConvcalcError(f"ONNX infers no shapes for the model: {error}") from None
    found = {
        value.name: tuple(
            size.dim_value if size.HasField("dim_value") else None
            for size in value.type.tensor_type.shape.dim
        )
        for value in (*inferred.graph.value_info, *inferred.graph.output)
    }
    for node in graph.nodes:
        if found.get(node.path) != node.shape:
            seen: Any = found.get(node.path, ())
            raise ConvcalcError(
                f"the output has the shape {show_shape(node.shape)}, and ONNX infers "
                f"{show_shape(seen)} for the {node.kind} as it is written"
            ).located(path=node.path)
