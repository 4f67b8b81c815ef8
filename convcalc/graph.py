"""The network as a graph: operations on shapes, nodes, and the module tree that names them."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Any

from convcalc import arith
from convcalc.cost import Cost
from convcalc.dim import Dim, Size
from convcalc.errors import ShapeError, UsageError, did_you_mean, shorten
from convcalc.layer import Layer, Requirement, Shape, symbolic_fields

_LISTED = 6
"""How many names a message lists."""


class Operation:
    """A layer on inputs of given shapes; nodes that do the same share one.

    Raises:
        ShapeError: the layer does not fit the shapes, whatever values their symbols have.
    """

    __slots__ = (
        "_biases", "_buffers", "_cost", "_macs_nonpad", "_params", "inputs", "layer",
        "output_shape", "undecided",
    )  # fmt: skip

    def __init__(self, layer: Layer, inputs: tuple[Shape, ...]) -> None:
        undecided = []
        for requirement in chain(symbolic_fields(layer), layer.requirements(*inputs)):
            holds = requirement.holds()
            if holds is False:
                raise ShapeError(requirement.fact(), hint=requirement.hint)
            if holds is None:
                undecided.append(requirement)
        self.layer = layer
        self.inputs = inputs
        self.output_shape = layer.output_shape(*inputs)
        self.undecided: tuple[Requirement, ...] = tuple(undecided)
        self._cost: Cost | None = None
        self._macs_nonpad: Size | None = None
        self._params: Size | None = None
        self._biases: Size | None = None
        self._buffers: Size | None = None

    @property
    def cost(self) -> Cost:
        """The operations of one run, by kind."""
        if self._cost is None:
            self._cost = self.layer.cost(*self.inputs)
        return self._cost

    @property
    def macs_nonpad(self) -> Size:
        """The MACs without the products with a padded zero."""
        if self._macs_nonpad is None:
            self._macs_nonpad = self.layer.macs_nonpad(*self.inputs)
        return self._macs_nonpad

    @property
    def params(self) -> Size:
        """The number of learnable scalars."""
        if self._params is None:
            self._count_weights()
        return self._params  # type: ignore[return-value]

    @property
    def biases(self) -> Size:
        """How many of the params are biases, the shifts of norms among them."""
        if self._biases is None:
            self._count_weights()
        return self._biases  # type: ignore[return-value]

    @property
    def buffers(self) -> Size:
        """The number of scalars that are kept but not learnt, as running statistics."""
        if self._buffers is None:
            self._count_weights()
        return self._buffers  # type: ignore[return-value]

    def _count_weights(self) -> None:
        params: Any = 0
        biases: Any = 0
        buffers: Any = 0
        for name, weight in self.layer.weights(*self.inputs).items():
            size = arith.product(weight.shape)
            if not weight.trainable:
                buffers = buffers + size
                continue
            params = params + size
            if name == "bias":
                biases = biases + size
        self._params, self._biases, self._buffers = params, biases, buffers


class Node:
    """One step of a run: an operation on the outputs of other nodes, or an input of the network.

    `owner` is the node whose weights it uses: itself, unless they are shared. `functional` says
    that the network's source calls a function here. `where` is its place in the spec.
    """

    __slots__ = ("functional", "inputs", "name", "operation", "owner", "scope", "shape", "where")

    def __init__(
        self,
        operation: Operation | None,
        inputs: tuple[Node, ...],
        scope: Module,
        name: str | None,
        where: object,
        shape: Shape,
    ) -> None:
        self.operation = operation
        self.inputs = inputs
        self.scope = scope
        self.name = name
        self.where = where
        self.shape = shape
        self.owner: Node = self
        self.functional = False

    @property
    def kind(self) -> str:
        """The layer's name in a spec; `input` for an input."""
        return self.operation.layer.name if self.operation else "input"

    @property
    def op(self) -> Operation:
        """The operation of a node that is no input."""
        assert self.operation is not None
        return self.operation

    @property
    def path(self) -> str:
        """Its dotted path, `layer1.bottleneck2.conv1`."""
        prefix = self.scope.path
        return f"{prefix}.{self.name}" if prefix else str(self.name)


class Module:
    """A scope: the network itself, an instance of a block, or one round of a named loop.

    `children` are its nodes and modules in running order; `names` those with explicit names,
    and the names of its loops, which stand for their last round.
    """

    __slots__ = (
        "_path", "children", "input", "is_loop", "kind", "name", "names", "output", "parent",
        "shares", "where",
    )  # fmt: skip

    def __init__(
        self,
        kind: str,
        parent: Module | None,
        name: str | None,
        where: object,
        input: Node | None,
        is_loop: bool = False,
    ) -> None:
        self.kind = kind
        self.parent = parent
        self.name = name
        self.where = where
        self.input = input
        self.output: Node | None = None
        self.is_loop = is_loop
        self.children: list[Node | Module] = []
        self.names: dict[str, Node | Module] = {}
        self.shares: dict[str, list[Node]] = {}
        self._path: str | None = None

    @property
    def path(self) -> str:
        """Its dotted path; empty for the network itself."""
        if self._path is None:
            names = []
            module: Module | None = self
            while module is not None and module.parent is not None:
                names.append(str(module.name))
                module = module.parent
            self._path = ".".join(reversed(names))
        return self._path

    def ancestors(self) -> Iterator[Module]:
        """Itself and the modules around it, from the inside out."""
        module: Module | None = self
        while module is not None:
            yield module
            module = module.parent

    def nodes(self) -> Iterator[Node]:
        """Its layers, here and below, in running order."""
        waiting: list[Node | Module] = [self]
        while waiting:
            child = waiting.pop()
            if isinstance(child, Module):
                waiting.extend(reversed(child.children))
            else:
                yield child

    def name_children(self) -> None:
        """Give the nameless their names, here and below: conv1, conv2, …, past explicit ones."""
        waiting = [self]
        while waiting:
            module = waiting.pop()
            counts: dict[str, int] = {}
            taken = module.names
            for child in module.children:
                if child.name is None:
                    kind = child.kind
                    if kind[-1].isdigit():
                        kind += "_"  # relu6_1, where relu61 would read as a number
                    count = counts.get(kind, 0) + 1
                    while f"{kind}{count}" in taken:
                        count += 1
                    counts[kind] = count
                    child.name = f"{kind}{count}"
                if isinstance(child, Module):
                    waiting.append(child)


class Graph:
    """A network at given values of its variables, numbers or symbols.

    `nodes` are its layers in running order; `undecided` the requirements that hold for some
    values of the symbols only, each with the node that makes it; `decisions` the sizes, differences
    of two, on whose being 0 its structure depends, with whether they are taken as 0;
    `multipliers` the names of the symbols that may be fractions.
    """

    def __init__(self, root: Module, inputs: list[Node], title: str = "") -> None:
        self.root = root
        self.title = title
        self.inputs = inputs
        self.nodes: list[Node] = []
        self.outputs: list[Node] = []
        self.notes: list[str] = []
        self.decisions: dict[Dim, bool] = {}
        self.multipliers: frozenset[str] = frozenset()

    @property
    def undecided(self) -> list[tuple[Node, Requirement]]:
        """The requirements that depend on the values of the symbols."""
        return [(node, r) for node in self.nodes for r in node.op.undecided]

    def find(self, path: str) -> list[Node]:
        """The layer of a path, or all layers of a module, in running order.

        Raises:
            UsageError: there is none.
        """
        found = [n for n in self.nodes if n.path == path or n.path.startswith(f"{path}.")]
        if not found:
            within = f" in {self.title}" if self.title else ""
            raise UsageError(
                f"no layer or module '{shorten(path)}'{within}", hint=self._nearest(path)
            )
        return found

    def module(self, path: str) -> Module:
        """The module of a path; the network itself where it is empty.

        Raises:
            UsageError: there is none, or it is a layer.
        """
        if not path:
            return self.root
        for node in self.find(path):
            for module in node.scope.ancestors():
                if module.path == path:
                    return module
        around = f"Name the module around it: {node.scope.path}." if node.scope.path else ""
        raise UsageError(f"{shorten(path)} is a layer, and holds no others", hint=around)

    def _nearest(self, path: str) -> str:
        """Which layers and modules may be meant: those that end in this name, or one like it."""
        modules = dict.fromkeys(m for node in self.nodes for m in node.scope.ancestors())
        known = [
            *(m.path for m in modules if m.parent is not None),
            *(node.path for node in self.nodes),
        ]
        namesakes = [f"'{name}'" for name in known if name.endswith(f".{path}")]
        if namesakes:
            return f"Did you mean {_some(namesakes, ' or ')}?"
        top = [child.path for child in self.root.children]
        return did_you_mean(path, known) or f"There are {_some(top)}."

    def keep_only(self, needed: set[Node]) -> list[Node]:
        """Drop the nodes that are not needed, and modules left empty; return those dropped."""
        dropped = [node for node in self.nodes if node not in needed]
        if dropped:
            self.nodes = [node for node in self.nodes if node in needed]
            gone: set[Node | Module] = set(dropped)
            touched = {node.scope for node in dropped}
            while touched:
                module = touched.pop()
                module.children = [child for child in module.children if child not in gone]
                if not module.children and module.parent is not None:
                    gone.add(module)
                    touched.add(module.parent)
        return dropped

    def needed(self) -> set[Node]:
        """The nodes that the outputs depend on, the inputs among them."""
        found: set[Node] = set()
        waiting = list(self.outputs)
        while waiting:
            node = waiting.pop()
            if node not in found:
                found.add(node)
                waiting.extend(node.inputs)
        return found


def _some(names: list[str], last: str = ", ") -> str:
    """The first of some names."""
    if len(names) > _LISTED:
        return f"{', '.join(names[:_LISTED])} and {len(names) - _LISTED} more"
    return last.join(filter(None, [", ".join(names[:-1]), names[-1]]))


@contextmanager
def collector_paused() -> Iterator[None]:
    """Without the cyclic garbage collector.

    It would go over all of a growing network again and again, which makes a spec of 100,000
    layers four times as slow, and find nothing.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
