"""The board: what a person wants to know of a run, folded from its records one by one.

It keeps one row for each step and one entry for each attempt that runs or waits for its retry, never one for each
instance: a map of a million indices takes as much room as what runs of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import assert_never

from actorflow.runs.events import (
    AttemptFinished,
    AttemptStarted,
    Record,
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
from actorflow.runs.executor import AttemptState, Cause, ErrorRecord
from actorflow.runs.states import RunStatus, TaskState

MAX_KEPT_FAILURES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningAttempt:
    """An attempt that runs now. after: what ended the attempt before it, in words; "" for a first attempt."""

    task: str
    map_index: int | None
    number: int
    started_s: float
    after: str = ""

    @property
    def label(self) -> str:
        return label(self.task, self.map_index)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A task instance that failed for good. seconds: how long its last attempt ran; None where it never started."""

    task: str
    map_index: int | None
    cause: Cause
    error: ErrorRecord | None
    attempt: int
    attempts_allowed: int | None
    worker: str = ""
    seconds: float | None = None

    @property
    def label(self) -> str:
        return label(self.task, self.map_index)


@dataclass(slots=True)
class Row:
    """One step. width: how many instances; None until it is known. counts: terminal instances by state.

    executor: where its attempts go, "" where that is not known.

    failed_once: instances with a failed attempt that was not the last.
    """

    name: str
    mapped: bool = False
    upstream: tuple[str, ...] = ()
    attempts_allowed: int | None = None
    executor: str = ""
    width: int | None = None
    counts: Counter[TaskState] = field(default_factory=Counter[TaskState])
    running: dict[int | None, RunningAttempt] = field(default_factory=dict[int | None, RunningAttempt])
    retrying: dict[int | None, str] = field(default_factory=dict[int | None, str])
    retries: int = 0
    failed_once: set[int | None] = field(default_factory=set[int | None])
    flaky: int = 0
    started_s: float | None = None
    ended_s: float | None = None

    @property
    def label(self) -> str:
        """`clean[*]` for a mapped step."""
        return f"{self.name}[*]" if self.mapped else self.name

    @property
    def done(self) -> int:
        return self.counts.total()

    @property
    def is_over(self) -> bool:
        """True once every instance is terminal."""
        return self.ended_s is not None

    @property
    def waiting(self) -> int:
        """Instances that neither run nor are over; a step whose width is unknown counts as one."""
        if self.is_over:
            return 0
        return 1 if self.width is None else max(self.width - self.done - len(self.running), 0)

    def taken_up(self, *, refreshed: bool) -> None:
        """A new process goes on with the run."""
        self.running.clear()
        if not refreshed:
            return
        self.retrying.clear()
        self.counts = Counter({TaskState.succeeded: self.counts[TaskState.succeeded]})
        if not self.done:
            self.width = self.ended_s = None
        elif self.width is not None and self.done < self.width:
            self.ended_s = None


@dataclass(slots=True)
class Board:
    """One run, as far as its records have come. error: why it failed as a whole, and not by one of its tasks."""

    run_id: str = ""
    dag: str = ""
    params: Mapping[str, RecordedParam] = field(default_factory=dict[str, RecordedParam])
    notes: tuple[str, ...] = ()
    trace_id: str = ""
    replay_of: str = ""
    rows: dict[str, Row] = field(default_factory=dict[str, Row])
    failures: list[Failure] = field(default_factory=list[Failure])
    started_s: float | None = None
    ended_s: float | None = None
    status: RunStatus = RunStatus.queued
    cause: str = ""
    error: ErrorRecord | None = None
    cancelling: str = ""

    def apply(self, record: Record) -> None:
        """Take in one record."""
        event = record.event
        match event:
            case RunStarted():
                self._start(event, record.ts)
            case TaskReady(task=task, width=width):
                self._ready(self._row(task), width, record.ts)
            case AttemptStarted():
                self._attempt_started(event, record.ts)
            case AttemptFinished():
                self._attempt_finished(event, record.ts)
            case TaskFinished():
                self._task_finished(event, record.ts)
            case RunCancelling(reason=reason):
                self.status, self.cancelling = RunStatus.cancelling, reason
            case RunPausing():
                self.status = RunStatus.pausing
            case RunPaused():
                self.status = RunStatus.paused
            case RunResumed():
                self.status = RunStatus.running
                if event.taken_up:
                    self._taken_up(refreshed=event.refreshed)
            case RunFinished(status=status, cause=cause, error=error):
                self.status, self.cause, self.ended_s = status, str(cause or ""), record.ts
                self.error = error if error not in [failure.error for failure in self.failures] else None
                self._leave_behind(record.ts)
            case _:
                assert_never(event)

    def _leave_behind(self, ts: float) -> None:
        """What a killed run could not end is cancelled: nothing of a run that is over runs."""
        for row in self.rows.values():
            if row.running:
                row.counts[TaskState.cancelled] += len(row.running)
                row.running.clear()
                self._end_if_over(row, ts)

    def _taken_up(self, *, refreshed: bool) -> None:
        """What ran is to be started again, and with new budgets everything else that has not succeeded."""
        self.ended_s, self.cause, self.error = None, "", None
        if refreshed:
            self.cancelling = ""
            self.failures.clear()
        for row in self.rows.values():
            row.taken_up(refreshed=refreshed)

    def interrupted(self, last_s: float | None) -> None:
        """Its owner is gone, and nothing of it runs. last_s: of its last record; nobody knows what came after that."""
        self.status, self.ended_s = RunStatus.interrupted, last_s
        for row in self.rows.values():
            row.running.clear()

    def total(self, state: TaskState) -> int:
        """How many instances ended in `state`."""
        return sum(row.counts[state] for row in self.rows.values())

    @property
    def running(self) -> int:
        return sum(len(row.running) for row in self.rows.values())

    @property
    def waiting(self) -> int:
        return sum(row.waiting for row in self.rows.values())

    @property
    def flaky(self) -> int:
        """Instances that failed at first and succeeded on retry."""
        return sum(row.flaky for row in self.rows.values())

    def _row(self, task: str) -> Row:
        return self.rows.setdefault(task, Row(task))

    def _start(self, event: RunStarted, ts: float) -> None:
        self.run_id, self.dag, self.params = event.run_id, event.dag, event.params
        self.trace_id, self.replay_of = trace_id(event.trace), event.replay_of
        self.notes, self.started_s, self.status = tuple(event.notes), ts, RunStatus.running
        self.rows = {task.name: self._new_row(task) for task in event.tasks}

    def _new_row(self, task: RecordedTask) -> Row:
        return Row(
            task.name,
            mapped=task.mapped is not None,
            upstream=task.upstream,
            attempts_allowed=task.attempts,
            executor=task.executor,
        )

    def _ready(self, row: Row, width: int | None, ts: float) -> None:
        row.mapped = width is not None
        row.width = 1 if width is None else width
        row.started_s = ts
        self._end_if_over(row, ts)

    def _attempt_started(self, event: AttemptStarted, ts: float) -> None:
        row = self._row(event.task)
        row.running[event.map_index] = RunningAttempt(
            task=event.task,
            map_index=event.map_index,
            number=event.attempt,
            started_s=ts,
            after=row.retrying.pop(event.map_index, ""),
        )

    def _attempt_finished(self, event: AttemptFinished, ts: float) -> None:
        row = self._row(event.task)
        row.running.pop(event.map_index, None)
        if not event.final:
            if event.state is AttemptState.failed:  # what a pause takes back has not failed
                row.retries += 1
                row.retrying[event.map_index] = reason(event.cause, event.error)
                row.failed_once.add(event.map_index)
            return
        row.counts[TaskState(event.state.value)] += 1
        if event.state is AttemptState.succeeded and event.map_index in row.failed_once:
            row.flaky += 1
        if event.state is AttemptState.failed:
            self._keep(row, event, ts)
        self._end_if_over(row, ts)

    def _keep(self, row: Row, event: AttemptFinished, ts: float) -> None:
        if len(self.failures) < MAX_KEPT_FAILURES:
            self.failures.append(failure_of(event, row.attempts_allowed, ts))

    def _task_finished(self, event: TaskFinished, ts: float) -> None:
        row = self._row(event.task)
        state = event.state
        if event.map_index is not None:
            row.counts[state] += 1
            row.retrying.pop(event.map_index, None)
        else:
            row.counts[state] += max((row.width if row.width is not None else 1) - row.done, 0)
            row.ended_s = ts
        if state is TaskState.failed and len(self.failures) < MAX_KEPT_FAILURES:
            self.failures.append(unstarted_failure(event))
        self._end_if_over(row, ts)

    def _end_if_over(self, row: Row, ts: float) -> None:
        if row.width is not None and row.done >= row.width and not row.is_over:
            row.ended_s = ts


def trace_id(trace: Mapping[str, str]) -> str:
    """Of a run with telemetry; "" for one without."""
    return trace.get("traceparent", "--").split("-")[1]


def label(task: str, map_index: int | None) -> str:
    """`clean[61]`, or `extract` for a plain step."""
    return task if map_index is None else f"{task}[{map_index}]"


def reason(cause: Cause, error: ErrorRecord | None) -> str:
    """Why an attempt failed, in two or three words: the exception's name, or the cause."""
    if cause is Cause.error and error is not None:
        return error.type.rpartition(":")[2]
    return cause.replace("_", " ")


def failure_of(event: AttemptFinished, attempts_allowed: int | None, ended_s: float) -> Failure:
    """The last attempt of an instance as a failure."""
    return Failure(
        task=event.task,
        map_index=event.map_index,
        cause=event.cause,
        error=event.error,
        attempt=event.attempt,
        attempts_allowed=attempts_allowed,
        worker=event.worker,
        seconds=ended_s - event.started,
    )


def unstarted_failure(event: TaskFinished) -> Failure:
    """A step that failed before any attempt, such as a map over what is not a list."""
    return Failure(
        task=event.task,
        map_index=event.map_index,
        cause=event.cause,
        error=event.error,
        attempt=0,
        attempts_allowed=None,
    )
