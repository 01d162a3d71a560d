"""The counts of a worker's line, at every possible interleaving of what its two sides do."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from itertools import combinations

import pytest

from actorflow.runs import worker_line
from actorflow.runs.worker_line import OwnerSide, WorkerSide
from actorflow_supervisors.shared_counts import SharedCounts


class Turns:
    """Lets two threads take their steps in a given order; a step is one access to the counts."""

    def __init__(self, order: list[str]) -> None:
        self._order = order
        self._changed = threading.Condition()

    def take(self) -> None:
        me = threading.current_thread().name
        with self._changed:
            self._changed.wait_for(lambda: not self._order or self._order[0] == me or me not in self._order)
            if self._order and self._order[0] == me:
                self._order.pop(0)
            self._changed.notify_all()

    def leave(self) -> None:
        """This thread takes no more steps."""
        me = threading.current_thread().name
        with self._changed:
            self._order[:] = [name for name in self._order if name != me]
            self._changed.notify_all()


class SteppedCounts(SharedCounts):
    """Counts whose every access waits for its turn."""

    def __init__(self, fd: int, turns: Turns) -> None:
        super().__init__(fd)
        self._turns = turns

    def __getitem__(self, position: int) -> int:
        self._turns.take()
        return super().__getitem__(position)

    def __setitem__(self, position: int, count: int) -> None:
        self._turns.take()
        super().__setitem__(position, count)


@contextmanager
def shared() -> Generator[int]:
    fd = SharedCounts.new_file()
    try:
        yield fd
    finally:
        os.close(fd)


def played(
    order: list[str], owner: Callable[[OwnerSide], None], worker: Callable[[WorkerSide], None], *, begun: int = 0
) -> None:
    """Both sides at work at once, their accesses in that order; what is left of either comes after.

    begun: what the worker was at before.
    """
    turns = Turns(list(order))
    with shared() as fd:
        counts = SteppedCounts(fd, turns)
        WorkerSide(counts, is_captured=False).begin(begun)  # in this thread, which waits for no turn

        def run(side: Callable[[], None]) -> None:
            try:
                side()
            finally:
                turns.leave()

        threads = [
            threading.Thread(target=run, args=(lambda: owner(OwnerSide(counts)),), name="owner"),
            threading.Thread(target=run, args=(lambda: worker(WorkerSide(counts, is_captured=False)),), name="worker"),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        counts.close()


def orders(owner: int, worker: int) -> list[list[str]]:
    """Every way to merge so many steps of each."""
    total = owner + worker
    return [
        ["owner" if step in chosen else "worker" for step in range(total)]
        for chosen in map(set, combinations(range(total), owner))
    ]


@pytest.mark.parametrize("first", [1, 2, 3])
def test_a_withdrawn_request_is_seen_as_begun_or_does_not_run(first: int) -> None:
    for order in orders(4, 8):
        ran: list[int] = []
        begun: list[int] = []

        def owner(side: OwnerSide) -> None:
            begun.append(side.withdraw(first, 3, more=False))  # noqa: B023 - played before the next order

        def worker(side: WorkerSide) -> None:
            ran.extend(number for number in (1, 2, 3) if side.begin(number))  # noqa: B023

        played(order, owner, worker)

        assert all(number in ran for number in range(1, first)), (order, ran)
        # Whatever the owner takes for not begun did not run; of the one begun last it may be either.
        assert all(number <= begun[0] for number in ran if number >= first), (order, ran, begun)


def test_the_worker_does_not_go_over_to_the_next_request_while_its_output_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worker_line, "_READING_POLL_S", 0)
    for order in orders(6, 4):
        running: list[int] = [1]
        seen: list[tuple[int, int]] = []

        def owner(side: OwnerSide) -> None:
            number = side.begin_reading()
            _ = side.begun  # a step, as long as the reading takes
            seen.append((number, running[-1]))  # noqa: B023 - what is read now was written by whoever runs now
            side.end_reading(0)

        def worker(side: WorkerSide) -> None:
            side.begin(2)
            running.append(2)  # noqa: B023

        played(order, owner, worker, begun=1)

        attributed, at_work = seen[0]
        assert attributed >= at_work, (order, seen)


def test_a_request_withdrawn_on_top_of_others_does_not_run_either() -> None:
    with shared() as fd:
        counts = SharedCounts(fd)
        owner, worker = OwnerSide(counts), WorkerSide(counts, is_captured=False)
        assert worker.begin(1)
        assert owner.withdraw(4, 5, more=False) == 1
        assert owner.withdraw(2, 5, more=True) == 1
        assert [worker.begin(number) for number in (2, 3, 4, 5, 6)] == [False, False, False, False, True]
        assert owner.withdraw(8, 9, more=False) == 6
        assert [worker.begin(number) for number in (7, 8, 9, 10)] == [True, False, False, True]
        owner.close()


def test_closed_it_still_knows_how_far_the_worker_had_come() -> None:
    with shared() as fd:
        counts = SharedCounts(fd)
        owner = OwnerSide(counts)
        WorkerSide(counts, is_captured=False).begin(7)
        owner.close()
        owner.close()

    assert (owner.begun, owner.begin_reading(), owner.withdraw(8, 9, more=False)) == (7, 7, 7)
    owner.end_reading(3)


@pytest.mark.parametrize("is_captured", [True, False])
def test_what_was_printed_is_noticed_in_the_pipe_and_after_it_was_read(
    capfd: pytest.CaptureFixture[str], is_captured: bool
) -> None:
    reading, writing = os.pipe()
    kept = [os.dup(1), os.dup(2)]
    with shared() as fd:
        counts = SharedCounts(fd)
        owner, worker = OwnerSide(counts), WorkerSide(counts, is_captured=is_captured)
        for descriptor in (1, 2):
            os.dup2(writing, descriptor)
        try:
            worker.begin(1)
            silent = worker.has_printed()
            os.write(1, b"said")
            in_pipe = worker.has_printed()
            assert owner.begin_reading() == 1
            said = os.read(reading, 10)
            being_read = worker.has_printed()
            owner.end_reading(len(said))
            read = worker.has_printed()
            worker.begin(2)
            next_one = worker.has_printed()
        finally:
            for descriptor, original in zip((1, 2), kept, strict=True):
                os.dup2(original, descriptor)
                os.close(original)
            os.close(reading)
            os.close(writing)
        owner.close()

    assert (silent, in_pipe, being_read, read, next_one) == (False, *[is_captured] * 3, False)
