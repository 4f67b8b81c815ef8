"""`convcalc sweep`: totals at all combinations of some values of variables."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import chain
from typing import Any

import click

from convcalc.analysis.quantities import TOTALS
from convcalc.analysis.sweep.plan import MAX_CONFIGURATIONS, Axis, axis, check_count
from convcalc.analysis.sweep.rows import Rows
from convcalc.commands._options import (
    SPEC,
    deliver_pages,
    dtype_option,
    open_network,
    rounding_options,
    table_format,
    table_options,
)
from convcalc.commands._progress import progress_bar
from convcalc.dim import Dim
from convcalc.errors import ConvcalcError, UsageError, shorten
from convcalc.report.sweeps import (
    SHOWN,
    Csv,
    Json,
    Sweep,
    Writer,
    collected,
    is_for_people,
    writer,
)
from convcalc.spec.expressions import parse

_MAX_LISTED = 1_000_000


@click.command("sweep")
@click.argument("spec", type=SPEC)
@click.option(
    "--set", "settings", metavar="NAME=VALUES", multiple=True,
    help="The values of a variable, or of several that move together: --set H,W=32:512:32, from 32 "
    "to 512, both included, in steps of 32; --set width=0.25,0.5,1; "
    "--set 'depths=[2,2,2,2],[3,4,6,3]'.",
)  # fmt: skip
@click.option(
    "--of", metavar="NAMES", default="params,macs", show_default=True,
    help=f"What is counted: {', '.join(TOTALS)}.",
)  # fmt: skip
@click.option(
    "--where", metavar="CONDITION", default="",
    help="Keep the rows that meet a condition, e.g. 'macs < 300M and params < 5M'.",
)  # fmt: skip
@click.option(
    "--pareto", metavar="NAMES", default="",
    help="Keep the rows that no other is better than in all of these; smaller is better, larger "
    "after a -: --pareto macs,-H.",
)  # fmt: skip
@click.option("--top", type=int, metavar="K", help="Keep K rows, the largest by --by.")
@click.option("--by", metavar="NAME", default="", help="What --top goes by; -NAME: the smallest.")
@click.option("--batch", metavar="NUMBERS", help="Batch sizes: the same as --set N=NUMBERS.")
@click.option(
    "--scheduler", metavar="ADDRESS",
    help="Run on a Dask cluster: the address of its scheduler.",
)  # fmt: skip
@click.option(
    "--limit", type=click.IntRange(min=1), default=MAX_CONFIGURATIONS, metavar="N",
    help=f"The largest number of configurations (default: {MAX_CONFIGURATIONS:,}).",
)  # fmt: skip
@dtype_option
@rounding_options
@table_options
def command(
    spec: str,
    settings: tuple[str, ...],
    of: str,
    where: str,
    pareto: str,
    top: int | None,
    by: str,
    scheduler: str | None,
    limit: int,
    batch: str | None,
    dtype: str,
    numbers: str | None,
    memory: str | None,
    digits: int | None,
    form: str | None,
    fragment: bool,
    output: str | None,
) -> None:
    """Count at all combinations of some values of variables: millions a second, exactly.

    Variables that only enter sizes are put into the closed form; for others, such as depths, the
    network is built for each value. Rows at which the network does not fit are left out. The rows
    vary by the last --set fastest, structures slowest. -o writes .csv, .json, .npz or
    .parquet, or the first rows as a table: .txt, .md, .tex, .html.

    \b
      convcalc sweep resnet50 --set H,W=32:512:32 --set width=32,64,128
      convcalc sweep mobilenet_v2 --set width=0.25:1.5:0.05 --set H,W=96:256:32 \\
          --where 'macs < 300M' --top 5 --by macs
      convcalc sweep resnet50 --set H,W=64:512 --set N=1:64 --of macs,peak_activation_bytes \\
          --where 'peak_bytes < 1 GiB' -o fits.csv
    """
    if batch is not None:
        settings = (*settings, f"N={batch}")
    axes = [parse_axis(setting) for setting in settings]
    if not axes:
        raise UsageError("nothing to sweep over", hint="For instance --set H,W=32:512:32.")
    check_count(axes, limit)
    if form is not None and output is not None:
        raise UsageError("--format is for the terminal; the suffix of -o says what is written")
    gc.enable()  # a network for each structure is a lot of garbage
    net = open_network(spec, {})
    misfits: list[str] = []
    with progress_bar("configurations") as progress:
        rows = net.sweep_rows(
            axes, of=of, where=where, pareto=pareto, top=top, by=by, progress=progress,
            scheduler=scheduler, limit=limit, dtype=dtype, misfits=misfits,
        )  # fmt: skip
        if output is not None and not is_for_people(output):
            with writer(output, net.name) as file:
                found = _written(rows, file)
        elif form == "csv":
            found = _written(rows, Csv(sys.stdout))
        elif form == "json":
            json = Json(sys.stdout, net.name)
            found = _written(rows, json)
            json.end()
        else:
            found = _beginning(rows, net.title)
    if not isinstance(found, _Count):
        form = table_format(form, output, fragment)
        deliver_pages(
            [found], form, output, fragment, numbers=numbers, memory=memory, digits=digits
        )
    if output is not None:
        click.echo(f"{output}: {found.summary(found.kept)}", err=True)
    if misfits:
        click.echo(Sweep({}, 0, 0, misfits).left_out(), err=True)
    elif found.legal == 0:
        click.echo("Note: the network fits at none of them", err=True)


class _Count(Sweep):
    """A sweep whose rows are written already, and only counted."""

    def __init__(self) -> None:
        super().__init__({}, 0, 0)
        self.rows = 0

    def __len__(self) -> int:
        return self.rows

    def add(self, rows: Rows) -> None:
        """Count some rows."""
        self.configurations += rows.configurations
        self.legal += rows.legal
        self.rows += len(next(iter(rows.columns.values())))


def _written(found: Iterable[Rows], file: Writer) -> Sweep:
    """Write the rows as they come."""
    count = _Count()
    for rows in found:
        file.write(rows.columns)
        count.add(rows)
    return count


def _beginning(found: Iterable[Rows], title: str) -> Sweep:
    """The rows that a table shows, with how many there are more."""
    count = _Count()
    kept: list[Rows] = []
    for rows in found:
        if len(count) < SHOWN:
            kept.append(rows)
        count.add(rows)
    first = collected(kept, [])
    hidden = len(count) - len(first)
    return Sweep(first.columns, count.configurations, count.legal, title=title, hidden=hidden)


# -- values on the line -----------------------------------------------------------------------


def parse_axis(setting: str) -> Axis:
    """The axis of NAME=VALUES, or of A,B=VALUES for variables that move together.

    Raises:
        UsageError: it is of another form, a range is empty or has no end.
    """
    left, equals, right = setting.partition("=")
    names = tuple(name.strip() for name in left.split(","))
    if not equals or not all(names) or not right.strip():
        raise UsageError(f"--set {shorten(setting)}: NAME=VALUES is due, as H=32:512:32")
    items = _items(right)
    if len(items) == 1 and isinstance(found := _values(items[0], setting), range):
        return axis(names, found)
    parts = [_values(item, setting) for item in items]
    _check_listed(sum(axis(names[0], part).size for part in parts), setting)
    values = list(chain.from_iterable(parts))
    return axis(names, values if len(names) == 1 else [(value,) * len(names) for value in values])


def _items(text: str) -> list[str]:
    """The parts between the commas that stand in no brackets."""
    items, depth = [""], 0
    for letter in text:
        depth += (letter in "([{") - (letter in ")]}")
        if letter == "," and depth == 0:
            items.append("")
        else:
            items[-1] += letter
    return [item.strip() for item in items]


def _values(item: str, setting: str) -> Sequence[Any]:
    """The values of one item: a range of numbers, a number, or what a spec may have, as text."""
    if not item:
        raise UsageError(f"--set {shorten(setting)}: a value is missing")
    ends = item.split(":")
    if len(ends) == 1 or "[" in item:
        number = _number(item)
        return [item if number is None else number]
    numbers = [_number(end) for end in ends]
    if len(ends) > 3 or None in numbers:
        raise UsageError(
            f"--set {shorten(setting)}: '{shorten(item)}' is no range",
            hint="Ranges are FIRST:LAST or FIRST:LAST:STEP, with both ends: 32:512:32.",
        )
    first, last, step = (*numbers, 1)[:3]
    if step <= 0:
        raise UsageError(f"--set {shorten(setting)}: a step of {step}; it must be above 0")
    if last < first:
        raise UsageError(
            f"--set {shorten(setting)}: the range from {first} to {last} is empty",
            hint=f"Turn it round: {last}:{first}.",
        )
    if all(isinstance(number, int) for number in (first, last, step)):
        return range(first, last + 1, step)
    steps = (last - first) // step + 1
    _check_listed(steps, setting)
    return [first + i * step for i in range(steps)]


def _check_listed(values: int, setting: str) -> None:
    if values > _MAX_LISTED:
        raise UsageError(
            f"--set {shorten(setting)}: {values:,} values; {_MAX_LISTED:,} are the limit for "
            "fractions and lists",
            hint="One range of whole numbers may have more.",
        )


class _NoNames:
    """No names: what they stand for depends on the spec, which reads the text again."""

    def __getitem__(self, name: str) -> Any:
        raise KeyError(name)

    def known(self) -> Iterable[str]:
        """None."""
        return ()

    def spend(self, items: int) -> None:
        """Numbers have no lists."""

    def same(self, a: Dim, b: Dim) -> bool:
        """Never asked: there are no symbols."""
        raise NotImplementedError


def _number(text: str) -> Any:
    """The number that an expression without names is; None for anything else."""
    try:
        value = parse(text).evaluate(_NoNames())
    except (ConvcalcError, KeyError):
        return None
    is_number = isinstance(value, (int, Fraction)) and not isinstance(value, bool)
    return value if is_number else None
