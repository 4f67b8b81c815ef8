"""Activations."""

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy
import pytest
from hypothesis import strategies as st

from convcalc.graph import Operation
from convcalc.layers import layer_class
from convcalc.layers.activation import ELU, Activation, LeakyReLU, PReLU

from .naive import (
    Case,
    Index,
    Run,
    Tensor,
    alone,
    check_forward,
    output_of,
    positions,
    transcendental,
)


def sigmoid(x: Any) -> Any:
    return 1 / (1 + transcendental(math.exp, -x))


def hard_sigmoid(run: Run, x: Any) -> Any:
    return clip(run, x + 3, 0, 6) * (1 / 6)


def clip(run: Run, x: Any, low: float, high: float) -> Any:
    return min(max(x, run.constant(low)), run.constant(high))


def branches(run: Run, x: Any, above: Any, below: Any) -> Any:
    """One of two values, both worked out, for x above 0 or not."""
    return above if x > run.constant(0) else below


def elu(run: Run, x: Any, alpha: Any) -> Any:
    return branches(run, x, x, (transcendental(math.exp, x) - 1) * float(alpha))


def softplus(x: Any) -> Any:
    return transcendental(math.log, 1 + transcendental(math.exp, x))


FUNCTIONS: dict[str, Callable[[Any, Run, Any], Any]] = {
    "relu": lambda layer, run, x: max(x, run.constant(0)),
    "relu6": lambda layer, run, x: clip(run, x, 0, 6),
    "sigmoid": lambda layer, run, x: sigmoid(x),
    "tanh": lambda layer, run, x: transcendental(math.tanh, x),
    "gelu": lambda layer, run, x: x * (1 / 2) * (1 + transcendental(math.erf, x * 2**-0.5)),
    "silu": lambda layer, run, x: x * sigmoid(x),
    "hard_sigmoid": lambda layer, run, x: hard_sigmoid(run, x),
    "hard_swish": lambda layer, run, x: x * hard_sigmoid(run, x),
    "abs": lambda layer, run, x: max(x, -x),
    "leaky_relu": lambda layer, run, x: branches(run, x, x, x * float(layer.slope)),
    "elu": lambda layer, run, x: elu(run, x, layer.alpha),
    "selu": lambda layer, run, x: 1.0507009873554805 * elu(run, x, 1.6732632423543772),
    "softplus": lambda layer, run, x: softplus(x),
    "hard_tanh": lambda layer, run, x: clip(run, x, -1, 1),
    "mish": lambda layer, run, x: x * transcendental(math.tanh, softplus(x)),
}


def naive_activation(layer: Activation, run: Run, x: Index) -> Tensor:
    function = FUNCTIONS[layer.name]
    return {place: function(layer, run, run.element(*place)) for place in positions(*x)}


def naive_prelu(layer: PReLU, run: Run, x: Index) -> Tensor:
    output: Tensor = {}
    for place in positions(*x):
        value = run.element(*place)
        slope = run.weight("weight", place[1] if layer.per_channel else 0)
        output[place] = branches(run, value, value, value * slope)
    return output


SLOPES = st.sampled_from([0, 1, Fraction(1, 5), 3])

CASES = {
    **{name: Case(alone(st.just(layer_class(name)())), naive_activation) for name in FUNCTIONS},
    "leaky_relu": Case(alone(st.builds(LeakyReLU, slope=SLOPES)), naive_activation),
    "elu": Case(alone(st.builds(ELU, alpha=SLOPES)), naive_activation),
    "prelu": Case(alone(st.builds(PReLU, per_channel=st.booleans())), naive_prelu),
}


@pytest.mark.parametrize("name", CASES)
def test_the_values_are_those_of_a_naive_run(name: str) -> None:
    check_forward(CASES[name])


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


# torch.nn.functional (PyTorch 2.14) in float64, at these six numbers
NUMBERS = (-6.5, -1, -0.25, 0.5, 2, 7)
FUNCTION_VALUES = {
    "relu": (0, 0, 0, 0.5, 2, 7),
    "relu6": (0, 0, 0, 0.5, 2, 6),
    "sigmoid": (0.001501182257, 0.2689414214, 0.4378234991, 0.6224593312, 0.880797078,
                0.9990889488),
    "tanh": (-0.9999954794, -0.761594156, -0.2449186624, 0.4621171573, 0.9640275801, 0.9999983369),
    "gelu": (-2.610399119e-10, -0.1586552539, -0.1003234186, 0.3457312306, 1.954499736, 7),
    "silu": (-0.009757684669, -0.2689414214, -0.1094558748, 0.3112296656, 1.761594156,
             6.993622642),
    "hard_sigmoid": (0, 0.3333333333, 0.4583333333, 0.5833333333, 0.8333333333, 1),
    "hard_swish": (0, -0.3333333333, -0.1145833333, 0.2916666667, 1.666666667, 7),
    "abs": (6.5, 1, 0.25, 0.5, 2, 7),
    "leaky_relu": (-0.065, -0.01, -0.0025, 0.5, 2, 7),
    "elu": (-0.9984965608, -0.6321205588, -0.2211992169, 0.5, 2, 7),
    "selu": (-1.755456145, -1.111330738, -0.3888901975, 0.5253504937, 2.101401975, 7.354906911),
    "softplus": (0.00150231016, 0.3132616875, 0.5759394199, 0.9740769842, 2.126928011,
                 7.000911466),
    "hard_tanh": (-1, -1, -0.25, 0.5, 1, 1),
    "mish": (-0.009765008692, -0.3034014614, -0.1299269637, 0.3752452113, 1.94395896, 6.99998838),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_values_as_pytorch_has_them(name: str) -> None:
    y = output_of(layer_class(name)(), [NUMBERS])
    numpy.testing.assert_allclose(y, [FUNCTION_VALUES[name]], rtol=2e-9)


def test_prelu_as_pytorch_has_it() -> None:
    x = [[NUMBERS[:3], NUMBERS[3:]], [NUMBERS[3:], NUMBERS[:3]]]
    y = output_of(PReLU(), x, weight=numpy.array([0.25, -2]))
    assert y.tolist() == [[[-1.625, -0.25, -0.0625], [0.5, 2, 7]], [[0.5, 2, 7], [13, 2, 0.5]]]
    y = output_of(PReLU(per_channel=False), x[:1], weight=numpy.array([0.5]))
    assert y.tolist() == [[[-3.25, -0.5, -0.125], [0.5, 2, 7]]]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_large_numbers_overflow_nothing(name: str) -> None:
    x = numpy.array([[-1e30, -1e3, -0.0, 1e3, 1e30]], numpy.float32)
    assert numpy.isfinite(layer_class(name)().forward(numpy, (x,), {})).all()
