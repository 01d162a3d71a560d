"""Since when an attempt waited."""

from __future__ import annotations

from actorflow.runs.events import AttemptStarted, Record
from actorflow.runs.executor import Cause
from actorflow.telemetry.readiness import Readiness
from tests.cli.records import START_S, begun, ended, ready, records, started, step


def waits(run: list[Record]) -> list[float | None]:
    """Of each start of an attempt, in seconds of the run."""
    readiness = Readiness()
    told = [(record.event, readiness.apply(record)) for record in run]
    return [since - START_S for event, since in told if isinstance(event, AttemptStarted) and since is not None]


def test_the_first_attempt_of_a_step_waits_since_the_step_was_ready() -> None:
    assert waits(records(started(step("a")), ready(1, "a"), begun(3, "a"))) == [1]


def test_an_instance_waits_since_its_map_was_ready() -> None:
    run = records(started(step("m", mapped="x")), ready(1, "m", 2), begun(2, "m", 0), begun(5, "m", 1))

    assert waits(run) == [1, 1]


def test_an_instance_whose_list_is_being_made_waits_since_its_own_element_was_there() -> None:
    run = records(
        started(step("m", mapped="x"), step("n", "m", mapped="y")),
        ready(1, "m", 2),
        ready(1, "n", 2),
        begun(1, "m", 0),
        begun(1, "m", 1),
        ended(4, "m", 1),
        begun(5, "n", 1),
        ended(6, "m", 0),
        begun(8, "n", 0),
    )

    assert waits(run) == [1, 1, 4, 6]


def test_a_map_over_a_finished_map_waits_since_it_was_ready() -> None:
    run = records(
        started(step("m", mapped="x"), step("n", "m", mapped="y")),
        ready(1, "m", 1),
        begun(1, "m", 0),
        ended(4, "m", 0),
        ready(6, "n", 1),
        begun(7, "n", 0),
    )

    assert waits(run) == [1, 6]


def test_a_retry_waits_since_it_was_due() -> None:
    run = records(
        started(step("a", attempts=2)),
        ready(1, "a"),
        begun(1, "a"),
        ended(2, "a", cause=Cause.error, retry_in_s=3),
        begun(7, "a", attempt=2),
    )

    assert waits(run) == [1, 5]


def test_nobody_waits_from_the_future_on() -> None:
    run = records(
        started(step("a", attempts=2)),
        ready(1, "a"),
        begun(1, "a"),
        ended(2, "a", cause=Cause.error, retry_in_s=30),
        begun(7, "a", attempt=2),
    )

    assert waits(run) == [1, 7]
