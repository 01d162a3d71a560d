"""`actorflow cancel`: end a run that goes on, from another terminal."""

from __future__ import annotations

import click

from actorflow.cli.options import DURATION, json_option, store_option


@click.command("cancel")
@click.argument("run")
@store_option
@click.option("--now", is_flag=True, help="Kill what runs, without grace.")
@click.option(
    "--grace", type=DURATION, metavar="DURATION", help="Kill what still runs after that; else the run's own grace."
)
@click.option("--wait/--no-wait", default=True, help="Wait for the end of the run, or only for its answer.")
@json_option("The run and its status as one JSON object.")
def command(*, run: str, store: str | None, now: bool, grace: str | None, wait: bool, as_json: bool) -> int:
    """Cancel RUN: its id, a beginning of it that is unique, or @last.

    The run answers once that is on disk and nothing of it can start any more. Then what runs is ended: asked, SIGTERM,
    SIGKILL, and seen gone. The exit code is 0 if the run is cancelled, 1 if it ended otherwise, 3 if nobody answers.

    \b
    Examples:
      actorflow cancel @last
      actorflow cancel 20261121-14 --grace 2s
      actorflow cancel 20261121-14 --now --no-wait
    """
    from actorflow.cli.exits import ExitCode
    from actorflow.cli.requesting import Asked, tell_status
    from actorflow.flows.durations import seconds
    from actorflow.runs.states import RunStatus

    grace_s = 0.0 if now else None if grace is None else seconds(grace)
    asked = Asked(store, run, command="cancel")
    if not asked.stored.is_owned() and asked.status() is RunStatus.cancelled:
        status = RunStatus.cancelled
    else:
        status = asked.ask("cancel", until_end=wait, grace_s=grace_s)
    tell_status(asked.run_id, status, as_json=as_json)
    return ExitCode.succeeded if status in (RunStatus.cancelled, RunStatus.cancelling) else ExitCode.failed
