"""The JSON Schemas of what commands print: outputs over the zoo meet them, others do not."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest

import convcalc
from convcalc.report.comparison import FIGURES
from convcalc.report.schema import OUTPUTS, comparison_schema, difference_schema
from convcalc.spec.zoo import lecture_names, zoo_names
from tests.test_cli import Run, run

__all__ = ["run"]

SYMBOLIC = "{{input: [3, H, W], layers: [conv: {{out_channels: {}, kernel: 3}}, relu]}}"


def validator(schema: dict[str, Any]) -> Any:
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def as_printed(found: Any) -> Any:
    return json.loads(found.to_json())


def one_of_each_kind(found: dict[str, Any]) -> dict[str, Any]:
    """With a few of the layers: validation is slow."""
    some = {(row["change"], row["new_type"]): row for row in found["layers"]}
    return {**found, "layers": list(some.values())}


def test_comparisons_of_the_zoo() -> None:
    valid = validator(comparison_schema())
    names = [*zoo_names(), *lecture_names()]
    totals = convcalc.compare(*names, columns=list(FIGURES))
    valid.validate(as_printed(totals))
    columns = [name for name in FIGURES if name != "peak_activation_bytes"]
    for rows in ("stages", "layers"):
        valid.validate(as_printed(convcalc.compare("unet", "lenet5", rows=rows, columns=columns)))
    symbolic = [convcalc.loads(SYMBOLIC.format(width)) for width in (4, 8)]
    valid.validate(as_printed(convcalc.compare(*symbolic, columns=list(FIGURES))))


def pairs() -> Iterator[tuple[str, str]]:
    names = zoo_names()
    yield from zip(names[::5], names[3::5], strict=False)
    yield "resnet18", "resnet34"
    yield "resnet18", "resnet18"


def test_differences_of_the_zoo() -> None:
    valid = validator(difference_schema())
    for old, new in pairs():
        changed = convcalc.diff(old, new, fail_on="params != +0")
        valid.validate(one_of_each_kind(as_printed(changed)))
    symbolic = [convcalc.loads(SYMBOLIC.format(width)) for width in (4, 8)]
    valid.validate(as_printed(convcalc.diff(*symbolic)))


@pytest.mark.parametrize("what", ["compare", "diff"])
def test_what_commands_print_meets_what_schema_prints(run: Run, what: str) -> None:
    valid = validator(json.loads(run("schema", "--of", what).out))
    found = json.loads(run(what, "lenet5", "alexnet", "--format", "json").out)
    valid.validate(found)
    for broken in ({**found, "convcalc": 2}, {**found, "more": 1}, [found]):
        assert not valid.is_valid(broken)
    for key in found:
        assert not valid.is_valid({name: found[name] for name in found if name != key})
    for path in WITHIN[what]:
        whole = part = copy.deepcopy(found)
        for key in path[:-1]:
            part = part[key]
        part[path[-1]] = [1]
        assert not valid.is_valid(whole)


WITHIN: dict[str, list[tuple[Any, ...]]] = {
    "compare": [("networks", 1, "totals", "macs"), ("networks", 0, "ratios", "params")],
    "diff": [("totals", "macs", "percent"), ("layers", 0, "old_macs"), ("layers", 0, "change")],
}


def test_the_schemas_that_there_are(run: Run) -> None:
    assert list(OUTPUTS) == ["report", "compare", "diff"]
    assert run("schema", "--of", "report").out == run("schema", "--report").out
    assert run("schema", "--of", "spec").out == run("schema").out
    assert run("schema", "--report", "--of", "report").code == 0
    result = run("schema", "--report", "--of", "diff")
    assert (result.code, result.err) == (
        2, "Error: --report is --of report, and not of diff: one will do\n",
    )  # fmt: skip
