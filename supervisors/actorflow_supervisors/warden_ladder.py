"""Warden ladder: what comes next on the way to the end of a process tree. Decides; does nothing.

| stage | event | next stage | action |
|---|---|---|---|
| running | stop | asked, until its grace is over | terminate: SIGTERM and SIGCONT to the tree |
| running | kill, ended (its root, by itself) | killing, until it is confirmed | kill: SIGSTOP, then SIGKILL to it |
| asked | stop | asked, until the shorter grace is over | |
| asked | ended | asked: the others have their grace too | |
| asked | gone (whoever was asked), kill, deadline | killing | kill |
| killing | gone (whoever was killed) | gone, or killing again where something new is found | confirm |
| killing | deadline | gone | bury: with survivors |
| gone, or anything not listed | | the same | |

A stop with a grace of 0 is a kill.
"""

from __future__ import annotations

from enum import StrEnum

CONFIRM_S = 5.0
"""Seconds that a killed process has to vanish before it is reported: only one that hangs in the kernel needs longer."""


class Stage(StrEnum):
    """How far a tree is from its end."""

    running = "running"
    asked = "asked"
    killing = "killing"
    gone = "gone"


class Event(StrEnum):
    """What happens to a tree."""

    stop = "stop"
    kill = "kill"
    ended = "ended"
    all_gone = "all_gone"
    deadline = "deadline"


class Action(StrEnum):
    """What its warden does about that."""

    nothing = "nothing"
    terminate = "terminate"
    kill = "kill"
    confirm = "confirm"
    bury = "bury"


_TABLE: dict[tuple[Stage, Event], tuple[Stage, Action]] = {
    (Stage.running, Event.stop): (Stage.asked, Action.terminate),
    (Stage.running, Event.kill): (Stage.killing, Action.kill),
    (Stage.running, Event.ended): (Stage.killing, Action.kill),
    (Stage.asked, Event.all_gone): (Stage.killing, Action.kill),
    (Stage.asked, Event.kill): (Stage.killing, Action.kill),
    (Stage.asked, Event.deadline): (Stage.killing, Action.kill),
    (Stage.killing, Event.all_gone): (Stage.killing, Action.confirm),
    (Stage.killing, Event.deadline): (Stage.gone, Action.bury),
}


class Ladder:
    """The stage of one tree. deadline_s: when `deadline` happens, seconds of the clock that is passed in; else None."""

    __slots__ = ("deadline_s", "stage")

    def __init__(self) -> None:
        self.stage = Stage.running
        self.deadline_s: float | None = None

    def stop(self, now_s: float, grace_s: float) -> Action:
        """Somebody asks the tree to end within `grace_s` seconds."""
        if grace_s <= 0:
            return self.happened(Event.kill, now_s)
        if self.stage is Stage.asked and self.deadline_s is not None:
            self.deadline_s = min(self.deadline_s, now_s + grace_s)
            return Action.nothing
        action = self.happened(Event.stop, now_s)
        if action is Action.terminate:
            self.deadline_s = now_s + grace_s
        return action

    def happened(self, event: Event, now_s: float) -> Action:
        """Anything but a stop."""
        stage, action = _TABLE.get((self.stage, event), (self.stage, Action.nothing))
        if action is Action.kill:
            self.deadline_s = now_s + CONFIRM_S
        self.stage = stage
        return action

    def is_due(self, now_s: float) -> bool:
        """True when `deadline` has to be told."""
        return self.deadline_s is not None and now_s >= self.deadline_s and self.stage is not Stage.gone

    def buried(self) -> None:
        """Nothing of the tree is left, or nothing more can be done."""
        self.stage = Stage.gone
        self.deadline_s = None
