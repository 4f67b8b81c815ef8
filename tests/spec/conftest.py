"""How the tests of the spec language say what they mean.

A place in a spec may be marked with ①, ②, …; the marks are no part of the spec, and stand in its
error for `<string>:line:column`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from textwrap import dedent
from typing import Any

import pytest

import convcalc
from convcalc import ConvcalcError, Network
from convcalc.layer import show_shape

MARKS = "①②③④⑤"


def written(text: str) -> str:
    """A spec as it stands in a test, its first line 1 and its first column 1."""
    return re.sub(f"[{MARKS}]", "", dedent(text).lstrip("\n"))


def marked(error: str, text: str) -> str:
    """An error with marks for the places that are marked in the text."""
    for number, line in enumerate(dedent(text).lstrip("\n").split("\n"), 1):
        for found in re.finditer(f"[{MARKS}]", line):
            before = re.sub(f"[{MARKS}]", "", line[: found.start()])
            error = re.sub(rf"<string>:{number}:{len(before) + 1}(?!\d)", found[0], error)
    return error


@pytest.fixture
def loads() -> Callable[..., Network]:
    """The network of an indented text."""

    def loads(text: str, **variables: Any) -> Network:
        return convcalc.loads(written(text), **variables)

    return loads


@pytest.fixture
def rows() -> Callable[..., list[str]]:
    """The layers of a spec: their paths and the shapes of their outputs."""

    def rows(text: str, **variables: Any) -> list[str]:
        net = convcalc.loads(written(text), **variables)
        return [f"{node.path} {show_shape(node.shape)}" for node in net.graph.nodes]

    return rows


@pytest.fixture
def paths() -> Callable[..., list[str]]:
    """The paths of the layers of a spec."""

    def paths(text: str, **variables: Any) -> list[str]:
        return [node.path for node in convcalc.loads(written(text), **variables).graph.nodes]

    return paths


@pytest.fixture
def message() -> Callable[..., str]:
    """The whole text of the error that a spec ends in."""

    def message(text: str, **variables: Any) -> str:
        with pytest.raises(ConvcalcError) as caught:
            convcalc.loads(written(text), **variables)
        return marked(str(caught.value), text)

    return message


_VALUE = """\
input: [3, 8, 8]
variables:
  x: {}
  a: 3
  b: 4
  list: [1, 7]
  exact: 1.1
  word: relu
layers:
  - relu
  - relu:
    when: x == x and a == a and b == b and list == list and exact == exact and word == word
"""


@pytest.fixture
def value() -> Callable[..., Any]:
    """The value of the variable x, which is written as an expression of a, b, list and exact."""

    def value(expression: str, **variables: Any) -> Any:
        return convcalc.loads(_VALUE.format(expression), **variables).variables["x"]

    return value


@pytest.fixture
def wrong() -> Callable[..., str]:
    """The error of an expression that stands at <string>:3:6, without that place."""

    def wrong(expression: str, **variables: Any) -> str:
        with pytest.raises(ConvcalcError) as caught:
            convcalc.loads(_VALUE.format(expression), **variables)
        place, _, text = str(caught.value).partition(": ")
        assert place == "<string>:3:6"
        return text

    return wrong
