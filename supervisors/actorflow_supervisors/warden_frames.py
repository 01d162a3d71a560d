"""Warden frames: what a warden, its supervisor and its zygotes write to each other over Unix sockets.

A frame is a head, 4 bytes of length and 1 byte that counts the descriptors which travel with it, then fields, each with
4 bytes of length before it. The first field names the message. Standard library only, and little of it: the warden's
start pays for every import.
"""

from __future__ import annotations

import array
import contextlib
import os
import socket
import struct
from collections import deque

MAX_FRAME_BYTES = 32 << 20
"""Room for an environment and a payload; a head that asks for more is refused before room is made."""

MAX_DESCRIPTORS = 64
_HEAD = struct.Struct("!IB")
_LENGTH = struct.Struct("!I")
_READ_BYTES = 1 << 16
_CLOEXEC = getattr(socket, "MSG_CMSG_CLOEXEC", 0)
_ROOM_FOR_DESCRIPTORS = socket.CMSG_SPACE((MAX_DESCRIPTORS + 1) * 4)


class FrameError(Exception):
    """Bytes that are no frame; the connection is of no further use."""


class Frame:
    """A message. fds: descriptors that came with it, the receiver's own from now on."""

    __slots__ = ("fds", "fields", "name")

    def __init__(self, name: str, fields: list[bytes], fds: list[int]) -> None:
        self.name = name
        self.fields = fields
        self.fds = fds

    def close(self) -> None:
        """Let go of the descriptors."""
        for fd in self.fds:
            os.close(fd)
        self.fds = []


def pack(name: str, *fields: bytes | str | int | float, fds: int = 0) -> bytes:
    """The bytes of a frame with which `fds` descriptors travel. Raises FrameError where it is too large."""
    parts: list[bytes] = []
    for field in (name, *fields):
        data = field if isinstance(field, bytes) else os.fsencode(str(field))
        parts += (_LENGTH.pack(len(data)), data)
    body = b"".join(parts)
    if len(body) > MAX_FRAME_BYTES or fds > MAX_DESCRIPTORS:
        raise FrameError(
            f"a frame of {len(body):,} bytes and {fds} descriptors; {MAX_FRAME_BYTES:,} and 64 are allowed"
        )
    return _HEAD.pack(len(body), fds) + body


class FrameReader:
    """Turns what is received into frames."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._fds: deque[int] = deque()

    def received(self, data: bytes, fds: list[int]) -> list[Frame]:
        """The frames that are complete with this. Raises FrameError."""
        self._data += data
        self._fds.extend(fds)
        frames: list[Frame] = []
        while len(self._data) >= _HEAD.size:
            length, count = _HEAD.unpack_from(self._data)
            if length > MAX_FRAME_BYTES or count > MAX_DESCRIPTORS:
                raise FrameError(f"a frame of {length:,} bytes and {count} descriptors is announced")
            end = _HEAD.size + length
            if len(self._data) < end:
                break
            if len(self._fds) < count:
                raise FrameError(f"{count} descriptors are announced, {len(self._fds)} came")
            name, *fields = _fields_of(bytes(self._data[_HEAD.size : end]))
            frames.append(Frame(name.decode(errors="replace"), fields, [self._fds.popleft() for _ in range(count)]))
            del self._data[:end]
        return frames

    def close(self) -> None:
        """Let go of descriptors that belong to no frame."""
        while self._fds:
            os.close(self._fds.popleft())


def _fields_of(body: bytes) -> list[bytes]:
    fields: list[bytes] = []
    at = 0
    while at < len(body):
        end = at + _LENGTH.size
        if end > len(body):
            raise FrameError("a field's length is cut off")
        (length,) = _LENGTH.unpack_from(body, at)
        at, end = end, end + length
        if end > len(body):
            raise FrameError("a field is cut off")
        fields.append(body[at:end])
        at = end
    if not fields:
        raise FrameError("a frame without a name")
    return fields


class FrameSocket:
    """Both directions over one socket, which never blocks. What does not fit waits here until `flush`."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.sock = sock
        self._reader = FrameReader()
        self._waiting: deque[_Parcel] = deque()

    @property
    def is_flushed(self) -> bool:
        return not self._waiting

    def send(self, name: str, *fields: bytes | str | int | float, fds: tuple[int, ...] = ()) -> None:
        """Write a frame, or keep it until `flush`. Its descriptors stay the caller's. Raises OSError at the end."""
        data = pack(name, *fields, fds=len(fds))
        if not self._waiting:
            sent = self._write(data, fds)
            if sent == len(data):
                return
            data, fds = data[sent:], () if sent else fds
        self._waiting.append(_Parcel(data, tuple(map(os.dup, fds))))

    def flush(self) -> None:
        """Write what waits, as far as it fits. Raises OSError when the other end is gone."""
        while self._waiting:
            parcel = self._waiting[0]
            sent = self._write(parcel.data, parcel.fds)
            if not sent:
                return
            parcel.close()
            parcel.data = parcel.data[sent:]
            if not parcel.data:
                self._waiting.popleft()

    def receive(self) -> list[Frame] | None:
        """The frames that have come; None at the end. Raises FrameError, OSError."""
        try:
            data, ancillary, _, _ = self.sock.recvmsg(_READ_BYTES, _ROOM_FOR_DESCRIPTORS, _CLOEXEC)
        except BlockingIOError:
            return []
        fds = array.array("i")
        for level, kind, content in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                fds.frombytes(content[: len(content) - len(content) % fds.itemsize])
        if not data:
            return None
        return self._reader.received(data, fds.tolist())

    def close(self) -> None:
        for parcel in self._waiting:
            parcel.close()
        self._waiting.clear()
        self._reader.close()
        self.sock.close()

    def _write(self, data: bytes, fds: tuple[int, ...]) -> int:
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        try:
            return self.sock.sendmsg([data], ancillary)
        except BlockingIOError:
            return 0


class _Parcel:
    """The rest of a frame, with descriptors of its own as long as they have not been sent."""

    __slots__ = ("data", "fds")

    def __init__(self, data: bytes, fds: tuple[int, ...]) -> None:
        self.data = data
        self.fds = fds

    def close(self) -> None:
        for fd in self.fds:
            with contextlib.suppress(OSError):
                os.close(fd)
        self.fds = ()
