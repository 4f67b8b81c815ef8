"""torchinfo 1.8.0: its mult-adds, and its forward/backward pass size in bytes.

It knows no layers: for every module without submodules it multiplies the parameters named weight
and bias by the positions of the output, if the class is called …Conv…, and by the batch otherwise
(torchinfo/layer_info.py:225). So a linear layer counts once a sample at however many positions, a
batch norm 2·C a sample, a transposed convolution at every output; what is called as a function has
no module. torchvision's LayerNorm2d, a module that calls F.layer_norm, is functional in specs.
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
    beyond_transposed,
    biased,
    macs,
    outputs,
    params_per_sample,
)
from convcalc.graph import Operation


def _positions(op: Operation) -> object:
    """The MACs of a linear layer at all positions but the first of every sample."""
    return macs(op) - op.inputs[0][0] * op.inputs[0][-1] * op.output_shape[-1]


def _bias_per_sample(op: Operation) -> object:
    return op.inputs[0][0] * op.output_shape[-1]


_MODULE_NORMS = "batch_norm group_norm instance_norm"
_ZERO = (
    f"{PRODUCTS} {NORMS} {ACTIVATIONS} {SOFTMAXES} {POOLS} {MERGES} {MOVES} "
    "local_response_norm mean scale upsample"
)
_OWN_MODULE = Rule("", "scale", called="module")
"""A factor with a module of its own counts if it is named weight, which no spec says."""

TORCHINFO = Convention(
    name="torchinfo",
    unit="MAC",
    version="torchinfo 1.8.0",
    evidence="measured",
    why="Parameters times positions for convolutions, parameters times batch for all other "
    "modules: norms count once a channel, and a linear layer once a sample.",
    rules=(
        Rule("convolution or linear as a function: not seen", PRODUCTS, -1, macs,
             called="function"),
        Rule("transposed convolution, at every output", "conv_transpose", 1, beyond_transposed,
             called="module"),
        Rule("bias of convolution, {n} per output", "conv conv_transpose", 1, outputs, biased,
             "module"),
        Rule("linear at further positions: not seen", "linear", -1, _positions, called="module"),
        Rule("bias of linear, {n} per feature", "linear", 1, _bias_per_sample, biased, "module"),
        Rule("{kinds}, {n} per parameter", _MODULE_NORMS, 1, params_per_sample, affine, "module"),
        Rule("{kinds}, {n} per parameter", "layer_norm", 1, params_per_sample, affine),
        Rule("{kinds}, {n} per parameter", "prelu", 1, params_per_sample, called="module"),
        _OWN_MODULE,
    ),
    zero=_ZERO,
)  # fmt: skip

TORCHINFO_OUTPUT_BYTES = Convention(
    name="torchinfo-output-bytes",
    unit="bytes",
    version="torchinfo 1.8.0",
    evidence="measured",
    why="Not operations: the outputs of modules with parameters, 4 bytes each, twice: once for "
    "gradients.",
    macs=0,
    rules=(
        # total_output_bytes, torchinfo/model_statistics.py:36
        Rule("outputs of convolutions, {n} bytes each", "conv conv_transpose", 8, outputs,
             called="module"),
        Rule("outputs of linear layers, {n} bytes each", "linear", 8, outputs, called="module"),
        Rule("outputs of {kinds}, {n} bytes each", _MODULE_NORMS, 8, outputs, affine, "module"),
        Rule("outputs of {kinds}, {n} bytes each", "layer_norm", 8, outputs, affine),
        Rule("outputs of {kinds}, {n} bytes each", "prelu", 8, outputs, called="module"),
        _OWN_MODULE,
    ),
    zero=_ZERO,
)  # fmt: skip
