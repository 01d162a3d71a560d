"""Exit codes: what a shell is told, the same for every command.

| code | name | when |
|---|---|---|
| 0 | succeeded | the run succeeded, or the question was answered |
| 1 | failed | the run ended failed, or was cancelled by somebody else |
| 2 | invalid | usage, load or validation: nothing ran |
| 3 | unreachable | the other side could not be reached, or refused who asks |
| 70 | internal | a bug of actorflow |
| 130 | interrupted | Ctrl-C (SIGINT) or SIGQUIT, after all children are gone |
| 143 | terminated | SIGTERM or SIGHUP, after all children are gone |
"""

from __future__ import annotations

from enum import IntEnum
from signal import Signals


class ExitCode(IntEnum):
    """See the table in the module docstring."""

    succeeded = 0
    failed = 1
    invalid = 2
    unreachable = 3
    internal = 70
    interrupted = 130
    terminated = 143


class Terminated(KeyboardInterrupt):
    """SIGTERM while there was no run yet that it could stop."""


def after_run(status: str, stopped_by: Signals | None) -> ExitCode:
    """The code for a run that ended in `status`; `stopped_by` is the first signal that arrived, if any did.

    A run that had succeeded before the signal could stop it is a success.
    """
    if status == "succeeded":
        return ExitCode.succeeded
    if stopped_by in (Signals.SIGINT, Signals.SIGQUIT):
        return ExitCode.interrupted
    if stopped_by in (Signals.SIGTERM, Signals.SIGHUP):
        return ExitCode.terminated
    return ExitCode.failed
