"""Printing a run's log on stdout: what is there, then what comes for as long as somebody owns the run."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Final, Literal

import anyio

from actorflow.cli.exits import ExitCode
from actorflow.cli.json_text import one_line
from actorflow.cli.output_lines import Wanted, output_lines
from actorflow.cli.spans import dim, line, rendered
from actorflow.cli.streams import notes_to_stderr, wants_color
from actorflow.runs.control_client import RunUnreachable, call_run
from actorflow.runs.control_socket import socket_path
from actorflow.runs.output import OutputRecord, record_json
from actorflow.runs.stored_run import StoredRun

POLL_S: Final = 0.5
"""A run whose loop is held up by a task answers nothing, while its log goes on: then it is looked at so often."""


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


def print_run(stored: StoredRun, printer: LogPrinter) -> int:
    """What is there."""
    printer.print_new(stored)
    if not printer.printed:
        notes_to_stderr().say(line(dim(f"run {stored.run_id}: nothing printed that is asked for")))
    return ExitCode.succeeded


def follow_run(stored: StoredRun, printer: LogPrinter) -> int:
    """What is there and what comes, until nobody owns the run any more."""
    try:
        anyio.run(_follow, stored, printer)
    except KeyboardInterrupt:
        return ExitCode.interrupted
    return ExitCode.succeeded


async def _follow(stored: StoredRun, printer: LogPrinter) -> None:
    while True:
        owned = stored.is_owned()  # first: an owner that ends after this has written what it had to say
        printer.print_new(stored)
        if not owned:
            return
        try:
            await _print_as_told(stored, printer)
        except RunUnreachable:
            await anyio.sleep(POLL_S)


async def _print_as_told(stored: StoredRun, printer: LogPrinter) -> None:
    """Print whenever the run says that there is more; raises RunUnreachable once it says nothing."""
    async with call_run(socket_path(stored.path)) as run:
        written = None
        while True:
            news = await run.ask("output", after=written)
            printer.print_new(stored)
            written = news["written"]


def _raw(record: OutputRecord) -> str:
    if record.stream is None:
        return f"... {record.dropped:,} lines dropped ...\n"
    return "".join(f"{text}\n" for text in record.lines)


def _json(record: OutputRecord) -> str:
    return f"{one_line(record_json(record))}\n"
