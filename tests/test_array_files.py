"""Arrays and weights in files, whoever wrote them."""

from __future__ import annotations

import io
import json
import random
import struct
import tracemalloc
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import convcalc
from convcalc.execution.backends import Backend
from convcalc.execution.executor import checked_weights
from convcalc.execution.files import read_array, stored_weights

NET = convcalc.loads("{input: [4], layers: [linear: 3, relu, {linear: 2, name: last}]}")
WEIGHTS = NET.init(seed=5)


def npy(array: Any, version: tuple[int, int] = (1, 0)) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, np.asarray(array), version, allow_pickle=True)
    return file.getvalue()


def claimed(shape: str, data: bytes, descr: str = "'<f8'") -> bytes:
    """A .npy file that says to be of a shape."""
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data


def npz(*members: tuple[str, bytes], kind: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w", kind) as archive:
        warnings.simplefilter("ignore")  # of names that stand there twice
        for name, data in members:
            archive.writestr(name, data)
    return file.getvalue()


def safetensors(header: str | dict[str, Any], data: bytes = b"") -> bytes:
    """The format as its page describes it."""
    text = (header if isinstance(header, str) else json.dumps(header)).encode()
    return struct.pack("<Q", len(text)) + text + data


def tensors(arrays: dict[str, Any]) -> bytes:
    header, data = {}, b""
    for name, array in arrays.items():
        header[name] = {"dtype": "F32", "shape": list(array.shape),
                        "data_offsets": [len(data), len(data) + array.nbytes]}  # fmt: skip
        data += array.astype("<f4").tobytes()
    return safetensors({"__metadata__": {"format": "pt"}, **header}, data)


def read(path: Path) -> Any:
    """What a file holds: an array, or weights as NET takes them."""
    if path.suffix == ".npy":
        return read_array(str(path))
    with stored_weights(str(path)) as stored:
        return checked_weights(NET.graph, stored, "float32", Backend())


# -- files that are whole -------------------------------------------------------------------------


def test_weights_from_files(tmp_path: Path) -> None:
    np.savez(tmp_path / "w.npz", **WEIGHTS)
    np.savez_compressed(tmp_path / "c.npz", **WEIGHTS)
    (tmp_path / "w.safetensors").write_bytes(tensors(WEIGHTS))
    for name in ("w.npz", "c.npz", "w.safetensors"):
        found = read(tmp_path / name)
        assert found.keys() == WEIGHTS.keys()
        assert all((found[path] == WEIGHTS[path]).all() for path in WEIGHTS)


def test_weights_of_other_types(tmp_path: Path) -> None:
    """Half precision of both kinds, doubles and integers become the type of the run."""
    exact = {path: np.round(8 * array + 1) / 8 for path, array in WEIGHTS.items()}
    header, data = {}, b""
    kinds = {"F64": "<f8", "F16": "<f2", "F32": "<f4", "BF16": "<f4"}
    for (path, array), kind in zip(exact.items(), kinds, strict=True):
        part = array.astype(kinds[kind]).tobytes()
        if kind == "BF16":  # the upper two bytes of four
            part = np.frombuffer(part, "<u2")[1::2].tobytes()
        header[path] = {"dtype": kind, "shape": list(array.shape),
                        "data_offsets": [len(data), len(data) + len(part)]}  # fmt: skip
        data += part
    (tmp_path / "w.safetensors").write_bytes(safetensors(header, data))
    found = read(tmp_path / "w.safetensors")
    assert {array.dtype.name for array in found.values()} == {"float32"}
    assert all((found[path] == exact[path]).all() for path in exact)


def test_arrays_of_any_layout(tmp_path: Path) -> None:
    array = np.arange(24.0).reshape(2, 3, 4)
    for layout in (array, np.asfortranarray(array), array.astype("int16"), array.astype(">f4")):
        for version in ((1, 0), (2, 0)):
            (tmp_path / "x.npy").write_bytes(npy(layout, version))
            assert (read(tmp_path / "x.npy") == array).all()
    for odd in (np.zeros((0, 3)), np.array(1.5)):
        (tmp_path / "x.npy").write_bytes(npy(odd))
        assert read(tmp_path / "x.npy").shape == odd.shape


def test_what_is_odd_in_a_header_is_not_talked_about(
    tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    r"""\d is no escape in Python, which warns of it."""
    (tmp_path / "x.npy").write_bytes(claimed(r"(10,), '\d': 1", bytes(80)))
    warnings.simplefilter("always")
    assert not read(tmp_path / "x.npy").any()
    assert not recwarn.list


def test_an_input_may_leave_out_a_batch_of_one(tmp_path: Path) -> None:
    (tmp_path / "x.npy").write_bytes(npy(np.ones((4,))))
    (node,) = NET.graph.inputs
    assert read_array(str(tmp_path / "x.npy"), node).shape == (1, 4)
    (node,) = convcalc.loads("{input: [4], layers: [relu]}", N=2).graph.inputs
    with pytest.raises(convcalc.ConvcalcError, match=r"has the shape \[4\], where .* \[2, 4\]"):
        read_array(str(tmp_path / "x.npy"), node)


# -- files that are refused -----------------------------------------------------------------------

W = npy(WEIGHTS["linear1.weight"])
GOOD = npy(np.zeros((100, 100)))
TENSORS = tensors({"w": np.zeros((3, 4), "f4"), "v": np.ones(2, "f4")})


def about(**changes: Any) -> dict[str, Any]:
    return {"dtype": "F32", "shape": [2], "data_offsets": [0, 8], **changes}


HOSTILE = {
    "cut.npy": (GOOD[:-8], "is cut off, or says a wrong shape"),
    "long.npy": (GOOD + b"8 more b", "says a wrong shape"),
    "huge.npy": (claimed("(10**9, 10)", bytes(80)), "no NumPy array"),
    "large.npy": (claimed("(100, 9999)", bytes(800)), "says a wrong shape"),
    "less.npy": (claimed("(-2, -5)", bytes(80)), "says a wrong shape"),
    "number.npy": (claimed("10", bytes(80)), "no NumPy array"),
    "bool.npy": (claimed("(True, 10)", bytes(80)), "says a wrong shape"),
    "half.npy": (claimed("(2.5, 4)", bytes(80)), "says a wrong shape"),
    "axes.npy": (claimed(f"({'1, ' * 99})", bytes(8)), "says a wrong shape"),
    "keys.npy": (claimed("(10,), 'more': [{}]: 1", bytes(80)), "no NumPy array"),
    "type.npy": (claimed("(10,)", bytes(80), "'<f8 '"), "holds <f8 , not numbers"),
    "odd.npy": (claimed("(10,)", bytes(80), "'f16777216'"), "no NumPy array"),
    "objects.npy": (npy(np.array([{}, []], object)), "holds Python objects, which are never"),
    "words.npy": (npy(np.array(["a", "b"])), "holds <U1, not numbers"),
    "complex.npy": (npy(np.zeros(3, complex)), "holds <c16, not numbers"),
    "dates.npy": (npy(np.zeros(3, "<M8[s]")), "holds <M8"),
    "records.npy": (npy(np.zeros(3, "f4,f4")), "no NumPy array"),
    "nan.npy": (npy([0, np.nan, 1]), "holds NaN"),
    "text.npy": (b"hello", "no NumPy array of format 1.0 or 2.0"),
    "newer.npy": (npy(np.zeros(3), (3, 0)), "no NumPy array of format 1.0 or 2.0"),
    "empty.npy": (b"", "no NumPy array"),
    "header.npy": (
        b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**32 - 1) + b" " * 99_999,
        "its header has 4,294,967,295 bytes",
    ),
    "nested.npy": (claimed("(" * 9000, b""), "no NumPy array"),
    "signs.npy": (claimed("-" * 9000 + "1", b""), "no NumPy array"),
    "sums.npy": (claimed("1+" * 4000 + "1", b""), "no NumPy array"),
    "none.npy": (claimed("(-1, 0)", b""), "says a wrong shape"),
    "other.npy": (GOOD.replace(b"NUMPY", b"NUMPI"), "no NumPy array of format 1.0 or 2.0"),
    "text.npz": (b"hello", "no .npz archive"),
    "objects.npz": (npz(("w.npy", npy(np.array([{}], object)))), "never loaded"),
    "cut.npz": (npz(("w.npy", GOOD[:-8])), "is cut off"),
    "twice.npz": (npz(("w.npy", GOOD), ("w.npy", GOOD)), "w stands here twice"),
    "lzma.npz": (npz(("w.npy", GOOD), kind=zipfile.ZIP_LZMA), "is compressed as .npz is not"),
    "short.npz": (
        npz(("linear1.weight.npy", W[:-8])).replace(
            struct.pack("<I", len(W) - 8), struct.pack("<I", len(W))
        ),
        "no .npz archive that is whole .*cannot reshape",
    ),
    "secret.npz": (
        npz(("w.npy", W), kind=0).replace(b"PK\1\2\x14\3\x14\0\0", b"PK\1\2\x14\3\x14\0\1"),
        "no .npz archive that is whole .*encrypted",
    ),
    "cut.safetensors": (TENSORS[:-1], "has 55 bytes of tensors, and its header says 56"),
    "long.safetensors": (TENSORS + b"\0" * 8, "has 64 bytes of tensors, and its header says 56"),
    "longer.safetensors": (struct.pack("<Q", 100) + b"{}", "longer than the file"),
    "number.safetensors": (safetensors("5"), "its header is broken"),
    "half.safetensors": (safetensors({"w": about(shape=[2.0])}, bytes(8)), "a broken shape"),
    "header.safetensors": (struct.pack("<Q", 10**15) + b"{}", "longer than the file"),
    "short.safetensors": (b"\0\0\0", "longer than the file"),
    "text.safetensors": (struct.pack("<Q", 5) + b"hello", "its header is broken"),
    "list.safetensors": (safetensors("[]"), "its header is broken"),
    "nested.safetensors": (safetensors('{"a":' * 100_000), "its header is broken"),
    "digits.safetensors": (safetensors('{"w": ' + "9" * 10_000 + "}"), "its header is broken"),
    "twice.safetensors": (
        safetensors(f'{{"w": {json.dumps(about())}, "w": {json.dumps(about())}}}', bytes(8)),
        "a name stands there twice",
    ),
    "shape.safetensors": (TENSORS.replace(b"[3, 4]", b"[3, 5]"), "says a wrong shape"),
    "minus.safetensors": (safetensors({"w": about(shape=[-2])}, bytes(8)), "a broken shape"),
    "axes.safetensors": (safetensors({"w": about(shape=[2] + 99 * [1])}, bytes(8)), "broken shape"),
    "type.safetensors": (TENSORS.replace(b"F32", b"I64"), "is of type I64"),
    "place.safetensors": (TENSORS.replace(b"[0, 48]", b"[8, 56]"), "does not start where the one"),
    "overlap.safetensors": (
        safetensors({"w": about(), "v": about(data_offsets=[4, 12])}, bytes(12)),
        "does not start where the one before it ends",
    ),
    "hole.safetensors": (
        safetensors({"w": about(), "v": about(data_offsets=[12, 20])}, bytes(20)),
        "does not start where the one before it ends",
    ),
    "missing.npy": (None, "cannot be read: No such file"),
    "missing.npz": (None, "cannot be read: No such file"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_files_from_a_stranger(name: str, tmp_path: Path) -> None:
    data, text = HOSTILE[name]
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(convcalc.ConvcalcError, match=text) as error:
        read(tmp_path / name)
    assert name in str(error.value)
    assert error.value.exit_code == 3


def test_weights_of_another_kind_of_file() -> None:
    with pytest.raises(convcalc.ConvcalcError, match=r"weights are read from .npz, .safetensors"):
        read(Path("w.pt"))


def test_folders_are_no_files(tmp_path: Path) -> None:
    for name in ("x.npy", "x.npz"):
        (tmp_path / name).mkdir()
        with pytest.raises(convcalc.ConvcalcError, match="cannot be read: Is a directory"):
            read(tmp_path / name)


@pytest.mark.parametrize(
    "member",
    [
        b"\x93NUMPY\x02\x00" + struct.pack("<I", 200_000_000) + b" " * 50_000_000,
        npy(np.zeros(5_000_000)),
    ],
)
def test_what_unpacks_to_much_takes_no_memory(member: bytes, tmp_path: Path) -> None:
    """Neither a header of hundreds of megabytes, nor an array of a shape that is not due."""
    (tmp_path / "bomb.npz").write_bytes(npz(("linear1.weight.npy", member)))
    assert (tmp_path / "bomb.npz").stat().st_size < 100_000
    del member
    tracemalloc.start()
    with pytest.raises(convcalc.ConvcalcError, match=r"do not fit|its header has"):
        read(tmp_path / "bomb.npz")
    assert tracemalloc.get_traced_memory()[1] < 2_000_000
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("x.npy", W),
        ("x.npy", npy(WEIGHTS["linear1.weight"], (2, 0))),
        ("x.npz", npz(*((f"{p}.npy", npy(a)) for p, a in WEIGHTS.items()))),
        ("x.npz", npz(*((f"{p}.npy", npy(a)) for p, a in WEIGHTS.items()), kind=0)),
        ("x.safetensors", tensors(WEIGHTS)),
    ],
)
def test_no_damage_ends_in_another_error(name: str, data: bytes, tmp_path: Path) -> None:
    """Bytes changed, left out and cut off: the file is refused, or other numbers are read."""
    rng = random.Random(7)
    path = tmp_path / name
    damage: list[Callable[[int], bytes]] = [
        lambda i: data[:i] + bytes([rng.randrange(256)]) + data[i + 1 :],
        lambda i: data[:i] + rng.choice([b"(", b"9", b"'", b"\0", b"-", b"\xff"]) + data[i + 1 :],
        lambda i: data[:i],
        lambda i: data[:i] + data[i + 1 :],
    ]
    refused = 0
    for number in range(400):
        path.write_bytes(damage[number % 4](rng.randrange(len(data))))
        try:
            read(path)
        except convcalc.ConvcalcError:
            refused += 1
    assert refused > 200


# -- weights that do not fit ----------------------------------------------------------------------


def test_all_that_does_not_fit_is_said_at_once(tmp_path: Path) -> None:
    weights: dict[str, Any] = dict(WEIGHTS)
    weights["linear1.weight"] = np.full((3, 4), np.nan)
    weights["linear1.bias"] = np.array([1, 2**25, 3])
    weights["last.weight"] = np.zeros((3, 2))
    weights["more"] = weights.pop("last.bias")
    np.savez(tmp_path / "w.npz", **weights)
    with pytest.raises(convcalc.ConvcalcError) as error:
        read(tmp_path / "w.npz")
    assert str(error.value) == (
        "the weights do not fit: last.bias is missing; last.weight is [3, 2], not [2, 3]; "
        "linear1.bias holds 33,554,432, and float32 has all integers up to 16,777,216 only; "
        "linear1.weight holds NaN; more is of no layer"
    )


@pytest.mark.parametrize(
    ("array", "dtype", "text"),
    [
        (np.full((3, 4), 1j), "float32", "holds complex128, not real numbers"),
        (np.full((3, 4), None), "float32", "holds object, not real numbers"),
        (np.full((3, 4), "a"), "float32", "holds str32, not real numbers"),
        (np.full((3, 4), -1e39), "float32", r"holds 1e\+39, and float32 ends at 3.40282e\+38"),
        (np.full((3, 4), 7e4), "float16", "holds 70,000, and float16 ends at 65,504"),
        (
            np.full((3, 4), -2049),
            "float16",
            "holds 2,049, and float16 has all integers up to 2,048",
        ),
    ],
)
def test_weights_that_are_no_numbers_there(array: Any, dtype: str, text: str) -> None:
    with pytest.raises(convcalc.ConvcalcError, match=rf"linear1\.weight {text}"):
        NET.run(np.zeros((1, 4), dtype), {**WEIGHTS, "linear1.weight": array})
