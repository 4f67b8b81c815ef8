"""`convcalc schema`: the JSON Schemas of specs and of reports."""

from __future__ import annotations

import click

from convcalc.commands._options import deliver, output_option


@click.command("schema")
@click.option("--report", is_flag=True, help="The schema of what `summarize --format json` prints.")
@output_option
def command(report: bool, output: str | None) -> None:
    """Print a JSON Schema with which editors complete and check specs.

    \b
      convcalc schema -o convcalc.schema.json
      # yaml-language-server: $schema=convcalc.schema.json   (first line of a spec)
      convcalc schema --report
    """
    import json

    if report:
        from convcalc.report.schema import report_schema

        found = report_schema()
    else:
        from convcalc.spec.schema import json_schema

        found = json_schema()
    deliver(json.dumps(found, indent=1, ensure_ascii=False), output)
