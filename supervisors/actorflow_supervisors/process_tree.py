"""Process tree: which processes belong to one that we started.

On Linux from /proc; elsewhere psutil. A zombie counts as gone: it runs nothing and holds no memory, and an orphan's
zombie may wait for a slow init. Standard library only, and little of it: the warden's start pays for every import.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator

PROCFS = sys.platform == "linux" and os.path.exists("/proc/self/stat")

_CHILDREN = PROCFS and os.path.exists(f"/proc/self/task/{os.getpid()}/children")
"""Not every kernel is built with them."""

_GONE = frozenset((b"Z", b"X", b"x"))


class Member:
    """A process of a tree. started: its start time, to tell it from a later process with the same pid."""

    __slots__ = ("pid", "started")

    def __init__(self, pid: int, started: float) -> None:
        self.pid = pid
        self.started = started

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Member) and (other.pid, other.started) == (self.pid, self.started)

    def __hash__(self) -> int:
        return hash((self.pid, self.started))

    def __repr__(self) -> str:
        return f"Member(pid={self.pid}, started={self.started})"


class Stat:
    """What /proc says about one process. gone: it is a zombie. started: in clock ticks since the system's start."""

    __slots__ = ("gone", "parent", "pid", "session", "started")

    def __init__(self, pid: int, gone: bool, parent: int, session: int, started: float) -> None:
        self.pid = pid
        self.gone = gone
        self.parent = parent
        self.session = session
        self.started = started

    @property
    def member(self) -> Member:
        return Member(self.pid, self.started)


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
        stat = stat_of(member.pid)
        return stat is not None and not stat.gone and stat.started == member.started
    import psutil

    try:
        process = psutil.Process(member.pid)
        return process.create_time() == member.started and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def carriers(markers: Iterable[bytes]) -> list[Member]:
    """The living processes that carry one of `markers`, each a `NAME=value`; needs /proc."""
    wanted = frozenset(markers)
    return [stat.member for stat in all_stats() if not stat.gone and not wanted.isdisjoint(environment(stat.pid))]


def below(pid: int) -> Iterator[Stat]:
    """The descendants of process `pid`, zombies too; needs /proc.

    A walk: what is forked meanwhile may be missed, so look again once what was found is stopped, or gone.
    """
    if not _CHILDREN:
        stats = {stat.pid: stat for stat in all_stats()}
        yield from (stats[child] for child in _descendants(pid, stats) if child != pid)
        return
    waiting = [pid]
    while waiting:
        for child in children(waiting.pop()):
            stat = stat_of(child)
            if stat is not None:
                yield stat
                waiting.append(child)


def children(pid: int) -> list[int]:
    """The children of every thread of `pid`, proc(5); none of a process that has ended."""
    found: list[int] = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            found += map(int, _read(f"/proc/{pid}/task/{thread}/children").split())
    except OSError:
        return found
    return found


def stat_of(pid: int) -> Stat | None:
    """The fields after the command's closing bracket, proc(5): state 3, ppid 4, session 6, starttime 22."""
    try:
        text = _read(f"/proc/{pid}/stat")
        fields = text[text.rindex(b")") + 2 :].split(None, 20)
    except (OSError, ValueError):
        return None
    return Stat(pid, fields[0] in _GONE, int(fields[1]), int(fields[3]), float(fields[19]))


def all_stats() -> Iterator[Stat]:
    """Every process that /proc shows."""
    for name in os.listdir("/proc"):
        if name.isdigit():
            stat = stat_of(int(name))
            if stat is not None:
                yield stat


def environment(pid: int) -> list[bytes]:
    """What `pid` was started with, as `NAME=value`; nothing of another user's, or of one that is gone."""
    try:
        return _read(f"/proc/{pid}/environ").split(b"\0")
    except OSError:
        return []


def _from_procfs(pid: int, marker: bytes) -> list[Member]:
    stats = {stat.pid: stat for stat in all_stats()}
    root = stats.get(pid)
    if root is None:
        return []
    found = _descendants(pid, stats)
    return [
        stat.member
        for stat in stats.values()
        if not stat.gone
        and stat.started >= root.started
        and (stat.pid in found or stat.session == pid or marker in environment(stat.pid))
    ]


def _descendants(pid: int, stats: dict[int, Stat]) -> set[int]:
    by_parent: dict[int, list[int]] = {}
    for stat in stats.values():
        by_parent.setdefault(stat.parent, []).append(stat.pid)
    found = {pid}
    waiting = [pid]
    while waiting:
        new = [child for child in by_parent.get(waiting.pop(), ()) if child not in found]
        found.update(new)
        waiting.extend(new)
    return found


def _read(path: str) -> bytes:
    with open(path, "rb", buffering=0) as file:
        text = bytearray()
        while chunk := file.read(1 << 16):
            text += chunk
        return bytes(text)


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
