"""Floor 0: carries items between two ends. Knows no actors.

A name is loaded when it is first asked for: whoever wants a `BlockingConnection` does not pay for a loop.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .address import Address as Address
    from .blocking import BlockingConnection as BlockingConnection
    from .errors import AddressError as AddressError
    from .errors import AddressInUse as AddressInUse
    from .errors import AddressRefused as AddressRefused
    from .errors import BadFrame as BadFrame
    from .errors import BadItem as BadItem
    from .errors import ConnectionClosed as ConnectionClosed
    from .errors import ConnectionLost as ConnectionLost
    from .errors import ConnectRefused as ConnectRefused
    from .errors import EndOfItems as EndOfItems
    from .errors import FrameTooLarge as FrameTooLarge
    from .errors import HandshakeRefused as HandshakeRefused
    from .errors import ReceiverBusy as ReceiverBusy
    from .errors import TransportError as TransportError
    from .handshake import MAX_HELLO_BYTES as MAX_HELLO_BYTES
    from .handshake import Hello as Hello
    from .handshake import greet as greet
    from .inproc import InprocTransport as InprocTransport
    from .inproc import inproc_pair as inproc_pair
    from .interface import Connection as Connection
    from .interface import ConnectionOptions as ConnectionOptions
    from .interface import Decode as Decode
    from .interface import Encode as Encode
    from .interface import Expand as Expand
    from .interface import Listener as Listener
    from .interface import Squeeze as Squeeze
    from .interface import Take as Take
    from .interface import Transport as Transport
    from .registry import Registry as Registry
    from .registry import default_registry as default_registry
    from .subprocess import SubprocessTransport as SubprocessTransport
    from .subprocess import blocking_from_fd as blocking_from_fd
    from .subprocess import from_fd as from_fd
    from .subprocess import from_socket as from_socket
    from .subprocess import socket_pair as socket_pair
    from .tcp import TcpTransport as TcpTransport
    from .unix import UnixTransport as UnixTransport
else:
    _MODULES = {
        "address": ("Address",),
        "blocking": ("BlockingConnection",),
        "errors": (
            "AddressError",
            "AddressInUse",
            "AddressRefused",
            "BadFrame",
            "BadItem",
            "ConnectionClosed",
            "ConnectionLost",
            "ConnectRefused",
            "EndOfItems",
            "FrameTooLarge",
            "HandshakeRefused",
            "ReceiverBusy",
            "TransportError",
        ),
        "handshake": (
            "MAX_HELLO_BYTES",
            "Hello",
            "greet",
        ),
        "inproc": (
            "InprocTransport",
            "inproc_pair",
        ),
        "interface": (
            "Connection",
            "ConnectionOptions",
            "Decode",
            "Encode",
            "Expand",
            "Listener",
            "Squeeze",
            "Take",
            "Transport",
        ),
        "registry": (
            "Registry",
            "default_registry",
        ),
        "subprocess": (
            "SubprocessTransport",
            "blocking_from_fd",
            "from_fd",
            "from_socket",
            "socket_pair",
        ),
        "tcp": ("TcpTransport",),
        "unix": ("UnixTransport",),
    }
    _HOMES = {name: module for module, names in _MODULES.items() for name in names}
    __all__ = [*sorted(_HOMES)]  # noqa: PLE0604 - all are strings

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = globals()[name] = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        return found

    def __dir__() -> list[str]:
        return sorted(_HOMES)
