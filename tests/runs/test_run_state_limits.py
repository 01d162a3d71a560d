"""Deadlines, queue timeouts and the timeout of a run, decided purely: time comes in, and what is over says why."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from actorflow.flows.graph import MemoryGrowth, RetryPolicy, Step
from actorflow.runs.events import AttemptFinished, AttemptStarted, RunCancelling, TaskFinished
from actorflow.runs.executor import Cause
from actorflow.runs.instructions import CancelAttempt, CheckLimits, CheckRunTime, Record, StartAttempt
from actorflow.runs.states import RunStatus, TaskState
from actorflow.runs.time_limit import DEADLINE, QUEUE_TIMEOUT, RUN_TIMEOUT
from actorflow_supervisors import Backoff
from tests.runs.driver import Driver
from tests.runs.graphs import cancelled, failing, mapped, ok, step

RETRY = RetryPolicy(attempts=9, backoff=Backoff(base_s=3.0, factor=1.0, jitter=0.0, immediate_first=False))


def limited(name: str, *upstream: str, **fields: Any) -> Step:
    return replace(step(name, *upstream), **fields)


def checks(driver: Driver) -> list[tuple[str, float]]:
    return [(said.step, said.delay_s) for said in driver.said if isinstance(said, CheckLimits)]


def ends(driver: Driver) -> list[TaskFinished]:
    return [said.event for said in driver.said if isinstance(said, Record) and isinstance(said.event, TaskFinished)]


# -- the deadline of an instance ----------------------------------------------------------------------------------


def test_a_deadline_counts_from_when_the_instance_could_first_start() -> None:
    driver = Driver(step("a"), limited("b", "a", deadline_s=5.0)).begin()

    driver.at(10.0).end("a", ok())

    assert checks(driver) == [("b", 5.0)]


def test_an_attempt_that_runs_beyond_the_deadline_is_ended_and_is_the_last() -> None:
    driver = Driver(limited("a", deadline_s=5.0, retry=RETRY)).begin()

    driver.at(5.0).limits("a")
    assert [said for said in driver.said if isinstance(said, CancelAttempt)] == [CancelAttempt("a", None, 1)]
    driver.end("a", cancelled())

    assert driver.finish is not None
    assert (driver.finish.status, driver.finish.cause) == (RunStatus.failed, Cause.timed_out)
    assert driver.finish.error is not None
    assert driver.finish.error.type == DEADLINE
    assert driver.finish.error.message == "a was not done within its deadline of 5s"


def test_a_result_that_comes_after_all_counts_although_the_deadline_is_over() -> None:
    driver = Driver(limited("a", deadline_s=5.0)).begin()

    driver.at(5.0).limits("a").end("a", ok())

    assert driver.finish is not None
    assert driver.finish.status is RunStatus.succeeded


def test_a_deadline_before_its_time_does_nothing_and_is_looked_at_again() -> None:
    driver = Driver(limited("a", deadline_s=5.0)).begin()

    driver.at(4.5).limits("a")

    assert ("a", None) in driver.running
    assert checks(driver) == [("a", 5.0), ("a", 0.5)]


def test_an_attempt_that_would_come_too_late_is_not_waited_for() -> None:
    driver = Driver(limited("a", deadline_s=5.0, retry=RETRY)).begin()

    driver.at(1.0).end("a", failing()).at(4.0).retry("a").end("a", failing())

    (end,) = ends(driver)
    assert (end.state, end.cause) == (TaskState.failed, Cause.timed_out)
    assert end.error is not None
    assert end.error.message == (
        "a cannot be done within its deadline of 5s: its next attempt would come too late, after ValueError: no"
    )
    assert driver.finish is not None


def test_a_deadline_that_is_over_while_a_retry_waits_ends_the_instance() -> None:
    driver = Driver(limited("a", deadline_s=5.0, retry=RETRY)).begin()
    driver.at(1.0).end("a", failing())

    driver.at(5.0).limits("a").retry("a")

    assert [event.state for event in ends(driver)] == [TaskState.failed]
    assert driver.started == [("a", None)]
    assert driver.finish is not None


# -- the time an instance may wait for its turn -------------------------------------------------------------------


def test_instances_that_wait_too_long_for_their_turn_fail_and_the_one_that_runs_does_not() -> None:
    driver = Driver(_mapped_waiting(3), slots=1).begin()

    driver.at(2.0).limits("m")

    assert [(event.map_index, event.cause) for event in ends(driver)] == [(1, Cause.timed_out), (2, Cause.timed_out)]
    error = ends(driver)[0].error
    assert error is not None
    assert (error.type, error.message) == (
        QUEUE_TIMEOUT,
        "m[1] waited for its turn longer than its queue_timeout of 2s",
    )
    driver.end("m", ok(), 0)
    assert len(driver.started) == 1
    assert driver.finish is not None


def _mapped_waiting(width: int) -> Step:
    return replace(mapped("m", list(range(width))), queue_timeout_s=2.0)


def test_an_attempt_that_starts_knows_what_is_left_of_its_wait() -> None:
    driver = Driver(_mapped_waiting(2), slots=1).begin()

    driver.at(1.5).end("m", ok(), 0)

    starts = [said.attempt for said in driver.said if isinstance(said, StartAttempt)]
    assert [(start.queue_timeout_s, start.queue_left_s) for start in starts] == [(2.0, 2.0), (2.0, 0.5)]


def test_the_wait_for_a_turn_begins_anew_with_each_attempt() -> None:
    driver = Driver(limited("a", queue_timeout_s=2.0, retry=RETRY), slots=1).begin()
    driver.at(1.0).end("a", failing()).at(50.0).retry("a")

    starts = [said.attempt for said in driver.said if isinstance(said, StartAttempt)]
    assert [start.queue_left_s for start in starts] == [2.0, 2.0]


# -- the run as a whole -------------------------------------------------------------------------------------------


def test_a_run_that_takes_too_long_ends_what_runs_and_fails_by_its_timeout() -> None:
    driver = Driver(step("a"), step("b", "a"), timeout=60).begin()
    assert [said.delay_s for said in driver.said if isinstance(said, CheckRunTime)] == [60.0]

    driver.at(60.0).run_time().end("a", cancelled())

    events = [said.event for said in driver.said if isinstance(said, Record)]
    assert RunCancelling("its timeout of 1m", Cause.timed_out) in events
    assert driver.finish is not None
    assert (driver.finish.status, driver.finish.cause) == (RunStatus.failed, Cause.timed_out)
    assert driver.finish.error is not None
    assert (driver.finish.error.type, driver.finish.error.message) == (
        RUN_TIMEOUT,
        "the run was not over within its timeout of 1m",
    )


def test_a_run_that_is_over_in_time_has_nothing_to_fear() -> None:
    driver = Driver(step("a"), timeout=60).begin().end("a", ok())

    assert driver.at(60.0).run_time().finish is not None
    assert driver.finish is not None
    assert driver.finish.status is RunStatus.succeeded


# -- pauses -------------------------------------------------------------------------------------------------------


def statuses(driver: Driver) -> list[str]:
    named = ("RunPausing", "RunPaused", "RunResumed")
    return [
        type(said.event).__name__
        for said in driver.said
        if isinstance(said, Record) and type(said.event).__name__ in named
    ]


def test_while_a_run_is_paused_nothing_starts_and_what_runs_ends_by_itself() -> None:
    driver = Driver(step("a"), step("b", "a"), step("c")).begin()

    driver.pause().end("a", ok())
    assert driver.status() is RunStatus.pausing
    driver.end("c", ok())

    assert driver.status() is RunStatus.paused
    assert driver.started == [("a", None), ("c", None)]
    driver.resume()
    assert driver.started[-1] == ("b", None)
    assert driver.end("b", ok()).finish is not None
    assert statuses(driver) == ["RunPausing", "RunPaused", "RunResumed"]


def test_a_run_of_which_nothing_runs_is_paused_at_once_and_a_retry_waits_for_it() -> None:
    driver = Driver(limited("a", retry=RETRY)).begin().end("a", failing())

    driver.pause().retry("a")

    assert driver.status() is RunStatus.paused
    assert len(driver.started) == 1
    assert len(driver.resume().started) == 2


def test_a_pause_that_takes_back_what_runs_spends_nothing_of_any_budget() -> None:
    driver = Driver(limited("a", retry=RetryPolicy(attempts=1))).begin()

    driver.pause(now=True).end("a", cancelled())
    assert driver.status() is RunStatus.paused
    driver.resume().end("a", ok())

    assert driver.finish is not None
    assert driver.finish.status is RunStatus.succeeded
    events = [said.event for said in driver.said if isinstance(said, Record)]
    finished = [event for event in events if isinstance(event, AttemptFinished)]
    assert [(event.attempt, event.final) for event in finished] == [(1, False), (2, True)]


def test_an_attempt_that_ends_well_while_it_is_taken_back_counts() -> None:
    driver = Driver(step("a"), step("b", "a")).begin()

    driver.pause(now=True).end("a", ok()).resume()

    assert driver.started == [("a", None), ("b", None)]


def test_a_second_pause_may_be_the_one_that_takes_back() -> None:
    driver = Driver(step("a")).begin().pause()

    driver.pause(now=True)

    assert [said for said in driver.said if isinstance(said, CancelAttempt)] == [CancelAttempt("a", None, 1)]


@pytest.mark.parametrize("now", [False, True])
def test_a_run_is_resumed_before_it_was_paused(now: bool) -> None:
    driver = Driver(step("a"), step("b", "a")).begin().pause(now=now).resume()

    driver.end("a", cancelled() if now else ok())

    assert len(driver.started) == 2
    assert driver.status() is RunStatus.running


def test_a_paused_run_is_cancelled_at_once() -> None:
    driver = Driver(step("a"), step("b", "a")).begin().pause().end("a", ok())

    driver.take(driver.state.cancel("enough"))

    assert driver.finish is not None
    assert driver.finish.status is RunStatus.cancelled
    assert driver.unstarted_ends() == {("b", None): TaskState.cancelled}


def test_a_cancel_ends_what_a_pause_takes_back_for_good() -> None:
    driver = Driver(step("a")).begin().pause(now=True)

    driver.take(driver.state.cancel("enough"))
    driver.end("a", cancelled())

    assert driver.finish is not None
    assert driver.finish.status is RunStatus.cancelled


def test_a_run_that_ends_while_it_is_pausing_has_ended() -> None:
    driver = Driver(step("a")).begin().pause().end("a", ok())

    assert driver.finish is not None
    assert driver.finish.status is RunStatus.succeeded


def test_a_pause_counts_against_no_limit() -> None:
    driver = Driver(limited("a", deadline_s=5.0), step("b"), timeout=60).begin().pause()

    driver.at(1_000.0).limits("a").run_time().resume()

    assert driver.finish is None
    assert checks(driver)[-1] == ("a", 5.0)
    assert [said.delay_s for said in driver.said if isinstance(said, CheckRunTime)] == [60.0, 60.0]
    driver.at(1_004.0).limits("a")
    assert ("a", None) in driver.running


def test_a_pause_of_a_run_that_does_not_go_on_changes_nothing() -> None:
    driver = Driver(step("a")).begin()
    driver.take(driver.state.cancel("enough"))

    assert driver.state.pause("x", now_s=0.0) == []
    assert driver.state.resume("x", now_s=0.0) == []


# -- memory that grows --------------------------------------------------------------------------------------------


def test_a_quota_grows_only_after_attempts_that_ran_out_and_the_journal_has_each() -> None:
    growing = limited("a", executor="async", memory_bytes=100, memory_growth=MemoryGrowth(), retry=RETRY)
    driver = Driver(growing, quotas=True).begin()

    for cause in (Cause.error, Cause.out_of_memory, Cause.error):
        driver.end("a", failing(cause)).retry("a")

    events = [said.event for said in driver.said if isinstance(said, Record)]
    quotas = [event.memory_bytes for event in events if isinstance(event, AttemptStarted)]
    starts = [said.attempt.memory_bytes for said in driver.said if isinstance(said, StartAttempt)]
    assert quotas == starts == [100, 100, 200, 200]
