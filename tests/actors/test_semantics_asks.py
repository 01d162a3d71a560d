"""What docs/semantics.md says of asks: cycles, deadlines over several hops, stopping targets, deferred replies."""

from __future__ import annotations

from dataclasses import dataclass, field

import anyio
import pytest

from actorflow.actors.actor import Actor
from actorflow.actors.deferred import Deferred
from actorflow.actors.errors import ActorCrashed, ActorNotRunning, AskCycle
from actorflow.actors.handler import handler
from actorflow.actors.ref import ActorRef
from actorflow.actors.system import ActorSystem
from actorflow_supervisors.exit_reason import ExitReason

pytestmark = pytest.mark.anyio


@dataclass
class Meeting:
    """Two events that two actors set for each other."""

    here: anyio.Event = field(default_factory=anyio.Event)
    there: anyio.Event = field(default_factory=anyio.Event)


class Peer(Actor):
    @handler(raises=(AskCycle,))
    async def relay(self, then: tuple[ActorRef[Peer], ...]) -> str:
        """Ask the first of `then` to go on with the rest."""
        if not then:
            return self.context.path
        return await then[0].ask(Peer.relay, then[1:])

    @handler(raises=(AskCycle,))
    async def meet(self, other: ActorRef[Peer], here: anyio.Event, there: anyio.Event) -> str:
        here.set()
        await there.wait()
        return await other.ask(Peer.relay, ())

    @handler
    async def deadline(self, then: tuple[ActorRef[Peer], ...]) -> float:
        """The deadline that the last of `then` sees."""
        if not then:
            return self.context.deadline_s
        return await then[0].ask(Peer.deadline, then[1:])


async def test_16_a_cycle_of_asks_is_refused_at_once_and_names_its_path() -> None:
    async with ActorSystem() as system:
        a, b, c = [await system.spawn(Peer, name=name) for name in "abc"]
        with pytest.raises(AskCycle, match="'c' -> 'a' -> 'b' -> 'c'") as caught:
            await a.ask(Peer.relay, (b, c, a))

        assert caught.value.path == ("c", "a", "b", "c")
        assert await a.ask(Peer.relay, (b, c)) == "c"


async def test_16_an_actor_that_asks_itself_is_refused() -> None:
    async with ActorSystem() as system:
        a = await system.spawn(Peer, name="a")
        with pytest.raises(AskCycle) as caught:
            await a.ask(Peer.relay, (a,))

        assert caught.value.path == ("a", "a")


async def test_16_of_two_actors_that_ask_each_other_at_once_one_is_refused_and_the_other_answered() -> None:
    meeting = Meeting()
    outcomes: list[str] = []

    async def ask(ref: ActorRef[Peer], other: ActorRef[Peer], here: anyio.Event, there: anyio.Event) -> None:
        try:
            outcomes.append("reply of " + await ref.ask(Peer.meet, other, here, there))
        except AskCycle as error:
            outcomes.append(f"cycle of {len(set(error.path))}")

    async with ActorSystem() as system:
        a, b = await system.spawn(Peer, name="a"), await system.spawn(Peer, name="b")
        async with anyio.create_task_group() as group:
            group.start_soon(ask, a, b, meeting.here, meeting.there)
            group.start_soon(ask, b, a, meeting.there, meeting.here)

    assert sorted(outcome[:8] for outcome in outcomes) == ["cycle of", "reply of"]
    assert "cycle of 2" in outcomes


async def test_17_the_deadline_of_the_first_asker_is_seen_at_the_last_hop() -> None:
    async with ActorSystem() as system:
        one, two, three = [await system.spawn(Peer) for _ in range(3)]
        with anyio.fail_after(1_000) as scope:
            seen_s = await one.ask(Peer.deadline, (two, three))

    assert seen_s == scope.deadline


async def test_17_work_whose_time_is_over_is_never_begun_and_the_timeout_names_the_slow_hop() -> None:
    begun: list[str] = []

    class Slow(Peer):
        @handler
        async def pass_on(self, last: ActorRef[Last]) -> None:
            while anyio.current_time() < self.context.deadline_s:
                pass
            await last.ask(Last.work)

    class Last(Peer):
        @handler
        async def work(self) -> None:
            begun.append("work")

    class First(Peer):
        @handler
        async def pass_on(self, slow: ActorRef[Slow], last: ActorRef[Last]) -> None:
            await slow.ask(Slow.pass_on, last)

    async with ActorSystem() as system:
        first = await system.spawn(First, name="first")
        slow = await system.spawn(Slow, name="slow")
        last = await system.spawn(Last, name="last")
        with pytest.raises(TimeoutError) as caught:
            with anyio.fail_after(1e-3):
                await first.ask(First.pass_on, slow, last)
        await last.ask(Peer.relay, ())

    assert begun == []
    cancelled = caught.value.__context__
    assert cancelled is not None
    assert cancelled.__notes__[0].startswith("while waiting for pass_on of first -> slow")


async def test_11_a_child_that_asks_its_stopping_parent_is_refused_at_once_and_the_stop_goes_on() -> None:
    log: list[str] = []
    entered, asked = anyio.Event(), anyio.Event()

    class Child(Peer):
        @handler
        async def ask_parent(self, parent: ActorRef[Peer]) -> None:
            asked.set()
            try:
                await parent.ask(Peer.relay, ())
            except ActorNotRunning as error:
                log.append(str(error))

    class Parent(Peer):
        async def started(self) -> None:
            self.child = await self.context.spawn(Child)

        @handler
        async def work(self) -> None:
            await self.child.tell(Child.ask_parent, self.context.ref)
            entered.set()
            await anyio.sleep_forever()

        async def stopping(self, reason: ExitReason) -> None:
            log.append("parent stopped")

    async with ActorSystem() as system:
        parent = await system.spawn(Parent, name="parent", shutdown_s=None)
        await parent.tell(Parent.work)
        await entered.wait()
        await asked.wait()
        await anyio.wait_all_tasks_blocked()
        await system.stop(parent)

    assert log == ["actor 'parent' stopped before it handled the message", "parent stopped"]


class Desk(Actor):
    """Answers when it is told to."""

    def __init__(self) -> None:
        self.owed: list[Deferred[str]] = []

    @handler
    async def question(self) -> str:
        later: Deferred[str] = self.context.defer()
        self.owed.append(later)
        return later.hold()

    @handler
    async def answer(self, words: str) -> bool:
        later = self.owed.pop()
        later.reply(words)
        return later.wanted

    @handler
    async def crash(self) -> None:
        raise ValueError("boom")


async def test_a_deferred_reply_comes_while_the_actor_goes_on() -> None:
    answers: list[str] = []

    async def ask(ref: ActorRef[Desk]) -> None:
        answers.append(await ref.ask(Desk.question))

    async with ActorSystem() as system:
        desk = await system.spawn(Desk)
        async with anyio.create_task_group() as group:
            group.start_soon(ask, desk)
            await anyio.wait_all_tasks_blocked()
            assert not await desk.ask(Desk.answer, "42")

    assert answers == ["42"]


@pytest.mark.parametrize(("end", "error"), [("crash", ActorCrashed), ("stop", ActorNotRunning)])
async def test_a_deferred_reply_that_was_not_given_ends_with_its_incarnation(end: str, error: type[Exception]) -> None:
    outcomes: list[type[Exception]] = []

    async def ask(ref: ActorRef[Desk]) -> None:
        try:
            await ref.ask(Desk.question)
        except (ActorCrashed, ActorNotRunning) as raised:
            outcomes.append(type(raised))

    async with ActorSystem() as system:
        desk = await system.spawn(Desk)
        async with anyio.create_task_group() as group:
            group.start_soon(ask, desk)
            await anyio.wait_all_tasks_blocked()
            await (desk.tell(Desk.crash) if end == "crash" else system.stop(desk))

    assert outcomes == [error]


async def test_a_reply_that_comes_too_late_goes_nowhere() -> None:
    answers: list[str] = []

    async def ask(ref: ActorRef[Desk]) -> None:
        answers.append(await ref.ask(Desk.question))

    async with ActorSystem() as system:
        desk = await system.spawn(Desk)
        async with anyio.create_task_group() as group:
            group.start_soon(ask, desk)
            await anyio.wait_all_tasks_blocked()
            async with anyio.create_task_group() as impatient:
                impatient.start_soon(ask, desk)
                await anyio.wait_all_tasks_blocked()
                impatient.cancel_scope.cancel()
            await desk.ask(Desk.answer, "for the last one, which has gone")
            await desk.ask(Desk.answer, "for the first one")

    assert answers == ["for the first one"]
