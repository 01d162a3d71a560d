"""A value on its way between attempts: an object, its encoded bytes, or both, each made from the other on demand."""

from __future__ import annotations

from typing import Final, cast

from actorflow.actors.codec import Codec, Limits

VALUE_LIMITS: Final = Limits(max_bytes=512 * 1024 * 1024, max_elements=50_000_000)
"""Wider than a message's: a map's outputs are gathered into one list, and what is read here was written by this run."""

VALUE_CODEC: Final = Codec(limits=VALUE_LIMITS)
"""What values are encoded with where nothing else is said."""


class _Absent:
    """The object has not been decoded yet; None is a value like any other."""


_ABSENT: Final = _Absent()


class Value:
    """Lazy in both directions: an output that only passes through this process is never decoded here.

    The object is handed out by reference, so whoever gets it does not change it. Encoding happens once and is kept,
    as is decoding. Two values are equal when their bytes are.
    """

    __slots__ = ("_codec", "_data", "_object")

    def __init__(self, object: object, data: bytes | None, codec: Codec) -> None:
        self._object = object
        self._data = data
        self._codec = codec

    @staticmethod
    def of(object: object, codec: Codec = VALUE_CODEC) -> Value:
        """The value of an object of this process; not encoded before somebody asks for its bytes."""
        return Value(object, None, codec)

    @staticmethod
    def from_bytes(data: bytes, codec: Codec = VALUE_CODEC) -> Value:
        """The value whose encoded form came from a worker or from disk; not decoded before somebody asks for it."""
        return Value(_ABSENT, data, codec)

    def get(self) -> object:
        """The object. Raises DecodeError where the bytes name a type that is not imported here, or are damaged."""
        if self._object is _ABSENT:
            self._object = self._codec.decode(cast("bytes", self._data))
        return self._object

    def data(self, name: str = "result") -> bytes:
        """The encoded form; raises EncodeError, whose path into the value begins with `name`."""
        if self._data is None:
            self._data = self._codec.encode(self._object, name)
        return self._data

    @property
    def size_bytes(self) -> int:
        """How large the encoded form is; raises EncodeError like `data`."""
        return len(self.data())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Value) and self.data() == other.data()

    def __hash__(self) -> int:
        return hash(self.data())

    def __repr__(self) -> str:
        held = f"{len(self._data or b'')} bytes" if self._object is _ABSENT else repr(self._object)
        return f"Value({held})"
