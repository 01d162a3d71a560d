"""Output log: everything that the tasks of one run print and log, written by a thread of its own, within bounds.

Whoever reads a worker's pipes, or prints in this process, hands over pieces and never waits: what the writer does not
keep pace with is held back and counted by its channel (actorflow/runs/output_channel.py). Decoding, the file and the
listeners are the writer's work.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from actorflow.runs.output import LogFields, Origin, OutputRecord, Stream, encode_record, origin_of
from actorflow.runs.output_channel import Channel, Piece
from actorflow.runs.output_file import OutputSink
from actorflow.runs.output_text import marked, texts_of
from actorflow.runs.task_context import TaskContext

BATCH_BYTES: Final = 1 << 20
MAX_GAPS: Final = 1000
"""Attempts whose lines that were not written are counted apart."""
PIECE_BYTES: Final = 200
"""What a waiting piece costs besides its text."""

logger = logging.getLogger("actorflow.runs")

Listener = Callable[[Sequence[OutputRecord]], None]
"""Told of records once they are written, on the writer's thread."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputLimits:
    """How much of what is printed is kept, in bytes of text.

    attempt_bytes: of one attempt; of what it prints beyond that its last lines. run_bytes: of all attempts together,
    and a quarter more for last lines. waiting_bytes: handed over and not yet written.
    """

    attempt_bytes: int = 16 << 20
    run_bytes: int = 256 << 20
    waiting_bytes: int = 8 << 20


class OutputLog:
    """Takes pieces from any thread. Nothing is started before the first comes.

    captures_here: whether prints in this process are to be told apart, too (actorflow/runs/output_capture.py).
    """

    def __init__(
        self,
        sink: OutputSink,
        *,
        limits: OutputLimits | None = None,
        listener: Listener | None = None,
        captures_here: bool = False,
    ) -> None:
        self.limits = limits or OutputLimits()
        self.captures_here = captures_here
        self.written_bytes = 0
        self._sink = sink
        self._listener = listener
        self._left_bytes = self.limits.run_bytes
        self._pieces: deque[Piece] = deque()
        self._waiting_bytes = 0
        self._lost_lines = 0
        self._unkept: dict[Origin, int] = {}
        self._is_kept = True
        self._changed = threading.Condition(threading.RLock())
        self._watchers: set[Callable[[], None]] = set()
        self._thread: threading.Thread | None = None
        self._closed = False

    def attempt(self, context: TaskContext, *, shown: bool = False) -> Channel:
        """Where the output of that attempt goes. shown: a person sees it already."""
        return Channel(origin_of(context), self, share_bytes=self.limits.attempt_bytes, shown=shown)

    def worker(self, name: str) -> Channel:
        """Where the output of that worker between attempts goes."""
        return Channel(Origin(worker=name), self, share_bytes=self.limits.attempt_bytes)

    def note(self, context: TaskContext, text: str, *, level: str = "WARNING", logger: str = "actorflow") -> None:
        """Something that actorflow has to say of an attempt, in the midst of its output."""
        data = marked(text, LogFields(level, logger))
        self.put_last(Piece(origin_of(context), time.time(), Stream.err, data))

    def put(self, piece: Piece) -> bool:
        size = len(piece.data)
        with self._changed:
            if self._closed or size > self._left_bytes or self._waiting_bytes + size > self.limits.waiting_bytes:
                return False
            self._take(piece)
        return True

    def put_last(self, piece: Piece) -> None:
        size = len(piece.data)
        with self._changed:
            no_room = self._left_bytes - size < -self.limits.run_bytes // 4
            if self._closed or no_room or self._waiting_bytes + size > 2 * self.limits.waiting_bytes:
                self._lost_lines += piece.dropped + piece.data.count(b"\n")
                return
            self._take(piece)

    def watch(self, tell: Callable[[], None]) -> Callable[[], None]:
        """Have `tell` called on the writer's thread whenever something was written; returns what ends that."""
        with self._changed:
            self._watchers.add(tell)
        return lambda: self._watchers.discard(tell)

    def close(self) -> None:
        """Write what is left and stop. Blocks for that long; again does nothing."""
        with self._changed:
            if self._closed:
                return
            if self._lost_lines:
                self._take(Piece(Origin(), time.time(), None, dropped=self._lost_lines))
            self._closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()
        if self._unkept:
            with suppress(OSError):  # there is no room for their number either
                self._sink.write(b"".join(map(encode_record, self._gaps())))
        self._sink.close()

    @property
    def is_silent(self) -> bool:
        """True where nothing was printed so far: closing it costs nothing."""
        return self._thread is None

    def _take(self, piece: Piece) -> None:
        self._pieces.append(piece)
        self._left_bytes -= len(piece.data)
        self._waiting_bytes += len(piece.data) + PIECE_BYTES
        if self._thread is None:
            self._thread = threading.Thread(target=self._write_until_closed, name="actorflow log", daemon=True)
            self._thread.start()
        self._changed.notify()

    # On the writer's thread.

    def _write_until_closed(self) -> None:
        while True:
            with self._changed:
                while not self._pieces and not self._closed:
                    self._changed.wait()
                if not self._pieces:
                    return
                pieces, size = self._batch()
            self._write(pieces)
            with self._changed:
                self._waiting_bytes -= size

    def _batch(self) -> tuple[list[Piece], int]:
        pieces: list[Piece] = []
        size = 0
        while self._pieces and size < BATCH_BYTES:
            pieces.append(self._pieces.popleft())
            size += len(pieces[-1].data) + PIECE_BYTES
        return pieces, size

    def _write(self, pieces: Sequence[Piece]) -> None:
        told = [(piece.shown, record) for piece in pieces for record in _records(piece)]
        self._keep([record for _, record in told])
        self._tell([record for shown, record in told if not shown])
        for tell in tuple(self._watchers):
            tell()

    def _tell(self, records: Sequence[OutputRecord]) -> None:
        if self._listener is None or not records:
            return
        try:
            self._listener(records)
        except Exception:
            logger.exception("a listener to the output of tasks failed")

    def _keep(self, records: Sequence[OutputRecord]) -> None:
        """Write them, and before them how many were not written; where that fails, they are counted, too."""
        data = b"".join(map(encode_record, [*self._gaps(), *records]))
        try:
            self._sink.write(data)
        except OSError as exc:
            self._count(records)
            if self._is_kept:
                self._is_kept = False
                self._say("WARNING", f"what tasks print is not kept for now: {exc.strerror or exc}")
            return
        self.written_bytes += len(data)
        if not self._is_kept:
            self._is_kept = True
            self._say("INFO", f"what tasks print is kept again; {sum(self._unkept.values()):,} lines were not")
        self._unkept.clear()

    def _count(self, records: Sequence[OutputRecord]) -> None:
        for record in records:
            known = record.origin in self._unkept or len(self._unkept) < MAX_GAPS
            origin = record.origin if known else Origin()
            self._unkept[origin] = self._unkept.get(origin, 0) + len(record.lines) + record.dropped

    def _gaps(self) -> list[OutputRecord]:
        now_s = time.time()
        return [OutputRecord(origin, now_s, None, dropped=lines) for origin, lines in self._unkept.items()]

    def _say(self, level: str, text: str) -> None:
        """Something that the run has to say itself, once."""
        self._tell([OutputRecord(Origin(), time.time(), Stream.log, (text,), LogFields(level, "actorflow"))])


def _records(piece: Piece) -> Iterator[OutputRecord]:
    if piece.stream is None:
        yield OutputRecord(piece.origin, piece.ts, None, dropped=piece.dropped)
        return
    for lines, fields in texts_of(piece.data):
        stream = piece.stream if fields is None else Stream.log
        yield OutputRecord(piece.origin, piece.ts, stream, lines, fields)
