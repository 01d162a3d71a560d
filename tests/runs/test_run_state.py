"""The run, decided purely: what starts when, what a failure does to its downstream, and how a run ends."""

from __future__ import annotations

from dataclasses import replace

import pytest

from actorflow.flows.graph import ListOf, Output, RetryPolicy, Step, TriggerRule
from actorflow.runs.events import AttemptFinished, TaskReady
from actorflow.runs.executor import Cause
from actorflow.runs.instructions import CancelAttempt, Finish, Record, ScheduleRetry, StartAttempt
from actorflow.runs.states import RunStatus, TaskState
from actorflow_supervisors import Backoff
from tests.runs.driver import Driver
from tests.runs.graphs import cancelled, failing, mapped, ok, step


def attempts_of(driver: Driver, name: str) -> list[StartAttempt]:
    return [said for said in driver.said if isinstance(said, StartAttempt) and said.attempt.step == name]


def test_a_chain_starts_each_step_by_the_end_of_the_one_before() -> None:
    driver = Driver(step("a"), step("b", "a"), step("c", "b")).begin()

    assert driver.started == [("a", None)]
    assert driver.end("a", ok(1)).started[-1] == ("b", None)
    assert driver.end("b", ok(2)).started[-1] == ("c", None)
    driver.end("c", ok(3))

    assert driver.finish is not None
    assert driver.finish.status is RunStatus.succeeded


def test_the_result_of_the_run_is_what_the_dag_returned() -> None:
    driver = Driver(step("a"), mapped("m", [1, 2, 3], "a"), result="m").begin()

    driver.end("a", ok("const"))
    for index in range(3):
        driver.end("m", ok(index * 10), index)

    assert driver.finish is not None
    assert driver.finish.result is not None
    assert driver.finish.result.get() == [0, 10, 20]


def test_outputs_inside_lists_arrive_as_values() -> None:
    joining = step("join")
    joining = Step(
        name="join",
        task=joining.task,
        kind=joining.kind,
        location=joining.location,
        inputs=(("both", ListOf((Output("a"), Output("b")))),),
    )
    driver = Driver(step("a"), step("b"), joining).begin()

    driver.end("a", ok(1)).end("b", ok(2))

    assert attempts_of(driver, "join")[0].attempt.arguments["both"].get() == [1, 2]


def test_a_failing_branch_marks_its_downstream_and_the_others_go_on() -> None:
    driver = Driver(step("a"), step("bad", "a"), step("below", "bad"), step("far", "below"), step("good", "a")).begin()

    driver.end("a", ok()).end("bad", failing()).end_all()

    assert driver.unstarted_ends() == {
        ("below", None): TaskState.upstream_failed,
        ("far", None): TaskState.upstream_failed,
    }
    assert ("good", None) in driver.started
    assert driver.finish is not None
    assert driver.finish.status is RunStatus.failed
    assert driver.finish.failed_step == "bad"


def test_a_diamond_with_a_failing_arm_ends() -> None:
    driver = Driver(step("top"), step("left", "top"), step("right", "top"), step("join", "left", "right")).begin()

    driver.end("top", ok()).end("left", failing()).end("right", ok())

    assert driver.unstarted_ends() == {("join", None): TaskState.upstream_failed}
    assert driver.finish is not None


def test_a_chain_of_five_thousand_failing_steps_is_followed_without_recursion() -> None:
    steps = [step("s0"), *(step(f"s{number}", f"s{number - 1}") for number in range(1, 5_000))]
    driver = Driver(*steps).begin()

    driver.end("s0", failing())

    assert len(driver.unstarted_ends()) == 4_999
    assert driver.finish is not None


def test_a_cleanup_below_a_failure_runs_and_does_not_heal_the_run() -> None:
    cleanup = replace(step("cleanup", "bad", rule=TriggerRule.always), cleanup=True)
    driver = Driver(step("bad"), cleanup).begin()

    driver.end("bad", failing()).end("cleanup", ok())

    assert driver.finish is not None
    assert driver.finish.status is RunStatus.failed


def test_a_map_has_as_many_instances_as_its_input_has_items() -> None:
    driver = Driver(step("list"), mapped("m", "list")).begin()

    driver.end("list", ok(["x", "y"]))

    events = [said.event for said in driver.said if isinstance(said, Record)]
    assert TaskReady("m", 2) in events
    assert [start.attempt.arguments["item"].get() for start in attempts_of(driver, "m")] == ["x", "y"]


def test_an_empty_map_succeeds_with_an_empty_list() -> None:
    driver = Driver(step("list"), mapped("m", "list"), step("after", "m"), result="m").begin()

    driver.end("list", ok([])).end("after", ok())

    assert attempts_of(driver, "after")[0].attempt.arguments["p0"].get() == []
    assert driver.finish is not None
    assert driver.finish.status is RunStatus.succeeded


def test_a_map_over_something_that_is_no_list_fails_that_step_only() -> None:
    driver = Driver(step("list"), mapped("m", "list"), step("beside")).begin()

    driver.end("list", ok(7)).end("beside", ok())

    assert driver.unstarted_ends() == {("m", None): TaskState.failed}
    assert driver.finish is not None
    assert driver.finish.cause is Cause.bad_input
    assert "must be a list" in (driver.finish.error.message if driver.finish.error else "")


def test_a_map_of_a_map_is_elementwise_and_runs_depth_first() -> None:
    driver = Driver(step("list"), mapped("inner", "list"), mapped("outer", "inner"), slots=1).begin()

    driver.end("list", ok([1, 2])).end_all()

    assert driver.started == [("list", None), ("inner", 0), ("outer", 0), ("inner", 1), ("outer", 1)]


def test_one_failed_index_fails_its_own_elementwise_successor_only() -> None:
    driver = Driver(step("list"), mapped("inner", "list"), mapped("outer", "inner"), step("all", "outer")).begin()
    driver.end("list", ok([1, 2, 3]))

    driver.end("inner", failing(), 1).end_all()

    assert driver.unstarted_ends() == {
        ("outer", 1): TaskState.upstream_failed,
        ("all", None): TaskState.upstream_failed,
    }
    assert ("outer", 0) in driver.started
    assert ("outer", 2) in driver.started


def test_an_empty_map_of_a_map_succeeds_all_the_way() -> None:
    driver = Driver(step("list"), mapped("inner", "list"), mapped("outer", "inner"), result="outer").begin()

    driver.end("list", ok([]))

    assert driver.finish is not None
    assert driver.finish.result is not None
    assert driver.finish.result.get() == []


def test_an_elementwise_map_waits_for_its_constant_too() -> None:
    driver = Driver(step("slow"), mapped("inner", [1, 2]), mapped("outer", "inner", "slow")).begin()

    driver.end("inner", ok(1), 0)
    assert ("outer", 0) not in driver.started

    driver.end("slow", ok("c"))
    assert ("outer", 0) in driver.started


def test_an_executor_never_has_more_than_its_slots() -> None:
    driver = Driver(mapped("m", list(range(10))), slots=3).begin()

    assert len(driver.running) == 3
    driver.end("m", ok(), 0)
    assert len(driver.running) == 3


def test_a_step_never_has_more_than_its_own_bound_and_leaves_the_slots_to_others() -> None:
    driver = Driver(mapped("narrow", list(range(5)), max_in_flight=1), step("other"), slots=3).begin()

    assert sorted(key[0] for key in driver.running) == ["narrow", "other"]
    driver.end_all()
    assert driver.finish is not None


def test_inline_takes_steps_in_topological_order() -> None:
    steps = (step("list"), mapped("inner", "list"), mapped("outer", "inner"))
    driver = Driver(*steps, executor="inline").begin()

    driver.end("list", ok([1, 2])).end_all()

    assert driver.started == [("list", None), ("inner", 0), ("inner", 1), ("outer", 0), ("outer", 1)]


POLICY = RetryPolicy(attempts=3, backoff=Backoff(base_s=1.0, factor=2.0, jitter=0.0, immediate_first=False))


def test_a_failed_attempt_is_followed_by_another_after_its_wait() -> None:
    driver = Driver(step("a", retry=POLICY)).begin()

    driver.end("a", failing())

    waits = [said for said in driver.said if isinstance(said, ScheduleRetry)]
    assert waits == [ScheduleRetry("a", None, 1.0)]
    driver.take(driver.state.retry_due("a", None, now_s=0.0))
    assert driver.running == {("a", None): 2}
    driver.end("a", failing())
    driver.take(driver.state.retry_due("a", None, now_s=0.0))
    driver.end("a", failing())
    assert driver.finish is not None
    assert len(attempts_of(driver, "a")) == 3


def test_only_the_last_attempts_end_is_final() -> None:
    driver = Driver(step("a", retry=POLICY)).begin()

    driver.end("a", failing())
    driver.take(driver.state.retry_due("a", None, now_s=0.0))
    driver.end("a", ok())

    ends = [said.event for said in driver.said if isinstance(said, Record) and isinstance(said.event, AttemptFinished)]
    assert [event.final for event in ends] == [False, True]
    assert [event.retry_in_s for event in ends] == [1.0, None]


def test_an_error_of_a_class_that_is_not_retried_is_the_last() -> None:
    policy = RetryPolicy(attempts=3, backoff=POLICY.backoff, retry_on=("builtins:OSError",))
    driver = Driver(step("a", retry=policy), step("b", retry=policy)).begin()

    driver.end("a", failing()).end("b", failing(Cause.error, "builtins:OSError"))

    assert [said.step for said in driver.said if isinstance(said, ScheduleRetry)] == ["b"]


@pytest.mark.parametrize("cause", [Cause.out_of_memory, Cause.bad_output, Cause.bad_input])
def test_what_would_happen_again_is_not_tried_again(cause: Cause) -> None:
    driver = Driver(step("a", retry=POLICY)).begin()

    driver.end("a", failing(cause))

    assert driver.finish is not None


def test_a_lost_worker_has_three_restarts_of_its_own() -> None:
    driver = Driver(step("a")).begin()

    for _ in range(3):
        driver.end("a", failing(Cause.lost))
        driver.take(driver.state.retry_due("a", None, now_s=0.0))
    driver.end("a", failing(Cause.lost))

    assert len(attempts_of(driver, "a")) == 4
    assert driver.finish is not None
    assert driver.finish.cause is Cause.lost


def test_a_late_report_is_refused_and_counted() -> None:
    driver = Driver(step("a"), step("b", "a")).begin()
    driver.end("a", ok(1))

    late = driver.state.attempt_ended("a", None, 1, failing(), started_at=0.0, now_s=0.0)

    assert late == []
    assert driver.state.stale_reports == 1


def test_a_cancel_starts_nothing_more_and_ends_what_runs() -> None:
    driver = Driver(mapped("m", [1, 2, 3]), step("after", "m"), slots=2).begin()

    driver.take(driver.state.cancel("ctrl-c"))

    cancels = [said for said in driver.said if isinstance(said, CancelAttempt)]
    assert [(said.step, said.map_index) for said in cancels] == [("m", 0), ("m", 1)]
    assert not any(isinstance(said, Finish) for said in driver.said)
    driver.end("m", cancelled(), 0).end("m", ok(2), 1)
    assert len(driver.started) == 2
    assert driver.finish is not None
    assert driver.finish.status is RunStatus.cancelled
    assert driver.unstarted_ends() == {("m", 2): TaskState.cancelled, ("after", None): TaskState.cancelled}


def test_a_cancel_while_a_retry_waits_ends_the_run_at_once() -> None:
    driver = Driver(step("a", retry=POLICY)).begin()
    driver.end("a", failing())

    driver.take(driver.state.cancel("ctrl-c"))

    assert driver.finish is not None
    assert driver.state.retry_due("a", None, now_s=0.0) == []


def test_a_second_cancel_changes_nothing() -> None:
    driver = Driver(step("a")).begin()
    driver.take(driver.state.cancel("first"))

    assert driver.state.cancel("second") == []


def test_an_empty_graph_succeeds_at_once() -> None:
    driver = Driver().begin()

    assert driver.finish is not None
    assert driver.finish.status is RunStatus.succeeded
