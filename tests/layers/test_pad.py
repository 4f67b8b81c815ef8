"""Padding as a layer of its own."""

from typing import Any

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

import convcalc
from convcalc.analysis.receptive_field import receptive_fields
from convcalc.errors import ConvcalcError
from convcalc.fields import Padding
from convcalc.graph import Operation
from convcalc.layers.conv import Conv
from convcalc.layers.pad import Amounts, Pad

from .naive import (
    Case,
    DoesNotFitError,
    Index,
    Run,
    Tensor,
    check_forward,
    each_axis,
    output_of,
    pads_of,
    per_axis,
    positions,
    ramp,
    refusal,
    shapes,
    spatial,
)

MODES = ["constant", "reflect", "replicate"]


@st.composite
def pads(draw: st.DrawFn) -> tuple[Pad, tuple[Index]]:
    x = draw(shapes((1, 2, 3) * 4 + (0,)))
    rank = max(1, len(x) - 2)
    amount = st.integers(0, 3)
    pairs = st.tuples(*[st.tuples(amount, amount)] * rank)
    larger = st.tuples(*(st.integers(n, n + 3) for n in x[2:] or (1,)))
    said = draw(st.sampled_from(["padding"] * 8 + ["size"] * 4 + ["both", "neither"]))
    return Pad(
        padding=draw(per_axis(amount, rank) | pairs) if said in ("padding", "both") else None,
        size=draw(larger | per_axis(st.integers(1, 8), rank)) if said in ("size", "both") else None,
        mode=draw(st.sampled_from(MODES)),
    ), (x,)


def naive_pad(layer: Pad, run: Run, x: Index) -> Tensor:
    sizes = spatial(x)
    if (layer.padding is None) == (layer.size is None):
        raise DoesNotFitError
    if layer.size is None:
        amounts = pads_of(layer.padding, len(sizes))
    else:
        amounts = [
            sides(n, due) for n, due in zip(sizes, each_axis(layer.size, len(sizes)), strict=True)
        ]
    axes = [padded(n, *both, layer.mode) for n, both in zip(sizes, amounts, strict=True)]
    if layer.mode == "constant":
        starts = [-before for before, _ in amounts]
        run.taps = [
            [[start + i] for i, _ in enumerate(axis)]
            for start, axis in zip(starts, axes, strict=True)
        ]
    output: Tensor = {}
    for place in positions(*x[:2]):
        for position in positions(*map(len, axes)):
            source = [axis[i] for axis, i in zip(axes, position, strict=True)]
            output[*place, *position] = (
                run.constant(0) if None in source else run.element(*place, *source)
            )
    return output


def sides(size: int, due: int) -> tuple[int, int]:
    """One after, one before, and so on, until the size is reached."""
    before = after = 0
    if due < size:
        raise DoesNotFitError
    while before + size + after < due:
        before, after = (before + 1, after) if after > before else (before, after + 1)
    return before, after


def padded(size: int, before: int, after: int, mode: str) -> list[int | None]:
    """For each position of the padded axis, that of the input it is copied from."""
    source = numpy.arange(size)
    if mode == "reflect" and max(before, after) >= size:
        raise DoesNotFitError
    if mode == "constant":
        axis = numpy.pad(source, (before, after), constant_values=-1)
    else:
        axis = numpy.pad(source, (before, after), mode={"replicate": "edge"}.get(mode, mode))  # type: ignore[call-overload]
    return [None if i < 0 else int(i) for i in axis]


CASES = {"pad": Case(pads(), naive_pad, examples=120)}


def test_the_values_are_those_of_a_naive_run() -> None:
    check_forward(CASES["pad"])


@pytest.mark.parametrize(
    ("mode", "due"),
    [
        ("constant", [[0, 0, 0, 0, 0, 0], [0, 0, 1, 2, 3, 0], [0, 0, 4, 5, 6, 0]]),
        ("reflect", [[6, 5, 4, 5, 6, 5], [3, 2, 1, 2, 3, 2], [6, 5, 4, 5, 6, 5]]),
        ("replicate", [[1, 1, 1, 2, 3, 3], [1, 1, 1, 2, 3, 3], [4, 4, 4, 5, 6, 6]]),
    ],
)
def test_values_of_pytorch(mode: str, due: list[list[int]]) -> None:
    # torch 2.14, nn.functional.pad with (2, 1, 1, 0)
    layer = Pad(padding=((1, 0), (2, 1)), mode=mode)
    assert output_of(layer, ramp(1, 1, 2, 3)).tolist() == [[due]]


@given(st.integers(1, 6), st.integers(0, 5), st.integers(0, 5), st.sampled_from(MODES))
def test_every_position_reads_what_it_copies(size: int, before: int, after: int, mode: str) -> None:
    layer = Pad(padding=((before, after),), mode=mode)
    try:
        axis = padded(size, before, after, mode)
    except DoesNotFitError:
        refusal(layer, (1, 1, size))
        return
    (view,) = layer.window((1, 1, size))
    for first in range(len(axis)):
        for last in range(first, len(axis)):
            copied = [i for i in axis[first : last + 1] if i is not None]
            low, high = view.reads(first, last)
            if mode == "constant":  # clipped by whoever asks
                low, high = max(low, 0), min(high, size - 1)
            assert (min(copied), max(copied)) == (low, high) if copied else low > high


@pytest.mark.parametrize("mode", MODES)
def test_a_padded_layer_reads_as_one_with_padding(mode: str) -> None:
    apart = convcalc.from_dict({
        "input": [3, 20, 22],
        "layers": [{"pad": {"padding": [[1, 2], [3, 4]], "mode": mode}},
                   {"conv": {"out_channels": 4, "kernel": 5, "stride": 2}}],
    })  # fmt: skip
    whole = convcalc.from_dict({
        "input": [3, 20, 22],
        "layers": [{"conv": {"out_channels": 4, "kernel": 5, "stride": 2,
                             "padding": [[1, 2], [3, 4]]}}],
    })  # fmt: skip
    one, other = (receptive_fields(net.graph)[net.graph.nodes[-1]] for net in (apart, whole))
    assert one == other
    assert apart.graph.nodes[-1].shape == whole.graph.nodes[-1].shape


def test_style_transfer_with_reflection() -> None:
    # Johnson, Alahi, Fei-Fei 2016, supplementary, table 1: 40 on each side of 256
    assert Operation(Pad(padding=40, mode="reflect"), ((1, 3, 256, 256),)).output_shape == (
        (1, 3, 336, 336)
    )


def test_like_takes_the_size_of_another_layer() -> None:
    net = convcalc.loads("""
        input: [3, 9, 12]
        layers:
          - relu
          - name: wide
            identity:
          - conv: {out_channels: 3, kernel: 4}
          - pad: {like: wide}
    """)
    assert net.graph.nodes[-1].shape == (1, 3, 9, 12)
    assert net.graph.nodes[-1].op.layer.window((1, 3, 6, 9))[0].before == 1


def test_what_was_not_padded_is_no_padding_of_the_convolution() -> None:
    # the zeros are an input of the convolution: all its products count
    conv = Conv(out_channels=1, kernel=3)
    (x,) = (Operation(Pad(padding=1), ((1, 1, 4, 4),)).output_shape,)
    assert conv.macs_nonpad(x) == conv.cost(x).macs == 144


def test_either_amounts_or_a_size_is_due() -> None:
    text = "pad needs either a padding, or a size, or like: a layer's name"
    assert refusal(Pad(), (1, 2, 3)) == text
    assert refusal(Pad(padding=1, size=5), (1, 2, 3)) == text


def test_what_cannot_be_padded_is_told_with_both_numbers() -> None:
    assert refusal(Pad(size=(4, 9)), (1, 3, 5, 7)) == (
        "pad to height 4 of height 5. Padding cannot shrink: crop can."
    )
    assert refusal(Pad(padding=((0, 0), (0, 3)), mode="reflect"), (1, 2, 9, 3)) == (
        "reflecting 3 positions of width 3, which has 3 with the border itself. "
        "mode: replicate takes any number."
    )
    assert refusal(Pad(padding=(2, 3)), (1, 3, 7)) == (
        "padding has 2 values, but the input has 1 spatial axis (length)"
    )
    assert refusal(Pad(size=(2, 3)), (1, 3, 7)) == (
        "size has 2 values, but the input has 1 spatial axis (length)"
    )
    assert refusal(Pad(padding=1), (2, 3)) == (
        "pad needs 1 to 3 spatial axes after [N, channels], and gets [2, 3]. "
        "A flattened tensor has none: put the layer before flatten."
    )


def test_the_amounts_are_numbers() -> None:
    values: list[Any] = [1, (1, 2), ((0, 1), (2, 3))]
    for value in values:
        assert Amounts().read(value) == Padding().read(value) == value
    for word in ("same", "valid"):
        with pytest.raises(ConvcalcError, match="a number is due here"):
            Amounts().read(word)
