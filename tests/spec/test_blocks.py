"""language.md, Blocks and loops."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import convcalc

# -- blocks -------------------------------------------------------------------------------------


def test_a_block_sees_its_arguments_and_the_variables(rows: Callable[..., list[str]]) -> None:
    assert rows("""
        input: [3, 8, 8]
        variables: {width: 5}
        blocks:
          unit:
            arguments: {kernel}
            layers: [conv: {out_channels: width, kernel: kernel}]
        layers: [unit: 3]
    """) == ["unit1.conv1 [1, 5, 6, 6]"]


def test_never_its_callers_loop_names(message: Callable[..., str]) -> None:
    assert message("""
        input: [3, 8, 8]
        blocks: {unit: {layers: [conv: {out_channels: out, kernel: 1}]}}
        layers:
          - {unit: , for: {out: [4, 5]}}
    """) == (
        "<string>:2:47: unit1.conv1: 'out' is no variable. A whole number is due here.\n"
        "  in block unit, <string>:4:6"
    )


def test_nor_its_callers_arguments(message: Callable[..., str]) -> None:
    assert message("""
        input: [3, 8, 8]
        blocks:
          outer: {arguments: {out}, layers: [inner]}
          inner: {layers: [conv: {out_channels: 2 * out, kernel: 1}]}
        layers: [outer: 4]
    """) == (
        "<string>:4:41: outer1.inner1.conv1: unknown name 'out'. "
        "A word in a larger expression is quoted: act == 'relu'.\n"
        "  in block inner, <string>:3:38\n"
        "  in block outer, <string>:5:10"
    )


def test_an_argument_hides_a_variable(rows: Callable[..., list[str]]) -> None:
    assert rows("""
        input: [3, 8, 8]
        variables: {out: 5}
        blocks: {unit: {arguments: {out: 7}, layers: [conv: {out_channels: out, kernel: 1}]}}
        layers: [unit, unit: {out: out}, conv: {out_channels: out, kernel: 1}]
    """) == ["unit1.conv1 [1, 7, 8, 8]", "unit2.conv1 [1, 5, 8, 8]", "conv1 [1, 5, 8, 8]"]


def test_values_and_defaults_are_evaluated_once_per_call_at_the_blocks_input(
    rows: Callable[..., list[str]],
) -> None:
    assert rows("""
        input: [3, 8, 8]
        blocks:
          unit:
            arguments: {given, channels: in_channels, wide: 2 * channels + given}
            layers:
              - conv: {out_channels: 50, kernel: 1}
              - conv: {out_channels: wide, kernel: 1}
              - conv: {out_channels: channels, kernel: 1}
        layers:
          - unit: in_height
          - unit: {given: in_channels, channels: 1}
    """) == [
        "unit1.conv1 [1, 50, 8, 8]",
        "unit1.conv2 [1, 14, 8, 8]",
        "unit1.conv3 [1, 3, 8, 8]",
        "unit2.conv1 [1, 50, 8, 8]",
        "unit2.conv2 [1, 5, 8, 8]",
        "unit2.conv3 [1, 1, 8, 8]",
    ]


LATER = "has no value yet. A default may read the arguments before it."


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("{a: ①2 * b, b: 3}", f"the default of 'a' reads the argument 'b', which {LATER}"),
        ("{a: ①b, b}", f"the default of 'a' reads the argument 'b', which {LATER}"),
        ("{b: 1, a: ①a + 1}", f"the default of 'a' reads the argument 'a', which {LATER}"),
        ("{b: 1, a: ①{c: 1}}", "a value is due here, not a mapping"),
        ("[a, b, ①a]", "the argument 'a' stands here twice"),
        ("[①[a]]", "an argument is a name"),
        ("①a", "arguments: a mapping of names is due, not 'a'. For instance {out, stride: 1}."),
    ],
)
def test_wrong_arguments(message: Callable[..., str], arguments: str, expected: str) -> None:
    assert (
        message(f"""
        input: [3, 8, 8]
        blocks:
          unit: {{arguments: {arguments}, layers: [relu]}}
        layers: [relu]
    """)
        == f"①: {expected}"
    )


def test_an_argument_of_the_name_of_a_variable_may_default_to_it(
    rows: Callable[..., list[str]],
) -> None:
    assert rows("""
        input: [3, 8, 8]
        variables: {width: 5}
        blocks:
          unit: {arguments: {width: 2 * width}, layers: [conv: {out_channels: width, kernel: 1}]}
        layers: [unit]
    """) == ["unit1.conv1 [1, 10, 8, 8]"]


def test_no_default_means_required(
    rows: Callable[..., list[str]], message: Callable[..., str]
) -> None:
    text = """
        input: [3, 8, 8]
        blocks:
          unit: {arguments: [out, kernel], layers: [conv: {out_channels: out, kernel: kernel}]}
        layers:
          - unit: {out: 5%s}
    """
    assert rows(text % ", kernel: 3") == ["unit1.conv1 [1, 5, 6, 6]"]
    assert message(text % "") == (
        "<string>:5:5: block 'unit' needs its argument 'kernel'. "
        "For instance unit: {out: …, kernel: …}."
    )


@pytest.mark.parametrize(
    ("blocks", "expected"),
    [
        ("{①relu: {layers: [tanh]}}", "'relu' is a layer: a block needs another name"),
        ("{unit: {①args: {a}, layers: [relu]}}",
         "unknown key 'args' in block 'unit'. Did you mean 'arguments'?"),
        ("{unit: {①zzz: 1, layers: [relu]}}",
         "unknown key 'zzz' in block 'unit'. A block has arguments: and layers:."),
        ("{①unit: {arguments: {a}}}", "block 'unit' has no layers"),
        ("{①unit: {layers: []}}", "block 'unit' has no layers"),
        ("{unit: ①[relu]}", "block 'unit': a mapping of names is due, not a list. "
         "A block has arguments: and layers:."),
        ("①[unit]", "blocks: a mapping of names is due, not a list"),
        ("{unit: {layers: [conv: {out_channels: 1, ①kernl: 1}]}}",
         "conv has no field 'kernl'. Did you mean 'kernel'?"),
        ("{unit: {layers: [①uint]}}", "unknown layer 'uint'. Did you mean 'unit'?"),
    ],
)  # fmt: skip
def test_wrong_blocks_are_errors_even_where_they_are_not_used(
    message: Callable[..., str], blocks: str, expected: str
) -> None:
    assert message(f"input: [3]\nblocks: {blocks}\nlayers: [tanh]\n") == f"①: {expected}"


def test_the_way_through_the_blocks_in_an_error(message: Callable[..., str]) -> None:
    assert message("""
        input: [3, 8, 8]
        blocks:
          stage:
            layers:
              - unit: {kernel: 3}
                repeat: 5
          unit:
            arguments: {kernel}
            layers:
              - conv: {out_channels: 4, kernel: kernel}
              - relu
        layers:
          - relu
          - {stage: , name: head}
    """) == (
        "<string>:10:9: head.unit4.conv1: a window of 3 does not fit height 2. "
        "A larger input, more padding or one pooling less would do.\n"
        "  in block unit, <string>:5:9\n"
        "  in block stage, <string>:14:6"
    )


# -- recursion ----------------------------------------------------------------------------------

COUNTDOWN = """\
input: [3, 8, 8]
blocks:
  down: {arguments: {n}, layers: [relu, {down: n - 1, when: n > 1}]}
layers:
  - down: %d
"""


def test_a_block_may_call_itself(paths: Callable[..., list[str]]) -> None:
    assert paths(COUNTDOWN % 3) == ["down1.relu1", "down1.down1.relu1", "down1.down1.down1.relu1"]


def test_to_depth_100(paths: Callable[..., list[str]], message: Callable[..., str]) -> None:
    assert len(paths(COUNTDOWN % 100)) == 100
    assert message(COUNTDOWN % 101) == (
        "<string>:3:42: down1.down1.down1.….down1.down1.down1: "
        "blocks call each other more than 100 levels deep. "
        "Does 'down' call itself without an end? A when: would stop it.\n"
        + "  in block down, <string>:3:42\n" * 3
        + "  … 95 more …\n"
        + "  in block down, <string>:3:42\n" * 2
        + "  in block down, <string>:5:5"
    )


@pytest.mark.parametrize(
    "blocks",
    [
        "{a: {layers: [a]}}",
        "{a: {layers: [relu, b]}, b: {layers: [a]}}",
        "{a: {layers: [a, a]}}",
        "{a: {layers: [{add: [[a], [a]]}]}}",
        "{a: {layers: [{layers: [{layers: [a]}]}]}}",
        "{a: {layers: [{a: , repeat: 3}]}}",
        "{a: {arguments: {n: in_channels}, layers: [conv: {out_channels: n, kernel: 1}, a]}}",
    ],
)
def test_without_an_end(message: Callable[..., str], blocks: str) -> None:
    assert (
        "blocks call each other more than 100 levels deep"
        in message(f"input: [3, 8, 8]\nblocks: {blocks}\nlayers: [a]\n")
    )  # fmt: skip


# -- words that name layers and blocks ----------------------------------------------------------


def test_an_argument_may_be_a_word_that_names_a_layer(paths: Callable[..., list[str]]) -> None:
    assert paths("""
        input: [3, 8, 8]
        blocks: {unit: {arguments: {activation: relu}, layers: [activation, batch_norm]}}
        layers: [unit, unit: tanh, unit: {activation: sigmoid}]
    """) == [
        "unit1.relu1", "unit1.batch_norm1", "unit2.tanh1", "unit2.batch_norm1",
        "unit3.sigmoid1", "unit3.batch_norm1",
    ]  # fmt: skip


def test_or_a_block_which_takes_arguments(rows: Callable[..., list[str]]) -> None:
    text = """
        input: [3, 8, 8]
        variables: {body: narrow}
        blocks:
          wrap: {arguments: {inner, out}, layers: [inner: {width: out}]}
          narrow: {arguments: {width}, layers: [conv: {out_channels: width, kernel: 1}]}
          wide: {arguments: {width}, layers: [conv: {out_channels: 2 * width, kernel: 1}]}
        layers:
          - body: 4
          - body: {width: 5}
          - wrap: {inner: body, out: 6}
          - wrap: {inner: wide, out: 6}
    """
    assert rows(text) == [
        "narrow1.conv1 [1, 4, 8, 8]",
        "narrow2.conv1 [1, 5, 8, 8]",
        "wrap1.narrow1.conv1 [1, 6, 8, 8]",
        "wrap2.wide1.conv1 [1, 12, 8, 8]",
    ]
    assert rows(text, body="wide")[2] == "wrap1.wide1.conv1 [1, 12, 8, 8]"


def test_what_it_is_given_counts_as_read(rows: Callable[..., list[str]]) -> None:
    assert rows("""
        input: [3, 8, 8]
        variables: {width: 5, k: 3, n: 2}
        blocks: {wrap: {arguments: {inner}, layers: [
          inner: {out_channels: width, kernel: "[k, 1 + k]"}, {relu: , name: "r{n}"}]}}
        layers: [wrap: conv]
    """) == ["wrap1.conv1 [1, 5, 6, 5]", "wrap1.r2 [1, 5, 6, 5]"]


def test_or_a_merge(paths: Callable[..., list[str]]) -> None:
    assert paths("""
        input: [3, 8, 8]
        blocks:
          unit: {arguments: {join}, layers: [join: [[], [{relu: , name: "r{in_channels}"}]]]}
        layers: [unit: add, unit: concat]
    """) == ["unit1.r3", "unit1.add1", "unit2.r3", "unit2.concat1"]


def test_loop_names_may_be_such_words(paths: Callable[..., list[str]]) -> None:
    assert paths("""
        input: [3, 8, 8]
        layers:
          - for: {act: [relu, tanh]}
            act:
    """) == ["relu1", "tanh1"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("③rleu", "③: unit1: 'rleu' is no layer and no block. Did you mean 'relu'?"),
        ("3", "①: unit1: 'kind' is 3 here, no layer and no block"),
        ("relu", "②: unit1: relu has no field 'kernel'. It takes no value."),
        ("linear", "②: unit1: linear has no field 'kernel'. It has out_features, bias, axis."),
        ("plain", "②: unit1: plain has no argument 'kernel'. It takes no value."),
        ("conv", "①: unit1: conv needs its field 'out_channels'. "
         "For instance conv: {out_channels: 64, kernel: 3, padding: 1}."),
    ],
)  # fmt: skip
def test_words_that_fit_no_layer(message: Callable[..., str], given: str, expected: str) -> None:
    assert (
        message(f"""
        input: [3, 8, 8]
        blocks:
          plain: {{layers: [relu]}}
          unit: {{arguments: [kind], layers: [①kind: {{②kernel: 3}}]}}
        layers: [④unit: {given}]
    """)
        == f"{expected}\n  in block unit, ④"
    )


def test_a_name_both_in_scope_and_a_layer(
    message: Callable[..., str], rows: Callable[..., list[str]]
) -> None:
    text = """
        input: [3, 8, 8]
        blocks: {unit: {arguments: {%s}, layers: [①scale, conv: {out_channels: %s, kernel: 1}]}}
        layers: [②unit]
    """
    assert message(text % ("scale: relu", "1")) == (
        "①: unit1: 'scale' is the word 'relu' here, and also a layer or a block. "
        "Give the variable or the argument another name.\n"
        "  in block unit, ②"
    )
    # a number cannot be meant
    assert rows(text % ("scale: 5", "scale")) == [
        "unit1.scale1 [1, 3, 8, 8]",
        "unit1.conv1 [1, 5, 8, 8]",
    ]


# -- loops --------------------------------------------------------------------------------------


def test_repeat_and_for_take_layers_or_one_layer_or_block(
    rows: Callable[..., list[str]],
) -> None:
    assert rows("""
        input: [3, 8, 8]
        blocks: {unit: {arguments: {out}, layers: [conv: {out_channels: out, kernel: 1}]}}
        layers:
          - {relu: , repeat: 2}
          - {unit: {out: w}, for: {w: [4, 5]}}
          - repeat: 2
            layers: [tanh, sigmoid]
          - for: {w: [6, 7], k: [1, 3]}
            layers:
              - conv: {out_channels: w, kernel: k}
    """) == [
        "relu1 [1, 3, 8, 8]", "relu2 [1, 3, 8, 8]",
        "unit1.conv1 [1, 4, 8, 8]", "unit2.conv1 [1, 5, 8, 8]",
        "tanh1 [1, 5, 8, 8]", "sigmoid1 [1, 5, 8, 8]",
        "tanh2 [1, 5, 8, 8]", "sigmoid2 [1, 5, 8, 8]",
        "conv1 [1, 6, 8, 8]", "conv2 [1, 7, 6, 6]",
    ]  # fmt: skip


def test_the_count_is_evaluated_once_and_fields_anew_each_round(
    rows: Callable[..., list[str]],
) -> None:
    assert rows("""
        input: [3, 8, 8]
        layers:
          - conv: {out_channels: 2 * in_channels, kernel: 1}
            repeat: in_channels
          - for: {i: "[in_channels, 1 + in_channels]"}
            conv: {out_channels: i + in_channels, kernel: 1}
    """) == [
        "conv1 [1, 6, 8, 8]",
        "conv2 [1, 12, 8, 8]",
        "conv3 [1, 24, 8, 8]",
        "conv4 [1, 48, 8, 8]",
        "conv5 [1, 73, 8, 8]",
    ]


def test_no_rounds(paths: Callable[..., list[str]]) -> None:
    assert paths("""
        input: [3, 8, 8]
        layers:
          - {relu: , repeat: 0}
          - {tanh: , for: {i: []}}
          - sigmoid
    """) == ["sigmoid1"]


def test_several_names_over_a_list_of_rows(rows: Callable[..., list[str]]) -> None:
    assert rows("""
        input: [3, 8, 8]
        variables: {table: [[7, tanh], [8, sigmoid]]}
        layers:
          - for:
              out, kernel, act:
                - [4, 3, relu]
                - [5, [1, 3], tanh]
              extra: [0, 1]
            layers:
              - conv: {out_channels: out + extra, kernel: kernel}
              - act
          - for: {"out, act": table}
            layers: [conv: {out_channels: out, kernel: 1}, act]
    """) == [
        "conv1 [1, 4, 6, 6]", "relu1 [1, 4, 6, 6]", "conv2 [1, 6, 6, 4]", "tanh1 [1, 6, 6, 4]",
        "conv3 [1, 7, 6, 4]", "tanh2 [1, 7, 6, 4]", "conv4 [1, 8, 6, 4]", "sigmoid1 [1, 8, 6, 4]",
    ]  # fmt: skip


def test_an_inner_loop_hides_the_names_of_an_outer_one(rows: Callable[..., list[str]]) -> None:
    assert rows("""
        input: [3, 8, 8]
        layers:
          - for: {i: [1, 2]}
            layers:
              - for: {i: "[10 * i]", j: "[i]"}
                conv: {out_channels: i + j, kernel: 1}
              - conv: {out_channels: i, kernel: 1}
    """) == [
        "conv1 [1, 11, 8, 8]", "conv2 [1, 1, 8, 8]", "conv3 [1, 22, 8, 8]", "conv4 [1, 2, 8, 8]",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("loop", "expected"),
    [
        ("repeat: ①-1", "repeat: -1 is too small: at least 0 is due here"),
        ("repeat: ①1.5", "repeat: a whole number is due here, not the fraction 3/2. "
         "Use // for division that rounds down."),
        ("repeat: ①true", "repeat: a whole number is due here, not the truth value true"),
        ("repeat: ①[2]", "repeat: a whole number is due here, not the list [2]"),
        ("repeat: ①three", "'three' is no variable. A whole number is due here."),
        ("①repeat: ", "a value is due here, not nothing"),
        ("for: {i: ①4}", "for: a list is due, not 4"),
        ("for: {i: ①many}", "'many' is no variable. A list is due here."),
        ("for: {①i: }", "a value is due here, not nothing"),
        ("for: ①{}", "for: no name with a list. For instance for: {width: [64, 128]}."),
        ("for: ①[i]", "for: a mapping of names is due, not a list. "
         "For instance for: {width: [64, 128]}."),
        ("for: ①3", "for: a mapping of names is due, not '3'. "
         "For instance for: {width: [64, 128]}."),
        ("①for: ", "for: a mapping of names is due, not nothing. "
         "For instance for: {width: [64, 128]}."),
        ('for: {①"i, i": [[1, 2]]}', "the loop variable 'i' stands here twice"),
        ('for: {①"i, ": [[1, 2]]}', "'' cannot be the name of a loop variable. "
         "A name is a letter, then letters, digits and _."),
        ('for: {"i, j": ①[[1, 2], [3]]}', "for: row 2 is [3], not one value for each of i, j"),
        ('for: {"i, j": ①[1, 2]}', "for: row 1 is 1, not one value for each of i, j"),
    ],
)  # fmt: skip
def test_wrong_loops(message: Callable[..., str], loop: str, expected: str) -> None:
    assert message(f"input: [3]\nlayers:\n  - {{relu: , {loop}}}\n") == f"①: {expected}"


def test_lists_of_different_lengths(message: Callable[..., str]) -> None:
    assert (
        message("""
        input: [3]
        variables: {depths: [3, 4, 6]}
        layers:
          - ①for: {width: [64, 128], depth: depths}
            relu:
    """)
        == "①: for: lists of different lengths: width has 2, depth has 3"
    )


OUTSIDE = (
    "'i' has no value here, outside of the loop's rounds. name:, from: and when: of a loop are "
    "read once, before its rounds: to use its names, put them on the entries inside, or on a "
    "group of them."
)


@pytest.mark.parametrize(
    "own", ['name: ①"x{i}"', 'from: ①"x{i}"', "when: ①i > 1", "when: ①i", 'from: [input, ①"x{i}"]']
)
def test_the_keys_of_a_loop_belong_to_the_whole(message: Callable[..., str], own: str) -> None:
    assert (
        message(f"""
        input: [3, 8, 8]
        layers:
          - for: {{i: [1, 2]}}
            relu:
            {own}
    """)
        == f"①: {OUTSIDE}"
    )


def test_they_are_read_once(paths: Callable[..., list[str]]) -> None:
    assert paths("""
        input: [3, 8, 8]
        variables: {i: 7}
        layers:
          - {relu: , name: start}
          - for: {i: [1, 2]}
            name: "x{i}"
            from: start
            when: in_channels == 3 and i == 7
            layers: [tanh, {conv: {out_channels: 4, kernel: 1}, when: i < 3}]
          - {concat: , from: [x71, x72, x7, start]}
    """) == ["start", "x71.tanh1", "x71.conv1", "x72.tanh1", "x72.conv1", "concat1"]


def test_from_feeds_the_first_round(rows: Callable[..., list[str]]) -> None:
    assert rows("""
        input: [3, 8, 8]
        layers:
          - {conv: {out_channels: 4, kernel: 1}, name: a}
          - {conv: {out_channels: 5, kernel: 1}, name: b}
          - repeat: 2
            from: a
            conv: {out_channels: 2 * in_channels, kernel: 1}
          - {concat: , from: [previous, b]}
    """) == [
        "a [1, 4, 8, 8]",
        "b [1, 5, 8, 8]",
        "conv1 [1, 8, 8, 8]",
        "conv2 [1, 16, 8, 8]",
        "concat1 [1, 21, 8, 8]",
    ]


def test_share_and_functional_of_a_loop_over_one_layer_are_the_layers() -> None:
    net = convcalc.loads("""\
input: [3, 8, 8]
layers:
  - {conv: {out_channels: 3, kernel: 1}, repeat: 3, share: w, functional: true}
""")
    assert net.summarize().totals.params == 12
    assert all(node.functional for node in net.graph.nodes)
