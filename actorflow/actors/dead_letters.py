"""Dead letters: every message that was dropped or could not be delivered, counted and shown."""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

logger = logging.getLogger("actorflow.actors")

KEPT = 256
"""How many of the latest dead letters are kept."""
LOGGED_AT_ONCE = 10
LOG_PAUSE_S = 60.0
"""After LOGGED_AT_ONCE lines the log falls silent for this long, then says how many it left out."""


class DeadLetterReason(StrEnum):
    """Why a message was not handled."""

    not_running = "not_running"
    stopping = "stopping"
    dropped_newest = "dropped_newest"
    dropped_oldest = "dropped_oldest"
    mailbox_full = "mailbox_full"
    crashed = "crashed"
    quarantined = "quarantined"
    expired = "expired"
    unknown_handler = "unknown_handler"
    bad_arguments = "bad_arguments"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """One message that was not handled, or not to its end.

    actor: the path of its target. handler: what it would have called. errors: for a crash or a quarantine, the error
    of each incarnation that it crashed, oldest first, each with its traceback.
    """

    actor: str
    handler: str
    reason: DeadLetterReason
    errors: tuple[BaseException, ...] = ()


class DeadLetters:
    """The dead letters of one system."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._counts: Counter[DeadLetterReason] = Counter()
        self._recent: deque[DeadLetter] = deque(maxlen=KEPT)
        self._subscribers: list[Callable[[DeadLetter], None]] = []
        self._logged = 0
        self._silent_until_s = 0.0
        self._left_out = 0

    @property
    def count(self) -> int:
        """How many there were since the system began."""
        return self._counts.total()

    @property
    def counts(self) -> dict[DeadLetterReason, int]:
        """How many there were, by reason."""
        return dict(self._counts)

    @property
    def recent(self) -> tuple[DeadLetter, ...]:
        """The latest ones, oldest first."""
        return tuple(self._recent)

    def subscribe(self, callback: Callable[[DeadLetter], None]) -> Callable[[], None]:
        """Call `callback` with each further one, in place; it must not raise. Returns what ends the subscription."""
        self._subscribers.append(callback)
        return lambda: self._subscribers.remove(callback) if callback in self._subscribers else None

    def add(self, letter: DeadLetter) -> None:
        """Record one."""
        self._counts[letter.reason] += 1
        self._recent.append(letter)
        for callback in self._subscribers:
            callback(letter)
        if logger.isEnabledFor(logging.WARNING):
            self._log(letter)

    def _log(self, letter: DeadLetter) -> None:
        now_s = self._now_s()
        if self._logged >= LOGGED_AT_ONCE:
            if now_s < self._silent_until_s:
                self._left_out += 1
                return
            logger.warning("%d dead letters were left out of the log", self._left_out)
            self._logged = self._left_out = 0
        self._logged += 1
        self._silent_until_s = now_s + LOG_PAUSE_S
        logger.warning("dead letter (%s): %s to %s", letter.reason, letter.handler, letter.actor)
