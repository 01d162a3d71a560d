"""Signals, sent for real, at moments that the event stream tells: never a sleep."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.cli import dags
from tests.cli.shell import DEADLINE_S, actorflow, going, is_alive
from tests.faults.leaks import leak_audit as leak_audit

pytestmark = pytest.mark.usefixtures("leak_audit")

LOADS_FOR_EVER = "import threading\nopen('pipe', 'w').close()\nthreading.Event().wait()\n"


def write(folder: Path, text: str) -> str:
    (folder / "etl.py").write_text(text)
    return "etl.py"


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 143)])
def test_a_signal_cancels_the_run_and_then_ends_the_command(
    tmp_path: Path, number: signal.Signals, code: int, backend: str
) -> None:
    with going("run", write(tmp_path, dags.WAITING), "--backend", backend, cwd=tmp_path) as run:
        for index in range(3):
            run.until("attempt_started", map_index=index)
        run.process.send_signal(number)
        done = run.end()

    last = run.seen[-1]
    states = [(event["task"], event["map_index"], event["state"]) for event in run.seen if "state" in event]
    assert done.code == code
    assert (last["type"], last["status"]) == ("run_finished", "cancelled")
    assert sorted(states, key=str) == [("after", None, "cancelled"), *[("wait", n, "cancelled") for n in range(3)]]
    assert "stopping" in done.err
    assert actorflow("show", "@last", "--json", cwd=tmp_path).answer["status"] == "cancelled"


def test_a_quit_kills_what_runs_at_once(tmp_path: Path) -> None:
    pipe = pipe_of(tmp_path)
    with going("run", write(tmp_path, dags.WORKER), "--grace", "1h", cwd=tmp_path) as run:
        pid = int(pipe.read_text())
        run.process.send_signal(signal.SIGQUIT)
        done = run.end()

    assert done.code == 130
    assert not is_alive(pid)
    assert run.seen[-1]["status"] == "cancelled"


def test_a_reader_of_stdout_that_goes_away_does_not_end_the_run(tmp_path: Path) -> None:
    pipe = pipe_of(tmp_path)
    with going("run", write(tmp_path, dags.WORKER), cwd=tmp_path) as run:
        assert run.process.stdout is not None
        run.process.stdout.close()
        pid = int(pipe.read_text())
        run.process.send_signal(signal.SIGINT)
        code = run.process.wait(DEADLINE_S)

    assert code == 130
    assert not is_alive(pid)
    assert actorflow("show", "@last", "--json", cwd=tmp_path).answer["status"] == "cancelled"


def pipe_of(folder: Path) -> Path:
    """A pipe through which the user's code tells the test where it is."""
    pipe = folder / "pipe"
    os.mkfifo(pipe)
    return pipe


def test_after_a_second_ctrl_c_no_child_is_left(tmp_path: Path) -> None:
    pipe = pipe_of(tmp_path)
    with going("run", write(tmp_path, dags.WORKER), cwd=tmp_path) as run:
        run.until("attempt_started", task="work")
        pid = int(pipe.read_text())
        assert is_alive(pid)
        run.process.send_signal(signal.SIGINT)
        run.until("run_cancelling")
        run.process.send_signal(signal.SIGINT)
        done = run.end()

    assert done.code == 130
    assert not is_alive(pid)
    assert "killing what still runs" in done.err
    assert "did not end by itself" not in done.err
    assert [event["status"] for event in run.seen if event["type"] == "run_finished"] == ["cancelled"]


def test_a_task_that_will_not_be_cancelled_is_left_behind_by_the_second_ctrl_c(tmp_path: Path) -> None:
    with going("run", write(tmp_path, dags.STUBBORN), cwd=tmp_path) as run:
        run.until("attempt_started", task="wait")
        run.process.send_signal(signal.SIGINT)
        run.until("run_cancelling")
        run.process.send_signal(signal.SIGINT)

        assert run.end().code == 130


def test_a_task_that_blocks_the_loop_cannot_keep_the_command_from_ending(tmp_path: Path) -> None:
    pipe = pipe_of(tmp_path)
    with going("run", write(tmp_path, dags.BLOCKING), cwd=tmp_path) as run:
        assert pipe.read_text() == "blocking"
        run.process.send_signal(signal.SIGINT)
        run.process.send_signal(signal.SIGTERM)
        done = run.end()

    assert done.code in (130, 143)
    assert "the run did not end by itself" in done.err
    assert actorflow("runs", "--json", cwd=tmp_path).answer["runs"][0]["status"] == "interrupted"


def test_ctrl_c_while_the_file_loads_ends_at_once_and_nothing_ran(tmp_path: Path) -> None:
    pipe = pipe_of(tmp_path)
    file = write(tmp_path, LOADS_FOR_EVER)
    with going("run", file, cwd=tmp_path) as run:
        pipe.read_text()
        run.process.send_signal(signal.SIGINT)
        code = run.process.wait(DEADLINE_S)

    assert code == 130
    assert not (tmp_path / ".actorflow").exists()


def test_sigterm_while_the_file_loads_has_its_own_exit_code(tmp_path: Path) -> None:
    pipe = pipe_of(tmp_path)
    file = write(tmp_path, LOADS_FOR_EVER)
    with going("run", file, cwd=tmp_path) as run:
        pipe.read_text()
        run.process.send_signal(signal.SIGTERM)
        code = run.process.wait(DEADLINE_S)

    assert code == 143


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_cancelled_thread_is_abandoned_and_the_command_still_ends(tmp_path: Path, backend: str) -> None:
    pipe = pipe_of(tmp_path)
    with going("run", write(tmp_path, dags.THREAD), "--backend", backend, cwd=tmp_path) as run:
        assert pipe.read_text() == "blocking"
        run.process.send_signal(signal.SIGINT)
        done = run.end()

    assert done.code == 130
    assert "did not end by itself" not in done.err
    assert run.seen[-1]["type"] == "run_finished"


def test_an_inline_task_that_blocks_is_left_by_the_second_ctrl_c(tmp_path: Path) -> None:
    pipe = pipe_of(tmp_path)
    with going("run", write(tmp_path, dags.INLINE), "--executor", "inline", cwd=tmp_path) as run:
        assert pipe.read_text() == "blocking"
        run.process.send_signal(signal.SIGINT)
        run.process.send_signal(signal.SIGINT)

        assert run.end().code == 130
