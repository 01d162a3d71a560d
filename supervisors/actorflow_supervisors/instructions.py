"""Instructions: what a supervisor's state is told (inputs) and what it wants done (instructions), as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from actorflow_supervisors.child_spec import ChildSpec
from actorflow_supervisors.errors import SupervisorError
from actorflow_supervisors.events import SupervisorEvent
from actorflow_supervisors.exit_reason import ExitReason

# Inputs


@dataclass(frozen=True, slots=True)
class Begin:
    """Start the declared children; the first input."""


@dataclass(frozen=True, slots=True)
class ChildUp:
    """The incarnation counts as started."""

    child_id: str
    incarnation: int


@dataclass(frozen=True, slots=True)
class ChildDown:
    """The incarnation has fully ended; `error` is what it raised where `reason` does not carry it."""

    child_id: str
    incarnation: int
    reason: ExitReason
    error: BaseException | None = None


@dataclass(frozen=True, slots=True)
class ChildStuck:
    """The incarnation has not ended within its grace and was abandoned; a `ChildDown` may come much later, or never."""

    child_id: str
    incarnation: int


@dataclass(frozen=True, slots=True)
class TimerFired:
    """The timer has reached its time."""

    timer: int


@dataclass(frozen=True, slots=True)
class StopAsked:
    """Stop all children, then end with `Shutdown(detail)`."""

    detail: str = ""


@dataclass(frozen=True, slots=True)
class StartChildAsked:
    """Add a child after the others and start it; answered once it has started or failed to."""

    request: int
    spec: ChildSpec


@dataclass(frozen=True, slots=True)
class StopChildAsked:
    """Stop a child and keep its spec (a temporary child is forgotten); answered once it has ended."""

    request: int
    child_id: str


@dataclass(frozen=True, slots=True)
class RestartChildAsked:
    """Start a stopped child; answered once it has started or failed to."""

    request: int
    child_id: str


@dataclass(frozen=True, slots=True)
class DeleteChildAsked:
    """Forget a stopped child; answered at once."""

    request: int
    child_id: str


@dataclass(frozen=True, slots=True)
class RequestDropped:
    """Nobody waits for the answer any more; a start that has not finished is undone."""

    request: int


Input: TypeAlias = (
    Begin
    | ChildUp
    | ChildDown
    | ChildStuck
    | TimerFired
    | StopAsked
    | StartChildAsked
    | StopChildAsked
    | RestartChildAsked
    | DeleteChildAsked
    | RequestDropped
)

# Instructions


@dataclass(frozen=True, slots=True)
class StartChild:
    """Run this incarnation; tell `ChildUp` once it counts as started and `ChildDown` once it has ended."""

    spec: ChildSpec
    incarnation: int


@dataclass(frozen=True, slots=True)
class StopChild:
    """Ask the incarnation to end; tell `ChildStuck` when it has not after `grace_s` (None: wait for ever)."""

    child_id: str
    incarnation: int
    grace_s: float | None


@dataclass(frozen=True, slots=True)
class SetTimer:
    """Tell `TimerFired(timer)` at `at_s`."""

    timer: int
    at_s: float


@dataclass(frozen=True, slots=True)
class CancelTimer:
    """The timer is not needed any more."""

    timer: int


@dataclass(frozen=True, slots=True)
class Emit:
    """Tell the subscribers."""

    event: SupervisorEvent


@dataclass(frozen=True, slots=True)
class Answer:
    """The request is done, or failed with `error`."""

    request: int
    error: SupervisorError | None = None


@dataclass(frozen=True, slots=True)
class Booted:
    """All declared children have started."""


@dataclass(frozen=True, slots=True)
class Exit:
    """The supervisor ends for `reason`; the last instruction. `error` is raised to whoever runs it, if there is one."""

    reason: ExitReason
    error: BaseException | None = None


Instruction: TypeAlias = StartChild | StopChild | SetTimer | CancelTimer | Emit | Answer | Booted | Exit
