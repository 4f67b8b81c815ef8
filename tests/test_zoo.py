"""The zoo's architectures, held against published figures and against an independent count.

The count, `Count` and the functions below it, shares nothing with convcalc: it slides windows one
by one, multiplies what it finds, and builds each net from its paper or from torchvision's source.
It agreed with torchvision 0.29.1 (forward hooks on convolutions and linear layers) for all nets
that torchvision has, at even, odd and non-square sizes.
"""

import csv
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import convcalc
from convcalc.errors import ShapeError
from convcalc.network import Network
from convcalc.report.tree import LONG, lines
from convcalc.spec.zoo import zoo_folder, zoo_names

FOLDER = Path(__file__).parent
FILES = sorted(Path(zoo_folder()).glob("*.yaml"))


# -- the independent count ----------------------------------------------------------------------


def places(size: int, kernel: int, stride: int, padding: int, ceil: bool = False) -> int:
    """How many windows lie along an axis: they are placed one by one."""
    starts = list(range(-padding, size + padding - kernel + 1, stride))
    if ceil:
        # one more window over the end, if it would still start in the input, as PyTorch's
        extra = starts[-1] + stride if starts else -padding
        reached = starts[-1] + kernel if starts else -padding
        if reached < size + padding and extra < size:
            starts.append(extra)
    assert starts, f"a window of {kernel} does not fit {size} + 2·{padding}"
    return len(starts)


class Count:
    """A tensor on its way through a net, and what the layers behind it added up to."""

    def __init__(self, batch: int, channels: int, height: int, width: int) -> None:
        self.batch, self.channels, self.height, self.width = batch, channels, height, width
        self.params = self.buffers = self.macs = 0

    def at(self) -> tuple[int, int, int]:
        """Where the tensor is, to come back to for another branch."""
        return self.channels, self.height, self.width

    def back(self, at: tuple[int, int, int]) -> None:
        self.channels, self.height, self.width = at

    def window(self, kernel: int, stride: int, padding: int = 0, ceil: bool = False) -> None:
        self.height = places(self.height, kernel, stride, padding, ceil)
        self.width = places(self.width, kernel, stride, padding, ceil)

    def conv(
        self, out: int, kernel: int, stride: int = 1, padding: int = 0, groups: int = 1,
        bias: bool = True,
    ) -> None:  # fmt: skip
        self.window(kernel, stride, padding)
        filters = out * (self.channels // groups) * kernel * kernel
        self.params += filters + (out if bias else 0)
        self.macs += self.batch * self.height * self.width * filters
        self.channels = out

    def norm(self) -> None:
        self.params += 2 * self.channels
        self.buffers += 2 * self.channels

    def conv_norm(self, out: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        self.conv(out, kernel, stride, (kernel - 1) // 2, groups, bias=False)
        self.norm()

    def linear(self, out: int) -> None:
        inputs = self.channels * self.height * self.width
        self.params += inputs * out + out
        self.macs += self.batch * inputs * out
        self.back((out, 1, 1))

    def average(self, size: int = 1) -> None:
        self.height = self.width = size


Net = Callable[..., Count]
NETS: dict[str, Net] = {}


def net(*names: str, **settings: Any) -> Callable[[Net], Net]:
    """Registers a net of the zoo, or several of a family, with settings told apart by name."""

    def register(build: Net) -> Net:
        for i, name in enumerate(names):
            chosen = {key: value[i] for key, value in settings.items()}
            NETS[name] = lambda *size, chosen=chosen, **more: build(*size, **chosen, **more)
        return build

    return register


@net("lenet5")
def lenet5(batch: int, height: int, width: int) -> Count:
    x = Count(batch, 1, height, width)
    x.conv(6, 5, padding=2)
    x.window(2, 2)
    x.conv(16, 5)
    x.window(2, 2)
    for out in (120, 84, 10):
        x.linear(out)
    return x


@net("alexnet")
def alexnet(batch: int, height: int, width: int, classes: int = 1000) -> Count:
    x = Count(batch, 3, height, width)
    x.conv(64, 11, 4, 2)
    x.window(3, 2)
    x.conv(192, 5, padding=2)
    x.window(3, 2)
    x.conv(384, 3, padding=1)
    x.conv(256, 3, padding=1)
    x.conv(256, 3, padding=1)
    x.window(3, 2)
    x.average(6)
    for out in (4096, 4096, classes):
        x.linear(out)
    return x


@net(
    "vgg11", "vgg13", "vgg16", "vgg19",
    stages=("64 M 128 M 256 256 M 512 512 M 512 512 M",
            "64 64 M 128 128 M 256 256 M 512 512 M 512 512 M",
            "64 64 M 128 128 M 256 256 256 M 512 512 512 M 512 512 512 M",
            "64 64 M 128 128 M 256 256 256 256 M 512 512 512 512 M 512 512 512 512 M"),
)  # fmt: skip
def vgg(
    batch: int, height: int, width: int, *, stages: str, base: int = 64, classes: int = 1000
) -> Count:
    x = Count(batch, 3, height, width)
    for stage in stages.split():
        if stage == "M":
            x.window(2, 2)
        else:
            x.conv(int(stage) * base // 64, 3, padding=1)
    x.average(7)
    for out in (4096, 4096, classes):
        x.linear(out)
    return x


@net("googlenet")
def googlenet(batch: int, height: int, width: int) -> Count:
    x = Count(batch, 3, height, width)
    x.conv(64, 7, 2, 3)
    x.window(3, 2, ceil=True)
    x.conv(64, 1)
    x.conv(192, 3, padding=1)
    x.window(3, 2, ceil=True)
    # the columns of table 1: #1×1, #3×3 reduce, #3×3, #5×5 reduce, #5×5, pool proj
    table = """64 96 128 16 32 32      128 128 192 32 96 64       pool
               192 96 208 16 48 64     160 112 224 24 64 64       128 128 256 24 64 64
               112 144 288 32 64 64    256 160 320 32 128 128     pool
               256 160 320 32 128 128  384 192 384 48 128 128"""
    for stage, rows in enumerate(table.split("pool")):
        if stage > 0:
            x.window(3, 2, ceil=True)
        numbers = [int(word) for word in rows.split()]
        for i in range(0, len(numbers), 6):
            one, reduce3, three, reduce5, five, projected = numbers[i : i + 6]
            start = x.at()
            x.conv(one, 1)
            x.back(start)
            x.conv(reduce3, 1)
            x.conv(three, 3, padding=1)
            x.back(start)
            x.conv(reduce5, 1)
            x.conv(five, 5, padding=2)
            x.back(start)
            x.conv(projected, 1)
            x.channels = one + three + five + projected
    x.average()
    x.linear(1000)
    return x


@net(
    "resnet18", "resnet34", "resnet50", "resnet101", "resnet152",
    depths=((2, 2, 2, 2), (3, 4, 6, 3), (3, 4, 6, 3), (3, 4, 23, 3), (3, 8, 36, 3)),
    deep=(False, False, True, True, True),
)  # fmt: skip
def resnet(
    batch: int, height: int, width: int, *,
    depths: tuple[int, ...], deep: bool, base: int = 64, classes: int = 1000,
) -> Count:  # fmt: skip
    x = Count(batch, 3, height, width)
    x.conv_norm(base, 7, 2)
    x.window(3, 2, 1)
    for stage, depth in enumerate(depths):
        planes = base * 2**stage
        for i in range(depth):
            stride = 2 if stage > 0 and i == 0 else 1
            start = x.at()
            if deep:
                x.conv_norm(planes, 1)
                x.conv_norm(planes, 3, stride)
                x.conv_norm(4 * planes, 1)
            else:
                x.conv_norm(planes, 3, stride)
                x.conv_norm(planes, 3)
            end = x.at()
            if start[0] != end[0] or stride == 2:
                x.back(start)
                x.conv_norm(end[0], 1, stride)
                assert x.at() == end
    x.average()
    x.linear(classes)
    return x


@net("densenet121")
def densenet(
    batch: int, height: int, width: int, *,
    growth: int = 32, stem: int = 64, depths: tuple[int, ...] = (6, 12, 24, 16),
) -> Count:  # fmt: skip
    x = Count(batch, 3, height, width)
    x.conv_norm(stem, 7, 2)
    x.window(3, 2, 1)
    for stage, depth in enumerate(depths):
        for _ in range(depth):
            before = x.channels
            x.norm()
            x.conv(4 * growth, 1, bias=False)
            x.norm()
            x.conv(growth, 3, padding=1, bias=False)
            x.channels += before
        x.norm()
        if stage < len(depths) - 1:
            x.conv(x.channels // 2, 1, bias=False)
            x.window(2, 2)
    x.average()
    x.linear(1000)
    return x


@net("mobilenet_v2")
def mobilenet_v2(batch: int, height: int, width: int, *, multiplier: float = 1.0) -> Count:
    def rounded(value: float) -> int:
        new = max(8, int(value + 4) // 8 * 8)
        return new + 8 if new < 0.9 * value else new

    x = Count(batch, 3, height, width)
    x.conv_norm(rounded(32 * multiplier), 3, 2)
    for t, c, n, s in (
        (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2),
        (6, 320, 1, 1),
    ):  # fmt: skip
        for i in range(n):
            hidden = x.channels * t
            if t != 1:
                x.conv_norm(hidden, 1)
            x.conv_norm(hidden, 3, s if i == 0 else 1, groups=hidden)
            x.conv_norm(rounded(c * multiplier), 1)
    x.conv_norm(rounded(1280 * max(1.0, multiplier)), 1)
    x.average()
    x.linear(1000)
    return x


@net("unet")
def unet(batch: int, height: int, width: int, *, base: int = 64) -> Count:
    x = Count(batch, 1, height, width)
    skips = []
    for level in range(5):
        x.conv(base * 2**level, 3)
        x.conv(base * 2**level, 3)
        if level < 4:
            skips.append(x.at())
            x.window(2, 2)
    for channels, rows, columns in reversed(skips):
        # 2×2 transposed: every input element is multiplied with every filter once
        filters = x.channels * channels * 2 * 2
        x.params += filters + channels
        x.macs += x.batch * x.height * x.width * filters
        x.back((channels + channels, 2 * x.height, 2 * x.width))
        assert x.height <= rows
        assert x.width <= columns
        x.conv(channels, 3)
        x.conv(channels, 3)
    x.conv(2, 1)
    return x


@cache
def loaded(name: str) -> Network:
    return convcalc.load(name)


def agrees(network: Network, count: Count) -> None:
    """The network's totals and output are those of the count."""
    report = network.summarize()
    totals = report.totals
    assert (totals.params, totals.buffers, totals.macs, totals.flops) == (
        count.params, count.buffers, count.macs, 2 * count.macs,
    )  # fmt: skip
    (output,) = network.graph.outputs
    sizes = (count.batch, count.channels, count.height, count.width)
    assert output.shape == sizes[: len(output.shape)]
    assert all(size == 1 for size in sizes[len(output.shape) :])


# -- figures ------------------------------------------------------------------------------------


def figures() -> dict[str, tuple[int, int]]:
    with (FOLDER / "reference" / "zoo.csv").open(encoding="utf-8") as file:
        return {
            row["name"]: (int(row["params"]), int(row["macs"]))
            for row in csv.DictReader(file)
            if row["macs_precision"] == "exact"
        }


def test_first_architectures_are_there() -> None:
    assert set(NETS) <= {*zoo_names()} & {*figures()}


@pytest.mark.parametrize("name", sorted({*zoo_names()} & {*figures()}))
def test_totals_are_the_published_ones(name: str) -> None:
    totals = loaded(name).summarize().totals
    assert (totals.params, totals.macs) == figures()[name]


@pytest.mark.parametrize("name", zoo_names())
def test_spec_holds_what_it_expects(name: str) -> None:
    network = loaded(name)
    totals = network.summarize().totals
    expected = {key: value.evaluate({}) for key, value in network.spec.expect.items()}
    assert expected == {"params": totals.params, "macs": totals.macs}


@pytest.mark.parametrize("name", zoo_names())
def test_spec_has_a_name_and_a_source(name: str) -> None:
    network = loaded(name)
    assert network.title != name, "a display name, such as ResNet-50"
    assert re.search(r"\b(19|20)\d\d\b", network.source), "authors and year"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_spec_is_short(file: Path) -> None:
    text = file.read_text(encoding="utf-8").splitlines()
    assert len(text) < 60
    assert max(map(len, text)) <= 100


# -- any other size -----------------------------------------------------------------------------

SMALLEST = {
    "lenet5": 12, "alexnet": 63, "vgg11": 32, "vgg13": 32, "vgg16": 32, "vgg19": 32,
    "googlenet": 31, "resnet18": 1, "resnet34": 1, "resnet50": 1, "resnet101": 1, "resnet152": 1,
    "densenet121": 29, "mobilenet_v2": 1, "unet": 188,
}  # fmt: skip


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize(
    ("height", "width"), [(224, 224), (225, 289), (256, 192), (97, 131), (384, 65), (0, 0), (0, 7)]
)
def test_size_agrees_with_an_independent_count(name: str, height: int, width: int) -> None:
    least = SMALLEST[name]
    height, width = (n if n >= least else least + n for n in (height, width))
    for batch in (1, 3):
        network = convcalc.load(name, N=batch, H=height, W=width)
        agrees(network, NETS[name](batch, height, width))


@pytest.mark.parametrize("name", NETS)
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_closed_form_agrees_with_the_summary_and_the_count(name: str, data: st.DataObject) -> None:
    size = st.integers(SMALLEST[name], SMALLEST[name] + 300)
    batch, height, width = data.draw(st.integers(1, 64)), data.draw(size), data.draw(size)
    network = loaded(name)
    macs = network.summarize(N=batch, H=height, W=width).totals.macs
    assert network.formula("macs").evaluate(N=batch, H=height, W=width) == macs
    assert NETS[name](batch, height, width).macs == macs


@pytest.mark.parametrize("name", [name for name, size in SMALLEST.items() if size > 1])
def test_smallest_size(name: str) -> None:
    convcalc.load(name, H=SMALLEST[name], W=SMALLEST[name])
    for smaller in ({"H": SMALLEST[name] - 1}, {"W": SMALLEST[name] - 1}):
        with pytest.raises(ShapeError):
            convcalc.load(name, **smaller)


def test_closed_form_of_resnet50() -> None:
    assert str(convcalc.load("resnet50").formula("macs")) == (
        "N·(9,408·⌈H/2⌉·⌈W/2⌉ + 245,760·⌈H/4⌉·⌈W/4⌉ + 1,310,720·⌈H/8⌉·⌈W/8⌉ "
        "+ 7,471,104·⌈H/16⌉·⌈W/16⌉ + 14,417,920·⌈H/32⌉·⌈W/32⌉ + 2,048,000)"
    )


# -- other variables ----------------------------------------------------------------------------


@pytest.mark.parametrize("base", [1, 16, 48, 96, 128])
@pytest.mark.parametrize("name", ["vgg11", "vgg16", "resnet18", "resnet50", "unet"])
def test_width_scales_every_layer(name: str, base: int) -> None:
    agrees(convcalc.load(name, width=base, N=2, H=193, W=260), NETS[name](2, 193, 260, base=base))


@pytest.mark.parametrize("name", ["vgg16", "resnet50", "unet"])
def test_width_may_stay_symbolic(name: str) -> None:
    form = convcalc.load(name, H=200, W=233).formula("params", "width")
    for base in (3, 64, 80):
        assert form.evaluate(width=base) == NETS[name](1, 200, 233, base=base).params


@pytest.mark.parametrize("multiplier", ["0.25", "0.35", "0.5", "0.75", "1", "1.3", "1.4", "2"])
def test_width_multiplier_of_mobilenet_v2(multiplier: str) -> None:
    agrees(
        convcalc.load("mobilenet_v2", width=multiplier, H=97, W=160),
        mobilenet_v2(1, 97, 160, multiplier=float(multiplier)),
    )


def test_published_width_multipliers_of_mobilenet_v2() -> None:
    params = {
        width: convcalc.load("mobilenet_v2", width=width).summarize().totals.params
        for width in ("0.5", "1.4")
    }
    assert params == {"0.5": 1_968_680, "1.4": 6_108_776}


@pytest.mark.parametrize(
    ("growth", "stem", "depths"),
    [(12, 24, (6, 12, 24, 16)), (32, 64, (6, 12, 32, 32)), (40, 16, (3, 2, 1)), (7, 9, (2,))],
)
def test_growth_stem_and_depths_of_densenet(
    growth: int, stem: int, depths: tuple[int, ...]
) -> None:
    network = convcalc.load(
        "densenet121", growth=growth, stem=stem, depths=list(depths), H=97, W=160
    )
    agrees(network, densenet(1, 97, 160, growth=growth, stem=stem, depths=depths))


def test_stem_of_densenet_follows_its_growth() -> None:
    agrees(convcalc.load("densenet121", growth=24), densenet(1, 224, 224, growth=24, stem=48))


@pytest.mark.parametrize("name", ["alexnet", "vgg13", "resnet34", "resnet50"])
def test_number_of_classes(name: str) -> None:
    agrees(convcalc.load(name, classes=10), NETS[name](1, 224, 224, classes=10))


def test_blocks_and_depths_are_variables_of_resnet() -> None:
    basic = convcalc.load("resnet50", block="basic").summarize().totals
    assert basic == convcalc.load("resnet34").summarize().totals
    agrees(
        convcalc.load("resnet18", depths=[1, 1, 1, 1]),
        resnet(1, 224, 224, depths=(1, 1, 1, 1), deep=False),
    )


# -- specs that build upon the zoo --------------------------------------------------------------

SE_RESNET50 = """
extends: resnet50
name: SE-ResNet-50
variables: {reduction: 16}
blocks:
  bottleneck:
    arguments: {width, stride: 1, project: false}
    layers:
      - add:
          - [conv_bn: {out: width, kernel: 1, stride: stride}, relu, conv_bn: {out: width, kernel: 3}, relu, conv_bn: {out: 4 * width, kernel: 1}, squeeze_excite]
          - - conv_bn: {out: 4 * width, kernel: 1, stride: stride}
              when: project
      - relu
  squeeze_excite:
    arguments: {channels: in_channels}
    layers:
      - multiply:
          - []
          - [adaptive_avg_pool: 1, conv: {out_channels: channels // reduction, kernel: 1}, relu, conv: {out_channels: channels, kernel: 1}, sigmoid]
"""  # noqa: E501


@pytest.mark.parametrize(
    ("text", "params"),
    [
        (SE_RESNET50, 28_088_024),
        ("extends: resnet50\nvariables: {depths: [3, 4, 23, 3]}", 44_549_160),
        ("extends: resnet18\nvariables: {depths: [3, 4, 6, 3]}", 21_797_672),
        (
            "extends: densenet121\nvariables: {stem: 96, growth: 48, depths: [6, 12, 36, 24]}",
            28_681_000,
        ),
    ],
    ids=["se_resnet50", "resnet101", "resnet34", "densenet161"],
)
def test_spec_extends_the_zoo(text: str, params: int) -> None:
    assert convcalc.loads(text).summarize().totals.params == params


# -- what it looks like -------------------------------------------------------------------------

FUNCTIONAL = {
    "alexnet": {"flatten": 1}, "vgg11": {"flatten": 1}, "vgg13": {"flatten": 1},
    "vgg16": {"flatten": 1}, "vgg19": {"flatten": 1},
    "densenet121": {"relu": 1, "global_avg_pool": 1}, "mobilenet_v2": {"global_avg_pool": 1},
}  # fmt: skip


@pytest.mark.parametrize("name", NETS)
def test_functions_of_torchvision_are_marked(name: str) -> None:
    marked: dict[str, int] = {}
    for node in loaded(name).graph.nodes:
        if node.functional:
            marked[node.kind] = marked.get(node.kind, 0) + 1
    assert marked == FUNCTIONAL.get(name, {})


@pytest.mark.parametrize("name", NETS)
def test_table_fits_a_screen_or_two(name: str) -> None:
    graph = loaded(name).graph
    found = lines(graph, ["params", "macs"])
    assert len(found) <= LONG
    outermost = [line for line in found if not line.ancestors]
    totals = loaded(name).summarize().totals
    assert sum(line.sums["macs"] for line in outermost) == totals.macs
    assert sum(line.sums["params"] for line in outermost) == totals.params


def test_identical_blocks_of_resnet152_are_one_line() -> None:
    text = str(loaded("resnet152"))
    assert "bottleneck2–36 ×35" in text
    assert "bottleneck2–8 ×7" in text
