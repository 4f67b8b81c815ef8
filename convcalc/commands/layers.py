"""`convcalc layers`: what layers there are, and all about one of them."""

from __future__ import annotations

import inspect
from typing import Any

import click

from convcalc.commands._options import OneOf, deliver_pages, table_format, table_options
from convcalc.errors import ShapeError, UsageError
from convcalc.fields import show as show_value
from convcalc.graph import Operation
from convcalc.layer import Layer, Shape, fields, show_shape
from convcalc.layers import layer_class, layer_names
from convcalc.network import loads
from convcalc.report.formats.text import plain_rows
from convcalc.report.page import Made
from convcalc.report.table import Column, Row, Table
from convcalc.report.terminal import Piece, Rendered
from convcalc.spec.suggest import layer_hint


@click.command("layers")
@click.argument("name", required=False, type=OneOf("layer", layer_names))
@table_options
def command(name: str | None, form: str | None, fragment: bool, output: str | None) -> None:
    """List the layers, or show one: its fields, its formula, an example.

    \b
      convcalc layers
      convcalc layers conv
    """
    if name is not None and name not in layer_names():
        raise UsageError(f"unknown layer '{name}'", hint=layer_hint(name, layer_names()))
    names = sorted(layer_names()) if name is None else [name]
    form = table_format(form, output, fragment)
    if name is None:
        table = Table(
            (Column("name", "Layer"), Column("summary", "What it does", wraps=True)),
            [Row((n, _summary(layer_class(n)))) for n in names],
            title="Layers",
        )
        described = [describe(layer_class(n)) for n in names] if form == "json" else []
        page = Made(table, described)
    else:
        page = one(layer_class(name))
    deliver_pages([page], form, output, fragment)


def describe(layer: type[Layer]) -> dict[str, Any]:
    """A layer as plain values: its documentation, its fields, and its example worked out."""
    net = loads(example_spec(layer))
    totals = net.summarize().totals
    return {
        "name": layer.name,
        "documentation": inspect.getdoc(layer),
        "fields": [
            {
                "name": field.name,
                "takes": field.kind.description,
                "required": field.required,
                "default": None if field.required else _default(field.default),
            }
            for field in fields(layer)
        ],
        "formula": formula(layer),
        "example": layer.example,
        "input": layer.example_input,
        "output": _shape(net.graph.outputs[0].shape),
        "counts": {key: str(value) for key, value in totals._asdict().items() if value != 0},
    }


def formula(layer: type[Layer]) -> dict[str, str]:
    """Output, params and macs in the names of the fields, read off the code that computes them.

    Empty where a field's value decides the structure, so that no one formula holds.
    """
    if not fields(layer):
        return {}
    values = {}
    for field in fields(layer):
        unknown = field.kind.unknown(field.name)
        if field.required and unknown is None:
            return {}
        # a pool's stride has no default of its own: it is the kernel
        if unknown is not None and (field.default is not None or field.name == "stride"):
            values[field.name] = unknown
    net = loads(example_spec(layer))
    shapes = net.graph.nodes[-1].op.inputs
    made = layer(**values)
    try:
        operation = Operation(made, shapes)
    except ShapeError:
        return {}
    found = {"output": _shape(operation.output_shape)}
    if operation.params != 0:
        found["params"] = str(operation.params)
    if operation.cost.macs != 0:
        found["macs"] = str(operation.cost.macs)
    return found


def example_spec(layer: type[Layer]) -> str:
    """A spec whose one entry is the layer's example, with symbols for the input."""
    entry = layer.example if ":" in layer.example else f"{layer.example}: "
    return f"input: {layer.example_input}\nlayers:\n  - {entry}\n"


def _shape(shape: Shape) -> str:
    return show_shape(shape[1:])


def _default(value: Any) -> str:
    return "none" if value is None else show_value(value)


def _summary(layer: type[Layer]) -> str:
    return (layer.__doc__ or "").strip().split("\n")[0]


def one(layer: type[Layer]) -> Made:
    """A layer as a page: a table of its fields, with its formula and its example around it."""
    about = describe(layer)
    rows = [
        (field["name"], "required" if field["required"] else field["default"], field["takes"])
        for field in about["fields"]
    ]
    if layer.merges:
        rows.insert(0, ("branches", "or from:", "lists of entries, all fed by the same input"))
    worked_out = {"output": about["output"], **about["counts"]}
    table = Table(
        _FIELDS,
        [Row(row) for row in rows],
        title=layer.name,
        remarks=(about["documentation"],),
        notes=(
            *(f"{quantity}: {text}" for quantity, text in about["formula"].items()),
            f"Example, on an input {about['input']}: {about['example']}",
            *(f"{quantity} of the example: {text}" for quantity, text in worked_out.items()),
        ),
    )

    def rendered(width: int | None) -> Rendered:
        shown = _lines(f"{layer.name}: {about['documentation']}", "")
        if rows:
            shown += [*plain_rows(table, width).rows, []]
        if about["formula"]:
            shown += _lines(f"Formula, on an input {about['input']}:", "")
            shown += [*_aligned(about["formula"]), []]
        shown += _lines(f"Example, on an input {about['input']}:", "", f"  - {layer.example}", "")
        return Rendered([*shown, *_aligned(worked_out)])

    return Made(table, about, rendered=rendered)


_FIELDS = (
    Column("field", "Field"),
    Column("default", "Default"),
    Column("takes", "Takes", wraps=True),
)


def _lines(*texts: str) -> list[list[Piece]]:
    return [[(text, "")] for text in texts]


def _aligned(figures: dict[str, str]) -> list[list[Piece]]:
    return _lines(*(f"  {quantity:<11} {text}" for quantity, text in figures.items()))
