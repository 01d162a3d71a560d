"""Outgoing: frames on their way to the other process, in order, written at once or with all else of a turn."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from actorflow_transports.errors import TransportError

if TYPE_CHECKING:
    from actorflow_supervisors.loop import Seam
    from actorflow_transports.interface import Connection

Frame = list[Any]


def _nothing() -> None:
    return None


class Outgoing:
    """One side's frames. more: gives a frame that is made only when it can leave, or None; asked when none waits.

    frames: those that wait. idle: called when nothing is left to write, before the writer waits.
    """

    def __init__(
        self, seam: Seam, more: Callable[[], Frame | None] = _nothing, idle: Callable[[], None] = _nothing
    ) -> None:
        self.frames: deque[Frame] = deque()
        self._more = more
        self._idle = idle
        self._pending = seam.waiter()
        self._connection: Connection | None = None
        self._is_waiting_for_room = False

    def add(self, frame: Frame) -> None:
        """Leaves with all else of this turn of the loop; harmless once the connection is over."""
        self.frames.append(frame)
        self._pending.wake()

    def wake(self) -> None:
        """There may be `more`."""
        self._pending.wake()

    def flush(self) -> None:
        """Write now what is here; for what the wire does not take the writer waits."""
        connection = self._connection
        if connection is None or self._is_waiting_for_room:
            return
        frames, more = self.frames, self._more
        try:
            while (frame := frames.popleft() if frames else more()) is not None:
                if not connection.try_send(frame, at_once=True):
                    frames.appendleft(frame)
                    self._pending.wake()
                    return
        except TransportError:  # who receives tells why, and ends the writer
            self._connection = None

    async def write(self, connection: Connection) -> None:
        """The writer; returns when nothing can be written any more."""
        self._connection = connection
        try:
            while True:
                self.flush()
                if self.frames:
                    await self._write_first(connection)
                else:
                    self._idle()
                    await self._pending.wait()
        except TransportError:  # who receives tells why
            return
        finally:
            self._connection = None

    async def finish(self, connection: Connection) -> None:
        """In place of the writer: hand over what is here, and return when it is on its way."""
        self._connection = None
        try:
            while self.frames:
                await connection.send(self.frames.popleft())
            await connection.drain()
        except TransportError:
            return

    async def _write_first(self, connection: Connection) -> None:
        """Nothing may overtake it."""
        self._is_waiting_for_room = True
        try:
            await connection.send(self.frames.popleft())
        finally:
            self._is_waiting_for_room = False
