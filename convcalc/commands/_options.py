"""What commands share: the SPEC argument, variables on the line, and where output goes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from convcalc.errors import SpecError, UsageError, shorten
from convcalc.network import Network
from convcalc.spec.document import read_file, read_string
from convcalc.spec.zoo import decode, zoo_names

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    ParamType = click.ParamType[Any]
else:
    ParamType = click.ParamType  # it is no generic before click 8.4

F = TypeVar("F", bound=Callable[..., Any])


class OneOf(ParamType):
    """A text that the shell completes from some names, and from files where `files` says so."""

    def __init__(self, name: str, names: Callable[[], Iterable[str]], files: bool = False) -> None:
        self.name = name
        self.names = names
        self.files = files

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        names = sorted(name for name in self.names() if name.startswith(incomplete))
        files = [CompletionItem(incomplete, type="file")] if self.files else []
        return [*map(CompletionItem, names), *files]


SPEC = OneOf("spec", zoo_names, files=True)


def specs_argument(command: F) -> F:
    """SPEC…: one or more."""
    return click.argument("specs", metavar="SPEC...", nargs=-1, required=True, type=SPEC)(command)


def format_option(*formats: str) -> Callable[[F], F]:
    """--format."""
    return click.option(
        "--format", "form", type=click.Choice(formats), default=None, metavar="|".join(formats),
        help=f"The form of the output (default: {formats[0]}, or the suffix of -o).",
    )  # fmt: skip


def output_option(command: F) -> F:
    """-o FILE."""
    return click.option(
        "-o", "--output", metavar="FILE",
        help="Write to a file instead: whole, or not at all.",
    )(command)  # fmt: skip


def variables_options(command: F) -> F:
    """--set and --batch."""
    command = click.option(
        "--batch", metavar="N", help="The batch size N (default: 1)."
    )(command)  # fmt: skip
    return click.option(
        "--set", "settings", metavar="NAME=VALUE", multiple=True,
        help="A value for a variable of the spec, e.g. --set H=256 or --set 'depths=[2, 2, 2, 2]'.",
    )(command)  # fmt: skip


def parse_settings(settings: tuple[str, ...], batch: str | None) -> dict[str, str]:
    """NAME=VALUE, several times, as a mapping.

    Raises:
        UsageError: one is of another form, or a name stands twice.
    """
    values: dict[str, str] = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        name, value = name.strip(), value.strip()
        if not equals or not name or not value:
            raise UsageError(f"--set {shorten(setting)}: NAME=VALUE is due")
        if name in values:
            raise UsageError(f"--set {name} stands here twice")
        values[name] = value
    if batch is not None:
        if "N" in values:
            raise UsageError("--batch and --set N say the same thing: one will do")
        values["N"] = batch
    return values


def open_network(spec: str, values: dict[str, str]) -> Network:
    """The network that SPEC means."""
    if spec == "-":
        if sys.stdin is None:
            raise SpecError("standard input is closed")
        text = decode(sys.stdin.buffer.read(10_000_001), "standard input")
        return Network(read_string(text, "<stdin>"), values)
    return Network(read_file(spec), values)
