"""The kinds of value that a layer's field takes: how each is read, described and put in a schema.

A layer's dataclass annotates its fields with the aliases at the end of this file; the spec reader,
`convcalc layers` and `convcalc schema` read them from there, so a field is declared once.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Any

from convcalc.dim import Dim, Size, at_least, symbol
from convcalc.errors import SpecError, did_you_mean, shorten

Pads = Any
"""Padding as read: a Size, one per axis, one (before, after) per axis, `same` or `same_lower`."""

MAX_SPATIAL_AXES = 3
MAX_AXES = 8
"""Of a tensor, with the batch."""

MAX_SIZE = 10**18
MAX_KERNEL = 100_000
"""Of a convolution, along one axis: its taps are looked at one by one where they meet padding."""
"""The largest number in a field: the products of some of them can still be printed."""


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

    @property
    def least(self) -> int | None:
        """What a number in the value is at least, if it may be symbolic."""
        return None

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({values})"

    def unknown(self, name: str) -> Any:
        """The value that stands for all values of this kind, or None where there is none."""
        return None


def show(value: object, depth: int = 0) -> str:
    """An evaluated value as a message shows it."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        # a list can hold another many times, and that the next …: more than can be walked through
        items = [show(item, depth + 1) for item in value[:20]] if depth < 2 else []
        return shorten(f"[{', '.join([*items, '…'] if len(items) < len(value) else items)}]")
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
    what = {bool: "the truth value ", tuple: "the list "}.get(type(value), "")
    return SpecError(f"{due} is due here, not {what}{show(value)}")


class NotWholeError(SpecError):
    """A symbolic size that is not whole for every value; `multipliers` are symbols to blame."""

    def __init__(self, value: Dim) -> None:
        super().__init__(
            f"a size is a whole number, and {value} is not whole for every value",
            hint="Use // for division that rounds down.",
        )
        self.multipliers = value.multipliers


class Whole(Kind):
    """A whole number of at least `minimum`; symbolic where a closed form may have a symbol."""

    description = "a whole number"

    def __init__(
        self, minimum: int | None = 1, symbolic: bool = False, maximum: int = MAX_SIZE
    ) -> None:
        self.minimum = minimum
        self.symbolic = symbolic
        self.maximum = maximum

    @property
    def least(self) -> int | None:
        return self.minimum

    def read(self, value: Any) -> Size:
        if isinstance(value, Dim):
            if not self.symbolic:
                free = ", ".join(sorted(value.symbols))
                raise SpecError(
                    f"a number is due here, not an expression in the symbol {free}: {value}",
                    hint="Only sizes, channels, padding and pool kernels may be symbolic; the form "
                    "of the network itself depends on all else.",
                )
            if not value.is_whole:
                raise NotWholeError(value)
            if self.minimum is not None and at_least(value, self.minimum) is False:
                raise SpecError(f"{value} is too small: at least {self.minimum} is due here")
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
        if abs(value) > self.maximum:
            raise SpecError(f"{show(value)} is too large: at most {self.maximum:,} is due here")
        return value

    def schema(self) -> dict[str, Any]:
        number: dict[str, Any] = {"type": "integer"}
        if self.minimum is not None:
            number["minimum"] = self.minimum
        return {"anyOf": [number, {"type": "string"}]}

    def unknown(self, name: str) -> Dim:
        return symbol(name)


class PerAxis(Kind):
    """One value for all spatial axes, or a list of one per axis."""

    def __init__(self, each: Kind) -> None:
        self.each = each

    @property
    def least(self) -> int | None:
        return self.each.least

    @property
    def description(self) -> str:  # type: ignore[override]
        return f"{self.each.description}, or one per axis"

    def read(self, value: Any) -> Any:
        if isinstance(value, tuple):
            check_axis_count(value)
            return tuple(map(self.each.read, value))
        return self.each.read(value)

    def schema(self) -> dict[str, Any]:
        return one_or_list(self.each.schema(), most=MAX_SPATIAL_AXES)

    def unknown(self, name: str) -> Any:
        return self.each.unknown(name)


PADDING_WORDS = ("valid", "same", "same_lower")


class Padding(Kind):
    """Zeros around the input."""

    def __init__(self, words: tuple[str, ...] = PADDING_WORDS, minimum: int = 0) -> None:
        self.words = words
        self.minimum = minimum

    @property
    def least(self) -> int | None:
        return self.minimum

    @property
    def description(self) -> str:  # type: ignore[override]
        return f"a whole number, one per axis, [[before, after], …], or {', '.join(self.words)}"

    def read(self, value: Any) -> Pads:
        each = Whole(self.minimum, symbolic=True)
        if isinstance(value, str) and value in self.words:
            return 0 if value == "valid" else str(value)
        if isinstance(value, str):
            due = f"{', '.join(('a number', *self.words[:-1]))} or {self.words[-1]}"
            hint = did_you_mean(value, self.words)
            if hint or value in PADDING_WORDS:
                raise SpecError(
                    f"unknown padding '{shorten(value)}'", hint=hint or f"Here {due} is due."
                )
            raise not_a_number(value, due)
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
        return one_or_list({"anyOf": [number, pair]}, most=MAX_SPATIAL_AXES)

    def unknown(self, name: str) -> Dim:
        return symbol(name)


class Flag(Kind):
    """A truth value."""

    description = "true or false"

    def read(self, value: Any) -> bool:
        if isinstance(value, bool):
            return value
        raise SpecError(f"true or false is due here, not {show(value)}")

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [{"type": "boolean"}, {"type": "string"}]}


class Decimal(Kind):
    """An exact number between two bounds."""

    def __init__(
        self,
        minimum: Fraction | int = 0,
        maximum: Fraction | int | None = None,
        positive: bool = False,
    ) -> None:
        self.minimum = minimum
        self.maximum = maximum
        self.positive = positive

    @property
    def description(self) -> str:  # type: ignore[override]
        if self.maximum is not None:
            return f"a number from {self.minimum} to {self.maximum}"
        return "a number above 0" if self.positive else f"a number of at least {self.minimum}"

    def read(self, value: Any) -> int | Fraction:
        if isinstance(value, Dim):
            raise SpecError(f"a number is due here, not an expression in a symbol: {value}")
        if isinstance(value, bool) or not isinstance(value, (int, Fraction)):
            raise not_a_number(value, "a number")
        if value < self.minimum or (self.positive and value <= 0):
            least = "more than 0" if self.positive else f"at least {self.minimum}"
            raise SpecError(f"{show(value)} is too small: {least} is due here")
        most = MAX_SIZE if self.maximum is None else self.maximum
        if value > most:
            raise SpecError(f"{show(value)} is too large: at most {most:,} is due here")
        return value

    def schema(self) -> dict[str, Any]:
        least = "exclusiveMinimum" if self.positive else "minimum"
        number: dict[str, Any] = {"type": "number", least: int(self.minimum)}
        if self.maximum is not None:
            number["maximum"] = int(self.maximum)
        return {"anyOf": [number, {"type": "string"}]}


class Choice(Kind):
    """One of some words."""

    def __init__(self, words: tuple[str, ...]) -> None:
        self.words = words

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


class Axes(Kind):
    """Axis numbers: the batch is 0, the channels 1; negative ones count from the end."""

    def __init__(self, single: bool = False) -> None:
        self.single = single

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
        check_axis_count(axes, MAX_AXES)
        return tuple(map(each.read, axes))

    def schema(self) -> dict[str, Any]:
        number = Whole(None).schema()
        return number if self.single else one_or_list(number, most=MAX_AXES)


class Reference(Kind):
    """The name of a layer whose spatial size is taken."""

    description = "the name of an earlier layer"

    def schema(self) -> dict[str, Any]:
        return {"type": "string"}


def one_or_list(each: dict[str, Any], most: int | None = None) -> dict[str, Any]:
    """Schema of one value, or a list of them, `most` at most."""
    many: dict[str, Any] = {"type": "array", "items": each, "minItems": 1}
    return {"anyOf": [each, many if most is None else {**many, "maxItems": most}]}


def check_axis_count(value: tuple[Any, ...], most: int = MAX_SPATIAL_AXES) -> None:
    """Raise unless the list could be one value per axis."""
    if not 1 <= len(value) <= most:
        raise SpecError(
            f"a list of 1 to {most} values is due here, one per axis, not {len(value)}: "
            f"{show(value)}"
        )


Channels = Annotated[Size, Whole(symbolic=True)]
Count = Annotated[int, Whole()]
Groups = Annotated[Size, Whole(symbolic=True)]
"""Symbolic only where they divide the channels at every value, as `groups: in_channels` does."""
Kernel = Annotated[Any, PerAxis(Whole(maximum=MAX_KERNEL))]
PoolKernel = Annotated[Any, PerAxis(Whole(symbolic=True))]
Stride = Annotated[Any, PerAxis(Whole())]
Dilation = Annotated[Any, PerAxis(Whole())]
Sizes = Annotated[Any, PerAxis(Whole(symbolic=True))]
Boolean = Annotated[bool, Flag()]
Number = Annotated[int | Fraction, Decimal()]
LayerName = Annotated[Any, Reference()]
