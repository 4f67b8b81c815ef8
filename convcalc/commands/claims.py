"""`convcalc claims`: what lecture slides print, recomputed."""

from __future__ import annotations

from collections import Counter
from typing import Any

import click

from convcalc.claims import DECKS, FAILED, WRONG, Claim, claims
from convcalc.commands._options import format_option
from convcalc.errors import shorten
from convcalc.report.output import show, terminal_width, write
from convcalc.report.report import plain
from convcalc.report.terminal import listing


@click.command("claims")
@click.option(
    "--deck", "decks", type=click.Choice(DECKS, case_sensitive=False), multiple=True,
    metavar="|".join(DECKS), help="The claims of this deck; may be given several times.",
)  # fmt: skip
@format_option("text", "json")
@click.pass_context
def command(ctx: click.Context, decks: tuple[str, ...], form: str | None) -> None:
    """Recompute what five lectures on convolutional networks print on their slides.

    \b
    A  Hu, Zhang: d2l.ai slides          D  Erdem: lecture 14, 2016, after CS231n
    B  Tartaglione: MN909                E  Hu: MLRS 2019
    C  Winovich: SIAM@Purdue 2018

    A figure is exact, rounded (or cut off) to the digits printed, or wrong: ✗ marks those, with
    the reason. Figures that do not follow from a network, as accuracies, are left out.

    \b
      convcalc claims --deck B
      convcalc claims --format json
    """
    found = list(claims(decks or DECKS))
    if form == "json":
        import json

        write(json.dumps([entry(claim) for claim in found], indent=1, ensure_ascii=False))
    else:
        titles = ("Id", "Verdict", "Claimed", "Recomputed", "Claim")
        show(listing(titles, cells(found), terminal_width(), right=(2, 3)))
        counts = Counter(claim.verdict for claim in found)
        told = ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items()))
        write(f"{len(found)} claims: {told}.")
    if any(claim.verdict == FAILED for claim in found):
        ctx.exit(3)


def cells(found: list[Claim]) -> list[tuple[str, ...]]:
    """A line for each claim; a slip has its mark and its reason."""
    rows: list[tuple[str, ...]] = []
    for claim in found:
        slip = claim.verdict in (WRONG, FAILED)
        mark = "✗" if slip else " "
        reason = f". {claim.explanation}" if slip else ""
        # long formulas stand in the claim too, and would leave no room for it
        claimed = shorten(claim.claimed, 24)
        number = shown(plain(claim.recomputed))
        row = (claim.id, f"{mark} {claim.verdict}", claimed, number, claim.claim + reason)
        rows.append(row)
    return rows


def shown(value: Any) -> str:
    """A number, or several; a fraction that is no decimal is text already."""
    if isinstance(value, list):
        return f"[{', '.join(map(shown, value))}]"
    if isinstance(value, str):
        return value
    return "–" if value is None else f"{value:,}"


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
    }
