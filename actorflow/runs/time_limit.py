"""The time limit of an attempt, kept by the executors that can stop one. It counts from when the body may begin."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio

from actorflow.runs.executor import AttemptSpec, AttemptState, Cause, ErrorRecord, Outcome


async def within_timeout(attempt: AttemptSpec, call: Callable[[], Awaitable[Outcome]]) -> Outcome:
    """The outcome of `call`, which is cancelled once the attempt's `timeout_s` is over."""
    if attempt.timeout_s is None:
        return await call()
    with anyio.move_on_after(attempt.timeout_s):
        return await call()
    return timed_out(attempt)


def timed_out(attempt: AttemptSpec) -> Outcome:
    """The outcome of an attempt that took longer than it may."""
    message = f"attempt {attempt.number} of {attempt.label} took longer than its timeout of {attempt.timeout_s:g} s"
    error = ErrorRecord(type="builtins:TimeoutError", message=message)
    return Outcome(state=AttemptState.failed, cause=Cause.timed_out, error=error)
