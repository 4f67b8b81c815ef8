"""language.md, inputs and outputs."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import convcalc

TWO = "inputs: {left: [3, 8, 8], right: [3, 4, 4]}\nlayers:\n"
ONE = "input: [3, 8, 8]\n"


# -- one input ----------------------------------------------------------------------------------


def test_the_input_has_its_channels_first_and_no_batch() -> None:
    assert convcalc.loads(ONE + "layers: [relu]\n").graph.inputs[0].shape == (1, 3, 8, 8)
    assert convcalc.loads("input: 10\nlayers: [relu]\n").graph.inputs[0].shape == (1, 10)
    net = convcalc.loads("input: [2 * C, W // 2 + 1]\nvariables: {C: 3, W: 5}\nlayers: [relu]\n")
    assert net.graph.inputs[0].shape == (1, 6, 3)


IMAGE = "For an image: input: [3, H, W]."


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ("①[]", f"an input has 1 to 7 axes after the batch, not 0. {IMAGE}"),
        ("①[1, 1, 1, 1, 1, 1, 1, 1]", f"an input has 1 to 7 axes after the batch, not 8. {IMAGE}"),
        ("[3, ①-1, 2]", "-1 is too small: at least 1 is due here"),
        ("[3, ①0, 2]", "0 is too small: at least 1 is due here"),
        ("[3, ①5/2]", "a whole number is due here, not the fraction 5/2. "
         "Use // for division that rounds down."),
        ("[3, ①true]", "a whole number is due here, not the truth value true"),
        ("[①[3, 4], 4]", "a whole number is due here, not the list [3, 4]"),
        ("①{a: 3}", "a value is due here, not a mapping"),
        ("[3, ①in_channels]", "'in_channels' cannot be the name of a symbol: the language uses it"),
        ("[3, ①H / 2]", "a size is a whole number, and (1/2)·H is not whole for every value. "
         "Use // for division that rounds down."),
        ("[3, ①0 - H]", "−H is too small: at least 1 is due here"),
    ],
)  # fmt: skip
def test_wrong_inputs(message: Callable[..., str], shape: str, expected: str) -> None:
    assert message(f"input: {shape}\nlayers: [relu]\n") == f"①: {expected}"


# -- several ------------------------------------------------------------------------------------


def test_several_inputs(rows: Callable[..., list[str]]) -> None:
    assert rows(
        TWO
        + """\
  - {max_pool: 2, from: left}
  - {concat: , from: [previous, right]}
"""
    ) == ["max_pool1 [1, 3, 4, 4]", "concat1 [1, 6, 4, 4]"]


def test_blocks_over_several_inputs(rows: Callable[..., list[str]]) -> None:
    assert rows("""
        inputs: {left: [3, 8, 8], right: [3, 8, 8]}
        blocks: {tower: {layers: [conv: {out_channels: 2, kernel: 3}, {add: [[], [relu]]}]}}
        layers:
          - {tower: , from: left, name: a}
          - {tower: , from: right, name: b}
          - {subtract: , from: [a, b]}
    """) == [
        "a.conv1 [1, 2, 6, 6]", "a.relu1 [1, 2, 6, 6]", "a.add1 [1, 2, 6, 6]",
        "b.conv1 [1, 2, 6, 6]", "b.relu1 [1, 2, 6, 6]", "b.add1 [1, 2, 6, 6]",
        "subtract1 [1, 2, 6, 6]",
    ]  # fmt: skip


def test_one_input_may_have_a_name(paths: Callable[..., list[str]]) -> None:
    assert paths(
        "inputs: {image: [3, 4]}\nlayers: [relu, {add: , from: [previous, image, input]}]\n"
    ) == [
        "relu1",
        "add1",
    ]


SAY = "with several inputs the first entry says which it reads. Write from: and one of left, right."


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ("①relu", SAY),
        ("①add: [[relu], []]", SAY),
        ("layers: [①relu]", SAY),
        ("{①relu: , repeat: 2}", SAY),
        ("{relu: , from: left, when: false}\n  - ①relu", SAY),
        ("{relu: , from: ①input}", "'input' could be any of several inputs. "
         "Write one of left, right."),
        ("{relu: , from: ①previous}", "'previous' could be any of several inputs. "
         "Write one of left, right."),
        ("{relu: , from: left}\n  - {relu: , from: ①input}", "'input' could be any of several "
         "inputs. Write one of left, right."),
        ("{relu: , from: ①lfet}", "no earlier layer is named 'lfet'. Did you mean 'left'?"),
    ],
)  # fmt: skip
def test_the_first_entry_must_say_from(
    message: Callable[..., str], entries: str, expected: str
) -> None:
    assert message(f"{TWO}  - {entries}\n") == f"①: {expected}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("input: [3]\n①inputs: {a: [3]}\nlayers: [relu]\n",
         "input: and inputs: together. One of the two."),
        ("inputs: ①[3]\nlayers: [relu]\n", "inputs: a mapping of names is due, not a list"),
        ("inputs: {①2x: [3]}\nlayers: [relu]\n", "'2x' cannot be the name of an input. "
         "A name is a letter, then letters, digits and _."),
        ("inputs: {①input: [3]}\nlayers: [relu]\n",
         "'input' cannot be the name of an input: the language uses it"),
        ("inputs: {①a: }\nlayers: [relu]\n", "a value is due here, not nothing"),
        ("inputs: {}\n①layers: [relu]\n", "no input. For instance input: [3, H, W]."),
        ("inputs: {a: [3], b: [①4]}\nlayers: [{relu: , from: a}]\n", "nothing reads the input 'b'"),
    ],
)  # fmt: skip
def test_wrong_mappings_of_inputs(message: Callable[..., str], text: str, expected: str) -> None:
    assert message(text) == f"①: {expected}"


# -- outputs ------------------------------------------------------------------------------------


def test_without_outputs_the_last_entry_is_the_output() -> None:
    net = convcalc.loads(ONE + "layers: [relu, tanh]\n")
    assert [node.path for node in net.graph.outputs] == ["tanh1"]


READ = "Read it with from:, or list the network's outputs: in outputs:."


@pytest.mark.parametrize(
    ("layers", "path"),
    [
        ("[{relu: , name: a}, ①tanh, {sigmoid: , from: a}]", "tanh1"),
        ("[{unit: , name: u}, {sigmoid: , from: u.a}]", "u.relu1"),
        ("[{name: l, repeat: 2, layers: [{relu: , name: a}, ①tanh]}, {add: , from: [l1, l.a]}]",
         "l2.tanh1"),
    ],
)  # fmt: skip
def test_and_a_dangling_layer_is_an_error(
    message: Callable[..., str], layers: str, path: str
) -> None:
    mark = "②" if "unit" in layers else "①"
    text = f"{ONE}blocks: {{unit: {{layers: [{{tanh: , name: a}}, ②relu]}}}}\nlayers: {layers}\n"
    assert message(text) == f"{mark}: nothing reads the output of layer '{path}'. {READ}"


def test_outputs_may_be_several_and_anything_named() -> None:
    net = convcalc.loads("""\
input: [3, 8, 8]
variables: {last: 2, main: head}
blocks: {unit: {layers: [{relu: , name: inner}, tanh]}}
outputs: [a, u, u.inner, l1.c, "l{last}", main, a]
layers:
  - {relu: , name: a}
  - {unit: , name: u}
  - {name: l, repeat: 2, layers: [{relu: , name: c}, sigmoid]}
  - {tanh: , name: head}
""")
    assert [node.path for node in net.graph.outputs] == [
        "a", "u.tanh1", "u.inner", "l1.c", "l2.sigmoid1", "head",
    ]  # fmt: skip
    assert net.graph.notes == []


def test_layers_that_no_output_needs_are_dropped_with_a_note() -> None:
    def left(layers: str) -> tuple[list[str], list[str]]:
        net = convcalc.loads(f"{ONE}outputs: [a]\nlayers:\n  - {{relu: , name: a}}\n{layers}")
        return [node.path for node in net.graph.nodes], net.summarize().notes

    assert left("") == (["a"], [])
    assert left("  - conv: {out_channels: 9, kernel: 1}\n") == (
        ["a"],
        ["1 layer that no output needs is left out: conv1"],
    )
    assert left("  - {tanh: , name: t}\n  - relu\n") == (
        ["a"],
        ["2 layers that no output needs are left out: t, relu1"],
    )
    assert left("  - {tanh: , repeat: 1000}\n") == (
        ["a"],
        ["1,000 layers that no output needs are left out: tanh1, tanh2, tanh3 and 997 more"],
    )


def test_what_is_dropped_counts_nowhere() -> None:
    net = convcalc.loads(
        f"{ONE}outputs: [a]\nlayers:\n  - {{conv: {{out_channels: 2, kernel: 1}}, name: a}}\n"
        "  - linear: {out_features: 10, axis: -1}\n"
    )
    assert (net.summarize().totals.params, net.summarize().totals.macs) == (8, 3 * 2 * 64)
    assert [module.name for module in net.graph.root.children] == ["a"]


@pytest.mark.parametrize(
    ("outputs", "expected"),
    [
        ("[①input]", "the output 'input' is an input"),
        ("[①aa]", "no earlier layer is named 'aa'. Did you mean 'a'?"),
        ("[①previous]", "no earlier layer is named 'previous'. "
         "Only names given with name:, to entries above, can be read."),
        ("[①relu1]", "no earlier layer is named 'relu1'. "
         "Only names given with name:, to entries above, can be read."),
        ("①a", "outputs: a list is due, not 'a'. For instance outputs: [main]."),
        ("①[]", "outputs: is empty"),
        ("[①{a: b}]", "outputs: a name is due, not a mapping"),
        ("[①[a]]", "outputs: a name is due, not a list"),
        ("[①'']", "no earlier layer is named ''. "
         "Only names given with name:, to entries above, can be read."),
        ('[①"a{zzz}"]', "'zzz' is no variable"),
    ],
)  # fmt: skip
def test_wrong_outputs(message: Callable[..., str], outputs: str, expected: str) -> None:
    text = f"{ONE}outputs: {outputs}\nlayers: [{{relu: , name: a}}, relu]\n"
    assert message(text) == f"①: {expected}"


def test_empty_outputs_are_no_outputs() -> None:
    net = convcalc.loads(ONE + "outputs:\nlayers: [relu, tanh]\n")
    assert [node.path for node in net.graph.outputs] == ["tanh1"]
