"""Budgets: what is held against what, what is said, and what CI reads."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

import convcalc
from convcalc import ConvcalcError
from convcalc.analysis.conditions import UNITS
from convcalc.analysis.quantities import TOTALS
from convcalc.spec.document import EXPECTABLE, LIMITABLE
from tests.test_cli import SMALL, Result, Run, run

__all__ = ["run"]


def small(budget: str = "", **variables: object) -> convcalc.Network:
    return convcalc.loads(SMALL + (f"budget: {budget}\n" if budget else ""), **variables)


def test_what_may_be_limited_is_what_is_counted() -> None:
    assert EXPECTABLE == TOTALS
    assert set(LIMITABLE) == {*TOTALS, "peak_bytes"}


@given(st.integers(0, 5_000), st.sampled_from(["", "k", "K", "M"]), st.sampled_from(TOTALS))
def test_a_total_is_within_a_limit_where_it_is_no_larger(
    number: int, unit: str, quantity: str
) -> None:
    net = small()
    value = number * (UNITS[unit][0] if unit else 1)
    total = getattr(net.summarize().totals, quantity)
    unit += "B" * bool(unit and quantity.endswith("_bytes"))
    unit = unit.replace("KB", "kB")
    checks = net.check(**{quantity: f"{number} {unit}"})
    assert checks.ok == (total <= value)
    assert len(checks.checked) == 1
    assert bool(checks.failed) == (total > value)


@pytest.mark.parametrize(
    ("limit", "ok"),
    [(2_359, True), (2_358, False), (2_358.5, False), (2_359.5, True), ("2.36K", True)],
)
def test_limits_are_inclusive_and_exact(limit: object, ok: bool) -> None:
    assert small().check(params=limit).ok == ok


def test_budgets_of_a_spec_are_read_with_units() -> None:
    checks = small("{params: 2K, macs: 1M, peak_bytes: 1 MiB}").check()
    assert [str(checked) for checked in checks.checked] == [
        "✗ small: params 2,359 > 2K, 359 (17.9 %) too many",
        "✓ small: macs 10,880 ≤ 1M",
        "✓ small: peak_activation_bytes 2,720 ≤ 1 MiB",
    ]
    assert str(checks) == "\n".join(map(str, checks.checked))
    assert checks.to_dict()[0] == {
        "spec": "small", "rule": "budget", "quantity": "params", "expected": 2000, "found": 2359,
        "ok": False,
    }  # fmt: skip


def test_budgets_hold_at_other_values_and_expectations_only_at_their_own() -> None:
    text = SMALL + "expect: {params: 2_359}\nbudget: {params: 3K}\n"
    assert len(convcalc.loads(text).check().checked) == 2
    larger = convcalc.loads(text, H=20).check()
    assert [checked.held.rule for checked in larger.failed] == ["budget"]
    assert len(larger.checked) == 1


def test_a_symbolic_total_is_within_a_limit_at_all_sizes_or_at_none() -> None:
    net = convcalc.loads("{input: [3, H, W], layers: [conv: {out_channels: 8, kernel: 1}]}")
    assert net.check(params=32).ok
    assert str(net.check(macs=23)) == "✗ network: macs 24·H·W > 23, at every size"
    with pytest.raises(ConvcalcError) as caught:
        net.check(macs=24)
    assert str(caught.value) == (
        "whether macs is at most 24 depends on the sizes: it is 24·H·W. --set gives a symbol a "
        "number, as --set H=224."
    )


@pytest.mark.parametrize(
    ("budget", "expected"),
    [
        ("{parms: 5}", "9:10: budget: unknown quantity 'parms'. Did you mean 'params'?"),
        ("{params: 5X}", "9:18: budget: params: unknown unit 'X'. There are K, M, G, T for"),
        ("{macs: 5 GiB}", "9:16: budget: macs: macs is a count, and 5 GiB is in bytes. Counts"),
        ("{params: many}", "9:18: budget: params: a number is due here, not 'many'. For instance"),
        ("{params: }", "9:10: budget: params: a number is due, not nothing. For instance 5M"),
        ("{params: [5]}", "9:18: budget: params: a number is due, not a list. For instance"),
        ("{params: 5M and macs < 3}", "9:18: budget: params: the end is due here, not 'and'."),
        ("{params: '-1'}", "9:18: budget: params: a number is due here, not '-'."),
        ("[params]", "9:9: budget: a mapping of names is due, not a list"),
    ],
)
def test_what_is_no_budget(budget: str, expected: str) -> None:
    with pytest.raises(ConvcalcError) as caught:
        small(budget).check()
    assert str(caught.value).startswith(f"<string>:{expected}")
    assert caught.value.exit_code == 3


def test_a_budget_is_not_inherited(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(SMALL + "budget: {params: 1}\n")
    (tmp_path / "child.yaml").write_text("extends: base.yaml\n")
    assert not convcalc.load(tmp_path / "base.yaml").check().ok
    assert not convcalc.load(tmp_path / "child.yaml").check().checked


# -- the command ----------------------------------------------------------------------------------


@pytest.fixture
def over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A spec that is over its budget, and expects a wrong figure."""
    monkeypatch.chdir(tmp_path)
    Path("net.yaml").write_text(SMALL + "expect: {macs: 10_881}\nbudget: {params: 2K}\n")
    return "net.yaml"


def test_what_is_immense_has_no_percentage(run: Run) -> None:
    result = run("check", "lenet5", "--max", f"params=0.{'0' * 400}1")
    assert result.code == 1
    assert result.out.endswith("…, 61,706 too many\n")


def test_limits_on_the_line(run: Run) -> None:
    assert run("check", "vgg16", "--max", "params=5M", "--max", "peak_bytes=1 GiB") == Result(
        1,
        "✓ vgg16: params 138,357,544\n✓ vgg16: macs 15,470,264,320\n"
        "✗ vgg16: params 138,357,544 > 5M, 133,357,544 (2,667.2 %) too many\n"
        "✓ vgg16: peak_activation_bytes 25,690,112 ≤ 1 GiB\n",
        "",
    )
    assert run("check", "vgg16", "--max", "params=139M").code == 0


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        ("params", "--max params: QUANTITY=LIMIT is due"),
        ("parms=5", "max parms: unknown quantity 'parms'. Did you mean 'params'?"),
        ("params=5MB", "max params: params is a count, and 5MB is in bytes."),
        ("params=macs", "max params: a number is due here, not 'macs'. For instance params: 5M."),
    ],
)
def test_wrong_limits_on_the_line(run: Run, limit: str, expected: str) -> None:
    result = run("check", "vgg16", "--max", limit)
    assert result.code == 2
    assert result.err.startswith(f"Error: {expected}")
    assert not result.out


def test_bytes_are_those_of_a_type(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "net.yaml"
    file.write_text(
        "{input: [8], layers: [linear: 4], expect: {param_bytes: 144}, "
        "budget: {peak_bytes: 30, param_bytes: 100}}"
    )
    code, out, _ = run("check", str(file))
    assert (code, out.count("✗")) == (1, 2)
    code, out, _ = run("check", str(file), "--dtype", "float16", "--max", "activation_bytes=24 B")
    assert code == 0
    assert "param_bytes 72 ≤ 100" in out
    assert "activation_bytes 24 ≤ 24 B" in out
    assert f"✓ {file}: param_bytes 144\n" in out
    found = convcalc.load(file).check(dtype="int8", peak_bytes=11)
    assert [one.held.found for one in found.failed] == [12]


def test_expectations_are_left_alone_at_other_values(run: Run, over: str) -> None:
    assert run("check", over, "--set", "H=5") == Result(
        0,
        "✓ net.yaml: params 791 ≤ 2K\n",
        "Note: net.yaml: expect: is of other values, and left alone\n",
    )


def test_annotations_of_github(run: Run, over: str) -> None:
    result = run("check", over, "vgg16", "--format", "github", "--max", "macs=1G")
    assert result.code == 1
    found = []
    for line in result.out.splitlines():
        command = re.fullmatch("::error ([^:]*)::(.*)", line)
        assert command
        pairs = [pair.split("=") for pair in command[1].split(",")]
        found.append(({name: unquote(value) for name, value in pairs}, unquote(command[2])))
    assert found == [
        (
            {"file": "net.yaml", "line": "9", "col": "16", "title": "net.yaml: expect macs"},
            "macs expected 10,881, found 10,880",
        ),
        (
            {"file": "net.yaml", "line": "10", "col": "18", "title": "net.yaml: budget params"},
            "params 2,359 > 2K, 359 (17.9 %) too many",
        ),
        (
            {"title": "vgg16: budget macs"},
            "macs 15,470,264,320 > 1G, 14,470,264,320 (1,447.0 %) too many",
        ),
    ]
    assert run("check", "vgg16", "--format", "github") == Result(0, "", "")


def test_file_names_end_no_command(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "50%, a:b\n::stop.yaml"
    file.write_text(SMALL + "budget: {params: 1}\n")
    out = run("check", str(file), "--format", "github").out
    (line,) = out.splitlines()
    assert line.startswith(f"::error file={tmp_path}/50%25%2C a%3Ab%0A%3A%3Astop.yaml,line=9,")


def test_junit(run: Run, over: str, tmp_path: Path) -> None:
    assert run("check", over, "vgg16", "-o", "out.xml").code == 1
    root = ElementTree.parse("out.xml").getroot()
    assert root.tag == "testsuites"
    assert [(s.get("name"), s.get("tests"), s.get("failures")) for s in root] == [
        ("net.yaml", "2", "2"), ("vgg16", "2", "0"),
    ]  # fmt: skip
    for suite in root:
        cases = suite.findall("testcase")
        assert len(cases) == int(suite.get("tests", ""))
        assert len(suite.findall("testcase/failure")) == int(suite.get("failures", ""))
        assert {case.get("classname") for case in cases} == {suite.get("name")}
        assert len({case.get("name") for case in cases}) == len(cases)
    failure = root.find("testsuite/testcase/failure")
    assert failure is not None
    assert failure.get("message") == "macs expected 10,881, found 10,880"
    assert failure.text == "net.yaml:9:16"


def test_the_suffix_says_what_is_written(run: Run, over: str) -> None:
    for name, start in (("a.xml", "<?xml"), ("a", "✗ net.yaml"), ("a.json", "[\n")):
        assert run("check", over, "-o", name) == Result(1, "", "")
        assert Path(name).read_text().startswith(start)


def test_junit_is_xml_whatever_a_file_is_called(run: Run, tmp_path: Path) -> None:
    file = tmp_path / 'a\x01<b>&".yaml'
    file.write_text(SMALL + "budget: {params: 1}\n")
    root = ElementTree.fromstring(run("check", str(file), "--format", "junit").out)
    assert root[0].get("name", "").endswith('a�<b>&".yaml')


def test_json(run: Run, over: str) -> None:
    found = json.loads(run("check", over, "--format", "json").out)
    assert [(row["rule"], row["expected"], row["found"], row["ok"]) for row in found] == [
        ("expect", 10_881, 10_880, False), ("budget", 2_000, 2_359, False),
    ]  # fmt: skip


def test_broken_specs_are_no_failed_checks(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "broken.yaml"
    file.write_text("{input: [3, 4], layers: [conv2d: 3]}")
    result = run("check", str(file), "--max", "params=1", "--format", "junit")
    assert result.code == 3
    (suite,) = ElementTree.fromstring(result.out)
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("1", "0", "1")


def test_a_broken_spec_keeps_no_other_from_its_check(run: Run, over: str, tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("{input: [3, 4],\n layers: [conv2d: 3]}")
    (tmp_path / "broken.yaml").write_text("extends: base.yaml")
    (tmp_path / "open.yaml").write_text("{input: [3, H], layers: [relu], budget: {compares: 9}}")
    arguments = ("check", "broken.yaml", "open.yaml", over, "lenet5")
    result = run(*arguments)
    assert result.code == 3
    assert [line[:2] for line in result.out.splitlines()] == ["✗ ", "✗ ", "✓ ", "✓ "]
    assert [line.partition(": ")[0] for line in result.err.splitlines()] == [
        "Error", "Error",
    ]  # fmt: skip
    result = run(*arguments, "--format", "github")
    assert result.code == 3
    assert [line.rpartition("::")[0] for line in result.out.splitlines()] == [
        "::error file=base.yaml,line=2,col=11,title=broken.yaml%3A spec",
        "::error file=open.yaml,line=1,col=52,title=open.yaml%3A spec",
        "::error file=net.yaml,line=9,col=16,title=net.yaml%3A expect macs",
        "::error file=net.yaml,line=10,col=18,title=net.yaml%3A budget params",
    ]
    root = ElementTree.fromstring(run(*arguments, "--format", "junit").out)
    assert [(s.get("name"), s.get("failures"), s.get("errors")) for s in root] == [
        ("net.yaml", "2", "0"), ("lenet5", "0", "0"), ("broken.yaml", "0", "1"),
        ("open.yaml", "0", "1"),
    ]  # fmt: skip
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("6", "2", "2")
    error = root.find("testsuite[@name='broken.yaml']/testcase/error")
    assert error is not None
    assert error.get("type") == "SpecError"
    assert "unknown layer 'conv2d'. Did you mean 'conv'?" in error.get("message", "")


def test_annotations_are_of_files_of_the_repository(
    run: Run, over: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)
    for file in ("./net.yaml", str(tmp_path / "net.yaml")):
        out = run("check", file, "--format", "github").out
        assert out.startswith("::error file=net.yaml,line=9,")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path.parent))
    out = run("check", over, "--format", "github").out
    assert out.startswith(f"::error file={tmp_path.name}/net.yaml,line=9,")


def test_file_names_send_nothing_to_terminals(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "a\x1b[31m\n.yaml"
    file.write_text(SMALL + "budget: {params: 1}\n")
    found = run("check", str(file))
    assert found.out.startswith(f"✗ {tmp_path}/a�[31m�.yaml: params")
    file.write_text("{input: [3], layers: [relu]}")
    assert "\x1b" not in run("check", str(file)).err
    found = run("compare", str(file), "lenet5")
    assert found.out.startswith("a�[31m�, LeNet-5\n")


def test_the_spec_that_a_wrong_call_is_of_is_named(run: Run) -> None:
    result = run("check", "resnet18", "lenet5", "--set", "width=8")
    assert (result.code, result.err.splitlines()[-1]) == (
        2, "Error: lenet5: unknown variable 'width'. This spec has N, H, W, classes.",
    )  # fmt: skip


def test_every_budget_is_known_to_editors() -> None:
    from convcalc.spec.schema import json_schema

    budget = json_schema()["properties"]["budget"]
    assert set(budget["properties"]) == set(LIMITABLE)
