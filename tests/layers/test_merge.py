"""Merges."""

import operator
from collections.abc import Callable
from functools import reduce

import numpy
import pytest
from hypothesis import strategies as st

from convcalc.dim import symbol
from convcalc.graph import Operation
from convcalc.layers import layer_class
from convcalc.layers.merge import Concat, ElementwiseMerge

from .naive import (
    Case,
    DoesNotFitError,
    Index,
    Number,
    Run,
    Tensor,
    check_forward,
    front,
    largest,
    positions,
    refusal,
    shapes,
)

OPERATORS: dict[str, Callable[[Number, Number], Number]] = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": operator.truediv,
    "maximum": lambda a, b: largest([a, b]),
    "minimum": lambda a, b: -largest([-a, -b]),
}


@st.composite
def branches(draw: st.DrawFn) -> tuple[Index, ...]:
    """Two or three shapes: equal, with axes of size 1, with a size changed, or an axis fewer."""
    shape = draw(shapes((0, 1, 2, 3)))
    found = [shape]
    for _ in range(draw(st.integers(1, 2))):
        other = list(shape)
        for axis in range(1, len(shape)):
            change = draw(st.sampled_from(["same"] * 6 + ["one"] * 3 + ["more"]))
            other[axis] = {"same": shape[axis], "one": 1, "more": shape[axis] + 1}[change]
        if draw(st.integers(0, 19)) == 0:
            other.pop()
        found.append(tuple(other))
    return tuple(draw(st.permutations(found)))


@st.composite
def elementwise(draw: st.DrawFn, name: str) -> tuple[ElementwiseMerge, tuple[Index, ...]]:
    return layer_class(name)(), draw(branches())


def naive_elementwise(layer: ElementwiseMerge, run: Run, *inputs: Index) -> Tensor:
    if len({len(x) for x in inputs}) > 1:
        raise DoesNotFitError
    if layer.name in ("subtract", "divide") and len(inputs) > 2:
        raise DoesNotFitError  # (a − b) − c or a − (b − c)?
    sizes = []
    for along in zip(*inputs, strict=True):
        if len(set(along) - {1}) > 1:
            raise DoesNotFitError
        sizes.append(max(along))
    operate = OPERATORS[layer.name]
    output: Tensor = {}
    for place in positions(*sizes):
        values = []
        for number, x in enumerate(inputs):
            own = (i if n > 1 else 0 for i, n in zip(place, x, strict=True))
            values.append(run.element(*own, of=number))
        output[place] = reduce(operate, values)
    return output


@st.composite
def concats(draw: st.DrawFn) -> tuple[Concat, tuple[Index, ...]]:
    shape = draw(shapes((0, 1, 2, 3)))
    right = st.sampled_from([*range(1, len(shape)), *range(1 - len(shape), 0)])
    axis = draw(right | right | st.integers(-5, 5))
    joined = axis if 0 <= axis < len(shape) else axis + len(shape)
    found = [shape]
    for _ in range(draw(st.integers(1, 2))):
        other = list(shape)
        if joined in range(1, len(shape)):
            other[joined] = draw(st.integers(1, 9))
        if draw(st.integers(0, 3)) == 0:
            other[draw(st.integers(1, len(shape) - 1))] += 1
        if draw(st.integers(0, 19)) == 0:
            other.pop()
        found.append(tuple(other))
    return Concat(axis=axis), tuple(found)


def naive_concat(layer: Concat, run: Run, *inputs: Index) -> Tensor:
    if len({len(x) for x in inputs}) > 1:
        raise DoesNotFitError
    axis = front(layer.axis, inputs[0])
    if len({x[:axis] + x[axis + 1 :] for x in inputs}) > 1:
        raise DoesNotFitError
    output: Tensor = {}
    done = 0
    for number, x in enumerate(inputs):
        for place in positions(*x):
            goal = (*place[:axis], done + place[axis], *place[axis + 1 :])
            output[goal] = run.element(*place, of=number)
        done += x[axis]
    return output


CASES = {name: Case(elementwise(name), naive_elementwise) for name in OPERATORS} | {
    "concat": Case(concats(), naive_concat, examples=100)
}


@pytest.mark.parametrize("name", CASES)
def test_the_values_are_those_of_a_naive_run(name: str) -> None:
    check_forward(CASES[name])


HINT = "All branches must give the same shape: look at the strides, paddings and channels."


def test_squeeze_and_excitation_repeats_the_channels_factor() -> None:
    # arXiv:1709.01507, equation 4: [N, C, 1, 1] times [N, C, H, W], in either order
    shapes = ((2, 64, 1, 1), (2, 64, 7, 5))
    for inputs in (shapes, shapes[::-1]):
        operation = Operation(layer_class("multiply")(), inputs)
        assert operation.output_shape == (2, 64, 7, 5)
        assert operation.cost.multiplies == 2 * 64 * 7 * 5
        assert operation.cost.macs == 0


def test_concat_joins_the_channels_by_default() -> None:
    # DenseNet: k₀ + k·(l − 1) channels (arXiv:1608.06993, section 3)
    inputs = ((1, 64, 7, 5), (1, 32, 7, 5), (1, 32, 7, 5))
    assert Operation(Concat(), inputs).output_shape == (1, 128, 7, 5)
    assert Operation(Concat(axis=-1), inputs[1:]).output_shape == (1, 32, 7, 10)


@pytest.mark.parametrize("name", OPERATORS)
def test_unequal_shapes_are_told_with_both_sizes_and_all_shapes(name: str) -> None:
    layer = layer_class(name)()
    assert refusal(layer, (1, 64, 9, 8), (1, 32, 9, 8)) == (
        f"{name} of unequal sizes 64 and 32 on axis 1: [1, 64, 9, 8] and [1, 32, 9, 8]. {HINT}"
    )
    assert refusal(layer, (1, 64, 1, 1), (1, 64)) == (
        f"{name} of tensors with different numbers of axes: [1, 64, 1, 1] and [1, 64]. "
        "keep_axes: true on a global pooling keeps the axes."
    )


@pytest.mark.parametrize("name", ["subtract", "divide"])
def test_where_the_order_matters_two_inputs_are_due(name: str) -> None:
    assert refusal(layer_class(name)(), *[(1, 4)] * 3) == f"{name} takes two inputs, and gets 3"


def test_concat_of_unequal_shapes_is_told_with_both_sizes_and_all_shapes() -> None:
    assert refusal(Concat(), (1, 64, 9, 8), (1, 32, 9, 7)) == (
        f"concat of unequal sizes 8 and 7 on axis 3: [1, 64, 9, 8] and [1, 32, 9, 7]. {HINT}"
    )
    assert refusal(Concat(), (1, 64, 9), (1, 32, 1)).startswith("concat of unequal sizes 9 and 1")
    assert refusal(Concat(), (1, 64), (1, 64, 1)).startswith(
        "concat of tensors with different numbers of axes: [1, 64] and [1, 64, 1]"
    )


def test_symbolic_sizes_are_equal_unequal_or_required_to_be_equal() -> None:
    height = symbol("H")
    add = layer_class("add")()
    shape = (1, 8, height, 7)
    assert Operation(add, (shape, shape)).undecided == ()
    assert refusal(add, shape, (1, 8, height + 1, 7)).startswith(
        "add of unequal sizes H and H + 1 on axis 2: [1, 8, H, 7] and [1, 8, H + 1, 7]."
    )
    operation = Operation(add, (shape, (1, 8, 2 * (height // 2), 7)))
    assert [str(requirement) for requirement in operation.undecided] == ["2·⌊H/2⌋ = H"]


def test_an_axis_that_is_not_there() -> None:
    assert refusal(Concat(axis=4), (1, 2, 3), (1, 2, 3)) == (
        "concat: axis 4 does not exist: the input has 3 axes, 0 to 2"
    )
    assert refusal(Concat(axis=-3), (1, 2, 3), (1, 2, 3)) == (
        "concat: axis -3 is the batch, whose samples stay apart. The channels are axis 1."
    )


@pytest.mark.parametrize("name", OPERATORS)
def test_operations_are_carried_out_from_left_to_right(name: str) -> None:
    inputs = [numpy.array([[float(v)] * 2]) for v in (7, 2, 5)]
    layer = layer_class(name)()
    for given in (inputs[:2], inputs) if name not in ("subtract", "divide") else (inputs[:2],):
        due = reduce(OPERATORS[name], [x[0, 0] for x in given])  # type: ignore[misc]
        assert layer.forward(numpy, tuple(given), {}).tolist() == [[due] * 2]
