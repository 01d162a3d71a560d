"""A worker's line: how far it is with the requests that were sent ahead, counted in memory shared with its owner.

| count       | written by | is                                                                       |
|-------------|------------|--------------------------------------------------------------------------|
| `begun`     | worker     | the number of the last request that it looked at                         |
| `skip_from` | owner      | the first request that it shall not run any more; 0 for none             |
| `skip_to`   | owner      | the last of them                                                         |
| `drained`   | owner      | bytes that were read of what it printed                                  |
| `reading`   | owner      | 1 while somebody reads what it printed                                   |

Each side writes what it is about to do before it looks at what the other does. So of a request that is taken back,
either the owner sees that it was begun, or the worker sees that it shall not run; and what was printed is never read
while the worker goes over to the next request.
"""

from __future__ import annotations

import fcntl
import sys
import termios
import time
from typing import Final

from actorflow_supervisors.shared_counts import SharedCounts, settle_writes

_BEGUN: Final = 0
_SKIP_FROM: Final = 1
_SKIP_TO: Final = 2
_DRAINED: Final = 3
_READING: Final = 4

_READING_POLL_S: Final = 0.0001
"""How long a worker leaves its owner to read what it printed before it looks again; seldom needed."""


class OwnerSide:
    """What the owner does with the counts. Closed, it goes on saying how far the worker had come."""

    def __init__(self, counts: SharedCounts) -> None:
        self._counts: SharedCounts | None = counts
        self._last_begun = 0

    @property
    def begun(self) -> int:
        return self._last_begun if self._counts is None else self._counts[_BEGUN]

    def withdraw(self, first: int, last: int, *, more: bool) -> int:
        """Have requests `first` to `last` not run, as far as they were not begun; returns which one was begun last.

        That one, if it is among them, may run or not; those before it are over, those after it never run.
        more: requests up to `last` are withdrawn already, and not all answered.
        """
        counts = self._counts
        if counts is None:
            return self._last_begun
        if not more:
            counts[_SKIP_FROM] = 0  # so that no number before `first` looks withdrawn in between
            counts[_SKIP_TO] = last
        if not more or first < counts[_SKIP_FROM]:
            counts[_SKIP_FROM] = first
        settle_writes()
        return counts[_BEGUN]

    def begin_reading(self) -> int:
        """The request whose output is in the pipes, until `end_reading`."""
        if self._counts is None:
            return self._last_begun
        self._counts[_READING] = 1
        settle_writes()
        return self._counts[_BEGUN]

    def end_reading(self, count: int) -> None:
        """count: bytes that were read."""
        if self._counts is not None:
            self._counts[_DRAINED] += count
            self._counts[_READING] = 0

    def close(self) -> None:
        """Again does nothing."""
        if self._counts is not None:
            self._last_begun = self._counts[_BEGUN]
            self._counts.close()
            self._counts = None


class WorkerSide:
    """What the worker does with the counts."""

    def __init__(self, counts: SharedCounts, *, is_captured: bool) -> None:
        """is_captured: somebody reads what it prints."""
        self._counts = counts
        self._is_captured = is_captured
        self._drained = 0

    def begin(self, number: int) -> bool:
        """True if request `number` shall run; from here on what is printed is its own."""
        counts = self._counts
        counts[_BEGUN] = number
        settle_writes()
        while counts[_READING]:
            time.sleep(_READING_POLL_S)  # in a worker, which has no loop: the owner's thread is reading just now
        self._drained = counts[_DRAINED]
        first = counts[_SKIP_FROM]
        return not (first and first <= number <= counts[_SKIP_TO])

    def has_printed(self) -> bool:
        """True unless it is certain that nothing was printed since `begin`."""
        if not self._is_captured:
            return False
        try:
            if _unread_bytes(1) or _unread_bytes(2):
                return True
        except OSError:
            return True  # the task has closed it, or put something else in its place
        return bool(self._counts[_READING]) or self._counts[_DRAINED] != self._drained


def _unread_bytes(descriptor: int) -> int:
    """Source: ioctl_tty(2), FIONREAD; pipes answer it at either end."""
    return int.from_bytes(fcntl.ioctl(descriptor, termios.FIONREAD, b"\0\0\0\0"), sys.byteorder)
