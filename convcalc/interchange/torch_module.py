"""Networks as PyTorch modules that run layer by layer, as a model written by hand does."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import partial, reduce
from typing import Any

import numpy

from convcalc.errors import ConvcalcError
from convcalc.graph import Graph, Node
from convcalc.interchange.libraries import not_installed
from convcalc.interchange.windows import pool_borders
from convcalc.layer import axis_index, per_axis, windows
from convcalc.view import Window

try:
    import torch
    from torch import nn
    from torch.nn import functional
except ImportError:
    raise not_installed("torch") from None


def torch_module(graph: Graph, weights: Mapping[str, Any]) -> Any:
    """A network and its weights as a `torch.nn.Module`, ready for inference.

    Every layer is the module of `torch.nn` that a model written by hand would have (`Conv2d`,
    `BatchNorm2d`, `ReLU(inplace=True)`), nothing is folded or fused, and a tensor goes after its
    last reader. `forward` takes a tensor for each input, in the order of `graph.inputs`, and gives
    one, or a tuple of them, in the order of `graph.outputs`.

    Args:
        graph: the network, with numbers for all sizes.
        weights: an array for every weight, by its path; shared ones once.

    Raises:
        ConvcalcError: a layer has no translation.
    """
    return _Model(graph, weights).eval()


def torch_outputs(
    graph: Graph, weights: Mapping[str, Any], inputs: Mapping[str, Any], nodes: Iterable[Node]
) -> dict[str, Any]:
    """The outputs of some layers as PyTorch computes them, by their paths.

    Raises:
        ConvcalcError: PyTorch does not run the network.
    """
    found: dict[str, Any] = {}
    wanted = {node.path for node in nodes}

    def observe(path: str, y: Any) -> None:
        if path in wanted:
            # a layer that runs in place would write over it
            found[path] = y.numpy().copy()

    model = torch_module(graph, weights)
    try:
        with torch.inference_mode():
            model.run([torch.from_numpy(inputs[node.path]) for node in graph.inputs], observe)
    except RuntimeError as error:
        raise ConvcalcError(f"PyTorch does not run the network: {error}") from None
    return found


class Builder:
    """What one layer is translated with.

    Attributes:
        layer: the layer.
        shape: that of its first input.
        output_shape: that of its output.
        rank: the number of spatial axes of the first input.
        inplace: whether it may write over its input.
    """

    def __init__(self, node: Node, parameters: Mapping[str, Any], inplace: bool) -> None:
        self.layer: Any = node.op.layer
        self.shape: Any = node.op.inputs[0]
        self.output_shape: Any = node.op.output_shape
        self.rank = len(self.shape) - 2
        self.inplace = inplace
        self._owner = node.owner.path
        self._parameters = parameters

    def weight(self, name: str) -> Any:
        """The weight that the layer calls so, its own or the one it shares."""
        return self._parameters[f"{self._owner}.{name}"]

    def filled(self, module: Any, **names: str) -> Any:
        """A module with its weights: those that it has, called as here or as `names` says."""
        for name in ("weight", "bias", "running_mean", "running_var"):
            if getattr(module, name, None) is not None:
                setattr(module, name, self.weight(names.get(name, name)))
        if getattr(module, "num_batches_tracked", None) is not None:
            module.num_batches_tracked = torch.tensor(0)
        return module

    def of_rank(self, name: str) -> Any:
        """The class of `torch.nn` of that name for so many spatial axes: Conv2d."""
        return getattr(nn, f"{name}{max(1, self.rank)}d")


Translation = Callable[[Builder], Any]

TRANSLATIONS: dict[str, Translation] = {}
"""What makes the module of each layer, by its registered name."""


def translates(*names: str) -> Callable[[Translation], Translation]:
    """Register what translates some layers."""

    def register(translation: Translation) -> Translation:
        TRANSLATIONS.update(dict.fromkeys(names, translation))
        return translation

    return register


class _Model(nn.Module):  # type: ignore[misc]
    def __init__(self, graph: Graph, weights: Mapping[str, Any]) -> None:
        super().__init__()
        buffers = {
            f"{node.path}.{name}"
            for node in graph.nodes
            for name, weight in node.op.layer.weights(*node.op.inputs).items()
            if not weight.trainable
        }
        parameters = {
            path: tensor if path in buffers else nn.Parameter(tensor, requires_grad=False)
            for path, tensor in ((p, torch.tensor(numpy.asarray(w))) for p, w in weights.items())
        }
        self.layers = nn.ModuleList(
            _translated(node, parameters, inplace)
            for node, inplace in zip(graph.nodes, _may_overwrite(graph), strict=True)
        )
        places = {node: i for i, node in enumerate((*graph.inputs, *graph.nodes))}
        last = {source: node for node in graph.nodes for source in node.inputs}
        for output in graph.outputs:
            last.pop(output, None)
        self._steps = [
            (
                node.path,
                [places[source] for source in node.inputs],
                places[node],
                [places[source] for source in set(node.inputs) if last.get(source) is node],
            )
            for node in graph.nodes
        ]
        self._outputs = [places[node] for node in graph.outputs]

    def forward(self, *inputs: Any) -> Any:
        found = self.run(inputs)
        return found[0] if len(found) == 1 else found

    def run(
        self, inputs: Iterable[Any], observe: Callable[[str, Any], None] | None = None
    ) -> tuple[Any, ...]:
        """The outputs; `observe` is called with the path and the output of every layer."""
        alive = dict(enumerate(inputs))
        for layer, (path, sources, place, gone) in zip(self.layers, self._steps, strict=True):
            alive[place] = layer(*[alive[source] for source in sources])
            if observe is not None:
                observe(path, alive[place])
            for source in gone:
                del alive[source]
        return tuple(alive[place] for place in self._outputs)


class _Function(nn.Module):  # type: ignore[misc]
    """A call where a model written by hand has no module; it is given `tensors` as well."""

    def __init__(self, function: Callable[..., Any], **tensors: Any) -> None:
        super().__init__()
        self.function = function
        self.names = tuple(tensors)
        for name, tensor in tensors.items():
            if isinstance(tensor, nn.Parameter):
                self.register_parameter(name, tensor)
            else:
                self.register_buffer(name, tensor)

    def forward(self, *inputs: Any) -> Any:
        return self.function(*inputs, *(getattr(self, name) for name in self.names))


def _translated(node: Node, parameters: Mapping[str, Any], inplace: bool) -> Any:
    if node.kind not in TRANSLATIONS:
        raise ConvcalcError(f"{node.kind} has no translation to PyTorch").located(path=node.path)
    return TRANSLATIONS[node.kind](Builder(node, parameters, inplace))


_VIEWS = ("permute", "crop", "slice")
"""Layers whose outputs are views of their inputs in PyTorch, though convcalc gives them storage."""


def _may_overwrite(graph: Graph) -> list[bool]:
    """For each layer, whether nobody else reads its input, nor anything that shares its storage."""
    readers = Counter(source for node in graph.nodes for source in node.inputs)
    readers.update(graph.outputs)
    views = {node for node in graph.nodes if node.op.layer.is_view or node.kind in _VIEWS}
    shared = {*graph.inputs, *views}
    return [
        all(readers[source] == 1 and source not in shared for source in node.inputs)
        for node in graph.nodes
    ]


# -- activations ------------------------------------------------------------------------------

_INPLACE: dict[str, str] = {
    "relu": "ReLU", "relu6": "ReLU6", "silu": "SiLU", "hard_sigmoid": "Hardsigmoid",
    "hard_swish": "Hardswish", "selu": "SELU", "mish": "Mish", "hard_tanh": "Hardtanh",
}  # fmt: skip
_PLAIN: dict[str, str] = {
    "sigmoid": "Sigmoid", "tanh": "Tanh", "gelu": "GELU", "softplus": "Softplus",
    "identity": "Identity", "flatten": "Flatten",
}  # fmt: skip


def _inplace(b: Builder, module: str) -> Any:
    return getattr(nn, module)(inplace=b.inplace)


def _plain(b: Builder, module: str) -> Any:
    return getattr(nn, module)()


for _name, _module in _INPLACE.items():
    TRANSLATIONS[_name] = partial(_inplace, module=_module)
for _name, _module in _PLAIN.items():
    TRANSLATIONS[_name] = partial(_plain, module=_module)


@translates("abs")
def _abs(b: Builder) -> Any:
    return _Function(torch.abs)


@translates("leaky_relu")
def _leaky_relu(b: Builder) -> Any:
    return nn.LeakyReLU(float(b.layer.slope), inplace=b.inplace)


@translates("elu")
def _elu(b: Builder) -> Any:
    return nn.ELU(float(b.layer.alpha), inplace=b.inplace)


@translates("prelu")
def _prelu(b: Builder) -> Any:
    return b.filled(nn.PReLU(b.shape[1] if b.layer.per_channel else 1, device="meta"))


@translates("softmax")
def _softmax(b: Builder) -> Any:
    return nn.Softmax(b.layer.axis)


@translates("log_softmax")
def _log_softmax(b: Builder) -> Any:
    return nn.LogSoftmax(b.layer.axis)


# -- convolutions and linear layers -----------------------------------------------------------


def _convolution(b: Builder, conv: Any, shape: Any, **names: str) -> Any:
    found = conv.window(shape)
    even = all(w.before == w.after for w in found)
    module = b.of_rank("Conv")(
        shape[1], conv.out_channels, [w.kernel for w in found], [w.stride for w in found],
        [w.before if even else 0 for w in found], [w.dilation for w in found], conv.groups,
        conv.bias, device="meta",
    )  # fmt: skip
    filled = b.filled(module, **names)
    return filled if even else nn.Sequential(_padding(found, 0.0), filled)


@translates("conv", "depthwise_conv")
def _conv(b: Builder) -> Any:
    (conv,) = b.layer.parts(b.shape)
    return _convolution(b, conv, b.shape)


@translates("separable_conv")
def _separable_conv(b: Builder) -> Any:
    depthwise, pointwise = b.layer.parts(b.shape)
    return nn.Sequential(
        _convolution(b, depthwise, b.shape, weight="depthwise_weight"),
        _convolution(b, pointwise, depthwise.output_shape(b.shape), weight="pointwise_weight"),
    )


@translates("conv_transpose")
def _conv_transpose(b: Builder) -> Any:
    layer = b.layer
    found = windows(b.shape[2:], layer.kernel, layer.stride, layer.padding, layer.dilation)
    even = [min(w.before, w.after) for w in found]
    module = b.filled(
        b.of_rank("ConvTranspose")(
            b.shape[1], layer.out_channels, [w.kernel for w in found], [w.stride for w in found],
            even, per_axis(layer.output_padding, b.rank, "output_padding"), layer.groups,
            layer.bias, [w.dilation for w in found], device="meta",
        )
    )  # fmt: skip
    rest = [
        Window(before=pad - w.before, after=pad - w.after)
        for w, pad in zip(found, even, strict=True)
    ]
    # a negative padding crops
    return nn.Sequential(module, _padding(rest, 0.0)) if any(_sides(rest)) else module


@translates("linear")
def _linear(b: Builder) -> Any:
    return b.filled(nn.Linear(b.shape[-1], b.layer.out_features, b.layer.bias, device="meta"))


# -- pooling ----------------------------------------------------------------------------------


def _pool_arguments(b: Builder) -> dict[str, Any] | None:
    """What PyTorch's pooling takes; None where it refuses such a padding."""
    borders = pool_borders(b.layer, b.shape)
    found = [border.window for border in borders]
    if any(w.before != w.after or 2 * w.before > w.kernel for w in found):
        return None
    if any(size < w.kernel for w, size in zip(found, b.shape[2:], strict=True)) and b.rank == 3:
        return None  # AvgPool3d looks at the input without its padding
    return {
        "kernel_size": [w.kernel for w in found],
        "stride": [w.stride for w in found],
        "padding": [w.before for w in found],
        "ceil_mode": any(border.beyond for border in borders),
    }


def _extended(b: Builder) -> list[Window]:
    """The windows with all that they reach after the input as padding."""
    return [
        border.window._replace(after=border.window.after + border.beyond)
        for border in pool_borders(b.layer, b.shape)
    ]


@translates("max_pool")
def _max_pool(b: Builder) -> Any:
    arguments = _pool_arguments(b)
    found = _extended(b)
    dilation = [w.dilation for w in found]
    if arguments is not None:
        return b.of_rank("MaxPool")(**arguments, dilation=dilation)
    pool = b.of_rank("MaxPool")([w.kernel for w in found], [w.stride for w in found], 0, dilation)
    return nn.Sequential(_padding(found, -math.inf), pool)


@translates("avg_pool")
def _avg_pool(b: Builder) -> Any:
    arguments = _pool_arguments(b)
    if arguments is not None:
        counted = b.layer.count_include_pad
        return b.of_rank("AvgPool")(**arguments, count_include_pad=counted)
    # sums over windows, divided by how many elements of each count
    found = _extended(b)
    own = [border.window for border in pool_borders(b.layer, b.shape)]
    pool = b.of_rank("AvgPool")([w.kernel for w in found], [w.stride for w in found])
    counts = functional.pad(
        torch.ones(1, 1, *b.shape[2:]), _sides(own), value=float(b.layer.count_include_pad)
    )
    beyond = [Window(after=w.after - v.after) for w, v in zip(found, own, strict=True)]
    shares = pool(functional.pad(counts, _sides(beyond)))
    pad = _padding(found, 0.0)
    return _Function(lambda x, shares: pool(pad(x)) / shares, shares=shares)


@translates("global_avg_pool", "global_max_pool")
def _global_pool(b: Builder) -> Any:
    kind = {"global_avg_pool": "AdaptiveAvgPool", "global_max_pool": "AdaptiveMaxPool"}
    pool = b.of_rank(kind[b.layer.name])(1)
    return pool if b.layer.keep_axes else nn.Sequential(pool, nn.Flatten())


@translates("adaptive_avg_pool", "adaptive_max_pool")
def _adaptive_pool(b: Builder) -> Any:
    kind = {"adaptive_avg_pool": "AdaptiveAvgPool", "adaptive_max_pool": "AdaptiveMaxPool"}
    return b.of_rank(kind[b.layer.name])(b.output_shape[2:])


@translates("mean")
def _mean(b: Builder) -> Any:
    axes, keep = list(b.layer.axes), b.layer.keep_axes
    return _Function(lambda x: x.mean(axes, keepdim=keep))


# -- norms ------------------------------------------------------------------------------------


@translates("batch_norm")
def _batch_norm(b: Builder) -> Any:
    kind = b.of_rank("BatchNorm")
    return b.filled(kind(b.shape[1], float(b.layer.eps), affine=b.layer.affine, device="meta"))


@translates("instance_norm")
def _instance_norm(b: Builder) -> Any:
    if b.layer.running_statistics:
        return _batch_norm(b)
    if math.prod(b.shape[2:]) == 1:
        # PyTorch's refuses a single position, though not because it could not
        return _of_groups(b, b.shape[1])
    kind = b.of_rank("InstanceNorm")
    return b.filled(kind(b.shape[1], float(b.layer.eps), affine=b.layer.affine, device="meta"))


@translates("group_norm")
def _group_norm(b: Builder) -> Any:
    if math.prod(b.shape[1:]) == b.layer.groups:
        return _of_groups(b, b.layer.groups)
    eps, affine = float(b.layer.eps), b.layer.affine
    return b.filled(nn.GroupNorm(b.layer.groups, b.shape[1], eps, affine, device="meta"))


def _of_groups(b: Builder, groups: int) -> Any:
    """Group norm without the check of `nn.GroupNorm` that a group is more than one element."""
    eps = float(b.layer.eps)
    learnt = {name: b.weight(name) for name in ("weight", "bias") if b.layer.affine}
    return _Function(lambda x, *own: torch.group_norm(x, groups, *own, eps=eps), **learnt)


@translates("layer_norm")
def _layer_norm(b: Builder) -> Any:
    rank = len(b.shape)
    over = [axis_index(axis, rank, b.layer) for axis in b.layer.axes]
    order = [axis for axis in range(rank) if axis not in over] + over
    eps, affine = float(b.layer.eps), b.layer.affine
    module = b.filled(nn.LayerNorm([b.shape[axis] for axis in over], eps, affine, device="meta"))
    if order == list(range(rank)):
        return module
    back = sorted(range(rank), key=order.__getitem__)
    return nn.Sequential(
        _Function(lambda x: x.permute(order)), module, _Function(lambda x: x.permute(back))
    )


@translates("local_response_norm")
def _local_response_norm(b: Builder) -> Any:
    numbers = (float(getattr(b.layer, name)) for name in ("alpha", "beta", "k"))
    norm = nn.LocalResponseNorm(b.layer.size, *numbers)
    # PyTorch's needs a spatial axis
    return norm if b.rank else nn.Sequential(nn.Unflatten(1, (-1, 1)), norm, nn.Flatten())


@translates("scale")
def _scale(b: Builder) -> Any:
    rank = len(b.shape)
    axes = [axis_index(axis, rank, b.layer) for axis in b.layer.axes]
    order = sorted(range(len(axes)), key=axes.__getitem__)
    shape = [b.shape[axis] if axis in axes else 1 for axis in range(1, rank)]
    return _Function(
        lambda x, factor: x * factor.permute(order).reshape(shape), factor=b.weight("weight")
    )


# -- merges -----------------------------------------------------------------------------------


@translates("add", "subtract", "multiply", "divide", "maximum", "minimum")
def _elementwise(b: Builder) -> Any:
    function = getattr(torch, b.layer.name)
    return _Function(lambda *inputs: reduce(function, inputs))


@translates("concat")
def _concat(b: Builder) -> Any:
    axis = b.layer.axis
    return _Function(lambda *inputs: torch.cat(inputs, axis))


# -- layers that move data --------------------------------------------------------------------


@translates("dropout")
def _dropout(b: Builder) -> Any:
    return nn.Dropout(float(b.layer.rate), inplace=b.inplace)


@translates("reshape")
def _reshape(b: Builder) -> Any:
    shape = b.output_shape[1:]
    return _Function(lambda x: x.reshape(x.shape[0], *shape))


@translates("permute")
def _permute(b: Builder) -> Any:
    axes = b.layer.axes
    return _Function(lambda x: x.permute(axes))


@translates("crop", "slice")
def _cut(b: Builder) -> Any:
    seen = [b.layer.view(axis, 0, b.shape)[1] for axis in range(len(b.shape))]
    ends = [w.reads(out - 1, out - 1)[1] + 1 for w, out in zip(seen, b.output_shape, strict=True)]
    parts = tuple(slice(-w.before, end, w.stride) for w, end in zip(seen, ends, strict=True))[1:]
    return _Function(lambda x: x[:, *parts])


@translates("pad")
def _pad(b: Builder) -> Any:
    before = [w.before for w in b.layer.window(b.shape)]
    sizes = zip(before, b.shape[2:], b.output_shape[2:], strict=True)
    found = [Window(before=first, after=out - n - first) for first, n, out in sizes]
    return _padding(found, 0.0, b.layer.mode)


@translates("channel_shuffle")
def _channel_shuffle(b: Builder) -> Any:
    groups, shape = b.layer.groups, b.shape[1:]

    def shuffled(x: Any) -> Any:
        apart = x.view(x.shape[0], groups, -1, *shape[1:])
        return apart.transpose(1, 2).reshape(x.shape[0], *shape)

    return _Function(shuffled)


@translates("pixel_shuffle")
def _pixel_shuffle(b: Builder) -> Any:
    scale, rank, out = b.layer.scale, b.rank, b.output_shape[1:]
    if rank == 2:
        return nn.PixelShuffle(scale)
    blocks = [out[0], *[scale] * rank, *b.shape[2:]]
    order = [0, 1, *(axis for i in range(rank) for axis in (2 + rank + i, 2 + i))]
    return _Function(
        lambda x: x.reshape(x.shape[0], *blocks).permute(order).reshape(x.shape[0], *out)
    )


@translates("pixel_unshuffle")
def _pixel_unshuffle(b: Builder) -> Any:
    scale, rank, out = b.layer.scale, b.rank, b.output_shape[1:]
    if rank == 2:
        return nn.PixelUnshuffle(scale)
    blocks = [b.shape[1], *(size for n in out[1:] for size in (n, scale))]
    axes = range(2, 2 + 2 * rank)
    order = [0, 1, *axes[1::2], *axes[::2]]
    return _Function(
        lambda x: x.reshape(x.shape[0], *blocks).permute(order).reshape(x.shape[0], *out)
    )


@translates("upsample")
def _upsample(b: Builder) -> Any:
    sizes, corners = b.output_shape[2:], b.layer.align_corners
    views = b.layer.window(b.shape)
    if views[0].neighbours == 1:
        if all(out in (n, 2 * n, 4 * n) for n, out in zip(b.shape[2:], sizes, strict=True)):
            return nn.Upsample(size=tuple(sizes))
        # PyTorch multiplies by a rounded ratio, which at whole places may fall short: 2 → 82
        nearest = {
            f"along_{axis}": torch.tensor([view.reads(i, i)[0] for i in range(out)])
            for axis, (view, out) in enumerate(zip(views, sizes, strict=True), start=2)
        }

        def repeated(x: Any, *places: Any) -> Any:
            for axis, own in enumerate(places, start=2):
                x = x.index_select(axis, own)
            return x

        return _Function(repeated, **nearest)
    if views[0].neighbours == 2:
        mode = ("linear", "bilinear", "trilinear")[b.rank - 1]
        return nn.Upsample(size=tuple(sizes), mode=mode, align_corners=corners)
    if b.rank == 2:
        return nn.Upsample(size=tuple(sizes), mode="bicubic", align_corners=corners)

    def cubic(x: Any) -> Any:
        # over images only: each axis in turn as the rows of one
        for axis, out in enumerate(sizes, start=2):
            moved = x.movedim(axis, -1)
            rows = moved.reshape(1, 1, -1, moved.shape[-1])
            size = (rows.shape[2], out)
            rows = functional.interpolate(rows, size=size, mode="bicubic", align_corners=corners)
            x = rows.reshape(*moved.shape[:-1], out).movedim(-1, axis)
        return x

    return _Function(cubic)


# -- what they share --------------------------------------------------------------------------


def _sides(found: Iterable[Window]) -> list[Any]:
    """What `functional.pad` takes: before and after, from the last axis on."""
    return [side for w in reversed(list(found)) for side in (w.before, w.after)]


def _padding(found: Iterable[Window], value: float, mode: str = "constant") -> Any:
    sides = _sides(found)
    if mode == "constant":
        return _Function(lambda x: functional.pad(x, sides, value=value))
    return _Function(lambda x: functional.pad(x, sides, mode))
