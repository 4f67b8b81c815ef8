"""The architectures that come with convcalc, and how a spec is found."""

from __future__ import annotations

import os
import re

from convcalc.errors import SpecError, UsageError, did_you_mean, shorten
from convcalc.spec.tree import MAX_BYTES

_ZOO_NAME = re.compile(r"(?:lectures/)?[A-Za-z0-9_]{1,100}")


# os.path throughout: a command that imports pathlib pays a twentieth of its time for it


def zoo_folder() -> str:
    """Where the zoo is: inside the installed package, or beside it in a checkout."""
    package = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
    inside = os.path.join(package, "architectures")
    beside = os.path.join(os.path.dirname(package), "architectures")
    return inside if os.path.isdir(inside) else beside


def specs_in(folder: str) -> list[str]:
    """The names of the specs in a folder, sorted; files that start with _ only serve others."""
    files = [file for file in os.listdir(folder) if file.endswith(".yaml") and file[0] not in "._"]
    return sorted(map(stem, files))


def zoo_names() -> list[str]:
    """The names of the zoo's architectures, sorted."""
    return specs_in(zoo_folder())


def lecture_names() -> list[str]:
    """The names of the networks of lecture slides, as lectures/alexnet; they are no zoo names."""
    return [f"lectures/{name}" for name in specs_in(os.path.join(zoo_folder(), "lectures"))]


def zoo_file(name: str) -> str | None:
    """The file of an architecture of the zoo, or of a network of lecture slides."""
    if not _ZOO_NAME.fullmatch(name):
        return None
    file = os.path.join(zoo_folder(), f"{name}.yaml")
    return file if os.path.isfile(file) else None


def stem(path: str) -> str:
    """The name of a file without its folder and its last suffix."""
    return os.path.splitext(os.path.basename(path))[0]


def find_spec(spec: str | os.PathLike[str]) -> str:
    """The file that a path or a zoo name means.

    A path wins over a zoo name; `vgg16.yaml` that is no file here is the zoo's.

    Raises:
        SpecError: there is no such file and no such architecture.
    """
    if not isinstance(spec, (str, os.PathLike)):
        raise UsageError(f"a path or a name is due, not a value of type {type(spec).__name__}")
    text = os.fsdecode(spec)
    if os.path.exists(text) and not (os.path.isdir(text) and zoo_file(text)):
        return text
    found = zoo_file(text.removesuffix(".yaml"))
    if found is None:
        hint = did_you_mean(text.lower(), lecture_names()) if "/" in text else ""
        hint = hint or did_you_mean(stem(text).lower(), zoo_names())
        of_lectures = f"lectures/{text.lower()}"
        if of_lectures in lecture_names():
            hint = (
                f"{hint.removesuffix('?') or 'Did you mean'}{' or' * bool(hint)} '{of_lectures}'?"
            )
        if _is_path(text):
            raise SpecError(f"there is no file '{shorten(text, 200)}'", hint=hint)
        raise SpecError(
            f"no file and no architecture '{shorten(text)}'",
            hint=hint or "'convcalc zoo' lists the architectures.",
        )
    return found


def _is_path(text: str) -> bool:
    """Whether it has a suffix of specs and reports, or a folder other than that of lectures."""
    folder, name = os.path.split(text)
    return folder not in ("", "lectures") or name.endswith((".yaml", ".yml", ".json"))


def matching(pattern: str) -> list[str]:
    """The zoo names that a pattern as resnet* stands for; any other text stands for itself.

    Raises:
        SpecError: it is a pattern, and no architecture matches.
    """
    if not any(letter in pattern for letter in "*?[") or os.path.exists(pattern):
        return [pattern]
    import fnmatch

    found = fnmatch.filter([*zoo_names(), *lecture_names()], pattern[:200])
    if "/" not in pattern:
        found = [name for name in found if "/" not in name]
    if not found:
        raise SpecError(
            f"no architecture matches '{shorten(pattern)}'",
            hint="'convcalc zoo' lists the architectures.",
        )
    return found


def read_text(path: str, what: str = "a spec") -> str:
    """The text of a file; `what` says what it should be.

    Raises:
        SpecError: it cannot be read, is too large, or is no UTF-8 text.
    """
    shown = shorten(path, 200)
    try:
        if os.path.isdir(path):
            raise SpecError(f"{shown} is a folder, not a spec file")
        with open(path, "rb", opener=_open_without_waiting) as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise SpecError(f"{shown}: {error.strerror or error}") from None
    return decode(data, shown, what)


def _open_without_waiting(path: str, flags: int) -> int:
    """A file descriptor; a named pipe that nobody writes to is an empty file."""
    descriptor = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
    os.set_blocking(descriptor, True)
    return descriptor


def decode(data: bytes, shown: str, what: str = "a spec") -> str:
    """The text of some bytes, which must be UTF-8 and of bounded size."""
    if len(data) > MAX_BYTES:
        raise SpecError(f"{shown} is larger than {MAX_BYTES // 10**6} MB, too large for {what}")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SpecError(
            f"{shown} is no UTF-8 text (byte {error.start + 1})",
            hint="Save it as UTF-8."
            if data[:2] in (b"\xff\xfe", b"\xfe\xff")
            else "A spec is a YAML file, encoded in UTF-8.",
        ) from None
    if "\0" in text:
        raise SpecError(f"{shown} is no text: it holds NUL characters")
    return text
