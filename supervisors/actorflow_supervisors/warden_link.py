"""Warden link: a supervisor's connection to one warden process, from the start of that to its end."""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from functools import partial

import anyio
from anyio import to_thread

from actorflow_supervisors.loop import Home
from actorflow_supervisors.process import ProcessExit, QuotaBreach
from actorflow_supervisors.process_tree import carriers
from actorflow_supervisors.warden_cgroup import VARIABLE
from actorflow_supervisors.warden_end import LIMIT_S, kill_all
from actorflow_supervisors.warden_frames import Frame, FrameError, FrameSocket
from actorflow_supervisors.warden_process import WardenProcess

logger = logging.getLogger("actorflow.supervisors")

BOOT = "import sys; sys.path.append(sys.argv.pop(1)); from actorflow_supervisors.warden_main import main; main()"
"""Isolated and without site packages: nothing of a user's can be imported, and it starts in some 20 ms."""

CLOSE_LIMIT_S = 2 * LIMIT_S
_FOLDER = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_KEPT = ("ACTORFLOW_PROCESS_", "ACTORFLOW_OWNER_", VARIABLE, "LD_LIBRARY_PATH")
"""Of the environment: the marks of those above, who find the warden by them, and what it or the interpreter needs."""


class Link:
    """A running warden process. marker: of its supervisor, "" for none. is_open: it can be asked for something."""

    def __init__(self, home: Home, marker: str) -> None:
        """Blocks until the program runs (1-2 ms); what is asked of it waits until it is ready. Raises OSError."""
        ours, theirs = socket.socketpair()
        try:
            self._popen = subprocess.Popen(
                _argv(theirs.fileno(), marker),
                env=_environment(marker),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        self._pidfd = os.pidfd_open(self._popen.pid)
        self.is_open = True
        self.is_subreaper: bool | None = None
        self._home = home
        self._pipe = FrameSocket(ours)
        self._ids = itertools.count(1)
        self._processes: dict[int, WardenProcess] = {}
        self._on_zygote: dict[int, Callable[[str], None]] = {}
        self._is_closing = False
        self._was_used = False
        self._is_flushing = False
        self._over = anyio.Event()
        home.spawn(self._run, name="warden")

    @property
    def pid(self) -> int:
        return self._popen.pid

    def new_process(self) -> WardenProcess:
        """One that is about to be asked for."""
        self._was_used = True
        process = WardenProcess(next(self._ids), f"ACTORFLOW_PROCESS_{uuid.uuid4().hex}=1", self)
        self._processes[process.id] = process
        return process

    def watch_zygote(self, id: int, told: Callable[[str], None]) -> None:
        """told: why it does not fork, "" where it does; again where that changes."""
        self._on_zygote[id] = told

    def send(self, name: str, *fields: bytes | str | int | float, fds: tuple[int, ...] = ()) -> None:
        if not self.is_open:
            return
        try:
            self._pipe.send(name, *fields, fds=fds)
        except OSError:  # its end is about to be read
            return
        if not self._pipe.is_flushed and not self._is_flushing:
            self._is_flushing = True
            self._home.spawn(self._flush, name="warden flush")

    def kill(self) -> None:
        if not self._over.is_set():
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    async def close(self) -> None:
        """End whatever it still has, and itself. To be shielded; bounded."""
        self._is_closing = True
        if self._was_used:
            self.send("close")
        else:
            self.kill()  # it has nothing to end, and may still be starting: a short run does not wait for that
        with anyio.move_on_after(CLOSE_LIMIT_S):
            await self._over.wait()
        if not self._over.is_set():
            logger.error("the warden %d did not end within %s s, and is killed", self.pid, CLOSE_LIMIT_S)
            self.kill()
            await self._over.wait()

    async def _run(self) -> None:
        try:
            while self._read():
                await anyio.wait_readable(self._pipe.sock)
        finally:
            self.is_open = False
            with anyio.CancelScope(shield=True):  # bounded: a warden that has closed its socket is about to exit
                await self._bury()

    def _read(self) -> bool:
        """False at the end."""
        try:
            frames = self._pipe.receive()
        except OSError:  # it ended with something unread
            return False
        except FrameError as exc:
            logger.error("the warden %d is not understood, and is killed: %s", self.pid, exc)
            self.kill()
            return False
        for frame in frames or ():
            self._told(frame)
        return frames is not None

    def _told(self, frame: Frame) -> None:
        if frame.name == "ready":
            self.is_subreaper = frame.fields[0] == b"1"
            return
        id, *fields = frame.fields
        if frame.name == "zygote":
            told = self._on_zygote.get(int(id))
            if told is not None:
                told(os.fsdecode(fields[0]))
            return
        process = self._processes[int(id)]
        match frame.name:
            case "started":
                process.on_started(int(fields[0]), frame.fds[0])
            case "rss":
                process.on_rss(int(fields[0]), float(fields[1]))
            case "failed":
                del self._processes[process.id]
                process.on_failed(os.fsdecode(fields[0]))
            case "exit":
                self._forget(process)
                _exited(process, [os.fsdecode(field) for field in fields])
            case _:
                raise FrameError(f"unknown message {frame.name!r}")

    def _forget(self, process: WardenProcess) -> None:
        del self._processes[process.id]
        self._on_zygote.pop(process.id, None)

    async def _flush(self) -> None:
        with contextlib.suppress(OSError):  # its end is about to be read
            while self.is_open and not self._pipe.is_flushed:
                await anyio.wait_writable(self._pipe.sock)
                self._pipe.flush()
        self._is_flushing = False

    async def _bury(self) -> None:
        """It has ended, or closed its socket, which it does at its end only: reap it, and account for all it had."""
        self.kill()
        await anyio.wait_readable(self._pidfd)
        self._popen.wait()
        self._over.set()
        os.close(self._pidfd)
        anyio.notify_closing(self._pipe.sock)
        self._pipe.close()
        left, self._processes = tuple(self._processes.values()), {}
        if not self._is_closing:
            logger.error(
                "the warden %d has ended; what it had started, %d processes, ends with it", self.pid, len(left)
            )
            markers = [process.marker.encode() for process in left]
            sweep = partial(kill_all, partial(carriers, markers), time.monotonic() + LIMIT_S)
            await to_thread.run_sync(sweep, limiter=anyio.CapacityLimiter(1))
        for process in left:
            if process.pid:
                process.on_exit(ProcessExit(signal=int(signal.SIGKILL)), process.last_rss_bytes, ())
            else:
                process.on_failed("its warden has ended")


def _exited(process: WardenProcess, fields: list[str]) -> None:
    status, peak, cpu_s, last, cause, quota, quota_peak, survivors = fields
    code = os.waitstatus_to_exitcode(int(status))
    if cause == "memory":
        process.breach = QuotaBreach(int(quota), int(quota_peak))
    process.was_stopped = cause == "stopped"
    ended = ProcessExit(
        exit_code=None if code < 0 else code,
        signal=-code if code < 0 else None,
        peak_rss_bytes=int(peak),
        cpu_s=float(cpu_s),
    )
    process.on_exit(ended, int(last), tuple(map(int, survivors.split())))


def _argv(descriptor: int, marker: str) -> list[str]:
    return [sys.executable, "-I", "-S", "-c", BOOT, _FOLDER, str(descriptor), str(os.getpid()), marker]


def _environment(own: str) -> dict[str, str]:
    mark = own.partition("=")[0]
    return {name: value for name, value in os.environ.items() if name.startswith(_KEPT) and name != mark}
