"""Attempts that are sent to a worker ahead: none is lost, run twice, or begun after it was taken back."""

from __future__ import annotations

import os
import signal
from functools import partial
from pathlib import Path

import anyio
import pytest
from anyio.lowlevel import checkpoint

from actorflow.executors.worker_pool import WorkerPool
from actorflow.runs.executor import AttemptState, Cause, Outcome
from actorflow.runs.output import Stream
from actorflow.runs.worker_process import WorkerProcess
from actorflow_supervisors.recycling import Recycling
from tests.executors import printing_tasks as printing
from tests.executors.test_process_output import printed
from tests.faults import process_tasks as tasks
from tests.faults.leaks import leak_audit as leak_audit
from tests.faults.process_site import Bench, Pipe, bench
from tests.faults.process_site import pipe as pipe
from tests.faults.processes import is_gone

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("leak_audit")]


async def warm(executor: Bench, workers: int = 1) -> None:
    """Have every worker up, and known to be quick: only to such is anything sent ahead."""
    async with anyio.create_task_group() as group:
        for _ in range(workers):
            group.start_soon(lambda: executor.run(tasks.add, a=1, b=1))
    for _ in range(20 * workers):
        await executor.run(tasks.add, a=1, b=1)


class Adding:
    """Attempts under way that add their number to 100."""

    def __init__(self, executor: Bench, count: int) -> None:
        self.executor = executor
        self.count = count
        self.outcomes: dict[int, Outcome] = {}

    async def one(self, number: int) -> None:
        self.outcomes[number] = await self.executor.run(tasks.add, a=number, b=100)

    @property
    def values(self) -> list[object]:
        return [outcome.value and outcome.value.get() for _, outcome in sorted(self.outcomes.items())]

    @property
    def are_right(self) -> bool:
        return self.values == list(range(100, 100 + self.count))


async def test_many_quick_attempts_each_get_their_own_answer() -> None:
    async with bench(workers=2) as executor:
        adding = Adding(executor, 500)
        async with anyio.create_task_group() as group:
            for number in range(500):
                group.start_soon(adding.one, number)

    assert adding.are_right
    assert len({outcome.worker for outcome in adding.outcomes.values()}) == 2


async def test_what_a_killed_worker_had_not_begun_runs_elsewhere_and_is_not_lost(pipe: Pipe) -> None:
    held: list[Outcome] = []
    async with bench() as executor:
        await warm(executor)
        adding = Adding(executor, 5)

        async def hold() -> None:
            held.append(await executor.run(tasks.hold, pipe=pipe.path))

        async with anyio.create_task_group() as group:
            group.start_soon(hold)
            pid = int(await pipe.line())
            for number in range(5):
                group.start_soon(adding.one, number)
            await anyio.wait_all_tasks_blocked()
            os.kill(pid, signal.SIGKILL)

    assert held[0].cause is Cause.lost
    assert adding.are_right
    assert {outcome.worker for outcome in adding.outcomes.values()}.isdisjoint({held[0].worker})


async def test_an_attempt_cancelled_before_its_turn_never_begins_and_costs_its_worker_nothing(
    tmp_path: Path, pipe: Pipe
) -> None:
    witness, release = tmp_path / "begun", Pipe(tmp_path / "release")
    outcomes: list[Outcome] = []
    async with bench() as executor:
        await warm(executor)
        adding = Adding(executor, 3)

        async def meet() -> None:
            outcomes.append(await executor.run(tasks.meet, ours=pipe.path, theirs=release.path))

        pid = 0
        async with anyio.create_task_group() as group:
            group.start_soon(meet)
            pid = int(await pipe.line())
            async with anyio.create_task_group() as doomed:
                doomed.start_soon(lambda: executor.run(tasks.touch, path=str(witness)))
                await anyio.wait_all_tasks_blocked()
                doomed.cancel_scope.cancel()
            for number in range(3):
                group.start_soon(adding.one, number)
            release.say(7)
        after = await executor.run(tasks.pid)
    release.close()

    assert outcomes[0].state is AttemptState.succeeded
    assert not witness.exists()
    assert adding.are_right
    assert after.value is not None
    assert after.value.get() == pid


async def test_an_attempt_cancelled_while_it_runs_takes_none_of_those_behind_it_along(pipe: Pipe) -> None:
    async with bench() as executor:
        await warm(executor)
        adding, pids = Adding(executor, 5), list[int]()
        async with anyio.create_task_group() as group, anyio.create_task_group() as doomed:
            doomed.start_soon(lambda: executor.run(tasks.hold, pipe=pipe.path))
            pids.append(int(await pipe.line()))
            for number in range(5):
                group.start_soon(adding.one, number)
            await anyio.wait_all_tasks_blocked()
            doomed.cancel_scope.cancel()
        assert [is_gone(pid) for pid in pids] == [True]

    assert adding.are_right


async def test_a_cancelled_attempt_is_gone_when_told_so_whoever_else_ends_its_worker(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[WorkerProcess] = []
    ready = WorkerPool.ready

    def seen(pool: WorkerPool, worker: WorkerProcess) -> None:
        started.append(worker)
        ready(pool, worker)

    monkeypatch.setattr(WorkerPool, "ready", seen)
    async with bench() as executor:
        async with anyio.create_task_group() as doomed:
            doomed.start_soon(lambda: executor.run(tasks.hold, pipe=pipe.path))
            await pipe.line()
            started[0].asked_to_end = True  # as by a stop of its actor that has not come further yet
            doomed.cancel_scope.cancel()
        assert is_gone(started[0].pid)


async def test_what_waits_behind_a_long_attempt_goes_to_a_worker_without_one(tmp_path: Path, pipe: Pipe) -> None:
    release = Pipe(tmp_path / "release")
    async with bench(workers=2) as executor:
        await warm(executor, workers=2)
        adding = Adding(executor, 20)
        async with anyio.create_task_group() as long:
            long.start_soon(lambda: executor.run(tasks.meet, ours=pipe.path, theirs=release.path))
            await pipe.line()
            async with anyio.create_task_group() as group:
                for number in range(20):
                    group.start_soon(adding.one, number)
            assert adding.are_right  # and the long one is not over
            release.say(7)
    release.close()


async def test_each_line_is_of_the_attempt_that_wrote_it_however_many_were_sent_ahead() -> None:
    async with printed() as output:
        for _ in range(20):
            await output.run(printing.silent)
        async with anyio.create_task_group() as group:
            for index in range(60):
                if index % 3:
                    says = partial(output.run, printing.says, map_index=index, text=f"of {index}")
                    group.start_soon(says)
                else:
                    group.start_soon(partial(output.run, printing.silent, map_index=index))

    for index in range(60):
        assert output.lines(Stream.out, map_index=index) == ([f"of {index}"] if index % 3 else [])


async def test_a_worker_that_is_worn_gets_nothing_more_and_nothing_is_lost() -> None:
    async with bench(recycling=Recycling(max_tasks=7)) as executor:
        adding = Adding(executor, 40)
        async with anyio.create_task_group() as group:
            for number in range(40):
                group.start_soon(adding.one, number)
                await checkpoint()

    served: dict[str, int] = {}
    for outcome in adding.outcomes.values():
        served[outcome.worker] = served.get(outcome.worker, 0) + 1
    assert adding.are_right
    assert max(served.values()) == 7
