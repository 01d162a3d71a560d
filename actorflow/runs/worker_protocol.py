"""Worker protocol: what a worker process and its owner write to each other, in frames over one socket.

| from | message | fields |
|---|---|---|
| worker | ready | CPU seconds, peak resident bytes; once, after the user's module is imported |
| owner | request | number, task, arguments by name as the codec's bytes, the attempt, headers |
| worker | reply | number of the request, cause, result's bytes or error record, peak resident bytes, CPU seconds |

CPU seconds count from the worker's start. Only the child imports user code, so this module stays cheap to import.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn, cast

from actorflow.actors.codec.wire import pack, unpack
from actorflow.runs.executor import Cause, ErrorRecord, Frame
from actorflow.runs.task_context import TaskContext
from actorflow.runs.values import VALUE_LIMITS

MAX_FRAME_BYTES = VALUE_LIMITS.max_bytes + (16 << 20)
"""Room for the largest value and what stands around it."""


class NotTheProtocol(Exception):
    """Bytes that are no message of the protocol, or not the one that is due."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A worker that waits for its first request, and what it took to get there."""

    cpu_total_s: float
    peak_rss_bytes: int


@dataclass(frozen=True, slots=True)
class Request:
    """One execution.

    task: "module:qualname". arguments: encoded values by parameter name. context: which attempt of the run it is.
    headers: for who traces it.
    """

    number: int
    task: str
    arguments: Mapping[str, bytes]
    context: TaskContext
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Reply:
    """How the execution ended. value: the encoded result, given exactly when the cause is `ran`."""

    number: int
    cause: Cause
    value: bytes | None
    error: ErrorRecord | None
    peak_rss_bytes: int | None
    cpu_total_s: float


def pack_ready(ready: Ready) -> bytes:
    return pack([ready.cpu_total_s, ready.peak_rss_bytes])


def read_ready(data: bytes | bytearray) -> Ready:
    """Raises NotTheProtocol."""
    try:
        cpu_total_s, peak_rss_bytes = _unpack(data)
        return Ready(float(cpu_total_s), int(peak_rss_bytes))
    except (ValueError, TypeError) as exc:
        raise NotTheProtocol(f"not a ready message: {exc}") from exc


def pack_request(request: Request) -> bytes:
    of = request.context
    context = [of.run_id, of.task, of.map_index, of.attempt]
    return pack([request.number, request.task, dict(request.arguments), context, dict(request.headers)])


def read_request(data: bytes | bytearray) -> Request:
    """Raises NotTheProtocol."""
    try:
        number, task, arguments, context, headers = _unpack(data)
        return Request(number, task, arguments, TaskContext(*context), headers)
    except (ValueError, TypeError) as exc:
        raise NotTheProtocol(f"not a request: {exc}") from exc


def pack_reply(reply: Reply) -> bytes:
    return pack(
        [
            reply.number,
            reply.cause.value,
            reply.value,
            None if reply.error is None else _plain_error(reply.error),
            reply.peak_rss_bytes,
            reply.cpu_total_s,
        ]
    )


def read_reply(data: bytes | bytearray, number: int) -> Reply:
    """The reply to request `number`; raises NotTheProtocol, also for another one's."""
    try:
        found, cause, value, error, peak_rss_bytes, cpu_total_s = _unpack(data)
        reply = Reply(
            found, Cause(cause), value, None if error is None else _error(error), peak_rss_bytes, float(cpu_total_s)
        )
    except (ValueError, TypeError) as exc:
        raise NotTheProtocol(f"not a reply: {exc}") from exc
    if reply.number != number or (reply.cause is Cause.ran) is not isinstance(value, bytes):
        raise NotTheProtocol(f"a reply to request {reply.number}, not to {number}")
    return reply


def _plain_error(error: ErrorRecord) -> list[object]:
    frames = [[frame.file, frame.line, frame.function, frame.source, frame.ours] for frame in error.frames]
    return [error.type, error.message, list(error.bases), error.traceback, frames]


def _error(plain: Any) -> ErrorRecord:
    kind, message, bases, traceback, frames = plain
    return ErrorRecord(
        type=kind,
        message=message,
        bases=tuple(bases),
        traceback=traceback,
        frames=tuple(Frame(*frame) for frame in frames),
    )


def _unpack(data: bytes | bytearray) -> Any:
    try:
        return unpack(cast(bytes, data), _no_ext)
    except Exception as exc:
        raise NotTheProtocol(f"not msgpack: {exc}") from exc


def _no_ext(code: int, data: bytes) -> NoReturn:
    raise NotTheProtocol(f"extension {code}")
