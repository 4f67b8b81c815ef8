"""Comparisons: parts that add up, rows that find each other, the tables of two lectures."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

import convcalc
from convcalc.analysis.parts import OTHERS
from convcalc.claims import claims
from convcalc.errors import SpecError, UsageError
from convcalc.report.comparison import FIGURES, Comparison
from convcalc.report.formats import SUFFIXES
from convcalc.spec.schema import json_schema
from convcalc.spec.zoo import lecture_names, matching, zoo_names
from tests.test_cli import Run, run
from tests.test_formats import READERS

__all__ = ["run"]

SOME = ("lenet5", "inception_block", "mobilenet_v3_small", "unet", "shufflenet_v2_x0_5")
SPLITTABLE = [name for name in FIGURES if name != "peak_activation_bytes"]
SPEC = """
name: small
input: [1, 8, 8]
blocks: {convs: {layers: [conv: {out_channels: 4, kernel: 3}, relu]}}
layers: [conv: {out_channels: 2, kernel: 3}, {repeat: 2, convs: }, flatten, linear: 5]
"""


def with_groups(groups: str) -> convcalc.Network:
    return convcalc.loads(f"{SPEC}groups: {groups}\n")


# -- figures --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "groups"),
    [
        ("stages", None),
        ("layers", None),
        ("stages", {"A": "concat1, global_avg_pool1, max_pool1, avg_pool1", "B": "linear1"}),
        ("stages", {OTHERS: "avg_pool1, concat1, stem, max_pool1", "input": "linear1"}),
    ],
)
def test_parts_add_up_to_what_summarize_says(rows: str, groups: dict[str, str] | None) -> None:
    found = convcalc.compare(*SOME, rows=rows, columns=SPLITTABLE, groups=groups)
    for name, network in zip(SOME, found.networks, strict=True):
        assert all(set(part) == set(SPLITTABLE) for part in network.parts.values())
        totals = convcalc.load(name).summarize().totals._asdict()
        for of in SPLITTABLE:
            assert sum(part[of] for part in network.parts.values()) == network.totals[of]
            assert network.totals[of] == totals.get(of, network.totals[of])


def test_totals_are_those_of_summarize_with_variables_and_dtype() -> None:
    found = convcalc.compare("vgg16", "resnet18", columns=list(FIGURES), dtype="float16", H=64)
    for name, network in zip(("vgg16", "resnet18"), found.networks, strict=True):
        totals = convcalc.load(name).summarize(dtype="float16", H=64).totals._asdict()
        assert totals.items() >= {o: v for o, v in network.totals.items() if o in totals}.items()


def test_the_figures_of_a_group_are_those_of_its_layers() -> None:
    net = with_groups("{Start: conv1, Middle: [convs1, convs2.conv1], End: linear1}")
    rows = {row.name: row for row in net.summarize().rows}
    parts = convcalc.compare(net, net, rows="stages").networks[0].parts
    assert list(parts) == ["Start", "Middle", "End", OTHERS]
    assert parts["Start"]["params"] == rows["conv1"].params == 2 * 9 + 2
    assert parts["Middle"]["macs"] == rows["convs1.conv1"].macs + rows["convs2.conv1"].macs
    assert parts[OTHERS] == {"params": 0, "macs": 0}
    assert convcalc.compare(net, net, rows="layers").networks[0].parts.keys() == rows.keys()


def test_groups_of_the_call_take_the_place_of_the_specs() -> None:
    net = with_groups("{Start: conv1}")
    other = convcalc.load("lenet5")
    found = convcalc.compare(net, other, rows="stages", groups={"Convs": "conv1, convs1, conv2"})
    assert [list(network.parts) for network in found.networks] == [["Convs", OTHERS]] * 2
    assert found.networks[1].parts["Convs"]["params"] == 156 + 2416


def test_groups_of_the_call_stand_in_its_order() -> None:
    groups = {"Z": "stem", "A": "conv1", "Y": "layer1"}
    found = convcalc.compare("lenet5", "resnet18", rows="stages", groups=groups)
    assert [row.cells[0] for row in found.table().rows] == ["Z", "A", "Y", OTHERS]


@given(st.lists(st.permutations("abcdef").map(lambda names: names[:4]), min_size=1, max_size=4))
def test_rows_keep_the_order_of_the_first_network_and_name_every_part_once(
    orders: list[list[str]],
) -> None:
    found = Comparison("stages", "params", None, 2)
    for order in orders:
        parts: dict[str, Any] = {name: {"params": 1} for name in order}
        found.networks.append(one_network(parts))
    names = [row.cells[0] for row in found.table().rows]
    assert sorted(names) == sorted({name for order in orders for name in order})
    assert [name for name in names if name in orders[0]] == orders[0]


def test_rows_of_one_network_alone_stand_before_those_that_follow_them() -> None:
    found = convcalc.compare("vgg16", "resnet50", rows="stages")
    assert [row.cells[0] for row in found.table().rows] == [
        *(f"block{i}" for i in range(1, 6)), "stem", *(f"layer{i}" for i in range(1, 5)),
        "linear1", "linear2", "linear3",
    ]  # fmt: skip


def one_network(parts: dict[str, Any]) -> Any:
    from convcalc.report.comparison import Compared

    return Compared("", "", "", "", {}, {"params": 0}, parts)


def test_symbolic_networks_have_closed_forms_and_no_ratios(run: Run) -> None:
    net = convcalc.loads("{input: [3, H, 8], layers: [conv: {out_channels: 4, kernel: 3}]}")
    found = convcalc.compare(net, "lenet5")
    assert str(found.networks[0].totals["macs"]) == "648·H − 1,296"
    assert "648·H − 1,296" in str(found)
    assert found.to_dict()["networks"][1]["ratios"] == {"params": 61706 / 112, "macs": None}


def test_ratios_are_of_the_first_and_none_where_that_is_zero() -> None:
    flat = convcalc.loads("{name: flat, input: [1, 4], layers: [flatten]}")
    found = convcalc.compare("lenet5", "vgg16", flat).to_dict()["networks"]
    assert [n["ratios"]["params"] for n in found] == [1.0, 138357544 / 61706, 0.0]
    backwards = convcalc.compare(flat, "lenet5").to_dict()["networks"]
    assert [n["ratios"]["params"] for n in backwards] == [None, None]


def test_networks_of_one_name_are_told_apart() -> None:
    net = convcalc.load("lenet5")
    found = convcalc.compare(net, convcalc.load("lenet5", H=32), net, "lenet5")
    labels = [network.label for network in found.networks]
    assert labels == ["LeNet-5", "LeNet-5, H=32", "LeNet-5 (2)", "LeNet-5 (3)"]


# -- the lectures ---------------------------------------------------------------------------------


def test_the_table_of_alexnet_and_lenet_is_what_the_claims_recompute() -> None:
    recomputed = {claim.claim: claim.recomputed for claim in claims(["A"])}
    found = convcalc.compare("lectures/lenet", "lectures/alexnet", rows="stages")
    assert [row.cells[0] for row in found.table().rows] == [
        "Conv1", "Conv2", "Conv3-5", "Dense1", "Dense2",
    ]  # fmt: skip
    checked = 0
    for network in found.networks:
        figures = {**network.parts, "total": network.totals}
        for part, of_part in figures.items():
            for of, word in (("params", "#parameters"), ("macs", "FLOP")):
                claim = f"AlexNet-vs-LeNet complexity table: {network.label} {part} {word}"
                if claim in recomputed:
                    assert of_part[of] == recomputed[claim]
                    checked += 1
    assert checked == 22
    increase = found.table().below[0].cells
    assert [cell.text for cell in increase[1:]] == ["1×", "771×", "1×", "2,420×"]
    for k, word in ((2, "#parameters"), (4, "FLOP")):
        claim = f"AlexNet-vs-LeNet complexity table: Increase of {word} AlexNet/LeNet"
        assert round(increase[k].value, 1) == float(recomputed[claim])


def test_the_table_of_the_inception_block() -> None:
    found = convcalc.compare("lectures/inception", "lectures/conv*")
    assert [tuple(network.totals.values()) for network in found.networks] == [
        (163_328, 128_049_152), (442_368, 346_816_512), (1_228_800, 963_379_200),
    ]  # fmt: skip


def test_the_networks_of_lectures_are_specs_apart_from_the_zoo(run: Run) -> None:
    names = lecture_names()
    assert len(names) == 6
    assert not set(names) & set(zoo_names())
    _, out, _ = run("check", *names)
    assert "✗" not in out
    assert all(f"✓ {name}: params" in out for name in names)
    assert run("zoo", "lectures/alexnet")[1].startswith("name: AlexNet\n")
    code, _, err = run("summarize", "lectures/alexnt")
    assert code == 3
    assert err.endswith("no file and no architecture 'lectures/alexnt'. "
                        "Did you mean 'lectures/alexnet'?\n")  # fmt: skip


def test_vgg16_as_deck_d_has_it() -> None:
    totals = convcalc.load("lectures/vgg16").summarize().totals
    assert totals.params == 138_344_128
    assert totals.activation_bytes == 4 * 15_237_608 == 60_950_432


# -- the key of the spec --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("groups", "error"),
    [
        ("{A: conv2}", "<string>:6:13: group 'A': no layer or module 'conv2' in small. Did you "
         "mean 'convs2'?"),
        ("{A: [conv1, lin]}", "<string>:6:21: group 'A': no layer or module 'lin' in small. "),
        ("{A: [conv1], B: conv1}", "<string>:6:25: group 'B': conv1 is in 'A'. A layer is in one "
         "group: it would count twice."),
        ("{A: convs1, Total: conv1}", "<string>:6:28: group 'Total': the last row of a table is "
         "called so. Give the group another name."),
        ("{A: [convs1, convs1.relu1]}", "<string>:6:22: group 'A': convs1.relu1 is in it already."),
    ],
)  # fmt: skip
def test_groups_that_do_not_fit_the_network(groups: str, error: str) -> None:
    net = with_groups(groups)
    assert net.summarize().totals.params
    with pytest.raises(SpecError) as caught:
        convcalc.compare(net, net, rows="stages")
    assert str(caught.value).startswith(error)
    assert len(convcalc.compare(net, net, rows="layers").networks) == 2


@pytest.mark.parametrize(
    ("groups", "error"),
    [
        ("[conv1]", "<string>:6:9: groups: a mapping of names is due, not a list. For instance "
         "groups: {Conv1: conv1, Conv2-3: [conv2, conv3]}."),
        ("{A: {b: c}}", "<string>:6:13: group 'A' holds paths of layers, not a mapping."),
        ("{A: []}", "<string>:6:13: group 'A' is empty."),
        ("{A: }", "<string>:6:10: group 'A' holds paths of layers, not nothing."),
        ("{A: conv1, ' A': linear1}", "<string>:6:20: the group 'A' stands here twice"),
        ("{'': conv1}", "<string>:6:10: a group has no name."),
    ],
)  # fmt: skip
def test_groups_that_are_none(groups: str, error: str) -> None:
    with pytest.raises(SpecError) as caught:
        with_groups(groups)
    assert str(caught.value).startswith(error)


def test_check_finds_groups_of_layers_that_are_not_there(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "small.yaml"
    file.write_text(f"{SPEC}groups: {{A: conv9}}\nexpect: {{params: 1}}\n")
    code, _, err = run("check", str(file))
    assert code == 3
    assert "group 'A': no layer or module 'conv9' in small" in err


def test_groups_are_inherited_with_the_layers_they_are_of(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(f"{SPEC}groups: {{A: conv1}}\n")
    (tmp_path / "same.yaml").write_text("extends: base.yaml\n")
    (tmp_path / "other.yaml").write_text("{extends: base.yaml, layers: [flatten, linear: 2]}")
    (tmp_path / "own.yaml").write_text("{extends: base.yaml, groups: {B: linear1}}")
    groups = {f: list(convcalc.load(tmp_path / f"{f}.yaml").spec.groups) for f in
              ("same", "other", "own")}  # fmt: skip
    assert groups == {"same": ["A"], "other": [], "own": ["B"]}


def test_the_schema_knows_groups() -> None:
    spec = {"input": [1], "layers": ["relu"], "groups": {"A": "relu1", "B-C": ["x", "y.z"]}}
    jsonschema.validate(spec, json_schema())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**spec, "groups": {"A": 1}}, json_schema())


# -- the command ----------------------------------------------------------------------------------


def test_every_format_has_the_same_figures(run: Run) -> None:
    arguments = ("compare", "lectures/lenet", "lectures/alexnet", "--rows", "stages", "--format")
    net = convcalc.compare("lectures/lenet", "lectures/alexnet", rows="stages").networks[1]
    for form in SUFFIXES:
        code, out, err = run(*arguments, form)
        assert (code, err) == (0, "")
        if form == "json":
            found = json.loads(out)["networks"][1]
            assert found["totals"] == net.totals
            assert {p.pop("name"): p for p in found["parts"]} == net.parts
            continue
        rows = {cells[0]: cells[1:] for cells in READERS[form](out)}
        for name, figures in [*net.parts.items(), ("total", net.totals)]:
            if not figures["params"] or (form == "text" and name == "Conv3-5"):
                continue  # left out; the reader of text sees no empty cells
            cells = rows.get(name) or rows.get(name.capitalize()) or rows[f"**{name}**"]
            numbers = [int(re.sub(r"\D", "", cells[i])) for i in (1, 3)]
            assert numbers == [figures["params"], figures["macs"]], form
        if form != "text":
            assert ("Increase" in rows) is (form != "csv")


def test_text_shows_the_increase(run: Run) -> None:
    _, out, _ = run("compare", "lenet5", "vgg16", "--rows", "stages")
    assert out.splitlines()[-3].split() == ["Increase", "1×", "2,242×", "1×", "37,142×"]


@pytest.mark.parametrize("width", [40, 80, 160])
def test_columns_that_find_no_room_stand_below(width: int) -> None:
    names = ("vgg11", "vgg16", "vgg19", "resnet18", "resnet50")
    found = convcalc.compare(*names, rows="stages", columns="params,macs,activation_bytes")
    lines = found.text(width).splitlines()
    assert max(map(len, lines)) <= width
    wide = found.text().splitlines()
    heads = [line for line in lines if line.startswith("Stage")]
    assert " ".join(h.removeprefix("Stage") for h in heads).split() == wide[2].split()[1:]
    totals = [line.removeprefix("Total") for line in lines if line.startswith("Total")]
    assert " ".join(totals).split() == next(w for w in wide if w.startswith("Total")).split()[1:]
    totals_table = convcalc.compare(*names, columns="params,macs,activation_bytes,param_bytes")
    assert max(map(len, totals_table.text(width).splitlines())) <= max(width, 45)


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        ("lenet5", 2, "one network has nothing to be compared with. Name two or more;"),
        ("lenet5 vgg17", 3, "no file and no architecture 'vgg17'. Did you mean 'vgg1"),
        ("lenet5 resent*", 3, "no architecture matches 'resent*'. 'convcalc zoo' lists"),
        ("lenet5 vgg16 --columns param", 2, "unknown quantity 'param'. Did you mean 'params'?"),
        ("lenet5 vgg16 --set widht=3", 2, "LeNet-5: unknown variable 'widht'. This spec has "
         "N, H, W, classes."),
        ("lenet5 vgg16 --set dtype=3", 2, "LeNet-5: unknown variable 'dtype'. This spec has"),
        ("lenet5 vgg16 --rows layers --columns peak_bytes", 2, "peak_activation_bytes is of the "
         "whole network, not of layers. activation_bytes is what"),
        ("lenet5 vgg16 --rows layers --group A=conv1", 2, "groups are the rows of stages."),
        ("lenet5 vgg16 --group A", 2, "--group A: NAME=PATH,PATH,… is due"),
        ("lenet5 vgg16 --group A=, ", 2, "group 'A': a name and paths of layers are due"),
        ("lenet5 vgg16 --group A=conv1 --group B=conv1", 2, "Error: group 'B': conv1 is in 'A'. A "
         "layer is in one group: it would count twice."),
        ("- lenet5 -", 2, "Error: standard input can be one of the specs only"),
        ("lenet5 vgg16 --group A=conv1 --group A=conv2", 2, "--group A stands here twice"),
        ("lenet5 vgg16 --group A=conv1,conv7", 2, "group 'A': no network has a layer or module "
         "'conv7'. Did you mean 'conv"),
        ("lenet5 vgg16 --memory MB --format csv", 2, "no column has bytes that could be rounded"),
        ("lenet5 vgg16 --memory MB", 2, "no column has bytes that could be rounded to MB"),
    ],
)  # fmt: skip
def test_mistakes(run: Run, arguments: str, code: int, error: str) -> None:
    found, out, err = run("compare", *arguments.split(" "))
    assert (found, out) == (code, "")
    assert error in err
    assert "Traceback" not in err


def test_an_option_of_other_commands_is_said_to_be_theirs(run: Run) -> None:
    code, out, err = run("compare", "vgg16", "--style", "cs231n")
    assert (code, out) == (2, "")
    assert err.endswith("No such option '--style' here: it is of summarize, explain, quiz.\n")
    assert err.startswith("Usage: convcalc compare ")
    assert "Did you mean" in run("compare", "vgg16", "--colums", "macs")[2]


def test_values_and_rounding_on_the_line(run: Run) -> None:
    _, out, _ = run("compare", "alexnet", "vgg16", "--set", "H=512", "--numbers", "M", "--digits",
                    "2", "--columns", "params,macs")  # fmt: skip
    macs = convcalc.load("vgg16", H=512).summarize().totals.macs
    rounded = f"{round(Fraction(macs, 10**4)) / 100:,.2f}"
    assert rounded in out
    assert "MACs (M)" in out
    assert "Rounded: M = 10⁶." in out


def test_patterns_are_of_the_zoo() -> None:
    assert matching("vgg1?") == ["vgg11", "vgg13", "vgg16", "vgg19"]
    assert matching("*") == zoo_names()
    assert matching("lectures/conv*") == ["lectures/conv3x3", "lectures/conv5x5"]
    assert matching("no_pattern") == ["no_pattern"]


def test_the_whole_zoo_in_one_command_with_progress(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[int, int]] = []

    @contextmanager
    def bar(unit: str) -> Iterator[Callable[[int, int], None]]:
        assert unit == "networks"
        yield lambda done, all: told.append((done, all))

    monkeypatch.setattr("convcalc.commands.compare.progress_bar", bar)
    code, out, err = run("compare", "*", "--format", "csv")
    assert (code, err) == (0, "")
    assert told == [(i, len(zoo_names())) for i in range(len(zoo_names()))]
    listed = json.loads(run("zoo", "--format", "json")[1])
    figures = [line.split(",") for line in out.splitlines()[1:]]
    assert [[int(cells[-4]), int(cells[-2])] for cells in figures] == [
        [entry["params"], entry["macs"]] for entry in listed
    ]


BACKWARDS = ("lectures/alexnet", "lectures/lenet")


@pytest.mark.parametrize("base", ["lectures/lenet", "LeNet", "lenet"])
def test_the_base_is_any_of_the_networks(run: Run, base: str) -> None:
    _, out, _ = run("compare", *BACKWARDS, "--rows", "stages", "--base", base)
    lines = out.splitlines()
    assert lines[2].split()[:3] == ["Stage", "Params,", "AlexNet"]
    assert lines[-3].split() == ["Increase", "771×", "1×", "2,420×", "1×"]
    assert lines[-2] == "Increase: how many times LeNet."
    totals = run("compare", *BACKWARDS, "--base", base)[1]
    assert "×: how many times LeNet." in totals
    found = json.loads(run("compare", *BACKWARDS, "--base", base, "--format", "json")[1])
    assert found["base"] == "LeNet"
    assert [n["ratios"]["params"] for n in found["networks"]] == [46_737_440 / 60_630, 1.0]


def test_a_base_by_the_name_that_the_call_has_or_the_label(tmp_path: Path) -> None:
    for file in ("a", "b", "small"):
        (tmp_path / f"{file}.yaml").write_text(SPEC if file != "b" else f"{SPEC}title: b\n")
    paths = [str(tmp_path / f"{file}.yaml") for file in ("a", "b", "small")]
    for base, place in ((paths[1], 1), ("small", 0), ("small (2)", 1), ("b", 1), (paths[2], 2)):
        found = convcalc.compare(*paths, base=base)
        assert found.base is found.networks[place]
    with pytest.raises(UsageError, match=r"base: none of the networks is called 'smal'\. Did you"):
        convcalc.compare(*paths, base="smal")
    with pytest.raises(UsageError, match=r"is called 'zzzzzz'\. There are small, small \(2\)"):
        convcalc.compare(*paths, base="zzzzzz")


def test_without_biases(run: Run) -> None:
    arguments = ("compare", "vgg16", "vgg19", "--no-bias")
    _, out, _ = run(*arguments)
    assert re.search(r"VGG-16 +138,344,128 ", out)
    assert "Params, no bias" in out
    named = run("compare", "vgg16", "vgg19", "--columns", "params_no_bias,macs")[1]
    assert out == named
    assert str(convcalc.compare("vgg16", "vgg19", no_bias=True)) + "\n" == named


def test_programs_have_the_increase_in_the_row_of_the_total(run: Run) -> None:
    names = ("lectures/lenet", "lectures/alexnet")
    out = run("compare", *names, "--rows", "stages", "--format", "csv")[1]
    lines = [line.split(",") for line in out.splitlines()]
    ratios = ["AlexNet.params_ratio", "AlexNet.macs_ratio"]
    figures = ["LeNet.params", "AlexNet.params", "LeNet.macs", "AlexNet.macs"]
    assert lines[0] == ["name", *figures, *ratios]
    rows = {cells[0]: dict(zip(lines[0], cells, strict=True)) for cells in lines[1:]}
    assert lines[-1][0] == "total"
    assert float(rows["total"]["AlexNet.params_ratio"]) == 46_737_440 / 60_630
    assert float(rows["total"]["AlexNet.macs_ratio"]) == 1_005_849_728 / 415_680
    assert float(rows["Conv1"]["AlexNet.params_ratio"]) == 34_848 / 150
    assert rows["Conv3-5"]["AlexNet.params_ratio"] == ""
    found = convcalc.compare(*names, rows="stages")
    dicts = found.to_dicts(total=True)
    assert [row["name"] for row in dicts] == [line[0] for line in lines[1:]]
    assert dicts[:-1] == found.to_dicts()
    assert dicts[-1]["AlexNet.macs_ratio"] == 1_005_849_728 / 415_680


def test_counts_of_a_dataframe_stay_whole_where_some_are_missing() -> None:
    pytest.importorskip("pandas", reason="needs pandas")
    found = convcalc.compare("lectures/lenet", "lectures/alexnet", rows="stages")
    frame = found.to_pandas()
    assert str(frame["LeNet.params"].dtype) == "Int64"
    assert str(frame["AlexNet.params"].dtype) == "int64"
    assert frame["LeNet.params"].sum() == 60_630
    assert frame["LeNet.params"].isna().sum() == 1
    total = found.to_pandas(total=True)
    assert list(total["name"]) == [*frame["name"], "total"]
    assert total["LeNet.params"].iloc[-1] == 60_630
    report = convcalc.load("lenet5").summarize()
    assert list(report.to_pandas(total=True)["params"])[-1] == 61_706
    assert len(report.to_pandas()) == len(report.rows)


def test_immense_counts_of_a_dataframe_stay_exact() -> None:
    pytest.importorskip("pandas", reason="needs pandas")
    immense = convcalc.loads("{name: n, input: [99], layers: [linear: 1000000000000000000]}")
    small = convcalc.loads("{input: [9], layers: [linear: 2, linear: 3]}")
    frame = convcalc.compare(immense, small, rows="layers", columns="params").to_pandas()
    assert list(frame["n.params"]) == [10**20, None]


def test_a_dataframe_of_a_comparison() -> None:
    pandas = pytest.importorskip("pandas", reason="needs pandas")
    frame = convcalc.compare("lenet5", "vgg16").to_pandas()
    assert isinstance(frame, pandas.DataFrame)
    assert list(frame["params"]) == [61706, 138357544]
    assert frame["params_ratio"][1] == 138357544 / 61706


def test_symbolic_parts_at_every_width() -> None:
    spec = "{{name: {}, input: [3, H, W], layers: [conv: {{out_channels: {}, kernel: 3}}, relu]}}"
    nets = [convcalc.loads(spec.format(name, width)) for name, width in (("a", 4), ("b", 8))]
    found = convcalc.compare(*nets, rows="stages", columns="params,macs")
    for width in (40, 80, None):
        text = found.text(width)
        assert "108·" in text.replace("\n", "")
        assert "216·" in text
    assert "Increase  1×  2×" in re.sub(" {2,}", "  ", found.text())
