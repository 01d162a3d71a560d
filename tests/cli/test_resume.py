"""`actorflow resume`: what failed, was cancelled or lost its process goes on; what is committed does not run again."""

from __future__ import annotations

import os
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import anyio
import pytest

import actorflow
from actorflow.errors import ResumeRefused, RunInUse, StructureChanged
from actorflow.runs.events import RunResumed
from actorflow.runs.states import RunStatus
from actorflow.runs.store import SqliteStore
from tests.cli import shell
from tests.cli.shell import going

# Each body leaves a line; `clean` fails for as long as there is no file `mended`.
FLOW = """
import os
from dataclasses import dataclass
from actorflow import Retry, dag, task

def tell(name):
    with open("effects", "a") as effects:
        effects.write(name + "\\n")

@task
async def rows(n: int) -> list[int]:
    tell("rows")
    return list(range(n))

@task(retry=Retry(attempts=2, backoff="fixed", base="1ms", jitter=0))
async def clean(row: int) -> int:
    tell(f"clean[{row}]")
    if row == 1 and not os.path.exists("mended"):
        raise ValueError("no")
    return row * 2

@task
def total(rows: list[int]) -> int:
    tell("total")
    return sum(rows)

@dag
def etl(n: int = 3) -> int:
    return total(clean.map(rows(n)))
"""


@pytest.fixture
def failed(tmp_path: Path) -> Path:
    """A folder with a run that has failed in one of three instances."""
    (tmp_path / "etl.py").write_text(FLOW)
    assert af(tmp_path, "run", "etl.py", "-p", "n=4").code == 1
    (tmp_path / "effects").unlink()
    return tmp_path


def af(folder: Path, *arguments: str) -> shell.Ended:
    return shell.actorflow(*arguments, cwd=folder)


def effects(folder: Path) -> list[str]:
    path = folder / "effects"
    return path.read_text().splitlines() if path.exists() else []


def test_only_what_has_no_result_runs_again(failed: Path) -> None:
    (failed / "mended").touch()

    ended = af(failed, "resume", "@last")

    assert (ended.code, ended.out) == (0, "12\n")
    assert effects(failed) == ["clean[1]", "total"]
    attempts = {task["name"]: task for task in af(failed, "show", "@last", "--json").answer["tasks"]}
    assert [one["number"] for one in attempts["total"]["attempts"]] == [1]


def test_attempts_are_counted_on_and_retries_begin_anew(failed: Path) -> None:
    ended = af(failed, "resume", "@last")

    assert ended.code == 1
    assert effects(failed) == ["clean[1]", "clean[1]"]
    shown = af(failed, "show", "@last", "--json").answer
    (clean,) = [task for task in shown["tasks"] if task["map_index"] == 1]
    assert [one["number"] for one in clean["attempts"]] == [1, 2, 3, 4]
    assert "resume  actorflow resume" in ended.err


def test_a_run_that_has_succeeded_says_so_and_nothing_runs(failed: Path) -> None:
    (failed / "mended").touch()
    af(failed, "resume", "@last")
    (failed / "effects").unlink()

    again = af(failed, "resume", "@last")

    assert (again.code, again.out) == (0, "12\n")
    assert "has succeeded already; nothing runs" in again.err
    assert effects(failed) == []


def test_the_events_go_on_after_the_last_one_recorded(failed: Path) -> None:
    (failed / "mended").touch()
    last = len(list(SqliteStore(failed / ".actorflow").open_run("@last").records()))

    events = af(failed, "resume", "@last", "--json").events

    assert [event["seq"] for event in events] == list(range(last + 1, last + 1 + len(events)))
    assert events[0]["type"] == "run_resumed"
    assert (events[0]["taken_up"], events[0]["refreshed"]) == (True, True)
    assert events[-1]["result"] == 12


def test_another_structure_is_refused_with_what_differs_and_nothing_is_written(failed: Path) -> None:
    before = list(SqliteStore(failed / ".actorflow").open_run("@last").records())
    changed = FLOW.replace("total(clean.map(rows(n)))", "total(clean.map(rows(n)), 1)")
    changed = changed.replace("def total(rows: list[int])", "def total(rows: list[int], more: int)")
    changed += "\n@task\nasync def extra() -> None:\n    return None\n"
    changed = changed.replace("    return total(", "    extra()\n    return total(")
    (failed / "etl.py").write_text(changed)

    ended = af(failed, "resume", "@last")

    assert ended.code == 2
    assert "+ step `extra` is new" in ended.err
    assert "~ step `total` has other arguments or another trigger rule" in ended.err
    assert "actorflow replay" in ended.err
    assert list(SqliteStore(failed / ".actorflow").open_run("@last").records()) == before
    assert effects(failed) == []


def test_another_body_is_allowed_and_shown(failed: Path) -> None:
    (failed / "etl.py").write_text(FLOW.replace('raise ValueError("no")', "return 100"))

    ended = af(failed, "resume", "@last")

    assert (ended.code, ended.out) == (0, "110\n")
    assert "changed since: clean" in ended.err
    records = SqliteStore(failed / ".actorflow").open_run("@last").records()
    (resumed,) = [one.event for one in records if isinstance(one.event, RunResumed)]
    assert list(resumed.sources) == ["etl:clean"]


def test_parameters_are_those_the_run_was_given(failed: Path) -> None:
    (failed / "mended").touch()
    (failed / "etl.py").write_text(FLOW.replace("n: int = 3", "n: int = 2"))

    assert af(failed, "resume", "@last").out == "12\n"


def test_it_may_go_on_elsewhere_and_from_a_file_that_has_moved(failed: Path) -> None:
    (failed / "mended").touch()
    (failed / "moved").mkdir()
    (failed / "etl.py").rename(failed / "moved" / "etl.py")
    assert "there is no file" in af(failed, "resume", "@last").err

    ended = af(failed, "resume", "@last", "--file", "moved/etl.py", "--executor", "thread", "--json")

    assert ended.events[-1]["status"] == "succeeded"
    assert [one["executor"] for one in ended.events if one["type"] == "attempt_started"] == ["async", "thread"]


def test_unattended_a_run_that_has_failed_stays_so(failed: Path) -> None:
    (failed / "mended").touch()

    ended = af(failed, "resume", "@last", "--unattended")

    assert ended.code == 1
    assert effects(failed) == []


# -- after a kill -----------------------------------------------------------------------------------------------------

# `first` ends when somebody reads the pipe a second time; `second` comes after it.
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

@task
async def last(n: int) -> int:
    return n + 1

@dag
def main() -> int:
    return last(held(ready()))
"""


@pytest.fixture
def held(tmp_path: Path) -> Path:
    (tmp_path / "held.py").write_text(HELD)
    os.mkfifo(tmp_path / "pipe")
    os.mkfifo(tmp_path / "gate")
    return tmp_path


def test_a_killed_run_is_shown_as_interrupted_and_goes_on_from_there(held: Path) -> None:
    with going("run", "held.py", cwd=held) as run:
        (held / "pipe").read_text()
        run.process.kill()
        run.process.wait()

    assert af(held, "show", "@last", "--json").answer["status"] == "interrupted"
    with going("resume", "@last", cwd=held) as resumed:
        (held / "pipe").read_text()
        (held / "gate").write_text("go")
        ended = resumed.end()

    assert ended.code == 0
    assert resumed.seen[-1]["result"] == 3
    started = [(one["task"], one["attempt"]) for one in resumed.seen if one["type"] == "attempt_started"]
    assert started == [("held", 2), ("last", 1)]


@pytest.mark.parametrize("option", ["--paused", "--unattended"])
def test_a_pause_outlives_its_process(held: Path, option: str) -> None:
    with going("run", "held.py", cwd=held) as run:
        (held / "pipe").read_text()
        assert af(held, "pause", "@last", "--now").code == 0
        run.until("run_paused")
        run.process.send_signal(signal.SIGKILL)
        run.process.wait()

    with going("resume", "@last", option, cwd=held) as resumed:
        resumed.until("run_paused")
        assert not any(event["type"] == "attempt_started" for event in resumed.seen)
        assert af(held, "resume", "@last").code == 0
        (held / "pipe").read_text()
        (held / "gate").write_text("go")
        ended = resumed.end()

    assert ended.code == 0
    assert resumed.seen[-1]["result"] == 3


def test_a_paused_run_that_was_killed_runs_when_a_person_resumes_it(held: Path) -> None:
    with going("run", "held.py", cwd=held) as run:
        (held / "pipe").read_text()
        af(held, "pause", "@last", "--now")
        run.until("run_paused")
        run.process.kill()
        run.process.wait()

    with going("resume", "@last", cwd=held) as resumed:
        (held / "pipe").read_text()
        (held / "gate").write_text("go")

        assert resumed.end().code == 0


def test_cancelled_while_it_is_paused_again_it_is_cancelled(held: Path) -> None:
    with going("run", "held.py", cwd=held) as run:
        (held / "pipe").read_text()
        run.process.kill()
        run.process.wait()

    with going("resume", "@last", "--paused", cwd=held) as resumed:
        resumed.until("run_paused")
        assert af(held, "cancel", "@last").code == 0
        assert resumed.end().code == 1

    assert resumed.seen[-1]["status"] == "cancelled"


# -- from Python ------------------------------------------------------------------------------------------------------


def test_a_program_resumes_its_own_dag(tmp_path: Path) -> None:
    calls: list[str] = []

    @actorflow.task(executor="inline")
    def first() -> int:
        calls.append("first")
        return 1

    @actorflow.task(executor="inline")
    def second(n: int) -> int:
        calls.append("second")
        if calls.count("second") == 1:
            raise ValueError("no")
        return n + 1

    @actorflow.dag
    def both() -> int:
        return second(first())

    run = actorflow.run(both, store=tmp_path)
    assert run.status is RunStatus.failed

    resumed = actorflow.resume(run.run_id, both, store=tmp_path)

    assert (resumed.value, calls) == (2, ["first", "second", "second"])
    assert actorflow.resume(run.run_id, both, store=tmp_path).value == 2


def test_a_program_is_told_why_it_may_not_resume(tmp_path: Path) -> None:
    @actorflow.task(executor="inline")
    def fails() -> int:
        raise ValueError("no")

    @actorflow.task(executor="inline")
    def other() -> int:
        return 1

    @actorflow.dag
    def one() -> int:
        return fails()

    @actorflow.dag
    def two() -> int:
        return other()

    run = actorflow.run(one, store=tmp_path)

    with pytest.raises(StructureChanged) as refusal:
        actorflow.resume(run.run_id, two, store=tmp_path)
    assert refusal.value.changes[:2] == ("- step `fails` is gone", "+ step `other` is new")

    journal = SqliteStore(tmp_path).reopen_run(run.run_id)
    try:
        with pytest.raises(RunInUse):
            actorflow.resume(run.run_id, one, store=tmp_path)
    finally:
        anyio.run(journal.close)

    empty = SqliteStore(tmp_path).create_run()
    anyio.run(empty.close)
    with pytest.raises(ResumeRefused, match="has not begun"):
        actorflow.resume(empty.run_id, one, store=tmp_path)


def test_a_damaged_journal_is_refused_and_with_accept_loss_what_is_lost_runs_again(failed: Path) -> None:
    (failed / "mended").touch()
    (journal,) = (failed / ".actorflow" / "runs").glob("*.sqlite")
    with closing(sqlite3.connect(journal)) as connection:
        connection.execute("UPDATE events SET data = x'00' WHERE seq = 6")
        connection.commit()

    refused = af(failed, "resume", "@last")
    done = af(failed, "resume", "@last", "--accept-loss")

    assert refused.code == 2
    assert "damaged at row 6: its digest does not fit its content" in refused.err
    assert f"actorflow resume {journal.stem} --accept-loss" in refused.err
    assert (done.code, done.out) == (0, "12\n")
    assert f"run {journal.stem} damaged: row 6: its digest does not fit its content\n" in done.err
    assert "goes on from 5 sound rows; lost, and run again: " in done.err
    assert f"all there was is kept in .actorflow/runs/{journal.stem}.damaged-1\n" in done.err
    assert "rows" not in (failed / "effects").read_text().splitlines()
    assert af(failed, "store", "verify", "@last").code == 0


def test_accept_loss_takes_a_sound_run_as_it_is(failed: Path) -> None:
    (failed / "mended").touch()

    done = af(failed, "resume", "@last", "--accept-loss")

    assert (done.code, done.out) == (0, "12\n")
    assert "nothing is damaged" in done.err
    assert (failed / "effects").read_text().split() == ["clean[1]", "total"]


def test_a_journal_without_a_sound_beginning_is_refused_with_accept_loss_too(failed: Path) -> None:
    (journal,) = (failed / ".actorflow" / "runs").glob("*.sqlite")
    with closing(sqlite3.connect(journal)) as connection:
        connection.execute("UPDATE events SET data = x'00' WHERE seq = 1")
        connection.commit()

    refused = af(failed, "resume", "@last", "--accept-loss")

    assert refused.code == 2
    assert "not even how the run began can be read" in refused.err
    assert "help: take the file from a copy, or start the run anew" in refused.err
    assert "--accept-loss" not in refused.err
