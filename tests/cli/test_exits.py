"""The table of exit codes, a row each."""

from __future__ import annotations

from signal import SIGINT, SIGTERM, Signals

import pytest

from actorflow.cli.exits import after_run
from actorflow.runs.states import RunStatus


@pytest.mark.parametrize(
    ("status", "stopped_by", "code"),
    [
        (RunStatus.succeeded, None, 0),
        (RunStatus.succeeded, SIGINT, 0),
        (RunStatus.failed, None, 1),
        (RunStatus.cancelled, None, 1),
        (RunStatus.cancelled, SIGINT, 130),
        (RunStatus.cancelled, SIGTERM, 143),
        (RunStatus.failed, SIGINT, 130),
    ],
)
def test_the_end_of_a_run_has_one_exit_code(status: RunStatus, stopped_by: Signals | None, code: int) -> None:
    assert after_run(status, stopped_by) == code
