"""Worker launch: starts worker processes, each with a socket, memory to count in and pipes for its output."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass

from actorflow.runs.output_pipes import OutputPipes
from actorflow.runs.work import WorkerLost
from actorflow.runs.worker_process import WorkerProcess
from actorflow_supervisors.process import ProcessStartFailed
from actorflow_supervisors.shared_counts import SharedCounts
from actorflow_supervisors.warden import Zygote

STOPPED_LIMIT_S = 5.0
"""Seconds that a signal may hold a worker stopped before it is taken for lost, and killed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """How to start worker processes.

    zygote: forks them, or starts them where they cannot be forked. pipes: where their output goes; None: to our
    standard error.
    """

    zygote: Zygote
    pipes: OutputPipes | None = None


async def launch_worker(name: str, launch: Launch) -> WorkerProcess:
    """Start a worker process; returns before it is ready. Raises WorkerLost."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    output = counts = None
    try:
        counts = _counts_shared_over(ours)
        output = None if launch.pipes is None else launch.pipes.open(name)
        stdout, stderr = (_standard_error(),) * 2 if output is None else (output.out, output.err)
        process = await launch.zygote.fork(
            b"", sock=theirs, stdout=stdout, stderr=stderr, stopped_limit_s=STOPPED_LIMIT_S
        )
    except BaseException as exc:
        ours.close()
        if output is not None:
            output.close()
        if counts is not None:
            counts.close()
        if isinstance(exc, ProcessStartFailed | OSError):
            raise WorkerLost(f"worker {name} could not be started: {exc}") from exc
        raise
    finally:
        theirs.close()
    if output is not None:
        output.started()
    return WorkerProcess(name, process, ours, counts, output)


def _counts_shared_over(sock: socket.socket) -> SharedCounts:
    """New counts, which whoever is at the other end of `sock` receives first."""
    fd = SharedCounts.new_file()
    try:
        socket.send_fds(sock, [b"\0"], [fd])
        return SharedCounts(fd)
    finally:
        os.close(fd)


def _standard_error() -> int | None:
    """What a task prints must not mix with a run's result, which goes to standard output."""
    try:
        os.fstat(2)
    except OSError:
        return None
    return 2
