"""Activations: one element in, one element out."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

from convcalc import arith
from convcalc.arrays import Array, along, erf, weight
from convcalc.cost import Cost, per_element
from convcalc.fields import Boolean, Number
from convcalc.layer import Layer, Shape, Weight


@dataclass(frozen=True, kw_only=True)
class Activation(Layer):
    """A function of each element; `each` is what one element costs."""

    each: ClassVar[Cost]
    is_elementwise = True
    shares_storage = True

    def output_shape(self, x: Shape) -> Shape:
        return x

    def cost(self, x: Shape) -> Cost:
        return per_element(arith.product(x), **self.each._asdict())

    def forward(self, xp: Any, inputs: tuple[Array, ...], weights: Mapping[str, Array]) -> Array:
        return self.function(xp, inputs[0])

    def function(self, xp: Any, x: Array) -> Array:
        """The activation of every element."""
        raise NotImplementedError


class ReLU(Activation, name="relu"):
    """max(0, x): one comparison per element. Source: Nair and Hinton 2010."""

    each = Cost(compares=1)
    example = "relu"

    def function(self, xp: Any, x: Array) -> Array:
        return xp.maximum(x, 0)


class ReLU6(Activation, name="relu6"):
    """min(max(0, x), 6): two comparisons per element. Source: Krizhevsky 2010."""

    each = Cost(compares=2)
    example = "relu6"

    def function(self, xp: Any, x: Array) -> Array:
        return xp.clip(x, 0, 6)


class Sigmoid(Activation, name="sigmoid"):
    """1 / (1 + exp(−x)): an exp, an add and a division per element."""

    each = Cost(exps=1, adds=1, divides=1)
    example = "sigmoid"

    def function(self, xp: Any, x: Array) -> Array:
        return sigmoid(xp, x)


class Tanh(Activation, name="tanh"):
    """tanh(x): one transcendental function per element."""

    each = Cost(exps=1)
    example = "tanh"

    def function(self, xp: Any, x: Array) -> Array:
        return xp.tanh(x)


class GELU(Activation, name="gelu"):
    """x/2 · (1 + erf(x/√2)): three multiplies, an add and an erf per element.

    Source: Hendrycks and Gimpel 2016, arXiv:1606.08415.
    """

    each = Cost(multiplies=3, adds=1, exps=1)
    example = "gelu"

    def function(self, xp: Any, x: Array) -> Array:
        return x * 0.5 * (1 + erf(xp, x * math.sqrt(0.5)))


class SiLU(Activation, name="silu"):
    """x · sigmoid(x), or Swish: the sigmoid and one multiply per element.

    Source: Ramachandran, Zoph, Le 2017, arXiv:1710.05941.
    """

    each = Cost(multiplies=1, exps=1, adds=1, divides=1)
    example = "silu"

    def function(self, xp: Any, x: Array) -> Array:
        return x * sigmoid(xp, x)


class HardSigmoid(Activation, name="hard_sigmoid"):
    """min(max(0, x + 3), 6) · ⅙: an add, two comparisons and a multiply per element.

    Source: Howard et al. 2019, arXiv:1905.02244, section 5.2.
    """

    each = Cost(adds=1, compares=2, multiplies=1)
    example = "hard_sigmoid"

    def function(self, xp: Any, x: Array) -> Array:
        return hard_sigmoid(xp, x)


class HardSwish(Activation, name="hard_swish"):
    """x · hard_sigmoid(x): the hard sigmoid and one multiply per element.

    Source: Howard et al. 2019, arXiv:1905.02244, section 5.2.
    """

    each = Cost(adds=1, compares=2, multiplies=2)
    example = "hard_swish"

    def function(self, xp: Any, x: Array) -> Array:
        return x * hard_sigmoid(xp, x)


class Abs(Activation, name="abs"):
    """|x| = max(x, −x): one comparison per element; a change of sign is no operation."""

    each = Cost(compares=1)
    example = "abs"

    def function(self, xp: Any, x: Array) -> Array:
        return xp.abs(x)


@dataclass(frozen=True, kw_only=True)
class LeakyReLU(Activation, name="leaky_relu"):
    """x above 0, slope · x below: one comparison and one multiply per element.

    Which elements are below is up to the data, so the multiply is counted for each; the same
    holds for all activations with two branches.

    Source: Maas, Hannun, Ng 2013, "Rectifier nonlinearities improve neural network acoustic
    models", section 2.
    """

    slope: Number = Fraction(1, 100)

    each = Cost(compares=1, multiplies=1)
    example = "leaky_relu: 0.2"

    def function(self, xp: Any, x: Array) -> Array:
        return xp.where(x > 0, x, x * float(self.slope))


@dataclass(frozen=True, kw_only=True)
class PReLU(Activation, name="prelu"):
    """x above 0, a · x below, with a learnt: one comparison and one multiply per element.

    There is an a for every channel or, with `per_channel: false`, one for all (which is the
    default of PyTorch).

    Source: He, Zhang, Ren, Sun 2015, arXiv:1502.01852, equation 1.
    """

    per_channel: Boolean = True

    each = Cost(compares=1, multiplies=1)
    example = "prelu"

    def weights(self, x: Shape) -> Mapping[str, Weight]:
        return {"weight": Weight((x[1] if self.per_channel else 1,))}

    def forward(self, xp: Any, inputs: tuple[Array, ...], weights: Mapping[str, Array]) -> Array:
        (x,) = inputs
        if self.per_channel:
            a = along(xp, weights, "weight", x, [1])
        else:
            a = weight(weights, "weight", (1,))
        return xp.where(x > 0, x, x * a)


@dataclass(frozen=True, kw_only=True)
class ELU(Activation, name="elu"):
    """x above 0, α · (exp(x) − 1) below: a comparison, an exp, an add and a multiply per element.

    Source: Clevert, Unterthiner, Hochreiter 2015, arXiv:1511.07289, equation 15.
    """

    alpha: Number = 1

    each = Cost(compares=1, exps=1, adds=1, multiplies=1)
    example = "elu"

    def function(self, xp: Any, x: Array) -> Array:
        return elu(xp, x, float(self.alpha))


class SELU(Activation, name="selu"):
    """λ times the ELU with a fixed α: the ELU and one multiply per element.

    Source: Klambauer, Unterthiner, Mayr, Hochreiter 2017, arXiv:1706.02515, equation 2.
    """

    each = Cost(compares=1, exps=1, adds=1, multiplies=2)
    example = "selu"

    def function(self, xp: Any, x: Array) -> Array:
        return 1.0507009873554805 * elu(xp, x, 1.6732632423543772)


class Softplus(Activation, name="softplus"):
    """log(1 + exp(x)): an exp, an add and a log per element.

    Source: Dugas, Bengio, Bélisle, Nadeau, Garcia 2000 (NIPS).
    """

    each = Cost(exps=2, adds=1)
    example = "softplus"

    def function(self, xp: Any, x: Array) -> Array:
        return softplus(xp, x)


class HardTanh(Activation, name="hard_tanh"):
    """min(max(−1, x), 1): two comparisons per element. Source: Collobert 2004, PhD thesis."""

    each = Cost(compares=2)
    example = "hard_tanh"

    def function(self, xp: Any, x: Array) -> Array:
        return xp.clip(x, -1, 1)


class Mish(Activation, name="mish"):
    """x · tanh(softplus(x)): the softplus, a tanh and one multiply per element.

    Source: Misra 2019, arXiv:1908.08681, section 3.
    """

    each = Cost(multiplies=1, exps=3, adds=1)
    example = "mish"

    def function(self, xp: Any, x: Array) -> Array:
        return x * xp.tanh(softplus(xp, x))


# -- the functions, where one is made of another ----------------------------------------------


def sigmoid(xp: Any, x: Array) -> Array:
    """1 / (1 + exp(−x)), with no exp that could overflow."""
    small = xp.exp(-xp.abs(x))
    return xp.where(x >= 0, 1, small) / (1 + small)


def hard_sigmoid(xp: Any, x: Array) -> Array:
    """min(max(0, x + 3), 6) · ⅙."""
    return xp.clip(x + 3, 0, 6) * (1 / 6)


def elu(xp: Any, x: Array, alpha: float) -> Array:
    """x above 0, α · (exp(x) − 1) below."""
    return xp.maximum(x, 0) + alpha * xp.expm1(xp.minimum(x, 0))


def softplus(xp: Any, x: Array) -> Array:
    """log(1 + exp(x)), with no exp that could overflow."""
    return xp.maximum(x, 0) + xp.log1p(xp.exp(-xp.abs(x)))
