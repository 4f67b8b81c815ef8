"""The commands, a file each; a file is imported when its command is run."""

from __future__ import annotations

import importlib
import os
from typing import Any

import click

ORDER = (
    "summarize", "compare", "formula", "explain", "quiz", "plot", "graph", "limits", "fit",
    "sweep", "reconcile", "verify", "run", "export", "diff", "check", "zoo", "layers", "claims",
    "schema", "completion",
)  # fmt: skip


class _Commands(click.Group):
    """Finds commands in this folder."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        files = os.listdir(os.path.dirname(__file__))
        names = {f.removesuffix(".py") for f in files if f.endswith(".py") and f[0] != "_"}
        return sorted(names, key=lambda name: (ORDER.index(name) if name in ORDER else 99, name))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        module = importlib.import_module(f"{__name__}.{cmd_name}")
        command: click.Command = module.command
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except click.NoSuchOption as error:
            commands = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
            owners = [
                name
                for name, command in commands
                if command and any(error.option_name in param.opts for param in command.params)
            ]
            if not owners:
                raise
            told = f"No such option '{error.option_name}' here: it is of {', '.join(owners)}."
            raise click.NoSuchOption(error.option_name, told, ctx=error.ctx) from None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        known = self.list_commands(ctx)
        if args[0] not in known:
            from convcalc.errors import UsageError, did_you_mean

            hint = did_you_mean(args[0], known) or f"There are {', '.join(known)}."
            raise UsageError(f"no such command '{args[0]}'", hint=hint)
        return super().resolve_command(ctx, args)


def _version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value:
        from convcalc import __version__

        click.echo(f"convcalc {__version__}")
        ctx.exit()


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version", is_flag=True, expose_value=False, is_eager=True, callback=_version,
    help="Show the version.",
)  # fmt: skip
def cli() -> None:
    """The calculator for neural-network architectures.

    Exact shapes, parameters and MACs of a network, from a short YAML spec or from the zoo:
    as numbers, and as closed forms in the size of the input.

    \b
      convcalc summarize vgg16
      convcalc summarize my_net.yaml --set H=256 --set W=256
    """
