"""The classics of the zoo, from LeNet-1 to Inception-v4, held against figures and counts.

Two sources, neither of which shares code with convcalc: totals written down here, each with where
it comes from, and `Tally`, a count in plain Python that places windows one by one and builds every
net from its paper or from the source that its spec names.
"""

from collections.abc import Callable
from typing import Any

import pytest

import convcalc

Shape = tuple[int, ...]
Count = Callable[..., tuple["Tally", Shape]]


# -- figures ------------------------------------------------------------------------------------

# reference/zoo.csv
ZOO_CSV = {
    "lenet300": (266_610, 266_200),
    "mn909_conv6": (471_666, 589_000),
    "mn909_conv6_pool": (118_866, 236_200),
    "mn909_conv6_conv16": (82_082, 667_400),
    "mlp_megapixel": (3_600_000_100, 3_600_000_000),
    "alexnet_2012": (60_965_224, 724_406_816),
    "alexnet_cs231n": (62_378_344, 1_135_256_096),
    "alexnet_d2l": (50_844_008, 1_009_945_728),
    "zfnet": (62_357_608, 1_168_032_896),
    "nin": (7_595_176, 969_460_864),
    "inception_block": (163_328, 128_049_152),
    "conv3x3_192_256": (442_368, 346_816_512),
    "conv5x5_192_256": (1_228_800, 963_379_200),
    "inception_v3": (23_834_568, 5_713_216_096),
    "squeezenet1_0": (1_248_424, 818_924_576),
    "squeezenet1_1": (1_235_496, 349_151_936),
    "dcgan_generator": (3_576_704, 104_628_224),
}
# forward hooks on convolutions and linear layers of pytorchcv 0.0.74 and timm 1.0.31
HOOKS = {
    "inception_v2": (11_295_240, 2_032_600_064),
    "inception_v4": (42_679_816, 12_253_974_624),
    "xception": (22_855_952, 8_357_403_496),
}
# parameters as zoo.csv has them, and its MACs, which count batch norm and pooling too
ABOUT = {
    "inception_v2": (11_295_240, 2.05e9),
    "inception_v4": (42_679_816, 12.28e9),
    "xception": (22_855_952, 8.40e9),
}
# buffers, and MACs of a batch of two, at other sizes: forward hooks on torchvision 0.29.1, on
# pytorchcv 0.0.74 (inception_v2, with a global pooling) and timm 1.0.31 (inception_v4, xception)
AT_SIZES = [
    ("vgg11_bn", 132_868_840, 5_504, {"H": 225, "W": 289}, 19_497_356_672),
    ("vgg11_bn", 132_868_840, 5_504, {"H": 97, "W": 160}, 4_830_752_768),
    ("vgg13_bn", 133_053_736, 5_888, {"H": 225, "W": 289}, 29_047_860_608),
    ("vgg13_bn", 133_053_736, 5_888, {"H": 257, "W": 131}, 14_982_039_680),
    ("vgg16_bn", 138_365_992, 8_448, {"H": 225, "W": 289}, 39_749_627_264),
    ("vgg16_bn", 138_365_992, 8_448, {"H": 257, "W": 131}, 20_417_857_664),
    ("vgg19_bn", 143_678_248, 11_008, {"H": 225, "W": 289}, 50_451_393_920),
    ("vgg19_bn", 143_678_248, 11_008, {"H": 97, "W": 160}, 12_203_552_768),
    ("squeezenet1_0", 1_248_424, 0, {"H": 225, "W": 289}, 2_149_319_936),
    ("squeezenet1_0", 1_248_424, 0, {"H": 97, "W": 160}, 473_756_032),
    ("squeezenet1_0", 1_248_424, 0, {"H": 257, "W": 131}, 1_063_757_952),
    ("squeezenet1_1", 1_235_496, 0, {"H": 225, "W": 289}, 996_065_280),
    ("squeezenet1_1", 1_235_496, 0, {"H": 97, "W": 160}, 220_256_256),
    ("squeezenet1_1", 1_235_496, 0, {"H": 257, "W": 131}, 506_380_288),
    ("inception_v2", 11_295_240, 20_032, {"H": 256, "W": 192}, 3_982_278_656),
    ("inception_v2", 11_295_240, 20_032, {"H": 225, "W": 289}, 5_230_936_448),
    ("inception_v3", 23_834_568, 34_432, {"H": 224, "W": 261}, 6_688_088_704),
    ("inception_v3", 23_834_568, 34_432, {"H": 75, "W": 311}, 2_157_434_688),
    ("inception_v3", 23_834_568, 34_432, {"H": 192, "W": 130}, 2_409_284_608),
    ("inception_v4", 42_679_816, 63_168, {"H": 224, "W": 261}, 14_403_443_328),
    ("inception_v4", 42_679_816, 63_168, {"H": 75, "W": 311}, 4_607_555_392),
    ("xception", 22_855_952, 54_528, {"H": 224, "W": 261}, 10_453_857_920),
    ("xception", 22_855_952, 54_528, {"H": 77, "W": 40}, 660_341_776),
    ("r3d_18", 33_371_472, 9_600, {"T": 16, "H": 112, "W": 112}, 81_393_106_944),
    ("r3d_18", 33_371_472, 9_600, {"T": 9, "H": 97, "W": 65}, 28_169_611_392),
    ("r3d_18", 33_371_472, 9_600, {"T": 5, "H": 33, "W": 128}, 10_997_719_040),
]


@pytest.mark.parametrize("name", [*ZOO_CSV, *HOOKS])
def test_totals_are_the_published_ones(name: str) -> None:
    totals = convcalc.load(name).summarize().totals
    assert (totals.params, totals.macs) == (ZOO_CSV | HOOKS)[name]


@pytest.mark.parametrize("name", ABOUT)
def test_macs_are_below_those_that_count_norms_and_pooling(name: str) -> None:
    params, macs = ABOUT[name]
    totals = convcalc.load(name).summarize().totals
    assert totals.params == params
    assert 0.99 * macs <= totals.macs <= macs


@pytest.mark.parametrize(("name", "params", "buffers", "sizes", "macs"), AT_SIZES)
def test_totals_at_other_sizes_are_those_of_forward_hooks(
    name: str, params: int, buffers: int, sizes: dict[str, int], macs: int
) -> None:
    totals = convcalc.load(name).summarize(N=2, **sizes).totals
    assert (totals.params, totals.buffers, totals.macs) == (params, buffers, macs)


# -- the independent count ----------------------------------------------------------------------


def each(value: Any, axes: int) -> list[Any]:
    return list(value) if isinstance(value, tuple) else [value] * axes


class Tally:
    """What the layers of a net add up to; its methods take a shape and give the next."""

    def __init__(self, batch: int, *, bias: bool = True) -> None:
        self.batch, self.bias = batch, bias
        self.params = self.buffers = self.macs = 0

    def window(
        self, x: Shape, kernel: Any, stride: Any = 1, pad: Any = 0, ceil: bool = False
    ) -> Shape:
        """Windows are placed one by one; `pad` is a number per axis, or "same"."""
        axes = len(x) - 1
        out = [x[0]]
        rows = zip(x[1:], each(kernel, axes), each(stride, axes), each(pad, axes), strict=True)
        for n, k, s, p in rows:
            if p == "same":
                out.append(len(range(0, n, s)))
                continue
            starts = list(range(-p, n + p - k + 1, s))
            # in ceil mode one more window, over the end, if it still starts in the input
            following = starts[-1] + s if starts else -p
            covered = starts[-1] + k if starts else -p
            if ceil and covered < n + p and following < n:
                starts.append(following)
            assert starts, f"a window of {k} does not fit {n}"
            out.append(len(starts))
        return tuple(out)

    def weigh(self, size: int, out: int, positions: int, bias: bool | None) -> None:
        self.params += size + (out if (self.bias if bias is None else bias) else 0)
        self.macs += self.batch * positions * size

    def conv(
        self, x: Shape, out: int, kernel: Any, stride: Any = 1, pad: Any = 0, *,
        groups: int = 1, bias: bool | None = None,
    ) -> Shape:  # fmt: skip
        y = self.window(x, kernel, stride, pad)
        size, positions = out * x[0] // groups, 1
        for k, n in zip(each(kernel, len(x) - 1), y[1:], strict=True):
            size, positions = size * k, positions * n
        self.weigh(size, out, positions, bias)
        return out, *y[1:]

    def up(self, x: Shape, out: int, kernel: int, stride: int, crop: int) -> Shape:
        """Every input element meets the whole kernel; what it writes overlaps and is cropped."""
        size, positions = x[0] * out * kernel * kernel, x[1] * x[2]
        self.weigh(size, out, positions, False)
        return out, *((n - 1) * stride + kernel - 2 * crop for n in x[1:])

    def norm(self, x: Shape) -> Shape:
        self.params += 2 * x[0]
        self.buffers += 2 * x[0]
        return x

    def conv_norm(self, x: Shape, *args: Any, bias: bool | None = False, **more: Any) -> Shape:
        return self.norm(self.conv(x, *args, bias=bias, **more))

    def linear(self, x: Shape, *widths: int) -> Shape:
        for out in widths:
            features = 1
            for n in x:
                features *= n
            self.weigh(features * out, out, 1, None)
            x = (out,)
        return x


def side_by_side(*shapes: Shape) -> Shape:
    assert len({shape[1:] for shape in shapes}) == 1, shapes
    return sum(shape[0] for shape in shapes), *shapes[0][1:]


def lenet1(t: Tally, h: int, w: int) -> Shape:
    def subsample(x: Shape) -> Shape:
        x = t.window(x, 2, 2)
        t.params += 2 * x[0]
        t.macs += t.batch * x[0] * x[1] * x[2]
        return x

    _, h, w = subsample(t.conv((1, h, w), 4, 5))
    # the table: eight maps see two maps, four see one
    maps = [t.conv((seen, h, w), 1, 5) for seen in (1, 2, 2, 2, 2, 1) * 2]
    return t.linear(subsample(side_by_side(*maps)), 10)


def lenet300(t: Tally, h: int, w: int) -> Shape:
    return t.linear((1, h, w), 300, 100, 10)


def mn909(*filters: int, pool: bool) -> Any:
    def build(t: Tally, h: int, w: int) -> Shape:
        x: Shape = (1, h, w)
        for out in filters:
            x = t.conv(x, out, 5, pad=2)
            x = t.window(x, 2, 2) if pool else x
        return t.linear(x, 100, 10)

    return build


def vgg(*depths: int, norm: bool = False, adaptive: bool = False) -> Any:
    def build(t: Tally, h: int, w: int) -> Shape:
        x: Shape = (3, h, w)
        for out, depth in zip((64, 128, 256, 512, 512), depths, strict=True):
            for _ in range(depth):
                x = t.conv(x, out, 3, pad=1)
                x = t.norm(x) if norm else x
            x = t.window(x, 2, 2)
        return t.linear((512, 7, 7) if adaptive else x, 4096, 4096, 1000)

    return build


def alexnet(groups: int = 1) -> Any:
    def build(t: Tally, h: int, w: int) -> Shape:
        x = t.window(t.conv((3, h, w), 96, 11, 4), 3, 2)
        x = t.window(t.conv(x, 256, 5, pad=2, groups=groups), 3, 2)
        x = t.conv(x, 384, 3, pad=1)
        x = t.conv(x, 384, 3, pad=1, groups=groups)
        x = t.conv(x, 256, 3, pad=1, groups=groups)
        return t.linear(t.window(x, 3, 2), 4096, 4096, 1000)

    return build


def zfnet(*widths: int) -> Any:
    def build(t: Tally, h: int, w: int) -> Shape:
        x = t.window(t.conv((3, h, w), 96, 7, 2, 1), 3, 2, ceil=True)
        x = t.window(t.conv(x, 256, 5, 2), 3, 2, ceil=True)
        for out in widths:
            x = t.conv(x, out, 3, pad=1)
        return t.linear(t.window(x, 3, 2, ceil=True), 4096, 4096, 1000)

    return build


def nin(t: Tally, h: int, w: int) -> Shape:
    x: Shape = (3, h, w)
    for widths, kernel, stride, pad in (
        ((96, 96, 96), 11, 4, 0), ((256, 256, 256), 5, 1, 2),
        ((384, 384, 384), 3, 1, 1), ((1024, 1024, 1000), 3, 1, 1),
    ):  # fmt: skip
        x = t.conv(x, widths[0], kernel, stride, pad)
        for out in widths[1:]:
            x = t.conv(x, out, 1)
        if widths[-1] != 1000:
            x = t.window(x, 3, 2)
    return x[:1]


def inception_block(t: Tally, h: int, w: int) -> Shape:
    x = (192, h, w)
    return side_by_side(
        t.conv(x, 64, 1),
        t.conv(t.conv(x, 96, 1), 128, 3, pad=1),
        t.conv(t.conv(x, 16, 1), 32, 5, pad=2),
        t.conv(t.window(x, 3, pad=1), 32, 1),
    )


def one_conv(kernel: int) -> Any:
    return lambda t, h, w: t.conv((192, h, w), 256, kernel, pad=kernel // 2)


def inception_v2(t: Tally, h: int, w: int) -> Shape:
    def conv(x: Shape, out: int, kernel: int, stride: int = 1) -> Shape:
        return t.conv_norm(x, out, kernel, stride, kernel // 2, bias=None)

    x = t.window(conv((3, h, w), 64, 7, 2), 3, 2, ceil=True)
    x = t.window(conv(conv(x, 64, 1), 192, 3), 3, 2, ceil=True)
    for one, reduce3, three, reduce5, five, pool in (
        (64, 64, 64, 64, 96, 32), (64, 64, 96, 64, 96, 64), (0, 128, 160, 64, 96, 0),
        (224, 64, 96, 96, 128, 128), (192, 96, 128, 96, 128, 128),
        (160, 128, 160, 128, 160, 128), (96, 128, 192, 160, 192, 128), (0, 128, 192, 192, 256, 0),
        (352, 192, 320, 160, 224, 128), (352, 192, 320, 192, 224, 128),
    ):  # fmt: skip
        stride = 1 if one else 2
        x = side_by_side(
            *([conv(x, one, 1)] if one else []),
            conv(conv(x, reduce3, 1), three, 3, stride),
            conv(conv(conv(x, reduce5, 1), five, 3), five, 3, stride),
            conv(x, pool, 1) if pool else t.window(x, 3, 2, "same"),
        )
    return t.linear(x[:1], 1000)


def inception_v4(t: Tally, h: int, w: int) -> Shape:
    def convs(x: Shape, *rows: Any) -> Shape:
        """Rows of channels and kernel; "s" halves and "v" stays unpadded."""
        for out, kernel, *how in rows:
            pad = 0 if how else tuple(k // 2 for k in each(kernel, 2))
            x = t.conv_norm(x, out, kernel, 2 if how == ["s"] else 1, pad)
        return x

    def fork(x: Shape) -> list[Shape]:
        return [convs(x, (256, (1, 3))), convs(x, (256, (3, 1)))]

    low, high = (1, 7), (7, 1)
    x = convs((3, h, w), (32, 3, "s"), (32, 3, "v"), (64, 3))
    x = side_by_side(t.window(x, 3, 2), convs(x, (96, 3, "s")))
    x = side_by_side(
        convs(x, (64, 1), (96, 3, "v")),
        convs(x, (64, 1), (64, low), (64, high), (96, 3, "v")),
    )
    x = side_by_side(convs(x, (192, 3, "s")), t.window(x, 3, 2))
    for _ in range(4):
        x = side_by_side(
            convs(x, (96, 1)),
            convs(x, (64, 1), (96, 3)),
            convs(x, (64, 1), (96, 3), (96, 3)),
            convs(x, (96, 1)),
        )
    x = side_by_side(
        convs(x, (384, 3, "s")),
        convs(x, (192, 1), (224, 3), (256, 3, "s")),
        t.window(x, 3, 2),
    )
    for _ in range(7):
        x = side_by_side(
            convs(x, (384, 1)),
            convs(x, (192, 1), (224, low), (256, high)),
            convs(x, (192, 1), (192, high), (224, low), (224, high), (256, low)),
            convs(x, (128, 1)),
        )
    x = side_by_side(
        convs(x, (192, 1), (192, 3, "s")),
        convs(x, (256, 1), (256, low), (320, high), (320, 3, "s")),
        t.window(x, 3, 2),
    )
    for _ in range(3):
        x = side_by_side(
            convs(x, (256, 1)),
            *fork(convs(x, (384, 1))),
            *fork(convs(x, (384, 1), (448, (3, 1)), (512, (1, 3)))),
            convs(x, (256, 1)),
        )
    return t.linear(x[:1], 1000)


def xception(t: Tally, h: int, w: int) -> Shape:
    def separable(x: Shape, out: int) -> Shape:
        x = t.conv(x, x[0], 3, pad=1, groups=x[0], bias=False)
        return t.conv_norm(x, out, 1)

    x = t.conv_norm(t.conv_norm((3, h, w), 32, 3, 2), 64, 3)
    for first, out in ((128, 128), (256, 256), (728, 728), (0, 0), (728, 1024)):
        if not out:
            for _ in range(8 * 3):
                x = separable(x, 728)
            continue
        shortcut = t.conv_norm(x, out, 1, 2)
        x = t.window(separable(separable(x, first), out), 3, 2, 1)
        assert x == shortcut
    return t.linear(separable(separable(x, 1536), 2048)[:1], 1000)


def dcgan(t: Tally, h: int, w: int) -> Shape:
    x = t.norm(t.up((100, h, w), 512, 4, 1, 0))
    for out in (256, 128, 64):
        x = t.norm(t.up(x, out, 4, 2, 1))
    return t.up(x, 3, 4, 2, 1)


def fcn32s(t: Tally, h: int, w: int) -> Shape:
    x: Shape = (3, h, w)
    for out, depth in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(depth):
            x = t.conv(x, out, 3, pad=100 if x[0] == 3 else 1)
        x = t.window(x, 2, 2, ceil=True)
    x = t.conv(t.conv(t.conv(x, 4096, 7), 4096, 1), 21, 1)
    x = t.up(x, 21, 64, 32, 0)
    assert x[1] >= h + 19, "Caffe's Crop starts at 19"
    assert x[2] >= w + 19
    return x[0], h, w


def m5(t: Tally, samples: int) -> Shape:
    x = t.conv_norm((1, samples), 128, 80, 4, "same", bias=None)
    for out in (128, 256, 512):
        x = t.conv_norm(t.window(x, 4, 4, "same"), out, 3, 1, "same", bias=None)
    return t.linear(x[:1], 10)


def r3d_18(t: Tally, frames: int, h: int, w: int) -> Shape:
    x = t.conv_norm((3, frames, h, w), 64, (3, 7, 7), (1, 2, 2), (1, 3, 3))
    for out, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
        for s in (stride, 1):
            if s > 1:
                t.conv_norm(x, out, 1, s)
            x = t.conv_norm(t.conv_norm(x, out, 3, s, 1), out, 3, 1, 1)
    return t.linear(x[:1], 400)


def c3d(t: Tally, frames: int, h: int, w: int) -> Shape:
    x: Shape = (3, frames, h, w)
    for i, (out, depth) in enumerate(((64, 1), (128, 1), (256, 2), (512, 2), (512, 2))):
        for _ in range(depth):
            x = t.conv(x, out, 3, pad=1)
        k = (1 if i == 0 else 2, 2, 2)
        x = t.window(x, k, k, ceil=True)
    return t.linear(x, 4096, 4096, 487)


SMALL = [(28, 28), (32, 32), (29, 41)]
LARGE = [(224, 224), (227, 227), (225, 289), (160, 97)]
BLOCK = [(28, 28), (1, 1), (13, 30)]
INCEPTION = [(299, 299), (75, 75), (224, 261), (75, 130)]
COUNTS: dict[str, tuple[Any, list[Shape]]] = {
    "lenet1": (lenet1, [*SMALL, (16, 16), (30, 17)]),
    "lenet300": (lenet300, SMALL),
    "mn909_conv6": (mn909(6, pool=False), SMALL),
    "mn909_conv6_pool": (mn909(6, pool=True), SMALL),
    "mn909_conv6_conv16": (mn909(6, 16, pool=True), SMALL),
    "vgg16_cs231n": (vgg(2, 2, 3, 3, 3), LARGE),
    "vgg11_bn": (vgg(1, 1, 2, 2, 2, norm=True, adaptive=True), [*LARGE, (32, 40)]),
    "vgg13_bn": (vgg(2, 2, 2, 2, 2, norm=True, adaptive=True), LARGE),
    "vgg16_bn": (vgg(2, 2, 3, 3, 3, norm=True, adaptive=True), LARGE),
    "vgg19_bn": (vgg(2, 2, 4, 4, 4, norm=True, adaptive=True), LARGE),
    "alexnet_2012": (alexnet(2), LARGE),
    "alexnet_cs231n": (alexnet(), LARGE),
    "alexnet_d2l": (alexnet(), LARGE),
    "zfnet": (zfnet(384, 384, 256), LARGE),
    "zfnet_cs231n": (zfnet(512, 1024, 512), LARGE),
    "nin": (nin, LARGE),
    "inception_block": (inception_block, BLOCK),
    "conv3x3_192_256": (one_conv(3), BLOCK),
    "conv5x5_192_256": (one_conv(5), BLOCK),
    "inception_v2": (inception_v2, [(224, 224), (225, 289), (64, 96), (215, 320), (33, 50)]),
    "inception_v4": (inception_v4, INCEPTION),
    "xception": (xception, [*INCEPTION, (7, 9)]),
    "dcgan_generator": (dcgan, [(1, 1), (2, 3), (4, 4)]),
    "fcn32s": (fcn32s, [(500, 500), (97, 333), (1, 2)]),
    "m5": (m5, [(32_000,), (16_000,), (8_001,), (1,)]),
    "r3d_18": (r3d_18, [(16, 112, 112), (9, 97, 65), (1, 1, 2)]),
    "c3d": (c3d, [(16, 112, 112), (8, 128, 171), (17, 65, 33)]),
}
AXES = {1: ("T",), 2: ("H", "W"), 3: ("T", "H", "W")}
WEIGHTS_ONLY = {"inception_block", "conv3x3_192_256", "conv5x5_192_256"}
CASES = [(name, size) for name, (_, sizes) in COUNTS.items() for size in sizes]


def agrees(name: str, size: Shape, batch: int, biases: bool, **variables: Any) -> None:
    tally = Tally(batch, bias=biases)
    shape = COUNTS[name][0](tally, *size)
    sizes = dict(zip(AXES[len(size)], size, strict=True))
    network = convcalc.load(name, N=batch, **sizes, **variables)
    totals = network.summarize().totals
    assert (totals.params, totals.buffers, totals.macs) == (
        tally.params, tally.buffers, tally.macs,
    )  # fmt: skip
    (output,) = network.graph.outputs
    assert tuple(output.shape) == (batch, *shape)


@pytest.mark.parametrize(("name", "size"), CASES)
def test_size_agrees_with_an_independent_count(name: str, size: Shape) -> None:
    for batch in (1, 3):
        agrees(name, size, batch, name not in WEIGHTS_ONLY)


@pytest.mark.parametrize(("name", "size"), CASES)
def test_closed_form_agrees_with_an_independent_count(name: str, size: Shape) -> None:
    tally = Tally(5)
    COUNTS[name][0](tally, *size)
    form = convcalc.load(name).formula("macs")
    sizes = dict(zip(AXES[len(size)], size, strict=True))
    if name == "dcgan_generator":
        sizes["latent"] = 100
    assert form.evaluate(N=5, **sizes) == tally.macs


# -- what the lectures say of them --------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "weights"),
    [
        ("lenet300", 266_200), ("vgg16_cs231n", 138_344_128), ("alexnet_cs231n", 62_367_776),
        ("alexnet_d2l", 46_737_440 + 4_096_000), ("mn909_conv6", 471_550),
    ],
)  # fmt: skip
def test_weights_alone_are_what_the_slides_count(name: str, weights: int) -> None:
    assert convcalc.load(name, bias=False).summarize().totals.params == weights
    agrees(name, COUNTS[name][1][1], 2, False, bias=False)


def test_lenet1_has_the_parameters_and_connections_of_its_paper() -> None:
    report = convcalc.load("lenet1").summarize()
    assert report.totals.params == 2_578
    # a connection is a product or a bias; the four inputs of a mean and its bias are five
    biases = 4 * 24 * 24 + 12 * 8 * 8 + 10
    pooled = 4 * 12 * 12 + 12 * 4 * 4
    assert report.totals.macs + biases + 4 * pooled == 98_442


def test_c3d_for_101_classes_has_the_parameters_known_for_it() -> None:
    # 78.4 M parameters and 38.5 G in MMAction2's table for UCF-101
    totals = convcalc.load("c3d", classes=101).summarize().totals
    assert (totals.params, totals.macs // 10**8) == (78_409_573, 385)


def test_nin_at_227_is_what_caffe_computes() -> None:
    assert convcalc.load("nin", H=227, W=227).summarize().totals.macs == 1_105_996_320


def test_megapixel_mlp_depends_on_its_variables() -> None:
    network = convcalc.load("mlp_megapixel", features=3 * 224 * 224, hidden=10, N=4)
    totals = network.summarize().totals
    assert (totals.params, totals.macs) == (1_505_290, 4 * 1_505_280)


@pytest.mark.parametrize(
    ("name", "per_class"),
    [
        ("lenet1", 193), ("lenet300", 101), ("mn909_conv6_conv16", 101), ("vgg16_bn", 4097),
        ("vgg16_cs231n", 4097), ("alexnet_2012", 4097), ("zfnet_cs231n", 4097), ("nin", 1025),
        ("inception_v2", 1025), ("inception_v3", 2049), ("inception_v4", 1537),
        ("squeezenet1_0", 513), ("squeezenet1_1", 513), ("xception", 2049), ("m5", 513),
        ("r3d_18", 513), ("c3d", 4097),
    ],
)  # fmt: skip
def test_number_of_classes(name: str, per_class: int) -> None:
    ten, twelve = (convcalc.load(name, classes=n).summarize() for n in (10, 12))
    assert twelve.totals.params - ten.totals.params == 2 * per_class
    assert twelve.rows[-1].output_shape == (1, 12)
