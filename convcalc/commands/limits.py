"""`convcalc limits`: the smallest input, and the inputs at which no layer rounds."""

from __future__ import annotations

from itertools import islice
from typing import Any

import click

from convcalc.analysis.exact_sizes import Congruence, ExactSizes
from convcalc.analysis.limits import Limits
from convcalc.commands._options import (
    SPEC,
    as_json,
    chosen_format,
    deliver,
    format_option,
    open_network,
    output_option,
    parse_settings,
    variables_options,
)
from convcalc.dim import as_equation
from convcalc.errors import UsageError
from convcalc.graph import Node
from convcalc.layer import Requirement
from convcalc.network import Network
from convcalc.report.output import show, terminal_width
from convcalc.report.report import JSON_VERSION, plain
from convcalc.report.terminal import Piece, Rendered, listing, paragraphs


@click.command("limits")
@click.argument("spec", metavar="SPEC", type=SPEC)
@click.option(
    "--in", "names", metavar="NAMES",
    help="The variables, e.g. --in H,W (default: N and the names in the spec's input).",
)  # fmt: skip
@variables_options
@format_option("text", "json")
@output_option
@click.pass_context
def command(
    ctx: click.Context,
    spec: str,
    names: str | None,
    settings: tuple[str, ...],
    batch: str | None,
    form: str | None,
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
    form = chosen_format(form, output, {".txt": "text", ".json": "json"})
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
    if form == "json":
        deliver(as_json([to_dict(net, chosen, found)], several=False), output)
    elif output is not None:
        deliver("\n".join(rendered(net, chosen, found, None).plain()), output)
    else:
        show(rendered(net, chosen, found, terminal_width()))
    if len(found.smallest) + len(found.multipliers) < len(chosen):
        ctx.exit(1)


def rendered(net: Network, names: list[str], found: Limits, width: int | None) -> Rendered:
    """The limits as text."""
    rows = []
    for name in names:
        least = found.smallest.get(name)
        maker, requirement = found.set_by.get(name, (None, None))
        rows.append(
            (
                name,
                _any_fraction(name, found) or ("none found" if least is None else f"{least:,}"),
                maker.path if maker is not None else "–",
                str(requirement or "–"),
            )
        )
    table = listing(("Name", "Smallest", "Set by", "Which needs"), rows, width, right=(1,))
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
    title: list[Piece] = [(net.title, "title")]
    return Rendered([title, [], *table.rows, [], *paragraphs(lines, width).rows])


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
