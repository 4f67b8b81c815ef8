"""The fully connected layer."""

import pytest
from hypothesis import strategies as st

from convcalc.graph import Operation
from convcalc.layers.linear import Linear

from .naive import (
    Case,
    DoesNotFitError,
    Index,
    Run,
    Tensor,
    alone,
    check_forward,
    output_of,
    positions,
    ramp,
    refusal,
    total,
)

LINEARS = st.builds(
    Linear,
    out_features=st.integers(1, 7),
    bias=st.booleans(),
    axis=st.sampled_from([None, -1]) | st.integers(-4, 4),
)


def naive_linear(layer: Linear, run: Run, x: Index) -> Tensor:
    last = len(x) - 1
    if (last != 1) if layer.axis is None else (layer.axis not in (last, -1)):
        raise DoesNotFitError
    output: Tensor = {}
    for place in positions(*x[:-1]):
        for out in range(layer.out_features):
            value = total(
                run.mac(run.element(*place, feature), run.weight("weight", out, feature))
                for feature in range(x[-1])
            )
            output[*place, out] = value + run.weight("bias", out) if layer.bias else value
    return output


CASES = {"linear": Case(alone(LINEARS), naive_linear)}


def test_the_values_are_those_of_a_naive_run() -> None:
    check_forward(CASES["linear"])


@pytest.mark.parametrize(("name", "shape"), [("weight", (3, 2)), ("weight", (6,)), ("bias", (1,))])
def test_a_weight_of_another_shape_is_an_error(name: str, shape: Index) -> None:
    weights = {"weight": ramp(2, 3), "bias": ramp(2)}
    assert output_of(Linear(out_features=2), ramp(1, 3), **weights).tolist() == [[15, 34]]
    with pytest.raises(ValueError, match=f"^{name} has the shape "):
        output_of(Linear(out_features=2), ramp(1, 3), **{**weights, name: ramp(*shape)})


def test_the_classifier_of_vgg16() -> None:
    # Simonyan and Zisserman 2014: 25,088 → 4,096
    operation = Operation(Linear(out_features=4096), ((2, 25_088),))
    assert operation.params == 102_764_544
    assert operation.cost.macs == 2 * 102_760_448


def test_on_a_tensor_that_is_not_flattened() -> None:
    assert refusal(Linear(out_features=10), (1, 512, 7, 6)) == (
        "linear needs one axis after the batch, and gets [1, 512, 7, 6]. "
        "Put flatten before it, or say axis: -1 to map the last axis."
    )


@pytest.mark.parametrize("axis", [0, 1, -3])
def test_on_another_axis_than_the_last(axis: int) -> None:
    assert refusal(Linear(out_features=10, axis=axis), (1, 512, 7)) == (
        f"linear maps the last axis only, not axis {axis} of [1, 512, 7]. "
        "Say axis: -1, or permute before it."
    )
