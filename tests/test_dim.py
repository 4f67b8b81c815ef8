"""Dim against Python's integers, against SymPy, and against what a person would write."""

import itertools
import math
import operator
import re
import time
from fractions import Fraction

import numpy as np
import pytest
import sympy
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from convcalc import arith
from convcalc.dim import Dim, at_least, bounds, equal, gcd, maximum, minimum, symbol
from convcalc.errors import ConvcalcError, UndecidableError
from convcalc.spec.expressions import MAX_DEPTH, MAX_TEXT, parse

NAMES = ("H", "W", "N", "k")
H, W, N, k = map(symbol, NAMES)
SYMBOLIC = {"H": H, "W": W, "N": N, "k": k}

# -- random expressions: a name, a number, or (operator, left, right) -----------------------------

OPERATORS = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "//": operator.floordiv,
    "%": operator.mod, "/": lambda a, b: (a if isinstance(a, Dim) else Fraction(a)) / b,
}  # fmt: skip
DIMS = {**OPERATORS, "max": maximum, "min": minimum, "gcd": gcd, "ceil_div": arith.ceil_div}
NUMBERS = {"max": max, "min": min, "gcd": math.gcd, "ceil_div": lambda a, b: -(-a // b)}
NUMBERS |= OPERATORS


def trees(operators="+ - * // % max min gcd ceil_div", names=NAMES, max_leaves=12):
    name, positive = st.sampled_from(names), st.integers(1, 12)

    def grown(children):
        right = {"/": positive, "ceil_div": positive | name}
        right["//"] = right["%"] = positive | positive | st.integers(-5, -1) | name | children
        return st.one_of(
            st.tuples(st.just(o), children, right.get(o, children)) for o in operators.split()
        )

    return st.recursive(name | st.integers(-9, 20), grown, max_leaves=max_leaves)


def points(low=1, high=40):
    return st.fixed_dictionaries(dict.fromkeys(NAMES, st.integers(low, high)))


def run(tree, values, operators):
    if isinstance(tree, tuple):
        name, left, right = tree
        return operators[name](run(left, values, operators), run(right, values, operators))
    return values[tree] if isinstance(tree, str) else tree


def symbolic(tree):
    """The tree as a Dim or a number; no example where it divides by 0 whatever the values."""
    try:
        return run(tree, SYMBOLIC, DIMS)
    except ZeroDivisionError:
        assume(False)


def number(tree, point):
    """The tree as Python computes it, None where it divides by 0."""
    try:
        return run(tree, point, NUMBERS)
    except ZeroDivisionError:
        return None


def evaluated(value, point):
    if not isinstance(value, Dim):
        return value
    return value.evaluate(**{name: point[name] for name in value.symbols})


@settings(max_examples=400)
@given(trees(), st.lists(points(), min_size=3, max_size=3))
def test_an_expression_is_what_python_computes(tree, several):
    dim = symbolic(tree)
    for point in several:
        expected = number(tree, point)
        assert expected is None or evaluated(dim, point) == expected


# -- texts: three readers of what the signs mean, all by Python's own grammar ---------------------

SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹"
SIGNS = {"·": "*", "−": "-", "⌊": "F(floor(", "⌋": "))", "⌈": "F(ceil(", "⌉": "))"}
COMMANDS = {r"\cdot": "*", r"\left(": "(", r"\right)": ")", r"\m": "m", r"\g": "g"}
FRACTION = re.compile(
    r"(?:\\left\\l(floor|ceil) )?\\frac{([^{}]*)}{([^{}]*)}(?: \\right\\r(?:floor|ceil))?"
)


def compute(text, point, signs):
    text = re.sub(r"(?<![\w*])\d+", r"F(\g<0>)", text)
    for sign, python in signs.items():
        text = text.replace(sign, python)
    while FRACTION.search(text):
        text = FRACTION.sub(r"F(\1((\2)/(\3)))", text)
    names = {name: Fraction(value) for name, value in point.items()}
    names["gcd"] = lambda a, b: Fraction(math.gcd(int(a), int(b)))
    return eval(text, {"F": Fraction, "floor": math.floor, "ceil": math.ceil}, names)


def read_text(text, point):
    digits = str.maketrans(SUPERSCRIPTS, "0123456789")
    text = re.sub(r"(?<=\d),(?=\d{3})", "", text)
    text = re.sub(f"[{SUPERSCRIPTS}]+", lambda m: "**" + m[0].translate(digits), text)
    return compute(text, point, SIGNS)


def read_latex(latex, point):
    return compute(re.sub(r"\^{(\d+)}", r"**\1", latex.replace("{,}", "")), point, COMMANDS)


@settings(max_examples=600)
@given(trees("+ - * // // + - * // % max min gcd ceil_div"), points())
@example(("*", ("//", ("-", "H", 7), 4), ("+", ("//", ("-", "W", 7), 4), 2)), {"H": 5, "W": 9})
@example(("*", ("*", ("-", "H", 4), ("-", "H", 4)), ("+", "W", 1)), {"H": 2, "W": 3})
@example(("+", ("%", 5, "H"), ("%", ("*", "W", 2000), ("*", "H", 3))), {"H": 7, "W": 5})
def test_texts_read_back(tree, point):
    dim = symbolic(tree)
    assume(isinstance(dim, Dim) and number(tree, point) is not None)
    value, python = evaluated(dim, point), dim.python()
    assert read_text(str(dim), point) == value
    assert read_latex(dim.latex(), point) == value
    assert eval(python, {"gcd": math.gcd}, dict(point)) == value
    if len(python) < MAX_TEXT and python.count(" ") < MAX_DEPTH:
        assert parse(python).evaluate(SYMBOLIC) == dim


@settings(max_examples=200)
@given(trees("+ - * / // % max min"), points())
@example(("//", ("max", ("/", "H", 2), ("/", "W", 3)), 1), {"H": 5, "W": 2, "N": 1, "k": 1})
def test_fractions_are_exact(tree, point):
    dim = symbolic(tree)
    expected = number(tree, {name: Fraction(size) for name, size in point.items()})
    assume(isinstance(dim, Dim) and expected is not None)
    value = evaluated(dim, point)
    assert value == expected == read_text(str(dim), point) == read_latex(dim.latex(), point)
    assert isinstance(value, int if expected.denominator == 1 else Fraction)
    if dim.python().count(" ") < MAX_DEPTH:
        assert parse(dim.python()).evaluate(SYMBOLIC) == dim
    for rounded in (math.floor, math.ceil):
        assert evaluated(rounded(dim), point) == rounded(expected)


def conv(size, kernel, stride, padding):
    return arith.window_out(size, kernel, stride, 2 * padding, 1)


def resnet50_macs():
    """The convolutions of ResNet-50, layer by layer, as torchvision builds it."""
    h, w = conv(H, 7, 2, 3), conv(W, 7, 2, 3)
    macs = 7 * 7 * 3 * 64 * h * w
    h, w, channels = conv(h, 3, 2, 1), conv(w, 3, 2, 1), 64
    for width, depth, first in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
        for stride in (first, *[1] * (depth - 1)):
            below = h * w
            h, w = conv(h, 3, stride, 1), conv(w, 3, stride, 1)
            macs += channels * width * below + (9 + 4) * width * width * h * w
            macs += 4 * channels * width * h * w if channels != 4 * width else 0
            channels = 4 * width
    return N * (macs + channels * 1000)


def alternating(terms):
    return sum((-1) ** i * ((H + i) // (i + 2)) for i in range(terms))


def nested(levels):
    size = H
    for _ in range(levels):
        size = (3 * size + 3) // 4
    return size


def doubling(levels):
    """Every level holds the one below twice: a text of 2^levels, were it not refused."""
    size = H
    for _ in range(levels):
        size = maximum((size - W) // 2, (size + 5) // 3)
    return size


@pytest.mark.parametrize(
    ("dim", "text"),
    [
        (
            resnet50_macs(),
            "N·(9,408·⌈H/2⌉·⌈W/2⌉ + 245,760·⌈H/4⌉·⌈W/4⌉ + 1,310,720·⌈H/8⌉·⌈W/8⌉ + "
            "7,471,104·⌈H/16⌉·⌈W/16⌉ + 14,417,920·⌈H/32⌉·⌈W/32⌉ + 2,048,000)",
        ),
        (conv(H, 11, 4, 2) * conv(W, 11, 4, 2), "⌊(H − 3)/4⌋·⌊(W − 3)/4⌋"),
        (conv(H, 11, 4, 2), "⌊(H − 3)/4⌋"),
        ((H - 4) * (W - 4), "(H − 4)·(W − 4)"),
        ((H + 3) ** 9 * (W - 2) ** 2 + H, "(H + 3)⁹·(W − 2)² + H"),
        (3 * (H - 4) * N, "3·N·(H − 4)"),
        (4 - H, "4 − H"),
        (-H - W, "−H − W"),
        (-3 * H, "−3·H"),
        (k * W * H * N, "N·H·W·k"),
        (H**3 * W**10, "H³·W¹⁰"),
        (W + H**2 + 1_234_567, "H² + W + 1,234,567"),
        (H * (H + 1) / 2, "H·((1/2)·H + (1/2))"),
        (H / 2000, "(1/2,000)·H"),
        ((2 * H + 3) // 2, "H + 1"),
        (((H + 1) // 2 + 1) // 2, "⌈H/4⌉"),
        (-H // 2, "⌊H/2⌋ − H"),
        (5 // H + -2 // W, "⌊−2/W⌋ + ⌊5/H⌋"),
        ((3 * W + 5) // (2 * W), "⌊(W + 5)/(2·W)⌋ + 1"),
        ((H * W) // (k + 1), "⌊(H·W)/(k + 1)⌋"),
        (maximum(0, 7 - H, maximum(W - H, -2)), "max(0, 7 − H, W − H)"),
        (minimum(H // 2, W, 9) ** 2, "min(9, ⌊H/2⌋, W)²"),
        (gcd(6, H) + gcd(H - 5, 5 - H) + gcd(W, 3 * W), "W + gcd(6, H) + max(5 − H, H − 5)"),
        (alternating(3), "⌊H/2⌋ − ⌊(H + 1)/3⌋ + ⌊(H + 2)/4⌋"),
    ],
)
def test_text(dim, text):
    assert str(dim) == repr(dim) == f"{dim}" == f"{dim:,}" == text
    assert f"{dim:>200}" == text.rjust(200)
    assert dim._repr_latex_() == f"${dim.latex()}$"


@pytest.mark.parametrize(
    ("dim", "latex"),
    [
        ((H - 4) ** 2 * W, r"\left( H - 4 \right)^{2} \cdot W"),
        (-((H + 1) // 2) + 2048 * W, r"2{,}048 \cdot W - \left\lceil \frac{H}{2} \right\rceil"),
        ((H // 3) ** 2, r"\left\lfloor \frac{H}{3} \right\rfloor^{2}"),
        (H / 2, r"\frac{1}{2} \cdot H"),
        (maximum(H, W), r"\max\left( H, W \right)"),
        (symbol("in_size") * 2, r"2 \cdot \mathit{in\_size}"),
    ],
)
def test_latex(dim, latex):
    assert dim.latex() == latex


# -- the canonical form ---------------------------------------------------------------------------


def test_constants_are_plain_ints():
    double = 4 * H + 2, 2 * H + 1
    for value in (
        H - H, H * 0, (H + 3) - H, 2 * H // H, 0 // H, 4 % (H / H), operator.truediv(*double),
        operator.floordiv(*double), maximum(3, 4), minimum(H / 2 + 5, 1), minimum(H, Fraction(1)),
    ):  # fmt: skip
        assert type(value) is int
    assert H / 2 * 2 == H
    assert (H / 2).is_whole is False


@settings(max_examples=200)
@given(trees("+ - * // max"), trees("+ - * % min"), trees("+ - * // gcd"))
@example(0, 0, ("//", ("-", "H", 1), "H"))
def test_the_laws_of_a_ring_hold_structurally(x, y, z):
    a, b, c = map(symbolic, (x, y, z))
    for left, right in (
        (a + b, b + a), (a * b, b * a), ((a + b) + c, a + (b + c)), ((a * b) * c, a * (b * c)),
        (a * (b + c), a * b + a * c), (a - b, -(b - a)), ((a + b) - b, a), (+a, a * 1),
        ((a + b) ** 2, a * a + 2 * a * b + b**2), (maximum(a, b, c), maximum(c, b, a)),
    ):  # fmt: skip
        assert left == right
        assert hash(left) == hash(right)
        assert str(left) == str(right)
        assert isinstance(left, Dim) == isinstance(right, Dim)


@given(trees(), st.integers(-9, 9).filter(bool))
def test_division_undoes_multiplication(tree, n):
    a = symbolic(tree)
    assert a * n // n == a
    assert a * n % n == 0
    assert (a * H) // H == a
    assert (a * H) / H == a
    assert (a // n) * n + a % n == a
    assert (a // H) * H + a % H == a
    assert (a + n) // n == a // n + 1
    assert (-a) // n == a // -n
    assert (a * W + H) // (W * n) == (a * W * 6 + H * 6) // (W * n * 6)


@given(trees("+ - *"), trees("+ - *"), st.integers(1, 9), st.integers(1, 9))
def test_nested_floors_merge(x, y, b, c):
    a, r = symbolic(x), symbolic(y)
    assert (a // b) // c == a // (b * c)
    assert (a // b + r) // c == (a + r * b) // (b * c)


@given(trees("+ - *"))
def test_polynomials_expand_as_in_sympy(tree):
    letters = dict(zip(NAMES, sympy.symbols(NAMES), strict=True))
    expected = sympy.expand(run(tree, letters, OPERATORS))
    dim = symbolic(tree)
    if isinstance(dim, int):
        assert dim == expected
    else:
        assert sympy.expand(eval(dim.python(), letters)) == expected
        assert len(dim.terms) == len(sympy.Add.make_args(expected))


@settings(max_examples=60)
@given(trees("+ - * // % max min", max_leaves=8), points(high=10**6))
def test_floors_are_those_of_sympy(tree, point):
    letters = {name: sympy.Symbol(name, integer=True, positive=True) for name in NAMES}
    functions = {"max": sympy.Max, "min": sympy.Min}
    dim = symbolic(tree)
    assume(isinstance(dim, Dim) and number(tree, point) is not None)
    ours = eval(dim.python(), {**functions, **letters})
    theirs = run(tree, letters, {**DIMS, **functions})
    at = {letters[name]: value for name, value in point.items()}
    assert ours.subs(at) == theirs.subs(at) == evaluated(dim, point)


# -- comparison -----------------------------------------------------------------------------------

PLANE = [dict(zip("HW", p, strict=True)) for p in itertools.product((*range(1, 13), 999), repeat=2)]
RELATIONS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


@settings(max_examples=400)
@given(trees(names="HW"), trees(names="HW"))
@example(("-", "H", ("//", "H", 2)), ("//", ("-", 5, "W"), 3))
@example(("//", ("+", "H", 1), 2), ("//", "H", 2))
@example(("*", ("-", 3, "H"), ("-", 3, "W")), ("//", ("-", 3, "H"), "W"))
@example(("//", ("-", "H", 9), ("+", "W", 1)), ("gcd", "H", "W"))
@example(("gcd", ("-", "H", 1), ("-", "W", 1)), 1)
@example(("/", "H", 2), 1)
def test_what_is_decided_is_right(x, y):
    a, b = symbolic(x), symbolic(y)
    assume(isinstance(a, Dim))
    pairs = [(number(x, point), number(y, point)) for point in PLANE]
    pairs = [pair for pair in pairs if None not in pair]
    for sign, relation in RELATIONS.items():
        try:
            decided = relation(a, b)
        except UndecidableError as undecided:
            message = str(undecided)
        else:
            assert all(relation(p, q) is decided for p, q in pairs)
            continue
        assert message.startswith(f"whether {a} {sign} {b} depends on ")
        assert re.search(r"\. Give [HW, ]+ a number\.$", message)
    assert all(at_least(a, b) in (None, p >= q) for p, q in pairs)
    assert all(equal(a, b) in (None, p == q) for p, q in pairs)
    low, high = bounds(a)
    assert all(low is None or low <= p for p, _ in pairs)
    assert all(high is None or p <= high for p, _ in pairs)


@pytest.mark.parametrize(
    ("smaller", "larger"),
    [
        (1, H), (2, H + W), (H, 2 * H), (H // 2, H), (0, H // 2), (H // 2, (H + 1) // 2),
        (1, H - H // 2 + W // 5), (H + 1, 2 * H + 2 - H // 2), ((H + 1) // 4, (H + 3) // 4),
        (-H // 3, 0), (H // 3 - H + 1, 1), (1, minimum(H, W)), (maximum(3 - H, -H), 2),
        (1, gcd(H, W)), (0, 5 // H), (5 // H, 5), (0, H * (W // 2)), (Fraction(1, 2), H),
        (-1, (3 - H) // 2 - (3 - H) // 4 + H),
    ],
)  # fmt: skip
def test_what_must_be_decided(smaller, larger):
    assert at_least(larger, smaller) is True
    assert larger + 1 > smaller
    assert not smaller >= larger + 1


def test_what_depends_on_the_symbols_says_so():
    with pytest.raises(UndecidableError) as caught:
        bool(H // 2 < W)
    assert str(caught.value) == "whether ⌊H/2⌋ < W depends on H, W. Give H, W a number."
    with pytest.raises(UndecidableError, match=r"H has no truth value.*branch on the config"):
        bool(H)
    with pytest.raises(UndecidableError):
        max(H, 2)
    assert equal(H + 1, H) is False
    assert equal(2 * (H // 2), H) is at_least(H, 2) is None
    assert equal((H - 1) // H, 0) is True
    assert H != 1
    assert H - 1 != H - 2  # though they hash alike
    with pytest.raises(TypeError, match="not supported between"):
        H < "3"  # noqa: B015


# -- evaluation -----------------------------------------------------------------------------------

SHAPES = {"H": (3, 1), "W": (2,), "N": (1, 1)}


@st.composite
def arrays(draw):
    """Arrays that broadcast, of several types and of sizes that overflow 64 bits in a product."""
    drawn = {"k": draw(st.integers(1, 2**40))}
    for name, shape in SHAPES.items():
        dtype = np.dtype(draw(st.sampled_from(["uint8", "int32", "int64", "uint64", "object"])))
        high = 2**66 if dtype.kind == "O" else min(2**40, np.iinfo(dtype).max)
        sizes = draw(st.lists(st.integers(1, high), min_size=3, max_size=3))
        drawn[name] = np.array(sizes[: math.prod(shape)], dtype).reshape(shape)
    return drawn


@settings(max_examples=300)
@given(trees("+ - * // % max min gcd"), arrays())
@example("H", dict.fromkeys("HWNk", np.array([2**63], np.uint64)))
@example(("/", ("*", "H", ("+", "H", 1)), 2), dict.fromkeys("HWNk", np.array([2**32, 7])))
def test_arrays_are_a_loop_over_ints(tree, drawn):
    dim = symbolic(tree)
    assume(isinstance(dim, Dim))
    expected = []
    grid = np.broadcast_arrays(*drawn.values())
    for sizes in zip(*(array.flat for array in grid), strict=True):
        expected.append(number(tree, dict(zip(drawn, map(int, sizes), strict=True))))
    try:
        result = np.asarray(dim.compile()(**{name: drawn[name] for name in dim.symbols}))
    except ConvcalcError:
        assert None in expected
        return
    assert result.dtype.kind in "iO"
    for ours, theirs in zip(np.broadcast_to(result, grid[0].shape).flat, expected, strict=True):
        assert theirs is None or int(ours) == ours == theirs


@given(trees(), trees("+ * max min"), points())
def test_dims_may_be_put_in(tree, other, point):
    dim, size = symbolic(tree), symbolic(other)
    assume(isinstance(dim, Dim) and at_least(size, 1))
    inner = number(tree, {**point, "H": evaluated(size, point), "W": 7})
    try:
        put_in = dim.evaluate(**{n: {**SYMBOLIC, "H": size, "W": 7}[n] for n in dim.symbols})
    except (ZeroDivisionError, ConvcalcError):
        put_in = inner
    assert inner is None or evaluated(put_in, point) == inner


def test_arrays_of_any_size():
    empty = np.array([], int)
    dim = maximum(H // 3, W - 5) * gcd(H, W) // 2
    assert dim.evaluate(H=empty, W=empty).shape == (0,)
    assert dim.evaluate(H=empty.reshape(0, 1), W=np.array([1, 2])).shape == (0, 2)
    assert (H // (W - 3)).evaluate(H=2, W=empty).shape == (0,)
    assert (H + 1).evaluate(H=np.int32(4)) == (H + 1).evaluate(H=np.array(4)) == 5
    halves = (H / 2).evaluate(H=np.array([4, 5]))
    assert halves.tolist() == [2, Fraction(5, 2)]
    assert (H**2).evaluate(H=np.array([2**40])).tolist() == [2**80]
    assert (2**40 * H).evaluate(H=np.array([2**40])).tolist() == [2**80]
    assert (H * W // 2**40).evaluate(H=2**40, W=np.array([2**40])).tolist() == [2**40]
    assert symbol("self").evaluate(**{"self": 4}) == 4
    assert H.evaluate(H=3, N=2) == 3


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, r"no value for H, W in H \+ W"),
        ({"W": 1}, "no value for H in"),
        ({"H": 1, "W": 1, "height": 2}, r"'height' is no symbol of this formula \(it has: H, W\)"),
        ({"H": 1, "WW": 1, "W": 1}, "'WW' is no symbol .* Did you mean 'W'"),
        ({"H": np.array([1.0]), "W": 1}, "H: an integer array is due, not float64"),
        ({"H": np.array([1.5], object), "W": 1}, "H: an integer array is due, not object"),
        ({"H": np.array([True]), "W": 1}, "H: an integer array is due, not bool"),
        ({"H": np.float32(3), "W": 1}, "H: an integer array is due, not float32"),
        ({"H": np.array([1]), "W": 2 * N}, "W: numbers and arrays go with arrays, not 2·N"),
        ({"H": 224.0, "W": 1}, "H: a whole number is due, not 224.0"),
        ({"H": [1, 2], "W": 1}, r"H: a whole number is due, not \[1, 2\]"),
        ({"H": N / 2, "W": 1}, r"H: a whole number is due, not \(1/2\)·N"),
    ],
)
def test_what_cannot_be_put_in(values, message):
    with pytest.raises(ConvcalcError, match=message):
        (H + W).evaluate(**values)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        (lambda: H**-1, "exponent must be a whole number"),
        (lambda: H / W, r"\(H\) / \(W\) is no polynomial; use //"),
        (lambda: 1 / H, r"1 / \(H\) is no polynomial"),
        (lambda: gcd(H / 2, 2), r"gcd\(\(1/2\)·H, 2\): both must be whole"),
        (lambda: (H // (W - 3)).evaluate(H=2, W=3), r"division by zero: W − 3 in ⌊H/\(W − 3\)⌋"),
        (lambda: (H % (W - 3)).evaluate(H=2, W=np.array([2, 3])), "division by zero: W − 3"),
        (lambda: nested(60), "nested more than 50 levels deep"),
        (lambda: doubling(12), "or of more than 1,000 parts"),
        (lambda: maximum(*(i * H - i * i for i in range(60))), "max of more than 32 sizes"),
    ],
)
def test_what_has_no_value(expression, message):
    with pytest.raises(ConvcalcError, match=message):
        expression()


@pytest.mark.parametrize(
    "build",
    [
        lambda: sum((i + 1) * ((H + i) // (i + 2)) * ((W + 1) // (i + 2)) for i in range(100)),
        lambda: sum((i + 1) * (H + i + 1) * ((W + 1) // (i + 2)) for i in range(100)),
        lambda: (H + 3) ** 9 * (W - 2) ** 9 + (H - 1) ** 5,
        lambda: (H + W + N + k + 1) ** 4,
        lambda: alternating(100),
        lambda: nested(49),
        lambda: doubling(5),
    ],
    ids=["floors", "shifts", "dense", "sparse", "alternating", "nested", "doubling"],
)
def test_long_formulas_are_quick(build):
    dim, point = build(), {"H": 50, "W": 3, "N": 2, "k": 5}
    assert read_text(str(dim), point) == evaluated(dim, point)
    seconds = []
    for _ in range(3):
        fresh = build()
        start = time.process_time()
        str(fresh), bounds(fresh)
        seconds.append(time.process_time() - start)
    assert min(seconds) < 0.05
