"""The seam: a connection moves items between two ends; a listener accepts connections; a transport makes both."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, NoReturn, Protocol, Self, cast

from .address import Address
from .frame import MAX_FRAME_BYTES

Encode = Callable[[Any], bytes]
Decode = Callable[[bytes], Any]
"""Any: what an item is, only the two ends know."""

Take = Callable[[list[Any]], None]
"""What is done with the items that have come."""

Squeeze = Callable[[bytes], bytes | None]
Expand = Callable[[bytes, int], bytes]


def as_bytes(item: object) -> bytes:
    """The codec of who sends bytes only."""
    if type(item) is bytes:
        return item
    if not isinstance(item, bytes | bytearray | memoryview):
        raise TypeError(f"this connection carries bytes, not {type(item).__qualname__}; give it encode= and decode=")
    return bytes(cast("bytes", item))


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionOptions:
    """How a connection carries items.

    encode, decode: item to bytes and back; used by wires only, in-process items pass by reference. `encode` must not
        hand out a buffer that changes later. `decode` may get a bytearray, which is its own to keep. What `decode`
        raises closes the connection as BadItem.
    squeeze, expand: compression, on wires only; both ends have it or none. `squeeze(body)` is None for what is sent as
        it is; `expand(body, max_frame_bytes)` raises rather than give more bytes than that.
    max_frame_bytes: the largest body sent or received; a larger one is refused before room is made for it.
    max_first_frame_bytes: the same for the first frame received, before it is known who speaks; None: no other limit.
    max_queued_bytes: sent items that wait for the wire; `send` waits for room. One larger item passes alone.
    max_queued_items: the same for in-process connections.
    """

    encode: Encode = as_bytes
    decode: Decode = bytes
    squeeze: Squeeze | None = None
    expand: Expand | None = None
    max_frame_bytes: int = MAX_FRAME_BYTES
    max_first_frame_bytes: int | None = None
    max_queued_bytes: int = 1024 * 1024
    max_queued_items: int = 1024


class Connection(Protocol):
    """Items both ways, in order, each at most once, whole or not at all. Enter it with `async with` before use.

    Several tasks may send; one at a time may receive. Cancelling `send` sends the item whole or not at all, cancelling
    `receive` loses none. Leaving the block in order first hands over what was sent; leaving it by an error does not.
    """

    @property
    def peer(self) -> str:
        """Who is at the other end, for messages."""
        ...

    async def send(self, item: Any) -> None:
        """Queue `item` once there is room.

        Raises ConnectionClosed, ConnectionLost, FrameTooLarge, what encode raises; then nothing was queued.
        """
        ...

    def try_send(self, item: Any, *, at_once: bool = False) -> bool:
        """Queue `item` if there is room now; never waits. Raises as `send`.

        at_once: hand it over within this call, where nothing is queued before it and the wire takes it, rather than
        with all else that is sent within a turn of the loop.
        """
        ...

    async def drain(self) -> None:
        """Return once all that was sent is handed over; raises ConnectionLost."""
        ...

    async def receive(self) -> Any:
        """The next item; raises EndOfItems, ConnectionLost, ConnectionClosed, ReceiverBusy."""
        ...

    async def receive_many(self) -> list[Any]:
        """All items that are here, in order; waits for the first one. Raises as `receive`, once none is left."""
        ...

    async def receive_into(self, take: Take) -> NoReturn:
        """Call `take` with all items that are here, in order, whenever there are some. Raises as `receive`, at the end.

        It may be called outside of any task, so it must not wait; what it raises is raised here.
        """
        ...

    def end(self) -> None:
        """End the sending: the peer gets what was sent, then EndOfItems. Receiving goes on."""
        ...

    def limit_sends(self, max_frame_bytes: int) -> None:
        """Refuse to send larger items than the peer takes."""
        ...

    def close(self) -> None:
        """Close both ways at once; what is queued is dropped, waiting sends and receives raise ConnectionClosed."""
        ...

    def __aiter__(self) -> AsyncIterator[Any]: ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None, /
    ) -> None: ...


class Listener(Protocol):
    """Accepts connections at an address until it is closed. Enter it with `async with`."""

    @property
    def address(self) -> Address:
        """Where it listens; with the port it was given."""
        ...

    async def accept(self) -> Connection:
        """The next connection, to be entered by whom serves it; raises ConnectionClosed once closed."""
        ...

    def close(self) -> None: ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None, /
    ) -> None: ...


class Transport(Protocol):
    """One scheme of addresses."""

    @property
    def scheme(self) -> str: ...

    async def connect(self, address: Address, options: ConnectionOptions) -> Connection:
        """A connection to who listens at `address`; raises ConnectRefused, AddressError, AddressRefused."""
        ...

    async def listen(self, address: Address, options: ConnectionOptions) -> Listener:
        """A listener at `address`, which accepts from now on; raises AddressInUse, AddressError, AddressRefused."""
        ...
