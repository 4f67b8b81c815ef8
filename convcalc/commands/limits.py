"""`convcalc limits`: the smallest input, and the inputs at which no layer rounds."""

from __future__ import annotations

from itertools import islice
from typing import Any

import click

from convcalc.analysis.exact_sizes import Congruence, ExactSizes
from convcalc.analysis.limits import Limits
from convcalc.commands._options import (
    SPEC,
    deliver_pages,
    open_network,
    parse_settings,
    table_format,
    table_options,
    variables_options,
)
from convcalc.dim import as_equation
from convcalc.errors import UsageError
from convcalc.graph import Node
from convcalc.layer import Requirement
from convcalc.network import Network
from convcalc.report.formats.text import heading, plain_rows
from convcalc.report.page import Made
from convcalc.report.table import JSON_VERSION, Column, Row, Table, plain
from convcalc.report.terminal import Rendered, paragraphs


@click.command("limits")
@click.argument("spec", metavar="SPEC", type=SPEC)
@click.option(
    "--in", "names", metavar="NAMES",
    help="The variables, e.g. --in H,W (default: N and the names in the spec's input).",
)  # fmt: skip
@variables_options
@table_options
@click.pass_context
def command(
    ctx: click.Context,
    spec: str,
    names: str | None,
    settings: tuple[str, ...],
    batch: str | None,
    form: str | None,
    fragment: bool,
    output: str | None,
) -> None:
    """Show the smallest input of a network, and where its closed forms are polynomials.

    For every variable the least value that the network accepts, with the layer that refuses one
    less; and the sizes at which no layer rounds, so that ⌊⌋ and ⌈⌉ vanish. Exit code 1 where no
    value is found that would do.

    \b
      convcalc limits alexnet
      convcalc limits unet --in H --format json
    """
    form = table_format(form, output, fragment)
    values = parse_settings(settings, batch)
    net = open_network(spec, values, build=False)
    if names is None:
        chosen = [name for name in ("N", *net.spec.input_names) if name not in values]
    else:
        chosen = [name.strip() for name in names.split(",") if name.strip()]
    for name in chosen:
        if name in values:
            raise UsageError(f"{name} is given a number and asked for: one will do")
    if not chosen:
        raise UsageError("no variable is left to find the limits of", hint="Name some: --in H,W.")
    found = net.limits_of(chosen)
    page = Made(
        table(net, chosen, found),
        to_dict(net, chosen, found),
        rendered=lambda width: rendered(table(net, chosen, found), width),
    )
    deliver_pages([page], form, output, fragment)
    if len(found.smallest) + len(found.multipliers) < len(chosen):
        ctx.exit(1)


def table(net: Network, names: list[str], found: Limits) -> Table:
    """The limits, a row for each variable."""
    rows = []
    for name in names:
        least = found.smallest.get(name)
        maker, requirement = found.set_by.get(name, (None, None))
        smallest = _any_fraction(name, found) or ("none found" if least is None else least)
        path = maker.path if maker is not None else "–"
        rows.append(Row((name, smallest, path, str(requirement or "–"))))
    lines = [
        f"{' and '.join(group)} must {'each ' * (len(group) > 1)}be {multiple(congruence)}: "
        f"{demanding(nodes)} it."
        for (congruence, nodes), group in alike(found).items()
    ]
    lines += [
        f"{maker.path} also needs {requirement}."
        for requirement, maker in zip(found.conditions, found.makers, strict=True)
    ]
    if found.assumed:
        told = [as_equation(d, "=" if zero else "≠") for d, zero in found.assumed.items()]
        lines.append(f"All this where {', '.join(told)}; elsewhere the structure is another.")
    if found.together:
        equal = " = ".join(found.together)
        lines.append(f"The smallest with {equal}: {next(iter(found.together.values())):,}.")
    if found.exact is not None:
        lines.append(exactness(found.exact, found))
    return Table(_COLUMNS, rows, title=net.title, notes=tuple(lines))


_COLUMNS = (
    Column("name", "Name"),
    Column("smallest", "Smallest", right=True),
    Column("set_by", "Set by"),
    Column("needs", "Which needs", wraps=True),
)


def rendered(found: Table, width: int | None) -> Rendered:
    """The limits as text."""
    notes = paragraphs(found.notes, width).rows
    return Rendered([*heading(found, width), *plain_rows(found, width).rows, [], *notes])


def _any_fraction(name: str, found: Limits) -> str:
    return "any fraction above 0" if name in found.multipliers else ""


def alike(found: Limits) -> dict[tuple[Congruence, tuple[Node, ...]], list[str]]:
    """The names of each congruence that layers demand, with these."""
    names: dict[tuple[Congruence, tuple[Node, ...]], list[str]] = {}
    for name, congruence in found.multiples.items():
        names.setdefault((congruence, found.demanded_by[name]), []).append(name)
    return names


def multiple(congruence: Congruence) -> str:
    """What the numbers of a congruence are."""
    modulus, residue = congruence
    return f"{residue} more than a multiple of {modulus}" if residue else f"a multiple of {modulus}"


def demanding(nodes: tuple[Node, ...]) -> str:
    """Which layers need something."""
    paths = [node.path for node in nodes]
    if len(paths) > 4:
        return f"{', '.join(paths[:3])} and {len(paths) - 3} more layers need"
    return f"{' and '.join(filter(None, (', '.join(paths[:-1]), paths[-1])))} need" + "s" * (
        len(paths) == 1
    )


def exactness(exact: ExactSizes, found: Limits) -> str:
    """Where no layer rounds, as a sentence."""
    if exact.unknown:
        node, size = exact.unknown[0]
        return f"Where no layer rounds was not found: {node.path} has {size}."
    if exact.rounding:
        node, size = exact.rounding[0]
        return (
            f"At every size some layer rounds: where all before it do not, {node.path} has {size}."
        )
    if not str(exact):
        return "No layer rounds: there is no ⌊⌋ and no ⌈⌉ at any size."
    narrowing = {name: c for name, c in exact.congruences.items() if c.modulus > 1}
    if narrowing == found.multiples and not found.conditions:
        return "No layer rounds at a size that the network accepts: there ⌊⌋ and ⌈⌉ vanish."
    some = []
    for name, congruence in narrowing.items():
        first = islice(congruence.members(found.smallest[name]), 3)
        some.append(f"{name} = {', '.join(map(str, first))}, …")
    return f"No layer rounds, and ⌊⌋ and ⌈⌉ vanish, where {exact}: {'; '.join(some)}"


def to_dict(net: Network, names: list[str], found: Limits) -> dict[str, Any]:
    """The limits as `--format json` prints them."""
    exact = found.exact
    return {
        "convcalc": JSON_VERSION,
        "name": net.name,
        "smallest": {name: found.smallest.get(name) for name in names},
        "set_by": {
            name: {"layer": node.path, **entry(requirement)}
            for name, (node, requirement) in found.set_by.items()
        },
        "multipliers": list(found.multipliers),
        "together": found.together,
        "multiples": {
            name: {**c._asdict(), "layers": [node.path for node in found.demanded_by[name]]}
            for name, c in found.multiples.items()
        },
        "conditions": [
            {"layer": node.path, **entry(requirement)}
            for requirement, node in zip(found.conditions, found.makers, strict=True)
        ],
        "exact": {name: c._asdict() for name, c in exact.congruences.items()}
        if exact is not None and exact.is_known
        else None,
        "rounding": [
            {"layer": node.path, "size": plain(size)}
            for node, size in (exact.rounding + exact.unknown if exact is not None else ())
        ],
    }


def entry(requirement: Requirement) -> dict[str, Any]:
    """A requirement as JSON has it; symbolic sides are text that a spec reads back."""
    left, relation, right = requirement[:3]
    return {"left": plain(left), "relation": relation, "right": plain(right)}
