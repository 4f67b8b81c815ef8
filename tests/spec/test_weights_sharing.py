"""language.md, Weights: `share`."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import convcalc
from convcalc import Network

CONV = "conv: {out_channels: 3, kernel: 1}"  # 12 parameters


def owners(net: Network) -> dict[str, str]:
    """Each layer that uses the weights of another."""
    return {n.path: n.owner.path for n in net.graph.nodes if n.owner is not n}


def params(net: Network) -> list[int]:
    return [row.params for row in net.summarize().rows]


@pytest.fixture
def net() -> Callable[..., Network]:
    """The network of some entries over an image of 3 channels."""

    def net(entries: str, blocks: str = "{}") -> Network:
        return convcalc.loads(f"input: [3, 8, 8]\nblocks: {blocks}\nlayers:\n{entries}\n")

    return net


def test_entries_of_one_word_use_one_set_of_weights(net: Callable[..., Network]) -> None:
    found = net(
        f"  - {{{CONV}, share: w}}\n  - {CONV}\n  - {{{CONV}, share: w}}\n  - {{{CONV}, share: w}}"
    )
    assert params(found) == [12, 12, 0, 0]
    assert owners(found) == {"conv3": "conv1", "conv4": "conv1"}
    totals = found.summarize().totals
    assert (totals.params, totals.macs, totals.param_bytes) == (24, 4 * 9 * 64, 96)
    assert str(found.formula("params")) == "24"


def test_and_one_set_of_buffers(net: Callable[..., Network]) -> None:
    found = net("  - {batch_norm: , share: w}\n  - {batch_norm: , share: w}")
    assert found.summarize().totals.buffers == 6
    assert found.summarize().totals.params == 6


def test_what_is_no_weight_may_differ(net: Callable[..., Network]) -> None:
    found = net(
        "  - {conv: {out_channels: 3, kernel: 3, padding: 1}, share: w}\n"
        "  - {conv: {out_channels: 3, kernel: 3, dilation: 2, stride: 2}, share: w}"
    )
    assert params(found) == [84, 0]
    assert found.graph.nodes[1].shape == (1, 3, 2, 2)


def test_on_a_block_the_inner_layers_pair_one_by_one(net: Callable[..., Network]) -> None:
    found = net(
        "  - {unit: , share: tower, name: a}\n  - {unit: , share: tower, name: b}",
        f"{{unit: {{layers: [{CONV}, batch_norm, relu, inner]}}, inner: {{layers: [{CONV}]}}}}",
    )
    assert params(found) == [12, 6, 0, 12, 0, 0, 0, 0]
    assert owners(found) == {
        "b.conv1": "a.conv1",
        "b.batch_norm1": "a.batch_norm1",
        "b.relu1": "a.relu1",
        "b.inner1.conv1": "a.inner1.conv1",
    }


def test_words_are_filled_in_and_belong_to_their_scope(net: Callable[..., Network]) -> None:
    found = net(
        f'  - {{for: {{i: [1, 2, 1]}}, {CONV}, share: "w{{i}}"}}\n  - unit\n  - unit',
        f"{{unit: {{layers: [{{{CONV}, share: w1}}, {{{CONV}, share: w1}}]}}}}",
    )
    assert owners(found) == {
        "conv3": "conv1", "unit1.conv2": "unit1.conv1", "unit2.conv2": "unit2.conv1",
    }  # fmt: skip


def test_the_rounds_of_a_loop_share_with_each_other_named_or_not(
    net: Callable[..., Network],
) -> None:
    for name in ("", ", name: round"):
        found = net(f"  - {{{CONV}, repeat: 3, share: w{name}}}\n  - {{{CONV}, share: w}}")
        assert params(found) == [12, 0, 0, 0]


def test_shared_blocks_may_share_inside(net: Callable[..., Network]) -> None:
    found = net(
        "  - {unit: , share: outer, name: a}\n  - {unit: , share: outer, name: b}",
        f"{{unit: {{layers: [{{{CONV}, share: w}}, {{{CONV}, share: w}}]}}}}",
    )
    assert params(found) == [12, 0, 0, 0]
    assert owners(found) == {"a.conv2": "a.conv1", "b.conv1": "a.conv1", "b.conv2": "a.conv1"}


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        ("{batch_norm: , share: ①w}", "share: 'w' of unequal entries: conv and batch_norm"),
        ("{conv: {out_channels: 3, kernel: 3}, share: ①w}",
         "share: 'w' of unequal entries: the weights of conv have the shapes "
         "[3, 3, 1, 1], [3] and [3, 3, 3, 3], [3]"),
        ("{conv: {out_channels: 3, kernel: 1, bias: false}, share: ①w}",
         "share: 'w' of unequal entries: the weights of conv have the shapes "
         "[3, 3, 1, 1], [3] and [3, 3, 1, 1]"),
        ("{conv: {out_channels: 4, kernel: 1}, share: ①w}",
         "share: 'w' of unequal entries: the weights of conv have the shapes "
         "[3, 3, 1, 1], [3] and [4, 3, 1, 1], [4]"),
        ("{two: , share: ①w}", "share: 'w' of unequal entries: 1 and 2 layers"),
        ("{relu: , ①share: }", "share: a name is due, not nothing"),
        ("{relu: , share: ①[w]}", "share: a name is due, not a list"),
        ('{relu: , share: ①"w{zzz}"}', "'zzz' is no variable"),
    ],
)  # fmt: skip
def test_unequal_kinds_or_shapes_are_errors(
    message: Callable[..., str], second: str, expected: str
) -> None:
    assert (
        message(
            "input: [3, 8, 8]\nblocks: {two: {layers: [relu, relu]}}\n"
            f"layers:\n  - {{{CONV}, share: w}}\n  - {second}\n"
        )
        == f"①: {expected}"
    )


def test_symbolic_weights_are_compared_too(message: Callable[..., str]) -> None:
    text = "input: [C, 8, 8]\nlayers:\n  - {conv: {out_channels: C, kernel: 1}, share: w}\n  - "
    assert (
        len(convcalc.loads(text + "{conv: {out_channels: C, kernel: 1}, share: w}\n").graph.nodes)
        == 2
    )
    assert message(text + "{conv: {out_channels: C + 1, kernel: 1}, share: ①w}\n") == (
        "①: share: 'w' of unequal entries: the weights of conv have the shapes "
        "[C, C, 1, 1], [C] and [C + 1, C, 1, 1], [C + 1]"
    )


def test_where_the_owner_is_dropped_the_next_one_counts() -> None:
    net = convcalc.loads(f"""\
input: [3, 8, 8]
outputs: [b, c]
layers:
  - {{{CONV}, share: w, name: a}}
  - {{{CONV}, share: w, name: b, from: input}}
  - {{{CONV}, share: w, name: c, from: input}}
""")
    assert params(net) == [12, 0]
    assert owners(net) == {"c": "b"}
