"""The file that keeps a run's output, beside its journal: appended to in batches, read while it grows.

It is made with the first line, with mode 0600, and never synced: what its writer handed over survives the end of any
process, not that of the machine. A last line that was torn by such an end is passed over.

The last room on the disk is the journal's: the file does not grow where less than `RESERVE_BYTES` would be left free,
or an eighth of a disk that is smaller than eight times that; then not before half as much again is free.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Protocol

from actorflow.flows.sizes import format_size
from actorflow.runs.output import Origin, OutputRecord, decode_record, origin_prefix

SUFFIX: Final = ".log.jsonl"
FILE_MODE: Final = 0o600
RESERVE_BYTES: Final = 64 << 20
RESERVE_PART: Final = 8
_READ_BYTES: Final = 1 << 20


class OutputSink(Protocol):
    """Where encoded records are kept. Called from one thread at a time."""

    def write(self, data: bytes) -> None:
        """Keep whole lines; raises OSError."""
        ...

    def close(self) -> None: ...


class OutputFile:
    """An OutputSink in a file, made when it is needed. What is there already stays: a resumed run goes on behind it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None
        self._may_be_torn = True
        self._was_full = False

    def write(self, data: bytes) -> None:
        if self._descriptor is None:
            flags = os.O_CREAT | os.O_RDWR | os.O_APPEND | os.O_CLOEXEC
            self._descriptor = os.open(self.path, flags, FILE_MODE)
        self._require_room(self._descriptor, len(data))
        if self._may_be_torn and _is_torn(self._descriptor):
            data = b"\n" + data
        self._may_be_torn = True  # until all of it is there
        view = memoryview(data)
        while view:
            view = view[os.write(self._descriptor, view) :]
        self._may_be_torn = False

    def _require_room(self, descriptor: int, size_bytes: int) -> None:
        """Raises OSError where that much more would take the journal's reserve."""
        disk = os.fstatvfs(descriptor)
        free_bytes = disk.f_bavail * disk.f_frsize
        reserve_bytes = min(RESERVE_BYTES, disk.f_blocks * disk.f_frsize // RESERVE_PART)
        wanted_bytes = reserve_bytes * 3 // 2 if self._was_full else reserve_bytes
        self._was_full = bool(reserve_bytes) and free_bytes - size_bytes < wanted_bytes
        if self._was_full:
            told = f"{format_size(free_bytes)} are free on the disk, and {format_size(reserve_bytes)} are the journal's"
            raise OSError(errno.ENOSPC, told)

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class OutputMemory:
    """An OutputSink in memory. max_bytes: the oldest lines go when there are more."""

    def __init__(self, max_bytes: int = 16 << 20) -> None:
        self.max_bytes = max_bytes
        self._data = bytearray()

    def write(self, data: bytes) -> None:
        self._data += data
        over = len(self._data) - self.max_bytes
        if over > 0:
            del self._data[: self._data.find(b"\n", over) + 1]

    def close(self) -> None:
        """What was written stays to be read."""

    def lines(self) -> list[bytes]:
        return bytes(self._data).splitlines(keepends=True)


class OutputReader:
    """Reads the file of a run as far as it goes, again and again while it grows."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.offset = 0
        self._rest = b""

    def lines(self) -> Iterator[bytes]:
        """The whole lines that have come since the last call; none where there is no file."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        try:
            while data := os.pread(descriptor, _READ_BYTES, self.offset):
                self.offset += len(data)
                lines = (self._rest + data).splitlines(keepends=True)
                self._rest = lines.pop() if not lines[-1].endswith(b"\n") else b""
                yield from lines
        finally:
            os.close(descriptor)


def output_path(journal: Path) -> Path:
    """Where the output of the run with that journal is kept."""
    return journal.with_suffix(SUFFIX)


def remove_output(journal: Path) -> None:
    """Remove the output of the run with that journal; for who removes the run."""
    output_path(journal).unlink(missing_ok=True)


def records_of(lines: Iterator[bytes] | list[bytes], *, origin: Origin | None = None) -> Iterator[OutputRecord]:
    """The records on `lines`, those of `origin` only where it is given; what is no record is passed over."""
    prefix = b"" if origin is None else origin_prefix(origin)
    for line in lines:
        if not line.startswith(prefix):
            continue
        try:
            record = decode_record(line)
        except ValueError:
            continue  # torn by the end of its writer
        yield record


def _is_torn(descriptor: int) -> bool:
    size = os.fstat(descriptor).st_size
    return size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
