"""Every error that convcalc raises on purpose.

    ConvcalcError          exit code 3: something is wrong with a spec, a value or a file
    ├── SpecError          a spec says something that the language does not allow
    ├── ShapeError         a layer does not fit the tensors that reach it
    ├── UndecidableError   a comparison of symbolic sizes that is true for some values only
    ├── OutputError        a result could not be written
    └── UsageError         exit code 2: the call is wrong, as an unknown variable to set

Inner code raises the bare fact; whoever knows the place adds it once, with `located`.
The text of an error is an interface: it says what, where, both values, and the way out.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any, Self

_MOST_CANDIDATES = 5_000


class ConvcalcError(Exception):
    """Base of all: `fact` says what is wrong, `where` where it is written, `hint` the way out.

    `path` is the layer's dotted path in the network; `trail` holds the places of the
    block calls that lead there, innermost first, each as (what, where). `partial` is the graph
    as far as it could be built, where building it failed.
    """

    exit_code = 3

    def __init__(self, fact: str, *, hint: str = "") -> None:
        super().__init__(fact)
        self.fact = fact
        self.hint = hint
        self.where = ""
        self.path = ""
        self.trail: list[tuple[str, str]] = []
        self.partial: Any = None

    def located(self, where: str = "", path: str = "") -> Self:
        """Add the place, unless an inner one, which is more precise, is already known."""
        self.where = self.where or where
        self.path = self.path or path
        return self

    def __str__(self) -> str:
        # a block that calls itself makes paths and ways of a hundred steps
        path = ".".join(_ends(self.path.split("."), "…"))
        place = ": ".join(part for part in (self.where, path) if part)
        text = f"{place}: {self.fact}" if place else self.fact
        if self.hint:
            text += f" {self.hint}" if text.endswith((".", "?", "!")) else f". {self.hint}"
        way = [f"  in {what}, {where}" for what, where in self.trail]
        return "\n".join([text, *_ends(way, f"  … {len(way) - 6} more …")])


def _ends(steps: list[str], between: str) -> list[str]:
    """The first and the last steps of a long way."""
    return steps if len(steps) <= 8 else [*steps[:3], between, *steps[-3:]]


class SpecError(ConvcalcError):
    """A spec says something that the language does not allow."""


class ShapeError(ConvcalcError):
    """A layer does not fit the tensors that reach it."""


class UndecidableError(ConvcalcError):
    """A comparison of symbolic sizes that is true for some values and false for others."""


class OutputError(ConvcalcError):
    """A result could not be written."""


class UsageError(ConvcalcError):
    """The call itself is wrong: an unknown variable or quantity, a missing extra."""

    exit_code = 2


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`Did you mean 'conv'?` where a known word is close to `word`, else nothing."""
    import difflib  # here, because most commands make no mistake

    # a stranger's words may be long or many, and difflib is slow
    some = [name for name in islice(known, _MOST_CANDIDATES) if len(name) < 100]
    close = difflib.get_close_matches(word[:60], some, n=1, cutoff=0.6)
    return f"Did you mean '{close[0]}'?" if close else ""


def shorten(text: str, limit: int = 60) -> str:
    """`text` as it may stand in a message: on one line, printable, and of bounded length."""
    text = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[: limit + 1])
    return text if len(text) <= limit else text[: limit - 1] + "…"
