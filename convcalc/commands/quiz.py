"""`convcalc quiz`: an exercise sheet, with worked solutions."""

from __future__ import annotations

import click

from convcalc.commands._options import (
    SPEC,
    deliver_pages,
    open_network,
    parse_settings,
    table_format,
    table_options,
    variables_options,
)
from convcalc.report.board import STYLES
from convcalc.report.questions import KINDS
from convcalc.report.quiz import COUNT, PARTS


@click.command("quiz")
@click.argument("spec", metavar="SPEC", type=SPEC)
@click.option(
    "-n", "count", type=click.IntRange(min=1), metavar="N",
    help=f"How many questions (default: {COUNT}, or all where there are fewer).",
)  # fmt: skip
@click.option(
    "--seed", type=click.IntRange(min=0), default=1, metavar="SEED",
    help="Another seed, another sheet; the same, the same (default: 1).",
)  # fmt: skip
@click.option(
    "--kind", metavar="NAMES",
    help=f"What to ask for, by commas: {', '.join(KINDS)} (default: all).",
)  # fmt: skip
@click.option(
    "--only", type=click.Choice(PARTS), metavar="|".join(PARTS),
    help="The questions without solutions, or the solutions alone (default: both).",
)  # fmt: skip
@click.option(
    "--style", metavar="|".join(STYLES), default="textbook",
    help="The formulas of the solutions, as `explain` has them (default: textbook).",
)  # fmt: skip
@variables_options
@table_options
def command(
    spec: str,
    count: int | None,
    seed: int,
    kind: str | None,
    only: str | None,
    style: str,
    settings: tuple[str, ...],
    batch: str | None,
    form: str | None,
    output: str | None,
    fragment: bool,
) -> None:
    """Make an exercise sheet: questions about layers, and on a second page worked solutions.

    Layers are drawn by the seed, the easiest questions come first, and no question comes twice. The
    solutions are the steps of `explain`. In LaTeX the sheet compiles as it stands.

    \b
      convcalc quiz vgg16
      convcalc quiz alexnet_cs231n -n 5 --kind shape,params --style cs231n
      convcalc quiz resnet50 --seed 7 -o sheet.tex
      convcalc quiz lenet5 --only questions -o sheet.md
    """
    form = table_format(form, output, fragment)
    net = open_network(spec, parse_settings(settings, batch))
    found = net.quiz(count, seed, kind, style=style)
    deliver_pages([found.part(only) if only else found], form, output, fragment)
