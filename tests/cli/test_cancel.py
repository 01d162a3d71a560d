"""Cancel, pause and resume from another terminal: answered once they hold, durable, and nothing starts afterwards."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.cli.shell import actorflow, going, is_alive
from tests.faults.leaks import leak_audit as leak_audit

pytestmark = pytest.mark.usefixtures("leak_audit")

# Each task writes a line when its body begins; the first ones then hold until they are ended.
HOLDING = """
import os, threading
from actorflow import dag, task

@task
def hold(n: int) -> int:
    with open("begun", "a") as begun:
        begun.write(f"{os.getpid()}\\n")
    with open("pipe", "w") as pipe:
        pipe.write("begun")
    threading.Event().wait()
    return n

@task
def after(n: list[int]) -> None:
    return None

@dag
def many() -> None:
    return after(hold.map(range(40)))
"""

STUBBORN = """
import os, signal, threading
from actorflow import dag, task

@task
def stubborn() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with open("pipe", "w") as pipe:
        pipe.write(str(os.getpid()))
    while True:
        threading.Event().wait(1)

@dag
def one() -> None:
    return stubborn()
"""

# The first half ends when the test lets it; so the run can be paused in between.
HALVES = """
from actorflow import dag, task

@task
def first() -> str:
    with open("pipe", "w") as pipe:
        pipe.write("begun")
    return open("go").read()

@task
def second(text: str) -> str:
    return text + " and on"

@dag
def halves() -> str:
    return second(first())
"""

ONCE = """
from actorflow import Retry, dag, task, task_context
import threading

@task(retry=Retry(attempts=1))
def once() -> int:
    with open("pipe", "w") as pipe:
        pipe.write("begun")
    if task_context().attempt == 1:
        threading.Event().wait()
    return task_context().attempt

@dag
def taken_back() -> int:
    return once()
"""


def prepared(folder: Path, text: str) -> str:
    (folder / "etl.py").write_text(text)
    os.mkfifo(folder / "pipe")
    return "etl.py"


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_cancel_ends_all_of_a_run_and_nothing_starts_after_its_answer(tmp_path: Path, backend: str) -> None:
    file = prepared(tmp_path, HOLDING)
    with going("run", file, "--workers", "2", "--backend", backend, cwd=tmp_path) as run:
        with (tmp_path / "pipe").open() as pipe:
            assert pipe.read().startswith("begun")
        while (tmp_path / "begun").read_text().count("\n") < 2:
            (tmp_path / "pipe").read_text()
        run_id = run.until("run_started")["run_id"]

        answer = actorflow("cancel", run_id[:-2], "--no-wait", "--json", cwd=tmp_path)
        begun = (tmp_path / "begun").read_text()
        done = run.end()

    assert answer.code == 0
    assert answer.answer["status"] in ("cancelling", "cancelled")
    assert begun.count("\n") == 2
    assert (tmp_path / "begun").read_text() == begun
    assert done.code == 1
    assert not any(is_alive(int(pid)) for pid in begun.split())
    kinds = [event["type"] for event in run.seen]
    assert "attempt_started" not in kinds[kinds.index("run_cancelling") :]
    assert run.seen[-1]["status"] == "cancelled"
    reason = next(event["reason"] for event in run.seen if event["type"] == "run_cancelling")
    assert reason.startswith("`actorflow cancel` (process ")


def test_a_cancel_waits_for_the_end_and_can_be_repeated(tmp_path: Path) -> None:
    with going("run", prepared(tmp_path, HOLDING), "--workers", "1", cwd=tmp_path) as run:
        (tmp_path / "pipe").read_text()

        first = actorflow("cancel", "@last", cwd=tmp_path)
        second = actorflow("cancel", "@last", cwd=tmp_path)
        shown = actorflow("show", "@last", "--json", cwd=tmp_path)
        run.end()

    assert (first.code, second.code) == (0, 0)
    assert first.out.endswith("is cancelled\n")
    assert shown.answer["status"] == "cancelled"


def test_a_cancel_with_now_kills_what_would_not_end(tmp_path: Path) -> None:
    with going("run", prepared(tmp_path, STUBBORN), "--grace", "1h", cwd=tmp_path) as run:
        pid = int((tmp_path / "pipe").read_text())

        done = actorflow("cancel", "@last", "--now", cwd=tmp_path)
        run.end()

    assert done.code == 0
    assert not is_alive(pid)


def test_a_cancel_with_a_grace_kills_what_has_not_ended_by_then(tmp_path: Path) -> None:
    with going("run", prepared(tmp_path, STUBBORN), "--grace", "1h", cwd=tmp_path) as run:
        pid = int((tmp_path / "pipe").read_text())

        done = actorflow("cancel", "@last", "--grace", "100ms", cwd=tmp_path)
        run.end()

    assert done.code == 0
    assert not is_alive(pid)


def test_a_run_whose_owner_was_killed_is_said_to_be_interrupted(tmp_path: Path) -> None:
    with going("run", prepared(tmp_path, HOLDING), "--workers", "1", cwd=tmp_path) as run:
        (tmp_path / "pipe").read_text()
        run.process.send_signal(signal.SIGKILL)
        run.process.wait()

    for command in ("cancel", "pause"):
        done = actorflow(command, "@last", cwd=tmp_path)
        assert done.code == 1
        assert "was interrupted: the process that ran it is gone" in done.err
        assert "help: `actorflow show" in done.err


def test_a_run_that_is_over_cannot_be_cancelled_any_more(tmp_path: Path) -> None:
    (tmp_path / "etl.py").write_text("from actorflow import dag\n\n@dag\ndef empty() -> None:\n    return None\n")
    actorflow("run", "etl.py", cwd=tmp_path)

    done = actorflow("cancel", "@last", cwd=tmp_path)

    assert done.code == 1
    assert "is over: it has succeeded" in done.err


def test_a_run_that_there_is_not_is_a_usage_error(tmp_path: Path) -> None:
    assert actorflow("cancel", "20990101", cwd=tmp_path).code == 2


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_paused_run_starts_nothing_until_it_is_resumed(tmp_path: Path, backend: str) -> None:
    file = prepared(tmp_path, HALVES)
    os.mkfifo(tmp_path / "go")
    with going("run", file, "--backend", backend, cwd=tmp_path) as run:
        (tmp_path / "pipe").read_text()

        paused = actorflow("pause", "@last", "--json", cwd=tmp_path)
        (tmp_path / "go").write_text("go")
        run.until("run_paused")
        listed = actorflow("runs", "--json", cwd=tmp_path).answer["runs"][0]["status"]
        resumed = actorflow("resume", "@last", "--json", cwd=tmp_path)
        done = run.end()

    kinds = [(event["type"], event.get("task")) for event in run.seen]
    assert (paused.code, paused.answer["status"]) == (0, "pausing")
    assert (resumed.code, resumed.answer["status"]) == (0, "running")
    assert listed == "paused"
    assert kinds.index(("attempt_started", "second")) > kinds.index(("run_resumed", None))
    assert done.code == 0
    assert run.seen[-1]["result"] == "go and on"


def test_what_a_pause_takes_back_runs_again_and_spends_no_retry(tmp_path: Path) -> None:
    with going("run", prepared(tmp_path, ONCE), cwd=tmp_path) as run:
        (tmp_path / "pipe").read_text()
        actorflow("pause", "@last", "--now", cwd=tmp_path)
        run.until("run_paused")
        actorflow("resume", "@last", cwd=tmp_path)
        (tmp_path / "pipe").read_text()
        done = run.end()

    assert done.code == 0
    assert run.seen[-1]["result"] == 2


def test_a_paused_run_can_be_cancelled(tmp_path: Path) -> None:
    with going("run", prepared(tmp_path, ONCE), cwd=tmp_path) as run:
        (tmp_path / "pipe").read_text()
        actorflow("pause", "@last", "--now", cwd=tmp_path)
        run.until("run_paused")
        done = actorflow("cancel", "@last", cwd=tmp_path)
        run.end()

    assert done.code == 0
    assert run.seen[-1]["status"] == "cancelled"
