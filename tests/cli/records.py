"""Records made by hand, as the journal would hand them over."""

from __future__ import annotations

from actorflow.actors.codec import Codec
from actorflow.runs.events import (
    AttemptFinished,
    AttemptStarted,
    Event,
    Record,
    RecordedParam,
    RecordedTask,
    RunFinished,
    RunStarted,
    TaskFinished,
    TaskReady,
)
from actorflow.runs.executor import AttemptState, Cause, ErrorRecord, Frame
from actorflow.runs.states import RunStatus, TaskState
from actorflow.runs.values import Value

START_S = 1_000_000.0
CODEC = Codec()

VALUE_ERROR = ErrorRecord(
    type="builtins:ValueError",
    message="could not convert string to float: 'n/a'",
    traceback="Traceback (most recent call last):\n  ...\nValueError: could not convert string to float: 'n/a'\n",
    frames=(
        Frame("/lib/actorflow/runs/task_call.py", 30, "call", "return fn(**arguments)", True),
        Frame("/home/me/etl.py", 41, "clean", 'price = parse(row["price"])', False),
        Frame("/home/me/etl.py", 22, "parse", "return float(text)", False),
    ),
)


def records(*events: tuple[float, Event]) -> list[Record]:
    """Events at seconds after the start of the run."""
    return [Record(seq, START_S + after_s, event) for seq, (after_s, event) in enumerate(events, 1)]


def started(*tasks: RecordedTask, notes: tuple[str, ...] = (), **params: object) -> tuple[float, Event]:
    recorded = {name: RecordedParam(Value.of(value), "-p") for name, value in params.items()}
    return 0.0, RunStarted(
        run_id="7f3k", dag="etl", file="etl.py", module="etl", params=recorded, notes=notes, tasks=tasks
    )


def step(
    name: str, *upstream: str, mapped: str | None = None, attempts: int = 1, executor: str = "process"
) -> RecordedTask:
    return RecordedTask(
        name=name, task=f"etl:{name}", executor=executor, mapped=mapped, upstream=upstream, attempts=attempts
    )


def ready(after_s: float, task: str, width: int | None = None) -> tuple[float, Event]:
    return after_s, TaskReady(task, width)


def begun(after_s: float, task: str, index: int | None = None, attempt: int = 1) -> tuple[float, Event]:
    return after_s, AttemptStarted(task, index, attempt, "process")


def ended(
    after_s: float,
    task: str,
    index: int | None = None,
    attempt: int = 1,
    *,
    took_s: float = 1.0,
    cause: Cause = Cause.ran,
    error: ErrorRecord | None = None,
    retry_in_s: float | None = None,
    worker: str = "",
) -> tuple[float, Event]:
    state = {Cause.ran: AttemptState.succeeded, Cause.cancelled: AttemptState.cancelled}.get(cause, AttemptState.failed)
    return after_s, AttemptFinished(
        task=task,
        map_index=index,
        attempt=attempt,
        state=state,
        cause=cause,
        error=error,
        worker=worker,
        started=START_S + after_s - took_s,
        final=retry_in_s is None,
        retry_in_s=retry_in_s,
    )


def unstarted(
    after_s: float, task: str, index: int | None = None, state: TaskState = TaskState.upstream_failed
) -> tuple[float, Event]:
    return after_s, TaskFinished(task, index, state, Cause.upstream)


def over(after_s: float, status: RunStatus = RunStatus.succeeded) -> tuple[float, Event]:
    return after_s, RunFinished(run_id="7f3k", status=status, cause=Cause.ran)
