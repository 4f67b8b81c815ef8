"""Where the time of a run went: a table of its steps, with their MACs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from convcalc.execution.compiled import Timing
from convcalc.report.formats.text import page
from convcalc.report.page import Made
from convcalc.report.table import JSON_VERSION, TOTAL, Column, Row, Share, Table, Told

_COLUMNS = (
    Column("layers", "Layer"),
    Column("type", "Type", style="layer"),
    Column("milliseconds", "ms", right=True),
    Column("time_percent", "% of time", right=True, style="bar", is_share=True),
    Column("macs", "MACs", right=True, zero="–"),
    Column("gmacs_per_second", "GMAC/s", right=True),
)


def profile_page(timed: Sequence[Timing], name: str, title: str) -> Made:
    """The steps of a run, each a layer with what is fused into it.

    Args:
        timed: what `Network.profile` measured.
        name: the network's name.
        title: what it is called.
    """
    seconds, macs = sum(step.seconds for step in timed), sum(step.macs for step in timed)
    nanoseconds = [round(1e9 * step.seconds) for step in timed]
    total = Row((TOTAL, None, _told(1000 * seconds, 2), None, macs, _rate(macs, seconds)), TOTAL)
    rows = [
        Row(
            (
                " … ".join([*step.layers[:1], *(_last(path) for path in step.layers[1:][-1:])]),
                step.kind,
                _told(1000 * step.seconds, 2),
                Share(own, sum(nanoseconds)),
                step.macs,
                _rate(step.macs, step.seconds),
            )
        )
        for step, own in zip(timed, nanoseconds, strict=True)
    ]
    table = Table(_COLUMNS, rows, total, title=title)
    steps = table._replace(
        rows=[
            row._replace(cells=(list(step.layers), *row.cells[1:]))
            for row, step in zip(rows, timed, strict=True)
        ]
    )
    found = {
        "convcalc": JSON_VERSION,
        "name": name,
        "milliseconds": 1000 * seconds,
        "macs": macs,
        "steps": steps.to_dicts(),
    }
    return Made(table, found, records=steps, rendered=lambda width: page(table, width))


def _last(path: str) -> str:
    return path.rpartition(".")[2]


def _told(value: float, digits: int) -> Told:
    return Told(value, f"{value:,.{digits}f}")


def _rate(macs: int, seconds: float) -> Any:
    return _told(macs / seconds / 1e9, 1) if macs and seconds else None
