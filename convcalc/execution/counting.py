"""An array module that counts."""

from __future__ import annotations

import math
from typing import Any


class Counting:
    """An array module, and the multiply–accumulates of its matrix products.

    They are counted from the operands: a product of m × k and k × n costs m·k·n, for every pair of
    matrices in the axes before.
    """

    def __init__(self, xp: Any) -> None:
        self._xp = xp
        self.macs = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._xp, name)

    def matmul(self, a: Any, b: Any) -> Any:
        """The matrix product, counted."""
        product = self._xp.matmul(a, b)
        self.macs += math.prod(product.shape) * a.shape[-1]
        return product
