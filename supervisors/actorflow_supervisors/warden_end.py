"""Warden end: kill everything below this process, and whatever carries its supervisor's marker, before it exits."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Callable, Iterable

from actorflow_supervisors.process_tree import Member, below, carriers, is_alive

LIMIT_S = 2.0
"""Seconds for all of it to vanish; only what hangs in the kernel needs longer."""

SUPERVISOR_LIMIT_S = 1.0
"""Seconds from the end of the supervisor's socket to its own end. One that lives on closed it, and keeps its others."""

_PASSES = 20


def end_all(supervisor: int, marker: bytes) -> None:
    """supervisor: its pidfd. marker: `NAME=value`, b"" to leave alone what was not started through here."""
    deadline_s = time.monotonic() + LIMIT_S
    kill_all(lambda: _alive_below(os.getpid()), deadline_s)
    if marker and _ends_within(supervisor, SUPERVISOR_LIMIT_S):
        kill_all(lambda: [member for member in carriers((marker,)) if member.pid != os.getpid()], deadline_s)
        kill_all(lambda: _alive_below(os.getpid()), deadline_s)


def kill_all(find: Callable[[], Iterable[Member]], deadline_s: float) -> None:
    """Until `find` finds nothing more, or the time is over: stop whatever it finds, kill that, see it gone."""
    while True:
        found: dict[Member, int] = {}
        for _ in range(_PASSES):
            new = [member for member in find() if member not in found]
            if not new:
                break
            for member in new:
                found[member] = _signal(member, -1, signal.SIGSTOP)
        for member, fd in found.items():
            found[member] = _signal(member, fd, signal.SIGKILL)
        _await(found.values(), deadline_s)
        if not found or time.monotonic() >= deadline_s:
            return


def _signal(member: Member, fd: int, number: signal.Signals) -> int:
    """Returns its pidfd; -1 where it has none."""
    with contextlib.suppress(OSError):
        if fd < 0:
            fd = os.pidfd_open(member.pid)
        if is_alive(member):
            signal.pidfd_send_signal(fd, number)
        return fd
    with contextlib.suppress(OSError):  # too many descriptors: a fork bomb
        if is_alive(member):
            os.kill(member.pid, number)
    return fd


def _await(fds: Iterable[int], deadline_s: float) -> None:
    for fd in fds:
        if fd >= 0:
            _ends_within(fd, deadline_s - time.monotonic())
            os.close(fd)


def _alive_below(pid: int) -> list[Member]:
    return [stat.member for stat in below(pid) if not stat.gone]


def _ends_within(pidfd: int, seconds: float) -> bool:
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(max(0.0, seconds) * 1000))
