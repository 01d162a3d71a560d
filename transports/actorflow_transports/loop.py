"""The loop seam: waiting for a socket, on asyncio and on trio, side by side.

Nothing else here knows which loop runs. It exists for speed: `anyio.wait_readable` registers and unregisters the socket
for each wait, which halves the round trips of asyncio; here it stays registered while somebody waits again and again.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Awaitable, Callable
from typing import Any, Protocol


class Gate(Protocol):
    """One socket's readiness. One task waits to read, one to write."""

    async def read_until(self, read: Callable[[], bool]) -> None:
        """Call `read` whenever the socket is readable, until it returns True or the gate is closed."""
        ...

    async def writable(self) -> None:
        """Return once the socket takes bytes again, or the gate is closed."""
        ...

    async def wait(self) -> None:
        """Return once `wake` was called, since the last `wait` or from now on."""
        ...

    def wake(self) -> None:
        """Let the waiting writer go on."""
        ...

    def close(self) -> None:
        """Let go of the socket, before it is closed; all waits return."""
        ...


def gate_of(sock: socket.socket) -> Gate:
    """The gate for the running loop."""
    trio = sys.modules.get("trio")
    if trio is not None and trio.lowlevel.in_trio_run():
        return _TrioGate(sock, trio)
    return _AsyncioGate(sock, asyncio.get_running_loop())


class _AsyncioGate:
    def __init__(self, sock: socket.socket, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._fd = sock.fileno()
        self._is_reading = False
        self._is_closed = False
        self._is_woken = False
        self._read: Callable[[], bool] | None = None
        self._reader: asyncio.Future[None] | None = None
        self._writer: asyncio.Future[None] | None = None
        self._parked: asyncio.Future[None] | None = None

    async def read_until(self, read: Callable[[], bool]) -> None:
        if self._is_closed:
            return
        if not self._is_reading:
            self._loop.add_reader(self._fd, self._on_readable)
            self._is_reading = True
        self._read = read
        self._reader = self._loop.create_future()
        try:
            await self._reader
        finally:
            self._reader = None

    def _on_readable(self) -> None:
        if self._reader is None:  # nobody wants more now: stop asking, the kernel keeps it
            self._loop.remove_reader(self._fd)
            self._is_reading = False
        elif not self._reader.done() and self._read is not None and self._read():
            _finish(self._reader)

    async def writable(self) -> None:
        if self._is_closed:
            return
        self._writer = self._loop.create_future()
        self._loop.add_writer(self._fd, _finish, self._writer)
        try:
            await self._writer
        finally:
            self._writer = None
            if not self._is_closed:
                self._loop.remove_writer(self._fd)

    async def wait(self) -> None:
        if not self._is_woken and not self._is_closed:
            self._parked = self._loop.create_future()
            try:
                await self._parked
            finally:
                self._parked = None
        self._is_woken = False

    def wake(self) -> None:
        self._is_woken = True
        if self._parked is not None:
            _finish(self._parked)

    def close(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        self._loop.remove_reader(self._fd)
        self._loop.remove_writer(self._fd)
        for waiting in (self._reader, self._writer, self._parked):
            if waiting is not None:
                _finish(waiting)


def _finish(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class _TrioGate:
    def __init__(self, sock: socket.socket, trio: Any) -> None:
        self._trio = trio
        self._sock = sock
        self._is_closed = False
        self._is_woken = False
        self._parked: Any = None

    async def read_until(self, read: Callable[[], bool]) -> None:
        while await self._is_open_after(self._trio.lowlevel.wait_readable):
            if read():
                return

    async def writable(self) -> None:
        await self._is_open_after(self._trio.lowlevel.wait_writable)

    async def _is_open_after(self, wait: Callable[[socket.socket], Awaitable[None]]) -> bool:
        """Wait, unless it is closed before or meanwhile."""
        if self._is_closed:
            return False
        try:
            await wait(self._sock)
        except self._trio.ClosedResourceError:
            return False
        return True

    async def wait(self) -> None:
        if not self._is_woken and not self._is_closed:
            self._parked = self._trio.lowlevel.current_task()
            await self._trio.lowlevel.wait_task_rescheduled(self._abort)
        self._is_woken = False

    def _abort(self, _: object) -> Any:
        self._parked = None
        return self._trio.lowlevel.Abort.SUCCEEDED

    def wake(self) -> None:
        self._is_woken = True
        self._release()

    def close(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        self._trio.lowlevel.notify_closing(self._sock)
        self._release()

    def _release(self) -> None:
        if self._parked is not None:
            parked, self._parked = self._parked, None
            self._trio.lowlevel.reschedule(parked)
