"""The largest value of a variable at which conditions hold: what still fits.

The figures in a condition are closed forms in the variable. Where they show that a condition that
fails cannot hold again further up, bisection finds the last value at which it holds. Other
conditions, as that 32 divides H, are looked at value by value from there down; where nothing
bounds them, up to a stated value, and the answer says so. Where the variable decides the structure
of the network, as a number of layers, the network is built for each value.

A variable that takes fractions is looked for among the multiples of a step: the search is one for
the whole number n in n·step, the symbol of all closed forms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain, product
from typing import Any, NamedTuple

from convcalc.analysis.conditions import Comparison, Condition, Joined, Negation, Rule, held, ratio
from convcalc.analysis.limits import distinct, first, goes_on, least_value
from convcalc.analysis.memory import BYTES, held_values
from convcalc.analysis.quantities import TOTALS, total, totals
from convcalc.dim import (
    Dim,
    Rational,
    at_least,
    exact_number,
    maximum,
    never_falls,
    symbol,
    without_gcds,
)
from convcalc.errors import ConvcalcError, ShapeError, UndecidableError, UsageError, did_you_mean
from convcalc.fields import MAX_SIZE, show
from convcalc.graph import Graph, collector_paused
from convcalc.layer import Requirement
from convcalc.spec.build import Bindings, Decisions, build, build_symbolic
from convcalc.spec.document import Spec

MOST_BUILT = 64
"""Values tried where each builds the network anew, unless a limit is given."""
MAX_BUILT = 10_000
"""The largest such limit."""
MOST_SCANNED = 2**17
"""Values looked at one by one in closed forms."""
MOST_NEAR = 4_096
"""Values looked at one by one for the next that the network accepts."""
MOST_ASKED = 256
"""Values for which the network is built to see whether it accepts them."""
FEW_DECISIONS = 4
"""Decisions on the structure, all combinations of which are looked at."""
HEAD = 256
"""The first values, which are looked at one by one where only further up a form never falls."""

PROVEN, SCANNED, BUILT = "proven", "scanned", "built"

Test = Callable[[Any], Any]
"""Whether something holds at a value of the variable, or, by element, at an array of them."""


class Figures(NamedTuple):
    """A value of the variable, and what the names in the conditions are there."""

    value: Rational
    figures: dict[str, Any]


@dataclass(frozen=True)
class Fit:
    """The largest value of the variables `names` at which all `conditions` hold.

    `best` is it, with the figures there. It is None where nothing fits, or, with `unbounded`,
    where there is no largest: the conditions hold at `least` and at values as large as sizes get.
    `smallest` is the first value that the network accepts, and `next` the next that it accepts
    and that meets the conditions on variables alone, if one does; None where none was found.
    `fixed` are the names in the conditions that do not depend on the variable. With a `step` only
    its multiples are meant, in all of this.

    `how` is `proven` (by the closed forms nothing larger fits, up to a limit where one was given),
    `scanned` (all values of `searched`, first and last, were looked at, and nothing is known of
    others) or `built` (the network was built for each of them).
    """

    names: tuple[str, ...]
    conditions: tuple[Condition, ...]
    best: Figures | None
    next: Figures | None
    smallest: Figures | None
    how: str
    searched: tuple[Rational, Rational]
    fixed: tuple[str, ...] = ()
    least: Rational | None = None
    step: Rational | None = None

    @property
    def value(self) -> Rational | None:
        """The largest value, None where there is none."""
        return self.best.value if self.best is not None else None

    @property
    def unbounded(self) -> bool:
        """Whether the conditions hold at values as large as sizes get."""
        return self.least is not None


def fit(
    spec: Spec,
    overrides: Mapping[str, Any],
    names: Sequence[str],
    conditions: Sequence[Condition],
    limit: Rational | None = None,
    dtype: str = "float32",
    step: Rational | None = None,
) -> Fit:
    """The largest value of some variables, the same for all, at which all conditions hold.

    Args:
        spec: the network.
        overrides: values of its other variables; they may be in terms of the varied ones.
        names: the variables that are varied together.
        conditions: what must hold.
        limit: the largest value to look at.
        dtype: what bytes are counted for.
        step: the values looked at are its multiples; whole numbers without one.

    Raises:
        UsageError: a variable cannot be varied, or takes fractions and there is no step, or another
            one has no value.
        ConvcalcError: the network cannot be built at any value, or a condition not be computed.
    """
    _check_names(spec, overrides, names, step)
    search = _Search(spec, overrides, tuple(names), tuple(conditions), dtype, step, limit)
    with collector_paused():
        try:
            graph = build(spec, search.symbolic)
            curves = search.curves(graph)
        except UsageError:
            raise
        except ConvcalcError:
            return _built(search)
        if graph.decisions:  # other values have another structure, which the closed forms miss
            if not _is_same_in_all_structures(search, graph, curves):
                return _built(search)
            _check_symbols(graph, [], curves.values(), names[0])
            return _ClosedForms(search, curves, [], search.accepts).fit()
        demands = [requirement for _, requirement in distinct(graph.undecided)]
        _check_symbols(graph, demands, curves.values(), names[0])
        return _ClosedForms(search, curves, demands).fit()


class _Search:
    """What is asked: the variables, as n·step, and the conditions; `limit` is one of n."""

    def __init__(
        self,
        spec: Spec,
        overrides: Mapping[str, Any],
        names: tuple[str, ...],
        conditions: tuple[Condition, ...],
        dtype: str,
        step: Rational | None,
        limit: Rational | None,
    ) -> None:
        self.spec = spec
        self.overrides = overrides
        self.names = names
        self.conditions = conditions
        self.dtype = dtype
        self.step = step
        self.limit: int | None = None if limit is None else int(limit // (step or 1))
        if self.limit is not None and self.limit < 1:
            raise UsageError(f"the limit {show(limit)} (--max) is below the first value, {self(1)}")
        self.read = tuple(dict.fromkeys(name for c in conditions for name in c.names))

    def __call__(self, n: Any) -> Any:
        """The value of the variables that is the n-th."""
        return exact_number(n * (self.step or 1))

    def values(self, n: Any) -> dict[str, Any]:
        """The values of all variables that are given, at n, a number or a symbol."""
        return {**self.overrides, **dict.fromkeys(self.names, self(n))}

    @property
    def symbolic(self) -> dict[str, Any]:
        """The same for n as a symbol, which has the name of the first variable."""
        return self.values(symbol(self.names[0]))

    def curves(self, graph: Graph) -> dict[str, _Curve]:
        """The figures that the conditions read."""
        return {name: self._curve(name, graph) for name in self.read}

    def _curve(self, name: str, graph: Graph) -> _Curve:
        if name == "peak_activation_bytes":
            return _Curve(BYTES[self.dtype] * count for count in held_values(graph))
        if name in TOTALS:
            return _Curve([total(name, graph, self.dtype)])
        return _Curve([Bindings(self.spec, self.symbolic)[name]])

    def accepts(self, n: int) -> bool:
        """Whether the network can be built there."""
        try:
            build(self.spec, self.values(n))
        except ConvcalcError:
            return False
        return True


def _is_same_in_all_structures(search: _Search, graph: Graph, curves: Mapping[str, _Curve]) -> bool:
    """Whether the figures are the same whatever is decided about the structure."""
    if len(graph.decisions) > FEW_DECISIONS:
        return False
    for zeros in product((False, True), repeat=len(graph.decisions)):
        decisions: Decisions = dict(zip(graph.decisions, zeros, strict=True))
        try:
            other = build(search.spec, search.symbolic, decisions)
            others = search.curves(other)
        except ConvcalcError:
            return False
        if not other.decisions.keys() <= decisions.keys() or any(
            set(others[name].parts) != set(curve.parts) for name, curve in curves.items()
        ):
            return False
    return True


def _check_names(
    spec: Spec, overrides: Mapping[str, Any], names: Sequence[str], step: Rational | None
) -> None:
    known = ["N", *spec.variables]
    if not names:
        raise UsageError("no variable is named to vary", hint=f"There are {', '.join(known)}.")
    if step is not None and step <= 0:
        raise UsageError(f"a step of {show(step)}; it must be above 0")
    bindings = Bindings(spec, overrides)
    for name in names:
        if name not in known:
            raise UsageError(
                f"'{name}' is no variable of this spec",
                hint=did_you_mean(name, known) or f"It has {', '.join(known)}.",
            )
        value = bindings[name]
        if isinstance(value, bool) or not isinstance(value, (int, Fraction, Dim)):
            raise UsageError(
                f"{name} is {show(value)}; only variables that are numbers are varied",
                hint=f"--set {name}=… tries a value.",
            )
        if step is None and (isinstance(value, Fraction) or _is_multiplier(spec, overrides, name)):
            raise UsageError(
                f"{name} takes fractions: in which steps is it to be looked for?",
                hint="--step 0.05 looks at the multiples of 0.05, --step 1 at whole numbers.",
            )


def _is_multiplier(spec: Spec, overrides: Mapping[str, Any], name: str) -> bool:
    if name in ("N", *spec.input_names):
        return False
    try:
        with collector_paused():
            return name in build_symbolic(spec, overrides, [name]).multipliers
    except ConvcalcError:
        return False


def _check_symbols(
    graph: Graph, demands: Iterable[Requirement], curves: Iterable[_Curve], name: str
) -> None:
    sizes = [size for node in graph.inputs for size in node.shape]
    sizes += [side for r in demands for side in (r.left, r.right)]
    sizes += [part for curve in curves for part in curve.parts]
    for size in sizes:
        for other in sorted(size.symbols - {name}) if isinstance(size, Dim) else ():
            raise UsageError(f"{other} has no value", hint=f"Give it one: --set {other}=….")


class _Curve:
    """A figure as a function of the variable: the largest of some closed forms or numbers."""

    def __init__(self, parts: Iterable[Any]) -> None:
        self.parts = tuple(parts)

    @property
    def is_fixed(self) -> bool:
        """Whether it is the same at all values of the variable."""
        return not any(isinstance(part, Dim) for part in self.parts)

    def at(self, value: Any) -> Any:
        """The figure at a value of the variable, or at an array of them."""
        found = [_at(part, value) for part in self.parts]
        return maximum(*found) if len(found) > 1 else found[0]

    def from_on(self, start: Dim, name: str) -> Any:
        """The figure as a Dim, the variable put in as `start`, a symbol plus a number.

        The largest of parts that never fall is something that never falls: a symbol of its own
        stands for it. None where that is not known.
        """
        shifted = [_at(part, start) for part in self.parts]
        if len(shifted) == 1:
            return shifted[0]
        return symbol(f"the {name}") if all(map(never_falls, shifted)) else None


def _at(size: Any, value: Any) -> Any:
    return size.evaluate(**dict.fromkeys(size.symbols, value)) if isinstance(size, Dim) else size


# -- what holds further down, or further up -----------------------------------------------------


DOWN, UP, ALWAYS = "down", "up", "always"
_OPPOSITE = {DOWN: UP, UP: DOWN, ALWAYS: ALWAYS}


def direction(rule: Rule, values: Mapping[str, Any]) -> str | None:
    """Where a rule that holds at a value holds too: further down, further up, or at all values.

    Args:
        rule: a rule, not a division by 0.
        values: its names as Dims or numbers, or None where nothing is known.

    Returns:
        DOWN, UP, ALWAYS (it holds at all values or at none), or None where it is not known.
    """
    if isinstance(rule, Negation):
        found = direction(rule.part, values)
        return None if found is None else _OPPOSITE[found]
    if isinstance(rule, Joined):
        ways = {direction(part, values) for part in rule.parts} - {ALWAYS}
        return ALWAYS if not ways else ways.pop() if len(ways) == 1 else None
    assert isinstance(rule, Comparison)
    difference = _difference(rule, values)
    if isinstance(difference, Dim):
        if rule.sign in ("==", "!="):
            return None
        below = rule.sign in ("<=", "<")
        if _rises(difference):
            return DOWN if below else UP
        if _rises(-difference):
            return UP if below else DOWN
        return None
    return None if difference is None else ALWAYS


def _difference(rule: Comparison, values: Mapping[str, Any]) -> Any:
    """left − right, multiplied by what is positive, as a Dim or a number; None if not known."""
    if any(values[name] is None for name in rule.names()):
        return None
    try:
        left, right = rule.sides({name: ratio(name, values[name]) for name in rule.names()})
    except UndecidableError:
        return None
    return left - right


def _rises(value: Dim) -> bool:
    """Whether a Dim never falls: by its form, or because f(n + 1) − f(n) ≥ 0."""
    if never_falls(value):
        return True
    if len(value.symbols) != 1:
        return False
    (name,) = value.symbols
    return at_least(value.evaluate(**{name: symbol(name) + 1}), value) is True


def ceiling(rule: Rule, values: Mapping[str, Any], name: str) -> Test | None:
    """A test passed wherever a rule holds, and, where it is passed, further down too.

    It serves rules whose direction is not known: equalities, and gcds, as adaptive pooling has
    them, which are bounded by their numbers. `values` are as for `direction`, in the symbol `name`,
    which the test takes. None where there is no such test.
    """
    if isinstance(rule, Joined):
        tests = [ceiling(part, values, name) for part in rule.parts]
        known = [test for test in tests if test is not None]
        if not known or (rule.any_of and len(known) < len(tests)):
            return None
        every = any if rule.any_of else all
        return lambda value: every(test(value) for test in known)
    if not isinstance(rule, Comparison) or rule.sign == "!=":
        return None
    difference = _difference(rule, values)
    if difference is None:
        return None
    for wanted, side in (("<=", difference), (">=", -difference)):
        low = without_gcds(side)
        if rule.sign[0] not in (wanted[0], "=") or low is None:
            continue
        if not isinstance(low, Dim):
            if low > 0:
                return lambda value: False
            continue
        if low.symbols == {name} and _rises(low):
            return lambda value, low=low: bool(_at(low, value) <= 0)  # type: ignore[misc]
    return None


# -- closed forms -------------------------------------------------------------------------------


@dataclass
class _Parts:
    """Tests that hold further down where they hold, or further up, and others.

    `ceilings` bound the others: see `ceiling`.
    """

    falling: list[Test]
    rising: list[Test]
    others: list[Test]
    ceilings: list[Test] = field(default_factory=list)
    is_bounded: bool = False
    """Whether a condition ends the search, or none would need it."""

    @property
    def tests(self) -> list[Test]:
        """All but the ceilings: whether everything holds at a value, wherever it is."""
        return [*self.falling, *self.rising, *self.others]


class _ClosedForms:
    """The search where every figure is a closed form in one symbol."""

    def __init__(
        self,
        search: _Search,
        curves: Mapping[str, _Curve],
        demands: Sequence[Requirement],
        accepts: Callable[[int], bool] | None = None,
    ) -> None:
        self.search = search
        self.conditions = search.conditions
        self.curves = curves
        self.limit = search.limit
        self.top = min(search.limit or MAX_SIZE, MAX_SIZE)
        # what the network requires: further down it fails for good, further up, or neither
        self.lasting = [r for r in demands if goes_on(r)]
        others = [r for r in demands if not goes_on(r)]
        self.ending = [_requirement(r) for r in others if _ends(r)]
        self.open = [_requirement(r) for r in others if not _ends(r)]
        # the network is built last, for what passes all else
        self.asked = [] if accepts is None else [_by_element(accepts)]
        self.most_scanned = MOST_SCANNED if accepts is None else MOST_ASKED

    def fit(self) -> Fit:
        base = least_value(self.lasting, self.search.names[:1])
        smallest = None if base is None else self._next_legal(base)
        if base is None or smallest is None:
            return self._answer(None, None, PROVEN if base is None else SCANNED, (1, self.top))
        parts = self._parts(base)
        if not parts.is_bounded and self.top >= base + HEAD:
            further_up = self._parts(base + HEAD)
            if further_up.is_bounded:
                found = self._search(base + HEAD, smallest, further_up)
                if found.best is not None or found.unbounded or found.how == SCANNED:
                    return found
                best, last = self._scan_down(parts.tests, base, base + HEAD - 1)
                return self._answer(best, smallest, PROVEN, (last, base + HEAD - 1))
        return self._search(base, smallest, parts)

    def _search(self, base: int, smallest: int, parts: _Parts) -> Fit:
        """The largest value from `base` on; the parts are sorted for values from there on."""
        falling = [*parts.falling, *parts.ceilings]
        if not _all_hold(falling, base):
            return self._answer(None, smallest, PROVEN, (base, MAX_SIZE))
        end = first(lambda v: v > self.top or not _all_hold(falling, v), base)
        cap = self.top if end is None else min(end - 1, self.top)
        low: int | None = base
        if not _all_hold(parts.rising, base):
            low = first(lambda v: _all_hold(parts.rising, v), base)
        if low is None or low > cap:
            return self._answer(None, smallest, PROVEN, (base, cap))
        if cap == MAX_SIZE and self.limit is None:
            return self._open_ended(low, smallest, parts)
        best, last = self._scan_down(parts.others, low, cap)
        how = PROVEN if best is not None or last == low else SCANNED
        return self._answer(best, smallest, how, (last, cap))

    def _parts(self, base: int) -> _Parts:
        """The parts of the conditions and requirements, sorted for values from `base` on."""
        name = self.search.names[0]
        start = symbol(name) + (base - 1)
        values = {key: curve.from_on(start, key) for key, curve in self.curves.items()}
        parts = _Parts(list(self.ending), [], list(self.open))
        rules = list(_conjuncts(condition.rule for condition in self.conditions))
        sorted_into = {
            DOWN: parts.falling, ALWAYS: parts.falling, UP: parts.rising, None: parts.others
        }  # fmt: skip
        ways = []
        for rule in sorted(rules, key=self._work):
            ways.append(direction(rule, values))
            sorted_into[ways[-1]].append(self._test(rule))
            bound = ceiling(rule, values, name) if ways[-1] is None else None
            if bound is not None:
                parts.ceilings.append(lambda v, bound=bound: bound(v - base + 1))  # type: ignore[misc]
        parts.others += self.asked
        parts.is_bounded = DOWN in ways or bool(parts.ceilings) or None not in ways
        return parts

    def _open_ended(self, low: int, smallest: int, parts: _Parts) -> Fit:
        """Nothing is known to end: there is no largest value, or it is looked for from below."""
        if self._scan_down(parts.others, MAX_SIZE - MOST_NEAR + 1, MAX_SIZE)[0] is not None:
            near = min(MOST_NEAR, self.most_scanned)
            some = chain(range(smallest, smallest + HEAD), range(low, low + near))
            least = next((value for value in some if _all_hold(parts.tests, value)), low)
            return self._answer(None, smallest, PROVEN, (low, MAX_SIZE), least)
        last = low + self.most_scanned - 1
        best, _ = self._scan_down(parts.others, low, last)
        return self._answer(best, smallest, SCANNED, (low, last))

    def _scan_down(self, tests: Sequence[Test], low: int, high: int) -> tuple[int | None, int]:
        return _scan_down(tests, max(low, high - self.most_scanned + 1), high)

    def _test(self, rule: Rule) -> Test:
        names = set(rule.names())
        return lambda value: held(rule, {name: self.curves[name].at(value) for name in names})

    def _work(self, rule: Rule) -> int:
        return sum(len(self.curves[name].parts) * (name in TOTALS) for name in rule.names())

    def _next_legal(self, start: int, also: Sequence[Test] = ()) -> int | None:
        tests = [*map(_requirement, self.lasting), *self.ending, *self.open, *also, *self.asked]
        values = range(start, min(start + min(MOST_NEAR, self.most_scanned), MAX_SIZE + 1))
        return next((value for value in values if _all_hold(tests, value)), None)

    def _figures(self, value: int | None) -> Figures | None:
        if value is None:
            return None
        figures = {name: curve.at(value) for name, curve in self.curves.items()}
        return Figures(self.search(value), figures)

    def _answer(
        self,
        best: int | None,
        smallest: int | None,
        how: str,
        searched: tuple[int, int],
        least: int | None = None,
    ) -> Fit:
        following = None
        if best is not None:
            rules = _conjuncts(condition.rule for condition in self.conditions)
            of_variables = [self._test(r) for r in rules if not set(TOTALS) & set(r.names())]
            following = self._next_legal(best + 1, of_variables) or self._next_legal(best + 1)
        fixed = tuple(name for name, curve in self.curves.items() if curve.is_fixed)
        low, high = searched
        return Fit(
            self.search.names, self.conditions, self._figures(best), self._figures(following),
            self._figures(smallest), how, (self.search(low), self.search(high)), fixed,
            None if least is None else self.search(least), self.search.step,
        )  # fmt: skip


def _by_element(test: Callable[[int], bool]) -> Test:
    def tested(value: Any) -> Any:
        if not hasattr(value, "dtype"):
            return test(value)
        import numpy

        return numpy.array([test(int(n)) for n in value], bool)

    return tested


def _requirement(requirement: Requirement) -> Test:
    def holds(value: Any) -> Any:
        left, right = _at(requirement.left, value), _at(requirement.right, value)
        return left >= right if requirement.relation == ">=" else left == right

    return holds


def _ends(requirement: Requirement) -> bool:
    """Whether a requirement that fails somewhere fails wherever its symbols are larger."""
    return requirement.relation == ">=" and never_falls(requirement.right - requirement.left)


def _conjuncts(rules: Iterable[Rule]) -> Iterator[Rule]:
    for rule in rules:
        if isinstance(rule, Joined) and not rule.any_of:
            yield from _conjuncts(rule.parts)
        else:
            yield rule


def _all_hold(tests: Iterable[Test], value: int) -> bool:
    return all(test(value) for test in tests)


def _scan_down(tests: Sequence[Test], low: int, high: int) -> tuple[int | None, int]:
    """The last value from `low` to `high` at which all tests hold, and where looking ended."""
    near = max(low, high - 63)
    for value in range(high, near - 1, -1):
        if _all_hold(tests, value):
            return value, value
    if near == low:
        return None, low
    import numpy

    for end in range(near - 1, low - 1, -4096):
        start = max(low, end - 4095)
        values = numpy.array(range(start, end + 1))
        fits = numpy.ones(len(values), bool)
        for test in tests:
            fits = fits & test(values)
        if fits.any():
            found = start + int(numpy.flatnonzero(fits)[-1])
            return found, found
    return None, low


# -- the network built for each value -----------------------------------------------------------


def _built(search: _Search) -> Fit:
    """The search where the variable decides the structure: all values from the first on."""
    names, limit = " = ".join(search.names), search.limit or MOST_BUILT
    if limit > MAX_BUILT:
        raise UsageError(
            f"{names} decides the structure: the network is built for every value, so "
            f"that a limit (--max) is {search(MAX_BUILT):,} at most"
        )
    accepted: list[Figures] = []
    best = None
    refused: ConvcalcError | None = None
    for n in range(1, limit + 1):
        values = search.values(n)
        try:
            sums = totals(build(search.spec, values), search.dtype)._asdict()
        except ConvcalcError as error:
            refused = error
            continue
        bindings = Bindings(search.spec, values)
        figures = {name: sums[name] if name in sums else bindings[name] for name in search.read}
        accepted.append(Figures(search(n), figures))
        if all(condition.holds(figures) for condition in search.conditions):
            best = len(accepted) - 1
    if not accepted and refused is not None:
        kind = ShapeError if isinstance(refused, ShapeError) else ConvcalcError
        raise kind(
            f"the network accepts no {names} from {search(1)} to {search(limit)}; at "
            f"{search(limit)}: {refused.fact}",
            hint="A larger limit (--max) looks further.",
        ).located(refused.where, refused.path)
    return Fit(
        search.names,
        search.conditions,
        None if best is None else accepted[best],
        accepted[best + 1] if best is not None and best + 1 < len(accepted) else None,
        accepted[0],
        BUILT,
        (search(1), search(limit)),
        step=search.step,
    )
