"""A wide map of two stages that is killed past its half and resumed: exactly what was not committed runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from actorflow.runs.events import AttemptFinished, AttemptStarted, Record
from actorflow.runs.executor import AttemptState
from actorflow.runs.store import SqliteStore
from tests.cli.shell import going
from tests.faults.leaks import leak_audit as leak_audit

pytestmark = pytest.mark.usefixtures("leak_audit")

# In its first life the second stage gets no further than two thirds, so that nothing depends on how fast we read.
FLOW = """
import os
import anyio
from actorflow import dag, task

@task
async def numbers(count: int) -> list[int]:
    return list(range(count))

@task
async def double(n: int) -> int:
    return 2 * n

@task
async def shift(n: int, most: int) -> int:
    if n >= most and not os.path.exists("second life"):
        await anyio.sleep_forever()
    return n + 1

@task
async def total(ns: list[int]) -> int:
    return sum(ns)

@dag
def wide(count: int, most: int) -> int:
    return total(shift.map(double.map(numbers(count)), most))
"""

Instance = tuple[str, int | None]


def committed_in(records: list[Record]) -> list[Instance]:
    """The instances with a result on disk, in order."""
    events = [record.event for record in records]
    ends = [event for event in events if isinstance(event, AttemptFinished)]
    return [(event.task, event.map_index) for event in ends if event.state is AttemptState.succeeded]


def started_in(records: list[Record]) -> list[Instance]:
    events = [record.event for record in records]
    return [(event.task, event.map_index) for event in events if isinstance(event, AttemptStarted)]


def kill_and_resume(folder: Path, count: int, backend: str) -> tuple[int, int]:
    """How many instances were committed at the kill, and how many ran afterwards."""
    (folder / "wide.py").write_text(FLOW)
    options, most = ("--backend", backend), 2 * (2 * count // 3)
    with going("run", "wide.py", "-p", f"count={count}", "-p", f"most={most}", *options, cwd=folder) as run:
        for _ in range(most):
            run.until("attempt_finished", state="succeeded")
        run.process.kill()
        run.process.wait()
    (folder / "second life").touch()
    store = SqliteStore(folder / ".actorflow")
    before = list(store.open_run("@last").records())
    committed = set(committed_in(before))

    with going("resume", "@last", *options, cwd=folder) as resumed:
        done = resumed.end()
    assert done.code == 0, done.err
    assert resumed.seen[-1]["result"] == sum(2 * n + 1 for n in range(count))

    after = list(store.open_run("@last").records())[len(before) :]
    again = started_in(after)
    everything = {(step, n) for step in ("double", "shift") for n in range(count)} | {
        ("numbers", None),
        ("total", None),
    }
    assert sorted(again, key=str) == sorted(everything - committed, key=str)
    return len(committed), len(again)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_wide_run_that_is_killed_past_its_half_runs_exactly_the_rest(tmp_path: Path, backend: str) -> None:
    committed, again = kill_and_resume(tmp_path, 1_000, backend)

    assert committed >= 1_332
    assert again > 0


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_hundred_thousand_that_are_killed_past_their_half_run_exactly_the_rest(tmp_path: Path, backend: str) -> None:
    committed, again = kill_and_resume(tmp_path, 100_000, backend)

    print(f"{committed} of 200,002 instances committed at the kill; {again} ran afterwards, none twice")
    assert again > 0
