"""Output pipes: reads what worker processes write to their standard output and standard error, on one thread.

The pipes are always drained, whatever the loop is at, so no task waits for its reader. What is in them when an attempt
ends is read before that end is told, so each line belongs to the attempt that wrote it. Each stream keeps its order;
between the two of them, lines that were read together may change places.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import selectors
import sys
import termios
import threading
from typing import Final

from actorflow.runs.output import Stream
from actorflow.runs.output_channel import Channel
from actorflow.runs.output_log import OutputLog
from actorflow.runs.task_context import TaskContext

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

    out, err: the ends to write to, for the process; close them with `started` once it has them.
    """

    def __init__(self, name: str, pipes: OutputPipes) -> None:
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
        self._context: TaskContext | None = None
        self._channel: Channel | None = None  # of an attempt that has printed
        self._last: tuple[str, ...] | None = None
        self._is_starting = True
        self._ready = select.poll()
        for descriptor in self._streams:
            self._ready.register(descriptor, select.POLLIN)
            os.set_blocking(descriptor, False)
            pipes.add(descriptor, self)

    def started(self) -> None:
        """The process has its ends; ours must not keep the pipes open."""
        if self._is_starting:
            self._is_starting = False
            os.close(self.out)
            os.close(self.err)

    def begin(self, context: TaskContext) -> None:
        """From here on what it writes belongs to that attempt."""
        with self._lock:
            self._settle()
            self._context = context
            self._last = ()

    def end(self) -> tuple[str, ...]:
        """The attempt is over: read what it has written, and return the last lines of it.

        Again, or before the first attempt, nothing changes: the last lines are those of the attempt that was last.
        """
        with self._lock:
            self._settle()
            ended, self._channel, self._context = self._channel, None, None
            if ended is not None:
                ended.end()
                self._last = ended.last_lines()
            return self._between.last_lines() if self._last is None else self._last

    def close(self) -> None:
        """The process is gone, or nobody cares for it any more. Again does nothing."""
        with self._lock:
            self.started()
            self.end()
            self._between.end()
            for descriptor in self._streams:
                self._pipes.remove(descriptor)
                os.close(descriptor)
            self._streams = {}

    def read(self, descriptor: int) -> None:
        """On the reader's thread: something is there."""
        with self._lock:
            stream = self._streams.get(descriptor)
            if stream is None:
                return  # closed meanwhile
            try:
                data = os.read(descriptor, READ_BYTES)
            except BlockingIOError:
                return
            if data:
                self._write(stream, data)
            else:
                self._pipes.remove(descriptor)  # nobody can write any more

    def _settle(self) -> None:
        """Read what is in the pipes now, and no more: a process left behind may go on writing for ever."""
        # One call for both pipes: each gives up the interpreter, and most attempts have printed nothing.
        for descriptor, _ in self._ready.poll(0) if self._streams else ():
            stream, there = self._streams[descriptor], _readable_bytes(descriptor)
            while there > 0:
                data = os.read(descriptor, min(there, READ_BYTES))
                there -= len(data)
                self._write(stream, data)

    def _write(self, stream: Stream, data: bytes) -> None:
        if self._context is None:
            self._between.write(stream, data)
            return
        if self._channel is None:  # most attempts print nothing
            self._channel = self._pipes.log.attempt(self._context)
        self._channel.write(stream, data)


def _readable_bytes(descriptor: int) -> int:
    """Source: ioctl_tty(2), FIONREAD; pipes answer it, too."""
    return int.from_bytes(fcntl.ioctl(descriptor, termios.FIONREAD, b"\0\0\0\0"), sys.byteorder)
