"""Half precision: what is computed, how far it is off, and which numbers get there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import strategies as st

import convcalc
from convcalc.commands import cli
from convcalc.execution.backends import Backend
from convcalc.execution.executor import checked_inputs, checked_weights, run
from convcalc.execution.numbers import computed
from convcalc.layer import Layer

from .strict import StrictArray, strict
from .test_layer_contract import NAMES, explore, operation
from .test_layer_laws import Shapes, any_index, readers, sample, with_nan

SMALL = """
input: [4, 9, 10]
layers:
  - conv: {out_channels: 4, kernel: 3, padding: 1}
  - add: [[conv: {out_channels: 4, kernel: 3, padding: 1}, relu], []]
  - dropout: 0.5
  - max_pool: 2
  - flatten
  - linear: 5
  - softmax
"""


@pytest.mark.parametrize("name", NAMES)
def test_the_laws_hold_in_half_precision(name: str) -> None:
    """Shapes and types, NaN where it is read, other array modules; and the error that is said."""

    def check(data: st.DataObject, layer: Layer, shapes: Shapes) -> None:
        if operation(layer, shapes) is None:
            return
        inputs, weights = sample(layer, shapes, "float16")
        y = computed(layer, np, inputs, weights)
        assert y.shape == layer.output_shape(*shapes)
        assert y.dtype == "float16"
        assert not layer.is_view or np.shares_memory(y, inputs[0])

        exact = layer.forward(np, wide(inputs), dict(zip(weights, wide(weights.values()))))  # noqa: B905
        single = 2e-5 * max(1, abs(exact).max(initial=0))  # what float32 is off, generously
        rounding = np.maximum(2.0**-11 * abs(exact), 2.0**-25)
        assert (abs(y.astype("float64") - exact) <= rounding + single).all()

        there = {own: StrictArray(weight) for own, weight in weights.items()}
        other = computed(layer, strict, tuple(map(StrictArray, inputs)), there)
        assert isinstance(other, StrictArray)
        assert np.array_equal(other.get(), y)

        place = any_index(data, shapes[0])
        changed = computed(layer, np, (with_nan(inputs[0], place), *inputs[1:]), weights)
        assert np.array_equal(np.isnan(changed), readers(layer, shapes, 0, place))

    explore(name, check, share=100)


def wide(arrays: Any) -> tuple[Any, ...]:
    return tuple(array.astype("float64") for array in arrays)


def test_sums_are_of_single_precision() -> None:
    """4,096 ones: in half precision a sum of ones ends at 2,048, where 2,049 is no number."""
    net = convcalc.loads("{input: [4096], layers: [linear: {out_features: 1, bias: false}]}")
    ones = {"linear1.weight": np.ones((1, 4096))}
    assert net.run(np.ones((1, 4096), "float16"), ones) == 4096


def test_a_network_in_half_precision() -> None:
    net = convcalc.loads(SMALL)
    weights = net.init(seed=3)
    x = np.random.default_rng(1).random((1, 4, 9, 10))
    y = net.run(x.astype("float16"), weights)
    assert y.dtype == np.float16
    assert np.allclose(y, net.run(x, weights), rtol=2e-2, atol=1e-3)
    assert (net.run(x, weights, dtype="float16") == y).all()
    assert net.run(x, weights, dtype="float32").dtype == np.float32


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("name", ["mobilenet_v2", "densenet121"])
def test_the_peak_is_that_of_the_type(name: str, dtype: str) -> None:
    net = convcalc.load(name, H=40, W=48)
    device = Backend()
    inputs, _ = checked_inputs(net.graph, np.zeros((1, 3, 40, 48)), dtype, device)
    weights = checked_weights(net.graph, net.init(), dtype, device)
    held: list[int] = []
    run(net.graph, inputs, weights, np, lambda _node, _inputs, _output, now: held.append(now))
    assert max(held) == net.summarize(dtype=dtype).totals.peak_activation_bytes


def test_what_is_too_large_becomes_infinite_and_is_told() -> None:
    text = "{input: [1], layers: [linear: {out_features: 1, bias: false}, scale]}"
    net = convcalc.loads(text)
    weights = {"linear1.weight": np.full((1, 1), 60_000.0), "scale1.weight": np.ones(1)}
    assert net.run(np.full((1, 1), 2, "float16"), weights) == np.inf
    assert net.run(np.full((1, 1), 1, "float16"), weights) == 60_000


def test_the_command_says_what_is_not_finite(tmp_path: Any) -> None:
    spec = tmp_path / "net.yaml"
    spec.write_text("{input: [2], layers: [multiply: [[], []], multiply: [[], []]]}")
    np.save(tmp_path / "x.npy", np.array([[3.0, 1000.0]]))
    arguments = ["run", str(spec), "--input", str(tmp_path / "x.npy"), "--top", "2"]
    done = CliRunner().invoke(cli, [*arguments, "--dtype", "float16"])
    assert done.exit_code == 0, done.output
    assert "multiply2: [1, 2] float16" in done.output
    assert "1: inf, 0: 81" in done.output
    assert "Note: multiply2 holds numbers that are not finite" in done.output
    done = CliRunner().invoke(cli, arguments)
    assert "multiply2: [1, 2] float64\n  sample 0: 1: 1e+12, 0: 81\n" in done.output


# -- numbers that are given -----------------------------------------------------------------------

NET = convcalc.loads("{input: [3], layers: [relu]}")


@pytest.mark.parametrize(
    ("given", "dtype", "due"),
    [
        (np.array([[1, 2, 3]], "uint8"), None, "float32"),
        (np.array([[True, False, True]]), None, "float32"),
        (np.array([[-(2**24), 2**24, 0]]), None, "float32"),
        (np.array([[2**53, 2, 3]]), "float64", "float64"),
        (np.array([[2048, 2, 3]]), "float16", "float16"),
        ([[1.0, 2.0, 3.0]], None, "float64"),
        ([[1, 2, 3]], None, "float32"),
        (np.array([[1, np.inf, 3]]), "float16", "float16"),
        (np.array([[1.1, 2, 3]], "longdouble"), None, "float64"),
    ],
)
def test_other_numbers_are_taken_where_they_are_exact(given: Any, dtype: Any, due: str) -> None:
    y = NET.run(given, dtype=dtype)
    assert y.dtype == due
    assert (y == np.maximum(given, 0)).all()


@pytest.mark.parametrize(
    ("given", "dtype", "text"),
    [
        (np.array([[0, 0, 2**24 + 1]]), None, "holds 16,777,217, and float32 has all integers up"),
        (np.array([[0, 0, -(2**63)]]), None, "holds 9,223,372,036,854,775,808, and float32"),
        (np.array([[0, 0, 2**53 + 1]]), "float64", "and float64 has all integers up to"),
        (np.array([[0, 0, 70_000.0]]), "float16", "holds 70,000, and float16 ends at 65,504"),
        (np.array([[0, 0, -1e200]]), "float32", r"holds 1e\+200, and float32 ends at"),
        (np.array([[0, 0, 1j]]), None, "holds complex128, not real numbers"),
        (np.array([[0, 0, None]]), None, "holds object, not real numbers"),
        (np.array([["a", "b", "c"]]), None, "holds str32, not real numbers"),
        (np.zeros((1, 3), "M8[s]"), None, "not real numbers"),
        ([[1, 2], [3]], None, "the input 'input' is no array"),
    ],
)  # fmt: skip
def test_what_is_no_number_there_is_refused(given: Any, dtype: Any, text: str) -> None:
    with pytest.raises(convcalc.ConvcalcError, match=text):
        NET.run(given, dtype=dtype)


def test_types_that_networks_are_not_run_in() -> None:
    with pytest.raises(convcalc.ConvcalcError, match=r"not run in flot16.*Did you mean 'float16'"):
        NET.run(np.zeros((1, 3)), dtype="flot16")
    with pytest.raises(convcalc.ConvcalcError, match="not run in bfloat16") as error:
        NET.run(np.zeros((1, 3)), dtype="bfloat16")
    assert error.value.exit_code == 2
    done = CliRunner().invoke(cli, ["run", "lenet5", "--dtype", "int8"])
    assert done.exit_code == 2
    assert "'int8' is not one of 'float16', 'float32', 'float64'" in done.output
