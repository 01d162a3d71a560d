"""Output settings: what becomes of what the tasks of a run print and log."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from actorflow.runs.output_echo import echo
from actorflow.runs.output_log import Listener, OutputLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputSettings:
    """How output is kept and who is told.

    listener: told of records once they are kept, on a thread of its own, which waits for nobody else; `echo` says them
    again on standard error and through the loggers of this program. limits: how much is kept. capture_prints: what
    tasks on the loop and in threads of this process print and log is kept, too; for the length of the run stand-ins
    take the place of `sys.stdout` and `sys.stderr`.
    """

    listener: Listener = echo
    limits: OutputLimits = field(default_factory=OutputLimits)
    capture_prints: bool = False


DEFAULT_OUTPUT: Final = OutputSettings()
