"""What waits to be written to a socket: bounded in bytes, joined when small, never copied when large."""

from __future__ import annotations

import socket
from collections import deque
from itertools import islice

LARGE_BYTES = 16 * 1024
"""From here on, a body is written from where it lies; below, joining is cheaper."""

JOIN_BYTES = 256 * 1024
"""Bytes of small frames joined into one write."""

MAX_PARTS = 32
"""Parts written in one call."""

ITEM_OVERHEAD_BYTES = 64
"""What a queued frame weighs beside its body, so that many tiny ones are bounded too."""


class Outbox:
    """Frames in the order they were put."""

    def __init__(self, *, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.has_lost = False
        self.is_empty = True
        self._parts: deque[tuple[bytes | memoryview, int]] = deque()  # what to write, and what it weighs
        self._small: list[bytes] = []  # heads and bodies behind all parts, not joined yet
        self._small_bytes = 0
        self._small_weight = 0
        self._weight = 0

    @property
    def is_half_empty(self) -> bool:
        return self._weight * 2 <= self.max_bytes

    def has_room(self, body_bytes: int) -> bool:
        """Whether a body fits; any fits into an empty box."""
        return self.is_empty or self._weight + body_bytes + ITEM_OVERHEAD_BYTES <= self.max_bytes

    def put(self, head: bytes, body: bytes) -> None:
        size = len(body)
        weight = size + ITEM_OVERHEAD_BYTES
        self.is_empty = False
        self._weight += weight
        if size >= LARGE_BYTES:
            self._join_small()
            self._parts.append((head, ITEM_OVERHEAD_BYTES))
            self._parts.append((memoryview(body), size))
            return
        self._small += (head, body)
        self._small_weight += weight
        self._small_bytes += len(head) + size
        if self._small_bytes >= JOIN_BYTES:
            self._join_small()

    def drop(self) -> None:
        """Forget what was not written."""
        self.has_lost = self.has_lost or not self.is_empty
        self._parts.clear()
        self._small = []
        self._small_bytes = self._small_weight = self._weight = 0
        self.is_empty = True

    def send_to(self, sock: socket.socket) -> None:
        """Write once as much as the socket takes; raises BlockingIOError if that is nothing, and OSError."""
        self._join_small()
        parts = self._parts
        if len(parts) == 1:
            sent = sock.send(parts[0][0])
        else:
            sent = sock.sendmsg([part for part, _ in islice(parts, MAX_PARTS)])
        while sent:
            sent = self._advance(sent)
        self.is_empty = not parts

    def _join_small(self) -> None:
        """Make one part of the small ones behind the others."""
        if self._small:
            self._parts.append((b"".join(self._small), self._small_weight))
            self._small = []
            self._small_bytes = self._small_weight = 0

    def _advance(self, sent: int) -> int:
        """Take `sent` bytes off the first part; returns those that belong to the next one."""
        part, weight = self._parts.popleft()
        if sent >= len(part):
            self._weight -= weight
            return sent - len(part)
        self._parts.appendleft((memoryview(part)[sent:], weight))
        return 0
