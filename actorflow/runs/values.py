"""A value on its way between attempts: an object, its encoded bytes, or a reference to where those are on disk.

Each is made from the others on demand. A value too large for a row of the journal is let go of once it is stored
(`spill`), so that what waits for its readers costs no memory; who asks for it later reads it back.
"""

from __future__ import annotations

from typing import Final, NamedTuple, Protocol, cast

from actorflow.actors.codec import Codec, Limits

VALUE_LIMITS: Final = Limits(max_bytes=512 * 1024 * 1024, max_elements=50_000_000)
"""Wider than a message's: a map's outputs are gathered into one list, and what is read here was written by this run."""

VALUE_CODEC: Final = Codec(
    limits=VALUE_LIMITS,
    too_large="values of a run are whole in memory, and so is the list of a map's results: have a task reduce it, or "
    "pass on the paths of files",
)
"""What values are encoded with where nothing else is said."""


class _Absent:
    """The object has not been decoded yet; None is a value like any other."""


_ABSENT: Final = _Absent()


_PLAIN: Final = frozenset({bool, int, float, str, type(None)})
"""Nobody can change one of these, so that it may be encoded again."""


class Reference(NamedTuple):
    """Names the encoded form of a value by its content. digest: SHA-256. seq: of the row that names it, for errors."""

    digest: bytes
    size_bytes: int
    seq: int = 0


class ValueSource(Protocol):
    """Where encoded forms are kept. Safe between threads."""

    def read(self, reference: Reference) -> bytes:
        """The encoded form, its digest checked. Raises JournalDamaged, and ValueReleased where it is kept no more."""
        ...

    def decoded(self, reference: Reference, codec: Codec) -> object:
        """The object, which may be one that was handed out before."""
        ...


class Value:
    """Lazy in every direction: an output that only passes through this process is never decoded here.

    The object is handed out by reference, so whoever gets it does not change it. Encoding happens once and is kept,
    as is decoding, until the value is spilled. Two values are equal when their bytes are. Safe between threads.
    """

    __slots__ = ("_codec", "_data", "_held", "_object", "_reference", "_source")

    def __init__(
        self,
        object: object,
        data: bytes | None,
        codec: Codec,
        reference: Reference | None = None,
        source: ValueSource | None = None,
    ) -> None:
        self._object = object
        self._data = data
        self._codec = codec
        self._reference = reference
        self._source = source
        self._held = False

    @staticmethod
    def of(object: object, codec: Codec = VALUE_CODEC) -> Value:
        """The value of an object of this process; not encoded before somebody asks for its bytes."""
        return Value(object, None, codec)

    @staticmethod
    def from_bytes(data: bytes, codec: Codec = VALUE_CODEC) -> Value:
        """The value whose encoded form came from a worker or from disk; not decoded before somebody asks for it."""
        return Value(_ABSENT, data, codec)

    @staticmethod
    def spilled(reference: Reference, source: ValueSource, codec: Codec = VALUE_CODEC) -> Value:
        """The value whose encoded form is in `source`; not read before somebody asks for it."""
        return Value(_ABSENT, None, codec, reference, source)

    def get(self) -> object:
        """The object. Raises DecodeError where the bytes name a type that is not imported here, or are damaged.

        Of a spilled value also what its source raises, and each call may give another, equal object.
        """
        found = self._object
        if found is not _ABSENT:
            return found
        data = self._data
        if data is None:
            return cast("ValueSource", self._source).decoded(cast("Reference", self._reference), self._codec)
        found = self._codec.decode(data)
        if self._reference is None or self._held:
            self._object = found
        return found

    def data(self, name: str = "result") -> bytes:
        """The encoded form; raises EncodeError, whose path into the value begins with `name`."""
        data = self._data
        if data is not None:
            return data
        if self._reference is not None:
            return cast("ValueSource", self._source).read(self._reference)
        data = self._data = self._codec.encode(self._object, name)
        return data

    @property
    def size_bytes(self) -> int:
        """How large the encoded form is; raises EncodeError like `data`."""
        return len(self.data()) if self._reference is None else self._reference.size_bytes

    @property
    def held_bytes(self) -> int:
        """What it takes of memory, an object counted as large as its encoded form; raises EncodeError like `data`."""
        size_bytes = self.size_bytes  # which encodes it where nobody has
        return size_bytes * ((self._data is not None) + (self._object is not _ABSENT))

    @property
    def is_spilled(self) -> bool:
        """True if this process holds nothing of the value but its reference."""
        return self._data is None and self._object is _ABSENT

    def least(self, max_bytes: int) -> object:
        """The least from which an equal value can be made, where its encoded form is no larger than that and in memory.

        Its encoded form, as bytes; its object, which is never bytes then; else the value itself.
        """
        data = self._data
        if data is None or len(data) > max_bytes or self._reference is not None or self._codec is not VALUE_CODEC:
            return self
        found = self._object
        if found is _ABSENT:
            return data
        return found if type(found) in _PLAIN else self

    def reference_in(self, source: ValueSource) -> Reference | None:
        """Where `source` keeps it; None if it was not put there."""
        return self._reference if self._source is source else None

    def spill(self, reference: Reference, source: ValueSource) -> None:
        """The encoded form is on disk: let go of object and bytes, unless they are held."""
        self._source = source
        self._reference = reference  # before the rest goes: another thread may be reading
        if not self._held:
            self._data = None
            self._object = _ABSENT

    def hold(self) -> None:
        """Stay in memory whatever is spilled; what is spilled already is read back."""
        if self.is_spilled:
            self._data = self.data()
        self._held = True

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Value) and self.data() == other.data()

    def __hash__(self) -> int:
        return hash(self.data())

    def __repr__(self) -> str:
        if self.is_spilled:
            return f"Value({self.size_bytes} bytes, spilled)"
        held = f"{len(self._data or b'')} bytes" if self._object is _ABSENT else repr(self._object)
        return f"Value({held})"
