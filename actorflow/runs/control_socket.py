"""Control socket: the Unix socket beside a run's journal, through which its owner can be asked about the run.

The owner holds the run's lock, so whatever stands at the socket's path when it opens is what a dead owner left. Its
folder has mode 0700, itself 0600, and both ends check that the other belongs to the same user.

Here stands only what every run needs: the listening socket, open and unanswered. What it takes to hold a conversation
is imported when somebody calls (`Serve`), since most runs are never asked anything and a cold start would pay for it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Generator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import anyio

from actorflow.actors.actor import Actor
from actorflow.actors.handler import handler
from actorflow_supervisors import ExitReason

SUFFIX: Final = ".sock"
FILE_MODE: Final = 0o600
BACKLOG: Final = 64
ROLE: Final = "run"
CALLER_ROLE: Final = "observer"
"""What the two ends call themselves in the greeting."""

Answer = Callable[[Mapping[str, object]], Awaitable[object]]
"""From the arguments of a question to its answer, both plain data: what JSON has."""
Answers = Mapping[str, Answer]

Serve = Callable[[socket.socket, Answers], Awaitable[None]]
"""Answers whoever connects to a listening socket, until it is cancelled."""

logger = logging.getLogger("actorflow.runs")


class ControlPlace(NamedTuple):
    """Where a run can be asked, and what answers there."""

    path: Path
    serve: Serve


def socket_path(journal: Path) -> Path:
    """Where the control socket of the run with that journal stands."""
    return journal.with_suffix(SUFFIX)


class ControlSocket(Actor):
    """Owns the socket of one run: opens it, lets `serve` answer, removes it. A run goes on without it."""

    def __init__(self, place: ControlPlace, answers: Answers) -> None:
        self.place = place
        self.answers = answers
        self.listening: socket.socket | None = None
        self.inode: int | None = None

    async def started(self) -> None:
        try:
            self.listening = listen(self.place.path)
        except OSError as exc:
            problem = exc.strerror or exc
            logger.warning(
                "the run cannot be watched by `actorflow actors`: no socket at %s: %s", self.place.path, problem
            )
            self.context.stop()
            return
        self.inode = inode_of(self.place.path)
        self.context.ref.try_tell(ControlSocket.attend)

    @handler
    async def attend(self) -> None:
        """Wait for the first caller, then answer; for as long as this actor lives."""
        assert self.listening is not None
        await anyio.wait_readable(self.listening)
        await self.place.serve(self.listening, self.answers)

    async def stopping(self, reason: ExitReason) -> None:
        if self.listening is None:
            return
        self.listening.close()
        # By its number: the run may have a new owner already, and that one a socket of the same name.
        if inode_of(self.place.path) == self.inode:
            self.place.path.unlink(missing_ok=True)


def listen(path: Path) -> socket.socket:
    """A listening socket at `path` in place of one left there. Raises OSError."""
    path.unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        os.fchmod(listening.fileno(), FILE_MODE)  # before there is a name by which anybody could reach it
        with _short(path) as name:
            listening.bind(name)
        listening.listen(BACKLOG)
        listening.setblocking(False)
    except BaseException:
        listening.close()
        raise
    return listening


def connect(path: Path) -> socket.socket:
    """A socket connected to the one that listens at `path`. Raises OSError."""
    caller = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        caller.setblocking(False)
        with _short(path) as name:
            caller.connect(name)
    except BaseException:
        caller.close()
        raise
    return caller


def inode_of(path: Path) -> int | None:
    try:
        return path.lstat().st_ino
    except OSError:
        return None


@contextlib.contextmanager
def _short(path: Path) -> Generator[str]:
    """Another name for `path`: a socket's may have 107 bytes, and folders are often deeper."""
    descriptor = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}/{path.name}"
    finally:
        os.close(descriptor)
