"""What Unix and TCP share: a listening socket that hands out connections, and connecting without blocking."""

from __future__ import annotations

import errno
import os
import socket
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import anyio

from .address import Address
from .errors import AddressError, ConnectionClosed, ConnectRefused, ReceiverBusy
from .interface import Connection, ConnectionOptions
from .loop import Gate, gate_of
from .stream import StreamConnection

BACKLOG = 1024

ACCEPT_PAUSE_S = 0.1
"""Pause when the process is out of file descriptors: the system offers no event for one that becomes free."""

_OUT_OF_RESOURCES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_REFUSED = frozenset({errno.ECONNREFUSED, errno.ENOENT, errno.ECONNRESET, errno.EAGAIN})


class SocketListener:
    """Accepts connections from a listening socket, which it owns.

    admit: called with each accepted socket before anything is read; a string is the peer's name, None turns it away.
    on_close: called once, after the socket is closed.
    """

    def __init__(
        self,
        sock: socket.socket,
        address: Address,
        options: ConnectionOptions,
        *,
        admit: Callable[[socket.socket], str | None],
        on_close: Callable[[], None] = lambda: None,
    ) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._address = address
        self._options = options
        self._admit = admit
        self._on_close = on_close
        self._gate: Gate = gate_of(sock)
        self._accepted: deque[Connection] = deque()
        self._is_accepting = False
        self._is_exhausted = False
        self._is_closed = False

    @property
    def address(self) -> Address:
        return self._address

    async def accept(self) -> Connection:
        if self._is_accepting:
            raise ReceiverBusy(f"another task accepts at {self._address}")
        self._is_accepting = True
        try:
            while not self._accepted:
                if self._is_closed:
                    raise ConnectionClosed(f"the listener at {self._address} is closed")
                await self._gate.read_until(self._accept_one)
                if self._is_exhausted:
                    self._is_exhausted = False
                    await anyio.sleep(ACCEPT_PAUSE_S)
        finally:
            self._is_accepting = False
        return self._accepted.popleft()

    def _accept_one(self) -> bool:
        try:
            sock, _ = self._sock.accept()
        except OSError as exc:
            # All other errors are the caller's connection that broke before it was accepted.
            self._is_exhausted = exc.errno in _OUT_OF_RESOURCES
            return self._is_exhausted
        peer = self._admit(sock)
        if peer is None:
            sock.close()
            return False
        self._accepted.append(StreamConnection(sock, self._options, peer=peer))
        return True

    def close(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        self._gate.close()
        self._sock.close()
        while self._accepted:
            self._accepted.popleft().close()
        self._on_close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None, /
    ) -> None:
        self.close()


async def connected(family: socket.AddressFamily, where: Any, address: Address) -> socket.socket:
    """A socket connected to `where`; raises ConnectRefused, AddressError. Any: each family has its own shape."""
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        failure = sock.connect_ex(where)
        if failure == errno.EINPROGRESS:
            gate = gate_of(sock)
            await gate.writable()
            failure = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if failure in _REFUSED:
            raise ConnectRefused(f"nobody accepts at {address}: {os.strerror(failure)}")
        if failure:
            raise AddressError(f"cannot connect to {address}: {os.strerror(failure)}")
    except BaseException:
        sock.close()
        raise
    return sock
