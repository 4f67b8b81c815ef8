"""The command line: `convcalc` and `python -m convcalc`."""

from __future__ import annotations

import gc
import os
import sys
from typing import NoReturn

import click

from convcalc.errors import ConvcalcError


def main() -> NoReturn:
    """Run a command; every error ends in a message and an exit code, never in a traceback."""
    from convcalc.commands import cli

    # a command ends before cycles matter, and the collector would walk a large network often
    gc.disable()
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w")  # closed by the shell: `>&-`
    code = 0
    try:
        # click gives the exit code back as the result
        code = cli.main(prog_name="convcalc", standalone_mode=False) or 0
        sys.stdout.flush()
    except click.Abort:
        code = 130
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except ConvcalcError as error:
        click.echo(f"Error: {error}", err=True)
        code = error.exit_code
    except BrokenPipeError:
        # `convcalc … | head`: who reads has enough, and flushing at exit would complain
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        code = 130
    except MemoryError:
        click.echo("Error: the memory does not do", err=True)
        code = 3
    except OSError as error:
        click.echo(f"Error: {error.strerror or error}", err=True)
        code = 3
    sys.exit(code)


if __name__ == "__main__":
    main()
