"""Calls of an array module, recorded once and made again for every run.

A plan works on memory that stays where it is, so that every view can be made beforehand, and a run
is nothing but its calls. Steps are shared out among workers, which wait for one another in between.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from threading import Lock, Thread
from time import sleep
from typing import Any
from zlib import crc32

Call = tuple[Callable[..., Any], tuple[Any, ...], Any]
"""A function, its arguments, and the array that it writes, `out`."""


def copy(source: Any, out: Any) -> None:
    """Copy an array's elements into another."""
    out[...] = source


def fill(value: float, out: Any) -> None:
    """Give all elements one value."""
    out[...] = value


_LOOKS = 8
_ZEROS = bytes(1 << 14)


class _Team:
    """Workers that wait for one another, and end together when one fails.

    They wait by looking again and again, for steps take less time than it takes a system to wake
    a thread that sleeps. Between two looks they leave Python's lock to those that compute, some
    microseconds each; who waits for longer leaves the processor, too.
    """

    def __init__(self, workers: int) -> None:
        self.failure: BaseException | None = None
        self._missing = self.workers = workers
        self._counting = Lock()
        self._step = 0

    def go_on(self) -> bool:
        """Wait for the others; False if one of them failed."""
        step = self._step
        with self._counting:
            self._missing -= 1
            if self._missing == 0:
                self._missing = self.workers
                self._step += 1
        looks = 0
        while self._step == step and self.failure is None:
            if looks < _LOOKS:
                crc32(_ZEROS)  # computed without Python's lock
                looks += 1
            else:
                sleep(0)
        return self.failure is None

    def stop(self, failure: BaseException) -> None:
        """Let the others end with the step that they are at."""
        with self._counting:
            self.failure = self.failure or failure


Program = list[list[Call]]
"""What one worker does: its calls in every step."""


def play(programs: Sequence[Program], watch: Callable[[int], None] | None = None) -> None:
    """Run what was recorded, with a thread for every program but the first.

    Args:
        programs: one for every worker, of as many steps; they wait for one another after each.
        watch: called with the number of every step that the first worker has done.

    Raises:
        BaseException: what a call raised in any worker; all have ended then.
    """
    team = _Team(len(programs))
    threads = [
        Thread(target=_work, args=(programs[part], team, part), daemon=True)
        for part in range(1, len(programs))
    ]
    started: list[Thread] = []
    try:
        for thread in threads:
            thread.start()
            started.append(thread)
        _work(programs[0], team, 0, watch)
    except BaseException as error:  # a thread that cannot be started, an interrupt
        team.stop(error)
    for thread in started:
        _join(thread, team)
    if team.failure is not None:
        raise team.failure


def _join(thread: Thread, team: _Team) -> None:
    """Wait until a worker has ended; an interrupt ends them all, and is waited for, too."""
    while thread.is_alive():
        try:
            thread.join()
        except BaseException as error:
            team.stop(error)


def _work(
    program: Program, team: _Team, part: int, watch: Callable[[int], None] | None = None
) -> None:
    import numpy

    try:
        # numbers that are not finite are the output's to tell
        with numpy.errstate(all="ignore"), _on_core(part, team.workers) as let_go:
            for number, calls in enumerate(program):
                for function, args, out in calls:
                    function(*args, out=out)
                if not team.go_on():
                    return
                if watch is not None:
                    watch(number)
                if number == _APART:
                    let_go()
    except BaseException as error:
        team.stop(error)


_APART = 8
"""Steps after which the system may move workers."""


@contextmanager
def _on_core(part: int, parts: int) -> Iterator[Callable[[], None]]:
    """Have the calling thread run on a processor core that no other worker has, until let go.

    A system wakes threads on one core where the others have been asleep, as those of virtual
    machines soon are, and takes milliseconds to part them.
    """
    get: Any = getattr(os, "sched_getaffinity", None)
    allowed = set(get(0)) if get is not None and parts > 1 else set()
    if len(allowed) < parts:
        yield _nothing
        return

    def use(cores: set[int]) -> None:
        with suppress(OSError):  # where that is not allowed, it is the system's to say
            os.sched_setaffinity(0, cores)

    try:
        # other processes start at other cores
        use({sorted(allowed)[(os.getpid() + part) % len(allowed)]})
        yield lambda: use(allowed)
    finally:
        use(allowed)


def _nothing() -> None:
    pass
