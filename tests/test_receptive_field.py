"""Receptive fields against sets followed by hand, the seen ranges, and TF-Slim's published ones."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import convcalc
from convcalc.analysis.receptive_field import seen_by
from convcalc.view import Resize, Spread, Window

TABLE = Path(__file__).parent / "reference" / "receptive_fields.csv"

# name, what an output at i reads of an axis of n: the definitions, spelled out
LAYERS: dict[str, Any] = {
    "conv: {out_channels: 1, kernel: 3, padding: 1}": lambda i, n: {i - 1, i, i + 1},
    "conv: {out_channels: 1, kernel: 2, stride: 2}": lambda i, n: {2 * i, 2 * i + 1},
    "conv: {out_channels: 1, kernel: 3, stride: 2, padding: [[2, 0]]}": lambda i, n: {
        2 * i - 2, 2 * i - 1, 2 * i,
    },
    "conv: {out_channels: 1, kernel: 3, dilation: 2}": lambda i, n: {i, i + 2, i + 4},
    "max_pool: {kernel: 3, stride: 2, padding: 1}": lambda i, n: {2 * i - 1, 2 * i, 2 * i + 1},
    "avg_pool: 2": lambda i, n: {2 * i, 2 * i + 1},
    "conv_transpose: {out_channels: 1, kernel: 2, stride: 2}": lambda i, n: {i // 2},
    "conv_transpose: {out_channels: 1, kernel: 3, stride: 2, padding: 1}": lambda i, n: {
        j for j in range(n) if 0 <= i + 1 - 2 * j < 3
    },
    "upsample: 2": lambda i, n: {i // 2},
    "slice: {axis: 2, start: 1}": lambda i, n: {i + 1},
    "relu": lambda i, n: {i},
    "adaptive_avg_pool: 3": lambda i, n: set(range(i * n // 3, -(-(i + 1) * n // 3))),
}  # fmt: skip


@given(st.lists(st.sampled_from(sorted(LAYERS)), min_size=1, max_size=5), st.integers(8, 40))
def test_chains_see_what_the_definitions_say(layers: list[str], size: int) -> None:
    text = f"input: [1, {size}]\nlayers:\n" + "".join(f"  - {layer}\n" for layer in layers)
    try:
        net = convcalc.loads(text)
    except convcalc.ConvcalcError:
        return
    report = net.summarize()
    seen: list[set[int]] = [{i} for i in range(size)]
    for layer, row in zip(layers, report.rows, strict=True):
        before, length = seen, row.output_shape[2]
        assert isinstance(length, int)
        reads = [
            {j for j in LAYERS[layer](i, len(before)) if 0 <= j < len(before)}
            for i in range(length)
        ]
        seen = [set().union(*(before[j] for j in read)) if read else set() for read in reads]
        if not all(seen):
            return  # a window wholly inside padding sees nothing
        for i, positions in enumerate(seen):
            found = seen_by(net.graph, row.node, (i,))[net.graph.inputs[0]]
            assert found == [(min(positions), max(positions))]
        (field,), (stride,), (padding,) = (
            row.receptive_field, row.receptive_stride, row.receptive_padding,
        )  # fmt: skip
        spans = [max(positions) - min(positions) + 1 for positions in seen]
        assert max(spans) <= field
        if not any(word in layer for layer in layers for word in ("transpose", "up", "adapt")):
            for i, positions in enumerate(seen):
                first = i * stride - padding
                inside = range(max(0, first), min(size, first + field))
                assert min(positions) >= inside.start
                assert max(positions) < inside.stop
                # away from all borders, those of a slice too
                sliced = any("slice" in layer for layer in layers)
                if first >= 0 and first + field <= size and not sliced:
                    assert (min(positions), max(positions)) == (inside.start, inside.stop - 1)


def rows(net: str) -> list[dict[str, str]]:
    with TABLE.open(encoding="utf-8") as file:
        return [row for row in csv.DictReader(file) if row["net"] == net]


def by_convolution(name: str, **variables: Any) -> list[tuple[int, int, int]]:
    """Field, stride and padding of all convolutions and poolings of a net, in order."""
    report = convcalc.load(name).summarize(**variables)
    return [
        (row.receptive_field[0], row.receptive_stride[0], row.receptive_padding[0])
        for row in report.rows
        if row.type in ("conv", "max_pool")
    ]  # type: ignore[misc]


def test_vgg16_as_published() -> None:
    """TF-Slim's vgg_16: SAME 3×3 convolutions, which pad one zero on each side."""
    published = [
        (int(r["receptive_field"]), int(r["effective_stride"]), int(r["effective_padding"]))
        for r in rows("vgg_16")
        if not r["resolution"] and "fc" not in r["end_point"]
    ]
    assert published
    ours = set(by_convolution("vgg16"))
    assert set(published) - {(0, 0, 0)} <= ours


def test_alexnet_v2_as_published() -> None:
    """Field and stride agree with torchvision's; TF-Slim does not pad the first layer."""
    published = {
        (int(r["receptive_field"]), int(r["effective_stride"]))
        for r in rows("alexnet_v2")
        if not r["resolution"] and "fc" not in r["end_point"]
    }
    assert published <= {(field, stride) for field, stride, _ in by_convolution("alexnet")}


@pytest.mark.parametrize("resolution", [224, 321])
def test_mobilenet_v1_as_published(resolution: int) -> None:
    """TF-Slim's, whose SAME padding depends on the resolution."""
    published = {
        r["end_point"]: tuple(
            int(r[key]) for key in ("receptive_field", "effective_stride", "effective_padding")
        )
        for r in rows("mobilenet_v1")
        if r["resolution"] == str(resolution)
    }
    assert len(published) == 14
    report = convcalc.load("mobilenet_v1").summarize(H=resolution, W=resolution)
    found = {row.name: row for row in report.rows}
    for end_point, figures in published.items():
        number = end_point.removeprefix("Conv2d_").removesuffix("_pointwise")
        row = found[f"separable{number}.pointwise.conv1" if number != "0" else "stem.conv1"]
        assert (
            row.receptive_field[0],
            row.receptive_stride[0],
            row.receptive_padding[0],
        ) == figures


def test_resnet50_and_global_layers() -> None:
    report = convcalc.load("resnet50").summarize(H=224, W=160)
    last = next(row for row in reversed(report.rows) if row.type == "relu")
    # torchvision's: the 3×3 has the stride
    assert last.receptive_field == (427, 427)
    assert last.receptive_stride == (32, 32)
    assert report.rows[-1].receptive_field == (224, 160)
    assert report.rows[-1].receptive_padding == (0, 0)


def test_which_pixels_feed_a_unit() -> None:
    net = convcalc.load("vgg16")
    assert net.seen_by("block5.conv3", (0, 7)) == {"input": [(0, 105), (22, 217)]}
    assert net.seen_by("linear1", ()) == {"input": [(0, 223), (0, 223)]}
    with pytest.raises(convcalc.ConvcalcError, match=r"no layer 'block5.conv9'\. Did you mean"):
        net.seen_by("block5.conv9", (0, 0))
    for unit in [(14, 0), (0,), (-1, 0)]:
        with pytest.raises(convcalc.ConvcalcError, match=r"whose spatial axes are \[14, 14\]"):
            net.seen_by("block5.conv3", unit)


def test_branches_take_the_hull_and_flag_shifts() -> None:
    text = """
    input: [3, 20, 24]
    layers:
      - {concat: [[conv: {out_channels: 4, kernel: 5, padding: 2}], []], name: centred}
      - {add: [[conv: {out_channels: 7, kernel: [2, 3], padding: [[1, 0], [1, 1]]}], []], name: b}
    """
    report = convcalc.loads(text).summarize()
    rows = {row.name: row for row in report.rows}
    assert rows["centred"].receptive_field == (5, 5)
    assert all(reach.aligned for reach in report.reach(rows["centred"].node))
    assert rows["b"].receptive_field == (6, 7)
    assert [reach.aligned for reach in report.reach(rows["b"].node)] == [False, True]


def test_axes_are_followed_through_permutations() -> None:
    text = """
    input: [3, 20, 24]
    layers:
      - conv: {out_channels: 4, kernel: [3, 5]}
      - permute: [0, 3, 2, 1]
      - layer_norm
      - {linear: {out_features: 6, axis: -1}, name: mixed}
      - permute: [0, 3, 2, 1]
      - {max_pool: {kernel: [2, 1]}, name: end}
      - softmax: {axis: 2}
    """
    report = convcalc.loads(text).summarize()
    rows = {row.name: row for row in report.rows}
    assert rows["mixed"].receptive_field == (3, 5)
    assert rows["end"].receptive_field == (4, 5)
    assert report.rows[-1].receptive_field == (20, 5)


def test_what_a_symbol_leaves_open_is_not_guessed() -> None:
    net = convcalc.loads("{input: [1, L], variables: {L: 12}, layers: [upsample: 2, relu]}")
    row = net.summarize(symbolic="L").rows[1]
    assert row.receptive_field == row.receptive_stride == row.receptive_padding == (None,)
    assert net.summarize(symbolic="L").to_dict()["layers"][0]["receptive_field"] == [None]
    assert net.summarize().rows[1].receptive_field == (1,)
    symbolic = convcalc.load("vgg16").summarize(symbolic="H,W").rows
    numeric = convcalc.load("vgg16").summarize().rows
    for a, b in zip(symbolic, numeric, strict=True):
        if b.type in ("conv", "max_pool"):
            assert a.receptive_field == b.receptive_field
            assert a.receptive_padding == b.receptive_padding


def test_views_of_one_axis() -> None:
    assert Window(kernel=3, stride=2, before=1).reads(0, 1) == (-1, 3)
    assert Spread(4, 2, 1, 1).reads(0, 0) == (-1, 0)
    assert Resize(4, 8, 2).reads(0, 0) == (-1, 0)
    assert Resize(4, 8, 2).reads(7, 7) == (3, 4)
    assert Resize(7, 3, 0).reads(1, 1) == (2, 4)
