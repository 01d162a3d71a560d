"""Events on disk: one msgpack array a row, `[ts, code, *fields]`, and back.

The codes and the order of fields are the journal's format: append, never renumber, never reorder. A field added at the
end of an event has a default, which rows written before it take. Values stay in their own encoded form.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, cast

from actorflow.actors.codec.wire import pack, unpack
from actorflow.runs.events import (
    AttemptFinished,
    AttemptStarted,
    Event,
    RecordedParam,
    RecordedTask,
    RunCancelling,
    RunFinished,
    RunPaused,
    RunPausing,
    RunResumed,
    RunStarted,
    TaskFinished,
    TaskReady,
)
from actorflow.runs.executor import AttemptState, Cause, ErrorRecord, Frame
from actorflow.runs.states import RunStatus, TaskState
from actorflow.runs.values import Value

Row = tuple[int, bytes]
"""(seq, encoded event)."""


class RowError(ValueError):
    """Bytes that are no row of this format."""


def encode_row(ts: float, event: Event) -> bytes:
    """The row of an event. Raises EncodeError if a value in it has no encoded form."""
    return pack(_ENCODERS[type(event)](ts, event))


def decode_row(data: bytes) -> tuple[float, Event]:
    """(ts, event) of a row; raises RowError. Values are not decoded here."""
    try:
        ts, code, *fields = cast("list[Any]", unpack(data, _no_extension))
        return ts, _DECODERS[code](*fields)
    except Exception as exc:
        raise RowError(f"{len(data)} bytes are no row of a journal: {type(exc).__name__}: {exc}") from exc


def _no_extension(code: int, _: bytes) -> object:
    raise RowError(f"unknown extension {code}")


# -- to disk, by the code of each event. `_value_` is what `.value` reads, without a descriptor call. -----------------


def _run_started(ts: float, event: RunStarted) -> list[object]:
    params = {name: [param.value.data(name), param.source] for name, param in event.params.items()}
    tasks = [_from_task(task) for task in event.tasks]
    head: list[object] = [
        ts,
        1,
        event.run_id,
        event.dag,
        event.file,
        event.module,
        params,
        event.executor,
        list(event.notes),
    ]
    return [*head, tasks, event.version, event.python, event.loop, dict(event.trace)]


def _task_ready(ts: float, event: TaskReady) -> list[object]:
    return [ts, 2, event.task, event.width]


def _attempt_started(ts: float, event: AttemptStarted) -> list[object]:
    return [ts, 3, event.task, event.map_index, event.attempt, event.executor, event.memory_bytes]


def _attempt_finished(ts: float, event: AttemptFinished) -> list[object]:
    value = event.value
    return [
        ts,
        4,
        event.task,
        event.map_index,
        event.attempt,
        event.state._value_,
        event.cause._value_,
        None if event.error is None else _error(event.error),
        event.worker,
        event.peak_rss_bytes,
        event.cpu_s,
        event.started,
        None if value is None else value.data(),
        event.final,
        event.retry_in_s,
    ]


def _task_finished(ts: float, event: TaskFinished) -> list[object]:
    error = None if event.error is None else _error(event.error)
    return [ts, 5, event.task, event.map_index, event.state._value_, event.cause._value_, error]


def _run_cancelling(ts: float, event: RunCancelling) -> list[object]:
    return [ts, 6, event.reason, event.cause._value_]


def _run_finished(ts: float, event: RunFinished) -> list[object]:
    cause = None if event.cause is None else event.cause._value_
    result = None if event.result is None else event.result.data()
    error = None if event.error is None else _error(event.error)
    return [ts, 7, event.run_id, event.status._value_, cause, result, error]


def _run_pausing(ts: float, event: RunPausing) -> list[object]:
    return [ts, 8, event.reason, event.now]


def _run_paused(ts: float, event: RunPaused) -> list[object]:
    return [ts, 9]


def _run_resumed(ts: float, event: RunResumed) -> list[object]:
    return [ts, 10, event.reason]


def _error(error: ErrorRecord) -> list[object]:
    frames = [[frame.file, frame.line, frame.function, frame.source, frame.ours] for frame in error.frames]
    return [error.type, error.message, list(error.bases), error.traceback, frames]


_ENCODERS: Final[dict[type, Callable[[float, Any], list[object]]]] = {
    RunStarted: _run_started,
    TaskReady: _task_ready,
    AttemptStarted: _attempt_started,
    AttemptFinished: _attempt_finished,
    TaskFinished: _task_finished,
    RunCancelling: _run_cancelling,
    RunPausing: _run_pausing,
    RunPaused: _run_paused,
    RunResumed: _run_resumed,
    RunFinished: _run_finished,
}


# -- from disk --------------------------------------------------------------------------------------------------------

_CAUSES: Final[dict[str | None, Cause | None]] = {None: None, **{cause.value: cause for cause in Cause}}
_ATTEMPT_STATES: Final = {state.value: state for state in AttemptState}


def _to_run_started(*fields: Any) -> RunStarted:
    run_id, dag, file, module, params, executor, notes, tasks, version, python, loop, *later = fields
    return RunStarted(
        run_id=run_id,
        dag=dag,
        file=file,
        module=module,
        params={name: RecordedParam(Value.from_bytes(data), source) for name, (data, source) in params.items()},
        executor=executor,
        notes=tuple(notes),
        tasks=tuple(_to_task(*task) for task in tasks),
        version=version,
        python=python,
        loop=loop,
        trace=later[0] if later else {},
    )


def _from_task(task: RecordedTask) -> list[object]:
    place = [task.name, task.task, task.executor, task.mapped, list(task.upstream), task.depth]
    return [*place, task.attempts, task.timeout_s, task.memory_bytes]


def _to_task(
    name: str,
    task: str,
    executor: str,
    mapped: str | None,
    upstream: list[str],
    depth: int,
    attempts: int = 1,
    timeout_s: float | None = None,
    memory_bytes: int | None = None,
    *_: object,
) -> RecordedTask:
    return RecordedTask(
        name=name,
        task=task,
        executor=executor,
        mapped=mapped,
        upstream=tuple(upstream),
        depth=depth,
        attempts=attempts,
        timeout_s=timeout_s,
        memory_bytes=memory_bytes,
    )


def _to_attempt_finished(*fields: Any) -> AttemptFinished:
    task, map_index, attempt, state, cause, error, worker, peak_rss_bytes, cpu_s, started, value, final, retry = fields
    return AttemptFinished(
        task=task,
        map_index=map_index,
        attempt=attempt,
        state=_ATTEMPT_STATES[state],
        cause=Cause(cause),
        error=_to_error(error),
        worker=worker,
        peak_rss_bytes=peak_rss_bytes,
        cpu_s=cpu_s,
        started=started,
        value=_to_value(value),
        final=final,
        retry_in_s=retry,
    )


def _to_task_finished(
    task: str, map_index: int | None, state: str, cause: str, error: list[Any] | None
) -> TaskFinished:
    return TaskFinished(task, map_index, TaskState(state), Cause(cause), _to_error(error))


def _to_run_cancelling(reason: str, cause: str = Cause.cancelled.value, *_: object) -> RunCancelling:
    return RunCancelling(reason, Cause(cause))


def _to_run_finished(
    run_id: str, status: str, cause: str | None, result: bytes | None, error: list[Any] | None
) -> RunFinished:
    return RunFinished(
        run_id=run_id,
        status=RunStatus(status),
        cause=_CAUSES[cause],
        result=_to_value(result),
        error=_to_error(error),
    )


def _to_value(data: bytes | None) -> Value | None:
    return None if data is None else Value.from_bytes(data)


def _to_error(fields: list[Any] | None) -> ErrorRecord | None:
    if fields is None:
        return None
    kind, message, bases, traceback, frames = fields
    return ErrorRecord(
        type=kind,
        message=message,
        bases=tuple(bases),
        traceback=traceback,
        frames=tuple(Frame(*frame) for frame in frames),
    )


_DECODERS: Final[dict[int, Callable[..., Event]]] = {
    1: _to_run_started,
    2: TaskReady,
    3: AttemptStarted,
    4: _to_attempt_finished,
    5: _to_task_finished,
    6: _to_run_cancelling,
    8: RunPausing,
    9: RunPaused,
    10: RunResumed,
    7: _to_run_finished,
}
