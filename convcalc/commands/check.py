"""`convcalc check`: holds what a spec expects against what comes out."""

from __future__ import annotations

import click

from convcalc.commands._options import open_network, specs_argument
from convcalc.dim import Size
from convcalc.errors import ConvcalcError
from convcalc.network import Network
from convcalc.report.output import write
from convcalc.spec.values import Constants, Env


@click.command("check")
@specs_argument
@click.pass_context
def command(ctx: click.Context, specs: tuple[str, ...]) -> None:
    """Hold the `expect:` of specs against the result.

    It holds at the spec's own variables and N = 1. Exit code 1 where a figure differs, with both
    numbers; 3 where a spec is broken.

    \b
      convcalc check my_net.yaml vgg16
    """
    failed = False
    for spec in specs:
        net = open_network(spec, {})
        rows = expectations(net)
        if not rows:
            click.echo(f"Note: {spec} expects nothing: add expect: {{params: …}} to it", err=True)
        for quantity, expected, found in rows:
            if expected == found:
                write(f"✓ {spec}: {quantity} {found:,}")
            else:
                failed = True
                write(f"✗ {spec}: {quantity} expected {expected:,}, found {found:,}")
    if failed:
        ctx.exit(1)


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
