"""language.md, Variables and symbols."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import convcalc
from convcalc import ConvcalcError, Network
from convcalc.dim import symbol
from convcalc.errors import UndecidableError, UsageError

CHAIN = """\
input: [3, H, W]
variables: {H: 8, W: 9, width: 2 * base, base: 4}
layers:
  - conv: {out_channels: width, kernel: 1}
"""


# -- values -------------------------------------------------------------------------------------


def test_variables_may_be_expressions_of_later_ones() -> None:
    assert convcalc.loads(CHAIN).variables == {"H": 8, "W": 9, "width": 8, "base": 4}


def test_they_are_evaluated_after_overrides() -> None:
    assert convcalc.loads(CHAIN, base=10).variables["width"] == 20
    assert convcalc.loads(CHAIN, base=10, width=7).variables["width"] == 7
    net = convcalc.loads(CHAIN, base=10)
    assert net.summarize().totals.params == 80
    assert net.summarize(base=1, H=2).totals.macs == 2 * 9 * 6


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (5, 5),
        ("5", 5),
        ("2 * 8", 16),
        ("base + 1", 5),
        ("H // 2", 4),
        (5.0, 5),
        ("min(H, base)", 4),
    ],
)
def test_an_override_is_read_as_the_language_reads_it(given: Any, expected: int) -> None:
    assert convcalc.loads(CHAIN, width=given).variables["width"] == expected


def test_lists_and_words_as_overrides(paths: Callable[..., list[str]]) -> None:
    text = """
        input: [3, 4, 4]
        variables: {depths: [1, 2], act: relu}
        blocks: {unit: {arguments: {kind}, layers: [kind]}}
        layers:
          - for: {depth: depths}
            layers: [{unit: act, repeat: depth}]
    """
    assert paths(text) == ["unit1.relu1", "unit2.relu1", "unit3.relu1"]
    for given in ([1], (1,), "[1]", "range(1, 2)", "[2] // 2"):
        assert paths(text, depths=given, act="tanh") == ["unit1.tanh1"]


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ("width: width", "variables that need each other: width → width"),
        (
            "width: a, a: b + 1, b: 2 * width",
            "variables that need each other: width → a → b → width",
        ),
    ],
)
def test_a_cycle_is_an_error(message: Callable[..., str], variables: str, expected: str) -> None:
    assert (
        message(f"""
        input: [3, H, W]
        variables: {{H: 8, W: 9, {variables}}}
        layers: [conv: {{out_channels: width, kernel: 1}}]
    """)
        == f"<string>:2:32: conv1: {expected}"
    )


def test_an_override_can_make_a_cycle() -> None:
    with pytest.raises(ConvcalcError, match="variables that need each other: width → base → width"):
        convcalc.loads(CHAIN, base="width")


def test_an_undefined_name_in_a_variable(message: Callable[..., str]) -> None:
    assert message(CHAIN.replace("2 * base", "2 * bass")) == (
        "<string>:2:42: nothing reads the variable 'base'. Did you mean 'bass'?"
    )
    assert message(CHAIN.replace("2 * base", "2 * bass + base")) == (
        "<string>:2:32: conv1: unknown name 'bass'. Did you mean 'base'?"
    )


def test_a_variable_knows_no_tensor(message: Callable[..., str]) -> None:
    assert message(CHAIN.replace("2 * base", "base * in_channels")) == (
        "<string>:2:32: conv1: in_channels has no meaning here: no tensor reaches this place"
    )


# -- names and use ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ("widht: 8", "nothing reads the variable 'widht'. Did you mean 'width'?"),
        ("other: 8", "nothing reads the variable 'other'. Take it away, or use it."),
        ("N: 8", "'N' cannot be the name of a variable: the language uses it"),
        ("input: 8", "'input' cannot be the name of a variable: the language uses it"),
        ("previous: 8", "'previous' cannot be the name of a variable: the language uses it"),
        ("in_channels: 8", "'in_channels' cannot be the name of a variable: the language uses it"),
        ("in_size: 8", "'in_size' cannot be the name of a variable: the language uses it"),
        ("repeat: 8", "'repeat' cannot be the name of a variable: the language uses it"),
        ("share: 8", "'share' cannot be the name of a variable: the language uses it"),
        ("functional: 8", "'functional' cannot be the name of a variable: the language uses it"),
        ("layers: 8", "'layers' cannot be the name of a variable: the language uses it"),
        ("min: 8", "'min' cannot be the name of a variable: the language uses it"),
        ("make_divisible: 8", "'make_divisible' cannot be the name of a variable: "
         "the language uses it"),
        ("2x: 8", "'2x' cannot be the name of a variable. "
         "A name is a letter, then letters, digits and _."),
        ("_x: 8", "'_x' cannot be the name of a variable. "
         "A name is a letter, then letters, digits and _."),
        ("a-b: 8", "'a-b' cannot be the name of a variable. "
         "A name is a letter, then letters, digits and _."),
        ("größe: 8", "'größe' cannot be the name of a variable. "
         "A name is a letter, then letters, digits and _."),
        (f"{'x' * 101}: 8", "a name of 101 characters; 100 are the limit"),
    ],
)  # fmt: skip
def test_names_of_variables(message: Callable[..., str], variables: str, expected: str) -> None:
    assert (
        message(f"""
        input: [3, H, W]
        variables: {{H: 8, {variables}, W: 9}}
        layers: [conv: {{out_channels: width, kernel: 1}}]
    """)
        == f"<string>:2:19: {expected}"
    )


@pytest.mark.parametrize("word", ["name", "from", "when", "for", "true", "branch", "ceil_div"])
@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("blocks: {b: {arguments: {W: 1}, layers: [relu]}}\nlayers: [b]", "an argument"),
        ("blocks: {b: {arguments: [W], layers: [relu]}}\nlayers: [b: 1]", "an argument"),
        ("layers:\n  - relu:\n    for: {W: [1]}", "a loop variable"),
        ("blocks: {W: {layers: [relu]}}\nlayers: [relu]", "a block"),
    ],
)
def test_other_names_of_values_follow_the_same_rule(
    message: Callable[..., str], text: str, what: str, word: str
) -> None:
    found = message("input: [3]\n" + text.replace("W", word) + "\n")
    assert found.endswith(f": '{word}' cannot be the name of {what}: the language uses it")


def test_a_setting_that_nothing_reads_is_an_error_with_a_suggestion() -> None:
    for name, expected in [
        ("widht", "unknown variable 'widht'. Did you mean 'width'?"),
        ("zzz", "unknown variable 'zzz'. This spec has N, H, W, width, base."),
    ]:
        with pytest.raises(UsageError) as caught:
            convcalc.loads(CHAIN, **{name: 3})
        assert str(caught.value) == expected
        with pytest.raises(UsageError):
            convcalc.loads(CHAIN).summarize(**{name: 3})


def test_an_inherited_variable_that_nothing_reads_cannot_be_set(tmp_path: Any) -> None:
    (tmp_path / "base.yaml").write_text(CHAIN)
    (tmp_path / "child.yaml").write_text("extends: base\nlayers: [relu]\n")
    with pytest.raises(UsageError) as caught:
        convcalc.load(tmp_path / "child.yaml", width=3)
    assert str(caught.value) == ("nothing reads the variable 'width'. This spec has N, H, W, base.")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("5 +", "width: no expression: '5 +'"),
        ("", "width: an expression is due here, not nothing"),
        (None, "width: a value is due here, not nothing"),
        ({"a": 1}, "width: a value is due here, not a mapping"),
        ("widht", "width: conv1: 'widht' is no variable. Did you mean 'width'?"),
        ("9**9**9", "width: conv1: 9 ** 387420489 has more than 1,000 digits"),
        (0, "<string>:4:26: conv1: out_channels: 0 is too small: at least 1 is due here"),
        ([1, 2], "<string>:4:26: conv1: out_channels: a whole number is due here, "
         "not the list [1, 2]"),
        (1.5, "<string>:4:26: conv1: out_channels: a whole number is due here, "
         "not the fraction 3/2. Use // for division that rounds down."),
        (float("nan"), "width: nan is no number"),
        (object(), "width: a value of type object. Specs are made of mappings, lists, text, "
         "numbers, truth values and None."),
    ],
)  # fmt: skip
def test_a_wrong_override_names_its_variable(given: Any, expected: str) -> None:
    with pytest.raises(ConvcalcError) as caught:
        convcalc.loads(CHAIN, width=given)
    assert str(caught.value) == expected


# -- the batch ----------------------------------------------------------------------------------


def test_the_batch_is_1_unless_set_and_readable() -> None:
    text = "input: [3, 4, 4]\nlayers: [conv: {out_channels: 2 * N, kernel: 1}]\n"
    assert convcalc.loads(text).graph.nodes[0].shape == (1, 2, 4, 4)
    assert convcalc.loads(text, N=3).graph.nodes[0].shape == (3, 6, 4, 4)
    assert convcalc.loads(text, N="2 + 2").graph.nodes[0].shape == (4, 8, 4, 4)
    assert convcalc.loads(text).summarize(N=5).rows[0].output_shape == (5, 10, 4, 4)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (0, "N: 0 is too small: at least 1 is due here"),
        ("big", "N: 'big' is no variable. A whole number is due here."),
        (1.5, "N: a whole number is due here, not the fraction 3/2. "
         "Use // for division that rounds down."),
        ([1], "N: a whole number is due here, not the list [1]"),
    ],
)  # fmt: skip
def test_wrong_batches(given: Any, expected: str) -> None:
    with pytest.raises(ConvcalcError) as caught:
        convcalc.loads(CHAIN, N=given)
    assert str(caught.value) == expected


# -- symbols ------------------------------------------------------------------------------------


def shape(net: Network) -> str:
    return str(net.graph.nodes[-1].shape)


def test_a_name_in_the_input_without_a_value_is_a_symbol() -> None:
    net = convcalc.loads("input: [3, H, 2 * W + 1]\nlayers: [max_pool: 2]\n")
    assert shape(net) == "(1, 3, ⌊H/2⌋, W)"
    assert net.variables == {"H": symbol("H"), "W": symbol("W")}
    assert shape(convcalc.loads("input: [3, H, 2 * W + 1]\nlayers: [max_pool: 2]\n", W=3, H=9)) == (
        "(1, 3, 4, 3)"
    )


def test_a_variable_without_a_value_is_a_symbol() -> None:
    text = (
        "input: [3, 4, 4]\nvariables: {c: , k: 3}\n"
        "layers: [conv: {out_channels: c // 2 + 1, kernel: k}]\n"
    )
    net = convcalc.loads(text)
    assert shape(net) == "(1, ⌊(c + 2)/2⌋, 2, 2)"
    assert shape(convcalc.loads(text, c=8)) == "(1, 5, 2, 2)"


def test_a_variable_named_as_symbolic_is_a_symbol() -> None:
    net = convcalc.loads(CHAIN)
    report = net.summarize(symbolic="base, H")
    assert str(report.rows[0].output_shape) == "(1, 2·base, H, 9)"
    assert str(report.totals.params) == "8·base"
    assert str(net.summarize(symbolic=["N"]).totals.macs) == "1,728·N"
    for name in ("widht", "conv"):
        with pytest.raises(UsageError, match=f"'{name}' is no variable of this spec"):
            net.summarize(symbolic=name)


def test_a_formula_leaves_the_batch_and_the_names_of_the_input_free() -> None:
    net = convcalc.loads(CHAIN)
    assert str(net.formula("macs")) == "24·N·H·W"
    assert str(net.formula("macs", symbols="base")) == "432·base"
    assert str(net.formula("params")) == "32"
    assert str(convcalc.loads(CHAIN, H=5, base=1).formula("macs")) == "6·N·H·W"


def test_only_names_of_the_language_may_be_symbols(message: Callable[..., str]) -> None:
    for name, expected in [
        ("previous", "'previous' cannot be the name of a symbol: the language uses it"),
        ("in_channels", "'in_channels' cannot be the name of a symbol: the language uses it"),
        ("_h", "'_h' cannot be the name of a symbol. "
         "A name is a letter, then letters, digits and _."),
        ("min", "'min' is a function: write min(…)"),
    ]:  # fmt: skip
        assert message(f"input: [3, {name}]\nlayers: [relu]\n") == f"<string>:1:12: {expected}"


SYMBOLIC = """\
input: [4, 8, 8]
variables: {s: , list: [1, 2], used: s if list == list else 1}
layers:
  - {relu: , when: used == s}
  - """


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("conv: {out_channels: s, kernel: 1}", "(1, s, 8, 8)"),
        ("conv: {out_channels: 2 * s - 1, kernel: 1}", "(1, 2·s − 1, 8, 8)"),
        ("conv: {out_channels: 2, kernel: 3, padding: s}", "(1, 2, 2·s + 6, 2·s + 6)"),
        ("max_pool: {kernel: s, stride: 1}", "(1, 4, 9 − s, 9 − s)"),
        ("adaptive_avg_pool: s", "(1, 4, s, s)"),
        ("upsample: {size: [s, 4]}", "(1, 4, s, 4)"),
        ("linear: {out_features: s, axis: -1}", "(1, 4, 8, s)"),
        ("slice: {axis: 2, stop: 8}\n    when: s > 0", "(1, 4, 8, 8)"),
    ],
)
def test_symbols_may_stand_in_sizes_channels_padding_and_pool_kernels(
    entry: str, expected: str
) -> None:
    assert shape(convcalc.loads(SYMBOLIC + entry + "\n")) == expected


ONLY = (
    "Only sizes, channels, padding and pool kernels may be symbolic; the form of the network "
    "itself depends on all else."
)


@pytest.mark.parametrize(
    ("entry", "place", "expected"),
    [
        ("conv: {out_channels: 2, kernel: s}", "5:37", "conv1: kernel: a number is due here, "
         f"not an expression in the symbol s: s. {ONLY}"),
        ("conv: {out_channels: 2, kernel: 1, stride: 2 * s}", "5:48", "conv1: stride: a number "
         f"is due here, not an expression in the symbol s: 2·s. {ONLY}"),
        ("conv: {out_channels: 2, kernel: 1, dilation: s}", "5:50", "conv1: dilation: a number "
         f"is due here, not an expression in the symbol s: s. {ONLY}"),
        ("conv: {out_channels: 2, kernel: 1, groups: s}", "5:5", "conv1: groups: a number is "
         "due here, not an expression in the symbol s: s. It may be symbolic only where it fits "
         "at every value, as groups: in_channels does; the form of the network itself depends "
         "on it."),
        ("{tanh: , repeat: s}", "5:22", "repeat: a number is due here, "
         f"not an expression in the symbol s: s. {ONLY}"),
        ("{tanh: , for: {i: range(s)}}", "5:23", "range(s): the length of a list cannot be "
         "symbolic. Give s a number."),
        ("{tanh: , for: {i: s}}", "5:23", "for: a list is due here, not an expression in the "
         "symbol s: s. The form of the network itself depends on it."),
        ("{tanh: , when: s > 4}", "5:20", "whether s > 4 depends on s. "
         "A condition cannot depend on a symbol: give s a number."),
        ("{tanh: , when: s == 4}", "5:20", "whether s == 4 depends on s. "
         "A condition cannot depend on a symbol: give s a number."),
        ("{tanh: , when: s}", "5:20", "when: is true or false, not s. "
         "A truth value is true, false or a comparison, as n > 0."),
        ("conv: {out_channels: s / 2, kernel: 1}", "5:26", "conv1: out_channels: a size is a "
         "whole number, and (1/2)·s is not whole for every value. "
         "Use // for division that rounds down."),
        ("conv: {out_channels: 2 ** s, kernel: 1}", "5:26", "conv1: the exponent of ** must be "
         "a whole number, not s"),
        ("conv: {out_channels: s ** 33, kernel: 1}", "5:26", "conv1: an exponent of a symbol is "
         "from 0 to 32, not 33"),
        ("conv: {out_channels: \"make_divisible(9, s)\", kernel: 1}", "5:26", "conv1: "
         "make_divisible to multiples of s, at least s: only its first value may be symbolic. "
         "Give s a number."),
        ("conv: {out_channels: \"list[s]\", kernel: 1}", "5:26", "conv1: "
         "an index is a whole number, not s"),
        ("{tanh: , name: \"a{s}\"}", "5:20", "s cannot be part of a name. "
         "What stands in {…} is a word or a whole number of at least 0."),
    ],
)  # fmt: skip
def test_symbols_may_stand_nowhere_else(
    message: Callable[..., str], entry: str, place: str, expected: str
) -> None:
    assert message(SYMBOLIC + entry + "\n") == f"<string>:{place}: {expected}"


def test_conditions_that_no_value_changes_are_decided(paths: Callable[..., list[str]]) -> None:
    assert paths(SYMBOLIC + "{tanh: , when: s > 0 and 2 * s >= s + 1 and s + 1 != s}\n") == [
        "relu1",
        "tanh1",
    ]


def test_undecidable_is_an_error_of_its_own() -> None:
    with pytest.raises(UndecidableError):
        convcalc.loads(SYMBOLIC + "{tanh: , when: s > 4}\n")
    # with a number the same spec is decided
    assert len(convcalc.loads(SYMBOLIC + "{tanh: , when: s > 4}\n", s=5).graph.nodes) == 2


def test_too_many_variables_in_a_chain(message: Callable[..., str]) -> None:
    def chain(length: int) -> str:
        links = "".join(f"  a{i}: a{i + 1}\n" for i in range(length))
        return (
            f"input: [3, 4]\nvariables:\n{links}  a{length}: 2\n"
            "layers: [linear: {out_features: a0, axis: -1}]\n"
        )

    assert convcalc.loads(chain(99)).variables["a0"] == 2
    assert message(chain(10_000)).endswith("linear1: more than 100 variables in a chain")
