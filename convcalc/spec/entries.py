"""The entries of `layers`: from tree to what the builder runs.

An entry is a call of a layer, merge or block; a group of entries; or a loop over some. A call is
bound to the layer or block that its key names; a key that is an argument is bound when the word
in that argument is known.
"""

from __future__ import annotations

import re
from typing import Any

from convcalc.errors import ConvcalcError, shorten
from convcalc.fields import Choice, Padding, Reference
from convcalc.layer import Layer, Shape, fields
from convcalc.layers import layer_class, layer_names
from convcalc.spec.expressions import FUNCTIONS, NAME, UNREADABLE
from convcalc.spec.suggest import field_hint, layer_hint
from convcalc.spec.tree import List, Map, Scalar, Tree, Where, describe, fail
from convcalc.spec.values import MAX_NAME, Env, Template, Value, Word, list_of, mapping_of

MODIFIERS = ("name", "from", "when", "repeat", "for", "share", "functional")
RESERVED = frozenset(
    {*MODIFIERS, *FUNCTIONS, *UNREADABLE, "N", "input", "previous", "layers", "branch"}
)
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_NAME_HINT = "A name is a letter, then letters, digits and _."
_FOREIGN_MODIFIERS = {
    "if": "when", "condition": "when", "times": "repeat", "count": "repeat", "foreach": "for",
    "input": "from", "inputs": "from", "id": "name", "label": "name", "weights": "share",
}  # fmt: skip
_TWO_ENTRIES = (
    "[bottleneck: {…}, name: x] is two entries; write {bottleneck: {…}, name: x}, or put name: "
    "on a line of its own, level with the layer."
)


class Entry:
    """One entry of `layers`, with the keys beside the layer."""

    __slots__ = (
        "body", "calls", "columns", "form", "functional", "key", "name", "repeat", "share",
        "sources", "value", "when", "where",
    )  # fmt: skip

    def __init__(self, form: str, where: Where) -> None:
        self.form = form
        self.where = where
        self.key = ""
        self.value: Tree | None = None
        self.body: list[Entry] = []
        self.name: Template | None = None
        self.sources: list[Template] | None = None
        self.when: Value | None = None
        self.share: Template | None = None
        self.functional = False
        self.repeat: Value | None = None
        self.columns: list[tuple[list[str], Value]] = []
        self.calls: dict[str, Call] = {}


class Block:
    """A named list of entries with arguments; no default means required."""

    def __init__(self, name: str, where: Where) -> None:
        self.name = name
        self.where = where
        self.arguments: dict[str, Value | None] = {}
        self.entries: list[Entry] = []


class LayerCall:
    """A call of a layer: its fields, and the layers already made, by the values they read."""

    __slots__ = ("cache", "fields", "layer", "like", "names")

    def __init__(self, layer: type[Layer]) -> None:
        self.layer = layer
        self.fields: list[tuple[str, Any, Value]] = []
        self.like: Template | None = None
        self.names: tuple[str, ...] = ()
        self.cache: dict[Any, Layer] = {}

    def make(self, env: Env, size: Shape | None) -> Layer:
        """The layer with the values that its fields have here; `size` is that of `like`."""
        key = (self._key(env), size) if self.names or size else None
        found = self.cache.get(key)
        if found is None:
            values = {}
            asked = env.asked
            for name, kind, value in self.fields:
                evaluated = value.evaluate(env)
                try:
                    values[name] = kind.read(evaluated)
                except ConvcalcError as error:
                    if not error.where:
                        error.fact = f"{name}: {error.fact}"
                    source = evaluated if isinstance(evaluated, Word) else value
                    raise error.located(str(source.where)) from None
            if size is not None:
                values["size"] = size
            found = self.layer(**values)
            # where decisions were asked for, it may be another one at the same values
            found = self.cache.setdefault(key if env.asked == asked else found, found)
        return found

    def _key(self, env: Env) -> tuple[Any, ...]:
        try:
            return env.key(self.names)
        except ConvcalcError:
            for _, _, value in self.fields:
                value.evaluate(env)  # raises the error again, with the place of its field
            raise


class MergeCall(LayerCall):
    """A call of a merge, with its branches unless `from` gives the inputs."""

    __slots__ = ("branches",)

    def __init__(self, layer: type[Layer]) -> None:
        super().__init__(layer)
        self.branches: list[tuple[list[Entry], Value | None]] | None = None


class BlockCall:
    """A call of a block: the values of its arguments."""

    __slots__ = ("arguments", "block")

    def __init__(self, block: Block, arguments: dict[str, Value]) -> None:
        self.block = block
        self.arguments = arguments


Call = LayerCall | BlockCall


def check_name(name: str, where: Where, what: str) -> None:
    """Raise unless `name` may name a variable, an argument, a loop variable, an input, a block."""
    _check_letters(name, where, f"the name of {what}")
    if name in RESERVED or name.startswith("in_"):
        raise fail(f"'{name}' cannot be the name of {what}: the language uses it", where)


def check_entry_name(name: str, where: Where) -> None:
    """Raise unless a layer, a loop or an instance of a block may have this name."""
    _check_letters(name, where, "a name")
    if name in ("input", "previous"):
        raise fail(f"'{name}' cannot be a name: the language uses it", where)


def _check_letters(name: str, where: Where, what: str) -> None:
    if not _NAME.fullmatch(name):
        raise fail(f"'{shorten(name)}' cannot be {what}", where, _NAME_HINT)
    if len(name) > MAX_NAME:
        raise fail(f"a name of {len(name):,} characters; {MAX_NAME} are the limit", where)


class EntryReader:
    """Reads entries; `used` collects the names that expressions read."""

    def __init__(self, blocks: dict[str, Block]) -> None:
        self.blocks = blocks
        self.used: set[str] = set()

    # -- from tree to entries -------------------------------------------------------------------

    def entries(self, tree: Tree, what: str = "layers:") -> list[Entry]:
        """The entries of a list."""
        items = list_of(tree, what, "Write each layer on a line of its own after '- '.").items
        return [self.entry(item) for item in items]

    def entry(self, tree: Tree) -> Entry:
        """One entry: a word, or a mapping with one layer, block or group and keys beside it."""
        if isinstance(tree, Scalar):
            if tree.empty:
                raise fail("an empty entry", tree.where, "Take the '-' away.")
            return self._call(Scalar(tree.text.strip(), tree.where), None)
        if isinstance(tree, List):
            stray = any(
                isinstance(item, Map) and all(key.text in MODIFIERS for key, _ in item.pairs)
                for item in tree.items
            )
            raise fail(
                "a list where an entry is due", tree.where,
                _TWO_ENTRIES if stray
                else "Only the branches of a merge are lists: add, multiply, concat …",
            )  # fmt: skip
        return self._from_map(tree)

    def _from_map(self, tree: Map) -> Entry:
        modifiers: dict[str, Tree] = {}
        calls = []
        for key, value in tree.pairs:
            if key.text in MODIFIERS:
                modifiers[key.text] = value
            else:
                calls.append((key, value))
        if len(calls) != 1:
            raise self._not_one_call(tree, calls)
        key, value = calls[0]
        if key.text == "branch":
            raise fail("'branch' stands only in the list of a merge's branches", key.where)
        inner_keys = ("share", "functional")
        if "repeat" in modifiers or "for" in modifiers:
            if key.text == "layers":
                body = self.entries(value)
                for name in inner_keys:
                    if name in modifiers:
                        raise fail(f"'{name}' belongs to a layer or a block", modifiers[name].where)
            else:
                call = self._call(key, value)
                self._modify(call, {k: v for k, v in modifiers.items() if k in inner_keys})
                body = [call]
            entry = self._loop(modifiers, body, tree.where)
            self._modify(entry, {k: v for k, v in modifiers.items() if k not in inner_keys})
            return entry
        if key.text == "layers":
            entry = Entry("group", tree.where)
            entry.body = self.entries(value)
            for name in ("share", "functional", "name"):
                if name in modifiers:
                    raise fail(
                        f"'{name}' belongs to a layer or a block, not to a group",
                        modifiers[name].where,
                        "Make the group a block to name or share it, or put it on the entries.",
                    )
        else:
            entry = self._call(key, value)
        self._modify(entry, modifiers)
        return entry

    def _not_one_call(self, tree: Map, calls: list[tuple[Scalar, Tree]]) -> ConvcalcError:
        for key, _ in calls:
            if key.text in _FOREIGN_MODIFIERS and key.text not in self.blocks:
                hint = f"Did you mean '{_FOREIGN_MODIFIERS[key.text]}'?"
                return fail(f"unknown key '{key.text}' beside a layer", key.where, hint)
        if not calls:
            names = ", ".join(f"'{key.text}'" for key, _ in tree.pairs)
            return fail(
                f"an entry with {names or 'nothing'} and no layer", tree.where, _TWO_ENTRIES
            )
        known = [key for key, _ in calls if key.text in self.blocks or key.text in layer_names()]
        for key, _ in calls:
            if known and key not in known and known[0].text in layer_names():
                own = [f.name for f in fields(layer_class(known[0].text))]
                if key.text in own or field_hint(key.text, own).startswith("Did"):
                    return fail(
                        f"'{shorten(key.text)}' stands beside {known[0].text}, not inside it",
                        key.where,
                        f"Move it to the right, under {known[0].text}.",
                    )
        names = ", ".join(f"'{shorten(key.text, 20)}'" for key, _ in calls[:4])
        return fail(
            f"one layer or block is due in an entry, not {len(calls)}: {names}",
            calls[1][0].where,
            "Start a new entry with '- ', or move the fields to the right, under their layer.",
        )

    def _call(self, key: Scalar, value: Tree | None) -> Entry:
        if not _NAME.fullmatch(key.text):
            raise fail(
                f"'{shorten(key.text)}' is no layer and no block",
                key.where,
                "A key needs a space after its colon: conv: 64." if ":" in key.text else "",
            )
        entry = Entry("call", key.where)
        entry.key = key.text
        entry.value = None if isinstance(value, Scalar) and value.empty else value
        return entry

    def _modify(self, entry: Entry, modifiers: dict[str, Tree]) -> None:
        for key, tree in modifiers.items():
            if key == "name":
                entry.name = self._template(tree, "name:")
                if entry.name.is_plain:
                    check_entry_name(entry.name.text, tree.where)
            elif key == "from":
                items = tree.items if isinstance(tree, List) else [tree]
                if not items:
                    raise fail("from: the list is empty", tree.where)
                entry.sources = [self.reference(item, "from:") for item in items]
            elif key == "when":
                entry.when = self.value(tree)
            elif key == "share":
                entry.share = self._template(tree, "share:")
            elif key == "functional":
                if not isinstance(tree, Scalar) or tree.text not in ("true", "false"):
                    raise fail(f"functional: is true or false, not {describe(tree)}", tree.where)
                entry.functional = tree.text == "true"

    def _loop(self, modifiers: dict[str, Tree], body: list[Entry], where: Where) -> Entry:
        entry = Entry("loop", where)
        entry.body = body
        if "repeat" in modifiers and "for" in modifiers:
            raise fail("repeat and for together in one entry", modifiers["for"].where,
                       "Put one loop inside the other.")  # fmt: skip
        if "repeat" in modifiers:
            entry.repeat = self.value(modifiers["repeat"])
            return entry
        seen: set[str] = set()
        hint = "For instance for: {width: [64, 128]}."
        for key, tree in mapping_of(modifiers["for"], "for:", hint).pairs:
            names = [name.strip() for name in key.text.split(",")]
            for name in names:
                check_name(name, key.where, "a loop variable")
                if name in seen:
                    raise fail(f"the loop variable '{name}' stands here twice", key.where)
                seen.add(name)
            entry.columns.append((names, self.value(tree)))
        if not seen:
            raise fail("for: no name with a list", modifiers["for"].where, hint)
        return entry

    def value(self, tree: Tree) -> Value:
        """A compiled value, its names noted as used."""
        value = Value(tree)
        self.used.update(value.names)
        return value

    def reference(self, tree: Tree, what: str) -> Template:
        """The name of a layer; a variable or an argument may stand for it."""
        template = self._template(tree, what)
        self.used.add(template.text)
        return template

    def _template(self, tree: Tree, what: str) -> Template:
        template = Template(tree, what)
        self.used.update(template.names)
        return template

    # -- from key to layer or block ---------------------------------------------------------------

    def check(self, entries: list[Entry], scope: frozenset[str]) -> None:
        """Bind every call whose key does not depend on a value; `scope` are the names in scope."""
        waiting = [(entries, scope)]
        while waiting:
            some, names = waiting.pop()
            for entry in some:
                if entry.form == "loop":
                    added = frozenset(name for column, _ in entry.columns for name in column)
                    self._check_own_keys(entry, added - names)
                    waiting.append((entry.body, names | added))
                elif entry.form == "group":
                    waiting.append((entry.body, names))
                elif entry.key in names and not self._is_known(entry.key):
                    self.used.add(entry.key)
                    self._note_names(entry.value)
                else:
                    call = self.bind(entry, entry.key, entry.where)
                    if isinstance(call, MergeCall):
                        waiting.extend((branch, names) for branch, _ in call.branches or ())

    def _check_own_keys(self, entry: Entry, loop_names: frozenset[str]) -> None:
        """Raise if the keys beside a loop read the names that exist in its rounds only."""
        for own in (entry.name, *(entry.sources or ()), entry.when):
            for name in own.names if own is not None else ():
                if name in loop_names:
                    assert own is not None
                    raise fail(
                        f"'{name}' has no value here, outside of the loop's rounds", own.where,
                        "name:, from: and when: of a loop are read once, before its rounds: to "
                        "use its names, put them on the entries inside, or on a group of them.",
                    )  # fmt: skip

    def _is_known(self, name: str) -> bool:
        return name in self.blocks or name in layer_names()

    def _note_names(self, tree: Tree | None) -> None:
        """Take note of all names in the arguments of a call that is bound later."""
        waiting = [tree]
        while waiting:
            node = waiting.pop()
            if isinstance(node, Map):
                waiting.extend(value for _, value in node.pairs)
            elif isinstance(node, List):
                waiting.extend(node.items)
            elif isinstance(node, Scalar):
                self.used.update(NAME.findall(node.text))

    def bind(self, entry: Entry, name: str, where: Where) -> Call:
        """The call of `entry` on the layer or block `name`.

        Raises:
            SpecError: there is none, or it does not take what the entry gives.
        """
        found = entry.calls.get(name)
        if found is not None:
            return found
        call: Call
        if name in self.blocks:
            call = self._bind_block(entry, self.blocks[name])
        elif name in layer_names():
            layer = layer_class(name)
            call = self._bind_merge(entry, layer) if layer.merges else LayerCall(layer)
            self._bind_fields(entry, call)
            if entry.sources is not None and len(entry.sources) > 1 and not layer.merges:
                raise fail(
                    f"{name} takes one input, and from: gives {len(entry.sources)}",
                    entry.sources[1].where,
                    "Merge them first, with add or concat.",
                )
        else:
            raise fail(
                f"unknown layer '{shorten(name)}'", where,
                layer_hint(name, [*layer_names(), *self.blocks]),
            )  # fmt: skip
        entry.calls[name] = call
        return call

    def _bind_block(self, entry: Entry, block: Block) -> BlockCall:
        tree = entry.value
        given: dict[str, Value] = {}
        if isinstance(tree, Map):
            for key, value in tree.pairs:
                if key.text not in block.arguments:
                    raise self._unknown_field(key, block.name, list(block.arguments), "argument")
                given[key.text] = self.value(value)
        elif tree is not None:
            if not block.arguments:
                raise fail(f"block '{block.name}' takes no arguments", tree.where)
            given[next(iter(block.arguments))] = self.value(tree)
        required = ", ".join(f"{n}: …" for n, default in block.arguments.items() if default is None)
        for name, default in block.arguments.items():
            if default is None and name not in given:
                raise fail(
                    f"block '{block.name}' needs its argument '{name}'", entry.where,
                    f"For instance {block.name}: {{{required}}}.",
                )  # fmt: skip
        if entry.sources is not None and len(entry.sources) > 1:
            raise fail(f"block '{block.name}' takes one input", entry.sources[1].where)
        return BlockCall(block, given)

    def _bind_fields(self, entry: Entry, call: LayerCall) -> None:
        layer, tree = call.layer, entry.value
        known = {field.name: field for field in fields(layer)}
        given: dict[str, Tree] = {}
        places: dict[str, Scalar] = {}
        if isinstance(tree, Map):
            for key, value in tree.pairs:
                if key.text == "branches" and layer.merges:
                    continue
                if key.text not in known:
                    raise self._unknown_field(key, layer.name, list(known), "field")
                given[key.text], places[key.text] = value, key
        elif tree is not None and not layer.merges:
            if not known:
                raise fail(f"{layer.name} takes no value", tree.where)
            given[next(iter(known))] = tree
        if "like" in given and "size" in given:
            raise fail(
                f"{layer.name}: like: and size: together", places["like"].where, "One will do."
            )
        for name, value in given.items():
            kind = known[name].kind
            if isinstance(kind, Reference):
                call.like = self.reference(value, "like:")
                continue
            compiled = Value(value)
            if isinstance(kind, (Choice, Padding)) and compiled.word in kind.words:
                # in a field with a list of words its own words win over variables
                compiled = _WordValue(value, compiled.word)
            self.used.update(compiled.names)
            call.fields.append((name, kind, compiled))
        for field in known.values():
            if field.required and field.name not in given:
                raise fail(
                    f"{layer.name} needs its field '{field.name}'", entry.where,
                    f"For instance {layer.example}.",
                )  # fmt: skip
        names = [name for _, _, value in call.fields for name in value.names]
        call.names = tuple(dict.fromkeys(names))

    def _unknown_field(self, key: Scalar, owner: str, known: list[str], what: str) -> ConvcalcError:
        if key.text in MODIFIERS:
            return fail(
                f"'{key.text}' stands inside {owner}, not beside it", key.where,
                f"Move {key.text}: to the left, level with {owner}.",
            )  # fmt: skip
        return fail(
            f"{owner} has no {what} '{shorten(key.text)}'", key.where, field_hint(key.text, known)
        )

    def _bind_merge(self, entry: Entry, layer: type[Layer]) -> MergeCall:
        call = MergeCall(layer)
        tree = entry.value
        branches = tree.get("branches") if isinstance(tree, Map) else tree
        if branches is None:
            if entry.sources is None:
                raise fail(
                    f"{layer.name} needs branches, or from: with the names of its inputs",
                    entry.where, f"For instance {layer.example}.",
                )  # fmt: skip
            return call
        if entry.sources is not None:
            raise fail(
                f"{layer.name} has both branches and from:", branches.where,
                "One of the two gives the inputs; a branch may say from: in its first entry.",
            )  # fmt: skip
        items = list_of(branches, f"{layer.name}:", f"For instance {layer.example}.").items
        call.branches = [self._branch(branch, layer.name) for branch in items]
        return call

    def _branch(self, tree: Tree, owner: str) -> tuple[list[Entry], Value | None]:
        if isinstance(tree, List):
            return self.entries(tree), None
        if isinstance(tree, Map) and any(key.text == "branch" for key, _ in tree.pairs):
            when = None
            for key, value in tree.pairs:
                if key.text == "when":
                    when = self.value(value)
                elif key.text != "branch":
                    raise fail(
                        f"'{shorten(key.text)}' beside branch:", key.where,
                        "A branch takes only when: beside it; other keys go on its entries.",
                    )  # fmt: skip
            body = tree.get("branch")
            assert body is not None
            return self.entries(body, "branch:"), when
        raise fail(
            f"a branch of {owner} is a list of entries, not {describe(tree)}", tree.where,
            "Write '- - conv: …' or '- [conv: …]'; [] is the identity.",
        )  # fmt: skip


class _WordValue(Value):
    """A field's own word."""

    __slots__ = ()

    def __init__(self, tree: Tree, word: str) -> None:
        self.tree = tree
        self.names = ()
        self._evaluate = lambda env: word
