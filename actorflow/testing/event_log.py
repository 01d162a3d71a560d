"""Event log of a kit: what happened to its actors, in order, as a value that two runs can be compared by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class EventKind(StrEnum):
    """What happened.

    started: an incarnation is up. handling: it begins a message; the detail names the handler. crash_injected: by the
    kit. ended: an incarnation is over; the detail says why, and what follows. gone: no further incarnation will come.
    dead_letter: a message to it was not handled. partitioned, healed: two nodes. note: written by the test.
    """

    started = "started"
    handling = "handling"
    crash_injected = "crash_injected"
    ended = "ended"
    gone = "gone"
    dead_letter = "dead_letter"
    partitioned = "partitioned"
    healed = "healed"
    note = "note"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened.

    at_s: of virtual time, rounded to microseconds. subject: `path#incarnation` of an actor, or two nodes, or empty.
    """

    at_s: float
    kind: EventKind
    subject: str
    detail: str

    def __str__(self) -> str:
        return " ".join(filter(None, (f"{self.at_s:.6f}", self.subject, self.kind, self.detail)))


class EventLog:
    """Takes events in the order in which they happen."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._events: list[Event] = []

    @property
    def events(self) -> tuple[Event, ...]:
        return tuple(self._events)

    def add(self, kind: EventKind, subject: str = "", detail: str = "") -> None:
        self._events.append(Event(round(self._now_s(), 6), kind, subject, detail))
