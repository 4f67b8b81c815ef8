"""Any value of any field of any layer: a network, or a clear error; never anything else."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

import convcalc
from convcalc.layer import fields
from convcalc.layers import layer_class, layer_names

NUMBERS = st.sampled_from([-3, -1, 0, 1, 2, 3, 7, 10**9, 10**30, 1.5, Fraction(1, 3), 0.1])
WORDS = st.sampled_from(
    ["same", "valid", "same_lower", "nearest", "bilinear", "reflect", "relu", "true", "H", "H // 2",
     "H - 9", "no_such_name", "1 / 0", "", "x y", "[1, 2]"]
)  # fmt: skip
VALUES = st.recursive(
    NUMBERS | WORDS | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=2),
    max_leaves=6,
)
INPUTS = st.sampled_from([[6], [6, 9], [6, "H", 10], [6, 4, 5, 7]])


@pytest.mark.parametrize("name", sorted(layer_names()))
@settings(max_examples=60)
@given(st.data())
def test_every_field_of_every_layer(name: str, data: st.DataObject) -> None:
    layer = layer_class(name)
    given_values: dict[str, Any] = {}
    for field in fields(layer):
        if field.required or data.draw(st.booleans()):
            given_values[field.name] = data.draw(VALUES | st.integers(1, 4))
    value: Any = given_values or None
    if layer.merges:
        value = {**given_values, "branches": [[], ["relu"]]}
    spec = {
        "input": data.draw(INPUTS),
        "variables": {"H": 8},
        "layers": [{name: value}, {"relu": None, "when": "in_channels >= 0 or H > 0"}],
    }
    failed: convcalc.ConvcalcError | None = None
    try:
        report = convcalc.from_dict(spec).summarize()
    except convcalc.ConvcalcError as error:
        failed = error
    event("refused" if failed else "accepted")
    if failed:
        assert failed.where
        assert all(line.isprintable() for line in str(failed).split("\n"))
        assert len(str(failed)) < 1_000
        return
    assert report.totals.params >= 0
    assert report.to_dict()["layers"]
    assert str(report)
