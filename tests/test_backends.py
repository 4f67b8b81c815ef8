"""Where networks run, and what memory is there."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import strategies as st

import convcalc
from convcalc.commands import cli
from convcalc.errors import UsageError
from convcalc.execution import backends
from convcalc.execution.backends import Backend, CuPy, available_bytes, backend
from convcalc.execution.executor import held_bytes, storage, weight_shapes
from convcalc.execution.memory import needs, planned_needs
from convcalc.execution.numbers import computed
from convcalc.execution.threads import workers
from convcalc.execution.verify import needed_bytes
from convcalc.layer import Layer
from convcalc.layers import layer_class

from .strict import HostError, StrictArray, StrictBackend, strict
from .test_layer_contract import NAMES, explore, operation
from .test_layer_laws import Shapes, sample

SMALL = "{input: [3, 8, 9], layers: [conv: {out_channels: 4, kernel: 3}, relu, flatten, linear: 5]}"
NETS = [("mobilenet_v2", {"H": 40, "W": 48}), ("densenet121", {"H": 33, "W": 36})]
SIZES = {"C": 32, "H": 56, "W": 57}


def of_one_layer(name: str) -> convcalc.Network:
    """The layer's own example, on numbers."""
    layer = layer_class(name)
    values = {size: value for size, value in SIZES.items() if size in layer.example_input}
    return convcalc.loads(f"input: {layer.example_input}\nlayers:\n  - {layer.example}\n", **values)


# -- a device that gives nothing away -------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize(("name", "sizes"), NETS)
def test_a_run_stays_on_its_device(name: str, sizes: dict[str, int], dtype: str) -> None:
    net = convcalc.load(name, **sizes)
    device = StrictBackend()
    y = net.run(backend=device, dtype=dtype, exact=True)
    assert isinstance(y, np.ndarray)
    assert (y == net.run(dtype=dtype, exact=True)).all()
    due = [*weight_shapes(net.graph).values(), net.graph.inputs[0].shape]
    assert sorted(device.sent) == sorted(map(tuple, due)), "everything goes there once"
    assert device.fetched == [y.shape], "the output comes back, and nothing else"


@pytest.mark.parametrize("name", NAMES)
def test_a_verification_stays_on_its_device(name: str) -> None:
    net = of_one_layer(name)
    device = StrictBackend()
    verified = net.verify(backend=device)
    assert verified == net.verify()
    assert verified.ok
    assert device.fetched


@pytest.mark.parametrize(("name", "sizes"), NETS)
def test_networks_are_verified_on_a_device(name: str, sizes: dict[str, int]) -> None:
    """The peak, too: views are known by their `base`."""
    assert convcalc.load(name, **sizes).verify(backend=StrictBackend()).ok


def test_arrays_that_are_there_already() -> None:
    net = convcalc.loads(SMALL)
    device = StrictBackend()
    x = np.random.default_rng(0).random((1, 3, 8, 9), "float32")
    weights = {path: StrictArray(array) for path, array in net.init().items()}
    y = net.run(StrictArray(x), weights, backend=device, exact=True)
    assert (y == net.run(x, exact=True)).all()
    assert not device.sent
    assert np.allclose(net.run(StrictArray(x), weights, backend=device), y, rtol=1e-5, atol=1e-5)
    weights["linear1.bias"] = StrictArray(np.full(5, np.nan))
    with pytest.raises(convcalc.ConvcalcError, match=r"linear1\.bias holds NaN"):
        net.run(x, weights, backend=device)
    with pytest.raises(convcalc.ConvcalcError, match="the input 'input' is no array"):
        net.run(StrictArray(x))


def test_the_device_of_the_tests_can_tell() -> None:
    class Peeking(StrictBackend):
        def to_host(self, array: Any) -> Any:
            return np.asarray(array)

    with pytest.raises(HostError):
        convcalc.loads(SMALL).run(backend=Peeking())


def test_views_of_arrays_elsewhere() -> None:
    x = StrictArray(np.zeros((4, 6), "float32"))
    for view in (x[1:], x.T, x.reshape(2, 12), strict.transpose(x[:, 2:]), x[0][1:]):
        assert storage(view) is x
    for own in (x + 1, x.copy(), x.astype("float64"), strict.concatenate([x, x])):
        assert storage(own) is own
    assert held_bytes([x, x[1:], x.T, x + 1]) == 2 * 96


# -- which backend --------------------------------------------------------------------------------


def test_names_of_backends() -> None:
    assert type(backend("numpy")) is Backend
    device = StrictBackend()
    assert backend(device) is device
    with pytest.raises(UsageError, match=r"no backend 'cuppy'. Did you mean 'cupy'"):
        backend("cuppy")
    with pytest.raises(UsageError, match=r"no backend 'tpu'. There are numpy, cupy, auto"):
        convcalc.loads(SMALL).verify(backend="tpu")


def without_cupy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)


@pytest.mark.parametrize("command", ["run", "verify"])
def test_without_cupy(monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    without_cupy(monkeypatch)
    done = CliRunner().invoke(cli, [command, "lenet5", "--backend", "cupy"])
    assert isinstance(done.exception, UsageError)
    assert str(done.exception) == (
        "CuPy is not installed. pip install 'convcalc[gpu]', or 'convcalc[gpu13]' for CUDA 13."
    )
    done = CliRunner().invoke(cli, [command, "lenet5", "--backend", "auto"])
    assert done.exit_code == 0
    assert done.stderr == "Note: runs on the processor, with NumPy: CuPy is not installed\n"
    assert CliRunner().invoke(cli, [command, "lenet5"]).stderr == ""


def test_a_gpu_that_does_not_work(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def __getattr__(self, name: str) -> Any:
            raise RuntimeError("cudaErrorNoDevice: no CUDA-capable device is detected\nat 0x1")

    monkeypatch.setitem(sys.modules, "cupy", Broken())
    with pytest.raises(UsageError) as error:
        backend("cupy")
    assert str(error.value) == (
        "CuPy finds no GPU that works (cudaErrorNoDevice: no CUDA-capable device is detected). "
        "NumPy needs none."
    )
    assert backend("auto").device.startswith("the processor, with NumPy: CuPy finds no GPU")


class Pool:
    def __init__(self) -> None:
        self.limit, self.freed = 0, 0

    def free_bytes(self) -> int:
        return 300

    def used_bytes(self) -> int:
        return 500

    def get_limit(self) -> int:
        return self.limit

    def free_all_blocks(self) -> None:
        self.freed += 1


class Products:
    """What CuPy multiplies with; TF32 is 7, what it should be 1."""

    COMPUTE_TYPE_DEFAULT = 1
    kind = 7

    def get_compute_type(self, dtype: str) -> int:
        return self.kind

    def set_compute_type(self, dtype: str, kind: int) -> None:
        self.kind = kind


@pytest.fixture
def cupy(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Of CuPy what a backend asks of it, over strict arrays."""
    pool, pinned, products = Pool(), Pool(), Products()
    device = SimpleNamespace(id=0, mem_info=(1000, 5000))
    module = SimpleNamespace(
        ndarray=StrictArray, ones=strict.ones, matmul=strict.matmul, pool=pool, pinned=pinned,
        products=products, asnumpy=StrictArray.get,
        get_default_memory_pool=lambda: pool, get_default_pinned_memory_pool=lambda: pinned,
        cuda=SimpleNamespace(
            Device=lambda: device,
            runtime=SimpleNamespace(getDeviceProperties=lambda number: {"name": b"A GPU"}),
        ),
    )  # fmt: skip
    monkeypatch.setitem(sys.modules, "cupy", module)
    core = SimpleNamespace(_routines_linalg=products)
    monkeypatch.setitem(sys.modules, "cupy._core", core)
    return module


def test_what_cupy_is_asked_for(cupy: Any) -> None:
    gpu = backend("auto")
    assert isinstance(gpu, CuPy)
    assert gpu.device == "A GPU, with CuPy"
    assert gpu.free_bytes() == 1300, "what the pool keeps is free"
    cupy.pool.limit = 700
    assert gpu.free_bytes() == 200, "and not more than the pool may have"
    with gpu.running("test"):
        assert cupy.products.kind == 1, "no TF32"
    assert cupy.products.kind == 7
    assert cupy.pool.freed == cupy.pinned.freed == 1
    with pytest.raises(convcalc.ConvcalcError, match="test: the memory of A GPU, with CuPy does"):
        with gpu.running("test"):
            raise MemoryError
    assert cupy.products.kind == 7
    assert cupy.pool.freed == 2


def test_a_gpu_that_computes_wrongly(cupy: Any) -> None:
    cupy.matmul = strict.multiply
    with pytest.raises(UsageError, match="2 × 2 ones are multiplied wrongly"):
        backend("cupy")


# -- a GPU ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def gpu() -> CuPy:
    try:
        return CuPy()
    except UsageError as error:
        pytest.skip(str(error))


@pytest.mark.gpu
@pytest.mark.parametrize("name", NAMES)
def test_layers_agree_on_a_gpu(gpu: CuPy, name: str) -> None:
    def check(data: st.DataObject, layer: Layer, shapes: Shapes) -> None:
        if operation(layer, shapes) is None:
            return
        for dtype, close in (("float16", 2e-3), ("float32", 1e-5), ("float64", 1e-12)):
            inputs, weights = sample(layer, shapes, dtype)
            there = {own: gpu.to_device(weight) for own, weight in weights.items()}
            y = computed(layer, gpu.xp, tuple(map(gpu.to_device, inputs)), there)
            due = computed(layer, np, inputs, weights)
            assert gpu.holds(y)
            assert y.dtype == due.dtype
            assert np.allclose(gpu.to_host(y), due, rtol=close, atol=close)

    explore(name, check, share=100)


@pytest.mark.gpu
@pytest.mark.parametrize(("name", "sizes"), NETS)
def test_networks_on_a_gpu(gpu: CuPy, name: str, sizes: dict[str, int]) -> None:
    net = convcalc.load(name, **sizes)
    assert np.allclose(net.run(backend=gpu), net.run(), rtol=1e-4, atol=1e-5)
    verified = net.verify(backend=gpu)
    assert not verified.skipped
    assert [check for check in verified.checks if not check.ok] == []
    assert gpu.xp.get_default_memory_pool().free_bytes() == 0, "what was used is given back"


@pytest.mark.gpu
def test_float32_is_computed_in_full_on_a_gpu(gpu: CuPy) -> None:
    """1 + 2⁻¹², which TF32 rounds to 1."""
    from cupy._core import _routines_linalg as products

    net = convcalc.loads("{input: [64], layers: [linear: {out_features: 64, bias: false}]}")
    x = np.full((1, 64), 1 + 2.0**-12, "float32")
    products.set_compute_type("float32", products.COMPUTE_TYPE_TF32)
    try:
        y = net.run(x, {"linear1.weight": np.eye(64, dtype="float32")}, backend=gpu)
        assert products.get_compute_type("float32") == products.COMPUTE_TYPE_TF32
    finally:
        products.set_compute_type("float32", products.COMPUTE_TYPE_DEFAULT)
    assert (y == x).all()


# -- memory ---------------------------------------------------------------------------------------

SPECS = [
    ("mobilenet_v2", {"H": 96, "W": 96}),
    ("shufflenet_v2_x1_0", {"H": 96, "W": 96}),
    ("{input: [8, 99, 9], layers: [conv_transpose: {out_channels: 40, kernel: 5, stride: 2}]}", {}),
    ("{input: [8, 99, 24], layers: [separable_conv: {out_channels: 64, kernel: 5}, relu]}", {}),
    ("{input: [16, 99, 24], layers: [gelu, flatten, tanh]}", {"N": 3}),
    ("{input: [64, 99, 24], layers: [{dropout: 0.5}, flatten]}", {}),
    ("{input: [600], layers: [linear: 900, relu, linear: 10]}", {"N": 99}),
]  # fmt: skip


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize(("spec", "sizes"), SPECS)
def test_what_a_run_needs_is_what_it_takes(spec: str, sizes: dict[str, int], dtype: str) -> None:
    """Up to two and a half times what is measured; weights that are given are not counted.

    `exact` runs float32 in float64, with weights of that type.
    """
    net = (convcalc.loads if "{" in spec else convcalc.load)(spec, **sizes)
    dtype = "float64" if dtype == "float32" else dtype
    weights = net.init(dtype=dtype)
    x = np.zeros(net.graph.inputs[0].shape, dtype)  # type: ignore[arg-type]
    due = needs(net.graph, dtype, Backend(), weights)
    assert due.weights == due.drawn == 0
    assert due.activations == net.summarize(dtype=dtype).totals.peak_activation_bytes + x.nbytes
    tracemalloc.start()
    net.run(x, weights, exact=True)
    taken = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 0.9 * taken < due.total < 2.5 * taken


@pytest.mark.parametrize("name", ["mobilenet_v2", "resnet18", "densenet121", "unet"])
def test_what_a_plan_needs_is_no_less_than_it_takes(name: str) -> None:
    net = convcalc.load(name, **{"H": 188, "W": 188} if name == "unet" else {})
    weights = net.init()
    x = np.zeros(net.graph.inputs[0].shape, "float32")  # type: ignore[arg-type]
    due = planned_needs(net.graph, "float32", Backend(), weights, workers(2))
    tracemalloc.start()
    net.run(x, weights, threads=2)
    taken = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 0.9 * taken < due.total < 4 * taken


def test_random_weights_need_memory_too() -> None:
    net = convcalc.loads("{input: [2000], layers: [linear: 1000]}")
    x = np.zeros((1, 2000), "float32")
    net.run(x, exact=True)
    due = needs(net.graph, "float64", Backend())
    tracemalloc.start()
    net.run(x, dtype="float64", exact=True)
    taken = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert due.weights == 8 * 2_001_000
    assert 0.97 * taken < due.total < 1.3 * taken


def test_what_a_verification_needs_is_what_it_takes() -> None:
    net = convcalc.load("mobilenet_v2", H=96, W=96)
    due = needed_bytes(net.graph, Backend())
    tracemalloc.start()
    assert net.verify().ok
    taken = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 0.9 * taken < due < 1.5 * taken


class Full(Backend):
    def free_bytes(self) -> int:
        return 100_000_000


class Roomy(Backend):
    def free_bytes(self) -> int:
        return 10**15


def test_random_weights_are_drawn_on_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("convcalc.execution.memory.available_bytes", lambda: 100_000_000)
    net = convcalc.load("vgg16")
    with pytest.raises(convcalc.ConvcalcError, match=r"needs about 1\.61 GB .* 0\.10 GB are free"):
        net.run(backend=Roomy())


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_too_little_memory_is_said_before_any_is_taken(dtype: str) -> None:
    net = convcalc.load("vgg16")
    tracemalloc.start()
    with pytest.raises(convcalc.ConvcalcError) as error:
        net.run(dtype=dtype, backend=Full())
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()
    parts = "weights 0.79, numbers to draw 0.82" if dtype == "float32" else "weights 0.28, "
    assert str(error.value).startswith(
        f"run: it needs about {'1.61' if dtype == 'float32' else '1.10'} GB of memory ({parts}"
    )
    assert str(error.value).endswith("and 0.10 GB are free. A smaller input or batch needs less.")
    assert net.verify(backend=Full()).skipped.endswith("0.1 GB are free")


def test_weights_in_a_file_are_not_read_without_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = convcalc.loads(SMALL)
    np.savez(tmp_path / "w.npz", **net.init())
    (tmp_path / "net.yaml").write_text(SMALL)
    monkeypatch.setattr(backends, "available_bytes", lambda: 1000)
    arguments = ["run", str(tmp_path / "net.yaml"), "--weights", str(tmp_path / "w.npz")]
    done = CliRunner().invoke(cli, arguments)
    told = r"run: it needs about 0\.0\d GB of memory \(weights 0\.00, .* and 0\.00 GB are free"
    assert re.match(told, str(done.exception))


@pytest.mark.parametrize("what", ["run", "verify"])
def test_memory_that_ends_all_the_same(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def more(*_: Any) -> Any:
        return np.zeros(10**15)

    monkeypatch.setattr(layer_class("softmax"), "forward", more)
    with pytest.raises(convcalc.ConvcalcError) as error:
        getattr(convcalc.loads(SMALL.replace("relu", "softmax")), what)()
    assert str(error.value) == (
        f"{what}: the memory of the processor, with NumPy does not do: Unable to allocate 7.11 PiB "
        "for an array with shape (1000000000000000,) and data type float64. A smaller input or "
        "batch needs less."
    )


def test_memory_that_ends_anywhere_else() -> None:
    code = """
import sys
from convcalc.commands import cli
def main(**options):
    raise MemoryError
cli.main = main
from convcalc.__main__ import main
main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 3
    assert done.stderr == "Error: the memory does not do\n"


MEMINFO = "MemTotal:       24684084 kB\nMemFree:        22959212 kB\nMemAvailable:   8000 kB\n"


@pytest.mark.parametrize(
    ("files", "free"),
    [
        ({}, None),
        ({"proc/meminfo": MEMINFO}, 8_192_000),
        ({"proc/meminfo": "MemTotal: 1 kB\nMemAvailable: much kB\n"}, None),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "max\n",
          "sys/fs/cgroup/memory.current": "5000\n", "proc/meminfo": MEMINFO}, 8_192_000),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "9000\n",
          "sys/fs/cgroup/memory.current": "5000\n", "proc/meminfo": MEMINFO}, 4000),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "9000\n",
          "sys/fs/cgroup/memory.current": "5000\n",
          "sys/fs/cgroup/memory.stat": "anon 1\ninactive_file 2000\nactive_file 9\n"}, 6000),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "9000\n",
          "sys/fs/cgroup/memory.current": "9500\n"}, 0),
        # the limit of a group further up
        ({"proc/self/cgroup": "0::/a/b/c\n", "sys/fs/cgroup/a/memory.max": "900\n",
          "sys/fs/cgroup/a/memory.current": "500\n", "sys/fs/cgroup/a/b/c/memory.max": "max\n",
          "sys/fs/cgroup/a/b/c/memory.current": "100\n"}, 400),
        # version 1, which says "no limit" with a number, beside version 2 without the controller
        ({"proc/self/cgroup": "5:devices:/\n4:cpu,memory:/x\n0::/\n",
          "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
          "sys/fs/cgroup/memory/memory.usage_in_bytes": "1109434368\n",
          "sys/fs/cgroup/memory/x/memory.limit_in_bytes": "7000\n",
          "sys/fs/cgroup/memory/x/memory.usage_in_bytes": "3000\n",
          "sys/fs/cgroup/memory/x/memory.stat": "inactive_file 9\ntotal_inactive_file 500\n"},
         4500),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/unified/memory.max": "70\n",
          "sys/fs/cgroup/unified/memory.current": "30\n"}, 40),
        ({"proc/self/cgroup": "\nnonsense\n0::\n4:memory\n"}, None),
    ],
)  # fmt: skip
def test_memory_that_is_free(files: dict[str, str], free: int | None, tmp_path: Path) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert available_bytes(f"{tmp_path}/") == free


@pytest.mark.skipif(not Path("/proc/meminfo").exists(), reason="the system has no /proc/meminfo")
def test_memory_that_is_free_here() -> None:
    free = available_bytes()
    assert free is not None
    assert free > 1_000_000


# -- Ctrl-C ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["run", "verify"])
def test_an_interrupt_ends_a_command(command: str, tmp_path: Path) -> None:
    """130, no traceback, no file: sent to the program when it is within the run."""
    target = tmp_path / ("y.npy" if command == "run" else "y.json")
    code = f"""
import os, signal, sys
from convcalc.layers import layer_class
forward = layer_class("softmax").forward
def interrupted(*arguments):
    os.kill(os.getpid(), signal.SIGINT)
    return forward(*arguments)
layer_class("softmax").forward = interrupted
sys.argv = ["convcalc", {command!r}, "lenet5", "-o", {str(target)!r}]
from convcalc.__main__ import main
main()
"""
    spec = tmp_path / "net.yaml"
    spec.write_text(SMALL.replace("relu", "softmax"))
    code = code.replace('"lenet5"', repr(str(spec)))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 130
    assert done.stdout == ""
    assert done.stderr.strip() == ""
    assert os.listdir(tmp_path) == ["net.yaml"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals")
def test_an_interrupt_takes_the_progress_bar_away(tmp_path: Path) -> None:
    spec = tmp_path / "net.yaml"
    spec.write_text("{input: [64, 64], layers: [{repeat: 30000, layers: [relu]}]}")
    above, below = pty.openpty()
    arguments = [sys.executable, "-m", "convcalc", "verify", str(spec)]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80"}
    started = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=below, env=environment)
    os.close(below)
    try:
        shown = told(above, b"layers run")
        started.send_signal(signal.SIGINT)
        shown += told(above, None)
        assert started.wait(20) == 130
    finally:
        started.kill()
        os.close(above)
    assert b"Traceback" not in shown
    # the bar's line is cleared, and the cursor shown again
    assert shown.rindex(b"\x1b[2K") > shown.rindex(b"layers run")
    assert shown.rindex(b"\x1b[?25h") > shown.rindex(b"\x1b[?25l")
    assert started.stdout is not None
    assert started.stdout.read() == b""
    started.stdout.close()


def told(terminal: int, until: bytes | None) -> bytes:
    """What a program writes to its terminal, up to some bytes or to its end."""
    shown = b""
    end = time.monotonic() + 30
    while (until is None or until not in shown) and time.monotonic() < end:
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                part = os.read(terminal, 10_000)
            except OSError:  # Linux says so that nobody writes any more
                part = b""
            if not part:
                break
            shown += part
    return shown
