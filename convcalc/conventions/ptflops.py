"""ptflops 0.7.5, with its two backends.

`ptflops`, backend pytorch: hooks on modules of the very types in MODULES_MAPPING,
ptflops/pytorch_ops.py:271, whose sum is divided by the batch (pytorch_engine.py:199); and patches
of functions, FUNCTIONAL_MAPPING :422, which are not divided (:91). A module that calls a patched
function, as nn.ReLU does, counts in both. nn.ReLU6 calls F.hardtanh, and F.linear and the
convolutions are not patched. Only calls by the names torch.add, Tensor.mul … are seen
(TENSOR_OPS_MAPPING :453): the operators + and ·, which networks use, are not. Modules of derived
types are missed, as by thop.

Upsampling's hook takes the first sample for the batch (:21), and one of a fractional scale counts
input·scale^d (:351) instead of the outputs, which is the same where that is whole.

`ptflops-aten`, backend aten: the calls of six of aten's operators, ptflops/aten_ops.py:109, module
or function alike, for the whole batch. A linear layer over more than one axis comes with its bias
as one of them where its input is contiguous in memory, and without where it is not, as right after
a permute. No spec knows that: the bias is counted.
"""

from collections.abc import Callable
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
    biased,
    inputs,
    lrn_pooled,
    macs,
    outputs,
    plain,
)
from convcalc.graph import Operation


def _outputs_of_a_sample(op: Operation) -> object:
    return outputs(op) // op.inputs[0][0]


def _hook(
    label: str,
    kinds: str,
    n: int,
    of: Callable[[Operation], Any],
    where: Callable[[Operation], bool] | None = None,
) -> Rule:
    return Rule(label, kinds, n, of, where, "module", averaged=True)


_AFFINE_NORMS = "batch_norm group_norm instance_norm"

PTFLOPS = Convention(
    name="ptflops",
    unit="MAC",
    version="ptflops 0.7.5, backend pytorch",
    evidence="measured",
    why="Hooks on modules, and patches of the functions that they call: many layers count twice. "
    "Bias, norms, ReLUs and all pooling are added.",
    rules=(
        Rule("convolution or linear as a function: not seen", PRODUCTS, -1, macs,
             called="function", averaged=True),
        # conv_flops_counter_hook :60, linear_flops_counter_hook :35
        _hook("bias, {n} per output", PRODUCTS, 1, outputs, biased),
        # bn_flops_counter_hook :51, which does not know a layer norm's elementwise_affine
        _hook("{kinds}, {n} per element", _AFFINE_NORMS, 2, inputs, affine),
        _hook("{kinds} without affine, {n} per element", _AFFINE_NORMS, 1, inputs, plain),
        _hook("{kinds}, {n} per element", "layer_norm", 1, inputs),
        # relu_flops_counter_hook :30, pool_flops_counter_hook :46
        _hook("{kinds} as a module, {n} per element", "elu gelu leaky_relu prelu relu relu6", 1,
              inputs),
        _hook("pooling as a module, {n} per input element", POOLS, 1, inputs),
        _hook("upsampling as a module, {n} per output of one sample", "upsample", 1,
              _outputs_of_a_sample),
        # _numel_functional_flops_hook :347, _interpolate_functional_flops_hook :351
        Rule("F.{kinds}, {n} per element", "elu gelu prelu relu silu", 1, inputs),
        Rule("F.{kinds}, {n} per element", "relu6", 1, inputs, called="function"),
        Rule("pooling functions, {n} per input element", POOLS, 1, inputs),
        Rule("F.interpolate, {n} per output", "upsample", 1, outputs),
        Rule("F.{kinds}, {n} per element", "softmax", 1, inputs),
        # F.local_response_norm calls Tensor.mul twice, Tensor.add and an average pooling
        Rule("local response norm, {n} per element", "local_response_norm", 3, inputs),
        Rule("the pooling in it, {n} per input element", "local_response_norm", 1, lrn_pooled),
    ),
    zero=f"{PRODUCTS} {NORMS} {ACTIVATIONS} {SOFTMAXES} {MERGES} {MOVES} mean scale",
    averaged=True,
)  # fmt: skip

PTFLOPS_ATEN = Convention(
    name="ptflops-aten",
    unit="MAC",
    version="ptflops 0.7.5, backend aten",
    evidence="measured",
    why="Matrix products and convolutions only, with one addition per output for a bias.",
    rules=(
        # conv_flop_count, aten_ops.py:71; addmm_flop :36, as which linear arrives with a bias
        Rule("bias, {n} per output", PRODUCTS, 1, outputs, biased),
    ),
    zero=f"{PRODUCTS} {NORMS} {ACTIVATIONS} {SOFTMAXES} {POOLS} {MERGES} {MOVES} "
    "local_response_norm mean scale upsample",
)
