"""Expiries: until when each of many instances may take, where all of them may take equally long.

Whoever was put in first expires first, so a look at the head is enough, and one timer serves a map of any width.
"""

from __future__ import annotations

from collections.abc import Iterable


class Expiries:
    """Seconds of a monotonic clock by index. limit_s: how long each may take from when it is put in."""

    __slots__ = ("_expires_s", "limit_s")

    def __init__(self, limit_s: float) -> None:
        self.limit_s = limit_s
        self._expires_s: dict[int, float] = {}

    def put(self, indices: Iterable[int], now_s: float) -> None:
        """Their time begins now, or goes on where it has begun."""
        expires_s = now_s + self.limit_s
        for index in indices:
            self._expires_s.setdefault(index, expires_s)

    def drop(self, index: int) -> float | None:
        """It counts no more; when it would have expired, None if it did not count."""
        return self._expires_s.pop(index, None)

    def at(self, index: int) -> float | None:
        """When it expires; None if it does not count."""
        return self._expires_s.get(index)

    def next_s(self) -> float | None:
        """When the first one expires; None where nobody counts."""
        return next(iter(self._expires_s.values()), None)

    def due(self, now_s: float) -> list[int]:
        """Take out those whose time is over."""
        over: list[int] = []
        for index, expires_s in self._expires_s.items():
            if expires_s > now_s:
                break
            over.append(index)
        for index in over:
            del self._expires_s[index]
        return over

    def shift(self, by_s: float) -> None:
        """Give everyone that much more: time during which nothing may start counts against nobody."""
        for index in self._expires_s:
            self._expires_s[index] += by_s
