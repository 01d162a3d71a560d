"""Worker: a supervised actor that owns one worker process for as long as that lives.

`started` starts the process and waits until it is ready; when the process ends by itself, so does the actor, killed,
and its supervisor decides what follows; `stopping` ends the process with everything it started, and sees it gone.
"""

from __future__ import annotations

from functools import partial
from typing import Protocol

import anyio

from actorflow.actors.actor import Actor
from actorflow.actors.handler import handler
from actorflow.runs.work import WorkerLost
from actorflow.runs.worker_launch import Launch, launch_worker
from actorflow.runs.worker_process import WorkerProcess
from actorflow_supervisors import ExitReason, Killed
from actorflow_supervisors.process import ProcessExit

START_LIMIT_S = 120.0
"""Seconds for a process to start and to import the user's module."""


class WorkerHost(Protocol):
    """Who lends workers to attempts. Of each started actor it hears once `ready` or `failed`, then once `gone`."""

    def ready(self, process: WorkerProcess) -> None:
        """It waits for a request."""

    def failed(self, error: WorkerLost) -> None:
        """It did not become ready; nothing of it is left."""

    def gone(self, process: WorkerProcess) -> None:
        """It has ended, and nothing of it is left."""


class Worker(Actor):
    """One worker process.

    name: what the process is called in outcomes and messages. grace_s: from SIGTERM to SIGKILL, when it is busy.
    """

    def __init__(self, name: str, launch: Launch, host: WorkerHost, grace_s: float) -> None:
        self.name = name
        self.launch = launch
        self.host = host
        self.grace_s = grace_s
        self.process: WorkerProcess | None = None

    async def started(self) -> None:
        try:
            self.process = await self._ready_process()
        except BaseException as exc:
            self.host.failed(
                exc if isinstance(exc, WorkerLost) else WorkerLost(f"{self.name} was stopped at its start")
            )
            raise
        self.process.end = partial(self.context.stop_child_nowait, self.context.ref)
        self.context.ref.try_tell(Worker.watch)
        self.host.ready(self.process)

    async def _ready_process(self) -> WorkerProcess:
        process: WorkerProcess | None = None
        try:
            with anyio.fail_after(START_LIMIT_S):
                process = await launch_worker(self.name, self.launch)
                await process.wait_ready()
        except BaseException as exc:
            if process is not None:
                with anyio.CancelScope(shield=True):  # bounded: a kill, and the wait for it to be confirmed
                    await process.stop(0)
            if isinstance(exc, TimeoutError):
                who = process or f"worker {self.name}"
                raise WorkerLost(f"{who} was not ready after {START_LIMIT_S:g} s, and was killed") from exc
            raise
        return process

    @handler
    async def watch(self) -> None:
        """Hear the process until its end; for as long as this actor lives."""
        assert self.process is not None
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.process.serve)  # until it has read what was on its way when the process ended
            await self.process.wait()
        ended = await self.process.wait()
        self.context.stop(None if self.process.asked_to_end else killed(self.process, ended))

    async def stopping(self, reason: ExitReason) -> None:
        process = self.process
        if process is not None:
            await process.stop(self.grace_s)
            self.host.gone(process)


def killed(process: WorkerProcess, ended: ProcessExit) -> Killed:
    """The end of a process that its owner did not ask for, as the exit reason of its actor."""
    return Killed(
        "memory" if process.process.breach is not None else "signal",
        process.label,
        signal=ended.signal,
        exit_code=ended.exit_code,
        peak_rss_bytes=ended.peak_rss_bytes,
    )
