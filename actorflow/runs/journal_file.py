"""One run's journal as a SQLite file, from the side of its one writer.

| table | holds |
|---|---|
| events(seq, data, digest) | the rows; `digest` chains them (actorflow/runs/chain.py) |
| meta(key, value) | run_id, created, owner_pid, owner_started, owner_host |
| meta, once closed | head_seq, head_digest, summary, summary_digest |

WAL and full sync: a row whose transaction returned is on disk. A group is one INSERT, padded to a power of two: while
another thread keeps the interpreter busy, each call into SQLite costs a switch interval (5 ms) to come back, so a group
of 1,000 takes 10 ms in one call and 1,100 ms with `executemany`.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final

from actorflow.runs.chain import genesis, link
from actorflow.runs.event_rows import Row
from actorflow.runs.journal_reader import APPLICATION_ID, FORMAT, JournalReader
from actorflow.runs.owner import Owner, current_owner
from actorflow.runs.run_lock import RunLock
from actorflow.runs.store_errors import JournalFailed, StoreUnwritable, unwritable, write_error
from actorflow.runs.tally import RunSummary

MAX_ROWS_PER_STATEMENT: Final = 4096
FILE_MODE: Final = 0o600

_SCHEMA: Final = (
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID",
    "CREATE TABLE events(seq INTEGER PRIMARY KEY, data BLOB NOT NULL, digest BLOB NOT NULL)",
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {FORMAT}",
)


class JournalFile:
    """The RunLog of a SQLite file, for its one writer. Made by `create` or `reopen`, which take the run's lock."""

    blocks = True

    def __init__(self, path: Path, run_id: str, connection: sqlite3.Connection, lock: RunLock) -> None:
        self._path = path
        self._run_id = run_id
        self._connection = connection
        self._lock = lock
        self._turn = threading.Lock()
        self._last_seq = 0
        self._head = genesis(run_id)
        self._open = True

    @staticmethod
    def create(path: Path, run_id: str, *, owner: Owner | None = None) -> JournalFile:
        """A new file, which must not exist (FileExistsError). Raises StoreUnwritable, RunInUse."""
        lock = RunLock.take(path)
        try:
            with _opening(path):
                os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, FILE_MODE))
                connection = _initialised(path, run_id, owner or current_owner())
        except BaseException:
            lock.release()
            raise
        return JournalFile(path, run_id, connection, lock)

    @staticmethod
    def reopen(path: Path, *, owner: Owner | None = None) -> JournalFile:
        """The file of a run that nobody owns any more, to write on where it ended.

        Verifies the chain. Raises RunInUse, ForeignStore, NewerStore, JournalDamaged, StoreUnwritable.
        """
        lock = RunLock.take(path)
        try:
            with JournalReader(path) as reader:
                last_seq, head = reader.verify()
                run_id = reader.run_id
            with _opening(path):
                connection = _connect(path)
                _set_meta(connection, _owner_meta(owner or current_owner()))
                connection.execute("DELETE FROM meta WHERE key LIKE 'head%' OR key LIKE 'summary%'")
        except BaseException:
            lock.release()
            raise
        journal = JournalFile(path, run_id, connection, lock)
        journal._last_seq, journal._head = last_seq, head
        return journal

    @property
    def run_id(self) -> str:
        return self._run_id

    @property
    def path(self) -> Path:
        return self._path

    @property
    def last_seq(self) -> int:
        return self._last_seq

    def write(self, rows: Sequence[Row]) -> None:
        """All of `rows` in one transaction, synced; those up to `last_seq` are there already."""
        with self._turn:
            new = [row for row in rows if row[0] > self._last_seq] if rows[0][0] <= self._last_seq else rows
            if not new:
                return
            chained, head = self._chained(new)
            try:
                self._insert(chained)
            except sqlite3.Error as exc:
                raise write_error(self._path, exc) from exc
            self._last_seq, self._head = new[-1][0], head

    def rows(self) -> Iterator[Row]:
        with JournalReader(self._path) as reader:
            yield from reader.rows()

    def close(self, summary: RunSummary | None) -> None:
        """Stores the head of the chain and lets go of the file; its WAL goes with it unless somebody reads."""
        with self._turn:
            if not self._open:
                return
            self._open = False
            try:
                if not self._path.exists():
                    raise JournalFailed(self._path, "was removed during the run", "what the run did is not recorded")
                if summary is not None:
                    _set_meta(self._connection, self._closing_meta(summary))
                    self._leave_wal()
            except sqlite3.Error as exc:
                raise write_error(self._path, exc) from exc
            finally:
                self._connection.close()
                self._lock.release()

    def _chained(self, rows: Sequence[Row]) -> tuple[list[object], bytes]:
        """The parameters of the INSERT, row after row, and the new head."""
        head = self._head
        flat: list[object] = []
        for seq, data in rows:
            head = link(head, data)
            flat += (seq, data, head)
        return flat, head

    def _insert(self, flat: list[object]) -> None:
        size = 3 * MAX_ROWS_PER_STATEMENT
        if len(flat) <= size:
            _insert_group(self._connection, flat)
            return
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            for start in range(0, len(flat), size):
                _insert_group(self._connection, flat[start : start + size])
            self._connection.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):  # SQLite may have rolled back by itself
                self._connection.execute("ROLLBACK")
            raise

    def _leave_wal(self) -> None:
        """Back to one plain file, which can be read without making others beside it; not while somebody reads it."""
        try:
            self._connection.execute("PRAGMA busy_timeout = 0")
            self._connection.execute("PRAGMA journal_mode = DELETE")
        except sqlite3.OperationalError as exc:
            if exc.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise

    def _closing_meta(self, summary: RunSummary) -> dict[str, object]:
        text = json.dumps(summary.to_json(summary.ended or time.time()))
        head: dict[str, object] = {"head_seq": self._last_seq, "head_digest": self._head}
        return {**head, "summary": text, "summary_digest": link(genesis(self._run_id), text.encode())}


@contextlib.contextmanager
def _opening(path: Path) -> Generator[None]:
    """Errors of opening for writing, told as the store's own."""
    try:
        yield
    except FileExistsError:
        raise
    except OSError as exc:
        raise unwritable(path, exc) from exc
    except sqlite3.Error as exc:
        raise write_error(path, exc) from exc


def _connect(path: Path) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode=rw"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA synchronous = FULL")
        if connection.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
            help = "choose a local directory with --store or ACTORFLOW_STORE"
            raise StoreUnwritable(path, "this file system cannot share memory between processes, as WAL does", help)
    except BaseException:
        connection.close()
        raise
    return connection


def _initialised(path: Path, run_id: str, owner: Owner) -> sqlite3.Connection:
    """The new, empty file with its tables, on disk; no file is left if that fails."""
    connection: sqlite3.Connection | None = None
    try:
        connection = _connect(path)
        _make_tables(connection, {"run_id": run_id, "created": time.time(), **_owner_meta(owner)})
        _sync_directory(path.parent)
    except BaseException:
        if connection is not None:
            connection.close()
        for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
            path.with_name(name).unlink(missing_ok=True)
        raise
    return connection


def _make_tables(connection: sqlite3.Connection, meta: dict[str, object]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    for statement in _SCHEMA:
        connection.execute(statement)
    _set_meta(connection, meta)
    connection.execute("COMMIT")


def _owner_meta(owner: Owner) -> dict[str, object]:
    return {"owner_pid": owner.pid, "owner_started": owner.started, "owner_host": owner.host}


def _set_meta(connection: sqlite3.Connection, meta: dict[str, object]) -> None:
    values = ",".join(["(?, ?)"] * len(meta))
    flat = [part for pair in meta.items() for part in pair]
    connection.execute(f"INSERT OR REPLACE INTO meta VALUES {values}", flat)


def _insert_group(connection: sqlite3.Connection, flat: list[object]) -> None:
    size = 1 << (len(flat) // 3 - 1).bit_length()
    connection.execute(_insert_sql(size), flat + [None] * (3 * size - len(flat)))


@lru_cache(maxsize=32)
def _insert_sql(size: int) -> str:
    rows = ",".join(["(?,?,?)"] * size)
    return f"INSERT INTO events SELECT * FROM (VALUES {rows}) WHERE column1 IS NOT NULL"


def _sync_directory(path: Path) -> None:
    """The name of a new file is on disk too."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
