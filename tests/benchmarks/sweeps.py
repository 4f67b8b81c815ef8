"""`python -m tests.benchmarks.sweeps`: MACs and parameters at a million inputs, in one run."""

from __future__ import annotations

import resource
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import convcalc

POINTS = 1_000_000
LOOPED = 300
ROUNDS = 7
CHUNK = 65_536

Counts = tuple[Any, Any]


def main() -> None:
    million()
    whole_grid()
    deep_network()


def million() -> None:
    """ResNet-50 at random heights, widths and channel widths, the ways taken in turn."""
    net = convcalc.load("resnet50")
    rng = np.random.default_rng(0)
    points = rng.integers([32, 32, 8], [1025, 1025, 257], (POINTS, 3))
    height, width, channels = (np.ascontiguousarray(column) for column in points.T)
    names = ["H", "W", "width"]
    macs, params = (net.formula(of, names).compile() for of in ("macs", "params"))

    def compiled() -> Counts:
        return macs(H=height, W=width, width=channels), params(H=1, W=1, width=channels)

    def swept() -> Counts:
        found = net.sweep({tuple(names): points})
        return found["macs"], found["params"]

    def by_hand() -> Counts:
        counts = np.empty(POINTS, "int64"), np.empty(POINTS, "int64")
        for start in range(0, POINTS, CHUNK):
            part = slice(start, start + CHUNK)
            counts[0][part] = macs_by_hand(height[part], width[part], channels[part])
            counts[1][part] = 5724 * channels[part] ** 2 + 32977 * channels[part] + 1000
        return counts

    def looped() -> Counts:
        totals = [
            net.summarize(H=h, W=w, width=c).totals for h, w, c in points[:LOOPED].tolist()
        ]  # fmt: skip
        return [t.macs for t in totals], [t.params for t in totals]

    ways: dict[str, tuple[Callable[[], Counts], int]] = {
        "formula(...).compile()": (compiled, POINTS),
        "sweep": (swept, POINTS),
        "six terms by hand, NumPy": (by_hand, POINTS),
        "a loop of summarize": (looped, LOOPED),
    }
    rates: dict[str, list[float]] = {name: [] for name in ways}
    expected = by_hand()
    for round_ in range(ROUNDS + 1):
        for name, (way, count) in ways.items():
            start = time.perf_counter()
            found = way()
            seconds = time.perf_counter() - start
            for counts, right in zip(found, expected, strict=True):
                assert np.array_equal(counts, right[:count])
            if round_:  # the first round compiles and fills the caches
                rates[name].append(count / seconds)
    ours = rates["formula(...).compile()"]
    print(f"{'MACs and parameters of ResNet-50':<34} {'a second':>12} {'compiled is × faster':>21}")
    for name, found_rates in rates.items():
        ratio = statistics.median(a / b for a, b in zip(ours, found_rates, strict=True))
        print(f"{name:<34} {statistics.median(found_rates):>12,.0f} {ratio:>21.2f}")
    print(f"most memory {peak_megabytes():,.0f} MB")


def macs_by_hand(height: Any, width: Any, channels: Any) -> Any:
    """The MACs of ResNet-50 as one writes them down: six terms."""

    def pixels(stride: int) -> Any:
        return -(-height // stride) * -(-width // stride)

    return channels * (
        60 * channels * pixels(4) + 320 * channels * pixels(8) + 1824 * channels * pixels(16)
        + 3520 * channels * pixels(32) + 147 * pixels(2) + 32_000
    )  # fmt: skip


def whole_grid() -> None:
    """A hundred million configurations, of which the largest few are kept."""
    net = convcalc.load("resnet50")
    start = time.perf_counter()
    found = net.sweep({"H": range(1, 10_001), "W": range(1, 10_001)}, top=5, by="macs")
    rate = found.configurations / (time.perf_counter() - start)
    print(f"{f'{found.configurations:,} in a grid, top 5':<34} {rate:>12,.0f}")
    print(f"most memory {peak_megabytes():,.0f} MB")


def deep_network() -> None:
    """The closed form of a network of a thousand layers that are all different."""
    net = convcalc.load("densenet121", depths="[36, 36, 36, 36]")
    start = time.perf_counter()
    net.formula("macs", ["N", "H", "W", "growth"])
    seconds = time.perf_counter() - start
    print(f"closed form of {len(net.graph.nodes):,} layers: {seconds:.2f} s")


def peak_megabytes() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak / 1e3


if __name__ == "__main__":
    main()
