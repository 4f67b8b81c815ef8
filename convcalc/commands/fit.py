"""`convcalc fit`: the largest batch, input or width that still fits."""

from __future__ import annotations

import click

from convcalc.commands._options import (
    SPEC,
    deliver_pages,
    dtype_option,
    open_network,
    parse_settings,
    table_format,
    table_options,
    variables_options,
)
from convcalc.errors import UsageError


@click.command("fit")
@click.argument("spec", metavar="SPEC", type=SPEC)
@click.option(
    "--vary", default="N", show_default=True, metavar="NAMES",
    help="The variable; several, as H,W, have one value.",
)  # fmt: skip
@click.option(
    "--keep", "--where", "keep", multiple=True, required=True, metavar="CONDITION",
    help="What must hold, e.g. 'peak_bytes <= 24 GiB'; may be given several times.",
)  # fmt: skip
@variables_options
@click.option("--max", "limit", metavar="LIMIT", help="The largest value to look at.")
@click.option(
    "--step", metavar="STEP",
    help="Look at the multiples of a step, for a variable that takes fractions: --step 0.05.",
)  # fmt: skip
@dtype_option
@table_options
@click.pass_context
def command(
    ctx: click.Context,
    spec: str,
    vary: str,
    keep: tuple[str, ...],
    settings: tuple[str, ...],
    batch: str | None,
    limit: str | None,
    step: str | None,
    dtype: str,
    form: str | None,
    fragment: bool,
    output: str | None,
) -> None:
    """Find the largest value of a variable at which conditions hold, exactly.

    A condition compares quantities and variables: macs, params, peak_bytes and the others that
    summarize counts, numbers with units (K M G T; kB MB GB TB; KiB MiB GiB TiB), + - * / // %,
    and/or/not. Values that the network does not accept are passed over. --set W='4*H//3' lets the
    width follow the height. Exit code 1 where nothing fits.

    \b
      convcalc fit resnet50 --keep 'peak_bytes <= 24 GiB'
      convcalc fit unet --vary H,W --keep 'macs < 1T and H % 32 == 0'
      convcalc fit mobilenet_v2 --vary width --step 0.05 --keep 'macs < 300M'
    """
    form = table_format(form, output, fragment)
    values = parse_settings(settings, batch)
    names = list(dict.fromkeys(name.strip() for name in vary.split(",") if name.strip()))
    for name in names:
        if name in values:
            raise UsageError(f"{name} is given a number and varied: one will do")
    net = open_network(spec, values, build=False)
    found = net.fit(names, keep, limit=limit, dtype=dtype, step=step)
    deliver_pages([found], form, output, fragment)
    if found.best is None and not found.unbounded:
        ctx.exit(1)
