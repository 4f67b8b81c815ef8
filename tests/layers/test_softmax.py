"""Softmax and its logarithm."""

import math
from functools import reduce

import numpy
import pytest
from hypothesis import strategies as st

from convcalc.graph import Operation
from convcalc.layers.softmax import LogSoftmax, Softmax

from .naive import (
    Case,
    Index,
    Run,
    Tensor,
    alone,
    check_forward,
    front,
    output_of,
    positions,
    refusal,
    total,
    transcendental,
)


def naive_softmax(layer: Softmax | LogSoftmax, run: Run, x: Index) -> Tensor:
    axis = front(layer.axis, x)
    output: Tensor = {}
    for place in positions(*x[:axis], *x[axis + 1 :]):
        row = [run.element(*place[:axis], i, *place[axis:]) for i in range(x[axis])]
        largest = reduce(max, row)
        shifted = [value - largest for value in row]
        powers = [transcendental(math.exp, value) for value in shifted]
        below = total(powers)
        if isinstance(layer, LogSoftmax):
            log = transcendental(math.log, below)
            found = [value - log for value in shifted]
        else:
            found = [power / below for power in powers]
        for i, value in enumerate(found):
            output[*place[:axis], i, *place[axis:]] = value
    return output


CASES = {
    layer.name: Case(alone(st.builds(layer, axis=st.integers(-4, 4))), naive_softmax)
    for layer in (Softmax, LogSoftmax)
}


@pytest.mark.parametrize("name", CASES)
def test_the_values_are_those_of_a_naive_run(name: str) -> None:
    check_forward(CASES[name])


def test_a_thousand_classes() -> None:
    cost = Operation(Softmax(), ((1, 1000),)).cost
    assert (cost.compares, cost.adds, cost.exps, cost.divides) == (999, 1999, 1000, 1000)
    cost = Operation(LogSoftmax(), ((1, 1000),)).cost
    assert (cost.compares, cost.adds, cost.exps, cost.divides) == (999, 2999, 1001, 0)


@pytest.mark.parametrize("layer", [Softmax, LogSoftmax])
def test_an_axis_that_is_not_there(layer: type[Softmax | LogSoftmax]) -> None:
    assert refusal(layer(axis=2), (4, 10)) == (
        f"{layer.name}: axis 2 does not exist: the input has 2 axes, 0 to 1"
    )
    assert refusal(layer(axis=0), (4, 10)) == (
        f"{layer.name}: axis 0 is the batch, whose samples stay apart. The channels are axis 1."
    )


def test_values_as_pytorch_has_them() -> None:
    # PyTorch 2.14, torch.nn.functional in float64
    x = [[[-5, 0, 5], [-2, 3, -4], [1, 6, -1], [4, -3, 2]]]
    due = [0.0001172663122, 0.002355356844, 0.95021877, 0.002355356844, 0.04730860687,
           0.0001172663122, 0.04730860687, 0.95021877, 0.002355356844, 0.95021877,
           0.0001172663122, 0.04730860687]  # fmt: skip
    numpy.testing.assert_allclose(output_of(Softmax(), x).ravel(), due, rtol=2e-9)
    due = [-10.00676044, -5.006760444, -0.006760443547, -5.007620717, -0.007620717394,
           -7.007620717, -5.007620717, -0.007620717394, -7.007620717, -0.1277308716,
           -7.127730872, -2.127730872]  # fmt: skip
    numpy.testing.assert_allclose(output_of(LogSoftmax(axis=-1), x).ravel(), due, rtol=2e-9)


@pytest.mark.parametrize("layer", [Softmax, LogSoftmax])
def test_large_numbers_overflow_nothing(layer: type[Softmax | LogSoftmax]) -> None:
    assert numpy.isfinite(output_of(layer(), [[1e4, -1e4, 1e300]])).all()
