"""`convcalc summarize`: the table of a network."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from convcalc.analysis.closed_form import Forms, Formula
from convcalc.commands._options import (
    check_symbolic,
    deliver_pages,
    dtype_option,
    no_bias_option,
    open_network,
    parse_settings,
    rounding_options,
    specs_argument,
    table_format,
    table_options,
    variables_options,
)
from convcalc.errors import ConvcalcError, UsageError
from convcalc.report.columns import COLUMNS, DEFAULT_COLUMNS, LAYERS, ROWS, STAGES, STYLES, Layout
from convcalc.report.output import show, terminal_width
from convcalc.report.report import Report


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
@click.option(
    "--rows", type=click.Choice(ROWS), metavar="|".join(ROWS), default=LAYERS,
    help="What the rows are: layers, in their modules (the default), or stages, that is the groups "
    "of the spec or, without, what is at the top of the module tree.",
)  # fmt: skip
@dtype_option
@click.option("--all", "everything", is_flag=True, help="Show every layer: no folding into ×n.")
@click.option(
    "--columns", metavar="NAMES",
    help=f"The columns (default: {','.join(DEFAULT_COLUMNS)}): {', '.join(COLUMNS)}.",
)  # fmt: skip
@click.option(
    "--style", metavar="|".join(STYLES),
    help="The columns and the rounding of someone's tables; options given beside it win.",
)  # fmt: skip
@no_bias_option
@rounding_options
@table_options
def command(
    specs: tuple[str, ...],
    settings: tuple[str, ...],
    batch: str | None,
    symbolic: str,
    depth: int | None,
    rows: str,
    dtype: str,
    everything: bool,
    columns: str | None,
    style: str | None,
    no_bias: bool,
    numbers: str | None,
    memory: str | None,
    digits: int | None,
    form: str | None,
    fragment: bool,
    output: str | None,
) -> None:
    """Show the layers of a network: output shapes, parameters, MACs.

    SPEC is a file, the name of an architecture of the zoo, or - for standard input.
    Identical neighbours are folded into one line with ×n.

    CSV and JSON have a row for every layer; in CSV the last row is the total, and --depth N cuts
    the rows at N levels. HTML has all levels, which fold.

    \b
      convcalc summarize vgg16
      convcalc summarize resnet50 --depth 2 --batch 8
      convcalc summarize net.yaml --set H=256 --columns output,params,macs,adds
      convcalc summarize alexnet --symbolic H,W
      convcalc summarize vgg16_cs231n --style cs231n -o vgg16.tex
    """
    form = table_format(form, output, fragment)
    layout: dict[str, Any] = {
        "columns": columns, "style": style, "no_bias": no_bias, "numbers": numbers,
        "memory": memory, "digits": digits, "fold": not everything,
        "rows": rows,
    }  # fmt: skip
    if rows == STAGES and (everything or depth is not None):
        raise UsageError(
            f"{'--all' if everything else '--depth'} is of layers: stages have no levels"
        )
    if depth is not None:
        layout["depth"] = depth
    Layout(**layout).figures()
    values = parse_settings(settings, batch)
    check_symbolic(symbolic, values)

    def reports() -> Iterator[Report]:
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
            yield report

    deliver_pages(reports(), form, output, fragment, **layout)


def _show_partial(error: ConvcalcError, spec: str, layout: dict[str, Any]) -> None:
    """The table down to the layer that did not fit."""
    graph = error.partial
    if graph is None or not graph.nodes:
        return
    report = Report(spec, graph.title, "", {}, graph, lambda: Formula(Forms([0], graph, ())))
    show(report.until(error, terminal_width(), **layout))
