"""Networks side by side: their totals, or the parts that have the same name, and the ratios."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

from convcalc.analysis.memory import BYTES, activation_values
from convcalc.analysis.parts import below, grouped, layers, stages
from convcalc.analysis.quantities import ALIASES, column_total, total
from convcalc.analysis.quantities import COLUMNS as COUNTED
from convcalc.errors import SpecError, UndecidableError, UsageError, did_you_mean, shorten
from convcalc.graph import Graph, collector_paused
from convcalc.notation import IMMENSE
from convcalc.report.columns import COLUMNS, columns_told, known
from convcalc.report.formats.text import page_in_blocks
from convcalc.report.page import Page
from convcalc.report.report import Report
from convcalc.report.rounding import rounded
from convcalc.report.table import (
    JSON_VERSION,
    TOTAL,
    Column,
    Row,
    Table,
    Told,
    plain,
)
from convcalc.report.terminal import Rendered
from convcalc.spec.tree import Key, Scalar
from convcalc.spec.zoo import stem

TOTALS, STAGES, LAYERS = "totals", "stages", "layers"
ROWS = (TOTALS, STAGES, LAYERS)
INPUT = "input"
_PEAK = "peak_activation_bytes"
_TITLES = 4
"""How many networks a title names."""
_LISTED = 10
"""How many networks an error names."""

FIGURES: dict[str, Column] = {
    **{
        name: figure.column
        for name, figure in COLUMNS.items()
        if figure.column.units and name != _PEAK
    },
    _PEAK: COLUMNS["activation_bytes"].column._replace(key=_PEAK, header="Peak memory"),
}
"""What can be compared: everything that is counted, and bytes."""


class Compared(NamedTuple):
    """One network of a comparison; its figures are ints, or Dims where it is symbolic.

    `totals` and every one of `parts` map quantities to figures. The parts add up to the totals.
    """

    label: str
    name: str
    title: str
    source: str
    variables: dict[str, Any]
    totals: dict[str, Any]
    parts: dict[str, dict[str, Any]]


class Comparison(Page):
    """What `compare` gives: `networks` holds the figures of each.

    The table has a row for every network, or one for every part, with a column for every network
    and quantity. Its options are `numbers`, `memory` and `digits`, as of a report's table.
    """

    def __init__(
        self,
        rows: str,
        columns: str | Sequence[str],
        groups: Mapping[str, str | Sequence[str]] | None,
        count: int,
        no_bias: bool = False,
    ) -> None:
        self.rows: str = known(rows, dict.fromkeys(ROWS, rows), "kind of rows")
        names = columns.split(",") if isinstance(columns, str) else columns
        given = [ALIASES.get(name.strip(), name.strip()) for name in names]
        for name in given:
            known(name, FIGURES, "quantity")
        if no_bias:
            given = [COLUMNS[name].without_bias or name for name in given]
        self.columns: list[str] = list(dict.fromkeys(given))
        if _PEAK in self.columns and rows != TOTALS:
            raise UsageError(
                f"{_PEAK} is of the whole network, not of {rows}",
                hint="activation_bytes is what the outputs of a part take.",
            )
        if groups is not None and rows != STAGES:
            raise UsageError("groups are the rows of stages", hint="Ask for the rows 'stages'.")
        if count < 2:
            raise UsageError(
                f"{'one network has' if count else 'there is'} nothing to be compared with",
                hint="Name two or more; 'convcalc summarize' shows one.",
            )
        self.groups = None if groups is None else _parsed(groups)
        self.dtype = "float32"
        self.networks: list[Compared] = []
        self._base: Compared | None = None
        self._given: dict[str, Compared] = {}
        self._first: Graph | None = None
        self._seen: set[str] = set()

    # -- what is compared ------------------------------------------------------------------------

    def add(self, report: Report, groups: Mapping[str, Sequence[Scalar]], given: str = "") -> None:
        """Put a network beside the others.

        Args:
            report: its figures.
            groups: those of its spec.
            given: the path or the name that the call has for it.

        Raises:
            SpecError: a group names a layer that the network does not have.
        """
        with collector_paused():
            graph, self.dtype = report.graph, report.dtype
            self._first = self._first or graph
            self.networks.append(
                Compared(
                    self._label(report), report.name, report.title, report.source,
                    report.variables,
                    {of: _of_network(of, graph, self.dtype) for of in self.columns},
                    {} if self.rows == TOTALS else self._parts(graph, groups),
                )
            )  # fmt: skip
            self._given.setdefault(given, self.networks[-1])

    @property
    def base(self) -> Compared:
        """The network that the others are compared with."""
        return self._base or self.networks[0]

    def choose_base(self, name: str) -> None:
        """Compare the others with the network of a name, and not with the first.

        Args:
            name: as the call has it, or its label, its name in the spec, or that of its file.

        Raises:
            UsageError: there is none.
        """
        called = {**self._given}
        for network in self.networks:
            called.setdefault(network.label, network)
        for network in self.networks:
            called.setdefault(network.name, network)
        for given, network in self._given.items():
            called.setdefault(stem(given), network)
        called.pop("", None)
        if name not in called:
            labels = [network.label for network in self.networks]
            raise UsageError(
                f"base: none of the networks is called '{shorten(name)}'",
                hint=did_you_mean(name, called)
                or f"There are {', '.join(labels[:_LISTED])}{', …' * (len(labels) > _LISTED)}.",
            )
        self._base = called[name]

    def check_groups(self) -> None:
        """Raise if a path that was given for a group is in none of the networks.

        Raises:
            UsageError: it is.
        """
        for name, paths in (self.groups or {}).items():
            for path in paths:
                if path.text not in self._seen and self._first is not None:
                    try:
                        self._first.find(path.text)
                    except UsageError as error:
                        raise UsageError(
                            f"group '{name}': no network has a layer or module "
                            f"'{shorten(path.text)}'", hint=error.hint,
                        ) from None  # fmt: skip

    def _label(self, report: Report) -> str:
        """The name; of a second one of that name with the values that set it apart."""
        taken = {network.label: network for network in self.networks}
        label = report.name
        if label in taken:
            other = taken[label].variables
            apart = [
                f"{name}={plain(value)}"
                for name, value in report.variables.items()
                if other.get(name) != value
            ]
            label = shorten(", ".join([label, *apart]), 60)
        number, tried = 2, label
        while tried in taken:
            tried, number = f"{label} ({number})", number + 1
        return tried

    def _parts(
        self, graph: Graph, groups: Mapping[str, Sequence[Scalar]]
    ) -> dict[str, dict[str, Any]]:
        if self.rows == LAYERS:
            nodes = layers(graph)
        elif self.groups is None:
            nodes = grouped(graph, groups) if groups else stages(graph)
        else:
            paths = (path.text for paths in self.groups.values() for path in paths)
            here = {path for path, found in below(graph, paths).items() if found}
            self._seen |= here
            present = {
                name: [path for path in paths if path.text in here]
                for name, paths in self.groups.items()
            }
            try:
                nodes = grouped(graph, {name: paths for name, paths in present.items() if paths})
            except SpecError as error:  # what is wrong is the call, not a spec
                raise UsageError(error.fact, hint=error.hint) from None
        found = {
            name: {of: total(of, graph, self.dtype, part) for of in self.columns}
            for name, part in nodes.items()
        }
        values = activation_values(graph.inputs)
        of_inputs = {"values": values, "activation_bytes": BYTES[self.dtype] * values}
        if any(of in of_inputs for of in self.columns):
            sums = {of: of_inputs.get(of, 0) for of in self.columns}
            for of, figure in found.pop(INPUT, {}).items():
                sums[of] = sums[of] + figure
            found = {INPUT: sums, **found}
        return found

    # -- how it is shown -------------------------------------------------------------------------

    def table(self, **options: Any) -> Table:
        """The table: `numbers`, `memory` and `digits` round it."""
        heads = rounded([FIGURES[of] for of in self.columns], **options)
        columns = dict(zip(self.columns, heads, strict=True))
        if self.rows == TOTALS:
            return self._of_totals(columns)
        return self._of_parts(columns)

    def records(self, **options: Any) -> Table:
        """The table with exact numbers and a ratio for every figure; the total is the last row.

        The ratios in its row are what people read as the increase.
        """
        table = self.table(**options)
        exact = tuple(column._replace(rounding=None) for column in table.columns)
        table = table._replace(columns=exact, below=())
        return table if self.rows == TOTALS else self._with_ratios(table)

    def _with_ratios(self, table: Table) -> Table:
        """The table of parts with a column of ratios for every network but the base."""
        others = [n for n in self.networks if n is not self.base]
        pairs = [(network, of) for of in self.columns for network in others]

        def extended(row: Row) -> Row:
            def figure(network: Compared, of: str) -> Any:
                if row.kind == TOTAL:
                    return network.totals[of]
                return network.parts.get(row.cells[0], {}).get(of)

            ratios = (_ratio(figure(network, of), figure(self.base, of)) for network, of in pairs)
            return row._replace(cells=(*row.cells, *ratios))

        heads = (Column(f"{n.label}.{of}_ratio", f"×, {n.label}", right=True) for n, of in pairs)
        return table._replace(
            columns=(*table.columns, *heads),
            rows=[*map(extended, table.rows)],
            total=table.total and extended(table.total),
        )

    @property
    def title(self) -> str:
        """The networks, or how many they are."""
        count = len(self.networks)
        return (
            f"{count:,} networks"
            if count > _TITLES
            else ", ".join(network.label for network in self.networks)
        )

    def _of_totals(self, columns: Mapping[str, Column]) -> Table:
        heads = [Column("name", "Network")]
        for of, column in columns.items():
            heads += [column, Column(f"{of}_ratio", "×", right=True)]
        rows = []
        for network in self.networks:
            cells: list[Any] = [network.label]
            for of in self.columns:
                cells += [network.totals[of], self._ratio(network, of)]
            rows.append(Row(tuple(cells)))
        return Table(
            tuple(heads), rows, title=self.title,
            remarks=(f"×: how many times {self.base.label}.", *columns_told(heads)),
        )  # fmt: skip

    def _of_parts(self, columns: Mapping[str, Column]) -> Table:
        heads, pairs = [Column("name", "Layer" if self.rows == LAYERS else "Stage")], []
        for of, column in columns.items():
            for network in self.networks:
                header = f"{column.header}, {network.label}"
                heads.append(column._replace(key=f"{network.label}.{of}", header=header))
                pairs.append((network, of))
        every = dict.fromkeys(name for network in self.networks for name in network.parts)
        kept = [
            name
            for name in every
            if any(figure != 0 for n in self.networks for figure in n.parts.get(name, {}).values())
        ]
        rows = [
            Row((name, *(network.parts.get(name, {}).get(of) for network, of in pairs)))
            for name in self._in_order(kept)
        ]
        empty = len(every) - len(kept)
        remarks = [f"Increase: how many times {self.base.label}."]
        if empty:
            what = "1 row is" if empty == 1 else f"{empty:,} rows are"
            remarks.append(f"{what} left out: all figures there are 0.")
        return Table(
            tuple(heads),
            rows,
            Row((TOTAL, *(network.totals[of] for network, of in pairs)), TOTAL),
            title=self.title,
            remarks=(*remarks, *columns_told(heads)),
            below=(Row(("Increase", *(self._ratio(network, of) for network, of in pairs))),),
        )

    def _in_order(self, names: Iterable[str]) -> list[str]:
        """Names of parts in each network's order: new ones before what follows them.

        Groups of the call keep its order, whichever network has them.
        """
        chosen = set(names)
        before: dict[str | None, str | None] = {None: None}
        for order in (list(self.groups or ()), *(list(n.parts) for n in self.networks)):
            following: str | None = None
            for name in filter(chosen.__contains__, reversed(order)):
                if name not in before:
                    before[name], before[following] = before[following], name
                following = name
        found = []
        last = before[None]
        while last is not None:
            found.append(last)
            last = before[last]
        return found[::-1]

    def _ratio(self, network: Compared, of: str) -> Told | None:
        """How many times the base's total this network's is; None where it cannot be said."""
        return _ratio(network.totals[of], self.base.totals[of])

    def rendered(self, width: int | None, **options: Any) -> Rendered:
        """The table for a terminal; columns that find no room stand below the others."""
        return page_in_blocks(self.table(**options), width)

    def to_dict(self) -> dict[str, Any]:
        """The comparison as `compare --format json` prints it; figures are exact."""
        found = []
        for network in self.networks:
            ratios = {of: self._ratio(network, of) for of in self.columns}
            found.append(
                {
                    "label": network.label,
                    "name": network.name,
                    "title": network.title,
                    "source": network.source,
                    "variables": {n: plain(value) for n, value in network.variables.items()},
                    "totals": {of: plain(figure) for of, figure in network.totals.items()},
                    "ratios": {of: ratio and ratio.value for of, ratio in ratios.items()},
                    "parts": [
                        {"name": name, **{of: plain(figure) for of, figure in part.items()}}
                        for name, part in network.parts.items()
                    ],
                }
            )
        return {
            "convcalc": JSON_VERSION, "rows": self.rows, "dtype": self.dtype,
            "base": self.base.label, "networks": found,
        }  # fmt: skip


def _ratio(figure: Any, base: Any) -> Told | None:
    if type(figure) is not int or type(base) is not int or not base:
        return None
    ratio = Fraction(figure, base)
    told = f"{round(ratio):,}" if ratio >= 100 else f"{float(ratio):.3g}"
    return Told(figure / base if ratio <= IMMENSE else round(ratio), f"{told}×")


def _of_network(of: str, graph: Graph, dtype: str) -> Any:
    if of in COUNTED:
        return column_total(of, graph)
    try:
        return total(of, graph, dtype)
    except UndecidableError:
        return None


def _parsed(groups: Mapping[str, str | Sequence[str]]) -> dict[str, list[Scalar]]:
    """Groups given in a call, with their places in it."""
    found = {}
    for name, paths in groups.items():
        listed = paths.split(",") if isinstance(paths, str) else list(paths)
        place = Key(Key(None, "groups"), name)
        found[name] = [Scalar(path.strip(), place) for path in listed if path.strip()]
        if not found[name] or not name.strip():
            raise UsageError(
                f"group '{shorten(name)}': a name and paths of layers are due",
                hint="For instance Conv3-5=conv3,conv4,conv5.",
            )
    return found
