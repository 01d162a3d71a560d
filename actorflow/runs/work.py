"""Work: a request for whichever worker has room for it, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from actorflow.runs.task_context import TaskContext
from actorflow.runs.worker_protocol import Reply
from actorflow_supervisors.process import ProcessExit
from actorflow_supervisors.seam import Slot

if TYPE_CHECKING:
    from actorflow.runs.worker_process import WorkerProcess


class WorkerLost(Exception):
    """A worker process ended, or was ended, before it answered. exit: how, None where it had not even started."""

    def __init__(self, message: str, exit: ProcessExit | None = None) -> None:
        super().__init__(message)
        self.exit = exit


@dataclass(frozen=True, slots=True)
class BrokenOff:
    """The worker ended, or broke the protocol, while it was at the request. error: how that was noticed."""

    worker: WorkerProcess
    error: Exception


Found: TypeAlias = Reply | BrokenOff | WorkerLost
"""What comes of a request; a WorkerLost where no worker started that it could be sent to."""


class Work:
    """One request. packed: without its number (`worker_protocol.pack_work`). context: which attempt it is.

    found: awaited by who asked. worker, number: where it was sent last; None while it waits for room. cpu_s: what it
    used there, once it is answered.
    """

    __slots__ = ("context", "cpu_s", "found", "number", "packed", "worker")

    def __init__(self, packed: bytes, context: TaskContext, found: Slot) -> None:
        self.packed = packed
        self.context = context
        self.found = found
        self.worker: WorkerProcess | None = None
        self.number = 0
        self.cpu_s = 0.0

    @property
    def is_wanted(self) -> bool:
        """False once it is answered, or nobody waits for it any more."""
        return not self.found.done()

    def settle(self, found: Found) -> None:
        if not self.found.done():
            self.found.set_result(found)
