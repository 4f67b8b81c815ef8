"""What a layer says about itself, held against what it does: laws of its `forward`.

The configurations are those of the contract tests. The laws:

1. the output's shape is that which `output_shape` says, and its type that of the input;
2. (test_layer_contract.py: symbols, arrays and ints agree);
3. every declared weight is real: one axis of one weight off by one makes `forward` raise, and a NaN
   in any element of a weight reaches the output;
4. where all is linear, ones for data and weights, without bias, sum up to the MACs without padding;
   and the matrix products of any run have as many MACs as are said;
5. a NaN in one input element reaches exactly the outputs one of whose taps holds it;
6. array modules agree, and data stays where the module keeps it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import math
import operator
from collections.abc import Callable, Iterator
from typing import Any

import numpy
import pytest
from hypothesis import strategies as st

from convcalc import arith
from convcalc.execution.counting import Counting
from convcalc.layer import Layer, Shape, fields
from convcalc.layers import layer_class
from convcalc.layers.merge import ElementwiseMerge
from convcalc.view import Spread, View, Window

from .layers.test_shuffle import pairs
from .strict import StrictArray, strict
from .test_layer_contract import NAMES, explore, operation

Shapes = tuple[Shape, ...]


def accepted(name: str, check: Callable[[st.DataObject, Layer, Shapes], None]) -> None:
    """Check what a layer computes in those configurations in which it is not refused."""

    def run(data: st.DataObject, layer: Layer, shapes: Shapes) -> None:
        if operation(layer, shapes) is not None:
            check(data, layer, shapes)

    explore(name, run, share=4)


def sample(layer: Layer, shapes: Shapes, dtype: str = "float64") -> tuple[Any, dict[str, Any]]:
    """Random inputs, and weights, the variances among them above 0; none can be written to."""
    rng = numpy.random.default_rng(0)

    def drawn(shape: Any, least: float = -1) -> Any:
        array = rng.uniform(least, 1, shape).astype(dtype)
        array.flags.writeable = False
        return array

    inputs = tuple(drawn(shape) for shape in shapes)
    weights = layer.weights(*shapes).items()
    return inputs, {n: drawn(w.shape, 0.1 if "var" in n else -1) for n, w in weights}


def with_nan(array: Any, index: Any) -> Any:
    """The array, and not a number at one place."""
    changed = array.copy()
    changed[index] = numpy.nan
    return changed


def any_index(data: st.DataObject, shape: Any) -> tuple[int, ...]:
    """A place in an array of this shape."""
    return tuple(data.draw(st.integers(0, size - 1)) for size in shape)


def without(layer: Layer, **values: Any) -> Layer:
    """The layer with other values for those of these fields that it has."""
    own = {field.name for field in fields(type(layer))}
    return dataclasses.replace(layer, **{k: v for k, v in values.items() if k in own})  # type: ignore[type-var]


# -- 1: the shape -----------------------------------------------------------------------------


@contextlib.contextmanager
def no_shape_formula() -> Iterator[None]:
    """What says the sizes of outputs cannot be called."""

    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("a forward that asks the formula proves nothing about it")

    with pytest.MonkeyPatch.context() as patch:
        for layer in {base for name in NAMES for base in layer_class(name).__mro__}:
            if "output_shape" in vars(layer):
                patch.setattr(layer, "output_shape", refuse)
        for formula in ("window_out", "window_out_ceil", "transposed_out", "slice_out",
                        "scaled_out"):  # fmt: skip
            patch.setattr(arith, formula, refuse)
        yield


@pytest.mark.parametrize("name", NAMES)
def test_the_output_has_the_shape_that_is_said(name: str) -> None:
    def check(data: st.DataObject, layer: Layer, shapes: Shapes) -> None:
        for dtype in ("float64", "float32"):
            inputs, weights = sample(layer, shapes, dtype)
            with no_shape_formula():
                y = layer.forward(numpy, inputs, weights)
            assert y.shape == layer.output_shape(*shapes)
            assert y.dtype == dtype
            if layer.is_view:
                assert numpy.shares_memory(y, inputs[0])

    accepted(name, check)


# -- 3: weights -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_a_weight_of_another_shape_is_refused(name: str) -> None:
    def check(data: st.DataObject, layer: Layer, shapes: Shapes) -> None:
        inputs, weights = sample(layer, shapes)
        for own, weight in weights.items():
            for axis, off in itertools.product(range(weight.ndim), (-1, 1)):
                shape = [n + off if a == axis else n for a, n in enumerate(weight.shape)]
                with pytest.raises(ValueError, match=r"has the shape .* is due"):
                    layer.forward(numpy, inputs, {**weights, own: numpy.ones(shape)})

    accepted(name, check)


@pytest.mark.parametrize("name", NAMES)
def test_every_element_of_a_weight_is_used(name: str) -> None:
    def check(data: st.DataObject, layer: Layer, shapes: Shapes) -> None:
        # padding crops a transposed convolution: maybe all that one element of its kernel makes
        layer = without(layer, padding=0) if name == "conv_transpose" else layer
        inputs, weights = sample(layer, shapes)
        inputs = [-abs(x) for x in inputs]  # a PReLU multiplies below 0 only
        for own, weight in weights.items():
            changed = with_nan(weight, any_index(data, weight.shape))
            y = layer.forward(numpy, inputs, {**weights, own: changed})
            assert numpy.isnan(y).any()

    accepted(name, check)


# -- 4: multiply–accumulates ------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_ones_sum_up_to_the_macs(name: str) -> None:
    def total(layer: Layer, x: Shape) -> float:
        weights = {own: numpy.ones(w.shape) for own, w in layer.weights(x).items()}
        return layer.forward(numpy, (numpy.ones(x),), weights).sum()  # type: ignore[no-any-return]

    def check(data: st.DataObject, layer: Layer, shapes: Shapes) -> None:
        for part, x in chained(layer, shapes):
            if not part.cost(*x).macs:
                continue
            part = without(part, bias=False)
            assert total(part, *x) == part.macs_nonpad(*x)
            plain = without(part, padding=0)
            if operation(plain, x) is not None:
                assert total(plain, *x) == plain.cost(*x).macs

    accepted(name, check)


def chained(layer: Layer, shapes: Shapes) -> Iterator[tuple[Layer, Shapes]]:
    """The layers in a row that a layer is short for, where it is short for several, and inputs."""
    parts = layer.parts(*shapes)
    for part in parts if len(parts) > 1 else (layer,):
        yield part, shapes
        shapes = (part.output_shape(*shapes),)


@pytest.mark.parametrize("name", NAMES)
def test_a_short_form_computes_what_its_parts_compute(name: str) -> None:
    def check(data: st.DataObject, layer: Layer, shapes: Shapes) -> None:
        if layer.parts(*shapes) == (layer,):
            return
        inputs, weights = sample(layer, shapes)
        left, y = list(weights.values()), inputs
        for part in layer.parts(*shapes):
            own = {n: left.pop(0) for n in part.weights(*(x.shape for x in y))}
            y = (part.forward(numpy, y, own),)
        assert not left
        assert numpy.array_equal(layer.forward(numpy, inputs, weights), *y)

    accepted(name, check)


@pytest.mark.parametrize("name", NAMES)
def test_the_macs_of_a_run_are_those_that_are_said(name: str) -> None:
    def check(data: st.DataObject, layer: Layer, shapes: Shapes) -> None:
        counting = Counting(numpy)
        layer.forward(counting, *sample(layer, shapes))
        assert counting.macs == layer.cost(*shapes).macs

    accepted(name, check)


# -- 5: what an output reads ------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_a_nan_reaches_the_outputs_that_read_it(name: str) -> None:
    def check(data: st.DataObject, layer: Layer, shapes: Shapes) -> None:
        inputs, weights = sample(layer, shapes)
        number = data.draw(st.integers(0, len(shapes) - 1))
        place = any_index(data, shapes[number])
        changed = list(inputs)
        changed[number] = with_nan(inputs[number], place)
        y = layer.forward(numpy, tuple(changed), weights)
        assert numpy.array_equal(numpy.isnan(y), readers(layer, shapes, number, place))

    accepted(name, check)


def readers(layer: Layer, shapes: Shapes, number: int, place: tuple[int, ...]) -> Any:
    """Which elements of the output have the element of input `number` at `place` under a tap."""
    out = layer.output_shape(*shapes)
    if layer.name in MOVES:
        return MOVES[layer.name](layer, shapes[number], out, place)
    found = numpy.ones(out, bool)
    for axis, (size, at) in enumerate(zip(shapes[number], place, strict=True)):
        own = layer.view(axis, number, *shapes)
        if own is None or (isinstance(layer, ElementwiseMerge) and size == 1):
            continue  # every output reads the whole axis, or its only position again
        along, view = own
        reads = [at in taps(view, i, size) for i in range(out[along])]
        found &= numpy.expand_dims(reads, [a for a in range(len(out)) if a != along])
    if layer.name in ("conv", "conv_transpose", "group_norm"):
        # channels that are mixed are mixed within their group
        group, groups = place[1] * layer.groups // shapes[0][1], layer.groups  # type: ignore[attr-defined]
        found &= numpy.expand_dims(
            numpy.arange(out[1]) * groups // out[1] == group, [0, *range(2, len(out))]
        )
    return found


def taps(view: View, i: int, size: int) -> Any:
    """The positions of an axis of `size` that output i reads, gaps left out."""
    if isinstance(view, Window):
        first = i * view.stride - view.before
        return range(first, first + view.kernel * view.dilation, view.dilation)
    if isinstance(view, Spread):
        spread = range(0, view.kernel * view.dilation, view.dilation)
        return {j for j in range(size) if i + view.before - j * view.stride in spread}
    first, last = view.reads(i, i)
    # interpolation reads the border instead of what is beyond
    return {min(max(j, 0), size - 1) for j in range(first, last + 1)}


def in_order(layer: Layer, x: Shape, out: Shape, place: tuple[int, ...]) -> Any:
    """The element that is as many elements from the first."""
    return numpy.arange(math.prod(out)).reshape(out) == numpy.ravel_multi_index(place, x)  # type: ignore[arg-type]


def shuffled(layer: Any, x: Shape, out: Shape, place: tuple[int, ...]) -> Any:
    """The element where the naive shuffle of pixels puts it."""
    stacked = x if layer.name == "pixel_shuffle" else out
    found = numpy.zeros(out, bool)
    for image, stack in pairs(layer.scale, stacked):
        source, goal = (stack, image) if stacked is x else (image, stack)
        found[goal] = source == place
    return found


def interleaved(layer: Any, x: Shape, out: Shape, place: tuple[int, ...]) -> Any:
    """The element whose channel is read off the matrix of groups, column by column."""
    order = numpy.arange(x[1]).reshape(layer.groups, -1).T.ravel()
    found = numpy.zeros(out, bool)
    found[place[0], order == place[1], *place[2:]] = True
    return found


MOVES: dict[str, Callable[..., Any]] = {
    "flatten": in_order,
    "reshape": in_order,
    "channel_shuffle": interleaved,
    "pixel_shuffle": shuffled,
    "pixel_unshuffle": shuffled,
}
"""Layers whose outputs read one element each, which no view of single axes can say."""


# -- 6: array modules -------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_array_modules_agree(name: str) -> None:
    def check(data: st.DataObject, layer: Layer, shapes: Shapes) -> None:
        inputs, weights = sample(layer, shapes, data.draw(st.sampled_from(["float32", "float64"])))
        there = {own: StrictArray(weight) for own, weight in weights.items()}
        y = layer.forward(strict, tuple(map(StrictArray, inputs)), there)
        assert isinstance(y, StrictArray)
        due = layer.forward(numpy, inputs, weights)
        assert y.dtype == due.dtype
        assert numpy.array_equal(y.get(), due)

    accepted(name, check)


@pytest.mark.parametrize(
    "ask",
    [
        bool, int, float, list, operator.index, numpy.asarray, numpy.exp,
        lambda x: x.tolist(), lambda x: x + numpy.ones(1), lambda x: numpy.float64(1) * x,
        lambda x: strict.maximum(x, numpy.ones(1)), lambda x: strict.sum(x, where=x > 0),
        lambda x: strict.pad(x, numpy.ones(1)),
    ],
)  # fmt: skip
def test_a_strict_array_stays_where_it_is(ask: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError):
        ask(StrictArray(numpy.ones(1)))


def test_the_strict_module_has_what_others_have() -> None:
    with pytest.raises(AttributeError, match="has no vectorize"):
        _ = strict.vectorize
