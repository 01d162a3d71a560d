"""Parent death: a child process that ends when whoever started it has ended, in whatever way."""

from __future__ import annotations

import os

from actorflow_supervisors.prctl import parent_death_signal


def die_with_parent(parent_pid: int) -> bool:
    """Called by a child right after its start: be killed when the *thread* that started it ends.

    Exits at once if process `parent_pid` is gone already: it may have ended before the signal was armed. Returns False
    where the system has no such signal (anything but Linux); the child then has to notice the end of its parent by
    itself, by the end of what connects them. What the child starts is not covered. Source: prctl(2), PR_SET_PDEATHSIG.
    """
    armed = parent_death_signal()()
    if os.getppid() != parent_pid:
        os._exit(1)
    return armed
