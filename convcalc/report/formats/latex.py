r"""Tables for LaTeX: booktabs, numbers as siunitx reads them, longtable where they are long.

A document compiles as it stands, with siunitx or without; a fragment is a tabular to be put into
slides or a paper, which says above itself what it needs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from convcalc.dim import Dim
from convcalc.notation import LATEX
from convcalc.report import slides
from convcalc.report.formats.text import texts
from convcalc.report.table import MODULE, TOTAL, Column, Row, Script, Table, cell, is_compound

_ROWS_OF_A_FRAGMENT = 40
"""How many fit a page that nobody knows; more are a longtable."""
_SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "%": r"\%",
    "#": r"\#", "_": r"\_", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}",
    "\0": "{}", "`": r"\textasciigrave{}", "'": r"\textquotesingle{}", "\n": " ", "\t": " ",
    "×": r"$\times$", "→": r"$\to$", "·": r"$\cdot$", "−": r"$-$", "≥": r"$\geq$",
    "≤": r"$\leq$", "⌊": r"$\lfloor$", "⌋": r"$\rfloor$", "⌈": r"$\lceil$", "⌉": r"$\rceil$",
    "≈": r"$\approx$", "≠": r"$\neq$", "≡": r"$\equiv$", "Σ": r"$\Sigma$", "Π": r"$\Pi$",
    "α": r"$\alpha$", "β": r"$\beta$", "λ": r"$\lambda$", "√": r"$\surd$", "…": r"\dots{}",
    "–": "--", "—": "---", "⅙": "1/6", "“": "``", "”": "''",
    # a letter, as what LaTeX calls a cross is a times sign
    "✓": r"$\checkmark$", "✗": r"\textsf{\textbf{X}}",
    **{sign: f"$^{digit}$" for digit, sign in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")},
}  # fmt: skip


_LIGATURES = re.compile("(?<=-)-|(?<=,),")
"""Where two signs would become a dash, or a quotation mark."""


def escape(text: str) -> str:
    """Text with what is special to LaTeX escaped; letters beyond Latin become question marks."""
    text = _LIGATURES.sub("\0\\g<0>", text)
    return "".join(_SPECIAL.get(c, c if " " <= c < "\u0180" else "?") for c in text)


class _Latex(Script):
    times = r" \times "

    def text(self, text: str) -> str:
        return escape(text)

    def number(self, digits: str) -> str:
        plain = digits.replace(",", "").replace("−", "-")
        return rf"\num{{{plain}}}"

    def formula(self, form: Dim) -> str:
        return f"${form.latex()}$"

    def sizes(self, sizes: Sequence[object]) -> str:
        factors = []
        for size in sizes:
            if isinstance(size, Dim):
                text = size.latex()
                factors.append(LATEX.group(text) if is_compound(size) else text)
            else:
                factors.append(str(size))
        return f"${self.times.join(factors)}$" if factors else ""


SCRIPT: Script = _Latex()

_PREAMBLE = r"""\usepackage[T1]{fontenc}
\usepackage[utf8]{inputenc}
\IfFileExists{lmodern.sty}{\usepackage{lmodern}}{}
\usepackage{textcomp}
\usepackage{amsmath, amssymb, array, booktabs, longtable}
\IfFileExists{siunitx.sty}{\usepackage{siunitx}%
  \sisetup{group-separator={,}, group-minimum-digits=4}}{}
% without siunitx: digits in groups of three
\ExplSyntaxOn
\ProvideDocumentCommand \num { m }
  {
    \tl_set:Nn \l_tmpa_tl {#1}
    \bool_set_false:N \l_tmpa_bool
    \bool_until_do:Nn \l_tmpa_bool
      {
        \regex_replace_once:nnNF { \A (-?\d+) (\d{3}) (\Z|[.,]) } { \1,\2\3 } \l_tmpa_tl
          { \bool_set_true:N \l_tmpa_bool }
      }
    \regex_replace_all:nnN { , } { \cB\{ , \cE\} } \l_tmpa_tl
    \ensuremath { \l_tmpa_tl }
  }
\ExplSyntaxOff"""
_NEEDS = "\\usepackage{amssymb, array, booktabs, longtable, siunitx}"


class _Sheet:
    """A size of type, and what of some paper is not margins of 57 points, 2 cm; in points."""

    def __init__(self, type_: str, em: float, paper: str, width: float, height: float) -> None:
        self.type = type_
        self.em = em
        self.paper = paper
        self.width = width
        self.height = height

    def rows(self, stretch: float) -> int:
        """How many lines of a table, whose rows are so much farther apart, a page has room for."""
        return int((self.height - _AROUND) / (_LINE * stretch * self.em))


_MARGINS = 2 * 57
_A4 = 597 - _MARGINS, 845 - _MARGINS
_SHEETS = (
    _Sheet(r"\normalsize", 10, "a4paper", *_A4),
    _Sheet(r"\small", 9, "a4paper", *_A4),
    _Sheet(r"\footnotesize", 8, "a4paper", *_A4),
    _Sheet(r"\footnotesize", 8, "a4paper, landscape", *_A4[::-1]),
    _Sheet(r"\scriptsize", 7, "a4paper, landscape", *_A4[::-1]),
)
_WIDEST = 14_000.0
"""Points; TeX knows no lengths over 16,383."""
_LETTER = 0.53
"""Ems that a letter takes, on the safe side."""
_BETWEEN = 12.0
"""Points between two columns."""
_LINE = 1.25
"""Ems from a line to the next, on the safe side."""
_AROUND = 70.0
"""Points that the title above a table and its rules take."""
_STRETCH = 1.4
"""How much farther apart the rows of closed forms are."""


def document(tables: Sequence[Table], fragment: bool = False) -> str:
    """Tables as a document, on paper that is wide enough, or as a fragment."""
    if fragment:
        return "\n\n".join("\n".join(_fragment(table)) for table in tables)
    sheet = _sheet(tables)
    bodies = "\n\n\\bigskip\n".join("\n".join(_section(table, sheet)) for table in tables)
    return framed(bodies, sheet.paper)


def framed(body: str, paper: str = "a4paper") -> str:
    """A document that compiles as it stands."""
    return "\n".join(
        (
            r"\documentclass{article}",
            rf"\usepackage[{paper}, margin=57pt]{{geometry}}",
            _PREAMBLE,
            r"\setlength{\parindent}{0pt}",
            r"\pagestyle{empty}",
            r"\begin{document}",
            body,
            r"\end{document}",
        )
    )


def _fragment(table: Table) -> Iterator[str]:
    said = (f"{table.title}, {table.about}".strip(", "), table.source, *table.remarks, *table.notes)
    yield f"% needs {_NEEDS}"
    yield r"% and \sisetup{group-separator={,}, group-minimum-digits=4}"
    yield from (f"% {' '.join(text.split())}" for text in said if text)
    yield from _tabular(table, None)


def _section(table: Table, sheet: _Sheet) -> Iterator[str]:
    """A table with what is said around it."""
    if table.title:
        about = rf"\quad {escape(table.about)}" if table.about else ""
        yield rf"{{\large\bfseries {escape(table.title)}}}{about}\par\nopagebreak"
    if table.source:
        yield rf"{{\small {escape(table.source)}\par\nopagebreak}}"
    stretch = rf"\renewcommand{{\arraystretch}}{{{_STRETCH}}}" if table.is_symbolic else ""
    yield rf"{{\medskip{sheet.type}{stretch}"
    yield from _tabular(table, sheet)
    yield r"\par}\medskip{\footnotesize\raggedright"
    yield from (rf"{escape(text)}\par" for text in (*table.remarks, *table.notes))
    yield "}"


def _tabular(table: Table, sheet: _Sheet | None) -> Iterator[str]:
    is_long = len(table.shown_rows) + 1 > _rows_of_a_page(table, sheet)
    name = "longtable" if is_long else "tabular"
    columns = table.columns
    kinds = "".join(_kinds(table, sheet))
    head = " & ".join(_head(columns)) + r" \\"
    if is_long:
        yield "% run pdflatex twice: the first run of a longtable only guesses its columns' widths"
    yield rf"\begin{{{name}}}{'[l]' if is_long else ''}{{{kinds}}}"
    if is_long:
        yield _widest(table)
    yield from (r"\toprule", head, r"\midrule")
    if is_long:
        yield from (r"\endhead", r"\bottomrule", r"\endfoot")
    yield from (_row(row, columns) for row in table.rows)
    if table.total is not None:
        yield r"\midrule"
        yield _row(table.total, columns)
    yield from (_row(row, columns) for row in table.below)
    if not is_long:
        yield r"\bottomrule"
    yield rf"\end{{{name}}}"


def _rows_of_a_page(table: Table, sheet: _Sheet | None) -> int:
    if sheet is None or any(column.wraps for column in table.columns):  # rows of several lines
        return _ROWS_OF_A_FRAGMENT
    return sheet.rows(_STRETCH if table.is_symbolic else 1)


def _widest(table: Table) -> str:
    """A row of the widest text of each column, which is not printed, but makes room for them.

    The parts of a longtable are set one by one, each as wide as it needs: it is their first.
    """
    rows = table.shown_rows
    texts = [_head(table.columns), *(_cells(row, table.columns) for row in rows)]
    widths = [_head_widths(table), *(_row_widths(row, table.columns) for row in rows)]
    found = []
    for own_texts, own_widths in zip(
        zip(*texts, strict=True), zip(*widths, strict=True), strict=True
    ):
        found.append(own_texts[own_widths.index(max(own_widths))])
    return " & ".join(found) + r" \kill"


def _head(columns: Sequence[Column]) -> list[str]:
    return [escape(column.title) for column in columns]


def _row(row: Row, columns: Sequence[Column]) -> str:
    text = " & ".join(_cells(row, columns))
    # after \\ and rules, a bracket or a star would be read as an argument of theirs
    return ("{}" if text.startswith(("[", "*")) else "") + text + r" \\"


def _cells(row: Row, columns: Sequence[Column]) -> list[str]:
    found = [cell(value, column, SCRIPT) for value, column in zip(row.cells, columns, strict=True)]
    if row.kind == TOTAL:
        found[0] = rf"\textbf{{{found[0].capitalize()}}}"
    if row.kind == MODULE:
        found[0] = rf"\textbf{{{found[0]}}}"
    if row.level:
        found[0] = rf"\hspace{{{row.level}em}}{found[0]}"
    if row.times > 1:
        found[0] += rf" $\times${row.times}"
    return found


def _kinds(table: Table, sheet: _Sheet | None) -> Iterator[str]:
    """The kinds of the columns; one whose texts may be broken takes the room that is left."""
    widths = _widths(table)
    wide = [i for i, column in enumerate(table.columns) if column.wraps]
    room: float | None = None
    if sheet is not None and wide:
        taken = sum(width for i, width in enumerate(widths) if i not in wide) * sheet.em
        left = sheet.width - taken - _BETWEEN * len(widths)
        if sum(widths[i] for i in wide) * sheet.em > left:
            room = left / len(wide)
    for i, column in enumerate(table.columns):
        if i in wide and (room is not None or (sheet is None and widths[i] > 24)):
            size = "0.4\\linewidth" if room is None else f"{room:.0f}pt"
            yield rf">{{\raggedright\arraybackslash}}p{{{size}}}"
        else:
            yield "r" if column.right else "l"


def _widths(table: Table) -> list[float]:
    """How wide the columns are, in ems."""
    rows = (_row_widths(row, table.columns) for row in table.shown_rows)
    return [max(widths) for widths in zip(_head_widths(table), *rows, strict=True)]


def _head_widths(table: Table) -> list[float]:
    return [_LETTER * len(column.title) for column in table.columns]


def _row_widths(row: Row, columns: Sequence[Column]) -> list[float]:
    widths = [
        slides.ems(value.latex()) if isinstance(value, Dim) else _LETTER * len(text)
        for value, text in zip(row.cells, texts(row, columns), strict=True)
    ]
    widths[0] = 1.15 * widths[0] + row.level + (_LETTER * 5 if row.times > 1 else 0)
    return widths


def _sheet(tables: Sequence[Table]) -> _Sheet:
    """The smallest paper and the largest type that all tables fit; wider paper where none does."""
    demands = []
    for table in tables:
        widths = _widths(table)
        # what may be broken needs some room, not all
        fixed = sum(
            min(width, 20.0) if column.wraps else width
            for width, column in zip(widths, table.columns, strict=True)
        )
        demands.append((fixed, _BETWEEN * len(widths)))
    for sheet in _SHEETS:
        if all(sheet.em * ems + gaps <= sheet.width for ems, gaps in demands):
            return sheet
    width = min(_WIDEST, max(8 * ems + gaps for ems, gaps in demands) + _MARGINS)
    height = max(600.0, min(width, 845.0))
    paper = f"paperwidth={width:.0f}pt, paperheight={height:.0f}pt"
    return _Sheet(r"\footnotesize", 8, paper, width - _MARGINS, height - _MARGINS)
