"""Compression of encoded values: lz4 where it helps, and a decompressor no input can blow up.

`squeeze` and `expand` are what ConnectionOptions(squeeze=, expand=) takes.
"""

from __future__ import annotations

import importlib
from typing import Protocol, cast

from actorflow.actors.codec import DecodeError

MIN_BYTES = 4096
"""Smaller values are sent as they are: there is little to gain."""

SAMPLE_BYTES = 64 * 1024
"""A larger value whose beginning does not become smaller is sent as it is: noise is not worth the time."""

MAX_RATIO = 100
"""No honest frame is larger than this many times its compressed form: one that would be is sent as it is."""

MAX_BYTES = 64 * 1024 * 1024
STEP_BYTES = 64 * 1024
"""Decompressed at a time; the limits are checked after each step."""


class _Decompressor(Protocol):
    eof: bool
    needs_input: bool
    unused_data: bytes | None

    def decompress(self, data: bytes | memoryview, max_length: int = -1) -> bytes: ...


class _Lz4(Protocol):
    def compress(self, data: bytes, *, store_size: bool) -> bytes: ...
    def LZ4FrameDecompressor(self) -> _Decompressor: ...


def squeeze(data: bytes, *, min_bytes: int = MIN_BYTES) -> bytes | None:
    """`data` compressed; None if that does not make it smaller."""
    if len(data) < min_bytes:
        return None
    if len(data) > SAMPLE_BYTES and _compressed(data[:SAMPLE_BYTES]) is None:
        return None
    return _compressed(data)


def _compressed(data: bytes) -> bytes | None:
    packed = _lz4().compress(data, store_size=False)
    return packed if len(packed) < len(data) <= MAX_RATIO * len(packed) else None


def expand(data: bytes, max_bytes: int = MAX_BYTES) -> bytes:
    """What `squeeze` was given; raises DecodeError, at the latest one step beyond `max_bytes` or MAX_RATIO."""
    return _decompress(memoryview(data), min(max_bytes, MAX_RATIO * len(data)))


def _decompress(body: memoryview, limit: int) -> bytes:
    # Never trusts a size the data states: each step makes room for at most STEP_BYTES.
    lz4 = _lz4().LZ4FrameDecompressor()
    steps: list[bytes] = []
    size = 0
    feed: bytes | memoryview = body
    while not lz4.eof:
        try:
            step = lz4.decompress(feed, max_length=STEP_BYTES)
        except (RuntimeError, ValueError, EOFError, MemoryError) as exc:
            raise DecodeError(f"damaged compressed data: {exc}") from exc
        feed = b""
        size += len(step)
        if size > limit:
            raise DecodeError(f"decompresses to more than {limit:,} bytes, from {len(body):,}")
        if not step and lz4.needs_input and not lz4.eof:
            raise DecodeError("compressed data is cut short")
        steps.append(step)
    if lz4.unused_data:
        raise DecodeError(f"{len(lz4.unused_data):,} bytes follow the compressed data")
    return b"".join(steps)


def _lz4() -> _Lz4:
    return cast("_Lz4", importlib.import_module("lz4.frame"))
