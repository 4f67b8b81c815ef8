"""`convcalc run`: a forward pass with NumPy."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from convcalc.commands._options import SPEC, open_network, parse_settings, variables_options
from convcalc.errors import ConvcalcError, UsageError, shorten
from convcalc.execution.executor import weight_shapes
from convcalc.execution.files import checked, read_array, stored_weights
from convcalc.execution.initial import random_inputs
from convcalc.layer import show_shape
from convcalc.network import Network
from convcalc.report.output import replacing, show, terminal_width, write
from convcalc.report.terminal import listing

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]


@click.command("run")
@click.argument("spec", type=SPEC)
@variables_options
@click.option(
    "--weights", metavar="FILE",
    help="Weights by their paths, .npz or .safetensors (default: random ones, He's and Glorot's).",
)  # fmt: skip
@click.option(
    "--input", "source", metavar="FILE",
    help="The input: .npy, (N, channels, …) or without N (default: random numbers).",
)  # fmt: skip
@click.option("--seed", type=click.IntRange(min=0), default=0, help="Of random weights and inputs.")
@click.option("--top", type=click.IntRange(min=1), metavar="K", help="Show the K largest outputs.")
@click.option("--profile", is_flag=True, help="Show the time of every layer beside its MACs.")
@click.option("-o", "--output", metavar="FILE", help="Write the output to a .npy file.")
def command(
    spec: str,
    settings: tuple[str, ...],
    batch: str | None,
    weights: str | None,
    source: str | None,
    seed: int,
    top: int | None,
    profile: bool,
    output: str | None,
) -> None:
    """Run a network with NumPy: every layer's plain reference, in float32 or float64.

    \b
      convcalc run lenet5 --top 3
      convcalc run my_net.yaml --weights w.safetensors --input x.npy -o y.npy
      convcalc run resnet18 --profile
    """
    import numpy

    if output is not None and not output.endswith(".npy"):
        raise UsageError(f"-o {shorten(output, 200)}: the output is written to .npy")
    net = open_network(spec, parse_settings(settings, batch))
    x = _input(net, source, seed)
    given = None
    if weights is not None:
        with stored_weights(weights) as stored:
            given = checked(stored, weight_shapes(net.graph))
    if profile:
        y, timed = net.profile(x, given, seed=seed)
        show(listing(*_profile(timed), terminal_width(), right=(2, 3, 4, 5)))
    else:
        y = net.run(x, given, seed=seed)
    outputs = y if isinstance(y, dict) else {net.graph.outputs[0].path: y}
    for path, array in outputs.items():
        write(f"{path}: {show_shape(array.shape)} {array.dtype}")
        if not numpy.isfinite(array).all():
            click.echo(f"Note: {path} holds numbers that are not finite", err=True)
        if top is not None:
            _show_top(array, top)
    if output is not None:
        if len(outputs) > 1:
            raise UsageError("-o takes one output, and the network has several")
        with replacing(output) as path, open(path, "wb") as file:
            numpy.lib.format.write_array(file, next(iter(outputs.values())), allow_pickle=False)


def _input(net: Network, source: str | None, seed: int) -> Any:
    import numpy

    due: Any = net.graph.inputs[0].shape
    if source is None:
        return random_inputs(net.graph, seed)
    if os.path.splitext(source)[1].lower() != ".npy":
        raise UsageError(f"--input {shorten(source, 200)}: an input is read from .npy")
    if len(net.graph.inputs) > 1:
        raise UsageError(
            "--input is for networks of one input", hint="In Python, net.run takes a mapping."
        )
    array = read_array(source)
    if array.shape == tuple(due[1:]) and due[0] == 1:
        array = array[None]
    if numpy.isnan(array).any():
        raise ConvcalcError(f"{shorten(source, 200)} holds NaN")
    return array


def _profile(timed: list[tuple[str, str, float, int]]) -> tuple[tuple[str, ...], list[list[str]]]:
    total = sum(seconds for _, _, seconds, _ in timed) or 1e-9
    rows = [
        [
            path, kind, f"{1000 * seconds:,.2f}", f"{100 * seconds / total:.1f}", f"{macs:,}",
            f"{macs / seconds / 1e9:,.1f}" if macs and seconds else "",
        ]
        for path, kind, seconds, macs in timed
    ]  # fmt: skip
    rows.append(["Total", "", f"{1000 * total:,.2f}", "", f"{sum(t[3] for t in timed):,}", ""])
    return ("Layer", "Type", "ms", "%", "MACs", "GMAC/s"), rows


def _show_top(array: Array, top: int) -> None:
    import numpy

    for sample, values in enumerate(array.reshape(array.shape[0], -1)):
        order = numpy.argsort(-values, kind="stable")[:top]
        told = ", ".join(f"{int(i)}: {values[i]:.6g}" for i in order)
        write(f"  sample {sample}: {told}")
