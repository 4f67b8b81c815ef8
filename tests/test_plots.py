"""Plots: what they show is what the report says, nothing is cut off, and files stay the same."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import convcalc
from convcalc.analysis.memory import timeline
from convcalc.errors import ConvcalcError, OutputError, UsageError
from convcalc.report.plots import bubbles, depth
from convcalc.report.plots.plot import KINDS, find_kind, format_of, plot
from convcalc.report.plots.style import short_path
from convcalc.report.report import Report
from convcalc.spec.zoo import zoo_names
from tests.test_cli import Run, run

__all__ = ["run"]

TINY = "{input: [2, 9, 7], layers: [conv: {out_channels: 3, kernel: 3}, relu, flatten, linear: 4]}"
TOWERS = """
inputs: {a: [3, 20, 24], b: [3, 20, 24]}
blocks:
  tower: {layers: [conv: {out_channels: 4, kernel: 3}, batch_norm, flatten, linear: 5]}
layers:
  - {tower: , from: a, share: tower, name: left}
  - {tower: , from: b, share: tower, name: right}
  - {subtract: , from: [left, right]}
"""


def report(net: str, **variables: Any) -> Report:
    made = convcalc.loads(net) if ":" in net else convcalc.load(net)
    return made.summarize(**variables)


def drawn(found: Report, kind: str = "layers", **options: Any) -> Any:
    pytest.importorskip("matplotlib", reason="Matplotlib is an extra")
    return found.plot(kind, **options).figure


def heights(axes: Any) -> list[list[int]]:
    """Of the bars, in groups as they are stacked."""
    corners = [[path.vertices[:, 1] for path in bars.get_paths()] for bars in axes.collections]
    return [[int(y.max() - y.min()) for y in ys] for ys in corners]


# -- what is shown ------------------------------------------------------------------------------


@pytest.mark.parametrize("net", ["lenet5", "resnet18", TINY, TOWERS])
def test_bars_are_the_rows_and_add_up_to_the_totals(net: str) -> None:
    found = report(net, N=2)
    params, macs, memory = (heights(axes)[0] for axes in drawn(found).axes[:3])
    inputs = len(found.graph.inputs)
    assert params[inputs:] == [row.params for row in found.rows]
    assert macs[inputs:] == [row.macs for row in found.rows]
    assert sum(params) == found.totals.params
    assert sum(macs) == found.totals.macs
    assert sum(memory) == found.totals.activation_bytes


@pytest.mark.parametrize("levels", [1, 2, 3])
def test_bars_of_blocks_add_up_too(levels: int) -> None:
    found = report("resnet18", dtype="float16")
    params, macs, memory = (heights(axes)[0] for axes in drawn(found, depth=levels).axes[:3])
    assert len(params) < len(found.rows)
    assert sum(params) == found.totals.params
    assert sum(macs) == found.totals.macs
    assert sum(memory) == found.totals.activation_bytes


def test_the_titles_name_the_largest() -> None:
    axes = drawn(report("vgg16")).axes
    assert axes[0].get_title("left") == (
        "Parameters: 138,357,544; most in linear1, 102,764,544 (74.3 %)"
    )
    assert "61,050,784 bytes = 61.1 MB (1 MB = 10⁶ bytes)" in axes[2].get_title("left")


@pytest.mark.parametrize("net", ["resnet18", TINY])
def test_cumulative_shares(net: str) -> None:
    found = report(net)
    lines = labelled(drawn(found, "cumulative").axes[0].get_lines())
    for line, quantity in zip(lines[:2], ("params", "macs"), strict=True):
        sums = itertools.accumulate(getattr(row, quantity) for row in found.rows)
        shares = [0.0, *(100 * value / getattr(found.totals, quantity) for value in sums)]
        assert list(line.get_ydata()) == pytest.approx(shares)
        assert line.get_ydata()[-1] == 100


@pytest.mark.parametrize("net", ["lenet5", "resnet50", "densenet121", "unet", TINY, TOWERS])
def test_the_largest_of_the_timeline_is_the_peak(net: str) -> None:
    found = report(net, dtype="float16")
    steps: Any = timeline(found.graph)
    assert 2 * max(step.values for step in steps) == found.totals.peak_activation_bytes
    for step in steps:
        assert step.written > 0
        assert step.read >= 0
        assert step.written + step.read <= step.values


def test_what_a_step_holds() -> None:
    net = convcalc.loads(
        "{input: [4, 10], layers: [add: [[], [conv: {out_channels: 4, kernel: 1}, relu]], relu]}"
    )
    conv, relu, add, last = timeline(net.graph)[1:]
    assert (conv.written, conv.read, conv.values) == (40, 40, 80)
    # the relu writes over the convolution's output while the input waits for the sum
    assert (relu.written, relu.read, relu.values) == (40, 0, 80)
    assert (add.written, add.read, add.values) == (40, 40, 80)
    assert (last.written, last.read, last.values) == (40, 0, 40)


@pytest.mark.parametrize("levels", [None, 1])
def test_memory_over_time(levels: int | None) -> None:
    found = report("resnet18")
    axes = drawn(found, "memory", depth=levels).axes[0]
    assert len(axes.collections) == 3
    held = [sum(parts) for parts in zip(*heights(axes), strict=True)]
    assert max(held) == found.totals.peak_activation_bytes
    if levels is None:
        assert held == [4 * step.values for step in timeline(found.graph)]  # type: ignore[operator]
    (mark,) = (text for text in axes.texts if text.get_text() == "▼")
    assert mark.xy == (held.index(max(held)), max(held))
    assert found.peak.node is not None
    assert f"at {found.peak.node.path}" in axes.get_title("left")


def test_a_block_holds_what_its_highest_step_does() -> None:
    found = report("unet")
    bars = heights(drawn(found, "memory", depth=1).axes[0])
    held = [sum(parts) for parts in zip(*bars, strict=True)]
    highest: dict[str, int] = {}
    for step in timeline(found.graph):
        block = step.node.path.split(".")[0]
        highest[block] = max(highest.get(block, 0), 4 * step.values)  # type: ignore[operator]
    assert held == list(highest.values())


def test_receptive_fields_are_those_of_the_report() -> None:
    found = report("resnet18", H=96, W=64)
    left, _, right = drawn(found, "receptive_field").axes[:3]
    own = [row.receptive_field for row in found.rows if len(row.output_shape) == 4]
    for axis, style in enumerate(("-", "--")):
        lines = [line for line in right.get_lines() if line.get_linestyle() == style]
        points = {point for line in lines for point in zip(*line.get_data(), strict=True)}
        assert {(i + 1, field[axis]) for i, field in enumerate(own)} <= points
    larger = sum(field[0] > 96 or field[1] > 64 for field in own)
    assert f"larger than the input: {larger}" in labels(right)
    shown = labelled(left.patches)
    assert shown[-1].get_label() == "stem.conv1: 7×7"
    assert (shown[-1].get_width(), shown[-1].get_height()) == (7, 7)
    for patch in shown:  # clipped at the borders
        assert patch.get_x() >= 0
        assert patch.get_x() + patch.get_width() <= 64
        assert patch.get_y() + patch.get_height() <= 96


def box(patch: Any) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of a rectangle; the picture's y axis points down."""
    x, y = patch.get_x(), patch.get_y()
    return x, y, x + patch.get_width(), y + patch.get_height()


@pytest.mark.parametrize("net", ["lenet5", "vgg16", "c3d", "resnet50", "unet", "googlenet"])
def test_the_fields_that_lead_to_one_unit_lie_in_one_another(net: str) -> None:
    left = drawn(report(net), "receptive_field").axes[0]
    boxes = [box(patch) for patch in labelled(left.patches)]  # the largest first
    assert len(boxes) > 2
    for outer, inner in itertools.pairwise(boxes):
        assert outer[0] <= inner[0] < inner[2] <= outer[2]
        assert outer[1] <= inner[1] < inner[3] <= outer[3]


@pytest.mark.parametrize("net", ["c3d", "resnet50"])
def test_the_whole_of_a_field_beyond_the_input_is_in_view(net: str) -> None:
    left = drawn(report(net), "receptive_field").axes[0]
    dashed = [box(patch) for patch in left.patches if patch.get_linestyle() in ("--", "dashed")]
    assert dashed
    (low, high), (bottom, top) = left.get_xlim(), left.get_ylim()
    for x, y, right, below in dashed:
        assert low < x < right < high
        assert top < y < below < bottom


def test_larger_than_the_input_is_said_of_the_axis_that_is() -> None:
    left, _, right = drawn(report("c3d"), "receptive_field").axes[:3]
    assert "block4.conv1: 24×46×46, larger than the input in depth" in [
        patch.get_label() for patch in left.patches
    ]
    (crosses,) = [line for line in right.get_lines() if line.get_marker() == "x"]
    sizes = set(crosses.get_ydata())
    assert {24, 150} <= sizes
    assert 46 not in sizes  # of 112


def test_the_curve_follows_what_layers_read() -> None:
    right = drawn(report("unet"), "receptive_field").axes[2]
    (curve,) = [line for line in right.get_lines() if line.get_label() == "height and width"]
    sizes = list(curve.get_ydata())
    assert sizes == sorted(sizes)
    assert right.get_ylim()[1] < 2 * max(sizes)
    assert "the input's height and width: 572, above" in labels(right)


def test_nothing_is_in_the_legend_that_is_not_in_the_picture() -> None:
    for net, kept in (("lenet5", False), ("resnet18", True)):
        (legend,) = drawn(report(net), "memory").legends
        found = [text.get_text() for text in legend.get_texts()]
        assert ("kept for later layers" in found) is kept


def test_a_network_plots_what_its_report_does() -> None:
    net = convcalc.load("lenet5")
    pytest.importorskip("matplotlib", reason="Matplotlib is an extra")
    assert net.plot("memory", dark=True).to_bytes() == (
        net.summarize().plot("memory", dark=True).to_bytes()
    )


def test_long_paths_are_cut_in_the_middle() -> None:
    assert short_path("layer1.bottleneck2.conv3x3.conv1", 26) == "layer1.…eck2.conv3x3.conv1"
    assert short_path("layer1.conv1", 26) == "layer1.conv1"
    assert len(short_path("a" * 40 + ".b", 26)) == 26


def labelled(artists: Sequence[Any]) -> list[Any]:
    """Those that stand for something, and not for the ground."""
    return [artist for artist in artists if artist.get_label()[:1] not in ("", "_")]


def labels(axes: Any) -> list[str]:
    return [text.get_text() for text in axes.get_legend().get_texts()]


def test_a_field_as_large_as_the_input_is_not_larger() -> None:
    layer = "conv: {out_channels: 1, kernel: 3, padding: 1}"
    for layers, larger in (([layer] * 2, False), ([layer] * 3, True)):
        found = report(f"{{input: [1, 5, 5], layers: [{', '.join(layers)}]}}")
        right = drawn(found, "receptive_field").axes[2]
        assert ("larger than the input: 1" in labels(right)) is larger


def test_receptive_fields_in_one_and_three_dimensions() -> None:
    axes = drawn(report("{input: [1, 50], layers: [conv: {out_channels: 1, kernel: 5}]}"),
                 "receptive_field").axes  # fmt: skip
    assert axes[0].get_xlabel() == "length, 50 positions"
    axes = drawn(report("{input: [1, 9, 8, 7], layers: [max_pool: 2]}"), "receptive_field").axes
    assert "max_pool1: 2×2×2" in [patch.get_label() for patch in axes[0].patches]
    assert axes[0].get_ylabel() == "height, 8 positions"


def test_bubbles() -> None:
    names = ["alexnet", "resnet18", "lenet5"]
    first, *others = [report(name) for name in names]
    figure = drawn(first, "bubbles", others=others)
    (axes,) = figure.axes
    (points,) = axes.collections
    totals = [found.totals for found in (first, *others)]
    assert points.get_offsets().tolist() == [[total.macs, total.params] for total in totals]
    areas = points.get_sizes()
    peaks: Any = [total.peak_activation_bytes for total in totals]
    assert areas[0] / areas[1] == pytest.approx(peaks[0] / peaks[1])
    assert {"AlexNet", "ResNet-18", "LeNet-5"} <= {text.get_text() for text in axes.texts}
    # a network without MACs has a place too
    nothing = report("{input: [3, 8, 8], layers: [relu]}")
    assert drawn(first, "bubbles", others=[nothing]).axes[0].get_xscale() == "linear"


# -- how it is shown ----------------------------------------------------------------------------

LONG = f"""
title: 一二 $\\frac{{ {"title " * 30}
input: [1, 6, 6]
layers: [{{name: {"x" * 80}, relu: }}, max_pool: 2]
"""


@pytest.mark.parametrize(
    ("net", "kind"),
    [
        ("lenet5", "layers"), ("inception_v4", "layers"), ("unet", "memory"),
        ("resnet50", "cumulative"), ("resnet50", "receptive_field"), ("m5", "receptive_field"),
        (LONG, "memory"), (LONG, "receptive_field"),
    ],
)  # fmt: skip
def test_no_text_is_cut_off_or_written_over_another(net: str, kind: str) -> None:
    figure = drawn(report(net), kind)
    assert not clashes(figure)


def clashes(figure: Any) -> list[str]:
    """The texts that reach beyond the figure or meet another."""
    import warnings

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure.draw_without_rendering()
        boxes = [(text.get_text(), text.get_window_extent()) for text in texts(figure)]
    canvas = figure.bbox
    found = [
        f"{text} is cut off" for text, box in boxes
        if box.x0 < canvas.x0 - 1 or box.x1 > canvas.x1 + 1
        or box.y0 < canvas.y0 - 1 or box.y1 > canvas.y1 + 1
    ]  # fmt: skip
    for (one, a), (other, b) in itertools.combinations(boxes, 2):
        if a.x0 < b.x1 - 1 and b.x0 < a.x1 - 1 and a.y0 < b.y1 - 1 and b.y0 < a.y1 - 1:
            found.append(f"{one} meets {other}")
    return found


def texts(figure: Any) -> Iterator[Any]:
    """All that are seen."""
    found = [figure._suptitle, *figure.texts]
    for legend in figure.legends:
        found += legend.get_texts()
    for axes in figure.axes:
        found += axes.texts
        if axes.get_legend() is not None:
            found += axes.get_legend().get_texts()
        if not axes.axison:
            continue
        found += [axes._left_title, axes.xaxis.label, axes.yaxis.label]
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            found += [
                tick.label1 for tick in axis.get_major_ticks()
                if low <= tick.get_loc() <= high and tick.label1.get_visible()
            ]  # fmt: skip
    return (text for text in dict.fromkeys(found) if text.get_text().strip())


def test_bubbles_of_numbers_beyond_64_bits() -> None:
    pytest.importorskip("matplotlib", reason="Matplotlib is an extra")
    net = convcalc.loads("{input: [1e15], layers: [linear: 1e15]}")
    (found,) = net.summarize().plot("bubbles").figure.axes[0].collections[0].get_offsets()
    assert [*found] == [1e30, 1e30 + 1e15]


def test_labels_of_bubbles_stand_apart() -> None:
    names = sorted(name for name in zoo_names() if "net" in name)[:25]
    first, *others = [report(name) for name in names]
    assert not clashes(drawn(first, "bubbles", others=others))


def test_blocks_are_marked_below() -> None:
    found = drawn(report("resnet50")).axes[3]
    assert [text.get_text() for text in found.texts if text.get_text()] == [
        "layer1", "layer2", "layer3", "layer4",
    ]  # fmt: skip
    # with few layers, each has its name
    axes = drawn(report("lenet5")).axes[2]
    assert [label.get_text() for label in axes.get_xticklabels()][:3] == [
        "input", "conv1", "sigmoid1",
    ]  # fmt: skip


@pytest.mark.parametrize("form", ["svg", "pdf", "png"])
def test_the_same_bytes_every_time(tmp_path: Path, form: str) -> None:
    pytest.importorskip("matplotlib", reason="Matplotlib is an extra")
    files = []
    for i in range(2):
        file = tmp_path / f"{i}.{form}"
        report("lenet5").plot("layers").save(str(file))
        files.append(file.read_bytes())
    assert files[0] == files[1]
    starts = {"svg": b"<?xml", "pdf": b"%PDF", "png": b"\x89PNG"}
    assert files[0].startswith(starts[form])
    assert b"CreationDate" not in files[0]
    assert b"dc:date" not in files[0]


def test_settings_of_the_user_are_neither_used_nor_changed() -> None:
    matplotlib = pytest.importorskip("matplotlib", reason="Matplotlib is an extra")
    before = report("lenet5").plot("layers").to_bytes()
    with matplotlib.rc_context({"font.size": 30, "ytick.major.size": 30}):
        assert report("lenet5").plot("layers").to_bytes() == before
        assert matplotlib.rcParams["font.size"] == 30
    assert "matplotlib.pyplot" not in sys.modules


def test_dark_and_light_differ_in_colours_alone() -> None:
    light, dark = drawn(report("lenet5")), drawn(report("lenet5"), dark=True)
    assert light.get_facecolor() == (1, 1, 1, 1)
    assert max(dark.get_facecolor()[:3]) < 0.2
    assert heights(light.axes[0]) == heights(dark.axes[0])


def test_it_shows_itself_in_a_notebook() -> None:
    pytest.importorskip("matplotlib", reason="Matplotlib is an extra")
    assert "<svg" in report("lenet5").plot("cumulative")._repr_svg_()


# -- errors -------------------------------------------------------------------------------------


def test_kinds() -> None:
    with pytest.raises(UsageError) as caught:
        find_kind("memry")
    assert str(caught.value) == "unknown kind of plot 'memry'. Did you mean 'memory'?"
    with pytest.raises(UsageError) as caught:
        find_kind("x")
    assert str(caught.value) == f"unknown kind of plot 'x'. There are {', '.join(KINDS)}."
    with pytest.raises(UsageError) as caught:
        find_kind("memory", 2)
    assert str(caught.value) == (
        "a plot of memory shows one network, and 2 are given. For several there is bubbles."
    )
    with pytest.raises(UsageError, match="a plot of bubbles shows whole networks, and takes no"):
        plot([report("lenet5")], "bubbles", depth=1)
    assert find_kind("receptive-field") is KINDS["receptive_field"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("x.gif", "x.gif: a plot is no .gif file. There are .svg, .png, .pdf."),
        ("a.b/x", "a.b/x: the suffix of a picture is missing. There are .svg, .png, .pdf."),
        ("", "-o: an empty file name"),
    ],
)
def test_suffixes(path: str, expected: str) -> None:
    with pytest.raises(UsageError) as caught:
        format_of(path)
    assert str(caught.value) == expected
    assert format_of("X.PDF") == "pdf"


def test_without_matplotlib(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    result = run("plot", "lenet5", "-o", "never.svg")
    assert result.code == 2
    assert result.err == "Error: plots need Matplotlib. pip install 'convcalc[plot]'\n"


def test_symbols_have_no_picture() -> None:
    with pytest.raises(ConvcalcError) as caught:
        plot([convcalc.load("lenet5").summarize(symbolic="H, W")])
    assert str(caught.value) == (
        "LeNet-5: a plot needs numbers, and H, W has no value. Give it one: --set H=…"
    )


def test_too_much_and_nothing_to_show(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib", reason="Matplotlib is an extra")
    monkeypatch.setattr(depth, "MAX_PARTS", 50)
    with pytest.raises(ConvcalcError) as caught:
        report("resnet50").plot("layers")
    assert str(caught.value) == (
        "ResNet-50: a plot of 175 layers; 50 are the limit. --depth 1 shows blocks instead of "
        "the layers in them."
    )
    assert report("resnet50").plot("layers", depth=1)
    monkeypatch.setattr(bubbles, "MAX_NETWORKS", 2)
    three = [report("lenet5")] * 3
    with pytest.raises(ConvcalcError, match="3 networks in a plot of bubbles; 2 are the limit"):
        plot(three, "bubbles")
    with pytest.raises(ConvcalcError, match="the input has no spatial axes"):
        report("{input: [5], layers: [linear: 2]}").plot("receptive_field")


def test_a_network_without_parameters() -> None:
    """Every kind draws it, and nothing is divided by zero."""
    for kind in KINDS:
        assert drawn(report("{input: [3, 8, 8], layers: [relu]}"), kind)


# -- the command --------------------------------------------------------------------------------


def test_the_command(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="Matplotlib is an extra")
    file = tmp_path / "x.svg"
    result = run("plot", "lenet5", "--kind", "memory", "--set", "H=32", "-o", str(file))
    assert result == (0, "", "")
    assert run("plot", "lenet5", "--kind", "memory", "--set", "H=32").out == file.read_text()
    assert run("plot", "lenet5", "alexnet", "--kind", "bubbles", "-o", str(file)).code == 0
    assert run("plot", "lenet5", "alexnet").code == 2
    names = [name for name in zoo_names() if name.startswith("resnet1")]
    of_pattern = run("plot", "resnet1*", "--kind", "bubbles").out
    assert of_pattern == run("plot", *names, "--kind", "bubbles").out
    assert run("plot", "resnet1*").code == 2
    assert run("plot", "lenet5", "-o", str(tmp_path / "x.jpg")).code == 2
    result = run("plot", "lenet5", "-o", str(tmp_path / "none" / "x.svg"))
    assert result.code == 3
    with pytest.raises(OutputError):
        report("lenet5").plot().save(str(tmp_path / "none" / "x.svg"))
