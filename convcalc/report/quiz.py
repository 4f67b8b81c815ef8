"""Exercise sheets: questions on one page, their worked solutions on the next."""

from __future__ import annotations

import html as escaping
from collections.abc import Iterator, Sequence
from typing import Any

from convcalc.errors import UsageError
from convcalc.graph import Graph
from convcalc.notation import LATEX, TEXT
from convcalc.report.board import STYLES
from convcalc.report.explanation import aligned, fitted, known, legend
from convcalc.report.formats import html, latex, markdown
from convcalc.report.page import Page
from convcalc.report.questions import KINDS, Inverse, Question, choose
from convcalc.report.table import JSON_VERSION, Column, Row, Sizes, Table, Told
from convcalc.report.terminal import Piece, Rendered, wrapped

COUNT = 10
"""The questions of a sheet, if nothing is said and there are as many."""
MOST = 1_000
"""The questions that a sheet may have."""
PARTS = ("questions", "solutions")
_CONVENTION = "Sizes leave out the batch; in images, channels come first."
_SOURCED = ("params", "macs")
"""What is counted is said in words, too; the sources of sizes are cited by `explain`."""
_COLUMNS = (
    Column("question_number", "#", right=True),
    Column("layer", "Layer"),
    Column("kind", "Kind"),
    Column("question", "Question", wraps=True),
    Column("answer", "Answer", right=True),
)
_STYLE = """\
.quiz { max-width: 46em; }
.quiz li { margin: 0 0 1.2em; }
.quiz .math { overflow-wrap: anywhere; }
.quiz .math, .quiz .said { margin: .2em 0 0 1em; }
.quiz .label, .quiz .said { opacity: .7; }
.quiz summary { font-size: 1.1em; font-weight: 600; }
@media print { .quiz .solutions { break-before: page; } }
"""


class Quiz(Page):
    """Questions about a network's layers, and their worked solutions.

    `str()` is both as text; `part` is one of them. `table()` has a row for every question.
    """

    def __init__(
        self,
        name: str,
        title: str,
        seed: int,
        style: str,
        questions: Sequence[Question],
        parts: Sequence[str] = PARTS,
    ) -> None:
        self.name = name
        self.title = title
        self.seed = seed
        self.style = style
        self.questions = tuple(questions)
        self.parts = tuple(parts)

    def __len__(self) -> int:
        return len(self.questions)

    def __iter__(self) -> Iterator[Question]:
        return iter(self.questions)

    def part(self, name: str) -> Quiz:
        """The questions alone, or the solutions alone.

        Raises:
            UsageError: there is no such part.
        """
        known(name, PARTS, "part")
        return Quiz(self.name, self.title, self.seed, self.style, self.questions, [name])

    @property
    def about(self) -> str:
        """How many questions, and of which seed."""
        count = len(self.questions)
        return f"{count:,} question{'' if count == 1 else 's'}, seed {self.seed}"

    def table(self, **options: Any) -> Table:
        """The questions with their answers, as far as these are part of it."""
        columns = [c for c in _COLUMNS if self._has("questions") or c.key != "question"]
        columns = [c for c in columns if self._has("solutions") or c.key != "answer"]
        rows = []
        for number, question in enumerate(self.questions, 1):
            cells = {
                "question_number": number,
                "layer": question.node.path,
                "kind": question.kind,
                "question": question.text,
                "answer": Told(_answer(question), question.shown),
            }
            rows.append(Row(tuple(cells[column.key] for column in columns)))
        return Table(tuple(columns), rows, title=self.title, about=self.about, notes=(_CONVENTION,))

    def records(self, **options: Any) -> Table:
        """The rows for programs, with the steps of the solutions in a line each."""
        table = self.table()
        if not self._has("solutions"):
            return table
        rows = [
            Row((*row.cells, "\n".join(_lines(question))))
            for row, question in zip(table.rows, self.questions, strict=True)
        ]
        return table._replace(columns=(*table.columns, Column("solution", "Solution")), rows=rows)

    def _has(self, part: str) -> bool:
        return part in self.parts

    def to_dict(self) -> dict[str, Any]:
        """As `quiz --format json` prints it."""
        found = []
        for row, question in zip(self.to_dicts(), self.questions, strict=True):
            if self._has("solutions"):
                row["solution"] = [
                    step.step(question.node.path).to_dict() for step in question.steps
                ]
            found.append(row)
        return {
            "convcalc": JSON_VERSION,
            "name": self.name,
            "seed": self.seed,
            "style": self.style,
            "convention": _CONVENTION,
            "questions": found,
        }

    def document(self, form: str, fragment: bool = False, **options: Any) -> str:
        """The sheet in one of the formats; as comma-separated values, its table."""
        writers = {"markdown": self._markdown, "latex": self._latex, "html": self._html}
        if form not in writers:
            return super().document(form, fragment, **options)
        return writers[form](fragment)

    # -- text ---------------------------------------------------------------------------------

    def rendered(self, width: int | None, **options: Any) -> Rendered:
        """The sheet for a terminal of some width."""
        rows: list[list[Piece]] = [[(self.title, "title"), (f"  {self.about}", "faint")]]
        rows += [[(line, "faint")] for line in wrapped(_CONVENTION, width, "")]
        if self._has("questions"):
            for number, question in enumerate(self.questions, 1):
                rows.append([])
                rows.extend(_numbered(number, question.text, width))
        if self._has("solutions"):
            rows += [[], [("Solutions", "title")]]
            for number, question in enumerate(self.questions, 1):
                rows.append([])
                rows.extend(_numbered(number, f"{question.node.path}: {question.shown}", width))
                rows.extend(_worked_text(question, width))
        return Rendered(rows)

    # -- Markdown -----------------------------------------------------------------------------

    def _markdown(self, fragment: bool) -> str:
        escape = markdown.escape
        blocks = [f"## {escape(self.title)}", f"{escape(self.about)}. {_CONVENTION}"]
        if self._has("questions"):
            blocks.append(
                "\n".join(f"{k}. {escape(q.text)}" for k, q in enumerate(self.questions, 1))
            )
        if self._has("solutions"):
            if self._has("questions"):
                blocks.append('<div style="break-before: page"></div>')
            blocks.append("## Solutions")
            for number, question in enumerate(self.questions, 1):
                lines = [f"{number}. {escape(question.node.path)}: **{escape(question.shown)}**"]
                for step in question.steps:
                    math = f"${' = '.join(step.sides(LATEX))}$" if step.formula else step.told
                    lines.append(f"{escape(step.label)}: {math}")
                    if isinstance(step, Inverse):
                        lines.append(step.solution(LATEX))
                    lines += [escape(said) for said in _source(step)]
                symbols = ", ".join(f"${n}$ {said}" for n, said in legend(question.steps, LATEX))
                lines += [f"With {symbols}."] * bool(symbols)
                blocks.append("\n\n    ".join(lines))
        return "\n\n".join(blocks)

    # -- LaTeX --------------------------------------------------------------------------------

    def _latex(self, fragment: bool) -> str:
        pages = []
        if self._has("questions"):
            items = [rf"\item {latex.escape(q.text)}" + "\n\\vspace{3em}" for q in self.questions]
            pages.append(self._latex_list("", items))
        if self._has("solutions"):
            items = ["\n".join(_worked_latex(question)) for question in self.questions]
            pages.append(self._latex_list(": solutions", items))
        body = "\n\\newpage\n".join(pages)
        return body if fragment else latex.framed(body)

    def _latex_list(self, what: str, items: Sequence[str]) -> str:
        title, about = latex.escape(self.title + what), latex.escape(self.about)
        head = rf"{{\large\bfseries {title}}}\quad {about}\par\smallskip"
        rows = [head, rf"{{\small {latex.escape(_CONVENTION)}\par}}\medskip"]
        return "\n".join([*rows, r"\begin{enumerate}\raggedright", *items, r"\end{enumerate}"])

    # -- HTML ---------------------------------------------------------------------------------

    def _html(self, fragment: bool) -> str:
        escape = escaping.escape
        rows = ['<section class="convcalc quiz">', f"<h2>{escape(self.title)}</h2>"]
        rows.append(f'<p class="about">{escape(self.about)}. {_CONVENTION}</p>')
        if self._has("questions"):
            items = "\n".join(f"<li>{escape(question.text)}</li>" for question in self.questions)
            rows.append(f"<ol>\n{items}\n</ol>")
        if self._has("solutions"):
            items = "\n".join("\n".join(_worked_html(question)) for question in self.questions)
            solutions = f"<ol>\n{items}\n</ol>"
            # in a notebook, pupils try first
            if fragment and self._has("questions"):
                rows.append(f"<details><summary>Solutions</summary>\n{solutions}\n</details>")
            else:
                rows.append(f'<div class="solutions">\n<h2>Solutions</h2>\n{solutions}\n</div>')
        rows.append("</section>")
        body = "\n".join(rows)
        if fragment:
            return html.styled(body, _STYLE)
        return html.framed(self.title, body, _STYLE)


def quiz(
    graph: Graph,
    name: str,
    count: int | None = None,
    seed: int = 1,
    kind: str | Sequence[str] | None = None,
    style: str = "textbook",
) -> Quiz:
    """A sheet of questions about a graph whose sizes are all numbers; see `questions.choose`.

    Args:
        graph: the network.
        name: its name.
        count: how many; 10 if nothing is said, or all where there are fewer.
        seed: of the draw; the same gives the same sheet on every machine.
        kind: what is asked for, by commas or in a list: shape, params, macs, receptive_field,
            padding, stride, kernel; all of them if nothing is said.
        style: of the formulas: textbook, torch, d2l or cs231n.

    Raises:
        UsageError: no such kind or style, a count below 1 or above 1,000, a seed below 0, or fewer
            questions than asked for.
    """
    if isinstance(kind, str):
        kind = [word.strip() for word in kind.split(",") if word.strip()]
    kinds = list(dict.fromkeys(kind or KINDS))
    for word in kinds:
        known(word, KINDS, "kind")
    known(style, STYLES, "style")
    for what, value, least in (("questions", count, 1), ("seed", seed, 0)):
        if value is not None and (type(value) is not int or value < least):
            raise UsageError(f"{what}: {value!r} is no whole number of at least {least}")
    if count is not None and count > MOST:
        raise UsageError(
            f"a sheet of {count:,} questions; {MOST:,} are the limit",
            hint="Another seed gives another sheet.",
        )
    found = choose(graph, COUNT if count is None else count, seed, kinds)
    if not found:
        raise UsageError(
            f"{graph.title} gives no question of {', '.join(kinds)}",
            hint="Another kind, or another network, would do.",
        )
    if count is not None and len(found) < count:
        raise UsageError(
            f"{graph.title} gives {len(found)} different questions, and {count:,} are asked for",
            hint=f"-n {len(found)} takes all of them.",
        )
    return Quiz(name, graph.title, seed, style, [question.in_style(style) for question in found])


def _answer(question: Question) -> Any:
    """Sizes as such: 96×55×55."""
    return question.answer if isinstance(question.answer, int) else Sizes(question.answer)


def _lines(question: Question) -> Iterator[str]:
    """The steps of a solution, a line of plain text each."""
    for step in question.steps:
        sides = " = ".join(step.sides(TEXT)) or step.told
        if isinstance(step, Inverse):
            sides += f"; {step.solution(TEXT)}"
        yield f"{step.label}: {sides}"


def _source(step: Any) -> list[str]:
    """What a formula counts, in words."""
    return [step.source] if step.quantity in _SOURCED and step.formula and step.source else []


def _numbered(number: int, text: str, width: int | None) -> Iterator[list[Piece]]:
    label = f"{number:>2}. "
    lines = wrapped(text, None if width is None else width - len(label), "")
    for k, line in enumerate(lines):
        yield [(" " * len(label) if k else label, "header"), (line, "")]


def _worked_text(question: Question, width: int | None) -> Iterator[list[Piece]]:
    """The steps of a solution, each after its label."""
    indent = max(len(step.label) for step in question.steps) + 6
    room = None if width is None else width - indent
    for step in question.steps:
        lines = fitted(step.sides(TEXT), room) or [step.told]
        if isinstance(step, Inverse):
            lines += wrapped(step.solution(TEXT), room, "")
        for k, line in enumerate(lines):
            yield [(("" if k else f"    {step.label}").ljust(indent), "header"), (line, "")]
        for said in _source(step):
            yield from ([(" " * indent + line, "faint")] for line in wrapped(said, room, ""))
    symbols = ", ".join(f"{name} {said}" for name, said in legend(question.steps, TEXT))
    if symbols:
        inner = None if width is None else width - 4
        yield from ([(f"    {line}", "faint")] for line in wrapped(f"With {symbols}.", inner, ""))


def _worked_latex(question: Question) -> Iterator[str]:
    yield rf"\item {latex.escape(question.node.path)}: \textbf{{{latex.escape(question.shown)}}}"
    equations, _ = aligned(list(question.steps))
    if equations:
        yield rf"{{\small {equations}\par}}"
    for step in question.steps:
        if not step.formula:
            yield latex.escape(f"{step.label}: {step.told}.")
        if isinstance(step, Inverse):
            yield rf"{step.solution(LATEX)}.\par"
        yield from (rf"{{\small {latex.escape(said)}.\par}}" for said in _source(step))
    symbols = ", ".join(f"${name}$ {said}" for name, said in legend(question.steps, LATEX))
    if symbols:
        yield rf"{{\footnotesize With {symbols}.\par}}"


def _worked_html(question: Question) -> Iterator[str]:
    escape = escaping.escape
    yield f"<li>{escape(question.node.path)}: <strong>{escape(question.shown)}</strong>"
    for step, line in zip(question.steps, _lines(question), strict=True):
        label = f"{step.label}:"
        sides = line.removeprefix(label)
        yield f'<div class="math"><span class="label">{escape(label)}</span>{escape(sides)}</div>'
        yield from (f'<div class="said">{escape(said)}</div>' for said in _source(step))
    symbols = ", ".join(f"{name} {said}" for name, said in legend(question.steps, TEXT))
    if symbols:
        yield f'<div class="said">{escape(f"With {symbols}.")}</div>'
    yield "</li>"
