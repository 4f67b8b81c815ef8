"""An array module as strict as one whose arrays live on another device.

`StrictArray` refuses what CuPy's arrays refuse, and what costs a copy to the host: conversions to
NumPy, Python numbers and lists, truth, iteration, and arithmetic with NumPy's arrays. `strict` has
the functions that layers use and that CuPy has too, with the arguments that CuPy takes.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy

from convcalc.execution.backends import Backend, CuPy


class HostError(TypeError):
    """Data was asked for on the host, or given from there."""


class StrictArray:
    """An array that stays where it is; `get` alone brings it to the host, as CuPy's does."""

    __array_ufunc__ = None
    """With NumPy's arrays on the left, too, there is no arithmetic."""
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, held: Any, operands: Any = ()) -> None:
        self._held = numpy.asarray(held)
        self.base = _owner(self._held, operands)

    def get(self) -> Any:
        """A copy on the host."""
        return self._held.copy()

    @property
    def shape(self) -> tuple[int, ...]:
        return self._held.shape

    @property
    def ndim(self) -> int:
        return self._held.ndim

    @property
    def size(self) -> int:
        return self._held.size

    @property
    def nbytes(self) -> int:
        return self._held.nbytes

    @property
    def strides(self) -> tuple[int, ...]:
        return self._held.strides

    @property
    def itemsize(self) -> int:
        return self._held.itemsize

    @property
    def dtype(self) -> Any:
        return self._held.dtype

    @property
    def T(self) -> StrictArray:
        return StrictArray(self._held.T, self)

    def __len__(self) -> int:
        return len(self._held)

    def __getitem__(self, index: Any) -> StrictArray:
        return StrictArray(self._held[unwrapped(index)], self)

    def __setitem__(self, index: Any, value: Any) -> None:
        self._held[unwrapped(index)] = unwrapped(value)


def _owner(held: Any, operands: Any) -> StrictArray | None:
    """The array whose memory a result is a view of: as CuPy's `base`, never a view itself."""
    if isinstance(operands, StrictArray):
        if not numpy.may_share_memory(held, operands._held):
            return None
        return operands if operands.base is None else operands.base
    if isinstance(operands, (tuple, list)):
        owners = (_owner(held, operand) for operand in operands)
        return next((owner for owner in owners if owner is not None), None)
    return None


def unwrapped(value: Any) -> Any:
    """What a strict array holds; Python's own values as they are, and nothing from the host."""
    if isinstance(value, StrictArray):
        return value._held
    if isinstance(value, (tuple, list)):
        return type(value)(map(unwrapped, value))
    if isinstance(value, numpy.ndarray | numpy.generic):
        raise HostError(f"{type(value).__name__} from the host among strict arrays")
    return value


def wrapped(function: Callable[..., Any], refused: frozenset[str] = frozenset()) -> Any:
    """A function of NumPy's as one of strict arrays."""

    def call(*args: Any, **options: Any) -> StrictArray:
        if refused & options.keys():
            raise TypeError(f"{function.__name__} takes no {', '.join(refused & options.keys())}")
        options = {name: unwrapped(value) for name, value in options.items()}
        return StrictArray(function(*map(unwrapped, args), **options), args)

    return call


def refusing(name: str) -> Callable[..., Any]:
    def refuse(self: StrictArray, *_: Any, **__: Any) -> Any:
        raise HostError(f"{name} of an array that is not on the host")

    return refuse


_OPERATORS = (
    "add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "neg", "pos", "abs", "invert",
    "lt", "le", "eq", "ne", "gt", "ge", "and", "or", "xor", "iadd", "isub", "imul", "itruediv",
)  # fmt: skip
_REFLECTED = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "and", "or", "xor")
_METHODS = (
    "reshape", "transpose", "swapaxes", "astype", "copy", "ravel", "squeeze",
    "sum", "mean", "max", "min", "clip", "any", "all",
)  # fmt: skip
_CONVERSIONS = (
    "__array__", "__bool__", "__float__", "__int__", "__complex__", "__index__", "__iter__",
    "__contains__", "tolist", "item", "tobytes",
)  # fmt: skip


def _reflected(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda a, b: function(b, a)


for _name in _OPERATORS:
    setattr(StrictArray, f"__{_name}__", wrapped(getattr(operator, f"__{_name}__")))
for _name in _REFLECTED:
    setattr(StrictArray, f"__r{_name}__", wrapped(_reflected(getattr(operator, f"__{_name}__"))))
_NOT_IN_CUPY = frozenset({"where", "initial", "order", "casting", "subok", "like", "device"})
"""Arguments that CuPy's functions lack, or take of another meaning."""
for _name in _METHODS:
    setattr(StrictArray, _name, wrapped(getattr(numpy.ndarray, _name), _NOT_IN_CUPY))
for _name in _CONVERSIONS:
    setattr(StrictArray, _name, refusing(_name))


class StrictModule:
    """Functions and constants of NumPy that CuPy has under the same name."""

    FUNCTIONS = frozenset({
        "abs", "add", "arange", "asarray", "ascontiguousarray", "broadcast_to", "ceil", "clip",
        "concatenate", "divide", "dot", "empty", "exp",
        "expand_dims", "expm1", "flip", "floor", "full", "full_like",
        "isfinite",
        "isnan", "linspace", "log", "log1p", "logaddexp", "matmul", "max", "maximum",
        "mean", "min", "minimum", "moveaxis", "multiply", "negative", "ones", "ones_like",
        "pad", "power", "repeat", "reshape", "sign", "sqrt", "square", "squeeze", "stack",
        "subtract", "sum", "swapaxes", "take", "tanh", "tile", "transpose", "where", "zeros",
        "zeros_like",
    })  # fmt: skip
    CONSTANTS = frozenset({"float32", "float64", "inf", "int64", "nan", "newaxis", "pi"})

    ndarray = StrictArray
    lib = SimpleNamespace(
        stride_tricks=SimpleNamespace(
            as_strided=wrapped(numpy.lib.stride_tricks.as_strided, _NOT_IN_CUPY),
            sliding_window_view=wrapped(numpy.lib.stride_tricks.sliding_window_view, _NOT_IN_CUPY),
        )
    )

    def __getattr__(self, name: str) -> Any:
        if name in self.CONSTANTS:
            return getattr(numpy, name)
        if name in self.FUNCTIONS:
            return wrapped(getattr(numpy, name), _NOT_IN_CUPY)
        raise AttributeError(f"the strict array module has no {name}")


strict = StrictModule()


class StrictBackend(Backend):
    """A device of strict arrays; it counts what goes there and what comes back."""

    shares_work = CuPy.shares_work
    cache_values = CuPy.cache_values
    sum_taps = CuPy.sum_taps

    def __init__(self) -> None:
        self.xp = strict
        self.device = "a device of strict arrays"
        self.sent: list[tuple[int, ...]] = []
        self.fetched: list[tuple[int, ...]] = []

    def to_device(self, array: Any) -> Any:
        if isinstance(array, StrictArray):
            return array
        self.sent.append(array.shape)
        return StrictArray(array.copy())

    def to_host(self, array: Any) -> Any:
        self.fetched.append(array.shape)
        return array.get()
