"""`python -m tests.benchmarks.forward`: forward passes beside PyTorch's and ONNX Runtime's.

Each engine runs the same weights on the same input with two threads, taken in turn, in one
process, twice each time, of which the second is timed: what counts are the ratios. PyTorch runs in
eager mode, once with its tensors channels first and once channels last, and the better median
counts. A peer that is not installed is left out.

    python -m tests.benchmarks.forward [NETWORK,…] [BATCH,…] [ROUNDS]
"""

from __future__ import annotations

import importlib.util
import math
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import convcalc

NETWORKS = ("alexnet", "vgg16", "resnet50", "mobilenet_v2", "densenet121")
BATCHES = (1, 8)
ROUNDS = 9
THREADS = 2
PAUSE = 0.05
"""Seconds after which no engine's idle threads wait by spinning any more."""

Run = Callable[[], Any]


def main() -> None:
    if len(sys.argv) > 4:  # a process of this benchmark
        print(peak_rss(sys.argv[1], int(sys.argv[2]), sys.argv[4]))
        return
    networks = sys.argv[1].split(",") if sys.argv[1:] else NETWORKS
    batches = [int(n) for n in sys.argv[2].split(",")] if sys.argv[2:] else BATCHES
    rounds = int(sys.argv[3]) if sys.argv[3:] else ROUNDS
    for name, why in ABSENT.items():
        print(f"{name} is not installed: {why}")
    ratios: dict[str, list[float]] = {}
    print(f"{'':<20}{'convcalc':>20}" + "".join(f"{name:>32}" for name in PEERS))
    head = f"{'network':<14}{'batch':>6}{'ms':>10}{'MB':>10}"
    print(head + f"{'ms':>12}{'MB':>10}{'ratio':>10}" * len(PEERS))
    for batch in batches:
        for network in networks:
            measured = medians(network, batch, rounds)
            own, *_ = measured["convcalc"]
            line = f"{network:<14}{batch:>6}{own:>10.1f}{memory(network, batch, 'convcalc'):>10}"
            for peer in PEERS:
                best = min(measured[peer])
                ratios.setdefault(peer, []).append(own / best)
                line += f"{best:>12.1f}{memory(network, batch, peer):>10}{own / best:>10.2f}"
            print(line, flush=True)
    for peer, found in ratios.items():
        mean = math.exp(statistics.mean(map(math.log, found)))
        print(f"geometric mean, convcalc ÷ {peer}: {mean:.2f}")
    print("ms: medians; MB: peak of the memory over that after the imports, in a process apart")


def medians(network: str, batch: int, rounds: int) -> dict[str, list[float]]:
    """Milliseconds of every way to run a network, by the engine's name."""
    net = convcalc.load(network, N=batch)
    weights = net.init()
    x = net.graph.inputs[0]
    data = np.random.default_rng(0).random(x.shape, "float32")  # type: ignore[arg-type]
    runs = {engine: ways(net, weights, data) for engine, ways in ENGINES.items()}
    taken: dict[str, list[list[float]]] = {name: [[] for _ in ways] for name, ways in runs.items()}
    for number in range(rounds + 1):
        for engine, ways in runs.items():
            for found, run in zip(taken[engine], ways, strict=True):
                time.sleep(PAUSE)
                run()
                start = time.perf_counter()
                run()
                if number:  # the first round fills the caches
                    found.append(1e3 * (time.perf_counter() - start))
    return {name: [statistics.median(each) for each in found] for name, found in taken.items()}


def memory(network: str, batch: int, engine: str) -> str:
    """Megabytes that a run takes at most beyond the imports, measured in a process of its own."""
    command = [sys.executable, "-m", __spec__.name, network, str(batch), "1", engine]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    return found.stdout.strip()


def peak_rss(network: str, batch: int, engine: str) -> int:
    """Megabytes of the peak of the resident memory over that before the network is built."""
    net = convcalc.load(network, N=batch)
    shape: Any = net.graph.inputs[0].shape
    first = convcalc.load("lenet5")  # imports whatever the engine needs
    ENGINES[engine](first, first.init(), np.ones(first.graph.inputs[0].shape, "float32"))[0]()  # type: ignore[arg-type]
    before = _status("VmRSS")
    for run in ENGINES[engine](net, net.init(), np.ones(shape, "float32"))[:1]:
        run()
        run()
    return (_status("VmHWM") - before) // 1_000_000


def _status(key: str) -> int:
    with open("/proc/self/status", encoding="ascii") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith(key)) * 1024


def convcalc_ways(net: convcalc.Network, weights: Any, x: Any) -> list[Run]:
    compiled = net.compile(weights, threads=THREADS)
    return [lambda: compiled(x)]


def torch_ways(net: convcalc.Network, weights: Any, x: Any) -> list[Run]:
    import torch

    from convcalc.interchange.torch_module import torch_module

    torch.set_num_threads(THREADS)
    given = torch.from_numpy(x)
    first, last = torch_module(net.graph, weights), torch_module(net.graph, weights)
    last = last.to(memory_format=torch.channels_last)

    def run(module: Any, tensor: Any) -> None:
        with torch.inference_mode():
            module(tensor)

    return [
        lambda: run(first, given),
        lambda: run(last, given.contiguous(memory_format=torch.channels_last)),
    ]


def onnxruntime_ways(net: convcalc.Network, weights: Any, x: Any) -> list[Run]:
    import onnxruntime

    from convcalc.interchange.onnx_model import onnx_model

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    model = onnx_model(net.graph, weights).SerializeToString()
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    del model
    (name,) = (each.name for each in session.get_inputs())
    return [lambda: session.run(None, {name: x})]


ENGINES: dict[str, Callable[[convcalc.Network, Any, Any], list[Run]]] = {"convcalc": convcalc_ways}
ABSENT: dict[str, str] = {}
for _name, _modules, _ways, _install in (
    ("PyTorch", ("torch",), torch_ways, "pip install torch"),
    ("ONNX Runtime", ("onnx", "onnxruntime"), onnxruntime_ways, "pip install 'convcalc[onnx]'"),
):
    if all(map(importlib.util.find_spec, _modules)):
        ENGINES[_name] = _ways
    else:
        ABSENT[_name] = _install
PEERS = [name for name in ENGINES if name != "convcalc"]

if __name__ == "__main__":
    main()
