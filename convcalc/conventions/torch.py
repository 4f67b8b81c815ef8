"""PyTorch's own counter, torch.utils.flop_counter.FlopCounterMode.

It sees the calls of aten's operators, module or function alike, and knows the matrix products,
convolutions and attentions of its `flop_registry` alone (flop_counter.py:822): each
multiply–accumulate as 2, the bias not at all (mm_flop :160, addmm_flop :172, conv_flop_count :215).
A transposed convolution is counted over its input.
"""

from convcalc.conventions.rules import (
    ACTIVATIONS,
    MERGES,
    MOVES,
    NORMS,
    POOLS,
    PRODUCTS,
    SOFTMAXES,
    Convention,
)

TORCH = Convention(
    name="torch",
    unit="FLOP",
    version="FlopCounterMode of PyTorch 2.13.0 and 2.14.1",
    evidence="measured",
    why="It knows matrix products and convolutions only, each multiply–accumulate as 2.",
    macs=2,
    zero=f"{PRODUCTS} {NORMS} {ACTIVATIONS} {SOFTMAXES} {POOLS} {MERGES} {MOVES} "
    "local_response_norm mean scale upsample",
)
