"""Tables for terminals, and for files of plain text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from convcalc.dim import Size
from convcalc.report.table import (
    LAYER,
    MODULE,
    Column,
    Row,
    Script,
    Share,
    Table,
    cell,
)
from convcalc.report.terminal import GAP, Piece, Rendered, listing, wrapped

_EIGHTHS = " ▏▎▍▌▋▊▉█"
_BAR_CELLS = 6
_LEAST_LABEL = 12


class _Text(Script):
    def text(self, text: str) -> str:
        return text


TEXT: Script = _Text()


def document(tables: Sequence[Table], fragment: bool = False) -> str:
    """Tables as wide as they get, an empty line between them."""
    return "\n\n".join("\n".join(page(table).plain()) for table in tables)


def page(table: Table, width: int | None = None, failed: str = "") -> Rendered:
    """A table with what is said around it.

    Args:
        table: what to show.
        width: the width to keep to, where numbers allow it; None for as wide as it gets.
        failed: the layer at which the network stopped being built, and the table ends.
    """
    rows = heading(table, width)
    if table.is_empty and not failed:
        pass
    elif any(column.wraps for column in table.columns):
        rows.extend(plain_rows(table, width).rows)
    else:
        rows.extend(_Layout(table, width).rows(failed))
    if failed:
        return Rendered([*rows, [(f"✗ {failed}", "failed")]])
    rows.extend(_paragraphs((*table.remarks, *table.hints), width, "faint"))
    if table.notes:
        rows.append([])
        rows.extend(_paragraphs(table.notes, width))
    return Rendered(rows)


def page_in_blocks(table: Table, width: int | None = None) -> Rendered:
    """A page whose columns stand below the others, beside the first one, where there is no room."""
    blocks = _blocks(table, width)
    if len(blocks) < 2:
        return page(table, width)
    lines = heading(table, width)
    for i, block in enumerate(blocks):
        piece = _only(table, block)._replace(title="")
        if i < len(blocks) - 1:
            piece = piece._replace(remarks=(), hints=(), notes=())
        lines += [*([[]] if i else []), *page(piece, width).rows]
    return Rendered(lines)


def heading(table: Table, width: int | None) -> list[list[Piece]]:
    """The lines that say what a table is of, an empty one after them."""
    if not table.title:
        return []
    rows = list(_paragraphs((table.title,), width, "title"))
    beside = f"{GAP}{table.about}"
    if table.about and (width is None or len(table.title + beside) <= width):
        rows[0].append((beside, "faint"))
    elif table.about:
        rows.extend(_paragraphs((table.about,), width, "faint"))
    rows.extend(_paragraphs((table.source,) if table.source else (), width, "faint"))
    return [*rows, []]


def plain_rows(table: Table, width: int | None) -> Rendered:
    """The rows of a table alone; the last column of words is wrapped where it is too wide."""
    return listing(
        [column.title for column in table.columns],
        [texts(row, table.columns) for row in table.shown_rows],
        width,
        [i for i, column in enumerate(table.columns) if column.right],
    )


def texts(row: Row, columns: Sequence[Column]) -> list[str]:
    """The cells of a row as text."""
    return [cell(value, column, TEXT) for value, column in zip(row.cells, columns, strict=True)]


def number(value: Size) -> str:
    """A count with thousands separators, or its closed form; a dash for none."""
    return cell(value, _COUNT, TEXT)


_COUNT = Column("count", "", zero="–")


def shape(sizes: Sequence[Size]) -> str:
    """The shape without the batch: 64×112×112."""
    return TEXT.sizes(sizes[1:])


def bar(share: Share, cells: int = _BAR_CELLS) -> str:
    """A percentage with a bar; nothing where there is no share."""
    if share.fraction is None:
        return ""
    full, rest = divmod(round(8 * cells * share.part / share.whole), 8)
    blocks = "█" * full + (_EIGHTHS[rest] if rest else "")
    return f"{TEXT.share(share):>5} {blocks}".rstrip()


def _paragraphs(texts: Sequence[str], width: int | None, style: str = "") -> Iterator[list[Piece]]:
    return ([(line, style)] for text in texts for line in wrapped(text, width))


def _blocks(table: Table, width: int | None) -> list[list[int]]:
    """Columns that fit beside the first one: those of one quantity together where they do."""
    every = list(range(1, len(table.columns)))
    if width is None or table.is_symbolic:
        return [every]
    lines = [[column.title for column in table.columns]]
    lines += [texts(row, table.columns) for row in table.shown_rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    room = width - widths[0]

    def fits(block: Sequence[int]) -> bool:
        return sum(len(GAP) + widths[i] for i in block) <= room

    if fits(every):
        return [every]
    quantities: list[list[int]] = []
    for i in every:
        # a ratio goes with its figure, and parts of one quantity follow each other
        key = table.columns[i].key
        of = key.removesuffix("_ratio").rpartition(".")[2]
        before = quantities[-1][0] if quantities else 0
        if before and table.columns[before].key.rpartition(".")[2] == of:
            quantities[-1].append(i)
        else:
            quantities.append([i])
    found: list[list[int]] = []
    for columns in quantities:
        pieces = [columns] if fits(columns) else [[i] for i in columns]
        for k, piece in enumerate(pieces):
            joins = found and (k or len(pieces) == 1) and fits([*found[-1], *piece])
            if joins:
                found[-1] += piece
            else:
                found.append(list(piece))
    return found


def _only(table: Table, columns: Sequence[int]) -> Table:
    """The table with its first column and some others, without a total that says nothing."""
    kept = (0, *columns)

    def cut(row: Row) -> Row:
        return row._replace(cells=tuple(row.cells[i] for i in kept))

    total = table.total and cut(table.total)
    if total and all(cell in ("", None) for cell in total.cells[1:]):
        total = None

    return table._replace(
        columns=tuple(table.columns[i] for i in kept),
        rows=[cut(row) for row in table.rows],
        total=total,
        below=tuple(map(cut, table.below)),
    )


class _Layout:
    """The cells of a table and the widths of its columns.

    Where the width is too small, first the bars get shorter, then their columns go, then names
    are cut; numbers never are, and if nothing helps, nothing is cut.
    """

    def __init__(self, table: Table, width: int | None) -> None:
        self.table = table
        self.width = width
        self.below: dict[int, str] = {}
        self.labels = _labels(table.rows)
        lengths = [sum(len(text) for text, _ in label) for label in self.labels]
        ends = ["Total", *(str(row.cells[0]) for row in table.below)]
        self.label_width = max(*map(len, ends), *lengths, 0)
        rows = [*table.rows, table.total] if table.total else table.rows
        columns = table.columns[1:]
        self.texts = [
            [] if column.is_share else [cell(row.cells[i], column, TEXT) for row in rows]
            for i, column in enumerate(columns, 1)
        ]
        shares = [i for i, column in enumerate(columns) if column.is_share]
        for bar_cells in range(_BAR_CELLS, -1, -1):
            self._fill(range(len(columns)), bar_cells)
            if width is None or self.full_width <= width or not shares:
                break
        if width is not None and self.full_width > width:
            kept = [i for i in range(len(columns)) if i not in shares]
            self._fill(kept or range(len(columns)), 0)
            self._move_long_totals()
            spare = width - (self.full_width - self.label_width)
            if spare >= _LEAST_LABEL:
                self.label_width = min(self.label_width, spare)

    def rows(self, failed: str) -> Iterator[list[Piece]]:
        """The lines of the table, its total among them unless the network is not finished."""
        if self._is_too_wide and not failed:
            yield from self._list()
            return
        label = self.table.columns[0].title.ljust(self.label_width)
        yield self._row([(label, "header")], self.titles, "header")
        line = [("─" * self.full_width, "faint")]
        yield line
        for label_pieces, cells in zip(self.labels, self.cells, strict=True):
            yield self._row(_cut(label_pieces, self.label_width), cells)
        if not failed and self.table.total is not None:
            yield line
            ends = ["↓" if i in self.below else end for i, end in enumerate(self.ends)]
            yield self._row([("Total".ljust(self.label_width), "total")], ends, "total")
            for row, low in zip(self.table.below, self.lows, strict=True):
                yield self._row([(str(row.cells[0]).ljust(self.label_width), "total")], low)
            yield from _paragraphs(tuple(self.below.values()), self.width, "total")

    def _list(self) -> Iterator[list[Piece]]:
        """Every layer with its figures below it: closed forms that are too long for a table."""
        total: list[Piece] = [("Total", "total")]
        for label, cells in [*zip(self.labels, self.cells, strict=True), (total, self.ends)]:
            yield label
            for title, text in zip(self.titles, cells, strict=True):
                if text not in ("", "–"):
                    room = (self.width or 80) - 4
                    yield from ([("    " + t, "")] for t in wrapped(f"{title}: {text}", room))

    def _move_long_totals(self) -> None:
        """Put the totals that are closed forms longer than their columns below the table."""
        if self.table.total is None or not self.table.total.is_symbolic:
            return
        for i, (title, end) in enumerate(zip(self.titles, self.ends, strict=True)):
            longest = max([len(title), *(len(cells[i]) for cells in self.cells)])
            if len(end) > longest and not end.replace(",", "").isdigit():
                self.below[i] = f"Total of {title}: {end}"
                self.widths[i] = longest

    def _fill(self, chosen: Sequence[int], bar_cells: int) -> None:
        rows, total = self.table.rows, self.table.total
        by_column, self.columns, self.ends = [], [], []
        for i in chosen:
            found = self.texts[i]
            if not found and rows:
                found = [*(bar(row.cells[i + 1], bar_cells) for row in rows), ""]
            self.columns.append(self.table.columns[i + 1])
            by_column.append(found[: len(rows)])
            self.ends.append(found[-1] if total is not None and found else "")
        self.lows = [
            [cell(row.cells[i + 1], self.table.columns[i + 1], TEXT) for i in chosen]
            for row in self.table.below
        ]
        self.titles = [column.title for column in self.columns]
        self.looks = [(c.right and not c.is_share, c.style) for c in self.columns]
        self.widths = [
            max(map(len, (title, end, *column, *(low[k] for low in self.lows))))
            for k, (title, end, column) in enumerate(
                zip(self.titles, self.ends, by_column, strict=True)
            )
        ]
        self.cells = list(zip(*by_column, strict=True)) if by_column else [()] * len(rows)

    @property
    def _is_too_wide(self) -> bool:
        """Whether it does not fit, and has closed forms, which a terminal would break anywhere."""
        wide = self.width is not None and self.full_width > self.width
        return wide and self.table.is_symbolic

    @property
    def full_width(self) -> int:
        return self.label_width + sum(len(GAP) + width for width in self.widths)

    def _row(
        self, label: list[Piece], cells: Sequence[str], style: str | None = None
    ) -> list[Piece]:
        row = list(label)
        for (right, own), text, width in zip(self.looks, cells, self.widths, strict=True):
            padded = text.rjust(width) if right else text.ljust(width)
            row.append((GAP + padded, style or own))
        return row


def _labels(rows: Sequence[Row]) -> list[list[Piece]]:
    """The first cells, with the guides of the tree before them."""
    labels: list[list[Piece]] = []
    goes_on: list[bool] = []  # of every level, whether a later row is on it before one above it
    for row in reversed(rows):
        level = row.level
        goes_on += [False] * (level + 1 - len(goes_on))
        guides = "".join("│ " if more else "  " for more in goes_on[1:level])
        if level:
            guides += "├ " if goes_on[level] else "└ "
        pieces = [(guides, "faint")] if guides else []
        pieces.append((str(row.cells[0]), "module" if row.kind == MODULE else LAYER))
        if row.times > 1:
            pieces.append((f" ×{row.times:,}", "times"))
        labels.append(pieces)
        goes_on[level] = True
        del goes_on[level + 1 :]
    labels.reverse()
    return labels


def _cut(label: list[Piece], width: int) -> list[Piece]:
    """The label in exactly `width` columns; the repetition count is never cut."""
    length = sum(len(text) for text, _ in label)
    if length <= width:
        return [*label, (" " * (width - length), "")]
    i = next(i for i, (_, style) in enumerate(label) if style in (MODULE, LAYER))
    text, style = label[i]
    kept = max(1, len(text) - (length - width) - 1)
    return [*label[:i], (text[:kept] + "…", style), *label[i + 1 :]]
