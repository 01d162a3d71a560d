"""A run's history is the fold of its events; its tally says the same without remembering each instance."""

from __future__ import annotations

import json
import tracemalloc
from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from actorflow.runs.event_rows import encode_row
from actorflow.runs.events import (
    AttemptFinished,
    AttemptStarted,
    Event,
    Record,
    RecordedParam,
    RecordedTask,
    RunCancelling,
    RunFinished,
    RunStarted,
    TaskFinished,
    TaskReady,
)
from actorflow.runs.executor import AttemptState, Cause, ErrorRecord
from actorflow.runs.history import RunRecord, fold
from actorflow.runs.states import RunStatus, TaskState
from actorflow.runs.tally import RunSummary, Tally, tally_of
from actorflow.runs.values import Value
from actorflow.testing.stores import FAILURE, attempt, finished, started


def history(*events: Event, owned: bool = False) -> RunRecord:
    """The fold of these events, recorded at 1.0, 2.0, ..."""
    records = [Record(seq, float(seq), event) for seq, event in enumerate(events, 1)]
    return fold("r1", records, owned=owned)


def states(record: RunRecord) -> dict[str, str]:
    return {task.label: task.state.value for task in record.tasks}


def test_a_task_that_was_never_reached_is_pending() -> None:
    assert states(history(*started("r1"))) == {"census": "pending", "summarise": "pending"}


def test_a_map_has_as_many_instances_as_it_is_wide() -> None:
    assert states(history(*started("r1", width=2))) == {
        "census[0]": "pending",
        "census[1]": "pending",
        "summarise": "pending",
    }


def test_an_empty_map_has_no_instances() -> None:
    assert states(history(*started("r1", width=0))) == {"summarise": "pending"}


def test_attempts_are_kept_with_what_is_known_of_each() -> None:
    record = history(*started("r1", width=1), *attempt(0, retry_in_s=0.5), *attempt(0, 2, value=7))

    task = record.steps["census"].instance(0)
    assert (task.state, task.cause, task.error) == (TaskState.succeeded, Cause.ran, None)
    assert [(one.number, one.state, one.cause, one.error) for one in task.attempts] == [
        (1, "failed", Cause.error, FAILURE),
        (2, "succeeded", Cause.ran, None),
    ]
    assert (task.attempts[0].started, task.attempts[0].ended, task.attempts[0].executor) == (1.5, 4.0, "async")
    assert (task.attempts[0].worker, task.attempts[0].peak_rss_bytes, task.attempts[0].cpu_s) == (
        "worker-1",
        1 << 33,
        0.25,
    )


def test_between_two_attempts_a_task_is_up_for_retry() -> None:
    assert states(history(*started("r1", width=1), *attempt(0, retry_in_s=1.0)))["census[0]"] == "up_for_retry"


def test_an_owned_run_without_an_end_is_running() -> None:
    record = history(*started("r1", width=2), *attempt(0)[:1], owned=True)

    assert record.status is RunStatus.running
    assert states(record)["census[0]"] == "running"
    assert record.steps["census"].instance(0).attempts[0].state == "running"


def test_in_an_interrupted_run_nothing_runs_any_more() -> None:
    record = history(*started("r1", width=2), *attempt(0)[:1], *attempt(1))

    task = record.steps["census"].instance(0)
    assert record.status is RunStatus.interrupted
    assert (task.state, task.cause, task.attempts[0].state) == (TaskState.pending, Cause.lost, "interrupted")
    assert (task.attempts[0].started, task.attempts[0].ended) == (3.0, None)
    assert states(record)["census[1]"] == "succeeded"


def test_a_cancelling_run_without_an_owner_is_interrupted_too() -> None:
    events = [*started("r1"), RunCancelling("ctrl-c")]

    assert history(*events, owned=True).status is RunStatus.cancelling
    assert history(*events).status is RunStatus.interrupted
    assert history(*events).cancel_reason == "ctrl-c"


def test_an_ended_run_is_what_its_end_says_whoever_owns_it() -> None:
    record = history(*started("r1"), finished("r1", {"n": 1}))

    assert (record.status, record.cause, record.started, record.ended) == (RunStatus.succeeded, Cause.ran, 1.0, 2.0)
    assert record.result is not None
    assert record.result.get() == {"n": 1}


def test_in_a_killed_run_nothing_runs_any_more() -> None:
    events = [
        *started("r1", width=2),
        AttemptStarted("census", 0, 1, "async"),
        RunCancelling("ctrl-c"),
        RunFinished(run_id="r1", status=RunStatus.cancelled, cause=Cause.cancelled),
    ]

    record = history(*events)

    assert states(record)["census[0]"] == "cancelled"
    assert record.to_json()["status"] == "cancelled"
    rows = [(seq, encode_row(1.0, event)) for seq, event in enumerate(events, 1)]
    assert TaskState.running not in tally_of("r1", rows).summary().tasks


def test_a_whole_step_ends_with_every_instance_that_nothing_happened_to() -> None:
    end = TaskFinished("census", None, TaskState.cancelled, Cause.cancelled)

    record = history(*started("r1", width=3), *attempt(1), end)

    assert [task.state.value for task in record.steps["census"].instances()] == ["cancelled", "succeeded", "cancelled"]


def test_a_single_instance_ends_without_an_attempt() -> None:
    error = ErrorRecord(type="m:E", message="no")
    record = history(
        *started("r1", width=2),
        TaskFinished("census", 1, TaskState.upstream_failed, Cause.upstream),
        TaskFinished("summarise", None, TaskState.failed, Cause.bad_input, error),
    )

    assert states(record) == {"census[0]": "pending", "census[1]": "upstream_failed", "summarise": "failed"}
    assert record.steps["summarise"].instance(None).error == error


def test_a_run_of_which_nothing_is_known_yet_is_queued_or_interrupted() -> None:
    assert history(owned=True).status is RunStatus.queued
    assert history().status is RunStatus.interrupted
    assert list(history().tasks) == []


def test_the_json_says_what_show_promises() -> None:
    record = history(*started("r1", width=1), *attempt(0, value=1), finished("r1", [1]))

    fields: Any = json.loads(json.dumps(record.to_json(), allow_nan=False))

    promised = {"run_id", "status", "cause", "params", "tasks", "started", "ended", "result", "error", "dag", "file"}
    assert promised <= set(fields)
    assert fields["params"] == {"top": {"value": 10, "source": "-p"}}
    assert (fields["run_id"], fields["status"], fields["cause"]) == ("r1", "succeeded", "ran")
    assert (fields["dag"], fields["file"], fields["result"]) == ("census", "dag.py", [1])
    assert [(task["name"], task["map_index"], task["state"], task["cause"]) for task in fields["tasks"]] == [
        ("census", 0, "succeeded", "ran"),
        ("summarise", None, "pending", None),
    ]
    (one,) = fields["tasks"][0]["attempts"]
    assert {"number", "state", "cause", "started", "ended", "worker", "peak_rss_bytes", "cpu_s"} <= set(one)
    assert (one["number"], one["state"], one["started"], one["worker"]) == (1, "succeeded", 1.5, "worker-1")


def test_the_json_of_a_failure_tells_the_error() -> None:
    end = RunFinished(run_id="r1", status=RunStatus.failed, cause=Cause.error, error=FAILURE)
    fields: Any = history(*started("r1"), end).to_json()

    assert fields["error"]["type"] == "builtins:OSError"
    assert fields["error"]["frames"][0]["function"] == "fetch"
    assert fields["result"] is None


def test_what_was_not_reached_of_a_wide_map_takes_no_memory() -> None:
    tracemalloc.start()
    try:
        record = history(*started("r1", width=10_000_000), *attempt(9_999_999))
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak_bytes < 1_000_000
    assert record.steps["census"].instance(9_999_999).state is TaskState.succeeded
    assert record.steps["census"].instance(0).state is TaskState.pending


# -- the tally against the fold ---------------------------------------------------------------------------------------

Instance = tuple[str, int | None]


def step_on(draw: st.DrawFn, live: dict[Instance, str], numbers: Counter[Instance]) -> Event:
    """One thing that may happen to one live instance, by the table of task states."""
    (name, index), state = draw(st.sampled_from(sorted(live.items(), key=repr)))
    instance = (name, index)
    if state == "running":
        outcome = draw(st.sampled_from(AttemptState))
        retry = outcome is AttemptState.failed and draw(st.booleans())
        live[instance] = "up_for_retry"
        if not retry:
            del live[instance]
        return AttemptFinished(
            task=name,
            map_index=index,
            attempt=numbers[instance],
            state=outcome,
            cause=Cause.ran,
            final=not retry,
            retry_in_s=0.0 if retry else None,
        )
    if draw(st.booleans()):
        live[instance] = "running"
        numbers[instance] += 1
        return AttemptStarted(name, index, numbers[instance], "async")
    del live[instance]
    ended = draw(st.sampled_from([TaskState.cancelled, TaskState.skipped, TaskState.upstream_failed]))
    return TaskFinished(name, index, ended, Cause.upstream)


@st.composite
def runs(draw: st.DrawFn) -> list[Event]:
    """A run of a plain step and two maps, one of which may end as a whole, up to any point."""
    tasks = tuple(
        RecordedTask(name=name, task=f"m:{name}", executor="async", mapped=mapped)
        for name, mapped in (("plain", None), ("wide", "x"), ("never", "x"))
    )
    events: list[Event] = [RunStarted(run_id="r1", dag="d", file="f", module="m", tasks=tasks)]
    width = draw(st.integers(0, 4))
    events += [TaskReady("plain", None), TaskReady("wide", width)]
    live: dict[Instance, str] = {("plain", None): "pending", **{("wide", index): "pending" for index in range(width)}}
    numbers: Counter[Instance] = Counter()
    for _ in range(draw(st.integers(0, 30))):
        if live:
            events.append(step_on(draw, live, numbers))
    if draw(st.booleans()):
        events.append(TaskFinished("never", None, TaskState.skipped, Cause.condition))
    if draw(st.booleans()):
        events.append(RunFinished(run_id="r1", status=draw(st.sampled_from(["failed", "succeeded"]).map(RunStatus))))
    return events


@given(runs())
def test_the_tally_counts_what_the_fold_finds(events: list[Event]) -> None:
    tally = Tally("r1")
    for seq, event in enumerate(events, 1):
        tally.apply(float(seq), event)

    found = history(*events, owned=True)
    summary = tally.summary()

    assert dict(summary.tasks) == Counter(task.state.value for task in found.tasks)
    assert (summary.status, summary.started, summary.ended) == (found.status, found.started, found.ended)


@given(runs())
def test_a_summary_survives_its_json(events: list[Event]) -> None:
    summary = tally_of("r1", [(seq, encode_row(float(seq), event)) for seq, event in enumerate(events, 1)]).summary()

    assert RunSummary.from_json(json.loads(json.dumps(summary.to_json(99.0)))) == summary


def test_a_summary_tells_how_long_a_run_took_or_takes() -> None:
    assert RunSummary(run_id="r1").duration_s(9.0) is None
    assert RunSummary(run_id="r1", started=2.0).duration_s(9.0) == 7.0
    assert RunSummary(run_id="r1", started=2.0, ended=5.0).to_json(9.0)["duration_s"] == 3.0


def test_values_of_attempts_are_not_kept() -> None:
    record = history(*started("r1", width=1), *attempt(0, value="x" * 1000))

    assert "xxx" not in repr(record.steps["census"].instance(0))
    assert isinstance(record.params["top"], RecordedParam)
    assert record.params["top"].value == Value.of(10)
