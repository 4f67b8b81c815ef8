"""`convcalc formula`: the closed form of a total."""

from __future__ import annotations

import click

from convcalc.analysis.quantities import ALIASES, TOTALS
from convcalc.commands._options import (
    chosen_format,
    deliver,
    deliver_pages,
    dtype_option,
    format_option,
    open_network,
    output_option,
    parse_settings,
    specs_argument,
    variables_options,
)
from convcalc.errors import UsageError
from convcalc.report.formulas import Written, python_module, table, to_dict
from convcalc.report.output import terminal_width
from convcalc.report.page import Made, as_json

_TABLES = ("markdown", "csv", "html")
_SUFFIXES = {
    ".txt": "text", ".tex": "latex", ".py": "python", ".json": "json", ".md": "markdown",
    ".csv": "csv", ".html": "html",
}  # fmt: skip


@click.command("formula")
@specs_argument
@click.option(
    "--of", metavar="NAMES", default="macs", show_default=True,
    help=f"What is counted, one or several: {', '.join((*TOTALS, *ALIASES))}, or output:LAYER, the "
    "shape of a layer's output.",
)  # fmt: skip
@click.option(
    "--in", "symbols", metavar="NAMES",
    help="The variables to leave free (default: N and the names in input:).",
)  # fmt: skip
@click.option("--layer", metavar="PATH", help="Count one layer, or the layers of one module.")
@variables_options
@dtype_option
@format_option("text", "latex", "python", "json", *_TABLES)
@output_option
def command(
    specs: tuple[str, ...],
    of: str,
    symbols: str | None,
    layer: str | None,
    settings: tuple[str, ...],
    batch: str | None,
    dtype: str,
    form: str | None,
    output: str | None,
) -> None:
    """Show the closed form of a total: exact for every input that the network accepts.

    Any variable that enters sizes may be left free; one that is never a size itself, but rounded
    to one, as the width of a MobileNet, stands for any fraction.

    \b
      convcalc formula resnet50
      convcalc formula resnet50 --of params,macs --in N,H,W,width
      convcalc formula mobilenet_v2 --of macs --in width
      convcalc formula vgg16 --of output:block3 --format latex
    """
    form = chosen_format(form, output, _SUFFIXES)
    values = parse_settings(settings, batch)
    wanted = [name.strip() for name in of.split(",") if name.strip()]
    if not wanted:
        raise UsageError("--of: nothing to count")
    width = terminal_width() if output is None else None
    everything: list[Written] = []
    dicts = []
    for spec in specs:
        net = open_network(spec, values, build=False)
        written = []
        for name in wanted:
            if name.startswith("output:"):
                formulas = net.output_formula(name.removeprefix("output:"), symbols)
            else:
                formulas = (net.formula(name, symbols, layer=layer, dtype=dtype),)
            defaults = {"N": net.batch, **net.variables}
            of_layer = layer is not None and not name.startswith("output:")
            title = f"{net.title}, {layer}" if of_layer else net.title
            written.append(Written(title, name, formulas, defaults))
        if form == "json":
            dicts.append(to_dict(net.name, net.variables, written))
        else:
            everything += written
    if form == "json":
        deliver(as_json(dicts if len(specs) > 1 else dicts[0]), output)
    elif form in _TABLES:
        deliver_pages([Made(table(everything), None)], form, output)
    else:
        if form == "python":
            blocks = ["\n".join(python_module(everything)).lstrip()]
        else:
            each = (one.latex() if form == "latex" else one.text(width) for one in everything)
            blocks = ["\n".join(lines) for lines in each]
        deliver("\n\n".join(blocks), output)
