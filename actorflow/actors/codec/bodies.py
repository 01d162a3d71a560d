"""The large bodies behind a msgpack value, handed out in their order, each once."""

from __future__ import annotations

from typing import Protocol, cast

from .errors import DecodeError
from .limits import Limits
from .wire import BODY_ALIGNMENT


class Bodies:
    """What follows the msgpack value, which ends at `at`.

    is_given: `data` may be changed by whoever gets a part of it, since its owner gave it away.
    """

    __slots__ = ("_at", "_data", "_end", "_is_given", "_loose")

    def __init__(self, data: bytes | bytearray, at: int, *, is_given: bool) -> None:
        self._data = memoryview(data)
        self._end = len(data)
        self._at = at
        self._is_given = is_given
        self._loose = 0

    def next(self, length: object) -> memoryview:
        """The next body; raises DecodeError unless it is there and of this length."""
        start = self._at + -self._at % BODY_ALIGNMENT
        if type(length) is not int or length < 0 or start + length > self._end:
            raise DecodeError(f"cut short: a body of {length!r:.20} bytes is announced at byte {start}")
        self._at = start + length
        return self._data[start : self._at]

    def next_buffer(self, length: object) -> memoryview:
        """The next body, as what only an array or a table may `take`."""
        self._loose += 1
        return self.next(length)

    def take(self, item: object) -> bytes | memoryview:
        """The bytes of an array or a table: a buffer, or bytes within the msgpack value."""
        if type(item) is memoryview:
            self._loose -= 1
            return item
        if type(item) is not bytes:
            raise DecodeError("the data of an array is no bytes")
        return item

    def take_writable(self, item: object) -> bytearray | memoryview:
        """The same, and nobody else sees what is written into it."""
        taken = self.take(item)
        is_ours = isinstance(taken, memoryview) and not taken.readonly and self._is_given
        return cast("memoryview", taken) if is_ours else bytearray(taken)

    def take_frozen(self, item: object) -> bytes | memoryview:
        """The same, and nobody writes into it."""
        taken = self.take(item)
        is_frozen = isinstance(taken, bytes) or taken.readonly or self._is_given
        return taken if is_frozen else bytes(taken)

    def refuse_rest(self) -> None:
        """Raise DecodeError unless each body stands where it belongs, and nothing behind them."""
        if self._loose:
            raise DecodeError("a buffer stands where no buffer may")
        if self._at != self._end:
            raise DecodeError(f"{self._end - self._at:,} bytes follow the last body")


class Building(Protocol):
    """What the builders of arrays and tables need of the reader."""

    limits: Limits

    @property
    def bodies(self) -> Bodies: ...
