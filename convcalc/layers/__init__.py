"""The layers, a file a family. A file is imported when a layer in it is named.

The folder is the register: which layers a file holds is read from its `class …(…, name="…")`
lines, because importing all files would cost a command more time than all its own work.
"""

from __future__ import annotations

import importlib
import os
import re
from functools import cache

from convcalc.layer import REGISTRY, Layer

_LAYER_CLASS = re.compile(r'^class \w+\([\w, ]+, name="(\w+)"\)', re.MULTILINE)


@cache
def _modules() -> dict[str, str]:
    """The module that holds each layer."""
    found = {}
    folder = os.path.dirname(__file__)
    for file in sorted(os.listdir(folder)):
        if file.endswith(".py") and not file.startswith("_"):
            with open(os.path.join(folder, file), encoding="utf-8") as text:
                for name in _LAYER_CLASS.findall(text.read()):
                    found[name] = f"{__name__}.{file.removesuffix('.py')}"
    return found


def layer_names() -> frozenset[str]:
    """The names of all layers, found without importing them."""
    return frozenset(_modules())


def layer_class(name: str) -> type[Layer]:
    """The layer of that name; its file is imported if it was not.

    Raises:
        KeyError: there is none.
    """
    if name not in REGISTRY:
        importlib.import_module(_modules()[name])
    return REGISTRY[name]
