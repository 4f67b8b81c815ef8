"""What a spec's scalars and lists stand for once the names in scope are known."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from convcalc.errors import ConvcalcError, SpecError, did_you_mean, shorten
from convcalc.fields import show
from convcalc.layer import Shape, show_shape
from convcalc.spec.expressions import FUNCTIONS, MAX_ITEMS, NAME, Expression, parse
from convcalc.spec.tree import List, Map, Scalar, Tree, Where, describe, fail

IN_NAMES = (
    "in_channels", "in_features", "in_depth", "in_height", "in_width", "in_length", "in_shape",
)  # fmt: skip
_UNDEFINED = object()


class Variables(Protocol):
    """The names that are in scope everywhere: a spec's variables, and N."""

    def __contains__(self, name: object) -> bool: ...
    def __getitem__(self, name: str) -> Any: ...
    def __iter__(self) -> Any: ...


class Env(dict[str, Any]):
    """The names in scope: arguments and loop names here, the variables behind them.

    `shape` is that of the tensor that reaches the entry being read, for `in_channels` and its
    like; `scope` is the module being built, where a word may name a layer.
    """

    __slots__ = ("scope", "shape", "variables")

    def __init__(self, variables: Variables, scope: Any = None) -> None:
        super().__init__()
        self.variables = variables
        self.shape: Shape | None = None
        self.scope = scope

    def inner(self, scope: Any) -> Env:
        """A copy to add loop names to."""
        copy = Env(self.variables, scope)
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
        return [*self, *self.variables, *(IN_NAMES if self.shape is not None else ())]

    def key(self, names: tuple[str, ...]) -> tuple[Any, ...]:
        """The values of some names as a dictionary key that tells 1 from true."""
        return tuple(
            [_distinct(self[name]) if self.defines(name) else _UNDEFINED for name in names]
        )

    def _of_input(self, name: str) -> Any:
        shape = self.shape
        if shape is None:
            raise SpecError(f"{name} has no meaning here: no tensor reaches this place")
        if name == "in_shape":
            return shape
        if name == "in_features":
            return shape[-1]
        if name == "in_channels" and len(shape) >= 2:
            return shape[1]
        axes = {3: ("in_length",), 4: ("in_height", "in_width"),
                5: ("in_depth", "in_height", "in_width")}.get(len(shape), ())  # fmt: skip
        if name in axes:
            return shape[2 + axes.index(name)]
        raise SpecError(f"the tensor here, {show_shape(shape)}, has no {name}")


def _distinct(value: Any) -> Any:
    kind = type(value)
    if kind is int:
        return value
    if kind is tuple:
        return (tuple, *map(_distinct, value))
    return (kind, value)


class Word(str):
    """A lone name that nothing defines: it names a layer, a block or a choice.

    It knows where it was written, what was in scope there, and the scope to look a layer up in.
    """

    __slots__ = ("env", "scope", "where")

    def __new__(cls, text: str, where: Where, env: Env) -> Word:
        word = super().__new__(cls, text)
        word.where = where
        word.env = env
        word.scope = None
        return word

    where: Where
    env: Env
    scope: Any

    def found_at(self, scope: Any) -> Word:
        """The word as an argument: a layer of that name is looked up at the caller."""
        if self.scope is not None:
            return self
        word = Word(self, self.where, self.env)
        word.scope = scope
        return word

    def misspelt(self, due: str) -> SpecError:
        """The error for a word where something else is due: a misspelt variable, most likely."""
        return fail(
            f"'{shorten(self)}' is no variable",
            self.where,
            did_you_mean(self, self.env.known()) or f"{due[:1].upper()}{due[1:]} is due here.",
        )


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
            # errors of the cache are shared: a fresh one for this place
            raise fail(error.fact, tree.where, error.hint) from None
        self.names = expression.names
        if expression.word is None:
            self._evaluate: Callable[[Env], Any] = expression.evaluate
        else:
            self._evaluate = self._lone_name(expression, tree)

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
            raise fail(f"a list of {len(tree.items):,} items; {MAX_ITEMS:,} are the limit", tree.where)
        items = [Value(item) for item in tree.items]
        self.names = tuple(dict.fromkeys(name for item in items for name in item.names))
        self._evaluate = lambda env: tuple([item.evaluate(env) for item in items])


class Template:
    """A name with expressions in braces to be filled in: down{level}.skip."""

    __slots__ = ("names", "parts", "text", "where")

    def __init__(self, tree: Tree, what: str) -> None:
        if not isinstance(tree, Scalar) or tree.empty:
            raise fail(f"{what} is a name, not {describe(tree)}", tree.where)
        self.text = tree.text.strip()
        self.where = tree.where
        self.parts: list[str | Expression] = []
        for i, part in enumerate(re.split(r"\{([^{}]*)\}", self.text)):
            if i % 2 == 0:
                if "{" in part or "}" in part:
                    raise fail(f"unbalanced braces in {what} '{shorten(self.text)}'", tree.where)
                self.parts.append(part)
                continue
            try:
                self.parts.append(parse(part))
            except SpecError as error:
                raise fail(error.fact, tree.where, error.hint) from None
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
                    f"'{part.word}' is no variable", hint=did_you_mean(part.word, env.known())
                )
            value = part.evaluate(env)
        except ConvcalcError as error:
            raise error.located(str(self.where)) from None
        if isinstance(value, bool) or not isinstance(value, (int, str)) or str(value)[:1] == "-":
            raise fail(f"{show(value)} cannot be part of a name", self.where)
        return str(value)


def mapping_of(tree: Tree, what: str) -> Map:
    """`tree`, which must be a mapping."""
    if isinstance(tree, Map):
        return tree
    raise fail(f"{what} is a mapping of names to values, not {describe(tree)}", tree.where)


def list_of(tree: Tree, what: str, hint: str = "") -> List:
    """`tree`, which must be a list."""
    if isinstance(tree, List):
        return tree
    raise fail(f"{what} is a list, not {describe(tree)}", tree.where, hint)


