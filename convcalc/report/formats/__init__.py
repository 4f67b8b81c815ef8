"""The formats of a table, a file each: `document` writes tables as one whole.

A format is a file here and its line below, which also enrols it in the tests of all formats.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence

from convcalc.report.table import Table

SUFFIXES = {
    "text": ".txt", "markdown": ".md", "latex": ".tex", "csv": ".csv", "json": ".json",
    "html": ".html",
}  # fmt: skip
"""The formats, with the suffixes of their files; JSON is what a page has to say of itself."""
FOR_PROGRAMS = ("csv", "json")
"""Those in which every layer has its row, numbers are exact, and nothing is said around them."""
DOCUMENTS = ("latex", "html")
"""Those that frame what they write, and can leave the frame out."""
FOLDING = ("html",)
"""Those in which readers fold modules themselves."""


def document(form: str, tables: Sequence[Table], fragment: bool = False) -> str:
    """Tables as a document in one of the formats.

    Args:
        form: the name of the format.
        tables: what to write.
        fragment: whether it will be put into a document, and needs no frame of its own; HTML and
            LaTeX have one.
    """
    module = importlib.import_module(f"{__name__}.{form}")
    text: str = module.document(tables, fragment)
    return text
