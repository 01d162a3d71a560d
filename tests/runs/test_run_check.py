"""F11: what is changed, cut or removed of a stored run is found, with the first row that it concerns."""

from __future__ import annotations

import random
import re
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from actorflow.runs.anchor import Anchor, AnchorDamaged, anchor_path, read_anchor, write_anchor
from actorflow.runs.events import RunFinished
from actorflow.runs.journal_file import JournalFile
from actorflow.runs.journal_reader import JournalReader
from actorflow.runs.large_values import ValueOptions
from actorflow.runs.run_check import RunCheck, check_run
from actorflow.runs.states import RunStatus
from actorflow.runs.store import SqliteStore
from actorflow.runs.store_errors import JournalDamaged, StoreError
from actorflow.runs.stored_summary import is_owned
from actorflow.runs.tally import RunSummary
from actorflow.testing.stores import attempt, started, writing

OPTIONS = ValueOptions(max_inline_bytes=100, max_stored_bytes=1000)


def noise(size: int, seed: int) -> bytes:
    return random.Random(seed).randbytes(size)


def checked(path: Path) -> RunCheck:
    return check_run(path, lambda: is_owned(path))


def first_bad(path: Path) -> int | None:
    """The first row that the check finds fault with; None if it finds fault with no row."""
    return min((problem.seq for problem in checked(path).problems if problem.seq is not None), default=None)


async def closed_run(folder: Path, sizes: tuple[int, ...] = (20, 300, 5000)) -> Path:
    """The journal of a finished run with a value of each of these sizes."""
    store = SqliteStore(folder / "store", values=OPTIONS)
    journal = store.create_run("r1")
    async with writing(journal):
        for event in started("r1", width=len(sizes)):
            journal.append(event)
        for index, size in enumerate(sizes):
            for event in attempt(index, value=noise(size, index)):
                journal.append(event)
        journal.append(RunFinished(run_id="r1", status=RunStatus.failed))
    return store.open_run("r1").path


@pytest.fixture
async def closed(tmp_path: Path, anyio_backend: object) -> Path:
    return await closed_run(tmp_path)


pytestmark = pytest.mark.anyio


async def test_a_run_as_it_was_written_is_sound(closed: Path) -> None:
    check = checked(closed)

    assert check.problems == []
    assert (check.rows, check.values, check.released, check.owned) == (9, 2, 0, False)
    assert check.to_json()["sound"] is True


def flip(path: Path, rng: random.Random) -> None:
    content = bytearray(path.read_bytes())
    content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(content)


def cut(path: Path, rng: random.Random) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: rng.randrange(len(content))])


@pytest.mark.parametrize("harm", [flip, cut])
async def test_every_flipped_bit_and_every_cut_of_a_closed_run_is_found(
    harm: Callable[[Path, random.Random], None], closed: Path, tmp_path: Path, scale: int
) -> None:
    rng = random.Random(20261121)
    files = [closed, anchor_path(closed), next(closed.with_suffix(".values").iterdir())]
    missed: list[str] = []
    for number in range(90 * scale):
        copy = tmp_path / "copy"
        shutil.copytree(closed.parent, copy)
        harm(copy / files[number % 3].relative_to(closed.parent), rng)
        if checked(copy / closed.name).is_sound:
            missed.append(f"{number}: {files[number % 3].name}")
        shutil.rmtree(copy)

    assert missed == []


@pytest.mark.parametrize(("statement", "seq"), [("DELETE FROM events WHERE seq > 6", 7), ("DELETE FROM events", 1)])
async def test_the_first_row_that_is_gone_is_named(statement: str, seq: int, closed: Path) -> None:
    with closing(sqlite3.connect(closed)) as connection:
        connection.execute(statement)
        connection.commit()

    assert first_bad(closed) == seq


async def test_a_journal_that_was_rewritten_from_some_row_on_does_not_fit_its_anchor(
    closed: Path, tmp_path: Path
) -> None:
    """A chain that fits itself is no proof where everything may have been written anew."""
    (tmp_path / "other").mkdir()
    other = await closed_run(tmp_path / "other", sizes=(20, 300, 5001))
    shutil.copy(other, closed)
    shutil.copytree(other.with_suffix(".values"), closed.with_suffix(".values"), dirs_exist_ok=True)

    assert first_bad(closed) == 9
    with (
        pytest.raises(JournalDamaged, match="damaged at row 9: the anchor says another digest"),
        JournalReader(closed) as reader,
    ):
        list(reader.rows())


@pytest.mark.parametrize(
    ("suffix", "words"), [(".anchor", "its anchor is gone"), (".values", r"its value \w+ is gone")]
)
async def test_what_is_removed_of_a_closed_run_is_named(suffix: str, words: str, closed: Path) -> None:
    beside = closed.with_suffix(suffix)
    if beside.is_dir():
        shutil.rmtree(beside)
    else:
        beside.unlink()

    (problem,) = checked(closed).problems

    assert re.fullmatch(words, problem.what)


# -- a run that was never closed --------------------------------------------------------------------------------------


def abandoned(folder: Path, *, anchored: int = 60, rows: int = 60) -> Path:
    """The files of an owner that was killed after `rows` rows, the first `anchored` of which its anchor knows."""
    (folder / "live").mkdir()
    path = folder / "live" / "r1.sqlite"
    journal = JournalFile.create(path, "r1")
    for seq in range(1, rows + 1):
        journal.write([(seq, f"row {seq} ".encode() * 20)])
        if seq == anchored:
            journal.anchor(RunSummary(run_id="r1"))
    shutil.copytree(path.parent, folder / "left", ignore=shutil.ignore_patterns("*.lock"))
    journal.close(None)
    return folder / "left" / path.name


def raw_rows(path: Path) -> int:
    with JournalReader(path) as reader:
        return sum(1 for _ in reader.rows())


async def test_a_wal_that_is_gone_is_found_and_the_first_row_named(tmp_path: Path) -> None:
    path = abandoned(tmp_path)
    assert raw_rows(path) == 60

    path.with_name("r1.sqlite-wal").unlink()

    with pytest.raises(JournalDamaged, match="damaged at row 1"):
        raw_rows(path)


async def test_shared_memory_that_is_gone_loses_nothing(tmp_path: Path) -> None:
    path = abandoned(tmp_path)
    path.with_name("r1.sqlite-shm").unlink(missing_ok=True)

    assert raw_rows(path) == 60


@pytest.mark.parametrize("harm", [flip, cut])
async def test_damage_to_a_wal_is_found_back_to_the_anchor(
    harm: Callable[[Path, random.Random], None], tmp_path: Path, scale: int
) -> None:
    path = abandoned(tmp_path, anchored=40)
    rng = random.Random(7)
    found = 0
    for _ in range(40 * scale):
        copy = tmp_path / "copy"
        shutil.copytree(path.parent, copy)
        harm(copy / "r1.sqlite-wal", rng)
        try:
            assert 40 <= raw_rows(copy / path.name) <= 60
        except StoreError:
            found += 1
        shutil.rmtree(copy)

    assert found > 10 * scale


async def test_an_unfinished_run_without_its_anchor_is_not_taken_up(tmp_path: Path) -> None:
    path = abandoned(tmp_path)
    anchor_path(path).unlink()

    with pytest.raises(JournalDamaged, match=r"r1\.anchor is gone"):
        JournalFile.reopen(path)


async def test_a_journal_whose_tables_are_gone_is_damaged_and_not_foreign(tmp_path: Path) -> None:
    path = abandoned(tmp_path)
    path.with_name("r1.sqlite-wal").unlink()
    path.write_bytes(b"")

    with pytest.raises(JournalDamaged, match="damaged at row 1: its tables are gone"):
        raw_rows(path)


# -- the anchor -------------------------------------------------------------------------------------------------------


async def test_an_anchor_comes_back_as_it_was_written(tmp_path: Path) -> None:
    anchor = Anchor(run_id="r1", seq=7, head="00", closed=True, file_digest="11", summary={"run_id": "r1 \udcff"})

    write_anchor(tmp_path / "r1.sqlite", anchor)

    assert read_anchor(tmp_path / "r1.sqlite") == anchor
    assert [path.name for path in tmp_path.iterdir()] == ["r1.anchor"]
    assert read_anchor(tmp_path / "r2.sqlite") is None


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff" * 40, b"[" * 3000, b'{"seq": 1} 0\n'])
async def test_an_anchor_that_is_none_is_damaged(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "r1.anchor").write_bytes(content)

    with pytest.raises(AnchorDamaged, match=r"r1\.anchor is damaged"):
        read_anchor(tmp_path / "r1.sqlite")
