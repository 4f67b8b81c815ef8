"""What changed from one network to another: which layers correspond, and how they differ."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

from convcalc.analysis.conditions import Comparison, Condition, amount, ratio
from convcalc.analysis.quantities import COLUMNS, TOTALS
from convcalc.dim import Dim, Size
from convcalc.errors import ConvcalcError, UndecidableError, UsageError, shorten
from convcalc.layer import Shape

FIGURES = tuple(name for name in COLUMNS if name not in ("flops", "params_no_bias"))
"""What is compared of a layer, beside its type and its output."""

SAME, CHANGED, RENAMED, ADDED, REMOVED = "same", "changed", "renamed", "added", "removed"

_RENAMED, _CHANGED, _RENAMED_WITHOUT_MACS, _ALONE, _OF_ANOTHER_TYPE = 2, 4, 5, 6, 10
"""What an alignment costs: a pair that only its paths tell apart, one of the same path, a renamed
pair of activations or norms, many of which are alike, a layer without a counterpart, and a pair of
one path and two types, which is less than two alone."""
_MOST_PAIRS = 1_000_000
"""As many pairs of layers are looked at; it takes a second."""


class Layer(NamedTuple):
    """What is compared of a layer."""

    path: str
    type: str
    shape: Shape
    figures: dict[str, Size]

    @property
    def kind(self) -> tuple[Any, ...]:
        """What a renamed layer keeps: its type, its output, and what it learns and costs."""
        return self.type, self.shape, self.figures["params"], self.figures["macs"]


class Snapshot(NamedTuple):
    """What is compared of a network, at some values of its variables."""

    name: str
    variables: dict[str, Any]
    layers: list[Layer]
    totals: dict[str, Size | None]
    value_bytes: int | None
    """Bytes of a value; None where a saved report has no weights to tell."""


class Change(NamedTuple):
    """A layer of the one network and its counterpart in the other; None where there is none."""

    old: Layer | None
    new: Layer | None

    @property
    def kind(self) -> str:
        """Whether it is the same, changed, renamed, added or removed."""
        if self.old is None:
            return ADDED
        if self.new is None:
            return REMOVED
        if self.old.path != self.new.path:
            return RENAMED
        return SAME if self.old == self.new else CHANGED

    @property
    def layer(self) -> Layer:
        """The new layer, or the old one where that is gone."""
        layer = self.new or self.old
        assert layer is not None
        return layer

    def figure(self, name: str) -> tuple[Size, Size]:
        """A figure before and after; 0 where there is no layer."""
        old, new = self.old, self.new
        return old.figures[name] if old else 0, new.figures[name] if new else 0


def changes(old: Sequence[Layer], new: Sequence[Layer]) -> list[Change]:
    """The layers of two networks side by side, in the order of the new one.

    Layers of one path that are the same in both are counterparts. Between those, the others are
    aligned with the fewest changes (Needleman and Wunsch 1970): counterparts are of one path, or
    of one type, output, params and MACs, as a renamed layer is.
    """
    pairs = _counterparts(old, new)
    found: list[Change] = []
    following = 0
    gone = set(range(len(old))) - set(pairs.values())

    def removed_until(end: int) -> Iterator[Change]:
        nonlocal following
        yield from (Change(old[i], None) for i in range(following, end) if i in gone)
        following = max(following, end)

    for j, layer in enumerate(new):
        i = pairs.get(j)
        if i is not None:
            found += removed_until(i)
        found.append(Change(None if i is None else old[i], layer))
    return [*found, *removed_until(len(old))]


def _counterparts(old: Sequence[Layer], new: Sequence[Layer]) -> dict[int, int]:
    """For layers of the new network, by position, the position of the old counterpart.

    Of alignments that cost the same, one is found whichever of the two networks is the old one.
    """
    differing = ((str(a), str(b)) for a, b in zip(old, new, strict=False) if a != b)
    a, b = next(differing, ("", ""))
    if (len(old), a) > (len(new), b):
        return {j: i for i, j in _counterparts(new, old).items()}
    by_path = {layer.path: i for i, layer in enumerate(old)}
    pairs = {
        j: by_path[layer.path]
        for j, layer in enumerate(new)
        if layer.path in by_path and old[by_path[layer.path]] == layer
    }
    taken = set(pairs.values())
    left = _MOST_PAIRS
    ends = [*_in_order(list(pairs.items())), (len(new), len(old))]
    first_new = first_old = 0
    for end_new, end_old in ends:
        ours = [j for j in range(first_new, end_new) if j not in pairs]
        theirs = [i for i in range(first_old, end_old) if i not in taken]
        if ours and theirs and len(ours) * len(theirs) <= left:
            left -= len(ours) * len(theirs)
            aligned = _aligned([old[i] for i in theirs], [new[j] for j in ours])
            pairs.update((ours[b], theirs[a]) for a, b in aligned)
        elif ours and theirs:
            pairs.update((ours[k], theirs[k]) for k in _alike_in_order(old, new, theirs, ours))
        first_new, first_old = end_new + 1, end_old + 1
    taken = set(pairs.values())
    for j, layer in enumerate(new):
        i = by_path.get(layer.path)
        if j not in pairs and i is not None and i not in taken:
            pairs[j] = i
    return pairs


def _alike_in_order(
    old: Sequence[Layer], new: Sequence[Layer], theirs: Sequence[int], ours: Sequence[int]
) -> Iterator[int]:
    """Of too many layers to align: how far they go on as before under other names."""
    for k, (i, j) in enumerate(zip(theirs, ours, strict=False)):
        if old[i].kind != new[j].kind:
            return
        yield k


def _in_order(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The most of some pairs whose second numbers rise as the first do."""
    ends: list[int] = []
    last: list[int] = []
    before: list[int] = []
    for k, (_, i) in enumerate(pairs):
        length = bisect_left(ends, i)
        before.append(last[length - 1] if length else -1)
        ends[length : length + 1] = [i]
        last[length : length + 1] = [k]
    found = []
    k = last[-1] if last else -1
    while k >= 0:
        found.append(pairs[k])
        k = before[k]
    return found[::-1]


def _aligned(old: Sequence[Layer], new: Sequence[Layer]) -> Iterator[tuple[int, int]]:
    """The pairs of the cheapest alignment, by position."""
    kinds = [layer.kind for layer in new]
    # cost[i][j]: of aligning what follows the first i old and the first j new layers
    cost = [[_ALONE * k for k in range(len(new), -1, -1)]]
    for layer in reversed(old):
        below = cost[-1]
        row = [0] * len(new) + [below[-1] + _ALONE]
        kind = layer.kind
        for j in range(len(new) - 1, -1, -1):
            least = min(below[j], row[j + 1]) + _ALONE
            pair = _pair_cost(layer, kind, new[j], kinds[j])
            row[j] = least if pair is None else min(least, below[j + 1] + pair)
        cost.append(row)
    cost.reverse()
    i = j = 0
    while i < len(old) and j < len(new):
        pair = _pair_cost(old[i], old[i].kind, new[j], kinds[j])
        if pair is not None and cost[i][j] == cost[i + 1][j + 1] + pair:
            yield i, j
            i, j = i + 1, j + 1
        elif cost[i][j] == cost[i + 1][j] + _ALONE:
            i += 1
        else:
            j += 1


def _pair_cost(old: Layer, old_kind: Any, new: Layer, new_kind: Any) -> int | None:
    """What it costs to take two layers for counterparts; None where they are none."""
    if old.path == new.path:
        return _CHANGED if old.type == new.type else _OF_ANOTHER_TYPE
    if old_kind != new_kind:
        return None
    return _RENAMED_WITHOUT_MACS if old.figures["macs"] == 0 else _RENAMED


# -- conditions on changes -------------------------------------------------------------------------


class Bound(NamedTuple):
    """A condition on the change of a total, as `macs > +5%` or `peak_bytes >= +10 MiB`."""

    text: str
    quantity: str
    rule: Comparison
    is_relative: bool

    @classmethod
    def parse(cls, text: str) -> Bound:
        """Read a condition: a total, a comparison, a sign and a number, with a unit or in percent.

        Raises:
            UsageError: with the place in the text.
        """
        bare = text.strip()
        is_relative = bare.endswith("%")
        limit = bare.removesuffix("%")
        if not limit.strip():
            raise UsageError("an empty condition", hint=f"{_EXAMPLES}.")
        if not any(sign in bare for sign in "<>=≤≥≠!"):
            found = _NO_SIGN.fullmatch(bare)
            raise UsageError(
                f"'{shorten(bare)}': nothing is compared",
                hint=f"Write {found[1]} > {found[2] or '+'}{found[3]}."
                if found and len(bare) < 80
                else f"{_EXAMPLES}.",
            )
        try:
            condition = Condition.parse(limit, TOTALS, ())
        except UsageError as error:
            if error.where:  # it names the condition without its percent sign
                error.where = f"condition '{shorten(bare)}', {error.where.rpartition(', ')[2]}"
            raise
        rule = condition.rule
        if (
            not isinstance(rule, Comparison)
            or not rule.left.text.isidentifier()
            or list(rule.right.names())
        ):
            raise UsageError(
                f"'{shorten(bare)}': the change of one total is compared with a number",
                hint=f"{_EXAMPLES}; several may be given.",
            )
        change = limit.split(rule.sign, 1)[1].strip()
        if change[0] not in "+-":
            raise UsageError(
                f"'{shorten(bare)}': a change has a sign, + or -",
                hint=f"{_EXAMPLES}; what a total may be at most is for `convcalc check --max`.",
            )
        try:
            amount(change[1:])
        except UsageError:
            # 50 % 3 would be 2, and +-5 is of no sign
            raise UsageError(
                f"'{shorten(bare)}': a change is a sign and one number, not '{shorten(change)}'",
                hint=f"{_EXAMPLES}.",
            ) from None
        if is_relative and list(rule.units()):
            raise UsageError(f"'{shorten(bare)}': a percentage has no unit", hint=f"{_EXAMPLES}.")
        return cls(bare, condition.names[0], rule, is_relative)

    @property
    def note(self) -> str:
        """What a small number without a unit is of, for its percent sign may be forgotten."""
        limit = self.rule.right.value_at({})
        if self.is_relative or list(self.rule.units()) or not limit.above:
            return ""
        if abs(limit.above) > _SMALL * limit.below:
            return ""
        unit = _OF.get(self.quantity, self.quantity)
        unit = "bytes" if unit.endswith("_bytes") else unit
        number = self.rule.right.text.lstrip("+-")
        return f"'{self.text}' is of {number} {unit}; of percent it is '{self.text}%'"

    def holds(self, old: Size | None, new: Size | None) -> bool:
        """Whether it holds for a total before and after.

        Raises:
            ConvcalcError: the change depends on symbols, or is relative to 0.
        """
        if old is None or new is None or isinstance(change := new - old, Dim):
            raise UndecidableError(
                f"whether {self.text} depends on the sizes",
                hint="--set gives a symbol a number, as --set H=224.",
            )
        found = percent(old, new) if self.is_relative else change
        if found is None:
            raise ConvcalcError(
                f"whether {self.text}: {self.quantity} is {old} before, and what it changes by is "
                "no percentage of that", hint=f"Say it in numbers: {self.quantity} > +0.",
            )  # fmt: skip
        return bool(self.rule.holds({self.quantity: ratio(self.quantity, found)}))


_NO_SIGN = re.compile(r"([a-z_]+)\s*([+-]?)\s*([0-9].*)")
_SMALL = 100
_OF = {"macs": "multiply–accumulates", "params": "parameters", "flops": "operations"}
_EXAMPLES = "For instance macs > +5%, params > +0, peak_bytes > +10 MiB"


def percent(old: Size, new: Size) -> Fraction | None:
    """The change in percent, exactly; None where it is of 0 or depends on symbols."""
    change = new - old
    if not isinstance(change, Dim) and change == 0:
        return Fraction(0)
    if isinstance(change, Dim) or isinstance(old, Dim) or old == 0:
        return None
    return Fraction(100 * change, old)


def bounds(texts: Iterable[str]) -> list[Bound]:
    """Several conditions; see `Bound.parse`."""
    return [Bound.parse(text) for text in texts]
