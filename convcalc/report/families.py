"""Families of layers and their colours, by which plots and drawings tell layers apart."""

from __future__ import annotations

from typing import NamedTuple

from convcalc.graph import Node


class Family(NamedTuple):
    """A name for a legend and a colour, `#rrggbb`."""

    name: str
    colour: str

    @property
    def tint(self) -> str:
        """The colour thinned with white, a third of it left: a ground for black text."""
        parts = (int(self.colour[i : i + 2], 16) for i in (1, 3, 5))
        return "#" + "".join(f"{255 - (255 - part) * 35 // 100:02x}" for part in parts)


# the colours of Okabe and Ito 2008, "Color Universal Design", told apart by all kinds of sight
CONVOLUTION = Family("convolution", "#0072b2")
LINEAR = Family("linear", "#d55e00")
POOLING = Family("pooling", "#009e73")
NORMALIZATION = Family("normalization", "#e69f00")
ACTIVATION = Family("activation", "#56b4e9")
MERGE = Family("merge", "#cc79a7")
OTHER = Family("other layers", "#999999")
MODULE = Family("block", "#5b6b8c")
INPUT = Family("input", "#b8b8b8")

_BY_FILE = {
    "conv": CONVOLUTION, "conv_transpose": CONVOLUTION, "separable_conv": CONVOLUTION,
    "linear": LINEAR, "pool": POOLING, "adaptive_pool": POOLING, "norm": NORMALIZATION,
    "activation": ACTIVATION, "softmax": ACTIVATION, "merge": MERGE,
}  # fmt: skip


def family(node: Node) -> Family:
    """The family of a layer, by the file of `convcalc/layers` that defines it."""
    if node.operation is None:
        return INPUT
    return _BY_FILE.get(type(node.op.layer).__module__.rpartition(".")[2], OTHER)
