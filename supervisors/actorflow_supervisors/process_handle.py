"""Process handle: one process that can be signalled and whose end can be awaited, with no chance of meaning another.

A pidfd where the system has them; elsewhere a thread that waits.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess

import anyio
from anyio import to_thread

from actorflow_supervisors.process_tree import Member, is_alive


class ProcessHandle:
    """Of a child of ours, or of a process below one."""

    __slots__ = ("_fd", "_popen", "member")

    def __init__(self, member: Member, fd: int | None, popen: subprocess.Popen[bytes] | None = None) -> None:
        self.member = member
        self._fd = fd
        self._popen = popen

    @classmethod
    def of_child(cls, popen: subprocess.Popen[bytes]) -> ProcessHandle:
        return cls(Member(popen.pid, 0.0), _open_pidfd(popen.pid), popen)

    @classmethod
    def of(cls, member: Member, popen: subprocess.Popen[bytes] | None) -> ProcessHandle | None:
        """popen: given for a child of ours. None if it has gone meanwhile."""
        fd = _open_pidfd(member.pid)
        if is_alive(member):
            return cls(member, fd, popen)
        if fd is not None:
            os.close(fd)
        return None

    def is_running(self) -> bool:
        """Of a child that has not been reaped; True where the system cannot tell without reaping it."""
        if not hasattr(os, "waitid"):
            return True
        try:
            return os.waitid(os.P_PID, self.member.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
        except ChildProcessError:
            return False

    def send(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if self._fd is not None:
                signal.pidfd_send_signal(self._fd, number)
            elif is_alive(self.member):
                os.kill(self.member.pid, number)

    async def gone(self) -> None:
        """Wait until it is gone, or a zombie."""
        if self._fd is None:
            await to_thread.run_sync(self._wait_in_thread, abandon_on_cancel=True, limiter=anyio.CapacityLimiter(1))
            return
        fd = os.dup(self._fd)  # one waiter a descriptor is all that a loop takes
        try:
            await anyio.wait_readable(fd)
        finally:
            os.close(fd)

    def _wait_in_thread(self) -> None:
        """Where the system has no pidfd; a child is left unreaped where the system can say so."""
        if self._popen is not None and hasattr(os, "waitid"):
            with contextlib.suppress(ChildProcessError):  # reaped meanwhile
                os.waitid(os.P_PID, self._popen.pid, os.WEXITED | os.WNOWAIT)
            return
        if self._popen is not None:
            self._popen.wait()
            return
        import psutil

        with contextlib.suppress(psutil.Error):
            psutil.Process(self.member.pid).wait()

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def _open_pidfd(pid: int) -> int | None:
    opener = getattr(os, "pidfd_open", None)
    if opener is None:
        return None
    try:
        return int(opener(pid))
    except OSError:  # gone, or forbidden by a sandbox
        return None
