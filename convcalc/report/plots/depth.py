"""The axis that runs from the input to the output: its bars, and the blocks marked below them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from convcalc.errors import ConvcalcError, shorten
from convcalc.graph import Module, Node
from convcalc.report.families import INPUT, MODULE, Family, family
from convcalc.report.plots.style import Colours, short_path
from convcalc.report.report import Report
from convcalc.report.tree import lines

MAX_PARTS = 2_000
"""How many bars a plot may have."""

_MAX_NAMED = 45
"""How many bars have their names below them."""
_NAME = 24
_BAND_POINTS = 10.0
_AXIS_POINTS = 760.0
_HEIGHT_POINTS = 330.0
"""About the length of the axis, and the room above it, in points."""
_PART_OF_FIGURE = 0.48


class Part(NamedTuple):
    """A place on the axis: a layer, a block that is not opened, or an input.

    `block` is the outermost block around it, which is opened; empty where there is none.
    """

    path: str
    nodes: tuple[Node, ...]
    family: Family
    block: str

    @property
    def name(self) -> str:
        """The path without the block's, which stands below."""
        return short_path(self.path.removeprefix(f"{self.block}."), _NAME)


def parts_of(report: Report, depth: int | None) -> list[Part]:
    """The inputs, and what is at a depth of the module tree, in running order.

    Raises:
        ConvcalcError: there are too many.
    """
    graph = report.graph
    found = [Part(node.path, (node,), INPUT, "") for node in graph.inputs]
    if depth is None:
        _check_count(report, len(found) + len(graph.nodes), depth)
    block = ""
    for line in lines(graph, [], depth=depth, fold=False):
        first = line.first
        opened = line.is_module and not line.hides
        if not line.ancestors:
            block = first.path if opened else ""
        if opened:
            continue
        nodes = tuple(first.nodes()) if isinstance(first, Module) else (first,)
        if nodes:
            kind = MODULE if isinstance(first, Module) else family(first)
            found.append(Part(first.path, nodes, kind, block))
    _check_count(report, len(found), depth)
    return found


def _check_count(report: Report, count: int, depth: int | None) -> None:
    if count > MAX_PARTS:
        raise ConvcalcError(
            f"{report.title}: a plot of {count:,} layers; {MAX_PARTS:,} are the limit",
            hint="--depth 1 shows blocks instead of the layers in them." if depth != 1 else "",
        )


def depth_axes(
    figure: Any, rows: int, parts: Sequence[Part], colours: Colours, place: Any = None
) -> list[Any]:
    """Axes one above the other for the same parts, with names and blocks below the last.

    Args:
        figure: where they are drawn.
        rows: their number.
        parts: the places on the axis.
        colours: those of the ground.
        place: a part of the figure, as a grid has it; None for all of it.
    """
    blocks = _blocks(parts)
    room = _AXIS_POINTS * (1.0 if place is None else _PART_OF_FIGURE)
    labels = [_fitted(name, room * (end - start) / len(parts)) for start, end, name in blocks]
    tall = max((_points(text) for text, upright in labels if upright), default=0.0)
    band = max(tall + 6, 1.8 * _BAND_POINTS)
    heights = [(_HEIGHT_POINTS - band) / rows] * rows + [band] * bool(blocks)
    make = figure.add_gridspec if place is None else place.subgridspec
    axes = list(
        make(len(heights), 1, height_ratios=heights).subplots(sharex=True, squeeze=False).flat
    )
    if blocks:
        strip = axes.pop()
        strip.set(ylim=(0, 1), yticks=[])
        strip.grid(visible=False)
        strip.spines[:].set_visible(False)
        strip.tick_params(bottom=False, labelbottom=False)
        for i, ((start, end, _), (text, upright)) in enumerate(zip(blocks, labels, strict=True)):
            strip.axvspan(
                start - 0.5, end - 0.5, color=colours.faint, alpha=(0.35, 0.7)[i % 2], linewidth=0
            )
            strip.text(
                (start + end - 1) / 2, 0.5, text, ha="center", va="center",
                rotation=90 if upright else 0, fontsize=_BAND_POINTS,
            )  # fmt: skip
            for ax in axes:
                for edge in (start, end):
                    ax.axvline(edge - 0.5, color=colours.faint, linewidth=0.5, zorder=0)
    figure.align_ylabels(axes)
    for ax in axes:
        ax.tick_params(axis="x", length=0, labelbottom=False)
    last = axes[-1]
    last.set_xlim(-0.6, len(parts) - 0.4)
    if len(parts) <= _MAX_NAMED * room / _AXIS_POINTS:
        last.set_xticks(range(len(parts)), [part.name for part in parts], rotation=90)
        last.tick_params(axis="x", labelbottom=True)
    else:
        last.set_xticks([])
        count = sum(part.family is not INPUT for part in parts)
        what = "layers and blocks" if any(part.family is MODULE for part in parts) else "layers"
        (strip if blocks else last).set_xlabel(f"{count:,} {what} from input to output")
    return axes


def bars(
    ax: Any,
    values: Sequence[int],
    colour: str | Sequence[str],
    *,
    bottom: Sequence[int] | None = None,
    width: float = 1.0,
    label: str = "",
) -> None:
    """A bar for each part, from the axis up or on top of others; all of them are one artist.

    A thousand rectangles of their own take seconds.
    """
    from matplotlib.collections import PolyCollection

    left, right = -width / 2, width / 2
    corners = []
    for i, (value, below) in enumerate(zip(values, bottom or [0] * len(values), strict=True)):
        top = below + value
        corners.append([(i + left, below), (i + left, top), (i + right, top), (i + right, below)])
    ax.add_collection(PolyCollection(corners, facecolors=colour, linewidths=0, label=label))


def legend(figure: Any, families: Iterable[Family]) -> None:
    """Some families and their colours, below."""
    from matplotlib.patches import Patch

    found = dict.fromkeys(families)
    handles = [Patch(color=one.colour, label=one.name) for one in found]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))


def _blocks(parts: Sequence[Part]) -> list[tuple[int, int, str]]:
    """The runs of parts in one block: the first, that after the last, and the block's name."""
    found: list[tuple[int, int, str]] = []
    for i, part in enumerate(parts):
        if found and found[-1][2] == part.block and found[-1][1] == i:
            found[-1] = (found[-1][0], i + 1, part.block)
        elif part.block:
            found.append((i, i + 1, part.block))
    return found


def _fitted(name: str, room: float) -> tuple[str, bool]:
    """A block's name as its part of the axis takes it: level, upright, or not at all."""
    name = shorten(name, _NAME)
    if _points(name) + 4 <= room:
        return name, False
    return (name, True) if room >= 1.2 * _BAND_POINTS else ("", False)


def _points(text: str) -> float:
    from matplotlib.textpath import TextPath

    return float(TextPath((0, 0), text, size=_BAND_POINTS).get_extents().width) if text else 0.0
