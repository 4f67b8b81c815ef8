"""What the layers are measured against: naive runs over numbers that count what is done to them.

A naive run is the layer as a textbook writes it, in loops over positions and taps. The shape is
that of the tensor which it returns, the parameters are those that it read, the operations those
that Python carried out. It shares no code with convcalc: not its arithmetic, not its formulas.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any, NamedTuple

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convcalc.cost import Cost
from convcalc.errors import ShapeError
from convcalc.graph import Operation
from convcalc.layer import Layer, Weight

Index = tuple[int, ...]
Tensor = dict[Index, "Number"]


class DoesNotFitError(Exception):
    """The layer cannot run on these inputs."""


@dataclass
class Number:
    """A number whose value does not matter: it counts the operations that it goes through."""

    counts: Counter[str]

    def _counted(self, kind: str) -> Number:
        self.counts[kind] += 1
        return self

    def __add__(self, other: object) -> Number:
        return self._counted("adds")

    def __mul__(self, other: object) -> Number:
        return self._counted("multiplies")

    def __truediv__(self, other: object) -> Number:
        return self._counted("divides")

    def __pow__(self, other: object) -> Number:
        return self._counted("exps")

    def __gt__(self, other: object) -> bool:
        return bool(self._counted("compares"))

    def __neg__(self) -> Number:
        return self  # a change of sign is no operation

    __radd__ = __sub__ = __rsub__ = __add__
    __rmul__ = __mul__
    __rtruediv__ = __truediv__
    __lt__ = __gt__


def transcendental(function: Callable[[float], float], x: Any) -> Any:
    """A function of x: exp, tanh, erf, a root."""
    if not isinstance(x, Number):
        return function(x)
    x.counts["exps"] += 1
    return x


class Run:
    """One naive run: what it counted, and which elements of which weights it read."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.number = Number(self.counts)
        """An element of an input, or a constant; all are the same."""
        self.learnt: dict[str, set[Index]] = {}
        self.kept: dict[str, set[Index]] = {}
        self.taps: list[list[list[int]]] | None = None
        """For each spatial axis the positions under every window, where the layer slides one."""

    def element(self, *place: int, of: int = 0) -> Number:
        """An element of input number `of`; 0 where the place is outside it."""
        return self.number

    def constant(self, value: Any) -> Number:
        """A number that the layer brings along."""
        return self.number

    def folded(self, function: Callable[..., float], *numbers: Number) -> Number:
        """What is worked out of weights, once and for all, before any input is seen."""
        return self.number

    def weight(self, name: str, *index: int) -> Number:
        """An element of a learnable weight."""
        self.learnt.setdefault(name, set()).add(index)
        return self.number

    def buffer(self, name: str, *index: int) -> Number:
        """An element of a buffer."""
        self.kept.setdefault(name, set()).add(index)
        return self.number

    def mac(self, x: Number, weight: Number) -> Number:
        """A product that goes into the sum of a convolution or linear layer."""
        self.counts["macs"] += 1
        return x * weight

    @property
    def weights(self) -> dict[str, Weight]:
        """The weights as the elements read make them up, as a layer declares them."""
        return {
            name: Weight(shape_of(elements), trainable)
            for group, trainable in ((self.learnt, True), (self.kept, False))
            for name, elements in group.items()
        }

    @property
    def cost(self) -> Cost:
        """The operations counted."""
        return Cost(**self.counts)


class Evaluation(Run):
    """A naive run over the numbers in some arrays."""

    def __init__(self, inputs: Iterable[Any], weights: dict[str, Any]) -> None:
        super().__init__()
        self.inputs = [elements_of(x) for x in inputs]
        self.arrays = {name: elements_of(array) for name, array in weights.items()}

    def element(self, *place: int, of: int = 0) -> Any:
        return self.inputs[of].get(place, 0.0)

    def constant(self, value: Any) -> Any:
        return float(value)

    def folded(self, function: Callable[..., float], *numbers: Any) -> Any:
        return function(*numbers)

    def weight(self, name: str, *index: int) -> Any:
        return self.arrays[name][index]

    buffer = weight


def elements_of(array: Any) -> dict[Index, float]:
    """The elements of an array by their places."""
    return {place: float(value) for place, value in numpy.ndenumerate(array)}


class Case(NamedTuple):
    """How a layer is tested: configurations to draw, some of which do not fit, and a naive run."""

    configurations: st.SearchStrategy[tuple[Any, tuple[Index, ...]]]
    naive: Callable[..., Tensor]
    """Called with the layer, a Run and the shapes of the inputs; returns the output.

    Raises:
        DoesNotFitError: the layer must be refused on these inputs.
    """
    examples: int = 30
    """How many configurations are tried: more where there are many fields."""


def shape_of(indices: Iterable[Index]) -> Index:
    """The shape of an array with elements at these places, which must fill it."""
    found = set(indices)
    shape = tuple(max(axis) + 1 for axis in zip(*found, strict=True))
    assert len(found) == math.prod(shape), "the array has holes"
    return shape


def positions(*lengths: int) -> Iterator[Index]:
    """Every place in an array of this shape."""
    return itertools.product(*map(range, lengths))


def total(numbers: Iterable[Number]) -> Number:
    """Their sum: one add fewer than there are numbers."""
    return reduce(add, numbers)


def largest(numbers: Iterable[Any]) -> Any:
    """The largest of them: one comparison fewer than there are numbers; NaN if one is."""
    return reduce(lambda a, b: b if a < b or math.isnan(b) else a, numbers)


def each_axis(value: Any, rank: int) -> list[Any]:
    """A field's value for each spatial axis."""
    values = list(value) if isinstance(value, tuple) else [value] * rank
    if len(values) != rank:
        raise DoesNotFitError
    return values


def spatial(x: Index) -> Index:
    """The spatial axes of a shape."""
    if len(x) not in (3, 4, 5):
        raise DoesNotFitError
    return x[2:]


def front(axis: int, x: Index) -> int:
    """The axis of that number, found among all of them; never the batch."""
    axes = list(range(len(x)))
    if axis not in [*axes, *(a - len(x) for a in axes)] or axes[axis] == 0:
        raise DoesNotFitError
    return axes[axis]


def equal_groups(channels: int, groups: int) -> list[list[int]]:
    """The channels in a row, cut into groups of as many each."""
    cuts = [channels * i / groups for i in range(groups + 1)]
    if not all(cut.is_integer() for cut in cuts):
        raise DoesNotFitError
    return [list(range(int(a), int(b))) for a, b in itertools.pairwise(cuts)]


def slide(
    size: int,
    kernel: int,
    stride: int = 1,
    before: int = 0,
    after: int = 0,
    dilation: int = 1,
    ceil_mode: bool = False,
) -> list[list[int]]:
    """The positions under every window, from first to last; those outside 0 … size − 1 are padding.

    In ceil mode a window may hang over the padded end by less than a stride, but must not start
    after the input.
    """
    windows: list[list[int]] = []
    for start in itertools.count(-before, stride):
        window = [start + dilation * tap for tap in range(kernel)]
        overhang = window[-1] - (size + after - 1)
        if overhang >= (stride if ceil_mode else 1) or (ceil_mode and start >= size):
            return windows
        windows.append(window)
    raise AssertionError


def pads_of(padding: Any, rank: int) -> list[tuple[int, int]]:
    """The zeros before and after each axis, where they are given as numbers."""
    return [p if isinstance(p, tuple) else (p, p) for p in each_axis(padding, rank)]


def windows_of(layer: Any, x: Index, *, dilation: Any, stride: Any, ceil_mode: bool = False) -> Any:
    """The windows along every spatial axis of x; each axis must have one."""
    sizes = spatial(x)
    rank = len(sizes)
    shared = [each_axis(value, rank) for value in (layer.kernel, stride, dilation)]
    if layer.padding in ("same", "same_lower"):
        axes = [same(layer.padding, *axis) for axis in zip(sizes, *shared, strict=True)]
    else:
        axes = [
            slide(n, k, s, before, after, d, ceil_mode)
            for n, k, s, d, (before, after) in zip(
                sizes, *shared, pads_of(layer.padding, rank), strict=True
            )
        ]
    if not all(axes):
        raise DoesNotFitError
    return axes


def same(padding: str, size: int, kernel: int, stride: int, dilation: int) -> list[list[int]]:
    """The windows under the least padding that gives as many as strides fit into the input."""
    due = len(range(0, size, stride))
    for zeros in itertools.count():
        half, rest = zeros // 2, zeros - zeros // 2
        before, after = (half, rest) if padding == "same" else (rest, half)
        windows = slide(size, kernel, stride, before, after, dilation)
        if len(windows) == due:
            return windows
    raise AssertionError


# -- what configurations are drawn from -------------------------------------------------------

_MOST = {0: 9, 1: 7, 2: 6, 3: 5}
"""The largest size drawn for so many spatial axes: the loops are in Python."""


@st.composite
def shapes(draw: st.DrawFn, ranks: tuple[int, ...] = (1, 2, 3)) -> Index:
    """[N, channels, *spatial] with all sizes different, so that swapped axes cannot pass."""
    rank = draw(st.sampled_from(ranks))
    sizes = draw(st.permutations(range(1, _MOST[rank] + 1)))
    return tuple(sizes[: rank + 2])


def per_axis(element: st.SearchStrategy[Any], rank: int) -> st.SearchStrategy[Any]:
    """One value for all spatial axes, or one for each."""
    return element | st.tuples(*[element] * rank)


def group_counts(channels: int) -> st.SearchStrategy[int]:
    """Numbers of groups, most of which divide the channels."""
    divisors = [count for count in range(1, channels + 1) if channels % count == 0]
    return st.sampled_from(divisors) | st.sampled_from(divisors) | st.integers(1, 4)


def paddings(rank: int, most: int = 2) -> st.SearchStrategy[Any]:
    """Numbers, one per axis, [before, after] per axis, or a word."""
    zeros = st.integers(0, most)
    pairs = st.tuples(*[st.tuples(zeros, zeros)] * rank)
    return per_axis(zeros, rank) | pairs | st.sampled_from(["same", "same_lower"])


def kernels(rank: int, most: int = 4) -> st.SearchStrategy[Any]:
    """Window lengths; over three axes small ones, and all different where they are several."""
    if rank == 3:
        return st.integers(1, 2) | st.permutations([1, 2, 3]).map(tuple)
    return per_axis(st.integers(1, most), rank)


def alone(layers: st.SearchStrategy[Any], ranks: tuple[int, ...] = (0, 1, 2, 3)) -> Any:
    """Configurations whose layer does not depend on the shape."""
    return st.tuples(layers, st.tuples(shapes(ranks)))


# -- values -----------------------------------------------------------------------------------


def check_forward(case: Case) -> None:
    """That `forward` gives, in both precisions, what a naive run does with the same numbers.

    Every other input has a NaN somewhere.
    """

    @settings(max_examples=case.examples)
    @given(case.configurations, st.integers(0, 2**32 - 1))
    def check(configuration: tuple[Any, tuple[Index, ...]], seed: int) -> None:
        layer, shapes = configuration
        try:
            Operation(layer, shapes)
        except ShapeError:
            return
        rng = numpy.random.default_rng(seed)
        inputs = [rng.uniform(-1, 1, shape) for shape in shapes]
        if seed % 2:
            x = inputs[seed % len(inputs)]
            x[tuple(rng.integers(x.shape))] = math.nan
        weights = {
            name: rng.uniform(0.1 if "var" in name else -1, 1, w.shape)
            for name, w in layer.weights(*shapes).items()
        }
        output = case.naive(layer, Evaluation(inputs, weights), *shapes)
        due = numpy.empty(shape_of(output))
        for place, value in output.items():
            due[place] = value
        for dtype, tolerance in ((numpy.float64, 1e-13), (numpy.float32, 2e-6)):
            given_inputs = tuple(x.astype(dtype) for x in inputs)
            given_weights = {name: array.astype(dtype) for name, array in weights.items()}
            y = layer.forward(numpy, given_inputs, given_weights)
            assert (y.dtype, y.shape) == (dtype, due.shape)
            if sum(layer.cost(*shapes)):
                assert not any(numpy.shares_memory(x, y) for x in given_inputs)
            numpy.testing.assert_allclose(y, due, rtol=tolerance, atol=10 * tolerance)

    check()


def ramp(*shape: int) -> Any:
    """1, 2, 3 … in that shape."""
    return numpy.arange(1.0, 1 + math.prod(shape)).reshape(shape)


def output_of(layer: Layer, x: Any, **weights: Any) -> Any:
    """What `forward` makes of one array."""
    return layer.forward(numpy, (numpy.asarray(x, numpy.float64),), weights)


# -- texts ------------------------------------------------------------------------------------


def refusal(layer: Layer, *inputs: Any) -> str:
    """The text of the error with which a layer is refused."""
    with pytest.raises(ShapeError) as caught:
        Operation(layer, inputs)
    return str(caught.value)
