"""The `process` executor: `def` tasks in worker processes, each attempt alone in one, where it can be stopped."""

from __future__ import annotations

import errno
import logging
import os
import time
from collections.abc import AsyncGenerator, Awaitable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import replace
from functools import partial
from typing import cast

import anyio

from actorflow.actors.codec import EncodeError
from actorflow.actors.ref import ActorRef
from actorflow.executors.affinity import held_to
from actorflow.executors.worker_pool import STOP_LIMIT_S, WorkerPool, Workshop
from actorflow.executors.worker_zygote import zygote_for
from actorflow.runs.error_record import error_record
from actorflow.runs.executor import AttemptSpec, AttemptState, Capabilities, Cause, Outcome, RunSite
from actorflow.runs.output_pipes import OutputPipes
from actorflow.runs.task_context import context_of
from actorflow.runs.time_limit import before_it_waited_too_long, within_timeout
from actorflow.runs.values import Value
from actorflow.runs.work import BrokenOff, Found, Work, WorkerLost
from actorflow.runs.worker_launch import Launch
from actorflow.runs.worker_process import (
    WHILE_IT_RAN,
    RequestTooLarge,
    WorkerProcess,
    packed_work,
)
from actorflow.runs.worker_protocol import Reply
from actorflow_supervisors.memory import MemoryQuotaExceeded
from actorflow_supervisors.memory_tree import WatchedTree
from actorflow_supervisors.recycling import Recycling
from actorflow_supervisors.warden import Zygote, shared_warden

logger = logging.getLogger("actorflow.executors")

GRACE_S = 10.0
"""Seconds a stopped attempt has between SIGTERM and SIGKILL."""

AHEAD_OF_WORKER = 28
"""Quick attempts for each worker beyond its slots: their starts share a commit, their requests a write."""

SAMPLED_S = 0.05
"""Shorter than this an attempt falls between two samples of its tree."""

LEFT_OVER_SHARE = 0.25
"""Of an attempt's quota, what earlier attempts may have left in use in its worker."""


class ProcessExecutor:
    """Executes each attempt alone in a worker process of a pool.

    workers: attempts that execute at once; as many as CPUs that this process may use, where nothing is said.
    slots: four times as many, so that a worker's next attempt is at hand, its start on disk, when the last one ends.
    grace_s: from SIGTERM to SIGKILL for an attempt that is cancelled or took too long.
    backstop: refuse a process more than 1.5 times the quota of its attempt, where the system can: the harder limit
    behind the sampling. recycling: when a worker makes room for a new one.
    """

    name = "process"

    def __init__(
        self,
        workers: int | None = None,
        *,
        grace_s: float = GRACE_S,
        backstop: bool = True,
        recycling: Recycling | None = None,
    ) -> None:
        self.workers = workers if workers is not None else available_cpus()
        self.slots = 4 * self.workers
        self.capabilities = Capabilities(stop=True, quota=True, announced=True, ahead=AHEAD_OF_WORKER * self.workers)
        self.grace_s = grace_s
        self.backstop = backstop
        self.recycling = recycling or Recycling()
        self._pool: WorkerPool | None = None
        self._zygote: Zygote | None = None
        self._has_told_cold = False

    @property
    def why_cold(self) -> str | None:
        """Why each worker is an interpreter of its own, "" where they are forked, None as long as it is not known."""
        return None if self._zygote is None else self._zygote.why_cold

    @asynccontextmanager
    async def opened(self, site: RunSite) -> AsyncGenerator[None]:
        async with AsyncExitStack() as stack:
            pipes = None if site.output is None else stack.enter_context(closing(OutputPipes(site.output)))
            warden = await stack.enter_async_context(shared_warden())
            self._zygote = await stack.enter_async_context(zygote_for(warden, site, pipes))
            launch = Launch(zygote=self._zygote, pipes=pipes)
            factory = partial(Workshop, launch, self.workers, self.grace_s, self._opened, self.recycling)
            spawning = cast("Awaitable[ActorRef[Workshop]]", site.spawn(factory, name=self.name, restart="transient"))
            workshop = await spawning
            try:
                yield
            finally:
                await self._close(workshop)

    async def execute(self, attempt: AttemptSpec) -> Outcome:
        assert self._pool is not None, "opened() comes first"
        try:
            arguments = {name: value.data(name) for name, value in attempt.arguments.items()}
            if not needs_a_worker_of_its_own(attempt):
                return await self._execute_on_any(attempt, arguments, self._pool)
        except (EncodeError, RequestTooLarge) as exc:
            return failed(Cause.bad_input, exc)
        try:
            worker = await before_it_waited_too_long(attempt, partial(self._worker_for, attempt, self._pool))
        except WorkerLost as exc:
            return failed(Cause.lost, exc)
        if isinstance(worker, Outcome):
            return worker
        self._tell_cold()
        execution = Execution(worker, attempt, arguments, self._pool, self)
        return await execution.run()

    async def _execute_on_any(self, attempt: AttemptSpec, arguments: Mapping[str, bytes], pool: WorkerPool) -> Outcome:
        """On whichever worker has room, behind others that take little time. Raises RequestTooLarge."""
        context = context_of(attempt)
        work = Work(packed_work(attempt.task, arguments, context, attempt.headers), context, pool.slot())
        pool.submit(work)
        try:
            found: Found = await work.found
        except BaseException:
            worker = pool.cancel(work)
            if worker is not None:
                await self._end(worker)
            raise
        self._tell_cold()
        if isinstance(found, Reply):
            return answered(found, work)
        if isinstance(found, BrokenOff):
            return await self._broken_off(found)
        return failed(Cause.lost, found)

    async def _broken_off(self, found: BrokenOff) -> Outcome:
        worker = found.worker
        began_s = worker.at_head_since_s
        lost = await worker.lost(WHILE_IT_RAN, found.error)
        ended = worker.process.exit
        peaks = (worker.ready_rss_bytes, worker.process.peak_since(began_s), (ended and ended.peak_rss_bytes) or 0)
        return replace(
            failed(Cause.lost, lost),
            worker=worker.label,
            started_at=time.time() - (time.monotonic() - began_s),
            peak_rss_bytes=max(peaks),
            cpu_s=None if ended is None or ended.cpu_s is None else max(0.0, ended.cpu_s - worker.cpu_total_s),
        )

    async def _end(self, worker: WorkerProcess) -> None:
        with anyio.CancelScope(shield=True):  # bounded: SIGTERM, grace_s, SIGKILL, and the wait for that
            await worker.stop(self.grace_s)

    def kill(self) -> None:
        if self._pool is not None:
            self._pool.kill()

    async def _worker_for(self, attempt: AttemptSpec, pool: WorkerPool) -> WorkerProcess:
        """A worker; for an attempt with a quota, one in which earlier attempts have left little of it in use."""
        while True:
            worker = await pool.take()
            if attempt.memory_bytes is None or left_over_bytes(worker) <= attempt.memory_bytes * LEFT_OVER_SHARE:
                return worker
            with anyio.CancelScope(shield=True):  # bounded, as at the end of an attempt
                await worker.stop(self.grace_s)

    def _tell_cold(self) -> None:
        """Once a run: its workers cost more than they could."""
        if self._has_told_cold:
            return
        self._has_told_cold = True
        if self.why_cold:
            logger.info("each worker is an interpreter of its own: %s", self.why_cold)

    def _opened(self, pool: WorkerPool) -> None:
        self._pool = pool

    async def _close(self, workshop: ActorRef[Workshop]) -> None:
        workshop.try_tell(Workshop.close)
        if self._pool is not None:
            with anyio.move_on_after(STOP_LIMIT_S, shield=True):
                await self._pool.emptied()


def needs_a_worker_of_its_own(attempt: AttemptSpec) -> bool:
    """True if it has limits that are kept from outside, so that nothing may be sent ahead or behind it."""
    return not (
        attempt.timeout_s is None
        and attempt.memory_bytes is None
        and attempt.queue_left_s is None
        and not attempt.cpu_ids
    )


class Execution:
    """One attempt on a worker of its own, which it gives back, or ends."""

    def __init__(
        self,
        worker: WorkerProcess,
        attempt: AttemptSpec,
        arguments: Mapping[str, bytes],
        pool: WorkerPool,
        executor: ProcessExecutor,
    ) -> None:
        self.worker = worker
        self.attempt = attempt
        self.arguments = arguments
        self.pool = pool
        self.executor = executor
        self.began_s = time.monotonic()
        self.cpu_before_s = worker.cpu_total_s
        self.peak_rss_bytes = 0
        worker.process.limit(attempt.memory_bytes, backstop=executor.backstop)

    async def run(self) -> Outcome:
        started_at = time.time()
        outcome = await within_timeout(self.attempt, self._execute)
        ended = self.worker.process.exit
        cpu_total_s = self.worker.cpu_total_s if ended is None else ended.cpu_s
        return replace(
            outcome,
            worker=self.worker.label,
            started_at=started_at,
            peak_rss_bytes=self._peak_bytes(),
            cpu_s=None if cpu_total_s is None else max(0.0, cpu_total_s - self.cpu_before_s),
        )

    async def _execute(self) -> Outcome:
        try:
            with held_to(self.worker.pid, self.attempt.cpu_ids):
                reply = await self.worker.execute(
                    self.attempt.task, self.arguments, context_of(self.attempt), self.attempt.headers or {}
                )
        except WorkerLost as exc:
            over_quota = self.worker.process.breach is not None
            return failed(Cause.out_of_memory, self._over_quota()) if over_quota else failed(Cause.lost, exc)
        except RequestTooLarge as exc:
            return failed(Cause.bad_input, exc)
        finally:
            await self._give_back()
        self.peak_rss_bytes = reply.peak_rss_bytes or 0
        if self._was_refused_memory(reply):
            return failed(Cause.out_of_memory, self._over_quota(refused=True))
        return outcome_of(reply)

    def _peak_bytes(self) -> int:
        """The most that the attempt's tree has held, as far as anybody has seen."""
        process = self.worker.process
        return max(
            self.worker.ready_rss_bytes,  # the least that any attempt there has held
            self.peak_rss_bytes,
            process.peak_since(self.began_s),
            (process.breach and process.breach.peak_bytes) or 0,
            (process.exit and process.exit.peak_rss_bytes) or 0,
        )

    def _over_quota(self, *, refused: bool = False) -> MemoryQuotaExceeded:
        return MemoryQuotaExceeded(self.attempt.memory_bytes or 0, self._peak_bytes(), refused=refused)

    def _was_refused_memory(self, reply: Reply) -> bool:
        """A MemoryError under a quota is the quota's, whoever asked for the memory; so is ENOMEM of a system call."""
        error = reply.error
        if error is None or self.attempt.memory_bytes is None or not self.executor.backstop:
            return False
        no_memory = "builtins:OSError" in error.bases and error.message.startswith(f"[Errno {errno.ENOMEM}]")
        return no_memory or "builtins:MemoryError" in error.bases

    async def _give_back(self) -> None:
        worker, pool = self.worker, self.pool
        if not worker.is_busy and worker.process.breach is None and not pool.is_worn(worker):
            pool.put(worker)
            return
        with anyio.CancelScope(shield=True):  # bounded: SIGTERM, grace_s, SIGKILL, and the wait for that
            await worker.stop(self.executor.grace_s)


def answered(reply: Reply, work: Work) -> Outcome:
    """What came of a request that was answered."""
    worker = work.worker
    assert worker is not None
    peak_bytes = max(worker.ready_rss_bytes, reply.peak_rss_bytes or 0)
    if reply.took_s > SAMPLED_S:
        peak_bytes = max(peak_bytes, worker.process.peak_since(time.monotonic() - reply.took_s))
    return Outcome(
        state=AttemptState.succeeded if reply.value is not None else AttemptState.failed,
        cause=reply.cause,
        value=None if reply.value is None else Value.from_bytes(reply.value),
        error=reply.error,
        worker=worker.label,
        started_at=reply.started_at,
        peak_rss_bytes=peak_bytes,
        cpu_s=work.cpu_s,
        took_s=reply.took_s,
    )


def outcome_of(reply: Reply) -> Outcome:
    """What the worker answered, as the run sees it."""
    if reply.value is not None:
        return Outcome(state=AttemptState.succeeded, cause=reply.cause, value=Value.from_bytes(reply.value))
    return Outcome(state=AttemptState.failed, cause=reply.cause, error=reply.error)


def left_over_bytes(worker: WorkerProcess) -> int:
    """What an idle worker, and what its attempts left running, hold more than when it was new."""
    tree = WatchedTree(worker.pid, None, lambda: None)
    try:
        return tree.sample(0.0) - worker.ready_rss_bytes
    finally:
        tree.close()


def failed(cause: Cause, exc: Exception) -> Outcome:
    """A failure that happened around the task: where in our code it was noticed says nothing."""
    error = replace(error_record(exc), traceback="", frames=())
    return Outcome(state=AttemptState.failed, cause=cause, error=error)


def available_cpus() -> int:
    """CPUs that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
