"""Memory: the resident memory of process trees, watched against quotas.

A poll, since the system offers no event for it: every `interval_s` while anything is watched, one short read for each
process on a descriptor kept open. Children are looked for more rarely.

What counts against a quota: the resident memory of the tree. Where that exceeds it, a second, dearer look leaves out
file pages, which the kernel takes back by itself, and counts what forked processes share once, so that only memory that
is really used is blamed.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass

import anyio

from actorflow_supervisors.errors import SupervisorError
from actorflow_supervisors.process_tree import PROCFS

INTERVAL_S = 0.05
RESCAN_SAMPLES = 4
"""Samples from one look for new children to the next."""

EXACT_SHARE = 0.1
"""Share of the time that exact measures of shared memory may take: they cost milliseconds a process."""

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class MemoryQuotaExceeded(SupervisorError):
    """A process tree used more memory than its quota.

    limit_bytes: the quota. peak_bytes: the most that was seen.
    """

    def __init__(self, limit_bytes: int, peak_bytes: int) -> None:
        super().__init__(
            f"used {mebibytes(peak_bytes)} of memory, its quota is {mebibytes(limit_bytes)}; "
            "raise the quota, or work on smaller pieces"
        )
        self.limit_bytes = limit_bytes
        self.peak_bytes = peak_bytes


def mebibytes(count: int) -> str:
    """A number of bytes for people: `256 MiB`, `0.5 MiB`."""
    whole, rest = divmod(count, 1 << 20)
    return f"{count / (1 << 20):,.1f} MiB" if rest or not whole else f"{whole:,} MiB"


class WatchedTree:
    """The memory of one process and what it starts, while it is watched.

    peak_bytes: the most resident memory that a sample has seen. breached: it was above the quota.
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
            self._rescan()
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

    def _rescan(self) -> None:
        for pid in _tree(self.pid):
            if pid not in self._processes:
                with contextlib.suppress(OSError):
                    self._processes[pid] = _Resident(pid)


class MemoryWatch:
    """Samples all watched trees; one for a program is enough. `run` has to run meanwhile, as a supervised child."""

    def __init__(self, *, interval_s: float = INTERVAL_S) -> None:
        self.interval_s = interval_s
        self._trees: set[WatchedTree] = set()
        self._added = anyio.Event()

    def watch(self, pid: int, *, limit_bytes: int | None, on_breach: Callable[[], None]) -> WatchedTree:
        """Watch the tree of process `pid` from now on; above `limit_bytes`, `on_breach` is called once, to kill it."""
        tree = WatchedTree(pid, limit_bytes, on_breach)
        self._trees.add(tree)
        self._added.set()
        return tree

    def end(self, tree: WatchedTree) -> None:
        """Watch it no more; what it has seen stays in it."""
        self._trees.discard(tree)
        tree.close()

    async def run(self) -> None:
        """Until cancelled; asleep while nothing is watched."""
        try:
            while True:
                if not self._trees:
                    self._added = anyio.Event()
                    await self._added.wait()
                await anyio.sleep(self.interval_s)
                now_s = time.monotonic()
                for tree in tuple(self._trees):
                    if tree in self._trees:
                        tree.sample(now_s)
        finally:
            for tree in tuple(self._trees):
                self.end(tree)


@dataclass(slots=True)
class _Resident:
    """Reads the resident memory of one process."""

    pid: int
    _fd: int = -1

    def __post_init__(self) -> None:
        if PROCFS:
            self._fd = os.open(f"/proc/{self.pid}/statm", os.O_RDONLY)

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
        found.extend(_children(parent))
    return found


def _children(pid: int) -> list[int]:
    """The children of every thread of `pid`, proc(5); none of a process that has ended."""
    found: list[int] = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children", "rb", buffering=0) as file:
                found += map(int, file.read().split())
    except OSError:
        return found
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
