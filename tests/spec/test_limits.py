"""language.md, Limits: each with its own clear error. A spec is data from a stranger."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import convcalc
from convcalc import ConvcalcError

START = "input: [3, 8, 8]\n"
MILLION = "1,000,000 are the limit"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("①layers: [{relu: , repeat: 1_000_001}]",
         f"the network has at least 1,000,001 layers; {MILLION}"),
        ("①layers: [{relu: , repeat: 1_000_000_000}]",
         f"the network has at least 1,000,000,000 layers; {MILLION}"),
        ("①layers: [{relu: , repeat: 10**900}]",
         f"the network has at least 10^900 layers; {MILLION}"),
        ("①layers: [{repeat: 1_001, layers: [{relu: , repeat: 1_000}]}]",
         f"the network has at least 1,001,000 layers; {MILLION}"),
        ("layers: [relu, ①{repeat: 10**7, layers: [{tanh: , when: false}]}]",
         f"the network has a loop of 10,000,000 rounds; {MILLION}"),
        ("layers: [relu, ①{conv: {out_channels: 1, kernel: 1}, repeat: 400_000 * in_channels}]",
         f"the network has at least 1,200,001 layers; {MILLION}"),
        ("layers: [{relu: , repeat: 600_000}, ①{tanh: , repeat: in_channels * 200_000}]",
         f"the network has at least 1,200,000 layers; {MILLION}"),
    ],
)  # fmt: skip
def test_a_million_layers(message: Callable[..., str], text: str, expected: str) -> None:
    assert message(f"{START}{text}\n") == f"①: {expected}"


def test_exactly_a_million_layers() -> None:
    net = convcalc.loads(START + "layers: [{relu: , repeat: 999_999}, tanh]\n")
    assert len(net.graph.nodes) == 1_000_000


def test_one_more_that_no_count_foretold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("convcalc.spec.build.MAX_NODES", 3)
    with pytest.raises(ConvcalcError) as caught:
        convcalc.loads(START + "layers: [relu, relu, relu, {tanh: , when: in_channels == 3}]\n")
    assert str(caught.value) == "<string>:2:29: the network has more than 3 layers"


# -- blocks that multiply -----------------------------------------------------------------------

TEN = "the network has at least 10,000,000,000 layers; 1,000,000 are the limit"


def multiplying(call: str, variables: str = "{}", first: str = "relu") -> str:
    """Ten levels of ten: each block is the one before it ten times."""
    blocks = [f"  b0: {{arguments: {{n: 10}}, layers: [{first}]}}\n"]
    for level in range(1, 11):
        body = call.replace("B", f"b{level - 1}")
        blocks.append(f"  b{level}: {{arguments: {{n: 10}}, layers: [{body}]}}\n")
    return (
        f"{START}variables: {variables}\nblocks:\n{''.join(blocks)}layers: [{{b10: {{n: 10}}}}]\n"
    )


@pytest.mark.parametrize(
    ("call", "variables"),
    [
        (", ".join(["B"] * 10), "{}"),
        ("{B: , repeat: 10}", "{}"),
        ("{B: , repeat: w}", "{w: 10}"),
        ("{B: , repeat: 2 * w}", "{w: 5}"),
        ("{B: {n: n}, repeat: n}", "{}"),
        ("{B: {n: n}, for: {i: range(n)}}", "{}"),
        ("{B: , repeat: w, when: w > 9}", "{w: 10}"),
        ("{B: {n: n}, repeat: n, when: n > 9}", "{}"),
        ("{layers: [{B: , repeat: 10}]}", "{}"),
        ("{add: [" + ", ".join(["[B]"] * 10) + "]}", "{}"),
        ("{add: [[{B: , repeat: 9}], {branch: [B], when: n == 10}]}", "{}"),
    ],
    ids=range(11),
)
def test_blocks_that_multiply_are_foreseen(
    message: Callable[..., str], call: str, variables: str
) -> None:
    assert message(multiplying(call, variables)).endswith(TEN)


@pytest.mark.parametrize(
    ("call", "first"),
    [
        ("{B: , repeat: n}", "{relu: , when: in_channels == 4}"),  # no layer at all
        ("{B: , repeat: 3 * in_channels + 1}", "relu"),  # known only as it runs
    ],
)
def test_what_cannot_be_foreseen_ends_by_the_count_of_blocks(
    message: Callable[..., str], monkeypatch: pytest.MonkeyPatch, call: str, first: str
) -> None:
    monkeypatch.setattr("convcalc.spec.build.MAX_BLOCKS", 2_000)
    found = message(multiplying(call, first=first))
    assert "blocks are used more than 2,000 times\n  in block b" in found


def test_a_block_that_calls_itself_twice(message: Callable[..., str]) -> None:
    assert (
        message("""
        input: [3, 8, 8]
        blocks:
          fork:
            arguments: {n}
            layers: [relu, {fork: n - 1, when: n > 0}, {fork: n - 1, when: n > 0}]
        ①layers: [fork: 40]
    """)
        == "①: the network has at least 2,199,023,255,551 layers; 1,000,000 are the limit"
    )


def test_the_forecast_never_counts_too_much(paths: Callable[..., list[str]]) -> None:
    # each of these would be over the limit if its condition were taken to hold
    assert (
        paths("""
        input: [3, 8, 8]
        variables: {big: 10**6, used: false, few: []}
        blocks:
          many: {arguments: {n, on_: true}, layers: [{tanh: , repeat: 2 * n, when: on_}]}
          hidden: {arguments: {big}, layers: [{tanh: , repeat: 2 * big}]}
          word: {arguments: {act}, layers: [{act: , repeat: 2}]}
          ends: {arguments: {n}, layers: [relu, {ends: n + 1, when: n < 2}]}
        layers:
          - relu
          - {tanh: , repeat: 2 * big, when: used}
          - {tanh: , repeat: 2 * big, when: in_channels == 4}
          - {many: {n: big, on_: used}}
          - {many: {n: in_channels - 3}}
          - {hidden: 0}
          - {for: {big: [0, 1]}, layers: [{tanh: , repeat: 2 * big}, {many: big}]}
          - {for: {i: few}, layers: [{tanh: , repeat: 2 * big}]}
          - {add: [{branch: [{tanh: , repeat: 2 * big}], when: used}, [], []]}
          - word: relu
          - ends: 0
    """)[-1]
        == "ends1.ends1.ends1.relu1"
    )


# -- nesting ------------------------------------------------------------------------------------


def test_text_nested_too_deep(message: Callable[..., str]) -> None:
    assert message(f"input: {'[' * 3000}\n") == "<string>:1:107: nested more than 100 levels deep"
    deep = "relu"
    for _ in range(49):
        deep = f"{{layers: [{deep}]}}"
    assert len(convcalc.loads(f"{START}layers: [{deep}]\n").graph.nodes) == 1
    deep = f"{{layers: [{{layers: [{deep}]}}]}}"
    assert message(f"{START}layers: [{deep}]\n").endswith("nested more than 100 levels deep")


def test_aliases_count_as_what_they_stand_for(message: Callable[..., str]) -> None:
    links = "".join(f"  - &a{i} {{layers: [*a{i - 1}]}}\n" for i in range(1, 200))
    assert message(f"{START}layers:\n  - &a0 {{layers: [relu]}}\n{links}").endswith(
        "nested more than 100 levels deep"
    )
    bomb = "".join(
        f"  - &a{i} {{layers: [{', '.join([f'*a{i - 1}'] * 10)}]}}\n" for i in range(1, 9)
    )
    assert message(f"{START}layers:\n  - &a0 {{layers: [relu]}}\n{bomb}").endswith(
        "more than 1,000,000 values, aliases written out. "
        "repeat: and for: say the same thing many times."
    )


def test_running_nested_too_deep(message: Callable[..., str]) -> None:
    groups = "{layers: [" * 20 + "deep" + "]}" * 20
    assert "blocks and groups nested more than 1,000 levels deep" in message(
        f"{START}blocks: {{deep: {{layers: [{groups}]}}}}\nlayers: [deep]\n"
    )


def test_steps(message: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("convcalc.spec.build.MAX_STEPS", 5_000)
    for body in ("{tanh: , when: false}", "{layers: []}", "{repeat: 100, layers: []}"):
        text = (
            f"{START}layers: [relu, {{repeat: 100, layers: [{{repeat: 100, layers: [{body}]}}]}}]\n"
        )
        assert message(text).endswith("the spec takes more than 5,000 steps to run")


# -- lists and sizes ----------------------------------------------------------------------------


def test_lists_of_lists_by_way_of_variables(message: Callable[..., str]) -> None:
    def doubling(levels: int, first: str) -> str:
        links = "".join(f"  a{i}: [a{i - 1}, a{i - 1}]\n" for i in range(1, levels))
        layers = f"layers: [relu, {{relu: , when: len(a{levels - 1}) == 3}}]\n"
        return f"{START}variables:\n  a0: {first}\n{links}{layers}"

    assert message(doubling(60, "1")).endswith("lists in lists, more than 10 levels deep")
    assert message(doubling(5, "range(2_000)")).endswith(
        "a list of more than 10,000 items, those of its lists included"
    )


def test_the_work_on_lists_in_all(message: Callable[..., str]) -> None:
    assert (
        message("""
        input: [3, 8, 8]
        variables: {list: range(10_000)}
        layers:
          - relu
          - {tanh: , when: ①max(list) == 0, repeat: 100}
          - repeat: 1_000_000
            layers:
              - {tanh: , when: ①max(list) == 0}
    """)
        == "①: the lists of all expressions have more than 3,000,000 items"
    )


def test_sizes_that_grow(message: Callable[..., str]) -> None:
    for layer in (
        "upsample: 2",
        "concat: [[], []]",
        "conv: {out_channels: in_channels * in_channels, kernel: 1}",
    ):
        found = message(f"{START}layers: [{{{layer}, repeat: 100_000}}]\n")
        assert "1,000,000,000,000,000,000 is " in found


SYMBOLS = "input: [C, H, W]\nlayers:\n  - "


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("{conv: {out_channels: in_channels * in_channels, kernel: 1}, repeat: 10}",
         "conv6: a symbolic expression of too many terms. Give C a number."),
        ("conv: {out_channels: (C + H + W)**12, kernel: 1}",
         "conv1: with symbols, the network has a size of more than 1,000 characters. "
         "Give C, H, W a number."),
        ("{conv: {out_channels: in_channels * H // (W + 1) + 1, kernel: 1}, repeat: 99}",
         "with symbols, the network has a size of more than 1,000 characters. "
         "Give C, H, W a number."),
        ("{upsample: 3/2, repeat: 500}", "with symbols, the network has a size of more than "
         "1,000 characters. Give H a number."),
        ("{conv: {out_channels: 3, kernel: 3, stride: 2, padding: 1}, repeat: 5000}",
         "with symbols, the network has more than 200 different symbols and roundings of sizes. "
         "Give C, H, W a number."),
        ("{conv: {out_channels: 3, kernel: 3}, repeat: 9000}",
         "with symbols, the network has costs of more than 20,000 terms. Give C, H, W a number."),
        ("{conv: {out_channels: (C + 1)**20, kernel: 1}}\n  - {conv: {out_channels: (H + 1)**20, "
         "kernel: 1}}\n  - conv: {out_channels: (W + 1)**25, kernel: 1, padding: C + H + W}",
         "conv3: with symbols, the network has a layer with costs of more than 10,000 terms. "
         "Give C, H, W a number."),
    ],
    ids=range(7),
)  # fmt: skip
def test_closed_forms_that_grow(message: Callable[..., str], entry: str, expected: str) -> None:
    assert message(SYMBOLS + entry + "\n").endswith(expected)


def test_the_same_networks_with_numbers_are_fine() -> None:
    net = convcalc.loads(
        SYMBOLS + "{conv: {out_channels: 3, kernel: 3, stride: 2, padding: 1}, repeat: 5000}\n",
        C=3, H=9, W=9,
    )  # fmt: skip
    assert net.graph.nodes[-1].shape == (1, 3, 1, 1)
