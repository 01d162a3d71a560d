"""Work on the side, behind a bounded queue."""

from __future__ import annotations

import logging
import threading

import pytest

from actorflow.telemetry.follower import Follower


def test_what_is_fed_is_worked_on_in_order() -> None:
    done: list[int] = []
    follower = Follower("t", done.extend, max_queued=100, batch=7)

    for start in range(0, 60, 3):
        follower.feed(range(start, start + 3))

    assert follower.close()
    assert done == list(range(60))
    assert follower.dropped == 0


def test_a_follower_that_hangs_holds_up_nobody_and_counts_what_it_left() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def hang(items: list[int]) -> None:
        begun.set()
        go_on.wait()

    follower = Follower("t", hang, max_queued=5, batch=1)
    follower.feed([1])
    begun.wait()
    follower.feed(range(10))

    assert not follower.close(quiet_s=0.01)
    assert follower.dropped == 11
    go_on.set()


def test_slow_work_is_waited_for_as_long_as_it_gets_on() -> None:
    done: list[int] = []
    follower = Follower("t", done.extend, max_queued=100, batch=1)
    follower.feed(range(50))

    assert follower.close(quiet_s=5, at_most_s=60)
    assert len(done) == 50


def test_what_a_failing_work_was_given_is_counted_and_the_rest_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    done: list[int] = []

    def work(items: list[int]) -> None:
        if 3 in items:
            raise ValueError("not this")
        done.extend(items)

    follower = Follower("t", work, max_queued=100, batch=1)
    with caplog.at_level(logging.ERROR, "actorflow.telemetry"):
        follower.feed(range(6))
        follower.close()

    assert done == [0, 1, 2, 4, 5]
    assert follower.failed == 1
    assert "lost 1 items" in caplog.text


def test_what_comes_after_the_end_is_counted_as_dropped() -> None:
    follower: Follower[int] = Follower("t", lambda _: None, max_queued=100, batch=1)
    follower.close()

    follower.feed([1, 2])

    assert follower.dropped == 2
