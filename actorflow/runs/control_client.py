"""Control client: asks the owner of a run through the run's control socket."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any, Final

import anyio

from actorflow.actors.errors import ActorflowError
from actorflow.runs.control_server import MAX_REPLY_BYTES, OPTIONS
from actorflow.runs.control_socket import CALLER_ROLE, ROLE, connect
from actorflow_transports.errors import HandshakeRefused, TransportError
from actorflow_transports.handshake import Hello, greet
from actorflow_transports.interface import Connection
from actorflow_transports.stream import StreamConnection
from actorflow_transports.unix import peer_of_same_user

GREETING_S: Final = 5.0
ANSWER_S: Final = 10.0
"""How long a run may take; one whose loop is blocked by a task answers nothing meanwhile."""

SAME_VERSION: Final = "use the version of actorflow that runs it"
_NOBODY: Final = frozenset({errno.ENOENT, errno.ECONNREFUSED, errno.ENOTDIR})


class RunUnreachable(ActorflowError):
    """The owner of a run cannot be asked. problem: what is wrong. help: the way out."""

    def __init__(self, problem: str, help: str) -> None:
        self.problem = problem
        self.help = help
        super().__init__(f"{problem}; {help}")


class RunCaller:
    """A conversation with the owner of a run. One question at a time."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._numbers = count(1)

    async def ask(self, name: str, **given: object) -> Any:
        """The answer to a question, as plain data. Raises RunUnreachable.

        Any: what an answer is, only the two ends know.
        """
        number = next(self._numbers)
        try:
            with anyio.fail_after(ANSWER_S):
                await self._connection.send({"id": number, "ask": name, "with": given})
                item = await self._connection.receive()
        except TimeoutError:
            raise _silent() from None
        except TransportError as exc:
            raise RunUnreachable(f"the run has gone away: {exc}", "`actorflow runs` tells what became of it") from exc
        match item:
            case {"reply": reply}:
                return reply
            case {"error": problem}:
                raise RunUnreachable(f"the run answered: {problem}", SAME_VERSION)
            case _:
                raise RunUnreachable("the run answered what is no answer", SAME_VERSION)

    async def closed(self) -> None:
        """Return once the owner has closed the conversation, as it does when the run's last event is on disk."""
        with contextlib.suppress(TransportError):
            while True:
                await self._connection.receive()


@asynccontextmanager
async def call_run(path: Path) -> AsyncGenerator[RunCaller]:
    """A conversation with the run whose control socket stands at `path`. Raises RunUnreachable."""
    connection = _connection(path)
    async with connection:
        hello = Hello(role=CALLER_ROLE, name=f"process {os.getpid()}", max_frame_bytes=MAX_REPLY_BYTES)
        try:
            await greet(connection, hello, accepts={ROLE}, timeout_s=GREETING_S)
        except HandshakeRefused as exc:
            if isinstance(exc.__context__, TimeoutError):
                raise _silent() from exc
            raise RunUnreachable(f"the run refused to talk: {exc}", SAME_VERSION) from exc
        yield RunCaller(connection)


def _connection(path: Path) -> StreamConnection:
    try:
        sock = connect(path)
    except OSError as exc:
        if exc.errno in _NOBODY:
            raise RunUnreachable("nobody answers for the run", "`actorflow runs` tells what became of it") from exc
        if exc.errno == errno.EAGAIN:
            raise _silent() from exc
        raise RunUnreachable(f"{path} cannot be reached: {exc.strerror}", "ask as the user who runs it") from exc
    peer = peer_of_same_user(sock)
    if peer is None:
        sock.close()
        raise RunUnreachable(f"{path} belongs to another user", "ask as the user who runs it")
    return StreamConnection(sock, OPTIONS, peer=peer)


def _silent() -> RunUnreachable:
    return RunUnreachable("the run is there but does not answer", "a task may block its loop; try again")
