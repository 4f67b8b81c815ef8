"""The report as a table for terminals: layout of our own, colours of rich.

A rich Table of 500 rows takes a third of a second to lay out. Here a line is some pieces of text
with the name of a style each, widths are computed once per column, and rich only turns the names
of styles into what the terminal understands.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from convcalc.analysis.memory import BYTES
from convcalc.analysis.quantities import QUANTITIES
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
KINDS = ("multiplies", "adds", "compares", "divides", "exps")
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_GAP = "  "

Piece = tuple[str, str]
"""Some text and the name of its style."""


class Column(NamedTuple):
    """A column of the table: what a line's cell says, and how."""

    title: str
    cell: Callable[[Line, Any, int], str]
    """The text for a line, given the totals and the number of cells a bar may have."""
    style: str
    right: bool = True
    needs: tuple[str, ...] = ()
    total: Callable[[Any], str] | None = None
    is_share: bool = False


def _quantity(name: str, title: str) -> Column:
    return Column(
        title,
        lambda line, totals, bar_cells: number(line.sums[name]),
        "number",
        needs=(name,),
        total=lambda totals: number(getattr(totals, name)),
    )


def _share(name: str, title: str) -> Column:
    return Column(
        title,
        lambda line, totals, bar_cells: bar(line.sums[name], getattr(totals, name), bar_cells),
        "bar",
        right=False,
        needs=(name,),
        is_share=True,
    )


COLUMNS: dict[str, Column] = {
    "type": Column("Type", lambda line, *_: line.kind, "layer", right=False),
    "output": Column("Output", lambda line, *_: shape(line.output_shape), "shape", right=False),
    "params": _quantity("params", "Params"),
    "buffers": _quantity("buffers", "Buffers"),
    "macs": _quantity("macs", "MACs"),
    "macs_nonpad": _quantity("macs_nonpad", "MACs, no padding"),
    "flops": _quantity("flops", "FLOPs"),
    "multiplies": _quantity("multiplies", "Multiplies"),
    "adds": _quantity("adds", "Adds"),
    "compares": _quantity("compares", "Compares"),
    "divides": _quantity("divides", "Divides"),
    "exps": _quantity("exps", "Exps"),
    "share": _share("macs", "% of MACs"),
    "params_share": _share("params", "% of params"),
}
DEFAULT_COLUMNS = ("output", "params", "macs", "share")
_UNITS = ((10**9, "GB", "10⁹"), (10**6, "MB", "10⁶"), (10**3, "kB", "10³"))
_BAR_CELLS = 6
_LEAST_LABEL = 12
_ROUNDED = re.compile("[⌊⌈][^⌊⌈⌋⌉]*[⌋⌉]")
_BRACKETED = re.compile(r"[⌊⌈(][^⌊⌈()⌉⌋]*[)⌉⌋]")


def number(value: Size) -> str:
    """A count with thousands separators, or its closed form; a dash for none."""
    if isinstance(value, Dim):
        return str(value)
    return f"{value:,}" if value else "–"


def shape(sizes: Shape) -> str:
    """The shape without the batch: 64×112×112."""
    return "×".join(_factor(size) for size in sizes[1:])


def _factor(size: Size) -> str:
    text = f"{size}"
    outside = outside_brackets(text)
    return f"({text})" if " " in outside or "·" in outside else text


def outside_brackets(text: str) -> str:
    """A formula without what stands in brackets: H − 2 is a sum, ⌊(H − 2)/2⌋ is none."""
    while text != (text := _BRACKETED.sub("", text)):
        pass
    return text


def bar(part: Size, whole: Size, cells: int = _BAR_CELLS) -> str:
    """The share of a whole as a percentage and a bar; nothing where it is symbolic."""
    if isinstance(part, Dim) or isinstance(whole, Dim) or not whole or not part:
        return ""
    eighths = round(8 * cells * part / whole)
    full, rest = divmod(eighths, 8)
    blocks = "█" * full + (_EIGHTHS[rest] if rest else "")
    return f"{100 * part / whole:5.1f} {blocks}".rstrip()


def in_bytes(size: Size) -> str:
    """A number of bytes, and the same in a decimal unit that is said."""
    if isinstance(size, Dim) or size < 1000:
        return f"{size:,} bytes"
    unit, name, written = next(unit for unit in _UNITS if size >= unit[0])
    return f"{size:,} bytes = {size / unit:,.1f} {name} (1 {name} = {written} bytes)"


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


def heading(report: Report, width: int | None) -> list[list[Piece]]:
    """The lines that say which network this is, an empty one after them."""
    shapes = ", ".join(
        (f"{node.name} " if len(report.graph.inputs) > 1 else "") + show_shape(node.shape)
        for node in report.graph.inputs
    )
    count = len(report.graph.nodes)
    about = f"  input {shapes}, {count:,} layer{'' if count == 1 else 's'}"
    rows: list[list[Piece]] = [[(report.title, "title"), (about, "faint")]]
    if report.source:
        rows.extend([(line, "faint")] for line in wrapped(report.source, width))
    rows.append([])
    return rows


class _Table:
    def __init__(self, report: Report, columns: list[Column], width: int | None) -> None:
        self.report = report
        self.columns = columns
        self.width = width

    def rows(self, depth: int | None, fold: bool, error: ConvcalcError | None) -> list[list[Piece]]:
        needs = list(dict.fromkeys(name for column in self.columns for name in column.needs))
        found = lines(self.report.graph, needs, depth=depth, fold=fold)
        labels = [_label(line) for line in found]
        lengths = [sum(len(text) for text, _ in label) for label in labels]
        label_width = max(len("Total"), *lengths, 0)
        layout = _Layout(self.columns, found, self.report.totals, self.width, label_width)
        label_width = layout.label_width

        rows = heading(self.report, self.width)
        if layout.is_too_wide and error is None:
            rows.extend(self._list(layout, labels))
            return [*rows, *self._notes(found), [], *self._footer()]
        rows.append(layout.row([("Layer".ljust(label_width), "header")], layout.titles, "header"))
        line = [("─" * layout.full_width, "faint")]
        rows.append(line)
        for label, cells in zip(labels, layout.cells, strict=True):
            rows.append(layout.row(_cut(label, label_width), cells))
        if error is not None:
            rows.append([(f"✗ {error.path or error.where}", "failed")])
            return rows
        rows.append(line)
        ends = ["↓" if i in layout.below else end for i, end in enumerate(layout.ends)]
        rows.append(layout.row([("Total".ljust(label_width), "total")], ends, "total"))
        for text in layout.below.values():
            rows.extend([(part, "total")] for part in wrapped(text, self.width))
        rows.extend(self._notes(found))
        rows.append([])
        rows.extend(self._footer())
        return rows

    def _list(self, layout: _Layout, labels: list[list[Piece]]) -> Iterator[list[Piece]]:
        """Every layer with its figures below it: closed forms that are too long for a table."""
        total: list[Piece] = [("Total", "total")]
        for label, cells in [*zip(labels, layout.cells, strict=True), (total, layout.ends)]:
            yield label
            for title, cell in zip(layout.titles, cells, strict=True):
                if cell not in ("", "–"):
                    room = (self.width or 80) - 4
                    yield from ([("    " + text, "")] for text in wrapped(f"{title}: {cell}", room))

    def _notes(self, found: list[Line]) -> list[list[Piece]]:
        notes = []
        if any(line.times > 1 for line in found):
            notes.append("×n: n identical ones; their line holds the sum, the lines below it one.")
        if any(line.hides for line in found):
            notes.append("Modules hold more: --depth N shows more levels, --all every layer.")
        return [[(text, "faint")] for note in notes for text in wrapped(note, self.width)]

    def _footer(self) -> list[list[Piece]]:
        totals = self.report.totals
        text = []
        text.append(
            f"Params: {totals.params:,} learnable scalars; as {self.report.dtype}, "
            f"{BYTES[self.report.dtype]} bytes each: {in_bytes(totals.param_bytes)}."
        )
        if totals.buffers != 0:
            text.append(f"Buffers: {number(totals.buffers)} running statistics, not in the params.")
        symbolic = any(isinstance(value, Dim) for value in totals)
        flops = "" if symbolic else f" = {number(totals.flops)}"
        text.append(f"MACs: {QUANTITIES['macs'].meaning}; FLOPs = 2·MACs{flops}.")
        if not symbolic:
            share = f" ({100 * totals.macs_nonpad / totals.macs:.1f} %)" if totals.macs else ""
            text.append(f"Without products with padded zeros: {totals.macs_nonpad:,} MACs{share}.")
            counts = ", ".join(f"{getattr(totals, kind):,} {kind}" for kind in KINDS)
            text.append(f"All operations of all layers: {counts}.")
            text.append(self._memory())
        text.extend(part for part in (self._smallest(), self._closed_form()) if part)
        rows: list[list[Piece]] = []
        for paragraph in text:
            for line in wrapped(paragraph, self.width):
                rows.append([(line, "")])
        return rows

    def _memory(self) -> str:
        totals = self.report.totals
        highest = self.report.peak.node
        where = f" in {highest.path}" if highest is not None and highest.operation else ""
        all_outputs = in_bytes(totals.activation_bytes)
        at_once = in_bytes(totals.peak_activation_bytes or 0)
        return (
            f"Activations as {self.report.dtype}: {all_outputs} for the input and all outputs; "
            f"at most {at_once} alive at once{where}."
        )

    def _closed_form(self) -> str:
        try:
            form = self.report.macs_formula
        except ConvcalcError as error:
            return f"No closed form of the MACs: {error.fact}."
        free = [name for name in form.names if name in form.symbols]
        return f"MACs({', '.join(free)}) = {form}" if free else f"MACs = {form:,} at every size."

    def _smallest(self) -> str:
        try:
            found = self.report.macs_formula.limits
        except ConvcalcError:
            return ""
        least = ", ".join(found.bounds)
        text = f"Smallest input: {least}." if least else ""
        if found.needs:
            text += f" It needs that {' and '.join(found.needs)}."
        return text.strip()


class _Layout:
    """The cells of a table and the widths of its columns.

    Where the width is too small, first the bars get shorter, then their columns go, then names
    are cut; numbers never are, and if nothing helps, nothing is cut.
    """

    def __init__(
        self,
        columns: list[Column],
        found: list[Line],
        totals: Any,
        width: int | None,
        label_width: int,
    ) -> None:
        self.found = found
        self.totals = totals
        self.width = width
        self.below: dict[int, str] = {}
        self.label_width = label_width
        shares = [column for column in columns if column.is_share]
        for bar_cells in range(_BAR_CELLS, -1, -1):
            self._fill(columns, bar_cells)
            if width is None or self.full_width <= width or not shares:
                break
        if width is not None and self.full_width > width:
            self._fill([column for column in columns if not column.is_share] or columns, 0)
            self._move_long_totals(totals)
            spare = width - (self.full_width - label_width)
            if spare >= _LEAST_LABEL:
                self.label_width = min(label_width, spare)

    def _move_long_totals(self, totals: Any) -> None:
        """Put the totals that are closed forms longer than their columns below the table."""
        if not any(isinstance(value, Dim) for value in totals):
            return
        for i, (title, end) in enumerate(zip(self.titles, self.ends, strict=True)):
            longest = max([len(title), *(len(cells[i]) for cells in self.cells)])
            if len(end) > longest and not end.replace(",", "").isdigit():
                self.below[i] = f"Total of {title}: {end}"
                self.widths[i] = longest

    def _fill(self, columns: list[Column], bar_cells: int) -> None:
        # shares of a symbolic total are empty: no column for them
        cells = [[c.cell(line, self.totals, bar_cells) for line in self.found] for c in columns]
        kept = [
            i for i, c in enumerate(columns) if not c.is_share or not self.found or any(cells[i])
        ]
        self.columns = [columns[i] for i in kept]
        self.titles = [column.title for column in self.columns]
        self.ends = [c.total(self.totals) if c.total else "" for c in self.columns]
        by_column = [cells[i] for i in kept]
        self.widths = [
            max(map(len, (title, end, *column)))
            for title, end, column in zip(self.titles, self.ends, by_column, strict=True)
        ]
        self.cells = list(zip(*by_column, strict=True)) if by_column else [()] * len(self.found)

    @property
    def is_too_wide(self) -> bool:
        """Whether it does not fit, and has closed forms, which a terminal would break anywhere."""
        wide = self.width is not None and self.full_width > self.width
        return wide and any(isinstance(value, Dim) for value in self.totals)

    @property
    def full_width(self) -> int:
        return self.label_width + sum(len(_GAP) + width for width in self.widths)

    def row(
        self, label: list[Piece], cells: Sequence[str], style: str | None = None
    ) -> list[Piece]:
        row = list(label)
        for column, cell, width in zip(self.columns, cells, self.widths, strict=True):
            text = cell.rjust(width) if column.right else cell.ljust(width)
            row.append((_GAP + text, style or column.style))
        return row


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


def wrapped(text: str, width: int | None, indent: str = "  ") -> Iterable[str]:
    """A paragraph as lines of at most `width`, all but the first indented."""
    if width is None or len(text) <= width:
        return [text]
    import textwrap

    # not within a rounding: ⌊(W − 7)/8⌋ stays whole
    whole = _ROUNDED.sub(lambda part: part[0].replace(" ", "\N{NO-BREAK SPACE}"), text)
    lines = textwrap.wrap(
        whole, max(width, 20), subsequent_indent=indent, break_long_words=False,
        break_on_hyphens=False,
    )  # fmt: skip
    return [line.replace("\N{NO-BREAK SPACE}", " ") for line in lines]


def paragraphs(texts: Iterable[str], width: int | None) -> Rendered:
    """Paragraphs of text, wrapped where they are too wide."""
    return Rendered([[(line, "")] for text in texts for line in wrapped(text, width)])


def listing(
    titles: Sequence[str],
    rows: Sequence[Sequence[str]],
    width: int | None,
    right: Sequence[int] = (),
) -> Rendered:
    """A plain table; the last column that is not right-aligned is wrapped where it is too wide."""
    widths = [max(map(len, column)) for column in zip(titles, *rows, strict=True)]
    flexible = max((i for i in range(len(titles)) if i not in right), default=-1)
    if width is not None and flexible >= 0:
        over = sum(widths) + len(_GAP) * (len(widths) - 1) - width
        widths[flexible] = max(20, widths[flexible] - max(0, over))

    def folded(cells: Sequence[str], styles: Sequence[str]) -> Iterable[list[Piece]]:
        parts = [""]
        if flexible >= 0:
            parts = list(wrapped(cells[flexible], widths[flexible], indent=""))
        for k, part in enumerate(parts):
            texts = [part if i == flexible else "" if k else c for i, c in enumerate(cells)]
            pieces: list[Piece] = []
            for i, (text, size, style) in enumerate(zip(texts, widths, styles, strict=True)):
                text = text.rjust(size) if i in right else text.ljust(size)
                pieces.append((_GAP + text if i else text, style))
            yield pieces

    head = list(folded(titles, ["header"] * len(titles)))
    full = sum(widths) + len(_GAP) * (len(widths) - 1)
    styles = ["module", *([""] * (len(titles) - 1))]
    body = [line for cells in rows for line in folded(cells, styles)]
    return Rendered([*head, [("─" * full, "faint")], *body])
