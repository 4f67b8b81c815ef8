"""`convcalc check`: holds what a spec expects against what comes out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import click

from convcalc.analysis.parts import grouped
from convcalc.commands._options import (
    deliver_pages,
    open_network,
    specs_argument,
    table_format,
    table_options,
)
from convcalc.dim import Size
from convcalc.errors import ConvcalcError
from convcalc.network import Network
from convcalc.report.output import write
from convcalc.report.page import Made
from convcalc.report.table import Column, Row, Table
from convcalc.report.terminal import Rendered
from convcalc.spec.values import Constants, Env


@click.command("check")
@specs_argument
@table_options
@click.pass_context
def command(
    ctx: click.Context,
    specs: tuple[str, ...],
    form: str | None,
    fragment: bool,
    output: str | None,
) -> None:
    """Hold the `expect:` of specs against the result.

    It holds at the spec's own variables and N = 1. Exit code 1 where a figure differs, with both
    numbers; 3 where a spec is broken, or a group of it names a layer that is not there.

    \b
      convcalc check my_net.yaml vgg16
    """
    form = table_format(form, output, fragment)
    rows: list[Row] = []
    for spec in specs:
        net = open_network(spec, {})
        grouped(net.graph, net.spec.groups)
        found = expectations(net)
        if not found:
            click.echo(f"Note: {spec} expects nothing: add expect: {{params: …}} to it", err=True)
        held = [Row((spec, *figures, figures[1] == figures[2])) for figures in found]
        rows += held
        if form == "text" and output is None:
            for line in lines(held):
                write(line)
    if form != "text" or output is not None:
        table = Table(_COLUMNS, rows, title="Check")
        text = Rendered([[(line, "")] for line in lines(rows)])
        page = Made(table, table.to_dicts(), rendered=lambda width: text)
        deliver_pages([page], form, output, fragment)
    if not all(row.cells[-1] for row in rows):
        ctx.exit(1)


_COLUMNS = (
    Column("spec", "Spec"),
    Column("quantity", "Quantity"),
    Column("expected", "Expected", right=True),
    Column("found", "Found", right=True),
    Column("ok", "Confirmed"),
)


def lines(rows: Iterable[Row]) -> Iterator[str]:
    """What came of each figure, as text."""
    for spec, quantity, expected, found, ok in (row.cells for row in rows):
        if ok:
            yield f"✓ {spec}: {quantity} {found:,}"
        else:
            yield f"✗ {spec}: {quantity} expected {expected:,}, found {found:,}"


def expectations(net: Network) -> list[tuple[str, int, Size]]:
    """Each quantity that a spec expects, with the value expected and the one found."""
    totals = net.summarize().totals
    rows: list[tuple[str, int, Size]] = []
    for quantity, value in net.spec.expect.items():
        expected = value.evaluate(Env(Constants(N=1)))
        if isinstance(expected, bool) or not isinstance(expected, int):
            raise ConvcalcError(f"expect: {quantity}: a whole number is due").located(
                str(value.where)
            )
        rows.append((quantity, expected, getattr(totals, quantity)))
    return rows
