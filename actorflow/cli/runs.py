"""`actorflow runs`: the runs of a store, newest first."""

from __future__ import annotations

import time

import click

from actorflow.cli.options import json_option, store_option


@click.command("runs")
@store_option
@click.option("-n", "--limit", type=click.IntRange(min=1), help="Only the newest so many.")
@json_option("One JSON object with all of them.")
def command(*, store: str | None, limit: int | None, as_json: bool) -> None:
    """List the runs of a store, newest first.

    \b
    Examples:
      actorflow runs
      actorflow runs -n 10 --store build/actorflow
    """
    from actorflow.cli.json_text import answer
    from actorflow.cli.run_page import runs_lines
    from actorflow.cli.streams import print_lines
    from actorflow.runs.store import SqliteStore

    found = SqliteStore(store).runs()[:limit]
    now_s = time.time()
    if as_json:
        click.echo(answer(runs=[run.to_json(now_s) for run in found]))
    else:
        print_lines(runs_lines(found, now_s=now_s))
