"""Process tree: which processes belong to one that we started.

On Linux one pass over /proc; elsewhere psutil. A zombie counts as gone: it runs nothing and holds no memory, and an
orphan's zombie may wait for a slow init.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass

PROCFS = sys.platform == "linux" and os.path.exists("/proc/self/stat")

_GONE = frozenset((b"Z", b"X", b"x"))


@dataclass(frozen=True, slots=True)
class Member:
    """A process of a tree. started: its start time, to tell it from a later process with the same pid."""

    pid: int
    started: float


@dataclass(frozen=True, slots=True)
class _Stat:
    pid: int
    gone: bool
    parent: int
    session: int
    started: float


def members(pid: int, marker: str) -> list[Member]:
    """The living processes that process `pid` started, at whatever depth, `pid` itself included while it lives.

    `pid` leads a session of its own and must not have been reaped, so that its number means nobody else. Found are its
    descendants, its session (orphans too), and whoever carries `marker`, one `NAME=value` of the environment `pid` was
    started with: an orphan that left the session.
    """
    if PROCFS:
        return _from_procfs(pid, marker.encode())
    return _from_psutil(pid)


def is_alive(member: Member) -> bool:
    """True while that very process runs."""
    if PROCFS:
        stat = _stat(member.pid)
        return stat is not None and not stat.gone and stat.started == member.started
    import psutil

    try:
        process = psutil.Process(member.pid)
        return process.create_time() == member.started and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _from_procfs(pid: int, marker: bytes) -> list[Member]:
    stats = {stat.pid: stat for stat in _all_stats()}
    root = stats.get(pid)
    if root is None:
        return []
    below = _descendants(pid, stats)
    return [
        Member(stat.pid, stat.started)
        for stat in stats.values()
        if not stat.gone
        and stat.started >= root.started
        and (stat.pid in below or stat.session == pid or _carries(stat.pid, marker))
    ]


def _descendants(pid: int, stats: dict[int, _Stat]) -> set[int]:
    children: dict[int, list[int]] = {}
    for stat in stats.values():
        children.setdefault(stat.parent, []).append(stat.pid)
    found = {pid}
    waiting = [pid]
    while waiting:
        new = [child for child in children.get(waiting.pop(), ()) if child not in found]
        found.update(new)
        waiting.extend(new)
    return found


def _all_stats() -> Iterator[_Stat]:
    for name in os.listdir("/proc"):
        if name.isdigit():
            stat = _stat(int(name))
            if stat is not None:
                yield stat


def _stat(pid: int) -> _Stat | None:
    """The fields after the command's closing bracket, proc(5): state 3, ppid 4, session 6, starttime 22."""
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            text = file.read(4096)
    except OSError:
        return None
    fields = text[text.rindex(b")") + 2 :].split(None, 20)
    return _Stat(pid, fields[0] in _GONE, int(fields[1]), int(fields[3]), float(fields[19]))


def _carries(pid: int, marker: bytes) -> bool:
    try:
        with open(f"/proc/{pid}/environ", "rb", buffering=0) as file:
            return marker in file.read().split(b"\0")
    except OSError:  # another user's, or gone
        return False


def _from_psutil(pid: int) -> list[Member]:
    import psutil

    found: dict[int, Member] = {}
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == pid and process.status() != psutil.STATUS_ZOMBIE:
                found[process.pid] = Member(process.pid, process.create_time())
        except (psutil.Error, OSError):
            continue
    try:
        for process in psutil.Process(pid).children(recursive=True):
            found.setdefault(process.pid, Member(process.pid, process.create_time()))
    except psutil.Error:
        pass
    return list(found.values())
