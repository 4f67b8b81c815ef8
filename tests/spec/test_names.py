"""language.md, Names."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import convcalc
from convcalc import ConvcalcError

ONLY = "Only names given with name:, to entries above, can be read."


# -- scopes -------------------------------------------------------------------------------------


def test_a_block_instance_is_a_scope(rows: Callable[..., list[str]]) -> None:
    assert rows("""
        input: [3, 8, 8]
        blocks:
          unit: {layers: [{conv: {out_channels: 5, kernel: 1}, name: a}, relu]}
        layers:
          - {relu: , name: a}
          - {unit: , name: first}
          - {unit: , name: second}
          - {concat: , from: [a, first, first.a, second]}
    """) == [
        "a [1, 3, 8, 8]",
        "first.a [1, 5, 8, 8]",
        "first.relu1 [1, 5, 8, 8]",
        "second.a [1, 5, 8, 8]",
        "second.relu1 [1, 5, 8, 8]",
        "concat1 [1, 18, 8, 8]",
    ]


def test_a_named_loop_opens_one_scope_a_round(rows: Callable[..., list[str]]) -> None:
    assert rows("""
        input: [3, 8, 8]
        layers:
          - for: {w: [4, 5]}
            name: layer
            layers:
              - {conv: {out_channels: w, kernel: 1}, name: c}
              - conv: {out_channels: 10 * w, kernel: 1}
          - {concat: , from: [layer1, layer2, layer, layer1.c, layer.c]}
          - {add: , from: [previous, previous]}
    """) == [
        "layer1.c [1, 4, 8, 8]",
        "layer1.conv1 [1, 40, 8, 8]",
        "layer2.c [1, 5, 8, 8]",
        "layer2.conv1 [1, 50, 8, 8]",
        "concat1 [1, 149, 8, 8]",
        "add1 [1, 149, 8, 8]",
    ]


def test_an_unnamed_loop_opens_none(
    rows: Callable[..., list[str]], message: Callable[..., str]
) -> None:
    assert (
        rows("""
        input: [3, 8, 8]
        layers:
          - for: {i: [1, 2]}
            layers:
              - {conv: {out_channels: 4 * i, kernel: 1}, name: "c{i}"}
          - {concat: , from: [c1, c2]}
    """)[-1]
        == "concat1 [1, 12, 8, 8]"
    )
    assert message("""
        input: [3, 8, 8]
        layers:
          - repeat: 2
            layers: [{relu: , name: ①same}]
    """) == (
        "①: the name 'same' is taken in this scope. "
        'Names are unique in their scope; in a loop, name: "x{i}".'
    )


def test_the_round_before_can_be_read(paths: Callable[..., list[str]]) -> None:
    assert paths("""
        input: [3, 8, 8]
        layers:
          - {relu: , name: d0}
          - for: {i: [1, 2]}
            name: d
            layers: [{tanh: , name: t, from: "d{i - 1}"}, {add: , from: [t, "d{i - 1}"]}]
    """) == ["d0", "d1.t", "d1.add1", "d2.t", "d2.add1"]


def test_loops_in_loops_and_blocks_make_dotted_paths(paths: Callable[..., list[str]]) -> None:
    assert paths("""
        input: [3, 8, 8]
        blocks: {bottleneck: {layers: [conv: {out_channels: 4, kernel: 1}]}}
        layers:
          - for: {depth: [1, 2]}
            name: layer
            layers: [{bottleneck: , repeat: depth}]
          - name: outer
            repeat: 2
            layers: [{name: inner, repeat: 2, layers: [relu]}]
    """) == [
        "layer1.bottleneck1.conv1", "layer2.bottleneck1.conv1", "layer2.bottleneck2.conv1",
        "outer1.inner1.relu1", "outer1.inner2.relu1", "outer2.inner1.relu1", "outer2.inner2.relu1",
    ]  # fmt: skip


def test_what_is_inside_a_merge_belongs_to_the_scope_around_it(
    paths: Callable[..., list[str]],
) -> None:
    assert paths("""
        input: [3, 8, 8]
        layers:
          - add: [[{relu: , name: a}], [relu], []]
          - {add: , from: [previous, a]}
    """) == ["a", "relu1", "add1", "add2"]


# -- filled names -------------------------------------------------------------------------------


def test_expressions_in_braces_are_filled_in(rows: Callable[..., list[str]]) -> None:
    assert rows("""
        input: [3, 8, 8]
        variables: {list: [4, 5], n: 2}
        blocks: {unit: {arguments: {word}, layers: [
          {relu: , name: "x_{word}"}, {tanh: , from: "x_{word}"}]}}
        layers:
          - {relu: , name: "a{n}"}
          - {relu: , name: "b{list[1] + n}{n}"}
          - {max_pool: 2, name: "{'c'}{n * 0}", share: "s{n}"}
          - {upsample: {like: "b{7}{n}"}, name: up}
          - unit: big
          - {add: , from: [previous, "b7{n}", "a{1 + 1}"]}
    """) == [
        "a2 [1, 3, 8, 8]",
        "b72 [1, 3, 8, 8]",
        "c0 [1, 3, 4, 4]",
        "up [1, 3, 8, 8]",
        "unit1.x_big [1, 3, 8, 8]",
        "unit1.tanh1 [1, 3, 8, 8]",
        "add1 [1, 3, 8, 8]",
    ]


FILL = "What stands in {…} is a word or a whole number of at least 0."


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a{1 / 2}", f"1/2 cannot be part of a name. {FILL}"),
        ("a{0 - 2}", f"-2 cannot be part of a name. {FILL}"),
        ("a{true}", f"true cannot be part of a name. {FILL}"),
        ("a{[1]}", f"[1] cannot be part of a name. {FILL}"),
        ("a{widht}", "'widht' is no variable. Did you mean 'width'?"),
        ("a{zzz}", "'zzz' is no variable"),
        ("a{2 * zzz}", "unknown name 'zzz'. "
         "A word in a larger expression is quoted: act == 'relu'."),
        ("a{}", "an expression is due here, not nothing"),
        ("a{1 +}", "no expression: '1 +'"),
        ("a{2", "name: unbalanced braces in 'a{2'"),
        ("a}2", "name: unbalanced braces in 'a}2'"),
        ("{3}a", "'3a' cannot be a name. A name is a letter, then letters, digits and _."),
        ("{'input'}", "'input' cannot be a name: the language uses it"),
        ("a" + "{1}" * 60, "name: 'a{1}{1}{1}{1}{1}{1}{1}{1}{1}{1}{1}{1}{1}{1}{1}{1}{1}{1}{1}{…' "
         "has too many parts"),
        ("a{10**120}", "a name of 122 characters; 100 are the limit"),
    ],
)  # fmt: skip
def test_what_cannot_be_filled_in(message: Callable[..., str], name: str, expected: str) -> None:
    assert (
        message(f"""
        input: [3, 8, 8]
        variables: {{width: 3}}
        layers:
          - conv: {{out_channels: width, kernel: 1}}
          - {{relu: , name: ①"{name}"}}
    """)
        == f"①: {expected}"
    )


# -- names --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["a", "A", "a_1", "relu", "relu1", "N", "when", "in_channels", "conv"]
)
def test_names_are_a_letter_then_letters_digits_and_underscores(
    paths: Callable[..., list[str]], name: str
) -> None:
    assert paths(f"""
        input: [3, 8, 8]
        layers:
          - {{tanh: , name: {name}}}
          - {{relu: , from: {name}, name: x}}
    """) == [name, "x"]


LETTERS = "A name is a letter, then letters, digits and _."


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("2a", f"'2a' cannot be a name. {LETTERS}"),
        ("a-b", f"'a-b' cannot be a name. {LETTERS}"),
        ("a.b", f"'a.b' cannot be a name. {LETTERS}"),
        ("_a", f"'_a' cannot be a name. {LETTERS}"),
        ("größe", f"'größe' cannot be a name. {LETTERS}"),
        ("a b", f"'a b' cannot be a name. {LETTERS}"),
        ("''", f"'' cannot be a name. {LETTERS}"),
        ("input", "'input' cannot be a name: the language uses it"),
        ("previous", "'previous' cannot be a name: the language uses it"),
        ("[a]", "name: a name is due, not a list"),
        ("{a: 1}", "name: a name is due, not a mapping"),
        ("a" * 101, "a name of 101 characters; 100 are the limit"),
    ],
)
def test_what_is_no_name(message: Callable[..., str], name: str, expected: str) -> None:
    assert message(f"input: [3]\nlayers:\n  - {{relu: , name: ①{name}}}\n") == f"①: {expected}"


@pytest.mark.parametrize(
    "layers",
    [
        "{relu: , name: x}\n  - {tanh: , name: ①x}",
        "{relu: , name: x}\n  - {tanh: , name: ①x, repeat: 2}",
        "{relu: , name: x2}\n  - {tanh: , name: ①x, repeat: 2}",
        "{relu: , name: x, repeat: 2}\n  - {tanh: , name: ①x2}",
        "{relu: , name: x, repeat: 2}\n  - {tanh: , name: ①x, repeat: 2}",
        "{unit: , name: x}\n  - {tanh: , name: ①x}",
        "{relu: , name: ①image}",
    ],
)
def test_names_are_unique_in_their_scope(message: Callable[..., str], layers: str) -> None:
    found = message(
        "inputs: {image: [3, 4]}\nblocks: {unit: {layers: [relu]}}\n"
        f"layers:\n  - {{relu: , from: image}}\n  - {layers}\n"
    )
    assert found.startswith("①: the name '")
    assert found.endswith(
        '\' is taken in this scope. Names are unique in their scope; in a loop, name: "x{i}".'
    )


def test_generated_names_count_per_scope_and_skip_explicit_ones(
    paths: Callable[..., list[str]],
) -> None:
    assert paths("""
        input: [3, 8, 8]
        blocks: {unit: {layers: [relu, tanh, relu]}}
        layers:
          - relu
          - {tanh: , name: relu2}
          - relu
          - unit
          - {relu: , name: unit2}
          - unit
          - {relu: , name: unit, repeat: 1}
          - unit
          - {relu: , name: relu1}
    """) == [
        "relu3", "relu2", "relu4", "unit3.relu1", "unit3.tanh1", "unit3.relu2", "unit2",
        "unit4.relu1", "unit4.tanh1", "unit4.relu2", "unit1.relu1", "unit5.relu1", "unit5.tanh1",
        "unit5.relu2", "relu1",
    ]  # fmt: skip


# -- from ---------------------------------------------------------------------------------------


def test_from_looks_from_the_inside_out(rows: Callable[..., list[str]]) -> None:
    assert (
        rows("""
        input: [3, 8, 8]
        blocks:
          unit:
            layers:
              - {conv: {out_channels: 5, kernel: 1}, name: inner}
              - {concat: , from: [inner, outer, input, previous, only]}
        layers:
          - {conv: {out_channels: 7, kernel: 1}, name: outer}
          - {conv: {out_channels: 2, kernel: 1}, name: only}
          - {conv: {out_channels: 11, kernel: 1}, name: inner}
          - {unit: , from: inner}
    """)[-1]
        == "unit1.concat1 [1, 30, 8, 8]"
    )


def test_input_is_the_scopes_input_and_previous_the_entry_above(
    rows: Callable[..., list[str]],
) -> None:
    assert rows("""
        input: [3, 8, 8]
        blocks:
          unit: {layers: [conv: {out_channels: 5, kernel: 1}, {concat: , from: [previous, input]}]}
        layers:
          - {relu: , from: previous}
          - conv: {out_channels: 7, kernel: 1}
          - unit
          - {concat: , from: [input, previous]}
          - {name: l, repeat: 2, layers: [conv: {out_channels: 1, kernel: 1},
                                          {concat: , from: [input, previous]}]}
    """) == [
        "relu1 [1, 3, 8, 8]",
        "conv1 [1, 7, 8, 8]",
        "unit1.conv1 [1, 5, 8, 8]",
        "unit1.concat1 [1, 12, 8, 8]",
        "concat1 [1, 15, 8, 8]",
        "l1.conv1 [1, 1, 8, 8]",
        "l1.concat1 [1, 16, 8, 8]",
        "l2.conv1 [1, 1, 8, 8]",
        "l2.concat1 [1, 17, 8, 8]",
    ]


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ("{relu: , from: ①skip}\n  - {relu: , name: skip}",
         f"no earlier layer is named 'skip'. {ONLY}"),
        ("{relu: , name: skip}\n  - {relu: , from: ①skpi}",
         "no earlier layer is named 'skpi'. Did you mean 'skip'?"),
        ("relu\n  - {relu: , from: ①relu1}", f"no earlier layer is named 'relu1'. {ONLY}"),
        ("unit\n  - {relu: , from: ①unit1}", f"no earlier layer is named 'unit1'. {ONLY}"),
        ("{unit: , name: u}\n  - {relu: , from: ①a}", f"no earlier layer is named 'a'. {ONLY}"),
        ("{unit: , name: u}\n  - {relu: , from: ①u.b}",
         "no earlier layer is named 'u.b'. Did you mean 'u.a'?"),
        ("{unit: , name: u}\n  - {relu: , from: ①u.relu1}",
         f"no earlier layer is named 'u.relu1'. {ONLY}"),
        ("{relu: , name: x}\n  - {relu: , from: ①x.y}", f"no earlier layer is named 'x.y'. {ONLY}"),
        ("{relu: , name: x}\n  - {relu: , from: ①x.}",
         "no earlier layer is named 'x.'. Did you mean 'x'?"),
        ("{relu: , name: x}\n  - {relu: , from: ①[]}", "from: the list is empty"),
        ("{relu: , name: x}\n  - {relu: , ①from: }", "from: a name is due, not nothing"),
        ("{relu: , name: x}\n  - {relu: , from: ①{x: 1}}", "from: a name is due, not a mapping"),
        ("{relu: , name: x}\n  - {tanh: , from: [x, ①x]}",
         "tanh takes one input, and from: gives 2. Merge them first, with add or concat."),
        ("{relu: , name: x}\n  - {unit: , from: [x, ①x]}", "block 'unit' takes one input"),
        ("{relu: , name: x}\n  - ①{layers: [relu], from: [x, x]}",
         "a group takes one input. Merge them first, with add or concat."),
        ("{relu: , name: x}\n  - ①{relu: , repeat: 2, from: [x, x]}",
         "a loop takes one input. Merge them first, with add or concat."),
        ("{relu: , name: l, repeat: 0}\n  - {relu: , from: ①l}",
         f"no earlier layer is named 'l'. {ONLY}"),
    ],
)  # fmt: skip
def test_from_reads_earlier_explicit_names_only(
    message: Callable[..., str], layers: str, expected: str
) -> None:
    assert (
        message(
            "input: [3, 8, 8]\nblocks: {unit: {layers: [{relu: , name: a}, relu]}}\n"
            f"layers:\n  - {layers}\n"
        )
        == f"①: {expected}"
    )


def test_a_list_of_one_name_is_that_name(paths: Callable[..., list[str]]) -> None:
    assert paths("""
        input: [3, 8, 8]
        layers:
          - {relu: , name: a}
          - {tanh: , from: [a]}
    """) == ["a", "tanh1"]


# -- words that name layers ---------------------------------------------------------------------


def test_a_word_argument_may_name_a_layer_found_at_the_caller(
    rows: Callable[..., list[str]],
) -> None:
    assert rows("""
        input: [3, 8, 8]
        blocks:
          join:
            arguments: {skip}
            layers:
              - {conv: {out_channels: 5, kernel: 1}, name: s}
              - {concat: , from: [previous, skip]}
              - {upsample: {like: skip}}
          outer:
            arguments: {skip}
            layers:
              - {conv: {out_channels: 6, kernel: 1}, name: s}
              - join: {skip: skip}
        layers:
          - {conv: {out_channels: 10, kernel: 1}, name: s}
          - relu
          - join: {skip: s}
          - outer: {skip: s}
          - join: {skip: input}
          - join: {skip: previous}
    """) == [
        "s [1, 10, 8, 8]",
        "relu1 [1, 10, 8, 8]",
        "join1.s [1, 5, 8, 8]", "join1.concat1 [1, 15, 8, 8]", "join1.upsample1 [1, 15, 8, 8]",
        "outer1.s [1, 6, 8, 8]", "outer1.join1.s [1, 5, 8, 8]",
        "outer1.join1.concat1 [1, 15, 8, 8]", "outer1.join1.upsample1 [1, 15, 8, 8]",
        "join2.s [1, 5, 8, 8]", "join2.concat1 [1, 8, 8, 8]", "join2.upsample1 [1, 8, 8, 8]",
        "join3.s [1, 5, 8, 8]", "join3.concat1 [1, 13, 8, 8]", "join3.upsample1 [1, 13, 8, 8]",
    ]  # fmt: skip


def test_loop_names_and_variables_may_be_such_words(rows: Callable[..., list[str]]) -> None:
    text = """
        input: [3, 8, 8]
        variables: {start: b}
        layers:
          - {conv: {out_channels: 4, kernel: 1}, name: a}
          - {conv: {out_channels: 5, kernel: 1}, name: b}
          - for: {level: [b, a]}
            name: out
            layers: [{conv: {out_channels: 2 * in_channels, kernel: 1}, from: level}]
          - {concat: , from: [out1, out2, start]}
    """
    assert rows(text)[-1] == "concat1 [1, 23, 8, 8]"
    assert rows(text, start="a")[-1] == "concat1 [1, 22, 8, 8]"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("①dd1", "①: join1: no earlier layer is named 'dd1'. Did you mean 'd1'?"),
        ("①zzz", f"①: join1: no earlier layer is named 'zzz'. {ONLY}"),
        ("3", "③: join1: 'skip' is 3 here, and no layer has that name"),
        ("[d1, d1]", "③: join1: 'skip' is ['d1', 'd1'] here, and no layer has that name"),
    ],
)
def test_words_that_name_no_layer(message: Callable[..., str], given: str, expected: str) -> None:
    assert (
        message(f"""
        input: [3, 8, 8]
        blocks: {{join: {{arguments: {{skip}}, layers: [{{concat: , from: [previous, ③skip]}}]}}}}
        layers:
          - {{relu: , name: d1}}
          - ②join: {{skip: {given}}}
    """)
        == f"{expected}\n  in block join, ②"
    )


def test_a_path_is_no_word(message: Callable[..., str]) -> None:
    assert message("""
        input: [3, 8, 8]
        blocks: {join: {arguments: {skip}, layers: [{concat: , from: [previous, skip]}]}}
        layers:
          - {relu: , name: d, repeat: 2}
          - join: {skip: ①d1.skip}
    """) == (
        "①: 'd1.skip' is not part of the spec language. "
        "A value can name a layer by a lone name only, not by a path."
    )


def test_a_name_that_is_both_an_argument_and_a_layer(message: Callable[..., str]) -> None:
    assert message("""
        input: [3, 8, 8]
        blocks:
          join: {arguments: {skip}, layers: [{relu: , name: skip}, {tanh: , from: ①skip}]}
        layers:
          - {relu: , name: d1}
          - ②join: d1
    """) == (
        "①: join1: 'skip' is the word 'd1' here, and also a layer. "
        "Give one of them another name.\n  in block join, ②"
    )


def test_an_argument_that_holds_a_number_hides_no_layer(paths: Callable[..., list[str]]) -> None:
    assert paths("""
        input: [3, 8, 8]
        variables: {N_out: 4}
        blocks: {unit: {arguments: {out}, layers: [
          {conv: {out_channels: out, kernel: 1}, name: out}, {relu: , from: out}]}}
        layers: [unit: N_out]
    """) == ["unit1.out", "unit1.relu1"]


def test_a_name_that_only_names_a_layer_reads_no_variable(message: Callable[..., str]) -> None:
    assert (
        message("""
        input: [3, 8, 8]
        variables: {①a: 4}
        layers: [{relu: , name: a, share: a}]
    """)
        == "①: nothing reads the variable 'a'. Take it away, or use it."
    )


def test_the_graph_as_far_as_it_could_be_built() -> None:
    with pytest.raises(ConvcalcError) as caught:
        convcalc.loads("""\
input: [3, 8, 8]
blocks: {unit: {arguments: {kernel}, layers: [relu, max_pool: kernel]}}
layers: [tanh, unit: 2, unit: 9, sigmoid]
""")
    partial = caught.value.partial
    assert [node.path for node in partial.nodes] == [
        "tanh1", "unit1.relu1", "unit1.max_pool1", "unit2.relu1",
    ]  # fmt: skip
    # the layer that did not fit has its path in the error, and is not in the graph
    assert caught.value.path == "unit2.max_pool1"
    assert [child.path for child in partial.root.children[-1].children] == ["unit2.relu1"]


def test_paths_of_the_graph_are_those_of_the_report() -> None:
    net = convcalc.load("resnet50")
    assert [row.name for row in net.summarize().rows] == [n.path for n in net.graph.nodes]
    assert len({node.path for node in net.graph.nodes}) == len(net.graph.nodes)
