"""Network: a spec with values for its variables; what Python users hold in their hands."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

from convcalc.analysis.quantities import QUANTITIES, total
from convcalc.dim import Size, symbol
from convcalc.errors import UsageError, did_you_mean
from convcalc.graph import Graph
from convcalc.report.report import Report
from convcalc.spec.build import Bindings, build
from convcalc.spec.document import Spec, read_file, read_mapping, read_string


class Network:
    """A network at some values of its variables.

    `graph` is the network itself: its nodes, edges and module tree, with the shape and the
    operations of every node. Made by `convcalc.load`, `loads` and `from_dict`.
    """

    def __init__(self, spec: Spec, overrides: Mapping[str, Any]) -> None:
        self.spec = spec
        self._overrides = dict(overrides)
        self.graph = build(spec, self._overrides)

    @property
    def name(self) -> str:
        """The name in the spec."""
        return self.spec.name

    @property
    def title(self) -> str:
        """The title in the spec, or its name."""
        return self.spec.title

    @property
    def source(self) -> str:
        """Where the architecture was published."""
        return self.spec.source

    @property
    def variables(self) -> dict[str, Any]:
        """The values of the variables."""
        return self._values(self._overrides)

    def _values(self, overrides: Mapping[str, Any]) -> dict[str, Any]:
        bindings = Bindings(self.spec, overrides)
        return {name: bindings[name] for name in self.spec.variables}

    def summarize(self, *, symbolic: str | Iterable[str] = (), **variables: Any) -> Report:
        """The report: a row for every layer, and the totals.

        Args:
            symbolic: names of variables to leave symbolic, as `"H, W"` or a list; every figure
                is then a closed form in them.
            **variables: values for variables of the spec and for `N`, the batch.

        Raises:
            UsageError: a name is no variable of the spec.
            ConvcalcError: the network does not fit together at these values.
        """
        overrides = {**self._overrides, **variables}
        for name in _names(symbolic):
            if name not in ("N", *self.spec.variables):
                raise _unknown_symbol(name, self.spec)
            overrides[name] = symbol(name)
        graph = build(self.spec, overrides) if overrides != self._overrides else self.graph

        def closed_form() -> Size:
            return self.formula("macs", overrides=overrides)

        return Report(
            self.spec.name, self.spec.title, self.spec.source, self._values(overrides), graph,
            closed_form,
        )  # fmt: skip

    def formula(
        self,
        of: str = "macs",
        symbols: str | Iterable[str] | None = None,
        *,
        overrides: Mapping[str, Any] | None = None,
    ) -> Size:
        """The closed form of a total, exact for every legal input: a Dim, or an int.

        Args:
            of: what is counted: params, buffers, macs, flops, multiplies, adds, compares,
                divides, exps or param_bytes.
            symbols: the names to leave free; by default N and the names in the spec's `input:`.
                All other variables keep their values.
            overrides: values of variables other than those of this network.

        Raises:
            UsageError: no such quantity, or no such variable.
            ConvcalcError: the network's structure depends on a symbol.
        """
        if of not in QUANTITIES:
            hint = did_you_mean(of, QUANTITIES) or f"There are {', '.join(QUANTITIES)}."
            raise UsageError(f"unknown quantity '{of}'", hint=hint)
        free = ["N", *self.spec.input_names] if symbols is None else _names(symbols)
        values = dict(self._overrides if overrides is None else overrides)
        for name in free:
            if name not in ("N", *self.spec.variables):
                raise _unknown_symbol(name, self.spec)
            values[name] = symbol(name)
        return total(of, build(self.spec, values).nodes)

    def __str__(self) -> str:
        return str(self.summarize())

    def __repr__(self) -> str:
        return f"<Network {self.name}: {len(self.graph.nodes):,} layers>"

    def _repr_html_(self) -> str:
        return self.summarize()._repr_html_()


def load(spec: str | os.PathLike[str], **variables: Any) -> Network:
    """The network of a spec file or of an architecture of the zoo.

    Args:
        spec: a path, or a zoo name such as `vgg16`; a path wins.
        **variables: values for variables of the spec and for `N`, the batch. Text is read as
            the spec language reads it.

    Raises:
        SpecError: there is no such spec, or it breaks a rule of the language.
        ShapeError: its layers do not fit together.
        UsageError: a name is no variable of the spec.
    """
    return Network(read_file(spec), variables)


def loads(text: str, **variables: Any) -> Network:
    """The network of a spec given as YAML text; see `load`."""
    return Network(read_string(text), variables)


def from_dict(spec: Mapping[str, Any], **variables: Any) -> Network:
    """The network of a spec made in Python: mappings, lists, text, numbers; see `load`.

    >>> net = from_dict({"input": [1, 28, 28], "layers": ["flatten", {"linear": 10}]})
    >>> net.summarize().totals.params
    7850
    """
    return Network(read_mapping(spec), variables)


def _names(names: str | Iterable[str]) -> list[str]:
    if isinstance(names, str):
        return [name.strip() for name in names.split(",") if name.strip()]
    return list(names)


def _unknown_symbol(name: str, spec: Spec) -> UsageError:
    known = ["N", *spec.variables]
    return UsageError(
        f"'{name}' is no variable of this spec",
        hint=did_you_mean(name, known) or f"It has {', '.join(known)}.",
    )
