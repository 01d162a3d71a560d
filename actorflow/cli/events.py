"""`actorflow events`: what happened in a run, event by event, and what goes on happening."""

from __future__ import annotations

import click

from actorflow.cli.options import json_option, store_option


@click.command("events")
@click.argument("run")
@store_option
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes, until the run ends or Ctrl-C.")
@click.option("--from", "first", type=click.IntRange(min=1), default=1, metavar="SEQ", help="Begin with this event.")
@click.option("--type", "types", multiple=True, metavar="TYPE", help="Only events of this type; may be repeated.")
@json_option("One JSON object a line, as `actorflow run --json` prints them.")
def command(*, run: str, store: str | None, follow: bool, first: int, types: tuple[str, ...], as_json: bool) -> int:
    """Print the events of RUN: its id, a beginning of it that is unique, or @last.

    An event is printed once it is on disk, so what was printed survives whatever follows. A reader that went away takes
    up where it was with --from.

    \b
    Examples:
      actorflow events @last
      actorflow events @last -f --type attempt_finished --type run_finished
      actorflow events 20261121-14 --from 1200 --json | jq
    """
    from actorflow.cli.complaint import refusal
    from actorflow.cli.event_printing import EventPrinter, follow_events, print_events
    from actorflow.runs.events import EVENT_NAMES
    from actorflow.runs.store import SqliteStore

    unknown = [name for name in types if name not in EVENT_NAMES.values()]
    if unknown:
        raise refusal(f"--type {unknown[0]}: no type of event", f"one of {', '.join(EVENT_NAMES.values())}")
    stored = SqliteStore(store).open_run(run)
    printer = EventPrinter(first, frozenset(types), as_json=as_json)
    return follow_events(stored, printer) if follow else print_events(stored, printer)
