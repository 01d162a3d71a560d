"""Worker processes that die, hang, grow or lie: each is told apart, and nothing of them stays."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
import pytest

from actorflow.actors.system import ActorSystem
from actorflow.executors import process as process_executor
from actorflow.executors.worker_zygote import zygote_for
from actorflow.runs import worker as worker_module
from actorflow.runs import worker_process
from actorflow.runs.executor import AttemptSpec, AttemptState, Cause, Outcome, RunSite
from actorflow.runs.task_context import TaskContext
from actorflow.runs.time_limit import timed_out
from actorflow.runs.work import WorkerLost
from actorflow.runs.worker import Worker
from actorflow.runs.worker_launch import Launch
from actorflow.runs.worker_process import WorkerProcess
from actorflow_supervisors import Killed
from actorflow_supervisors.memory import MemoryQuotaExceeded
from actorflow_supervisors.warden import open_warden
from tests.faults import process_tasks as tasks
from tests.faults.leaks import leak_audit as leak_audit
from tests.faults.process_site import FILE, MODULE, Bench, Pipe, bench
from tests.faults.process_site import pipe as pipe
from tests.faults.processes import is_gone

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("leak_audit")]

MIB = 1 << 20


def failure_of(outcome: Outcome, cause: Cause) -> str:
    """The message of a failed attempt."""
    assert (outcome.state, outcome.cause, outcome.value) == (AttemptState.failed, cause, None)
    assert outcome.error is not None
    return outcome.error.message


async def works(executor: Bench) -> bool:
    """Whether the executor still executes."""
    outcome = await executor.run(tasks.add, a=1, b=1)
    return outcome.value is not None and outcome.value.get() == 2


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("os._exit", "exit code 3"),
        ("os._exit(0)", "exit code 0"),
        ("segfault", "signal 11 (SIGSEGV)"),
        ("abort", "signal 6 (SIGABRT)"),
        ("sigkill", "signal 9 (SIGKILL)"),
    ],
)
async def test_a_worker_that_dies_is_lost_and_how_it_ended_is_named(kind: str, words: str) -> None:
    async with bench() as executor:
        outcome = await executor.run(tasks.end, kind=kind)
        still_works = await works(executor)

    message = failure_of(outcome, Cause.lost)
    assert f"ended with {words} while it ran the attempt" in message
    assert outcome.worker in message
    assert outcome.peak_rss_bytes
    assert outcome.cpu_s is not None
    assert still_works


@pytest.mark.parametrize("kind", ["garbage", "wrong reply"])
async def test_a_worker_that_writes_what_is_no_answer_is_lost(kind: str) -> None:
    async with bench() as executor:
        outcome = await executor.run(tasks.end, kind=kind)
        still_works = await works(executor)

    assert "wrote what is no answer" in failure_of(outcome, Cause.lost)
    assert still_works


async def test_a_worker_killed_from_outside_is_lost_and_its_neighbour_is_not(tmp_path: Path, pipe: Pipe) -> None:
    outcomes: dict[str, Outcome] = {}
    neighbour, release = Pipe(tmp_path / "neighbour"), Pipe(tmp_path / "release")

    async def run_neighbour() -> None:
        outcomes["neighbour"] = await executor.run(tasks.meet, ours=neighbour.path, theirs=release.path)

    async def kill_victim() -> None:
        os.kill(int(await pipe.line()), signal.SIGKILL)

    async with bench(workers=2) as executor, anyio.create_task_group() as group:
        group.start_soon(run_neighbour)
        await neighbour.line()
        group.start_soon(kill_victim)
        outcomes["victim"] = await executor.run(tasks.hold, pipe=pipe.path)
        release.say(7)
    neighbour.close()
    release.close()

    assert "signal 9 (SIGKILL)" in failure_of(outcomes["victim"], Cause.lost)
    assert outcomes["neighbour"].value is not None
    assert outcomes["neighbour"].value.get() == 7


async def test_an_idle_worker_that_dies_costs_no_attempt() -> None:
    async with bench() as executor:
        first = await executor.run(tasks.pid)
        assert first.value is not None
        pid = int(str(first.value.get()))
        ending = os.pidfd_open(pid)
        os.kill(pid, signal.SIGKILL)
        select.select([ending], [], [])  # without a turn of the loop: nothing of ours has seen it
        os.close(ending)
        second = await executor.run(tasks.pid)

    assert second.state is AttemptState.succeeded
    assert second.worker.startswith("process-2 ")


@pytest.mark.parametrize(
    ("code", "words"),
    [("import os; os._exit(4)", "exit code 4"), ("import os; os.abort()", "signal 6 (SIGABRT)")],
)
async def test_a_worker_that_dies_while_it_imports_says_so(tmp_path: Path, code: str, words: str) -> None:
    file = tmp_path / "deadly_dag.py"
    file.write_text(code)
    async with bench(module="deadly_dag", file=str(file)) as executor:
        outcomes = [await executor.run("anything") for _ in range(2)]

    for outcome in outcomes:
        assert f"ended with {words} while it started" in failure_of(outcome, Cause.lost)


async def test_a_program_that_cannot_be_started_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    async with bench() as executor:
        outcome = await executor.run(tasks.pid)

    assert "/no/such/python" in failure_of(outcome, Cause.lost)


async def test_an_attempt_over_its_quota_is_killed_and_its_neighbour_is_not(pipe: Pipe, tmp_path: Path) -> None:
    outcomes: dict[str, Outcome] = {}
    release = Pipe(tmp_path / "release")

    async def run_neighbour() -> None:
        arguments = {"ours": pipe.path, "theirs": release.path}
        outcomes["neighbour"] = await executor.attempt(tasks.meet, arguments, memory_bytes=192 * MIB)

    async with bench(workers=2) as executor, anyio.create_task_group() as group:
        group.start_soon(run_neighbour)
        await pipe.line()
        outcomes["hog"] = await executor.attempt(tasks.hog, {}, memory_bytes=192 * MIB)
        release.say(7)
    release.close()

    hog = outcomes["hog"]
    message = failure_of(hog, Cause.out_of_memory)
    assert hog.peak_rss_bytes is not None
    assert hog.peak_rss_bytes > 192 * MIB
    assert message == str(MemoryQuotaExceeded(192 * MIB, hog.peak_rss_bytes))
    assert hog.error is not None
    assert hog.error.type == "actorflow_supervisors.memory:MemoryQuotaExceeded"
    assert outcomes["neighbour"].state is AttemptState.succeeded


async def test_an_attempt_within_its_quota_is_left_alone() -> None:
    async with bench() as executor:
        outcome = await executor.attempt(tasks.use, {"mib": 64}, memory_bytes=512 * MIB)

    assert outcome.state is AttemptState.succeeded


async def test_what_earlier_attempts_left_in_a_worker_is_not_blamed_on_the_next() -> None:
    async with bench() as executor:
        before = await executor.run(tasks.keep, mib=128)
        outcome = await executor.attempt(tasks.keep, {"mib": 16}, memory_bytes=192 * MIB)
        same = await executor.attempt(tasks.keep, {"mib": 1}, memory_bytes=192 * MIB)

    assert before.worker.startswith("process-1 ")
    assert outcome.state is AttemptState.succeeded
    assert outcome.worker.startswith("process-2 ")
    assert same.worker == outcome.worker


async def test_arguments_that_no_request_can_carry_are_bad_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_process, "MAX_FRAME_BYTES", 1 << 20)
    async with bench() as executor:
        outcome = await executor.run(tasks.echo, value=b"x" * (1 << 20))
        after = await executor.run(tasks.echo, value=b"x")

    assert "more than the 1 MiB that one request carries" in failure_of(outcome, Cause.bad_input)
    assert outcome.worker == "", "no worker had to see them"
    assert after.cause is Cause.ran


async def test_a_worker_that_never_gets_ready_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_module, "START_LIMIT_S", 0.05)
    file = tmp_path / "endless_dag.py"
    file.write_text("import signal\nwhile True: signal.pause()\n")
    async with bench(module="endless_dag", file=str(file)) as executor:
        outcome = await executor.run("anything")

    assert "was not ready after 0.05 s" in failure_of(outcome, Cause.lost)


async def test_an_idle_worker_that_does_not_exit_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_process, "IDLE_GRACE_S", 0.01)
    file = tmp_path / "clinging_dag.py"
    file.write_text(
        "import atexit, os, signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "atexit.register(lambda: [signal.pause() for _ in iter(int, 1)])\ndef pid(): return os.getpid()\n"
    )
    async with bench(module="clinging_dag", file=str(file), grace_s=0.01) as executor:
        outcome = await executor.run("pid")

    assert outcome.value is not None
    assert is_gone(int(str(outcome.value.get())))


async def test_an_attempt_that_takes_too_long_is_ended() -> None:
    async with bench() as executor:
        outcome = await executor.attempt(tasks.forever, {}, timeout_s=0.05)
        still_works = await works(executor)

    assert "timeout of 0.05 s" in failure_of(outcome, Cause.timed_out)
    assert outcome.worker.startswith("process-1 ")
    assert outcome.peak_rss_bytes
    assert outcome.cpu_s is not None
    assert still_works


class Deadline:
    """Takes the place of an attempt's time limit: it is over when a test says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun = False
        self.over = anyio.Event()
        monkeypatch.setattr(process_executor, "within_timeout", self.within)

    async def within(self, attempt: AttemptSpec, call: Callable[[], Awaitable[Outcome]]) -> Outcome:
        self.begun = True
        outcomes: list[Outcome] = []

        async def execute() -> None:
            outcomes.append(await call())
            group.cancel_scope.cancel()

        async with anyio.create_task_group() as group:
            group.start_soon(execute)
            await self.over.wait()
            group.cancel_scope.cancel()
        return outcomes[0] if outcomes else timed_out(attempt)


async def test_what_an_attempt_started_is_gone_when_its_time_is_over(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    deadline = Deadline(monkeypatch)
    seen: dict[str, object] = {}

    async def attempt() -> None:
        outcome = await executor.attempt(tasks.hold_with_grandchild, {"pipe": pipe.path}, timeout_s=600.0)
        seen["cause"] = outcome.cause
        seen["gone"] = is_gone(int(str(seen["grandchild"])))

    async with bench(grace_s=0.01) as executor, anyio.create_task_group() as group:
        group.start_soon(attempt)
        seen["grandchild"] = await pipe.line()
        deadline.over.set()

    assert seen["cause"] is Cause.timed_out
    assert seen["gone"]


async def test_the_time_of_an_attempt_begins_when_its_worker_is_ready(
    tmp_path: Path, pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    deadline = Deadline(monkeypatch)
    release = Pipe(tmp_path / "release")
    file = tmp_path / "slow_dag.py"
    say, wait = f"open({pipe.path!r}, 'w').write('importing\\n')", f"open({release.path!r}).readline()"
    file.write_text(f"{say}\n{wait}\ndef work(): return 'done'\n")
    begun: list[bool] = []
    outcomes: list[Outcome] = []

    async def attempt() -> None:
        outcomes.append(await executor.attempt("work", {}, timeout_s=600.0))

    async with bench(module="slow_dag", file=str(file)) as executor, anyio.create_task_group() as group:
        group.start_soon(attempt)
        await pipe.line()
        begun.append(deadline.begun)
        release.say("go on")
    release.close()

    assert [*begun, deadline.begun] == [False, True]
    assert outcomes[0].state is AttemptState.succeeded


@pytest.mark.parametrize(
    ("task", "grace_s"), [(tasks.hold, 60.0), (tasks.hold_ignoring_sigterm, 0.01), (tasks.hold_with_grandchild, 0.01)]
)
async def test_a_cancelled_attempt_is_gone_when_its_caller_goes_on(
    task: Callable[..., object], grace_s: float, pipe: Pipe
) -> None:
    pids: list[int] = []
    async with bench(grace_s=grace_s) as executor:
        async with anyio.create_task_group() as group:
            group.start_soon(lambda: executor.run(task, pipe=pipe.path))
            pids.append(int(await pipe.line()))
            group.cancel_scope.cancel()
        gone = [is_gone(pid) for pid in pids]
        still_works = await works(executor)

    assert gone == [True]
    assert still_works


async def test_a_cancelled_attempt_may_clean_up(pipe: Pipe) -> None:
    async with bench() as executor:
        async with anyio.create_task_group() as group:
            group.start_soon(lambda: executor.run(tasks.hold_and_clean_up, pipe=pipe.path))
            await pipe.line()
            group.cancel_scope.cancel()
        said = await pipe.line()

    assert said == "cleaned"


async def test_an_attempt_cancelled_before_its_worker_is_ready_leaves_the_worker_to_the_next() -> None:
    async with bench() as executor:
        with anyio.CancelScope() as scope:
            scope.cancel()
            await executor.run(tasks.pid)
        outcome = await executor.run(tasks.pid)

    assert scope.cancelled_caught
    assert outcome.worker.startswith("process-1 ")


async def test_a_child_that_a_task_leaves_behind_ends_with_its_worker(pipe: Pipe) -> None:
    async with bench() as executor:
        outcome = await executor.run(tasks.leave_grandchild, pipe=pipe.path)
        left = int(await pipe.line())
        alive = not is_gone(left)

    assert outcome.state is AttemptState.succeeded
    assert alive
    assert is_gone(left)


async def test_a_worker_that_dies_is_noticed_though_its_child_holds_the_socket(pipe: Pipe) -> None:
    async with bench() as executor:
        first = await executor.run(tasks.leave_grandchild, pipe=pipe.path)
        outcome = await executor.run(tasks.end, kind="sigkill")

    assert outcome.worker == first.worker
    assert "signal 9" in failure_of(outcome, Cause.lost)


async def test_closing_ends_a_worker_that_is_busy(pipe: Pipe) -> None:
    pids: list[int] = []
    async with anyio.create_task_group() as group, bench(grace_s=0.01) as executor:
        group.start_soon(lambda: executor.run(tasks.hold_ignoring_sigterm, pipe=pipe.path))
        pids.append(int(await pipe.line()))

    assert [is_gone(pid) for pid in pids] == [True]


async def test_a_worker_actor_is_restarted_with_a_new_process() -> None:
    async with ActorSystem() as system, open_warden() as warden:
        host = Host()
        site = RunSite(run_id="run", module=MODULE, file=FILE, spawn=system.spawn)
        async with zygote_for(warden, site, None) as zygote:
            worker = await system.spawn(lambda: Worker("worker", Launch(zygote=zygote), host, 60.0), name="worker")
            first = await host.next_ready()
            os.kill(first.pid, signal.SIGKILL)
            second = await host.next_ready()
            reply = await second.execute(f"{MODULE}:pid", {}, TaskContext("run", "step", None, 1))
            last_exit = system.tree()[0].last_exit
            await system.stop(worker)
        host.close()

    assert reply.value is not None
    assert first.pid != second.pid
    assert isinstance(last_exit, Killed)
    assert (last_exit.cause, last_exit.signal) == ("signal", 9)
    assert host.ended == [first, second]


class Host:
    """Who gets the workers, in place of a pool."""

    def __init__(self) -> None:
        self.ended: list[WorkerProcess] = []
        self._send, self._receive = anyio.create_memory_object_stream[WorkerProcess](8)

    async def next_ready(self) -> WorkerProcess:
        return await self._receive.receive()

    def close(self) -> None:
        self._send.close()
        self._receive.close()

    def ready(self, process: WorkerProcess) -> None:
        self._send.send_nowait(process)

    def failed(self, error: WorkerLost) -> None:
        raise AssertionError(error)

    def gone(self, process: WorkerProcess) -> None:
        self.ended.append(process)


OWNER = """
import anyio, sys
from tests.faults import process_tasks as tasks
from tests.faults.process_site import bench

async def main():
    async with bench(workers=2) as executor, anyio.create_task_group() as group:
        idle = await executor.run(tasks.pid)
        tasks.say(sys.argv[2], idle.value.get())
        group.start_soon(lambda: executor.run(tasks.hold, pipe=sys.argv[2]))
        group.start_soon(lambda: executor.run(tasks.hold, pipe=sys.argv[2]))

anyio.run(main, backend=sys.argv[1])
"""


async def test_when_the_owner_is_killed_no_worker_stays(anyio_backend: str, pipe: Pipe) -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER, anyio_backend, pipe.path])
    workers = [int(await pipe.line()) for _ in range(3)]
    endings = [os.pidfd_open(pid) for pid in dict.fromkeys(workers)]

    owner.kill()
    owner.wait()
    for ending in endings:
        await anyio.wait_readable(ending)
        os.close(ending)

    assert len(endings) == 2
    assert all(is_gone(pid) for pid in workers)
