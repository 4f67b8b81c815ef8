"""The smallest input: what limits says is accepted, and one less is not."""

from __future__ import annotations

import pytest

import convcalc


@pytest.mark.parametrize(
    ("name", "least"),
    # torchvision's published minimum for AlexNet is 63
    [("alexnet", 63), ("vgg16", 32), ("resnet50", 1), ("unet", 188), ("googlenet", 31)],
)
def test_smallest_inputs(name: str, least: int) -> None:
    net = convcalc.load(name)
    assert net.limits.smallest == {"N": 1, "H": least, "W": least}
    assert convcalc.load(name, H=least, W=least).graph.nodes
    for axis in ("H", "W"):
        if least > 1:
            with pytest.raises(convcalc.ConvcalcError, match="does not fit"):
                convcalc.load(name, **{axis: least - 1})


def test_the_error_of_a_small_input_says_what_would_do() -> None:
    with pytest.raises(convcalc.ConvcalcError) as error:
        convcalc.load("alexnet", H=40, W=62)
    assert "max_pool3: a window of 3 does not fit height 1" in str(error.value)
    assert str(error.value).endswith("The smallest input is H = 63, W = 63.")
    with pytest.raises(convcalc.ConvcalcError) as error:
        convcalc.load("alexnet").summarize(W=3)
    assert str(error.value).endswith("The smallest input is W = 63.")


def test_conditions_that_a_least_value_does_not_say() -> None:
    net = convcalc.loads(
        "{input: [1, H, 8], variables: {H: 8}, layers: [{relu: , name: a}, max_pool: 2,"
        " {upsample: 2, name: b}, {add: , from: [a, b]}]}"
    )
    assert net.limits.smallest["H"] == 2
    assert str(net.limits) == "H ≥ 2, 2·⌊H/2⌋ = H"
    form = net.formula("adds")
    assert form.evaluate(N=1, H=10) == 80
    with pytest.raises(convcalc.ConvcalcError, match="unequal sizes H and 2·⌊H/2⌋"):
        form.evaluate(N=1, H=9)


def test_it_stands_in_the_table() -> None:
    assert "Smallest input: H ≥ 63, W ≥ 63." in convcalc.load("alexnet").summarize().text()
