"""The kinds of value that fields take: what is read, what is refused, and what the refusal says."""

from __future__ import annotations

import time
from fractions import Fraction
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convcalc.dim import Dim, symbol
from convcalc.errors import SpecError
from convcalc.fields import (
    MAX_SIZE,
    Axes,
    Choice,
    Decimal,
    Flag,
    Kind,
    Padding,
    PerAxis,
    Reference,
    Whole,
    show,
)
from convcalc.graph import Operation
from convcalc.layer import fields
from convcalc.layers import layer_class, layer_names
from convcalc.layers.conv import Conv

H = symbol("H")
HUGE = 10**900
SHOWN = "1" + "0" * 58 + "…"
"""HUGE as messages show it."""
MOST = f"{MAX_SIZE:,}"


def refusal(kind: Kind, value: object) -> str:
    with pytest.raises(SpecError) as caught:
        kind.read(value)
    return str(caught.value)


# -- whole numbers ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Whole(), 1),
        (Whole(), MAX_SIZE),
        (Whole(0), 0),
        (Whole(None), -3),
        (Whole(symbolic=True), H),
        (Whole(symbolic=True), H // 2 + 1),
        (Whole(symbolic=True), H - 5),  # whether it is 1 or more depends on H
        (Whole(None, symbolic=True), -H),
    ],
)
def test_whole_numbers_that_are_read(kind: Whole, value: object) -> None:
    assert kind.read(value) == value


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        (Whole(), 0, "0 is too small: at least 1 is due here"),
        (Whole(), -7, "-7 is too small: at least 1 is due here"),
        (Whole(0), -1, "-1 is too small: at least 0 is due here"),
        (Whole(), HUGE, f"{SHOWN} is too large: at most {MOST} is due here"),
        (Whole(None), -MAX_SIZE - 1, f"-{MAX_SIZE + 1} is too large: at most {MOST} is due here"),
        (
            Whole(),
            Fraction(5, 2),
            "a whole number is due here, not the fraction 5/2. "
            "Use // for division that rounds down.",
        ),
        (Whole(), True, "a whole number is due here, not the truth value true"),
        (Whole(), "widht", "'widht' is no variable; a whole number is due here"),
        (Whole(), (3, (1, 2)), "a whole number is due here, not the list [3, [1, 2]]"),
        (Whole(), (), "a whole number is due here, not the list []"),
        (Whole(), None, "a whole number is due here, not nothing"),
        (Whole(), 1.5, "a whole number is due here, not 1.5"),
        (
            Whole(),
            H + 1,
            "a number is due here, not an expression in the symbol H: H + 1. "
            "Only sizes, channels, padding and pool kernels may be symbolic; the form of the "
            "network itself depends on all else.",
        ),
        (
            Whole(symbolic=True),
            H / 2,
            f"a size is a whole number, and {H / 2} is not whole for every value. "
            "Use // for division that rounds down.",
        ),
        (Whole(symbolic=True), -H, "−H is too small: at least 1 is due here"),
        (Whole(symbolic=True), 1 - H, "1 − H is too small: at least 1 is due here"),
    ],
)
def test_whole_numbers_that_are_refused(kind: Whole, value: object, text: str) -> None:
    assert refusal(kind, value) == text


def test_a_word_of_a_spec_explains_itself() -> None:
    class Word(str):
        def misspelt(self, due: str) -> SpecError:
            return SpecError(f"'{self}' was no variable where it was written; {due} was due")

    for kind, due in [
        (Whole(), "a whole number"),
        (PerAxis(Whole()), "a whole number"),
        (Decimal(), "a number"),
        (Padding(), "a number, valid, same or same_lower"),
        (Axes(), "a whole number"),
    ]:
        assert refusal(kind, Word("widht")) == (
            f"'widht' was no variable where it was written; {due} was due"
        )


# -- one value per axis -----------------------------------------------------------------------


@pytest.mark.parametrize("value", [3, (3,), (3, 5), (3, 5, 7)])
def test_one_value_or_one_per_axis(value: object) -> None:
    assert PerAxis(Whole()).read(value) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ((), "a list of 1 to 3 values is due here, one per axis, not 0: []"),
        ((1, 2, 3, 4), "a list of 1 to 3 values is due here, one per axis, not 4: [1, 2, 3, 4]"),
        ((3, 0), "0 is too small: at least 1 is due here"),
        ((3, (1, 2)), "a whole number is due here, not the list [1, 2]"),
        ((3, "wide"), "'wide' is no variable; a whole number is due here"),
        ((True, 3), "a whole number is due here, not the truth value true"),
        ((1,) * 1000, "a list of 1 to 3 values is due here, one per axis, not 1000: "
         f"[{'1, ' * 19}1…"),
    ],
)  # fmt: skip
def test_lists_that_are_refused(value: object, text: str) -> None:
    assert refusal(PerAxis(Whole()), value) == text


def test_a_symbol_per_axis_only_where_symbols_may_stand() -> None:
    assert PerAxis(Whole(symbolic=True)).read((H, 3)) == (H, 3)
    assert refusal(PerAxis(Whole()), (H, 3)).startswith("a number is due here, not an expression")


# -- padding ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (0, 0),
        (2, 2),
        (H // 2, H // 2),
        ((1, 2), (1, 2)),
        (((0, 1), (2, H)), ((0, 1), (2, H))),
        ("valid", 0),
        ("same", "same"),
        ("same_lower", "same_lower"),
    ],
)
def test_padding_that_is_read(value: object, read: object) -> None:
    assert Padding().read(value) == read


PAIRS = "every axis needs a pair [before, after]. For instance padding: [[1, 2], [1, 2]]."


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (-1, "-1 is too small: at least 0 is due here"),
        ((1, -2), "-2 is too small: at least 0 is due here"),
        (((1, 2), (0, -3)), "-3 is too small: at least 0 is due here"),
        (HUGE, f"{SHOWN} is too large: at most {MOST} is due here"),
        (False, "a whole number is due here, not the truth value false"),
        (None, "a whole number is due here, not nothing"),
        (
            Fraction(1, 2),
            "a whole number is due here, not the fraction 1/2. "
            "Use // for division that rounds down.",
        ),
        ("sane", "unknown padding 'sane'. Did you mean 'same'?"),
        ("SAME", "'SAME' is no variable; a number, valid, same or same_lower is due here"),
        ((1, "same"), "'same' is no variable; a whole number is due here"),
        ((1, (1, 2)), f"padding [1, [1, 2]]: {PAIRS}"),
        (((1, 2, 3), (1, 2)), f"padding [[1, 2, 3], [1, 2]]: {PAIRS}"),
        (((1, (2,)),), "a whole number is due here, not the list [2]"),
        ((), "a list of 1 to 3 values is due here, one per axis, not 0: []"),
        ((1, 1, 1, 1), "a list of 1 to 3 values is due here, one per axis, not 4: [1, 1, 1, 1]"),
    ],
)
def test_padding_that_is_refused(value: object, text: str) -> None:
    assert refusal(Padding(), value) == text


def test_padding_words_where_only_some_have_a_meaning() -> None:
    kind = Padding(words=("valid",))
    assert kind.read("valid") == 0
    assert refusal(kind, "same") == "unknown padding 'same'. Here a number or valid is due."
    assert refusal(kind, "valdi") == "unknown padding 'valdi'. Did you mean 'valid'?"
    assert kind.description == "a whole number, one per axis, [[before, after], …], or valid"


# -- truth values, numbers, choices, axes -----------------------------------------------------


def test_truth_values() -> None:
    assert Flag().read(True) is True
    assert Flag().read(False) is False
    for value, shown in [(1, "1"), ("yes", "'yes'"), ((True,), "[true]"), (None, "nothing"),
                         (H, "H")]:  # fmt: skip
        assert refusal(Flag(), value) == f"true or false is due here, not {shown}"


@pytest.mark.parametrize("value", [0, 1, Fraction(1, 3)])
def test_shares_that_are_read(value: object) -> None:
    assert Decimal(0, 1).read(value) == value


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        (Decimal(), -1, "-1 is too small: at least 0 is due here"),
        (Decimal(positive=True), 0, "0 is too small: more than 0 is due here"),
        (Decimal(positive=True), Fraction(-1, 2), "-1/2 is too small: more than 0 is due here"),
        (Decimal(0, 1), Fraction(3, 2), "3/2 is too large: at most 1 is due here"),
        (Decimal(), HUGE, f"{SHOWN} is too large: at most {MOST} is due here"),
        (Decimal(), True, "a number is due here, not the truth value true"),
        (Decimal(), "half", "'half' is no variable; a number is due here"),
        (Decimal(), (1, 2), "a number is due here, not the list [1, 2]"),
        (Decimal(), None, "a number is due here, not nothing"),
        (Decimal(), H + 1, "a number is due here, not an expression in a symbol: H + 1"),
    ],
)
def test_numbers_that_are_refused(kind: Decimal, value: object, text: str) -> None:
    assert refusal(kind, value) == text


def test_numbers_say_their_bounds() -> None:
    assert Decimal().description == "a number of at least 0"
    assert Decimal(positive=True).description == "a number above 0"
    assert Decimal(0, 1).description == "a number from 0 to 1"


def test_choices() -> None:
    kind = Choice(("nearest", "linear"))
    assert kind.read("linear") == "linear"
    assert kind.description == "nearest or linear"
    for value, shown in [(1, "1"), ("cubic", "'cubic'"), (None, "nothing"), (True, "true")]:
        assert refusal(kind, value) == f"one of nearest, linear is due here, not {shown}"
    assert refusal(kind, "nearset") == (
        "one of nearest, linear is due here, not 'nearset'. Did you mean 'nearest'?"
    )


@pytest.mark.parametrize(("value", "read"), [(1, (1,)), (-1, (-1,)), ((0, 2, 1), (0, 2, 1))])
def test_axes_that_are_read(value: object, read: object) -> None:
    assert Axes().read(value) == read


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        (Axes(), (), "at least one axis number is due here, not an empty list"),
        (Axes(), (1,) * 9, "a list of 1 to 8 values is due here, one per axis, not 9: "
         "[1, 1, 1, 1, 1, 1, 1, 1, 1]"),
        (Axes(), (1, (2,)), "a whole number is due here, not the list [2]"),
        (Axes(), Fraction(1, 2), "a whole number is due here, not the fraction 1/2. "
         "Use // for division that rounds down."),
        (Axes(), HUGE, f"{SHOWN} is too large: at most {MOST} is due here"),
        (Axes(), "channels", "'channels' is no variable; a whole number is due here"),
        (Axes(single=True), (1,), "a whole number is due here, not the list [1]"),
        (Axes(single=True), True, "a whole number is due here, not the truth value true"),
        (Axes(single=True), H, "a number is due here, not an expression in the symbol H: H. "
         "Only sizes, channels, padding and pool kernels may be symbolic; the form of the "
         "network itself depends on all else."),
    ],
)  # fmt: skip
def test_axes_that_are_refused(kind: Axes, value: object, text: str) -> None:
    assert refusal(kind, value) == text


# -- all kinds --------------------------------------------------------------------------------

KINDS = {
    repr(field.kind): field.kind
    for name in sorted(layer_names())
    for field in fields(layer_class(name))
    if not isinstance(field.kind, Reference)  # which the reader of the spec looks up
}

DIMS = st.sampled_from([H, H - 5, H / 2, -H, H // 3, H * symbol("W") + 1])
SCALARS = (
    st.integers(-3, 9)
    | st.sampled_from([HUGE, -HUGE, MAX_SIZE, MAX_SIZE + 1])
    | st.fractions(-2, 5)
    | st.booleans()
    | st.sampled_from(["same", "valid", "nearest", "wide", "x" * 5000, "a\nb\0"])
    | st.none()
    | DIMS
)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=5).map(tuple), max_leaves=8)


@given(st.sampled_from(sorted(KINDS)), VALUES)
def test_every_value_is_read_or_refused_in_a_line(name: str, value: Any) -> None:
    kind = KINDS[name]
    try:
        read = kind.read(value)
    except SpecError as error:
        text = str(error)
        assert len(text) < 300
        assert text.isprintable()
        assert "due" in text or "Did you mean" in text or "needs" in text or "whole" in text
    else:
        assert kind.read(read) == read
        # 1 is not true, and true not 1, though Python has them equal
        assert isinstance(read, bool) == isinstance(kind, Flag)
        assert not isinstance(read, Dim) or "symbolic=True" in name or isinstance(kind, Padding)


@pytest.mark.parametrize("name", sorted(KINDS))
def test_an_unknown_value_is_a_symbol_that_is_read_where_symbols_may_stand(name: str) -> None:
    kind = KINDS[name]
    unknown = kind.unknown("k")
    assert unknown is None or unknown == symbol("k")
    if isinstance(kind, Padding) or "symbolic=True" in name:
        assert kind.read(unknown) == unknown


@given(st.sampled_from(sorted(KINDS)), VALUES)
def test_what_is_read_passes_the_schema(name: str, value: Any) -> None:
    kind = KINDS[name]
    try:
        kind.read(value)
    except SpecError:
        return
    jsonschema.validate(as_written(value), kind.schema())


def as_written(value: Any) -> Any:
    """A value as it may stand in a spec: symbols and fractions are expressions."""
    if isinstance(value, tuple):
        return list(map(as_written, value))
    return str(value) if isinstance(value, (Dim, Fraction)) else value


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Whole(), 0),
        (Whole(), True),
        (Whole(), [3]),
        (PerAxis(Whole()), [1, 2, 3, 4]),
        (PerAxis(Whole()), [1, 0]),
        (PerAxis(Whole()), []),
        (Padding(), -1),
        (Padding(), [[1, 2, 3], [1, 2, 3]]),
        (Padding(), [1, 1, 1, 1]),
        (Flag(), 1),
        (Decimal(positive=True), 0),
        (Decimal(0, 1), 2),
        (Choice(("a", "b")), 3),
        (Axes(), [1] * 9),
        (Axes(), []),
        (Axes(single=True), [1]),
        (Reference(), 3),
    ],
)
def test_what_the_schema_refuses(kind: Kind, value: object) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(value, kind.schema())


# -- showing values ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3, "3"),
        (True, "true"),
        (None, "nothing"),
        (Fraction(11, 10), "11/10"),
        (H // 2, "⌊H/2⌋"),
        ("wide", "'wide'"),
        ("a\nb", "'a\N{REPLACEMENT CHARACTER}b'"),
        ((1, (2, "x"), False), "[1, [2, 'x'], false]"),
        ((1, (2, (3, 4))), "[1, [2, […]]]"),
        (HUGE, SHOWN),
    ],
)
def test_values_are_shown_on_a_line(value: object, text: str) -> None:
    assert show(value) == text


def test_a_list_that_holds_itself_many_times_over_is_shown_at_once() -> None:
    bomb: Any = 1
    for _ in range(30):
        bomb = (bomb,) * 20  # 20³⁰ items, 600 of which exist
    start = time.perf_counter()
    assert len(show(bomb)) <= 60
    assert "due here" in refusal(Whole(), bomb)
    assert time.perf_counter() - start < 1


def test_the_largest_fields_give_numbers_that_can_be_printed_and_drawn() -> None:
    layer = Conv(out_channels=MAX_SIZE, kernel=MAX_SIZE, padding=MAX_SIZE)
    macs = Operation(layer, ((MAX_SIZE,) * 5,)).cost.macs
    assert str(macs)
    assert float(macs) < float("inf")
