"""Workers that are killed at random, held, worn, or forked from what must not be forked."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import anyio
import psutil
import pytest

from actorflow.executors.process import ProcessExecutor
from actorflow.runs import worker_launch
from actorflow.runs.executor import AttemptState, Cause, Outcome
from actorflow_supervisors.recycling import Recycling
from tests.faults import process_tasks as tasks
from tests.faults.leaks import leak_audit as leak_audit
from tests.faults.process_site import Pipe, bench
from tests.faults.process_site import pipe as pipe
from tests.faults.processes import is_gone
from tests.faults.test_process_executor import failure_of, works
from tests.faults.test_warden import all_gone

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("leak_audit")]


async def test_workers_killed_at_random_lose_their_own_attempts_only(tmp_path: Path) -> None:
    rng = random.Random(7)
    killed: list[int] = []
    outcomes: list[Outcome] = []

    async def one_after_the_other(ours: Pipe, theirs: Pipe) -> None:
        for _ in range(8):
            async with anyio.create_task_group() as group:
                group.start_soon(decide, ours, theirs)
                outcomes.append(await executor.run(tasks.meet, ours=ours.path, theirs=theirs.path))

    async def decide(ours: Pipe, theirs: Pipe) -> None:
        pid = int(await ours.line())
        if rng.random() < 0.3:
            killed.append(pid)
            os.kill(pid, signal.SIGKILL)
        else:
            theirs.say(7)

    pipes = [Pipe(tmp_path / f"pipe-{number}") for number in range(8)]
    async with bench(workers=4) as executor, anyio.create_task_group() as group:
        for ours, theirs in zip(pipes[::2], pipes[1::2], strict=True):
            group.start_soon(one_after_the_other, ours, theirs)
    for each in pipes:
        each.close()

    lost = [outcome for outcome in outcomes if outcome.cause is Cause.lost]
    assert len(outcomes) == 32
    assert len(lost) == len(killed) > 0
    assert all("signal 9 (SIGKILL)" in failure_of(outcome, Cause.lost) for outcome in lost)
    assert {outcome.cause for outcome in outcomes} == {Cause.lost, Cause.ran}


async def test_a_worker_that_a_signal_holds_is_lost_after_its_limit(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_launch, "STOPPED_LIMIT_S", 0.05)
    async with bench() as executor:
        outcome = await executor.run(tasks.stop_itself, pipe=pipe.path)
        await pipe.line()
        still_works = await works(executor)

    assert "a signal had stopped it for too long" in failure_of(outcome, Cause.lost)
    assert still_works


async def test_a_worker_that_only_holds_the_interpreter_is_not(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_launch, "STOPPED_LIMIT_S", 0.001)
    async with bench() as executor:
        outcome = await executor.run(tasks.hold_gil, pipe=pipe.path, loops=3_000_000)
        await pipe.line()

    assert outcome.state is AttemptState.succeeded


@pytest.mark.parametrize(
    ("recycling", "pids"),
    [
        (Recycling(max_tasks=2), [0, 0, 1, 1]),
        (Recycling(max_age_s=1e-9), [0, 1, 2, 3]),
        (Recycling(max_rss_bytes=1), [0, 1, 2, 3]),
        (Recycling(), [0, 0, 0, 0]),
    ],
)
async def test_a_worn_worker_makes_room_for_a_new_one(recycling: Recycling, pids: list[int]) -> None:
    async with bench(recycling=recycling) as executor:
        outcomes = [await executor.run(tasks.burn, cpu_s=0.1) for _ in range(4)]

    workers = list(dict.fromkeys(outcome.worker for outcome in outcomes))
    assert [workers.index(outcome.worker) for outcome in outcomes] == pids
    assert all(outcome.state is AttemptState.succeeded for outcome in outcomes)


async def test_attempts_of_a_killed_warden_are_lost_and_the_next_get_another(pipe: Pipe) -> None:
    outcomes: list[Outcome] = []

    async def hold() -> None:
        outcomes.append(await executor.run(tasks.hold, pipe=pipe.path))

    async with bench() as executor:
        async with anyio.create_task_group() as group:
            group.start_soon(hold)
            worker = int(await pipe.line())
            os.kill(psutil.Process(worker).ppid(), signal.SIGKILL)
            await all_gone([worker])
        still_works = await works(executor)

    assert "signal 9 (SIGKILL)" in failure_of(outcomes[0], Cause.lost)
    assert still_works


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()", "started 1 thread"),
        ("log = open(__file__)", "opened"),
        ("", ""),
    ],
)
async def test_workers_are_forked_unless_the_module_forbids_it(
    tmp_path: Path, code: str, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="actorflow.executors")
    file = tmp_path / "some_dag.py"
    file.write_text(f"import os\n{code}\ndef pids(): return [os.getpid(), os.getppid()]\n")
    async with bench(module="some_dag", file=str(file)) as executor:
        outcome = await executor.run("pids")
        again = await executor.run("pids")
        why_cold = executor.executor.why_cold

    assert outcome.state is AttemptState.succeeded
    assert again.worker == outcome.worker
    assert why_cold is not None
    assert words in why_cold
    told = f"each worker is an interpreter of its own: {why_cold}"
    assert [record.message for record in caplog.records if record.name == "actorflow.executors"] == [told] * bool(words)


@pytest.mark.parametrize("task", [tasks.hold_with_pipe_held, tasks.hold_with_grandchild, tasks.keep_forking])
async def test_whatever_an_attempt_has_started_is_gone_with_it(task: Callable[..., object], pipe: Pipe) -> None:
    pids: list[int] = []
    async with bench(grace_s=0.01) as executor:
        async with anyio.create_task_group() as group:
            group.start_soon(lambda: executor.run(task, pipe=pipe.path))
            pids += [int(await pipe.line()) for _ in range(64 if task is tasks.keep_forking else 1)]
            group.cancel_scope.cancel()
        gone = [is_gone(pid) for pid in pids]

    assert all(gone)


OWNER = """
import anyio, sys
from tests.faults import process_tasks as tasks
from tests.faults.process_site import bench

async def main():
    async with bench(workers=2) as executor, anyio.create_task_group() as group:
        for _ in range(2):
            group.start_soon(lambda: executor.run(tasks.hold_with_grandchild, pipe=sys.argv[2]))

anyio.run(main, backend=sys.argv[1])
"""


async def test_when_the_owner_is_killed_nothing_of_its_attempts_stays(anyio_backend: str, pipe: Pipe) -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER, anyio_backend, pipe.path])
    grandchildren = [int(await pipe.line()) for _ in range(2)]
    below = [child.pid for child in psutil.Process(owner.pid).children(recursive=True)]

    owner.kill()
    owner.wait()
    await all_gone([*grandchildren, *below])

    assert set(grandchildren) <= set(below)
    assert all(is_gone(pid) for pid in below)


def test_the_grace_is_ten_seconds() -> None:
    assert ProcessExecutor().grace_s == 10.0
