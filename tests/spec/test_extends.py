"""language.md, inheritance."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import convcalc
from convcalc import ConvcalcError, Network

BASE = """\
name: Base
title: The base
source: a paper
input: [3, H, W]
variables: {H: 8, W: 8, width: 4, depth: 2}
blocks:
  unit: {arguments: {out}, layers: [conv: {out_channels: out, kernel: 1}, relu]}
layers:
  - {unit: {out: width}, repeat: depth}
expect: {params: 3}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Path]:
    """Write files into a folder; returns the path of the last one."""

    def folder(**files: str) -> Path:
        path = tmp_path
        for name, text in files.items():
            path = tmp_path / f"{name.replace('__', '/')}.yaml"
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return path

    return folder


@pytest.fixture
def child(folder: Callable[..., Path]) -> Callable[..., Network]:
    """The network of a spec that stands beside base.yaml."""

    def child(text: str, **variables: object) -> Network:
        return convcalc.load(folder(base=BASE, child=text), **variables)

    return child


@pytest.fixture
def error(folder: Callable[..., Path], tmp_path: Path) -> Callable[..., str]:
    """The error of a spec that stands beside base.yaml, without the folder."""

    def error(text: str, **files: str) -> str:
        path = folder(base=BASE, **files, child=text)
        with pytest.raises(ConvcalcError) as caught:
            convcalc.load(path)
        return str(caught.value).replace(f"{tmp_path}/", "")

    return error


def paths(net: Network) -> list[str]:
    return [node.path for node in net.graph.nodes]


# -- what is inherited --------------------------------------------------------------------------


def test_variables_merge_by_name(child: Callable[..., Network]) -> None:
    net = child("extends: base\nvariables: {width: 5, H: 2 * depth}\n")
    assert net.variables == {"H": 4, "W": 8, "width": 5, "depth": 2}
    assert net.summarize().totals.params == 5 * 3 + 5 + 5 * 5 + 5
    assert child("extends: base\nvariables: {width: 2 * extra, extra: 3}\n").variables["width"] == 6


def test_a_child_is_an_override_and_can_be_overridden(child: Callable[..., Network]) -> None:
    net = child("extends: base\nvariables: {depth: 3}\n", width=1)
    assert net.variables == {"H": 8, "W": 8, "width": 1, "depth": 3}


def test_a_child_may_make_a_symbol_of_a_variable(child: Callable[..., Network]) -> None:
    assert str(child("extends: base\nvariables: {width: }\n").graph.nodes[0].shape) == (
        "(1, width, 8, 8)"
    )


def test_blocks_merge_by_name(child: Callable[..., Network]) -> None:
    net = child("extends: base\nblocks:\n  unit: {arguments: {out}, layers: [tanh, deep]}\n"
                "  deep: {layers: [sigmoid]}\n")  # fmt: skip
    assert paths(net) == [
        "unit1.tanh1", "unit1.deep1.sigmoid1", "unit2.tanh1", "unit2.deep1.sigmoid1",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("layers: [unit: 7]", ["unit1.conv1", "unit1.relu1"]),
        ("layers: [tanh]\noutputs: [t]\nlayers: [{tanh: , name: t}]".partition("\n")[2], ["t"]),
        ("input: [1, H, W]", ["unit1.conv1", "unit1.relu1", "unit2.conv1", "unit2.relu1"]),
        ("inputs: {x: [1, H, W]}", ["unit1.conv1", "unit1.relu1", "unit2.conv1", "unit2.relu1"]),
    ],
)
def test_everything_else_is_replaced(
    child: Callable[..., Network], text: str, expected: list[str]
) -> None:
    net = child(f"extends: base\n{text}\n")
    assert paths(net) == expected


def test_input_and_inputs_replace_each_other(
    child: Callable[..., Network], folder: Callable[..., Path]
) -> None:
    net = child("extends: base\ninputs: {a: [1, H], b: [1, W]}\nlayers:\n"
                "  - {relu: , from: a}\n  - {concat: , from: [previous, b]}\n")  # fmt: skip
    assert [node.name for node in net.graph.inputs] == ["a", "b"]
    grandchild = folder(third="extends: child\ninput: [2, H]\nlayers: [tanh]\n")
    assert [node.name for node in convcalc.load(grandchild).graph.inputs] == ["input"]


def test_an_input_need_not_be_repeated_and_its_names_stay_symbols(
    folder: Callable[..., Path],
) -> None:
    path = folder(
        base="input: [3, H, W]\nlayers: [relu]\n", child="extends: base\nlayers: [tanh]\n"
    )
    assert str(convcalc.load(path).formula("exps")) == "3·N·H·W"


def test_name_title_source_and_expect_are_not_inherited(child: Callable[..., Network]) -> None:
    net = child("extends: base\n")
    assert (net.name, net.title, net.source, list(net.spec.expect)) == ("child", "child", "", [])
    net = child("extends: base\nname: Child\nexpect: {macs: 4}\n")
    assert (net.name, net.title, net.source) == ("Child", "Child", "")
    assert list(net.spec.expect) == ["macs"]


def test_a_file_without_layers_may_be_extended(
    folder: Callable[..., Path], error: Callable[..., str]
) -> None:
    library = (
        "variables: {unused: 3}\nblocks:\n"
        "  conv_bn: {arguments: {out}, layers: [conv: {out_channels: out, kernel: 1}, relu]}\n"
    )
    net = convcalc.load(
        folder(lib=library, child="extends: lib\ninput: [3, 4]\nlayers: [conv_bn: 5]\n")
    )
    assert paths(net) == ["conv_bn1.conv1", "conv_bn1.relu1"]
    assert error(library) == (
        "child.yaml:1:1: no layers. A spec without layers: can only be extended."
    )


def test_inherited_variables_may_be_left_over_own_ones_may_not(
    child: Callable[..., Network], error: Callable[..., str]
) -> None:
    assert paths(child("extends: base\nlayers: [relu]\n")) == ["relu1"]
    assert error("extends: base\nvariables: {widht: 3}\n") == (
        "child.yaml:2:13: nothing reads the variable 'widht'. Did you mean 'width'?"
    )


# -- what may be extended -----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["base", "base.yaml", "./base.yaml", "sub/../base.yaml"])
def test_a_file_beside_it(child: Callable[..., Network], name: str) -> None:
    assert len(paths(child(f"extends: {name}\n"))) == 4


def test_a_file_below_it(folder: Callable[..., Path]) -> None:
    path = folder(sub__lower=BASE, child="extends: sub/lower.yaml\n")
    assert len(paths(convcalc.load(path))) == 4


def test_a_chain_each_from_its_own_folder(folder: Callable[..., Path]) -> None:
    path = folder(
        sub__lower=BASE,
        sub__middle="extends: lower\nvariables: {width: 6}\n",
        child="extends: sub/middle.yaml\nvariables: {depth: 1}\n",
    )
    assert convcalc.load(path).variables == {"H": 8, "W": 8, "width": 6, "depth": 1}


def test_a_bare_name_is_the_zoos_first(
    folder: Callable[..., Path], child: Callable[..., Network]
) -> None:
    path = folder(vgg16=BASE, child="extends: vgg16\nvariables: {classes: 10}\n")
    assert convcalc.load(path).summarize().totals.params == 138_357_544 - 990 * 4097
    path = folder(vgg16=BASE, child="extends: vgg16.yaml\n")
    assert len(paths(convcalc.load(path))) == 4


def test_texts_and_mappings_extend_the_zoo_only() -> None:
    for spec in (
        convcalc.loads("extends: vgg16\nvariables: {classes: 10}\n"),
        convcalc.from_dict({"extends": "vgg16", "variables": {"classes": 10}}),
    ):
        assert spec.summarize().totals.params == 138_357_544 - 990 * 4097
    for name in ("base", "./base.yaml", "vgg16.yaml"):
        with pytest.raises(ConvcalcError) as caught:
            convcalc.loads(f"extends: {name}\n")
        assert str(caught.value).startswith(f"<string>:1:10: no architecture '{name}' in the zoo. ")


def test_a_misspelt_name_of_the_zoo_in_a_text() -> None:
    with pytest.raises(ConvcalcError) as caught:
        convcalc.loads("extends: resnet05\n")
    assert str(caught.value) == (
        "<string>:1:10: no architecture 'resnet05' in the zoo. Did you mean 'resnet50'?"
    )


def test_where_a_spec_is_found(
    folder: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert convcalc.load("vgg16").name == "VGG-16"
    assert convcalc.load("vgg16.yaml").name == "VGG-16"  # no file here: the zoo's
    folder(vgg16=BASE)
    assert convcalc.load("vgg16.yaml").name == "Base"  # a path wins
    assert convcalc.load("vgg16").name == "VGG-16"
    (tmp_path / "vgg11").mkdir()
    assert convcalc.load("vgg11").name == "VGG-11"  # a folder is no spec
    with pytest.raises(ConvcalcError, match="is a folder, not a spec file"):
        convcalc.load(tmp_path)
    for name, said in [
        ("RESNET05", "no file and no architecture 'RESNET05'. Did you mean 'resnet50'?"),
        ("qqqqq", "no file and no architecture 'qqqqq'. 'convcalc zoo' lists the architectures."),
    ]:
        with pytest.raises(ConvcalcError) as caught:
            convcalc.load(name)
        assert str(caught.value) == said


LEADS_OUT = (
    "leads out of the folder of the spec. "
    "A spec extends the zoo's, by name, or a file beside or below it."
)


@pytest.mark.parametrize(
    "name",
    [
        "../base",
        "../base.yaml",
        "x/../../base.yaml",
        "..",
        "/etc/passwd",
        "./../base.yaml",
        "sub/../../x",
    ],
)
def test_extends_must_not_leave_the_folder(
    folder: Callable[..., Path], tmp_path: Path, name: str
) -> None:
    path = folder(base=BASE, sub__child=f"extends: {name}\n")
    with pytest.raises(ConvcalcError) as caught:
        convcalc.load(path)
    assert str(caught.value) == f"{path}:1:10: extends: {name} {LEADS_OUT}"


def test_nor_by_an_absolute_path_to_where_it_is(folder: Callable[..., Path]) -> None:
    path = folder(base=BASE)
    child = folder(child=f"extends: {path}\n")
    with pytest.raises(ConvcalcError, match="leads out of the folder"):
        convcalc.load(child)


@pytest.mark.parametrize("name", ["link", "link.yaml"])
def test_nor_by_a_link(folder: Callable[..., Path], tmp_path: Path, name: str) -> None:
    path = folder(base=BASE, sub__child=f"extends: {name}\n")
    (tmp_path / "sub" / "link.yaml").symlink_to(tmp_path / "base.yaml")
    with pytest.raises(ConvcalcError) as caught:
        convcalc.load(path)
    assert str(caught.value) == f"{path}:1:10: extends: {name} {LEADS_OUT}"


def test_a_link_to_a_spec_is_that_spec(folder: Callable[..., Path], tmp_path: Path) -> None:
    folder(sub__base=BASE, sub__child="extends: base\n")
    (tmp_path / "link.yaml").symlink_to(tmp_path / "sub" / "child.yaml")
    assert len(paths(convcalc.load(tmp_path / "link.yaml"))) == 4


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("extends: bsae", "1:10: extends: no file and no architecture 'bsae'. "
         "Did you mean 'base'?"),
        ("extends: resnet51", "1:10: extends: no file and no architecture 'resnet51'. "
         "Did you mean 'resnet50'?"),
        ("extends: qqqqq", "1:10: extends: no file and no architecture 'qqqqq'"),
        ("extends: sub/lower", "1:10: extends: no file and no architecture 'sub/lower'. "
         "Did you mean 'sub/lower.yaml'?"),
        ("extends: ./sub", "1:10: extends: no file and no architecture './sub'"),
        ("extends: ''", "1:10: extends: no file and no architecture ''"),
        ("extends: ~/base.yaml", "1:10: extends: no file and no architecture '~/base.yaml'. "
         "Did you mean 'base'?"),
        ('extends: "a\\0b/c"', "1:10: extends: no file 'a\N{REPLACEMENT CHARACTER}b/c'"),
        ("extends: " + "a" * 5_000, f"1:10: extends: no file and no architecture '{'a' * 59}…'"),
        ("extends: [base]", "1:10: extends: is a name, not a list"),
        ("extends:", "1:1: extends: is empty"),
    ],
)  # fmt: skip
def test_what_cannot_be_extended(error: Callable[..., str], text: str, expected: str) -> None:
    assert error(text + "\n", sub__lower=BASE) == f"child.yaml:{expected}"


def test_no_circles(error: Callable[..., str]) -> None:
    assert error("extends: child\n") == "child.yaml:1:10: extends goes in a circle: child → child"
    assert error("extends: other\n", other="extends: third\n", third="extends: child\n") == (
        "third.yaml:1:10: extends goes in a circle: child → other → third → child"
    )


def test_not_more_than_twenty(error: Callable[..., str]) -> None:
    chain = {f"n{i}": f"extends: n{i + 1}\n" for i in range(30)}
    assert error("extends: n0\n", **chain) == "n18.yaml:1:10: more than 20 specs extend each other"


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        ("layer: [relu]\n", "other.yaml:1:1: unknown key 'layer'. Did you mean 'layers'?"),
        ("- relu\n", "other.yaml:1:1: a spec is a mapping, not a list. "
         "It starts with keys such as name:, input: and layers:."),
        ("", "other.yaml:1:1: an empty spec. It needs at least input: and layers:."),
    ],
)  # fmt: skip
def test_errors_in_what_is_extended_say_the_way(
    error: Callable[..., str], other: str, expected: str
) -> None:
    assert (
        error("extends: other\n", other=other)
        == f"{expected}\n  in extends: other, child.yaml:1:10"
    )


def test_places_are_those_of_the_file_that_says_it(error: Callable[..., str]) -> None:
    assert error("extends: base\nvariables: {width: 0}\n") == (
        "base.yaml:7:58: unit1.conv1: out_channels: 0 is too small: at least 1 is due here\n"
        "  in block unit, base.yaml:9:6"
    )
    assert error("extends: base\nvariables: {width: zzz}\n") == (
        "child.yaml:2:20: unit1.conv1: 'zzz' is no variable. A whole number is due here.\n"
        "  in block unit, base.yaml:9:6"
    )


def test_places_in_the_zoo_are_named_by_the_file_alone() -> None:
    with pytest.raises(ConvcalcError) as caught:
        convcalc.load("vgg16", H=1)
    assert "/" not in str(caught.value).partition(":")[0]


# -- expect -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{zzzzz: 5}", "2:10: expect: unknown quantity 'zzzzz'. There are params, "),
        ("{parms: 5}", "2:10: expect: unknown quantity 'parms'. Did you mean 'params'?"),
        ("5", "2:9: expect: a mapping of names is due, not '5'"),
        ("{params: }", "2:10: a value is due here, not nothing"),
        ("{params: 1 +}", "2:18: no expression: '1 +'"),
    ],
)
def test_wrong_expectations(error: Callable[..., str], text: str, expected: str) -> None:
    assert error(f"extends: base\nexpect: {text}\n").startswith(f"child.yaml:{expected}")
