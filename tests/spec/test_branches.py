"""language.md, Branches, and what of Shapes the builder does itself."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import convcalc
from convcalc.errors import ConvcalcError

MERGES = ["add", "subtract", "multiply", "divide", "maximum", "minimum", "concat"]
START = "input: [3, 8, 8]\nlayers:\n"


@pytest.mark.parametrize("merge", MERGES)
def test_merges_take_branches_or_from(rows: Callable[..., list[str]], merge: str) -> None:
    channels = 6 if merge == "concat" else 3
    assert rows(f"{START}  - {merge}: [[relu, tanh], []]\n") == [
        "relu1 [1, 3, 8, 8]",
        "tanh1 [1, 3, 8, 8]",
        f"{merge}1 [1, {channels}, 8, 8]",
    ]
    named = "  - {relu: , name: a}\n  - {tanh: , name: b}\n"
    found = rows(f"{START}{named}  - {{{merge}: , from: [a, b]}}\n")
    assert found[-1] == f"{merge}1 [1, {channels}, 8, 8]"


def test_the_long_form_has_fields_beside_the_branches(rows: Callable[..., list[str]]) -> None:
    assert rows(START + "  - concat: {branches: [[relu], []], axis: 2}\n")[-1] == (
        "concat1 [1, 3, 16, 8]"
    )
    assert rows(START + "  - {relu: , name: a}\n  - {concat: {axis: 3}, from: [a, input]}\n") == [
        "a [1, 3, 8, 8]",
        "concat1 [1, 3, 8, 16]",
    ]


def test_with_from_in_names_are_of_the_first_input(rows: Callable[..., list[str]]) -> None:
    assert (
        rows("""
        input: [2, 8, 8]
        layers:
          - {conv: {out_channels: 3, kernel: 1}, name: a}
          - {conv: {out_channels: 2, kernel: 1}, name: b}
          - {adaptive_avg_pool: 8, from: a, name: c}
          - {concat: {axis: in_channels}, from: [b, input]}
          - {slice: {axis: 2, stop: 8}}
          - {concat: {branches: [[], [{relu: , from: c}]], axis: in_channels - 1}}
    """)[-1]
        == "concat2 [1, 5, 8, 8]"
    )


EXAMPLE = "For instance add: [[conv: {out_channels: C, kernel: 3, padding: 1}], []]."


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("{add: ①[[relu], []], from: [a, a]}", "add has both branches and from:. "
         "One of the two gives the inputs; a branch may say from: in its first entry."),
        ("{add: ①[[relu], []], from: a}", "add has both branches and from:. "
         "One of the two gives the inputs; a branch may say from: in its first entry."),
        ("add: [①relu, []]", "a branch of add is a list of entries, not 'relu'. "
         "Write '- - conv: …' or '- [conv: …]'; [] is the identity."),
        ("add: [①{relu: }, []]", "a branch of add is a list of entries, not a mapping. "
         "Write '- - conv: …' or '- [conv: …]'; [] is the identity."),
        ("add: [①'', []]", "a branch of add is a list of entries, not nothing. "
         "Write '- - conv: …' or '- [conv: …]'; [] is the identity."),
        ("add: [{branch: [], ①name: x}, []]", "'name' beside branch:. "
         "A branch takes only when: beside it; other keys go on its entries."),
        ("add: [{branch: ①relu}, []]", "branch: a list is due, not 'relu'. "
         "Write each layer on a line of its own after '- '."),
        ("add: [{①branch: }, []]", "branch: a list is due, not nothing. "
         "Write each layer on a line of its own after '- '."),
        ("①add: []", "add: no branch is left"),
        ("①add: [{branch: [relu], when: false}]", "add: no branch is left"),
        ("add: {branches: [[], []], ①axs: 2}", "add has no field 'axs'. It takes no value."),
        ("concat: {branches: [[], []], ①axs: 2}", "concat has no field 'axs'. "
         "Did you mean 'axis'?"),
    ],
)  # fmt: skip
def test_wrong_merges(message: Callable[..., str], entry: str, expected: str) -> None:
    assert message(f"{START}  - {{relu: , name: a}}\n  - {entry}\n") == f"①: {expected}"


@pytest.mark.parametrize("entry", ["①add", "①add:", "①add: {}", "①concat: {axis: 2}"])
def test_a_merge_of_nothing(message: Callable[..., str], entry: str) -> None:
    kind = entry.strip("①").partition(":")[0]
    assert message(f"{START}  - {entry}\n").startswith(
        f"①: {kind} needs branches, or from: with the names of its inputs. For instance {kind}: ["
    )


def test_branches_that_are_no_list(message: Callable[..., str]) -> None:
    assert message(START + "  - add: ①relu\n").startswith("①: add: a list is due, not 'relu'. For")


def test_a_branch_is_fed_by_the_merges_input(rows: Callable[..., list[str]]) -> None:
    assert rows(
        START
        + """\
  - conv: {out_channels: 5, kernel: 1}
  - concat:
      - - conv: {out_channels: 2 * in_channels, kernel: 1}
        - conv: {out_channels: 2 * in_channels, kernel: 1}
      - - conv: {out_channels: 1 + in_channels, kernel: 1}
      - []
"""
    ) == [
        "conv1 [1, 5, 8, 8]",
        "conv2 [1, 10, 8, 8]",
        "conv3 [1, 20, 8, 8]",
        "conv4 [1, 6, 8, 8]",
        "concat1 [1, 31, 8, 8]",
    ]


def test_unless_its_first_entry_says_from(rows: Callable[..., list[str]]) -> None:
    assert (
        rows(
            START
            + """\
  - {conv: {out_channels: 5, kernel: 1}, name: five}
  - conv: {out_channels: 6, kernel: 1}
  - concat:
      - - {relu: , from: five}
        - conv: {out_channels: 2 * in_channels, kernel: 1}
      - [{tanh: , from: input}]
      - [{layers: [], from: five}]
      - []
"""
        )[-1]
        == "concat1 [1, 24, 8, 8]"
    )


def test_a_branch_of_what_when_leaves_out_is_the_identity(paths: Callable[..., list[str]]) -> None:
    text = """
        input: [3, 8, 8]
        variables: {project: true}
        layers:
          - add:
              - - tanh
              - - relu:
                  when: project
    """
    assert paths(text) == ["tanh1", "relu1", "add1"]
    assert paths(text, project=False) == ["tanh1", "add1"]


def test_a_branch_with_when_is_absent_when_false(rows: Callable[..., list[str]]) -> None:
    text = """
        input: [3, 8, 8]
        variables: {stride: 1, out: 3}
        layers:
          - concat:
              - - conv: {out_channels: out, kernel: 1, stride: stride}
              - {branch: [], when: stride == 1 and in_channels == out}
              - {branch: [tanh], when: stride == 1}
    """
    assert rows(text)[-1] == "concat1 [1, 9, 8, 8]"
    assert rows(text, out=4)[-1] == "concat1 [1, 7, 8, 8]"
    # with one branch left it passes that through
    assert rows(text, stride=2) == ["conv1 [1, 3, 4, 4]"]


def test_a_merge_left_with_one_branch_passes_it_through(rows: Callable[..., list[str]]) -> None:
    assert rows(
        START
        + """\
  - {add: [[relu]], name: only}
  - {concat: [{branch: [tanh], when: false}, []], name: nothing}
  - {max_pool: 2, from: only}
  - {add: , from: [previous]}
  - {concat: , from: previous}
"""
    ) == ["relu1 [1, 3, 8, 8]", "max_pool1 [1, 3, 4, 4]"]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("1", "when: is true or false, not 1. "
         "A truth value is true, false or a comparison, as n > 0."),
        ("zzz", "'zzz' is no variable. True or false is due here."),
    ],
)  # fmt: skip
def test_wrong_conditions_of_branches(
    message: Callable[..., str], condition: str, expected: str
) -> None:
    text = f"{START}  - add: [[relu], {{branch: [], when: ①{condition}}}]\n"
    assert message(text) == f"①: {expected}"


# -- shapes of merges ---------------------------------------------------------------------------


def test_elementwise_merges_broadcast_axes_of_size_1(rows: Callable[..., list[str]]) -> None:
    assert (
        rows("""
        input: [3, 8, 8]
        blocks:
          squeeze_excite:
            arguments: {squeeze, channels: in_channels}
            layers:
              - multiply:
                  - []
                  - [adaptive_avg_pool: 1, conv: {out_channels: squeeze, kernel: 1}, relu,
                     conv: {out_channels: channels, kernel: 1}, sigmoid]
        layers: [squeeze_excite: 2]
    """)[-1]
        == "squeeze_excite1.multiply1 [1, 3, 8, 8]"
    )
    assert (
        rows(START + "  - add: [[adaptive_avg_pool: [1, 8]], [adaptive_avg_pool: [8, 1]]]\n")[-1]
        == "add1 [1, 3, 8, 8]"
    )


SAME = "All branches must give the same shape: look at the strides, paddings and channels."


@pytest.mark.parametrize(
    ("branches", "expected"),
    [
        ("[conv: {out_channels: 4, kernel: 1}]", "add of unequal sizes 3 and 4 on axis 1: "
         f"[1, 3, 8, 8] and [1, 4, 8, 8]. {SAME}"),
        ("[max_pool: 2]", "add of unequal sizes 8 and 4 on axis 2: "
         f"[1, 3, 8, 8] and [1, 3, 4, 4]. {SAME}"),
        ("[global_avg_pool]", "add of tensors with different numbers of axes: "
         "[1, 3, 8, 8] and [1, 3]. keep_axes: true on a global pooling keeps the axes."),
    ],
)  # fmt: skip
def test_all_else_is_an_error(message: Callable[..., str], branches: str, expected: str) -> None:
    assert message(f"{START}  - ①add: [[], {branches}]\n") == f"①: add1: {expected}"


def test_with_symbols_equal_sizes_are_fine() -> None:
    net = convcalc.loads(
        "input: [3, H, W]\nlayers:\n  - add: [[], [max_pool: {kernel: 3, stride: 1, padding: 1}]]\n"
    )
    assert net.graph.undecided == []


def test_sizes_that_differ_by_a_constant_are_an_error(message: Callable[..., str]) -> None:
    assert message(
        "input: [3, H, W]\nlayers:\n  - ①add: [[], [max_pool: {kernel: 3, stride: 1}]]\n"
    ) == (
        "①: add1: add of unequal sizes H and H − 2 on axis 2: [1, 3, H, W] and "
        f"[1, 3, H − 2, W − 2]. {SAME}"
    )


def test_undecided_ones_become_a_requirement_that_is_checked_on_numbers() -> None:
    text = "input: [3, H, W]\nlayers:\n  - add: [[max_pool: 2, upsample: 2], []]\n"
    net = convcalc.loads(text)
    merge = net.graph.nodes[-1]
    assert [str(needs) for node, needs in net.graph.undecided if node is merge] == [
        "H = 2·⌊H/2⌋",
        "W = 2·⌊W/2⌋",
    ]
    assert convcalc.loads(text, H=8, W=6).graph.undecided == []
    with pytest.raises(ConvcalcError) as caught:
        convcalc.loads(text, H=8, W=7)
    assert str(caught.value) == (
        "<string>:3:5: add1: add of unequal sizes 6 and 7 on axis 3: "
        f"[1, 3, 8, 6] and [1, 3, 8, 7]. {SAME} 2 divides W where the network fits, as 6 and 8."
    )


# -- like ---------------------------------------------------------------------------------------


def test_like_takes_the_spatial_size_of_a_layer(rows: Callable[..., list[str]]) -> None:
    assert rows("""
        input: [3, 9, 7]
        blocks: {up: {arguments: {to}, layers: [upsample: {like: to}]}}
        layers:
          - {conv: {out_channels: 5, kernel: 1}, name: a}
          - {max_pool: 2, name: b}
          - upsample: {like: a}
          - {crop: {like: b}}
          - up: {to: a}
          - {crop: {like: "{'b'}"}}
          - upsample: {like: input}
          - {crop: {like: b}, from: previous}
    """) == [
        "a [1, 5, 9, 7]",
        "b [1, 5, 4, 3]",
        "upsample1 [1, 5, 9, 7]",
        "crop1 [1, 5, 4, 3]",
        "up1.upsample1 [1, 5, 9, 7]",
        "crop2 [1, 5, 4, 3]",
        "upsample2 [1, 5, 9, 7]",
        "crop3 [1, 5, 4, 3]",
    ]


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("upsample: {like: ①c}", "upsample1: no earlier layer is named 'c'. "
         "Only names given with name:, to entries above, can be read."),
        ("upsample: {like: ①flta}", "upsample1: no earlier layer is named 'flta'. "
         "Did you mean 'flat'?"),
        ("upsample: {①like: a, size: 3}", "upsample: like: and size: together. One will do."),
        ("upsample: {like: ①flat}", "upsample1: like: flat has 0 spatial axes, the input 2"),
        ("upsample: {like: ①[a]}", "like: a name is due, not a list"),
        ("upsample: {①like: }", "like: a name is due, not nothing"),
        ("{crop: {like: a}, from: flat}", None),
    ],
)  # fmt: skip
def test_wrong_likes(message: Callable[..., str], entry: str, expected: str | None) -> None:
    found = message(f"""
        input: [3, 9, 7]
        layers:
          - {{max_pool: 2, name: a}}
          - {{flatten: , name: flat}}
          - {{relu: , from: a}}
          - {entry}
    """)
    if expected is None:
        assert "like: a has 2 spatial axes" in found
    else:
        assert found == f"①: {expected}"
