"""The reference executor: a network run layer by layer, as the figures describe it.

Every layer's `forward` is called in order. A tensor is dropped after its last reader; an
element-wise layer writes over an input that nobody reads any more; views share their input's
storage, and whatever is no view has its own. So what a run holds at once is what the peak of the
activations predicts, and can be observed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from convcalc.arrays import Array
from convcalc.errors import ConvcalcError, did_you_mean, shorten
from convcalc.execution.backends import Backend
from convcalc.execution.numbers import (
    Stored,
    as_array,
    common_type,
    computed,
    converted,
    holds_nan,
    misfit,
)
from convcalc.graph import Graph, Node, Operation
from convcalc.layer import Layer

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
        inputs: an array for every input, by its name, of one type (see `checked_inputs`); they are
            not written to.
        weights: an array for every weight, of the type of the inputs (see `checked_weights`); those
            of layers that share them, by the owner's path.
        xp: the array module of all arrays, NumPy or another with its interface.
        observe: called after every layer; where it raises, the run ends.
    """
    readers = Counter(source for node in graph.nodes for source in node.inputs)
    readers.update(graph.outputs)
    alive: dict[Node, Array] = {}
    for node in graph.inputs:
        alive[node] = inputs[node.path].copy()  # an element-wise layer may write over it
    for node in graph.nodes:
        sources = tuple(alive[source] for source in node.inputs)
        own = own_weights(node, weights)
        output = computed(node.op.layer, xp, sources, own)
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


def steps(operation: Operation) -> Iterator[tuple[Layer, tuple[Any, ...]]]:
    """The layers that an operation's is short for, in order, each with its inputs' shapes."""
    shapes: tuple[Any, ...] = operation.inputs
    for layer in operation.layer.parts(*shapes):
        yield layer, shapes
        shapes = (layer.output_shape(*shapes),)


def weight_shapes(graph: Graph) -> dict[str, tuple[int, ...]]:
    """The shape of every weight of a network, by its path; shared ones once."""
    shapes: dict[str, Any] = {}
    for node in graph.nodes:
        if node.owner is node:
            for name, weight in node.op.layer.weights(*node.op.inputs).items():
                shapes[f"{node.path}.{name}"] = weight.shape
    return shapes


def checked_inputs(
    graph: Graph, given: Any, dtype: str | None, device: Backend
) -> tuple[dict[str, Array], str]:
    """The inputs on the device, all in one type, and that type.

    Args:
        graph: the network, with numbers for all sizes.
        given: the array of its first input, or a mapping of arrays by the names of the inputs.
        dtype: the type to compute in; by default the widest of the inputs' own.
        device: where they are to be.

    Raises:
        UsageError: networks are not run in that type.
        ConvcalcError: one is missing, unknown, of another shape, or of numbers that the type has
            not.
    """
    mapping = given if isinstance(given, Mapping) else {graph.inputs[0].path: given}
    arrays: dict[str, Array] = {}
    names = [node.path for node in graph.inputs]
    for name in mapping:
        if name not in names:
            hint = did_you_mean(str(name), names) or f"It has {', '.join(names)}."
            raise ConvcalcError(f"the network has no input '{shorten(str(name))}'", hint=hint)
    for node in graph.inputs:
        if node.path not in mapping:
            raise ConvcalcError(f"no array for the input '{node.path}'")
        array = as_array(mapping[node.path], f"the input '{node.path}'", device)
        check_input(node, array.shape)
        arrays[node.path] = array
    dtype = common_type(arrays.values(), dtype)
    for path, array in arrays.items():
        wrong = misfit(array, dtype, device)
        if wrong:
            raise ConvcalcError(
                f"the input '{path}' {wrong}",
                hint="Networks run in float16, float32 or float64: x.astype('float64').",
            )
        arrays[path] = converted(array, dtype, device)
    return arrays, dtype


def checked_weights(
    graph: Graph, weights: Mapping[str, Array | Stored], dtype: str, device: Backend
) -> dict[str, Array]:
    """The weights on the device and in one type, if they are those of the network.

    Shapes are compared before anything is read from a file.

    Raises:
        ConvcalcError: with all that are missing, of another shape, unknown, hold NaN, or numbers
            that the type has not.
    """
    due = weight_shapes(graph)
    given = {
        path: array if isinstance(array, Stored) else as_array(array, shorten(path), device)
        for path, array in weights.items()
    }
    shapes = {path: tuple(array.shape) for path, array in given.items()}
    found, wrong = {}, []
    for path in due:
        if shapes.get(path) != tuple(due[path]):
            continue
        array = given[path]
        array = array.read() if isinstance(array, Stored) else array
        unfit = misfit(array, dtype, device)
        if unfit or holds_nan(array, device):
            wrong.append(f"{path} {unfit or 'holds NaN'}")
        else:
            found[path] = converted(array, dtype, device)
    check_shapes(shapes, due, wrong)
    return found


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


def check_input(node: Node, shape: tuple[int, ...]) -> None:
    """Raise unless an array for an input has its shape.

    Raises:
        ConvcalcError: it has another.
    """
    if tuple(shape) != tuple(node.shape):
        raise ConvcalcError(
            f"the input '{node.path}' has the shape {list(shape)}, where the network takes "
            f"{list(node.shape)}",
            hint="Channels come first, after the batch; --set and --batch choose sizes.",
        )


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
