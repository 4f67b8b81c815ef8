"""`convcalc fit`: the largest batch, input or width that still fits."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import click

from convcalc.analysis.conditions import UNITS
from convcalc.analysis.fit import BUILT, SCANNED, Figures, Fit
from convcalc.analysis.memory import BYTES
from convcalc.analysis.quantities import ALIASES
from convcalc.commands._options import (
    SPEC,
    format_option,
    open_network,
    parse_settings,
    variables_options,
)
from convcalc.errors import UsageError
from convcalc.network import Network
from convcalc.report.output import show, terminal_width, write
from convcalc.report.report import JSON_VERSION, plain
from convcalc.report.terminal import Rendered, listing, paragraphs


@click.command("fit")
@click.argument("spec", metavar="SPEC", type=SPEC)
@click.option(
    "--vary", default="N", show_default=True, metavar="NAMES",
    help="The variable; several, as H,W, have one value.",
)  # fmt: skip
@click.option(
    "--keep", multiple=True, required=True, metavar="CONDITION",
    help="What must hold, e.g. 'peak_bytes <= 24 GiB'; may be given several times.",
)  # fmt: skip
@variables_options
@click.option(
    "--max", "limit", type=click.IntRange(min=1), metavar="LIMIT",
    help="The largest value to look at.",
)  # fmt: skip
@click.option(
    "--dtype", type=click.Choice(tuple(BYTES)), default="float32", metavar="|".join(BYTES),
    help="What bytes are counted for (default: float32).",
)  # fmt: skip
@format_option("text", "json")
@click.pass_context
def command(
    ctx: click.Context,
    spec: str,
    vary: str,
    keep: tuple[str, ...],
    settings: tuple[str, ...],
    batch: str | None,
    limit: int | None,
    dtype: str,
    form: str | None,
) -> None:
    """Find the largest value of a variable at which conditions hold, exactly.

    A condition compares quantities and variables: macs, params, peak_bytes and the others that
    summarize counts, numbers with units (K M G T; kB MB GB TB; KiB MiB GiB TiB), + - * / // %,
    and/or/not. Values that the network does not accept are passed over. --set W='4*H//3' lets the
    width follow the height. Exit code 1 where nothing fits.

    \b
      convcalc fit resnet50 --keep 'peak_bytes <= 24 GiB'
      convcalc fit unet --vary H,W --keep 'macs < 1T and H % 32 == 0'
    """
    values = parse_settings(settings, batch)
    names = list(dict.fromkeys(name.strip() for name in vary.split(",") if name.strip()))
    for name in names:
        if name in values:
            raise UsageError(f"{name} is given a number and varied: one will do")
    net = open_network(spec, values, build=False)
    found = net.fit(names, keep, limit=limit, dtype=dtype)
    if form == "json":
        import json

        write(json.dumps(to_dict(net, found), indent=1, ensure_ascii=False))
    else:
        show(rendered(net, found, terminal_width(), limit))
    if found.best is None and not found.unbounded:
        ctx.exit(1)


def rendered(net: Network, found: Fit, width: int | None, limit: int | None) -> Rendered:
    """The answer as text."""
    names = " = ".join(found.names)
    columns = [f for f in (found.best or found.smallest, found.next) if f is not None]
    kept = " and ".join(f"({c})" if len(found.conditions) > 1 else str(c) for c in found.conditions)
    rows: list[tuple[str, ...]] = []
    for name in columns[0].figures if columns else ():
        if name not in found.names:
            short = next((s for s, full in ALIASES.items() if full == name and s in kept), name)
            rows.append((short, *(figure(found, name, column) for column in columns)))
    answer = paragraphs([headline(net, found, names, kept)], width)
    titles = ("", *(f"{names} = {column.value:,}" for column in columns))
    table = listing(titles, rows, width, right=range(1, len(titles))).rows if rows else []
    notes = paragraphs([note for note in explained(net, found, names, limit) if note], width)
    return Rendered([*answer.rows, [], *table, *([[]] if table else []), *notes.rows])


def headline(net: Network, found: Fit, names: str, kept: str) -> str:
    """The answer in a sentence."""
    if net.multipliers(found.names):
        names = f"whole {names}"
    if found.best is not None:
        return f"{net.title}: the largest {names} is {found.best.value:,}, with {kept}."
    if found.least is not None:
        return (
            f"{net.title}: there is no largest {names}: {kept} holds at values as large as sizes "
            f"get, and first at {found.least:,}."
        )
    if found.smallest is None:
        return f"{net.title}: no {names} was found that the network accepts."
    return f"{net.title}: no {names} fits {kept}."


def figure(found: Fit, name: str, column: Figures) -> str:
    """A figure, exactly, and in the unit of the condition."""
    value = column.figures[name]
    unit = next((c.units[name] for c in found.conditions if name in c.units), "")
    if not isinstance(value, int):
        return str(plain(value))
    if not unit or UNITS[unit][0] == 1:
        return f"{value:,}"
    rounded = round(Fraction(value, UNITS[unit][0]), 3)
    sign = "=" if rounded * UNITS[unit][0] == value else "≈"
    return f"{value:,} {sign} {f'{float(rounded):,.3f}'.rstrip('0').rstrip('.')} {unit}"


def explained(net: Network, found: Fit, names: str, limit: int | None) -> list[str]:
    """How it was found, and the way out where it is no answer."""
    notes = []
    first, last = (f"{end:,}" for end in found.searched)
    if found.how != BUILT and limit is not None and found.searched[1] == limit:
        notes.append(f"Larger ones than {limit:,}, the --max, were not looked at.")
    elif found.how == BUILT:
        notes.append(
            f"{names} decides the structure: the network was built for every value from {first} to "
            f"{last}; --max looks further."
        )
    elif found.how == SCANNED:
        notes.append(
            f"Every value from {first} to {last} was tried; the closed forms do not say that no "
            "other fits. --max looks elsewhere."
        )
    elif found.best is not None:
        notes.append(f"By the closed forms, no larger {names} fits.")
    if found.best is None and found.fixed:
        numbers = [n for n, value in net.variables.items() if type(value) is int]
        others = [name for name in ("N", *numbers) if name not in found.names]
        many = "is" if len(found.fixed) == 1 else "are"
        notes.append(
            f"{', '.join(found.fixed)} {many} the same at every {names}: vary another variable, "
            f"of {', '.join(others)}."
        )
    elif found.best is None and not found.unbounded and found.smallest is not None:
        notes.append(
            f"These are the figures at the smallest {names} that the network accepts; --set "
            "changes other variables."
        )
    return notes


def to_dict(net: Network, found: Fit) -> dict[str, Any]:
    """The answer as `--format json` prints it."""
    return {
        "convcalc": JSON_VERSION,
        "name": net.name,
        "vary": list(found.names),
        "keep": [str(condition) for condition in found.conditions],
        "value": found.value,
        "unbounded": found.unbounded,
        "least": found.least,
        "best": entry(found.best),
        "next": entry(found.next),
        "smallest": entry(found.smallest),
        "fixed": list(found.fixed),
        "how": found.how,
        "searched": list(found.searched),
    }


def entry(column: Figures | None) -> dict[str, Any] | None:
    """A value of the variable and the figures there, as JSON has them."""
    if column is None:
        return None
    figures = {name: plain(value) for name, value in column.figures.items()}
    return {"value": column.value, "figures": figures}
