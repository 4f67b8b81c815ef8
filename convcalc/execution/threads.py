"""How many threads run a network, and how many BLAS uses meanwhile.

Two workers that call BLAS with one thread each are faster than one worker whose BLAS has two, as
what lies between the products is shared, too. Both at once are slower than either: the threads of
BLAS wait by spinning. So there are several workers only where BLAS can be told to use one thread,
which takes threadpoolctl (the extra `fast`); without it BLAS's own threads do the work.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
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
    most = min(cores or 1, _MOST)
    return most if threads is None else min(threads, cores or 1)


@contextmanager
def blas_threads(threads: int) -> Iterator[None]:
    """BLAS with so many threads, where that can be set; as before afterwards."""
    found = _blas()
    if found is None:
        yield
        return
    with _setting:
        if _setting.users == 0:
            _setting.limit = found.limit(limits=threads, user_api="blas")
        _setting.users += 1
    try:
        yield
    finally:
        with _setting:
            _setting.users -= 1
            if _setting.users == 0:
                _setting.limit.restore_original_limits()


class _Setting:
    """BLAS's setting, which is the process's: the first to change it, and how many rely on it."""

    def __init__(self) -> None:
        self.users = 0
        self.limit: Any = None
        self._lock = Lock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


_setting = _Setting()


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
