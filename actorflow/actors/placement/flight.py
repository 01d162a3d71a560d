"""Flight: the messages that were sent to a placed actor's process, and what each is worth when that process ends.

The process counts, in memory that it shares with us and that outlives it, which message it has begun and which it has
finished. With both numbers, what it left behind is known exactly, whatever ended it:

| number of the message   | what it is worth at the end of the process                            |
|-------------------------|-----------------------------------------------------------------------|
| up to `finished`        | handled; an asker without its reply cannot know more: OutcomeUnknown  |
| `begun`, not `finished` | in hand: what becomes of it is said by faults.settle_crash            |
| beyond `begun`          | untouched: goes back to the head of the mailbox, in order             |
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Generic, TypeVar

from actorflow_supervisors.shared_counts import SharedCounts

M = TypeVar("M")


@dataclass(frozen=True, slots=True)
class Landing(Generic[M]):
    """The table of the module's docstring, for one flight. All in the order sent."""

    handled: tuple[M, ...]
    in_hand: M | None
    untouched: tuple[M, ...]


class Flight(Generic[M]):
    """Numbered messages, oldest first, until they are known to be finished. window: how many there may be."""

    def __init__(self, window: int) -> None:
        self.window = window
        self._messages: deque[M | None] = deque()  # None: removed
        self._finished = 0
        self._removed = 0

    def __len__(self) -> int:
        return len(self._messages) - self._removed

    @property
    def room(self) -> int:
        """How many more there may be."""
        return self.window - len(self)

    @property
    def next_number(self) -> int:
        """What the next message travels under, from 1."""
        return self._finished + len(self._messages) + 1

    @property
    def finished_number(self) -> int:
        """Up to where all are known to be finished."""
        return self._finished

    def extend(self, messages: list[M]) -> None:
        """These travel under the next numbers."""
        self._messages += messages

    def finished(self, number: int) -> int:
        """All up to `number` are finished; returns how many were not known to be."""
        messages = self._messages
        before = len(self)
        news = min(number - self._finished, len(messages))
        if news <= 0:
            return 0
        self._finished += news
        if news == len(messages):
            messages.clear()
            self._removed = 0
            return before
        for _ in range(news):
            if messages.popleft() is None:
                self._removed -= 1
        return before - len(self)

    def at(self, number: int) -> M | None:
        """The message under that number; None where it is not under way."""
        position = number - self._finished - 1
        return self._messages[position] if 0 <= position < len(self._messages) else None

    def remove(self, number: int) -> None:
        """This one will not be handled."""
        position = number - self._finished - 1
        if 0 <= position < len(self._messages) and self._messages[position] is not None:
            self._messages[position] = None
            self._removed += 1

    def land(self, begun: int, finished: int) -> Landing[M]:
        """The process has ended, with these counts: nothing is in flight any more."""
        handled: list[M] = []
        untouched: list[M] = []
        in_hand: M | None = None
        for number, message in enumerate(self._messages, self._finished + 1):
            if message is None:
                continue
            if number <= finished:
                handled.append(message)
            elif number == begun:
                in_hand = message
            elif number < begun:
                handled.append(message)  # passed over: its asker had gone, or its time was up
            else:
                untouched.append(message)
        self._messages.clear()
        return Landing(tuple(handled), in_hand, tuple(untouched))


BEGUN, FINISHED = 0, 1


class Progress(SharedCounts):
    """Two numbers that two processes share: which message was begun, which was finished."""

    @property
    def begun(self) -> int:
        return self.counts[BEGUN]

    @begun.setter
    def begun(self, number: int) -> None:
        self.counts[BEGUN] = number

    @property
    def finished(self) -> int:
        return self.counts[FINISHED]

    @finished.setter
    def finished(self, number: int) -> None:
        self.counts[FINISHED] = number
