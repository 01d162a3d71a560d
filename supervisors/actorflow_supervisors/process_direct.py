"""Process direct: a child process that is started by this process itself, where there is no warden to do it.

Its end is an event, and everything that it started ends with it.

A process is started in a session of its own with its standard streams and the descriptors that it is given, nothing
else, and with a marker of its own in the environment, by which what it started is found even where that left the
session. Its end is awaited through a pidfd. Ending it is a ladder: SIGTERM to the whole tree, a grace, SIGKILL to the
whole tree, confirmed by absence.

Two rules for who starts one:

- Start it from a thread that lives as long as the child may, not from a thread pool: what a child does about the end of
  its parent (`parent_death`) follows the *thread* that started it.
- Await `wait()` or `stop()` to the end, so that no zombie stays.
"""

from __future__ import annotations

import contextlib
import logging
import os
import resource
import signal
import subprocess
import sys
import uuid
from collections.abc import Container, Generator, Mapping, Sequence
from dataclasses import replace

import anyio

from actorflow_supervisors.memory import MemoryWatch
from actorflow_supervisors.memory_backstop import Backstop
from actorflow_supervisors.memory_tree import WatchedTree
from actorflow_supervisors.process import ProcessExit, ProcessStartFailed, QuotaBreach
from actorflow_supervisors.process_handle import ProcessHandle
from actorflow_supervisors.process_tree import Member, is_alive, members

logger = logging.getLogger("actorflow.supervisors")

CONFIRM_S = 5.0
"""Seconds that a killed process has to vanish before it is reported: only one that hangs in the kernel needs longer."""

_RSS_UNIT_BYTES = 1 if sys.platform == "darwin" else 1024

_SWEEPS = 20
"""Passes that find and kill what a dying tree still starts, before it is reported as a fork bomb."""


class DirectProcess:
    """A `Process`. memory: samples its tree once it has a limit; without one, no limit holds."""

    def __init__(self, popen: subprocess.Popen[bytes], marker: str, memory: MemoryWatch | None = None) -> None:
        self.pid = popen.pid
        self.exit: ProcessExit | None = None
        self.survivors: tuple[int, ...] = ()
        self.marker = marker
        self.breach: QuotaBreach | None = None
        self.was_stopped = False
        self._backstop = Backstop(popen.pid)
        self._memory = memory
        self._tree: WatchedTree | None = None
        self._popen = popen
        self._inherited_peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        self._handle = ProcessHandle.of_child(popen)
        self._killed: list[ProcessHandle] = []
        self._stops = 0
        self._stopped = anyio.Event()
        self._burial = anyio.Lock()

    @property
    def last_rss_bytes(self) -> int:
        return 0 if self._tree is None else self._tree.peak_bytes

    def limit(self, quota_bytes: int | None, *, backstop: bool = True) -> None:
        if self._memory is None or self.exit is not None:
            return
        self._backstop.serve(quota_bytes if backstop else None)
        self._forget_memory()
        if quota_bytes is not None:
            self._tree = self._memory.watch(self.pid, limit_bytes=quota_bytes, on_breach=self._breached)

    def peak_since(self, begin_s: float) -> int:
        """Of the time since the limit was set."""
        return self.last_rss_bytes

    def _breached(self) -> None:
        assert self._tree is not None, "it is what was breached"
        self.breach = QuotaBreach(self._tree.limit_bytes or 0, self._tree.peak_bytes)
        self.kill()

    def _forget_memory(self) -> None:
        if self._memory is not None and self._tree is not None:
            self._memory.end(self._tree)

    def is_running(self) -> bool:
        """False once it has ended, also before `wait` has seen it."""
        return self.exit is None and self._handle.is_running()

    async def wait(self) -> ProcessExit:
        """Wait until the process has ended, and until everything it had started is killed and gone. Many may wait."""
        if self.exit is None:
            await self._handle.gone()
        while self._stops:
            await self._stopped.wait()
        async with self._burial:
            return await self._bury()

    async def stop(self, grace_s: float) -> ProcessExit:
        """SIGTERM to the whole tree, `grace_s` seconds for it to end, SIGKILL to what is left, and wait as `wait` does.

        Cancelled, it kills at once, and leaves the waiting to another `wait` or `stop`.
        """
        if self.exit is None:
            try:  # a grace of 0 is SIGKILL at once
                with self._stopping(), anyio.move_on_after(grace_s):
                    if grace_s > 0:
                        await self._terminate()
            finally:
                self.kill()
        return await self.wait()

    @contextlib.contextmanager
    def _stopping(self) -> Generator[None]:
        """Meanwhile the end of the process is no reason to kill what it left behind: that has its grace too."""
        self._stops += 1
        try:
            yield
        finally:
            self._stops -= 1
            if not self._stops:
                over, self._stopped = self._stopped, anyio.Event()
                over.set()

    def kill(self) -> None:
        """SIGKILL to the whole tree, now; `wait` then confirms."""
        if self.exit is None:
            self._sweep()

    async def _terminate(self) -> None:
        handles = self._open_members()
        try:
            for handle in handles:
                handle.send(signal.SIGTERM)
                handle.send(signal.SIGCONT)  # a stopped process acts on SIGTERM only once it goes on
            for handle in handles:
                await handle.gone()
        finally:
            for handle in handles:
                handle.close()

    async def _bury(self) -> ProcessExit:
        """The process has ended: kill what it left behind, reap it, see everything gone."""
        if self.exit is None:
            self._sweep()
            self._forget_memory()
            self.exit = _reap(self._popen, self._inherited_peak)
            self._handle.close()
        with anyio.move_on_after(CONFIRM_S):
            for handle in tuple(self._killed):
                await handle.gone()
        killed, self._killed = self._killed, []
        self._report(tuple(handle.member.pid for handle in killed if is_alive(handle.member)))
        for handle in killed:
            handle.close()
        return self.exit

    def _report(self, survivors: tuple[int, ...]) -> None:
        if survivors:
            self.survivors += survivors
            logger.error("processes %s, started by process %d, are still there after SIGKILL", survivors, self.pid)

    def _sweep(self) -> None:
        """Kill the whole tree: stop every process first, so that none starts another while we look.

        Its root is not reaped before this is over, so that its number cannot have come to mean another process.
        """
        known = {handle.member for handle in self._killed}
        for _ in range(_SWEEPS):
            new = self._open_members(without=known)
            if not new:
                break
            for handle in new:
                handle.send(signal.SIGSTOP)
            known.update(handle.member for handle in new)
            self._killed.extend(new)
        for handle in self._killed:
            handle.send(signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def _open_members(self, without: Container[Member] = ()) -> list[ProcessHandle]:
        found = (member for member in members(self.pid, self.marker) if member not in without)
        handles = (ProcessHandle.of(member, self._popen if member.pid == self.pid else None) for member in found)
        return [handle for handle in handles if handle is not None]


def start_process(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    pass_fds: Sequence[int] = (),
    stdout: int | None = None,
    stderr: int | None = None,
    cwd: str | None = None,
    memory: MemoryWatch | None = None,
) -> DirectProcess:
    """Start `argv` in a session of its own.

    env: its whole environment, to which a marker is added. pass_fds: inherited under the same numbers. stdout, stderr:
    descriptors, None for this process's own; standard input is empty. Blocks until the program runs (1-2 ms).
    Raises ProcessStartFailed.
    """
    marker = f"ACTORFLOW_PROCESS_{uuid.uuid4().hex}"
    try:
        popen = subprocess.Popen(
            list(argv),
            env={**env, marker: "1"},
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            cwd=cwd,
            close_fds=True,
            pass_fds=tuple(pass_fds),
            start_new_session=True,
        )
    except OSError as exc:
        raise ProcessStartFailed(f"cannot start {argv[0]!r}: {exc}") from exc
    return DirectProcess(popen, f"{marker}=1", memory)


def _reap(popen: subprocess.Popen[bytes], inherited_peak: int) -> ProcessExit:
    """The end of a process that has ended."""
    try:
        _, status, usage = os.wait4(popen.pid, 0)
    except ChildProcessError:  # reaped by the thread that waited
        return _exit_of(popen.wait())
    popen.returncode = os.waitstatus_to_exitcode(status)
    peak_rss_bytes = usage.ru_maxrss * _RSS_UNIT_BYTES if usage.ru_maxrss > inherited_peak else None
    return replace(_exit_of(popen.returncode), peak_rss_bytes=peak_rss_bytes, cpu_s=usage.ru_utime + usage.ru_stime)


def _exit_of(returncode: int) -> ProcessExit:
    return ProcessExit(signal=-returncode) if returncode < 0 else ProcessExit(exit_code=returncode)
