"""Reshape."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import convcalc
from convcalc.analysis.receptive_field import receptive_fields
from convcalc.dim import symbol
from convcalc.errors import ConvcalcError
from convcalc.graph import Operation
from convcalc.layers.reshape import Reshape, Target
from convcalc.view import IDENTITY

from .naive import (
    Case,
    DoesNotFitError,
    Index,
    Run,
    Tensor,
    check_forward,
    positions,
    refusal,
    shapes,
)


@st.composite
def reshapes(draw: st.DrawFn) -> tuple[Reshape, tuple[Index]]:
    x = draw(shapes((0, 1, 2, 3)))
    rest, sizes = math.prod(x[1:]), []
    for _ in range(draw(st.integers(0, 3))):
        sizes.append(draw(st.sampled_from([n for n in range(1, rest + 1) if rest % n == 0])))
        rest //= sizes[-1]
    sizes = draw(st.permutations([*sizes, draw(st.sampled_from([rest, -1]))]))
    if draw(st.integers(0, 4)) == 0:
        sizes[0] = draw(st.integers(1, 6))
    return Reshape(shape=tuple(sizes)), (x,)


def naive_reshape(layer: Reshape, run: Run, x: Index) -> Tensor:
    count = len(list(positions(*x[1:])))
    for size in range(1, count + 1) if -1 in layer.shape else [0]:
        places = list(positions(*(size if n == -1 else n for n in layer.shape)))
        if len(places) == count:
            moved = list(zip(places, positions(*x[1:]), strict=True))
            return {
                (n, *goal): run.element(n, *place) for n in range(x[0]) for goal, place in moved
            }
    raise DoesNotFitError


CASES = {"reshape": Case(reshapes(), naive_reshape, examples=80)}


@pytest.mark.parametrize("name", CASES)
def test_the_values_are_those_of_a_naive_run(name: str) -> None:
    check_forward(CASES[name])


@given(st.data())
def test_an_axis_that_is_followed_keeps_its_positions(data: Any) -> None:
    layer, (x,) = data.draw(reshapes())
    try:
        out = Operation(layer, (x,)).output_shape
    except ConvcalcError:
        return
    moved = list(zip(positions(*out), positions(*x), strict=True))  # both with the last fastest
    for axis in range(len(x)):
        found = layer.view(axis, 0, x)
        if found is not None:
            assert found[1] == IDENTITY
            assert all(after[found[0]] == before[axis] for after, before in moved)


def test_the_channel_shuffle_of_torchvision_keeps_its_pixels() -> None:
    # torchvision/models/shufflenetv2.py: view, transpose, view
    net = convcalc.loads("""
        input: [116, 28, 30]
        layers:
          - conv: {out_channels: 116, kernel: 3, padding: 1}
          - reshape: [2, 58, 28, 30]
          - permute: [0, 2, 1, 3, 4]
          - reshape: [-1, 28, 30]
    """)
    last = net.graph.nodes[-1]
    assert last.shape == (1, 116, 28, 30)
    fields = receptive_fields(net.graph)[last]
    assert [(f.axis, f.reach.size) for f in fields if f is not None] == [(2, 3), (3, 3)]


def test_an_axis_of_the_same_size_in_the_same_place_may_have_moved() -> None:
    x = (1, 4, 3, 2)
    layer = Reshape(shape=(2, 3, 4))
    assert [layer.view(axis, 0, x) for axis in range(4)] == [(0, IDENTITY), None, None, None]
    layer = Reshape(shape=(4, 1, 3, 2))
    assert [layer.view(axis, 0, x) for axis in range(4)] == [
        (0, IDENTITY), (1, IDENTITY), (3, IDENTITY), (4, IDENTITY),
    ]  # fmt: skip


def test_a_symbolic_size_follows_from_the_others() -> None:
    c, h, w = map(symbol, "CHW")
    assert Operation(Reshape(shape=(c, -1)), ((1, c, h, w),)).output_shape == (1, c, h * w)
    assert not Operation(Reshape(shape=(c, -1)), ((1, c, h, w),)).undecided
    (left,) = Operation(Reshape(shape=(-1, 4)), ((1, c, h),)).undecided
    assert [h for h in range(1, 9) if left.left.evaluate(C=6, H=h) == left.right] == [2, 4, 6, 8]


def test_elements_that_do_not_fit_are_told_with_both_numbers() -> None:
    assert refusal(Reshape(shape=(16, 5, 5)), (2, 16, 6, 5)) == (
        "reshape of [2, 16, 6, 5] to [2, 16, 5, 5]: a sample has 480 elements, and the new shape "
        "400. A size of -1 follows from the others."
    )
    assert refusal(Reshape(shape=(7, -1)), (2, 16, 6, 5)) == (
        "reshape of [2, 16, 6, 5] to [2, 7, -1]: 7 does not divide the 480 elements of a sample. "
        "The sizes given must multiply to a divisor of it."
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ((-1, 4, -1), "only one size can follow from the others, but [-1, 4, -1] has more"),
        ((4, 0), "0 is too small: at least 1 is due here"),
        ((4, -2), "-2 is too small: at least 1 is due here"),
        ((), "a list of 1 to 7 values is due here, one per axis, not 0: []"),
        ((1,) * 8, "a list of 1 to 7 values is due here, one per axis, not 8: "
                   "[1, 1, 1, 1, 1, 1, 1, 1]"),
    ],
)  # fmt: skip
def test_a_target_that_is_none(value: Any, text: str) -> None:
    with pytest.raises(ConvcalcError) as caught:
        Target().read(value)
    assert str(caught.value) == text


def test_one_size_needs_no_list() -> None:
    assert Target().read(-1) == (-1,)
    assert Target().read(784) == (784,)
