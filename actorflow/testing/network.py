"""Network: in-process connections between named nodes, which a test can partition and heal.

Each connection is two in-process pairs with a pump between them for each direction. A partition stops the pumps:

| while partitioned | `hold`                           | `drop`                 |
|-------------------|----------------------------------|------------------------|
| an item sent      | arrives after the heal, in order | is lost                |
| a full connection | lets its sender wait             | is never full          |
| a close or an end | is seen after the heal           | is seen after the heal |
| connecting        | waits for the heal               | waits for the heal     |
"""

from __future__ import annotations

import contextlib
from enum import StrEnum
from types import TracebackType
from typing import Any, Literal, Self, TypeAlias

import anyio

from actorflow.testing.event_log import EventKind, EventLog
from actorflow_supervisors.loop import Home, current_seam
from actorflow_transports import Connection, ConnectionClosed, ConnectionOptions, EndOfItems, Listener, TransportError
from actorflow_transports.address import Address
from actorflow_transports.errors import AddressInUse, ConnectRefused
from actorflow_transports.inproc import inproc_pair


class Loss(StrEnum):
    """What a partition does to items; the columns of the module's docstring."""

    hold = "hold"
    drop = "drop"


LossName: TypeAlias = Literal["hold", "drop"]


class Link:
    """What lies between two nodes, both ways."""

    def __init__(self) -> None:
        self.loss: Loss | None = None
        self._healed = anyio.Event()

    def cut(self, loss: Loss) -> None:
        self.loss = loss
        self._healed = anyio.Event()

    def heal(self) -> None:
        self.loss = None
        self._healed.set()

    async def whole(self) -> None:
        """Return once it is not cut."""
        while self.loss is not None:
            await self._healed.wait()

    async def passes(self) -> bool:
        """Once an item's fate is known: True if it arrives."""
        while self.loss is Loss.hold:
            await self._healed.wait()
        return self.loss is None


class Network:
    """Nodes by name, each with a transport of its own: `network.node("a")`. Enter it with `async with`."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._links: dict[frozenset[str], Link] = {}
        self._listeners: dict[str, NodeListener] = {}
        self._home: Home | None = None
        self._own_home: contextlib.AbstractAsyncContextManager[Home] | None = None

    def node(self, name: str) -> NodeTransport:
        """The transport of one node; all nodes share the names of `inproc://name`."""
        return NodeTransport(self, name)

    def partition(self, a: str, b: str, loss: Loss | LossName = Loss.hold) -> None:
        """From now on nothing passes between the nodes `a` and `b`; `drop` loses what is sent, `hold` keeps it."""
        if a == b:
            raise ValueError(f"node {a!r} cannot be partitioned from itself")
        self.link(a, b).cut(Loss(loss))
        self._log.add(EventKind.partitioned, f"{a} | {b}", loss)

    def heal(self, a: str, b: str) -> None:
        """Let everything pass again."""
        self.link(a, b).heal()
        self._log.add(EventKind.healed, f"{a} | {b}")

    def link(self, a: str, b: str) -> Link:
        """For the nodes: what lies between them."""
        return self._links.setdefault(frozenset((a, b)), Link())

    async def connect(self, node: str, address: Address, options: ConnectionOptions) -> Connection:
        """For `NodeTransport`."""
        listener = self._listener(address)
        link = self.link(node, listener.node)
        await link.whole()
        listener = self._listener(address)
        near, near_wire = inproc_pair(options, name=str(address))
        far_wire, far = inproc_pair(options, name=str(address))
        assert self._home is not None
        self._home.spawn(_wire, link, near_wire, far_wire, name=f"wire from {node} to {listener.node}")
        listener.admit(far)
        return near

    def listen(self, node: str, address: Address, options: ConnectionOptions) -> NodeListener:
        """For `NodeTransport`."""
        if address.rest in self._listeners:
            raise AddressInUse(f"somebody listens at {address} already")
        listener = self._listeners[address.rest] = NodeListener(self, node, address, options)
        return listener

    def forget(self, listener: NodeListener) -> None:
        """For `NodeListener`: its address is free."""
        if self._listeners.get(listener.address.rest) is listener:
            del self._listeners[listener.address.rest]

    def _listener(self, address: Address) -> NodeListener:
        listener = self._listeners.get(address.rest)
        if listener is None:
            raise ConnectRefused(f"nobody listens at {address}")
        return listener

    async def __aenter__(self) -> Self:
        self._own_home = current_seam().open_home()
        self._home = await self._own_home.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._own_home is not None
        await self._own_home.__aexit__(kind, error, trace)


class NodeTransport:
    """`inproc://name` as seen from one node of a network."""

    scheme = "inproc"

    def __init__(self, network: Network, node: str) -> None:
        self._network = network
        self._node = node

    async def connect(self, address: Address, options: ConnectionOptions) -> Connection:
        return await self._network.connect(self._node, address, options)

    async def listen(self, address: Address, options: ConnectionOptions) -> Listener:
        return self._network.listen(self._node, address, options)


class NodeListener:
    """Accepts from the nodes of one network."""

    def __init__(self, network: Network, node: str, address: Address, options: ConnectionOptions) -> None:
        self.node = node
        self._network = network
        self._address = address
        self._into, self._accepted = anyio.create_memory_object_stream[Connection](options.max_queued_items)

    @property
    def address(self) -> Address:
        return self._address

    def admit(self, connection: Connection) -> None:
        """For the network: `connection` waits to be accepted. Raises ConnectRefused."""
        try:
            self._into.send_nowait(connection)
        except anyio.WouldBlock as error:
            raise ConnectRefused(f"{self._address} has too many callers waiting") from error

    async def accept(self) -> Connection:
        try:
            return await self._accepted.receive()
        except (anyio.EndOfStream, anyio.ClosedResourceError) as error:
            raise ConnectionClosed(f"the listener at {self._address} is closed") from error

    def close(self) -> None:
        self._network.forget(self)
        self._into.close()
        with contextlib.suppress(anyio.WouldBlock, anyio.EndOfStream, anyio.ClosedResourceError):
            while True:
                self._accepted.receive_nowait().close()
        self._accepted.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None, /
    ) -> None:
        self.close()


async def _wire(link: Link, near: Connection, far: Connection) -> None:
    """Carry items both ways, until both have ended or one is closed."""
    async with near, far, anyio.create_task_group() as pumps:
        pumps.start_soon(_pump, link, near, far)
        pumps.start_soon(_pump, link, far, near)


async def _pump(link: Link, source: Connection, sink: Connection) -> None:
    """Carry what comes out of `source` into `sink`, as far as `link` lets it through."""
    try:
        while True:
            item: Any = await source.receive()
            if await link.passes():
                await sink.send(item)
    except EndOfItems:
        await link.whole()
        sink.end()
    except TransportError:  # one side has closed, so neither will be served again
        await link.whole()
        source.close()
        sink.close()
