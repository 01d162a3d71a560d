"""`actorflow logs`: what the tasks of a run printed and logged, while it goes on and afterwards."""

from __future__ import annotations

import click

from actorflow.cli.options import json_option, store_option


@click.command("logs")
@click.argument("run")
@store_option
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes, until the run ends or Ctrl-C.")
@click.option("--task", metavar="NAME", help="Only of this task.")
@click.option("--map-index", type=click.IntRange(min=0), help="Only of this instance of a mapped task.")
@click.option("--attempt", type=click.IntRange(min=1), help="Only of this attempt; the first is 1.")
@click.option(
    "--stream",
    "streams",
    type=click.Choice(["out", "err", "log"]),
    multiple=True,
    help="Only standard output, standard error, or records of logging; may be repeated.",
)
@click.option("--level", metavar="LEVEL", help="Only records of logging of this level and above: debug, info, ...")
@click.option("--since", metavar="TIME", help="Only later lines: 10m ago, or a time such as 2026-11-21T14:25.")
@click.option("--raw", is_flag=True, help="The text alone, as it was printed, escape sequences included.")
@json_option("One JSON object a line.")
def command(
    *,
    run: str,
    store: str | None,
    follow: bool,
    task: str | None,
    map_index: int | None,
    attempt: int | None,
    streams: tuple[str, ...],
    level: str | None,
    since: str | None,
    raw: bool,
    as_json: bool,
) -> int:
    """Print what the tasks of RUN printed: its id, a beginning of it that is unique, or @last.

    What print, logging, native code and child processes of a task write is kept beside the run's journal, within
    bounds; where lines were dropped, their number stands in their place.

    \b
    Examples:
      actorflow logs @last
      actorflow logs @last -f --task clean
      actorflow logs 20261121-14 --task clean --map-index 7 --attempt 2
      actorflow logs @last --level warning --json | jq
    """
    import time

    from actorflow.cli.log_printing import LogPrinter, follow_logs, print_logs
    from actorflow.cli.output_lines import Wanted
    from actorflow.cli.stored import require_step
    from actorflow.cli.time_words import level_of, moment_s
    from actorflow.runs.output import Stream
    from actorflow.runs.store import SqliteStore

    wanted = Wanted(
        task=task,
        map_index=map_index,
        attempt=attempt,
        streams=frozenset(map(Stream, streams)),
        level=None if level is None else level_of(level),
        since_s=None if since is None else moment_s(since, now_s=time.time()),
    )
    stored = SqliteStore(store).open_run(run)
    if task is not None:
        require_step(stored, task)
    printer = LogPrinter(wanted, style="json" if as_json else "raw" if raw else "text")
    return follow_logs(stored, printer) if follow else print_logs(stored, printer)
