"""The expressions of the spec language: exact arithmetic on numbers, lists, words and symbols.

Parsed with `ast`, compiled to closures by our own rules, never evaluated by Python; bounded in
length, depth, digits and the length of lists.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import lru_cache
from typing import Any

from convcalc import arith
from convcalc.dim import Dim, at_least, equal, gcd
from convcalc.errors import SpecError, UndecidableError, did_you_mean, shorten
from convcalc.fields import show

MAX_TEXT = 2_000
MAX_DEPTH = 50
MAX_ITEMS = 10_000
MAX_DIGITS = 1_000
_MAX_BITS = int(MAX_DIGITS * math.log2(10))
_MAX_TERMS = 200
_MAX_DEGREE = 32

Names = Mapping[str, Any]
Evaluate = Callable[[Names], Any]

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_INTEGER = re.compile(r"-?[0-9](?:_?[0-9])*")
_DECIMAL = re.compile(r"-?[0-9](?:_?[0-9])*(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_TRUTH_WORDS = {"yes", "no", "on", "off", "Yes", "No", "On", "Off", "True", "False", "TRUE", "FALSE"}
_NULL_WORDS = {"null", "~", "None", "Null", "NULL"}


class UnknownNameError(SpecError):
    """A name in a larger expression that nothing defines."""


class Expression:
    """A compiled expression: `names` are those that it reads, `evaluate` gives its value.

    A lone name has `word` set: if nothing defines it, it is a word.
    """

    __slots__ = ("evaluate", "names", "word")

    def __init__(self, evaluate: Evaluate, names: tuple[str, ...], word: str | None = None) -> None:
        self.evaluate = evaluate
        self.names = names
        self.word = word


@lru_cache(maxsize=4096)
def parse(text: str) -> Expression:
    """Compile an expression.

    Raises:
        SpecError: the bare fact.
    """
    stripped = text.strip()
    if _INTEGER.fullmatch(stripped) or _DECIMAL.fullmatch(stripped):
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
    if len(text) > MAX_TEXT:
        raise SpecError(f"an expression of {len(text):,} characters; {MAX_TEXT:,} are the limit")
    if _longest_number(text) > MAX_DIGITS:
        raise SpecError(f"a number of more than {MAX_DIGITS:,} digits")
    try:
        tree = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise SpecError(f"no expression: '{shorten(text)}'", hint=_syntax_hint(text, error)) from None
    compiler = _Compiler(text)
    evaluate = compiler.compile(tree, 0)
    return Expression(evaluate, tuple(dict.fromkeys(compiler.names)))


def _longest_number(text: str) -> int:
    return max(map(len, re.findall(r"[0-9]+", text.replace("_", ""))), default=0)


def _syntax_hint(text: str, error: BaseException) -> str:
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


def _number(text: str) -> int | Fraction:
    """A decimal number, exactly."""
    digits = text.replace("_", "").lstrip("-")
    mantissa, _, exponent = digits.lower().partition("e")
    if len(mantissa) > MAX_DIGITS or len(exponent) > 5 or abs(int(exponent or 0)) > MAX_DIGITS:
        raise SpecError(f"a number of more than {MAX_DIGITS:,} digits")
    if re.match(r"0[0-9]", mantissa):
        raise SpecError(
            f"'{shorten(text)}' starts with 0",
            hint="Numbers are decimal: write it without the leading zero.",
        )
    return whole(Fraction(text.replace("_", "")))


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
        self.bytes = text.encode()
        self.names: list[str] = []

    def compile(self, node: ast.expr, depth: int) -> Evaluate:
        if depth > MAX_DEPTH:
            raise SpecError(f"an expression nested more than {MAX_DEPTH} levels deep")
        method = getattr(self, f"_{type(node).__name__.lower()}", None)
        if method is None:
            raise SpecError(
                f"'{shorten(self._source(node))}' is not part of the spec language",
                hint="It has + - * / // % **, comparisons, and/or/not, a if c else b, "
                "indexing, and the functions " + ", ".join(FUNCTIONS) + ".",
            )
        evaluate: Evaluate = method(node, depth + 1)
        return evaluate

    def _source(self, node: ast.expr) -> str:
        if node.lineno != node.end_lineno:
            return self.text
        line = self.bytes.split(b"\n")[node.lineno - 1]
        return line[node.col_offset : node.end_col_offset].decode()

    def _constant(self, node: ast.Constant, depth: int) -> Evaluate:
        value = node.value
        if isinstance(value, str):
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
        return lambda names: tuple([item(names) for item in items])

    def _binop(self, node: ast.BinOp, depth: int) -> Evaluate:
        operator = _OPERATORS.get(type(node.op))
        if operator is None:
            raise SpecError(f"an operator outside the spec language in '{shorten(self.text)}'")
        left, right = self.compile(node.left, depth), self.compile(node.right, depth)
        return lambda names: arithmetic(operator, left(names), right(names))

    def _unaryop(self, node: ast.UnaryOp, depth: int) -> Evaluate:
        operand = self.compile(node.operand, depth)
        if isinstance(node.op, ast.Not):
            return lambda names: not truth(operand(names))
        if isinstance(node.op, ast.USub):
            return lambda names: arithmetic("*", -1, operand(names))
        if isinstance(node.op, ast.UAdd):
            return lambda names: arithmetic("*", 1, operand(names))
        raise SpecError(f"an operator outside the spec language in '{shorten(self.text)}'")

    def _boolop(self, node: ast.BoolOp, depth: int) -> Evaluate:
        operands = [self.compile(operand, depth) for operand in node.values]
        if isinstance(node.op, ast.And):
            return lambda names: all(truth(operand(names)) for operand in operands)
        return lambda names: any(truth(operand(names)) for operand in operands)

    def _compare(self, node: ast.Compare, depth: int) -> Evaluate:
        signs = [_COMPARISONS.get(type(op)) for op in node.ops]
        operands = [self.compile(o, depth) for o in (node.left, *node.comparators)]

        def evaluate(names: Names) -> bool:
            values = [operand(names) for operand in operands]
            return all(
                compare(sign, a, b)
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
            return lambda names: _list_of(value(names))[
                slice(*(None if end is None else _index(end(names)) for end in ends))
            ]
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
        for keyword in node.keywords:
            if keyword.arg is None or name != "make_divisible" or keyword.arg not in ("d", "min"):
                raise SpecError(f"{name} has no argument '{keyword.arg}'")
            keywords[keyword.arg] = self.compile(keyword.value, depth)

        def evaluate(names: Names) -> Any:
            values = [argument(names) for argument in arguments]
            named = {key: keyword(names) for key, keyword in keywords.items()}
            try:
                return bounded(function(*values, **named))
            except TypeError:
                raise SpecError(
                    f"{name} of {len(values)} arguments: {_USAGE[name]} is due"
                ) from None

        return evaluate


def unknown_name(name: str, names: Names) -> UnknownNameError:
    """The error for a name that is not defined, with a suggestion out of those that are."""
    known: Callable[[], Any] = getattr(names, "known", names.keys)
    return UnknownNameError(
        f"unknown name '{name}'",
        hint=did_you_mean(name, known()) or "A word in a larger expression is quoted: act == 'relu'.",
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


def arithmetic(operator: str, a: Any, b: Any) -> Any:
    """a operator b, exactly; element by element if one is a list, or both of one length."""
    if isinstance(a, tuple) or isinstance(b, tuple):
        if not isinstance(a, tuple):
            return tuple([arithmetic(operator, a, item) for item in b])
        if not isinstance(b, tuple):
            return tuple([arithmetic(operator, item, b) for item in a])
        if len(a) != len(b):
            raise SpecError(
                f"{show(a)} {operator} {show(b)}: lists of {len(a)} and {len(b)} values"
            )
        return tuple([arithmetic(operator, x, y) for x, y in zip(a, b, strict=True)])
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
        raise SpecError(f"0 ** {b}: division by zero")
    base = Fraction(a)
    bits = max(abs(base.numerator).bit_length(), base.denominator.bit_length())
    if bits > 1 and bits * abs(b) > 2 * _MAX_BITS:
        raise SpecError(f"{show(a)} ** {show(b)} has more than {MAX_DIGITS:,} digits")
    if abs(b) > 10**6:
        b = b % 2  # the base is 0, 1 or −1
        b = b or 2
    return base**b


def bounded(value: Any) -> Any:
    """The value, whole numbers as ints, if it is not too large to go on with."""
    if isinstance(value, int):
        size = value.bit_length()
    elif isinstance(value, Fraction):
        value = whole(value)
        size = max(value.numerator.bit_length(), value.denominator.bit_length())
    elif isinstance(value, Dim):
        if len(value.terms) > _MAX_TERMS or max(map(len, value.terms)) > _MAX_DEGREE:
            raise SpecError("a symbolic expression of too many terms")
        size = max(Fraction(c).numerator.bit_length() for c in value.terms.values())
    else:
        if isinstance(value, tuple) and len(value) > MAX_ITEMS:
            raise SpecError(f"a list of {len(value):,} items; {MAX_ITEMS:,} are the limit")
        return value
    if size > _MAX_BITS:
        raise SpecError(f"a number of more than {MAX_DIGITS:,} digits")
    return value


def truth(value: Any) -> bool:
    """A truth value: only true or false or a comparison."""
    if isinstance(value, bool):
        return value
    raise SpecError(
        f"true or false is due here, not {show(value)}",
        hint="A truth value is true, false or a comparison, as n > 0.",
    )


def compare(sign: str, a: Any, b: Any) -> bool:
    """a sign b for two numbers, or == and != of two words, lists or truth values."""
    if _is_number(a) and _is_number(b):
        return _compare_numbers(sign, a, b)
    kinds = {str if isinstance(v, str) else type(v) for v in (a, b)}
    if len(kinds) > 1 or sign not in ("==", "!="):
        for value in (a, b):
            if isinstance(value, str) and hasattr(value, "misspelt"):
                other = b if value is a else a
                raise SpecError(
                    f"{show(a)} {sign} {show(b)}: a word compared with {_kind(other)}"
                )
        raise SpecError(f"{show(a)} {sign} {show(b)}: {_kind(a)} and {_kind(b)} do not compare")
    if isinstance(a, tuple):
        same = len(a) == len(b) and all(compare("==", x, y) for x, y in zip(a, b, strict=True))
    else:
        same = a == b
    return bool(same) == (sign == "==")


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "a truth value"
    if isinstance(value, str):
        return "a word"
    return "a list" if isinstance(value, tuple) else "a number"


def _compare_numbers(sign: str, a: Any, b: Any) -> bool:
    if sign in ("==", "!="):
        same = equal(a, b)
        if same is None:
            free = ", ".join(sorted({s for v in (a, b) if isinstance(v, Dim) for s in v.symbols}))
            raise UndecidableError(
                f"whether {a} == {b} depends on {free}",
                hint="A condition cannot depend on a symbol: give it a number.",
            )
        return same == (sign == "==")
    if sign in (">=", "<"):
        decided = at_least(a, b)
    else:
        decided = at_least(b, a)
    if decided is None:
        free = ", ".join(sorted({s for v in (a, b) if isinstance(v, Dim) for s in v.symbols}))
        raise UndecidableError(
            f"whether {a} {sign} {b} depends on {free}",
            hint="A condition cannot depend on a symbol: give it a number.",
        )
    return decided == (sign in (">=", "<="))


def _list_of(value: Any) -> tuple[Any, ...]:
    if isinstance(value, tuple):
        return value
    raise SpecError(f"only a list can be indexed, not {show(value)}")


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
    return -((-a) // b) if not isinstance(a, Dim) and not isinstance(b, Dim) else arith.ceil_div(a, b)


def _gcd(a: Any, b: Any) -> Any:
    for value in (a, b):
        if isinstance(_number_of(value, "gcd"), Fraction):
            raise SpecError(f"gcd of {show(value)}, which is not whole")
    return gcd(a, b)


def make_divisible(v: Any, d: Any = 8, min: Any = None) -> Any:
    """The multiple of d nearest to v, at least `min`, and never more than 10 % below v.

    torchvision's `_make_divisible` (torchvision/models/_utils.py), computed exactly.
    """
    v, d = _number_of(v, "make_divisible"), _number_of(d, "make_divisible")
    least = d if min is None else _number_of(min, "make_divisible")
    if any(isinstance(number, Dim) for number in (v, d, least)):
        raise SpecError(
            f"make_divisible({show(v)}, {show(d)}) of a symbol has no closed form",
            hint="Give the symbol a number.",
        )
    if d <= 0:
        raise SpecError(f"make_divisible to multiples of {show(d)}")
    rounded = max(least, (v + Fraction(d, 2)) // d * d)
    return rounded + d if rounded < v * Fraction(9, 10) else rounded


def _range(*ends: Any) -> tuple[int, ...]:
    for end in ends:
        if isinstance(end, Dim):
            raise SpecError(f"range({end}): the length of a list cannot be symbolic")
        if isinstance(end, bool) or not isinstance(end, int):
            raise SpecError(f"range of {show(end)}, which is no whole number")
    if len(ends) == 3 and ends[2] == 0:
        raise SpecError("range with a step of 0")
    if not 1 <= len(ends) <= 3:
        raise TypeError
    numbers = range(*ends)
    # len() of a huge range overflows
    if abs(numbers.stop - numbers.start) // abs(numbers.step) > MAX_ITEMS:
        raise SpecError(f"a range of more than {MAX_ITEMS:,} numbers")
    return tuple(numbers)


def _len(value: Any) -> int:
    return len(_list_of(value))


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "min": lambda *values: arith.minimum(*_numbers(values, "min")),
    "max": lambda *values: arith.maximum(*_numbers(values, "max")),
    "ceil": _ceil,
    "floor": _floor,
    "round": _round,
    "ceil_div": _ceil_div,
    "gcd": _gcd,
    "make_divisible": make_divisible,
    "range": _range,
    "len": _len,
}
_USAGE = {
    "min": "min(a, b, …)", "max": "max(a, b, …)", "ceil": "ceil(x)", "floor": "floor(x)",
    "round": "round(x)", "ceil_div": "ceil_div(a, b)", "gcd": "gcd(a, b)",
    "make_divisible": "make_divisible(v, d=8, min=d)", "range": "range(n)", "len": "len(list)",
}  # fmt: skip
