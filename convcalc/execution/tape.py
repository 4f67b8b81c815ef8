"""Calls of an array module, recorded once and made again for every run.

A plan works on memory that stays where it is, so that every view can be made beforehand, and a run
is nothing but its calls. Steps are shared out among workers, which wait for one another in between.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Lock, Thread
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

    Its barrier takes a third of the time of threading's.
    """

    def __init__(self, workers: int, shared: bool) -> None:
        self.failure: BaseException | None = None
        self._shared = shared
        self._missing = self._workers = workers
        self._counting = Lock()
        self._gates = [Lock() for _ in range(workers)]
        for gate in self._gates:
            gate.acquire()

    def go_on(self, worker: int) -> bool:
        """Wait for the others where steps are shared; False if one of them failed."""
        if self._shared:
            with self._counting:
                self._missing -= 1
                is_last = self._missing == 0
                if is_last:
                    self._missing = self._workers
                    self._open(worker)
            if not is_last:
                self._gates[worker].acquire()
        return self.failure is None

    def stop(self, worker: int, failure: BaseException) -> None:
        """Let the others go, and end with their next step."""
        with self._counting:
            self.failure = self.failure or failure
            self._open(worker)

    def _open(self, worker: int) -> None:
        for other, gate in enumerate(self._gates):
            if other != worker and gate.locked():
                gate.release()


Program = list[list[Call]]
"""What one worker does: its calls in every step."""


def play(
    programs: Sequence[Program], shared: bool, watch: Callable[[int], None] | None = None
) -> None:
    """Run what was recorded, with a thread for every program but the first.

    Args:
        programs: one for every worker.
        shared: whether the workers share their steps, and wait for one another after each.
        watch: called with the number of every step that the first worker has done.

    Raises:
        BaseException: what a call raised in any worker; all have ended then.
    """
    team = _Team(len(programs), shared and len(programs) > 1)
    threads = [
        Thread(target=_work, args=(program, number, team), daemon=True)
        for number, program in enumerate(programs) if number
    ]  # fmt: skip
    for thread in threads:
        thread.start()
    _work(programs[0], 0, team, watch)
    for thread in threads:
        thread.join()
    if team.failure is not None:
        raise team.failure


def _work(
    program: Program, worker: int, team: _Team, watch: Callable[[int], None] | None = None
) -> None:
    try:
        for number, calls in enumerate(program):
            for function, args, out in calls:
                function(*args, out=out)
            if not team.go_on(worker):
                return
            if watch is not None:
                watch(number)
    except BaseException as error:
        team.stop(worker, error)
