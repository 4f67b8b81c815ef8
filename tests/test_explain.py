"""Explanations: every formula on the board comes to what the layer says.

The oracle reads the text: the numbers put in are worked out by Python, as a pupil would, and so are
the names, each with its number.
"""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import convcalc
from convcalc.analysis.derivation import Derivation, Derivations
from convcalc.commands.layers import example_spec
from convcalc.cost import Cost
from convcalc.dim import Dim
from convcalc.errors import ConvcalcError, UsageError
from convcalc.graph import Graph, Module, Node
from convcalc.layer import Layer, Shape
from convcalc.layers import layer_class, layer_names
from convcalc.layers.conv import Conv
from convcalc.network import Network
from convcalc.notation import TEXT
from convcalc.report import slides
from convcalc.report.board import MEANINGS, STYLES, Formula

from .test_cli import Result, run  # noqa: F401
from .test_layer_contract import NAMES, case_of, operation

# -- the oracle -----------------------------------------------------------------------------------

SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
BARS = {"⌊": "floor(", "⌋": ")", "⌈": "ceil(", "⌉": ")", "·": "*", "−": "-"}
FUNCTIONS = {
    "floor": math.floor, "ceil": math.ceil, "Fraction": Fraction, "max": max, "min": min,
    "gcd": math.gcd,
}  # fmt: skip


def worked_out(text: str) -> Any:
    """What an expression of numbers comes to."""
    text = re.sub(r"(\d),(?=\d{3})", r"\1", text)
    text = re.sub(r"[⁰¹²³⁴⁵⁶⁷⁸⁹]+", lambda m: "**" + m[0].translate(SUPERSCRIPTS), text)
    text = "".join(BARS.get(c, c) for c in text)
    # what is not a factor after another already, nor an exponent
    text = re.sub(r"(?<![*\d])(\d+)", r"Fraction(\1)", text)
    return eval(text, {"__builtins__": {}}, FUNCTIONS)


def with_numbers(formula: Formula) -> str:
    """The formula with each name replaced by its number."""
    values: dict[str, Any] = {}
    for symbol in formula.letters:
        name, value = formula.name(symbol), formula.values[symbol]
        assert values.setdefault(name, value) == value, f"{name} stands for two numbers"
    text = formula.names(TEXT)
    if values:
        names = "|".join(map(re.escape, sorted(values, key=len, reverse=True)))
        text = re.sub(
            rf"(?<![A-Za-z_])(\d)?({names})(?![A-Za-z0-9_\[])",
            lambda m: times(m[1], values[m[2]]),
            text,
        )
    return text


def times(coefficient: str | None, value: int) -> str:
    return f"{coefficient}*({value})" if coefficient else f"({value})"


def holds(step: Derivation) -> None:
    """Check a derivation in all styles: names and numbers come to the value."""
    for style in STYLES.values():
        if step.formula is None:
            continue
        formula = Formula(step, style)
        assert worked_out(formula.numbers(TEXT)) == step.value, formula.numbers(TEXT)
        assert worked_out(with_numbers(formula)) == step.value, formula.names(TEXT)


def graph_of(layer: Layer, shapes: tuple[Shape, ...]) -> Graph | None:
    """A network of one layer, or None where it does not fit."""
    made = operation(layer, shapes)
    if made is None:
        return None
    root = Module("", None, None, "here", None)
    inputs = [Node(None, (), root, f"x{i}", "here", x) for i, x in enumerate(shapes)]
    graph = Graph(root, inputs)
    graph.nodes = [Node(made, tuple(inputs), root, "layer", "here", made.output_shape)]
    return graph


# -- every formula comes to what the layer says ---------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_formulas_come_to_the_figures_of_the_layer(name: str) -> None:
    case = case_of(name)

    @settings(deadline=None, max_examples=min(case.examples, 40))
    @given(st.data())
    def configured(data: st.DataObject) -> None:
        graph = graph_of(*data.draw(case.configurations))
        if graph is None:
            return
        (node,) = graph.nodes
        steps = Derivations(graph).of(node)
        for step in steps:
            holds(step)
        rank = len(node.shape) - 2
        places = {"features": -1, "positions": 1, **{f"axis {a}": a for a in range(1, rank + 1)}}
        for step in steps:
            if step.quantity == "output" and step.formula is not None:
                axes = [axis + 2 for axis in step.axes] or [places.get(step.part, 1)]
                assert {node.shape[axis] for axis in axes} == {step.value}
                assert not step.axes or max(step.axes) < rank
        found = {(s.quantity, s.part): s.value for s in steps}
        assert found["params", ""] == node.op.params
        assert found.get(("params", "buffers"), 0) == node.op.buffers
        assert found["macs", ""] == node.op.cost.macs

    configured()


@pytest.mark.parametrize("name", sorted(layer_names()))
def test_the_example_of_every_layer(name: str) -> None:
    """With the symbols of the example's input: closed forms; with numbers: numbers."""
    spec = example_spec(layer_class(name))
    sizes = {"C": 64, "H": 60, "W": 72}
    named = [f"{s}: {n}" for s, n in sizes.items() if s in layer_class(name).example_input]
    numbers = f"variables: {{{', '.join(named)}}}\n"
    for text in (spec, spec + numbers):
        net = convcalc.loads(text)
        for style in STYLES:
            explanation = net.explain(style=style)
            assert str(explanation)
            assert explanation.markdown()
            assert explanation.latex()
            for step in explanation:
                assert step.formula or step.note
                assert "{" not in step.formula
                if step.substituted and not isinstance(step.value, Dim):
                    assert worked_out(step.substituted) == step.value


NETS = (
    "alexnet", "alexnet_2012", "c3d", "convnext_tiny", "dcgan_generator", "densenet121", "fcn32s",
    "googlenet", "inception_v2", "lenet1", "m5", "mobilenet_v3_small", "resnext50_32x4d",
    "shufflenet_v2_x1_0", "unet", "r3d_18",
)  # fmt: skip


@pytest.mark.parametrize("name", NETS)
def test_the_last_number_is_that_of_the_report(name: str) -> None:
    net = convcalc.load(name)
    rows = {row.name: row for row in net.summarize().rows}
    bytes_of_outputs = 4 * sum(math.prod(node.shape) for node in net.graph.inputs)
    explained = net.explain(list(rows))
    for step in explained:
        row = rows[step.layer]
        if step.substituted:
            assert worked_out(step.substituted) == step.value, step
        where = (step.quantity, step.part)
        if where == ("params", ""):
            assert step.value == row.params
        elif where == ("params", "buffers"):
            assert step.value == row.buffers
        elif step.quantity == "macs":
            assert step.value == row.macs
        elif where == ("memory", "output"):
            bytes_of_outputs += step.value
        elif where == ("memory", "params"):
            assert step.value == 4 * row.params
        elif step.quantity == "receptive_field":
            part, _, axes = step.part.partition(", ")
            found = {
                "size": row.receptive_field,
                "stride": row.receptive_stride,
                "start": [-p for p in row.receptive_padding],
            }[part]
            assert step.value in found
            if not axes:
                assert set(found) == {step.value}
    assert bytes_of_outputs == net.summarize().totals.activation_bytes
    assert {step.layer for step in explained} == set(rows)


def test_a_formula_that_gives_another_value_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a layer decides on numbers, as no formula can, it is not passed over."""
    right = Conv.output_shape

    def wrong(self: Conv, x: Shape) -> Shape:
        return (x[0], 5, *right(self, x)[2:]) if isinstance(x[1], Dim) else right(self, x)

    net = convcalc.loads("input: [3, 8, 8]\nlayers: [conv: {out_channels: 4, kernel: 3}]")
    monkeypatch.setattr(Conv, "output_shape", wrong)
    with pytest.raises(ConvcalcError, match="conv1: the formula of output gives 5, and the layer"):
        net.explain("conv1")


def test_code_that_takes_no_symbols(monkeypatch: pytest.MonkeyPatch) -> None:
    right = Conv.cost

    def counting(self: Conv, x: Shape) -> Cost:
        assert list(range(self.out_channels))  # type: ignore[arg-type]
        return right(self, x)

    monkeypatch.setattr(Conv, "cost", counting)
    net = convcalc.loads(
        "input: [3, H, 8]\nvariables: {H: }\nlayers: [conv: {out_channels: 4, kernel: 3}]"
    )
    told = {step.part or step.quantity: step.note for step in net.explain("conv1")}
    assert told["macs"] == "648·H − 1,296, by code that takes numbers only"
    assert told["channels"] == "4, by code that takes numbers only"
    assert net.walk_through().text()


# -- as people write it ---------------------------------------------------------------------------


def figure(net: Network, style: str, quantity: str, part: str = "") -> str:
    """One figure of a network's last layer: formula = numbers = value."""
    (last,) = net.graph.outputs
    for step in net.explain(last.path, of=quantity, style=style):
        if part in ("", step.part):
            return f"{step.formula} = {step.substituted} = {step.value:,}"
    raise AssertionError(f"no {part}")


def one_layer(entry: str, shape: str = "[96, 27, 27]") -> Network:
    return convcalc.loads(f"input: {shape}\nlayers:\n  - {entry}\n")


ALEXNET_CONV1 = "conv: {out_channels: 96, kernel: 11, stride: 4}"

WINDOWS = {
    "design": (
        ALEXNET_CONV1, "[3, 227, 227]", {
            "textbook": "⌊(n + 2p − k)/s⌋ + 1 = ⌊(227 + 2·0 − 11)/4⌋ + 1 = 55",
            "torch": "⌊(H + 2·padding − dilation·(kernel − 1) − 1)/stride⌋ + 1"
            " = ⌊(227 + 2·0 − 1·(11 − 1) − 1)/4⌋ + 1 = 55",
            # deck E, page "Stride", and deck D, slide 11
            "d2l": "⌊(n_h − k_h + p_h + s_h)/s_h⌋ = ⌊(227 − 11 + 0 + 4)/4⌋ = 55",
            "cs231n": "(W − F + 2P)/S + 1 = (227 − 11)/4 + 1 = 55",
        },
    ),
    "padding on both sides": (
        "conv: {out_channels: 8, kernel: 5, stride: 2, padding: 2}", "[3, 28, 28]", {
            "textbook": "⌊(n + 2p − k)/s⌋ + 1 = ⌊(28 + 2·2 − 5)/2⌋ + 1 = 14",
            "torch": "⌊(H + 2·padding − dilation·(kernel − 1) − 1)/stride⌋ + 1"
            " = ⌊(28 + 2·2 − 1·(5 − 1) − 1)/2⌋ + 1 = 14",
            "d2l": "⌊(n_h − k_h + p_h + s_h)/s_h⌋ = ⌊(28 − 5 + 4 + 2)/2⌋ = 14",
            "cs231n": "⌊(W − F + 2P)/S⌋ + 1 = ⌊(28 − 5 + 2·2)/2⌋ + 1 = 14",
        },
    ),
    "padding on one side": (
        "conv: {out_channels: 8, kernel: 2, padding: [[0, 1], [0, 1]]}", "[3, 28, 28]", {
            "textbook": "⌊(n + b + a − k)/s⌋ + 1 = ⌊(28 + 0 + 1 − 2)/1⌋ + 1 = 28",
            "torch": "⌊(H + before + after − dilation·(kernel − 1) − 1)/stride⌋ + 1"
            " = ⌊(28 + 0 + 1 − 1·(2 − 1) − 1)/1⌋ + 1 = 28",
            "d2l": "⌊(n_h − k_h + p_h + s_h)/s_h⌋ = ⌊(28 − 2 + 1 + 1)/1⌋ = 28",
            "cs231n": "(W − F + A + B)/S + 1 = (28 − 2 + 1)/1 + 1 = 28",
        },
    ),
    "dilation": (
        "conv: {out_channels: 8, kernel: 3, dilation: 2}", "[3, 28, 28]", {
            "textbook": "⌊(n + 2p − d·(k − 1) − 1)/s⌋ + 1"
            " = ⌊(28 + 2·0 − 2·(3 − 1) − 1)/1⌋ + 1 = 24",
            "torch": "⌊(H + 2·padding − dilation·(kernel − 1) − 1)/stride⌋ + 1"
            " = ⌊(28 + 2·0 − 2·(3 − 1) − 1)/1⌋ + 1 = 24",
            "d2l": "⌊(n_h − d_h·(k_h − 1) + p_h + s_h − 1)/s_h⌋"
            " = ⌊(28 − 2·(3 − 1) + 0 + 1 − 1)/1⌋ = 24",
            "cs231n": "(W − d·(F − 1) + 2P − 1)/S + 1 = (28 − 2·(3 − 1) − 1)/1 + 1 = 24",
        },
    ),
    "same": (
        "conv: {out_channels: 8, kernel: 3, stride: 2, padding: same}", "[3, 27, 27]", {
            "textbook": "⌈n/s⌉ = ⌈27/2⌉ = 14",
            "torch": "⌈H/stride⌉ = ⌈27/2⌉ = 14",
            "d2l": "⌊(n_h + s_h − 1)/s_h⌋ = ⌊(27 + 2 − 1)/2⌋ = 14",  # deck E, with p_h = k_h − 1
            "cs231n": "⌈W/S⌉ = ⌈27/2⌉ = 14",
        },
    ),
    "depthwise": (
        "depthwise_conv: {kernel: 3, padding: 1, stride: 2}", "[32, 112, 112]", {
            "textbook": "⌊(n + 2p − k)/s⌋ + 1 = ⌊(112 + 2·1 − 3)/2⌋ + 1 = 56",
            "torch": "⌊(H + 2·padding − dilation·(kernel − 1) − 1)/stride⌋ + 1"
            " = ⌊(112 + 2·1 − 1·(3 − 1) − 1)/2⌋ + 1 = 56",
            "d2l": "⌊(n_h − k_h + p_h + s_h)/s_h⌋ = ⌊(112 − 3 + 2 + 2)/2⌋ = 56",
            "cs231n": "⌊(W − F + 2P)/S⌋ + 1 = ⌊(112 − 3 + 2·1)/2⌋ + 1 = 56",
        },
    ),
    "separable": (
        "separable_conv: {out_channels: 64, kernel: 3}", "[32, 11, 11]", {
            "textbook": "⌊(n + 2p − k)/s⌋ + 1 = ⌊(11 + 2·0 − 3)/1⌋ + 1 = 9",
            "torch": "⌊(H + 2·padding − dilation·(kernel − 1) − 1)/stride⌋ + 1"
            " = ⌊(11 + 2·0 − 1·(3 − 1) − 1)/1⌋ + 1 = 9",
            "d2l": "⌊(n_h − k_h + p_h + s_h)/s_h⌋ = ⌊(11 − 3 + 0 + 1)/1⌋ = 9",
            "cs231n": "(W − F + 2P)/S + 1 = (11 − 3)/1 + 1 = 9",
        },
    ),
    "transposed": (
        "conv_transpose: {out_channels: 8, kernel: 4, stride: 2, padding: 1}", "[3, 5, 5]", {
            "textbook": "(n − 1)·s − 2p + k = (5 − 1)·2 − 2·1 + 4 = 10",
            # as the documentation of torch.nn.ConvTranspose2d has it
            "torch": "(H − 1)·stride − 2·padding + dilation·(kernel − 1) + output_padding + 1"
            " = (5 − 1)·2 − 2·1 + 1·(4 − 1) + 0 + 1 = 10",
            "d2l": "(n_h − 1)·s_h + k_h − p_h = (5 − 1)·2 + 4 − 2 = 10",
            "cs231n": "(W − 1)·S + F − 2P = (5 − 1)·2 + 4 − 2·1 = 10",
        },
    ),
    "pool": (
        "max_pool: {kernel: 3, stride: 2}", "[96, 55, 55]", {
            "textbook": "⌊(n + 2p − k)/s⌋ + 1 = ⌊(55 + 2·0 − 3)/2⌋ + 1 = 27",
            "torch": "⌊(H + 2·padding − dilation·(kernel − 1) − 1)/stride⌋ + 1"
            " = ⌊(55 + 2·0 − 1·(3 − 1) − 1)/2⌋ + 1 = 27",
            "d2l": "⌊(n_h − k_h + p_h + s_h)/s_h⌋ = ⌊(55 − 3 + 0 + 2)/2⌋ = 27",
            "cs231n": "(W − F + 2P)/S + 1 = (55 − 3)/2 + 1 = 27",
        },
    ),
    "pool, its stride the kernel": (
        "avg_pool: 2", "[6, 28, 28]", {
            "textbook": "⌊(n + 2p − k)/s⌋ + 1 = ⌊(28 + 2·0 − 2)/2⌋ + 1 = 14",
            # torch.nn.AvgPool2d has no dilation
            "torch": "⌊(H + 2·padding − kernel)/stride⌋ + 1 = ⌊(28 + 2·0 − 2)/2⌋ + 1 = 14",
            "d2l": "⌊(n_h − k_h + p_h + s_h)/s_h⌋ = ⌊(28 − 2 + 0 + 2)/2⌋ = 14",
            "cs231n": "(W − F + 2P)/S + 1 = (28 − 2)/2 + 1 = 14",
        },
    ),
    "ceil mode": (
        "max_pool: {kernel: 3, stride: 2, ceil_mode: true}", "[64, 112, 112]", {
            "textbook": "min(⌈(n + 2p − k)/s⌉, ⌊(n + p − 1)/s⌋) + 1"
            " = min(⌈(112 + 2·0 − 3)/2⌉, ⌊(112 + 0 − 1)/2⌋) + 1 = 56",
            "torch": "min(⌈(H + 2·padding − dilation·(kernel − 1) − 1)/stride⌉,"
            " ⌊(H + padding − 1)/stride⌋) + 1"
            " = min(⌈(112 + 2·0 − 1·(3 − 1) − 1)/2⌉, ⌊(112 + 0 − 1)/2⌋) + 1 = 56",
            "d2l": "min(⌈(n_h − k_h + b_h + a_h)/s_h⌉, ⌊(n_h + b_h − 1)/s_h⌋) + 1"
            " = min(⌈(112 − 3 + 0 + 0)/2⌉, ⌊(112 + 0 − 1)/2⌋) + 1 = 56",
            "cs231n": "min(⌈(W − F + 2P)/S⌉, ⌊(W + P − 1)/S⌋) + 1"
            " = min(⌈(112 − 3)/2⌉, ⌊(112 − 1)/2⌋) + 1 = 56",
        },
    ),
    "adaptive": (
        "adaptive_avg_pool: 7", "[512, 14, 14]", {
            "textbook": "m = 7 = 7", "torch": "size = 7 = 7", "d2l": "m_h = 7 = 7",
            "cs231n": "M = 7 = 7",
        },
    ),
    "upsample": (
        "upsample: 2", "[512, 14, 14]", {
            "textbook": "n·u = 14·2 = 28", "torch": "H·scale = 14·2 = 28",
            "d2l": "n_h·u_h = 14·2 = 28", "cs231n": "W·U = 14·2 = 28",
        },
    ),
    "pad": (
        "pad: 3", "[3, 224, 224]", {
            "textbook": "n + 2p = 224 + 2·3 = 230", "torch": "H + 2·padding = 224 + 2·3 = 230",
            "d2l": "n_h + p_h = 224 + 6 = 230", "cs231n": "W + 2P = 224 + 2·3 = 230",
        },
    ),
}  # fmt: skip


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("family", WINDOWS)
def test_sizes_as_each_style_writes_them(family: str, style: str) -> None:
    entry, shape, forms = WINDOWS[family]
    assert figure(one_layer(entry, shape), style, "output", "height and width") == forms[style]


def test_axes_that_differ_are_told_apart() -> None:
    net = one_layer("conv: {out_channels: 8, kernel: [1, 7], padding: [0, 3]}", "[3, 17, 17]")
    for style, forms in {
        "textbook": ("⌊(H + 2p_h − k_h)/s_h⌋ + 1", "⌊(W + 2p_w − k_w)/s_w⌋ + 1"),
        "torch": (
            "⌊(H + 2·padding[0] − dilation[0]·(kernel[0] − 1) − 1)/stride[0]⌋ + 1",
            "⌊(W + 2·padding[1] − dilation[1]·(kernel[1] − 1) − 1)/stride[1]⌋ + 1",
        ),
        "d2l": ("⌊(n_h − k_h + p_h + s_h)/s_h⌋", "⌊(n_w − k_w + p_w + s_w)/s_w⌋"),
        "cs231n": ("(H − F_h + 2P_h)/S + 1", "(W − F_w + 2P_w)/S + 1"),
    }.items():
        steps = {step.part: step.formula for step in net.explain("conv1", of="output", style=style)}
        assert (steps["height"], steps["width"]) == forms


def test_one_and_three_axes() -> None:
    net = one_layer("conv: {out_channels: 8, kernel: 5}", "[3, 100]")
    assert figure(net, "textbook", "output", "length") == (
        "⌊(n + 2p − k)/s⌋ + 1 = ⌊(100 + 2·0 − 5)/1⌋ + 1 = 96"
    )
    assert figure(net, "d2l", "macs") == "N·c_i·c_o·k·m = 1·3·8·5·96 = 11,520"
    net = one_layer("conv: {out_channels: 8, kernel: [1, 3, 3]}", "[3, 9, 9, 9]")
    parts = [step.part for step in net.explain("conv1", of="output")]
    assert parts == ["channels", "depth", "height and width"]
    assert figure(net, "cs231n", "macs") == (
        "N·T_2·H_2·W_2·F_d·F_h·F_w·D·K = 1·9·7·7·1·3·3·3·8 = 95,256"
    )


FIGURES = [
    # deck D, slide 13, has (11*11*3)*96 without biases; VGG on slide 22
    (ALEXNET_CONV1, "[3, 227, 227]", "params", {
        "textbook": "C_out·(C_in·k_h·k_w + 1) = 96·(3·11·11 + 1) = 34,944",
        "torch": "C_out·(C_in·kernel[0]·kernel[1] + 1) = 96·(3·11·11 + 1) = 34,944",
        "d2l": "c_o·(c_i·k_h·k_w + 1) = 96·(3·11·11 + 1) = 34,944",
        "cs231n": "(F·F·D + 1)·K = (11·11·3 + 1)·96 = 34,944",
    }),
    (ALEXNET_CONV1, "[3, 227, 227]", "macs", {
        "textbook": "N·C_out·H_out·W_out·C_in·k_h·k_w = 1·96·55·55·3·11·11 = 105,415,200",
        "torch": "N·C_out·H_out·W_out·C_in·kernel[0]·kernel[1] = 1·96·55·55·3·11·11 = 105,415,200",
        # deck A: O(c_i c_o k_h k_w m_h m_w)
        "d2l": "N·c_i·c_o·k_h·k_w·m_h·m_w = 1·3·96·11·11·55·55 = 105,415,200",
        "cs231n": "N·H_2·W_2·F·F·D·K = 1·55·55·11·11·3·96 = 105,415,200",
    }),
    ("conv: {out_channels: 128, kernel: 3, bias: false}", "[64, 112, 112]", "params", {
        "textbook": "C_out·C_in·k_h·k_w = 128·64·3·3 = 73,728",
        "cs231n": "F·F·D·K = 3·3·64·128 = 73,728",
    }),
    ("conv: {out_channels: 256, kernel: 5, padding: 2, groups: 2}", "[96, 27, 27]", "params", {
        "textbook": "C_out·((C_in/g)·k_h·k_w + 1) = 256·((96/2)·5·5 + 1) = 307,456",
        "torch": "C_out·((C_in/groups)·kernel[0]·kernel[1] + 1) = 256·((96/2)·5·5 + 1) = 307,456",
    }),
    ("conv: {out_channels: 256, kernel: 5, padding: 2, groups: 2}", "[96, 27, 27]", "macs", {
        "textbook": "N·C_out·H_out·W_out·(C_in/g)·k_h·k_w = 1·256·27·27·(96/2)·5·5 = 223,948,800",
    }),
    ("depthwise_conv: {kernel: 3, padding: 1}", "[32, 112, 112]", "params", {
        "textbook": "C·(k_h·k_w + 1) = 32·(3·3 + 1) = 320",
    }),
    ("depthwise_conv: {kernel: 3, multiplier: 2}", "[32, 112, 112]", "macs", {
        "textbook": "N·C·H_out·W_out·m·k_h·k_w = 1·32·110·110·2·3·3 = 6,969,600",
    }),
    # Howard et al. 2017, equation 5: D_K·D_K·M·D_F·D_F + M·N·D_F·D_F
    ("separable_conv: {out_channels: 64, kernel: 3}", "[32, 11, 11]", "macs", {
        "textbook": "N·H_out·W_out·C_in·(k_h·k_w + C_out) = 1·9·9·32·(3·3 + 64) = 189,216",
    }),
    ("separable_conv: {out_channels: 64, kernel: 3}", "[32, 11, 11]", "params", {
        "textbook": "C_in·k_h·k_w + C_out·(C_in + 1) = 32·3·3 + 64·(32 + 1) = 2,400",
    }),
    ("conv_transpose: {out_channels: 64, kernel: 2, stride: 2}", "[128, 28, 28]", "macs", {
        "textbook": "N·C_out·C_in·H·W·k_h·k_w = 1·64·128·28·28·2·2 = 25,690,112",
    }),
    ("linear: 4096", "[9216]", "params", {
        "textbook": "F_out·(F_in + 1) = 4,096·(9,216 + 1) = 37,752,832",
        "torch": "out_features·(in_features + 1) = 4,096·(9,216 + 1) = 37,752,832",
    }),
    ("linear: {out_features: 4096, bias: false}", "[9216]", "macs", {
        "torch": "N·out_features·in_features = 1·4,096·9,216 = 37,748,736",
        "cs231n": "N·D·K = 1·9,216·4,096 = 37,748,736",
    }),
    ("batch_norm", "[96, 27, 27]", "params", {
        "textbook": "2C = 2·96 = 192", "torch": "2C = 2·96 = 192", "cs231n": "2D = 2·96 = 192",
    }),
    ("layer_norm: {axes: [1, 2, 3]}", "[96, 27, 27]", "params", {
        "textbook": "2·C·H·W = 2·96·27·27 = 139,968",
    }),
    ("group_norm: 32", "[96, 27, 27]", "params", {"textbook": "2C = 2·96 = 192"}),
    ("prelu", "[96, 27, 27]", "params", {"textbook": "C = 96 = 96"}),
    ("flatten", "[256, 6, 6]", "output", {
        "textbook": "C·H·W = 256·6·6 = 9,216",
        "d2l": "c·n_h·n_w = 256·6·6 = 9,216",
        "cs231n": "H·W·D = 6·6·256 = 9,216",
    }),
    ("pixel_shuffle: 2", "[64, 5, 5]", "output", {"textbook": "C/u² = 64/2² = 16"}),
    ("reshape: [16, -1]", "[64, 5]", "output", {"textbook": "size = 16 = 16"}),
    ("slice: {start: 8, step: 3}", "[64, 5, 5]", "output", {
        "textbook": "⌈(C − start)/step⌉ = ⌈(64 − 8)/3⌉ = 19",
    }),
    ("batch_norm", "[96, 27, 27]", "memory", {
        "textbook": "4·N·C·H·W = 4·1·96·27·27 = 279,936",
        "cs231n": "4·N·H·W·D = 4·1·27·27·96 = 279,936",
    }),
]  # fmt: skip


@pytest.mark.parametrize("case", FIGURES, ids=lambda case: f"{case[0].split(':')[0]} {case[2]}")
def test_counts_as_each_style_writes_them(case: Any) -> None:
    entry, shape, quantity, forms = case
    for style, form in forms.items():
        assert figure(one_layer(entry, shape), style, quantity) == form


def test_receptive_fields() -> None:
    net = convcalc.load("alexnet_cs231n")
    found = {
        s.part: f"{s.formula} = {s.substituted} = {s.value}"
        for s in net.explain("max_pool1", of="receptive_field")
    }
    assert found == {
        "size": "r + (k − 1)·j = 11 + (3 − 1)·4 = 19",
        "stride": "j·s = 4·2 = 8",
        "start": "x − p·j = 0 − 0·4 = 0",
    }
    net = convcalc.load("googlenet")
    steps = list(net.explain("inception3a.concat1", of="receptive_field"))
    assert steps[0].formula == "max(x_1 + r_1, x_2 + r_2, x_3 + r_3) − min(x_1, x_2, x_3)"
    assert steps[0].substituted == "max(−7 + 27, −15 + 43, −23 + 59) − min(−7, −15, −23)"
    up = one_layer("conv_transpose: {out_channels: 8, kernel: 4, stride: 2}")
    steps = list(up.explain("conv_transpose1", of="receptive_field"))
    assert steps[0].formula == "r + ⌊(k − 1)/2⌋·j"
    assert steps[1].formula == "j/2"
    assert steps[0].note == "with numbers for stride and before"


def test_receptive_fields_with_fractions_and_negative_numbers() -> None:
    net = convcalc.loads(
        "input: [3, 9, 9]\nlayers: [upsample: 2, conv: {out_channels: 4, kernel: 4}]"
    )
    size, stride, start = net.explain("conv1", of="receptive_field")
    assert (size.formula, size.substituted, size.value) == ("r + 2", "1 + 2", 3)
    assert (stride.formula, stride.value) == ("1/2", Fraction(1, 2))
    assert size.note == "with numbers for kernel, stride, before, after and dilation"
    text = net.explain("conv1", of="receptive_field").text()
    assert "field stride     1/2\n" in text
    assert r"\quad && \frac{1}{2}" in net.explain("conv1", of="receptive_field").latex()
    crop = one_layer("crop: {size: 7}", "[3, 9, 9]")
    *_, start = crop.explain("crop1", of="receptive_field")
    assert (start.formula, start.substituted) == ("x − b·j", "0 − (−1)·1")


def test_what_has_no_formula_says_so() -> None:
    net = convcalc.load("alexnet_cs231n")
    notes = {(s.quantity, s.part): s.note for s in net.explain("relu1")}
    assert notes["output", "shape"] == "that of the input"
    assert notes["params", ""] == "none"
    assert notes["macs", ""].startswith("none: multiply–accumulates of convolution and linear")
    assert notes["memory", "output"].startswith("the output has no storage of its own")
    assert notes["receptive_field", "size"] == "that of the input"
    (step,) = net.explain("linear1", of="receptive_field")
    assert (step.value, step.note) == (227, "as every output sees the whole input")


def test_layers_of_another_input() -> None:
    net = convcalc.loads(
        "inputs: {a: [3, 8, 8], b: [3, 8, 8]}\n"
        "layers:\n  - {conv: {out_channels: 3, kernel: 1}, from: b, name: c}\n  - add: \n"
        "    from: [a, c]\n"
    )
    (step,) = net.explain("c", of="receptive_field")
    assert (step.value, step.note) == (8, "the whole first input, which it does not read")


CHANNELS_LAST = {
    "textbook": (
        "F_out·(F_in + 1) = 384·(96 + 1) = 37,248",
        "N·n_1·n_2·F_out·F_in = 1·56·56·384·96 = 115,605,504",
        "4·N·n_1·n_2·F_out = 4·1·56·56·384 = 4,816,896",
    ),
    "torch": (
        "out_features·(in_features + 1) = 384·(96 + 1) = 37,248",
        "N·n_1·n_2·out_features·in_features = 1·56·56·384·96 = 115,605,504",
        "4·N·n_1·n_2·out_features = 4·1·56·56·384 = 4,816,896",
    ),
    "d2l": (
        "(d_i + 1)·d_o = (96 + 1)·384 = 37,248",
        "N·n_1·n_2·d_i·d_o = 1·56·56·96·384 = 115,605,504",
        "4·N·n_1·n_2·d_o = 4·1·56·56·384 = 4,816,896",
    ),
    "cs231n": (
        "(D + 1)·K = (96 + 1)·384 = 37,248",
        "N·n_1·n_2·D·K = 1·56·56·96·384 = 115,605,504",
        "4·N·n_1·n_2·K = 4·1·56·56·384 = 4,816,896",
    ),
}


@pytest.mark.parametrize("style", STYLES)
def test_channels_that_were_moved_last(style: str) -> None:
    """A linear layer on (N, H, W, C) maps features at positions: W is no number of features."""
    net = convcalc.load("convnext_tiny")
    steps = list(net.explain("stage1.unit1.expand", of="output, params, macs, memory", style=style))
    assert steps[0].part == "features"
    assert (
        tuple(f"{s.formula} = {s.substituted} = {s.value:,}" for s in steps[1:4])
        == (CHANNELS_LAST[style])
    )


def test_axes_are_followed_through_permute() -> None:
    net = convcalc.load("convnext_tiny")

    def said(layer: str) -> list[tuple[str, str]]:
        return [
            (s.part, s.formula) for s in net.explain(f"stage1.unit1.{layer}", of="output, memory")
        ]

    assert said("permute1") == [
        ("axis 1", "H"), ("axis 2", "W"), ("features", "C"), ("output", "4·N·C·H·W"),
    ]  # fmt: skip
    assert said("layer_norm1")[1] == ("output", "4·N·n_1·n_2·F")
    assert said("permute2") == [
        ("channels", "F"), ("height", "n_1"), ("width", "n_2"), ("output", "4·N·n_1·n_2·F"),
    ]  # fmt: skip
    assert said("scale1")[1] == ("output", "4·N·C·H·W")
    assert said("add1")[1] == ("output", "4·N·C·H·W")


def test_axes_of_sequences() -> None:
    net = convcalc.loads(
        "input: [50, 64]\nlayers:\n"
        "  - add: [[], [layer_norm, linear: {out_features: 32, axis: -1}, gelu,\n"
        "          linear: {out_features: 64, axis: -1}]]\n"
        "  - softmax: {axis: -1}\n  - slice: {axis: 1, stop: 20}\n"
        "  - permute: [0, 2, 1]\n  - conv: {out_channels: 8, kernel: 5}\n"
        "  - flatten\n  - linear: 10\n"
    )

    def said(layer: str, of: str) -> list[str]:
        return [f"{s.part} {s.formula}" for s in net.explain(layer, of=of)]

    assert said("linear1", "macs") == [" N·n·F_out·F_in"]
    assert said("layer_norm1", "params") == [" 2F"]
    assert said("slice1", "output, memory") == ["positions stop", "output 4·N·m·F"]
    assert said("conv1", "macs") == [" N·C_out·L_out·C_in·k"]
    assert said("linear3", "macs, output") == [" N·F_out·F_in", "features F_out"]


def test_merges() -> None:
    net = convcalc.load("googlenet")
    assert "C_1 + C_2 + C_3 + C_4 = 64 + 128 + 32 + 32 = 256" in str(
        net.explain("inception3a.concat1", of="output")
    )
    add = convcalc.load("resnet18")
    (step,) = add.explain("layer1.basic1.add1", of="output")
    assert step.note == "that of the input"


def test_many_branches_are_not_all_written() -> None:
    branches = ", ".join(f"[conv: {{out_channels: {n}, kernel: 1}}]" for n in range(1, 50))
    net = one_layer(f"concat: [{branches}]", "[3, 8, 8]")
    (step,) = net.explain("concat1", of="output")
    assert step.formula == "C_1 + C_2 + C_3 + … + C_49"
    assert step.substituted == "1 + 2 + 3 + … + 49"
    branches = ", ".join(
        f"[conv: {{out_channels: 1, kernel: {n}, padding: same}}]" for n in range(1, 50)
    )
    net = one_layer(f"concat: [{branches}]", "[3, 8, 8]")
    size, *_ = net.explain("concat1", of="receptive_field")
    assert size.note == "that of all branches together"
    assert size.value == 49


def test_shared_weights_are_counted_once() -> None:
    net = convcalc.loads(
        "input: [4, 8, 8]\nlayers:\n"
        "  - {conv: {out_channels: 4, kernel: 1}, share: w}\n"
        "  - {conv: {out_channels: 4, kernel: 1}, share: w}\n"
    )
    (step,) = net.explain("conv2", of="params")
    assert (step.value, step.note) == (0, "the weights are those of conv1, and counted there")
    assert {s.part for s in net.explain("conv2", of="memory")} == {"output"}


def test_sources_are_those_of_the_code() -> None:
    found = {
        (s.quantity, s.part): s.source for s in convcalc.load("alexnet_cs231n").explain("conv1")
    }
    assert found["output", "height and width"] == (
        "Dumoulin and Visin 2016, arXiv:1603.07285, relationships 6 and 15"
    )
    assert found["params", ""] == "weight 96×3×11×11 and bias 96"
    assert found["macs", ""] == (
        "Every output is a dot product over a window of all channels, or of its group's"
    )
    assert found["memory", "output"] == "float32, 4 bytes each"
    assert found["receptive_field", "size"].startswith("Araujo, Norris, Sim 2019")
    (linear,) = one_layer("linear: 10", "[9216]").explain("linear1", of="macs")
    assert linear.source == "Every output is a dot product over in_features"
    same = one_layer("conv: {out_channels: 8, kernel: 3, padding: same}")
    _, step = same.explain("conv1", of="output")
    assert step.source == (
        "the output of SAME padding, whatever the kernel (TensorFlow, ONNX SAME_UPPER)"
    )


def test_words_carry_no_markup() -> None:
    for name in layer_names():
        for step in convcalc.loads(example_spec(layer_class(name))).explain():
            said = f"{step.source} {step.note}"
            assert not re.search(r"`|\*\w+\*", said), said


def test_a_source_of_one_mode_is_cited_for_that() -> None:
    for mode, cited in (("nearest", False), ("linear", False), ("bicubic", True)):
        (step,) = one_layer(f"upsample: {{scale: 2, mode: {mode}}}").explain(of="output")
        assert ("Keys 1981" in step.source) is cited
        assert step.source


def test_paths_whose_centres_or_strides_differ() -> None:
    net = convcalc.load("unet")
    size, *_ = net.explain("up1.concat1", of="receptive_field")
    assert (size.substituted, size.source, size.note) == (
        "max(32 + 68, 0 + 140) − min(32, 0)",
        "The field that spans those of all paths",
        "the centres of the paths differ: 66 and 70",
    )
    size, *_ = convcalc.load("googlenet").explain("inception3a.concat1", of="receptive_field")
    assert size.note == ""
    net = one_layer(
        "add: [[avg_pool: 2], [conv: {out_channels: 3, kernel: 1, stride: 2}]]", "[3, 8, 8]"
    )
    size, *_ = net.explain("add1", of="receptive_field")
    assert size.note == "the centres of the paths differ: 0.5 and 1"
    net = one_layer(
        "add: [[conv: {out_channels: 3, kernel: 1, stride: 2}], [crop: 4]]", "[3, 8, 8]"
    )
    size, *_ = net.explain("add1", of="receptive_field")
    assert size.note.endswith("the strides of the paths differ: 1 and 2")


def test_windows_that_do_not_fit_evenly() -> None:
    """A setting that CS231n's notes call invalid: (W − F + 2P)/S + 1 is no whole number."""
    net = convcalc.load("alexnet_cs231n", H=224, W=224)
    (_, step) = net.explain("conv1", of="output", style="cs231n")
    assert (step.formula, step.value) == ("⌊(W − F + 2P)/S⌋ + 1", 54)
    assert step.note.startswith("(224 − 11)/4 + 1 = 54.25 is no whole number: the windows do not")
    assert step.note in net.explain("conv1", of="output", style="cs231n").text()
    (step,) = one_layer("max_pool: {kernel: 2, stride: 3}", "[4, 9, 9]").explain(
        of="output", style="cs231n"
    )
    assert step.note.startswith("(9 − 2)/3 + 1 ≈ 3.33 is no whole number")
    for style in ("textbook", "torch", "d2l"):
        assert not any(s.note for s in net.explain("conv1", of="output", style=style))
    for entry in ("upsample: {scale: 1.5}", "max_pool: 3", "conv: {out_channels: 4, kernel: 5}"):
        assert not any(s.note for s in one_layer(entry).explain(of="output", style="cs231n"))


def test_a_legend_says_what_a_name_does_not() -> None:
    text = convcalc.load("alexnet").explain("linear1", style="torch", of="params, macs").text()
    assert text.endswith("\nWith N batch size.")
    text = convcalc.load("alexnet").explain("conv1", style="torch", of="output").text()
    assert text.endswith(
        "\nWith C_out channels of the output, H size of the input, padding on each side."
    )


def test_dtype() -> None:
    net = convcalc.load("lenet5")
    step, *_ = net.explain("conv1", of="memory", dtype="float16")
    assert (step.formula, step.source) == ("2·N·C_out·H_out·W_out", "float16, 2 bytes each")
    step, *_ = net.explain("conv1", of="memory", dtype="int8")
    assert (step.formula, step.source) == ("N·C_out·H_out·W_out", "int8, 1 byte each")


def test_symbols_of_the_spec() -> None:
    net = convcalc.loads(
        "input: [3, H, W]\nvariables: {H: , W: }\n"
        "layers:\n  - conv: {out_channels: 8, kernel: 7, stride: 2, padding: 3}\n"
        "  - conv: {out_channels: 8, kernel: 3}\n"
    )
    steps = [
        f"{s.formula} = {s.substituted} = {s.value}" for s in net.explain("conv1", of="output")
    ]
    assert steps == [
        "C_out = 8 = 8",
        "⌊(H + 2p_h − k_h)/s_h⌋ + 1 = ⌊(H + 2·3 − 7)/2⌋ + 1 = ⌈H/2⌉",
        "⌊(W + 2p_w − k_w)/s_w⌋ + 1 = ⌊(W + 2·3 − 7)/2⌋ + 1 = ⌈W/2⌉",
    ]
    (macs,) = net.explain("conv2", of="macs")
    assert macs.substituted == "1·8·⌊(H − 3)/2⌋·⌊(W − 3)/2⌋·8·3·3"


# -- what is asked for ----------------------------------------------------------------------------


def test_modules_stand_for_their_layers() -> None:
    net = convcalc.load("resnet18")
    inside = [node.path for node in net.graph.nodes if node.path.startswith("layer1.basic1.")]
    found = dict.fromkeys(step.layer for step in net.explain("layer1.basic1", of="params"))
    assert list(found) == inside
    both = net.explain(["layer1.basic1", "layer1.basic1.relu1"], of="macs")
    assert len(list(both)) == len(inside)


def test_without_a_layer_the_first_of_every_kind() -> None:
    net = convcalc.load("alexnet_cs231n")
    found = dict.fromkeys(step.layer for step in net.explain(of="params"))
    assert list(found) == [
        "conv1", "relu1", "max_pool1", "local_response_norm1", "flatten1", "linear1", "dropout1",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"layers": "cnv1"},
            "no layer or module 'cnv1' in AlexNet (CS231n). Did you mean 'conv1'?",
        ),
        (
            {"layers": "zzz"},
            "no layer or module 'zzz' in AlexNet (CS231n). There are conv1, relu1, max_pool1",
        ),
        ({"of": "outputs"}, "unknown quantity 'outputs'. Did you mean 'output'?"),
        ({"of": "q"}, "unknown quantity 'q'. There are output, params, macs, memory, receptive_f"),
        ({"style": "pytorch"}, "unknown style 'pytorch'. Did you mean 'torch'?"),
        ({"dtype": "float"}, "unknown dtype 'float'. Did you mean 'float"),
    ],
)
def test_misspelt(arguments: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError) as error:
        convcalc.load("alexnet_cs231n").explain(**arguments)
    assert str(error.value).startswith(message)


@pytest.mark.parametrize(
    ("name", "path", "hint"),
    [
        ("vgg16", "conv1", "VGG-16. Did you mean 'block1.conv1', 'block2.conv1', "),
        (
            "vgg16",
            "conv3",
            "VGG-16. Did you mean 'block3.conv3', 'block4.conv3' or 'block5.conv3'?",
        ),
        ("resnet50", "conv3x3", "'layer2.bottleneck3.conv3x3' and 10 more?"),
        ("resnet18", "basic1", "Did you mean 'layer1.basic1', 'layer2.basic1', "),
        ("googlenet", "nowhere", "There are conv7x7, max_pool1, local_"),
    ],
)
def test_a_name_within_modules_is_found(name: str, path: str, hint: str) -> None:
    """Of `explain` and of `formula --layer`: a path that ends in what was asked for."""
    net = convcalc.load(name)
    for ask in (lambda: net.explain(path), lambda: net.formula("params", layer=path)):
        with pytest.raises(UsageError) as error:
            ask()
        assert hint in str(error.value)


def test_styles_name_all_that_can_stand_in_a_formula() -> None:
    for style in STYLES.values():
        kinds = set(MEANINGS) - {"total"}
        assert kinds <= set(style.names)
        assert style.total_padding == ("total" in style.names)


# -- forms ----------------------------------------------------------------------------------------


def test_text_keeps_to_the_width() -> None:
    net = convcalc.load("googlenet")
    for style in STYLES:
        for width in (80, 100, 160):
            for text in (net.explain(style=style).text(width), net.walk_through(style).text(width)):
                assert max(map(len, text.splitlines())) <= width
    one_line = net.explain("max_pool1", of="output", style="torch").text()
    assert "⌊(H + padding − 1)/stride⌋) + 1 = min(" in one_line
    narrow = net.explain("max_pool1", of="output", style="torch").text(80).splitlines()
    assert [line.strip() for line in narrow[1:5]] == [
        "height and width  min(⌈(H + 2·padding − dilation·(kernel − 1) − 1)/stride⌉,",
        "⌊(H + padding − 1)/stride⌋) + 1",
        "= min(⌈(112 + 2·0 − 1·(3 − 1) − 1)/2⌉, ⌊(112 + 0 − 1)/2⌋)",
        "+ 1",
    ]


TEXT_OF_CONV1 = """\
conv1  conv  [1, 3, 227, 227] → [1, 96, 55, 55]
  channels          C_out = 96
  height and width  ⌊(n + 2p − k)/s⌋ + 1 = ⌊(227 + 2·0 − 11)/4⌋ + 1 = 55
                    Dumoulin and Visin 2016, arXiv:1603.07285, relationships 6 and 15
  parameters        C_out·(C_in·k_h·k_w + 1) = 96·(3·11·11 + 1) = 34,944
                    weight 96×3×11×11 and bias 96
  MACs              N·C_out·H_out·W_out·C_in·k_h·k_w = 1·96·55·55·3·11·11 = 105,415,200
                    Every output is a dot product over a window of all channels, or of its group's
  output memory     4·N·C_out·H_out·W_out = 4·1·96·55·55 = 1,161,600 bytes
  parameter memory  4·params = 4·34,944 = 139,776 bytes
                    float32, 4 bytes each
  receptive field   r + (k − 1)·j = 1 + (11 − 1)·1 = 11
  field stride      j·s = 1·4 = 4
  field start       x − p·j = 0 − 0·1 = 0
                    Araujo, Norris, Sim 2019, "Computing Receptive Fields of CNNs", equations 2 to 4
With N batch size, C_in channels of the input, C_out channels of the output, n size of the input, \
H_out, W_out size of the output, k, k_h, k_w kernel, s stride, p padding on each side, \
r field of what is read, j its stride, x where its first one starts."""


def test_text() -> None:
    assert str(convcalc.load("alexnet_cs231n").explain("conv1")) == TEXT_OF_CONV1


def test_markdown() -> None:
    text = (
        convcalc.load("alexnet_cs231n")
        .explain("local_response_norm1, conv1", of="output")
        .markdown()
    )
    assert text.startswith("### local\\_response\\_norm1\n\nlocal\\_response\\_norm: \\[1, 96, 27")
    assert (
        r"- **height and width:** $\left\lfloor \frac{n + 2p - k}{s} \right\rfloor + 1 = "
        r"\left\lfloor \frac{227 + 2 \cdot 0 - 11}{4} \right\rfloor + 1 = 55$ (Dumoulin"
    ) in text
    assert text.count("$") % 2 == 0
    # a backslash before an underscore is eaten by Markdown before the math is read
    torch = convcalc.load("dcgan_generator").explain(of="output", style="torch").markdown()
    assert r"\_" not in "".join(re.findall(r"\$[^$]*\$", torch))


def test_notebook() -> None:
    net = convcalc.load("alexnet_cs231n")
    for shown in (net.explain(), net.walk_through()):
        book = json.loads(json.dumps(shown.notebook()))
        assert (book["nbformat"], book["nbformat_minor"]) == (4, 4)
        assert isinstance(book["metadata"], dict)
        assert len(book["cells"]) > 1
        for cell in book["cells"]:
            assert set(cell) == {"cell_type", "metadata", "source"}
            assert cell["cell_type"] == "markdown"
            assert all(isinstance(line, str) for line in cell["source"])
            assert all(line.endswith("\n") for line in cell["source"][:-1])
    assert shown._repr_markdown_() == shown.markdown()


def test_shown_in_a_notebook() -> None:
    explanation = convcalc.load("alexnet_cs231n").explain("conv1")
    assert explanation._repr_markdown_() == explanation.markdown()
    assert explanation._repr_latex_().startswith("\\begin{alignat*}{2}")
    assert repr(explanation) == str(explanation)


def test_latex() -> None:
    net = convcalc.loads(
        "name: a_b\ninput: [3, 8, 8]\nlayers: [{conv: {out_channels: 4, kernel: 3}, name: up_1}]"
    )
    text = net.explain("up_1").latex()
    assert text.startswith("% Needs amsmath")
    assert r"\textbf{up\_1}: conv" in text
    assert (
        r"C_{\mathrm{out}} \cdot \left( C_{\mathrm{in}} \cdot k_{h}" not in text.split("align")[0]
    )
    assert text.count(r"\begin{alignat*}") == text.count(r"\end{alignat*}") == 2
    assert all(ord(c) < 128 for c in text)
    # a brace first in a frame is its title
    assert not net.walk_through().latex().splitlines()[1].startswith("{")


def overfull(frames: list[str], folder: Path) -> list[str]:
    """What pdflatex says is too wide or too high by more than 2 pt, if every part is a frame."""
    slide = "\\begin{{frame}}\\frametitle{{A title}}\n\\typeout{{slide {}}}\n{}\n\\end{{frame}}"
    body = "\n".join(slide.format(k, frame) for k, frame in enumerate(frames))
    text = f"\\documentclass{{beamer}}\\begin{{document}}\n{body}\n\\end{{document}}\n"
    if not (has_package("beamer.cls") and has_package("pgfmath.sty")):
        text = text.replace("{beamer}", "{article}\\usepackage{amsmath}\\newenvironment{frame}{}{}")
        text = text.replace("\\frametitle{A title}", "")
    (folder / "slides.tex").write_text(text, encoding="utf-8")
    compiled = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "slides.tex"],
        cwd=folder, capture_output=True, timeout=240, check=False,
    )  # fmt: skip
    log = compiled.stdout.decode("latin-1")
    assert compiled.returncode == 0, log[-2000:]
    assert "Output written" in log
    found = []
    number = 0
    for slide_number, box, much in re.findall(
        r"slide (\d+)|(Overfull \\[hv]box) \(([\d.]+)pt", log
    ):
        if slide_number:
            number = int(slide_number)
        elif float(much) > 2:
            found.append(f"{box} by {much} pt:\n{frames[number]}")
    return found


def frames_of(shown: Any) -> list[str]:
    return re.split(rf"^{slides.FRAME}$", shown.latex(), flags=re.MULTILINE)


needs_pdflatex = pytest.mark.skipif(
    shutil.which("pdflatex") is None, reason="pdflatex is not installed"
)


@needs_pdflatex
def test_latex_fits_frames(tmp_path: Path) -> None:
    """Of every kind of layer, in all styles; with the note of windows that do not fit evenly."""
    layers = {
        "alexnet_cs231n": "conv1, relu1, max_pool1, local_response_norm1, linear1",
        "dcgan_generator": "batch_norm1, conv_transpose2",
        "googlenet": "max_pool1, inception3a.concat1",
        "unet": "up1",
        "convnext_tiny": "stage1.unit1",
        "mobilenet_v2": "stem, stage2",
    }
    frames: list[str] = []
    for name, paths in layers.items():
        net = convcalc.load(name)
        for style in STYLES:
            frames += frames_of(net.explain(paths, style=style))
    larger = convcalc.load("alexnet_cs231n", H=224, W=224).explain("conv1", style="cs231n")
    assert "is no whole number" in larger.latex()
    assert overfull([*frames, *frames_of(larger)], tmp_path) == []


@needs_pdflatex
def test_latex_of_steps_fits_frames(tmp_path: Path) -> None:
    frames = [
        frame
        for name in ("resnet18", "lenet5", "alexnet_cs231n", "unet")
        for style in STYLES
        for frame in frames_of(convcalc.load(name).walk_through(style))
    ]
    assert overfull(frames, tmp_path) == []


def test_latex_of_steps_in_parts() -> None:
    walk = convcalc.load("resnet18").walk_through()
    frames = frames_of(walk)
    assert len(frames) > 5
    for frame in frames:
        assert frame.count(r"\begin{tabular}") == frame.count(r"\end{tabular}") == 1
        assert r"Layer & Output & Params & MACs \\ \hline" in frame
    assert re.search(r"^layer\d\.basic\d\S*, continued ", walk.latex(), re.MULTILINE)
    assert r"linear1 & 1000 & 513,000" in frames[-1]
    assert r"11,689,512 & 1,814,073,344" in frames[-1]
    short = one_layer("conv: {out_channels: 8, kernel: 3}", "[3, 8, 8]").walk_through().latex()
    assert r"Layer & Size & Output & Params & MACs \\ \hline" in short


def test_formulas_over_lines() -> None:
    assert slides.lines(["a + b", "1 + 2", "3"], 30) == ["a + b = 1 + 2 = 3"]
    assert slides.lines(["a + b", "1 + 2", "3"], 6) == ["a + b", "= 1 + 2", "= 3"]
    assert slides.lines([r"\min\left(a + b\right) + c", "3"], 7) == [
        r"\min\left(a + b\right)", r"\quad {}+ c", "= 3",
    ]  # fmt: skip
    assert slides.lines([r"\left( a + b + c \right)"], 3) is None
    assert slides.ems(r"\frac{abc}{d}") == pytest.approx(slides.ems("abc") + 0.3)
    assert slides.ems(r"C_{\mathrm{out}}") > slides.ems("C")


def has_package(name: str) -> bool:
    found = subprocess.run(["kpsewhich", name], capture_output=True, check=False)
    return found.returncode == 0


# -- walkthroughs ---------------------------------------------------------------------------------

WALK = """\
LeNet-5  input [1, 1, 28, 28]

Layer      Size                           Output                     Params     MACs
────────────────────────────────────────────────────────────────────────────────────
conv1      (28 − 5 + 2·2)/1 + 1 = 28      6×28×28      (5·5·1 + 1)·6 =    156  117,600
sigmoid1                                  6×28×28                             –        –
avg_pool1  (28 − 2)/2 + 1 = 14            6×14×14                             –        –
conv2      (14 − 5)/1 + 1 = 10            16×10×10  (5·5·6 + 1)·16 =  2,416  240,000
sigmoid2                                  16×10×10                            –        –
avg_pool2  (10 − 2)/2 + 1 = 5             16×5×5                              –        –
flatten1   5·5·16 = 400                   400                                 –        –
linear1                                   120         (400 + 1)·120 = 48,120   48,000
sigmoid3                                  120                                 –        –
linear2                                   84           (120 + 1)·84 = 10,164   10,080
sigmoid4                                  84                                  –        –
linear3                                   10            (84 + 1)·10 =    850      840
────────────────────────────────────────────────────────────────────────────────────
Total                                                                61,706  416,520"""


def squeezed(text: str) -> str:
    return re.sub(r" {2,}", "  ", re.sub("─+", "─", text))


def test_walkthrough() -> None:
    text = convcalc.load("lenet5").walk_through("cs231n").text()
    assert squeezed(text) == squeezed(WALK)
    assert len({len(line) for line in text.splitlines()[3:]} - {0}) == 1


@pytest.mark.parametrize("name", ["resnet50", "mobilenet_v2", "vgg16", "unet", "convnext_tiny"])
def test_walkthroughs_go_down_to_the_layers(name: str) -> None:
    """Every layer with parameters has them worked out, and the leaves sum to the total."""
    net = convcalc.load(name)
    report = net.summarize()
    walk = net.walk_through(fold=False).to_dict()
    leaves = [line for line in walk["lines"] if line["type"] in layer_names()]
    assert [line["layer"] for line in leaves] == [row.name for row in report.rows]
    assert sum(line["params"] for line in leaves) == report.totals.params
    assert sum(line["macs"] for line in leaves) == report.totals.macs
    folded = net.walk_through().to_dict()["lines"]
    assert len(folded) <= len(walk["lines"])
    for line in folded:
        if line["type"] in layer_names() and line["params"]:
            (step,) = [s for s in line["steps"] if s["quantity"] == "params"]
            assert line["times"] * worked_out(step["substituted"]) == line["params"]
    for row in net.walk_through().text().splitlines():
        shown = re.search(r"  ([^ ⌊⌋]\S*(?: [+−] \S+)*) = +([\d,]+)  +[\d,–]+$", row)
        if shown:
            assert worked_out(shown[1]) == int(shown[2].replace(",", "")), row


def test_parameters_of_layers_that_are_repeated_are_those_of_all() -> None:
    text = convcalc.load("vgg16").walk_through(layer="block3").text()
    assert squeezed(text).startswith("VGG-16, block3  input [1, 128, 56, 56]\n")
    net = convcalc.loads(
        "input: [8, 9, 9]\nlayers: [{repeat: 3, conv: {out_channels: 8, kernel: 3, padding: 1}}]"
    )
    (line,) = [x for x in net.walk_through().text().splitlines() if x.startswith("conv1–3 ×3")]
    assert "3·(8·(8·3·3 + 1)) = 1,752" in line
    assert r"$3 \cdot \left( 8 \cdot" in net.walk_through().markdown()


def test_walkthroughs_of_modules_to_a_depth() -> None:
    net = convcalc.load("resnet50")
    walk = net.walk_through(layer="layer1", depth=1)
    assert squeezed(walk.text()).splitlines() == [
        "ResNet-50, layer1  input [1, 64, 56, 56]",
        "",
        "Layer  Size  Output  Params  MACs",
        "─",
        "bottleneck1  256×56×56  75,008  231,211,008",
        "bottleneck2–3 ×2  256×56×56  140,800  436,731,904",
        "─",
        "Total  215,808  667,942,912",
        "×n: n identical ones; their line holds the sum, the lines below it one.",
        "Modules hold more: --depth N shows more levels, without it all are shown.",
    ]
    assert "Modules hold more" not in net.walk_through(layer="layer1").text()
    inside = net.walk_through(layer="layer1.bottleneck1.conv3x3").to_dict()
    assert [line["type"] for line in inside["lines"]] == ["conv", "batch_norm"]
    assert inside["totals"] == {"params": 36_992, "macs": 115_605_504}
    with pytest.raises(UsageError, match="conv1 is a layer, and holds no others"):
        net.walk_through(layer="stem.conv1")
    with pytest.raises(UsageError, match="Did you mean 'layer1'"):
        net.walk_through(layer="layr1")


def test_walkthroughs_at_80_and_160_columns() -> None:
    walk = convcalc.load("resnet50").walk_through()
    wide, narrow = walk.text(160).splitlines(), walk.text(80).splitlines()
    assert max(map(len, wide)) <= 160
    assert max(map(len, narrow)) <= 80
    place = next(i for i, line in enumerate(narrow) if line.startswith("  conv1"))
    assert [line.strip() for line in narrow[place + 1 : place + 3]] == [
        "size ⌊(224 + 2·3 − 7)/2⌋ + 1 = 112",
        "params 64·3·7·7 = 9,408",
    ]
    assert "25,557,032  4,089,184,256" in narrow[-2]
    assert wide[-1].endswith("their line holds the sum, the lines below it one.")
    rows = walk.markdown().splitlines()
    assert rows[1] == "|---|---|---|--:|--:|"
    assert all(row.count("|") == 6 for row in rows)
    with pytest.raises(UsageError, match="Did you mean 'd2l'"):
        convcalc.load("lenet5").walk_through("d2")


def test_walkthroughs_say_where_windows_do_not_fit() -> None:
    net = convcalc.load("alexnet_cs231n", H=224, W=224)
    assert "Where ⌊⌋ stands, windows do not fit evenly" in net.walk_through("cs231n").text()
    assert "do not fit evenly" not in net.walk_through().text()
    assert "do not fit evenly" not in convcalc.load("alexnet_cs231n").walk_through("cs231n").text()


# -- the command ----------------------------------------------------------------------------------

Run = Callable[..., Result]


def test_command(run: Run) -> None:  # noqa: F811
    result = run("explain", "alexnet_cs231n", "conv1")
    assert result == Result(0, TEXT_OF_CONV1 + "\n", "")
    assert run(
        "explain", "alexnet_cs231n", "conv1", "--of", "macs", "--batch", "8"
    ).out.splitlines()[1] == (
        "  MACs  N·C_out·H_out·W_out·C_in·k_h·k_w = 8·96·55·55·3·11·11 = 843,321,600"
    )
    larger = ("--set", "H=231", "--set", "W=231", "--style", "cs231n", "--of", "output")
    assert "(231 − 11)/4 + 1 = 56" in run("explain", "alexnet_cs231n", "conv1", *larger).out
    first = run("explain", "lenet5")
    assert first.err == "Note: the first layer of every kind; name a layer to see another\n"
    assert run("explain", "lenet5", "--steps").out.startswith("LeNet-5  input [1, 1, 28, 28]\n")


def test_command_forms(run: Run, tmp_path: Path) -> None:  # noqa: F811
    net = convcalc.load("lenet5")
    explanation = net.explain("conv1", style="d2l")
    arguments = ("explain", "lenet5", "conv1", "--style", "d2l")
    assert run(*arguments, "--format", "latex").out == explanation.latex() + "\n"
    assert run(*arguments, "--format", "markdown").out == explanation.markdown() + "\n"
    assert json.loads(run(*arguments, "--format", "notebook").out) == explanation.notebook()
    for suffix, text in (
        ("tex", explanation.latex()),
        ("md", explanation.markdown()),
        ("txt", str(explanation)),
    ):
        file = tmp_path / f"slide.{suffix}"
        assert run(*arguments, "-o", str(file)).out == ""
        assert file.read_text(encoding="utf-8") == text + "\n"
    file = tmp_path / "board.ipynb"
    run("explain", "lenet5", "--steps", "-o", str(file))
    assert json.loads(file.read_text(encoding="utf-8")) == net.walk_through().notebook()


def test_command_steps(run: Run) -> None:  # noqa: F811
    net = convcalc.load("resnet18")
    for arguments, options in (
        ((), {}),
        (("layer1", "--depth", "2"), {"layer": "layer1", "depth": 2}),
        (("layer2", "--all"), {"layer": "layer2", "fold": False}),
    ):
        out = run("explain", "resnet18", *arguments, "--steps").out
        assert out == net.walk_through(**options).text() + "\n"


def test_json(run: Run, tmp_path: Path) -> None:  # noqa: F811
    net = convcalc.load("alexnet_cs231n")
    found = json.loads(run("explain", "alexnet_cs231n", "conv1", "--format", "json").out)
    assert found == net.explain("conv1").to_dict()
    assert (found["convcalc"], found["name"], found["style"]) == (1, "AlexNet (CS231n)", "textbook")
    assert found["steps"][1] == {
        "layer": "conv1",
        "quantity": "output",
        "part": "height and width",
        "formula": "⌊(n + 2p − k)/s⌋ + 1",
        "substituted": "⌊(227 + 2·0 − 11)/4⌋ + 1",
        "value": 55,
        "source": "Dumoulin and Visin 2016, arXiv:1603.07285, relationships 6 and 15",
        "note": "",
    }
    file = tmp_path / "steps.json"
    run("explain", "alexnet_cs231n", "--steps", "-o", str(file))
    walk = json.loads(file.read_text(encoding="utf-8"))
    assert walk == net.walk_through().to_dict()
    assert walk["totals"] == {"params": 62_378_344, "macs": 1_135_256_096}
    assert [step["value"] for step in walk["lines"][0]["steps"]] == [96, 55, 34_944]
    symbolic = convcalc.loads("input: [3, H]\nvariables: {H: }\nlayers: [max_pool: 2, upsample: 3]")
    values = [step["value"] for step in symbolic.explain(of="output").to_dict()["steps"]]
    assert values == ["(H // 2)", "3*(H // 2)"]
    json.dumps(symbolic.explain().to_dict())
    json.dumps(symbolic.walk_through().to_dict())


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("lenet5", "cnv1"), 2, "no layer or module 'cnv1' in LeNet-5. Did you mean 'conv1'?"),
        (("lenet5", "conv1", "--of", "mac"), 2, "unknown quantity 'mac'. Did you mean 'macs'?"),
        (
            ("lenet5", "--style", "keras"),
            2,
            "unknown style 'keras'. There are textbook, torch, d2l",
        ),
        (("lenet5", "--steps", "--style", "x"), 2, "unknown style 'x'"),
        (("lenet5", "conv1", "--steps"), 2, "conv1 is a layer, and holds no others"),
        (("lenet5", "conv1", "conv2", "--steps"), 2, "the network, or one LAYER of it"),
        (("lenet5", "--of", "macs", "--steps"), 2, "takes no --of"),
        (("lenet5", "--all"), 2, "--depth and --all belong to --steps"),
        (("lenet5", "--depth", "2"), 2, "--depth and --all belong to --steps"),
        (("lenet5", "-o", ""), 2, "-o: an empty file name"),
        (("nonet",), 3, "nonet"),
    ],
)
def test_command_errors(run: Run, arguments: Any, code: int, message: str) -> None:  # noqa: F811
    result = run("explain", *arguments)
    assert result.code == code
    assert result.out == ""
    assert message in result.err
