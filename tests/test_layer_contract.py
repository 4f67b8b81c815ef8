"""The contract that every registered layer keeps: one formula, read as ints, symbols and arrays.

Registering a layer enrols it: it needs a `Case` in the file of its family in tests/layers/.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema
import numpy
import pytest
import yaml
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

import convcalc
from convcalc.cost import Cost
from convcalc.dim import Dim, symbol
from convcalc.errors import ShapeError
from convcalc.fields import Padding, PerAxis, Whole
from convcalc.graph import Operation
from convcalc.layer import REGISTRY, Layer, Requirement, Shape, fields
from convcalc.layers import __path__ as LAYER_FOLDERS
from convcalc.layers import layer_class, layer_names

from .layers.naive import Case, DoesNotFitError, Run, shape_of

NAMES = sorted(layer_names())
MODULES = sorted(file.stem for file in Path(LAYER_FOLDERS[0]).glob("[!_]*.py"))


def cases() -> dict[str, Case]:
    """The cases of all families: a file in tests/layers/ is found, not listed."""
    found: dict[str, Case] = {}
    for file in sorted((Path(__file__).parent / "layers").glob("test_*.py")):
        module = importlib.import_module(f".layers.{file.stem}", __package__)
        assert not found.keys() & module.CASES.keys(), f"{file.name} repeats a case"
        found.update(module.CASES)
    return found


CASES = cases()


def case_of(name: str) -> Case:
    if name not in CASES:
        pytest.fail(
            f"layer '{name}' has no case: add it to CASES in its family's file in tests/layers/"
        )
    return CASES[name]


def operation(layer: Layer, shapes: tuple[Shape, ...]) -> Operation | None:
    """The operation, or None where the layer is refused."""
    try:
        return Operation(layer, shapes)
    except ShapeError:
        return None


def naive_run(name: str, layer: Layer, shapes: tuple[Shape, ...]) -> tuple[Run, Shape] | None:
    """The naive run and the shape of its output, or None where it does not fit."""
    run = Run()
    try:
        return run, shape_of(case_of(name).naive(layer, run, *shapes))
    except DoesNotFitError:
        return None


def as_numbers(value: Any, numbers: dict[str, Any]) -> Any:
    """`value` with the symbols in it replaced."""
    if isinstance(value, Dim):
        return value.evaluate(**{name: numbers[name] for name in value.symbols})
    if isinstance(value, tuple):
        values = (as_numbers(item, numbers) for item in value)
        return type(value)(*values) if hasattr(value, "_fields") else tuple(values)
    return value


def layer_at(layer: Layer, numbers: dict[str, Any]) -> Layer:
    """The layer with the symbols in its fields replaced."""
    values = {f.name: as_numbers(getattr(layer, f.name), numbers) for f in fields(type(layer))}
    return type(layer)(**values)


def holds(requirement: Requirement, numbers: dict[str, Any]) -> bool:
    left, right = (as_numbers(side, numbers) for side in (requirement.left, requirement.right))
    return bool(left >= right if requirement.relation == ">=" else left == right)


class Figures(NamedTuple):
    """All that an operation answers in numbers."""

    output_shape: Any
    params: Any
    buffers: Any
    cost: Any
    window: Any

    @classmethod
    def of(cls, op: Operation) -> Figures:
        return cls(op.output_shape, op.params, op.buffers, op.cost, op.layer.window(*op.inputs))


class Symbols:
    """Puts symbols where numbers stood, and remembers the numbers."""

    def __init__(self, draw: Any, shared: bool) -> None:
        self.draw = draw
        self.shared = shared
        self.numbers: dict[str, int] = {}

    def chosen(self) -> bool:
        return bool(self.draw(st.integers(0, 3)))

    def shapes(self, layer: Layer, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        """Symbols for sizes; inputs that agree in a size share its symbol, or do not."""
        found = []
        for i, x in enumerate(shapes):
            sizes: list[Any] = list(x)
            for axis, size in enumerate(x):
                # which axes a merge repeats is read off the sizes that are 1
                if self.chosen() and not (layer.merges and size == 1):
                    name = "N" if axis == 0 else f"x{axis}_{size if self.shared else i}"
                    sizes[axis] = self.symbol(name, size)
            found.append(tuple(sizes))
        return tuple(found)

    def layer(self, layer: Layer) -> Layer:
        """Symbols in the fields that hold numbers, as `convcalc layers` has them, too."""
        values = {f.name: getattr(layer, f.name) for f in fields(type(layer))}
        for field in fields(type(layer)):
            kind = field.kind.each if isinstance(field.kind, PerAxis) else field.kind
            if isinstance(kind, (Whole, Padding)):
                values[field.name] = self.field(field.name, values[field.name])
        return type(layer)(**values)

    def field(self, name: str, value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(self.field(f"{name}_{i}", item) for i, item in enumerate(value))
        if type(value) is not int or value < 0 or not self.chosen():
            return value
        # symbols are 1 at least
        return self.symbol(name, value) if value else self.symbol(name, 1) - 1

    def symbol(self, name: str, number: int) -> Dim:
        assert self.numbers.setdefault(name, number) == number
        return symbol(name)

    def replace(self, layer: Layer, shapes: tuple[Shape, ...]) -> tuple[Layer, tuple[Shape, ...]]:
        return self.layer(layer), self.shapes(layer, shapes)


# -- the three readings -----------------------------------------------------------------------


def explore(
    name: str, check: Callable[[st.DataObject, Layer, tuple[Shape, ...]], None], share: int = 1
) -> None:
    """Check what a layer does in configurations of its case, all or a share of one in so many."""
    case = case_of(name)

    @settings(deadline=None, max_examples=max(12, case.examples // share))
    @given(st.data())
    def configured(data: st.DataObject) -> None:
        check(data, *data.draw(case.configurations))

    configured()


@pytest.mark.parametrize("name", NAMES)
def test_the_numbers_are_those_of_a_naive_run(name: str) -> None:
    def check(data: st.DataObject, layer: Layer, shapes: tuple[Shape, ...]) -> None:
        found = operation(layer, shapes)
        counted = naive_run(name, layer, shapes)
        if counted is None:
            assert found is None, "accepted, though it does not fit"
            return
        assert found is not None, "refused, though it fits"
        run, shape = counted
        assert found.output_shape == shape
        assert layer.weights(*shapes) == run.weights
        assert found.params == sum(map(len, run.learnt.values()))
        assert found.buffers == sum(map(len, run.kept.values()))
        assert found.cost == run.cost
        if run.taps is not None:
            assert taps_of(layer.window(*shapes), run.taps) == run.taps

    explore(name, check, share=2)


def taps_of(windows: Any, like: list[list[list[int]]]) -> list[list[list[int]]]:
    """The positions under the windows that a layer declares, as many as there are in `like`."""
    return [
        [
            [i * w.stride - w.before + w.dilation * tap for tap in range(w.kernel)]
            for i in range(len(axis))
        ]
        for w, axis in zip(windows, like, strict=True)
    ]


@pytest.mark.parametrize("name", NAMES)
def test_symbols_evaluated_are_the_numbers(name: str) -> None:
    def check(data: st.DataObject, layer: Layer, shapes: tuple[Shape, ...]) -> None:
        symbols = Symbols(data.draw, shared=data.draw(st.booleans()))
        due = operation(layer, shapes)
        form = operation(*symbols.replace(layer, shapes))
        if form is None:
            assert due is None, "refused for all values, though it fits for some"
            return
        kept = all(holds(requirement, symbols.numbers) for requirement in form.undecided)
        assert kept == (due is not None), [str(requirement) for requirement in form.undecided]
        if due is not None:
            assert as_numbers(Figures.of(form), symbols.numbers) == Figures.of(due)

    explore(name, check, share=2)


@pytest.mark.parametrize("name", NAMES)
def test_arrays_evaluated_are_the_numbers(name: str) -> None:
    def check(data: st.DataObject, layer: Layer, shapes: tuple[Shape, ...]) -> None:
        symbols = Symbols(data.draw, shared=True)
        symbolic_layer, symbolic_shapes = symbols.replace(layer, shapes)
        form = operation(symbolic_layer, symbolic_shapes)
        if form is None:
            return
        others = st.lists(st.integers(2 if layer.merges else 1, 30), min_size=4, max_size=4)
        columns = {name: [number, *data.draw(others)] for name, number in symbols.numbers.items()}
        arrays = {name: numpy.array(column, numpy.int64) for name, column in columns.items()}
        evaluated = as_numbers(Figures.of(form), arrays)
        for row in range(5):
            numbers = {name: column[row] for name, column in columns.items()}
            due = operation(layer_at(symbolic_layer, numbers), as_numbers(symbolic_shapes, numbers))
            if due is not None:
                assert row_of(evaluated, row) == Figures.of(due)

    explore(name, check, share=2)


def row_of(value: Any, row: int) -> Any:
    """One row of every array in a result."""
    if isinstance(value, numpy.ndarray):
        return int(value[row])
    if isinstance(value, tuple):
        values = (row_of(item, row) for item in value)
        return type(value)(*values) if hasattr(value, "_fields") else tuple(values)
    return value


@pytest.mark.parametrize("name", NAMES)
def test_configurations_that_fit_and_that_do_not_are_drawn(name: str) -> None:
    """A contract that is tried on nothing, or on nothing that breaks it, proves nothing."""
    quick = settings(database=None, max_examples=1000, phases=[Phase.generate])
    configurations = case_of(name).configurations
    find(configurations, lambda drawn: operation(*drawn) is not None, settings=quick)
    if layer_class(name).requirements is not Layer.requirements:
        find(configurations, lambda drawn: operation(*drawn) is None, settings=quick)


# -- what a layer says about itself -----------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_a_layer_is_documented(name: str) -> None:
    layer = layer_class(name)
    assert re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name), "names are lower_snake"
    assert layer.__doc__ is not None
    assert not layer.__doc__.startswith(f"{layer.__name__}("), "the docstring is dataclass's own"
    first, *more = layer.__doc__.split("\n")
    assert first.endswith((".", "?")), "the first line is a sentence: tables show it alone"
    assert not more or not more[0].strip()


@pytest.mark.parametrize("name", NAMES)
def test_the_example_builds_and_has_that_layer(name: str) -> None:
    layer = layer_class(name)
    entry = yaml.safe_load(layer.example)
    sizes = {"C": 64, "H": 60, "W": 61}
    text = f"{layer.example_input} {layer.example}"
    used = {symbol: size for symbol, size in sizes.items() if re.search(rf"\b{symbol}\b", text)}
    spec = {"input": yaml.safe_load(layer.example_input), "layers": [entry]}
    for variables in (used, dict.fromkeys(used)):
        net = convcalc.from_dict({**spec, "variables": variables})
        assert net.graph.nodes[-1].kind == name


@pytest.mark.parametrize("name", NAMES)
def test_the_fields_are_described(name: str) -> None:
    layer = layer_class(name)
    entry = yaml.safe_load(layer.example)
    given = entry[name] if isinstance(entry, dict) else {}
    for i, field in enumerate(fields(layer)):
        assert field.kind.description
        schema = field.kind.schema()
        jsonschema.Draft202012Validator.check_schema(schema)
        if isinstance(given, dict) and field.name in given:
            jsonschema.validate(given[field.name], schema)
        elif i == 0 and not layer.merges and not isinstance(given, dict):
            jsonschema.validate(given, schema)
        if not field.required and field.default is not None:
            assert field.kind.read(field.default) == field.default
            jsonschema.validate(as_written(field.default), schema)


def as_written(value: Any) -> Any:
    """A field's value as it may stand in a spec."""
    if isinstance(value, Fraction):
        return f"{value.numerator} / {value.denominator}"
    return list(map(as_written, value)) if isinstance(value, tuple) else value


@pytest.mark.parametrize("name", NAMES)
def test_what_is_drawn_can_be_written(name: str) -> None:
    kinds = {field.name: field.kind for field in fields(layer_class(name))}
    schemas = {
        field: jsonschema.Draft202012Validator(kind.schema()) for field, kind in kinds.items()
    }

    def check(data: st.DataObject, layer: Layer, shapes: tuple[Shape, ...]) -> None:
        for field, kind in kinds.items():
            value = getattr(layer, field)
            if value is not None:
                assert kind.read(value) == value
                schemas[field].validate(as_written(value))

    explore(name, check, share=2)


# -- registration -----------------------------------------------------------------------------


def test_every_case_is_of_a_layer() -> None:
    assert set(CASES) <= set(NAMES)


def test_every_family_has_its_test_file() -> None:
    files = {file.stem for file in (Path(__file__).parent / "layers").glob("test_*.py")}
    assert files == {f"test_{module}" for module in MODULES}


def test_the_names_found_by_text_are_those_registered() -> None:
    for module in MODULES:
        importlib.import_module(f"convcalc.layers.{module}")
    assert layer_names() == set(REGISTRY)
    for name in NAMES:
        assert layer_class(name).name == name


def test_a_layer_is_found_by_its_name_alone() -> None:
    with pytest.raises(KeyError, match="conv_2d"):
        layer_class("conv_2d")


METHODS: dict[str, Any] = {
    "output_shape": lambda self, x: x,
    "cost": lambda self, x: Cost(),
    "forward": lambda self, xp, inputs, weights: inputs[0],
}


@pytest.mark.parametrize("missing", METHODS)
def test_a_layer_without_shape_cost_or_forward_cannot_register(missing: str) -> None:
    methods = {name: method for name, method in METHODS.items() if name != missing}
    with pytest.raises(TypeError, match=rf"^{__name__}.Half defines no {missing}$"):
        type("Half", (Layer,), {**methods, "__module__": __name__}, name="half")
    assert "half" not in REGISTRY


def test_a_name_registers_once() -> None:
    original = layer_class("conv")
    with pytest.raises(TypeError) as caught:
        type("Other", (Layer,), {**METHODS, "__module__": "other.place"}, name="conv")
    assert str(caught.value) == ("layer 'conv' is defined in convcalc.layers.conv and other.place")
    assert REGISTRY["conv"] is original


def test_a_class_without_a_name_is_no_layer() -> None:
    before = dict(REGISTRY)
    type("Abstract", (Layer,), {})
    assert before == REGISTRY
