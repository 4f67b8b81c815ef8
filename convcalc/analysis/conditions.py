"""Conditions on what is counted: `macs < 300M and params < 5M`, `peak_bytes <= 24 GiB`.

A condition has names of quantities and variables, numbers with units, + - * / // %, comparisons,
and/or/not and parentheses. It is read by a parser of its own, which knows units and places; it
holds or not exactly, whatever the size of the numbers.
"""

from __future__ import annotations

import re
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any, NamedTuple

from convcalc.analysis.quantities import ALIASES
from convcalc.dim import Dim, bounds, exact_number, whole_array
from convcalc.errors import ConvcalcError, UndecidableError, UsageError, did_you_mean, shorten

MAX_TEXT = 500
MAX_DEPTH = 30
MAX_EXPONENT = 100

_POWERS = {"K": 1, "M": 2, "G": 3, "T": 4}
UNITS: dict[str, tuple[int, bool]] = {
    "k": (10**3, False),
    **{prefix: (10 ** (3 * power), False) for prefix, power in _POWERS.items()},
    "B": (1, True),
    "bytes": (1, True),
    "kB": (10**3, True),
    **{f"{prefix}B": (10 ** (3 * power), True) for prefix, power in _POWERS.items()},
    **{f"{prefix}iB": (2 ** (10 * power), True) for prefix, power in _POWERS.items()},
}
"""What a number can be followed by: its factor, and whether it is in bytes."""

COUNT, BYTES = "count", "bytes"

_TOKEN = re.compile(
    r"\s*(?:(?P<number>[0-9][0-9_,]*(?:\.[0-9_]*)?(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<name>[A-Za-z_]\w*)|(?P<sign><=|>=|==|!=|//|\*\*|&&|\|\||[-+*/%<>()=!&|≤≥≠×·÷−–])"
    r"|(?P<other>\S))",
    re.ASCII,
)
_NUMBER = re.compile(
    r"(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+(?:_[0-9]+)*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?"
)
_COMPARISONS = ("<=", ">=", "==", "!=", "<", ">")
_OPERATORS = (("+", "-"), ("*", "/", "//", "%"))
"""By precedence, the loosest first."""
_INSTEAD = {
    "=": "==, <= or >=", "&&": "and", "||": "or", "!": "not", "&": "and", "|": "or", "≤": "<=",
    "≥": ">=", "≠": "!=", "×": "*", "·": "*", "÷": "/", "−": "-", "–": "-",
}  # fmt: skip
_WORDS = ("and", "or", "not")


class Condition:
    """A condition, read from text by `parse`.

    `names` are the quantities and variables that it reads, aliases replaced; `units` the unit in
    which a name is compared, where there is one; `rule` its structure; `str()` its text.
    """

    def __init__(self, text: str, rule: Rule) -> None:
        self.text = text
        self.rule = rule
        self.names = tuple(dict.fromkeys(rule.names()))
        self.units: dict[str, str] = {}
        for comparison in rule.comparisons():
            used = set(comparison.units())
            for name in comparison.names() if len(used) == 1 else ():
                self.units.setdefault(name, *used)

    @classmethod
    def parse(cls, text: str, quantities: Iterable[str], variables: Iterable[str]) -> Condition:
        """Read a condition.

        Numbers are exact decimals, `1.5M`, `300_000`, `25,557,032`, `1e9`; a unit is K M G T
        (10³ …), B kB MB GB TB (bytes, 10³ …) or KiB MiB GiB TiB (bytes, 2¹⁰ …).

        Args:
            text: the condition.
            quantities: the names of what is counted; those that end in `_bytes` are in bytes.
            variables: the names of variables.

        Raises:
            UsageError: with the place in the text.
        """
        return cls(text, _Parser(text, quantities, variables).condition())

    def holds(self, values: Mapping[str, Any]) -> Any:
        """Whether it holds: a bool, or, where some values are arrays, an array of bools.

        Args:
            values: a value for each of `names`: an int, a Fraction, a NumPy array of integers or
                of Fractions, or a Ratio of an integer array and an int. Arrays broadcast; where 64
                bits might not hold a value on the way, they are computed with Python's integers.

        Raises:
            ConvcalcError: a division by 0, a value that is no number, or an array of others.
        """
        return held(self.rule, {name: values[name] for name in self.names})

    def __str__(self) -> str:
        return self.text


def held(rule: Rule, values: Mapping[str, Any]) -> Any:
    """Whether a rule holds at some values of its names; see `Condition.holds`."""
    if not any(isinstance(v, Ratio) or hasattr(v, "dtype") for v in values.values()):
        return rule.holds({name: ratio(name, value) for name, value in values.items()})
    arrays = {name: _array(name, value) for name, value in values.items()}
    seen: list[int] = []
    rule.holds({name: _magnitude(value, seen) for name, value in arrays.items()})
    wide = max(seen) > sys.maxsize
    return rule.holds({name: _typed(value, wide) for name, value in arrays.items()})


def amount(text: str) -> int | Fraction:
    """A number with or without a unit, `5M` or `24 GiB`, as a condition has it.

    Raises:
        UsageError: it is none.
    """
    parser = _Parser(text, (), ())
    number = parser.number()
    parser.expect_end()
    return number.value


def number(name: str, given: Any) -> int | Fraction | None:
    """An exact number: itself, or text as `0.05`, `1/8` or `5K`; a float as it prints; None too.

    Raises:
        UsageError: it is none.
    """
    if given is None:
        return None
    value = exact_number(given)
    try:
        if isinstance(given, str):
            above, slash, below = given.partition("/")
            value = exact_number(Fraction(amount(above)) / (amount(below) if slash else 1))
    except (UsageError, ZeroDivisionError):
        pass  # it stays text
    if isinstance(value, bool) or not isinstance(value, (int, Fraction)):
        raise UsageError(
            f"{name} {shorten(str(given))}: a number is due", hint="For instance 0.05 or 1/8."
        )
    return value


# -- values -----------------------------------------------------------------------------------


class Ratio(NamedTuple):
    """above / below: ints, Dims or integer arrays, below positive; never reduced."""

    above: Any
    below: Any = 1


class _Magnitude:
    """The largest absolute value of an array, or of what is computed from it; `seen` keeps all."""

    def __init__(self, most: int, seen: list[int]) -> None:
        self.most = most
        self.seen = seen
        seen.append(most)

    def __add__(self, other: Any) -> _Magnitude:
        return _Magnitude(self.most + _most(other), self.seen)

    __radd__ = __sub__ = __rsub__ = __add__

    def __mul__(self, other: Any) -> _Magnitude:
        return _Magnitude(self.most * _most(other), self.seen)

    __rmul__ = __mul__

    def __floordiv__(self, other: Any) -> _Magnitude:
        return _Magnitude(max(self.most + 1, _most(other)), self.seen)  # −1 // 3 is −1

    def __rfloordiv__(self, other: Any) -> _Magnitude:
        return _Magnitude(_most(other) + 1, self.seen)

    def __mod__(self, other: Any) -> _Magnitude:
        return _Magnitude(_most(other), self.seen)

    def __rmod__(self, other: Any) -> _Magnitude:
        return _Magnitude(max(self.most, _most(other)), self.seen)


def _most(value: Any) -> int:
    return value.most if isinstance(value, _Magnitude) else abs(value)


def ratio(name: str, value: Any) -> Ratio:
    """A number or a Dim as a Ratio.

    Raises:
        ConvcalcError: it is neither.
    """
    if isinstance(value, bool) or not isinstance(value, (int, Fraction, Dim)):
        raise ConvcalcError(f"{name}: a number is due in a condition, not {value!r}")
    if isinstance(value, Fraction):
        return Ratio(value.numerator, value.denominator)
    return Ratio(value)


def _array(name: str, value: Any) -> Ratio:
    if isinstance(value, Ratio):
        return value
    if not hasattr(value, "dtype"):
        return ratio(name, value)
    if value.dtype.kind not in "iuO":
        raise ConvcalcError(f"{name}: an integer array is due in a condition, not {value.dtype}")
    return Ratio(*whole_array(name, value, multiplier=True))


def _magnitude(value: Ratio, seen: list[int]) -> Ratio:
    if not hasattr(value.above, "dtype"):
        return Ratio(_Magnitude(abs(value.above), seen), _Magnitude(value.below, seen))
    ends = (int(value.above.max()), int(value.above.min())) if value.above.size else (0,)
    return Ratio(_Magnitude(max(map(abs, ends)), seen), _Magnitude(value.below, seen))


def _typed(value: Ratio, wide: bool) -> Ratio:
    if not hasattr(value.above, "dtype"):
        return value
    return Ratio(value.above.astype(object if wide else "int64"), value.below)


def _compute(operator: str, a: Ratio, b: Ratio, text: str) -> Ratio:
    """The result of an operator, exactly."""
    if operator == "*":
        return Ratio(a.above * b.above, _times(a.below, b.below))
    left, right = _times(a.above, b.below), _times(b.above, a.below)
    if operator == "+":
        return Ratio(left + right, _times(a.below, b.below))
    if operator == "-":
        return Ratio(left - right, _times(a.below, b.below))
    sign = _sign(right, text)
    if operator == "/":
        return Ratio(left * sign, right * sign)
    if operator == "//":
        return Ratio(left // right)
    return Ratio(left % right, _times(a.below, b.below))


def _times(a: Any, b: Any) -> Any:
    """a·b; most denominators are 1, and arrays are large."""
    if isinstance(b, int) and b == 1:
        return a
    return b if isinstance(a, int) and a == 1 else a * b


def _sign(divisor: Any, text: str) -> Any:
    """1 or −1, by element for an array."""
    if isinstance(divisor, _Magnitude):
        return 1
    if isinstance(divisor, Dim):
        low, high = bounds(divisor)
        if low is not None and low > 0:
            return 1
        if high is not None and high < 0:
            return -1
        raise UndecidableError(f"whether {divisor} is 0 depends on its symbols, in {text}")
    zero = divisor == 0
    if zero.any() if hasattr(zero, "any") else zero:
        raise ConvcalcError(f"division by zero in the condition '{shorten(text)}'")
    # 1 or −1 of the type of the divisor: bool minus bool is no number in NumPy
    return 1 - 2 * (divisor < 0)


# -- structure --------------------------------------------------------------------------------


class Operand(ABC):
    """A number in a condition, with its text and where that starts.

    `kind` says whether it is a count or in bytes; None for a plain number, which goes with both.
    """

    kind: str | None = None

    def __init__(self, text: str, start: int) -> None:
        self.text = text
        self.start = start

    @abstractmethod
    def value_at(self, values: Mapping[str, Ratio]) -> Ratio:
        """Its value."""

    def names(self) -> Iterable[str]:
        """The names in it, some more than once."""
        return ()

    def units(self) -> Iterable[str]:
        """The units in it, some more than once."""
        return ()


class _Number(Operand):
    def __init__(self, value: int | Fraction, unit: str, text: str, start: int) -> None:
        super().__init__(text, start)
        self.value = value
        self.unit = unit
        self.kind = BYTES if unit and UNITS[unit][1] else None

    def value_at(self, values: Mapping[str, Ratio]) -> Ratio:
        return Ratio(self.value.numerator, self.value.denominator)

    def units(self) -> Iterable[str]:
        return (self.unit,) if self.unit else ()


class _Name(Operand):
    def __init__(self, name: str, kind: str, text: str, start: int) -> None:
        super().__init__(text, start)
        self.name = name
        self.kind = kind

    def value_at(self, values: Mapping[str, Ratio]) -> Ratio:
        return values[self.name]

    def names(self) -> Iterable[str]:
        return (self.name,)


class _Arithmetic(Operand):
    def __init__(self, operator: str, left: Operand, right: Operand, text: str) -> None:
        super().__init__(text, left.start)
        self.operator = operator
        self.left = left
        self.right = right
        self.kind = self._kind(left.kind, right.kind)

    def _kind(self, left: str | None, right: str | None) -> str | None:
        if self.operator in "+-":
            return left or right
        if self.operator == "*":
            return None if left and right else left or right
        return left if self.operator == "%" or right is None else None

    def value_at(self, values: Mapping[str, Ratio]) -> Ratio:
        left, right = self.left.value_at(values), self.right.value_at(values)
        return _compute(self.operator, left, right, self.text)

    def names(self) -> Iterable[str]:
        return (*self.left.names(), *self.right.names())

    def units(self) -> Iterable[str]:
        return (*self.left.units(), *self.right.units())


class Rule(ABC):
    """Something that holds or does not."""

    @abstractmethod
    def holds(self, values: Mapping[str, Ratio]) -> Any:
        """Whether it holds, by element where values are arrays."""

    @abstractmethod
    def comparisons(self) -> Iterable[Comparison]:
        """The comparisons in it."""

    def names(self) -> Iterable[str]:
        """The names in it, some more than once."""
        return [name for comparison in self.comparisons() for name in comparison.names()]


class Comparison(Rule):
    """left sign right, the sign one of <= >= == != < >."""

    def __init__(self, left: Operand, sign: str, right: Operand) -> None:
        self.left = left
        self.sign = sign
        self.right = right

    def sides(self, values: Mapping[str, Ratio]) -> tuple[Any, Any]:
        """Two whole numbers, Dims or arrays that compare as left and right do."""
        left, right = self.left.value_at(values), self.right.value_at(values)
        return _times(left.above, right.below), _times(right.above, left.below)

    def holds(self, values: Mapping[str, Ratio]) -> Any:
        a, b = self.sides(values)
        if isinstance(a, _Magnitude) or isinstance(b, _Magnitude):
            _ = a + b  # a number too may be over 64 bits; the sizes are all that is asked for
            return True
        match self.sign:
            case "<=":
                return a <= b
            case ">=":
                return a >= b
            case "<":
                return a < b
            case ">":
                return a > b
            case "==":
                return a == b
        return a != b

    def comparisons(self) -> Iterable[Comparison]:
        return (self,)

    def names(self) -> Iterable[str]:
        return (*self.left.names(), *self.right.names())

    def units(self) -> Iterable[str]:
        """The units in it, some more than once."""
        return (*self.left.units(), *self.right.units())


class Joined(Rule):
    """All of some parts, or, with `any_of`, at least one."""

    def __init__(self, parts: list[Rule], any_of: bool = False) -> None:
        self.parts = parts
        self.any_of = any_of

    def holds(self, values: Mapping[str, Ratio]) -> Any:
        # all parts, always: what is wrong in one must not depend on another
        result, *others = [part.holds(values) for part in self.parts]
        for other in others:
            result = result | other if self.any_of else result & other
        return result

    def comparisons(self) -> Iterable[Comparison]:
        return [comparison for part in self.parts for comparison in part.comparisons()]


class Negation(Rule):
    """What holds where its part does not."""

    def __init__(self, part: Rule) -> None:
        self.part = part

    def holds(self, values: Mapping[str, Ratio]) -> Any:
        held = self.part.holds(values)
        return not held if isinstance(held, bool) else ~held

    def comparisons(self) -> Iterable[Comparison]:
        return self.part.comparisons()


# -- reading ----------------------------------------------------------------------------------


class _Token(NamedTuple):
    kind: str
    text: str
    start: int


class _Parser:
    """Recursive descent over the tokens of one condition."""

    def __init__(self, text: str, quantities: Iterable[str], variables: Iterable[str]) -> None:
        self.text = text
        self.quantities = tuple(quantities)
        self.variables = tuple(variables)
        self.depth = 0
        if not text.strip():
            raise UsageError("an empty condition", hint="For instance macs < 300M.")
        if len(text) > MAX_TEXT:
            raise UsageError(
                f"a condition of {len(text):,} characters; {MAX_TEXT} are the limit: "
                f"'{shorten(text)}'"
            )
        self.tokens = [
            _Token(kind := str(found.lastgroup), found[kind], found.start(kind))
            for found in _TOKEN.finditer(text.rstrip())
        ]
        self.tokens.append(_Token("end", "the end", len(text.rstrip())))
        self.next = 0

    # -- tokens

    @property
    def token(self) -> _Token:
        return self.tokens[self.next]

    def take(self, *texts: str) -> _Token | None:
        """The next token, if it is one of some signs or words."""
        token = self.token
        if token.kind in ("sign", "name") and token.text in texts:
            self.next += 1
            return token
        return None

    def fail(self, start: int, fact: str, hint: str = "") -> UsageError:
        error = UsageError(fact, hint=hint)
        error.located(f"condition '{shorten(self.text.strip())}', character {start + 1}")
        return error

    def unexpected(self, due: str) -> UsageError:
        token = self.token
        shown = token.text if token.kind == "end" else f"'{shorten(token.text)}'"
        hint = f"Write {_INSTEAD[token.text]}." if token.text in _INSTEAD else ""
        if token.text == "**":
            hint = "There are no powers in a condition."
        return self.fail(token.start, f"{due} is due here, not {shown}", hint)

    def expect_end(self) -> None:
        """Raise unless all is read."""
        if self.token.kind != "end":
            raise self.unexpected("the end")

    # -- truth

    def condition(self) -> Rule:
        found = self.either()
        if self.token.kind != "end":
            raise self.unexpected("a comparison, and, or, or the end")
        return self.truth(found)

    def truth(self, found: Rule | Operand) -> Rule:
        if isinstance(found, Rule):
            return found
        known = list(found.names())[:1] or ["macs"]
        raise self.fail(
            found.start, "no comparison here: true or false is due, and this is a number",
            f"Compare it, as {known[0]} <= 5M.",
        )  # fmt: skip

    def either(self) -> Rule | Operand:
        return self.joined("or", self.both)

    def both(self) -> Rule | Operand:
        return self.joined("and", self.negated)

    def joined(self, word: str, part: Any) -> Rule | Operand:
        first: Rule | Operand = part()
        parts = [first]
        while self.take(word):
            parts.append(part())
        return first if len(parts) == 1 else Joined([*map(self.truth, parts)], word == "or")

    def negated(self) -> Rule | Operand:
        count = 0
        while self.take("not"):
            count += 1
        found = self.compared()
        if not count:
            return found
        rule = self.truth(found)
        return Negation(rule) if count % 2 else rule

    def compared(self) -> Rule | Operand:
        left = self.arithmetic(1)
        parts: list[Rule] = []
        while sign := self.take(*_COMPARISONS):
            right = self.operand(self.arithmetic(1), sign)
            left = self.operand(left, sign)
            self.check_kinds(left, right, sign)
            parts.append(Comparison(left, sign.text, right))
            left = right
        if not parts:
            return left
        return parts[0] if len(parts) == 1 else Joined(parts)

    # -- numbers

    def operand(self, found: Rule | Operand, sign: _Token) -> Operand:
        if isinstance(found, Operand):
            return found
        raise self.fail(
            sign.start, f"numbers are due on both sides of '{sign.text}', not a comparison",
            "Join comparisons with and, or, not.",
        )  # fmt: skip

    def check_kinds(self, left: Operand, right: Operand, sign: _Token) -> None:
        if {left.kind, right.kind} != {COUNT, BYTES}:
            return
        count, other = (left, right) if left.kind == COUNT else (right, left)
        names = set(count.names())
        hint = "Counts have the units K, M, G, T, without B."
        if names == {"params"}:
            hint = "param_bytes is in bytes; counts have the units K, M, G, T, without B."
        raise self.fail(
            sign.start,
            f"{shorten(count.text)} is a count, and {shorten(other.text)} is in bytes", hint,
        )  # fmt: skip

    def arithmetic(self, level: int) -> Rule | Operand:
        if level > len(_OPERATORS):
            return self.signed()
        left = self.arithmetic(level + 1)
        while sign := self.take(*_OPERATORS[level - 1]):
            right = self.operand(self.arithmetic(level + 1), sign)
            left = self.operand(left, sign)
            if sign.text in "+-":
                self.check_kinds(left, right, sign)
            text = self.text[left.start : self.tokens[self.next - 1].start]
            text += self.tokens[self.next - 1].text
            left = _Arithmetic(sign.text, left, right, text)
        return left

    def signed(self) -> Rule | Operand:
        sign = self.take("-", "+")
        if sign is None:
            return self.single()
        found = self.operand(self.nested(self.signed), sign)
        if sign.text == "+":
            return found
        text = self.text[sign.start : self.token.start].rstrip()
        return _Arithmetic("*", _Number(-1, "", "-1", sign.start), found, text)

    def nested(self, part: Any) -> Rule | Operand:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.fail(self.token.start, f"nested more than {MAX_DEPTH} levels deep")
        found: Rule | Operand = part()
        self.depth -= 1
        return found

    def single(self) -> Rule | Operand:
        if self.take("("):
            found = self.nested(self.either)
            if not self.take(")"):
                raise self.unexpected("')'")
            return found
        if self.token.kind == "number":
            return self.number()
        if self.token.kind == "name" and self.token.text not in _WORDS:
            return self.name()
        raise self.unexpected("a number, a quantity or a variable")

    def number(self) -> _Number:
        token = self.token
        if token.kind != "number":
            raise self.unexpected("a number")
        self.next += 1
        value = self.value(token)
        unit, end = "", token.start + len(token.text)
        after = self.token
        if after.kind == "name" and after.text not in _WORDS:
            self.next += 1
            if after.text not in UNITS:
                raise self.unknown_unit(token, after)
            unit, end = after.text, after.start + len(after.text)
            value *= UNITS[unit][0]
        elif after.kind == "number" or (after.kind == "other" and after.text in "'\"."):
            shown = shorten(self.text[token.start : after.start + len(after.text)])
            raise self.fail(token.start, f"'{shown}' is no number")
        whole = value.numerator if value.denominator == 1 else value
        return _Number(whole, unit, self.text[token.start : end], token.start)

    def value(self, token: _Token) -> Fraction:
        if not _NUMBER.fullmatch(token.text):
            raise self.fail(
                token.start, f"'{shorten(token.text)}' is no number",
                "Decimals have a point, 1.5M; commas stand between groups of three digits, "
                "5,000,000.",
            )  # fmt: skip
        exponent = re.split("[eE]", token.text)[1:]
        if exponent and abs(int(exponent[0])) > MAX_EXPONENT:
            raise self.fail(token.start, f"'{shorten(token.text)}': exponents go to {MAX_EXPONENT}")
        return Fraction(token.text.replace(",", "").replace("_", ""))

    def unknown_unit(self, number: _Token, unit: _Token) -> UsageError:
        same = [known for known in UNITS if known.lower() == unit.text.lower()]
        if unit.text in self.quantities or unit.text in (*self.variables, *ALIASES):
            hint = f"A product has a sign: {number.text}*{unit.text}."
        elif same:
            hint = f"Did you mean {' or '.join(same)}?"
        else:
            hint = (
                "There are K, M, G, T for 10³ to 10¹², kB, MB, GB, TB for so many bytes, and "
                "KiB, MiB, GiB, TiB for 2¹⁰ to 2⁴⁰ bytes."
            )
        return self.fail(unit.start, f"unknown unit '{shorten(unit.text)}'", hint)

    def name(self) -> _Name:
        token = self.token
        self.next += 1
        if self.token.text == "(":
            raise self.fail(
                token.start, f"{shorten(token.text)}(…): there are no functions in a condition",
                "It has + - * / // %, comparisons, and, or, not.",
            )  # fmt: skip
        name = ALIASES.get(token.text, token.text)
        if name in self.quantities:
            if token.text in self.variables:
                raise self.fail(
                    token.start,
                    f"'{token.text}' is a quantity and a variable of the spec",
                    "Give the variable another name.",
                )
            return _Name(name, BYTES if name.endswith("_bytes") else COUNT, token.text, token.start)
        if name in self.variables:
            return _Name(name, COUNT, token.text, token.start)
        known = [*self.quantities, *(a for a in ALIASES if ALIASES[a] in self.quantities)]
        hint = did_you_mean(token.text, [*known, *self.variables])
        raise self.fail(
            token.start, f"unknown name '{shorten(token.text)}'",
            hint or f"There are {', '.join(known)}; and of variables "
            f"{shorten(', '.join(self.variables), 200) or 'none'}.",
        )  # fmt: skip
