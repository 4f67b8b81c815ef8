"""Hints for what people write out of habit."""

from __future__ import annotations

import pytest

import convcalc


@pytest.mark.parametrize(
    ("layers", "text"),
    [
        ("  - relu\n    name: a\n", "With keys below it a layer keeps its colon: '- relu:'."),
        ("  - conv: {out_channels: 6 kernel: 3}\n", "Is a comma missing?"),
        ("  - conv:\n      kernel: 3\n   stride: 2\n", "Is the line indented like those it"),
        ("  - {relu: , if: true}\n", "unknown key 'if' beside a layer. Did you mean 'when'?"),
        (
            "  - conv: {out_channels: 6, kernel: 3, activation: relu}\n",
            "conv has no field 'activation'. An activation is an entry of its own: '- relu'",
        ),
        ("  - conv: {out_channels: width, kernel: 3}\n", "'width' is no variable. A whole number"),
    ],
)
def test_hints_at_entries(layers: str, text: str) -> None:
    with pytest.raises(convcalc.ConvcalcError) as error:
        convcalc.loads(f"input: [3, 8, 8]\nlayers:\n{layers}")
    assert text in str(error.value)


def test_hints_at_keys() -> None:
    with pytest.raises(convcalc.ConvcalcError, match=r"unknown key 'input_shape'\. Did you mean"):
        convcalc.loads("{input_shape: [3, 8, 8], layers: [relu]}")


def test_the_batch_in_terms_of_itself() -> None:
    with pytest.raises(convcalc.ConvcalcError, match="N cannot be given in terms of itself"):
        convcalc.load("lenet5", N="2 * N")
