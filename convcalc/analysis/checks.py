"""Figures held against what a spec expects, exactly, and against budgets, which are upper bounds.

A budget is a number with or without a unit: `5M`, `300_000_000`, `24 GiB`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any, NamedTuple

from convcalc.analysis.conditions import Condition, amount
from convcalc.analysis.quantities import ALIASES, TOTALS, Totals
from convcalc.dim import Dim, Size, at_least
from convcalc.errors import ConvcalcError, UndecidableError, UsageError, did_you_mean, shorten
from convcalc.spec.document import LIMITABLE, Spec
from convcalc.spec.tree import Where
from convcalc.spec.values import Constants, Env

EXPECT, BUDGET = "expect", "budget"
"""The rules: what is found is the figure, or at most the figure."""


class Held(NamedTuple):
    """A figure held against a rule."""

    rule: str
    quantity: str
    expected: int | Fraction
    """The figure of the rule, bytes for memory."""
    text: str
    """The same as it is written."""
    found: Size
    ok: bool
    where: Where | None = None
    """Where the spec has the rule; None where it was given beside the spec."""


class Limit(NamedTuple):
    """An upper bound of a total, which is one of `TOTALS`."""

    quantity: str
    value: int | Fraction
    text: str

    @classmethod
    def parse(cls, quantity: str, given: Any) -> Limit:
        """Read a limit.

        Args:
            quantity: the name of a total, or `peak_bytes`.
            given: a number, or text with or without a unit, as a condition has it.

        Raises:
            UsageError: there is no such total, or no such number, or it is in other units.
        """
        if quantity not in LIMITABLE:
            hint = did_you_mean(quantity, LIMITABLE) or f"There are {', '.join(LIMITABLE)}."
            raise UsageError(f"unknown quantity '{shorten(quantity)}'", hint=hint)
        example = "24 GiB" if quantity.endswith("_bytes") else "5M"
        hint = f"For instance {quantity}: {example}."
        text = str(given).strip()
        try:
            number = amount(text)
            Condition.parse(f"{quantity} <= {text}", TOTALS, ())  # it knows what is in bytes
        except UsageError as error:
            raise UsageError(error.fact, hint=error.hint or hint) from None
        return cls(ALIASES.get(quantity, quantity), number, shorten(text))

    def held(self, found: Size | None, where: Where | None = None) -> Held:
        """A total held against the limit; a symbolic one at all sizes.

        Raises:
            UndecidableError: it is within the limit at some sizes only.
        """
        if found is None:
            raise UndecidableError(
                f"{self.quantity} is symbolic, and its peak open: whether it is at most "
                f"{self.text} depends on the sizes", hint=_WAY_OUT,
            )  # fmt: skip
        ok = at_least(self.value.numerator, found * self.value.denominator)
        if ok is None:
            raise UndecidableError(
                f"whether {self.quantity} is at most {self.text} depends on the sizes: it is "
                f"{shorten(str(found), 200)}", hint=_WAY_OUT,
            )  # fmt: skip
        return Held(BUDGET, self.quantity, self.value, self.text, found, ok, where)


_WAY_OUT = "--set gives a symbol a number, as --set H=224."


def limits(given: Mapping[str, Any]) -> list[Limit]:
    """Limits given by name.

    Raises:
        UsageError: one is wrong; it says which.
    """
    found = []
    for quantity, limit in given.items():
        try:
            found.append(Limit.parse(quantity, limit))
        except UsageError as error:
            raise error.located(f"max {shorten(quantity)}") from None
    return found


def budgets(spec: Spec, totals: Totals) -> Iterator[Held]:
    """The totals held against the budget of the spec.

    Raises:
        ConvcalcError: a limit is no number, with its place, or is met at some sizes only.
    """
    for quantity, written in spec.budget.items():
        try:
            limit = Limit.parse(quantity, written.text)
            yield limit.held(getattr(totals, limit.quantity), written.where)
        except ConvcalcError as error:
            wrong = error if isinstance(error, UndecidableError) else ConvcalcError(error.fact)
            wrong.hint = error.hint
            raise wrong.located(f"{written.where}: budget: {quantity}") from None


def expectations(spec: Spec, totals: Totals) -> Iterator[Held]:
    """The totals at the spec's own variables and N = 1, held against what it expects.

    Raises:
        ConvcalcError: an expected figure is no whole number, with its place.
    """
    for quantity, value in spec.expect.items():
        expected = value.evaluate(Env(Constants(N=1)))
        if isinstance(expected, bool) or not isinstance(expected, int):
            raise ConvcalcError(f"expect: {quantity}: a whole number is due").located(
                str(value.where)
            )
        found = getattr(totals, quantity)
        ok = not isinstance(found, Dim) and found == expected
        yield Held(EXPECT, quantity, expected, f"{expected:,}", found, ok, value.where)
