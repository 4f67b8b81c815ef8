"""Symbols that stand for fractions, and the roundings that make sizes of them."""

import math
import operator
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convcalc.dim import Dim, bounds, make_divisible, maximum, minimum, never_falls, symbol
from convcalc.spec.expressions import parse

WIDTH = symbol("width", whole=False)
n = symbol("n")


def torchvision(v, divisor, least):
    """torchvision/models/_utils.py, `_make_divisible`, over exact numbers."""
    new_v = max(least, int(v + Fraction(divisor, 2)) // divisor * divisor)
    if new_v < Fraction(9, 10) * v:
        new_v += divisor
    return new_v


BINARY = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "//": operator.floordiv,
    "%": operator.mod, "/": lambda a, b: a / b if isinstance(a, Dim) else Fraction(a) / b,
    "max": maximum, "min": minimum,
}  # fmt: skip
UNARY = {"floor": math.floor, "ceil": math.ceil, "round": round}


def trees():
    def grown(children):
        positive = st.integers(1, 12)
        return st.one_of(
            *(st.tuples(st.just(o), children, children) for o in ("+", "-", "*", "max", "min")),
            *(st.tuples(st.just(o), children, positive) for o in ("//", "%", "/")),
            *(st.tuples(st.just(o), children) for o in UNARY),
            st.tuples(st.just("make_divisible"), children, st.sampled_from([4, 8, 10])),
        )

    return st.recursive(st.sampled_from(["width", "n"]) | st.integers(0, 70), grown, max_leaves=9)


def run(tree, values):
    if not isinstance(tree, tuple):
        return values[tree] if isinstance(tree, str) else tree
    name, *operands = tree
    operands = [run(operand, values) for operand in operands]
    if name in UNARY:
        return UNARY[name](*operands)
    if name == "make_divisible":
        value, divisor = operands
        if isinstance(value, Dim):
            return make_divisible(value, divisor, divisor)
        return torchvision(value, divisor, divisor)
    return BINARY[name](*operands)


class Names(dict):
    def spend(self, items):
        pass


def fractions():
    return st.builds(Fraction, st.integers(1, 60), st.sampled_from([1, 2, 3, 4, 10, 20, 100]))


def nonnegative_arguments(tree, values):
    """torchvision's int() cuts towards 0, the floor of sizes that are positive."""
    if not isinstance(tree, tuple):
        return True
    if tree[0] == "make_divisible" and run(tree[1], values) < 0:
        return False
    return all(nonnegative_arguments(operand, values) for operand in tree[1:])


@settings(max_examples=600, deadline=None)
@given(trees(), st.lists(st.tuples(fractions(), st.integers(1, 40)), min_size=4, max_size=4))
def test_an_expression_is_what_exact_arithmetic_computes(tree, points):
    dim = run(tree, {"width": WIDTH, "n": n})
    for width, whole in points:
        values = {"width": width, "n": whole}
        if not nonnegative_arguments(tree, values):
            continue
        expected = run(tree, values)
        if not isinstance(dim, Dim):
            assert dim == expected
            continue
        assert dim.evaluate(**{name: values[name] for name in dim.symbols}) == expected
        low, high = bounds(dim)
        assert low is None or low <= expected
        assert high is None or expected <= high
        assert not dim.is_whole or Fraction(expected).denominator == 1
        # what is written reads back as the same
        assert parse(dim.python()).evaluate(Names(width=WIDTH, n=n)) == dim


@pytest.mark.parametrize(
    ("value", "text", "latex"),
    [
        (round(64 * WIDTH), "round(64·width)",
         r"\operatorname{round}\left( 64 \cdot \mathit{width} \right)"),
        (math.floor(64 * WIDTH), "⌊64·width⌋",
         r"\left\lfloor 64 \cdot \mathit{width} \right\rfloor"),
        (make_divisible(32 * WIDTH, 8, 8), "make_divisible(32·width, 8)",
         r"\operatorname{make\_divisible}\left( 32 \cdot \mathit{width}, 8 \right)"),
        (make_divisible(32 * WIDTH, 8, 16), "make_divisible(32·width, 8, 16)",
         r"\operatorname{make\_divisible}\left( 32 \cdot \mathit{width}, 8, 16 \right)"),
        ((64 * WIDTH + 7) // 8, "⌊(64·width + 7)/8⌋",
         r"\left\lfloor \frac{64 \cdot \mathit{width} + 7}{8} \right\rfloor"),
        (round(n * 8), "8·n", r"8 \cdot n"),
        (make_divisible(8 * n, 8, 8), "8·n", r"8 \cdot n"),
        (make_divisible(2 * n, 8, 8), "make_divisible(2·n, 8)",
         r"\operatorname{make\_divisible}\left( 2 \cdot n, 8 \right)"),
    ],
)  # fmt: skip
def test_how_roundings_are_written(value, text, latex):
    assert str(value) == text
    assert value.latex() == latex


def test_round_is_half_to_even():
    rounded = round(n / 2)
    for i in range(1, 9):
        assert rounded.evaluate(n=i) == round(Fraction(i, 2))


def test_multipliers_are_told_apart_from_sizes():
    both = 64 * WIDTH + n
    assert both.multipliers == {"width"}
    assert both.symbols == {"width", "n"}
    assert not both.is_whole
    assert math.floor(both) == n + math.floor(64 * WIDTH)
    assert symbol("n", whole=False) != n


@given(
    st.integers(1, 12), st.integers(-1, 4), st.fractions(0, 100, max_denominator=60),
    st.fractions(0, 20, max_denominator=60),
)  # fmt: skip
def test_roundings_that_never_fall(divisor, times, value, more):
    """The 10 % rule of make_divisible does not break its order where its least is a multiple."""
    least = times * divisor
    assert torchvision(value, divisor, least) <= torchvision(value + more, divisor, least)
    assert make_divisible(value, divisor, least) <= make_divisible(value + more, divisor, least)
    assert round(value) <= round(value + more)
    assert never_falls(make_divisible(32 * WIDTH, divisor, least) + 3 * n)
    assert never_falls(round(3 * WIDTH / 7))


def test_roundings_that_may_fall():
    assert (make_divisible(3, 8, 2), make_divisible(4, 8, 2)) == (10, 8)
    assert (torchvision(3, 8, 2), torchvision(4, 8, 2)) == (10, 8)
    assert not never_falls(make_divisible(32 * WIDTH, 8, 2))
    assert not never_falls(make_divisible(32 * WIDTH - 3 * n, 8, 8))
