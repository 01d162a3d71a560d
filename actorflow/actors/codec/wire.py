"""The one file that touches the msgpack library: typed, and with the options that keep types apart."""

from __future__ import annotations

import threading
from collections.abc import Callable
from enum import IntEnum
from typing import Protocol, cast

import msgpack  # type: ignore[import-untyped]  # ships no types

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


class _Packer(Protocol):
    def pack(self, value: object, /) -> bytes: ...


class _Msgpack(Protocol):
    def Packer(self, **options: object) -> _Packer: ...
    def ExtType(self, code: int, data: bytes, /) -> object: ...
    def unpackb(self, data: bytes, /, **options: object) -> object: ...


_msgpack = cast("_Msgpack", msgpack)

MARKS: dict[Tag, object] = {tag: _msgpack.ExtType(tag.value, b"") for tag in Tag}
"""What stands at the head of a tagged array; three bytes on the wire."""


def _big_int(value: object) -> object:
    """An int that needs more than 64 bits; all else was lowered before it came here."""
    if type(value) is not int:
        raise TypeError(f"{type(value).__name__} reached the packer")  # pragma: no cover - a fault of ours
    size = value.bit_length() // 8 + 1
    return [MARKS[Tag.INT], value.to_bytes(size, "little", signed=True)]


def _new_packer() -> _Packer:
    # surrogatepass: a str may hold lone surrogates (file names do), and costs nothing for all others.
    return _msgpack.Packer(strict_types=True, use_bin_type=True, unicode_errors="surrogatepass", default=_big_int)


class _Local(threading.local):
    """One packer for each thread: a packer is not safe between threads, and costs 256 KiB to make."""

    def __init__(self) -> None:
        self.packer = _new_packer()


_local = _Local()


def pack(lowered: object) -> bytes:
    data = _local.packer.pack(lowered)
    if len(data) > KEEP_PACKER_BYTES:
        _local.packer = _new_packer()
    return data


def unpack(data: bytes, on_ext: Callable[[int, bytes], object]) -> object:
    return _msgpack.unpackb(data, strict_map_key=False, unicode_errors="surrogatepass", ext_hook=on_ext)


def unpack_tagged(
    data: bytes, on_ext: Callable[[int, bytes], object], on_list: Callable[[list[object]], object]
) -> object:
    return _msgpack.unpackb(
        data, strict_map_key=False, unicode_errors="surrogatepass", ext_hook=on_ext, list_hook=on_list
    )
