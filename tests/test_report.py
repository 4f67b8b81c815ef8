"""Reports: rows that add up, folding that loses nothing, JSON that keeps its form."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Sequence

import pytest
from rich.console import Console

import convcalc
from convcalc.analysis.quantities import QUANTITIES, TOTALS, Totals
from convcalc.dim import Dim
from convcalc.errors import UsageError
from convcalc.report import tree
from convcalc.report.columns import COLUMNS
from convcalc.report.formats.text import bar, shape
from convcalc.report.table import Share
from convcalc.spec.zoo import zoo_names

ZOO = zoo_names()
SHARED = """
inputs: {a: [3, 20, 24], b: [3, 20, 24]}
blocks:
  tower: {layers: [conv: {out_channels: 4, kernel: 3}, batch_norm, flatten, linear: 5]}
layers:
  - {tower: , from: a, share: tower, name: left}
  - {tower: , from: b, share: tower, name: right}
  - {subtract: , from: [left, right]}
"""


STAGED = """
input: [3, 16, 16]
groups: {Body: [b1, b2], "=Head": linear1}
blocks: {b: {arguments: [out], layers: [conv: {out_channels: out, kernel: 3}, relu]}}
layers: [b: 4, b: 8, max_pool: 2, flatten, linear: 5]
"""


@pytest.mark.parametrize("symbols", ["", "N"])
def test_rows_of_stages_are_the_groups(symbols: str) -> None:
    """Each holds the sums of its layers, and together they are the totals."""
    report = convcalc.loads(STAGED).summarize(symbolic=symbols)
    table = report.records(rows="stages", columns="output,params,macs,activation_bytes")
    layers = {row.name: row for row in report.rows}
    assert [row.cells[0] for row in table.rows] == ["input", "Body", "=Head", "other layers"]
    assert [row.cells[1] for row in table.rows] == [(3, 16, 16), (8, 12, 12), (5,), ()]
    body = [layers[f"b{i}.conv1"] for i in (1, 2)]
    assert table.rows[1].cells[2:4] == (sum(r.params for r in body), sum(r.macs for r in body))
    for i, of in enumerate(("params", "macs", "activation_bytes"), 2):
        assert sum(row.cells[i] for row in table.rows) == getattr(report.totals, of)
    text = report.text(rows="stages")
    assert re.search(r"^Body +8×12×12 +408 ", text, re.MULTILINE)
    assert "×2" not in text
    assert "\n'=Head,1445\n" in report.to_csv(rows="stages", columns="params")


def test_rows_of_stages_without_groups_are_those_of_depth_1() -> None:
    report = convcalc.load("resnet18").summarize()
    for options in ({"columns": "type,output,kernel,macs"}, {"style": "paper"}):
        stages = report.table(**options, rows="stages")
        due = report.table(**options, depth=1, fold=False)
        assert stages == due._replace(hints=())


def test_rows_are_layers_or_stages() -> None:
    with pytest.raises(UsageError, match=r"unknown kind of rows 'stage'\. Did you mean 'stages'\?"):
        convcalc.load("lenet5").summarize().table(rows="stage")


@pytest.mark.parametrize("name", ZOO)
def test_totals_are_the_sums_of_the_rows(name: str) -> None:
    report = convcalc.load(name).summarize(N=3)
    assert Totals._fields == TOTALS
    for quantity in QUANTITIES:
        assert getattr(report.totals, quantity) == sum(getattr(r, quantity) for r in report.rows)
    assert report.totals.flops == 2 * report.totals.macs
    assert report.totals.param_bytes == 4 * report.totals.params


@pytest.mark.parametrize("name", ZOO)
def test_json_keeps_its_form(name: str) -> None:
    found = json.loads(json.dumps(convcalc.load(name).summarize().to_dict()))
    assert found["convcalc"] == 1
    assert set(found) == {"convcalc", "name", "variables", "totals", "layers"}
    layers = found["layers"]
    names = [layer["name"] for layer in layers]
    assert len(set(names)) == len(names)
    earlier = {"input"}
    for layer in layers:
        assert set(layer) == {
            "name", "type", "inputs", "output_shape", "params", "buffers", "macs", "macs_nonpad",
            "multiplies", "adds", "compares", "divides", "exps",
            "receptive_field", "receptive_stride", "receptive_padding",
        }  # fmt: skip
        assert set(layer["inputs"]) <= earlier
        earlier.add(layer["name"])
    for quantity in ("params", "buffers", "macs", "adds", "compares"):
        assert found["totals"][quantity] == sum(layer[quantity] for layer in layers)


@pytest.mark.parametrize(
    "name", ["lenet5", "resnet18", "resnet50", "densenet121", "unet", "googlenet"]
)
def test_symbolic_json_reads_back(name: str) -> None:
    net = convcalc.load(name)
    symbolic = net.summarize(symbolic="N,H,W").to_dict()
    sizes = {"N": 2, "H": 573, "W": 605}
    numbers = net.summarize(**sizes).to_dict()
    from convcalc.spec.expressions import parse

    def read(value: object) -> object:
        return parse(value).evaluate(sizes) if isinstance(value, str) else value

    for quantity, value in symbolic["totals"].items():
        # which of many sizes is the largest may depend on the symbols
        if value is not None or quantity != "peak_activation_bytes":
            assert read(value) == numbers["totals"][quantity]
    for row, due in zip(symbolic["layers"], numbers["layers"], strict=True):
        assert [read(size) for size in row["output_shape"]] == due["output_shape"]
        assert read(row["macs"]) == due["macs"]
        assert read(row["adds"]) == due["adds"]


def test_variables_in_json() -> None:
    net = convcalc.loads(
        "{input: [3, H, 8], variables: {H: 8, a: 1.1, b: 1 / 3, c: relu, d: [1, 2], e: true, f: 2},"
        " layers: [conv: {out_channels: 'f if e else d[0]', kernel: 1}, c,"
        " dropout: a - b]}"
    )
    assert net.summarize().to_dict()["variables"] == {
        "H": 8, "a": 1.1, "b": "1/3", "c": "relu", "d": [1, 2], "e": True, "f": 2,
    }  # fmt: skip
    assert net.summarize(symbolic="H").to_dict()["variables"]["H"] == "H"


def test_shared_weights_count_in_their_owners_row() -> None:
    report = convcalc.loads(SHARED).summarize()
    rows = {row.name: row for row in report.rows}
    linear = 4 * 18 * 22 * 5 + 5
    assert rows["left.linear1"].params == linear
    assert rows["right.linear1"].params == 0
    assert rows["right.linear1"].macs == rows["left.linear1"].macs == linear - 5
    assert rows["right.batch_norm1"].buffers == 0
    assert report.totals.params == 3 * 9 * 4 + 4 + 8 + linear
    assert report.totals.buffers == 8


def lines_of(name: str, **options: object) -> Sequence[tree.Line]:
    graph = convcalc.load(name).graph
    return tree.lines(graph, ["params", "macs"], **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ZOO)
@pytest.mark.parametrize("options", [{}, {"fold": False}, {"depth": 1}, {"depth": 2}])
def test_top_lines_add_up_to_the_totals(name: str, options: dict[str, object]) -> None:
    totals = convcalc.load(name).summarize().totals
    top = [line for line in lines_of(name, **options) if not line.ancestors]
    assert sum(line.sums["params"] for line in top) == totals.params
    assert sum(line.sums["macs"] for line in top) == totals.macs


@pytest.mark.parametrize("name", ZOO)
def test_folding_loses_nothing(name: str) -> None:
    """Unfolded again, the lines are the leaves of the full tree."""

    def leaves(lines: Sequence[tree.Line]) -> int:
        count, times = 0, [1]
        for line in lines:
            level = len(line.ancestors)
            del times[level + 1 :]
            times.append(times[level] * line.times)
            count += 0 if line.is_module else times[-1]
        return count

    graph = convcalc.load(name).graph
    assert leaves(lines_of(name, depth=99)) == len(graph.nodes)
    assert leaves(lines_of(name, fold=False)) == len(graph.nodes)


def test_resnet152_fits_a_screen_or_two() -> None:
    text = convcalc.load("resnet152").summarize().text()
    assert len(text.splitlines()) < 120
    assert "×35" in text


def test_branches_and_sharing_do_not_fold() -> None:
    text = """
    input: [4, 8, 10]
    blocks: {unit: {layers: [conv: {out_channels: 4, kernel: 1}]}}
    layers:
      - add: [[unit], [unit], [unit]]
      - {unit: , repeat: 3}
      - {unit: , repeat: 2, share: w}
    """
    table = convcalc.loads(text).summarize().text()
    # the first of the two that share owns its weights, like the three before it
    assert re.findall(r"(\S+) ×\d+", table) == ["unit4–7"]


def test_columns() -> None:
    report = convcalc.load("lenet5").summarize()
    for name, figure in COLUMNS.items():
        assert figure.column.title in report.text(columns=[name])
    with pytest.raises(UsageError, match=r"unknown column 'macss'\. Did you mean 'macs'\?"):
        report.text(columns="params,macss")


def test_cells() -> None:
    assert bar(Share(1, 3)) == " 33.3 ██"
    assert bar(Share(3, 3)) == "100.0 ██████"
    assert bar(Share(0, 3)) == bar(Share(1, 0)) == ""
    net = convcalc.loads(
        "{input: [3, H, W], layers: [conv: {out_channels: 4, kernel: 3, stride: 2}]}"
    )
    assert shape(net.graph.outputs[0].shape) == "4×⌊(H − 1)/2⌋×⌊(W − 1)/2⌋"
    net = convcalc.loads("{input: [3, H, W], layers: [conv: {out_channels: 4, kernel: 3}]}")
    assert shape(net.graph.outputs[0].shape) == "4×(H − 2)×(W − 2)"


def numbers(rows: list[str]) -> list[list[str]]:
    """The numbers in the table's lines, from its head to its total."""
    table = rows[rows.index("") + 1 :]
    total = next(i for i, row in enumerate(table) if row.startswith("Total"))
    return [re.findall(r"[\d,]{5,}", row) for row in table[: total + 1]]


@pytest.mark.parametrize("width", [40, 60, 80, 100, 160])
def test_width_is_kept_and_numbers_are_never_cut(width: int) -> None:
    report = convcalc.load("resnet50").summarize()
    rows = report.rendered(width, depth=3).plain()
    assert any("4,089,184,256" in row for row in rows)
    assert numbers(rows) == numbers(report.rendered(None, depth=3).plain())
    if width >= 80:
        assert max(map(len, rows)) <= width


def test_faces() -> None:
    report = convcalc.load("lenet5").summarize()
    assert str(report) == report.text() == repr(report)
    assert report._repr_html_() == report.to_html(fragment=True)
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(report)
    printed = [line.rstrip() for line in console.export_text().splitlines()]
    assert printed == report.rendered(100).plain()


def test_html_is_escaped() -> None:
    net = convcalc.loads("{name: '<b>&', input: [3], layers: [linear: 2]}")
    assert "&lt;b&gt;&amp;" in net._repr_html_()


def test_notes_tell_what_is_left_out() -> None:
    net = convcalc.loads(
        "{input: [3, 8, 8], layers: [{relu: , name: a}, {tanh: , name: b}], outputs: [a]}"
    )
    assert net.summarize().notes == ["1 layer that no output needs is left out: b"]
    assert [row.name for row in net.summarize().rows] == ["a"]


def test_the_closed_form_in_the_footer() -> None:
    text = convcalc.load("vgg16").summarize().text()
    form = convcalc.load("vgg16").formula("macs")
    assert isinstance(form, Dim)
    assert text.splitlines()[-1] == f"MACs(N, H, W) = {form}"
    branching = "{input: [3, H, 8], variables: {H: 8}, layers: [{relu: , when: H > 4}, tanh]}"
    assert (
        convcalc.loads(branching)
        .summarize()
        .text()
        .splitlines()[-1]
        .startswith("No closed form of the MACs: whether H > 4 depends on H.")
    )
