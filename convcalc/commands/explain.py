"""`convcalc explain`: how the figures of a layer come about."""

from __future__ import annotations

import click

from convcalc.analysis.derivation import EXPLAINED
from convcalc.commands._options import (
    SPEC,
    chosen_format,
    dtype_option,
    format_option,
    open_network,
    output_option,
    parse_settings,
    variables_options,
)
from convcalc.errors import UsageError
from convcalc.report.board import STYLES
from convcalc.report.explanation import Explanation
from convcalc.report.output import save, show, terminal_width, write
from convcalc.report.walkthrough import Walkthrough

_SUFFIXES = {
    ".txt": "text", ".md": "markdown", ".tex": "latex", ".ipynb": "notebook", ".json": "json",
}  # fmt: skip


@click.command("explain")
@click.argument("spec", metavar="SPEC", type=SPEC)
@click.argument("layers", metavar="[LAYER...]", nargs=-1)
@click.option(
    "--of", metavar="NAMES",
    help=f"What to explain, by commas: {', '.join(EXPLAINED)} (default: all).",
)  # fmt: skip
@click.option(
    "--style", metavar="|".join(STYLES), default="textbook",
    help="Names and forms as in " + "; ".join(f"{n}: {s.about}" for n, s in STYLES.items())
    + " (default: textbook).",
)  # fmt: skip
@click.option(
    "--steps", is_flag=True, help="Walk through the whole network, or a module, a layer a line."
)
@click.option(
    "--depth", type=click.IntRange(min=1), metavar="N",
    help="With --steps: show N levels of the module tree (default: all).",
)  # fmt: skip
@click.option(
    "--all", "everything", is_flag=True,
    help="With --steps: show every layer: no folding into ×n.",
)  # fmt: skip
@dtype_option
@variables_options
@format_option("text", "markdown", "latex", "notebook", "json")
@output_option
def command(
    spec: str,
    layers: tuple[str, ...],
    of: str | None,
    style: str,
    steps: bool,
    depth: int | None,
    everything: bool,
    dtype: str,
    settings: tuple[str, ...],
    batch: str | None,
    form: str | None,
    output: str | None,
) -> None:
    """Show where the figures of layers come from, as on the board.

    The formula, the same with the numbers put in, the value, and the source. LAYER is a name as
    in the table of `summarize`, of a layer or of a module; without one, the first layer of every
    kind is explained. The formulas are read off the code that computes the figures.

    \b
      convcalc explain alexnet conv1
      convcalc explain alexnet conv1 --of output --style d2l
      convcalc explain lenet5 --steps
      convcalc explain resnet50 layer1 --steps --depth 2
      convcalc explain resnet50 layer1.bottleneck1 --format latex -o slide.tex
    """
    if output == "":
        raise UsageError("-o: an empty file name")
    form = chosen_format(form, output, _SUFFIXES)
    if steps and (len(layers) > 1 or of is not None):
        raise UsageError("--steps walks through the network, or one LAYER of it, and takes no --of")
    if not steps and (depth is not None or everything):
        raise UsageError("--depth and --all belong to --steps")
    net = open_network(spec, parse_settings(settings, batch))
    found: Explanation | Walkthrough
    if steps:
        found = net.walk_through(style, layer="".join(layers), depth=depth, fold=not everything)
    else:
        found = net.explain(layers, of=of, style=style, dtype=dtype)
    if not (steps or layers):
        click.echo("Note: the first layer of every kind; name a layer to see another", err=True)
    if form in ("notebook", "json"):
        import json

        made = found.notebook() if form == "notebook" else found.to_dict()
        text = json.dumps(made, indent=1, ensure_ascii=False)
    elif form != "text":
        text = found.latex() if form == "latex" else found.markdown()
    elif output is None:
        show(found.render(terminal_width()))
        return
    else:
        text = found.text()
    if output is None:
        write(text)
    else:
        save(text, output)
