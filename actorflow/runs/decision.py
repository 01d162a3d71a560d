"""Decision: what one event leads to, while it is followed up: when it came, what is said so far, who failed first."""

from __future__ import annotations

from typing import Final

from actorflow.runs.events import Event
from actorflow.runs.executor import Cause, ErrorRecord
from actorflow.runs.instructions import CheckLimits, Instruction, Record
from actorflow.runs.stage_state import StageState

Failure = tuple[str, Cause, ErrorRecord | None]
"""A step, and why it failed."""

MAX_FAILURES: Final = 1_000
"""Steps whose failure is kept in memory: with its traceback each is a few KiB, and the run names only one."""


class Decision:
    """now_s: when the event in hand came, seconds of a monotonic clock. failures: the first of each step, in order.

    A failure that is allowed is none of them.
    """

    __slots__ = ("failures", "now_s", "out")

    def __init__(self) -> None:
        self.now_s = 0.0
        self.failures: dict[str, Failure] = {}
        self.out: list[Instruction] = []

    def say(self, instruction: Instruction) -> None:
        self.out.append(instruction)

    def record(self, event: Event) -> None:
        self.out.append(Record(event))

    def failed(self, stage: StageState, cause: Cause, error: ErrorRecord | None) -> None:
        """An instance of the step has failed for good."""
        if stage.name not in self.failures and len(self.failures) < MAX_FAILURES and not stage.step.allow_failure:
            self.failures[stage.name] = (stage.name, cause, error)

    def watch(self, stage: StageState) -> None:
        """Have the step looked at when its next limit is over, unless that is so already."""
        next_s = stage.next_limit_s()
        if next_s is None or (stage.check_s is not None and stage.check_s <= next_s):
            return
        stage.check_s = next_s
        self.say(CheckLimits(stage.name, max(0.0, next_s - self.now_s)))

    def taken(self) -> list[Instruction]:
        """All that was said, for the shell to do in order."""
        out, self.out = self.out, []
        return out
