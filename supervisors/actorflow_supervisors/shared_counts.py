"""Shared counts: a few numbers in memory that two processes have in common, and that outlives either of them."""

from __future__ import annotations

import mmap
import os


class SharedCounts:
    """Numbers from 0 to 2**64 - 1, by position; each is read and written whole, none together with another.

    counts: all of them, for whoever sets some for every message.
    """

    def __init__(self, fd: int) -> None:
        """fd: of `new_file`; stays the caller's."""
        self._map = mmap.mmap(fd, mmap.PAGESIZE)
        self.counts = memoryview(self._map).cast("Q")

    @staticmethod
    def new_file() -> int:
        """A descriptor of zeroed shared memory, for `SharedCounts` here and there."""
        fd = os.memfd_create("actorflow-counts") if hasattr(os, "memfd_create") else _unlinked_file()
        os.ftruncate(fd, mmap.PAGESIZE)
        return fd

    def __getitem__(self, position: int) -> int:
        return self.counts[position]

    def __setitem__(self, position: int, count: int) -> None:
        self.counts[position] = count

    def close(self) -> None:
        self.counts.release()
        self._map.close()


def settle_writes() -> None:
    """What this process wrote is seen by all others before it reads on: a call of the system takes long enough."""
    os.getppid()


def _unlinked_file() -> int:
    """Where the system has no anonymous files."""
    import tempfile

    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
