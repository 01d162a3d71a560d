"""Child record: what a supervisor knows of one child."""

from __future__ import annotations

from actorflow_supervisors.child_spec import ChildSpec
from actorflow_supervisors.exit_reason import ExitReason
from actorflow_supervisors.policy import Restart
from actorflow_supervisors.tree import ChildState

ALIVE = frozenset({ChildState.starting, ChildState.running, ChildState.stopping})


class Child:
    """One child of a `SupervisorState`, which alone writes it."""

    __slots__ = (
        "incarnation",
        "last_exit",
        "new",
        "rerun",
        "restart_number",
        "restarts",
        "restarts_s",
        "spec",
        "start_request",
        "started_s",
        "state",
        "stop_requests",
        "unwanted",
    )

    def __init__(self, spec: ChildSpec, *, new: bool) -> None:
        self.spec = spec
        self.state = ChildState.stopped
        self.incarnation = 0
        self.restarts = 0
        self.last_exit: ExitReason | None = None
        self.started_s: float | None = None
        """When the present or last incarnation counted as started; None if it has not."""
        self.restart_number = 0
        """The number of its last restart in a row, for the backoff."""
        self.restarts_s: list[float] = []
        """When it was restarted, if it has a budget of its own."""
        self.start_request: int | None = None
        """Who waits for it to start; such a start is undone when it fails, never repeated."""
        self.stop_requests: list[int] = []
        self.new = new
        """Added by a request, and never yet started: forgotten when that start is undone."""
        self.unwanted = False
        """Forgotten once it has ended."""
        self.rerun = False
        """Abandoned when it was to be restarted: its next incarnation starts when this one has ended at last."""

    @property
    def id(self) -> str:
        return self.spec.id

    @property
    def alive(self) -> bool:
        return self.state in ALIVE

    @property
    def forgotten_at_end(self) -> bool:
        """True for a child of which nothing is kept once it has ended."""
        return self.unwanted or self.spec.restart is Restart.temporary
