"""Checks as a table, and as what CI reads: JUnit's XML, and the annotations of GitHub."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

from convcalc.analysis.checks import BUDGET, Held
from convcalc.dim import Dim
from convcalc.errors import ConvcalcError, shorten
from convcalc.notation import IMMENSE
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
        return f"{'✓' if self.held.ok else '✗'} {shorten(self.spec, 200)}: {self.told}"

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
        share = Fraction(100 * over) / held.expected if held.expected else IMMENSE
        percent = f" ({float(share):,.1f} %)" if share < IMMENSE else ""
        return f", {over:,}{percent} too many"


class Broken(NamedTuple):
    """A spec without figures, for there is something wrong with it."""

    spec: str
    error: ConvcalcError

    @property
    def told(self) -> str:
        """What is wrong, as it may stand in a message."""
        return "\n".join(shorten(line, 1_000) for line in str(self.error).splitlines())


class Checks(Page):
    """Figures held against what is expected of them, and against budgets.

    `ok` says whether all are as they should be, `failed` has those that are not; `broken` the specs
    that have none, which only formats for CI show.
    """

    def __init__(self, checked: Iterable[Checked], broken: Iterable[Broken] = ()) -> None:
        self.checked = list(checked)
        self.broken = list(broken)

    @property
    def ok(self) -> bool:
        """Whether all figures are there, and as they should be."""
        return not self.failed and not self.broken

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
        """The checks as JUnit's XML: a suite for every spec, a case for every figure.

        A spec that is broken is a case of its own, with an error.
        """
        from xml.etree import ElementTree

        every: list[Checked | Broken] = [*self.checked, *self.broken]
        suites: dict[str, list[Checked | Broken]] = {}
        for one in every:
            suites.setdefault(one.spec, []).append(one)
        root = ElementTree.Element("testsuites", {"name": "convcalc", **_counts(every)})
        for spec, cases in suites.items():
            # what is no XML, as a control character, is none in an attribute either
            name = shorten(spec, 200)
            counts = {**_counts(cases), "skipped": "0"}
            suite = ElementTree.SubElement(root, "testsuite", {"name": name, **counts})
            for one in cases:
                about = {"classname": name, "name": _what(one), "time": "0"}
                case = ElementTree.SubElement(suite, "testcase", about)
                if isinstance(one, Broken):
                    wrong = {"message": one.told, "type": type(one.error).__name__}
                    ElementTree.SubElement(case, "error", wrong)
                elif not one.held.ok:
                    wrong = {"message": one.told, "type": one.held.rule}
                    ElementTree.SubElement(case, "failure", wrong).text = _place(one.held)
        ElementTree.indent(root)
        text: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
        return text.decode()

    def to_github(self) -> str:
        """An annotation for every figure that is not as it should be, as a workflow prints it.

        A spec that is broken has one too.
        https://docs.github.com/actions/reference/workflow-commands-for-github-actions
        """
        wrong: list[Checked | Broken] = [*self.broken, *self.failed]
        return "\n".join(map(_annotation, wrong))


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


def _counts(cases: Sequence[Checked | Broken]) -> dict[str, str]:
    errors = sum(isinstance(one, Broken) for one in cases)
    failures = sum(isinstance(one, Checked) and not one.held.ok for one in cases)
    counts = {"tests": len(cases), "failures": failures, "errors": errors, "time": 0}
    return {name: str(count) for name, count in counts.items()}


def _what(one: Checked | Broken) -> str:
    return "spec" if isinstance(one, Broken) else f"{one.held.rule} {one.held.quantity}"


def _place(held: Held) -> str:
    return str(held.where) if held.where is not None else ""


def _annotation(one: Checked | Broken) -> str:
    about = dict(_properties(one))
    properties = ",".join(f"{name}={_escaped(value, ',:')}" for name, value in about.items())
    return f"::error {properties}::{_escaped(one.told)}"


def _properties(one: Checked | Broken) -> Iterator[tuple[str, str]]:
    """What GitHub puts an annotation on; an architecture of the zoo is no file there."""
    file, line, column = one.spec, "", ""
    if isinstance(one, Checked) and isinstance(one.held.where, Place):
        line, column = str(one.held.where.line), str(one.held.where.column)
    elif isinstance(one, Broken):
        # it may be in a spec that this one extends
        found = re.match(r"(.+?):(\d+):(\d+)(?:: |$)", one.error.where)
        if found and os.path.isfile(found[1]):
            file, line, column = found.groups()
    if os.path.isfile(file):
        # GitHub looks for ./net.yaml, or for one of a folder where a step runs, in vain
        within = os.path.relpath(file, os.environ.get("GITHUB_WORKSPACE") or os.curdir)
        yield "file", file if within.startswith(os.pardir) else within
        if line:
            yield "line", line
            yield "col", column
    yield "title", f"{shorten(one.spec, 200)}: {_what(one)}"


def _escaped(text: str, further: str = "") -> str:
    """Text as a workflow command has it: what would end it in percents."""
    for character in f"%\r\n{further}":
        text = text.replace(character, f"%{ord(character):02X}")
    return text
