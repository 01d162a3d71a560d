"""The loop seam: native spawn, one-slot waits, timers and interrupts for asyncio and trio behind one small interface.

Nothing else in the supervisors and the actors knows which loop runs. It exists for speed: a native spawn costs a fifth
of `anyio.TaskGroup.start_soon`, a future a fraction of an `anyio.Event`. A spawned task may use anyio freely.

How the two differ, so that callers need not know: on asyncio a cancel is `Task.cancel()`, delivered once; on trio it is
a `CancelScope` around the task, in force until the task has ended or was abandoned. On both an anyio shield inside the
task holds it off. A spawned task is a child of its home and of nothing else: cancelling the host does not reach it
before the host leaves the home, so an owner can stop its tasks in order.
"""

from __future__ import annotations

import asyncio
import sys

from actorflow_supervisors.asyncio_seam import AsyncioSeam
from actorflow_supervisors.seam import Home as Home
from actorflow_supervisors.seam import Interrupt as Interrupt
from actorflow_supervisors.seam import Seam as Seam
from actorflow_supervisors.seam import Slot as Slot
from actorflow_supervisors.seam import Spawned as Spawned
from actorflow_supervisors.seam import Timer as Timer
from actorflow_supervisors.seam import Waiter as Waiter
from actorflow_supervisors.trio_seam import TrioSeam

__all__ = ["Home", "Interrupt", "Seam", "Slot", "Spawned", "Timer", "Waiter", "current_seam"]


def current_seam() -> Seam:
    """The seam of the running loop. Raises RuntimeError where none runs."""
    trio_module = sys.modules.get("trio")
    if trio_module is not None and trio_module.lowlevel.in_trio_run():
        return TrioSeam()
    return AsyncioSeam(asyncio.get_running_loop())
