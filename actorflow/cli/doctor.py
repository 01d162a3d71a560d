"""`actorflow doctor`: what this machine offers to runs, and what follows where something is missing."""

from __future__ import annotations

import click

from actorflow.cli.options import json_option, store_option


@click.command("doctor")
@store_option
@json_option("All of it as one JSON object.")
def command(*, store: str | None, as_json: bool) -> None:
    """Tell what this machine offers to runs: Python, the store's file system, how processes are kept, extras.

    \b
    Examples:
      actorflow doctor
      actorflow doctor --json
    """
    from actorflow.cli.doctor_page import diagnosis_json, diagnosis_lines, examine
    from actorflow.cli.json_text import answer
    from actorflow.cli.streams import print_lines
    from actorflow.runs.store import SqliteStore

    found = examine(SqliteStore(store).root)
    if as_json:
        click.echo(answer(**diagnosis_json(found)))
    else:
        print_lines(diagnosis_lines(found))
