"""A run's history: its events folded into what became of every task instance. Pure; no file is opened here.

An instance that was never reached is pending. In an interrupted run, an attempt without an end is `interrupted`, and
its instance is pending again with the cause `lost`: that is what a resume runs anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from actorflow.runs.events import (
    AttemptFinished,
    AttemptStarted,
    Record,
    RecordedParam,
    RecordedTask,
    RunCancelling,
    RunFinished,
    RunStarted,
    TaskFinished,
    TaskReady,
    error_json,
)
from actorflow.runs.executor import Cause, ErrorRecord
from actorflow.runs.plain_json import plain_value
from actorflow.runs.states import TERMINAL_RUN_STATUSES, RunStatus, TaskState
from actorflow.runs.values import Value

RUNNING = "running"
INTERRUPTED = "interrupted"


@dataclass(slots=True)
class AttemptRecord:
    """One execution. state: "running", "interrupted", or how it ended. started, ended: epoch seconds."""

    number: int
    executor: str
    state: str = RUNNING
    cause: Cause | None = None
    started: float | None = None
    ended: float | None = None
    worker: str = ""
    peak_rss_bytes: int | None = None
    cpu_s: float | None = None
    error: ErrorRecord | None = None

    def to_json(self) -> dict[str, object]:
        return {
            "number": self.number,
            "state": self.state,
            "cause": None if self.cause is None else self.cause.value,
            "started": self.started,
            "ended": self.ended,
            "worker": self.worker,
            "executor": self.executor,
            "peak_rss_bytes": self.peak_rss_bytes,
            "cpu_s": self.cpu_s,
            "error": error_json(self.error),
        }


@dataclass(slots=True)
class TaskRecord:
    """One task instance. map_index: None for a plain step, and for a map whose width is not known yet."""

    name: str
    map_index: int | None
    state: TaskState = TaskState.pending
    cause: Cause | None = None
    error: ErrorRecord | None = None
    attempts: list[AttemptRecord] = field(default_factory=list[AttemptRecord])

    @property
    def label(self) -> str:
        """`census[7]`, or `census` for a plain step."""
        return self.name if self.map_index is None else f"{self.name}[{self.map_index}]"

    def to_json(self) -> dict[str, object]:
        return {
            "name": self.name,
            "map_index": self.map_index,
            "state": self.state.value,
            "cause": None if self.cause is None else self.cause.value,
            "attempts": [attempt.to_json() for attempt in self.attempts],
            "error": error_json(self.error),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """A run as far as it got. steps: of the plan, in topological order. instances: by step, then by map index.

    error: of the first task that failed. cancel_reason: "" unless somebody asked for a cancel. last_seq: of the last
    event folded.
    """

    run_id: str
    status: RunStatus
    cause: Cause | None
    dag: str
    file: str
    params: Mapping[str, RecordedParam]
    steps: tuple[RecordedTask, ...]
    instances: Mapping[str, Mapping[int | None, TaskRecord]]
    started: float | None
    ended: float | None
    result: Value | None
    error: ErrorRecord | None
    header: RunStarted | None
    cancel_reason: str
    last_seq: int

    @property
    def tasks(self) -> Iterator[TaskRecord]:
        """Every task instance, step after step in topological order, by map index within a step."""
        for instances in self.instances.values():
            yield from instances.values()

    def to_json(self) -> dict[str, object]:
        """What `show --json` prints."""
        header = self.header
        return {
            "run_id": self.run_id,
            "status": self.status.value,
            "cause": None if self.cause is None else self.cause.value,
            "dag": self.dag,
            "file": self.file,
            "started": self.started,
            "ended": self.ended,
            "params": {
                name: {"value": plain_value(param.value), "source": param.source} for name, param in self.params.items()
            },
            "executor": None if header is None else header.executor,
            "notes": [] if header is None else list(header.notes),
            "version": "" if header is None else header.version,
            "python": "" if header is None else header.python,
            "loop": "" if header is None else header.loop,
            "cancel_reason": self.cancel_reason,
            "tasks": [task.to_json() for task in self.tasks],
            "result": None if self.result is None else plain_value(self.result),
            "error": error_json(self.error),
        }


def fold(run_id: str, records: Iterable[Record], *, owned: bool) -> RunRecord:
    """What became of a run. owned: whether a living process still owns it; if not and it has no end, it is interrupted.

    Values of attempts are dropped on the way, so that memory grows with instances and not with what they returned.
    """
    history = _Fold(run_id)
    for record in records:
        history.apply(record)
    return history.finish(owned=owned)


class _Fold:
    """The state of a fold."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self.header: RunStarted | None = None
        self.end: RunFinished | None = None
        self.started: float | None = None
        self.ended: float | None = None
        self.cancel_reason = ""
        self.last_seq = 0
        self.status = RunStatus.queued
        self.instances: dict[str, dict[int | None, TaskRecord]] = {}

    def apply(self, record: Record) -> None:
        seq, ts, event = record
        self.last_seq = seq
        match event:
            case AttemptStarted():
                self._attempt_started(ts, event)
            case AttemptFinished():
                self._attempt_finished(ts, event)
            case TaskReady():
                self._ready(event)
            case TaskFinished():
                self._task_finished(event)
            case RunStarted():
                self.header, self.started, self.status = event, ts, RunStatus.running
                self.instances = {task.name: {None: TaskRecord(task.name, None)} for task in event.tasks}
            case RunCancelling():
                self.cancel_reason, self.status = event.reason, RunStatus.cancelling
            case RunFinished():
                self.end, self.ended, self.status = event, ts, event.status

    def finish(self, *, owned: bool) -> RunRecord:
        if not owned and self.status not in TERMINAL_RUN_STATUSES:
            self._interrupt()
        header, end = self.header, self.end
        return RunRecord(
            run_id=self.run_id,
            status=self.status,
            cause=None if end is None else end.cause,
            dag="" if header is None else header.dag,
            file="" if header is None else header.file,
            params={} if header is None else header.params,
            steps=() if header is None else header.tasks,
            instances=self.instances,
            started=self.started,
            ended=self.ended,
            result=None if end is None else end.result,
            error=None if end is None else end.error,
            header=header,
            cancel_reason=self.cancel_reason,
            last_seq=self.last_seq,
        )

    def _instance(self, task: str, map_index: int | None) -> TaskRecord:
        step = self.instances.setdefault(task, {})
        found = step.get(map_index)
        if found is None:
            found = step[map_index] = TaskRecord(task, map_index)
        return found

    def _ready(self, event: TaskReady) -> None:
        if event.width is not None:
            self.instances[event.task] = {index: TaskRecord(event.task, index) for index in range(event.width)}

    def _attempt_started(self, ts: float, event: AttemptStarted) -> None:
        instance = self._instance(event.task, event.map_index)
        instance.state, instance.cause = TaskState.running, None
        instance.attempts.append(AttemptRecord(event.attempt, event.executor, started=ts))

    def _attempt_finished(self, ts: float, event: AttemptFinished) -> None:
        instance = self._instance(event.task, event.map_index)
        if not instance.attempts or instance.attempts[-1].number != event.attempt:
            instance.attempts.append(AttemptRecord(event.attempt, ""))
        attempt = instance.attempts[-1]
        attempt.state, attempt.cause, attempt.error = event.state.value, event.cause, event.error
        attempt.started, attempt.ended = event.started or attempt.started, ts
        attempt.worker, attempt.peak_rss_bytes, attempt.cpu_s = event.worker, event.peak_rss_bytes, event.cpu_s
        instance.state = TaskState(event.state.value) if event.final else TaskState.up_for_retry
        instance.cause, instance.error = event.cause, event.error

    def _task_finished(self, event: TaskFinished) -> None:
        step = self.instances.setdefault(event.task, {})
        if event.map_index is None and step:
            touched: Iterable[TaskRecord] = [one for one in step.values() if one.state is TaskState.pending]
            touched = touched or [one for one in step.values() if one.state is TaskState.up_for_retry]
        else:
            touched = [self._instance(event.task, event.map_index)]
        for instance in touched:
            instance.state, instance.cause, instance.error = event.state, event.cause, event.error or instance.error

    def _interrupt(self) -> None:
        self.status = RunStatus.interrupted
        for step in self.instances.values():
            for instance in step.values():
                if instance.state is TaskState.running:
                    instance.state, instance.cause = TaskState.pending, Cause.lost
                    instance.attempts[-1].state = INTERRUPTED
