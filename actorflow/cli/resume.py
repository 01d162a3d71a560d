"""`actorflow resume`: let a paused run go on."""

from __future__ import annotations

import click

from actorflow.cli.options import json_option, store_option


@click.command("resume")
@click.argument("run")
@store_option
@json_option("The run and its status as one JSON object.")
def command(*, run: str, store: str | None, as_json: bool) -> int:
    """Let RUN go on after a pause: its id, a beginning of it that is unique, or @last.

    \b
    Examples:
      actorflow resume @last
    """
    from actorflow.cli.exits import ExitCode
    from actorflow.cli.requesting import Asked, tell_status
    from actorflow.runs.states import RunStatus

    asked = Asked(store, run, command="resume")
    status = asked.ask("resume")
    tell_status(asked.run_id, status, as_json=as_json)
    return ExitCode.succeeded if status is RunStatus.running else ExitCode.failed
