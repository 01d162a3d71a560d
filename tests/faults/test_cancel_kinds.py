"""Whatever a task is at when its run is cancelled from another terminal, nothing of it is left."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cli.shell import actorflow, going, is_alive
from tests.faults.leaks import leak_audit as leak_audit

pytestmark = pytest.mark.usefixtures("leak_audit")

BACKENDS = ["asyncio", "trio"]

# What the task does once it has said who is to be gone afterwards; `say` writes one line to the test.
BUSY = {
    "a loop in C": "say(os.getpid()); sum(range(10**15))",
    "a program that sleeps": "say(os.getpid()); subprocess.run(['sleep', '999'])",
    "a shell with two": """
    shell = subprocess.Popen(["sh", "-c", "sleep 999 & echo $!; sleep 999 & echo $!; wait"], stdout=subprocess.PIPE)
    say(os.getpid(), shell.pid, *(int(shell.stdout.readline()) for _ in range(2)))
    shell.wait()""",
    "a daemon": """
    if os.fork() == 0:
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if os.fork():
            os._exit(0)
        say(os.getpid())
        forever()
    forever()""",
    "a thread that blocks": "say(os.getpid()); threading.Thread(target=forever).start(); forever()",
    "a child of multiprocessing": """
    child = multiprocessing.get_context("fork").Process(target=forever)
    child.start()
    say(os.getpid(), child.pid)
    child.join()""",
}

FLOW = """
import multiprocessing, os, signal, subprocess, threading
from actorflow import dag, task

def say(*pids):
    with open("pipe", "w") as pipe:
        pipe.write(" ".join(map(str, pids)))

def forever():
    while True:
        threading.Event().wait()

@task
def busy() -> None:
    {body}

@dag
def main() -> None:
    return busy()
"""


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", BUSY)
def test_nothing_of_a_cancelled_task_is_left(tmp_path: Path, kind: str, backend: str) -> None:
    (tmp_path / "etl.py").write_text(FLOW.format(body=BUSY[kind].strip()))
    os.mkfifo(tmp_path / "pipe")
    with going("run", "etl.py", "--backend", backend, "--grace", "1h", cwd=tmp_path) as run:
        pids = [int(pid) for pid in (tmp_path / "pipe").read_text().split()]
        alive = [is_alive(pid) for pid in pids]
        done = actorflow("cancel", "@last", "--grace", "100ms", cwd=tmp_path)
        left = [pid for pid in pids if is_alive(pid)]
        run.end()

    assert all(alive)
    assert (done.code, left) == (0, [])
    assert run.seen[-1]["status"] == "cancelled"


WAITS_TO_RETRY = """
from actorflow import Retry, dag, task

@task(retry=Retry(attempts=3, backoff="fixed", base="1h", cap="1h", jitter=0))
async def flaky() -> None:
    open("begun", "a").write("begun ")
    raise OSError("not yet")

@dag
def main() -> None:
    return flaky()
"""


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_run_that_waits_to_retry_is_cancelled_and_does_not(tmp_path: Path, backend: str) -> None:
    (tmp_path / "etl.py").write_text(WAITS_TO_RETRY)
    with going("run", "etl.py", "--backend", backend, cwd=tmp_path) as run:
        run.until("attempt_finished", task="flaky")
        done = actorflow("cancel", "@last", cwd=tmp_path)
        run.end()

    assert done.code == 0
    assert run.seen[-1]["status"] == "cancelled"
    assert (tmp_path / "begun").read_text() == "begun "
