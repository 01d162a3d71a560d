"""The journal: takes the events of one run in order, and tells when they are on disk.

`append` only queues. `write` commits whatever has gathered as one group, in a worker thread, one group at a time. A
group that nobody waits for gathers for a moment; `synced`, `room` and `close` end that moment at once, so nothing ever
waits for a tick. Observers and `synced` hear of a row only after its group is on disk.

A failed write is final: an fsync that failed once says nothing when it is repeated. Everyone who waits is told, all
later events are dropped and counted, and what was acknowledged before stays readable.
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

from actorflow.runs.event_rows import Row, encode_row
from actorflow.runs.events import Event, Record
from actorflow.runs.run_log import RunLog
from actorflow.runs.store_errors import JournalFailed, StoreError
from actorflow.runs.tally import Tally, tally_of
from actorflow_supervisors.loop import Waiter, current_seam

MAX_QUEUED_EVENTS: Final = 10_000
MAX_QUEUED_BYTES: Final = 64 * 1024 * 1024
CLOSE_GRACE_S: Final = 30.0
LINGER_S: Final = 0.005
"""How long a group gathers that nobody waits for: a commit costs a hop to a thread and an fsync, whatever its size."""
FULL_GROUP: Final = 1_000
"""Events at which a group is worth a commit at once."""

Observer = Callable[[Sequence[Record]], None]
"""Called in the loop with each group, after it is on disk; returns at once."""

logger = logging.getLogger("actorflow.runs")


class _Group:
    """Rows that are committed together."""

    __slots__ = ("records", "rows", "size_bytes")

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.records: list[Record] = []
        self.size_bytes = 0


class Journal:
    """The owner's side of one run's journal. Used from one loop; opened by a RunStore.

    max_queued_events, max_queued_bytes: how much may wait for the disk before `room` waits.
    dropped_events counts what came after a failure, observer_failures the observers that raised and were let go.
    """

    def __init__(
        self,
        log: RunLog,
        *,
        max_queued_events: int = MAX_QUEUED_EVENTS,
        max_queued_bytes: int = MAX_QUEUED_BYTES,
        now: Callable[[], float] = time.time,
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
        self._tally = tally_of(log.run_id, log.rows()) if log.last_seq else Tally(log.run_id)
        self._observers: list[Observer] = []
        self._awaiting_sync: list[tuple[int, int, Waiter]] = []
        self._awaiting_room: list[Waiter] = []
        self._awaiting_writer: list[Waiter] = []
        self._order = itertools.count()
        self._work: Waiter | None = None
        self._lingering: Waiter | None = None
        self._limiter: anyio.CapacityLimiter | None = None
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
        row = encode_row(ts, event)
        self._last_seq = seq = self._last_seq + 1
        if self._failure is not None:
            self.dropped_events += 1
            return seq
        group = self._gathering
        group.rows.append((seq, row))
        group.size_bytes += len(row)
        if self._observers:
            group.records.append(Record(seq, ts, event))
        self._tally.apply(ts, event)
        if self._work is not None:
            self._work.wake()
            self._work = None
        if len(group.rows) == FULL_GROUP:
            self._hurry()
        return seq

    def subscribe(self, observer: Observer) -> None:
        """Call `observer` with every group from now on. One that raises is logged and called no more."""
        self._observers.append(observer)

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
                self._work = current_seam().waiter()
                await self._work.wait()
        finally:
            self._writing = False
            self._work = None
            _wake(self._awaiting_writer)

    async def synced(self, seq: int) -> None:
        """Return once row `seq` is on disk; raises StoreError if it will never be."""
        while seq > self._synced_seq:
            self._check()
            waiter = current_seam().waiter()
            heapq.heappush(self._awaiting_sync, (seq, next(self._order), waiter))
            self._hurry()
            await waiter.wait()

    async def room(self) -> None:
        """Return once fewer events wait for the disk than may; at once after a failure, since none wait any more."""
        while self._is_full():
            waiter = current_seam().waiter()
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
            self._fail(JournalFailed(self.path, f"not closed within {grace_s:g} s", help))
            self._closed = True
        if self._failure is not None:
            raise self._failure.with_traceback(None)

    # -- commits --------------------------------------------------------------------------------------------------

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
        self._lingering = current_seam().waiter()
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
        try:
            await self._off_loop(self._log.write, group.rows)
        except StoreError as exc:
            self._fail(exc)
            raise
        self._committing = None
        self._synced_seq = group.rows[-1][0]
        self._publish(group.records)
        while self._awaiting_sync and self._awaiting_sync[0][0] <= self._synced_seq:
            heapq.heappop(self._awaiting_sync)[2].wake()
        if self._awaiting_room and not self._is_full():
            _wake(self._awaiting_room)

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
            waiter = current_seam().waiter()
            self._awaiting_writer.append(waiter)
            await waiter.wait()
        try:
            if self._failure is None:
                await self._drain()
            await self._off_loop(self._log.close, None if self._failure is not None else self._tally.summary())
        except StoreError as exc:
            self._fail(exc)
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

    # -- state ----------------------------------------------------------------------------------------------------

    def _is_full(self) -> bool:
        if self._failure is not None:
            return False
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


def _wake(waiters: list[Waiter]) -> None:
    """Wake all of them, and forget them."""
    for waiter in waiters:
        waiter.wake()
    waiters.clear()
