"""What changed from one network to another: matching, sums, saved reports."""

from __future__ import annotations

import itertools
import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import convcalc
from convcalc import ConvcalcError
from convcalc.analysis.differences import (
    _ALONE,
    FIGURES,
    SAME,
    Bound,
    Change,
    Layer,
    _aligned,
    _in_order,
    _pair_cost,
    changes,
)
from convcalc.analysis.quantities import QUANTITIES, TOTALS
from convcalc.report.differences import Difference
from tests.test_cli import SMALL, Result, Run, run

__all__ = ["run"]

Spec = dict[str, Any]


def layer(path: str, kind: int = 0, type: str = "conv") -> Layer:
    """A layer with one number for all that it has."""
    return Layer(path, type, (1, kind), dict.fromkeys(FIGURES, kind))


layers = st.lists(
    st.builds(
        layer, st.sampled_from("abcdefgh"), st.integers(0, 2), st.sampled_from(["conv", "relu"])
    ),
    max_size=7, unique_by=lambda one: one.path,
)  # fmt: skip


def kinds(found: Sequence[Change]) -> list[tuple[str, str]]:
    return [(change.kind, change.layer.path) for change in found if change.kind != SAME]


# -- matching -------------------------------------------------------------------------------------


@given(layers, layers)
def test_every_layer_is_there_once_and_the_new_ones_in_order(
    old: list[Layer], new: list[Layer]
) -> None:
    found = changes(old, new)
    assert [change.new for change in found if change.new] == new
    assert Counter(change.old.path for change in found if change.old) == Counter(
        one.path for one in old
    )
    for change in found:
        if change.old and change.new and change.old.path != change.new.path:
            assert change.old.kind == change.new.kind
        assert (change.kind == SAME) == (change.old == change.new)
    # what is left over has no counterpart of its name
    alone = [change for change in found if not (change.old and change.new)]
    assert len({change.layer.path for change in alone}) == len(alone)


@given(layers)
def test_nothing_changes_from_a_network_to_itself(old: list[Layer]) -> None:
    assert not kinds(changes(old, old))


@given(layers, layers)
def test_back_again_is_the_mirror(old: list[Layer], new: list[Layer]) -> None:
    there, back = changes(old, new), changes(new, old)
    assert {(id(c.old), id(c.new)) for c in there} == {(id(c.new), id(c.old)) for c in back}


def test_layers_without_macs_stay_where_they_are() -> None:
    """One more layer has the norm of as many channels as the transition after it had."""
    found = convcalc.diff("densenet121", "densenet169").changes
    counted = Counter(change.kind for change in found)
    assert counted == {"same": 354, "added": 168, "changed": 72}


@given(layers, layers)
def test_what_is_there_in_both_stays(old: list[Layer], new: list[Layer]) -> None:
    same = [change.layer for change in changes(old, new) if change.kind == SAME]
    assert same == [one for one in new if one in old]


@given(layers, layers)
def test_an_alignment_is_the_cheapest(old: list[Layer], new: list[Layer]) -> None:
    old, new = old[:4], new[:4]

    def cost(pairs: Sequence[tuple[int, int]]) -> int | None:
        each = [_pair_cost(old[i], old[i].kind, new[j], new[j].kind) for i, j in pairs]
        if None in each:
            return None
        return sum(filter(None, each)) + _ALONE * (len(old) + len(new) - 2 * len(pairs))

    every = (
        list(zip(ours, theirs, strict=True))
        for size in range(min(len(old), len(new)) + 1)
        for ours in itertools.combinations(range(len(old)), size)
        for theirs in itertools.combinations(range(len(new)), size)
    )
    assert cost(list(_aligned(old, new))) == min(
        found for pairs in every if (found := cost(pairs)) is not None
    )


@given(st.permutations(range(7)))
def test_the_most_pairs_in_order(second: list[int]) -> None:
    found = _in_order(list(enumerate(second)))
    assert found == sorted(found, key=lambda pair: pair[1])
    assert set(found) <= set(enumerate(second))
    longest = max(
        size
        for size in range(1, 8)
        if any(list(part) == sorted(part) for part in itertools.combinations(second, size))
    )
    assert len(found) == longest


def net(*entries: object, **spec: object) -> convcalc.Network:
    return convcalc.from_dict({"input": [3, 16, 16], "layers": list(entries), **spec})


def conv(channels: int, **more: object) -> Spec:
    return {"conv": {"out_channels": channels, "kernel": 3, "padding": 1}, **more}


def found(old: convcalc.Network, new: convcalc.Network) -> list[tuple[str, ...]]:
    return [
        (change.kind, *dict.fromkeys(side.path for side in (change.old, change.new) if side))
        for change in convcalc.diff(old, new).changes
        if change.kind != SAME
    ]


CHAIN = (conv(8), "relu", conv(16), "relu", conv(32), "relu")


def test_a_layer_put_before_others_renames_them() -> None:
    new = net(conv(3), "relu", *CHAIN)
    assert found(net(*CHAIN), new) == [
        ("added", "conv1"), ("added", "relu1"), ("renamed", "conv1", "conv2"),
        ("renamed", "relu1", "relu2"), ("renamed", "conv2", "conv3"),
        ("renamed", "relu2", "relu3"), ("renamed", "conv3", "conv4"), ("renamed", "relu3", "relu4"),
    ]  # fmt: skip


def test_wider_layers_are_changed_and_not_moved() -> None:
    wider = (conv(16), "relu", conv(32), "relu", conv(64), "relu")
    assert {kind for kind, *_ in found(net(*CHAIN), net(*wider))} == {"changed"}


def test_a_renamed_block_keeps_its_layers() -> None:
    old = net({"layers": list(CHAIN), "repeat": 1, "name": "features"})
    new = net({"layers": list(CHAIN), "repeat": 1, "name": "body"})
    assert {kind for kind, *_ in found(old, new)} == {"renamed"}


def test_a_layer_of_another_type_under_one_name() -> None:
    old, new = (
        net(conv(8, name="stem"), "relu"),
        net(
            {"conv_transpose": {"out_channels": 8, "kernel": 3, "padding": 1}, "name": "stem"},
            "relu",
        ),
    )
    assert ("changed", "stem") in found(old, new)
    assert "changed: conv → conv_transpose" in str(convcalc.diff(old, new))


def test_what_only_moves_is_the_same() -> None:
    old = net({"relu": None, "name": "a"}, {"tanh": None, "name": "b"}, conv(4))
    new = net({"tanh": None, "name": "b"}, {"relu": None, "name": "a"}, conv(4))
    assert not found(old, new)


def test_a_change_that_no_column_shows_is_named() -> None:
    old = net({"max_pool": {"kernel": 2, "stride": 2}}, "relu")
    new = net({"max_pool": {"kernel": 3, "stride": 2, "padding": 1}}, "relu")
    assert "max_pool1  changed: compares  3×8×8" in str(convcalc.diff(old, new))
    assert "No layer differs in its type, its output or its figures." in str(
        convcalc.diff(old, old)
    )


def test_long_networks_take_little_time() -> None:
    def chain(name: str, width: int) -> list[Layer]:
        return [layer(f"{name}.conv{i}", (i % 7) * width) for i in range(20_000)]

    start = time.perf_counter()
    assert {change.kind for change in changes(chain("a", 1), chain("b", 1))} == {"renamed"}
    assert {change.kind for change in changes(chain("a", 1), chain("a", 2))} == {SAME, "changed"}
    assert {c.kind for c in changes(chain("a", 1), chain("b", 2)[1:])} >= {"added", "removed"}
    assert time.perf_counter() - start < 5


# -- sums -----------------------------------------------------------------------------------------

PAIRS = [
    ("resnet18", "resnet34"),
    ("vgg16", "mobilenet_v2"),
    ("unet", "unet"),
    ("resnet50", "vgg11"),
    ("lenet5", "inception_v3"),
]


@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_the_changes_of_the_layers_add_up(old: str, new: str) -> None:
    difference = convcalc.diff(old, new)
    before, after = (convcalc.load(name).summarize().totals for name in (old, new))
    for quantity in QUANTITIES:
        if quantity != "flops":
            pairs = [change.figure(quantity) for change in difference.changes]
            assert sum(a - b for b, a in pairs) == getattr(after, quantity) - getattr(
                before, quantity
            )
    for quantity in TOTALS:
        assert difference.total(quantity) == (getattr(before, quantity), getattr(after, quantity))


@pytest.mark.parametrize("options", [{}, {"depth": 1}, {"depth": 2}, {"everything": True}])
@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_the_rows_add_up_to_the_total(old: str, new: str, options: dict[str, Any]) -> None:
    table = convcalc.diff(old, new).table(**options)
    if not options:
        assert len(table.rows) <= 50
    assert (table.total is None) is (old == new)
    for i in range(3, 6):
        total = table.total and table.total.cells[i]
        found = sum(row.cells[i].value for row in table.rows if row.cells[i])
        assert found == (total.value if total else 0)


def test_a_larger_input_has_a_row() -> None:
    small, large = (convcalc.load("lenet5", H=size) for size in (32, 36))
    rows = convcalc.diff(small, large).table().rows
    assert (rows[0].cells[0], rows[0].cells[5].value) == ("input", 4 * 4 * 28)
    assert "  −12·(H − 9)·W" in str(
        convcalc.diff(*(convcalc.loads(SYMBOLIC.format(height)) for height in ("H", 9)))
    )


SYMBOLIC = "{{input: [3, {}, W], layers: [conv: {{out_channels: 8, kernel: 3}}]}}"


def test_only_modules_that_were_there_change_by_percentages() -> None:
    lines = str(convcalc.diff("resnet18", "resnet50")).splitlines()
    bottlenecks = [line for line in lines if ".bottleneck" in line]
    assert len(bottlenecks) == 16
    assert not any("%" in line for line in bottlenecks)
    (line,) = [
        line
        for line in convcalc.diff("vgg11", "vgg11_bn").text(depth=1).splitlines()
        if line.startswith("block1")
    ]
    assert "%)" in line


def test_values_that_set_the_two_apart_are_told() -> None:
    one, four = convcalc.load("lenet5"), convcalc.load("lenet5", N=4)
    assert str(convcalc.diff(four, one)).endswith("\nVariables: N 4 → 1.")
    symbolic = convcalc.load("lenet5").summarize(symbolic="H,W")
    assert str(convcalc.diff(symbolic, one)).endswith(
        "\nVariables: H symbolic → 28, W symbolic → 28."
    )


def test_specs_can_be_left_symbolic(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "old.json"
    file.write_text(convcalc.load("resnet18").summarize(symbolic="H,W").to_json())
    assert not kinds(convcalc.diff(file, "resnet18", symbolic="H,W").changes)
    out = run("diff", str(file), "resnet34", "--symbolic", "H,W", "--depth", "1").out
    assert "  73,728·⌈H/4⌉·⌈W/4⌉" in out


@pytest.mark.parametrize("width", [80, 160])
def test_closed_forms_keep_to_the_width(width: int) -> None:
    lines = convcalc.diff("resnet18", "resnet34", symbolic="H,W").text(width).splitlines()
    assert max(map(len, lines)) <= width


def test_modules_that_are_new_have_one_row() -> None:
    rows = convcalc.diff("resnet18", "resnet34").table().rows
    assert [row.cells[0] for row in rows] == [
        "layer1.basic3", "layer2.basic3", "layer2.basic4", "layer3.basic3", "layer3.basic4",
        "layer3.basic5", "layer3.basic6", "layer4.basic3",
    ]  # fmt: skip
    assert {row.cells[1] for row in rows} == {"7 added"}


def test_the_text() -> None:
    assert (
        convcalc.diff("resnet18", convcalc.load("resnet18", classes=10)).text()
        == """\
ResNet-18  68 layers, 1 changed

Layer    Change   Output               ± Params              ± MACs          ± Memory
─────────────────────────────────────────────────────────────────────────────────────
linear1  changed  1000 → 10  −507,870 (−99.0 %)  −506,880 (−99.0 %)  −3,960 (−99.0 %)
─────────────────────────────────────────────────────────────────────────────────────
Total                         −507,870 (−4.3 %)  −506,880 (−0.03 %)  −3,960 (−0.02 %)

Params: 11,689,512 → 11,181,642, −507,870 (−4.3 %).
Buffers: 9,600, as before.
MACs: 1,814,073,344 → 1,813,566,464, −506,880 (−0.03 %).
Memory of the params: 46,758,048 → 44,726,568 bytes, −2,031,480 (−4.3 %).
Memory of the input and all outputs: 24,291,232 → 24,287,272 bytes, −3,960 (−0.02 %).
Peak of the activations: 4,014,080 bytes, as before.
Variables: classes 1000 → 10."""
    )


@pytest.mark.parametrize("width", [60, 80, 160])
@pytest.mark.parametrize(("old", "new"), [*PAIRS, ("googlenet", "inception_v3")])
def test_terminals_of_all_widths_get_all_figures(old: str, new: str, width: int) -> None:
    difference = convcalc.diff(old, new)
    narrow, wide = difference.text(width).splitlines(), difference.text().splitlines()
    assert max(map(len, narrow)) <= width
    totals = [line.removeprefix("Total") for line in narrow if line.startswith("Total")]
    whole = [line.removeprefix("Total") for line in wide if line.startswith("Total")]
    assert "".join(totals).split() == "".join(whole).split()
    heads = sum(" ".join(narrow).count(word) for word in ("± Params", "± MACs", "± Memory"))
    assert heads == (3 if difference.table().rows else 0)
    assert " ".join(narrow).count("%)") == " ".join(wide).count("%)")


def test_a_long_title_has_what_is_about_it_on_the_next_line() -> None:
    lines = convcalc.diff("googlenet", "inception_v3").text(60).splitlines()
    assert lines[0] == "GoogLeNet → Inception-v3"
    assert lines[1] == "142 → 314 layers, 4 changed, 310 added, 138 removed"


@pytest.mark.parametrize("form", ["text", "markdown", "html"])
def test_no_change_is_a_sentence_and_no_table(form: str) -> None:
    found = convcalc.diff("lenet5", "lenet5").document(form, fragment=True)
    assert "No layer differs in its type, its output or its figures." in found
    assert "Change" not in found
    assert not any(mark in found for mark in ("──", "| ", "<table"))
    assert "61,706, as before" in found
    changed = convcalc.diff("lenet5", convcalc.load("lenet5", N=2)).document(form, fragment=True)
    assert "± Memory" in changed


def test_symbolic_networks_differ_by_a_closed_form() -> None:
    text = "{{input: [3, H, W], layers: [conv: {{out_channels: {}, kernel: 1}}]}}"
    difference = convcalc.diff(convcalc.loads(text.format(8)), convcalc.loads(text.format(10)))
    assert "MACs: 24·H·W → 30·H·W, by 6·H·W." in str(difference)
    assert "1 layer, 1 changed\n" in str(difference)
    assert difference.to_dict()["totals"]["macs"] == {
        "old": "24*H*W", "new": "30*H*W", "change": "6*H*W", "percent": None,
    }  # fmt: skip
    with pytest.raises(ConvcalcError, match=r"whether macs > \+5% depends on the sizes\. --set"):
        Difference(difference.old, difference.new, [Bound.parse("macs > +5%")])


# -- saved reports --------------------------------------------------------------------------------


@pytest.mark.parametrize("symbolic", ["", "H,W"])
@pytest.mark.parametrize(("old", "new"), PAIRS[:3])
def test_a_saved_report_is_as_good_as_its_spec(
    old: str, new: str, symbolic: str, tmp_path: Path
) -> None:
    report = convcalc.load(old).summarize(symbolic=symbolic, dtype="float16")
    file = tmp_path / "old.json"
    file.write_text(report.to_json())
    other = convcalc.load(new).summarize(symbolic=symbolic, dtype="float16")
    direct = convcalc.diff(report, other)
    assert convcalc.diff(file, other).to_dict() == direct.to_dict()
    assert convcalc.diff(json.loads(file.read_text()), other).to_dict() == direct.to_dict()
    assert not kinds(convcalc.diff(file, report).changes)
    assert str(convcalc.diff(file, other)) == str(direct)


def test_bytes_of_two_types_do_not_compare(tmp_path: Path) -> None:
    half = convcalc.load("lenet5").summarize(dtype="float16")
    with pytest.raises(convcalc.ConvcalcError, match="4 bytes in the one, and 2 in the other") as c:
        convcalc.diff("lenet5", half.to_dict())
    assert c.value.exit_code == 2
    assert not kinds(convcalc.diff("lenet5", half.to_dict(), dtype="float16").changes)


def test_without_params_the_bytes_of_a_value_are_not_known() -> None:
    flat = convcalc.loads("{input: [4], layers: [flatten]}")
    saved = flat.summarize(dtype="float16").to_dict()
    assert "without params does not tell how many bytes" in str(convcalc.diff(saved, flat))
    assert "without params" not in str(convcalc.diff(flat, flat))


def test_saved_reports_of_symbolic_widths() -> None:
    net = convcalc.loads(
        "{input: [3, 8, 8], variables: {k: }, layers: [conv: {out_channels: k, kernel: 3}]}"
    )
    assert not kinds(convcalc.diff(json.loads(net.summarize().to_json()), net).changes)


def damaged() -> Iterator[tuple[Any, str]]:
    good = convcalc.loads(SMALL).summarize().to_dict()

    def changed(**parts: object) -> Spec:
        return {**good, **parts}

    first = good["layers"][0]
    yield changed(convcalc=2), "convcalc: a report of version 1 is due, not of 2"[10:]
    yield changed(totals={}), "totals.params: a size is due here"
    yield changed(layers=3), "layers: a list is due here"
    yield changed(name=None), "name: a text is due here"
    yield changed(layers=[3]), "layers[0].type: a text is due here"
    yield (
        changed(layers=[{**first, "type": "conv2d"}]),
        "layers[0].type: there is no layer 'conv2d'",
    )
    yield (
        changed(layers=[{**first, "output_shape": []}]),
        "layers[0].output_shape: at least the batch is due here",
    )
    yield changed(layers=[{**first, "params": 1.5}]), "layers[0].params: a size is due here"
    yield changed(layers=[{**first, "macs": "H*"}]), "layers[0].macs: no expression: 'H*'"
    yield changed(layers=[{**first, "macs": "__import__('os')"}]), "layers[0].macs: "
    yield changed(layers=[{**first, "macs": "X"}]), "layers[0].macs: a size is due here"
    yield changed(layers=[{**first, "params": -5}]), "layers[0].params: a size is due here"
    yield changed(layers=[first]), "totals.params: the layers add up to 112, and the total is 2,359"
    yield (
        changed(totals={**good["totals"], "activation_bytes": 100}),
        "totals.activation_bytes: the outputs take ",
    )
    yield (
        changed(totals={**good["totals"], "param_bytes": 7}),
        "totals.param_bytes: 2,359 params take 1 to 8 bytes each, not 7 together",
    )
    yield changed(layers=[first, first]), "layers of one name stand here twice"
    yield [good, good], "one report is due, not a list of 2"


@pytest.mark.parametrize(("report", "expected"), list(damaged()))
def test_damaged_reports(run: Run, tmp_path: Path, report: Any, expected: str) -> None:
    file = tmp_path / "old.json"
    file.write_text(json.dumps(report))
    result = run("diff", str(file), "lenet5")
    assert result.code == 3
    assert expected in result.err
    assert result.err.startswith(f"Error: {file}")
    assert "`convcalc summarize SPEC --format json`" in result.err or "macs" in expected


def test_immense_figures(run: Run, tmp_path: Path) -> None:
    report = json.loads(convcalc.load("lenet5").summarize().to_json())
    for part in (report["totals"], report["layers"][0]):
        part["macs"] += 10**900
    file = tmp_path / "new.json"
    file.write_text(json.dumps(report))
    lines = run("diff", "lenet5", str(file)).out.splitlines()
    assert [line.endswith("00") for line in lines if line.startswith("conv1")] == [True]
    found = json.loads(run("diff", "lenet5", str(file), "--format", "json").out)
    assert found["totals"]["macs"]["percent"] == round(Fraction(100 * 10**900, 416_520))


def test_saved_names_send_nothing_to_terminals(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "old.json"
    report = convcalc.loads(SMALL).summarize().to_dict()
    report["name"] = report["layers"][0]["name"] = "\x1b[31mred"
    report["variables"] = {"H": "\x1b[31mred"}
    file.write_text(json.dumps(report))
    (tmp_path / "new.yaml").write_text(SMALL)
    out = run("diff", str(file), str(tmp_path / "new.yaml")).out
    assert "renamed: was �[31mred" in out
    assert "H �[31mred → 12" in out
    assert "\x1b" not in out


def test_reports_that_are_cut_off_or_too_large_are_called_reports(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "old.json"
    text = convcalc.load("lenet5").summarize().to_json()
    file.write_text(text[: len(text) // 2])
    result = run("diff", str(file), "lenet5")
    assert result.code == 3
    assert result.err.startswith(f"Error: {file}: a saved report that is cut off or damaged: ")
    file.write_text(text + " " * 10_000_000)
    assert run("diff", "lenet5", str(file)) == Result(
        3, "", f"Error: {file} is larger than 10 MB, too large for a spec or a saved report\n"
    )


def test_a_spec_written_as_json_is_a_spec(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "net.json"
    file.write_text('{"input": [3, 8, 8], "layers": ["flatten", "relu"]}')
    assert run("diff", str(file), str(file)).code == 0
    file.write_text('{"convcalc": 1' + "[" * 10_000)
    assert run("diff", str(file), "lenet5").code == 3


# -- conditions -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "old", "new", "holds"),
    [
        ("macs > +5%", 100, 105, False),
        ("macs > +5%", 100, 106, True),
        ("macs >= +5%", 100, 105, True),
        ("macs > +0.5 %", 1000, 1006, True),
        ("macs > +5%", 0, 0, False),
        ("params > +0", 7, 7, False),
        ("params > +0", 7, 8, True),
        ("params < -1K", 5000, 4001, False),
        ("params < -1K", 5000, 3999, True),
        ("params <= -50%", 10, 5, True),
        ("params != +0", 10, 9, True),
        ("peak_bytes > +10 MiB", 0, 10 * 2**20, False),
        ("peak_bytes > +10 MiB", 0, 10 * 2**20 + 1, True),
        ("macs > +5%", 3 * 10**30, 3 * 10**30 + 15 * 10**28, False),
        ("macs > +5%", 3 * 10**30, 3 * 10**30 + 15 * 10**28 + 1, True),
    ],
)
def test_conditions_on_changes(text: str, old: int, new: int, holds: bool) -> None:
    bound = Bound.parse(text)
    assert bound.holds(old, new) is holds
    assert str(bound.text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("macs > 5%", "'macs > 5%': a change has a sign, + or -. For instance macs > +5%"),
        ("macs +5%", "'macs +5%': nothing is compared. Write macs > +5%."),
        ("macs 5 %", "'macs 5 %': nothing is compared. Write macs > +5 %."),
        ("peak_bytes -10 MiB", "'peak_bytes -10 MiB': nothing is compared. Write peak_bytes > -10"),
        ("5%", "'5%': nothing is compared. For instance macs > +5%,"),
        ("macs > +5M%", "'macs > +5M%': a percentage has no unit."),
        ("macs + 1 > +5", "'macs + 1 > +5': the change of one total is compared with a number."),
        ("macs > +params", "'macs > +params': the change of one total"),
        ("5 < macs", "'5 < macs': the change of one total"),
        ("macs > +5 and params > +0", "'macs > +5 and params > +0': the change of one total"),
        (
            "mac > +5%",
            "condition 'mac > +5%', character 1: unknown name 'mac'. Did you mean 'macs'?",
        ),
        ("buffers > +5 KiB", "condition 'buffers > +5 KiB', character 9: buffers is a count"),
        ("", "an empty condition. For instance macs > +5%"),
        ("%", "an empty condition. For instance macs > +5%"),
        ("macs > +50 % 3", "'macs > +50 % 3': a change is a sign and one number, not '+50 % 3'."),
        ("macs > +-5%", "'macs > +-5%': a change is a sign and one number, not '+-5'."),
        ("macs > +10/0", "'macs > +10/0': a change is a sign and one number, not '+10/0'."),
    ],
)
def test_wrong_conditions(run: Run, text: str, expected: str) -> None:
    result = run("diff", "lenet5", "lenet5", "--fail-on", text)
    assert result.code == 2
    assert result.err.startswith(f"Error: {expected}")
    assert not result.out


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("macs > +5", "'macs > +5' is of 5 multiply–accumulates; of percent it is 'macs > +5%'"),
        ("params < -2.5", "'params < -2.5' is of 2.5 parameters; of percent it is "),
        ("peak_bytes > +100", "'peak_bytes > +100' is of 100 bytes; of percent it is 'peak_bytes"),
        ("macs > +101", ""), ("params > +0", ""), ("macs > +5K", ""), ("macs > +5%", ""),
        ("peak_bytes > +10 B", ""),
    ],
)  # fmt: skip
def test_a_forgotten_percent_sign_is_noted(run: Run, text: str, note: str) -> None:
    result = run("diff", "lenet5", "lenet5", "--fail-on", text)
    assert result.code == 0
    assert result.err.startswith(f"Note: {note}" if note else "")
    assert bool(result.err) is bool(note)


def test_a_percentage_of_nothing(run: Run) -> None:
    result = run("diff", "vgg16", "resnet18", "--fail-on", "buffers > +5%")
    assert result == Result(
        3,
        "",
        "Error: whether buffers > +5%: buffers is 0 before, and what it changes by is no "
        "percentage of that. Say it in numbers: buffers > +0.\n",
    )


# -- the command ----------------------------------------------------------------------------------


def test_failing(run: Run, tmp_path: Path) -> None:
    arguments = ("diff", "resnet18", "resnet34", "--fail-on", "macs > +5%")
    told = "✗ macs > +5%: 1,814,073,344 → 3,663,761,408, +1,849,688,064 (+102.0 %)"
    result = run(*arguments, "--fail-on", "params < +0")
    assert (result.code, result.err) == (1, "")
    assert [line for line in result.out.splitlines() if "✗" in line] == [told]
    markdown = run(*arguments, "--format", "markdown")
    assert markdown.code == 1
    assert told.replace(">", "\\>") in markdown.out
    for form in ("json", "csv"):
        result = run(*arguments, "--format", form)
        assert (result.code, result.err) == (1, f"{told}\n")
    assert run(*arguments, "-o", str(tmp_path / "x.md")) == Result(1, "", f"{told}\n")
    assert run("diff", "resnet34", "resnet18", "--fail-on", "macs > +5%").code == 0


def test_values_for_both_and_for_one(run: Run) -> None:
    def totals(*options: str) -> Any:
        found = json.loads(run("diff", "resnet18", "resnet18", *options, "--format", "json").out)
        return found["totals"]["macs"]["old"], found["totals"]["macs"]["new"]

    def macs(**values: int) -> Any:
        return convcalc.load("resnet18", **values).summarize().totals.macs

    assert totals("--set", "H=64", "--batch", "2") == (macs(H=64, N=2),) * 2
    assert totals("--new-set", "H=64") == (macs(), macs(H=64))
    assert totals("--set", "H=64", "--old-set", "H=96") == (macs(H=96), macs(H=64))


def test_wrong_calls(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "old.json"
    file.write_text(convcalc.load("lenet5").summarize().to_json())
    result = run("diff", str(file), "lenet5", "--batch", "2")
    assert result == Result(
        2, "",
        f"Error: {file} is a saved report: it has its values already. --old-set and --new-set are "
        "for one of the two.\n",
    )  # fmt: skip
    assert run("diff", str(file), "lenet5", "--new-set", "N=2").code == 0
    assert run("diff", "-", "-").code == 2
    assert run("diff", "lenet5", "lenet5", "--depth", "1", "--all").code == 2
    assert "Did you mean 'lenet5' or 'lectures/lenet'?" in run("diff", "lenet", "lenet5").err
    result = run("diff", "lenet5", "lenet5", "--old-set", "h=5")
    assert (result.code, result.err[:37]) == (2, "Error: LeNet-5: unknown variable 'h'.")
    result = run("diff", "lenet5", "lenet5", "--set", "H=32", "--symbolic", "H")
    assert (result.code, result.err) == (
        2, "Error: H is given a number and left symbolic: one will do\n",
    )  # fmt: skip
    result = run("diff", str(file), str(file), "--symbolic", "H")
    assert (result.code, result.err) == (
        2, "Error: --symbolic is for specs, and both are saved reports\n",
    )  # fmt: skip


def test_a_saved_report_on_standard_input(run: Run) -> None:
    text = convcalc.load("lenet5").summarize().to_json()
    result = run("diff", "-", "lenet5", "--new-set", "classes=9", stdin=text.encode())
    assert (result.code, "linear3  changed  10 → 9" in result.out) == (0, True)
    result = run("diff", "-", "lenet5", "--old-set", "H=3", stdin=text.encode())
    assert (result.code, result.err[:29]) == (2, "Error: - is a saved report: i")
    result = run("diff", "lenet5", "-", stdin=text[:999].encode())
    assert (result.code, result.err[:57]) == (
        3, "Error: <stdin>: a saved report that is cut off or damaged",
    )  # fmt: skip


def test_other_commands_say_what_reads_a_saved_report(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "old.json"
    file.write_text(convcalc.load("lenet5").summarize().to_json())
    result = run("summarize", str(file))
    assert result.code == 3
    assert "This is a saved report: `convcalc diff` reads it." in result.err


def test_one_of_the_two_on_standard_input(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "new.yaml"
    file.write_text(SMALL.replace("linear: 7", "linear: 9"))
    result = run("diff", "-", str(file), stdin=SMALL.encode())
    assert result.code == 0
    assert "linear1  changed  7 → 9" in result.out
