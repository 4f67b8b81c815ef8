"""Activations: one element in, one element out."""

from dataclasses import dataclass
from typing import ClassVar

from convcalc import arith
from convcalc.cost import Cost, per_element
from convcalc.layer import Layer, Shape


@dataclass(frozen=True, kw_only=True)
class Activation(Layer):
    """A function of each element; `operations` are what one element costs."""

    operations: ClassVar[dict[str, int]]

    def output_shape(self, x: Shape) -> Shape:
        return x

    def cost(self, x: Shape) -> Cost:
        return per_element(arith.product(x), **self.operations)


class ReLU(Activation, name="relu"):
    """max(0, x): one comparison per element. Source: Nair and Hinton 2010."""

    operations = {"compares": 1}
    example = "relu"


class ReLU6(Activation, name="relu6"):
    """min(max(0, x), 6): two comparisons per element. Source: Krizhevsky 2010."""

    operations = {"compares": 2}
    example = "relu6"


class Sigmoid(Activation, name="sigmoid"):
    """1 / (1 + exp(−x)): an exp, an add and a division per element."""

    operations = {"exps": 1, "adds": 1, "divides": 1}
    example = "sigmoid"


class Tanh(Activation, name="tanh"):
    """tanh(x): one transcendental function per element."""

    operations = {"exps": 1}
    example = "tanh"


class GELU(Activation, name="gelu"):
    """x/2 · (1 + erf(x/√2)): three multiplies, an add and an erf per element.

    Source: Hendrycks and Gimpel 2016, arXiv:1606.08415.
    """

    operations = {"multiplies": 3, "adds": 1, "exps": 1}
    example = "gelu"


class SiLU(Activation, name="silu"):
    """x · sigmoid(x), or Swish: the sigmoid and one multiply per element.

    Source: Ramachandran, Zoph, Le 2017, arXiv:1710.05941.
    """

    operations = {"multiplies": 1, "exps": 1, "adds": 1, "divides": 1}
    example = "silu"


class HardSigmoid(Activation, name="hard_sigmoid"):
    """min(max(0, x + 3), 6) · ⅙: an add, two comparisons and a multiply per element.

    Source: Howard et al. 2019, arXiv:1905.02244, section 5.2.
    """

    operations = {"adds": 1, "compares": 2, "multiplies": 1}
    example = "hard_sigmoid"


class HardSwish(Activation, name="hard_swish"):
    """x · hard_sigmoid(x): the hard sigmoid and one multiply per element.

    Source: Howard et al. 2019, arXiv:1905.02244, section 5.2.
    """

    operations = {"adds": 1, "compares": 2, "multiplies": 2}
    example = "hard_swish"
