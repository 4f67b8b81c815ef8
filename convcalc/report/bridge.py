"""Bridges from the multiply–accumulates to what counters print, as text and as plain values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from convcalc.conventions.rules import MACS_LABEL
from convcalc.dim import Dim, Size
from convcalc.report.columns import about
from convcalc.report.formats.text import heading
from convcalc.report.page import Page
from convcalc.report.table import (
    JSON_VERSION,
    MODULE,
    TOTAL,
    Column,
    Row,
    Table,
    Told,
    plain,
)
from convcalc.report.terminal import Rendered, outside_brackets, wrapped

if TYPE_CHECKING:
    from convcalc.conventions.rules import Bridge, Term
    from convcalc.report.report import Report

_INDENT = "  "


class Reconciliation(Page):
    """What some counters print for one network."""

    def __init__(self, report: Report, bridges: Sequence[Bridge]) -> None:
        self.report = report
        self.bridges = bridges

    def table(self, **options: Any) -> Table:
        """A line for each counter, its terms below it."""
        rows = []
        for bridge in self.bridges:
            least = f"≥ {bridge.total:,}"
            figure = Told(bridge.total, least) if bridge.is_lower_bound else bridge.total
            rows.append(Row((bridge.name, figure, bridge.unit), MODULE))
            rows.extend(Row((term.label, term.value, ""), level=1) for term in bridge.terms)
        return self._table(
            (Column("counter", "Counter"), _FIGURE, _UNIT),
            rows,
            notes=tuple(
                f"{bridge.name}: {_about(bridge)} {_unknown(bridge)}".rstrip()
                for bridge in self.bridges
            ),
        )

    def records(self, **options: Any) -> Table:
        """A row for each term of each counter, and one for its total."""
        rows = []
        for bridge in self.bridges:
            terms = [(term.label, term.value) for term in bridge.terms]
            for label, value in [*terms, (TOTAL, bridge.total)]:
                rows.append(Row((bridge.name, label, value, bridge.unit)))
        return self._table((Column("counter", ""), Column("term", ""), _FIGURE, _UNIT), rows)

    def _table(self, columns: tuple[Column, ...], rows: list[Row], **said: Any) -> Table:
        report = self.report
        return Table(
            columns, rows, title=report.title, about=about(report), source=report.source, **said
        )

    def rendered(self, width: int | None, **options: Any) -> Rendered:
        """The figure of each counter, why it differs, and the bridge to it, under one heading."""
        rows = heading(self.table(), width)
        room = None if width is None else width - len(_INDENT)
        for i, bridge in enumerate(self.bridges):
            if i:
                rows.append([])
            least = "≥ " if bridge.is_lower_bound else ""
            figure = f"  {least}{bridge.total:,} {bridge.unit}"
            rows.append([(bridge.name, "module"), (figure, "total")])
            for text, style in ((_about(bridge), "faint"), (_unknown(bridge), "failed")):
                for line in wrapped(text, room, indent="") if text else ():
                    rows.append([(f"{_INDENT}{line}", style)])
            for line in _filled(_pieces(bridge), room):
                rows.append([(f"{_INDENT}{line}", "")])
        return Rendered(rows)

    def to_dict(self) -> dict[str, Any]:
        """The bridges as `reconcile --format json` prints them."""
        return bridges_to_dict(self.report, self.bridges)


_FIGURE = Column("figure", "Figure", right=True)
_UNIT = Column("unit", "Unit")


def equation(bridge: Bridge) -> str:
    """The bridge on one line: a (conv + linear) + b (batch norm, 4 per element) = c = what …."""
    return " ".join(_pieces(bridge))


def bridges_to_dict(report: Report, bridges: Sequence[Bridge]) -> dict[str, Any]:
    """The bridges as `reconcile --format json` prints them; `layers` has what each layer adds."""
    values = {bridge.name: bridge.rows for bridge in bridges}
    return {
        "convcalc": JSON_VERSION,
        "name": report.name,
        "inputs": {str(node.name): plain(node.shape) for node in report.graph.inputs},
        "variables": {name: plain(value) for name, value in report.variables.items()},
        "conventions": [
            {
                "name": bridge.name,
                "unit": bridge.unit,
                "version": bridge.version,
                "evidence": bridge.evidence,
                "measured": bridge.measured,
                "why": bridge.why,
                "total": plain(bridge.total),
                "lower_bound": bridge.is_lower_bound,
                "unknown": list(bridge.unknown),
                "terms": [
                    {name: plain(value) for name, value in term._asdict().items()}
                    for term in bridge.terms
                ],
            }
            for bridge in bridges
        ],
        "layers": [
            {
                "name": row.name,
                "type": row.type,
                **{name: plain(rows[i].value) for name, rows in values.items()},
            }
            for i, row in enumerate(report.rows)
        ],
    }


def _about(bridge: Bridge) -> str:
    """What counts here, how that is known, and why the figure differs."""
    if bridge.evidence == "defined":
        return bridge.why
    return f"{bridge.version}, {bridge.evidence}. {bridge.why}"


def _unknown(bridge: Bridge) -> str:
    """Which layers make the figure a lower bound."""
    if not bridge.unknown:
        return ""
    return f"A lower bound: no source says how it counts {', '.join(bridge.unknown)}."


def _pieces(bridge: Bridge) -> Iterator[str]:
    """The terms, the total and what it is: what a line may break between."""
    sign = ""
    for term in bridge.terms:
        amount = _amount(term)
        if amount.startswith("−") and sign:
            sign, amount = "− ", amount[1:]
        yield f"{sign}{amount} ({term.label})"
        sign = "+ "
    if not bridge.terms:
        yield "0"
    yield f"= {bridge.total:,}"
    prints = "prints" if bridge.measured else "would print"
    what = bridge.name if bridge.evidence == "defined" else f"what {bridge.name} {prints}"
    yield f"{'≤' if bridge.is_lower_bound else '='} {what}"


def _amount(term: Term) -> str:
    """A term's value; of the MACs, as factor · MACs. A minus stands in front."""
    if term.label == MACS_LABEL and term.factor != 1:
        return f"{term.factor} · {_factor(term.elements)}"
    value: Any = term.value
    if term.factor < 0 or (not isinstance(value, Dim) and value < 0):
        return f"−{_factor(-value)}"
    return _factor(value)


def _factor(value: Size) -> str:
    text = f"{value:,}"
    return f"({text})" if " " in outside_brackets(text) else text


def _filled(pieces: Iterable[str], width: int | None) -> Iterator[str]:
    """The pieces on as few lines as hold them; a piece that is wider than a line stays whole."""
    line = ""
    for piece in pieces:
        if line and width is not None and len(line) + 1 + len(piece) > width:
            yield line
            line = piece
        else:
            line = f"{line} {piece}" if line else piece
    yield line
