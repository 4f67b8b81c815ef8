"""Drawings as Mermaid flowcharts, which GitHub, GitLab and notebooks show.

The syntax: https://mermaid.js.org/syntax/flowchart.html. Text stands in double quotes, in which
special characters are written by their numbers, `#34;`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from convcalc.errors import shorten
from convcalc.report.drawing.model import GROUNDS, LINE, Box, Cluster, Drawing

MOST_EDGES = 500
"""How many edges Mermaid draws unless it is told otherwise, with `maxEdges`."""

_SPECIAL = '"#&;<>`\\'


def to_mermaid(drawing: Drawing) -> str:
    """The drawing as the text of a flowchart."""
    # a JSON string is a YAML one, which the title is
    title = json.dumps(shorten(drawing.title, 200), ensure_ascii=False)
    lines = ["---", f"title: {title}", "---", f"flowchart {'LR' if drawing.across else 'TD'}"]
    for child in drawing.children:
        lines += _lines(child, 1)
    for edge in drawing.edges:
        lines.append(f"  {edge.source.id} -->|{_quoted(edge.label)}| {edge.target.id}")
    clusters = [child.id for child in drawing.clusters]
    if clusters:
        lines.append(f"  classDef around fill:{GROUNDS[0]},stroke:{LINE}")
        lines.append(f"  class {','.join(clusters)} around")
    families: dict[tuple[str, str], list[str]] = {}
    for box in drawing.boxes:
        families.setdefault((box.family.tint, box.family.name), []).append(box.id)
    for (tint, name), ids in families.items():
        word = name.replace(" ", "_")
        lines.append(f"  classDef {word} fill:{tint},stroke:{LINE},color:#1a1a1a")
        lines.append(f"  class {','.join(ids)} {word}")
    return "\n".join(lines)


def _lines(child: Box | Cluster, level: int) -> Iterator[str]:
    indent = "  " * level
    if isinstance(child, Box):
        text = _quoted(*child.lines)
        yield f"{indent}{child.id}([{text}])" if child.is_end else f"{indent}{child.id}[{text}]"
        return
    # room is made for one line above the boxes
    yield f"{indent}subgraph {child.id}[{_quoted(', '.join(child.lines))}]"
    for inner in child.children:
        yield from _lines(inner, level + 1)
    yield f"{indent}end"


def _quoted(*lines: str) -> str:
    """Lines of text as one string."""
    shown = ("".join(f"#{ord(c)};" if c in _SPECIAL else c for c in shorten(line, 200))
             for line in lines)  # fmt: skip
    return '"' + "<br/>".join(shown) + '"'
