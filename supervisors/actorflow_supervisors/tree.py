"""Tree: a supervision tree at one moment, as a frozen value."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from actorflow_supervisors.exit_reason import ExitReason


class ChildKind(StrEnum):
    """Does the child do work, or does it supervise others?"""

    worker = "worker"
    supervisor = "supervisor"


class ChildState(StrEnum):
    """Where a child stands.

    starting: called, has not counted as started. running: started. stopping: asked to end, has not. backoff: ended,
    waits for its restart. stopped: ended, and only a request or a sibling's failure starts it again. abandoned: asked
    to end, did not within its grace, left to itself.
    """

    starting = "starting"
    running = "running"
    stopping = "stopping"
    backoff = "backoff"
    stopped = "stopped"
    abandoned = "abandoned"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildTree:
    """One child (or the root) and what stands below it.

    incarnation: 0 before the first start, then one more at each start. restarts: how often its supervisor restarted it,
    alone or with siblings. last_exit: why its last incarnation ended, None if none has.
    """

    id: str
    kind: ChildKind
    state: ChildState
    incarnation: int = 0
    restarts: int = 0
    last_exit: ExitReason | None = None
    children: tuple[ChildTree, ...] = ()
