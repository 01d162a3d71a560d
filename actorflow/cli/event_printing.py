"""Printing a run's events on stdout: what is there, then what comes for as long as somebody owns the run."""

from __future__ import annotations

import os
import sys
from typing import Final, Protocol

import anyio

from actorflow.cli.event_lines import event_line
from actorflow.cli.exits import ExitCode
from actorflow.cli.json_text import one_line
from actorflow.cli.spans import rendered
from actorflow.cli.streams import wants_color
from actorflow.runs.control_client import RunUnreachable, call_run
from actorflow.runs.control_socket import socket_path
from actorflow.runs.events import EVENT_NAMES, Record, to_json
from actorflow.runs.stored_run import StoredRun

POLL_S: Final = 0.5
"""A run whose loop is held up by a task answers nothing, while its journal may go on: then it is looked at so often."""


class JournalReader(Protocol):
    """Who follows a run. next_seq: of the first event not read yet."""

    @property
    def next_seq(self) -> int: ...
    def print_new(self, stored: StoredRun) -> None:
        """Read what is on disk by now."""


class EventPrinter:
    """Prints the events that are wanted, each once. first: seq to begin with. types: empty for all."""

    def __init__(self, first: int, types: frozenset[str], *, as_json: bool) -> None:
        self.next_seq = first
        self._types = types
        self._as_json = as_json
        self._color = wants_color(sys.stdout, os.environ)

    def print_new(self, stored: StoredRun) -> None:
        """What is on disk by now and was not printed."""
        for record in stored.records(self.next_seq):
            self.next_seq = record.seq + 1
            if not self._types or EVENT_NAMES[type(record.event)] in self._types:
                sys.stdout.write(self._text(record))
        sys.stdout.flush()

    def _text(self, record: Record) -> str:
        if self._as_json:
            return f"{one_line(to_json(record))}\n"
        return rendered([event_line(record)], color=self._color)


def print_events(stored: StoredRun, printer: EventPrinter) -> int:
    """What is there."""
    printer.print_new(stored)
    return ExitCode.succeeded


def follow_events(stored: StoredRun, printer: EventPrinter) -> int:
    """What is there and what comes, until nobody owns the run any more."""
    try:
        anyio.run(follow_journal, stored, printer)
    except KeyboardInterrupt:
        return ExitCode.interrupted
    return ExitCode.succeeded


async def follow_journal(stored: StoredRun, printer: JournalReader) -> None:
    """Have everything read as it comes to disk, until nobody owns the run any more."""
    while True:
        owned = stored.is_owned()  # first: an owner that ends after this has written what it had to say
        printer.print_new(stored)
        if not owned:
            return
        try:
            async with call_run(socket_path(stored.path)) as run:
                while True:
                    await run.ask("journal", after=printer.next_seq - 1)
                    printer.print_new(stored)
        except RunUnreachable:
            await anyio.sleep(POLL_S)
