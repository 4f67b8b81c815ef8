"""`convcalc graph`: a network drawn as a graph."""

from __future__ import annotations

import click

from convcalc.analysis.quantities import QUANTITIES
from convcalc.commands._options import (
    SPEC,
    check_symbolic,
    chosen_format,
    deliver,
    format_option,
    open_network,
    output_option,
    parse_settings,
    variables_options,
)
from convcalc.errors import UsageError, shorten
from convcalc.report.drawing.mermaid import MOST_EDGES

_SUFFIXES = {".dot": "dot", ".gv": "dot", ".mmd": "mermaid", ".svg": "svg"}


@click.command("graph")
@click.argument("spec", metavar="SPEC", type=SPEC)
@click.option(
    "--depth", type=click.IntRange(min=1), metavar="N",
    help="Open N levels of the module tree (default: as many as are readable on a page).",
)  # fmt: skip
@click.option("--all", "everything", is_flag=True, help="Draw every layer: no folding into ×n.")
@click.option("--layer", metavar="PATH", default="", help="Draw one block alone.")
@click.option(
    "--of", metavar="NAMES", default="params", show_default=True,
    help=f"The figures in the boxes: {', '.join(QUANTITIES)}.",
)  # fmt: skip
@click.option("--across", is_flag=True, help="Draw from left to right.")
@variables_options
@click.option(
    "--symbolic", metavar="NAMES", default="",
    help="Leave these variables symbolic: shapes are closed forms, e.g. --symbolic H,W.",
)  # fmt: skip
@format_option("dot", "mermaid", "svg")
@output_option
def command(
    spec: str,
    depth: int | None,
    everything: bool,
    layer: str,
    of: str,
    across: bool,
    settings: tuple[str, ...],
    batch: str | None,
    symbolic: str,
    form: str | None,
    output: str | None,
) -> None:
    """Draw a network as a graph: layers, blocks around them, and the shapes that flow.

    Identical neighbours are one box with ×n; the shapes on the edges leave out the batch. DOT is
    for Graphviz, Mermaid for GitHub and notebooks; SVG needs Graphviz installed.

    \b
      convcalc graph unet --depth 1 -o unet.svg
      convcalc graph resnet50 --layer layer1.bottleneck1 --of params,macs --format mermaid
      convcalc graph vgg16 --symbolic H,W --across | dot -Tpdf > vgg16.pdf
    """
    if form is None and output is not None and output.lower().endswith((".pdf", ".png")):
        raise UsageError(
            f"-o {shorten(output, 200)}: Graphviz makes such a file of DOT",
            hint=f"Pipe it: convcalc graph … | dot -T{output[-3:].lower()} > FILE",
        )
    form = chosen_format(form, output, _SUFFIXES)
    values = parse_settings(settings, batch)
    check_symbolic(symbolic, values)
    report = open_network(spec, values, build=False).summarize(symbolic=symbolic)
    for note in report.notes:
        click.echo(f"Note: {note}", err=True)
    drawing = report.draw(
        depth=depth,
        fold=not everything,
        layer=layer,
        of=[name.strip() for name in of.split(",") if name.strip()],
        across=across,
    )
    if form == "mermaid" and len(drawing.edges) > MOST_EDGES:
        click.echo(
            f"Note: {len(drawing.edges):,} edges; Mermaid draws {MOST_EDGES:,}, or as many as its "
            "setting maxEdges says",
            err=True,
        )
    if drawing.hides and depth is None:
        click.echo(
            "Note: blocks hold more: --depth N opens more levels, --all every layer", err=True
        )
    text = {"dot": drawing.dot, "mermaid": drawing.mermaid, "svg": drawing.svg}[form]()
    deliver(text.rstrip("\n"), output)
