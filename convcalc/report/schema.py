"""JSON Schemas, draft 2020-12, of what commands print with `--format json`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from convcalc.analysis.differences import ADDED, CHANGED, REMOVED, RENAMED
from convcalc.analysis.differences import FIGURES as DIFFERING
from convcalc.analysis.memory import BYTES
from convcalc.analysis.quantities import COLUMNS, QUANTITIES, TOTALS
from convcalc.report.comparison import FIGURES as COMPARED
from convcalc.report.comparison import ROWS
from convcalc.report.table import JSON_VERSION

_SIZE = {"$ref": "#/$defs/size"}
_SIZE_OR_NULL = {"$ref": "#/$defs/size_or_null"}
_TEXT = {"type": "string"}
_TEXT_OR_NULL = {"type": ["string", "null"]}
_SHAPE = {"type": "array", "items": _SIZE, "description": "[N, C, …]"}
_MEANINGS = {
    **{name: quantity.meaning for name, quantity in COLUMNS.items()},
    "param_bytes": "bytes of the params",
    "activation_bytes": "bytes of the input and of every output that has storage of its own",
    "peak_activation_bytes": "the most bytes alive at once; null where symbols leave it open",
}
_DEFS: dict[str, Any] = {
    "size": {
        "description": "a number, or an expression of the spec language",
        "type": ["integer", "string"],
    },
    "size_or_null": {"type": ["integer", "string", "null"]},
    "value": {
        "type": ["number", "string", "boolean", "array", "null"],
        "items": {"$ref": "#/$defs/value"},
    },
}


def report_schema() -> dict[str, Any]:
    """The schema of what summarize prints: of one report, or of a list of several."""
    fields = ("receptive_field", "receptive_stride", "receptive_padding")
    layer: dict[str, Any] = {
        "name": {**_TEXT, "description": "the dotted path"},
        "type": {**_TEXT, "description": "the layer's name in a spec"},
        "inputs": {"type": "array", "items": _TEXT},
        "output_shape": _SHAPE,
        **{name: _figure(name) for name in QUANTITIES if name != "flops"},
        **{name: {"type": "array", "items": {"$ref": "#/$defs/place"}} for name in fields},
    }
    return _schema(
        "summarize",
        {
            "anyOf": [
                {"$ref": "#/$defs/report"},
                {"type": "array", "items": {"$ref": "#/$defs/report"}},
            ]
        },
        report=_object(
            {
                "convcalc": {"const": JSON_VERSION},
                "name": _TEXT,
                "variables": _mapping({"$ref": "#/$defs/value"}),
                "totals": _object({name: _figure(name) for name in TOTALS}),
                "layers": _list(_object(layer)),
            }
        ),
        place={
            "description": "along one axis; null where a symbol leaves it open",
            "type": ["number", "string", "null"],
        },
    )


def comparison_schema() -> dict[str, Any]:
    """The schema of what compare prints; the figures are those that --columns names."""
    figures = {name: _figure(name) for name in COMPARED}
    ratio = {
        "type": ["number", "null"],
        "description": "how many times the base's; null where it is 0 or symbolic",
    }
    network = {
        "label": {**_TEXT, "description": "the name, with what sets it apart from others"},
        "name": _TEXT,
        "title": _TEXT,
        "source": _TEXT,
        "variables": _mapping({"$ref": "#/$defs/value"}),
        "totals": _object(figures, required=()),
        "ratios": _object(dict.fromkeys(figures, ratio), required=()),
        "parts": _list(_object({"name": _TEXT, **figures}, required=("name",))),
    }
    root = {
        "convcalc": {"const": JSON_VERSION},
        "rows": {"enum": list(ROWS)},
        "dtype": {"enum": list(BYTES)},
        "base": {**_TEXT, "description": "the label of the network that ratios are to"},
        "networks": _list(_object(network)),
    }
    return _schema("compare", _object(root))


def difference_schema() -> dict[str, Any]:
    """The schema of what diff prints; figures of a layer that is not there are 0."""
    change = {
        "old": _SIZE_OR_NULL,
        "new": _SIZE_OR_NULL,
        "change": _SIZE_OR_NULL,
        "percent": {
            "type": ["number", "null"],
            "description": "of the old one; null where that is 0, or the change is symbolic",
        },
    }
    shape = {**_SHAPE, "type": ["array", "null"]}
    of_layers = {
        "name": _TEXT_OR_NULL, "type": _TEXT_OR_NULL, "output_shape": shape,
        **{name: _figure(name) for name in DIFFERING},
    }  # fmt: skip
    layer = {
        "change": {"enum": [CHANGED, RENAMED, ADDED, REMOVED]},
        **{f"{side}_{name}": form for name, form in of_layers.items() for side in ("old", "new")},
    }
    root = {
        "convcalc": {"const": JSON_VERSION},
        "old": _TEXT,
        "new": _TEXT,
        "totals": _object(
            {name: {**_object(change), "description": _MEANINGS[name]} for name in TOTALS}
        ),
        "layers": _list(_object(layer)),
        "failed": _list(_object({"condition": _TEXT, "found": _TEXT})),
    }
    return _schema("diff", _object(root))


OUTPUTS = {"report": report_schema, "compare": comparison_schema, "diff": difference_schema}
"""The schemas of outputs by name."""


def _schema(command: str, root: Mapping[str, Any], **defs: Any) -> dict[str, Any]:
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"What convcalc {command} --format json prints",
        **root,
        "$defs": {**defs, **_DEFS},
    }


def _figure(name: str) -> dict[str, Any]:
    size = _SIZE_OR_NULL if name == "peak_activation_bytes" else _SIZE
    return {**size, "description": _MEANINGS[name]}


def _object(
    properties: Mapping[str, Any], required: tuple[str, ...] | None = None
) -> dict[str, Any]:
    """An object with these properties, all of them or those required, and no others."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties if required is None else required),
        "additionalProperties": False,
    }


def _mapping(values: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": values}


def _list(items: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}
