"""Reads a run's journal file, whoever owns it, and proves on the way that it holds what was written."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Final, cast

from actorflow.runs.anchor import Anchor, AnchorDamaged, anchor_path, read_anchor
from actorflow.runs.chain import genesis, link
from actorflow.runs.event_rows import Row
from actorflow.runs.owner import Owner
from actorflow.runs.run_lock import RunLock
from actorflow.runs.store_errors import ForeignStore, JournalDamaged, NewerStore, StoreError

FORMAT: Final = 2
APPLICATION_ID: Final = 0x41464A31  # "AFJ1", in the file's header

ANCHORED_SINCE: Final = 2
"""The format whose journals have an anchor from their start on."""

_NEEDED: Final = {"run_id", "owner_pid", "owner_started", "owner_host"}


class JournalReader:
    """Reads a journal file, its owner alive or not; a context manager.

    Changes nothing in it, but for one case: a power cut in the middle of its closing left a change of the file's header
    to be taken back, which SQLite does with a writable file only. is_ours: the caller holds the run's lock.
    Raises ForeignStore for a file that is no journal, NewerStore for one of a later format.
    """

    def __init__(self, path: Path, *, is_ours: bool = False) -> None:
        self.path = path
        # First: rows that are written meanwhile are more, not fewer.
        self.anchor, self.anchor_problem = _anchor_of(path)
        try:
            self._open()
        except _HalfClosed as exc:
            _end_closing(path, exc, is_ours=is_ours)
            self._open()

    def _open(self) -> None:
        self._connection = _connected(self.path, "ro")
        try:
            self.version = _version_of(self.path, self._connection)
            self._meta = self._read_meta()
        except BaseException:
            self._connection.close()
            raise

    def __enter__(self) -> JournalReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    @property
    def run_id(self) -> str:
        return str(self._meta["run_id"])

    @property
    def owner(self) -> Owner:
        """The process that wrote it last."""
        return Owner(int(str(self._meta["owner_pid"])), str(self._meta["owner_started"]), str(self._meta["owner_host"]))

    @property
    def summary(self) -> dict[str, object] | None:
        """As stored when the journal was closed; None while its owner writes, or if that ended without closing."""
        text = self._meta.get("summary")
        if text is None:
            return None
        if self._meta.get("summary_digest") != link(genesis(self.run_id), str(text).encode()):
            raise JournalDamaged(self.path, 1, "the digest of its summary does not fit")
        return cast("dict[str, object]", json.loads(str(text)))

    @property
    def is_anchored(self) -> bool:
        """True if the journal has had an anchor from its start on."""
        return self.version >= ANCHORED_SINCE

    def require_anchor(self) -> None:
        """Raises JournalDamaged if nothing outside of the file tells how long it was."""
        if self.anchor is None and self.is_anchored and "head_seq" not in self._meta:
            raise JournalDamaged(self.path, 1, self.anchor_problem or f"{anchor_path(self.path).name} is gone")

    def rows(self, after: int = 0) -> Iterator[Row]:
        """All rows after that one in order; raises JournalDamaged at the first that is not what was written."""
        head = genesis(self.run_id) if after <= 0 else self._digest_of(after)
        expected = max(after, 0) + 1
        anchored_seq = -1 if self.anchor is None else self.anchor.seq
        try:
            found = self._connection.execute(
                "SELECT seq, data, digest FROM events WHERE seq > ? ORDER BY seq", (after,)
            )
            for seq, data, digest in found:
                if seq != expected:
                    raise JournalDamaged(self.path, expected, f"the row is missing, {seq} follows")
                head = sha256(head + data).digest()  # `link`, of which there are as many as rows
                if head != digest:
                    raise JournalDamaged(self.path, seq, "its digest does not fit its content")
                if seq == anchored_seq:
                    self._check_anchor(seq, head)
                yield seq, data
                expected += 1
        except (sqlite3.Error, TypeError, ValueError) as exc:
            raise JournalDamaged(self.path, expected, str(exc)) from exc
        if head:
            self._check_head(expected - 1, head)

    def _digest_of(self, seq: int) -> bytes:
        """What the row after `seq` is chained to; b"" if there is no such row, and so none after it."""
        try:
            line = self._connection.execute("SELECT digest FROM events WHERE seq = ?", (seq,)).fetchone()
        except sqlite3.Error as exc:
            raise JournalDamaged(self.path, seq, str(exc)) from exc
        return b"" if line is None else bytes(line[0])

    def verify(self) -> tuple[int, bytes]:
        """(seq, digest) of the last row, after reading all; raises JournalDamaged."""
        last_seq = 0
        for seq, _ in self.rows():
            last_seq = seq
        return last_seq, self._digest_of(last_seq) if last_seq else genesis(self.run_id)

    def _check_head(self, last_seq: int, head: bytes) -> None:
        """What was stored at the end of the run, and the anchor, tell whether rows at the end are gone."""
        anchor = self.anchor
        if anchor is not None and anchor.seq > last_seq:
            raise JournalDamaged(self.path, last_seq + 1, f"{anchor.seq} rows were anchored, {last_seq} are there")
        stored_seq = self._meta.get("head_seq")
        if stored_seq is not None and (stored_seq, self._meta.get("head_digest")) != (last_seq, head):
            raise JournalDamaged(self.path, last_seq + 1, f"{stored_seq} rows were written, {last_seq} are there")

    def _check_anchor(self, seq: int, head: bytes) -> None:
        if self.anchor is not None and self.anchor.head != head.hex():
            raise JournalDamaged(self.path, seq, "the anchor says another digest: the rows up to here were changed")

    def _read_meta(self) -> dict[str, object]:
        try:
            meta: dict[str, object] = dict(self._connection.execute("SELECT key, value FROM meta"))
        except (sqlite3.Error, ValueError) as exc:  # ValueError: what should be text is none
            raise _read_error(self.path, exc) from exc
        missing = _NEEDED - meta.keys()
        if missing:
            raise JournalDamaged(self.path, 1, f"it does not tell {', '.join(sorted(missing))}")
        return meta


def _anchor_of(path: Path) -> tuple[Anchor | None, str]:
    """The anchor, or None and what is wrong with it; "" where there is none."""
    try:
        return read_anchor(path), ""
    except (AnchorDamaged, OSError) as exc:
        return None, str(exc)


class _HalfClosed(StoreError):
    """A power cut came between WAL and plain file."""


def _connected(path: Path, mode: str) -> sqlite3.Connection:
    try:
        return sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None)
    except sqlite3.Error as exc:
        raise StoreError(path, f"cannot be opened: {exc}", "check that the file exists and is yours") from exc


def _end_closing(path: Path, problem: _HalfClosed, *, is_ours: bool) -> None:
    """Let SQLite take back what was begun; raises `problem` where it cannot."""
    lock = None
    try:
        lock = None if is_ours else RunLock.take(path)
        with closing(_connected(path, "rw")) as connection:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except (StoreError, sqlite3.Error) as exc:
        raise problem from exc
    finally:
        if lock is not None:
            lock.release()


def _version_of(path: Path, connection: sqlite3.Connection) -> int:
    try:
        application_id = connection.execute("PRAGMA application_id").fetchone()[0]
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    except sqlite3.Error as exc:
        raise _read_error(path, exc) from exc
    if application_id != APPLICATION_ID:
        if anchor_path(path).exists():
            raise JournalDamaged(path, 1, "its tables are gone, perhaps with its WAL; its anchor is there")
        raise ForeignStore(path, "is no journal of actorflow", "move it elsewhere")
    if version > FORMAT:
        problem = f"written in format {version}, this actorflow knows up to {FORMAT}"
        raise NewerStore(path, problem, "use the actorflow that wrote it, or a newer one")
    return version


def _read_error(path: Path, exc: Exception) -> StoreError:
    if getattr(exc, "sqlite_errorcode", 0) == sqlite3.SQLITE_READONLY_ROLLBACK:
        return _HalfClosed(path, f"cannot be read: {exc}", "make the file and its folder writable for you once")
    code = getattr(exc, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
    if code == sqlite3.SQLITE_NOTADB and not anchor_path(path).exists():
        return ForeignStore(path, "is no journal of actorflow", "move it elsewhere")
    if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_ERROR):
        return JournalDamaged(path, 1, str(exc))
    return StoreError(path, f"cannot be read: {exc}", "check that the file exists and is yours")
