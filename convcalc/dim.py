"""Dim: exact integer expressions in the sizes of a network.

A Dim is a polynomial over *atoms*: symbols (`H`, `N`), floor quotients (`⌊(H + 1)/2⌋`), roundings
(`make_divisible(32·width, 8)`) and calls of `max`, `min` and `gcd`. Symbols stand for whole numbers
of at least 1; a *multiplier*, such as the width of a MobileNet, for any positive fraction.
Arithmetic keeps one canonical form, so equal polynomials are equal structurally and hash alike:

- multiples of the divisor are pulled out of a floor, `⌊(2·H + 3)/2⌋ = H + 1 + ⌊1/2⌋`;
- nested floors merge, `⌊(⌊a/b⌋ + r)/c⌋ = ⌊(a + r·b)/(b·c)⌋` for a whole r
  (Graham, Knuth, Patashnik, Concrete Mathematics, eq. 3.11).

A constant result is a plain int, so `Size = int | Dim` is all a formula has to know. A Dim has
no truth value, and is compared only where the answer is the same for all values of its symbols.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from fractions import Fraction
from functools import partial, reduce
from itertools import chain
from typing import Any, NamedTuple, NoReturn

from convcalc.errors import ConvcalcError, UndecidableError, did_you_mean
from convcalc.notation import LATEX, PYTHON, TEXT, Notation
from convcalc.program import Kernel, Program, Recorded

_NUMBERS = (int, Fraction)
Rational = int | Fraction
Monomial = tuple["Atom", ...]
Terms = dict[Monomial, Rational]
Bounds = tuple[Rational | None, Rational | None]

_FUNCTIONS: dict[str, Callable[..., int]] = {"max": max, "min": min, "gcd": math.gcd}
_UFUNCS = {"max": "maximum", "min": "minimum", "gcd": "gcd"}

_SOME_SIZE = "a size"  # no symbol of a spec is written so
_MAX_DEPTH = 50
_MAX_WEIGHT = 1_000
_MAX_ARGUMENTS = 32
_MAX_KERNELS = 16
_MAX_SHIFT = 256


class Atom:
    """What a polynomial is made of: immutable, compared by value, ordered by `key`."""

    __slots__ = ("_hash", "_key", "_texts", "depth", "identity", "is_whole", "weight")

    def __init__(self, *identity: Any, parts: Iterable[Size] = ()) -> None:
        self.identity: tuple[Any, ...] = (type(self).__name__, *identity)
        self._hash = hash(self.identity)
        self._key: tuple[int, int, str] | None = None
        self._texts: dict[Notation, str] = {}
        self.is_whole = True
        inner = [atom for part in parts for monomial in _terms(part) for atom in monomial]
        self.depth: int = 1 + max((atom.depth for atom in inner), default=0)
        self.weight: int = 1 + sum(atom.weight for atom in inner)
        # what follows is recursive, and a text repeats what the expression shares
        if self.depth > _MAX_DEPTH or self.weight > _MAX_WEIGHT:
            raise ConvcalcError(
                f"a symbolic size nested more than {_MAX_DEPTH} levels deep, or of more than "
                f"{_MAX_WEIGHT:,} parts",
                hint="Give its symbols numbers.",
            )

    def __eq__(self, other: object) -> bool:
        return self is other or (
            isinstance(other, Atom)
            and self._hash == other._hash
            and self.identity == other.identity
        )

    def __hash__(self) -> int:
        return self._hash

    @property
    def key(self) -> tuple[int, int, str]:
        """Its place in the canonical order: the batch, symbols, floors by divisor, calls."""
        if self._key is None:
            self._key = self.sort_key()
        return self._key

    def sort_key(self) -> tuple[int, int, str]:
        """What `key` keeps."""
        raise NotImplementedError

    def write(self, notation: Notation) -> str:
        """Write it as one factor."""
        if notation not in self._texts:
            self._texts[notation] = self.spell(notation)
        return self._texts[notation]

    def spell(self, notation: Notation) -> str:
        """What `write` keeps."""
        raise NotImplementedError

    def evaluate(self, machine: _Evaluation) -> Any:
        """Its value in an evaluation."""
        raise NotImplementedError

    def bounds(self) -> Bounds:
        """Numbers that it never leaves, None for no bound."""
        raise NotImplementedError

    def symbols(self) -> Iterable[Symbol]:
        """The symbols in it, some more than once."""
        raise NotImplementedError

    def anatomy(self) -> tuple[str, tuple[Any, ...]]:
        """What it is, `symbol`, `floor` or the name of a function, and what that is made of."""
        raise NotImplementedError


class Symbol(Atom):
    """An unknown size: a whole number of at least 1; or a multiplier: a fraction above 0."""

    __slots__ = ("name",)

    def __init__(self, name: str, whole: bool = True) -> None:
        super().__init__(name, whole)
        self.name = name
        self.is_whole = whole

    def sort_key(self) -> tuple[int, int, str]:
        return (0, self.name != "N", self.name)

    def spell(self, notation: Notation) -> str:
        return notation.symbol(self.name)

    def evaluate(self, machine: _Evaluation) -> Any:
        return machine.values[self.name]

    def bounds(self) -> Bounds:
        return int(self.is_whole), None

    def symbols(self) -> Iterable[Symbol]:
        return (self,)

    def anatomy(self) -> tuple[str, tuple[Any, ...]]:
        return "symbol", (self.name,)


class _Quotient(Atom):
    """⌊numerator / denominator⌋, both with whole coefficients."""

    __slots__ = ("denominator", "numerator")

    def __init__(self, numerator: Dim, denominator: int | Dim) -> None:
        super().__init__(numerator, denominator, parts=(numerator, denominator))
        self.numerator = numerator
        self.denominator = denominator

    def sort_key(self) -> tuple[int, int, str]:
        text = self.write(PYTHON)
        if isinstance(self.denominator, int):
            return (1, self.denominator, text)
        return (2, 0, text)

    def spell(self, notation: Notation) -> str:
        numerator, denominator = self.numerator, self.denominator
        if denominator == 1:
            return notation.rounded_down(numerator.write(notation))
        write = notation.floor
        if notation.has_ceil and isinstance(denominator, int) and numerator.is_whole:
            # ⌊(a + d − 1)/d⌋ is what a person writes as ⌈a/d⌉
            ceiled = numerator - (denominator - 1)
            if isinstance(ceiled, Dim) and () not in ceiled.terms:
                numerator, write = ceiled, notation.ceil
        simple = (_is_single(numerator), _is_single(denominator))
        return write(numerator.write(notation), _written(denominator, notation), simple)

    def evaluate(self, machine: _Evaluation) -> Any:
        numerator, denominator = machine.of(self.numerator), machine.of(self.denominator)
        if isinstance(self.denominator, Dim):
            machine.check(denominator, self)
        return numerator // denominator

    def bounds(self) -> Bounds:
        low, high = bounds(self.numerator)
        least, most = bounds(self.denominator)
        if least is None or least <= 0:
            return None, None
        # a quotient is farthest from 0 over the smallest divisor, and nearest over the largest
        if low is not None:
            low = low // least if low < 0 else low // most if most is not None else 0
        if high is not None:
            high = high // least if high >= 0 else high // most if most is not None else -1
        return low, high

    def symbols(self) -> Iterable[Symbol]:
        return chain(_symbols(self.numerator), _symbols(self.denominator))

    def anatomy(self) -> tuple[str, tuple[Any, ...]]:
        return "floor", (self.numerator, self.denominator)


class _Rounding(Atom):
    """round or make_divisible of numerator / denominator, the numerator with whole coefficients."""

    __slots__ = ("denominator", "function", "numerator", "parameters", "value")

    def __init__(self, function: str, value: Dim, *parameters: int) -> None:
        super().__init__(function, value, parameters, parts=(value,))
        self.function = function
        self.value = value
        self.parameters = parameters
        self.denominator = _common_denominator(value)
        self.numerator: Dim = value * self.denominator

    def sort_key(self) -> tuple[int, int, str]:
        return (3, 0, self.write(PYTHON))

    def spell(self, notation: Notation) -> str:
        shown = self.parameters
        if self.function == "make_divisible" and shown[0] == shown[1]:
            shown = shown[:1]  # the least is the divisor, where nothing else is said
        arguments = [_written(self.value, notation), *map(notation.number, shown)]
        return notation.call(self.function, arguments)

    def evaluate(self, machine: _Evaluation) -> Any:
        numerator = machine.of(self.numerator)
        if isinstance(numerator, Dim):
            value = numerator / self.denominator
            return (
                round(value)
                if self.function == "round"
                else make_divisible(value, *self.parameters)
            )
        return _ROUNDINGS[self.function](numerator, self.denominator, *self.parameters)

    def bounds(self) -> Bounds:
        low, high = bounds(self.value)
        if self.function == "round":
            return low if low is None else round(low), high if high is None else round(high)
        divisor, least = self.parameters
        return least, None if high is None else math.ceil(max(least, high + divisor))

    def symbols(self) -> Iterable[Symbol]:
        return _symbols(self.value)

    def anatomy(self) -> tuple[str, tuple[Any, ...]]:
        return self.function, (self.value, *self.parameters)


class _Call(Atom):
    """max, min or gcd of sizes that no rule decides."""

    __slots__ = ("arguments", "function")

    def __init__(self, function: str, arguments: tuple[Size, ...]) -> None:
        super().__init__(function, arguments, parts=arguments)
        self.function = function
        self.arguments = arguments
        self.is_whole = all(is_whole(argument) for argument in arguments)

    def sort_key(self) -> tuple[int, int, str]:
        return (3, 0, self.write(PYTHON))

    def spell(self, notation: Notation) -> str:
        return notation.call(self.function, [_written(a, notation) for a in self.arguments])

    def evaluate(self, machine: _Evaluation) -> Any:
        return _call(self.function, [machine.of(a) for a in self.arguments])

    def bounds(self) -> Bounds:
        lows, highs = zip(*map(bounds, self.arguments), strict=True)
        if self.function == "max":
            known = [low for low in lows if low is not None]
            return max(known, default=None), None if None in highs else max(highs)
        if self.function == "min":
            known = [high for high in highs if high is not None]
            return None if None in lows else min(lows), min(known, default=None)
        return int(any(low is not None and low > 0 for low in lows)), None

    def symbols(self) -> Iterable[Symbol]:
        return chain.from_iterable(map(_symbols, self.arguments))

    def anatomy(self) -> tuple[str, tuple[Any, ...]]:
        return self.function, self.arguments


class Dim:
    """A polynomial over atoms with exact coefficients; see the module's docstring.

    Made by arithmetic on `symbol("H")`. `str()` is for people, `python()` evaluates back to the
    same thing, `latex()` is LaTeX; `evaluate` puts numbers or integer arrays in.
    """

    __slots__ = ("_bounds", "_hash", "terms")

    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        self._hash: int | None = None
        self._bounds: Bounds | None = None

    # -- arithmetic ---------------------------------------------------------------------------

    def __add__(self, other: object) -> Any:
        if isinstance(other, Dim):
            terms = dict(self.terms)
            for monomial, coefficient in other.terms.items():
                terms[monomial] = terms.get(monomial, 0) + coefficient
            return _normal(terms)
        if isinstance(other, _NUMBERS):
            if not other:
                return self
            terms = dict(self.terms)
            terms[()] = terms.get((), 0) + other
            return _normal(terms)
        return NotImplemented

    __radd__ = __add__

    def __neg__(self) -> Dim:
        return Dim({monomial: -c for monomial, c in self.terms.items()})

    def __pos__(self) -> Dim:
        return self

    def __sub__(self, other: object) -> Any:
        if isinstance(other, (Dim, *_NUMBERS)):
            return self + (-other)
        return NotImplemented

    def __rsub__(self, other: object) -> Any:
        return -self + other

    def __mul__(self, other: object) -> Any:
        if isinstance(other, _NUMBERS):
            if not other:
                return 0
            return _normal({monomial: c * other for monomial, c in self.terms.items()})
        if isinstance(other, Dim):
            return _normal(_multiply(self.terms, other.terms))
        return NotImplemented

    __rmul__ = __mul__

    def __pow__(self, exponent: object) -> Any:
        if not isinstance(exponent, int) or exponent < 0:
            raise ConvcalcError(
                f"({self}) ** {exponent}: a symbol's exponent must be a whole number, 0 or more"
            )
        result: Any = 1
        for _ in range(exponent):
            result = self * result
        return result

    def __floordiv__(self, other: object) -> Any:
        if isinstance(other, (Dim, *_NUMBERS)):
            return floor_div(self, other)
        return NotImplemented

    def __rfloordiv__(self, other: object) -> Any:
        if isinstance(other, _NUMBERS):
            return floor_div(other, self)
        return NotImplemented

    def __mod__(self, other: object) -> Any:
        quotient = self.__floordiv__(other)
        return quotient if quotient is NotImplemented else self - other * quotient

    def __rmod__(self, other: object) -> Any:
        quotient = self.__rfloordiv__(other)
        return quotient if quotient is NotImplemented else other - self * quotient

    def __truediv__(self, other: object) -> Any:
        if isinstance(other, _NUMBERS):
            return self * (1 / Fraction(other))
        if isinstance(other, Dim):
            exact = _divide_exactly(self, other)
            if exact is not None:
                return exact
            raise ConvcalcError(f"({self}) / ({other}) is no polynomial; use // there")
        return NotImplemented

    def __rtruediv__(self, other: object) -> Any:
        if isinstance(other, _NUMBERS):
            if other == 0:
                return 0
            raise ConvcalcError(f"{other} / ({self}) is no polynomial; use // there")
        return NotImplemented

    def __floor__(self) -> Any:
        return floor_div(self, 1)

    def __ceil__(self) -> Any:
        if not all(map(_is_whole, self.terms)):
            return -floor_div(-self, 1)
        scale = _common_denominator(self)
        return floor_div(self * scale + (scale - 1), scale)

    def __round__(self, ndigits: int | None = None) -> Any:
        return self if self.is_whole else Dim({(_Rounding("round", self),): 1})

    # -- comparison ---------------------------------------------------------------------------

    def __eq__(self, other: object) -> bool:
        return self is other or (
            isinstance(other, Dim) and hash(self) == hash(other) and self.terms == other.terms
        )

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash(frozenset(self.terms.items()))
        return self._hash

    def __bool__(self) -> NoReturn:
        raise UndecidableError(
            f"{self} has no truth value: it stands for a number not known here",
            hint="Give its symbols numbers, or branch on the configuration instead.",
        )

    def __ge__(self, other: object) -> Any:
        return self._compare(other, ">=")

    def __gt__(self, other: object) -> Any:
        return self._compare(other, ">")

    def __le__(self, other: object) -> Any:
        return self._compare(other, "<=")

    def __lt__(self, other: object) -> Any:
        return self._compare(other, "<")

    def _compare(self, other: object, sign: str) -> Any:
        if not isinstance(other, (Dim, *_NUMBERS)):
            return NotImplemented
        decided = at_least(self, other) if sign in (">=", "<") else at_least(other, self)
        if decided is None:
            free = ", ".join(sorted({*symbols(self), *symbols(other)}))
            raise UndecidableError(
                f"whether {self} {sign} {other} depends on {free}",
                hint=f"Give {free} a number.",
            )
        return decided == (sign in (">=", "<="))

    # -- reading ------------------------------------------------------------------------------

    @property
    def symbols(self) -> frozenset[str]:
        """The names of the symbols it depends on."""
        return frozenset(symbols(self))

    @property
    def multipliers(self) -> frozenset[str]:
        """The names of those symbols that may be fractions."""
        return frozenset(symbol.name for symbol in _symbols(self) if not symbol.is_whole)

    @property
    def is_whole(self) -> bool:
        """Whether it is sure to be a whole number for all values of its symbols."""
        return all(isinstance(c, int) and _is_whole(m) for m, c in self.terms.items())

    def evaluate(self, /, **values: Any) -> Any:
        """Its value with every symbol replaced: by ints, by Dims, or by NumPy integer arrays.

        Multipliers may be Fractions, or arrays of them or of floats, taken as the decimals that
        they print as. Arrays broadcast; the result is exact whatever its size: where 64 bits
        might not hold a value on the way, Python's integers do (dtype object).

        Raises:
            ConvcalcError: a symbol has no value or one that is not whole, a name is not one of
                its symbols, or a divisor is 0.
        """
        return self.compile()(**values)

    def compile(self) -> Callable[..., Any]:
        """The same as `evaluate` as a function, which prepares itself for arrays only once."""
        code = ArrayCode([self])

        def evaluate(**values: Any) -> Any:
            check_names(self, values)
            if not any(hasattr(value, "dtype") for value in values.values()):
                check_values(self, values)
                return _Evaluation(values).of(self)
            return code.run(*measured(values, code.multipliers))[0]

        return evaluate

    def write(self, notation: Notation) -> str:
        """Write it in `notation`, grouped by the common factor, as a person would."""
        common, inner = self._grouped()
        if common:
            factors = _write_factors(common, notation)
            return notation.product([*factors, notation.group(_write_sum(inner, notation))])
        return _write_sum(inner, notation)

    def parts(self, notation: Notation) -> tuple[str, list[tuple[bool, str]], str]:
        """What `write` writes, to be set over several lines.

        What stands before the sum, its terms, each with whether it is subtracted, and the end.
        """
        common, inner = self._grouped()
        terms = _write_terms(inner, notation)
        if not common:
            return "", terms, ""
        opening, closing = notation.long_group
        return notation.product([*_write_factors(common, notation), opening]), terms, closing

    def _grouped(self) -> tuple[Monomial, Terms]:
        """What all terms of a sum have in common, and the terms without it."""
        terms = _with_fewest_terms(self.terms)
        common = _common_factor(terms)
        if common and len(terms) > 1:
            return common, _divide_exactly(Dim(terms), Dim({common: 1})).terms
        return (), terms

    def python(self) -> str:
        """As an expression that a spec reads back as the same Dim.

        Python evaluates it too, exactly where the coefficients are whole; else `/` makes a float.
        """
        return self.write(PYTHON)

    def latex(self) -> str:
        """As LaTeX, to be put between dollar signs."""
        return self.write(LATEX)

    def __str__(self) -> str:
        return self.write(TEXT)

    __repr__ = __str__

    def __format__(self, spec: str) -> str:
        return format(str(self), spec.replace(",", ""))

    def _repr_latex_(self) -> str:
        return f"${self.latex()}$"


Size = int | Dim
Value = Rational | Dim


def symbol(name: str, whole: bool = True) -> Dim:
    """The Dim that is one symbol: a whole number of at least 1, or else any fraction above 0."""
    return Dim({(Symbol(name, whole),): 1})


def symbols(value: object) -> Iterable[str]:
    """The names of the symbols in a size, some more than once; none in a number."""
    return (symbol.name for symbol in _symbols(value))


def _symbols(value: object) -> Iterable[Symbol]:
    if isinstance(value, Dim):
        for monomial in value.terms:
            for atom in monomial:
                yield from atom.symbols()


def is_whole(value: Value) -> bool:
    """Whether a value is sure to be a whole number."""
    return value.is_whole if isinstance(value, Dim) else isinstance(value, int)


def _is_whole(monomial: Monomial) -> bool:
    return all(atom.is_whole for atom in monomial)


def python_form(value: Value) -> str:
    """A size as a spec reads it back."""
    return value.python() if isinstance(value, Dim) else str(value)


def floor_div(numerator: Value, denominator: Value) -> Any:
    """⌊numerator / denominator⌋ in canonical form; the place of the two rules above."""
    if not isinstance(denominator, Dim):
        if not isinstance(numerator, Dim):
            return numerator // denominator
        return _floor_by_number(numerator, denominator)
    exact = _divide_exactly(numerator, denominator)
    if exact is not None:
        return math.floor(exact)
    scale = math.lcm(_common_denominator(numerator), _common_denominator(denominator))
    above, below = _terms(numerator * scale), _terms(denominator * scale)
    content = math.gcd(*map(int, chain(above.values(), below.values())))
    below = {monomial: int(c) // content for monomial, c in below.items()}
    pulled, rest = _polynomial_part({m: int(c) // content for m, c in above.items()}, below)
    return pulled + Dim({(_Quotient(Dim(rest), Dim(below)),): 1}) if rest else pulled


def maximum(*sizes: Any) -> Any:
    """The largest of some sizes; of Dims, decided where it can be; of arrays, by element."""
    return _call("max", sizes)


def minimum(*sizes: Any) -> Any:
    """The smallest of some sizes; of Dims, decided where it can be; of arrays, by element."""
    return _call("min", sizes)


def gcd(a: Any, b: Any) -> Any:
    """The greatest common divisor of two sizes; of arrays, by element."""
    return _call("gcd", (a, b))


def make_divisible(value: Any, divisor: Any, least: Any) -> Any:
    """The multiple of `divisor` nearest to a value, at least `least`, never over 10 % below it.

    torchvision's `_make_divisible` (torchvision/models/_utils.py), computed exactly.
    """
    if not isinstance(value, Dim):
        return _nearest_multiple(value, 1, divisor, least)
    if at_least(value, least) and is_whole(value) and value % divisor == 0:
        return value
    return Dim({(_Rounding("make_divisible", value, divisor, least),): 1})


def _nearest_multiple(above: Any, below: int, divisor: Any, least: Any) -> Any:
    nearest = maximum(least, (2 * above + below * divisor) // (2 * below * divisor) * divisor)
    return nearest + divisor * (10 * below * nearest < 9 * above)


def _half_to_even(above: Any, below: int) -> Any:
    doubled = 2 * above + below
    rounded = doubled // (2 * below)
    return rounded - (doubled % (2 * below) == 0) * (rounded % 2)


_ROUNDINGS: dict[str, Callable[..., Any]] = {
    "make_divisible": _nearest_multiple,
    "round": _half_to_even,
}


def at_size(formula: Callable[[Any], Any], size: Size) -> Any:
    """formula(size), decided as for a size of at least 1, which a size in a network is."""
    if not isinstance(size, Dim):
        return formula(size)
    found = formula(symbol(_SOME_SIZE))
    if not isinstance(found, Dim):
        return found
    others = {name: symbol(name) for name in found.symbols}
    return found.evaluate(**{**others, _SOME_SIZE: size} if _SOME_SIZE in others else others)


def equal(a: Value, b: Value) -> bool | None:
    """Whether two sizes are equal: always, never, or (None) for some values only."""
    difference = a - b
    if not isinstance(difference, Dim):
        return bool(difference == 0)
    low, high = bounds(difference)
    if low == high == 0:
        return True
    return False if (low is not None and low > 0) or (high is not None and high < 0) else None


def at_least(a: Value, b: Value) -> bool | None:
    """Whether a ≥ b: always, never, or (None) for some values only."""
    low, high = bounds(a - b)
    if low is not None and low >= 0:
        return True
    return False if high is not None and high < 0 else None


def bounds(value: Value) -> Bounds:
    """Numbers that the value never leaves, None for no bound; symbols are at least 1."""
    if not isinstance(value, Dim):
        return value, value
    if value._bounds is None:
        low, high = _lowest(value), _lowest(-value)
        value._bounds = low, None if high is None else -high
    return value._bounds


def floors(value: Value) -> Iterable[tuple[Dim, Size]]:
    """The numerator and the divisor of every floor in a size, inner ones first."""
    for monomial in _terms(value):
        for atom in monomial:
            if isinstance(atom, _Quotient):
                yield from floors(atom.numerator)
                yield from floors(atom.denominator)
                yield atom.numerator, atom.denominator
            elif isinstance(atom, _Call):
                for argument in atom.arguments:
                    yield from floors(argument)


class Rule(NamedTuple):
    """That an atom is equal to something without it."""

    atom: Atom
    value: Value

    def __call__(self, value: Value) -> Any:
        """A value with the atom replaced."""
        names = {found.name: Dim({(found,): 1}) for found in _symbols(value)}
        machine = _Evaluation(names)
        machine.known[self.atom] = self.value
        return machine.of(value)  # type: ignore[arg-type]


def solved(difference: Dim) -> Rule | None:
    """What the difference being 0 says of one of its atoms; None where it is no rule for one."""
    for monomial in sorted(difference.terms, key=_atom_keys, reverse=True):
        if len(monomial) != 1:
            continue
        scale = Fraction(difference.terms[monomial])
        atom = monomial[0]
        rule = Rule(atom, _normal({(atom,): 1}) - difference * (1 / scale))
        if rule(rule.value) == rule.value and (is_whole(rule.value) or not atom.is_whole):
            return rule
    return None


def never_falls(value: Value) -> bool:
    """Whether the value never falls where its symbols grow, as far as its form shows it.

    It does where it adds up products of atoms that never fall and are never negative: false says
    nothing.
    """
    return all(
        not monomial
        or (
            coefficient > 0
            and all(map(_atom_never_falls, monomial))
            and (len(monomial) == 1 or at_least(Dim({monomial: 1}), 0) is True)
        )
        for monomial, coefficient in _terms(value).items()
    )


def period(value: Value) -> tuple[int, Rational] | None:
    """p ≥ 1 and k with f(n + p) = f(n) + k for all whole n, f the value in its one symbol.

    H has p = k = 1, a sum the least common multiple of its terms' p; and if ⌊f/d⌋ is reached with
    p and k of f, m·p and m·k/d for m = d/gcd(d, k). None where there is none, as for H², or none
    is known.
    """
    length, grown = 1, []
    for monomial, coefficient in _terms(value).items():
        if not monomial:
            continue
        found = _atom_period(monomial[0]) if len(monomial) == 1 else None
        if found is None:
            return None
        length = math.lcm(length, found[0])
        grown.append((coefficient, *found))
    return length, sum((c * k * (length // p) for c, p, k in grown), start=0)


def _atom_period(atom: Atom) -> tuple[int, Rational] | None:
    if isinstance(atom, Symbol):
        return (1, 1) if atom.is_whole else None
    if isinstance(atom, _Quotient) and isinstance(atom.denominator, int):
        found = period(atom.numerator)
        if found is None:
            return None
        length, growth = found
        times = atom.denominator // math.gcd(atom.denominator, int(growth))
        return length * times, int(growth) * times // atom.denominator
    if isinstance(atom, _Call) and atom.function != "gcd":
        inner = [period(argument) for argument in atom.arguments]
        known = [found for found in inner if found is not None]
        length = math.lcm(*(p for p, _ in known))
        growths = {k * (length // p) for p, k in known}
        if len(known) == len(inner) and len(growths) == 1:
            return length, growths.pop()
    return None


def without_gcds(value: Value) -> Any:
    """A size that is never above the value, without its gcds with numbers: 1 ≤ gcd(a, d) ≤ d.

    None where a factor beside one may be negative.
    """
    result: Any = 0
    for monomial, coefficient in _terms(value).items():
        kept: list[Atom] = []
        scale: Rational = coefficient
        for atom in monomial:
            most = _number_in_gcd(atom)
            if most is None:
                kept.append(atom)
            elif coefficient < 0:
                scale *= most
        rest: Any = Dim({tuple(kept): 1}) if kept else 1
        if len(kept) < len(monomial) and at_least(rest, 0) is not True:
            return None
        result = result + rest * scale
    return result


def _number_in_gcd(atom: Atom) -> int | None:
    if not isinstance(atom, _Call) or atom.function != "gcd":
        return None
    return next((abs(a) for a in atom.arguments if isinstance(a, int)), None)


def _atom_never_falls(atom: Atom) -> bool:
    if isinstance(atom, _Quotient):
        return isinstance(atom.denominator, int) and never_falls(atom.numerator)
    if isinstance(atom, _Call):
        return atom.function != "gcd" and all(map(never_falls, atom.arguments))
    if isinstance(atom, _Rounding):
        return _rounding_never_falls(atom.function, *atom.parameters) and never_falls(atom.value)
    return isinstance(atom, Symbol)


def _rounding_never_falls(function: str, *parameters: int) -> bool:
    """Whether a rounding of a larger value is never smaller.

    The multiple m nearest to v, at least `least`, never falls where v grows; nor does it over
    values of the same m where d is added from m < 0.9·v on. The next m is at least m + d where
    `least` is a multiple of d too. Else it may fall: of 3 and 4 with d = 8, at least 2, come 10, 8.
    """
    if function != "make_divisible":
        return True
    divisor, least = parameters
    return divisor > 0 and least % divisor == 0


# -- the algebra ------------------------------------------------------------------------------


def _normal(terms: Terms) -> Any:
    """The canonical value of some terms: no zeros, whole coefficients as ints, constants plain."""
    kept: Terms = {}
    for monomial, coefficient in terms.items():
        if coefficient:
            if type(coefficient) is not int and coefficient.denominator == 1:
                coefficient = int(coefficient)
            kept[monomial] = coefficient
    if not kept:
        return 0
    if len(kept) == 1 and () in kept:
        return kept[()]
    return Dim(kept)


def _atom_key(atom: Atom) -> tuple[int, int, str]:
    return atom.key


def _atom_keys(monomial: Monomial) -> list[tuple[int, int, str]]:
    return [atom.key for atom in monomial]


def _multiply(left: Terms, right: Terms) -> Terms:
    terms: Terms = {}
    for a, x in left.items():
        for b, y in right.items():
            monomial = a + b if not a or not b else tuple(sorted(a + b, key=_atom_key))
            terms[monomial] = terms.get(monomial, 0) + x * y
    return terms


def _terms(value: Value) -> Terms:
    return value.terms if isinstance(value, Dim) else {(): value}


def _common_denominator(value: Value) -> int:
    return math.lcm(*(Fraction(c).denominator for c in _terms(value).values()))


def _floor_by_number(numerator: Dim, denominator: Rational) -> Any:
    if denominator == 0:
        raise ZeroDivisionError(f"({numerator}) // 0")
    if denominator < 0:
        numerator, denominator = -numerator, -denominator
    scale = math.lcm(_common_denominator(numerator), Fraction(denominator).denominator)
    divisor = int(denominator * scale)
    pulled: Terms = {}
    rest: Terms = {}
    fractions = False
    for monomial, coefficient in numerator.terms.items():
        quotient, remainder = 0, int(coefficient * scale)
        if _is_whole(monomial):
            quotient, remainder = divmod(remainder, divisor)
        else:
            fractions = True
        if quotient:
            pulled[monomial] = quotient
        if remainder:
            rest[monomial] = remainder
    outside = _normal(pulled)
    constant = int(rest.pop((), 0))
    if not rest:
        return outside
    # beside whole numbers, what the constant has over a multiple of the common factor is lost
    common = math.gcd(divisor, *map(int, rest.values()), constant if fractions else 0)
    rest = {monomial: int(c) // common for monomial, c in rest.items()}
    divisor, constant = divisor // common, constant // common
    rest[()] = constant
    nested = [
        (m, parts) for m, c in rest.items() if c == len(m) == 1 and (parts := _floor_parts(m[0]))
    ]
    if len(nested) == 1 and not fractions:
        ((monomial, (above, below)),) = nested
        del rest[monomial]
        return outside + floor_div(above + _normal(rest) * below, below * divisor)
    if not constant:
        del rest[()]
    return outside + Dim({(_Quotient(Dim(rest), divisor),): 1})


def _floor_parts(atom: Atom) -> tuple[Dim, int] | None:
    """The numerator and the divisor of a floor by a number, None for another atom."""
    if isinstance(atom, _Quotient) and isinstance(atom.denominator, int):
        return atom.numerator, atom.denominator
    return None


def _divide_exactly(numerator: Value, denominator: Dim) -> Any:
    """The quotient where it is a number, or the divisor one term that divides all; else None."""
    above = _terms(numerator)
    below, scale = next(iter(denominator.terms.items()))
    if len(denominator.terms) > 1:
        ratio = Fraction(above.get(below, 0)) / scale
        return _normal({(): ratio}) if numerator == denominator * ratio else None
    terms: Terms = {}
    for monomial, coefficient in above.items():
        left = _divided(monomial, below)
        if left is None:
            return None
        terms[left] = Fraction(coefficient) / scale
    return _normal(terms)


def _divided(monomial: Monomial, divisor: Monomial) -> Monomial | None:
    """The monomial without the factors of the divisor, None where it lacks one."""
    left = list(monomial)
    for atom in divisor:
        if atom not in left:
            return None
        left.remove(atom)
    return tuple(left)


def _polynomial_part(above: Terms, below: Terms) -> tuple[Any, Terms]:
    """Pull whole multiples of a one-term divisor out: ⌊(2·s + a)/s⌋ = 2 + ⌊a/s⌋."""
    ((divisor, scale), *more) = below.items()
    pulled: Terms = {}
    rest: Terms = {}
    for monomial, coefficient in above.items():
        remainder = coefficient
        left = _divided(monomial, divisor) if not more else None
        if left is not None and _is_whole(left):
            quotient, remainder = divmod(coefficient, scale)
            pulled[left] = quotient
        if remainder:
            rest[monomial] = remainder
    return _normal(pulled), rest


def _call(function: str, arguments: Sequence[Any]) -> Any:
    """max, min or gcd of numbers, arrays or Dims."""
    if any(isinstance(argument, Dim) for argument in arguments):
        return _gcd(*arguments) if function == "gcd" else _extremum(function, arguments)
    for argument in arguments:
        if isinstance(argument, Recorded):
            return reduce(partial(argument.program.step, _UFUNCS[function]), arguments)
        if hasattr(argument, "dtype"):
            import numpy

            return reduce(getattr(numpy, _UFUNCS[function]), arguments)
    return reduce(_FUNCTIONS[function], arguments)


def _gcd(a: Size, b: Size) -> Any:
    if not (is_whole(a) and is_whole(b)):
        raise ConvcalcError(f"gcd({a}, {b}): both must be whole")
    for divisor, multiple in ((a, b), (b, a)):
        if divisor != 0 and multiple % divisor == 0:
            return maximum(divisor, -divisor)
    return Dim({(_Call("gcd", tuple(sorted((a, b), key=python_form))),): 1})


def _extremum(function: str, sizes: Sequence[Value]) -> Any:
    scale = math.lcm(*map(_common_denominator, sizes))
    if scale > 1:  # an atom is whole
        scaled = _extremum(function, [size * scale for size in sizes])
        return _normal({monomial: Fraction(c) / scale for monomial, c in _terms(scaled).items()})
    candidates = chain.from_iterable(_arguments(function, size) for size in sizes)
    kept: list[Any] = []
    # in order, so that of two equal ones the same is kept always, and a number before a Dim
    for candidate in sorted(candidates, key=lambda c: (isinstance(c, Dim), python_form(c))):
        if any(_beats(other, candidate, function) for other in kept):
            continue
        kept = [other for other in kept if not _beats(candidate, other, function)]
        kept.append(candidate)
        if len(kept) > _MAX_ARGUMENTS:
            free = ", ".join(sorted({name for size in kept for name in symbols(size)}))
            raise UndecidableError(
                f"{function} of more than {_MAX_ARGUMENTS} sizes whose order depends on {free}",
                hint="Give some of them a number: the fewer are free, the less is open.",
            )
    if len(kept) == 1:
        return kept[0]
    return Dim({(_Call(function, tuple(kept)),): 1})


def _arguments(function: str, size: Value) -> Sequence[Value]:
    """What a size stands for among the arguments of max or min: max(max(a, b), c) is one call."""
    if not isinstance(size, Dim):
        return (_normal({(): size}),)
    if _is_single(size):
        ((atom,),) = size.terms
        if isinstance(atom, _Call) and atom.function == function:
            return atom.arguments
    return (size,)


def _beats(a: Value, b: Value, function: str) -> bool:
    return at_least(a, b) is True if function == "max" else at_least(b, a) is True


def _lowest(value: Value) -> Rational | None:
    """A number that the value is never below, None if none is found."""
    relaxed: Value | None = value
    while relaxed is not None:
        low = _sum_of_lowest(relaxed)
        if low is not None:
            return math.ceil(low) if is_whole(value) else low
        relaxed = _with_lines(relaxed)
    return None


def _sum_of_lowest(value: Value) -> Rational | None:
    total: Rational = 0
    for monomial, coefficient in _terms(value).items():
        low, high = _monomial_bounds(monomial)
        extreme = low if coefficient > 0 else high
        if extreme is None:
            return None
        total += coefficient * extreme
    return total


def _monomial_bounds(monomial: Monomial) -> Bounds:
    if len(monomial) == 1:
        return monomial[0].bounds()
    low: Rational = 1
    high: Rational | None = 1
    for atom in monomial:
        least, most = atom.bounds()
        if least is None or least < 0:
            return None, None
        low *= least
        high = None if high is None or most is None else high * most
    return low, high


def _with_lines(value: Value) -> Any:
    """`value` with floors replaced by lines below (where they are subtracted, above) them.

    (a − d + 1)/d ≤ ⌊a/d⌋ ≤ a/d, for a whole a: a line keeps the slope, which cancels what interval
    arithmetic cannot, as in H − ⌊H/2⌋. The subtracted floors go first: the others lose by it.
    None without a floor.
    """
    terms = dict(_terms(value))
    floors = {m: parts for m in terms if len(m) == 1 and (parts := _floor_parts(m[0]))}
    if not floors:
        return None
    lines: Any = 0
    for monomial in [m for m in floors if terms[m] < 0] or floors:
        coefficient, (above, below) = terms.pop(monomial), floors[monomial]
        short = below - 1 if above.is_whole else below
        line = above - (short if coefficient > 0 else 0)
        lines += line * Fraction(coefficient) / below
    return _normal(terms) + lines


# -- evaluation -------------------------------------------------------------------------------


def check_names(value: object, values: Mapping[str, Any]) -> None:
    """Raise unless `values` names the symbols of `value`, all of them and no others but N."""
    free = sorted(set(symbols(value)))
    missing = [name for name in free if name not in values]
    if missing:
        raise ConvcalcError(f"no value for {', '.join(missing)} in {value}")
    for name in values:
        if name not in free and name != "N":
            raise ConvcalcError(
                f"'{name}' is no symbol of this formula (it has: {', '.join(free) or 'none'})",
                hint=did_you_mean(name, free),
            )


def check_values(value: Size, values: Mapping[str, Any]) -> None:
    """Raise unless the values are whole, of multipliers numbers at least."""
    multipliers = value.multipliers if isinstance(value, Dim) else ()
    for name, given in values.items():
        if not isinstance(given, bool):
            if name in multipliers and isinstance(given, (int, Fraction, Dim)):
                continue
            if isinstance(given, (int, Dim)) and is_whole(given):
                continue
        raise ConvcalcError(
            f"{name}: a {'number' if name in multipliers else 'whole number'} is due, not {given}"
        )


class _Evaluation:
    """One evaluation: the values of the symbols, and the atoms already computed."""

    def __init__(self, values: Mapping[str, Any], program: Program | None = None) -> None:
        self.values = values
        self.program = program
        self.known: dict[Atom, Any] = {}

    def of(self, value: Size) -> Any:
        if not isinstance(value, Dim):
            return value
        # the atoms are whole, but for multipliers, and so are all steps but the last
        scale = _common_denominator(value)
        total = self._sum([(m, int(c * scale)) for m, c in value.terms.items()])
        if scale == 1:
            return total
        exact = total * Fraction(1, scale)
        return _normal({(): exact}) if isinstance(exact, Fraction) else exact

    def check(self, divisor: Any, quotient: _Quotient) -> None:
        """Raise, or record it, where a divisor is 0."""
        if self.program is not None or not isinstance(divisor, Dim):
            message = f"division by zero: {quotient.denominator} in {quotient.write(TEXT)}"
            (self.program or Program()).check(divisor, message)

    def _sum(self, terms: list[tuple[Monomial, Any]]) -> Any:
        """The sum, by Horner's rule: what most terms have in common is multiplied once."""
        counts = Counter(atom for monomial, _ in terms for atom in dict.fromkeys(monomial))
        most = max(counts.values(), default=0)
        if most < 2:
            total: Any = 0
            for monomial, coefficient in terms:
                total = total + coefficient * math.prod(map(self._atom, monomial))
            return total
        common = next(atom for atom, count in counts.items() if count == most)
        inside, outside = [], []
        for monomial, coefficient in terms:
            if common in monomial:
                first = monomial.index(common)
                inside.append((monomial[:first] + monomial[first + 1 :], coefficient))
            else:
                outside.append((monomial, coefficient))
        product = self._atom(common) * self._sum(inside)
        return product + self._sum(outside) if outside else product

    def _atom(self, atom: Atom) -> Any:
        if atom not in self.known:
            self.known[atom] = atom.evaluate(self)
        return self.known[atom]


class Range(NamedTuple):
    """What the values of a symbol never leave: low/scale and high/scale."""

    low: int
    high: int
    scale: int = 1

    def wider(self) -> Range:
        """A range around it whose ends are powers of 2, or 1; itself if it is one number."""
        if self.low == self.high:
            return self
        low = 1 if self.low >= 1 else -(1 << abs(self.low).bit_length())
        return Range(low, 1 << abs(self.high).bit_length(), self.scale)


class ArrayCode:
    """Some sizes, and whether some conditions hold, for whole arrays of their symbols.

    A condition is (left, relation, right); the relation is `>=`, or any other text for equality.
    """

    def __init__(
        self, sizes: Sequence[Size], conditions: Sequence[tuple[Size, str, Size]] = ()
    ) -> None:
        self.sizes = tuple(sizes)
        self.conditions = tuple(conditions)
        self._kernels: dict[tuple[Any, ...], tuple[Kernel, list[int]]] = {}
        sides = chain.from_iterable((left, right) for left, _, right in conditions)
        everything = list(chain.from_iterable(map(_symbols, (*sizes, *sides))))
        self.names = frozenset(symbol.name for symbol in everything)
        self.multipliers = frozenset(s.name for s in everything if not s.is_whole)

    def run(self, arrays: Mapping[str, Any], ranges: Mapping[str, Range]) -> list[Any]:
        """The sizes, then whether the conditions hold, as arrays of the values broadcast.

        `arrays` and `ranges` are what `measured` makes of the values.
        """
        # the next arrays, of about the same range, find the same kernel
        kernel, scales = self.kernel({name: span.wider() for name, span in ranges.items()})
        results: list[Any] = kernel.run(arrays)
        for i, scale in enumerate(scales):
            results[i] = divided(results[i], scale)
        return results

    def kernel(self, ranges: Mapping[str, Range]) -> tuple[Kernel, list[int]]:
        """What computes it for values in some ranges; the sizes come multiplied by the scales."""
        key = tuple(sorted((name, *span) for name, span in ranges.items() if name in self.names))
        if key not in self._kernels:
            if len(self._kernels) >= _MAX_KERNELS:
                self._kernels.clear()
            self._kernels[key] = self._record({name: ranges[name] for name in self.names})
        return self._kernels[key]

    def _record(self, ranges: Mapping[str, Range]) -> tuple[Kernel, list[int]]:
        program = Program()
        whole = {name: symbol(name) * Fraction(1, span.scale) for name, span in ranges.items()}
        inputs = {
            name: span.low if span.low == span.high else program.input(name, span.low, span.high)
            for name, span in ranges.items()
        }
        machine = _Evaluation(inputs, program)

        def record(size: Size, scale: int) -> Any:
            return machine.of(size * scale)

        outputs, scales = [], []
        for size in self.sizes:
            size = _Evaluation(whole).of(size)
            scales.append(_common_denominator(size))
            outputs.append(record(size, scales[-1]))
        for left, relation, right in self.conditions:
            left, right = _Evaluation(whole).of(left), _Evaluation(whole).of(right)
            scale = math.lcm(_common_denominator(left), _common_denominator(right))
            left, right = record(left, scale), record(right, scale)
            holds = program.step("greater_equal" if relation == ">=" else "equal", left, right)
            outputs.append(holds if isinstance(holds, Recorded) else bool(holds))
        return program.finish(outputs), scales


def measured(
    values: Mapping[str, Any], multipliers: Collection[str]
) -> tuple[dict[str, Any], dict[str, Range]]:
    """Numbers and arrays as arrays of whole numbers, and the range of each.

    Raises:
        ConvcalcError: an array does not hold whole numbers, or of a multiplier any numbers; or
            the arrays do not broadcast.
    """
    import numpy

    arrays: dict[str, Any] = {}
    ranges: dict[str, Range] = {}
    for name, value in values.items():
        if isinstance(value, Dim):
            raise ConvcalcError(f"{name}: numbers and arrays go with arrays, not {value}")
        array, scale = whole_array(name, numpy.asarray(value), name in multipliers)
        low, high = (int(array.min()), int(array.max())) if array.size else (1, 1)
        arrays[name], ranges[name] = array, Range(low, high, scale)
    try:
        numpy.broadcast_shapes(*(array.shape for array in arrays.values()))
    except ValueError:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items() if array.shape)
        raise ConvcalcError(f"arrays whose shapes do not broadcast: {shapes}") from None
    return arrays, ranges


def whole_array(name: str, array: Any, multiplier: bool) -> tuple[Any, int]:
    """An array of whole numbers and what they are to be divided by: 1, unless it has fractions.

    Raises:
        ConvcalcError: it does not hold whole numbers, or of a multiplier any numbers.
    """
    if array.dtype.kind in "iu":
        return array, 1
    if array.dtype.kind in "fO":
        import numpy

        numbers = list(map(exact_number, array.flat))
        if all(type(n) is int or (multiplier and isinstance(n, Fraction)) for n in numbers):
            scale = math.lcm(*(n.denominator for n in numbers))
            if array.dtype.kind == "O" or multiplier:
                whole = numpy.array([int(n * scale) for n in numbers], dtype=object)
                return whole.reshape(array.shape), scale
    due = "an array of numbers" if multiplier else "an integer array"
    raise ConvcalcError(f"{name}: {due} is due, not {array.dtype}")


def exact_number(value: Any) -> Any:
    """A float as the decimal number that it prints as, whole ones as ints; all else as it is."""
    if isinstance(value, float) and math.isfinite(value):
        value = Fraction(repr(float(value)))
    if isinstance(value, Fraction) and value.denominator == 1:
        return value.numerator
    return value


def divided(array: Any, scale: int) -> Any:
    """An array over a number: of ints where it divides all of them, else of Fractions."""
    if scale == 1:
        return array
    quotient, remainder = array // scale, array % scale
    return array * Fraction(1, scale) if remainder.any() else quotient


# -- writing ----------------------------------------------------------------------------------


def _written(value: Value, notation: Notation) -> str:
    if isinstance(value, Dim):
        return value.write(notation)
    return f"{notation.minus}{notation.number(-value)}" if value < 0 else notation.number(value)


def _is_single(value: Value) -> bool:
    """Whether it is written as one factor: no parentheses needed around it."""
    ((monomial, coefficient), *more) = _terms(value).items()
    return not more and (not monomial or coefficient == len(monomial) == 1)


def _term_key(item: tuple[Monomial, Rational]) -> tuple[int, list[tuple[int, int, str]]]:
    return -len(item[0]), _atom_keys(item[0])


def as_equation(difference: Dim, relation: str) -> str:
    """a − b as `a relation b`, with all that is subtracted on the right."""
    sides: tuple[Terms, Terms] = ({}, {})
    for monomial, coefficient in difference.terms.items():
        sides[coefficient < 0][monomial] = -coefficient if coefficient < 0 else coefficient
    left, right = (_write_sum(side, TEXT) if side else "0" for side in sides)
    return f"{left} {relation} {right}"


def _write_sum(terms: Terms, notation: Notation) -> str:
    return notation.sum(_write_terms(terms, notation))


def _write_terms(terms: Terms, notation: Notation) -> list[tuple[bool, str]]:
    parts = []
    for monomial, coefficient in sorted(terms.items(), key=_term_key):
        size = -coefficient if coefficient < 0 else coefficient
        factors = _write_factors(monomial, notation)
        if size != 1 or not factors:
            factors.insert(0, notation.number(size))
        parts.append((coefficient < 0, notation.product(factors)))
    # a person starts with a positive term: 4 − H
    first = next((i for i, (negative, _) in enumerate(parts) if not negative), 0)
    parts.insert(0, parts.pop(first))
    return parts


def _write_factors(monomial: Monomial, notation: Notation) -> list[str]:
    powers = Counter(monomial)
    return [
        atom.write(notation) if power == 1 else notation.power(atom.write(notation), power)
        for atom, power in powers.items()
    ]


def _common_factor(terms: Terms) -> Monomial:
    common: list[Atom] = []
    for atom in next(iter(terms)):
        if common.count(atom) < min(monomial.count(atom) for monomial in terms):
            common.append(atom)
    return tuple(common)


class _Shifted(Atom):
    """atom + shift, written as one factor."""

    __slots__ = ("atom", "shift")

    def __init__(self, atom: Atom, shift: int) -> None:
        super().__init__(atom, shift)
        self.atom = atom
        self.shift = shift

    def sort_key(self) -> tuple[int, int, str]:
        return self.atom.key

    def spell(self, notation: Notation) -> str:
        return notation.group(_write_sum({(self.atom,): 1, (): self.shift}, notation))


def _with_fewest_terms(terms: Terms) -> Terms:
    """The terms over shifted atoms where that makes them fewer.

    (H − 4)·(W − 4) is kept expanded in the algebra, and ⌊(H − 3)/4⌋ as ⌊(H + 1)/4⌋ − 1;
    a person writes neither so.
    """
    holding = _holding(terms)
    for atom in sorted(holding, key=_atom_key):
        if isinstance(atom, (_Call, _Rounding)):
            continue  # max(8, n) − 9 is no more readable than one term more
        if not _floor_parts(atom) and all(len(monomial) < 2 for monomial in holding[atom]):
            continue  # H − 4 alone needs no parentheses
        for shift in _likely_shifts(terms, atom, holding[atom]):
            written = _shifted(terms, atom, holding[atom], shift)
            if len(written) < len(terms):
                terms, holding = written, _holding(written)
                break
    for monomial in list(terms):
        alone = monomial[0] if len(monomial) == 1 else None
        if isinstance(alone, _Shifted):  # H, and not (H + 3) − 3
            coefficient = terms.pop(monomial)
            terms[(alone.atom,)] = coefficient
            terms[()] = terms.get((), 0) + coefficient * alone.shift
    return {monomial: c for monomial, c in terms.items() if c}


def _holding(terms: Terms) -> dict[Atom, list[Monomial]]:
    """The monomials that hold each atom."""
    holding: dict[Atom, list[Monomial]] = {}
    for monomial in terms:
        for atom in dict.fromkeys(monomial):
            holding.setdefault(atom, []).append(monomial)
    return holding


def _likely_shifts(terms: Terms, atom: Atom, holding: list[Monomial]) -> list[int]:
    """The shifts that cancel most terms, most likely first."""
    votes: Counter[int] = Counter()
    for monomial in holding:
        first, power = monomial.index(atom), monomial.count(atom)
        if (*monomial[:first], atom, *monomial[first:]) in terms:
            continue  # what follows a higher power does not vanish
        lower = terms.get((*monomial[:first], *monomial[first + 1 :]), 0)
        shift = Fraction(lower) / (power * terms[monomial])
        # a large one is a chance of coefficients, and no window
        if shift and shift.denominator == 1 and abs(shift) <= _MAX_SHIFT:
            votes[int(shift)] += 1
    return sorted(votes, key=lambda shift: (-votes[shift], shift))[:3]


def _shifted(terms: Terms, atom: Atom, holding: list[Monomial], shift: int) -> Terms:
    """The terms with atom = moved − shift put in and multiplied out."""
    moved: Atom = _Shifted(atom, shift)
    if floor := _floor_parts(atom):
        moved = _Quotient(floor[0] + shift * floor[1], floor[1])
    result = dict(terms)
    for monomial in holding:
        coefficient = result.pop(monomial)
        first, power = monomial.index(atom), monomial.count(atom)
        for k in range(power + 1):
            expanded = (*monomial[:first], *[moved] * k, *monomial[first + power :])
            factor = math.comb(power, k) * (-shift) ** (power - k)
            result[expanded] = result.get(expanded, 0) + coefficient * factor
    return {monomial: c for monomial, c in result.items() if c}
