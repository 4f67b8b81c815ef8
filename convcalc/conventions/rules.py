"""A convention: rules over layers, folded over a network to the figure that a counter prints.

A rule says what one kind of layer adds to the multiply–accumulates: `n` for each of some elements
of an operation. Counters that hook modules and those that patch functions see different layers,
so a rule may hold for modules only, or only for what a spec marks as `functional`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from convcalc import arith
from convcalc.dim import Size
from convcalc.graph import Graph, Node, Operation

EVIDENCE = ("defined", "measured", "read, not measured")
"""By definition; held against what the program prints; taken from its source alone."""

ALL = "*"
"""Every kind of layer."""

# kinds of layers that counters treat alike, often by not knowing them
ACTIVATIONS = (
    "abs elu gelu hard_sigmoid hard_swish hard_tanh leaky_relu mish prelu relu relu6 selu sigmoid "
    "silu softplus tanh"
)
SOFTMAXES = "log_softmax softmax"
POOLS = "adaptive_avg_pool adaptive_max_pool avg_pool global_avg_pool global_max_pool max_pool"
MERGES = "add divide maximum minimum multiply subtract"
MOVES = (
    "channel_shuffle concat crop dropout flatten identity pad permute pixel_shuffle "
    "pixel_unshuffle reshape slice"
)
NORMS = "batch_norm group_norm instance_norm layer_norm"
PRODUCTS = "conv conv_transpose linear"


class Rule(NamedTuple):
    """What some kinds of layers add: `n` for each of the elements that `of` counts.

    `label` is what the bridge says, with {n} the factor and {kinds} those in the network.
    `of` None says that no source tells how these are counted.
    `called` limits it to a "module", or to what the network's source calls as a "function".
    `averaged` terms are those that the counter divides by the batch.
    """

    label: str
    kinds: str
    n: int = 0
    of: Callable[[Operation], Any] | None = None
    where: Callable[[Operation], bool] | None = None
    called: str = ""
    averaged: bool = False


@dataclass(frozen=True)
class Convention:
    """How one counter counts.

    Attributes:
        name: what it is called here.
        unit: MAC, FLOP, operations, elements or bytes.
        version: the program and its version.
        evidence: one of EVIDENCE.
        why: how it differs from the multiply–accumulates, in a sentence or two.
        macs: what a multiply–accumulate counts; 0 where the figure is of something else.
        rules: what is added.
        zero: the kinds of layers for which it is known that nothing is added where no rule holds;
            a layer of another kind, for which none holds, is not known how to count.
        averaged: whether the multiply–accumulates are divided by the batch, too.
    """

    name: str
    unit: str
    version: str
    evidence: str
    why: str
    macs: int = 1
    rules: tuple[Rule, ...] = ()
    zero: str = ""
    averaged: bool = False

    @property
    def measured(self) -> bool:
        """Whether it was held against what the program prints."""
        return self.evidence == "measured"

    @cached_property
    def _by_kind(self) -> dict[str, list[Rule]]:
        found: defaultdict[str, list[Rule]] = defaultdict(list)
        for rule in self.rules:
            for kind in rule.kinds.split():
                found[kind].append(rule)
        return dict(found)

    @cached_property
    def _zero(self) -> frozenset[str]:
        return frozenset(self.zero.split())

    def rules_for(self, operation: Operation, functional: bool) -> list[Rule] | None:
        """The rules that hold for a layer; None where no source says how it is counted."""
        kind = operation.layer.name
        holding = [
            rule
            for rule in (*self._by_kind.get(kind, ()), *self._by_kind.get(ALL, ()))
            if rule.called != ("module" if functional else "function")
            and (rule.where is None or rule.where(operation))
        ]
        if any(rule.of is None for rule in holding):
            return None
        return holding if holding or not self._zero.isdisjoint((kind, ALL)) else None


class Term(NamedTuple):
    """One term of a bridge: `value` = `factor` · `elements`."""

    label: str
    elements: Size
    factor: int
    value: Size


class Row(NamedTuple):
    """What one layer adds to the figure."""

    name: str
    type: str
    value: Size


MACS_LABEL = "conv + linear"


class _Count(NamedTuple):
    """What one operation adds: its MACs, the elements of its rules, and its whole value."""

    macs: Any
    elements: dict[Rule, Any]
    kinds: dict[Rule, str]
    value: Any
    average: Any
    """What dividing by the batch takes away or, being negative, adds."""
    unknown: tuple[str, ...]


class Bridge:
    """The figure of a counter for one network, term by term from the multiply–accumulates.

    `terms` add up to `total`, and so do the values of `rows`; ints, or Dims where the network is
    symbolic. `unknown` are the kinds of layers in the network that no source of this counter says
    anything about: where there are some, the total is a lower bound.
    """

    def __init__(self, convention: Convention, graph: Graph) -> None:
        self.convention = convention
        self.name = convention.name
        self.unit = convention.unit
        self.version = convention.version
        self.evidence = convention.evidence
        self.measured = convention.measured
        self.why = convention.why
        self._graph = graph
        self._batch: Any = graph.inputs[0].shape[0]
        self._counts: dict[tuple[int, bool], _Count] = {}
        self.terms, self.unknown = self._fold()

    @property
    def total(self) -> Size:
        """The figure."""
        return sum(term.value for term in self.terms)

    @property
    def is_lower_bound(self) -> bool:
        """Whether a layer of the network is not counted because no source says how."""
        return bool(self.unknown)

    @property
    def rows(self) -> list[Row]:
        """What every layer adds, in running order."""
        return [Row(node.path, node.kind, self._count(node).value) for node in self._graph.nodes]

    def __repr__(self) -> str:
        return f"<{self.name}: {'≥ ' if self.unknown else ''}{self.total:,} {self.unit}>"

    def _fold(self) -> tuple[tuple[Term, ...], tuple[str, ...]]:
        macs: Any = 0
        average: Any = 0
        elements: defaultdict[Rule, Any] = defaultdict(int)
        kinds: defaultdict[Rule, dict[str, None]] = defaultdict(dict)
        unknown: dict[str, None] = {}
        distinct = {_key(node): node for node in self._graph.nodes}
        for key, times in Counter(map(_key, self._graph.nodes)).items():
            count = self._count(distinct[key])
            macs = macs + count.macs * times
            average = average + count.average * times
            for rule, number in count.elements.items():
                elements[rule] = elements[rule] + number * times
                kinds[rule][count.kinds[rule]] = None
            unknown.update(dict.fromkeys(count.unknown))
        terms = []
        if per_mac := self.convention.macs:
            terms.append(Term(MACS_LABEL, macs, per_mac, per_mac * macs))
        for rule in self.convention.rules:
            number = elements.get(rule, 0)
            if number != 0:
                named = ", ".join(kinds[rule]).replace("_", " ")
                label = rule.label.format(n=rule.n, kinds=named)
                terms.append(Term(label, number, rule.n, rule.n * number))
        if average != 0:
            terms.append(Term("average of the modules over the batch", average, -1, -average))
        return tuple(terms), tuple(sorted(unknown))

    def _count(self, node: Node) -> _Count:
        key = _key(node)
        if key not in self._counts:
            self._counts[key] = self._count_operation(node.op, node.functional)
        return self._counts[key]

    def _count_operation(self, operation: Operation, functional: bool) -> _Count:
        convention = self.convention
        macs: Any = operation.cost.macs if convention.macs else 0
        value: Any = convention.macs * macs
        averaged: Any = value if convention.averaged else 0
        elements: defaultdict[Rule, Any] = defaultdict(int)
        kinds = {}
        unknown = []
        for part in parts(operation):
            rules = convention.rules_for(part, functional)
            if rules is None:
                unknown.append(part.layer.name)
            for rule in rules or ():
                assert rule.of is not None
                number = rule.of(part)
                elements[rule] = elements[rule] + number
                kinds[rule] = part.layer.name
                value = value + rule.n * number
                averaged = averaged + rule.n * number if rule.averaged else averaged
        average = averaged - averaged // self._batch
        return _Count(macs, dict(elements), kinds, value - average, average, tuple(unknown))


def _key(node: Node) -> tuple[int, bool]:
    """The same for nodes that are counted alike."""
    return id(node.operation), node.functional


def parts(operation: Operation) -> list[Operation]:
    """The operations that a short form stands for; itself, if it is none."""
    layers = operation.layer.parts(*operation.inputs)
    if layers[0] is operation.layer:
        return [operation]
    found: list[Operation] = []
    shapes = operation.inputs
    for layer in layers:
        found.append(Operation(layer, shapes))
        shapes = (found[-1].output_shape,)
    return found


# -- what rules count -------------------------------------------------------------------------


def inputs(op: Operation) -> Any:
    """The elements of the (first) input, the batch included."""
    return arith.product(op.inputs[0])


def outputs(op: Operation) -> Any:
    """The elements of the output, the batch included."""
    return arith.product(op.output_shape)


def macs(op: Operation) -> Any:
    """The multiply–accumulates."""
    return op.cost.macs


def params_per_sample(op: Operation) -> Any:
    """The parameters, once for every sample of the batch."""
    return op.inputs[0][0] * op.params


def beyond_transposed(op: Operation) -> Any:
    """What a transposed convolution has too much if every output is taken to see every tap.

    N · Π outputs per axis · weights, less its MACs, which are over the inputs.
    """
    weight = op.layer.weights(*op.inputs)["weight"].shape
    positions = arith.product(op.output_shape[2:])
    return op.output_shape[0] * positions * arith.product(weight) - op.cost.macs


def window_elements(op: Operation) -> Any:
    """The elements of all windows of a pooling, padding among them."""
    return arith.product([outputs(op), *(w.kernel for w in op.layer.window(*op.inputs) or ())])  # type: ignore[attr-defined]


def further_inputs(op: Operation) -> Any:
    """The outputs of a merge, for every input but the first."""
    return outputs(op) * (len(op.inputs) - 1)


def lrn_window(op: Operation) -> Any:
    """The elements of the windows of a local response norm."""
    return inputs(op) * op.layer.size  # type: ignore[attr-defined]


def lrn_pooled(op: Operation) -> Any:
    """The elements that the average pooling in PyTorch's F.local_response_norm reads.

    The squares, with size − 1 channels of zeros. torch/nn/functional.py, local_response_norm.
    """
    n, channels, *sizes = op.inputs[0]
    return n * (channels + (op.layer.size - 1)) * arith.product(sizes)  # type: ignore[attr-defined]


# -- where rules hold -------------------------------------------------------------------------


def biased(op: Operation) -> bool:
    """With a bias."""
    return op.layer.bias  # type: ignore[attr-defined, no-any-return]


def affine(op: Operation) -> bool:
    """With a learnt factor and shift."""
    return op.layer.affine  # type: ignore[attr-defined, no-any-return]


def plain(op: Operation) -> bool:
    """Without a learnt factor and shift."""
    return not affine(op)


def upsampling(mode: str, *ranks: int) -> Callable[[Operation], bool]:
    """Upsampling by nearest, linear or cubic interpolation, over some numbers of spatial axes."""

    def holds(op: Operation) -> bool:
        own: str = op.layer.mode  # type: ignore[attr-defined]
        return own.endswith(mode) and len(op.inputs[0]) - 2 in ranks

    return holds
