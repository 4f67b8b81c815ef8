"""Formulas as on the board: a Dim in the names, order and shape that a textbook or lecture uses.

The Dim is the one that the layer's code gave (see `convcalc.analysis.derivation`). A style names
its symbols, orders terms and factors, and chooses between forms that are equal for whole numbers:
padding of one side or of both together, `+ 1` outside the floor or `+ s` inside, floor bars always
or only where a division leaves a remainder. It holds no formula.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from math import prod
from typing import Any, NamedTuple

from convcalc.analysis.derivation import Derivation, Letter, put
from convcalc.dim import Atom, Dim, Monomial, Rational, Size, Terms, symbols
from convcalc.notation import LATEX, TEXT, Notation
from convcalc.report.terminal import outside_brackets

_MANY = 8
"""Terms alike, of which some are left out if there are more."""

_SUFFIXES = {1: ("",), 2: ("_h", "_w"), 3: ("_d", "_h", "_w")}
_INDICES = tuple(f"[{axis}]" for axis in range(8))
_LETTERS = {1: ("L",), 2: ("H", "W"), 3: ("D", "H", "W")}

MEANINGS = {
    "batch": "batch size",
    "channels": "channels",
    "in_channels": "channels of the input",
    "out_channels": "channels of the output",
    "features": "features",
    "in_features": "features of the input",
    "out_features": "features of the output",
    "extent": "size of the input",
    "out": "size of the output",
    "position": "positions",
    "out_position": "positions of the output",
    "kernel": "kernel",
    "stride": "stride",
    "padding": "padding on each side",
    "total": "padding of both sides together",
    "before": "padding before",
    "after": "padding after",
    "dilation": "dilation",
    "groups": "groups",
    "multiplier": "filters per channel",
    "output_padding": "positions added at the end",
    "size": "size asked for",
    "scale": "scale",
    "start": "start",
    "stop": "stop",
    "step": "step",
    "shape": "size asked for",
    "field": "field of what is read",
    "jump": "its stride",
    "first": "where its first one starts",
    "params": "params",
}
"""What the symbols stand for, in the order of the legend."""

_FACTORS = (
    "batch", "position", "out_position", "out_channels", "out_features", "channels", "features",
    "out", "in_channels", "in_features", "groups", "extent", "multiplier", "dilation", "kernel",
    "scale", "padding", "total", "before", "jump", "stride",
)  # fmt: skip
_TERMS = ("extent", "position", "channels", "first", "field", "padding", "total", "before", "after",
          "dilation", "kernel", "output_padding", "stride")  # fmt: skip
_WORDS = {
    "start": "start",
    "stop": "stop",
    "step": "step",
    "params": "params",
    "shape": "size",
}
_POSITIONS = {"position": "n{i}", "out_position": "m{i}"}
_FIELD = {"field": "r{i}", "jump": "j{i}", "first": "x{i}"}


class Style(NamedTuple):
    """One way of writing: in `names`, {i} is the mark of an axis and {X} its letter."""

    about: str
    names: Mapping[str, str]
    factors: tuple[str, ...] = _FACTORS
    terms: tuple[str, ...] = _TERMS
    left_out: Mapping[str, int] = {}
    """Kinds that are not written where they have this value."""
    marks: Mapping[int, tuple[str, ...]] = _SUFFIXES
    marked: bool = False
    """Whether names keep the mark of an axis also where a formula is for all axes."""
    square: bool = False
    """Whether a name has no mark where all axes have the same value."""
    letters: Mapping[int, tuple[str, ...]] = _LETTERS
    letter: str = ""
    """The letter of a size where a formula is for all axes."""
    total_padding: bool = False
    """Whether padding is that of both sides together."""
    stride_inside: bool = False
    """Whether ⌊a/s⌋ + 1 is written ⌊(a + s)/s⌋."""
    bars_where_needed: bool = False
    """Whether a floor is written only where the division leaves a remainder."""
    zeros: bool = True
    """Whether terms that are 0 stay once the numbers are in."""


_PLAIN = {"dilation": 1, "output_padding": 0, "start": 0, "step": 1}

STYLES: dict[str, Style] = {
    "textbook": Style(
        "Dumoulin and Visin 2016, arXiv:1603.07285",
        {
            **_WORDS, **_POSITIONS, **_FIELD,
            "batch": "N", "channels": "C", "in_channels": "C_in", "out_channels": "C_out",
            "features": "F", "in_features": "F_in", "out_features": "F_out", "extent": "{X}",
            "out": "{X}_out", "kernel": "k{i}", "stride": "s{i}", "padding": "p{i}",
            "before": "b{i}", "after": "a{i}", "dilation": "d{i}", "groups": "g",
            "multiplier": "m", "output_padding": "e{i}", "size": "m{i}", "scale": "u{i}",
        },
        left_out=_PLAIN,
        letter="n",
    ),
    "torch": Style(
        "the documentation of PyTorch",
        {
            **_WORDS, **_POSITIONS, **_FIELD,
            "batch": "N", "channels": "C", "in_channels": "C_in", "out_channels": "C_out",
            "features": "features", "in_features": "in_features", "out_features": "out_features",
            "extent": "{X}", "out": "{X}_out", "kernel": "kernel{i}", "stride": "stride{i}",
            "padding": "padding{i}", "before": "before{i}", "after": "after{i}",
            "dilation": "dilation{i}", "groups": "groups", "multiplier": "multiplier",
            "output_padding": "output_padding{i}", "size": "size{i}", "scale": "scale{i}",
        },
        left_out={"start": 0, "step": 1},
        marks=dict.fromkeys((1, 2, 3), _INDICES),
        letter="H",
    ),
    "d2l": Style(
        "Dive into Deep Learning, d2l.ai",
        {
            **_WORDS, **_POSITIONS, **_FIELD,
            "batch": "N", "channels": "c", "in_channels": "c_i", "out_channels": "c_o",
            "features": "d", "in_features": "d_i", "out_features": "d_o", "extent": "n{i}",
            "out": "m{i}", "kernel": "k{i}", "stride": "s{i}", "padding": "p{i}",
            "total": "p{i}", "before": "b{i}", "after": "a{i}", "dilation": "d{i}",
            "groups": "g", "multiplier": "t", "output_padding": "e{i}", "size": "m{i}",
            "scale": "u{i}",
        },
        factors=("batch", "position", "out_position", "in_channels", "channels", "in_features",
                 "features", "out_channels", "out_features", "groups", "extent", "multiplier",
                 "dilation", "kernel", "out", "scale", "padding", "total", "before", "jump",
                 "stride"),
        terms=("extent", "position", "channels", "first", "field", "dilation", "kernel", "padding",
               "total", "before", "after", "output_padding", "stride"),
        left_out=_PLAIN,
        marked=True,
        total_padding=True,
        stride_inside=True,
    ),
    "cs231n": Style(
        "CS231n, Convolutional Neural Networks for Visual Recognition",
        {
            **_WORDS, **_POSITIONS, **_FIELD,
            "batch": "N", "channels": "D", "in_channels": "D", "out_channels": "K",
            "features": "D", "in_features": "D", "out_features": "K", "extent": "{X}",
            "out": "{X}_2", "kernel": "F{i}", "stride": "S{i}", "padding": "P{i}",
            "before": "A{i}", "after": "B{i}", "dilation": "d{i}", "groups": "G",
            "multiplier": "M", "output_padding": "E{i}", "size": "M{i}", "scale": "U{i}",
        },
        factors=("batch", "position", "out_position", "extent", "out", "dilation", "kernel",
                 "in_channels", "in_features", "channels", "features", "groups", "multiplier",
                 "out_channels", "out_features", "scale", "padding", "total", "before", "jump",
                 "stride"),
        terms=("extent", "position", "channels", "first", "field", "dilation", "kernel", "padding",
               "total", "before", "after", "output_padding", "stride"),
        left_out=_PLAIN,
        square=True,
        letters={**_LETTERS, 3: ("T", "H", "W")},  # D is the number of channels
        letter="W",
        bars_where_needed=True,
        zeros=False,
    ),
}  # fmt: skip


# -- expressions --------------------------------------------------------------------------------


class Number(NamedTuple):
    """A number that is not negative."""

    value: int


class Name(NamedTuple):
    """A symbol."""

    symbol: str


class Product(NamedTuple):
    """Factors, each with its exponent."""

    factors: tuple[tuple[Expression, int], ...]


class Sum(NamedTuple):
    """Terms, each with whether it is subtracted."""

    terms: tuple[tuple[bool, Expression], ...]


class Ratio(NamedTuple):
    """A division, between bars or not."""

    above: Expression
    below: Expression
    bars: str
    """`floor`, `ceil` or nothing."""


class Call(NamedTuple):
    """max, min or gcd."""

    function: str
    arguments: tuple[Expression, ...]


Expression = Number | Name | Product | Sum | Ratio | Call


class Formula:
    """A derivation's formula in a style: with its names, and with the numbers put in."""

    def __init__(self, derivation: Derivation, style: Style) -> None:
        self.derivation = derivation
        self.style = style
        self.values = dict(derivation.values)
        self.form = self._form(derivation.formula)
        self._expression = _Reader(self).read(self.form)

    def names(self, notation: Notation) -> str:
        """The formula with its names."""
        return _write(self._expression, notation, lambda name: self.written(name, notation))

    def written(self, symbol: str, notation: Notation) -> str:
        """What a symbol is called, as it is written in a notation."""
        name = self.name(symbol)
        return _latex(name) if notation is LATEX else name

    def numbers(self, notation: Notation, unknown: str = "") -> str:
        """The same formula with the numbers in their places, but for a symbol that is unknown."""
        expression = self._expression
        if not self.style.zeros:
            expression = _without_zeros(expression, self.values)

        def known(name: str) -> str:
            if name == unknown:
                return self.written(name, notation)
            return _number(self.values[name], notation)

        return _write(expression, notation, known)

    @property
    def letters(self) -> list[str]:
        """The symbols in it."""
        return sorted(self.form.symbols) if isinstance(self.form, Dim) else []

    @property
    def remark(self) -> str:
        """That windows leave a rest, in a style that writes bars only then."""
        if not self.style.bars_where_needed or self.derivation.quantity != "output":
            return ""
        expression = _without_zeros(self._expression, self.values)
        terms = expression.terms if isinstance(expression, Sum) else ((False, expression),)
        strided = [
            term
            for _, term in terms
            if isinstance(term, Ratio) and term.bars == "floor" and _is_stride(term.below)
        ]
        if not strided or any(isinstance(self.values[n], Dim) for n in _symbols(expression)):
            return ""
        exact = [(sign, t._replace(bars="") if t in strided else t) for sign, t in terms]
        text = _write(Sum(tuple(exact)), TEXT, lambda n: _number(self.values[n], TEXT))
        value = _worth(Sum(tuple(exact)), self.values)
        shown = f"{float(value):,.2f}".rstrip("0")
        equals = "=" if Fraction(shown.replace(",", "")) == value else "≈"
        return (
            f"{text} {equals} {shown} is no whole number: the windows do not fit evenly, "
            "and what is left at the end is not read"
        )

    def name(self, symbol: str) -> str:
        """What the style calls a symbol."""
        letter = Letter.of(symbol)
        text = self.style.names.get(letter.kind, letter.kind)
        text = text.format(i="", X="") if letter.axis is None else self._of_axis(text, letter)
        several = any(
            other.place and other.kind == letter.kind and other.axis == letter.axis
            for other in map(Letter.of, self.letters)
        )
        return f"{text}{',' if '_' in text else '_'}{letter.place + 1}" if several else text

    def _of_axis(self, text: str, letter: Letter) -> str:
        style, axis, rank = self.style, letter.axis or 0, self.derivation.rank
        alike = {self.values.get(str(letter._replace(axis=a))) for a in range(rank)}
        for_all = rank > 0 and len(self.derivation.axes) == rank
        marked = style.marked and self.derivation.quantity == "output"
        if letter.kind in _POSITIONS:
            return text.format(i="" if rank == 1 else f"_{axis + 1}")
        bare = rank == 1 or (for_all and not marked) or (style.square and len(alike) == 1)
        marks = style.marks.get(rank, _INDICES)
        letters = style.letters.get(rank, tuple(f"D_{a}" for a in range(8)))
        return text.format(
            i="" if bare else marks[axis],
            X=style.letter if for_all else letters[axis],
        )

    def _form(self, formula: Size | None) -> Size:
        """The formula without what the style leaves out, and with its kind of padding."""
        names = formula.symbols if isinstance(formula, Dim) else frozenset()
        known: dict[str, Size] = {}
        for name in names:
            value = self.style.left_out.get(Letter.of(name).kind)
            if value is not None and self.values[name] == value:
                known[name] = value
        form: Size = put(formula, known)  # type: ignore[arg-type]
        for before in [Letter.of(name) for name in self.values]:
            if before.kind == "before":
                form = self._padded(form, before)
        return form

    def _padded(self, form: Size, before: Letter) -> Size:
        after = before._replace(kind="after")
        if str(after) not in self.values:
            return form
        first: Any = self.values[str(before)]
        last: Any = self.values[str(after)]
        if self.style.total_padding:
            total = before._replace(kind="total")
            found: Size = put(form, {str(before): total.dim - after.dim})
            # a size depends on the sum alone, but where ceil mode looks at one side
            if str(after) not in set(symbols(found)):
                self.values[str(total)] = first + last
                return found
        elif first == last:
            padding = before._replace(kind="padding")
            self.values[str(padding)] = first
            form = put(form, {str(before): padding.dim, str(after): padding.dim})
        return form


class _Reader:
    """Reads a Dim as an expression in a style's order."""

    def __init__(self, formula: Formula) -> None:
        self.style = formula.style
        self.values = formula.values
        self.exact = formula.derivation.exact

    def read(self, value: Size | Fraction, in_call: bool = False) -> Expression:
        terms: Terms = dict(value.terms) if isinstance(value, Dim) else {(): value}
        if len(terms) == 1:
            negative, term = self._term(*next(iter(terms.items())))
            return Sum(((True, term),)) if negative else term
        common = _common(terms)
        if common:
            inner = self.read(Dim({_over(m, common): c for m, c in terms.items()}))
            return self._product([*self._factors(common), (inner, 1)])
        parts = list(self._put_back(terms))
        parts.extend(self._rounded(terms, in_call))
        parts.extend(self._grouped(terms))
        parts.extend(self._term(*item) for item in terms.items())
        parts.sort(key=lambda part: self._rank(part[1], self.style.terms))
        # a person starts with a positive term
        first = next((i for i, (negative, _) in enumerate(parts) if not negative), 0)
        parts.insert(0, parts.pop(first))
        return parts[0][1] if len(parts) == 1 and not parts[0][0] else Sum(tuple(parts))

    def _rounded(self, terms: Terms, in_call: bool) -> Iterator[tuple[bool, Expression]]:
        """⌊a/s⌋ + 1 as one expression, ⌊(a + s)/s⌋ or ⌈(a + 1)/s⌉; taken out of the terms."""
        constant = terms.get((), 0)
        for monomial in list(terms):
            if len(monomial) != 1 or terms[monomial] != 1 or constant < 1:
                continue
            kind, parts = monomial[0].anatomy()
            if kind != "floor" or monomial[0] in self.exact:
                continue
            above, below = parts
            rounded_up = above + 1
            kinds = {Letter.of(name).kind for name in above.symbols}
            if self.style.stride_inside and not in_call:
                found = self._ratio(above + below, below, "floor")
            elif in_call or ("kernel" not in kinds and () not in getattr(rounded_up, "terms", ())):
                found = self._ratio(rounded_up, below, "ceil")
            else:
                continue
            del terms[monomial]
            terms[()] = constant - 1
            if constant == 1:
                del terms[()]
            yield False, found
            return

    def _put_back(self, terms: Terms) -> Iterator[tuple[bool, Expression]]:
        """Floors with what the algebra pulled out of them: j·⌊(k + 1)/2⌋ − j is j·⌊(k − 1)/2⌋."""
        for monomial in list(terms):
            floors = [atom for atom in monomial if atom.anatomy()[0] == "floor"]
            if len(floors) != 1 or terms[monomial] != 1:
                continue
            above, below = floors[0].anatomy()[1]
            base = _over(monomial, (floors[0],))
            pulled = {
                inner: outer
                for inner, coefficient in above.terms.items()
                for outer in terms
                if Counter(outer) == Counter(base + inner)
                and isinstance(terms[outer], int)
                and terms[outer] * coefficient < 0
            }
            if pulled and isinstance(below, int):
                above = above + below * Dim({m: terms.pop(outer) for m, outer in pulled.items()})
                del terms[monomial]
                ratio = self._ratio(above, below, "floor")
                yield False, self._product([*self._factors(base), (ratio, 1)])

    def _grouped(self, terms: Terms) -> Iterator[tuple[bool, Expression]]:
        """Terms that are multiples of another: d·k − d is d·(k − 1); taken out of the terms."""
        for base in sorted(filter(None, terms), key=len, reverse=True):
            multiples = [m for m in terms if m != base and _holds(m, base)]
            if base not in terms or not multiples:
                continue
            inner = {_over(m, base): terms.pop(m) for m in (base, *multiples)}
            negative = inner[max(inner, key=len)] < 0
            rest = self.read(Dim({m: -c if negative else c for m, c in inner.items()}))
            yield negative, self._product([*self._factors(base), (rest, 1)])

    def _term(self, monomial: Monomial, coefficient: Rational) -> tuple[bool, Expression]:
        size = abs(Fraction(coefficient))
        factors = self._factors(monomial)
        if size.numerator != 1 or not factors:
            factors.insert(0, (Number(size.numerator), 1))
        product = self._product(factors)
        if size.denominator != 1:
            product = Ratio(product, Number(size.denominator), "")
        return coefficient < 0, product

    def _product(self, factors: list[tuple[Expression, int]]) -> Expression:
        if len(factors) == 1 and factors[0][1] == 1:
            return factors[0][0]
        return Product(tuple(sorted(factors, key=lambda f: self._rank(f[0], self.style.factors))))

    def _factors(self, monomial: Monomial) -> list[tuple[Expression, int]]:
        return [(self._atom(atom), power) for atom, power in Counter(monomial).items()]

    def _atom(self, atom: Atom) -> Expression:
        kind, parts = atom.anatomy()
        if kind == "symbol":
            return Name(parts[0])
        if kind == "floor":
            above, below = parts
            return self._ratio(above, below, "" if atom in self.exact else "floor")
        arguments = [self.read(argument, in_call=True) for argument in parts]
        if kind in ("max", "min"):  # numbers, then what is rounded up, as ceil mode is told
            arguments.sort(key=_place_in_call)
        return Call(kind, tuple(arguments))

    def _ratio(self, above: Size, below: Size, bars: str) -> Expression:
        if self.style.bars_where_needed:
            size, divisor = put(above, self.values), put(below, self.values)
            if isinstance(size, int) and isinstance(divisor, int) and size % divisor == 0:
                bars = ""
        return Ratio(self.read(above), self.read(below), bars)

    def _rank(self, expression: Expression, order: tuple[str, ...]) -> tuple[int, int, int]:
        """Its place in a sum or product: that of the first of its symbols; numbers by kind."""
        letters = list(map(Letter.of, _symbols(expression)))
        if not letters:
            number_first = order is self.style.factors
            return (-1 if number_first else len(order) + 1, 0, 0)
        # a sum among factors stands where the last of its symbols would
        pick = max if order is self.style.factors and isinstance(expression, Sum) else min
        return pick(
            (order.index(x.kind) if x.kind in order else len(order), x.axis or 0, x.place)
            for x in letters
        )


def _place_in_call(argument: Expression) -> tuple[bool, bool]:
    inner = argument.terms[0][1] if isinstance(argument, Sum) else argument
    rounded_up = isinstance(inner, Ratio) and inner.bars != "floor"
    return not isinstance(argument, Number), not rounded_up


def _symbols(expression: Expression) -> Iterator[str]:
    if isinstance(expression, Name):
        yield expression.symbol
    elif isinstance(expression, Product):
        for factor, _ in expression.factors:
            yield from _symbols(factor)
    elif isinstance(expression, Sum):
        for _, term in expression.terms:
            yield from _symbols(term)
    elif isinstance(expression, Ratio):
        yield from _symbols(expression.above)
        yield from _symbols(expression.below)
    elif isinstance(expression, Call):
        for argument in expression.arguments:
            yield from _symbols(argument)


def _is_stride(expression: Expression) -> bool:
    return isinstance(expression, Name) and Letter.of(expression.symbol).kind == "stride"


def _worth(expression: Expression, values: Mapping[str, Any]) -> Fraction:
    """What sums, products and divisions of numbers come to."""
    if isinstance(expression, Number):
        return Fraction(expression.value)
    if isinstance(expression, Name):
        return Fraction(values[expression.symbol])
    if isinstance(expression, Ratio):
        return _worth(expression.above, values) / _worth(expression.below, values)
    if isinstance(expression, Product):
        return prod(
            (_worth(f, values) ** power for f, power in expression.factors), start=Fraction(1)
        )
    assert isinstance(expression, Sum)
    return sum(
        ((-1 if negative else 1) * _worth(t, values) for negative, t in expression.terms),
        start=Fraction(0),
    )


def _without_zeros(expression: Expression, values: Mapping[str, Size]) -> Expression:
    """The expression without terms that have a factor of 0."""
    if isinstance(expression, Sum):
        terms = [
            (negative, _without_zeros(term, values))
            for negative, term in expression.terms
            if not _is_zero(term, values)
        ]
        if len(terms) == 1 and not terms[0][0]:
            return terms[0][1]
        return Sum(tuple(terms)) if terms else Number(0)
    if isinstance(expression, Product):
        return Product(tuple((_without_zeros(f, values), p) for f, p in expression.factors))
    if isinstance(expression, Ratio):
        above, below, bars = expression
        return Ratio(_without_zeros(above, values), _without_zeros(below, values), bars)
    if isinstance(expression, Call):
        return Call(
            expression.function, tuple(_without_zeros(a, values) for a in expression.arguments)
        )
    return expression


def _is_zero(term: Expression, values: Mapping[str, Size]) -> bool:
    if isinstance(term, Product):
        return any(_is_zero(factor, values) for factor, _ in term.factors)
    return isinstance(term, Name) and values[term.symbol] == 0


# -- monomials ----------------------------------------------------------------------------------


def _common(terms: Mapping[Monomial, object]) -> Monomial:
    shared = None
    for monomial in terms:
        counts = Counter(monomial)
        shared = counts if shared is None else shared & counts
    return tuple((shared or Counter()).elements())


def _holds(monomial: Monomial, base: Monomial) -> bool:
    return not Counter(base) - Counter(monomial)


def _over(monomial: Monomial, divisor: Monomial) -> Monomial:
    return tuple((Counter(monomial) - Counter(divisor)).elements())


# -- writing ------------------------------------------------------------------------------------


def _write(expression: Expression, notation: Notation, name: Callable[[str], str]) -> str:
    if isinstance(expression, Number):
        return notation.number(expression.value)
    if isinstance(expression, Name):
        return name(expression.symbol)
    if isinstance(expression, Product):
        return _write_product(expression, notation, name)
    if isinstance(expression, Sum):
        texts = [(negative, _write(term, notation, name)) for negative, term in expression.terms]
        rest = [(negative, _guarded(text, notation)) for negative, text in texts[1:]]
        if len(rest) > _MANY and all(isinstance(term, Name) for _, term in expression.terms):
            rest[2:-1] = [(False, r"\cdots" if notation is LATEX else "…")]
        return notation.sum([texts[0], *rest])
    if isinstance(expression, Call):
        arguments = [_write(argument, notation, name) for argument in expression.arguments]
        if len(arguments) > _MANY:
            arguments[2:-1] = [r"\dots" if notation is LATEX else "…"]
        return notation.call(expression.function, arguments)
    above, below = (_write(part, notation, name) for part in (expression.above, expression.below))
    simple = (not isinstance(expression.above, Sum), _is_factor(expression.below))
    form = {"floor": notation.floor, "ceil": notation.ceil, "": notation.ratio}[expression.bars]
    return form(above, below, simple)


def _is_factor(expression: Expression) -> bool:
    single = isinstance(expression, Product) and len(expression.factors) == 1
    return single or isinstance(expression, (Name, Number))


def _write_product(product: Product, notation: Notation, name: Callable[[str], str]) -> str:
    factors = []
    for factor, power in product.factors:
        text = _write(factor, notation, name)
        if isinstance(factor, Sum) or (
            isinstance(factor, Ratio) and not factor.bars and notation is not LATEX
        ):
            text = notation.group(text)
        text = _guarded(text, notation)
        factors.append(text if power == 1 else notation.power(text, power))
    if len(factors) == 2 and isinstance(product.factors[0][0], Number):
        # 2p, but 2·padding and 2·0
        if re.fullmatch(r"[A-Za-z](_.*)?", factors[1]):
            return "".join(factors)
    return notation.product(factors)


def _number(value: Size | Fraction, notation: Notation) -> str:
    """A value in the place of a symbol."""
    if isinstance(value, Dim):
        text = value.write(notation)
        return notation.group(text) if " " in outside_brackets(str(value)) else text
    return f"{notation.minus}{notation.number(-value)}" if value < 0 else notation.number(value)


def _guarded(text: str, notation: Notation) -> str:
    """A term or factor, in parentheses where it is a negative number."""
    return notation.group(text) if text.startswith(notation.minus) else text


def _latex(name: str) -> str:
    r"""A name in math: C_{\mathrm{out}}, \mathrm{kernel}[0]."""
    word, bracket, index = name.partition("[")
    base, underscore, below = word.partition("_")
    if len(base) == 1:
        if not underscore:
            return base + bracket + index
        mark = below if len(below) == 1 else rf"\mathrm{{{below}}}"
        return f"{base}_{{{mark}}}"
    words = word.replace("_", r"\ ")
    return rf"\mathrm{{{words}}}{bracket}{index}"
