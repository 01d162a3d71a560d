"""Connections within one process: items pass by reference, through the same seam as a wire."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any, NoReturn, Self

import anyio
import anyio.lowlevel

from .address import Address
from .errors import AddressInUse, ConnectionClosed, ConnectionLost, ConnectRefused, EndOfItems, ReceiverBusy
from .interface import Connection, ConnectionOptions, Listener, Take

ITEMS_PER_TURN = 256
"""Items received without giving others a turn of the loop."""


class _Lane:
    """One direction: items on their way, and who waits for room or for items."""

    def __init__(self, max_items: int) -> None:
        self.max_items = max_items
        self.items: deque[Any] = deque()
        self.is_ended = False  # by the sender
        self.is_abandoned = False  # by the receiver
        self._senders: deque[anyio.Event] = deque()
        self._receiver: anyio.Event | None = None

    def has_room(self) -> bool:
        return not self._senders and len(self.items) < self.max_items

    def put(self, item: Any) -> None:
        self.items.append(item)
        self._wake_receiver()

    def take(self) -> Any:
        item = self.items.popleft()
        self._let_in()
        return item

    async def room(self) -> None:
        """Wait in line for room, or for the lane to end; who was woken and goes without using it passes it on."""
        turn = anyio.Event()
        self._senders.append(turn)
        try:
            await turn.wait()
        except BaseException:
            if turn.is_set():
                self._let_in()
            else:
                self._senders.remove(turn)
            raise

    async def item(self) -> None:
        """Wait for an item, or for the lane to end."""
        if self._receiver is not None:
            raise ReceiverBusy("another task receives from this connection")
        self._receiver = anyio.Event()
        try:
            await self._receiver.wait()
        finally:
            self._receiver = None

    def end(self) -> None:
        self.is_ended = True
        self.wake_all()

    def abandon(self) -> None:
        self.is_abandoned = True
        self.items.clear()
        self.wake_all()

    def wake_all(self) -> None:
        self._wake_receiver()
        while self._senders:
            self._senders.popleft().set()

    def _let_in(self) -> None:
        if self._senders and len(self.items) < self.max_items:
            self._senders.popleft().set()

    def _wake_receiver(self) -> None:
        if self._receiver is not None:
            self._receiver.set()


class InprocConnection:
    """One of two ends. See Connection for the promises; what is sent is handed over at once."""

    def __init__(self, *, outward: _Lane, inward: _Lane, peer: str) -> None:
        self._outward = outward
        self._inward = inward
        self._peer = peer
        self._is_closed = False
        self._is_entered = False
        self._until_turn = ITEMS_PER_TURN

    @property
    def peer(self) -> str:
        return self._peer

    def __repr__(self) -> str:
        return f"<InprocConnection to {self._peer}>"

    async def send(self, item: Any) -> None:
        self._refuse_send()
        if not self._outward.has_room():
            await self._outward.room()
            self._refuse_send()
        self._outward.put(item)

    def try_send(self, item: Any, *, at_once: bool = False) -> bool:
        self._refuse_send()
        if not self._outward.has_room():
            return False
        self._outward.put(item)
        return True

    async def drain(self) -> None:
        """What was sent is with the peer already."""

    async def receive(self) -> Any:
        self._refuse_receive()
        if not self._until_turn:
            await anyio.lowlevel.checkpoint()
            self._until_turn = ITEMS_PER_TURN
        while not self._inward.items:
            if self._inward.is_ended:
                raise EndOfItems(f"{self._peer} has ended")
            await self._inward.item()
            self._refuse_receive()
        self._until_turn -= 1
        return self._inward.take()

    async def receive_many(self) -> list[Any]:
        items = [await self.receive()]
        while self._inward.items and self._until_turn:
            self._until_turn -= 1
            items.append(self._inward.take())
        return items

    async def receive_into(self, take: Take) -> NoReturn:
        while True:
            take(await self.receive_many())

    async def __aiter__(self) -> AsyncIterator[Any]:
        while True:
            try:
                item = await self.receive()
            except EndOfItems:
                return
            yield item

    def end(self) -> None:
        self._outward.end()

    def limit_sends(self, max_frame_bytes: int) -> None:
        """Items that pass by reference have no size."""

    def close(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        self._outward.end()
        self._inward.abandon()

    def _refuse_send(self) -> None:
        self._refuse_receive()
        if self._outward.is_ended:
            raise ConnectionClosed(f"this end of the connection to {self._peer} has ended its sending")
        if self._outward.is_abandoned:
            raise ConnectionLost(f"{self._peer} has closed the connection")

    def _refuse_receive(self) -> None:
        if self._is_closed:
            raise ConnectionClosed(f"this end of the connection to {self._peer} is closed")
        if not self._is_entered:
            raise ConnectionClosed("enter the connection first: async with connection")

    async def __aenter__(self) -> Self:
        self._is_entered = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None, /
    ) -> None:
        self.close()


def inproc_pair(options: ConnectionOptions, *, name: str = "inproc") -> tuple[Connection, Connection]:
    """Two connected ends."""
    there, back = _Lane(options.max_queued_items), _Lane(options.max_queued_items)
    return (
        InprocConnection(outward=there, inward=back, peer=f"the listener at {name}"),
        InprocConnection(outward=back, inward=there, peer=f"a caller of {name}"),
    )


class InprocListener:
    """Accepts from the same InprocTransport."""

    def __init__(self, transport: InprocTransport, address: Address, options: ConnectionOptions) -> None:
        self._transport = transport
        self._address = address
        self._options = options
        self._accepted = _Lane(options.max_queued_items)

    @property
    def address(self) -> Address:
        return self._address

    def admit(self) -> Connection:
        """A caller's end; the other one waits to be accepted."""
        if not self._accepted.has_room():
            raise ConnectRefused(f"{self._address} has too many callers waiting")
        theirs, ours = inproc_pair(self._options, name=str(self._address))
        self._accepted.put(ours)
        return theirs

    async def accept(self) -> Connection:
        while not self._accepted.items:
            if self._accepted.is_ended:
                raise ConnectionClosed(f"the listener at {self._address} is closed")
            await self._accepted.item()
        connection: Connection = self._accepted.take()
        return connection

    def close(self) -> None:
        self._transport.forget(self)
        while self._accepted.items:
            self._accepted.take().close()
        self._accepted.end()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None, /
    ) -> None:
        self.close()


class InprocTransport:
    """`inproc://name`: names known to this instance only."""

    scheme = "inproc"

    def __init__(self) -> None:
        self._listeners: dict[str, InprocListener] = {}

    async def connect(self, address: Address, options: ConnectionOptions) -> Connection:
        listener = self._listeners.get(address.rest)
        if listener is None:
            raise ConnectRefused(f"nobody listens at {address}")
        return listener.admit()

    async def listen(self, address: Address, options: ConnectionOptions) -> Listener:
        if address.rest in self._listeners:
            raise AddressInUse(f"somebody listens at {address} already")
        listener = self._listeners[address.rest] = InprocListener(self, address, options)
        return listener

    def forget(self, listener: InprocListener) -> None:
        """Free the listener's name; no harm if it is free."""
        if self._listeners.get(listener.address.rest) is listener:
            del self._listeners[listener.address.rest]
