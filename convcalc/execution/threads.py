"""How many threads run a network, and how many BLAS uses meanwhile.

Two workers that call BLAS with one thread each are faster than one worker whose BLAS has two, as
what lies between the products is shared, too. Both at once are slower than either: the threads of
BLAS wait by spinning. So there are several workers only where BLAS can be told to use one thread,
which takes threadpoolctl (the extra `fast`); without it BLAS's own threads do the work.
"""

from __future__ import annotations

import os
from functools import cache
from threading import Lock
from typing import Any

_MOST = 8
"""Workers beyond this wait for Python more than they compute."""


def workers(threads: int | None = None) -> int:
    """How many workers share the work: as many as asked for, and at most as there are cores.

    One, where the threads of BLAS cannot be set.
    """
    if _blas() is None:
        return 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    cores = min(cores or 1, _quota())
    return min(cores, _MOST if threads is None else threads)


def _quota() -> int:
    """How many cores' time a container may use; more workers would be stopped in turn.

    Source: Linux, "Control Group v2", cpu.max: microseconds in every so many, or max.
    """
    try:
        with open(_CPU_MAX, encoding="ascii") as file:
            time, period = file.read().split()
        return max(1, round(int(time) / int(period)))
    except (OSError, ValueError, ZeroDivisionError):
        return _MANY  # no such limit


_CPU_MAX = "/sys/fs/cgroup/cpu.max"
_MANY = 1 << 20


class _OneBlasThread:
    """BLAS with one thread, where that can be set, as long as anyone is within; as before then.

    The setting is the process's: the first to come changes it, and the last to leave restores it.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._users = 0
        self._limit: Any = None

    def __enter__(self) -> None:
        found = _blas()
        with self._lock:
            if self._users == 0 and found is not None:
                self._limit = found.limit(limits=1, user_api="blas")
            self._users += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0 and self._limit is not None:
                self._limit.restore_original_limits()
                self._limit = None


one_blas_thread = _OneBlasThread()


@cache
def _blas() -> Any:
    """What sets the threads of BLAS; None where nothing does."""
    try:
        from threadpoolctl import ThreadpoolController
    except ImportError:
        return None
    import numpy  # noqa: F401  # whose BLAS is looked for

    found = ThreadpoolController().select(user_api="blas")
    return found if found.info() else None
