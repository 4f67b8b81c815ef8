"""Tables as comma-separated values: numbers as they are, the total as the last row."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from convcalc.dim import Dim
from convcalc.report.table import Sizes, Table, Told, data

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\n")


def document(tables: Sequence[Table], fragment: bool = False) -> str:
    """Tables under one header; of several, a first column `of` says which a row is of."""
    several = len(tables) > 1
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    header: list[str] = []
    for table in tables:
        keys = ["of"] * several + [harmless(column.key) for column in table.columns]
        if keys != header:
            lines.writerow(keys)
            header = keys
        first = [harmless(table.title)] * several
        lines.writerows([*first, *map(_cell, row.cells)] for row in table.all_rows)
    return text.getvalue().removesuffix("\n")


def harmless(text: str) -> str:
    """A text that no spreadsheet takes for a formula: after an apostrophe where it would."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def _cell(value: Any) -> Any:
    if isinstance(value, Told):
        return _cell(value.value)
    if isinstance(value, Sizes):
        value = "x".join(_factor(size) for size in value)
    elif type(value) in (tuple, list):
        value = " ".join(str(data(item)) for item in value)
    else:
        value = data(value)
    return harmless(value) if isinstance(value, str) else value


def _factor(size: Any) -> str:
    if not isinstance(size, Dim):
        return str(size)
    text = size.python()
    return text if text.isidentifier() else f"({text})"
