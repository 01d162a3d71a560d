"""Worker main: the process in which `def` tasks run, one attempt at a time in its main thread.

The user's module is imported under its canonical name, once for all workers where they can be forked. A worker says
that it is ready, and answers requests until its socket ends. Whatever a task raises is an answer; only what ends the
process itself (os._exit, a signal) is for the owner to see. Imports are few, since each costs at every start.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import resource
import select
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import CoroutineType
from typing import NoReturn, cast

from actorflow.actors.codec import DecodeError
from actorflow.executors.peak_rss import PeakRss
from actorflow.flows.load import import_folder, resolve_function
from actorflow.runs.error_record import error_record
from actorflow.runs.executor import Cause, ErrorRecord
from actorflow.runs.output_logging import log_to_standard_error
from actorflow.runs.task_context import in_task
from actorflow.runs.values import Value
from actorflow.runs.worker_line import WorkerSide
from actorflow.runs.worker_protocol import (
    MAX_FRAME_BYTES,
    GoOn,
    NotTheProtocol,
    Ready,
    Reply,
    Request,
    pack_ready,
    pack_reply,
    pack_skipped,
    read_order,
)
from actorflow_supervisors.shared_counts import SharedCounts
from actorflow_transports import BlockingConnection, ConnectionOptions, TransportError

Around = Callable[[Mapping[str, str]], AbstractContextManager[None]]
"""What is entered around the body of an attempt, given its headers."""


@dataclass(frozen=True, slots=True)
class Preloaded:
    """What all workers have in common. enter: makes what is entered around each body, None for nothing."""

    module: str
    file: str
    enter: Callable[[], Around] | None


_preloaded: list[Preloaded] = []
_is_captured: list[bool] = []


def preload(module: str, file: str, around: str) -> None:
    """Once, before any worker is forked: import the user's module, so that no attempt's time counts for it.

    module: canonical name of the user's module; what goes wrong is said by each attempt. around: "module:function",
    whose answer is entered around each body; "" for nothing.
    """
    sys.argv[:] = [file]
    _flush_each_line()
    is_captured = bool(os.environ.pop("ACTORFLOW_CAPTURED", ""))
    _is_captured.append(is_captured)
    if is_captured:
        log_to_standard_error()
    folder = import_folder(module, file)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    with contextlib.suppress(BaseException):
        importlib.import_module(module)
    name, _, attribute = around.partition(":")
    _preloaded.append(Preloaded(module, file, getattr(importlib.import_module(name), attribute) if around else None))


def serve(sock: socket.socket, payload: bytes) -> None:
    """In each worker: answer requests until the owner closes its end."""
    if sys.platform != "linux":  # elsewhere a signal tells of the owner's death
        exit_when_socket_ends(sock.fileno())
    counts = _received_counts(sock)
    connection = BlockingConnection(sock, ConnectionOptions(max_frame_bytes=MAX_FRAME_BYTES), peer="the owner")
    with contextlib.suppress(TransportError):  # the owner is gone, or wants no more answers
        Worker(connection, WorkerSide(counts, is_captured=_is_captured[-1]), _preloaded[-1]).serve()


def _received_counts(sock: socket.socket) -> SharedCounts:
    """What the owner sends first: the memory in which both count."""
    _, (fd,), _, _ = socket.recv_fds(sock, 1, 1)
    try:
        return SharedCounts(fd)
    finally:
        os.close(fd)


def _nothing_around(headers: Mapping[str, str]) -> AbstractContextManager[None]:
    return contextlib.nullcontext()


class Worker:
    """Answers requests."""

    def __init__(self, connection: BlockingConnection, line: WorkerSide, preloaded: Preloaded) -> None:
        self.connection = connection
        self.line = line
        self.module = preloaded.module
        self.file = preloaded.file
        self.pid = os.getpid()
        self._functions: dict[str, Callable[..., object]] = {}
        self._ahead: deque[Request] = deque()
        self._peak = PeakRss()
        self._enter: Around = _nothing_around if preloaded.enter is None else preloaded.enter()

    def serve(self) -> None:
        """Until the owner closes its end."""
        self.connection.send(pack_ready(Ready(_cpu_total_s(), self._peak.end())))
        while True:
            request = self._next()
            if not self.line.begin(request.number):
                self.connection.send(pack_skipped(request.number))
                continue
            self._peak.begin()
            began_at, began_s = time.time(), time.monotonic()
            cause, value, error = self.answer(request)
            if os.getpid() != self.pid:
                os._exit(0)  # a task that forked and returned twice: one answer is enough
            peak_bytes = self._peak.end()
            _flush()
            took_s, has_printed = time.monotonic() - began_s, self.line.has_printed()
            self.connection.send(
                pack_reply(
                    Reply(
                        request.number,
                        cause,
                        value,
                        error,
                        peak_bytes,
                        _cpu_total_s(),
                        began_at,
                        took_s,
                        has_printed,
                    )
                )
            )
            if has_printed:
                self._wait_until_read(request.number)

    def _next(self) -> Request:
        if self._ahead:
            return self._ahead.popleft()
        order = read_order(self.connection.receive())
        if isinstance(order, GoOn):
            raise NotTheProtocol("told to go on where nothing was printed")
        return order

    def _wait_until_read(self, number: int) -> None:
        """What the request has printed is its own: nothing else begins before the owner has read it."""
        while True:
            order = read_order(self.connection.receive())
            if isinstance(order, GoOn) and order.number == number:
                return
            if isinstance(order, GoOn):
                raise NotTheProtocol(f"told to go on after request {order.number}, not {number}")
            self._ahead.append(order)

    def answer(self, request: Request) -> tuple[Cause, bytes | None, ErrorRecord | None]:
        """Run one attempt; raises nothing."""
        try:
            function = self._function(request.task)
        except BaseException as exc:  # noqa: BLE001 - importing the user's module may end in anything
            return Cause.error, None, error_record(exc)
        try:
            arguments = {name: _decoded(name, data) for name, data in request.arguments.items()}
        except BaseException as exc:  # noqa: BLE001 - out of memory, say
            return Cause.bad_input, None, error_record(exc)
        try:
            with in_task(request.context), self._enter(request.headers):
                result = _finished(function(**arguments))
        except BaseException as exc:  # noqa: BLE001 - sys.exit and its kin are failures of the task
            return Cause.error, None, error_record(exc)
        try:
            return Cause.ran, Value.of(result).data(), None
        except BaseException as exc:  # noqa: BLE001 - as above
            return Cause.bad_output, None, error_record(exc)

    def _function(self, task: str) -> Callable[..., object]:
        if task not in self._functions:
            self._functions[task] = resolve_function(task, module=self.module, file=self.file)
        return self._functions[task]


def _finished(result: object) -> object:
    """What an `async def` returns; anything else is the result already."""
    if not isinstance(result, CoroutineType):
        return result
    import anyio

    coroutine = cast("CoroutineType[object, object, object]", result)

    async def wait() -> object:
        return await coroutine

    return anyio.run(wait, backend="asyncio")


def _decoded(name: str, data: bytes) -> object:
    try:
        return Value.from_bytes(data).get()
    except DecodeError as exc:
        raise DecodeError(f"argument {name!r}: {exc}") from exc


def _cpu_total_s() -> float:
    """CPU seconds of this process and of the children that it has waited for, since the start."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def _flush_each_line() -> None:
    """A worker may be killed at any time; what a task printed is out by then."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # the user may have closed or replaced it
            stream.flush()


def exit_when_socket_ends(descriptor: int) -> None:
    """Where no signal tells of the owner's death: its end of the socket goes with it, however busy this process is."""

    def wait() -> NoReturn:
        poll = select.poll()
        poll.register(descriptor, 0)
        poll.poll()
        os._exit(1)

    threading.Thread(target=wait, name="owner watch", daemon=True).start()
