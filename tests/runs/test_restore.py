"""A run that is cut at any event goes on from there: the same ends, and nothing that is committed runs again."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actorflow.flows.graph import TriggerRule
from actorflow.runs.events import (
    AttemptFinished,
    AttemptStarted,
    Event,
    Record,
    RecordedTask,
    RunCancelling,
    RunFinished,
    RunPaused,
    RunPausing,
    RunResumed,
    RunStarted,
    TaskFinished,
    TaskReady,
)
from actorflow.runs.executor import AttemptState, Cause
from actorflow.runs.history import fold
from actorflow.runs.instructions import Finish, Instruction, StartAttempt
from actorflow.runs.instructions import Record as ToRecord
from actorflow.runs.restore import Past, PastFold, past_of
from actorflow.runs.run_state import RunState
from actorflow.runs.states import RunStatus, TaskState
from actorflow.runs.tally import Tally
from tests.runs.graphs import failing, mapped, ok, plan_of, step
from tests.runs.test_run_state_random import Run, Shape, model, shapes

Key = tuple[str, int | None]


class Recorded(Run):
    """A random run that keeps what it was told to record."""

    def __init__(self, shape: Shape, slots: int, seed: int) -> None:
        super().__init__(shape, slots, seed)
        plan = self.state.plan
        tasks = tuple(
            RecordedTask(
                name=planned.step.name,
                task=planned.step.task,
                executor="async",
                mapped=planned.step.mapped,
                upstream=planned.upstream,
                elementwise=planned.elementwise,
            )
            for planned in plan.steps
        )
        self.header = RunStarted(run_id="r", dag="d", file="d.py", module="d", tasks=tasks)
        self.events: list[Event] = [self.header]
        self.started: list[tuple[Key, int]] = []

    def take(self, instructions: list[object]) -> None:
        for said in instructions:
            if isinstance(said, ToRecord):
                self.events.append(said.event)
            if isinstance(said, StartAttempt):
                self.started.append(((said.attempt.step, said.attempt.map_index), said.attempt.number))
        super().take(instructions)

    def go_on(self, past: Past) -> None:
        self.take(list(self.state.take_up(past, now_s=0.0)))
        while self.running or (self.retries and not self.finishes):
            self.step()


def records(events: list[Event]) -> list[Record]:
    return [Record(seq, float(seq), event) for seq, event in enumerate(events, 1)]


def committed(events: list[Event]) -> set[Key]:
    return {
        (event.task, event.map_index)
        for event in events
        if isinstance(event, AttemptFinished) and event.state is AttemptState.succeeded
    }


def failed_for_good(events: list[Event]) -> set[Key]:
    return {
        (event.task, event.map_index)
        for event in events
        if isinstance(event, AttemptFinished) and event.final and event.state is AttemptState.failed
    }


def executed(shape: Shape) -> set[Key]:
    """Every instance that runs, as the model says."""
    made = {each.name: each for each in shape.steps}
    return {
        (name, None if made[name].mapped is None else index)
        for name, end in model(shape).items()
        if isinstance(end, dict)
        for index, state in end.items()
        if state in (TaskState.succeeded, TaskState.failed)
    }


def ends(run: Recorded) -> dict[str, object]:
    found: dict[str, object] = {}
    for each in run.shape.steps:
        stage, expected = run.state._stages[each.name], model(run.shape)[each.name]
        if isinstance(expected, TaskState):
            found[each.name] = stage.outcome()
        else:
            found[each.name] = {index: stage.state(index) for index in range(len(expected))}
    return found


@settings(max_examples=40)
@given(shapes(), st.integers(1, 6), st.integers(0, 2**16), st.booleans())
def test_a_run_cut_at_any_event_ends_as_the_whole_one_and_repeats_nothing_committed(
    shape: Shape, slots: int, seed: int, refreshed: bool
) -> None:
    whole = Recorded(shape, slots, seed)
    whole.go()

    for cut in range(1, len(whole.events) + 1):
        before = whole.events[:cut]
        past = past_of(records(before), refreshed=refreshed)
        assert past is not None
        run = Recorded(shape, slots, seed + cut)
        run.go_on(past)

        assert ends(run) == model(shape)
        assert [finish.status for finish in run.finishes] == [finish.status for finish in whole.finishes]
        stay = committed(before) if refreshed else committed(before) | failed_for_good(before)
        assert {key for key, _ in run.started} == executed(shape) - stay
        _numbers_go_on(before, run.started)
        _folds_agree(before, run, refreshed=refreshed)


def _numbers_go_on(before: list[Event], started: list[tuple[Key, int]]) -> None:
    numbers = Counter[Key]()
    for event in before:
        if isinstance(event, AttemptStarted):
            numbers[event.task, event.map_index] = event.attempt
    for key, number in started:
        assert number == numbers[key] + 1
        numbers[key] = number


def _folds_agree(before: list[Event], run: Recorded, *, refreshed: bool) -> None:
    """Whoever reads the whole journal sees the ends that the run itself has come to."""
    whole = records([*before, RunResumed("test", taken_up=True, refreshed=refreshed), *run.events[1:]])
    history = fold("r", whole, owned=True)
    tally = Tally("r")
    for _, ts, event in whole:
        tally.apply(ts, event)

    expected = Counter[str]()
    for name, end in model(run.shape).items():
        states = history.steps[name]
        if isinstance(end, TaskState):
            assert [instance.state for instance in states.instances()] == [end]
            expected[end] += 1
        else:
            assert {instance.map_index or 0: instance.state for instance in states.instances()} == end
            expected.update(end.values())
    assert tally.summary().tasks == {state: expected[state] for state in TaskState if expected[state]}


@settings(max_examples=30)
@given(shapes(), st.integers(1, 6), st.integers(0, 2**16), st.integers(0, 12))
def test_a_cancelled_run_taken_up_by_a_person_ends_as_one_that_was_not_cancelled(
    shape: Shape, slots: int, seed: int, cancel_after: int
) -> None:
    cancelled = Recorded(shape, slots, seed)
    cancelled.go(cancel_after)
    end = cancelled.finishes[0]
    before = [*cancelled.events, RunFinished(run_id="r", status=end.status)]

    past = past_of(records(before), refreshed=True)
    assert past is not None
    run = Recorded(shape, slots, seed)
    run.go_on(past)

    assert ends(run) == model(shape)
    assert {key for key, _ in run.started} == executed(shape) - committed(before)


# -- one at a time ----------------------------------------------------------------------------------------------------


def taken_up(
    *events: Event, refreshed: bool, plan: object = None, pause: str = "", cancel: str = ""
) -> tuple[RunState, list[Instruction]]:
    header = RunStarted(run_id="r", dag="d", file="d.py", module="d")
    past = past_of(records([header, *events]), refreshed=refreshed)
    assert past is not None
    state = RunState(plan or plan_of(step("a")), "r", slots={"async": 9}, rng=Random(1))  # type: ignore[arg-type]
    return state, state.take_up(past, now_s=0.0, pause=pause, cancel=cancel)


def begun(number: int = 1) -> AttemptStarted:
    return AttemptStarted("a", None, number, "async")


LOST = [TaskReady("a"), *[each for number in range(1, 5) for each in (begun(number), RunResumed("x", True))]]


def test_a_task_that_ends_its_supervisor_every_time_is_given_up_where_nobody_watches() -> None:
    state, said = taken_up(*LOST, refreshed=False)

    ended = [one.event for one in said if isinstance(one, ToRecord) and isinstance(one.event, TaskFinished)]
    assert [(event.state, event.cause) for event in ended] == [(TaskState.failed, Cause.lost)]
    assert ended[0].error is not None
    assert "lost 4 times" in ended[0].error.message
    assert state.status is RunStatus.failed


def test_a_person_gives_it_another_budget_and_its_attempts_are_counted_on() -> None:
    _, said = taken_up(*LOST, refreshed=True)

    assert [one.attempt.number for one in said if isinstance(one, StartAttempt)] == [5]


def test_retries_spent_before_a_crash_are_spent_after_it_where_nobody_watches() -> None:
    failed = AttemptFinished(
        task="a", map_index=None, attempt=1, state=AttemptState.failed, cause=Cause.error, final=False
    )
    from tests.runs.test_run_state_random import RETRY

    plan = plan_of(step("a", retry=RETRY))
    state, _ = taken_up(TaskReady("a"), begun(), failed, refreshed=False, plan=plan)
    said = state.attempt_ended("a", None, 2, failing(Cause.error), started_at=0.0, now_s=0.0)
    assert [type(one) for one in said] == [ToRecord, Finish]

    state, _ = taken_up(TaskReady("a"), begun(), failed, refreshed=True, plan=plan)
    said = state.attempt_ended("a", None, 2, failing(Cause.error), started_at=0.0, now_s=0.0)
    assert not any(isinstance(one, Finish) for one in said)


def test_a_run_may_be_taken_up_paused_and_starts_nothing_until_it_is_resumed() -> None:
    state, said = taken_up(TaskReady("a"), begun(), refreshed=True, pause="ada")

    events = [type(one.event) for one in said if isinstance(one, ToRecord)]
    assert events[-2:] == [RunPausing, RunPaused]
    assert not any(isinstance(one, StartAttempt) for one in said)
    assert [one.attempt.number for one in state.resume("ada", now_s=1.0) if isinstance(one, StartAttempt)] == [2]


def test_a_run_whose_cancel_was_cut_short_ends_cancelled_where_nobody_watches() -> None:
    state, said = taken_up(TaskReady("a"), begun(), RunCancelling("ada"), refreshed=False, cancel="ada")

    assert not any(isinstance(one, StartAttempt) for one in said)
    assert [one.status for one in said if isinstance(one, Finish)] == [RunStatus.cancelled]
    assert state.status is RunStatus.cancelled


def test_only_the_missing_part_of_a_map_runs_and_its_list_is_whole() -> None:
    plan = plan_of(mapped("m", [10, 11, 12]), step("sum", "m"))
    done = [
        AttemptFinished(
            task="m", map_index=index, attempt=1, state=AttemptState.succeeded, cause=Cause.ran, value=ok(index).value
        )
        for index in (0, 2)
    ]
    state, said = taken_up(TaskReady("m", 3), *done, refreshed=True, plan=plan)
    assert [one.attempt.map_index for one in said if isinstance(one, StartAttempt)] == [1]
    assert not any(isinstance(one, ToRecord) and isinstance(one.event, TaskReady) for one in said)

    said = state.attempt_ended("m", 1, 1, ok(1), started_at=0.0, now_s=0.0)

    (attempt,) = [one.attempt for one in said if isinstance(one, StartAttempt)]
    assert attempt.arguments["p0"].get() == [0, 1, 2]


def test_a_map_whose_list_has_changed_its_length_is_refused() -> None:
    rule = TriggerRule.all_done
    plan = plan_of(step("a"), mapped("m", "a", rule=rule))
    done = AttemptFinished(task="m", map_index=0, attempt=1, state=AttemptState.succeeded, cause=Cause.ran)
    state, _ = taken_up(TaskReady("a"), begun(), TaskReady("m", 3), done, refreshed=True, plan=plan)

    said = state.attempt_ended("a", None, 2, ok([1, 2]), started_at=0.0, now_s=0.0)

    (error,) = [one.error for one in said if isinstance(one, Finish)]
    assert error is not None
    assert "it has 2 items, and had 3" in error.message


def test_time_that_a_run_was_paused_or_down_is_not_used() -> None:
    fold_ = PastFold()
    header = RunStarted(run_id="r", dag="d", file="d.py", module="d")
    seen: list[tuple[float, Event]] = [
        (0.0, header),
        (10.0, RunPausing("x")),
        (50.0, RunResumed("x")),
        (55.0, begun()),
        (100.0, RunResumed("x", taken_up=True)),
        (101.0, begun(2)),
    ]
    for seq, (ts, event) in enumerate(seen, 1):
        fold_.apply(Record(seq, ts, event))

    past = fold_.past(refreshed=False)

    assert past is not None
    assert past.used_s == pytest.approx(16.0)
