"""Warden process: what a supervisor knows of a process that its warden started, and asks of it."""

from __future__ import annotations

import contextlib
import logging
import os
import select
from collections import deque
from typing import Protocol

import anyio

from actorflow_supervisors.memory_backstop import Backstop
from actorflow_supervisors.process import ProcessExit, ProcessStartFailed, QuotaBreach

logger = logging.getLogger("actorflow.supervisors")

ANSWER_S = 20.0
"""Seconds beyond its grace after which a warden that has not ended a process is taken for hung, and killed itself."""


class Sender(Protocol):
    """The connection to the warden that started a process."""

    def send(self, name: str, *fields: bytes | str | int | float, fds: tuple[int, ...] = ()) -> None:
        """Nothing happens where the connection has ended: every process of it hears of that."""

    def kill(self) -> None:
        """End the warden itself."""


class WardenProcess:
    """A `Process`. marker: `NAME=value` in the environment of all that belongs to it."""

    def __init__(self, id: int, marker: str, warden: Sender) -> None:
        self.id = id
        self.pid = 0
        self.marker = marker
        self.exit: ProcessExit | None = None
        self.survivors: tuple[int, ...] = ()
        self.last_rss_bytes = 0
        self.breach: QuotaBreach | None = None
        self.was_stopped = False
        self._warden = warden
        self._limit: tuple[int | None, int | None] = (None, None)
        self._backstop = Backstop(0)
        self._peaks: deque[tuple[float, int]] = deque()
        self._failure = ""
        self._pidfd = -1
        self._started = anyio.Event()
        self._ended = anyio.Event()

    def __repr__(self) -> str:
        return f"<process {self.pid}: {self.exit or 'running'}>"

    async def started(self, what: str) -> None:
        """Wait until it is there; cancelled, it is not wanted any more. Raises ProcessStartFailed."""
        try:
            await self._started.wait()
        except BaseException:
            self.kill()
            raise
        if self._failure:
            raise ProcessStartFailed(f"cannot start {what}: {self._failure}")

    def is_running(self) -> bool:
        if self.exit is not None or self._pidfd < 0:
            return False
        poll = select.poll()
        poll.register(self._pidfd, select.POLLIN)
        return not poll.poll(0)

    def limit(self, quota_bytes: int | None, *, backstop: bool = True) -> None:
        """Holds for whatever the process is told from now on; the warden hears of changes only."""
        wanted = (quota_bytes, quota_bytes if backstop else None)
        if wanted == self._limit or self.exit is not None:
            return
        self._limit = wanted
        self._warden.send("quota", self.id, "" if quota_bytes is None else quota_bytes)
        self._serve_backstop()

    def _serve_backstop(self) -> None:
        if self.is_running():
            self._backstop.serve(self._limit[1])

    def peak_since(self, begin_s: float) -> int:
        while self._peaks and self._peaks[0][0] < begin_s:
            self._peaks.popleft()
        return self._peaks[0][1] if self._peaks else 0

    async def wait(self) -> ProcessExit:
        await self._ended.wait()
        assert self.exit is not None, "its end is known before it is told"
        return self.exit

    async def stop(self, grace_s: float) -> ProcessExit:
        if self.exit is None:
            self._warden.send("stop", self.id, grace_s)
            try:
                with anyio.move_on_after(grace_s + ANSWER_S) as limit:
                    await self._ended.wait()
                if limit.cancelled_caught:
                    logger.error("the warden did not end process %d within %s s, and is killed", self.pid, ANSWER_S)
                    self._warden.kill()
            except BaseException:
                self.kill()
                raise
        return await self.wait()

    def kill(self) -> None:
        if self.exit is None:
            self._warden.send("kill", self.id)

    # what its warden tells

    def on_started(self, pid: int, pidfd: int) -> None:
        self.pid = pid
        self._pidfd = pidfd
        self._backstop = Backstop(pid)
        self._serve_backstop()
        self._started.set()

    def on_failed(self, why: str) -> None:
        self._failure = why
        self._end(ProcessExit())

    def on_rss(self, rss_bytes: int, at_s: float) -> None:
        self.last_rss_bytes = rss_bytes
        while self._peaks and self._peaks[-1][1] <= rss_bytes:
            self._peaks.pop()
        self._peaks.append((at_s, rss_bytes))

    def on_exit(self, ended: ProcessExit, last_rss_bytes: int, survivors: tuple[int, ...]) -> None:
        self.last_rss_bytes = last_rss_bytes
        self.survivors = survivors
        if survivors:
            logger.error("processes %s, started by process %d, are still there after SIGKILL", survivors, self.pid)
        self._end(ended)

    def _end(self, ended: ProcessExit) -> None:
        self.exit = ended
        if self._pidfd >= 0:
            with contextlib.suppress(OSError):
                os.close(self._pidfd)
            self._pidfd = -1
        self._started.set()
        self._ended.set()
