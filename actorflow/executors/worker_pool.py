"""Worker pool: hands work to worker processes, and lends whole workers to attempts that need one for themselves.

A worker is started when more waits than workers are starting, so the workers of the first attempts start side by side.
One that has ended is not replaced before something waits: nobody pays for a start that nobody needs. What takes little
time is sent ahead, several requests in one write; when a worker has nothing to do while another one's line has not
moved for a moment, it gets what waits there behind the first.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Final

import anyio

from actorflow.actors.actor import Actor
from actorflow.actors.handler import handler
from actorflow.runs.work import Work, WorkerLost
from actorflow.runs.worker import Worker
from actorflow.runs.worker_launch import Launch
from actorflow.runs.worker_process import WorkerProcess
from actorflow_supervisors import Restart
from actorflow_supervisors.loop import current_seam
from actorflow_supervisors.recycling import Recycling
from actorflow_supervisors.seam import Timer

STOP_LIMIT_S = 20.0
"""Seconds a worker's actor has to end its process: more than its graces and the confirmation together."""

STUCK_AFTER_S: Final = 0.01
"""How long a line may not move, while another worker has nothing to do, before that one gets the end of it."""


class WorkerPool:
    """The workers of one run. slots: how many there may be. start_worker: starts one more, which then is `ready`.

    recycling: when a worker gets nothing more, and is ended once it has nothing to do. slot: makes what `found` of a
    work is.
    """

    def __init__(self, slots: int, start_worker: Callable[[], object], recycling: Recycling | None = None) -> None:
        self.slots = slots
        self.start_worker = start_worker
        self.recycling = recycling or Recycling()
        self._idle: list[WorkerProcess] = []
        self._ready: dict[WorkerProcess, None] = {}
        self._lent: set[WorkerProcess] = set()
        self._waiting: deque[Work | _Waiter] = deque()
        self._starting = 0
        self._alive = 0
        self._empty = anyio.Event()
        self._check: Timer | None = None
        self._seam = current_seam()
        self.slot = self._seam.slot

    # Work for whichever worker has room.

    def submit(self, work: Work) -> None:
        """Have it run soon; `work.found` says what comes of it. Cancel it with `cancel` where nobody waits any more."""
        worker = None if self._waiting else self._idle_worker() or self._roomiest()
        if worker is None:
            self._waiting.append(work)
            self._start_needed()
            return
        if worker.is_busy and self._alive < self.slots:
            self._start_needed(more=1)
        worker.submit([work])

    def cancel(self, work: Work) -> WorkerProcess | None:
        """None if `work` does not run and will not; else the worker that may be at it, to be stopped by the caller."""
        worker = work.worker
        if worker is not None:
            return None if worker.cancel(work) else worker
        if work in self._waiting:
            self._waiting.remove(work)
        return None

    # A worker for oneself.

    async def take(self) -> WorkerProcess:
        """A worker without anything to do, until `put` or its end. Raises WorkerLost when one did not start."""
        worker = self._idle_worker()
        if worker is None:
            waiter = _Waiter()
            self._waiting.append(waiter)
            self._start_needed()
            try:
                return await waiter.worker()
            except BaseException:
                self._forget(waiter)
                raise
        self._lent.add(worker)
        return worker

    def put(self, worker: WorkerProcess) -> None:
        """Give back a worker that was taken, and has nothing to do."""
        self._lent.discard(worker)
        worker.process.limit(None)  # what an idle worker holds is nobody's
        self._give(worker)

    def is_worn(self, worker: WorkerProcess) -> bool:
        """True if it is to make room for a new one, once it has nothing to do."""
        return worker.requests > 0 and self.recycling.is_due(
            tasks=worker.requests,
            age_s=time.monotonic() - worker.began_s,
            rss_bytes=worker.process.last_rss_bytes,
        )

    # The workers.

    async def emptied(self) -> None:
        """Return once all workers have ended."""
        while self._alive:
            self._empty = anyio.Event()
            await self._empty.wait()

    def kill(self) -> None:
        """End every worker that may be executing something, with all it started, without grace."""
        for worker in self._ready:
            worker.process.kill()

    def ready(self, process: WorkerProcess) -> None:
        self._ready[process] = None
        self._starting -= 1
        process.max_requests = self.recycling.max_tasks
        process.on_answers = self._answered
        process.on_given_back = self._take_back
        self._give(process)

    def failed(self, error: WorkerLost) -> None:
        self._starting -= 1
        if self._waiting:
            first = self._waiting.popleft()
            if isinstance(first, Work):
                first.settle(error)
            else:
                first.serve(error)
        self._one_less()

    def gone(self, process: WorkerProcess) -> None:
        self._ready.pop(process, None)
        self._lent.discard(process)
        if process in self._idle:
            self._idle.remove(process)
        self._one_less()

    def _one_less(self) -> None:
        self._alive -= 1
        if not self._alive:
            self._empty.set()
        self._start_needed()

    def _start_needed(self, *, more: int = 0) -> None:
        """Start workers until as many start as there is to do that waits, and `more`."""
        while self._starting < len(self._waiting) + more and self._alive < self.slots:
            self._starting += 1
            self._alive += 1
            self.start_worker()

    def _idle_worker(self) -> WorkerProcess | None:
        """One without anything to do, taken out of those: the one that worked last, whose memory is warm."""
        while self._idle:
            worker = self._idle.pop()
            if worker.room > 0 and worker.process.is_running():  # else its actor is about to see its end, too
                return worker
        return None

    def _roomiest(self) -> WorkerProcess | None:
        found = max(self._ready, key=self._room_of, default=None)
        return found if found is not None and self._room_of(found) > 0 else None

    def _room_of(self, worker: WorkerProcess) -> int:
        return 0 if worker in self._lent or self.is_worn(worker) else worker.room

    def _answered(self, worker: WorkerProcess) -> None:
        if worker in self._lent:
            return
        if not self.is_worn(worker):
            self._give(worker)
        elif not worker.is_busy and not worker.asked_to_end:
            worker.retire()

    def _give(self, worker: WorkerProcess) -> None:
        """Give a worker that has room what waits, as much as it takes."""
        while self._waiting and worker.room > 0:
            first = self._waiting[0]
            if isinstance(first, Work):
                worker.submit(self._next_works(worker.room))
            elif not worker.is_busy:
                self._waiting.popleft()
                self._lent.add(worker)
                first.serve(worker)
                return
            else:
                return  # what waits behind it waits longer, so that it gets its worker
        if not worker.is_busy:
            self._idle.append(worker)
            self._look_for_stuck()

    def _next_works(self, count: int) -> list[Work]:
        works: list[Work] = []
        while self._waiting and len(works) < count and isinstance(first := self._waiting[0], Work):
            self._waiting.popleft()
            works.append(first)
        return works

    def _take_back(self, works: list[Work]) -> None:
        """They did not run where they were sent: they come next."""
        self._waiting.extendleft(reversed(works))
        while self._waiting and (worker := self._idle_worker()) is not None:
            self._give(worker)
        self._start_needed()

    def _look_for_stuck(self) -> None:
        """A worker has nothing to do: see in a moment whether something waits behind another one's first."""
        if self._check is None and any(worker.behind for worker in self._ready):
            self._check = self._seam.call_at(self._seam.now_s() + STUCK_AFTER_S, self._relieve_stuck)

    def _relieve_stuck(self) -> None:
        self._check = None
        if not any(worker.room > 0 for worker in self._idle):
            return
        for worker in tuple(self._ready):
            if worker.is_stuck(STUCK_AFTER_S):
                worker.give_back(worker.behind)
        self._look_for_stuck()

    def _forget(self, waiter: _Waiter) -> None:
        if waiter in self._waiting:
            self._waiting.remove(waiter)
        elif isinstance(waiter.served, WorkerProcess):
            self.put(waiter.served)


class _Waiter:
    """An attempt that waits for a worker of its own."""

    def __init__(self) -> None:
        self.served: WorkerProcess | WorkerLost | None = None
        self._event = anyio.Event()

    def serve(self, served: WorkerProcess | WorkerLost) -> None:
        self.served = served
        self._event.set()

    async def worker(self) -> WorkerProcess:
        await self._event.wait()
        assert self.served is not None
        if isinstance(self.served, WorkerLost):
            raise self.served
        return self.served


class Workshop(Actor):
    """The parent of one executor's workers.

    opened: told the pool, whose workers are this actor's children.
    """

    def __init__(
        self,
        launch: Launch,
        slots: int,
        grace_s: float,
        opened: OnOpened,
        recycling: Recycling | None = None,
    ) -> None:
        self.launch = launch
        self.pool = WorkerPool(slots, self._start_worker, recycling)
        self.grace_s = grace_s
        self.opened = opened
        self._number = 0

    async def started(self) -> None:
        self.opened(self.pool)

    @handler
    async def close(self) -> None:
        """End all workers, and this."""
        self.context.stop()

    def _start_worker(self) -> None:
        """Temporary: what follows the end of a worker is the pool's choice."""
        self._number += 1
        name = f"process-{self._number}"
        factory = partial(Worker, name, self.launch, self.pool, self.grace_s)
        self.context.spawn_nowait(factory, name=name, restart=Restart.temporary, shutdown_s=STOP_LIMIT_S)


OnOpened = Callable[[WorkerPool], None]
