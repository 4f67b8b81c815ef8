"""How many layers a spec makes at least: known before any of them is made.

Ten blocks that each call the one before ten times make 10¹⁰ layers; running them until there are
too many would take minutes.
"""

from __future__ import annotations

from typing import Any

from convcalc.errors import ConvcalcError
from convcalc.spec.entries import Block, BlockCall, Entry, LayerCall, MergeCall
from convcalc.spec.values import Env, Value, Variables

_MAX_DEPTH = 200
_MAX_STEPS = 20_000


class Forecast:
    """Counts layers by what variables and arguments say, whatever tensors reach the entries.

    Conditions and counts that depend on a tensor (`in_channels`) or on a loop name count as 0.
    """

    def __init__(self, variables: Variables) -> None:
        self.variables = variables
        self.known: dict[Any, int] = {}
        self.steps = 0

    def layers(self, entries: list[Entry], env: Env, hidden: frozenset[str], depth: int = 0) -> int:
        """A number of layers that these entries make at least.

        `env` holds the arguments that are known; `hidden` are the names whose values are not.
        """
        key = (id(entries), *env, hidden, env.key(tuple(env)))
        if key not in self.known:
            self.known[key] = 0  # a block that calls itself ends by a condition, at the latest
            self.known[key] = sum(self._entry(entry, env, hidden, depth + 1) for entry in entries)
        return self.known[key]

    def _entry(self, entry: Entry, env: Env, hidden: frozenset[str], depth: int) -> int:
        self.steps += 1
        if self.steps > _MAX_STEPS or depth > _MAX_DEPTH:
            return 0
        if entry.when is not None and self._value(entry.when, env, hidden) is not True:
            return 0
        if entry.form == "group":
            return self.layers(entry.body, env, hidden, depth)
        if entry.form == "loop":
            rounds = self._rounds(entry, env, hidden)
            names = frozenset(name for column, _ in entry.columns for name in column)
            return rounds and rounds * self.layers(entry.body, env, hidden | names, depth)
        call = entry.calls.get(entry.key)
        if isinstance(call, BlockCall):
            return self._block(call, env, hidden, depth)
        if isinstance(call, MergeCall):
            return sum(
                self.layers(branch, env, hidden, depth)
                for branch, when in call.branches or ()
                if when is None or self._value(when, env, hidden) is True
            )
        return 1 if isinstance(call, LayerCall) else 0

    def _block(self, call: BlockCall, env: Env, hidden: frozenset[str], depth: int) -> int:
        block: Block = call.block
        inner = Env(self.variables, work=env.spend)
        unknown: set[str] = set()
        for name, default in block.arguments.items():
            given = call.arguments.get(name)
            if given is not None:
                value = self._value(given, env, hidden)
            else:
                assert default is not None
                value = self._value(default, inner, frozenset(unknown))
            if value is None:
                unknown.add(name)
            else:
                inner[name] = value
        return self.layers(block.entries, inner, frozenset(unknown), depth)

    def _rounds(self, entry: Entry, env: Env, hidden: frozenset[str]) -> int:
        value = entry.repeat if entry.repeat is not None else entry.columns[0][1]
        found = self._value(value, env, hidden)
        if isinstance(found, tuple):
            return len(found)
        return max(0, found) if isinstance(found, int) else 0

    def _value(self, value: Value, env: Env, hidden: frozenset[str]) -> Any:
        """The value, or None where it is not known, or wrong: running the entry reports that."""
        for name in value.names:
            if name in hidden or not (name in env or name in self.variables):
                return None
        try:
            return value.evaluate(env)
        except ConvcalcError:
            return None
