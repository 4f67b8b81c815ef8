"""Network: a spec with values for its variables; what Python users hold in their hands."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from convcalc.analysis.closed_form import Decisions, Forms, Formula
from convcalc.analysis.limits import Limits, holds_at, network_limits, symbols_of
from convcalc.analysis.memory import BYTES
from convcalc.analysis.quantities import TOTALS, quantity, total
from convcalc.analysis.receptive_field import seen_by
from convcalc.dim import Size, symbol
from convcalc.errors import ConvcalcError, ShapeError, UsageError, did_you_mean, shorten
from convcalc.graph import Graph, Node, collector_paused
from convcalc.layer import Requirement, show_shape
from convcalc.report.report import Report
from convcalc.spec.build import Bindings, build, build_symbolic
from convcalc.spec.document import Spec, read_file, read_mapping, read_string

if TYPE_CHECKING:  # what few commands need is imported by what needs it
    import pandas

    from convcalc.analysis.differences import Snapshot
    from convcalc.analysis.sweep.plan import Axis
    from convcalc.analysis.sweep.rows import Rows, Selection
    from convcalc.analysis.sweep.run import Progress
    from convcalc.execution.backends import Backend
    from convcalc.execution.compiled import Compiled, Timing
    from convcalc.report.checks import Checks
    from convcalc.report.comparison import Comparison
    from convcalc.report.differences import Difference
    from convcalc.report.explanation import Explanation
    from convcalc.report.fits import FitReport
    from convcalc.report.plots.plot import Plot
    from convcalc.report.quiz import Quiz
    from convcalc.report.sweeps import Sweep
    from convcalc.report.verification import Verified
    from convcalc.report.walkthrough import Walkthrough


class Network:
    """A network at some values of its variables.

    Made by `convcalc.load`, `loads` and `from_dict`. Without `build` the network is built when its
    graph is first asked for: closed forms and limits need no legal values of the variables.
    """

    def __init__(self, spec: Spec, overrides: Mapping[str, Any], build: bool = True) -> None:
        self.spec = spec
        self._overrides = dict(overrides)
        self._graph = self._build(self._overrides) if build else None

    @property
    def graph(self) -> Graph:
        """The network itself: its nodes, edges and module tree, with every node's operation."""
        if self._graph is None:
            self._graph = self._build(self._overrides)
        return self._graph

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

    @property
    def batch(self) -> Any:
        """N, the batch size."""
        return Bindings(self.spec, self._overrides)["N"]

    @property
    def limits(self) -> Limits:
        """The smallest input: the least value of N and of every name in the spec's `input:`."""
        return self.limits_of(["N", *self.spec.input_names])

    def limits_of(self, names: str | Iterable[str]) -> Limits:
        """The least value of some variables, and where no layer rounds; the others keep theirs.

        Raises:
            UsageError: a name is no variable of the spec.
            ConvcalcError: the network's structure depends on one of them.
        """
        free = _names(names)
        return network_limits(self._left_free(free), free)

    def multipliers(self, names: str | Iterable[str]) -> frozenset[str]:
        """Those of some variables that may be fractions: rounded to sizes, and never one."""
        try:
            return self._left_free(_names(names)).multipliers
        except ConvcalcError:  # the structure depends on them
            return frozenset()

    def _left_free(self, names: Iterable[str]) -> Graph:
        """The network with some variables symbolic."""
        _check_variables(names, self.spec)
        with self._building(self._overrides):
            return build_symbolic(self.spec, self._overrides, names)

    def seen_by(self, layer: str, unit: Sequence[int]) -> dict[str, list[tuple[int, int]]]:
        """Which part of the input one output unit of a layer sees, clipped at the borders.

        Windows with gaps (dilation) are taken as ranges from their first to their last tap.

        Args:
            layer: its name in the report, as `layer1.bottleneck2.conv1`.
            unit: the position along each spatial axis of the layer's output.

        Returns:
            For every input that the unit depends on, the first and the last position that it
            sees along each spatial axis.

        Raises:
            UsageError: there is no such layer, or no such unit in it.
        """
        nodes = {node.path: node for node in self.graph.nodes}
        if layer not in nodes:
            raise UsageError(f"no layer '{layer}'", hint=did_you_mean(layer, nodes))
        sizes = nodes[layer].shape[2:]
        fits = len(unit) == len(sizes) and all(
            isinstance(size, int) and isinstance(i, int) and 0 <= i < size
            for i, size in zip(unit, sizes, strict=True)
        )
        if not fits:
            raise UsageError(
                f"no unit {list(unit)} in the output of '{layer}', whose spatial axes are "
                f"{show_shape(sizes)}"
            )
        found = seen_by(self.graph, nodes[layer], tuple(unit))
        return {source.path: ranges for source, ranges in found.items()}

    def _input_names(self, overrides: Mapping[str, Any]) -> list[str]:
        """N, the names in the spec's `input:`, and the variables without a value."""
        return _names(["N", *self.spec.input_names, *self._unknown(overrides)])

    def _unknown(self, overrides: Mapping[str, Any]) -> list[str]:
        """The variables without a value, which are symbols wherever they are read."""
        return [
            name for name, value in self.spec.variables.items()
            if value is None and name not in overrides and name in self.spec.read
        ]  # fmt: skip

    def _build(self, overrides: Mapping[str, Any]) -> Graph:
        with self._building(overrides):
            return build(self.spec, overrides)

    @contextmanager
    def _building(self, overrides: Mapping[str, Any]) -> Iterator[None]:
        """Errors of sizes that do not fit say which would."""
        try:
            with collector_paused():
                yield
        except ShapeError as error:
            error.hint = f"{error.hint} {self._what_fits(overrides)}".strip()
            raise

    def _what_fits(self, overrides: Mapping[str, Any]) -> str:
        """Which sizes would do, for the error of some that do not."""
        try:
            found = self.formula("params", overrides=overrides).limits
        except ConvcalcError:
            return ""
        values = self._values(overrides)
        given = {name: size for name, size in values.items() if type(size) is int}
        small = {n: least for n, least in found.smallest.items() if given.get(n, least) < least}
        told = []
        if small:
            least = ", ".join(f"{name} = {size}" for name, size in small.items())
            told.append(f"The smallest input is {least}.")
        for name, congruence in found.multiples.items():
            size = given.get(name)
            if size is None or name in small or size in congruence:
                continue
            near = [n for n in congruence.nearest(size) if n >= found.smallest[name]]
            sizes = " and ".join(map(str, near))
            told.append(f"{congruence.condition(name)} where the network fits, as {sizes}.")
        if not told and any(not _met(condition, given) for condition in found.conditions):
            told.append("`convcalc limits` shows which sizes fit.")
        return " ".join(told)

    def _values(self, overrides: Mapping[str, Any]) -> dict[str, Any]:
        bindings = Bindings(self.spec, overrides)
        return {name: bindings[name] for name in self.spec.variables}

    def summarize(
        self, *, symbolic: str | Iterable[str] = (), dtype: str = "float32", **variables: Any
    ) -> Report:
        """The report: a row for every layer, and the totals.

        Args:
            symbolic: names of variables to leave symbolic, as `"H, W"` or a list; every figure
                is then a closed form in them.
            dtype: what the bytes are counted for: float32, float64, float16, bfloat16 or int8.
            **variables: values for variables of the spec and for `N`, the batch.

        Raises:
            UsageError: a name is no variable of the spec, or the dtype is unknown.
            ConvcalcError: the network does not fit together at these values.
        """
        _check_dtype(dtype)
        overrides = {**self._overrides, **variables}
        names = _names(symbolic)
        _check_variables(names, self.spec)
        if names:
            with collector_paused():
                graph = build_symbolic(self.spec, overrides, names)
            overrides.update((name, symbol(name)) for name in names)
        elif overrides != self._overrides:
            graph = self._build(overrides)
        else:
            graph = self.graph

        def macs_formula() -> Formula:
            free = [*self._input_names(overrides), *names]
            return self.formula("macs", dict.fromkeys(free), overrides=overrides)

        return Report(
            self.spec.name, self.spec.title, self.spec.source, self._values(overrides), graph,
            macs_formula, dtype, self.spec.groups,
        )  # fmt: skip

    def explain(
        self,
        layers: str | Iterable[str] = (),
        *,
        of: str | Iterable[str] | None = None,
        style: str = "textbook",
        dtype: str = "float32",
    ) -> Explanation:
        """How the figures of layers come about: the formulas, with names and with numbers.

        The formulas are read off the code that computes the figures. `str()` is text; `.latex()`
        and `.markdown()` are for slides and pages; iterating gives a step for every figure, with
        `quantity`, `formula`, `substituted`, `value` and `source`.

        Args:
            layers: names in the report, by commas or in a list, of layers or of modules, which
                stand for all layers in them; none for the first layer of every kind.
            of: what to explain, by commas or in a list: output, params, macs, memory,
                receptive_field; all of them if nothing is said.
            style: whose names and forms: textbook, torch, d2l or cs231n.
            dtype: what the bytes are counted for.

        Raises:
            UsageError: a layer, quantity, style or dtype does not exist.
        """
        from convcalc.report.explanation import explain

        return explain(self.graph, layers, of, style, dtype)

    def walk_through(
        self,
        style: str = "textbook",
        *,
        layer: str = "",
        depth: int | None = None,
        fold: bool = True,
    ) -> Walkthrough:
        """All layers in running order, a line each, with sizes and parameters worked out.

        Args:
            style: whose forms: textbook, torch, d2l or cs231n.
            layer: the path of a module, to walk through that alone.
            depth: the number of levels of the module tree; None for all, down to the layers.
            fold: whether identical neighbours become one line.

        Raises:
            UsageError: there is no such style or module.
        """
        from convcalc.report.walkthrough import walk_through

        return walk_through(self.graph, style, layer, depth, fold)

    def quiz(
        self,
        n: int | None = None,
        seed: int = 1,
        kind: str | Sequence[str] | None = None,
        *,
        style: str = "textbook",
    ) -> Quiz:
        """An exercise sheet: questions about layers, with worked solutions.

        `str()` is text; `.to_latex()` and the other formats have the solutions on a second page;
        `.part("questions")` leaves them out.

        Args:
            n: how many questions; 10 if nothing is said, or all where there are fewer.
            seed: of the draw; the same gives the same sheet on every machine.
            kind: what is asked for, by commas or in a list: shape, params, macs, receptive_field,
                and, backwards, padding, stride and kernel; all of them if nothing is said.
            style: of the formulas in the solutions, as for `explain`.

        Raises:
            UsageError: no such kind or style, no legal n or seed, or too few questions.
            ConvcalcError: a size is symbolic.
        """
        from convcalc.report.quiz import quiz

        return quiz(self._concrete("quiz"), self.name, n, seed, kind, style)

    def formula(
        self,
        of: str = "macs",
        symbols: str | Iterable[str] | None = None,
        *,
        layer: str | None = None,
        dtype: str = "float32",
        overrides: Mapping[str, Any] | None = None,
    ) -> Formula:
        """The closed form of a total, exact for every input that the network accepts.

        `str()` is its right-hand side, `latex()` the same for LaTeX; `evaluate(N=1, H=224, W=224)`
        puts numbers or integer arrays in, and refuses those at which the network does not fit.

        Args:
            of: what is counted: params, buffers, macs, macs_nonpad, flops, multiplies, adds,
                compares, divides, exps, param_bytes, activation_bytes or peak_activation_bytes
                (`peak_bytes` for short).
            symbols: the names to leave free; by default N and the names in the spec's `input:`.
                All other variables keep their values; those without one stay free. A variable
                that is never a size itself, but rounded to one, may be a fraction.
            layer: the path of a layer or a module, to count that alone.
            dtype: what bytes are counted for.
            overrides: values of variables other than those of this network.

        Raises:
            UsageError: no such quantity, no such variable, or no such layer.
            ConvcalcError: the network's structure depends on a symbol.
        """
        _check_dtype(dtype)
        of = quantity(of)

        def sizes(graph: Graph) -> list[Size]:
            nodes = None if layer is None else graph.find(layer)
            return [total(of, graph, dtype, nodes)]

        return Formula(self._forms(sizes, symbols, overrides))

    def output_formula(
        self,
        layer: str,
        symbols: str | Iterable[str] | None = None,
        *,
        overrides: Mapping[str, Any] | None = None,
    ) -> tuple[Formula, ...]:
        """The closed form of a layer's output shape, an axis each; see `formula`.

        Of a module, it is the shape of its last output.
        """

        def axes(graph: Graph) -> list[Size]:
            return list(graph.find(layer)[-1].shape)

        rank = len(self._forms(axes, symbols, overrides).sizes)
        return tuple(
            Formula(self._forms(lambda graph, i=i: [axes(graph)[i]], symbols, overrides))  # type: ignore[misc]
            for i in range(rank)
        )

    def sweep(
        self,
        values: Mapping[str | tuple[str, ...], Any],
        *,
        of: str | Iterable[str] = ("params", "macs"),
        where: str = "",
        pareto: str | Iterable[str] = (),
        top: int | None = None,
        by: str = "",
        progress: Progress | None = None,
        scheduler: str | None = None,
        limit: int = 1_000_000_000,
        dtype: str = "float32",
    ) -> Sweep:
        """Totals at all combinations of some values of variables, exact, where the network fits.

        >>> net = load("resnet18")
        >>> found = net.sweep({"H": range(32, 65, 16), ("N", "W"): [(1, 32), (8, 64)]})
        >>> found["macs"].tolist()
        [37523456, 596279296, 60223488, 959479808, 74534912, 1188462592]

        Args:
            values: for every name, or tuple of names that move together, its values: numbers, or
                what a spec may have for it. A tuple of names takes a row for each step, or an
                integer array of such rows.
            of: what is counted, as for `formula`.
            where: a condition that the rows must meet, as `"macs < 300M and params < 5M"`.
            pareto: keep the rows that no other is better than in all of these, smaller being
                better; after a −, larger.
            top: keep so many rows, those with the largest `by`; after a −, the smallest.
            by: what `top` goes by.
            progress: called with the configurations that are done, and with their number.
            scheduler: the address of a Dask scheduler on which to run.
            limit: the largest number of configurations.
            dtype: what bytes are counted for.

        Raises:
            UsageError: no such name, no values, or too many configurations.
        """
        from convcalc.analysis.sweep.plan import axis
        from convcalc.report.sweeps import collected

        misfits: list[str] = []
        rows = self.sweep_rows(
            [axis(names, column) for names, column in values.items()],
            of=of, where=where, pareto=pareto, top=top, by=by, progress=progress,
            scheduler=scheduler, limit=limit, dtype=dtype, misfits=misfits,
        )  # fmt: skip
        return collected(rows, misfits)

    def sweep_rows(
        self,
        axes: Sequence[Axis],
        *,
        of: str | Iterable[str],
        where: str = "",
        pareto: str | Iterable[str] = (),
        top: int | None = None,
        by: str = "",
        progress: Progress | None = None,
        scheduler: str | None = None,
        limit: int = 1_000_000_000,
        dtype: str = "float32",
        misfits: list[str] | None = None,
    ) -> Iterator[Rows]:
        """The rows of a sweep as they are found; see `sweep`."""
        from convcalc.analysis.sweep.run import sweep

        _check_dtype(dtype)
        selection = self._selection(axes, of, where, _names(pareto), top, by)

        def build(names: Sequence[str], fixed: Mapping[str, Any]) -> Forms:
            def sizes(graph: Graph) -> list[Size]:
                return [total(quantity, graph, dtype) for quantity in selection.quantities]

            return self._forms(sizes, names, {**self._overrides, **fixed})

        return sweep(
            axes, build, selection,
            progress=progress, scheduler=scheduler, limit=limit, misfits=misfits,
        )  # fmt: skip

    def _selection(
        self,
        axes: Sequence[Axis],
        of: str | Iterable[str],
        where: str,
        pareto: list[str],
        top: int | None,
        by: str,
    ) -> Selection:
        from convcalc.analysis.conditions import Condition
        from convcalc.analysis.sweep.rows import Selection

        variables = tuple(name for a in axes for name in a.names)
        for name in variables:
            if variables.count(name) > 1:
                raise UsageError(f"{name} is given values twice")
        _check_variables(variables, self.spec)
        for a in axes:
            for name in a.reads() & {"N", *self.spec.variables}:
                raise UsageError(
                    f"a value of {', '.join(a.names)} is in terms of {name}, which has values of "
                    "its own",
                    hint="Variables move together with --set H,W=…, or a row for each step.",
                )
        counted = [quantity(name) for name in _names(of)]
        condition = None
        if where:
            condition = Condition.parse(where, TOTALS, variables)
            counted += [name for name in condition.names if name not in variables]
        if (top is None) != (not by):
            raise UsageError("top and by go together: --top 20 --by macs")
        if top is not None and top < 1:
            raise UsageError(f"top {top}: at least 1 row is due")

        def signed(name: str) -> str:
            sign, name = ("-", name[1:]) if name.startswith("-") else ("", name)
            if name not in variables:
                name = quantity(name)
                counted.append(name)
            return sign + name

        front, largest = tuple(map(signed, pareto)), signed(by) if by else ""
        quantities = tuple(dict.fromkeys(counted))
        for name in variables:
            if name in quantities:
                raise UsageError(
                    f"'{name}' is a quantity and a variable of the spec",
                    hint="Give the variable another name.",
                )
        return Selection(variables, quantities, condition, front, top, largest)

    def _forms(
        self,
        sizes: Callable[[Graph], list[Size]],
        symbols: str | Iterable[str] | None,
        overrides: Mapping[str, Any] | None,
    ) -> Forms:
        """Closed forms of some sizes of the network, built with symbols."""
        values = dict(self._overrides if overrides is None else overrides)
        free = self._input_names(values) if symbols is None else _names(symbols)
        free = _names([*free, *self._unknown(values)])
        _check_variables(free, self.spec)

        def made(decisions: Decisions, multipliers: Collection[str] | None = None) -> Forms:
            with collector_paused():
                graph = build_symbolic(self.spec, values, free, decisions, multipliers)
                return Forms(sizes(graph), graph, free, made, fixed)

        def fixed(given: Mapping[str, Any]) -> Forms:
            rest = [name for name in free if name not in given]
            return self._forms(sizes, rest, {**values, **given})

        return made({})

    def init(self, seed: int = 0, dtype: str = "float32") -> dict[str, Any]:
        """Random weights, an array for each by its path: He's and Glorot's rules.

        The same on every machine; see `convcalc.execution.initial`.
        """
        from convcalc.execution.initial import initial_weights

        return initial_weights(self._concrete("init"), seed, dtype)

    def run(
        self,
        x: Any = None,
        weights: Mapping[str, Any] | None = None,
        *,
        seed: int = 0,
        dtype: str | None = None,
        backend: str | Backend = "numpy",
        exact: bool = False,
        threads: int | None = None,
    ) -> Any:
        """The output for an input, an array of the shape (N, channels, *spatial).

        It is computed in the type of the input: float16, float32 or float64. Layers run fused and
        by fast kernels, see `compile`, which is the choice for many inputs; in float16 and where
        `exact` says so, every layer's plain reference is run instead. In float16 each layer
        computes in float32 and rounds its output. Integers are taken as they are, in float32:
        pictures of bytes are not scaled.

        Args:
            x: the input, or a mapping of arrays where the network has several; random numbers of
                `seed` between −1 and 1 if there is none.
            weights: an array for every weight, by its path, as `init` gives them; random ones of
                `seed` if there are none.
            seed: of random weights and inputs.
            dtype: the type to compute in, if it is not that of the input.
            backend: where to run: numpy, cupy (a GPU), or auto, a GPU where one works; or a
                `Backend`. Arrays may be on its device already.
            exact: whether every layer is run as it is written down, by its plain reference, in
                float64; the output is rounded to the type asked for.
            threads: how many to use on a processor; by default as many as there are cores.

        Returns:
            The output, or a mapping by the layers' paths where there are several: NumPy's arrays.

        Raises:
            ConvcalcError: an input or a weight is missing, of another shape, or of no numbers that
                the type has; or there is too little memory.
            UsageError: no such type or backend, or it does not work here.
        """
        return self._run(x, weights, seed, dtype, backend, exact, threads)[0]

    def compile(
        self,
        weights: Mapping[str, Any] | None = None,
        *,
        seed: int = 0,
        dtype: str = "float32",
        backend: str | Backend = "numpy",
        threads: int | None = None,
    ) -> Compiled:
        """The network made ready to run fast: `net.compile(weights)(x)`.

        Batch norms are folded into the weights before them, activations and residuals are applied
        while a block is in the cache, all tensors lie in one block of memory, and a kernel is
        chosen for every layer. Against float64 the largest error is below 10⁻⁵ of the largest
        output for the networks of the zoo.

        Args:
            weights: an array for every weight, by its path; random ones of `seed` if there are
                none. Those that need no change are used where they are: do not write into them.
            seed: of random weights.
            dtype: float32 or float64.
            backend: where to run, as for `run`.
            threads: how many to use on a processor; by default as many as there are cores, where
                threadpoolctl is installed (`pip install 'convcalc[fast]'`); else BLAS decides.

        Raises:
            ConvcalcError: the weights do not fit, or there is too little memory.
            UsageError: no such type or backend, or it does not work here.
        """
        from convcalc.execution.backends import backend as chosen
        from convcalc.execution.numbers import type_name

        graph, device = self._concrete("compile"), chosen(backend)
        _check_call(weights, seed, threads)
        return self._compile("compile", graph, weights, seed, type_name(dtype), device, threads)

    def _compile(
        self,
        what: str,
        graph: Graph,
        weights: Mapping[str, Any] | None,
        seed: int,
        dtype: str,
        device: Backend,
        threads: int | None,
    ) -> Compiled:
        from convcalc.execution.backends import Backend
        from convcalc.execution.compiled import Compiled
        from convcalc.execution.executor import checked_weights

        if dtype not in ("float32", "float64"):
            raise UsageError(
                f"networks are not compiled in {shorten(dtype)}",
                hint="There are float32 and float64; `run` takes float16.",
            )
        self._check_memory(what, dtype, device, weights, False, threads)
        if weights is None:
            arrays = self.init(seed, dtype)
        else:  # norms are folded into them on the host
            here = {
                path: device.to_host(array) if device.holds(array) else array
                for path, array in weights.items()
            }
            arrays = checked_weights(graph, here, dtype, Backend())

        return Compiled(graph, arrays, dtype, device, threads, what)

    def profile(
        self,
        x: Any = None,
        weights: Mapping[str, Any] | None = None,
        *,
        seed: int = 0,
        dtype: str | None = None,
        backend: str | Backend = "numpy",
        exact: bool = False,
        threads: int | None = None,
    ) -> tuple[Any, list[Timing]]:
        """What `run` gives, and the time of every step: a layer with what is fused into it."""
        return self._run(x, weights, seed, dtype, backend, exact, threads, timed=True)

    def _run(
        self,
        x: Any,
        weights: Mapping[str, Any] | None,
        seed: int,
        dtype: str | None,
        backend: str | Backend,
        exact: bool,
        threads: int | None,
        timed: bool = False,
    ) -> tuple[Any, list[Timing]]:
        from convcalc.execution.backends import backend as chosen
        from convcalc.execution.executor import checked_inputs
        from convcalc.execution.initial import random_inputs
        from convcalc.execution.numbers import type_name

        graph, device = self._concrete("run"), chosen(backend)
        dtype = dtype if dtype is None else type_name(dtype)
        _check_call(weights, seed, threads)
        if x is None:  # before they are drawn
            self._check_memory("run", dtype or "float32", device, weights, exact, threads)
        given = random_inputs(graph, seed) if x is None else x
        with device.running("run"):
            inputs, own = checked_inputs(graph, given, dtype, device)
        if exact or own == "float16":
            return self._run_exactly(graph, inputs, weights, seed, own, device)
        compiled = self._compile("run", graph, weights, seed, own, device, threads)
        return compiled.profile(inputs) if timed else (compiled(inputs), [])

    def _check_memory(
        self,
        what: str,
        dtype: str,
        device: Backend,
        weights: Mapping[str, Any] | None,
        exact: bool,
        threads: int | None,
    ) -> None:
        """Raise unless a run, by plain references or planned, finds its memory."""
        from convcalc.execution.memory import check_memory, needs, planned_needs
        from convcalc.execution.numbers import FLOATS
        from convcalc.execution.threads import workers

        if dtype not in FLOATS:
            return  # which is told where types are
        if dtype == "float16":
            due = needs(self.graph, dtype, device, weights)
        elif exact:
            due = needs(self.graph, "float64", device, weights)
        else:
            due = planned_needs(self.graph, dtype, device, weights, workers(threads))
        check_memory(what, due, device, weights)

    def _run_exactly(
        self,
        graph: Graph,
        inputs: Mapping[str, Any],
        weights: Mapping[str, Any] | None,
        seed: int,
        dtype: str,
        device: Backend,
    ) -> tuple[Any, list[Timing]]:
        """Every layer by its plain reference, and its time."""
        import time

        from convcalc.execution.compiled import Timing
        from convcalc.execution.executor import checked_weights, run

        found: list[Timing] = []
        last = 0.0

        def observe(node: Node, inputs: Any, output: Any, held: int) -> None:
            nonlocal last
            device.wait()
            now = time.perf_counter()
            macs: Any = node.op.cost.macs
            found.append(Timing((node.path,), node.kind, now - last, macs))
            last = time.perf_counter()

        computed = "float64" if dtype == "float32" else dtype
        with device.running("run"):
            self._check_memory("run", dtype, device, weights, True, None)
            if weights is None:  # the same numbers as in the type that is asked for
                weights = self.init(seed, dtype)
            arrays = checked_weights(graph, weights, computed, device)
            inputs = {name: x.astype(computed, copy=False) for name, x in inputs.items()}
            last = time.perf_counter()
            outputs = run(graph, inputs, arrays, device.xp, observe)
            outputs = {
                path: device.to_host(y).astype(dtype, copy=False) for path, y in outputs.items()
            }
        return next(iter(outputs.values())) if len(outputs) == 1 else outputs, found

    def export(
        self,
        path: str | os.PathLike[str],
        weights: Mapping[str, Any] | None = None,
        *,
        seed: int = 0,
    ) -> None:
        """Write the network and its weights to an ONNX file, in float32.

        The file is written whole or not at all, and only if ONNX's checker accepts it and infers
        the shape that convcalc computes for every layer; see `convcalc.interchange.onnx_model`.

        Args:
            path: a file whose name ends in `.onnx`.
            weights: an array for every weight, by its path, as `init` gives them; random ones of
                `seed` if there are none.
            seed: of random weights.

        Raises:
            UsageError: the suffix is another one, or onnx is not installed.
            ConvcalcError: a size is symbolic; a weight is missing, unknown or of another shape;
                they are more than the file can hold; or a layer cannot be written.
            OutputError: the file cannot be written.
        """
        target = os.fspath(path)
        if os.path.splitext(target)[1].lower() != ".onnx":
            raise UsageError(
                f"a network is exported to a .onnx file, not to '{shorten(target, 200)}'"
            )
        graph = self._concrete("export")
        from convcalc.execution.backends import Backend
        from convcalc.execution.executor import checked_weights
        from convcalc.interchange.onnx_model import check_size, onnx_model, save
        from convcalc.report.output import replacing

        check_size(graph)
        host = Backend()
        with host.running("export"):
            if weights is None:
                given = self.init(seed)
            else:
                given = checked_weights(graph, weights, "float32", host)
            model = onnx_model(graph, given)
            with replacing(target) as file:
                save(model, file)

    def verify(
        self,
        *,
        seed: int = 0,
        report: Mapping[str, Any] | None = None,
        progress: Callable[[int, int], None] | None = None,
        backend: str | Backend = "numpy",
        against: str | None = None,
    ) -> Verified:
        """Every figure held against runs of the network.

        Args:
            seed: of the weights and inputs.
            report: what is held against them: `Report.to_dict()` or the same read from a file; a
                new one if none is given.
            progress: called with the layers run, and with the number of all runs.
            backend: where to run, as for `run`.
            against: `onnxruntime` or `torch`: the outputs are held against those that it computes.

        Raises:
            ConvcalcError: the report is of another network, or a size is symbolic.
            UsageError: no such backend, or it does not work here; or `against` is another library,
                or not installed.
        """
        from convcalc.execution.backends import backend as chosen
        from convcalc.execution.verify import checked_memory, verify
        from convcalc.report.verification import Verified

        graph, device = self._concrete("verify"), chosen(backend)
        more = 0
        if against is not None:
            from convcalc.interchange import comparison

            comparison.runner(against)  # before all work: it may not be installed
            more = comparison.needed_bytes(graph)
        skipped = checked_memory(self.name, graph, device, more)
        if skipped is not None:
            return Verified(*skipped)
        predicted = self.summarize().to_dict() if report is None else report
        verified = verify(self.name, graph, predicted, device=device, seed=seed, progress=progress)
        found = Verified(*verified)
        if against is None:
            return found
        with device.running("verify"):
            inputs, weights = comparison.arrays(graph, seed)
            outputs = self.run(inputs, weights, backend=device)
            checks = comparison.output_checks(graph, weights, inputs, outputs, against)
        return found._replace(checks=(*found.checks, *checks))

    def _concrete(self, what: str) -> Graph:
        """The network, which must have numbers for all sizes."""
        free = {
            name for node in (*self.graph.inputs, *self.graph.nodes) for size in node.shape
            if not isinstance(size, int) for name in size.symbols
        }  # fmt: skip
        if free:
            names = ", ".join(sorted(free))
            raise ConvcalcError(
                f"{what}: {names} has no value", hint=f"Give it one: load(…, {min(free)}=…)."
            )
        return self.graph

    def fit(
        self,
        vary: str | Iterable[str] = "N",
        keep: str | Iterable[str] = (),
        *,
        limit: Any = None,
        dtype: str = "float32",
        step: Any = None,
    ) -> FitReport:
        """The largest value of a variable at which the network still fits, exactly.

        >>> load("vgg16").fit(vary="N", keep="peak_bytes <= 24 GiB").value
        1003

        Args:
            vary: the variable, or several that have one value, as `"H, W"`. All others keep
                theirs, or follow: in `load("resnet50", W="4*H//3")` the width follows H.
            keep: what must hold: `"macs < 300M and params < 5M"`, or several such conditions.
            limit: the largest value to look at.
            dtype: what bytes are counted for.
            step: the values looked at are its multiples: a number, or text as `"0.05"` or `"1/8"`.
                A variable that is never a size itself, but rounded to one, needs it.

        Raises:
            UsageError: no such variable, or it is no number, or a condition or the step is wrong.
            ConvcalcError: a condition cannot be computed.
        """
        from convcalc.analysis.conditions import Condition, number
        from convcalc.analysis.fit import fit
        from convcalc.report.fits import FitReport

        _check_dtype(dtype)
        names = _names(vary)
        texts = [keep] if isinstance(keep, str) else list(keep)
        known = ["N", *self.spec.variables]
        conditions = [Condition.parse(text, TOTALS, known) for text in texts]
        limit, step = number("limit", limit), number("step", step)
        with self._building(self._overrides):
            found = fit(self.spec, self._overrides, names, conditions, limit, dtype, step)
        values = self.variables
        numbers = [name for name in values if type(values[name]) in (int, Fraction)]
        return FitReport(
            **vars(found), name=self.name, title=self.title, others=("N", *numbers), limit=limit
        )

    def check(self, *, dtype: str = "float32", **limits: Any) -> Checks:
        """Hold the totals against limits, and against `budget:` and `expect:` of the spec.

        >>> load("vgg16").check(params="150M", peak_bytes="16 MiB").failed[0].told
        'peak_activation_bytes 25,690,112 > 16 MiB, 8,912,896 (53.1 %) too many'

        `expect:` is of the spec's own variables and N = 1: with others it is left alone. Its bytes
        are those of float32.

        Args:
            dtype: what the bytes of the limits are counted for.
            **limits: upper bounds of totals and `peak_bytes`: numbers, or text as `"300M"` and
                `"24 GiB"`.

        Raises:
            UsageError: a limit is no number, or there is no such total or dtype.
            ConvcalcError: so is one of the spec, or a symbolic total meets one at some sizes only.
        """
        from convcalc.analysis import checks
        from convcalc.report.checks import Checked, Checks

        given = checks.limits(limits)
        totals = self.summarize(dtype=dtype).totals
        expected = totals if dtype == "float32" else self.summarize().totals
        held = [] if self._overrides else [*checks.expectations(self.spec, expected)]
        held += checks.budgets(self.spec, totals)
        held += (limit.held(getattr(totals, limit.quantity)) for limit in given)
        return Checks(Checked(self.name, one) for one in held)

    def __str__(self) -> str:
        return str(self.summarize())

    def __repr__(self) -> str:
        return f"<Network {self.name}: {len(self.graph.nodes):,} layers>"

    def to_dicts(self, **options: Any) -> list[dict[str, Any]]:
        """A mapping for every layer; see `Report.to_dicts`."""
        return self.summarize().to_dicts(**options)

    def to_pandas(self, **options: Any) -> pandas.DataFrame:
        """A row for every layer; see `Report.to_pandas`."""
        return self.summarize().to_pandas(**options)

    def plot(self, kind: str = "layers", **options: Any) -> Plot:
        """A picture of the network at the spec's values; see `Report.plot`."""
        return self.summarize().plot(kind, **options)

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
    with collector_paused():
        return Network(read_file(spec), variables)


def loads(text: str, **variables: Any) -> Network:
    """The network of a spec given as YAML text; see `load`."""
    with collector_paused():
        return Network(read_string(text), variables)


def from_dict(spec: Mapping[str, Any], **variables: Any) -> Network:
    """The network of a spec made in Python: mappings, lists, text, numbers; see `load`.

    >>> net = from_dict({"input": [1, 28, 28], "layers": ["flatten", {"linear": 10}]})
    >>> net.summarize().totals.params
    7850
    """
    with collector_paused():
        return Network(read_mapping(spec), variables)


def compare(
    *networks: Network | str | os.PathLike[str],
    rows: str = "totals",
    columns: str | Sequence[str] = ("params", "macs"),
    groups: Mapping[str, str | Sequence[str]] | None = None,
    dtype: str = "float32",
    progress: Callable[[int, int], None] | None = None,
    base: str | None = None,
    no_bias: bool = False,
    **variables: Any,
) -> Comparison:
    """Networks side by side, and how many times the first, or the `base`, the others are.

    >>> found = compare("lectures/lenet", "lectures/alexnet", rows="stages")
    >>> found.networks[1].parts["Conv3-5"]["params"]
    3096576

    Args:
        networks: networks, paths or zoo names, two at least; `resnet*` stands for all names of the
            zoo that match.
        rows: `totals`, a row for every network; `stages`, for the `groups` or, without, for the
            top of the module tree; or `layers`. Rows of one name stand side by side.
        columns: what is compared, by commas or in a list: params, macs, activation_bytes ….
        groups: what the rows of stages are, in place of the groups of the specs: names, each with
            the paths of layers and modules, by commas or in a list.
        dtype: what bytes are counted for.
        progress: called with the networks done, and with the number of all.
        base: the name of the network that the others are compared with, as it is given or shown.
        no_bias: whether biases are left out of the params.
        **variables: values for variables of all the specs and for `N`, the batch.

    Raises:
        UsageError: there is one network or none, or no such kind of rows, quantity, dtype, base or
            variable; or a path in `groups` is in no network.
        ConvcalcError: a network cannot be built, or its spec groups layers that it does not have.
    """
    return compare_at(
        variables, networks, rows, columns, groups, dtype, progress, base=base, no_bias=no_bias
    )


def compare_at(
    variables: Mapping[str, Any],
    networks: Sequence[Network | str | os.PathLike[str]],
    rows: str,
    columns: str | Sequence[str],
    groups: Mapping[str, str | Sequence[str]] | None,
    dtype: str,
    progress: Callable[[int, int], None] | None,
    *,
    base: str | None = None,
    no_bias: bool = False,
) -> Comparison:
    """As `compare`, with the variables in a mapping: they may have any names."""
    from convcalc.report.comparison import Comparison
    from convcalc.spec.zoo import matching

    _check_dtype(dtype)
    chosen: list[Network | str | os.PathLike[str]] = []
    for item in networks:
        chosen.extend(matching(item) if isinstance(item, str) else [item])
    found = Comparison(rows, columns, groups, len(chosen), no_bias)
    for i, item in enumerate(chosen):
        if progress is not None:
            progress(i, len(chosen))
        own = item._overrides if isinstance(item, Network) else {}
        spec = item.spec if isinstance(item, Network) else read_file(item)
        try:
            report = Network(spec, {**own, **variables}, build=False).summarize(dtype=dtype)
        except UsageError as error:
            raise error.located(spec.name) from None
        found.add(report, spec.groups, "" if isinstance(item, Network) else os.fsdecode(item))
    found.check_groups()
    if base is not None:
        found.choose_base(base)
    return found


def diff(
    old: Network | Report | Snapshot | str | os.PathLike[str] | Mapping[str, Any],
    new: Network | Report | Snapshot | str | os.PathLike[str] | Mapping[str, Any],
    *,
    fail_on: str | Iterable[str] = (),
    symbolic: str | Iterable[str] = (),
    dtype: str = "float32",
) -> Difference:
    """What changed from one network to another: layers matched by path and by what they are.

    >>> changed = diff("resnet18", load("resnet18", classes=10))
    >>> [(change.kind, change.layer.path) for change in changed.changes if change.kind != "same"]
    [('changed', 'linear1')]

    Args:
        old: a network, a report, a path or a zoo name, a saved `summarize --format json`, or
            what that holds.
        new: the same of the other network.
        fail_on: conditions on the changes of totals, as `"macs > +5%"`; those that hold are in
            `failed` of the result.
        symbolic: names of variables that are left symbolic; reports have what they have.
        dtype: what bytes are counted for, where a network does not come with them.

    Raises:
        UsageError: a condition is wrong, or the bytes are of different types.
        ConvcalcError: a spec or a saved report is wrong, or whether a condition holds depends on
            symbols.
    """
    from convcalc.analysis.differences import bounds
    from convcalc.report.differences import Difference

    _check_dtype(dtype)
    texts = bounds([fail_on] if isinstance(fail_on, str) else fail_on)
    with collector_paused():
        before, after = (_snapshot(given, symbolic, dtype) for given in (old, new))
        return Difference(before, after, texts)


def _snapshot(given: Any, symbolic: str | Iterable[str], dtype: str) -> Snapshot:
    from convcalc.analysis.differences import Snapshot
    from convcalc.report.differences import snapshot_of
    from convcalc.report.saved import saved_file, snapshot

    if isinstance(given, Snapshot):
        return given
    if isinstance(given, Mapping):
        return snapshot(given, "the saved report")
    if not isinstance(given, (Network, Report)):
        saved = saved_file(given)
        if saved is not None:
            return snapshot(saved, shorten(os.fsdecode(given), 200))
        given = Network(read_file(given), {}, build=False)
    if isinstance(given, Network):
        try:
            given = given.summarize(symbolic=symbolic, dtype=dtype)
        except UsageError as error:
            raise error.located(given.name) from None
    return snapshot_of(given)


def _met(condition: Requirement, given: Mapping[str, int]) -> bool:
    """Whether a requirement holds at some sizes; also where these are not all that it names."""
    return not symbols_of(condition) <= given.keys() or holds_at(condition, given)


def _names(names: str | Iterable[str]) -> list[str]:
    if isinstance(names, str):
        names = [name.strip() for name in names.split(",") if name.strip()]
    return list(dict.fromkeys(names))


def _check_call(weights: Any, seed: Any, threads: Any) -> None:
    """Raise unless what a run was called with is of the kind that is due."""
    if threads is not None and (type(threads) is not int or threads < 1):
        raise UsageError(f"threads={shorten(str(threads))}: a whole number from 1 on is due")
    if type(seed) is not int or seed < 0:
        raise UsageError(f"seed={shorten(str(seed))}: a whole number from 0 on is due")
    named = isinstance(weights, Mapping) and all(isinstance(path, str) for path in weights)
    if weights is not None and not named:
        raise UsageError("weights: a mapping of arrays by the paths of the weights is due")


def _check_dtype(dtype: str) -> None:
    if dtype not in BYTES:
        hint = did_you_mean(dtype, BYTES) or f"There are {', '.join(BYTES)}."
        raise UsageError(f"unknown dtype '{dtype}'", hint=hint)


def _check_variables(names: Iterable[str], spec: Spec) -> None:
    known = ["N", *spec.variables]
    for name in names:
        if name not in known:
            raise UsageError(
                f"'{name}' is no variable of this spec",
                hint=did_you_mean(name, known) or f"It has {', '.join(known)}.",
            )
