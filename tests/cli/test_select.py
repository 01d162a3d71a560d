"""Choosing what runs, and what a first failure ends, from the command line; cleanups in real processes."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.cli import shell
from tests.cli.shell import going

FLOW = """
import os
from actorflow import dag, task

def tell(name):
    with open("effects", "a") as effects:
        effects.write(name + "\\n")

@task
async def load() -> int:
    tell("load")
    return 1

@task
async def bad(n: int) -> int:
    tell("bad")
    if not os.path.exists("mended"):
        raise ValueError("no")
    return n

@task
async def slow(n: int) -> int:
    tell("slow")
    return n

@task
async def report(n: int, m: int) -> int:
    tell("report")
    return n + m

@task(cleanup=True)
async def tidy() -> None:
    tell("tidy")

@dag
def etl() -> int:
    n = load()
    a = bad(n)
    b = slow(n)
    total = report(a, b)
    tidy.options(after=[total])()
    return total
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "etl.py").write_text(FLOW)
    return tmp_path


def af(folder: Path, *arguments: str) -> shell.Ended:
    return shell.actorflow(*arguments, cwd=folder)


def effects(folder: Path) -> list[str]:
    path = folder / "effects"
    return path.read_text().splitlines() if path.exists() else []


def test_only_the_selected_steps_run_and_the_result_is_empty(folder: Path) -> None:
    ended = af(folder, "run", "etl.py", "--select", "+slow")

    assert (ended.code, ended.out) == (0, "null\n")
    assert effects(folder) == ["load", "slow"]


def test_a_resume_leaves_out_what_its_run_left_out(folder: Path) -> None:
    assert af(folder, "run", "etl.py", "--exclude", "slow+").code == 1
    (folder / "mended").touch()

    ended = af(folder, "resume", "@last", "--json")

    assert ended.events[-1]["status"] == "succeeded"
    assert effects(folder) == ["load", "bad", "bad"]
    assert {one["task"] for one in ended.events if one.get("cause") == "selected_out"} >= {"slow", "report", "tidy"}


def test_the_plan_shows_what_is_left_out_and_what_is_skipped_for_want_of_it(folder: Path) -> None:
    ended = af(folder, "plan", "etl.py", "--exclude", "bad")

    assert "left out" in next(line for line in ended.out.splitlines() if line.startswith("  bad"))
    assert "note: skipped for want of what is left out: report" in ended.out
    steps = af(folder, "plan", "etl.py", "--exclude", "bad", "--json").answer["steps"]
    assert [step["name"] for step in steps if not step["selected"]] == ["bad"]


def test_a_name_that_fits_nothing_is_refused_before_anything_runs(folder: Path) -> None:
    ended = af(folder, "run", "etl.py", "--select", "+raport")

    assert ended.code == 2
    assert "AF049" in ended.err
    assert "did you mean `report`?" in ended.err
    assert effects(folder) == []


FAST = """
from actorflow import dag, task

@task
async def bad() -> int:
    raise ValueError("no")

@task(trigger_rule="all_done")
async def after_it(n: int) -> int:
    return 1

@task(cleanup=True)
async def tidy() -> None:
    with open("effects", "a") as effects:
        effects.write("tidy\\n")

@dag(fail_fast=FAIL_FAST)
def main() -> int:
    n = after_it(bad())
    tidy.options(after=[n])()
    return n
"""


@pytest.mark.parametrize(
    ("said", "flags", "is_fast"),
    [
        (False, [], False),
        (True, [], True),
        (False, ["--fail-fast"], True),
        (True, ["--keep-going"], False),
    ],
)
def test_the_first_failure_ends_the_run_only_where_that_is_asked_for(
    tmp_path: Path, said: bool, flags: list[str], is_fast: bool
) -> None:
    (tmp_path / "fast.py").write_text(FAST.replace("FAIL_FAST", str(said)))

    events = af(tmp_path, "run", "fast.py", "--json", *flags).events

    assert events[-1]["status"] == ("failed" if is_fast else "succeeded")
    reasons = [event["reason"] for event in events if event["type"] == "run_cancelling"]
    assert reasons == (["fail-fast, since bad failed"] if is_fast else [])
    ran = {event["task"] for event in events if event["type"] == "attempt_finished"}
    assert ran == ({"bad", "tidy"} if is_fast else {"bad", "after_it", "tidy"})
    assert effects(tmp_path) == ["tidy"]


# -- cleanups in real processes ---------------------------------------------------------------------------------------

HELD = """
import threading
from actorflow import dag, task

@task
def work() -> int:
    with open("pipe", "w") as pipe:
        pipe.write("begun")
    threading.Event().wait()
    return 1

@task(cleanup=True)
def tidy() -> None:
    with open("tidied", "a") as tidied:
        tidied.write("once\\n")

@dag
def main() -> int:
    n = work()
    tidy.options(after=[n])()
    return n
"""


@pytest.fixture
def held(tmp_path: Path) -> Path:
    (tmp_path / "held.py").write_text(HELD)
    os.mkfifo(tmp_path / "pipe")
    return tmp_path


def test_after_ctrl_c_the_cleanup_runs_once_and_the_run_is_cancelled(held: Path) -> None:
    with going("run", "held.py", cwd=held) as run:
        (held / "pipe").read_text()
        run.process.send_signal(signal.SIGINT)
        ended = run.end()

    assert ended.code == 130
    assert run.seen[-1]["status"] == "cancelled"
    assert (held / "tidied").read_text() == "once\n"


def test_after_a_kill_the_cleanup_runs_once_when_the_run_is_resumed(held: Path) -> None:
    with going("run", "held.py", cwd=held) as run:
        (held / "pipe").read_text()
        run.process.kill()
        run.process.wait()
    assert not (held / "tidied").exists()
    (held / "held.py").write_text(HELD.replace("    threading.Event().wait()\n", ""))

    with going("resume", "@last", cwd=held) as resumed:
        (held / "pipe").read_text()
        assert resumed.end().code == 0

    assert (held / "tidied").read_text() == "once\n"
    assert af(held, "resume", "@last").code == 0
    assert (held / "tidied").read_text() == "once\n"
