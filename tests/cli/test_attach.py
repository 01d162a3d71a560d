"""`actorflow attach`: another terminal sees a run as the one that started it does, from any event on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from actorflow.runs.store import SqliteStore
from tests.cli.shell import Going, actorflow, environment, going
from tests.cli.test_resume import HELD


@pytest.fixture
def held(tmp_path: Path) -> Path:
    (tmp_path / "held.py").write_text(HELD)
    os.mkfifo(tmp_path / "pipe")
    os.mkfifo(tmp_path / "gate")
    return tmp_path


def begun(folder: Path, run: Going) -> None:
    """Its second task holds."""
    run.until("attempt_started", task="held")
    (folder / "pipe").read_text()


def test_what_is_on_disk_comes_first_then_what_happens_until_the_end(held: Path) -> None:
    with going("run", "held.py", cwd=held) as run:
        begun(held, run)
        with going("attach", "@last", cwd=held) as attached:
            attached.until("attempt_started", task="held")
            (held / "gate").write_text("go")
            code = attached.end().code
        assert run.end().code == 0

    assert code == 0
    assert attached.seen == run.seen
    assert attached.seen[-1]["result"] == 3


def test_it_begins_with_any_event(held: Path) -> None:
    with going("run", "held.py", cwd=held) as run:
        begun(held, run)
        first = run.seen[-1]["seq"]
        with going("attach", "@last", "--from", str(first), cwd=held) as attached:
            attached.until("attempt_started", task="held")
            (held / "gate").write_text("go")
            attached.end()
        run.end()

    assert [event["seq"] for event in attached.seen] == list(range(first, run.seen[-1]["seq"] + 1))


def test_ctrl_c_leaves_the_run_alone(held: Path) -> None:
    with going("run", "held.py", cwd=held) as run:
        begun(held, run)
        with going("attach", "@last", cwd=held) as attached:
            attached.until("attempt_started", task="held")
            attached.process.send_signal(signal.SIGINT)
            left = attached.end()
        (held / "gate").write_text("go")
        ended = run.end()

    assert left.code == 130
    assert "goes on without you" in left.err
    assert (ended.code, run.seen[-1]["result"]) == (0, 3)


def test_of_a_run_that_is_over_it_tells_the_same_as_the_run_did(held: Path) -> None:
    (held / "held.py").write_text(HELD.replace("    with open", "    return n\n    with open", 1))
    ran = actorflow("run", "held.py", cwd=held)

    told = actorflow("attach", "@last", cwd=held)

    assert (told.code, told.out) == (ran.code, ran.out) == (0, "2\n")
    assert [line for line in told.err.splitlines() if line.startswith("run ")] == [
        line for line in ran.err.splitlines() if line.startswith("run ")
    ]


def test_a_run_whose_owner_is_killed_ends_as_interrupted(held: Path) -> None:
    with going("run", "held.py", cwd=held) as run:
        begun(held, run)
        with going("attach", "@last", cwd=held) as attached:
            attached.until("attempt_started", task="held")
            run.process.kill()
            run.process.wait()
            code = attached.end().code

    assert code == 1
    events = [json.dumps(event) for event in attached.seen]
    assert len(events) == len(list(SqliteStore(held / ".actorflow").open_run("@last").records()))


PRINTS = """
from actorflow import dag, task

@task
def prints(path: str) -> None:
    with open(path) as pipe:
        for line in pipe:
            print(line.strip(), flush=True)

@dag
def printing(path: str) -> None:
    return prints(path)
"""


def test_what_tasks_print_is_seen_as_it_comes(tmp_path: Path) -> None:
    """No event is recorded between the lines, so only the news of the output can have brought them."""
    (tmp_path / "printing.py").write_text(PRINTS)
    os.mkfifo(tmp_path / "pipe")
    with going("run", "printing.py", "-p", "path=pipe", cwd=tmp_path) as run:
        with open(tmp_path / "pipe", "w", buffering=1) as pipe:
            run.until("attempt_started")
            attached = subprocess.Popen(
                [sys.executable, "-m", "actorflow", "attach", "@last"],
                cwd=tmp_path,
                env=environment(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
            with attached:
                assert attached.stderr is not None
                for number in range(5):
                    pipe.write(f"line {number}\n")
                    seen = next(line for line in attached.stderr if "| line" in line)
                    assert seen == f"prints | line {number}\n"
                pipe.close()
        assert run.end().code == 0

    assert attached.returncode == 0
