"""The one model of what is shown as a table: columns, rows of values, and what is said around it.

Reports make tables, `convcalc.report.formats` writes them: a new report needs no new writer, and a
new format no change to a report. Cells hold values, not text: numbers, closed forms, sizes, words;
`cell` says how people read them, `data` what programs get.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from fractions import Fraction
from typing import Any, NamedTuple

from convcalc.dim import Dim, Size
from convcalc.report.terminal import outside_brackets

JSON_VERSION = 1
"""Of what `--format json` prints."""
LAYER, MODULE, TOTAL = "layer", "module", "total"
"""What a row is; only layers and modules have rows below them."""

AUTO = "auto"
COUNTS = {"K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
"""Units of rounded counts."""
BYTE_UNITS = {
    "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
    "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40,
}  # fmt: skip
"""Units of memory: decimal ones, and binary ones."""


class Rounding(NamedTuple):
    """Numbers in a unit, to so many digits after the point; 'auto' takes one for each number."""

    unit: str
    digits: int = 1

    def written(self, value: int, units: dict[str, int]) -> tuple[str, str]:
        """The number, rounded half to even, and the unit where it is not that of all numbers."""
        choices = {"": 1, **decimal(units)} if self.unit == AUTO else {"": units[self.unit]}
        for unit, factor in choices.items():
            digits = self.digits if factor > 1 else 0
            scaled = round(Fraction(value * 10**digits, factor))
            whole, rest = divmod(abs(scaled), 10**digits)
            sign, decimals = "−" * (scaled < 0), f".{rest:0{digits}}" * (digits > 0)
            written = f"{sign}{whole:,}{decimals}", unit
            if whole < 1000:  # rounded: 999,999 is 1.0 M, not 1,000.0 K
                break
        return written


def decimal(units: dict[str, int]) -> dict[str, int]:
    """The decimal ones of some units, the smallest first."""
    return {name: factor for name, factor in units.items() if factor % 10 == 0}


class Column(NamedTuple):
    """A column: its name for programs, its header for people, and how its values are shown."""

    key: str
    header: str
    right: bool = False
    style: str = ""
    """The name of a style for terminals."""
    zero: str = "0"
    """How a zero is shown to people."""
    unit: str = ""
    """What its exact numbers count, where the header does not say."""
    units: dict[str, int] = {}  # noqa: RUF012 - a constant of this module
    """The units that its numbers may be rounded to; none where they stay exact."""
    rounding: Rounding | None = None
    wraps: bool = False
    """Whether long texts in it may be broken into lines."""
    is_share: bool = False
    """Whether its values are shares, which have bars where there is room."""

    @property
    def title(self) -> str:
        """The header, with the unit where all numbers have the same."""
        unit = self.rounding.unit if self.rounding else self.unit or AUTO
        return self.header if unit == AUTO else f"{self.header} ({unit})"


class Row(NamedTuple):
    """A row: a value for each column; the first says what it is of."""

    cells: tuple[Any, ...]
    kind: str = LAYER
    level: int = 0
    """How deep it is in the tree: it is part of the nearest row above of a smaller level."""
    times: int = 1
    """How many neighbours that are the same it stands for."""

    @property
    def is_symbolic(self) -> bool:
        """Whether there is a closed form in it."""
        sizes = (size for value in self.cells if isinstance(value, Sizes) for size in value)
        return any(isinstance(value, Dim) for value in (*self.cells, *sizes))


class Table(NamedTuple):
    """A table with what is said around it."""

    columns: tuple[Column, ...]
    rows: list[Row]
    total: Row | None = None
    title: str = ""
    about: str = ""
    """What stands beside the title."""
    source: str = ""
    remarks: tuple[str, ...] = ()
    """How the table is to be read."""
    hints: tuple[str, ...] = ()
    """How a terminal shows more of it."""
    notes: tuple[str, ...] = ()
    """What there is to say beside the table, a paragraph each."""
    below: tuple[Row, ...] = ()
    """Rows below the total that people read, as its ratios; they are no part of any sum."""

    @property
    def all_rows(self) -> list[Row]:
        """The rows, the total as the last."""
        return [*self.rows, self.total] if self.total is not None else self.rows

    @property
    def shown_rows(self) -> list[Row]:
        """All rows that people read, the total and what is below it at the end."""
        return [*self.all_rows, *self.below]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing in it: people read what is said around it, and no header."""
        return not self.rows and self.total is None

    @property
    def is_tree(self) -> bool:
        """Whether rows are parts of others."""
        return any(row.level for row in self.rows)

    @property
    def is_symbolic(self) -> bool:
        """Whether there are closed forms in it."""
        return any(row.is_symbolic for row in self.all_rows)

    def to_dicts(self, total: bool = False) -> list[dict[str, Any]]:
        """A mapping for every row, by the columns' names; with the total or without."""
        keys = [column.key for column in self.columns]
        rows = self.all_rows if total else self.rows
        return [dict(zip(keys, map(data, row.cells), strict=True)) for row in rows]


class Share(NamedTuple):
    """A part of a whole: people see a percentage, and a bar where there is room for it."""

    part: Size
    whole: Size

    @property
    def fraction(self) -> Fraction | None:
        """The share, exactly; None where it is none, or symbolic."""
        if isinstance(self.part, Dim) or isinstance(self.whole, Dim) or not self.whole:
            return None
        return Fraction(self.part, self.whole) if self.part else None


class Sizes(tuple[Any, ...]):
    """The sizes of a tensor, shown as 64×112×112."""

    __slots__ = ()


class Told(NamedTuple):
    """A value that people read in other words, as one with its unit beside it."""

    value: Any
    text: str


class Script(ABC):
    """How values are written in one format."""

    times = "×"

    @abstractmethod
    def text(self, text: str) -> str:
        """Words, with whatever the format would misread made harmless."""

    def number(self, digits: str) -> str:
        """A number with its separators, as 1,234.5."""
        return digits

    def formula(self, form: Dim) -> str:
        """A closed form."""
        return self.text(str(form))

    def sizes(self, sizes: Sequence[Size]) -> str:
        """The sizes of a tensor."""
        return self.times.join(
            [self._factor(size) if isinstance(size, Dim) else str(size) for size in sizes]
        )

    def _factor(self, size: Dim) -> str:
        return f"({self.formula(size)})" if is_compound(size) else self.formula(size)

    def share(self, share: Share) -> str:
        """A percentage; nothing where there is none."""
        fraction = share.fraction
        return "" if fraction is None else self.number(f"{100 * share.part / share.whole:.1f}")


def is_compound(size: Dim) -> bool:
    """Whether a closed form is a sum or a product, which needs brackets within another."""
    outside = outside_brackets(str(size))
    return " " in outside or "·" in outside


def cell(value: Any, column: Column, script: Script) -> str:
    """A value as people read it."""
    kind = type(value)
    if kind is int:
        return _count(value, column, script)
    if kind is Sizes:
        return script.sizes(value)
    if value is None:
        return ""
    if isinstance(value, str):
        return script.text(value)
    if kind is bool:
        return "yes" if value else "no"
    if isinstance(value, Dim):
        return script.formula(value)
    if isinstance(value, Share):
        return script.share(value)
    if isinstance(value, Told):
        return script.text(value.text)
    if isinstance(value, list):
        return f"[{', '.join(cell(item, column, script) for item in value)}]"
    shown = plain(value)
    if isinstance(shown, float) and math.isfinite(shown):
        return script.number(f"{shown:,}")
    return script.text(str(shown))


def _count(value: int, column: Column, script: Script) -> str:
    if not value:
        return script.text(column.zero)
    if column.rounding is None:
        return script.number(f"{value:,}")
    digits, unit = column.rounding.written(value, column.units)
    return f"{script.number(digits)} {unit}" if unit else script.number(digits)


def data(value: Any) -> Any:
    """A value as programs get it: numbers exactly, a share in percent, sizes as a list."""
    if isinstance(value, Told):
        return data(value.value)
    if isinstance(value, Share):
        return None if value.fraction is None else 100 * value.part / value.whole
    return plain(value)


def plain(value: Any) -> Any:
    """A value as JSON has it: numbers as numbers, symbolic ones as text that a spec reads back."""
    if isinstance(value, Dim):
        return value.python()
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    if isinstance(value, Fraction):
        decimal = float(value)
        # 11/10 is the decimal 1.1 exactly as JSON writes it; 1/3 is none
        exact = Fraction(str(decimal)) == value
        return decimal if exact else f"{value.numerator}/{value.denominator}"
    return str(value) if isinstance(value, str) else value
