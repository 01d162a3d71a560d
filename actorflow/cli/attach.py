"""`actorflow attach`: follow a run that goes on in another process, in the views of `run`."""

from __future__ import annotations

import click

from actorflow.cli.options import Telling, store_option, telling_options
from actorflow.cli.streams import claimed_stdout


@click.command("attach")
@click.argument("run")
@store_option
@click.option("--from", "first", type=click.IntRange(min=1), default=1, metavar="SEQ", help="Begin with this event.")
@telling_options("The event stream on stdout, one JSON object a line, instead of the result.")
def command(*, run: str, store: str | None, first: int, telling: Telling) -> int:
    """Follow RUN until it ends: its id, a beginning of it that is unique, or @last.

    What is on disk comes first, then what happens. At the end the result is printed and the exit code is the run's.
    Ctrl-C leaves the run alone.

    \b
    Examples:
      actorflow attach @last
      actorflow attach 20261121-14 --from 1200 --json
    """
    from actorflow.cli.attached import Attached, attach
    from actorflow.runs.store import SqliteStore

    stored = SqliteStore(store).open_run(run)
    asked = Attached(first=first, store_named=store, telling=telling)
    with claimed_stdout() as result:
        return attach(stored, asked, result)
