"""Report: the rows and totals of one network, shown as a table, or given as plain values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from convcalc.analysis.closed_form import Formula
from convcalc.analysis.memory import Peak, peak
from convcalc.analysis.quantities import QUANTITIES, Totals, totals
from convcalc.analysis.receptive_field import Fields, receptive_fields
from convcalc.dim import Size
from convcalc.errors import ConvcalcError
from convcalc.graph import Graph, Node, collector_paused
from convcalc.layer import Shape
from convcalc.report.columns import ALL_LEVELS, LAYERS, Layout, layer_table, tree_table
from convcalc.report.formats.text import page
from convcalc.report.page import Page
from convcalc.report.table import JSON_VERSION as JSON_VERSION
from convcalc.report.table import Table
from convcalc.report.table import plain as plain
from convcalc.report.terminal import Rendered
from convcalc.view import Reach

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

    from convcalc.conventions.rules import Bridge
    from convcalc.report.drawing.model import Drawing
    from convcalc.report.plots.plot import Plot
    from convcalc.spec.tree import Scalar

_UNFOLDED = 2_000
"""Rows of a tree that a browser shows at once."""
_OPEN = Reach(None, None, None)
"""A receptive field that depends on a symbol."""


class Row:
    """One layer of the report; every quantity of the totals is an attribute, an int or a Dim."""

    __slots__ = ("node", "report")

    def __init__(self, node: Node, report: Report) -> None:
        self.node = node
        self.report = report

    @property
    def name(self) -> str:
        """The dotted path: layer1.bottleneck2.conv1."""
        return self.node.path

    @property
    def type(self) -> str:
        """The layer's name in a spec."""
        return self.node.kind

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of the layers and inputs that it reads."""
        return tuple(node.path for node in self.node.inputs)

    @property
    def output_shape(self) -> Shape:
        """(N, channels, *spatial)."""
        return self.node.shape

    @property
    def receptive_field(self) -> tuple[Size | None, ...]:
        """How many positions of the input one output sees, along each of its spatial axes.

        The input's whole size where it sees everything; None where a symbol leaves it open.
        Araujo, Norris, Sim 2019.
        """
        return tuple(reach.size for reach in self.report.reach(self.node))

    @property
    def receptive_stride(self) -> tuple[Size | None, ...]:
        """How far apart the receptive fields of neighbouring outputs are, along each axis."""
        return tuple(reach.stride for reach in self.report.reach(self.node))

    @property
    def receptive_padding(self) -> tuple[Size | None, ...]:
        """How far the receptive field of the first output starts before the input."""
        reaches = self.report.reach(self.node)
        return tuple(None if reach is _OPEN else -reach.start for reach in reaches)

    def __getattr__(self, quantity: str) -> Any:
        if quantity in QUANTITIES:
            return QUANTITIES[quantity].of(self.node)
        raise AttributeError(f"a row has no '{quantity}'")

    def __repr__(self) -> str:
        return f"Row({self.name}: {self.type} → {self.output_shape})"


class Report(Page):
    """What `summarize` gives.

    `rows` are the layers in running order, `totals` their sums; every figure is an int, or a Dim
    where the network is symbolic. `str()` is the table, `to_dict()` the JSON; `to_markdown()`,
    `to_latex()`, `to_html()`, `to_csv()`, `to_dicts()` and `to_pandas()` are the table elsewhere.
    """

    def __init__(
        self,
        name: str,
        title: str,
        source: str,
        variables: dict[str, Any],
        graph: Graph,
        macs_formula: Callable[[], Formula],
        dtype: str = "float32",
        groups: Mapping[str, Sequence[Scalar]] | None = None,
    ) -> None:
        self.groups = groups or {}
        self.name = name
        self.title = title
        self.source = source
        self.variables = variables
        self.graph = graph
        self._macs_formula = macs_formula
        self._formula: Formula | None = None
        self.dtype = dtype
        self._totals: Totals | None = None
        self._fields: dict[Node, Fields] | None = None

    @property
    def rows(self) -> Sequence[Row]:
        """One row for every layer, in running order."""
        return [Row(node, self) for node in self.graph.nodes]

    @property
    def totals(self) -> Totals:
        """The sums over all rows."""
        if self._totals is None:
            with collector_paused():
                self._totals = totals(self.graph, self.dtype)
        return self._totals

    @property
    def peak(self) -> Peak:
        """Which tensors are alive when most memory is held, and at which layer."""
        return peak(self.graph)

    def reach(self, node: Node) -> tuple[Reach, ...]:
        """The receptive field of a layer along each spatial axis of the (first) input."""
        if self._fields is None:
            self._fields = receptive_fields(self.graph)
        sizes = self.graph.inputs[0].shape[2:]
        fields = self._fields.get(node) or (None,) * len(sizes)
        return tuple(
            Reach(size, size, 0) if field is None else field.reach or _OPEN
            for field, size in zip(fields, sizes, strict=True)
        )

    def convention(self, name: str) -> Bridge:
        """The figure that a counter prints for this network, term by term from the MACs.

        Args:
            name: macs, flops, exact, or a counter: thop, fvcore …; see `convention_names` in
                `convcalc.conventions`.

        Raises:
            UsageError: there is no such convention.
        """
        from convcalc.conventions import convention
        from convcalc.conventions.rules import Bridge

        with collector_paused():
            return Bridge(convention(name), self.graph)

    @property
    def notes(self) -> list[str]:
        """What a reader should know, as that layers were left out."""
        return self.graph.notes

    @property
    def macs_formula(self) -> Formula:
        """The closed form of the MACs in N and the names of the input, with its limits."""
        if self._formula is None:
            self._formula = self._macs_formula()
        return self._formula

    def table(self, **layout: Any) -> Table:
        """The module tree; see `convcalc.report.columns.Layout` for what may be said of it."""
        with collector_paused():
            return tree_table(self, Layout(**layout))

    def records(self, **layout: Any) -> Table:
        """A row for every layer, or as `rows` says; numbers exact; `depth` cuts at modules."""
        with collector_paused():
            return layer_table(self, Layout(**layout))

    def tree(self, **layout: Any) -> Table:
        """The module tree with all its levels, unless that is more than anyone would unfold."""
        table = self.table(**{"depth": ALL_LEVELS, **layout})
        return table if len(table.rows) <= _UNFOLDED else self.table(**layout)

    def until(self, error: ConvcalcError, width: int | None, **layout: Any) -> Rendered:
        """The table down to the layer at which the network could not be built."""
        table = tree_table(self, Layout(**{**layout, "rows": LAYERS}), failed=True)
        return page(table, width, failed=error.path or str(error.where))

    def plot(
        self,
        kind: str = "layers",
        *,
        others: Sequence[Report] = (),
        depth: int | None = None,
        dark: bool = False,
    ) -> Plot:
        """A picture, which shows itself in a notebook; `save("x.svg")` writes it, or .png or .pdf.

        Args:
            kind: layers (parameters, MACs and memory of each), cumulative (their shares up to
                each), memory (what is held while they run), receptive_field, or bubbles.
            others: reports of other networks, for bubbles: parameters over MACs of all.
            depth: the number of levels of the module tree: a block that is not opened is one bar.
                None for a bar for every layer.
            dark: whether the ground is dark.

        Raises:
            UsageError: there is no such kind, or Matplotlib is not installed: convcalc[plot].
            ConvcalcError: a size is symbolic, or there is nothing to show, or too much.
        """
        from convcalc.report.plots.plot import plot

        return plot([self, *others], kind, depth=depth, dark=dark)

    def draw(
        self,
        *,
        depth: int | None = None,
        fold: bool = True,
        layer: str = "",
        of: Sequence[str] = ("params",),
        across: bool = False,
    ) -> Drawing:
        """The network as a graph, with the shapes on its edges; `dot()`, `mermaid()`, `svg()`.

        Args:
            depth: the number of levels of the module tree that are opened; None for as many as
                are readable on a page, or for all where nothing is folded.
            fold: whether identical neighbours become one box, ×n.
            layer: the path of a block, to draw it alone.
            of: the quantities written into the boxes.
            across: whether it goes from left to right, and not from top to bottom.

        Raises:
            UsageError: there is no such block or quantity.
            ConvcalcError: the drawing would have too many boxes.
        """
        from convcalc.report.drawing.model import draw

        with collector_paused():
            return draw(
                self.graph, self.title,
                depth=depth, fold=fold, layer=layer, of=of, across=across,
            )  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """The report as `summarize --format json` prints it."""
        with collector_paused():
            return {
                "convcalc": JSON_VERSION,
                "name": self.name,
                "variables": {name: plain(value) for name, value in self.variables.items()},
                "totals": {name: plain(value) for name, value in self.totals._asdict().items()},
                "layers": list(self._layers()),
            }

    def _layers(self) -> Iterator[dict[str, Any]]:
        columns = [name for name in QUANTITIES if name != "flops"]
        for row in self.rows:
            yield {
                "name": row.name,
                "type": row.type,
                "inputs": list(row.inputs),
                "output_shape": [plain(size) for size in row.output_shape],
                **{column: plain(getattr(row, column)) for column in columns},
                "receptive_field": plain(row.receptive_field),
                "receptive_stride": plain(row.receptive_stride),
                "receptive_padding": plain(row.receptive_padding),
            }

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield self.rendered(options.max_width).rich()
