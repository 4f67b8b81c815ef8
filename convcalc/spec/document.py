"""A whole spec: its keys, and what it inherits from the specs that it extends."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from convcalc.errors import SpecError, UsageError, did_you_mean, shorten
from convcalc.layers import layer_names
from convcalc.spec.entries import RESERVED, Block, Entry, EntryReader, check_name
from convcalc.spec.tree import (
    Key,
    List,
    Map,
    Scalar,
    Tree,
    Where,
    describe,
    fail,
    from_python,
    parse_yaml,
)
from convcalc.spec.values import Template, Value, list_of, mapping_of
from convcalc.spec.zoo import find_spec, read_text, specs_in, stem, zoo_file, zoo_names

KEYS = (
    "name", "title", "source", "extends", "input", "inputs", "outputs", "variables", "blocks",
    "layers", "groups", "expect", "budget",
)  # fmt: skip
EXPECTABLE = (
    "params", "buffers", "macs", "macs_nonpad", "flops", "multiplies", "adds", "compares",
    "divides", "exps", "param_bytes", "activation_bytes", "peak_activation_bytes",
)  # fmt: skip
LIMITABLE = (*EXPECTABLE, "peak_bytes")
"""What a budget may limit: the totals, and the short name of the peak."""
_FOREIGN_KEYS = {
    "input_shape": "input", "input_size": "input", "parameters": "variables", "params": "variables",
    "limits": "budget", "model": "layers", "network": "layers", "architecture": "layers",
    "modules": "blocks",
}  # fmt: skip
MAX_EXTENDS = 20
_BLOCK_HINT = "A block has arguments: and layers:."
_GROUPS_HINT = "For instance groups: {Conv1: conv1, Conv2-3: [conv2, conv3]}."
_SPACES = re.compile(r"[ \t\r\n]+")
_UNSAFE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef"
    + "".join(
        f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0, 0x110000, 0x10000)
    )
    + "]"
)
"""Control characters, changes of direction, and what Unicode says is no character, which XML and
HTML do not take."""


class Spec:
    """A spec, checked and compiled; `convcalc.spec.build` makes graphs of it.

    `inputs` maps names to shapes without the batch; `variables` maps names to their values, None
    for a symbol; `input_names` are the variables that the inputs' shapes read. `groups` maps names
    to the paths of layers and modules that are shown as one. `where` is the place of `layers:`, or
    of the whole spec without it. The limits of `budget` are text: numbers with units, which
    `convcalc.analysis.checks` reads.
    """

    def __init__(self, where: Where) -> None:
        self.where = where
        self.name = ""
        self.title = ""
        self.source = ""
        self.inputs: dict[str, list[Value]] = {}
        self.outputs: list[Template] | None = None
        self.variables: dict[str, Value | None] = {}
        self.blocks: dict[str, Block] = {}
        self.layers: list[Entry] = []
        self.groups: dict[str, list[Scalar]] = {}
        self.expect: dict[str, Value] = {}
        self.budget: dict[str, Scalar] = {}
        self.read: frozenset[str] = frozenset()
        self.input_names: list[str] = []


def read_file(spec: str | Any) -> Spec:
    """The spec of a path or a zoo name.

    Raises:
        SpecError: there is none, or it breaks a rule of the language.
    """
    path = find_spec(spec)
    tree = parse_yaml(read_text(path), shown_path(path))
    return _assemble(tree, path, shorten(stem(path), 200))


def read_string(text: str, source: str = "<string>") -> Spec:
    """The spec in a text; it may extend architectures of the zoo only."""
    if not isinstance(text, str):
        raise UsageError(f"a spec as text is due, not a value of type {type(text).__name__}")
    return _assemble(parse_yaml(text.removeprefix("\ufeff"), source), None, "network")


def read_mapping(mapping: Mapping[str, Any]) -> Spec:
    """The spec in Python values; it may extend architectures of the zoo only."""
    return _assemble(from_python(mapping), None, "network")


def shown_path(path: str) -> str:
    """A path as messages show it: of the zoo by its name alone."""
    for name in (stem(path), f"lectures/{stem(path)}"):
        if zoo_file(name) == path:
            return f"{name}.yaml"
    return shorten(path, 200)


def _assemble(tree: Tree, path: str | None, default_name: str) -> Spec:
    own = _keys(tree)
    chain = [own, *_ancestors(own, path)]
    return _Assembly(chain, default_name, tree.where).spec


def _keys(tree: Tree) -> dict[str, tuple[Scalar, Tree]]:
    if not isinstance(tree, Map):
        raise fail(
            f"a spec is a mapping, not {describe(tree)}", tree.where,
            "It starts with keys such as name:, input: and layers:.",
        )  # fmt: skip
    keys = {}
    for key, value in tree.pairs:
        if key.text not in KEYS:
            familiar = _FOREIGN_KEYS.get(key.text)
            known = f"Did you mean '{familiar}'?" if familiar else did_you_mean(key.text, KEYS)
            if key.text == "convcalc":
                known = "This is a saved report: `convcalc diff` reads it."
            raise fail(
                f"unknown key '{shorten(key.text)}'", key.where,
                known or f"A spec has the keys {', '.join(KEYS)}.",
            )  # fmt: skip
        if not (isinstance(value, Scalar) and value.empty):
            keys[key.text] = (key, value)
        elif key.text in ("input", "inputs", "layers", "extends"):
            raise fail(f"{key.text}: is empty", key.where)
    return keys


def _ancestors(
    keys: dict[str, tuple[Scalar, Tree]], path: str | None
) -> list[dict[str, tuple[Scalar, Tree]]]:
    """The specs that this one extends, nearest first."""
    found = []
    seen = [os.path.realpath(path)] if path is not None else []
    while "extends" in keys:
        tree = keys["extends"][1]
        path = _extended(tree, path)
        if os.path.realpath(path) in seen:
            names = " → ".join(map(stem, [*seen, path]))
            raise fail(f"extends goes in a circle: {shorten(names, 200)}", tree.where)
        if len(seen) >= MAX_EXTENDS:
            raise fail(f"more than {MAX_EXTENDS} specs extend each other", tree.where)
        seen.append(os.path.realpath(path))
        try:
            keys = _keys(parse_yaml(read_text(path), shown_path(path)))
        except SpecError as error:
            error.trail.append((f"extends: {stem(path)}", str(tree.where)))
            raise
        found.append(keys)
    return found


def _extended(tree: Tree, path: str | None) -> str:
    """The file that `extends:` means: of the zoo, or inside the folder of the spec itself."""
    if not isinstance(tree, Scalar):
        raise fail(f"extends: is a name, not {describe(tree)}", tree.where)
    name = tree.text.strip()
    bare = "/" not in name and "\\" not in name and "." not in name
    if bare:
        found = zoo_file(name)
        if found is not None:
            return found
    folder = os.path.dirname(os.path.realpath(path)) if path is not None else None
    if folder is None:
        raise fail(
            f"no architecture '{shorten(name)}' in the zoo", tree.where,
            did_you_mean(name, zoo_names()) or "A spec that is no file extends the zoo's only.",
        )  # fmt: skip
    if "\0" in name:
        raise fail(f"extends: no file '{shorten(name)}'", tree.where)
    # realpath: a link that leads out of the folder is followed before it is judged
    target = os.path.realpath(os.path.join(folder, f"{name}.yaml" if bare else name))
    if os.path.isabs(name) or os.path.commonpath([folder, target]) != folder:
        raise fail(
            f"extends: {shorten(name)} leads out of the folder of the spec", tree.where,
            "A spec extends the zoo's, by name, or a file beside or below it.",
        )  # fmt: skip
    if os.path.isfile(target):
        return target
    if os.path.isfile(f"{target}.yaml"):
        hint = f"Did you mean '{shorten(name)}.yaml'?"
    else:
        hint = did_you_mean(name.removesuffix(".yaml"), [*zoo_names(), *specs_in(folder)])
    raise fail(f"extends: no file and no architecture '{shorten(name)}'", tree.where, hint)


class _Assembly:
    """Merges a spec with those it extends: variables and blocks by name, the rest by key."""

    def __init__(
        self, chain: list[dict[str, tuple[Scalar, Tree]]], default_name: str, where: Where
    ) -> None:
        self.spec = Spec(where)
        self.reader = EntryReader(self.spec.blocks)
        own = chain[0]
        self.spec.name = self._text(own, "name") or default_name
        self.spec.title = self._text(own, "title") or self.spec.name
        self.spec.source = self._text(own, "source")
        merged: dict[str, tuple[Scalar, Tree]] = {}
        for keys in reversed(chain):
            # input and inputs say the same thing: the nearer one counts
            if "input" in keys or "inputs" in keys:
                merged.pop("input", None)
                merged.pop("inputs", None)
            if "layers" in keys:  # groups are of the layers that they were written for
                merged.pop("groups", None)
            merged.update(keys)
            self._variables(keys)
        self._blocks(chain)
        self._inputs(merged)
        self._outputs(merged)
        self._layers(merged)
        self._groups(merged)
        self._check_scopes()
        self.spec.read = frozenset(self.reader.used)
        for key, tree in self._figures(own, "expect", EXPECTABLE):
            self.spec.expect[key] = Value(tree)
        for key, tree in self._figures(own, "budget", LIMITABLE):
            if not isinstance(tree, Scalar) or tree.empty:
                raise fail(
                    f"budget: {key}: a number is due, not {describe(tree)}", tree.where,
                    "For instance 5M, or 24 GiB for bytes.",
                )  # fmt: skip
            self.spec.budget[key] = tree
        self._check_read(own)

    def _text(self, keys: dict[str, tuple[Scalar, Tree]], key: str) -> str:
        if key not in keys:
            return ""
        tree = keys[key][1]
        if not isinstance(tree, Scalar):
            raise fail(f"{key}: is a text, not {describe(tree)}", tree.where)
        # it goes to terminals and into documents as it is
        text = " ".join(_SPACES.split(tree.text.strip(" \t\r\n")))
        return _UNSAFE.sub("\N{REPLACEMENT CHARACTER}", text)

    def _variables(self, keys: dict[str, tuple[Scalar, Tree]]) -> None:
        if "variables" not in keys:
            return
        for key, tree in mapping_of(keys["variables"][1], "variables:").pairs:
            check_name(key.text, key.where, "a variable")
            empty = isinstance(tree, Scalar) and tree.empty
            self.spec.variables[key.text] = None if empty else self.reader.value(tree)

    def _blocks(self, chain: list[dict[str, tuple[Scalar, Tree]]]) -> None:
        trees: dict[str, tuple[Scalar, Map]] = {}
        for keys in reversed(chain):
            if "blocks" not in keys:
                continue
            for key, tree in mapping_of(keys["blocks"][1], "blocks:").pairs:
                if key.text in layer_names():
                    raise fail(f"'{key.text}' is a layer: a block needs another name", key.where)
                check_name(key.text, key.where, "a block")
                trees[key.text] = key, mapping_of(tree, f"block '{key.text}':", _BLOCK_HINT)
        # all names first: blocks call each other
        for name, (key, _) in trees.items():
            self.spec.blocks[name] = Block(name, key.where)
        for name, (key, tree) in trees.items():
            self._block(self.spec.blocks[name], key, tree)

    def _block(self, block: Block, key: Scalar, tree: Map) -> None:
        for inner, value in tree.pairs:
            if inner.text == "arguments":
                self._arguments(block, value)
            elif inner.text == "layers":
                block.entries = self.reader.entries(value)
            else:
                raise fail(
                    f"unknown key '{shorten(inner.text)}' in block '{block.name}'", inner.where,
                    did_you_mean(inner.text, ("arguments", "layers")) or _BLOCK_HINT,
                )  # fmt: skip
        if not block.entries:
            raise fail(f"block '{block.name}' has no layers", key.where)

    def _arguments(self, block: Block, tree: Tree) -> None:
        if isinstance(tree, List):
            # arguments: [out, kernel]: all required
            pairs: list[tuple[Scalar, Tree]] = []
            for item in tree.items:
                if not isinstance(item, Scalar):
                    raise fail("an argument is a name", item.where)
                pairs.append((item, Scalar("", item.where)))
        else:
            pairs = mapping_of(tree, "arguments:", "For instance {out, stride: 1}.").pairs
        for key, value in pairs:
            check_name(key.text, key.where, "an argument")
            if key.text in block.arguments:
                raise fail(f"the argument '{key.text}' stands here twice", key.where)
            empty = isinstance(value, Scalar) and value.empty
            block.arguments[key.text] = None if empty else self.reader.value(value)

    def _inputs(self, keys: dict[str, tuple[Scalar, Tree]]) -> None:
        if "input" in keys and "inputs" in keys:
            raise fail("input: and inputs: together", keys["inputs"][0].where, "One of the two.")
        if "inputs" in keys:
            for key, tree in mapping_of(keys["inputs"][1], "inputs:").pairs:
                check_name(key.text, key.where, "an input")
                self.spec.inputs[key.text] = self._shape(tree)
        elif "input" in keys:
            self.spec.inputs["input"] = self._shape(keys["input"][1])
        for values in self.spec.inputs.values():
            for value in values:
                for name in value.names:
                    if name not in self.spec.input_names and name != "N":
                        self.spec.input_names.append(name)
                        if name not in self.spec.variables:
                            # a name in the input that is no variable is a symbol
                            check_name(name, value.where, "a symbol")
                            self.spec.variables[name] = None

    def _shape(self, tree: Tree) -> list[Value]:
        items = tree.items if isinstance(tree, List) else [tree]
        if not 1 <= len(items) <= 7:
            raise fail(
                f"an input has 1 to 7 axes after the batch, not {len(items)}", tree.where,
                "For an image: input: [3, H, W].",
            )  # fmt: skip
        return [self.reader.value(item) for item in items]

    def _outputs(self, keys: dict[str, tuple[Scalar, Tree]]) -> None:
        if "outputs" in keys:
            tree = keys["outputs"][1]
            items = list_of(tree, "outputs:", "For instance outputs: [main].").items
            if not items:
                raise fail("outputs: is empty", tree.where)
            self.spec.outputs = [self.reader.reference(item, "outputs:") for item in items]

    def _layers(self, keys: dict[str, tuple[Scalar, Tree]]) -> None:
        if "layers" in keys:
            key, tree = keys["layers"]
            self.spec.where = key.where
            self.spec.layers = self.reader.entries(tree)

    def _groups(self, keys: dict[str, tuple[Scalar, Tree]]) -> None:
        """Read the groups; whether their paths exist is known when the network is built."""
        if "groups" not in keys:
            return
        for key, tree in mapping_of(keys["groups"][1], "groups:", _GROUPS_HINT).pairs:
            name = shorten(_UNSAFE.sub("\N{REPLACEMENT CHARACTER}", key.text.strip()), 100)
            if not name:
                raise fail("a group has no name", key.where, _GROUPS_HINT)
            if name in self.spec.groups:
                raise fail(f"the group '{name}' stands here twice", key.where)
            paths: list[Scalar] = []
            for item in tree.items if isinstance(tree, List) else [tree]:
                if not isinstance(item, Scalar) or not item.text.strip():
                    raise fail(
                        f"group '{name}' holds paths of layers, not {describe(item)}",
                        item.where,
                        _GROUPS_HINT,
                    )
                paths.append(item)
            if not paths:
                raise fail(f"group '{name}' is empty", tree.where, _GROUPS_HINT)
            self.spec.groups[name] = paths

    def _check_scopes(self) -> None:
        variables = frozenset(self.spec.variables)
        for block in self.spec.blocks.values():
            self._check_defaults(block, variables)
            self.reader.check(block.entries, variables | frozenset(block.arguments))
        self.reader.check(self.spec.layers, variables)

    def _check_defaults(self, block: Block, variables: frozenset[str]) -> None:
        """Raise if a default reads an argument that has no value yet."""
        later = set(block.arguments)
        for name, default in block.arguments.items():
            for read in default.names if default is not None else ():
                if read in later - variables:
                    assert default is not None
                    raise fail(
                        f"the default of '{name}' reads the argument '{read}', which has no "
                        "value yet", default.where, "A default may read the arguments before it.",
                    )  # fmt: skip
            later.discard(name)

    def _figures(
        self, own: dict[str, tuple[Scalar, Tree]], what: str, known: Sequence[str]
    ) -> Iterator[tuple[str, Tree]]:
        """What `expect:` or `budget:` has for each quantity."""
        pairs = mapping_of(own[what][1], f"{what}:").pairs if what in own else ()
        for key, tree in pairs:
            if key.text not in known:
                raise fail(
                    f"{what}: unknown quantity '{shorten(key.text)}'", key.where,
                    did_you_mean(key.text, known) or f"There are {', '.join(known)}.",
                )  # fmt: skip
            yield key.text, tree

    def _check_read(self, own: dict[str, tuple[Scalar, Tree]]) -> None:
        """A variable of this file that nothing reads is a slip; inherited ones may be left over."""
        if "layers" not in own and not self.spec.layers:
            return  # a library of blocks
        if "variables" in own:
            for key, _ in mapping_of(own["variables"][1], "variables").pairs:
                if key.text not in self.spec.read:
                    others = self.spec.read & (set(self.spec.variables) - {key.text})
                    unknown = self.spec.read - set(self.spec.variables) - RESERVED
                    raise fail(
                        f"nothing reads the variable '{shorten(key.text)}'", key.where,
                        did_you_mean(key.text, sorted(others | unknown))
                        or "Take it away, or use it.",
                    )  # fmt: skip


def spec_place(name: str) -> Key:
    """The place of a value given to a call by name."""
    return Key(None, name)
