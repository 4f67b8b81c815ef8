"""Normalisation, and the learnable factor that often follows one."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Any

from convcalc import arith
from convcalc.cost import Cost, per_element
from convcalc.errors import ShapeError
from convcalc.fields import Axes, Boolean, Count, Decimal, Number
from convcalc.layer import Layer, Requirement, Shape, Weight, axis_index, show_shape


@dataclass(frozen=True, kw_only=True)
class BatchNorm(Layer, name="batch_norm"):
    """Batch normalisation over the channels: (N, C, …) → the same.

    At inference the statistics are constants, so it is one factor and one shift per channel: one
    multiply and one add per element. Its running mean and variance are buffers, 2·C values.

    Source: Ioffe and Szegedy 2015, arXiv:1502.03167, algorithm 2, line 11.
    """

    affine: Boolean = True
    eps: Annotated[int | Fraction, Decimal(positive=True)] = Fraction(1, 100_000)

    example = "batch_norm"

    def output_shape(self, x: Shape) -> Shape:
        return x

    def weights(self, x: Shape) -> Mapping[str, Weight]:
        channels = (x[1],)
        learnt = {"weight": Weight(channels), "bias": Weight(channels)} if self.affine else {}
        statistics = {
            "running_mean": Weight(channels, trainable=False),
            "running_var": Weight(channels, trainable=False),
        }
        return learnt | statistics

    def cost(self, x: Shape) -> Cost:
        return per_element(arith.product(x), multiplies=1, adds=1)


@dataclass(frozen=True, kw_only=True)
class LocalResponseNorm(Layer, name="local_response_norm"):
    """Local response normalisation over `size` neighbouring channels: (N, C, …) → the same.

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
        return per_element(
            arith.product(x), multiplies=2, adds=self.size, divides=1, exps=1
        )


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
        normalised = {axis_index(axis, len(x), self) for axis in self.axes}
        rows = arith.product(size for axis, size in enumerate(x) if axis not in normalised)
        elements = arith.product(x)
        affine = 1 if self.affine else 0
        return Cost(
            multiplies=elements * (2 + affine),
            adds=elements * (3 + affine) - rows,
            divides=rows * 3,
            exps=rows,
        )

    def requirements(self, x: Shape) -> Iterable[Requirement]:
        axis_sizes(self, self.axes, x)
        return ()


@dataclass(frozen=True, kw_only=True)
class Scale(Layer, name="scale"):
    """A learnable factor per position of some axes, the channels by default: the shape stays.

    Source: Touvron et al. 2021, arXiv:2103.17239, equation 2 (LayerScale).
    """

    axes: Annotated[Any, Axes()] = (1,)

    example = "scale"

    def output_shape(self, x: Shape) -> Shape:
        return x

    def weights(self, x: Shape) -> Mapping[str, Weight]:
        return {"weight": Weight(axis_sizes(self, self.axes, x))}

    def cost(self, x: Shape) -> Cost:
        return per_element(arith.product(x), multiplies=1)

    def requirements(self, x: Shape) -> Iterable[Requirement]:
        axis_sizes(self, self.axes, x)
        return ()


def axis_sizes(layer: Layer, axes: tuple[int, ...], x: Shape) -> Shape:
    """The sizes of the axes named, which must differ and leave the batch out."""
    found = [axis_index(axis, len(x), layer) for axis in axes]
    if 0 in found or len(set(found)) < len(found):
        raise ShapeError(
            f"{layer.name}: axes {list(axes)} of {show_shape(x)} must differ "
            "and leave out the batch, axis 0"
        )
    return tuple(x[axis] for axis in found)
