"""Conventions by definition: the multiply–accumulates, twice that, and every operation."""

from convcalc.conventions.rules import ALL, Convention, Rule
from convcalc.graph import Operation


def _other_multiplies(op: Operation) -> object:
    return op.cost.multiplies - op.cost.macs


MACS = Convention(
    name="macs",
    unit="MAC",
    version="convcalc",
    evidence="defined",
    why="Multiply–accumulates of convolution and linear layers: no bias, norm or activation.",
    zero=ALL,
)

FLOPS = Convention(
    name="flops",
    unit="FLOP",
    version="convcalc",
    evidence="defined",
    why="A multiplication and an addition for every multiply–accumulate, and nothing else.",
    macs=2,
    zero=ALL,
)

EXACT = Convention(
    name="exact",
    unit="operations",
    version="convcalc",
    evidence="defined",
    why="Every operation of every layer, each as one. A multiply–accumulate is a multiplication, "
    "which is in the first term, and an addition, which is among the adds.",
    rules=(
        Rule("other multiplies", ALL, 1, _other_multiplies),
        Rule("adds", ALL, 1, lambda op: op.cost.adds),
        Rule("compares", ALL, 1, lambda op: op.cost.compares),
        Rule("divides", ALL, 1, lambda op: op.cost.divides),
        Rule("exps", ALL, 1, lambda op: op.cost.exps),
    ),
)
