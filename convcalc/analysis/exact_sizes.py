"""The input sizes at which no layer rounds: ⌊⌋ and ⌈⌉ vanish, and closed forms are polynomials.

A layer maps a size x to ⌊(a·x + b)/d⌋, and rounds nothing where d divides a·x + b; where it is
⌈a·x/d⌉ and nothing else, as `same` padding makes it, where d divides a·x. Layer by layer, each
with its input an exact a·H + b, that is a congruence for H (a U-Net accepts H ≡ 12 (mod 16): its
poolings then meet even sizes, as Ronneberger, Fischer, Brox 2015, section 2, ask for).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from convcalc.dim import Dim, Size, floors, symbol
from convcalc.graph import Graph, Node
from convcalc.layer import Shape


class Congruence(NamedTuple):
    """The whole numbers n ≡ residue (mod modulus)."""

    modulus: int
    residue: int

    def condition(self, name: str) -> str:
        """As `32 divides H`, or H ≡ 31 (mod 32); empty where all numbers do."""
        if self.modulus == 1:
            return ""
        if self.residue == 0:
            return f"{self.modulus} divides {name}"
        return f"{name} ≡ {self.residue} (mod {self.modulus})"

    def __contains__(self, number: object) -> bool:
        return isinstance(number, int) and number % self.modulus == self.residue

    def nearest(self, number: int) -> tuple[int, int]:
        """The members before and after a number that is none."""
        before = number - (number - self.residue) % self.modulus
        return before, before + self.modulus

    def members(self, least: int) -> Iterable[int]:
        """Its members from `least` on, without end."""
        value = least + (self.residue - least) % self.modulus
        while True:
            yield value
            value += self.modulus


class ExactSizes(NamedTuple):
    """For each symbol, the values at which no layer rounds.

    `rounding` are layers that round at every size that the layers before them leave exact, each
    with the size that it rounds: where there is one, no input is exact. `unknown` are layers whose
    rounding is no congruence for one symbol, as ⌊H·W/2⌋: where there is one, nothing is known.
    """

    congruences: dict[str, Congruence]
    rounding: tuple[tuple[Node, Size], ...] = ()
    unknown: tuple[tuple[Node, Size], ...] = ()

    @property
    def is_known(self) -> bool:
        """Whether the sizes in `congruences` are those at which no layer rounds."""
        return not self.rounding and not self.unknown

    def __str__(self) -> str:
        found = (c.condition(name) for name, c in self.congruences.items())
        return " and ".join(filter(None, found))


def exact_sizes(graph: Graph, smallest: Mapping[str, int]) -> ExactSizes:
    """Where no layer of a symbolic graph rounds.

    Args:
        graph: the network, some sizes of which are symbols.
        smallest: for each symbol of interest the least value that the network accepts.
    """
    search = _Search(smallest)
    done: set[int] = set()
    for node in graph.nodes:
        if id(node.op) not in done:
            done.add(id(node.op))
            search.visit(node)
    return ExactSizes(search.found, tuple(search.rounding), tuple(search.unknown))


class _Search:
    def __init__(self, smallest: Mapping[str, int]) -> None:
        self.smallest = smallest
        self.found = {name: Congruence(1, 0) for name in smallest if name != "N"}
        self.rounding: list[tuple[Node, Size]] = []
        self.unknown: list[tuple[Node, Size]] = []
        self._lines: dict[str, Dim] = {}

    def visit(self, node: Node) -> None:
        """Narrow the congruences down to sizes at which a node does not round."""
        fresh: dict[Dim, Dim] = {}

        def opaque(size: Size) -> Size:
            if not isinstance(size, Dim):
                return size
            return fresh.setdefault(size, symbol(f"size {len(fresh)}"))

        inputs: list[Shape] = [tuple(map(opaque, shape)) for shape in node.op.inputs]
        if not fresh:
            return
        places = {next(iter(own.symbols)): size for size, own in fresh.items()}
        for size in node.op.layer.output_shape(*inputs):
            written = self._written(size, places)
            if not any(floors(written)):
                continue
            for above, below in floors(size):
                exact = self._narrow(size, above, below, places)
                if not exact:
                    (self.unknown if exact is None else self.rounding).append((node, written))
                    return

    def _narrow(
        self, size: Size, above: Dim, below: Size, places: Mapping[str, Dim]
    ) -> bool | None:
        """Narrow down to where ⌊above/below⌋, in the symbols of a layer's inputs, is exact.

        False where it never is, None where that is no matter of one symbol.
        """
        if not isinstance(below, int):
            return None
        due = 0
        scaled = above - (below - 1)
        if isinstance(scaled, Dim) and () not in scaled.terms and size == above // below:
            due = below - 1  # ⌈a·x/d⌉ and nothing else
        line = self._on_line(above, places)
        if not isinstance(line, Dim):
            return line % below == due
        (name, *more), slope = line.symbols, next(c for m, c in line.terms.items() if m)
        constant = line.terms.get((), 0)
        if more or name not in self.found or line != slope * symbol(name) + constant:
            return None
        # slope·q + constant ≡ due (mod below), solved for q ≡ step (mod modulus)
        common = math.gcd(int(slope), below)
        wanted = int(due - constant)
        if wanted % common:
            return False
        modulus = below // common
        step = wanted // common * pow(int(slope) // common, -1, modulus)
        old = self.found[name].modulus
        residue = (self._first(name) + old * (step - 1)) % (old * modulus)
        self.found[name] = Congruence(old * modulus, residue)
        self._lines.pop(name, None)
        return True

    def _first(self, name: str) -> int:
        return next(iter(self.found[name].members(self.smallest[name])))

    def _line(self, name: str) -> Dim:
        """The exact values of a symbol, the first for a symbol of 1: first + modulus·(q − 1)."""
        if name not in self._lines:
            modulus = self.found[name].modulus
            self._lines[name] = modulus * symbol(name) + (self._first(name) - modulus)
        return self._lines[name]

    def _on_line(self, size: Dim, places: Mapping[str, Dim]) -> Size:
        """A size of a layer, where the names are on their lines."""
        values = {
            name: self._on_line(places[name], {})
            if name in places
            else self._line(name)
            if name in self.found
            else symbol(name)
            for name in size.symbols
        }
        return size.evaluate(**values)  # type: ignore[no-any-return]

    def _written(self, size: Size, places: Mapping[str, Dim]) -> Size:
        if not isinstance(size, Dim):
            return size
        values = {name: places.get(name, symbol(name)) for name in size.symbols}
        return size.evaluate(**values)  # type: ignore[no-any-return]
