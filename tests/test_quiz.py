"""Exercise sheets: a pupil who reads a question, and nothing else, comes to its answer."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import convcalc
from convcalc.analysis.derivation import Derivations
from convcalc.errors import ConvcalcError, UsageError
from convcalc.network import Network
from convcalc.notation import TEXT
from convcalc.report.board import STYLES
from convcalc.report.questions import KINDS, Question
from convcalc.report.quiz import Quiz

from .test_cli import Run, run  # noqa: F401

NETWORKS = ("alexnet_cs231n", "lenet5", "vgg16", "c3d", "m5", "mobilenet_v1", "inception_block",
            "dcgan_generator", "googlenet", "convnext_tiny", "fcn32s", "squeezenet1_0", "lenet1",
            "shufflenet_v2_x1_0")  # fmt: skip
LENET_5_SEED_1 = """\
 1. avg_pool1 is an avg pool layer. How many parameters does it have?

 2. flatten1 is a flatten layer; it reads 16×5×5. What is the size of its output?
"""


# -- a pupil --------------------------------------------------------------------------------------


def sizes(text: str) -> list[int]:
    return [int(size.replace(",", "")) for size in text.split("×")]


class Pupil:
    """Answers a question from its text, by counting."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.reads = [
            sizes(word)
            for word in re.findall(r"[\d,×]+\d|\d", self.found("it reads ([^a-z]*[^.;]*)"))
        ]

    def found(self, pattern: str, default: str = "") -> str:
        match = re.search(pattern, self.text)
        return match[1] if match else default

    def numbers(self, pattern: str, rank: int, default: int) -> list[int]:
        text = self.found(rf"{pattern} ([\d,×]*\d)")
        given = sizes(text) if text else [default]
        return given * rank if len(given) == 1 else given

    def spatial(self, **known: int) -> list[int]:
        """How many windows fit, found by laying them down one after the other."""
        inside = self.reads[0][1:]
        rank = len(inside)
        kernel, stride, padding, dilation = (
            [known[name]] * rank if name in known else self.numbers(name, rank, default)
            for name, default in (("kernel", 1), ("stride", 1), ("padding", 0), ("dilation", 1))
        )
        found = []
        for n, k, s, p, d in zip(inside, kernel, stride, padding, dilation, strict=True):
            if "padding same" in self.text:
                found.append(len(range(0, n, s)))
                continue
            span = (k - 1) * d + 1
            rest = s - 1 if "ceil mode" in self.text else 0
            found.append(sum(1 for i in range(0, n + 2 * p, s) if i + span <= n + 2 * p + rest))
        return found

    @property
    def out(self) -> int:
        words = self.found(r"([\d,]+) (?:filters|outputs)")
        return int(words.replace(",", "")) if words else self.reads[0][0]

    def shape(self) -> list[int]:
        if " flatten layer" in self.text:
            return [math.prod(self.reads[0])]
        if " concat layer" in self.text:
            return [sum(read[0] for read in self.reads), *self.reads[0][1:]]
        if " conv transpose layer" in self.text:
            rank = len(self.reads[0]) - 1
            usual = (("kernel", 1), ("stride", 1), ("padding", 0))
            parts = [self.numbers(name, rank, default) for name, default in usual]
            grown = zip(self.reads[0][1:], *parts, strict=True)
            return [self.out, *((n - 1) * s + k - 2 * p for n, k, s, p in grown)]
        return [self.out, *self.spatial()]

    def params(self) -> int:
        if "pool layer" in self.text or " crop layer" in self.text:
            return 0
        channels = self.reads[0][0]
        if "norm layer" in self.text:
            return 2 * channels
        text = self.found(r"kernel ([\d,×]*\d)")
        groups = self.numbers("groups", 1, 1)[0]
        each = channels // groups * math.prod(sizes(text) if text else [1])
        return self.out * (each + ("biases included" in self.text))

    def macs(self) -> int:
        if " linear layer" in self.text:
            return self.out * math.prod(self.reads[0])
        channels, *inside = self.reads[0]
        taps = math.prod(self.numbers("kernel", len(inside), 1))
        if " conv transpose layer" in self.text:
            return channels * math.prod(inside) * taps * self.out
        return (
            self.out
            * math.prod(self.spatial())
            * channels
            // self.numbers("groups", 1, 1)[0]
            * taps
        )

    def receptive_field(self) -> list[int]:
        kernel = sizes(self.found(r"kernel ([\d×]*\d)"))
        rank = len(kernel)
        before = self.numbers("sees", rank, 1)
        apart = self.numbers("ones lie", rank, 1)
        taps = self.numbers("dilation", rank, 1)
        # the union of the fields of the values under one window
        return [
            max(t * d * j + r for t in range(k))
            for k, d, j, r in zip(kernel, taps, apart, before, strict=True)
        ]

    def tried(self, unknown: str) -> int:
        gives = sizes(self.found(r"gives ([\d,×]+\d)"))[1:]
        fitting = [
            n for n in range(unknown != "padding", 60) if self.spatial(**{unknown: n}) == gives
        ]
        assert len(fitting) == 1, (self.text, fitting)
        return fitting[0]

    def answer(self, kind: str) -> Any:
        if kind in ("padding", "stride", "kernel"):
            return self.tried(kind)
        return getattr(self, kind)()


@pytest.mark.parametrize("name", NETWORKS)
def test_the_text_of_a_question_is_all_that_its_answer_needs(name: str) -> None:
    net = convcalc.load(name)
    answered = 0
    for seed in range(3):
        for question in net.quiz(seed=seed):
            answer = Pupil(question.text).answer(question.kind)
            expected = question.answer if isinstance(question.answer, int) else [*question.answer]
            assert answer == expected, question.text
            answered += 1
    assert answered >= 18


@pytest.mark.parametrize("name", ["resnet18", "unet"])
def test_answers_are_those_of_the_report(name: str) -> None:
    net = convcalc.load(name, N=2)
    rows = {row.name: row for row in net.summarize().rows}
    for question in net.quiz(25, kind="shape, params, macs, receptive_field"):
        row = rows[question.node.path]
        expected = row.output_shape[1:] if question.kind == "shape" else getattr(row, question.kind)
        assert question.answer == expected
        if question.kind == "macs":
            assert "for a batch of 2" in question.text


# -- what is drawn --------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_sheet_everywhere() -> None:
    text = str(convcalc.load("lenet5").quiz(seed=1))
    assert LENET_5_SEED_1 in text
    program = "import convcalc; print(convcalc.load('vgg16').quiz(seed=7))"
    sheets = {
        subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True,
            env={**os.environ, "PYTHONHASHSEED": hashes},
        ).stdout
        for hashes in ("1", "2")
    }  # fmt: skip
    assert sheets == {f"{convcalc.load('vgg16').quiz(seed=7)}\n"}
    assert str(convcalc.load("vgg16").quiz(seed=8)) != sheets.pop().rstrip("\n")


def is_backwards(question: Question) -> bool:
    return question.kind in ("padding", "stride", "kernel")


@pytest.mark.parametrize("name", ["vgg16", "resnet50"])
def test_questions_differ_and_the_easiest_come_first(name: str) -> None:
    net = convcalc.load(name)
    for seed in range(4):
        sheet = net.quiz(seed=seed)
        assert len(sheet) == 10
        assert len({(question.kind, question.about) for question in sheet}) == 10
        assert len({question.node for question in sheet}) == 10
        assert len({question.kind for question in sheet} & set(KINDS)) >= 4
        turned = [is_backwards(question) for question in sheet]
        assert turned == sorted(turned)
        written = [
            sum(len(step.substituted) for step in (s.step("") for s in question.steps))
            for question in sheet
            if question.kind == "params"
        ]
        assert written == sorted(written)


@pytest.mark.parametrize("name", ["vgg16", "resnet50"])
def test_no_question_tells_the_answer_of_another(name: str) -> None:
    for seed in range(4):
        sheet = list(convcalc.load(name).quiz(seed=seed))
        for question in sheet:
            if question.kind in ("shape", "receptive_field"):
                others = [other.text for other in sheet if other is not question]
                said = f"{question.shown}".removesuffix(" positions")
                assert not any(re.search(rf"(?<![\d×]){said}(?![\d×])", text) for text in others)


def test_small_networks_are_asked_for_all_there_is() -> None:
    net = convcalc.load("conv3x3_192_256")
    sheet = net.quiz()
    assert 4 <= len(sheet) < 10
    assert {question.node.path for question in sheet} == {"conv1"}
    assert len(net.quiz(len(sheet))) == len(sheet)
    message = rf"gives {len(sheet)} different questions, and {len(sheet) + 1} are asked for\. -n {len(sheet)} takes all of them\."  # noqa: E501
    with pytest.raises(UsageError, match=message):
        net.quiz(len(sheet) + 1)


def test_layers_that_do_the_same_are_one_question() -> None:
    # 8 pairs of channels, 3 linear layers, and nothing to learn in two kinds of pooling
    with pytest.raises(UsageError, match="gives 13 different questions"):
        convcalc.load("vgg16").quiz(100, kind="params")


@pytest.mark.parametrize(
    ("layer", "kind"),
    [("scale: {axes: [1, 2]}", "params"), ("pixel_unshuffle: 2", "receptive_field")],
)
def test_nothing_is_asked_whose_words_say_too_little(layer: str, kind: str) -> None:
    """Neither axes by their numbers nor the blocks of pixels are told."""
    net = convcalc.loads(f"{{input: [12, 20, 20], layers: [{{{layer}}}]}}")
    with pytest.raises(UsageError, match=f"gives no question of {kind}"):
        net.quiz(kind=kind)


def test_only_what_may_be_asked_is_worked_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two thousand layers with stride 1 and no padding, a few dozen."""
    net = convcalc.loads(
        "{input: [1, 8, 8], layers: [{for: {i: range(2000)},"
        " conv: {out_channels: i + 1, kernel: 1}}]}"
    )
    found = []
    of = Derivations.of
    monkeypatch.setattr(Derivations, "of", lambda *given: found.append(given) or of(*given))
    assert len(net.quiz(10)) == 10
    assert len(found) < 50


def test_a_sheet_has_its_limit() -> None:
    net = convcalc.load("lenet5")
    message = r"a sheet of 1,001 questions; 1,000 are the limit\. Another seed gives another sheet"
    with pytest.raises(UsageError, match=message):
        net.quiz(1001)


def test_kinds_are_as_asked_for() -> None:
    net = convcalc.load("vgg16")
    assert {question.kind for question in net.quiz(kind="shape,params")} == {"shape", "params"}
    assert {question.kind for question in net.quiz(3, kind=["stride"])} == {"stride"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "macz"}, "unknown kind 'macz'. Did you mean 'macs'?"),
        ({"style": "board"}, "unknown style 'board'. There are textbook, torch, d2l, cs231n."),
        ({"n": 0}, "questions: 0 is no whole number of at least 1"),
        ({"seed": -1}, "seed: -1 is no whole number of at least 0"),
        ({"seed": "1"}, "seed: '1' is no whole number of at least 0"),
    ],
)
def test_wrong_calls_say_what_would_be_right(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as error:
        convcalc.load("lenet5").quiz(**arguments)
    assert str(error.value) == message


def test_a_network_may_give_nothing_to_ask() -> None:
    net = convcalc.from_dict({"name": "bare", "input": [3, 8, 8], "layers": ["relu"]})
    with pytest.raises(UsageError, match=r"^bare gives no question of shape, params\."):
        net.quiz(kind="shape,params")
    symbolic = convcalc.from_dict(
        {"input": [3, "H", 8], "layers": ["relu"], "variables": {"H": None}}
    )
    with pytest.raises(ConvcalcError, match=r"^quiz: H has no value"):
        symbolic.quiz()


# -- solutions ------------------------------------------------------------------------------------


@pytest.mark.parametrize("style", STYLES)
def test_solutions_are_the_steps_of_explain(style: str) -> None:
    net = convcalc.load("alexnet_cs231n")
    for question in net.quiz(20, style=style):
        if is_backwards(question):
            continue
        explained = list(net.explain(question.node.path, style=style))
        for step in question.steps:
            assert step.step(question.node.path) in explained


def test_an_equation_is_solved_beside_its_neighbours() -> None:
    text = str(convcalc.load("alexnet_cs231n").quiz(1, kind="stride", seed=2, style="cs231n"))
    assert "/S + 1 = " in text
    assert re.search(r"S = 2, as S = 1 gives \d+ and S = 3 gives \d+", text)


# -- formats --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sheet() -> Quiz:
    return convcalc.load("alexnet_cs231n").quiz()


@pytest.fixture(scope="module")
def net() -> Network:
    return convcalc.load("alexnet_cs231n")


def test_parts_are_questions_or_solutions(sheet: Quiz) -> None:
    answers = [question.shown for question in sheet if question.kind != "shape"]
    questions, solutions = sheet.part("questions"), sheet.part("solutions")
    for form in ("markdown", "html", "csv"):
        assert not any(a in questions.document(form) for a in answers if " " in a and "p" in a)
        assert "How many" not in solutions.document(form)
    assert "solution" not in questions.to_dict()["questions"][0]
    assert "question" not in solutions.to_dict()["questions"][0]
    with pytest.raises(UsageError, match=r"unknown part 'solution'\. Did you mean 'solutions'"):
        sheet.part("solution")


def test_comma_separated_values_have_sizes_as_the_sheet_and_solutions(sheet: Quiz) -> None:
    rows = list(csv.DictReader(io.StringIO(sheet.to_csv())))
    for row, question in zip(rows, sheet, strict=True):
        if question.kind == "shape":
            assert row["answer"] == question.shown.replace("×", "x").strip()
        assert all(side in row["solution"] for side in question.steps[0].sides(TEXT))
    assert "solution" not in next(csv.reader(io.StringIO(sheet.part("questions").to_csv())))


@pytest.mark.parametrize("width", [80, 160])
def test_a_sheet_is_as_wide_as_the_terminal(sheet: Quiz, width: int) -> None:
    lines = sheet.text(width).splitlines()
    assert max(map(len, lines)) <= width
    assert "Solutions" in lines


def test_json_holds_plain_values(sheet: Quiz) -> None:
    found = json.loads(sheet.to_json())
    assert found["convcalc"] == 1
    assert found["seed"] == 1
    keys = ["question_number", "layer", "kind", "question", "answer", "solution"]
    for question, made in zip(found["questions"], sheet, strict=True):
        assert list(question) == keys
        answer = made.answer if isinstance(made.answer, int) else [*made.answer]
        assert question["answer"] == answer
        assert question["solution"][-1]["formula"] or answer == 0


def test_markdown_and_html_are_well_formed(sheet: Quiz) -> None:
    import html5lib
    from markdown_it import MarkdownIt

    shown = MarkdownIt("commonmark", {"html": True}).render(sheet.to_markdown())
    assert shown.count("<li>") == 20
    assert shown.count("break-before: page") == 1
    html5lib.HTMLParser(strict=True).parse(sheet.to_html())
    fragment = sheet._repr_html_()
    html5lib.HTMLParser(strict=True).parseFragment(fragment)
    assert "<details><summary>Solutions" in fragment


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
@pytest.mark.parametrize(("name", "style"), [("alexnet_cs231n", "cs231n"), ("resnet50", "torch")])
def test_latex_compiles_with_solutions_on_a_page_of_their_own(
    name: str, style: str, tmp_path: Path
) -> None:
    sheet = convcalc.load(name).quiz(style=style)
    sheet.save(tmp_path / "sheet.tex")
    made = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "sheet.tex"],
        cwd=tmp_path, capture_output=True, text=True, errors="replace",
    )  # fmt: skip
    assert made.returncode == 0, made.stdout[-2000:]
    assert "Overfull" not in made.stdout
    text = (tmp_path / "sheet.tex").read_text()
    before, after = text.split("\\newpage")
    assert before.count("\\item") == after.count("\\item") == 10
    assert "solutions" not in before


def test_the_command_writes_every_format(run: Run, tmp_path: Path) -> None:  # noqa: F811
    for suffix in ("txt", "md", "tex", "html", "csv", "json"):
        target = tmp_path / f"sheet.{suffix}"
        found = run("quiz", "lenet5", "-n", "3", "--seed", "4", "-o", str(target))
        assert (found.code, found.out, found.err) == (0, "", "")
        assert "conv" in target.read_text(encoding="utf-8")


def test_the_command_prints_the_sheet(run: Run, net: Network) -> None:  # noqa: F811
    found = run("quiz", "alexnet_cs231n", "--only", "questions", "--kind", "shape", "-n", "2")
    assert found.out == f"{net.quiz(2, kind='shape').part('questions')}\n"
    assert run("quiz", "alexnet_cs231n", "--kind", "shapes").code == 2
    assert run("quiz", "alexnet_cs231n", "-n", "1000").code == 2
