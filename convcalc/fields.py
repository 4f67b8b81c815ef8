"""The kinds of value that a layer's field takes: how each is read, described and put in a schema.

A layer's dataclass annotates its fields with the aliases at the end of this file; the spec reader,
`convcalc layers` and `convcalc schema` read them from there, so a field is declared once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Any

from convcalc.dim import Dim, Size, at_least, symbol
from convcalc.errors import SpecError, did_you_mean, shorten

Pads = Any
"""Padding as read: a Size, one per axis, one (before, after) per axis, `same` or `same_lower`."""


class Kind:
    """What a field takes."""

    description: str

    def read(self, value: Any) -> Any:
        """The field's value from an evaluated one.

        Raises:
            SpecError: with the bare fact; the reader of the spec adds the place.
        """
        raise NotImplementedError

    def schema(self) -> dict[str, Any]:
        """JSON Schema of what may be written; an expression, as text, may stand for any value."""
        raise NotImplementedError

    def unknown(self, name: str) -> Any:
        """The value that stands for all values of this kind, or None where there is none."""
        return None


def show(value: object) -> str:
    """An evaluated value as a message shows it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return shorten(f"[{', '.join(map(show, value[:20]))}]")
    if isinstance(value, str):
        return f"'{shorten(value)}'"
    return shorten(str(value))


def not_a_number(value: object, due: str) -> SpecError:
    """The error for a value that is no number where `due` is due; words are taken as misspelt."""
    if isinstance(value, str):
        # a word knows where it was written and what is in scope there
        explain = getattr(value, "misspelt", None)
        if explain is not None:
            error: SpecError = explain(due)
            return error
        return SpecError(f"'{shorten(value)}' is no variable; {due} is due here")
    if isinstance(value, bool):
        return SpecError(f"{due} is due here, not the truth value {show(value)}")
    if isinstance(value, tuple):
        return SpecError(f"{due} is due here, not the list {show(value)}")
    return SpecError(f"{due} is due here, not nothing" if value is None else f"not {due}: {value}")


@dataclass(frozen=True)
class Whole(Kind):
    """A whole number of at least `minimum`; symbolic where a closed form may have a symbol."""

    minimum: int | None = 1
    symbolic: bool = False
    description: str = "a whole number"

    def read(self, value: Any) -> Size:
        if isinstance(value, Dim):
            if not self.symbolic:
                free = ", ".join(sorted(value.symbols))
                raise SpecError(
                    f"a number is due here, not an expression in the symbol {free}: {value}",
                    hint="Only sizes, channels, padding and pool kernels may be symbolic.",
                )
            if not value.is_whole:
                raise SpecError(
                    f"a size is a whole number, and {value} is not whole for every value",
                    hint="Use // for division that rounds down.",
                )
            if self.minimum is not None and at_least(value, self.minimum) is False:
                raise SpecError(f"{value} is less than {self.minimum}")
            return value
        if isinstance(value, Fraction):
            raise SpecError(
                f"a whole number is due here, not the fraction {show(value)}",
                hint="Use // for division that rounds down.",
            )
        if isinstance(value, bool) or not isinstance(value, int):
            raise not_a_number(value, "a whole number")
        if self.minimum is not None and value < self.minimum:
            raise SpecError(f"{show(value)} is too small: at least {self.minimum} is due here")
        return value

    def schema(self) -> dict[str, Any]:
        number: dict[str, Any] = {"type": "integer"}
        if self.minimum is not None:
            number["minimum"] = self.minimum
        return {"anyOf": [number, {"type": "string"}]}

    def unknown(self, name: str) -> Dim:
        return symbol(name)


@dataclass(frozen=True)
class PerAxis(Kind):
    """One value for all spatial axes, or a list of one per axis."""

    each: Kind

    @property
    def description(self) -> str:  # type: ignore[override]
        return f"{self.each.description}, or one per axis"

    def read(self, value: Any) -> Any:
        if isinstance(value, tuple):
            check_axis_count(value)
            return tuple(map(self.each.read, value))
        return self.each.read(value)

    def schema(self) -> dict[str, Any]:
        return one_or_list(self.each.schema())

    def unknown(self, name: str) -> Any:
        return self.each.unknown(name)


@dataclass(frozen=True)
class Padding(Kind):
    """Zeros around the input."""

    words: tuple[str, ...] = ("valid", "same", "same_lower")
    minimum: int = 0

    @property
    def description(self) -> str:  # type: ignore[override]
        return f"a whole number, one per axis, [[before, after], …], or {', '.join(self.words)}"

    def read(self, value: Any) -> Pads:
        each = Whole(self.minimum, symbolic=True)
        if isinstance(value, str) and value in self.words:
            return 0 if value == "valid" else str(value)
        if isinstance(value, str):
            hint = did_you_mean(value, self.words)
            if hint:
                raise SpecError(f"unknown padding '{shorten(value)}'", hint=hint)
            raise not_a_number(value, f"a number or one of {', '.join(self.words)}")
        if not isinstance(value, tuple):
            return each.read(value)
        check_axis_count(value)
        if not any(isinstance(item, tuple) for item in value):
            return tuple(map(each.read, value))
        for pair in value:
            if not isinstance(pair, tuple) or len(pair) != 2:
                raise SpecError(
                    f"padding {show(value)}: every axis needs a pair [before, after]",
                    hint="For instance padding: [[1, 2], [1, 2]].",
                )
        return tuple((each.read(before), each.read(after)) for before, after in value)

    def schema(self) -> dict[str, Any]:
        number = Whole(self.minimum).schema()
        pair = {"type": "array", "items": number, "minItems": 2, "maxItems": 2}
        return one_or_list({"anyOf": [number, pair]})

    def unknown(self, name: str) -> Dim:
        return symbol(name)


@dataclass(frozen=True)
class Flag(Kind):
    """A truth value."""

    description: str = "true or false"

    def read(self, value: Any) -> bool:
        if isinstance(value, bool):
            return value
        raise SpecError(f"true or false is due here, not {show(value)}")

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [{"type": "boolean"}, {"type": "string"}]}


@dataclass(frozen=True)
class Decimal(Kind):
    """An exact number between two bounds."""

    minimum: Fraction | int = 0
    maximum: Fraction | int | None = None
    positive: bool = False

    @property
    def description(self) -> str:  # type: ignore[override]
        return f"a number from {self.minimum} to {self.maximum}" if self.maximum else "a number"

    def read(self, value: Any) -> int | Fraction:
        if isinstance(value, Dim):
            raise SpecError(f"a number is due here, not an expression in a symbol: {value}")
        if isinstance(value, bool) or not isinstance(value, (int, Fraction)):
            raise not_a_number(value, "a number")
        if value < self.minimum or (self.positive and value <= 0):
            least = "more than 0" if self.positive else f"at least {self.minimum}"
            raise SpecError(f"{show(value)} is too small: {least} is due here")
        if self.maximum is not None and value > self.maximum:
            raise SpecError(f"{show(value)} is too large: at most {self.maximum} is due here")
        return value

    def schema(self) -> dict[str, Any]:
        number: dict[str, Any] = {"type": "number", "minimum": int(self.minimum)}
        if self.maximum is not None:
            number["maximum"] = int(self.maximum)
        return {"anyOf": [number, {"type": "string"}]}


@dataclass(frozen=True)
class Choice(Kind):
    """One of some words."""

    words: tuple[str, ...]

    @property
    def description(self) -> str:  # type: ignore[override]
        return " or ".join(self.words)

    def read(self, value: Any) -> str:
        if isinstance(value, str) and value in self.words:
            return str(value)
        hint = did_you_mean(value, self.words) if isinstance(value, str) else ""
        raise SpecError(f"one of {', '.join(self.words)} is due here, not {show(value)}", hint=hint)

    def schema(self) -> dict[str, Any]:
        return {"type": "string"}


@dataclass(frozen=True)
class Axes(Kind):
    """Axis numbers: the batch is 0, the channels 1; negative ones count from the end."""

    single: bool = False

    @property
    def description(self) -> str:  # type: ignore[override]
        return "an axis number" if self.single else "an axis number or a list of them"

    def read(self, value: Any) -> Any:
        each = Whole(None)
        if self.single:
            return each.read(value)
        axes = value if isinstance(value, tuple) else (value,)
        if not axes:
            raise SpecError("at least one axis number is due here, not an empty list")
        check_axis_count(axes, 8)
        return tuple(map(each.read, axes))

    def schema(self) -> dict[str, Any]:
        number = Whole(None).schema()
        return number if self.single else one_or_list(number)


@dataclass(frozen=True)
class Reference(Kind):
    """The name of a layer whose spatial size is taken."""

    description: str = "the name of an earlier layer"

    def schema(self) -> dict[str, Any]:
        return {"type": "string"}


def one_or_list(each: dict[str, Any]) -> dict[str, Any]:
    """Schema of one value, or a list of them."""
    return {"anyOf": [each, {"type": "array", "items": each, "minItems": 1}]}


def check_axis_count(value: tuple[Any, ...], most: int = 3) -> None:
    """Raise unless the list could be one value per axis."""
    if not 1 <= len(value) <= most:
        raise SpecError(
            f"a list of 1 to {most} values is due here, one per axis, not {len(value)}: "
            f"{show(value)}"
        )


def iter_values(value: Any) -> Iterator[Any]:
    """A value and, if it is a list, all that is in it."""
    if isinstance(value, tuple):
        for item in value:
            yield from iter_values(item)
    else:
        yield value


Channels = Annotated[Size, Whole(symbolic=True)]
Count = Annotated[int, Whole()]
Kernel = Annotated[Any, PerAxis(Whole())]
PoolKernel = Annotated[Any, PerAxis(Whole(symbolic=True))]
Stride = Annotated[Any, PerAxis(Whole())]
Dilation = Annotated[Any, PerAxis(Whole())]
Sizes = Annotated[Any, PerAxis(Whole(symbolic=True))]
Boolean = Annotated[bool, Flag()]
Number = Annotated[int | Fraction, Decimal()]
LayerName = Annotated[Any, Reference()]
