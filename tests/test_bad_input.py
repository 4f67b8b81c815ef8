"""Bad input ends in a ConvcalcError, or exit code 3 with a message, within two seconds.

Never a traceback, a hang or a memory explosion: a spec is data from a stranger. What the errors
say is tested in tests/spec.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy
import pytest

import convcalc
from convcalc import ConvcalcError
from convcalc.dim import symbol

LIMIT = 2.0
"""Seconds of the processor: other processes on the machine do not count."""

IMAGE = "input: [3, 32, 32]\n"


@pytest.fixture
def quick() -> Iterator[None]:
    """Fail if the test takes longer than bad input may take."""
    start = time.process_time()
    yield
    assert time.process_time() - start < LIMIT


def ends(text: str, **variables: Any) -> str:
    """The error that a spec ends in: on one screen, and safe for a terminal."""
    with pytest.raises(ConvcalcError) as caught:
        convcalc.loads(text, **variables)
    message = str(caught.value)
    assert len(message) < 2_500
    assert all(line.isprintable() for line in message.split("\n"))
    return message


def or_else(text: str, **variables: Any) -> None:
    """Some specs are legal, and only look bad: all that is asked of them must end as well."""
    with suppress(ConvcalcError):
        net = convcalc.loads(text, **variables)
        report = net.summarize()
        assert report.text()
        assert report.to_dict()
        assert str(net.formula("macs"))


# -- by the kind of mistake ---------------------------------------------------------------------

LAYERS = {
    "unknown layer": "foo",
    "unknown field": "conv: {out_channels: 3, kernel: 1, foo: 2}",
    "unknown name": "conv: {out_channels: foo, kernel: 1}",
    "unknown name in a larger expression": "conv: {out_channels: 2 * foo, kernel: 1}",
    "unknown function": "conv: {out_channels: foo(2), kernel: 1}",
    "unknown layer to read": "{relu: , from: foo}",
    "a list for a number": "conv: {out_channels: [1, 2], kernel: 1}",
    "a truth value for a number": "conv: {out_channels: true, kernel: 1}",
    "a mapping for a number": "conv: {out_channels: {a: 1}, kernel: 1}",
    "nothing for a number": "conv: {out_channels: , kernel: 1}",
    "a number for a truth value": "conv: {out_channels: 3, kernel: 1, bias: 1}",
    "a number for a word": "upsample: {scale: 2, mode: 3}",
    "a fraction": "conv: {out_channels: 1.5, kernel: 1}",
    "no number": "conv: {out_channels: .nan, kernel: 1}",
    "infinite": "conv: {out_channels: .inf, kernel: 1}",
    "negative channels": "conv: {out_channels: -3, kernel: 1}",
    "no channels": "conv: {out_channels: 0, kernel: 1}",
    "negative kernel": "conv: {out_channels: 3, kernel: -1}",
    "no kernel": "max_pool: 0",
    "no stride": "conv: {out_channels: 3, kernel: 1, stride: 0}",
    "negative stride": "max_pool: {kernel: 2, stride: -2}",
    "negative padding": "conv: {out_channels: 3, kernel: 1, padding: -1}",
    "no dilation": "conv: {out_channels: 3, kernel: 3, dilation: 0}",
    "no groups": "conv: {out_channels: 3, kernel: 1, groups: 0}",
    "no scale": "upsample: 0",
    "negative rate": "dropout: -0.5",
    "a rate above 1": "dropout: 1.5",
    "a kernel larger than the input": "conv: {out_channels: 3, kernel: 33}",
    "a dilated kernel larger than the input": "max_pool: {kernel: 3, dilation: 16}",
    "a padding larger than the kernel": "max_pool: {kernel: 3, padding: 4}",
    "groups that do not divide": "conv: {out_channels: 4, kernel: 1, groups: 2}",
    "groups that do not divide the output": "conv: {out_channels: 4, kernel: 1, groups: 3}",
    "too many values": "conv: {out_channels: 4, kernel: [1, 1, 1]}",
    "no values": "conv: {out_channels: 4, kernel: []}",
    "lists in lists": "conv: {out_channels: 4, kernel: [[1, 1]]}",
    "a crop that enlarges": "crop: 33",
    "a slice past the end": "slice: {start: 3}",
    "an axis too far": "softmax: {axis: 4}",
    "the axis of the batch": "concat: {branches: [[], []], axis: 0}",
    "no order of the axes": "permute: [0, 1, 1, 3]",
    "linear without flatten": "linear: 3",
    "unequal channels": "add: [[], [conv: {out_channels: 4, kernel: 1}]]",
    "unequal sizes": "concat: [[], [max_pool: 2]]",
    "unequal ranks": "multiply: [[], [global_avg_pool]]",
    "a merge of nothing": "add: []",
    "a merge of three that takes two": "subtract: [[], [], []]",
}


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)
def test_a_wrong_layer(layer: str) -> None:
    assert ends(f"{IMAGE}layers:\n  - {layer}\n").startswith("<string>:3:")


NO_YAML = {
    "empty": "",
    "only a comment": "# nothing\n",
    "a word": "hello",
    "a list": "- relu\n",
    "null": "null\n",
    "tabs": "input:\n\t- 3\nlayers: [relu]\n",
    "tabs inside": "input: [3]\nlayers:\n  - conv:\n\t\tkernel: 1\n",
    "duplicate keys": IMAGE + IMAGE + "layers: [relu]\n",
    "duplicate fields": IMAGE + "layers:\n  - conv: {kernel: 1, kernel: 1, out_channels: 1}\n",
    "python tags": "input: !!python/object/apply:os.system ['true']\nlayers: [relu]\n",
    "python tags on a name": "name: !!python/name:os.system\n" + IMAGE + "layers: [relu]\n",
    "other tags": IMAGE + "layers: !!set {relu}\n",
    "merge keys": "a: &a {b: 1}\n<<: *a\n",
    "two documents": IMAGE + "layers: [relu]\n---\nx: 1\n",
    "an open bracket": IMAGE + "layers: [relu\n",
    "an open quote": IMAGE + "layers: ['relu\n",
    "an open mapping": "input: {a: [3]\n",
    "a stray bracket": "input: ]\n",
    "wrong indentation": "input: [3]\n layers: [relu]\n",
    "an unknown alias": IMAGE + "layers: [*a]\n",
    "an alias of itself": IMAGE + "layers: &a [*a]\n",
    "an unknown directive": "%TAG !\n---\n" + IMAGE,
    "NUL": "input: [3]\0\nlayers: [relu]\n",
    "an escape sequence": "input: [3]\nlayers: [\x1b[31mrelu]\n",
    "a lone surrogate": "input: [3]\nlayers: [\ud83d]\n",
    "a bell in quotes": IMAGE + 'layers: ["re\\alu"]\n',
    "an escape sequence in quotes": IMAGE + 'layers: ["\\e[2Jrelu"]\n',
    "a change of direction": IMAGE + "layers: [\N{RIGHT-TO-LEFT OVERRIDE}ulre]\n",
    "an emoji": IMAGE + "layers: [\N{GRINNING FACE}]\n",
    "an emoji as a key": "\N{GRINNING FACE}: 3\n",
    "a no-break space": "input:\N{NO-BREAK SPACE}[3]\n",
    "fullwidth digits": "input: [\N{FULLWIDTH DIGIT THREE}, 4]\nlayers: [relu]\n",
    "Arabic digits": "input: [\N{ARABIC-INDIC DIGIT THREE}, 4]\nlayers: [relu]\n",
    "a list as a key": "? [a]\n: b\n",
    "a mapping as a key": "{{a: b}: c}\n",
    "a key without a name": ": 3\n",
    "JavaScript": "export default {layers: ['relu']};\n",
    "Python": "import torch.nn as nn\n\nnet = nn.Sequential(nn.ReLU())\n",
    "XML": "<?xml version='1.0'?>\n<net/>\n",
}


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("text", NO_YAML.values(), ids=NO_YAML)
def test_no_spec_at_all(text: str) -> None:
    assert ends(text).startswith("<string>:")


# -- what grows ---------------------------------------------------------------------------------


def nested(before: str, inside: str, after: str, times: int) -> str:
    return before * times + inside + after * times


def bomb(levels: int, width: int, first: str, each: str) -> str:
    """Anchors that each hold the one before many times."""
    lines = [f"  - &a0 {first}\n"]
    for level in range(1, levels):
        inner = ", ".join([f"*a{level - 1}"] * width)
        lines.append(f"  - &a{level} {each % inner}\n")
    return "layers:\n" + "".join(lines)


def doubling(first: str, each: str, levels: int, use: str) -> str:
    """Variables that each use the one before twice."""
    lines = [f"  a{i}: {each.format(f'a{i - 1}')}\n" for i in range(1, levels)]
    return f"variables:\n  a0: {first}\n{''.join(lines)}layers: [{use.format(f'a{levels - 1}')}]\n"


def multiplying(call: str, first: str = "relu") -> str:
    """Ten levels of ten: each block is the one before it ten times."""
    lines = [f"  b0: {{arguments: {{n: 10}}, layers: [{first}]}}\n"]
    for level in range(1, 11):
        body = call.replace("B", f"b{level - 1}")
        lines.append(f"  b{level}: {{arguments: {{n: 10}}, layers: [{body}]}}\n")
    layers = "layers: [relu, {relu: , when: w > 1}, b10]\n"
    return f"variables: {{w: 10}}\nblocks:\n{''.join(lines)}{layers}"


def block(body: str, call: str = "b") -> str:
    return f"blocks: {{b: {{arguments: {{n: 3}}, layers: [{body}]}}}}\nlayers: [relu, {call}]\n"


def field(expression: str) -> str:
    return f'layers: [conv: {{out_channels: "{expression}", kernel: 1}}]\n'


GROWING = {
    # aliases
    "alias bomb of groups": bomb(10, 10, "{layers: [relu]}", "{layers: [%s]}"),
    "alias bomb of branches": bomb(10, 10, "{add: [[relu], []]}", "{add: [[%s], []]}"),
    "alias bomb by twos": bomb(60, 2, "{layers: [relu]}", "{layers: [%s]}"),
    "alias chain": bomb(5_000, 1, "{layers: [relu]}", "{layers: [%s]}"),
    "alias bomb of lists": "x: &a [1, 1]\n"
    + "".join(f"x{i}: &a [{', '.join(['*a'] * 10)}]\n" for i in range(12)),
    # loops
    "a repeat of 10**9": "layers: [{relu: , repeat: 1_000_000_000}]\n",
    "a repeat of 10**900": "layers: [{relu: , repeat: 10**900}]\n",
    "a repeat of nothing": "layers: [relu, {repeat: 10**9, layers: [{relu: , when: false}]}]\n",
    "repeats of nothing": "layers: [relu, {repeat: 10**6, layers: [{repeat: 10**6, layers: "
    "[{relu: , when: false}]}]}]\n",
    "repeats of empty groups": "layers: [relu, {repeat: 10**6, layers: [{repeat: 10**6, layers: "
    "[]}]}]\n",
    "repeats of repeats of nothing": "layers: [relu, "
    + nested("{repeat: 1000, layers: [", "{relu: , when: false}", "]}", 12)
    + "]\n",
    "range(10**9)": "layers: [{relu: , for: {i: range(10**9)}}]\n",
    "range(10**300)": "layers: [{relu: , for: {i: range(10**300)}}]\n",
    "loops of loops over lists": "layers: [relu, "
    + nested("{for: {i: range(10_000)}, layers: [", "{relu: , when: false}", "]}", 4)
    + "]\n",
    "a condition over a long list": "variables: {a: range(10_000)}\nlayers: [relu, {repeat: "
    "1_000_000, layers: [{relu: , when: max(a) < 0}]}]\n",
    "a condition over a long list made anew": "layers: [relu, {repeat: 1_000_000, layers: "
    '[{relu: , when: "len(range(10_000)) < 0"}]}]\n',
    "long lists compared": "variables: {a: range(10_000)}\nlayers: [relu, {repeat: 1_000_000, "
    "layers: [{relu: , when: a != a}]}]\n",
    "a long list as an argument": "variables: {a: range(10_000)}\nblocks: {b: {arguments: {n}, "
    "layers: [dropout: 1 / len(n)]}}\nlayers: [{b: a, repeat: 90_000}]\n",
    # blocks
    "blocks of ten calls": multiplying(", ".join(["B"] * 10)),
    "blocks with constant repeats": multiplying("{B: , repeat: 10}"),
    "blocks with repeats by variables": multiplying("{B: , repeat: w}"),
    "blocks with repeats by arguments": multiplying("{B: {n: n}, repeat: n}"),
    "blocks with loops over lists": multiplying("{B: {n: n}, for: {i: range(n)}}"),
    "blocks with conditions": multiplying("{B: , repeat: w, when: w > 5}"),
    "blocks with branches": multiplying("add: [" + ", ".join(["[B]"] * 10) + "]"),
    "endless recursion": block("b"),
    "endless recursion, twice": block("b, b"),
    "endless recursion in branches": block("add: [[b], [b]]"),
    "endless recursion in groups": block(nested("{layers: [", "b", "]}", 30)),
    "endless recursion with a count": block("relu, b: n + 1"),
    "endless recursion by a word": block("n: {n: n}", "b: b"),
    "recursion of 10**6": block("relu, {b: n - 1, when: n > 0}", "b: 10**6"),
    "recursion that forks": block(
        "relu, {b: n - 1, when: n > 0}, {b: n - 1, when: n > 0}", "b: 90"
    ),
    # numbers
    "a tower of powers": field("9**9**9**9"),
    "powers of powers": field("(((9**99)**99)**99)**99"),
    "a fraction to a power": field("(1 / 3)**10**9"),
    "a list to a power": field("max(range(9_999)**999)"),
    "10,000 digits": field("9" * 10_000),
    "10,000 digits with _": field("9_" * 10_000 + "9"),
    "10,000 digits in a sum": field("1 + " + "9" * 1_900),
    "9,000,000 digits": field("9" * 9_000_000),
    "an exponent of 10,000 digits": field("1e" + "9" * 10_000),
    "10,000 decimals": "layers: [dropout: 0." + "9" * 10_000 + "]\n",
    "squares of squares": doubling("9", "{0} * {0}", 60, "conv: {{out_channels: {}, kernel: 1}}"),
    "lists of lists": doubling("1", "[{0}, {0}]", 60, "relu, {{relu: , when: len({}) == 3}}"),
    "lists of lists of lists": doubling(
        "range(99)", "[{0}, {0}, {0}, {0}]", 10, "relu, {{relu: , repeat: {}}}"
    ),
    "10,000 variables in a chain": doubling("9", "{0}", 10_000, "relu, {{relu: , repeat: {}}}"),
    "variables that need each other": "variables: {a: b, b: a}\n"
    "layers: [relu, {relu: , repeat: a}]\n",
    # nesting
    "3,000 open brackets": "layers: " + "[" * 3_000 + "\n",
    "3,000 brackets": "layers: " + nested("[", "", "]", 3_000) + "\n",
    "3,000 mappings": "layers: " + nested("{a: ", "1", "}", 3_000) + "\n",
    "3,000 dashes": "layers:\n  " + "- " * 3_000 + "relu\n",
    "3,000 levels": "".join(f"{' ' * i}a:\n" for i in range(3_000)),
    "3,000 list levels": "layers:\n" + "".join(f"{' ' * i}-\n" for i in range(3_000)),
    "3,000 parentheses": field(nested("(", "1", ")", 3_000)),
    "900 parentheses": field(nested("(", "1", ")", 900)),
    "900 brackets": field(nested("[", "1", "]", 900)),
    "300 calls": field(nested("min(", "1", ")", 300)),
    "3,000 minuses": field("-" * 3_000 + "1"),
    "1,900 minuses": field("-" * 1_900 + "1"),
    "400 nots": "layers: [relu, {relu: , when: " + "not " * 400 + "true}]\n",
    "90 sums in sums": field("1+(" * 90 + "1" + ")" * 90),
    "9,900 additions": field("1+" * 9_900 + "1"),
    "600 powers": field("1**" * 600 + "1"),
    "600 indices": "variables: {a: [1]}\n" + field("a" + "[0]" * 600),
    "100 choices": field("1 if 1 == 1 else " * 100 + "1"),
    # sizes of text
    "a name of a million letters": "layers: [{relu: , name: " + "a" * 10**6 + "}]\n",
    "a word of a million letters": "layers: [" + "a" * 10**6 + "]\n",
    "a key of a million letters": "a" * 10**6 + ": 3\n",
    "a quoted key of a million letters": f'? "{"a" * 10**6}"\n: 3\n',
    "a variable of a million letters": f"variables:\n  ? {'a' * 10**6}\n  : 3\nlayers: [relu]\n",
    "an expression of a million letters": field("1+" * 500_000 + "1"),
    "a path of a million steps": "layers: [{relu: , name: a}, {relu: , from: a"
    + ".a" * 10**6
    + "}]\n",
    "a name of a million parts": 'layers: [{relu: , name: "a' + "{1}" * 300_000 + '"}]\n',
    "100,000 misspelt entries": "layers: [" + "rleu, " * 100_000 + "]\n",
    "20,000 names and one misspelt": "layers:\n"
    + "".join(f"  - {{relu: , name: n{i}}}\n" for i in range(20_000))
    + "  - {relu: , from: nope}\n",
    "20,000 variables nothing reads": "variables:\n"
    + "".join(f"  a{i}: 1\n" for i in range(20_000))
    + "layers: [relu]\n",
    "100,000 unknown fields": "layers:\n  - conv: {"
    + ", ".join(f"k{i}: 1" for i in range(100_000))
    + "}\n",
    "a list of 100,000 numbers": "variables: {a: [" + "1," * 100_000 + "]}\nlayers: [relu]\n",
    "an error on the last line": "layers:\n" + "  - relu\n" * 100_000 + "  - {relu\n",
}  # fmt: skip


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("text", GROWING.values(), ids=GROWING)
def test_what_would_grow(text: str) -> None:
    ends(IMAGE + text)


SYMBOLIC = {
    "a power again and again": "{conv: {out_channels: (H + 1)**32, kernel: 1}, repeat: 50}",
    "a power of three": "{conv: {out_channels: (C + H + W)**9, kernel: 1}, repeat: 50}",
    "squares": "{conv: {out_channels: in_channels * in_channels, kernel: 1}, repeat: 50}",
    "squares and one": "{conv: {out_channels: in_channels * in_channels + 1, kernel: 1}, "
    "repeat: 9}",
    "maxima": '{conv: {out_channels: "max(in_channels + H, 2 * in_channels - W)", kernel: 1}, '
    "repeat: 50}",
    "minima": '{conv: {out_channels: "min(in_channels + H, 2 * in_channels + W)", kernel: 1}, '
    "repeat: 50}",
    "divisors": '{conv: {out_channels: "gcd(in_channels * H, in_channels + W)", kernel: 1}, '
    "repeat: 50}",
    "quotients": "{conv: {out_channels: in_channels * H // (W + 1) + 1, kernel: 1}, repeat: 50}",
    "remainders": "{conv: {out_channels: in_channels * H % (in_channels + W) + 1, kernel: 1}, "
    "repeat: 50}",
    "strides": "{conv: {out_channels: 3, kernel: 3, stride: 2, padding: 1}, repeat: 50_000}",
    "ceilings": "{max_pool: {kernel: 3, stride: 2, padding: 1, ceil_mode: true}, repeat: 50_000}",
    "same paddings": "{conv: {out_channels: 3, kernel: 5, stride: 3, padding: same}, "
    "repeat: 50_000}",
    "crumbs": "{conv: {out_channels: 3, kernel: 3}, repeat: 50_000}",
    "factors": "{upsample: 3/2, repeat: 50_000}",
    "doublings": "{concat: [[], []], repeat: 50_000}",
    "growth": "{conv_transpose: {out_channels: 3, kernel: 5, stride: 3}, repeat: 50_000}",
    "ups and downs": "{repeat: 9_000, layers: [upsample: 3/2, max_pool: 2]}",
    "slices": "{slice: {axis: 2, start: 1, step: 3}, repeat: 50_000}",
    "paddings": "{conv: {out_channels: 3, kernel: 3, stride: 2, padding: C}, repeat: 50_000}",
    "products": "{conv: {out_channels: (C + 1)**20, kernel: 1}}\n  - {conv: {out_channels: "
    "(H + 1)**20, kernel: 1}}\n  - {conv: {out_channels: (W + 1)**20, kernel: 1}}\n  - flatten",
}  # fmt: skip


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("entry", SYMBOLIC.values(), ids=SYMBOLIC)
def test_closed_forms_that_would_grow(entry: str) -> None:
    or_else(f"input: [C, H, W]\nlayers:\n  - {entry}\n")


@pytest.mark.usefixtures("quick")
def test_an_input_that_would_grow() -> None:
    for power in (3, 8, 32):
        powers = ", ".join(f"({a} + {b} + 1)**{power}" for a, b in ("AB", "CD", "EF", "GH", "IJ"))
        or_else(f"input: [{powers}]\nlayers: [flatten, linear: 10]\n")


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("layer", ["upsample: 2", "concat: [[], []]", "flatten"])
def test_numbers_that_would_grow(layer: str) -> None:
    or_else(f"input: [10**17, 10**17, 10**17]\nlayers: [{{{layer}, repeat: 100_000}}]\n")


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("kernel", ["10**9", "50_000"])
@pytest.mark.parametrize(
    "layer", ["conv: {out_channels: 1, ", "max_pool: {", "conv_transpose: {out_channels: 1, "]
)
def test_large_windows(layer: str, kernel: str) -> None:
    or_else(f"input: [1, 8]\nlayers: [{layer}kernel: {kernel}, padding: {kernel} // 2}}]\n")


def test_the_largest_legal_sizes_can_be_printed() -> None:
    most = 10**18
    or_else(
        f"input: [{most}, {most}, {most}, {most}]\n"
        f"layers: [conv: {{out_channels: {most}, kernel: 1}}, flatten]\n",
        N=most,
    )
    or_else(f"input: [{most}]\nlayers: [linear: {most}]\n", N=most)


# -- values from Python -------------------------------------------------------------------------


def spec(**parts: Any) -> dict[str, Any]:
    return {"input": [3, 8, 8], "layers": ["relu"], **parts}


def holding_itself() -> list[Any]:
    items: list[Any] = []
    items.append(items)
    return items


def deep(times: int) -> Any:
    value: Any = "relu"
    for _ in range(times):
        value = {"layers": [value]}
    return value


def shared(times: int) -> Any:
    """A few lists that stand for 2**times entries."""
    value: Any = "relu"
    for _ in range(times):
        value = {"layers": [value, value]}
    return value


class Odd:
    """A value whose text cannot be had."""

    def __repr__(self) -> str:
        raise RuntimeError

    __str__ = __repr__


WRONG_VALUES: dict[str, Callable[[], Any]] = {
    "nan": lambda: spec(input=[3, float("nan"), 8]),
    "inf": lambda: spec(input=[3, float("inf"), 8]),
    "minus inf": lambda: spec(input=[3, float("-inf"), 8]),
    "numpy's nan": lambda: spec(input=[3, numpy.nan, 8]),
    "Decimal NaN": lambda: spec(input=[3, Decimal("NaN"), 8]),
    "Decimal sNaN": lambda: spec(input=[3, Decimal("sNaN"), 8]),
    "Decimal Infinity": lambda: spec(input=[3, Decimal("-Infinity"), 8]),
    "a huge Decimal": lambda: spec(input=[3, Decimal("1E+999999"), 8]),
    "a huge int": lambda: spec(input=[3, 10**5000, 8]),
    "a huge negative int": lambda: spec(input=[3, -(10**5000), 8]),
    "a huge Fraction": lambda: spec(layers=[{"dropout": Fraction(1, 10**5000)}]),
    "a third": lambda: spec(input=[3, Fraction(1, 3), 8]),
    "a half": lambda: spec(input=[3, 0.5, 8]),
    "a complex number": lambda: spec(input=[3, 1j, 8]),
    "bytes": lambda: spec(name=b"net"),
    "a bytearray": lambda: spec(input=bytearray(b"abc")),
    "a set": lambda: spec(layers={"relu"}),
    "a generator": lambda: spec(layers=(layer for layer in ["relu"])),
    "a function": lambda: spec(layers=[len]),
    "a class": lambda: spec(layers=[int]),
    "an object": lambda: spec(input=[3, object(), 8]),
    "an odd object": lambda: spec(input=[3, Odd(), 8]),
    "an odd key": lambda: spec(variables={Odd(): 3}),
    "an int key": lambda: spec(variables={3: 4}),
    "a None key": lambda: spec(variables={None: 4}),
    "a tuple key": lambda: spec(layers=[{("relu",): None}]),
    "a bytes key": lambda: {b"input": [3], **spec()},
    "a list that holds itself": lambda: spec(layers=holding_itself()),
    "a mapping that holds itself": lambda: (lambda m: m.update(layers=[m]) or spec(layers=[m]))({}),
    "nesting of 3,000": lambda: spec(layers=[deep(3_000)]),
    "2**60 entries": lambda: spec(layers=[shared(60)]),
    "2**20 entries": lambda: spec(layers=[shared(20)]),
    "range(10**9)": lambda: spec(layers=range(10**9)),
    "an array": lambda: spec(input=numpy.array([3, 8, 8])),
    "an array in a list": lambda: spec(input=[numpy.array([3, 4]), 8]),
    "numpy's truth": lambda: spec(layers=["relu", {"relu": None, "when": numpy.bool_(True)}]),
    "a lone surrogate": lambda: spec(layers=["\ud800"]),
    "a surrogate key": lambda: {"\ud800": 3, **spec()},
    "NUL": lambda: spec(layers=["re\0lu"]),
    "an escape sequence": lambda: spec(layers=["\x1b[31mrelu"]),
    "an escape sequence as a key": lambda: {"\x1b]0;title\x07": 3, **spec()},
    "a key of a million letters": lambda: {"k" * 10**6: 3, **spec()},
    "a number of a million digits": lambda: spec(input=["9" * 10**6]),
    "a symbol": lambda: spec(input=[3, symbol("H"), 8]),
    "a list": lambda: [1, 2],
    "a text": lambda: "relu",
    "nothing": lambda: None,
}  # fmt: skip


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("make", WRONG_VALUES.values(), ids=WRONG_VALUES)
def test_wrong_python_values(make: Callable[[], Any]) -> None:
    with pytest.raises(ConvcalcError) as caught:
        convcalc.from_dict(make())
    message = str(caught.value)
    assert len(message) < 1_000
    assert all(line.isprintable() for line in message.split("\n"))


@pytest.mark.parametrize(
    "value",
    [8, 8.0, "8", "2 * 4", Fraction(8), Fraction(16, 2), Decimal(8), Decimal("8.0"),
     numpy.int64(8), numpy.uint8(8), numpy.float64(8.0)],
    ids=lambda value: f"{type(value).__name__} {value}",
)  # fmt: skip
def test_numbers_of_all_kinds_are_numbers(value: Any) -> None:
    for net in (
        convcalc.from_dict(spec(input=[3, value, 8])),
        convcalc.from_dict(spec(input=[3, "H", 8], variables={"H": 1}), H=value),
    ):
        assert net.graph.inputs[0].shape == (1, 3, 8, 8)
        assert type(net.graph.inputs[0].shape[2]) is int


def test_floats_are_read_as_they_are_written() -> None:
    net = convcalc.from_dict(spec(variables={"w": 0.1}, layers=[{"dropout": "w"}]))
    assert net.variables["w"] == Fraction(1, 10)
    net = convcalc.from_dict(spec(variables={"w": numpy.float64(0.1)}, layers=[{"dropout": "w"}]))
    assert net.variables["w"] == Fraction(1, 10)


@pytest.mark.parametrize("text", [None, 3, b"input: [3]", ["relu"], object()])
def test_a_text_that_is_none(text: Any) -> None:
    with pytest.raises(ConvcalcError, match="a spec as text is due, not a value of type"):
        convcalc.loads(text)


@pytest.mark.parametrize("path", [None, 3, b"vgg16", ["vgg16"], {"input": [3]}])
def test_a_path_that_is_none(path: Any) -> None:
    with pytest.raises(ConvcalcError, match="a path or a name is due, not a value of type"):
        convcalc.load(path)


HOSTILE = [
    "__import__('os').system('true')",
    "().__class__.__bases__",
    "9**9**9**9",
    "9" * 10_000,
    "-" * 10_000 + "1",
    "[" * 10_000,
    "(" * 900 + ")" * 900,
    "range(10**9)",
    "[range(9_999)] * 3",
    "W",
    "2 * W",
    "width",
    "",
    " ",
    "\0",
    "\x1b[31m",
    "\ud800",
    "1\n2",
    "'" * 1_000,
    "1 if",
    "lambda: 1",
    float("nan"),
    float("inf"),
    10**5000,
    b"8",
    {"a": 1},
    {8},
    None,
    object(),
    True,
    [8, 8],
    range(10**9),
    numpy.array([8, 8]),
    -1,
    0,
    1.5,
]


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("name", ["W", "N"])
def test_hostile_settings(name: str, value: Any) -> None:
    text = "input: [3, 8, W]\nvariables: {W: 8}\nlayers: [conv: {out_channels: W, kernel: 1}]\n"
    if name == "N" and isinstance(value, str) and value.endswith("W"):
        assert convcalc.loads(text, N=value).graph.inputs[0].shape[0] in (8, 16)
        return
    message = ends(text, **{name: value})
    assert len(message) < 500


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    "name", ["", " ", "w", "\0", "\x1b[31m", "\ud800", "x" * 10**6, "class", "self"], ids=range(9)
)
def test_hostile_names_of_settings(name: str) -> None:
    ends(IMAGE + "layers: [relu]\n", **{name: 3})


# -- files --------------------------------------------------------------------------------------


def load_error(path: Path) -> str:
    with pytest.raises(ConvcalcError) as caught:
        convcalc.load(path)
    return str(caught.value)


SPEC = IMAGE + "layers: [relu]\n"

FILES = {
    "empty": b"",
    "binary": bytes(range(256)) * 10,
    "a picture": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    "gzip": b"\x1f\x8b\x08\0\0\0\0\0\0\x03",
    "zip": b"PK\x03\x04\x14\0\0\0\x08\0",
    "ELF": b"\x7fELF\x02\x01\x01\0",
    "UTF-16": SPEC.encode("utf-16"),
    "UTF-16 without its mark": SPEC.encode("utf-16-le"),
    "UTF-32": SPEC.encode("utf-32"),
    "Latin-1": ("name: Größe\n" + SPEC).encode("latin-1"),
    "cut UTF-8": ("name: Größe\n" + SPEC).encode()[:9],
    "overlong UTF-8": b"name: \xc0\xaf\n" + SPEC.encode(),
    "encoded surrogates": b"name: \xed\xa0\x80\n" + SPEC.encode(),
    "NUL": SPEC.encode() + b"\0",
    "11 MB": SPEC.encode() + b"# comment\n" * 1_100_000,
    "11 MB of brackets": b"[" * 11_000_000,
    "10 MB of brackets": b"[" * 9_999_999,
    "10 MB of one line": b"input: " + b"x" * 9_000_000,
    "10 MB of quotes": b"'" * 9_999_999,
}


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("data", FILES.values(), ids=FILES)
def test_wrong_files(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "net.yaml"
    file.write_bytes(data)
    assert load_error(file).startswith(str(file))


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    file = tmp_path / "net.yaml"
    file.write_bytes(SPEC.encode("utf-8-sig"))
    assert len(convcalc.load(file).graph.nodes) == 1


@pytest.mark.usefixtures("quick")
def test_a_folder_for_a_file(tmp_path: Path) -> None:
    assert load_error(tmp_path) == f"{tmp_path} is a folder, not a spec file"


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    "name",
    ["", "no.yaml", "no", "~", "\0", "a" * 5_000, "a/" * 5_000, "\udcff", "https://x.org/a.yaml"],
    ids=range(9),
)
def test_no_such_file(name: str) -> None:
    with pytest.raises(ConvcalcError, match=r"no file and no architecture|there is no file"):
        convcalc.load(name)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("../base/nets/new.yaml", "there is no file '../base/nets/new.yaml'"),
        ("new.json", "there is no file 'new.json'"),
        ("nets/new", "there is no file 'nets/new'"),
        ("nets/resnet50.yaml", "there is no file 'nets/resnet50.yaml'. Did you mean 'resnet50'?"),
        ("lectures/alexnt", "no file and no architecture 'lectures/alexnt'. Did you mean "
         "'lectures/alexnet'?"),
        ("new", "no file and no architecture 'new'. 'convcalc zoo' lists the architectures."),
    ],
)  # fmt: skip
def test_what_looks_like_a_path_is_no_architecture(name: str, error: str) -> None:
    assert load_error(name) == error
    with pytest.raises(ConvcalcError) as caught:
        convcalc.diff(name, "lenet5")
    assert str(caught.value) == error


def test_no_permission(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read every file")
    file = tmp_path / "net.yaml"
    file.write_text(SPEC)
    file.chmod(0)
    assert load_error(file) == f"{file}: Permission denied"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (PermissionError(13, "Permission denied"), "Permission denied"),
        (OSError(5, "Input/output error"), "Input/output error"),
        (OSError("without a number"), "without a number"),
    ],
)
def test_a_file_that_cannot_be_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError, said: str
) -> None:
    def refuse(*_: Any) -> int:
        raise error

    file = tmp_path / "net.yaml"
    file.write_text(SPEC)
    monkeypatch.setattr(os, "open", refuse)
    assert load_error(file) == f"{file}: {said}"


@pytest.mark.usefixtures("quick")
@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="there is no /dev/zero here")
def test_a_file_without_an_end() -> None:
    assert load_error(Path("/dev/zero")) == "/dev/zero is larger than 10 MB, too large for a spec"


@pytest.mark.usefixtures("quick")
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_a_pipe_that_nobody_writes_to(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert "an empty spec" in load_error(pipe)


@pytest.mark.skipif(not os.path.isdir("/dev/fd"), reason="there is no /dev/fd here")
def test_a_pipe_that_is_written_to() -> None:
    read, write = os.pipe()
    os.write(write, SPEC.encode())
    os.close(write)
    try:
        assert len(convcalc.load(f"/dev/fd/{read}").graph.nodes) == 1
    finally:
        os.close(read)


@pytest.mark.usefixtures("quick")
def test_circles_of_files(tmp_path: Path) -> None:
    for i in range(5):
        (tmp_path / f"n{i}.yaml").write_text(f"extends: n{(i + 1) % 5}\n")
    (tmp_path / "loop.yaml").symlink_to(tmp_path / "loop.yaml")
    (tmp_path / "start.yaml").write_text("extends: loop\n")
    assert "extends goes in a circle" in load_error(tmp_path / "n0.yaml")
    load_error(tmp_path / "start.yaml")
    load_error(tmp_path / "loop.yaml")


# -- the terminal -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        'name: "a\\e[31mb"\n',
        'title: "a\\e]0;owned\\ab"\n',
        'source: "a\\Lb\\rc\\u202Ed"\n',
        "source: |\n  one\n  two\n",
    ],
)
def test_names_and_titles_reach_the_terminal_as_plain_text(text: str) -> None:
    net = convcalc.loads(text + SPEC)
    for shown in (net.name, net.title, net.source, str(net)):
        assert all(line.isprintable() for line in shown.split("\n"))
    assert "\n" not in net.name + net.title + net.source


def test_other_languages_and_emoji_in_titles_stay() -> None:
    title = "Réseau\N{NO-BREAK SPACE}: 网络 شبكة 👩\N{ZERO WIDTH JOINER}💻"
    assert convcalc.loads(f"title: '{title}'\n{SPEC}").title == title


# -- the command line ---------------------------------------------------------------------------


def run(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "convcalc", *arguments],
        input=stdin,
        capture_output=True,
        timeout=60,
        check=False,
    )


def fails(code: int, *arguments: str, stdin: bytes = b"") -> str:
    done = run(*arguments, stdin=stdin)
    said = done.stderr.decode()
    assert done.returncode == code, said
    assert said.startswith(("Error: ", "Usage: "))
    assert "Traceback" not in said
    assert "\x1b" not in said
    return said


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (SPEC.replace("relu", "rleu").encode(),
         "<stdin>:2:10: unknown layer 'rleu'. Did you mean 'relu'?"),
        (b"", "<stdin>:1:1: an empty spec."),
        (SPEC.encode("utf-16"), "standard input is no UTF-8 text"),
        ((IMAGE + GROWING["alias bomb of groups"]).encode(), "more than 1,000,000 values"),
        ((IMAGE + GROWING["blocks with repeats by arguments"]).encode(),
         "at least 10,000,000,002 layers"),
        (b"# comment\n" * 1_100_000, "standard input is larger than 10 MB"),
        (b"layers: [\x1b[31m]\n", "an unprintable character, U+001B"),
    ],
    ids=["misspelt", "empty", "UTF-16", "aliases", "blocks", "11 MB", "escape"],
)  # fmt: skip
def test_bad_specs_on_standard_input(data: bytes, expected: str) -> None:
    assert expected in fails(3, "summarize", "-", stdin=data)


def test_bad_files_and_settings_on_the_command_line(tmp_path: Path) -> None:
    file = tmp_path / "net.yaml"
    file.write_text("input: [3, H, 8]\nvariables: {H: 8}\nlayers: [max_pool: 4]\n")
    assert "no file and no architecture 'vgg61'" in fails(3, "summarize", "vgg61")
    assert "is a folder" in fails(3, "summarize", str(tmp_path))
    assert "a window of 4 does not fit height 2" in fails(3, "summarize", str(file), "--set", "H=2")
    assert "no expression: " in fails(3, "summarize", str(file), "--set", "H=8+")
    assert "more than 1,000 digits" in fails(3, "summarize", str(file), "--set", "H=9**9**9")
    assert "unknown variable 'K'" in fails(2, "summarize", str(file), "--set", "K=8")
    assert "NAME=VALUE is due" in fails(2, "summarize", str(file), "--set", "\x1b[31m")


MEASURE = """\
import resource, sys
import convcalc
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for text in sys.stdin.buffer.read().decode().split("\\0"):
    try:
        convcalc.loads(text)
    except convcalc.ConvcalcError:
        pass
    else:
        sys.exit("no error")
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print((after - before) // 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in kB on Linux only")
def test_memory_stays_bounded() -> None:
    bombs = [
        "alias bomb of groups", "alias bomb of lists", "a repeat of 10**9", "repeats of nothing",
        "range(10**9)", "a condition over a long list", "blocks with repeats by arguments",
        "blocks with branches", "endless recursion, twice", "a tower of powers",
        "9,000,000 digits", "lists of lists", "10,000 variables in a chain", "3,000 brackets",
        "an expression of a million letters",
    ]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", MEASURE],
        input="\0".join(IMAGE + GROWING[name] for name in bombs).encode(),
        capture_output=True,
        timeout=120,
        check=True,
    )
    assert int(done.stdout) < 200, f"{done.stdout.decode().strip()} MB"
