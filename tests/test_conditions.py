"""Conditions: read exactly, held exactly, and what is wrong said with its place."""

from __future__ import annotations

import re
from contextlib import suppress
from fractions import Fraction
from typing import Any

import numpy
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import convcalc
from convcalc.analysis.conditions import ALIASES, UNITS, Condition, Ratio, amount
from convcalc.analysis.quantities import TOTALS
from convcalc.errors import UsageError

NAMES = ("H", "W", "N")


def parse(text: str) -> Condition:
    return Condition.parse(text, TOTALS, NAMES)


# -- an oracle: the same text, evaluated by Python over Fractions -------------------------------

OPERANDS = st.recursive(
    st.sampled_from(NAMES) | st.integers(0, 10**12).map(str),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "/", "//", "%"]), inner).map(
            lambda parts: f"({parts[0]} {parts[1]} {parts[2]})"
        ),
        inner.map(lambda text: f"(-{text})"),
    ),
    max_leaves=6,
)
COMPARISONS = st.tuples(
    OPERANDS, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), OPERANDS
).map(lambda parts: f"({' '.join(parts)})")
CONDITIONS = st.recursive(
    COMPARISONS,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(
            lambda parts: f"({' '.join(parts)})"
        ),
        inner.map(lambda text: f"(not {text})"),
    ),
    max_leaves=3,
).filter(lambda text: len(text) <= 500)
NUMBERS = st.integers(-(10**6), 10**6) | st.integers(-(2**80), 2**80)


def by_python(text: str, values: dict[str, Any]) -> bool:
    """Numbers as Fractions, and every part looked at, as & and | do."""
    text = re.sub(r"\b(\d+)\b", r"F(\1)", text).replace(" and ", " & ").replace(" or ", " | ")
    names = {name: Fraction(value) for name, value in values.items()}
    return bool(eval(text, {"F": Fraction, **names}))


@settings(max_examples=400)
@given(CONDITIONS, st.fixed_dictionaries(dict.fromkeys(NAMES, NUMBERS | st.fractions())))
def test_numbers_are_compared_as_python_compares_fractions(
    text: str, values: dict[str, Any]
) -> None:
    condition = parse(text)
    try:
        expected = by_python(text, values)
    except ZeroDivisionError:
        with pytest.raises(convcalc.ConvcalcError, match="division by zero"):
            condition.holds(values)
        return
    assert condition.holds(values) is expected


@settings(max_examples=300)
@given(
    OPERANDS,
    st.fixed_dictionaries(dict.fromkeys(NAMES, st.integers(-30, 30) | st.fractions(-9, 9))),
)
def test_arithmetic_is_exact(operand: str, values: dict[str, Any]) -> None:
    names = {name: Fraction(value) for name, value in values.items()}
    try:
        value = eval(re.sub(r"\b(\d+)\b", r"F(\1)", operand), {"F": Fraction, **names})
    except ZeroDivisionError:
        return
    condition = parse(f"{operand} == {value.numerator} / {value.denominator}")
    assert condition.holds(values) is True


@settings(max_examples=300)
@given(
    CONDITIONS,
    st.lists(st.tuples(*[NUMBERS] * 3), min_size=1, max_size=4),
    st.sampled_from([(), ("W",), ("W", "N")]),
)
def test_arrays_are_compared_as_their_elements(
    text: str, rows: list[tuple[int, int, int]], single: tuple[str, ...]
) -> None:
    """Products that 64 bits do not hold included."""
    condition = parse(text)
    elements = [dict(zip(NAMES, row, strict=True)) for row in rows]
    for values in elements:
        values.update({name: elements[0][name] for name in single})
    try:
        expected = [condition.holds(values) for values in elements]
    except convcalc.ConvcalcError:
        assume(False)
    arrays: dict[str, Any] = {
        name: numpy.array(
            column := [values[name] for values in elements],
            dtype="int64" if all(abs(value) < 2**63 for value in column) else object,
        )
        for name in NAMES
    }
    arrays.update({name: elements[0][name] for name in single})
    found = condition.holds(arrays)
    if not condition.names:
        assert found is expected[0]
    else:
        assert numpy.broadcast_to(found, len(rows)).tolist() == expected


@settings(max_examples=200)
@given(
    CONDITIONS,
    st.lists(st.tuples(*[NUMBERS] * 3), min_size=1, max_size=4),
    st.tuples(*[st.integers(1, 12)] * 3),
    st.booleans(),
)
def test_arrays_of_fractions_are_compared_as_their_elements(
    text: str, rows: list[tuple[int, int, int]], scales: tuple[int, int, int], as_ratio: bool
) -> None:
    """As arrays of Fractions, or of integers over a number."""
    condition = parse(text)
    assume(condition.names)
    columns = dict(zip(NAMES, zip(*rows, strict=True), strict=True))
    arrays: dict[str, Any] = {}
    for (name, column), scale in zip(columns.items(), scales, strict=True):
        kind = "int64" if all(abs(value) < 2**63 for value in column) else object
        arrays[name] = (
            Ratio(numpy.array(column, kind), scale)
            if as_ratio
            else numpy.array([Fraction(value, scale) for value in column], object)
        )
    try:
        expected = [
            condition.holds({n: Fraction(v, s) for n, v, s in zip(NAMES, row, scales, strict=True)})
            for row in rows
        ]
    except convcalc.ConvcalcError:
        assume(False)
    assert numpy.broadcast_to(condition.holds(arrays), len(rows)).tolist() == expected


def test_products_of_arrays_do_not_overflow() -> None:
    near = numpy.array([2**62, 2**32, 7])
    assert parse("H*4 > 5").holds({"H": near}).tolist() == [True, True, True]
    assert parse("H*H == 18446744073709551616").holds({"H": near}).tolist() == [False, True, False]
    assert parse("H <= 30000 T").holds({"H": near}).tolist() == [False, True, True]
    assert parse("H/3 > W/5").holds({"H": near, "W": near}).tolist() == [True, True, True]
    assert parse("H < 1e30").holds({"H": near.astype("uint64")}).all()
    assert parse("H // 1e30 == 0 and H % 1e30 == H").holds({"H": near}).all()
    assert parse("1e30 % H < H and 1e30 // H > 1e9").holds({"H": near}).all()
    assert parse("H < 9223372036854775808").holds({"H": near}).all()


# -- reading ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5M", 5_000_000),
        ("1.5M", 1_500_000),
        ("0.1", Fraction(1, 10)),
        ("24 GiB", 24 * 2**30),
        ("24GB", 24 * 10**9),
        ("3 kB", 3000),
        ("3 KB", 3000),
        ("3KiB", 3072),
        ("1.5 TiB", 3 * 2**39),
        ("7 T", 7 * 10**12),
        ("7 B", 7),
        ("7 bytes", 7),
        ("25,557,032", 25_557_032),
        ("25_557_032", 25_557_032),
        ("1e9", 10**9),
        ("2.5e-1 K", 250),
    ],
)
def test_numbers_with_units(text: str, value: Any) -> None:
    assert amount(text) == value
    assert type(amount(text)) is type(value)
    kind = "peak_bytes" if "B" in text or "bytes" in text else "macs"
    assert parse(f"{kind} == {text}").holds({ALIASES.get(kind, kind): value}) is True


def test_every_unit_is_one_of_ten_or_of_two() -> None:
    for unit, (factor, in_bytes) in UNITS.items():
        assert in_bytes == (unit.endswith("B") or unit == "bytes")
        power = " KMGT".find(unit[0].upper()) if unit not in ("B", "bytes") else 0
        assert factor == (1024 if "i" in unit else 1000) ** power


def test_names_and_units() -> None:
    condition = parse("peak_bytes <= 24 GiB and 2*macs < 300M or H % 32 == 0 < params")
    assert condition.names == ("peak_activation_bytes", "macs", "H", "params")
    assert condition.units == {"peak_activation_bytes": "GiB", "macs": "M"}
    assert str(condition) == condition.text
    assert set(ALIASES.values()) <= set(TOTALS)


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("1 < H <= 5", True),
        ("5 < H < 9", False),
        ("H == 5 == W", False),
        ("not H > 5 and not not W == 3", True),
        ("not (H > 5 or W == 3)", False),
        ("H > 9 or H > 4 and W > 9", False),
        ("-H + +W == - 2", True),
        ("H - W - 1 == 1", True),
        ("H / 2 / 2 == 1.25", True),
        ("7 // 2 * 2 == 6", True),
        ("-7 // 2 == -4 and -7 % 3 == 2", True),
        ("((H)) > (((4)))", True),
        ("1000 < 1 K + 1", True),
    ],
)
def test_precedence(text: str, holds: bool) -> None:
    assert parse(text).holds({"H": 5, "W": 3}) is holds


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "an empty condition. For instance macs < 300M."),
        ("   ", "an empty condition"),
        ("macs", "condition 'macs', character 1: no comparison here: true or false is due, and this is a number. Compare it, as macs <= 5M."),  # noqa: E501
        ("macs < 3 and params", "character 14: no comparison here"),
        ("not H", "character 5: no comparison here"),
        ("mcas < 3", "character 1: unknown name 'mcas'. Did you mean 'macs'?"),
        ("peak_byte < 3", "Did you mean 'peak_bytes'?"),
        ("xyz < 3", "unknown name 'xyz'. There are params, buffers, macs"),
        ("5 GG < macs", "condition '5 GG < macs', character 3: unknown unit 'GG'. There are K, M, G, T"),  # noqa: E501
        ("macs < 5 gib", "character 10: unknown unit 'gib'. Did you mean GiB?"),
        ("macs < 5 m", "unknown unit 'm'. Did you mean M?"),
        ("2 macs < 5", "unknown unit 'macs'. A product has a sign: 2*macs."),
        ("params < 3 MiB", "character 8: params is a count, and 3 MiB is in bytes. param_bytes is in bytes; counts have"),  # noqa: E501
        ("2*macs + 1 < 3 MB", "character 12: 2*macs + 1 is a count, and 3 MB is in bytes. Counts have"),  # noqa: E501
        ("3 kB > H", "H is a count, and 3 kB is in bytes"),
        ("params < peak_bytes", "params is a count, and peak_bytes is in bytes"),
        ("macs + 3 MiB < 2", "character 6: macs is a count, and 3 MiB is in bytes"),
        ("macs = 3", "character 6: a comparison, and, or, or the end is due here, not '='. Write ==, <= or >=."),  # noqa: E501
        ("macs < 3 && H > 1", "not '&&'. Write and."),
        ("macs < 3 || H > 1", "not '||'. Write or."),
        ("!H > 1", "not '!'. Write not."),
        ("macs ≤ 3", "not '≤'. Write <=."),
        ("macs**2 < 3", "There are no powers in a condition."),
        ("max(H, W) < 3", "max(…): there are no functions in a condition"),
        ("(H < 3", "')' is due here, not the end"),
        ("H < 3)", "character 6: a comparison, and, or, or the end is due here, not ')'"),
        ("H <", "a number, a quantity or a variable is due here, not the end"),
        ("and H < 3", "a number, a quantity or a variable is due here, not 'and'"),
        ("H < 3 and", "not the end"),
        ("macs < 1,5M", "character 8: '1,5' is no number. Decimals have a point, 1.5M; commas"),
        ("macs < 1,5000", "'1,5000' is no number"),
        ("macs < 1__0", "'1__0' is no number"),
        ("macs < 3.", "'3.' is no number"),
        ("macs < 3 4", "character 8: '3 4' is no number"),
        ("macs < 1.2.3", "'1.2.' is no number"),
        ("macs < 1e999", "exponents go to 100"),
        ("H < 0x10", "unknown unit 'x10'"),
        ("H < 'a'", "not '''"),
        ("(H < 3) < 2", "numbers are due on both sides of '<', not a comparison"),
        ("(H < 3) + 1 < 2", "numbers are due on both sides of '+', not a comparison"),
        ("-(H < 3) < 2", "numbers are due on both sides of '-', not a comparison"),
        ("H < 3" + " " * 500, "a condition of 505 characters; 500 are the limit"),
        ("(" * 40 + "H < 3" + ")" * 40, "nested more than 30 levels deep"),
        ("H < " + "-" * 40 + "3", "nested more than 30 levels deep"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_place(text: str, message: str) -> None:
    with pytest.raises(convcalc.ConvcalcError) as error:
        parse(text)
    assert message in str(error.value)
    assert error.value.exit_code == 2


@settings(max_examples=300)
@given(st.text(alphabet="HWN maces0123456789.,_eKMGiB()+-*/%<>=!&|'\"ot dnr", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(UsageError):
        condition = parse(text)
        with suppress(convcalc.ConvcalcError):
            assert condition.holds(dict.fromkeys(condition.names, 6)) in (True, False)


@pytest.mark.parametrize("text", ["5X", "", "5 M M", "M", "-3", "1,5"])
def test_what_is_no_amount(text: str) -> None:
    with pytest.raises(convcalc.ConvcalcError):
        amount(text)


def test_long_sums_are_no_nesting() -> None:
    assert parse("H < 1" + "+1" * 240).holds({"H": 240}) is True


def test_a_name_of_two_meanings_is_refused() -> None:
    with pytest.raises(convcalc.ConvcalcError, match="'macs' is a quantity and a variable"):
        Condition.parse("macs < 3", TOTALS, ["macs"])
    assert Condition.parse("params < 3", TOTALS, ["macs"]).holds({"params": 2})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "H: a number is due in a condition, not True"),
        (1.5, "H: a number is due in a condition, not 1.5"),
        (numpy.array([1.5]), "H: an integer array is due in a condition, not float64"),
        (numpy.array([True]), "not bool"),
        (numpy.array([3, "a"], dtype=object), "not object"),
    ],
)
def test_values_that_are_no_numbers(value: Any, text: str) -> None:
    with pytest.raises(convcalc.ConvcalcError, match=text):
        parse("H < 3").holds({"H": value})


def test_division_by_zero_is_said() -> None:
    for value in (0, numpy.array([3, 0])):
        for operator in ("/", "//", "%"):
            with pytest.raises(convcalc.ConvcalcError, match=r"division by zero in the condition"):
                parse(f"W < 3 or 6 {operator} H < 3").holds({"H": value, "W": 1})
