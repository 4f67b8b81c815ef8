"""`convcalc zoo`: the architectures that come with convcalc."""

from __future__ import annotations

from typing import Any

import click

from convcalc.commands._options import (
    OneOf,
    chosen_format,
    deliver,
    deliver_pages,
    rounding_options,
    table_format,
    table_options,
)
from convcalc.errors import UsageError, did_you_mean, shorten
from convcalc.network import load
from convcalc.report.columns import units_told
from convcalc.report.page import Made
from convcalc.report.rounding import rounded
from convcalc.report.table import COUNTS, Column, Row, Table
from convcalc.spec.zoo import read_text, zoo_file, zoo_names


@click.command("zoo")
@click.argument("name", required=False, type=OneOf("architecture", zoo_names))
@rounding_options
@table_options
def command(
    name: str | None,
    numbers: str | None,
    memory: str | None,
    digits: int | None,
    form: str | None,
    fragment: bool,
    output: str | None,
) -> None:
    """List the architectures that come with convcalc, or show the spec of one.

    The list has their parameters and MACs at their own input size. The networks of lecture slides
    are not in it: lectures/alexnet and the like, which `convcalc compare 'lectures/*'` shows.

    \b
      convcalc zoo
      convcalc zoo --format json
      convcalc zoo resnet50 > my_resnet.yaml
    """
    if name is not None:
        file = zoo_file(name)
        if file is None:
            hint = did_you_mean(name, zoo_names()) or "'convcalc zoo' lists them."
            raise UsageError(f"no architecture '{shorten(name)}'", hint=hint)
        if form is not None or fragment:
            raise UsageError(
                f"{'--fragment' if fragment else '--format'} is for the list of architectures, and "
                f"the spec of {name} is YAML",
                hint=f"'convcalc summarize {name}' shows it as a table.",
            )
        chosen_format(None, output, {".yaml": "yaml", ".yml": "yaml"})
        deliver(read_text(file).rstrip("\n"), output)
        return
    form = table_format(form, output, fragment)
    columns = rounded(_COLUMNS, numbers, memory, digits)
    found = [entry(architecture) for architecture in zoo_names()]
    rows = [Row(tuple(e[column.key] for column in _COLUMNS)) for e in found]
    table = Table(columns, rows, title="Zoo", remarks=tuple(units_told(columns)))
    page = Made(table, found, records=table._replace(columns=_COLUMNS, remarks=()))
    deliver_pages([page], form, output, fragment)


_COLUMNS = (
    Column("name", "Name"),
    Column("title", "Title", wraps=True),
    Column("params", "Params", right=True, units=COUNTS),
    Column("macs", "MACs", right=True, units=COUNTS),
)


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
