"""Text or Python values → a tree of scalars, lists and mappings that know where they stand.

YAML is read as events only, by libyaml where PyYAML has it: no constructors, tags, merges or
second documents, so a spec can neither run code nor mean something else than it says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

from convcalc.errors import SpecError, shorten

MAX_BYTES = 10_000_000
MAX_DEPTH = 100
MAX_ALIASED = 1_000_000


class Place:
    """A position in a file: file:line:column, counted from 1."""

    __slots__ = ("column", "line", "source")

    def __init__(self, source: str, line: int, column: int) -> None:
        self.source = source
        self.line = line
        self.column = column

    def __str__(self) -> str:
        return f"{self.source}:{self.line}:{self.column}"


class Key:
    """A position in Python values: layers[3].conv.kernel."""

    __slots__ = ("key", "parent")

    def __init__(self, parent: Key | None, key: str | int) -> None:
        self.parent = parent
        self.key = key

    def __str__(self) -> str:
        parts: list[str] = []
        place: Key | None = self
        while place is not None:
            key = place.key
            parts.append(f"[{key}]" if isinstance(key, int) else f".{shorten(str(key), 40)}")
            place = place.parent
        return "".join(reversed(parts)).lstrip(".")


Where = Place | Key


class Scalar:
    """A piece of text; `quoted` if it stood in quotes, which are only punctuation."""

    __slots__ = ("quoted", "text", "where")

    def __init__(self, text: str, where: Where, quoted: bool = False) -> None:
        self.text = text
        self.where = where
        self.quoted = quoted

    @property
    def empty(self) -> bool:
        """Whether nothing is written: `batch_norm:`."""
        return not self.text and not self.quoted


class List:
    """A sequence of nodes."""

    __slots__ = ("items", "where")

    def __init__(self, items: list[Tree], where: Where) -> None:
        self.items = items
        self.where = where


class Map:
    """Pairs of a key and a node, in the order written; keys differ."""

    __slots__ = ("pairs", "where")

    def __init__(self, pairs: list[tuple[Scalar, Tree]], where: Where) -> None:
        self.pairs = pairs
        self.where = where

    def get(self, key: str) -> Tree | None:
        """The node of a key."""
        return next((value for name, value in self.pairs if name.text == key), None)


Tree = Scalar | List | Map


def fail(fact: str, where: Where, hint: str = "") -> SpecError:
    """A SpecError at a place."""
    return SpecError(fact, hint=hint).located(str(where))


def describe(tree: Tree) -> str:
    """What a node is, for messages."""
    if isinstance(tree, List):
        return "a list"
    if isinstance(tree, Map):
        return "a mapping"
    return f"'{shorten(tree.text)}'" if tree.text else "nothing"


# -- YAML -------------------------------------------------------------------------------------

_QUOTE_HINT = (
    'In {…} and […], put an expression that holds , [ ] { } in quotes: size: "min(a, b)"; '
    "everywhere, one that starts with * % @ ! & > | [ { or holds ': ' or ' #'."
)
_SPACE_HINT = "A key needs a space after its colon: {stride: 2}, not {stride:2}."


def parse_yaml(text: str, source: str) -> Tree:
    """The tree of one YAML document.

    Raises:
        SpecError: it is no YAML, or uses what specs do without.
    """
    import yaml

    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    try:
        return _Composer(yaml.parse(text, Loader=loader), source).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = Place(source, mark.line + 1, mark.column + 1) if mark else Place(source, 1, 1)
        raise fail(*_explain(error, text, where)) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise fail(
            f"unprintable character #x{ord(str(error.character)[:1] or chr(0)):04x}"
            if isinstance(error.character, str)
            else f"unprintable character #x{error.character:04x}",
            Place(source, line, 1),
            "A spec is plain UTF-8 text.",
        ) from None
    except yaml.YAMLError as error:
        raise fail(f"no YAML: {shorten(str(error))}", Place(source, 1, 1)) from None


def _explain(error: Any, text: str, where: Place) -> tuple[str, Place, str]:
    problem = str(error.problem or error.context or "unreadable")
    lines = text.split("\n", where.line)
    line = lines[where.line - 1] if where.line <= len(lines) else ""
    if "\\t" in problem or "\t" in line[: where.column]:
        return "a tab where YAML needs spaces", where, "Indent with spaces."
    if "alias" in problem and "undefined" in problem:
        return problem, where, _QUOTE_HINT
    if re.search(r"[\w)]:\d", line):
        return f"no YAML here: {problem}", where, _SPACE_HINT
    return f"no YAML here: {problem}", where, _QUOTE_HINT


class _Composer:
    """Events → tree, with the limits kept on the way."""

    def __init__(self, events: Iterator[Any], source: str) -> None:
        self.events = events
        self.source = source
        self.anchors: dict[str, tuple[Tree, int]] = {}
        self.open_anchors: set[str] = set()
        self.aliased = 0

    def document(self) -> Tree:
        import yaml

        tree: Tree | None = None
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                if tree is not None:
                    raise fail(
                        "a second document", self._place(event), "One file holds one spec."
                    )
                tree = self._node(next(self.events), 0)[0]
        if tree is None or (isinstance(tree, Scalar) and tree.empty):
            raise fail(
                "an empty spec", Place(self.source, 1, 1), "It needs at least input: and layers:."
            )
        return tree

    def _place(self, event: Any) -> Place:
        mark = event.start_mark
        return Place(self.source, mark.line + 1, mark.column + 1)

    def _node(self, event: Any, depth: int) -> tuple[Tree, int]:
        """The node that starts with `event`, and how many nodes it holds with aliases expanded."""
        name = type(event).__name__
        where = self._place(event)
        if name == "AliasEvent":
            return self._alias(event, where)
        if event.tag is not None and event.tag != "!":
            raise fail(f"a tag, {shorten(event.tag)}", where, "Specs have no tags: leave it out.")
        if name == "ScalarEvent":
            quoted = event.style in ("'", '"', "|", ">")
            tree: Tree = Scalar(event.value, where, quoted)
            if event.anchor:
                self.anchors[event.anchor] = tree, 1
            return tree, 1
        if depth >= MAX_DEPTH:
            raise fail(f"nested more than {MAX_DEPTH} levels deep", where)
        anchor = event.anchor
        if anchor:
            self.open_anchors.add(anchor)
        if name == "SequenceStartEvent":
            tree, size = self._list(where, depth + 1)
        else:
            tree, size = self._map(where, depth + 1)
        if anchor:
            self.open_anchors.discard(anchor)
            self.anchors[anchor] = tree, size
        return tree, size

    def _alias(self, event: Any, where: Place) -> tuple[Tree, int]:
        name = event.anchor
        if name in self.open_anchors:
            raise fail(f"the alias *{shorten(name)} stands for a list that holds itself", where)
        if name not in self.anchors:
            raise fail(f"*{shorten(name)} names no anchor above", where, _QUOTE_HINT)
        tree, size = self.anchors[name]
        self.aliased += size
        if self.aliased > MAX_ALIASED:
            raise fail(f"aliases expand to more than {MAX_ALIASED:,} values", where)
        return tree, size

    def _list(self, where: Place, depth: int) -> tuple[Tree, int]:
        items: list[Tree] = []
        total = 1
        for event in self.events:
            if type(event).__name__ == "SequenceEndEvent":
                break
            item, size = self._node(event, depth)
            items.append(item)
            total += size
        return List(items, where), total

    def _map(self, where: Place, depth: int) -> tuple[Tree, int]:
        pairs: list[tuple[Scalar, Tree]] = []
        seen: dict[str, Where] = {}
        total = 1
        for event in self.events:
            if type(event).__name__ == "MappingEndEvent":
                break
            key, _ = self._node(event, depth)
            value, size = self._node(next(self.events), depth)
            total += size + 1
            _check_key(key, seen)
            assert isinstance(key, Scalar)
            pairs.append((key, value))
        return Map(pairs, where), total


def _check_key(key: Tree, seen: dict[str, Where]) -> None:
    if not isinstance(key, Scalar):
        raise fail("a key is a name, not a list or a mapping", key.where, _QUOTE_HINT)
    if key.text == "<<":
        raise fail("merge keys (<<) are not used in specs", key.where, "Use extends: or a block.")
    if key.text in seen:
        raise fail(
            f"the key '{shorten(key.text)}' stands here twice, first at {seen[key.text]}", key.where
        )
    if not key.quoted and re.fullmatch(r"\w+:\S+", key.text):
        raise fail(f"'{shorten(key.text)}' is one word", key.where, _SPACE_HINT)
    if key.text.count("(") != key.text.count(")"):
        raise fail(f"unbalanced brackets: '{shorten(key.text)}'", key.where, _QUOTE_HINT)
    seen[key.text] = key.where


# -- Python values ----------------------------------------------------------------------------


def from_python(value: Any, where: Key | None = None, depth: int = 0) -> Tree:
    """The tree of a spec made in Python: mappings, lists, text, numbers, truth values, None.

    Raises:
        SpecError: a value of another type, or nesting that is too deep (a list that holds itself).
    """
    place = where or Key(None, "spec")
    if isinstance(value, str):
        return Scalar(value, place, quoted=not value)
    if isinstance(value, bool):
        return Scalar("true" if value else "false", place)
    if isinstance(value, int):
        return Scalar(str(value), place)
    if value is None:
        return Scalar("", place)
    if depth >= MAX_DEPTH:
        raise fail(f"nested more than {MAX_DEPTH} levels deep", place)
    if isinstance(value, Mapping):
        pairs = []
        for key, item in value.items():
            inner = Key(where, key)
            if not isinstance(key, str):
                raise fail(f"a key is a text, not {shorten(repr(key))}", inner)
            pairs.append((Scalar(key, inner), from_python(item, inner, depth + 1)))
        return Map(pairs, place)
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray)):
        items = [from_python(item, Key(where, i), depth + 1) for i, item in enumerate(value)]
        return List(items, place)
    if isinstance(value, Fraction):
        return Scalar(f"{value.numerator} / {value.denominator}", place)
    if isinstance(value, (float, Decimal)):
        return Scalar(repr(value) if isinstance(value, float) else str(value), place)
    raise fail(
        f"a value of type {type(value).__name__}",
        place,
        "Specs are made of mappings, lists, text, numbers, truth values and None.",
    )
