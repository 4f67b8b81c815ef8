"""Closed forms: what summarize counts, at every size, and only where the network fits."""

from __future__ import annotations

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import convcalc
from convcalc.analysis.quantities import TOTALS
from convcalc.dim import Dim

NAMES = [
    "lenet5",
    "alexnet",
    "vgg11",
    "resnet18",
    "densenet121",
    "mobilenet_v2",
    "unet",
    "googlenet",
]
NETS = {name: convcalc.load(name) for name in NAMES}
FORMS = {
    (name, of): net.formula(of) for name, net in NETS.items() for of in ("params", "macs", "adds")
}


@settings(max_examples=150)
@given(st.sampled_from(NAMES), st.integers(1, 3), st.integers(1, 300), st.integers(1, 300))
def test_forms_are_what_summarize_counts_and_refuse_what_it_refuses(
    name: str, n: int, height: int, width: int
) -> None:
    sizes = {"N": n, "H": height, "W": width}
    try:
        totals = NETS[name].summarize(**sizes).totals
    except convcalc.ConvcalcError:
        with pytest.raises(convcalc.ConvcalcError):
            FORMS[name, "macs"].evaluate(**sizes)
        return
    for of in ("params", "macs", "adds"):
        assert FORMS[name, of].evaluate(**sizes) == getattr(totals, of)


@pytest.mark.parametrize("of", [name for name in TOTALS if name != "peak_activation_bytes"])
def test_every_total_has_a_form(of: str) -> None:
    form = NETS["resnet18"].formula(of)
    sizes = {"N": 2, "H": 65, "W": 130}
    assert form.evaluate(**sizes) == getattr(NETS["resnet18"].summarize(**sizes).totals, of)


def test_a_constant_form_is_a_form() -> None:
    form = NETS["resnet18"].formula("params")
    assert isinstance(form, Dim)
    assert form == 11_689_512
    assert hash(form) == hash(11_689_512)
    assert str(form) == "11,689,512"
    assert form.latex() == "11{,}689{,}512"
    assert form.evaluate() == form.evaluate(N=3) == form.evaluate(H=28, W=28) == 11_689_512
    assert form.compile()() == 11_689_512
    assert form + 1 == 11_689_513


def test_a_form_of_nothing_is_0() -> None:
    net = convcalc.loads("{input: [3, H], layers: [relu]}")
    assert str(net.formula("macs")) == net.formula("macs").python() == "0"
    assert net.formula("macs").evaluate(N=1, H=3) == 0
    assert "MACs = 0 at every size." in net.summarize().text()


def test_arrays() -> None:
    form = FORMS["alexnet", "macs"]
    heights = numpy.array([63, 224, 225, 300])
    found = form.evaluate(N=1, H=heights, W=224)
    assert found.tolist() == [NETS["alexnet"].summarize(H=int(h)).totals.macs for h in heights]
    with pytest.raises(convcalc.ConvcalcError, match="does not fit height"):
        form.evaluate(N=1, H=numpy.array([224, 62]), W=224)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"N": 1, "H": 64}, "no value for W in"),
        ({"N": 0, "H": 64, "W": 64}, "N = 0: sizes are at least 1"),
        ({"N": 1, "H": 64, "W": 64, "w": 3}, "'w' is no symbol of this formula (it has: N, H, W)"),
        ({"N": 1, "H": 16, "W": 64}, "vgg16.yaml:"),
    ],
)
def test_what_evaluate_refuses(values: dict[str, int], text: str) -> None:
    with pytest.raises(convcalc.ConvcalcError) as error:
        convcalc.load("vgg16").formula().evaluate(**values)
    assert text in str(error.value)


def test_a_merge_that_would_repeat_an_axis_is_outside_the_form() -> None:
    text = "{input: [3, H, W], layers: [add: [[max_pool: 2], [avg_pool: {kernel: 2, stride: 1}]]]}"
    form = convcalc.loads(text).formula("adds")
    with pytest.raises(convcalc.ConvcalcError, match="unequal sizes"):
        form.evaluate(N=1, H=3, W=3)


def test_symbolic_fields_have_a_least_value() -> None:
    net = convcalc.loads("{input: [C, 8], layers: [conv: {out_channels: C - 8, kernel: 1}]}")
    assert net.limits.smallest["C"] == 9
    assert net.formula().evaluate(N=1, C=9) == 72
    with pytest.raises(convcalc.ConvcalcError, match=r"out_channels is C − 8: at least 1"):
        net.formula().evaluate(N=1, C=8)


def test_names_left_free() -> None:
    net = convcalc.load("vgg16", H=32, W=48)
    assert net.formula("macs", "H").symbols == {"H"}
    assert net.formula("macs", ["N"]).evaluate(N=2) == 2 * net.summarize().totals.macs
    assert net.formula("params", "width, classes").evaluate(width=64, classes=1000) == 138_357_544
    with pytest.raises(convcalc.ConvcalcError, match="'h' is no variable of this spec"):
        net.formula("macs", "h")
    with pytest.raises(
        convcalc.ConvcalcError, match=r"unknown quantity 'mac'\. Did you mean 'macs"
    ):
        net.formula("mac")


def test_symbols_that_cannot_stay_symbolic() -> None:
    text = "{input: [3, 8, 8], variables: {n: 2, s: 1}, layers: [{relu: , repeat: n}, max_pool: {kernel: 2, stride: s}]}"  # noqa: E501
    net = convcalc.loads(text)
    for name in ("n", "s"):
        with pytest.raises(convcalc.ConvcalcError, match="a number is due here, not an expression"):
            net.formula("macs", name)


def test_the_closed_form_of_resnet152_is_quick() -> None:
    net = convcalc.load("resnet152")
    form = net.formula("macs")
    assert form.evaluate(N=1, H=224, W=224) == 11_513_626_624
    assert len(form.terms) == 6
