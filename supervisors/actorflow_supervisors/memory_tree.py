"""Memory tree: the resident memory of one process tree, measured against a quota.

What counts against a quota: the resident memory of the tree. Where that exceeds it, a second, dearer look leaves out
file pages, which the kernel takes back by itself, and counts what forked processes share once, so that only memory that
is really used is blamed. Standard library only, and little of it: the warden's start pays for every import.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable

from actorflow_supervisors.process_tree import PROCFS, children

RESCAN_SAMPLES = 4
"""Samples from one look for new children to the next."""

EXACT_SHARE = 0.1
"""Share of the time that exact measures of shared memory may take: they cost milliseconds a process."""

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class WatchedTree:
    """The memory of one process and what it starts, while it is watched.

    limit_bytes: the quota, None for none; it may change. peak_bytes: the most resident memory that a sample has seen.
    breached: it was above the quota.
    """

    def __init__(self, pid: int, limit_bytes: int | None, on_breach: Callable[[], None]) -> None:
        self.pid = pid
        self.limit_bytes = limit_bytes
        self.peak_bytes = 0
        self.breached = False
        self._on_breach = on_breach
        self._processes: dict[int, _Resident] = {}
        self._samples = 0
        self._exact_from_s = 0.0

    def sample(self, now_s: float) -> int:
        """Measure now; at the first breach calls `on_breach`. Returns bytes."""
        if self._samples % RESCAN_SAMPLES == 0:
            self.rescan()
        self._samples += 1
        used_bytes = self._resident_bytes()
        self.peak_bytes = max(self.peak_bytes, used_bytes)
        if self.limit_bytes is not None and used_bytes > self.limit_bytes and not self.breached:
            self._judge(self.limit_bytes, now_s)
        return used_bytes

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes that the next sample reads."""
        return tuple(self._processes)

    def rescan(self) -> None:
        """Look for what it has started."""
        for pid in _tree(self.pid):
            if pid not in self._processes:
                with contextlib.suppress(OSError):
                    self._processes[pid] = _Resident(pid)

    def close(self) -> None:
        for resident in self._processes.values():
            resident.close()
        self._processes.clear()

    def _judge(self, limit_bytes: int, now_s: float) -> None:
        pids = self.pids
        if PROCFS and sum(map(_own_bytes, pids)) <= limit_bytes:
            return
        if PROCFS and len(pids) > 1:
            if now_s < self._exact_from_s:
                return
            began_s = time.perf_counter()
            used_bytes = sum(map(_shared_once_bytes, pids))
            self._exact_from_s = now_s + (time.perf_counter() - began_s) / EXACT_SHARE
            if used_bytes <= limit_bytes:
                return
        self.breached = True
        self._on_breach()

    def _resident_bytes(self) -> int:
        total = 0
        for pid, resident in list(self._processes.items()):
            try:
                total += resident.bytes()
            except OSError:  # it has ended
                self._processes.pop(pid).close()
        return total


class _Resident:
    """Reads the resident memory of one process."""

    __slots__ = ("_fd", "pid")

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._fd = os.open(f"/proc/{pid}/statm", os.O_RDONLY) if PROCFS else -1

    def bytes(self) -> int:
        """Raises OSError once it has ended."""
        if self._fd >= 0:
            return int(os.pread(self._fd, 64, 0).split(None, 2)[1]) * _PAGE_BYTES
        import psutil

        try:
            return int(psutil.Process(self.pid).memory_info().rss)
        except psutil.Error as exc:
            raise ProcessLookupError(self.pid) from exc

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _tree(pid: int) -> list[int]:
    """`pid` and its descendants."""
    if not PROCFS:
        return _tree_by_psutil(pid)
    found = [pid]
    for parent in found:
        found.extend(children(parent))
    return found


def _tree_by_psutil(pid: int) -> list[int]:
    import psutil

    try:
        return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
    except psutil.Error:
        return [pid]


def _own_bytes(pid: int) -> int:
    """Anonymous and shared memory without file pages; a constant cost."""
    return _sum_of_fields(f"/proc/{pid}/status", (b"RssAnon:", b"RssShmem:"))


def _shared_once_bytes(pid: int) -> int:
    """The process's share of its memory: what n processes share counts 1/n in each. Costs about 15 us a MiB."""
    return _sum_of_fields(f"/proc/{pid}/smaps_rollup", (b"Pss_Anon:", b"Pss_Shmem:"))


def _sum_of_fields(path: str, names: tuple[bytes, ...]) -> int:
    try:
        with open(path, "rb") as file:
            return sum(int(line.split()[1]) * 1024 for line in file if line.startswith(names))
    except OSError:  # it has ended
        return 0
