"""`convcalc zoo`: the architectures that come with convcalc."""

from __future__ import annotations

from typing import Any

import click

from convcalc.commands._options import OneOf, format_option
from convcalc.errors import UsageError, did_you_mean
from convcalc.network import load
from convcalc.report.output import show, terminal_width, write
from convcalc.report.terminal import listing
from convcalc.spec.zoo import read_text, zoo_file, zoo_names


@click.command("zoo")
@click.argument("name", required=False, type=OneOf("architecture", zoo_names))
@format_option("text", "json")
def command(name: str | None, form: str | None) -> None:
    """List the architectures that come with convcalc, or show the spec of one.

    The list has their parameters and MACs at their own input size.

    \b
      convcalc zoo
      convcalc zoo --format json
      convcalc zoo resnet50 > my_resnet.yaml
    """
    if name is not None:
        file = zoo_file(name)
        if file is None:
            hint = did_you_mean(name, zoo_names()) or "'convcalc zoo' lists them."
            raise UsageError(f"no architecture '{name}'", hint=hint)
        write(read_text(file).rstrip("\n"))
        return
    found = [entry(architecture) for architecture in zoo_names()]
    if form == "json":
        import json

        write(json.dumps(found, indent=1, ensure_ascii=False))
        return
    rows = [(str(e["name"]), str(e["title"]), f"{e['params']:,}", f"{e['macs']:,}") for e in found]
    show(listing(("Name", "Title", "Params", "MACs"), rows, terminal_width(), right=(2, 3)))


def entry(name: str) -> dict[str, Any]:
    """One architecture: name, title, params and macs at its own input size, source."""
    net = load(name)
    totals = net.summarize().totals
    return {
        "name": name,
        "title": net.title,
        "params": totals.params,
        "macs": totals.macs,
        "source": net.source,
    }
