"""What holds of other libraries whether they are installed or not."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy
import pytest
from click.testing import CliRunner

import convcalc
from convcalc.commands import cli
from convcalc.errors import UsageError
from convcalc.execution.executor import run
from convcalc.graph import Node
from convcalc.interchange import comparison
from convcalc.interchange.windows import Border
from convcalc.view import Window


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("convcalc.interchange.")]:
        monkeypatch.delitem(sys.modules, name)
    for name in ("onnx", "onnxruntime", "torch"):
        monkeypatch.setitem(sys.modules, name, None)


@pytest.mark.parametrize(
    ("arguments", "due"),
    [
        ("export lenet5 -o a.onnx", "onnx is not installed. pip install 'convcalc[onnx]'"),
        ("verify lenet5 --against onnxruntime",
         "onnx is not installed. pip install 'convcalc[onnx]'"),
        ("verify lenet5 --against torch", "torch is not installed. pip install torch"),
    ],
)  # fmt: skip
def test_a_missing_library_is_told_with_what_installs_it(
    nothing_installed: None, arguments: str, due: str, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    told = CliRunner().invoke(cli, arguments.split()).exception
    assert isinstance(told, UsageError)
    assert str(told) == due
    assert not list(tmp_path.iterdir())


def test_without_them_verify_is_as_before(nothing_installed: None) -> None:
    assert convcalc.load("lenet300").verify().ok


def test_another_library() -> None:
    with pytest.raises(UsageError) as caught:
        convcalc.load("lenet300").verify(against="onnxruntim")
    assert str(caught.value) == (
        "outputs cannot be held against 'onnxruntim'. Did you mean 'onnxruntime'?"
    )


def test_the_relative_error() -> None:
    error = comparison.relative_error
    inf, nan = math.inf, math.nan
    assert error(numpy.array([1.0, -2.5]), numpy.array([1.0, -2.0])) == 0.25
    assert error(numpy.array([1.0, -inf]), numpy.array([2.0, -inf])) == 0.5
    assert error(numpy.zeros(2), numpy.zeros(2)) == 0
    assert error(numpy.ones(2), numpy.zeros(2)) == 1
    assert math.isnan(error(numpy.array([nan]), numpy.array([nan])))
    assert math.isnan(error(numpy.ones(2), numpy.ones(3)))
    assert error(numpy.array([inf]), numpy.array([1.0])) == inf


NORMS = """
input: [3, 6, 7]
layers:
  - {conv: {out_channels: 4, kernel: 3}, name: first}
  - {batch_norm: , share: n}
  - relu
  - conv: {out_channels: 4, kernel: 1}
  - add: [[batch_norm], [{instance_norm: {running_statistics: true}}]]
"""


def test_settled_norms_give_numbers_of_size_one() -> None:
    net = convcalc.loads(NORMS)
    inputs, weights = comparison.arrays(net.graph, 3)
    squares = []

    def observe(node: Node, _: object, output: numpy.ndarray, held: int) -> None:
        if "running_var" in node.op.layer.weights(*node.op.inputs):
            squares.append(float((output * output).mean()))

    run(net.graph, inputs, weights, numpy, observe)
    assert squares == pytest.approx([1, 1, 1], rel=1e-3)
    assert len({float(weights[path][0]) for path in weights if "var" in path}) == 2


@pytest.mark.parametrize(
    ("window", "size", "outputs", "beyond", "leaves"),
    [
        (Window(kernel=3, stride=2), 7, 3, 0, False),
        (Window(kernel=3, stride=2), 8, 4, 1, False),
        (Window(kernel=3, stride=2, before=1, after=1), 6, 4, 1, False),
        (Window(kernel=2, stride=4), 7, 2, 0, False),
        (Window(kernel=2, stride=2, before=1, after=1, dilation=2), 1, 1, 0, True),
        (Window(kernel=2, stride=1, before=2, after=2, dilation=3), 2, 3, 0, True),
        (Window(kernel=2, stride=1, before=2, after=2, dilation=3), 4, 5, 0, False),
    ],
)  # fmt: skip
def test_borders(window: Window, size: int, outputs: int, beyond: int, leaves: bool) -> None:
    border = Border(window, size, outputs)
    assert (border.beyond, border.leaves_input) == (beyond, leaves)
