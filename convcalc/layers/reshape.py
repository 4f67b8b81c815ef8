"""Reshape: the same elements in the same order under another shape."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from convcalc import arith
from convcalc.arrays import Array
from convcalc.cost import Cost
from convcalc.errors import SpecError
from convcalc.fields import MAX_AXES, Kind, Whole, check_axis_count, one_or_list, show
from convcalc.layer import Layer, Requirement, Shape, show_shape
from convcalc.view import IDENTITY, View

INFERRED = -1
"""The size that follows from the others."""


def follows(size: Any) -> bool:
    """Whether this stands for the size that follows; a symbolic size never does."""
    return type(size) is int and size == INFERRED


class Target(Kind):
    """The sizes after the batch."""

    description = "a list of sizes without the batch, of which one may be -1"

    def read(self, value: Any) -> Any:
        sizes = value if isinstance(value, tuple) else (value,)
        check_axis_count(sizes, MAX_AXES - 1)
        each = Whole(symbolic=True)
        found = tuple(size if follows(size) else each.read(size) for size in sizes)
        if sum(map(follows, found)) > 1:
            raise SpecError(f"only one size can follow from the others, but {show(value)} has more")
        return found

    def schema(self) -> dict[str, Any]:
        each = {"anyOf": [{"const": INFERRED}, *Whole().schema()["anyOf"]]}
        return one_or_list(each, most=MAX_AXES - 1)


@dataclass(frozen=True, kw_only=True)
class Reshape(Layer, name="reshape"):
    """Another shape for the same elements, without the batch; one size may be -1: it follows.

    It computes nothing and moves nothing: the last axis runs fastest, before and after, as in
    NumPy, PyTorch and ONNX.
    """

    shape: Annotated[Any, Target()]

    is_view = True
    shares_storage = True

    example = "reshape: [C, -1]"

    def output_shape(self, x: Shape) -> Shape:
        rest = arith.product(x[1:]) // self._given()
        return (x[0], *(rest if follows(size) else size for size in self.shape))

    def cost(self, x: Shape) -> Cost:
        return Cost()

    def forward(self, xp: Any, inputs: tuple[Array, ...], weights: Mapping[str, Array]) -> Array:
        # array modules infer a size of -1 alike
        return inputs[0].reshape(inputs[0].shape[0], *self.shape)

    def window(self, x: Shape) -> None:
        return None

    def view(self, axis: int, index: int, x: Shape) -> tuple[int, View] | None:
        # axes that stay before all that change, and those after, keep their positions
        out = self.output_shape(x)
        if x[: axis + 1] == out[: axis + 1]:
            return axis, IDENTITY
        place = axis + len(out) - len(x)
        return (place, IDENTITY) if place >= 0 and x[axis:] == out[place:] else None

    def requirements(self, x: Shape) -> Iterable[Requirement]:
        elements, given = arith.product(x[1:]), self._given()
        reshape = f"reshape of {show_shape(x)} to {show_shape((x[0], *self.shape))}"
        if any(map(follows, self.shape)):
            yield Requirement(
                elements % given, "==", 0,
                lambda: f"{reshape}: {given} does not divide the {elements} elements of a sample",
                "The sizes given must multiply to a divisor of it.",
            )  # fmt: skip
        else:
            yield Requirement(
                elements, "==", given,
                lambda: f"{reshape}: a sample has {elements} elements, and the new shape {given}",
                "A size of -1 follows from the others.",
            )  # fmt: skip

    def _given(self) -> Any:
        return arith.product(size for size in self.shape if not follows(size))
