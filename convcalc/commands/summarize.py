"""`convcalc summarize`: the table of a network."""

from __future__ import annotations

from typing import Any

import click

from convcalc.analysis.closed_form import Forms, Formula
from convcalc.commands._options import (
    as_json,
    chosen_format,
    deliver,
    dtype_option,
    format_option,
    open_network,
    output_option,
    parse_settings,
    specs_argument,
    variables_options,
)
from convcalc.errors import ConvcalcError, UsageError
from convcalc.report.output import show, terminal_width, write
from convcalc.report.terminal import COLUMNS, DEFAULT_COLUMNS, Rendered, parse_columns, render


@click.command("summarize")
@specs_argument
@variables_options
@click.option(
    "--symbolic", metavar="NAMES", default="",
    help="Leave these variables symbolic: every figure is a closed form, e.g. --symbolic H,W.",
)  # fmt: skip
@click.option(
    "--depth", type=click.IntRange(min=1), metavar="N",
    help="Show N levels of the module tree.",
)  # fmt: skip
@dtype_option
@click.option("--all", "everything", is_flag=True, help="Show every layer: no folding into ×n.")
@click.option(
    "--columns", metavar="NAMES", default=",".join(DEFAULT_COLUMNS), show_default=True,
    help=f"The columns: {', '.join(COLUMNS)}.",
)  # fmt: skip
@format_option("text", "json")
@output_option
def command(
    specs: tuple[str, ...],
    settings: tuple[str, ...],
    batch: str | None,
    symbolic: str,
    depth: int | None,
    dtype: str,
    everything: bool,
    columns: str,
    form: str | None,
    output: str | None,
) -> None:
    """Show the layers of a network: output shapes, parameters, MACs.

    SPEC is a file, the name of an architecture of the zoo, or - for standard input.
    Identical neighbours are folded into one line with ×n.

    \b
      convcalc summarize vgg16
      convcalc summarize resnet50 --depth 2 --batch 8
      convcalc summarize net.yaml --set H=256 --columns output,params,macs,adds
      convcalc summarize alexnet --symbolic H,W
    """
    form = chosen_format(form, output, {".txt": "text", ".json": "json"})
    parse_columns(columns)
    values = parse_settings(settings, batch)
    for name in symbolic.split(","):
        if name.strip() in values:
            raise UsageError(f"{name.strip()} is given a number and left symbolic: one will do")
    layout: dict[str, Any] = {"columns": columns, "depth": depth, "fold": not everything}
    reports: list[Any] = []
    for spec in specs:
        try:
            net = open_network(spec, values, build=False)
            report = net.summarize(symbolic=symbolic, dtype=dtype)
        except ConvcalcError as error:
            if form == "text" and output is None:
                _show_partial(error, spec, layout)
            raise
        for note in report.notes:
            click.echo(f"Note: {note}", err=True)
        if form == "json":
            reports.append(report.to_dict())
        elif output is not None:
            reports.append("\n".join(render(report, **layout).plain()))
        else:
            if reports:
                write("")
            show(render(report, width=terminal_width(), **layout))
            reports.append(None)
    if form == "json":
        deliver(as_json(reports, len(specs) > 1), output)
    elif output is not None:
        deliver("\n\n".join(reports), output)


def _show_partial(error: ConvcalcError, spec: str, layout: dict[str, Any]) -> None:
    """The table down to the layer that did not fit."""
    from convcalc.report.report import Report

    graph = error.partial
    if graph is None or not graph.nodes:
        return
    report = Report(spec, graph.title, "", {}, graph, lambda: Formula(Forms([0], graph, ())))
    rendered: Rendered = render(report, width=terminal_width(), error=error, **layout)
    show(rendered)
