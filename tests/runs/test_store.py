"""The store in a directory: how it is laid out, what it refuses, and how it lists many runs."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorflow.actors.errors import ActorflowError
from actorflow.runs import catalog, store_errors
from actorflow.runs.journal_file import JournalFile
from actorflow.runs.journal_reader import JournalReader
from actorflow.runs.run_ids import check_run_id, new_run_id
from actorflow.runs.store import SqliteStore
from actorflow.runs.store_errors import (
    ForeignStore,
    NewerStore,
    StoreError,
    StoreUnwritable,
    unwritable,
)
from actorflow.runs.tally import RunSummary
from actorflow.testing.stores import attempt, finished, record, started

pytestmark = pytest.mark.anyio


@pytest.fixture
def store(tmp_path: Path) -> SqliteStore:
    return SqliteStore(tmp_path / "store")


async def whole_run(store: SqliteStore, run_id: str, dag: str = "census") -> str:
    return await record(store, [*started(run_id, dag=dag, width=1), *attempt(0), finished(run_id)], run_id)


# -- layout -----------------------------------------------------------------------------------------------------------


async def test_a_store_is_laid_out_for_its_owner_only_and_out_of_version_control(store: SqliteStore) -> None:
    umask = os.umask(0)
    try:
        await whole_run(store, "r1")
        store.runs()
    finally:
        os.umask(umask)

    found = {str(path.relative_to(store.root)): stat.S_IMODE(path.stat().st_mode) for path in store.root.rglob("*")}
    files = (".gitignore", "format", "catalog.sqlite", "runs/r1.sqlite", "runs/r1.anchor")
    assert found == {"runs": 0o700, **dict.fromkeys(files, 0o600)}
    assert stat.S_IMODE(store.root.stat().st_mode) == 0o700
    assert (store.root / ".gitignore").read_text() == "*\n"


def test_nothing_is_made_before_the_first_run(store: SqliteStore) -> None:
    assert store.runs() == []
    assert not store.root.exists()


def test_the_store_is_where_the_variable_says_or_beside_us(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ACTORFLOW_STORE", raising=False)
    assert SqliteStore().root == Path(".actorflow")

    monkeypatch.setenv("ACTORFLOW_STORE", "/elsewhere")
    assert SqliteStore().root == Path("/elsewhere")
    assert SqliteStore("here").root == Path("here")


async def test_a_store_outlives_the_object_that_made_it(store: SqliteStore) -> None:
    run_id = await whole_run(store, new_run_id())

    assert SqliteStore(store.root).open_run("@last").run_id == run_id


# -- refusals ---------------------------------------------------------------------------------------------------------


def test_a_directory_that_holds_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("")
    store = SqliteStore(tmp_path)

    with pytest.raises(ForeignStore, match="holds something else than runs; choose an empty or new directory"):
        store.create_run()
    with pytest.raises(ForeignStore):
        store.runs()

    assert os.listdir(tmp_path) == ["main.py"]


def test_an_empty_directory_becomes_a_store(tmp_path: Path) -> None:
    SqliteStore(tmp_path).prepare()

    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700
    assert (tmp_path / "format").read_text() == "1\n"


def test_a_store_of_a_later_layout_is_refused_and_left_alone(store: SqliteStore) -> None:
    store.prepare()
    (store.root / "format").write_text("2\n")
    before = sorted(store.root.rglob("*"))

    for act in (store.create_run, store.runs, partial(store.open_run, "@last")):
        with pytest.raises(NewerStore, match="written in layout 2, this actorflow knows up to 1"):
            act()
    assert sorted(store.root.rglob("*")) == before


def test_a_format_that_is_no_number_is_foreign(store: SqliteStore) -> None:
    store.prepare()
    (store.root / "format").write_text("parquet\n")

    with pytest.raises(ForeignStore, match="holds no number"):
        store.create_run()


def test_a_store_below_a_file_is_unwritable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = SqliteStore(tmp_path / "file" / "store")

    with pytest.raises(
        StoreUnwritable, match=r"Not a directory; move the file that stands in its place, or .* --store"
    ):
        store.create_run()


def test_a_file_where_the_store_should_be_is_unwritable(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("")

    with pytest.raises(StoreUnwritable, match="Not a directory"):
        SqliteStore(tmp_path / "store").create_run()


@pytest.mark.parametrize(
    ("number", "help"), [(errno.ENOSPC, "make room on the disk, or"), (errno.EACCES, "make the directory writable")]
)
def test_the_way_out_is_that_of_the_trouble(number: int, help: str) -> None:
    assert unwritable(Path("s"), OSError(number, os.strerror(number))).help.startswith(help)


def test_a_place_where_nothing_can_be_made_is_unwritable() -> None:
    with pytest.raises(StoreUnwritable, match="cannot be written"):
        SqliteStore("/proc/actorflow").create_run()


def test_a_directory_without_permission_to_write_is_unwritable(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.prepare()

    def refuse(path: Path, mode: int) -> bool:
        return path != store.root / "runs"

    monkeypatch.setattr(os, "access", refuse)  # file modes do not bind root, who may run the tests

    with pytest.raises(StoreUnwritable, match="permission denied"):
        store.create_run()


async def test_an_id_is_given_once(store: SqliteStore) -> None:
    await whole_run(store, "r1")

    with pytest.raises(StoreUnwritable, match="a run of this id exists"):
        store.create_run("r1")


@pytest.mark.parametrize("run_id", ["", "../r1", "a/b", ".hidden", "x" * 65, "a b", "-r", "é"])
def test_an_id_that_no_file_should_have_is_refused(store: SqliteStore, run_id: str) -> None:
    with pytest.raises(ValueError, match="is no run id; use up to 64 letters"):
        store.create_run(run_id)
    assert not store.root.exists()


def test_every_error_of_the_tree_is_an_actorflow_error_and_drawn_in_it() -> None:
    assert store_errors.__doc__ is not None
    errors = [kind for kind in vars(store_errors).values() if isinstance(kind, type) and issubclass(kind, StoreError)]

    assert len(errors) == 12
    for kind in errors:
        assert issubclass(kind, ActorflowError)
        assert kind.__name__ in store_errors.__doc__


# -- the catalog ------------------------------------------------------------------------------------------------------


class Opened:
    """Counts the journals that are opened to be read."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.paths: list[str] = []
        before = JournalReader.__init__

        def opened(reader: JournalReader, path: Path, *, is_ours: bool = False) -> None:
            self.paths.append(path.name)
            before(reader, path, is_ours=is_ours)

        monkeypatch.setattr(JournalReader, "__init__", opened)


async def test_a_run_that_was_listed_once_is_not_opened_again(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await whole_run(store, "r1")
    await whole_run(store, "r2")
    first = store.runs()
    opened = Opened(monkeypatch)

    assert store.runs() == first
    assert opened.paths == []
    await whole_run(store, "r3")
    assert [summary.run_id for summary in store.runs()] == ["r3", "r2", "r1"]
    assert opened.paths == [], "its owner has put in its line"


async def test_a_run_that_goes_on_is_read_again_each_time(store: SqliteStore) -> None:
    await record(store, started("r1"), "r1")
    assert store.runs()[0].status == "interrupted"

    journal = store.reopen_run("r1")
    assert store.runs()[0].status == "running"
    journal.append(finished("r1"))
    await journal.close()

    assert store.runs()[0].status == "succeeded"


def catalogued(store: SqliteStore) -> set[str]:
    """The ids in the catalog as it is on disk."""
    with closing(sqlite3.connect(store.root / "catalog.sqlite")) as connection:
        return {run_id for (run_id,) in connection.execute("SELECT run_id FROM runs")}


def lose(path: Path) -> None:
    path.unlink()


def spoil(path: Path) -> None:
    path.write_bytes(b"no database" * 1000)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def forge(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE runs SET summary = replace(summary, 'succeeded', 'failed')")
        connection.commit()


def age(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
        connection.execute("DROP TABLE runs")


@pytest.mark.parametrize("harm", [lose, spoil, truncate, empty, forge, age])
async def test_a_catalog_is_rebuilt(store: SqliteStore, harm: Callable[[Path], None], tmp_path: Path) -> None:
    for number in range(8):
        await whole_run(store, f"r{number:02}")
    first = store.runs()

    harm(store.root / "catalog.sqlite")

    assert store.runs() == first
    assert catalogued(store) == {summary.run_id for summary in first}


async def test_a_catalog_that_cannot_be_written_is_done_without(store: SqliteStore) -> None:
    await whole_run(store, "r1")
    (store.root / "catalog.sqlite").unlink()
    (store.root / "catalog.sqlite").mkdir()

    assert [summary.run_id for summary in store.runs()] == ["r1"]


async def test_a_catalog_that_another_process_writes_is_done_without(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await whole_run(store, "r1")
    store.runs()
    await whole_run(store, "r2")
    monkeypatch.setattr(catalog, "BUSY_TIMEOUT_S", 0.0)

    with closing(sqlite3.connect(store.root / "catalog.sqlite", isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        assert [summary.run_id for summary in store.runs()] == ["r2", "r1"]


async def test_a_run_whose_file_is_gone_is_listed_no_more(store: SqliteStore) -> None:
    await whole_run(store, "r1")
    await whole_run(store, "r2")
    store.runs()

    (store.root / "runs" / "r1.sqlite").unlink()

    assert [summary.run_id for summary in store.runs()] == ["r2"]
    assert catalogued(store) == {"r2"}


async def test_runs_of_another_store_are_listed_where_they_are_put(store: SqliteStore, tmp_path: Path) -> None:
    other = SqliteStore(tmp_path / "other")
    await whole_run(other, "r1")
    await whole_run(store, "r2")

    shutil.copy(other.root / "runs" / "r1.sqlite", store.root / "runs")

    assert [summary.run_id for summary in store.runs()] == ["r2", "r1"]


async def test_a_damaged_run_is_listed_with_what_is_wrong_and_hides_no_other(store: SqliteStore) -> None:
    await record(store, [*started("r1", width=1), *attempt(0)], "r1")
    await whole_run(store, "r2")
    with closing(sqlite3.connect(store.root / "runs" / "r1.sqlite")) as connection:
        connection.execute("DELETE FROM meta WHERE key = 'run_id'")
        connection.commit()

    sound, damaged = store.runs()

    assert (sound.run_id, sound.status, sound.problem) == ("r2", "succeeded", "")
    assert (damaged.run_id, damaged.problem) == ("r1", "damaged at row 1: it does not tell run_id")
    assert json.loads(json.dumps(damaged.to_json(0.0)))["problem"].startswith("damaged")


def test_a_summary_stored_at_the_end_is_read_without_the_rows(tmp_path: Path, store: SqliteStore) -> None:
    store.prepare()
    journal = JournalFile.create(store.root / "runs" / "r1.sqlite", "r1")
    journal.write([(1, b"no event")])
    journal.close(RunSummary(run_id="r1", dag="from the summary"))

    assert store.runs()[0].dag == "from the summary"


# -- ids --------------------------------------------------------------------------------------------------------------


def test_an_id_tells_when_the_run_began() -> None:
    assert new_run_id(now=1795270747.25, random_below=lambda _: 31) == "20261121-141907-7tzzz"


@given(st.lists(st.floats(0, 4e9), min_size=2, max_size=2))
def test_ids_sort_by_time(moments: list[float]) -> None:
    earlier, later = sorted(moments)
    first, second = (new_run_id(now=now, random_below=lambda _: 0) for now in (earlier, later))

    assert first < second if later - earlier >= 0.002 else first <= second


@given(st.integers(0, 2**32))
def test_every_id_may_name_a_file(now: int) -> None:
    assert check_run_id(new_run_id(now=float(now)))


def test_ids_of_one_moment_differ() -> None:
    assert len({new_run_id(now=0.0) for _ in range(20)}) > 1
