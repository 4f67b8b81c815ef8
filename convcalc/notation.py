"""How formulas are written: as text for people, as Python, as LaTeX.

A notation turns already written parts into a larger one; it knows nothing of what they mean.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from fractions import Fraction

IMMENSE = 10**300
"""Larger numbers are no floats."""


class Notation(ABC):
    """One way of writing formulas."""

    minus: str
    times: str
    long_group = ("( ", " )")
    """Parentheses around what goes over several lines."""
    has_ceil = True
    """Whether it has a sign for rounding up; if not, `ceil` is never asked for."""

    @abstractmethod
    def number(self, value: int | Fraction) -> str:
        """A number that is not negative."""

    @abstractmethod
    def symbol(self, name: str) -> str:
        """The name of an unknown."""

    @abstractmethod
    def power(self, base: str, exponent: int) -> str:
        """A factor, multiplied by itself."""

    def ratio(self, numerator: str, denominator: str, simple: tuple[bool, bool]) -> str:
        """numerator / denominator; `simple` says of each whether it is a single factor."""
        above = numerator if simple[0] else self.group(numerator)
        below = denominator if simple[1] else self.group(denominator)
        return f"{above}/{below}"

    @abstractmethod
    def floor(self, numerator: str, denominator: str, simple: tuple[bool, bool]) -> str:
        """⌊numerator / denominator⌋."""

    @abstractmethod
    def rounded_down(self, text: str) -> str:
        """⌊text⌋."""

    @abstractmethod
    def ceil(self, numerator: str, denominator: str, simple: tuple[bool, bool]) -> str:
        """⌈numerator / denominator⌉."""

    @abstractmethod
    def call(self, function: str, arguments: Sequence[str]) -> str:
        """max, min or gcd of some arguments."""

    def group(self, text: str) -> str:
        """`text` in parentheses."""
        return f"({text})"

    def shape(self, sizes: Sequence[str]) -> str:
        """The sizes of a tensor."""
        return f"[{', '.join(sizes)}]"

    def product(self, factors: Sequence[str]) -> str:
        """The factors, multiplied."""
        return self.times.join(factors)

    def sum(self, terms: Sequence[tuple[bool, str]]) -> str:
        """The terms, added; each comes with whether it is negative."""
        (negative, first), *rest = terms
        text = f"{self.minus}{first}" if negative else first
        for negative, term in rest:
            text += f" {self.minus if negative else '+'} {term}"
        return text


_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


class _Text(Notation):
    minus, times = "−", "·"

    def power(self, base: str, exponent: int) -> str:
        return base + str(exponent).translate(_SUPERSCRIPTS)

    def number(self, value: int | Fraction) -> str:
        if isinstance(value, int):
            return f"{value:,}"
        return f"({value.numerator:,}/{value.denominator:,})"

    def symbol(self, name: str) -> str:
        return name

    def floor(self, numerator: str, denominator: str, simple: tuple[bool, bool]) -> str:
        return f"⌊{self.ratio(numerator, denominator, simple)}⌋"

    def rounded_down(self, text: str) -> str:
        return f"⌊{text}⌋"

    def ceil(self, numerator: str, denominator: str, simple: tuple[bool, bool]) -> str:
        return f"⌈{self.ratio(numerator, denominator, simple)}⌉"

    def call(self, function: str, arguments: Sequence[str]) -> str:
        # 1,280 would read as two arguments
        plain = (re.sub(r"(?<=\d),(?=\d)", "", argument) for argument in arguments)
        return f"{function}({', '.join(plain)})"


class _Python(Notation):
    minus, times = "-", "*"
    has_ceil = False

    def power(self, base: str, exponent: int) -> str:
        return f"{base}**{exponent}"

    def number(self, value: int | Fraction) -> str:
        return str(value) if isinstance(value, int) else f"({value.numerator}/{value.denominator})"

    def symbol(self, name: str) -> str:
        return name

    def floor(self, numerator: str, denominator: str, simple: tuple[bool, bool]) -> str:
        above = numerator if simple[0] else f"({numerator})"
        below = denominator if simple[1] else f"({denominator})"
        # parentheses of its own: a product would bind to the left part only
        return f"({above} // {below})"

    def rounded_down(self, text: str) -> str:
        return f"({self.group(text)} // 1)"

    def ceil(self, numerator: str, denominator: str, simple: tuple[bool, bool]) -> str:
        raise NotImplementedError

    def call(self, function: str, arguments: Sequence[str]) -> str:
        return f"{function}({', '.join(arguments)})"


class _Code(_Python):
    """Python that is exact on its own: / between numbers would make floats."""

    def number(self, value: int | Fraction) -> str:
        if isinstance(value, int):
            return str(value)
        return f"Fraction({value.numerator}, {value.denominator})"


class _Latex(Notation):
    minus, times = "-", r" \cdot "
    long_group = (r"\bigl( ", r" \bigr)")

    def power(self, base: str, exponent: int) -> str:
        return f"{base}^{{{exponent}}}"

    def number(self, value: int | Fraction) -> str:
        if isinstance(value, int):
            return f"{value:,}".replace(",", "{,}")
        return rf"\frac{{{self.number(value.numerator)}}}{{{self.number(value.denominator)}}}"

    def symbol(self, name: str) -> str:
        if len(name) == 1:
            return name
        return rf"\mathit{{{name}}}".replace("_", r"\_")

    def ratio(self, numerator: str, denominator: str, simple: tuple[bool, bool]) -> str:
        return rf"\frac{{{numerator}}}{{{denominator}}}"

    def floor(self, numerator: str, denominator: str, simple: tuple[bool, bool]) -> str:
        return rf"\left\lfloor {self.ratio(numerator, denominator, simple)} \right\rfloor"

    def rounded_down(self, text: str) -> str:
        return rf"\left\lfloor {text} \right\rfloor"

    def ceil(self, numerator: str, denominator: str, simple: tuple[bool, bool]) -> str:
        return rf"\left\lceil {self.ratio(numerator, denominator, simple)} \right\rceil"

    def call(self, function: str, arguments: Sequence[str]) -> str:
        name = rf"\{function}"
        if function not in ("max", "min", "gcd"):
            name = rf"\operatorname{{{function}}}".replace("_", r"\_")
        return name + self.group(", ".join(arguments))

    def group(self, text: str) -> str:
        return rf"\left( {text} \right)"


TEXT: Notation = _Text()
PYTHON: Notation = _Python()
CODE: Notation = _Code()
LATEX: Notation = _Latex()
