"""Walkthroughs: a network, or a module of it, as on the board, a line for every layer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from convcalc.analysis.derivation import Derivations
from convcalc.analysis.quantities import total
from convcalc.graph import Graph, Node
from convcalc.layer import show_shape
from convcalc.notation import LATEX, TEXT, Notation
from convcalc.report import slides
from convcalc.report.board import STYLES
from convcalc.report.columns import ALL_LEVELS, REPEATED
from convcalc.report.explanation import (
    LATEX_NEEDS,
    Written,
    in_notation,
    known,
    notebook,
)
from convcalc.report.formats import latex, markdown
from convcalc.report.formats.text import number, shape
from convcalc.report.table import JSON_VERSION, plain
from convcalc.report.terminal import Piece, Rendered, wrapped
from convcalc.report.tree import Line, lines

_GAP = "  "
_INDENT = 0.7
"""How far, in ems, a level of modules is moved to the right on slides."""
_HIDDEN = "Modules hold more: --depth N shows more levels, without it all are shown."
_UNEVEN = "Where ⌊⌋ stands, windows do not fit evenly: what is left at the end is not read."
_TITLES = ("Layer", "Size", "Output", "Params", "MACs")


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
    def around(self) -> str:
        """The path of the module it is in, for LaTeX."""
        return latex.escape(self.line.first.path.rpartition(".")[0])

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
                graph, ["params", "macs"], depth=depth or ALL_LEVELS, fold=fold, root=module
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
            (REPEATED, any(entry.line.times > 1 for entry in self._entries)),
            (_UNEVEN, any(s.remark for e in self._entries for s in e.sizes)),
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
            label = "&emsp;" * len(entry.line.ancestors) + markdown.escape(entry.label.strip())
            rows.append(f"| {' | '.join((label, *self._cells(entry)))} |")
        rows.append(f"| **Total** | | | {' | '.join(self._totals)} |")
        return "\n".join(rows)

    def latex(self) -> str:
        """As LaTeX tables for a page, or for slides: what is between lines `% frame` fits one each.

        Formulas go below their lines where a slide is too narrow for them.
        """
        wide = next((t for t in slides.TYPES[:2] if self._ems(beside=True) <= _room(t, 5)), None)
        size = wide or next(
            (t for t in slides.TYPES[:2] if self._ems(beside=False) <= _room(t, 4)), slides.TINY
        )
        rows = [self._rows(entry, size, beside=wide is not None) for entry in self._entries]
        totals = " & ".join(map(latex.escape, self._totals))
        columns, skipped = ("lllrr", " & & & ") if wide else ("llrr", " & & ")
        titles = _TITLES if wide else (_TITLES[0], *_TITLES[2:])
        head = rf"{' & '.join(titles)} \\ \hline"
        # the total is not left alone on a slide
        text, height = rows[-1]
        rows[-1] = f"{text}\n" + rf"\hline Total{skipped}{totals} \\", height + size.points * 1.4
        chunks: list[list[str]] = [[]]
        left = slides.HEIGHT - 2 * size.points
        for entry, (text, height) in zip(self._entries, rows, strict=True):
            if height > left and chunks[-1]:
                chunks.append([rf"{entry.around}, continued \\"] if entry.around else [])
                left = slides.HEIGHT - 4 * size.points
            chunks[-1].append(text)
            left -= height
        tables = [
            "\n".join(
                [
                    # braces here would be the title of a frame
                    rf"\begingroup{size.command}\setlength{{\tabcolsep}}{{3pt}}",
                    rf"\begin{{tabular}}{{@{{}}{columns}@{{}}}}",
                    head,
                    *chunk,
                    r"\end{tabular}\par\endgroup",
                ]
            )
            for chunk in chunks
        ]
        return f"{LATEX_NEEDS}\n\n" + f"\n\n{slides.FRAME}\n".join(tables)

    def _ems(self, beside: bool) -> float:
        """The width of the table in ems, without the gaps between its columns."""
        widths: list[list[float]] = []
        for entry in self._entries:
            worked, output, params, macs = self._cells(entry)
            label = 0.5 * len(entry.label.strip()) + _INDENT * len(entry.line.ancestors)
            own = [slides.ems(output), slides.ems(params if beside else entry.counts[0])]
            widths.append(
                [label, *([slides.ems(worked)] if beside else []), *own, slides.ems(macs)]
            )
        totals = [0.0] * (3 if beside else 2) + [slides.ems(text) for text in self._totals]
        return float(sum(max(column) for column in zip(*widths, totals, strict=True)))

    def _rows(self, entry: _Entry, size: slides.Type, beside: bool) -> tuple[str, float]:
        """A line of the table, with its formulas beside or below, and its height."""
        # a fraction within a line would be too small to read
        worked, output, params, macs = (c.replace(r"\frac", r"\dfrac") for c in self._cells(entry))
        indent = rf"\hspace*{{{_INDENT * len(entry.line.ancestors):g}em}}"
        label = indent * bool(entry.line.ancestors) + latex.escape(entry.label.strip())
        shown = latex.escape(output), latex.escape(macs)
        height = size.points * 1.25
        if beside:
            row = (
                " & ".join(
                    (
                        label,
                        worked,
                        shown[0],
                        params if params.startswith("$") else latex.escape(params),
                        shown[1],
                    )
                )
                + r" \\"
            )
            return row, size.points * 3.2 if r"\dfrac" in worked + params else height
        row = " & ".join((label, shown[0], latex.escape(entry.counts[0]), shown[1])) + r" \\"
        formulas = [worked] if worked else []
        formulas += [params] if params != entry.counts[0] else []
        room = size.ems - _INDENT * (len(entry.line.ancestors) + 2) - 2
        if formulas and sum(map(slides.ems, formulas)) <= room:
            formulas = [r"\qquad ".join(formulas)]
        for formula in formulas:
            inside = rf"\hspace*{{{_INDENT * (len(entry.line.ancestors) + 2):g}em}}"
            row += "\n" + rf"\multicolumn{{4}}{{@{{}}l@{{}}}}{{{inside}{formula}}} \\[2pt]"
            height += 2 + size.points * (3.2 if r"\dfrac" in formula else 1.25)
        return row, height

    def notebook(self) -> dict[str, Any]:
        """As a Jupyter notebook, nbformat 4."""
        return notebook([f"# {markdown.escape(self.title)}", self.markdown()])

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


def _room(size: slides.Type, columns: int) -> float:
    """The ems that columns have in a line beside the gaps of 6 pt between them."""
    return (slides.WIDTH - 6 * (columns - 1)) / size.points


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
