"""TCP on this machine only: `tcp://127.0.0.1:7000`, `tcp://[::1]:7000`, `tcp://localhost:0`."""

from __future__ import annotations

import errno
import re
import socket

from .address import Address
from .errors import AddressError, AddressInUse, AddressRefused
from .interface import Connection, ConnectionOptions, Listener
from .socket_listener import BACKLOG, SocketListener, connected
from .stream import StreamConnection

_HOST_PORT = re.compile(r"(?:\[(?P<v6>[0-9a-fA-F:.%]+)\]|(?P<host>[^\[\]:/]+)):(?P<port>\d{1,5})")


class TcpTransport:
    """Refuses every address but loopback: other hosts need authentication and TLS, which this transport has not."""

    scheme = "tcp"

    async def connect(self, address: Address, options: ConnectionOptions) -> Connection:
        family, host, port = _loopback(address)
        sock = await connected(family, (host, port), address)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return StreamConnection(sock, options, peer=str(address))

    async def listen(self, address: Address, options: ConnectionOptions) -> Listener:
        family, host, port = _loopback(address)
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((host, port))
            sock.listen(BACKLOG)
        except OSError as exc:
            sock.close()
            if exc.errno == errno.EADDRINUSE:
                raise AddressInUse(f"somebody listens at {address} already; port 0 takes a free one") from exc
            raise AddressError(f"cannot listen at {address}: {exc}") from exc
        host_text = f"[{host}]" if family is socket.AF_INET6 else host
        found = Address(self.scheme, f"{host_text}:{sock.getsockname()[1]}")
        return SocketListener(sock, found, options, admit=_admit)


def _admit(sock: socket.socket) -> str | None:
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        host, port = sock.getpeername()[:2]
    except OSError:
        return None  # it is gone already
    return f"tcp://[{host}]:{port}" if ":" in host else f"tcp://{host}:{port}"


def _loopback(address: Address) -> tuple[socket.AddressFamily, str, int]:
    """(family, literal host, port) of a loopback address. Names are not looked up: their answer may be any host."""
    import ipaddress

    match = _HOST_PORT.fullmatch(address.rest)
    if match is None or int(match["port"]) > 65_535:
        raise AddressError(f"{address} has no host and port; write tcp://127.0.0.1:7000, or port 0 for a free one")
    host = match["v6"] or ("127.0.0.1" if match["host"] == "localhost" else match["host"])
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        ip = None
    if ip is None or not ip.is_loopback:
        raise AddressRefused(
            f"{address} is not loopback: it would be open to others without authentication and TLS, which are not "
            "supported yet; use tcp://127.0.0.1:PORT or unix:///PATH"
        )
    return (socket.AF_INET if ip.version == 4 else socket.AF_INET6), str(ip), int(match["port"])
