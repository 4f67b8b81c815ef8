"""JSON Schema of the spec language, made from the layer dataclasses, for editors.

It cannot know the names of blocks and the words of a spec, so it never flags an entry for its
key or a value for being text; it does flag unknown fields of known layers, and wrong types.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from convcalc.fields import one_or_list
from convcalc.layer import Layer, fields
from convcalc.layers import layer_class, layer_names
from convcalc.spec.document import EXPECTABLE, LIMITABLE

SCHEMA_VERSION = "https://json-schema.org/draft/2020-12/schema"

_TEXT: dict[str, Any] = {"type": "string"}
_EMPTY: dict[str, Any] = {"type": "null"}
_ENTRIES = {"type": "array", "items": {"$ref": "#/$defs/entry"}}
_VALUE = {"type": ["string", "number", "boolean", "array"]}
_TRUTH = {"type": ["boolean", "string"]}


def json_schema() -> dict[str, Any]:
    """The schema of a whole spec."""
    names = sorted(layer_names())
    shape = one_or_list({"type": ["integer", "string"]})
    named = {"type": "object", "additionalProperties": {"anyOf": [_VALUE, _EMPTY]}}
    return {
        "$schema": SCHEMA_VERSION,
        "title": "convcalc spec",
        "description": "A neural-network architecture for convcalc.",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "name": _described(_TEXT, "Display name."),
            "title": _described(_TEXT, "A longer name, for lists and headings."),
            "source": _described(_TEXT, "Where the architecture was published, and which variant."),
            "extends": _described(_TEXT, "A zoo name, or a file in this folder, to build upon."),
            "input": _described(shape, "Shape without the batch: [channels, height, width]."),
            "inputs": {"type": "object", "additionalProperties": shape},
            "outputs": {"type": "array", "items": _TEXT, "minItems": 1},
            "variables": _described(named, "Names and values; no value makes a symbol."),
            "blocks": {"type": "object", "additionalProperties": _block(named)},
            "layers": _ENTRIES,
            "groups": {
                "description": "Rows for comparisons: a name for some layers and modules.",
                "type": "object",
                "additionalProperties": one_or_list(_TEXT),
            },
            "expect": _described(
                _figures(EXPECTABLE, ["integer", "string"]),
                "What `convcalc check` must find, exactly.",
            ),
            "budget": _described(
                _figures(LIMITABLE, ["number", "string"]),
                "What `convcalc check` must find or less: 5M, 24 GiB.",
            ),
        },
        "$defs": {
            "entry": _entry(names),
            **{f"layer.{name}": _layer(layer_class(name)) for name in names},
        },
    }


def _described(schema: dict[str, Any], text: str) -> dict[str, Any]:
    return {**schema, "description": text}


def _figures(names: Sequence[str], types: list[str]) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {name: {"type": types} for name in names},
    }


def _block(named: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["layers"],
        "properties": {
            "arguments": {"anyOf": [named, {"type": "array", "items": _TEXT}]},
            "layers": _ENTRIES,
        },
    }


def _entry(names: list[str]) -> dict[str, Any]:
    layers = {name: {"$ref": f"#/$defs/layer.{name}"} for name in names}
    loops = {"type": "object", "additionalProperties": {"type": ["array", "string"]}}
    modifiers = {
        "name": _described(_TEXT, "A name to read the output by, with from:."),
        "from": _described(one_or_list(_TEXT), "The layers whose outputs enter here."),
        "when": _described(_TRUTH, "Left out where this is false."),
        "repeat": _described({"type": ["integer", "string"]}, "So many times, one after another."),
        "for": _described(loops, "Once for each value of the lists."),
        "share": _described(_TEXT, "Entries of one word share their weights."),
        "functional": _described({"type": "boolean"}, "A function, no module, in the source."),
        "layers": _ENTRIES,
    }
    # keys that are not listed are blocks, or arguments that hold a word
    return {"anyOf": [_TEXT, {"type": "object", "properties": {**layers, **modifiers}}]}


def _layer(layer: type[Layer]) -> dict[str, Any]:
    own = fields(layer)
    properties = {
        field.name: _described(field.kind.schema(), field.kind.description) for field in own
    }
    required = [field.name for field in own if field.required]
    mapping: dict[str, Any] = {"type": "object", "additionalProperties": False}
    branches = {
        "type": "array",
        "items": {"anyOf": [_ENTRIES, _branch()]},
        "description": "Lists of entries, all fed by the same input; [] is the identity.",
    }
    if layer.merges:
        properties["branches"] = branches
    mapping["properties"] = properties
    if required:
        mapping["required"] = required
    forms: list[dict[str, Any]] = [mapping, _EMPTY]
    if layer.merges:
        forms.append(branches)
    elif own:
        forms.append(own[0].kind.schema())
    summary = (layer.__doc__ or "").split("\n")[0]
    return {"description": summary, "anyOf": forms}


def _branch() -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["branch"],
        "properties": {"branch": _ENTRIES, "when": _TRUTH},
    }
