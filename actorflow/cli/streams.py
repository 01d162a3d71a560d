"""Where words go: stdout carries the result and nothing else, stderr everything a person reads.

A user's file may print at import, in a task, in a child process. `claimed_stdout` moves file descriptor 1 onto
stderr before any of that happens and hands back the real one, so `actorflow run etl.py | jq` works whatever it prints.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TextIO

from actorflow.cli.spans import Line, rendered


def wants_color(stream: TextIO, environment: Mapping[str, str]) -> bool:
    """May `stream` carry colour? First row that applies decides.

    | NO_COLOR set, not empty | FORCE_COLOR set, not empty, not 0 | TERM=dumb | a terminal | colour |
    |---|---|---|---|---|
    | yes | | | | no |
    | | yes | | | yes |
    | | | yes | | no |
    | | | | yes | yes |
    | | | | no | no |
    """
    if environment.get("NO_COLOR"):
        return False
    if environment.get("FORCE_COLOR", "0") not in {"", "0"}:
        return True
    if environment.get("TERM") == "dumb":
        return False
    return stream.isatty()


def wants_live(stream: TextIO, environment: Mapping[str, str]) -> bool:
    """True if `stream` is a terminal whose cursor can be moved."""
    return stream.isatty() and environment.get("TERM", "") not in {"", "dumb"}


@dataclass(slots=True)
class Notes:
    """Everything that is not the result; lines to stderr. If they cannot be written, there is nobody to tell."""

    stream: TextIO
    color: bool = False
    silent: bool = False

    def say(self, *lines: Line) -> None:
        """Print unless --quiet or --json asked for silence."""
        if not self.silent:
            self.insist(lines)

    def insist(self, lines: Iterable[Line]) -> None:
        """Print in any case: failures and what a person must know."""
        try:
            self.stream.write(rendered(lines, color=self.color))
            self.stream.flush()
        except (OSError, ValueError):
            self.silent = True


class Result:
    """The real stdout. What cannot be written is dropped; `problem` says why, once."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.problem: OSError | None = None

    @property
    def is_lost(self) -> bool:
        """True if it could not be written, and not since its reader went away, who wants no more of it."""
        return self.problem is not None and not isinstance(self.problem, BrokenPipeError)

    def write_line(self, text: str) -> None:
        self.write_lines((text,))

    def write_lines(self, texts: Iterable[str]) -> None:
        """Write whole lines and flush once, so that a reader sees each batch at once."""
        if self.problem is not None:
            return
        try:
            self._stream.write("".join(f"{text}\n" for text in texts))
            self._stream.flush()
        except OSError as error:
            self.problem = error


def notes_to_stderr(*, silent: bool = False) -> Notes:
    """The notes of this process."""
    return Notes(sys.stderr, color=wants_color(sys.stderr, os.environ), silent=silent)


def print_lines(lines: Iterable[Line]) -> None:
    """Lines that are the result, to stdout, in colour where that is a terminal."""
    sys.stdout.write(rendered(lines, color=wants_color(sys.stdout, os.environ)))


@contextmanager
def claimed_stdout() -> Generator[Result]:
    """The real stdout for the result; meanwhile whatever prints to stdout, children included, reaches stderr.

    Descriptors are put back at the end.
    """
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(line_buffering=True)
    stream = os.fdopen(kept, "w", encoding="utf-8", errors="backslashreplace", closefd=False)
    try:
        yield Result(stream)
    finally:
        _put_back(kept, stream)


def _put_back(kept: int, stream: TextIO) -> None:
    for open_stream in (sys.stdout, stream):
        with suppress(OSError, ValueError):
            open_stream.flush()
    os.dup2(kept, 1)
    os.close(kept)
