"""Normalisation, and the learnable factor that often follows one."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Any

from convcalc import arith
from convcalc.arrays import Array, along, padded, slid
from convcalc.cost import Cost, per_element
from convcalc.errors import ShapeError
from convcalc.fields import Axes, Boolean, Count, Decimal, Number
from convcalc.layer import (
    Layer,
    Requirement,
    Shape,
    Weight,
    axis_index,
    divides,
    show_shape,
    spatial,
)
from convcalc.view import IDENTITY, View, Window


@dataclass(frozen=True, kw_only=True)
class BatchNorm(Layer, name="batch_norm"):
    """Batch normalisation over the channels: (N, C, …) → the same.

    At inference the statistics are constants, so it is one factor and one shift per channel: one
    multiply and one add per element. Its running mean and variance are buffers, 2·C values.

    Source: Ioffe and Szegedy 2015, arXiv:1502.03167, algorithm 2, line 11.
    """

    affine: Boolean = True
    eps: Annotated[int | Fraction, Decimal(positive=True)] = Fraction(1, 100_000)

    is_elementwise = True

    example = "batch_norm"

    def output_shape(self, x: Shape) -> Shape:
        return x

    def weights(self, x: Shape) -> Mapping[str, Weight]:
        channels = (x[1],)
        learnt = per_channel(x) if self.affine else {}
        statistics = {
            "running_mean": Weight(channels, trainable=False),
            "running_var": Weight(channels, trainable=False),
        }
        return learnt | statistics

    def cost(self, x: Shape) -> Cost:
        return per_element(arith.product(x), multiplies=1, adds=1)

    def forward(self, xp: Any, inputs: tuple[Array, ...], weights: Mapping[str, Array]) -> Array:
        (x,) = inputs
        mean, variance = (along(xp, weights, f"running_{name}", x, [1]) for name in ("mean", "var"))
        y = (x - mean) / xp.sqrt(variance + float(self.eps))
        return transformed(xp, y, weights, [1]) if self.affine else y


@dataclass(frozen=True, kw_only=True)
class LocalResponseNorm(Layer, name="local_response_norm"):
    """Local response normalisation over neighbouring channels: (N, C, …) → the same.

    b = a / (k + α/n · Σ a²)^β: per element a square, n − 1 adds for the sum (zeros stand beyond
    the first and the last channel), a multiply and an add, a power and a division.

    Source: Krizhevsky, Sutskever, Hinton 2012, section 3.3; α is divided by n as in Caffe and
    PyTorch.
    """

    size: Count
    alpha: Number = Fraction(1, 10_000)
    beta: Number = Fraction(3, 4)
    k: Number = 1

    example = "local_response_norm: 5"

    def output_shape(self, x: Shape) -> Shape:
        return x

    def cost(self, x: Shape) -> Cost:
        return per_element(arith.product(x), multiplies=2, adds=self.size, divides=1, exps=1)

    def forward(self, xp: Any, inputs: tuple[Array, ...], weights: Mapping[str, Array]) -> Array:
        (x,) = inputs
        # the channels as a spatial axis, and all others as one
        squares = (x * x).reshape(x.shape[0], 1, x.shape[1], -1)
        windows = (self._window._replace(after=(self.size - 1) // 2), IDENTITY)
        total = slid(xp, padded(xp, squares, windows), windows).sum(axis=(-2, -1))
        mean = total.reshape(x.shape) * float(Fraction(self.alpha) / self.size)
        return x / (float(self.k) + mean) ** float(self.beta)

    def view(self, axis: int, index: int, x: Shape) -> tuple[int, View]:
        return axis, self._window if axis == 1 else IDENTITY

    @property
    def _window(self) -> Window:
        """Over the channels."""
        return Window(kernel=self.size, before=self.size // 2)


@dataclass(frozen=True, kw_only=True)
class LayerNorm(Layer, name="layer_norm"):
    """Layer normalisation over some axes, the last by default: the shape stays.

    For each of the rows of n elements that the axes span: a mean (n − 1 adds, 1 division), a
    variance (n subtractions, n squares, n − 1 adds, 1 division), ε added, a root and its inverse
    (1 add, 1 exp, 1 division), n multiplies; then, if affine, n multiplies and n adds.

    Source: Ba, Kiros, Hinton 2016, arXiv:1607.06450, equations 3 and 4.
    """

    axes: Annotated[Any, Axes()] = (-1,)
    affine: Boolean = True
    eps: Annotated[int | Fraction, Decimal(positive=True)] = Fraction(1, 100_000)

    example = "layer_norm: {axes: [1]}"

    def output_shape(self, x: Shape) -> Shape:
        return x

    def weights(self, x: Shape) -> Mapping[str, Weight]:
        shape = axis_sizes(self, self.axes, x)
        return {"weight": Weight(shape), "bias": Weight(shape)} if self.affine else {}

    def cost(self, x: Shape) -> Cost:
        over = {axis_index(axis, len(x), self) for axis in self.axes}
        rows = arith.product(size for axis, size in enumerate(x) if axis not in over)
        return normalised(x, rows, self.affine)

    def forward(self, xp: Any, inputs: tuple[Array, ...], weights: Mapping[str, Array]) -> Array:
        (x,) = inputs
        over = [axis % x.ndim for axis in self.axes]
        y = standardised(xp, x, over, self.eps)
        return transformed(xp, y, weights, over) if self.affine else y

    def view(self, axis: int, index: int, x: Shape) -> tuple[int, View] | None:
        over = {axis_index(axis, len(x), self) for axis in self.axes}
        return None if axis in over else (axis, IDENTITY)

    def requirements(self, x: Shape) -> Iterable[Requirement]:
        axis_sizes(self, self.axes, x)
        return ()


@dataclass(frozen=True, kw_only=True)
class GroupNorm(Layer, name="group_norm"):
    """Group normalisation, over groups of channels and all positions: the shape stays.

    For each of the N·groups rows what layer_norm costs; then, if affine, one multiply and one add
    per element.

    Source: Wu and He 2018, arXiv:1803.08494, equations 1, 2, 6 and 7.
    """

    groups: Count
    affine: Boolean = True
    eps: Annotated[int | Fraction, Decimal(positive=True)] = Fraction(1, 100_000)

    example = "group_norm: 32"

    def output_shape(self, x: Shape) -> Shape:
        return x

    def weights(self, x: Shape) -> Mapping[str, Weight]:
        return per_channel(x) if self.affine else {}

    def cost(self, x: Shape) -> Cost:
        return normalised(x, x[0] * self.groups, self.affine)

    def forward(self, xp: Any, inputs: tuple[Array, ...], weights: Mapping[str, Array]) -> Array:
        (x,) = inputs
        y = standardised(xp, x.reshape(x.shape[0], self.groups, -1), [2], self.eps).reshape(x.shape)
        return transformed(xp, y, weights, [1]) if self.affine else y

    def window(self, x: Shape) -> None:
        return None

    def view(self, axis: int, index: int, x: Shape) -> tuple[int, View] | None:
        return None if axis else (axis, IDENTITY)

    def requirements(self, x: Shape) -> Iterable[Requirement]:
        hint = "in_channels must be a multiple of groups."
        yield divides(self.groups, x[1], "groups", "in_channels")._replace(hint=hint)


@dataclass(frozen=True, kw_only=True)
class InstanceNorm(Layer, name="instance_norm"):
    """Instance normalisation, over all positions of each channel of each sample: the shape stays.

    For each of the N·C rows what layer_norm costs; then, if affine, one multiply and one add per
    element. With `running_statistics`, which are buffers of 2·C values, it is a batch_norm at
    inference and costs as much. PyTorch's default is `affine: false`.

    Source: Ulyanov, Vedaldi, Lempitsky 2016, arXiv:1607.08022, section 2.
    """

    affine: Boolean = True
    running_statistics: Boolean = False
    eps: Annotated[int | Fraction, Decimal(positive=True)] = Fraction(1, 100_000)

    example = "instance_norm"

    def output_shape(self, x: Shape) -> Shape:
        return x

    def weights(self, x: Shape) -> Mapping[str, Weight]:
        if self.running_statistics:
            return BatchNorm(affine=self.affine).weights(x)
        return per_channel(x) if self.affine else {}

    def cost(self, x: Shape) -> Cost:
        if self.running_statistics:
            return BatchNorm(affine=self.affine).cost(x)
        return normalised(x, x[0] * x[1], self.affine)

    def forward(self, xp: Any, inputs: tuple[Array, ...], weights: Mapping[str, Array]) -> Array:
        (x,) = inputs
        if self.running_statistics:
            return BatchNorm(affine=self.affine, eps=self.eps).forward(xp, inputs, weights)
        y = standardised(xp, x, range(2, x.ndim), self.eps)
        return transformed(xp, y, weights, [1]) if self.affine else y

    def window(self, x: Shape) -> tuple[View, ...] | None:
        return super().window(x) if self.running_statistics else None

    def view(self, axis: int, index: int, x: Shape) -> tuple[int, View] | None:
        apart = axis < 2 or self.running_statistics
        return (axis, IDENTITY) if apart else None

    def requirements(self, x: Shape) -> Iterable[Requirement]:
        spatial(self, x)
        return ()


@dataclass(frozen=True, kw_only=True)
class Scale(Layer, name="scale"):
    """A learnable factor per position of some axes, the channels by default: the shape stays.

    Source: Touvron et al. 2021, arXiv:2103.17239, equation 2 (LayerScale).
    """

    axes: Annotated[Any, Axes()] = (1,)

    is_elementwise = True

    example = "scale"

    def output_shape(self, x: Shape) -> Shape:
        return x

    def weights(self, x: Shape) -> Mapping[str, Weight]:
        return {"weight": Weight(axis_sizes(self, self.axes, x))}

    def cost(self, x: Shape) -> Cost:
        return per_element(arith.product(x), multiplies=1)

    def forward(self, xp: Any, inputs: tuple[Array, ...], weights: Mapping[str, Array]) -> Array:
        (x,) = inputs
        return x * along(xp, weights, "weight", x, [axis % x.ndim for axis in self.axes])

    def requirements(self, x: Shape) -> Iterable[Requirement]:
        axis_sizes(self, self.axes, x)
        return ()


def per_channel(x: Shape) -> dict[str, Weight]:
    """A learnt factor and a shift for every channel."""
    return {"weight": Weight((x[1],)), "bias": Weight((x[1],))}


def normalised(x: Shape, rows: Any, affine: bool) -> Cost:
    """What it costs to bring `rows` rows to mean 0 and variance 1; LayerNorm lists the steps."""
    elements = arith.product(x)
    more = 1 if affine else 0
    return Cost(
        multiplies=elements * (2 + more),
        adds=elements * (3 + more) - rows,
        divides=rows * 3,
        exps=rows,
    )


def standardised(xp: Any, x: Array, axes: Sequence[int], eps: int | Fraction) -> Array:
    """Mean 0 and variance 1 over the axes; the variance is that of the data, over n."""
    centred = x - xp.mean(x, axis=tuple(axes), keepdims=True)
    variance = xp.mean(centred * centred, axis=tuple(axes), keepdims=True)
    return centred / xp.sqrt(variance + float(eps))


def transformed(xp: Any, x: Array, weights: Mapping[str, Array], axes: Sequence[int]) -> Array:
    """Times the learnt factor, plus the learnt shift, which lie along the axes."""
    return x * along(xp, weights, "weight", x, axes) + along(xp, weights, "bias", x, axes)


def axis_sizes(layer: Layer, axes: tuple[int, ...], x: Shape) -> Shape:
    """The sizes of the axes named, all different."""
    found = [axis_index(axis, len(x), layer) for axis in axes]
    if len(set(found)) < len(found):
        raise ShapeError(
            f"{layer.name}: axes {show_shape(axes)} of {show_shape(x)} name one axis twice"
        )
    return tuple(x[axis] for axis in found)
