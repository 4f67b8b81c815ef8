"""The module tree as lines of a table: folded, cut at a depth, every line with its sums."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from convcalc.analysis.parts import OTHERS
from convcalc.analysis.quantities import COLUMNS, total
from convcalc.dim import Size
from convcalc.graph import Graph, Module, Node
from convcalc.layer import Shape


class Line(NamedTuple):
    """One line: a layer, a module, or `times` identical ones that follow each other.

    `ancestors` says of every level above whether its branch goes on below this line, for the
    guides; `sums` are over the whole line, all repetitions together.
    """

    label: str
    kind: str
    is_module: bool
    times: int
    ancestors: tuple[bool, ...]
    is_last: bool
    output_shape: Shape
    sums: dict[str, Size]
    hides: bool
    """Whether levels below it are not shown."""
    first: Node | Module
    """The layer or module, the first of them where they are repeated."""
    output: Node | None
    """The layer whose output is that of the line; None in a module that was not finished."""


LONG = 100
"""Lines of a table that fits a screen or two."""


def lines(
    graph: Graph,
    quantities: list[str],
    *,
    depth: int | None = None,
    fold: bool = True,
    root: Module | None = None,
) -> list[Line]:
    """The lines of a graph's module tree.

    Args:
        graph: the network.
        quantities: what to sum.
        depth: the number of levels shown; deeper ones are in their module's line. None for as
            many as fit a screen or two, or for all where nothing is folded.
        fold: whether identical neighbours, each fed by the one before, become one line.
        root: a module whose lines alone are wanted.
    """
    root = root or graph.root
    walk = _Walk(quantities, fold)
    if depth is not None:
        return walk.lines(root, depth)
    found = walk.lines(root, None)
    depth = 1 + max((len(line.ancestors) for line in found), default=0)
    while fold and len(found) > LONG and depth > 1:
        depth -= 1
        found = walk.lines(root, depth)
    return found


def part_lines(
    graph: Graph, parts: Mapping[str, Sequence[Node]], quantities: Sequence[str]
) -> list[Line]:
    """A line for every part of a graph; see `convcalc.analysis.parts`.

    Its output is that of its last layer; the layers in no group have none in common.

    Args:
        graph: the network.
        parts: names, each with its layers, of which there are some.
        quantities: what to sum.
    """
    return [
        Line(
            label=name,
            kind=nodes[0].kind if len(nodes) == 1 else "",
            is_module=False,
            times=1,
            ancestors=(),
            is_last=False,
            output_shape=() if name == OTHERS else nodes[-1].shape,
            sums={of: total(of, graph, nodes=nodes) for of in quantities},
            hides=False,
            first=nodes[0] if len(nodes) == 1 else graph.root,
            output=None if name == OTHERS else nodes[-1],
        )
        for name, nodes in parts.items()
    ]


class Runs:
    """Which children of a module follow each other and are identical.

    Args:
        fold: whether they are looked for; without, each child stands for itself.
    """

    def __init__(self, fold: bool) -> None:
        self.fold = fold
        self.signatures: dict[object, int] = {}
        self.known: dict[int, int] = {}

    def of(self, children: list[Node | Module]) -> list[list[Node | Module]]:
        """Neighbours that are identical and feed each other, together."""
        if not self.fold:
            return [[child] for child in children]
        runs: list[list[Node | Module]] = []
        last = None
        for child in children:
            signature = self._signature(child)
            if runs and signature == last and _feeds(runs[-1][-1], child):
                runs[-1].append(child)
            else:
                runs.append([child])
            last = signature
        return runs

    def _signature(self, child: Node | Module) -> int:
        """A number that is the same for what does the same: layers, shapes and weights."""
        known = self.known.get(id(child))
        if known is None:
            key: tuple[Any, ...]
            if isinstance(child, Node):
                owner = id(child.owner) if child.owner is not child else 0
                key = (id(child.operation), owner)
            else:
                key = (child.kind, child.is_loop, *map(self._signature, child.children))
            known = self.signatures.setdefault(key, len(self.signatures))
            self.known[id(child)] = known
        return known


class _Walk:
    def __init__(self, quantities: list[str], fold: bool) -> None:
        self.quantities = [(name, COLUMNS[name]) for name in quantities]
        self.depth: int | None = None
        self.runs = Runs(fold)
        self.sums: dict[int, dict[str, Size]] = {}
        self.found: list[Line] = []

    def lines(self, root: Module, depth: int | None) -> list[Line]:
        self.depth = depth
        self.found = []
        self._children(root, (), 1)
        return self.found

    def _children(self, module: Module, ancestors: tuple[bool, ...], level: int) -> None:
        runs = self.runs.of(module.children)
        for i, run in enumerate(runs):
            first, is_last = run[0], i == len(runs) - 1
            is_module = isinstance(first, Module)
            opened = is_module and (self.depth is None or level < self.depth)
            self.found.append(
                Line(
                    label=label(run),
                    kind=first.kind,
                    is_module=is_module,
                    times=len(run),
                    ancestors=ancestors,
                    is_last=is_last,
                    output_shape=_shape(run[-1]),
                    sums=self._run_sums(run),
                    hides=is_module and not opened,
                    first=first,
                    output=run[-1].output if isinstance(run[-1], Module) else run[-1],
                )
            )
            if opened:
                assert isinstance(first, Module)
                self._children(first, (*ancestors, not is_last), level + 1)

    def _run_sums(self, run: list[Node | Module]) -> dict[str, Size]:
        one = self._sums(run[0])
        return {name: value * len(run) for name, value in one.items()} if len(run) > 1 else one

    def _sums(self, child: Node | Module) -> dict[str, Size]:
        if isinstance(child, Node):
            return {name: quantity.of(child) for name, quantity in self.quantities}
        known = self.sums.get(id(child))
        if known is None:
            sums: dict[str, Any] = dict.fromkeys((name for name, _ in self.quantities), 0)
            for inner in child.children:
                for name, value in self._sums(inner).items():
                    sums[name] = sums[name] + value
            known = self.sums[id(child)] = sums
        return known


def _feeds(before: Node | Module, child: Node | Module) -> bool:
    """Whether `child` reads what the one before it gives, and nothing else; branches do not."""
    output = before.output if isinstance(before, Module) else before
    if isinstance(child, Module):
        return child.input is output
    return len(child.inputs) == 1 and child.inputs[0] is output


def _shape(child: Node | Module) -> Shape:
    if isinstance(child, Node):
        return child.shape
    if child.output is not None:
        return child.output.shape
    # a module that was not finished, because a layer in it did not fit
    return _shape(child.children[-1]) if child.children else ()


def label(run: list[Node | Module]) -> str:
    """The name of what stands there, or of the first and the last: bottleneck2–3."""
    first, last = str(run[0].name), str(run[-1].name)
    if len(run) == 1:
        return first
    number = re.fullmatch(r"(.*?)(\d+)", last)
    if number and re.fullmatch(re.escape(number[1]) + r"\d+", first):
        return f"{first}–{number[2]}"
    return f"{first} … {last}"
