"""Output pipes: reads what worker processes write to their standard output and standard error, on one thread.

The pipes are always drained, whatever the loop is at, so no task waits for its reader. What is in them when an attempt
ends is read before that end is told, so each line belongs to the attempt that wrote it. Each stream keeps its order;
between the two of them, lines that were read together may change places.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import selectors
import sys
import termios
import threading
from typing import Final

from actorflow.runs.output import Stream
from actorflow.runs.output_channel import Channel
from actorflow.runs.output_log import OutputLog
from actorflow.runs.task_context import TaskContext
from actorflow.runs.worker_line import OwnerSide

READ_BYTES: Final = 64 * 1024
"""As much as a pipe holds."""


class OutputPipes:
    """The pipes of one executor's workers, and the thread that reads them; it starts with the first worker."""

    def __init__(self, log: OutputLog) -> None:
        self.log = log
        self._selector = selectors.DefaultSelector()
        self._ending, self._end = os.pipe()
        self._selector.register(self._ending, selectors.EVENT_READ)
        self._thread: threading.Thread | None = None

    def open(self, name: str) -> WorkerOutput:
        """Pipes for one more worker. Raises OSError."""
        output = WorkerOutput(name, self)
        if self._thread is None:
            self._thread = threading.Thread(target=self._read, name="actorflow output", daemon=True)
            self._thread.start()
        return output

    def close(self) -> None:
        """Stop reading; the pipes of all workers must have been closed. Again does nothing."""
        if self._end < 0:
            return
        os.close(self._end)
        self._end = -1
        if self._thread is not None:
            self._thread.join()
        self._selector.close()
        os.close(self._ending)

    def add(self, descriptor: int, output: WorkerOutput) -> None:
        self._selector.register(descriptor, selectors.EVENT_READ, output)

    def remove(self, descriptor: int) -> None:
        with contextlib.suppress(KeyError):
            self._selector.unregister(descriptor)

    def _read(self) -> None:
        while True:
            for key, _ in self._selector.select():
                if key.data is None:
                    return
                key.data.read(key.fd)


class WorkerOutput:
    """What one worker process writes.

    out, err: the ends to write to, for the process; close them with `started` once it has them. line: says which
    request it is at, where it answers any.
    """

    def __init__(self, name: str, pipes: OutputPipes) -> None:
        self.line: OwnerSide | None = None
        self._pipes = pipes
        self._lock = threading.RLock()
        reading_out, self.out = os.pipe()
        try:
            reading_err, self.err = os.pipe()
        except OSError:
            os.close(reading_out)
            os.close(self.out)
            raise
        self._streams = {reading_out: Stream.out, reading_err: Stream.err}
        self._between = pipes.log.worker(name)
        self._contexts: dict[int, TaskContext] = {}
        self._number = 0  # of the attempt that `_channel` is of
        self._channel: Channel | None = None  # of an attempt that has printed
        self._last: tuple[int, tuple[str, ...]] = 0, ()
        self._is_starting = True
        for descriptor in self._streams:
            os.set_blocking(descriptor, False)
            pipes.add(descriptor, self)

    def started(self) -> None:
        """The process has its ends; ours must not keep the pipes open."""
        if self._is_starting:
            self._is_starting = False
            os.close(self.out)
            os.close(self.err)

    def expect(self, number: int, context: TaskContext) -> None:
        """What the process writes while it is at request `number` belongs to that attempt."""
        self._contexts[number] = context

    def end(self, number: int, *, has_printed: bool) -> None:
        """That request is answered. has_printed: some of what it has written may have to be read yet."""
        if has_printed:
            with self._lock:
                self._settle()
                self._end_channel()
        self._contexts.pop(number, None)

    def last_lines(self) -> tuple[str, ...]:
        """Of the attempt that was begun last; before the first one, of what was written at the start."""
        with self._lock:
            self._settle()
            self._end_channel()
            begun = 0 if self.line is None else self.line.begun
            number, lines = self._last
            return self._between.last_lines() if not begun else lines if number == begun else ()

    def close(self) -> None:
        """The process is gone, or nobody cares for it any more. Again does nothing."""
        with self._lock:
            self.started()
            self.last_lines()
            self._between.end()
            for descriptor in self._streams:
                self._pipes.remove(descriptor)
                os.close(descriptor)
            self._streams = {}

    def read(self, descriptor: int) -> None:
        """On the reader's thread: something is there."""
        with self._lock:
            if descriptor in self._streams and not self._read(descriptor, READ_BYTES):
                self._pipes.remove(descriptor)  # nobody can write any more

    def _settle(self) -> None:
        """Read what is in the pipes now, and no more: a process left behind may go on writing for ever."""
        for descriptor in self._streams:
            there = _readable_bytes(descriptor)
            while there > 0:
                there -= self._read(descriptor, min(there, READ_BYTES))

    def _read(self, descriptor: int, count: int) -> int:
        """How many bytes were read, at most `count` of what is there: 0 at the end, and 1 where there is nothing."""
        data = b""
        line = self.line
        number = 0 if line is None else line.begin_reading()
        try:
            data = os.read(descriptor, count)
        except BlockingIOError:
            return 1
        finally:
            if line is not None:
                line.end_reading(len(data))
        if data:
            self._write(self._streams[descriptor], number, data)
        return len(data)

    def _write(self, stream: Stream, number: int, data: bytes) -> None:
        if self._channel is None or self._number != number:
            self._end_channel()
            context = self._contexts.get(number)
            if context is None:
                self._between.write(stream, data)
                return
            self._channel, self._number = self._pipes.log.attempt(context), number
        self._channel.write(stream, data)

    def _end_channel(self) -> None:
        """What the attempt that has printed last has printed is complete."""
        ended, self._channel = self._channel, None
        if ended is not None:
            ended.end()
            self._last = self._number, ended.last_lines()


def _readable_bytes(descriptor: int) -> int:
    """Source: ioctl_tty(2), FIONREAD; pipes answer it, too."""
    return int.from_bytes(fcntl.ioctl(descriptor, termios.FIONREAD, b"\0\0\0\0"), sys.byteorder)
