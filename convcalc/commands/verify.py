"""`convcalc verify`: every figure held against a run of the network."""

from __future__ import annotations

import json
from typing import Any

import click

from convcalc.commands._backend import backend_option, chosen_backend
from convcalc.commands._options import (
    SPEC,
    deliver,
    deliver_pages,
    open_network,
    parse_settings,
    table_format,
    table_options,
    variables_options,
)
from convcalc.commands._progress import progress_bar
from convcalc.errors import ConvcalcError, UsageError, shorten
from convcalc.interchange.comparison import LIBRARIES
from convcalc.report.output import show, terminal_width
from convcalc.report.page import as_json
from convcalc.report.verification import Verified
from convcalc.spec.zoo import zoo_names


@click.command("verify")
@click.argument("specs", metavar="SPEC...", nargs=-1, type=SPEC)
@variables_options
@click.option("--all", "everything", is_flag=True, help="All architectures of the zoo.")
@click.option("--seed", type=click.IntRange(min=0), default=0, help="Of weights and inputs.")
@click.option("--layer", metavar="PATH", help="Show one layer, or the layers of one module.")
@click.option(
    "--report", metavar="FILE",
    help="Hold a saved `summarize --format json` against the run, not a new one.",
)  # fmt: skip
@backend_option
@click.option(
    "--against", type=click.Choice(LIBRARIES), metavar="|".join(LIBRARIES),
    help="Hold the outputs against those that another library computes, too.",
)  # fmt: skip
@table_options
@click.pass_context
def command(
    ctx: click.Context,
    specs: tuple[str, ...],
    settings: tuple[str, ...],
    batch: str | None,
    everything: bool,
    seed: int,
    layer: str | None,
    report: str | None,
    backend: str,
    against: str | None,
    form: str | None,
    fragment: bool,
    output: str | None,
) -> None:
    """Run a network, and hold every figure against the run.

    Output shapes, parameters (allocated and read), MACs (counted from the operands of matrix
    products; without padding by sums of ones), the peak of the activations, receptive fields (where
    a NaN in the input arrives), finite outputs. Exit code 1 where a figure is wrong.

    \b
      convcalc verify vgg16
      convcalc verify my_net.yaml --set H=96 --batch 2
      convcalc verify resnet50 --report saved.json
      convcalc verify resnet50 --against onnxruntime
    """
    if everything == bool(specs):
        raise UsageError("verify takes SPECs, or --all for the whole zoo")
    form = table_format(form, output, fragment)
    values = parse_settings(settings, batch)
    saved = None if report is None else _read(report)
    device = chosen_backend(backend)
    failed = False
    pages: list[Verified] = []
    for spec in specs or tuple(zoo_names()):
        net = open_network(spec, values)
        with progress_bar("layers run") as progress:
            result = net.verify(
                seed=seed, report=saved, progress=progress, backend=device, against=against
            )
        if layer is not None:
            chosen = {node.path for node in net.graph.find(layer)}
            result = result._replace(checks=tuple(c for c in result.checks if c.layer in chosen))
        failed |= not result.ok
        if result.skipped:
            click.echo(f"Note: {spec} was not run: {result.skipped}", err=True)
        elif form == "text" and output is None:
            show(result.rendered(terminal_width()))
        else:
            pages.append(result)
    if form == "json":
        deliver(as_json([check for page in pages for check in page.to_dict()]), output)
    elif pages:
        deliver_pages(pages, form, output, fragment)
    if failed:
        ctx.exit(1)


def _read(path: str) -> dict[str, Any]:
    """A saved report.

    Raises:
        ConvcalcError: there is no such file, or it is none.
    """
    shown = shorten(path, 200)
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read(100_000_001)
    except (OSError, UnicodeDecodeError) as error:
        raise ConvcalcError(f"{shown} cannot be read: {error}") from None
    try:
        report = json.loads(text)
    except (ValueError, RecursionError):
        raise ConvcalcError(f"{shown} is no JSON") from None
    if not isinstance(report, dict) or not {"totals", "layers"} <= report.keys():
        raise ConvcalcError(
            f"{shown} is no report", hint="Save one with summarize --format json -o FILE."
        )
    return report
