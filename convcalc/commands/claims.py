"""`convcalc claims`: what lecture slides print, recomputed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from fractions import Fraction
from functools import partial
from typing import Any

import click

from convcalc.claims import DECKS, FAILED, NOTATION, WRONG, Claim, claims, decks_with_tables
from convcalc.commands._options import deliver_pages, table_format, table_options
from convcalc.errors import UsageError, shorten
from convcalc.report.formats.text import TEXT, plain_rows
from convcalc.report.formats.text import page as text_page
from convcalc.report.page import Made
from convcalc.report.table import Column, Row, Sizes, Table, Told, cell, plain
from convcalc.report.terminal import Rendered


@click.command("claims")
@click.option(
    "--deck", "decks", type=click.Choice(DECKS, case_sensitive=False), multiple=True,
    metavar="|".join(DECKS), help="The claims of this deck; may be given several times.",
)  # fmt: skip
@click.option(
    "--tables", "as_tables", is_flag=True,
    help="The tables of the slides, with the right figures; slips are marked.",
)  # fmt: skip
@table_options
@click.pass_context
def command(
    ctx: click.Context,
    decks: tuple[str, ...],
    as_tables: bool,
    form: str | None,
    fragment: bool,
    output: str | None,
) -> None:
    """Recompute what five lectures on convolutional networks print on their slides.

    \b
    A  Hu, Zhang: d2l.ai slides          D  Erdem: lecture 14, 2016, after CS231n
    B  Tartaglione: MN909                E  Hu: MLRS 2019
    C  Winovich: SIAM@Purdue 2018

    A figure is exact, rounded (or cut off) to the digits printed, or wrong: ✗ marks those, with
    the reason. Where the verdict is notation, only how it is written is wrong. Figures that do not
    follow from a network, as accuracies, are left out.

    \b
      convcalc claims --deck B
      convcalc claims --deck A --tables
      convcalc claims --format json
    """
    form = table_format(form, output, fragment)
    found = list(claims(decks or DECKS))
    pages = list(tables(found)) if as_tables else [page(found)]
    if not pages:
        raise UsageError(
            "there is no table on the slides of these decks",
            hint=f"There are some in {', '.join(decks_with_tables())}.",
        )
    deliver_pages(pages, form, output, fragment)
    if any(claim.verdict == FAILED for claim in found):
        ctx.exit(3)


def page(found: list[Claim]) -> Made:
    """The claims as a table; for programs, with the explanations in a column of their own."""
    counts = Counter(claim.verdict for claim in found)
    told = ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items()))
    note = f"{len(found)} claims: {told}."
    people = Table(_COLUMNS, [row(claim) for claim in found], title="Claims", notes=(note,))
    programs = Table(
        tuple(Column(key, "") for key in Claim._fields[:-1]),
        [Row(tuple(claim)[:-1]) for claim in found],
    )

    def rendered(width: int | None) -> Rendered:
        return Rendered([*plain_rows(people, width).rows, [(note, "")]])

    return Made(people, [entry(claim) for claim in found], records=programs, rendered=rendered)


_COLUMNS = (
    Column("id", "Id"),
    Column("verdict", "Verdict"),
    Column("claimed", "Claimed", right=True),
    Column("recomputed", "Recomputed", right=True),
    Column("claim", "Claim", wraps=True),
)


def row(claim: Claim) -> Row:
    """A claim for people; a slip has its mark and its reason."""
    mark = "✗" if claim.verdict in (WRONG, FAILED) else " "
    at = f" [at {claim.at}]" if claim.at else ""
    explained = claim.verdict in (WRONG, FAILED, NOTATION)
    reason = f". {claim.explanation}" if explained else ""
    # long formulas stand in the claim too, and would leave no room for it
    claimed = Told(claim.claimed, shorten(claim.claimed, 24))
    recomputed = "–" if claim.recomputed is None else plain(claim.recomputed)
    verdict = Told(claim.verdict, f"{mark} {claim.verdict}")
    return Row((claim.id, verdict, claimed, recomputed, claim.claim + at + reason))


def tables(found: Iterable[Claim]) -> Iterator[Made]:
    """The tables that the claims stand in, deck by deck, in the order of their cells."""
    cells: dict[tuple[str, str], dict[tuple[str, str], Claim]] = {}
    for claim in found:
        if claim.cell:
            title, line, column = claim.cell
            cells.setdefault((claim.deck, title), {})[line, column] = claim
    for (deck, title), claims_at in cells.items():
        names = dict.fromkeys(column for _, column in claims_at)
        columns = (Column("row", ""), *(Column(name, name, right=True) for name in names))
        rows = [
            Row((line, *(_figure(claims_at.get((line, name))) for name in names)))
            for line in dict.fromkeys(line for line, _ in claims_at)
        ]
        table = Table(columns, rows, title=f"{title}, deck {deck}", remarks=(_MARKED,))
        told = [{"row": line, "column": c, **entry(x)} for (line, c), x in claims_at.items()]
        said = {"deck": deck, "table": title, "cells": told}
        # tables of slides differ in their columns; their cells do not
        cells_of = [
            Row((line, c, _value(x), x.claimed, x.verdict, x.id))
            for (line, c), x in claims_at.items()
        ]
        records = Table(_OF_CELLS, cells_of, title=table.title)
        yield Made(table, said, records=records, rendered=partial(text_page, table))


_MARKED = "✗ a → b: the slide prints a, and b is right. What is only rounded is not marked."


_OF_CELLS = tuple(
    Column(key, "") for key in ("row", "column", "recomputed", "claimed", "verdict", "id")
)


def _value(claim: Claim) -> Any:
    """What is recomputed, as a cell of a table has it."""
    value = claim.recomputed
    if isinstance(value, (tuple, list)):
        return Sizes(value)
    return int(value) if isinstance(value, Fraction) and value.denominator == 1 else value


def _figure(claim: Claim | None) -> Any:
    """The right figure of a cell, after the slide's where that is a slip."""
    if claim is None:
        return None
    value = _value(claim)
    if claim.verdict not in (WRONG, FAILED):
        return value
    shown = "–" if value is None else cell(value, Column("", ""), TEXT)
    return Told(value, f"✗ {claim.claimed} → {shown}")


def entry(claim: Claim) -> dict[str, Any]:
    """A claim as JSON has it; `recomputed` is a number or a list of numbers."""
    return {
        "id": claim.id,
        "deck": claim.deck,
        "claim": claim.claim,
        "claimed": claim.claimed,
        "recomputed": plain(claim.recomputed),
        "verdict": claim.verdict,
        "explanation": claim.explanation,
        "at": claim.at,
    }
