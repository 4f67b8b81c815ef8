"""language.md, Scalars: what an expression may hold, and what it gives."""

from __future__ import annotations

import random
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest

import convcalc
from convcalc import ConvcalcError

# -- arithmetic ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("a + b", 7),
        ("a - b", -1),
        ("a * b", 12),
        ("a / b", Fraction(3, 4)),
        ("b / 2", 2),
        ("(0 - 7) // 2", -4),
        ("(0 - 7) % 3", 2),
        ("7 // 1.5", 4),
        ("7 % 1.5", 1),
        ("a ** b", 81),
        ("2 ** (0 - 1)", Fraction(1, 2)),
        ("(1 / 3) ** 2", Fraction(1, 9)),
        ("1 ** 10**900", 1),
        ("(0 - 1) ** (10**900 + 1)", -1),
        ("0 ** 10**900", 0),
        ("-a", -3),
        ("+a", 3),
        ("-a ** 2", -9),
        ("2 + 3 * 4", 14),
        ("(2 + 3) * 4", 20),
        ("1.5 * 2", 3),
        ("N", 1),
        ("in_shape if false else 5", 5),
    ],
)
def test_arithmetic(value: Callable[..., Any], expression: str, expected: Any) -> None:
    found = value(expression)
    assert found == expected
    assert type(found) is type(expected)


def test_floor_and_remainder_are_pythons(value: Callable[..., Any]) -> None:
    for a in (-7, -6, 0, 5, 7):
        for b in (-3, 2, 3):
            assert value(f"({a}) // ({b})") == a // b
            assert value(f"({a}) % ({b})") == a % b


def test_against_python_on_drawn_expressions(value: Callable[..., Any]) -> None:
    draw = random.Random(5)

    def expression(depth: int) -> str:
        if depth == 0:
            return draw.choice(["a", "b", "2", "1.5", "7"])
        left, right = expression(depth - 1), expression(depth - 1)
        return f"({left} {draw.choice(['+', '-', '*', '//', '%', '/'])} {right})"

    names = {"a": Fraction(3), "b": Fraction(4)}
    for _ in range(60):
        text = expression(3)
        python = text.replace("1.5", "Fraction(3, 2)").replace("2)", "Fraction(2))")
        python = python.replace("(2 ", "(Fraction(2) ").replace("7", "Fraction(7)")
        python = python.replace("Fraction(3, Fraction(2))", "Fraction(3, 2)")
        try:
            expected = eval(python, {"Fraction": Fraction}, names)
        except ZeroDivisionError:
            with pytest.raises(ConvcalcError, match="division by zero"):
                value(text)
            continue
        assert value(text) == expected, text


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("a / 0", "3 / 0: division by zero"),
        ("a // (b - 4)", "3 // 0: division by zero"),
        ("a % 0", "3 % 0: division by zero"),
        ("0 ** (0 - 2)", "0 ** -2: division by zero"),
        ("ceil_div(a, 0)", "ceil_div(3, 0): division by zero"),
        ("2 ** 0.5", "the exponent of ** must be a whole number, not 1/2"),
        ("word + 1", "'relu' is no variable. A number is due here."),
        ("true + 1", "'+' of true, which is no number"),
        ("-(a == b)", "'*' of false, which is no number"),
        ("2 * list == 'relu'", "[2, 14] == 'relu': a list and a word do not compare"),
    ],
)
def test_what_has_no_value(value: Callable[..., Any], expression: str, expected: str) -> None:
    with pytest.raises(ConvcalcError) as caught:
        value(expression)
    place = "<string>:8:9" if expression == "word + 1" else "<string>:3:6"
    assert str(caught.value) == f"{place}: {expected}"


# -- functions ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("min(a, b)", 3),
        ("max(a, b, 9)", 9),
        ("max(list)", 7),
        ("min([4])", 4),
        ("ceil(7 / 2)", 4),
        ("ceil(0 - 1 / 2)", 0),
        ("floor(7 / 2)", 3),
        ("floor(0 - 1 / 2)", -1),
        ("round(5 / 2)", 2),
        ("round(7 / 2)", 4),
        ("round(2.4)", 2),
        ("round(0 - 5 / 2)", -2),
        ("ceil_div(7, 2)", 4),
        ("ceil_div(1.5, 1)", 2),
        ("ceil_div(6, 2)", 3),
        ("gcd(12, 18)", 6),
        ("len(list)", 2),
        ("len(range(5))", 5),
        ("range(3)", (0, 1, 2)),
        ("range(1, 3)", (1, 2)),
        ("range(6, 0, -2)", (6, 4, 2)),
        ("range(0)", ()),
        # torchvision's _make_divisible
        ("make_divisible(37)", 40),
        ("make_divisible(36)", 40),
        ("make_divisible(35)", 32),
        ("make_divisible(3)", 8),
        ("make_divisible(10.8)", 16),  # 8 would be more than 10 % below
        ("make_divisible(11, 4)", 12),
        ("make_divisible(3, 8, 16)", 16),
        ("make_divisible(3, d=4, min=1)", 4),
        ("make_divisible(3, min=16)", 16),
    ],
)
def test_functions(value: Callable[..., Any], expression: str, expected: Any) -> None:
    assert value(expression) == expected


def test_ceil_div_of_fractions_of_symbols_is_that_of_their_values() -> None:
    text = (
        'input: [4, 8]\nvariables: {s: , x: "ceil_div(s / 2, 3)", y: "ceil_div(s + 1, 2)"}\n'
        "layers:\n  - linear: {out_features: x, axis: -1}\n"
        "  - linear: {out_features: y, axis: -1}\n"
    )
    symbolic = convcalc.loads(text).variables
    for s in range(1, 14):
        numbers = convcalc.loads(text, s=s).variables
        assert symbolic["x"].evaluate(s=s) == numbers["x"] == -(-s // 6)
        assert symbolic["y"].evaluate(s=s) == numbers["y"] == -(-(s + 1) // 2)
    assert str(symbolic["y"]) == "⌊(s + 2)/2⌋"


def test_make_divisible_is_torchvisions(value: Callable[..., Any]) -> None:
    def torchvision(v: float, divisor: int) -> int:
        new = max(divisor, int(v + divisor / 2) // divisor * divisor)
        return new + divisor if new < 0.9 * v else new

    for v in range(1, 140, 3):
        for divisor in (4, 8):
            assert value(f"make_divisible({v}, {divisor})") == torchvision(v, divisor)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("min()", "min(a, b, …) is due, not 0 values: 'min()'"),
        ("min([])", "min of nothing"),
        ("len(3)", "a list is due, not 3"),
        ("round(1, 2)", "round(x) is due, not 2 values: 'round(1, 2)'"),
        ("range()", "range(n) is due, not 0 values: 'range()'"),
        ("range(1, 2, 0)", "range with a step of 0"),
        ("range(1.5)", "range of 3/2, which is no whole number"),
        ("range(true)", "range of true, which is no number"),
        ("gcd(1.5, 2)", "gcd of 3/2, which is not whole"),
        ("make_divisible(8, 0)", "make_divisible to multiples of 0"),
        ("make_divisible(1, e=2)", "make_divisible(v, d=8, min=d) is due: no e= in "
         "'make_divisible(1, e=2)'"),
        ("make_divisible(1, 2, d=2)", "make_divisible(v, d=8, min=d) is due: no d= in "
         "'make_divisible(1, 2, d=2)'"),
        ("max(a, key=b)", "max(a, b, …) is due: no key= in 'max(a, key=b)'"),
        ("max(**list)", "max(a, b, …) is due: no None= in 'max(**list)'"),
        ("ceil(list)", "ceil of [1, 7], which is no number"),
        ("celi(3)", "unknown function 'celi'. Did you mean 'ceil'?"),
        ("sum(list)", "unknown function 'sum'. There are min, max, ceil, floor, round, ceil_div, "
         "gcd, make_divisible, range, len."),
        ("min", "'min' is a function: write min(…)"),
        ("2 * min", "'min' is a function: write min(…)"),
    ],
)  # fmt: skip
def test_wrong_calls(wrong: Callable[..., str], expression: str, expected: str) -> None:
    assert wrong(expression) == expected


# -- lists --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("list // 2", (0, 3)),
        ("2 * list", (2, 14)),
        ("list + list", (2, 14)),
        ("-list", (-1, -7)),
        ("list / 2", (Fraction(1, 2), Fraction(7, 2))),
        ("range(3) ** 2", (0, 1, 4)),
        ("list[0]", 1),
        ("list[-1]", 7),
        ("list[a - 2]", 7),
        ("range(9)[2:5]", (2, 3, 4)),
        ("range(9)[::4]", (0, 4, 8)),
        ("range(3)[::-1]", (2, 1, 0)),
        ("list[5:]", ()),
        ("[a, [b, 1], a + b]", (3, (4, 1), 7)),
        ("[[1, 2], [3, 4]]", ((1, 2), (3, 4))),
        ("'[a, b]'", (3, 4)),
    ],
)
def test_lists(value: Callable[..., Any], expression: str, expected: Any) -> None:
    assert value(expression) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("list + range(3)", "[1, 7] + [0, 1, 2]: lists of 2 and 3 values"),
        ("list[2]", "index 2 is outside the list [1, 7] of 2"),
        ("list[-3]", "index -3 is outside the list [1, 7] of 2"),
        ("list[0.5]", "an index is a whole number, not 1/2"),
        ("list[true]", "an index is a whole number, not true"),
        ("list[::0]", "a slice with a step of 0"),
        ("a[0]", "a list is due, not 3"),
        ("word[0]", "a list is due, not 'relu'"),
        ("list // range(2)", "1 // 0: division by zero"),
    ],
)
def test_wrong_lists(wrong: Callable[..., str], expression: str, expected: str) -> None:
    assert wrong(expression) == expected


def test_padding_of_half_a_kernel_works_for_lists_too(rows: Callable[..., list[str]]) -> None:
    assert rows("""
        input: [3, 9, 11]
        blocks:
          same: {arguments: {kernel}, layers: [
            conv: {out_channels: 1, kernel: kernel, padding: kernel // 2}]}
        layers: [same: 3, same: {kernel: [1, 7]}]
    """) == ["same1.conv1 [1, 1, 9, 11]", "same2.conv1 [1, 1, 9, 11]"]


# -- truth --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("a == 3", True),
        ("a != 3", False),
        ("a < b", True),
        ("b <= 4", True),
        ("a > b", False),
        ("b >= 5", False),
        ("1 < a < b", True),
        ("1 < a > b", False),
        ("a == 3 and b == 4", True),
        ("a == 4 or b == 4", True),
        ("not a == 3", False),
        ("a == 3 and not (b == 3 or b == 5)", True),
        ("1 / 2 == 0.5", True),
        ("list == [1, 7]", True),
        ("list != [1, 7, 8]", True),
        ("list == 2 * list", False),
        ("word == 'relu'", True),
        ("word != 'tanh'", True),
        ("true == (a == 3)", True),
        ("a if a == 3 else b", 3),
        ("a if a == 4 else b", 4),
        ("1 if a == 4 else 2 if a == 3 else 3", 2),
        ("word if a == 4 else 'tanh'", "tanh"),
        # only as far as it takes
        ("a == 4 and a / 0 == 1", False),
        ("a == 3 or a / 0 == 1", True),
        ("a if true else a / 0", 3),
    ],
)
def test_conditions(value: Callable[..., Any], expression: str, expected: Any) -> None:
    assert value(expression) == expected


TRUTH = "A truth value is true, false or a comparison, as n > 0."


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("not a", f"true or false is due here, not 3. {TRUTH}"),
        ("1 and a == 3", f"true or false is due here, not 1. {TRUTH}"),
        ("a == 3 and word", f"true or false is due here, not 'relu'. {TRUTH}"),
        ("1 if a else 2", f"true or false is due here, not 3. {TRUTH}"),
        ("list or true", f"true or false is due here, not [1, 7]. {TRUTH}"),
        ("true == 1", "true == 1: a truth value and a number do not compare"),
        ("list == 1", "[1, 7] == 1: a list and a number do not compare"),
        ("list < list", "[1, 7] < [1, 7]: a list has no order, only == and !="),
        ("true < false", "true < false: a truth value has no order, only == and !="),
        ("1 in list", "'in' and 'is' are not part of the spec language. Compare with ==."),
        ("a is b", "'in' and 'is' are not part of the spec language. Compare with ==."),
        ("a = 3", "no expression: 'a = 3'"),
        ("a == 3 && b == 4", "no expression: 'a == 3 && b == 4'. Use and, or, not."),
        ("a == 3 || b == 4", "no expression: 'a == 3 || b == 4'. Use and, or, not."),
    ],
)
def test_a_truth_value_is_only_true_false_or_a_comparison(
    wrong: Callable[..., str], expression: str, expected: str
) -> None:
    assert wrong(expression) == expected


def test_an_expression_that_starts_with_a_quoted_word_is_quoted_as_a_whole(
    value: Callable[..., Any], message: Callable[..., str]
) -> None:
    assert value("\"'tanh' if a == 3 else word\"") == "tanh"
    assert "everywhere, one that starts with a quote" in message(
        "input: [3]\nvariables: {a: 3}\nlayers:\n  - relu:\n    when: 'relu' == a\n"
    )


# -- what the language leaves out ---------------------------------------------------------------

PARTS = (
    "It has + - * / // % **, comparisons, and/or/not, a if c else b, indexing, and the functions "
    "min, max, ceil, floor, round, ceil_div, gcd, make_divisible, range, len."
)


@pytest.mark.parametrize(
    ("expression", "fact"),
    [
        ("{1, 2}", "{1, 2}"),
        ("{'a': 2}", "{'a': 2}"),
        ("(a := 3)", "a := 3"),
        ("max(*list)", "*list"),
        ("[i for i in list][0]", "[i for i in list]"),
        ("lambda: 1", "lambda: 1"),
        ("f'{a}'", "f'{a}'"),
    ],
)
def test_the_rest_of_python_is_no_part_of_it(
    message: Callable[..., str], expression: str, fact: str
) -> None:
    text = message(f'input: [3]\nvariables:\n  x: "{expression}"\nlayers: [relu]\n')
    assert text == f"<string>:3:6: '{fact}' is not part of the spec language. {PARTS}"


@pytest.mark.parametrize(
    ("expression", "fact"),
    [("(3, 3)", "(3, 3)"), ("175,258", "175,258"), ("list[a, b]", "a, b")],
)
def test_tuples_are_lists_or_numbers_to_others(
    message: Callable[..., str], expression: str, fact: str
) -> None:
    text = message(f'input: [3]\nvariables:\n  x: "{expression}"\nlayers: [relu]\n')
    hint = "A list is written [3, 3]; a number has no commas, but may have _: 175_258."
    assert text == f"<string>:3:6: '{fact}' is not part of the spec language. {hint}"


@pytest.mark.parametrize("operator", ["@", "<<", ">>", "&", "|", "^"])
def test_bit_operators_are_no_part_of_it(wrong: Callable[..., str], operator: str) -> None:
    text = f"a {operator} b"
    assert wrong(text) == f"an operator outside the spec language in '{text}'"


@pytest.mark.parametrize(
    "expression",
    [
        "__import__('os').system('true')",
        "a.__class__",
        "().__class__.__bases__[0].__subclasses__()",
        "open('/etc/passwd')",
        "eval('1')",
        "(lambda: 0)()",
        "[].append(1)",
        "print(a)",
        "globals()",
    ],
)
def test_nothing_reaches_python(wrong: Callable[..., str], expression: str) -> None:
    found = wrong(f'"1 + {expression}"')
    assert "unknown function" in found or "is not part of the spec language" in found


def test_a_path_is_no_value(wrong: Callable[..., str]) -> None:
    assert wrong("layer1.skip") == (
        "'layer1.skip' is not part of the spec language. "
        "A value can name a layer by a lone name only, not by a path."
    )


# -- words --------------------------------------------------------------------------------------


def test_a_lone_name_that_nothing_defines_is_a_word(value: Callable[..., Any]) -> None:
    assert value("same") == "same"
    assert value("hard_swish") == "hard_swish"
    assert value("\n    - same\n    - a") == ("same", 3)


def test_in_a_larger_expression_an_unknown_name_is_an_error(wrong: Callable[..., str]) -> None:
    assert wrong("c + 1") == (
        "unknown name 'c'. A word in a larger expression is quoted: act == 'relu'."
    )
    assert wrong("exat + 1") == "unknown name 'exat'. Did you mean 'exact'?"
    assert wrong("word == tanh") == (
        "unknown name 'tanh'. A word in a larger expression is quoted: act == 'relu'."
    )


def test_quoted_words_stand_for_layers_too(paths: Callable[..., list[str]]) -> None:
    assert paths("""
        input: [3, 4, 4]
        variables: {deep: true, acts: "['relu', 'tanh']"}
        blocks: {act: {arguments: {kind}, layers: [kind]}}
        layers:
          - act: {kind: "'relu' if deep else 'tanh'"}
          - for: {each: acts}
            act: each
    """) == ["act1.relu1", "act2.relu1", "act3.tanh1"]


DUE = "A whole number is due here."


WORDS = """\
input: [3, 4, 4]
variables: {word: some, width: 8, depth: 2}
blocks:
  square: {arguments: {n}, layers: [conv: {out_channels: n, kernel: 1}]}
  twice: {arguments: {inner}, layers: [square: inner]}
  rest: {layers: [{conv: {out_channels: width, kernel: 1}, repeat: depth, when: word == word}]}
layers:
"""


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ("conv: {out_channels: widht, kernel: 1}",
         "<string>:8:26: conv1: 'widht' is no variable. Did you mean 'width'?"),
        ("conv: {out_channels: zzz, kernel: 1}",
         f"<string>:8:26: conv1: 'zzz' is no variable. {DUE}"),
        ("conv: {out_channels: width, kernel: 1, stride: zzz}",
         f"<string>:8:52: conv1: 'zzz' is no variable. {DUE}"),
        ("conv: {out_channels: word, kernel: 1}",
         f"<string>:2:19: conv1: 'some' is no variable. {DUE}"),
        ("conv: {out_channels: 2 * word, kernel: 1}",
         "<string>:2:19: conv1: 'some' is no variable. A number is due here."),
        ("square: widht",
         "<string>:8:13: square1.conv1: 'widht' is no variable. Did you mean 'width'?\n"
         "  in block square, <string>:8:5"),
        ("square: word",
         f"<string>:2:19: square1.conv1: 'some' is no variable. {DUE}\n"
         "  in block square, <string>:8:5"),
        ("twice: {inner: widht}",
         "<string>:8:20: twice1.square1.conv1: 'widht' is no variable. Did you mean 'width'?\n"
         "  in block square, <string>:5:40\n"
         "  in block twice, <string>:8:5"),
        ("{square: i, for: {i: [width, widht]}}",
         "<string>:8:34: square2.conv1: 'widht' is no variable. Did you mean 'width'?\n"
         "  in block square, <string>:8:6"),
        ("{relu: , repeat: depht}",
         "<string>:8:22: 'depht' is no variable. Did you mean 'depth'?"),
        ("{relu: , for: {i: widths}}",
         "<string>:8:23: 'widths' is no variable. Did you mean 'width'?"),
        ("{relu: , for: {i: zzz}}",
         "<string>:8:23: 'zzz' is no variable. A list is due here."),
        ("{relu: , when: dpth}",
         "<string>:8:20: 'dpth' is no variable. Did you mean 'depth'?"),
        ("{relu: , when: zzz}",
         "<string>:8:20: 'zzz' is no variable. True or false is due here."),
        ("conv: {out_channels: 1, kernel: 1, padding: smae}",
         "<string>:8:49: conv1: padding: unknown padding 'smae'. Did you mean 'same'?"),
    ],
)  # fmt: skip
def test_a_word_where_a_number_is_due_is_reported_where_it_is_written(
    message: Callable[..., str], layers: str, expected: str
) -> None:
    assert message(f"{WORDS}  - {layers}\n") == expected


def test_a_word_that_is_no_choice_is_reported_where_it_is_written(
    message: Callable[..., str],
) -> None:
    text = message("""
        input: [3, 4, 4]
        blocks: {up: {arguments: {mode}, layers: [upsample: {scale: 2, mode: mode}]}}
        layers:
          - up: nearst
    """)
    assert text.startswith("<string>:4:9: up1.upsample1: mode: one of nearest, ")
    assert text.endswith("not 'nearst'. Did you mean 'nearest'?\n  in block up, <string>:4:5")


def test_words_in_choice_fields_win_over_variables(rows: Callable[..., list[str]]) -> None:
    assert rows("""
        input: [3, 8, 8]
        variables: {same: 5, nearest: 7}
        layers:
          - conv: {out_channels: same, kernel: 3, padding: same}
          - upsample: {scale: 2, mode: nearest}
          - conv: {out_channels: nearest, kernel: 1}
    """) == ["conv1 [1, 5, 8, 8]", "upsample1 [1, 5, 16, 16]", "conv2 [1, 7, 16, 16]"]


def test_a_variable_may_hold_a_choice(rows: Callable[..., list[str]]) -> None:
    text = """
        input: [3, 8, 8]
        variables: {pad: same}
        layers: [conv: {out_channels: 2, kernel: 3, padding: pad}]
    """
    assert rows(text) == ["conv1 [1, 2, 8, 8]"]
    assert rows(text, pad="valid") == ["conv1 [1, 2, 6, 6]"]
    assert rows(text, pad=2) == ["conv1 [1, 2, 10, 10]"]


def test_comparing_a_word_with_a_number(message: Callable[..., str]) -> None:
    text = """
        input: [3, 4, 4]
        variables: {width: 8}
        blocks:
          maybe: {arguments: {n}, layers: [{conv: {out_channels: width, kernel: 1}, when: ③n > 3}]}
        layers:
          - ②maybe: ①%s
    """
    assert message(text % "widht") == (
        "①: maybe1: 'widht' is no variable. Did you mean 'width'?\n  in block maybe, ②"
    )
    assert message(text % "zzz") == (
        "③: maybe1: 'zzz' > 3: a word and a number do not compare. The word is written at ①.\n"
        "  in block maybe, ②"
    )


@pytest.mark.parametrize("name", ["and", "lambda", "class", "in", "None", "yes"])
def test_words_of_python_are_no_names(message: Callable[..., str], name: str) -> None:
    assert message(f"input: [3]\nvariables: {{{name}: 3}}\nlayers: [relu]\n") == (
        f"<string>:2:13: '{name}' cannot be the name of a variable: the language uses it"
    )


# -- limits -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("1" + "0" * 1000, "a number of more than 1,000 digits"),
        ("1e1000", "a number of more than 1,000 digits"),
        ("1e99999999999", "a number of more than 1,000 digits"),
        ("9" * 10_000, "a number of more than 1,000 digits"),
        ("1 + " + "9" * 1_500, "a number of more than 1,000 digits"),
        ("10 ** 1000", "a number of more than 1,000 digits"),
        ("10 ** 999 * 10", "a number of more than 1,000 digits"),
        ("9 ** 9 ** 9 ** 9", "9 ** 387420489 has more than 1,000 digits"),
        ("(1 / 3) ** 10**6", "1/3 ** 1000000 has more than 1,000 digits"),
        ("range(10**9)", "a range of more than 10,000 numbers"),
        ("range(0, 10**300, 10**295)", "a range of more than 10,000 numbers"),
        ("[range(9000), range(9000)]",
         "a list of more than 10,000 items, those of its lists included"),
        ("[" * 11 + "]" * 11, "lists in lists, more than 10 levels deep"),
        ("1 + (" * 60 + "1" + ")" * 60, "an expression nested more than 50 levels deep"),
        ("not " * 60 + "true", "an expression nested more than 50 levels deep"),
        ("a" + " + a" * 6000, "an expression of 24,001 characters; 20,000 are the limit"),
        ("(" * 600 + "1" + ")" * 600, "no expression: '" + "(" * 59 + "…'"),
    ],
    ids=range(17),
)  # fmt: skip
def test_limits(wrong: Callable[..., str], expression: str, expected: str) -> None:
    assert wrong(expression) == expected


def test_as_much_as_the_limits_allow(value: Callable[..., Any]) -> None:
    assert value("10 ** 999") == 10**999
    assert value("9" * 1000) == 10**1000 - 1
    assert value("1e999") == 10**999
    assert len(value("range(10_000)")) == 10_000
    assert value("1 + (" * 45 + "1" + ")" * 45) == 46
    # a closed form may have many terms, and they are no nesting
    assert value("1 + " * 900 + "1") == 901
    assert value("2 - 1 * 3 + " * 100 + "7 // 2 % 2") == -99
    assert value("[" * 10 + "]" * 10) == ((((((((((),),),),),),),),),)
