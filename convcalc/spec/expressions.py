"""The expressions of the spec language: exact arithmetic on numbers, lists, words and symbols.

Parsed with `ast`, compiled to closures by our own rules, never evaluated by Python; bounded in
length, depth, digits and the length of lists.
"""

from __future__ import annotations

import ast
import keyword
import math
import re
import warnings
from collections.abc import Callable, Iterable
from fractions import Fraction
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

from convcalc import arith, dim
from convcalc.dim import Dim, at_least, equal, gcd, is_whole
from convcalc.errors import SpecError, UndecidableError, did_you_mean, shorten
from convcalc.fields import show
from convcalc.spec.tree import LARGEST, MAX_DIGITS

MAX_TEXT = 20_000
MAX_DEPTH = 50
MAX_ITEMS = 10_000
MAX_LIST_DEPTH = 10
_MAX_TERMS = 200
_MAX_DEGREE = 32


class Names(Protocol):
    """The names in scope, with their values."""

    def __getitem__(self, name: str, /) -> Any:
        """The value of a name; KeyError where it has none."""

    def known(self) -> Iterable[str]:
        """All names with a value, for suggestions."""

    def spend(self, items: int) -> None:
        """Take note of work on so many list items, of which there is a limit."""

    def same(self, a: Dim, b: Dim) -> bool:
        """Whether two sizes are taken as equal that are so at some values of their symbols only."""


Evaluate = Callable[[Names], Any]

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_DECIMAL = re.compile(r"-?[0-9](?:_?[0-9])*(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_TRUTH_WORDS = {
    "yes", "no", "on", "off", "Yes", "No", "On", "Off", "YES", "NO", "ON", "OFF", "True", "False",
    "TRUE", "FALSE",
}  # fmt: skip
_NULL_WORDS = {"null", "~", "None", "Null", "NULL"}
UNREADABLE = frozenset({*keyword.kwlist, *_TRUTH_WORDS, *_NULL_WORDS, "true", "false"})
"""Names that no expression could read."""


class UnknownNameError(SpecError):
    """A name in a larger expression that nothing defines."""


class Expression:
    """A compiled expression: `names` are those that it reads, `evaluate` gives its value.

    A lone name has `word` set: if nothing defines it, it is a word. `quotes` says that there are
    quoted words in it, which are in its value as plain text.
    """

    __slots__ = ("evaluate", "names", "quotes", "word")

    def __init__(
        self,
        evaluate: Evaluate,
        names: tuple[str, ...],
        word: str | None = None,
        quotes: bool = False,
    ) -> None:
        self.evaluate = evaluate
        self.names = names
        self.word = word
        self.quotes = quotes


@lru_cache(maxsize=4096)
def parse(text: str) -> Expression:
    """Compile an expression.

    Raises:
        SpecError: the bare fact.
    """
    stripped = text.strip().replace("\n", " ")
    if len(stripped) > MAX_TEXT:
        if stripped.replace("_", "").isdigit():
            raise SpecError(f"a number of more than {MAX_DIGITS:,} digits")
        raise SpecError(
            f"an expression of {len(stripped):,} characters; {MAX_TEXT:,} are the limit"
        )
    if _DECIMAL.fullmatch(stripped):
        return _constant(_number(stripped))
    if stripped == "true":
        return _constant(True)
    if stripped == "false":
        return _constant(False)
    if stripped in _TRUTH_WORDS:
        raise SpecError(f"'{stripped}' is no truth value here", hint="Write true or false.")
    if stripped in _NULL_WORDS:
        raise SpecError(f"'{stripped}' is no value here", hint="Leave the value out.")
    if re.fullmatch(r"[0-9]+(:[0-9]+)+", stripped):
        raise SpecError(
            f"'{shorten(stripped)}' is no number",
            hint="A key needs a space after its colon: {stride: 2}, not {stride:2}.",
        )
    if NAME.fullmatch(stripped):
        return Expression(lambda names: names[stripped], (stripped,), word=stripped)
    return _parse_larger(stripped)


def _parse_larger(text: str) -> Expression:
    if not text:
        raise SpecError("an expression is due here, not nothing")
    if _longest_number(text) > MAX_DIGITS:
        raise SpecError(f"a number of more than {MAX_DIGITS:,} digits")
    if not text.isascii():
        # Python would read fullwidth letters and digits as the usual ones
        raise SpecError(f"no expression: '{shorten(text)}'", hint=_foreign_hint(text))
    try:
        with warnings.catch_warnings():
            # Python would read 1if as 1 if, and say that it will not for long
            warnings.simplefilter("error")
            tree = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError, Warning):
        raise SpecError(f"no expression: '{shorten(text)}'", hint=_syntax_hint(text)) from None
    compiler = _Compiler(text)
    evaluate = compiler.compile(tree, 0)
    return Expression(evaluate, tuple(dict.fromkeys(compiler.names)), quotes=compiler.quotes)


def _longest_number(text: str) -> int:
    return max(map(len, re.findall(r"[0-9]+", text.replace("_", ""))), default=0)


def _foreign_hint(text: str) -> str:
    typed = {"×": "*", "·": "*", "÷": "/", "−": "-", "–": "-", "≤": "<=", "≥": ">=", "≠": "!="}
    for sign, plain in typed.items():
        if sign in text:
            return f"Write {plain} for {sign}."
    return "Names and numbers are made of the letters a to z, digits and _."


_HINTS: dict[type[ast.expr], str] = {
    ast.Attribute: "A value can name a layer by a lone name only, not by a path.",
    ast.Tuple: "A list is written [3, 3]; a number has no commas, but may have _: 175_258.",
}


def _syntax_hint(text: str) -> str:
    if any(text.count(a) != text.count(b) for a, b in ("()", "[]", "{}")):
        return (
            "Its brackets are not balanced. In {…} and […], put an expression that holds "
            ', [ ] { } in quotes: size: "min(a, b)".'
        )
    if re.search(r"(?<![\w.])0[0-9]", text):
        return "Numbers are decimal and do not start with 0."
    if re.search(r"\w:\S", text):
        return "A key needs a space after its colon: {stride: 2}, not {stride:2}."
    if "&&" in text or "||" in text or re.search(r"![^=]", text):
        return "Use and, or, not."
    if "?" in text:
        return "Write a if condition else b."
    return ""


def _number(text: str) -> Any:
    """A decimal number, exactly: an int or a Fraction."""
    digits = text.replace("_", "").lstrip("-")
    mantissa, _, exponent = digits.lower().partition("e")
    if len(mantissa) > MAX_DIGITS or len(exponent) > 5 or abs(int(exponent or 0)) > MAX_DIGITS:
        raise SpecError(f"a number of more than {MAX_DIGITS:,} digits")
    if re.match(r"0[0-9]", mantissa):
        raise SpecError(
            f"'{shorten(text)}' starts with 0",
            hint="Numbers are decimal: write it without the leading zero.",
        )
    return bounded(Fraction(text.replace("_", "")))


def whole(value: Any) -> Any:
    """A fraction that is a whole number as an int; all else as it is."""
    if isinstance(value, Fraction) and value.denominator == 1:
        return value.numerator
    return value


def _constant(value: Any) -> Expression:
    return Expression(lambda names: value, ())


# -- compiling --------------------------------------------------------------------------------


class _Compiler:
    def __init__(self, text: str) -> None:
        self.text = text
        self.names: list[str] = []
        self.quotes = False

    def compile(self, node: ast.expr, depth: int) -> Evaluate:
        if depth > MAX_DEPTH:
            raise SpecError(f"an expression nested more than {MAX_DEPTH} levels deep")
        method = getattr(self, f"_{type(node).__name__.lower()}", None)
        if method is None:
            raise SpecError(
                f"'{shorten(self._source(node))}' is not part of the spec language",
                hint=_HINTS.get(type(node))
                or "It has + - * / // % **, comparisons, and/or/not, a if c else b, "
                "indexing, and the functions "
                + ", ".join(FUNCTIONS)
                + ".",
            )
        evaluate: Evaluate = method(node, depth + 1)
        return evaluate

    def _source(self, node: ast.expr) -> str:
        # the text is one line of ASCII, so the offsets count its characters
        return self.text[node.col_offset : node.end_col_offset]

    def _constant(self, node: ast.Constant, depth: int) -> Evaluate:
        value = node.value
        if isinstance(value, str):
            self.quotes = True
            return lambda names: value
        if isinstance(value, bool) or value is None:
            raise SpecError(f"'{value}' is no value here", hint="Write true or false.")
        text = self._source(node)
        if not _DECIMAL.fullmatch(text):
            raise SpecError(f"'{shorten(text)}' is no decimal number")
        number = _number(text)
        return lambda names: number

    def _name(self, node: ast.Name, depth: int) -> Evaluate:
        name = node.id
        if name in ("true", "false"):
            truth = name == "true"
            return lambda names: truth
        if name in FUNCTIONS:
            raise SpecError(f"'{name}' is a function: write {name}(…)")
        self.names.append(name)

        def evaluate(names: Names) -> Any:
            try:
                return names[name]
            except KeyError:
                raise unknown_name(name, names) from None

        return evaluate

    def _list(self, node: ast.List, depth: int) -> Evaluate:
        items = [self.compile(item, depth) for item in node.elts]
        return lambda names: list_value([item(names) for item in items], names)

    def _binop(self, node: ast.BinOp, depth: int) -> Evaluate:
        # a + b + c + … is no nesting: a closed form may have a hundred terms
        steps: list[tuple[str, Evaluate]] = []
        first: ast.expr = node
        while isinstance(first, ast.BinOp) and not isinstance(first.op, ast.Pow):
            steps.append((self._operator(first), self.compile(first.right, depth)))
            first = first.left
        if not steps:
            steps.append((self._operator(node), self.compile(node.right, depth)))
            first = node.left
        start = self.compile(first, depth)
        steps.reverse()

        def evaluate(names: Names) -> Any:
            value = start(names)
            for operator, operand in steps:
                value = arithmetic(operator, value, operand(names), names)
            return value

        return evaluate

    def _operator(self, node: ast.BinOp) -> str:
        operator = _OPERATORS.get(type(node.op))
        if operator is None:
            raise SpecError(f"an operator outside the spec language in '{shorten(self.text)}'")
        return operator

    def _unaryop(self, node: ast.UnaryOp, depth: int) -> Evaluate:
        operand = self.compile(node.operand, depth)
        if isinstance(node.op, ast.Not):
            return lambda names: not truth(operand(names))
        if isinstance(node.op, ast.USub):
            return lambda names: arithmetic("*", -1, operand(names), names)
        if isinstance(node.op, ast.UAdd):
            return lambda names: arithmetic("*", 1, operand(names), names)
        raise SpecError(f"an operator outside the spec language in '{shorten(self.text)}'")

    def _boolop(self, node: ast.BoolOp, depth: int) -> Evaluate:
        operands = [self.compile(operand, depth) for operand in node.values]
        decisive = isinstance(node.op, ast.Or)

        # all() and any() over a generator would take C stack at every level
        def evaluate(names: Names) -> bool:
            for operand in operands:
                if truth(operand(names)) is decisive:
                    return decisive
            return not decisive

        return evaluate

    def _compare(self, node: ast.Compare, depth: int) -> Evaluate:
        signs = [_COMPARISONS.get(type(op)) for op in node.ops]
        operands = [self.compile(o, depth) for o in (node.left, *node.comparators)]

        def evaluate(names: Names) -> bool:
            values = [operand(names) for operand in operands]
            _spend(values, names)
            return all(
                compare(sign, a, b, names)
                for sign, a, b in zip(signs, values, values[1:], strict=False)
                if sign is not None
            )

        if None in signs:
            raise SpecError(
                "'in' and 'is' are not part of the spec language", hint="Compare with ==."
            )
        return evaluate

    def _ifexp(self, node: ast.IfExp, depth: int) -> Evaluate:
        test, yes, no = (self.compile(n, depth) for n in (node.test, node.body, node.orelse))
        return lambda names: yes(names) if truth(test(names)) else no(names)

    def _subscript(self, node: ast.Subscript, depth: int) -> Evaluate:
        value = self.compile(node.value, depth)
        if isinstance(node.slice, ast.Slice):
            ends = [
                self.compile(end, depth) if end is not None else None
                for end in (node.slice.lower, node.slice.upper, node.slice.step)
            ]

            def cut(names: Names) -> Any:
                items = _list_of(value(names))
                start, stop, step = (None if end is None else _index(end(names)) for end in ends)
                if step == 0:
                    raise SpecError("a slice with a step of 0")
                names.spend(len(items))
                return items[start:stop:step]

            return cut
        index = self.compile(node.slice, depth)

        def evaluate(names: Names) -> Any:
            items, i = _list_of(value(names)), _index(index(names))
            if not -len(items) <= i < len(items):
                raise SpecError(f"index {i} is outside the list {show(items)} of {len(items)}")
            return items[i]

        return evaluate

    def _call(self, node: ast.Call, depth: int) -> Evaluate:
        name = node.func.id if isinstance(node.func, ast.Name) else self._source(node.func)
        if name not in FUNCTIONS:
            raise SpecError(
                f"unknown function '{shorten(name)}'",
                hint=did_you_mean(name, FUNCTIONS) or f"There are {', '.join(FUNCTIONS)}.",
            )
        function = FUNCTIONS[name]
        arguments = [self.compile(argument, depth) for argument in node.args]
        keywords = {}
        for given in node.keywords:
            if given.arg not in function.keywords[len(arguments) :]:
                raise SpecError(
                    f"{function.usage} is due: no {given.arg}= in '{shorten(self._source(node))}'"
                )
            keywords[given.arg] = self.compile(given.value, depth)
        if not function.least <= len(arguments) <= function.most:
            raise SpecError(
                f"{function.usage} is due, not {len(arguments)} values: "
                f"'{shorten(self._source(node))}'"
            )

        def evaluate(names: Names) -> Any:
            values = [argument(names) for argument in arguments]
            named = {key: value(names) for key, value in keywords.items()}
            _spend(values, names)
            result = bounded(function.call(*values, **named))
            _spend([result], names)
            return result

        return evaluate


def unknown_name(name: str, names: Names) -> UnknownNameError:
    """The error for a name that is not defined, with a suggestion out of those that are."""
    return UnknownNameError(
        f"unknown name '{shorten(name)}'",
        hint=did_you_mean(name, names.known())
        or "A word in a larger expression is quoted: act == 'relu'.",
    )


# -- values -----------------------------------------------------------------------------------

_OPERATORS: dict[type[ast.operator], str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%",
    ast.Pow: "**",
}  # fmt: skip
_COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
}  # fmt: skip


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, Fraction, Dim)) and not isinstance(value, bool)


def _number_of(value: Any, what: str) -> Any:
    if _is_number(value):
        return value
    explain = getattr(value, "misspelt", None)
    if explain is not None:
        raise explain("a number")
    raise SpecError(f"{what} of {show(value)}, which is no number")


def arithmetic(operator: str, a: Any, b: Any, names: Names) -> Any:
    """The result of an operator, exactly; on lists element by element."""
    if isinstance(a, tuple) or isinstance(b, tuple):
        _spend((a, b), names)
        if not isinstance(a, tuple):
            return tuple([arithmetic(operator, a, item, names) for item in b])
        if not isinstance(b, tuple):
            return tuple([arithmetic(operator, item, b, names) for item in a])
        if len(a) != len(b):
            raise SpecError(
                f"{show(a)} {operator} {show(b)}: lists of {len(a)} and {len(b)} values"
            )
        return tuple([arithmetic(operator, x, y, names) for x, y in zip(a, b, strict=True)])
    a, b = _number_of(a, f"'{operator}'"), _number_of(b, f"'{operator}'")
    if operator == "+":
        return bounded(a + b)
    if operator == "-":
        return bounded(a - b)
    if operator == "*":
        return bounded(a * b)
    if operator == "**":
        return bounded(_power(a, b))
    if not isinstance(b, Dim) and b == 0:
        raise SpecError(f"{show(a)} {operator} 0: division by zero")
    if operator == "/":
        return bounded(Fraction(a) / b if isinstance(a, int) and not isinstance(b, Dim) else a / b)
    return bounded(a // b if operator == "//" else a % b)


def _power(a: Any, b: Any) -> Any:
    if not isinstance(b, int):
        raise SpecError(f"the exponent of ** must be a whole number, not {show(b)}")
    if isinstance(a, Dim):
        if not 0 <= b <= _MAX_DEGREE:
            raise SpecError(f"an exponent of a symbol is from 0 to {_MAX_DEGREE}, not {show(b)}")
        result: Any = 1
        for _ in range(b):
            result = bounded(a * result)
        return result
    if b < 0 and a == 0:
        raise SpecError(f"0 ** {show(b)}: division by zero")
    base = Fraction(a)
    bits = max(base.numerator.bit_length(), base.denominator.bit_length())
    most = LARGEST.bit_length()
    if bits > 1 and (bits - 1) * abs(b) > most:
        raise SpecError(f"{show(a)} ** {show(b)} has more than {MAX_DIGITS:,} digits")
    # a large exponent has a base of 0, 1 or −1
    return base ** (b if abs(b) <= most else 2 - b % 2)


def bounded(value: Any) -> Any:
    """The value, whole numbers as ints, if it is not too large to go on with."""
    if isinstance(value, Fraction):
        value = whole(value)
    if isinstance(value, (int, Fraction)):
        _check_digits(value)
    elif isinstance(value, Dim):
        if len(value.terms) > _MAX_TERMS or max(map(len, value.terms)) > _MAX_DEGREE:
            raise SpecError(
                "a symbolic expression of too many terms",
                hint=f"Give {', '.join(sorted(value.symbols))} a number.",
            )
        for coefficient in value.terms.values():
            _check_digits(coefficient)
    return value


def _check_digits(value: int | Fraction) -> None:
    if abs(value.numerator) > LARGEST or value.denominator > LARGEST:
        raise SpecError(f"a number of more than {MAX_DIGITS:,} digits")


def list_value(items: list[Any], names: Names) -> tuple[Any, ...]:
    """The list of some values, if it and the lists in it are not too large."""
    names.spend(_count(items, 1))
    return tuple(items)


def _count(items: Iterable[Any], depth: int) -> int:
    """The items of a list and of the lists in it."""
    if depth > MAX_LIST_DEPTH:
        raise SpecError(f"lists in lists, more than {MAX_LIST_DEPTH} levels deep")
    total = 0
    for item in items:
        total += 1
        if isinstance(item, tuple):
            total += _count(item, depth + 1)
        # at once: a list may hold one list many times, which holds another many times …
        if total > MAX_ITEMS:
            raise SpecError(f"a list of more than {MAX_ITEMS:,} items, those of its lists included")
    return total


def _spend(values: Iterable[Any], names: Names) -> None:
    """Take note of work on the lists among some values."""
    for value in values:
        if isinstance(value, tuple):
            names.spend(len(value))


def truth(value: Any) -> bool:
    """A truth value: only true or false or a comparison."""
    if isinstance(value, bool):
        return value
    raise SpecError(
        f"true or false is due here, not {show(value)}",
        hint="A truth value is true, false or a comparison, as n > 0.",
    )


def compare(sign: str, a: Any, b: Any, names: Names) -> bool:
    """Whether `a sign b` holds: of two numbers, or == and != of words, lists, truth values."""
    if _is_number(a) and _is_number(b):
        return _compare_numbers(sign, a, b, names)
    if _kind(a) != _kind(b):
        words = [v for v in (a, b) if isinstance(v, str)]
        wrong = f"{show(a)} {sign} {show(b)}: {_kind(a)} and {_kind(b)} do not compare"
        # a word with a place, which was not quoted beside the sign, is likely a misspelt variable
        explain = getattr(words[0], "compared", None) if words else None
        raise SpecError(wrong) if explain is None else explain(wrong)
    if sign not in ("==", "!="):
        raise SpecError(f"{show(a)} {sign} {show(b)}: {_kind(a)} has no order, only == and !=")
    if isinstance(a, tuple):
        same = len(a) == len(b) and all(
            compare("==", x, y, names) for x, y in zip(a, b, strict=True)
        )
    else:
        same = a == b
    return bool(same) == (sign == "==")


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "a truth value"
    if isinstance(value, str):
        return "a word"
    return "a list" if isinstance(value, tuple) else "a number"


def _compare_numbers(sign: str, a: Any, b: Any, names: Names) -> bool:
    if sign in ("==", "!="):
        holds, expected = equal(a, b), sign == "=="
        if holds is None and isinstance(a, Dim) and isinstance(b, Dim):
            holds = names.same(a, b)
    elif sign in (">=", "<"):
        holds, expected = at_least(a, b), sign == ">="
    else:
        holds, expected = at_least(b, a), sign == "<="
    if holds is None:
        free = ", ".join(sorted({s for v in (a, b) if isinstance(v, Dim) for s in v.symbols}))
        raise UndecidableError(
            f"whether {show(a)} {sign} {show(b)} depends on {free}",
            hint=f"A condition cannot depend on a symbol: give {free} a number.",
        )
    return holds == expected


def _list_of(value: Any) -> tuple[Any, ...]:
    if isinstance(value, tuple):
        return value
    raise SpecError(f"a list is due, not {show(value)}")


def _index(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise SpecError(f"an index is a whole number, not {show(value)}")


# -- functions --------------------------------------------------------------------------------


def _numbers(values: tuple[Any, ...], what: str) -> list[Any]:
    if len(values) == 1 and isinstance(values[0], tuple):
        values = values[0]
    if not values:
        raise SpecError(f"{what} of nothing")
    return [_number_of(value, what) for value in values]


def _floor(value: Any) -> Any:
    return math.floor(_number_of(value, "floor"))


def _ceil(value: Any) -> Any:
    return math.ceil(_number_of(value, "ceil"))


def _round(value: Any) -> Any:
    return round(_number_of(value, "round"))


def _ceil_div(a: Any, b: Any) -> Any:
    a, b = _number_of(a, "ceil_div"), _number_of(b, "ceil_div")
    if not isinstance(b, Dim) and b == 0:
        raise SpecError(f"ceil_div({show(a)}, 0): division by zero")
    if is_whole(a) and is_whole(b):
        return arith.ceil_div(a, b)
    return -(-a // b)  # the formula above is for whole numbers


def _gcd(a: Any, b: Any) -> Any:
    for value in (a, b):
        if isinstance(_number_of(value, "gcd"), Fraction):
            raise SpecError(f"gcd of {show(value)}, which is not whole")
    return gcd(a, b)


def make_divisible(v: Any, d: Any = 8, min: Any = None) -> Any:
    """What a spec calls make_divisible; see convcalc.dim."""
    v, d = _number_of(v, "make_divisible"), _number_of(d, "make_divisible")
    least = d if min is None else _number_of(min, "make_divisible")
    for number in (d, least):
        if isinstance(number, Dim):
            raise SpecError(
                f"make_divisible to multiples of {show(d)}, at least {show(least)}: only its first "
                "value may be symbolic",
                hint=f"Give {', '.join(sorted(number.symbols))} a number.",
            )
    if d <= 0:
        raise SpecError(f"make_divisible to multiples of {show(d)}")
    if isinstance(v, Dim) and not (isinstance(d, int) and isinstance(least, int)):
        raise SpecError(
            f"make_divisible({show(v)}, {show(d)}, {show(least)}): beside a symbol, d and min are "
            "whole numbers"
        )
    return dim.make_divisible(v, d, least)


def _range(*ends: Any) -> tuple[int, ...]:
    for end in ends:
        if isinstance(end, Dim):
            raise SpecError(
                f"range({end}): the length of a list cannot be symbolic",
                hint=f"Give {', '.join(sorted(end.symbols))} a number.",
            )
        if not isinstance(_number_of(end, "range"), int):
            raise SpecError(f"range of {show(end)}, which is no whole number")
    if len(ends) == 3 and ends[2] == 0:
        raise SpecError("range with a step of 0")
    numbers = range(*ends)
    # len() of a huge range overflows
    if abs(numbers.stop - numbers.start) // abs(numbers.step) > MAX_ITEMS:
        raise SpecError(f"a range of more than {MAX_ITEMS:,} numbers")
    return tuple(numbers)


def _len(value: Any) -> int:
    return len(_list_of(value))


def _min(*values: Any) -> Any:
    return arith.minimum(*_numbers(values, "min"))


def _max(*values: Any) -> Any:
    return arith.maximum(*_numbers(values, "max"))


class Function(NamedTuple):
    """A function of the language: how it is called, and with how many values."""

    call: Callable[..., Any]
    usage: str
    least: int
    most: int
    keywords: tuple[str, ...] = ()


FUNCTIONS = {
    "min": Function(_min, "min(a, b, …)", 1, MAX_ITEMS),
    "max": Function(_max, "max(a, b, …)", 1, MAX_ITEMS),
    "ceil": Function(_ceil, "ceil(x)", 1, 1),
    "floor": Function(_floor, "floor(x)", 1, 1),
    "round": Function(_round, "round(x)", 1, 1),
    "ceil_div": Function(_ceil_div, "ceil_div(a, b)", 2, 2),
    "gcd": Function(_gcd, "gcd(a, b)", 2, 2),
    "make_divisible": Function(
        make_divisible, "make_divisible(v, d=8, min=d)", 1, 3, ("v", "d", "min")
    ),
    "range": Function(_range, "range(n)", 1, 3),
    "len": Function(_len, "len(list)", 1, 1),
}
