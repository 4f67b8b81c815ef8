"""Sweeps against a loop of summaries, row by row."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import convcalc

OF = ("params", "macs", "activation_bytes")

SPEC = """
input: [3, H, W]
variables: {H: 24, W: 20, width: 1, depths: [1, 1], act: relu}
blocks:
  stage: {arguments: {out, depth}, layers: [{repeat: depth, layers: [
      conv: {out_channels: out, kernel: 3}, act]}, max_pool: 2]}
layers:
  - stage: {out: 8 * width, depth: "depths[0]"}
  - stage: {out: 16 * width, depth: "depths[1]"}
  - flatten
  - linear: 10
"""


def loop(net: convcalc.Network, grid: dict[str, list[Any]]) -> Iterator[dict[str, Any]]:
    """The same by one summary after another; what does not fit is left out."""
    for values in itertools.product(*grid.values()):
        point = dict(zip(grid, values, strict=True))
        try:
            totals = net.summarize(**point).totals
        except convcalc.ConvcalcError:
            continue
        yield {**point, **{of: getattr(totals, of) for of in OF}}


def rows(found: Any) -> list[dict[str, Any]]:
    """The rows in an order that does not depend on which axes are structures."""

    def key(row: dict[str, Any]) -> list[Any]:
        return [str(v) if isinstance(v, str) else float(v) for v in row.values()]

    return sorted(found, key=key)


@pytest.mark.parametrize(
    "grid",
    [
        {"H": [9, 10, 15, 24, 31], "W": [9, 12, 33]},
        {"N": [1, 3], "H": [9, 10, 40], "W": [10]},
        {"H": [12, 24], "width": [1, 2, 3]},
        {"width": [Fraction(1, 8), Fraction(1, 2), 1, Fraction(1, 3)], "H": [9, 24]},
        {"H": [8, 24], "act": ["relu", "elu"]},
    ],
)
def test_a_sweep_is_a_loop(grid: dict[str, list[Any]]) -> None:
    net = convcalc.loads(SPEC)
    found = net.sweep(grid, of=OF)
    expected = rows(loop(net, grid))
    for row in expected:
        row.update({k: float(v) for k, v in row.items() if isinstance(v, Fraction)})
    assert rows(found.to_dicts()) == expected
    assert found.legal == len(expected)
    assert found.configurations == len(list(itertools.product(*grid.values())))


def test_structures() -> None:
    net = convcalc.loads(SPEC)
    depths = ["[1, 1]", "[2, 1]", "[1, 3]", "[9, 9]"]
    grid: dict[str, list[Any]] = {"depths": depths, "H": [18, 24, 40], "W": [20, 30]}
    found = net.sweep(grid, of=OF)
    assert found.to_dicts() == list(loop(net, grid))
    assert found.legal < found.configurations


def test_random_points_of_resnet50() -> None:
    net = convcalc.load("resnet50")
    rng = random.Random(3)
    points = np.array([[rng.randint(1, 600), rng.randint(1, 600), rng.randint(1, 99)]
                       for _ in range(3_000)])  # fmt: skip
    found = net.sweep({("H", "W", "width"): points})
    for index in range(0, 3_000, 100):
        h, w, width = map(int, points[index])
        totals = net.summarize(H=h, W=w, width=width).totals
        assert (found["macs"][index], found["params"][index]) == (totals.macs, totals.params)


def test_numbers_over_64_bits_are_exact() -> None:
    net = convcalc.load("alexnet")
    sizes = [2**32 - 5, 2**32, 2**40]
    found = net.sweep({"H": sizes, "W": sizes}, of="macs")
    for row in found.to_dicts():
        assert row["macs"] == net.summarize(H=row["H"], W=row["W"]).totals.macs
    assert max(found["macs"]) > 2**64


def test_where_top_and_pareto() -> None:
    net = convcalc.load("mobilenet_v2")
    grid: dict[str, Any] = {
        "width": [Fraction(i, 20) for i in range(5, 30)],
        "H": range(96, 257, 8),
    }
    everything = net.sweep(grid).to_dicts()
    kept = [row for row in everything if row["macs"] < 100_000_000 and row["params"] < 3_000_000]
    where = "macs < 100M and params < 3M"
    assert net.sweep(grid, where=where).to_dicts() == kept
    largest = sorted(kept, key=lambda row: -row["macs"])[:7]
    assert net.sweep(grid, where=where, top=7, by="macs").to_dicts() == largest
    smallest = sorted(kept, key=lambda row: row["params"])[:7]
    assert net.sweep(grid, where=where, top=7, by="-params").to_dicts() == smallest
    front = [
        row for row in everything
        if not any(
            other["macs"] <= row["macs"] and other["H"] >= row["H"]
            and other["width"] >= row["width"] and other != row
            for other in everything
        )
    ]  # fmt: skip
    found = net.sweep(grid, pareto="macs,-H,-width").to_dicts()
    assert rows(found) == rows(front)
