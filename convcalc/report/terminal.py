"""The report as a table for terminals: layout of our own, colours of rich.

A rich Table of 500 rows takes a third of a second to lay out. Here a line is some pieces of text
with the name of a style each, widths are computed once per column, and rich only turns the names
of styles into what the terminal understands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from convcalc.analysis.quantities import BYTES_PER_PARAMETER, QUANTITIES
from convcalc.dim import Dim, Size
from convcalc.errors import ConvcalcError, UsageError, did_you_mean
from convcalc.layer import Shape, show_shape
from convcalc.report.tree import Line, lines

if TYPE_CHECKING:
    from rich.text import Text

    from convcalc.report.report import Report

STYLES = {
    "": "",
    "title": "bold",
    "faint": "dim",
    "header": "bold",
    "module": "bold cyan",
    "layer": "",
    "times": "bold magenta",
    "shape": "green",
    "number": "",
    "bar": "yellow",
    "total": "bold",
    "failed": "bold red",
}
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_GAP = "  "

Piece = tuple[str, str]
"""Some text and the name of its style."""


class Column(NamedTuple):
    """A column of the table: what a line's cell says, and how."""

    title: str
    cell: Callable[[Line, Any], str]
    style: str
    right: bool = True
    needs: tuple[str, ...] = ()
    total: Callable[[Any], str] | None = None


def _quantity(name: str, title: str) -> Column:
    return Column(
        title,
        lambda line, totals: number(line.sums[name]),
        "number",
        needs=(name,),
        total=lambda totals: number(getattr(totals, name)),
    )


def _share(name: str, title: str) -> Column:
    return Column(
        title,
        lambda line, totals: bar(line.sums[name], getattr(totals, name)),
        "bar",
        right=False,
        needs=(name,),
    )


COLUMNS: dict[str, Column] = {
    "type": Column("Type", lambda line, totals: line.kind, "layer", right=False),
    "output": Column("Output", lambda line, totals: shape(line.output_shape), "shape", right=False),
    "params": _quantity("params", "Params"),
    "buffers": _quantity("buffers", "Buffers"),
    "macs": _quantity("macs", "MACs"),
    "flops": _quantity("flops", "FLOPs"),
    "multiplies": _quantity("multiplies", "Multiplies"),
    "adds": _quantity("adds", "Adds"),
    "compares": _quantity("compares", "Compares"),
    "divides": _quantity("divides", "Divides"),
    "exps": _quantity("exps", "Exps"),
    "param_bytes": _quantity("param_bytes", "Param bytes"),
    "share": _share("macs", "% of MACs"),
    "params_share": _share("params", "% of params"),
}
DEFAULT_COLUMNS = ("output", "params", "macs", "share")
_BAR_CELLS = 6


def number(value: Size) -> str:
    """A count with thousands separators, or its closed form; a dash for none."""
    if isinstance(value, Dim):
        return str(value)
    return f"{value:,}" if value else "–"


def shape(sizes: Shape) -> str:
    """The shape without the batch: 64×112×112."""
    return "×".join(
        f"({size})" if isinstance(size, Dim) and " " in str(size).strip("⌈⌉⌊⌋") else str(size)
        for size in sizes[1:]
    )


def bar(part: Size, whole: Size) -> str:
    """The share of a whole as a percentage and a bar; nothing where it is symbolic."""
    if isinstance(part, Dim) or isinstance(whole, Dim) or not whole or not part:
        return ""
    eighths = round(8 * _BAR_CELLS * part / whole)
    full, rest = divmod(eighths, 8)
    blocks = "█" * full + (_EIGHTHS[rest] if rest else "")
    return f"{100 * part / whole:5.1f} {blocks}".rstrip()


def parse_columns(names: str | Sequence[str]) -> list[str]:
    """The columns named, by commas or in a list.

    Raises:
        UsageError: a column does not exist.
    """
    given = [n.strip() for n in names.split(",")] if isinstance(names, str) else list(names)
    for name in given:
        if name not in COLUMNS:
            raise UsageError(
                f"unknown column '{name}'",
                hint=did_you_mean(name, COLUMNS) or f"There are {', '.join(COLUMNS)}.",
            )
    return given


class Rendered:
    """Lines of styled pieces, ready to be written one way or another."""

    def __init__(self, rows: list[list[Piece]]) -> None:
        self.rows = rows

    def plain(self) -> list[str]:
        """The lines without styles."""
        return ["".join(text for text, _ in row).rstrip() for row in self.rows]

    def ansi(self, paint: Callable[[str, str], str]) -> list[str]:
        """The lines with terminal codes; `paint` adds a style's to a text."""
        return ["".join(paint(text, style) for text, style in row) for row in self.rows]

    def rich(self) -> Text:
        """The lines as one rich Text."""
        from rich.text import Text

        text = Text(no_wrap=True, end="")
        for row in self.rows:
            for piece, style in row:
                text.append(piece, STYLES[style])
            text.append("\n")
        return text


def render(
    report: Report,
    *,
    width: int | None = None,
    columns: str | Sequence[str] = DEFAULT_COLUMNS,
    depth: int | None = None,
    fold: bool = True,
    error: ConvcalcError | None = None,
) -> Rendered:
    """The report as a table.

    Args:
        report: what to show.
        width: the width to keep to, where numbers allow it; None for as wide as it gets.
        columns: their names, by commas or in a list.
        depth: the number of levels of the module tree; None for as many as fit a screen or two.
        fold: whether identical neighbours become one line.
        error: what stopped the network from being built; the table then ends where it arose.
    """
    table = _Table(report, [COLUMNS[name] for name in parse_columns(columns)], width)
    return Rendered(table.rows(depth, fold, error))


class _Table:
    def __init__(self, report: Report, columns: list[Column], width: int | None) -> None:
        self.report = report
        self.columns = columns
        self.width = width

    def rows(self, depth: int | None, fold: bool, error: ConvcalcError | None) -> list[list[Piece]]:
        needs = list(dict.fromkeys(name for column in self.columns for name in column.needs))
        found = lines(self.report.graph, needs, depth=depth, fold=fold)
        totals = self.report.totals
        labels = [_label(line) for line in found]
        cells = [[column.cell(line, totals) for column in self.columns] for line in found]
        ends = ["" if c.total is None else c.total(totals) for c in self.columns]
        titles = [column.title for column in self.columns]
        widths = [max(map(len, column)) for column in zip(titles, ends, *cells, strict=True)]
        label_width = max([len("Total"), *(sum(len(text) for text, _ in label) for label in labels)])
        label_width = self._fitted(label_width, widths)

        rows = self._heading()
        rows.append(self._row([(_pad("Layer", label_width), "header")], titles, widths, "header"))
        full = label_width + sum(len(_GAP) + width for width in widths)
        rows.append([("─" * full, "faint")])
        for label, row in zip(labels, cells, strict=True):
            rows.append(self._row(_cut(label, label_width), row, widths))
        if error is not None:
            path = f"✗ {error.path}" if error.path else "✗"
            rows.append([(path, "failed")])
            return rows
        rows.append([("─" * full, "faint")])
        rows.append(self._row([(_pad("Total", label_width), "total")], ends, widths, "total"))
        notes = []
        if any(line.times > 1 for line in found):
            notes.append("×n: n identical ones; their line holds the sum, the lines below it one.")
        if any(line.hides for line in found):
            notes.append("Modules hold more: --depth N shows more levels, --all every layer.")
        for note in notes:
            rows.extend([(line, "faint")] for line in _wrapped(note, self.width))
        rows.append([])
        rows.extend(self._footer())
        return rows

    def _fitted(self, label_width: int, widths: list[int]) -> int:
        """The width of the first column; where too little is left, bars and names give way."""
        if self.width is None:
            return label_width
        for i, column in enumerate(self.columns):
            spare = self.width - label_width - sum(len(_GAP) + width for width in widths)
            if spare < 0 and column.style == "bar":
                widths[i] = max(len(column.title), 5, widths[i] + spare)
        spare = self.width - label_width - sum(len(_GAP) + width for width in widths)
        return max(12, label_width + spare) if spare < 0 else label_width

    def _row(
        self, label: list[Piece], cells: list[str], widths: list[int], style: str | None = None
    ) -> list[Piece]:
        row = list(label)
        for column, cell, width in zip(self.columns, cells, widths, strict=True):
            text = cell.rjust(width) if column.right else cell[:width].ljust(width)
            row.append((_GAP + text, style or column.style))
        return row

    def _heading(self) -> list[list[Piece]]:
        report = self.report
        shapes = ", ".join(
            (f"{node.name} " if len(report.graph.inputs) > 1 else "") + show_shape(node.shape)
            for node in report.graph.inputs
        )
        count = len(report.graph.nodes)
        about = f"  input {shapes}, {count:,} layer{'' if count == 1 else 's'}"
        rows: list[list[Piece]] = [[(report.title, "title"), (about, "faint")]]
        if report.source:
            rows.extend([(line, "faint")] for line in _wrapped(report.source, self.width))
        rows.append([])
        return rows

    def _footer(self) -> list[list[Piece]]:
        totals = self.report.totals
        text = []
        size = totals.param_bytes
        in_mb = "" if isinstance(size, Dim) else f" = {size / 10**6:,.1f} MB (1 MB = 10⁶ bytes)"
        text.append(
            f"Params: {number(totals.params)} learnable scalars; as float32, "
            f"{BYTES_PER_PARAMETER} bytes each: {number(size)} bytes{in_mb}."
        )
        if totals.buffers != 0:
            text.append(f"Buffers: {number(totals.buffers)} running statistics, not in the params.")
        text.append(f"MACs: {QUANTITIES['macs'].meaning}; FLOPs = 2·MACs = {number(totals.flops)}.")
        kinds = ("multiplies", "adds", "compares", "divides", "exps")
        counts = ", ".join(f"{getattr(totals, kind):,} {kind}" for kind in kinds)
        text.append(f"All operations of all layers: {counts}.")
        text.append(self._closed_form())
        rows: list[list[Piece]] = []
        for paragraph in text:
            for line in _wrapped(paragraph, self.width):
                rows.append([(line, "")])
        return rows

    def _closed_form(self) -> str:
        try:
            form = self.report.macs_formula
        except ConvcalcError as error:
            return f"No closed form of the MACs: {error.fact}."
        free = ", ".join(sorted(form.symbols, key=lambda s: (s != "N", s))) if (
            isinstance(form, Dim)
        ) else ""
        return f"MACs({free}) = {form}"


def _label(line: Line) -> list[Piece]:
    guides = "".join("│ " if goes_on else "  " for goes_on in line.ancestors[1:])
    if line.ancestors:
        guides += "└ " if line.is_last else "├ "
    pieces = [(guides, "faint")] if guides else []
    pieces.append((line.label, "module" if line.is_module else "layer"))
    if line.times > 1:
        pieces.append((f" ×{line.times:,}", "times"))
    return pieces


def _cut(label: list[Piece], width: int) -> list[Piece]:
    """The label in exactly `width` columns; the repetition count is never cut."""
    length = sum(len(text) for text, _ in label)
    if length <= width:
        return [*label, (" " * (width - length), "")]
    i = next(i for i, (_, style) in enumerate(label) if style in ("module", "layer"))
    text, style = label[i]
    kept = max(1, len(text) - (length - width) - 1)
    return [*label[:i], (text[:kept] + "…", style), *label[i + 1 :]]


def _pad(text: str, width: int) -> str:
    return text.ljust(width)


def _wrapped(text: str, width: int | None) -> Iterable[str]:
    if width is None or len(text) <= width:
        return [text]
    import textwrap

    return textwrap.wrap(
        text, max(width, 20), subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )


def listing(
    titles: Sequence[str],
    rows: Sequence[Sequence[str]],
    width: int | None,
    right: Sequence[int] = (),
) -> Rendered:
    """A plain table; the last column that is not right-aligned gives way where it is too wide."""
    widths = [max(map(len, column)) for column in zip(titles, *rows, strict=True)]
    if width is not None:
        flexible = max(i for i in range(len(titles)) if i not in right)
        over = sum(widths) + len(_GAP) * (len(widths) - 1) - width
        if over > 0:
            widths[flexible] = max(8, widths[flexible] - over)

    def row(cells: Sequence[str], styles: Sequence[str]) -> list[Piece]:
        pieces: list[Piece] = []
        for i, (cell, size, style) in enumerate(zip(cells, widths, styles, strict=True)):
            text = cell if len(cell) <= size else cell[: size - 1] + "…"
            text = text.rjust(size) if i in right else text.ljust(size)
            pieces.append((text if i == 0 else _GAP + text, style))
        return pieces

    body = ["module", *([""] * (len(titles) - 1))]
    full = sum(widths) + len(_GAP) * (len(widths) - 1)
    return Rendered(
        [
            row(titles, ["header"] * len(titles)),
            [("─" * full, "faint")],
            *(row(cells, body) for cells in rows),
        ]
    )
