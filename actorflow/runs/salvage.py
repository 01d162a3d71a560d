"""Salvage: what can be trusted of a run's damaged journal becomes its journal, and all there was is set aside.

| damaged | is kept | run again |
|---|---|---|
| a row; or rows are missing | the rows before | tasks whose result stood there or after it |
| a large value that somebody may still read | all but the rows that name it | tasks whose result it is |
| the anchor: it is gone, or cannot be read | every row that is there | what is not among them |
| what stands beside the rows, such as the summary | everything | nothing |

Refused: a journal without a sound beginning, and one whose rows fit each other but not the anchor, since somebody wrote
them anew then.

Nothing is deleted. Journal, WAL and anchor are copied into `RUN_ID.damaged-1/`, the next time -2, and files of values
that no row names any more are moved there. The new journal takes the old one's place whole; a salvage that was cut
short is ended by the next.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from actorflow.runs.anchor import Anchor, anchor_path, write_anchor
from actorflow.runs.chain import genesis, link
from actorflow.runs.durable_file import FILE_MODE, sync_directory
from actorflow.runs.journal_file import make_tables, owner_meta
from actorflow.runs.large_values import FOLDER_MODE, ValueFiles
from actorflow.runs.owner import current_owner
from actorflow.runs.run_check import check_run
from actorflow.runs.run_lock import RunLock
from actorflow.runs.salvage_rows import MENDED_FROM, Kept, anchor_of, connected, kept_of, raw_rows
from actorflow.runs.store_errors import file_error, write_error

MAKING_SUFFIX: Final = ".mending"
"""The new journal, until it is whole."""
MAX_SHOWN: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """What a salvage gave up. problem: what was damaged. kept_rows: how many rows the run goes on from.

    lost: the task instances whose results are lost, as far as the damaged part tells; they run again. set_aside: the
    folder that has all there was.
    """

    run_id: str
    problem: str
    kept_rows: int
    lost: tuple[str, ...]
    set_aside: Path


def salvage(journal: Path) -> Loss | None:
    """Make the journal of a run nobody owns sound again; None where it is. The caller holds no lock of it.

    Raises RunInUse, JournalDamaged where nothing can be trusted, JournalFailed and StoreFull where it cannot be
    written; what was there is then there still.
    """
    lock = RunLock.take(journal)
    try:
        check = check_run(journal, lambda: False)
        if check.is_sound:
            return None
        seq, problem = next((one for one in check.problems if one.seq is not None), check.problems[0])
        kept = kept_of(journal)
        return _replace(journal, kept, problem if seq is None else f"row {seq}: {problem}")
    except sqlite3.Error as exc:
        raise write_error(journal, exc) from exc
    except OSError as exc:
        raise file_error(journal, exc) from exc
    finally:
        lock.release()


def _replace(journal: Path, kept: Kept, problem: str) -> Loss:
    aside = _set_aside(journal)
    made = journal.with_suffix(MAKING_SUFFIX)
    made.unlink(missing_ok=True)
    try:
        rows, head = _write(made, journal, kept)
        _move_values(journal, made, aside)
        with suppress(sqlite3.Error), closing(connected(journal, "rw")) as connection:
            connection.execute("PRAGMA journal_mode = DELETE")  # the WAL belongs to the old journal, and stays with it
        for suffix in ("-wal", "-shm", "-journal"):
            journal.with_name(f"{journal.name}{suffix}").unlink(missing_ok=True)
        os.rename(made, journal)
    except BaseException:
        made.unlink(missing_ok=True)
        raise
    write_anchor(journal, Anchor(run_id=journal.stem, seq=rows, head=head.hex()))
    sync_directory(journal.parent)
    return Loss(run_id=journal.stem, problem=problem, kept_rows=rows, lost=kept.lost, set_aside=aside)


def _write(made: Path, journal: Path, kept: Kept) -> tuple[int, bytes]:
    """A new journal of the rows that are kept; how many, and the head of their chain."""
    anchor = anchor_of(journal)
    meta: dict[str, object] = {"run_id": journal.stem, "created": os.stat(journal).st_ctime}
    meta |= {**owner_meta(current_owner()), MENDED_FROM: "" if anchor is None else anchor.head}
    os.close(os.open(made, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, FILE_MODE))
    head, seq = genesis(journal.stem), 0
    with closing(connected(made, "rw")) as connection:
        connection.execute("PRAGMA synchronous = FULL")
        make_tables(connection, meta)
        connection.execute("BEGIN IMMEDIATE")
        for data in _kept_rows(journal, kept):
            head, seq = link(head, data), seq + 1
            connection.execute("INSERT INTO events VALUES (?, ?, ?)", (seq, data, head))
        for digest, refs in kept.values.items():
            connection.execute("INSERT INTO large_values VALUES (?, ?, ?, ?, ?)", _large_value(journal, digest, refs))
        connection.execute("COMMIT")
    return seq, head


def _kept_rows(journal: Path, kept: Kept) -> Iterator[bytes]:
    for seq, data, _ in raw_rows(journal):
        if seq > kept.last_seq:
            return
        if seq not in kept.dropped:
            yield data


def _large_value(journal: Path, digest: bytes, refs: int) -> tuple[object, ...]:
    with closing(connected(journal, "ro")) as connection:
        size_bytes, packing, data = connection.execute(
            "SELECT size_bytes, packing, data FROM large_values WHERE digest = ?", (digest,)
        ).fetchone()
    return digest, size_bytes, packing, refs, data


def _set_aside(journal: Path) -> Path:
    """A new folder with a copy of the journal and what stands beside it, on disk."""
    number = 1 + max((_number(found) for found in set_aside_folders(journal)), default=0)
    folder = journal.with_suffix(f".damaged-{number}")
    folder.mkdir(mode=FOLDER_MODE)
    names = [journal.name, *[f"{journal.name}{suffix}" for suffix in ("-wal", "-journal")], anchor_path(journal).name]
    for name in names:
        with suppress(FileNotFoundError):
            _copy(journal.with_name(name), folder / name)
    sync_directory(folder)
    sync_directory(folder.parent)
    return folder


def loss_words(loss: Loss) -> tuple[str, str, str]:
    """What a person is told of it: what was damaged, what runs again, where all there was is."""
    shown = ", ".join(loss.lost[:MAX_SHOWN]) + (
        f" and {len(loss.lost) - MAX_SHOWN} more" if loss.lost[MAX_SHOWN:] else ""
    )
    return (
        f"damaged: {loss.problem}",
        f"goes on from {loss.kept_rows} sound rows" + (f"; lost, and run again: {shown}" if shown else ""),
        f"all there was is kept in {loss.set_aside}",
    )


def set_aside_folders(journal: Path) -> list[Path]:
    """What salvages of that run have set aside."""
    name = re.compile(rf"{re.escape(journal.stem)}\.damaged-(\d+)")
    with os.scandir(journal.parent) as entries:
        return [Path(entry.path) for entry in entries if name.fullmatch(entry.name) and entry.is_dir()]


def _number(folder: Path) -> int:
    return int(folder.name.rpartition("-")[2])


def _copy(source: Path, target: Path) -> None:
    with (
        source.open("rb") as reading,
        os.fdopen(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, FILE_MODE), "wb") as writing,
    ):
        shutil.copyfileobj(reading, writing)
        writing.flush()
        os.fsync(writing.fileno())


def _move_values(journal: Path, made: Path, aside: Path) -> None:
    """Files of values that the new journal does not name: lost, damaged, or of results that are lost."""
    with closing(connected(made, "ro")) as connection:
        named = {digest.hex() for (digest,) in connection.execute("SELECT digest FROM large_values WHERE data IS NULL")}
    folder = ValueFiles(journal).folder
    with suppress(FileNotFoundError):
        for name in os.listdir(folder):
            if name not in named:
                os.rename(folder / name, aside / name)
        sync_directory(aside)
