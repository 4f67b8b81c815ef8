"""Libraries that only some commands need."""

from __future__ import annotations

from convcalc.errors import UsageError

_INSTALLED_BY = {
    "onnx": "pip install 'convcalc[onnx]'",
    "onnxruntime": "pip install 'convcalc[onnx]'",
    "torch": "pip install torch",
}


def not_installed(name: str) -> UsageError:
    """The error that says which library is missing, and what installs it."""
    return UsageError(f"{name} is not installed", hint=_INSTALLED_BY[name])
