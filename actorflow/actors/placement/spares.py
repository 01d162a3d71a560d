"""Spares: processes of one module that wait, so that who starts or restarts an actor does not wait for a fork.

| a process is taken | what is given |
|---|---|
| one waits | that |
| one is being made, and nobody waits for it | that, once it is there |
| neither | a new one, made for it |

What was taken is replaced once its actor is up, so that both do not want the CPU at the same time.
"""

from __future__ import annotations

from collections import deque

import anyio
from anyio.abc import TaskGroup

from actorflow.actors.placement.host_process import HostProcess, start_host
from actorflow_supervisors.process import ProcessStartFailed
from actorflow_supervisors.warden import Zygote


class Spares:
    """Beside one zygote. loop: which kind each process runs. wanted: how many wait. tasks: where they are made."""

    def __init__(self, zygote: Zygote, loop: str, wanted: int, tasks: TaskGroup) -> None:
        self.zygote = zygote
        self._loop = loop
        self._wanted = wanted
        self._tasks = tasks
        self._ready: deque[HostProcess] = deque()
        self._making = 0
        self._waiting: deque[_Waiter] = deque()

    async def take(self, max_age_s: float | None = None) -> HostProcess:
        """A process, by the table of the module's docstring. Raises ProcessStartFailed.

        max_age_s: of one that waits; an older one has ended.
        """
        while self._ready:
            spare = self._ready.popleft()
            if spare.process.is_running() and not spare.is_older_than(max_age_s):
                return spare
            await spare.end()
        awaited = await self._next_made() if self._making > len(self._waiting) else None
        return await self._made() if awaited is None else awaited

    @property
    def count(self) -> int:
        """How many wait, or are being made."""
        return len(self._ready) + self._making

    def refill(self) -> None:
        """See that as many wait as are wanted; does not wait for them."""
        while self.count < self._wanted:
            self._making += 1
            self._tasks.start_soon(self._make_spare)

    def put(self, spare: HostProcess | None) -> None:
        """Give one to whoever waits longest, or keep it. None: who waits has to make its own."""
        if self._waiting:
            self._waiting.popleft().serve(spare)
        elif spare is not None:
            self._ready.append(spare)

    async def end(self) -> None:
        """End all that wait, and the zygote."""
        for spare in self._ready:
            spare.process.kill()
        while self._ready:
            await self._ready.popleft().end()
        await self.zygote.stop()

    async def _made(self) -> HostProcess:
        return await start_host(self.zygote, self._loop)

    async def _make_spare(self) -> None:
        spare: HostProcess | None = None
        try:
            spare = await self._made()
        except (ProcessStartFailed, OSError):  # whoever needs one will be told
            return
        finally:
            self._making -= 1
            self.put(spare)

    async def _next_made(self) -> HostProcess | None:
        waiter = _Waiter()
        self._waiting.append(waiter)
        try:
            await waiter.served.wait()
        except BaseException:
            if waiter in self._waiting:
                self._waiting.remove(waiter)
            else:
                self.put(waiter.spare)
            raise
        return waiter.spare


class _Waiter:
    """Who waits for the next spare."""

    __slots__ = ("served", "spare")

    def __init__(self) -> None:
        self.spare: HostProcess | None = None
        self.served = anyio.Event()

    def serve(self, spare: HostProcess | None) -> None:
        self.spare = spare
        self.served.set()
