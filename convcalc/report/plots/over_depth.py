"""Figures from the input to the output: of every layer, summed up, and what memory holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from convcalc.analysis.memory import BYTES, Step, activation_values, timeline
from convcalc.analysis.quantities import QUANTITIES
from convcalc.graph import Node
from convcalc.report.columns import in_bytes
from convcalc.report.families import Family
from convcalc.report.plots.depth import Part, bars, depth_axes, legend, parts_of
from convcalc.report.plots.style import Colours, heading, in_units, new_figure, short_path
from convcalc.report.report import Report


def _panels(report: Report) -> tuple[tuple[str, str, Callable[[Sequence[Node]], Any]], ...]:
    """What is counted of the nodes of a part: its name, its unit, and how."""

    def sum_of(quantity: str) -> Callable[[Sequence[Node]], Any]:
        counted = QUANTITIES[quantity]
        return lambda nodes: sum(counted.of(node) for node in nodes if node.operation)

    width = BYTES[report.dtype]
    return (
        ("Parameters", "params", sum_of("params")),
        ("MACs", "MACs", sum_of("macs")),
        (f"Activations as {report.dtype}", "bytes", lambda nodes: width * activation_values(nodes)),
    )


def draw_layers(reports: Sequence[Report], depth: int | None, colours: Colours) -> Any:
    """Bars of parameters, MACs and the memory of outputs, a layer or block each."""
    (report,) = reports
    parts = parts_of(report, depth)
    figure = new_figure(heading(report))
    seen: set[Family] = set()
    for ax, (name, unit, count) in zip(
        depth_axes(figure, 3, parts, colours), _panels(report), strict=True
    ):
        values = [count(part.nodes) for part in parts]
        width = 0.86 if len(parts) < 200 else 1
        bars(ax, values, [part.family.colour for part in parts], width=width)
        ax.set_title(f"{name}: {_sum_up(values, parts, unit)}")
        in_units(ax.yaxis, max(values), unit)
        ax.set_ylim(0, 1.05 * max(values) or 1)
        seen |= {part.family for part, value in zip(parts, values, strict=True) if value}
    legend(figure, [part.family for part in parts if part.family in seen])
    return figure


def _sum_up(values: Sequence[int], parts: Sequence[Part], unit: str) -> str:
    """The sum, and which part has the largest share of it."""
    whole, most = sum(values), max(values)
    text = in_bytes(whole) if unit == "bytes" else f"{whole:,}"
    if not whole:
        return text
    place = short_path(parts[values.index(most)].path, 40)
    return f"{text}; most in {place}, {most:,} ({100 * most / whole:.1f} %)"


def draw_cumulative(reports: Sequence[Report], depth: int | None, colours: Colours) -> Any:
    """Which share of parameters, MACs and memory the layers up to each one have."""
    (report,) = reports
    parts = parts_of(report, depth)
    figure = new_figure(heading(report))
    (ax,) = depth_axes(figure, 1, parts, colours)
    styles = ("-", "--", "-.")
    for (name, unit, count), colour, dashes in zip(
        _panels(report), colours.lines, styles, strict=True
    ):
        values = [count(part.nodes) for part in parts]
        whole = sum(values)
        if not whole:
            continue
        shares, sum_so_far = [], 0
        for value in values:
            sum_so_far += value
            shares.append(100 * sum_so_far / whole)
        half = next(part for part, share in zip(parts, shares, strict=True) if share >= 50)
        text = in_bytes(whole) if unit == "bytes" else f"{whole:,}"
        ax.step(
            range(len(parts)), shares, where="mid", color=colour, linestyle=dashes, linewidth=2.2,
            label=f"{name}: {text}; half by {short_path(half.path, 40)}",
        )  # fmt: skip
    ax.axhline(50, color=colours.text, linewidth=0.8, linestyle=":")
    ax.set_ylim(0, 103)
    ax.yaxis.set_major_formatter("{x:.0f} %")
    ax.set_title("Share of the total, from the input up to and with each layer")
    figure.legend(loc="outside lower center", ncols=1)
    return figure


def draw_memory(reports: Sequence[Report], depth: int | None, colours: Colours) -> Any:
    """What is held while the layers run: outputs, inputs, and what is kept for later layers."""
    (report,) = reports
    all_parts = parts_of(report, depth)
    steps = {step.node: step for step in timeline(report.graph)}
    parts, highest = [], []
    for part in all_parts:
        own = [steps[node] for node in part.nodes if node in steps]
        if own:  # a view is no step: nothing is written
            parts.append(part)
            highest.append(max(own, key=lambda step: step.values))
    width = BYTES[report.dtype]
    figure = new_figure(heading(report))
    (ax,) = depth_axes(figure, 1, parts, colours)
    bottom = [0] * len(parts)
    for (label, share), colour in zip(_SHARES, colours.lines, strict=True):
        values = [width * share(step) for step in highest]
        if any(values):
            bars(ax, values, colour, bottom=bottom, label=label)
        bottom = [below + value for below, value in zip(bottom, values, strict=True)]
    peak = report.peak
    most, place = max(bottom), bottom.index(max(bottom))
    ax.axhline(most, color=colours.text, linewidth=0.8, linestyle=":")
    ax.annotate("▼", (place, most), ha="center", va="bottom")
    held = ", ".join(short_path(node.path, 36) for node in peak.alive[:4])
    more = f" and {len(peak.alive) - 4:,} more" if len(peak.alive) > 4 else ""
    at = short_path(peak.node.path, 40) if peak.node else ""
    ax.set_title(
        f"▼ Peak of the activations as {report.dtype}: {in_bytes(most)}, at {at},\n"
        f"while {held}{more} are held"
    )
    in_units(ax.yaxis, most, "bytes")
    ax.set_ylim(0, 1.07 * most)
    figure.legend(loc="outside lower center", ncols=3)
    return figure


_SHARES: tuple[tuple[str, Callable[[Step], Any]], ...] = (
    ("kept for later layers", lambda step: step.values - step.written - step.read),
    ("the layer's inputs", lambda step: step.read),
    ("its output", lambda step: step.written),
)
