"""Questions about the layers of a network, as lecturers ask them, with their solutions.

A solution is the derivation that `explain` shows. A question says what occurs in that derivation's
formulas, and no more: whoever is asked for parameters is not told a stride.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from random import Random
from typing import Any, NamedTuple

from convcalc.analysis.derivation import Derivation, Derivations, Letter, and_joined, put
from convcalc.analysis.receptive_field import Fields, receptive_fields
from convcalc.fields import Axes, show
from convcalc.graph import Graph, Node
from convcalc.layer import AXIS_NAMES, fields, per_axis
from convcalc.notation import LATEX, TEXT, Notation
from convcalc.report.board import STYLES
from convcalc.report.explanation import Written, in_notation
from convcalc.report.formats.text import shape
from convcalc.view import IDENTITY, Spread, Window

KINDS = {
    "shape": "the size of an output",
    "params": "the parameters of a layer",
    "macs": "the multiply–accumulates of a layer",
    "receptive_field": "how much of the input an output sees",
    "padding": "the padding behind a size",
    "stride": "the stride behind a size",
    "kernel": "the kernel behind a size",
}
"""What is asked for; of the last three, the answer is a field that gives a known size."""
_LEAST = {"padding": 0, "stride": 1, "kernel": 1}
_OF_WINDOW = {"padding": "before", "stride": "stride", "kernel": "kernel"}
_STYLE = "textbook"
"""Whose letters say what a question tells."""
_PADDINGS = ("before", "after")
_NOUNS = {"out_channels": "filters", "out_features": "outputs"}
_SIZES = ("extent", "position", "out", "out_position")
"""Letters that say where a channel or a feature is, and not how many there are."""


Fact = tuple[str, str]
"""What is told or asked for, and what it is about."""


class Inverse(Written):
    """An output size as an equation in one unknown: padding, stride or kernel."""

    def __init__(self, derivation: Derivation, style: str, symbol: str) -> None:
        # what is asked for is the padding of one side
        of_one_side = Letter.of(symbol).kind != "padding" or not STYLES[style].total_padding
        super().__init__(derivation, style if of_one_side else _STYLE)
        self.symbol = symbol

    def in_style(self, style: str) -> Written:
        """The same equation in another style."""
        return Inverse(self.derivation, style, self.symbol)

    @property
    def answer(self) -> int:
        """What the unknown is."""
        assert self.formula is not None
        value = self.formula.values[self.symbol]
        assert isinstance(value, int)
        return value

    def at(self, value: int) -> Any:
        """The size at another value of the unknown."""
        assert self.formula is not None
        return put(self.formula.form, {**self.formula.values, self.symbol: value})

    def sides(self, notation: Notation) -> list[str]:
        """The formula, all numbers but the unknown put in, and the size."""
        assert self.formula is not None
        return [
            self.formula.names(notation),
            self.formula.numbers(notation, self.symbol),
            in_notation(self.derivation.value, notation),
        ]

    def solution(self, notation: Notation) -> str:
        """What the unknown is, and what its neighbours would give."""
        assert self.formula is not None
        name, around = self.formula.written(self.symbol, notation), notation is LATEX
        below, exact, above = (
            f"${name} = {value}$" if around else f"{name} = {value}"
            for value in (self.answer - 1, self.answer, self.answer + 1)
        )
        given = self.at(self.answer - 1), self.at(self.answer + 1)
        return f"{exact}, as {below} gives {given[0]} and {above} gives {given[1]}"


class Question(NamedTuple):
    """A question about a layer.

    `about` is what is said and asked of it, after its name; `answer` a number, or sizes; `effort`
    how much there is to write down. `told` and `asked` are the facts that the question
    tells, and the one that it asks for.
    """

    kind: str
    node: Node
    about: str
    answer: Any
    unit: str
    steps: Sequence[Written]
    told: frozenset[Fact]
    asked: Fact

    @property
    def text(self) -> str:
        """The question."""
        return f"{self.node.path} {self.about}"

    @property
    def shown(self) -> str:
        """The answer as people read it: 96×55×55, 34,944 parameters, stride 4."""
        if self.kind in _LEAST:
            return f"{self.kind} {self.answer}"
        sizes = [self.answer] if isinstance(self.answer, int) else self.answer
        return f"{_times(sizes)} {self.unit}".rstrip()

    def in_style(self, style: str) -> Question:
        """The same question, its solution in another style."""
        return self._replace(steps=[step.in_style(style) for step in self.steps])

    @property
    def effort(self) -> tuple[bool, int]:
        """Whether an equation is to be solved, and how many signs there are to write down."""
        sides = (side for step in self.steps for side in step.sides(TEXT)[1:])
        return self.kind in _LEAST, sum(map(len, sides))


def choose(graph: Graph, count: int, seed: int, kinds: Sequence[str]) -> list[Question]:
    """Some questions of all that there are, drawn by the seed; the easiest first.

    The kinds take turns. Only when there are too few otherwise, two questions are about one layer;
    and only then one says what another asks for.
    """
    makers = _Maker(graph)
    random = Random(seed).random  # the one method that is the same in every version of Python
    turns = [makers.questions(kind, sorted(graph.nodes, key=lambda _: random())) for kind in kinds]
    taken: list[Question] = []
    source: Iterable[Question] = _different(_in_turn(turns))
    nodes: set[Node] = set()
    told: set[Fact] = set()
    asked: set[Fact] = set()
    for may_share, may_tell in ((False, False), (True, False), (True, True)):
        left: list[Question] = []
        for question in source:
            if len(taken) == count:
                break
            shares = question.node in nodes
            tells = question.asked in told or not asked.isdisjoint(question.told)
            if (shares and not may_share) or (tells and not may_tell):
                left.append(question)
                continue
            taken.append(question)
            nodes.add(question.node)
            told |= question.told
            asked.add(question.asked)
        source = left
    order = {node: i for i, node in enumerate(graph.nodes)}
    return sorted(taken, key=lambda q: (q.effort, order[q.node], list(KINDS).index(q.kind)))


def _different(questions: Iterable[Question]) -> Iterator[Question]:
    """Without those that say the same of another layer."""
    seen = set()
    for question in questions:
        if (question.kind, question.about) not in seen:
            seen.add((question.kind, question.about))
            yield question


def _in_turn(sources: Sequence[Iterator[Question]]) -> Iterator[Question]:
    """One of each in turn, as long as there are some."""
    for group in zip_longest(*sources):
        yield from filter(None, group)


class _Maker:
    """Makes the questions of a graph, whose sizes are all numbers."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.derivations = Derivations(graph)
        self._fields: Mapping[Node, Fields] | None = None

    def questions(self, kind: str, nodes: Sequence[Node]) -> Iterator[Question]:
        """The questions of a kind about some layers, one for all that do the same."""
        make = getattr(self, f"_{kind}", None)
        seen = set()
        for node in nodes:
            if kind != "receptive_field" and id(node.op) in seen:
                continue
            seen.add(id(node.op))
            question = self._inverse(kind, node) if make is None else make(node)
            if question is not None:
                yield question

    def _written(self, node: Node, quantity: str) -> list[Written]:
        return [Written(d, _STYLE) for d in self.derivations.of(node, [quantity])]

    def _shape(self, node: Node) -> Question | None:
        steps = self._written(node, "output")
        if any(step.formula is None for step in steps) or not any(map(_is_worked_out, steps)):
            return None
        if _picks_axes(node):
            return None
        names = " × ".join(["channels", *AXIS_NAMES.get(len(node.shape) - 2, ())])
        is_volume = len(node.shape) > 2 and any(step.derivation.axes for step in steps)
        asks = (
            f"What is the output volume size, {names}?"
            if is_volume
            else ("What is the size of its output?")
        )
        return Question(
            "shape", node, f"{_said(node, steps)}. {asks}", node.shape[1:], "", steps,
            _told(node, steps), ("shape", shape(node.shape)),
        )  # fmt: skip

    def _params(self, node: Node) -> Question | None:
        step, *_ = steps = self._written(node, "params")
        layer, inputs = node.op.layer, node.op.inputs
        if step.formula is None:
            views = layer.window(*inputs) or ()
            has_window = any(view != IDENTITY for view in views)
            if node.owner is not node or layer.weights(*inputs) or not has_window:
                return None
            counted = "?"
        elif not _is_worked_out(step) or (_picks_axes(node) and _letters(steps) & set(_SIZES)):
            return None
        else:
            has_bias = "bias" in layer.weights(*inputs)
            counted = ", biases included?" if has_bias else "?"
            if not has_bias and hasattr(layer, "bias"):
                counted += " It has no bias."
            if node.op.buffers:
                counted += " Running statistics do not count."
        asks = f"How many parameters does it have{counted}"
        told = _told(node, [step])
        return Question(
            "params", node, f"{_said(node, [step])}. {asks}", node.op.params, "parameters",
            steps[:1], told, ("params", node.path),
        )  # fmt: skip

    def _macs(self, node: Node) -> Question | None:
        (macs,) = self._written(node, "macs")
        if macs.formula is None or not _is_worked_out(macs):
            return None
        sizes = [step for step in self._written(node, "output") if _is_worked_out(step)]
        steps = [*sizes, macs]
        batch = node.shape[0]
        per = "one input" if batch == 1 else f"a batch of {batch}"
        asks = (
            f"How many multiply–accumulates (MACs) does it take for {per}? "
            f"Biases take none{_said_of_zeros(node)}."
        )
        return Question(
            "macs", node, f"{_said(node, steps)}. {asks}", node.op.cost.macs, "MACs", steps,
            _told(node, steps), ("macs", node.path),
        )  # fmt: skip

    def _receptive_field(self, node: Node) -> Question | None:
        if self._fields is None:
            self._fields = receptive_fields(self.graph)
        # blocks of pixels are told as a scale, not as a kernel
        if len(node.inputs) != 1 or not _windows(node) or not hasattr(node.op.layer, "kernel"):
            return None
        before = _reaches(self._fields, node.inputs[0])
        after = _reaches(self._fields, node)
        if not before or not after or before[0] == after[0]:
            return None
        (sizes, strides), (seen, _) = before, after
        steps = [step for step in self._written(node, "receptive_field") if step.part[:4] == "size"]
        if not all(map(_is_worked_out, steps)):
            return None
        reads = f"every value it reads sees {_times(sizes)} positions of the network's input, "
        reads += f"and the fields of neighbouring ones lie {_alike(strides)} apart"
        if node.inputs[0] in self.graph.inputs:
            reads = "it reads the network's input"
        what = _said(node, steps, reads)
        names = f", {' × '.join(AXIS_NAMES.get(len(seen), ()))}" if len(seen) > 1 else ""
        asks = f"How many positions of the input does one of its outputs see{names}?"
        return Question(
            "receptive_field", node, f"{what}. {asks}", seen, "positions", steps,
            _told(node, steps, ("field", _times(sizes))), ("field", _times(seen)),
        )  # fmt: skip

    def _inverse(self, kind: str, node: Node) -> Question | None:
        windows = _windows(node)
        values = [getattr(window, _OF_WINDOW[kind]) for window in windows]
        rounds_up = getattr(node.op.layer, "ceil_mode", False)
        if not values or min(values) <= _LEAST[kind] or rounds_up:
            return None
        steps = [step for step in self._written(node, "output") if step.derivation.axes]
        if len(steps) != 1:
            return None
        (step,) = steps
        letters = step.formula.letters if step.formula else []
        symbols = [name for name in letters if Letter.of(name).kind == kind]
        if len(step.derivation.axes) != len(windows) or len(symbols) != 1:
            return None
        inverse = Inverse(step.derivation, _STYLE, symbols[0])
        answer, size = inverse.answer, inverse.derivation.value
        # the size goes up with the padding and down with the others, if not always
        if size in (inverse.at(answer - 1), inverse.at(answer + 1)):
            return None
        if kind == "kernel" and f"{answer}x{answer}" in node.path:  # a name that tells it
            return None
        before, after = node.op.inputs[0], node.shape
        reads = f"it reads {shape(before)} and gives {shape(after)}"
        each = "the same on all sides, " if kind == "padding" else "the same along all axes, "
        asks = f"Which {kind}{', ' + each if len(windows) > 1 else ' '}does it have?"
        if kind == "padding" and before[2:] == after[2:]:
            names = AXIS_NAMES.get(len(windows), ())
            asks = f"Which padding on each side keeps the {' and the '.join(names)}?"
        return Question(
            kind, node, f"{_said(node, [step], reads, without=kind)}. {asks}", answer, "",
            [inverse],
            _told(node, [step], ("shape", shape(after)), without=kind), (kind, node.path),
        )  # fmt: skip


def _is_worked_out(step: Written) -> bool:
    """Whether there are names, the numbers in their places, and what they come to."""
    return len(step.sides(TEXT)) > 2


def _windows(node: Node) -> list[Window]:
    """The windows of a layer along the axes of images; none if it sees them another way."""
    views = node.op.layer.window(*node.op.inputs) or ()
    windows = [view for view in views if isinstance(view, Window)]
    return windows if len(windows) == len(views) else []


def _picks_axes(node: Node) -> bool:
    """Whether a layer is told axes by their numbers, which no question says; but for channels."""
    layer = node.op.layer
    axes = (getattr(layer, f.name) for f in fields(type(layer)) if isinstance(f.kind, Axes))
    usual = (None, 1) if layer.merges else (None,)
    return layer.name != "linear" and any(axis not in usual for axis in axes)


def _reaches(
    found: Mapping[Node, Fields], node: Node
) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """Sizes and strides of a layer's receptive field, where they are whole numbers."""
    known = [field.reach for field in found.get(node, ()) if field and field.reach]
    if not known or len(known) < len(found[node]):
        return None
    sizes, strides = tuple(r.size for r in known), tuple(r.stride for r in known)
    return (sizes, strides) if all(type(n) is int for n in (*sizes, *strides)) else None


def _times(sizes: Sequence[int]) -> str:
    return "×".join(f"{size:,}" for size in sizes)


def _alike(values: Sequence[Any]) -> str:
    """One number for all axes, or one for each."""
    return f"{values[0]:,}" if len(set(values)) == 1 else _times(values)


def _told(node: Node, steps: Sequence[Written], *more: Fact, without: str = "") -> frozenset[Fact]:
    """What a question tells whose formulas are these: fields of the layer, and sizes."""
    letters = _letters(steps) - {without}
    sizes = set()
    if letters & set(_SIZES) or any(step.quantity == "output" for step in steps):
        sizes = {("shape", shape(read)) for read in node.op.inputs}
    return frozenset({*more, *sizes, *((letter, node.path) for letter in letters)})


def _said_of_zeros(node: Node) -> str:
    """Whether products with zeros count, where there are some."""
    if any(isinstance(view, Spread) for view in node.op.layer.window(*node.op.inputs) or ()):
        return "; zeros that the stride puts in are not multiplied"
    padded = node.op.macs_nonpad != node.op.cost.macs
    return "; products with padded zeros count" if padded else ""


# -- what is said of a layer --------------------------------------------------------------------


def _letters(steps: Sequence[Written]) -> set[str]:
    """The kinds of letters in some formulas."""
    found = (
        Letter.of(name).kind for step in steps if step.formula for name in step.formula.letters
    )
    return {"padding" if kind in _PADDINGS else kind for kind in found}


def _said(node: Node, steps: Sequence[Written], reads: str = "", without: str = "") -> str:
    """What a layer is, with the fields and sizes that some formulas take."""
    letters = _letters(steps)
    name = node.kind.replace("_", " ")
    what = f"is {'an' if name[0] in 'aeiou' else 'a'} {name} layer"
    of_output = any(step.quantity == "output" for step in steps)
    own = list(_fields(node, letters - {without}, of_output))
    if own:
        what += f" with {and_joined(own)}"
    if not reads and letters:
        reads = f"it reads {and_joined([shape(read) for read in node.op.inputs])}"
        if not of_output and not letters & set(_SIZES):
            is_last = letters & {"features", "in_features"}
            of, place = ("features", -1) if is_last else ("channels", 1)
            reads = f"it reads {and_joined([f'{read[place]:,}' for read in node.op.inputs])} {of}"
    return f"{what}; {reads}" if reads else what


def _fields(node: Node, letters: set[str], of_output: bool) -> Iterator[str]:
    """The fields of a layer that occur in a formula; of an output's also words and flags."""
    layer, rank = node.op.layer, len(node.op.inputs[0]) - 2
    windows = _windows(node)
    for name, _, default, _ in fields(type(layer)):
        value = getattr(layer, name)
        if isinstance(value, (bool, str)):
            if of_output and value and value != default and name != "bias":
                yield name.replace("_", " ") + ("" if value is True else f" {value}")
        elif name not in letters:
            continue
        elif name in _NOUNS:
            yield f"{value:,} {_NOUNS[name]}"
        elif name == "padding" and windows:
            before, after = [w.before for w in windows], [w.after for w in windows]
            uneven = f" before and {_alike(after)} after" if before != after else ""
            yield f"padding {_alike(before)}{uneven}"
        elif name in ("kernel", "stride", "dilation"):
            own = [getattr(w, name) for w in windows] or per_axis(value, rank, name)
            yield f"{name} {(_times if name == 'kernel' else _alike)(own)}"
        else:
            yield f"{name.replace('_', ' ')} {value if isinstance(value, int) else show(value)}"
