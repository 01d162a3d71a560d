"""The tables of states: a row each, and nothing leaves a terminal state."""

from __future__ import annotations

import pytest

from actorflow.runs.states import (
    RUN_TRANSITIONS,
    TASK_TRANSITIONS,
    TERMINAL_RUN_STATUSES,
    TERMINAL_TASK_STATES,
    RunStatus,
    TaskState,
    may_become,
    run_may_become,
)

TASK_ROWS = {
    "pending": "queued skipped upstream_failed cancelled failed",
    "queued": "running cancelled failed",
    "running": "succeeded failed up_for_retry cancelling cancelled queued",
    "up_for_retry": "queued cancelled failed",
    "waiting": "queued skipped cancelled failed",
    "cancelling": "cancelled succeeded failed",
    "succeeded": "",
    "failed": "",
    "cancelled": "",
    "skipped": "",
    "upstream_failed": "",
}
RUN_ROWS = {
    "queued": "running cancelled",
    "running": "pausing cancelling succeeded failed",
    "pausing": "paused running cancelling succeeded failed",
    "paused": "running cancelling cancelled",
    "cancelling": "cancelled failed",
    "succeeded": "",
    "failed": "",
    "cancelled": "",
    "interrupted": "",
}


@pytest.mark.parametrize("state", TaskState)
@pytest.mark.parametrize("following", TaskState)
def test_a_task_goes_only_where_its_row_says(state: TaskState, following: TaskState) -> None:
    assert may_become(state, following) == (following.value in TASK_ROWS[state.value].split())


@pytest.mark.parametrize("status", RunStatus)
@pytest.mark.parametrize("following", RunStatus)
def test_a_run_goes_only_where_its_row_says(status: RunStatus, following: RunStatus) -> None:
    assert run_may_become(status, following) == (following.value in RUN_ROWS[status.value].split())


def test_terminal_states_are_those_that_nothing_leaves() -> None:
    assert {
        TaskState.succeeded,
        TaskState.failed,
        TaskState.cancelled,
        TaskState.skipped,
        TaskState.upstream_failed,
    } == TERMINAL_TASK_STATES
    assert {RunStatus.succeeded, RunStatus.failed, RunStatus.cancelled} == TERMINAL_RUN_STATUSES
    assert set(TASK_TRANSITIONS) == set(TaskState)
    assert set(RUN_TRANSITIONS) == set(RunStatus)
