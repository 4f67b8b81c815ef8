"""Running a sweep: its tasks one after the other here, or side by side on a Dask cluster."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

from convcalc.analysis.sweep.plan import (
    Axis,
    Build,
    Structure,
    check_count,
    count,
    structures,
)
from convcalc.analysis.sweep.rows import Part, Rows, Selection, evaluate, joined
from convcalc.errors import ConvcalcError, UsageError
from convcalc.program import blocks

Progress = Callable[[int, int], None]
"""Called with the number of configurations that are done, and of all."""

_PARTS = 32
"""Of a task: a million configurations, enough to be worth sending."""
_TASKS_PER_CORE = 4


class Task(NamedTuple):
    """A piece of work that can be done anywhere: some parts of one structure's grid."""

    structure: Structure
    parts: list[Part]
    selection: Selection

    def run(self) -> Rows:
        """The rows that may be kept."""
        return evaluate(self.structure, self.parts, self.selection)


def sweep(
    axes: Sequence[Axis],
    build: Build,
    selection: Selection,
    *,
    progress: Progress | None = None,
    scheduler: str | None = None,
    limit: int,
    misfits: list[str] | None = None,
) -> Iterator[Rows]:
    """The rows of a sweep in the order of its configurations, as they are found.

    With a Pareto front or a top, all rows come at the end. The reasons why whole structures do not
    fit are added to `misfits`.

    Raises:
        UsageError: there are too many configurations, or a name is no variable.
        ConvcalcError: the scheduler cannot be reached.
    """
    check_count(axes, limit)
    tasks = _tasks(structures(axes, build), selection, misfits)
    found = map(Task.run, tasks) if scheduler is None else _on_cluster(tasks, scheduler)
    total, done = count(axes), 0
    waiting: Rows | None = None
    for rows in found:
        done += rows.configurations
        if progress is not None:
            progress(done, total)
        if selection.top is None and not selection.pareto:
            yield rows
        else:
            waiting = rows if waiting is None else joined([waiting, rows], selection)
    if waiting is not None:
        yield waiting


def _tasks(
    found: Iterable[Structure], selection: Selection, misfits: list[str] | None
) -> Iterator[Task]:
    for structure in found:
        if structure.misfit and misfits is not None:
            misfits.append(structure.misfit)
        parts = blocks(structure.shape)
        while some := list(islice(parts, _PARTS)):
            yield Task(structure, some, selection)


def _on_cluster(tasks: Iterable[Task], address: str) -> Iterator[Rows]:
    """The results in the order of the tasks, a few tasks per core under way.

    A task whose worker dies is run again by the scheduler; it gives the same rows anywhere.
    """
    try:
        from distributed import Client
    except ImportError:
        raise UsageError(
            "--scheduler needs Dask", hint="pip install 'convcalc[distributed]'"
        ) from None
    try:
        client: Any = Client(address, timeout="10s", set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError, TimeoutError) as error:
        raise ConvcalcError(
            f"no Dask scheduler at {address}: {error}",
            hint="Its address is what `dask scheduler` prints, as tcp://10.0.0.1:8786.",
        ) from None
    try:
        cores = sum(client.ncores().values())
        if not cores:
            raise ConvcalcError(f"the Dask scheduler at {address} has no workers")
        waiting: deque[Any] = deque()
        for task in tasks:
            waiting.append(client.submit(Task.run, task, pure=False))
            if len(waiting) >= _TASKS_PER_CORE * cores:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        client.close()
