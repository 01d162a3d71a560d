"""The spans of a run, from its records: a test for each row of what a span is to be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorflow.runs.events import Record, RunFinished, RunResumed, RunStarted, TaskFinished
from actorflow.runs.executor import AttemptState, Cause, ErrorRecord
from actorflow.runs.states import RunStatus, TaskState
from actorflow.telemetry import names
from actorflow.telemetry.identity import SpanIds, TraceContext
from actorflow.telemetry.joining import Began, join, recorded
from actorflow.telemetry.map_sample import MapLimits
from actorflow.telemetry.spans import Kind, SpanRecord
from actorflow.telemetry.trace_fold import MAX_LINKS, TraceFold, parent_for, traced
from tests.cli.records import START_S, VALUE_ERROR, begun, ended, over, ready, records, started, step, unstarted

IDS = SpanIds("7f3k")


def named(spans: list[SpanRecord], name: str) -> list[SpanRecord]:
    return [span for span in spans if span.name == name]


def only(spans: list[SpanRecord], name: str) -> SpanRecord:
    (found,) = named(spans, name)
    return found


def one_task(**how: object) -> list[SpanRecord]:
    end = ended(5, "clean", took_s=2, **how)  # type: ignore[arg-type]  # the options of `ended`
    return traced(records(started(step("clean")), ready(1, "clean"), begun(2, "clean"), end, over(6)))


# -- the run ----------------------------------------------------------------------------------------------------------


def test_a_run_is_a_server_span_and_the_root_of_its_trace() -> None:
    run = only(one_task(), "RUN etl")

    assert run.kind is Kind.server
    assert run.span_id == IDS.run()
    assert run.parent_id is None
    assert (run.started_s, run.ended_s) == (START_S, START_S + 6)
    assert run.attributes[names.PIPELINE] == "etl"
    assert run.attributes[names.RUN_ID] == "7f3k"
    assert run.attributes[names.ACTION] == "RUN"
    assert run.attributes[names.RESULT] == "success"
    assert run.status is None


def test_a_run_is_below_the_span_of_who_awaited_it() -> None:
    trace = recorded(join("7f3k", TraceContext(7, 8), Began.awaited, sampled=True))
    fold = TraceFold()

    head, end = records((0, RunStarted(run_id="7f3k", dag="etl", file="", module="", trace=trace)), over(1))
    spans = [*fold.apply(head, None), *fold.apply(end, None)]

    assert fold.joined.own.trace_id == 7
    assert only(spans, "RUN etl").parent_id == 8


def test_a_run_that_was_not_awaited_is_linked_to_who_started_it() -> None:
    trace = recorded(join("7f3k", TraceContext(7, 8), Began.detached, sampled=True))

    spans = traced(records((0, RunStarted(run_id="7f3k", dag="etl", file="", module="", trace=trace)), over(1)))

    (link,) = only(spans, "RUN etl").links
    assert (link.trace_id, link.span_id) == (7, 8)
    assert only(spans, "RUN etl").parent_id is None


def test_a_failed_run_says_why() -> None:
    end = RunFinished(run_id="7f3k", status=RunStatus.failed, cause=Cause.error, error=VALUE_ERROR)

    spans = traced(records(started(), (6, end)))

    span = only(spans, "RUN etl")
    assert span.attributes[names.RESULT] == "failure"
    assert span.attributes[names.ERROR_TYPE] == "ValueError"
    assert span.status is not None
    assert span.status.description == "ValueError: could not convert string to float: 'n/a'"


@pytest.mark.parametrize(
    ("state", "cause", "result"),
    [
        (TaskState.succeeded, Cause.ran, "success"),
        (TaskState.cancelled, Cause.cancelled, "cancellation"),
        (TaskState.skipped, Cause.condition, "skip"),
        (TaskState.upstream_failed, Cause.upstream, "skip"),
        (TaskState.failed, Cause.timed_out, "timeout"),
        (TaskState.failed, Cause.lost, "error"),
        (TaskState.failed, Cause.error, "failure"),
        (TaskState.failed, Cause.out_of_memory, "failure"),
        (TaskState.failed, Cause.bad_output, "failure"),
        (TaskState.failed, Cause.bad_input, "failure"),
    ],
)
def test_how_something_ended_in_the_words_of_the_conventions(state: TaskState, cause: Cause, result: str) -> None:
    assert names.result_of(state, cause) == result


@pytest.mark.parametrize(
    ("cause", "error", "said"),
    [
        (Cause.error, ErrorRecord(type="builtins:ValueError", message=""), "ValueError"),
        (Cause.error, ErrorRecord(type="etl:BadRow", message=""), "etl.BadRow"),
        (Cause.timed_out, ErrorRecord(type="builtins:TimeoutError", message=""), "timed_out"),
        (Cause.lost, ErrorRecord(type="a:WorkerLost", message=""), "lost"),
        (Cause.error, None, "error"),
        (None, None, ""),
    ],
)
def test_the_type_of_an_error_is_the_exception_or_else_the_cause(
    cause: Cause | None, error: ErrorRecord | None, said: str
) -> None:
    assert names.error_type(cause, error) == said


# -- tasks ------------------------------------------------------------------------------------------------------------


def test_a_task_is_below_the_run_since_it_was_ready() -> None:
    task = only(one_task(), "task clean")

    assert task.kind is Kind.internal
    assert task.span_id == IDS.task("clean")
    assert task.parent_id == IDS.run()
    assert (task.started_s, task.ended_s) == (START_S + 1, START_S + 5)
    assert task.attributes == {
        names.TASK: "clean",
        names.TASK_RUN_ID: "7f3k/clean",
        names.TASK_RESULT: "success",
    }


def test_a_task_that_never_ran_has_a_span_with_no_attempt() -> None:
    spans = traced(records(started(step("a"), step("b", "a")), unstarted(3, "b"), over(4)))

    task = only(spans, "task b")
    assert task.started_s == task.ended_s
    assert task.attributes[names.TASK_RESULT] == "skip"
    assert task.status is None
    assert named(spans, "attempt b") == []


def test_a_task_is_linked_to_its_upstream_tasks() -> None:
    run = records(started(step("a"), step("b"), step("c", "a", "b")), ready(1, "c"), begun(1, "c"), ended(2, "c"))

    links = only(traced(run), "task c").links

    assert [(link.span_id, dict(link.attributes)) for link in links] == [
        (IDS.task("a"), {names.LINK: "upstream"}),
        (IDS.task("b"), {names.LINK: "upstream"}),
    ]


def test_links_beyond_the_limit_are_counted() -> None:
    many = [f"s{number}" for number in range(MAX_LINKS + 5)]

    task = only(traced(records(started(step("c", *many)), ready(1, "c"), begun(1, "c"), ended(2, "c"))), "task c")

    assert len(task.links) == MAX_LINKS
    assert task.attributes[names.LINKS_OMITTED] == 5


# -- attempts ---------------------------------------------------------------------------------------------------------


def test_an_attempt_is_below_its_task_from_the_start_of_its_body() -> None:
    attempt = only(one_task(worker="process-1 (pid 4711)"), "attempt clean")

    assert attempt.kind is Kind.internal
    assert attempt.span_id == IDS.attempt("clean", None, 1)
    assert attempt.parent_id == IDS.task("clean")
    assert (attempt.started_s, attempt.ended_s) == (START_S + 3, START_S + 5)
    assert attempt.attributes == {
        names.ATTEMPT: 1,
        names.QUEUE_S: 2,
        names.CAUSE: "ran",
        names.FUNCTION: "etl.clean",
        names.FILE: "etl.py",
        names.EXECUTOR: "process",
        names.WORKER_ID: "process-1",
        names.PID: 4711,
    }
    assert attempt.status is None


def test_a_failed_attempt_carries_its_exception() -> None:
    attempt = only(one_task(cause=Cause.error, error=VALUE_ERROR), "attempt clean")

    assert attempt.attributes[names.ERROR_TYPE] == "ValueError"
    assert attempt.status is not None
    (event,) = attempt.events
    assert event.name == "exception"
    assert event.attributes[names.EXCEPTION_TYPE] == "builtins.ValueError"
    assert event.attributes[names.EXCEPTION_MESSAGE] == VALUE_ERROR.message
    assert event.attributes[names.EXCEPTION_STACKTRACE] == VALUE_ERROR.traceback


def test_an_attempt_whose_worker_was_killed_ends_with_that_cause() -> None:
    lost = ErrorRecord(type="actorflow.runs.worker_process:WorkerLost", message="worker process-1 ended with signal 9")

    attempt = only(one_task(cause=Cause.lost, error=lost), "attempt clean")

    assert attempt.attributes[names.ERROR_TYPE] == "lost"
    assert attempt.status is not None
    assert attempt.status.description == "lost: worker process-1 ended with signal 9"


def test_attempts_are_siblings_and_a_retry_is_linked_to_the_one_before() -> None:
    spans = traced(
        records(
            started(step("clean", attempts=2)),
            ready(1, "clean"),
            begun(1, "clean"),
            ended(2, "clean", cause=Cause.error, error=VALUE_ERROR, retry_in_s=1),
            begun(4, "clean", attempt=2),
            ended(5, "clean", attempt=2),
            over(6),
        )
    )

    first, second = named(spans, "attempt clean")
    assert first.parent_id == second.parent_id == IDS.task("clean")
    assert first.links == ()
    (link,) = second.links
    assert (link.span_id, dict(link.attributes)) == (first.span_id, {names.LINK: "retry_of"})
    assert second.attributes[names.QUEUE_S] == 1
    assert only(spans, "task clean").status is None


def test_an_attempt_that_outlived_its_run_ends_with_it() -> None:
    spans = traced(records(started(step("clean")), ready(1, "clean"), begun(2, "clean"), over(6, RunStatus.cancelled)))

    assert only(spans, "attempt clean").ended_s == START_S + 6
    assert only(spans, "attempt clean").attributes[names.CAUSE] == "cancelled"
    assert only(spans, "task clean").attributes[names.TASK_RESULT] == "cancellation"
    assert only(spans, "RUN etl").ended_s == START_S + 6


def test_what_a_killed_owner_left_open_ends_with_the_last_thing_known_once_the_run_is_taken_up() -> None:
    before = [started(step("clean")), ready(1, "clean"), begun(2, "clean")]
    after = [begun(101, "clean", attempt=2), ended(103, "clean", attempt=2), over(104)]

    spans = traced(records(*before, (100, RunResumed("me", taken_up=True)), *after))

    lost, done = named(spans, "attempt clean")
    assert (lost.attributes[names.CAUSE], lost.ended_s) == ("lost", START_S + 2)
    assert done.attributes[names.QUEUE_S] == 2
    first, second = named(spans, "RUN etl")
    assert (first.ended_s, first.attributes[names.RESULT]) == (START_S + 2, "error")
    assert (second.parent_id, second.started_s) == (first.span_id, START_S + 100)
    assert [task.parent_id for task in named(spans, "task clean")] == [first.span_id, second.span_id]


def test_a_pause_that_is_over_begins_no_new_life() -> None:
    run = records(started(step("a")), (1, RunResumed("me")), ready(2, "a"), begun(2, "a"), ended(3, "a"), over(4))

    assert [span.name for span in traced(run)] == ["attempt a", "task a", "RUN etl"]


def test_a_wide_map_that_is_taken_up_stays_thinned_out() -> None:
    limits = MapLimits(max_width=10, slowest=2)
    run = [started(step("m", mapped="x")), ready(1, "m", 50)]
    run += [one for index in range(25) for one in (begun(2, "m", index), ended(3, "m", index))]
    run += [(9, RunResumed("me", taken_up=True))]
    run += [one for index in range(25, 50) for one in (begun(10, "m", index), ended(11, "m", index))]

    spans = traced(records(*run, over(12)), limits)

    wholes = [span for span in spans if names.MAP_WIDTH in span.attributes]
    assert [span.attributes[names.map_count("success")] for span in wholes] == [25, 25]
    assert len(named(spans, "attempt m")) == 4


def test_a_run_whose_owner_was_killed_has_no_span_of_its_own_yet() -> None:
    assert traced(records(started(step("clean")), ready(1, "clean"), begun(2, "clean"))) == []


# -- maps -------------------------------------------------------------------------------------------------------------


def mapped(width: int, *, limits: MapLimits, slow: int = 0, fails: int | None = None) -> list[SpanRecord]:
    run = [started(step("clean", mapped="row")), ready(1, "clean", width)]
    for index in range(width):
        took_s = 5 if index == slow else 1
        error = {"cause": Cause.error, "error": VALUE_ERROR} if index == fails else {}
        run += [begun(10, "clean", index), ended(20, "clean", index, took_s=took_s, **error)]  # type: ignore[arg-type]
    return traced(records(*run, over(30)), limits)


def test_an_instance_is_below_its_map_and_has_its_index_as_an_attribute_only() -> None:
    spans = mapped(2, limits=MapLimits())

    whole, *rest = [span for span in named(spans, "task clean") if names.MAP_WIDTH in span.attributes]
    assert rest == []
    assert whole.attributes[names.MAP_WIDTH] == 2
    assert whole.attributes[names.map_count("success")] == 2
    assert whole.parent_id == IDS.run()
    instances = [span for span in named(spans, "task clean") if names.MAP_INDEX in span.attributes]
    assert [span.attributes[names.MAP_INDEX] for span in instances] == [0, 1]
    assert {span.parent_id for span in instances} == {whole.span_id}
    assert [span.parent_id for span in named(spans, "attempt clean")] == [span.span_id for span in instances]


def test_a_wide_map_shows_its_failed_and_its_slowest_instances_and_counts_the_rest() -> None:
    spans = mapped(50, limits=MapLimits(max_width=10, slowest=3), slow=7, fails=9)

    whole = next(span for span in spans if names.MAP_WIDTH in span.attributes)
    shown = [span.attributes[names.MAP_INDEX] for span in spans if names.MAP_INDEX in span.attributes]
    assert shown[0] == 9
    assert 7 in shown
    assert len(shown) == 4
    assert whole.attributes[names.MAP_OMITTED] == 46
    assert whole.attributes[names.map_count("success")] == 49
    assert whole.attributes[names.map_count("failure")] == 1
    assert whole.attributes[names.TASK_RESULT] == "failure"
    assert whole.status is not None
    assert whole.status.description == "1 of 50 instances failed"


def test_user_spans_of_a_wide_map_nest_inside_the_map_whose_span_is_there_for_certain() -> None:
    limits = MapLimits(max_width=10)

    assert parent_for(IDS, "clean", 3, 1, 10, limits) == IDS.attempt("clean", 3, 1)
    assert parent_for(IDS, "clean", 3, 1, 11, limits) == IDS.task("clean")
    assert parent_for(IDS, "clean", None, 1, None, limits) == IDS.attempt("clean", None, 1)


def test_an_empty_map_ends_when_it_is_ready() -> None:
    spans = traced(records(started(step("clean", mapped="row")), ready(2, "clean", 0), over(3)))

    assert only(spans, "task clean").attributes[names.MAP_WIDTH] == 0
    assert only(spans, "task clean").attributes[names.TASK_RESULT] == "success"


def test_instances_that_never_ran_count_as_what_they_are() -> None:
    run = [started(step("clean", mapped="row")), ready(1, "clean", 3), begun(1, "clean", 0), ended(2, "clean", 0)]
    cancelled = [(3.0, TaskFinished("clean", index, TaskState.cancelled, Cause.cancelled)) for index in (1, 2)]

    spans = traced(records(*run, *cancelled, over(4, RunStatus.cancelled)))

    whole = next(span for span in spans if names.MAP_WIDTH in span.attributes)
    assert whole.attributes[names.map_count("cancellation")] == 2
    assert whole.attributes[names.TASK_RESULT] == "cancellation"


# -- whatever happens -------------------------------------------------------------------------------------------------


@st.composite
def histories(draw: st.DrawFn) -> list[Record]:
    """A run of a plain step and of maps, with retries, failures, and with records missing."""
    events = [started(step("a"), step("m", "a", mapped="x"), step("z", "m"))]
    at_s = 0.0
    for name, width in (("a", None), ("m", draw(st.integers(0, 6))), ("z", None)):
        at_s += 1
        if draw(st.integers(0, 9)) == 0:
            events.append(unstarted(at_s, name))
            continue
        events.append(ready(at_s, name, width))
        for index in [None] if width is None else range(width):
            for number in range(1, draw(st.integers(1, 3)) + 1):
                at_s += 1
                events.append(begun(at_s, name, index, number))
                retry_in_s = 1.0 if draw(st.booleans()) else None
                cause = draw(st.sampled_from([Cause.ran, Cause.error, Cause.lost, Cause.cancelled]))
                events.append(ended(at_s + 0.5, name, index, number, cause=cause, retry_in_s=retry_in_s))
                if retry_in_s is None:
                    break
    missing = draw(st.sets(st.integers(1, len(events)), max_size=3))
    kept = [event for number, event in enumerate(events) if number == 0 or number not in missing]
    return records(*kept, over(at_s + 2))


@given(histories(), st.integers(0, 6))
def test_no_span_is_an_orphan_or_there_twice_whatever_happens(run: list[Record], max_width: int) -> None:
    spans = traced(run, MapLimits(max_width=max_width, slowest=1, max_failed=1, max_retried=1))

    ids = [span.span_id for span in spans]
    assert len(set(ids)) == len(ids)
    assert {span.parent_id for span in spans} <= {None, *ids}
    assert [span.name for span in spans if span.parent_id is None] == ["RUN etl"]
    assert all(span.started_s <= span.ended_s for span in spans)


@given(histories(), st.data())
def test_what_a_killed_coordinator_sent_a_resume_sends_again_unchanged(run: list[Record], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(run)))

    sent = traced(run[:cut])

    assert traced(run)[: len(sent)] == sent


def test_the_states_of_attempts_have_words_too() -> None:
    assert names.result_of(AttemptState.failed, Cause.timed_out) == "timeout"
