"""Networks compared: parameters over MACs, a bubble for each, as large as its peak memory."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from convcalc.errors import ConvcalcError, shorten
from convcalc.report.columns import in_bytes
from convcalc.report.plots.style import Colours, in_magnitudes, in_units, new_figure
from convcalc.report.report import Report

MAX_NETWORKS = 100

_LARGEST, _SMALLEST = 1_500.0, 14.0
"""The areas of bubbles, in square points."""
_DISTANCES = (4, 10, 18, 28, 40, 54, 70, 88, 108, 130, 160, 200)
"""How far from its bubble a label may be, in points."""
_DIRECTIONS = 16
_GAP = 2
"""Room at both ends of a label, in points."""

Box = tuple[float, float, float, float]
"""Left, bottom, right, top."""


def draw_bubbles(reports: Sequence[Report], depth: int | None, colours: Colours) -> Any:
    """Parameters over MACs, an axis logarithmic unless it has a 0; areas are the peak memory."""
    if len(reports) > MAX_NETWORKS:
        raise ConvcalcError(
            f"{len(reports):,} networks in a plot of bubbles; {MAX_NETWORKS:,} are the limit",
            hint="Show fewer at a time.",
        )
    figure = new_figure("Parameters and MACs of " + _counted(reports))
    ax = figure.add_subplot()
    # floats, as ints beyond 64 bits have no logarithm in NumPy
    macs = [float(report.totals.macs) for report in reports]  # type: ignore[arg-type]
    params = [float(report.totals.params) for report in reports]  # type: ignore[arg-type]
    peaks: list[Any] = [report.totals.peak_activation_bytes for report in reports]
    most = max(peaks)
    areas = [max(_SMALLEST, _LARGEST * peak / most) for peak in peaks]
    hues = [colours.lines[i % len(colours.lines)] for i in range(len(reports))]
    ax.scatter(
        macs, params, s=areas, c=hues, alpha=0.55, linewidths=0.8, edgecolors=colours.text, zorder=3
    )
    ax.grid(visible=True, axis="both")
    ax.margins(0.09)
    for axis, values, unit in ((ax.xaxis, macs, "MACs"), (ax.yaxis, params, "parameters")):
        if min(values) > 0:
            in_magnitudes(axis, unit)
        else:
            in_units(axis, max(values), unit)
    largest = reports[peaks.index(most)]
    ax.set_title(
        f"Area: the peak of the activations as {largest.dtype}; "
        f"the largest, of {shorten(largest.title, 30)}, is {in_bytes(most)}"
    )
    _label(figure, ax, reports, list(zip(macs, params, strict=True)), areas, colours)
    return figure


def _counted(reports: Sequence[Report]) -> str:
    count = f"{len(reports):,} network{'' if len(reports) == 1 else 's'}"
    batches = sorted({int(report.graph.inputs[0].shape[0]) for report in reports})  # type: ignore[arg-type]
    return f"{count}, N = {', '.join(f'{batch:,}' for batch in batches[:4])}"


def _label(
    figure: Any,
    ax: Any,
    reports: Sequence[Report],
    points: Sequence[tuple[float, float]],
    areas: Sequence[float],
    colours: Colours,
) -> None:
    """The networks' names beside their bubbles, where nothing else stands; else with a line."""
    figure.draw_without_rendering()  # places the axes
    to_points = 72 / figure.dpi
    centres = [tuple(to_points * xy) for xy in ax.transData.transform(points)]
    frame: Box = tuple(to_points * edge for edge in ax.get_window_extent().extents)
    radii = [math.sqrt(area / math.pi) for area in areas]
    bubbles = [(x - r, y - r, x + r, y + r) for (x, y), r in zip(centres, radii, strict=True)]
    taken: list[Box] = []
    # small bubbles first: their labels are the ones that would be taken for others'
    for i in sorted(range(len(reports)), key=lambda i: radii[i]):
        text = ax.annotate(
            shorten(reports[i].title, 30), points[i], (0, 0), textcoords="offset points",
            fontsize=8.5, zorder=5,
        )  # fmt: skip
        size = text.get_window_extent()
        width, height = to_points * size.width + 2 * _GAP, to_points * size.height
        others = [box for j, box in enumerate(bubbles) if j != i]
        candidates = list(_around(centres[i], radii[i], width, height))
        free = (box for box in candidates if _inside(box, frame) and not _meets(box, taken))
        box = next((box for box in free if not _meets(box, others)), None)
        if box is None:
            inside = (box for box in candidates if _inside(box, frame))
            box = next((box for box in inside if not _meets(box, taken)), candidates[0])
        taken.append(box)
        x, y = box[0] - centres[i][0], box[1] - centres[i][1]
        text.set(position=(x + _GAP, y), verticalalignment="bottom")
        near = max(abs(x + width / 2) - width / 2, abs(y + height / 2) - height / 2)
        if near > radii[i] + 8:
            end = (x + width / 2, y + height / 2)
            ax.annotate(
                "", points[i], end, textcoords="offset points", zorder=2,
                arrowprops={"arrowstyle": "-", "color": colours.faint, "shrinkA": 0, "shrinkB": 0},
            )  # fmt: skip


def _around(centre: tuple[float, ...], radius: float, width: float, height: float) -> Iterator[Box]:
    """Boxes around a bubble, the near ones first, each clear of it."""
    for distance in _DISTANCES:
        for k in range(_DIRECTIONS):
            angle = 2 * math.pi * k / _DIRECTIONS
            dx, dy = math.cos(angle), math.sin(angle)
            x = centre[0] + dx * (radius + distance) + (dx - 1) * width / 2
            y = centre[1] + dy * (radius + distance) + (dy - 1) * height / 2
            yield x, y, x + width, y + height


def _inside(box: Box, frame: Box) -> bool:
    return frame[0] <= box[0] and frame[1] <= box[1] and box[2] <= frame[2] and box[3] <= frame[3]


def _meets(box: Box, others: Sequence[Box]) -> bool:
    return any(
        box[0] < other[2] and other[0] < box[2] and box[1] < other[3] and other[1] < box[3]
        for other in others
    )
