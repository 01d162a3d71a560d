"""Which transport serves which scheme; other packages add theirs by entry point."""

from __future__ import annotations

from .address import Address
from .errors import AddressError
from .inproc import InprocTransport
from .interface import Connection, ConnectionOptions, Listener, Transport
from .subprocess import SubprocessTransport
from .tcp import TcpTransport
from .unix import UnixTransport

ENTRY_POINT_GROUP = "actorflow.transports"
"""An entry point named like the scheme; what it names is called without arguments and returns the Transport."""


class Registry:
    """Schemes and their transports."""

    def __init__(self, *transports: Transport) -> None:
        self._transports: dict[str, Transport] = {transport.scheme: transport for transport in transports}

    def add(self, transport: Transport) -> None:
        """Serve the transport's scheme with it from now on."""
        self._transports[transport.scheme] = transport

    def transport_of(self, scheme: str) -> Transport:
        """The transport of a scheme, from an installed package if need be; raises AddressError."""
        if scheme not in self._transports:
            import importlib.metadata  # 20 ms, for who brings a transport of their own

            found = importlib.metadata.entry_points(group=ENTRY_POINT_GROUP, name=scheme)
            if not found:
                known = ", ".join(sorted(self._transports))
                raise AddressError(f"no transport is called {scheme!r}; there are {known}")
            self._transports[scheme] = next(iter(found)).load()()
        return self._transports[scheme]

    async def connect(self, address: str, options: ConnectionOptions) -> Connection:
        """A connection to who listens at `address`; raises as Transport.connect."""
        parsed = Address.parse(address)
        return await self.transport_of(parsed.scheme).connect(parsed, options)

    async def listen(self, address: str, options: ConnectionOptions) -> Listener:
        """A listener at `address`; raises as Transport.listen."""
        parsed = Address.parse(address)
        return await self.transport_of(parsed.scheme).listen(parsed, options)


def default_registry() -> Registry:
    """inproc, fd, unix and tcp; its inproc names are its own."""
    return Registry(InprocTransport(), SubprocessTransport(), UnixTransport(), TcpTransport())
