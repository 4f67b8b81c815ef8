"""Weights and arrays in files: NumPy's .npy and .npz, and .safetensors.

A file is data from a stranger: nothing in it is ever unpickled, and what it says of its sizes is
checked before memory is taken.
"""

from __future__ import annotations

import ast
import json
import math
import os
import re
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

from convcalc.errors import ConvcalcError, UsageError, shorten
from convcalc.execution.backends import Backend
from convcalc.execution.executor import check_input
from convcalc.execution.numbers import Stored, holds_nan
from convcalc.graph import Node

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

_MAX_HEADER = 100_000_000
_MAX_NPY_HEADER = 10_000
_MAX_AXES = 32
_SIMPLE = re.compile(r"[<>|=]?[a-zA-Z][0-9]{0,9}")
_NO_HEADER = (
    ValueError, SyntaxError, KeyError, TypeError, AttributeError, RecursionError, MemoryError,
)  # fmt: skip
"""What reading a broken header ends with: Python's documentation of ast.literal_eval."""
_NO_ARCHIVE = (zipfile.BadZipFile, zlib.error, RuntimeError, EOFError, ValueError)
"""What reading a broken archive ends with; RuntimeError where it is encrypted, or of a new kind."""
_TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}


def write_array(path: str, array: Array) -> None:
    """Write an array as .npy holds it."""
    from numpy.lib import format as npy

    with open(path, "wb") as file:
        npy.write_array(file, array, allow_pickle=False)


def write_arrays(path: str, arrays: Mapping[str, Array]) -> None:
    """Write arrays by their names as .npz holds them."""
    from numpy.lib import format as npy

    # numpy.savez takes no array that is called as its parameters are
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                npy.write_array(member, array, allow_pickle=False)


@contextmanager
def stored_weights(path: str) -> Iterator[Mapping[str, Stored]]:
    """The arrays of a .npz or .safetensors file, by name.

    Raises:
        UsageError: the suffix is another one.
        ConvcalcError: the file cannot be read, or is not what its suffix says.
    """
    suffix = os.path.splitext(path)[1].lower()
    readers = {".npz": _of_npz, ".safetensors": _of_safetensors}
    if suffix not in readers:
        raise UsageError(f"{shorten(path, 200)}: weights are read from {', '.join(readers)}")
    with opened(path) as file:
        yield readers[suffix](file, path)


def read_array(path: str, node: Node | None = None) -> Array:
    """The array of a .npy file, all of it numbers.

    Args:
        path: of the file.
        node: the input of a network that it is for, whose N may be left out in the file if it is 1;
            the shape is compared before anything is read.

    Raises:
        ConvcalcError: the file cannot be read, or is none, or its array is no input of that shape,
            or holds NaN.
    """
    with opened(path) as file:
        stored = _npy(file, os.fstat(file.fileno()).st_size, path)
        shape = stored.shape
        if node is not None:
            if (1, *shape) == tuple(node.shape):
                shape = (1, *shape)
            check_input(node, shape)
        array: Array = stored.read().reshape(shape)
    if holds_nan(array, Backend()):
        raise _broken(path, "holds NaN")
    return array


@contextmanager
def opened(path: str) -> Iterator[IO[bytes]]:
    """A file to read from.

    Raises:
        ConvcalcError: it cannot be read.
    """
    try:
        with open(path, "rb") as file:
            yield file
    except OSError as error:
        raise ConvcalcError(
            f"{shorten(path, 200)} cannot be read: {error.strerror or error}"
        ) from None


def _broken(path: str, why: str) -> ConvcalcError:
    return ConvcalcError(f"{shorten(path, 200)}: {why}")


def _npy(file: IO[bytes], size: int, path: str) -> Stored:
    """An array in NumPy's format (NEP 1), `size` bytes from here on."""
    import numpy

    # NumPy's reader takes as much memory as the file says that its header has
    magic = file.read(8)
    width = {b"\x01\x00": 2, b"\x02\x00": 4}.get(magic[6:])
    if magic[:6] != b"\x93NUMPY" or width is None:
        raise _broken(path, "no NumPy array of format 1.0 or 2.0")
    length = int.from_bytes(file.read(width), "little")
    if length > _MAX_NPY_HEADER:
        raise _broken(path, f"no NumPy array: its header has {length:,} bytes")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of numbers and escapes that Python finds odd
            header = ast.literal_eval(file.read(length).decode("latin-1").strip())
        descr, fortran, shape = header["descr"], header["fortran_order"], header["shape"]
        dtype = numpy.dtype(descr if _SIMPLE.fullmatch(descr) else "V")
        sizes = all(type(n) is int and n >= 0 for n in shape) and len(shape) <= _MAX_AXES
    except _NO_HEADER as error:
        raise _broken(path, f"no NumPy array ({shorten(str(error))})") from None
    if dtype.hasobject:
        raise _broken(path, "holds Python objects, which are never loaded")
    if dtype.kind not in "fiub":
        raise _broken(path, f"holds {shorten(str(descr))}, not numbers")
    start, count = 8 + width + length, math.prod(shape) if sizes else 0
    if not sizes or count * dtype.itemsize != size - start:
        raise _broken(path, f"is cut off, or says a wrong shape: {shorten(str(shape))}")

    def read() -> Array:
        file.seek(start)
        flat = numpy.frombuffer(file.read(count * dtype.itemsize), dtype)
        return flat.reshape(shape[::-1]).T if fortran else flat.reshape(shape)

    return Stored(tuple(shape), read)


def _of_npz(file: IO[bytes], path: str) -> Mapping[str, Stored]:
    found: dict[str, Stored] = {}
    with _unzipping(path):
        archive = zipfile.ZipFile(file)
        for entry in archive.infolist():
            name = entry.filename.removesuffix(".npy")
            if name in found:
                raise _broken(path, f"{shorten(name)} stands here twice")
            if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise _broken(path, f"{shorten(name)} is compressed as .npz is not")
            found[name] = _member(archive, entry, path)
    return found


def _member(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, path: str) -> Stored:
    where = f"{shorten(path, 200)}, {shorten(entry.filename)}"

    def stored(member: IO[bytes]) -> Stored:
        return _npy(member, entry.file_size, where)

    def read() -> Array:
        with _unzipping(path), archive.open(entry) as member:
            array: Array = stored(member).read()
            return array

    with archive.open(entry) as member:
        return Stored(stored(member).shape, read)


@contextmanager
def _unzipping(path: str) -> Iterator[None]:
    try:
        yield
    except _NO_ARCHIVE as error:
        raise _broken(path, f"no .npz archive that is whole ({shorten(str(error), 200)})") from None


def _of_safetensors(file: IO[bytes], path: str) -> Mapping[str, Stored]:
    """https://github.com/huggingface/safetensors, section Format."""
    size = os.fstat(file.fileno()).st_size
    length = int.from_bytes(file.read(8), "little")
    if length > min(_MAX_HEADER, size - 8):
        raise _broken(path, "no .safetensors file: its header is longer than the file")
    start, end = 8 + length, 0
    found: dict[str, Stored] = {}
    try:
        header = json.loads(file.read(length), object_pairs_hook=_once)
        header.pop("__metadata__", None)
        places = {str(name): tuple(about["data_offsets"]) for name, about in header.items()}
        for name in sorted(places, key=places.__getitem__):
            found[name] = _tensor(file, start, path, name, header[name])
            if places[name][0] != end:
                raise _broken(path, f"{shorten(name)} does not start where the one before it ends")
            end = places[name][1]
    except _NO_HEADER as error:
        said = shorten(str(error))
        raise _broken(path, f"no .safetensors file: its header is broken ({said})") from None
    if start + end != size:
        raise _broken(path, f"has {size - start:,} bytes of tensors, and its header says {end:,}")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands there twice")
    return found


def _tensor(file: IO[bytes], start: int, path: str, name: str, about: Mapping[str, Any]) -> Stored:
    import numpy

    kind, shape, (first, last) = about["dtype"], tuple(about["shape"]), about["data_offsets"]
    if kind not in _TYPES:
        known = ", ".join(_TYPES)
        raise _broken(path, f"{shorten(name)} is of type {shorten(str(kind))}, not of {known}")
    if not all(type(n) is int and n >= 0 for n in (*shape, first, last)) or len(shape) > _MAX_AXES:
        raise _broken(path, f"{shorten(name)} has a broken shape or place")
    dtype = numpy.dtype(_TYPES[kind])
    if last - first != math.prod(shape) * dtype.itemsize:
        raise _broken(path, f"{shorten(name)} says a wrong shape: {list(shape)}")

    def read() -> Array:
        file.seek(start + first)
        flat = numpy.frombuffer(file.read(last - first), dtype)
        if kind == "BF16":  # the upper half of a float32
            flat = (flat.astype("<u4") << 16).view("<f4")
        return flat.reshape(shape)

    return Stored(shape, read)
