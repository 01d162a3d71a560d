"""Host main: the process of one placed actor. It is forked, told what to be, and ends with its actor or its owner.

`preload` runs once, in the zygote: it imports what every such process needs, and the module of the actors. `host` runs
in each fork, with its end of a socket.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import socket
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel

from actorflow.actors.actor import Actor
from actorflow.actors.placement.flight import Progress
from actorflow.actors.placement.frames import Kind, name_of
from actorflow.actors.placement.host import Host
from actorflow.actors.placement.incarnation import OPTIONS
from actorflow.actors.placement.signatures import signatures
from actorflow.actors.system import ActorSystem
from actorflow_transports.errors import TransportError
from actorflow_transports.subprocess import from_socket

if TYPE_CHECKING:
    from actorflow_transports.interface import Connection


def preload(module: str, loop: str) -> None:
    """Import the module of the actors, and do once what each host would do first, on this loop.

    What is wrong with the module is said by each actor that is made of it.
    """
    with contextlib.suppress(BaseException):
        for cls in vars(importlib.import_module(module)).values():
            if isinstance(cls, type) and issubclass(cls, Actor):
                signatures().prepare(cls)
    anyio.run(_warm_up, backend=_backend(loop))


async def _warm_up() -> None:
    """A loop's first turns, with its late imports."""
    async with ActorSystem(), anyio.create_task_group():
        await anyio.lowlevel.checkpoint()


def host(sock: socket.socket, payload: bytes) -> None:
    """Be the process of one actor, until that ends. payload: which loop."""
    _, (descriptor, *_), _, _ = socket.recv_fds(sock, 1, 1)
    progress = Progress(descriptor)
    os.close(descriptor)
    anyio.run(_host, sock, progress, backend=_backend(payload.decode()))


def _backend(loop: str) -> str:
    return "trio" if loop == "trio" else "asyncio"


async def _host(sock: socket.socket, progress: Progress) -> None:
    try:
        async with from_socket(sock, OPTIONS, peer="the owner of this process") as connection:
            await _serve(connection, progress)
    except TransportError:  # the owner is gone, and so is whoever would be told
        return


async def _serve(connection: Connection, progress: Progress) -> None:
    async with Host(connection, progress) as host:
        spawn = await connection.receive()
        if spawn[0] != Kind.spawn:
            raise RuntimeError(f"the owner began with {name_of(spawn)}")
        await host.run(*spawn[1:])
