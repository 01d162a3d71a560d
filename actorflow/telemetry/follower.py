"""A follower: does work on the side, in one thread, behind a bounded queue. Who feeds it never waits."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar

T = TypeVar("T")

QUIET_S: Final = 3.0
"""Seconds without progress after which an end is no longer waited for."""
AT_MOST_S: Final = 30.0

logger = logging.getLogger("actorflow.telemetry")


class Follower(Generic[T]):
    """Hands what it is fed to `work`, in order, as many at once as have gathered, up to `batch`.

    max_queued: what is beyond it is dropped, the newest first, and counted in `dropped`. A `work` that raises is logged
    and its batch counted in `failed`.
    """

    def __init__(
        self, name: str, work: Callable[[list[T]], None], *, max_queued: int, batch: int, gather_s: float = 0.0
    ) -> None:
        self.dropped = 0
        self.failed = 0
        self._work = work
        self._max_queued = max_queued
        self._batch = batch
        self._gather_s = gather_s
        self._queue: deque[T] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._finished = 0
        self._in_hand = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def queued(self) -> int:
        return len(self._queue)

    def feed(self, items: Sequence[T]) -> None:
        """Queue them; returns at once."""
        with self._changed:
            room = 0 if self._closing else max(self._max_queued - len(self._queue), 0)
            self._queue.extend(items[:room])
            self.dropped += len(items) - min(room, len(items))
            self._changed.notify()

    def close(self, *, quiet_s: float = QUIET_S, at_most_s: float = AT_MOST_S) -> bool:
        """Let it finish. False once it makes no progress for `quiet_s`; what is left is counted as dropped then."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        give_up_s = time.monotonic() + at_most_s
        while True:
            before = self._finished
            if self._ended.wait(min(quiet_s, max(give_up_s - time.monotonic(), 0.0))):
                return True
            if self._finished == before or time.monotonic() >= give_up_s:
                return self._give_up()

    def _give_up(self) -> bool:
        with self._changed:
            self.dropped += len(self._queue) + self._in_hand
            self._queue.clear()
        return self._ended.is_set()

    def _run(self) -> None:
        while True:
            items = self._next()
            if not items:
                self._ended.set()
                return
            try:
                self._work(items)
            except Exception:
                self.failed += len(items)
                logger.exception("%s lost %d items", self._thread.name, len(items))
            self._in_hand = 0
            self._finished += 1

    def _next(self) -> list[T]:
        """What has gathered; nothing at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._closing)
            if self._gather_s:
                full = self._batch
                self._changed.wait_for(lambda: len(self._queue) >= full or self._closing, self._gather_s)
            items = [self._queue.popleft() for _ in range(min(self._batch, len(self._queue)))]
            self._in_hand = len(items)
            return items
