"""The zoo's newer architectures, held against figures that torchvision computed.

The figures are of torchvision 0.29.1, run once on PyTorch's meta device and pasted here: the
parameters; the buffers without batch counters; and the multiply-accumulates that forward hooks on
every convolution and linear layer counted, k·k·C/groups for each output of one. The same run agreed
with each spec at three more sizes, and in the kind, output shape and parameters of every module.

torchvision has no SE-ResNet and no MobileNetV1: a plain count here stands for it.
"""

import re
from typing import Any

import pytest

import convcalc
from convcalc.network import Network

# name: size, params, buffers, MACs at N = 1 and that size, MACs at N = 2, H = 193, W = 259
TORCHVISION = {
    "densenet161": (224, 28_681_000, 219_936, 7_727_907_072, 15_334_938_240),
    "densenet169": (224, 14_149_480, 158_400, 3_359_843_328, 6_671_063_808),
    "densenet201": (224, 20_013_928, 229_056, 4_291_365_888, 8_496_098_048),
    "mobilenet_v3_small": (224, 2_542_856, 12_112, 56_510_400, 128_620_976),
    "mobilenet_v3_large": (224, 5_483_032, 24_400, 216_589_760, 486_052_944),
    "shufflenet_v2_x0_5": (224, 1_366_792, 7_952, 40_476_448, 91_938_992),
    "shufflenet_v2_x1_0": (224, 2_278_604, 16_180, 144_907_992, 332_953_840),
    "shufflenet_v2_x1_5": (224, 3_503_624, 23_440, 295_759_392, 679_318_960),
    "shufflenet_v2_x2_0": (224, 7_393_996, 33_716, 583_253_464, 1_351_373_808),
    "resnext50_32x4d": (224, 25_028_904, 68_224, 4_230_479_872, 9_368_182_528),
    "resnext101_32x8d": (224, 88_791_336, 202_880, 16_414_015_488, 36_685_783_808),
    "resnext101_64x4d": (224, 83_455_272, 202_880, 15_460_270_080, 34_544_372_480),
    "wide_resnet50_2": (224, 68_883_240, 68_224, 11_398_021_120, 25_386_300_160),
    "wide_resnet101_2": (224, 126_886_696, 137_856, 22_753_050_624, 50_993_050_368),
    "mnasnet0_5": (224, 2_218_512, 20_624, 104_455_968, 238_726_832),
    "mnasnet0_75": (224, 3_170_208, 29_808, 215_493_104, 491_866_000),
    "mnasnet1_0": (224, 4_383_312, 37_920, 314_415_872, 728_004_752),
    "mnasnet1_3": (224, 6_282_256, 48_816, 526_362_432, 1_214_446_384),
    "efficientnet_v2_s": (224, 21_458_488, 153_872, 2_849_895_872, 6_291_374_752),
    "efficientnet_v2_m": (224, 54_139_356, 292_032, 5_362_207_200, 12_159_658_144),
    "efficientnet_v2_l": (224, 118_515_272, 512_576, 12_231_188_544, 27_637_558_272),
    "convnext_tiny": (224, 28_589_128, 0, 4_455_531_264, 8_729_235_456),
    "convnext_small": (224, 50_223_688, 0, 8_683_712_256, 17_013_018_624),
    "convnext_base": (224, 88_591_464, 0, 15_354_729_472, 30_082_777_088),
    "convnext_large": (224, 197_767_336, 0, 34_361_433_600, 67_320_422_400),
    "efficientnet_b0": (224, 5_288_548, 42_016, 385_814_752, 883_945_920),
    "efficientnet_b1": (224, 7_794_184, 62_048, 569_651_680, 1_315_048_704),
    "efficientnet_b2": (224, 9_109_994, 67_568, 658_963_440, 1_525_773_472),
    "efficientnet_b3": (224, 12_233_232, 87_296, 962_708_240, 2_216_476_960),
    "efficientnet_b4": (224, 19_341_616, 125_200, 1_503_710_432, 3_483_336_896),
    "efficientnet_b5": (224, 30_389_784, 172_736, 2_356_493_184, 5_469_681_088),
    "efficientnet_b6": (224, 43_040_704, 224_432, 3_360_166_848, 7_808_272_416),
    "efficientnet_b7": (224, 66_347_960, 310_720, 5_169_865_152, 12_035_684_608),
    "regnet_x_400mf": (224, 5_495_976, 37_856, 413_812_608, 984_855_680),
    "regnet_x_800mf": (224, 7_259_656, 37_312, 799_699_712, 1_829_752_704),
    "regnet_x_1_6gf": (224, 9_190_136, 43_504, 1_602_849_792, 3_562_370_304),
    "regnet_x_3_2gf": (224, 15_296_552, 62_560, 3_176_621_952, 7_007_501_952),
    "regnet_x_8gf": (224, 39_572_648, 90_464, 7_995_132_416, 17_783_172_480),
    "regnet_x_16gf": (224, 54_278_536, 111_168, 15_940_755_456, 34_572_451_200),
    "regnet_x_32gf": (224, 107_811_560, 162_016, 31_735_929_792, 68_959_160_064),
    "regnet_y_400mf": (224, 4_344_144, 27_152, 401_842_848, 915_125_696),
    "regnet_y_800mf": (224, 6_432_512, 30_432, 833_856_256, 1_863_700_352),
    "regnet_y_1_6gf": (224, 11_202_430, 52_672, 1_612_076_160, 3_607_649_280),
    "regnet_y_3_2gf": (224, 19_436_338, 66_160, 3_176_482_752, 7_067_643_264),
    "regnet_y_8gf": (224, 39_381_472, 86_528, 8_473_070_592, 18_516_706_688),
    "regnet_y_16gf": (224, 83_590_140, 122_816, 15_911_510_272, 35_146_760_576),
    "regnet_y_32gf": (224, 145_046_770, 158_288, 32_279_552_832, 70_760_052_608),
}

# name, variables, params, MACs at N = 2, H = 193, W = 259; for ResNets, torchvision's with the
# strides of conv1 and conv2 of every bottleneck exchanged
VARIANTS = [
    ("resnet50", {"stride_on_1x1": True}, 25_557_032, 8_609_755_904),
    ("resnet101", {"stride_on_1x1": True}, 44_549_160, 16_981_193_472),
    ("resnet152", {"stride_on_1x1": True}, 60_192_808, 25_221_165_824),
    ("resnext50_32x4d", {"stride_on_1x1": True}, 25_028_904, 8_410_832_640),
    ("resnext101_64x4d", {"stride_on_1x1": True}, 83_455_272, 32_629_672_704),
    ("wide_resnet50_2", {"stride_on_1x1": True}, 68_883_240, 24_428_950_272),
    ("mobilenet_v3_large", {"width": "0.35"}, 997_064, 78_034_304),
    ("mobilenet_v3_large", {"width": "0.5"}, 1_734_576, 144_350_208),
    ("mobilenet_v3_large", {"width": "0.75"}, 3_377_576, 311_411_440),
    ("mobilenet_v3_large", {"width": "1.25"}, 8_164_744, 769_578_880),
    ("mobilenet_v3_large", {"width": "1.4"}, 9_989_328, 932_147_392),
    ("mobilenet_v3_small", {"width": "0.35"}, 558_744, 24_894_592),
    ("mobilenet_v3_small", {"width": "0.5"}, 917_264, 42_616_720),
    ("mobilenet_v3_small", {"width": "0.75"}, 1_653_920, 87_843_168),
    ("mobilenet_v3_small", {"width": "1.25"}, 3_644_912, 200_245_984),
    ("mobilenet_v3_small", {"width": "1.4"}, 4_373_824, 236_677_952),
    ("mnasnet1_0", {"width": "0.25"}, 1_606_024, 93_458_592),
    ("mnasnet1_0", {"width": "0.35"}, 1_788_232, 133_815_872),
    ("mnasnet1_0", {"width": "1.4"}, 7_115_728, 1_364_966_992),
    ("mnasnet1_0", {"width": "2"}, 12_469_944, 2_632_322_336),
    ("efficientnet_b0", {"width": "0.5", "depth": "0.5"}, 1_298_120, 166_849_792),
    ("efficientnet_b0", {"width": "0.8", "depth": "1.3"}, 5_576_932, 960_569_120),
    ("efficientnet_b0", {"width": "2.2", "depth": "3.6"}, 87_413_142, 16_198_395_520),
]

# -- plain counts of the nets that torchvision does not have ------------------------------------


class Count:
    """What layers add up to; the caller says what shapes reach them."""

    def __init__(self, batch: int) -> None:
        self.batch = batch
        self.params = self.buffers = self.macs = 0

    def layer(self, inputs: int, out: int, window: int, places: int, bias: bool = False) -> None:
        self.params += window * inputs * out + (out if bias else 0)
        self.macs += self.batch * places * window * inputs * out
        if not bias:  # every convolution without one has a batch norm
            self.params += 2 * out
            self.buffers += 2 * out


def se_resnet50(
    batch: int, height: int, width: int, reduction: int = 16, first: bool = True
) -> Count:
    def strided(size: int) -> int:  # kernel 2p + 1 and padding p: a centre on every other pixel
        return len(range(0, size, 2))

    count = Count(batch)
    height, width = strided(height), strided(width)
    count.layer(3, 64, 49, height * width)
    height, width = strided(height), strided(width)
    inputs = 64
    for inner, depth in ((64, 3), (128, 4), (256, 6), (512, 3)):
        for block in range(depth):
            before = height * width
            if block == 0 and inner > 64:
                height, width = strided(height), strided(width)
            after = height * width
            out = 4 * inner
            count.layer(inputs, inner, 1, after if first else before)
            count.layer(inner, inner, 9, after)
            count.layer(inner, out, 1, after)
            count.layer(out, out // reduction, 1, 1, bias=True)
            count.layer(out // reduction, out, 1, 1, bias=True)
            if block == 0:
                count.layer(inputs, out, 1, after)
            inputs = out
    count.layer(inputs, 1000, 1, 1, bias=True)
    return count


def mobilenet_v1(batch: int, height: int, width: int, quarters: int = 4) -> Count:
    count = Count(batch)

    def separable(inputs: int, out: int) -> None:
        count.layer(1, inputs, 9, height * width)
        count.layer(inputs, out, 1, height * width)

    # same padding: a window for every pixel, or for every other from the first
    height, width = len(range(0, height, 2)), len(range(0, width, 2))
    wide = 8 * quarters
    count.layer(3, wide, 9, height * width)
    separable(wide, 2 * wide)
    for _ in range(2):
        height, width = len(range(0, height, 2)), len(range(0, width, 2))
        wide *= 2
        separable(wide, 2 * wide)
        separable(2 * wide, 2 * wide)
    height, width = len(range(0, height, 2)), len(range(0, width, 2))
    wide *= 2
    separable(wide, 2 * wide)
    for _ in range(5):
        separable(2 * wide, 2 * wide)
    height, width = len(range(0, height, 2)), len(range(0, width, 2))
    wide *= 2
    separable(wide, 2 * wide)
    separable(2 * wide, 2 * wide)
    count.layer(2 * wide, 1000, 1, 1, bias=True)
    return count


SIZES = [(1, 224, 224), (2, 193, 259), (1, 97, 131), (3, 225, 160), (1, 1, 34)]


def totals(network: Network) -> tuple[Any, Any, Any]:
    found = network.summarize().totals
    return found.params, found.buffers, found.macs


# -- tests --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TORCHVISION)
def test_totals_are_torchvisions(name: str) -> None:
    size, params, buffers, macs, macs_odd = TORCHVISION[name]
    network = convcalc.load(name)
    assert network.summarize().rows[0].output_shape[0] == 1
    assert totals(network) == (params, buffers, macs)
    assert totals(convcalc.load(name, H=size, W=size)) == (params, buffers, macs)
    odd = convcalc.load(name, N=2, H=193, W=259)
    assert totals(odd) == (params, buffers, macs_odd)
    assert odd.graph.outputs[0].shape == (2, 1000)


@pytest.mark.parametrize("name", TORCHVISION)
def test_closed_form_holds_at_both_sizes(name: str) -> None:
    size, _, _, macs, macs_odd = TORCHVISION[name]
    form = convcalc.load(name).formula("macs")
    assert form.evaluate(N=1, H=size, W=size) == macs
    assert form.evaluate(N=2, H=193, W=259) == macs_odd


@pytest.mark.parametrize("name", [
    "se_resnet50", "mobilenet_v1", "densenet161", "shufflenet_v2_x1_5", "convnext_small",
    "efficientnet_v2_s", "regnet_y_1_6gf",
])  # fmt: skip
def test_closed_form_agrees_with_the_summary(name: str) -> None:
    form = convcalc.load(name).formula("macs")
    for batch, height, width in ((1, 32, 33), (5, 71, 40), (2, 127, 250), (1, 513, 64)):
        found = convcalc.load(name, N=batch, H=height, W=width).summarize().totals.macs
        assert form.evaluate(N=batch, H=height, W=width) == found


@pytest.mark.parametrize(("name", "variables", "params", "macs"), VARIANTS)
def test_variables_do_as_in_torchvision(
    name: str, variables: dict[str, Any], params: int, macs: int
) -> None:
    found = convcalc.load(name, N=2, H=193, W=259, **variables).summarize().totals
    assert (found.params, found.macs) == (params, macs)


@pytest.mark.parametrize(("batch", "height", "width"), SIZES)
@pytest.mark.parametrize(("reduction", "first"), [(16, True), (16, False), (8, True)])
def test_se_resnet50_agrees_with_a_plain_count(
    batch: int, height: int, width: int, reduction: int, first: bool
) -> None:
    network = convcalc.load(
        "se_resnet50", N=batch, H=height, W=width, reduction=reduction, stride_on_1x1=first
    )
    count = se_resnet50(batch, height, width, reduction, first)
    assert totals(network) == (count.params, count.buffers, count.macs)


def test_se_resnet50_has_the_published_parameters() -> None:
    # imgclsmob's README: 28,088,024 parameters and about 3.88e9 MACs, a little more counted
    params, _, macs = totals(convcalc.load("se_resnet50"))
    assert params == 28_088_024
    assert 3.85e9 < macs < 3.88e9


@pytest.mark.parametrize(("batch", "height", "width"), SIZES)
@pytest.mark.parametrize("quarters", [1, 2, 3, 4])
def test_mobilenet_v1_agrees_with_a_plain_count(
    batch: int, height: int, width: int, quarters: int
) -> None:
    network = convcalc.load("mobilenet_v1", N=batch, H=height, W=width, width=f"{quarters}/4")
    count = mobilenet_v1(batch, height, width, quarters)
    assert totals(network) == (count.params, count.buffers, count.macs)


@pytest.mark.parametrize(
    ("width", "size", "params", "macs"),  # tables 6 and 7 of the paper, in millions
    [("1", 224, 4.2, 569), ("3/4", 224, 2.6, 325), ("1/2", 224, 1.3, 149), ("1/4", 224, 0.5, 41),
     ("1", 192, 4.2, 418), ("1", 160, 4.2, 290), ("1", 128, 4.2, 186)],
)  # fmt: skip
def test_mobilenet_v1_meets_the_tables_of_its_paper(
    width: str, size: int, params: float, macs: int
) -> None:
    found = totals(convcalc.load("mobilenet_v1", width=width, H=size, W=size))
    assert round(found[0] / 1e6, 1) == params
    assert abs(found[2] / 1e6 - macs) < 1


def test_stride_of_resnets_is_on_the_3x3_or_on_the_1x1() -> None:
    for name in ("resnet50", "wide_resnet50_2"):
        rows = {
            choice: {row.name: row.output_shape for row in convcalc.load(
                name, stride_on_1x1=choice).summarize().rows}
            for choice in (False, True)
        }  # fmt: skip
        reduced = [rows[choice]["layer2.bottleneck1.reduce.conv1"][2:] for choice in (False, True)]
        assert reduced == [(56, 56), (28, 28)]
    # He et al., table 1: 3.8·10⁹ for the 50 layers
    assert 3.8e9 < convcalc.load("resnet50", stride_on_1x1=True).summarize().totals.macs < 3.9e9


FUNCTIONAL = {
    "densenet": ["global_avg_pool", "relu"],
    "shufflenet_v2": ["channel_shuffle"] * 16,
    "convnext_tiny": ["layer_norm"] * 5 + ["scale"] * 18,
    "convnext": ["layer_norm"] * 5 + ["scale"] * 36,
}


@pytest.mark.parametrize("name", TORCHVISION)
def test_functions_of_torchvision_are_marked(name: str) -> None:
    family = next((key for key in FUNCTIONAL if name.startswith(key)), None)
    marked = sorted(node.kind for node in convcalc.load(name).graph.nodes if node.functional)
    assert marked == (FUNCTIONAL[family] if family else [])


@pytest.mark.parametrize("name", [*TORCHVISION, "se_resnet50", "mobilenet_v1"])
def test_table_fits_80_columns(name: str) -> None:
    lines = str(convcalc.load(name)).splitlines()
    end = next(i for i, line in enumerate(lines) if re.match("Total ", line))
    table = lines[3 : end + 1]
    assert table[0].startswith("Layer ")
    assert max(map(len, table)) <= 80
