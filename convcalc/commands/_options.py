"""What commands share: the SPEC argument, variables on the line, and where output goes."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from convcalc.analysis.memory import BYTES
from convcalc.errors import SpecError, UsageError, shorten
from convcalc.network import Network
from convcalc.report.formats import DOCUMENTS, SUFFIXES
from convcalc.report.output import save, show, terminal_width, write
from convcalc.report.page import Page, written
from convcalc.report.table import AUTO, BYTE_UNITS, COUNTS
from convcalc.spec.document import read_file, read_string
from convcalc.spec.tree import MAX_BYTES
from convcalc.spec.zoo import decode, lecture_names, zoo_names

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


def _known_specs() -> list[str]:
    return [*zoo_names(), *lecture_names()]


SPEC = OneOf("spec", _known_specs, files=True)


def specs_argument(command: F) -> F:
    """SPEC…: one or more, of which one may be standard input."""
    return click.argument(
        "specs", metavar="SPEC...", nargs=-1, required=True, type=SPEC, callback=_check_specs
    )(command)


def _check_specs(
    ctx: click.Context, param: click.Parameter, specs: tuple[str, ...]
) -> tuple[str, ...]:
    if specs.count("-") > 1:
        raise UsageError("standard input can be one of the specs only")
    return specs


def format_option(*formats: str) -> Callable[[F], F]:
    """--format."""
    return click.option(
        "--format", "form", type=click.Choice(formats), default=None, metavar="|".join(formats),
        help=f"The form of the output (default: {formats[0]}, or the suffix of -o).",
    )  # fmt: skip


def table_options(command: F, further: Sequence[str] = ()) -> F:
    """--format, --fragment and -o of what is a table, and has further formats."""
    command = click.option(
        "--fragment", is_flag=True,
        help="Only the contents, to be put into slides or a page; without it, LaTeX and HTML are "
        "whole documents, which compile and show as they stand.",
    )(output_option(command))  # fmt: skip
    return format_option(*SUFFIXES, *further)(command)


def table_format(
    form: str | None, output: str | None, fragment: bool, further: dict[str, str] | None = None
) -> str:
    """The format of a table: as given, or as the suffix of -o says, or text.

    Args:
        form: what --format says.
        output: what -o says.
        fragment: whether there is --fragment.
        further: other formats, by the suffixes of their files.

    Raises:
        UsageError: there is no format for a file of that suffix, or it has no fragments.
    """
    suffixes = {suffix: name for name, suffix in SUFFIXES.items()}
    form = chosen_format(form, output, {**suffixes, **(further or {})})
    if fragment and form not in DOCUMENTS:
        raise UsageError(
            f"--fragment is for {' and '.join(DOCUMENTS)}, and this is {form}",
            hint="What is no document is a fragment already.",
        )
    return form


def deliver_pages(
    pages: Iterable[Page], form: str, output: str | None, fragment: bool = False, **options: Any
) -> None:
    """Show pages as they come, or write them to the file of -o, all together."""
    if form != "text" or output is not None:
        deliver(written(list(pages), form, fragment=fragment, **options), output)
        return
    for i, page in enumerate(pages):
        if i:
            write("")
        show(page.rendered(terminal_width(), **options))


def dtype_option(command: F) -> F:
    """--dtype."""
    return click.option(
        "--dtype", type=click.Choice(tuple(BYTES)), default="float32", metavar="|".join(BYTES),
        help="What the bytes are counted for (default: float32).",
    )(command)  # fmt: skip


def no_bias_option(command: F) -> F:
    """--no-bias."""
    return click.option(
        "--no-bias", is_flag=True, help="Do not count biases among the parameters."
    )(command)  # fmt: skip


_COUNTS = ("exact", *COUNTS, AUTO)
_BYTES = ("exact", *BYTE_UNITS, AUTO)


def rounding_options(command: F) -> F:
    """--numbers, --memory and --digits."""
    command = click.option(
        "--digits", type=click.IntRange(0, 9), metavar="N",
        help="Digits after the point of rounded numbers (default: 1).",
    )(command)  # fmt: skip
    command = click.option(
        "--memory", type=click.Choice(_BYTES), metavar="|".join(_BYTES),
        help="Round bytes; 1 MB = 10⁶ bytes, 1 MiB = 2²⁰ bytes; auto as of --numbers (default: "
        "exact).",
    )(command)  # fmt: skip
    return click.option(
        "--numbers", type=click.Choice(_COUNTS), metavar="|".join(_COUNTS),
        help="Round counts to thousands (K), millions (M), …; auto takes for each number the unit "
        "that suits it (default: exact).",
    )(command)  # fmt: skip


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


def parse_settings(
    settings: tuple[str, ...],
    batch: str | None,
    option: str = "--set",
    form: str = "NAME=VALUE",
) -> dict[str, str]:
    """NAME=VALUE, several times, as a mapping.

    Raises:
        UsageError: one is of another form, or a name stands twice.
    """
    values: dict[str, str] = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        name, value = name.strip(), value.strip()
        if not equals or not name or not value:
            raise UsageError(f"{option} {shorten(setting)}: {form} is due")
        if name in values:
            raise UsageError(f"{option} {name} stands here twice")
        values[name] = value
    if batch is not None:
        if "N" in values:
            raise UsageError("--batch and --set N say the same thing: one will do")
        values["N"] = batch
    return values


def check_symbolic(names: str, values: dict[str, str]) -> None:
    """Raise if what --symbolic names has a value on the line too.

    Raises:
        UsageError: it has.
    """
    for name in names.split(","):
        if name.strip() in values:
            raise UsageError(f"{name.strip()} is given a number and left symbolic: one will do")


def chosen_format(form: str | None, output: str | None, suffixes: dict[str, str]) -> str:
    """The form of the output: as given, or as the suffix of -o says, or the first there is.

    Args:
        form: what --format says.
        output: what -o says.
        suffixes: the forms by the suffixes of their files, the usual one first.

    Raises:
        UsageError: there is no such form for a file of that suffix.
    """
    usual = next(iter(suffixes.values()))
    if output is None:
        return form or usual
    if not output:
        raise UsageError("-o: an empty file name")
    suffix = os.path.splitext(output)[1].lower()
    if form is None and suffix in OTHER_SUFFIXES and suffix not in suffixes:
        known = ", ".join(f"{ending} {name}" for ending, name in suffixes.items())
        raise UsageError(
            f"-o {shorten(output, 200)}: no form of this output is a {suffix} file",
            hint=f"There are {known}; --format chooses one for any file.",
        )
    return form or suffixes.get(suffix, usual)


OTHER_SUFFIXES = (
    ".json", ".csv", ".tex", ".md", ".html", ".py", ".ipynb", ".xlsx", ".pdf", ".svg", ".png",
    ".jpg", ".gif", ".dot", ".mmd", ".yaml", ".yml", ".onnx", ".npy", ".npz", ".safetensors",
)  # fmt: skip
"""Suffixes with which a file of plain text would be a surprise, and might replace a spec."""


def deliver(text: str, output: str | None) -> None:
    """Write text to standard output, or to the file of -o."""
    if output is None:
        write(text)
    else:
        save(text, output)


def open_network(spec: str, values: dict[str, str], build: bool = True) -> Network:
    """The network that SPEC means; not built yet, without `build`: its values may be illegal."""
    if spec == "-":
        return Network(read_string(read_stdin(), "<stdin>"), values, build)
    return Network(read_file(spec), values, build)


def read_stdin(what: str = "a spec") -> str:
    """The text of standard input; `what` says what it should be.

    Raises:
        SpecError: it is closed, too large, or no text.
    """
    if sys.stdin is None:
        raise SpecError("standard input is closed")
    return decode(sys.stdin.buffer.read(MAX_BYTES + 1), "standard input", what)
