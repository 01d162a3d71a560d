"""Warden linux: a warden in a process of its own, and its zygotes."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import uuid
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass

import anyio

from actorflow_supervisors.loop import Home
from actorflow_supervisors.process import Process, ProcessStartFailed
from actorflow_supervisors.warden_link import Link
from actorflow_supervisors.warden_process import WardenProcess

MAX_PAYLOAD_BYTES = 64 << 10
"""Of a worker that is forked: it has to fit into the socket of a process that does not read yet."""

ENDED_BEFORE = "it ended before it was ready"


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What to start, and how. stopped_limit_s: see `Warden.start`."""

    argv: Sequence[str]
    env: Mapping[str, str]
    cwd: str | None
    stopped_limit_s: float = 0.0


class LinuxWarden:
    """A `Warden` in a process of its own, which is started anew if it was killed."""

    is_reduced = False

    def __init__(self, home: Home, name: str) -> None:
        self.name = name
        self._home = home
        self._mark = f"ACTORFLOW_OWNER_{uuid.uuid4().hex}"
        self._link: Link | None = None
        with contextlib.suppress(ProcessStartFailed):  # said to whoever asks for something
            self.link()
        os.environ[self._mark] = "1"

    @property
    def pid(self) -> int | None:
        """Of its process, while that runs."""
        return self._link.pid if self._link is not None and self._link.is_open else None

    def link(self) -> Link:
        """To the process that runs. Raises ProcessStartFailed."""
        if self._link is None or not self._link.is_open:
            try:
                self._link = Link(self._home, f"{self._mark}=1")
            except OSError as exc:
                raise ProcessStartFailed(f"cannot start the warden, {sys.executable!r}: {exc}") from exc
        return self._link

    async def start(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: str | None = None,
        pass_fds: Sequence[int] = (),
        stdout: int | None = None,
        stderr: int | None = None,
        quota_bytes: int | None = None,
        backstop: bool = True,
        stopped_limit_s: float = 0.0,
    ) -> Process:
        link = self.link()
        process = link.new_process()
        program = Program(argv=argv, env=env, cwd=cwd, stopped_limit_s=stopped_limit_s)
        with streams(stdout, stderr) as (out, err):
            _ask(link, "start", process, program, {1: out, 2: err, **{fd: fd for fd in pass_fds}})
        process.limit(quota_bytes, backstop=backstop)
        await process.started(repr(argv[0]))
        return process

    async def zygote(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: str | None = None,
        stdout: int | None = None,
        stderr: int | None = None,
    ) -> LinuxZygote:
        zygote = LinuxZygote(self, Program(argv=argv, env=env, cwd=cwd), stdout, stderr)
        with contextlib.suppress(ProcessStartFailed):  # said to whoever forks
            zygote.start()
        return zygote

    async def close(self) -> None:
        os.environ.pop(self._mark, None)
        if self._link is not None:
            await self._link.close()


class LinuxZygote:
    """A `Zygote`, which is started anew if it has ended."""

    def __init__(self, warden: LinuxWarden, program: Program, stdout: int | None, stderr: int | None) -> None:
        self.why_cold: str | None = None
        self._warden = warden
        self._program = program
        self._streams = (stdout, stderr)
        self._process: WardenProcess | None = None
        self._known = anyio.Event()

    def start(self) -> WardenProcess:
        """Start its process, unless that runs; what is asked of it waits. Raises ProcessStartFailed."""
        if self._process is not None and self._process.exit is None:
            return self._process
        link = self._warden.link()
        process = self._process = link.new_process()
        self._known = anyio.Event()
        link.watch_zygote(process.id, self._told)
        with streams(*self._streams) as (out, err):
            _ask(link, "zygote", process, self._program, {1: out, 2: err})
        return process

    async def fork(
        self,
        payload: bytes,
        *,
        sock: socket.socket,
        stdout: int | None = None,
        stderr: int | None = None,
        stopped_limit_s: float = 0.0,
    ) -> Process:
        if len(payload) > MAX_PAYLOAD_BYTES:
            raise ProcessStartFailed(f"a payload of {len(payload):,} bytes; {MAX_PAYLOAD_BYTES:,} are allowed")
        zygote = self.start()
        link = self._warden.link()
        process = link.new_process()
        with streams(stdout, stderr) as (out, err):
            fds = (out, err, sock.fileno())
            link.send("fork", process.id, zygote.id, process.marker, stopped_limit_s, payload, fds=fds)
        program = repr(self._program.argv[0])
        try:
            await process.started(program)
        except ProcessStartFailed:
            await zygote.started(program)  # where that did not even start, it says why
            raise
        return process

    async def ready(self) -> str:
        if self._process is not None and self._process.exit is not None:
            return ENDED_BEFORE
        while self.why_cold is None:
            await self._known.wait()
        return self.why_cold

    async def stop(self) -> None:
        if self._process is not None:
            await self._process.stop(0)

    def _told(self, why_cold: str) -> None:
        self.why_cold = why_cold
        self._known.set()


@contextlib.contextmanager
def streams(stdout: int | None, stderr: int | None) -> Generator[tuple[int, int]]:
    """Descriptors for standard output and error: those given, else this process's own, else the null device's."""
    null = -1
    found: list[int] = []
    try:
        for given, own in ((stdout, 1), (stderr, 2)):
            if given is None and not _is_open(own) and null < 0:
                null = os.open(os.devnull, os.O_RDWR)
            found.append(given if given is not None else own if _is_open(own) else null)
        yield found[0], found[1]
    finally:
        if null >= 0:
            os.close(null)


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def _ask(link: Link, what: str, process: WardenProcess, program: Program, fds: Mapping[int, int]) -> None:
    """fds: number in the process to descriptor here."""
    link.send(
        what,
        process.id,
        process.marker,
        program.cwd or "",
        program.stopped_limit_s,
        len(program.argv),
        *program.argv,
        *(f"{name}={value}" for name, value in program.env.items()),
        " ".join(map(str, fds)),
        fds=tuple(fds.values()),
    )
