"""`convcalc export`: a network and its weights as an ONNX file."""

from __future__ import annotations

from contextlib import nullcontext

import click

from convcalc.commands._options import SPEC, open_network, parse_settings, variables_options
from convcalc.execution.files import stored_weights


@click.command("export")
@click.argument("spec", type=SPEC)
@variables_options
@click.option(
    "--weights", metavar="FILE",
    help="Weights by their paths, .npz or .safetensors (default: random ones, He's and Glorot's).",
)  # fmt: skip
@click.option("--seed", type=click.IntRange(min=0), default=0, help="Of random weights.")
@click.option(
    "-o", "--output", metavar="FILE", required=True,
    help="The .onnx file: written whole, or not at all.",
)  # fmt: skip
def command(
    spec: str,
    settings: tuple[str, ...],
    batch: str | None,
    weights: str | None,
    seed: int,
    output: str,
) -> None:
    """Write a network and its weights to an ONNX file, in float32.

    Nodes and weights are called as the layers. ONNX checks the file, and must infer the shapes that
    convcalc computes, for every layer; otherwise nothing is written.

    \b
      convcalc export resnet50 -o resnet50.onnx
      convcalc export my_net.yaml --set H=96 --batch 8 --weights w.safetensors -o my_net.onnx
    """
    net = open_network(spec, parse_settings(settings, batch))
    with nullcontext() if weights is None else stored_weights(weights) as given:
        net.export(output, given, seed=seed)
