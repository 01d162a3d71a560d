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
    RunCancelling,
    RunFinished,
    RunPaused,
    RunPausing,
    RunResumed,
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


@dataclass(slots=True)
class StepRecord:
    """The instances of one step. width: of a map, once it is known. touched: those that something happened to.

    rest: what all others are; they take no memory, so that a map of a million costs what has been reached of it.
    """

    name: str
    width: int | None = None
    touched: dict[int | None, TaskRecord] = field(default_factory=dict[int | None, TaskRecord])
    rest: tuple[TaskState, Cause | None, ErrorRecord | None] = (TaskState.pending, None, None)

    def instance(self, map_index: int | None) -> TaskRecord:
        """One of them; a copy where nothing happened to it yet."""
        return self.touched.get(map_index) or TaskRecord(self.name, map_index, *self.rest)

    def instances(self) -> Iterator[TaskRecord]:
        """All of them by map index; a map whose width is not known is one without an index."""
        if self.width is not None:
            return (self.instance(index) for index in range(self.width))
        return iter(list(self.touched.values()) or [self.instance(None)])

    def touch(self, map_index: int | None) -> TaskRecord:
        """One of them, to be changed."""
        found = self.touched.get(map_index)
        if found is None:
            found = self.touched[map_index] = self.instance(map_index)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """A run as far as it got. steps: by name, in topological order; what the plan says of them is in `header.tasks`.

    error: of the first task that failed. cancel_reason: "" unless somebody asked for a cancel. last_seq: of the last
    event folded.
    """

    run_id: str
    status: RunStatus
    cause: Cause | None
    dag: str
    file: str
    params: Mapping[str, RecordedParam]
    steps: Mapping[str, StepRecord]
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
        for step in self.steps.values():
            yield from step.instances()

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
            "replay_of": "" if header is None else header.replay_of,
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
        self.steps: dict[str, StepRecord] = {}

    def apply(self, record: Record) -> None:
        seq, ts, event = record
        self.last_seq = seq
        match event:
            case AttemptStarted():
                self._attempt_started(ts, event)
            case AttemptFinished():
                self._attempt_finished(ts, event)
            case TaskReady():
                self._step(event.task).width = event.width
            case TaskFinished():
                self._task_finished(event)
            case RunStarted():
                self.header, self.started, self.status = event, ts, RunStatus.running
                self.steps = {task.name: StepRecord(task.name) for task in event.tasks}
            case RunCancelling():
                self.cancel_reason, self.status = event.reason, RunStatus.cancelling
            case RunPausing():
                self.status = RunStatus.pausing
            case RunPaused():
                self.status = RunStatus.paused
            case RunResumed():
                self.status = RunStatus.running
                if event.taken_up:
                    self._taken_up(refreshed=event.refreshed)
            case RunFinished():
                self.end, self.ended, self.status = event, ts, event.status

    def finish(self, *, owned: bool) -> RunRecord:
        if not owned and self.status not in TERMINAL_RUN_STATUSES:
            self._interrupt()
        elif self.status in TERMINAL_RUN_STATUSES:
            self._leave_behind()
        header, end = self.header, self.end
        return RunRecord(
            run_id=self.run_id,
            status=self.status,
            cause=None if end is None else end.cause,
            dag="" if header is None else header.dag,
            file="" if header is None else header.file,
            params={} if header is None else header.params,
            steps=self.steps,
            started=self.started,
            ended=self.ended,
            result=None if end is None else end.result,
            error=None if end is None else end.error,
            header=header,
            cancel_reason=self.cancel_reason,
            last_seq=self.last_seq,
        )

    def _step(self, name: str) -> StepRecord:
        found = self.steps.get(name)
        if found is None:
            found = self.steps[name] = StepRecord(name)
        return found

    def _attempt_started(self, ts: float, event: AttemptStarted) -> None:
        instance = self._step(event.task).touch(event.map_index)
        instance.state, instance.cause = TaskState.running, None
        instance.attempts.append(AttemptRecord(event.attempt, event.executor, started=ts))

    def _attempt_finished(self, ts: float, event: AttemptFinished) -> None:
        instance = self._step(event.task).touch(event.map_index)
        if not instance.attempts or instance.attempts[-1].number != event.attempt:
            instance.attempts.append(AttemptRecord(event.attempt, ""))
        attempt = instance.attempts[-1]
        attempt.state, attempt.cause, attempt.error = event.state.value, event.cause, event.error
        attempt.started, attempt.ended = event.started or attempt.started, ts
        attempt.worker, attempt.peak_rss_bytes, attempt.cpu_s = event.worker, event.peak_rss_bytes, event.cpu_s
        instance.state = TaskState(event.state.value) if event.final else TaskState.up_for_retry
        instance.cause, instance.error = event.cause, event.error

    def _task_finished(self, event: TaskFinished) -> None:
        step = self._step(event.task)
        if event.map_index is None and step.width is not None:
            step.rest = (event.state, event.cause, event.error)
            return
        instance = step.touch(event.map_index)
        instance.state, instance.cause, instance.error = event.state, event.cause, event.error or instance.error

    def _interrupt(self) -> None:
        self.status = RunStatus.interrupted
        self._lose_what_runs()

    def _lose_what_runs(self) -> None:
        for step in self.steps.values():
            for instance in step.touched.values():
                if instance.state is TaskState.running:
                    instance.state, instance.cause = TaskState.pending, Cause.lost
                    instance.attempts[-1].state = INTERRUPTED

    def _taken_up(self, *, refreshed: bool) -> None:
        """What is committed stays; what ran is lost, and what had ended otherwise is to be judged again."""
        self._lose_what_runs()
        self.end = self.ended = None
        if not refreshed:
            return
        self.cancel_reason = ""
        for step in self.steps.values():
            step.rest = (TaskState.pending, None, None)
            for instance in step.touched.values():
                if instance.state not in (TaskState.succeeded, TaskState.pending):
                    instance.state, instance.cause, instance.error = step.rest
            if not any(instance.state is TaskState.succeeded for instance in step.touched.values()):
                step.width = None

    def _leave_behind(self) -> None:
        """What a killed run could not end: nothing of a run that is over runs."""
        for step in self.steps.values():
            for instance in step.touched.values():
                if instance.state is TaskState.running:
                    instance.state, instance.cause = TaskState.cancelled, Cause.cancelled
                    instance.attempts[-1].state = INTERRUPTED
