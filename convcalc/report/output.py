"""Where output goes: standard output, in colour on a terminal, or a file, whole or not at all."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from convcalc.errors import OutputError, shorten
from convcalc.report.terminal import STYLES, Rendered


def terminal_width() -> int | None:
    """What COLUMNS says, or the width of the terminal that standard output is, or None."""
    with suppress(KeyError, ValueError):
        columns = int(os.environ["COLUMNS"])
        if columns > 0:
            return columns
    if not sys.stdout.isatty():
        return None
    with suppress(OSError):
        return os.get_terminal_size(sys.stdout.fileno()).columns or 80
    return 80


def show(rendered: Rendered) -> None:
    """Write a table to standard output, with colours where it is a terminal."""
    # NO_COLOR and dumb terminals need no rich, which costs more than the table
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") in ("dumb", "unknown")
    forced = os.environ.get("FORCE_COLOR")
    if (sys.stdout.isatty() or forced) and not plain:
        lines = rendered.ansi(painter())
    else:
        lines = rendered.plain()
    write("\n".join(lines))


def write(text: str) -> None:
    """Write text and a newline to standard output."""
    with suppress(AttributeError):
        # a terminal that knows no box characters gets question marks, not a traceback
        sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    sys.stdout.write(text + "\n")


def painter() -> Callable[[str, str], str]:
    """What adds a style's terminal codes to a text."""
    from rich.color import ColorSystem
    from rich.style import Style

    codes = {}
    for name, definition in STYLES.items():
        before, after = "", ""
        if definition:
            painted = Style.parse(definition).render("\0", color_system=ColorSystem.STANDARD)
            before, after = painted.split("\0")
        codes[name] = before, after

    def paint(text: str, style: str) -> str:
        before, after = codes[style]
        return f"{before}{text}{after}" if before else text

    return paint


def save(text: str, target: str) -> None:
    """Write text to a file: whole, or, where that fails, not at all.

    Raises:
        OutputError: the file cannot be written.
    """
    with replacing(target) as path, open(path, "w", encoding="utf-8") as file:
        file.write(text + "\n")


@contextmanager
def replacing(target: str) -> Iterator[str]:
    """A path to write to, which takes the place of `target` when the block ends without an error.

    Raises:
        OutputError: the file cannot be written.
    """
    import tempfile

    path = os.path.realpath(target)
    try:
        if os.path.exists(path) and not os.path.isfile(path):
            if os.path.isdir(path):
                raise OutputError(f"{shorten(target, 200)} is a folder, not a file to write to")
            yield path  # a device
            return
        descriptor, name = tempfile.mkstemp(prefix=".convcalc-", dir=os.path.dirname(path))
        os.close(descriptor)
        try:
            yield name
            os.chmod(name, _mode(path))
            os.replace(name, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(name)
            raise
    except OSError as error:
        raise OutputError(
            f"{shorten(target, 200)} cannot be written: {error.strerror or error}"
        ) from None


def _mode(path: str) -> int:
    """The permissions of the file that is replaced, or those of a new one."""
    with suppress(OSError):
        return os.stat(path).st_mode & 0o7777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
