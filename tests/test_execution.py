"""Networks run for real, and figures held against the run."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

import convcalc
from convcalc.commands import cli
from convcalc.execution.executor import weight_shapes
from convcalc.spec.zoo import zoo_names

# -- the worked examples of the lectures ----------------------------------------------------------


def convolved(x: Any, kernel: Any, fields: str = "") -> list[Any]:
    """One output channel of one sample, by a convolution without bias."""
    x, kernel = np.array(x, float), np.array(kernel, float)
    channels = x if x.ndim == 3 else x[None]
    filters = kernel if kernel.ndim == 3 else kernel[None]
    layer = f"conv: {{out_channels: 1, kernel: {list(filters.shape[1:])}, bias: false{fields}}}"
    net = convcalc.loads(f"{{input: {list(channels.shape)}, layers: [{layer}]}}")
    y = net.run(channels[None], {"conv1.weight": filters[None]})
    return y[0, 0].tolist()  # type: ignore[no-any-return]


def pooled(x: Any, kind: str) -> list[Any]:
    net = convcalc.loads(f"{{input: [1, 3, 3], layers: [{kind}: {{kernel: 2, stride: 1}}]}}")
    return net.run(np.array(x, float)[None, None])[0, 0].tolist()  # type: ignore[no-any-return]


X = [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
K = [[0, 1], [2, 3]]


def test_cross_correlation() -> None:
    """Deck A: 19, 25, 37, 43."""
    assert convolved(X, K) == [[19, 25], [37, 43]]


def test_padding_and_stride() -> None:
    """Deck A: padding 1 around; then height 3 and width 2 as strides."""
    assert convolved(X, K, ", padding: 1") == [
        [0, 3, 8, 4], [9, 19, 25, 10], [21, 37, 43, 16], [6, 7, 8, 0]
    ]  # fmt: skip
    assert convolved(X, K, ", padding: 1, stride: [3, 2]") == [[0, 8], [6, 8]]


def test_several_input_channels() -> None:
    """Deck A: 56 72 104 120."""
    x = [X, [[1, 2, 3], [4, 5, 6], [7, 8, 9]]]
    assert convolved(x, [K, [[1, 2], [3, 4]]]) == [[56, 72], [104, 120]]


def test_pooling() -> None:
    """Deck A: the largest of each window, and the mean."""
    assert pooled(X, "max_pool") == [[4, 5], [7, 8]]
    assert pooled(X, "avg_pool") == [[2, 3], [5, 6]]


def test_edges_are_found() -> None:
    """Deck A: 1 from white to black, −1 from black to white."""
    picture = [[1, 1, 0, 0, 0, 0, 1, 1]] * 6
    assert convolved(picture, [[1, -1]]) == [[0, 1, 0, 0, 0, -1, 0]] * 6
    assert convolved(np.transpose(picture), [[1, -1]]) == [[0] * 5] * 8


def test_sharpening_and_blurring_keep_what_is_even() -> None:
    even = np.full((5, 5), 7.0)
    sharpen = [[0, -1, 0], [-1, 5, -1], [0, -1, 0]]
    assert convolved(even, sharpen) == [[7, 7, 7]] * 3
    blurred = convolved(even, np.full((3, 3), 1 / 9))
    assert np.allclose(blurred, 7, rtol=1e-12)


# -- the executor ---------------------------------------------------------------------------------

RESIDUAL = """
input: [4, 9, 10]
blocks:
  tower:
    layers:
      - add:
          - - conv: {out_channels: 4, kernel: 3, padding: 1}
            - batch_norm
            - relu
          - []
      - relu
layers:
  - {tower: , share: t, name: a}
  - {tower: , share: t, name: b}
  - concat: [[max_pool: 2], [avg_pool: 2]]
  - slice: {axis: 1, start: 1, stop: 7}
  - permute: [0, 2, 3, 1]
  - flatten
  - {dropout: 0.5}
  - linear: 5
  - softmax
"""


def plainly(net: convcalc.Network, x: Any, weights: Any) -> Any:
    """The outputs with nothing reused and nothing dropped."""
    tensors = {node: np.array(x) for node in net.graph.inputs}
    for node in net.graph.nodes:
        names = node.op.layer.weights(*node.op.inputs)
        own = {name: weights[f"{node.owner.path}.{name}"] for name in names}
        inputs = tuple(tensors[source].copy() for source in node.inputs)
        tensors[node] = node.op.layer.forward(np, inputs, own).copy()
    return [tensors[node] for node in net.graph.outputs]


@pytest.mark.parametrize(
    ("spec", "sizes"),
    [
        (RESIDUAL, {}),
        ("mobilenet_v2", {"H": 40, "W": 48}),
        ("densenet121", {"H": 40, "W": 36}),
        ("googlenet", {"H": 64, "W": 70}),
        ("shufflenet_v2_x1_0", {"H": 40, "W": 48}),
        ("unet", {"H": 188, "W": 204}),
    ],
)
def test_reusing_memory_changes_no_number(spec: str, sizes: dict[str, int]) -> None:
    net = (convcalc.loads if "\n" in spec else convcalc.load)(spec, **sizes)
    shape = net.graph.inputs[0].shape
    x = np.random.default_rng(1).random(shape)  # type: ignore[arg-type]
    before = x.copy()
    weights = net.init(seed=3, dtype="float64")
    (expected,) = plainly(net, x, weights)
    assert (net.run(x, weights, exact=True) == expected).all()
    assert (x == before).all()
    assert net.run(x.astype("float32"), weights).dtype == np.float32


def test_float64_is_kept() -> None:
    net = convcalc.loads(RESIDUAL)
    x = np.random.default_rng(1).random((1, 4, 9, 10))
    y = net.run(x)
    assert y.dtype == np.float64
    assert np.allclose(y.sum(), 1)


def test_initial_weights_are_the_same_everywhere() -> None:
    net = convcalc.loads(RESIDUAL)
    weights = net.init(seed=7)
    assert {path: array.shape for path, array in weights.items()} == weight_shapes(net.graph)
    first = weights["a.conv1.weight"].ravel()[:3]
    # PCG64 of the seed and SHA-256 of the path: no machine may differ in a bit
    assert first.tolist() == FIRST
    other = convcalc.loads(RESIDUAL.replace("linear: 5", "linear: 6")).init(seed=7)
    assert (other["a.conv1.weight"] == weights["a.conv1.weight"]).all()
    assert (net.init(seed=8)["a.conv1.weight"] != weights["a.conv1.weight"]).any()


FIRST = [0.23910902440547943, -0.30774185061454773, -0.010165797546505928]


def test_the_variance_is_hes_before_a_rectifier_and_glorots_elsewhere() -> None:
    text = "{input: [50, 8, 8], layers: [conv: {out_channels: 80, kernel: 5}, relu, flatten, linear: 90]}"  # noqa: E501
    weights = convcalc.loads(text).init()
    assert np.isclose(weights["conv1.weight"].var(), 2 / (50 * 25), rtol=0.02)
    fan_in = 80 * 4 * 4
    assert np.isclose(weights["linear1.weight"].var(), 2 / (fan_in + 90), rtol=0.02)
    assert not weights["conv1.bias"].any()


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (np.zeros((1, 4, 9, 11)), r"the input 'input' has the shape \[1, 4, 9, 11\], where the "
         r"network takes \[1, 4, 9, 10\]"),
        ({}, "no array for the input 'input'"),
        ({"inputs": np.zeros((1, 4, 9, 10))}, r"the network has no input 'inputs'. Did you mean "
         "'input'"),
    ],
)  # fmt: skip
def test_inputs_that_do_not_fit(x: Any, text: str) -> None:
    with pytest.raises(convcalc.ConvcalcError, match=text):
        convcalc.loads(RESIDUAL).run(x)


def test_all_weights_that_do_not_fit_are_said_at_once() -> None:
    net = convcalc.loads(RESIDUAL)
    weights = net.init()
    del weights["linear1.bias"]
    weights["linear2.bias"] = np.zeros(3)
    weights["a.conv1.weight"] = np.zeros((4, 4, 3, 2))
    weights["a.conv1.bias"][2] = np.nan
    with pytest.raises(convcalc.ConvcalcError) as error:
        net.run(np.zeros((1, 4, 9, 10)), weights)
    assert str(error.value) == (
        "the weights do not fit: a.conv1.bias holds NaN; a.conv1.weight is [4, 4, 3, 2], not "
        "[4, 4, 3, 3]; linear1.bias is missing; linear2.bias is of no layer"
    )


def test_symbols_need_a_value() -> None:
    net = convcalc.loads("{input: [3, H], variables: {H: }, layers: [relu]}")
    with pytest.raises(convcalc.ConvcalcError, match=r"run: H has no value. Give it one"):
        net.run(np.zeros((1, 3, 4)))


# -- verification ---------------------------------------------------------------------------------


def small(name: str) -> dict[str, int]:
    """Sizes a little above the smallest legal ones, different along both axes."""
    smallest = convcalc.load(name).limits.smallest
    values = {}
    for i, axis in enumerate(name for name in smallest if name != "N"):
        values[axis] = max(smallest[axis], 32) + 4 * i
    return values


SKIPPED = {"mlp_megapixel"}
"""14 GB of weights."""
HALF = [name for i, name in enumerate(sorted({*zoo_names()} - SKIPPED)) if i % 2 == 0]


@pytest.mark.slow
@pytest.mark.parametrize(
    "spec",
    [
        "{input: [32, 5, 2], layers: [slice: {axis: 3, stop: 1}, relu]}",
        "{input: [6, 9, 7], layers: [conv: {out_channels: 4, kernel: 4, stride: 2, padding: same, "
        "dilation: 2}]}",
        "{input: [2, 20, 20], layers: [crop: {size: 4}, slice: {axis: 2, step: 3}]}",
        "{input: [3, 2, 5, 5], layers: [{conv_transpose: {out_channels: 3, kernel: [2, 1, 1], "
        "stride: [1, 1, 2]}, name: a}, {divide: , from: [a, a]}]}",
    ],
)
def test_what_no_probe_reaches_is_not_wrong(spec: str) -> None:
    verified = convcalc.loads(spec).verify()
    assert {c.quantity for c in verified.checks if not c.ok} <= {"finite"}


@pytest.mark.parametrize("name", HALF)
def test_the_zoo_is_verified(name: str) -> None:
    try:
        net = convcalc.load(name, **small(name))
    except convcalc.ConvcalcError:
        net = convcalc.load(name)
    verified = net.verify()
    wrong = [check for check in verified.checks if not check.ok]
    assert not verified.skipped
    assert not wrong, wrong[:5]
    assert len(verified.checks) > 5 * len(net.graph.nodes)


@pytest.mark.parametrize("batch", [1, 3])
def test_a_batch_is_verified(batch: int) -> None:
    verified = convcalc.loads(RESIDUAL, N=batch).verify(seed=4)
    assert verified.ok
    assert verified.checks[0]._asdict() == {
        "layer": "a.conv1", "quantity": "output_shape", "predicted": [batch, 4, 9, 10],
        "observed": [batch, 4, 9, 10], "ok": True,
    }  # fmt: skip


def test_a_short_form_is_verified_part_by_part() -> None:
    net = convcalc.loads(
        "{input: [3, 8, 9], layers: [separable_conv: {out_channels: 5, kernel: 3, padding: 1}]}"
    )
    assert net.verify().ok


TAMPERED = {
    "output_shape": lambda report: report["layers"][3]["output_shape"].__setitem__(2, 8),
    "params": lambda report: report["layers"][0].__setitem__("params", 149),
    "macs": lambda report: report["layers"][0].__setitem__("macs", 12_959),
    "macs_nonpad": lambda report: report["layers"][0].__setitem__("macs_nonpad", 11_199),
    "receptive_field": lambda report: report["layers"][0].update(receptive_field=[3, 2]),
    "receptive_stride": lambda report: report["layers"][0].update(receptive_stride=[2, 1]),
    "receptive_padding": lambda report: report["layers"][0].update(receptive_padding=[1, 0]),
    "peak_activation_bytes": lambda report: report["totals"].__setitem__(
        "peak_activation_bytes", report["totals"]["peak_activation_bytes"] + 4
    ),
    "totals": lambda report: report["totals"].__setitem__("params", 1),
}  # fmt: skip


@pytest.mark.parametrize("what", TAMPERED)
def test_a_wrong_prediction_of_each_kind_is_found(what: str) -> None:
    net = convcalc.loads(RESIDUAL)
    report = json.loads(json.dumps(net.summarize().to_dict()))
    assert net.verify(report=report).ok
    tampered = copy.deepcopy(report)
    TAMPERED[what](tampered)
    assert tampered != report
    wrong = [check for check in net.verify(report=tampered).checks if not check.ok]
    assert len(wrong) == 1
    quantity = {"totals": "params", "receptive_stride": "receptive_field",
                "receptive_padding": "receptive_field"}.get(what, what)  # fmt: skip
    assert wrong[0].quantity == quantity


def test_a_report_of_another_network() -> None:
    report = convcalc.load("lenet5").summarize().to_dict()
    with pytest.raises(convcalc.ConvcalcError, match="the report has other layers"):
        convcalc.loads(RESIDUAL).verify(report=report)


def test_what_needs_too_much_memory_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("convcalc.execution.backends.available_bytes", lambda: 10_000)
    verified = convcalc.load("lenet5").verify()
    assert verified.skipped.startswith("it needs about 0.0 GB, and 0.0 GB are free")
    assert not verified.checks


# -- the commands ---------------------------------------------------------------------------------


@pytest.fixture
def spec(tmp_path: Path) -> str:
    path = tmp_path / "net.yaml"
    path.write_text(RESIDUAL)
    return str(path)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments)


def test_verify(spec: str, tmp_path: Path) -> None:
    done = run("verify", spec)
    assert done.exit_code == 0
    assert "✓  a.conv1" in done.output
    assert done.output.endswith("figures held against the run: all confirmed.\n")
    found = json.loads(run("verify", spec, "--format", "json", "--layer", "a").output)
    assert {tuple(check) for check in found} == {
        ("layer", "quantity", "predicted", "observed", "ok")
    }
    assert {check["layer"] for check in found} == {
        "a.conv1", "a.batch_norm1", "a.relu1", "a.add1", "a.relu2"
    }  # fmt: skip
    saved = tmp_path / "saved.json"
    run("summarize", spec, "-o", str(saved))
    assert run("verify", spec, "--report", str(saved)).exit_code == 0
    saved.write_text(saved.read_text().replace('"macs": 12960', '"macs": 12961'))
    done = run("verify", spec, "--report", str(saved))
    assert done.exit_code == 1
    assert "✗ a.conv1: macs: predicted 12,961, observed 12,960" in done.output


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["verify"], "verify takes SPECs, or --all for the whole zoo"),
        (["verify", "lenet5", "--report", "nothing.json"], "nothing.json cannot be read"),
        (["verify", "lenet5", "--layer", "conv3"], "no layer or module 'conv3'"),
        (["run", "lenet5", "--input", "x.gif"], "an input is read from .npy, .png, .jpg, .jpeg"),
        (["run", "lenet5", "-o", "y.png"], "the output is written to .npy or .npz"),
        (["run", "lenet5", "--weights", "w.pt"], "weights are read from"),
    ],
)
def test_what_the_commands_refuse(arguments: list[str], text: str) -> None:
    done = run(*arguments)
    assert text in str(done.exception)
    assert isinstance(done.exception, convcalc.ConvcalcError)


def test_run(spec: str, tmp_path: Path) -> None:
    net = convcalc.loads(RESIDUAL)
    x = np.random.default_rng(2).random((4, 9, 10), "float32")
    np.save(tmp_path / "x.npy", x)
    np.savez(tmp_path / "w.npz", **net.init(seed=9))
    arguments = ["--input", str(tmp_path / "x.npy"), "--weights", str(tmp_path / "w.npz")]
    done = run("run", spec, *arguments, "--top", "2", "-o", str(tmp_path / "y.npy"), "--profile")
    assert done.exit_code == 0, done.output
    expected = net.run(x[None], net.init(seed=9))
    assert (np.load(tmp_path / "y.npy") == expected).all()
    best = int(expected.argmax())
    assert f"softmax1: [1, 5] float32\n  sample 0: {best}: " in done.output
    assert "Total" in done.output
    np.save(tmp_path / "x.npy", np.full_like(x, np.nan))
    assert "holds NaN" in str(run("run", spec, *arguments).exception)


def test_run_writes_several_outputs(tmp_path: Path) -> None:
    spec = tmp_path / "two.yaml"
    layers = "[{linear: 3, name: file}, {linear: 2, name: b, from: file}]"
    spec.write_text(f"{{input: [4], layers: {layers}, outputs: [file, b]}}")
    done = run("run", str(spec), "-o", str(tmp_path / "y.npy"))
    assert ".npy holds one output, and the network has 2. .npz holds all" in str(done.exception)
    assert not (tmp_path / "y.npy").exists()
    assert run("run", str(spec), "-o", str(tmp_path / "y.npz")).exit_code == 0
    due = convcalc.load(spec).run()
    with np.load(tmp_path / "y.npz") as found:
        assert found.files == ["file", "b"]
        assert all((found[path] == y).all() for path, y in due.items())


def test_a_profile_is_a_table(spec: str, tmp_path: Path) -> None:
    """Every MAC is in one step; an array and a table each have their file."""
    report = convcalc.loads(RESIDUAL).summarize()
    array, table = tmp_path / "y.npy", tmp_path / "times.csv"
    done = run("run", spec, "--profile", "--format", "json", "-o", str(array))
    found = json.loads(done.stdout)
    names = [name for step in found["steps"] for name in step["layers"]]
    assert len(names) == len(set(names))
    assert {row.name for row in report.rows if row.macs} <= set(names)
    assert sum(step["macs"] for step in found["steps"]) == found["macs"] == report.totals.macs
    assert sum(step["time_percent"] or 0 for step in found["steps"]) == pytest.approx(100)
    assert done.stderr == "softmax1: [1, 5] float32\n"
    assert np.load(array).shape == (1, 5)
    done = run("run", spec, "--profile", "-o", str(table))
    assert done.stdout == "softmax1: [1, 5] float32\n"
    *steps, total = table.read_text().splitlines()[1:]
    assert len(steps) == len(found["steps"])
    assert total.startswith("total,,")
    assert total.split(",")[4] == str(report.totals.macs)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--format", "csv"], "--format is for the table of --profile"),
        (["--fragment"], "--fragment is for the table of --profile"),
        (["-o", "y.csv"], "the output is written to .npy or .npz. Tables are those of --profile"),
        (["--profile", "-o", "y.onnx"], "no form of this output is a .onnx file"),
        (["--profile", "--fragment", "-o", "y.npy"], "--fragment is for latex and html"),
    ],
)
def test_what_a_profile_is_not(arguments: list[str], text: str) -> None:
    done = run("run", "lenet5", *arguments)
    assert isinstance(done.exception, convcalc.errors.UsageError)
    assert text in str(done.exception)


def test_progress_is_told_layer_by_layer() -> None:
    net = convcalc.loads(RESIDUAL)
    told: list[tuple[int, int]] = []
    net.verify(progress=lambda done, total: told.append((done, total)))
    layers = len(net.graph.nodes)
    assert told == [(i + 1, 3 * layers) for i in range(3 * layers)]
