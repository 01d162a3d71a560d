"""The view of a run: folds records where the run's loop hands them over, draws them on a thread of its own.

A terminal that does not read (a slow link, Ctrl-S) therefore never holds up the run: lines beyond a bound are dropped,
counted, and the count is printed. Nothing here is called by a timer except the clock on the screen itself: a second
passing has no event.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Protocol

from actorflow.cli.board import Board
from actorflow.cli.output_lines import output_lines, quiet_text
from actorflow.cli.spans import Line, line, warn
from actorflow.runs.events import Record
from actorflow.runs.output import OutputRecord

MAX_WAITING_LINES = 10_000


@dataclass(frozen=True, slots=True)
class Grace:
    """A signal has been answered: what runs has until `until_s` (epoch seconds) to end."""

    until_s: float
    reason: str
    killed: bool = False


@dataclass(frozen=True, slots=True)
class Glance:
    """What a painter may look at while the board stands still. fresh: there are lines since the last glance."""

    now_s: float
    board: Board
    grace: Grace | None
    fresh: bool


class Painter(Protocol):
    """Draws. idle_s: look again after that long without news. gap_s: the least time between two drawings.

    compose: what to draw below the lines, decided quickly, while the board is held. draw: may take its time.
    given_back: inside, the terminal is as it was found and nothing is drawn.
    """

    def idle_s(self, grace: Grace | None) -> float: ...
    @property
    def gap_s(self) -> float: ...
    def compose(self, glance: Glance) -> list[Line]: ...
    def draw(self, lines: Sequence[Line], composed: Sequence[Line]) -> None: ...
    def given_back(self) -> AbstractContextManager[None]: ...
    def close(self) -> None: ...


class View:
    """Records in, drawings out; a context whose end draws what is left.

    board: what the records so far add up to; others read it once the view is closed.
    narrate: the lines that a record is worth, told after the board has taken it in.
    """

    def __init__(self, painter: Painter, board: Board, narrate: Callable[[Record], Sequence[Line]]) -> None:
        self.board = board
        self._painter = painter
        self._narrate = narrate
        self._lock = threading.Lock()
        self._lines: deque[Line] = deque()
        self._dropped = 0
        self._grace: Grace | None = None
        self._bell: SimpleQueue[bool] = SimpleQueue()
        self._thread = threading.Thread(target=self._draw_until_closed, name="actorflow view", daemon=True)

    def observe(self, records: Sequence[Record]) -> None:
        """For the journal: a batch of records that are on disk."""
        with self._lock:
            for record in records:
                self.board.apply(record)
                for spans in self._narrate(record):
                    self._keep(spans)
        self._bell.put(True)

    def recall(self, record: Record) -> None:
        """A record from before this process took the run up: no line, but the board is told."""
        with self._lock:
            self.board.apply(record)

    def log(self, text: str) -> None:
        """A line that the user's code printed outside of a task."""
        with self._lock:
            self._keep(line(quiet_text(text)))
        self._bell.put(True)

    def output(self, records: Sequence[OutputRecord]) -> None:
        """What tasks printed, each line with the task's name."""
        with self._lock:
            for record in records:
                for spans in output_lines(record):
                    self._keep(spans)
        self._bell.put(True)

    def stopping(self, grace: Grace) -> None:
        """A signal has been answered."""
        self._grace = grace
        self._bell.put(True)

    @contextmanager
    def given_back(self) -> Generator[None]:
        """Inside, the terminal is as it was found; after that it is drawn on anew. From any thread."""
        with self._painter.given_back():
            yield
        self._bell.put(True)

    def __enter__(self) -> View:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bell.put(False)
        self._thread.join()
        self._painter.close()

    def _keep(self, spans: Line) -> None:
        if len(self._lines) < MAX_WAITING_LINES:
            self._lines.append(spans)
        else:
            self._dropped += 1

    def _draw_until_closed(self) -> None:
        goes_on = True
        while goes_on:
            goes_on = self._rest()
            with self._lock:
                lines = self._taken_lines()
                glance = Glance(time.time(), self.board, self._grace, fresh=bool(lines))
                composed = self._painter.compose(glance)
            self._painter.draw(lines, composed)

    def _rest(self) -> bool:
        """Wait for news, then out the gap; all that comes meanwhile is one drawing. False once the view is closed."""
        try:
            if not self._bell.get(timeout=self._painter.idle_s(self._grace)):
                return False
        except Empty:
            return True
        gap_ends_s = time.monotonic() + self._painter.gap_s
        while True:
            try:
                if not self._bell.get(timeout=max(gap_ends_s - time.monotonic(), 0)):
                    return False
            except Empty:
                return True

    def _taken_lines(self) -> list[Line]:
        lines = list(self._lines)
        self._lines.clear()
        if self._dropped:
            lines.append(line(warn(f"{self._dropped:,} lines dropped: the terminal did not keep up")))
            self._dropped = 0
        return lines
