"""A progress bar for commands that may take long."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress_bar(unit: str) -> Iterator[Callable[[int, int], None] | None]:
    """A bar on standard error where that is a terminal, from the second second on.

    What it gives is called with how many of the unit are done, and with how many there are.
    """
    if sys.stderr is None or not sys.stderr.isatty():
        yield None
        return
    import time

    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    bar = Progress(
        TextColumn(f"{{task.completed:,.0f}} of {{task.total:,.0f}} {unit}"),
        BarColumn(), TimeRemainingColumn(), console=Console(stderr=True), transient=True,
    )  # fmt: skip
    task = bar.add_task(unit)
    started = time.monotonic()

    def progress(done: int, total: int) -> None:
        if time.monotonic() - started > 1:
            bar.start()
        bar.update(task, completed=done, total=total)

    try:
        yield progress
    finally:
        bar.stop()
