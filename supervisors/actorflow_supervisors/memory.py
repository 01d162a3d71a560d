"""Memory: the resident memory of process trees, watched against quotas.

A poll, since the system offers no event for it: every `interval_s` while anything is watched, one short read for each
process on a descriptor kept open. Children are looked for more rarely.

What counts against a quota: the resident memory of the tree. Where that exceeds it, a second, dearer look leaves out
file pages, which the kernel takes back by itself, and counts what forked processes share once, so that only memory that
is really used is blamed.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import anyio

from actorflow_supervisors.errors import SupervisorError
from actorflow_supervisors.memory_tree import WatchedTree

INTERVAL_S = 0.05


class MemoryQuotaExceeded(SupervisorError):
    """A process tree used more memory than its quota, or wanted to.

    limit_bytes: the quota. peak_bytes: the most that was seen. refused: the hard limit behind the quota refused one
    process more, before the quota was seen to be exceeded.
    """

    def __init__(self, limit_bytes: int, peak_bytes: int, *, refused: bool = False) -> None:
        limit, peak = mebibytes(limit_bytes), mebibytes(peak_bytes)
        what = f"used {peak} of memory, its quota is {limit}"
        if refused:
            what = f"was refused more memory by the hard limit behind its quota of {limit}, having used {peak}"
        super().__init__(f"{what}; raise the quota, or work on smaller pieces")
        self.limit_bytes = limit_bytes
        self.peak_bytes = peak_bytes
        self.refused = refused


def mebibytes(count: int) -> str:
    """A number of bytes for people: `256 MiB`, `0.5 MiB`."""
    whole, rest = divmod(count, 1 << 20)
    return f"{count / (1 << 20):,.1f} MiB" if rest or not whole else f"{whole:,} MiB"


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
