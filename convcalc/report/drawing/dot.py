"""Drawings as DOT, and as SVG where Graphviz is installed.

The grammar: https://graphviz.org/doc/info/lang.html. Text stands in double quotes, in which a
quote and a backslash are written with a backslash before them, and `&` begins an HTML entity.
"""

from __future__ import annotations

from collections.abc import Iterator

from convcalc.errors import OutputError, UsageError, shorten
from convcalc.report.drawing.model import GROUNDS, LINE, Box, Cluster, Drawing

SECONDS = 60
"""How long Graphviz may take."""

_LEFT, _MIDDLE = "\\l", "\\n"
"""The ends of lines that are put at the left, and in the middle."""


def to_dot(drawing: Drawing) -> str:
    """The drawing as the text of a digraph."""
    lines = [
        f"digraph {_quoted(drawing.title)} {{",
        f"  label={_quoted(drawing.title)}; labelloc=t; fontsize=20;",
        f'  fontname="Helvetica,Arial,sans-serif"; rankdir={"LR" if drawing.across else "TB"};'
        " nodesep=0.25; ranksep=0.35;",
        '  node [shape=box, style="rounded,filled", fontname="Helvetica,Arial,sans-serif",'
        f' fontsize=11, margin="0.12,0.05", color="{LINE}"];',
        f'  edge [fontname="Helvetica,Arial,sans-serif", fontsize=9, color="{LINE}",'
        ' fontcolor="#303640", arrowsize=0.7];',
    ]
    for child in drawing.children:
        lines += _lines(child, 1)
    for edge in drawing.edges:
        text = _quoted(f" {edge.label} ")  # off the line
        lines.append(f"  {edge.source.id} -> {edge.target.id} [label={text}];")
    return "\n".join([*lines, "}"])


def _lines(child: Box | Cluster, level: int) -> Iterator[str]:
    indent = "  " * level
    if isinstance(child, Box):
        shape = ", shape=ellipse" if child.is_end else ""
        yield (
            f"{indent}{child.id} [label={_quoted(*child.lines)}{shape}, "
            f"tooltip={_quoted(child.path)}, fillcolor={_quoted(child.family.tint)}];"
        )
        return
    yield f"{indent}subgraph cluster_{child.id} {{"
    ground = GROUNDS[level % len(GROUNDS)]
    # a darker edge for what stands for several
    width = 2 if child.times > 1 else 1
    yield (
        f'{indent}  label=""; tooltip={_quoted(child.path)}; style="rounded,filled"; '
        f'fillcolor={_quoted(ground)}; color="{LINE}"; penwidth={width};'
    )
    # edges run through the label of a cluster, but around a node
    yield (
        f"{indent}  {child.id}_label [label={_quoted(*child.lines, end=_LEFT)}, shape=plaintext, "
        'style="", margin="0.04,0", height=0.2];'
    )
    for inner in child.children:
        yield from _lines(inner, level + 1)
    yield f"{indent}}}"


def _quoted(*lines: str, end: str = "") -> str:
    """Lines of text as one string, in the middle or as `end` says."""
    shown = (shorten(line, 200) for line in lines)
    escaped = (
        line.replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"') for line in shown
    )
    return f'"{(end or _MIDDLE).join(escaped)}{end}"'


def is_installed() -> bool:
    """Whether Graphviz is."""
    import shutil

    return shutil.which("dot") is not None


def to_svg(drawing: Drawing) -> str:
    """The drawing laid out by Graphviz's `dot`.

    Raises:
        UsageError: it is not installed.
        OutputError: it fails, or takes too long.
    """
    import subprocess

    try:
        run = subprocess.run(
            ["dot", "-Tsvg"], input=to_dot(drawing).encode(), capture_output=True, timeout=SECONDS,
            check=False,
        )  # fmt: skip
    except FileNotFoundError:
        raise UsageError(
            "SVG needs Graphviz, whose program 'dot' is not on the PATH",
            hint="Install it (apt install graphviz, brew install graphviz, "
            "https://graphviz.org/download), or write --format dot or mermaid.",
        ) from None
    except subprocess.TimeoutExpired:
        raise OutputError(
            f"{drawing.title}: Graphviz took more than {SECONDS} seconds",
            hint="Draw fewer boxes: --depth 1, or one block with --layer PATH.",
        ) from None
    if run.returncode:
        raise OutputError(
            f"{drawing.title}: Graphviz failed: {shorten(run.stderr.decode(errors='replace'), 200)}"
        )
    return run.stdout.decode()
