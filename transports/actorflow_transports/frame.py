"""Frames: a length, flags and a body, cut out of a byte stream that arrives in any pieces."""

from __future__ import annotations

from struct import Struct

from .errors import BadFrame, FrameTooLarge

MAGIC = 0xAF
"""First byte of each frame: bytes that are no frame are seen at once, not after waiting for a wild length."""

HEADER = Struct(">BBI")
"""Magic, flags, length of the body in bytes."""

KNOWN_FLAGS = 0x01
COMPRESSED = 0x01
"""The body is compressed; only the codec knows how."""

MAX_FRAME_BYTES = 16 * 1024 * 1024
READ_BYTES = 256 * 1024

LARGE_BYTES = 16 * 1024
"""An incomplete body of this size is received right where it stays, instead of being moved there."""

HUGE_BYTES = 128 * 1024
"""After a body of this size only a header is read, so that the next one can be received in one piece."""

Frame = tuple[int, bytes | bytearray]
"""(flags, body)"""

_HEADER_BYTES = HEADER.size


def header_of(body_bytes: int, *, flags: int = 0, max_frame_bytes: int = MAX_FRAME_BYTES) -> bytes:
    """The header before a body of this many bytes; raises FrameTooLarge."""
    if body_bytes > max_frame_bytes:
        raise FrameTooLarge(
            f"an item of {body_bytes:,} bytes is above the limit of {max_frame_bytes:,}; "
            "send it in parts, by reference, or raise max_frame_bytes on both ends"
        )
    return HEADER.pack(MAGIC, flags, body_bytes)


class FrameParser:
    """Cuts frames out of a byte stream.

    Give it bytes with `feed`, or have a socket write into `writable()` and say with `written` how many came; while
    `whole_bytes` is above 0, better receive that many as one piece and hand it over with `received`. A length is
    checked before room is made for it: memory stays below read_bytes + max_frame_bytes + one piece. After an error the
    parser is of no more use, since where the next frame begins is not known.

    max_first_frame_bytes: what is known of the peer then is nothing, so its first frame has no flags either.
    known_flags: a frame with any other is refused.
    """

    def __init__(
        self,
        *,
        max_frame_bytes: int = MAX_FRAME_BYTES,
        max_first_frame_bytes: int | None = None,
        read_bytes: int = READ_BYTES,
        known_flags: int = KNOWN_FLAGS,
    ) -> None:
        self._max_frame_bytes = max_frame_bytes
        self._known_flags = known_flags
        is_first_known = max_first_frame_bytes is None
        self._limit = max_frame_bytes if max_first_frame_bytes is None else max_first_frame_bytes
        self._refused_flags = ~known_flags if is_first_known else -1
        self._scratch = memoryview(bytearray(max(read_bytes, _HEADER_BYTES)))
        self._held = 0  # bytes at the start of the scratch that belong to a frame not yet complete
        self._body: bytearray | None = None  # of a large frame, filled in place
        self._filled = 0
        self._flags = 0
        self._is_header_next = False  # and nothing behind it is to be read with it
        self.whole_bytes = 0

    @property
    def is_between_frames(self) -> bool:
        """Whether the stream may end here."""
        return not self._held and self._body is None and not self.whole_bytes

    def writable(self) -> memoryview:
        """Where the next bytes go; never empty."""
        if self.whole_bytes:
            self._begin_body(self.whole_bytes, b"")
        if self._body is not None:
            return memoryview(self._body)[self._filled :]
        if self._is_header_next and self._held < _HEADER_BYTES:
            return self._scratch[self._held : _HEADER_BYTES]
        return self._scratch[self._held :]

    def received(self, piece: bytes) -> list[Frame]:
        """The frame that `piece` completes, if it is `whole_bytes` long; else it is its beginning."""
        if len(piece) == self.whole_bytes:
            self.whole_bytes = 0
            return [(self._flags, piece)]
        self._begin_body(self.whole_bytes, piece)
        return []

    def written(self, count: int) -> list[Frame]:
        """The frames that `count` more bytes in `writable()` complete; raises BadFrame, FrameTooLarge."""
        if self._body is None:
            return self._cut(self._held + count)
        self._filled += count
        if self._filled < len(self._body):
            return []
        body, self._body = self._body, None
        return [(self._flags, body)]

    def feed(self, data: bytes | bytearray | memoryview) -> list[Frame]:
        """The frames that `data` completes; raises BadFrame, FrameTooLarge."""
        frames: list[Frame] = []
        rest = memoryview(data)
        while rest:
            room = self.writable()
            count = min(len(room), len(rest))
            room[:count] = rest[:count]
            frames += self.written(count)
            rest = rest[count:]
        return frames

    def _cut(self, end: int) -> list[Frame]:
        frames: list[Frame] = []
        scratch, unpack, at = self._scratch, HEADER.unpack_from, 0
        while end - at >= _HEADER_BYTES:
            magic, flags, length = unpack(scratch, at)
            if magic != MAGIC or length > self._limit or flags & self._refused_flags:
                self._refuse(magic, flags, length)
            self._limit, self._refused_flags = self._max_frame_bytes, ~self._known_flags
            body_at = at + _HEADER_BYTES
            at_next = body_at + length
            self._is_header_next = length >= HUGE_BYTES
            if at_next > end:
                if length >= LARGE_BYTES or at_next - at > len(scratch):
                    self._flags = flags
                    self._await_body(length, scratch[body_at:end])
                    at = end
                break
            frames.append((flags, bytes(scratch[body_at:at_next])))
            at = at_next
        else:
            if at < end and scratch[at] != MAGIC:
                self._refuse(scratch[at], 0, 0)
        self._held = end - at
        if at and self._held:
            scratch[: self._held] = bytes(scratch[at:end])
        return frames

    def _await_body(self, length: int, start: memoryview) -> None:
        if len(start):
            self._begin_body(length, start)
        else:
            self.whole_bytes = length

    def _begin_body(self, length: int, start: bytes | memoryview) -> None:
        self.whole_bytes = 0
        self._body = bytearray(length)
        self._body[: len(start)] = start
        self._filled = len(start)

    def _refuse(self, magic: int, flags: int, length: int) -> None:
        if magic != MAGIC or flags & self._refused_flags:
            raise BadFrame(f"not a frame: it begins with 0x{magic:02x} and flags 0x{flags:02x}")
        if length > self._limit:
            raise FrameTooLarge(f"the peer announces {length:,} bytes, the limit is {self._limit:,}")
