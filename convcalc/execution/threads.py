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
from typing import Any

_MOST = 8
"""Workers beyond this wait for Python more than they compute."""


def workers(threads: int | None = None) -> int:
    """How many workers share the work: as many as asked for, or as there are cores.

    One, where the threads of BLAS cannot be set.
    """
    if _blas() is None:
        return 1
    if threads is not None:
        return threads
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(cores or 1, _MOST)


@contextmanager
def blas_threads(threads: int) -> Iterator[None]:
    """BLAS with so many threads, where that can be set; as before afterwards."""
    found = _blas()
    if found is None:
        yield
    else:
        with found.limit(limits=threads, user_api="blas"):
            yield


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
