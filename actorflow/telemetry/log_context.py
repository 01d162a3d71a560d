"""Log context: which trace and which attempt a line of the standard library's logging comes from."""

from __future__ import annotations

import logging
import sys
from typing import Any

from actorflow.runs.task_context import TaskContext, task_context


class LogContext(logging.Filter):
    """Gives every record `run_id`, `task`, `map_index`, `attempt`, `trace_id` and `span_id`; "" where there is none.

    For a handler: `handler.addFilter(LogContext())`, then `%(run_id)s` and the others in its format. It lets every
    record pass, and imports nothing: without telemetry the trace is "".
    """

    def filter(self, record: logging.LogRecord) -> bool:
        task = _current_task()
        record.run_id = "" if task is None else task.run_id
        record.task = "" if task is None else task.task
        record.map_index = "" if task is None or task.map_index is None else str(task.map_index)
        record.attempt = "" if task is None else str(task.attempt)
        record.trace_id, record.span_id = _current_span()
        return True


def _current_task() -> TaskContext | None:
    try:
        return task_context()
    except RuntimeError:
        return None


def _current_span() -> tuple[str, str]:
    # Whoever has a current span has imported this already.
    trace: Any = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return "", ""
    found = trace.get_current_span().get_span_context()
    return (f"{found.trace_id:032x}", f"{found.span_id:016x}") if found.is_valid else ("", "")
