"""DeepSpeed's FLOPs profiler, deepspeed/profiling/flops_profiler/profiler.py at 127756f.

calflops is a fork of it: the functions patched and their formulas are the same, but for
interpolation (_upsample_flops_compute), which multiplies its input by the scale.
"""

from convcalc.conventions.calflops import FUNCTIONS, ZERO, positions, scaled, sized
from convcalc.conventions.rules import Convention, Rule, outputs

DEEPSPEED = Convention(
    name="deepspeed",
    unit="FLOP",
    version="DeepSpeed's FLOPs profiler at 127756f",
    evidence="read, not measured",
    why="A multiply–accumulate is 2; the bias of convolutions, norms, ReLUs and all pooling are "
    "added, once per element or more.",
    macs=2,
    rules=(
        *FUNCTIONS,
        Rule("upsampling by a factor, {n} per output", "upsample", 1, outputs, scaled),
        Rule("upsampling to a size, {n} per position", "upsample", 1, positions, sized),
    ),
    zero=ZERO,
)
