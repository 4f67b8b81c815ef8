"""Calls of an array module, recorded once and made again for every run.

A plan works on memory that stays where it is, so that every view can be made beforehand, and a run
is nothing but its calls. Steps are shared out among workers, which wait for one another in between.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Lock, Thread
from time import sleep
from typing import Any

Call = tuple[Callable[..., Any], tuple[Any, ...], Any]
"""A function, its arguments, and the array that it writes, `out`."""


def copy(source: Any, out: Any) -> None:
    """Copy an array's elements into another."""
    out[...] = source


def fill(value: float, out: Any) -> None:
    """Give all elements one value."""
    out[...] = value


class _Team:
    """Workers that wait for one another, and end together when one fails.

    They wait by looking again and again, for steps take less time than it takes a system to wake
    a thread that sleeps.
    """

    def __init__(self, workers: int) -> None:
        self.failure: BaseException | None = None
        self._missing = self._workers = workers
        self._counting = Lock()
        self._step = 0

    def go_on(self) -> bool:
        """Wait for the others; False if one of them failed."""
        step = self._step
        with self._counting:
            self._missing -= 1
            if self._missing == 0:
                self._missing = self._workers
                self._step += 1
        while self._step == step and self.failure is None:
            sleep(0)  # lets the others have Python's lock
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
    threads = [Thread(target=_work, args=(each, team), daemon=True) for each in programs[1:]]
    started: list[Thread] = []
    try:
        for thread in threads:
            thread.start()
            started.append(thread)
        _work(programs[0], team, watch)
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


def _work(program: Program, team: _Team, watch: Callable[[int], None] | None = None) -> None:
    import numpy

    try:
        # numbers that are not finite are the output's to tell
        with numpy.errstate(all="ignore"):
            for number, calls in enumerate(program):
                for function, args, out in calls:
                    function(*args, out=out)
                if not team.go_on():
                    return
                if watch is not None:
                    watch(number)
    except BaseException as error:
        team.stop(error)
