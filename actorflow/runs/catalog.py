"""The catalog of a store: one line for each run, so that listing many opens none. Rebuilt from the runs when lost.

A line holds as long as the run's file and its WAL look as they did. The catalog is a cache and may be deleted at any
time; one that is damaged, of another format or not writable is done without.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

from actorflow.runs.tally import RunSummary

FORMAT: Final = 1
SUFFIX: Final = ".sqlite"
BUSY_TIMEOUT_S: Final = 1.0

_TABLE: Final = "CREATE TABLE runs(run_id TEXT PRIMARY KEY, stamp TEXT, summary TEXT, digest BLOB) WITHOUT ROWID"

Stamp = str
"""How a run's files look: sizes and times."""

Read = Callable[[str], tuple[RunSummary, bool]]
"""run id -> (its summary, whether that stays true for as long as its files look the same)."""


def list_runs(catalog: Path, folder: Path, read: Read) -> list[RunSummary]:
    """The runs in `folder`, the newest id first. Only those that changed since the last call are read."""
    stamps = _stamps(folder)
    known = _load(catalog)
    kept = {run_id: line for run_id, line in known.items() if stamps.get(run_id) == line[0]}
    found = {run_id: _summary(text) for run_id, (_, text) in kept.items()}
    changed: dict[str, tuple[Stamp, str]] = {}
    for run_id in stamps.keys() - found.keys():
        summary, lasting = read(run_id)
        found[run_id] = summary
        if lasting:
            changed[run_id] = (stamps[run_id], json.dumps(summary.to_json(summary.ended or 0.0)))
    _save(catalog, changed, gone=known.keys() - kept.keys() - changed.keys())
    return [found[run_id] for run_id in sorted(found, reverse=True)]


def _summary(text: str) -> RunSummary:
    return RunSummary.from_json(json.loads(text))


def _stamps(folder: Path) -> dict[str, Stamp]:
    """By run id; what the folder holds beside journals is passed over."""
    looks: dict[str, str] = {}
    with contextlib.suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith((SUFFIX, f"{SUFFIX}-wal")):
                with contextlib.suppress(FileNotFoundError):  # a WAL goes when its run ends
                    stat = entry.stat()
                    looks[entry.name] = f"{stat.st_size} {stat.st_mtime_ns} {stat.st_ino}"
    names = [name for name in looks if name.endswith(SUFFIX)]
    return {name.removesuffix(SUFFIX): f"{looks[name]} {looks.get(f'{name}-wal', '')}" for name in names}


def _load(path: Path) -> Mapping[str, tuple[Stamp, str]]:
    if not path.exists():
        return {}
    try:
        with contextlib.closing(_connect(path)) as connection:
            if connection.execute("PRAGMA user_version").fetchone()[0] != FORMAT:
                return {}
            lines = connection.execute("SELECT run_id, stamp, summary, digest FROM runs").fetchall()
    except sqlite3.Error:
        return {}
    return {line[0]: (line[1], line[2]) for *line, digest in lines if digest == _digest(*line)}


def _digest(run_id: object, stamp: object, summary: object) -> bytes:
    """What tells a line that was damaged; such a run is read again."""
    return hashlib.sha256(f"{run_id}\0{stamp}\0{summary}".encode()).digest()


def _save(path: Path, changed: Mapping[str, tuple[Stamp, str]], *, gone: Iterable[str]) -> None:
    lost = [(run_id,) for run_id in gone]
    if not changed and not lost:
        return
    try:
        _write(path, changed, lost)
    except sqlite3.OperationalError:
        return  # another process writes it, or we may not: the next call reads those runs again
    except (sqlite3.DatabaseError, OSError):
        with contextlib.suppress(OSError, sqlite3.Error):
            path.unlink(missing_ok=True)
            _write(path, changed, lost)


def _write(path: Path, changed: Mapping[str, tuple[Stamp, str]], gone: list[tuple[str]]) -> None:
    os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
    with contextlib.closing(_connect(path)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        if connection.execute("PRAGMA user_version").fetchone()[0] != FORMAT:
            connection.execute("DROP TABLE IF EXISTS runs")
            connection.execute(_TABLE)
            connection.execute(f"PRAGMA user_version = {FORMAT}")
        lines = [(run_id, *line, _digest(run_id, *line)) for run_id, line in changed.items()]
        connection.executemany("INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?)", lines)
        connection.executemany("DELETE FROM runs WHERE run_id = ?", gone)
        connection.execute("COMMIT")


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None, timeout=BUSY_TIMEOUT_S)
