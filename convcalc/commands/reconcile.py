"""`convcalc reconcile`: what each counter prints, and why."""

from __future__ import annotations

from collections.abc import Iterator

import click

from convcalc.commands._options import (
    deliver_pages,
    open_network,
    parse_settings,
    specs_argument,
    table_format,
    table_options,
    variables_options,
)
from convcalc.conventions import convention, convention_names
from convcalc.report.bridge import Reconciliation


@click.command("reconcile")
@specs_argument
@click.option(
    "--with", "names", metavar="NAMES",
    help="The counters, by commas; by default all that were measured. 'all' for every one.",
)  # fmt: skip
@variables_options
@table_options
def command(
    specs: tuple[str, ...],
    names: str | None,
    settings: tuple[str, ...],
    batch: str | None,
    form: str | None,
    fragment: bool,
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
    form = table_format(form, output, fragment)
    chosen = parse_names(names)
    values = parse_settings(settings, batch)

    def pages() -> Iterator[Reconciliation]:
        for spec in specs:
            report = open_network(spec, values).summarize()
            for note in report.notes:
                click.echo(f"Note: {note}", err=True)
            yield Reconciliation(report, [report.convention(name) for name in chosen])

    deliver_pages(pages(), form, output, fragment)


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
