"""Limits on encoded values, checked before anything is built."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from .errors import DecodeError

UNWALKED_BYTES = 64 * 1024
"""Below this, with few containers, msgpack's own bounds suffice: no element is smaller than a byte."""

_HEADS = bytes([*range(0x80, 0xA0), 0xDC, 0xDD, 0xDE, 0xDF])
# msgpack's own timestamps, which reach no hook: the walk refuses them.
_TIMESTAMPS = (b"\xd6\xff", b"\xd7\xff", b"\xc7\x0c\xff")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How large an encoded value may be.

    max_bytes: of the encoded form.
    max_depth: containers within containers; a model or a dataclass counts as one.
    max_elements: all items of all containers together, tags and field names included.
    Memory built while decoding stays below 4 * max_bytes (one wide character makes a str four times its bytes)
    + 128 * max_elements (an empty dict is one byte on the wire and 88 in memory).
    """

    max_bytes: int = 64 * 1024 * 1024
    max_depth: int = 64
    max_elements: int = 1_000_000

    @property
    def max_memory_bytes(self) -> int:
        return 4 * self.max_bytes + 128 * self.max_elements

    @property
    def max_arrays(self) -> int:
        """Nested msgpack containers: a value takes at most two, and a leaf such as a datetime two more."""
        return 2 * self.max_depth + 2


def check(data: bytes | bytearray, limits: Limits) -> None:
    """Raise DecodeError unless `data` is one well-formed msgpack value within `limits`.

    Small data with few bytes that could open a container passes without a walk: unpacking it is safe, and says
    itself what is malformed.
    """
    size = len(data)
    if size > limits.max_bytes:
        raise DecodeError(f"{size:,} bytes are more than the limit of {limits.max_bytes:,}")
    if (
        size > UNWALKED_BYTES
        or size > limits.max_elements
        or (size > limits.max_arrays and size - len(data.translate(None, _HEADS)) > limits.max_arrays)
        or (b"\xff" in data and any(timestamp in data for timestamp in _TIMESTAMPS))
    ):
        _walk(data, limits)


# What one first byte announces: > 0 bytes of a scalar, or one of these.
_ARRAY, _MAP, _SIZED, _TAG, _UNKNOWN = 0, -1, -2, -3, -4

_EMPTY_MAP, _EMPTY_ARRAY = 0x80, 0x90  # as quick to pass over as a scalar
_SIZE_BYTES = {0xD9: 1, 0xDA: 2, 0xDB: 4, 0xC4: 1, 0xC5: 2, 0xC6: 4, 0xDC: 2, 0xDD: 4, 0xDE: 2, 0xDF: 4}
_WIDE_SCALARS = {0xCA: 5, 0xCB: 9, 0xCC: 2, 0xCD: 3, 0xCE: 5, 0xCF: 9, 0xD0: 2, 0xD1: 3, 0xD2: 5, 0xD3: 9}


def _announces(head: int) -> int:
    if head < 0x80 or head >= 0xE0 or head in (0xC0, 0xC2, 0xC3, _EMPTY_MAP, _EMPTY_ARRAY):
        return 1
    if head in _WIDE_SCALARS:
        return _WIDE_SCALARS[head]
    if 0xA0 <= head < 0xC0:
        return 1 + (head & 0x1F)
    if head < 0x90 or head in (0xDE, 0xDF):
        return _MAP
    if head < 0xA0 or head in (0xDC, 0xDD):
        return _ARRAY
    if head in _SIZE_BYTES:
        return _SIZED
    return _TAG if head == 0xC7 else _UNKNOWN


_ANNOUNCES = tuple(_announces(head) for head in range(256))

# The most frequent ones first: alternatives are tried in turn.
_SCALAR = (
    rb"[\x00-\x7f\xc0\xc2\xc3\xe0-\xff\xa0\x80\x90]|[\xcb\xcf\xd3\xa8].{8}|[\xcd\xd1\xa2]..|[\xcc\xd0\xa1]."
    rb"|[\xce\xd2\xca\xa4].{4}|\xa3...|\xc7\x00.|\xa5.{5}|\xa6.{6}|\xa7.{7}|\xa9.{9}|\xaa.{10}"
)
_LONG_RUN, _RUN, _SHORT_RUN = 64, 16, 4
_RETRY_AFTER = 16


@cache
def _scalars(count: int) -> re.Pattern[bytes]:
    """Matches exactly `count` short scalars, at six times the speed of a loop; possessive, so it never backtracks."""
    return re.compile(rb"(?:%b){%d}+" % (_SCALAR, count), re.DOTALL)


def _walk(data: bytes | bytearray, limits: Limits) -> None:
    """Visit each element once, without building it; no recursion, and no trust in a length that data states.

    One long loop, since it runs for every element of every large value.
    """
    end, max_arrays = len(data), limits.max_arrays
    outer: list[tuple[int, bool]] = []
    at, left, elements, in_map = 0, 1, 1, False
    try_at = 0  # how many elements are left when a run of scalars is worth a try
    while True:
        while not left:
            if not outer:
                return _at_end(at, end)
            left, in_map = outer.pop()
            try_at = left - _RETRY_AFTER
        if _SHORT_RUN <= left <= try_at:
            count = _LONG_RUN if left >= _LONG_RUN else _RUN if left >= _RUN else _SHORT_RUN
            if run := _scalars(count).match(data, at):
                at = run.end()
                left -= count
                continue
            try_at = left - _RETRY_AFTER
        if at >= end:
            raise DecodeError(f"cut short: {left} more elements were announced at byte {at}")
        head = data[at]
        size = _ANNOUNCES[head]
        left -= 1
        if size > 0:
            at += size
        elif size == _SIZED:
            width = _SIZE_BYTES[head]
            at += 1 + width + int.from_bytes(data[at + 1 : at + 1 + width], "big")
        elif size == _TAG:
            if data[at + 1 : at + 2] != b"\x00":
                raise DecodeError(f"unknown extension at byte {at}")
            at += 3
        elif size == _UNKNOWN:
            raise DecodeError(f"unknown extension or type 0x{head:02x} at byte {at}")
        else:
            if in_map and left % 2:
                raise DecodeError(f"a map's key at byte {at} is no scalar")
            outer.append((left, in_map))
            at, left = _count(data, at, head)
            in_map = size == _MAP
            left = left * 2 if in_map else left
            elements += left
            _refuse_count(left, at, end, elements, limits)
            if len(outer) > max_arrays:
                raise DecodeError(f"nested deeper than the limit of {limits.max_depth}")
            try_at = left
        if at > end:
            raise DecodeError(f"cut short: byte {at} was announced, there are {end}")


def _refuse_count(count: int, at: int, end: int, elements: int, limits: Limits) -> None:
    if count > end - at:
        raise DecodeError(f"cut short: {count:,} elements are announced at byte {at}, {end - at:,} bytes follow")
    if elements > limits.max_elements:
        raise DecodeError(f"more elements than the limit of {limits.max_elements:,}")


def _count(data: bytes | bytearray, at: int, head: int) -> tuple[int, int]:
    """(position after the header, its count) of an array or a map."""
    if head < 0xA0:
        return at + 1, head & 0x0F
    width = _SIZE_BYTES[head]
    return at + 1 + width, int.from_bytes(data[at + 1 : at + 1 + width], "big")


def _at_end(at: int, end: int) -> None:
    if at != end:
        raise DecodeError(f"{end - at:,} bytes follow the value, which ends at byte {at}")
