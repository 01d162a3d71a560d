"""Attempts handed over ahead of their turn: only of steps that take little time, and of instances not tried before."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from actorflow.flows.graph import RetryPolicy
from actorflow.runs.executor import Cause
from actorflow.runs.lines import QUICK_S
from actorflow.runs.states import RunStatus
from tests.runs.driver import Driver
from tests.runs.graphs import failing, mapped, ok, step

QUICK = replace(ok(1), took_s=QUICK_S / 10)
SLOW = replace(ok(1), took_s=QUICK_S * 50)


def wide(count: int = 50, *, retry: RetryPolicy | None = None, **limits: Any) -> Driver:
    return Driver(mapped("m", list(range(count)), retry=retry), slots=2, ahead=5, **limits).begin()


def test_nothing_goes_ahead_before_it_is_known_to_be_quick() -> None:
    driver = wide()
    assert len(driver.running) == 2

    driver.end("m", ok(1), 0)  # where it ran, nobody measured

    assert len(driver.running) == 2


def test_a_quick_step_has_more_under_way_than_there_are_slots() -> None:
    driver = wide().end("m", QUICK, 0)

    assert driver.started == [("m", index) for index in range(8)]
    assert len(driver.running) == 7


def test_a_step_that_becomes_slow_goes_ahead_no_more() -> None:
    driver = wide().end("m", QUICK, 0).end("m", SLOW, 1)
    assert len(driver.running) == 6, "nothing new started"

    for index in range(2, 6):
        driver.end("m", SLOW, index)

    assert len(driver.running) == 2


def test_a_slow_step_does_not_go_ahead_beside_a_quick_one() -> None:
    driver = Driver(step("first"), mapped("m", [1, 2, 3, 4], "first"), slots=1, ahead=5).begin()

    driver.end("first", QUICK)

    assert len(driver.running) == 1, "of m nothing is known"


def test_an_instance_that_was_tried_before_waits_for_a_slot() -> None:
    driver = wide(retry=RetryPolicy(attempts=2)).end("m", replace(failing(), took_s=QUICK_S / 10), 0)
    for index in range(1, 50):
        driver.end("m", QUICK, index)
    assert driver.running == {}

    driver.retry("m", 0)

    assert driver.running == {("m", 0): 2}


def test_where_the_run_has_limits_nothing_goes_ahead() -> None:
    driver = wide(max_cpus=2.0).end("m", QUICK, 0)

    assert len(driver.running) == 2


@given(took=st.lists(st.sampled_from([None, QUICK_S / 10, QUICK_S * 50]), min_size=30, max_size=30))
def test_whatever_they_take_each_runs_once_and_never_too_many(took: list[float | None]) -> None:
    driver = Driver(mapped("m", list(range(30))), slots=2, ahead=5, result="m").begin()
    for took_s in took:
        assert len(driver.running) <= 7
        name, index = next(iter(driver.running))
        driver.end(name, replace(ok(index), took_s=took_s), index)

    assert sorted(driver.started) == [("m", index) for index in range(30)]
    assert driver.finish is not None
    assert driver.finish.status is RunStatus.succeeded


def test_a_cancelled_run_ends_what_went_ahead_too() -> None:
    driver = wide().end("m", QUICK, 0)
    driver.take(driver.state.cancel("enough"))

    assert driver.status() is RunStatus.cancelling
    for name, index in list(driver.running):
        driver.end(name, replace(ok(), took_s=None), index)
    assert driver.finish is not None
    assert driver.finish.cause is Cause.cancelled
