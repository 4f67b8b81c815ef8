"""The smallest input, where no layer rounds, and the command that says both."""

from __future__ import annotations

import io
import json
import sys
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import convcalc
from convcalc.__main__ import main
from convcalc.analysis.exact_sizes import Congruence
from convcalc.analysis.limits import Limits, holds_at
from convcalc.dim import floors, gcd, maximum, minimum, never_falls, period, symbol
from convcalc.graph import Node
from convcalc.network import Network
from convcalc.spec.build import build
from convcalc.spec.document import Spec, read_string
from convcalc.spec.zoo import read_text, zoo_file

# `meta["min_size"]` of the weights in torchvision 0.19, torchvision/models/*.py
TORCHVISION = {
    "alexnet": 63, "vgg11": 32, "vgg13_bn": 32, "vgg16": 32, "vgg19_bn": 32, "densenet121": 29,
    "densenet161": 29, "densenet201": 29, "inception_v3": 75, "squeezenet1_0": 21,
    "squeezenet1_1": 17, "resnet18": 1, "resnet152": 1, "resnext50_32x4d": 1,
    "wide_resnet50_2": 1, "shufflenet_v2_x1_0": 1, "mobilenet_v2": 1, "mobilenet_v3_small": 1,
    "mnasnet1_0": 1, "regnet_x_400mf": 1, "regnet_y_8gf": 1, "efficientnet_b0": 1,
}  # fmt: skip
OTHERS = {"unet": 188, "lenet5": 12, "xception": 7, "zfnet": 47}


@pytest.mark.parametrize(("name", "least"), sorted({**TORCHVISION, **OTHERS}.items()))
def test_smallest_inputs(name: str, least: int) -> None:
    net = convcalc.load(name)
    assert net.limits.smallest == {"N": 1, "H": least, "W": least}
    assert net.limits.together == {"H": least, "W": least}
    assert convcalc.load(name, H=least, W=least).graph.nodes
    for axis in ("H", "W"):
        if least == 1:
            assert axis not in net.limits.set_by
            continue
        with pytest.raises(convcalc.ConvcalcError, match="does not fit") as error:
            convcalc.load(name, **{axis: least - 1})
        assert error.value.path == net.limits.set_by[axis][0].path


def test_googlenet_as_torchvision_builds_it() -> None:
    """Its last pooling has a window of 2 there, and min_size 15; the paper's has 3."""
    file = zoo_file("googlenet")
    assert file is not None
    text = read_text(file)
    before, pooling, after = text.rpartition("kernel: 3, stride: 2, ceil_mode: true")
    assert pooling
    net = convcalc.loads(f"{before}kernel: 2, stride: 2, ceil_mode: true{after}")
    assert net.limits.smallest == {"N": 1, "H": 15, "W": 15}
    assert convcalc.load("googlenet").limits.smallest["H"] == 31


def test_the_error_of_a_small_input_says_what_would_do() -> None:
    with pytest.raises(convcalc.ConvcalcError) as error:
        convcalc.load("alexnet", H=40, W=62)
    assert "max_pool3: a window of 3 does not fit height 1" in str(error.value)
    assert str(error.value).endswith("The smallest input is H = 63, W = 63.")
    with pytest.raises(convcalc.ConvcalcError) as error:
        convcalc.load("alexnet").summarize(W=3)
    assert str(error.value).endswith("The smallest input is W = 63.")


def test_the_error_of_a_size_that_is_no_multiple_says_which_would_do() -> None:
    with pytest.raises(convcalc.ConvcalcError) as error:
        convcalc.loads(UNET)
    assert "join2: concat of unequal sizes 64 and 65" in str(error.value)
    assert str(error.value).endswith(
        "8 divides H where the network fits, as 128 and 136. "
        "8 divides W where the network fits, as 128 and 136."
    )
    with pytest.raises(convcalc.ConvcalcError) as error:
        convcalc.loads(UNET, H=128, W=3)
    assert str(error.value).endswith("The smallest input is W = 8.")
    with pytest.raises(convcalc.ConvcalcError) as error:
        convcalc.loads(UNET, H=128, W=9)
    assert str(error.value).endswith("8 divides W where the network fits, as 8 and 16.")
    net = Network(read_string(UNET), {}, build=False)
    with pytest.raises(convcalc.ConvcalcError, match="8 divides W where the network fits"):
        net.fit("H", "macs < 1G")
    with pytest.raises(convcalc.ConvcalcError) as error:
        convcalc.loads(
            "{input: [1, H, W], variables: {H: 5, W: 5}, layers: [{add: [[{max_pool: 2},"
            " {upsample: 2}, flatten], [flatten]]}]}"
        )
    assert str(error.value).endswith("`convcalc limits` shows which sizes fit.")


EVEN = (
    "{input: [1, H, 8], variables: {H: 8}, layers: [{relu: , name: a}, max_pool: 2,"
    " {upsample: 2, name: b}, {add: , from: [a, b]}]}"
)


def test_conditions_that_a_least_value_does_not_say() -> None:
    net = convcalc.loads(EVEN)
    assert net.limits.smallest["H"] == 2
    assert str(net.limits) == "H ≥ 2, 2 divides H"
    assert [node.path for node in net.limits.demanded_by["H"]] == ["add1"]
    assert net.limits.set_by["H"][0].path == "max_pool1"
    form = net.formula("adds")
    assert form.evaluate(N=1, H=10) == 80
    with pytest.raises(convcalc.ConvcalcError, match="unequal sizes H and 2·⌊H/2⌋"):
        form.evaluate(N=1, H=9)


def test_it_stands_in_the_table() -> None:
    assert "Smallest input: H ≥ 63, W ≥ 63." in convcalc.load("alexnet").summarize().text()


SMALL_LAYERS = st.lists(
    st.one_of(
        st.builds(
            "max_pool: {{kernel: {}, stride: {}, ceil_mode: {}}}".format,
            st.integers(1, 4), st.integers(1, 3), st.sampled_from(["true", "false"]),
        ),
        st.builds(
            "conv: {{out_channels: 1, kernel: {}, stride: {}, padding: {}, dilation: {}}}".format,
            st.integers(1, 4), st.integers(1, 4), st.sampled_from([0, 1, 2, "same"]),
            st.integers(1, 2),
        ),
        st.just("pixel_unshuffle: 2"),
        st.just("upsample: 3"),
        st.just("add: [[max_pool: 2, upsample: 2], []]"),
        st.just("slice: {axis: 2, start: 1}"),
        st.just("conv: {out_channels: 4, kernel: 1}"),
    ),
    min_size=1, max_size=5,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(SMALL_LAYERS)
def test_the_least_value_is_the_first_that_loads(layers: list[str]) -> None:
    text = f"{{input: [4, H], variables: {{H: }}, layers: [{', '.join(layers)}]}}"
    try:
        net = convcalc.loads(text)
    except convcalc.ConvcalcError:
        return  # no size fits, or a condition is open
    limits = net.limits
    smallest = limits.smallest.get("H")
    spec = read_string(text)
    first = next((n for n in range(1, 400) if accepts(spec, n)), None)
    assert smallest == first or (first is None and (smallest is None or smallest >= 400))
    for n in range(1, 40):
        assert fits(limits, n) == accepts(spec, n), (n, str(limits))


def fits(limits: Limits, n: int) -> bool:
    """Whether limits say that a height is accepted."""
    if "H" not in limits.smallest or n < limits.smallest["H"]:
        return False
    modulus, residue = limits.multiples.get("H", (1, 0))
    return n % modulus == residue and all(holds_at(r, {"H": n}) for r in limits.conditions)


def accepts(spec: Spec, size: int) -> bool:
    try:
        build(spec, {"H": size})
    except convcalc.ConvcalcError:
        return False
    return True


def test_the_least_common_value_meets_joint_conditions() -> None:
    net = convcalc.loads(
        "{input: [1, H, W], variables: {H: 60, W: 60}, layers: [flatten, reshape: [1, -1],"
        " max_pool: {kernel: 50, stride: 50}]}"
    )
    assert net.limits.smallest == {"N": 1, "H": 1, "W": 1}
    assert net.limits.together == {"H": 8, "W": 8}
    assert str(net.limits) == "H·W ≥ 50"


def test_limits_of_other_variables() -> None:
    net = convcalc.load("vgg16", H=33)
    assert net.limits_of("W").smallest == {"W": 32}
    assert net.limits_of(["width", "classes"]).smallest == {"width": 1, "classes": 1}
    with pytest.raises(convcalc.ConvcalcError, match="'h' is no variable of this spec"):
        net.limits_of("h")


def test_a_multiplier_has_no_least_value(limits: Any) -> None:
    found = convcalc.load("mobilenet_v2").limits_of(["H", "width"])
    assert (found.smallest, found.multipliers) == ({"H": 1}, ("width",))
    assert found.exact is not None
    assert found.exact.congruences == {"H": Congruence(32, 0)}
    code, out, err = limits("mobilenet_v2", "--in", "H,width")
    assert (code, err) == (0, "")
    assert "width  any fraction above 0  –" in out
    assert "All this where make_divisible(16·width, 8) ≠ make_divisible(32·width, 8)," in out
    assert convcalc.load("mobilenet_v2").formula("macs", "width").limits.smallest == {}
    # what a layer requires of one is a condition, wherever it holds
    net = convcalc.loads(
        "{input: [3, 8], variables: {width: 1}, layers: [{conv: {out_channels:"
        " 'make_divisible(16*width, 8)', kernel: 1}}, {slice: {axis: 1, start: 10}}]}"
    )
    found = net.limits_of("width")
    assert (found.smallest, str(found)) == ({}, "make_divisible(16·width, 8) ≥ 11")


def test_without_limits_it_says_so() -> None:
    assert str(convcalc.load("resnet50").limits) == "none: it accepts inputs of every size"


UNET = """
input: [3, H, W]
variables: {H: 130, W: 130, width: 4}
layers:
  - {conv: {out_channels: width, kernel: 3, padding: 1}, name: skip1}
  - max_pool: 2
  - {conv: {out_channels: 2*width, kernel: 3, padding: 1}, name: skip2}
  - max_pool: 2
  - {conv: {out_channels: 4*width, kernel: 3, padding: 1}, name: skip3}
  - max_pool: 2
  - conv_transpose: {out_channels: 4*width, kernel: 2, stride: 2}
  - {concat: , from: [previous, skip3], name: join3}
  - conv_transpose: {out_channels: 2*width, kernel: 2, stride: 2}
  - {concat: , from: [previous, skip2], name: join2}
  - conv_transpose: {out_channels: width, kernel: 2, stride: 2}
  - {concat: , from: [previous, skip1], name: join1}
"""


@pytest.mark.parametrize(
    ("layers", "text"),
    [
        (["{add: [[max_pool: 2, upsample: 2], []]}", "{slice: {axis: 2, start: 2}}",
          "{add: [[max_pool: 3, upsample: 3], []]}"], "H ≥ 8, H ≡ 2 (mod 6)"),
        # 4·⌊H/4⌋ = 2·⌊H/2⌋ holds where H leaves 0 or 1: no congruence
        (["{add: [[max_pool: 2, upsample: 2], [max_pool: 4, upsample: 4]]}"],
         "H ≥ 4, 4·⌊H/4⌋ = 2·⌊H/2⌋"),
        # 0, 1 or 2 (mod 6), and even: 0 or 2 is no congruence
        (["{add: [[], [max_pool: 2, upsample: 2]]}",
          "{add: [[max_pool: 3, upsample: 3], [max_pool: 6, upsample: 6]]}"],
         "H ≥ 6, 2 divides H, 6·⌊H/6⌋ = 3·⌊H/3⌋"),
        # grows on one side only: a size, and no congruence
        (["{add: [[crop: [6]], [max_pool: 2]]}"], "H ≥ 12, ⌊H/2⌋ = 6"),
    ],
)  # fmt: skip
def test_equalities_become_congruences_where_they_are_one(layers: list[str], text: str) -> None:
    net = convcalc.loads(f"{{input: [1, H], variables: {{H: }}, layers: [{', '.join(layers)}]}}")
    assert str(net.limits) == text


def test_a_congruence_names_the_layers_that_demand_it(limits: Any, tmp_path: Path) -> None:
    net = convcalc.loads(UNET, H=128, W=128)
    assert str(net.limits) == "H ≥ 8, W ≥ 8, 8 divides H, 8 divides W"
    assert [node.path for node in net.limits.demanded_by["W"]] == ["join3", "join2", "join1"]
    assert net.formula("macs").limits.needs == ["8 divides H", "8 divides W"]
    assert "It needs that 8 divides H and 8 divides W." in net.summarize().text()
    spec = tmp_path / "small_unet.yaml"
    spec.write_text(UNET)
    out = limits(str(spec))[1]
    assert "H and W must each be a multiple of 8: join3, join2 and join1 need it." in out
    assert "No layer rounds at a size that the network accepts" in out
    assert "⌊H/8⌋ =" not in out


PERIODIC = st.recursive(
    st.just(symbol("H")),
    lambda inner: st.one_of(
        st.builds(lambda f, a, b: a * f + b, inner, st.integers(-4, 4), st.integers(-4, 4)),
        st.builds(lambda f, d: f // d, inner, st.integers(1, 6)),
        st.builds(lambda f, g: f + g, inner, inner),
        st.builds(lambda f, a: maximum(f, f + a - f % 3), inner, st.integers(-4, 4)),
        st.builds(lambda f, g: minimum(f, g), inner, inner),
    ),
    max_leaves=5,
)


@settings(deadline=None)
@given(PERIODIC)
def test_periods(size: Any) -> None:
    found = period(size)
    if found is None:
        return
    length, growth = found
    if not isinstance(size, int) and length < 1000:
        values = [size.evaluate(H=n) if size.symbols else size for n in range(1, 2 * length + 20)]
        pairs = zip(values, values[length:], strict=False)
        assert all(after - before == growth for before, after in pairs)


def test_what_has_no_period() -> None:
    h, w = symbol("H"), symbol("W")
    assert period(3 * h // 2 - h) == (2, 1)
    for other in (h * h, h // w, gcd(h, 7), maximum(h, 2 * h - 9), symbol("a", whole=False)):
        assert period(other) is None


def test_sizes_that_fit_are_found_where_the_defaults_do_not(limits: Any, tmp_path: Path) -> None:
    spec = tmp_path / "small_unet.yaml"
    spec.write_text(UNET)
    code, out, err = limits(str(spec))
    assert (code, err) == (0, "")
    assert "The smallest with H = W: 8." in out
    code, out, err = limits(str(spec), "--in", "H")
    assert (code, out) == (3, "")
    assert "join2: concat of unequal sizes 64 and 65" in err
    net = Network(read_string(UNET), {}, build=False)
    assert net.limits.smallest == {"N": 1, "H": 8, "W": 8}
    assert net.fit("H, W", "macs < 1G").value % 8 == 0  # type: ignore[operator]
    with pytest.raises(convcalc.ConvcalcError, match="unequal sizes"):
        net.graph  # noqa: B018


# -- where no layer rounds ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "modulus", "residue"),
    [
        ("resnet50", 32, 0), ("vgg16", 32, 0), ("densenet121", 32, 0), ("googlenet", 32, 0),
        ("mobilenet_v2", 32, 0), ("lenet5", 4, 0),
        # the papers' own inputs: 227 for AlexNet without padding (its figure says 224), 299, 572
        ("alexnet_2012", 32, 227 % 32), ("inception_v3", 32, 299 % 32), ("unet", 16, 572 % 16),
        ("xception", 32, 5), ("squeezenet1_0", 16, 5), ("alexnet", 32, 31),
    ],
)  # fmt: skip
def test_exact_sizes(name: str, modulus: int, residue: int) -> None:
    exact = convcalc.load(name).limits.exact
    assert exact is not None
    assert exact.is_known
    assert exact.congruences == dict.fromkeys("HW", Congruence(modulus, residue))


def rounds(node: Node) -> bool:
    """Whether a layer rounds the height of its input, from how its output grows with it."""
    layer, (inputs, *_) = node.op.layer, node.op.inputs
    if layer.merges or len(inputs) < 4:
        return False

    def out(height: int) -> int:
        shape = layer.output_shape((*inputs[:2], height, *inputs[3:]))
        return int(shape[2]) if len(shape) > 2 else 0  # type: ignore[arg-type]

    height = int(inputs[2])  # type: ignore[arg-type]
    far = 10_000
    steps = [out(far + i + 1) - out(far + i) for i in range(64)]
    if all(step == steps[0] for step in steps):
        return False
    stride = Fraction(64, out(far + 64) - out(far))
    if all(out(far + i) == -(-(far + i) // stride) for i in range(64)):
        return height % stride != 0
    return out(height) == out(height - 1)


@pytest.mark.parametrize(
    "name",
    [
        "alexnet", "alexnet_2012", "convnext_tiny", "densenet121", "efficientnet_b0", "fcn32s",
        "googlenet", "inception_v2", "inception_v3", "lenet5", "mobilenet_v2", "nin",
        "regnet_x_400mf", "resnet50", "shufflenet_v2_x0_5", "squeezenet1_0", "squeezenet1_1",
        "unet", "vgg16", "xception", "zfnet",
    ],
)  # fmt: skip
def test_at_exact_sizes_no_layer_rounds_and_at_others_one_does(name: str) -> None:
    net = convcalc.load(name)
    limits = net.limits
    assert limits.exact is not None
    least, congruence = limits.smallest["H"], limits.exact.congruences["H"]
    first = next(iter(congruence.members(least)))
    sizes = {*range(least, least + 6), first - 1, first, first + 1, first + congruence.modulus}
    for size in sorted(sizes - set(range(least))):
        seen: set[int] = set()
        nodes = convcalc.load(name, H=size).graph.nodes
        some = any(rounds(n) for n in nodes if not (id(n.op) in seen or seen.add(id(n.op))))
        assert some != (size % congruence.modulus == congruence.residue), size


@pytest.mark.parametrize("name", ["resnet18", "alexnet", "unet", "googlenet", "inception_v3"])
def test_on_exact_sizes_closed_forms_are_polynomials(name: str) -> None:
    net = convcalc.load(name)
    limits = net.limits
    assert limits.exact is not None
    modulus = limits.exact.congruences["H"].modulus
    start = next(iter(limits.exact.congruences["H"].members(limits.smallest["H"])))
    line = modulus * symbol("q") + (start - modulus)
    for of in ("macs", "activation_bytes"):
        form = net.formula(of).value.evaluate(N=1, H=line, W=line)  # type: ignore[union-attr]
        assert not list(floors(form))
        assert all(len(monomial) <= 2 for monomial in form.terms)


def test_where_no_size_is_exact() -> None:
    net = convcalc.loads(
        "{input: [1, H], variables: {H: 99}, layers: [max_pool: 2, upsample: 2,"
        " conv: {out_channels: 1, kernel: 2}, max_pool: 2]}"
    )
    assert net.limits.exact is not None
    ((node, size),) = net.limits.exact.rounding
    assert node.path == "max_pool2"
    assert str(size) == "⌊(H − 2)/2⌋"


def test_what_is_no_congruence() -> None:
    odd = "{input: [1, H, W], variables: {H: 4, W: 4}, layers: [reshape: [-1, 2]]}"
    exact = convcalc.loads(odd).limits.exact
    assert exact is not None
    assert not exact.is_known
    assert [(node.path, str(size)) for node, size in exact.unknown] == [("reshape1", "⌊(H·W)/2⌋")]
    whole = "{input: [C, H, W], variables: {C: 2, H: 4, W: 4}, layers: [reshape: [C, -1]]}"
    exact = convcalc.loads(whole).limits.exact
    assert exact is not None
    assert exact.is_known
    assert str(exact) == ""


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        ("pixel_unshuffle: 3", "3 divides H and 3 divides W"),
        ("upsample: {scale: 1.5}", "2 divides H and 2 divides W"),
        ("adaptive_avg_pool: [in_height // 3, 2]", "3 divides H"),
        ("slice: {axis: 2, start: 1, stop: -1, step: 3}", "3 divides H"),
        ("max_pool: {kernel: 3, stride: 2}", "H ≡ 1 (mod 2) and W ≡ 1 (mod 2)"),
        ("max_pool: {kernel: 3, stride: 2, padding: 1}", "2 divides H and 2 divides W"),
        (
            "conv: {out_channels: 1, kernel: 5, stride: 3, padding: 0}",
            "H ≡ 2 (mod 3) and W ≡ 2 (mod 3)",
        ),
        ("pixel_shuffle: 2", "4 divides C"),
    ],
)
def test_where_one_layer_does_not_round(layer: str, text: str) -> None:
    net = convcalc.loads(
        f"{{input: [C, H, W], variables: {{C: 4, H: 12, W: 12}}, layers: [{layer}]}}"
    )
    assert str(net.limits.exact) == text


def test_members_go_on_without_end() -> None:
    assert list(islice(Congruence(32, 31).members(63), 3)) == [63, 95, 127]
    assert list(islice(Congruence(32, 0).members(1), 3)) == [32, 64, 96]
    assert list(islice(Congruence(1, 0).members(5), 2)) == [5, 6]
    assert Congruence(1, 0).condition("H") == ""


# -- what never falls -----------------------------------------------------------------------------


def test_never_falls() -> None:
    h, w = symbol("H"), symbol("W")
    for rising in (5, h, h * w, 3 * h // 2 - 7, (h // 2) * (w // 3), maximum(0, h // 2 - 5) * w,
                   minimum(h, w) + h * h, minimum(h - 5, 7)):  # fmt: skip
        assert never_falls(rising)
    for open_one in (-h, h - w, h * h - h, gcd(h, 7), h % 32, h - h // 2, 8 // h,
                     (h // 2 - 3) * w, h * minimum(h - 5, 7)):  # fmt: skip
        assert not never_falls(open_one)


# -- the command --------------------------------------------------------------------------------


def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str
) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["convcalc", "limits", *arguments])
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    with pytest.raises(SystemExit) as end:
        main()
    captured = capsys.readouterr()
    return int(end.value.code or 0), captured.out, captured.err


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    return lambda *arguments: run(monkeypatch, capsys, *arguments)


def test_the_command(limits: Any) -> None:
    code, out, err = limits("alexnet")
    assert (code, err) == (0, "")
    assert "H           63  max_pool3  ⌊(H − 15)/16⌋ ≥ 3" in out
    assert "The smallest with H = W: 63." in out
    assert "where H ≡ 31 (mod 32) and W ≡ 31 (mod 32): H = 63, 95, 127, …" in out
    assert "where 32 divides H and 32 divides W" in limits("resnet50")[1]
    assert "no ⌊⌋ and no ⌈⌉ at any size" in limits("conv3x3_192_256")[1]


def test_chosen_variables(limits: Any) -> None:
    out = limits("alexnet", "--set", "H=100")[1]
    assert "W           63" in out
    assert "max_pool3  ⌊(H" not in out
    assert "\nN " in limits("alexnet")[1]
    assert "\nN " not in limits("alexnet", "--in", "H,W")[1]


def test_json(limits: Any, tmp_path: Path) -> None:
    spec = tmp_path / "even.yaml"
    spec.write_text(EVEN)
    found = json.loads(limits(str(spec), "--format", "json")[1])
    assert found == {
        "convcalc": 1, "name": "even", "smallest": {"N": 1, "H": 2},
        "set_by": {"H": {"layer": "max_pool1", "left": "H", "relation": ">=", "right": 2}},
        "multipliers": [], "together": {},
        "multiples": {"H": {"modulus": 2, "residue": 0, "layers": ["add1"]}},
        "conditions": [],
        "exact": {"H": {"modulus": 2, "residue": 0}}, "rounding": [],
    }  # fmt: skip
    limits(str(spec), "-o", str(tmp_path / "out.json"))
    assert json.loads((tmp_path / "out.json").read_text()) == found
    limits(str(spec), "-o", str(tmp_path / "out.txt"))
    assert "H must be a multiple of 2: add1 needs it." in (tmp_path / "out.txt").read_text()


def test_no_size_would_do(limits: Any, tmp_path: Path) -> None:
    """H must be even, and H − 1 too."""
    spec = tmp_path / "never.yaml"
    even = "{add: [[], [max_pool: 2, upsample: 2]]}"
    spec.write_text(
        f"{{input: [1, H], variables: {{H: }}, layers: [{even}, {{slice: {{axis: 2, start: 1}}}},"
        f" {even}]}}"
    )
    code, out, err = limits(str(spec))
    assert (code, err) == (1, "")
    assert "H none found" in " ".join(out.split())
    assert "rounds" not in out
    assert "add2 also needs 2·⌊(H − 1)/2⌋ = H − 1." in out
    assert json.loads(limits(str(spec), "--format", "json")[1])["smallest"] == {"N": 1, "H": None}


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--in", "H", "--set", "H=99"], "H is given a number and asked for"),
        (["--in", ","], "no variable is left to find the limits of"),
        (["--in", "HH"], "'HH' is no variable of this spec"),
        (["-o", ""], "-o: an empty file name"),
    ],
)
def test_usage_errors(limits: Any, arguments: list[str], text: str) -> None:
    code, out, err = limits("alexnet", *arguments)
    assert (code, out) == (2, "")
    assert text in err
