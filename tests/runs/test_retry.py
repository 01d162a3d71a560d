"""May a failed attempt be followed by another? A test for each row of the table, and for each budget apart."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import pytest

from actorflow.flows.graph import MemoryGrowth, RetryPolicy, Step
from actorflow.runs.executor import AttemptState, Cause, ErrorRecord, Outcome
from actorflow.runs.retry import Spent, named, next_attempt_in_s, spend
from actorflow.runs.time_limit import waited_too_long
from actorflow_supervisors import Backoff
from tests.runs.graphs import failing, step

BACKOFF = Backoff(base_s=1.0, factor=2.0, jitter=0.0, immediate_first=False)
GROWING = MemoryGrowth()


def asking(attempts: int = 3, **policy: Any) -> Step:
    return step("a", retry=RetryPolicy(attempts=attempts, backoff=BACKOFF, **policy))


def on_a_worker(cause: Cause) -> Outcome:
    return replace(failing(cause), worker="process-1")


def restarts(asked: Step, outcome: Outcome) -> int:
    """How often an instance whose every attempt ends like that is started again."""
    spent, count = Spent(), 0
    while next_attempt_in_s(asked, outcome, spent, Random(0)) is not None:
        count += 1
        assert count < 100, "it must end"
    return count


WAITED = Outcome(state=AttemptState.failed, cause=Cause.timed_out, error=waited_too_long("a", 1.0))

ROWS: list[tuple[str, Step, Outcome, int]] = [
    ("error", asking(), failing(Cause.error), 2),
    ("error, once", asking(1), failing(Cause.error), 0),
    ("error not in retry_on", asking(retry_on=("builtins:OSError",)), failing(Cause.error), 0),
    ("error in retry_on", asking(retry_on=("builtins:ValueError",)), failing(Cause.error), 2),
    ("timed_out", asking(), failing(Cause.timed_out), 2),
    ("timed_out in retry_on", asking(retry_on=("builtins:TimeoutError",)), failing(Cause.timed_out), 2),
    ("timed_out not in retry_on", asking(retry_on=("builtins:KeyError",)), failing(Cause.timed_out), 0),
    ("timed_out in the queue", asking(), WAITED, 0),
    ("lost before it ran", asking(1), failing(Cause.lost), 3),
    ("lost is not asked of retry_on", asking(retry_on=()), failing(Cause.lost), 3),
    ("lost with its worker", asking(1), on_a_worker(Cause.lost), 2),
    ("out_of_memory", asking(), failing(Cause.out_of_memory), 0),
    ("out_of_memory, allowed", asking(1, memory_restarts=2), failing(Cause.out_of_memory), 2),
    (
        "out_of_memory, growing",
        replace(asking(1), memory_bytes=1, memory_growth=GROWING),
        failing(Cause.out_of_memory),
        1,
    ),
    ("bad_output", asking(), failing(Cause.bad_output), 0),
    ("bad_input", asking(), failing(Cause.bad_input), 0),
    ("cancelled", asking(), failing(Cause.cancelled), 0),
]


@pytest.mark.parametrize(("asked", "outcome", "expected"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_an_instance_is_started_again_as_often_as_its_row_says(asked: Step, outcome: Outcome, expected: int) -> None:
    assert restarts(asked, outcome) == expected


def test_no_budget_is_spent_by_another_cause() -> None:
    spent = Spent()
    for cause in (Cause.error, Cause.timed_out, Cause.lost, Cause.out_of_memory, Cause.bad_output, Cause.cancelled):
        spend(failing(cause), spent)

    assert spent == Spent(errors=2, lost=1, workers=0, memory=1)


def test_the_wait_goes_by_the_number_of_the_restart_in_its_own_budget() -> None:
    asked, spent, rng = asking(memory_restarts=3), Spent(), Random(0)

    causes = (Cause.error, Cause.error, Cause.lost, Cause.out_of_memory, Cause.out_of_memory)
    waits = [next_attempt_in_s(asked, failing(cause), spent, rng) for cause in causes]

    assert waits == [1.0, 2.0, 1.0, 1.0, 2.0]


def test_a_task_that_has_ended_three_workers_is_poison_and_says_so() -> None:
    spent = Spent()
    for _ in range(3):
        spend(on_a_worker(Cause.lost), spent)

    told = named(on_a_worker(Cause.lost), spent)

    assert told.cause is Cause.lost
    assert told.error == ErrorRecord(
        type="builtins:ValueError",
        message="it has ended 3 workers and is not started again; no",
        bases=("builtins:ValueError",),
    )


def test_workers_lost_before_it_ran_do_not_make_a_task_poison() -> None:
    spent = Spent()
    for _ in range(4):
        spend(failing(Cause.lost), spent)

    assert not spent.is_poison
    assert named(failing(Cause.lost), spent) == failing(Cause.lost)


def test_another_failure_of_a_task_that_lost_workers_is_told_as_it_is() -> None:
    assert named(failing(Cause.error), Spent(workers=3)) == failing(Cause.error)
