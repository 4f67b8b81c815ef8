"""Upsampling."""

from fractions import Fraction
from itertools import count, product
from math import floor, prod

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convcalc.graph import Operation
from convcalc.layers.upsample import Upsample
from convcalc.view import Reach

from .naive import (
    Case,
    DoesNotFitError,
    Index,
    Run,
    Tensor,
    check_forward,
    each_axis,
    output_of,
    per_axis,
    positions,
    ramp,
    refusal,
    shapes,
    spatial,
    total,
)

WEIGHED = {"nearest": 1, "linear": 2, "bilinear": 2, "trilinear": 2, "cubic": 4, "bicubic": 4}
RANKS = {"bilinear": 2, "trilinear": 3, "bicubic": 2}


@st.composite
def upsamples(draw: st.DrawFn) -> tuple[Upsample, tuple[Index]]:
    x = draw(shapes())
    rank = len(x) - 2
    factors = st.sampled_from([1, 2, 3, Fraction(3, 2), Fraction(5, 4), Fraction(1, 3)])
    scale = per_axis(factors, rank)
    size = per_axis(st.integers(1, 6), rank)
    # both together and neither are refused
    said = draw(st.sampled_from(["scale"] * 8 + ["size"] * 4 + ["both", "neither"]))
    return Upsample(
        scale=draw(scale) if said in ("scale", "both") else None,
        size=draw(size) if said in ("size", "both") else None,
        mode=draw(st.sampled_from([*WEIGHED])),
        align_corners=draw(st.booleans()),
    ), (x,)


def naive_upsample(layer: Upsample, run: Run, x: Index) -> Tensor:
    sizes = spatial(x)
    rank = len(sizes)
    if RANKS.get(layer.mode, rank) != rank or (layer.align_corners and layer.mode == "nearest"):
        raise DoesNotFitError
    if layer.scale is not None and layer.size is not None:
        raise DoesNotFitError
    if layer.size is not None:
        due = each_axis(layer.size, rank)
    else:
        # as many whole positions as there is room for
        due = [
            next(m for m in count() if m + 1 > size * scale)
            for size, scale in zip(sizes, each_axis(layer.scale, rank), strict=True)
            if scale is not None
        ]
    if not due or 0 in due:
        raise DoesNotFitError
    output: Tensor = {}
    for sample, channel, *position in positions(*x[:2], *due):
        axes = [weighed(layer, *axis) for axis in zip(position, sizes, due, strict=True)]
        read = [
            (run.element(sample, channel, *(i for i, _ in each)), prod(w for _, w in each))
            for each in product(*axes)
        ]
        output[sample, channel, *position] = (
            read[0][0]
            if layer.mode == "nearest"
            else total(element * run.constant(factor) for element, factor in read)
        )
    return output


def weighed(layer: Upsample, i: int, size: int, due: int) -> list[tuple[int, float]]:
    """The elements that output i reads along an axis, and their weights."""
    if layer.mode == "nearest":
        return [(floor(Fraction(i * size, due)), 1.0)]
    if layer.align_corners:
        place = Fraction(i * (size - 1), due - 1) if due > 1 else Fraction(0)
    else:
        place = (i + Fraction(1, 2)) * Fraction(size, due) - Fraction(1, 2)
    reach = WEIGHED[layer.mode] // 2
    around = range(floor(place) - reach + 1, floor(place) + reach + 1)
    shape = triangle if reach == 1 else cubic
    return [(min(max(j, 0), size - 1), float(shape(abs(place - j)))) for j in around]


def triangle(distance: Fraction) -> Fraction:
    return 1 - distance


def cubic(d: Fraction, a: Fraction = Fraction(-3, 4)) -> Fraction:
    # as Keys writes it
    if d < 1:
        return (a + 2) * d**3 - (a + 3) * d**2 + 1
    return a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a


CASES = {"upsample": Case(upsamples(), naive_upsample, examples=60)}


def test_the_values_are_those_of_a_naive_run() -> None:
    check_forward(CASES["upsample"])


@pytest.mark.parametrize(
    ("layer", "due"),
    [
        (Upsample(size=7), [4, 4, 1, 1, 7, 7, 2]),
        (Upsample(size=7, mode="linear"), [4, 41 / 14, 17 / 14, 4, 93 / 14, 53 / 14, 2]),
        (Upsample(size=7, mode="linear", align_corners=True), [4, 2.5, 1, 4, 7, 4.5, 2]),
        (Upsample(size=3, mode="linear"), [3.5, 4, 17 / 6]),
        # bicubic, over an axis of 1 besides
        (Upsample(size=8, mode="cubic"),
         [4.31640625, 3.109375, 1.046875, 2.21875, 6.0625, 6.5, 3.34375, 1.47265625]),
        (Upsample(size=8, mode="cubic", align_corners=True),
         [4, 778 / 343, 611 / 686, 1697 / 686, 4001 / 686, 673 / 98, 32 / 7, 2]),
    ],
)  # fmt: skip
def test_values_of_pytorch(layer: Upsample, due: list[float]) -> None:
    # torch 2.14, nn.functional.interpolate
    numpy.testing.assert_allclose(output_of(layer, [[[4, 1, 7, 2]]]), [[due]], rtol=1e-14)


@pytest.mark.parametrize(
    ("aligned", "due"),
    [
        (False, [[1, 1.75, 3.25, 4], [5, 6.25, 8.75, 10], [9, 10.75, 14.25, 16]]),
        (True, [[1, 2, 3, 4], [5, 20 / 3, 25 / 3, 10], [9, 34 / 3, 41 / 3, 16]]),
    ],
)
def test_bilinear_values_of_pytorch(aligned: bool, due: list[list[float]]) -> None:
    # torch 2.14, nn.functional.interpolate
    layer = Upsample(size=(3, 4), mode="bilinear", align_corners=aligned)
    numpy.testing.assert_allclose(output_of(layer, ramp(1, 1, 2, 2) ** 2), [[due]], rtol=1e-14)


def test_a_scale_that_gives_no_whole_size_is_forgotten() -> None:
    # torch 2.14, nn.functional.interpolate with recompute_scale_factor: 7 → ⌊10.5⌋
    y = output_of(Upsample(scale=Fraction(3, 2), mode="linear"), [[[4, 1, 7, 2, 8, 6, 3]]])
    due = [4, 2.35, 2.5, 6.7, 3.75, 4.1, 7.9, 6.5, 4.65, 3]
    numpy.testing.assert_allclose(y, [[due]], rtol=1e-14)


def test_by_a_factor_that_is_not_whole() -> None:
    # torch.nn.Upsample: floor(size · scale)
    layer = Upsample(scale=Fraction(3, 2))
    assert Operation(layer, ((1, 4, 5, 6),)).output_shape == (1, 4, 7, 9)


def test_either_a_scale_or_a_size_is_due() -> None:
    text = "upsample needs either a scale, or a size, or like: a layer's name"
    assert refusal(Upsample(), (1, 2, 3)) == text
    assert refusal(Upsample(scale=2, size=3), (1, 2, 3)) == text


def test_a_scale_that_leaves_nothing_is_told_with_the_size() -> None:
    assert refusal(Upsample(scale=(2, Fraction(1, 4))), (1, 8, 5, 3)) == (
        "scale [2, 1/4] leaves nothing of width 3"
    )


def test_a_list_of_the_wrong_length_is_told_with_the_axes() -> None:
    assert refusal(Upsample(scale=(2, 3)), (1, 8, 5)) == (
        "scale has 2 values, but the input has 1 spatial axis (length)"
    )
    assert refusal(Upsample(size=(2, 3)), (1, 8, 5, 6, 7)) == (
        "size has 2 values, but the input has 3 spatial axes (depth, height, width)"
    )


@pytest.mark.parametrize(
    ("mode", "axes", "x", "general"),
    [
        ("bilinear", 2, (1, 8, 5), "linear"),
        ("trilinear", 3, (1, 8, 5, 6), "linear"),
        ("bicubic", 2, (1, 8, 5, 6, 7), "cubic"),
    ],
)
def test_a_mode_over_other_axes(mode: str, axes: int, x: Index, general: str) -> None:
    assert refusal(Upsample(scale=2, mode=mode), x) == (
        f"mode {mode} is over {axes} spatial axes, and the input has {len(x) - 2}. "
        f"mode: {general} is over any number."
    )


def test_it_needs_spatial_axes() -> None:
    assert refusal(Upsample(scale=2), (2, 3)) == (
        "upsample needs 1 to 3 spatial axes after [N, channels], and gets [2, 3]. "
        "A flattened tensor has none: put the layer before flatten."
    )


def test_corners_are_aligned_where_elements_are_interpolated() -> None:
    assert refusal(Upsample(scale=2, align_corners=True), (1, 8, 5, 6)) == (
        "align_corners says where to interpolate, and mode nearest repeats elements. "
        "mode: linear interpolates."
    )


def test_bicubic_weighs_sixteen() -> None:
    cost = Operation(Upsample(scale=2, mode="bicubic"), ((1, 3, 5, 7),)).cost
    assert (cost.multiplies, cost.adds) == (16 * 420, 15 * 420)


@pytest.mark.parametrize(("mode", "weighed"), [("linear", 2), ("cubic", 4)])
@given(st.integers(1, 8), st.integers(1, 20))
def test_aligned_corners_read_around_their_place(
    mode: str, weighed: int, size: int, out: int
) -> None:
    (view,) = Upsample(size=out, mode=mode, align_corners=True).window((1, 1, size)) or ()
    # numpy.linspace, in fractions
    step = Fraction(size - 1, out - 1) if out > 1 else Fraction()
    for i in range(out):
        place = i * step
        low, high = view.reads(i, i)
        assert high - low + 1 == weighed
        assert place - weighed // 2 < low <= place - weighed // 2 + 1
    reach = view.reach(Reach(size=5, stride=2, start=-1))
    assert reach.size == 5 + 2 * (weighed - 1)
    assert reach.start == -1 + 2 * view.reads(0, 0)[0]
    if out > 1:
        assert reach.stride == 2 * step
