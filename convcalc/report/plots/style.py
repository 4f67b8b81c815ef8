"""What all plots share: colours, fonts, titles and the units of axes.

Nothing of Matplotlib's global state is used: no pyplot, and its defaults instead of the user's, so
that the same network gives the same picture everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from convcalc.errors import UsageError, shorten
from convcalc.report.formats.text import shape
from convcalc.report.report import Report

_PREFIXES = ((10**12, "T", "10¹²"), (10**9, "G", "10⁹"), (10**6, "M", "10⁶"), (10**3, "k", "10³"))


class Colours(NamedTuple):
    """Those of a ground; `lines` and the map of `sequence` suit it and the colour-blind."""

    ground: str
    text: str
    faint: str
    lines: tuple[str, str, str]
    sequence: str


# lines: of Okabe and Ito's, as the families of layers
LIGHT = Colours("#ffffff", "#1a1a1a", "#c4c4c4", ("#0072b2", "#d55e00", "#009e73"), "viridis")
DARK = Colours("#15181e", "#ececec", "#565c66", ("#56b4e9", "#e69f00", "#009e73"), "viridis")


@contextmanager
def styled(colours: Colours) -> Iterator[None]:
    """Matplotlib's defaults with ours, for as long as the block runs.

    Raises:
        UsageError: Matplotlib is not installed.
    """
    try:
        import matplotlib
    except ImportError:
        raise UsageError("plots need Matplotlib", hint="pip install 'convcalc[plot]'") from None
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update({
            "font.family": "DejaVu Sans", "font.size": 11, "text.parse_math": False,
            "text.color": colours.text, "legend.frameon": False, "legend.fontsize": 10,
            "figure.facecolor": colours.ground, "savefig.facecolor": colours.ground,
            "axes.facecolor": colours.ground, "axes.edgecolor": colours.faint,
            "axes.labelcolor": colours.text, "axes.titlecolor": colours.text,
            "axes.titlelocation": "left", "axes.titlesize": 11, "axes.labelsize": 10,
            "axes.spines.top": False, "axes.spines.right": False, "axes.axisbelow": True,
            "axes.grid": True, "axes.grid.axis": "y", "grid.color": colours.faint,
            "grid.linewidth": 0.5, "xtick.color": colours.text, "ytick.color": colours.text,
            "xtick.labelsize": 9, "ytick.labelsize": 9, "savefig.dpi": 150,
            "svg.hashsalt": "convcalc",
        })  # fmt: skip
        yield


def new_figure(title: str, width: float = 12.0, height: float = 6.75) -> Any:
    """An empty figure of the shape of a slide, in inches, with its title at the left."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    figure.suptitle(shorten(title, 90), x=0.01, ha="left", fontsize=14, fontweight="bold")
    return figure


def short_path(path: str, length: int) -> str:
    """A path of at most so many signs, cut after its first name: layer1.…ck2.conv3x3.conv1."""
    if len(path) <= length:
        return path
    first = path.partition(".")[0]
    start = f"{first}.…" if len(first) + 2 <= length // 2 else "…"
    return start + path[len(start) - length :]


def heading(report: Report) -> str:
    """The network, its inputs and its batch, as a title says them."""
    inputs = report.graph.inputs
    shapes = ", ".join(
        (f"{node.name} " if len(inputs) > 1 else "") + shape(node.shape) for node in inputs
    )
    return f"{shorten(report.title, 36)}, input {shorten(shapes, 40)}, N = {inputs[0].shape[0]:,}"


def in_units(axis: Any, most: float, unit: str) -> None:
    """Ticks of an axis with a prefix, as its largest value needs; its label says of what."""
    factor, prefix, written = _prefix(most)
    axis.set_major_formatter(lambda value, _: f"{value / factor:,.10g}")
    if unit == "bytes":
        axis.set_label_text(f"{prefix}B = {written} bytes" if prefix else "bytes")
    else:
        axis.set_label_text(f"{unit}, {prefix} = {written}" if prefix else unit)


def in_magnitudes(axis: Any, unit: str) -> None:
    """A logarithmic axis whose ticks have a prefix each: 500 k, 1 M."""
    from matplotlib.ticker import LogLocator, NullLocator

    def tick(value: float, place: int) -> str:
        factor, prefix, _ = _prefix(value)
        return f"{value / factor:,.10g} {prefix}".rstrip()

    axis.axes.set(**{f"{axis.axis_name}scale": "log"})
    low, high = axis.get_view_interval()
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 10**4 * low else (1,)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(tick)
    prefixes = ", ".join(f"{prefix} = {written}" for _, prefix, written in reversed(_PREFIXES))
    axis.set_label_text(f"{unit} ({prefixes})")


def _prefix(value: float) -> tuple[int, str, str]:
    return next((prefix for prefix in _PREFIXES if value >= prefix[0]), (1, "", "1"))
