"""The one file that touches the msgpack library: typed, and with the options that keep types apart.

An encoded value is one msgpack value; or, if large bodies are in it, 0xC1 (which begins no msgpack), the size of that
value as 4 bytes, the value, and behind it the bodies in the order in which the value announces them, each at a
multiple of BODY_ALIGNMENT bytes. So no large body goes through msgpack, and an array can be used where it lies.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from struct import Struct
from typing import Protocol, cast

import msgpack  # type: ignore[import-untyped]  # ships no types

from .errors import DecodeError

KEEP_PACKER_BYTES = 1 << 20
"""A packer keeps the largest buffer it ever needed; one that grew beyond this is dropped."""


class Tag(IntEnum):
    """What an array means whose first element is an empty msgpack extension of this code.

    The codes are the wire format and the journal's: append, never renumber.
    """

    TUPLE = 1
    SET = 2
    FROZENSET = 3
    DICT = 4
    INT = 5
    BYTEARRAY = 6
    COMPLEX = 7
    RANGE = 8
    SLICE = 9
    DECIMAL = 10
    UUID = 11
    PATH = 12
    DATETIME = 13
    DATE = 14
    TIME = 15
    TIMEDELTA = 16
    ENUM = 17
    NAMEDTUPLE = 18
    DATACLASS = 19
    MODEL = 20
    BODY = 21  # bytes that stand behind the msgpack value
    BUFFER = 22  # the same, as a part of an array or a table
    NDARRAY = 23
    NUMPY_SCALAR = 24
    NUMPY_DTYPE = 25
    ARROW = 26
    PANDAS = 27
    POLARS = 28


LARGE_BYTES = 64 * 1024
"""From here on, bytes stand behind the msgpack value, not in it, and so are copied less."""

BODIES_HEAD = 0xC1
BODY_ALIGNMENT = 16
"""Enough for every number numpy knows, and for Arrow."""

_SIZE = Struct(">BI")


@dataclass(frozen=True, slots=True)
class Body:
    """Stands in a lowered value for bytes that are not to go through msgpack. data: contiguous, one byte an item."""

    tag: Tag
    data: bytes | memoryview


def in_or_behind(data: bytes | memoryview, tag: Tag) -> object:
    """Bytes within the msgpack value where they are few; else behind it, without another copy."""
    if len(data) >= LARGE_BYTES:
        return Body(tag, data)
    return data if type(data) is bytes else bytes(data)


class _Packer(Protocol):
    def pack(self, value: object, /) -> bytes: ...


class _Msgpack(Protocol):
    def Packer(self, **options: object) -> _Packer: ...
    def ExtType(self, code: int, data: bytes, /) -> object: ...
    def unpackb(self, data: bytes | bytearray, /, **options: object) -> object: ...


_msgpack = cast("_Msgpack", msgpack)

MARKS: dict[Tag, object] = {tag: _msgpack.ExtType(tag.value, b"") for tag in Tag}
"""What stands at the head of a tagged array; three bytes on the wire."""


def _other(value: object) -> object:
    """An int that needs more than 64 bits, or a body; all else was lowered before it came here."""
    if type(value) is Body:
        _local.bodies.append(value.data)
        return [MARKS[value.tag], len(value.data)]
    if type(value) is not int:
        raise TypeError(f"{type(value).__name__} reached the packer")  # pragma: no cover - a fault of ours
    size = value.bit_length() // 8 + 1
    return [MARKS[Tag.INT], value.to_bytes(size, "little", signed=True)]


def _new_packer() -> _Packer:
    # surrogatepass: a str may hold lone surrogates (file names do), and costs nothing for all others.
    return _msgpack.Packer(strict_types=True, use_bin_type=True, unicode_errors="surrogatepass", default=_other)


def _new_flat_packer() -> _Packer:
    return _msgpack.Packer(use_bin_type=True, unicode_errors="surrogatepass")


class _Local(threading.local):
    """One packer for each thread: a packer is not safe between threads, and costs 256 KiB to make."""

    def __init__(self) -> None:
        self.packer = _new_packer()
        self.flat_packer: _Packer | None = None
        self.bodies: list[bytes | memoryview] = []


_local = _Local()


def pack(lowered: object) -> bytes:
    data = _local.packer.pack(lowered)
    if len(data) > KEEP_PACKER_BYTES:
        _local.packer = _new_packer()
    return data


def pack_flat(items: object) -> bytes:
    """Lists of what msgpack carries as it is, made by us and read by ourselves; a tuple is a list on the way."""
    packer = _local.flat_packer
    if packer is None:
        packer = _local.flat_packer = _new_flat_packer()
    data = packer.pack(items)
    if len(data) > KEEP_PACKER_BYTES:
        _local.flat_packer = None
    return data


def pack_with_bodies(lowered: object) -> bytes:
    """The encoded form of a lowered value, in which a Body may stand."""
    bodies = _local.bodies = []
    head = pack(lowered)
    if not bodies:
        return head
    _local.bodies = []
    parts: list[bytes | memoryview] = [_SIZE.pack(BODIES_HEAD, len(head)), head]
    at = _SIZE.size + len(head)
    for body in bodies:
        gap = -at % BODY_ALIGNMENT
        parts += [bytes(gap), body]
        at += gap + len(body)
    return b"".join(parts)


def split_bodies(data: bytes | bytearray | memoryview) -> tuple[bytes, int]:
    """(the msgpack value, where the bodies begin) of data that begins with BODIES_HEAD; raises DecodeError."""
    if len(data) < _SIZE.size:
        raise DecodeError(f"cut short after {len(data)} bytes")
    end = _SIZE.size + _SIZE.unpack_from(data)[1]
    if end > len(data):
        raise DecodeError(f"cut short: {end:,} bytes were announced, there are {len(data):,}")
    return bytes(data[_SIZE.size : end]), end


def unpack(data: bytes | bytearray, on_ext: Callable[[int, bytes], object]) -> object:
    return _msgpack.unpackb(data, strict_map_key=False, unicode_errors="surrogatepass", ext_hook=on_ext)


def unpack_tagged(
    data: bytes | bytearray, on_ext: Callable[[int, bytes], object], on_list: Callable[[list[object]], object]
) -> object:
    return _msgpack.unpackb(
        data, strict_map_key=False, unicode_errors="surrogatepass", ext_hook=on_ext, list_hook=on_list
    )
