"""`actorflow pause`: let nothing more of a run start, until `actorflow resume`."""

from __future__ import annotations

import click

from actorflow.cli.options import json_option, store_option


@click.command("pause")
@click.argument("run")
@store_option
@click.option("--now", is_flag=True, help="Take back what runs, too; it is started again later and spends no retry.")
@json_option("The run and its status as one JSON object.")
def command(*, run: str, store: str | None, now: bool, as_json: bool) -> int:
    """Pause RUN: its id, a beginning of it that is unique, or @last.

    Nothing more starts from the answer on; what runs ends by itself. The run is `pausing` until it has, then `paused`,
    for as long as it takes: a pause counts against no timeout. `actorflow resume` ends it, `actorflow cancel` too.

    \b
    Examples:
      actorflow pause @last
      actorflow pause 20261121-14 --now
    """
    from actorflow.cli.exits import ExitCode
    from actorflow.cli.requesting import Asked, tell_status
    from actorflow.runs.states import RunStatus

    asked = Asked(store, run, command="pause")
    status = asked.ask("pause", now=now)
    tell_status(asked.run_id, status, as_json=as_json)
    return ExitCode.succeeded if status in (RunStatus.pausing, RunStatus.paused) else ExitCode.failed
