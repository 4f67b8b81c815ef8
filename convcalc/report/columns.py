"""The table of a network: one record for each column, styles that choose among them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from convcalc.analysis.memory import BYTES, activation_values
from convcalc.analysis.parts import grouped
from convcalc.analysis.quantities import QUANTITIES, column_total
from convcalc.dim import Dim, Size
from convcalc.errors import ConvcalcError, UsageError, did_you_mean, shorten
from convcalc.graph import Graph, Node
from convcalc.layer import show_shape
from convcalc.notation import TEXT
from convcalc.report.table import (
    AUTO,
    BYTE_UNITS,
    COUNTS,
    LAYER,
    MODULE,
    TOTAL,
    Column,
    Rounding,
    Row,
    Share,
    Sizes,
    Table,
    decimal,
)
from convcalc.report.tree import Line, lines, part_lines
from convcalc.view import Spread, Window

if TYPE_CHECKING:
    from convcalc.report.report import Report

REPEATED = "×n: n identical ones; their line holds the sum, the lines below it one."
ALL_LEVELS = 1_000
"""More than modules can be nested."""
_KINDS = ("multiplies", "adds", "compares", "divides", "exps")


class Figure(NamedTuple):
    """A column of the table: how it looks, and its value for a line and in total."""

    column: Column
    value: Callable[[Line, Report], Any]
    needs: tuple[str, ...] = ()
    """What is summed over the lines for it; the names of quantities."""
    total: Callable[[Report], Any] = lambda report: None
    without_bias: str = ""
    """The column that stands for it where biases are not counted."""


def _count(name: str, header: str, without_bias: str = "") -> Figure:
    return Figure(
        Column(name, header, right=True, style="number", zero="–", units=COUNTS),
        lambda line, report: line.sums[name],
        (name,),
        lambda report: _total(report, name),
        without_bias,
    )


def _bytes(key: str, header: str, of: str) -> Figure:
    return Figure(
        Column(key, header, right=True, style="number", zero="–", unit="bytes", units=BYTE_UNITS),
        lambda line, report: BYTES[report.dtype] * line.sums[of],
        (of,),
        lambda report: getattr(report.totals, key),
    )


def _share(name: str, header: str, without_bias: str = "") -> Figure:
    return Figure(
        Column(f"{name}_percent", header, right=True, style="bar", is_share=True),
        lambda line, report: Share(line.sums[name], _total(report, name)),
        (name,),
        without_bias=without_bias,
    )


def _of_windows(key: str, header: str, size: Callable[[Any], Any]) -> Figure:
    """What the windows of convolutions and pools have along each spatial axis."""

    def value(line: Line, report: Report) -> Any:
        node = line.first
        if not isinstance(node, Node) or node.operation is None:
            return None
        layer = node.op.layer
        windows = layer.window(*node.op.inputs) if hasattr(layer, "kernel") else None
        return None if windows is None else Sizes(map(size, windows))

    return Figure(Column(key, header, style="shape"), value)


def _padding(window: Window | Spread) -> Any:
    after = getattr(window, "after", window.before)
    return window.before if after == window.before else f"{window.before}+{after}"


def _field(line: Line, report: Report) -> Any:
    if line.output is None or line.output.operation is None:
        return None
    reaches = report.reach(line.output)
    return None if any(reach.size is None for reach in reaches) else Sizes(r.size for r in reaches)


COLUMNS: dict[str, Figure] = {
    "type": Figure(Column("type", "Type", style="layer"), lambda line, _: line.kind),
    "output": Figure(
        Column("output", "Output", style="shape"), lambda line, _: Sizes(line.output_shape[1:])
    ),
    "output_last": Figure(
        Column("output_last", "Output, C last", style="shape"),
        lambda line, _: Sizes((*line.output_shape[2:], *line.output_shape[1:2])),
    ),
    "kernel": _of_windows("kernel", "Kernel", lambda window: window.kernel),
    "stride": _of_windows("stride", "Stride", lambda window: window.stride),
    "padding": _of_windows("padding", "Padding", _padding),
    "receptive_field": Figure(Column("receptive_field", "Field", style="shape"), _field),
    "params": _count("params", "Params", without_bias="params_no_bias"),
    "params_no_bias": _count("params_no_bias", "Params, no bias"),
    "buffers": _count("buffers", "Buffers"),
    "macs": _count("macs", "MACs"),
    "macs_nonpad": _count("macs_nonpad", "MACs, no padding"),
    "flops": _count("flops", "FLOPs"),
    "multiplies": _count("multiplies", "Multiplies"),
    "adds": _count("adds", "Adds"),
    "compares": _count("compares", "Compares"),
    "divides": _count("divides", "Divides"),
    "exps": _count("exps", "Exps"),
    "values": _count("values", "Values"),
    "activation_bytes": _bytes("activation_bytes", "Memory", "values"),
    "param_bytes": _bytes("param_bytes", "Param memory", "params"),
    "share": _share("macs", "% of MACs"),
    "params_share": _share("params", "% of params", without_bias="params_no_bias_share"),
    "params_no_bias_share": _share("params_no_bias", "% of params, no bias"),
}
DEFAULT_COLUMNS = ("output", "params", "macs", "share")
_OF_INPUTS = ("values", "activation_bytes")
"""What the inputs have too: with these, they have a row of their own."""


class Style(NamedTuple):
    """A choice of columns and of how their numbers are rounded, as someone's tables have them."""

    columns: tuple[str, ...]
    roundings: dict[str, Rounding] = {}  # noqa: RUF012 - nothing writes to it
    no_bias: bool = False
    depth: int | None = None


LAYERS, STAGES = ROWS = ("layers", "stages")

STYLES = {
    "lecture": Style(("output", "kernel", "stride", "padding", "params", "macs", "share")),
    "torchvision": Style(
        ("output", "params", "macs", "param_bytes"),
        {"params": Rounding("M"), "macs": Rounding("G", 2), "param_bytes": Rounding("MiB")},
        depth=1,
    ),
    "cs231n": Style(
        ("output_last", "values", "activation_bytes", "params_no_bias"),
        {"values": Rounding(AUTO), "activation_bytes": Rounding("MB")},
        no_bias=True,
    ),
    "paper": Style(
        ("output", "params", "macs"),
        {"params": Rounding(AUTO), "macs": Rounding(AUTO)},
        depth=1,
    ),
}
"""`lecture`: how sizes come about; `torchvision`: its table of models, megabytes binary as there;
`cs231n`: the course's table of VGG, biases not counted; `paper`: stages, rounded."""


class Layout(NamedTuple):
    """What a table of a network shows; what is None is as the style says."""

    columns: str | Sequence[str] | None = None
    style: str | None = None
    no_bias: bool = False
    numbers: str | None = None
    """A unit for counts: exact, K, M, G, T or auto."""
    memory: str | None = None
    """A unit for bytes: exact, kB, MB, …, MiB, … or auto."""
    digits: int | None = None
    """Digits after the point of rounded numbers."""
    depth: int | None = None
    fold: bool = True
    rows: str = LAYERS
    """What the rows are: `layers`, the module tree, or `stages`, which have no levels."""

    def figures(self) -> list[Figure]:
        """The columns, each once, with their numbers rounded as is said.

        Raises:
            UsageError: a column, a style or a unit does not exist, or there is nothing to round.
        """
        style = known(self.style, STYLES, "style") if self.style else Style(DEFAULT_COLUMNS)
        figures: dict[str, Figure] = {}
        for name in style.columns if self.columns is None else parse_columns(self.columns):
            figure = COLUMNS[name]
            if (self.no_bias or style.no_bias) and figure.without_bias:
                figure = COLUMNS[figure.without_bias]
            rounding = self.rounding(figure.column, style.roundings.get(name))
            column = figure.column._replace(rounding=rounding)
            figures[column.key] = figure._replace(column=column)
        self.check_rounded([figure.column for figure in figures.values()])
        return list(figures.values())

    def check_rounded(self, columns: Sequence[Column]) -> None:
        """Raise if there is nothing to round.

        Raises:
            UsageError: no column has such numbers, or not so many digits.
        """
        for what, asked, units in (
            ("counts", self.numbers, COUNTS),
            ("bytes", self.memory, BYTE_UNITS),
        ):
            if asked is not None and not any(column.units is units for column in columns):
                raise UsageError(f"no column has {what} that could be rounded to {asked}")
        if self.digits is not None and not (type(self.digits) is int and 0 <= self.digits < 10):
            raise UsageError(f"digits: {self.digits!r} is no whole number from 0 to 9")
        if self.digits is not None and not any(column.rounding for column in columns):
            raise UsageError(
                "digits are of rounded numbers, and no column has any",
                hint="Counts are rounded to K, M, G, T or auto, bytes to MB, MiB and the like.",
            )

    def rounding(self, column: Column, usual: Rounding | None = None) -> Rounding | None:
        """How the numbers of a column are rounded; `usual` is how its style has it.

        Raises:
            UsageError: no such unit.
        """
        if not column.units:
            return None
        asked = self.memory if column.units is BYTE_UNITS else self.numbers
        if asked is not None:
            units = {"exact": 0, AUTO: 0, **column.units}
            known(asked, units, "unit")
            usual = None if asked == "exact" else Rounding(asked)
        if usual is None or self.digits is None:
            return usual
        return usual._replace(digits=self.digits)

    @property
    def levels(self) -> int | None:
        """The number of levels of the module tree."""
        usual = STYLES[self.style].depth if self.style else None
        return usual if self.depth is None else self.depth


def known(name: str, names: dict[str, Any], what: str) -> Any:
    """What a name stands for.

    Raises:
        UsageError: nothing.
    """
    if name not in names:
        hint = did_you_mean(name, names) or f"There are {', '.join(names)}."
        raise UsageError(f"unknown {what} '{shorten(name)}'", hint=hint)
    return names[name]


def parse_columns(names: str | Sequence[str]) -> list[str]:
    """The columns named, by commas or in a list.

    Raises:
        UsageError: a column does not exist.
    """
    given = [n.strip() for n in names.split(",")] if isinstance(names, str) else list(names)
    for name in given:
        known(name, COLUMNS, "column")
    return given


def tree_table(report: Report, layout: Layout, failed: bool = False) -> Table:
    """The module tree of a network, a row for each line, with what there is to say about it."""
    figures = layout.figures()
    found = _lines(report, layout, figures, depth=layout.levels, fold=layout.fold)
    rows = [
        Row(
            (line.label, *(figure.value(line, report) for figure in figures)),
            MODULE if line.is_module else LAYER,
            len(line.ancestors),
            line.times,
        )
        for line in found
    ]
    table = _without_empty_shares(_table(report, figures, "Layer", rows))
    if failed:
        return table
    return table._replace(
        remarks=tuple(_remarks(found, table)),
        hints=("Modules hold more: --depth N shows more levels, --all every layer.",)
        if layout.rows == LAYERS and any(line.hides for line in found)
        else (),
        notes=tuple(_notes(report, table)),
    )


def _without_empty_shares(table: Table) -> Table:
    """The table without columns of shares where nothing has one, as of a symbolic total."""
    kept = [
        i
        for i, column in enumerate(table.columns)
        if not column.is_share or any(row.cells[i].fraction is not None for row in table.rows)
    ]
    if len(kept) == len(table.columns) or not table.rows:
        return table
    return table._replace(
        columns=tuple(table.columns[i] for i in kept),
        rows=[row._replace(cells=tuple(row.cells[i] for i in kept)) for row in table.rows],
        total=table.total and table.total._replace(cells=tuple(table.total.cells[i] for i in kept)),
    )


def layer_table(report: Report, layout: Layout) -> Table:
    """A row for every layer, or for every module at a depth: rows that add up to the total."""
    figures = [
        figure._replace(column=figure.column._replace(rounding=None)) for figure in layout.figures()
    ]
    depth = layout.depth  # a style's depth is for people
    found = _lines(report, layout, figures, depth=depth, fold=False)
    rows = [
        Row(
            (
                line.label if layout.rows == STAGES else line.first.path,
                *(figure.value(line, report) for figure in figures),
            )
        )
        for line in found
        if line.hides or not line.is_module
    ]
    return _table(report, figures, "Name", rows)


def _lines(
    report: Report, layout: Layout, figures: Sequence[Figure], *, depth: int | None, fold: bool
) -> list[Line]:
    """The lines of the module tree; of stages those of the spec's groups, or of its top level."""
    needs = _needs(figures)
    if known(layout.rows, dict.fromkeys(ROWS, layout.rows), "kind of rows") == LAYERS:
        return lines(report.graph, needs, depth=depth, fold=fold)
    if not report.groups:
        return lines(report.graph, needs, depth=1, fold=False)
    return part_lines(report.graph, grouped(report.graph, report.groups), needs)


def _table(report: Report, figures: Sequence[Figure], first: str, rows: list[Row]) -> Table:
    """The rows below those of the inputs, where these have figures, and above the total."""
    inputs = []
    if any(figure.column.key in _OF_INPUTS for figure in figures):
        inputs = [_input(node, figures, report) for node in report.graph.inputs]
    style = MODULE if any(row.level for row in rows) else LAYER
    return Table(
        (Column("name", first, style=style), *(figure.column for figure in figures)),
        [*inputs, *rows],
        Row((TOTAL, *(figure.total(report) for figure in figures)), TOTAL),
        report.title,
        about(report),
        report.source,
    )


def _input(node: Node, figures: Sequence[Figure], report: Report) -> Row:
    """An input of the network, as a line that counts nothing but its values."""
    counts: dict[str, Size] = {name: 0 for figure in figures for name in figure.needs}
    if "values" in counts:
        counts["values"] = activation_values([node])
    line = Line(node.path, node.kind, False, 1, (), False, node.shape, counts, False, node, node)
    return Row((node.path, *(figure.value(line, report) for figure in figures)))


def _needs(figures: Sequence[Figure]) -> list[str]:
    return list(dict.fromkeys(name for figure in figures for name in figure.needs))


def _total(report: Report, name: str) -> Size:
    if name in QUANTITIES:
        return getattr(report.totals, name)  # type: ignore[no-any-return]
    return column_total(name, report.graph)


def about(report: Report) -> str:
    """The input of a network and how many layers it has."""
    graph: Graph = report.graph
    shapes = ", ".join(
        (f"{node.name} " if len(graph.inputs) > 1 else "") + show_shape(node.shape)
        for node in graph.inputs
    )
    count = len(graph.nodes)
    return f"input {shapes}, {count:,} layer{'' if count == 1 else 's'}"


# -- what is said below the table --------------------------------------------------------------


def _remarks(found: Sequence[Line], table: Table) -> Iterator[str]:
    if any(line.times > 1 for line in found):
        yield REPEATED
    yield from columns_told(table.columns)


def columns_told(columns: Sequence[Column]) -> Iterator[str]:
    """How columns are to be read: what is not counted in them, and their units."""
    yield from units_told(columns)
    if _without_bias(columns):
        yield "No bias: the shifts of norms are not counted either."


def _without_bias(columns: Sequence[Column]) -> bool:
    return any("params_no_bias" in column.key for column in columns)


def units_told(columns: Sequence[Column]) -> Iterator[str]:
    """What the units are that numbers are rounded to; nothing where all are exact."""
    units: dict[str, int] = {}
    for column in columns:
        if column.rounding is not None:
            one = column.rounding.unit
            units |= decimal(column.units) if one == AUTO else {one: column.units[one]}
    if units:
        told = (f"{name} = {_power(factor)}" for name, factor in units.items())
        yield f"Rounded: {', '.join(told)}."


def _power(factor: int) -> str:
    """10⁶, or 2²⁰."""
    base = 2 if factor % 10 else 10
    exponent = len(str(factor)) - 1 if base == 10 else factor.bit_length() - 1
    return TEXT.power(str(base), exponent)


def _notes(report: Report, table: Table) -> Iterator[str]:
    totals = report.totals
    params = f"{totals.params:,} learnable scalars;"
    if _without_bias(table.columns):
        counted = column_total("params_no_bias", report.graph)
        params = f"{counted:,} learnable scalars without biases; {totals.params:,} with them,"
    yield (
        f"Params: {params} as {report.dtype}, "
        f"{BYTES[report.dtype]} bytes each: {in_bytes(totals.param_bytes)}."
    )
    if totals.buffers != 0:
        yield f"Buffers: {totals.buffers:,} running statistics, not in the params."
    symbolic = any(isinstance(value, Dim) for value in totals)
    flops = "" if symbolic else f" = {totals.flops:,}"
    yield f"MACs: {QUANTITIES['macs'].meaning}; FLOPs = 2·MACs{flops}."
    if not symbolic:
        share = f" ({100 * totals.macs_nonpad / totals.macs:.1f} %)" if totals.macs else ""
        yield f"Without products with padded zeros: {totals.macs_nonpad:,} MACs{share}."
        counts = ", ".join(f"{getattr(totals, kind):,} {kind}" for kind in _KINDS)
        yield f"All operations of all layers: {counts}."
        yield _memory(report)
    yield from filter(None, (_smallest(report), _closed_form(report)))


def _memory(report: Report) -> str:
    totals = report.totals
    highest = report.peak.node
    where = f" in {highest.path}" if highest is not None and highest.operation else ""
    all_outputs = in_bytes(totals.activation_bytes)
    at_once = in_bytes(totals.peak_activation_bytes or 0)
    return (
        f"Activations as {report.dtype}: {all_outputs} for the input and all outputs; "
        f"at most {at_once} alive at once{where}."
    )


def _closed_form(report: Report) -> str:
    try:
        form = report.macs_formula
    except ConvcalcError as error:
        return f"No closed form of the MACs: {error.fact}."
    free = [name for name in form.names if name in form.symbols]
    return f"MACs({', '.join(free)}) = {form}" if free else f"MACs = {form:,} at every size."


def _smallest(report: Report) -> str:
    try:
        found = report.macs_formula.limits
    except ConvcalcError:
        return ""
    least = ", ".join(found.bounds)
    text = f"Smallest input: {least}." if least else ""
    if found.needs:
        text += f" It needs that {' and '.join(found.needs)}."
    return text.strip()


def in_bytes(size: Size) -> str:
    """A number of bytes, and the same in a decimal unit that is said."""
    if isinstance(size, Dim) or size < 1000:
        return f"{size:,} bytes"
    number, unit = Rounding(AUTO).written(size, BYTE_UNITS)
    return f"{size:,} bytes = {number} {unit} (1 {unit} = {_power(BYTE_UNITS[unit])} bytes)"
