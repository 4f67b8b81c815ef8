"""Where networks run: NumPy on the processor, or CuPy on a GPU; and the memory that is free."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from convcalc.arrays import Array
from convcalc.errors import ConvcalcError, UsageError, did_you_mean, shorten

NAMES = ("numpy", "cupy", "auto")


class Backend:
    """NumPy: an array module, the way of arrays to it and back, and the memory there.

    Another is a subclass. `xp` is the array module, `device` what it computes on.
    """

    shares_work: ClassVar[bool] = True
    """Whether several threads are faster than one."""
    cache_values: ClassVar[int | None] = 1 << 17
    """How many values kernels should work on at once: half a megabyte of float32, within an L2; or
    all (None)."""

    def __init__(self, device: str = "the processor, with NumPy") -> None:
        import numpy

        self.xp: Any = numpy
        self.device = device

    def holds(self, array: Any) -> bool:
        """Whether something is an array of this module."""
        return isinstance(array, self.xp.ndarray)

    def to_device(self, array: Any) -> Array:
        """An array of this module with the numbers of one of NumPy's, or of its own."""
        return self.xp.asarray(array)

    def to_host(self, array: Array) -> Any:
        """An array of NumPy's with the numbers of one of this module's."""
        return array

    def free_bytes(self) -> int | None:
        """The memory that arrays can have now; None where nobody says."""
        return available_bytes()

    def wait(self) -> None:
        """Return when all is computed that was asked for."""

    def sum_taps(self, windows: Array, taps: Array, out: Array) -> None:
        """Write the sum over i and j of windows (n, h, i, j, p) times taps (i, j, p).

        NumPy's `einsum` makes fused multiply–adds of it, twice as fast as a product and a sum.
        """
        self.xp.einsum("nhijp,ijp->nhp", windows, taps, out=out)

    @contextmanager
    def running(self, what: str) -> Iterator[None]:
        """A run: float32 is computed in full, and memory that does not do is an error.

        Args:
            what: the name of the run in the error.

        Raises:
            ConvcalcError: memory was asked for that was not there.
        """
        try:
            with self._in_full():
                yield
        except MemoryError as error:
            said = f": {shorten(str(error), 200)}" if str(error) else ""
            raise ConvcalcError(
                f"{what}: the memory of {self.device} does not do{said}", hint=SMALLER
            ) from None
        finally:
            self._release()

    @contextmanager
    def _in_full(self) -> Iterator[None]:
        yield

    def _release(self) -> None:
        """Give memory back that is kept for later arrays."""


class CuPy(Backend):
    """CuPy, on the GPU that it has chosen: the first, or that of CUDA_VISIBLE_DEVICES.

    CuPy's products of float32 matrices are rounded to TF32, ten bits of mantissa, only where the
    environment says CUPY_TF32=1 (docs.cupy.dev, Environment variables); a run turns this off, for
    the whole process, and back on. CuPy keeps the memory of arrays that are gone: a run gives its
    own back, and what is kept counts as free.

    Raises:
        UsageError: there is no CuPy, or no GPU on which it works.
    """

    shares_work = False
    cache_values = None

    def __init__(self) -> None:
        try:
            import cupy
        except ModuleNotFoundError as error:
            if error.name != "cupy":
                raise _broken(error) from None
            raise UsageError(
                "CuPy is not installed", hint="pip install 'convcalc[gpu]', or 'convcalc[gpu13]' "
                "for CUDA 13.",
            ) from None  # fmt: skip
        except Exception as error:  # a library of CUDA's that is missing or too old
            raise _broken(error) from None
        self.xp = cupy
        try:  # a kernel compiled, a product by cuBLAS, and a copy back
            square = cupy.ones((2, 2), "float32")
            works = float(cupy.matmul(square + 1, square).sum().get()) == 16
            properties = cupy.cuda.runtime.getDeviceProperties(cupy.cuda.Device().id)
        except Exception as error:  # whatever CUDA, its driver or its compiler raises
            raise _broken(error) from None
        if not works:
            raise _broken("2 × 2 ones are multiplied wrongly")
        self.device = f"{properties['name'].decode()}, with CuPy"

    def to_host(self, array: Array) -> Any:
        return self.xp.asnumpy(array)

    def free_bytes(self) -> int | None:
        free: int = self.xp.cuda.Device().mem_info[0]
        pool = self.xp.get_default_memory_pool()
        free += pool.free_bytes()
        limit = pool.get_limit()  # 0 where there is none
        return min(free, limit - pool.used_bytes()) if limit else free

    def sum_taps(self, windows: Array, taps: Array, out: Array) -> None:
        # CuPy's einsum takes no out, and would spread the windows out in memory
        out[...] = 0
        for i in range(taps.shape[0]):
            for j in range(taps.shape[1]):
                out += windows[:, :, i, j] * taps[i, j]

    def wait(self) -> None:
        self.xp.cuda.get_current_stream().synchronize()

    @contextmanager
    def _in_full(self) -> Iterator[None]:
        from cupy._core import _routines_linalg as products  # no public name sets this

        before = products.get_compute_type("float32")
        products.set_compute_type("float32", products.COMPUTE_TYPE_DEFAULT)
        try:
            yield
        finally:
            products.set_compute_type("float32", before)

    def _release(self) -> None:
        self.xp.get_default_memory_pool().free_all_blocks()
        self.xp.get_default_pinned_memory_pool().free_all_blocks()


SMALLER = "A smaller input or batch needs less."


def backend(name: str | Backend) -> Backend:
    """The backend of a name, `numpy`, `cupy` or `auto`: a GPU where one works, else NumPy.

    Raises:
        UsageError: there is none of that name, or `cupy` does not work here.
    """
    if isinstance(name, Backend):
        return name
    name = str(name)
    if name == "numpy":
        return Backend()
    if name == "cupy":
        return CuPy()
    if name == "auto":
        try:
            return CuPy()
        except UsageError as error:
            return Backend(f"the processor, with NumPy: {error.fact}")
    hint = did_you_mean(name, NAMES) or f"There are {', '.join(NAMES)}."
    raise UsageError(f"no backend '{shorten(name)}'", hint=hint)


def _broken(error: object) -> UsageError:
    said = shorten(str(error).strip().partition("\n")[0], 200)
    return UsageError(f"CuPy finds no GPU that works ({said})", hint="NumPy needs none.")


def available_bytes(root: str = "/") -> int | None:
    """The memory of the host that is free now; None where the system does not say.

    In a container it is what its limit leaves: of control groups of version 1 or 2, those of all
    groups around this process. Pages of files that are not in use can be had again, and count as
    free (Linux, Documentation/admin-guide/cgroup-v2.rst, memory.stat).

    Args:
        root: the folder that holds `proc` and `sys`.
    """
    free = [_field(f"{root}proc/meminfo", "MemAvailable:", 1024)]
    for line in _lines(f"{root}proc/self/cgroup"):
        number, controllers, path = f"{line}::".split(":", 3)[:3]
        mounts: tuple[str, ...] = ("", "/unified")
        if number == "0":
            names = ("memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            mounts = ("/memory",)
        else:
            continue
        steps = path.strip("/").split("/")
        for depth in range(len(steps) + 1):
            group = "/".join(["", *steps[:depth]])
            free += [_left(f"{root}sys/fs/cgroup{mount}{group}", *names) for mount in mounts]
    return min((size for size in free if size is not None), default=None)


def _left(folder: str, limit: str, used: str, cached: str) -> int | None:
    """What a control group may still take."""
    most = _field(f"{folder}/{limit}", "")
    taken = _field(f"{folder}/{used}", "")
    if most is None or taken is None:
        return None
    return max(0, most - taken + (_field(f"{folder}/memory.stat", cached) or 0))


def _field(path: str, name: str, unit: int = 1) -> int | None:
    """The number after a name in a file of the kernel's, or the number that is all of it."""
    for line in _lines(path):
        words = line.split()
        if name:
            words = words[1:] if words[:1] == [name] else []
        if words and words[0].isdecimal():
            return int(words[0]) * unit
    return None


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(65_536).splitlines()
    except OSError:
        return []
