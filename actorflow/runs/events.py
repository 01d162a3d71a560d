"""What happens in a run, as frozen values: the one stream that feeds journal, CLI, `--json` and telemetry.

| event | when |
|---|---|
| run_started | first of every run: what is run, with which parameters, by what |
| task_ready | every upstream of a step is terminal; the width of a map is known from here on |
| attempt_started | an attempt was handed to its executor |
| attempt_finished | an attempt ended; `final` if the task instance is now in that state |
| task_finished | an instance, or a whole step, ended without an attempt |
| run_cancelling | nothing starts from here on; what runs is ended |
| run_pausing | nothing starts until run_resumed; what runs ends by itself, or is taken back |
| run_paused | nothing runs any more |
| run_resumed | what is ready starts again; with `taken_up` in a new process, after an end or a crash |
| run_finished | last of every run that was not interrupted, unless a run_resumed follows |

On disk: actorflow/runs/event_rows.py. As JSON: `to_json`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple, cast

from actorflow.hot_value import hot_value, hot_value_by_name
from actorflow.runs.executor import AttemptState, Cause, ErrorRecord
from actorflow.runs.plain_json import plain, plain_value
from actorflow.runs.states import RunStatus, TaskState
from actorflow.runs.values import Value

JSON_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class RecordedParam:
    """A parameter as the run was given it. source: "default", "-p", "option", "bind", ..."""

    value: Value
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedTask:
    """A step of the plan.

    task: "module:qualname". mapped: the parameter that is mapped over. depth: from a source. attempts: at most, after
    errors. timeout_s, memory_bytes: of one attempt, None without limit. elementwise: the upstream map whose index i
    feeds index i. kept: part of the run's result, so that its values stay. deadline_s: of all attempts of an instance
    together. queue_timeout_s: of its wait for its turn. cpus: what it counts for. structure: the digest of the step.
    allow_failure, critical, cleanup: as its task says (actorflow/flows/graph.py).
    """

    name: str
    task: str
    executor: str
    mapped: str | None = None
    upstream: tuple[str, ...] = ()
    depth: int = 0
    attempts: int = 1
    timeout_s: float | None = None
    memory_bytes: int | None = None
    elementwise: str | None = None
    kept: bool = True
    deadline_s: float | None = None
    queue_timeout_s: float | None = None
    cpus: float | None = None
    structure: str = ""
    allow_failure: bool = False
    critical: bool = False
    cleanup: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedLimits:
    """What the run may take as a whole; None without limit."""

    timeout_s: float | None = None
    max_memory_bytes: int | None = None
    default_memory_bytes: int | None = None
    max_cpus: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted:
    """The run begins. file: the user's file as given. executor: the run's default, None if none was named.

    trace: where telemetry is on, `traceparent` of the run's own span and how the run hangs together with who started
    it (actorflow/telemetry/joining.py); else empty. tags: what the user calls it by. code: SHA-256 of the user's file.
    revision: the git commit of its folder; "" where there is none. structure: the
    digest of the graph, "" in journals of older versions. sources: of the text of each task, by "module:qualname".
    replay_of: the run whose parameters it takes; "" for none. selected_out: steps that were left out. fail_fast: the
    first failure ends the run.
    """

    run_id: str
    dag: str
    file: str
    module: str
    params: Mapping[str, RecordedParam] = field(default_factory=dict[str, RecordedParam])
    executor: str | None = None
    notes: tuple[str, ...] = ()
    tasks: tuple[RecordedTask, ...] = ()
    version: str = ""
    python: str = ""
    loop: str = ""
    trace: Mapping[str, str] = field(default_factory=dict[str, str])
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    code: str = ""
    revision: str = ""
    limits: RecordedLimits = field(default_factory=RecordedLimits)
    structure: str = ""
    sources: Mapping[str, str] = field(default_factory=dict[str, str])
    replay_of: str = ""
    selected_out: tuple[str, ...] = ()
    fail_fast: bool = False


@dataclass(frozen=True, slots=True)
class TaskReady:
    """A step may run. width: how many instances a mapped step has; None for a plain one."""

    task: str
    width: int | None = None


@hot_value
class AttemptStarted:
    """Attempt `attempt` (from 1) of a task instance was handed to its executor. memory_bytes: its own quota."""

    task: str
    map_index: int | None
    attempt: int
    executor: str
    memory_bytes: int | None = None


@hot_value_by_name
class AttemptFinished:
    """An attempt ended. started: epoch seconds. value: what it returned. retry_in_s: set when not `final`.

    One that is cancelled and not final was taken back by a pause: it spends nothing, and is started again.
    """

    task: str
    map_index: int | None
    attempt: int
    state: AttemptState
    cause: Cause
    error: ErrorRecord | None = None
    worker: str = ""
    peak_rss_bytes: int | None = None
    cpu_s: float | None = None
    started: float = 0.0
    value: Value | None = None
    final: bool = True
    retry_in_s: float | None = None


@hot_value
class TaskFinished:
    """An instance ended without an attempt. map_index: None for the whole step, whatever its width.

    value: what it returned in the run that it is reused from.
    """

    task: str
    map_index: int | None
    state: TaskState
    cause: Cause
    error: ErrorRecord | None = None
    value: Value | None = None


@dataclass(frozen=True, slots=True)
class RunCancelling:
    """The run is being ended. reason: who asked, in words. cause: cancelled, or timed_out by the run's own timeout."""

    reason: str
    cause: Cause = Cause.cancelled


@dataclass(frozen=True, slots=True)
class RunPausing:
    """A pause was accepted. reason: who asked, in words. now: what runs is taken back, to be started again."""

    reason: str
    now: bool = False


@dataclass(frozen=True, slots=True)
class RunPaused:
    """Nothing runs any more, and nothing starts."""


@dataclass(frozen=True, slots=True)
class RunResumed:
    """A pause is over, or a new process has taken the run up. reason: who asked, in words.

    taken_up: a new process goes on with the run; what ran has been lost. refreshed: every instance without a committed
    result is pending again, with new budgets; else what has ended stays as it is. executor: the new default; None: as
    before. sources: of the tasks whose text has changed since, by "module:qualname".
    """

    reason: str
    taken_up: bool = False
    refreshed: bool = False
    executor: str | None = None
    sources: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFinished:
    """The run is over. result: set exactly when it succeeded. error: of the first task that failed."""

    run_id: str
    status: RunStatus
    cause: Cause | None = None
    result: Value | None = None
    error: ErrorRecord | None = None


Event = (
    RunStarted
    | TaskReady
    | AttemptStarted
    | AttemptFinished
    | TaskFinished
    | RunCancelling
    | RunPausing
    | RunPaused
    | RunResumed
    | RunFinished
)

EVENT_NAMES: Final[Mapping[type, str]] = {
    RunStarted: "run_started",
    TaskReady: "task_ready",
    AttemptStarted: "attempt_started",
    AttemptFinished: "attempt_finished",
    TaskFinished: "task_finished",
    RunCancelling: "run_cancelling",
    RunPausing: "run_pausing",
    RunPaused: "run_paused",
    RunResumed: "run_resumed",
    RunFinished: "run_finished",
}


class Record(NamedTuple):
    """An event that is on disk. seq: from 1, without gaps, per run. ts: epoch seconds of when it was recorded."""

    seq: int
    ts: float
    event: Event


def to_json(record: Record) -> dict[str, object]:
    """`record` in plain JSON values: `v`, `seq`, `ts`, `type`, then the fields of its event."""
    seq, ts, event = record
    head: dict[str, object] = {"v": JSON_VERSION, "seq": seq, "ts": ts, "type": EVENT_NAMES[type(event)]}
    for name in type(event).__annotations__:
        head[name] = _plain(getattr(event, name))
    return head


def error_json(error: ErrorRecord | None) -> dict[str, object] | None:
    """A failure in plain JSON values; frames outermost first."""
    if error is None:
        return None
    frames = [{name: getattr(frame, name) for name in type(frame).__slots__} for frame in error.frames]
    return {
        "type": error.type,
        "message": error.message,
        "bases": list(error.bases),
        "traceback": error.traceback,
        "frames": frames,
    }


def _plain(value: object) -> object:
    if isinstance(value, Value):
        return plain_value(value)
    if isinstance(value, ErrorRecord):
        return error_json(value)
    if isinstance(value, RecordedParam | RecordedTask | RecordedLimits):
        return {name: _plain(getattr(value, name)) for name in type(value).__slots__}
    if isinstance(value, tuple):
        return [_plain(item) for item in cast("tuple[object, ...]", value)]
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in cast("Mapping[str, object]", value).items()}
    return plain(value)
