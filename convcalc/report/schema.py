"""A JSON Schema of what `summarize --format json` prints."""

from __future__ import annotations

from typing import Any

from convcalc.analysis.quantities import QUANTITIES, Totals
from convcalc.report.table import JSON_VERSION

_SIZE = {"$ref": "#/$defs/size"}
_MEANINGS = {
    "param_bytes": "bytes of the params",
    "activation_bytes": "bytes of the input and of every output that has storage of its own",
    "peak_activation_bytes": "the most bytes alive at once; null where symbols leave it open",
}


def report_schema() -> dict[str, Any]:
    """The schema, draft 2020-12: of one report, or of a list of several."""
    counts = {
        name: {**_SIZE, "description": quantity.meaning} for name, quantity in QUANTITIES.items()
    }
    memory = {
        name: {"$ref": "#/$defs/size", "description": _MEANINGS[name]}
        for name in Totals._fields
        if name not in counts
    }
    memory["peak_activation_bytes"]["$ref"] = "#/$defs/size_or_null"
    fields = ("receptive_field", "receptive_stride", "receptive_padding")
    layer: dict[str, Any] = {
        "name": {"type": "string", "description": "the dotted path"},
        "type": {"type": "string", "description": "the layer's name in a spec"},
        "inputs": {"type": "array", "items": {"type": "string"}},
        "output_shape": {"type": "array", "items": _SIZE, "description": "[N, C, …]"},
        **{name: count for name, count in counts.items() if name != "flops"},
        **{name: {"type": "array", "items": {"$ref": "#/$defs/place"}} for name in fields},
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What convcalc summarize --format json prints",
        "anyOf": [
            {"$ref": "#/$defs/report"},
            {"type": "array", "items": {"$ref": "#/$defs/report"}},
        ],
        "$defs": {
            "report": _object(
                {
                    "convcalc": {"const": JSON_VERSION},
                    "name": {"type": "string"},
                    "variables": {
                        "type": "object",
                        "additionalProperties": {"$ref": "#/$defs/value"},
                    },
                    "totals": _object({**counts, **memory}),
                    "layers": {"type": "array", "items": _object(layer)},
                }
            ),
            "size": {
                "description": "a number, or an expression of the spec language",
                "type": ["integer", "string"],
            },
            "size_or_null": {"type": ["integer", "string", "null"]},
            "place": {
                "description": "along one axis; null where a symbol leaves it open",
                "type": ["number", "string", "null"],
            },
            "value": {
                "type": ["number", "string", "boolean", "array", "null"],
                "items": {"$ref": "#/$defs/value"},
            },
        },
    }


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    """An object with these properties, all of them, and no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
