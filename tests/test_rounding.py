"""--numbers, --memory and --digits of the tables that are no report's."""

from __future__ import annotations

import json
from fractions import Fraction

import pytest

import convcalc
from tests.test_cli import Run, run

__all__ = ["run"]

ROUNDED = {
    "zoo": ("zoo",),
    "sweep": ("sweep", "lenet5", "--set", "H=28,32", "--of", "params,macs,peak_activation_bytes"),
    "diff": ("diff", "resnet18", "resnet50", "--depth", "1"),
}


@pytest.fixture(autouse=True)
def small_zoo(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two networks are enough."""
    monkeypatch.setattr("convcalc.commands.zoo.zoo_names", lambda: ["lenet5", "resnet50"])


@pytest.mark.parametrize("name", ROUNDED)
def test_data_stays_exact(run: Run, name: str) -> None:
    for form in ("json", "csv"):
        arguments = (*ROUNDED[name], "--format", form)
        assert run(*arguments, "--numbers", "M", "--digits", "3").out == run(*arguments).out


@pytest.mark.parametrize("name", ROUNDED)
@pytest.mark.parametrize("form", ["text", "markdown", "latex", "html"])
def test_tables_for_people_are_rounded(run: Run, name: str, form: str) -> None:
    arguments = (*ROUNDED[name], "--numbers", "M", "--digits", "2", "--format", form)
    result = run(*arguments)
    assert result.code == 0
    assert result.out != run(*ROUNDED[name], "--format", form).out
    assert "(M)" in result.out


def test_the_zoo_rounded(run: Run) -> None:
    (line,) = (one for one in run("zoo", "--numbers", "M").out.splitlines() if "resnet50" in one)
    assert line.split()[-2:] == ["25.6", "4,089.2"]
    result = run("zoo", "--memory", "MB")
    assert (result.code, result.err) == (
        2, "Error: no column has bytes that could be rounded to MB\n",
    )  # fmt: skip


def test_a_sweep_rounded(run: Run) -> None:
    out = run(*ROUNDED["sweep"], "--numbers", "K", "--memory", "KiB", "--digits", "0").out
    peak = convcalc.load("lenet5", H=32).summarize().totals.peak_activation_bytes
    assert out.splitlines()[0].split() == [
        "H", "params", "(K)", "macs", "(K)", "peak_activation_bytes", "(KiB)",
    ]  # fmt: skip
    assert out.splitlines()[3].split() == ["32", "71", "491", str(round(Fraction(peak, 1024)))]
    assert "Rounded: K = 10³, KiB = 2¹⁰." in out


def test_a_difference_rounded(run: Run) -> None:
    out = run(*ROUNDED["diff"], "--numbers", "M", "--memory", "MiB", "--digits", "2").out
    assert "± Params (M)" in out
    assert "± Memory (MiB)" in out
    (total,) = (line.split() for line in out.splitlines() if line.startswith("Total"))
    found = json.loads(run(*ROUNDED["diff"], "--format", "json").out)["totals"]
    for quantity, unit in (("params", 10**6), ("macs", 10**6), ("activation_bytes", 2**20)):
        rounded = round(Fraction(found[quantity]["change"] * 100, unit))
        assert f"+{rounded / 100:,.2f}" in total
    back = run("diff", "resnet50", "resnet18", "--numbers", "auto", "--depth", "1").out
    assert "−13.9 M (−54.3 %)" in back
    # what is said below stays exact
    assert "Params: 25,557,032 → 11,689,512, −13,867,520 (−54.3 %)." in back
