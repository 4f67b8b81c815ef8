"""calflops 0.3.2: its FLOPs and its MACs.

It patches functions, calflops/pytorch_ops.py:452, which modules call as well: module and function
are the same, but for nn.ReLU6, which calls F.hardtanh. As in ptflops, + and · are not seen.

Its transposed convolution (:128) divides the outputs by the groups twice, and adds the bias at as
many positions as the *convolution* of that kernel would have. Upsampling (:229) counts its input
if it has a scale, whose power is computed and dropped, and one sample's positions if it has a size.
"""

from typing import Any

from convcalc import arith
from convcalc.conventions.rules import (
    ACTIVATIONS,
    MERGES,
    MOVES,
    NORMS,
    POOLS,
    PRODUCTS,
    SOFTMAXES,
    Convention,
    Rule,
    affine,
    biased,
    inputs,
    lrn_pooled,
    outputs,
    plain,
)
from convcalc.graph import Operation
from convcalc.layer import windows
from convcalc.layers.conv_transpose import ConvTranspose
from convcalc.view import Window


def _missing_groups(op: Operation) -> Any:
    """The MACs that dividing the outputs of a transposed convolution by the groups twice loses."""
    layer, x = _transposed(op), op.inputs[0]
    own = layer.out_channels // layer.groups
    taps = arith.product(w.kernel for w in _windows(op))
    return arith.product(x) * taps * (own - own // layer.groups)


def _transposed_bias(op: Operation) -> Any:
    layer, x = _transposed(op), op.inputs[0]
    positions = arith.product(
        arith.window_out(n, w.kernel, w.stride, 2 * w.before, w.dilation)
        for n, w in zip(x[2:], _windows(op), strict=True)
    )
    return x[0] * (layer.out_channels // layer.groups) * positions


def _transposed(op: Operation) -> ConvTranspose:
    assert isinstance(op.layer, ConvTranspose)
    return op.layer


def _windows(op: Operation) -> tuple[Window, ...]:
    """The windows of the convolution that a transposed one transposes."""
    layer = _transposed(op)
    return windows(op.inputs[0][2:], layer.kernel, layer.stride, layer.padding, layer.dilation)


def positions(op: Operation) -> object:
    """The output positions of one channel of one sample."""
    return arith.product(op.output_shape[2:])


def scaled(op: Operation) -> bool:
    """Upsampling by a factor."""
    return op.layer.scale is not None  # type: ignore[attr-defined]


def sized(op: Operation) -> bool:
    """Upsampling to a size."""
    return not scaled(op)


_VERSION = "calflops 0.3.2"
_OTHERS = "group_norm instance_norm layer_norm"

FUNCTIONS = (
    # _conv_flops_compute :83; the bias of a linear layer is not counted (:37)
    Rule("bias of convolution, {n} per output", "conv", 1, outputs, biased),
    Rule("transposed convolution: groups too few", "conv_transpose", -2, _missing_groups),
    Rule("bias of transposed convolution", "conv_transpose", 1, _transposed_bias, biased),
    # _batch_norm_flops_compute :174 to _instance_norm_flops_compute :214
    Rule("{kinds}, {n} per element", "batch_norm", 2, inputs, affine),
    Rule("{kinds} without affine, {n} per element", "batch_norm", 1, inputs, plain),
    Rule("{kinds}, {n} per element", _OTHERS, 5, inputs, affine),
    Rule("{kinds} without affine, {n} per element", _OTHERS, 4, inputs, plain),
    # _relu_flops_compute :43 to _gelu_flops_compute :67
    Rule("{kinds}, {n} per element", "elu gelu leaky_relu prelu relu silu", 1, inputs),
    Rule("{kinds} as a function, {n} per element", "relu6", 1, inputs, called="function"),
    # _pool_flops_compute :71, _softmax_flops_compute :254
    Rule("pooling, {n} per input element", POOLS, 1, inputs),
    Rule("{kinds}, {n} per element", "softmax", 1, inputs),
    # F.local_response_norm calls Tensor.mul twice, Tensor.add and an average pooling
    Rule("local response norm, {n} per element", "local_response_norm", 3, inputs),
    Rule("the pooling in it, {n} per input element", "local_response_norm", 1, lrn_pooled),
)
"""What calflops has in common with DeepSpeed's profiler, whose fork it is."""

ZERO = f"{PRODUCTS} {ACTIVATIONS} {SOFTMAXES} {MERGES} {MOVES} mean scale"

CALFLOPS = Convention(
    name="calflops",
    unit="FLOP",
    version=_VERSION,
    evidence="measured",
    why="A multiply–accumulate is 2; the bias of convolutions, norms, ReLUs and all pooling are "
    "added, once per element or more.",
    macs=2,
    rules=(
        *FUNCTIONS,
        Rule("upsampling by a factor, {n} per input element", "upsample", 1, inputs, scaled),
        Rule("upsampling to a size, {n} per position", "upsample", 1, positions, sized),
    ),
    zero=ZERO,
)

CALFLOPS_MACS = Convention(
    name="calflops-macs",
    unit="MAC",
    version=_VERSION,
    evidence="measured",
    why="Multiply–accumulates of convolution and linear layers, and nothing else.",
    rules=(
        Rule("transposed convolution: groups too few", "conv_transpose", -1, _missing_groups),
    ),
    zero=f"{PRODUCTS} {NORMS} {ACTIVATIONS} {SOFTMAXES} {POOLS} {MERGES} {MOVES} "
    "local_response_norm mean scale upsample",
)  # fmt: skip
