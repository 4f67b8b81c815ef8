"""What still fits: the answer of a search as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from convcalc.analysis.conditions import UNITS, Comparison, Operand, ratio
from convcalc.analysis.fit import BUILT, SCANNED, Figures, Fit
from convcalc.analysis.quantities import ALIASES
from convcalc.dim import exact_number
from convcalc.report.formats.text import plain_rows
from convcalc.report.page import Page
from convcalc.report.table import JSON_VERSION, Column, Row, Table, Told, plain
from convcalc.report.terminal import Rendered, paragraphs

_PEAK = "peak_activation_bytes"


@dataclass(frozen=True, repr=False)
class FitReport(Fit, Page):
    """The answer of `fit`, for a network of a name and a title, with its other variables.

    `str()` is the answer with a table of the figures.
    """

    name: str = ""
    title: str = ""
    others: tuple[str, ...] = ()
    limit: int | Fraction | None = None

    def __str__(self) -> str:
        return self.text()

    __repr__ = __str__

    @property
    def _names(self) -> str:
        return " = ".join(self.names)

    @property
    def _kept(self) -> str:
        several = len(self.conditions) > 1
        return " and ".join(f"({c})" if several else str(c) for c in self.conditions)

    def table(self, **options: Any) -> Table:
        """The figures at the answer and at the next value, a row each."""
        found = [f for f in (self.best or self.smallest, self.next) if f is not None]
        rows = []
        for name in found[0].figures if found else ():
            if name not in self.names:
                short = next(
                    (s for s, full in ALIASES.items() if full == name and s in self._kept), name
                )
                unit = next((c.units[name] for c in self.conditions if name in c.units), "")
                rows.append(Row((short, *(_told(column.figures[name], unit) for column in found))))
        for operand, unit in self._compared() if found else ():
            values = (_value(operand, column) for column in found)
            rows.append(Row((operand.text, *(_told(value, unit) for value in values))))
        heads = (f"{self._names} = {_number(column.value)}" for column in found)
        return Table(
            (Column("figure", ""), *(Column(head, head, right=True) for head in heads)),
            rows,
            title=self.title,
            remarks=(self._headline(),),
            notes=tuple(filter(None, self._notes())),
        )

    def rendered(self, width: int | None, **options: Any) -> Rendered:
        """The answer as text, for a terminal of some width."""
        table = self.table()
        rows = plain_rows(table, width).rows if table.rows else []
        answer = paragraphs(table.remarks, width).rows
        notes = paragraphs(table.notes, width).rows
        return Rendered([*answer, [], *rows, *([[]] if rows else []), *notes])

    def _compared(self) -> Iterator[tuple[Operand, str]]:
        """What is compared and is more than a name and the varied variables, with its unit."""
        seen: set[str] = set()
        for condition in self.conditions:
            for comparison in condition.rule.comparisons():
                operand = _operand(comparison)
                if operand is None or set(operand.names()) <= {*self.names}:
                    continue
                if operand.text not in seen:
                    seen.add(operand.text)
                    units = set(comparison.units())
                    yield operand, units.pop() if len(units) == 1 else ""

    def _headline(self) -> str:
        if self.best is not None:
            found = _number(self.best.value)
            return f"{self.title}: the largest {self._names} is {found}, with {self._kept}."
        if self.least is not None:
            return (
                f"{self.title}: there is no largest {self._names}: {self._kept} holds at values as "
                f"large as sizes get, and first at {_number(self.least)}."
            )
        if self.smallest is None:
            return f"{self.title}: no {self._names} was found that the network accepts."
        return f"{self.title}: no {self._names} fits {self._kept}."

    def _notes(self) -> Iterator[str]:
        """How it was found, and the way out where it is no answer."""
        names = self._names
        of = f"multiple of {_number(self.step)}" if self.step is not None else "value"
        first, last = map(_number, self.searched)
        if self.how == BUILT:
            yield (
                f"{names} decides the structure: the network was built for every {of} from {first} "
                f"to {last}; --max looks further."
            )
        elif self.limit is not None and self.searched[1] + (self.step or 1) > self.limit:
            yield f"Larger ones than {_number(self.limit)}, the --max, were not looked at."
        elif self.how == SCANNED:
            yield (
                f"Every {of} from {first} to {last} was tried; the closed forms do not say that no "
                "other fits. --max looks elsewhere."
            )
        elif self.best is not None:
            more = f", of the multiples of {_number(self.step)}" if self.step is not None else ""
            yield f"By the closed forms, no larger {names} fits{more}."
        if any(_PEAK in condition.names for condition in self.conditions):
            weights = any("param_bytes" in condition.names for condition in self.conditions)
            yield "peak_bytes is that of inference: what is alive at once, no gradients" + (
                "." if weights else ", and without the weights, which are param_bytes."
            )
        if self.best is None and self.fixed:
            others = [name for name in self.others if name not in self.names]
            many = "is" if len(self.fixed) == 1 else "are"
            yield (
                f"{', '.join(self.fixed)} {many} the same at every {names}: vary another variable, "
                f"of {', '.join(others)}."
            )
        elif self.best is None and not self.unbounded and self.smallest is not None:
            yield (
                f"These are the figures at the smallest {names} that the network accepts; --set "
                "changes other variables."
            )

    def to_dict(self) -> dict[str, Any]:
        """The answer as `--format json` prints it."""
        return {
            "convcalc": JSON_VERSION,
            "name": self.name,
            "vary": list(self.names),
            "step": plain(self.step),
            "keep": [str(condition) for condition in self.conditions],
            "value": plain(self.value),
            "unbounded": self.unbounded,
            "least": plain(self.least),
            "best": _entry(self.best),
            "next": _entry(self.next),
            "smallest": _entry(self.smallest),
            "fixed": list(self.fixed),
            "how": self.how,
            "searched": [plain(end) for end in self.searched],
        }


def _operand(comparison: Comparison) -> Operand | None:
    """The side of a comparison that has names, the left one first; None where it is one name."""
    operand = comparison.left if list(comparison.left.names()) else comparison.right
    return None if operand.text in {*operand.names(), *ALIASES} else operand


def _value(operand: Operand, column: Figures) -> Any:
    found = operand.value_at({name: ratio(name, v) for name, v in column.figures.items()})
    return exact_number(Fraction(found.above, found.below))


def _number(value: int | Fraction) -> str:
    return f"{value:,}" if isinstance(value, int) else str(plain(value))


def _told(value: Any, unit: str) -> Told:
    return Told(value, _figure(value, unit))


def _figure(value: Any, unit: str) -> str:
    """A figure, exactly, and in the unit of the condition."""
    if not isinstance(value, int):
        exact = plain(value)
        return f"≈ {float(value):,.3f}" if isinstance(exact, str) else str(exact)
    if not unit or UNITS[unit][0] == 1:
        return f"{value:,}"
    rounded = round(Fraction(value, UNITS[unit][0]), 3)
    sign = "=" if rounded * UNITS[unit][0] == value else "≈"
    return f"{value:,} {sign} {f'{float(rounded):,.3f}'.rstrip('0').rstrip('.')} {unit}"


def _entry(column: Figures | None) -> dict[str, Any] | None:
    """A value of the variable and the figures there, as JSON has them."""
    if column is None:
        return None
    figures = {name: plain(value) for name, value in column.figures.items()}
    return {"value": plain(column.value), "figures": figures}
