"""What layers compute with."""

from __future__ import annotations

import math

import numpy
import pytest

from convcalc.arrays import erf


@pytest.mark.parametrize(("dtype", "units"), [("float64", 4), ("float32", 4)])
def test_erf_to_a_few_units_in_the_last_place(dtype: str, units: int) -> None:
    magnitudes = numpy.concatenate([numpy.linspace(0, 7, 20_001), numpy.geomspace(1e-30, 1, 500)])
    x = numpy.concatenate([magnitudes, -magnitudes]).astype(dtype)
    due = numpy.array([math.erf(value) for value in x])
    y = erf(numpy, x)
    assert y.dtype == dtype
    assert (abs(y - due) <= units * numpy.spacing(abs(y))).all()


def test_erf_of_what_is_no_number_or_has_no_end() -> None:
    y = erf(numpy, numpy.array([math.inf, -math.inf, math.nan]))
    assert y[:2].tolist() == [1, -1]
    assert math.isnan(y[2])
