"""`actorflow show`: one run, finished or not."""

from __future__ import annotations

import os
import time

import click

from actorflow.cli.options import json_option, store_option


@click.command("show")
@click.argument("run")
@store_option
@click.option("--all", "every", is_flag=True, help="Every failure, not only the first three.")
@click.option("--full-traceback", is_flag=True, help="Failures with every frame, those of actorflow too.")
@json_option("The whole run as one JSON object: every task instance with every attempt.")
def command(*, run: str, store: str | None, every: bool, full_traceback: bool, as_json: bool) -> None:
    """Show RUN: its id, a beginning of it that is unique, or @last.

    \b
    Examples:
      actorflow show @last
      actorflow show @last --all --full-traceback
      actorflow show 20261121-14 --json
    """
    from actorflow.cli.failure import short_path
    from actorflow.cli.json_text import answer
    from actorflow.cli.report import Next, with_output
    from actorflow.cli.run_page import run_lines
    from actorflow.cli.stored import board_of, more_json
    from actorflow.cli.streams import print_lines
    from actorflow.runs.store import SqliteStore

    stored = SqliteStore(store).open_run(run)
    if as_json:
        click.echo(answer(**stored.history().to_json(), **more_json(stored)))
        return
    shown = board_of(stored, every_failure=every)
    board, file = shown.board, "" if shown.header is None else shown.header.file
    folder = os.getcwd()
    next_ = Next(
        target=f"{short_path(file, folder)}:{board.dag}",
        folder=folder,
        store=store or "",
        full_traceback=full_traceback,
    )
    print_lines(run_lines(shown, with_output(next_, board, stored), now_s=time.time()))
