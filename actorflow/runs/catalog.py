"""The catalog of a store: one indexed line for each run, so that a page of many runs opens none of them.

Owners put in a line when their run begins and when it ends; a listing puts in what it finds beside that. Every line
says how the run's files looked when it was made, and holds as long as they look so. What is found so:

| change | noticed |
|---|---|
| a run of ours begins or ends | at once, by its owner's line |
| a run without an end | each time: its owner may be gone |
| a journal that is listed was replaced or removed | each time, by a look at those of the page |
| journals put in by hand | by a look at all where the folder has changed; in a store of many at most once a minute |

It is a cache and may be deleted at any time; one that is damaged, of another format, locked or not writable is done
without. It knows nothing that the journals do not say.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from pathlib import Path
from typing import Final

from actorflow.runs.catalog_lines import SCHEMA, Line, clauses, line_of, lines_of, ordering
from actorflow.runs.run_query import RunPage, RunQuery, page_of
from actorflow.runs.tally import RunSummary

FORMAT: Final = 2
SUFFIX: Final = ".sqlite"
BUSY_TIMEOUT_S: Final = 1.0
MANY_RUNS: Final = 5_000
LOOK_AGAIN_S: Final = 60.0
CLOCK_STEP_NS: Final = 100_000_000
"""A folder that changed so lately may change once more without its time showing it."""

Read = Callable[[str], tuple[RunSummary, bool]]
"""run id -> (its summary, whether that stays true for as long as its files look the same)."""


class Catalog:
    """The runs in `folder`, as the file at `path` knows them. read: opens one run."""

    def __init__(self, path: Path, folder: Path, read: Read) -> None:
        self.path = path
        self.folder = folder
        self._read = read

    def page(self, query: RunQuery) -> RunPage:
        """The runs asked for, each as it is now."""
        for _ in range(2):
            try:
                with self._connected() as connection:
                    self._look(connection)
                    return self._answer(connection, query)
            except sqlite3.OperationalError:
                break  # another process writes it, or we may not
            except (sqlite3.DatabaseError, ValueError, OSError):
                if not self._discard():
                    break
        stamps = _stamps(self.folder)
        return page_of(query, [self._read(run_id)[0] for run_id in stamps])

    def run_ids(self, prefix: str = "", *, newest: int | None = None) -> list[str]:
        """Ids that begin so, in their order; or the `newest` ones by their start, oldest first."""
        order = "run_id DESC" if newest is None else "started DESC, run_id DESC"
        try:
            with self._connected() as connection:
                self._look(connection)
                found = connection.execute(
                    f"SELECT run_id FROM runs WHERE run_id >= ? AND run_id < ? ORDER BY {order} LIMIT ?",
                    (prefix, f"{prefix}\x7f", -1 if newest is None else newest),
                )
                return [run_id for (run_id,) in found][::-1]
        except (sqlite3.Error, ValueError, OSError):
            found_names = sorted(run_id for run_id in _names(self.folder) if run_id.startswith(prefix))
            if newest is None:
                return found_names
            return sorted(found_names, key=lambda run_id: self._read(run_id)[0].started or 0.0)[-newest:]

    def note(self, summary: RunSummary, *, lasting: bool) -> None:
        """For owners: how far their run is. Raises nothing: without it, the next listing reads the run."""
        with contextlib.suppress(sqlite3.Error, OSError, ValueError), self._connected() as connection:
            stamp = _stamp(self.folder, summary.run_id)
            _write(connection, [line_of(summary, stamp, lasting=lasting)], ())

    def forget(self, run_id: str) -> None:
        """For who removed it. Raises nothing."""
        with contextlib.suppress(sqlite3.Error, OSError, ValueError), self._connected() as connection:
            _write(connection, (), [run_id])

    # -- what is in it --------------------------------------------------------------------------------------------

    def _look(self, connection: sqlite3.Connection) -> None:
        """Bring it up to date: all runs where the folder has changed, else those without an end."""
        changed_ns = _changed_ns(self.folder)
        is_settled = time.time_ns() - changed_ns > CLOCK_STEP_NS
        known = dict(connection.execute("SELECT key, value FROM looked"))
        (count,) = connection.execute("SELECT count(*) FROM runs").fetchone()
        is_recent = 0 <= time.time() - known.get("at", 0.0) < LOOK_AGAIN_S
        if known.get("changed_ns") == changed_ns or (count > MANY_RUNS and is_recent):
            open_runs = connection.execute("SELECT run_id FROM runs WHERE lasting = 0").fetchall()
            self._renew(connection, [run_id for (run_id,) in open_runs])
            return
        stamps = _stamps(self.folder)
        lines = {run_id: (stamp, lasting) for run_id, stamp, lasting in connection.execute(_STAMPS)}
        stale = [run_id for run_id, stamp in stamps.items() if lines.get(run_id) != (stamp, 1)]
        self._renew(connection, stale, gone=lines.keys() - stamps.keys(), looked=(changed_ns * is_settled, time.time()))

    def _renew(
        self,
        connection: sqlite3.Connection,
        run_ids: Iterable[str],
        *,
        gone: Iterable[str] = (),
        looked: tuple[int, float] | None = None,
    ) -> None:
        lines: list[Line] = []
        lost = list(gone)
        for run_id in run_ids:
            stamp = _stamp(self.folder, run_id)
            if not stamp:
                lost.append(run_id)
                continue
            summary, lasting = self._read(run_id)
            lines.append(line_of(summary, stamp, lasting=lasting))
        if lines or lost or looked is not None:
            _write(connection, lines, lost, looked)

    def _answer(self, connection: sqlite3.Connection, query: RunQuery) -> RunPage:
        """The page; anew where a run on it turned out to be another than its line says."""
        page, doubtful = self._select(connection, query)
        if doubtful:
            self._renew(connection, doubtful)
            page, _ = self._select(connection, query)
        return page

    def _select(self, connection: sqlite3.Connection, query: RunQuery) -> tuple[RunPage, list[str]]:
        where, given = clauses(query)
        limit = -1 if query.limit is None else query.limit
        found = connection.execute(
            f"SELECT * FROM runs {where} {ordering(query)} LIMIT ? OFFSET ?", [*given, limit, query.offset]
        )
        runs: list[RunSummary] = []
        doubtful: list[str] = []
        for run_id, summary, stamp, lasting in lines_of(found):
            if summary is None or (lasting and stamp != _stamp(self.folder, run_id)):
                doubtful.append(run_id)
            else:
                runs.append(summary)
        (total,) = connection.execute(f"SELECT count(*) FROM runs {where}", given).fetchone()
        return RunPage(runs, total), doubtful

    # -- the file -------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _connected(self) -> Generator[sqlite3.Connection]:
        os.close(os.open(self.path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        connection = sqlite3.connect(self.path, isolation_level=None, timeout=BUSY_TIMEOUT_S)
        with contextlib.closing(connection):
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = OFF")
            if connection.execute("PRAGMA user_version").fetchone()[0] != FORMAT:
                _make(connection)
            yield connection

    def _discard(self) -> bool:
        """Remove a damaged one; True if it is gone."""
        with contextlib.suppress(OSError):
            for suffix in ("-wal", "-shm", ""):
                self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
            return True
        return False


_STAMPS: Final = "SELECT run_id, stamp, lasting FROM runs"


def _make(connection: sqlite3.Connection) -> None:
    """Empty tables of the present format; what was there is lost, as a cache may be."""
    connection.execute("BEGIN EXCLUSIVE")
    tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    for (name,) in tables.fetchall():
        connection.execute(f'DROP TABLE "{name}"')
    for statement in SCHEMA:
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {FORMAT}")
    connection.execute("COMMIT")


def _write(
    connection: sqlite3.Connection,
    lines: Iterable[Line],
    gone: Iterable[str],
    looked: tuple[int, float] | None = None,
) -> None:
    connection.execute("BEGIN IMMEDIATE")
    lines = list(lines)
    ids = [(line.run_id,) for line in lines] + [(run_id,) for run_id in gone]
    connection.executemany("DELETE FROM facts WHERE run_id = ?", ids)
    connection.executemany("DELETE FROM runs WHERE run_id = ?", ids)
    connection.executemany("INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", [line.row for line in lines])
    facts = [fact for line in lines for fact in line.facts]
    connection.executemany("INSERT OR IGNORE INTO facts VALUES (?, ?, ?, ?)", facts)
    if looked is not None:
        connection.executemany(
            "INSERT OR REPLACE INTO looked VALUES (?, ?)", [("changed_ns", looked[0]), ("at", looked[1])]
        )
    connection.execute("COMMIT")


# -- the folder -------------------------------------------------------------------------------------------------------


def _changed_ns(folder: Path) -> int:
    try:
        return folder.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def _names(folder: Path) -> list[str]:
    try:
        return [name.removesuffix(SUFFIX) for name in os.listdir(folder) if name.endswith(SUFFIX)]
    except FileNotFoundError:
        return []


def _stamps(folder: Path) -> Mapping[str, str]:
    """How the files of every run look, by run id; what the folder holds beside journals is passed over."""
    found = {run_id: _stamp(folder, run_id) for run_id in _names(folder)}
    return {run_id: stamp for run_id, stamp in found.items() if stamp}


def _stamp(folder: Path, run_id: str) -> str:
    """Sizes and times of a journal and its WAL; "" where there is no journal."""
    path = f"{folder}/{run_id}{SUFFIX}"
    try:
        stat = os.stat(path)
    except OSError:
        return ""
    looks = f"{stat.st_size} {stat.st_mtime_ns} {stat.st_ino}"
    try:
        wal = os.stat(f"{path}-wal")
    except OSError:  # it goes when its run ends
        return looks
    return f"{looks} {wal.st_size} {wal.st_mtime_ns}"
