"""The layer contract: what a layer answers, and how it is registered.

A layer is a frozen dataclass whose fields are its YAML keys (see `convcalc.fields`). It answers
with ints or Dims alike, and never looks at the network around it. Shapes are tuples
`(N, channels, *spatial)`, the batch included.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, ClassVar, NamedTuple

from convcalc import arith
from convcalc.arrays import Array
from convcalc.cost import Cost
from convcalc.dim import Dim, Size, at_least, at_size, equal
from convcalc.errors import ShapeError
from convcalc.fields import Kind, Pads
from convcalc.view import IDENTITY, Resize, View, Window

Shape = tuple[Size, ...]

AXIS_NAMES = {1: ("length",), 2: ("height", "width"), 3: ("depth", "height", "width")}

SAME = ("same", "same_lower")
"""The paddings with ⌈n/s⌉ outputs; an odd zero goes after the input, or before it."""


class Weight(NamedTuple):
    """An array that a layer owns: learnable, or a buffer such as running statistics."""

    shape: Shape
    trainable: bool = True


class Requirement(NamedTuple):
    """A condition `left relation right` on the input, with what to say where it does not hold.

    The relation is `>=` or `==`; `fact` is called only where it fails. `always` is what to say
    where it holds for some values of the symbols only, and that is not enough.
    """

    left: Size
    relation: str
    right: Size
    fact: Callable[[], str]
    hint: str = ""
    always: str = ""

    def holds(self) -> bool | None:
        """Whether it holds: always, never, or (None) for some values of the symbols."""
        return (at_least if self.relation == ">=" else equal)(self.left, self.right)

    def __str__(self) -> str:
        return f"{self.left} {'≥' if self.relation == '>=' else '='} {self.right}"


class Field(NamedTuple):
    """One field of a layer, as its dataclass declares it."""

    name: str
    kind: Kind
    default: Any
    required: bool


REGISTRY: dict[str, type[Layer]] = {}


class Layer:
    """Base of all layers.

    A registered layer, `class Conv(Layer, name="conv")`, defines `output_shape`, `cost` and
    `forward`, and where they are not the defaults `weights`, `window` and `requirements`. Its
    docstring starts with the operation and its shapes, then gives the formula and its source.
    """

    name: ClassVar[str]
    merges: ClassVar[bool] = False
    """Whether it takes several inputs (the branches of a merge)."""
    mixes_channels: ClassVar[bool] = False
    """Whether an output channel depends on all input channels."""
    is_view: ClassVar[bool] = False
    """Whether the output is the input under another shape or name, with no storage of its own."""
    is_elementwise: ClassVar[bool] = False
    """Whether the output can be written over an input of its size, element by element."""
    shares_storage: ClassVar[bool] = False
    """Whether the output is counted in its input's storage: activations, and views."""
    example: ClassVar[str]
    """An entry as it stands in a spec, for `convcalc layers`."""
    example_input: ClassVar[str] = "[C, H, W]"

    def __init_subclass__(cls, name: str | None = None) -> None:
        super().__init_subclass__()
        if name is None:
            return
        for method in ("output_shape", "cost", "forward"):
            if getattr(cls, method) is getattr(Layer, method):
                raise TypeError(f"{cls.__module__}.{cls.__name__} defines no {method}")
        if name in REGISTRY:
            other = REGISTRY[name]
            raise TypeError(f"layer '{name}' is defined in {other.__module__} and {cls.__module__}")
        cls.name = name
        REGISTRY[name] = cls

    # `Any` for the inputs: a layer names as many shapes as it takes

    def output_shape(self, *inputs: Any, **_: Any) -> Shape:
        """The shape of the output, given those of the inputs, which meet `requirements`."""
        raise NotImplementedError

    def weights(self, *inputs: Any, **_: Any) -> Mapping[str, Weight]:
        """The arrays that the layer owns, by name; parameters are counted from them alone."""
        return {}

    def cost(self, *inputs: Any, **_: Any) -> Cost:
        """The operations of one run at inference."""
        raise NotImplementedError

    def parts(self, *inputs: Any, **_: Any) -> tuple[Layer, ...]:
        """The layers that it is short for, each fed by the one before; itself, if it is none."""
        return (self,)

    def forward(self, xp: Any, inputs: tuple[Array, ...], weights: Mapping[str, Array]) -> Array:
        """The output for arrays: the plain reference, right for every option.

        Its shape comes from the data, never from `output_shape`, and a weight of another shape than
        `weights` declares is an error.

        Args:
            xp: the array module, NumPy or another with its interface.
            inputs: arrays of the shapes that `output_shape` takes; floats of 32 or 64 bits.
            weights: an array for every weight, of the same type.
        """
        raise NotImplementedError

    def macs_nonpad(self, *inputs: Any, **_: Any) -> Size:
        """The MACs without the products whose input factor is a padded zero."""
        return self.cost(*inputs).macs

    def window(self, *inputs: Any, **_: Any) -> tuple[View, ...] | None:
        """What one output sees along every spatial axis; None if it sees the whole input."""
        return (IDENTITY,) * max(0, len(inputs[0]) - 2)

    def view(self, axis: int, index: int, *inputs: Any) -> tuple[int, View] | None:
        """Where an axis of input number `index` is in the output, and what is read along it.

        None says that every output position reads the whole axis. By default `window` says it
        for the spatial axes, and channels stay apart unless `mixes_channels`.
        """
        found = self.window(*inputs)
        if found is None or (axis == 1 and self.mixes_channels):
            return None
        return axis, IDENTITY if axis < 2 else found[axis - 2]

    def requirements(self, *inputs: Any, **_: Any) -> Iterable[Requirement]:
        """The conditions that the inputs must meet.

        Raises:
            ShapeError: the number of axes is wrong, which no value of a symbol can mend.
        """
        return ()


def fields(layer: type[Layer]) -> tuple[Field, ...]:
    """A layer's fields in the order of their declaration; the first takes a bare value."""
    cached = layer.__dict__.get("_fields")
    if cached is None:
        cached = tuple(
            Field(f.name, f.type.__metadata__[0], f.default, f.default is dataclasses.MISSING)  # type: ignore[union-attr]
            for f in dataclasses.fields(layer)  # type: ignore[arg-type]
        )
        layer._fields = cached  # type: ignore[attr-defined]
    return cached


def symbolic_fields(layer: Layer) -> Iterable[Requirement]:
    """That symbolic values of fields are as large as a number there must be: C − 8 ≥ 1."""
    for field in fields(type(layer)):
        for value in _flat(getattr(layer, field.name)):
            if isinstance(value, Dim) and field.kind.least is not None:
                text = f"{layer.name}: {field.name} is {{}}: at least {{}} is due here"
                fact = partial(text.format, value, field.kind.least)
                yield Requirement(value, ">=", field.kind.least, fact)


def _flat(value: Any) -> Iterable[Any]:
    if isinstance(value, tuple):
        for item in value:
            yield from _flat(item)
    else:
        yield value


# -- what the layer files share ---------------------------------------------------------------


def spatial(layer: Layer, x: Shape) -> Shape:
    """The spatial axes of `x`, 1 to 3 of them after batch and channels."""
    if not 3 <= len(x) <= 5:
        hint = ""
        if len(x) == 2:
            hint = "A flattened tensor has none: put the layer before flatten."
        raise ShapeError(
            f"{layer.name} needs 1 to 3 spatial axes after [N, channels], and gets {show_shape(x)}",
            hint=hint,
        )
    return x[2:]


def per_axis(value: Any, rank: int, field: str) -> tuple[Any, ...]:
    """A field's value for each of `rank` spatial axes."""
    if not isinstance(value, tuple):
        return (value,) * rank
    if len(value) != rank:
        raise ShapeError(
            f"{field} has {len(value)} values, but the input has {rank} spatial "
            f"{'axis' if rank == 1 else 'axes'} ({', '.join(AXIS_NAMES[rank])})"
        )
    return value


def windows(
    sizes: Shape, kernel: Any, stride: Any, padding: Pads, dilation: Any
) -> tuple[Window, ...]:
    """The window along each axis, `padding` resolved to zeros before and after.

    `same` is that of TensorFlow and ONNX's SAME_UPPER, `same_lower` ONNX's SAME_LOWER.
    """
    rank = len(sizes)
    kernels = per_axis(kernel, rank, "kernel")
    strides = per_axis(stride, rank, "stride")
    dilations = per_axis(dilation, rank, "dilation")
    if padding not in SAME:
        pads = [
            pad if isinstance(pad, tuple) else (pad, pad)
            for pad in per_axis(padding, rank, "padding")
        ]
    else:
        pads = []
        for size, k, s, d in zip(sizes, kernels, strides, dilations, strict=True):
            total = arith.same_padding(size, k, s, d)
            half = total // 2
            pads.append((half, total - half) if padding == "same" else (total - half, half))
    return tuple(
        Window(k, s, before, after, d)
        for k, s, (before, after), d in zip(kernels, strides, pads, dilations, strict=True)
    )


def window_shape(sizes: Shape, found: tuple[Window, ...], padding: Pads) -> Shape:
    """The spatial sizes after sliding the windows."""
    if padding in SAME:
        return tuple(arith.same_out(size, w.stride) for size, w in zip(sizes, found, strict=True))
    return tuple(
        arith.window_out(size, w.kernel, w.stride, w.before + w.after, w.dilation)
        for size, w in zip(sizes, found, strict=True)
    )


def windows_fit(
    sizes: Shape, found: tuple[Window, ...], padding: Pads, ceil_mode: bool = False
) -> Iterable[Requirement]:
    """One requirement per axis: the padded input is at least as long as the window.

    In ceil mode the window may hang over the end by less than its stride, the first one too.
    """
    if padding in SAME:
        return
    for axis, size, w in zip(AXIS_NAMES[len(sizes)], sizes, found, strict=True):
        padded = size + (w.before + w.after)
        covered = arith.span(w.kernel, w.dilation)
        yield Requirement(
            padded + (w.stride - 1) if ceil_mode else padded, ">=", covered,
            _window_does_not_fit(axis, size, w, padded, covered, ceil_mode),
            "A larger input, more padding or one pooling less would do.",
        )  # fmt: skip


def _window_does_not_fit(
    axis: str, size: Size, w: Window, padded: Size, covered: Size, ceil_mode: bool
) -> Callable[[], str]:
    def fact() -> str:
        dilated = "" if w.dilation == 1 else f" ({covered} with dilation {w.dilation})"
        with_padding = "" if padded == size else f" ({padded} with its padding)"
        at_all = f", even with ceil_mode and stride {w.stride}" if ceil_mode else ""
        return f"a window of {w.kernel}{dilated} does not fit {axis} {size}{with_padding}{at_all}"

    return fact


def resized(sizes: Shape, out: Shape, neighbours: int) -> tuple[View, ...]:
    """The views of axes mapped to other sizes."""
    return tuple(Resize(n, m, neighbours) for n, m in zip(sizes, out, strict=True))


def taps_inside(sizes: Shape, kernel: Any, stride: Any, padding: Pads, dilation: Any) -> Size:
    """The products of a sliding window that no padding enters: those of the axes, multiplied."""
    counts = []
    for axis, size in enumerate(sizes):
        own = [
            per_axis(value, len(sizes), "window")[axis] if isinstance(value, tuple) else value
            for value in (kernel, stride, padding, dilation)
        ]
        own[2] = (own[2],) if isinstance(own[2], tuple) else own[2]

        def count(n: Any, own: list[Any] = own) -> Any:
            (w,), padding = windows((n,), *own), own[2]
            (positions,) = window_shape((n,), (w,), padding)
            return arith.taps_inside(n, positions, w.kernel, w.stride, w.before, w.dilation)

        counts.append(at_size(count, size))
    return arith.product(counts)  # type: ignore[no-any-return]


def divides(divisor: Size, size: Size, what: str, of: str) -> Requirement:
    """The requirement that `divisor` divides `size`: at every value, if it is symbolic."""
    always = ""
    if isinstance(divisor, Dim):
        free = ", ".join(sorted(divisor.symbols))
        always = f"{what}: a number is due here, not an expression in the symbol {free}: {divisor}"
    return Requirement(
        size % divisor, "==", 0, lambda: f"{what} {divisor} does not divide {of} {size}",
        f"Both in_channels and out_channels must be multiples of {what}.", always,
    )  # fmt: skip


def axis_index(axis: int, rank: int, layer: Layer) -> int:
    """The number, counted from the front, of an axis that is not the batch."""
    if not -rank <= axis < rank:
        raise ShapeError(
            f"{layer.name}: axis {axis} does not exist: the input has {rank} axes, 0 to {rank - 1}"
        )
    if axis % rank == 0:
        raise ShapeError(
            f"{layer.name}: axis {axis} is the batch, whose samples stay apart",
            hint="The channels are axis 1.",
        )
    return axis % rank


def show_shape(shape: Shape) -> str:
    """A shape as messages and tables show it: [1, 3, 224, 224]."""
    return f"[{', '.join(f'{size}' for size in shape)}]"
