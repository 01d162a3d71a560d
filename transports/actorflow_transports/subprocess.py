"""Connections between a process and the child it was given: over a socket handed to it. Spawns nothing."""

from __future__ import annotations

import os
import socket
import stat

from .address import Address
from .blocking import BlockingConnection
from .errors import AddressError, AddressRefused
from .interface import Connection, ConnectionOptions, Listener
from .stream import StreamConnection


def socket_pair() -> tuple[socket.socket, socket.socket]:
    """Two connected ends: keep one, hand the other's file descriptor to the child. Neither is inheritable yet."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)


def from_socket(sock: socket.socket, options: ConnectionOptions, *, peer: str = "a child process") -> Connection:
    """A connection over a connected stream socket, which it owns from now on."""
    return StreamConnection(sock, options, peer=peer)


def from_fd(fd: int, options: ConnectionOptions, *, peer: str = "the parent process") -> Connection:
    """A connection over an inherited file descriptor; raises AddressError if it is no connected socket."""
    return StreamConnection(_socket_of(fd), options, peer=peer)


def blocking_from_fd(fd: int, options: ConnectionOptions, *, peer: str = "the parent process") -> BlockingConnection:
    """The same for a program without an event loop."""
    return BlockingConnection(_socket_of(fd), options, peer=peer)


class SubprocessTransport:
    """`fd://3`: the connected socket that was inherited as file descriptor 3."""

    scheme = "fd"

    async def connect(self, address: Address, options: ConnectionOptions) -> Connection:
        if not address.rest.isdecimal():
            raise AddressError(f"{address} names no file descriptor; write fd://3")
        return from_fd(int(address.rest), options)

    async def listen(self, address: Address, options: ConnectionOptions) -> Listener:
        raise AddressRefused(f"nobody can connect to {address}: a socketpair has two ends, make it with socket_pair()")


def _socket_of(fd: int) -> socket.socket:
    try:
        if not stat.S_ISSOCK(os.fstat(fd).st_mode):
            raise AddressError(f"file descriptor {fd} is no socket")
        os.set_inheritable(fd, False)  # a grandchild that held it would keep the connection open
        sock = socket.socket(fileno=fd)
    except OSError as exc:
        raise AddressError(f"file descriptor {fd} cannot be used: {exc}") from exc
    if sock.type != socket.SOCK_STREAM:
        sock.detach()
        raise AddressError(f"file descriptor {fd} is no stream socket")
    return sock
