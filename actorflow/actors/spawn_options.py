"""Spawn options: what can be said of an actor when it is spawned, by the system or by its parent."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from actorflow_supervisors.backoff import Backoff
from actorflow_supervisors.intensity import RestartIntensity
from actorflow_supervisors.policy import Restart, RestartName

if TYPE_CHECKING:
    from actorflow.actors.mailbox import Mailbox
    from actorflow.actors.system import Placement

DEFAULT_SHUTDOWN_S = 5.0


class SpawnOptions(TypedDict, total=False):
    """Every one may be left out.

    name: unique in the system, below the parent's; without one it is called after its class, with a number.
    restart: permanent (the default) is restarted whatever it ended for, transient after abnormal ends, temporary never.
    intensity, backoff, mailbox: in place of the system's.
    shutdown_s: grace for its end, 5 s if left out, None without limit.
    placement: where its code runs: in this loop, or as in `Subprocess()`.
    """

    name: str | None
    restart: Restart | RestartName
    intensity: RestartIntensity | None
    backoff: Backoff | None
    shutdown_s: float | None
    mailbox: Mailbox | None
    placement: Placement | None
