"""Messages that are set aside: bounded, in order, with their askers and deadlines, and kept over a crash."""

from __future__ import annotations

from functools import partial

import anyio
import pytest

from actorflow.actors.actor import Actor
from actorflow.actors.dead_letters import DeadLetterReason
from actorflow.actors.errors import ActorCrashed, ActorNotRunning, AskTimeout, StashFull
from actorflow.actors.handler import handler
from actorflow.actors.mailbox import Mailbox
from actorflow.actors.ref import ActorRef
from actorflow.actors.system import ActorSystem
from actorflow.testing.clock import Backend, virtual_backend

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> Backend:
    return virtual_backend(request.param)


class Store(Actor):
    """Writes once it is connected; sets aside what comes before."""

    def __init__(self, log: list[str]) -> None:
        self.log = log
        self.connected = False

    @handler
    async def connect(self) -> None:
        self.connected = True
        self.context.unstash_all()

    @handler(raises=(StashFull,))
    async def write(self, row: str) -> int:
        if not self.connected:
            self.context.stash()
        self.log.append(f"{row}#{self.context.incarnation}")
        return len(self.log)

    @handler
    async def write_in_a_group(self, row: str) -> int:
        async def wait_until_connected() -> None:
            if not self.connected:
                self.context.stash()

        async with anyio.create_task_group() as group:
            group.start_soon(wait_until_connected)
        return await self.write(row)

    @handler
    async def crash(self) -> None:
        raise ValueError("boom")


async def ask(ref: ActorRef[Store], row: str, outcomes: list[object]) -> None:
    try:
        outcomes.append(await ref.ask(Store.write, row))
    except (ActorNotRunning, AskTimeout) as error:
        outcomes.append(type(error))


async def test_what_is_set_aside_is_handled_next_in_the_order_in_which_it_came() -> None:
    log: list[str] = []
    outcomes: list[object] = []
    async with ActorSystem() as system, anyio.create_task_group() as group:
        store = await system.spawn(partial(Store, log))
        await store.tell(Store.write, "a")
        group.start_soon(ask, store, "b", outcomes)
        await anyio.wait_all_tasks_blocked()
        assert log == []
        assert system.tree()[0].queued_messages == 2
        await store.tell(Store.connect)
        await store.tell(Store.write, "c")
        await store.ask(Store.write, "d")

    assert log == ["a#1", "b#1", "c#1", "d#1"]
    assert outcomes == [2]


async def test_a_message_is_set_aside_from_within_a_task_group_too() -> None:
    log: list[str] = []
    async with ActorSystem() as system:
        store = await system.spawn(partial(Store, log))
        await store.tell(Store.write_in_a_group, "a")
        await store.ask(Store.connect)
        await store.ask(Store.write, "b")

    assert log == ["a#1", "b#1"]


async def test_no_more_are_set_aside_than_the_mailbox_holds() -> None:
    async with ActorSystem() as system:
        store = await system.spawn(partial(Store, []), name="store", mailbox=Mailbox(2))
        for row in "ab":
            await store.tell(Store.write, row)
        with pytest.raises(StashFull, match=r"stash of 'store' is full \(2 of 2 messages\); unstash_all\(\) in time"):
            await store.ask(Store.write, "c")

        await store.ask(Store.connect)
        assert await store.ask(Store.write, "d") == 3


async def test_what_is_set_aside_survives_a_crash_and_comes_before_what_waits() -> None:
    log: list[str] = []
    outcomes: list[object] = []
    async with ActorSystem() as system, anyio.create_task_group() as group:
        store = await system.spawn(partial(Store, log))
        group.start_soon(ask, store, "a", outcomes)
        await anyio.wait_all_tasks_blocked()
        await store.tell(Store.crash)
        await store.tell(Store.write, "b")
        await store.tell(Store.connect)

    assert log == ["a#2", "b#2"]
    assert outcomes == [1]
    assert system.dead_letters.counts == {DeadLetterReason.crashed: 1}


async def test_the_askers_of_what_is_set_aside_are_told_at_once_when_the_actor_is_stopped() -> None:
    outcomes: list[object] = []
    async with ActorSystem() as system, anyio.create_task_group() as group:
        store = await system.spawn(partial(Store, []))
        group.start_soon(ask, store, "a", outcomes)
        await store.tell(Store.write, "b")
        await anyio.wait_all_tasks_blocked()
        await system.stop(store)

    assert outcomes == [ActorNotRunning]
    assert system.dead_letters.counts == {DeadLetterReason.stopping: 2}


async def test_an_ask_that_is_set_aside_keeps_its_deadline_and_is_skipped_after_it() -> None:
    log: list[str] = []
    async with ActorSystem(ask_timeout_s=10.0) as system:
        store = await system.spawn(partial(Store, log))
        with pytest.raises(AskTimeout):
            await store.ask(Store.write, "a")
        with anyio.move_on_after(1.0):
            await store.ask(Store.write, "b")
        await store.ask(Store.connect)
        await store.ask(Store.write, "c")

    assert log == ["c#1"]


async def test_only_a_handler_can_set_its_message_aside() -> None:
    class Hasty(Store):
        async def started(self) -> None:
            self.context.stash()

    async with ActorSystem() as system:
        with pytest.raises(Exception, match="has no message in hand to stash"):
            await system.spawn(partial(Hasty, []))


async def test_a_stash_that_is_not_let_out_of_the_handler_sets_nothing_aside() -> None:
    class Careless(Store):
        @handler
        async def swallow(self) -> str:
            try:
                self.context.stash()
            except Exception as error:
                return type(error).__name__

    async with ActorSystem() as system:
        ref = await system.spawn(partial(Careless, []))

        assert await ref.ask(Careless.swallow) == "SetAside"
        with pytest.raises(ActorCrashed):
            await ref.ask(Careless.crash)
