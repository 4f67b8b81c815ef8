"""What still fits: against brute force over all values, and the command."""

from __future__ import annotations

import io
import json
import re
import sys
import time
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import convcalc
from convcalc.__main__ import main
from convcalc.analysis.conditions import Condition
from convcalc.analysis.fit import ALWAYS, DOWN, UP, direction
from convcalc.analysis.quantities import TOTALS
from convcalc.dim import gcd, minimum, symbol, without_gcds
from convcalc.network import Network

LAYERS = st.lists(
    st.one_of(
        st.builds(
            "max_pool: {{kernel: {}, stride: {}, ceil_mode: {}}}".format,
            st.integers(1, 4), st.integers(1, 3), st.sampled_from(["true", "false"]),
        ),
        st.builds(
            "conv: {{out_channels: {}, kernel: {}, stride: {}, padding: {}}}".format,
            st.integers(1, 9), st.integers(1, 4), st.integers(1, 4),
            st.sampled_from([0, 2, "same"]),
        ),
        st.builds("adaptive_avg_pool: {}".format, st.integers(1, 9)),
        st.just("relu"),
        st.just("upsample: 2"),
        st.just("add: [[max_pool: 2, upsample: 2], []]"),
        st.just("concat: [[relu], []]"),
        st.just("flatten"),
        st.just("conv_transpose: {out_channels: 3, kernel: 3, stride: 2}"),
    ),
    min_size=1, max_size=5,
)  # fmt: skip
SIZES = st.integers(0, 4).flatmap(lambda power: st.integers(1, 10**power)).map(lambda n: 10 * n)
PARTS = st.one_of(
    st.builds(
        "{} {} {}".format,
        st.sampled_from(["macs", "macs_nonpad", "adds", "peak_bytes", "activation_bytes",
                         "params", "compares + adds", "2*macs - adds", "H"]),
        st.sampled_from(["<=", "<", ">=", ">", "=="]),
        SIZES,
    ),
    st.builds("H % {} == {}".format, st.integers(2, 9), st.integers(0, 2)),
    st.builds("macs <= {} * H".format, SIZES),
    st.builds("activation_bytes / H < {}".format, SIZES),
)  # fmt: skip
CONDITIONS = st.one_of(
    PARTS,
    st.builds("{} and {}".format, PARTS, PARTS),
    st.builds("{} or {}".format, PARTS, PARTS),
    st.builds("not ({} or {})".format, PARTS, PARTS),
)

MOST = 120


class Brute:
    """A network at every height up to MOST."""

    def __init__(self, text: str) -> None:
        self.figures: dict[int, dict[str, Any]] = {}
        self.text = text
        self.add(range(1, MOST + 1))

    def add(self, heights: Iterable[int]) -> None:
        for height in heights:
            try:
                totals = convcalc.loads(self.text, H=height).summarize().totals
            except convcalc.ConvcalcError:
                continue
            self.figures[height] = {**totals._asdict(), "H": height}

    def fitting(self, condition: Condition) -> list[int]:
        return [height for height, values in self.figures.items() if condition.holds(values)]


@settings(max_examples=100, deadline=None)
@given(LAYERS, CONDITIONS, st.integers(1, MOST))
def test_the_largest_that_fits_is_what_brute_force_finds(
    layers: list[str], text: str, limit: int
) -> None:
    spec = f"{{input: [2, H], variables: {{H: }}, layers: [{', '.join(layers)}]}}"
    try:
        net = convcalc.loads(spec)
    except convcalc.ConvcalcError:
        return  # fits at no height
    brute, condition = Brute(spec), Condition.parse(text, TOTALS, ["N", "H"])
    fitting = brute.fitting(condition)
    try:
        bounded = net.fit("H", text, limit=limit)
        free = net.fit("H", text)
    except convcalc.ConvcalcError:
        assert not brute.figures
        return
    within = [height for height in fitting if height <= limit]
    assert bounded.value == max(within, default=None), bounded
    assert not bounded.unbounded
    if bounded.best is not None:
        assert bounded.best.figures == {
            name: brute.figures[bounded.best.value][name] for name in condition.names
        }
    if re.search("H [%<>=]", text):
        pass  # the next is one that meets what is said of H, if there is one
    elif bounded.next is not None and bounded.next.value in brute.figures:
        after = [height for height in brute.figures if height > (bounded.value or 0)]
        assert bounded.next.value == after[0]
    if free.unbounded:
        assert free.value is None
        assert free.least == min(fitting, default=free.least)
    elif free.value is None:
        assert not fitting
    else:
        # large sizes too: the answer fits, and none of those after it
        brute.add(range(free.value, free.value + 10))
        assert max(brute.fitting(condition)) == free.value


@pytest.mark.parametrize(
    ("name", "vary", "keep"),
    [
        ("resnet50", "N", "peak_bytes <= 24 GiB"),
        ("densenet121", "H,W", "peak_bytes <= 24 GiB"),
        ("inception_v3", "H,W", "peak_bytes <= 24 GiB"),
        ("unet", "H,W", "peak_bytes <= 24 GiB"),
        ("unet", "H", "macs < 1T and H % 32 == 0"),
        ("resnet50", "H,W", "macs_nonpad <= 10G"),
        ("inception_v3", "H,W", "macs_nonpad <= 10G"),
        ("resnet50", "H,W", "macs_nonpad <= 1G"),  # among the first, where it is not known to rise
        ("vgg16", "H,W", "adds <= 100G"),  # adaptive pooling: rises and falls
        ("alexnet", "H,W", "macs/params < 30"),
        ("vgg16", "classes", "params < 150M"),
        ("vgg16", "width", "param_bytes <= 1 GB"),
    ],
)
def test_the_zoo(name: str, vary: str, keep: str) -> None:
    net = convcalc.load(name)
    start = time.perf_counter()
    found = net.fit(vary, keep)
    assert time.perf_counter() - start < 2
    assert found.how == "proven"
    assert found.best is not None
    assert found.next is not None
    condition = found.conditions[0]
    step = 32 if "32" in keep else 1
    for value, expected in ((found.best.value, True), (found.best.value + step, False)):
        report = net.summarize(**dict.fromkeys(found.names, value))
        values = {**report.totals._asdict(), **report.variables, "N": 1}
        assert condition.holds(values) is expected
        if expected:
            assert found.best.figures == {name: values[name] for name in condition.names}


def test_figures_in_lectures() -> None:
    """VGG-16 holds 25,690,112 bytes at its peak: 1,003 images, and not 1,004, in 24 GiB."""
    found = convcalc.load("vgg16").fit(keep="peak_bytes <= 24 GiB")
    assert found.value == 24 * 2**30 // 25_690_112 == 1003
    assert found.best is not None
    assert found.best.figures == {"peak_activation_bytes": 1003 * 25_690_112}
    assert str(found).splitlines() == [
        "VGG-16: the largest N is 1,003, with peak_bytes <= 24 GiB.",
        "",
        "                              N = 1,003                    N = 1,004",
        "─" * 68,
        "peak_bytes  25,767,182,336 ≈ 23.998 GiB  25,792,872,448 ≈ 24.021 GiB",
        "",
        "By the closed forms, no larger N fits.",
        "peak_bytes is that of inference: what is alive at once, no gradients, and without the "
        "weights, which are param_bytes.",
    ]
    half = convcalc.load("vgg16").fit(keep="peak_bytes <= 24 GiB", dtype="float16")
    assert half.value == 24 * 2**30 // 12_845_056


def test_several_variables_and_ratios() -> None:
    net = convcalc.load("alexnet", W="4*H//3")
    found = net.fit("H", "macs <= 10G")
    assert found.value is not None
    for value, fits in ((found.value, True), (found.value + 1, False)):
        wide = convcalc.load("alexnet", H=value, W=4 * value // 3)
        assert (wide.summarize().totals.macs <= 10**10) is fits
    both = convcalc.load("alexnet").fit(["H", "W", "H"], ["macs <= 10G", "H <= 300 and W != 300"])
    assert both.names == ("H", "W")
    assert both.value == 299


def test_what_never_binds_and_what_never_fits() -> None:
    net = convcalc.load("mobilenet_v2")
    free = net.fit("N", "params <= 5M")
    assert (free.unbounded, free.value, free.least, free.fixed) == (True, None, 1, ("params",))
    assert str(free).startswith("MobileNetV2: there is no largest N: params <= 5M holds at values")
    none = net.fit("N", "params <= 3M")
    assert (none.unbounded, none.value, none.how) == (False, None, "proven")
    assert none.smallest is not None
    assert none.smallest.figures == {"params": 3_504_872}
    assert str(none).startswith("MobileNetV2: no N fits params <= 3M.")
    assert net.fit("N", "params <= 5M", limit=77).value == 77
    assert net.fit("N", "params <= 5M and N % 7 == 3").least == 3
    assert net.fit("H,W", "macs >= 1G").unbounded
    assert net.fit("H", "macs >= 10G and macs < 9G").value is None
    # negative up to 9, no number at 10, and small enough from 32 on
    assert convcalc.load("lenet5").fit("classes", "params/(classes - 10) < 3000").least == 1
    assert convcalc.load("lenet5").fit("classes", "params < 3000*(classes - 10)").least == 32
    assert net.fit("N", "N == 50 or N*N == 3600").value == 60
    assert net.fit("N", "N == 50 or params == 3").value == 50
    assert net.fit("N", "N == 50 or params < 4M").unbounded


def test_the_next_value_shows_why_it_is_the_largest() -> None:
    found = convcalc.load("resnet50").fit("H,W", "macs <= 100G and H % 32 == 0")
    assert (found.value, found.next and found.next.value) == (1088, 1120)
    beyond = convcalc.load("resnet50").fit("H,W", "macs <= 100G and H <= 99")
    assert (beyond.value, beyond.next and beyond.next.value) == (99, 100)


def test_what_is_not_known_to_end_is_looked_for_from_below() -> None:
    found = convcalc.load("alexnet").fit("H", "H*H < 900*H")
    assert (found.value, found.how, found.searched) == (899, "scanned", (63, 63 + 2**17 - 1))


def test_without_a_condition_everything_fits() -> None:
    assert convcalc.load("lenet5").fit("H").unbounded
    assert convcalc.load("lenet5").fit("H", limit=40).value == 40


def test_a_structure_variable_is_tried_value_by_value() -> None:
    net = convcalc.loads(
        "{input: [3, 8, 8], variables: {n: 2}, layers: [{repeat: n, layers:"
        " [conv: {out_channels: 10, kernel: 1, bias: false}]}]}"
    )
    found = net.fit("n", "params <= 1 K")
    assert (found.value, found.how, found.searched) == (10, "built", (1, 64))
    assert found.next is not None
    assert found.next.figures == {"params": 1030}
    at_the_end = net.fit("n", "params <= 1M", limit=5)
    assert (at_the_end.value, at_the_end.next) == (5, None)
    assert net.fit("n", "params <= 3").value is None
    strided = convcalc.loads(
        "{input: [1, 8], variables: {s: 1}, layers: [max_pool: {kernel: 1, stride: s},"
        " {crop: [2]}]}"
    )
    assert strided.fit("s", "adds < 5").value == 7
    with pytest.raises(convcalc.ConvcalcError, match=r"a limit \(--max\) is 10,000 at most"):
        strided.fit("s", "adds < 5", limit=10**9)
    with pytest.raises(convcalc.ConvcalcError, match="accepts no s from 1 to 3; at 3"):
        convcalc.loads(
            "{input: [1, 8], variables: {s: 5}, layers: [{crop: [1]}, max_pool:"
            " {kernel: 1, stride: s}, pad: s - 4]}"
        ).fit("s", "adds < 5", limit=3)


# -- fractions -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "keep", "step", "value", "how"),
    [
        ("mobilenet_v2", "macs < 300M", "0.05", Fraction(19, 20), "proven"),
        ("mobilenet_v2", "macs < 300M", Fraction(1, 8), Fraction(7, 8), "proven"),
        ("mobilenet_v2", "params <= 2M", 0.05, Fraction(1, 2), "proven"),
        ("mobilenet_v2", "macs < 300M and width % 0.25 == 0", "0.001", Fraction(3, 4), "proven"),
        ("mobilenet_v1", "macs < 300M", "1/16", Fraction(11, 16), "proven"),
        # shortcuts are there at some widths only, and add
        ("mobilenet_v2", "adds < 300M", "0.05", Fraction(19, 20), "built"),
    ],
)  # fmt: skip
def test_the_largest_multiple_of_a_step(
    name: str, keep: str, step: Any, value: Fraction, how: str
) -> None:
    net = convcalc.load(name)
    found = net.fit("width", keep, step=step)
    assert (found.value, found.how) == (value, how)
    assert found.best is not None
    condition, step = found.conditions[0], found.step
    assert step is not None
    fitting = []
    for width in (value + n * step for n in range(-3, 12)):
        totals = net.summarize(width=width).totals._asdict()
        if condition.holds({**totals, "width": width}):
            fitting.append(width)
        if width == value:
            read = {**totals, "width": width}
            assert found.best.figures == {name: read[name] for name in condition.names}
    assert fitting[-1] == value


def test_widths_where_equal_channels_change_the_structure() -> None:
    """A shortcut where both sides are the same: one more sum, or a width that is refused."""
    text = (
        "{input: [8, 4], variables: {width: 1}, layers: [{conv: {out_channels:"
        " 'make_divisible(10*width, 8)', kernel: 1}}, {add: [[], [conv: {out_channels:"
        " 'make_divisible(16*width, 8)', kernel: 1}]], when:"
        " 'in_channels == make_divisible(16*width, 8)'}]}"
    )
    net = convcalc.loads(text)
    step = Fraction(1, 10)
    for keep in ("params <= 300", "params <= 100", "macs < 900 and macs > 200", "adds < 500"):
        condition = Condition.parse(keep, TOTALS, ["width"])
        fitting = []
        for n in range(1, 65):
            totals = convcalc.loads(text, width=n * step).summarize().totals._asdict()
            if condition.holds(totals):
                fitting.append(n * step)
        assert net.fit("width", keep, step=step).value == max(fitting, default=None)


def test_steps_of_whole_numbers() -> None:
    net = convcalc.load("resnet50")
    found = net.fit("H, W", "macs <= 100G", step=32)
    assert (found.value, found.next and found.next.value, found.how) == (1088, 1120, "proven")
    assert net.fit("H, W", "macs <= 100G", step=32, limit=1000).value == 992
    assert net.fit("H, W", "macs <= 100G", step="2.5").how == "built"  # 5, 10, … are sizes


def test_fractions_are_compared_by_element() -> None:
    """Far from the bound, values are looked at many at once."""
    net = convcalc.load("mobilenet_v1")
    found = net.fit("width", "width <= 2 and width * width == 0.25", step="0.001")
    assert (found.value, found.how) == (Fraction(1, 2), "proven")


def test_a_variable_that_takes_fractions_needs_a_step(fit: Any) -> None:
    code, out, err = fit("mobilenet_v2", "--vary", "width", "--keep", "macs < 300M")
    assert (code, out) == (2, "")
    assert "width takes fractions: in which steps is it to be looked for?" in err
    assert "--step 0.05 looks at the multiples of 0.05" in err
    arguments = ["--vary", "width", "--where", "macs < 300M", "--step", "0.05"]
    code, out, err = fit("mobilenet_v2", *arguments)
    assert (code, err) == (0, "")
    assert "the largest width is 0.95, with macs < 300M." in out
    assert "width = 0.95                width = 1" in out
    assert "no larger width fits, of the multiples of 0.05." in out
    out = fit("mobilenet_v2", *arguments, "--max", "0.52")[1]
    assert "the largest width is 0.5," in out
    assert "Larger ones than 0.52, the --max, were not looked at." in out


def test_values_that_the_network_refuses_are_passed_over() -> None:
    net = convcalc.loads(
        "{input: [1, H], variables: {H: 8}, layers: [{relu: , name: a}, max_pool: 4,"
        " {upsample: 4, name: b}, {add: , from: [a, b]}]}"
    )
    found = net.fit("H", "activation_bytes <= 1000")
    assert found.best is not None
    assert found.next is not None
    assert found.smallest is not None
    assert (found.smallest.value, found.value, found.next.value) == (4, 76, 80)


@pytest.mark.parametrize(
    ("vary", "keep", "text"),
    [
        ("Q", "macs < 3", "'Q' is no variable of this spec. It has N, H, W, classes, width"),
        ("widht", "macs < 3", "Did you mean 'width'?"),
        ("", "macs < 3", "no variable is named to vary. There are N, H"),
        ("depths", "macs < 3", "depths is [1, 2, 3]; only variables that are numbers"),
        ("alpha", "macs < 3", "alpha takes fractions: in which steps is it to be looked for"),
        ("H", "macs < 3X", "unknown unit 'X'"),
        ("H", "mcas < 3", "Did you mean 'macs'?"),
        ("H", "depths < 3", "depths: a number is due in a condition, not (1, 2, 3)"),
        ("H", "macs / (H - H) < 3", "division by zero in the condition"),
        ("H", "free < 3", "free has no value. Give it one: --set free=…."),
    ],
)
def test_what_cannot_be_varied(vary: str, keep: str, text: str) -> None:
    net = convcalc.loads(
        "{input: [3, H, W], variables: {H: 9, W: 9, classes: 3, width: 4, depths: [1, 2, 3],"
        " alpha: 0.75, free: }, layers: [{for: {d: depths}, conv: {out_channels: width * 4 * alpha,"
        " kernel: 1}}, flatten, linear: classes, linear: free]}",
        free=2 if "free" not in keep else symbol("free"),
    )
    with pytest.raises(convcalc.ConvcalcError) as error:
        net.fit(vary, keep)
    assert text in str(error.value)


def test_the_command_at_a_size_that_does_not_fit(fit: Any, tmp_path: Path) -> None:
    spec = tmp_path / "odd.yaml"
    spec.write_text(
        "{input: [1, H], variables: {H: 9}, layers: [{relu: , name: a}, max_pool: 4,"
        " {upsample: 4, name: b}, {add: , from: [a, b]}]}"
    )
    code, out, err = fit(str(spec), "--vary", "H", "--keep", "activation_bytes <= 1000")
    assert (code, err) == (0, "")
    assert "the largest H is 76" in out


def test_unknown_dtype() -> None:
    with pytest.raises(convcalc.ConvcalcError, match="unknown dtype 'float'"):
        convcalc.load("lenet5").fit(dtype="float")


# -- what the proofs rest on ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "way"),
    [
        ("macs < 5", DOWN), ("5 >= macs", DOWN), ("macs > 5", UP), ("not macs < 5", UP),
        ("macs < 5 and 2*macs + params <= 7", DOWN), ("macs < 5 and macs > 3", None),
        ("macs < 5 or params < 3", DOWN), ("params < 3", ALWAYS), ("macs == 5", None),
        ("100 - macs > 5", DOWN), ("adds < 5", None), ("macs % 3 < 1", None),
        ("macs/params < 5", DOWN), ("params/macs < 5", UP), ("buffers < 5", None),
        ("H - H//2 < 7", DOWN), ("H*H - 4*H < 7", None), ("H*H - H < 7", DOWN),
    ],
)  # fmt: skip
def test_directions(text: str, way: str | None) -> None:
    h = symbol("H")
    values = {"macs": h * h + h // 2, "params": 7, "adds": h - gcd(h, 7), "buffers": None, "H": h}
    condition = Condition.parse(text, TOTALS, ["H"])
    assert direction(condition.rule, values) == way


@given(st.integers(1, 12), st.integers(1, 12), st.integers(-3, 3), st.integers(1, 200))
def test_sizes_without_gcds_are_never_above(m: int, k: int, sign: int, value: int) -> None:
    h = symbol("H")
    taps = (h + m - gcd(h, m)) * (h + k - gcd(h, k)) * (h // 2) + sign * gcd(h, m) * h
    low = without_gcds(taps)
    assert "gcd" not in str(low)
    assert low.evaluate(H=value) <= taps.evaluate(H=value)
    assert without_gcds((h // 2 - 3) * gcd(h, 7)) is not None
    assert without_gcds(minimum(h - 5, 7) * gcd(h, 7)) is None


# -- the command ---------------------------------------------------------------------------------


@pytest.fixture
def fit(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["convcalc", "fit", *arguments])
        monkeypatch.setattr(sys, "stdin", io.StringIO(""))
        with pytest.raises(SystemExit) as end:
            main()
        captured = capsys.readouterr()
        return int(end.value.code or 0), captured.out, captured.err

    return call


def test_the_command(fit: Any) -> None:
    code, out, err = fit("inception_v3", "--vary", "H,W", "--keep", "peak_bytes <= 24 GiB")
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == (
        "Inception-v3: the largest H = W is 16,390, with peak_bytes <= 24 GiB."
    )
    assert "25,769,803,776 = 24 GiB  25,776,095,616 ≈ 24.006 GiB" in out
    assert "By the closed forms, no larger H = W fits." in out


def test_the_command_where_nothing_fits(fit: Any) -> None:
    code, out, _ = fit("resnet50", "--keep", "params <= 5M")
    assert code == 1
    assert out.startswith("ResNet-50: no N fits params <= 5M.")
    assert "25,557,032 ≈ 25.557 M" in out
    assert "params is the same at every N: vary another variable, of H, W, classes" in " ".join(
        out.split()
    )
    code, out, _ = fit("unet", "--vary", "H", "--keep", "macs <= 1G")
    assert code == 1
    assert "These are the figures at the smallest H that the network accepts" in out


def test_the_command_where_nothing_binds(fit: Any) -> None:
    code, out, _ = fit("mobilenet_v2", "--keep", "params <= 5M")
    assert code == 0
    assert out.startswith("MobileNetV2: there is no largest N: params <= 5M holds at values as")
    code, out, _ = fit(
        "unet", "--vary", "H,W", "--keep", "macs < 1T and H % 32 == 0", "--max", "500"
    )
    assert code == 0
    assert "the largest H = W is 480" in out
    assert "H = W = 512" in out
    assert "Larger ones than 500, the --max, were not looked at." in out


def test_the_command_where_values_are_tried(fit: Any) -> None:
    out = fit("alexnet", "--vary", "H", "--keep", "H*H < 900*H")[1]
    assert "Every value from 63 to 131,134 was tried; the closed forms do not say" in out


def test_the_command_where_the_network_is_built_anew(fit: Any) -> None:
    arguments = ["--vary", "depth", "--keep", "params <= 50M", "--max", "6"]
    code, out, _ = fit("efficientnet_b0", *arguments)
    assert code == 0
    told = "depth decides the structure: the network was built for every value from 1 to 6"
    assert told in out


def test_several_conditions_and_settings(fit: Any) -> None:
    arguments = ["--vary", "H", "--set", "W=4*H//3", "--keep", "macs < 1.5G", "--keep", "H > 9"]
    code, out, _ = fit("alexnet", *arguments, "--batch", "2")
    assert code == 0
    assert "with (macs < 1.5G) and (H > 9)." in out


def test_json(fit: Any) -> None:
    found = json.loads(fit("vgg16", "--keep", "peak_bytes <= 24 GiB", "--format", "json")[1])
    assert found == {
        "convcalc": 1, "name": "VGG-16", "vary": ["N"], "step": None,
        "keep": ["peak_bytes <= 24 GiB"],
        "value": 1003, "unbounded": False, "least": None,
        "best": {"value": 1003, "figures": {"peak_activation_bytes": 25_767_182_336}},
        "next": {"value": 1004, "figures": {"peak_activation_bytes": 25_792_872_448}},
        "smallest": {"value": 1, "figures": {"peak_activation_bytes": 25_690_112}},
        "fixed": [], "how": "proven", "searched": [1003, 1003],
    }  # fmt: skip


def test_sums_that_are_compared_have_a_row(fit: Any) -> None:
    out = fit("resnet50", "--keep", "param_bytes + peak_bytes <= 24 GiB")[1]
    assert "param_bytes + peak_bytes  25,766,650,016 ≈ 23.997 GiB  25,773,875,360" in out
    assert "peak_bytes is that of inference: what is alive at once, no gradients.\n" in out
    out = fit("resnet50", "--keep", "peak_bytes <= 24 GiB")[1]
    assert "peak_bytes is that of inference" in out
    assert "without the weights, which are param_bytes." in " ".join(out.split())
    assert "inference" not in fit("resnet50", "--keep", "macs < 1T")[1]
    out = fit("resnet50", "--vary", "H", "--keep", "160 > macs/params")[1]
    assert (
        "H % 2" not in fit("alexnet", "--vary", "H", "--keep", "H % 2 == 0 and macs < 1G")[1][99:]
    )
    assert "macs/params      ≈ 159.961      ≈ 160.002" in out


def test_the_answer_in_a_file(fit: Any, tmp_path: Path) -> None:
    arguments = ["vgg16", "--keep", "peak_bytes <= 24 GiB"]
    text, table = tmp_path / "fit.json", tmp_path / "fit.txt"
    assert fit(*arguments, "-o", str(text)) == (0, "", "")
    assert json.loads(text.read_text())["value"] == 1003
    fit(*arguments, "-o", str(table))
    assert table.read_text() == f"{convcalc.load('vgg16').fit(keep='peak_bytes <= 24 GiB')}\n"


def test_a_fraction_among_the_figures(fit: Any, tmp_path: Path) -> None:
    spec = tmp_path / "thin.yaml"
    spec.write_text(
        "{input: [3, H], variables: {H: 8, width: 0.5},"
        " layers: [conv: {out_channels: 8 * width, kernel: 1}]}"
    )
    out = fit(str(spec), "--vary", "H", "--keep", "macs * width < 1 K")[1]
    assert "width 0.5 0.5" in " ".join(out.split())


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--keep", "macs < 3", "--set", "N=3"], "N is given a number and varied: one will do"),
        ([], "Missing option '--keep'"),
        (["--keep", "macs < 3", "--max", "0"], "the limit 0 (--max) is below the first value, 1"),
        (["--keep", "macs < 3", "--max", "x"], "limit x: a number is due"),
        (["--keep", "macs < 3", "--step", "1/0"], "step 1/0: a number is due"),
        (["--keep", "macs < 3", "--step", "-0.5"], "step -0.5: a number is due"),
        (["--keep", "macs < 3", "--step", "0"], "a step of 0; it must be above 0"),
        (["--keep", "macs < 3", "-o", ""], "-o: an empty file name"),
        (["--keep", "params < 3 MiB"], "params is a count, and 3 MiB is in bytes"),
        (["--keep", "macs < 3", "--vary", "q"], "'q' is no variable of this spec"),
    ],
)
def test_usage_errors(fit: Any, arguments: list[str], text: str) -> None:
    code, out, err = fit("alexnet", *arguments)
    assert (code, out) == (2, "")
    assert text in err


def test_it_needs_no_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    import subprocess

    code = (
        "import sys, convcalc; convcalc.load('unet').fit('H,W', 'peak_bytes <= 24 GiB');"
        "assert 'numpy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_networks_are_the_same_after_it() -> None:
    net: Network = convcalc.load("alexnet")
    before = net.summarize().totals
    net.fit("H", "macs < 1G")
    assert net.summarize().totals == before
