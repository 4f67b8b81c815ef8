"""`convcalc run`: a forward pass."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from convcalc.commands._backend import backend_option, chosen_backend
from convcalc.commands._options import (
    SPEC,
    deliver_pages,
    open_network,
    parse_settings,
    table_format,
    table_options,
    variables_options,
)
from convcalc.errors import UsageError, shorten
from convcalc.execution.files import read_array, stored_weights, write_array, write_arrays
from convcalc.execution.images import IMAGENET, SUFFIXES, read_image
from convcalc.execution.numbers import FLOATS
from convcalc.layer import show_shape
from convcalc.network import Network
from convcalc.report.output import replacing, write
from convcalc.report.profile import profile_page

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
    help="The input: .npy, (N, channels, …) or without N; .png or .jpg (default: random numbers).",
)  # fmt: skip
@click.option(
    "--resize", type=click.IntRange(min=1), metavar="PIXELS",
    help="Resize a picture's shorter side to this, bilinear, and crop the centre.",
)  # fmt: skip
@click.option("--mean", metavar="R,G,B", help="Subtract this from a picture, values of 0 to 1.")
@click.option("--std", metavar="R,G,B", help="Divide a picture by this after that.")
@click.option("--imagenet", is_flag=True, help="--mean and --std of ImageNet, as torchvision's.")
@click.option("--seed", type=click.IntRange(min=0), default=0, help="Of random weights and inputs.")
@click.option(
    "--dtype", type=click.Choice(tuple(FLOATS)), metavar="|".join(FLOATS),
    help="The type to compute in (default: that of the input).",
)  # fmt: skip
@backend_option
@click.option(
    "--exact",
    is_flag=True,
    help="Run every layer as it is written down, in float64 and one by one.",
)
@click.option(
    "--threads", type=click.IntRange(min=1), metavar="N",
    help="Threads to use (default: the cores; without threadpoolctl, BLAS decides).",
)  # fmt: skip
@click.option("--top", type=click.IntRange(min=1), metavar="K", help="Show the K largest outputs.")
@click.option("--profile", is_flag=True, help="Show the time of every layer beside its MACs.")
@table_options
def command(
    spec: str,
    settings: tuple[str, ...],
    batch: str | None,
    weights: str | None,
    source: str | None,
    resize: int | None,
    mean: str | None,
    std: str | None,
    imagenet: bool,
    seed: int,
    dtype: str | None,
    backend: str,
    exact: bool,
    threads: int | None,
    top: int | None,
    profile: bool,
    form: str | None,
    output: str | None,
    fragment: bool,
) -> None:
    """Run a network: layers fused, by fast kernels; or each by its plain reference, --exact.

    In float16 layers run by their reference, compute in float32, and round their outputs.
    -o FILE.npy takes the output, FILE.npz all outputs by the paths of their layers; the table of
    --profile goes to a FILE of another suffix.

    \b
      convcalc run lenet5 --top 3
      convcalc run my_net.yaml --weights w.safetensors --input x.npy -o y.npy
      convcalc run resnet18 --input cat.jpg --resize 256 --imagenet --top 5
      convcalc run resnet18 --profile
      convcalc run resnet18 --profile -o times.csv
    """
    import numpy

    array_file = output if output is not None and output.endswith((".npy", ".npz")) else None
    table_file = output if array_file is None else None
    if profile:
        form = table_format(form, table_file, fragment)
    elif form is not None or fragment:
        raise UsageError(
            f"{'--fragment' if fragment else '--format'} is for the table of --profile"
        )
    elif table_file is not None:
        raise UsageError(
            f"-o {shorten(table_file, 200)}: the output is written to .npy or .npz",
            hint="Tables are those of --profile.",
        )
    # what is told of the output would be no part of a document on standard output
    tell: Callable[[str], None] = write
    if profile and form != "text" and table_file is None:
        tell = partial(click.echo, err=True)
    net = open_network(spec, parse_settings(settings, batch))
    if array_file is not None and array_file.endswith(".npy") and len(net.graph.outputs) > 1:
        raise UsageError(
            f"-o {shorten(array_file, 200)}: .npy holds one output, and the network has "
            f"{len(net.graph.outputs)}",
            hint=".npz holds all of them.",
        )
    device = chosen_backend(backend)
    x = _input(net, source, resize, mean, std, imagenet)
    with nullcontext() if weights is None else stored_weights(weights) as given:
        if profile:
            y, timed = net.profile(
                x, given, seed=seed, dtype=dtype, backend=device, exact=exact, threads=threads
            )
            page = profile_page(timed, net.name, net.title)
            deliver_pages([page], form or "text", table_file, fragment)
        else:
            y = net.run(
                x, given, seed=seed, dtype=dtype, backend=device, exact=exact, threads=threads
            )
    outputs = y if isinstance(y, dict) else {net.graph.outputs[0].path: y}
    for path, array in outputs.items():
        tell(f"{path}: {show_shape(array.shape)} {array.dtype}")
        if not numpy.isfinite(array).all():
            click.echo(f"Note: {path} holds numbers that are not finite", err=True)
        if top is not None:
            for line in _top(array, top):
                tell(line)
    if array_file is not None:
        with replacing(array_file) as path:
            if array_file.endswith(".npy"):
                write_array(path, *outputs.values())
            else:
                write_arrays(path, outputs)


def _input(
    net: Network,
    source: str | None,
    resize: int | None,
    mean: str | None,
    std: str | None,
    imagenet: bool,
) -> Array | None:
    suffix = os.path.splitext(source or "")[1].lower()
    given = {"--resize": resize, "--mean": mean, "--std": std, "--imagenet": imagenet or None}
    told = ", ".join(name for name, value in given.items() if value is not None)
    if told and suffix not in SUFFIXES:
        raise UsageError(f"{told}: for an --input that is a picture, {', '.join(SUFFIXES)}")
    if source is None:
        return None
    if suffix not in (".npy", *SUFFIXES):
        raise UsageError(
            f"--input {shorten(source, 200)}: an input is read from .npy, {', '.join(SUFFIXES)}"
        )
    if len(net.graph.inputs) > 1:
        raise UsageError(
            "--input is for networks of one input", hint="In Python, net.run takes a mapping."
        )
    (node,) = net.graph.inputs
    if suffix == ".npy":
        return read_array(source, node)
    if imagenet and (mean or std):
        raise UsageError("--imagenet is a --mean and a --std: one or the other")
    means, stds = IMAGENET if imagenet else (_numbers("--mean", mean, 0), _numbers("--std", std, 1))
    return read_image(source, node, resize=resize, mean=means, std=stds, names=net.spec.input_names)


def _numbers(option: str, text: str | None, default: float) -> tuple[float, ...]:
    if text is None:
        return (default,)
    try:
        values = tuple(float(number) for number in text.split(","))
    except ValueError:
        values = ()
    if not values or not all(map(math.isfinite, values)) or (option == "--std" and 0 in values):
        raise UsageError(
            f"{option} {shorten(text)}: numbers are due, one or one a channel, as 0.5,0.5,0.5"
        )
    return values


def _top(array: Array, top: int) -> Iterator[str]:
    import numpy

    for sample, values in enumerate(array.reshape(array.shape[0], -1)):
        order = numpy.argsort(-values, kind="stable")[:top]
        told = ", ".join(f"{int(i)}: {values[i]:.6g}" for i in order)
        yield f"  sample {sample}: {told}"
