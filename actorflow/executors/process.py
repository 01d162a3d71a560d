"""The `process` executor: `def` tasks in worker processes, each attempt alone in one, where it can be stopped."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Mapping
from contextlib import asynccontextmanager, closing, nullcontext
from dataclasses import replace
from functools import partial
from typing import cast

import anyio

from actorflow.actors.codec import EncodeError
from actorflow.actors.ref import ActorRef
from actorflow.executors.affinity import held_to
from actorflow.executors.worker_pool import STOP_LIMIT_S, WorkerPool, Workshop
from actorflow.flows.load import import_folder
from actorflow.runs.error_record import error_record
from actorflow.runs.executor import AttemptSpec, AttemptState, Capabilities, Cause, Outcome, RunSite
from actorflow.runs.output_pipes import OutputPipes
from actorflow.runs.task_context import context_of
from actorflow.runs.time_limit import before_it_waited_too_long, within_timeout
from actorflow.runs.values import Value
from actorflow.runs.worker_process import Launch, RequestTooLarge, WorkerLost, WorkerProcess
from actorflow.runs.worker_protocol import Reply
from actorflow_supervisors.memory import MemoryQuotaExceeded, MemoryWatch
from actorflow_supervisors.memory_tree import WatchedTree

GRACE_S = 5.0
"""Seconds a stopped attempt has between SIGTERM and SIGKILL."""

LEFT_OVER_SHARE = 0.25
"""Of an attempt's quota, what earlier attempts may have left in use in its worker."""

_BOOT = (
    "import os, sys; path = os.environ.pop('ACTORFLOW_PATH').split('\\n'); own = os.environ.pop('ACTORFLOW_OWN'); "
    "sys.path[:] = [*(entry for entry in path if entry != own), own]; "
    "from actorflow.executors.worker_main import main; sys.path[:] = path; main()"
)


class ProcessExecutor:
    """Executes each attempt alone in a worker process of a pool.

    workers: attempts that execute at once; as many as CPUs that this process may use, where nothing is said.
    slots: four times as many, so that a worker's next attempt is at hand, its start on disk, when the last one ends.
    grace_s: from SIGTERM to SIGKILL for an attempt that is cancelled or took too long.
    """

    name = "process"
    capabilities = Capabilities(stop=True, quota=True, announced=True)

    def __init__(self, workers: int | None = None, *, grace_s: float = GRACE_S) -> None:
        self.workers = workers if workers is not None else available_cpus()
        self.slots = 4 * self.workers
        self.grace_s = grace_s
        self._pool: WorkerPool | None = None
        self._memory = MemoryWatch()

    @asynccontextmanager
    async def opened(self, site: RunSite) -> AsyncGenerator[None]:
        self._memory = MemoryWatch()
        with nullcontext() if site.output is None else closing(OutputPipes(site.output)) as pipes:
            launch = launch_for(site, pipes)
            factory = partial(Workshop, launch, self.workers, self._memory, self.grace_s, self._opened)
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
        except EncodeError as exc:
            return failed(Cause.bad_input, exc)
        try:
            worker = await before_it_waited_too_long(attempt, partial(self._worker_for, attempt, self._pool))
        except WorkerLost as exc:
            return failed(Cause.lost, exc)
        if isinstance(worker, Outcome):
            return worker
        execution = Execution(worker, attempt, arguments, self._pool, self._memory, self.grace_s)
        return await execution.run()

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

    def _opened(self, pool: WorkerPool) -> None:
        self._pool = pool

    async def _close(self, workshop: ActorRef[Workshop]) -> None:
        workshop.try_tell(Workshop.close)
        if self._pool is not None:
            with anyio.move_on_after(STOP_LIMIT_S, shield=True):
                await self._pool.emptied()


class Execution:
    """One attempt on one worker, which it gives back, or ends."""

    def __init__(
        self,
        worker: WorkerProcess,
        attempt: AttemptSpec,
        arguments: Mapping[str, bytes],
        pool: WorkerPool,
        memory: MemoryWatch,
        grace_s: float,
    ) -> None:
        self.worker = worker
        self.attempt = attempt
        self.arguments = arguments
        self.pool = pool
        self.memory = memory
        self.grace_s = grace_s
        self.tree = memory.watch(worker.pid, limit_bytes=attempt.memory_bytes, on_breach=worker.kill_for_memory)
        self.cpu_before_s = worker.cpu_total_s
        self.peak_rss_bytes = 0

    async def run(self) -> Outcome:
        started_at = time.time()
        outcome = await within_timeout(self.attempt, self._execute)
        ended = self.worker.process.exit
        cpu_total_s = self.worker.cpu_total_s if ended is None else ended.cpu_s
        return replace(
            outcome,
            worker=self.worker.label,
            started_at=started_at,
            peak_rss_bytes=max(
                self.worker.ready_rss_bytes,  # the least that any attempt there has held
                self.peak_rss_bytes,
                self.tree.peak_bytes,
                (ended and ended.peak_rss_bytes) or 0,
            ),
            cpu_s=None if cpu_total_s is None else max(0.0, cpu_total_s - self.cpu_before_s),
        )

    async def _execute(self) -> Outcome:
        try:
            with held_to(self.worker.pid, self.attempt.cpu_ids):
                reply = await self.worker.execute(
                    self.attempt.task, self.arguments, context_of(self.attempt), self.attempt.headers or {}
                )
        except WorkerLost as exc:
            return failed(Cause.out_of_memory, self._over_quota(exc)) if self.tree.breached else failed(Cause.lost, exc)
        except RequestTooLarge as exc:
            return failed(Cause.bad_input, exc)
        finally:
            self.memory.end(self.tree)
            await self._give_back()
        self.peak_rss_bytes = reply.peak_rss_bytes or 0
        return outcome_of(reply)

    def _over_quota(self, lost: WorkerLost) -> MemoryQuotaExceeded:
        peak_rss_bytes = (lost.exit and lost.exit.peak_rss_bytes) or 0
        return MemoryQuotaExceeded(self.attempt.memory_bytes or 0, max(self.tree.peak_bytes, peak_rss_bytes))

    async def _give_back(self) -> None:
        if not self.worker.is_busy and not self.tree.breached:
            self.pool.put(self.worker)
            return
        with anyio.CancelScope(shield=True):  # bounded: SIGTERM, grace_s, SIGKILL, and the wait for that
            await self.worker.stop(self.grace_s)


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


def launch_for(site: RunSite, pipes: OutputPipes | None = None) -> Launch:
    """How the workers of a run are started: this interpreter, its flags, its import path, nothing of its state.

    The folder of the user's file comes last until actorflow is imported: a `json.py` beside that file is not for us.
    """
    own = import_folder(site.module, site.file)
    flags = [*interpreter_flags(), "-P", "-X", "faulthandler"]
    return Launch(
        argv=(sys.executable, *flags, "-c", _BOOT),
        arguments=(site.module, site.file),
        env={
            **os.environ,
            "ACTORFLOW_PATH": "\n".join(sys.path),
            "ACTORFLOW_OWN": own,
            "ACTORFLOW_CAPTURED": "" if pipes is None else "1",
            "ACTORFLOW_AROUND": site.around or "",
        },
        pipes=pipes,
    )


def interpreter_flags() -> list[str]:
    """What this interpreter was started with, as far as it changes what code does."""
    flags = ["-O"] * sys.flags.optimize
    flags += ["-B"] * bool(sys.dont_write_bytecode)
    flags += [f"-W{option}" for option in sys.warnoptions]
    return flags


def available_cpus() -> int:
    """CPUs that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
