"""Logs every write, sync and change of a name that a journal makes, and fails the N-th where it is told to.

SQLite's come through a VFS of `apsw`, which brings an SQLite of its own: the same code for WAL and sync, of a later
version than the standard library's. Those of value files and anchors come through a stand-in for `os`.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

import apsw
import pytest

from actorflow.runs import durable_file, journal_file
from tests.faults.disk_model import Kind, Operation

NAME = "actorflow-logged"


class Log:
    """Operations on the files below one folder. fails: decides, before it happens, whether an operation fails."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.operations: list[Operation] = []
        self.fails: Callable[[int, Operation], bool] = lambda number, operation: False
        self.failed = 0
        self.asked = 0

    def add(self, kind: Kind, path: str, offset: int = 0, data: bytes = b"", target: str = "") -> None:
        """Raises OSError EIO where it is to fail."""
        operation = Operation(kind, self._name(path), offset, data, self._name(target) if target else "")
        self.asked += 1
        if self.fails(self.asked, operation):
            self.failed += 1
            raise OSError(errno.EIO, f"{kind} of {operation.name} fails as it was told to")
        self.operations.append(operation)

    def _name(self, path: str) -> str:
        """Relative to the folder, which itself is ""."""
        name = os.path.relpath(path, self.folder)
        return "" if name == "." else name


@contextmanager
def _as_apsw(error: type[apsw.Error], code: int) -> Generator[None]:
    """What SQLite understands of an operation that failed: which kind it was."""
    try:
        yield
    except OSError as exc:
        raised: Any = error(str(exc))
        raised.extendedresult = code
        raise raised from exc


class _LoggedFile(apsw.VFSFile):
    def __init__(self, log: Log, name: Any, flags: list[int]) -> None:
        self._log = log
        self._path = name.filename() if isinstance(name, apsw.URIFilename) else str(name)
        self._is_logged = bool(
            flags[0] & (apsw.SQLITE_OPEN_MAIN_DB | apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_MAIN_JOURNAL)
        )
        if self._is_logged and not os.path.exists(self._path):
            with _as_apsw(apsw.CantOpenError, apsw.SQLITE_CANTOPEN):
                self._log.add(Kind.create, self._path)
        super().__init__("", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:
        self._told(Kind.write, apsw.IOError, apsw.SQLITE_IOERR_WRITE, offset, bytes(data))
        cast("Any", super()).xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:
        self._told(Kind.truncate, apsw.IOError, apsw.SQLITE_IOERR_TRUNCATE, newsize)
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:
        self._told(Kind.sync, apsw.IOError, apsw.SQLITE_IOERR_FSYNC)
        super().xSync(flags)

    def _told(self, kind: Kind, error: type[apsw.Error], code: int, offset: int = 0, data: bytes = b"") -> None:
        if not self._is_logged:  # such as an index of a WAL, which no power cut leaves
            return
        with _as_apsw(error, code):
            self._log.add(kind, self._path, offset, data)


class _LoggedVFS(apsw.VFS):
    def __init__(self, log: Log) -> None:
        self._log = log
        super().__init__(NAME, base="")

    def xOpen(self, name: Any, flags: list[int]) -> _LoggedFile:
        return _LoggedFile(self._log, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:
        with _as_apsw(apsw.IOError, apsw.SQLITE_IOERR_DELETE):
            self._log.add(Kind.delete, filename)
        super().xDelete(filename, syncdir)
        if syncdir:
            with _as_apsw(apsw.IOError, apsw.SQLITE_IOERR_DIR_FSYNC):
                self._log.add(Kind.sync_folder, os.path.dirname(filename))


class _LoggedOs:
    """`os` for the modules that write files by themselves."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._paths: dict[int, str] = {}
        self._ends: dict[int, int] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def open(self, path: Any, flags: int, mode: int = 0o777) -> int:
        name = str(path)
        if flags & os.O_CREAT and not os.path.exists(name):
            self._log.add(Kind.create, name)
        if flags & os.O_TRUNC:
            self._log.add(Kind.truncate, name)
        descriptor = os.open(path, flags, mode)
        self._paths[descriptor], self._ends[descriptor] = name, 0
        return descriptor

    def write(self, descriptor: int, data: Any) -> int:
        self._log.add(Kind.write, self._paths[descriptor], self._ends[descriptor], bytes(data))
        written = os.write(descriptor, data)
        self._ends[descriptor] += written
        return written

    def fsync(self, descriptor: int) -> None:
        path = self._paths[descriptor]
        self._log.add(Kind.sync_folder if os.path.isdir(path) else Kind.sync, path)
        os.fsync(descriptor)

    def rename(self, source: Any, target: Any) -> None:
        self._log.add(Kind.rename, str(source), target=str(target))
        os.rename(source, target)


class _Connection:
    """As much of `sqlite3.Connection` as a journal file uses, over apsw."""

    def __init__(self, path: Path) -> None:
        flags = apsw.SQLITE_OPEN_READWRITE
        self._connection: Any = apsw.Connection(str(path), flags=flags, vfs=NAME)

    def execute(self, statement: str, given: Sequence[Any] = ()) -> Any:
        with _as_sqlite3():
            return self._connection.execute(statement, tuple(given))

    def executemany(self, statement: str, given: Sequence[Any]) -> Any:
        with _as_sqlite3():
            return self._connection.executemany(statement, given)

    def close(self) -> None:
        with suppress(apsw.Error):  # the standard library's raises nothing here either
            self._connection.close(True)


@contextmanager
def _as_sqlite3() -> Generator[None]:
    """Errors of apsw as those of the standard library."""
    try:
        yield
    except apsw.Error as error:
        told = sqlite3.OperationalError(str(error))
        code = getattr(error, "extendedresult", 0) or getattr(error, "result", 0)
        names: Any = {**apsw.mapping_result_codes, **apsw.mapping_extended_result_codes}
        told.sqlite_errorcode, told.sqlite_errorname = code, str(names.get(code, code))
        raise told from error


def _without_told(hook: Callable[[Any], None]) -> Callable[[Any], None]:
    """Failures that SQLite may pass over, such as those of a checkpoint, come out here; they are ours."""

    def told(unraisable: Any) -> None:
        if not isinstance(unraisable.exc_value, apsw.Error):
            hook(unraisable)

    return told


def logged(folder: Path, monkeypatch: pytest.MonkeyPatch, *, synchronous: str = "FULL") -> Iterator[Log]:
    """Journals that are made below `folder` from here on are logged; a generator, for a fixture."""
    log = Log(folder)
    vfs = _LoggedVFS(log)

    def connect(path: Path) -> _Connection:
        connection = _Connection(path)
        connection.execute(f"PRAGMA synchronous = {synchronous}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA wal_autocheckpoint = 12")  # small, so that a short run has many
        return connection

    stand_in = _LoggedOs(log)
    monkeypatch.setattr(sys, "unraisablehook", _without_told(sys.unraisablehook))
    monkeypatch.setattr(journal_file, "_connect", connect)
    monkeypatch.setattr(durable_file, "os", stand_in)
    monkeypatch.setattr(journal_file, "os", stand_in)
    yield log
    vfs.unregister()
