"""Running a sweep: its tasks one after the other here, or side by side on a Dask cluster."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

from convcalc import __version__
from convcalc.analysis.sweep.plan import (
    Axis,
    Build,
    Structure,
    check_count,
    count,
    structures,
)
from convcalc.analysis.sweep.rows import Form, Grid, Rows, Selection, evaluate, joined
from convcalc.errors import ConvcalcError, UsageError, shorten
from convcalc.program import blocks

Progress = Callable[[int, int], None]
"""Called with the number of configurations that are done, and of all."""

MAX_VALUES = 100_000_000
"""That are kept in memory."""
_GRIDS = 32
"""Of a task: a million configurations, enough to be worth sending."""
_TASKS_PER_CORE = 4
_TIMEOUT = 5
"""Seconds to reach a scheduler."""


class Task(NamedTuple):
    """A piece of work that can be done anywhere: some grids of one structure."""

    form: Form
    grids: list[Grid]
    selection: Selection

    def run(self) -> Rows:
        """The rows that may be kept."""
        return evaluate(self.form, self.grids, self.selection)


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
        UsageError: there are too many configurations, a name is no variable or has no value, an
            objective is no number, or more rows are kept than memory should hold.
        ConvcalcError: the scheduler cannot be reached.
    """
    check_count(axes, limit)
    _check_objectives(axes, selection)
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
            check_memory(waiting.values)
    if waiting is not None:
        yield waiting


def check_memory(values: int) -> None:
    """Raise if more values are kept in memory than is reasonable.

    Raises:
        UsageError: with the ways out.
    """
    if values > MAX_VALUES:
        raise UsageError(
            f"more than {MAX_VALUES:,} values to keep in memory",
            hint="Keep fewer rows, with --where, --pareto or --top, or write them to a .csv or "
            ".parquet file.",
        )


def _check_objectives(axes: Sequence[Axis], selection: Selection) -> None:
    words = {name for a in axes for name, column in a.items() if column.span is None}
    for name in (*selection.pareto, selection.by):
        if name.removeprefix("-") in words:
            raise UsageError(
                f"{name.removeprefix('-')} has values that are no numbers: it can neither be on a "
                "Pareto front nor be what --top goes by"
            )


def _tasks(
    found: Iterable[Structure], selection: Selection, misfits: list[str] | None
) -> Iterator[Task]:
    for structure in found:
        if structure.misfit and misfits is not None:
            misfits.append(structure.misfit)
        form = Form(structure.kernel, structure.scales)
        grids = _grids(structure)
        while some := list(islice(grids, _GRIDS)):
            yield Task(form, some, selection)


def _grids(structure: Structure) -> Iterator[Grid]:
    """The grid of a structure in parts, in order."""
    if structure.kernel is None:
        yield structure.axes
        return
    for part in blocks(tuple(a.size for a in structure.axes)):
        yield tuple(a.part(along) for a, along in zip(structure.axes, part, strict=True))


def _on_cluster(tasks: Iterable[Task], address: str) -> Iterator[Rows]:
    """The results in the order of the tasks, a few tasks per core under way.

    A task whose worker dies is run again by the scheduler; it gives the same rows anywhere.
    """
    client = _client(address)
    try:
        cores = _checked_cores(client, address)
        waiting: deque[Any] = deque()
        for task in tasks:
            waiting.append(client.submit(Task.run, task, pure=False))
            if len(waiting) >= _TASKS_PER_CORE * cores:
                yield _result(waiting.popleft())
        while waiting:
            yield _result(waiting.popleft())
    finally:
        client.close()


def _client(address: str) -> Any:
    """A client of a Dask scheduler.

    Raises:
        UsageError: Dask is not installed.
        ConvcalcError: there is no scheduler at the address.
    """
    try:
        from distributed import Client
        from distributed.comm.addressing import get_address_host_port, parse_address
    except ImportError:
        raise UsageError(
            "--scheduler needs Dask", hint="pip install 'convcalc[distributed]'"
        ) from None
    try:
        scheme, _ = parse_address(address)
        if scheme != "inproc":
            place = get_address_host_port(address)
            if scheme == "tcp":
                # Dask would try again and again, or wait for ever for a server of another kind
                with socket.create_connection(place, _TIMEOUT) as probe:
                    probe.recv(1)
        return Client(address, timeout=_TIMEOUT, set_as_default=False)  # type: ignore[no-untyped-call]
    except Exception as error:  # another server may answer anything
        raise ConvcalcError(
            f"no Dask scheduler at {shorten(address)}: {shorten(str(error), 200)}",
            hint="Its address is what `dask scheduler` prints, as tcp://10.0.0.1:8786.",
        ) from None


def _checked_cores(client: Any, address: str) -> int:
    """The cores of a cluster, all of whose workers have this version of convcalc."""
    cores = sum(client.ncores().values())
    if not cores:
        raise ConvcalcError(
            f"the Dask scheduler at {address} has no workers", hint=f"dask worker {address}"
        )
    for worker, found in client.get_versions(packages=["convcalc"])["workers"].items():
        version = found["packages"].get("convcalc")
        if version != __version__:
            has = f"convcalc {version}" if version else "no convcalc"
            raise ConvcalcError(
                f"the Dask worker at {worker} has {has}, and here is {__version__}",
                hint=f"On all workers, pip install convcalc=={__version__}",
            )
    return int(cores)


def _result(future: Any) -> Rows:
    try:
        return future.result()  # type: ignore[no-any-return]
    except ConvcalcError:
        raise
    except Exception as error:
        fact = f"{type(error).__name__}: {error}"
        raise ConvcalcError(f"the Dask cluster failed: {shorten(fact, 500)}") from None
