"""`events` and `wait`: what happened in a run and what goes on happening, and its end as an exit code."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli import dags
from tests.cli.shell import actorflow, environment, going


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run that succeeded and, after it, one that failed."""
    found = tmp_path_factory.mktemp("stored")
    (found / "add.py").write_text(dags.ADD)
    (found / "etl.py").write_text(dags.FAILING)
    assert actorflow("run", "add.py", "-p", "n=2", cwd=found).code == 0
    assert actorflow("run", "etl.py", cwd=found).code == 1
    return found


def ids(folder: Path) -> list[str]:
    """Oldest first."""
    return [run["run_id"] for run in actorflow("runs", "--json", cwd=folder).answer["runs"]][::-1]


# -- events -----------------------------------------------------------------------------------------------------------


def test_events_are_those_that_run_printed(tmp_path: Path) -> None:
    (tmp_path / "add.py").write_text(dags.ADD)
    printed = actorflow("run", "add.py", "-p", "n=2", "--json", cwd=tmp_path).events

    assert actorflow("events", "@last", "--json", cwd=tmp_path).events == printed


def test_events_begin_where_they_are_told_and_of_the_types_they_are_told(folder: Path) -> None:
    every = actorflow("events", "@last", "--json", cwd=folder).events
    some = actorflow("events", "@last", "--json", "--from", "3", "--type", "attempt_finished", cwd=folder).events

    assert some == [event for event in every[2:] if event["type"] == "attempt_finished"]
    assert some
    assert actorflow("events", "@last", "--from", "999999", cwd=folder).out == ""


def test_an_event_is_a_line_with_what_it_is_about(folder: Path) -> None:
    lines = actorflow("events", "@last", cwd=folder).out.splitlines()

    assert "run_started" in lines[0]
    failed = next(line for line in lines if "attempt_finished" in line and "state=failed" in line)
    assert "clean[2]" in failed
    assert "ValueError" in failed
    assert lines[-1].split()[2] == "run_finished"


def test_a_type_that_there_is_not_is_refused_with_those_there_are(folder: Path) -> None:
    done = actorflow("events", "@last", "--type", "started", cwd=folder)

    assert done.code == 2
    assert "run_started, task_ready" in done.err


@contextmanager
def reading(*arguments: str, cwd: Path) -> Generator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "actorflow", *arguments]
    with subprocess.Popen(command, cwd=cwd, env=environment(), stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def test_following_prints_events_as_they_come_until_the_run_ends(tmp_path: Path) -> None:
    (tmp_path / "etl.py").write_text(dags.WAITING)
    with going("run", "etl.py", cwd=tmp_path) as run:
        run.until("attempt_started", map_index=2)
        with reading("events", "@last", "-f", "--json", cwd=tmp_path) as follower:
            assert follower.stdout is not None
            first = follower.stdout.readline()  # it follows from here on
            run.process.send_signal(signal.SIGTERM)
            rest = follower.stdout.read()
            assert follower.wait() == 0
        run.end()

    assert '"run_started"' in first
    assert '"run_cancelling"' in rest
    assert '"run_finished"' in rest.splitlines()[-1]


# -- wait -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "code", "status"), [(0, 0, "succeeded"), (1, 1, "failed")])
def test_waiting_for_a_run_that_is_over_exits_as_it_did(number: int, code: int, status: str, folder: Path) -> None:
    run_id = ids(folder)[number]

    done = actorflow("wait", run_id, "--json", cwd=folder)

    assert (done.code, done.answer["run_id"], done.answer["status"]) == (code, run_id, status)


def test_waiting_ends_with_the_run(tmp_path: Path) -> None:
    (tmp_path / "etl.py").write_text(dags.WAITING)
    with going("run", "etl.py", cwd=tmp_path) as run:
        run.until("attempt_started", map_index=2)
        with reading("wait", "@last", "--json", cwd=tmp_path) as waiting:
            run.process.send_signal(signal.SIGTERM)
            out, _ = waiting.communicate()
        run.end()

    assert waiting.returncode == 1
    assert '"status": "cancelled"' in out


def test_waiting_for_a_run_that_is_killed_says_that_it_was_interrupted(tmp_path: Path) -> None:
    (tmp_path / "etl.py").write_text(dags.WAITING)
    with going("run", "etl.py", cwd=tmp_path) as run:
        run.until("attempt_started", map_index=2)
        with reading("wait", "@last", "--json", cwd=tmp_path) as waiting:
            os.kill(run.process.pid, signal.SIGKILL)
            run.process.wait()
            out, _ = waiting.communicate()

    assert waiting.returncode == 1
    assert '"status": "interrupted"' in out


def test_waiting_no_longer_than_told_says_that_the_run_goes_on(tmp_path: Path) -> None:
    (tmp_path / "etl.py").write_text(dags.WAITING)
    with going("run", "etl.py", cwd=tmp_path) as run:
        run.until("attempt_started", map_index=2)

        done = actorflow("wait", "@last", "--timeout", "0s", "--json", cwd=tmp_path)

    assert (done.code, done.answer["status"]) == (3, "running")
