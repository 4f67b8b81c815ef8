"""Text or Python values → a tree of scalars, lists and mappings that know where they stand.

YAML is read as events only, by libyaml where PyYAML has it: no constructors, tags, merges or
second documents, so a spec can neither run code nor mean something else than it says.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from numbers import Integral
from typing import Any

from convcalc.errors import SpecError, shorten

MAX_BYTES = 10_000_000
MAX_DEPTH = 100
MAX_VALUES = 1_000_000
_SHORT = 100_000
"""Of a text, its aliases written out; a spec made in Python may hold twice as many."""
MAX_DIGITS = 1_000
LARGEST = 10**MAX_DIGITS - 1


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
        if len(parts) > 20:
            parts[8:-8] = [" … "]
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
    "everywhere, one that starts with a quote or * % @ ! & > | [ { or holds ': ' or ' #'."
)
_SPACE_HINT = "A key needs a space after its colon: {stride: 2}, not {stride:2}."
_GLUED = re.compile(r"\w:\w")
_UNPRINTABLE = re.compile(r"[^\t\n\r -~\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What YAML 1.2 counts as unprintable (section 5.1), lone halves of UTF-16 pairs included."""


def parse_yaml(text: str, source: str) -> Tree:
    """The tree of one YAML document.

    Raises:
        SpecError: it is no YAML, or uses what specs do without.
    """
    import yaml

    unprintable = _UNPRINTABLE.search(text)
    if unprintable is not None:
        raise fail(
            f"an unprintable character, U+{ord(unprintable[0]):04X}",
            _place_in(text, unprintable.start(), source), "A spec is plain UTF-8 text.",
        )  # fmt: skip
    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    try:
        return _Composer(yaml.parse(text, Loader=loader), source).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = Place(source, mark.line + 1, mark.column + 1) if mark else Place(source, 1, 1)
        problem = str(error.problem or error.context or "unreadable")
        if mark and "nesting depth" in problem:
            raise _too_deep(text, source, where, mark.index) from None
        raise _explained(problem, text, where) from None
    except yaml.YAMLError as error:
        raise fail(f"no YAML: {shorten(str(error))}", Place(source, 1, 1)) from None


def _place_in(text: str, position: int, source: str) -> Place:
    start = text.rfind("\n", 0, position) + 1
    return Place(source, text.count("\n", 0, start) + 1, position - start + 1)


def _too_deep(text: str, source: str, where: Place, end: int) -> SpecError:
    """The error for more levels than libyaml's scanner takes, which is far behind our own limit.

    PyYAML's own scanner has no limit, so that its events come to the place where ours is passed;
    it is slow, and a long text ends at the place that libyaml names.
    """
    import yaml

    if end < _SHORT:
        try:
            _Composer(yaml.parse(text[:end], Loader=yaml.BaseLoader), source).document()
        except SpecError as error:
            return error
        except yaml.YAMLError:
            pass
    return fail(f"nested more than {MAX_DEPTH} levels deep", where)


def _explained(problem: str, text: str, where: Place) -> SpecError:
    """The error for what the parser found at a place, with the likeliest reason."""
    *_, above, line = ["", *text.split("\n", where.line)[: where.line]]
    indent = line[: len(line) - len(line.lstrip())]
    if "\t" in indent or line[where.column - 1 : where.column] == "\t":
        return fail("a tab where YAML needs spaces", where, "Indent with spaces.")
    # a key without a space after its colon is noticed on the line after it
    glued = any(_GLUED.search(text) for text in (line, above))
    bare = re.fullmatch(r"\s*- (\w+)\s*", above)
    if glued or "unexpected ':'" in problem:
        hint = _SPACE_HINT
    elif bare and "mapping values" in problem:
        hint = f"With keys below it a layer keeps its colon: '- {bare[1]}:'."
    elif "expected ',' or" in problem:
        hint = f"Is a comma missing? {_QUOTE_HINT}"
    elif re.search(r""": +['"]""", line):
        hint = _QUOTE_HINT
    elif "expected key" in problem or "block end" in problem or "'-' indicator" in problem:
        hint = "Is the line indented like those it belongs to?"
    else:
        hint = _QUOTE_HINT
    return fail(f"no YAML here: {problem}", where, hint)


class _Composer:
    """Events → tree, with the limits kept on the way.

    A node comes with how many values it holds, and how deep they go, its aliases written out.
    """

    def __init__(self, events: Iterator[Any], source: str) -> None:
        self.events = events
        self.source = source
        self.anchors: dict[str, tuple[Tree, int, int]] = {}
        self.open_anchors: set[str] = set()
        self.values = 0

    def document(self) -> Tree:
        import yaml

        tree: Tree | None = None
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                if tree is not None:
                    raise fail("a second document", self._place(event), "One file holds one spec.")
                tree = self._node(next(self.events), 0)[0]
        if tree is None or (isinstance(tree, Scalar) and tree.empty):
            raise fail(
                "an empty spec", Place(self.source, 1, 1), "It needs at least input: and layers:."
            )
        return tree

    def _place(self, event: Any) -> Place:
        mark = event.start_mark
        return Place(self.source, mark.line + 1, mark.column + 1)

    def _node(self, event: Any, depth: int) -> tuple[Tree, int, int]:
        name = type(event).__name__
        where = self._place(event)
        if name == "AliasEvent":
            return self._alias(event, where, depth)
        if event.tag is not None:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            raise fail(f"a tag, {shorten(tag)}", where, "Specs have no tags: leave it out.")
        self._count(1, where)
        if name == "ScalarEvent":
            # plain scalars alone have no style, or an empty one
            node: tuple[Tree, int, int] = Scalar(event.value, where, bool(event.style)), 1, 0
        else:
            if depth >= MAX_DEPTH:
                raise fail(f"nested more than {MAX_DEPTH} levels deep", where)
            self.open_anchors.add(event.anchor)
            node = (self._list if name == "SequenceStartEvent" else self._map)(where, depth + 1)
            self.open_anchors.discard(event.anchor)
        if event.anchor:
            self.anchors[event.anchor] = node
        return node

    def _alias(self, event: Any, where: Place, depth: int) -> tuple[Tree, int, int]:
        name = event.anchor
        if name in self.open_anchors:
            raise fail(f"the alias *{shorten(name)} stands for a list that holds itself", where)
        if name not in self.anchors:
            raise fail(f"*{shorten(name)} names no anchor above", where, _QUOTE_HINT)
        node = self.anchors[name]
        self._count(node[1], where)
        if depth + node[2] > MAX_DEPTH:
            raise fail(f"nested more than {MAX_DEPTH} levels deep", where)
        return node

    def _count(self, values: int, where: Place) -> None:
        self.values += values
        if self.values > MAX_VALUES:
            raise fail(
                f"more than {MAX_VALUES:,} values, aliases written out", where,
                "repeat: and for: say the same thing many times.",
            )  # fmt: skip

    def _list(self, where: Place, depth: int) -> tuple[Tree, int, int]:
        items: list[Tree] = []
        total, height = 1, 0
        for event in self.events:
            if type(event).__name__ == "SequenceEndEvent":
                break
            item, size, below = self._node(event, depth)
            items.append(item)
            total += size
            height = max(height, below)
        return List(items, where), total, height + 1

    def _map(self, where: Place, depth: int) -> tuple[Tree, int, int]:
        pairs: list[tuple[Scalar, Tree]] = []
        seen: dict[str, Where] = {}
        total, height = 1, 0
        for event in self.events:
            if type(event).__name__ == "MappingEndEvent":
                break
            key = _checked_key(self._node(event, depth)[0], seen)
            value, size, below = self._node(next(self.events), depth)
            if isinstance(value, Scalar) and value.empty:
                # the parsers disagree on where nothing stands
                value = Scalar("", key.where)
            total += size + 1
            height = max(height, below)
            pairs.append((key, value))
        return Map(pairs, where), total, height + 1


def _checked_key(key: Tree, seen: dict[str, Where]) -> Scalar:
    """`key`, which must be a name that is not in `seen`, where it is put."""
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
    return key


# -- Python values ----------------------------------------------------------------------------


def from_python(value: Any, where: Key | None = None) -> Tree:
    """The tree of a spec made in Python: mappings, lists, text, numbers, truth values, None.

    NumPy's integers are numbers too.

    Raises:
        SpecError: a value of another type, or too many, or nested too deep (a list that holds
            itself).
    """
    return _PythonReader().tree(value, where, 0)


_ROOT = Key(None, "spec")
_SMALL = 10**18
_LARGE = 100


class _PythonReader:
    """Python values → tree, with the limits kept on the way."""

    def __init__(self) -> None:
        self.values = 0
        self.known: dict[int, tuple[Tree, int]] = {}

    def tree(self, value: Any, where: Key | None, depth: int) -> Tree:
        # the most frequent types first: a spec may hold a million of them
        if isinstance(value, str):
            return Scalar(str(value), where or _ROOT, not value)
        if type(value) is int and -_SMALL < value < _SMALL:
            return Scalar(str(value), where or _ROOT)
        if isinstance(value, (dict, list, tuple)):
            return self._collection(value, where, depth)
        if isinstance(value, _SCALARS):
            return Scalar(_text_of(value, where or _ROOT), where or _ROOT)
        if isinstance(value, (Mapping, Sequence)) and not isinstance(value, (bytes, bytearray)):
            return self._collection(value, where, depth)
        raise fail(
            f"a value of type {_type(value)}", where or _ROOT,
            "Specs are made of mappings, lists, text, numbers, truth values and None.",
        )  # fmt: skip

    def _collection(self, value: Any, where: Key | None, depth: int) -> Tree:
        if depth >= MAX_DEPTH:
            raise fail(f"nested more than {MAX_DEPTH} levels deep", where or _ROOT)
        before = self.values
        found, size = self.known.get(id(value), (None, len(value)))
        self.values += size
        if self.values > 2 * MAX_VALUES:
            raise fail(f"more than {2 * MAX_VALUES:,} values", where or _ROOT)
        if found is not None and size > _LARGE:
            return found
        # one small list in many places is read anew, so that each has its own place
        self.values = before + len(value)
        tree: Tree
        if isinstance(value, Mapping):
            tree = Map(self._pairs(value, where, depth + 1), where or _ROOT)
        else:
            items = [self.tree(item, Key(where, i), depth + 1) for i, item in enumerate(value)]
            tree = List(items, where or _ROOT)
        self.known[id(value)] = tree, self.values - before
        return tree

    def _pairs(
        self, value: Mapping[Any, Any], where: Key | None, depth: int
    ) -> list[tuple[Scalar, Tree]]:
        pairs: list[tuple[Scalar, Tree]] = []
        for key, item in value.items():
            if not isinstance(key, str):
                raise fail(f"a key is a text, not a value of type {_type(key)}", where or _ROOT)
            inner = Key(where, key)
            pairs.append((Scalar(key, inner), self.tree(item, inner, depth)))
        return pairs


_SCALARS = (float, Integral, Decimal, Fraction, type(None))


def _text_of(value: Any, place: Key) -> str:
    """A number, a truth value or None as a spec writes it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Integral):
        value = operator.index(value)
        _check_digits(value, place)
        return str(value)
    if isinstance(value, Fraction):
        _check_digits(value.numerator, place)
        _check_digits(value.denominator, place)
        return f"{value.numerator} / {value.denominator}"
    if not (value.is_finite() if isinstance(value, Decimal) else math.isfinite(value)):
        raise fail(f"{value} is no number", place)
    return float.__repr__(value) if isinstance(value, float) else str(value)


def _check_digits(number: int, place: Key) -> None:
    if abs(number) > LARGEST:
        raise fail(f"a number of more than {MAX_DIGITS:,} digits", place)


def _type(value: Any) -> str:
    return shorten(type(value).__name__)
