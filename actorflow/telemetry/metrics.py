"""The metrics of a run, folded from its records: what to add or to record. Pure.

| metric | kind | unit | attributes |
|---|---|---|---|
| cicd.pipeline.run.duration | histogram | s | pipeline, state, result, error.type |
| cicd.pipeline.run.active | up and down | {run} | pipeline, state |
| cicd.pipeline.run.errors | counter | {error} | pipeline, error.type |
| cicd.system.errors | counter | {error} | component = worker, error.type: workers that died in an attempt |
| actorflow.attempts | counter | {attempt} | pipeline, task, result, cause |
| actorflow.attempt.duration | histogram | s | pipeline, task, result |
| actorflow.task.duration | histogram | s | pipeline, task, result: since it was ready, retries included |
| actorflow.task.queue.duration | histogram | s | pipeline, task: since it could have run, of each attempt |
| actorflow.attempt.memory.peak | histogram | By | pipeline, task |

Labels are names, never ids: as many series as there are tasks, whatever the number of runs and instances.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from actorflow.hot_value import hot_value
from actorflow.runs.events import (
    AttemptFinished,
    AttemptStarted,
    Record,
    RunFinished,
    RunResumed,
    RunStarted,
    TaskFinished,
)
from actorflow.runs.executor import AttemptState, Cause
from actorflow.runs.states import RunStatus
from actorflow.telemetry import names


class MetricKind(StrEnum):
    """What is done with an amount."""

    counter = "counter"
    up_down = "up_down"
    histogram = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric by name. bounds: upper bounds of a histogram's buckets, the last of which has none."""

    name: str
    kind: MetricKind
    unit: str
    description: str
    bounds: tuple[float, ...] = ()


@hot_value
class Amount:
    """To be added to, or recorded in, a metric."""

    metric: Metric
    amount: float
    attributes: Mapping[str, str]


_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0)
_BYTES = tuple(float(1 << exponent) for exponent in range(24, 37))

RUN_DURATION: Final = Metric("cicd.pipeline.run.duration", MetricKind.histogram, "s", "Duration of a run", _SECONDS)
RUNS_ACTIVE: Final = Metric("cicd.pipeline.run.active", MetricKind.up_down, "{run}", "Runs that go on")
RUN_ERRORS: Final = Metric("cicd.pipeline.run.errors", MetricKind.counter, "{error}", "Runs that failed")
SYSTEM_ERRORS: Final = Metric("cicd.system.errors", MetricKind.counter, "{error}", "Workers that died in an attempt")
ATTEMPTS: Final = Metric("actorflow.attempts", MetricKind.counter, "{attempt}", "Attempts that ended")
ATTEMPT_DURATION: Final = Metric("actorflow.attempt.duration", MetricKind.histogram, "s", "From start to end", _SECONDS)
TASK_DURATION: Final = Metric(
    "actorflow.task.duration", MetricKind.histogram, "s", "Since the task was ready, with retries and waits", _SECONDS
)
QUEUE_DURATION: Final = Metric(
    "actorflow.task.queue.duration",
    MetricKind.histogram,
    "s",
    "Since an attempt could run, until it did",
    _SECONDS,
)
PEAK_MEMORY: Final = Metric("actorflow.attempt.memory.peak", MetricKind.histogram, "By", "Most that it held", _BYTES)

METRICS: Final = (
    RUN_DURATION,
    RUNS_ACTIVE,
    RUN_ERRORS,
    SYSTEM_ERRORS,
    ATTEMPTS,
    ATTEMPT_DURATION,
    TASK_DURATION,
    QUEUE_DURATION,
    PEAK_MEMORY,
)


class MetricFold:
    """Fed with every record of one run, in order; with each start of an attempt the time since which it waited."""

    def __init__(self) -> None:
        self._pipeline = ""
        self._started_s = 0.0
        self._waited_since_s: dict[tuple[str, int | None], float] = {}
        self._reached_s: dict[tuple[str, int | None], float] = {}
        self._labels: dict[tuple[str, str, str], Mapping[str, str]] = {}

    def apply(self, record: Record, waited_since_s: float | None) -> list[Amount]:
        """What this record says."""
        ts, event = record.ts, record.event
        match event:
            case AttemptStarted():
                key = (event.task, event.map_index)
                since_s = ts if waited_since_s is None else waited_since_s
                self._waited_since_s[key] = since_s
                self._reached_s.setdefault(key, since_s)
                return []
            case AttemptFinished():
                return self._attempt_finished(event, ts)
            case TaskFinished():
                self._reached_s.pop((event.task, event.map_index), None)
                return []
            case RunStarted():
                self._pipeline, self._started_s = event.dag, ts
                return [Amount(RUNS_ACTIVE, 1, self._active())]
            case RunFinished():
                return self._run_finished(event, ts)
            case RunResumed(taken_up=True):
                self._started_s = ts
                self._waited_since_s.clear()
                self._reached_s.clear()
                return [Amount(RUNS_ACTIVE, 1, self._active())]
            case _:
                return []

    def _attempt_finished(self, event: AttemptFinished, ts: float) -> list[Amount]:
        key = (event.task, event.map_index)
        result = names.result_of(event.state, event.cause)
        labels = self._of(event.task, result, "")
        started_s = min(event.started or ts, ts)
        waited_since_s = self._waited_since_s.pop(key, None)
        amounts = [
            Amount(ATTEMPTS, 1, self._of(event.task, result, event.cause.value)),
            Amount(ATTEMPT_DURATION, ts - started_s, labels),
        ]
        if waited_since_s is not None:
            queue_s = max(started_s - waited_since_s, 0.0)
            amounts.append(Amount(QUEUE_DURATION, queue_s, self._of(event.task, "", "")))
        if event.final:
            reached_s = self._reached_s.pop(key, started_s)
            amounts.append(Amount(TASK_DURATION, max(ts - reached_s, 0.0), labels))
        if event.peak_rss_bytes is not None:
            amounts.append(Amount(PEAK_MEMORY, event.peak_rss_bytes, self._of(event.task, "", "")))
        if event.cause is Cause.lost and event.state is AttemptState.failed:
            amounts.append(Amount(SYSTEM_ERRORS, 1, _WORKER_LOST))
        return amounts

    def _run_finished(self, event: RunFinished, ts: float) -> list[Amount]:
        labels = {**self._active(), names.RESULT: names.result_of(event.status, event.cause)}
        amounts = [Amount(RUNS_ACTIVE, -1, self._active())]
        if event.status is RunStatus.failed:
            labels[names.ERROR_TYPE] = names.error_type(event.cause, event.error)
            errors = {names.PIPELINE: self._pipeline, names.ERROR_TYPE: labels[names.ERROR_TYPE]}
            amounts.append(Amount(RUN_ERRORS, 1, errors))
        return [*amounts, Amount(RUN_DURATION, ts - self._started_s, labels)]

    def _active(self) -> dict[str, str]:
        return {names.PIPELINE: self._pipeline, names.RUN_STATE: "executing"}

    def _of(self, task: str, result: str, cause: str) -> Mapping[str, str]:
        """Labels of a task, built once: attempts are many, their labels few."""
        found = self._labels.get((task, result, cause))
        if found is None:
            found = {names.PIPELINE: self._pipeline, names.TASK: task}
            found |= {names.TASK_RESULT: result} if result else {}
            found |= {names.CAUSE: cause} if cause else {}
            self._labels[task, result, cause] = found
        return found


_WORKER_LOST: Final[Mapping[str, str]] = {names.COMPONENT: "worker", names.ERROR_TYPE: Cause.lost.value}
