"""Integer arithmetic recorded once and run over arrays, exactly and in blocks that stay in cache.

A formula is recorded by computing it with `Recorded` values in place of numbers. Every step knows
bounds of its values, so that before anything runs it is known in what type nothing can overflow:
int32, float64 (which holds every whole number up to 2⁵³, and multiplies faster than int64 does),
int64, or else Python's own integers. No step is ever computed in a type too small for it.

NumPy is imported where a program runs, not here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from convcalc.errors import ConvcalcError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

BLOCK = 32_768
"""Elements that are computed together: a block of every step fits the cache."""

_EXACT_FLOAT = 2**53
_KINDS = ("bool", "int32", "float64", "int64", "object")
"""From narrow to wide; `float64` holds whole numbers only."""

Bounds = tuple[int, int]


class Recorded:
    """A value in a program: what an array of whole numbers will be, within known bounds."""

    __slots__ = ("arguments", "high", "kind", "low", "operation", "program")

    def __init__(
        self,
        program: Program,
        operation: str,
        arguments: tuple[Any, ...],
        bounds: Bounds,
        kind: str,
    ) -> None:
        self.program = program
        self.operation = operation
        self.arguments = arguments
        self.low, self.high = bounds
        self.kind = kind

    def __add__(self, other: Any) -> Any:
        return self if _is_number(other, 0) else self.program.step("add", self, other)

    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        return self if _is_number(other, 0) else self.program.step("subtract", self, other)

    def __rsub__(self, other: Any) -> Any:
        return self.program.step("subtract", other, self)

    def __neg__(self) -> Any:
        return 0 - self

    def __mul__(self, other: Any) -> Any:
        if _is_number(other, 0):
            return 0
        return self if _is_number(other, 1) else self.program.step("multiply", self, other)

    __rmul__ = __mul__

    def __floordiv__(self, other: Any) -> Any:
        return self if _is_number(other, 1) else self.program.step("floor_divide", self, other)

    def __rfloordiv__(self, other: Any) -> Any:
        return self.program.step("floor_divide", other, self)

    def __mod__(self, other: Any) -> Any:
        return self.program.step("remainder", self, other)

    def __rmod__(self, other: Any) -> Any:
        return self.program.step("remainder", other, self)

    def __eq__(self, other: Any) -> Any:
        return self.program.step("equal", self, other)

    def __lt__(self, other: Any) -> Any:
        return self.program.step("less", self, other)

    def __gt__(self, other: Any) -> Any:
        return self.program.step("less", other, self)

    def __ge__(self, other: Any) -> Any:
        return self.program.step("greater_equal", self, other)

    __hash__ = object.__hash__


class Program:
    """The steps of some formulas, in order; equal steps are one."""

    def __init__(self) -> None:
        self.known: dict[tuple[Any, ...], Recorded] = {}

    def input(self, name: str, low: int, high: int) -> Recorded:
        """An array that will be given, with what its elements never leave."""
        return self._add("input", (name,), (low, high), _narrowest(low, high))

    def check(self, value: Any, message: str) -> None:
        """Raise `message` when the program runs, at this step, and an element of `value` is 0.

        Raises:
            ConvcalcError: the value is 0 already.
        """
        if isinstance(value, Recorded):
            if value.low <= 0 <= value.high:
                self._add("check", (value, message), (1, 1), "bool")
        elif not value:
            raise ConvcalcError(message)

    def step(self, operation: str, *operands: Any) -> Any:
        """Record one operation; on numbers alone it is done at once."""
        bounds = _BOUNDS[operation](*map(_bounds, operands))
        if bounds[0] == bounds[1]:
            return bounds[0]
        if operation in _COMPARISONS:
            kind = "bool"
        else:
            # a divisor of float64 would not round down exactly
            whole = operation in ("floor_divide", "remainder", "gcd")
            kind = max((_narrowest(*b) for b in (bounds, *map(_bounds, operands))), key=_width)
            kind = max(kind, "int32", key=_width)
            if kind == "float64" and whole:
                kind = "int64"
        return self._add(operation, operands, bounds, kind)

    def _add(
        self, operation: str, arguments: tuple[Any, ...], bounds: Bounds, kind: str
    ) -> Recorded:
        key = (operation, *(a if isinstance(a, (int, str)) else id(a) for a in arguments))
        found = self.known.get(key)
        if found is None:
            found = self.known[key] = Recorded(self, operation, arguments, bounds, kind)
        return found

    def finish(self, outputs: Sequence[Any]) -> Kernel:
        """What computes `outputs` and nothing else."""
        needed: set[int] = set()
        waiting = [*outputs, *(v for v in self.known.values() if v.operation == "check")]
        while waiting:
            value = waiting.pop()
            if isinstance(value, Recorded) and id(value) not in needed:
                needed.add(id(value))
                waiting.extend(value.arguments)
        numbers: dict[int, int] = {}
        inputs: list[tuple[str, str]] = []
        steps: list[Step] = []
        for value in self.known.values():
            if id(value) in needed:
                if value.operation == "input":
                    inputs.append((value.arguments[0], value.kind))
                    numbers[id(value)] = len(numbers)
        for value in self.known.values():
            if id(value) in needed and value.operation != "input":
                arguments = tuple(
                    Place(numbers[id(a)], a.kind) if isinstance(a, Recorded) else a
                    for a in value.arguments
                )
                numbers[id(value)] = len(numbers)
                steps.append(Step(value.operation, arguments, value.kind))

        def place(value: Any) -> Any:
            if isinstance(value, Recorded):
                return Place(numbers[id(value)], value.kind)
            return value

        return Kernel(inputs, steps, [place(value) for value in outputs])


class Place(NamedTuple):
    """Where a value of a kernel is kept."""

    number: int
    kind: str


class Step(NamedTuple):
    """One operation of a kernel on earlier values and on numbers."""

    operation: str
    arguments: tuple[Any, ...]
    kind: str


class Kernel:
    """A finished program: plain data, to be run any number of times, on any machine.

    Runs may not overlap: it keeps the arrays that it works in.
    """

    def __init__(
        self,
        inputs: list[tuple[str, str]],
        steps: list[Step],
        outputs: list[Any],
    ) -> None:
        self.inputs = inputs
        self.steps = steps
        self.outputs = outputs
        self._workspaces: dict[tuple[tuple[int, ...], ...], _Workspace] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_workspaces": {}}

    def run(self, arrays: Mapping[str, Any]) -> list[Array]:
        """The outputs for whole-number arrays that broadcast, in blocks; one array for each.

        They are int64, or Python's integers (object) where that may be too small; bool for
        comparisons.

        Raises:
            ConvcalcError: a check failed.
        """
        import numpy

        given = {name: numpy.asarray(arrays[name]) for name, _ in self.inputs}
        shape = numpy.broadcast_shapes(*(array.shape for array in arrays.values()))
        results = [numpy.empty(shape, _result_type(output)) for output in self.outputs]
        if 0 in shape:
            return results
        if all(array.shape == shape for array in given.values()):
            given = {name: array.reshape(-1) for name, array in given.items()}
            targets: list[Array] = [result.reshape(-1) for result in results]
        else:
            given = {
                name: array.reshape((1,) * (len(shape) - array.ndim) + array.shape)
                for name, array in given.items()
            }
            targets = list(results)
        for part in blocks(targets[0].shape if targets else shape):
            block = {
                name: array[
                    tuple(
                        slice(0, 1) if size == 1 else s
                        for s, size in zip(part, array.shape, strict=True)
                    )
                ]
                for name, array in given.items()
            }
            for target, value in zip(targets, self.block(block), strict=True):
                target[part] = value
        return results

    def block(self, arrays: Mapping[str, Array]) -> list[Any]:
        """The outputs for one block of every input, in arrays that the next call writes over."""
        key = tuple(arrays[name].shape for name, _ in self.inputs)
        workspace = self._workspaces.get(key)
        if workspace is None:
            if len(self._workspaces) >= 8:
                self._workspaces.clear()
            workspace = self._workspaces[key] = _Workspace(self, key)
        return workspace.run(arrays)


def blocks(shape: tuple[int, ...]) -> Iterator[tuple[slice, ...]]:
    """Parts of an array, in order, of about BLOCK elements each."""
    inner = 1
    axis = len(shape)
    while axis > 0 and inner * shape[axis - 1] <= BLOCK:
        axis -= 1
        inner *= shape[axis]
    whole = tuple(slice(0, size) for size in shape[axis:])
    if axis == 0:
        yield whole
        return
    step = max(1, BLOCK // inner)
    outer = [0] * (axis - 1)
    for _ in range(math.prod(shape[: axis - 1])):
        before = tuple(slice(i, i + 1) for i in outer)
        for start in range(0, shape[axis - 1], step):
            yield (*before, slice(start, min(start + step, shape[axis - 1])), *whole)
        for i in reversed(range(axis - 1)):
            outer[i] += 1
            if outer[i] < shape[i]:
                break
            outer[i] = 0


class _Workspace:
    """The arrays that a kernel works in, for inputs of given shapes; dead ones are used again."""

    def __init__(self, kernel: Kernel, shapes: Sequence[tuple[int, ...]]) -> None:
        import numpy

        self.numpy = numpy
        self.kernel = kernel
        self.free: dict[tuple[tuple[int, ...], str], list[Array]] = {}
        self.last: dict[int, int] = {}
        self._find_last_uses()
        self.values: dict[int, Array] = {}
        self.casts: dict[tuple[int, str], Array] = {}
        self.calls: list[tuple[Any, ...]] = []
        self.inputs = []
        for number, ((name, kind), shape) in enumerate(zip(kernel.inputs, shapes, strict=True)):
            self.values[number] = numpy.empty(shape, kind)
            self.inputs.append((name, self.values[number]))
        for index, step in enumerate(kernel.steps):
            self._plan(index, step)
        self.outputs = [
            self.values[output.number] if isinstance(output, Place) else output
            for output in kernel.outputs
        ]

    def _find_last_uses(self) -> None:
        kernel = self.kernel
        for index, step in enumerate(kernel.steps):
            for argument in step.arguments:
                if isinstance(argument, Place):
                    self.last[argument.number] = index
        for place in kernel.outputs:
            if isinstance(place, Place):
                self.last[place.number] = len(kernel.steps)

    def _plan(self, index: int, step: Step) -> None:
        kind = step.kind
        if step.operation == "check":
            place, message = step.arguments
            self.calls.append((_check, self.values[place.number], message, None))
            return
        if kind == "bool":
            # compared in a type that holds both sides
            kind = max((_kind_of(a) for a in step.arguments), key=_width)
        operands = [self._operand(argument, kind) for argument in step.arguments]
        dying = [
            a.number for a in dict.fromkeys(step.arguments)
            if isinstance(a, Place) and self.last[a.number] == index
        ]  # fmt: skip
        shape = self.numpy.broadcast_shapes(*(getattr(o, "shape", ()) for o in operands))
        # a dead argument's array may be written over: the operations go element by element
        for number in dying:
            self._release(number)
        number = len(self.kernel.inputs) + index
        target = self.values[number] = self._array(shape, step.kind)
        function, operands = self._function(step, kind, operands)
        self.calls.append((function, *operands, target))

    def _function(self, step: Step, kind: str, operands: list[Any]) -> tuple[Any, list[Any]]:
        numpy = self.numpy
        divisor = step.arguments[-1]
        is_power = isinstance(divisor, int) and divisor > 0 and not divisor & (divisor - 1)
        if is_power and kind in ("int32", "int64"):
            scalar = numpy.dtype(kind).type
            if step.operation == "floor_divide":
                return numpy.right_shift, [operands[0], scalar(divisor.bit_length() - 1)]
            if step.operation == "remainder":
                return numpy.bitwise_and, [operands[0], scalar(divisor - 1)]
        return getattr(numpy, step.operation), operands

    def _operand(self, argument: Any, kind: str) -> Any:
        numpy = self.numpy
        if not isinstance(argument, Place):
            return argument if kind == "object" else numpy.dtype(kind).type(argument)
        value = self.values[argument.number]
        if argument.kind == kind:
            return value
        cast = self.casts.get((argument.number, kind))
        if cast is None:
            if kind == "object" and argument.kind == "float64":
                value = self._operand(argument, "int64")
            cast = self.casts[argument.number, kind] = self._array(value.shape, kind)
            self.calls.append((_copy, value, cast))
        return cast

    def _array(self, shape: tuple[int, ...], kind: str) -> Array:
        free = self.free.get((shape, kind))
        if free:
            return free.pop()
        return self.numpy.empty(shape, kind)

    def _release(self, number: int) -> None:
        if number >= len(self.kernel.inputs):
            value = self.values[number]
            self.free.setdefault((value.shape, value.dtype.name), []).append(value)
        for key in [key for key in self.casts if key[0] == number]:
            cast = self.casts.pop(key)
            self.free.setdefault((cast.shape, cast.dtype.name), []).append(cast)

    def run(self, arrays: Mapping[str, Array]) -> list[Any]:
        copy = self.numpy.copyto
        for name, target in self.inputs:
            copy(target, arrays[name], casting="unsafe")
        for function, *operands, target in self.calls:
            function(*operands, out=target)
        return self.outputs


def _check(value: Array, message: str, out: None) -> None:
    if not value.all():
        raise ConvcalcError(message)


def _copy(value: Array, out: Array) -> None:
    import numpy

    numpy.copyto(out, value, casting="unsafe")


# -- bounds ---------------------------------------------------------------------------------------


def _is_number(value: Any, number: int) -> bool:
    return not isinstance(value, Recorded) and value == number


def _bounds(value: Any) -> Bounds:
    return (value.low, value.high) if isinstance(value, Recorded) else (int(value), int(value))


def _width(kind: str) -> int:
    return _KINDS.index(kind)


def _narrowest(low: int, high: int) -> str:
    if -(2**31) <= low and high < 2**31:
        return "int32"
    if -_EXACT_FLOAT <= low and high <= _EXACT_FLOAT:
        return "float64"
    return "int64" if -(2**63) <= low and high < 2**63 else "object"


def _kind_of(argument: Any) -> str:
    return argument.kind if isinstance(argument, Place) else _narrowest(argument, argument)


def _result_type(output: Any) -> str:
    kind = _kind_of(output) if not isinstance(output, bool) else "bool"
    return kind if kind in ("bool", "object") else "int64"


def _corners(function: Any) -> Any:
    def bounds(a: Bounds, b: Bounds) -> Bounds:
        found = [function(x, y) for x in a for y in b]
        return min(found), max(found)

    return bounds


def _quotient(a: Bounds, b: Bounds) -> Bounds:
    if b[0] > 0:
        return _corners(int.__floordiv__)(a, b)  # type: ignore[no-any-return]
    most = max(map(abs, a)) + 1
    return -most, most


def _remainder(a: Bounds, b: Bounds) -> Bounds:
    if b[0] > 0:
        if a[0] == a[1] and b[0] == b[1]:
            return a[0] % b[0], a[0] % b[0]
        return 0, b[1] - 1
    most = max(map(abs, b))
    return -most, most


def _common_divisor(a: Bounds, b: Bounds) -> Bounds:
    if a[0] == a[1] and b[0] == b[1]:
        return math.gcd(a[0], b[0]), math.gcd(a[0], b[0])
    return 0, max(map(abs, (*a, *b)))


def _equal(a: Bounds, b: Bounds) -> Bounds:
    if a[0] == a[1] == b[0] == b[1]:
        return 1, 1
    return 0, int(a[1] >= b[0] and b[1] >= a[0])


_BOUNDS: dict[str, Any] = {
    "add": lambda a, b: (a[0] + b[0], a[1] + b[1]),
    "subtract": lambda a, b: (a[0] - b[1], a[1] - b[0]),
    "multiply": _corners(int.__mul__),
    "floor_divide": _quotient,
    "remainder": _remainder,
    "maximum": lambda a, b: (max(a[0], b[0]), max(a[1], b[1])),
    "minimum": lambda a, b: (min(a[0], b[0]), min(a[1], b[1])),
    "gcd": _common_divisor,
    "equal": _equal,
    "less": lambda a, b: (int(a[1] < b[0]), int(a[0] < b[1])),
    "greater_equal": lambda a, b: (int(a[0] >= b[1]), int(a[1] >= b[0])),
}
_COMPARISONS = ("equal", "less", "greater_equal")
