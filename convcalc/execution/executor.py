"""The reference executor: a network run layer by layer, as the figures describe it.

Every layer's `forward` is called in order. A tensor is dropped after its last reader; an
element-wise layer writes over an input that nobody reads any more; views share their input's
storage, and whatever is no view has its own. So what a run holds at once is what the peak of the
activations predicts, and can be observed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from convcalc.arrays import Array
from convcalc.errors import ConvcalcError, shorten
from convcalc.graph import Graph, Node

Weights = Mapping[str, Array]
"""An array for every weight, by its path: `layer1.conv1.weight`."""

Observer = Callable[[Node, tuple[Array, ...], Array, int], None]
"""Called after every layer: the node, its inputs, its output, and the bytes held at that time."""


def run(
    graph: Graph,
    inputs: Mapping[str, Array],
    weights: Weights,
    xp: Any,
    observe: Observer | None = None,
) -> dict[str, Array]:
    """The outputs of a network, by the paths of their layers.

    Args:
        graph: the network, with numbers for all sizes.
        inputs: an array for every input, by its name; they are not written to.
        weights: an array for every weight; those of layers that share them, by the owner's path.
        xp: the array module of all arrays, NumPy or another with its interface.
        observe: called after every layer; where it raises, the run ends.

    Raises:
        ConvcalcError: an input is missing or of another shape than the network's.
    """
    readers = Counter(source for node in graph.nodes for source in node.inputs)
    readers.update(graph.outputs)
    alive: dict[Node, Array] = {}
    for node in graph.inputs:
        alive[node] = _input(node, inputs)
    for node in graph.nodes:
        sources = tuple(alive[source] for source in node.inputs)
        own = own_weights(node, weights)
        output = node.op.layer.forward(xp, sources, own)
        for source in node.inputs:
            readers[source] -= 1
        alive[node] = _stored(node, sources, output, alive, readers)
        if observe is not None:
            observe(node, sources, alive[node], held_bytes(alive.values()))
        for source in dict.fromkeys(node.inputs):
            if not readers[source]:
                del alive[source]
    return {node.path: alive[node] for node in graph.outputs}


def own_weights(node: Node, weights: Weights) -> dict[str, Array]:
    """The weights that a node uses, by the names that its layer gives them."""
    prefix = node.owner.path
    names = node.op.layer.weights(*node.op.inputs)
    return {name: weights[f"{prefix}.{name}"] for name in names}


def weight_shapes(graph: Graph) -> dict[str, tuple[int, ...]]:
    """The shape of every weight of a network, by its path; shared ones once."""
    shapes: dict[str, Any] = {}
    for node in graph.nodes:
        if node.owner is node:
            for name, weight in node.op.layer.weights(*node.op.inputs).items():
                shapes[f"{node.path}.{name}"] = weight.shape
    return shapes


def checked_weights(graph: Graph, weights: Weights, dtype: str) -> dict[str, Array]:
    """The weights in one type, if they are those of the network.

    Raises:
        ConvcalcError: with all that are missing, of another shape, unknown, or hold NaN.
    """
    import numpy

    due = weight_shapes(graph)
    given = {path: tuple(array.shape) for path, array in weights.items()}
    fitting = [path for path in due if given.get(path) == tuple(due[path])]
    wrong = [f"{path} holds NaN" for path in fitting if numpy.isnan(weights[path]).any()]
    check_shapes(given, due, wrong)
    return {path: numpy.asarray(weights[path]).astype(dtype) for path in due}


def check_shapes(
    given: Mapping[str, tuple[int, ...]],
    due: Mapping[str, tuple[int, ...]],
    wrong: Iterable[str] = (),
) -> None:
    """Raise unless the weights given are those due; `wrong` is what else is wrong with them.

    Raises:
        ConvcalcError: with all that are missing, of another shape or unknown.
    """
    wrong = [*wrong, *(f"{path} is missing" for path in due if path not in given)]
    wrong += [f"{shorten(path)} is of no layer" for path in given if path not in due]
    for path in due.keys() & given.keys():
        if given[path] != tuple(due[path]):
            wrong.append(f"{path} is {list(given[path])}, not {list(due[path])}")
    if wrong:
        more = f"; and {len(wrong) - 10:,} more" if len(wrong) > 10 else ""
        raise ConvcalcError(f"the weights do not fit: {'; '.join(sorted(wrong)[:10])}{more}")


def storage(array: Array) -> Array:
    """The array whose memory this one is a view of: itself, if it is none."""
    while getattr(array, "base", None) is not None:
        array = array.base
    return array


def held_bytes(arrays: Any) -> int:
    """The bytes of some tensors, those that share their storage counted once."""
    largest: dict[int, int] = {}
    for array in arrays:
        key = id(storage(array))
        largest[key] = max(largest.get(key, 0), array.nbytes)
    return sum(largest.values())


def _input(node: Node, inputs: Mapping[str, Array]) -> Array:
    if node.path not in inputs:
        raise ConvcalcError(f"no array for the input '{node.path}'")
    array = inputs[node.path]
    if tuple(array.shape) != tuple(node.shape):
        raise ConvcalcError(
            f"the input '{node.path}' has the shape {list(array.shape)}, where the network takes "
            f"{list(node.shape)}",
            hint="Channels come first, after the batch; --set and --batch choose sizes.",
        )
    return array.copy()  # an element-wise layer may write over it


def _stored(
    node: Node,
    sources: tuple[Array, ...],
    output: Array,
    alive: Mapping[Node, Array],
    readers: Mapping[Node, int],
) -> Array:
    """The output where it is to be kept: over a dead input, in its input, or on its own."""
    layer = node.op.layer
    homes = [id(storage(source)) for source in sources]
    shared = id(storage(output)) in homes
    if layer.is_view:
        return output
    if layer.is_elementwise:
        for source, array, home in zip(node.inputs, sources, homes, strict=True):
            others = [n for n, kept in alive.items() if id(storage(kept)) == home and readers[n]]
            if not readers[source] and not others and array.shape == output.shape:
                array[...] = output
                return array
    # whatever forward gave is a view of its own work: keep the elements alone
    return output.copy() if shared or storage(output).nbytes != output.nbytes else output
