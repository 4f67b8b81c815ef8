"""Columns whose numbers are rounded, as --numbers, --memory and --digits say."""

from __future__ import annotations

from collections.abc import Sequence

from convcalc.report.columns import Layout
from convcalc.report.table import Column


def rounded(
    columns: Sequence[Column],
    numbers: str | None = None,
    memory: str | None = None,
    digits: int | None = None,
) -> tuple[Column, ...]:
    """The columns, those with units rounded to one; see `Layout`.

    Raises:
        UsageError: a unit does not exist, or there is nothing to round.
    """
    layout = Layout(numbers=numbers, memory=memory, digits=digits)
    found = tuple(column._replace(rounding=layout.rounding(column)) for column in columns)
    layout.check_rounded(found)
    return found
