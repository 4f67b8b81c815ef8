"""The --backend option of commands that run networks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from convcalc.execution.backends import NAMES, Backend, backend

F = TypeVar("F", bound=Callable[..., Any])


def backend_option(command: F) -> F:
    """--backend."""
    return click.option(
        "--backend", type=click.Choice(NAMES), default="numpy", metavar="|".join(NAMES),
        help="Where to run: auto is a GPU, by CuPy, where one works, else NumPy (default: numpy).",
    )(command)  # fmt: skip


def chosen_backend(name: str) -> Backend:
    """The backend of --backend; which one auto has chosen is said on standard error."""
    device = backend(name)
    if name == "auto":
        click.echo(f"Note: runs on {device.device}", err=True)
    return device
