"""The states of runs and tasks, and which state may follow which.

Few states; why a task is in one is its *cause* (actorflow/runs/executor.py). Transitions that a table does not name
are refused: a late verdict never overwrites a committed one.

| task state | may become |
|---|---|
| pending | queued, skipped, upstream_failed, cancelled, failed (its inputs could not be resolved) |
| queued | running, cancelled, failed (it waited too long for its turn, or its deadline is over) |
| running | succeeded, failed, up_for_retry, cancelling, cancelled, queued (a pause took it back) |
| up_for_retry | queued, cancelled, failed (its deadline is over, or would be) |
| waiting | queued, skipped, cancelled, failed |
| cancelling | cancelled, succeeded, failed |
| succeeded, failed, cancelled, skipped, upstream_failed | nothing: terminal |

| run state | may become |
|---|---|
| queued | running, cancelled |
| running | pausing, cancelling, succeeded, failed |
| pausing | paused, running (resumed before it was), cancelling, succeeded, failed |
| paused | running, cancelling, cancelled |
| cancelling | cancelled, failed |
| succeeded, failed, cancelled | nothing: terminal |
"""

from __future__ import annotations

from enum import StrEnum


class TaskState(StrEnum):
    """Where a task instance stands."""

    pending = "pending"
    queued = "queued"
    running = "running"
    up_for_retry = "up_for_retry"
    waiting = "waiting"
    cancelling = "cancelling"
    succeeded = "succeeded"
    failed = "failed"
    cancelled = "cancelled"
    skipped = "skipped"
    upstream_failed = "upstream_failed"


class RunStatus(StrEnum):
    """Where a run stands; a running one whose owner is gone is shown as interrupted."""

    queued = "queued"
    running = "running"
    pausing = "pausing"
    paused = "paused"
    cancelling = "cancelling"
    succeeded = "succeeded"
    failed = "failed"
    cancelled = "cancelled"
    interrupted = "interrupted"


_T = TaskState
TASK_TRANSITIONS: dict[TaskState, frozenset[TaskState]] = {
    _T.pending: frozenset({_T.queued, _T.skipped, _T.upstream_failed, _T.cancelled, _T.failed}),
    _T.queued: frozenset({_T.running, _T.cancelled, _T.failed}),
    _T.running: frozenset({_T.succeeded, _T.failed, _T.up_for_retry, _T.cancelling, _T.cancelled, _T.queued}),
    _T.up_for_retry: frozenset({_T.queued, _T.cancelled, _T.failed}),
    _T.waiting: frozenset({_T.queued, _T.skipped, _T.cancelled, _T.failed}),
    _T.cancelling: frozenset({_T.cancelled, _T.succeeded, _T.failed}),
    _T.succeeded: frozenset(),
    _T.failed: frozenset(),
    _T.cancelled: frozenset(),
    _T.skipped: frozenset(),
    _T.upstream_failed: frozenset(),
}

_R = RunStatus
RUN_TRANSITIONS: dict[RunStatus, frozenset[RunStatus]] = {
    _R.queued: frozenset({_R.running, _R.cancelled}),
    _R.running: frozenset({_R.pausing, _R.cancelling, _R.succeeded, _R.failed}),
    _R.pausing: frozenset({_R.paused, _R.running, _R.cancelling, _R.succeeded, _R.failed}),
    _R.paused: frozenset({_R.running, _R.cancelling, _R.cancelled}),
    _R.cancelling: frozenset({_R.cancelled, _R.failed}),
    _R.succeeded: frozenset(),
    _R.failed: frozenset(),
    _R.cancelled: frozenset(),
    _R.interrupted: frozenset(),
}

TERMINAL_TASK_STATES = frozenset(state for state, following in TASK_TRANSITIONS.items() if not following)
TERMINAL_RUN_STATUSES = frozenset({_R.succeeded, _R.failed, _R.cancelled})


def may_become(state: TaskState, following: TaskState) -> bool:
    """True if the table lets a task go from `state` to `following`."""
    return following in TASK_TRANSITIONS[state]


def run_may_become(status: RunStatus, following: RunStatus) -> bool:
    """True if the table lets a run go from `status` to `following`."""
    return following in RUN_TRANSITIONS[status]
