"""Broken specs made out of good ones: each loads, or ends in a ConvcalcError, and in time.

CONVCALC_FUZZ sets the number of examples of each test: `CONVCALC_FUZZ=20000 pytest
tests/test_fuzz.py` takes minutes. The examples are the same at every run.
"""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

import convcalc
from convcalc import ConvcalcError, Network
from convcalc.layer import fields
from convcalc.layers import layer_class, layer_names
from convcalc.spec.zoo import zoo_folder

FOLDERS = (Path(zoo_folder()), Path(__file__).parent / "examples")
TEXTS = [
    file.read_text(encoding="utf-8") for folder in FOLDERS for file in sorted(folder.glob("*.yaml"))
]
EXAMPLES = int(os.environ.get("CONVCALC_FUZZ", "500"))
fuzz = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)

HOSTILE = [
    "", "-1", "0", "1", "7", "1.5", "1e400", "010", "2 ** 99", "9999999999999999999", "true",
    "false", "null", "~", "yes", "[]", "{}", "[1, 2, 3]", "[[1, 2], [3, 4]]", "{a: 1}", "H", "N",
    "in_channels", "in_width", "in_shape", "input", "previous", "same", "valid", "relu", "conv",
    "'", '"', "*a", "&a x", "!x", "|", ">", "- ", ": ", ":", "#", "\t", "\n", ",", "(", "]", "{",
    "{i}", '"a{i}"', "\N{RIGHT-TO-LEFT OVERRIDE}", "é", "\0", "<<", "---", "range(5)",
    "range(10**9)", '"min(H, 3)"', "H // 2", "1 / 0", "x == y", "H > 5", "not true", "[H, W]",
    "W - 500", "len(x)", "1if 2", "'\\d'", "-H", "H % 3", "3 * [1, 2]",
]  # fmt: skip
KEYS = [
    "name", "from", "when", "repeat", "for", "share", "functional", "layers", "branch", "branches",
    "axis", "axes", "kernel", "stride", "padding", "dilation", "groups", "bias", "out_channels",
    "out_features", "like", "size", "scale", "mode", "ceil_mode", "keep_axes", "input", "inputs",
    "outputs", "variables", "blocks", "arguments", "extends", "expect", "title",
]  # fmt: skip

Draw = Callable[[st.SearchStrategy[Any]], Any]


# -- breaking -----------------------------------------------------------------------------------


def index(draw: Draw, length: int) -> int:
    return int(draw(st.integers(0, max(0, length - 1))))


def delete_line(text: str, draw: Draw) -> str:
    lines = text.split("\n")
    del lines[index(draw, len(lines))]
    return "\n".join(lines)


def copy_line(text: str, draw: Draw) -> str:
    lines = text.split("\n")
    lines.insert(index(draw, len(lines)), lines[index(draw, len(lines))])
    return "\n".join(lines)


def foreign_line(text: str, draw: Draw) -> str:
    lines, others = text.split("\n"), draw(st.sampled_from(TEXTS)).split("\n")
    lines.insert(index(draw, len(lines)), others[index(draw, len(others))])
    return "\n".join(lines)


def swap_lines(text: str, draw: Draw) -> str:
    lines = text.split("\n")
    i, j = index(draw, len(lines)), index(draw, len(lines))
    lines[i], lines[j] = lines[j], lines[i]
    return "\n".join(lines)


def indent_line(text: str, draw: Draw) -> str:
    lines = text.split("\n")
    i, by = index(draw, len(lines)), draw(st.integers(-4, 4))
    lines[i] = " " * by + lines[i] if by > 0 else lines[i][-by:]
    return "\n".join(lines)


def change_token(text: str, draw: Draw) -> str:
    """A word, number or sign becomes another one of the spec, or a hostile one."""
    tokens = list(re.finditer(r"\w+|[^\w\s]", text))
    if not tokens:
        return text
    token = tokens[index(draw, len(tokens))]
    other = tokens[index(draw, len(tokens))][0]
    new = draw(st.sampled_from([other, *HOSTILE, *KEYS, *sorted(layer_names())]))
    return text[: token.start()] + new + text[token.end() :]


def change_value(text: str, draw: Draw) -> str:
    """What stands after a colon becomes hostile."""
    values = list(re.finditer(r"(?<=: )[^\n,{}]+", text))
    if not values:
        return text
    value = values[index(draw, len(values))]
    return text[: value.start()] + draw(st.sampled_from(HOSTILE)) + text[value.end() :]


def flip_character(text: str, draw: Draw) -> str:
    i = index(draw, len(text))
    return text[:i] + draw(st.characters(min_codepoint=1, max_codepoint=0x2FF)) + text[i + 1 :]


def insert_text(text: str, draw: Draw) -> str:
    i = index(draw, len(text))
    return text[:i] + draw(st.sampled_from([*HOSTILE, *KEYS])) + text[i:]


def delete_text(text: str, draw: Draw) -> str:
    i = index(draw, len(text))
    return text[:i] + text[i + draw(st.integers(1, 20)) :]


def cut(text: str, draw: Draw) -> str:
    return text[: index(draw, len(text))]


BREAKING = [
    delete_line, copy_line, foreign_line, swap_lines, indent_line, change_token, change_token,
    change_value, change_value, flip_character, insert_text, delete_text, cut,
]  # fmt: skip


@st.composite
def broken_specs(draw: Draw) -> str:
    text: str = draw(st.sampled_from(TEXTS))
    for breaking in draw(st.lists(st.sampled_from(BREAKING), min_size=1, max_size=4)):
        text = breaking(text, draw)
    return text


# -- what may come of it ------------------------------------------------------------------------


def in_time(ask: Callable[[], Any], layers: int = 0) -> Any:
    """The result; fails where it takes longer than it may, and ends what hangs."""

    def hangs(*_: object) -> NoReturn:
        raise AssertionError("it hangs")

    before = signal.signal(signal.SIGALRM, hangs)
    signal.alarm(60)
    try:
        for last in (False, True):
            start = time.process_time()
            result = ask()
            if time.process_time() - start < 2 + layers / 10_000:
                return result
            # once may be the garbage collector, which goes over all that Hypothesis keeps
            assert not last, "it takes too long"
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def attempt(ask: Callable[[], Any]) -> Any:
    """What is asked for, or the error in its place."""
    try:
        return ask()
    except ConvcalcError as error:
        return error


def ends(load: Callable[[], Network]) -> None:
    """All that can be asked of a network gives a value, or a ConvcalcError."""
    net = in_time(lambda: attempt(load))
    event(f"load: {type(net).__name__}")
    if isinstance(net, ConvcalcError):
        check(net)
        return
    for ask in (lambda: str(net), lambda: net.summarize().to_dict(), lambda: str(net.formula())):
        found = in_time(lambda ask=ask: attempt(ask), len(net.graph.nodes))
        event(f"ask: {type(found).__name__}")
        assert found
        if isinstance(found, ConvcalcError):
            check(found)


def check(error: ConvcalcError) -> None:
    """An error is a message for a person, whatever was in the spec."""
    message = str(error)
    assert error.fact
    assert len(message) < 4_000
    assert all(line.isprintable() for line in message.split("\n"))


# -- the tests ----------------------------------------------------------------------------------


@fuzz
@given(broken_specs())
def test_broken_specs(text: str) -> None:
    ends(lambda: convcalc.loads(text))


def nested(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    keys = st.sampled_from([*KEYS, *sorted(layer_names()), "b", "x", "i, j"])
    return st.lists(children, max_size=4) | st.dictionaries(keys, children, max_size=4)


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-2, 40)
    | st.integers()
    | st.floats()
    | st.fractions()
    | st.sampled_from([*HOSTILE, *KEYS, "x", "b", "2 * x", "b.x", "x{1}"])
    | st.sampled_from(sorted(layer_names()))
    | st.text(max_size=5)
)
VALUES = st.recursive(SCALARS, nested, max_leaves=12)
# mostly what fits: an image of 6 channels, as most layers take it
FITTING = st.sampled_from([1, 2, 3, 1, 2, 3, "x", "in_channels", "H", [1, 2], True, "same", "a"])
CONDITIONS = st.sampled_from([True, "in_channels == 6", "x > 1", "H > 2", "not (x == 2)"])


@st.composite
def layer_entries(draw: Draw) -> Any:
    """A layer with its own fields, and keys beside it."""
    name = draw(st.sampled_from(sorted(layer_names())))
    layer = layer_class(name)
    value: Any = {
        field.name: draw(FITTING | FITTING | FITTING | SCALARS)
        for field in fields(layer)
        if field.required or draw(st.integers(0, 3)) == 0
    }
    if layer.merges and draw(st.booleans()):
        value["branches"] = draw(st.lists(st.lists(entries(), max_size=2), max_size=3))
    beside = {
        "name": st.sampled_from(["a", "c{i}", "d{x}"]),
        "from": st.sampled_from(["a", "input", "previous", ["a", "input"], "b.a"]),
        "when": CONDITIONS | SCALARS,
        "repeat": st.integers(0, 3) | st.just("x") | SCALARS,
        "for": st.just({"i": [1, 2]}) | st.just({"i, x": [[1, 2], [3, 4]]}),
        "share": st.sampled_from(["w", "w{i}"]),
        "functional": st.booleans(),
    }
    used = draw(st.lists(st.sampled_from(sorted(beside)), max_size=2))
    return {name: value, **{key: draw(beside[key]) for key in used}}


def entries() -> st.SearchStrategy[Any]:
    words = st.sampled_from(["relu", "batch_norm", "b", {"b": 2}, {"layers": ["tanh", "b"]}])
    return words | st.deferred(layer_entries) | st.deferred(layer_entries) | VALUES


@fuzz
@given(
    st.fixed_dictionaries(
        {
            "input": st.sampled_from([[6, 8, 8], [6, "H", 9], [6, 9], [6], [6, 5, 4, "H"]]),
            "layers": st.lists(entries(), max_size=4),
            "variables": st.fixed_dictionaries({"x": FITTING | VALUES, "H": st.integers(5, 9)}),
            "blocks": st.fixed_dictionaries(
                {
                    "b": st.fixed_dictionaries(
                        {"layers": st.lists(entries(), min_size=1, max_size=3)},
                        optional={"arguments": st.just({"i": 1, "x": "i"}) | VALUES},
                    )
                }
            ),
        },
        optional={"outputs": st.just(["a"]) | VALUES},
    )
)
def test_specs_made_of_anything(spec: dict[str, Any]) -> None:
    # each name is read somewhere, so that no spec fails for that alone
    spec["layers"] = [{"relu": None, "when": "x == x and H == H"}, *spec["layers"]]
    ends(lambda: convcalc.from_dict(spec))


OPERANDS = st.sampled_from(
    ["a", "s", "list", "rows", "word", "N", "0", "1", "2", "7", "1.5", "true", "in_channels", "H",
     "'relu'", "[]", "[1, a]", "10**9", "9" * 40]
)  # fmt: skip


def larger(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    def joined(template: str, *operands: str) -> str:
        return template.format(*operands)

    signs = ["+", "-", "*", "/", "//", "%", "**", "==", "!=", "<", "<=", ">", ">=", "and", "or"]
    templates = [
        *(f"({{}} {sign} {{}})" for sign in signs), "-{}", "not {}", "({} if {} else {})", "{}[{}]",
        "{}[{}:{}]", "[{}, {}]", "{}{}", "({}", "{}.{}", "{} {}", "{}({})",
        "min({}, {})", "max({})", "ceil({})", "floor({})", "round({})", "ceil_div({}, {})",
        "gcd({}, {})", "make_divisible({}, {})", "make_divisible({}, min={})", "range({})",
        "range({}, {}, {})", "len({})",
    ]  # fmt: skip
    return st.builds(joined, st.sampled_from(templates), parts, parts, parts)


EXPRESSIONS = st.recursive(OPERANDS, larger, max_leaves=8)
READING = {
    "out_channels": {"conv": {"out_channels": "x", "kernel": 1}},
    "kernel": {"max_pool": {"kernel": "x", "stride": 1}},
    "padding": {"conv": {"out_channels": 2, "kernel": 2, "padding": "x"}},
    "when": {"relu": None, "when": "x"},
    "repeat": {"relu": None, "repeat": "x"},
    "for": {"relu": None, "for": {"i": "x"}},
    "name": {"relu": None, "name": "n{x}"},
    "from": {"relu": None, "from": "x"},
    "entry": "x",
}


@fuzz
@given(EXPRESSIONS, st.sampled_from(sorted(READING)))
def test_any_expression_anywhere(expression: str, reader: str) -> None:
    spec = {
        "input": [3, "H", 16],
        "variables": {
            "x": "a", "a": 3, "s": None, "list": [1, 7], "rows": [[1, 2], [3, 4]], "word": "relu",
        },
        "layers": [
            {"relu": None, "name": "a"},
            {"tanh": None, "when": "a == a and s == s and list == list and rows == rows"},
            {"relu": None, "when": "word == 'relu'"},
            READING[reader],
        ],
    }  # fmt: skip
    ends(lambda: convcalc.from_dict(spec, x=expression))
