"""Decision: what one event leads to, while it is followed up: when it came, what is said so far, who failed first."""

from __future__ import annotations

from actorflow.runs.events import Event
from actorflow.runs.executor import Cause, ErrorRecord
from actorflow.runs.instructions import CheckLimits, Instruction, Record
from actorflow.runs.stage_state import StageState

Failure = tuple[str, Cause, ErrorRecord | None]
"""A step, and why it failed."""


class Decision:
    """now_s: when the event in hand came, seconds of a monotonic clock. first_failure: of the run, None so far."""

    __slots__ = ("first_failure", "now_s", "out")

    def __init__(self) -> None:
        self.now_s = 0.0
        self.first_failure: Failure | None = None
        self.out: list[Instruction] = []

    def say(self, instruction: Instruction) -> None:
        self.out.append(instruction)

    def record(self, event: Event) -> None:
        self.out.append(Record(event))

    def failed(self, step: str, cause: Cause, error: ErrorRecord | None) -> None:
        """The first of all failures is what the run fails of."""
        if self.first_failure is None:
            self.first_failure = (step, cause, error)

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
