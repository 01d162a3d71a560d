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
        self._parts: deque[tuple[bytes | memoryview, int]] = deque()  # what to write, and what it weighs
        self._weight = 0

    @property
    def is_empty(self) -> bool:
        return not self._parts

    @property
    def is_half_empty(self) -> bool:
        return self._weight * 2 <= self.max_bytes

    def has_room(self, body_bytes: int) -> bool:
        """Whether a body fits; any fits into an empty box."""
        return not self._parts or self._weight + body_bytes + ITEM_OVERHEAD_BYTES <= self.max_bytes

    def put(self, head: bytes, body: bytes) -> None:
        if len(body) < LARGE_BYTES:
            weight = len(body) + ITEM_OVERHEAD_BYTES
            self._parts.append((head + body, weight))
            self._weight += weight
        else:
            self._parts.append((head, ITEM_OVERHEAD_BYTES))
            self._parts.append((memoryview(body), len(body)))
            self._weight += len(body) + ITEM_OVERHEAD_BYTES

    def drop(self) -> None:
        """Forget what was not written."""
        self.has_lost = self.has_lost or bool(self._parts)
        self._parts.clear()
        self._weight = 0

    def send_to(self, sock: socket.socket) -> None:
        """Write once as much as the socket takes; raises BlockingIOError if that is nothing, and OSError."""
        self._join_small()
        if len(self._parts) == 1:
            sent = sock.send(self._parts[0][0])
        else:
            sent = sock.sendmsg([part for part, _ in islice(self._parts, MAX_PARTS)])
        while sent:
            sent = self._advance(sent)

    def _join_small(self) -> None:
        """Make one part of the small ones at the front."""
        parts = self._parts
        small: list[bytes | memoryview] = []
        size = weight = 0
        while parts and len(parts[0][0]) < LARGE_BYTES and size < JOIN_BYTES:
            part, part_weight = parts.popleft()
            small.append(part)
            size += len(part)
            weight += part_weight
        if small:
            parts.appendleft((small[0] if len(small) == 1 else b"".join(small), weight))

    def _advance(self, sent: int) -> int:
        """Take `sent` bytes off the first part; returns those that belong to the next one."""
        part, weight = self._parts.popleft()
        if sent >= len(part):
            self._weight -= weight
            return sent - len(part)
        self._parts.appendleft((memoryview(part)[sent:], weight))
        return 0
