"""A network as boxes and edges: blocks around them, repeats once, every edge with its shape."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from convcalc.analysis.quantities import QUANTITIES
from convcalc.dim import Size
from convcalc.errors import ConvcalcError, UsageError, did_you_mean, shorten
from convcalc.fields import show
from convcalc.graph import Graph, Module, Node
from convcalc.layer import Shape, fields, per_axis
from convcalc.report.families import INPUT, MODULE, Family, family
from convcalc.report.formats.text import number, shape
from convcalc.report.tree import Runs, label

MAX_BOXES = 2_000
"""How many boxes a drawing may have."""

READABLE = 40
"""How many boxes fit a page, where no depth is asked for."""

GROUNDS = ("#f3f5f8", "#e6eaf0")
"""Of blocks, by turns as they are nested."""

LINE = "#5f6b7a"
"""Around boxes, and between them."""

_WRITTEN = {"macs": "MACs", "macs_nonpad": "MACs without padding", "flops": "FLOPs"}

_DEEPEST = 1_000
"""More levels than modules have."""

_ON_THE_EDGES = {"out_channels", "out_features", "shape", "size", "like", "branches"}
_NOT_SHOWN = {"kernel", "padding", "bias", "eps", "affine", "rate"} | _ON_THE_EDGES
"""Fields of layers that are left out: details, and what the shapes on the edges say."""

_PER_AXIS = {"stride", "dilation", "scale"}
"""Fields that are written as kernels are: 2×1."""


class Box(NamedTuple):
    """A layer, a block that is not opened, an input or an output; `times` identical ones.

    `lines` say its name, what it is, and its figures; `path` is where it is in the network.
    """

    id: str
    lines: tuple[str, ...]
    path: str
    family: Family
    times: int
    is_end: bool = False


class Cluster(NamedTuple):
    """A block that is opened, or `times` identical ones, of which the first is shown."""

    id: str
    lines: tuple[str, ...]
    path: str
    times: int
    children: tuple[Box | Cluster, ...]


class Edge(NamedTuple):
    """What flows from one box to another: a tensor of this shape."""

    source: Box
    target: Box
    shape: Shape

    @property
    def label(self) -> str:
        """The shape without the batch: 64×112×112."""
        return shape(self.shape)


class Drawing:
    """Boxes, in blocks, and edges; `str()` is DOT, the language of Graphviz.

    `hides` says whether blocks hold more than is shown; `across`, whether it goes from left to
    right.
    """

    def __init__(
        self,
        title: str,
        children: Sequence[Box | Cluster],
        edges: Sequence[Edge],
        hides: bool,
        across: bool = False,
    ) -> None:
        self.title = title
        self.across = across
        self.children = tuple(children)
        self.edges = tuple(edges)
        self.hides = hides

    @property
    def boxes(self) -> Iterator[Box]:
        """All boxes, those inside blocks too, in running order."""
        return (child for child in self._all() if isinstance(child, Box))

    @property
    def clusters(self) -> Iterator[Cluster]:
        """All blocks that are opened, outer ones first."""
        return (child for child in self._all() if isinstance(child, Cluster))

    def _all(self) -> Iterator[Box | Cluster]:
        waiting = list(reversed(self.children))
        while waiting:
            child = waiting.pop()
            if isinstance(child, Cluster):
                waiting.extend(reversed(child.children))
            yield child

    def dot(self) -> str:
        """The drawing for Graphviz."""
        from convcalc.report.drawing.dot import to_dot

        return to_dot(self)

    def mermaid(self) -> str:
        """The drawing for Mermaid, which GitHub and notebooks show."""
        from convcalc.report.drawing.mermaid import to_mermaid

        return to_mermaid(self)

    def svg(self) -> str:
        """The drawing laid out by Graphviz.

        Raises:
            UsageError: Graphviz is not installed.
            OutputError: Graphviz fails, or takes too long.
        """
        from convcalc.report.drawing.dot import to_svg

        return to_svg(self)

    def __str__(self) -> str:
        return self.dot()

    def __repr__(self) -> str:
        boxes, blocks = len(list(self.boxes)), len(list(self.clusters))
        return f"<Drawing of {self.title}: {boxes:,} boxes, {blocks:,} opened blocks>"

    def _repr_svg_(self) -> str | None:
        from convcalc.report.drawing.dot import is_installed

        return self.svg() if is_installed() else None

    def _repr_markdown_(self) -> str:
        return f"```mermaid\n{self.mermaid()}\n```"


def draw(
    graph: Graph,
    title: str,
    *,
    depth: int | None = None,
    fold: bool = True,
    layer: str = "",
    of: Sequence[str] = ("params",),
    across: bool = False,
) -> Drawing:
    """The drawing of a network, or of one block of it.

    Args:
        graph: the network.
        title: what it is called.
        depth: the number of levels of the module tree that are opened; None for as many as are
            readable on a page, or for all where nothing is folded.
        fold: whether identical neighbours become one box.
        layer: the path of a block, to draw it alone.
        of: the quantities written into the boxes.
        across: whether it goes from left to right, and not from top to bottom.

    Raises:
        UsageError: there is no such block or quantity.
        ConvcalcError: the drawing would have too many boxes.
    """
    for name in of:
        if name not in QUANTITIES:
            hint = did_you_mean(name, QUANTITIES) or f"There are {', '.join(QUANTITIES)}."
            raise UsageError(f"unknown quantity '{shorten(name)}'", hint=hint)
    root = graph.module(layer)
    title = f"{title}, {layer}" if layer else title

    def drawn(levels: int, most: int) -> Drawing | None:
        return _Pencil(graph, root, fold, of, most).drawing(title, levels)

    if depth is not None or not fold:
        best = drawn(depth or _DEEPEST, MAX_BOXES)
    else:
        best = deeper = drawn(1, MAX_BOXES)
        levels = 1
        while deeper is not None and deeper.hides:
            levels += 1
            best, deeper = deeper, drawn(levels, READABLE)
        best = deeper or best
    if best is None:
        hint = "Draw one block with --layer PATH."
        if not fold or (depth or 1) > 1:
            hint = f"Open fewer levels: --depth 1. {hint}"
        raise ConvcalcError(
            f"{title}: a drawing of more than {MAX_BOXES:,} boxes is not readable", hint=hint
        )
    best.across = across
    return best


class _TooManyError(Exception):
    """More boxes than are wanted."""


class _Pencil:
    """Draws one module to one depth. `box_of` is the box of every node that is drawn itself."""

    def __init__(
        self, graph: Graph, root: Module, fold: bool, of: Sequence[str], most: int
    ) -> None:
        self.root = root
        self.outputs = set(graph.outputs)
        self.runs = Runs(fold)
        self.of = of
        self.most = most
        self.made = 0
        self.hides = False
        self.box_of: dict[Node, Box] = {}
        self.twin: dict[Node, Node] = {}
        """For a node of a repeat, the one in its place in the repeat that is shown."""
        self.readers: dict[Node, list[Node]] = {}
        for node in graph.nodes:
            for source in node.inputs:
                self.readers.setdefault(source, []).append(node)

    def drawing(self, title: str, depth: int) -> Drawing | None:
        """The drawing; None where it has too many boxes."""
        try:
            children = self._children(self.root, depth)
        except _TooManyError:
            return None
        nodes = _nodes(self.root)
        inside = set(nodes)
        starts: dict[Node, Box] = {}
        edges: dict[tuple[object, ...], Edge] = {}
        for node in nodes:
            if node in self.twin:
                continue
            target = self.box_of[node]
            for i, source in enumerate(node.inputs):
                if source in inside:
                    start = self.box_of[self._shown(source)]
                elif source in starts:
                    start = starts[source]
                else:
                    start = starts[source] = self._end(source, source.path)
                if start is not target:
                    # a block reads a tensor once, a layer as often as it names it
                    key = (self._shown(source), target.id, i if target.path == node.path else 0)
                    edges.setdefault(key, Edge(start, target, source.shape))
        ends = []
        for node in nodes:
            leaves = any(reader not in inside for reader in self.readers.get(node, ()))
            if leaves or node in self.outputs:
                several = len(self.outputs) > 1 and node in self.outputs
                end = self._end(node, f"output {node.path}" if several else "output")
                ends.append(end)
                edges[end.id,] = Edge(self.box_of[self._shown(node)], end, node.shape)
        return Drawing(title, [*starts.values(), *children, *ends], [*edges.values()], self.hides)

    def _children(self, module: Module, depth: int) -> list[Box | Cluster]:
        found: list[Box | Cluster] = []
        for run in self._drawn_runs(module):
            first = run[0]
            shown = _nodes(first)
            if not shown:
                continue  # a block that does nothing
            for other in run[1:]:
                self.twin.update(zip(_nodes(other), shown, strict=True))
            if isinstance(first, Module) and depth > 1:
                name = self._next_id("c")
                inner = self._children(first, depth - 1)
                lines = (_name(run), *self._about(first, shown, len(run)))
                found.append(Cluster(name, lines, first.path, len(run), tuple(inner)))
                continue
            self.hides = self.hides or isinstance(first, Module)
            lines = (_name(run), *self._about(first, shown, len(run)))
            kind = MODULE if isinstance(first, Module) else family(first)
            box = Box(self._next_id("n"), lines, first.path, kind, len(run))
            self.box_of.update(dict.fromkeys(shown, box))
            found.append(box)
        return found

    def _drawn_runs(self, module: Module) -> Iterator[list[Node | Module]]:
        """Identical neighbours, where one of them drawn says all about the others."""
        for run in self.runs.of(module.children):
            if len(run) == 1 or self._is_chain(run):
                yield run
            else:
                yield from ([child] for child in run)

    def _is_chain(self, run: list[Node | Module]) -> bool:
        """Whether all are wired as the first, and only the next one reads what one gives."""
        rounds = [_nodes(child) for child in run]
        inside = {node for nodes in rounds for node in nodes}
        outputs = [child.output if isinstance(child, Module) else child for child in run]
        before = entry = run[0].input if isinstance(run[0], Module) else run[0].inputs[0]
        for i, nodes in enumerate(rounds):
            twins = dict(zip(nodes, rounds[0], strict=True))
            after = set(rounds[i + 1]) if i + 1 < len(rounds) else None
            for node in nodes:
                for source, first in zip(node.inputs, twins[node].inputs, strict=True):
                    same = source is first and source not in inside
                    chained = source is before and first is entry
                    if not (same or chained or twins.get(source) is first):
                        return False
                beyond = [r for r in self.readers.get(node, ()) if r not in twins]
                is_end = node is outputs[i]
                if after is None:
                    allowed = is_end or not (beyond or node in self.outputs)
                else:
                    chained = is_end and all(reader in after for reader in beyond)
                    allowed = node not in self.outputs and (chained or not beyond)
                if not allowed:
                    return False
            before = outputs[i]
        return True

    def _shown(self, node: Node) -> Node:
        """The node that stands for it in the drawing."""
        while node in self.twin:
            node = self.twin[node]
        return node

    def _end(self, node: Node, name: str) -> Box:
        """An input or an output of what is drawn."""
        return Box(self._next_id("n"), (name,), node.path, INPUT, 1, is_end=True)

    def _next_id(self, letter: str) -> str:
        self.made += 1
        if self.made > self.most:
            raise _TooManyError
        return f"{letter}{self.made}"

    def _about(self, child: Node | Module, nodes: Sequence[Node], times: int) -> Iterator[str]:
        """What it is, and its figures: those of one, where there are several."""
        if isinstance(child, Node):
            about = describe(child)
            if not str(child.name).startswith(about):  # relu1 says that it is a relu
                yield about
        elif child.kind and not child.is_loop and not str(child.name).startswith(child.kind):
            yield child.kind
        for name in self.of:
            each: Size = sum(QUANTITIES[name].of(node) for node in nodes)
            if each != 0:
                text = f"{number(each)} {_WRITTEN.get(name, name)}"
                yield f"{times:,} × {text}" if times > 1 else text


def _nodes(child: Node | Module) -> tuple[Node, ...]:
    return tuple(child.nodes()) if isinstance(child, Module) else (child,)


def _name(run: list[Node | Module]) -> str:
    return f"{label(run)} ×{len(run):,}" if len(run) > 1 else label(run)


def describe(node: Node) -> str:
    """The layer and those of its fields that matter: conv 3×3, stride 2, groups 32."""
    layer = node.op.layer
    rank = max(1, len(node.op.inputs[0]) - 2)
    text = layer.name
    kernel = getattr(layer, "kernel", None)
    if kernel is not None:
        text += f" {'×'.join(str(size) for size in per_axis(kernel, rank, 'kernel'))}"
    for field in fields(type(layer)):
        value = getattr(layer, field.name)
        usual = value is None or value == (None if field.required else field.default)
        if field.name not in _NOT_SHOWN and not usual and value != kernel:
            text += f", {field.name} {_value(value, field.name in _PER_AXIS)}"
    return shorten(text, 60)


def _value(value: object, per_axis: bool) -> str:
    if per_axis and isinstance(value, tuple):
        return "×".join(map(str, value))
    return str(value) if isinstance(value, str) else show(value)
