"""What the transports raise.

TransportError
├── AddressError        an address that cannot be read, or leads to no transport
├── AddressRefused      an address that may not be used: it would be open to others
├── AddressInUse        somebody listens there already
├── ConnectRefused      nobody listens there
├── ConnectionClosed    this end was closed or has ended its sending
├── EndOfItems          the peer has ended, in order: everything it sent was received
├── ConnectionLost      the connection broke; items may be lost
│   ├── BadFrame        the peer sent what is no frame
│   ├── FrameTooLarge   a frame above the limit, sent or received
│   └── BadItem         a frame whose body does not decode
├── HandshakeRefused    the peer speaks another version, plays another role, or said nothing in time
└── ReceiverBusy        two tasks receive from one connection
"""

from __future__ import annotations


class TransportError(Exception):
    """Base of what the transports raise."""


class AddressError(TransportError):
    """An address that cannot be read, or whose scheme has no transport."""


class AddressRefused(TransportError):
    """An address that would be open to others before authentication and encryption exist."""


class AddressInUse(TransportError):
    """Somebody listens at this address already."""


class ConnectRefused(TransportError):
    """Nobody listens at this address."""


class ConnectionClosed(TransportError):
    """This end was closed, or has ended its sending."""


class EndOfItems(TransportError):
    """The peer has ended in order; all it sent was received."""


class ConnectionLost(TransportError):
    """The connection broke; items under way may be lost."""


class BadFrame(ConnectionLost):
    """The peer sent bytes that are no frame; the connection is closed."""


class FrameTooLarge(ConnectionLost):
    """A frame above the limit. A received one closes the connection; one to be sent is refused and nothing is lost."""


class BadItem(ConnectionLost):
    """A frame whose body does not decode; the connection is closed."""


class HandshakeRefused(TransportError):
    """The peer speaks another version, plays a role it may not, or did not say in time."""


class ReceiverBusy(TransportError):
    """Two tasks receive from one connection at once."""
