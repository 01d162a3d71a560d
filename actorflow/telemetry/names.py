"""Names: what spans, attributes and metrics are called, each name once.

`cicd.*`, `code.*`, `error.*`, `exception.*` and `process.*` are OpenTelemetry's semantic conventions 1.44 (`cicd` is a
release candidate there). No convention knows attempts, maps or waiting: those names begin with `actorflow.`.
"""

from __future__ import annotations

from typing import Final

from actorflow.runs.executor import AttemptState, Cause, ErrorRecord
from actorflow.runs.states import RunStatus, TaskState

SCOPE: Final = "actorflow"

PIPELINE: Final = "cicd.pipeline.name"
RUN_ID: Final = "cicd.pipeline.run.id"
RUN_STATE: Final = "cicd.pipeline.run.state"
ACTION: Final = "cicd.pipeline.action.name"
RESULT: Final = "cicd.pipeline.result"
TASK: Final = "cicd.pipeline.task.name"
TASK_RUN_ID: Final = "cicd.pipeline.task.run.id"
TASK_RESULT: Final = "cicd.pipeline.task.run.result"
WORKER_ID: Final = "cicd.worker.id"
COMPONENT: Final = "cicd.system.component"
ERROR_TYPE: Final = "error.type"
FUNCTION: Final = "code.function.name"
FILE: Final = "code.file.path"
PID: Final = "process.pid"

EXCEPTION: Final = "exception"
EXCEPTION_TYPE: Final = "exception.type"
EXCEPTION_MESSAGE: Final = "exception.message"
EXCEPTION_STACKTRACE: Final = "exception.stacktrace"

VERSION: Final = "actorflow.version"
MAP_INDEX: Final = "actorflow.task.map_index"
MAP_WIDTH: Final = "actorflow.map.width"
MAP_RETRIED: Final = "actorflow.map.retried"
MAP_OMITTED: Final = "actorflow.map.omitted"
ATTEMPT: Final = "actorflow.attempt"
QUEUE_S: Final = "actorflow.queue.duration"
CAUSE: Final = "actorflow.cause"
EXECUTOR: Final = "actorflow.executor"
PEAK_BYTES: Final = "actorflow.memory.peak"
CPU_S: Final = "actorflow.cpu.time"
LINK: Final = "actorflow.link"
LINKS_OMITTED: Final = "actorflow.links.omitted"
ACTOR_TYPE: Final = "actorflow.actor.type"
DEAD_LETTER_REASON: Final = "actorflow.dead_letter.reason"
CANCEL_REASON: Final = "actorflow.cancel.reason"

SUCCESS: Final = "success"
CANCELLATION: Final = "cancellation"


def map_count(result: str) -> str:
    """How many instances of a map ended so."""
    return f"actorflow.map.{result}"


_BY_CAUSE: Final = {Cause.timed_out: "timeout", Cause.lost: "error", Cause.cancelled: CANCELLATION}
_BY_STATE: Final = {
    "succeeded": SUCCESS,
    "cancelled": CANCELLATION,
    "skipped": "skip",
    "upstream_failed": "skip",
}


def result_of(state: TaskState | AttemptState | RunStatus, cause: Cause | None) -> str:
    """The conventions' word for how a run, task or attempt ended.

    | state | cause | result |
    |---|---|---|
    | succeeded | | success |
    | cancelled | | cancellation |
    | skipped, upstream_failed | | skip |
    | failed | timed_out | timeout |
    | failed | lost: the worker died, not the task | error |
    | failed | any other | failure |
    """
    return _BY_STATE.get(state.value) or _BY_CAUSE.get(cause or Cause.error, "failure")


def error_type(cause: Cause | None, error: ErrorRecord | None) -> str:
    """`ValueError`, `etl.BadRow`: the exception where the task raised one; else the cause, such as `timed_out`."""
    if cause in (Cause.error, Cause.bad_input, Cause.bad_output) and error is not None:
        module, _, name = error.type.rpartition(":")
        return name if module in ("", "builtins") else f"{module}.{name}"
    return "" if cause is None else cause.value
