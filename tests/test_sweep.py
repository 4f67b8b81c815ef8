"""Sweeps against a loop of summaries, row by row; and files, clusters and bad input."""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
import json
import logging
import os
import pickle
import pty
import random
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

import convcalc
from convcalc.__main__ import main
from convcalc.analysis.sweep import rows as rows_module
from convcalc.analysis.sweep import run
from convcalc.analysis.sweep.plan import axis
from convcalc.analysis.sweep.rows import front, largest
from convcalc.commands import cli
from convcalc.errors import ConvcalcError, OutputError, UsageError
from convcalc.report.sweeps import writer

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


# -- values ---------------------------------------------------------------------------------------

WIDE = """
input: [c, H, W]
variables: {c: 3, H: 9, W: 10, width: 1, p: 1, k: 3, s: 1, norm: true, act: relu, depths: [1, 1]}
layers:
  - repeat: depths[0]
    layers: [conv: {out_channels: make_divisible(8 * width), kernel: k, padding: p, stride: s}, act]
  - {batch_norm: , when: norm}
  - repeat: depths[1]
    layers: [max_pool: {kernel: 2, padding: p // 2}]
  - {conv: {out_channels: 5, kernel: 1, bias: false}, when: in_channels == c}
  - flatten
  - linear: 10
"""
WIDE_OF = (*OF, "peak_activation_bytes")

VALUES: dict[str, st.SearchStrategy[Any]] = {
    "N": st.integers(-1, 9),
    "H": st.integers(-2, 30) | st.integers(2**20, 2**30),
    "W": st.integers(1, 30),
    "c": st.integers(1, 20),
    "width": st.fractions(Fraction(1, 16), 3, max_denominator=24) | st.integers(0, 3),
    "p": st.integers(0, 3),
    "k": st.integers(1, 5),
    "s": st.integers(1, 3),
    "norm": st.booleans(),
    "act": st.sampled_from(["relu", "silu", "hardly"]),
    "depths": st.sampled_from([[1, 1], [2, 1], [1, 3], [1]]),
}


@st.composite
def grids(draw: st.DrawFn) -> dict[Any, list[Any]]:
    """Values of some variables, a few of them tied."""
    names = draw(st.permutations(list(VALUES)))[: draw(st.integers(1, 4))]
    size = 5 if len(names) < 3 else 3
    grid: dict[Any, list[Any]] = {}
    while names:
        tied = tuple(names.pop() for _ in range(min(len(names), draw(st.sampled_from([1, 1, 2])))))
        if len(tied) == 1:
            grid[tied[0]] = draw(st.lists(VALUES[tied[0]], min_size=1, max_size=size))
        else:
            rows = st.tuples(*(VALUES[name] for name in tied))
            grid[tied] = draw(st.lists(rows, min_size=1, max_size=size))
    return grid


def points(grid: dict[Any, list[Any]]) -> Iterator[dict[str, Any]]:
    for values in itertools.product(*grid.values()):
        point: dict[str, Any] = {}
        for names, value in zip(grid, values, strict=True):
            point.update(zip(names, value, strict=True) if isinstance(names, tuple)
                         else [(names, value)])  # fmt: skip
        yield point


def shown(value: Any) -> Any:
    """As a row has it."""
    if isinstance(value, Fraction):
        return float(value)
    return str(value).lower() if isinstance(value, (bool, list)) else value


def reference(net: convcalc.Network, grid: dict[Any, list[Any]], of: Any) -> list[dict[str, Any]]:
    """The rows by a loop of summaries."""
    found = []
    for point in points(grid):
        try:
            totals = net.summarize(**point).totals
        except convcalc.ConvcalcError:
            continue
        found.append({**{k: shown(v) for k, v in point.items()},
                      **{name: getattr(totals, name) for name in of}})  # fmt: skip
    return found


def in_order(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(found, key=lambda row: [(isinstance(v, str), v) for v in row.values()])


@settings(max_examples=60, deadline=None)
@given(grids())
def test_any_grid_is_a_loop(grid: dict[Any, list[Any]]) -> None:
    net = convcalc.loads(WIDE)
    found = net.sweep(grid, of=WIDE_OF)
    expected = reference(net, grid, WIDE_OF)
    assert in_order(found.to_dicts()) == in_order(expected)
    assert found.legal == len(expected)
    assert found.configurations == len(list(points(grid)))


@pytest.mark.parametrize("kind", ["int8", "uint8", "int32", "uint64", "float64", "object"])
def test_numpy_values(kind: str) -> None:
    net = convcalc.loads(SPEC)
    expected = net.sweep({"H": [24, 30, 24], "W": 20}, pareto="macs,-H")
    found = net.sweep({"H": np.array([24, 30, 24], kind), "W": 20}, pareto="macs,-H")
    assert found.to_dicts() == expected.to_dicts()
    assert found["H"].dtype == "int64"
    tied = np.array([[24, 20], [30, 22]], kind)
    assert (
        net.sweep({("H", "W"): tied}).to_dicts()
        == net.sweep({("H", "W"): tied.tolist()}).to_dicts()
    )


def test_floats_are_the_decimals_that_they_print_as() -> None:
    net = convcalc.load("mobilenet_v2")
    exact = net.sweep({"width": [Fraction(1, 10), Fraction(7, 10)]}).to_dicts()
    for kind in ("float32", "float64"):
        assert net.sweep({"width": np.array([0.1, 0.7], kind)}).to_dicts() == exact
    assert net.sweep({"width": [0.1, 0.7]}).to_dicts() == exact


def test_ranges_single_values_and_steps_down() -> None:
    net = convcalc.load("resnet18")
    assert net.sweep({"H": range(64, 40, -8)})["H"].tolist() == [64, 56, 48]
    assert (
        net.sweep({"H": 64, "W": [64]}).to_dicts() == net.sweep({("H", "W"): [(64, 64)]}).to_dicts()
    )
    assert net.sweep({("H", "W"): range(64, 66)})["W"].tolist() == [64, 65]


def test_columns_have_one_type_over_all_structures() -> None:
    net = convcalc.loads(SPEC)
    found = net.sweep({"act": ["relu", "tanh"], "width": [1, Fraction(1, 8), Fraction(1, 3)]})
    assert found["width"].dtype == float
    assert found["width"].tolist() == [1.0, 0.125] * 2


def test_a_division_by_zero_is_left_out() -> None:
    net = convcalc.loads(
        "input: [3, H, W]\nvariables: {H: 9, W: 9, d: 4}\n"
        "layers: [conv: {out_channels: 'max(2, 40 // (H - d))', kernel: 1}]"
    )
    grid: dict[Any, list[Any]] = {"d": [1, 3, 9], "H": [1, 2, 3, 9], "W": [2, 3]}
    found = net.sweep(grid, of=OF)
    assert in_order(found.to_dicts()) == in_order(reference(net, grid, OF))
    assert found.legal == (12 - 3) * 2
    assert "division by zero" in found.misfits[0]


def test_a_structure_that_fits_for_equal_sizes_only() -> None:
    net = convcalc.loads(
        "input: [c, 1, 1]\nvariables: {c: 8, d: 8, x: 1}\nlayers:\n"
        "  - {max_pool: 2, when: in_channels != d}\n  - conv: {out_channels: d + x, kernel: 1}"
    )
    grid: dict[Any, list[Any]] = {"x": [1, 2], "c": [1, 7, 8], "d": [7, 8, 9]}
    found = net.sweep(grid, of=OF)
    assert in_order(found.to_dicts()) == in_order(reference(net, grid, OF))
    assert found.legal == 4
    found = net.sweep({"x": range(1, 50), "d": 8, "c": range(1, 100)})
    assert (set(found["c"]), found.legal) == ({8}, 49)


def test_what_is_wrong_whatever_the_sizes_is_found_at_once() -> None:
    net = convcalc.loads(SPEC)
    found = net.sweep({"act": ["hardly", "relu"], "H": range(9, 50_009)}, top=1, by="H")
    assert (found.configurations, found.legal, len(found.misfits)) == (100_000, 49_999, 1)


def test_several_inputs_and_variables_without_a_value() -> None:
    net = convcalc.loads(
        "inputs: {a: [3, H, W], b: [3, H, V]}\nvariables: {H: 9, W: 9, V: 9, classes: }\nlayers:\n"
        "  - {conv: {out_channels: 4, kernel: 3}, from: a, name: x}\n"
        "  - {conv: {out_channels: 4, kernel: 3}, from: b, name: y}\n"
        "  - {add: , from: [x, y]}\n  - flatten\n  - linear: classes\n"
    )
    grid: dict[Any, list[Any]] = {"W": [8, 9], "V": [8, 9], "classes": [2, 5]}
    found = net.sweep(grid, of=OF)
    assert in_order(found.to_dicts()) == in_order(reference(net, grid, OF))
    assert found.legal == 4
    with pytest.raises(UsageError, match=r"no value for classes\. For instance --set classes=64"):
        net.sweep({"W": [9]})


# -- what is kept ---------------------------------------------------------------------------------


def not_beaten(columns: list[list[int]]) -> list[int]:
    """The front by comparing all with all."""
    rows = list(zip(*columns, strict=True))
    return [
        i for i, row in enumerate(rows)
        if not any(all(a <= b for a, b in zip(other, row, strict=True)) and other != row
                   for other in rows)
    ]  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(
    st.integers(1, 5), st.integers(0, 12), st.integers(0, 200), st.booleans(), st.integers(),
    st.sampled_from([1, 9, 4_096]),
)  # fmt: skip
def test_fronts(
    objectives: int, most: int, count: int, large: bool, seed: int, compared: int
) -> None:
    """Also where few rows are compared at once, as of many rows."""
    rng = random.Random(seed)
    columns = [[rng.randint(-most, most) for _ in range(count)] for _ in range(objectives)]
    if large:
        columns[0] = [value * 10**20 for value in columns[0]]
    if seed % 3 == 0:
        columns[-1] = [-value for value in columns[0]]
    arrays = [np.array(c, object if max(map(abs, c), default=0) > 2**63 else "int64")
              for c in columns]  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows_module, "_COMPARED", compared)
        assert front(arrays).tolist() == not_beaten(columns)


def test_large_fronts_of_which_all_or_few_stay() -> None:
    a, b = np.divmod(np.arange(90_000), 300)
    whole = [a * b, -a, -b]
    assert len(front(whole)) > 89_000
    rng = np.random.default_rng(1)
    for objectives in (1, 2, 3, 4):
        columns = [rng.integers(0, 1000, 9_000) for _ in range(objectives)]
        found = front(columns)
        rows = np.array(columns).T
        for i in range(0, 9_000, 9):
            beats = (rows <= rows[i]).all(axis=1) & (rows < rows[i]).any(axis=1)
            assert beats.any() == (i not in found)


@given(st.lists(st.integers(-5, 5), max_size=60), st.integers(1, 70), st.booleans())
def test_the_largest_are_stable(values: list[int], count: int, large: bool) -> None:
    array = np.array(values, "int64") if not large else np.array([v << 70 for v in values], object)
    expected = sorted(range(len(values)), key=lambda i: -values[i])[:count]
    assert largest(array, count).tolist() == expected


def test_top_and_front_over_many_parts_are_those_of_the_whole() -> None:
    net = convcalc.load("lenet5")
    grid = {"H": range(20, 1020), "W": range(20, 220)}
    everything = net.sweep(grid, of="macs")
    for by, sign in (("macs", -1), ("-macs", 1), ("H", -1)):
        order = np.argsort(sign * everything[by.lstrip("-")], kind="stable")
        found = net.sweep(grid, of="macs", top=30, by=by)
        for name in found.columns:
            assert found[name].tolist() == everything[name][order[:30]].tolist()
    found = net.sweep(grid, of="macs", pareto="macs,-H,-W", where="H % 50 == 3 and W % 50 == 2")
    kept = everything["H"] % 50 == 3
    kept &= everything["W"] % 50 == 2
    some = [everything[name][kept].tolist() for name in ("macs", "H", "W")]
    chosen = not_beaten([some[0], [-h for h in some[1]], [-w for w in some[2]]])
    assert found["macs"].tolist() == [some[0][i] for i in chosen]
    assert len(net.sweep(grid, top=10**9, by="macs", where="H == 20")) == 200


def test_fractions_in_conditions_and_objectives() -> None:
    net = convcalc.load("mobilenet_v2")
    widths = [Fraction(i, 30) for i in range(10, 50)]
    whole = net.sweep({"width": widths})
    for where, rule in (
        ("width < 0.5", lambda w, m: w < Fraction(1, 2)),
        ("width * 3 == 2", lambda w, m: w * 3 == 2),
        ("macs / width > 300M", lambda w, m: m / w > 300_000_000),
        ("macs % width > 0", lambda w, m: m % w > 0),
        ("100000000000000000000000 % macs > 5 or width // 0.3 == 2",
         lambda w, m: 10**23 % m > 5 or w // Fraction(3, 10) == 2),
        ("macs < 18446744073709551616", lambda w, m: True),
    ):  # fmt: skip
        expected = [m for w, m in zip(widths, whole["macs"].tolist(), strict=True) if rule(w, m)]
        assert net.sweep({"width": widths}, where=where)["macs"].tolist() == expected
    front_ = net.sweep({"width": widths}, pareto="macs,-width")
    assert set(front_["macs"]) == set(whole["macs"])


def test_conditions_are_asked_only_where_the_network_fits() -> None:
    net = convcalc.loads(
        "input: [3, H, 9]\nvariables: {H: 9}\nlayers: [conv: {out_channels: 2, kernel: 5}]"
    )
    assert net.sweep({"H": range(1, 8)}, where="1 / macs >= 0")["H"].tolist() == [5, 6, 7]
    with pytest.raises(ConvcalcError, match=r"division by zero in the condition '1 / \(H - 6\)'"):
        net.sweep({"H": range(1, 8)}, where="1 / (H - 6) > 0")


def test_objectives_over_64_bits() -> None:
    net = convcalc.load("alexnet")
    sizes = [2**40, 2**39, 2**38]
    found = net.sweep({("H", "W"): [(s, s) for s in sizes]}, of="macs", top=2, by="-macs")
    assert found["H"].tolist() == [2**38, 2**39]
    assert found["macs"].dtype == object
    found = net.sweep({("H", "W"): [(s, s) for s in sizes]}, of="macs", pareto="macs,params")
    assert found["H"].tolist() == [2**38]


# -- bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"HH": [1]}, "'HH' is no variable of this spec. Did you mean 'H'?"),
        ({"H": []}, "H: no values"),
        ({"H": range(9, 5)}, "H: no values"),
        ({"H": np.zeros((2, 2), int)}, "H: one value is due in each row, not an array (2, 2)"),
        ({("H", "W"): [(1, 2, 3)]}, "H, W: 2 values are due in each row, not (1, 2, 3)"),
        ({("H", "W"): ["ab"]}, "H, W: 2 values are due in each row, not ab"),
        ({("H", "W"): np.zeros((3, 3), int)}, "2 values are due in each row, not an array (3, 3)"),
        ({"H": [1], ("H", "W"): [(1, 2)]}, "H is given values twice"),
        ({"H": range(10**12)}, "1,000,000,000,000 configurations (1,000,000,000,000 of H); 1,000,000,000 are the limit. Take larger steps, let variables move together (--set H,W=…), or raise --limit."),  # noqa: E501
        ({"H": range(10**20), "W": [1, 2]}, "200,000,000,000,000,000,000 configurations"),
        ({"depths": ["[1, 1]"] * 101, "act": ["relu"] * 100}, "10,100 structures; 10,000 are the limit: variables that are no sizes, such as depths and strides, or not positive, need a network for each value. Give act fewer values."),  # noqa: E501
        ({"width": [Fraction(1, n) for n in range(1, 200)]}, "width: fractions whose common denominator has more than 40 digits. Round them."),  # noqa: E501
    ],
)  # fmt: skip
def test_values_that_cannot_be(values: Any, text: str) -> None:
    with pytest.raises(UsageError) as error:
        convcalc.loads(SPEC).sweep(values)
    assert text in str(error.value)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"of": "mac"}, "unknown quantity 'mac'. Did you mean 'macs'?"),
        ({"where": "macs < 3 apples"}, "unknown unit 'apples'"),
        ({"where": "W < 3"}, "unknown name 'W'"),
        ({"where": "act < 3"}, "act: a number is due in a condition, not 'relu'"),
        ({"pareto": "act"}, "act has values that are no numbers"),
        ({"top": 3, "by": "-act"}, "act has values that are no numbers"),
        ({"pareto": "-mac"}, "unknown quantity 'mac'"),
        ({"top": 3}, "top and by go together"),
        ({"by": "macs"}, "top and by go together"),
        ({"top": 0, "by": "macs"}, "top 0: at least 1 row is due"),
    ],
)
def test_options_that_cannot_be(options: Any, text: str) -> None:
    with pytest.raises(ConvcalcError) as error:
        convcalc.loads(SPEC).sweep({"H": [24], "act": ["relu"]}, **options)
    assert text in str(error.value)


def test_a_variable_named_like_a_quantity() -> None:
    net = convcalc.loads("input: [3, params, 9]\nvariables: {params: 9}\nlayers: [relu]")
    with pytest.raises(UsageError, match="'params' is a quantity and a variable of the spec"):
        net.sweep({"params": [3]})
    assert net.sweep({"params": [3]}, of="macs")["params"].tolist() == [3]


def test_structures_that_do_not_fit_are_told() -> None:
    net = convcalc.loads(SPEC)
    found = net.sweep({"depths": ["[1, 1]", "[1, x]", "[9, 9]"], "H": [18, 24]})
    assert (found.legal, found.configurations) == (2, 6)
    assert "unknown name 'x'" in found.misfits[0]
    assert "Left out, 2 structures, the first: depths: stage1: unknown name 'x'." in str(found)
    alone = net.sweep({"depths": ["[9, 9]"], "H": [18, 24]})
    assert len(alone) == 0
    assert "\nLeft out, one structure: <string>:6:7: stage2.conv1: a window of 3" in str(alone)


def test_rows_that_memory_should_not_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "MAX_VALUES", 100)
    net = convcalc.loads(SPEC)
    text = (
        "more than 100 values to keep in memory. Keep fewer rows, with --where, --pareto or --top"
    )
    for options in ({}, {"pareto": "macs,-H"}, {"top": 99, "by": "macs"}):
        with pytest.raises(UsageError, match=text):
            net.sweep({"H": range(20, 120)}, **options)  # type: ignore[arg-type]


# -- the command ----------------------------------------------------------------------------------


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """`convcalc sweep …` in this process: exit code, standard output, standard error."""

    def call(*arguments: str, stdin: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["convcalc", "sweep", *arguments])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        with pytest.raises(SystemExit) as end:
            main()
        captured = capsys.readouterr()
        return int(end.value.code or 0), captured.out, captured.err

    return call


def shell(line: str, **options: Any) -> subprocess.CompletedProcess[str]:
    line = line.replace("convcalc", f"{sys.executable} -m convcalc", 1)
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", line], capture_output=True, text=True, **options
    )


def test_a_table(command: Any) -> None:
    code, out, err = command("resnet50", "--set", "H,W=96:224:64", "--set", "width=32,64")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "  H    W  width      params           macs",
        "──────────────────────────────────────────",
        " 96   96     32   6,917,640    194,117,632",
        " 96   96     64  25,557,032    752,746,496",
        "160  160     32   6,917,640    537,395,200",
        "160  160     64  25,557,032  2,087,321,600",
        "224  224     32   6,917,640  1,052,311,552",
        "224  224     64  25,557,032  4,089,184,256",
        "6 configurations.",
    ]


def test_values_on_the_line(command: Any) -> None:
    def first_column(*arguments: str) -> list[str]:
        code, out, _ = command(*arguments, "--of", "params", "--format", "csv")
        assert code == 0
        return [next(csv.reader([line]))[0] for line in out.splitlines()[1:]]

    assert first_column("resnet18", "--set", "H=64,32:48:8,2*32") == ["64", "32", "40", "48", "64"]
    assert first_column("mobilenet_v2", "--set", "width=0.25:0.6:0.1,1/2") == [
        "0.25", "0.35", "0.45", "0.55", "0.5",
    ]  # fmt: skip
    depths = "depths=[1,1,1,1],[2, 2, 2, 2]"
    assert first_column("resnet18", "--set", depths) == ["[1,1,1,1]", "[2, 2, 2, 2]"]


def test_json_is_written_as_it_comes(command: Any) -> None:
    _, out, _ = command("resnet18", "--set", "H=32,2**40", "--set", "W=2**40", "--format", "json")
    read = json.loads(out)
    net = convcalc.load("resnet18")
    assert read["convcalc"] == 1
    assert read["name"] == net.name
    assert read["rows"] == net.sweep({"H": [32, 2**40], "W": 2**40}).to_dicts()
    _, out, _ = command("resnet18", "--set", "H=0", "--format", "json")
    assert json.loads(out)["rows"] == []


def test_a_spec_from_standard_input(command: Any) -> None:
    code, out, _ = command("-", "--set", "H=9,24", "--format", "csv", stdin=SPEC)
    assert code == 0
    assert out.splitlines()[0] == "H,params,macs"


def test_what_is_left_out_is_told(command: Any) -> None:
    code, out, err = command("lenet5", "--set", "H=1,0", "--format", "csv")
    assert (code, out) == (0, "H,params,macs\n")
    assert "Left out, 2 structures, the first: lenet5.yaml:9:5: avg_pool1: a window of 2" in err
    _, _, err = command("lenet5", "--set", "H=1:3", "--format", "csv")
    assert err == "Note: the network fits at none of them\n"
    _, out, err = command("lenet5", "--set", "H=28:31", "--where", "macs < 1")
    assert out.endswith("4 configurations; 0 kept.\n")
    assert err == ""


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "nothing to sweep over. For instance --set H,W=32:512:32."),
        (["--set", "H"], "--set H: NAME=VALUES is due, as H=32:512:32"),
        (["--set", "H="], "NAME=VALUES is due"),
        (["--set", "H,=3"], "NAME=VALUES is due"),
        (["--set", "H=3,,4"], "--set H=3,,4: a value is missing"),
        (["--set", "H=9:5"], "--set H=9:5: the range from 9 to 5 is empty. Turn it round: 5:9."),
        (["--set", "H=5:9:0"], "--set H=5:9:0: a step of 0; it must be above 0"),
        (["--set", "H=9:5:-1"], "a step of -1; it must be above 0"),
        (["--set", "H=5:"], "'5:' is no range. Ranges are FIRST:LAST or FIRST:LAST:STEP, with both ends: 32:512:32."),  # noqa: E501
        (["--set", "H=1:2:3:4"], "'1:2:3:4' is no range"),
        (["--set", "H=a:b"], "'a:b' is no range"),
        (["--set", "HH=5"], "'HH' is no variable of this spec. Did you mean 'H'?"),
        (["--set", "H=5", "--set", "W,H=4"], "H is given values twice"),
        (["--set", "H=1:1000000", "--set", "W=1:1000000"], "1,000,000,000,000 configurations (1,000,000 of H × 1,000,000 of W); 1,000,000,000 are the limit"),  # noqa: E501
        (["--set", "H=1:99999999999999999999"], "99,999,999,999,999,999,999 configurations"),
        (["--set", "H=1:5000", "--limit", "4999"], "5,000 configurations (5,000 of H); 4,999 are the limit"),  # noqa: E501
        (["--set", "H=1,2:9999999"], "--set H=1,2:9999999: 9,999,999 values; 1,000,000 are the limit for fractions and lists. One range of whole numbers may have more."),  # noqa: E501
        (["--set", "H=0:1:1/10000000"], "10,000,001 values; 1,000,000 are the limit"),
        (["--set", "H=5", "-o", "a.xls"], "-o a.xls: rows are written to .csv, .json, .npz, .parquet, .txt, .md, .tex, .html. The suffix says which."),  # noqa: E501
        (["--set", "H=5", "-o", ""], "rows are written to .csv, .json, .npz, .parquet, .txt, .md, .tex, .html"),  # noqa: E501
        (["--set", "H=5", "-o", "a.csv", "--format", "csv"], "--format is for the terminal; the suffix of -o says what is written"),  # noqa: E501
    ],
)  # fmt: skip
def test_usage_errors(command: Any, arguments: list[str], text: str) -> None:
    code, out, err = command("lenet5", *arguments)
    assert (code, out) == (2, "")
    assert text in err


def test_outputs_that_cannot_be_written(command: Any, tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "full.csv").symlink_to("/dev/full")
    for target, text in (
        (tmp_path / "folder.csv", "is a folder, not a file to write to"),
        (tmp_path / "missing" / "a.csv", "cannot be written: No such file or directory"),
        (tmp_path / "full.csv", "cannot be written: No space left on device"),
    ):
        code, out, err = command("lenet5", "--set", "H=28:99", "-o", str(target))
        assert (code, out) == (3, "")
        assert text in err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["folder.csv", "full.csv"]
    code, _, err = command("lenet5", "--set", "H=28:99", "-o", "/dev/null.csv/a.csv")
    assert code == 3
    full = shell("convcalc sweep lenet5 --set H=28:99 --format csv >/dev/full")
    assert (full.returncode, full.stderr) == (3, "Error: No space left on device\n")


def test_a_reader_that_has_enough() -> None:
    found = shell("convcalc sweep lenet5 --set H,W=28:300 --set N=1:999 --format csv | head -1")
    assert (found.stdout, found.stderr) == ("H,W,N,params,macs\n", "")


def test_ctrl_c_leaves_no_part_of_a_file(tmp_path: Path) -> None:
    line = [sys.executable, "-m", "convcalc", "sweep", "lenet5", "--set", "H=28:9000",
            "--set", "W=28:9000", "-o", str(tmp_path / "a.csv")]  # fmt: skip
    process = subprocess.Popen(line, stderr=subprocess.PIPE, text=True)
    for _ in range(600):
        if any(p.stat().st_size > 10_000_000 for p in tmp_path.iterdir()):
            break
        time.sleep(0.1)
    assert [p.name.startswith(".convcalc-") for p in tmp_path.iterdir()] == [True]
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.strip() in ("", "Aborted!")
    assert list(tmp_path.iterdir()) == []


def on_terminal(*arguments: str) -> str:
    """What a command with its standard error on a terminal writes there."""
    ours, theirs = pty.openpty()
    line = [sys.executable, "-m", "convcalc", "sweep", *arguments]
    process = subprocess.Popen(
        line, stdout=subprocess.DEVNULL, stderr=theirs, env={**os.environ, "TERM": "xterm"}
    )
    os.close(theirs)
    found = b""
    with contextlib.suppress(OSError):  # how Linux says that the other side is closed
        while part := os.read(ours, 65_536):
            found += part
    os.close(ours)
    assert process.wait() == 0
    return found.decode()


def test_a_progress_bar_where_there_is_time_for_one() -> None:
    assert on_terminal("lenet5", "--set", "H=28:99", "--format", "csv") == ""
    seen = on_terminal(
        "resnet50", "--set", "H=1:9000", "--set", "W=1:9000", "--top", "5", "--by", "macs"
    )
    assert re.search(r"\d of 81,000,000 configurations", seen)
    # it is taken away in the end
    assert seen.endswith("\x1b[2K") or "\x1b[2K" in seen[-60:]


@pytest.mark.skipif(sys.platform != "linux", reason="/proc/self/status is Linux's")
def test_many_configurations_in_little_memory() -> None:
    # not getrusage, which counts what the process was before it ran this
    code = (
        "import convcalc, re\n"
        "net = convcalc.load('resnet50')\n"
        "found = net.sweep({'H': range(1, 5_001), 'W': range(1, 5_001)}, top=5, by='macs')\n"
        "assert found.configurations == 25_000_000, len(found) == 5\n"
        "print(re.search(r'VmHWM:\\s*(\\d+)', open('/proc/self/status').read())[1])\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(run.stdout) < 300_000  # kilobytes; all rows would take 800 MB


# -- files ----------------------------------------------------------------------------------------

GRIDS: list[dict[Any, Any]] = [
    {"H": range(20, 60), "W": [20, 33]},
    {"width": [Fraction(1, 8), 1, Fraction(1, 3)], "act": ["relu", "tanh"]},
    {"depths": ["[9, 9]", "[1, 1]", "[2, 1]"], "H": [24, 30]},
    {"act": ["hardly", "relu"], "N": [2**59, 2**60]},
    {"H": [1, 2]},
]


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("suffix", [".csv", ".npz", ".parquet"])
def test_files_read_back_equal(grid: dict[Any, Any], suffix: str, tmp_path: Path) -> None:
    if suffix == ".parquet":
        pytest.importorskip("pyarrow", reason="Parquet is an extra")
    found = convcalc.loads(SPEC).sweep(grid, of=OF)
    found.save(tmp_path / f"a{suffix}")
    found.save(tmp_path / f"b{suffix}")
    assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()
    columns = READERS[suffix](tmp_path / f"a{suffix}")
    assert list(columns) == list(found.columns)
    for name, column in found.columns.items():
        expected = column.tolist()
        if suffix == ".csv" or column.dtype == object:
            expected = list(map(str, expected))
        assert columns[name] == expected


def read_csv(path: Path) -> dict[str, list[Any]]:
    with open(path, newline="", encoding="utf-8") as file:
        names, *found = csv.reader(file)
    return dict(
        zip(names, map(list, zip(*found, strict=True)) if found else [[]] * len(names), strict=True)
    )


def read_npz(path: Path) -> dict[str, list[Any]]:
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name].tolist() for name in archive.files}


def read_parquet(path: Path) -> dict[str, list[Any]]:
    from pyarrow import parquet

    found: dict[str, list[Any]] = parquet.read_table(path).to_pydict()
    return found


READERS = {".csv": read_csv, ".npz": read_npz, ".parquet": read_parquet}


@pytest.mark.parametrize("name", ["file", "self", "args", "kwds"])
def test_variables_named_like_arguments_of_numpy(name: str, tmp_path: Path) -> None:
    net = convcalc.loads(f"input: [3, {name}, 9]\nvariables: {{{name}: 9}}\nlayers: [relu]")
    net.sweep({name: [3, 4]}).save(tmp_path / "a.npz")
    assert read_npz(tmp_path / "a.npz")[name] == [3, 4]


def test_parquet_of_numbers_that_outgrow_64_bits(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="Parquet is an extra")
    net = convcalc.loads(SPEC)
    rows = [("relu", 1), ("tanh", 2**59)]
    found = net.sweep({("act", "N"): rows}, of="macs")
    found.save(tmp_path / "a.parquet")  # all as text
    assert read_parquet(tmp_path / "a.parquet")["macs"] == list(map(str, found["macs"]))
    (tmp_path / "a.parquet").unlink()

    def save(suffix: str, rows: Any = rows) -> None:
        with writer(str(tmp_path / f"a{suffix}")) as file:
            for part in net.sweep_rows([axis(("act", "N"), rows)], of="macs"):
                file.write(part.columns)

    with pytest.raises(OutputError, match=r"larger ones or words\. A \.csv file takes them all"):
        save(".parquet")
    assert list(tmp_path.iterdir()) == []
    save(".parquet", [("hardly", 1), rows[1]])  # no rows decide no types
    assert read_parquet(tmp_path / "a.parquet")["macs"] == [str(found["macs"][1])]
    save(".csv")
    assert read_csv(tmp_path / "a.csv")["macs"] == list(map(str, found["macs"]))


@pytest.mark.parametrize(
    ("module", "option", "text"),
    [
        ("pyarrow", {"o": "a.parquet"}, "writing .parquet needs PyArrow. pip install 'convcalc[parquet]'"),  # noqa: E501
        ("distributed", {"scheduler": "tcp://127.0.0.1:9"}, "--scheduler needs Dask. pip install 'convcalc[distributed]'"),  # noqa: E501
    ],
)  # fmt: skip
def test_missing_extras(
    command: Any, monkeypatch: pytest.MonkeyPatch, module: str, option: dict[str, str], text: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    options = [
        f"-{'-' * (len(name) > 1)}{name}={value}".replace("-o=", "-o")
        for name, value in option.items()
    ]
    code, out, err = command("lenet5", "--set", "H=28:30", *options)
    assert (code, out, err) == (2, "", f"Error: {text}\n")


# -- Dask -----------------------------------------------------------------------------------------


def test_a_task_is_small_and_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    tasks: list[run.Task] = []

    def sent(found: Iterator[run.Task], address: str) -> Iterator[Any]:
        for task in found:
            tasks.append(task)
            yield pickle.loads(pickle.dumps(task)).run()

    monkeypatch.setattr(run, "_on_cluster", sent)
    net = convcalc.load("resnet50")
    grid: dict[Any, Any] = {"H": range(1, 3_001), "W": range(1, 1_001)}
    options: dict[str, Any] = {"where": "macs < 3G", "top": 9, "by": "macs"}
    found = net.sweep(grid, scheduler="anywhere", **options)
    assert found.to_dicts() == net.sweep(grid, **options).to_dicts()
    assert 3 <= len(tasks) < 6
    assert all(len(pickle.dumps(task)) < 30_000 for task in tasks)
    tasks.clear()
    values = np.arange(6_000_000).reshape(-1, 2) % 999 + 1
    net.sweep({("H", "W"): values}, scheduler="anywhere", top=1, by="macs")
    # its own values, and no others
    assert all(len(pickle.dumps(task)) < 16 * 2**20 + 60_000 for task in tasks)


def test_no_scheduler_there() -> None:
    pytest.importorskip("distributed", reason="Dask is an extra")
    net = convcalc.load("lenet5")
    silent = socket.socket()
    silent.bind(("127.0.0.1", 0))
    hint = "Its address is what `dask scheduler` prints, as tcp://10.0.0.1:8786."
    address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
    for wrong in (address, "nonsense", "", "foo://x:1"):
        started = time.monotonic()
        with pytest.raises(ConvcalcError) as error:
            net.sweep({"H": [28]}, scheduler=wrong)
        assert str(error.value).startswith(f"no Dask scheduler at {wrong}: ")
        assert str(error.value).endswith(hint)
        assert time.monotonic() - started < 10
    silent.close()


class FakeClient:
    """A cluster of one worker that says what it is told to."""

    def __init__(self, version: str | None, cores: int = 2) -> None:
        self.version = version
        self.cores = {"tcp://w:1": cores} if cores else {}

    def ncores(self) -> dict[str, int]:
        return self.cores

    def get_versions(self, packages: list[str]) -> Any:
        return {"workers": {"tcp://w:1": {"packages": dict.fromkeys(packages, self.version)}}}


def test_workers_must_have_the_same_version() -> None:
    here = convcalc.__version__
    assert run._checked_cores(FakeClient(here), "tcp://s:1") == 2
    for version, has in (("0.0.1", "convcalc 0.0.1"), (None, "no convcalc")):
        with pytest.raises(ConvcalcError) as error:
            run._checked_cores(FakeClient(version), "tcp://s:1")
        assert str(error.value) == (
            f"the Dask worker at tcp://w:1 has {has}, and here is {here}. "
            f"On all workers, pip install convcalc=={here}"
        )
    with pytest.raises(ConvcalcError, match=r"at tcp://s:1 has no workers\. dask worker tcp://s:1"):
        run._checked_cores(FakeClient(here, cores=0), "tcp://s:1")


def test_what_fails_on_a_worker_is_told() -> None:
    future: Future[Any] = Future()
    future.set_exception(ModuleNotFoundError("No module named 'convcalc'"))
    with pytest.raises(ConvcalcError) as error:
        run._result(future)
    assert str(error.value) == (
        "the Dask cluster failed: ModuleNotFoundError: No module named 'convcalc'"
    )


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning:distributed")
def test_a_killed_worker_changes_no_byte(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    distributed = pytest.importorskip("distributed", reason="Dask is an extra")
    pytest.importorskip("pyarrow", reason="Parquet is an extra")
    net = convcalc.load("resnet50")
    grid: dict[Any, Any] = {"depths": ["[3, 4, 6, 3]", "[2, 2, 2, 2]"], "H": range(1, 1_501),
                            "W": range(100, 1_600), "stride_on_1x1": ["false"]}  # fmt: skip
    options: dict[str, Any] = {"where": "H % 29 == 0 or macs < 100M"}
    local = net.sweep(grid, **options)
    killed: list[int] = []
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None,
        silence_logs=logging.CRITICAL,
    ) as cluster, distributed.Client(cluster, set_as_default=False) as client:  # fmt: skip

        def kill(done: int, total: int) -> None:
            if done >= total / 2 and not killed:
                killed.append(min(client.run(os.getpid).values()))
                os.kill(killed[0], signal.SIGKILL)

        found = net.sweep(grid, scheduler=cluster.scheduler_address, progress=kill, **options)
        assert killed
        assert killed[0] not in client.run(os.getpid).values()
    assert (found.configurations, found.legal) == (local.configurations, local.legal)
    for suffix in (".csv", ".npz", ".parquet"):
        local.save(tmp_path / f"local{suffix}")
        found.save(tmp_path / f"found{suffix}")
        assert (tmp_path / f"local{suffix}").read_bytes() == (
            tmp_path / f"found{suffix}"
        ).read_bytes()


# -- values in terms of others --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (
            ["--set", "H=64:96:32", "--set", "W=H"],
            "a value of W is in terms of H, which has values",
        ),
        (["--set", "H=64..128"], "H: no expression: '64..128'"),
        (["--set", "H=64", "--set", "N=1", "--batch", "2"], "N is given values twice"),
    ],
)
def test_values_that_are_no_values(arguments: list[str], text: str) -> None:
    done = CliRunner().invoke(cli, ["sweep", "resnet18", *arguments])
    assert text in str(done.exception)
    assert isinstance(done.exception, UsageError)


def test_batch_sizes() -> None:
    by_batch = (
        CliRunner().invoke(cli, ["sweep", "lenet5", "--set", "H=28", "--batch", "1:3"]).output
    )
    assert by_batch == CliRunner().invoke(
        cli, ["sweep", "lenet5", "--set", "H=28", "--set", "N=1:3"]
    ).output  # fmt: skip


def test_rows_are_no_views_of_the_values() -> None:
    sizes = np.array([28, 30, 32])
    found = convcalc.load("lenet5").sweep({"H": sizes})
    found["H"][0] = 5
    assert sizes.tolist() == [28, 30, 32]
