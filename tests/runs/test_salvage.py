"""Salvage: a damaged journal goes on from what can be trusted, runs again what is lost, and deletes nothing."""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

import actorflow
from actorflow import dag, task
from actorflow.errors import RunInUse
from actorflow.runs import salvage as salvage_module
from actorflow.runs.anchor import anchor_path
from actorflow.runs.chain import genesis, link
from actorflow.runs.events import AttemptFinished
from actorflow.runs.executor import AttemptState
from actorflow.runs.large_values import ValueOptions
from actorflow.runs.prune import PruneRules, run_files
from actorflow.runs.run_check import check_run
from actorflow.runs.run_lock import RunLock
from actorflow.runs.salvage import Loss, salvage, set_aside_folders
from actorflow.runs.store import SqliteStore
from actorflow.runs.store_care import prune
from actorflow.runs.store_errors import JournalDamaged, StoreFull

RAN: Counter[str] = Counter()
FAILS: set[str] = set()
VALUES = ValueOptions(max_inline_bytes=100, max_stored_bytes=2000)
"""So that of the values below some stand in rows, some in the table, some in files."""


@task
async def source(n: int) -> list[int]:
    RAN["source"] += 1
    return list(range(n))


@task
async def text(n: int) -> str:
    RAN[f"text[{n}]"] += 1
    return os.urandom(2).hex() * 100 * (n + 1) * (n + 1)


@task
async def length(text: str) -> int:
    RAN["length"] += 1
    return len(text)


@task
async def total(lengths: list[int], texts: list[str]) -> int:
    RAN["total"] += 1
    if "total" in FAILS:
        raise ValueError("not yet")
    assert lengths == [len(text) for text in texts]
    return sum(lengths)


@dag
def lengths(n: int = 3) -> int:
    texts = text.map(source(n))
    return total(length.map(texts), texts)


RESULT = 400 * (1 + 4 + 9)


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """Of a run that failed in its last task, so that everything else is committed and its values are still needed."""
    RAN.clear()
    FAILS.clear()
    FAILS.add("total")
    failed = actorflow.run(lengths, store=tmp_path / "store", values=VALUES)
    assert failed.status == "failed"
    RAN.clear()
    FAILS.clear()
    return failed.path


def resumed(journal: Path) -> object:
    result = actorflow.resume(journal.stem, lengths, store=journal.parent.parent, accept_loss=True, values=VALUES)
    assert check_run(journal, lambda: False).problems == []
    return result.value


def change(path: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(statement, values)
        connection.commit()


def flip(path: Path, seq: int) -> None:
    """One bit of that row."""
    with closing(sqlite3.connect(path)) as connection:
        (data,) = connection.execute("SELECT data FROM events WHERE seq = ?", (seq,)).fetchone()
    change(path, "UPDATE events SET data = ? WHERE seq = ?", bytes([data[0], data[1] ^ 1, *data[2:]]), seq)


def committed(journal: Path, *, before: int | None = None) -> set[str]:
    """Labels of the instances with a result in the rows before `before`."""
    found: set[str] = set()
    for seq, _, event in SqliteStore(journal.parent.parent).open_run(journal.stem).records():
        if before is not None and seq >= before:
            break
        if isinstance(event, AttemptFinished) and event.state is AttemptState.succeeded:
            found.add(event.task if event.map_index is None else f"{event.task}[{event.map_index}]")
    return found


def last_seq(journal: Path) -> int:
    with closing(sqlite3.connect(journal)) as connection:
        return int(connection.execute("SELECT max(seq) FROM events").fetchone()[0])


def test_after_damage_in_any_row_what_stood_before_it_stays_and_the_rest_runs_again(journal: Path) -> None:
    good = journal.parent.parent
    before: dict[int, set[str]] = {seq: committed(journal, before=seq) for seq in range(2, last_seq(journal) + 1)}

    for seq, kept in before.items():
        shutil.copytree(good, good.with_name(f"damaged-{seq}"))
        damaged = good.with_name(f"damaged-{seq}") / "runs" / journal.name
        flip(damaged, seq)
        RAN.clear()

        assert resumed(damaged) == RESULT

        again = {"source": 1, "total": 1, "length": 3, **{f"text[{n}]": 1 for n in range(3)}}
        for name in kept:
            again["length" if name.startswith("length") else name] -= 1
        assert Counter(again) == RAN, f"row {seq}"


def test_all_there_was_is_set_aside_as_it_was(journal: Path) -> None:
    flip(journal, 9)
    content, anchor = journal.read_bytes(), anchor_path(journal).read_bytes()

    loss = salvage(journal)

    assert loss is not None
    assert loss.problem == "row 9: its digest does not fit its content"
    assert (loss.kept_rows, loss.set_aside) == (8, journal.with_suffix(".damaged-1"))
    assert (loss.set_aside / journal.name).read_bytes() == content
    assert (loss.set_aside / anchor_path(journal).name).read_bytes() == anchor
    assert {entry.stat().st_mode & 0o777 for entry in loss.set_aside.iterdir()} == {0o600}


def test_the_rows_of_a_wal_are_set_aside_with_it(journal: Path) -> None:
    with closing(sqlite3.connect(journal, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("UPDATE events SET data = zeroblob(4) WHERE seq = 9")
        wal = journal.with_name(f"{journal.name}-wal").read_bytes()
        kept = shutil.copytree(journal.parent.parent, journal.parent.parent.with_name("killed"))
    killed = kept / "runs" / journal.name

    loss = salvage(killed)

    assert loss is not None
    assert (loss.set_aside / f"{journal.name}-wal").read_bytes() == wal
    assert resumed(killed) == RESULT


def lose_file(journal: Path) -> set[str]:
    """The largest value, which stands in a file, is cut short."""
    (file,) = journal.with_suffix(".values").iterdir()
    file.write_bytes(file.read_bytes()[:-1])
    return {"text[2]"}


def lose_row_of_the_table(journal: Path) -> set[str]:
    with closing(sqlite3.connect(journal)) as connection:
        digest, size = connection.execute(
            "SELECT digest, size_bytes FROM large_values WHERE data IS NOT NULL ORDER BY size_bytes DESC LIMIT 1"
        ).fetchone()
    assert size > 1000
    change(journal, "DELETE FROM large_values WHERE digest = ?", digest)
    return {"text[1]"}


@pytest.mark.parametrize("lose", [lose_file, lose_row_of_the_table])
def test_of_a_value_that_is_lost_only_its_own_task_runs_again(lose: Callable[[Path], set[str]], journal: Path) -> None:
    lost = lose(journal)

    loss = salvage(journal)

    assert loss is not None
    assert set(loss.lost) == lost
    assert loss.kept_rows == last_seq(journal)
    assert resumed(journal) == RESULT
    assert set(RAN) == {*lost, "total"}


def test_a_damaged_file_of_a_value_is_no_longer_in_the_way(journal: Path) -> None:
    lose_file(journal)
    (file,) = journal.with_suffix(".values").iterdir()
    content = file.read_bytes()

    loss = salvage(journal)

    assert loss is not None
    assert not file.exists()
    assert (loss.set_aside / file.name).read_bytes() == content


def test_a_value_that_was_released_is_made_again_where_its_reader_is_lost(tmp_path: Path) -> None:
    FAILS.clear()
    path = actorflow.run(lengths, store=tmp_path / "store", values=VALUES).path
    reader = next(
        seq
        for seq, _, event in SqliteStore(tmp_path / "store").open_run("@last").records()
        if isinstance(event, AttemptFinished) and event.task == "length"
    )
    RAN.clear()
    flip(path, reader)

    assert resumed(path) == RESULT
    assert RAN == {"text[0]": 1, "text[1]": 1, "text[2]": 1, "length": 3, "total": 1}


def test_rows_that_are_missing_at_the_end_are_told_by_the_anchor(journal: Path) -> None:
    change(journal, "DELETE FROM events WHERE seq > 12")

    loss = salvage(journal)

    assert loss is not None
    assert loss.kept_rows == 12
    assert "were anchored, 12 are there" in loss.problem
    assert resumed(journal) == RESULT


def test_without_its_anchor_every_row_that_is_there_is_kept(journal: Path) -> None:
    rows = last_seq(journal)
    anchor_path(journal).unlink()

    loss = salvage(journal)

    assert loss is not None
    assert (loss.kept_rows, loss.lost) == (rows, ())
    assert resumed(journal) == RESULT
    assert RAN == {"total": 1}


def test_what_stands_beside_the_rows_costs_nothing(journal: Path) -> None:
    rows = last_seq(journal)
    change(journal, "DROP TABLE meta")

    loss = salvage(journal)

    assert loss is not None
    assert (loss.kept_rows, loss.lost) == (rows, ())
    assert resumed(journal) == RESULT


def test_a_sound_journal_is_left_alone(journal: Path) -> None:
    content = journal.read_bytes()

    assert salvage(journal) is None
    assert journal.read_bytes() == content
    assert set_aside_folders(journal) == []


def test_a_run_that_had_succeeded_succeeds_again_once_its_lost_result_is_made_again(tmp_path: Path) -> None:
    RAN.clear()
    FAILS.clear()
    path = actorflow.run(lengths, store=tmp_path / "store").path
    RAN.clear()
    flip(path, last_seq(path) - 1)

    assert resumed(path) == RESULT
    assert RAN == {"total": 1}


@pytest.mark.parametrize("statement", ["UPDATE events SET data = x'00' WHERE seq = 1", "DROP TABLE events"])
def test_without_a_sound_beginning_it_is_refused_and_nothing_is_changed(statement: str, journal: Path) -> None:
    change(journal, statement)
    content = journal.read_bytes()

    with pytest.raises(JournalDamaged, match="not even how the run began can be read"):
        salvage(journal)

    assert journal.read_bytes() == content
    assert set_aside_folders(journal) == []


def test_rows_that_somebody_wrote_anew_are_refused(journal: Path) -> None:
    head = genesis(journal.stem)
    with closing(sqlite3.connect(journal)) as connection:
        for seq, data in connection.execute("SELECT seq, data FROM events ORDER BY seq").fetchall():
            written = data.replace(b"source", b"secour") if seq > 1 else data
            head = link(head, written)
            connection.execute("UPDATE events SET data = ?, digest = ? WHERE seq = ?", (written, head, seq))
        connection.commit()

    with pytest.raises(JournalDamaged, match=f"the anchor says another digest of row {last_seq(journal)}"):
        salvage(journal)


def test_a_run_that_goes_on_is_refused(journal: Path) -> None:
    flip(journal, 9)
    lock = RunLock.take(journal)
    try:
        with pytest.raises(RunInUse):
            salvage(journal)
    finally:
        lock.release()


STEPS = ["_set_aside", "_write", "_move_values", "write_anchor"]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_one_that_was_cut_short_is_ended_by_the_next(
    step: str, after: bool, journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lose_file(journal)
    flip(journal, last_seq(journal) - 1)
    real: Callable[..., object] = getattr(salvage_module, step)

    def cut(*given: object) -> object:
        if after:
            real(*given)
        raise KeyboardInterrupt

    monkeypatch.setattr(salvage_module, step, cut)
    with pytest.raises(KeyboardInterrupt):
        salvage(journal)
    monkeypatch.undo()

    assert resumed(journal) == RESULT
    assert set(RAN) == {"text[2]", "total"}


def test_without_room_nothing_has_changed(journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flip(journal, 9)
    content = journal.read_bytes()

    def full(*_: object) -> object:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(salvage_module, "_write", full)
    with pytest.raises(StoreFull):
        salvage(journal)

    assert journal.read_bytes() == content


def test_prune_removes_what_was_set_aside_with_its_run(journal: Path) -> None:
    flip(journal, 9)
    loss = salvage(journal)
    assert isinstance(loss, Loss)
    assert loss.set_aside in run_files(journal)

    prune(SqliteStore(journal.parent.parent), PruneRules(unfinished=True))

    assert list(journal.parent.iterdir()) == []


def test_a_program_is_told_by_the_log(journal: Path, caplog: pytest.LogCaptureFixture) -> None:
    flip(journal, 9)

    with caplog.at_level(logging.WARNING, "actorflow.runs"):
        resumed(journal)

    (record,) = caplog.records
    assert "damaged: row 9: its digest does not fit its content" in record.getMessage()
    assert "is kept in" in record.getMessage()
