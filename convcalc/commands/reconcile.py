"""`convcalc reconcile`: what each counter prints, and why."""

from __future__ import annotations

from typing import Any

import click

from convcalc.commands._options import (
    as_json,
    chosen_format,
    deliver,
    format_option,
    open_network,
    output_option,
    parse_settings,
    specs_argument,
    variables_options,
)
from convcalc.conventions import convention, convention_names
from convcalc.report.bridge import bridges_to_dict, render_bridges
from convcalc.report.output import show, terminal_width, write


@click.command("reconcile")
@specs_argument
@click.option(
    "--with", "names", metavar="NAMES",
    help="The counters, by commas; by default all that were measured. 'all' for every one.",
)  # fmt: skip
@variables_options
@format_option("text", "json")
@output_option
def command(
    specs: tuple[str, ...],
    names: str | None,
    settings: tuple[str, ...],
    batch: str | None,
    form: str | None,
    output: str | None,
) -> None:
    """Show what FLOP counters print for a network, term by term from its MACs.

    \b
      convcalc reconcile resnet50
      convcalc reconcile resnet50 --with thop,fvcore,ptflops
      convcalc reconcile mobilenet_v2 --with all --batch 2 --format json

    \b
    By definition   macs, flops, exact
    Measured        torch, fvcore, fvcore-activations, thop, ptflops, ptflops-aten, torchinfo,
                    torchinfo-output-bytes, calflops, calflops-macs
    Only read       deepspeed, onnx-tool, netscope, convnet-burden
    """
    form = chosen_format(form, output, {".txt": "text", ".json": "json"})
    chosen = parse_names(names)
    values = parse_settings(settings, batch)
    shown: list[Any] = []
    for spec in specs:
        report = open_network(spec, values).summarize()
        for note in report.notes:
            click.echo(f"Note: {note}", err=True)
        bridges = [report.convention(name) for name in chosen]
        if form == "json":
            shown.append(bridges_to_dict(report, bridges))
        elif output is not None:
            shown.append("\n".join(render_bridges(report, bridges).plain()))
        else:
            if shown:
                write("")
            show(render_bridges(report, bridges, terminal_width()))
            shown.append(None)
    if form == "json":
        deliver(as_json(shown, len(specs) > 1), output)
    elif output is not None:
        deliver("\n\n".join(shown), output)


def parse_names(names: str | None) -> list[str]:
    """The conventions named, each once; those measured where none is.

    Raises:
        UsageError: there is no such convention.
    """
    if names is None:
        return list(convention_names("measured"))
    if names.strip() == "all":
        return list(convention_names())
    return [convention(name.strip()).name for name in dict.fromkeys(names.split(","))]
