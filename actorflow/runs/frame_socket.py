"""Frame socket: frames over a socket without a task for each side; what it does not take now is written later."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import Final

from actorflow_transports.errors import TransportError
from actorflow_transports.frame import FrameParser, header_of
from actorflow_transports.loop import Gate, gate_of

JOIN_BYTES: Final = 64 * 1024
"""Smaller bodies are copied behind their header; larger ones are written from where they lie."""

PIECES: Final = 512
"""In one write. Source: limits.h, IOV_MAX: 1024 on Linux and macOS."""


class FrameSocket:
    """A connected, non-blocking socket of the running loop. failure: why nothing comes any more, None while it does."""

    def __init__(self, sock: socket.socket, *, max_frame_bytes: int) -> None:
        self.failure: Exception | None = None
        self._max_frame_bytes = max_frame_bytes
        self._sock = sock
        self._gate: Gate = gate_of(sock)
        self._parser = FrameParser(max_frame_bytes=max_frame_bytes)
        self._unsent: deque[memoryview] = deque()

    def queue(self, body: bytes) -> None:
        """A frame, to be written by the next `flush`."""
        head = header_of(len(body), max_frame_bytes=self._max_frame_bytes)
        if len(body) < JOIN_BYTES:
            self._unsent.append(memoryview(head + body))
        else:
            self._unsent += (memoryview(head), memoryview(body))

    def flush(self) -> None:
        """Write what the socket takes now; `write` brings the rest."""
        unsent = self._unsent
        if not unsent:
            return
        try:
            while unsent:
                sent = self._sock.sendmsg(list(islice(unsent, PIECES)))
                while unsent and sent >= len(unsent[0]):
                    sent -= len(unsent.popleft())
                if sent:
                    unsent[0] = unsent[0][sent:]
        except BlockingIOError:
            self._gate.wake()
        except OSError:  # it is gone, as the reading side is about to see
            unsent.clear()

    async def write(self) -> None:
        """Write what `flush` left, until nothing comes any more or cancelled."""
        while self.failure is None:
            await self._gate.wait()
            while self._unsent and self.failure is None:
                await self._gate.writable()
                self.flush()

    async def read_until(self, take: Callable[[list[bytes | bytearray]], bool]) -> None:
        """Call `take` with the bodies that have come, until it returns True or nothing comes any more.

        What is no frame, and a TransportError that it raises, is the end.
        """

        def read() -> bool:
            try:
                count = self._sock.recv_into(self._parser.writable())
                if not count:
                    self.failure = EOFError()
                    return True
                return take([body for _, body in self._parser.written(count)])
            except BlockingIOError:
                return False
            except (OSError, TransportError) as exc:
                self.failure = exc
                return True

        await self._gate.read_until(read)

    def end(self) -> None:
        """Both sides read what is on its way, then the end: even where a stray process holds the other end."""
        try:
            self._sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            return

    def close(self) -> None:
        self._gate.close()
        self._sock.close()
