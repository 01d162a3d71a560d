"""`actorflow logs`, and the output of tasks in `actorflow run`, with real commands and real processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.shell import DEADLINE_S, Ended, actorflow, environment

ETL = """
import ctypes, logging, os, sys
from actorflow import Retry, dag, task

@task
def days() -> list[int]:
    print("two days")
    return [1, 2]

@task(retry=Retry(attempts=2, base="1ms"))
def clean(day: int) -> int:
    print(f"cleaning {day}")
    os.write(2, b"\\x1b[2Jraw to stderr\\n")
    logging.getLogger("shop").warning("day %d is late", day, extra={"day": day})
    if day == 2:
        raise ValueError("bad day")
    return day

@dag
def etl() -> list[int]:
    return clean.map(days())

@task
async def in_loop() -> int:
    print("from the loop")
    return 1

@task
def crashes() -> None:
    print("about to crash")
    sys.stdout.flush()
    ctypes.string_at(0)

@dag
def loop() -> int:
    return in_loop()

@dag
def crash() -> None:
    return crashes()
"""

SILENT = """
from actorflow import dag, task

@task
async def quiet() -> int:
    return 1

@dag
def silent() -> int:
    return quiet()
"""

WAITING = """
import sys
from actorflow import dag, task

@task
def talk(path: str) -> None:
    print("before", flush=True)
    with open(path) as pipe:
        for line in pipe:
            print(line.strip(), flush=True)

@dag
def waiting(path: str) -> None:
    return talk(path)
"""


def logs(folder: Path, *arguments: str) -> list[Any]:
    done = actorflow("logs", "@last", "--json", *arguments, cwd=folder)
    assert done.code == 0, done.err
    return [json.loads(line) for line in done.out.splitlines()]


def lines(records: list[Any]) -> list[str]:
    return [line for record in records for line in record.get("lines", ())]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("logs")
    (found / "etl.py").write_text(ETL)
    return found


@pytest.fixture(scope="module")
def etl(folder: Path) -> Ended:
    return actorflow("run", "etl.py:etl", "--workers", "2", cwd=folder)


def test_plain_lines_carry_what_tasks_print_and_stdout_the_result_only(etl: Ended) -> None:
    assert etl.code == 1
    assert etl.out == ""
    assert "days | two days\n" in etl.err
    assert "clean[0] | cleaning 1\n" in etl.err
    assert "clean[0] | raw to stderr\n" in etl.err
    assert "clean[0] | WARNING shop: day 1 is late\n" in etl.err
    assert "\x1b" not in etl.err


def test_a_failure_ends_with_what_its_attempt_printed_last(etl: Ended) -> None:
    _, _, report = etl.err.partition("FAILED clean[1]")

    assert "  it last printed\n  clean[1] | cleaning 2\n" in report
    assert "logs    actorflow logs " in report


def test_logs_filters_by_task_index_attempt_stream_and_level(folder: Path, etl: Ended) -> None:
    assert sorted(lines(logs(folder, "--stream", "out"))) == ["cleaning 1", "cleaning 2", "cleaning 2", "two days"]
    assert lines(logs(folder, "--task", "days")) == ["two days"]
    assert lines(logs(folder, "--map-index", "1", "--attempt", "2", "--stream", "out")) == ["cleaning 2"]
    assert lines(logs(folder, "--task", "clean", "--map-index", "0", "--level", "info")) == ["day 1 is late"]
    assert logs(folder, "--level", "error") == []
    assert lines(logs(folder, "--since", "1h", "--task", "days")) == ["two days"]


def test_json_keeps_what_was_printed_level_name_and_extras(folder: Path, etl: Ended) -> None:
    (printed,) = logs(folder, "--map-index", "0", "--stream", "err")
    (logged,) = logs(folder, "--map-index", "0", "--stream", "log")

    assert printed["lines"] == ["\x1b[2Jraw to stderr"]
    assert (printed["v"], printed["task"], printed["map_index"], printed["attempt"]) == (1, "clean", 0, 1)
    assert (logged["level"], logged["logger"], logged["extra"]) == ("WARNING", "shop", {"day": 1})


def test_text_is_neutral_and_raw_is_as_printed(folder: Path, etl: Ended) -> None:
    text = actorflow("logs", "@last", "--map-index", "0", "--stream", "err", cwd=folder)
    raw = actorflow("logs", "@last", "--map-index", "0", "--stream", "err", "--raw", cwd=folder)

    assert text.out.endswith(" clean[0] | raw to stderr\n")
    assert raw.out == "\x1b[2Jraw to stderr\n"


def test_nothing_that_matches_is_said_and_an_unknown_run_refused(folder: Path, etl: Ended) -> None:
    nothing = actorflow("logs", "@last", "--task", "clean", "--attempt", "9", cwd=folder)
    unknown = actorflow("logs", "2020", cwd=folder)

    assert (nothing.code, nothing.out) == (0, "")
    assert "nothing printed that is asked for" in nothing.err
    assert unknown.code == 2


@pytest.mark.parametrize(
    ("name", "help"),
    [
        ("claen", "did you mean `clean`?"),
        ("nobody", "known: days, clean"),
        ("clean[1]", "an instance of a mapped step is asked for by --task clean --map-index 1"),
    ],
)
@pytest.mark.parametrize("follow", [(), ("-f",)], ids=["read", "follow"])
def test_a_task_that_the_run_does_not_have_is_refused(
    name: str, help: str, follow: tuple[str, ...], folder: Path, etl: Ended
) -> None:
    run_id = actorflow("runs", "--dag", "etl", "--json", cwd=folder).answer["runs"][0]["run_id"]

    refused = actorflow("logs", run_id, *follow, "--task", name, cwd=folder)

    assert (refused.code, refused.out) == (2, "")
    assert f"run {run_id} has no step `{name}`\n  help: {help}" in refused.err


def test_following_a_run_that_is_over_says_where_nothing_was_printed(tmp_path: Path) -> None:
    (tmp_path / "silent.py").write_text(SILENT)
    actorflow("run", "silent.py", cwd=tmp_path)

    done = actorflow("logs", "@last", "-f", cwd=tmp_path)

    assert (done.code, done.out) == (0, "")
    assert "nothing printed that is asked for" in done.err
    assert "interrupted" not in done.err


def test_show_names_the_command(folder: Path, etl: Ended) -> None:
    shown = actorflow("show", "@last", cwd=folder)

    assert "it last printed" in shown.out
    assert "logs    actorflow logs " in shown.out


def test_quiet_and_json_hide_what_tasks_print_but_keep_it(folder: Path) -> None:
    quiet = actorflow("run", "etl.py:loop", "-q", cwd=folder)
    assert "from the loop" not in quiet.err
    assert lines(logs(folder)) == ["from the loop"]

    as_json = actorflow("run", "etl.py:loop", "--json", cwd=folder)
    assert (as_json.code, as_json.err) == (0, "")
    assert lines(logs(folder)) == ["from the loop"]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_task_on_the_loop_is_told_apart(folder: Path, backend: str) -> None:
    done = actorflow("run", "etl.py:loop", "--backend", backend, cwd=folder)

    assert done.out == "1\n"
    assert "in_loop | from the loop\n" in done.err


def test_a_worker_that_crashes_is_reported_with_its_last_words(folder: Path) -> None:
    done = actorflow("run", "etl.py:crash", cwd=folder)

    assert done.code == 1
    assert "signal 11 (SIGSEGV)" in done.err
    assert "it last wrote:" in done.err
    assert "about to crash" in lines(logs(folder, "--task", "crashes", "--stream", "out"))


class Following:
    """A run that waits for what is written to its named pipe, and a `logs -f` on it."""

    def __init__(self, folder: Path) -> None:
        (folder / "waiting.py").write_text(WAITING)
        self.pipe = folder / "pipe"
        os.mkfifo(self.pipe)
        self.folder = folder
        self.run = self.start("run", "waiting.py", "-p", f"path={self.pipe}")

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "actorflow", *arguments],
            cwd=self.folder,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@pytest.fixture
def following(tmp_path: Path) -> Iterator[Following]:
    made = Following(tmp_path)
    yield made
    made.run.kill()
    made.run.communicate()


def until(stream: Any, text: str) -> None:
    for line in stream:
        if text in line:
            return
    raise AssertionError(f"the stream ended without {text!r}")


@pytest.mark.parametrize("how", ["ends", "is killed"])
def test_following_shows_lines_as_they_come_and_ends_with_the_run(following: Following, how: str) -> None:
    with open(following.pipe, "w", buffering=1) as pipe:
        until(following.run.stderr, "talk | before")
        with following.start("logs", "@last", "-f", "--raw") as logs:
            until(logs.stdout, "before")
            for number in range(20):
                pipe.write(f"line {number}\n")
                until(logs.stdout, f"line {number}")

            if how == "is killed":
                following.run.send_signal(signal.SIGKILL)
            else:
                pipe.write("the last\n")
                pipe.close()
            rest, errors = logs.communicate(timeout=DEADLINE_S)

    assert rest == ("" if how == "is killed" else "the last\n")
    assert ("was interrupted: its process is gone, nothing more comes" in errors) == (how == "is killed")
    assert logs.returncode == 0


def test_ctrl_c_ends_following_and_leaves_the_run_alone(following: Following) -> None:
    with open(following.pipe, "w", buffering=1) as pipe:
        until(following.run.stderr, "talk | before")
        with following.start("logs", "@last", "-f") as logs:
            until(logs.stdout, "before")
            logs.send_signal(signal.SIGINT)
            logs.communicate(timeout=DEADLINE_S)
        pipe.write("goes on\n")

        until(following.run.stderr, "talk | goes on")

    assert logs.returncode == 130
    assert following.run.wait(DEADLINE_S) == 0
