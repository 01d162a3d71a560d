"""Random graphs, random endings in random order: what must hold of every run, checked against a short model."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from actorflow.flows.graph import RetryPolicy, Step, TriggerRule
from actorflow.runs.executor import Cause
from actorflow.runs.instructions import (
    CancelAttempt,
    CheckLimits,
    CheckRunTime,
    Finish,
    Record,
    ScheduleRetry,
    StartAttempt,
)
from actorflow.runs.run_state import RunState
from actorflow.runs.states import RunStatus, TaskState
from actorflow.runs.triggers import Verdict, count, judge
from actorflow_supervisors import Backoff
from tests.runs.graphs import cancelled, failing, mapped, ok, plan_of, step

WIDTH = 3
RETRY = RetryPolicy(attempts=2, backoff=Backoff(base_s=1.0, jitter=0.0, immediate_first=False))


@dataclass(frozen=True)
class Shape:
    """A random pipeline. fails: (step, index) that fail in every attempt."""

    steps: tuple[Step, ...]
    fails: frozenset[tuple[str, int]]


@st.composite
def shapes(draw: st.DrawFn) -> Shape:
    steps: list[Step] = []
    widths: dict[str, bool] = {}
    for number in range(draw(st.integers(1, 8))):
        name = f"s{number}"
        upstream = draw(st.lists(st.sampled_from(sorted(widths)), max_size=3, unique=True)) if widths else []
        rule = draw(st.sampled_from(TriggerRule)) if draw(st.booleans()) else TriggerRule.all_success
        retry = RETRY if draw(st.booleans()) else None
        sources = [source for source in upstream if widths[source]]
        kind = draw(st.sampled_from(["plain", "map", "elementwise"]))
        bound = draw(st.none() | st.integers(1, 2))
        if kind == "elementwise" and sources:
            others = [source for source in upstream if source != sources[0]]
            steps.append(mapped(name, sources[0], *others, rule=rule, retry=retry, max_in_flight=bound))
        elif kind == "map":
            items = list(range(draw(st.integers(0, WIDTH))))
            steps.append(mapped(name, items, *upstream, rule=rule, retry=retry, max_in_flight=bound))
        else:
            steps.append(step(name, *upstream, rule=rule, retry=retry))
        widths[name] = steps[-1].mapped is not None
    keys = [(made.name, index) for made in steps for index in range(WIDTH)]
    return Shape(tuple(steps), draw(st.frozensets(st.sampled_from(keys), max_size=6)))


def model(shape: Shape) -> dict[str, dict[int, TaskState] | TaskState]:
    """How every instance ends when nothing is cancelled; a bare state for a step that never had instances."""
    ends: dict[str, dict[int, TaskState] | TaskState] = {}
    made = {each.name: each for each in shape.steps}

    def whole(name: str) -> TaskState:
        end = ends[name]
        if isinstance(end, TaskState):
            return end
        states = list(end.values())
        for bad in (TaskState.failed, TaskState.upstream_failed):
            if bad in states:
                return bad
        return TaskState.skipped if states and set(states) == {TaskState.skipped} else TaskState.succeeded

    def unstarted(verdict: Verdict) -> TaskState:
        return TaskState.upstream_failed if verdict is Verdict.upstream_failed else TaskState.skipped

    def executed(name: str, index: int) -> TaskState:
        return TaskState.failed if (name, index) in shape.fails else TaskState.succeeded

    for each in shape.steps:
        source = (
            next(iter(each.upstream()), None)
            if each.mapped and dict(each.inputs)["item"].__class__.__name__ == "Output"
            else None
        )
        upstream = each.upstream()
        if source is not None and made[source].mapped is not None:
            source_ends = ends[source]
            others = [whole(name) for name in upstream if name != source]
            if isinstance(source_ends, TaskState):
                verdict = judge(each.trigger_rule, count([source_ends, *others]))
                ends[each.name] = TaskState.skipped if verdict is Verdict.run else unstarted(verdict)
                continue
            result: dict[int, TaskState] = {}
            for index, state in source_ends.items():
                verdict = judge(each.trigger_rule, count([state, *others]))
                result[index] = executed(each.name, index) if verdict is Verdict.run else unstarted(verdict)
            ends[each.name] = result
            continue
        verdict = judge(each.trigger_rule, count(whole(name) for name in upstream))
        if verdict is not Verdict.run:
            ends[each.name] = unstarted(verdict)
        elif each.mapped is None:
            ends[each.name] = {0: executed(each.name, 0)}
        else:
            items = dict(each.inputs)["item"]
            ends[each.name] = {index: executed(each.name, index) for index in range(len(items.value))}  # type: ignore[union-attr, arg-type]
    return ends


FAILED = (TaskState.failed, TaskState.upstream_failed)
SKIPPED = (TaskState.skipped,)


def leaves(shape: Shape, run: Run) -> set[str]:
    """The steps that nothing came after: what might have was skipped."""
    stages = run.state._stages
    ran_on = {name for each in shape.steps if stages[each.name].outcome() not in SKIPPED for name in each.upstream()}
    return {each.name for each in shape.steps} - ran_on


class Run:
    """Drives a RunState at random and checks what must always hold."""

    def __init__(self, shape: Shape, slots: int, seed: int) -> None:
        self.shape = shape
        self.slots = slots
        self.rng = Random(seed)
        self.state = RunState(plan_of(*shape.steps), "r", slots={"async": slots}, rng=Random(1))
        self.running: dict[tuple[str, int | None], int] = {}
        self.retries: list[tuple[str, int | None]] = []
        self.finishes: list[Finish] = []
        self.cancelling = False
        self.bounds = {each.name: each.max_in_flight for each in shape.steps}

    def take(self, instructions: list[object]) -> None:
        for said in instructions:
            match said:
                case StartAttempt(attempt):
                    assert not self.cancelling, "nothing starts after a cancel"
                    assert not self.finishes, "nothing starts after the end"
                    key = (attempt.step, attempt.map_index)
                    assert key not in self.running
                    self.running[key] = attempt.number
                case ScheduleRetry(name, index):
                    self.retries.append((name, index))
                case CancelAttempt(name, index, number):
                    assert self.running[(name, index)] == number
                case Finish():
                    self.finishes.append(said)
                case Record() | CheckLimits() | CheckRunTime():
                    pass
                case _:
                    raise AssertionError(said)
        assert len(self.running) <= self.slots
        for name, bound in self.bounds.items():
            if bound is not None:
                assert sum(1 for key in self.running if key[0] == name) <= bound

    def step(self) -> None:
        choices = [("end", key) for key in self.running] + [("retry", key) for key in self.retries]
        what, (name, index) = self.rng.choice(choices)
        if what == "retry":
            self.retries.remove((name, index))
            self.take(list(self.state.retry_due(name, index, now_s=0.0)))
            return
        number = self.running.pop((name, index))
        bad = (name, index or 0) in self.shape.fails
        outcome = failing(Cause.error) if bad else (cancelled() if self.cancelling else ok(index))
        self.take(list(self.state.attempt_ended(name, index, number, outcome, started_at=0.0, now_s=0.0)))

    def go(self, cancel_after: int | None = None) -> None:
        self.take(list(self.state.begin(now_s=0.0)))
        turns = 0
        while self.running or (self.retries and not self.finishes):
            if turns == cancel_after:
                self.cancelling = True
                self.take(list(self.state.cancel("test")))
                if not self.running:
                    break
            self.step()
            turns += 1


@settings(max_examples=300)
@given(shapes(), st.integers(1, 6), st.integers(0, 2**16))
def test_every_run_ends_as_the_model_says(shape: Shape, slots: int, seed: int) -> None:
    run = Run(shape, slots, seed)

    run.go()

    expected = model(shape)
    for each in shape.steps:
        end = expected[each.name]
        stage = run.state._stages[each.name]
        if isinstance(end, TaskState):
            assert stage.outcome() is end
        else:
            assert {index: stage.state(index) for index in range(len(end))} == end
    assert len(run.finishes) == 1
    failed = any(run.state._stages[name].outcome() in FAILED for name in leaves(shape, run))
    assert run.finishes[0].status is (RunStatus.failed if failed else RunStatus.succeeded)


@settings(max_examples=300)
@given(shapes(), st.integers(1, 6), st.integers(0, 2**16), st.integers(0, 12))
def test_a_cancel_at_any_moment_ends_the_run_once_and_starts_nothing_more(
    shape: Shape, slots: int, seed: int, cancel_after: int
) -> None:
    run = Run(shape, slots, seed)

    run.go(cancel_after)

    assert len(run.finishes) == 1
    if run.cancelling:
        assert run.finishes[0].status is RunStatus.cancelled
        assert all(stage.terminal for stage in run.state._stages.values())
