"""Out of file descriptors a listener waits without spinning, and a run goes on and answers when there is room (F14)."""

from __future__ import annotations

import errno
import os
import resource
import socket
from collections.abc import Generator
from contextlib import ExitStack, chdir, contextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from actorflow_transports import Address, Connection, ConnectionOptions, socket_listener
from actorflow_transports.socket_listener import SocketListener
from tests.cli import dags
from tests.cli.shell import actorflow, going
from tests.faults.leaks import leak_audit as leak_audit

pytestmark = pytest.mark.usefixtures("leak_audit")

SPARE = 3
CALLERS = 200


class Counting(socket.socket):
    """Counts how often it had a caller and no descriptor for it."""

    refusals = 0

    def accept(self) -> tuple[socket.socket, Any]:
        try:
            return super().accept()
        except OSError as exc:
            self.refusals += exc.errno == errno.EMFILE
            raise


def all_that_are_left() -> Generator[int]:
    while True:
        try:
            yield os.dup(0)
        except OSError:
            return


@contextmanager
def few_descriptors() -> Generator[None]:
    """This process may open so many more, and no others."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    fillers: list[int] = []
    try:
        highest = max(int(name) for name in os.listdir("/proc/self/fd"))
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1 + SPARE, before[1]))
        fillers += all_that_are_left()
        for _ in range(SPARE):
            os.close(fillers.pop())
        yield
    finally:
        for filler in fillers:
            os.close(filler)
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@contextmanager
def called(path: Path, callers: int) -> Generator[None]:
    """So many callers, who wait in the kernel's queue until somebody accepts them."""
    with ExitStack() as stack, chdir(path.parent):  # the name of a socket may not be long
        for _ in range(callers):
            caller = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            caller.setblocking(False)
            caller.connect(path.name)
        yield


class Served:
    """A listener that many call at once, and all that it accepted."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "socket"
        self.sock = Counting(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.bind(str(self.path))
        self.sock.listen(socket_listener.BACKLOG)
        address = Address("unix", str(self.path))
        self.listener = SocketListener(self.sock, address, ConnectionOptions(), admit=lambda _: "a caller")
        self.accepted: list[Connection] = []

    async def accept(self) -> None:
        while True:
            self.accepted.append(await self.listener.accept())

    async def refused(self, times: int) -> None:
        while self.sock.refusals < times:
            await anyio.lowlevel.checkpoint()


@pytest.mark.anyio
async def test_a_listener_that_has_no_descriptor_left_does_not_spin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket_listener, "ACCEPT_PAUSE_S", 3600.0)
    served = Served(tmp_path)
    async with served.listener, anyio.create_task_group() as group:
        with called(served.path, CALLERS), few_descriptors():
            group.start_soon(served.accept)
            await served.refused(1)
            for _ in range(1000):
                await anyio.lowlevel.checkpoint()
        group.cancel_scope.cancel()
    for connection in served.accepted:
        connection.close()

    assert (served.sock.refusals, len(served.accepted)) == (1, SPARE)


@pytest.mark.anyio
async def test_every_caller_is_served_though_there_are_never_descriptors_for_more_than_three(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket_listener, "ACCEPT_PAUSE_S", 0.0)
    served = Served(tmp_path)
    count = 0
    async with served.listener, anyio.create_task_group() as group:
        with called(served.path, CALLERS), few_descriptors():
            group.start_soon(served.accept)
            while count < CALLERS - CALLERS % SPARE:
                await served.refused(served.sock.refusals + 1)
                assert len(served.accepted) <= SPARE
                count += len(served.accepted)
                while served.accepted:
                    served.accepted.pop().close()
        group.cancel_scope.cancel()

    assert count >= CALLERS - CALLERS % SPARE


def free_descriptors(pid: int) -> int:
    """How many more that process may open."""
    limit, _ = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    return limit - len([name for name in os.listdir(f"/proc/{pid}/fd") if int(name) < limit])


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_run_without_descriptors_goes_on_and_answers_when_it_has_some_again(tmp_path: Path, backend: str) -> None:
    (tmp_path / "etl.py").write_text(dags.WAITING)
    with going("run", "etl.py", "--backend", backend, cwd=tmp_path) as run:
        for index in range(3):
            run.until("attempt_started", map_index=index)
        pid = run.process.pid
        (path,) = (tmp_path / ".actorflow").rglob("*.sock")
        most = resource.prlimit(pid, resource.RLIMIT_NOFILE)[1]
        highest = max(int(name) for name in os.listdir(f"/proc/{pid}/fd"))
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (highest + 1 + SPARE, most))
        with called(path, 40):  # more than it serves at once, fewer than the kernel lets wait
            while free_descriptors(pid):
                os.sched_yield()
        answer = actorflow("cancel", "@last", cwd=tmp_path)
        done = run.end()

    assert answer.code == 0, answer.err
    assert done.code == 1, done.err
    assert run.seen[-1]["status"] == "cancelled"
