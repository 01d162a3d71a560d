"""Calling a task's function: every way a call can end becomes an Outcome. Used where the body runs in this process."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

import anyio

from actorflow.actors.codec import EncodeError
from actorflow.runs.error_record import error_record
from actorflow.runs.executor import AttemptSpec, AttemptState, Cause, Outcome
from actorflow.runs.task_context import context_of, in_task
from actorflow.runs.values import Value


def call_sync(function: Callable[..., object], attempt: AttemptSpec) -> Outcome:
    """Call a `def` here and now; raises nothing."""
    cpu_before_s = time.thread_time()
    try:
        with in_task(context_of(attempt)):
            result = function(**{name: value.get() for name, value in attempt.arguments.items()})
    except BaseException as exc:  # noqa: BLE001 - sys.exit and its kin are the user's failure, not ours
        return failed(Cause.error, exc, cpu_s=time.thread_time() - cpu_before_s)
    return succeeded(result, cpu_s=time.thread_time() - cpu_before_s)


async def call_async(function: Callable[..., Awaitable[object]], attempt: AttemptSpec) -> Outcome:
    """Await an `async def` in the calling task; raises only the loop's own cancellation."""
    try:
        with in_task(context_of(attempt)):
            result = await function(**{name: value.get() for name, value in attempt.arguments.items()})
    except anyio.get_cancelled_exc_class():
        raise
    except BaseException as exc:  # noqa: BLE001 - as above
        return failed(Cause.error, exc)
    return succeeded(result)


def succeeded(result: object, *, cpu_s: float | None = None) -> Outcome:
    """The outcome of a call that returned; `bad_output` where what it returned cannot be written down."""
    value = Value.of(result)
    try:
        value.data()
    except EncodeError as exc:
        return failed(Cause.bad_output, exc, cpu_s=cpu_s)
    return Outcome(state=AttemptState.succeeded, cause=Cause.ran, value=value, cpu_s=cpu_s)


def failed(cause: Cause, exc: BaseException, *, cpu_s: float | None = None) -> Outcome:
    """The outcome of a call that raised."""
    return Outcome(state=AttemptState.failed, cause=cause, error=error_record(exc), cpu_s=cpu_s)
