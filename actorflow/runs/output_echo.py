"""Output echo: what tasks in worker processes print and log, said again by the program that runs them."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from contextlib import suppress

from actorflow.runs.output import LogFields, OutputRecord


def echo(records: Sequence[OutputRecord]) -> None:
    """Lines to our standard error, since standard output is the program's own; records of `logging` to its loggers."""
    for record in records:
        if record.fields is not None:
            _log(record, record.fields)
            continue
        text = "".join(f"{line}\n" for line in record.lines)
        if record.dropped:
            text = f"... {record.dropped:,} lines of {record.origin.label} dropped ...\n"
        with suppress(OSError, ValueError):  # closed: there is nobody to tell
            sys.stderr.write(text)
            sys.stderr.flush()


def _log(record: OutputRecord, fields: LogFields) -> None:
    target = logging.getLogger(fields.logger)
    level = logging.getLevelNamesMapping().get(fields.level, logging.WARNING)
    if not target.isEnabledFor(level):
        return
    said = {
        "name": fields.logger,
        "levelno": level,
        "levelname": fields.level,
        "msg": "\n".join(record.lines),
        "created": record.ts,
    }
    target.handle(logging.makeLogRecord({**fields.extra, **said}))
