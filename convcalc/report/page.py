"""A page: something that is shown as a table, with the same methods for all of its faces."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from convcalc.errors import UsageError
from convcalc.report.formats import FOLDING, FOR_PROGRAMS, SUFFIXES, document
from convcalc.report.formats.text import page, plain_rows
from convcalc.report.table import Table
from convcalc.report.terminal import Rendered

if TYPE_CHECKING:
    import pandas


class Page:
    """What is shown as a table: on a terminal, in a notebook, and in every format.

    A kind of page says what its table is; options such as `columns` are those of that table.
    `str()` is the table as plain text.
    """

    def table(self, **options: Any) -> Table:
        """The table that people read."""
        raise NotImplementedError

    def records(self, **options: Any) -> Table:
        """The rows that programs read: the table, or one with a row for every single thing."""
        return self.table(**options)

    def tree(self, **options: Any) -> Table:
        """The table where its parts can be folded away: the same, or one that shows more."""
        return self.table(**options)

    def to_dict(self) -> Any:
        """The whole as `--format json` prints it."""
        raise NotImplementedError

    def rendered(self, width: int | None, **options: Any) -> Rendered:
        """The table for a terminal of some width; None for as wide as it gets."""
        return page(self.table(**options), width)

    def text(self, width: int | None = None, **options: Any) -> str:
        """The table as plain text."""
        return "\n".join(self.rendered(width, **options).plain())

    def to_markdown(self, **options: Any) -> str:
        """The table as GitHub's Markdown."""
        return self.document("markdown", **options)

    def to_latex(self, *, fragment: bool = False, **options: Any) -> str:
        """The table as a LaTeX document that compiles as it stands, or as a fragment for one."""
        return self.document("latex", fragment, **options)

    def to_html(self, *, fragment: bool = False, **options: Any) -> str:
        """The table as one HTML file that needs no other, or as a fragment for a page."""
        return self.document("html", fragment, **options)

    def to_csv(self, **options: Any) -> str:
        """The rows as comma-separated values, numbers as they are, the total as the last row."""
        return self.document("csv", **options)

    def to_json(self) -> str:
        """The whole as JSON."""
        return as_json(self.to_dict())

    def to_dicts(self, *, total: bool = False, **options: Any) -> list[dict[str, Any]]:
        """A mapping for every row, with plain values; with `total`, as CSV, for the total too."""
        return self.records(**options).to_dicts(total)

    def to_pandas(self, *, total: bool = False, **options: Any) -> pandas.DataFrame:
        """The rows as a DataFrame; with `total`, as in CSV, the total is the last one.

        Whole numbers stay whole where some are missing: their type is then Int64.

        Raises:
            UsageError: pandas is not installed.
        """
        try:
            import pandas
        except ImportError:
            raise UsageError(
                "a DataFrame needs pandas", hint="pip install 'convcalc[pandas]'"
            ) from None
        table = self.records(**options)
        keys = [column.key for column in table.columns]
        rows = table.to_dicts(total)
        frame = pandas.DataFrame(rows, columns=keys)
        for key in keys:
            values = [row[key] for row in rows]
            if _are_counts_with_gaps(values):
                frame[key] = pandas.array(values, dtype="Int64")
        return frame

    def save(self, path: str | os.PathLike[str], **options: Any) -> None:
        """Write a file in the format that its suffix says: whole, or not at all.

        Raises:
            UsageError: the suffix is none of a format.
            OutputError: it cannot be written.
        """
        from convcalc.report.output import save

        target = os.fspath(path)
        suffix = os.path.splitext(target)[1].lower()
        forms = {ending: form for form, ending in SUFFIXES.items()}
        if suffix not in forms:
            raise UsageError(
                f"{target}: tables are written to {', '.join(forms)}",
                hint="The suffix says which.",
            )
        save(written([self], forms[suffix], **options), target)

    def document(self, form: str, fragment: bool = False, **options: Any) -> str:
        """The page in one of the formats of tables."""
        return document(form, [self.table_for(form, **options)], fragment)

    def table_for(self, form: str, **options: Any) -> Table:
        """The table that one of the formats writes."""
        if form in FOR_PROGRAMS:
            return self.records(**options)
        return self.tree(**options) if form in FOLDING else self.table(**options)

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return self.to_html(fragment=True)


def _are_counts_with_gaps(values: Sequence[Any]) -> bool:
    """Whether they are ints of 64 bits, of which some, but not all, are missing."""
    counts = [value for value in values if value is not None]
    return 0 < len(counts) < len(values) and all(
        type(count) is int and -(2**63) <= count < 2**63 for count in counts
    )


class Made(Page):
    """A page of a table that is there, with what JSON has of it."""

    def __init__(
        self,
        table: Table,
        found: Any,
        *,
        records: Table | None = None,
        rendered: Callable[[int | None], Rendered] | None = None,
    ) -> None:
        self._table = table
        self._found = found
        self._records = table if records is None else records
        self._rendered = rendered

    def table(self, **options: Any) -> Table:
        """The table."""
        return self._table

    def records(self, **options: Any) -> Table:
        """The rows for programs."""
        return self._records

    def rendered(self, width: int | None, **options: Any) -> Rendered:
        """The table for a terminal, alone or as its maker says."""
        if self._rendered is not None:
            return self._rendered(width)
        return plain_rows(self._table, width)

    def to_dict(self) -> Any:
        """What JSON has."""
        return self._found


def written(pages: Sequence[Page], form: str, *, fragment: bool = False, **options: Any) -> str:
    """Pages in one of the formats; in JSON one alone, or a list."""
    if form == "json":
        found = [page.to_dict() for page in pages]
        return as_json(found if len(found) > 1 else found[0])
    if form == "text":
        return "\n\n".join(page.text(**options) for page in pages)
    if len(pages) == 1:
        return pages[0].document(form, fragment, **options)
    return document(form, [page.table_for(form, **options) for page in pages], fragment)


def as_json(found: Any) -> str:
    """Plain values as JSON that people can read."""
    import json

    return json.dumps(found, indent=1, ensure_ascii=False)
