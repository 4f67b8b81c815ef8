"""Conventions: the figures that other counters print, to the last digit, and the bridges to them.

Three tables of measured figures are in tests/reference: counters.csv, counted_networks.csv
(torchvision 0.29.1's networks, `weights=None`, inference, no auxiliary heads) and
counted_layers.csv (single layers, as modules and as functions). Measured with PyTorch 2.14.1,
fvcore 0.1.5.post20221221, thop 0.1.1.post2209072238, ptflops 0.7.5, torchinfo 1.8.0 and
calflops 0.3.2; those of counters.csv with PyTorch 2.13.0. ptflops was given its batch by an
input_constructor.
"""

from __future__ import annotations

import csv
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import convcalc
from convcalc.conventions import convention, convention_names
from convcalc.conventions.rules import Bridge, parts
from convcalc.dim import Dim
from convcalc.errors import UsageError
from convcalc.layers import layer_class, layer_names
from convcalc.network import Network
from convcalc.report.bridge import Reconciliation, bridges_to_dict, equation
from convcalc.report.report import Report
from convcalc.spec.zoo import read_text, zoo_file, zoo_names
from tests.test_cli import Result, Run, run

__all__ = ["run"]

REFERENCE = Path(__file__).parent / "reference"
MEASURED = (
    "torch", "fvcore", "fvcore-activations", "thop", "ptflops", "ptflops-aten", "torchinfo",
    "torchinfo-output-bytes", "calflops", "calflops-macs",
)  # fmt: skip
READ = ("deepspeed", "onnx-tool", "netscope", "convnet-burden")
DEFINED = ("macs", "flops", "exact")


def rows_of(file: str) -> list[dict[str, str]]:
    with open(REFERENCE / file, encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text))


@cache
def loaded(name: str) -> Network:
    return convcalc.load(name)


def figures(report: Report, names: tuple[str, ...] = MEASURED) -> dict[str, Any]:
    return {name: report.convention(name).total for name in names}


# -- what was measured ------------------------------------------------------------------------

QUANTITIES = {
    "torch FlopCounterMode 2.13.0 flops": "torch",
    "fvcore 0.1.5 flops (a multiply-add = 1)": "fvcore",
    "fvcore 0.1.5 activations (conv and linear outputs)": "fvcore-activations",
    "thop 0.1.1 macs": "thop",
    "ptflops 0.7.5 pytorch macs": "ptflops",
    "ptflops 0.7.5 aten macs": "ptflops-aten",
    "torchinfo 1.8.0 mult-adds": "torchinfo",
    "torchinfo 1.8.0 total_output_bytes": "torchinfo-output-bytes",
    "calflops 0.3.2 flops": "calflops",
    "calflops 0.3.2 macs": "calflops-macs",
}
COUNTERS = rows_of("counters.csv")
NETWORKS = rows_of("counted_networks.csv")
LAYERS = rows_of("counted_layers.csv")


@pytest.mark.parametrize("row", COUNTERS, ids=lambda r: f"{r['model']}-{r['counter']}")
def test_counters_csv(row: dict[str, str]) -> None:
    assert row["input"] == "3x224x224"
    name = QUANTITIES[f"{row['counter']} {row['quantity']}"]
    found = loaded(row["model"]).summarize().convention(name)
    assert found.total == int(row["value"])
    assert found.measured
    assert not found.is_lower_bound


def sizes(shape: str) -> dict[str, int]:
    n, _, *spatial = map(int, shape.split("x"))
    return {"N": n, **dict(zip(("T", "H", "W")[-len(spatial) :], spatial, strict=True))}


@pytest.mark.parametrize("row", NETWORKS, ids=lambda r: f"{r['model']}-{r['input']}")
def test_networks_of_torchvision(row: dict[str, str]) -> None:
    model = row["model"]
    report = loaded(model).summarize(**sizes(row["input"]))
    due = {name: int(row[name]) for name in MEASURED}
    if model == "r3d_18":
        # its 3×3×3 convolutions are of a type of their own, which hooks by type do not see
        unseen = sum(r.macs for r in report.rows if getattr(r.node.op.layer, "kernel", None) == 3)
        due["thop"] += unseen
        due["ptflops"] += unseen // sizes(row["input"])["N"]
    assert figures(report) == due


@pytest.mark.parametrize("row", LAYERS, ids=lambda r: f"{r['layer']} {r['called']} {r['input']}")
def test_layers(row: dict[str, str]) -> None:
    n, *shape = map(int, row["input"].split("x"))
    entry = row["layer"] if ":" in row["layer"] else f"{row['layer']}: "
    mark = "true" if row["called"] == "function" else "false"
    text = f"input: {shape}\nlayers:\n  - {{{entry}, functional: {mark}}}\n"
    report = convcalc.loads(text, N=n).summarize()
    assert figures(report) == {name: int(row[name]) for name in MEASURED}
    assert not any(report.convention(name).unknown for name in MEASURED)


def test_all_kinds_of_layers_were_measured() -> None:
    kinds = {re.match(r"\w+", row["layer"])[0] for row in LAYERS}  # type: ignore[index]
    assert layer_names() <= kinds


def test_shared_weights_count_at_every_call() -> None:
    """Measured with a module that is called twice, at batch 1 and 2."""
    text = """
    input: [3, 9, 7]
    layers:
      - {conv: {out_channels: 3, kernel: 3, padding: 1}, share: a}
      - {batch_norm: , share: b}
      - relu
      - {conv: {out_channels: 3, kernel: 3, padding: 1}, share: a}
      - {batch_norm: , share: b}
      - relu
      - global_avg_pool
      - linear: 5
    """
    one = (20442, 11166, 383, 11925, 12494, 10604, 10616, 6088, 22143, 10221)
    two = (40884, 22332, 766, 23850, 13061, 21208, 21232, 12176, 44286, 20442)
    for n, due in ((1, one), (2, two)):
        assert tuple(figures(convcalc.loads(text, N=n).summarize()).values()) == due


# -- what is known of each kind of layer ------------------------------------------------------

UNKNOWN = {"torchinfo": {"scale"}, "torchinfo-output-bytes": {"scale"}}
"""Of layers as modules: the parameter of a module of one's own may have any name."""


@pytest.mark.parametrize("functional", ["true", "false"])
@pytest.mark.parametrize("kind", sorted(layer_names()))
def test_every_kind_of_layer_is_decided(kind: str, functional: str) -> None:
    layer = layer_class(kind)
    entry = layer.example if ":" in layer.example else f"{layer.example}: "
    text = f"input: {layer.example_input}\nlayers:\n  - {{{entry}, functional: {functional}}}\n"
    graph = convcalc.loads(text).graph
    for name in MEASURED:
        for part in parts(graph.nodes[-1].op):
            known = convention(name).rules_for(part, functional == "true") is not None
            open_to_it = functional == "false" and kind in UNKNOWN.get(name, ())
            assert known is not open_to_it, f"{name} says nothing about {kind}"


@pytest.mark.parametrize("kind", sorted(layer_names()))
def test_every_kind_of_layer_is_counted_with_symbols_too(kind: str) -> None:
    layer = layer_class(kind)
    entry = layer.example if ":" in layer.example else f"{layer.example}: "
    text = f"input: {layer.example_input}\nlayers:\n  - {entry}\n"
    symbolic = convcalc.loads(text)
    values = {"N": 2, "C": 64, "H": 64, "W": 96}
    own = {key: value for key, value in values.items() if key in layer.example_input}
    numbers = convcalc.loads(f"{text}variables: {json.dumps(own)}\n", N=2)
    for name in convention_names():
        found = symbolic.summarize(symbolic="N").convention(name).total
        due = numbers.summarize().convention(name).total
        if isinstance(found, Dim):
            found = found.evaluate(**{key: values[key] for key in found.symbols})
        rounding = (0, 1) if name == "thop" and kind == "adaptive_avg_pool" else (0,)
        assert found - due in rounding


def test_what_no_source_tells_is_no_zero() -> None:
    text = "{input: [4, 6, 6], layers: [conv: {out_channels: 4, kernel: 1}, gelu, relu, mish]}"
    bridge = convcalc.loads(text).summarize().convention("netscope")
    assert bridge.unknown == ("gelu", "mish")
    assert bridge.is_lower_bound
    assert bridge.total == 4 * 4 * 36 + 4 * 36
    assert equation(bridge).endswith("= 720 ≤ what netscope would print")
    shown = "\n".join(
        Reconciliation(convcalc.loads(text).summarize(), [bridge]).rendered(None).plain()
    )
    assert "netscope  ≥ 720 operations" in shown
    assert "A lower bound: no source says how it counts gelu, mish." in shown
    planes = convcalc.loads("{input: [4, 6, 6], layers: [layer_norm: {axes: [1, 2]}]}").summarize()
    assert planes.convention("onnx-tool").unknown == ("layer_norm",)
    scale = convcalc.loads("{input: [4, 6, 6], layers: [scale]}").summarize()
    assert scale.convention("torchinfo").unknown == ("scale",)


def test_names() -> None:
    assert convention_names("defined") == DEFINED
    assert set(convention_names("measured")) == set(MEASURED)
    assert set(convention_names("read, not measured")) == set(READ)
    assert set(convention_names()) == {*DEFINED, *MEASURED, *READ}
    for name in convention_names():
        found = convention(name)
        assert found.name == name
        assert found.version
        assert found.unit in ("MAC", "FLOP", "operations", "elements", "bytes")


def test_unknown_name() -> None:
    with pytest.raises(UsageError, match="unknown convention 'thopp'") as error:
        loaded("lenet5").summarize().convention("thopp")
    assert error.value.hint == "Did you mean 'thop'?"
    with pytest.raises(UsageError) as error:
        convention("?")
    assert error.value.hint.startswith("There are macs, flops, exact, ")


# -- bridges ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", zoo_names())
def test_terms_and_rows_add_up(name: str) -> None:
    report = loaded(name).summarize(N=3)
    macs = report.totals.macs
    for each in convention_names():
        bridge = report.convention(each)
        assert sum(term.value for term in bridge.terms) == bridge.total
        assert sum(row.value for row in bridge.rows) == bridge.total
        assert all(term.value == term.factor * term.elements != 0 for term in bridge.terms)
        assert [row.name for row in bridge.rows] == [row.name for row in report.rows]
        if per_mac := convention(each).macs:
            assert bridge.terms[0] == ("conv + linear", macs, per_mac, per_mac * macs)


@pytest.mark.parametrize("name", ["resnet50", "mobilenet_v2", "alexnet_2012", "unet", "lenet5"])
def test_definitions(name: str) -> None:
    report = loaded(name).summarize(N=2)
    totals = report.totals
    assert report.convention("macs").total == totals.macs
    assert report.convention("flops").total == totals.flops
    kinds = (totals.multiplies, totals.adds, totals.compares, totals.divides, totals.exps)
    assert report.convention("exact").total == sum(kinds)


@pytest.mark.parametrize("name", ["resnet18", "vgg16", "googlenet", "convnext_tiny", "unet"])
def test_symbolic_figures_hold_at_every_size(name: str) -> None:
    net = loaded(name)
    values = {"N": 2, "H": 224, "W": 192}
    symbolic, numbers = net.summarize(symbolic="N,H,W"), net.summarize(**values)
    for each in convention_names():
        total = symbolic.convention(each).total
        assert isinstance(total, Dim)
        used = {key: value for key, value in values.items() if key in total.symbols}
        assert total.evaluate(**used) == numbers.convention(each).total
        assert symbolic.convention(each).unknown == numbers.convention(each).unknown


def test_rounding_of_thop() -> None:
    """At 168×224 AlexNet's 4×6 become 6×6: (4/6)·(6/6) is no double, and ⌊…⌋ loses one."""
    bridge = loaded("alexnet").summarize(H=168, W=224).convention("thop")
    assert ("pooling: lost to rounding", 1, -1, -1) in bridge.terms
    assert "− 1 (pooling: lost to rounding)" in equation(bridge)


def test_the_name_of_a_network_and_of_its_layers_changes_nothing() -> None:
    text = read_text(zoo_file("resnet50"))  # type: ignore[arg-type]
    named = text.replace("  - global_avg_pool", "  - {global_avg_pool: , name: thop}")
    assert named != text
    other = re.sub(r"^(name|title): .*$", r"\1: MobileNetV2", named, flags=re.MULTILINE)
    assert "MobileNetV2" in other
    report = convcalc.loads(other).summarize()
    names = convention_names()
    assert figures(report, names) == figures(loaded("resnet50").summarize(), names)


def test_functional_marks_matter_to_counters_that_hook_modules() -> None:
    text = (
        "{input: [8, 6, 6], layers: [{relu: , functional: MARK}, {max_pool: 2, functional: MARK}]}"
    )
    module, function = (
        figures(convcalc.loads(text.replace("MARK", mark)).summarize())
        for mark in ("false", "true")
    )
    changed = {name for name in MEASURED if module[name] != function[name]}
    assert changed == {"ptflops"}
    assert module["ptflops"] == 2 * function["ptflops"]


def test_the_average_of_ptflops_over_the_batch() -> None:
    """Its hooks are divided by the batch, what it patches is not: relu is 36 + 4 · 36."""
    text = "{input: [1, 6, 6], layers: [relu]}"
    bridge = convcalc.loads(text, N=4).summarize().convention("ptflops")
    assert bridge.total == 36 + 4 * 36
    assert [row.value for row in bridge.rows] == [bridge.total]
    assert bridge.terms[-1] == ("average of the modules over the batch", 3 * 36, -1, -3 * 36)


SMALL = """
input: [6, 10, 12]
layers:
  - conv: {out_channels: 4, kernel: 3, stride: 2, groups: 2}
  - batch_norm
  - relu
  - max_pool: 2
  - add: [[], [sigmoid]]
  - flatten
  - dropout
  - linear: 5
  - softmax
"""
CONV, ELEMENTS, POOLED, LINEAR = 4 * 4 * 5 * 27, 4 * 4 * 5, 4 * 2 * 2, 5 * 16


@pytest.mark.parametrize(
    ("name", "due", "unknown"),
    [
        ("deepspeed", 2 * (CONV + LINEAR) + ELEMENTS * (1 + 2 + 1 + 1) + 5, ()),
        (
            "onnx-tool",
            CONV + LINEAR + ELEMENTS * (1 + 31 + 1) + POOLED * (4 + 32 + 1) + 5 * (1 + 36),
            (),
        ),
        (
            "netscope",
            2 * CONV + LINEAR + ELEMENTS * (2 + 1) + POOLED * (4 + 1 + 1) + 5 * 3,
            ("sigmoid",),
        ),
        (
            "convnet-burden",
            CONV + LINEAR + ELEMENTS * (1 + 2) + POOLED * (2 * 4 + 1) + 5,
            ("sigmoid",),
        ),
    ],
)
def test_conventions_that_were_only_read(name: str, due: int, unknown: tuple[str, ...]) -> None:
    bridge = convcalc.loads(SMALL).summarize().convention(name)
    assert (bridge.total, bridge.unknown) == (due, unknown)
    assert not bridge.measured
    assert bridge.evidence == "read, not measured"


def test_equation() -> None:
    report = loaded("resnet50").summarize()
    assert equation(report.convention("thop")) == (
        "4,089,184,256 (conv + linear) + 44,455,936 (batch norm, 4 per element) + 102,400 (pooling)"
        " = 4,133,742,592 = what thop prints"
    )
    assert equation(report.convention("torch")) == (
        "2 · 4,089,184,256 (conv + linear) = 8,178,368,512 = what torch prints"
    )
    assert (
        equation(report.convention("macs"))
        == "4,089,184,256 (conv + linear) = 4,089,184,256 = macs"
    )
    assert repr(report.convention("thop")) == "<thop: 4,133,742,592 MAC>"
    nothing = convcalc.loads("{input: [3, 4, 4], layers: [relu]}").summarize()
    assert equation(nothing.convention("fvcore-activations")) == (
        "0 = 0 = what fvcore-activations prints"
    )


def test_symbolic_equation_can_be_read_as_a_sum() -> None:
    text = "{input: [3, H, W], layers: [conv: {out_channels: 2, kernel: 3}, batch_norm]}"
    report = convcalc.loads(text, H=9, W=9).summarize(symbolic="H,W")
    found = equation(report.convention("fvcore"))
    assert found.endswith("(conv + linear) + 4·(H − 2)·(W − 2) (batch norm, 2 per element) = "
                          "58·(H − 2)·(W − 2) = what fvcore prints")  # fmt: skip
    found = equation(report.convention("torch"))
    assert found.startswith("2 · 54·(H − 2)·(W − 2) (conv + linear) = ")


# -- the command ------------------------------------------------------------------------------


def ok(result: Result) -> str:
    assert result.code == 0, result.err
    return result.out


def test_reconcile(run: Run) -> None:
    shown = ok(run("reconcile", "resnet50"))
    headings = re.findall(r"^(\S+)  ([\d,]+) (MAC|FLOP|elements|bytes)$", shown, re.MULTILINE)
    assert {name for name, _, _ in headings} == set(MEASURED)
    assert "= 4,133,742,592 = what thop prints" in shown
    assert "thop 0.1.1.post2209072238, measured. " in shown


def test_reconcile_with(run: Run) -> None:
    shown = ok(run("reconcile", "lenet5", "--with", "exact, deepspeed,exact"))
    assert [line.split()[0] for line in shown.splitlines() if re.match(r"\S+  [\d,]+ ", line)] == [
        "exact", "deepspeed",
    ]  # fmt: skip
    assert "read, not measured" in shown
    every = ok(run("reconcile", "lenet5", "--with", "all"))
    assert len(re.findall(r"^\S+  (≥ )?[\d,]+ ", every, re.MULTILINE)) == len(convention_names())
    wrong = run("reconcile", "lenet5", "--with", "thop,fvcor")
    assert wrong.code == 2
    assert "unknown convention 'fvcor'. Did you mean 'fvcore'?" in wrong.err
    assert run("reconcile", "lenet5", "--with", "").code == 2


def test_reconcile_json(run: Run, tmp_path: Path) -> None:
    text = ok(run("reconcile", "mobilenet_v2", "--with", "all", "--format", "json", "--batch", "2"))
    found = json.loads(text)
    assert found["convcalc"] == 1
    assert found["inputs"] == {"input": [2, 3, 224, 224]}
    assert [each["name"] for each in found["conventions"]] == list(convention_names())
    for each in found["conventions"]:
        assert sum(term["value"] for term in each["terms"]) == each["total"]
        assert sum(layer[each["name"]] for layer in found["layers"]) == each["total"]
        assert each["lower_bound"] == bool(each["unknown"])
    file = tmp_path / "out.json"
    ok(run("reconcile", "lenet5", "vgg11", "--set", "H=64", "--set", "W=64", "-o", str(file)))
    assert [each["name"] for each in json.loads(file.read_text())] == ["LeNet-5", "VGG-11"]


def test_reconcile_into_a_file_and_from_standard_input(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "out.txt"
    spec = b"{name: mine, input: [3, 8, 8], layers: [conv: {out_channels: 2, kernel: 1}, mish]}"
    assert ok(run("reconcile", "-", "--with", "thop,netscope", "-o", str(file), stdin=spec)) == ""
    assert "384 (conv + linear) = 384 = what thop prints" in file.read_text()
    assert "no source says how it counts mish" in file.read_text()


def test_symbols_do_not_stop_it(run: Run) -> None:
    spec = (
        b"{input: [3, 8, 8], variables: {classes: }, layers: [flatten, linear: classes, softmax]}"
    )
    shown = ok(run("reconcile", "-", "--with", "all", stdin=spec))
    assert "192·classes (conv + linear) + 3·classes − 1" not in shown
    assert (
        "192·classes (conv + linear) + (3·classes − 1) (softmax, 3·n − 1 for n elements)" in shown
    )
    found = json.loads(ok(run("reconcile", "-", "--format", "json", stdin=spec)))
    totals = {each["name"]: each["total"] for each in found["conventions"]}
    assert totals["torch"] == "384*classes"


@pytest.mark.parametrize("width", [80, 160])
@pytest.mark.parametrize("name", ["resnet50", "convnext_tiny", "inception_v3", "r3d_18"])
def test_it_fits_the_terminal(name: str, width: int) -> None:
    report = loaded(name).summarize(N=8)
    bridges = [report.convention(each) for each in convention_names()]
    page = Reconciliation(report, bridges)
    wide, narrow = (page.rendered(each).plain() for each in (None, width))
    assert max(map(len, narrow)) <= width
    # the same words, with the breaks between terms
    assert " ".join(" ".join(narrow).split()) == " ".join(" ".join(wide).split())
    assert all(line.count("(") == line.count(")") for line in narrow)


def test_bridges_of_a_large_network_take_no_long_time() -> None:
    text = (
        "{input: [8, 8, 8], layers: [{conv: {out_channels: 8, kernel: 1}, repeat: 50_000}, relu]}"
    )
    report = convcalc.loads(text).summarize()
    bridge: Bridge = report.convention("ptflops")
    assert bridge.total == 50_000 * (8 * 8 * 64 + 8 * 64) + 2 * 8 * 64
    assert bridges_to_dict(report, [bridge])["layers"][-1]["ptflops"] == 2 * 8 * 64
