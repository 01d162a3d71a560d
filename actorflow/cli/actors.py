"""`actorflow actors`: the actors of a run that is going on, as its owner sees them."""

from __future__ import annotations

import os
import sys

import click

from actorflow.cli.options import json_option, store_option


@click.command("actors")
@click.argument("run", required=False, metavar="[RUN]")
@store_option
@click.option("--once", is_flag=True, help="Print the tree once, in a terminal too.")
@json_option("The tree as one JSON object, once.")
def command(*, run: str | None, store: str | None, once: bool, as_json: bool) -> int:
    """Show the actors of RUN while it is going on; without RUN those of the newest that is.

    Each actor is shown with its mailbox, how many messages it has handled, its restarts, why it last ended, how old it
    is and what it is at work on: run, journal, coordinator, stages, attempts, workers. In a terminal the tree is drawn
    anew as it changes, until the run ends or Ctrl-C.

    \b
    Examples:
      actorflow actors
      actorflow actors 20261121-14 --once
      actorflow actors --json | jq
    """
    from actorflow.cli.streams import wants_live
    from actorflow.cli.watching import found_run, print_once, watch
    from actorflow.runs.store import SqliteStore

    watched = found_run(SqliteStore(store), run)
    if once or as_json or not wants_live(sys.stdout, os.environ):
        return print_once(watched, as_json=as_json)
    return watch(watched)
