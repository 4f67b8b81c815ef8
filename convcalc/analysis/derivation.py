"""Derivations: how a layer's figures come about, read off the code that computes them.

A copy of the layer has symbols where its fields hold numbers, and is given an input of symbols; the
Dim that its own `output_shape`, `weights`, `cost` and views then return *is* the formula. There is
no second text of it. Configuration (words, truth values, axis numbers) stays as it is.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

from convcalc import arith
from convcalc.analysis.memory import BYTES
from convcalc.analysis.quantities import QUANTITIES
from convcalc.analysis.receptive_field import Tracked, joined, receptive_fields
from convcalc.dim import Atom, Dim, Size, equal, symbol, symbols
from convcalc.errors import ConvcalcError, UndecidableError
from convcalc.fields import Axes, Decimal, Kind, Padding, PerAxis, Whole
from convcalc.graph import Graph, Node, Operation
from convcalc.layer import AXIS_NAMES, SAME, Layer, Shape, Weight, fields, per_axis, show_shape
from convcalc.view import IDENTITY, Spread, View, Window

EXPLAINED = ("output", "params", "macs", "memory", "receptive_field")
"""What is derived of a layer."""

_WINDOW_FIELDS = ("kernel", "stride", "dilation")
_SYMBOLIC: dict[type, tuple[str, ...]] = {
    Window: Window._fields,
    Spread: ("kernel", "dilation"),  # a field over the stride is no polynomial in it
}
"""The fields of a view for which symbols may stand; other views need their numbers."""

_PLAIN_AT_1 = ("groups", "multiplier")
"""What is no part of a formula where it is 1."""

_REACH = {"size": "field", "stride": "jump", "start": "first"}


class Letter(NamedTuple):
    """What a symbol of a formula stands for: a field or a size, of an axis where it has one.

    `place` says of which input it is, or where it stands in a list. Written `kind:axis:place`,
    which no symbol of a spec is.
    """

    kind: str
    axis: int | None = None
    place: int = 0

    def __str__(self) -> str:
        return f"{self.kind}:{'' if self.axis is None else self.axis}:{self.place}"

    @property
    def dim(self) -> Dim:
        """The symbol itself."""
        return symbol(str(self))

    @classmethod
    def of(cls, name: str) -> Letter:
        """The letter that a symbol's name is written from."""
        kind, axis, place = name.split(":")
        return cls(kind, int(axis) if axis else None, int(place))


class Derivation(NamedTuple):
    """One figure of a layer: its formula over `Letter` symbols, their values, and its value.

    `axes` are the spatial axes for which it holds, where it is about some. `exact` are the floors
    in it that leave no remainder, as the layer requires. `formula` is None where there is none
    worth a board; `note` then says why.
    """

    quantity: str
    part: str
    formula: Size | None
    values: Mapping[str, Size]
    value: Size
    source: str
    note: str = ""
    axes: tuple[int, ...] = ()
    rank: int = 0
    exact: frozenset[Atom] = frozenset()


def put(value: Size, known: Mapping[str, Any]) -> Any:
    """A size with some of its symbols replaced by others, or by numbers."""
    if not isinstance(value, Dim):
        return value
    return value.evaluate(**{name: known.get(name, symbol(name)) for name in value.symbols})


class Derivations:
    """The derivations of a graph's layers.

    Args:
        graph: the network.
        dtype: what the bytes are counted for.
    """

    def __init__(self, graph: Graph, dtype: str = "float32") -> None:
        self.graph = graph
        self.dtype = dtype
        self._fields: dict[Node, tuple[Tracked | None, ...]] | None = None
        self._traced: dict[tuple[int, _Layout], _Traced] = {}
        self._layouts: dict[Node, _Layout] | None = None

    def of(self, node: Node, quantities: Iterable[str] = EXPLAINED) -> list[Derivation]:
        """The derivations of one layer, for each quantity in the order given.

        Raises:
            ConvcalcError: a formula gives another value than the layer itself.
        """
        found = []
        for quantity in quantities:
            steps: Callable[[Node], Iterator[Derivation]] = getattr(self, f"_{quantity}")
            for step in steps(node):
                _check(step, node)
                found.append(step)
        return found

    def _trace(self, node: Node) -> _Traced:
        if self._layouts is None:
            self._layouts = _layouts(self.graph)
        layout = self._layouts[node]
        key = id(node.op), layout
        if key not in self._traced:
            try:
                traced = _Traced(node.op, layout)
            except (ConvcalcError, TypeError):
                # the layer's code decides on a number, or counts up to one
                traced = _Traced(node.op, layout, symbolic=False)
            self._traced[key] = traced
        return self._traced[key]

    def _output(self, node: Node) -> Iterator[Derivation]:
        traced, op = self._trace(node), node.op
        rank = len(op.output_shape) - 2
        found = []
        for axis in range(1, rank + 2):
            formula, value = traced.output[axis], op.output_shape[axis]
            if axis < len(traced.inputs[0]) and formula == traced.inputs[0][axis]:
                continue
            axes = (axis - 2,) if axis >= 2 and traced.layout.is_image else ()
            part = traced.layout.name(axis, rank)
            source = traced.output_source if axes or rank <= 0 else traced.summary
            if isinstance(formula, Dim) and _is_symbol(formula):
                source = ""  # a field of the layer, or an axis of the input
            found.append(traced.derivation("output", part, formula, value, source, axes))
        if not found:
            same = op.output_shape == op.inputs[0]
            shape = show_shape(op.output_shape)
            note = "that of the input" if same else f"{show_shape(op.inputs[0])} → {shape}"
            value = arith.product(op.output_shape)
            yield Derivation("output", "shape", None, {}, value, traced.summary, note)
        yield from _merged(found)

    def _params(self, node: Node) -> Iterator[Derivation]:
        traced, op = self._trace(node), node.op
        if node.owner is not node:
            note = f"the weights are those of {node.owner.path}, and counted there"
            yield Derivation("params", "", None, {}, 0, "", note)
            return
        weights = op.layer.weights(*op.inputs)
        for part, trainable, value in (("", True, op.params), ("buffers", False, op.buffers)):
            formula = traced.scalars(trainable)
            kept = {name: w for name, w in weights.items() if w.trainable == trainable}
            if kept:
                yield traced.derivation("params", part, formula, value, _listed(kept))
            elif trainable:
                yield Derivation("params", "", None, {}, 0, "", "none")

    def _macs(self, node: Node) -> Iterator[Derivation]:
        traced, macs = self._trace(node), node.op.cost.macs
        if macs == 0:
            yield Derivation("macs", "", None, {}, 0, "", f"none: {QUANTITIES['macs'].meaning}")
            return
        formula = traced.over_outputs(traced.macs)
        yield traced.derivation("macs", "", formula, macs, traced.explanation)

    def _memory(self, node: Node) -> Iterator[Derivation]:
        traced, op = self._trace(node), node.op
        each = BYTES[self.dtype]
        source = f"{self.dtype}, {each} byte{'' if each == 1 else 's'} each"
        if op.layer.shares_storage:
            note = "the output has no storage of its own: it is in its input's"
            yield Derivation("memory", "output", None, {}, 0, "", note)
        else:
            value = each * arith.product(op.output_shape)
            formula = each * arith.product(traced.named_output)
            yield traced.derivation("memory", "output", formula, value, source)
        params = QUANTITIES["params"].of(node)
        if params != 0:
            all_params = Letter("params")
            values = {str(all_params): params}
            yield Derivation(
                "memory", "params", each * all_params.dim, values, each * params, source
            )

    def _receptive_field(self, node: Node) -> Iterator[Derivation]:
        if self._fields is None:
            self._fields = receptive_fields(self.graph)
        sizes = self.graph.inputs[0].shape[2:]
        found: list[Derivation] = []
        for axis, size in enumerate(sizes):
            paths = []
            for index, source in enumerate(node.inputs):
                if source in self._fields:
                    tracked = self._fields[source][axis]
                    view = tracked and node.op.layer.view(tracked.axis, index, *node.op.inputs)
                    paths.append((tracked, view))
            after = self._fields.get(node, (None,) * len(sizes))[axis]
            found.extend(_field_steps(paths, after, axis, len(sizes), size))
        yield from _merged(found)


class _Layout(NamedTuple):
    """Whether the tensors that a layer reads, and its output, are (N, C, *spatial).

    Others are (N, *positions, features): tokens, or an image whose channels were moved last.
    """

    reads_images: bool
    is_image: bool

    def name(self, axis: int, rank: int) -> str:
        """What an axis of the output is called, of `rank` besides batch and channels."""
        if not self.is_image:
            return "features" if axis > rank else "positions" if rank == 1 else f"axis {axis}"
        if axis > 1:
            return _axis_names(rank)[axis - 2]
        return "channels" if rank else "features"


def _layouts(graph: Graph) -> dict[Node, _Layout]:
    """What the axes are of the tensors that every layer reads and gives.

    Followed through the layers: where the axes of an image went, and that what maps the last axis
    reads features there.
    """
    orders: dict[Node, tuple[int, ...] | None] = {
        node: tuple(range(len(node.shape))) for node in graph.inputs
    }
    found = {}
    for node in graph.nodes:
        layer, shapes = node.op.layer, node.op.inputs
        own = tuple(range(len(shapes[0])))
        into = {orders[source] for source in node.inputs}
        order = next(iter(into)) if len(into) == 1 else None
        if _reads_channels(layer, shapes):
            order = own
        elif order == own and len(own) > 2 and _maps_last_axis(layer, shapes):
            order = None
        reads_images = order == own
        after = tuple(range(len(node.shape)))
        if order is None:
            order = after if len(after) < 3 else None
        elif len(after) != len(own):
            order = after if reads_images else None
        else:
            order = _moved(order, layer, shapes)
        orders[node] = order
        found[node] = _Layout(reads_images, order == after)
    return found


def _reads_channels(layer: Layer, shapes: tuple[Shape, ...]) -> bool:
    """Whether axis 1 holds channels for it: it mixes them, or has a window over the others."""
    views = layer.window(*shapes)
    return layer.mixes_channels or (views is not None and any(v != IDENTITY for v in views))


def _maps_last_axis(layer: Layer, shapes: tuple[Shape, ...]) -> bool:
    *others, last = (layer.view(axis, 0, *shapes) for axis in range(1, len(shapes[0])))
    return last is None and None not in others


def _moved(order: tuple[int, ...], layer: Layer, shapes: tuple[Shape, ...]) -> tuple[int, ...]:
    """The order of the axes after a layer that may permute them."""
    moved = list(order)
    for axis, origin in enumerate(order):
        view = layer.view(axis, 0, *shapes)
        if view is not None:
            moved[view[0]] = origin
    return tuple(moved)


class _Traced:
    """An operation run on symbols, or on its numbers.

    Raises:
        ConvcalcError, TypeError: its code does not run on symbols.
    """

    def __init__(self, operation: Operation, layout: _Layout, symbolic: bool = True) -> None:
        layer = operation.layer
        self.operation = operation
        self.layout = layout
        self.symbolic = symbolic
        self.values: dict[str, Size] = {}
        own = {field.name for field in fields(type(layer))}
        has_out = bool(own & {"out_channels", "out_features"})
        self.inputs = tuple(
            self._shape(shape, index, layer, has_out)
            for index, shape in enumerate(operation.inputs)
        )
        self.layer = self._copy(layer)
        self.output = self.layer.output_shape(*self.inputs)
        self.weights = self.layer.weights(*self.inputs)
        self.macs = self.layer.cost(*self.inputs).macs
        self.exact = frozenset(self._exact())
        self.rank = max(map(len, (*operation.inputs, operation.output_shape))) - 2
        doc = inspect.getdoc(type(layer)) or ""
        self.summary, self.explanation, cited = _read_docstring(doc)
        only_for = _CITED_FOR.search(cited)
        if only_for:
            words = [getattr(layer, name) for name in own]
            says = any(isinstance(w, str) and only_for[1] in w for w in words)
            cited = cited[: only_for.start()] if says else ""
        self.output_source = cited or self.summary
        if getattr(layer, "padding", None) in SAME:
            self.output_source = (arith.same_out.__doc__ or "").partition(": ")[2].rstrip(".")

    def derivation(
        self,
        quantity: str,
        part: str,
        formula: Size,
        value: Size,
        source: str,
        axes: tuple[int, ...] = (),
    ) -> Derivation:
        """A derivation of the operation."""
        note = "" if self.symbolic else f"{value:,}, by code that takes numbers only"
        return Derivation(
            quantity, part, formula if self.symbolic else None, self.values, value, source, note,
            axes, self.rank, self.exact,
        )  # fmt: skip

    def scalars(self, trainable: bool) -> Size:
        """How many scalars the layer owns."""
        total: Any = 0
        for weight in self.weights.values():
            if weight.trainable == trainable:
                total = total + arith.product(weight.shape)
        return total  # type: ignore[no-any-return]

    @property
    def named_output(self) -> Shape:
        """The output shape with a symbol for every size that is more than one."""
        named: list[Size] = list(self.output[:1])
        rank = len(self.output) - 2
        for axis, (formula, value) in enumerate(
            zip(self.output[1:], self.operation.output_shape[1:], strict=True), 1
        ):
            if not isinstance(formula, Dim) or _is_symbol(formula):
                named.append(formula)
            elif not self.layout.is_image and axis <= rank:
                named.append(self._symbol(Letter("out_position", axis - 1), value))
            elif self.layout.is_image and axis > 1:
                named.append(self._symbol(Letter("out", axis - 2), value))
            else:
                is_channels = self.layout.is_image and rank > 0
                letter = Letter("out_channels" if is_channels else "out_features")
                named.append(self._symbol(letter, value))
        return tuple(named)

    def over_outputs(self, value: Size) -> Size:
        """`value` over the symbols of the output's sizes, where these have a floor in them."""
        known: dict[Atom, Any] = {}
        for formula, named in zip(self.output, self.named_output, strict=True):
            floors = [m for m in getattr(formula, "terms", ()) if m and not _is_symbol(m[0])]
            if formula is not named and len(floors) == 1 and formula.terms[floors[0]] == 1:  # type: ignore[union-attr]
                (floor,) = floors[0]
                known[floor] = named - (formula - _single(floor))
        if not isinstance(value, Dim):
            return value
        total: Any = 0
        for monomial, coefficient in value.terms.items():
            total = total + coefficient * arith.product(
                known.get(atom, _single(atom)) for atom in monomial
            )
        return total  # type: ignore[no-any-return]

    def _symbol(self, letter: Letter, value: Any) -> Any:
        """A symbol for a number; words, fractions, flags and negative numbers stay."""
        known = isinstance(value, Dim) or (type(value) is int and value >= 0)
        if not known or not self.symbolic:
            return value
        self.values[str(letter)] = value
        return letter.dim

    def _shape(self, shape: Shape, index: int, layer: Layer, has_out: bool) -> Shape:
        rank = len(shape) - 2
        is_image = self.layout.reads_images
        features = "channels" if is_image and rank > 0 else "features"
        place = 1 if is_image else rank + 1
        found = []
        for axis, size in enumerate(shape):
            letter = Letter("batch")
            if axis == place:
                letter = Letter(f"in_{features}" if has_out else features, None, index)
            elif axis > 0:
                letter = Letter(
                    *(("extent", axis - 2) if is_image else ("position", axis - 1)), index
                )
            # which axes a merge repeats is read off the sizes that are 1
            repeated = axis > 0 and size == 1 and layer.merges and layer.is_elementwise
            found.append(size if repeated else self._symbol(letter, size))
        return tuple(found)

    def _copy(self, layer: Layer) -> Layer:
        """The layer with symbols in its fields; a stride that follows is taken from its window."""
        found = {}
        for field in fields(type(layer)):
            value = getattr(layer, field.name)
            if value is None and field.name in _WINDOW_FIELDS:
                windows: Any = layer.window(*self.operation.inputs)
                value = tuple(getattr(w, field.name) for w in windows)
            found[field.name] = self._field(field.name, field.kind, value)
        return type(layer)(**found)

    def _field(self, name: str, kind: Kind, value: Any) -> Any:
        each = kind.each if isinstance(kind, PerAxis) else kind
        if isinstance(kind, Axes) or value is None or value in SAME:
            return value
        if not isinstance(each, (Whole, Padding, Decimal)):
            if not isinstance(value, tuple):
                return value
            return tuple(self._symbol(Letter(name, None, i), v) for i, v in enumerate(value))
        if name in _PLAIN_AT_1 and value == 1:
            return value
        if not isinstance(kind, (PerAxis, Padding)):
            return self._symbol(Letter(name), value)
        values = per_axis(value, len(self.operation.inputs[0]) - 2, name)
        if not isinstance(kind, Padding):
            return tuple(self._symbol(Letter(name, axis), v) for axis, v in enumerate(values))
        pairs = (v if isinstance(v, tuple) else (v, v) for v in values)
        return tuple(
            (self._symbol(Letter("before", axis), b), self._symbol(Letter("after", axis), a))
            for axis, (b, a) in enumerate(pairs)
        )

    def _exact(self) -> Iterator[Atom]:
        """The floors that leave no remainder because the layer requires it: C_in/groups."""
        for requirement in self.layer.requirements(*self.inputs):
            if requirement.relation == "==" and requirement.right == 0:
                for atom in _atoms(requirement.left):
                    kind, parts = atom.anatomy()
                    if kind == "floor" and equal(
                        requirement.left, parts[0] - parts[1] * _single(atom)
                    ):
                        yield atom


def _field_steps(
    paths: list[tuple[Tracked | None, tuple[int, View] | None]],
    after: Tracked | None,
    axis: int,
    rank: int,
    size: Size,
) -> Iterator[Derivation]:
    """The receptive field along one axis of the input, over all the paths that lead there."""

    def noted(value: Size, note: str, source: str = "") -> Derivation:
        return Derivation(
            "receptive_field", "size", None, {}, value, source, note, axes=(axis,), rank=rank
        )

    if after is None:
        sees = "as every output sees the whole input"
        yield noted(size, sees if paths else "the whole first input, which it does not read")
        return
    if after.reach is None:
        yield noted(size, "a symbol leaves it open")
        return
    reach = after.reach
    values: dict[str, Any] = {}
    # branches that see the same are one
    distinct = {(before.reach, view[1]): before for before, view in paths if before and view}
    if len(distinct) == 1 and next(iter(distinct)) == (reach, IDENTITY):
        yield noted(reach.size, "that of the input")
        return
    # what is a whole number of positions for a fraction of a stride is no polynomial
    rounded = any(isinstance(n, Fraction) for known, _ in distinct for n in known or ())
    tracked = []
    note = ""
    for index, ((before, view), place) in enumerate(distinct.items()):
        assert before is not None
        entered = before._replace(
            **{
                name: _reach_symbol(values, Letter(kind, axis, index), getattr(before, name))
                for name, kind in _REACH.items()
            }
        )
        names = () if rounded or view == IDENTITY else _SYMBOLIC.get(type(view), ())
        own = {
            name: _reach_symbol(values, Letter(name, axis, index), getattr(view, name))
            for name in names
        }
        traced = view._replace(**own).reach(entered)  # type: ignore[attr-defined]
        if not isinstance(view, Window):
            # where the first output starts is worth no formula
            traced = traced._replace(start=view.reach(entered).start)  # type: ignore[union-attr]
        numbers = view._asdict().items()  # type: ignore[attr-defined]
        kept = [name for name, n in numbers if name not in names and type(n) is int]
        if kept and view != IDENTITY:
            note = f"with numbers for {and_joined(kept)}"
        tracked.append(place._replace(reach=traced))
    try:
        result = joined(tuple(tracked))
    except UndecidableError:  # of very many branches
        yield noted(reach.size, "that of all branches together")
        return
    assert result is not None
    assert result.reach is not None
    if len(distinct) > 1:
        note = "; ".join(filter(None, [note, _unaligned(distinct)]))
    told = joined if len(distinct) > 1 else type(next(iter(distinct))[1]).reach
    for name in _REACH:
        yield Derivation(
            "receptive_field", name, getattr(result.reach, name), values, getattr(reach, name),
            _sentence(inspect.getdoc(told) or ""), note, (axis,), rank,
        )  # fmt: skip


def _unaligned(paths: Iterable[tuple[Any, View]]) -> str:
    """What of the fields of paths differs: their strides, or their centres."""
    reaches = [view.reach(before) for before, view in paths]
    strides = {reach.stride for reach in reaches if reach}
    centres = {reach.start + Fraction(reach.size, 2) for reach in reaches if reach}
    for what, found in (("strides", strides), ("centres", centres)):
        if len(found) > 1:
            shown = [f"{float(value):g}" for value in sorted(found)]
            listed = shown if len(shown) < 5 else [*shown[:2], "…", shown[-1]]
            return f"the {what} of the paths differ: {and_joined(listed)}"
    return ""


def _reach_symbol(values: dict[str, Any], letter: Letter, value: Any) -> Any:
    """A symbol for a number; a fraction of a position, as after upsampling, stays."""
    if isinstance(value, Fraction) or isinstance(value, bool):
        return value
    values[str(letter)] = value
    return letter.dim


def _merged(steps: list[Derivation]) -> Iterator[Derivation]:
    """The steps with those of one kind together for the axes on which they are the same."""
    groups: dict[Any, list[Derivation]] = {}
    for step in steps:
        key: Any = id(step)
        if step.axes:
            used = sorted(symbols(step.formula))
            first_axis = {
                name: Letter.of(name)._replace(axis=0)
                for name in used
                if Letter.of(name).axis == step.axes[0] and Letter.of(name).kind != "position"
            }
            moved = put(step.formula, {name: to.dim for name, to in first_axis.items()})  # type: ignore[arg-type]
            at = frozenset((first_axis.get(name, name), step.values[name]) for name in used)
            about = step.part if step.quantity == "receptive_field" else ""
            key = (about, moved, at, step.value, step.note)
        groups.setdefault(key, []).append(step)
    for group in groups.values():
        first = group[0]
        axes = tuple(axis for step in group for axis in step.axes)
        if first.quantity == "receptive_field":
            names = [_axis_names(first.rank)[axis] for axis in axes]
            whole = len(axes) == first.rank
            part = first.part if whole else f"{first.part}, {and_joined(names)}"
        else:
            part = and_joined([step.part for step in group])
        yield first._replace(part=part, axes=axes)


def _check(step: Derivation, node: Node) -> None:
    """Raise unless the formula gives what the layer says."""
    if step.formula is None:
        return
    found = put(step.formula, step.values)
    differs = found != step.value
    if isinstance(found, Dim) or isinstance(step.value, Dim):
        differs = equal(found, step.value) is False
    if differs:
        raise ConvcalcError(
            f"the formula of {step.quantity} gives {found}, and the layer {step.value}",
            hint="This is a mistake in convcalc, not in the spec.",
        ).located(str(node.where), node.path)


# -- what the code says in words ----------------------------------------------------------------

_NEXT_SENTENCE = re.compile(r"\.\s+(?=[A-Z])")
_CITATION = re.compile(r"\s*\bSource:\s*(.*)", re.DOTALL)
_CITED_FOR = re.compile(r", for (\w+)$")
"""What a source is cited for, where it is one mode of a layer."""
_MARKUP = re.compile(r"`([^`]*)`|\*(\w+)\*")


def _read_docstring(doc: str) -> tuple[str, str, str]:
    """A layer's summary, what it says about its operations, and the source it cites."""
    doc = _MARKUP.sub(lambda part: part[1] or part[2], doc)
    cited = _CITATION.search(doc)
    paragraphs = _CITATION.sub("", doc).split("\n\n")
    summary, *more = [" ".join(p.split()) for p in paragraphs if p.strip()] or [""]
    source = " ".join(cited[1].split()) if cited else ""
    explained = _NEXT_SENTENCE.split((more or [summary])[0])[0]
    return summary.rstrip("."), explained.rstrip("."), source.rstrip(".")


def _sentence(doc: str) -> str:
    """The first paragraph of a docstring, as what stands beside a formula."""
    return " ".join(doc.partition("\n\n")[0].split()).rstrip(".")


def _listed(weights: Mapping[str, Weight]) -> str:
    return and_joined(
        [f"{name} {'×'.join(f'{n:,}' for n in w.shape)}" for name, w in weights.items()]
    )


def and_joined(words: Sequence[str]) -> str:
    """Words as a list in a sentence: a, b and c."""
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _axis_names(rank: int) -> tuple[str, ...]:
    return AXIS_NAMES.get(rank) or tuple(f"axis {axis + 2}" for axis in range(rank))


# -- Dims ---------------------------------------------------------------------------------------


def _single(atom: Atom) -> Dim:
    return Dim({(atom,): 1})


def _is_symbol(value: Dim | Atom) -> bool:
    if isinstance(value, Dim):
        ((monomial, coefficient), *more) = value.terms.items()
        return not more and coefficient == len(monomial) == 1 and _is_symbol(monomial[0])
    return value.anatomy()[0] == "symbol"


def _atoms(value: Size) -> Iterator[Atom]:
    for monomial in getattr(value, "terms", ()):
        yield from monomial
