"""Window arithmetic against loops that slide, scatter and list positions one by one."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from convcalc import arith
from convcalc.cost import Cost, dot_products, per_element
from convcalc.dim import Dim, symbol

SIZE, KERNEL, STRIDE, DILATION = (st.integers(1, high) for high in (40, 7, 5, 3))
PADDING = st.integers(0, 6)


def rows(*columns, where=lambda *row: True):
    """Several configurations at once: they become arrays, and no two axes look alike."""
    return st.lists(st.tuples(*columns).filter(lambda row: where(*row)), min_size=1, max_size=4)


def check(function, loop, rows):
    """The formula gives what the loop counts: for ints, for arrays, and for symbols."""
    expected = [loop(*row) for row in rows]
    assert [function(*row) for row in rows] == expected
    assert function(*map(np.array, zip(*rows, strict=True))).tolist() == expected
    for row, counted in zip(rows, expected, strict=True):
        values = {f"x{i}": value for i, value in enumerate(row) if value >= 1}
        for free in (list(values)[:1], list(values)):
            sizes = [symbol(f"x{i}") if f"x{i}" in free else v for i, v in enumerate(row)]
            form = function(*sizes)
            if isinstance(form, Dim):
                form = form.evaluate(**{name: values[name] for name in form.symbols})
            assert form == counted


def taps(start, kernel, dilation):
    return [start + dilation * i for i in range(kernel)]


def windows_inside(size, kernel, stride, before, after, dilation):
    count, start = 0, -before
    while taps(start, kernel, dilation)[-1] < size + after:
        count, start = count + 1, start + stride
    return count


WINDOWS = rows(SIZE, KERNEL, STRIDE, PADDING, PADDING, DILATION, where=windows_inside)


@given(rows(KERNEL, DILATION))
def test_span(rows):
    check(arith.span, lambda k, d: len(range(taps(0, k, d)[0], taps(0, k, d)[-1] + 1)), rows)


@given(WINDOWS)
def test_windows_slide_inside_the_padded_input(rows):
    def formula(size, kernel, stride, before, after, dilation):
        return arith.window_out(size, kernel, stride, before + after, dilation)

    check(formula, windows_inside, rows)


@given(SIZE, KERNEL, STRIDE, PADDING, DILATION)
def test_a_window_that_does_not_fit_has_no_output(size, kernel, stride, padding, dilation):
    inside = windows_inside(size, kernel, stride, 0, padding, dilation)
    assert (arith.window_out(size, kernel, stride, padding, dilation) > 0) == (inside > 0)


def pooled_in_ceil_mode(size, kernel, stride, before, after, dilation):
    """PyTorch's `pooling_output_shape`, window by window."""
    end = size + before + after
    starts = [0]
    while taps(starts[-1], kernel, dilation)[-1] + 1 < end:  # something is left over
        starts.append(starts[-1] + stride)
    return len([start for start in starts if start < before + size])


@given(WINDOWS)
@example([(5, 1, 3, 0, 0, 1), (4, 2, 3, 0, 1, 1), (6, 2, 5, 1, 1, 2)])
def test_ceil_mode(rows):
    check(arith.window_out_ceil, pooled_in_ceil_mode, rows)


def test_ceil_mode_in_squeezenet():
    # 224 → 111 → 55 → 27 → 13, the sizes of torchvision's squeezenet1_1
    size, sizes = arith.window_out(224, 3, 2, 0, 1), []
    for _ in range(3):
        size = arith.window_out_ceil(size, 3, 2, 0, 0, 1)
        sizes.append(size)
    assert sizes == [55, 27, 13]


def same_padding(size, kernel, stride, dilation):
    """The fewest zeros with which a window starts at every stride-th element."""
    padding = 0
    while windows_inside(size, kernel, stride, 0, padding, dilation) < len(range(0, size, stride)):
        padding += 1
    return padding


@given(rows(SIZE, KERNEL, STRIDE, DILATION))
def test_same_padding(rows):
    check(arith.same_padding, same_padding, rows)
    check(arith.same_out, lambda *row: len(range(0, *row)), [(row[0], row[2]) for row in rows])
    for size, kernel, stride, dilation in rows:
        total = arith.same_padding(size, kernel, stride, dilation)
        out = arith.window_out(size, kernel, stride, total, dilation)
        assert out == arith.same_out(size, stride)


def scattered(size, kernel, stride, padding, dilation, extra):
    """A transposed convolution adds one kernel per input element, then crops and extends."""
    hit = {i * stride + tap for i in range(size) for tap in taps(0, kernel, dilation)}
    return len(range(min(hit), max(hit) + 1)) - padding + extra


@given(rows(SIZE, KERNEL, STRIDE, PADDING, DILATION, st.integers(0, 4)))
def test_transposed_convolution_scatters(rows):
    check(arith.transposed_out, scattered, rows)
    for size, kernel, stride, padding, dilation, extra in rows:
        out = arith.transposed_out(size, kernel, stride, padding, dilation, extra % stride)
        assert arith.window_out(out, kernel, stride, padding, dilation) == size


@given(rows(st.integers(0, 30), st.integers(0, 60), STRIDE, where=lambda a, b, _: a <= b))
def test_slices(rows):
    check(arith.slice_out, lambda start, stop, step: len(range(start, stop, step)), rows)


@given(rows(SIZE, st.integers(1, 50)))
def test_adaptive_windows(rows):
    def windows(size, out):
        """Window i holds every element that the i-th of m equal parts touches."""
        edges = [Fraction(i * size, out) for i in range(out + 1)]
        parts = list(itertools.pairwise(edges))
        return sum(low < x + 1 and x < high for low, high in parts for x in range(size))

    check(arith.adaptive_taps, windows, rows)


@given(rows(SIZE, st.integers(1, 9), STRIDE, PADDING, DILATION), KERNEL)
def test_taps_inside_the_input(rows, kernel):
    def inside(size, positions, stride, before, dilation):
        starts = range(-before, -before + positions * stride, stride)
        return sum(tap in range(size) for start in starts for tap in taps(start, kernel, dilation))

    check(lambda size, out, *rest: arith.taps_inside(size, out, kernel, *rest), inside, rows)


@given(rows(SIZE, st.integers(0, 12)), st.fractions(Fraction(1, 8), 8, max_denominator=12))
def test_what_several_fields_cover(rows, stride):
    def covered(size, further):
        last = 0
        while last < stride * further:  # the last field starts at a whole position
            last += 1
        return last + size

    check(lambda size, further: arith.field_size(size, stride, further), covered, rows)


@given(rows(SIZE), st.fractions(Fraction(1, 8), 8, max_denominator=12))
def test_scaling(rows, scale):
    def whole_steps(size):
        return sum(1 for i in range(1, 8 * size + 1) if i <= size * scale)

    check(lambda size: arith.scaled_out(size, scale), whole_steps, rows)


@given(rows(st.integers(-30, 60), st.integers(1, 9)))
def test_ceil_div(rows):
    check(arith.ceil_div, lambda a, b: next(q for q in itertools.count(-31) if q * b >= a), rows)


@given(rows(st.integers(1, 5), st.integers(1, 6), st.integers(0, 4)))
def test_product(rows):
    def count(*sizes):
        return len(list(itertools.product(*map(range, sizes))))

    check(lambda *sizes: arith.product(sizes), count, rows)
    assert arith.product([]) == 1


@given(rows(st.integers(-9, 9), st.integers(-9, 9)))
def test_extrema(rows):
    check(arith.maximum, lambda a, b: sorted((a, b))[1], rows)
    check(arith.minimum, lambda a, b: sorted((a, b))[0], rows)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (arith.window_out(symbol("H"), 3, 2, 2, 1), "⌈H/2⌉"),
        (arith.window_out(symbol("H"), symbol("k"), 1, 0, 2), "H − 2·k + 2"),
        (arith.window_out_ceil(symbol("H"), 3, 2, 0, 0, 1), "⌊H/2⌋"),
        (arith.window_out_ceil(symbol("H"), 3, 2, 1, 1, 1), "⌊(H + 2)/2⌋"),
        (arith.same_out(symbol("H"), 4), "⌈H/4⌉"),
        (arith.same_padding(symbol("H"), 3, 1, 1), "2"),
        (arith.same_padding(symbol("H"), 3, 2, 1), "2·⌈H/2⌉ − H + 1"),
        (arith.same_padding(symbol("H"), 1, 2, 1), "0"),
        (arith.same_padding(symbol("H"), 2, 3, 1), "max(0, 3·⌈H/3⌉ − H − 1)"),
        (arith.transposed_out(symbol("H"), 4, 2, 2, 1, 0), "2·H"),
        (arith.adaptive_taps(symbol("H"), 7), "H − gcd(7, H) + 7"),
        (arith.scaled_out(symbol("H"), Fraction(3, 2)), "H + ⌊H/2⌋"),
    ],
)
def test_closed_forms(size, text):
    assert str(size) == text


# -- costs ----------------------------------------------------------------------------------------


class Counted:
    """A number that counts what is done with it."""

    multiplies = adds = 0

    def __mul__(self, other):
        Counted.multiplies += 1
        return self

    def __add__(self, other):
        Counted.adds += 1
        return self


@given(st.integers(1, 6), st.integers(1, 7), st.booleans())
def test_dot_products(count, length, bias):
    Counted.multiplies = Counted.adds = 0
    for _ in range(count):
        total, *products = [Counted() * Counted() for _ in range(length)]
        for term in (*products, *[Counted()] * bias):
            total += term
    cost = dot_products(count, length, bias)
    assert cost == Cost(macs=Counted.multiplies, multiplies=Counted.multiplies, adds=Counted.adds)
    assert cost.flops == 2 * count * length


def test_cost_per_element():
    H = symbol("H")
    assert per_element(3 * H, adds=2, exps=1, divides=0) == Cost(adds=6 * H, exps=3 * H)
