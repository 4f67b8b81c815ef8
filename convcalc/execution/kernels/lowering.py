"""Which kernel computes a step, and the weights as it wants them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from convcalc.arrays import Array
from convcalc.execution.backends import Backend
from convcalc.execution.executor import own_weights
from convcalc.execution.fusion import Step
from convcalc.execution.kernels import depthwise, elementwise, im2col, pointwise, pool, winograd
from convcalc.execution.kernels.recording import (
    Epilogue,
    Recorder,
    Windows,
    channels_last,
    merged,
    windows_2d,
)  # fmt: skip
from convcalc.graph import Node
from convcalc.layers.activation import Activation
from convcalc.layers.merge import ElementwiseMerge

Record = Callable[[Recorder], None]
"""Records a step, or a worker's share of it."""


@dataclass
class Task:
    """A step and the arrays that it is about.

    Attributes:
        device: where it is run.
        step: the layers.
        x: the tensors that its first layer reads, (N, C, *n) in any order of memory.
        y: the tensor that it writes.
        residual: the tensor that it adds.
        in_place: for every x whether it is a part of y already.
        weights: of the network, on the host.
        prepared: weights on the device as kernels want them, made before; added to.
    """

    device: Backend
    step: Step
    x: list[Array]
    y: Array
    residual: Array | None
    in_place: list[bool]
    weights: Mapping[str, Array]
    prepared: dict[Any, Any]

    @property
    def node(self) -> Node:
        """The layer that is computed."""
        return self.step.node

    def own(self, node: Node) -> dict[str, Array]:
        """The weights of a layer of the step, on the host."""
        return own_weights(node, self.weights)

    def once(self, form: str, make: Callable[[], Any]) -> Any:
        """Something made of weights, once for all layers that share them."""
        nodes = (self.node, self.step.before, self.step.norm)
        key = (form, *(node and (node.owner.path, node.op.layer) for node in nodes))
        if key not in self.prepared:
            self.prepared[key] = make()
        return self.prepared[key]

    def uploaded(self, form: str, make: Callable[[], Array]) -> Array:
        """Weights in some form on the device, uploaded once."""
        return self.once(form, lambda: self.device.to_device(make()))


def lower(task: Task) -> Record:
    """What records a step: a fast kernel, or the layers' own `forward` where there is none."""
    lowering = _lowering(task.node)
    found = lowering(task) if lowering is not None and task.y.size else None
    return found or partial(_reference, task)


def has_kernel(node: Node) -> bool:
    """Whether there is a fast kernel for a layer."""
    return _lowering(node) is not None


def _lowering(node: Node) -> Callable[[Task], Record | None] | None:
    layer = node.op.layer
    if isinstance(layer, ElementwiseMerge):
        return _merge
    if isinstance(layer, Activation) and layer.name != "prelu":
        return _activation
    return _BY_KIND.get(layer.name)


def _reference(task: Task, recorder: Recorder) -> None:
    """Every layer of the step by its own `forward`, on one worker."""
    if recorder.share.part == 0:
        tensors = dict(zip(task.step.sources, task.x, strict=True))
        if task.step.residual is not None:
            tensors[task.step.residual] = task.residual
        own = {
            node: {name: task.device.to_device(array) for name, array in task.own(node).items()}
            for node in task.step.nodes
        }
        recorder.add(partial(_forward, recorder.xp, task.step.nodes, own), tensors, out=task.y)


def _forward(
    xp: Any, nodes: Sequence[Node], own: Mapping[Node, Mapping[str, Array]],
    tensors: Mapping[Node, Array], out: Array,
) -> None:  # fmt: skip
    found = dict(tensors)
    for node in nodes:
        inputs = tuple(found[source] for source in node.inputs)
        found[node] = node.op.layer.forward(xp, inputs, own[node])
    out[...] = found[nodes[-1]]


# -- weights --------------------------------------------------------------------------------------


def _scale_and_shift(task: Task, norm: Node) -> tuple[Any, Any]:
    """A batch norm at inference as one factor and one shift for every channel, in float64."""
    import numpy

    layer: Any = norm.op.layer
    own = {name: array.astype("float64") for name, array in task.own(norm).items()}
    scale = 1 / numpy.sqrt(own["running_var"] + float(layer.eps))
    shift = -own["running_mean"] * scale
    if "weight" in own:
        scale, shift = scale * own["weight"], shift * own["weight"] + own["bias"]
    return scale, shift


class _Folded:
    """The weight (K, C, *k) and the bias of a product, with the norms before and after in them.

    `before` is what its input goes through first, as operations with a second operand, and `bias`
    what is added to the products, both on the device.

    ReLU(s·x + t) = s·max(x, −t/s) + t where s > 0: the factor and the shift go into the weights,
    and one operation is left. Where a factor is not positive, all three are made.
    """

    def __init__(self, task: Task) -> None:
        own = task.own(task.node)
        weight, bias = own["weight"], own.get("bias")
        self._factors: list[tuple[Any, int]] = []
        self.before: list[tuple[str, Any]] = []

        def upload(array: Any) -> Array:
            return task.device.to_device(array.astype(weight.dtype, copy=False))

        if task.step.before is not None:
            scale, shift = _scale_and_shift(task, task.step.before)
            # shifts far beyond the factors would leave the range of the type
            if (scale > 0).all() and (abs(shift) <= 1e6 * scale).all():
                self.before = [("maximum", upload(-shift / scale))]
                more = weight.reshape(len(weight), -1).astype("float64") @ shift
                bias = more if bias is None else bias + more
                self._factors.append((scale, 1))
            else:
                factor, summand = upload(scale), upload(shift)
                self.before = [("multiply", factor), ("add", summand), ("maximum", 0)]
        if task.step.norm is not None:
            scale, shift = _scale_and_shift(task, task.step.norm)
            self._factors.append((scale, 0))
            bias = shift if bias is None else bias * scale + shift
        self.bias = None if bias is None else upload(bias)

    def weight(self, task: Task) -> Any:
        """The weight on the host, made anew: nobody keeps it beside the form that a kernel takes.

        It has two spatial axes where it is of one.
        """
        weight = task.own(task.node)["weight"]
        dtype = weight.dtype
        for factors, axis in self._factors:
            along = [-1 if i == axis else 1 for i in range(weight.ndim)]
            weight = weight * factors.reshape(along)
        if weight.ndim == 3:
            weight = weight[:, :, None]
        return weight.astype(dtype, copy=False)


# -- products -------------------------------------------------------------------------------------


def _conv(task: Task) -> Record | None:
    if task.y.ndim == 5:
        return _conv_volume(task)
    (conv,) = task.node.op.layer.parts(task.node.op.inputs[0])
    windows = windows_2d(conv.window(task.node.op.inputs[0]))
    groups: int = conv.groups  # type: ignore[attr-defined]
    x, y = channels_last(task.x[0]), channels_last(task.y)
    residual = None if task.residual is None else channels_last(task.residual)
    made = task.once("folded", lambda: _Folded(task))
    kernel = tuple(w.kernel for w in windows)
    epilogue = Epilogue(made.bias, residual, task.step.activation)
    common = {"x": x, "y": y, "epilogue": epilogue}
    depth, channels = x.shape[3], y.shape[3]
    single = kernel == (1, 1) and groups == 1
    if single and not _strided(windows) and _mergeable(x, y, residual):
        return partial(pointwise.record, weight=_matrix(task, made), before=made.before, **common)
    if task.step.before is not None:
        return None
    common["windows"] = windows
    if groups == channels > 1 and (groups == depth or task.step.expansion is not None):
        width = y.shape[2]
        taps = task.uploaded(
            f"taps of {width}",
            lambda: depthwise.tiled(made.weight(task)[:, 0].transpose(1, 2, 0), width),
        )
        return partial(depthwise.record, weight=taps, expansion=_expansion(task), **common)
    transform = _transform(windows, groups, x, y)
    if transform is not None:
        lifted = task.uploaded(
            f"F{transform.outputs}", lambda: winograd.transformed(transform, made.weight(task))
        )
        return partial(winograd.record, weight=lifted, transform=transform, **common)
    columns = task.uploaded("columns", lambda: im2col.arranged(made.weight(task), groups))
    return partial(im2col.record, weight=columns, **common)


def _matrix(task: Task, made: _Folded) -> Array:
    """The weight of a 1×1 convolution: (C, K)."""

    def turned() -> Any:
        weight = made.weight(task)
        return weight.reshape(weight.shape[:2]).T.copy()

    return task.uploaded("matrix", turned)


def _expansion(task: Task) -> depthwise.Expansion | None:
    """The 1×1 convolution in front of a depthwise one, if it runs with it."""
    if task.step.expansion is None:
        return None
    first = replace(task, step=task.step.expansion)
    made = first.once("folded", lambda: _Folded(first))
    epilogue = Epilogue(made.bias, None, first.step.activation)
    return depthwise.Expansion(_matrix(first, made), epilogue)


def _conv_volume(task: Task) -> Record | None:
    if task.step.before is not None:
        return None
    (conv,) = task.node.op.layer.parts(task.node.op.inputs[0])
    groups: int = conv.groups  # type: ignore[attr-defined]
    made = task.once("folded", lambda: _Folded(task))
    residual = None if task.residual is None else _last(task.residual)
    return partial(
        im2col.record_volume,
        x=_last(task.x[0]),
        weight=task.uploaded("columns", lambda: im2col.arranged(made.weight(task), groups)),
        y=_last(task.y),
        windows=conv.window(task.node.op.inputs[0]),
        epilogue=Epilogue(made.bias, residual, task.step.activation),
    )


def _strided(windows: Windows) -> bool:
    """Whether windows leave out positions, or go beyond the input."""
    return any(w.stride != 1 or w.before or w.after for w in windows)


def _mergeable(*arrays: Array | None) -> bool:
    """Whether all are matrices, of positions and channels."""
    return all(a is None or merged(a, a.ndim - 1) is not None for a in arrays)


def _transform(windows: Windows, groups: int, x: Array, y: Array) -> winograd.Transform | None:
    """The transform that is the fastest, or None where windows are gathered faster.

    F4 needs a quarter of the multiplications, and four times the weights; where there are few
    tiles, reading these takes longer than it saves.
    """
    images, height, width, channels = y.shape
    plain = all((w.kernel, w.stride, w.dilation) == (3, 1, 1) for w in windows)
    if not plain or groups > 1 or min(x.shape[3], channels) < 32:
        return None
    pixels = images * height * width
    if pixels >= 700 and min(height, width) >= 9:
        return winograd.F4
    return winograd.F2 if pixels >= 190 and min(height, width) >= 4 else None


def _linear(task: Task) -> Record | None:
    (x,), y = task.x, task.y
    if not _mergeable(x, y, task.residual):
        return None
    made = task.once("folded", lambda: _Folded(task))
    epilogue = Epilogue(made.bias, task.residual, task.step.activation)
    matrix = task.uploaded("matrix", lambda: made.weight(task))
    # a transposed view: the product reads it as it lies
    return partial(pointwise.record, x=x, weight=matrix.T, y=y, epilogue=epilogue)


# -- pooling --------------------------------------------------------------------------------------


def _max_pool(task: Task) -> Record | None:
    return _pool(task, pool.record_max)


def _avg_pool(task: Task) -> Record | None:
    layer: Any = task.node.op.layer
    padded = any(w.before or w.after for w in layer.window(task.node.op.inputs[0]))
    if layer.ceil_mode or (padded and not layer.count_include_pad):
        return None  # not all windows have as many elements
    return _pool(task, pool.record_mean)


def _pool(task: Task, record: Callable[..., None]) -> Record | None:
    windows: Any = task.node.op.layer.window(task.node.op.inputs[0])
    if task.y.ndim == 5:
        return partial(record, x=_last(task.x[0]), y=_last(task.y), windows=windows)
    windows = windows_2d(windows)
    x, y = channels_last(task.x[0]), channels_last(task.y)
    return partial(record, x=x, y=y, windows=windows)


def _global_mean(task: Task) -> Record | None:
    if task.x[0].ndim not in (3, 4):
        return None
    y = task.y.reshape(task.y.shape[:2])
    return partial(pool.record_global_mean, x=channels_last(task.x[0]), y=y)


# -- element by element ---------------------------------------------------------------------------


def _norm(task: Task) -> Record | None:
    x, y = (_last(a) for a in (task.x[0], task.y))

    def made() -> tuple[Array, Array]:
        scale, shift = _scale_and_shift(task, task.node)
        upload = task.device.to_device
        return upload(scale.astype(y.dtype)), upload(shift.astype(y.dtype))

    scale, shift = task.once("norm", made)
    return partial(
        elementwise.record_norm, x=x, scale=scale, shift=shift, y=y,
        activation=task.step.activation,
    )  # fmt: skip


def _last(x: Array) -> Array:
    """The channels last, whatever the number of axes."""
    return x.transpose(0, *range(2, x.ndim), 1) if x.ndim > 2 else x


def _activation(task: Task) -> Record | None:
    x, y = _in_order(task.y, task.x[0], task.y)
    return partial(elementwise.record_activation, x=x, y=y, activation=task.node.op.layer)


def _merge(task: Task) -> Record | None:
    *x, y = _in_order(task.y, *task.x, task.y)
    return partial(
        elementwise.record_merge, operation=getattr(task.device.xp, task.node.kind), inputs=x, y=y,
        activation=task.step.activation,
    )  # fmt: skip


def _in_order(y: Array, *arrays: Array) -> list[Array]:
    """Arrays with their axes in the order in which those of y lie in memory, the batch first."""
    order = sorted(range(1, y.ndim), key=lambda axis: -y.strides[axis])
    return [array.transpose(0, *order) for array in arrays]


def _concat(task: Task) -> Record | None:
    axis = task.node.op.layer.axis % task.y.ndim  # type: ignore[attr-defined]
    ends = [0]
    for x in task.x:
        ends.append(ends[-1] + x.shape[axis])
    copies = [
        (x, task.y[(*(slice(None),) * axis, slice(start, end))])
        for x, start, end, done in zip(task.x, ends, ends[1:], task.in_place, strict=False)
        if not done
    ]

    def record(recorder: Recorder) -> None:
        for number in recorder.share.of(len(copies)):
            recorder.copy(*copies[number])

    return record


_BY_KIND: dict[str, Callable[[Task], Record | None]] = {
    "conv": _conv,
    "depthwise_conv": _conv,
    "linear": _linear,
    "max_pool": _max_pool,
    "avg_pool": _avg_pool,
    "global_avg_pool": _global_mean,
    "batch_norm": _norm,
    "concat": _concat,
}
