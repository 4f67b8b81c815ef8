"""Layers that move data, or pass it on."""

import pytest
from hypothesis import strategies as st

from convcalc.dim import symbol
from convcalc.graph import Operation
from convcalc.layers.shape import Crop, Dropout, Flatten, Identity, Permute, Slice

from .naive import (
    Case,
    DoesNotFitError,
    Index,
    Run,
    Tensor,
    alone,
    check_forward,
    each_axis,
    front,
    per_axis,
    positions,
    refusal,
    shapes,
    spatial,
)


def naive_identity(layer: Identity | Dropout, run: Run, x: Index) -> Tensor:
    return {place: run.element(*place) for place in positions(*x)}


def naive_flatten(layer: Flatten, run: Run, x: Index) -> Tensor:
    return {
        (sample, i): run.element(sample, *place)
        for sample in range(x[0])
        for i, place in enumerate(positions(*x[1:]))
    }


@st.composite
def permutes(draw: st.DrawFn) -> tuple[Permute, tuple[Index]]:
    x = draw(shapes((0, 1, 2, 3)))
    order = [0, *draw(st.permutations(range(1, len(x))))]
    axes = [axis - len(x) if draw(st.integers(0, 3)) == 0 else axis for axis in order]
    broken = draw(st.integers(0, 9))
    if broken == 0:
        axes.pop()
    elif broken == 1:
        axes[draw(st.integers(0, len(x) - 1))] = draw(st.integers(-6, 6))
    elif broken == 2:
        axes = draw(st.permutations(axes))
    return Permute(axes=tuple(axes)), (x,)


def naive_permute(layer: Permute, run: Run, x: Index) -> Tensor:
    numbers = list(range(len(x)))
    if any(axis not in range(-len(x), len(x)) for axis in layer.axes):
        raise DoesNotFitError
    order = [numbers[axis] for axis in layer.axes]
    if set(order) != set(numbers) or len(order) != len(numbers) or order[0] != 0:
        raise DoesNotFitError
    return {tuple(place[axis] for axis in order): run.element(*place) for place in positions(*x)}


@st.composite
def crops(draw: st.DrawFn) -> tuple[Crop, tuple[Index]]:
    x = draw(shapes())
    each = st.tuples(*(st.integers(1, size) for size in x[2:]))
    return Crop(size=draw(each | per_axis(st.integers(1, 6), len(x) - 2))), (x,)


def naive_crop(layer: Crop, run: Run, x: Index) -> Tensor:
    output: Tensor = {}
    kept = []
    for size, due in zip(spatial(x), each_axis(layer.size, len(x) - 2), strict=True):
        places = list(range(size))
        while len(places) > due:  # one after, one before, and so on
            places.pop(-1 if len(places) % 2 == size % 2 else 0)
        if len(places) < due:
            raise DoesNotFitError
        kept.append(places)
    for place in positions(*x[:2]):
        for position in positions(*map(len, kept)):
            source = (places[i] for places, i in zip(kept, position, strict=True))
            output[*place, *position] = run.element(*place, *source)
    return output


@st.composite
def slices(draw: st.DrawFn) -> tuple[Slice, tuple[Index]]:
    x = draw(shapes((0, 1, 2, 3)))
    return Slice(
        axis=draw(st.integers(1, len(x) - 1) | st.integers(-5, 5)),
        start=draw(st.integers(0, 2) | st.integers(-9, 9)),
        stop=draw(st.none() | st.integers(-9, 9)),
        step=draw(st.integers(1, 3)),
    ), (x,)


def naive_slice(layer: Slice, run: Run, x: Index) -> Tensor:
    axis = front(layer.axis, x)
    size = x[axis]
    kept = list(range(size))[layer.start : layer.stop : layer.step]
    # Python cuts short what is out of range; here that is most likely a mistake
    ends = range(-size, size + 1)
    if not kept or layer.start not in ends or (layer.stop is not None and layer.stop not in ends):
        raise DoesNotFitError
    return {
        (*place[:axis], kept.index(place[axis]), *place[axis + 1 :]): run.element(*place)
        for place in positions(*x)
        if place[axis] in kept
    }


CASES = {
    "identity": Case(alone(st.just(Identity())), naive_identity),
    "dropout": Case(alone(st.just(Dropout())), naive_identity),
    "flatten": Case(alone(st.just(Flatten())), naive_flatten),
    "permute": Case(permutes(), naive_permute, examples=60),
    "crop": Case(crops(), naive_crop),
    "slice": Case(slices(), naive_slice, examples=80),
}


@pytest.mark.parametrize("name", CASES)
def test_the_values_are_those_of_a_naive_run(name: str) -> None:
    check_forward(CASES[name])


def test_flatten_before_the_classifier_of_vgg16() -> None:
    assert Operation(Flatten(), ((2, 512, 7, 7),)).output_shape == (2, 25_088)


def test_permute_needs_an_order_of_all_axes_with_the_batch_first() -> None:
    for axes, shown in [((1, 0, 2), "[1, 0, 2]"), ((0, 1), "[0, 1]"), ((0, 1, 1), "[0, 1, 1]"),
                        ((0, 1, 3), "[0, 1, 3]")]:  # fmt: skip
        assert refusal(Permute(axes=axes), (5, 6, 7)) == (
            f"permute: {shown} is no order of the axes 0 to 2 of [5, 6, 7] with the batch, 0, first"
        )


def test_permute_moves_the_channels_last() -> None:
    for axes in ((0, 2, 3, 1), (0, -2, -1, 1)):
        assert Operation(Permute(axes=axes), ((2, 3, 5, 7),)).output_shape == (2, 5, 7, 3)


def test_a_crop_cannot_enlarge() -> None:
    assert refusal(Crop(size=(4, 9)), (1, 3, 5, 7)) == (
        "crop to width 9 of width 7. A crop cannot enlarge."
    )
    assert refusal(Crop(size=(4, 9)), (1, 3, 7)) == (
        "size has 2 values, but the input has 1 spatial axis (length)"
    )
    assert refusal(Crop(), (1, 3, 7)) == (
        "crop needs a size, or like: the name of a layer of that size"
    )
    assert refusal(Crop(size=1), (1, 3)) == (
        "crop needs 1 to 3 spatial axes after [N, channels], and gets [1, 3]. "
        "A flattened tensor has none: put the layer before flatten."
    )


@pytest.mark.parametrize(
    ("start", "stop", "shown"),
    [
        (5, None, "from 5 to the end"),
        (0, 6, "from 0 to 6"),
        (3, 2, "from 3 to 2"),
        (2, 2, "from 2 to 2"),
        (-6, None, "from -6 to the end"),
        (0, -5, "from 0 to -5"),
    ],
)
def test_a_slice_out_of_range_is_told_as_it_was_written(
    start: int, stop: int | None, shown: str
) -> None:
    assert refusal(Slice(start=start, stop=stop), (1, 5, 7)) == (
        f"slice {shown} of axis 1, which has 5 positions. 0 ≤ start < stop ≤ size is due."
    )


def test_a_slice_along_an_axis_that_is_not_there() -> None:
    assert refusal(Slice(axis=3), (1, 5, 7)) == (
        "slice: axis 3 does not exist: the input has 3 axes, 0 to 2"
    )
    assert refusal(Slice(axis=0), (1, 5, 7)) == (
        "slice: axis 0 is the batch, whose samples stay apart. The channels are axis 1."
    )


def test_half_of_the_channels_of_shufflenet() -> None:
    # arXiv:1807.11164, figure 3c: a channel split
    channels = symbol("C")
    operation = Operation(Slice(start=channels // 2), ((1, channels, 7, 5),))
    assert operation.output_shape[1].evaluate(C=7) == 4
    assert Operation(Slice(stop=58), ((1, 116, 7, 5),)).output_shape == (1, 58, 7, 5)
