"""While a process runs, others read its store and run beside it; none takes its run until it is killed (F35)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cli.shell import Ended, actorflow, going
from tests.faults.leaks import leak_audit as leak_audit

pytestmark = pytest.mark.usefixtures("leak_audit")

HELD = """
import os
from actorflow import dag, task

@task
async def ready() -> int:
    return 1

@task
def held(n: int) -> int:
    with open("pipe", "w") as pipe:
        pipe.write("held")
    with open("gate") as gate:
        gate.read()
    return n + 1

@dag
def main() -> int:
    return held(ready())
"""

QUICK = """
from actorflow import dag, task

@task
async def one() -> int:
    return 1

@dag
def quick() -> int:
    return one()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "held.py").write_text(HELD)
    (tmp_path / "quick.py").write_text(QUICK)
    os.mkfifo(tmp_path / "pipe")
    os.mkfifo(tmp_path / "gate")
    return tmp_path


def af(folder: Path, *arguments: str) -> Ended:
    return actorflow(*arguments, cwd=folder)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_run_has_one_writer_and_any_number_of_readers_until_it_is_killed(folder: Path, backend: str) -> None:
    with going("run", "held.py", "--backend", backend, cwd=folder) as run:
        run_id = run.until("run_started")["run_id"]
        (folder / "pipe").read_text()

        taken = af(folder, "resume", run_id)
        salvaged = af(folder, "resume", run_id, "--accept-loss")
        verified = af(folder, "store", "verify", run_id)
        shown = af(folder, "show", run_id, "--json").answer
        beside = af(folder, "run", "quick.py", "--backend", backend)
        listed = {one["dag"]: one["status"] for one in af(folder, "runs", "--json").answer["runs"]}
        run.process.kill()
        run.process.wait()

    assert (taken.code, taken.out) == (0, f"run {run_id} is running\n")
    assert salvaged.code == 2
    assert f"store in use by pid {run.process.pid}" in salvaged.err
    assert (verified.code, shown["status"]) == (0, "running")
    assert (beside.code, beside.out) == (0, "1\n")
    assert listed == {"main": "running", "quick": "succeeded"}
    goes_on_from(folder, run_id, backend)


def goes_on_from(folder: Path, run_id: str, backend: str) -> None:
    """What the dead owner left, its lock file with the number of a living process in it, holds up nobody."""
    (lock,) = (folder / ".actorflow").rglob("*.lock")
    lock.write_text(str(os.getpid()))

    assert af(folder, "show", run_id, "--json").answer["status"] == "interrupted"
    with going("resume", run_id, "--backend", backend, cwd=folder) as resumed:
        (folder / "pipe").read_text()
        (folder / "gate").write_text("go")
        done = resumed.end()

    assert done.code == 0, done.err
    assert resumed.seen[-1]["result"] == 2
    started = [(one["task"], one["attempt"]) for one in resumed.seen if one["type"] == "attempt_started"]
    assert started == [("held", 2)]
