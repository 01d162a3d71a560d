"""Worker process: one child process and the socket to it, from its owner's side. One attempt at a time."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import anyio

from actorflow.runs.output_pipes import OutputPipes, WorkerOutput
from actorflow.runs.task_context import TaskContext
from actorflow.runs.worker_protocol import (
    MAX_FRAME_BYTES,
    NotTheProtocol,
    Ready,
    Reply,
    Request,
    pack_request,
    read_ready,
    read_reply,
)
from actorflow_supervisors.memory import mebibytes
from actorflow_supervisors.process import Process, ProcessExit, ProcessStartFailed
from actorflow_supervisors.warden import Zygote
from actorflow_transports.errors import TransportError
from actorflow_transports.frame import FrameParser, header_of
from actorflow_transports.loop import Gate, gate_of

IDLE_GRACE_S = 2.0
"""Seconds an idle worker has to run its exit handlers, once its socket is closed, before it is asked by signal."""

STOPPED_LIMIT_S = 5.0
"""Seconds that a signal may hold a worker stopped before it is taken for lost, and killed."""

JOIN_BYTES = 64 * 1024
"""Smaller bodies are copied behind their header; larger ones are written from where they lie."""


class WorkerLost(Exception):
    """A worker process ended, or was ended, before it answered. exit: how, None where it had not even started."""

    def __init__(self, message: str, exit: ProcessExit | None = None) -> None:
        super().__init__(message)
        self.exit = exit


class RequestTooLarge(Exception):
    """The arguments of an attempt are more than one request carries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """How to start worker processes.

    zygote: forks them, or starts them where they cannot be forked. pipes: where their output goes; None: to our
    standard error.
    """

    zygote: Zygote
    pipes: OutputPipes | None = None


class WorkerProcess:
    """A started worker process.

    name: for people. is_busy: no request may be sent. cpu_total_s: what it had used when it last answered.
    ready_rss_bytes: its peak before its first request. requests: how many it was sent. began_s: when it was started, on
    the monotonic clock. asked_to_end: by its owner.
    """

    def __init__(self, name: str, process: Process, sock: socket.socket, output: WorkerOutput | None = None) -> None:
        self.name = name
        self.process = process
        self.is_busy = True  # until it is ready
        self.cpu_total_s = 0.0
        self.ready_rss_bytes = 0
        self.requests = 0
        self.began_s = time.monotonic()
        self.asked_to_end = False
        self._sock = sock
        self._output = output
        self._gate: Gate = gate_of(sock)
        self._parser = FrameParser(max_frame_bytes=MAX_FRAME_BYTES)
        self._received: list[bytes | bytearray] = []
        self._failure: Exception | None = None

    def __str__(self) -> str:
        return f"worker {self.label}"

    @property
    def label(self) -> str:
        """`process-1 (pid 4711)`."""
        return f"{self.name} (pid {self.pid})"

    @property
    def pid(self) -> int:
        return self.process.pid

    async def wait_ready(self) -> None:
        """Wait for its first message; raises WorkerLost."""
        try:
            self._is_ready(read_ready(await self._receive()))
        except (EOFError, OSError, TransportError, NotTheProtocol) as exc:
            raise await self._lost("while it started", exc) from exc

    def _is_ready(self, ready: Ready) -> None:
        self.is_busy = False
        self.cpu_total_s = ready.cpu_total_s
        self.ready_rss_bytes = ready.peak_rss_bytes

    async def execute(
        self,
        task: str,
        arguments: Mapping[str, bytes],
        context: TaskContext,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> Reply:
        """Have it run one attempt. Raises RequestTooLarge before anything is sent.

        Raises WorkerLost; after that, and when cancelled, it must be stopped, not used again.
        """
        self.requests += 1
        request = pack_request(Request(self.requests, task, arguments, context, headers))
        if len(request) > MAX_FRAME_BYTES:
            raise RequestTooLarge(
                f"the arguments of {task} are {mebibytes(len(request))} when encoded, more than the "
                f"{mebibytes(MAX_FRAME_BYTES)} that one request carries; pass a path, or work on smaller pieces"
            )
        self.is_busy = True
        if self._output is not None:
            self._output.begin(context)
        try:
            await self._send(request)
            reply = read_reply(await self._receive(), self.requests)
        except (EOFError, OSError, TransportError, NotTheProtocol) as exc:
            raise await self._lost("while it ran the attempt", exc) from exc
        self._end_of_output()
        self.is_busy = False
        self.cpu_total_s = reply.cpu_total_s
        return reply

    async def wait(self) -> ProcessExit:
        """Wait until it has ended, with everything it started."""
        ended = await self.process.wait()
        self._end_of_stream()
        return ended

    async def stop(self, grace_s: float) -> ProcessExit:
        """End it with everything it started: an idle one by the end of its socket, a busy one by SIGTERM, then SIGKILL.

        Shield it: cancelled, it kills at once and does not wait.
        """
        self.asked_to_end = True
        self._end_of_stream()  # one that survives SIGTERM finds nothing more to do
        try:
            if not self.is_busy and grace_s > 0:
                with anyio.move_on_after(IDLE_GRACE_S):
                    await self.process.wait()
            return await self.process.stop(grace_s)
        finally:
            self.close()

    def close(self) -> None:
        self._gate.close()
        self._sock.close()
        if self._output is not None:
            self._output.close()

    def _end_of_output(self) -> Sequence[str]:
        """What the attempt has written is attributed to it from here on; returns the last lines of it."""
        return () if self._output is None else self._output.end()

    def _end_of_stream(self) -> None:
        """Both ends read what is on its way, then the end: even where a stray process still holds the other end."""
        try:
            self._sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            return

    async def _lost(self, when: str, exc: Exception) -> WorkerLost:
        """It broke the conversation: wait for its end, or bring it about where it does not behave."""
        if not isinstance(exc, EOFError | OSError):
            self.process.kill()
        with anyio.move_on_after(IDLE_GRACE_S):
            await self.process.wait()
        ended = await self.process.stop(0)
        last = last_words(self._end_of_output())
        if isinstance(exc, EOFError | OSError):
            return WorkerLost(f"{self} ended with {ended} {when}{self._hint(ended)}{last}", ended)
        return WorkerLost(f"{self} wrote what is no answer {when}, and was killed: {exc}{last}", ended)

    def _hint(self, ended: ProcessExit) -> str:
        """What most likely ended it, and what it used."""
        why = "; a signal had stopped it for too long, so it was killed" if self.process.was_stopped else hint(ended)
        used = self.process.last_rss_bytes
        return f"{why}; it used {mebibytes(used >> 20 << 20)} of memory when last measured" if used >> 20 else why

    async def _send(self, body: bytes) -> None:
        head = header_of(len(body), max_frame_bytes=MAX_FRAME_BYTES)
        parts = [memoryview(head + body)] if len(body) < JOIN_BYTES else [memoryview(head), memoryview(body)]
        for part in parts:
            while part:
                try:
                    part = part[self._sock.send(part) :]
                except BlockingIOError:
                    await self._gate.writable()

    async def _receive(self) -> bytes | bytearray:
        """The next frame, one for each of ours; raises EOFError, OSError, TransportError."""
        await self._gate.read_until(self._read)
        if self._failure is not None or not self._received:
            raise self._failure or EOFError
        return self._received.pop()

    def _read(self) -> bool:
        """Read what is there; True once there is a frame, or will be none."""
        try:
            while not self._received:
                count = self._sock.recv_into(self._parser.writable())
                if not count:
                    self._failure = EOFError()
                    return True
                self._received += [body for _, body in self._parser.written(count)]
        except BlockingIOError:
            return False
        except (OSError, TransportError) as exc:
            self._failure = exc
        return True


async def launch_worker(name: str, launch: Launch) -> WorkerProcess:
    """Start a worker process; returns before it is ready. Raises WorkerLost."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    output = None
    try:
        output = None if launch.pipes is None else launch.pipes.open(name)
        stdout, stderr = (_standard_error(),) * 2 if output is None else (output.out, output.err)
        process = await launch.zygote.fork(
            b"", sock=theirs, stdout=stdout, stderr=stderr, stopped_limit_s=STOPPED_LIMIT_S
        )
    except BaseException as exc:
        ours.close()
        if output is not None:
            output.close()
        if isinstance(exc, ProcessStartFailed | OSError):
            raise WorkerLost(f"worker {name} could not be started: {exc}") from exc
        raise
    finally:
        theirs.close()
    if output is not None:
        output.started()
    return WorkerProcess(name, process, ours, output)


def last_words(lines: Sequence[str]) -> str:
    """What a worker wrote last, as the end of a message about its end."""
    return "\n  ".join(["; it last wrote:", *lines]) if lines else ""


def hint(ended: ProcessExit) -> str:
    """What an end most likely means, for people."""
    if ended.signal is None:
        return "; something in the task, or in a library, ended the process"
    if ended.signal == 9:
        return "; somebody killed it: the system does so when memory runs out"
    if ended.signal in (4, 6, 7, 8, 11):
        return "; native code in the task, or in a library, crashed"
    return ""


def _standard_error() -> int | None:
    """What a task prints must not mix with a run's result, which goes to standard output."""
    try:
        os.fstat(2)
    except OSError:
        return None
    return 2
