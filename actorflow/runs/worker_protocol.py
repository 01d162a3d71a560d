"""Worker protocol: what a worker process and its owner write to each other, in frames over one socket.

| from | message | fields |
|---|---|---|
| worker | ready | CPU seconds, peak resident bytes; once, after the user's module is imported |
| owner | request | number, task, arguments by name as the codec's bytes, the attempt, headers |
| worker | reply | number of the request, cause, result's bytes or error record, peak resident bytes, CPU seconds, |
|        |       | when its body began, how long it took, whether it may have printed |
| worker | skipped | number of the request, which its owner had withdrawn (worker_line.py) |
| owner | go on | number of the request; what it printed is read, so that the next one may begin |

Requests are numbered from 1 and answered in order. CPU seconds count from the worker's start. Only the child imports
user code, so this module stays cheap to import.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn, cast

from actorflow.actors.codec.wire import pack, unpack
from actorflow.hot_value import hot_value
from actorflow.runs.executor import Cause, ErrorRecord, Frame
from actorflow.runs.task_context import TaskContext
from actorflow.runs.values import VALUE_LIMITS
from actorflow_transports.errors import TransportError

MAX_FRAME_BYTES = VALUE_LIMITS.max_bytes + (16 << 20)
"""Room for the largest value and what stands around it."""


class NotTheProtocol(TransportError):
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


@hot_value
class Reply:
    """How the execution ended. value: the encoded result, given exactly when the cause is `ran`.

    started_at: of the body, epoch seconds. took_s: from there to the answer. has_printed: the worker waits for `go_on`
    before it begins anything else.
    """

    number: int
    cause: Cause
    value: bytes | None
    error: ErrorRecord | None
    peak_rss_bytes: int | None
    cpu_total_s: float
    started_at: float = 0.0
    took_s: float = 0.0
    has_printed: bool = False


@hot_value
class Skipped:
    """A request that did not run, since it was withdrawn."""

    number: int


@hot_value
class GoOn:
    """What request `number` printed is read."""

    number: int


def pack_ready(ready: Ready) -> bytes:
    return pack([ready.cpu_total_s, ready.peak_rss_bytes])


def read_ready(data: bytes | bytearray) -> Ready:
    """Raises NotTheProtocol."""
    try:
        cpu_total_s, peak_rss_bytes = _unpack(data)
        return Ready(float(cpu_total_s), int(peak_rss_bytes))
    except (ValueError, TypeError) as exc:
        raise NotTheProtocol(f"not a ready message: {exc}") from exc


def pack_work(
    task: str, arguments: Mapping[str, bytes], context: TaskContext, headers: Mapping[str, str] | None = None
) -> bytes:
    """A request without its number, which it gets when it is sent."""
    of = [context.run_id, context.task, context.map_index, context.attempt]
    return pack([task, dict(arguments), of, dict(headers) if headers else {}])


def numbered(number: int, work: bytes) -> bytes:
    """The request: the list of `pack_work` with one more field in front."""
    return b"\x95" + pack(number) + work[1:]


def read_order(data: bytes | bytearray) -> Request | GoOn:
    """What the owner wrote; raises NotTheProtocol."""
    try:
        number, *rest = _unpack(data)
        if not rest:
            return GoOn(number)
        task, arguments, context, headers = rest
        return Request(number, task, arguments, TaskContext(*context), headers)
    except (ValueError, TypeError) as exc:
        raise NotTheProtocol(f"not a request: {exc}") from exc


def pack_go_on(number: int) -> bytes:
    return pack([number])


def pack_skipped(number: int) -> bytes:
    return pack([number])


def pack_reply(reply: Reply) -> bytes:
    return pack(
        [
            reply.number,
            reply.cause.value,
            reply.value,
            None if reply.error is None else _plain_error(reply.error),
            reply.peak_rss_bytes,
            reply.cpu_total_s,
            reply.started_at,
            reply.took_s,
            reply.has_printed,
        ]
    )


def read_answer(data: bytes | bytearray, number: int) -> Reply | Skipped:
    """The answer to request `number`; raises NotTheProtocol, also for another one's."""
    try:
        found, *rest = _unpack(data)
        if found != number:
            raise NotTheProtocol(f"an answer to request {found!r:.40}, not to {number}")
        if not rest:
            return Skipped(number)
        cause, value, error, peak_rss_bytes, cpu_total_s, started_at, took_s, has_printed = rest
        reply = Reply(
            number,
            _CAUSES[cause],
            value,
            None if error is None else _error(error),
            peak_rss_bytes,
            float(cpu_total_s),
            float(started_at),
            float(took_s),
            bool(has_printed),
        )
    except (ValueError, TypeError, KeyError) as exc:
        raise NotTheProtocol(f"not an answer: {exc}") from exc
    if (reply.cause is Cause.ran) is not isinstance(value, bytes):
        raise NotTheProtocol(f"the answer to request {number} has no result for its cause, {reply.cause}")
    return reply


_CAUSES = {cause.value: cause for cause in Cause}


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
