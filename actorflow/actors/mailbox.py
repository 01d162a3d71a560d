"""Mailboxes: a bounded queue with one reader, kept over the reader's crashes.

The reader drains the queue in place and parks in one slot when it is empty. A sender that has to wait hands its message
over with a slot; the reader takes it in when the queue is half empty, so that senders wake in batches and in order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from actorflow.actors.envelope import Ask, Message

if TYPE_CHECKING:
    from actorflow_supervisors.loop import Slot

DEFAULT_CAPACITY = 1_000


class Overflow(StrEnum):
    """What a full mailbox does with one more message.

    wait: the sender waits for room. drop_newest: that message is dropped. drop_oldest: the one waiting longest is
    dropped. fail: the sender gets MailboxFull. A dropped message is a dead letter, and its asker gets MailboxFull.
    """

    wait = "wait"
    drop_newest = "drop_newest"
    drop_oldest = "drop_oldest"
    fail = "fail"


OverflowName: TypeAlias = Literal["wait", "drop_newest", "drop_oldest", "fail"]


@dataclass(frozen=True, slots=True, init=False)
class Mailbox:
    """The bounds of an actor's mailbox: at most `capacity` (1 or more) messages wait, and what happens beyond that.

    low_water: senders that wait are let in when no more messages than this are left, half of the capacity.
    """

    capacity: int
    overflow: Overflow
    low_water: int = field(repr=False, compare=False)

    def __init__(self, capacity: int = DEFAULT_CAPACITY, overflow: Overflow | OverflowName = Overflow.wait) -> None:
        if capacity < 1:
            raise ValueError(f"the capacity of a mailbox must be 1 or more, not {capacity}")
        object.__setattr__(self, "capacity", capacity)
        object.__setattr__(self, "overflow", Overflow(overflow))
        object.__setattr__(self, "low_water", capacity // 2)


NOTHING_YET: Final[deque[Message]] = deque()
"""The queue of every mailbox before its first message; never appended to. An empty deque weighs 600 bytes."""


class Waiting:
    """A sender that waits for room, and the message it brings."""

    __slots__ = ("message", "slot")

    def __init__(self, message: Message, slot: Slot) -> None:
        self.message = message
        self.slot = slot


class Inbox:
    """The queue behind a `Mailbox`.

    items: the waiting messages, oldest first. room: senders may append while fewer than this wait, without asking
    further; -1 sends them through `admission`. parked: where the reader waits, when it does.
    """

    __slots__ = ("closed", "inspected", "items", "parked", "room", "settings", "waiting")

    def __init__(self, settings: Mailbox, *, inspected: bool) -> None:
        self.settings = settings
        self.inspected = inspected
        self.items: deque[Message] = NOTHING_YET
        self.room = -1
        self.parked: Slot | None = None
        self.waiting: deque[Waiting] | None = None
        self.closed = False

    @property
    def has_room(self) -> bool:
        """True if one more message fits and overtakes no waiting sender."""
        return not self.waiting and len(self.items) < self.settings.capacity

    def put(self, message: Message) -> None:
        """Append `message` and wake the reader, whatever the capacity."""
        if self.items is NOTHING_YET:
            self.items = deque()
            self._open()
        self.items.append(message)
        self.wake()

    def _open(self) -> None:
        self.room = -1 if self.inspected or self.closed else self.settings.capacity

    def wake(self) -> None:
        """Let a parked reader go on."""
        slot, self.parked = self.parked, None
        if slot is not None and not slot.done():
            slot.set_result(None)

    def wait_for_room(self, message: Message, slot: Slot) -> Waiting:
        """Queue a sender; its slot is filled once the message lies in the queue, or the mailbox has closed."""
        if self.waiting is None:
            self.waiting = deque()
        self.room = -1
        entry = Waiting(message, slot)
        self.waiting.append(entry)
        return entry

    def leave(self, entry: Waiting) -> bool:
        """A waiting sender gives up. False if its message was taken in already."""
        if self.waiting is None or entry not in self.waiting:
            return False
        self.waiting.remove(entry)
        return True

    def take_in(self) -> None:
        """For the reader, at low water: take in what waiting senders bring, oldest first."""
        waiting = self.waiting
        while waiting and len(self.items) < self.settings.capacity:
            entry = waiting.popleft()
            if entry.slot.done():
                continue
            self.items.append(entry.message)
            entry.slot.set_result(None)
        if not waiting:
            self.waiting = None
            self._open()

    def drop_oldest(self) -> Message | None:
        """Remove the user message that waits longest; None if there is none."""
        for position, message in enumerate(self.items):
            if isinstance(message, tuple | Ask):
                del self.items[position]
                return message
        return None

    def close(self) -> Sequence[Message]:
        """Refuse everything from now on, and give back each message that was not handled, waiting senders' included.

        Refusing and emptying are one step: no message can fall between them.
        """
        self.closed = True
        self.room = -1
        if not self.items and not self.waiting:
            return ()
        left: list[Message] = list(self.items)
        self.items.clear()
        waiting, self.waiting = self.waiting, None
        for entry in waiting or ():
            if not entry.slot.done():
                left.append(entry.message)
                entry.slot.set_result(None)
        return left
