"""A placed actor's process makes room for a new one between two messages, and nobody is told but by its new state."""

from __future__ import annotations

import anyio
import pytest

from actorflow import ActorSystem, Recycling, Subprocess
from actorflow.actors.ref import cell_of
from tests.actors.placement.crew import Clerk, Gate
from tests.faults.leaks import leak_audit as leak_audit

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("leak_audit")]


def at_most(tasks: int) -> Subprocess:
    return Subprocess(recycling=Recycling(max_tasks=tasks, max_age_s=None, max_rss_bytes=None))


async def test_after_so_many_messages_the_next_is_for_a_new_process() -> None:
    async with ActorSystem() as actors:
        clerk = await actors.spawn(Clerk, placement=at_most(2))

        pids = [await clerk.ask(Clerk.pid) for _ in range(5)]

        places = [pids.index(pid) for pid in pids]
        assert places == [0, 0, 2, 2, 4]
        (tree,) = actors.tree()
        assert (tree.restarts, tree.incarnation, tree.last_exit) == (0, 1, None)


async def test_each_process_begins_anew_and_no_message_is_lost_or_overtakes_another() -> None:
    async with ActorSystem() as actors:
        till = await actors.spawn(Clerk)
        clerk = await actors.spawn(Clerk, placement=at_most(3))
        for _ in range(20):
            await clerk.tell(Clerk.asks, till)
        await clerk.ask(Clerk.pid)

        assert await till.ask(Clerk.get) == 100
        assert await clerk.ask(Clerk.get) == 0


@pytest.mark.parametrize("recycling", [Recycling(max_age_s=1e-9), Recycling(max_rss_bytes=1, max_tasks=1)])
async def test_age_and_memory_count_too(recycling: Recycling) -> None:
    async with ActorSystem() as actors:
        clerk = await actors.spawn(Clerk, placement=Subprocess(recycling=recycling))

        pids = [await clerk.ask(Clerk.pid) for _ in range(3)]

        assert len(set(pids)) == 3


async def test_a_reply_that_is_deferred_is_given_first() -> None:
    async with ActorSystem() as actors:
        clerk = await actors.spawn(Clerk, placement=at_most(1))
        replies: list[int] = []

        async def waits() -> None:
            replies.append(await clerk.ask(Clerk.defers))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(waits)
            await anyio.wait_all_tasks_blocked()
            await clerk.ask(Clerk.get)
            await clerk.tell(Clerk.pays, 7)

        assert replies == [7]


async def test_one_that_is_stopped_while_it_makes_room_ends() -> None:
    async with ActorSystem() as actors:
        gate = await actors.spawn(Gate)
        clerk = await actors.spawn(Clerk, placement=at_most(1))
        await clerk.ask(Clerk.pid)
        await clerk.tell(Clerk.holds, gate)
        await actors.stop(clerk)

        assert cell_of(clerk).ended
        assert cell_of(clerk).restarts == 0


async def test_a_crash_while_it_makes_room_is_a_crash() -> None:
    async with ActorSystem() as actors:
        clerk = await actors.spawn(Clerk, placement=at_most(1))
        for _ in range(3):
            await clerk.tell(Clerk.raises)

        assert await clerk.ask(Clerk.get) == 0
        assert cell_of(clerk).restarts == 3
