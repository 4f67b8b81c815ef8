"""`convcalc plot`: pictures of a network, or of several."""

from __future__ import annotations

import click

from convcalc.commands._options import (
    OneOf,
    dtype_option,
    open_network,
    parse_settings,
    specs_argument,
    variables_options,
)
from convcalc.report.output import write
from convcalc.report.plots.plot import FORMATS, KINDS, find_kind, format_of, plot
from convcalc.spec.zoo import matching


@click.command("plot")
@specs_argument
@click.option(
    "--kind", type=OneOf("kind", lambda: KINDS), default="layers", metavar="|".join(KINDS),
    help="What is shown: " + "; ".join(f"{name}: {kind.about}" for name, kind in KINDS.items())
    + " (default: layers).",
)  # fmt: skip
@variables_options
@click.option(
    "--depth", type=click.IntRange(min=1), metavar="N",
    help="Open N levels of the module tree: a block that is not opened is one bar (default: all).",
)  # fmt: skip
@dtype_option
@click.option("--dark", is_flag=True, help="Draw on a dark ground.")
@click.option(
    "-o", "--output", metavar="FILE",
    help=f"Write to a file, {', '.join(f'.{form}' for form in FORMATS)}, whole or not at all "
    "(default: SVG on standard output).",
)  # fmt: skip
def command(
    specs: tuple[str, ...],
    kind: str,
    settings: tuple[str, ...],
    batch: str | None,
    depth: int | None,
    dtype: str,
    dark: bool,
    output: str | None,
) -> None:
    """Draw a network: its layers' figures, its memory, its receptive fields.

    Needs Matplotlib: pip install 'convcalc[plot]'. The same network is the same file, byte by
    byte. Bubbles compare several networks; a pattern as 'resnet*' stands for all it matches.

    \b
      convcalc plot resnet50 -o layers.svg
      convcalc plot unet --kind memory -o memory.pdf
      convcalc plot vgg16 --kind receptive_field --set H=112 --set W=112 -o field.png
      convcalc plot alexnet vgg16 resnet50 --kind bubbles -o compared.svg
    """
    chosen = [name for spec in specs for name in matching(spec)]
    find_kind(kind, len(chosen))
    if output is not None:
        format_of(output)
    values = parse_settings(settings, batch)
    reports = []
    for spec in chosen:
        report = open_network(spec, values, build=False).summarize(dtype=dtype)
        for note in report.notes:
            click.echo(f"Note: {note}", err=True)
        reports.append(report)
    drawn = plot(reports, kind, depth=depth, dark=dark)
    if output is None:
        write(drawn.to_bytes().decode().rstrip("\n"))
    else:
        drawn.save(output)
