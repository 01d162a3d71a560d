"""The time limits of a run, and how each of them says that it is over.

| limit | from | to | kept by | cause, and what it says |
|---|---|---|---|---|
| timeout | the body may begin | the attempt ends | the executor | timed_out: `took longer than its timeout of 5s` |
| deadline | the instance may first start | it is done, attempts and waits together | the run | timed_out: `deadline` |
| queue_timeout | the instance may start | its body may begin | the run, and the executor's queue | timed_out: `queue` |
| timeout of a run | its start | its end, pauses left out | the run | the run failed, timed_out |

All of them are seconds of a monotonic clock.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import anyio

from actorflow.flows.durations import format_duration
from actorflow.runs.executor import AttemptSpec, AttemptState, Cause, ErrorRecord, Outcome

R = TypeVar("R")

DEADLINE: Final = "actorflow:DeadlineExceeded"
QUEUE_TIMEOUT: Final = "actorflow:QueueTimeout"
RUN_TIMEOUT: Final = "actorflow:RunTimeout"
"""The types of the records; that of an attempt's own timeout is Python's TimeoutError."""


async def within_timeout(attempt: AttemptSpec, call: Callable[[], Awaitable[Outcome]]) -> Outcome:
    """The outcome of `call`, which is cancelled once the attempt's `timeout_s` is over."""
    if attempt.timeout_s is None:
        return await call()
    with anyio.move_on_after(attempt.timeout_s):
        return await call()
    return timed_out(attempt)


async def before_it_waited_too_long(attempt: AttemptSpec, call: Callable[[], Awaitable[R]]) -> R | Outcome:
    """What `call` gets for an attempt to run on, or the outcome of one that waited longer for it than it may."""
    if attempt.queue_left_s is None:
        return await call()
    with anyio.move_on_after(attempt.queue_left_s):
        return await call()
    error = waited_too_long(attempt.label, attempt.queue_timeout_s)
    return Outcome(state=AttemptState.failed, cause=Cause.timed_out, error=error)


def timed_out(attempt: AttemptSpec) -> Outcome:
    """The outcome of an attempt that took longer than it may."""
    message = f"attempt {attempt.number} of {attempt.label} took longer than its timeout of {attempt.timeout_s:g} s"
    error = ErrorRecord(type="builtins:TimeoutError", message=message)
    return Outcome(state=AttemptState.failed, cause=Cause.timed_out, error=error)


def waited_too_long(label: str, queue_timeout_s: float | None) -> ErrorRecord:
    """An instance that could have started, and did not in time."""
    limit = format_duration(queue_timeout_s or 0.0)
    return ErrorRecord(
        type=QUEUE_TIMEOUT, message=f"{label} waited for its turn longer than its queue_timeout of {limit}"
    )


def deadline_exceeded(label: str, deadline_s: float, *, last: ErrorRecord | None = None) -> ErrorRecord:
    """An instance that was not done in time. last: what its last attempt failed with, where the next is too late."""
    limit = format_duration(deadline_s)
    if last is None:
        return ErrorRecord(type=DEADLINE, message=f"{label} was not done within its deadline of {limit}")
    failure = f"{last.type.rpartition(':')[2]}: {last.message}"
    message = (
        f"{label} cannot be done within its deadline of {limit}: its next attempt would come too late, after {failure}"
    )
    return ErrorRecord(type=DEADLINE, message=message, traceback=last.traceback, frames=last.frames)


def run_timed_out(timeout_s: float) -> ErrorRecord:
    """A run that was not over in time."""
    return ErrorRecord(
        type=RUN_TIMEOUT, message=f"the run was not over within its timeout of {format_duration(timeout_s)}"
    )
