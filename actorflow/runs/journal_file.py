"""One run's journal as a SQLite file, from the side of its one writer.

| table | holds |
|---|---|
| events(seq, data, digest) | the rows; `digest` chains them (actorflow/runs/chain.py) |
| large_values | values that rows name by digest (actorflow/runs/large_values.py) |
| meta(key, value) | run_id, created, owner_pid, owner_started, owner_host |
| meta, once closed | head_seq, head_digest, summary, summary_digest |

WAL and full sync: a row whose transaction returned is on disk. A group is one INSERT: while another thread keeps the
interpreter busy, each call into SQLite costs a switch interval (5 ms) to come back, so a group of 1,000 takes 10 ms in
one call and 1,100 ms with `executemany`. All rows are one blob, which SQLite takes apart without the interpreter's
lock: 0.9 us a row, where as many parameters took 2, and 5 to 8 in a statement of a length not used before.

The anchor beside the file is set at the start, when the journal asks for it, and at the end (actorflow/runs/anchor.py).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import Final

from actorflow.runs.anchor import Anchor, anchor_path, write_anchor
from actorflow.runs.chain import genesis, link
from actorflow.runs.durable_file import FILE_MODE, sync_directory
from actorflow.runs.event_rows import Row, encode_row
from actorflow.runs.journal_reader import APPLICATION_ID, FORMAT, JournalReader
from actorflow.runs.large_values import TABLE as LARGE_VALUES_TABLE
from actorflow.runs.large_values import LargeValues, ValueOptions
from actorflow.runs.large_writer import LargeWriter
from actorflow.runs.owner import Owner, current_owner
from actorflow.runs.run_lock import RunLock
from actorflow.runs.run_log import LargeRow
from actorflow.runs.store_errors import (
    JournalDamaged,
    JournalFailed,
    StoreUnwritable,
    file_error,
    unwritable,
    write_error,
)
from actorflow.runs.tally import RunSummary
from actorflow.runs.values import Value

MAX_STATEMENT_BYTES: Final = 64 * 1024 * 1024
"""Of the rows inserted by one statement, if it is more than one: SQLite refuses a blob of a gigabyte."""
LARGE_VALUES_SINCE: Final = 2
"""The format that has the table of large values."""

_SCHEMA: Final = (
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID",
    "CREATE TABLE events(seq INTEGER PRIMARY KEY, data BLOB NOT NULL, digest BLOB NOT NULL)",
    LARGE_VALUES_TABLE,
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {FORMAT}",
)

_INSERT: Final = (
    "INSERT INTO events SELECT ?1 + key, "
    "substr(?2, (value >> 32) + 1, value & 0xffffffff), substr(?3, key * 32 + 1, 32) FROM json_each(?4)"
)
"""Seq of the first row, all rows, all digests, and a JSON list of where each row begins and how long it is."""

_Insert = tuple[int, bytes, bytes, str]


Tell = Callable[[RunSummary, bool], None]
"""Told how far the run is when it begins, and with True when nobody writes it any more; raises nothing."""


def _tell_nobody(summary: RunSummary, is_closed: bool) -> None:
    pass


class JournalFile:
    """The RunLog of a SQLite file, for its one writer. Made by `create` or `reopen`, which take the run's lock."""

    blocks = True

    def __init__(
        self, path: Path, run_id: str, connection: sqlite3.Connection, lock: RunLock, options: ValueOptions, tell: Tell
    ) -> None:
        self._path = path
        self._run_id = run_id
        self._connection = connection
        self._lock = lock
        self._options = options
        self._tell = tell
        self._values = LargeValues(path)
        self._large = LargeWriter(path, connection, self._values, options)
        self._turn = threading.Lock()
        self._last_seq = 0
        self._head = genesis(run_id)
        self._open = True

    @staticmethod
    def create(
        path: Path,
        run_id: str,
        *,
        owner: Owner | None = None,
        options: ValueOptions | None = None,
        tell: Tell | None = None,
    ) -> JournalFile:
        """A new file, which must not exist (FileExistsError). Raises StoreUnwritable, RunInUse."""
        lock = RunLock.take(path)
        try:
            with _opening(path):
                os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, FILE_MODE))
                connection = _initialised(path, run_id, owner or current_owner())
        except BaseException:
            lock.release()
            raise
        return JournalFile(path, run_id, connection, lock, options or ValueOptions(), tell or _tell_nobody)

    @staticmethod
    def reopen(
        path: Path, *, owner: Owner | None = None, options: ValueOptions | None = None, tell: Tell | None = None
    ) -> JournalFile:
        """The file of a run that nobody owns any more, to write on where it ended.

        Verifies the chain against itself and against the anchor, which an unfinished run must have. Raises RunInUse,
        ForeignStore, NewerStore, JournalDamaged, StoreUnwritable.
        """
        lock = RunLock.take(path)
        try:
            with JournalReader(path, is_ours=True) as reader:
                reader.require_anchor()
                last_seq, head = reader.verify()
                run_id, version = reader.run_id, reader.version
            with _opening(path):
                connection = _connect(path)
                _take_over(connection, owner or current_owner(), version)
                write_anchor(path, Anchor(run_id=run_id, seq=last_seq, head=head.hex()))
        except BaseException:
            lock.release()
            raise
        journal = JournalFile(path, run_id, connection, lock, options or ValueOptions(), tell or _tell_nobody)
        journal._last_seq, journal._head = last_seq, head
        journal._large.clean_up()
        return journal

    @property
    def run_id(self) -> str:
        return self._run_id

    @property
    def path(self) -> Path:
        return self._path

    @property
    def max_inline_bytes(self) -> int:
        return self._options.max_inline_bytes

    @property
    def keeps_read(self) -> bool:
        return self._options.keep_read

    @property
    def values(self) -> LargeValues:
        return self._values

    @property
    def last_seq(self) -> int:
        return self._last_seq

    def write(self, rows: Sequence[Row | LargeRow], released: Sequence[Value] = ()) -> None:
        """All of `rows` in one transaction, synced; those up to `last_seq` are there already."""
        with self._turn:
            new = [row for row in rows if row[0] > self._last_seq] if rows[0][0] <= self._last_seq else rows
            if not new:
                return
            try:
                inserts, head = _inserts(self._with_values_kept(new), self._head)
                self._commit(inserts, released)
            except sqlite3.Error as exc:
                raise write_error(self._path, exc) from exc
            except OSError as exc:
                raise file_error(self._path, exc) from exc
            self._last_seq, self._head = new[-1][0], head
            self._large.settle()

    def rows(self) -> Iterator[Row]:
        """What is written; its chain was verified when this process took the file, and nobody else writes it."""
        try:
            yield from self._connection.execute("SELECT seq, data FROM events ORDER BY seq")
        except sqlite3.Error as exc:
            raise JournalDamaged(self._path, 1, str(exc)) from exc

    def announce(self, summary: RunSummary) -> None:
        self._tell(summary, False)

    def anchor(self, summary: RunSummary) -> None:
        with self._turn:
            if self._open:
                head, told = self._head.hex(), summary.to_json(0.0)
                self._set_anchor(Anchor(run_id=self._run_id, seq=self._last_seq, head=head, summary=told))

    def close(self, summary: RunSummary | None) -> None:
        """Stores the head of the chain and lets go of the file; its WAL goes with it unless somebody reads.

        After StoreFull it is still open, and may be closed again; without a summary it lets go in any case.
        """
        with self._turn:
            if not self._open:
                return
            try:
                if not self._path.exists():
                    raise JournalFailed(self._path, "was removed during the run", "what the run did is not recorded")
                if summary is not None:
                    _set_meta(self._connection, self._closing_meta(summary))
            except sqlite3.Error as exc:
                error = write_error(self._path, exc)
                if not error.may_pass:
                    self._let_go()
                raise error from exc
            except JournalFailed:
                self._let_go()
                raise
            is_plain = summary is not None and self._leave_wal()
            self._let_go()
            if summary is not None:
                self._last_anchor(summary, is_plain=is_plain)
                self._tell(summary, True)

    def _let_go(self) -> None:
        self._open = False
        self._connection.close()
        self._lock.release()

    def _last_anchor(self, summary: RunSummary, *, is_plain: bool) -> None:
        """Nobody writes from here on, so the whole file has a digest; where that is not so, the head alone must do."""
        digest = ""
        if is_plain:
            with contextlib.suppress(OSError), self._path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        anchor = Anchor(
            run_id=self._run_id,
            seq=self._last_seq,
            head=self._head.hex(),
            closed=True,
            file_digest=digest,
            summary=summary.to_json(summary.ended or 0.0),
        )
        with contextlib.suppress(JournalFailed):  # the rows are on disk, and the former anchor is good for most of them
            self._set_anchor(anchor)

    def _set_anchor(self, anchor: Anchor) -> None:
        try:
            write_anchor(self._path, anchor)
        except OSError as exc:
            raise file_error(anchor_path(self._path), exc) from exc

    # -- one group ------------------------------------------------------------------------------------------------

    def _with_values_kept(self, rows: Sequence[Row | LargeRow]) -> list[Row]:
        """The rows as bytes; the values too large for them wait in `_large` for the transaction, or are files."""
        self._large.begin()
        return [self._encoded(row) if isinstance(row, LargeRow) else row for row in rows]

    def _encoded(self, row: LargeRow) -> Row:
        return row.seq, encode_row(row.ts, row.event, self._large.keeper(row.seq))

    def _commit(self, inserts: Sequence[_Insert], released: Sequence[Value]) -> None:
        if len(inserts) == 1 and not released and not self._large.is_waiting:
            self._connection.execute(_INSERT, inserts[0])
            return
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            self._large.insert()
            for insert in inserts:
                self._connection.execute(_INSERT, insert)
            self._large.release(released)
            self._connection.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):  # SQLite may have rolled back by itself
                self._connection.execute("ROLLBACK")
            raise

    def _leave_wal(self) -> bool:
        """Back to one plain file, which can be read without making others beside it; not while somebody reads it.

        All is on disk before this already, so that it could not be done is no failure.
        """
        try:
            self._connection.execute("PRAGMA busy_timeout = 0")
            return bool(self._connection.execute("PRAGMA journal_mode = DELETE").fetchone()[0] == "delete")
        except sqlite3.Error:
            return False

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
        make_tables(connection, {"run_id": run_id, "created": time.time(), **owner_meta(owner)})
        write_anchor(path, Anchor(run_id=run_id, seq=0, head=genesis(run_id).hex()))
        sync_directory(path.parent)
    except BaseException:
        if connection is not None:
            connection.close()
        for name in (path.name, f"{path.name}-wal", f"{path.name}-shm", anchor_path(path).name):
            path.with_name(name).unlink(missing_ok=True)
        raise
    return connection


def make_tables(connection: sqlite3.Connection, meta: dict[str, object]) -> None:
    """The tables of a new journal, in one transaction. meta: who owns it, and what else is said beside the rows."""
    connection.execute("BEGIN IMMEDIATE")
    for statement in _SCHEMA:
        connection.execute(statement)
    _set_meta(connection, meta)
    connection.execute("COMMIT")


def _take_over(connection: sqlite3.Connection, owner: Owner, version: int) -> None:
    """The file has a new owner, is open again, and of the present format."""
    connection.execute("BEGIN IMMEDIATE")
    if version < LARGE_VALUES_SINCE:
        connection.execute(LARGE_VALUES_TABLE)
    connection.execute(f"PRAGMA user_version = {FORMAT}")
    _set_meta(connection, owner_meta(owner))
    connection.execute("DELETE FROM meta WHERE key LIKE 'head%' OR key LIKE 'summary%'")
    connection.execute("COMMIT")


def owner_meta(owner: Owner) -> dict[str, object]:
    return {"owner_pid": owner.pid, "owner_started": owner.started, "owner_host": owner.host}


def _set_meta(connection: sqlite3.Connection, meta: dict[str, object]) -> None:
    values = ",".join(["(?, ?)"] * len(meta))
    flat = [part for pair in meta.items() for part in pair]
    connection.execute(f"INSERT OR REPLACE INTO meta VALUES {values}", flat)


def _inserts(rows: Sequence[Row], head: bytes) -> tuple[list[_Insert], bytes]:
    """The parameters of as few INSERTs as may be, and the new head of the chain."""
    inserts: list[_Insert] = []
    parts: list[bytes] = []
    digests: list[bytes] = []
    places: list[int] = []
    size_bytes = 0
    for seq, data in rows:
        if parts and size_bytes + len(data) > MAX_STATEMENT_BYTES:
            inserts.append((seq - len(parts), b"".join(parts), b"".join(digests), str(places)))
            parts, digests, places, size_bytes = [], [], [], 0
        head = link(head, data)
        parts.append(data)
        digests.append(head)
        places.append(size_bytes << 32 | len(data))
        size_bytes += len(data)
    inserts.append((rows[-1][0] + 1 - len(parts), b"".join(parts), b"".join(digests), str(places)))
    return inserts, head
