"""Host process: a process that waits to be told which actor to be, with all that this side holds of it."""

from __future__ import annotations

import os
import socket
import time

import anyio

from actorflow.actors.placement.flight import Progress
from actorflow.actors.placement.stderr_tail import StderrTail
from actorflow_supervisors.process import Process
from actorflow_supervisors.warden import Zygote
from actorflow_transports.subprocess import socket_pair


class HostProcess:
    """From the fork to the end. sock: ours of the connection. born_s: on the monotonic clock."""

    __slots__ = ("born_s", "process", "progress", "sock", "tail")

    def __init__(self, process: Process, sock: socket.socket, progress: Progress, tail: StderrTail) -> None:
        self.process = process
        self.sock = sock
        self.progress = progress
        self.tail = tail
        self.born_s = time.monotonic()

    def is_older_than(self, max_age_s: float | None) -> bool:
        return max_age_s is not None and time.monotonic() - self.born_s >= max_age_s

    async def end(self) -> None:
        """End it if it has not, and let go of everything; nothing of it is left when this returns."""
        self.sock.close()
        self.progress.close()
        try:
            if self.process.exit is None:
                self.process.kill()
                with anyio.CancelScope(shield=True):  # bounded: what is killed is gone, or is reported
                    await self.process.wait()
        finally:
            self.tail.drain()
            self.tail.close()


async def start_host(zygote: Zygote, loop: str) -> HostProcess:
    """One that is about to wait. loop: which kind it runs. Raises ProcessStartFailed."""
    ours, theirs = socket_pair()
    tail = StderrTail()
    shared = Progress.new_file()
    try:
        socket.send_fds(ours, [b"p"], [shared])
        process = await zygote.fork(loop.encode(), sock=theirs, stderr=tail.write_fd)
        tail.given_away()
        return HostProcess(process, ours, Progress(shared), tail)
    except BaseException:
        ours.close()
        tail.close()
        raise
    finally:
        theirs.close()
        os.close(shared)
