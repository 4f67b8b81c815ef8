"""A plot of one network or several, by its kind."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from convcalc.dim import Dim
from convcalc.errors import ConvcalcError, UsageError, did_you_mean, shorten
from convcalc.report.output import replacing
from convcalc.report.plots.bubbles import draw_bubbles
from convcalc.report.plots.over_depth import draw_cumulative, draw_layers, draw_memory
from convcalc.report.plots.receptive_field import draw_receptive_field
from convcalc.report.plots.style import DARK, LIGHT, Colours, styled
from convcalc.report.report import Report

FORMATS = ("svg", "png", "pdf")


class Kind(NamedTuple):
    """A kind of plot: how it is drawn, what it shows, and whether it shows several networks."""

    draw: Callable[[Sequence[Report], int | None, Colours], Any]
    about: str
    several: bool = False


KINDS = {
    "layers": Kind(draw_layers, "parameters, MACs and memory of every layer"),
    "cumulative": Kind(draw_cumulative, "their shares from the input up to each layer"),
    "memory": Kind(draw_memory, "what is held while the layers run, with the peak"),
    "receptive_field": Kind(draw_receptive_field, "which part of the input feeds a unit"),
    "bubbles": Kind(draw_bubbles, "parameters over MACs, a bubble for each network", True),
}


class Plot:
    """A figure: shows itself in a notebook, and is written with `save`.

    `figure` is Matplotlib's, to be changed at will.
    """

    def __init__(self, figure: Any, colours: Colours) -> None:
        self.figure = figure
        self.colours = colours

    def save(self, path: str) -> None:
        """Write a .svg, .png or .pdf file: whole or not at all, and the same bytes every time.

        Raises:
            UsageError: the file has another suffix.
            OutputError: it cannot be written.
        """
        data = self.to_bytes(format_of(path))
        with replacing(path) as target, open(target, "wb") as file:
            file.write(data)

    def to_bytes(self, form: str = "svg") -> bytes:
        """The picture as svg, png or pdf."""
        unsaid = {"svg": "Date", "png": "Software", "pdf": "CreationDate"}
        file = io.BytesIO()
        with styled(self.colours), warnings.catch_warnings():
            # letters that the font lacks are boxes
            warnings.filterwarnings("ignore", "Glyph .* missing from font")
            self.figure.savefig(file, format=form, metadata={unsaid[form]: None})
        return file.getvalue()

    def __repr__(self) -> str:
        width, height = self.figure.get_size_inches()
        return f"<Plot of {width:g}×{height:g} inches>"

    def _repr_svg_(self) -> str:
        return self.to_bytes().decode()


def format_of(path: str) -> str:
    """The format of a picture, by its file's suffix.

    Raises:
        UsageError: no picture has such a suffix.
    """
    if not path:
        raise UsageError("-o: an empty file name")
    suffix = os.path.splitext(path)[1].lower()
    form = suffix.removeprefix(".")
    if form not in FORMATS:
        raise UsageError(
            f"{shorten(path, 200)}: a plot is no {suffix} file" if suffix
            else f"{shorten(path, 200)}: the suffix of a picture is missing",
            hint=f"There are {', '.join(f'.{known}' for known in FORMATS)}.",
        )  # fmt: skip
    return form


def find_kind(name: str, networks: int = 1) -> Kind:
    """The kind of that name.

    Raises:
        UsageError: there is none, or it does not show so many networks.
    """
    kind = KINDS.get(name.replace("-", "_"))
    if kind is None:
        hint = did_you_mean(name, KINDS) or f"There are {', '.join(KINDS)}."
        raise UsageError(f"unknown kind of plot '{shorten(name)}'", hint=hint)
    if networks > 1 and not kind.several:
        several = ", ".join(other for other, it in KINDS.items() if it.several)
        raise UsageError(
            f"a plot of {name} shows one network, and {networks} are given",
            hint=f"For several there is {several}.",
        )
    return kind


def plot(
    reports: Sequence[Report], kind: str = "layers", *, depth: int | None = None, dark: bool = False
) -> Plot:
    """A picture of a network, or of several.

    Args:
        reports: what `summarize` gives, with numbers for all sizes.
        kind: layers, cumulative, memory, receptive_field or bubbles.
        depth: the number of levels of the module tree: a block that is not opened is one bar. None
            for a bar for every layer.
        dark: whether the ground is dark.

    Raises:
        UsageError: there is no such kind, it does not show so many networks, or Matplotlib is
            not installed.
        ConvcalcError: a size is symbolic, or there is nothing to show, or too much.
    """
    found = find_kind(kind, len(reports))
    if found.several and depth is not None:
        raise UsageError(f"a plot of {kind} shows whole networks, and takes no depth")
    for report in reports:
        _check_numbers(report)
    colours = DARK if dark else LIGHT
    with styled(colours):
        return Plot(found.draw(reports, depth, colours), colours)


def _check_numbers(report: Report) -> None:
    nodes = (*report.graph.inputs, *report.graph.nodes)
    free = {
        name for node in nodes for size in node.shape if isinstance(size, Dim)
        for name in size.symbols
    }  # fmt: skip
    if free:
        raise ConvcalcError(
            f"{report.title}: a plot needs numbers, and {', '.join(sorted(free))} has no value",
            hint=f"Give it one: --set {min(free)}=…",
        )
