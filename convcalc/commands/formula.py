"""`convcalc formula`: the closed form of a total."""

from __future__ import annotations

import click

from convcalc.analysis.quantities import ALIASES, TOTALS
from convcalc.commands._options import (
    format_option,
    open_network,
    output_option,
    parse_settings,
    specs_argument,
    variables_options,
)
from convcalc.errors import UsageError
from convcalc.report.formulas import FORMATS, Written, to_dict
from convcalc.report.output import save, terminal_width, write


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
@format_option("text", "latex", "python", "json")
@output_option
def command(
    specs: tuple[str, ...],
    of: str,
    symbols: str | None,
    layer: str | None,
    settings: tuple[str, ...],
    batch: str | None,
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
    if form is None:
        form = "json" if output is not None and output.endswith(".json") else "text"
    values = parse_settings(settings, batch)
    wanted = [name.strip() for name in of.split(",") if name.strip()]
    if not wanted:
        raise UsageError("--of: nothing to count")
    width = terminal_width() if output is None else None
    blocks: list[str] = []
    dicts = []
    for spec in specs:
        net = open_network(spec, values)
        written = []
        for name in wanted:
            if name.startswith("output:"):
                formulas = net.output_formula(name.removeprefix("output:"), symbols)
            else:
                formulas = (net.formula(name, symbols, layer=layer),)
            defaults = {"N": net.batch, **net.variables}
            title = net.title if layer is None else f"{net.title}, {layer}"
            written.append(Written(title, name, formulas, defaults))
        if form == "json":
            dicts.append(to_dict(net.name, net.variables, written))
        else:
            for one in written:
                lines = FORMATS[form](one) if form in FORMATS else one.text(width)
                blocks.append("\n".join(lines))
    if form == "json":
        import json

        text = json.dumps(dicts[0] if len(specs) == 1 else dicts, indent=1, ensure_ascii=False)
    else:
        text = ("\n" if form == "latex" else "\n\n").join(blocks)
    if output is not None:
        save(text, output)
    else:
        write(text)
