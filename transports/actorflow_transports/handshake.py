"""The first item each way: who speaks, in which version, and how large an item may be."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, cast

import anyio

from .errors import HandshakeRefused, TransportError
from .frame import MAX_FRAME_BYTES
from .interface import Connection

PROTOCOL = "actorflow"
VERSION = 1
TIMEOUT_S = 2.0
MAX_HELLO_BYTES = 4096
"""What a listener should take as the first frame: ConnectionOptions(max_first_frame_bytes=MAX_HELLO_BYTES)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """What one end says of itself.

    role: what it is, as in "supervisor", "worker". max_frame_bytes: the largest item it takes.
    """

    role: str
    name: str = ""
    max_frame_bytes: int = MAX_FRAME_BYTES
    version: int = VERSION

    def as_item(self) -> dict[str, object]:
        """A map of plain values, which every codec for maps carries."""
        item = {"role": self.role, "name": self.name, "max_frame_bytes": self.max_frame_bytes}
        return {"protocol": PROTOCOL, "version": self.version, **item}

    @classmethod
    def from_item(cls, item: object) -> Hello:
        """Raises HandshakeRefused."""
        match item:
            case {
                "protocol": str(protocol),
                "version": int(version),
                "role": str(role),
                "name": str(name),
                "max_frame_bytes": int(max_frame_bytes),
            } if protocol == PROTOCOL and max_frame_bytes > 0 and len(cast("Any", item)) == 5:
                return cls(role=role, name=name, max_frame_bytes=max_frame_bytes, version=version)
            case _:
                raise HandshakeRefused("the peer's first item is no greeting")


async def greet(
    connection: Connection, hello: Hello, *, accepts: Collection[str], timeout_s: float = TIMEOUT_S
) -> Hello:
    """Say hello, hear the peer's, and agree; returns the peer's, and sends no larger items than it takes.

    accepts: roles the peer may have. Raises HandshakeRefused; the connection is closed then.
    """
    try:
        with anyio.fail_after(timeout_s):
            await connection.send(hello.as_item())
            peer = Hello.from_item(await connection.receive())
        _refuse(hello, peer, accepts)
    except TimeoutError:
        connection.close()
        raise HandshakeRefused(f"{connection.peer} said nothing for {timeout_s} s") from None
    except HandshakeRefused as exc:
        connection.close()
        raise HandshakeRefused(f"{connection.peer}: {exc}") from None
    except TransportError as exc:
        connection.close()
        raise HandshakeRefused(f"{connection.peer} broke off the greeting: {exc}") from exc
    connection.limit_sends(peer.max_frame_bytes)
    return peer


def _refuse(ours: Hello, peer: Hello, accepts: Collection[str]) -> None:
    if peer.version != ours.version:
        raise HandshakeRefused(f"it speaks version {peer.version}, we speak {ours.version}; upgrade the older one")
    if peer.role not in accepts:
        raise HandshakeRefused(f"it is a {peer.role!r:.40}, expected {' or '.join(sorted(accepts))}")
