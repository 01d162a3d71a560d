"""The catalog answers every query as the pure definition does, and notices what changes beside it."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actorflow.runs import catalog as catalog_module
from actorflow.runs.catalog import Catalog
from actorflow.runs.run_query import RunPage, RunQuery, RunSort, matches, page_of
from actorflow.runs.states import RunStatus
from actorflow.runs.store import SqliteStore
from actorflow.runs.tally import RunSummary
from actorflow.testing.stores import attempt, finished, record, started

WORDS = st.sampled_from(["", "a", "b", "Nightly", "100%", "_", "ß", "x\udcff"])
NAMES = st.dictionaries(st.sampled_from(["day", "top"]), WORDS, max_size=2)
MOMENTS = st.none() | st.sampled_from([0.0, 5.0, 10.0, 1e9])
STATUSES = st.frozensets(st.sampled_from(RunStatus), max_size=2)

summaries = st.lists(
    st.builds(
        RunSummary,
        run_id=st.integers(0, 99).map("r{:02}".format),
        dag=WORDS,
        status=st.sampled_from(RunStatus),
        started=MOMENTS,
        ended=MOMENTS,
        tasks=st.just({"succeeded": 1}),
        file=WORDS,
        params=NAMES,
        tags=NAMES,
        error=WORDS,
    ),
    max_size=12,
    unique_by=lambda run: run.run_id,
)
queries = st.builds(
    RunQuery,
    statuses=STATUSES,
    dags=st.frozensets(WORDS, max_size=2),
    since=MOMENTS,
    until=MOMENTS,
    params=NAMES,
    tags=NAMES,
    text=WORDS,
    sort=st.sampled_from(RunSort),
    ascending=st.booleans(),
    limit=st.none() | st.integers(1, 5),
    offset=st.integers(0, 5),
)


def storable(run: RunSummary) -> RunSummary:
    """As it comes back: what is half of a surrogate pair is kept in the summary, which is JSON."""
    return RunSummary.from_json(json.loads(json.dumps(run.to_json(0.0))))


@settings(max_examples=150, deadline=None)
@given(runs=summaries, query=queries)
def test_a_query_of_the_catalog_is_answered_as_it_is_defined(
    runs: list[RunSummary], query: RunQuery, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("store")
    known = {run.run_id: run for run in runs}
    for run_id in known:
        (folder / f"{run_id}.sqlite").touch()

    def read(run_id: str) -> tuple[RunSummary, bool]:
        return known[run_id], True

    found = Catalog(folder / "catalog.db", folder, read).page(query)

    expected = page_of(query, runs)
    assert found == RunPage([storable(run) for run in expected.runs], expected.total)
    shutil.rmtree(folder)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (RunQuery(), True),
        (RunQuery(statuses=frozenset({RunStatus.failed})), False),
        (RunQuery(dags=frozenset({"etl", "other"})), True),
        (RunQuery(since=10.0, until=10.5), True),
        (RunQuery(until=10.0), False),
        (RunQuery(params={"day": "monday"}), True),
        (RunQuery(params={"day": "monday", "top": "1"}), False),
        (RunQuery(tags={"team": "data"}), True),
        (RunQuery(text="NO ROUTE"), True),
        (RunQuery(text="day=mon"), True),
        (RunQuery(text="absent"), False),
    ],
)
def test_a_run_is_found_if_every_filter_lets_it_through(query: RunQuery, found: bool) -> None:
    run = RunSummary(
        run_id="r1",
        dag="etl",
        status=RunStatus.succeeded,
        started=10.0,
        params={"day": "monday"},
        tags={"team": "data"},
        error="OSError: no route",
    )

    assert matches(query, run) is found


class Reads:
    """A reader that counts, over a folder of files that are no journals."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.read: list[str] = []
        self.ongoing: set[str] = set()

    def __call__(self, run_id: str) -> tuple[RunSummary, bool]:
        self.read.append(run_id)
        is_over = run_id not in self.ongoing
        return RunSummary(run_id=run_id, status=RunStatus.succeeded if is_over else RunStatus.running), is_over

    def touch(self, *run_ids: str) -> None:
        for run_id in run_ids:
            (self.folder / f"{run_id}.sqlite").touch()
        long_ago_s = 1e9 + len(os.listdir(self.folder))  # a folder that has been left alone
        os.utime(self.folder, (long_ago_s, long_ago_s))


@pytest.fixture
def reads(tmp_path: Path) -> Reads:
    (tmp_path / "runs").mkdir()
    return Reads(tmp_path / "runs")


@pytest.fixture
def runs(reads: Reads, tmp_path: Path) -> Catalog:
    return Catalog(tmp_path / "catalog.sqlite", reads.folder, reads)


def listed(runs: Catalog) -> list[str]:
    return [run.run_id for run in runs.page(RunQuery()).runs]


def test_a_store_where_nothing_changed_is_not_looked_through(
    runs: Catalog, reads: Reads, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads.touch("r1", "r2")
    assert listed(runs) == ["r2", "r1"]

    def never(folder: Path) -> dict[str, str]:
        raise AssertionError("looked at every file")

    monkeypatch.setattr(catalog_module, "_stamps", never)

    assert listed(runs) == ["r2", "r1"]
    assert sorted(reads.read) == ["r1", "r2"]


def test_a_run_that_goes_on_is_read_each_time(runs: Catalog, reads: Reads) -> None:
    reads.touch("r1", "r2")
    reads.ongoing.add("r2")
    listed(runs)
    reads.read.clear()

    listed(runs)

    assert reads.read == ["r2"]


def test_a_line_of_its_owner_spares_the_reading(runs: Catalog, reads: Reads) -> None:
    reads.touch("r1")
    runs.note(RunSummary(run_id="r1", dag="noted", status=RunStatus.succeeded), lasting=True)

    assert runs.page(RunQuery()).runs[0].dag == "noted"
    assert reads.read == []
    runs.forget("r1")
    assert listed(runs) == []


def test_a_large_store_is_looked_through_once_a_minute_at_most(
    runs: Catalog, reads: Reads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog_module, "MANY_RUNS", 1)
    reads.touch("r1", "r2")
    listed(runs)
    reads.touch("r3")

    assert listed(runs) == ["r2", "r1"]
    monkeypatch.setattr(catalog_module, "LOOK_AGAIN_S", 0.0)
    assert listed(runs) == ["r3", "r2", "r1"]


def test_a_run_on_the_page_that_was_removed_or_replaced_is_noticed_in_a_large_store_too(
    runs: Catalog, reads: Reads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog_module, "MANY_RUNS", 1)
    reads.touch("r1", "r2", "r3")
    listed(runs)
    reads.read.clear()

    (reads.folder / "r1.sqlite").unlink()
    (reads.folder / "r2.sqlite").write_bytes(b"another")

    assert listed(runs) == ["r3", "r2"]
    assert reads.read == ["r2"]


def test_a_folder_that_changed_just_now_is_looked_through_again(runs: Catalog, reads: Reads) -> None:
    """Its time has steps: a second change within one does not show."""
    (reads.folder / "r1.sqlite").touch()
    assert listed(runs) == ["r1"]
    moment_ns = reads.folder.stat().st_mtime_ns
    (reads.folder / "r2.sqlite").touch()
    os.utime(reads.folder, ns=(moment_ns, moment_ns))

    assert listed(runs) == ["r2", "r1"]


def test_names_are_found_by_their_beginning(runs: Catalog, reads: Reads) -> None:
    reads.touch("r1", "r10", "r2", "R1")

    assert runs.run_ids("r1") == ["r1", "r10"]
    assert runs.run_ids(newest=2) == ["r10", "r2"]
    assert runs.run_ids("none") == []


@pytest.mark.anyio
async def test_an_owner_puts_in_a_line_at_the_start_and_at_the_end(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store")
    seen: list[tuple[str, int]] = []

    class Watching(Catalog):
        def note(self, summary: RunSummary, *, lasting: bool) -> None:
            super().note(summary, lasting=lasting)
            with closing(sqlite3.connect(self.path)) as connection:
                seen.extend(connection.execute("SELECT status, lasting FROM runs"))

    store.catalog.__class__ = Watching
    await record(store, [*started("r1", width=1), *attempt(0), finished("r1")], "r1")

    assert seen[0][1] == 0
    assert seen[-1] == ("succeeded", 1)
