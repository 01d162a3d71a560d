"""A run whose supervisor is killed again and again ends as if nothing had happened (P1 to P3, F1)."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import psutil
import pytest

from actorflow.runs.events import AttemptFinished, AttemptStarted, Record
from actorflow.runs.executor import AttemptState
from actorflow.runs.history import RunRecord
from actorflow.runs.states import RunStatus, TaskState
from actorflow.runs.store import SqliteStore
from tests.cli.shell import actorflow, environment
from tests.faults.leaks import carriers, leak_audit

__all__ = ["leak_audit"]

# 50 instances, most of them on the loop and some in worker processes; each writes a line when its body begins.
FLOW = """
import os
from actorflow import dag, task

def tell(name):
    line = os.open("effects", os.O_APPEND | os.O_CREAT | os.O_WRONLY)
    os.write(line, f"{name}\\n".encode())
    os.close(line)

@task
async def source() -> list[int]:
    tell("source")
    return list(range(20))

@task
async def double(n: int) -> int:
    tell(f"double[{n}]")
    return 2 * n

@task
async def shift(n: int) -> str:
    tell(f"shift[{n // 2}]")
    return "x" * (n * 100)

@task
def in_a_worker(n: int) -> int:
    tell(f"in_a_worker[{n}]")
    return n

@task
async def total(texts: list[str], numbers: list[int]) -> int:
    tell("total")
    return sum(map(len, texts)) + sum(numbers)

@dag
def fifty() -> int:
    numbers = source()
    return total(shift.map(double.map(numbers)), in_a_worker.map([0, 1, 2, 3, 4, 5, 6, 7]))
"""
RESULT = sum(2 * n * 100 for n in range(20)) + sum(range(8))
INSTANCES = 50


@dataclass
class Killed:
    """One run, and what was seen of it at each kill. marks: what was committed, and how many effects there were."""

    folder: Path
    kills: int = 0
    acknowledged: set[str] = field(default_factory=set[str])
    marks: list[tuple[set[str], int]] = field(default_factory=list[tuple[set[str], int]])

    def effects(self) -> list[str]:
        path = self.folder / "effects"
        return path.read_text().splitlines() if path.exists() else []

    def records(self) -> list[Record]:
        return list(SqliteStore(self.folder / "store").open_run("@last").records())

    def history(self) -> RunRecord:
        return SqliteStore(self.folder / "store").open_run("@last").history()

    def committed(self) -> set[str]:
        return {_label(one.event) for one in self.records() if _is_commit(one)}

    def has_begun(self) -> bool:
        """False for one that was killed before its first event was on disk."""
        return bool(SqliteStore(self.folder / "store").journals() and self.records())

    def command(self) -> list[str]:
        if self.has_begun():
            return ["resume", "@last"]
        shutil.rmtree(self.folder / "store", ignore_errors=True)
        return ["run", "fifty.py"]


def _label(event: object) -> str:
    assert isinstance(event, AttemptFinished | AttemptStarted)
    return event.task if event.map_index is None else f"{event.task}[{event.map_index}]"


def _is_commit(record: Record) -> bool:
    event = record.event
    return isinstance(event, AttemptFinished) and event.state is AttemptState.succeeded


def go_on(run: Killed, rng: Random, *, kill: bool) -> bool:
    """Start or resume the run on either loop; True if it came to its end, False if it was killed before, at random."""
    backend = rng.choice(["asyncio", "trio"])
    process = subprocess.Popen(
        [sys.executable, "-m", "actorflow", *run.command(), "--store", "store", "--json", "--backend", backend],
        cwd=run.folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        lines_left = rng.randrange(60) if kill else -1
        while lines_left:
            line = process.stdout.readline()
            if not line:
                break
            _hear(run, line)
            lines_left -= 1
        else:
            with contextlib.suppress(subprocess.TimeoutExpired):  # an instant, not a wait: nothing hangs on how long
                process.wait(timeout=rng.random() / 50)
        if kill:
            process.kill()
        for line in process.stdout:
            _hear(run, line)
        assert process.stderr is not None
        errors = process.stderr.read()
    if process.returncode == -signal.SIGKILL:
        run.kills += 1
        if run.has_begun():
            run.marks.append((run.committed(), len(run.effects())))
        return False
    assert process.returncode == 0, errors
    return True


def _hear(run: Killed, line: str) -> None:
    with contextlib.suppress(json.JSONDecodeError):  # the last line of a killed process may be torn
        event = json.loads(line)
        if event["type"] == "attempt_finished" and event["state"] == "succeeded":
            index = event["map_index"]
            run.acknowledged.add(event["task"] if index is None else f"{event['task']}[{index}]")


def check(run: Killed) -> None:
    """What must hold of a run that has ended, however often it was killed."""
    history, effects = run.history(), run.effects()
    assert history.status is RunStatus.succeeded
    assert history.result is not None
    assert history.result.get() == RESULT
    states = [task.state for task in history.tasks]
    assert states == [TaskState.succeeded] * INSTANCES

    assert run.acknowledged <= run.committed()
    for committed, seen in run.marks:
        assert committed <= run.committed()
        assert not committed & set(effects[seen:]), "what was committed ran again"

    commits = Counter(_label(one.event) for one in run.records() if _is_commit(one))
    assert set(commits.values()) == {1}
    for task in history.tasks:
        numbers = [attempt.number for attempt in task.attempts]
        assert numbers == list(range(1, len(numbers) + 1))
        begun = effects.count(task.label)
        assert begun >= 1
        if task.name == "in_a_worker":  # on the loop a body may begin before its start is on disk: a crash loses both
            assert begun <= len(numbers)


def kill_until(tmp_path: Path, kills: int, seed: int) -> int:
    """Runs of 50 tasks, one after the other, until their supervisors have been killed that often; how many runs."""
    rng, done, runs = Random(seed), 0, 0
    while done < kills:
        folder = tmp_path / str(runs)
        folder.mkdir()
        (folder / "fifty.py").write_text(FLOW)
        run = Killed(folder)
        while not go_on(run, rng, kill=done + run.kills < kills):
            pass
        check(run)
        done += run.kills
        runs += 1
    mark = next(name for name in os.environ if name.startswith("ACTORFLOW_AUDIT_"))
    psutil.wait_procs([psutil.Process(pid) for pid in carriers(mark)], timeout=30)
    return runs


@pytest.mark.usefixtures("leak_audit")
def test_a_run_that_is_killed_now_and_then_loses_nothing_and_repeats_nothing_committed(tmp_path: Path) -> None:
    kill_until(tmp_path, kills=6, seed=11)


DEADLY = """
import os, signal
from actorflow import dag, task

@task
async def before() -> int:
    return 1

@task
async def deadly(n: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return n

@dag
def main() -> int:
    return deadly(before())
"""


@pytest.mark.usefixtures("leak_audit")
def test_a_task_that_kills_its_supervisor_at_once_is_given_up_where_nobody_watches(tmp_path: Path) -> None:
    (tmp_path / "deadly.py").write_text(DEADLY)
    codes = [actorflow("run", "deadly.py", cwd=tmp_path).code]

    while codes[-1] == -signal.SIGKILL and len(codes) < 10:
        codes.append(actorflow("resume", "@last", "--unattended", cwd=tmp_path).code)

    assert codes[-1] == 1
    assert 4 <= codes.count(-signal.SIGKILL) <= 5  # the first start may be lost with the process, none after it is
    history = SqliteStore(tmp_path / ".actorflow").open_run("@last").history()
    assert [(task.name, task.state) for task in history.tasks] == [
        ("before", TaskState.succeeded),
        ("deadly", TaskState.failed),
    ]


@pytest.mark.slow
@pytest.mark.usefixtures("leak_audit")
def test_hundreds_of_kills_lose_nothing_and_repeat_nothing_committed(tmp_path: Path, scale: int) -> None:
    kills = 200 * scale

    runs = kill_until(tmp_path, kills=kills, seed=12)

    print(f"{kills} kills in {runs} runs of {INSTANCES} tasks; 0 acknowledged results lost, 0 committed tasks repeated")
