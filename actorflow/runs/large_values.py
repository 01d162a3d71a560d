"""Values too large for a row of the journal: in a table of the run's file, or larger still in files beside it.

| encoded size | kept |
|---|---|
| up to `max_inline_bytes` | in the row itself |
| up to `max_stored_bytes` | in the table `large_values` of the run's file, in the transaction of the row |
| above | in `RUN_ID.values/DIGEST`, on disk before the row is committed; the table says so |

Each is named by the SHA-256 of its encoded form, so equal values are kept once, with a count of the rows that name
them; it is compressed (lz4) where that makes it smaller, and its digest is checked whenever it is read.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from enum import IntEnum
from importlib import import_module
from pathlib import Path
from typing import Any, Final, NamedTuple

from actorflow.actors.codec import Codec
from actorflow.runs.durable_file import sync_directory, write_durably
from actorflow.runs.store_errors import JournalDamaged, StoreError, ValueReleased
from actorflow.runs.values import Reference

MAX_INLINE_BYTES: Final = 64 * 1024
MAX_STORED_BYTES: Final = 1024 * 1024
RECENT_BYTES: Final = 32 * 1024 * 1024
"""Encoded bytes of values that are kept decoded, since a constant argument is read for every index of a map."""

SUFFIX: Final = ".values"
FOLDER_MODE: Final = 0o700
SAMPLE_BYTES: Final = 256 * 1024
CHUNK_BYTES: Final = 1024 * 1024
WORTH: Final = 0.9
"""Compressed where the beginning shrinks to this part of its size."""

TABLE: Final = (
    "CREATE TABLE large_values("
    "digest BLOB PRIMARY KEY, size_bytes INTEGER NOT NULL, packing INTEGER NOT NULL, refs INTEGER NOT NULL, data BLOB)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueOptions:
    """How a store keeps values, by the size of their encoded form.

    max_inline_bytes, max_stored_bytes: see the table in the module docstring. keep_read: False: a large value is
    released once every task that reads it has succeeded or was skipped, and is not part of the run's result.
    """

    max_inline_bytes: int = MAX_INLINE_BYTES
    max_stored_bytes: int = MAX_STORED_BYTES
    keep_read: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.max_inline_bytes <= self.max_stored_bytes:
            raise ValueError(
                f"values are inline up to {self.max_inline_bytes} bytes and stored up to {self.max_stored_bytes}; "
                "the second must be at least the first, and both at least 0"
            )


class Packing(IntEnum):
    """How an encoded form is written down; the numbers are on disk."""

    plain = 0
    lz4 = 1


class Packed(NamedTuple):
    """A large value as the table has it. data: None where it is in a file of its own."""

    reference: Reference
    packing: Packing
    data: bytes | None


class ValueFiles:
    """The files of one run's largest values."""

    def __init__(self, journal: Path) -> None:
        self.journal = journal
        self.folder = journal.with_suffix(SUFFIX)
        self._made = False

    def path(self, digest: bytes) -> Path:
        return self.folder / digest.hex()

    def write(self, digest: bytes, data: bytes) -> Packing:
        """The file of these bytes, whole and on disk under its name when this returns. Raises OSError.

        A file of that name is whole already, for it was renamed to it: an earlier try got that far.
        """
        self._make_folder()
        path = self.path(digest)
        if path.exists():
            sync_directory(self.folder)
            return _packing_of(data)
        packing = _packing_of(data)
        chunks = _chunks(data) if packing is Packing.plain else _compressed(data)
        write_durably(path, path.with_suffix(".part"), chunks)
        sync_directory(self.folder)
        return packing

    def read(self, digest: bytes) -> bytes | None:
        """What the file holds; None if there is none. Raises OSError."""
        try:
            return self.path(digest).read_bytes()
        except FileNotFoundError:
            return None

    def remove(self, digest: bytes) -> None:
        """One that nobody reads any more; that there is none is as good. A file that will not go is left."""
        with suppress(OSError):
            self.path(digest).unlink()

    def remove_all_but(self, known: set[bytes]) -> None:
        """What an owner left that ended between writing a file and committing the row that names it."""
        names = {digest.hex() for digest in known}
        with suppress(FileNotFoundError):
            for found in os.listdir(self.folder):
                if found not in names:
                    with suppress(OSError):
                        (self.folder / found).unlink()

    def _make_folder(self) -> None:
        if self._made:
            return
        with suppress(FileExistsError):
            self.folder.mkdir(mode=FOLDER_MODE)
            sync_directory(self.folder.parent)
        self._made = True


class LargeValues:
    """The large values of one run, to be read: the ValueSource of what its rows name. Safe between threads."""

    def __init__(self, journal: Path) -> None:
        self._journal = journal
        self._files = ValueFiles(journal)
        self._recent: OrderedDict[bytes, tuple[object, int]] = OrderedDict()
        self._recent_bytes = 0
        self._turn = threading.Lock()

    def read(self, reference: Reference) -> bytes:
        line = self._line(reference)
        if line is None:
            raise ValueReleased(self._journal, reference.seq, reference.size_bytes)
        size_bytes, packing, data = line
        if data is None:
            data = self._read_file(reference)
        if data is None:
            raise JournalDamaged(self._journal, reference.seq, f"its value {reference.digest.hex()[:12]} is gone")
        found = unpacked(data, packing, reference.size_bytes)
        if found is None or size_bytes != len(found) or hashlib.sha256(found).digest() != reference.digest:
            problem = f"the digest of its value {reference.digest.hex()[:12]} does not fit"
            raise JournalDamaged(self._journal, reference.seq, problem)
        return found

    def holds(self, reference: Reference) -> bool:
        """False for a value that is kept no more. Raises what `read` raises but that."""
        return self._line(reference) is not None

    def decoded(self, reference: Reference, codec: Codec) -> object:
        with self._turn:
            recent = self._recent.get(reference.digest)
            if recent is not None:
                self._recent.move_to_end(reference.digest)
                return recent[0]
        found = codec.decode(self.read(reference))
        self._remember(reference, found)
        return found

    def _remember(self, reference: Reference, found: object) -> None:
        """Keep it for the next reader; the latest is kept however large it is."""
        with self._turn:
            if reference.digest not in self._recent:
                self._recent[reference.digest] = (found, reference.size_bytes)
                self._recent_bytes += reference.size_bytes
            while self._recent_bytes > RECENT_BYTES and len(self._recent) > 1:
                _, (_, size_bytes) = self._recent.popitem(last=False)
                self._recent_bytes -= size_bytes

    def _line(self, reference: Reference) -> tuple[int, int, bytes | None] | None:
        try:
            uri = f"{self._journal.absolute().as_uri()}?mode=ro"
            with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as connection:
                line: tuple[int, int, bytes | None] | None = connection.execute(
                    "SELECT size_bytes, packing, data FROM large_values WHERE digest = ?", (reference.digest,)
                ).fetchone()
        except sqlite3.DatabaseError as exc:
            if not self._journal.exists():
                raise StoreError(self._journal, "is gone, and with it its values", "keep the store") from exc
            raise JournalDamaged(self._journal, reference.seq, f"its value cannot be read: {exc}") from exc
        return line

    def _read_file(self, reference: Reference) -> bytes | None:
        try:
            return self._files.read(reference.digest)
        except OSError as exc:
            raise JournalDamaged(self._journal, reference.seq, f"its value cannot be read: {exc.strerror}") from exc


def packed(data: bytes) -> tuple[Packing, bytes]:
    """`data` as it is written into the table: compressed where that is smaller."""
    smaller: bytes = _lz4().compress(data)
    return (Packing.lz4, smaller) if len(smaller) < WORTH * len(data) else (Packing.plain, data)


def unpacked(data: bytes, packing: int, size_bytes: int) -> bytes | None:
    """The encoded form again; None where `data` was not made by `packed`, or gives more than `size_bytes`."""
    if packing == Packing.plain:
        return data
    if packing != Packing.lz4:
        return None
    decompressor = _lz4().LZ4FrameDecompressor()
    try:
        found: bytes = decompressor.decompress(data, max_length=size_bytes + 1)
    except (RuntimeError, EOFError):
        return None
    return found if decompressor.eof and not decompressor.unused_data else None


def _lz4() -> Any:  # it has no types; and most runs have no large value
    return import_module("lz4.frame")


def _packing_of(data: bytes) -> Packing:
    return packed(data[:SAMPLE_BYTES])[0]


def _chunks(data: bytes) -> Iterator[memoryview]:
    view = memoryview(data)
    return (view[start : start + CHUNK_BYTES] for start in range(0, len(data), CHUNK_BYTES))


def _compressed(data: bytes) -> Iterator[bytes]:
    compressor = _lz4().LZ4FrameCompressor()
    yield compressor.begin(len(data))
    for chunk in _chunks(data):
        yield compressor.compress(chunk)
    yield compressor.flush()
