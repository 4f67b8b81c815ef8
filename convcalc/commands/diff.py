"""`convcalc diff`: what changed from one network to another."""

from __future__ import annotations

import click

from convcalc.analysis.differences import Snapshot
from convcalc.commands._options import (
    SPEC,
    check_symbolic,
    deliver_pages,
    dtype_option,
    open_network,
    parse_settings,
    read_stdin,
    rounding_options,
    table_format,
    table_options,
    variables_options,
)
from convcalc.errors import UsageError, shorten
from convcalc.network import Network, diff
from convcalc.report.formats import FOR_PROGRAMS
from convcalc.report.saved import SPEC_OR_REPORT, saved_file, saved_in, snapshot
from convcalc.spec.document import read_string


@click.command("diff")
@click.argument("old", metavar="OLD", type=SPEC)
@click.argument("new", metavar="NEW", type=SPEC)
@click.option(
    "--fail-on", "fail_on", metavar="CONDITION", multiple=True,
    help="Exit with 1 where this holds of the change of a total, e.g. 'macs > +5%', "
    "'params > +0', 'peak_bytes > +10 MiB'; may be given several times.",
)  # fmt: skip
@variables_options
@click.option(
    "--old-set", "old_settings", metavar="NAME=VALUE", multiple=True,
    help="A value for a variable of OLD alone.",
)  # fmt: skip
@click.option(
    "--new-set", "new_settings", metavar="NAME=VALUE", multiple=True,
    help="A value for a variable of NEW alone.",
)  # fmt: skip
@click.option(
    "--symbolic", metavar="NAMES", default="",
    help="Leave these variables of specs symbolic: every change is a closed form, e.g. H,W.",
)  # fmt: skip
@click.option(
    "--depth", type=click.IntRange(min=1), metavar="N",
    help="Sum the layers up by module, N levels of the module tree.",
)  # fmt: skip
@click.option("--all", "everything", is_flag=True, help="Show every layer, however many.")
@dtype_option
@rounding_options
@table_options
@click.pass_context
def command(
    ctx: click.Context,
    old: str,
    new: str,
    fail_on: tuple[str, ...],
    settings: tuple[str, ...],
    batch: str | None,
    old_settings: tuple[str, ...],
    new_settings: tuple[str, ...],
    symbolic: str,
    depth: int | None,
    everything: bool,
    dtype: str,
    numbers: str | None,
    memory: str | None,
    digits: int | None,
    form: str | None,
    fragment: bool,
    output: str | None,
) -> None:
    """Show what changed from OLD to NEW: layers, parameters, MACs, memory.

    Each is a spec, or a file that `summarize --format json` wrote, as on another branch. Layers
    correspond by their paths, and by type, output, params and MACs where they were renamed; how
    they are wired is not compared. Exit code 1 where a condition of --fail-on holds.

    \b
      convcalc diff resnet50 resnet101
      convcalc diff resnet50 resnet50 --new-set classes=10
      convcalc diff main.json net.yaml --format markdown --fail-on 'macs > +5%'
    """
    form = table_format(form, output, fragment)
    if old == new == "-":
        raise UsageError("standard input can be one of the two only")
    if depth is not None and everything:
        raise UsageError("--depth sums layers up, and --all shows each: one will do")
    both = parse_settings(settings, batch)
    of_old = {**both, **parse_settings(old_settings, None, "--old-set")}
    of_new = {**both, **parse_settings(new_settings, None, "--new-set")}
    check_symbolic(symbolic, {**of_old, **of_new})
    sides = _side(old, of_old), _side(new, of_new)
    if symbolic and not any(isinstance(side, Network) for side in sides):
        raise UsageError("--symbolic is for specs, and both are saved reports")
    found = diff(
        *sides,
        fail_on=fail_on,
        symbolic=symbolic,
        dtype=dtype,
    )
    for note in found.notes:
        click.echo(f"Note: {note}", err=True)
    deliver_pages(
        [found], form, output, fragment, depth=depth, everything=everything, numbers=numbers,
        memory=memory, digits=digits,
    )  # fmt: skip
    if not found.ok:
        if output is not None or form in FOR_PROGRAMS:
            for failure in found.failed:
                click.echo(failure, err=True)
        ctx.exit(1)


def _side(spec: str, values: dict[str, str]) -> Network | Snapshot:
    """A network, or what a saved report has."""
    if spec == "-":
        text = read_stdin(SPEC_OR_REPORT)
        saved = saved_in(text, "<stdin>")
        if saved is None:
            return Network(read_string(text, "<stdin>"), values, build=False)
    else:
        saved = saved_file(spec)
        if saved is None:
            return open_network(spec, values, build=False)
    if values:
        raise UsageError(
            f"{shorten(spec, 200)} is a saved report: it has its values already",
            hint="--old-set and --new-set are for one of the two.",
        )
    return snapshot(saved, "<stdin>" if spec == "-" else shorten(spec, 200))
