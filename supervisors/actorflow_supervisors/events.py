"""Events: what a supervisor tells its subscribers, as frozen values, in the order in which it happened.

Every event carries `path`, the supervisor's place in its tree (`app/workers`), and `at_s`, the loop's clock in seconds.
Subscribers of a supervisor also see the events of the supervisors below it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from actorflow_supervisors.exit_reason import ExitReason


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisorStarted:
    """All its declared children have started."""

    path: str
    at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisorStopping:
    """It stops its children, last started first, and will then end for `reason`."""

    path: str
    at_s: float
    reason: ExitReason


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisorStopped:
    """No child of it is left but abandoned ones; it ended for `reason`."""

    path: str
    at_s: float
    reason: ExitReason


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildStarted:
    """An incarnation of a child counts as started."""

    path: str
    at_s: float
    child_id: str
    incarnation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildEnded:
    """An incarnation has fully ended for `reason`; `asked` tells whether its supervisor had asked it to."""

    path: str
    at_s: float
    child_id: str
    incarnation: int
    reason: ExitReason
    asked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildAbandoned:
    """An incarnation was asked to end and did not within `grace_s`; it is left to itself, not replaced meanwhile."""

    path: str
    at_s: float
    child_id: str
    incarnation: int
    grace_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartScheduled:
    """A child failed and will be restarted after `delay_s`, together with the others of `group` (in start order)."""

    path: str
    at_s: float
    child_id: str
    reason: ExitReason
    restart_number: int
    delay_s: float
    group: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class IntensityReached:
    """A child failed once more than its budget of `max_restarts` in `max_seconds` allows; its supervisor gives up."""

    path: str
    at_s: float
    child_id: str
    reason: ExitReason
    max_restarts: int
    max_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopBlocked:
    """The loop did not turn for `blocked_s` seconds; told once it turns again, where a `LoopWatchdog` watches.

    child: whose code held it up (`app/workers/index`), None if it was no child's own task. task: what the loop calls
    that task, None if there was none. stack: what it did when it was found, as in a traceback.
    """

    path: str
    at_s: float
    blocked_s: float
    child: str | None
    task: str | None
    stack: str


SupervisorEvent: TypeAlias = (
    SupervisorStarted
    | SupervisorStopping
    | SupervisorStopped
    | ChildStarted
    | ChildEnded
    | ChildAbandoned
    | RestartScheduled
    | IntensityReached
    | LoopBlocked
)
