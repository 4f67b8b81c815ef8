"""Closed forms as text for people, LaTeX, Python and JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from convcalc.analysis.closed_form import Formula
from convcalc.dim import Dim, Size, as_equation
from convcalc.errors import ConvcalcError
from convcalc.notation import CODE, LATEX, TEXT, Notation
from convcalc.report.table import JSON_VERSION, Column, Row, Table, Told, plain

LABELS = {"macs": "MACs", "flops": "FLOPs"}
"""How quantities are called where it is not their name."""

_HELPERS = {
    "make_divisible": [
        "def make_divisible(v, d, least=None):",
        "    nearest = max(d if least is None else least, int(v + Fraction(d, 2)) // d * d)",
        "    return nearest + d if 10 * nearest < 9 * v else nearest",
    ],
    "gcd": ["from math import gcd"],
}


class Written:
    """A closed form with what it is of: `of` a quantity, or the output of a layer, an axis each."""

    def __init__(
        self, title: str, of: str, formulas: Sequence[Formula], defaults: Mapping[str, Any]
    ) -> None:
        self.title = title
        self.of = of
        self.formulas = tuple(formulas)
        self.is_shape = of.startswith("output:")
        self.defaults = defaults
        used = {name for formula in formulas for name in formula.symbols}
        self.names = [name for name in formulas[0].names if name in used]

    def text(self, width: int | None) -> list[str]:
        """Lines of at most `width` columns where that can be; one for the formula without a width.

        After the formula, its value at the values that the variables have, and its domain.
        """
        head = f"{self.title}   " if self.title else ""
        lines = self._broken(f"{head}{self._left(TEXT)} = ", TEXT, width)
        value = self.value()
        if value is not None and self.names:
            lines.append(f"{' ' * len(head)}{self._point()}:  {_grouped(value)}")
        lines.extend(" " * len(head) + remark for remark in self.remarks())
        return lines

    def latex(self) -> list[str]:
        """An align* environment of amsmath, to be put into a document as it is."""
        first, *more = (line.strip() for line in self._broken("", LATEX, 110))
        lines = [f"& {first}", *(rf"& \quad {{}} {line}" for line in more)]
        domain = self._domain_latex()
        if domain:
            lines.append(rf"& \quad \text{{for }} {domain}")
        return [
            f"% {self.title}: {', '.join([self.of, *self.remarks()])}",
            r"\begin{align*}",
            rf"{self._left(LATEX)} ={{}}",
            " \\\\\n".join(lines),
            r"\end{align*}",
        ]

    def python(self) -> list[str]:
        """A function of Python, exact for ints and Fractions; `python_helpers` is what it needs."""
        texts = []
        for formula in self.formulas:
            value = formula.value
            texts.append(value.write(CODE) if isinstance(value, Dim) else str(value))
        body = texts[0] if not self.is_shape else f"({', '.join(texts)})"
        name = re.sub(r"\W", "_", self.of)
        about = "; ".join([f"{self.title}: {self.of}", *self.remarks()])
        return [
            f"def {name}({', '.join(self.names)}):",
            f"    {json.dumps(f'{about}.', ensure_ascii=False)}",
            f"    return {body}",
        ]

    def to_dict(self) -> dict[str, Any]:
        """The formula in all notations, its value and its domain."""
        forms: list[dict[str, Any]] = [
            {"text": str(f), "python": plain(f.value), "latex": f.latex()} for f in self.formulas
        ]
        formula = self.formulas[0]
        domain = {
            "smallest": formula.limits.smallest,
            "conditions": formula.limits.needs,
            "assumed": [_decision(*decision) for decision in formula.forms.assumed().items()],
        }
        values = {name: plain(self.defaults.get(name)) for name in self.names}
        about = {
            "of": self.of,
            "symbols": self.names,
            "values": values,
            "value": plain(self.value()),
        }
        return {**about, **({"axes": forms} if self.is_shape else forms[0]), **domain}

    def row(self) -> Row:
        """The formula, its value and its domain, as a row of a table."""
        shown = [formula.write(TEXT) for formula in self.formulas]
        form: Any = self.formulas[0]
        if self.is_shape:
            form = Told([plain(f.value) for f in self.formulas], TEXT.shape(shown))
        value = self.value()
        found = Told(value, _grouped(value)) if isinstance(value, list) else value
        at = self._point() if value is not None and self.names else ""
        return Row((self.title, self.of, form, found, at, "; ".join(self.remarks())))

    def value(self) -> Any:
        """The value at the values of the variables; None where the network does not fit there."""
        try:
            found = [f.evaluate(**{n: self.defaults[n] for n in f.names}) for f in self.formulas]
        except (ConvcalcError, KeyError):
            return None
        return found if self.is_shape else found[0]

    def _domain_latex(self) -> str:
        found = self.formulas[0].limits
        least = [rf"{LATEX.symbol(n)} \ge {v}" for n, v in found.smallest.items() if v > 1]
        signs = {"==": "=", ">=": r"\ge"}
        more = [f"{_latex(c.left)} {signs[c.relation]} {_latex(c.right)}" for c in found.conditions]
        return r",\; ".join([*least, *more])

    def remarks(self) -> list[str]:
        """For which values it holds."""
        formula = self.formulas[0]
        found = formula.limits
        lines = []
        if found.bounds or found.needs:
            lines.append(f"for {found}")
        assumed = [_decision(*decision) for decision in formula.forms.assumed().items()]
        if assumed:
            lines.append(f"where {', '.join(assumed)}; elsewhere the network has another structure")
        fractions = sorted(formula.forms.multipliers & set(self.names))
        if fractions:
            lines.append(f"{', '.join(fractions)}: any fraction above 0")
        return lines

    def _left(self, notation: Notation) -> str:
        names = ", ".join(notation.symbol(name) for name in self.names)
        label = LABELS.get(self.of, self.of)
        if notation is LATEX:
            label = rf"\mathrm{{{label}}}".replace("_", r"\_")
        return f"{label}({names})" if self.names else label

    def _broken(self, head: str, notation: Notation, width: int | None) -> list[str]:
        """The formula after its head, a sum over several lines where it is too long."""
        if self.is_shape:
            shown = [formula.write(notation) for formula in self.formulas]
            return [f"{head}{notation.shape(shown)}"]
        formula = self.formulas[0]
        whole = head + formula.write(notation)
        value = formula.value
        if width is None or len(whole) <= width or not isinstance(value, Dim):
            return [whole]
        before, terms, after = value.parts(notation)
        start = head + before
        indent = " " * max(0, len(start) - 2)
        lines = [start]
        empty = True
        for negative, term in terms:
            sign = f"{notation.minus if negative else '+'} "
            piece = term if empty and lines == [start] and not negative else sign + term
            if not empty and len(lines[-1]) + 1 + len(piece) + len(after) > width:
                lines.append(indent + piece)
            else:
                lines[-1] += piece if empty else f" {piece}"
            empty = False
        lines[-1] += after
        return lines

    def _point(self) -> str:
        """H = W = 224, N = 1."""
        by_value: dict[Any, list[str]] = {}
        for name in sorted(self.names, key=lambda name: name == "N"):
            by_value.setdefault((self.defaults[name], name == "N"), []).append(name)
        return ", ".join(f"{' = '.join(names)} = {value}" for (value, _), names in by_value.items())


def _decision(difference: Dim, zero: bool) -> str:
    return as_equation(difference, "=" if zero else "≠")


def _grouped(value: Any) -> str:
    return f"[{', '.join(map(_grouped, value))}]" if isinstance(value, list) else f"{value:,}"


def _latex(size: Size) -> str:
    return size.latex() if isinstance(size, Dim) else str(size)


_COLUMNS = (
    Column("network", "Network"),
    Column("of", "What"),
    Column("formula", "Formula", wraps=True),
    Column("value", "Value", right=True),
    Column("at", "At"),
    Column("domain", "Holds", wraps=True),
)


def table(written: Sequence[Written]) -> Table:
    """Formulas as a table, a row each."""
    return Table(_COLUMNS, [one.row() for one in written])


def python_module(written: Sequence[Written]) -> list[str]:
    """Functions of Python, after each other, with what they need above them, once."""
    functions = [one.python() for one in written]
    text = "\n".join(line for lines in functions for line in lines)
    needed = [helper for name, helper in _HELPERS.items() if f"{name}(" in text]
    head = ["from fractions import Fraction"] if "Fraction(" in text + str(needed) else []
    head += [line for helper in needed for line in ["", "", *helper]]
    return [*head, *(line for lines in functions for line in ["", "", *lines])]


def to_dict(name: str, variables: Mapping[str, Any], written: Sequence[Written]) -> dict[str, Any]:
    """What `formula --format json` prints."""
    return {
        "convcalc": JSON_VERSION,
        "name": name,
        "variables": {name: plain(value) for name, value in variables.items()},
        "formulas": [one.to_dict() for one in written],
    }
