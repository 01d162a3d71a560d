"""Records of `logging` with their level and structure: what a console handler would print is handed on as a record.

`logging.StreamHandler.emit` is the one place that every console handler goes through, the last resort of a program
without any configuration included. Taking over there keeps levels, filters and formats as the user's code set them,
prints nothing twice, and leaves `logging.basicConfig` as it is, which a handler of ours on the root logger would not.
"""

from __future__ import annotations

import json
import logging
import math
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from actorflow.runs.output import LogFields
from actorflow.runs.output_text import marked

MAX_EXTRA_CHARS: Final = 1024
"""Of one value; longer ones are cut."""

PIPE_BUF: Final = 4096
"""A write of so many bytes to a pipe is not torn by another. Source: pipe(7); POSIX promises 512, Linux this."""

CHUNK_BYTES: Final = 3072
"""Of text in one record, encoded; the rest is for what stands around it."""

SAFE_CHARS: Final = CHUNK_BYTES // 12
"""A character takes 12 bytes at most."""

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

Emit = Callable[[Any, logging.LogRecord], None]
Take = Callable[[logging.LogRecord, str], bool]
"""Given a record and its text by the handler's format; False leaves it to the handler."""


def take_console_records(is_console: Callable[[object], bool], take: Take) -> Callable[[], None]:
    """Offer what handlers would write to a console stream to `take`; returns what ends that."""
    # Any: its type is generic in a stream that nothing here cares for.
    handlers: Any = logging.StreamHandler
    original: Emit = handlers.emit

    def emit(handler: Any, record: logging.LogRecord) -> None:
        try:
            taken = is_console(handler.stream) and take(record, handler.format(record))
        except RecursionError:
            raise
        except Exception:  # noqa: BLE001 - as `logging` does it: a record that cannot be formatted is reported
            handler.handleError(record)
            return
        if not taken:
            original(handler, record)

    handlers.emit = emit

    def give_back() -> None:
        handlers.emit = original

    return give_back


def log_to_standard_error() -> None:
    """For a worker: console handlers write marked lines to descriptor 2, which its owner reads."""
    consoles = (sys.stdout, sys.stderr)

    def is_console(stream: object) -> bool:
        return any(stream is console for console in consoles)

    def take(record: logging.LogRecord, text: str) -> bool:
        for stream in consoles:
            with suppress(Exception):  # closed by the task
                stream.flush()
        for part in parts_of(text, fields_of(record)):
            os.write(2, part)
        return True

    take_console_records(is_console, take)


def fields_of(record: logging.LogRecord) -> LogFields:
    """Level, logger, and what `extra=` held."""
    extra = {name: _plain(value) for name, value in vars(record).items() if name not in _STANDARD}
    return LogFields(record.levelname, record.name, extra)


def parts_of(text: str, fields: LogFields) -> list[bytes]:
    """A record as marked lines that no other write tears: a long text is several records, the first with extras."""
    whole = marked(text, fields)
    if len(whole) <= PIPE_BUF:
        return [whole]
    bare = LogFields(fields.level[:64], fields.logger[:512])
    first, *more = _chunks(text)
    with_extra = marked(first, fields)
    return [with_extra if len(with_extra) <= PIPE_BUF else marked(first, bare), *(marked(each, bare) for each in more)]


def _chunks(text: str) -> list[str]:
    """Whole lines, as many as fit."""
    chunks: list[str] = []
    room = 0
    for line in text.split("\n"):
        for piece in [line] if len(line) < SAFE_CHARS else _cut(line):
            size = len(json.dumps(piece))
            if chunks and size <= room:
                chunks[-1] += f"\n{piece}"
            else:
                chunks.append(piece)
                room = CHUNK_BYTES
            room -= size
    return chunks


def _cut(line: str) -> list[str]:
    return [line[at : at + SAFE_CHARS] for at in range(0, len(line), SAFE_CHARS)]


def _plain(value: object) -> object:
    if value is None or isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= MAX_EXTRA_CHARS else f"{text[:MAX_EXTRA_CHARS]}..."
