"""fvcore's FlopCountAnalysis and ActivationCountAnalysis, version 0.1.5.post20221221.

They trace the network and count aten's operators, so module and function are the same; an
operator without a handle counts 0, with a warning. Handles: fvcore/nn/flop_count.py:26 and
fvcore/nn/activation_count.py:15; the formulas are in fvcore/nn/jit_handles.py.

The average over the spatial axes is counted where it is adaptive_avg_pool2d. Where a network's
source takes `x.mean([2, 3])`, the spec says `mean`, which has no handle.
"""

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
    inputs,
    outputs,
    plain,
    upsampling,
)
from convcalc.graph import Operation


def _planar(op: Operation) -> bool:
    """Over two spatial axes: adaptive_avg_pool1d and 3d have no handle."""
    return len(op.inputs[0]) == 4


_VERSION = "fvcore 0.1.5.post20221221"
_OTHERS = "group_norm instance_norm layer_norm"

FVCORE = Convention(
    name="fvcore",
    unit="MAC",
    version=_VERSION,
    evidence="measured",
    why="It prints multiply–accumulates as flops; norms and adaptive average pooling are added.",
    rules=(
        # batchnorm_flop_jit, jit_handles.py:251
        Rule("{kinds}, {n} per element", "batch_norm", 2, inputs, affine),
        Rule("{kinds} without affine, {n} per element", "batch_norm", 1, inputs, plain),
        # norm_flop_counter, jit_handles.py:230
        Rule("{kinds}, {n} per element", _OTHERS, 5, inputs, affine),
        Rule("{kinds} without affine, {n} per element", _OTHERS, 4, inputs, plain),
        # elementwise_flop_counter, jit_handles.py:261
        Rule(
            "adaptive pooling, {n} per input element", "adaptive_avg_pool global_avg_pool", 1,
            inputs, _planar,
        ),
        Rule("upsampling, {n} per output", "upsample", 1, outputs, upsampling("nearest", 2)),
        Rule("bilinear upsampling, {n} per output", "upsample", 4, outputs,
             upsampling("linear", 2)),
    ),
    zero=f"{PRODUCTS} {ACTIVATIONS} {SOFTMAXES} {POOLS} {MERGES} {MOVES} "
    "local_response_norm mean scale upsample",
)  # fmt: skip

FVCORE_ACTIVATIONS = Convention(
    name="fvcore-activations",
    unit="elements",
    version=_VERSION,
    evidence="measured",
    why="Not operations: the outputs of convolutions and linear layers.",
    macs=0,
    rules=(
        # generic_activation_jit, jit_handles.py:52
        Rule("outputs of convolutions", "conv conv_transpose", 1, outputs),
        Rule("outputs of linear layers", "linear", 1, outputs),
    ),
    zero=f"{NORMS} {ACTIVATIONS} {SOFTMAXES} {POOLS} {MERGES} {MOVES} "
    "local_response_norm mean scale upsample",
)
