"""One table in every format: the same numbers, text that stays text, documents that are whole."""

from __future__ import annotations

import csv
import html.parser
import io
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import convcalc
from convcalc.commands import cli
from convcalc.errors import UsageError
from convcalc.report import page as pages
from convcalc.report.columns import COLUMNS, STYLES, Layout, in_bytes
from convcalc.report.formats import FOR_PROGRAMS, SUFFIXES, document
from convcalc.report.formats.csv import harmless
from convcalc.report.formats.latex import escape
from convcalc.report.report import Report
from convcalc.report.schema import report_schema
from convcalc.report.table import (
    BYTE_UNITS,
    COUNTS,
    MODULE,
    TOTAL,
    Column,
    Rounding,
    Row,
    Share,
    Sizes,
    Table,
    Told,
)
from convcalc.report.tree import lines
from convcalc.spec.zoo import zoo_names
from tests.test_cli import Run, run
from tests.test_report import SHARED

__all__ = ["run"]

ZOO = zoo_names()
NASTY = r"a_b & <c> | $d$ \e {f} #g %h ~i ^j `k` *l* [m] \"n\" 'o'"
FIGURES = ("params", "macs")
WRITTEN = [form for form in SUFFIXES if form != "json"]


# -- readers of the formats, which share nothing with the writers ---------------------------------


def read_text(text: str) -> list[list[str]]:
    """The cells of the rows between the rules, and of the total."""
    lines = text.splitlines()
    rules = [i for i, line in enumerate(lines) if line.startswith("──")]
    body = [*lines[rules[0] + 1 : rules[1]], lines[rules[1] + 1]]
    return [re.split(r" {2,}", re.sub(r"^[ │├└]+", "", line).strip()) for line in body]


def read_markdown(text: str) -> list[list[str]]:
    """The cells of the table that a Markdown parser finds."""
    markdown_it = pytest.importorskip("markdown_it", reason="needs markdown-it-py")
    tokens = markdown_it.MarkdownIt("commonmark").enable("table").parse(text)
    rows: list[list[str]] = []
    for token, after in zip(tokens, [*tokens[1:], None], strict=True):
        if token.type == "tr_open":
            rows.append([])
        if token.type in ("th_open", "td_open"):
            assert after is not None
            children = after.children or []
            rows[-1].append("".join(child.content for child in children).strip())
    return rows[1:]


def read_csv(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))[1:]


def read_latex(text: str) -> list[list[str]]:
    r"""The cells of the rows, of which \num{…} and what is escaped are taken off."""
    body = text[text.index(r"\midrule") :]
    rows = []
    for line in body.splitlines():
        if line.endswith(r" \\"):
            cells = re.split(r"(?<!\\)&", line.removesuffix(r" \\"))
            rows.append([plain_latex(cell.strip()) for cell in cells])
    return rows


def plain_latex(text: str) -> str:
    r"""What LaTeX shows for text with \num, \textbf and escaped letters."""
    text = re.sub(r"\\hspace\{\d+em\}", "", text)
    text = re.sub(r"^\\(?:num|textbf)\{(.*)\}$", r"\1", text)
    named = {
        "textbackslash": "\\", "textasciitilde": "~", "textasciicircum": "^", "textless": "<",
        "textgreater": ">", "textbar": "|", "textquotedbl": '"', "textasciigrave": "`",
        "textquotesingle": "'",
    }  # fmt: skip
    text = re.sub(r"\\([a-z]+)\{\}", lambda match: named[match[1]], text)
    text = text.replace(r"$\times$", "×").replace("--", "–").removeprefix("{}")
    text = re.sub(r"(?<!\\)\{\}", "", text)
    return re.sub(r"\\([_&$#%{}])", r"\1", text)


class _Cells(html.parser.HTMLParser):
    """The texts of table cells, and of what has the role of one, a list for each row."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.inside = False

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        role = dict(attributes).get("role")
        if tag == "tr" or role == "row":
            self.rows.append([])
        self.inside = tag == "td" or role == "cell"
        if self.inside:
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        self.inside = self.inside and tag not in ("td", "span")

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.rows[-1][-1] += data


def read_html(text: str) -> list[list[str]]:
    parser = _Cells()
    parser.feed(text)
    return [row for row in parser.rows if row]


READERS: dict[str, Callable[[str], list[list[str]]]] = {
    "text": read_text, "markdown": read_markdown, "latex": read_latex, "csv": read_csv,
    "html": read_html,
}  # fmt: skip


def test_every_format_has_a_reader_here() -> None:
    """Which enrols a new format in the tests below."""
    assert READERS.keys() | {"json"} == SUFFIXES.keys()


def count(text: str) -> int:
    return 0 if text == "–" else int(text.replace(",", ""))


# -- the same numbers everywhere ------------------------------------------------------------------


@pytest.fixture(scope="module")
def reports() -> dict[str, Report]:
    return {name: convcalc.load(name).summarize() for name in ZOO}


@pytest.fixture(scope="module")
def tables(reports: dict[str, Report]) -> Callable[[str, str], Table]:
    """The table of a report that a format writes; what is said below it is made once."""
    notes = {name: report.table().notes for name, report in reports.items()}

    def table(name: str, form: str) -> Table:
        found = reports[name].table_for(form, columns=FIGURES)
        return found._replace(notes=notes[name])

    return table


@pytest.mark.parametrize("form", WRITTEN)
def test_every_format_of_a_report_has_the_same_numbers(
    form: str, reports: dict[str, Report], tables: Callable[[str, str], Table]
) -> None:
    """Over the whole zoo: the parameters and MACs of every line, and the totals."""
    for name, report in reports.items():
        table = tables(name, form)
        rows = READERS[form](document(form, [table]))
        due = [list(row.cells[1:]) for row in table.rows]
        if form in FOR_PROGRAMS:
            assert due == [[getattr(row, figure) for figure in FIGURES] for row in report.rows]
        due.append([getattr(report.totals, figure) for figure in FIGURES])
        assert rows[-1][0].lower() == TOTAL
        assert [[count(text) for text in row[1:]] for row in rows] == due, name


@pytest.mark.parametrize("form", [form for form in WRITTEN if form not in FOR_PROGRAMS])
@pytest.mark.parametrize("name", ["resnet18", "googlenet"])
def test_unfolded_every_layer_is_there(name: str, form: str, reports: dict[str, Report]) -> None:
    report = reports[name]
    options: dict[str, Any] = {"columns": FIGURES, "fold": False, "depth": 99}
    lines = report.table(**options).rows
    rows = read(form, [report], **options)[:-1]
    found = [
        [count(text) for text in row[1:]]
        for row, line in zip(rows, lines, strict=True)
        if line.kind != MODULE
    ]
    assert found == [[getattr(row, figure) for figure in FIGURES] for row in report.rows]


def read(form: str, found: list[pages.Page], **options: Any) -> list[list[str]]:
    return READERS[form](pages.written(found, form, **options))


def test_json_meets_its_schema(reports: dict[str, Report]) -> None:
    """Over the whole zoo; of each kind of layer the last one, since validation is slow."""
    validator = jsonschema.Draft202012Validator(report_schema())
    for report in reports.values():
        found = report.to_dict()
        found["layers"] = list({layer["type"]: layer for layer in found["layers"]}.values())
        validator.validate(json.loads(json.dumps(found)))
    validator.validate(json.loads(pages.written([reports["unet"], reports["lenet5"]], "json")))


def test_the_schema_is_one_and_can_fail(run: Run) -> None:
    schema = json.loads(run("schema", "--report").out)
    validator = jsonschema.Draft202012Validator(schema)
    validator.check_schema(schema)
    report = convcalc.load("unet").summarize(symbolic="N,H,W").to_dict()
    validator.validate(report)
    validator.validate([report, report])
    for broken in ({**report, "convcalc": 2}, {**report, "more": 1}, [{}]):
        assert not validator.is_valid(broken)
    del report["totals"]["macs"]
    assert not validator.is_valid(report)


def test_csv_is_integers_that_add_up() -> None:
    report = convcalc.load("googlenet").summarize()
    for depth in (None, 1, 2):
        head, *rows = csv.reader(io.StringIO(report.to_csv(columns="type,macs", depth=depth)))
        assert head == ["name", "type", "macs"]
        assert rows[-1] == ["total", "", str(report.totals.macs)]
        assert sum(int(row[2]) for row in rows[:-1]) == report.totals.macs
    assert len(rows) < len(report.rows)


def test_csv_of_several_networks(run: Run) -> None:
    out = run("summarize", "lenet5", "lenet1", "--columns", "params", "--format", "csv").out
    rows = list(csv.reader(io.StringIO(out)))
    assert rows[0] == ["of", "name", "params"]
    assert [row[0] for row in rows if row[1] == TOTAL] == ["LeNet-5", "LeNet-1"]
    assert len({tuple(row) for row in rows if row == rows[0]}) == 1


def test_symbolic_csv_reads_back() -> None:
    from convcalc.spec.expressions import parse

    net = convcalc.load("resnet18")
    symbolic = csv.reader(io.StringIO(net.summarize(symbolic="H,W").to_csv(columns="macs")))
    numbers = csv.reader(io.StringIO(net.summarize(H=573, W=605).to_csv(columns="macs")))
    for form, due in list(zip(symbolic, numbers, strict=True))[1:]:
        assert parse(form[1]).evaluate({"H": 573, "W": 605}) == int(due[1])


# -- columns --------------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", [SHARED, "resnet18", "mobilenet_v3_small", "r3d_18", "unet"])
def test_columns_add_up(spec: str) -> None:
    report = (convcalc.loads(spec) if "\n" in spec else convcalc.load(spec)).summarize(N=2)
    for name, figure in COLUMNS.items():
        table = report.records(columns=[name])
        assert table.total is not None
        if figure.column.units:
            assert sum(row.cells[1] for row in table.rows) == table.total.cells[1]
        elif figure.column.is_share:
            assert sum(row.cells[1].fraction or 0 for row in table.rows) == 1
        else:
            assert table.total.cells[1] is None


@pytest.mark.parametrize("name", ["lenet5", "resnet18", "convnext_tiny", "dcgan_generator"])
def test_params_without_biases_are_the_other_weights(name: str) -> None:
    """Those that a run takes, counted one by one; running statistics are none."""
    net = convcalc.load(name)
    report = net.summarize()
    (total,) = report.records(columns="params", no_bias=True).total.cells[1:]  # type: ignore[union-attr]
    sizes = {key: array.size for key, array in net.init(seed=0).items() if "running_" not in key}
    assert sum(sizes.values()) == report.totals.params
    assert total == sum(size for key, size in sizes.items() if not key.endswith(".bias"))


@pytest.mark.parametrize(
    "options",
    [
        {"style": "cs231n"}, {"no_bias": True}, {"columns": "output,params_no_bias,macs"},
        {"columns": "params_share", "no_bias": True},
    ],
)  # fmt: skip
def test_what_is_said_of_the_params_is_of_the_column_shown(options: dict[str, Any]) -> None:
    report = convcalc.load("vgg16_cs231n").summarize()
    for form in ("text", "markdown", "latex", "html"):
        said = plain(pages.written([report], form, **options))
        told = "138,344,128 learnable scalars without biases; 138,357,544 with them, as float32"
        assert told in said
        assert "Params: 138,357,544" not in said
        assert "Params: 138,357,544 learnable scalars; as" in plain(pages.written([report], form))
    assert "No bias: the shifts of norms" in report.text(**options)


def test_a_comparison_without_biases_says_what_it_leaves_out() -> None:
    found = convcalc.compare("lenet5", "vgg16", columns="params_no_bias")
    assert "No bias: the shifts of norms are not counted either." in str(found)


def test_the_table_of_vgg_in_cs231n() -> None:
    """Lecture 9 of 2017: 3.2M values and 1,728 weights in the first layer, 138M in all."""
    text = convcalc.load("vgg16_cs231n").summarize().text(style="cs231n", depth=2)
    assert "60,950,432 bytes = 61.0 MB" in text
    assert re.search(r"├ conv1 +224×224×64 +3\.2 M +12\.8 +1,728\n", text)
    assert re.search(r"linear1 +4096 +4\.1 K +0\.0 +102,760,448\n", text)
    assert re.search(r"input +224×224×3 +150\.5 K +0\.6 +–\n", text)
    assert re.search(r"Total .* 138,344,128\n", text)


def test_columns_of_windows() -> None:
    net = convcalc.loads(
        "{input: [3, 32, 20], layers: [conv: {out_channels: 4, kernel: [3, 4], padding: same},"
        " max_pool: {kernel: 2, padding: 1, stride: [1, 2]}, relu,"
        " conv_transpose: {out_channels: 2, kernel: 4, stride: 2, padding: 1}]}"
    )
    rows = net.summarize().records(columns="kernel,stride,padding").rows
    assert [row.cells[1:] for row in rows] == [
        ((3, 4), (1, 1), (1, "1+2")),
        ((2, 2), (1, 2), (1, 1)),
        (None, None, None),
        ((4, 4), (2, 2), (1, 1)),
    ]


def test_a_column_stands_once() -> None:
    """Or rows as mappings, and readers of CSV, would lose one."""
    report = convcalc.load("lenet5").summarize()
    for columns, due in (("macs,macs", ["macs"]), ("params,params_no_bias", ["params_no_bias"])):
        table = report.table(columns=columns, no_bias=True)
        assert [column.key for column in table.columns] == ["name", *due]


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("form", SUFFIXES)
def test_styles(style: str, form: str) -> None:
    report = convcalc.load("squeezenet1_0").summarize()
    text = plain(pages.written([report], form, style=style))
    columns = [figure.column for figure in Layout(style=style).figures()]
    if form == "csv":
        assert text.startswith(",".join(["name", *(column.key for column in columns)]))
    elif form != "json":
        assert all(column.title in text for column in columns)


def plain(text: str) -> str:
    return re.sub(r"[\\{}]", "", text)


@given(
    st.integers(-(10**30), 10**30),
    st.sampled_from([*COUNTS, *BYTE_UNITS]),
    st.integers(0, 9),
)
def test_rounded_numbers(value: int, unit: str, digits: int) -> None:
    units = COUNTS if unit in COUNTS else BYTE_UNITS
    text, beside = Rounding(unit, digits).written(value, units)
    found = Fraction(text.replace(",", "").replace("−", "-"))
    error = abs(found - Fraction(value, units[unit]))
    assert beside == ""
    assert error <= Fraction(1, 2 * 10**digits)
    assert len(text.partition(".")[2]) == digits


@given(st.integers(0, 10**30))
def test_units_of_their_own(value: int) -> None:
    text, unit = Rounding("auto").written(value, COUNTS)
    found = Fraction(text.replace(",", ""))
    assert found >= 1 or not value
    assert found < 1000 or unit == "T"
    assert abs(found * COUNTS.get(unit, 1) - value) <= Fraction(COUNTS.get(unit, 1), 20)


@pytest.mark.parametrize(
    ("value", "digits", "written"),
    [
        (999_949, 1, "999.9 kB"),
        (999_950, 1, "1.0 MB"),
        (999_950, 2, "999.95 kB"),
        (-999_999, 0, "−1 MB"),
        (10**12 - 1, 3, "1.000 TB"),
        (999, 1, "999 "),
    ],
)
def test_a_number_that_is_rounded_up_to_the_next_unit_has_it(
    value: int, digits: int, written: str
) -> None:
    assert " ".join(Rounding("auto", digits).written(value, BYTE_UNITS)) == written


def test_bytes_have_no_digits_that_are_not_theirs() -> None:
    """Not those of a float, and not 1000.0 of a unit."""
    assert in_bytes(4 * 10**30 + 4 * 10**15).endswith(
        " bytes = 4,000,000,000,000,004,000.0 TB (1 TB = 10¹² bytes)"
    )
    assert in_bytes(999_999_999) == "999,999,999 bytes = 1.0 GB (1 GB = 10⁹ bytes)"
    assert in_bytes(999) == "999 bytes"


def test_a_unit_is_said() -> None:
    report = convcalc.load("alexnet").summarize()
    text = report.text(columns="params,param_bytes", numbers="M", memory="MiB", digits=2)
    assert "Params (M)  Param memory (MiB)" in text
    assert re.search(r"Total +61\.10 +233\.08\n", text)
    assert "Rounded: M = 10⁶, MiB = 2²⁰.\n" in text
    assert "K = 10³, M = 10⁶, G = 10⁹, T = 10¹²." in report.text(numbers="auto")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"columns": "macss"}, r"unknown column 'macss'\. Did you mean 'macs'\?"),
        ({"style": "lectur"}, r"unknown style 'lectur'\. Did you mean 'lecture'\?"),
        ({"numbers": "Q"}, "unknown unit 'Q'"),
        ({"memory": "MB"}, "no column has bytes that could be rounded to MB"),
        ({"columns": "output", "numbers": "M"}, "no column has counts that could be rounded to M"),
        ({"digits": -1, "numbers": "M"}, "digits: -1 is no whole number from 0 to 9"),
        ({"digits": 1.5, "numbers": "M"}, r"digits: 1\.5 is no whole number from 0 to 9"),
        ({"digits": 2}, "digits are of rounded numbers, and no column has any"),
    ],
)
def test_wrong_layouts(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        convcalc.load("lenet5").summarize().table(**options)


# -- text that stays text -------------------------------------------------------------------------


def nasty_table(words: str, level: int = 0) -> Table:
    columns = (Column("name", words), Column("n", "n", right=True), Column("words", words))
    rows = [Row((words, 1, words), MODULE), Row((words, 2, Told(None, words)), level=level)]
    return Table(
        columns, rows, Row((TOTAL, 3, ""), TOTAL), words, words, words, (words,), (), (words,)
    )


@pytest.mark.parametrize("form", [form for form in WRITTEN if form != "text"])
@pytest.mark.parametrize("level", [0, 1])
def test_words_survive(form: str, level: int) -> None:
    rows = READERS[form](document(form, [nasty_table(NASTY, level)]))
    assert [row[0].strip() for row in rows] == [NASTY, NASTY, rows[-1][0]]
    assert rows[0][2] == NASTY
    assert [count(row[1]) for row in rows] == [1, 2, 3]


@pytest.mark.parametrize("start", ["[", "*"])
def test_no_row_of_latex_is_an_argument_of_the_line_before(start: str) -> None:
    table = Table((Column("a", "a"),), [Row(("b",)), Row((f"{start}2mm] c",))])
    rows = document("latex", [table], fragment=True).splitlines()
    assert not any(row.startswith(start) for row in rows)
    assert READERS["latex"]("\n".join(rows)) == [["b"], [f"{start}2mm] c"]]


@settings(max_examples=40)
@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=12))
def test_any_words_survive(words: str) -> None:
    table = Table((Column("a", "a"), Column("b", "b")), [Row(("x", words))])
    (found,) = READERS["csv"](document("csv", [table]))
    assert found[1] in (words, f"'{words}")
    (found,) = READERS["html"](document("html", [table]))
    assert found[1] == words


@settings(max_examples=200)
@given(st.text("ab *_`[]()<>{}|~&#$%^\\!-+.:,;=\"'@/", max_size=12))
def test_any_signs_survive(words: str) -> None:
    """Where they are markup, too: all that is special to Markdown and LaTeX."""
    words = f"x{words}x"
    table = Table((Column("a", "a"), Column("b", "b")), [Row((words, words))])
    for form in ("markdown", "latex"):
        (found,) = READERS[form](document(form, [table]))
        assert found == [words, words]


@pytest.mark.parametrize(
    "words",
    ["- a", "+ a", "-", "1. a", "1986. A paper", "2) a", "---", "- - -", "-- -", "-5", "1.5"],
)
def test_no_paragraph_of_markdown_is_a_list_or_a_rule(words: str) -> None:
    markdown_it = pytest.importorskip("markdown_it", reason="needs markdown-it-py")
    table = Table((Column("a", words),), [Row((words,))], None, words, words, words, (words,))
    parser = markdown_it.MarkdownIt("commonmark").enable("table")
    tokens = parser.parse(document("markdown", [table]))
    texts = ["".join(c.content for c in token.children) for token in tokens if token.children]
    assert texts == [words] * 6
    kinds = {token.type for token in tokens if token.nesting == 1 and token.level == 0}
    assert kinds == {"heading_open", "paragraph_open", "table_open"}


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_no_cell_is_a_formula(start: str) -> None:
    words = f"{start}SUM(A1)"
    assert harmless(words) == f"'{words}".replace("\r", "\n")
    assert harmless(f"a-{start}b") == f"a-{start}b".replace("\r", "\n")
    table = Table(
        (Column("name", ""), Column("b", "")),
        [Row((words, -5)), Row((Told(words, ""), -2.5)), Row((Sizes((1, 2)), Share(1, 4)))],
        title=words,
    )
    rows = READERS["csv"](document("csv", [table, table]))
    for row in rows:
        for cell in row:
            assert not cell.startswith(tuple("=+-@\t\r\n")) or float(cell) in (-5, -2.5)
    assert [row[2] for row in rows[:3]] == ["-5", "-2.5", "25.0"]


@pytest.mark.parametrize("sign", ["\ufdd0", "\U0001ffff", "\x7f", "\u202e", "\x1b"])
def test_what_is_no_letter_of_a_document_is_none_of_a_title(sign: str) -> None:
    """HTML and XML take no such signs, and terminals should not."""
    html5lib = pytest.importorskip("html5lib", reason="needs html5lib")
    words = f'"a\\U{ord(sign):08x}b"'
    net = convcalc.loads(f"{{title: {words}, source: {words}, input: [3], layers: [linear: 2]}}")
    html5lib.HTMLParser(strict=True).parse(net.summarize().to_html())
    assert net.title == "a\N{REPLACEMENT CHARACTER}b"


def test_a_name_from_a_spec_is_no_formula(tmp_path: Path, run: Run) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text("{name: '=1+1', input: [3, 8], layers: [relu], expect: {params: 0}}")
    assert "'=1+1,relu1" in run("summarize", str(file), str(file), "--format", "csv").out
    head, *_ = convcalc.compare(file, "lenet5", rows="stages").to_csv().splitlines()
    assert all(name.startswith(("name", "'=1+1.", "LeNet-5.")) for name in head.split(","))
    target = tmp_path / "words.csv"
    net = convcalc.loads("{input: [3, 8], variables: {act: relu}, layers: [act]}")
    net.sweep({"act": ["relu"]}).save(target)
    assert "relu" in target.read_text()


# -- documents ------------------------------------------------------------------------------------

MANY: dict[str, list[str]] = {
    "check": ["lenet5", "vgg16"],
    "claims": ["--deck", "B"],
    "compare": ["lenet5", "vgg16", "--rows", "stages"],
    "diff": ["lenet5", "vgg16"],
    "fit": ["vgg16", "--keep", "peak_bytes < 1 GB"],
    "layers": [],
    "limits": ["unet"],
    "quiz": ["lenet5", "-n", "3"],
    "reconcile": ["lenet5", "mobilenet_v2"],
    "run": ["lenet5", "--profile"],
    "summarize": ["googlenet", "lenet5", "--depth", "2"],
    "sweep": ["lenet5", "--set", "H,W=28:64"],
    "verify": ["lenet5"],
    "zoo": [],
}
"""Arguments for every command that prints a table."""


def tabular_commands() -> Iterator[str]:
    context = cli.make_context("convcalc", ["zoo"])
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command is not None
        if any(option.name == "fragment" for option in command.params):
            yield name


def test_every_command_with_a_table_is_here() -> None:
    assert set(tabular_commands()) == set(MANY)


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], str]:
    """What a command prints in a format."""
    folder = tmp_path_factory.mktemp("documents")

    def written(command: str, form: str) -> str:
        target = folder / f"{command}{SUFFIXES[form]}"
        if not target.exists():
            argv = [command, *MANY[command], "-o", str(target)]
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("convcalc.commands.zoo.zoo_names", lambda: ZOO[:50:9])
                assert not cli.main(argv, "convcalc", standalone_mode=False)
        return target.read_text(encoding="utf-8")

    return written


@pytest.mark.parametrize("command", MANY)
@pytest.mark.parametrize("form", SUFFIXES)
def test_every_command_has_every_format(
    command: str, form: str, documents: Callable[[str, str], str]
) -> None:
    text = documents(command, form)
    if form == "json":
        assert json.loads(text)
    elif form == "html":
        check_html(text)
    elif form == "markdown":
        assert read_markdown(text) or command == "quiz"  # whose questions are a list
    elif form == "csv":
        rows = list(csv.reader(io.StringIO(text)))
        assert len({len(row) for row in rows}) == 1
    elif form == "latex":
        assert text.startswith(r"\documentclass")
        assert text.endswith("\\end{document}\n")
    else:
        assert max(map(len, text.splitlines())) > 10


def check_html(text: str) -> None:
    """A strict parser finds nothing wrong, and nothing is fetched from elsewhere."""
    html5lib = pytest.importorskip("html5lib", reason="needs html5lib")
    html5lib.HTMLParser(strict=True).parse(text)
    assert not re.search(r"<(?:script|link|img|iframe)|https?:|@import|url\(", text)


@pytest.mark.parametrize("name", ["resnet18", "lenet5"])
def test_the_tree_in_html_folds(name: str) -> None:
    report = convcalc.load(name).summarize()
    text = report.to_html()
    check_html(text)
    modules = sum(row.kind == MODULE for row in report.tree().rows)
    assert text.count("<details") == text.count("</details>") == modules
    fragment = report._repr_html_()
    check_html(f"<!DOCTYPE html><html><head><title>t</title></head><body>{fragment}</body></html>")
    assert "<html" not in fragment
    assert convcalc.load(name)._repr_html_() == fragment
    assert 'style="--share: ' in text


def test_rows_in_html_are_within_their_modules() -> None:
    table = convcalc.load("googlenet").summarize().tree()
    depth, found = 0, []
    for tag in re.findall(
        r"<(/?details|summary|div class=\"row leaf\")", document("html", [table])
    ):
        depth += {"details": 1, "/details": -1}.get(tag, 0)
        if tag.startswith(("summary", "div")):
            found.append(depth - (tag == "summary"))
    assert found == [row.level for row in table.rows]


def test_guides_are_those_of_the_tree() -> None:
    graph = convcalc.load("googlenet").graph
    due = []
    for line in lines(graph, [], depth=99):
        guides = "".join("│ " if goes_on else "  " for goes_on in line.ancestors[1:])
        due.append(guides + ("└ " if line.is_last else "├ ") * bool(line.ancestors) + line.label)
    text = convcalc.load("googlenet").summarize().text(columns=["type"], depth=99)
    shown = text.splitlines()[5 : 5 + len(due)]
    assert all(line.startswith(label) for line, label in zip(shown, due, strict=True))


def test_a_tree_of_thousands_of_rows_is_cut() -> None:
    unit = "{layers: [relu, tanh, {conv: {out_channels: 2 + i % 2, kernel: 1}}]}"
    net = convcalc.loads(
        f"{{input: [3, 8], blocks: {{b: {{arguments: [i], layers: {unit[9:-1]}}}}},"
        " layers: [{for: {i: range(900)}, b: i}]}"
    )
    assert len(net.summarize().tree().rows) < 2_000


def compiled(text: str, folder: Path, runs: int = 1) -> str:
    """What pdflatex says of a document, which it makes."""
    if shutil.which("pdflatex") is None:
        pytest.skip("pdflatex is not installed")
    (folder / "a.tex").write_text(text, encoding="utf-8")
    for _ in range(runs):
        done = subprocess.run(
            ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "a.tex"],
            cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            errors="replace", timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-2000:]
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("command", ["summarize", "claims", "reconcile", "sweep"])
def test_latex_compiles(command: str, documents: Callable[[str, str], str], tmp_path: Path) -> None:
    said = compiled(documents(command, "latex"), tmp_path)
    assert "Overfull" not in said
    assert "Missing character" not in said


@pytest.mark.slow
def test_the_other_documents_compile_as_one(
    documents: Callable[[str, str], str], tmp_path: Path
) -> None:
    """Their bodies, in the frame of the widest: forms of many symbols."""
    symbolic = convcalc.load("resnet50").summarize(symbolic="N,H,W").to_latex(depth=1)
    frame, _, body = symbolic.partition(r"\begin{document}")
    bodies = [body.removesuffix(r"\end{document}")]
    for command in ("check", "fit", "layers", "limits", "verify", "zoo"):
        text = documents(command, "latex")
        bodies.append(text.partition(r"\begin{document}")[2].partition(r"\end{document}")[0])
    bodies.append(document("latex", [nasty_table(NASTY, 1)], fragment=True))
    joined = "\n\n".join(bodies)
    said = compiled(f"{frame}\\begin{{document}}{joined}\\end{{document}}", tmp_path)
    assert "Overfull" not in said


@pytest.mark.slow
@pytest.mark.parametrize("siunitx", [True, False])
def test_latex_shows_the_numbers(siunitx: bool, tmp_path: Path) -> None:
    """Separators and all, with siunitx and without; read back from the pages."""
    if shutil.which("pdftotext") is None:
        pytest.skip("pdftotext is not installed")
    table = nasty_table(NASTY)._replace(
        rows=[Row((NASTY, n, "")) for n in (0, 7, 999, 1234, 25_557_032, -15_470_264_320)]
    )
    text = document("latex", [table])
    if not siunitx:
        text = text.replace("{siunitx.sty}", "{no such file.sty}")
    compiled(text, tmp_path)
    shown = subprocess.run(
        ["pdftotext", "-layout", "a.pdf", "-"], cwd=tmp_path, capture_output=True, text=True,
        check=True,
    ).stdout  # fmt: skip
    for number in ("999", "1,234", "25,557,032", "15,470,264,320"):
        assert re.search(rf"(?<![\d,]){number}(?![\d,])", shown)
    assert "a_b & <c> | $d$ \\e {f} #g %h" in shown


def right_edges(folder: Path, words: set[str]) -> list[float]:
    """Where words of a PDF end, in points."""
    found = subprocess.run(
        ["pdftotext", "-bbox", "a.pdf", "-"], cwd=folder, capture_output=True, text=True, check=True
    ).stdout
    edges = re.findall(r'xMax="([0-9.]+)" yMax="[0-9.]+">([^<]+)<', found)
    return [float(edge) for edge, word in edges if word in words]


@pytest.mark.slow
def test_a_long_table_is_aligned_after_one_run(tmp_path: Path) -> None:
    if shutil.which("pdftotext") is None:
        pytest.skip("pdftotext is not installed")
    text = convcalc.load("unet").summarize().to_latex(fold=False)
    assert "run pdflatex twice" in text
    compiled(text, tmp_path)
    edges = right_edges(tmp_path, {"Params", "640", "14,157,824", "143,552"})
    assert len(edges) == 5, "the header is on both pages"
    assert max(edges) - min(edges) < 1


@pytest.mark.slow
def test_what_fits_a_page_is_a_plain_table(tmp_path: Path) -> None:
    report = convcalc.load("vgg16_cs231n").summarize()
    text = report.to_latex(style="cs231n")
    assert "longtable}[l]" not in text
    said = compiled(text, tmp_path)
    assert "Overfull" not in said
    assert "(1 page" in said


def test_right_and_wrong_are_no_times_sign_in_latex() -> None:
    assert escape("✗ 11x → 770") == r"\textsf{\textbf{X}} 11x $\to$ 770"
    assert escape("✓") == r"$\checkmark$"


def test_long_tables_and_fragments() -> None:
    report = convcalc.load("resnet50").summarize()
    assert r"\begin{longtable}" in report.to_latex()
    assert r"\begin{tabular}" in report.to_latex(depth=1)
    fragment = report.to_latex(depth=1, fragment=True)
    assert r"\documentclass" not in fragment
    assert r"% needs \usepackage{amssymb, array, booktabs, longtable, siunitx}" in fragment
    body = [line for line in fragment.splitlines() if not line.startswith("%")]
    assert body[0].startswith(r"\begin{tabular}")
    assert body[-1] == r"\end{tabular}"


def test_fragments_are_of_documents(run: Run) -> None:
    result = run("summarize", "lenet5", "--fragment")
    assert (result.code, result.out) == (2, "")
    assert "--fragment is for latex and html, and this is text." in result.err
    assert run("summarize", "lenet5", "--fragment", "--format", "html").out.startswith("<div>")


def test_the_suffix_picks_the_format(run: Run, tmp_path: Path) -> None:
    starts = {
        ".txt": "LeNet-5  input", ".md": "### LeNet-5", ".tex": r"\documentclass",
        ".csv": "name,output,params", ".json": "{", ".html": "<!DOCTYPE html>",
    }  # fmt: skip
    assert starts.keys() == set(SUFFIXES.values())
    for suffix, start in starts.items():
        by_hand, by_method = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
        assert run("summarize", "lenet5", "-o", str(by_hand)).code == 0
        convcalc.load("lenet5").summarize().save(by_method)
        assert by_hand.read_text(encoding="utf-8").startswith(start)
        assert by_hand.read_bytes() == by_method.read_bytes()
    with pytest.raises(UsageError, match=r"tables are written to \.txt, \.md, \.tex"):
        convcalc.load("lenet5").summarize().save(tmp_path / "a.pdf")
    assert not (tmp_path / "a.pdf").exists()


# -- Python ---------------------------------------------------------------------------------------


def test_dicts() -> None:
    report = convcalc.load("alexnet").summarize()
    rows = report.to_dicts(columns="type,output,params,share")
    assert [row["name"] for row in rows] == [row.name for row in report.rows]
    assert sum(row["params"] for row in rows) == report.totals.params
    assert sum(row["macs_percent"] or 0 for row in rows) == pytest.approx(100)
    assert rows[0] == {
        "name": "conv1", "type": "conv", "output": [64, 55, 55], "params": 23_296,
        "macs_percent": pytest.approx(100 * 70_276_800 / 714_188_480),
    }  # fmt: skip
    found = convcalc.load("lenet5").fit(vary="N", keep="macs < 1G").to_dicts()
    assert found[0]["figure"] == "macs"


def test_pandas() -> None:
    pandas = pytest.importorskip("pandas", reason="needs convcalc[pandas]")
    report = convcalc.load("vgg16").summarize()
    frame = report.to_pandas(columns="type,params,macs")
    assert isinstance(frame, pandas.DataFrame)
    assert list(frame.columns) == ["name", "type", "params", "macs"]
    assert frame.macs.sum() == report.totals.macs
    assert frame.macs.dtype == "int64"


def test_pandas_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(UsageError, match=r"pip install 'convcalc\[pandas\]'"):
        convcalc.load("lenet5").summarize().to_pandas()


def test_what_is_no_page_says_so() -> None:
    with pytest.raises(NotImplementedError):
        pages.Page().table()
