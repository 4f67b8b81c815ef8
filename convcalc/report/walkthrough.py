"""Walkthroughs: a network, or a module of it, as on the board, a line for every layer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from convcalc.analysis.derivation import Derivations
from convcalc.analysis.quantities import total
from convcalc.graph import Graph, Node
from convcalc.layer import show_shape
from convcalc.notation import LATEX, TEXT, Notation
from convcalc.report.board import STYLES
from convcalc.report.explanation import (
    LATEX_NEEDS,
    Written,
    in_notation,
    known,
    notebook,
    plain_latex,
    plain_markdown,
)
from convcalc.report.report import JSON_VERSION, plain
from convcalc.report.terminal import Piece, Rendered, number, shape, wrapped
from convcalc.report.tree import Line, lines

_GAP = "  "
_REPEATED = "×n: n identical ones; their line holds the sum, the lines below it one."
_HIDDEN = "Modules hold more: --depth N shows more levels, without it all are shown."
_UNEVEN = "Where ⌊⌋ stands, windows do not fit evenly: what is left at the end is not read."
_TITLES = ("Layer", "Size", "Output", "Params", "MACs")
_LEVELS = 1_000
"""More than modules can be nested."""


class _Entry(NamedTuple):
    """A line of the walkthrough, with the derivations of its layer's sizes and parameters."""

    line: Line
    sizes: list[Written]
    params: list[Written]

    @property
    def label(self) -> str:
        times = f" ×{self.line.times:,}" if self.line.times > 1 else ""
        return "  " * len(self.line.ancestors) + self.line.label + times

    def size(self, notation: Notation) -> str:
        """The sizes worked out, without those that are given or stay."""
        parts = []
        for step in self.sizes:
            assert step.formula is not None
            value = in_notation(step.derivation.value, notation)
            text = step.formula.numbers(notation)
            if text != value:
                parts.append(f"{text} = {value}")
        return (", " if notation is TEXT else r",\ ").join(parts)

    def params_formula(self, notation: Notation) -> str:
        """The parameters with the numbers put in, those of all where they are repeated."""
        for step in self.params:
            assert step.formula is not None
            text = step.formula.numbers(notation)
            if self.line.times > 1:
                text = notation.product([notation.number(self.line.times), notation.group(text)])
            if text != in_notation(self.line.sums["params"], notation):
                return text
        return ""

    @property
    def counts(self) -> tuple[str, str]:
        return number(self.line.sums["params"]), number(self.line.sums["macs"])


class Walkthrough:
    """The layers of a network with their sizes and parameters worked out, and their MACs.

    `str()` is text.

    Args:
        graph: the network.
        style: textbook, torch, d2l or cs231n.
        layer: the path of a module, to walk through that alone; empty for all.
        depth: the number of levels shown; None for all, down to the layers.
        fold: whether identical neighbours become one line.
    """

    def __init__(
        self, graph: Graph, style: str, layer: str = "", depth: int | None = None, fold: bool = True
    ) -> None:
        module = graph.module(layer)
        nodes = graph.find(layer) if layer else None
        self.style = style
        self.title = ", ".join(filter(None, (graph.title, layer)))
        inputs = [module.input] if layer and module.input else graph.inputs
        self._inputs = ", ".join(show_shape(node.shape) for node in inputs)
        derivations = Derivations(graph)
        self._entries = [
            _entry(line, derivations, style)
            for line in lines(
                graph, ["params", "macs"], depth=depth or _LEVELS, fold=fold, root=module
            )
        ]
        self._sums = {name: total(name, graph, nodes=nodes) for name in ("params", "macs")}
        self._totals = [number(value) for value in self._sums.values()]

    def render(self, width: int | None = None) -> Rendered:
        """As a table for a terminal; formulas go below their lines where they do not fit."""
        body: list[list[Piece]] = [[(self.title, "title"), (f"  input {self._inputs}", "faint")]]
        rows = self._wide()
        if width is not None and len(rows[0]) > width:
            body += [[], *self._narrow(width)]
        else:
            styles = ["header", "faint", *(["layer"] * len(self._entries)), "faint", "total"]
            body += [[], *([(row, style)] for row, style in zip(rows, styles, strict=True))]
        for note, needed in (
            (_REPEATED, any(entry.line.times > 1 for entry in self._entries)),
            (_UNEVEN, any(s.formula and s.formula.remark for e in self._entries for s in e.sizes)),
            (_HIDDEN, any(entry.line.hides for entry in self._entries)),
        ):
            if needed:
                body.extend([(text, "faint")] for text in wrapped(note, width))
        return Rendered(body)

    def _wide(self) -> list[str]:
        """The table with all on one line: header, rule, lines, rule, total; all equally long."""
        cells = []
        formulas = [entry.params_formula(TEXT) for entry in self._entries]
        values = [entry.counts[0] for entry in self._entries]
        last = max(map(len, (*values, self._totals[0])))
        for entry, formula, value in zip(self._entries, formulas, values, strict=True):
            worked = f"{formula} = " if formula else ""
            sizes, output = entry.size(TEXT), shape(entry.line.output_shape)
            cells.append((entry.label, sizes, output, worked + value.rjust(last), entry.counts[1]))
        return _table([_TITLES, *cells, ("Total", "", "", *self._totals)])

    def _narrow(self, width: int) -> Iterator[list[Piece]]:
        """The table with formulas on lines of their own."""
        cells = [
            (entry.label, shape(entry.line.output_shape), *entry.counts) for entry in self._entries
        ]
        titles = (_TITLES[0], *_TITLES[2:])
        rows = _table([titles, *cells, ("Total", "", *self._totals)])
        yield [(rows[0], "header")]
        yield [(rows[1], "faint")]
        for row, entry in zip(rows[2:-2], self._entries, strict=True):
            yield [(row, "layer")]
            indent = "  " * (len(entry.line.ancestors) + 2)
            formula = entry.params_formula(TEXT)
            params = f"{formula} = {entry.counts[0]}" if formula else ""
            for title, text in (("size", entry.size(TEXT)), ("params", params)):
                if text:
                    for part in wrapped(f"{title} {text}", width - len(indent)):
                        yield [(indent + part, "faint")]
        yield [(rows[-2], "faint")]
        yield [(rows[-1], "total")]

    def text(self, width: int | None = None) -> str:
        """As plain text."""
        return "\n".join(self.render(width).plain())

    def _cells(self, entry: _Entry) -> tuple[str, str, str, str]:
        """Size, output, parameters and MACs of a line, with math between dollar signs."""
        size, formula = entry.size(LATEX), entry.params_formula(LATEX)
        params, macs = entry.counts
        value = in_notation(entry.line.sums["params"], LATEX)
        worked = f"${formula} = {value}$" if formula else params
        return f"${size}$" if size else "", shape(entry.line.output_shape), worked, macs

    def markdown(self) -> str:
        """As a Markdown table with math between dollar signs."""
        rows = [f"| {' | '.join(_TITLES)} |", "|---|---|---|--:|--:|"]
        for entry in self._entries:
            label = "&emsp;" * len(entry.line.ancestors) + plain_markdown(entry.label.strip())
            rows.append(f"| {' | '.join((label, *self._cells(entry)))} |")
        rows.append(f"| **Total** | | | {' | '.join(self._totals)} |")
        return "\n".join(rows)

    def latex(self) -> str:
        """As a LaTeX tabular."""
        rows = []
        for entry in self._entries:
            indent = r"\quad " * len(entry.line.ancestors)
            columns = indent + plain_latex(entry.label.strip()), *self._cells(entry)
            rows.append(" & ".join(columns) + r" \\")
        totals = " & ".join(map(plain_latex, self._totals))
        # braces here would be the title of a frame
        head = [LATEX_NEEDS, r"\begingroup\footnotesize\renewcommand{\arraystretch}{1.5}"]
        head.append(r"\begin{tabular}{lllrr}")
        head.append(r"Layer & Size & Output & Params & MACs \\ \hline")
        end = [rf"\hline Total & & & {totals}", r"\end{tabular}\endgroup"]
        return "\n".join([*head, *rows, *end])

    def notebook(self) -> dict[str, Any]:
        """As a Jupyter notebook, nbformat 4."""
        return notebook([f"# {plain_markdown(self.title)}", self.markdown()])

    def to_dict(self) -> dict[str, Any]:
        """As `explain --steps --format json` prints it: lines, each with its steps."""
        return {
            "convcalc": JSON_VERSION,
            "name": self.title,
            "style": self.style,
            "lines": [
                {
                    "layer": entry.line.first.path,
                    "type": entry.line.kind,
                    "level": len(entry.line.ancestors) + 1,
                    "times": entry.line.times,
                    "output_shape": plain(entry.line.output_shape),
                    **{name: plain(value) for name, value in entry.line.sums.items()},
                    "steps": [
                        step.step(entry.line.first.path).to_dict()
                        for step in (*entry.sizes, *entry.params)
                    ],
                }
                for entry in self._entries
            ],
            "totals": {name: plain(value) for name, value in self._sums.items()},
        }

    def __str__(self) -> str:
        return self.text()

    __repr__ = __str__

    def _repr_markdown_(self) -> str:
        return self.markdown()


def walk_through(
    graph: Graph,
    style: str = "textbook",
    layer: str = "",
    depth: int | None = None,
    fold: bool = True,
) -> Walkthrough:
    """The walkthrough of a graph, or of one of its modules.

    Raises:
        UsageError: there is no such style or module.
    """
    known(style, STYLES, "style")
    return Walkthrough(graph, style, layer, depth, fold)


def _table(rows: list[tuple[str, ...]]) -> list[str]:
    """Rows under a header, and a total, with rules; the last two columns are right-aligned."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    left = len(widths) - 2
    found = []
    for row in rows:
        texts = [
            text.ljust(size) if i < left else text.rjust(size)
            for i, (text, size) in enumerate(zip(row, widths, strict=True))
        ]
        found.append(_GAP.join(texts))
    rule = "─" * len(found[0])
    return [found[0], rule, *found[1:-1], rule, found[-1]]


def _entry(line: Line, derivations: Derivations, style: str) -> _Entry:
    if not isinstance(line.first, Node):
        return _Entry(line, [], [])
    found = [
        Written(step, style)
        for step in derivations.of(line.first, ["output", "params"])
        if step.formula is not None and step.part != "buffers"
    ]
    sizes = [step for step in found if step.quantity == "output"]
    return _Entry(line, sizes, [step for step in found if step.quantity == "params"])
