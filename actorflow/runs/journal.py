"""The journal: takes the events of one run in order, and tells when they are on disk.

`append` only queues. `write` commits whatever has gathered as one group, in a worker thread, one group at a time. A
group that nobody waits for gathers for a moment; `synced`, `room` and `close` end that moment at once, so nothing ever
waits for a tick. Observers and `synced` hear of a row only after its group is on disk.

A failed write is final: an fsync that failed once says nothing when it is repeated. Everyone who waits is told, all
later events are dropped and counted, and what was acknowledged before stays readable.

But for want of room on the disk nothing of the write was kept, so it is tried again, seldom, for a limited time. Until
then `blocked` says so and `room` waits: nothing starts, what ends waits in the bounded queues, nothing is lost.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import anyio
import anyio.to_thread

from actorflow.runs.event_rows import Row, decode_row, encode_row, has_large_value, values_of
from actorflow.runs.events import Event, Record, RunFinished
from actorflow.runs.run_log import LargeRow, RunLog
from actorflow.runs.store_errors import JournalFailed, StoreError
from actorflow.runs.tally import Tally
from actorflow.runs.value_readers import ValueReaders
from actorflow.runs.values import Value
from actorflow_supervisors.loop import Seam, Waiter, current_seam

MAX_QUEUED_EVENTS: Final = 10_000
MAX_QUEUED_BYTES: Final = 64 * 1024 * 1024
CLOSE_GRACE_S: Final = 30.0
LINGER_S: Final = 0.005
"""How long a group gathers that nobody waits for: a commit costs a hop to a thread and an fsync, whatever its size."""
FULL_GROUP: Final = 1_000
"""Events at which a group is worth a commit at once."""
ANCHOR_EVERY_S: Final = 1.0
FIRST_RETRY_S: Final = 0.1
LAST_RETRY_S: Final = 1.0
"""How long a full disk is left alone, twice as long each time: a poll, since no system tells when there is room."""
FULL_LIMIT_S: Final = 600.0

Observer = Callable[[Sequence[Record]], None]
"""Called in the loop with each group, after it is on disk; returns at once."""
BlockedObserver = Callable[[JournalFailed | None], None]
"""Called in the loop when there is no room on the disk any more, and with None when there is again."""

logger = logging.getLogger("actorflow.runs")


class _Group:
    """Rows that are committed together, and values that nobody reads once they are."""

    __slots__ = ("records", "released", "rows", "size_bytes")

    def __init__(self) -> None:
        self.rows: list[Row | LargeRow] = []
        self.released: list[Value] = []
        self.records: list[Record] = []
        self.size_bytes = 0


class Journal:
    """The owner's side of one run's journal. Used from one loop; opened by a RunStore.

    max_queued_events, max_queued_bytes: how much may wait for the disk before `room` waits. full_limit_s: how long a
    full disk is waited for before the journal fails.
    replayed: called with every event that is there already, in order.
    dropped_events counts what came after a failure, observer_failures the observers that raised and were let go.
    """

    def __init__(
        self,
        log: RunLog,
        *,
        max_queued_events: int = MAX_QUEUED_EVENTS,
        max_queued_bytes: int = MAX_QUEUED_BYTES,
        full_limit_s: float = FULL_LIMIT_S,
        now: Callable[[], float] = time.time,
        replayed: Callable[[Record], object] | None = None,
    ) -> None:
        self.run_id = log.run_id
        self.dropped_events = 0
        self.observer_failures = 0
        self._log = log
        self._now = now
        self._max_queued_events = max_queued_events
        self._max_queued_bytes = max_queued_bytes
        self._last_seq = self._synced_seq = log.last_seq
        self._gathering = _Group()
        self._committing: _Group | None = None
        self._full_limit_s = full_limit_s
        self._max_inline_bytes = log.max_inline_bytes
        self._tally = Tally(log.run_id)
        self._readers = None if log.keeps_read else ValueReaders(self._is_large)
        self._replay(replayed)
        self._blocked: JournalFailed | None = None
        self._blocked_observers: list[BlockedObserver] = []
        self._announced = False
        self._anchored_seq = log.last_seq
        self._anchored_s: float | None = None
        self._observers: list[Observer] = []
        self._awaiting_sync: list[tuple[int, int, Waiter]] = []
        self._awaiting_room: list[Waiter] = []
        self._awaiting_news: list[Waiter] = []
        self._awaiting_writer: list[Waiter] = []
        self._order = itertools.count()
        self._work: Waiter | None = None
        self._lingering: Waiter | None = None
        self._limiter: anyio.CapacityLimiter | None = None
        self._seam: Seam | None = None
        self._writing = False
        self._closing = False
        self._closed = False
        self._failure: StoreError | None = None

    @property
    def path(self) -> Path:
        """The journal's file; of a run in memory a name that no file has."""
        return self._log.path

    @property
    def last_seq(self) -> int:
        """Of the last event appended; 0 before the first."""
        return self._last_seq

    @property
    def synced_seq(self) -> int:
        """Of the last event on disk."""
        return self._synced_seq

    @property
    def failure(self) -> StoreError | None:
        """Why nothing can be written any more."""
        return self._failure

    @property
    def blocked(self) -> JournalFailed | None:
        """That there is no room on the disk, while it is waited for; None otherwise."""
        return self._blocked

    @property
    def queued_events(self) -> int:
        """How many events are not on disk yet."""
        return self._last_seq - self._synced_seq if self._failure is None else 0

    def append(self, event: Event) -> int:
        """Queue `event`; its seq. Never waits, and never raises for the disk: that is what `synced` is for.

        Raises EncodeError for a value that cannot be encoded; then nothing was queued.
        """
        if self._closed:
            raise RuntimeError(f"the journal of run {self.run_id} is closed")
        ts = self._now()
        row = self._row(self._last_seq + 1, ts, event)
        self._last_seq = seq = self._last_seq + 1
        if self._failure is not None:
            self.dropped_events += 1
            return seq
        group = self._gathering
        group.rows.append(row)
        group.size_bytes += len(row[1]) if not isinstance(row, LargeRow) else _size_of(row.event)
        if self._observers:
            group.records.append(Record(seq, ts, event))
        self._tally.apply(ts, event)
        if self._readers is not None:
            group.released += self._readers.apply(event)
        if self._work is not None:
            self._work.wake()
            self._work = None
        if len(group.rows) == FULL_GROUP:
            self._hurry()
        return seq

    def subscribe(self, observer: Observer) -> None:
        """Call `observer` with every group from now on. One that raises is logged and called no more."""
        self._observers.append(observer)

    def subscribe_blocked(self, observer: BlockedObserver) -> None:
        """Call `observer` whenever the disk is full, and when it is not any more; it must not raise."""
        self._blocked_observers.append(observer)

    async def write(self) -> None:
        """Commit what is appended until the journal is closed; run it as a supervised child.

        Cancelling it loses nothing: the next `write`, or `close`, takes up where it was. Raises StoreError.
        """
        if self._writing:
            raise RuntimeError(f"the journal of run {self.run_id} has its writer already")
        self._writing = True
        try:
            while True:
                await self._drain()
                if self._closing:
                    return
                await self._idle()
        finally:
            self._writing = False
            self._work = None
            _wake(self._awaiting_writer)

    async def synced(self, seq: int) -> None:
        """Return once row `seq` is on disk; raises StoreError if it will never be."""
        while seq > self._synced_seq:
            self._check()
            waiter = self._waiter()
            heapq.heappush(self._awaiting_sync, (seq, next(self._order), waiter))
            self._hurry()
            await waiter.wait()

    async def news(self, after: int) -> None:
        """Return once a row after `after` is on disk, or none will be any more; hurries nobody."""
        while self._synced_seq <= after and self._failure is None and not self._closed:
            waiter = self._waiter()
            self._awaiting_news.append(waiter)
            await waiter.wait()

    async def room(self) -> None:
        """Return once fewer events wait for the disk than may, and there is room on it; at once after a failure."""
        while self._is_full():
            waiter = self._waiter()
            self._awaiting_room.append(waiter)
            self._hurry()
            await waiter.wait()

    async def close(self, *, grace_s: float = CLOSE_GRACE_S) -> None:
        """Everything appended is on disk, the head of the chain is stored and the file is let go; again does nothing.

        Not to be cancelled, but bounded: raises JournalFailed when the disk takes longer than `grace_s`, and the
        StoreError of an earlier failure, after letting go of the file.
        """
        if self._closed:
            return
        self._closing = True
        with anyio.CancelScope(shield=True, deadline=anyio.current_time() + grace_s) as scope:
            await self._finish()
        if scope.cancelled_caught:
            help = "look for a disk that hangs; what was acknowledged is in the file"
            self._fail(self._blocked or JournalFailed(self.path, f"not closed within {grace_s:g} s", help))
            self._closed = True
        _wake(self._awaiting_news)
        if self._failure is not None:
            raise self._failure.with_traceback(None)

    # -- commits --------------------------------------------------------------------------------------------------

    def _row(self, seq: int, ts: float, event: Event) -> Row | LargeRow:
        if self._max_inline_bytes is not None and has_large_value(event, self._max_inline_bytes):
            if isinstance(event, RunFinished) and event.result is not None:
                event.result.hold()  # it is asked for after the run, when its store may be gone
            return LargeRow(seq, ts, event)
        return seq, encode_row(ts, event)

    def _is_large(self, value: Value) -> bool:
        return value.is_spilled or value.size_bytes > (self._max_inline_bytes or 0)

    def _replay(self, replayed: Callable[[Record], object] | None) -> None:
        """What the tally and the readers of values know of the rows that are there."""
        if not self._last_seq:
            return
        for seq, data in self._log.rows():
            ts, event = decode_row(data, seq, self._log.values)
            self._tally.apply(ts, event)
            if self._readers is not None:
                self._readers.apply(event)
            if replayed is not None:
                replayed(Record(seq, ts, event))

    async def _idle(self) -> None:
        """Wait for an event to write, and meanwhile for the anchor to be due."""
        self._work = self._waiter()
        if self._anchored_seq == self._synced_seq:
            await self._work.wait()
            return
        with anyio.move_on_at(self._anchor_due_s()):
            await self._work.wait()
        self._work = None
        await self._anchor_if_due()

    def _anchor_due_s(self) -> float:
        if self._anchored_s is None:
            self._anchored_s = anyio.current_time()
        return self._anchored_s + ANCHOR_EVERY_S

    async def _anchor_if_due(self) -> None:
        if self._anchored_seq == self._synced_seq or anyio.current_time() < self._anchor_due_s():
            return
        self._anchored_s = anyio.current_time()
        seq = self._synced_seq
        try:
            await self._off_loop(self._log.anchor, self._tally.summary())
        except StoreError as exc:
            logger.warning("the anchor of run %s could not be set: %s", self.run_id, exc)
        self._anchored_seq = seq

    async def _drain(self) -> None:
        self._check()
        while self._committing is not None or self._gathering.rows:
            await self._linger()
            await self._commit()

    async def _linger(self) -> None:
        """Let the group gather, unless somebody waits for it or it is large enough."""
        urgent = self._closing or self._awaiting_sync or self._awaiting_room or self._committing is not None
        if urgent or len(self._gathering.rows) >= FULL_GROUP:
            return
        self._lingering = self._waiter()
        try:
            with anyio.move_on_after(LINGER_S):
                await self._lingering.wait()
        finally:
            self._lingering = None

    def _hurry(self) -> None:
        if self._lingering is not None:
            self._lingering.wake()

    async def _commit(self) -> None:
        """Bring one group to disk. A group that an ended writer left behind is committed first; the log passes over
        what is there already."""
        group = self._committing
        if group is None:
            group, self._gathering = self._gathering, _Group()
            self._committing = group
        await self._persist(self._log.write, group.rows, group.released)
        self._committing = None
        self._synced_seq = group.rows[-1][0]
        self._publish(group.records)
        _wake(self._awaiting_news)
        while self._awaiting_sync and self._awaiting_sync[0][0] <= self._synced_seq:
            heapq.heappop(self._awaiting_sync)[2].wake()
        if self._awaiting_room and not self._is_full():
            _wake(self._awaiting_room)
        if not self._announced:
            self._announced = True
            await self._off_loop(self._log.announce, self._tally.summary())
        await self._anchor_if_due()

    async def _persist(self, call: Callable[..., None], *args: object) -> None:
        """Call it off the loop; again and again while there is no room, up to the limit. Raises StoreError."""
        since_s = anyio.current_time()
        retry_s = FIRST_RETRY_S
        while True:
            try:
                await self._off_loop(call, *args)
            except StoreError as exc:
                left_s = since_s + self._full_limit_s - anyio.current_time()
                if not (isinstance(exc, JournalFailed) and exc.may_pass) or left_s <= 0:
                    self._block(None)
                    self._fail(exc)
                    raise
                self._block(exc)
                await anyio.sleep(min(retry_s, left_s))
                retry_s = min(2 * retry_s, LAST_RETRY_S)
            else:
                self._block(None)
                return

    def _block(self, error: JournalFailed | None) -> None:
        was, self._blocked = self._blocked, error
        if (was is None) == (error is None):
            return
        if error is not None:
            logger.warning("store full: run %s starts nothing until there is room: %s", self.run_id, error)
        elif not self._is_full():
            _wake(self._awaiting_room)
        for observer in self._blocked_observers:
            observer(error)

    async def _off_loop(self, call: Callable[..., None], *args: object) -> None:
        if not self._log.blocks:
            call(*args)
            return
        if self._limiter is None:
            self._limiter = anyio.CapacityLimiter(1)
        await anyio.to_thread.run_sync(call, *args, abandon_on_cancel=True, limiter=self._limiter)

    async def _finish(self) -> None:
        self._hurry()
        while self._writing:
            if self._work is not None:
                self._work.wake()
                self._work = None
            waiter = self._waiter()
            self._awaiting_writer.append(waiter)
            await waiter.wait()
        try:
            if self._failure is None:
                await self._drain()
            if self._failure is None:
                await self._persist(self._log.close, self._tally.summary())
        except StoreError as exc:
            self._fail(exc)
        if self._failure is not None:
            await self._off_loop(self._log.close, None)
        self._closed = True

    def _publish(self, records: Sequence[Record]) -> None:
        if not records:
            return
        for observer in tuple(self._observers):
            try:
                observer(records)
            except Exception:
                self.observer_failures += 1
                self._observers.remove(observer)
                logger.exception("an observer of run %s failed and is called no more", self.run_id)

    def _waiter(self) -> Waiter:
        if self._seam is None:
            self._seam = current_seam()
        return self._seam.waiter()

    # -- state ----------------------------------------------------------------------------------------------------

    def _is_full(self) -> bool:
        if self._failure is not None:
            return False
        if self._blocked is not None:
            return True
        held = self._gathering.size_bytes + (0 if self._committing is None else self._committing.size_bytes)
        return self.queued_events > self._max_queued_events or held > self._max_queued_bytes

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure.with_traceback(None)

    def _fail(self, error: StoreError) -> None:
        if self._failure is not None:
            return
        self._failure = error
        self.dropped_events += self._last_seq - self._synced_seq
        self._gathering = _Group()
        self._committing = None
        _wake([waiter for _, _, waiter in self._awaiting_sync])
        self._awaiting_sync.clear()
        _wake(self._awaiting_room)
        _wake(self._awaiting_news)


def _size_of(event: Event) -> int:
    """What memory its values take that are not on disk yet."""
    return sum(value.held_bytes for value in values_of(event))


def _wake(waiters: list[Waiter]) -> None:
    """Wake all of them, and forget them."""
    for waiter in waiters:
        waiter.wake()
    waiters.clear()
