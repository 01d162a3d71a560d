"""Events on disk: one msgpack array a row, `[ts, code, *fields]`, and back.

The codes and the order of fields are the journal's format: append, never renumber, never reorder. A field added at the
end of an event has a default, which rows written before it take. Values stay in their own encoded form, as bytes; a
value too large for a row stands there as `[digest, size]` (actorflow/runs/large_values.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, cast

from actorflow.actors.codec import Codec
from actorflow.actors.codec.wire import pack, unpack
from actorflow.runs.events import (
    AttemptFinished,
    AttemptStarted,
    Event,
    RecordedLimits,
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
from actorflow.runs.values import Reference, Value, ValueSource

Keep = Callable[[str, Value], object]
"""What stands for a value in a row: its bytes, or `[digest, size]`. The name is for EncodeError."""

Place = tuple[int, ValueSource | None]
"""(seq of the row, where its large values are)."""

Row = tuple[int, bytes]
"""(seq, encoded event)."""


_REFERENCE_HEAD: Final = b"\x92\xc4\x20"
"""How `[digest, size]` begins: an array of two, and 32 bytes."""


class RowError(ValueError):
    """Bytes that are no row of this format."""


def inline(name: str, value: Value) -> object:
    """Every value in the row itself."""
    return value.data(name)


def encode_row(ts: float, event: Event, keep: Keep = inline) -> bytes:
    """The row of an event. Raises EncodeError if a value in it has no encoded form, and what `keep` raises."""
    with_values = _ENCODERS_WITH_VALUES.get(type(event))
    if with_values is not None:
        return pack(with_values(ts, event, keep))
    return pack(_ENCODERS[type(event)](ts, event))


def has_large_value(event: Event, max_bytes: int) -> bool:
    """True if a value in it is larger than that, or lives on disk already. Raises EncodeError."""
    kind = type(event)
    if kind is AttemptFinished:
        value = cast("AttemptFinished", event).value
        return value is not None and value.size_bytes > max_bytes
    if kind is TaskFinished:
        value = cast("TaskFinished", event).value
        return value is not None and value.size_bytes > max_bytes
    if kind is RunStarted:
        params = cast("RunStarted", event).params
        return any(len(param.value.data(name)) > max_bytes for name, param in params.items())
    if kind is RunFinished:
        result = cast("RunFinished", event).result
        return result is not None and result.size_bytes > max_bytes
    return False


def values_of(event: Event) -> tuple[Value, ...]:
    """Every value in it."""
    match event:
        case (
            AttemptFinished(value=Value() as value)
            | TaskFinished(value=Value() as value)
            | RunFinished(result=Value() as value)
        ):
            return (value,)
        case RunStarted(params=params):
            return tuple(param.value for param in params.values())
        case _:
            return ()


def decode_row(data: bytes, seq: int = 0, source: ValueSource | None = None) -> tuple[float, Event]:
    """(ts, event) of row `seq`, whose large values are in `source`; raises RowError. Values are not decoded here."""
    try:
        ts, code, *fields = cast("list[Any]", unpack(data, _no_extension))
        with_values = _DECODERS_WITH_VALUES.get(code)
        if with_values is not None:
            return ts, with_values((seq, source), *fields)
        return ts, _DECODERS[code](*fields)
    except Exception as exc:
        raise RowError(f"{len(data)} bytes are no row of a journal: {type(exc).__name__}: {exc}") from exc


def require_row(data: bytes) -> None:
    """Raises RowError for what is no row of this format, without making an event of it."""
    try:
        _, code, *_ = cast("list[Any]", unpack(data, _no_extension))
        if code not in _DECODERS:
            _ = _DECODERS_WITH_VALUES[code]
    except Exception as exc:
        raise RowError(f"{len(data)} bytes are no row of a journal: {type(exc).__name__}: {exc}") from exc


def may_name_large_value(data: bytes) -> bool:
    """False if no value of that row stands outside of it; seldom True without one."""
    return _REFERENCE_HEAD in data


def _no_extension(code: int, _: bytes) -> object:
    raise RowError(f"unknown extension {code}")


# -- to disk, by the code of each event. `_value_` is what `.value` reads, without a descriptor call. -----------------


def _run_started(ts: float, event: RunStarted, keep: Keep) -> list[object]:
    params = {name: [keep(name, param.value), param.source] for name, param in event.params.items()}
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
    return [
        *head,
        tasks,
        event.version,
        event.python,
        event.loop,
        dict(event.trace),
        dict(event.tags),
        event.code,
        event.revision,
        _from_limits(event.limits),
        event.structure,
        dict(event.sources),
        event.replay_of,
        list(event.selected_out),
        event.fail_fast,
    ]


def _task_ready(ts: float, event: TaskReady) -> list[object]:
    return [ts, 2, event.task, event.width]


def _attempt_started(ts: float, event: AttemptStarted) -> list[object]:
    return [ts, 3, event.task, event.map_index, event.attempt, event.executor, event.memory_bytes]


def _attempt_finished(ts: float, event: AttemptFinished, keep: Keep) -> list[object]:
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
        None if value is None else keep("result", value),
        event.final,
        event.retry_in_s,
    ]


def _task_finished(ts: float, event: TaskFinished, keep: Keep) -> list[object]:
    error = None if event.error is None else _error(event.error)
    head: list[object] = [ts, 5, event.task, event.map_index, event.state._value_, event.cause._value_, error]
    return head if event.value is None else [*head, keep("result", event.value)]


def _run_cancelling(ts: float, event: RunCancelling) -> list[object]:
    return [ts, 6, event.reason, event.cause._value_]


def _run_finished(ts: float, event: RunFinished, keep: Keep) -> list[object]:
    cause = None if event.cause is None else event.cause._value_
    result = None if event.result is None else keep("result", event.result)
    error = None if event.error is None else _error(event.error)
    return [ts, 7, event.run_id, event.status._value_, cause, result, error]


def _run_pausing(ts: float, event: RunPausing) -> list[object]:
    return [ts, 8, event.reason, event.now]


def _run_paused(ts: float, event: RunPaused) -> list[object]:
    return [ts, 9]


def _run_resumed(ts: float, event: RunResumed) -> list[object]:
    return [ts, 10, event.reason, event.taken_up, event.refreshed, event.executor, dict(event.sources)]


def _from_limits(limits: RecordedLimits) -> list[object]:
    return [limits.timeout_s, limits.max_memory_bytes, limits.default_memory_bytes, limits.max_cpus]


def _error(error: ErrorRecord) -> list[object]:
    frames = [[frame.file, frame.line, frame.function, frame.source, frame.ours] for frame in error.frames]
    return [error.type, error.message, list(error.bases), error.traceback, frames]


_ENCODERS: Final[dict[type, Callable[[float, Any], list[object]]]] = {
    TaskReady: _task_ready,
    AttemptStarted: _attempt_started,
    RunCancelling: _run_cancelling,
    RunPausing: _run_pausing,
    RunPaused: _run_paused,
    RunResumed: _run_resumed,
}

_ENCODERS_WITH_VALUES: Final[dict[type, Callable[[float, Any, Keep], list[object]]]] = {
    RunStarted: _run_started,
    AttemptFinished: _attempt_finished,
    TaskFinished: _task_finished,
    RunFinished: _run_finished,
}


# -- from disk --------------------------------------------------------------------------------------------------------

# Calling an enum costs as much as all else of a row.
_CAUSES: Final = {cause.value: cause for cause in Cause}
_ATTEMPT_STATES: Final = {state.value: state for state in AttemptState}


_LATER_OF_RUN_STARTED: Final[tuple[Any, ...]] = ({}, {}, "", "", (), "", {}, "", (), False)


def _to_run_started(place: Place, *fields: Any) -> RunStarted:
    run_id, dag, file, module, params, executor, notes, tasks, version, python, loop, *later = fields
    known = [*later, *_LATER_OF_RUN_STARTED[len(later) :]]
    trace, tags, code, revision, limits, structure, sources, replay_of, selected_out, fail_fast, *_ = known
    return RunStarted(
        run_id=run_id,
        dag=dag,
        file=file,
        module=module,
        params={name: RecordedParam(_to_value(kept, place), source) for name, (kept, source) in params.items()},
        executor=executor,
        notes=tuple(notes),
        tasks=tuple(_to_task(*task) for task in tasks),
        version=version,
        python=python,
        loop=loop,
        trace=trace,
        tags=tags,
        code=code,
        revision=revision,
        limits=_to_limits(*limits),
        structure=structure,
        sources=sources,
        replay_of=replay_of,
        selected_out=tuple(selected_out),
        fail_fast=fail_fast,
    )


def _to_limits(
    timeout_s: float | None = None,
    max_memory_bytes: int | None = None,
    default_memory_bytes: int | None = None,
    max_cpus: float | None = None,
    *_: object,
) -> RecordedLimits:
    return RecordedLimits(
        timeout_s=timeout_s,
        max_memory_bytes=max_memory_bytes,
        default_memory_bytes=default_memory_bytes,
        max_cpus=max_cpus,
    )


def _from_task(task: RecordedTask) -> list[object]:
    place = [task.name, task.task, task.executor, task.mapped, list(task.upstream), task.depth]
    limits = [task.deadline_s, task.queue_timeout_s, task.cpus]
    policies = [task.structure, task.allow_failure, task.critical, task.cleanup]
    return [*place, task.attempts, task.timeout_s, task.memory_bytes, task.elementwise, task.kept, *limits, *policies]


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
    elementwise: str | None = None,
    kept: bool = True,
    deadline_s: float | None = None,
    queue_timeout_s: float | None = None,
    cpus: float | None = None,
    structure: str = "",
    allow_failure: bool = False,
    critical: bool = False,
    cleanup: bool = False,
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
        elementwise=elementwise,
        kept=kept,
        deadline_s=deadline_s,
        queue_timeout_s=queue_timeout_s,
        cpus=cpus,
        structure=structure,
        allow_failure=allow_failure,
        critical=critical,
        cleanup=cleanup,
    )


def _to_attempt_finished(place: Place, *fields: Any) -> AttemptFinished:
    task, map_index, attempt, state, cause, error, worker, peak_rss_bytes, cpu_s, started, value, final, retry = fields
    return AttemptFinished(
        task=task,
        map_index=map_index,
        attempt=attempt,
        state=_ATTEMPT_STATES[state],
        cause=_CAUSES[cause],
        error=None if error is None else _to_error(error),
        worker=worker,
        peak_rss_bytes=peak_rss_bytes,
        cpu_s=cpu_s,
        started=started,
        value=None if value is None else _to_value(value, place),
        final=final,
        retry_in_s=retry,
    )


def _to_task_finished(
    place: Place,
    task: str,
    map_index: int | None,
    state: str,
    cause: str,
    error: list[Any] | None,
    value: Any = None,
    *_: object,
) -> TaskFinished:
    kept = None if value is None else _to_value(value, place)
    return TaskFinished(task, map_index, TaskState(state), Cause(cause), _to_error(error), kept)


def _to_run_resumed(
    reason: str,
    taken_up: bool = False,
    refreshed: bool = False,
    executor: str | None = None,
    sources: dict[str, str] | None = None,
    *_: object,
) -> RunResumed:
    return RunResumed(reason, taken_up, refreshed, executor, sources or {})


def _to_run_cancelling(reason: str, cause: str = Cause.cancelled.value, *_: object) -> RunCancelling:
    return RunCancelling(reason, Cause(cause))


def _to_run_finished(
    place: Place, run_id: str, status: str, cause: str | None, result: Any, error: list[Any] | None
) -> RunFinished:
    return RunFinished(
        run_id=run_id,
        status=RunStatus(status),
        cause=None if cause is None else _CAUSES[cause],
        result=None if result is None else _to_value(result, place),
        error=_to_error(error),
    )


def _to_value(kept: Any, place: Place) -> Value:
    if isinstance(kept, bytes):
        return Value.from_bytes(kept)
    digest, size_bytes = kept
    seq, source = place
    return Value.spilled(Reference(digest, size_bytes, seq), source or NOWHERE)


class _Nowhere:
    """The source of rows that are read for something else than their values."""

    def read(self, reference: Reference) -> bytes:
        raise LookupError(f"the rows were read without their large values; row {reference.seq} has one")

    def decoded(self, reference: Reference, codec: Codec) -> object:
        return codec.decode(self.read(reference))


NOWHERE: Final = _Nowhere()


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
    2: TaskReady,
    3: AttemptStarted,
    6: _to_run_cancelling,
    8: RunPausing,
    9: RunPaused,
    10: _to_run_resumed,
}

_DECODERS_WITH_VALUES: Final[dict[int, Callable[..., Event]]] = {
    1: _to_run_started,
    4: _to_attempt_finished,
    5: _to_task_finished,
    7: _to_run_finished,
}
