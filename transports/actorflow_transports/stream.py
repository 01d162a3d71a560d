"""A connection over a connected stream socket: Unix, TCP, or one end of a socketpair."""

from __future__ import annotations

import contextlib
import socket
from collections import deque
from collections.abc import AsyncIterator
from functools import partial
from types import TracebackType
from typing import Any, NoReturn, Self

import anyio
from anyio.abc import TaskGroup

from .errors import BadItem, ConnectionClosed, ConnectionLost, EndOfItems, ReceiverBusy, TransportError
from .frame import Frame
from .interface import ConnectionOptions, Take
from .item_frames import decoded, framed, parser_for
from .loop import Gate, gate_of
from .outbox import LARGE_BYTES, Outbox

SEND_BUFFER_BYTES = 1024 * 1024
"""Asked of the kernel: with its default of some 200 KiB, a large body crosses in several turns of the loop."""


class _Taking:
    """What is done with items as they come, and why it cannot go on."""

    __slots__ = ("failure", "take")

    def __init__(self, take: Take) -> None:
        self.take = take
        self.failure: BaseException | None = None


class StreamConnection:
    """Items over a connected stream socket, which it owns from now on.

    One anyio task writes: what was sent within a turn of the loop leaves in one call. Receiving reads as much as is
    there and cuts many frames from it. See Connection for the promises.
    """

    def __init__(self, sock: socket.socket, options: ConnectionOptions, *, peer: str) -> None:
        sock.setblocking(False)
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        self._sock = sock
        self._options = options
        self._peer = peer
        self._parser = parser_for(options)
        self._received: deque[Frame] = deque()
        self._outbox = Outbox(max_bytes=options.max_queued_bytes)
        self._max_send_bytes = options.max_frame_bytes
        self._tasks: TaskGroup | None = None
        self._writer = anyio.CancelScope()
        self._gate: Gate | None = None
        self._waiting: deque[anyio.Event] = deque()  # senders without room, in their order
        self._draining: list[anyio.Event] = []
        self._is_receiving = False
        self._is_ending = False
        self._is_closed = False
        self._receive_failure: TransportError | None = None
        self._send_failure: TransportError | None = None
        self._can_send = False  # entered, and neither ended, closed nor broken
        self._is_loss_told = False
        self._writes_at_once = True

    @property
    def peer(self) -> str:
        return self._peer

    def __repr__(self) -> str:
        return f"<StreamConnection to {self._peer}>"

    # Sending

    async def send(self, item: Any) -> None:
        if not self._can_send:
            self._refuse_send()
        head, body = framed(self._options, item, self._max_send_bytes)
        if self._waiting or not self._outbox.has_room(len(body)):
            await self._room(len(body))
        self._queue(head, body)

    def try_send(self, item: Any, *, at_once: bool = False) -> bool:
        if not self._can_send:
            self._refuse_send()
        head, body = framed(self._options, item, self._max_send_bytes)
        if self._waiting or not self._outbox.has_room(len(body)):
            return False
        if at_once and self._outbox.is_empty and len(body) < LARGE_BYTES:
            self._write_now(head + body)
        else:
            self._queue(head, body)
        return True

    def _write_now(self, frame: bytes) -> None:
        """A small frame with none before it; what the socket does not take of it waits for the writer."""
        try:
            sent = self._sock.send(frame)
        except OSError:  # no room, or the writer will meet it too
            sent = 0
        if sent < len(frame):
            self._outbox.put(b"", frame[sent:])
            self._open_gate().wake()

    async def drain(self) -> None:
        while not self._outbox.is_empty:
            drained = anyio.Event()
            self._draining.append(drained)
            await drained.wait()
        if self._outbox.has_lost:
            raise self._lost()  # also for what another task sent: whoever drains answers for all of it

    def end(self) -> None:
        self._is_ending = True
        self._can_send = False
        if self._gate is not None:
            self._gate.wake()

    def limit_sends(self, max_frame_bytes: int) -> None:
        self._max_send_bytes = min(self._max_send_bytes, max_frame_bytes)

    def _open_gate(self) -> Gate:
        if self._gate is None:
            raise ConnectionClosed("enter the connection first: async with connection")
        return self._gate

    def _queue(self, head: bytes, body: bytes) -> None:
        outbox = self._outbox
        was_empty = outbox.is_empty
        outbox.put(head, body)
        if was_empty:
            if self._writes_at_once:
                self._write_at_once()
            if not outbox.is_empty:
                self._open_gate().wake()  # the writer of a box that was not empty is awake, or waits for the socket
        if self._waiting and self._outbox.is_half_empty:
            self._waiting.popleft().set()

    def _write_at_once(self) -> None:
        """Save a turn of the loop where items go back and forth one by one; in a stream of them, joining wins."""
        self._writes_at_once = False
        with contextlib.suppress(OSError):  # the writer will meet it too
            self._outbox.send_to(self._sock)

    def _refuse_send(self) -> None:
        if self._is_ending or (self._is_closed and self._send_failure is None):
            raise ConnectionClosed(f"this end of the connection to {self._peer} is closed")
        if self._send_failure is not None:
            raise self._lost()
        self._open_gate()

    def _lost(self) -> TransportError:
        if self._send_failure is None:
            return ConnectionClosed(f"the connection to {self._peer} was closed before all was sent")
        self._is_loss_told = True
        return ConnectionLost(str(self._send_failure))

    async def _room(self, body_bytes: int) -> None:
        """Wait in line; only the first in line is woken, so a large item is not overtaken for ever."""
        place = self._waiting.append
        while True:
            turn = anyio.Event()
            place(turn)
            try:
                await turn.wait()
                self._refuse_send()
            except BaseException:
                self._leave_line(turn)
                raise
            if self._outbox.has_room(body_bytes):
                return
            place = self._waiting.appendleft

    def _leave_line(self, turn: anyio.Event) -> None:
        """Whoever goes without using its turn passes it on."""
        if not turn.is_set():
            self._waiting.remove(turn)
        elif self._waiting:
            self._waiting.popleft().set()

    def _wake_drainers(self) -> None:
        for event in self._draining:
            event.set()
        self._draining.clear()

    def _wake_all(self) -> None:
        for event in self._waiting:
            event.set()
        self._waiting.clear()
        self._wake_drainers()

    async def _write(self, gate: Gate) -> None:
        """The writer, until closed or broken; it raises nothing but cancellation."""
        with self._writer:
            try:
                while not self._is_closed and not (self._is_ending and self._outbox.is_empty):
                    await self._write_some(gate)
                if not self._is_closed:
                    self._sock.shutdown(socket.SHUT_WR)
            except OSError as exc:
                self._fail_sends(exc)

    async def _write_some(self, gate: Gate) -> None:
        if self._outbox.is_empty:
            await gate.wait()
            return
        try:
            self._outbox.send_to(self._sock)
        except BlockingIOError:
            await gate.writable()
            return
        self._after_write()

    def _after_write(self) -> None:
        if self._waiting and self._outbox.is_half_empty:
            self._waiting.popleft().set()
        if self._draining and self._outbox.is_empty:
            self._wake_drainers()

    def _fail_sends(self, exc: BaseException) -> None:
        if not self._is_closed:
            self._send_failure = ConnectionLost(f"the connection to {self._peer} broke while sending: {exc}")
            self._can_send = False
        self._outbox.drop()
        self._wake_all()

    # Receiving

    async def receive(self) -> Any:
        if not self._received:
            await self._fill()
        return self._item()

    async def receive_many(self) -> list[Any]:
        if not self._received:
            await self._fill()
        return [self._item(), *self._items()]

    async def receive_into(self, take: Take) -> NoReturn:
        if self._is_receiving:
            raise ReceiverBusy(f"another task receives from {self._peer}")
        self._is_receiving = True
        taking = _Taking(take)
        try:
            while True:
                if self._received:
                    take(self._items())
                if taking.failure is not None:
                    raise taking.failure
                self._refuse_receive()
                await self._open_gate().read_until(partial(self._read_into, taking))
        finally:
            self._is_receiving = False

    def _read_into(self, taking: _Taking) -> bool:
        """Read once and hand over; True if there is something to raise."""
        try:
            self._read_once()
        except BlockingIOError:
            return False
        except OSError as exc:
            self._receive_failure = self._broke(exc)
        try:
            if items := self._items():
                taking.take(items)
        except BaseException as exc:  # noqa: BLE001 - raised where the task is that receives
            taking.failure = exc
        return taking.failure is not None or self._receive_failure is not None

    def _items(self) -> list[Any]:
        """All that have been read; those before a bad one count, the next call says that it was bad."""
        received, options = self._received, self._options
        items: list[Any] = []
        body: bytes | bytearray = b""
        try:
            while received:
                flags, body = received.popleft()
                items.append(decoded(options, flags, body) if flags else options.decode(body))  # type: ignore[arg-type]  # a bytearray will do where bytes do
        except Exception as exc:  # noqa: BLE001 - whatever it is, the peer's item is bad
            self._break(self._bad_item(body, exc))
        return items

    def _item(self) -> Any:
        flags, body = self._received.popleft()
        try:
            return decoded(self._options, flags, body)
        except Exception as exc:
            failure = self._bad_item(body, exc)
            self._break(failure)
            raise failure from exc

    def _bad_item(self, body: bytes | bytearray, exc: Exception) -> BadItem:
        return BadItem(f"{self._peer} sent {len(body):,} bytes that do not decode: {exc}")

    async def __aiter__(self) -> AsyncIterator[Any]:
        while True:
            try:
                item = await self.receive()
            except EndOfItems:
                return
            yield item

    async def _fill(self) -> None:
        """Wait for at least one frame. Each batch begins with a turn for others, even if data is always there."""
        if self._is_receiving:
            raise ReceiverBusy(f"another task receives from {self._peer}")
        self._is_receiving = True
        try:
            while not self._received:
                self._refuse_receive()
                await self._open_gate().read_until(self._read)
        finally:
            self._is_receiving = False

    def _read(self) -> bool:
        """Read what is there; True if `receive` has something to return or to raise."""
        try:
            while not self._received and self._receive_failure is None:
                self._read_once()
        except BlockingIOError:
            return False
        except OSError as exc:
            self._receive_failure = self._broke(exc)
        return True

    def _broke(self, exc: OSError) -> ConnectionLost:
        return ConnectionLost(f"the connection to {self._peer} broke: {exc}")

    def _read_once(self) -> None:
        parser = self._parser
        if parser.whole_bytes:
            piece = self._sock.recv(parser.whole_bytes)
            count = len(piece)
        else:
            piece = b""
            count = self._sock.recv_into(parser.writable())
        if not count:
            self._at_end()
            return
        try:
            frames = parser.received(piece) if piece else parser.written(count)
        except ConnectionLost as exc:
            self._break(exc)
            return
        self._received.extend(frames)
        self._writes_at_once = len(frames) == 1

    def _refuse_receive(self) -> None:
        if self._receive_failure is not None:
            raise type(self._receive_failure)(str(self._receive_failure))
        if self._is_closed:
            raise ConnectionClosed(f"this end of the connection to {self._peer} is closed")

    def _at_end(self) -> None:
        if self._parser.is_between_frames:
            self._receive_failure = EndOfItems(f"{self._peer} has ended")
        else:
            self._receive_failure = ConnectionLost(f"{self._peer} is gone in the middle of a frame")

    def _break(self, failure: TransportError) -> None:
        """What the peer sends is no longer understood: nothing more is received or sent."""
        self._receive_failure = failure
        self._send_failure = failure
        self.close()

    # Life

    def close(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        self._can_send = False
        self._received.clear()
        self._outbox.drop()
        if self._gate is not None:
            self._gate.close()
        self._sock.close()
        self._writer.cancel()
        self._wake_all()

    async def __aenter__(self) -> Self:
        self._tasks = await anyio.create_task_group().__aenter__()
        self._gate = gate_of(self._sock)
        self._can_send = not self._is_closed and not self._is_ending
        self._tasks.start_soon(self._write, self._gate, name=f"writer to {self._peer}")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None, /
    ) -> None:
        assert self._tasks is not None
        try:
            if exc is None and not self._is_closed and not self._is_loss_told:
                await self.drain()
        finally:
            self.close()
            # The block's own error must not come out wrapped in a group: the task group need not see it.
            unseen = exc is None or isinstance(exc, Exception)
            await self._tasks.__aexit__(*((None, None, None) if unseen else (kind, exc, traceback)))
