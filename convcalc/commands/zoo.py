"""`convcalc zoo`: the architectures that come with convcalc."""

from __future__ import annotations

from typing import Any

import click

from convcalc.commands._options import format_option
from convcalc.network import load
from convcalc.report.output import show, terminal_width, write
from convcalc.report.terminal import listing
from convcalc.spec.zoo import zoo_names


@click.command("zoo")
@format_option("text", "json")
def command(form: str | None) -> None:
    """List the architectures that come with convcalc, with their parameters and MACs.

    \b
      convcalc zoo
      convcalc zoo --format json
    """
    found = [entry(name) for name in zoo_names()]
    if form == "json":
        import json

        write(json.dumps(found, indent=1, ensure_ascii=False))
        return
    rows = [
        (str(e["name"]), str(e["title"]), f"{e['params']:,}", f"{e['macs']:,}") for e in found
    ]
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
