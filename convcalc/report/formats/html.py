"""Tables as HTML: one file that needs no other, light or dark as the reader's system is.

A module tree is made of <details>, which fold without a script; other tables are tables. Columns
of a tree are as many `ch` wide as they have characters, since its rows share no table.
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence

from convcalc.report.formats.text import texts
from convcalc.report.table import TOTAL, Column, Row, Script, Share, Table, cell

_OPEN = 60
"""Rows up to which a tree is shown unfolded."""
_LONG = 48
"""Letters of a cell that may be broken into lines."""

# .scroll, as the style sheet of Jupyter says more of cells than .convcalc td would
_STYLE = """\
.convcalc { font: 14px/1.5 system-ui, sans-serif; font-variant-numeric: tabular-nums; }
.convcalc h2 { font-size: 1.25em; margin: 0; }
.convcalc .about, .convcalc .remarks { opacity: .7; margin: 0; }
.convcalc .scroll { overflow-x: auto; margin: .75em 0; }
.convcalc table { border-collapse: collapse; font: inherit; }
.convcalc .scroll th, .convcalc .scroll td, .convcalc .row > span { padding: .1em .6em;
  text-align: left; vertical-align: top; white-space: nowrap; }
.convcalc th, .convcalc tfoot td, .convcalc .head > span, .convcalc .total > span,
.convcalc summary > .name { font-weight: 600; }
.convcalc thead th, .convcalc .head { border-bottom: 1px solid; }
.convcalc tfoot tr:first-child td, .convcalc .total { border-top: 1px solid; }
.convcalc .tree { width: max-content; }
.convcalc .row { display: grid; grid-template-columns: var(--widths); }
.convcalc .row > .name { padding-left: calc(.6em + var(--level, 0) * 1.5em); }
.convcalc .row .right, .convcalc table .right { text-align: right; }
.convcalc .row .long, .convcalc table .long { white-space: normal; min-width: 24em; }
.convcalc summary { cursor: pointer; list-style: none; }
.convcalc summary::-webkit-details-marker { display: none; }
.convcalc .row > .name::before { content: ""; display: inline-block; width: 1.2em; }
.convcalc summary.row > .name::before { content: "▸"; }
.convcalc details[open] > summary > .name::before { content: "▾"; }
.convcalc .head > .name::before { display: none; }
.convcalc .row:hover { background: rgba(128, 128, 128, .15); }
.convcalc .bar { background: linear-gradient(rgba(230, 159, 0, .5) 0 0) 0 50% / var(--share) 80%
  no-repeat; }
"""
_FRAME = """\
:root { color-scheme: light dark; }
body { margin: 2em; color: CanvasText; background: Canvas; }
.convcalc { margin-bottom: 3em; }
"""


class _Html(Script):
    def text(self, text: str) -> str:
        return html.escape(text)


HTML: Script = _Html()


def document(tables: Sequence[Table], fragment: bool = False) -> str:
    """Tables as a page, or as a part of one with its own style."""
    bodies = "\n".join("\n".join(_section(table)) for table in tables)
    if fragment:
        return styled(bodies)
    return framed(", ".join(table.title for table in tables if table.title) or "convcalc", bodies)


def styled(body: str, style: str = "") -> str:
    """A part of a page, with its own style."""
    return f"<div>\n<style>\n{_STYLE}{style}</style>\n{body}\n</div>"


def framed(title: str, body: str, style: str = "") -> str:
    """A page of HTML that needs no other file, light or dark."""
    return f"""\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(title)}</title>
<style>
{_FRAME}{_STYLE}{style}</style>
</head>
<body>
{body}
</body>
</html>"""


def _section(table: Table) -> Iterator[str]:
    yield '<section class="convcalc">'
    if table.title:
        yield f"<h2>{html.escape(table.title)}</h2>"
    about = (text for text in (table.about, table.source) if text)
    yield from (f'<p class="about">{html.escape(text)}</p>' for text in about)
    if not table.is_empty:
        yield '<div class="scroll">'
        yield from _tree(table) if table.is_tree else _flat(table)
        yield "</div>"
    yield from (f'<p class="remarks">{html.escape(text)}</p>' for text in table.remarks)
    if table.notes:
        yield "<ul>"
        yield from (f"<li>{html.escape(note)}</li>" for note in table.notes)
        yield "</ul>"
    yield "</section>"


def _flat(table: Table) -> Iterator[str]:
    columns = table.columns
    yield "<table>"
    heads = "".join(
        f'<th scope="col"{_right(column)}>{html.escape(column.title)}</th>' for column in columns
    )
    yield f"<thead><tr>{heads}</tr></thead>"
    yield "<tbody>"
    yield from (f"<tr>{_cells('td', row, columns)}</tr>" for row in table.rows)
    yield "</tbody>"
    if table.total is not None:
        ends = [table.total, *table.below]
        lines = "".join(f"<tr>{_cells('td', row, columns)}</tr>" for row in ends)
        yield f"<tfoot>{lines}</tfoot>"
    yield "</table>"


def _tree(table: Table) -> Iterator[str]:
    columns = table.columns
    widths = " ".join(f"{width}ch" for width in _widths(table))
    yield f'<div class="tree" role="table" style="--widths: {widths}">'
    heads = "".join(
        f'<span role="columnheader"{_right(column)}>{html.escape(column.title)}</span>'
        for column in columns
    )
    yield f'<div class="row head" role="row">{heads}</div>'
    is_open = " open" if len(table.rows) <= _OPEN else ""
    levels: list[int] = []  # of the modules that are not closed yet
    for row, after in zip(table.rows, [*table.rows[1:], None], strict=True):
        while levels and levels[-1] >= row.level:
            levels.pop()
            yield "</details>"
        cells = _cells("span", row, columns)
        if after is not None and after.level > row.level:
            levels.append(row.level)
            yield f'<details{is_open}><summary class="row" role="row">{cells}</summary>'
        else:
            yield f'<div class="row leaf" role="row">{cells}</div>'
    yield from ["</details>"] * len(levels)
    if table.total is not None:
        for row in (table.total, *table.below):
            cells = _cells("span", row, columns)
            yield f'<div class="row leaf total" role="row">{cells}</div>'
    yield "</div>"


def _cells(tag: str, row: Row, columns: Sequence[Column]) -> str:
    found = []
    for i, (value, column) in enumerate(zip(row.cells, columns, strict=True)):
        text = cell(value, column, HTML)
        classes, style = ["right"] if column.right else [], ""
        if len(text) > _LONG:
            classes.append("long")
        if i == 0:
            text = text.capitalize() if row.kind == TOTAL else text
            text += f" ×{row.times:,}" if row.times > 1 else ""
            classes.append("name")
            style = f' style="--level: {row.level}"' if row.level else ""
        elif isinstance(value, Share) and value.fraction is not None:
            classes.append("bar")
            style = f' style="--share: {100 * value.part / value.whole:.1f}%"'
        role = ' role="cell"' if tag == "span" else ""
        said = f' class="{" ".join(classes)}"' if classes else ""
        found.append(f"<{tag}{role}{said}{style}>{text}</{tag}>")
    return "".join(found)


def _right(column: Column) -> str:
    return ' class="right"' if column.right else ""


def _widths(table: Table) -> list[int]:
    """The widths of columns: their letters, of a type in which digits are among the widest."""
    widths = [len(column.title) for column in table.columns]
    for row in table.shown_rows:
        for i, text in enumerate(texts(row, table.columns)):
            extra = 3 * row.level + 4 + (len(f" ×{row.times:,}") if row.times > 1 else 0)
            widths[i] = max(widths[i], min(len(text), _LONG) + (0 if i else extra))
    return [width + 3 for width in widths]
