"""language.md, Scalars: how a piece of text is read, and what YAML is not used for."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
import yaml

import convcalc
from convcalc import ConvcalcError
from convcalc.spec.tree import List, Map, Scalar, Tree, parse_yaml

SPEC = "input: [3, 4, 4]\nlayers: [relu]\n"


# -- literals -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5", 5),
        ("-5", -5),
        ("+5", 5),
        ("1_000", 1_000),
        ("25_557_032", 25_557_032),
        ("1.1", Fraction(11, 10)),
        ("-0.25", Fraction(-1, 4)),
        ("2.0", 2),
        ("1e6", 10**6),
        ("1E6", 10**6),
        ("1.5e1", 15),
        ("5e-1", Fraction(1, 2)),
        ("1e-7", Fraction(1, 10**7)),
        ("true", True),
        ("false", False),
    ],
)
def test_literals_are_exact(value: Callable[..., Any], text: str, expected: Any) -> None:
    found = value(text)
    assert found == expected
    assert type(found) is type(expected)


def test_decimals_stay_exact_through_arithmetic(value: Callable[..., Any]) -> None:
    assert value("exact * 10") == 11
    assert value("0.1 + 0.2 == 0.3") is True
    assert value("1.2 * 32 / 8") == Fraction(24, 5)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("010", "'010' starts with 0. Numbers are decimal: write it without the leading zero."),
        ("-010", "'-010' starts with 0. Numbers are decimal: write it without the leading zero."),
        (
            "1:30",
            "'1:30' is no number. "
            "A key needs a space after its colon: {stride: 2}, not {stride:2}.",
        ),
        ("yes", "'yes' is no truth value here. Write true or false."),
        ("no", "'no' is no truth value here. Write true or false."),
        ("on", "'on' is no truth value here. Write true or false."),
        ("off", "'off' is no truth value here. Write true or false."),
        ("True", "'True' is no truth value here. Write true or false."),
        ("FALSE", "'FALSE' is no truth value here. Write true or false."),
        ("null", "'null' is no value here. Leave the value out."),
        ("~", "'~' is no value here. Leave the value out."),
        ("0x10", "'0x10' is no decimal number"),
        ("0b11", "'0b11' is no decimal number"),
        ("5.", "'5.' is no decimal number"),
        (".5", "'.5' is no decimal number"),
        ("1j", "'1j' is no decimal number"),
        ("1__0", "no expression: '1__0'"),
        ("1_", "no expression: '1_'"),
        ("007 + 1", "no expression: '007 + 1'. Numbers are decimal and do not start with 0."),
        (".inf", "no expression: '.inf'"),
        ("...", "'...' is no decimal number"),
    ],
)
def test_what_yaml_or_python_would_read_otherwise(
    wrong: Callable[..., str], text: str, expected: str
) -> None:
    assert wrong(text) == expected


def test_text_is_read_by_our_own_reader_everywhere() -> None:
    net = convcalc.loads("name: 010\ntitle: yes\nsource: 1:30\n" + SPEC)
    assert (net.name, net.title, net.source) == ("010", "yes", "1:30")


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("2 × a", "Write * for ×."),
        ("a − 1", "Write - for −."),
        ("a ≥ 1", "Write >= for ≥."),
        ("ａ + 1", "Names and numbers are made of the letters a to z, digits and _."),
        ("３", "Names and numbers are made of the letters a to z, digits and _."),
        ("größe", "Names and numbers are made of the letters a to z, digits and _."),
    ],
)
def test_only_plain_letters_digits_and_signs(
    wrong: Callable[..., str], typed: str, hint: str
) -> None:
    assert wrong(typed) == f"no expression: '{typed}'. {hint}"


# -- what YAML has and specs do without ---------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "input: !!python/object/apply:os.system ['true']\nlayers: [relu]\n",
            "<string>:1:8: a tag, !!python/object/apply:os.system. "
            "Specs have no tags: leave it out.",
        ),
        ("input: [3]\nlayers: !mine [relu]\n", "<string>:2:9: a tag, !mine. "
         "Specs have no tags: leave it out."),
        ("input: ! [3]\nlayers: [relu]\n", "<string>:1:8: a tag, ! "
         "Specs have no tags: leave it out."),
        ("name: !!str x\n" + SPEC, "<string>:1:7: a tag, !!str. "
         "Specs have no tags: leave it out."),
        (
            "input: [3, 4]\nlayers:\n  - linear: {<<: {bias: true}, axis: -1}\n",
            "<string>:3:14: merge keys (<<) are not used in specs. Use extends: or a block.",
        ),
        (
            "input: [3]\nlayers: [relu]\ninput: [4]\n",
            "<string>:3:1: the key 'input' stands here twice, first at <string>:1:1",
        ),
        (
            "input: [3]\nlayers:\n  - linear: {bias: true, out_features: 1, bias: true}\n",
            "<string>:3:43: the key 'bias' stands here twice, first at <string>:3:14",
        ),
        (SPEC + "---\n" + SPEC, "<string>:3:1: a second document. One file holds one spec."),
        ("", "<string>:1:1: an empty spec. It needs at least input: and layers:."),
        ("# nothing\n", "<string>:1:1: an empty spec. It needs at least input: and layers:."),
        ("---\n", "<string>:1:1: an empty spec. It needs at least input: and layers:."),
        (
            "- relu\n",
            "<string>:1:1: a spec is a mapping, not a list. "
            "It starts with keys such as name:, input: and layers:.",
        ),
        (
            "relu",
            "<string>:1:1: a spec is a mapping, not 'relu'. "
            "It starts with keys such as name:, input: and layers:.",
        ),
        ("input: [3]\nlayer: [relu]\n", "<string>:2:1: unknown key 'layer'. "
         "Did you mean 'layers'?"),
        (
            "input: [3]\nlayers: [relu]\nfoo: 1\n",
            "<string>:3:1: unknown key 'foo'. A spec has the keys name, title, source, extends, "
            "input, inputs, outputs, variables, blocks, layers, groups, expect, budget.",
        ),
        ("input: [3]\nlayers: &a [relu, *a]\n",
         "<string>:2:19: the alias *a stands for a list that holds itself"),
        ("input:\n\t- 3\nlayers: [relu]\n",
         "<string>:2:1: a tab where YAML needs spaces. Indent with spaces."),
        ("input: [3]\nlayers:\n  - linear:\n\t  out_features: 1\n",
         "<string>:4:1: a tab where YAML needs spaces. Indent with spaces."),
        ("input: [3]\nlayers: [re\x07lu]\n",
         "<string>:2:12: an unprintable character, U+0007. A spec is plain UTF-8 text."),
        ("input: [3]\nlayers: [\ud800]\n",
         "<string>:2:10: an unprintable character, U+D800. A spec is plain UTF-8 text."),
        ("layers: [relu]\n", "<string>:1:1: no input. For instance input: [3, H, W]."),
        ("input: [3]\n", "<string>:1:1: no layers. "
         "A spec without layers: can only be extended."),
        ("input: [3]\nlayers: []\n", "<string>:2:1: no layers. "
         "A spec without layers: can only be extended."),
        ("input:\nlayers: [relu]\n", "<string>:1:1: input: is empty"),
        ("input: [3]\nlayers:\n", "<string>:2:1: layers: is empty"),
        ("name: [a]\n" + SPEC, "<string>:1:7: name: is a text, not a list"),
        ("? [a]\n: b\n", "<string>:1:3: a key is a name, not a list or a mapping. "
         "In {…} and […], put an expression that holds , [ ] { } in quotes: "
         "size: \"min(a, b)\"; everywhere, one that starts with a quote or * % @ ! & > | [ { "
         "or holds ': ' or ' #'."),
    ],
)  # fmt: skip
def test_what_specs_do_without(text: str, expected: str) -> None:
    with pytest.raises(ConvcalcError) as caught:
        convcalc.loads(text)
    assert str(caught.value) == expected


def test_one_document_may_have_its_marks() -> None:
    assert len(convcalc.loads("%YAML 1.1\n---\n" + SPEC + "...\n").graph.nodes) == 1
    assert len(convcalc.loads("\ufeff" + SPEC).graph.nodes) == 1
    assert len(convcalc.loads(SPEC.replace("\n", "\r\n")).graph.nodes) == 1


def test_anchors_and_aliases_stand_for_what_they_name(paths: Callable[..., list[str]]) -> None:
    assert paths("""
        input: [3, 4, 4]
        layers: [&a relu, *a, &b {layers: [*a, tanh]}, *b]
    """) == ["relu1", "relu2", "relu3", "tanh1", "relu4", "tanh2"]


def test_an_alias_without_its_anchor_may_be_an_unquoted_product(
    message: Callable[..., str],
) -> None:
    assert message("""
        input: [3, 4, 4]
        variables: {w: 2}
        layers:
          - max_pool: *w
    """).startswith("<string>:4:15: *w names no anchor above. In {…} and […], put an expression")


# -- quotes and brackets ------------------------------------------------------------------------


@pytest.mark.parametrize("quoted", ["min(a, b)", "'min(a, b)'", '"min(a, b)"'])
def test_quotes_are_only_punctuation(value: Callable[..., Any], quoted: str) -> None:
    assert value(quoted) == 3


def test_quoted_numbers_and_words_are_what_they_are_without_quotes(
    value: Callable[..., Any],
) -> None:
    assert value("'5'") == 5
    assert value('"true"') is True
    assert value("'relu'") == "relu"
    assert value("|\n    a +\n    b") == 7


@pytest.mark.parametrize(
    ("entry", "place", "problem"),
    [
        ("conv: {out_channels: min(3, 4), kernel: 1}", "3:33", "unbalanced brackets: '4)'"),
        ("upsample: {size: [min(3, 4)]}", "3:23", "no expression: 'min(3'"),
        ("max_pool: {kernel: a[0]}", "3:25", "no YAML here: "),
        ("max_pool: {kernel: @a}", "3:24", "no YAML here: "),
        ("max_pool: %a", "3:15", "no YAML here: "),
        ("max_pool: {kernel: 'a' == b}", "3:28", "no YAML here: "),
        ("max_pool: 1 if a: b", "3:21", "no YAML here: "),
    ],
)
def test_what_must_be_quoted_gets_that_hint(
    message: Callable[..., str], entry: str, place: str, problem: str
) -> None:
    text = message(f"input: [3, 4, 4]\nlayers:\n  - {entry}\n")
    assert text.startswith(f"<string>:{place}: {problem}")
    assert "put an expression that holds , [ ] { } in quotes" in text


@pytest.mark.parametrize(
    "entry",
    [
        "max_pool: {kernel:2}",
        "max_pool: {kernel: 2, stride:2}",
        "conv: {out_channels: 3,\n      kernel:1}",
        "conv:\n      out_channels: 3\n      kernel:1",
        "max_pool:2",
        "max_pool: stride:2",
    ],
)
def test_a_colon_without_a_space_gets_that_hint(message: Callable[..., str], entry: str) -> None:
    text = message(f"input: [3, 4, 4]\nlayers:\n  - {entry}\n")
    assert text.startswith("<string>:")
    assert "A key needs a space after its colon: " in text


def test_unbalanced_brackets_in_an_expression(wrong: Callable[..., str]) -> None:
    assert wrong("(a + b").startswith(
        "no expression: '(a + b'. Its brackets are not balanced. In {…} and […], put"
    )


# -- two parsers --------------------------------------------------------------------------------


def plain(tree: Tree) -> Any:
    """A tree with all it knows, to be compared."""
    if isinstance(tree, Scalar):
        return (str(tree.where), tree.text, tree.quoted)
    if isinstance(tree, List):
        return (str(tree.where), [plain(item) for item in tree.items])
    assert isinstance(tree, Map)
    return (str(tree.where), [(plain(key), plain(item)) for key, item in tree.pairs])


TEXTS = [
    SPEC,
    "input: [3, H, W]   # a comment\nvariables: {H: , W: 4}\nlayers:\n- relu\n- conv:\n"
    "    out_channels: \"min(a, b)\"\n    kernel: 'x'\n  name: x\n",
    "source: |\n  one\n  two\nname: >\n  folded\n  text\n" + SPEC,
    "? input\n: [3, 4]\n'layers': [\"relu\", relu, 'relu', &a relu, *a]\n",
    "input: {}\nlayers: []\nname: ''\n",
    "title: Réseau – 网络 🙂 x\n" + SPEC,
    SPEC.replace("\n", "\r\n"),
    "blocks: {a: {layers: [[], [[relu]], {add: [[], []]}]}}\n" + SPEC,
]


@pytest.mark.parametrize("text", TEXTS)
def test_libyaml_and_pure_python_give_the_same_tree(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    fast = plain(parse_yaml(text, "f"))
    monkeypatch.delattr(yaml, "CBaseLoader", raising=False)
    assert plain(parse_yaml(text, "f")) == fast


@pytest.mark.parametrize(
    "text",
    [
        "input: [3\nlayers: [relu]\n",
        "input:\n\t- 3\nlayers: [relu]\n",
        "layers: [*a]\n",
        "layers: &a [*a]\n",
        "input: !x 3\n",
        "layers:\n  - max_pool:\n      kernel: 1\n      stride:1\n",
        "layers: [" * 200,
        "a: b: c\n",
        "'open",
        "%TAG ! x\n",
        "a: @b",
    ],
)
def test_libyaml_and_pure_python_reject_the_same_text(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    def place_and_hint() -> tuple[str, str]:
        with pytest.raises(ConvcalcError) as caught:
            parse_yaml(text, "f")
        return caught.value.where.split(":")[0], caught.value.hint

    fast = place_and_hint()
    monkeypatch.delattr(yaml, "CBaseLoader", raising=False)
    assert place_and_hint() == fast
