"""Explanations: the derivations of layers as text, Markdown, LaTeX and notebooks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import groupby
from typing import Any, NamedTuple

from convcalc.analysis.derivation import EXPLAINED, Derivation, Derivations, Letter
from convcalc.analysis.memory import BYTES
from convcalc.dim import Dim, Size
from convcalc.errors import UsageError, did_you_mean, shorten
from convcalc.graph import Graph, Node
from convcalc.layer import show_shape
from convcalc.notation import LATEX, TEXT, Notation
from convcalc.report import slides
from convcalc.report.board import MEANINGS, STYLES, Formula
from convcalc.report.formats import latex, markdown
from convcalc.report.table import JSON_VERSION, plain
from convcalc.report.terminal import Piece, Rendered, wrapped

_LABELS = {
    ("params", ""): "parameters",
    ("params", "buffers"): "buffers",
    ("macs", ""): "MACs",
    ("memory", "output"): "output memory",
    ("memory", "params"): "parameter memory",
    ("receptive_field", "size"): "receptive field",
    ("receptive_field", "stride"): "field stride",
    ("receptive_field", "start"): "field start",
}
"""What the parts of a quantity are called; those of the output are named by themselves."""
LATEX_NEEDS = "% Needs amsmath, which beamer loads: \\usepackage{amsmath}"
_INDEX = re.compile(r"\[\d+\]|[_,]\d+$")
_BEFORE_SIGN = re.compile(" ([+−]) ")
"""A sum is broken before its signs."""


class Step(NamedTuple):
    """One figure of a layer, as text.

    `formula` and `substituted`, the formula with the numbers put in, are empty where no formula
    is worth a board; `note` then says why. `value` is what the report has.
    """

    layer: str
    quantity: str
    part: str
    formula: str
    substituted: str
    value: Size
    source: str
    note: str

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return {**self._asdict(), "value": plain(self.value)}


class Written:
    """A derivation in a style."""

    def __init__(self, derivation: Derivation, style: str) -> None:
        self.derivation = derivation
        self.quantity = derivation.quantity
        self.part = derivation.part
        self.formula = None
        if derivation.formula is not None:
            self.formula = Formula(derivation, STYLES[style])

    def in_style(self, style: str) -> Written:
        """The same derivation in another style."""
        return Written(self.derivation, style)

    def step(self, layer: str) -> Step:
        """The figure as text."""
        names = self.formula.names(TEXT) if self.formula else ""
        numbers = self.formula.numbers(TEXT) if self.formula else ""
        return Step(
            layer, self.quantity, self.part, names, numbers, self.derivation.value,
            self.derivation.source, self.note,
        )  # fmt: skip

    def sides(self, notation: Notation) -> list[str]:
        """What stands between the equals signs: the formula, the numbers put in, the value."""
        if self.formula is None:
            return []
        value = in_notation(self.derivation.value, notation)
        sides = [self.formula.names(notation), self.formula.numbers(notation)]
        if sides[-1] == value or not self.formula.letters:
            sides.pop()
        if sides != [value]:
            sides.append(value)
        if self.quantity == "memory":
            sides[-1] += " bytes" if notation is TEXT else r"\ \text{bytes}"
        return sides

    @property
    def label(self) -> str:
        """What the figure is: parameters, height and width, field stride, height."""
        part, comma, axes = self.part.partition(",")
        if self.quantity == "output":
            return self.part
        return _LABELS[self.quantity, part] + comma + axes

    @property
    def told(self) -> str:
        """What there is to say in words in place of a formula."""
        step = self.derivation
        if self.formula is not None:
            return ""
        return f"{step.value:,}, {step.note}" if step.quantity == "receptive_field" else step.note

    @property
    def source(self) -> str:
        """Where the formula comes from, and what in it is a number."""
        note = self.derivation.note if self.formula is not None else ""
        return "; ".join(filter(None, (self.derivation.source, note)))

    @property
    def note(self) -> str:
        """What is to be noted of the figure."""
        return self.derivation.note or self.remark

    @property
    def remark(self) -> str:
        """What a style remarks on the numbers."""
        return "" if self.formula is None else self.formula.remark


class _Layer(NamedTuple):
    """A layer and all that is written about it."""

    node: Node
    steps: list[Written]

    @property
    def shapes(self) -> tuple[str, str]:
        op = self.node.op
        return " and ".join(map(show_shape, op.inputs)), show_shape(op.output_shape)


def legend(steps: Iterable[Written], notation: Notation) -> list[tuple[str, str]]:
    """The symbols of some formulas, each with what it stands for."""
    found: dict[str, dict[str, None]] = {}
    meanings: dict[str, str] = {}
    for formula in (step.formula for step in steps if step.formula):
        for symbol in formula.letters:
            kind = Letter.of(symbol).kind
            word = _INDEX.sub("", formula.name(symbol))
            said = _beyond(word, MEANINGS.get(kind, kind))
            if said:
                meanings[kind] = said
                found.setdefault(kind, {})[formula.written(symbol, notation)] = None
    return [(", ".join(found[kind]), meanings[kind]) for kind in MEANINGS if kind in found]


class Explanation:
    """How the figures of some layers come about.

    `str()` is text; iterating gives `Step`s. In a notebook it shows as formulas.
    """

    def __init__(self, title: str, style: str, found: list[tuple[Node, list[Derivation]]]) -> None:
        self.title = title
        self.style = style
        self._layers = [
            _Layer(node, [Written(derivation, style) for derivation in derivations])
            for node, derivations in found
        ]

    def __iter__(self) -> Iterator[Step]:
        for layer in self._layers:
            for step in layer.steps:
                yield step.step(layer.node.path)

    def render(self, width: int | None = None) -> Rendered:
        """As lines for a terminal of some width; each derivation on one line where that fits."""
        rows: list[list[Piece]] = []
        for layer in self._layers:
            if rows:
                rows.append([])
            rows.extend(_text_rows(layer, width))
        return Rendered(rows)

    def text(self, width: int | None = None) -> str:
        """As plain text."""
        return "\n".join(self.render(width).plain())

    def markdown(self) -> str:
        """As Markdown with math between dollar signs, as GitHub and notebooks show it."""
        return "\n\n".join(map(_markdown, self._layers))

    def latex(self) -> str:
        """As LaTeX for a page, or for slides: what is between lines `% frame` fits one each."""
        pieces = [piece for layer in self._layers for piece in _latex(layer)]
        return "\n\n".join([LATEX_NEEDS, f"\n\n{slides.FRAME}\n".join(slides.parts(pieces))])

    def notebook(self) -> dict[str, Any]:
        """As a Jupyter notebook, nbformat 4: a cell for every layer."""
        return notebook([f"# {markdown.escape(self.title)}", *map(_markdown, self._layers)])

    def to_dict(self) -> dict[str, Any]:
        """As `explain --format json` prints it."""
        return {
            "convcalc": JSON_VERSION,
            "name": self.title,
            "style": self.style,
            "steps": [step.to_dict() for step in self],
        }

    def __str__(self) -> str:
        return self.text()

    __repr__ = __str__

    def _repr_markdown_(self) -> str:
        return self.markdown()

    def _repr_latex_(self) -> str:
        return "\n".join(filter(None, (aligned(layer.steps)[0] for layer in self._layers)))


def _beyond(word: str, meaning: str) -> str:
    """What a meaning says that a name does not: of `padding`, on each side; of `kernel`, nothing.

    A letter says nothing, `in_features` all of "features of the input".
    """
    if meaning == word or (word.endswith("_features") and "features of" in meaning):
        return ""
    return meaning.removeprefix(f"{word} ")


def explain(
    graph: Graph,
    layers: str | Iterable[str] = (),
    of: str | Iterable[str] | None = None,
    style: str = "textbook",
    dtype: str = "float32",
) -> Explanation:
    """The explanation of some layers of a graph.

    Args:
        graph: the network.
        layers: names as in the report, of layers or of modules, which stand for all their layers;
            none for the first layer of every kind.
        of: what to explain, by commas or in a list: output, params, macs, memory,
            receptive_field; all of them if nothing is said.
        style: textbook, torch, d2l or cs231n.
        dtype: what the bytes are counted for.

    Raises:
        UsageError: a layer, quantity, style or dtype does not exist.
    """
    wanted = _names(EXPLAINED if of is None else of)
    for name in wanted:
        known(name, EXPLAINED, "quantity")
    known(style, STYLES, "style")
    known(dtype, BYTES, "dtype")
    derivations = Derivations(graph, dtype)
    nodes = _nodes(graph, _names(layers))
    return Explanation(graph.title, style, [(node, derivations.of(node, wanted)) for node in nodes])


def first_of_kinds(graph: Graph) -> list[Node]:
    """The first layer of every kind, in running order."""
    found: dict[str, Node] = {}
    for node in graph.nodes:
        found.setdefault(node.kind, node)
    return list(found.values())


def _nodes(graph: Graph, names: list[str]) -> list[Node]:
    if not names:
        return first_of_kinds(graph)
    return list(dict.fromkeys(node for name in names for node in graph.find(name)))


def known(name: str, names: Iterable[str], what: str) -> None:
    """Raise unless the name is one of some.

    Raises:
        UsageError: it is none, with a suggestion.
    """
    if name not in names:
        hint = did_you_mean(name, names) or f"There are {', '.join(names)}."
        raise UsageError(f"unknown {what} '{shorten(name)}'", hint=hint)


def _names(names: str | Iterable[str]) -> list[str]:
    if isinstance(names, str):
        return [name.strip() for name in names.split(",") if name.strip()]
    return list(names)


def in_notation(value: Size, notation: Notation) -> str:
    """A figure, or its closed form."""
    if isinstance(value, Dim):
        return value.write(notation)
    size = abs(value)
    number = notation.number(size)
    if isinstance(size, Fraction):  # the stride of a receptive field after upsampling
        parts = notation.number(size.numerator), notation.number(size.denominator)
        number = notation.ratio(*parts, (True, True))
    return f"{notation.minus}{number}" if value < 0 else number


# -- text ---------------------------------------------------------------------------------------


def _text_rows(layer: _Layer, width: int | None) -> Iterator[list[Piece]]:
    before, after = layer.shapes
    about = f"{layer.node.kind}  {before} → {after}"
    head = f"{layer.node.path}  {about}"
    if width is None or len(head) <= width:
        yield [(layer.node.path, "module"), (f"  {about}", "faint")]
    else:
        yield [(layer.node.path, "module")]
        yield from ([(f"  {text}", "faint")] for text in wrapped(about, width - 2))
    indent = max((len(step.label) for step in layer.steps), default=0) + 4
    room = None if width is None else width - indent
    for step, following in zip(layer.steps, [*layer.steps[1:], None], strict=True):
        texts = fitted(step.sides(TEXT), room) or wrapped(step.told, room, "")
        for k, text in enumerate(texts):
            label = "" if k else f"  {step.label}"
            yield [(label.ljust(indent), "header"), (text, "")]
        if step.remark:
            for text in wrapped(step.remark, room, ""):
                yield [(" " * indent, ""), (text, "")]
        # one source for all that comes from it
        if step.source and (following is None or following.source != step.source):
            for text in wrapped(step.source, room, ""):
                yield [(" " * indent, ""), (text, "faint")]
    told = ", ".join(f"{name} {meaning}" for name, meaning in legend(layer.steps, TEXT))
    if told:
        for text in wrapped(f"With {told}.", width):
            yield [(text, "faint")]


def fitted(sides: list[str], width: int | None) -> list[str]:
    """Sides of an equation on one line where they fit, else each on one, wrapped at need."""
    line = " = ".join(sides)
    if width is None or len(line) <= width:
        return [line] if line else []
    return [
        part.replace("\N{NO-BREAK SPACE}", " ")
        for k, side in enumerate(sides)
        for part in wrapped(
            _BEFORE_SIGN.sub(" \\1\N{NO-BREAK SPACE}", f"= {side}" if k else side),
            width,
            indent="    ",
        )
    ]


# -- Markdown -----------------------------------------------------------------------------------


def _markdown(layer: _Layer) -> str:
    before, after = map(markdown.escape, layer.shapes)
    rows = [
        f"### {markdown.escape(layer.node.path)}",
        "",
        f"{markdown.escape(layer.node.kind)}: {before} → {after}",
        "",
    ]
    for step in layer.steps:
        sides = step.sides(LATEX)
        told = f"${' = '.join(sides)}$" if sides else markdown.escape(step.told)
        source = f" ({markdown.escape(step.source)})" if step.source else ""
        remark = f"; {markdown.escape(step.remark)}" if step.remark else ""
        rows.append(f"- **{step.label}:** {told}{remark}{source}")
    told = ", ".join(f"${name}$ {meaning}" for name, meaning in legend(layer.steps, LATEX))
    if told:
        rows += ["", f"With {told}."]
    return "\n".join(rows)


def notebook(cells: Sequence[str]) -> dict[str, Any]:
    """A notebook of Markdown cells, nbformat 4."""
    return {
        "cells": [
            {"cell_type": "markdown", "metadata": {}, "source": text.splitlines(keepends=True)}
            for text in cells
        ],
        "metadata": {"language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 4,
    }


# -- LaTeX --------------------------------------------------------------------------------------


def _latex(layer: _Layer) -> Iterator[tuple[str, float]]:
    """What is written about a layer, in pieces that fit a frame, each with its height."""
    before, after = map(latex.escape, layer.shapes)
    name, kind = latex.escape(layer.node.path), latex.escape(layer.node.kind)
    head = rf"\textbf{{{name}}}: {kind}, {before} $\to$ {after}"
    groups = [list(steps) for _, steps in groupby(layer.steps, lambda step: step.quantity)]
    steps: list[Written] = []
    for group in groups:
        _, height = _piece(layer.node, [*steps, *group], head)
        if steps and height > slides.HEIGHT:
            yield _piece(layer.node, steps, head)
            head = rf"\textbf{{{name}}}, continued"
            steps = []
        steps += group
    yield _piece(layer.node, steps, head)


def _piece(node: Node, steps: list[Written], head: str) -> tuple[str, float]:
    """Some figures of a layer under a head, with their legend."""
    equations, height = aligned(steps)
    height += slides.paragraph(head, slides.FOOTNOTE) + 10
    rows = [head, rf"\begingroup{slides.FOOTNOTE.command}"]
    if equations:
        rows.append(equations)
    for step in steps:
        said = step.told or step.remark
        if said:
            text = f"{step.label}: {said}."
            rows.append(rf"\par {latex.escape(text)}")
            height += slides.paragraph(text, slides.FOOTNOTE)
    symbols = ", ".join(f"${name}$ {meaning}" for name, meaning in legend(steps, LATEX))
    if symbols:
        rows.append(rf"\par\smallskip{slides.SCRIPT.command} With {symbols}.")
        told = ", ".join(f"{name} {meaning}" for name, meaning in legend(steps, TEXT))
        height += slides.paragraph(told, slides.SCRIPT) + 4
    rows.append(r"\par\endgroup")
    rows.extend(
        f"% {latex.escape(step.label)}: {latex.escape(step.source)}"
        for step in steps
        if step.formula is not None and step.source
    )
    return "\n".join(rows), height


def aligned(steps: list[Written]) -> tuple[str, float]:
    """The equations, each after its label, over as many lines as they take, and their height.

    Type gets smaller, and labels stand above, where they would not fit a frame beside each other.
    """
    worked = [(rf"\text{{{latex.escape(s.label)}:}}", s.sides(LATEX)) for s in steps if s.formula]
    if not worked:
        return "", 0
    beside = max(slides.ems(label) for label, _ in worked) + 1
    for size, indent in (*((t, beside) for t in slides.TYPES[:2]), *((t, 1) for t in slides.TYPES)):
        found = [slides.lines(sides, size.ems - indent) for _, sides in worked]
        if None not in found:
            break
    else:
        found = [[*sides[:1], *(f"= {side}" for side in sides[1:])] for _, sides in worked]
    rows = []
    for (label, _), lines in zip(worked, found, strict=True):
        assert lines is not None
        if indent == beside:
            rows += [
                rf"& {'' if k else label}\quad && {line}".replace(r"& \quad &&", "& &&")
                for k, line in enumerate(lines)
            ]
        else:
            rows += [f"& {label}", *(rf"& \quad {line}" for line in lines)]
    height = 20 + sum(size.fraction if r"\frac" in row else size.row for row in rows)
    body = " \\\\\n".join(rows)
    equations = f"\\begin{{alignat*}}{{2}}\n{body}\n\\end{{alignat*}}"
    if size is not slides.FOOTNOTE:
        # a paragraph ends within the group, or its lines keep the larger distance
        equations = rf"{{{size.command}" + f"\n{equations}\\par}}"
    return equations, height
