"""Networks as ONNX files: every layer of the registry, run by ONNX Runtime, and whole networks."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy
import pytest
from click.testing import CliRunner, Result

import convcalc
from convcalc.commands import cli
from convcalc.errors import ConvcalcError, OutputError, UsageError
from convcalc.execution.executor import weight_shapes
from convcalc.graph import Graph
from convcalc.layer import Layer
from convcalc.layers.pool import MaxPool

from .single import check_outputs, graph_of
from .test_layer_contract import NAMES

onnx = pytest.importorskip("onnx", reason="pip install 'convcalc[onnx]'")
onnxruntime = pytest.importorskip("onnxruntime", reason="pip install 'convcalc[onnx]'")

from convcalc.interchange import comparison, onnx_layers, onnx_model  # noqa: E402
from convcalc.interchange.onnx_runtime import onnx_outputs  # noqa: E402

# -- every layer ----------------------------------------------------------------------------------


def run_one(graph: Graph, weights: dict[str, Any], inputs: dict[str, Any]) -> Any:
    (output,) = onnx_outputs(graph, weights, inputs, graph.outputs).values()
    return output


def has_maxima(layer: Layer, shapes: tuple[Any, ...]) -> bool:
    """Whether no window of a pooling lies wholly in its padding."""
    if not isinstance(layer, MaxPool):
        return True
    return bool(numpy.isfinite(layer.forward(numpy, (numpy.ones(shapes[0]),), {})).all())


@pytest.mark.parametrize("name", NAMES)
def test_onnx_runtime_gives_what_forward_gives(name: str) -> None:
    assert name in onnx_layers.EXPORTERS, (
        f"layer '{name}' is not exported: see convcalc/interchange/onnx_layers.py"
    )
    check_outputs(run_one, name, examples=15, expressible=has_maxima)


def test_nothing_is_exported_that_is_no_layer() -> None:
    assert set(onnx_layers.EXPORTERS) == set(NAMES)


def test_a_maximum_of_nothing_is_refused() -> None:
    layer, shapes = MaxPool(kernel=2, dilation=2, padding=1), ((2, 3, 1),)
    assert not has_maxima(layer, shapes)
    graph = graph_of(layer, shapes)
    with pytest.raises(ConvcalcError) as caught:
        onnx_model.onnx_model(graph, {})
    assert str(caught.value) == (
        "layer: max_pool: a dilated window lies wholly in the padding, where ONNX has no maximum. "
        "Less padding or dilation would do."
    )


def test_a_layer_without_an_exporter_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(onnx_layers.EXPORTERS, "relu")
    net = convcalc.loads("{input: [1, 4, 4], layers: [{relu: , name: act}]}")
    with pytest.raises(ConvcalcError) as caught:
        onnx_model.onnx_model(net.graph, {})
    assert str(caught.value) == "act: relu cannot be written to ONNX"


def test_another_shape_than_convcalcs_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(onnx_layers.EXPORTERS, "relu", _pooled)
    net = convcalc.loads("{input: [2, 4, 4], layers: [{relu: , name: act}]}")
    with pytest.raises(ConvcalcError) as caught:
        onnx_model.onnx_model(net.graph, {})
    assert str(caught.value) == (
        "act: the output has the shape [1, 2, 4, 4], and ONNX infers [1, 2, 1, 1] for the relu as "
        "it is written"
    )


def _pooled(w: onnx_layers.Writer) -> str:
    return w.op("GlobalAveragePool", w.x)


# -- whole networks -------------------------------------------------------------------------------

TWICE = """
name: twice
input: [3, 9, 10]
outputs: [a, scores]
blocks:
  tower:
    layers:
      - conv: {out_channels: 6, kernel: 3, padding: same, stride: 2, bias: false}
      - batch_norm
      - relu
      - separable_conv: {out_channels: 3, kernel: 3, padding: 1}
layers:
  - {tower: , share: t, name: a}
  - {tower: , share: t, name: b}
  - flatten
  - {linear: 5, name: scores}
"""


@pytest.fixture
def written(tmp_path: Path) -> Any:
    net = convcalc.loads(TWICE, N=2)
    net.export(tmp_path / "twice.onnx", seed=3)
    return onnx.load(tmp_path / "twice.onnx")


def test_nodes_and_weights_are_called_as_the_layers(written: Any) -> None:
    net = convcalc.loads(TWICE, N=2)
    nodes = [node.name for node in written.graph.node if "/" not in node.name]
    assert nodes == [node.path for node in net.graph.nodes]
    outputs = {output for node in written.graph.node for output in node.output}
    assert outputs >= {node.path for node in net.graph.nodes}
    shapes = {
        array.name: tuple(array.dims)
        for array in written.graph.initializer
        if "/" not in array.name
    }
    assert shapes == weight_shapes(net.graph)  # of the shared ones, those of the first alone


def test_the_file_says_float32_the_opset_and_all_shapes(written: Any) -> None:
    graph = written.graph
    assert (written.producer_name, written.opset_import[0].version) == ("convcalc", 17)
    assert written.ir_version == 8
    shapes = {
        value.name: [size.dim_value for size in value.type.tensor_type.shape.dim]
        for value in (*graph.input, *graph.value_info, *graph.output)
    }
    net = convcalc.loads(TWICE, N=2)
    for node in (*net.graph.inputs, *net.graph.nodes):
        assert shapes[node.path] == list(node.shape)
    values = (*graph.input, *graph.value_info, *graph.output)
    assert {value.type.tensor_type.elem_type for value in values} == {onnx.TensorProto.FLOAT}
    assert [value.name for value in graph.output] == ["a.separable_conv1", "scores"]


def test_the_weights_are_those_of_the_seed_or_those_given(written: Any, tmp_path: Path) -> None:
    net = convcalc.loads(TWICE, N=2)

    def weights(model: Any) -> dict[str, Any]:
        arrays = {a.name: onnx.numpy_helper.to_array(a) for a in model.graph.initializer}
        return {path: arrays[path] for path in weight_shapes(net.graph)}

    for path, array in net.init(3).items():
        assert (weights(written)[path] == array).all()
    given = {path: array + 1 for path, array in net.init(5).items()}
    net.export(tmp_path / "given.onnx", given)
    for path, array in weights(onnx.load(tmp_path / "given.onnx")).items():
        assert (array == given[path]).all()


def test_an_exported_file_runs(written: Any, tmp_path: Path) -> None:
    net = convcalc.loads(TWICE, N=2)
    session = onnxruntime.InferenceSession(tmp_path / "twice.onnx")
    x = numpy.random.default_rng(1).random((2, 3, 9, 10), "float32")
    ours = net.run(x, net.init(3))
    for path, theirs in zip(ours, session.run(None, {"input": x}), strict=True):
        assert comparison.relative_error(ours[path], theirs) < 1e-5


@pytest.mark.parametrize(
    ("spec", "sizes"),
    [
        ("googlenet", {"H": 41, "W": 47}),
        ("shufflenet_v2_x1_0", {"H": 41, "W": 47}),
        ("mobilenet_v3_small", {"H": 41, "W": 47}),
        ("convnext_tiny", {"H": 41, "W": 47, "depths": [1, 1, 2, 1]}),
        ("densenet121", {"H": 41, "W": 47, "depths": [2, 3, 4, 2]}),
        ("se_resnet50", {"H": 41, "W": 47, "width": 16}),
        ("dcgan_generator", {}),
        ("m5", {}),
    ],
)
def test_networks_of_the_zoo(spec: str, sizes: dict[str, Any]) -> None:
    net = convcalc.load(spec, **sizes)
    inputs, weights = comparison.arrays(net.graph, 1)
    found = comparison.output_checks(
        net.graph, weights, inputs, net.run(inputs, weights), "onnxruntime"
    )
    assert [check.ok for check in found] == [True] * len(net.graph.outputs)
    assert max(check.observed for check in found) < 1e-5


# -- verify --against -----------------------------------------------------------------------------

DIGITS = """
name: digits
input: [1, 8, 8]
layers:
  - conv: {out_channels: 4, kernel: 3}
  - relu
  - flatten
  - linear: 3
"""


@pytest.fixture
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits.yaml").write_text(DIGITS)
    return tmp_path


def test_verify_holds_every_output_against_onnx_runtime(in_folder: Path) -> None:
    run = CliRunner().invoke(cli, ["verify", "digits.yaml", "--against", "onnxruntime"])
    assert run.exit_code == 0, run.output
    line, allowed, _ = run.output.splitlines()[-3:]
    told = r"✓ linear1: as onnxruntime has it, to \d\.\de-0[6-9] of its largest number\."
    assert re.fullmatch(told, line), line
    assert allowed == "1e-04 is allowed: float32 is rounded, and sums have no fixed order."
    plain = CliRunner().invoke(cli, ["verify", "digits.yaml", "--format", "json"])
    more = CliRunner().invoke(
        cli, ["verify", "digits.yaml", "--against", "onnxruntime", "--format", "json"]
    )
    *same, last = json.loads(more.stdout)
    assert same == json.loads(plain.stdout)
    error = last.pop("observed")
    assert 0 <= error < 1e-6
    assert last == {
        "layer": "linear1", "quantity": "output_vs_onnxruntime", "predicted": 1e-4, "ok": True,
    }  # fmt: skip


def test_a_difference_is_told_with_the_layer_at_which_it_begins(
    in_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(onnx_layers.EXPORTERS, "relu", onnx_layers.EXPORTERS["abs"])
    run = CliRunner().invoke(cli, ["verify", "digits.yaml", "--against", "onnxruntime"])
    assert run.exit_code == 1
    wrong = [line for line in run.stdout.splitlines() if line.startswith("✗")]
    assert [line.split()[1] for line in wrong] == ["relu1", "linear1", "relu1:", "linear1:"]
    assert "conv1" not in "".join(wrong)
    assert run.stdout.endswith("figures held against the run: 2 wrong.\n")


def test_in_python() -> None:
    net = convcalc.loads(TWICE)
    found = net.verify(against="onnxruntime")
    assert found.ok
    assert [c.layer for c in found.checks if c.quantity == "output_vs_onnxruntime"] == [
        "a.separable_conv1", "scores",
    ]  # fmt: skip


# -- what can go wrong ----------------------------------------------------------------------------


def exported(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["export", *arguments])


def refused(folder: Path, error: type[ConvcalcError], *arguments: str) -> str:
    """The text of the error; nothing may have been written."""
    before = sorted(folder.iterdir())
    run = exported(*arguments)
    assert isinstance(run.exception, error)
    assert sorted(folder.iterdir()) == before
    return str(run.exception)


def test_the_command_writes_a_file(in_folder: Path) -> None:
    numpy.savez("w.npz", **convcalc.load("digits.yaml").init(7))
    run = exported("digits.yaml", "--batch", "3", "--weights", "w.npz", "-o", "a.onnx")
    assert (run.exit_code, run.output) == (0, "")
    seeded = exported("digits.yaml", "--set", "N=3", "--seed", "7", "-o", "b.onnx")
    assert seeded.exit_code == 0
    assert (in_folder / "a.onnx").read_bytes() == (in_folder / "b.onnx").read_bytes()
    (x,) = onnx.load("a.onnx").graph.input
    assert [size.dim_value for size in x.type.tensor_type.shape.dim] == [3, 1, 8, 8]


def test_refusals(in_folder: Path) -> None:
    assert refused(in_folder, UsageError, "digits.yaml", "-o", "a.pb") == (
        "a network is exported to a .onnx file, not to 'a.pb'"
    )
    (in_folder / "open.yaml").write_text("{input: [C, 4, 4], layers: [relu]}")
    assert refused(in_folder, ConvcalcError, "open.yaml", "-o", "a.onnx") == (
        "export: C has no value. Give it one: load(…, C=…)."
    )
    weights = convcalc.load("digits.yaml").init()
    numpy.savez("few.npz", **{**weights, "linear1.weight": numpy.ones((3, 7))})
    assert (
        refused(in_folder, ConvcalcError, "digits.yaml", "--weights", "few.npz", "-o", "a.onnx")
        == "the weights do not fit: linear1.weight is [3, 7], not [3, 144]"
    )
    assert refused(in_folder, OutputError, "digits.yaml", "-o", "no/a.onnx") == (
        "no/a.onnx cannot be written: No such file or directory"
    )
    (in_folder / "folder.onnx").mkdir()
    assert refused(in_folder, OutputError, "digits.yaml", "-o", "folder.onnx") == (
        "folder.onnx is a folder, not a file to write to"
    )
    assert exported("digits.yaml").exit_code == 2


def test_weights_that_no_onnx_file_holds_are_refused_before_they_are_made() -> None:
    net = convcalc.load("mlp_megapixel")
    with pytest.raises(ConvcalcError) as caught:
        net.export("a.onnx")
    assert str(caught.value) == ("the weights take 14.4 GB as float32, and an ONNX file holds 2 GB")


def test_what_onnx_runtime_refuses_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(onnx_layers.EXPORTERS, "relu", lambda w: w.op("ThresholdedRelu", w.x, w.x))
    net = convcalc.loads(DIGITS)
    with pytest.raises(ConvcalcError, match=r"^ONNX (Runtime does not run|infers no shapes)"):
        net.verify(against="onnxruntime")


def test_memory_that_does_not_do_is_told_before_it_is_taken(
    in_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_model, "available_bytes", lambda: 1_000_000_000)
    with pytest.raises(ConvcalcError) as caught:
        convcalc.load("vgg16").export("a.onnx")
    assert str(caught.value) == ("export: it needs about 2.21 GB of memory, and 1.00 GB are free")
    assert not (in_folder / "a.onnx").exists()


def test_a_file_that_onnx_refuses_is_not_written(
    in_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (in_folder / "a.onnx").write_bytes(b"what was there")
    made = onnx_model.onnx_model

    def spoilt(*arguments: Any) -> Any:
        model = made(*arguments)
        model.graph.node[0].op_type = "Convolve"
        return model

    monkeypatch.setattr(onnx_model, "onnx_model", spoilt)
    text = refused(in_folder, ConvcalcError, "digits.yaml", "-o", "a.onnx")
    assert text.startswith("ONNX refuses the model: ")
    assert (in_folder / "a.onnx").read_bytes() == b"what was there"
