"""Output capture in this process: what tasks on its loop and in its threads print and log, told apart by attempt.

For the length of a command-line run `sys.stdout` and `sys.stderr` are stand-ins that ask which attempt the printing
code belongs to, and console handlers of `logging` are asked the same. Code of no task prints as ever. This is on the
level of Python: what native code and child processes of such tasks write to the descriptors goes where those point.
"""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterable
from contextlib import AbstractContextManager, contextmanager, nullcontext
from logging import LogRecord
from typing import TextIO, cast

from actorflow.runs.executor import AttemptSpec
from actorflow.runs.output import Stream
from actorflow.runs.output_channel import current_channel, printing_to
from actorflow.runs.output_log import OutputLog
from actorflow.runs.output_logging import fields_of, take_console_records
from actorflow.runs.output_text import marked
from actorflow.runs.task_context import context_of


def printing_of(output: OutputLog | None, attempt: AttemptSpec, *, shown: bool = False) -> AbstractContextManager[None]:
    """For executors in this process: prints inside belong to `attempt`. shown: they are printed as well."""
    if output is None or not output.captures_here:
        return nullcontext()
    return printing_to(output.attempt(context_of(attempt), shown=shown))


@contextmanager
def captured_prints() -> Generator[None]:
    """Meanwhile what tasks of this process print and log goes to the log of their run."""
    kept = sys.stdout, sys.stderr
    stand_ins = [cast(TextIO, TaskStream(*each)) for each in zip(kept, (Stream.out, Stream.err), strict=True)]
    consoles = (*kept, *stand_ins)

    def is_console(stream: object) -> bool:
        return any(stream is console for console in consoles)

    def take(record: LogRecord, text: str) -> bool:
        channel = current_channel()
        if channel is None:
            return False
        channel.write(Stream.err, marked(text, fields_of(record)))
        if channel.shown:
            kept[1].write(f"{text}\n")
        return True

    give_back = take_console_records(is_console, take)
    sys.stdout, sys.stderr = stand_ins
    try:
        yield
    finally:
        give_back()
        if [sys.stdout, sys.stderr] == stand_ins:  # else somebody put others in their place
            sys.stdout, sys.stderr = kept


class TaskStream:
    """Stands in for a stream: what a task writes goes to its channel; all else, and other methods, to `original`."""

    def __init__(self, original: TextIO, stream: Stream) -> None:
        self._original = original
        self._stream = stream

    def write(self, text: str) -> int:
        channel = current_channel()
        if channel is None:
            return self._original.write(text)
        channel.write(self._stream, text.encode("utf-8", "backslashreplace"))
        if channel.shown:
            self._original.write(text)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> object:
        return getattr(self._original, name)
