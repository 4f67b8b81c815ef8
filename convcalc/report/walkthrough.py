"""Walkthroughs: a whole network as on the board, a line for every layer."""

from __future__ import annotations

from typing import Any, NamedTuple

from convcalc.analysis.derivation import Derivations
from convcalc.analysis.quantities import total
from convcalc.dim import Size
from convcalc.graph import Graph, Node
from convcalc.layer import show_shape
from convcalc.notation import LATEX, TEXT, Notation
from convcalc.report.board import STYLES, Formula
from convcalc.report.explanation import (
    LATEX_NEEDS,
    in_notation,
    known,
    notebook,
    plain_latex,
    plain_markdown,
)
from convcalc.report.terminal import Piece, Rendered, number, shape, wrapped
from convcalc.report.tree import Line, lines

_GAP = "  "
_REPEATED = "×n: n identical ones; their line holds the sum, the lines below it one."


class _Entry(NamedTuple):
    """A line of the walkthrough."""

    line: Line
    sides: list[tuple[Formula, Size | None]]
    """The formulas with what they come to; no value where a column has it."""

    @property
    def label(self) -> str:
        times = f" ×{self.line.times:,}" if self.line.times > 1 else ""
        return "  " * len(self.line.ancestors) + self.line.label + times

    def worked(self, notation: Notation) -> str:
        """The formulas with the numbers put in."""
        parts = []
        for formula, value in self.sides:
            text = formula.numbers(notation)
            written = "" if value is None else in_notation(value, notation)
            parts.append(f"{text} = {written}" if written not in ("", text) else text)
        return (", " if notation is TEXT else r",\ ").join(parts)


class Walkthrough:
    """Every layer of a network with its size worked out, and its parameters and MACs.

    The formula is that of the output's sizes, or, where these are given or stay, that of the
    parameters. `str()` is text.
    """

    def __init__(self, graph: Graph, style: str) -> None:
        self.graph = graph
        self.title = graph.title
        derivations = Derivations(graph)
        self._entries = [
            _Entry(line, _sides(derivations, line.first, style))
            for line in lines(graph, ["params", "macs"])
        ]
        self._totals = [number(total(name, graph)) for name in ("params", "macs")]

    def render(self, width: int | None = None) -> Rendered:
        """As a table for a terminal; formulas go below their lines where they do not fit."""
        titles = ("Layer", "Worked out", "Output", "Params", "MACs")
        cells = [
            (entry.label, entry.worked(TEXT), shape(entry.line.output_shape), *_counts(entry))
            for entry in self._entries
        ]
        rows = [*cells, ("Total", "", "", *self._totals)]
        sizes = [max(map(len, column)) for column in zip(titles, *rows, strict=True)]
        below = width is not None and sum(sizes) + len(_GAP) * 4 > width
        kept = [i for i in range(len(titles)) if not (below and i == 1)]

        def row(texts: tuple[str, ...], style: str = "") -> list[Piece]:
            padded = [texts[i].rjust(sizes[i]) if i > 2 else texts[i].ljust(sizes[i]) for i in kept]
            return [(padded[0], style or "layer"), (_GAP + _GAP.join(padded[1:]), style)]

        rule: list[Piece] = [
            ("─" * (sum(sizes[i] for i in kept) + len(_GAP) * (len(kept) - 1)), "faint")
        ]
        inputs = ", ".join(show_shape(node.shape) for node in self.graph.inputs)
        body: list[list[Piece]] = [[(self.title, "title"), (f"  input {inputs}", "faint")], []]
        body += [row(titles, "header"), rule]
        for texts in cells:
            body.append(row(texts))
            if below and texts[1]:
                indent = " " * (len(texts[0]) - len(texts[0].lstrip()) + 4)
                body.extend(
                    [(f"{indent}{text}", "faint")]
                    for text in wrapped(texts[1], (width or 0) - len(indent), indent=f"{indent}  ")
                )
        body += [rule, row(rows[-1], "total")]
        if any(entry.line.times > 1 for entry in self._entries):
            body.append([(_REPEATED, "faint")])
        return Rendered(body)

    def text(self, width: int | None = None) -> str:
        """As plain text."""
        return "\n".join(self.render(width).plain())

    def markdown(self) -> str:
        """As a Markdown table with math between dollar signs."""
        rows = ["| Layer | Worked out | Output | Params | MACs |", "|---|---|---|--:|--:|"]
        for entry in self._entries:
            worked = entry.worked(LATEX)
            math = f"${worked}$" if worked else ""
            label = plain_markdown(entry.label.strip())
            indent = "&emsp;" * len(entry.line.ancestors)
            counts = " | ".join(_counts(entry))
            rows.append(
                f"| {indent}{label} | {math} | {shape(entry.line.output_shape)} | {counts} |"
            )
        rows.append(f"| **Total** | | | {' | '.join(self._totals)} |")
        return "\n".join(rows)

    def latex(self) -> str:
        """As a LaTeX tabular."""
        rows = []
        for entry in self._entries:
            worked = entry.worked(LATEX)
            math = f"${worked}$" if worked else ""
            indent = r"\quad " * len(entry.line.ancestors)
            columns = (
                indent + plain_latex(entry.label.strip()), math,
                *map(plain_latex, (shape(entry.line.output_shape), *_counts(entry))),
            )  # fmt: skip
            rows.append(" & ".join(columns) + r" \\")
        totals = " & ".join(map(plain_latex, self._totals))
        # braces here would be the title of a frame
        head = [LATEX_NEEDS, r"\begingroup\footnotesize\renewcommand{\arraystretch}{1.5}"]
        head.append(r"\begin{tabular}{lllrr}")
        head.append(r"Layer & Worked out & Output & Params & MACs \\ \hline")
        end = [rf"\hline Total & & & {totals}", r"\end{tabular}\endgroup"]
        return "\n".join([*head, *rows, *end])

    def notebook(self) -> dict[str, Any]:
        """As a Jupyter notebook, nbformat 4."""
        return notebook([f"# {plain_markdown(self.title)}", self.markdown()])

    def __str__(self) -> str:
        return self.text()

    __repr__ = __str__

    def _repr_markdown_(self) -> str:
        return self.markdown()


def walk_through(graph: Graph, style: str = "textbook") -> Walkthrough:
    """The walkthrough of a graph.

    Raises:
        UsageError: there is no such style.
    """
    known(style, STYLES, "style")
    return Walkthrough(graph, style)


def _counts(entry: _Entry) -> tuple[str, str]:
    sums = entry.line.sums
    return number(sums["params"]), number(sums["macs"])


def _sides(derivations: Derivations, first: Any, style: str) -> list[tuple[Formula, Size | None]]:
    if not isinstance(first, Node):
        return []
    output = [
        (Formula(step, STYLES[style]), step.value)
        for step in derivations.of(first, ["output"])
        if step.formula is not None
    ]
    worked: list[tuple[Formula, Size | None]] = [
        (formula, value)
        for formula, value in output
        if formula.numbers(TEXT) != in_notation(value, TEXT)
    ]
    return worked or [
        (Formula(step, STYLES[style]), None)
        for step in derivations.of(first, ["params"])
        if step.formula is not None and step.part == ""
    ]
