"""Linked actors share their fate."""

from __future__ import annotations

import anyio
import pytest

from actorflow.actors.actor import Actor
from actorflow.actors.errors import ActorCrashed, ActorNotRunning, LinkedActorEnded
from actorflow.actors.handler import handler
from actorflow.actors.ref import ActorRef
from actorflow.actors.system import ActorSystem
from actorflow_supervisors.exit_reason import Crashed, ExitReason, Shutdown

pytestmark = pytest.mark.anyio


class Twin(Actor):
    def __init__(self, reasons: list[ExitReason]) -> None:
        self.reasons = reasons
        self.entered = anyio.Event()

    async def stopping(self, reason: ExitReason) -> None:
        self.reasons.append(reason)

    @handler
    async def link(self, other: ActorRef[Twin]) -> None:
        self.context.link(other)

    @handler
    async def link_and_part(self, other: ActorRef[Twin]) -> None:
        self.context.link(other).cancel()

    @handler
    async def crash(self) -> None:
        raise ValueError("boom")

    @handler
    async def leave(self) -> None:
        self.context.stop()

    @handler
    async def hang(self) -> None:
        await anyio.sleep_forever()

    @handler
    async def incarnation(self) -> int:
        return self.context.incarnation


async def pair(system: ActorSystem, reasons: list[ExitReason]) -> tuple[ActorRef[Twin], ActorRef[Twin]]:
    one = await system.spawn(lambda: Twin([]), name="one", restart="transient")
    other = await system.spawn(lambda: Twin(reasons), name="other", restart="transient")
    await one.ask(Twin.link, other)
    return one, other


async def test_a_crash_crashes_the_linked_actor_and_both_are_restarted_unlinked() -> None:
    reasons: list[ExitReason] = []

    async with ActorSystem() as system:
        one, other = await pair(system, reasons)
        with pytest.raises(ActorCrashed):
            await one.ask(Twin.crash)
        assert await one.ask(Twin.incarnation) == 2
        assert await other.ask(Twin.incarnation) == 2
        with pytest.raises(ActorCrashed):
            await one.ask(Twin.crash)
        await one.ask(Twin.incarnation)
        assert await other.ask(Twin.incarnation) == 2

        (reason,) = reasons
        assert isinstance(reason, Crashed)
        assert isinstance(reason.error, LinkedActorEnded)
        assert str(reason.error) == "linked actor 'one' ended: crashed: ValueError: boom"


async def test_a_link_works_the_other_way_round_too() -> None:
    async with ActorSystem() as system:
        one, other = await pair(system, [])
        with pytest.raises(ActorCrashed):
            await other.ask(Twin.crash)
        await other.ask(Twin.incarnation)

        assert await one.ask(Twin.incarnation) == 2


async def test_a_normal_end_leaves_the_linked_actor_alone() -> None:
    async with ActorSystem() as system:
        one, other = await pair(system, [])
        await one.ask(Twin.leave)
        await anyio.wait_all_tasks_blocked()

        assert not one.running
        assert await other.ask(Twin.incarnation) == 1


async def test_a_stop_stops_the_linked_actor() -> None:
    reasons: list[ExitReason] = []

    async with ActorSystem() as system:
        one, other = await pair(system, reasons)
        await system.stop(one)
        await system.down(other)

        assert reasons == [Shutdown("linked actor 'one' was stopped")]


async def test_the_handler_at_work_is_ended_and_its_asker_told() -> None:
    outcomes: list[str] = []

    async with ActorSystem() as system:
        one, other = await pair(system, [])

        async def ask() -> None:
            try:
                await other.ask(Twin.hang)
            except ActorNotRunning as error:
                outcomes.append(str(error))

        async with anyio.create_task_group() as group:
            group.start_soon(ask)
            await anyio.wait_all_tasks_blocked()
            await one.tell(Twin.crash)

    assert outcomes == ["actor 'other' ended while it handled the message"]


async def test_a_link_to_an_actor_that_has_ended_ends_the_one_that_asked_for_it() -> None:
    reasons: list[ExitReason] = []

    async with ActorSystem() as system:
        dead = await system.spawn(lambda: Twin([]), name="dead")
        await system.stop(dead)
        late = await system.spawn(lambda: Twin(reasons), restart="temporary")
        await late.tell(Twin.link, dead)
        await system.down(late)

    assert [str(reason.error) for reason in reasons if isinstance(reason, Crashed)] == [
        "linked actor 'dead' ended: not running"
    ]


async def test_a_cancelled_link_binds_nobody() -> None:
    async with ActorSystem() as system:
        one = await system.spawn(lambda: Twin([]))
        other = await system.spawn(lambda: Twin([]))
        await one.ask(Twin.link_and_part, other)
        with pytest.raises(ActorCrashed):
            await one.ask(Twin.crash)

        assert await other.ask(Twin.incarnation) == 1
