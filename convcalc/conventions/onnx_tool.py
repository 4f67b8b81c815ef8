"""onnx-tool 1.0.1, onnx_tool/node.py, on what torch.onnx.export (opset 17) writes.

Element-wise nodes cost volume(output) · max(1, inputs − 1) · weight (PWNode :228); the weights are
add, multiply, compare 1, divide 4, sqrt 24, exp 32, log 43 (:19). A batch norm that the exporter
has folded into the convolution before it counts nothing; here none is folded. What the exporter
writes as several nodes with no one formula (GELU, SELU, Mish) is left open.
"""

from convcalc import arith
from convcalc.conventions.rules import (
    MOVES,
    PRODUCTS,
    Convention,
    Rule,
    biased,
    further_inputs,
    inputs,
    lrn_window,
    outputs,
    upsampling,
    window_elements,
)
from convcalc.graph import Operation


def _beyond_transposed(op: Operation) -> object:
    """ConvTransposeNode :2517: outputs · outputs per group · window, less the MACs."""
    taps = op.layer.weights(*op.inputs)["weight"].shape[1:]
    return outputs(op) * arith.product(taps) - op.cost.macs


def _rows(op: Operation) -> object:
    """The rows that a layer norm brings to mean 0 and variance 1, with a root each."""
    return op.cost.exps


def _one_axis(op: Operation) -> bool:
    return len(op.layer.axes) == 1  # type: ignore[attr-defined]


def _more_axes(op: Operation) -> bool:
    return not _one_axis(op)


def _flat(op: Operation) -> bool:
    """Over one or two spatial axes; PoolBase :1229 forgets two of three."""
    return len(op.inputs[0]) < 5


def _solid(op: Operation) -> bool:
    return not _flat(op)


def _to_one(op: Operation) -> bool:
    """To one output per channel: GlobalAveragePoolNode :1344."""
    return all(size == 1 for size in op.output_shape[2:])


_GLOBAL = "adaptive_avg_pool global_avg_pool"

ONNX_TOOL = Convention(
    name="onnx-tool",
    unit="MAC",
    version="onnx-tool 1.0.1",
    evidence="read, not measured",
    why="Every element-wise node counts, by weights: a division is 4, an exp 32, a batch norm 31. "
    "Batch norms that the exporter folds into convolutions would count nothing.",
    rules=(
        Rule("bias, {n} per output", PRODUCTS, 1, outputs, biased),
        Rule("transposed convolution, at every output", "conv_transpose", 1,
             _beyond_transposed),
        # BatchNormalizationNode :1463: add 1, sqrt 24, divide 4, add 1, multiply 1
        Rule("{kinds}, {n} per element", "batch_norm", 31, inputs),
        # InstanceNormalizationNode :431, three inputs; a group norm is reshaped, scaled, shifted
        Rule("{kinds}, {n} per element", "instance_norm", 14, inputs),
        Rule("{kinds}, {n} per element", "group_norm", 16, inputs),
        # LayerNormalizationNode :2355
        Rule("layer norm, {n} per element", "layer_norm", 7, inputs, _one_axis),
        Rule("layer norm, {n} per row", "layer_norm", 29, _rows, _one_axis),
        Rule("", "layer_norm", where=_more_axes),
        # LRNNode :698
        Rule("local response norm, {n} per element", "local_response_norm", 37, inputs),
        Rule("its window, {n} per element", "local_response_norm", 1, lrn_window),
        Rule("{kinds}, {n} per element", "abs relu", 1, inputs),
        # ClipNode :922, two compares for each of two bounds
        Rule("{kinds}, {n} per element", "hard_tanh relu6", 4, inputs),
        Rule("{kinds}, {n} per element", "leaky_relu prelu", 2, inputs),
        Rule("{kinds}, {n} per element", "elu", 35, inputs),
        Rule("{kinds}, {n} per element", "sigmoid", 32, inputs),
        Rule("{kinds}, {n} per element", "silu", 33, inputs),
        Rule("{kinds}, {n} per element", "hard_sigmoid", 4, inputs),
        Rule("{kinds}, {n} per element", "hard_swish", 5, inputs),
        Rule("{kinds}, {n} per element", "softplus tanh", 76, inputs),
        Rule("{kinds}, {n} per element", "softmax", 36, inputs),
        Rule("{kinds}, {n} per element", "log_softmax", 80, inputs),
        Rule("pooling, {n} per window element", "avg_pool max_pool", 1, window_elements, _flat),
        Rule("", "avg_pool max_pool", where=_solid),
        # what divides the input into a grid is an AveragePool
        Rule("average pooling, {n} per input element", _GLOBAL, 1, inputs),
        Rule("global pooling, {n} per output", _GLOBAL, 4, outputs, _to_one),
        Rule("{kinds}, {n} per input element", "mean", 1, inputs),
        Rule("{kinds}, {n} per output and further input",
             "add maximum minimum multiply subtract", 1, further_inputs),
        Rule("{kinds}, {n} per output", "divide", 4, further_inputs),
        Rule("{kinds}, {n} per element", "scale", 1, inputs),
        # ResizeNode :1179
        Rule("linear upsampling, {n} per output", "upsample", 4, outputs,
             upsampling("linear", 1, 2, 3)),
        Rule("cubic upsampling, {n} per output", "upsample", 8, outputs,
             upsampling("cubic", 1, 2, 3)),
    ),
    zero=f"{PRODUCTS} {MOVES} upsample",
)  # fmt: skip
