"""The journal: append never waits, groups form while the disk works, and a failure is told to everyone."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

import anyio
import anyio.to_thread
import pytest
from anyio.lowlevel import checkpoint

from actorflow.runs import journal as journal_module
from actorflow.runs.event_rows import Row
from actorflow.runs.events import Record, RunCancelling
from actorflow.runs.journal import Journal
from actorflow.runs.memory_log import MemoryLog
from actorflow.runs.run_log import LargeRow
from actorflow.runs.store_errors import JournalFailed, StoreError, StoreFull
from actorflow.runs.tally import RunSummary
from actorflow.runs.values import Value

pytestmark = pytest.mark.anyio


class GatedLog(MemoryLog):
    """A log whose writes block, as a disk does, until each is let through."""

    blocks = True

    def __init__(self) -> None:
        super().__init__("r1")
        self.groups: list[list[int]] = []
        self.at_the_gate = threading.Semaphore(0)
        self.gate = threading.Semaphore(0)
        self.busy = 0
        self.most_at_once = 0

    def write(self, rows: Sequence[Row | LargeRow], released: Sequence[Value] = ()) -> None:
        self.busy += 1
        self.most_at_once = max(self.most_at_once, self.busy)
        self.at_the_gate.release()
        self.gate.acquire()
        self.groups.append([row[0] for row in rows])
        super().write(rows)
        self.busy -= 1

    async def arrived(self) -> None:
        """A group stands at the gate."""
        await anyio.to_thread.run_sync(self.at_the_gate.acquire)

    def let_through(self, groups: int = 1) -> None:
        self.gate.release(groups)


class BrokenLog(MemoryLog):
    """A log that takes `sound` groups, and then fails."""

    def __init__(self, sound: int = 0) -> None:
        super().__init__("r1")
        self.sound = sound
        self.tries = 0

    def write(self, rows: Sequence[Row | LargeRow], released: Sequence[Value] = ()) -> None:
        self.tries += 1
        if self.tries > self.sound:
            raise JournalFailed(self.path, "cannot be written: disk I/O error (SQLITE_IOERR)", "check the disk")
        super().write(rows)


class GatedBroken(BrokenLog):
    """Fails in a thread, as a disk does."""

    blocks = True


class UnclosableLog(MemoryLog):
    def close(self, summary: RunSummary | None) -> None:
        super().close(summary)
        raise JournalFailed(self.path, "was removed during the run", "what the run did is not recorded")


def event(number: int = 0) -> RunCancelling:
    return RunCancelling(f"event {number}")


async def test_append_before_the_writer_runs_is_kept_for_it() -> None:
    log = MemoryLog("r1")
    journal = Journal(log)
    journal.append(event(1))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(journal.write)
        await journal.synced(1)
        await journal.close()

    assert log.last_seq == 1


async def test_what_gathers_during_a_commit_is_the_next_group() -> None:
    log = GatedLog()
    journal = Journal(log)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(journal.write)
        journal.append(event())
        await log.arrived()
        for _ in range(5):
            journal.append(event())
        log.let_through()
        await log.arrived()
        log.let_through()
        await journal.synced(6)
        await journal.close()

    assert log.groups == [[1], [2, 3, 4, 5, 6]]
    assert log.most_at_once == 1


class Gathering:
    """A journal whose groups gather until somebody waits for them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, max_queued_events: int = 10_000) -> None:
        monkeypatch.setattr(journal_module, "LINGER_S", 1e9)
        self.log = MemoryLog("r1")
        self.journal = Journal(self.log, max_queued_events=max_queued_events)

    async def append(self, count: int = 1) -> int:
        """Appends so many events, and lets the writer do what it would without anyone who waits."""
        for _ in range(count):
            self.journal.append(event())
        await anyio.wait_all_tasks_blocked()
        return self.log.last_seq


async def test_a_group_gathers_until_somebody_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    gathering = Gathering(monkeypatch)
    journal = gathering.journal

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(journal.write)
        assert await gathering.append(2) == 0
        await journal.synced(1)
        assert gathering.log.last_seq == 2
        await journal.close()


async def test_a_full_group_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    gathering = Gathering(monkeypatch)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(gathering.journal.write)
        assert await gathering.append(journal_module.FULL_GROUP - 1) == 0
        assert await gathering.append() == journal_module.FULL_GROUP
        await gathering.journal.close()


async def test_who_waits_for_room_ends_the_gathering(monkeypatch: pytest.MonkeyPatch) -> None:
    gathering = Gathering(monkeypatch, max_queued_events=1)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(gathering.journal.write)
        assert await gathering.append(2) == 0
        await gathering.journal.room()
        assert gathering.log.last_seq == 2
        await gathering.journal.close()


async def test_closing_ends_the_gathering(monkeypatch: pytest.MonkeyPatch) -> None:
    gathering = Gathering(monkeypatch)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(gathering.journal.write)
        assert await gathering.append() == 0
        await gathering.journal.close()

    assert gathering.log.last_seq == 1


async def test_observers_hear_of_a_group_that_nobody_waits_for() -> None:
    journal = Journal(MemoryLog("r1"))
    heard = anyio.Event()
    journal.subscribe(lambda _: heard.set())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(journal.write)
        journal.append(event())
        await heard.wait()
        await journal.close()


async def test_synced_waits_for_its_own_row_and_not_for_later_ones() -> None:
    log = GatedLog()
    journal = Journal(log)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(journal.write)
        first = journal.append(event())
        await log.arrived()
        second = journal.append(event())
        log.let_through()

        await journal.synced(first)

        assert journal.synced_seq == first < second
        assert journal.queued_events == 1
        log.let_through()
        await journal.close()


async def test_all_who_wait_for_one_row_are_woken() -> None:
    log = GatedLog()
    journal = Journal(log)
    woken: list[int] = []

    async def wait(seq: int) -> None:
        await journal.synced(seq)
        woken.append(seq)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(journal.write)
        async with anyio.create_task_group() as waiting:
            for seq in (3, 1, 2, 3, 1):
                waiting.start_soon(wait, seq)
            await anyio.wait_all_tasks_blocked()
            for _ in range(3):
                journal.append(event())
            log.let_through(3)
        await journal.close()

    assert sorted(woken) == [1, 1, 2, 3, 3]


async def test_a_waiter_that_is_cancelled_disturbs_no_other() -> None:
    log = GatedLog()
    journal = Journal(log)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(journal.write)
        async with anyio.create_task_group() as waiting:
            waiting.start_soon(journal.synced, 1)
            await anyio.wait_all_tasks_blocked()
            waiting.cancel_scope.cancel()
        journal.append(event())
        log.let_through()
        await journal.synced(1)
        await journal.close()


async def test_observers_hear_a_group_only_after_it_is_written() -> None:
    log = GatedLog()
    journal = Journal(log)
    heard: list[list[int]] = []
    journal.subscribe(lambda records: heard.append([record.seq for record in records]))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(journal.write)
        journal.append(event())
        await log.arrived()
        assert heard == []
        log.let_through()
        await journal.synced(1)
        assert heard == [[1]]
        await journal.close()


async def test_an_observer_that_raises_is_let_go_and_disturbs_no_other(caplog: pytest.LogCaptureFixture) -> None:
    journal = Journal(MemoryLog("r1"))
    heard: list[int] = []

    def broken(_: Sequence[Record]) -> None:
        raise ValueError("no more room on the screen")

    journal.subscribe(broken)
    journal.subscribe(lambda records: heard.extend(record.seq for record in records))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(journal.write)
        for number in (1, 2):
            await journal.synced(journal.append(event(number)))
        await journal.close()

    assert heard == [1, 2]
    assert journal.observer_failures == 1
    assert "an observer of run r1 failed" in caplog.text


async def test_room_waits_while_too_many_events_wait_for_the_disk() -> None:
    log = GatedLog()
    journal = Journal(log, max_queued_events=2)
    for _ in range(3):
        journal.append(event())
    entered = anyio.Event()

    async def wait() -> None:
        await journal.room()
        entered.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(journal.write)
        tasks.start_soon(wait)
        await log.arrived()
        assert not entered.is_set()
        log.let_through()
        await entered.wait()
        await journal.room()
        await journal.close()

    assert log.groups == [[1, 2, 3]]


async def test_room_waits_while_too_many_bytes_wait_for_the_disk() -> None:
    log = GatedLog()
    journal = Journal(log, max_queued_bytes=1000)
    journal.append(RunCancelling("x" * 2000))
    waited = anyio.Event()

    async def wait() -> None:
        await journal.room()
        waited.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        assert not waited.is_set()
        tasks.start_soon(journal.write)
        log.let_through()
        await waited.wait()
        await journal.close()


async def test_a_writer_that_is_cancelled_during_a_commit_loses_and_repeats_nothing() -> None:
    log = GatedLog()
    journal = Journal(log)
    heard: list[int] = []
    journal.subscribe(lambda records: heard.extend(record.seq for record in records))

    async with anyio.create_task_group() as first:
        first.start_soon(journal.write)
        journal.append(event(1))
        await log.arrived()
        first.cancel_scope.cancel()
    journal.append(event(2))
    log.let_through(3)
    async with anyio.create_task_group() as second:
        second.start_soon(journal.write)
        await journal.synced(2)
        await journal.close()

    assert [seq for seq, _ in log.rows()] == [1, 2]
    assert heard == [1, 2]


async def test_close_commits_what_a_cancelled_writer_left() -> None:
    log = GatedLog()
    journal = Journal(log)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(journal.write)
        journal.append(event())
        await log.arrived()
        tasks.cancel_scope.cancel()
    journal.append(event())
    log.let_through(3)
    await journal.close()

    assert [seq for seq, _ in log.rows()] == [1, 2]
    assert not log.owned


async def test_closing_under_cancellation_still_writes_everything() -> None:
    log = MemoryLog("r1")
    journal = Journal(log)
    journal.append(event())

    with anyio.CancelScope() as scope:
        scope.cancel()
        await journal.close()

    assert log.last_seq == 1
    assert not log.owned


async def test_a_disk_that_hangs_does_not_hold_up_closing_for_ever() -> None:
    log = GatedLog()
    journal = Journal(log)
    journal.append(event())

    with pytest.raises(JournalFailed, match=r"not closed within 0 s; look for a disk that hangs"):
        await journal.close(grace_s=0)

    assert isinstance(journal.failure, JournalFailed)
    log.let_through()


async def test_a_second_writer_is_refused_while_one_runs() -> None:
    journal = Journal(MemoryLog("r1"))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(journal.write)
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(RuntimeError, match="has its writer already"):
            await journal.write()
        await journal.close()


async def test_append_after_close_is_a_mistake_of_the_caller() -> None:
    journal = Journal(MemoryLog("r1"))
    await journal.close()
    await journal.close()

    with pytest.raises(RuntimeError, match="is closed"):
        journal.append(event())


async def test_a_failed_write_is_told_to_everyone_who_waits() -> None:
    log = GatedBroken()
    journal = Journal(log, max_queued_events=1)
    for _ in range(3):
        journal.append(event())
    told: list[str] = []

    async def write() -> None:
        with pytest.raises(JournalFailed):
            await journal.write()
        told.append("writer")

    async def synced(seq: int) -> None:
        with pytest.raises(JournalFailed, match=r"memory:r1: cannot be written: disk I/O error .*check the disk"):
            await journal.synced(seq)
        told.append("synced")

    async def room() -> None:
        await journal.room()
        told.append("room")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(synced, 1)
        tasks.start_soon(synced, 3)
        tasks.start_soon(room)
        await anyio.wait_all_tasks_blocked()
        tasks.start_soon(write)

    assert sorted(told) == ["room", "synced", "synced", "writer"]


async def test_after_a_failure_append_counts_what_it_drops_and_nothing_waits() -> None:
    journal = Journal(BrokenLog(sound=1), max_queued_events=1)
    failed: list[StoreError] = []

    async def write() -> None:
        try:
            await journal.write()
        except StoreError as exc:
            failed.append(exc)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(write)
        await journal.synced(journal.append(event()))
        journal.append(event())
    assert journal.dropped_events == 1

    assert [journal.append(event()) for _ in range(5)] == [3, 4, 5, 6, 7]
    await journal.room()
    await journal.synced(1)
    with pytest.raises(JournalFailed):
        await journal.synced(7)
    with pytest.raises(JournalFailed):
        await journal.write()
    with pytest.raises(JournalFailed):
        await journal.close()
    assert (journal.dropped_events, journal.synced_seq) == (6, 1)
    assert journal.failure is failed[0]


async def test_a_failure_is_never_tried_again_as_if_it_could_succeed() -> None:
    log = BrokenLog()
    journal = Journal(log)
    journal.append(event())

    for _ in range(2):
        with pytest.raises(JournalFailed):
            await journal.write()
    with pytest.raises(JournalFailed):
        await journal.close()

    assert log.tries == 1
    assert not log.owned


async def test_a_failure_of_the_closing_itself_is_raised() -> None:
    journal = Journal(UnclosableLog("r1"))

    with pytest.raises(JournalFailed, match="was removed during the run"):
        await journal.close()


async def test_events_are_stamped_with_the_clock_that_was_given() -> None:
    ticks: Iterator[float] = iter([10.0, 11.5])
    journal = Journal(MemoryLog("r1"), now=lambda: next(ticks))
    heard: list[float] = []
    journal.subscribe(lambda records: heard.extend(record.ts for record in records))

    journal.append(event())
    journal.append(event())
    await journal.close()

    assert heard == [10.0, 11.5]


async def test_a_journal_of_many_rows_is_written_whole() -> None:
    log = MemoryLog("r1")
    journal = Journal(log, max_queued_events=100)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(journal.write)
        for number in range(5_000):
            journal.append(event(number))
            if number % 64 == 0:
                await journal.room()
                await checkpoint()
        await journal.close()

    assert [seq for seq, _ in log.rows()] == list(range(1, 5_001))


# -- anchors, news, and a disk without room ---------------------------------------------------------------------------


class AnchoredLog(MemoryLog):
    """Notes when its anchor is set."""

    def __init__(self) -> None:
        super().__init__("r1")
        self.anchored: list[int] = []
        self.told = anyio.Event()

    def anchor(self, summary: RunSummary) -> None:
        self.anchored.append(self.last_seq)
        self.told.set()


async def test_an_anchor_is_set_once_it_is_due_and_not_again_before_something_is_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(journal_module, "ANCHOR_EVERY_S", 0.0)
    log = AnchoredLog()
    journal = Journal(log)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(journal.write)
        await journal.synced(journal.append(event()))
        await log.told.wait()
        await anyio.wait_all_tasks_blocked()
        assert log.anchored == [1]
        await journal.synced(journal.append(event()))
        await anyio.wait_all_tasks_blocked()
        await journal.close()

    assert log.anchored == [1, 2]


async def test_news_wait_for_a_later_row_and_hurry_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    gathering = Gathering(monkeypatch)
    journal = gathering.journal
    heard: list[int] = []

    async def listen() -> None:
        await journal.news(0)
        heard.append(journal.synced_seq)
        await journal.news(journal.synced_seq)
        heard.append(journal.synced_seq)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(journal.write)
        tasks.start_soon(listen)
        await gathering.append(3)
        assert heard == []
        await journal.synced(3)
        await anyio.wait_all_tasks_blocked()
        assert heard == [3]
        await journal.close()

    assert heard == [3, 3], "who waits is let go when the journal ends"


class FullLog(MemoryLog):
    """A log that finds no room for its first `tries` writes."""

    def __init__(self, tries: int) -> None:
        super().__init__("r1")
        self.left = tries

    def write(self, rows: Sequence[Row | LargeRow], released: Sequence[Value] = ()) -> None:
        if self.left:
            self.left -= 1
            raise StoreFull(self.path, "cannot be written: full (SQLITE_FULL)", "make room")
        super().write(rows, released)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "FIRST_RETRY_S", 0.0)
    monkeypatch.setattr(journal_module, "LAST_RETRY_S", 0.0)


@pytest.mark.usefixtures("at_once")
async def test_a_write_without_room_is_tried_again_and_nothing_is_lost() -> None:
    log = FullLog(tries=5)
    journal = Journal(log)
    told: list[bool] = []
    journal.subscribe_blocked(lambda error: told.append(error is not None))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(journal.write)
        await journal.synced(journal.append(event()))
        await journal.close()

    assert log.last_seq == 1
    assert told == [True, False]
    assert journal.blocked is None
    assert journal.dropped_events == 0


async def test_while_there_is_no_room_who_asks_for_room_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "FIRST_RETRY_S", 0.01)
    log = FullLog(tries=1 << 30)
    journal = Journal(log)
    blocked = anyio.Event()
    journal.subscribe_blocked(lambda error: blocked.set())
    let_through: list[str] = []

    async def ask() -> None:
        await journal.room()
        let_through.append("room")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(journal.write)
        journal.append(event())
        await blocked.wait()
        assert isinstance(journal.blocked, StoreFull)
        tasks.start_soon(ask)
        for _ in range(3):
            await checkpoint()
        assert let_through == []
        log.left = 0
        await journal.synced(1)
        await journal.close()

    assert let_through == ["room"]


async def test_a_close_that_waits_for_room_in_vain_says_what_it_waited_for() -> None:
    journal = Journal(FullLog(tries=1 << 30))
    journal.append(event())

    with pytest.raises(StoreFull, match="make room"):
        await journal.close(grace_s=0.0)


async def test_a_disk_that_stays_full_fails_the_journal_by_name() -> None:
    journal = Journal(FullLog(tries=1 << 30), full_limit_s=0.0)
    journal.append(event())

    with pytest.raises(StoreFull, match="make room"):
        await journal.write()
    with pytest.raises(StoreFull):
        await journal.close()

    assert journal.blocked is None
