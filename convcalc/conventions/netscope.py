"""Netscope CNN Analyzer (dgschwend), src/analyzer.coffee at 1f687cb.

It reads Caffe's prototxt and keeps macc, comp, add, div and exp apart; here they are added up, a
macc as one. A layer that it does not know stops it. The groups of a convolution are ignored. It
rounds the sizes after a pooling up, whatever the network does; the figure here is for the sizes
that the network has.
"""

from convcalc import arith
from convcalc.conventions.rules import (
    PRODUCTS,
    Convention,
    Rule,
    inputs,
    lrn_window,
    macs,
    outputs,
    window_elements,
)
from convcalc.graph import Operation
from convcalc.layer import windows
from convcalc.layers.conv_transpose import ConvTranspose


def _ignored_groups(op: Operation) -> object:
    return macs(op) * (op.layer.groups - 1)  # type: ignore[attr-defined]


def _deconvolution(op: Operation) -> object:
    """Inputs · outputs · Π kernel/stride, rounded down, over a channel each; less the MACs."""
    layer, x = op.layer, op.inputs[0]
    assert isinstance(layer, ConvTranspose)
    found = windows(x[2:], layer.kernel, layer.stride, layer.padding, layer.dilation)
    taps = x[1] * outputs(op) * arith.product(w.kernel for w in found)
    return taps // arith.product(w.stride for w in found) - macs(op)


NETSCOPE = Convention(
    name="netscope",
    unit="operations",
    version="Netscope CNN Analyzer at 1f687cb",
    evidence="read, not measured",
    why="All kinds of operations added up, a multiply–accumulate as one; groups are ignored.",
    rules=(
        Rule("groups ignored", "conv", 1, _ignored_groups),
        Rule("transposed convolution, by its outputs", "conv_transpose", 1, _deconvolution),
        Rule("{kinds}, {n} per element", "batch_norm", 2, inputs),
        Rule("{kinds}, {n} per element", "dropout relu", 1, inputs),
        Rule("pooling, {n} per window element", "avg_pool max_pool", 1, window_elements),
        Rule("global pooling, {n} per input element", "global_avg_pool global_max_pool", 1, inputs),
        Rule("{kinds}, {n} per output", "add maximum multiply subtract", 1, outputs),
        Rule("{kinds}, {n} per element", "scale", 1, inputs),
        Rule("{kinds}, {n} per element", "softmax", 3, inputs),
        Rule("local response norm, {n} per element", "local_response_norm", 4, inputs),
        Rule("its window, {n} per element", "local_response_norm", 1, lrn_window),
    ),
    zero=f"{PRODUCTS} concat crop flatten permute reshape",
)
