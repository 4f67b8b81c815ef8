"""Every layer as operators of ONNX: a function per family, by the layers' registered names.

The operators are those of opset 17, the first with LayerNormalization; what came later (Gelu and
Mish, GroupNormalization as it is now, average pooling that rounds up as PyTorch does) is written
with several. Source: https://onnx.ai/onnx/operators/.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial, reduce
from itertools import pairwise
from math import prod, sqrt
from typing import Any

import numpy

from convcalc.errors import ConvcalcError
from convcalc.graph import Node
from convcalc.interchange.libraries import not_installed
from convcalc.interchange.windows import pool_borders
from convcalc.layer import axis_index, per_axis, windows
from convcalc.view import Window

try:
    import onnx
except ImportError:
    raise not_installed("onnx") from None

OPSET = 17


class Writer:
    """What one layer is written with: operators and constants that are named after it.

    Attributes:
        layer: the layer.
        shape: that of its first input; `x` is the tensor's name.
        output_shape: that of its output.
        inputs: the names of all inputs.
    """

    def __init__(self, node: Node, constants: list[Any]) -> None:
        self.layer: Any = node.op.layer
        self.shape: Any = node.op.inputs[0]
        self.output_shape: Any = node.op.output_shape
        self.inputs = [source.path for source in node.inputs]
        self.x = self.inputs[0]
        self.nodes: list[Any] = []
        self._path = node.path
        self._owner = node.owner.path
        self._constants = constants
        self._count = 0

    @property
    def rank(self) -> int:
        """The number of axes of the first input, the batch among them."""
        return len(self.shape)

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """One operator; the name of its output."""
        name = f"{self._path}/{kind}_{len(self.nodes)}"
        self.nodes.append(onnx.helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def weight(self, name: str) -> str:
        """The weight that the layer calls so, its own or the one it shares."""
        return f"{self._owner}.{name}"

    def constant(self, value: Any) -> str:
        """A constant: a float, an array of them, or integers."""
        array = numpy.asarray(value)
        if array.dtype.kind == "f":
            array = array.astype("float32")
        self._count += 1
        name = f"{self._path}/constant_{self._count}"
        self._constants.append(onnx.numpy_helper.from_array(array, name))
        return name

    def reshaped(self, x: str, *shape: int) -> str:
        """The elements in another shape; the batch, which is left out here, is kept as it is."""
        return self.op("Reshape", x, self.constant([0, *shape]))

    def finished(self, output: str) -> list[Any]:
        """The nodes, of which the last, and its output, is called as the layer."""
        if not self.nodes or output != self.nodes[-1].output[0]:
            self.op("Identity", output)
        self.nodes[-1].name = self._path
        self.nodes[-1].output[0] = self._path
        return self.nodes


Exporter = Callable[[Writer], str]

EXPORTERS: dict[str, Exporter] = {}
"""What writes each layer, by its registered name; the name of the output is given back."""


def exports(*names: str) -> Callable[[Exporter], Exporter]:
    """Register what writes some layers."""

    def register(exporter: Exporter) -> Exporter:
        EXPORTERS.update(dict.fromkeys(names, exporter))
        return exporter

    return register


_ALONE: dict[str, tuple[str, Mapping[str, Any]]] = {
    "relu": ("Relu", {}),
    "sigmoid": ("Sigmoid", {}),
    "tanh": ("Tanh", {}),
    "abs": ("Abs", {}),
    "softplus": ("Softplus", {}),
    "hard_sigmoid": ("HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}),
    "hard_swish": ("HardSwish", {}),
    "selu": ("Selu", {}),
    "identity": ("Identity", {}),
    "flatten": ("Flatten", {"axis": 1}),
    "subtract": ("Sub", {}),
    "divide": ("Div", {}),
    "maximum": ("Max", {}),
    "minimum": ("Min", {}),
}
"""Layers that are one operator with all their options."""


def _alone(w: Writer, kind: str, attributes: Mapping[str, Any]) -> str:
    return w.op(kind, *w.inputs, **attributes)


for _name, (_kind, _attributes) in _ALONE.items():
    EXPORTERS[_name] = partial(_alone, kind=_kind, attributes=_attributes)


# -- activations ------------------------------------------------------------------------------


def _clipped(w: Writer, low: float, high: float) -> str:
    return w.op("Clip", w.x, w.constant(low), w.constant(high))


EXPORTERS["relu6"] = partial(_clipped, low=0.0, high=6.0)
EXPORTERS["hard_tanh"] = partial(_clipped, low=-1.0, high=1.0)


@exports("leaky_relu")
def _leaky_relu(w: Writer) -> str:
    return w.op("LeakyRelu", w.x, alpha=float(w.layer.slope))


@exports("elu")
def _elu(w: Writer) -> str:
    return w.op("Elu", w.x, alpha=float(w.layer.alpha))


@exports("prelu")
def _prelu(w: Writer) -> str:
    return w.op("PRelu", w.x, _along(w, "weight", [1] if w.layer.per_channel else []))


@exports("silu")
def _silu(w: Writer) -> str:
    return w.op("Mul", w.x, w.op("Sigmoid", w.x))


@exports("gelu")
def _gelu(w: Writer) -> str:
    # an operator from opset 20 on only
    half = w.op("Mul", w.x, w.constant(0.5))
    cdf = w.op("Erf", w.op("Mul", w.x, w.constant(sqrt(0.5))))
    return w.op("Mul", half, w.op("Add", cdf, w.constant(1.0)))


@exports("mish")
def _mish(w: Writer) -> str:
    # an operator from opset 18 on only
    return w.op("Mul", w.x, w.op("Tanh", w.op("Softplus", w.x)))


@exports("softmax", "log_softmax")
def _softmax(w: Writer) -> str:
    kind = {"softmax": "Softmax", "log_softmax": "LogSoftmax"}[w.layer.name]
    return w.op(kind, w.x, axis=w.layer.axis)


# -- convolutions and linear layers -----------------------------------------------------------


def _convolved(w: Writer, layer: Any, x: str, shape: Any, weight: str, bias: bool) -> str:
    inputs = [x, w.weight(weight), *([w.weight("bias")] if bias else [])]
    found = layer.window(shape)
    return w.op(
        "Conv", *inputs,
        **_sliding(found), pads=_pads(found), dilations=[v.dilation for v in found],
        group=layer.groups,
    )  # fmt: skip


@exports("conv", "depthwise_conv")
def _conv(w: Writer) -> str:
    (conv,) = w.layer.parts(w.shape)
    return _convolved(w, conv, w.x, w.shape, "weight", conv.bias)


@exports("separable_conv")
def _separable_conv(w: Writer) -> str:
    depthwise, pointwise = w.layer.parts(w.shape)
    between = _convolved(w, depthwise, w.x, w.shape, "depthwise_weight", bias=False)
    shape = depthwise.output_shape(w.shape)
    return _convolved(w, pointwise, between, shape, "pointwise_weight", pointwise.bias)


@exports("conv_transpose")
def _conv_transpose(w: Writer) -> str:
    layer, sizes = w.layer, w.shape[2:]
    found = list(windows(sizes, layer.kernel, layer.stride, layer.padding, layer.dilation))
    extras = list(per_axis(layer.output_padding, len(sizes), "output_padding"))
    bias = [w.weight("bias")] if layer.bias else []
    # ONNX Runtime has no output_padding of a stride or more, which a larger dilation allows: it
    # crops less then, or zeros follow, which get the bias too
    apart = any(extra >= v.stride for extra, v in zip(extras, found, strict=True))
    rest = [Window()] * len(sizes)
    if apart:
        rest = [Window(after=max(0, e - v.after)) for e, v in zip(extras, found, strict=True)]
        found = [v._replace(after=max(0, v.after - e)) for e, v in zip(extras, found, strict=True)]
        extras = [0] * len(sizes)
    y = w.op(
        "ConvTranspose", w.x, w.weight("weight"), *([] if apart else bias),
        **_sliding(found), pads=_pads(found), dilations=[v.dilation for v in found],
        output_padding=extras, group=layer.groups,
    )  # fmt: skip
    if apart:
        y = _padded(w, y, rest, 0.0)
        shape = w.constant([layer.out_channels, *[1] * len(sizes)])
        y = w.op("Add", y, w.op("Reshape", *bias, shape)) if bias else y
    return y


@exports("linear")
def _linear(w: Writer) -> str:
    bias = [w.weight("bias")] if w.layer.bias else []
    if w.rank == 2:
        return w.op("Gemm", w.x, w.weight("weight"), *bias, transB=1)
    # Gemm takes matrices only
    y = w.op("MatMul", w.x, w.op("Transpose", w.weight("weight"), perm=[1, 0]))
    return w.op("Add", y, *bias) if bias else y


# -- pooling ----------------------------------------------------------------------------------


@exports("max_pool")
def _max_pool(w: Writer) -> str:
    borders, x = pool_borders(w.layer, w.shape), w.x
    found = [b.window._replace(after=b.window.after + b.beyond) for b in borders]
    if any(b.leaves_input for b in borders):
        raise ConvcalcError(
            "max_pool: a dilated window lies wholly in the padding, where ONNX has no maximum",
            hint="Less padding or dilation would do.",
        )
    if any(max(v.before, v.after) >= v.kernel for v in found):
        # a dilated window spans more than its kernel, and ONNX Runtime pads less than that only
        x = _padded(w, x, found, -numpy.inf)
        found = [v._replace(before=0, after=0) for v in found]
    dilations = [v.dilation for v in found]
    return w.op("MaxPool", x, **_sliding(found), pads=_pads(found), dilations=dilations)


@exports("avg_pool")
def _avg_pool(w: Writer) -> str:
    borders, x, counted = pool_borders(w.layer, w.shape), w.x, w.layer.count_include_pad
    found = [b.window for b in borders]
    if any(b.beyond for b in borders):
        if counted:
            # the padding enters the mean, and what hangs over it does not
            x = _padded(w, x, found, 0.0)
            found = [v._replace(before=0, after=0) for v in found]
            counted = False
        found = [v._replace(after=v.after + b.beyond) for v, b in zip(found, borders, strict=True)]
    return w.op(
        "AveragePool", x, **_sliding(found), pads=_pads(found), count_include_pad=int(counted)
    )


@exports("global_avg_pool", "global_max_pool")
def _global_pool(w: Writer) -> str:
    kinds = {"global_avg_pool": "GlobalAveragePool", "global_max_pool": "GlobalMaxPool"}
    y = w.op(kinds[w.layer.name], w.x)
    return y if w.layer.keep_axes else w.op("Flatten", y, axis=1)


@exports("adaptive_avg_pool", "adaptive_max_pool")
def _adaptive_pool(w: Writer) -> str:
    mean = w.layer.name == "adaptive_avg_pool"
    views = w.layer.window(w.shape)
    read = [
        [view.reads(i, i) for i in range(out)]
        for view, out in zip(views, w.output_shape[2:], strict=True)
    ]
    found = [_as_window(ranges) for ranges in read]
    if None not in found:
        return w.op("AveragePool" if mean else "MaxPool", w.x, **_sliding(found))
    # no operator has windows of several lengths
    if mean:
        return _mapped(w, lambda n, out: dataclasses.replace(w.layer, size=out))
    x = w.x
    for axis, ranges in enumerate(read, start=2):
        longest = max(last - first for first, last in ranges) + 1
        # a window's last element, said again, does not change its maximum
        rows = [[min(first + i, last) for i in range(longest)] for first, last in ranges]
        x = w.op("Gather", x, w.constant(rows), axis=axis)
        x = w.op("ReduceMax", x, axes=[axis + 1], keepdims=0)
    return x


@exports("mean")
def _mean(w: Writer) -> str:
    return w.op("ReduceMean", w.x, axes=list(w.layer.axes), keepdims=int(w.layer.keep_axes))


# -- norms ------------------------------------------------------------------------------------


def _factor_and_shift(w: Writer, *shape: int) -> tuple[str, str]:
    """The learnt ones, or 1 and 0 where nothing is learnt: ONNX has no norm without."""
    if w.layer.affine:
        return w.weight("weight"), w.weight("bias")
    return w.constant(numpy.ones(shape)), w.constant(numpy.zeros(shape))


@exports("batch_norm")
def _batch_norm(w: Writer) -> str:
    learnt = _factor_and_shift(w, w.shape[1])
    kept = w.weight("running_mean"), w.weight("running_var")
    return w.op("BatchNormalization", w.x, *learnt, *kept, epsilon=float(w.layer.eps))


@exports("instance_norm")
def _instance_norm(w: Writer) -> str:
    if w.layer.running_statistics:
        return _batch_norm(w)
    learnt = _factor_and_shift(w, w.shape[1])
    return w.op("InstanceNormalization", w.x, *learnt, epsilon=float(w.layer.eps))


@exports("group_norm")
def _group_norm(w: Writer) -> str:
    # GroupNormalization of opset 18 learns a factor per group, and that of 21 is too new
    groups = w.layer.groups
    constants = w.constant(numpy.ones(groups)), w.constant(numpy.zeros(groups))
    x = w.reshaped(w.x, groups, -1)
    x = w.op("InstanceNormalization", x, *constants, epsilon=float(w.layer.eps))
    x = w.reshaped(x, *w.shape[1:])
    if not w.layer.affine:
        return x
    return w.op("Add", w.op("Mul", x, _along(w, "weight", [1])), _along(w, "bias", [1]))


@exports("layer_norm")
def _layer_norm(w: Writer) -> str:
    over = [axis_index(axis, w.rank, w.layer) for axis in w.layer.axes]
    order = [axis for axis in range(w.rank) if axis not in over] + over
    moved = order != list(range(w.rank))
    # ONNX norms the last axes, in the order of their weights
    x = w.op("Transpose", w.x, perm=order) if moved else w.x
    learnt = _factor_and_shift(w, *(w.shape[axis] for axis in over))
    x = w.op("LayerNormalization", x, *learnt, axis=w.rank - len(over), epsilon=float(w.layer.eps))
    return w.op("Transpose", x, perm=_inverse(order)) if moved else x


@exports("local_response_norm")
def _local_response_norm(w: Writer) -> str:
    layer, channels = w.layer, w.shape[1]
    alpha, beta, k = float(layer.alpha), float(layer.beta), float(layer.k)
    if layer.size % 2 and w.rank == 4:
        return w.op("LRN", w.x, size=layer.size, alpha=alpha, beta=beta, bias=k)
    # LRN puts the odd neighbour of an even size after, not before, and ONNX Runtime's is over
    # images of odd sizes only. The mean over the neighbours is that of a pooling over channels.
    before = layer.view(1, 0, w.shape)[1].before
    over = Window(kernel=layer.size, before=before, after=layer.size - 1 - before), Window()
    squares = w.reshaped(w.op("Mul", w.x, w.x), 1, channels, -1)
    mean = w.op("AveragePool", squares, **_sliding(over), pads=_pads(over), count_include_pad=1)
    mean = w.reshaped(mean, *w.shape[1:])
    total = w.op("Add", w.op("Mul", mean, w.constant(alpha)), w.constant(k))
    return w.op("Div", w.x, w.op("Pow", total, w.constant(beta)))


@exports("scale")
def _scale(w: Writer) -> str:
    axes = [axis_index(axis, w.rank, w.layer) for axis in w.layer.axes]
    return w.op("Mul", w.x, _along(w, "weight", axes))


# -- merges -----------------------------------------------------------------------------------


@exports("add", "multiply")
def _in_pairs(w: Writer) -> str:
    kind = {"add": "Add", "multiply": "Mul"}[w.layer.name]
    return reduce(partial(w.op, kind), w.inputs)


@exports("concat")
def _concat(w: Writer) -> str:
    return w.op("Concat", *w.inputs, axis=axis_index(w.layer.axis, w.rank, w.layer))


# -- layers that move data --------------------------------------------------------------------


@exports("dropout")
def _dropout(w: Writer) -> str:
    return w.op("Dropout", w.x, w.constant(float(w.layer.rate)))


@exports("reshape")
def _reshape(w: Writer) -> str:
    return w.reshaped(w.x, *w.output_shape[1:])


@exports("permute")
def _permute(w: Writer) -> str:
    return w.op("Transpose", w.x, perm=[axis % w.rank for axis in w.layer.axes])


@exports("crop")
def _crop(w: Writer) -> str:
    return _sliced(w, {axis: w.layer.view(axis, 0, w.shape)[1] for axis in range(2, w.rank)})


@exports("slice")
def _slice(w: Writer) -> str:
    axis = axis_index(w.layer.axis, w.rank, w.layer)
    return _sliced(w, {axis: w.layer.view(axis, 0, w.shape)[1]})


def _sliced(w: Writer, windows: Mapping[int, Window]) -> str:
    """What windows of one position see, along some axes."""
    starts = [-v.before for v in windows.values()]
    steps = [v.stride for v in windows.values()]
    counts = [w.output_shape[axis] for axis in windows]
    ends = [a + (n - 1) * s + 1 for a, n, s in zip(starts, counts, steps, strict=True)]
    return w.op("Slice", w.x, *map(w.constant, (starts, ends, list(windows), steps)))


@exports("pad")
def _pad(w: Writer) -> str:
    before = [v.before for v in w.layer.window(w.shape)]
    sizes = zip(before, w.shape[2:], w.output_shape[2:], strict=True)
    found = [Window(before=b, after=out - n - b) for b, n, out in sizes]
    mode = {"constant": "constant", "reflect": "reflect", "replicate": "edge"}[w.layer.mode]
    return _padded(w, w.x, found, 0.0, mode)


@exports("channel_shuffle")
def _channel_shuffle(w: Writer) -> str:
    sizes = w.shape[2:]
    x = w.reshaped(w.x, w.layer.groups, w.shape[1] // w.layer.groups, *sizes)
    x = w.op("Transpose", x, perm=[0, 2, 1, *range(3, 3 + len(sizes))])
    return w.reshaped(x, *w.shape[1:])


@exports("pixel_shuffle")
def _pixel_shuffle(w: Writer) -> str:
    scale, rank = w.layer.scale, w.rank - 2
    if rank == 2:
        return w.op("DepthToSpace", w.x, blocksize=scale, mode="CRD")
    # DepthToSpace is over images only
    x = w.reshaped(w.x, w.output_shape[1], *[scale] * rank, *w.shape[2:])
    pixels = [axis for i in range(rank) for axis in (2 + rank + i, 2 + i)]
    x = w.op("Transpose", x, perm=[0, 1, *pixels])
    return w.reshaped(x, *w.output_shape[1:])


@exports("pixel_unshuffle")
def _pixel_unshuffle(w: Writer) -> str:
    # SpaceToDepth puts the pixels of a block before the channels
    scale, rank = w.layer.scale, w.rank - 2
    blocks = [size for n in w.output_shape[2:] for size in (n, scale)]
    x = w.reshaped(w.x, w.shape[1], *blocks)
    axes = range(2, 2 + 2 * rank)
    x = w.op("Transpose", x, perm=[0, 1, *axes[1::2], *axes[::2]])
    return w.reshaped(x, *w.output_shape[1:])


@exports("upsample")
def _upsample(w: Writer) -> str:
    layer, sizes = w.layer, w.output_shape[2:]
    views = layer.window(w.shape)
    neighbours = views[0].neighbours
    if neighbours == 1:
        return _repeated(w, views)
    if w.rank == 4:
        return w.op(
            "Resize", w.x, "", "", w.constant([*w.shape[:2], *sizes]),
            mode="cubic" if neighbours == 4 else "linear", cubic_coeff_a=-0.75,
            coordinate_transformation_mode="align_corners" if layer.align_corners else "half_pixel",
        )  # fmt: skip
    # ONNX Runtime interpolates images only, and not all else

    def of_one_axis(n: int, out: int) -> Any:
        mode = "cubic" if neighbours == 4 else "linear"
        return dataclasses.replace(layer, size=out, scale=None, mode=mode)

    return _mapped(w, of_one_axis)


def _repeated(w: Writer, views: Sequence[Any]) -> str:
    """Elements repeated: the nearest neighbours."""
    sizes = w.output_shape[2:]
    if all(out % n == 0 for n, out in zip(w.shape[2:], sizes, strict=True)):
        return w.op(
            "Resize", w.x, "", "", w.constant([*w.shape[:2], *sizes]), mode="nearest",
            coordinate_transformation_mode="asymmetric", nearest_mode="floor",
        )  # fmt: skip
    # Resize divides by a rounded ratio, and at whole places may fall short: 21 → 12
    x = w.x
    for axis, (view, out) in enumerate(zip(views, sizes, strict=True), start=2):
        x = w.op("Gather", x, w.constant([view.reads(i, i)[0] for i in range(out)]), axis=axis)
    return x


# -- what they share --------------------------------------------------------------------------


def _sliding(found: Iterable[Any]) -> dict[str, list[int]]:
    found = list(found)
    return {"kernel_shape": [v.kernel for v in found], "strides": [v.stride for v in found]}


def _pads(found: Sequence[Any]) -> list[int]:
    return [*(v.before for v in found), *(v.after for v in found)]


def _padded(w: Writer, x: str, found: Sequence[Window], value: float, mode: str = "") -> str:
    """The input with what windows have before and after it along the spatial axes."""
    before, after = ([getattr(v, side) for v in found] for side in ("before", "after"))
    pads = w.constant([0, 0, *before, 0, 0, *after])
    return w.op("Pad", x, pads, w.constant(value), mode=mode or "constant")


def _along(w: Writer, name: str, axes: list[int]) -> str:
    """A weight laid along axes of the input, which multiplies or shifts it."""
    order = sorted(range(len(axes)), key=axes.__getitem__)
    found = w.weight(name)
    if order != list(range(len(axes))):
        found = w.op("Transpose", found, perm=order)
    shape = [w.shape[axis] if axis in axes else 1 for axis in range(1, w.rank)]
    return w.op("Reshape", found, w.constant(shape))


def _mapped(w: Writer, of_one_axis: Callable[[int, int], Any]) -> str:
    """A layer that is linear and the same along every axis on its own, as a matrix for each.

    The columns of a matrix are what the layer makes of the unit vectors.
    """
    x, shape = w.x, list(w.shape)
    for axis in range(2, w.rank):
        n, out = shape[axis], w.output_shape[axis]
        unit = numpy.eye(n)[None]
        matrix = of_one_axis(n, out).forward(numpy, (unit,), {})[0].T
        x = w.reshaped(x, prod(shape[1:axis]), n, prod(shape[axis + 1 :]))
        x = w.op("MatMul", w.constant(matrix), x)
        shape[axis] = out
        x = w.reshaped(x, *shape[1:])
    return x


def _as_window(ranges: Sequence[tuple[int, int]]) -> Window | None:
    """One sliding window that reads the same, if there is one."""
    lengths = {last - first + 1 for first, last in ranges}
    steps = {b[0] - a[0] for a, b in pairwise(ranges)} or {1}
    if len(lengths) > 1 or len(steps) > 1 or steps == {0}:
        return None
    return Window(kernel=lengths.pop(), stride=steps.pop())


def _inverse(order: Sequence[int]) -> list[int]:
    return sorted(range(len(order)), key=order.__getitem__)
