"""Activations."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from hypothesis import strategies as st

from convcalc.graph import Operation
from convcalc.layers import layer_class
from convcalc.layers.activation import ELU, Activation, LeakyReLU, PReLU

from .naive import Case, Index, Number, Run, Tensor, alone, positions, transcendental


def sigmoid(x: Number) -> Number:
    return 1 / (1 + transcendental(-x))


def hard_sigmoid(x: Number) -> Number:
    return clip(x + 3) * (1 / 6)


def clip(x: Number) -> Any:
    """Between 0 and 6; the bounds are numbers that count, too."""
    zero = six = x
    return min(max(x, zero), six)


def elu(x: Number) -> Any:
    """Both branches are worked out: the larger is the one that holds."""
    return max(x, (transcendental(x) - 1) * 1)


def softplus(x: Number) -> Number:
    return transcendental(1 + transcendental(x))


FUNCTIONS: dict[str, Callable[[Number], Number]] = {
    "relu": lambda x: max(x, x),
    "relu6": clip,
    "sigmoid": sigmoid,
    "tanh": transcendental,
    "gelu": lambda x: x * (1 / 2) * (1 + transcendental(x * 2**-0.5)),
    "silu": lambda x: x * sigmoid(x),
    "hard_sigmoid": hard_sigmoid,
    "hard_swish": lambda x: x * hard_sigmoid(x),
    "abs": lambda x: max(x, -x),
    "leaky_relu": lambda x: max(x, 0.01 * x),
    "elu": elu,
    "selu": lambda x: 1.0507 * elu(x),
    "softplus": softplus,
    "hard_tanh": clip,
    "mish": lambda x: x * transcendental(softplus(x)),
}


def naive_activation(layer: Activation, run: Run, x: Index) -> Tensor:
    return {place: FUNCTIONS[layer.name](run.number) for place in positions(*x)}


def naive_prelu(layer: PReLU, run: Run, x: Index) -> Tensor:
    return {
        place: max(run.number, run.weight("weight", place[1] if layer.per_channel else 0) * 1)
        for place in positions(*x)
    }


SLOPES = st.sampled_from([0, 1, Fraction(1, 5), 3])

CASES = {
    **{name: Case(alone(st.just(layer_class(name)())), naive_activation) for name in FUNCTIONS},
    "leaky_relu": Case(alone(st.builds(LeakyReLU, slope=SLOPES)), naive_activation),
    "elu": Case(alone(st.builds(ELU, alpha=SLOPES)), naive_activation),
    "prelu": Case(alone(st.builds(PReLU, per_channel=st.booleans())), naive_prelu),
}


def test_relu_compares_once_per_element() -> None:
    operation = Operation(layer_class("relu")(), ((2, 3, 5, 7),))
    assert operation.cost.compares == 210
    assert operation.cost.macs == operation.cost.multiplies == operation.params == 0


def test_prelu_learns_a_slope_per_channel_or_one() -> None:
    # He et al. 2015, section 2.1: "channel-wise" and "channel-shared"
    x = (2, 64, 5, 7)
    assert Operation(PReLU(), (x,)).params == 64
    assert Operation(PReLU(per_channel=False), (x,)).params == 1


def test_all_activations_write_over_their_input() -> None:
    for name in CASES:
        layer = layer_class(name)
        assert layer.is_elementwise, name
        assert layer.shares_storage, name
        assert not layer.is_view, name
