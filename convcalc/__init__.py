"""convcalc: the calculator for neural-network architectures.

>>> import convcalc
>>> net = convcalc.load("vgg16")
>>> net.summarize(H=256, W=256).totals.macs
20168212480
>>> print(convcalc.load("resnet18").formula("params"))
11,689,512
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from convcalc.dim import Dim as Dim
    from convcalc.errors import ConvcalcError as ConvcalcError
    from convcalc.network import Network as Network
    from convcalc.network import compare as compare
    from convcalc.network import diff as diff
    from convcalc.network import from_dict as from_dict
    from convcalc.network import load as load
    from convcalc.network import loads as loads
    from convcalc.report.report import Report as Report

__version__ = "0.1.0"

# loaded when they are used: `import convcalc` itself costs nothing
_HOMES = {
    "Dim": "convcalc.dim",
    "ConvcalcError": "convcalc.errors",
    "Network": "convcalc.network",
    "Report": "convcalc.report.report",
    "compare": "convcalc.network",
    "diff": "convcalc.network",
    "from_dict": "convcalc.network",
    "load": "convcalc.network",
    "loads": "convcalc.network",
}

__all__ = [
    "ConvcalcError", "Dim", "Network", "Report", "compare", "diff", "from_dict", "load", "loads",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        import importlib

        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'convcalc' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
