"""Thirty networks in the spec language, held against their published figures.

tests/examples are copies of the worked examples that come with the language's description. Bare
names in `extends:` are the zoo's first, so the examples stand in for it here: their figures do
not depend on nets of the same names.
"""

from __future__ import annotations

from pathlib import Path

import pytest

import convcalc
from convcalc import Dim

FOLDER = Path(__file__).parent.parent / "examples"


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the examples be the zoo."""
    monkeypatch.setattr("convcalc.spec.zoo.zoo_folder", lambda: str(FOLDER))


# params and MACs; torchvision's definitions at their own sizes unless it says otherwise
FIGURES = {
    "alexnet": (61_100_840, 714_188_480),
    "convnext_base": (88_591_464, 15_354_729_472),
    "convnext_tiny": (28_589_128, 4_455_531_264),
    "dcgan_generator": (3_576_704, 104_628_224),  # Radford 2015, 64x64
    "densenet121": (7_978_856, 2_834_161_664),
    "densenet161": (28_681_000, 7_727_907_072),
    "efficientnet_b3": (12_233_232, 962_708_240),  # at 224x224
    "efficientnet_b7": (66_347_960, 5_169_865_152),  # at 224x224
    "fpn": (26_852_416, 6_929_104_896),  # by hand: 23,508,032 + 984,064 + 2,360,320
    "googlenet": (6_624_904, 1_498_376_192),  # torchvision's, without auxiliary heads
    "inception_v3": (23_834_568, 5_713_216_096),  # at 299x299, without the auxiliary head
    "mlp_megapixel": (3_600_000_100, 3_600_000_000),
    "mn909_conv6": (471_666, 589_000),
    "mobilenet_v3_large": (5_483_032, 216_589_760),
    "regnet_y_400mf": (4_344_144, 401_842_848),
    "resnet101": (44_549_160, 7_801_405_440),
    "resnet18": (11_689_512, 1_814_073_344),
    "resnet34": (21_797_672, 3_663_761_408),
    "resnet50": (25_557_032, 4_089_184_256),
    "resnet_family": (25_557_032, 4_089_184_256),
    "resnext50": (25_028_904, 4_230_479_872),
    "retina_head": (4_810_532, 3_780_182_016),  # by hand: the head's 2,443,300 count once
    "se_resnet50": (28_088_024, 3_860_488_192),  # params as published, MACs about 3.88e9
    "shufflenet_v2_x1_0": (2_278_604, 144_907_992),
    "siamese": (38_951_745, 1_817_251_840),  # Koch 2015: the towers' weights count once
    "two_outputs": (5_588, 1_622_496),  # by hand: 448 + 170 + 4,640 + 330
    "unet": (31_030_658, 150_428_424_448),  # Ronneberger 2015, 572 -> 388
    "vgg16": (138_357_544, 15_470_264_320),
    "wide50": (68_883_240, 11_398_021_120),
}


def test_every_example_has_its_figures() -> None:
    assert {file.stem for file in FOLDER.glob("*.yaml")} == set(FIGURES)


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("name", FIGURES)
def test_published_figures(name: str) -> None:
    net = convcalc.load(FOLDER / f"{name}.yaml")
    totals = net.summarize().totals
    assert (totals.params, totals.macs) == FIGURES[name]


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("name", FIGURES)
def test_closed_forms_give_the_same_figures(name: str) -> None:
    net = convcalc.load(FOLDER / f"{name}.yaml")
    form = net.formula("macs")
    assert isinstance(form, Dim)
    values = {key: value for key, value in net.variables.items() if key in form.symbols}
    assert form.evaluate(N=3, **values) == 3 * FIGURES[name][1]
    # the structure of none depends on its size: at another one it is as right
    other = {key: value + 32 for key, value in values.items()}
    assert form.evaluate(N=1, **other) == net.summarize(**other).totals.macs


def test_the_names_in_the_fpn_and_its_outputs() -> None:
    net = convcalc.load(FOLDER / "fpn.yaml")
    assert [node.path for node in net.graph.outputs] == ["p2", "p3", "p4", "p5"]
    shapes = {node.path: node.shape for node in net.graph.nodes}
    assert shapes["layer4.bottleneck3.residual1.relu1"] == (1, 2048, 7, 7)
    assert shapes["up1"] == shapes["top1"] == shapes["p2"] == (1, 256, 56, 56)


def test_one_head_over_three_levels() -> None:
    net = convcalc.load(FOLDER / "retina_head.yaml")
    heads = [node for node in net.graph.nodes if node.path.startswith("out")]
    assert len(heads) == 3 * 9
    assert {node.owner.path.split(".")[0] for node in heads} == {"out1"}


@pytest.mark.parametrize("name", FIGURES)
def test_they_run_beside_the_zoo_too(name: str) -> None:
    assert convcalc.load(FOLDER / f"{name}.yaml").graph.nodes
