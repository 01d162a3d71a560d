"""Worker main: the process in which `def` tasks run, one attempt at a time in its main thread.

It imports the user's module under its canonical name, says that it is ready, and answers requests until its socket
ends. Whatever a task raises is an answer; only what ends the process itself (os._exit, a signal) is for the owner to
see. Imports are few, since each costs at every start.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import os
import resource
import select
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from types import CoroutineType
from typing import NoReturn, cast

from actorflow.actors.codec import DecodeError
from actorflow.executors.peak_rss import PeakRss
from actorflow.flows.load import import_folder, resolve_function
from actorflow.runs.error_record import error_record
from actorflow.runs.executor import Cause
from actorflow.runs.output_logging import log_to_standard_error
from actorflow.runs.task_context import in_task
from actorflow.runs.values import Value
from actorflow.runs.worker_protocol import (
    MAX_FRAME_BYTES,
    Ready,
    Reply,
    Request,
    pack_ready,
    pack_reply,
    read_request,
)
from actorflow_supervisors.parent_death import die_with_parent
from actorflow_transports import BlockingConnection, ConnectionOptions, TransportError


def main() -> None:
    """`sys.argv`: descriptor of the socket, pid of the owner, canonical name of the user's module, its file."""
    descriptor, parent_pid, module, file = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
    if not die_with_parent(parent_pid):
        exit_when_socket_ends(descriptor)
    sys.argv[:] = [file]
    _flush_each_line()
    if os.environ.pop("ACTORFLOW_CAPTURED", ""):
        log_to_standard_error()
    os.set_inheritable(descriptor, False)  # what a task starts must not hold the connection open
    options = ConnectionOptions(max_frame_bytes=MAX_FRAME_BYTES)
    connection = BlockingConnection(socket.socket(fileno=descriptor), options, peer="the owner")
    worker = Worker(connection, module, file, around=os.environ.pop("ACTORFLOW_AROUND", ""))
    worker.prepare()
    with contextlib.suppress(TransportError):  # the owner is gone, or wants no more answers
        worker.serve()
    atexit._run_exitfuncs()
    _flush()
    os._exit(0)  # taking the interpreter apart would cost more than most attempts


Around = Callable[[Mapping[str, str]], AbstractContextManager[None]]
"""What is entered around the body of an attempt, given its headers."""


def _nothing_around(headers: Mapping[str, str]) -> AbstractContextManager[None]:
    return contextlib.nullcontext()


class Worker:
    """Answers requests. around: "module:function" whose answer is entered around each body; "" for nothing."""

    def __init__(self, connection: BlockingConnection, module: str, file: str, *, around: str = "") -> None:
        self.connection = connection
        self.module = module
        self.file = file
        self.around = around
        self.pid = os.getpid()
        self._functions: dict[str, Callable[..., object]] = {}
        self._peak = PeakRss()
        self._enter: Around = _nothing_around

    def prepare(self) -> None:
        """Import the user's module before any attempt's time counts; what goes wrong is said by each attempt."""
        folder = import_folder(self.module, self.file)
        if folder not in sys.path:
            sys.path.insert(0, folder)
        with contextlib.suppress(BaseException):
            importlib.import_module(self.module)
        if self.around:
            module, _, name = self.around.partition(":")
            self._enter = getattr(importlib.import_module(module), name)()

    def serve(self) -> None:
        """Until the owner closes its end."""
        self.connection.send(pack_ready(Ready(_cpu_total_s(), self._peak.end())))
        for data in self.connection:
            self._peak.begin()
            reply = self.answer(read_request(data))
            if os.getpid() != self.pid:
                os._exit(0)  # a task that forked and returned twice: one answer is enough
            _flush()
            self.connection.send(pack_reply(reply))

    def answer(self, request: Request) -> Reply:
        """Run one attempt; raises nothing."""
        try:
            function = self._function(request.task)
        except BaseException as exc:  # noqa: BLE001 - importing the user's module may end in anything
            return self._failed(request, Cause.error, exc)
        try:
            arguments = {name: _decoded(name, data) for name, data in request.arguments.items()}
        except BaseException as exc:  # noqa: BLE001 - out of memory, say
            return self._failed(request, Cause.bad_input, exc)
        try:
            with in_task(request.context), self._enter(request.headers):
                result = _finished(function(**arguments))
        except BaseException as exc:  # noqa: BLE001 - sys.exit and its kin are failures of the task
            return self._failed(request, Cause.error, exc)
        try:
            value = Value.of(result).data()
        except BaseException as exc:  # noqa: BLE001 - as above
            return self._failed(request, Cause.bad_output, exc)
        return Reply(request.number, Cause.ran, value, None, self._peak.end(), _cpu_total_s())

    def _failed(self, request: Request, cause: Cause, exc: BaseException) -> Reply:
        return Reply(request.number, cause, None, error_record(exc), self._peak.end(), _cpu_total_s())

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
