"""The journal's file: what was acknowledged survives the end of its process, and damage is found where it is."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from actorflow.runs import journal_file
from actorflow.runs.chain import genesis, link
from actorflow.runs.event_rows import Row
from actorflow.runs.journal_file import JournalFile
from actorflow.runs.journal_reader import APPLICATION_ID, FORMAT, JournalReader
from actorflow.runs.owner import Owner, current_owner, is_alive
from actorflow.runs.store import SqliteStore
from actorflow.runs.store_errors import (
    ForeignStore,
    JournalDamaged,
    JournalFailed,
    NewerStore,
    RunInUse,
    StoreError,
    StoreFull,
    StoreUnwritable,
)
from actorflow.runs.tally import RunSummary

WRITER = Path(__file__).with_name("journal_writer.py")
LOOPS = ("asyncio", "trio")


def rows(count: int, first: int = 1, size: int = 60) -> list[Row]:
    """Rows that tell themselves apart; no events, since the file does not look inside."""
    return [(seq, f"row {seq} ".encode().ljust(size, b".")) for seq in range(first, first + count)]


def written(path: Path, count: int = 60) -> Path:
    """A closed journal of `count` rows."""
    journal = JournalFile.create(path, "r1")
    journal.write(rows(count))
    journal.close(RunSummary(run_id="r1"))
    return path


def read(path: Path) -> list[Row]:
    with JournalReader(path) as reader:
        return list(reader.rows())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "r1.sqlite"


# -- rows -------------------------------------------------------------------------------------------------------------


def test_rows_are_chained_to_the_run_and_to_each_other(path: Path) -> None:
    written(path, 3)

    with closing(sqlite3.connect(path)) as connection:
        digests = [digest for (digest,) in connection.execute("SELECT digest FROM events ORDER BY seq")]

    head = genesis("r1")
    for (_, data), digest in zip(rows(3), digests, strict=True):
        head = link(head, data)
        assert digest == head


@pytest.mark.parametrize("count", [1, 2, 3, 1000, 20_001])
def test_a_group_of_any_size_is_written_whole(path: Path, count: int) -> None:
    journal = JournalFile.create(path, "r1")
    journal.write(rows(count))

    assert read(path) == rows(count)
    assert journal.last_seq == count
    journal.close(None)


def test_rows_of_any_length_and_any_bytes_are_written_as_they_are(path: Path) -> None:
    lengths = [1, 0, 70, 1 << 16, 3, 5_000_000, 0, 1]
    group = [(seq, bytes(n % 256 for n in range(seq, seq + length))) for seq, length in enumerate(lengths, 1)]
    journal = JournalFile.create(path, "r1")
    journal.write(group)

    assert read(path) == group
    kinds = journal._connection.execute("SELECT DISTINCT typeof(data), typeof(digest), length(digest) FROM events")
    assert kinds.fetchall() == [("blob", "blob", 32)]
    journal.close(None)


@pytest.mark.parametrize("max_bytes", [1, 40, 300])
def test_a_group_too_large_for_one_statement_is_written_whole(
    path: Path, max_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_file, "MAX_STATEMENT_BYTES", max_bytes)
    statements: list[str] = []
    journal = JournalFile.create(path, "r1")
    journal._connection.set_trace_callback(statements.append)
    journal.write(rows(50))

    assert read(path) == rows(50)
    assert sum(line.startswith("INSERT") for line in statements) > 1
    journal.close(None)


def test_rows_that_are_there_already_are_passed_over(path: Path) -> None:
    journal = JournalFile.create(path, "r1")
    journal.write(rows(5))
    journal.write(rows(5))
    journal.write(rows(8))
    journal.close(None)

    assert read(path) == rows(8)


def test_the_disk_is_asked_for_full_sync(path: Path) -> None:
    journal = JournalFile.create(path, "r1")

    assert journal._connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert journal._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    journal.close(None)


def test_a_closed_journal_is_one_file_beside_its_anchor_and_reading_makes_no_other(path: Path) -> None:
    written(path)
    read(path)

    assert sorted(os.listdir(path.parent)) == ["r1.anchor", "r1.sqlite"]


def test_a_journal_that_is_read_while_it_closes_is_whole_all_the_same(path: Path) -> None:
    journal = JournalFile.create(path, "r1")
    journal.write(rows(10))
    with JournalReader(path) as reader:
        reading = reader.rows()
        next(reading)
        journal.close(RunSummary(run_id="r1"))
        assert len(list(reading)) == 9

    assert read(path) == rows(10)


def test_files_are_for_their_owner_only_whatever_the_umask(path: Path) -> None:
    umask = os.umask(0)
    try:
        journal = JournalFile.create(path, "r1")
        journal.write(rows(1))
    finally:
        os.umask(umask)

    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    journal.close(None)
    assert modes == dict.fromkeys(("r1.anchor", "r1.lock", "r1.sqlite", "r1.sqlite-shm", "r1.sqlite-wal"), 0o600)


# -- damage -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seq", [1, 2, 31, 59, 60])
def test_a_flipped_bit_in_a_row_is_found_and_the_row_is_named(path: Path, seq: int) -> None:
    written(path)
    content = bytearray(path.read_bytes())
    content[content.index(f"row {seq} ".encode()) + 20] ^= 1
    path.write_bytes(content)

    with pytest.raises(JournalDamaged, match=f"damaged at row {seq}: its digest does not fit its content") as caught:
        read(path)

    assert caught.value.seq == seq


def change(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(statement)
        connection.commit()


CHANGES = [
    ("DELETE FROM events WHERE seq = 30", 30),
    ("DELETE FROM events WHERE seq = 60", 60),
    ("DELETE FROM events WHERE seq > 10", 11),
    ("DELETE FROM events", 1),
    ("UPDATE events SET seq = 100 WHERE seq = 60", 60),
    ("UPDATE events SET digest = x'00' WHERE seq = 7", 7),
    ("UPDATE events SET data = (SELECT data FROM events WHERE seq = 8) WHERE seq = 7", 7),
    ("UPDATE events SET data = 'text' WHERE seq = 7", 7),
    ("UPDATE meta SET value = 'r2' WHERE key = 'run_id'", 1),
    ("DELETE FROM meta WHERE key = 'run_id'", 1),
    ("DROP TABLE events", 1),
    ("DROP TABLE meta", 1),
]


@pytest.mark.parametrize(("statement", "seq"), CHANGES, ids=[statement for statement, _ in CHANGES])
def test_a_changed_file_is_found_out(path: Path, statement: str, seq: int) -> None:
    written(path)
    change(path, statement)

    with pytest.raises(JournalDamaged) as caught:
        read(path)

    assert caught.value.seq == seq


def test_a_changed_summary_is_found_out(path: Path) -> None:
    written(path)
    change(path, """UPDATE meta SET value = replace(value, 'queued', 'succeeded') WHERE key = 'summary'""")

    with JournalReader(path) as reader, pytest.raises(JournalDamaged, match="digest of its summary"):
        _ = reader.summary


def test_text_that_is_none_any_more_is_damage(path: Path) -> None:
    written(path)
    content = path.read_bytes()
    path.write_bytes(content.replace(current_owner().host.encode(), b"\xff" * len(current_owner().host), 1))

    with pytest.raises(JournalDamaged) as caught:
        read(path)

    assert caught.value.seq == 1


def one_bit_off(content: bytes, rng: random.Random) -> bytes:
    changed = bytearray(content)
    changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def never_other_rows(path: Path, whole: list[Row]) -> bool:
    """Reads the file: True if it is found damaged. What it does give is a beginning of what was written."""
    given: list[Row] = []
    try:
        with JournalReader(path) as reader:
            for row in reader.rows():
                given += [row]
            _ = reader.summary
    except StoreError:
        assert given == whole[: len(given)]
        return True
    assert given == whole
    return False


def test_any_flipped_bit_of_a_closed_file_is_found_or_changes_nothing(tmp_path: Path, scale: int) -> None:
    content = written(tmp_path / "r1.sqlite", 300).read_bytes()
    rng = random.Random(20261121)
    damaged = tmp_path / "damaged.sqlite"

    found = 0
    for _ in range(300 * scale):
        damaged.write_bytes(one_bit_off(content, rng))
        found += never_other_rows(damaged, rows(300))

    assert found > 100 * scale


def live_copy(folder: Path) -> tuple[bytes, bytes]:
    """(database, WAL) of a journal that was never closed."""
    path = folder / "live.sqlite"
    journal = JournalFile.create(path, "r1")
    for first in range(1, 61, 6):
        journal.write(rows(6, first))
    content = path.read_bytes(), path.with_name("live.sqlite-wal").read_bytes()
    journal.close(None)
    return content


def rows_with_wal(folder: Path, database: bytes, wal: bytes) -> list[Row]:
    for old in folder.glob("copy.sqlite*"):
        old.unlink()
    (folder / "copy.sqlite").write_bytes(database)
    (folder / "copy.sqlite-wal").write_bytes(wal)
    return read(folder / "copy.sqlite")


def test_a_wal_cut_anywhere_leaves_whole_groups_from_the_first_on(tmp_path: Path, scale: int) -> None:
    database, wal = live_copy(tmp_path)
    rng = random.Random(1)

    for cut in [0, len(wal), *(rng.randrange(len(wal)) for _ in range(60 * scale))]:
        try:
            found = rows_with_wal(tmp_path, database, wal[:cut])
        except StoreError:
            continue  # the tables themselves stand in the WAL
        assert found == rows(60)[: len(found)]
        assert len(found) % 6 == 0
    assert rows_with_wal(tmp_path, database, wal) == rows(60)


def test_a_flipped_bit_in_a_wal_never_gives_other_rows(tmp_path: Path, scale: int) -> None:
    database, wal = live_copy(tmp_path)
    rng = random.Random(2)

    for _ in range(60 * scale):
        try:
            found = rows_with_wal(tmp_path, database, one_bit_off(wal, rng))
        except StoreError:
            continue
        assert found == rows(60)[: len(found)]


# -- files that are not ours to read ----------------------------------------------------------------------------------


def test_a_file_that_is_no_database_is_foreign(path: Path) -> None:
    path.write_bytes(b"something else" * 1000)

    with pytest.raises(ForeignStore, match="no journal of actorflow"):
        JournalReader(path)


def test_a_database_of_another_program_is_foreign(path: Path) -> None:
    change(path, "CREATE TABLE events(seq INTEGER PRIMARY KEY)")

    with pytest.raises(ForeignStore, match="no journal of actorflow"):
        JournalReader(path)


def test_a_newer_format_is_refused_without_changing_it(path: Path) -> None:
    written(path)
    change(path, f"PRAGMA user_version = {FORMAT + 1}")
    before = path.read_bytes()

    with pytest.raises(NewerStore, match=f"format {FORMAT + 1}, this actorflow knows up to {FORMAT}"):
        JournalReader(path)
    with pytest.raises(NewerStore):
        JournalFile.reopen(path)

    assert path.read_bytes() == before


def test_a_missing_file_is_told(path: Path) -> None:
    with pytest.raises(StoreError, match="unable to open"):
        JournalReader(path)
    assert not path.exists()


def test_the_header_of_the_file_names_the_format() -> None:
    assert APPLICATION_ID.to_bytes(4, "big") == b"AFJ1"


# -- failures of the disk ---------------------------------------------------------------------------------------------


def test_a_full_disk_is_told_by_name_and_what_was_written_stays(path: Path) -> None:
    journal = JournalFile.create(path, "r1")
    journal.write(rows(10))
    pages = journal._connection.execute("PRAGMA page_count").fetchone()[0]
    journal._connection.execute(f"PRAGMA max_page_count = {pages + 1}")

    with pytest.raises(StoreFull, match=r"r1.sqlite: cannot be written: .*SQLITE_FULL.*make room on the disk"):
        journal.write(rows(2000, 11))

    assert read(path) == rows(10)
    assert journal.last_seq == 10
    journal.close(None)


def test_a_group_of_several_statements_fails_as_one(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_file, "MAX_STATEMENT_BYTES", 100_000)
    journal = JournalFile.create(path, "r1")
    journal.write(rows(1))
    pages = journal._connection.execute("PRAGMA page_count").fetchone()[0]
    journal._connection.execute(f"PRAGMA max_page_count = {pages + 150}")

    with pytest.raises(StoreFull):
        journal.write(rows(20_000, 2))

    assert read(path) == rows(1)
    journal.close(None)


def test_a_file_that_may_not_be_written_is_told(path: Path) -> None:
    journal = JournalFile.create(path, "r1")
    journal._connection.execute("PRAGMA query_only = 1")

    with pytest.raises(JournalFailed, match=r"SQLITE_READONLY.*make the file and its directory writable"):
        journal.write(rows(1))
    journal.close(None)


def test_a_file_that_was_removed_is_told_at_the_end(path: Path) -> None:
    journal = JournalFile.create(path, "r1")
    journal.write(rows(1))
    path.unlink()

    with pytest.raises(JournalFailed, match="was removed during the run"):
        journal.close(RunSummary(run_id="r1"))


def test_a_journal_in_a_directory_that_is_not_there_is_unwritable(tmp_path: Path) -> None:
    with pytest.raises(StoreUnwritable, match="No such file or directory; make the directory writable"):
        JournalFile.create(tmp_path / "no" / "r1.sqlite", "r1")


def writer(store: Path, loop: str, *options: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, str(WRITER), str(store), loop, *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})


def acknowledged(lines: Iterator[bytes]) -> list[int]:
    return [int(line) for line in lines if line.strip().isdigit() and line.endswith(b"\n")]


@pytest.mark.parametrize("loop", LOOPS)
def test_a_limit_on_the_size_of_files_fails_by_name_and_loses_nothing(tmp_path: Path, loop: str) -> None:
    with writer(tmp_path / "store", loop, str(200_000)) as process:
        assert process.stdout is not None
        lines = list(process.stdout)

    assert process.returncode == 9
    assert b"StoreFull" in lines[-1]
    assert b"r1.sqlite: cannot be written: disk I/O error (SQLITE_IOERR_WRITE); make room" in lines[-1]
    found = [record.seq for record in SqliteStore(tmp_path / "store").open_run("r1").records()]
    assert max(acknowledged(iter(lines))) <= len(found)


def test_a_run_that_could_not_be_made_leaves_no_file(tmp_path: Path) -> None:
    with writer(tmp_path / "store", "asyncio", str(10_000)) as process:
        assert process.stdout is not None
        (line,) = process.stdout

    assert process.returncode == 9
    assert line.startswith(b"StoreFull: ")
    assert os.listdir(tmp_path / "store" / "runs") == []


# -- one owner --------------------------------------------------------------------------------------------------------


def test_a_second_owner_in_this_process_is_refused(path: Path) -> None:
    journal = JournalFile.create(path, "r1")

    with pytest.raises(RunInUse, match=f"store in use by pid {os.getpid()}"):
        JournalFile.reopen(path)

    journal.close(None)
    JournalFile.reopen(path).close(None)


@pytest.mark.parametrize("loop", LOOPS)
def test_a_second_process_is_refused_by_the_owners_pid_until_it_is_killed(tmp_path: Path, loop: str) -> None:
    store = SqliteStore(tmp_path / "store")
    with writer(store.root, loop) as process:
        assert process.stdout is not None
        process.stdout.readline()

        with pytest.raises(RunInUse, match=f"store in use by pid {process.pid}") as caught:
            store.reopen_run("r1")
        assert caught.value.pid == process.pid
        assert store.runs()[0].status == "running"

        process.kill()
        process.stdout.read()

    assert store.runs()[0].status == "interrupted"
    journal = store.reopen_run("r1")
    assert journal.last_seq > 0
    journal._log.close(None)


def test_of_many_takers_at_once_one_gets_the_run(path: Path) -> None:
    written(path, 1)
    start = threading.Barrier(8)
    taken: list[JournalFile] = []
    refused: list[RunInUse] = []

    def take() -> None:
        start.wait()
        try:
            taken.append(JournalFile.reopen(path))
        except RunInUse as exc:
            refused.append(exc)

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (len(taken), len(refused)) == (1, 7)
    taken[0].close(None)


def test_this_process_is_alive_and_others_of_its_number_are_not() -> None:
    me = current_owner()

    assert is_alive(me)
    assert not is_alive(Owner(me.pid, "1", me.host))
    assert not is_alive(Owner(me.pid, me.started, me.host + "-before-the-last-boot"))
    assert is_alive(Owner(1, "1", "another-machine/boot"))


def test_a_process_that_has_ended_is_not_alive() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        started = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[19]
        owner = Owner(process.pid, started, current_owner().host)
        assert is_alive(owner)
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert not is_alive(owner)  # ended, not yet reaped

    assert not is_alive(owner)


# -- kill -9 ----------------------------------------------------------------------------------------------------------


def kill_once(folder: Path, loop: str, rng: random.Random) -> None:
    """Kills a writer at an instant of its choosing and checks that nothing acknowledged is gone."""
    with writer(folder / "store", loop) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(rng.randrange(1, 40))]
        for _ in range(rng.randrange(20_000)):
            pass  # a fraction of a commit later
        process.kill()
        lines += process.stdout

    promised = max(acknowledged(iter(lines)))
    stored = SqliteStore(folder / "store").open_run("r1")
    assert [record.seq for record in stored.records()][promised - 1 :][:1] == [promised]
    history = stored.history()
    assert history.status == "interrupted"
    assert history.last_seq >= promised


@pytest.mark.parametrize("loop", LOOPS)
def test_what_was_acknowledged_survives_kill_9(tmp_path: Path, loop: str) -> None:
    rng = random.Random(loop)
    for cycle in range(5):
        kill_once(tmp_path / str(cycle), loop, rng)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("loop", LOOPS)
def test_what_was_acknowledged_survives_many_kills(tmp_path: Path, loop: str, scale: int) -> None:
    rng = random.Random(f"many {loop}")
    for _ in range(200 * scale):
        kill_once(tmp_path, loop, rng)
        shutil.rmtree(tmp_path / "store")
