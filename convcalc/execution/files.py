"""Weights and arrays in files: NumPy's .npy and .npz, and .safetensors.

A file is data from a stranger: nothing in it is ever unpickled, and what it says of its sizes is
checked before memory is taken.
"""

from __future__ import annotations

import json
import math
import os
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from convcalc.errors import ConvcalcError, UsageError, shorten
from convcalc.execution.executor import check_shapes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

_MAX_HEADER = 100_000_000
_TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}


class Stored(NamedTuple):
    """An array in a file, not read yet: its shape, and how to read it."""

    shape: tuple[int, ...]
    read: Callable[[], Array]


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
    with _opened(path) as file:
        yield readers[suffix](file, path)


def read_array(path: str) -> Array:
    """The array of a .npy file.

    Raises:
        ConvcalcError: the file cannot be read, or is none.
    """
    with _opened(path) as file:
        size = os.fstat(file.fileno()).st_size
        return _npy(file, size, path).read()


def checked(weights: Mapping[str, Stored], due: Mapping[str, tuple[int, ...]]) -> dict[str, Array]:
    """The arrays, if they are those that are due; their shapes are compared before any is read.

    Raises:
        ConvcalcError: with all that are missing, of another shape or unknown.
    """
    check_shapes({path: stored.shape for path, stored in weights.items()}, due)
    return {path: weights[path].read() for path in due}


@contextmanager
def _opened(path: str) -> Iterator[IO[bytes]]:
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
    """An array in NumPy's format, `size` bytes from here on."""
    import numpy
    from numpy.lib import format as npy

    try:
        version = npy.read_magic(file)
        read_header = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
        shape, fortran, dtype = read_header[version](file)
    except (ValueError, KeyError, EOFError) as error:
        raise _broken(path, f"no NumPy array ({error})") from None
    if dtype.hasobject:
        raise _broken(path, "holds Python objects, which are never loaded")
    if dtype.kind not in "fiub":
        raise _broken(path, f"holds {dtype}, not numbers")
    start = file.tell()
    length = math.prod(shape) * dtype.itemsize
    if any(n < 0 for n in shape) or length != size - start:
        raise _broken(path, f"is cut off, or says a wrong shape: {list(shape)}")

    def read() -> Array:
        file.seek(start)
        flat = numpy.frombuffer(file.read(length), dtype)
        return flat.reshape(shape[::-1]).T if fortran else flat.reshape(shape)

    return Stored(tuple(shape), read)


def _of_npz(file: IO[bytes], path: str) -> Mapping[str, Stored]:
    try:
        archive = zipfile.ZipFile(file)
        found = {}
        for entry in archive.infolist():
            with archive.open(entry) as member:
                header = _npy(member, entry.file_size, f"{path}, {entry.filename}")
            found[entry.filename.removesuffix(".npy")] = Stored(
                header.shape, _member_reader(archive, entry, path)
            )
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise _broken(path, f"no .npz archive ({error})") from None
    return found


def _member_reader(
    archive: zipfile.ZipFile, entry: zipfile.ZipInfo, path: str
) -> Callable[[], Array]:
    def read() -> Array:
        try:
            with archive.open(entry) as member:
                return _npy(member, entry.file_size, f"{path}, {entry.filename}").read()
        except (zipfile.BadZipFile, EOFError, OSError) as error:
            raise _broken(path, f"{entry.filename} is damaged ({error})") from None

    return read


def _of_safetensors(file: IO[bytes], path: str) -> Mapping[str, Stored]:
    """https://github.com/huggingface/safetensors, section Format."""
    size = os.fstat(file.fileno()).st_size
    length = int.from_bytes(file.read(8), "little")
    if size < 8 or length > min(_MAX_HEADER, size - 8):
        raise _broken(path, "no .safetensors file: its header is longer than the file")
    try:
        header = json.loads(file.read(length))
        header.pop("__metadata__", None)
        start = 8 + length
        return {
            str(name): _tensor(file, start, size, path, str(name), about)
            for name, about in header.items()
        }
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _broken(path, f"no .safetensors file: its header is broken ({error})") from None


def _tensor(
    file: IO[bytes], start: int, size: int, path: str, name: str, about: Mapping[str, Any]
) -> Stored:
    import numpy

    kind, shape, (first, last) = about["dtype"], tuple(about["shape"]), about["data_offsets"]
    if kind not in _TYPES:
        raise _broken(path, f"{shorten(name)} is of type {kind}, not of {', '.join(_TYPES)}")
    if not all(type(n) is int and n >= 0 for n in (*shape, first, last)):
        raise _broken(path, f"{shorten(name)} has a broken shape or place")
    dtype = numpy.dtype(_TYPES[kind])
    if last - first != math.prod(shape) * dtype.itemsize or start + last > size:
        raise _broken(path, f"{shorten(name)} is cut off, or says a wrong shape: {list(shape)}")

    def read() -> Array:
        file.seek(start + first)
        flat = numpy.frombuffer(file.read(last - first), dtype)
        if kind == "BF16":  # the upper half of a float32
            flat = (flat.astype("<u4") << 16).view("<f4")
        return flat.reshape(shape)

    return Stored(shape, read)
