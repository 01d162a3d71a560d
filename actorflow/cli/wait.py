"""`actorflow wait`: returns when a run is over, with the run's own exit code."""

from __future__ import annotations

import click

from actorflow.cli.options import DURATION, json_option, store_option


@click.command("wait")
@click.argument("run")
@store_option
@click.option("--timeout", type=DURATION, metavar="DURATION", help="Wait no longer than this: 30s, 2h.")
@json_option("The run as `actorflow runs --json` lists it.")
def command(*, run: str, store: str | None, timeout: str | None, as_json: bool) -> int:
    """Wait until RUN is over: its id, a beginning of it that is unique, or @last.

    Exit code 0 if it succeeded, 1 if it failed, was cancelled or interrupted, 3 if it still goes on after --timeout.

    \b
    Examples:
      actorflow wait @last
      actorflow wait 20261121-14 --timeout 2h && make report
    """
    from actorflow.cli.run_waiting import wait_for
    from actorflow.flows.durations import seconds
    from actorflow.runs.store import SqliteStore

    kept = SqliteStore(store)
    return wait_for(kept, kept.open_run(run), timeout_s=None if timeout is None else seconds(timeout), as_json=as_json)
