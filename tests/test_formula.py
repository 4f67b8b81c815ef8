"""Closed forms in widths, growths and classes; structures that equal sizes change; the command."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import convcalc
from convcalc.analysis.quantities import TOTALS
from convcalc.commands import cli
from convcalc.errors import UsageError
from convcalc.spec.zoo import zoo_names

RESNET = (
    "N·(9,408·⌈H/2⌉·⌈W/2⌉ + 245,760·⌈H/4⌉·⌈W/4⌉ + 1,310,720·⌈H/8⌉·⌈W/8⌉ "
    "+ 7,471,104·⌈H/16⌉·⌈W/16⌉ + 14,417,920·⌈H/32⌉·⌈W/32⌉ + 2,048,000)"
)
EVERY = ("params", "macs", "macs_nonpad", "adds", "compares", "activation_bytes")

# the least and the largest value drawn for a variable that is no size of the input
WIDTHS = {
    "resnet50": ("N,H,W,width,classes", {"width": (1, 200), "classes": (1, 2000)}),
    "vgg16": ("N,H,W,width", {"width": (1, 200)}),
    "densenet121": ("N,H,W,growth", {"growth": (1, 64)}),
    "mobilenet_v1": ("N,H,W,width", {"width": (Fraction(1, 50), 3)}),
    "mobilenet_v2": ("N,H,W,width", {"width": (Fraction(1, 50), 3)}),
    "mobilenet_v3_large": ("N,H,W,width", {"width": (Fraction(1, 50), 3)}),
    "efficientnet_b0": ("N,H,W,width", {"width": (Fraction(1, 50), 3)}),
    "mnasnet1_0": ("N,H,W,width", {"width": (Fraction(1, 50), 3)}),
}  # fmt: skip


def drawn(rng: random.Random, ranges: dict[str, tuple[Fraction | int, int]]) -> dict[str, object]:
    values: dict[str, object] = {"N": rng.randint(1, 4)}
    edge = rng.choice([40, 300])
    values |= {"H": rng.randint(1, edge), "W": rng.randint(1, edge)}
    for name, (least, most) in ranges.items():
        if isinstance(least, Fraction):
            values[name] = Fraction(rng.randint(1, most * 50), 50)
        else:
            values[name] = rng.randint(least, most)
    return values


@pytest.mark.parametrize("name", WIDTHS)
def test_forms_in_widths_are_what_summarize_counts(name: str) -> None:
    symbols, ranges = WIDTHS[name]
    net = convcalc.load(name)
    forms = {of: net.formula(of, symbols) for of in EVERY}
    rng = random.Random(name)
    points = [drawn(rng, ranges) for _ in range(40)]
    fitting = []
    for point in points:
        try:
            totals = net.summarize(**point).totals
        except convcalc.ConvcalcError:
            with pytest.raises(convcalc.ConvcalcError):
                forms["macs"].evaluate(**point)
            continue
        fitting.append(point)
        for of, form in forms.items():
            assert form.evaluate(**point) == getattr(totals, of), (of, point)
    # the same through arrays, all at once
    arrays = {n: np.array([point[n] for point in fitting]) for n in fitting[0]}
    for form in forms.values():
        assert form.evaluate(**arrays).tolist() == [form.evaluate(**point) for point in fitting]


@pytest.mark.slow
@pytest.mark.parametrize("name", zoo_names())
def test_forms_of_the_zoo_are_what_summarize_counts(name: str) -> None:
    """Against the integer evaluation, at sizes from the smallest legal ones on."""
    net = convcalc.load(name)
    forms = {of: net.formula(of) for of in ("params", "macs")}
    rng = random.Random(name)
    symbols = forms["macs"].names
    smallest = forms["macs"].limits.smallest
    for _ in range(max(8, min(40, 2_000 // len(net.graph.nodes)))):
        span = rng.choice([3, 40, 400])
        sizes = {n: smallest.get(n, 1) - 1 + rng.randint(0, span) for n in symbols}
        sizes["N"] = rng.randint(1, 3)
        try:
            totals = net.summarize(**sizes).totals
        except convcalc.ConvcalcError:
            with pytest.raises(convcalc.ConvcalcError):
                forms["macs"].evaluate(**sizes)
            continue
        for of, form in forms.items():
            assert form.evaluate(**sizes) == getattr(totals, of), (of, sizes)


# -- structures -----------------------------------------------------------------------------------

SHORTCUT = """
input: [8, H]
variables: {H: 9, width: 1, width2: 2}
layers:
  - conv: {out_channels: make_divisible(32 * width), kernel: 1}
  - add:
      - - conv: {out_channels: make_divisible(16 * width2), kernel: 1}
      - branch: []
        when: in_channels == make_divisible(16 * width2)
  - relu
"""


def test_a_shortcut_that_depends_on_two_widths() -> None:
    net = convcalc.loads(SHORTCUT)
    form = net.formula("adds", "N,H,width,width2")
    assert len(form.decisions) == 1
    for width in ("0.1", "0.25", "0.5", "1", "2"):
        for width2 in ("0.1", "0.3", "0.5", "1", "2", "4"):
            values = {"width": Fraction(width), "width2": Fraction(width2)}
            expected = net.summarize(**values).totals.adds
            assert form.evaluate(N=1, H=9, **values) == expected
    # arrays of both structures, of numbers that print as decimals
    widths = np.array([0.1, 0.25, 0.5, 1, 2])
    found = form.evaluate(N=3, H=9, width=widths[:, None], width2=widths)
    for i, first in enumerate(widths):
        for j, second in enumerate(widths):
            totals = net.summarize(N=3, width=float(first), width2=float(second)).totals
            assert found[i, j] == totals.adds


BOTH = """
input: [8, H]
variables: {H: 9, a: 16, b: 16}
layers:
  - conv: {out_channels: a, kernel: 1}
"""


def test_a_field_that_depends_on_equal_sizes_is_read_again() -> None:
    net = convcalc.loads(f'{BOTH}  - conv: {{out_channels: "b if a == b else 3 * b", kernel: 1}}')
    for _ in range(2):  # what one build has read, the next one may not keep
        form = net.formula("params", "a,b")
        for a, b in ((16, 16), (16, 8), (8, 16)):
            assert form.evaluate(a=a, b=b) == net.summarize(a=a, b=b).totals.params


def test_what_is_taken_as_equal_is_known_as_equal() -> None:
    """Groups of all channels, where hidden channels round to those that come in."""
    net = convcalc.load("mobilenet_v3_large")
    form = net.formula("macs", "width")
    widths = [Fraction(1, 10), Fraction(3, 20), Fraction(1, 4), 1]
    expected = [net.summarize(width=width).totals.macs for width in widths]
    assert [form.evaluate(width=width) for width in widths] == expected
    assert form.evaluate(width=np.array([0.1, 0.15, 0.25, 1])).tolist() == expected

    net = convcalc.loads(
        f"{BOTH}  - {{conv: {{out_channels: b, kernel: 1, groups: b}}, when: a == b}}"
    )
    form = net.formula("macs", "H,a,b")
    for a, b in ((6, 6), (6, 3), (3, 6)):
        assert form.evaluate(H=4, a=a, b=b) == net.summarize(H=4, a=a, b=b).totals.macs


def test_a_multiplier_that_is_a_size_in_one_structure() -> None:
    net = convcalc.loads("""
input: [8, H]
variables: {H: 9, a: 1, b: 2}
layers:
  - conv: {out_channels: make_divisible(16 * a), kernel: 1}
  - {conv: {out_channels: 3 * a, kernel: 1}, when: in_channels == make_divisible(16 * b)}
""")
    form = net.formula("macs", "a,b")
    with pytest.raises(convcalc.ConvcalcError, match="due here, not the fraction 3/2"):
        form.evaluate(a=Fraction(1, 2), b=Fraction(1, 2))
    values = {"a": np.array([1, 0.5, 0.5, 3]), "b": np.array([1, 0.5, 1, 3])}
    (found,), fits = form.forms.arrays(values)
    assert fits.tolist() == [True, False, True, True]
    for i in (0, 2, 3):
        point = {name: float(column[i]) for name, column in values.items()}
        assert found[i] == net.summarize(**point).totals.macs


def test_a_whole_number_stays_one_where_another_structure_asks_for_it() -> None:
    net = convcalc.loads(f"{BOTH}  - {{conv: {{out_channels: 2 * b, kernel: 1}}, when: a == b}}")
    form = net.formula("params", "a,b")
    assert form.forms.multipliers == {"b"}
    found = form.evaluate(a=np.array([3, 3, 5]), b=np.array([3, 4, 5]))
    assert found.tolist() == [net.summarize(a=a, b=b).totals.params for a, b in
                              ((3, 3), (3, 4), (5, 5))]  # fmt: skip


def test_what_decides_the_structure_has_to_be_given() -> None:
    net = convcalc.loads(f"{BOTH}  - {{conv: {{out_channels: 5, kernel: 1}}, when: a == b}}")
    form = net.formula("params", "a,b")
    with pytest.raises(convcalc.ConvcalcError, match=r"no value for b in"):
        form.evaluate(a=3)
    with pytest.raises(convcalc.ConvcalcError, match=r"depends on whether x = y"):
        form.evaluate(a=convcalc.dim.symbol("x"), b=convcalc.dim.symbol("y"))
    assert form.evaluate(a=form, b=form + 1) == 9 * form
    # the shortcut costs no weights
    assert convcalc.loads(SHORTCUT).formula("params", "width,width2").evaluate(
        width=1, width2=2
    ) == convcalc.loads(SHORTCUT).summarize().totals.params  # fmt: skip


def test_a_multiplier_that_a_form_does_not_depend_on() -> None:
    net = convcalc.loads(
        "{input: [3, H], variables: {w: 1}, layers: [{conv: {out_channels: make_divisible(16 * w), "
        "kernel: 1}}, {conv: {out_channels: 4, kernel: 1}}]}"
    )
    form = net.formula("exps", "H, w")
    assert form.evaluate(w=Fraction(1, 2)) == form.evaluate(H=3, w=0.1) == 0
    with pytest.raises(convcalc.ConvcalcError, match="not the fraction 1/2"):
        form.evaluate(H=Fraction(1, 2))


def test_what_depends_on_a_structure_says_so() -> None:
    net = convcalc.loads(SHORTCUT)
    assert net.formula("adds", "H,width,width2").forms.assumed()
    assert not net.formula("macs", "H,width,width2").forms.assumed()
    notes = net.summarize(symbolic="width, width2").notes
    assert notes == [
        "the structure is that where make_divisible(16·width2, 8) ≠ make_divisible(32·width, 8)"
    ]


def test_a_width_that_is_a_size_itself_is_whole() -> None:
    form = convcalc.load("resnet18").formula("macs", "width")
    with pytest.raises(convcalc.ConvcalcError, match="due here, not the fraction 1/2"):
        form.evaluate(width=Fraction(1, 2))
    with pytest.raises(convcalc.ConvcalcError, match="width: a whole number or an array of them"):
        form.evaluate(width="wide")
    net = convcalc.loads(
        "{input: [3, 8], variables: {w: 1}, layers: [conv: {out_channels: 16 * w, kernel: 1}]}"
    )
    assert net.formula("macs", "w, N").evaluate(w=0.25, N=2) == 2 * 3 * 4 * 8
    with pytest.raises(convcalc.ConvcalcError, match="width: an integer array is due, not float64"):
        form.evaluate(width=np.array([1.5]))
    multiplier = convcalc.load("mobilenet_v2").formula("macs", "width")
    assert multiplier.evaluate(width=1) == 300_774_272
    assert multiplier.evaluate(width=0.5) == multiplier.evaluate(width=Fraction(1, 2))
    for wrong in (0, Fraction(-1, 2), -3):
        with pytest.raises(convcalc.ConvcalcError, match="sizes are above 0"):
            multiplier.evaluate(width=wrong)
    with pytest.raises(convcalc.ConvcalcError, match="a number or an array of them is due"):
        multiplier.evaluate(width="wide")


def test_groups_of_all_channels_may_be_symbolic() -> None:
    text = "{input: [C, 8], layers: [conv: {out_channels: 2 * in_channels, kernel: 3, groups: in_channels}]}"  # noqa: E501
    net = convcalc.loads(text)
    assert str(net.formula("macs")) == "36·N·C"
    assert net.formula("params").evaluate(C=5) == net.summarize(C=5).totals.params


@pytest.mark.parametrize("count", [3, 40])
def test_many_decisions(count: int) -> None:
    widths = ", ".join(f"w{i}: {i + 1}" for i in range(count))
    entry = "  - {{conv: {{out_channels: w{0}, kernel: 1}}, when: in_channels != w{0}}}\n"
    layers = "".join(entry.format(i) for i in range(1, count))
    text = f"input: [w0, 4]\nvariables: {{{widths}}}\nlayers:\n{layers}"
    net = convcalc.loads(text)
    names = [f"w{i}" for i in range(count)]
    form = net.formula("macs", names)
    rng = random.Random(count)
    points = [{name: rng.randint(1, 3) for name in names} for _ in range(8)]
    expected = [net.summarize(**point).totals.macs for point in points]
    assert [form.evaluate(**point) for point in points] == expected
    arrays = {name: np.array([point[name] for point in points]) for name in names}
    assert form.evaluate(**arrays).tolist() == expected


def test_truth_values_are_no_sizes_and_arrays_must_broadcast() -> None:
    form = convcalc.load("mobilenet_v2").formula("macs", "N,H,width")
    for wrong in (True, np.array([True]), np.array([True, 3], dtype=object)):
        for name in ("H", "width"):
            with pytest.raises(convcalc.ConvcalcError, match=f"{name}: .* is due, not"):
                form.evaluate(**{"N": 1, "H": 64, "width": 1, name: wrong})
    with pytest.raises(convcalc.ConvcalcError, match="due here, not the fraction 1/2"):
        form.evaluate(N=1, H=0.5, width=1)
    with pytest.raises(convcalc.ConvcalcError, match=r"do not broadcast: N \(2,\), H \(3,\)"):
        form.evaluate(N=np.array([1, 2]), H=np.array([64, 65, 66]), width=1)


def test_arithmetic_with_constant_forms() -> None:
    net = convcalc.load("resnet18")
    macs, params = net.formula("macs"), net.formula("params")
    nothing = net.formula("exps", layer="max_pool1")
    assert -params == -11_689_512
    assert -nothing == nothing // 3 == 0
    assert params // params == params / params == 1
    assert macs // params == macs // 11_689_512
    assert macs / params == macs / 11_689_512
    assert 1 / params == Fraction(1, 11_689_512)
    assert convcalc.dim.bounds(params) == (11_689_512, 11_689_512)
    with pytest.raises(ZeroDivisionError):
        macs // nothing


def test_a_variable_without_a_value_is_free_until_it_has_one() -> None:
    net = convcalc.loads("{input: [C], variables: {classes: }, layers: [linear: classes]}")
    assert str(net.formula("params")) == "(C + 1)·classes"
    assert str(net.formula("params", overrides={"classes": 10})) == "10·C + 10"
    assert "MACs(N, C) = 10·N·C" in net.summarize(classes=10).text()
    assert net.formula("params", "C").names == ("C", "classes")
    assert net.formula("params", "C").evaluate(C=4, classes=2) == 10
    with pytest.raises(convcalc.ConvcalcError, match="no value for classes"):
        net.formula("params", "C").evaluate(C=4)


# -- layers and outputs ---------------------------------------------------------------------------


def test_one_layer_one_module_and_an_output() -> None:
    net = convcalc.load("resnet50")
    assert str(net.formula("macs", layer="stem")) == "9,408·N·⌈H/2⌉·⌈W/2⌉"
    parts = [net.formula("macs", layer=part).evaluate(N=2, H=97, W=60) for part in
             ("stem", "layer1", "layer2", "layer3", "layer4", "linear1")]  # fmt: skip
    assert sum(parts) == net.formula("macs").evaluate(N=2, H=97, W=60)
    assert [str(size) for size in net.output_formula("layer2")] == [
        "N", "512", "⌈H/8⌉", "⌈W/8⌉"
    ]  # fmt: skip
    with pytest.raises(
        UsageError, match=r"no layer or module .layr3. in ResNet-\d+\. Did you mean"
    ):
        net.formula("macs", layer="layr3")
    with pytest.raises(UsageError, match="the whole network"):
        net.formula("peak_bytes", layer="layer3")


def test_every_total_of_a_layer_adds_up() -> None:
    net = convcalc.load("lenet5")
    for of in TOTALS:
        if of != "peak_activation_bytes":
            parts = sum(net.formula(of, layer=node.path) for node in net.graph.nodes)
            of_input = net.formula("activation_bytes") - sum(
                net.formula("activation_bytes", layer=node.path) for node in net.graph.nodes
            )
            whole = net.formula(of) - (of_input if of == "activation_bytes" else 0)
            assert parts == whole


# -- the command ----------------------------------------------------------------------------------


def run(*arguments: str) -> str:
    from click.testing import CliRunner

    result = CliRunner().invoke(cli, ["formula", *arguments])
    if result.exception:
        raise result.exception
    return result.output


def test_the_line_of_resnet50() -> None:
    assert run("resnet50") == (
        f"ResNet-50   MACs(N, H, W) = {RESNET}\n            H = W = 224, N = 1:  4,089,184,256\n"
    )


def test_a_name_given_twice_is_left_free_once() -> None:
    assert run("lenet5", "--in", "H,N,H").startswith("LeNet-5   MACs(H, N) = ")


def test_multipliers_have_no_least_value() -> None:
    from click.testing import CliRunner

    net = convcalc.load("mobilenet_v2")
    assert net.multipliers("width, H") == {"width"}
    found = net.limits_of("H, width")
    assert (found.smallest, found.multipliers) == ({"H": 1}, ("width",))
    done = CliRunner().invoke(cli, ["limits", "mobilenet_v2", "--in", "width"])
    assert done.exit_code == 0
    assert "width  any fraction above 0" in done.output
    text = "{input: [3, H], variables: {w: 2}, layers: [{conv: {out_channels: floor(w / 2 + 0.25), kernel: 1}}]}"  # noqa: E501
    form = convcalc.loads(text).formula("params", "w")
    assert form.evaluate(w=Fraction(3, 2)) == 4
    assert str(form.limits) == "⌊(2·w + 1)/4⌋ ≥ 1"
    with pytest.raises(convcalc.ConvcalcError, match=r"out_channels is .*: at least 1 is due"):
        form.evaluate(w=Fraction(7, 5))


def test_lines_are_broken_at_terms() -> None:
    from convcalc.report.formulas import Written

    net = convcalc.load("resnet50")
    written = Written(net.title, "macs", [net.formula("macs")], {"N": 1, "H": 224, "W": 224})
    assert written.text(102) == [
        "ResNet-50   MACs(N, H, W) = N·( 9,408·⌈H/2⌉·⌈W/2⌉ + 245,760·⌈H/4⌉·⌈W/4⌉ "
        "+ 1,310,720·⌈H/8⌉·⌈W/8⌉",
        "                              + 7,471,104·⌈H/16⌉·⌈W/16⌉ + 14,417,920·⌈H/32⌉·⌈W/32⌉ "
        "+ 2,048,000 )",
        "            H = W = 224, N = 1:  4,089,184,256",
    ]
    assert all(len(line) <= 80 for line in written.text(80))


def test_formats() -> None:
    everything = json.loads(run("mobilenet_v2", "--of", "macs,output:stem", "--in", "H,width",
                                "--format", "json"))  # fmt: skip
    macs, stem = everything["formulas"]
    assert macs["value"] == 300_774_272
    assert macs["symbols"] == ["H", "width"]
    assert macs["assumed"] == []
    assert [axis["python"] for axis in stem["axes"]] == [
        1, "make_divisible(32*width, 8)", "((H + 1) // 2)", 112
    ]  # fmt: skip
    latex = run("alexnet", "--format", "latex")
    assert latex.startswith(
        "% AlexNet: macs, for H ≥ 63, W ≥ 63\n"
        "\\begin{align*}\n\\mathrm{MACs}(N, H, W) ={}\n& N \\cdot \\bigl( "
    )
    assert latex.endswith(
        " \\bigr) \\\\\n& \\quad \\text{for } H \\ge 63,\\; W \\ge 63\n\\end{align*}\n"
    )


@pytest.mark.parametrize("spec", ["mobilenet_v2", "efficientnet_b0", "resnet50", "unet"])
def test_python_functions_give_the_numbers(spec: str) -> None:
    symbols = [name for name in ("N", "H", "W", "width") if name in
               ("N", *convcalc.load(spec).spec.variables)]  # fmt: skip
    code = run(spec, "--of", "adds", "--in", ",".join(symbols), "--format", "python")
    sizes = {"N": 2, "H": 252, "W": 284, "width": 2}
    arguments = ", ".join(f"{name}={sizes[name]}" for name in symbols)
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nprint(adds({arguments}))"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    values = {name: sizes[name] for name in symbols}
    assert int(done.stdout) == convcalc.load(spec).summarize(**values).totals.adds


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["resnet50", "--of", "mcs"], 2, "unknown quantity 'mcs'. Did you mean 'macs'?"),
        (["resnet50", "--of", ","], 2, "--of: nothing to count"),
        (["resnet50", "--in", "h"], 2, "'h' is no variable of this spec. It has N, H, W, classes"),
        (["resnet50", "--layer", "layr3"], 2, "'layr3' in ResNet-50. Did you mean 'layer3'?"),
        (["resnet50", "--of", "output:nothing"], 2, "no layer or module 'nothing'"),
        (["resnet50", "--in", "depths"], 2, "depths cannot be a symbol: it is [3, 4, 6, 3] here, "
         "no number. The form of the network itself depends on it."),
        (["resnet50", "--in", "block"], 2, "block cannot be a symbol: it is 'bottleneck' here"),
        (["resnet50", "--layer", ""], 2, "no layer or module ''"),
        (["efficientnet_b0", "--in", "depth"], 3, "range(depth): the length of a list cannot be "
         "symbolic. Give depth a number."),
        (["nothing"], 3, "no file and no architecture 'nothing'"),
    ],
)  # fmt: skip
def test_what_the_command_refuses(arguments: list[str], code: int, text: str) -> None:
    with pytest.raises(convcalc.ConvcalcError) as error:
        run(*arguments)
    assert error.value.exit_code == code
    assert text in str(error.value)


def test_a_default_that_does_not_fit_is_no_hindrance(tmp_path: Path) -> None:
    spec = tmp_path / "net.yaml"
    spec.write_text(
        "input: [1, H]\nvariables: {H: 5}\nlayers:\n"
        "  - add: [[max_pool: 2, {upsample: {scale: 2}}], []]\n"
    )
    assert "for H ≥ 2, 2 divides H" in run(str(spec), "--of", "adds")
    with pytest.raises(convcalc.ConvcalcError, match="unequal sizes"):
        convcalc.load(spec)


def test_files_by_their_suffixes(tmp_path: Path) -> None:
    for suffix, start in {
        ".tex": "% VGG-16",
        ".py": "def macs",
        ".json": "{",
        ".txt": "VGG",
        ".md": "| Network",
        ".csv": "network,of,formula",
        ".html": "<!DOCTYPE html>",
    }.items():
        target = tmp_path / f"macs{suffix}"
        run("vgg16", "-o", str(target))
        assert target.read_text(encoding="utf-8").startswith(start)
    with pytest.raises(UsageError, match=r"no form of this output is a \.ipynb file"):
        run("vgg16", "-o", str(tmp_path / "macs.ipynb"))


def test_bytes_of_another_type() -> None:
    net = convcalc.load("vgg16")
    for dtype, size in {"float16": 2, "float64": 8}.items():
        halves = net.formula("activation_bytes", dtype=dtype)
        assert halves == net.formula("activation_bytes") * size / 4
        found = net.sweep({"H": [64, 96]}, of="activation_bytes", dtype=dtype)
        assert found["activation_bytes"].tolist() == [
            net.summarize(H=h, dtype=dtype).totals.activation_bytes for h in (64, 96)
        ]
    assert "= 276,715,088\n" in run("vgg16", "--of", "param_bytes", "--dtype", "float16")
    for call in (net.formula, lambda **given: net.sweep({"H": [64]}, **given)):
        with pytest.raises(UsageError, match="unknown dtype 'float8'"):
            call(dtype="float8")
