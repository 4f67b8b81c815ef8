"""`convcalc compare`: networks side by side."""

from __future__ import annotations

from typing import Any

import click

from convcalc.commands._options import (
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
from convcalc.commands._progress import progress_bar
from convcalc.errors import UsageError, shorten
from convcalc.network import Network, compare_at
from convcalc.report.comparison import FIGURES, ROWS, STAGES, TOTALS


@click.command("compare")
@specs_argument
@click.option(
    "--rows", type=click.Choice(ROWS), metavar="|".join(ROWS),
    help="What the rows are: networks (totals, the default), stages, that is the groups: of the "
    "specs or the top of their module trees, or layers.",
)  # fmt: skip
@click.option(
    "--columns", metavar="NAMES", default="params,macs",
    help=f"What is compared (default: params,macs): {', '.join(FIGURES)}.",
)  # fmt: skip
@click.option(
    "--group", "groups", metavar="NAME=PATH,…", multiple=True,
    help="A row for these layers or modules, in place of the groups of the specs.",
)  # fmt: skip
@click.option(
    "--base", metavar="NAME",
    help="The network that the others are compared with (default: the first).",
)  # fmt: skip
@no_bias_option
@variables_options
@dtype_option
@rounding_options
@table_options
def command(
    specs: tuple[str, ...],
    rows: str | None,
    columns: str,
    groups: tuple[str, ...],
    base: str | None,
    no_bias: bool,
    settings: tuple[str, ...],
    batch: str | None,
    dtype: str,
    numbers: str | None,
    memory: str | None,
    digits: int | None,
    form: str | None,
    fragment: bool,
    output: str | None,
) -> None:
    """Put networks side by side, with how many times the first, or --base, the others are.

    SPEC is as for summarize, or a pattern of names of the zoo, in quotes: 'resnet*', and '*' for
    all. Stages and layers that have the same name stand in one row; what no group has is a row of
    its own, so the rows add up to the total. CSV has a ratio for every figure of a part.

    \b
      convcalc compare vgg16 resnet50 mobilenet_v2
      convcalc compare 'resnet*' --columns params,macs,peak_bytes --memory MB
      convcalc compare lectures/alexnet lectures/lenet --rows stages --base lectures/lenet
      convcalc compare vgg16 vgg19 --group 'Convs=block1,block2,block3,block4,block5'
    """
    form = table_format(form, output, fragment)
    layout: dict[str, Any] = {"numbers": numbers, "memory": memory, "digits": digits}
    values = parse_settings(settings, batch)
    networks: list[Network | str] = [
        open_network(spec, {}, build=False) if spec == "-" else spec for spec in specs
    ]
    with progress_bar("networks") as progress:
        found = compare_at(
            values,
            networks,
            rows or (STAGES if groups else TOTALS),
            columns,
            parse_groups(groups) if groups else None,
            dtype,
            progress,
            base=base,
            no_bias=no_bias,
        )
    deliver_pages([found], form, output, fragment, **layout)


def parse_groups(given: tuple[str, ...]) -> dict[str, str]:
    """NAME=PATH,…, several times, as a mapping.

    Raises:
        UsageError: one is of another form, or a name stands twice.
    """
    groups: dict[str, str] = {}
    for text in given:
        name, equals, paths = (part.strip() for part in text.partition("="))
        if not equals or not name or not paths:
            raise UsageError(f"--group {shorten(text)}: NAME=PATH,PATH,… is due")
        if name in groups:
            raise UsageError(f"--group {shorten(name)} stands here twice")
        groups[name] = paths
    return groups
