"""Removing old runs: who may go, that nothing of them stays, and that an end in the middle strands nothing (F38)."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from actorflow.runs.large_values import ValueOptions
from actorflow.runs.prune import BESIDE, PruneRules, finish_removals, remove_run, run_size, runs_to_prune
from actorflow.runs.run_lock import RunLock
from actorflow.runs.states import RunStatus
from actorflow.runs.store import SqliteStore
from actorflow.runs.store_care import prune, store_info
from actorflow.runs.store_errors import RunInUse
from actorflow.runs.tally import RunSummary
from actorflow.testing.stores import attempt, finished, record, started

NOW = 1_000_000.0
DAY_S = 86_400.0


def run(
    run_id: str, status: str = "succeeded", *, dag: str = "d", days_ago: float = 10, problem: str = ""
) -> RunSummary:
    when = NOW - days_ago * DAY_S
    ended = None if status in ("running", "interrupted", "paused") else when
    return RunSummary(run_id=run_id, dag=dag, status=RunStatus(status), started=when, ended=ended, problem=problem)


RUNS = [
    run("r9", "running", days_ago=100),
    run("r8", "paused", days_ago=100),
    run("r7", days_ago=1),
    run("r6", dag="e", days_ago=8),
    run("r5", "failed", days_ago=9),
    run("r4", "interrupted", days_ago=20),
    run("r3", "interrupted", days_ago=20, problem="damaged at row 1"),
    run("r2", "cancelled", days_ago=30),
    run("r1", days_ago=40),
]


@pytest.mark.parametrize(
    ("rules", "gone"),
    [
        (PruneRules(), "r7 r6 r5 r2 r1"),
        (PruneRules(unfinished=True), "r7 r6 r5 r4 r3 r2 r1"),
        (PruneRules(older_than_s=9 * DAY_S), "r5 r2 r1"),
        (PruneRules(older_than_s=9 * DAY_S, unfinished=True), "r5 r4 r3 r2 r1"),
        (PruneRules(keep=4), "r2 r1"),
        (PruneRules(statuses=frozenset({RunStatus.failed, RunStatus.cancelled})), "r5 r2"),
        (PruneRules(statuses=frozenset({RunStatus.running}), unfinished=True), ""),
    ],
)
def test_a_run_goes_if_every_rule_lets_it(rules: PruneRules, gone: str) -> None:
    assert [found.run_id for found in runs_to_prune(RUNS, rules, now=NOW)] == gone.split()


def test_the_newest_of_each_dag_are_kept() -> None:
    runs = [run("r4", dag="a"), run("r3", dag="b"), run("r2", dag="a"), run("r1", dag="b")]

    assert [found.run_id for found in runs_to_prune(runs, PruneRules(keep=1), now=NOW)] == ["r2", "r1"]


async def whole_run(store: SqliteStore, run_id: str, value: object = None) -> None:
    await record(store, [*started(run_id, width=1), *attempt(0, value=value), finished(run_id)], run_id)


def small_store(folder: Path) -> SqliteStore:
    return SqliteStore(folder / "store", values=ValueOptions(max_inline_bytes=10, max_stored_bytes=10))


@pytest.mark.anyio
async def test_nothing_of_a_removed_run_stays_and_nothing_of_another_goes(tmp_path: Path) -> None:
    store = small_store(tmp_path)
    for run_id in ("r1", "r1.values", "r10"):
        await whole_run(store, run_id, value=random.Random(1).randbytes(1000))
        store.journal_path(run_id).with_suffix(".log.jsonl").write_bytes(b"{}\n")
        store.journal_path(run_id).with_suffix(".sock").touch()
    others = {path for path in store.folder.rglob("*") if path.relative_to(store.folder).parts[0] not in OF_R1}

    size_bytes = remove_run(store.journal_path("r1"))

    assert set(store.folder.rglob("*")) == others
    assert size_bytes > 1000
    assert [summary.run_id for summary in store.runs()] == ["r10", "r1.values"]


OF_R1 = {"r1.sqlite", *(f"r1{suffix}" for suffix in BESIDE)}


@pytest.mark.anyio
async def test_pruning_tells_what_went_and_a_dry_run_what_would(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store")
    for run_id in ("r1", "r2", "r3"):
        await whole_run(store, run_id)
    size_bytes = run_size(store.journal_path("r1"))

    told = prune(store, PruneRules(keep=1), dry_run=True)
    assert [pruned.run.run_id for pruned in told] == ["r1", "r2"]
    assert len(store.runs()) == 3
    done = prune(store, PruneRules(keep=1))

    assert done == told
    assert done[0].size_bytes == size_bytes
    assert [summary.run_id for summary in store.runs()] == ["r3"]
    assert store_info(store).runs == 1


@pytest.mark.anyio
async def test_a_run_that_is_owned_is_told_and_stays(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store")
    await whole_run(store, "r1")
    lock = RunLock.take(store.journal_path("r1"))

    (kept,) = prune(store, PruneRules())
    with pytest.raises(RunInUse):
        remove_run(store.journal_path("r1"))
    lock.release()

    assert kept.problem == f"store in use by pid {os.getpid()}"
    assert store.open_run("r1").history().status is RunStatus.succeeded


@pytest.mark.anyio
async def test_a_removal_that_was_broken_off_is_ended_by_the_next(tmp_path: Path) -> None:
    store = small_store(tmp_path)
    await whole_run(store, "r1", value=b"x" * 1000)
    store.journal_path("r1").rename(store.folder / "r1.pruned")
    assert store.runs() == []
    assert store_info(store).unfinished_removals == 1

    prune(store, PruneRules())

    assert list(store.folder.iterdir()) == []


BREAKER = """
import os, sys
from pathlib import Path
from actorflow.runs import prune

steps = int(sys.argv[2])
def counted(call):
    def wrapped(*args, **kwargs):
        global steps
        if steps == 0:
            os._exit(9)
        steps -= 1
        return call(*args, **kwargs)
    return wrapped

os.rename, os.unlink, os.rmdir = counted(os.rename), counted(os.unlink), counted(os.rmdir)
prune.remove_run(Path(sys.argv[1]))
"""


@pytest.mark.anyio
async def test_a_removal_may_end_at_each_of_its_steps(tmp_path: Path) -> None:
    """F38: SIGKILL between any two changes of the folder; the run is whole, or gone with all it had."""
    codes: list[int] = []
    while not codes or codes[-1]:
        store = small_store(tmp_path / str(len(codes)))
        await whole_run(store, "r1", value=b"x" * 1000)
        await whole_run(store, "r2")
        store.journal_path("r1").with_suffix(".log.jsonl").write_bytes(b"{}\n")
        command = [sys.executable, "-c", BREAKER, str(store.journal_path("r1")), str(len(codes))]
        codes.append(subprocess.run(command, check=False).returncode)

        listed = [summary.run_id for summary in store.runs()]
        if listed == ["r2", "r1"]:
            assert store.open_run("r1").history().status is RunStatus.succeeded
            remove_run(store.journal_path("r1"))
        finish_removals(store.folder)
        assert {path.name for path in store.folder.iterdir()} == {"r2.sqlite", "r2.anchor"}

    assert set(codes[:-1]) == {9}
    assert len(codes) > 6


@pytest.mark.anyio
async def test_info_counts_runs_and_bytes_by_what_they_are(tmp_path: Path) -> None:
    store = small_store(tmp_path)
    assert not store_info(store).exists
    await whole_run(store, "r1", value=random.Random(1).randbytes(5000))
    await record(store, started("r2"), "r2")

    info = store_info(store)

    assert (info.runs, info.by_status, info.damaged) == (2, {"interrupted": 1, "succeeded": 1}, [])
    assert info.sizes["values"] >= 5000
    assert info.size_bytes == sum(info.sizes.values())
