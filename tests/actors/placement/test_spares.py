"""A process that waits is given to whoever starts an actor; one that is being made is waited for, not made again."""

from __future__ import annotations

import os
import socket
from typing import Any

import anyio
import pytest
from anyio.abc import TaskGroup

from actorflow import ActorSystem, Backoff, Killed, RestartIntensity, Subprocess
from actorflow.actors.placement.host_process import HostProcess
from actorflow.actors.placement.places import places_of
from actorflow.actors.placement.spares import Spares
from actorflow_supervisors.process import Process, ProcessExit, ProcessStartFailed
from tests.actors.placement.crew import Clerk
from tests.faults.leaks import leak_audit as leak_audit

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("leak_audit")]

MIB = 1 << 20


class PaperProcess:
    """A process that is none."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.exit: ProcessExit | None = None

    def is_running(self) -> bool:
        return self.exit is None

    def kill(self) -> None:
        self.exit = ProcessExit(signal=9)

    async def wait(self) -> ProcessExit:
        assert self.exit is not None
        return self.exit


class PaperZygote:
    """Numbers what it is asked for; each is there once it `lets` one be. fails: it starts nothing."""

    why_cold = ""

    def __init__(self) -> None:
        self.asked = 0
        self.fails = False
        self.stopped = False
        self._allowed = anyio.Semaphore(0)

    def lets(self, count: int) -> None:
        for _ in range(count):
            self._allowed.release()

    async def fork(self, payload: bytes, *, sock: socket.socket, **streams: Any) -> Process:
        self.asked += 1
        number = self.asked
        await self._allowed.acquire()
        if self.fails:
            raise ProcessStartFailed("no more processes")
        made: Any = PaperProcess(number)
        return made  # type: ignore[no-any-return]  # as much of a process as is asked of it

    async def ready(self) -> str:
        return ""

    async def stop(self) -> None:
        self.stopped = True


async def taken(spares: Spares, into: list[HostProcess]) -> None:
    into.append(await spares.take())


async def ended(given: list[HostProcess], spares: Spares, tasks: TaskGroup) -> list[int]:
    """The numbers of those given; all of them, and those that wait, are let go of."""
    tasks.cancel_scope.cancel()
    for one in given:
        await one.end()
    await spares.end()
    return [one.process.pid for one in given]


async def test_one_that_waits_is_given_and_a_dead_one_is_passed_over() -> None:
    zygote = PaperZygote()
    zygote.lets(10)
    async with anyio.create_task_group() as tasks:
        spares = Spares(zygote, "asyncio", 2, tasks)
        spares.refill()
        first = await spares.take()
        second = await spares.take()
        second.process.kill()
        spares.put(second)
        spares.put(first)

        given = [await spares.take()]
        await ended(given, spares, tasks)

        assert given == [first]
        assert zygote.asked == 2


async def test_one_that_is_too_old_is_passed_over() -> None:
    zygote = PaperZygote()
    zygote.lets(10)
    async with anyio.create_task_group() as tasks:
        spares = Spares(zygote, "asyncio", 1, tasks)
        spares.refill()
        spares.put(await spares.take())

        given = [await spares.take(max_age_s=1e-9), await spares.take(max_age_s=3600.0)]

        assert await ended(given, spares, tasks) == [2, 3]


async def test_one_that_is_being_made_is_waited_for_by_one_only() -> None:
    zygote = PaperZygote()
    given: list[HostProcess] = []
    async with anyio.create_task_group() as tasks:
        spares = Spares(zygote, "asyncio", 1, tasks)
        spares.refill()
        spares.refill()
        async with anyio.create_task_group() as takers:
            takers.start_soon(taken, spares, given)
            takers.start_soon(taken, spares, given)
            await anyio.wait_all_tasks_blocked()
            zygote.lets(2)
        numbers = await ended(given, spares, tasks)

        assert zygote.asked == 2
        assert sorted(numbers) == [1, 2]
        assert zygote.stopped


async def test_who_waited_for_one_that_could_not_be_made_is_told_by_its_own_start() -> None:
    zygote = PaperZygote()
    zygote.fails = True
    async with anyio.create_task_group() as tasks:
        spares = Spares(zygote, "asyncio", 1, tasks)
        spares.refill()
        zygote.lets(2)

        with pytest.raises(ProcessStartFailed, match="no more processes"):
            await spares.take()

        await ended([], spares, tasks)
    assert zygote.asked == 2


async def test_who_is_cancelled_while_it_waits_leaves_the_process_to_the_next() -> None:
    zygote = PaperZygote()
    given: list[HostProcess] = []
    async with anyio.create_task_group() as tasks:
        spares = Spares(zygote, "asyncio", 1, tasks)
        spares.refill()
        async with anyio.create_task_group() as impatient:
            impatient.start_soon(taken, spares, given)
            await anyio.wait_all_tasks_blocked()
            impatient.cancel_scope.cancel()
        zygote.lets(1)

        await taken(spares, given)
        numbers = await ended(given, spares, tasks)

        assert numbers == [1]
        assert zygote.asked == 1


# Real ones.


def system(*, spare_processes: int = 1) -> ActorSystem:
    restarts = RestartIntensity(max_restarts=20)
    return ActorSystem(backoff=Backoff(base_s=0.001), intensity=restarts, spare_processes=spare_processes)


async def waiting(actors: ActorSystem) -> HostProcess:
    """The process that waits for the next clerk, and goes on waiting."""
    spares = places_of(actors).spares[Clerk.__module__]
    spare = await spares.take()
    spares.put(spare)
    return spare


async def test_a_restart_takes_the_process_that_waits_and_the_next_waits_then() -> None:
    async with system() as actors:
        clerk = await actors.spawn(Clerk, placement=Subprocess())
        spare = await waiting(actors)
        pid = await clerk.ask(Clerk.pid)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(actors.down, clerk)
            await anyio.wait_all_tasks_blocked()
            os.kill(pid, 9)

        assert await clerk.ask(Clerk.pid) == spare.process.pid
        assert await clerk.ask(Clerk.get) == 0
        assert (await waiting(actors)).process.pid not in (pid, spare.process.pid)


async def test_a_process_that_waited_holds_the_quota_of_the_actor_that_takes_it() -> None:
    async with system() as actors:
        await actors.spawn(Clerk, placement=Subprocess())
        spare = await waiting(actors)
        greedy = await actors.spawn(Clerk, placement=Subprocess(quota_bytes=128 * MIB), restart="temporary")
        pid = await greedy.ask(Clerk.pid)
        reasons: list[object] = []

        async def hear() -> None:
            reasons.append((await actors.down(greedy)).reason)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(hear)
            await anyio.wait_all_tasks_blocked()
            await greedy.tell(Clerk.hoards, 140)

        (reason,) = reasons
        assert pid == spare.process.pid
        assert isinstance(reason, Killed)
        assert reason.cause == "memory"


async def test_a_process_that_was_killed_while_it_waited_is_no_loss() -> None:
    async with system() as actors:
        first = await actors.spawn(Clerk, placement=Subprocess())
        spare = await waiting(actors)
        os.kill(spare.process.pid, 9)
        await spare.process.wait()

        second = await actors.spawn(Clerk, placement=Subprocess())

        assert await second.ask(Clerk.pid) not in (spare.process.pid, await first.ask(Clerk.pid))


async def test_none_waits_where_none_is_wanted() -> None:
    async with system(spare_processes=0) as actors:
        clerk = await actors.spawn(Clerk, placement=Subprocess())
        spares = places_of(actors).spares[Clerk.__module__]

        assert await clerk.ask(Clerk.add) == 1
        assert spares.count == 0


async def test_fewer_than_none_are_refused() -> None:
    with pytest.raises(ValueError, match="spare_processes is a whole number of 0 or more, not -1"):
        ActorSystem(spare_processes=-1)
