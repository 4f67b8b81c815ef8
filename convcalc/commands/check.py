"""`convcalc check`: holds what comes out of a spec against what it expects, and against budgets."""

from __future__ import annotations

from functools import partial

import click

from convcalc.analysis.parts import grouped
from convcalc.commands._options import (
    deliver,
    deliver_pages,
    dtype_option,
    open_network,
    parse_settings,
    specs_argument,
    table_format,
    table_options,
    variables_options,
)
from convcalc.errors import ConvcalcError, UsageError, shorten
from convcalc.report.checks import FOR_CI, Broken, Checked, Checks
from convcalc.report.output import show


@click.command("check")
@specs_argument
@click.option(
    "--max", "limits", metavar="QUANTITY=LIMIT", multiple=True,
    help="What a total may be at most, e.g. --max params=5M --max peak_bytes='24 MiB'.",
)  # fmt: skip
@variables_options
@dtype_option
@partial(table_options, further=FOR_CI)
@click.pass_context
def command(
    ctx: click.Context,
    specs: tuple[str, ...],
    limits: tuple[str, ...],
    settings: tuple[str, ...],
    batch: str | None,
    dtype: str,
    form: str | None,
    fragment: bool,
    output: str | None,
) -> None:
    """Hold the totals of specs against their `expect:` and `budget:`, and against limits.

    `expect:` has exact figures at the spec's own variables, N = 1 and float32; with --set or
    --batch it is left alone. `budget:` and --max have upper bounds of what summarize counts, with
    units (K M G T; kB MB GB TB; KiB MiB GiB TiB). Exit code 1 where a figure is wrong or over its
    budget, with both numbers; 3 where a spec is broken, or a group of it names a layer that is not
    there: the others are held all the same.

    --format github prints annotations for a workflow, junit a file for other CI.

    \b
      convcalc check my_net.yaml vgg16
      convcalc check nets/*.yaml --max params=5M --max macs=300M --format github
    """
    form = table_format(form, output, fragment, {".xml": "junit"})
    maximum = parse_settings(limits, None, "--max", "QUANTITY=LIMIT")
    values = parse_settings(settings, batch)
    checked: list[Checked] = []
    broken: list[Broken] = []
    for spec in specs:
        shown = shorten(spec, 200)
        try:
            net = open_network(spec, values)
            grouped(net.graph, net.spec.groups)
            found = Checks(
                Checked(spec, one.held) for one in net.check(dtype=dtype, **maximum).checked
            )
        except UsageError as error:
            raise error.located(shown) from None
        except ConvcalcError as error:
            click.echo(f"Error: {error.located(shown)}", err=True)
            broken.append(Broken(spec, error))
            continue
        if values and net.spec.expect:
            click.echo(f"Note: {shown}: expect: is of other values, and left alone", err=True)
        elif not found.checked:
            click.echo(f"Note: {shown} expects nothing: add expect: {{params: …}} to it", err=True)
        checked += found.checked
        if form == "text" and output is None and found.checked:
            show(found.rendered(None))
    every = Checks(checked, broken)
    if form == "junit":
        deliver(every.to_junit(), output)
    elif form == "github":
        if not every.ok or output is not None:
            deliver(every.to_github(), output)
    elif form != "text" or output is not None:
        deliver_pages([every], form, output, fragment)
    if not every.ok:
        ctx.exit(3 if broken else 1)
