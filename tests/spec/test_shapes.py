"""language.md, Shapes: how fields are written. The layers' own tests have the arithmetic."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import convcalc


@pytest.fixture
def last(rows: Callable[..., list[str]]) -> Callable[..., str]:
    """The output of one layer over an input."""

    def last(layer: str, shape: str = "[3, 9, 12]") -> str:
        return rows(f"input: {shape}\nlayers:\n  - {layer}\n")[-1].partition(" ")[2]

    return last


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("kernel: 3", "[1, 2, 7, 10]"),
        ("kernel: [1, 3]", "[1, 2, 9, 10]"),
        ("kernel: 3, stride: 2", "[1, 2, 4, 5]"),
        ("kernel: 3, stride: [1, 2]", "[1, 2, 7, 5]"),
        ("kernel: 3, dilation: 2", "[1, 2, 5, 8]"),
        ("kernel: 3, dilation: [1, 3]", "[1, 2, 7, 6]"),
        ("kernel: 3, padding: 1", "[1, 2, 9, 12]"),
        ("kernel: 3, padding: [0, 1]", "[1, 2, 7, 12]"),
        ("kernel: 3, padding: [[0, 1], [2, 3]]", "[1, 2, 8, 15]"),
        ("kernel: 3, padding: valid", "[1, 2, 7, 10]"),
        ("kernel: 4, padding: same", "[1, 2, 9, 12]"),
        ("kernel: 4, stride: 2, padding: same", "[1, 2, 5, 6]"),
        ("kernel: 4, padding: same_lower", "[1, 2, 9, 12]"),
    ],
)
def test_one_value_or_one_per_axis(last: Callable[..., str], fields: str, expected: str) -> None:
    assert last(f"conv: {{out_channels: 2, {fields}}}") == expected


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ("[3, 9]", "[1, 2, 7]"),
        ("[3, 9, 12]", "[1, 2, 7, 10]"),
        ("[3, 9, 12, 5]", "[1, 2, 7, 10, 3]"),
    ],
)
def test_the_rank_follows_the_input(last: Callable[..., str], shape: str, expected: str) -> None:
    assert last("conv: {out_channels: 2, kernel: 3}", shape) == expected


def test_same_puts_the_odd_zero_after_and_same_lower_before() -> None:
    def pads(padding: str) -> tuple[int, int]:
        net = convcalc.loads(
            f"input: [1, 9]\nlayers: [conv: {{out_channels: 1, kernel: 4, padding: {padding}}}]\n"
        )
        operation = net.graph.nodes[0].op
        (window,) = operation.layer.window(*operation.inputs)
        return window.before, window.after

    assert pads("same") == (1, 2)
    assert pads("same_lower") == (2, 1)
    assert pads("[[2, 1]]") == (2, 1)
    assert pads("2") == (2, 2)


def test_a_pools_stride_defaults_to_its_kernel(last: Callable[..., str]) -> None:
    assert last("max_pool: 3") == "[1, 3, 3, 4]"
    assert last("avg_pool: {kernel: [1, 4]}") == "[1, 3, 9, 3]"
    assert last("max_pool: {kernel: 3, stride: 1}") == "[1, 3, 7, 10]"


def test_global_pooling_keeps_its_axes_on_demand(last: Callable[..., str]) -> None:
    assert last("global_avg_pool") == "[1, 3]"
    assert last("global_avg_pool: {keep_axes: true}") == "[1, 3, 1, 1]"
    assert last("global_avg_pool: true", "[3, 9]") == "[1, 3, 1]"


def test_axis_numbers_count_the_batch_as_0(last: Callable[..., str]) -> None:
    assert last("permute: [0, 2, 3, 1]") == "[1, 9, 12, 3]"
    assert last("concat: {branches: [[], []], axis: 1}") == "[1, 6, 9, 12]"
    assert last("concat: {branches: [[], []], axis: -1}") == "[1, 3, 9, 24]"
    assert last("slice: {axis: 3, stop: 5}") == "[1, 3, 9, 5]"


def test_linear_wants_one_axis_unless_it_is_said(
    last: Callable[..., str], message: Callable[..., str]
) -> None:
    assert last("linear: 5", "[7]") == "[1, 5]"
    assert last("linear: {out_features: 5, axis: -1}") == "[1, 3, 9, 5]"
    assert message("input: [3, 9]\nlayers: [①linear: 5]\n") == (
        "①: linear1: linear needs one axis after the batch, and gets [1, 3, 9]. "
        "Put flatten before it, or say axis: -1 to map the last axis."
    )


def test_layer_norm_is_over_the_last_axis_unless_it_is_said() -> None:
    def params(layer: str) -> object:
        return convcalc.loads(f"input: [3, 5, 7]\nlayers: [{layer}]\n").summarize().totals.params

    assert params("layer_norm") == 14
    assert params("layer_norm: {axes: [1]}") == 6
    assert params("layer_norm: {axes: [1, 2, 3]}") == 210


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("kernel: [1, 1, 1]", "kernel has 3 values, but the input has 2 spatial axes"),
        ("kernel: 1, stride: [1]", "stride has 1 values, but the input has 2 spatial axes"),
        ("kernel: ①[1, 1, 1, 1]", "kernel: a list of 1 to 3 values is due here"),
        ("kernel: 1, padding: ①[[1, 2, 3], [1, 2, 3]]", "padding: "),
        ("kernel: 1, padding: ①[[1, 2], 3]", "padding: "),
        ("kernel: 1, padding: ①-1", "padding: -1 is too small: at least 0 is due here"),
        ("kernel: ①0", "kernel: 0 is too small: at least 1 is due here"),
        ("kernel: 1, bias: ①1", "bias: true or false is due here, not 1"),
        ("kernel: 1, groups: ①[1]", "groups: a whole number is due here, not the list [1]"),
    ],
)
def test_wrong_values(message: Callable[..., str], fields: str, expected: str) -> None:
    found = message(f"input: [3, 9, 12]\nlayers:\n  - ②conv: {{out_channels: 2, {fields}}}\n")
    mark = "①" if "①" in fields else "②"
    assert found.startswith(f"{mark}: conv1: {expected}")
