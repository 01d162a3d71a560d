"""How far a run is, kept up event by event in memory that grows with its steps and what runs at once."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from actorflow.runs.event_rows import Row, decode_row
from actorflow.runs.events import (
    AttemptFinished,
    AttemptStarted,
    Event,
    RunCancelling,
    RunFinished,
    RunPaused,
    RunPausing,
    RunResumed,
    RunStarted,
    TaskFinished,
    TaskReady,
)
from actorflow.runs.executor import ErrorRecord
from actorflow.runs.plain_json import plain_value
from actorflow.runs.states import RunStatus, TaskState
from actorflow.runs.values import Value

MAX_TEXT: Final = 200
"""Characters of a parameter, a tag or a failure in a line of its own."""
MAX_VALUE_BYTES: Final = 4096

RunEvent = RunStarted | RunCancelling | RunPausing | RunPaused | RunResumed | RunFinished


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """A run in one line. started, ended: epoch seconds, None until then. tasks: how many instances are in each state.

    A map counts as one instance until its width is known. file: as given. params, tags: by name, as text, cut where
    they are long. error: type and message of the first failure. problem: why its journal could not be read to the end.
    """

    run_id: str
    dag: str = ""
    status: RunStatus = RunStatus.queued
    started: float | None = None
    ended: float | None = None
    tasks: Mapping[str, int] = field(default_factory=dict[str, int])
    file: str = ""
    params: Mapping[str, str] = field(default_factory=dict[str, str])
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    error: str = ""
    problem: str = ""

    def duration_s(self, now: float) -> float | None:
        """From start to end, or to `now` for a run without an end; None before the start."""
        return None if self.started is None else (now if self.ended is None else self.ended) - self.started

    def to_json(self, now: float) -> dict[str, object]:
        """What `runs --json` shows of it."""
        return {
            "run_id": self.run_id,
            "dag": self.dag,
            "status": self.status.value,
            "started": self.started,
            "ended": self.ended,
            "duration_s": self.duration_s(now),
            "tasks": dict(self.tasks),
            "file": self.file,
            "params": dict(self.params),
            "tags": dict(self.tags),
            "error": self.error,
            **({"problem": self.problem} if self.problem else {}),
        }

    @staticmethod
    def from_json(fields: Mapping[str, Any]) -> RunSummary:
        """What `to_json` gave."""
        return RunSummary(
            run_id=fields["run_id"],
            dag=fields["dag"],
            status=RunStatus(fields["status"]),
            started=fields["started"],
            ended=fields["ended"],
            tasks=fields["tasks"],
            file=fields.get("file", ""),
            params=fields.get("params", {}),
            tags=fields.get("tags", {}),
            error=fields.get("error", ""),
            problem=fields.get("problem", ""),
        )


class Tally:
    """Counts the instances of one run by state; feed it every event, in order."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self.dag = ""
        self.file = ""
        self.params: dict[str, str] = {}
        self.tags: dict[str, str] = {}
        self.error = ""
        self.status = RunStatus.queued
        self.started: float | None = None
        self.ended: float | None = None
        self._counts: dict[TaskState, int] = {}
        self._missed: dict[str, dict[TaskState, int]] = {}
        self._succeeding: set[str] = set()
        self._pending: dict[str, int] = {}
        self._running: set[tuple[str, int | None]] = set()
        self._retrying: set[tuple[str, int | None]] = set()

    def apply(self, ts: float, event: Event) -> None:
        """Count `event`, recorded at `ts`."""
        if isinstance(event, AttemptStarted):
            self._start((event.task, event.map_index))
        elif isinstance(event, AttemptFinished):
            self._end((event.task, event.map_index), event)
        elif isinstance(event, TaskFinished):
            self._unstarted(event)
        elif isinstance(event, TaskReady):
            if event.width is not None:
                self._pending[event.task] = event.width
        else:
            self._of_the_run(ts, event)

    def _of_the_run(self, ts: float, event: RunEvent) -> None:
        match event:
            case RunStarted():
                self.dag = event.dag
                self.file = event.file
                self.params = {name: value_text(param.value) for name, param in event.params.items()}
                self.tags = {name: cut(text) for name, text in event.tags.items()}
                self.status = RunStatus.running
                self.started = ts
                self._pending = {task.name: 1 for task in event.tasks}
            case RunCancelling():
                self.status = RunStatus.cancelling
            case RunPausing():
                self.status = RunStatus.pausing
            case RunPaused():
                self.status = RunStatus.paused
            case RunResumed():
                self.status = RunStatus.running
                if event.taken_up:
                    self._taken_up(refreshed=event.refreshed)
            case RunFinished(status=status):
                self.status = status
                self.ended = ts
                self.error = "" if event.error is None else error_text(event.error)
                for task, _ in self._running:  # what a killed run could not end
                    self._add(task, TaskState.cancelled)
                self._running.clear()

    def summary(self) -> RunSummary:
        """The counts so far; states that no instance is in are left out."""
        counts = {
            **self._counts,
            TaskState.pending: sum(self._pending.values()),
            TaskState.running: len(self._running),
            TaskState.up_for_retry: len(self._retrying),
        }
        return RunSummary(
            run_id=self.run_id,
            dag=self.dag,
            status=self.status,
            started=self.started,
            ended=self.ended,
            file=self.file,
            params=self.params,
            tags=self.tags,
            error=self.error,
            tasks={state.value: counts[state] for state in TaskState if counts.get(state)},
        )

    def _start(self, instance: tuple[str, int | None]) -> None:
        if instance in self._retrying:
            self._retrying.remove(instance)
        elif instance not in self._running:
            self._pending[instance[0]] = self._pending.get(instance[0], 1) - 1
        self._running.add(instance)

    def _end(self, instance: tuple[str, int | None], event: AttemptFinished) -> None:
        self._running.discard(instance)
        if event.final:
            self._add(event.task, TaskState(event.state._value_))
        else:
            self._retrying.add(instance)

    def _unstarted(self, event: TaskFinished) -> None:
        instance = (event.task, event.map_index)
        if instance in self._retrying:
            self._retrying.remove(instance)
            self._add(event.task, event.state)
            return
        pending = self._pending.get(event.task, 1)
        count = pending if event.map_index is None else 1
        self._pending[event.task] = pending - count
        self._add(event.task, event.state, count)

    def _add(self, task: str, state: TaskState, count: int = 1) -> None:
        self._counts[state] = self._counts.get(state, 0) + count
        if state is TaskState.succeeded:
            self._succeeding.add(task)
        else:
            missed = self._missed.setdefault(task, {})
            missed[state] = missed.get(state, 0) + count

    def _taken_up(self, *, refreshed: bool) -> None:
        """What ran is pending again, and with new budgets everything else that has not succeeded."""
        self.ended, self.error = None, ""
        for task, _ in self._running:
            self._pending[task] = self._pending.get(task, 0) + 1
        self._running.clear()
        if not refreshed:
            return
        for task, _ in self._retrying:
            self._pending[task] = self._pending.get(task, 0) + 1
        self._retrying.clear()
        for task, missed in self._missed.items():
            self._pending[task] = self._pending.get(task, 0) + sum(missed.values())
        self._missed.clear()
        self._counts = {state: count for state, count in self._counts.items() if state is TaskState.succeeded}
        for task in self._pending.keys() - self._succeeding:
            self._pending[task] = 1


def value_text(value: Value) -> str:
    """A value as a person types and looks for it: text as it is, anything else as JSON; "..." for a large one."""
    if value.is_spilled or value.size_bytes > MAX_VALUE_BYTES:
        return "..."
    shown = plain_value(value)
    return cut(shown if isinstance(shown, str) else json.dumps(shown, ensure_ascii=False))


def error_text(error: ErrorRecord) -> str:
    """`OSError: no route`."""
    return cut(f"{error.type.partition(':')[2]}: {error.message}")


def cut(text: str) -> str:
    """Its first line, with `...` where something is missing."""
    first, _, rest = text[: MAX_TEXT + 1].partition("\n")
    return f"{first[: MAX_TEXT - 3]}..." if rest or len(first) > MAX_TEXT else first


def tally_of(run_id: str, rows: Iterable[Row]) -> Tally:
    """The tally of a run's rows, from its first on."""
    tally = Tally(run_id)
    for _, data in rows:
        tally.apply(*decode_row(data))
    return tally
