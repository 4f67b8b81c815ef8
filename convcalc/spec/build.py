"""Spec + values of its variables → graph: runs the entries, with a tensor's shape at each step."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from fractions import Fraction
from typing import Any

from convcalc.dim import Dim, Rule, as_equation, python_form, solved, symbol
from convcalc.errors import (
    ConvcalcError,
    SpecError,
    UndecidableError,
    UsageError,
    did_you_mean,
    shorten,
)
from convcalc.fields import MAX_SIZE, NotWholeError, Whole, show
from convcalc.graph import Graph, Module, Node, Operation
from convcalc.layer import Layer, Shape, fields, show_shape
from convcalc.layers import layer_names
from convcalc.spec.document import Spec, spec_place
from convcalc.spec.entries import (
    Block,
    BlockCall,
    Call,
    Entry,
    EntryReader,
    LayerCall,
    MergeCall,
    check_entry_name,
)
from convcalc.spec.forecast import Forecast
from convcalc.spec.tree import Where, fail, from_python
from convcalc.spec.values import Env, Template, Value, Word, Work

MAX_NODES = 1_000_000
MAX_BLOCKS = 100_000
MAX_STEPS = 3_000_000
MAX_BLOCK_DEPTH = 100
MAX_DEPTH = 1_000
"""Levels of blocks, groups, loops and branches inside each other, all together."""
MAX_FORM = 1_000
MAX_ATOMS = 200
MAX_TERMS = 10_000
"""Of a network with symbols: the characters of a size's closed form; the different symbols and
roundings in all sizes; the terms of the costs, of one operation and of all. Closed forms of more
take long to add up, and nobody reads them."""

SIZE = Whole(1, symbolic=True)
_COUNT = Whole(0)


Decisions = dict[Dim, bool]
"""Whether some sizes, the differences of two each, are taken as 0."""


class Bindings:
    """The values of a spec's variables, evaluated when they are read, after the overrides.

    Where the structure depends on whether two symbolic sizes are equal, as for a shortcut that is
    there `when: in_channels == out`, they are taken as different: they are at most values.
    `decisions` says otherwise; those that were needed are in `decided`.
    """

    def __init__(
        self, spec: Spec, overrides: Mapping[str, Any], decisions: Decisions | None = None
    ) -> None:
        self.spec = spec
        self.decisions = decisions or {}
        self.decided: Decisions = {}
        self.given: dict[str, Value | Dim] = {}
        self.values: dict[str, Any] = {"N": 1}
        self.work = Work()
        self._open: list[str] = []
        for name, value in overrides.items():
            self._override(name, value)

    def _override(self, name: str, value: Any) -> None:
        known = [n for n in self.spec.variables if n in self.spec.read]
        if name != "N" and name not in known:
            fact = (
                f"nothing reads the variable '{shorten(name)}'"
                if name in self.spec.variables
                else f"unknown variable '{shorten(name)}'"
            )
            listed = shorten(", ".join(["N", *known]), 200)
            raise UsageError(
                fact, hint=did_you_mean(name, ["N", *known]) or f"This spec has {listed}."
            )
        place = spec_place(name)
        try:
            given = value if isinstance(value, Dim) else Value(from_python(value, place))
            if name == "N":
                if isinstance(given, Value) and "N" in given.names:
                    raise UsageError("N cannot be given in terms of itself")
                due = given if isinstance(given, Dim) else self._evaluate(given)
                self.values["N"] = SIZE.read(due)
            else:
                self.given[name] = given
        except ConvcalcError as error:
            raise error.located(str(place)) from None

    def __contains__(self, name: object) -> bool:
        return name == "N" or name in self.spec.variables

    def __iter__(self) -> Iterator[str]:
        return iter(["N", *self.spec.variables])

    def __getitem__(self, name: str) -> Any:
        if name in self.values:
            return self.values[name]
        given = self.given.get(name, self.spec.variables[name])
        if given is None:
            value: Any = symbol(name)
        elif isinstance(given, Dim):
            value = given
        else:
            if name in self._open:
                circle = " → ".join([*self._open[self._open.index(name) :], name])
                raise fail(f"variables that need each other: {shorten(circle)}", given.where)
            if len(self._open) >= MAX_BLOCK_DEPTH:
                raise fail(f"more than {MAX_BLOCK_DEPTH} variables in a chain", given.where)
            self._open.append(name)
            try:
                value = self._evaluate(given)
            finally:
                self._open.pop()
        self.values[name] = value
        return value

    def _evaluate(self, value: Value) -> Any:
        return value.evaluate(Env(self, work=self.work.spend))

    def same(self, a: Dim, b: Dim) -> bool:
        """Whether two sizes are taken as equal that are so at some values of their symbols."""
        difference: Dim = a - b
        if python_form(-difference) < python_form(difference):
            difference = -difference
        return self.decided.setdefault(difference, self.decisions.get(difference, False))

    def rules(self) -> list[Rule]:
        """What the sizes that are taken as equal say of single atoms, each to be used in turn."""
        found: list[Rule] = []
        for difference, zero in self.decided.items():
            left = with_rules(difference, found) if zero else 0
            rule = solved(left) if isinstance(left, Dim) else None
            if rule is not None:
                found.append(rule)
        return found


def with_rules(value: Any, rules: Iterable[Rule]) -> Any:
    """A size, or the sizes in lists, with what is taken as equal written in one way."""
    if isinstance(value, tuple):
        return tuple([with_rules(item, rules) for item in value])
    for rule in rules:
        if isinstance(value, Dim):
            value = rule(value)
    return value


def build_symbolic(
    spec: Spec,
    overrides: Mapping[str, Any],
    names: Iterable[str],
    decisions: Decisions | None = None,
    multipliers: Collection[str] | None = None,
) -> Graph:
    """The graph with the variables `names` left symbolic.

    A variable that is never a size itself, but rounded to one, is a multiplier: any fraction.
    `multipliers` are those of the graph at other decisions, whose symbols these decisions are of.
    """
    names = list(names)
    _check_numbers(spec, overrides, names)
    left = {*names} - {"N", *spec.input_names} if multipliers is None else {*multipliers}
    while True:
        symbols = {name: symbol(name, name not in left) for name in names}
        try:
            graph = build(spec, {**overrides, **symbols}, decisions)
        except NotWholeError as error:
            if not left & error.multipliers:
                raise
            left -= error.multipliers
        except ConvcalcError:
            if multipliers is not None or not left:
                raise
            left = set()  # more is decided for whole numbers
        else:
            graph.multipliers = frozenset(left)
            return graph


def _check_numbers(spec: Spec, overrides: Mapping[str, Any], names: Iterable[str]) -> None:
    """Raise where a name that is to be a symbol has a value that is no number."""
    bindings = Bindings(spec, overrides)
    for name in names:
        try:
            value = bindings[name]
        except ConvcalcError:
            continue  # a symbol in its place may be what mends it
        if isinstance(value, bool) or not isinstance(value, (int, Fraction, Dim)):
            raise UsageError(
                f"{name} cannot be a symbol: it is {show(value)} here, no number",
                hint="The form of the network itself depends on it.",
            )


def build(spec: Spec, overrides: Mapping[str, Any], decisions: Decisions | None = None) -> Graph:
    """The graph of a spec at its variables' values, with some of them replaced.

    A Dim as an override makes its variable symbolic.

    Raises:
        ConvcalcError: with `partial`, the graph as far as it could be built.
    """
    builder = _Builder(spec, Bindings(spec, overrides, decisions))
    limit = sys.getrecursionlimit()
    # entries nest to MAX_DEPTH, a few Python frames each; these need no C stack
    sys.setrecursionlimit(limit + 12 * MAX_DEPTH)
    try:
        return builder.build()
    finally:
        sys.setrecursionlimit(limit)


class _Builder:
    def __init__(self, spec: Spec, bindings: Bindings) -> None:
        self.spec = spec
        self.bindings = bindings
        self.layers: dict[Layer, Layer] = {}
        self.operations: dict[tuple[int, tuple[Shape, ...]], Operation] = {}
        self.steps = 0
        self.blocks = 0
        self.depth = 0
        self.block_depth = 0
        self.forecast = Forecast(bindings)
        self.sizes: set[Dim] = set()
        self.atoms: set[object] = set()
        self.terms = 0
        self.root = Module("network", None, None, "", None)
        self.graph = Graph(self.root, [], spec.title)
        self.graph.decisions = bindings.decided  # also of one that cannot be built
        self.nodes = self.graph.nodes
        self.failed: Module | None = None

    # -- the whole --------------------------------------------------------------------------------

    def build(self) -> Graph:
        spec = self.spec
        if not spec.layers:
            raise fail("no layers", spec.where, "A spec without layers: can only be extended.")
        if not spec.inputs:
            raise fail("no input", spec.where, "For instance input: [3, H, W].")
        env = Env(self.bindings, self.root, self.bindings.work.spend)
        self._inputs(env)
        try:
            least = self.forecast.layers(spec.layers, env, frozenset())
            self._check_amount(least, 0, spec.where)
            last = self._run(spec.layers, self.root, env, self.graph.inputs[0])
            self._finish(env, last)
        except ConvcalcError as error:
            error.located(path=self._failed_path())
            error.partial = self.graph
            raise
        self.root.name_children()
        if self.graph.decisions:
            told = [
                as_equation(d, "=" if zero else "≠") for d, zero in self.graph.decisions.items()
            ]
            more = f" and {len(told) - 3} more" if len(told) > 3 else ""
            self.graph.notes.append(f"the structure is that where {', '.join(told[:3])}{more}")
        return self.graph

    def _failed_path(self) -> str:
        """The path of the layer or the block in which an error arose, all others named too."""
        failed = self.failed
        if failed is None or failed.parent is None:
            self.root.name_children()
            return ""
        # a layer that could not be made has the name that it would have had
        siblings = failed.parent.children
        missing = not siblings or siblings[-1] is not failed
        if missing:
            siblings.append(failed)
        self.root.name_children()
        if missing:
            siblings.pop()
        return failed.path

    def _inputs(self, env: Env) -> None:
        for name, values in self.spec.inputs.items():
            sizes = []
            for value in values:
                size = value.evaluate(env)
                try:
                    sizes.append(SIZE.read(size))
                    self._terms(sizes)
                except ConvcalcError as error:
                    raise error.located(str(value.where)) from None
            shape = (self.bindings["N"], *sizes)
            node = Node(None, (), self.root, name, values[0].where, shape)
            self.graph.inputs.append(node)
            self.root.names[name] = node
        self.root.input = self.graph.inputs[0]

    def _finish(self, env: Env, last: Node) -> None:
        graph = self.graph
        if self.spec.outputs is None:
            graph.outputs = [last]
        else:
            for template in self.spec.outputs:
                node = self._named(template.fill(env), template.where, self.root, None, env)
                if node.operation is None:
                    raise fail(f"the output '{template.text}' is an input", template.where)
                if node not in graph.outputs:
                    graph.outputs.append(node)
        if not graph.nodes or last.operation is None:
            raise fail("no layers are left", self.spec.where, "Not one entry makes a layer here.")
        needed = graph.needed()
        for node in graph.inputs:
            if node not in needed:
                raise fail(f"nothing reads the input '{node.name}'", node.where)  # type: ignore[arg-type]
        if self.spec.outputs is None:
            loose = next((node for node in graph.nodes if node not in needed), None)
            if loose is not None:
                self.root.name_children()
                raise fail(
                    f"nothing reads the output of layer '{loose.path}'",
                    loose.where,  # type: ignore[arg-type]
                    "Read it with from:, or list the network's outputs: in outputs:.",
                )
        else:
            self.root.name_children()
            self._drop_unneeded(needed)

    def _drop_unneeded(self, needed: set[Node]) -> None:
        dropped = self.graph.keep_only(needed)
        if not dropped:
            return
        # weights whose owner is gone belong to the first of those left that share them
        heirs: dict[Node, Node] = {}
        for node in self.graph.nodes:
            if node.owner not in needed:
                node.owner = heirs.setdefault(node.owner, node)
        names = ", ".join(node.path for node in dropped[:3])
        more = f" and {len(dropped) - 3:,} more" if len(dropped) > 3 else ""
        many = "1 layer that no output needs is" if len(dropped) == 1 else (
            f"{len(dropped):,} layers that no output needs are"
        )  # fmt: skip
        self.graph.notes.append(f"{many} left out: {names}{more}")

    # -- entries ----------------------------------------------------------------------------------

    def _run(self, entries: list[Entry], scope: Module, env: Env, tensor: Node) -> Node:
        """Run some entries; returns the last output."""
        for entry in entries:
            tensor = self._entry(entry, scope, env, tensor)
        return tensor

    def _nested(self, entries: list[Entry], scope: Module, env: Env, tensor: Node) -> Node:
        """Run entries one level further in."""
        self.depth += 1
        if self.depth > MAX_DEPTH and entries:
            raise fail(
                f"blocks and groups nested more than {MAX_DEPTH:,} levels deep", entries[0].where
            )
        for entry in entries:
            tensor = self._entry(entry, scope, env, tensor)
        self.depth -= 1
        return tensor

    def _entry(self, entry: Entry, scope: Module, env: Env, tensor: Node) -> Node:
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise fail(f"the spec takes more than {MAX_STEPS:,} steps to run", entry.where)
        sources: tuple[Node, ...] | None = None
        if entry.sources is not None:
            env.shape = tensor.shape
            sources = tuple(
                [
                    self._named(source.fill(env), source.where, scope, tensor, env)
                    for source in entry.sources
                ]
            )
            tensor_in = sources[0]
        else:
            tensor_in = tensor
        if scope.parent is None and not self.nodes and sources is None:
            self._check_first(entry)
        env.shape = tensor_in.shape
        if entry.when is not None and not self._condition(entry.when, env):
            return tensor
        if entry.form == "call":
            if entry.share is None and not entry.functional:
                return self._call(entry, scope, env, tensor_in, sources)
            return self._marked_call(entry, scope, env, tensor_in, sources)
        if sources is not None and len(sources) > 1:
            raise fail(
                f"a {entry.form} takes one input", entry.where,
                "Merge them first, with add or concat.",
            )  # fmt: skip
        if entry.form == "group":
            return self._nested(entry.body, scope, env, tensor_in)
        return self._loop(entry, scope, env, tensor_in)

    def _check_first(self, entry: Entry) -> None:
        if len(self.graph.inputs) > 1 and entry.form == "call":
            names = ", ".join(str(node.name) for node in self.graph.inputs)
            raise fail(
                "with several inputs the first entry says which it reads", entry.where,
                f"Write from: and one of {names}.",
            )  # fmt: skip

    def _condition(self, when: Value, env: Env) -> bool:
        value = when.evaluate(env)
        if isinstance(value, bool):
            return value
        if isinstance(value, Word):
            raise value.misspelt("true or false")
        raise fail(
            f"when: is true or false, not {show(value)}", when.where,
            "A truth value is true, false or a comparison, as n > 0.",
        )  # fmt: skip

    def _marked_call(
        self, entry: Entry, scope: Module, env: Env, tensor: Node, sources: tuple[Node, ...] | None
    ) -> Node:
        start = len(self.nodes)
        word = entry.share.fill(env) if entry.share is not None else None
        result = self._call(entry, scope, env, tensor, sources)
        made = self.nodes[start:]
        if entry.functional:
            for node in made:
                node.functional = True
        if word is not None:
            self._share(word, made, entry, scope)
        return result

    def _share(self, word: str, made: list[Node], entry: Entry, scope: Module) -> None:
        assert entry.share is not None
        home = next(module for module in scope.ancestors() if not module.is_loop)
        first = home.shares.setdefault(word, made)
        if first is made:
            return
        fact = f"share: '{shorten(word)}' of unequal entries"
        if len(first) != len(made):
            raise fail(f"{fact}: {len(first)} and {len(made)} layers", entry.share.where)
        for owner, node in zip(first, made, strict=True):
            if owner.operation is not node.operation:
                self._check_equal(owner, node, fact, entry.share.where)
            node.owner = owner.owner

    def _check_equal(self, owner: Node, node: Node, fact: str, where: Where) -> None:
        """Raise unless two nodes can use the same weights."""
        if owner.kind != node.kind:
            raise fail(f"{fact}: {owner.kind} and {node.kind}", where)
        weights = [n.op.layer.weights(*n.op.inputs) for n in (owner, node)]
        if weights[0] != weights[1]:
            shapes = " and ".join(
                ", ".join(show_shape(weight.shape) for weight in w.values()) for w in weights
            )
            raise fail(f"{fact}: the weights of {node.kind} have the shapes {shapes}", where)

    # -- calls ------------------------------------------------------------------------------------

    def _call(
        self, entry: Entry, scope: Module, env: Env, tensor: Node, sources: tuple[Node, ...] | None
    ) -> Node:
        name = self._target(entry, env)
        call = entry.calls.get(name)
        if call is None:
            call = self._bind(entry, name)
        explicit = self._explicit_name(entry, env) if entry.name is not None else None
        if isinstance(call, BlockCall):
            return self._block(entry, call, scope, env, tensor, explicit)
        inputs: tuple[Node, ...] = (tensor,)
        if isinstance(call, MergeCall):
            inputs = sources or self._branches(call, scope, env, tensor)
            if not inputs:
                raise fail(f"{name}: no branch is left", entry.where)
            if len(inputs) == 1:
                if explicit is not None:
                    self._define(explicit, inputs[0], scope, entry)
                return inputs[0]
            env.shape = inputs[0].shape if sources else tensor.shape
        return self._layer(entry, call, scope, env, inputs, explicit)

    def _bind(self, entry: Entry, name: str) -> Call:
        return EntryReader(self.spec.blocks).bind(entry, name, entry.where)

    def _target(self, entry: Entry, env: Env) -> str:
        """The layer or block that an entry's key means here."""
        key = entry.key
        if not env.defines(key):
            return key
        value = env[key]
        known = key in self.spec.blocks or key in layer_names()
        if not isinstance(value, Word):
            if known:
                return key
            raise fail(f"'{key}' is {show(value)} here, no layer and no block", entry.where)
        if known:
            raise fail(
                f"'{key}' is the word '{shorten(value)}' here, and also a layer or a block",
                entry.where,
                "Give the variable or the argument another name.",
            )
        if value not in self.spec.blocks and value not in layer_names():
            names = [*self.spec.blocks, *layer_names()]
            raise fail(
                f"'{shorten(value)}' is no layer and no block", value.where,
                did_you_mean(value, names),
            )  # fmt: skip
        return str(value)

    def _explicit_name(self, entry: Entry, env: Env) -> str:
        assert entry.name is not None
        name = entry.name.fill(env)
        if not entry.name.is_plain:
            check_entry_name(name, entry.name.where)
        return name

    def _define(self, name: str, value: Node | Module, scope: Module, entry: Entry) -> None:
        if name in scope.names:
            assert entry.name is not None
            raise fail(
                f"the name '{shorten(name)}' is taken in this scope", entry.name.where,
                'Names are unique in their scope; in a loop, name: "x{i}".',
            )  # fmt: skip
        scope.names[name] = value

    def _branches(self, call: MergeCall, scope: Module, env: Env, tensor: Node) -> tuple[Node, ...]:
        results = []
        for branch, when in call.branches or ():
            env.shape = tensor.shape
            if when is None or self._condition(when, env):
                results.append(self._nested(branch, scope, env, tensor))
        return tuple(results)

    def _layer(
        self,
        entry: Entry,
        call: LayerCall,
        scope: Module,
        env: Env,
        inputs: tuple[Node, ...],
        name: str | None,
    ) -> Node:
        try:
            size = None
            if call.like is not None:
                like = call.like.fill(env)
                size = self._named(like, call.like.where, scope, inputs[0], env).shape[2:]
                self._check_like(size, inputs[0].shape, like, call.like)
            layer = call.make(env, size)
            operation = self._operation(layer, tuple([node.shape for node in inputs]))
        except ConvcalcError as error:
            if self.failed is None:
                self.failed = Module(call.layer.name, scope, name, entry.where, None)
            raise error.located(str(entry.where)) from None
        node = Node(operation, inputs, scope, name, entry.where, operation.output_shape)
        if name is not None:
            self._define(name, node, scope, entry)
        scope.children.append(node)
        self.nodes.append(node)
        if len(self.nodes) > MAX_NODES:
            raise fail(f"the network has more than {MAX_NODES:,} layers", entry.where)
        return node

    def _check_like(self, size: Shape, own: Shape, name: str, template: Template) -> None:
        if not size or len(size) != len(own) - 2:
            raise fail(
                f"like: {shorten(name)} has {len(size)} spatial axes, the input {len(own) - 2}",
                template.where,
            )

    def _operation(self, layer: Layer, shapes: tuple[Shape, ...]) -> Operation:
        key = (id(layer), shapes)
        operation = self.operations.get(key)
        if operation is None:
            # equal layers from different entries share their operations
            one = self.layers.setdefault(layer, layer)
            operation = self.operations.get((id(one), shapes))
            if operation is None:
                operation = self._make(one, shapes)
                self.operations[(id(one), shapes)] = operation
            self.operations[key] = operation
        return operation

    def _make(self, layer: Layer, shapes: tuple[Shape, ...]) -> Operation:
        """The operation, if its sizes, and what they multiply to, are not too large to go on."""
        before = self._terms(shapes[0])
        operation = Operation(layer, shapes)
        if any(requirement.always for requirement in operation.undecided):
            operation = self._as_decided(operation)
        for requirement in operation.undecided:
            if requirement.always:
                raise UndecidableError(
                    requirement.always,
                    hint="It may be symbolic only where it fits at every value, as groups: "
                    "in_channels does; the form of the network itself depends on it.",
                )
        settings = (getattr(layer, field.name) for field in fields(type(layer)))
        terms = before * self._terms([*operation.output_shape, *_flat(settings)])
        if terms > 1:
            self.terms += terms
            if self.terms > 2 * MAX_TERMS:
                raise _too_large(f"costs of more than {2 * MAX_TERMS:,} terms", self.sizes)
        return operation

    def _as_decided(self, operation: Operation) -> Operation:
        """The same with what is taken as equal written in one way."""
        rules = self.bindings.rules()
        if not rules:
            return operation
        kind = type(operation.layer)
        values = {f.name: with_rules(getattr(operation.layer, f.name), rules) for f in fields(kind)}
        return Operation(kind(**values), with_rules(operation.inputs, rules))

    def _terms(self, sizes: Iterable[Any]) -> int:
        """The number of terms that the product of some sizes may have."""
        terms = 1
        for size in sizes:
            if isinstance(size, Dim):
                terms *= len(size.terms)
                if size not in self.sizes:
                    self._note_size(size)
            elif isinstance(size, int) and size > MAX_SIZE:
                raise SpecError(f"a size of {show(size)}; {MAX_SIZE:,} is the limit")
        if terms > MAX_TERMS:
            raise _too_large(f"a layer with costs of more than {MAX_TERMS:,} terms", self.sizes)
        return terms

    def _note_size(self, size: Dim) -> None:
        self.sizes.add(size)
        if len(size.python()) > MAX_FORM:
            raise _too_large(f"a size of more than {MAX_FORM:,} characters", [size])
        self.atoms.update(atom for monomial in size.terms for atom in monomial)
        if len(self.atoms) > MAX_ATOMS:
            raise _too_large(
                f"more than {MAX_ATOMS} different symbols and roundings of sizes", self.sizes
            )

    def _block(
        self, entry: Entry, call: BlockCall, scope: Module, env: Env, tensor: Node, name: str | None
    ) -> Node:
        block = call.block
        self.blocks += 1
        if self.blocks > MAX_BLOCKS:
            raise fail(f"blocks are used more than {MAX_BLOCKS:,} times", entry.where)
        module = Module(block.name, scope, name, entry.where, tensor)
        scope.children.append(module)
        inner = Env(self.bindings, module, env.spend)
        inner.shape = tensor.shape
        try:
            self._arguments(block, call, env, inner, scope, tensor)
            self.block_depth += 1
            if self.block_depth > MAX_BLOCK_DEPTH:
                raise fail(
                    f"blocks call each other more than {MAX_BLOCK_DEPTH} levels deep", entry.where,
                    f"Does '{block.name}' call itself without an end? A when: would stop it.",
                )  # fmt: skip
            module.output = self._nested(block.entries, module, inner, tensor)
            self.block_depth -= 1
        except ConvcalcError as error:
            self.failed = self.failed or module
            error.trail.append((f"block {block.name}", str(entry.where)))
            raise
        if name is not None:
            self._define(name, module, scope, entry)
        return module.output

    def _arguments(
        self, block: Block, call: BlockCall, env: Env, inner: Env, scope: Module, tensor: Node
    ) -> None:
        for name, default in block.arguments.items():
            given = call.arguments.get(name)
            if given is not None:
                value = given.evaluate(env)
                inner[name] = value.found_at(scope, tensor) if isinstance(value, Word) else value
            else:
                assert default is not None
                inner[name] = default.evaluate(inner)

    # -- loops ------------------------------------------------------------------------------------

    def _loop(self, entry: Entry, scope: Module, env: Env, tensor: Node) -> Node:
        rounds, values = self._rounds(entry, env)
        hidden = frozenset(name for names, _ in entry.columns for name in names)
        least = rounds and rounds * self.forecast.layers(entry.body, env, hidden)
        self._check_amount(least, rounds, entry.where)
        self.steps += rounds
        name = self._explicit_name(entry, env) if entry.name is not None else None
        if name is not None and name in scope.names:
            self._define(name, tensor, scope, entry)
        inner = env.inner(scope) if entry.columns else env
        module = scope
        for i in range(rounds):
            if entry.columns:
                inner.update(values(i))
            if name is not None:
                module = Module(name, scope, f"{name}{i + 1}", entry.where, tensor, is_loop=True)
                scope.children.append(module)
                if inner is env:
                    inner = env.inner(module)
                inner.scope = module
                self._define(f"{name}{i + 1}", module, scope, entry)
                scope.names[name] = module
            tensor = self._nested(entry.body, module, inner, tensor)
            if name is not None:
                module.output = tensor
        return tensor

    def _rounds(self, entry: Entry, env: Env) -> tuple[int, Callable[[int], list[tuple[str, Any]]]]:
        if entry.repeat is not None:
            count = entry.repeat.evaluate(env)
            try:
                rounds: int = _COUNT.read(count)  # type: ignore[assignment]
            except ConvcalcError as error:
                if not error.where:
                    error.fact = f"repeat: {error.fact}"
                raise error.located(str(entry.repeat.where)) from None
            return rounds, lambda i: []
        columns: list[tuple[list[str], tuple[Any, ...]]] = []
        for names, value in entry.columns:
            items = value.evaluate(env)
            if isinstance(items, Word):
                raise items.misspelt("a list")
            if isinstance(items, Dim):
                free = ", ".join(sorted(items.symbols))
                raise fail(
                    f"for: a list is due here, not an expression in the symbol {free}: {items}",
                    value.where, "The form of the network itself depends on it.",
                )  # fmt: skip
            if not isinstance(items, tuple):
                raise fail(f"for: a list is due, not {show(items)}", value.where)
            columns.append((names, items))
        lengths = {len(items) for _, items in columns}
        if len(lengths) > 1:
            told = ", ".join(f"{', '.join(names)} has {len(items)}" for names, items in columns)
            raise fail(f"for: lists of different lengths: {shorten(told, 120)}", entry.where)
        for (names, items), (_, value) in zip(columns, entry.columns, strict=True):
            for i, row in enumerate(items if len(names) > 1 else ()):
                if not isinstance(row, tuple) or len(row) != len(names):
                    raise fail(
                        f"for: row {i + 1} is {show(row)}, not one value for each of "
                        f"{', '.join(names)}", value.where,
                    )  # fmt: skip

        def values(i: int) -> list[tuple[str, Any]]:
            found: list[tuple[str, Any]] = []
            for names, items in columns:
                if len(names) == 1:
                    found.append((names[0], items[i]))
                else:
                    found.extend(zip(names, items[i], strict=True))
            return found

        return lengths.pop(), values

    def _check_amount(self, least: int, rounds: int, where: Where) -> None:
        """Stop before what is sure to grow past the limit, rather than after."""
        least += len(self.nodes)
        if least > MAX_NODES:
            many = f"at least {_amount(least)} layers"
        elif rounds > MAX_NODES:
            many = f"a loop of {_amount(rounds)} rounds"
        else:
            return
        raise fail(f"the network has {many}; {MAX_NODES:,} are the limit", where)

    # -- names ------------------------------------------------------------------------------------

    def _named(
        self,
        name: str,
        where: Where,
        scope: Module,
        previous: Node | None,
        env: Env | None = None,
    ) -> Node:
        """The tensor that a name means, looked up from the inside out."""
        several = scope.parent is None and len(self.graph.inputs) > 1
        if name == "previous" and previous is not None and not (several and not self.nodes):
            return previous
        if name == "input" and scope.input is not None and not several:
            return scope.input
        if several and name in ("input", "previous"):
            names = ", ".join(str(node.name) for node in self.graph.inputs)
            raise fail(f"'{name}' could be any of several inputs", where, f"Write one of {names}.")
        value = env[name] if env is not None and env.defines(name) else None
        if isinstance(value, Word):
            if any(name in module.names for module in scope.ancestors()):
                raise fail(
                    f"'{name}' is the word '{shorten(value)}' here, and also a layer", where,
                    "Give one of them another name.",
                )  # fmt: skip
            home, tensor = value.caller or (scope, previous)
            return self._named(str(value), value.where, home, tensor)
        first, *rest = name.split(".")
        holder = next((m for m in scope.ancestors() if first in m.names), None)
        found = named = holder.names[first] if holder is not None else None
        for part in rest:
            found = found.names.get(part) if isinstance(found, Module) else None
        if isinstance(found, Module):
            found = found.output
        if found is not None:
            return found
        if value is not None:
            raise fail(f"'{name}' is {show(value)} here, and no layer has that name", where)
        known = {name for module in scope.ancestors() for name in module.names}
        if isinstance(named, Module):
            known.update(f"{first}.{inner}" for inner in named.names)
        raise fail(
            f"no earlier layer is named '{shorten(name)}'", where,
            did_you_mean(name, sorted(known))
            or "Only names given with name:, to entries above, can be read.",
        )  # fmt: skip


def _flat(values: Iterable[Any]) -> Iterator[Any]:
    """Some values of fields, and those in the lists among them."""
    for value in values:
        if isinstance(value, tuple):
            yield from _flat(value)
        else:
            yield value


def _too_large(what: str, sizes: Iterable[Dim]) -> SpecError:
    names = shorten(", ".join(sorted({name for size in sizes for name in size.symbols})))
    return SpecError(f"with symbols, the network has {what}", hint=f"Give {names} a number.")


def _amount(count: int) -> str:
    return f"{count:,}" if count < 10**15 else f"10^{len(str(count)) - 1}"
