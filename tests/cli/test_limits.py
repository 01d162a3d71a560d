"""The limits of tasks and runs, in the real command: each one bites, by its own name, and nothing else is touched."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cli.shell import Event, actorflow, going

GROWS = """
import threading
from actorflow import dag, task, task_context

@task(memory="120MiB * attempt")
def large() -> int:
    kept = bytearray(160 * 1024**2)
    if task_context().attempt == 1:
        threading.Event().wait()
    return len(kept)

@dag
def grows() -> int:
    return large()
"""

POISON = """
import os
from actorflow import dag, task

@task
def poison() -> None:
    os._exit(9)

@dag
def deadly() -> None:
    return poison()
"""

FOREVER = """
import threading
from actorflow import Retry, dag, task

@task{options}
{kind} forever() -> None:
    {body}

@dag
def waits() -> None:
    return forever()
"""
BODIES = {"def": "threading.Event().wait()", "async def": "import anyio; await anyio.sleep_forever()"}

QUEUED = """
from actorflow import dag, task

@task
def first() -> str:
    return open("pipe").read()

@task(queue_timeout="200ms", retry={retry})
def second() -> None:
    return None

@dag
def queue() -> None:
    first()
    second()
"""

PINNED = """
import os
from actorflow import dag, task

@task(cpus=1, affinity=True)
def pinned(n: int) -> list[int]:
    return sorted(os.sched_getaffinity(0))

@task
def free() -> list[int]:
    return sorted(os.sched_getaffinity(0))

@dag
def cpus() -> list[object]:
    of_their_own = pinned.map([1])
    return [of_their_own, free.options(after=[of_their_own])()]
"""


def write(folder: Path, text: str) -> str:
    (folder / "etl.py").write_text(text)
    return "etl.py"


def attempts(events: list[Event]) -> list[tuple[str, str]]:
    return [(event["state"], event["cause"]) for event in events if event["type"] == "attempt_finished"]


def test_a_quota_that_grows_is_enough_the_second_time_and_spends_no_retry(tmp_path: Path) -> None:
    done = actorflow("run", write(tmp_path, GROWS), "--json", cwd=tmp_path)

    starts = [event["memory_bytes"] // 1024**2 for event in done.events if event["type"] == "attempt_started"]
    assert done.code == 0
    assert attempts(done.events) == [("failed", "out_of_memory"), ("succeeded", "ran")]
    assert starts == [120, 240]


def test_a_task_that_ends_three_workers_is_started_no_more(tmp_path: Path) -> None:
    done = actorflow("run", write(tmp_path, POISON), "--json", cwd=tmp_path)

    end = done.events[-1]
    assert done.code == 1
    assert attempts(done.events) == [("failed", "lost")] * 3
    assert end["cause"] == "lost"
    assert end["error"]["message"].startswith("it has ended 3 workers and is not started again; worker process-")
    assert "exit code 9" in end["error"]["message"]


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_a_deadline_ends_what_runs_and_names_itself(tmp_path: Path, kind: str) -> None:
    text = FOREVER.format(kind=kind, body=BODIES[kind], options='(deadline="300ms", retry=Retry(attempts=9))')

    done = actorflow("run", write(tmp_path, text), "--json", cwd=tmp_path)

    assert done.code == 1
    assert attempts(done.events) == [("failed", "timed_out")]
    assert done.events[-1]["error"]["message"] == "forever was not done within its deadline of 300ms"


def test_the_timeout_of_a_run_is_told_by_a_quiet_command_too(tmp_path: Path) -> None:
    text = FOREVER.format(kind="async def", body=BODIES["async def"], options="")

    done = actorflow("run", write(tmp_path, text), "--timeout", "300ms", "-q", cwd=tmp_path)

    assert "FAILED the run  timed out: the run was not over within its timeout of 300ms" in done.err


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_the_timeout_of_a_run_ends_it_and_is_what_it_failed_of(tmp_path: Path, kind: str) -> None:
    text = FOREVER.format(kind=kind, body=BODIES[kind], options="")

    done = actorflow("run", write(tmp_path, text), "--timeout", "300ms", cwd=tmp_path)
    shown = actorflow("show", "@last", "--json", cwd=tmp_path)

    assert done.code == 1
    assert "the run was not over within its timeout of 300ms" in done.err
    assert (shown.answer["status"], shown.answer["cause"]) == ("failed", "timed_out")
    assert [task["state"] for task in shown.answer["tasks"]] == ["cancelled"]


def test_a_task_whose_turn_does_not_come_in_time_fails_and_was_never_begun(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    text = QUEUED.format(retry="None")
    with going("run", write(tmp_path, text), "--workers", "1", cwd=tmp_path) as run:
        end = run.until("attempt_finished", task="second")
        (tmp_path / "pipe").write_text("go on")
        done = run.end()

    assert done.code == 1
    assert (end["state"], end["cause"], end["worker"]) == ("failed", "timed_out", "")
    assert end["error"]["message"] == "second waited for its turn longer than its queue_timeout of 200ms"
    assert attempts(run.seen)[-1] == ("succeeded", "ran")


def test_a_task_with_cpus_of_its_own_is_held_to_them_and_its_worker_is_free_afterwards(tmp_path: Path) -> None:
    done = actorflow("run", write(tmp_path, PINNED), "--workers", "1", cwd=tmp_path)

    pinned, free = done.answer
    assert len(pinned[0]) == 1
    assert free == sorted(os.sched_getaffinity(0))


def test_the_plan_tells_the_limits_of_the_run_and_what_each_step_counts_for(tmp_path: Path) -> None:
    file = write(tmp_path, GROWS)

    text = actorflow("plan", file, "--max-memory", "1GiB", "--timeout", "1h", "--max-cpus", "2", cwd=tmp_path)
    plan = actorflow("plan", file, "--max-memory", "1GiB", "--json", cwd=tmp_path).answer

    assert "memory 120MiB * attempt" in text.out
    assert "at most: 1h, 1GiB of declared memory at once, 2 CPUs at once" in text.out
    assert plan["limits"]["max_memory_bytes"] == 1024**3
    assert plan["steps"][0]["need"]["memory_bytes"] == 120 * 1024**2


def test_a_limit_that_is_none_is_a_usage_error_with_the_way_out(tmp_path: Path) -> None:
    done = actorflow("run", write(tmp_path, GROWS), "--max-memory", "4G", cwd=tmp_path)

    assert done.code == 2
    assert '"G" may mean two things: "4GiB" or "4GB"' in done.err


def test_a_task_above_the_limit_is_refused_before_anything_runs(tmp_path: Path) -> None:
    done = actorflow("run", write(tmp_path, GROWS), "--max-memory", "200MiB", cwd=tmp_path)

    assert done.code == 2
    assert "error[AF046] step `large` needs 240MiB in its last attempt" in done.err
    assert not (tmp_path / ".actorflow").exists()
