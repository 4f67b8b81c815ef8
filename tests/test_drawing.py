"""Drawings: every layer and every edge is there once, folds lose nothing, and texts survive."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import convcalc
from convcalc.errors import ConvcalcError, OutputError, UsageError
from convcalc.report.drawing import model
from convcalc.report.drawing.dot import to_dot, to_svg
from convcalc.report.drawing.mermaid import to_mermaid
from convcalc.report.drawing.model import Box, Cluster, Drawing, Edge, describe
from convcalc.report.families import INPUT, MODULE, OTHER, family
from convcalc.report.formats.text import shape
from convcalc.report.report import Report
from tests.test_cli import Run, run

__all__ = ["run"]

EXAMPLES = Path(__file__).parent / "examples"
NETS = ["lenet5", "resnet18", "googlenet", "unet", "mobilenet_v3_small", "densenet121"]
OWN = [str(EXAMPLES / f"{name}.yaml") for name in ("siamese", "two_outputs", "fpn")]


def report(net: str, **options: Any) -> Report:
    made = convcalc.loads(net) if "\n" in net or "{" in net else convcalc.load(net)
    return made.summarize(**options)


def layers(drawing: Drawing) -> list[Box]:
    return [box for box in drawing.boxes if not box.is_end]


def times(drawing: Drawing) -> Iterator[tuple[Box, int]]:
    """Every box with the number of layers or blocks that it stands for, those around it too."""

    def walk(children: tuple[Box | Cluster, ...], around: int) -> Iterator[tuple[Box, int]]:
        for child in children:
            if isinstance(child, Cluster):
                yield from walk(child.children, around * child.times)
            elif not child.is_end:
                yield child, around * child.times

    return walk(drawing.children, 1)


def figure(box: Box, name: str) -> int:
    """What the box says of one of those that it stands for."""
    for line in box.lines:
        found = re.fullmatch(rf"(?:[\d,]+ × )?([\d,]+) {name}", line)
        if found:
            return int(found[1].replace(",", ""))
    return 0


# -- layers and edges ---------------------------------------------------------------------------


@pytest.mark.parametrize("net", [*NETS, *OWN])
def test_every_layer_and_every_edge_once(net: str) -> None:
    found = report(net)
    drawing = found.draw(fold=False)
    assert [box.path for box in layers(drawing)] == [row.name for row in found.rows]
    assert not drawing.hides
    inner = [edge for edge in drawing.edges if edge.target.family is not INPUT]
    assert Counter((edge.source.path, edge.target.path) for edge in inner) == Counter(
        (source, row.name) for row in found.rows for source in row.inputs
    )
    shapes = {node.path: node.shape for node in (*found.graph.inputs, *found.graph.nodes)}
    for edge in drawing.edges:
        assert edge.label == shape(shapes[edge.source.path])
    ends = [edge.source.path for edge in drawing.edges if edge.target.is_end]
    assert ends == [node.path for node in found.graph.nodes if node in found.graph.outputs]


@pytest.mark.parametrize("net", [*NETS, *OWN])
@pytest.mark.parametrize("depth", [1, 2, 9])
def test_folds_add_up(net: str, depth: int) -> None:
    found = report(net)
    drawing = found.draw(depth=depth, of=("params", "macs"))
    assert sum(n * figure(box, "params") for box, n in times(drawing)) == found.totals.params
    assert sum(n * figure(box, "MACs") for box, n in times(drawing)) == found.totals.macs
    if depth == 9:
        assert sum(n for _, n in times(drawing)) == len(found.rows)
    known = {box.id for box in drawing.boxes}
    assert len(known) == len(list(drawing.boxes))
    assert {edge.source.id for edge in drawing.edges} <= known
    assert {edge.target.id for edge in drawing.edges} <= known
    # all but the inputs are fed, and all but the outputs are read
    fed = {edge.target.id for edge in drawing.edges}
    assert {box.id for box in layers(drawing)} <= fed
    assert {box.id for box in layers(drawing)} <= {edge.source.id for edge in drawing.edges}


PIECES = st.sampled_from(["relu", "tanh", "conv: {out_channels: 3, kernel: 1}", "b", "b", "c"])


@settings(max_examples=60)
@given(st.lists(st.tuples(PIECES, st.integers(1, 4)), min_size=1, max_size=6), st.integers(1, 4))
def test_folds_of_drawn_nets_add_up(entries: list[tuple[str, int]], depth: int) -> None:
    made = [
        f"{{{entry if ':' in entry else f'{entry}: '}, repeat: {count}}}"
        for entry, count in entries
    ]
    found = report(
        "{input: [3, 5], blocks: {b: {layers: [relu, {c: , repeat: 2}]}, c: {layers: [add: [[], "
        "[conv: {out_channels: 3, kernel: 1}, tanh]]]}}, layers: [" + ", ".join(made) + "]}"
    )
    drawing = found.draw(depth=depth)
    assert sum(n * figure(box, "params") for box, n in times(drawing)) == found.totals.params
    # without branches outside the blocks, what is drawn is one chain from input to output
    if depth == 1:
        assert len(drawing.edges) == len(list(drawing.boxes)) - 1
    full = found.draw(depth=4)
    assert sum(n for _, n in times(full)) == len(found.rows)


def test_blocks_are_boxes_and_repeats_are_folded() -> None:
    drawing = report("resnet50").draw(depth=2)
    (stage,) = [c for c in drawing.children if isinstance(c, Cluster) and c.path == "layer3"]
    assert stage.lines == ("layer3", "7,098,368 params")
    first, others = stage.children
    assert isinstance(others, Box)
    assert isinstance(first, Box)
    assert first.lines == ("bottleneck1", "1,512,448 params")
    assert others.lines == ("bottleneck2–6 ×5", "5 × 1,117,184 params")
    assert (others.times, others.family) == (5, MODULE)
    assert [edge.label for edge in drawing.edges if edge.source is others] == ["1024×14×14"]
    assert drawing.hides


def test_a_skip_connection_is_an_edge_between_blocks() -> None:
    drawing = report("unet").draw(depth=1)
    found = {(edge.source.path, edge.target.path): edge.label for edge in drawing.edges}
    assert found["down1", "down2"] == "64×284×284"
    assert found["down1", "up4"] == "64×568×568"


REPEATED = """
input: [4, 10]
blocks:
  step:
    arguments: [skip]
    layers: [{tanh: , name: inner}, {add: , from: [previous, skip]}]
layers:
  - {relu: , name: a}
  - {tanh: , name: b}
"""


def test_repeats_that_read_one_tensor_are_folded() -> None:
    drawing = report(f"{REPEATED}  - {{step: {{skip: a}}, repeat: 3}}\n").draw(depth=2)
    (step,) = [child for child in drawing.children if isinstance(child, Cluster)]
    assert step.times == 3
    assert Counter((e.source.path, e.target.path) for e in drawing.edges)["a", "step1.add1"] == 1


def test_repeats_with_other_sources_are_drawn_apart() -> None:
    text = f"{REPEATED}  - step: {{skip: a}}\n  - step: {{skip: b}}\n"
    drawing = report(text).draw(depth=2)
    assert [c.times for c in drawing.children if isinstance(c, Cluster)] == [1, 1]
    assert {("a", "step1.add1"), ("b", "step2.add1")} <= {
        (edge.source.path, edge.target.path) for edge in drawing.edges
    }


@pytest.mark.parametrize(
    "read",
    [
        "{add: , from: [previous, r1.x]}", "{add: , from: [r1, r3]}",
        "{add: , from: [previous, r3.x]}",
    ],
)  # fmt: skip
def test_repeats_that_are_read_from_outside_are_drawn_apart(read: str) -> None:
    text = "{input: [4, 10], layers: [{for: {i: [1, 2, 3]}, name: r, layers: [{relu: , name: x}, tanh]}, %s]}"  # noqa: E501
    drawing = report(text % read).draw(depth=2)
    assert len(layers(drawing)) == 7
    folded = report(text % "relu").draw(depth=2)
    assert len(layers(folded)) == 3


def test_outputs_of_repeats_are_drawn_apart() -> None:
    text = (
        "{input: [4, 10], layers: [{for: {i: [1, 2]}, name: r, layers: [tanh]}], outputs: [r1, r2]}"
    )
    drawing = report(text).draw(depth=1)
    assert [box.lines[0] for box in drawing.boxes if box.is_end] == [
        "input", "output r1.tanh1", "output r2.tanh1",
    ]  # fmt: skip


def test_a_layer_that_reads_a_tensor_twice_has_two_edges() -> None:
    drawing = report("{input: [4], layers: [{relu: , name: a}, {multiply: , from: [a, a]}]}").draw()
    assert [(e.source.path, e.target.path) for e in drawing.edges].count(("a", "multiply1")) == 2


def test_one_block_alone() -> None:
    drawing = report("resnet50").draw(layer="layer1.bottleneck1", depth=1)
    assert drawing.title == "ResNet-50, layer1.bottleneck1"
    ends = [box.lines for box in drawing.boxes if box.is_end]
    assert ends == [("max_pool1",), ("output",)]
    assert len(layers(drawing)) == 8
    with pytest.raises(UsageError, match="no layer or module 'layer9'"):
        report("resnet50").draw(layer="layer9")
    with pytest.raises(UsageError, match="relu1 is a layer, and holds no others"):
        report("resnet50").draw(layer="relu1")


def test_symbolic_shapes() -> None:
    drawing = report("resnet18", symbolic="H, W").draw(depth=1)
    assert drawing.edges[1].label == "64×⌈H/2⌉×⌈W/2⌉"
    macs = report("lenet5", symbolic="H").draw(of=["macs"])
    assert "4,200·H MACs" in layers(macs)[0].lines


def test_the_depth_is_what_is_readable() -> None:
    assert len(list(report("resnet50").draw().boxes)) <= model.READABLE
    assert not report("lenet5").draw().hides
    # a long chain of layers has one level
    assert len(list(report("vgg16").draw(depth=2).boxes)) > model.READABLE
    assert report("vgg16").draw().hides


def test_descriptions() -> None:
    def said(layer: str, shape: str = "[8, 9, 9]") -> str:
        return describe(report(f"{{input: {shape}, layers: [{layer}]}}").graph.nodes[0])

    assert said("conv: {out_channels: 8, kernel: [1, 3], stride: 2, groups: 4}") == (
        "conv 1×3, stride 2, groups 4"
    )
    assert said("max_pool: 3") == "max_pool 3×3"
    assert said("max_pool: {kernel: 3, stride: [2, 1], padding: 1}") == "max_pool 3×3, stride 2×1"
    assert said("permute: [0, 2, 1, 3]") == "permute, axes [0, 2, 1, 3]"
    assert said("linear: {out_features: 4, axis: -1}") == "linear, axis -1"
    assert said("batch_norm") == "batch_norm"


def test_every_family_has_its_file() -> None:
    import importlib

    from convcalc.layers import layer_class, layer_names
    from convcalc.report.families import _BY_FILE

    for name in _BY_FILE:
        importlib.import_module(f"convcalc.layers.{name}")
    net = report("{input: [3, 8, 8], layers: [relu, flatten]}").graph
    assert [family(node).name for node in net.nodes] == ["activation", OTHER.name]
    assert {layer_class(name).__module__.rpartition(".")[2] for name in layer_names()} >= set(
        _BY_FILE
    )


# -- what is written ----------------------------------------------------------------------------

ODD = 'a"b <c> | {d} [e] \\n & &lt; #quot; `f` (g) é ×2; %%\N{RIGHT-TO-LEFT OVERRIDE}'


def odd() -> Drawing:
    start = Box("n1", (ODD, "x"), ODD, INPUT, 1, is_end=True)
    inner = Box("n2", (ODD,), ODD, MODULE, 2)
    return Drawing(ODD, [start, Cluster("c1", (ODD,), ODD, 2, (inner,))],
                   [Edge(start, inner, (1, 3, 4))], False)  # fmt: skip


SEEN = ODD.replace("\N{RIGHT-TO-LEFT OVERRIDE}", "\N{REPLACEMENT CHARACTER}")


def test_dot_keeps_odd_texts() -> None:
    text = to_dot(odd())
    strings = re.findall(r'"((?:[^"\\]|\\.)*)"', text)
    rest = re.sub(r'"(?:[^"\\]|\\.)*"', "", text)
    assert re.fullmatch(r"[\w\s{}\[\]=;,.>-]*", rest)
    assert rest.count("{") == rest.count("}") == 2
    read = [s.replace("\\l", "").replace('\\"', '"').replace("\\\\", "\\") for s in strings]
    assert read.count(SEEN.replace("&", "&amp;")) >= 5


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
def test_graphviz_reads_it() -> None:
    import html

    svg = to_svg(odd())
    texts = {html.unescape(t) for t in re.findall(r"<text[^>]*>([^<]*)</text>", svg)}
    assert SEEN in {text.replace("\N{NO-BREAK SPACE}", " ") for text in texts}
    drawing = report("resnet50").draw(depth=3)
    plain = subprocess.run(
        ["dot", "-Tplain"], input=drawing.dot(), capture_output=True, text=True, check=True
    ).stdout
    kinds = Counter(line.split()[0] for line in plain.splitlines())
    assert kinds["node"] == len(list(drawing.boxes)) + len(list(drawing.clusters))
    assert kinds["edge"] == len(drawing.edges)
    assert drawing.svg() == drawing.svg()
    assert drawing._repr_svg_() == drawing.svg()


def test_mermaid_keeps_odd_texts() -> None:
    lines = to_mermaid(odd()).splitlines()
    assert lines[0] == lines[2] == "---"
    assert lines[3] == "flowchart TD"
    shown = [text for line in lines[4:] for text in re.findall(r'"([^"]*)"', line)]
    assert len(shown) == 4
    for text in shown:
        assert not set(text.replace("<br/>", "")) & set('"<>`\\&')
        assert not re.search(r"#(?!\d+;)", text)
    plain = re.sub(r"#(\d+);", lambda code: chr(int(code[1])), shown[1])
    assert plain == SEEN


@pytest.mark.parametrize("net", ["resnet50", "unet", OWN[1]])
def test_mermaid_has_its_grammar(net: str) -> None:
    drawing = report(net).draw(depth=3)
    text = r'"[^"]*"'
    forms = [
        rf"n\d+\[{text}\]", rf"n\d+\(\[{text}\]\)", rf"subgraph c\d+\[(?!.*<br/>){text}\]", "end",
        rf"n\d+ -->\|{text}\| n\d+", r"classDef \w+ fill:#\w{6},stroke:#\w{6}(,color:#\w{6})?",
        r"class [nc]\d+(,[nc]\d+)* \w+",
    ]  # fmt: skip
    counts = Counter(
        next(form for form in forms if re.fullmatch(form, line.strip()))
        for line in drawing.mermaid().splitlines()[4:]
    )
    assert counts[forms[0]] + counts[forms[1]] == len(list(drawing.boxes))
    assert counts[forms[2]] == counts["end"]
    assert counts[forms[4]] == len(drawing.edges)
    assert drawing._repr_markdown_() == f"```mermaid\n{drawing.mermaid()}\n```"


def test_from_left_to_right() -> None:
    drawing = report("lenet5").draw(across=True)
    assert "rankdir=LR" in drawing.dot()
    assert "flowchart LR" in drawing.mermaid()
    assert str(drawing) == drawing.dot()


# -- errors -------------------------------------------------------------------------------------


def test_too_many_boxes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "MAX_BOXES", 60)
    resnet = report("resnet50")
    assert resnet.draw()
    expected = (
        "ResNet-50: a drawing of more than 60 boxes is not readable. Open fewer levels: --depth 1. "
        "Draw one block with --layer PATH."
    )
    for options in ({"depth": 3}, {"fold": False}):
        with pytest.raises(ConvcalcError) as caught:
            resnet.draw(**options)  # type: ignore[arg-type]
        assert str(caught.value) == expected
    monkeypatch.setattr(model, "MAX_BOXES", 5)
    with pytest.raises(ConvcalcError) as caught:
        resnet.draw()
    assert str(caught.value) == (
        "ResNet-50: a drawing of more than 5 boxes is not readable. Draw one block with "
        "--layer PATH."
    )


def test_a_long_chain_is_one_box() -> None:
    found = report("{input: [3], layers: [{relu: , repeat: 100_000}]}")
    (box,) = layers(found.draw())
    assert box.lines == ("relu1–100000 ×100,000",)


def test_unknown_quantity() -> None:
    with pytest.raises(UsageError, match=r"unknown quantity 'parms'. Did you mean 'params'\?"):
        report("lenet5").draw(of=["parms"])


def test_without_graphviz(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    result = run("graph", "lenet5", "--format", "svg")
    assert result.code == 2
    assert result.err == (
        "Error: SVG needs Graphviz, whose program 'dot' is not on the PATH. Install it (apt "
        "install graphviz, brew install graphviz, https://graphviz.org/download), or write "
        "--format dot or mermaid.\n"
    )
    assert report("lenet5").draw()._repr_svg_() is None


def test_graphviz_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(*_: Any, **__: Any) -> None:
        raise subprocess.TimeoutExpired("dot", 60)

    monkeypatch.setattr(subprocess, "run", slow)
    with pytest.raises(OutputError) as caught:
        report("lenet5").draw().svg()
    assert str(caught.value) == (
        "LeNet-5: Graphviz took more than 60 seconds. Draw fewer boxes: --depth 1, or one block "
        "with --layer PATH."
    )
    failed = subprocess.CompletedProcess("dot", 1, b"", b"Error: out of memory\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(OutputError, match="LeNet-5: Graphviz failed: Error: out of memory"):
        report("lenet5").draw().svg()


def points(line: Sequence[str]) -> Iterator[tuple[float, float]]:
    """Points along an edge, a row of cubic Bézier curves as -Tplain writes them."""
    count = int(line[3])
    xy = [(float(line[4 + 2 * i]), float(line[5 + 2 * i])) for i in range(count)]
    for start in range(0, count - 1, 3):
        a, b, c, d = xy[start : start + 4]
        for step in range(21):
            t = step / 20
            weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3)
            x, y = (
                sum(w * p[k] for w, p in zip(weights, (a, b, c, d), strict=True)) for k in (0, 1)
            )
            yield x, y


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
@pytest.mark.parametrize(
    ("net", "options"),
    [("resnet50", {"depth": 2}), ("unet", {}), ("googlenet", {"layer": "inception3a"})],
)
def test_no_edge_runs_through_the_text_of_a_block(net: str, options: dict[str, Any]) -> None:
    drawing = report(net).draw(**options)
    plain = subprocess.run(
        ["dot", "-Tplain"], input=drawing.dot(), capture_output=True, text=True, check=True
    ).stdout
    lines = [line.split() for line in plain.splitlines()]
    places = {line[1]: tuple(map(float, line[2:6])) for line in lines if line[0] == "node"}
    texts = [places[f"{cluster.id}_label"] for cluster in drawing.clusters]
    edges = [point for line in lines if line[0] == "edge" for point in points(line)]
    for x, y, width, height in texts:
        assert not [(a, b) for a, b in edges if abs(a - x) < width / 2 and abs(b - y) < height / 2]


def test_fields_are_written_as_a_spec_has_them() -> None:
    lines = [line for box in report("googlenet").draw(depth=1).boxes for line in box.lines]
    assert "max_pool 3×3, stride 2, ceil_mode true" in lines


# -- the command --------------------------------------------------------------------------------


def test_the_command(run: Run, tmp_path: Path) -> None:
    result = run("graph", "resnet50")
    assert result.code == 0
    assert result.out.startswith('digraph "ResNet-50" {\n')
    assert result.err == (
        "Note: blocks hold more: --depth N opens more levels, --all every layer\n"
    )
    file = tmp_path / "x.mmd"
    assert run("graph", "lenet5", "-o", str(file)) == (0, "", "")
    assert file.read_text() == run("graph", "lenet5", "--format", "mermaid").out
    result = run("graph", "vgg16", "-o", "x.pdf")
    assert result.code == 2
    assert result.err == (
        "Error: -o x.pdf: Graphviz makes such a file of DOT. "
        "Pipe it: convcalc graph … | dot -Tpdf > FILE\n"
    )
    result = run("graph", "lenet5", "--set", "H=32", "--symbolic", "H")
    assert (result.code, result.out) == (2, "")
    result = run("graph", "densenet201", "--all", "--format", "mermaid")
    assert result.err == (
        "Note: 805 edges; Mermaid draws 500, or as many as its setting maxEdges says\n"
    )
