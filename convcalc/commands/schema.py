"""`convcalc schema`: the JSON Schemas of specs, and of what commands print."""

from __future__ import annotations

import click

from convcalc.commands._options import deliver, output_option
from convcalc.errors import UsageError


@click.command("schema")
@click.option(
    "--of", "what", type=click.Choice(("spec", "report", "compare", "diff")),
    metavar="spec|report|compare|diff",
    help="What it is of: specs (the default), or what `summarize`, `compare` or `diff` print with "
    "--format json.",
)  # fmt: skip
@click.option("--report", is_flag=True, help="The same as --of report.")
@output_option
def command(what: str | None, report: bool, output: str | None) -> None:
    """Print a JSON Schema with which editors complete and check specs.

    \b
      convcalc schema -o convcalc.schema.json
      # yaml-language-server: $schema=convcalc.schema.json   (first line of a spec)
      convcalc schema --of report
    """
    import json

    if report and what not in (None, "report"):
        raise UsageError(f"--report is --of report, and not of {what}: one will do")
    if report or what not in (None, "spec"):
        from convcalc.report.schema import OUTPUTS

        found = OUTPUTS[what or "report"]()
    else:
        from convcalc.spec.schema import json_schema

        found = json_schema()
    deliver(json.dumps(found, indent=1, ensure_ascii=False), output)
