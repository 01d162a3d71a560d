"""Which instances of a map get spans of their own: all of a narrow one, of a wide one those that somebody looks for.

Trace viewers suffer from some 2,000 spans and fail at some 40,000 (jaegertracing/jaeger-ui issues 645, 562).

| instance of a wide map | spans of its own |
|---|---|
| failed | the first `max_failed` |
| retried, then not failed | the first `max_retried` |
| any other | the `slowest` slowest |

What has none is counted in the span of the whole map.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

from actorflow.telemetry.spans import SpanRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class MapLimits:
    """max_width: instances up to which a map is narrow."""

    max_width: int = 200
    slowest: int = 20
    max_failed: int = 100
    max_retried: int = 100

    def is_wide(self, width: int | None) -> bool:
        return width is not None and width > self.max_width


MAP_LIMITS = MapLimits()


class MapSample:
    """The choice for one wide map, instance by instance as they end."""

    def __init__(self, limits: MapLimits) -> None:
        self.omitted = 0
        self._limits = limits
        self._failed = 0
        self._retried = 0
        self._slowest: list[tuple[float, int, Sequence[SpanRecord]]] = []
        self._order = 0

    def offer(self, spans: Sequence[SpanRecord], seconds: float, *, failed: bool, retried: bool) -> list[SpanRecord]:
        """The spans of an instance that has ended; returns what can be exported now."""
        if failed and self._failed < self._limits.max_failed:
            self._failed += 1
            return list(spans)
        if retried and not failed and self._retried < self._limits.max_retried:
            self._retried += 1
            return list(spans)
        self._keep_if_slow(spans, seconds)
        return []

    def is_quick(self, seconds: float) -> bool:
        """True if an instance that neither failed nor was retried will not be shown for its duration."""
        return len(self._slowest) >= self._limits.slowest and (not self._slowest or seconds <= self._slowest[0][0])

    def rest(self) -> list[SpanRecord]:
        """The spans of the slowest, once all have ended."""
        kept, self._slowest = sorted(self._slowest, key=lambda one: one[1]), []
        return [span for _, _, spans in kept for span in spans]

    def omit(self, count: int) -> None:
        """Instances that ended without anything to show."""
        self.omitted += count

    def _keep_if_slow(self, spans: Sequence[SpanRecord], seconds: float) -> None:
        self._order += 1
        if len(self._slowest) < self._limits.slowest:
            heapq.heappush(self._slowest, (seconds, self._order, spans))
            return
        self.omitted += 1
        if self._slowest and seconds > self._slowest[0][0]:
            heapq.heapreplace(self._slowest, (seconds, self._order, spans))
