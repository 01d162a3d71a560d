"""Holdings: what one incarnation has set going, and what ends with it: timers, monitors, links, owed replies.

Its stash does not end with it, but goes back to the mailbox.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from actorflow.actors.errors import ActorCrashed, ActorNotRunning
from actorflow_supervisors.exit_reason import Crashed, ExitReason

if TYPE_CHECKING:
    from collections import deque

    from actorflow.actors.envelope import Ask, Message
    from actorflow.actors.monitor import Monitor
    from actorflow.actors.timers import Timer


class Holdings:
    """Made when the first of them is; most incarnations have none.

    grace_until_s: when its `stopping` hook has to be done. forgiven: its end costs none of the restart budget.
    """

    __slots__ = ("debts", "forgiven", "grace_until_s", "monitors", "stash", "timers")

    def __init__(self) -> None:
        self.timers: dict[Timer, None] = {}
        self.monitors: dict[Monitor, None] = {}
        self.debts: dict[Ask, None] = {}
        self.stash: deque[Message] | None = None
        self.grace_until_s = 0.0
        self.forgiven = False

    def release(self, actor: str, reason: ExitReason) -> None:
        """The incarnation has ended for `reason`: silence its timers and monitors, and settle its debts."""
        for timer in tuple(self.timers):
            timer.cancel()
        for monitor in tuple(self.monitors):
            monitor.cancel()
        for ask in self.debts:
            if isinstance(reason, Crashed):
                ask.fail(ActorCrashed(actor, ask.name, reason.error))
            else:
                ask.fail(ActorNotRunning(actor, "ended before it gave its deferred reply"))
        self.debts.clear()
