"""Checks as a table, and as what CI reads: JUnit's XML, and the annotations of GitHub."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from convcalc.analysis.checks import BUDGET, Held
from convcalc.dim import Dim
from convcalc.errors import shorten
from convcalc.report.page import Page
from convcalc.report.table import Column, Row, Table, Told
from convcalc.report.terminal import Rendered
from convcalc.spec.tree import Place

FOR_CI = ("junit", "github")
"""Further formats of checks."""


class Checked(NamedTuple):
    """A figure of a spec that was held against a rule."""

    spec: str
    held: Held

    def __str__(self) -> str:
        return f"{'✓' if self.held.ok else '✗'} {self.spec}: {self.told}"

    @property
    def told(self) -> str:
        """What was found, and what it was held against."""
        held = self.held
        if held.rule != BUDGET:
            if held.ok:
                return f"{held.quantity} {held.found:,}"
            return f"{held.quantity} expected {held.text}, found {held.found:,}"
        if held.ok:
            return f"{held.quantity} {held.found:,} ≤ {held.text}"
        return f"{held.quantity} {held.found:,} > {held.text}{self._over}"

    @property
    def _over(self) -> str:
        """By how much a budget is exceeded."""
        held = self.held
        if isinstance(held.found, Dim):
            return ", at every size"
        over = math.ceil(held.found - held.expected)
        percent = f" ({float(100 * over / held.expected):,.1f} %)" if held.expected else ""
        return f", {over:,}{percent} too many"


class Checks(Page):
    """Figures held against what is expected of them, and against budgets.

    `ok` says whether all are as they should be, `failed` has those that are not.
    """

    def __init__(self, checked: Iterable[Checked]) -> None:
        self.checked = list(checked)

    @property
    def ok(self) -> bool:
        """Whether all figures are as they should be."""
        return not self.failed

    @property
    def failed(self) -> list[Checked]:
        """The figures that are not as they should be."""
        return [checked for checked in self.checked if not checked.held.ok]

    def table(self, **options: Any) -> Table:
        """A row for every figure."""
        return Table(_COLUMNS, [_row(*checked) for checked in self.checked], title="Check")

    def rendered(self, width: int | None, **options: Any) -> Rendered:
        """A line for every figure."""
        styles = ["" if checked.held.ok else "failed" for checked in self.checked]
        lines = map(str, self.checked)
        return Rendered([[line] for line in zip(lines, styles, strict=True)])

    def to_dict(self) -> list[dict[str, Any]]:
        """A mapping for every figure."""
        return self.to_dicts()

    def to_junit(self) -> str:
        """The checks as JUnit's XML: a suite for every spec, a case for every figure."""
        from xml.etree import ElementTree

        suites: dict[str, list[Checked]] = {}
        for checked in self.checked:
            suites.setdefault(checked.spec, []).append(checked)
        root = ElementTree.Element("testsuites", {"name": "convcalc", **_counts(self.checked)})
        for spec, all_checked in suites.items():
            # what is no XML, as a control character, is none in an attribute either
            name = shorten(spec, 200)
            counts = {**_counts(all_checked), "skipped": "0"}
            suite = ElementTree.SubElement(root, "testsuite", {"name": name, **counts})
            for checked in all_checked:
                held = checked.held
                what = f"{held.rule} {held.quantity}"
                case = ElementTree.SubElement(
                    suite, "testcase", {"classname": name, "name": what, "time": "0"}
                )
                if not held.ok:
                    about = {"message": checked.told, "type": held.rule}
                    ElementTree.SubElement(case, "failure", about).text = _place(held)
        ElementTree.indent(root)
        text: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
        return text.decode()

    def to_github(self) -> str:
        """An annotation for every figure that is not as it should be, as a workflow prints it.

        https://docs.github.com/actions/reference/workflow-commands-for-github-actions
        """
        return "\n".join(map(_annotation, self.failed))


_COLUMNS = (
    Column("spec", "Spec"),
    Column("rule", "Rule"),
    Column("quantity", "Quantity"),
    Column("expected", "Expected", right=True),
    Column("found", "Found", right=True),
    Column("ok", "Confirmed"),
)


def _row(spec: str, held: Held) -> Row:
    limit = Told(held.expected, f"≤ {held.text}")
    expected = limit if held.rule == BUDGET else held.expected
    return Row((spec, held.rule, held.quantity, expected, held.found, held.ok))


def _counts(checked: list[Checked]) -> dict[str, str]:
    failures = sum(not one.held.ok for one in checked)
    counts = {"tests": len(checked), "failures": failures, "errors": 0, "time": 0}
    return {name: str(count) for name, count in counts.items()}


def _place(held: Held) -> str:
    return str(held.where) if held.where is not None else ""


def _annotation(checked: Checked) -> str:
    about = dict(_properties(checked))
    properties = ",".join(f"{name}={_escaped(value, ',:')}" for name, value in about.items())
    return f"::error {properties}::{_escaped(checked.told)}"


def _properties(checked: Checked) -> Iterator[tuple[str, str]]:
    """What GitHub puts an annotation on; an architecture of the zoo is no file there."""
    spec, held = checked
    if os.path.isfile(spec):
        yield "file", spec
        if isinstance(held.where, Place):
            yield "line", str(held.where.line)
            yield "col", str(held.where.column)
    yield "title", f"{shorten(spec, 200)}: {held.rule} {held.quantity}"


def _escaped(text: str, further: str = "") -> str:
    """Text as a workflow command has it: what would end it in percents."""
    for character in f"%\r\n{further}":
        text = text.replace(character, f"%{ord(character):02X}")
    return text
