"""Softmax and its logarithm."""

from functools import reduce

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
    front,
    positions,
    refusal,
    total,
    transcendental,
)


def naive_softmax(layer: Softmax | LogSoftmax, run: Run, x: Index) -> Tensor:
    axis = front(layer.axis, x)
    output: Tensor = {}
    for place in positions(*x[:axis], *x[axis + 1 :]):
        row = [run.number for _ in range(x[axis])]
        largest = reduce(max, row)
        shifted = [value - largest for value in row]
        powers = [transcendental(value) for value in shifted]
        below = total(powers)
        if isinstance(layer, LogSoftmax):
            log = transcendental(below)
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
