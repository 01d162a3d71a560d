"""Channel: the output of one attempt on its way to the log of its run, within bounds.

As long as the attempt's share lasts and the log keeps pace, whole lines go straight on. After that only the last
`HELD_BYTES` are held back and everything before them is counted: when there is room again, or when the attempt ends,
the count goes to the log as a gap and the held lines after it. So the last lines of an attempt are always kept.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final, Protocol

from actorflow.runs.output import Origin, Stream
from actorflow.runs.output_text import LineCutter, texts_of
from actorflow_supervisors.crash_dump import telling_lines

HELD_BYTES: Final = 64 * 1024
"""Of each attempt that is beyond its share."""

TAIL_BYTES: Final = 4 * 1024
MAX_TAIL_LINES: Final = 10
"""Of what an attempt last wrote, for its error."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Whole lines of one stream, undecoded, or a gap: then `stream` is None and `dropped` lines are missing."""

    origin: Origin
    ts: float
    stream: Stream | None
    data: bytes = b""
    dropped: int = 0
    shown: bool = False


class PieceTaker(Protocol):
    """Where pieces go. Called from any thread; neither blocks."""

    def put(self, piece: Piece) -> bool:
        """Take it; False where there is no room now."""
        ...

    def put_last(self, piece: Piece) -> None:
        """Take what will not be offered again, within a reserve; beyond that it is counted."""
        ...


class Channel:
    """The output of one attempt, or of one worker between attempts. Its methods may be called from any thread.

    share_bytes: how much may go straight on. shown: a person sees it already, where it is printed.
    """

    def __init__(self, origin: Origin, taker: PieceTaker, *, share_bytes: int, shown: bool = False) -> None:
        self.origin = origin
        self.shown = shown
        self._taker = taker
        self._left_bytes = share_bytes
        # One thread may come here again in the midst of it: a destructor that prints.
        self._lock = threading.RLock()
        self._cutters: dict[Stream, LineCutter] = {}
        self._held: deque[Piece] = deque()
        self._held_bytes = 0
        self._dropped = 0
        self._last = b""
        self._ended = False

    def write(self, stream: Stream, data: bytes) -> None:
        """Take bytes as they were printed."""
        with self._lock:
            cutter = self._cutters.get(stream)
            if cutter is None:
                cutter = self._cutters[stream] = LineCutter()
            whole = cutter.feed(data)
            if whole:
                self._pass_on(stream, whole)
            if self._ended:
                self._finish()

    def end(self) -> None:
        """The attempt is over: what was held back goes to the log. What still comes is taken, too."""
        with self._lock:
            self._ended = True
            self._finish()

    def last_lines(self) -> tuple[str, ...]:
        """The last lines that were written, oldest first; of a crash its beginning."""
        with self._lock:
            whole = self._last
        if not whole:
            return ()
        if len(whole) == TAIL_BYTES:
            whole = whole[whole.find(b"\n") + 1 :] or whole
        lines = [line for texts, _ in texts_of(whole) for line in texts]
        return tuple(telling_lines(lines, MAX_TAIL_LINES))

    def _finish(self) -> None:
        for stream, cutter in self._cutters.items():
            rest = cutter.end()
            if rest:
                self._pass_on(stream, rest)
        for piece in self._released():
            self._taker.put_last(piece)

    def _pass_on(self, stream: Stream, whole: bytes) -> None:
        self._last = whole[-TAIL_BYTES:] if len(whole) >= TAIL_BYTES else (self._last + whole)[-TAIL_BYTES:]
        if self._held and self._left_bytes >= self._held_bytes + len(whole):
            self._catch_up()
        fits = len(whole) if len(whole) <= self._left_bytes else whole.rfind(b"\n", 0, self._left_bytes) + 1
        if not self._held and fits and self._taker.put(self._piece(stream, whole[:fits])):
            self._left_bytes -= fits
            whole = whole[fits:]
        if whole:
            self._hold(self._piece(stream, whole))

    def _piece(self, stream: Stream, whole: bytes) -> Piece:
        return Piece(self.origin, time.time(), stream, whole, shown=self.shown)

    def _catch_up(self) -> None:
        """Let go of what was held back, as far as there is room again."""
        if self._dropped and not self._taker.put(self._gap()):
            return
        self._dropped = 0
        while self._held and self._taker.put(self._held[0]):
            size = len(self._held.popleft().data)
            self._held_bytes -= size
            self._left_bytes -= size

    def _hold(self, piece: Piece) -> None:
        self._held.append(piece)
        self._held_bytes += len(piece.data)
        while self._held_bytes > HELD_BYTES and len(self._held) > 1:
            gone = self._held.popleft()
            self._held_bytes -= len(gone.data)
            self._dropped += gone.data.count(b"\n")
        if self._held_bytes > HELD_BYTES:
            self._shorten(self._held.pop())

    def _shorten(self, piece: Piece) -> None:
        """Hold only the last lines of the only piece."""
        begin = piece.data.find(b"\n", len(piece.data) - HELD_BYTES - 1) + 1
        if begin in (0, len(piece.data)):  # one line is longer than that
            begin = len(piece.data) - HELD_BYTES
        kept = piece.data[begin:]
        self._dropped += piece.data.count(b"\n", 0, begin)
        self._held.append(Piece(piece.origin, piece.ts, piece.stream, kept, shown=piece.shown))
        self._held_bytes = len(kept)

    def _released(self) -> list[Piece]:
        pieces = [self._gap()] if self._dropped else []
        pieces += self._held
        self._held.clear()
        self._held_bytes = self._dropped = 0
        return pieces

    def _gap(self) -> Piece:
        return Piece(self.origin, time.time(), None, dropped=self._dropped, shown=self.shown)


_current: ContextVar[Channel | None] = ContextVar("actorflow_channel", default=None)


def current_channel() -> Channel | None:
    """Where this code's prints belong; None outside of a task."""
    return _current.get()


@contextmanager
def printing_to(channel: Channel) -> Generator[None]:
    """Prints inside belong to `channel`, which has ended afterwards."""
    token = _current.set(channel)
    try:
        yield
    finally:
        _current.reset(token)
        channel.end()
