"""Memory backstop: a hard limit of one process behind the quota of its tree, for what no sampling sees coming."""

from __future__ import annotations

import contextlib
import resource

FACTOR = 1.5
"""Times its quota that one process may have as private writable memory, before it is refused more."""


def backstop_bytes(quota_bytes: int, data_bytes: int, anonymous_bytes: int) -> int:
    """The limit of private writable memory that serves a quota of resident memory.

    data_bytes: what the process has of it now; anonymous_bytes: what of that is resident. The rest is address space
    that was set aside and never touched, a thread's stack say: it is allowed on top.
    """
    return int(FACTOR * quota_bytes) + max(0, data_bytes - anonymous_bytes)


class Backstop:
    """Of one process of ours that has not been reaped; does nothing where the system has no such limit.

    Set from outside, so that it holds before the process is told what it is for. Only the soft limit moves, so that it
    can move back; what the process starts inherits it. Source: setrlimit(2), RLIMIT_DATA.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._own: tuple[int, int] | None = None

    def serve(self, quota_bytes: int | None) -> None:
        """Refuse memory above what serves this quota; None: only what the process was refused at its start."""
        if (quota_bytes is None and self._own is None) or not hasattr(resource, "prlimit"):
            return
        with contextlib.suppress(OSError, ValueError):  # it has ended, or may not be limited by us
            if self._own is None:
                self._own = resource.prlimit(self.pid, resource.RLIMIT_DATA)
            soft, hard = self._own
            if quota_bytes is not None:
                soft = _lower(soft, backstop_bytes(quota_bytes, *_data_and_anonymous(self.pid)))
            resource.prlimit(self.pid, resource.RLIMIT_DATA, (soft, hard))


def _lower(limit: int, other: int) -> int:
    return other if limit == resource.RLIM_INFINITY else min(limit, other)


def _data_and_anonymous(pid: int) -> tuple[int, int]:
    """Private writable memory, and resident anonymous memory, in bytes. Source: proc(5), VmData and RssAnon."""
    found = {b"VmData:": 0, b"RssAnon:": 0}
    with open(f"/proc/{pid}/status", "rb") as file:
        for line in file:
            name, _, rest = line.partition(b"\t")
            if name in found:
                found[name] = int(rest.split()[0]) * 1024
    return found[b"VmData:"], found[b"RssAnon:"]
