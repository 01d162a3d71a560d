"""Instructions: what the decided run tells its shell to do, as values."""

from __future__ import annotations

from dataclasses import dataclass

from actorflow.hot_value import hot_value
from actorflow.runs.events import Event
from actorflow.runs.executor import AttemptSpec, Cause, ErrorRecord
from actorflow.runs.states import RunStatus
from actorflow.runs.values import Value


@hot_value
class Record:
    """Write `event` into the journal."""

    event: Event


@hot_value
class StartAttempt:
    """Start this attempt; its start is recorded by an earlier instruction of the same answer."""

    attempt: AttemptSpec
    executor: str


@dataclass(frozen=True, slots=True)
class CancelAttempt:
    """End this running attempt and report how it ended."""

    step: str
    map_index: int | None
    number: int


@dataclass(frozen=True, slots=True)
class ScheduleRetry:
    """Call `retry_due` for this instance after `delay_s`."""

    step: str
    map_index: int | None
    delay_s: float


@dataclass(frozen=True, slots=True)
class CheckLimits:
    """Call `limits_due` for this step after `delay_s`."""

    step: str
    delay_s: float


@dataclass(frozen=True, slots=True)
class CheckRunTime:
    """Call `run_time_due` after `delay_s`."""

    delay_s: float


@dataclass(frozen=True, slots=True)
class Finish:
    """The run is over."""

    status: RunStatus
    cause: Cause | None
    result: Value | None
    error: ErrorRecord | None
    failed_step: str | None = None


Instruction = Record | StartAttempt | CancelAttempt | ScheduleRetry | CheckLimits | CheckRunTime | Finish
