"""Report: the rows and totals of one network, shown as a table, or given as plain values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from convcalc.analysis.quantities import QUANTITIES, Totals, totals
from convcalc.dim import Dim, Size
from convcalc.graph import Graph, Node
from convcalc.layer import Shape

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

JSON_VERSION = 1


class Row:
    """One layer of the report; every quantity of the totals is an attribute, an int or a Dim."""

    __slots__ = ("node",)

    def __init__(self, node: Node) -> None:
        self.node = node

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

    def __getattr__(self, quantity: str) -> Any:
        if quantity in QUANTITIES:
            return QUANTITIES[quantity].of(self.node)
        raise AttributeError(f"a row has no '{quantity}'")

    def __repr__(self) -> str:
        return f"Row({self.name}: {self.type} → {self.output_shape})"


class Report:
    """What `summarize` gives.

    `rows` are the layers in running order, `totals` their sums; every figure is an int, or a Dim
    where the network is symbolic. `str()` is the table; `to_dict()` is the JSON.
    """

    def __init__(
        self,
        name: str,
        title: str,
        source: str,
        variables: dict[str, Any],
        graph: Graph,
        closed_form: Callable[[], Size],
    ) -> None:
        self.name = name
        self.title = title
        self.source = source
        self.variables = variables
        self.graph = graph
        self._closed_form = closed_form
        self._totals: Totals | None = None

    @property
    def rows(self) -> Sequence[Row]:
        """One row for every layer, in running order."""
        return [Row(node) for node in self.graph.nodes]

    @property
    def totals(self) -> Totals:
        """The sums over all rows."""
        if self._totals is None:
            self._totals = totals(self.graph)
        return self._totals

    @property
    def notes(self) -> list[str]:
        """What a reader should know, as that layers were left out."""
        return self.graph.notes

    @property
    def macs_formula(self) -> Size:
        """The closed form of the MACs in N and the names of the input."""
        return self._closed_form()

    def text(self, width: int | None = None, **options: Any) -> str:
        """The table as plain text; see `convcalc.report.terminal.render`."""
        from convcalc.report.terminal import render

        return "\n".join(render(self, width=width, **options).plain())

    def to_dict(self) -> dict[str, Any]:
        """The report as `summarize --format json` prints it."""
        return {
            "convcalc": JSON_VERSION,
            "name": self.name,
            "variables": {name: plain(value) for name, value in self.variables.items()},
            "totals": {name: plain(value) for name, value in self.totals._asdict().items()},
            "layers": list(self._layers()),
        }

    def _layers(self) -> Iterator[dict[str, Any]]:
        columns = [name for name in QUANTITIES if name not in ("flops", "param_bytes")]
        for row in self.rows:
            yield {
                "name": row.name,
                "type": row.type,
                "inputs": list(row.inputs),
                "output_shape": [plain(size) for size in row.output_shape],
                **{column: plain(getattr(row, column)) for column in columns},
            }

    def __str__(self) -> str:
        return self.text()

    __repr__ = __str__

    def _repr_html_(self) -> str:
        import html

        return f"<pre>{html.escape(self.text())}</pre>"

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from convcalc.report.terminal import render

        yield render(self, width=options.max_width).rich()


def plain(value: Any) -> Any:
    """A value as JSON has it: numbers as numbers, symbolic ones as text that a spec reads back."""
    if isinstance(value, Dim):
        return value.python()
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    if isinstance(value, Fraction):
        decimal = float(value)
        return decimal if Fraction(str(decimal)) == value else f"{value.numerator}/{value.denominator}"
    return str(value) if isinstance(value, str) else value
