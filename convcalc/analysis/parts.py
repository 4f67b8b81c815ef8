"""A network in parts that stand beside those of other networks: groups, stages, or layers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from convcalc.errors import SpecError, UsageError, shorten
from convcalc.graph import Graph, Module, Node
from convcalc.spec.tree import Scalar, fail

OTHERS = "other layers"
"""What is in no group."""
TOTAL = "total"
"""What is in all."""


def layers(graph: Graph) -> dict[str, list[Node]]:
    """Every layer by its path."""
    return {node.path: [node] for node in graph.nodes}


def stages(graph: Graph) -> dict[str, list[Node]]:
    """The layers of every entry at the top of the module tree."""
    return {
        str(child.name): list(child.nodes()) if isinstance(child, Module) else [child]
        for child in graph.root.children
    }


def grouped(graph: Graph, groups: Mapping[str, Sequence[Scalar]]) -> dict[str, list[Node]]:
    """The layers of every group, and those in no group as OTHERS, if there are any.

    Raises:
        SpecError: a path is no layer or module of the network, or a layer would count twice.
    """
    held = below(graph, (path.text.strip() for paths in groups.values() for path in paths))
    homes: dict[Node, str] = {}
    found: dict[str, list[Node]] = {}
    for name, paths in groups.items():
        found[name] = []
        for path in paths:
            if name.casefold() == TOTAL:
                raise fail(
                    f"group '{name}': the last row of a table is called so", path.where,
                    "Give the group another name.",
                )  # fmt: skip
            nodes = held[path.text.strip()]
            if not nodes:
                raise _missing(name, path, graph)
            for node in nodes:
                if node in homes:
                    where = f"'{homes[node]}'" if homes[node] != name else "it already"
                    raise fail(
                        f"group '{name}': {shorten(node.path, 200)} is in {where}", path.where,
                        "A layer is in one group: it would count twice.",
                    )  # fmt: skip
                homes[node] = name
            found[name] += nodes
    if rest := [node for node in graph.nodes if node not in homes]:
        found[OTHERS] = [*found.get(OTHERS, ()), *rest]
    return found


def below(graph: Graph, paths: Iterable[str]) -> dict[str, list[Node]]:
    """The layer of every path, or the layers of a module, in running order; [] for none."""
    found: dict[str, list[Node]] = {path: [] for path in paths}
    for node in graph.nodes if found else ():
        path = node.path
        while path:
            if path in found:
                found[path].append(node)
            path = path.rpartition(".")[0]
    return found


def _missing(name: str, path: Scalar, graph: Graph) -> SpecError:
    try:
        graph.find(path.text.strip())
    except UsageError as error:
        return fail(f"group '{name}': {error.fact}", path.where, error.hint)
    raise AssertionError(path.text)
