"""Printing a run's log on stdout: what is there, then what comes for as long as somebody owns the run."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import partial
from typing import Literal

from actorflow.cli.exits import ExitCode
from actorflow.cli.json_text import one_line
from actorflow.cli.news import follow_run, output_question
from actorflow.cli.output_lines import Wanted, output_lines
from actorflow.cli.spans import dim, line, rendered
from actorflow.cli.streams import notes_to_stderr, wants_color
from actorflow.runs.output import OutputRecord, record_json
from actorflow.runs.states import TERMINAL_RUN_STATUSES
from actorflow.runs.stored_run import StoredRun
from actorflow.runs.stored_summary import closed_summary, summary_of


class LogPrinter:
    """Prints the records that are wanted."""

    def __init__(self, wanted: Wanted, *, style: Literal["text", "raw", "json"]) -> None:
        self.wanted = wanted
        self.printed = False
        self._text: Callable[[OutputRecord], str] = {"text": self._lines, "raw": _raw, "json": _json}[style]
        self._color = wants_color(sys.stdout, os.environ)

    def print_new(self, stored: StoredRun) -> None:
        """What has come since the last call."""
        for record in stored.output_records():
            if self.wanted.admits(record):
                sys.stdout.write(self._text(record))
                self.printed = True
        sys.stdout.flush()

    def _lines(self, record: OutputRecord) -> str:
        return rendered(output_lines(record, with_clock=True), color=self._color)


def print_logs(stored: StoredRun, printer: LogPrinter) -> int:
    """What is there."""
    printer.print_new(stored)
    _tell_silence(stored, printer)
    return ExitCode.succeeded


def follow_logs(stored: StoredRun, printer: LogPrinter) -> int:
    """What is there and what comes, until nobody owns the run any more."""
    code = follow_run(stored, partial(printer.print_new, stored), output_question())
    if code is ExitCode.succeeded:
        _tell_silence(stored, printer)
        if not _has_ended(stored):
            notes_to_stderr().say(line(f"run {stored.run_id} was interrupted: its process is gone, nothing more comes"))
    return code


def _tell_silence(stored: StoredRun, printer: LogPrinter) -> None:
    if not printer.printed:
        notes_to_stderr().say(line(dim(f"run {stored.run_id}: nothing printed that is asked for")))


def _has_ended(stored: StoredRun) -> bool:
    summary = closed_summary(stored.path) or summary_of(stored.path)
    return summary.status in TERMINAL_RUN_STATUSES


def _raw(record: OutputRecord) -> str:
    if record.stream is None:
        return f"... {record.dropped:,} lines dropped ...\n"
    return "".join(f"{text}\n" for text in record.lines)


def _json(record: OutputRecord) -> str:
    return f"{one_line(record_json(record))}\n"
