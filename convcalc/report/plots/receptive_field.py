"""Receptive fields: which part of the input feeds a unit, and how the field grows with depth."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any, NamedTuple

from convcalc.analysis.receptive_field import Fields, Tracked, needed_by, receptive_fields
from convcalc.errors import ConvcalcError, shorten
from convcalc.graph import Node
from convcalc.layer import AXIS_NAMES
from convcalc.report.plots.depth import Part, depth_axes, parts_of
from convcalc.report.plots.style import Colours, heading, new_figure, short_path
from convcalc.report.report import Report

_MOST_SHOWN = 7
"""How many fields the picture shows, one in the other."""
_MARGIN = 0.75
"""How much is shown around the input at most, as a share of it: fields that end there."""
_ENLARGED = 4
"""How many times the largest field is shown of a much larger input."""
_FAR = 2
"""How many times the largest field an input is that no layer sees all of, and is not drawn."""
_MUCH = 8
"""How many times the largest field an input is that makes the axis of sizes logarithmic."""


class _Field(NamedTuple):
    """The field of the output of a part: its sizes along the axes of the input.

    `exceeds` says which are larger than the input's; `sees_all` that some layer reads an axis
    whole, as global pooling, and so the field is the input's.
    """

    place: int
    name: str
    node: Node
    sizes: tuple[int, ...]
    exceeds: tuple[bool, ...]
    sees_all: bool


def draw_receptive_field(reports: Sequence[Report], depth: int | None, colours: Colours) -> Any:
    """The input with the fields of units in the middle; beside it, how fields grow."""
    (report,) = reports
    graph = report.graph
    sizes: Any = graph.inputs[0].shape[2:]
    if not sizes:
        raise ConvcalcError(
            f"{report.title}: the input has no spatial axes, and every unit sees all of it",
            hint="Receptive fields are of networks with an input as [3, 224, 224].",
        )
    parts = parts_of(report, depth)
    known = receptive_fields(graph)
    fields = []
    for place, part in enumerate(parts):
        node = part.nodes[-1]
        if node in known:
            own = _sizes(known[node], sizes)
            exceeds = tuple(size > whole for size, whole in zip(own, sizes, strict=True))
            fields.append(_Field(place, part.path, node, own, exceeds, None in known[node]))
    shown = _growing(fields)
    figure = new_figure(heading(report))
    left, right = figure.add_gridspec(1, 2, width_ratios=[1, 1.3])
    upper, lower = left.subgridspec(2, 1, height_ratios=[10, 0.6 + 0.62 * len(shown)])
    picture, names = figure.add_subplot(upper), figure.add_subplot(lower)
    (ax,) = depth_axes(figure, 1, parts, colours, right)
    hues = _hues(len(shown), colours)
    _draw_fields(picture, report, known, shown, hues, colours)
    handles, labels = picture.get_legend_handles_labels()
    names.legend(handles[::-1], labels[::-1], loc="upper center", fontsize=9.5)
    names.set_axis_off()
    _draw_growth(ax, fields, _sources(parts), sizes, colours)
    for field, hue in zip(shown, hues, strict=True):
        ax.plot(
            [field.place], [max(field.sizes)], "o", markersize=9, zorder=6, color=hue,
            markeredgecolor=colours.text, markeredgewidth=0.6, clip_on=False,
        )  # fmt: skip
    return figure


def _sizes(fields: Fields, whole: Sequence[int]) -> tuple[int, ...]:
    """How many positions an output sees along each axis of the input."""
    return tuple(
        size if field is None or field.reach is None else field.reach.size
        for field, size in zip(fields, whole, strict=True)
    )


def _growing(fields: Sequence[_Field]) -> list[_Field]:
    """Fields of growing sizes, from one layer's on; the last that fits the input is among them."""
    found: list[_Field] = []
    for field in fields:
        largest = max(found[-1].sizes) if found else 1
        if max(field.sizes) > largest and not field.sees_all:
            found.append(field)
    inside = [field for field in found if not any(field.exceeds)]
    beyond = [field for field in found if any(field.exceeds)]
    kept = _spread(inside, _MOST_SHOWN - min(2, len(beyond)))
    return kept + _spread(beyond, _MOST_SHOWN - len(kept) if len(inside) < 3 else 2)


def _spread(fields: list[_Field], most: int) -> list[_Field]:
    """At most so many of them, the first and the last included."""
    if len(fields) <= most:
        return fields
    if most == 1:
        return fields[-1:]
    return [fields[i * (len(fields) - 1) // (most - 1)] for i in range(most)]


def _hues(count: int, colours: Colours) -> list[Any]:
    import matplotlib

    colour_map = matplotlib.colormaps[colours.sequence]
    return [colour_map(0.95 - 0.85 * i / max(1, count - 1)) for i in range(count)]


def _draw_fields(
    ax: Any,
    report: Report,
    known: dict[Node, Fields],
    shown: Sequence[_Field],
    hues: Sequence[Any],
    colours: Colours,
) -> None:
    """What a unit in the middle sees, for every field, the largest behind; one row each in 1-D.

    The unit is one of the last layer, and those of the layers before it are among what it needs:
    so the fields lie in one another.
    """
    from matplotlib.patches import Rectangle

    source = report.graph.inputs[0]
    sizes: Any = source.shape[2:]
    flat = len(sizes) == 1
    edges = [(0, sizes[-1]), (0, len(shown) + 1 if flat else sizes[-2])]
    boxes = []
    dashed = []
    needed: dict[Node, list[tuple[int, int]]] = {}
    for i, (field, hue) in reversed(list(enumerate(zip(shown, hues, strict=True)))):
        unit = _middle(known[field.node], field.node, sizes, needed.get(field.node))
        before = needed_by(report.graph, field.node, unit)
        seen = before.get(source)
        if seen is None:
            continue  # its window lies in padding
        needed = before
        x, y = _span(seen[-1]), (i + 0.2, i + 0.8) if flat else _span(seen[-2])
        boxes.append((x, y))
        size = "×".join(f"{size:,}" for size in field.sizes)
        label = f"{short_path(field.name, 26)}: {size}{_larger(field)}"
        ax.add_patch(Rectangle(*_corners(x, y), facecolor=hue, edgecolor=colours.ground,
                               linewidth=0.8, label=label))  # fmt: skip
        if any(field.exceeds[-2:]):
            fields = known[field.node]
            whole = _unclipped(fields[-1], unit, x), y if flat else _unclipped(fields[-2], unit, y)
            around = max(
                max(first - low, high - last) / (last - first)
                for (low, high), (first, last) in zip(whole[: len(sizes)], edges, strict=False)
            )
            if around <= _MARGIN:
                dashed.append(around)
                ax.add_patch(Rectangle(*_corners(*whole), fill=False, edgecolor=hue, linewidth=1.6,
                                       linestyle="--"))  # fmt: skip
    ax.add_patch(Rectangle(*_corners(*edges), fill=False, edgecolor=colours.text, linewidth=1.5))
    view = max((high - low for box in boxes for low, high in box[: len(sizes)]), default=0)
    enlarged = 0 < _ENLARGED * view < min(sizes[-2:])
    margin = 0.03 + max(dashed, default=0)
    limits = []
    for axis, (low, high) in enumerate(edges):
        if flat and axis:
            limits.append((low - 0.02 * high, 1.02 * high))
        elif enlarged:
            middle = sum(boxes[0][axis]) / 2
            limits.append((middle - _ENLARGED * view / 2, middle + _ENLARGED * view / 2))
        else:
            limits.append((low - margin * high, (1 + margin) * high))
    names = AXIS_NAMES[len(sizes)]
    ax.set(xlim=limits[0], ylim=limits[1][::-1], aspect="auto" if flat else "equal", anchor="N")
    ax.set_xlabel(f"{names[-1]}, {sizes[-1]:,} positions")
    if flat:
        ax.set_yticks([])
    else:
        ax.set_ylabel(f"{names[-2]}, {sizes[-2]:,} positions")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter("{x:,.10g}")
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
    name = "the input" if len(report.graph.inputs) == 1 else shorten(source.path, 20)
    ax.set_title(f"What a unit in the middle sees of {name}" + ", enlarged" * enlarged)


def _larger(field: _Field) -> str:
    """Along which axes a field is larger than the input."""
    names = AXIS_NAMES[len(field.sizes)]
    own = [name for name, exceeds in zip(names, field.exceeds, strict=True) if exceeds]
    if not own:
        return ""
    along = "" if len(own) == len(names) else f" in {' and '.join(own)}"
    return f", larger than the input{along}"


def _middle(
    fields: Fields, node: Node, sizes: Sequence[int], among: list[tuple[int, int]] | None
) -> tuple[int, ...]:
    """The unit whose field lies in the middle of the input, or nearly; one among some positions."""
    shape: Any = node.shape[2:]
    among = among or [(0, size - 1) for size in shape]
    unit = [size // 2 for size in shape]
    for field, whole in zip(fields, sizes, strict=True):
        if field is not None and field.reach is not None and 0 <= field.axis - 2 < len(unit):
            reach, (first, last) = field.reach, among[field.axis - 2]
            nearest = round((Fraction(whole - reach.size, 2) - reach.start) / reach.stride)
            unit[field.axis - 2] = min(max(nearest, first), last)
    return tuple(unit)


def _span(positions: tuple[int, int]) -> tuple[float, float]:
    """The edges of the first and of the last position."""
    return positions[0], positions[1] + 1


def _corners(
    x: tuple[float, float], y: tuple[float, float]
) -> tuple[tuple[float, float], float, float]:
    return (x[0], y[0]), x[1] - x[0], y[1] - y[0]


def _unclipped(
    field: Tracked | None, unit: tuple[int, ...], seen: tuple[float, float]
) -> tuple[float, float]:
    """The edges of a unit's field along an axis, in the padding too."""
    if field is None or field.reach is None or not 0 <= field.axis - 2 < len(unit):
        return seen
    start = field.reach.start + field.reach.stride * unit[field.axis - 2]
    return float(start), float(start + field.reach.size)


def _sources(parts: Sequence[Part]) -> list[set[int]]:
    """For every part, the places of the parts that it reads."""
    place = {node: i for i, part in enumerate(parts) for node in part.nodes}
    return [
        {place[source] for node in part.nodes for source in node.inputs if source in place} - {i}
        for i, part in enumerate(parts)
    ]


def _draw_growth(
    ax: Any,
    fields: Sequence[_Field],
    sources: Sequence[set[int]],
    whole: Sequence[int],
    colours: Colours,
) -> None:
    """The size of the field of every layer, along each axis, with the input's size.

    Layers are joined to those they read: along the path whose fields are the largest by a thick
    line, beside it by thin ones, as neighbours in running order may have nothing to do with each
    other.
    """
    names = AXIS_NAMES[len(whole)]
    open_ = {field.place: field for field in fields if not field.sees_all}
    source_of = {
        place: max(before, key=lambda i: (max(open_[i].sizes), i))
        for place in open_ if (before := sources[place] & open_.keys())
    }  # fmt: skip
    path = [max(open_)]
    while path[-1] in source_of:
        path.append(source_of[path[-1]])
    beside = [place for place in source_of if place not in path]
    alike = all(len(set(field.sizes)) == 1 for field in fields) and len(set(whole)) == 1
    styles = ("-", "--", "-.")
    most = max(max(field.sizes) for field in open_.values())
    sees_all = any(field.sees_all for field in fields)
    drawn = [size for size in whole if sees_all or size <= _FAR * most]
    for axis in range(1 if alike else len(whole)):
        label = " and ".join(names) if alike else names[axis]
        colour = colours.lines[axis]
        ax.plot(
            path[::-1], [open_[i].sizes[axis] for i in path[::-1]], styles[axis], color=colour,
            linewidth=1.8, label=label,
        )  # fmt: skip
        ends = [i for place in beside for i in (source_of[place], place)]
        sizes: list[float] = [open_[i].sizes[axis] for i in ends]
        for i in range(len(ends), 0, -2):  # a gap between two lines
            ends.insert(i, ends[i - 1])
            sizes.insert(i, float("nan"))
        if ends:
            label_beside = "on other paths" if axis == 0 else None
            ax.plot(ends, sizes, styles[axis], color=colour, linewidth=0.8, label=label_beside)
        size = f"the input's {label}: {whole[axis]:,}"
        if whole[axis] in drawn:
            ax.axhline(whole[axis], color=colour, linewidth=1, linestyle=":", label=size)
        else:
            ax.plot([], [], linestyle="", label=f"{size}, above")
    for found, marker, label in (
        ([field for field in open_.values() if any(field.exceeds)], "x", "larger than the input"),
        ([field for field in fields if field.sees_all], ".", "sees all of it"),
    ):
        points = [
            (field.place, size)
            for field in found
            for size, exceeds in zip(field.sizes, field.exceeds, strict=True)
            if exceeds or field.sees_all
        ]
        if points:
            ax.plot(
                *zip(*dict.fromkeys(points), strict=True), marker, color=colours.lines[1],
                markersize=6, zorder=5, label=f"{label}: {len(found):,}",
            )  # fmt: skip
    top = max(most, *drawn, 1)
    if top > _MUCH * most:
        ax.set_yscale("log")
        ax.set_ylim(0.8, 3 * top**1.12)
    else:
        ax.set_ylim(0, 1.35 * top)
    ax.set_title("Size of the receptive field, in positions of the input")
    ax.yaxis.set_major_formatter("{x:,.10g}")
    ax.legend(loc="upper left", ncols=2)
