"""Printing a run's events on stdout: what is there, then what comes for as long as somebody owns the run."""

from __future__ import annotations

import os
import sys
from functools import partial

from actorflow.cli.event_lines import event_line
from actorflow.cli.exits import ExitCode
from actorflow.cli.json_text import one_line
from actorflow.cli.news import follow_run, journal_question
from actorflow.cli.spans import rendered
from actorflow.cli.streams import wants_color
from actorflow.runs.events import EVENT_NAMES, Record, to_json
from actorflow.runs.stored_run import StoredRun


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
    return follow_run(stored, partial(printer.print_new, stored), journal_question(lambda: printer.next_seq))
