"""Reductions over axes that the spec names."""

import pytest
from hypothesis import strategies as st

import convcalc
from convcalc.analysis.receptive_field import receptive_fields, seen_by
from convcalc.graph import Operation
from convcalc.layers.adaptive_pool import GlobalAvgPool
from convcalc.layers.reduce import Mean
from convcalc.view import IDENTITY

from .naive import Case, Index, Run, Tensor, alone, check_forward, refusal, total
from .test_norm import AXES, different_axes, rows


def naive_mean(layer: Mean, run: Run, x: Index) -> Tensor:
    axes = different_axes(layer.axes, x)
    output: Tensor = {}
    for row in rows(axes, x):
        place = list(row[0])
        for axis in sorted(axes, reverse=True):
            if layer.keep_axes:
                place[axis] = 0
            else:
                del place[axis]
        output[tuple(place)] = total(run.element(*p) for p in row) / len(row)
    return output


CASES = {"mean": Case(alone(st.builds(Mean, axes=AXES, keep_axes=st.booleans())), naive_mean)}


@pytest.mark.parametrize("name", CASES)
def test_the_values_are_those_of_a_naive_run(name: str) -> None:
    check_forward(CASES[name])


def test_over_the_spatial_axes_it_is_global_pooling() -> None:
    x = (2, 3, 5, 7)
    for keep_axes in (False, True):
        mean = Operation(Mean(axes=(-1, 2), keep_axes=keep_axes), (x,))
        pool = Operation(GlobalAvgPool(keep_axes=keep_axes), (x,))
        assert (mean.output_shape, mean.cost) == (pool.output_shape, pool.cost)


def test_the_axes_that_stay_are_still_followed() -> None:
    x = (2, 3, 5, 7)
    assert Mean(axes=(1, 2)).view(3, 0, x) == (1, IDENTITY)
    assert Mean(axes=(1, 2), keep_axes=True).view(3, 0, x) == (3, IDENTITY)
    assert Mean(axes=(1, 2)).view(2, 0, x) is None
    assert Mean(axes=(1, 3)).view(2, 0, x) == (1, IDENTITY)
    assert Mean(axes=(-1,)).view(1, 0, x) == (1, IDENTITY)
    net = convcalc.loads("input: [3, 5, 7]\nlayers: [mean: [1, 2], softmax: {axis: -1}, identity]")
    mean = net.graph.nodes[0]
    assert seen_by(net.graph, mean, (4,)) == {net.graph.inputs[0]: [(0, 4), (4, 4)]}
    assert receptive_fields(net.graph)[mean][0] is None


def test_axes_that_are_not_there() -> None:
    assert refusal(Mean(axes=(2, 4)), (2, 3, 5, 7)) == (
        "mean: axis 4 does not exist: the input has 4 axes, 0 to 3"
    )
    assert refusal(Mean(axes=(3, -1)), (2, 3, 5, 7)) == (
        "mean: axes [3, -1] of [2, 3, 5, 7] name one axis twice"
    )
    assert refusal(Mean(axes=(0,)), (2, 3)) == (
        "mean: axis 0 is the batch, whose samples stay apart. The channels are axis 1."
    )
