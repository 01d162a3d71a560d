"""What a failure does: to the run as a whole, to what comes after it, and to what has to be tidied up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from actorflow.flows.graph import RetryPolicy, Step, TriggerRule
from actorflow.runs.events import Event, RunCancelling, RunFinished, RunStarted, TaskFinished
from actorflow.runs.executor import Cause
from actorflow.runs.instructions import CancelAttempt, Record, StartAttempt
from actorflow.runs.restore import past_of
from actorflow.runs.states import RunStatus, TaskState
from actorflow_supervisors import Backoff
from tests.runs.driver import Driver
from tests.runs.graphs import cancelled, failing, mapped, ok, step
from tests.runs.test_restore import records

BAD, FINE = "bad", "fine"
HEADER = RunStarted(run_id="r1", dag="d", file="d.py", module="d")


def cleanup(name: str, *upstream: str, **options: Any) -> Step:
    return replace(step(name, *upstream, rule=TriggerRule.always, **options), cleanup=True)


def after_failure(**flags: Any) -> Step:
    return replace(step(BAD), **flags)


# (the steps beside `bad`, its flags, what the run is)
OUTCOMES: dict[str, tuple[list[Step], dict[str, bool], RunStatus]] = {
    "a leaf that failed": ([], {}, RunStatus.failed),
    "a leaf whose failure is allowed": ([], {"allow_failure": True}, RunStatus.succeeded),
    "a leaf that was not run for want of it": ([step("after", BAD)], {}, RunStatus.failed),
    "a leaf that ran, its failure being allowed": (
        [step("after", BAD)],
        {"allow_failure": True},
        RunStatus.succeeded,
    ),
    "a leaf that took the failure": ([step("on_failure", BAD, rule=TriggerRule.one_failed)], {}, RunStatus.succeeded),
    "a critical step whose failure was taken": (
        [step("on_failure", BAD, rule=TriggerRule.one_failed)],
        {"critical": True},
        RunStatus.failed,
    ),
    "a failure that a rule passed over": (
        [step(FINE), step("if_all_fail", BAD, FINE, rule=TriggerRule.all_failed)],
        {},
        RunStatus.failed,
    ),
    "a cleanup that succeeded after it": ([cleanup("tidy", BAD)], {}, RunStatus.failed),
    "another leaf": ([step(FINE)], {}, RunStatus.failed),
}


@pytest.mark.parametrize("case", OUTCOMES)
def test_the_run_ends_as_its_leaves_and_critical_steps_do(case: str) -> None:
    others, flags, status = OUTCOMES[case]
    driver = Driver(after_failure(**flags), *others).begin()

    driver.end(BAD, failing()).end_all()

    assert driver.status() is status
    assert driver.state._stages[BAD].state(0) is TaskState.failed
    finish = driver.finish
    assert finish is not None
    if status is RunStatus.failed:
        assert (finish.failed_step, finish.cause) == (BAD, Cause.error)


def test_a_step_that_the_result_needs_fails_the_run_whoever_took_its_failure() -> None:
    steps = [after_failure(), step("on_failure", BAD, rule=TriggerRule.one_failed)]
    driver = Driver(*steps, result=BAD).begin()

    driver.end(BAD, failing()).end_all()

    assert driver.status() is RunStatus.failed


def test_a_cleanup_that_fails_fails_the_run() -> None:
    driver = Driver(step(FINE), cleanup("tidy", FINE)).begin()

    driver.end(FINE, ok()).end("tidy", failing())

    assert driver.status() is RunStatus.failed


def test_an_allowed_failure_counts_as_a_success_index_by_index() -> None:
    source = replace(mapped("m", [0, 1]), allow_failure=True)
    driver = Driver(source, mapped("each", "m"), step("all", "m")).begin()

    driver.end("m", failing(), 0).end("m", ok(1), 1)

    assert {key for key in driver.running if key[0] != "m"} == {("each", 0), ("each", 1), ("all", None)}


# -- cleanups ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("outcome", [ok(), failing()], ids=["success", "failure"])
def test_a_cleanup_runs_once_however_the_run_went(outcome: Any) -> None:
    driver = Driver(step("work"), step("more", "work"), cleanup("tidy", "more")).begin()

    driver.end("work", outcome).end_all()

    assert driver.started.count(("tidy", None)) == 1


def test_a_cancelled_run_still_cleans_up_and_is_cancelled() -> None:
    driver = Driver(step("work"), step("more", "work"), cleanup("tidy", "more")).begin()

    driver.take(driver.state.cancel("ada"))
    assert ("tidy", None) not in driver.running
    driver.end("work", cancelled())
    assert driver.running == {("tidy", None): 1}
    driver.end("tidy", ok())

    assert driver.status() is RunStatus.cancelled
    assert driver.started == [("work", None), ("tidy", None)]


def test_a_cleanup_that_runs_already_is_not_cancelled_and_may_be_retried() -> None:
    retry = RetryPolicy(attempts=2, backoff=Backoff(base_s=1.0, jitter=0.0, immediate_first=False))
    driver = Driver(step("long"), cleanup("tidy", retry=retry)).begin()

    driver.take(driver.state.cancel("ada"))
    assert [said.step for said in driver.said if isinstance(said, CancelAttempt)] == ["long"]
    driver.end("long", cancelled()).end("tidy", failing()).retry("tidy").end("tidy", ok())

    assert driver.started.count(("tidy", None)) == 2
    assert driver.status() is RunStatus.cancelled


def test_nothing_that_was_queued_starts_when_a_cleanup_does() -> None:
    driver = Driver(mapped("m", [0, 1, 2]), cleanup("tidy", "m"), slots=1).begin()

    driver.take(driver.state.cancel("ada")).end("m", cancelled(), 0).end_all()

    assert driver.started == [("m", 0), ("tidy", None)]


def test_after_a_crash_a_cleanup_runs_if_it_has_not_and_only_then() -> None:
    first = Driver(step("work"), cleanup("tidy", "work")).begin()
    events: list[Event] = [HEADER]
    first.end("work", failing())
    events += [said.event for said in first.said if isinstance(said, Record)]
    cut_before = past_of(records(events), refreshed=False)
    first.end("tidy", ok())
    events = [HEADER, *[said.event for said in first.said if isinstance(said, Record)]]
    cut_after = past_of(records(events), refreshed=False)
    assert cut_before is not None
    assert cut_after is not None

    again = Driver(step("work"), cleanup("tidy", "work"))
    again.take(again.state.take_up(cut_before, now_s=0.0))
    assert again.running == {("tidy", None): 2}
    last = Driver(step("work"), cleanup("tidy", "work"))
    last.take(last.state.take_up(cut_after, now_s=0.0))
    assert (last.started, last.status()) == ([], RunStatus.failed)


# -- fail-fast --------------------------------------------------------------------------------------------------------


def fast(*steps: Step) -> Driver:
    driver = Driver(*steps)
    driver.state.plan = replace(driver.state.plan, fail_fast=True)
    return driver.begin()


def test_fail_fast_ends_what_runs_with_the_first_failure_and_the_run_has_failed() -> None:
    driver = fast(after_failure(), step("long"), step("later", "long"), cleanup("tidy", "later"))

    driver.end(BAD, failing())
    assert [said.step for said in driver.said if isinstance(said, CancelAttempt)] == ["long"]
    driver.end("long", cancelled()).end("tidy", ok())

    assert driver.status() is RunStatus.failed
    assert driver.finish is not None
    assert (driver.finish.failed_step, driver.finish.cause) == (BAD, Cause.error)
    (event,) = [s.event for s in driver.said if isinstance(s, Record) and isinstance(s.event, RunCancelling)]
    assert event == RunCancelling("fail-fast, since bad failed", Cause.error)
    assert ("later", None) not in driver.started


def test_fail_fast_passes_over_a_failure_that_is_allowed() -> None:
    driver = fast(after_failure(allow_failure=True), step("long"))

    driver.end(BAD, failing()).end("long", ok())

    assert driver.status() is RunStatus.succeeded


def test_without_it_independent_branches_go_on() -> None:
    driver = Driver(after_failure(), step("long"), step("later", "long")).begin()

    driver.end(BAD, failing()).end_all()

    assert ("later", None) in driver.started


# -- selection --------------------------------------------------------------------------------------------------------


def test_what_is_left_out_is_skipped_and_its_downstream_judged_by_its_rules() -> None:
    steps = [step("a"), step("b", "a"), step("c", "b", rule=TriggerRule.all_done), step("d", "b")]
    driver = Driver(*steps, left_out=["b"]).begin()

    driver.end_all()

    ends = driver.unstarted_ends()
    assert ends == {("b", None): TaskState.skipped, ("d", None): TaskState.skipped}
    assert driver.started == [("a", None), ("c", None)]
    causes = [s.event.cause for s in driver.said if isinstance(s, Record) and isinstance(s.event, TaskFinished)]
    assert causes == [Cause.selected_out, Cause.condition]
    assert driver.status() is RunStatus.succeeded


def test_a_failure_whose_taker_is_left_out_fails_the_run() -> None:
    taker = step("on_failure", BAD, rule=TriggerRule.one_failed)
    driver = Driver(after_failure(), taker, left_out=["on_failure"]).begin()

    driver.end(BAD, failing())

    assert driver.status() is RunStatus.failed


def test_a_run_taken_up_after_its_end_is_no_longer_over() -> None:
    driver = Driver(step("a")).begin()
    events: list[Event] = [HEADER]
    driver.end("a", failing())
    events += [said.event for said in driver.said if isinstance(said, Record)]
    past = past_of(records([*events, RunFinished(run_id="r1", status=RunStatus.failed)]), refreshed=True)
    assert past is not None
    again = Driver(step("a"))

    again.take(again.state.take_up(past, now_s=0.0))

    assert [s.attempt.number for s in again.said if isinstance(s, StartAttempt)] == [2]
