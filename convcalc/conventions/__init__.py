"""How counters count, a file a counter. The folder is the register.

Each file says what one program adds to the multiply–accumulates, as a table of rules over layers,
with the version read and the place in its source. `convention` finds one by its name.
"""

from __future__ import annotations

import importlib
import os
from functools import cache

from convcalc.conventions.rules import EVIDENCE, Convention
from convcalc.errors import UsageError, did_you_mean


@cache
def _conventions() -> dict[str, Convention]:
    """All conventions by name: our own, then those measured, then those only read."""
    found: list[Convention] = []
    for file in sorted(os.listdir(os.path.dirname(__file__))):
        if file.endswith(".py") and file not in ("__init__.py", "rules.py"):
            module = importlib.import_module(f"{__name__}.{file.removesuffix('.py')}")
            found.extend(item for item in vars(module).values() if isinstance(item, Convention))
    found.sort(key=lambda convention: EVIDENCE.index(convention.evidence))
    return {convention.name: convention for convention in found}


def convention_names(evidence: str | None = None) -> tuple[str, ...]:
    """The names of all conventions, or of those with one kind of evidence."""
    return tuple(
        name for name, c in _conventions().items() if evidence is None or c.evidence == evidence
    )


def convention(name: str) -> Convention:
    """The convention of that name.

    Raises:
        UsageError: there is none.
    """
    found = _conventions()
    if name not in found:
        hint = did_you_mean(name, found) or f"There are {', '.join(found)}."
        raise UsageError(f"unknown convention '{name}'", hint=hint)
    return found[name]
