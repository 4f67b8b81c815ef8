"""`convcalc schema`: the JSON Schema of specs."""

from __future__ import annotations

import click

from convcalc.commands._options import output_option
from convcalc.report.output import save, write


@click.command("schema")
@output_option
def command(output: str | None) -> None:
    """Print a JSON Schema with which editors complete and check specs.

    \b
      convcalc schema -o convcalc.schema.json
      # yaml-language-server: $schema=convcalc.schema.json   (first line of a spec)
    """
    import json

    from convcalc.spec.schema import json_schema

    text = json.dumps(json_schema(), indent=1, ensure_ascii=False)
    if output is None:
        write(text)
    else:
        save(text, output)
