"""The architectures that come with convcalc, and how a spec is found."""

from __future__ import annotations

import os
import re
from pathlib import Path

from convcalc.errors import SpecError, did_you_mean, shorten
from convcalc.spec.tree import MAX_BYTES

_ZOO_NAME = re.compile(r"\w+")


def zoo_folder() -> Path:
    """Where the zoo is: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    inside = package / "architectures"
    return inside if inside.is_dir() else package.parent / "architectures"


def zoo_names() -> list[str]:
    """The names of the zoo's architectures, sorted; files that start with _ only serve others."""
    return sorted(file.stem for file in zoo_folder().glob("[!_]*.yaml"))


def zoo_file(name: str) -> Path | None:
    """The file of an architecture of the zoo."""
    file = zoo_folder() / f"{name}.yaml"
    return file if _ZOO_NAME.fullmatch(name) and file.is_file() else None


def find_spec(spec: str | os.PathLike[str]) -> Path:
    """The file that a path or a zoo name means.

    A path wins over a zoo name; `vgg16.yaml` that is no file here is the zoo's.

    Raises:
        SpecError: there is no such file and no such architecture.
    """
    path = Path(spec)
    text = os.fspath(spec)
    if "\0" in text:
        raise SpecError("a path with a NUL character")
    try:
        exists = path.exists()
    except OSError as error:
        raise SpecError(f"{shorten(text)}: {error.strerror}") from None
    if exists and not (path.is_dir() and zoo_file(text)):
        return path
    found = zoo_file(text.removesuffix(".yaml"))
    if found is None:
        hint = did_you_mean(path.stem, zoo_names())
        raise SpecError(
            f"no file and no architecture '{shorten(text)}'",
            hint=hint or "'convcalc zoo' lists the architectures.",
        )
    return found


def read_text(path: Path) -> str:
    """The text of a spec file.

    Raises:
        SpecError: it cannot be read, is too large, or is no UTF-8 text.
    """
    shown = shorten(str(path), 200)
    try:
        if path.is_dir():
            raise SpecError(f"{shown} is a folder, not a spec file")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise SpecError(f"{shown}: {error.strerror or error}") from None
    return decode(data, shown)


def decode(data: bytes, shown: str) -> str:
    """The text of some bytes, which must be UTF-8 and of bounded size."""
    if len(data) > MAX_BYTES:
        raise SpecError(f"{shown} is larger than {MAX_BYTES // 10**6} MB, too large for a spec")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SpecError(
            f"{shown} is no UTF-8 text (byte {error.start + 1})",
            hint="Save it as UTF-8." if data[:2] in (b"\xff\xfe", b"\xfe\xff") else
            "A spec is a YAML file, encoded in UTF-8.",
        ) from None
    if "\0" in text:
        raise SpecError(f"{shown} is no text: it holds NUL characters")
    return text
