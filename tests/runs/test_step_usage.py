"""What each step took, told from the events."""

from __future__ import annotations

import pytest

from actorflow.runs.events import AttemptFinished, AttemptStarted, Event, Record, RecordedTask, RunStarted, TaskReady
from actorflow.runs.executor import AttemptState, Cause
from actorflow.runs.step_usage import StepUsage, UsageFold


def task(name: str, elementwise: str | None = None) -> RecordedTask:
    return RecordedTask(name=name, task=f"d:{name}", executor="async", elementwise=elementwise)


def header(*tasks: RecordedTask) -> RunStarted:
    return RunStarted(run_id="r1", dag="d", file="d.py", module="d", tasks=tasks)


def ended(
    name: str,
    index: int | None = None,
    *,
    started: float = 0.0,
    cpu_s: float | None = None,
    peak: int | None = None,
    retry_in_s: float | None = None,
) -> AttemptFinished:
    failed = retry_in_s is not None
    return AttemptFinished(
        task=name,
        map_index=index,
        attempt=1,
        state=AttemptState.failed if failed else AttemptState.succeeded,
        cause=Cause.error if failed else Cause.ran,
        started=started,
        cpu_s=cpu_s,
        peak_rss_bytes=peak,
        final=not failed,
        retry_in_s=retry_in_s,
    )


def start(name: str, index: int | None = None, number: int = 1) -> AttemptStarted:
    return AttemptStarted(name, index, number, "async")


def folded(*told: tuple[float, Event]) -> dict[str, StepUsage]:
    fold = UsageFold()
    for seq, (ts, event) in enumerate(told, 1):
        fold.apply(Record(seq, ts, event))
    return fold.steps


def test_a_step_waits_from_when_it_was_ready_and_runs_from_when_its_body_began() -> None:
    steps = folded(
        (1.0, header(task("a"), task("b"))),
        (2.0, TaskReady("a")),
        (5.0, start("a")),
        (9.0, ended("a", started=6.0, cpu_s=0.5, peak=100)),
    )

    assert steps == {"a": StepUsage(1, 3.0, 3.0, 3.0, 0.5, 100), "b": StepUsage()}


def test_the_instances_of_a_map_add_up_and_the_worst_is_told() -> None:
    steps = folded(
        (1.0, header(task("a"))),
        (1.0, TaskReady("a", 2)),
        (2.0, start("a", 0)),
        (3.0, start("a", 1)),
        (4.0, ended("a", 0, cpu_s=1.0, peak=70)),
        (6.0, ended("a", 1, cpu_s=2.0, peak=50)),
    )

    assert steps["a"] == StepUsage(2, 3.0, 2.0, 5.0, 3.0, 70)


def test_what_a_retry_waits_for_by_its_policy_is_no_waiting_for_its_turn() -> None:
    steps = folded(
        (1.0, header(task("a"))),
        (1.0, TaskReady("a")),
        (1.0, start("a")),
        (2.0, ended("a", retry_in_s=5.0)),
        (7.5, start("a", number=2)),
        (8.0, ended("a")),
    )

    assert steps["a"].attempts == 2
    assert steps["a"].waiting_s == pytest.approx(0.5)


def test_element_by_element_each_waits_from_the_end_of_its_own() -> None:
    steps = folded(
        (1.0, header(task("a"), task("b", elementwise="a"))),
        (1.0, TaskReady("a", 1)),
        (1.0, TaskReady("b", 1)),
        (1.0, start("a", 0)),
        (9.0, ended("a", 0)),
        (10.0, start("b", 0)),
    )

    assert steps["b"].waiting_s == 1.0
