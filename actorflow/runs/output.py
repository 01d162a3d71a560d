"""What a run's tasks print and log, as values, and as the lines of the file that keeps them.

The file is JSON, a record a line, the keys in this order:

| key | holds |
|---|---|
| task, map_index, attempt | whose it is; `task` is null for what a worker wrote between two attempts |
| worker | which one, only where `task` is null |
| ts | epoch seconds of when it was read |
| stream | `out`, `err` or `log`; null for a gap |
| lines | the text, without line ends; of one read, or of one record of `logging` |
| level, logger, extra | of a record of `logging` |
| dropped | lines that stood here and were not kept |

Whose it is comes first, so that a reader looks for one attempt without decoding the rest.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from actorflow.hot_value import hot_value
from actorflow.runs.task_context import TaskContext


class Stream(StrEnum):
    """Where a line came from: standard output, standard error, or `logging`."""

    out = "out"
    err = "err"
    log = "log"


@dataclass(frozen=True, slots=True)
class Origin:
    """Whose output it is: an attempt's, or a worker's between two of them (`task` is None), or the run's own."""

    task: str | None = None
    map_index: int | None = None
    attempt: int | None = None
    worker: str = ""

    @property
    def label(self) -> str:
        """`census[7]`, `census`, or the worker."""
        if self.task is None:
            return self.worker
        return self.task if self.map_index is None else f"{self.task}[{self.map_index}]"


@dataclass(frozen=True, slots=True)
class LogFields:
    """What `logging` says of a record besides its text. extra: what its `extra=` held, as plain JSON values."""

    level: str
    logger: str
    extra: Mapping[str, object] = field(default_factory=dict[str, object])


@hot_value
class OutputRecord:
    """Lines of one origin and one stream, or a gap: then `stream` is None and `dropped` is how many are missing."""

    origin: Origin
    ts: float
    stream: Stream | None
    lines: tuple[str, ...] = ()
    fields: LogFields | None = None
    dropped: int = 0


def origin_of(context: TaskContext) -> Origin:
    return Origin(context.task, context.map_index, context.attempt)


def encode_record(record: OutputRecord) -> bytes:
    """One line of the file, with its end."""
    plain: dict[str, object] = {"ts": record.ts, "stream": record.stream and record.stream.value}
    if record.lines:
        plain["lines"] = record.lines
    if record.fields is not None:
        plain |= {"level": record.fields.level, "logger": record.fields.logger}
        if record.fields.extra:
            plain["extra"] = record.fields.extra
    if record.dropped:
        plain["dropped"] = record.dropped
    return origin_prefix(record.origin) + _dumps(plain)[1:] + b"\n"


def decode_record(line: bytes) -> OutputRecord:
    """What `encode_record` made; raises ValueError for anything else."""
    try:
        plain: Any = json.loads(line)
        origin = Origin(plain["task"], plain["map_index"], plain["attempt"], plain.get("worker", ""))
        fields = LogFields(plain["level"], plain["logger"], plain.get("extra", {})) if "level" in plain else None
        stream = None if plain["stream"] is None else Stream(plain["stream"])
        return OutputRecord(origin, plain["ts"], stream, tuple(plain.get("lines", ())), fields, plain.get("dropped", 0))
    except (KeyError, TypeError, AttributeError) as exc:
        raise ValueError(f"not a record of output: {line[:80]!r}") from exc


def origin_prefix(origin: Origin) -> bytes:
    """The beginning of each line that holds output of `origin`."""
    plain: dict[str, object] = {"task": origin.task, "map_index": origin.map_index, "attempt": origin.attempt}
    if origin.task is None:
        plain["worker"] = origin.worker
    return _dumps(plain)[:-1] + b","


def record_json(record: OutputRecord) -> dict[str, object]:
    """A record in plain JSON values, as `actorflow logs --json` prints it."""
    return {"v": 1, **json.loads(encode_record(record))}


def _dumps(plain: object) -> bytes:
    # ASCII, so that a control character never stands in the file as itself and no text can fail to be encoded.
    return json.dumps(plain, separators=(",", ":")).encode("ascii")
