"""Lines for terminals: layout of our own, colours of rich.

A rich Table of 500 rows takes a third of a second to lay out. Here a line is some pieces of text
with the name of a style each, widths are computed once per column, and rich only turns the names
of styles into what the terminal understands.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.text import Text

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
GAP = "  "
"""What stands between columns."""

Piece = tuple[str, str]
"""Some text and the name of its style."""


_ROUNDED = re.compile("[⌊⌈][^⌊⌈⌋⌉]*[⌋⌉]")
_BRACKETED = re.compile(r"[⌊⌈(][^⌊⌈()⌉⌋]*[)⌉⌋]")


def outside_brackets(text: str) -> str:
    """A formula without what stands in brackets: H − 2 is a sum, ⌊(H − 2)/2⌋ is none."""
    while text != (text := _BRACKETED.sub("", text)):
        pass
    return text


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
        over = sum(widths) + len(GAP) * (len(widths) - 1) - width
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
                pieces.append((GAP + text if i else text, style))
            yield pieces

    head = list(folded(titles, ["header"] * len(titles)))
    full = sum(widths) + len(GAP) * (len(widths) - 1)
    styles = ["module", *([""] * (len(titles) - 1))]
    body = [line for cells in rows for line in folded(cells, styles)]
    return Rendered([*head, [("─" * full, "faint")], *body])
