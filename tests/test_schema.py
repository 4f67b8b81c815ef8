"""The JSON Schema: it accepts what convcalc accepts, and helps with what it does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from convcalc.layer import fields
from convcalc.layers import layer_class, layer_names
from convcalc.spec.schema import json_schema
from convcalc.spec.zoo import zoo_folder

FOLDERS = [Path(zoo_folder()), Path(__file__).parent / "examples"]
SPECS = [file for folder in FOLDERS for file in sorted(folder.glob("*.yaml"))]


@pytest.fixture(scope="module")
def validator() -> Any:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def errors(validator: Any, text: str) -> list[str]:
    return [error.message for error in validator.iter_errors(yaml.safe_load(text))]


@pytest.mark.parametrize("file", SPECS, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_it_accepts_every_spec(validator: Any, file: Path) -> None:
    assert errors(validator, file.read_text()) == []


@pytest.mark.parametrize("name", sorted(layer_names()))
def test_every_layer_and_field_is_in_it(name: str) -> None:
    schema = json_schema()
    assert name in schema["$defs"]["entry"]["anyOf"][1]["properties"]
    mapping = schema["$defs"][f"layer.{name}"]["anyOf"][0]
    own = {field.name for field in fields(layer_class(name))}
    assert set(mapping["properties"]) - {"branches"} == own
    assert all(field["description"] for field in mapping["properties"].values())


def test_block_names_and_words_are_not_flagged(validator: Any) -> None:
    text = """
    input: [3, H, W]
    variables: {H: 8, W: 8, act: relu, widths: [4, 8], flag: true, rate: 0.5}
    blocks:
      unit: {arguments: {out, body: relu}, layers: [conv: {out_channels: out, kernel: 1}, body]}
    layers:
      - unit: {out: 4}
      - act
      - {unit: {out: "max(4, 8)", body: act}, name: last, when: flag, repeat: 2}
      - for: {width: widths}
        unit: {out: width}
    """
    assert errors(validator, text) == []


@pytest.mark.parametrize(
    "text",
    [
        "layer: []",
        "{input: [3, 8, 8], layers: {conv: 3}}",
        "{input: [3, 8, 8], layers: [conv: {filters: 3, kernel: 3}]}",
        "{input: [3, 8, 8], layers: [conv: {out_channels: 3}]}",
        "{input: [3, 8, 8], layers: [conv: {out_channels: 3, kernel: 0}]}",
        "{input: [3, 8, 8], layers: [conv: {out_channels: 3, kernel: 3, bias: 1}]}",
        "{input: [3, 8, 8], layers: [concat: {axis: 1.5}]}",
        "{input: [3, 8, 8], layers: [add: {branches: [[], 3]}]}",
        "{input: [3, 8, 8], layers: [{relu: , repeat: true}]}",
        "{expect: {parms: 3}}",
        "{blocks: {a: {arguments: {b: }}}}",
        "{blocks: {a: {layer: [relu], layers: [relu]}}}",
    ],
)
def test_it_flags(validator: Any, text: str) -> None:
    assert errors(validator, text)
