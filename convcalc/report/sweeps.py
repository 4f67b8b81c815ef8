"""What a sweep gives, as a table, and as CSV, NumPy and Parquet files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from convcalc.analysis.quantities import TOTALS
from convcalc.analysis.sweep.rows import Rows, joined
from convcalc.analysis.sweep.run import MAX_VALUES, check_memory
from convcalc.errors import OutputError, UsageError
from convcalc.report.columns import units_told
from convcalc.report.formats.csv import harmless
from convcalc.report.formats.text import plain_rows
from convcalc.report.output import replacing
from convcalc.report.page import Page
from convcalc.report.rounding import rounded
from convcalc.report.table import BYTE_UNITS, COUNTS, JSON_VERSION, Column, Row, Table
from convcalc.report.terminal import Rendered

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Columns = dict[str, NDArray[Any]]

SHOWN = 100
"""Rows of a table for people."""
FOR_PEOPLE = (".txt", ".md", ".tex", ".html")
"""Suffixes of tables for people, who see the first rows."""


class Sweep(Page):
    """The rows of a sweep: `columns` maps names to arrays, `sweep["macs"]` is one of them.

    Counts are integers, exact: int64, or Python's own (dtype object) where that is too small.
    `configurations` is how many there were, `legal` at how many of them the network fits together;
    `misfits` says why some structures never do; `hidden` how many rows more there are than the
    columns have.
    """

    def __init__(
        self,
        columns: Columns,
        configurations: int,
        legal: int,
        misfits: Iterable[str] = (),
        *,
        title: str = "",
        hidden: int = 0,
    ) -> None:
        self.columns = columns
        self.configurations = configurations
        self.legal = legal
        self.misfits = tuple(misfits)
        self.title = title
        self.hidden = hidden

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()))) if self.columns else 0

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self.columns[name]

    @property
    def kept(self) -> int:
        """How many rows there are, those that are not in the columns among them."""
        return len(self) + self.hidden

    def table(self, **options: Any) -> Table:
        """The first rows, and what they are of: `numbers`, `memory` and `digits` round it."""
        table = self._table(min(len(self), SHOWN))
        table = table._replace(columns=rounded(table.columns, **options))
        hidden = self.kept - len(table.rows)
        remarks = [f"… and {hidden:,} rows more"] if hidden else []
        remarks += units_told(table.columns)
        remarks.append(self.summary(self.kept))
        if self.misfits:
            remarks.append(self.left_out())
        return table._replace(remarks=tuple(remarks))

    def records(self, **options: Any) -> Table:
        """All rows, with numbers of Python's own."""
        return self._table(len(self))

    def _table(self, count: int) -> Table:
        lists = [column[:count].tolist() for column in self.columns.values()]
        columns = (
            Column(
                name,
                name,
                right=all(isinstance(value, (int, float)) for value in values),
                units=_units(name),
            )
            for name, values in zip(self.columns, lists, strict=True)
        )
        rows = [Row(row) for row in zip(*lists, strict=True)]
        return Table(tuple(columns), rows, title=self.title)

    def to_dict(self) -> dict[str, Any]:
        """The rows as `sweep --format json` prints them, without the name of the network."""
        return {"convcalc": JSON_VERSION, "rows": self.to_dicts()}

    def save(self, path: str | os.PathLike[str], **options: Any) -> None:
        """Write a .csv, .npz or .parquet file, or a table for people: whole, or not at all.

        Raises:
            UsageError: the suffix is another one, or Parquet is not installed.
            OutputError: it cannot be written.
        """
        target = os.fspath(path)
        if is_for_people(target):
            super().save(target, **options)
            return
        with writer(target) as file:
            file.write(self.columns)

    def rendered(self, width: int | None, **options: Any) -> Rendered:
        """The first rows as a table, and what they are of."""
        table = self.table(**options)
        told = [[(text, "faint" if text[0] == "…" else "")] for text in table.remarks]
        return Rendered([*plain_rows(table, width).rows, *told])

    def summary(self, kept: int) -> str:
        """How many configurations there were, fit and are kept."""
        text = f"{self.configurations:,} configurations"
        if self.legal < self.configurations:
            text += f", {self.legal:,} of them legal"
        return f"{text}; {kept:,} kept." if kept < self.legal else f"{text}."

    def left_out(self) -> str:
        """Why some structures are left out, the first of the reasons."""
        first = self.misfits[0].splitlines()[0]
        if len(self.misfits) == 1:
            return f"Left out, one structure: {first}"
        return f"Left out, {len(self.misfits):,} structures, the first: {first}"


def _units(name: str) -> dict[str, int]:
    """What a column may be rounded to; those of variables stay exact."""
    if name not in TOTALS:
        return {}
    return BYTE_UNITS if name.endswith("_bytes") else COUNTS


def is_for_people(path: str) -> bool:
    """Whether a file is a table for people, by its suffix."""
    return os.path.splitext(path)[1].lower() in FOR_PEOPLE


def collected(found: Iterable[Rows], misfits: list[str]) -> Sweep:
    """All rows in memory.

    Raises:
        UsageError: they are too many.
    """
    chunks: list[Rows] = []
    values = 0
    for rows in found:
        chunks.append(rows)
        values += rows.values
        check_memory(values)
    whole = joined(chunks)
    # a column of few rows may still be the array that values were given as
    columns = {name: c.copy() if len(chunks) == 1 else c for name, c in whole.columns.items()}
    return Sweep(columns, whole.configurations, whole.legal, misfits)


# -- files ------------------------------------------------------------------------------------


class Writer(Protocol):
    """A file that takes rows as they come."""

    def write(self, columns: Columns) -> None:
        """Add some rows."""


@contextmanager
def writer(path: str, name: str = "") -> Iterator[Writer]:
    """A file of the kind that the suffix says, which is there, whole, when the block ends well.

    Raises:
        UsageError: the suffix is none that is known, or what it needs is not installed.
        OutputError: it cannot be written.
    """
    suffix = os.path.splitext(path)[1].lower()
    if suffix not in WRITERS:
        raise UsageError(
            f"-o {path}: rows are written to {', '.join((*WRITERS, *FOR_PEOPLE))}",
            hint="The suffix says which.",
        )
    with replacing(path) as temporary, WRITERS[suffix](temporary, name) as file:
        yield file


class Csv:
    """Comma-separated values, numbers as they are, written to an open file."""

    def __init__(self, file: TextIO) -> None:
        import csv

        self.lines = csv.writer(file, lineterminator="\n")
        self.has_header = False

    def write(self, columns: Columns) -> None:
        """Add some rows, before the first the names."""
        if not self.has_header:
            self.lines.writerow(columns)
            self.has_header = True
        self.lines.writerows(zip(*map(_listed, columns.values()), strict=True))


def _listed(column: NDArray[Any]) -> list[Any]:
    """A column as a list, its words harmless to spreadsheets."""
    values: list[Any] = column.tolist()
    if column.dtype.kind in "biuf":
        return values
    return [harmless(value) if isinstance(value, str) else value for value in values]


class Json:
    """A list of mappings, a row each, written to an open file."""

    def __init__(self, file: TextIO, name: str) -> None:
        self.file = file
        self.name = name
        self.rows = 0

    def write(self, columns: Columns) -> None:
        """Add some rows."""
        import json

        for row in zip(*(c.tolist() for c in columns.values()), strict=True):
            text = json.dumps(dict(zip(columns, row, strict=True)))
            self.file.write(f"{',' if self.rows else self._start()}\n  {text}")
            self.rows += 1

    def _start(self) -> str:
        import json

        return f'{{"convcalc": 1, "name": {json.dumps(self.name)}, "rows": ['

    def end(self) -> None:
        """Write what comes after the last row."""
        self.file.write("\n]}\n" if self.rows else f"{self._start()}]}}\n")


@contextmanager
def csv_writer(path: str, name: str) -> Iterator[Writer]:
    """A .csv file."""
    with open(path, "w", encoding="utf-8", newline="") as file:
        yield Csv(file)


@contextmanager
def json_writer(path: str, name: str) -> Iterator[Writer]:
    """A .json file, with the name of the network."""
    with open(path, "w", encoding="utf-8") as file:
        rows = Json(file, name)
        yield rows
        rows.end()


@contextmanager
def npz_writer(path: str, name: str) -> Iterator[Writer]:
    """NumPy's archive, an array for each column; integers over 64 bits as text."""
    import zipfile

    import numpy

    class Npz:
        def __init__(self) -> None:
            self.chunks: dict[str, list[NDArray[Any]]] = {}
            self.values = 0

        def write(self, columns: Columns) -> None:
            for name, column in columns.items():
                self.chunks.setdefault(name, []).append(column)
                self.values += len(column)
            if self.values > MAX_VALUES:
                raise UsageError(
                    f"more than {MAX_VALUES:,} values for an .npz file, which is made in memory",
                    hint="A .csv or .parquet file is written as the rows come.",
                )

    archive = Npz()
    yield archive
    joined = {name: numpy.concatenate(chunks) for name, chunks in archive.chunks.items()}
    plain = {n: c.astype(str) if c.dtype == object else c for n, c in joined.items()}
    with zipfile.ZipFile(path, "w") as archive_file:
        for name, column in plain.items():
            # without the time of writing, the same rows are the same bytes
            entry = zipfile.ZipInfo(f"{name}.npy")
            with archive_file.open(entry, "w", force_zip64=True) as file:
                numpy.lib.format.write_array(file, column, allow_pickle=False)


@contextmanager
def parquet_writer(path: str, name: str) -> Iterator[Writer]:
    """Apache Parquet; integers over 64 bits as text."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise UsageError(
            "writing .parquet needs PyArrow", hint="pip install 'convcalc[parquet]'"
        ) from None

    class Parquet:
        file: Any = None
        no_rows: Any = None

        def write(self, columns: Columns) -> None:
            table = pyarrow.table(
                {n: c.astype(str) if c.dtype == object else c for n, c in columns.items()}
            )
            if not len(table):
                self.no_rows = table  # the types of what never fits say nothing
                return
            self.open(table)
            self.file.write_table(table)

        def open(self, table: Any) -> None:
            if self.file is None:
                self.file = parquet.ParquetWriter(path, table.schema)
            if table.schema != self.file.schema:
                raise OutputError(
                    f"{path}: a column has numbers of 64 bits, and then larger ones or words",
                    hint="A .csv file takes them all.",
                )

    parquet_file = Parquet()
    try:
        yield parquet_file
        if parquet_file.file is None:
            parquet_file.open(parquet_file.no_rows)
    finally:
        if parquet_file.file is not None:
            parquet_file.file.close()


WRITERS = {".csv": csv_writer, ".json": json_writer, ".npz": npz_writer, ".parquet": parquet_writer}
