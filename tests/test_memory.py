"""Memory: what the lectures count, and liveness against a simulation that frees as it goes."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

import convcalc
from convcalc.analysis.memory import BYTES, peak
from convcalc.errors import UsageError
from convcalc.graph import Graph, Node


def size(node: Node) -> int:
    return math.prod(map(int, node.shape))  # type: ignore[arg-type]


def test_vgg16_as_lectures_add_it_up() -> None:
    totals = convcalc.load("vgg16").summarize().totals
    # 15,237,608 values of deck D, and torchvision's adaptive pooling
    assert totals.activation_bytes == 4 * (15_237_608 + 25_088)


@pytest.mark.parametrize(("dtype", "width"), sorted(BYTES.items()))
def test_dtypes(dtype: str, width: int) -> None:
    totals = convcalc.load("lenet5").summarize(dtype=dtype).totals
    as_floats = convcalc.load("lenet5").summarize().totals
    assert totals.param_bytes == width * 61_706
    assert totals.peak_activation_bytes * 4 == as_floats.peak_activation_bytes * width  # type: ignore[operator]
    assert totals.activation_bytes * 4 == as_floats.activation_bytes * width


def test_unknown_dtype() -> None:
    with pytest.raises(UsageError, match=r"unknown dtype 'float'\. Did you mean 'float"):
        convcalc.load("lenet5").summarize(dtype="float")


def test_a_chain_in_place() -> None:
    net = convcalc.loads(
        "{input: [2, 10], layers: [relu, conv: {out_channels: 3, kernel: 3}, batch_norm, relu,"
        " dropout, flatten, linear: 5]}"
    )
    totals = net.summarize().totals
    # relu, batch norm, dropout and flatten take nothing; the convolution holds input and output
    assert totals.peak_activation_bytes == 4 * (20 + 24)
    assert totals.activation_bytes == 4 * (20 + 24 + 24 + 5)
    found = peak(net.graph)
    assert found.node is not None
    assert found.node.path == "conv1"
    assert [node.path for node in found.alive] == ["relu1", "conv1"]


def test_a_skip_connection_keeps_its_tensor_alive() -> None:
    net = convcalc.loads(
        "{input: [4, 10], layers: [add: [[], [conv: {out_channels: 4, kernel: 1}, relu]], relu]}"
    )
    # input and convolution; the relu and the sum write over what dies
    assert net.summarize().totals.peak_activation_bytes == 4 * 80
    net = convcalc.loads("{input: [4, 10], layers: [add: [[], [relu]]]}")
    # the relu cannot write over an input that the sum still reads
    assert net.summarize().totals.peak_activation_bytes == 4 * 80


def test_outputs_stay() -> None:
    text = "{input: [4, 10], layers: [{relu: , name: a}, conv: {out_channels: 8, kernel: 1}, {max_pool: 10, name: b}], outputs: [b%s]}"  # noqa: E501
    assert convcalc.loads(text % "").summarize().totals.peak_activation_bytes == 4 * 120
    assert convcalc.loads(text % ", a").summarize().totals.peak_activation_bytes == 4 * 128


def simulated(graph: Graph) -> int:
    """Runs the layers with reference counts: storages are numbered, and freed when unread."""
    readers = dict.fromkeys((*graph.inputs, *graph.nodes), 0)
    for node in graph.nodes:
        for source in node.inputs:
            readers[source] += 1
    for node in graph.outputs:
        readers[node] += 1
    storage: dict[Node, int] = {}
    held: dict[int, int] = {}
    users: dict[int, int] = {}
    most = 0
    for step, node in enumerate((*graph.inputs, *graph.nodes)):
        layer = node.op.layer if node.operation else None
        place = step
        if layer is not None and layer.is_view:
            place = storage[node.inputs[0]]
        elif layer is not None and layer.is_elementwise:
            for source in node.inputs:
                own = storage[source]
                mine = node.inputs.count(source) + sum(
                    node.inputs.count(other)
                    for other in set(node.inputs) - {source}
                    if storage[other] == own
                )
                if users[own] == mine and size(source) == size(node):
                    place = own
                    break
        if place == step:
            held[place], users[place] = size(node), 0
        storage[node] = place
        users[place] += readers[node]
        most = max(most, sum(held.values()))
        for source in node.inputs:
            users[storage[source]] -= 1
        for place_ in [p for p, count in users.items() if count == 0]:
            held.pop(place_, None)
            users.pop(place_)
    return most


@pytest.mark.parametrize(
    "name", ["lenet5", "resnet50", "densenet121", "googlenet", "unet", "mobilenet_v2"]
)
def test_the_peak_of_the_zoo(name: str) -> None:
    graph = convcalc.load(name).graph
    assert peak(graph).values == simulated(graph)
    found = peak(graph)
    assert sum(map(size, found.alive)) == found.values


PIECES = ["relu", "batch_norm", "dropout", "identity", "conv: {out_channels: 3, kernel: 1}"]
BRANCHES = st.lists(
    st.lists(st.sampled_from(PIECES), max_size=3).map(lambda b: f"[{', '.join(b)}]"),
    min_size=2,
    max_size=3,
).map(lambda b: f"add: [{', '.join(b)}]")


@given(st.lists(st.sampled_from(PIECES) | BRANCHES, min_size=1, max_size=6))
def test_the_peak_of_drawn_nets(entries: list[str]) -> None:
    net = convcalc.loads("{input: [3, 7], layers: [" + ", ".join(entries) + "]}")
    assert peak(net.graph).values == simulated(net.graph)


def test_a_reuse_that_depends_on_symbols_is_not_guessed() -> None:
    net = convcalc.loads(
        "{input: [1, H, 3], variables: {H: 8}, layers: [reshape: [2, -1], tanh, relu]}"
    )
    assert net.summarize().totals.peak_activation_bytes == 4 * 24
    # 2·⌊3·H/2⌋ values over 3·H: only where H is even, which the reshape itself requires
    assert net.summarize(symbolic="H").totals.peak_activation_bytes is None
    with pytest.raises(convcalc.ConvcalcError, match="can be written over input depends on"):
        net.formula("peak_activation_bytes")


def test_symbolic_memory() -> None:
    net = convcalc.load("alexnet")
    form = net.formula("peak_activation_bytes")
    for sizes in ({"N": 1, "H": 224, "W": 224}, {"N": 3, "H": 97, "W": 300}):
        totals = net.summarize(**sizes).totals
        assert form.evaluate(**sizes) == totals.peak_activation_bytes
        assert net.formula("activation_bytes").evaluate(**sizes) == totals.activation_bytes
