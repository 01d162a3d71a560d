"""What a span says of an ending: status, exception, worker. Pure."""

from __future__ import annotations

import re
from typing import Final

from actorflow.runs.executor import Cause, ErrorRecord
from actorflow.telemetry import names
from actorflow.telemetry.spans import Failed, SpanEvent

MAX_STACKTRACE_CHARS: Final = 8_192
_WORKER: Final = re.compile(r"(.+) \(pid (\d+)\)")

Facts = dict[str, str | int | float | bool]


def status_of(failed: bool, cause: Cause | None, error: ErrorRecord | None, instead: str = "") -> Failed | None:
    if not failed:
        return None
    if error is None:
        return Failed(instead or (cause.value if cause is not None else "failed"))
    return Failed(f"{names.error_type(cause, error)}: {error.message}")


def exception_of(error: ErrorRecord | None, at_s: float) -> tuple[SpanEvent, ...]:
    """The end of a traceback says most."""
    if error is None:
        return ()
    facts: Facts = {names.EXCEPTION_TYPE: error.type.replace(":", "."), names.EXCEPTION_MESSAGE: error.message}
    if error.traceback:
        facts[names.EXCEPTION_STACKTRACE] = error.traceback[-MAX_STACKTRACE_CHARS:]
    return (SpanEvent(names.EXCEPTION, at_s, facts),)


def worker_facts(worker: str) -> Facts:
    found = _WORKER.fullmatch(worker)
    if found is None:
        return {names.WORKER_ID: worker} if worker else {}
    return {names.WORKER_ID: found[1], names.PID: int(found[2])}
