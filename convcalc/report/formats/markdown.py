"""Tables as GitHub shows them: pipe tables, with headings and paragraphs around them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from convcalc.report.table import MODULE, TOTAL, Column, Row, Script, Table, cell

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|$~&])")
_BLOCK = re.compile(r"^(|\d+(?=[.)]))(?=[-+.)](?:\s|$)|-[-\s]*$)")
"""Where a paragraph would be a list, or a rule: before the sign of - a, + a, 1. a, 1) a, ---."""
_INDENT = "&emsp;"


def escape(text: str) -> str:
    """Text with what is special to Markdown escaped, on one line."""
    return _BLOCK.sub(r"\1\\", _SPECIAL.sub(r"\\\1", " ".join(text.splitlines())))


class _Markdown(Script):
    def text(self, text: str) -> str:
        return escape(text)


MARKDOWN: Script = _Markdown()


def document(tables: Sequence[Table], fragment: bool = False) -> str:
    """Tables after each other, each under its title."""
    return "\n\n".join("\n\n".join(_blocks(table)) for table in tables)


def _blocks(table: Table) -> Iterator[str]:
    if table.title:
        yield f"### {escape(table.title)}"
    yield from (escape(text) for text in (table.about, table.source) if text)
    if not table.is_empty:
        yield "\n".join(_lines(table))
    yield from map(escape, table.remarks)
    if table.notes:
        yield "\n".join(f"- {escape(note)}" for note in table.notes)


def _lines(table: Table) -> Iterator[str]:
    """The lines of a pipe table, its columns as wide as they need to be."""
    columns = table.columns
    head = [escape(column.title) for column in columns]
    body = [_cells(row, columns) for row in table.shown_rows]
    widths = [max(3, *map(len, column)) for column in zip(head, *body, strict=True)]
    rule = [
        "-" * (width - 1) + ":" if column.right else "-" * width
        for column, width in zip(columns, widths, strict=True)
    ]
    for cells in (head, rule, *body):
        padded = (
            text.rjust(width) if column.right else text.ljust(width)
            for text, column, width in zip(cells, columns, widths, strict=True)
        )
        yield f"| {' | '.join(padded)} |"


def _cells(row: Row, columns: Sequence[Column]) -> list[str]:
    """The cells of a row; of a total in bold, of a module the name."""
    pairs = zip(row.cells, columns, strict=True)
    texts = [cell(value, column, MARKDOWN) for value, column in pairs]
    if row.kind == TOTAL:
        texts[0] = texts[0].capitalize()
        return [f"**{text}**" if text else "" for text in texts]
    if row.kind == MODULE:
        texts[0] = f"**{texts[0]}**"
    texts[0] = _INDENT * row.level + texts[0]
    if row.times > 1:
        texts[0] += f" ×{row.times:,}"
    return texts
