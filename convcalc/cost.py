"""What a layer costs: operations by kind, and the conventions that fold them to one number."""

from __future__ import annotations

from typing import Any, NamedTuple

from convcalc.dim import Size


class Cost(NamedTuple):
    """Operations by kind for one run, each an int or a Dim.

    `macs` are the multiply–accumulates of convolutions and linear layers: no bias, norm or
    activation. The other kinds count every operation of the layer, those of the macs included:
    a sum of k products and a bias is k multiplies, k − 1 adds and 1 more add. `exps` are the
    transcendental functions: exp, log, tanh, erf, powers and roots.
    """

    macs: Size = 0
    multiplies: Size = 0
    adds: Size = 0
    compares: Size = 0
    divides: Size = 0
    exps: Size = 0

    @property
    def flops(self) -> Any:
        """2·macs: one multiplication and one addition each."""
        return 2 * self.macs


KINDS = Cost._fields


def dot_products(count: Any, length: Any, bias: bool) -> Cost:
    """`count` dot products of `length` factors, each with a bias added or not."""
    macs = count * length
    return Cost(macs=macs, multiplies=macs, adds=macs - count + (count if bias else 0))


def per_element(count: Any, **kinds: Size) -> Cost:
    """So many operations of each kind for each of `count` elements."""
    return Cost(**{kind: count * times for kind, times in kinds.items()})
