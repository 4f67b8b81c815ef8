"""thop, or pytorch-OpCounter, version 0.1.1.post2209072238.

Hooks on modules of the very types in `register_hooks`, thop/profile.py:21; the formulas are in
thop/vision/basic_hooks.py and calc_func.py. A function has no hook and counts 0. So does a module
of a derived type, which no spec knows unless it marks it as functional: ConvNeXt's LayerNorm2d is
marked; the Conv3DSimple of torchvision's R3D-18 is not, and thop misses those convolutions.

An adaptive average pooling is computed in floating point, as ⌊(Π input/output + 1)·outputs⌋, which
may be one less than the inputs and outputs that it is exactly; the bridge says so. Symbolic figures
are exact.
"""

import math
from typing import Any

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
    beyond_transposed,
    inputs,
    macs,
    outputs,
    plain,
    upsampling,
)
from convcalc.dim import Dim
from convcalc.graph import Operation


def _inputs_and_outputs(op: Operation) -> Any:
    return inputs(op) + outputs(op)


def _lost_to_rounding(op: Operation) -> Any:
    """What count_adap_avgpool loses where input/output is no double; 0 for symbolic sizes."""
    x, y = op.inputs[0], op.output_shape
    if any(isinstance(size, Dim) for size in (*x, *y)):
        return 0
    kernel = math.prod(n / m for n, m in zip(x[2:], y[2:], strict=True))
    return _inputs_and_outputs(op) - int((kernel + 1) * outputs(op))


def _softmax(op: Operation) -> object:
    """3n − 1 for a row of n elements: n exps, n − 1 adds, n divisions."""
    return 2 * inputs(op) + op.cost.compares  # the layer compares n − 1 times a row


_NORMS = "batch_norm instance_norm layer_norm"

THOP = Convention(
    name="thop",
    unit="MAC",
    version="thop 0.1.1.post2209072238",
    evidence="measured",
    why="Hooks on modules: what the source calls as a function is not seen. Norms and average "
    "pooling are added; bias, activations and max pooling are not.",
    rules=(
        Rule("convolution or linear as a function: not seen", PRODUCTS, -1, macs,
             called="function"),
        # calculate_conv2d_flops, calc_func.py:28
        Rule(
            "transposed convolution, at every output", "conv_transpose", 1, beyond_transposed,
            called="module",
        ),
        # count_normalization, basic_hooks.py:60
        Rule("{kinds}, {n} per element", _NORMS, 4, inputs, affine, "module"),
        Rule("{kinds} without affine, {n} per element", _NORMS, 2, inputs, plain, "module"),
        # count_adap_avgpool, basic_hooks.py:114
        Rule("pooling", "adaptive_avg_pool global_avg_pool", 1, _inputs_and_outputs,
             called="module"),
        Rule("pooling: lost to rounding", "adaptive_avg_pool", -1, _lost_to_rounding,
             called="module"),
        # count_avgpool, basic_hooks.py:106
        Rule("average pooling, {n} per output", "avg_pool", 1, outputs, called="module"),
        # count_prelu, basic_hooks.py:82
        Rule("{kinds}, {n} per element", "prelu", 1, inputs, called="module"),
        # count_softmax, basic_hooks.py:98
        Rule("softmax, 3·n − 1 for n elements", "softmax", 1, _softmax, called="module"),
        # calculate_upsample, calc_func.py:75; trilinear is 0, with a warning (basic_hooks.py:125)
        Rule("nearest upsampling, {n} per output", "upsample", 1, outputs,
             upsampling("nearest", 1, 2, 3), "module"),
        Rule("linear upsampling, {n} per output", "upsample", 5, outputs,
             upsampling("linear", 1), "module"),
        Rule("bilinear upsampling, {n} per output", "upsample", 11, outputs,
             upsampling("linear", 2), "module"),
        Rule("bicubic upsampling, {n} per output", "upsample", 259, outputs,
             upsampling("cubic", 2), "module"),
        # PyTorch has cubic interpolation over two axes only
        Rule("", "upsample", where=upsampling("cubic", 1, 3), called="module"),
    ),
    zero=f"{PRODUCTS} {NORMS} {ACTIVATIONS} {SOFTMAXES} {POOLS} {MERGES} {MOVES} "
    "local_response_norm mean scale upsample",
)  # fmt: skip
