"""The same items over a blocking socket, for a program without an event loop."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, Self

from .errors import BadItem, ConnectionClosed, ConnectionLost, EndOfItems, TransportError
from .frame import Frame
from .interface import ConnectionOptions
from .item_frames import decoded, framed, parser_for
from .outbox import Outbox


class BlockingConnection:
    """Items over a connected stream socket, which it owns from now on; the peer may use a StreamConnection.

    Any thread may send; one thread receives. There is no queue: `send` returns once the kernel has taken the item.
    """

    def __init__(self, sock: socket.socket, options: ConnectionOptions, *, peer: str) -> None:
        sock.setblocking(True)
        self.peer = peer
        self._sock = sock
        self._options = options
        self._parser = parser_for(options)
        self._received: deque[Frame] = deque()
        self._sending = threading.Lock()
        self._is_closed = False

    @property
    def has_received(self) -> bool:
        """Whether `receive` has an item without waiting: time to go on, and to answer in one write later."""
        return bool(self._received)

    def send(self, item: Any) -> None:
        """Hand `item` over; raises ConnectionClosed, ConnectionLost, FrameTooLarge, what encode raises."""
        self.send_many((item,))

    def send_many(self, items: Iterable[Any]) -> None:
        """Hand `items` over, small ones joined into one write; raises as `send`, then none of them was sent whole."""
        outbox = Outbox(max_bytes=0)
        for item in items:
            outbox.put(*framed(self._options, item, self._options.max_frame_bytes))
        try:
            with self._sending:
                while not outbox.is_empty:
                    outbox.send_to(self._sock)
        except OSError as exc:
            raise self._failure(f"the connection to {self.peer} broke while sending: {exc}") from exc

    def receive(self) -> Any:
        """Wait for the next item; raises EndOfItems, ConnectionLost, ConnectionClosed."""
        while not self._received:
            self._read()
        flags, body = self._received.popleft()
        try:
            return decoded(self._options, flags, body)
        except Exception as exc:
            self.close()
            raise BadItem(f"{self.peer} sent {len(body):,} bytes that do not decode: {exc}") from exc

    def _read(self) -> None:
        try:
            count = self._sock.recv_into(self._parser.writable())
        except OSError as exc:
            raise self._failure(f"the connection to {self.peer} broke: {exc}") from exc
        if count:
            try:
                self._received.extend(self._parser.written(count))
            except ConnectionLost:
                self.close()
                raise
        elif self._parser.is_between_frames:
            raise EndOfItems(f"{self.peer} has ended")
        else:
            raise ConnectionLost(f"{self.peer} is gone in the middle of a frame")

    def _failure(self, text: str) -> TransportError:
        if self._is_closed:
            return ConnectionClosed(f"this end of the connection to {self.peer} is closed")
        return ConnectionLost(text)

    def __iter__(self) -> Iterator[Any]:
        while True:
            try:
                item = self.receive()
            except EndOfItems:
                return
            yield item

    def end(self) -> None:
        """End the sending: the peer gets what was sent, then EndOfItems. Receiving goes on."""
        try:
            with self._sending:
                self._sock.shutdown(socket.SHUT_WR)
        except OSError as exc:
            raise self._failure(f"the connection to {self.peer} broke: {exc}") from exc

    def close(self) -> None:
        """Close both ways; a `receive` that waits in another thread ends too."""
        if self._is_closed:
            return
        self._is_closed = True
        with contextlib.suppress(OSError):  # the peer may have been quicker
            self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
