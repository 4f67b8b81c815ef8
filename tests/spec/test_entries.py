"""language.md, Entries."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import convcalc

BLOCKS = """\
input: [3, 8, 8]
blocks:
  unit: {arguments: {out, kernel: 1}, layers: [conv: {out_channels: out, kernel: kernel}, relu]}
  plain: {layers: [relu]}
layers:
"""

TWO = (
    "[bottleneck: {…}, name: x] is two entries; write {bottleneck: {…}, name: x}, "
    "or put name: on a line of its own, level with the layer."
)
SHAPED = "For instance conv: {out_channels: 64, kernel: 3, padding: 1}."


def test_an_entry_is_a_word_or_a_mapping(rows: Callable[..., list[str]]) -> None:
    assert rows(BLOCKS + """\
  - relu
  - max_pool: 2
  - plain
  - unit: {out: 5}
  - layers: [relu, tanh]
  - repeat: 2
    layers: [sigmoid]
  - {unit: 6, name: last, from: previous, when: true, repeat: 1}
""") == [
        "relu1 [1, 3, 8, 8]",
        "max_pool1 [1, 3, 4, 4]",
        "plain1.relu1 [1, 3, 4, 4]",
        "unit1.conv1 [1, 5, 4, 4]",
        "unit1.relu1 [1, 5, 4, 4]",
        "relu2 [1, 5, 4, 4]",
        "tanh1 [1, 5, 4, 4]",
        "sigmoid1 [1, 5, 4, 4]",
        "sigmoid2 [1, 5, 4, 4]",
        "last1.unit1.conv1 [1, 6, 4, 4]",
        "last1.unit1.relu1 [1, 6, 4, 4]",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        # one layer, one block or one group
        ("- relu:\n    tanh:", None),
        ("- relu:\n  tanh:", "7:3: one layer or block is due in an entry, not 2: 'relu', 'tanh'. "
         "Start a new entry with '- ', or move the fields to the right, under their layer."),
        ("- unit:\n  out: 3", "7:3: one layer or block is due in an entry, not 2: 'unit', 'out'. "
         "Start a new entry with '- ', or move the fields to the right, under their layer."),
        ("- conv:\n  out_channels: 3\n  kernel: 1",
         "7:3: 'out_channels' stands beside conv, not inside it. "
         "Move it to the right, under conv."),
        ("- conv: {out_channels: 3}\n  kernel_size: 3",
         "7:3: 'kernel_size' stands beside conv, not inside it. Move it to the right, under conv."),
        ("- {}", f"6:3: an entry with nothing and no layer. {TWO}"),
        ("- name: x", f"6:3: an entry with 'name' and no layer. {TWO}"),
        ("- {repeat: 3, when: true}", f"6:3: an entry with 'repeat', 'when' and no layer. {TWO}"),
        ("- [unit: {out: 3}, name: x]", f"6:3: a list where an entry is due. {TWO}"),
        ("- [relu, {tanh: , name: x}]", "6:3: a list where an entry is due. "
         "Only the branches of a merge are lists: add, multiply, concat …"),
        ("- [relu]", "6:3: a list where an entry is due. "
         "Only the branches of a merge are lists: add, multiply, concat …"),
        ("- relu\n-", "7:2: an empty entry. Take the '-' away."),
        ("- branch: [relu]", "6:3: 'branch' stands only in the list of a merge's branches"),
        # unknown ones
        ("- conv2d", "6:3: unknown layer 'conv2d'. Did you mean 'conv'?"),
        ("- Dense: 3", "6:3: unknown layer 'Dense'. Did you mean 'linear'?"),
        ("- Sequential: [relu]", "6:3: unknown layer 'Sequential'. Did you mean 'layers'?"),
        ("- BatchNorm2d", "6:3: unknown layer 'BatchNorm2d'. Did you mean 'batch_norm'?"),
        ("- uint: 3", "6:3: unknown layer 'uint'. Did you mean 'unit'?"),
        ("- qqqqq", "6:3: unknown layer 'qqqqq'. 'convcalc layers' lists the layers."),
        ("- nn.Conv2d", "6:3: 'nn.Conv2d' is no layer and no block"),
        ("- max_pool:2", "6:3: 'max_pool:2' is no layer and no block. "
         "A key needs a space after its colon: conv: 64."),
        ("- '64'", "6:3: '64' is no layer and no block"),
        # fields and arguments
        ("- conv: {filters: 3, kernel: 1}",
         "6:10: conv has no field 'filters'. Did you mean 'out_channels'?"),
        ("- conv: {in_channels: 3, kernel: 1}",
         "6:10: conv has no field 'in_channels'. It follows from the input: leave it out."),
        ("- relu: {size: 3}", "6:10: relu has no field 'size'. It takes no value."),
        ("- relu: 3", "6:9: relu takes no value"),
        ("- relu: []", "6:9: relu takes no value"),
        ("- conv: 3", f"6:3: conv needs its field 'kernel'. {SHAPED}"),
        ("- conv", f"6:3: conv needs its field 'out_channels'. {SHAPED}"),
        ("- conv:", f"6:3: conv needs its field 'out_channels'. {SHAPED}"),
        ("- unit: {outt: 3}", "6:10: unit has no argument 'outt'. Did you mean 'out'?"),
        ("- unit: {zzz: 3}", "6:10: unit has no argument 'zzz'. It has out, kernel."),
        ("- unit", "6:3: block 'unit' needs its argument 'out'. For instance unit: {out: …}."),
        ("- plain: 3", "6:10: block 'plain' takes no arguments"),
        ("- plain: {x: 3}", "6:11: plain has no argument 'x'. It takes no value."),
        ("- conv: {out_channels: {a: 1}, kernel: 1}",
         "6:24: a value is due here, not a mapping"),
        ("- conv: {out_channels: , kernel: 1}", "6:10: a value is due here, not nothing"),
        # keys inside a layer that belong beside it
        ("- unit: {out: 3, repeat: 2}", "6:18: 'repeat' stands inside unit, not beside it. "
         "Move repeat: to the left, level with unit."),
        ("- conv: {out_channels: 3, kernel: 1, name: x}",
         "6:38: 'name' stands inside conv, not beside it. "
         "Move name: to the left, level with conv."),
        ("- relu:\n    when: true", "7:5: 'when' stands inside relu, not beside it. "
         "Move when: to the left, level with relu."),
        # keys beside a layer
        ("- relu:\n  repeat: 2\n  for: {i: [1]}",
         "8:8: repeat and for together in one entry. Put one loop inside the other."),
        ("- layers: [relu]\n  name: x", "7:9: 'name' belongs to a layer or a block, not to a "
         "group. Make the group a block to name or share it, or put it on the entries."),
        ("- layers: [relu]\n  share: x", "7:10: 'share' belongs to a layer or a block, not to a "
         "group. Make the group a block to name or share it, or put it on the entries."),
        ("- layers: [relu]\n  functional: true", "7:15: 'functional' belongs to a layer or a "
         "block, not to a group. Make the group a block to name or share it, or put it on the "
         "entries."),
        ("- repeat: 2\n  share: x\n  layers: [relu]",
         "7:10: 'share' belongs to a layer or a block"),
        ("- layers: relu", "6:11: layers: a list is due, not 'relu'. "
         "Write each layer on a line of its own after '- '."),
        ("- relu:\n  functional: yes", "7:15: functional: is true or false, not 'yes'"),
        ("- relu:\n  functional: 1 == 1", "7:15: functional: is true or false, not '1 == 1'"),
    ],
)  # fmt: skip
def test_wrong_entries(message: Callable[..., str], entries: str, expected: str | None) -> None:
    text = BLOCKS + entries + "\n"
    if expected is None:
        assert message(text).startswith("<string>:7:5: relu has no field 'tanh'")
    else:
        assert message(text) == f"<string>:{expected}"


def test_layers_is_a_list(message: Callable[..., str]) -> None:
    assert message("input: [3]\nlayers: relu\n") == (
        "<string>:2:9: layers: a list is due, not 'relu'. "
        "Write each layer on a line of its own after '- '."
    )


# -- values of entries --------------------------------------------------------------------------


def test_an_empty_value_means_all_defaults(rows: Callable[..., list[str]]) -> None:
    assert rows("""
        input: [3, 8, 8]
        layers:
          - {relu: , name: a}
          - batch_norm:
          - {concat: , from: [a, previous]}
          - batch_norm: {}
    """) == [
        "a [1, 3, 8, 8]",
        "batch_norm1 [1, 3, 8, 8]",
        "concat1 [1, 6, 8, 8]",
        "batch_norm2 [1, 6, 8, 8]",
    ]


def test_a_bare_value_fills_the_first_field(rows: Callable[..., list[str]]) -> None:
    assert rows(BLOCKS + """\
  - unit: 5
  - max_pool: 2
  - flatten
  - linear: 10
""")[1:] == ["unit1.relu1 [1, 5, 8, 8]", "max_pool1 [1, 5, 4, 4]", "flatten1 [1, 80]",
             "linear1 [1, 10]"]  # fmt: skip


def test_a_list_is_the_first_fields_value_never_positional(
    rows: Callable[..., list[str]], message: Callable[..., str]
) -> None:
    assert rows(BLOCKS + "  - max_pool: [2, 4]\n") == ["max_pool1 [1, 3, 4, 2]"]
    assert message(BLOCKS + "  - unit: [5, 3]\n") == (
        "<string>:3:69: unit1.conv1: out_channels: a whole number is due here, "
        "not the list [5, 3]\n  in block unit, <string>:6:5"
    )


# -- the tensor that reaches an entry -----------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "name", "expected"),
    [
        ("[5]", "in_channels", 5),
        ("[5]", "in_features", 5),
        ("[5, 7]", "in_channels", 5),
        ("[5, 7]", "in_length", 7),
        ("[5, 7]", "in_features", 7),
        ("[5, 7, 9]", "in_height", 7),
        ("[5, 7, 9]", "in_width", 9),
        ("[5, 7, 9]", "in_features", 9),
        ("[5, 7, 9, 11]", "in_depth", 7),
        ("[5, 7, 9, 11]", "in_height", 9),
        ("[5, 7, 9, 11]", "in_width", 11),
        ("[5, 7, 9]", "in_shape[0]", 2),
        ("[5, 7, 9]", "in_shape[2]", 7),
        ("[5, 7, 9]", "len(in_shape)", 4),
        ("[5, 7, 9]", "max(in_shape)", 9),
    ],
)
def test_in_names_are_of_the_tensor_that_reaches_the_entry(
    shape: str, name: str, expected: int
) -> None:
    text = f'input: {shape}\nlayers:\n  - linear: {{out_features: "{name}", axis: -1}}\n'
    assert convcalc.loads(text, N=2).graph.nodes[0].shape[-1] == expected


@pytest.mark.parametrize(
    ("shape", "name", "has"),
    [
        ("[5]", "in_height", "in_channels, in_features"),
        ("[5, 7]", "in_width", "in_channels, in_features, in_length"),
        ("[5, 7, 9]", "in_length", "in_channels, in_features, in_height, in_width"),
        ("[5, 7, 9]", "in_depth", "in_channels, in_features, in_height, in_width"),
        ("[5, 7, 9, 11]", "in_length", "in_channels, in_features, in_depth, in_height, in_width"),
        ("[5, 7, 9, 11, 13]", "in_depth", "in_channels, in_features"),
    ],
)
def test_asking_for_an_absent_one_is_an_error(
    message: Callable[..., str], shape: str, name: str, has: str
) -> None:
    text = f"input: {shape}\nlayers:\n  - linear: {{out_features: {name}, axis: -1}}\n"
    shown = shape.replace("[", "[1, ")
    assert message(text) == (
        f"<string>:3:28: linear1: the tensor here, {shown}, has no {name}. It has {has}."
    )


def test_they_change_from_entry_to_entry(rows: Callable[..., list[str]]) -> None:
    assert rows("""
        input: [3, 8, 8]
        layers:
          - {conv: {out_channels: 2 * in_channels, kernel: 1}, repeat: 3}
          - conv: {out_channels: in_height, kernel: in_width // 2}
            when: in_channels == 24
          - conv: {out_channels: in_height, kernel: 1}
            when: in_channels == 24
    """) == [
        "conv1 [1, 6, 8, 8]",
        "conv2 [1, 12, 8, 8]",
        "conv3 [1, 24, 8, 8]",
        "conv4 [1, 8, 5, 5]",
    ]


def test_a_group_guards_several_entries_by_one_condition(
    rows: Callable[..., list[str]],
) -> None:
    text = """
        input: [3, 8, 8]
        layers:
          - layers:
              - conv: {out_channels: 5, kernel: 1}
              - conv: {out_channels: 6, kernel: 1}
            when: in_channels == C
          - relu
        variables: {C: 3}
    """
    assert [row.split()[0] for row in rows(text)] == ["conv1", "conv2", "relu1"]
    assert [row.split()[0] for row in rows(text, C=5)] == ["relu1"]


def test_with_from_they_are_of_the_tensor_read(rows: Callable[..., list[str]]) -> None:
    assert rows("""
        input: [3, 8, 8]
        layers:
          - {conv: {out_channels: 7, kernel: 1}, name: seven}
          - conv: {out_channels: 2 * in_channels, kernel: in_channels}
            from: input
          - adaptive_avg_pool: 8
          - {concat: , from: [previous, seven]}
          - conv: {out_channels: in_channels, kernel: 1}
            when: in_channels == 13
    """) == [
        "seven [1, 7, 8, 8]",
        "conv1 [1, 6, 6, 6]",
        "adaptive_avg_pool1 [1, 6, 8, 8]",
        "concat1 [1, 13, 8, 8]",
        "conv2 [1, 13, 8, 8]",
    ]


# -- when, functional ---------------------------------------------------------------------------


def test_when_leaves_the_entry_out(paths: Callable[..., list[str]]) -> None:
    text = """
        input: [3, 8, 8]
        variables: {deep: true, n: 2}
        layers:
          - relu
          - {tanh: , when: deep}
          - {tanh: , when: not deep}
          - {sigmoid: , when: deep and n > 1}
          - {relu: , repeat: n, when: n == 2}
    """
    assert paths(text) == ["relu1", "tanh1", "sigmoid1", "relu2", "relu3"]
    assert paths(text, deep=False) == ["relu1", "tanh1", "relu2", "relu3"]
    assert paths(text, n=1) == ["relu1", "tanh1"]


def test_what_is_left_out_is_not_looked_at(paths: Callable[..., list[str]]) -> None:
    assert paths("""
        input: [3, 8, 8]
        layers:
          - relu
          - conv: {out_channels: 1 / 0, kernel: 99}
            when: 1 == 2
          - {max_pool: 100, when: in_height > 100}
    """) == ["relu1"]


TRUTH = "A truth value is true, false or a comparison, as n > 0."


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("1", f"when: is true or false, not 1. {TRUTH}"),
        ("0", f"when: is true or false, not 0. {TRUTH}"),
        ("[true]", f"when: is true or false, not [true]. {TRUTH}"),
        ("yes", "'yes' is no truth value here. Write true or false."),
        ("deep", "'deep' is no variable. True or false is due here."),
        ("in_channels", f"when: is true or false, not 3. {TRUTH}"),
    ],
)
def test_wrong_conditions(message: Callable[..., str], condition: str, expected: str) -> None:
    text = f"input: [3]\nlayers:\n  - relu\n  - tanh:\n    when: {condition}\n"
    assert message(text) == f"<string>:5:11: {expected}"


def test_nothing_left(message: Callable[..., str]) -> None:
    assert message("input: [3]\nlayers:\n  - {relu: , when: false}\n") == (
        "<string>:2:1: no layers are left. Not one entry makes a layer here."
    )


def test_functional_marks_layers_and_changes_no_figure() -> None:
    text = """\
input: [3, 8, 8]
blocks: {b: {layers: [conv: {out_channels: 2, kernel: 1}, relu]}}
layers:
  - {relu: , functional: true}
  - tanh
  - {b: , functional: true}
  - {sigmoid: , functional: true, repeat: 2}
  - {sigmoid: , functional: false}
"""
    net = convcalc.loads(text)
    marked = [node.path for node in net.graph.nodes if node.functional]
    assert marked == ["relu1", "b1.conv1", "b1.relu1", "sigmoid1", "sigmoid2"]
    plain = convcalc.loads(text.replace("functional: true", "functional: false"))
    assert plain.summarize().totals == net.summarize().totals
