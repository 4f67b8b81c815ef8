"""`convcalc completion`: completion of commands, options and zoo names in a shell."""

from __future__ import annotations

import click

from convcalc.report.output import write


@click.command("completion")
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the completion script of a shell.

    \b
      convcalc completion bash >> ~/.bashrc
      convcalc completion zsh >> ~/.zshrc
      convcalc completion fish > ~/.config/fish/completions/convcalc.fish
    """
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    assert found is not None
    write(found(ctx.find_root().command, {}, "convcalc", "_CONVCALC_COMPLETE").source())
