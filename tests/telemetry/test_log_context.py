"""Lines of the standard library's logging that say which attempt and trace they come from."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest

from actorflow.runs.task_context import TaskContext, in_task
from actorflow.telemetry.attempt_context import current
from actorflow.telemetry.identity import TraceContext
from actorflow.telemetry.log_context import LogContext

FORMAT = "%(run_id)s %(task)s %(map_index)s %(attempt)s %(trace_id)s %(span_id)s %(message)s"


def line(context: TaskContext | None, trace: TraceContext | None) -> str:
    record = logging.makeLogRecord({"msg": "hello"})
    if context is not None and trace is not None:
        with in_task(context), current(trace):
            LogContext().filter(record)
    else:
        LogContext().filter(record)
    return logging.Formatter(FORMAT).format(record)


def test_a_line_of_a_task_names_its_attempt_and_its_span() -> None:
    said = line(TaskContext("r1", "clean", 7, 2), TraceContext(10, 11))

    assert said == f"r1 clean 7 2 {10:032x} {11:016x} hello"


def test_a_line_from_outside_of_a_task_has_them_empty() -> None:
    assert line(None, None) == "      hello"


@pytest.mark.parametrize("name", ["opentelemetry"])
def test_without_telemetry_nothing_of_it_is_imported(name: str) -> None:
    code = (
        "import logging, sys; from actorflow.telemetry.log_context import LogContext; "
        "LogContext().filter(logging.makeLogRecord({})); "
        f"print([one for one in sys.modules if one.partition('.')[0] == {name!r}])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"
