"""How a view is drawn without a cursor: not at all, or as lines; a signal is answered in words in either case."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

from actorflow.cli.plain import heartbeat_line
from actorflow.cli.spans import Line, line, warn
from actorflow.cli.streams import Notes
from actorflow.cli.view import Glance, Grace
from actorflow.cli.words import clock

SILENCE_S = 30.0
CLOCK_S = 1.0


class NoPainter:
    """--progress none: the board is kept for the report, nothing is drawn; a signal is still answered in words."""

    gap_s = 0.0

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self._countdown = Countdown()

    def idle_s(self, grace: Grace | None) -> float:
        return CLOCK_S if grace is not None else SILENCE_S

    def compose(self, glance: Glance) -> list[Line]:
        return self._countdown.lines(glance.grace, glance.now_s)

    def draw(self, lines: Sequence[Line], composed: Sequence[Line]) -> None:
        self._notes.insist(composed)

    def given_back(self) -> AbstractContextManager[None]:
        """Nothing was taken."""
        return nullcontext()

    def close(self) -> None:
        """Nothing is held."""


class PlainPainter(NoPainter):
    """Lines as they come, and a sign of life once nothing has been said for half a minute."""

    def __init__(self, notes: Notes) -> None:
        super().__init__(notes)
        self._said_s = math.inf

    def compose(self, glance: Glance) -> list[Line]:
        told = super().compose(glance)
        if told or glance.fresh or math.isinf(self._said_s):
            self._said_s = glance.now_s
        if glance.now_s - self._said_s < SILENCE_S or not glance.board.running:
            return told
        self._said_s = glance.now_s
        return [*told, heartbeat_line(glance.board, glance.now_s)]

    def draw(self, lines: Sequence[Line], composed: Sequence[Line]) -> None:
        self._notes.insist([*lines, *composed])


class Countdown:
    """The grace of a cancelled run, told at once, at each halving of what is left, and when it is cut short."""

    def __init__(self) -> None:
        self._next_s = math.inf
        self._killed = False

    def lines(self, grace: Grace | None, now_s: float) -> list[Line]:
        """What has to be told now; often nothing."""
        if grace is None or self._killed:
            return []
        if grace.killed:
            self._killed = True
            return [line(clock(now_s), " ", warn("killing"), " what still runs")]
        left_s = max(round(grace.until_s - now_s), 0)
        if left_s > self._next_s or left_s == 0:
            return []
        first = math.isinf(self._next_s)
        self._next_s = left_s // 2
        why = f" ({grace.reason})" if first else ""
        return [
            line(clock(now_s), " ", warn("stopping"), f"{why}: {left_s}s left for what runs; Ctrl-C again kills it")
        ]
