"""Warden memory: when a tree is measured next, and what is said about it.

A poll, since the system offers no event for resident memory: every 50 ms while a tree has a quota or grows, more and
more rarely where neither is so, never where nobody wants to know. Where the kernel takes a limit from us, it holds the
quota beside that (`warden_cgroup`).
"""

from __future__ import annotations

import contextlib

from actorflow_supervisors.memory_tree import WatchedTree

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing itself is not worth its import
    from actorflow_supervisors.warden_cgroup import Groups, Leaf

INTERVAL_S = 0.05
"""Seconds between two samples of a tree that has a quota, or whose memory changes."""

IDLE_INTERVAL_S = 1.0
"""Seconds between two samples of a tree without a quota, in the end."""

NEWS_BYTES = 1 << 20
"""A change that is worth telling."""


def next_interval_s(last_s: float, *, has_quota: bool, moved: bool) -> float:
    """Seconds to the next sample, `last_s` after the one before."""
    if has_quota or moved:
        return INTERVAL_S
    return min(2 * last_s, IDLE_INTERVAL_S)


class TreeMemory:
    """The memory of one tree.

    groups: where it may get one of the kernel's, under its number there. due_s: when to sample next, None for never.
    quota_bytes: None for none. last_bytes: of the last sample. peak_bytes: the most since the quota was set.
    """

    def __init__(self, pid: int, groups: Groups, number: int) -> None:
        self.pid = pid
        self._groups = groups
        self._number = number
        self._leaf: Leaf | None = None
        self.due_s: float | None = None
        self.quota_bytes: int | None = None
        self.last_bytes = 0
        self._interval_s = INTERVAL_S
        self._told_bytes = 0
        self._tree: WatchedTree | None = None
        self._ended = False

    @property
    def is_breached(self) -> bool:
        """The last sample was above the quota that counts now."""
        return self._tree is not None and self._tree.breached

    @property
    def was_killed(self) -> bool:
        """The kernel has killed it for its quota."""
        return self._leaf is not None and self._leaf.has_killed

    @property
    def peak_bytes(self) -> int:
        sampled = 0 if self._tree is None else self._tree.peak_bytes
        return max(sampled, self._leaf.peak_bytes) if self.was_killed and self._leaf is not None else sampled

    def watch(self, now_s: float) -> None:
        """Measure from now on, with a quota or without."""
        if self._tree is None and not self._ended:
            self._tree = WatchedTree(self.pid, self.quota_bytes, _nothing)
            self.due_s = now_s

    def limit(self, quota_bytes: int | None, now_s: float) -> None:
        """Another quota, or none, from now on."""
        self.quota_bytes = quota_bytes
        self.watch(now_s)
        if self._tree is not None and not self._ended:
            self._tree.limit_bytes = quota_bytes
            self._tree.peak_bytes = 0
            self._tree.breached = False
            self._interval_s = INTERVAL_S
            self.due_s = now_s
            self._hold(self._tree)

    def _hold(self, tree: WatchedTree) -> None:
        """Have the kernel hold the quota, too, where it does that for us."""
        if self._leaf is None:
            if self.quota_bytes is not None:
                tree.rescan()
                self._leaf = self._groups.leaf(self._number, self.quota_bytes, tree.pids)
            return
        with contextlib.suppress(OSError):
            self._leaf.hold(self.quota_bytes)

    def kill(self) -> None:
        """End what the kernel holds for it, at once."""
        if self._leaf is not None:
            self._leaf.kill()

    def sample(self, now_s: float) -> bool:
        """Measure if that is due; True where the quota is exceeded then."""
        if self._tree is None or self.due_s is None or now_s < self.due_s:
            return False
        before_bytes, self.last_bytes = self.last_bytes, self._tree.sample(now_s)
        moved = abs(self.last_bytes - before_bytes) >= NEWS_BYTES
        self._interval_s = next_interval_s(self._interval_s, has_quota=self.quota_bytes is not None, moved=moved)
        self.due_s = now_s + self._interval_s
        return self._tree.breached

    def has_news(self) -> bool:
        """Whether the last sample differs from what was told; it counts as told then."""
        if abs(self.last_bytes - self._told_bytes) < NEWS_BYTES:
            return False
        self._told_bytes = self.last_bytes
        return True

    def end(self) -> None:
        """Nothing is to be measured any more; what was seen stays."""
        self._ended = True
        self.due_s = None
        if self._tree is not None:
            self._tree.close()

    def close(self) -> None:
        """Nothing is left of it."""
        self.end()
        if self._leaf is not None:
            self._groups.forget(self._leaf)
            self._leaf = None


def _nothing() -> None:
    """A breach is asked for, not told."""
