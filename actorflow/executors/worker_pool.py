"""Worker pool: lends worker processes to attempts, one attempt a worker, the one used last first.

A worker is started when more attempts wait than workers are starting, so the workers of the first attempts start side
by side. One that has ended is not replaced before an attempt waits: nobody pays for a start that nobody needs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial

import anyio

from actorflow.actors.actor import Actor
from actorflow.actors.handler import handler
from actorflow.runs.worker import Worker
from actorflow.runs.worker_process import Launch, WorkerLost, WorkerProcess
from actorflow_supervisors import Restart

STOP_LIMIT_S = 20.0
"""Seconds a worker's actor has to end its process: more than its graces and the confirmation together."""


class WorkerPool:
    """The workers of one run. slots: how many there may be. start_worker: starts one more, which then is `ready`."""

    def __init__(self, slots: int, start_worker: Callable[[], object]) -> None:
        self.slots = slots
        self.start_worker = start_worker
        self._idle: list[WorkerProcess] = []
        self._ready: set[WorkerProcess] = set()
        self._waiting: deque[_Waiter] = deque()
        self._starting = 0
        self._alive = 0
        self._empty = anyio.Event()

    async def take(self) -> WorkerProcess:
        """An idle worker, until `put` or its end. Raises WorkerLost when the one that it waited for did not start."""
        while self._idle:
            worker = self._idle.pop()
            if worker.process.is_running():  # else its actor is about to see its end, too
                return worker
        waiter = _Waiter()
        self._waiting.append(waiter)
        self._start_needed()
        try:
            return await waiter.worker()
        except BaseException:
            self._forget(waiter)
            raise

    def put(self, worker: WorkerProcess) -> None:
        """Give back a worker that waits for its next request."""
        if self._waiting:
            self._waiting.popleft().serve(worker)
        else:
            worker.process.limit(None)  # what an idle worker holds is nobody's
            self._idle.append(worker)

    async def emptied(self) -> None:
        """Return once all workers have ended."""
        while self._alive:
            self._empty = anyio.Event()
            await self._empty.wait()

    def kill(self) -> None:
        """End every worker that may be executing something, with all it started, without grace."""
        for process in self._ready:
            process.process.kill()

    def ready(self, process: WorkerProcess) -> None:
        self._ready.add(process)
        self._starting -= 1
        self.put(process)

    def failed(self, error: WorkerLost) -> None:
        self._starting -= 1
        if self._waiting:
            self._waiting.popleft().serve(error)
        self._one_less()

    def gone(self, process: WorkerProcess) -> None:
        self._ready.discard(process)
        if process in self._idle:
            self._idle.remove(process)
        self._one_less()

    def _one_less(self) -> None:
        self._alive -= 1
        if not self._alive:
            self._empty.set()
        self._start_needed()

    def _start_needed(self) -> None:
        while self._starting < len(self._waiting) and self._alive < self.slots:
            self._starting += 1
            self._alive += 1
            self.start_worker()

    def _forget(self, waiter: _Waiter) -> None:
        if waiter in self._waiting:
            self._waiting.remove(waiter)
        elif isinstance(waiter.served, WorkerProcess):
            self.put(waiter.served)


class _Waiter:
    """An attempt that waits for a worker."""

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

    def __init__(self, launch: Launch, slots: int, grace_s: float, opened: OnOpened) -> None:
        self.launch = launch
        self.pool = WorkerPool(slots, self._start_worker)
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
