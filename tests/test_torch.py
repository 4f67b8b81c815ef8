"""Networks as PyTorch modules: every layer of the registry, and whole networks."""

from __future__ import annotations

from typing import Any

import numpy
import pytest

import convcalc
from convcalc.errors import ConvcalcError
from convcalc.execution import initial
from convcalc.graph import Graph

from .single import check_outputs
from .test_layer_contract import NAMES

torch = pytest.importorskip("torch", reason="pip install torch")

from convcalc.interchange import comparison, torch_module  # noqa: E402


def run_one(graph: Graph, weights: dict[str, Any], inputs: dict[str, Any]) -> Any:
    (output,) = torch_module.torch_outputs(graph, weights, inputs, graph.outputs).values()
    return output


@pytest.mark.parametrize("name", NAMES)
def test_pytorch_gives_what_forward_gives(name: str) -> None:
    assert name in torch_module.TRANSLATIONS, (
        f"layer '{name}' has no translation: see convcalc/interchange/torch_module.py"
    )
    # norms of a single element multiply the rounding of their mean by 1/√ε
    check_outputs(run_one, name, examples=12, tolerance=1e-4)


def test_nothing_is_translated_that_is_no_layer() -> None:
    assert set(torch_module.TRANSLATIONS) == set(NAMES)


def test_a_layer_without_a_translation_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(torch_module.TRANSLATIONS, "relu")
    net = convcalc.loads("{input: [1, 4, 4], layers: [{relu: , name: act}]}")
    with pytest.raises(ConvcalcError) as caught:
        torch_module.torch_module(net.graph, {})
    assert str(caught.value) == "act: relu has no translation to PyTorch"


# two readers of one tensor, one of a view of it; and an input that is no output of a layer
OVERWRITTEN = """
input: [4, 6, 6]
outputs: [kept, joined]
layers:
  - relu
  - {conv: {out_channels: 4, kernel: 3, padding: 1}, name: kept}
  - relu
  - {conv: {out_channels: 4, kernel: 3, padding: 1}, name: skip}
  - {permute: [0, 1, 3, 2], name: view}
  - relu
  - {dropout: 0.5, from: skip, name: same}
  - {hard_swish: , name: last}
  - concat: {branches: [[], [{identity: , from: view}], [{identity: , from: kept}]]}
    name: joined
"""


def test_nothing_is_overwritten_that_is_still_read() -> None:
    net = convcalc.loads(OVERWRITTEN)
    found = net.verify(against="torch")
    compared = [check for check in found.checks if check.quantity == "output_vs_torch"]
    assert [(check.layer, check.ok) for check in compared] == [("kept", True), ("joined", True)]
    x = torch.from_numpy(initial.random_inputs(net.graph)["input"])
    before = x.clone()
    torch_module.torch_module(net.graph, net.init())(x)
    assert (x == before).all()


def test_it_is_the_model_that_one_would_write() -> None:
    net = convcalc.load("resnet18", H=64, W=64)
    model = torch_module.torch_module(net.graph, net.init(2))
    kinds = [type(layer).__name__ for layer in model.layers]
    assert kinds[:4] == ["Conv2d", "BatchNorm2d", "ReLU", "MaxPool2d"]
    assert all(layer.inplace for layer in model.layers if isinstance(layer, torch.nn.ReLU))
    assert not model.training
    assert sum(p.numel() for p in model.parameters()) == 11_689_512
    assert not any(tensor.is_meta for tensor in model.state_dict().values())
    inputs = initial.random_inputs(net.graph)
    with torch.inference_mode():
        theirs = model(torch.from_numpy(inputs["input"])).numpy()
    assert comparison.relative_error(net.run(inputs, net.init(2)), theirs) < 1e-5


def test_shared_weights_are_one() -> None:
    net = convcalc.loads(
        "{input: [4], layers: [{linear: 4, share: w, name: a}, {linear: 4, share: w, name: b}]}"
    )
    model = torch_module.torch_module(net.graph, net.init())
    a, b = model.layers
    assert a.weight is b.weight
    assert sum(p.numel() for p in model.parameters()) == 20
    x = numpy.ones((1, 4), "float32")
    assert comparison.relative_error(net.run(x), model(torch.from_numpy(x)).numpy()) < 1e-6


@pytest.mark.parametrize("name", ["googlenet", "shufflenet_v2_x1_0", "densenet121", "unet"])
def test_networks_of_the_zoo(name: str) -> None:
    net = convcalc.load(name, H=188, W=204) if name == "unet" else convcalc.load(name, H=41, W=47)
    inputs, weights = comparison.arrays(net.graph, 1)
    outputs = net.run(inputs, weights)
    checks = comparison.output_checks(net.graph, weights, inputs, outputs, "torch")
    assert [check.ok for check in checks] == [True] * len(net.graph.outputs)


def test_a_difference_is_told_with_the_layer_at_which_it_begins(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(torch_module.TRANSLATIONS, "sigmoid", torch_module.TRANSLATIONS["tanh"])
    checks = convcalc.load("lenet5").verify(against="torch").checks
    assert [c.layer for c in checks if not c.ok] == ["sigmoid1", "linear3"]
