"""LaTeX that fits beamer frames: how wide and high formulas get, and parts cut to a frame.

Sizes are estimates for beamer's default frame, 128 by 96 mm with 11 pt type and a title; they are
on the safe side for its fonts, and for pages.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

FRAME = "% frame"
"""Stands on a line of its own between parts, each of which fits one frame."""
WIDTH = 300.0
"""Points in a line, of 307."""
HEIGHT = 215.0
"""Points in a frame with a title."""


class Type(NamedTuple):
    """A size of type: its command, its points, and the heights of rows of formulas."""

    command: str
    points: float
    row: float
    fraction: float
    """The height of a row with a fraction, as displayed."""

    @property
    def ems(self) -> float:
        """The length of a line in ems."""
        return WIDTH / self.points


FOOTNOTE = Type(r"\footnotesize", 9, 14.5, 27)
SCRIPT = Type(r"\scriptsize", 8, 12.5, 24)
TINY = Type(r"\tiny", 6, 10, 19)
TYPES = (FOOTNOTE, SCRIPT, TINY)

_BETWEEN = "\n\n\\medskip\n"
_TOKEN = re.compile(r"\\[A-Za-z]+|\\.|.", re.DOTALL)
_EMS = {
    r"\cdot": 0.75, r"\quad": 1, r"\qquad": 2, r"\ ": 0.34, r"\,": 0.17, r"\max": 1.9, r"\min": 1.8,
    r"\gcd": 1.7, r"\cdots": 1.4, r"\dots": 1.4, r"\left": 0.1, r"\right": 0.1, r"\lfloor": 0.5,
    r"\rfloor": 0.5, r"\lceil": 0.5, r"\rceil": 0.5, "+": 1.3, "-": 1.3, "=": 1.4, ",": 0.45,
    " ": 0, "{": 0, "}": 0, "(": 0.42, ")": 0.42, "[": 0.3, "]": 0.3, "×": 0.8, r"\_": 0.5,
}  # fmt: skip
_LETTER = 0.56
_LOWERED = 0.72
"""How large a subscript or an exponent is."""


def ems(math: str) -> float:
    """The width of a formula in ems: of a fraction, that of its longer half."""
    tokens = _TOKEN.findall(math)
    width, _ = _measured(tokens, 0)
    return width


def _measured(tokens: list[str], i: int, one: bool = False) -> tuple[float, int]:
    """The width of the tokens up to the end of their group, or of one group, and where it ends."""
    width = 0.0
    while i < len(tokens):
        token = tokens[i]
        i += 1
        if token == "}":
            return width, i
        if token == "{":
            inside, i = _measured(tokens, i)
            width += inside
        elif token in (r"\frac", r"\dfrac"):
            above, i = _measured(tokens, i, one=True)
            below, i = _measured(tokens, i, one=True)
            width += max(above, below) + 0.3
        elif token in ("_", "^"):
            lowered, i = _measured(tokens, i, one=True)
            width += _LOWERED * lowered
        elif token in (r"\mathrm", r"\mathit", r"\text", r"\operatorname"):
            inside, i = _measured(tokens, i, one=True)
            width += inside
        else:
            width += _EMS.get(token, _LETTER if token[-1].isalpha() else 0.52)
        if one:
            break
    return width, i


def lines(sides: Sequence[str], room: float) -> list[str] | None:
    """An equation on one line of so many ems, or a line for each side, a sum over several.

    None where it does not fit.
    """
    whole = " = ".join(sides)
    if ems(whole) <= room:
        return [whole]
    found: list[str] = []
    for k, side in enumerate(sides):
        piece = f"= {side}" if k else side
        found.append(piece)
        if ems(piece) > room:
            found[-1], *rest = _terms(piece)
            for part in rest:
                if ems(found[-1]) + ems(part) <= room:
                    found[-1] += f" {part}"
                else:
                    found.append(rf"\quad {{}}{part}")
    return found if all(ems(line) <= room for line in found) else None


def _terms(math: str) -> list[str]:
    """A sum before its signs, those within brackets not among them."""
    parts = [""]
    depth = 0
    for token in _TOKEN.findall(math):
        depth += (token in ("{", r"\left")) - (token in ("}", r"\right"))
        if depth == 0 and token in ("+", "-") and parts[-1].strip(" ="):
            parts.append("")
        parts[-1] += token
    return [part.strip() for part in parts]


def paragraph(text: str, size: Type) -> float:
    """The height of so much text."""
    per_line = int(size.ems / 0.48)
    return -(-len(text) // per_line) * size.points * 1.22


def parts(pieces: Sequence[tuple[str, float]]) -> Iterator[str]:
    """Pieces, each with its height, put together as far as a frame holds them."""
    found: list[str] = []
    height = 0.0
    for text, own in pieces:
        if found and height + own > HEIGHT:
            yield _BETWEEN.join(found)
            found, height = [], 0.0
        found.append(text)
        height += own + 6
    if found:
        yield _BETWEEN.join(found)
