"""What a spec's scalars and lists stand for once the names in scope are known."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

from convcalc.dim import Dim
from convcalc.errors import ConvcalcError, SpecError, did_you_mean, shorten
from convcalc.fields import show
from convcalc.layer import Shape, show_shape
from convcalc.spec.expressions import FUNCTIONS, MAX_ITEMS, NAME, Expression, list_value, parse
from convcalc.spec.tree import List, Map, Scalar, Tree, Where, describe, fail

MAX_NAME = 100
MAX_WORK = 3_000_000

IN_NAMES = (
    "in_channels", "in_features", "in_depth", "in_height", "in_width", "in_length", "in_shape",
)  # fmt: skip
_UNDEFINED = object()


class Variables(Protocol):
    """The names that are in scope everywhere: a spec's variables, and N."""

    def __contains__(self, name: object) -> bool: ...
    def __getitem__(self, name: str, /) -> Any: ...
    def __iter__(self) -> Iterator[str]: ...
    def same(self, a: Dim, b: Dim) -> bool:
        """Whether two sizes are taken as equal that are so at some values of their symbols."""


class Constants(dict[str, Any]):
    """Names with numbers for values, no symbols."""

    def same(self, a: Dim, b: Dim) -> bool:
        """Never asked: numbers are equal or not."""
        raise NotImplementedError


class Work:
    """The list items that expressions have worked on, all together."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = MAX_WORK

    def spend(self, items: int) -> None:
        """Take note of some more.

        Raises:
            SpecError: they are too many.
        """
        self.left -= items
        if self.left < 0:
            raise SpecError(f"the lists of all expressions have more than {MAX_WORK:,} items")


class Env(dict[str, Any]):
    """The names in scope: arguments and loop names here, the variables behind them.

    `shape` is that of the tensor that reaches the entry being read, for `in_channels` and its
    like; `scope` is the module being built, where a word may name a layer; `asked` counts the
    answers of `same`, on which what is evaluated here depends beside the values of names.
    """

    __slots__ = ("asked", "scope", "shape", "spend", "variables")

    def __init__(
        self, variables: Variables, scope: Any = None, work: Callable[[int], None] | None = None
    ) -> None:
        super().__init__()
        self.variables = variables
        self.shape: Shape | None = None
        self.scope = scope
        self.spend = work or Work().spend
        self.asked = 0

    def inner(self, scope: Any) -> Env:
        """A copy to add loop names to."""
        copy = Env(self.variables, scope, self.spend)
        copy.update(self)
        copy.shape = self.shape
        return copy

    def __missing__(self, name: str) -> Any:
        if name in IN_NAMES:
            return self._of_input(name)
        return self.variables[name]

    def defines(self, name: str) -> bool:
        """Whether the name has a value here."""
        return name in self or name in self.variables or name in IN_NAMES

    def known(self) -> Iterable[str]:
        """All names with a value, for suggestions."""
        return [*self, *self.variables, *self._axes()]

    def same(self, a: Dim, b: Dim) -> bool:
        """Whether two sizes are taken as equal that are so at some values of their symbols."""
        self.asked += 1
        return self.variables.same(a, b)

    def key(self, names: tuple[str, ...]) -> tuple[Any, ...]:
        """The values of some names as a dictionary key that tells 1 from true."""
        return tuple(
            [self._distinct(self[name]) if self.defines(name) else _UNDEFINED for name in names]
        )

    def _distinct(self, value: Any) -> Any:
        kind = type(value)
        if kind is int:
            return value
        if kind is tuple:
            self.spend(len(value))
            return (tuple, *map(self._distinct, value))
        return (kind, value)

    def _of_input(self, name: str) -> Any:
        shape = self.shape
        if shape is None:
            raise SpecError(f"{name} has no meaning here: no tensor reaches this place")
        if name == "in_shape":
            return shape
        axes = self._axes()
        if name in axes:
            return shape[axes[name]]
        raise SpecError(
            f"the tensor here, {show_shape(shape)}, has no {name}",
            hint=f"It has {', '.join(axes)}.",
        )

    def _axes(self) -> dict[str, int]:
        """The names that mean a size of the tensor here, with its axis."""
        rank = len(self.shape or ())
        if rank < 2:
            return {}
        spatial = {3: ("in_length",), 4: ("in_height", "in_width"),
                   5: ("in_depth", "in_height", "in_width")}.get(rank, ())  # fmt: skip
        return {
            "in_channels": 1, "in_features": rank - 1,
            **{name: axis for axis, name in enumerate(spatial, 2)},
        }  # fmt: skip


class Word(str):
    """A lone name that nothing defines: it names a layer, a block or a choice.

    It knows where it was written, what was in scope there, and, as an argument, the `caller`:
    the scope to look a layer up in, and the tensor that is `previous` there.
    """

    __slots__ = ("caller", "env", "where")

    where: Where
    env: Env
    caller: tuple[Any, Any] | None

    def __new__(
        cls, text: str, where: Where, env: Env, caller: tuple[Any, Any] | None = None
    ) -> Word:
        """A word that is written at a place, as `str` is made."""
        word = super().__new__(cls, text)
        word.where = where
        word.env = env
        word.caller = caller
        return word

    def found_at(self, scope: Any, tensor: Any) -> Word:
        """The word as an argument: a layer of that name is looked up at the first caller."""
        return self if self.caller else Word(self, self.where, self.env, (scope, tensor))

    def misspelt(self, due: str) -> SpecError:
        """The error for a word where something else is due: a misspelt variable, most likely."""
        return fail(
            f"'{shorten(self)}' is no variable", self.where,
            did_you_mean(self, self._candidates()) or f"{due[:1].upper()}{due[1:]} is due here.",
        )  # fmt: skip

    def _candidates(self) -> Iterable[str]:
        """What it could be a slip of; in_width is no likely one of width."""
        mine = self.startswith("in")
        return [name for name in self.env.known() if mine or name not in IN_NAMES]

    def compared(self, wrong: str) -> SpecError:
        """The error for a word compared with something else: misspelt, or else `wrong`."""
        close = did_you_mean(self, self._candidates())
        if close:
            return fail(f"'{shorten(self)}' is no variable", self.where, close)
        return SpecError(wrong, hint=f"The word is written at {self.where}.")


class Value:
    """A scalar or list of the spec, compiled: `names` are those it reads."""

    __slots__ = ("_evaluate", "names", "tree")

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.names: tuple[str, ...]
        if isinstance(tree, Scalar):
            self._of_scalar(tree)
        elif isinstance(tree, List):
            self._of_list(tree)
        else:
            raise fail("a value is due here, not a mapping", tree.where)

    @property
    def where(self) -> Where:
        """Where it is written."""
        return self.tree.where

    @property
    def word(self) -> str | None:
        """The name, if it is a lone one."""
        if isinstance(self.tree, Scalar) and NAME.fullmatch(self.tree.text.strip()):
            return self.tree.text.strip()
        return None

    def evaluate(self, env: Env) -> Any:
        """Its value; lists are tuples.

        Raises:
            ConvcalcError: located at the place where the value is written.
        """
        try:
            return self._evaluate(env)
        except ConvcalcError as error:
            raise error.located(str(self.tree.where)) from None

    def _of_scalar(self, tree: Scalar) -> None:
        if tree.empty:
            raise fail("a value is due here, not nothing", tree.where)
        try:
            expression = parse(tree.text)
        except SpecError as error:
            raise error.located(str(tree.where)) from None
        self.names = expression.names
        if expression.word is not None:
            self._evaluate: Callable[[Env], Any] = self._lone_name(expression, tree)
        elif expression.quotes:
            self._evaluate = lambda env: _worded(expression.evaluate(env), tree.where, env)
        else:
            self._evaluate = expression.evaluate

    @staticmethod
    def _lone_name(expression: Expression, tree: Scalar) -> Callable[[Env], Any]:
        name = str(expression.word)
        if name in FUNCTIONS:
            raise fail(f"'{name}' is a function: write {name}(…)", tree.where)

        def evaluate(env: Env) -> Any:
            if env.defines(name):
                return env[name]
            return Word(name, tree.where, env)

        return evaluate

    def _of_list(self, tree: List) -> None:
        if len(tree.items) > MAX_ITEMS:
            raise fail(f"a list of more than {MAX_ITEMS:,} items", tree.where)
        items = [Value(item) for item in tree.items]
        self.names = tuple(dict.fromkeys(name for item in items for name in item.names))
        self._evaluate = lambda env: list_value([item.evaluate(env) for item in items], env)


def _worded(value: Any, where: Where, env: Env) -> Any:
    """A value whose quoted words are Words."""
    if isinstance(value, tuple):
        return tuple([_worded(item, where, env) for item in value])
    if isinstance(value, str) and not isinstance(value, Word):
        return Word(value, where, env)
    return value


class Template:
    """A name with expressions in braces to be filled in: down{level}.skip."""

    __slots__ = ("names", "parts", "text", "where")

    def __init__(self, tree: Tree, what: str) -> None:
        if not isinstance(tree, Scalar) or tree.empty:
            raise fail(f"{what} a name is due, not {describe(tree)}", tree.where)
        self.text = tree.text.strip()
        self.where = tree.where
        self.parts: list[str | Expression] = []
        pieces = re.split(r"\{([^{}]*)\}", self.text)
        if len(pieces) > MAX_NAME:
            raise fail(f"{what} '{shorten(self.text)}' has too many parts", tree.where)
        for i, part in enumerate(pieces):
            if i % 2 == 0:
                if "{" in part or "}" in part:
                    raise fail(f"{what} unbalanced braces in '{shorten(self.text)}'", tree.where)
                self.parts.append(part)
                continue
            try:
                self.parts.append(parse(part))
            except SpecError as error:
                raise error.located(str(tree.where)) from None
        self.names = tuple(
            name for part in self.parts if isinstance(part, Expression) for name in part.names
        )

    @property
    def is_plain(self) -> bool:
        """Whether there is nothing to fill in."""
        return len(self.parts) == 1

    def fill(self, env: Env) -> str:
        """The name with the values put in."""
        if self.is_plain:
            return self.text
        return "".join(
            part if isinstance(part, str) else self._filled(part, env) for part in self.parts
        )

    def _filled(self, part: Expression, env: Env) -> str:
        try:
            if part.word is not None and not env.defines(part.word):
                raise SpecError(
                    f"'{shorten(part.word)}' is no variable",
                    hint=did_you_mean(part.word, env.known()),
                )
            value = part.evaluate(env)
        except ConvcalcError as error:
            raise error.located(str(self.where)) from None
        if isinstance(value, bool) or not isinstance(value, (int, str)) or str(value)[:1] == "-":
            raise fail(
                f"{show(value)} cannot be part of a name", self.where,
                "What stands in {…} is a word or a whole number of at least 0.",
            )  # fmt: skip
        return str(value)


def mapping_of(tree: Tree, what: str, hint: str = "") -> Map:
    """`tree`, which must be a mapping."""
    if isinstance(tree, Map):
        return tree
    raise fail(f"{what} a mapping of names is due, not {describe(tree)}", tree.where, hint)


def list_of(tree: Tree, what: str, hint: str = "") -> List:
    """`tree`, which must be a list."""
    if isinstance(tree, List):
        return tree
    raise fail(f"{what} a list is due, not {describe(tree)}", tree.where, hint)
