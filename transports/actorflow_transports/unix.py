"""Unix sockets of one user: `unix:///run/user/1000/actorflow.sock`."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import stat
from collections.abc import Generator
from pathlib import Path
from struct import Struct

from .address import Address
from .errors import AddressError, AddressInUse, AddressRefused, ConnectRefused
from .interface import Connection, ConnectionOptions, Listener
from .socket_listener import BACKLOG, SocketListener, connected
from .stream import StreamConnection

MAX_PATH_BYTES = 107
"""What fits into `sun_path` on Linux, less its final zero."""

_CREDENTIALS = Struct("3i")  # pid, uid, gid


class UnixTransport:
    """Both ends check that the other belongs to the same user; the directory must not be writable by anybody else."""

    scheme = "unix"

    async def connect(self, address: Address, options: ConnectionOptions) -> Connection:
        sock = await connected(socket.AF_UNIX, str(_path(address)), address)
        if peer_of_same_user(sock) is None:
            sock.close()
            raise ConnectRefused(f"{address} belongs to another user")
        return StreamConnection(sock, options, peer=str(address))

    async def listen(self, address: Address, options: ConnectionOptions) -> Listener:
        path = _path(address)
        _refuse_open_directory(path.parent)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with _locked(path.parent):
                _remove_stale(path, address)
                sock.bind(str(path))
                path.chmod(0o600)
                inode = path.stat().st_ino
                sock.listen(BACKLOG)
        except OSError as exc:
            sock.close()
            raise AddressError(f"cannot listen at {address}: {exc}") from exc
        except BaseException:
            sock.close()
            raise
        return SocketListener(
            sock, address, options, admit=peer_of_same_user, on_close=lambda: _remove_own(path, inode)
        )


def _path(address: Address) -> Path:
    path = Path(address.rest)
    if not path.is_absolute():
        raise AddressError(f"{address} is not absolute; write unix:///path")
    if len(os.fsencode(path)) > MAX_PATH_BYTES:
        raise AddressError(f"{address} is longer than {MAX_PATH_BYTES} bytes, the limit; use a shorter directory")
    return path


def _refuse_open_directory(directory: Path) -> None:
    try:
        found = directory.stat()
    except OSError as exc:
        raise AddressError(f"cannot listen in {directory}: {exc}") from exc
    if found.st_uid != os.geteuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise AddressRefused(f"{directory} is not yours alone to write; make a directory with mode 0700 for the socket")


@contextlib.contextmanager
def _locked(directory: Path) -> Generator[None]:
    """Only one at a time looks for a stale socket and replaces it."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _remove_stale(path: Path, address: Address) -> None:
    """Make way for a new socket where the old one's owner is gone; raises AddressInUse if it is not."""
    try:
        is_socket = stat.S_ISSOCK(path.lstat().st_mode)
    except FileNotFoundError:
        return
    if not is_socket:
        raise AddressInUse(f"{path} exists and is no socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except BlockingIOError:
            pass  # alive, and busy
    raise AddressInUse(f"somebody listens at {address} already")


def _remove_own(path: Path, inode: int) -> None:
    with contextlib.suppress(FileNotFoundError):
        if path.lstat().st_ino == inode:
            path.unlink()


def peer_of_same_user(sock: socket.socket) -> str | None:
    """The process at the other end of a connected Unix socket, for messages; None if it belongs to another user."""
    try:
        credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    except OSError:
        return None
    pid, uid, _ = _CREDENTIALS.unpack(credentials)
    return f"process {pid}" if uid == os.geteuid() else None
