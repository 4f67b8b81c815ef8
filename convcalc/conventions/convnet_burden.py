"""convnet-burden (albanie), computeFlops in core/burden.m at 42f03d3.

It runs a MatConvNet model and adds up its layers; one that it does not know stops it.
"""

from convcalc import arith
from convcalc.conventions.rules import (
    PRODUCTS,
    Convention,
    Rule,
    biased,
    outputs,
)
from convcalc.graph import Operation


def _stepped(op: Operation) -> object:
    """Outputs · Π strides."""
    found = op.layer.window(*op.inputs) or ()
    return outputs(op) * arith.product(w.stride for w in found)  # type: ignore[attr-defined]


def _common_factors(op: Operation) -> object:
    """(2 + 2·channels) · positions, in normFactors."""
    _, channels, *sizes = op.output_shape
    return (2 + 2 * channels) * arith.product(sizes)


CONVNET_BURDEN = Convention(
    name="convnet-burden",
    unit="FLOP",
    version="convnet-burden at 42f03d3",
    evidence="read, not measured",
    why="A fused multiply–add is one FLOP; a batch norm is taken to be merged and is none.",
    rules=(
        Rule("bias, {n} per output", PRODUCTS, 1, outputs, biased),
        Rule("{kinds}, {n} per output", "relu", 2, outputs),
        Rule("pooling, {n} per output and step of the stride", "avg_pool max_pool", 2, _stepped),
        Rule("{kinds}, {n} per output", "add maximum", 1, outputs),
        Rule("local response norm, {n} per output", "local_response_norm", 1, outputs),
        Rule("its common factors", "local_response_norm", 1, _common_factors),
    ),
    zero=f"{PRODUCTS} batch_norm concat crop dropout flatten permute reshape softmax",
)
