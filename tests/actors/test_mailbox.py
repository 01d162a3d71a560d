"""Mailboxes are bounded, keep their order, and lose nothing unseen."""

from __future__ import annotations

import weakref
from collections.abc import Awaitable, Callable

import anyio
import pytest

from actorflow.actors.actor import Actor
from actorflow.actors.dead_letters import DeadLetter, DeadLetterReason
from actorflow.actors.errors import ActorNotRunning, MailboxFull
from actorflow.actors.handler import handler
from actorflow.actors.mailbox import Mailbox
from actorflow.actors.ref import ActorRef, cell_of
from actorflow.actors.system import ActorSystem

pytestmark = pytest.mark.anyio


class Gate(Actor):
    """Notes what it is told, once the test opens it."""

    def __init__(self) -> None:
        self.log: list[int] = []
        self.entered = anyio.Event()
        self.open = anyio.Event()

    @handler
    async def wait(self) -> None:
        self.entered.set()
        await self.open.wait()

    @handler
    async def note(self, number: int) -> int:
        self.log.append(number)
        return number


async def closed_gate(system: ActorSystem, gate: Gate, mailbox: Mailbox) -> ActorRef[Gate]:
    ref = await system.spawn(lambda: gate, name="gate", mailbox=mailbox)
    await ref.tell(Gate.wait)
    await gate.entered.wait()
    return ref


async def record(outcomes: list[str], action: Callable[[], Awaitable[object]]) -> None:
    try:
        outcomes.append(repr(await action()))
    except Exception as error:
        outcomes.append(type(error).__name__)


async def test_a_tell_to_a_full_mailbox_waits_and_keeps_the_order() -> None:
    gate = Gate()

    async def tell_all(ref: ActorRef[Gate]) -> None:
        for number in range(10):
            await ref.tell(Gate.note, number)

    async with ActorSystem() as system:
        ref = await closed_gate(system, gate, Mailbox(2))
        async with anyio.create_task_group() as group:
            group.start_soon(tell_all, ref)
            await anyio.wait_all_tasks_blocked()
            assert system.tree()[0].queued_messages == 3
            gate.open.set()
        await ref.ask(Gate.note, 10)

    assert gate.log == list(range(11))
    assert system.dead_letters.count == 0


async def test_a_sender_that_waits_is_not_overtaken_by_a_later_one() -> None:
    gate = Gate()

    async with ActorSystem() as system, anyio.create_task_group() as group:
        ref = await closed_gate(system, gate, Mailbox(1))

        async def tell(number: int) -> None:
            await ref.tell(Gate.note, number)

        for number in range(5):
            group.start_soon(tell, number)
            await anyio.wait_all_tasks_blocked()
        gate.open.set()

    assert gate.log == list(range(5))


async def test_a_tell_that_is_cancelled_while_it_waits_leaves_no_message() -> None:
    gate = Gate()

    async with ActorSystem() as system:
        ref = await closed_gate(system, gate, Mailbox(1))
        await ref.tell(Gate.note, 1)
        with anyio.move_on_after(0):
            await ref.tell(Gate.note, 2)
        gate.open.set()
        await ref.ask(Gate.note, 3)

    assert gate.log == [1, 3]


async def test_an_ask_that_is_cancelled_while_it_waits_for_room_leaves_no_message() -> None:
    gate = Gate()

    async with ActorSystem() as system:
        ref = await closed_gate(system, gate, Mailbox(1))
        await ref.tell(Gate.note, 1)
        with anyio.move_on_after(0):
            await ref.ask(Gate.note, 2)
        gate.open.set()
        await ref.ask(Gate.note, 3)

    assert gate.log == [1, 3]


async def test_an_ask_that_is_cancelled_just_as_it_is_taken_in_is_skipped() -> None:
    gate = Gate()

    async with ActorSystem() as system:
        ref = await closed_gate(system, gate, Mailbox(1))
        await ref.tell(Gate.note, 1)
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as group:
                group.start_soon(lambda: ref.ask(Gate.note, 2))
                await anyio.wait_all_tasks_blocked()
                cell_of(ref).inbox.drop_oldest()
                cell_of(ref).inbox.take_in()
                scope.cancel()
        gate.open.set()
        await ref.ask(Gate.note, 3)

    assert gate.log == [3]


async def test_a_sender_that_waits_is_let_in_when_a_restart_empties_the_mailbox() -> None:
    gate = Gate()
    outcomes: list[str] = []

    class Crashing(Gate):
        @handler
        async def crash(self) -> None:
            gate.entered.set()
            await gate.open.wait()
            raise ValueError("now")

    async with ActorSystem() as system, anyio.create_task_group() as group:
        ref = await system.spawn(Crashing, mailbox=Mailbox(1))
        await ref.tell(Crashing.crash)
        await gate.entered.wait()
        impatient = ref.options(on_restarting="fail")
        group.start_soon(record, outcomes, lambda: impatient.ask(Gate.note, 1))
        await anyio.wait_all_tasks_blocked()
        group.start_soon(record, outcomes, lambda: ref.ask(Gate.note, 2))
        await anyio.wait_all_tasks_blocked()
        gate.open.set()

    assert sorted(outcomes) == ["2", "ActorRestarting"]


async def test_try_tell_says_whether_there_was_room() -> None:
    gate = Gate()

    async with ActorSystem() as system:
        ref = await closed_gate(system, gate, Mailbox(2))
        said = [ref.try_tell(Gate.note, number) for number in range(3)]
        gate.open.set()
        await ref.ask(Gate.note, 3)

    assert said == [True, True, False]
    assert gate.log == [0, 1, 3]


async def test_drop_newest_drops_the_message_that_finds_no_room() -> None:
    gate = Gate()
    outcomes: list[str] = []

    async with ActorSystem() as system:
        ref = await closed_gate(system, gate, Mailbox(1, "drop_newest"))
        await ref.tell(Gate.note, 1)
        await ref.tell(Gate.note, 2)
        assert not ref.try_tell(Gate.note, 3)
        await record(outcomes, lambda: ref.ask(Gate.note, 4))
        gate.open.set()
        await anyio.wait_all_tasks_blocked()
        await ref.ask(Gate.note, 5)

    assert gate.log == [1, 5]
    assert outcomes == ["MailboxFull"]
    assert system.dead_letters.counts == {DeadLetterReason.dropped_newest: 3}


async def test_drop_oldest_drops_the_message_that_waited_longest_and_tells_its_asker() -> None:
    gate = Gate()
    outcomes: list[str] = []

    async with ActorSystem() as system, anyio.create_task_group() as group:
        ref = await closed_gate(system, gate, Mailbox(1, "drop_oldest"))
        group.start_soon(record, outcomes, lambda: ref.ask(Gate.note, 1))
        await anyio.wait_all_tasks_blocked()
        await ref.tell(Gate.note, 2)
        assert ref.try_tell(Gate.note, 3)
        gate.open.set()

    assert gate.log == [3]
    assert outcomes == ["MailboxFull"]
    assert system.dead_letters.counts == {DeadLetterReason.dropped_oldest: 2}


async def test_fail_raises_at_the_sender_and_names_the_bound() -> None:
    gate = Gate()

    async with ActorSystem() as system:
        ref = await closed_gate(system, gate, Mailbox(1, "fail"))
        await ref.tell(Gate.note, 1)
        with pytest.raises(MailboxFull, match=r"mailbox of 'gate' is full \(1 of 1 messages, overflow 'fail'\)"):
            await ref.tell(Gate.note, 2)
        with pytest.raises(MailboxFull):
            await ref.ask(Gate.note, 3)
        assert not ref.try_tell(Gate.note, 4)
        gate.open.set()

    assert system.dead_letters.counts == {DeadLetterReason.stopping: 1}


async def test_senders_that_wait_when_the_actor_stops_learn_of_it() -> None:
    gate = Gate()
    outcomes: list[str] = []

    async with ActorSystem() as system, anyio.create_task_group() as group:
        ref = await closed_gate(system, gate, Mailbox(1))
        await ref.tell(Gate.note, 1)
        group.start_soon(record, outcomes, lambda: ref.tell(Gate.note, 2))
        group.start_soon(record, outcomes, lambda: ref.ask(Gate.note, 3))
        await anyio.wait_all_tasks_blocked()
        await system.stop(ref)

    assert sorted(outcomes) == ["ActorNotRunning", "None"]
    assert system.dead_letters.counts == {DeadLetterReason.stopping: 3}


async def test_12_a_mailbox_of_one_with_start_up_work_for_itself_does_not_deadlock() -> None:
    class Starter(Actor):
        def __init__(self) -> None:
            self.steps = 0

        async def started(self) -> None:
            await self.context.ref.tell(Starter.step)

        @handler
        async def step(self) -> None:
            self.steps += 1

        @handler
        async def count(self) -> int:
            return self.steps

    async with ActorSystem(mailbox=Mailbox(1)) as system:
        starter = await system.spawn(Starter)

        assert await starter.ask(Starter.count) == 1


async def test_12_start_up_work_of_a_child_for_its_parent_does_not_deadlock() -> None:
    class Child(Actor):
        def __init__(self, parent: ActorRef[Parent]) -> None:
            self.parent = parent

        async def started(self) -> None:
            await self.parent.tell(Parent.hello)

    class Parent(Actor):
        def __init__(self) -> None:
            self.hellos = 0

        async def started(self) -> None:
            ref: ActorRef[Parent] = self.context.ref
            await self.context.spawn(lambda: Child(ref))

        @handler
        async def hello(self) -> None:
            self.hellos += 1

        @handler
        async def count(self) -> int:
            return self.hellos

    async with ActorSystem(mailbox=Mailbox(1)) as system:
        parent = await system.spawn(Parent)

        assert await parent.ask(Parent.count) == 1


async def test_15_a_fast_producer_is_held_back_by_a_slow_consumer_and_no_message_is_lost() -> None:
    depths: list[int] = []
    answered: list[int] = []

    class Slow(Actor):
        def __init__(self) -> None:
            self.seen = 0

        @handler
        async def take(self, number: int) -> None:
            assert number == self.seen
            self.seen += 1
            await anyio.lowlevel.checkpoint()

        @handler
        async def count(self) -> int:
            return self.seen

    async with ActorSystem(mailbox=Mailbox(16)) as system:
        slow = await system.spawn(Slow, name="slow")
        neighbour = await system.spawn(Slow, name="neighbour")
        for number in range(2_000):
            await slow.tell(Slow.take, number)
            depths.append(system.tree()[0].queued_messages)
            if number % 100 == 0:
                answered.append(await neighbour.ask(Slow.count))
        assert await slow.ask(Slow.count) == 2_000

    assert max(depths) <= 16
    assert len(answered) == 20


async def test_a_long_backlog_does_not_starve_a_neighbour() -> None:
    class Sink(Actor):
        def __init__(self) -> None:
            self.seen = 0

        @handler
        async def put(self) -> None:
            self.seen += 1

        @handler
        async def count(self) -> int:
            return self.seen

    async with ActorSystem(mailbox=Mailbox(100_000)) as system:
        busy = await system.spawn(Sink)
        neighbour = await system.spawn(Sink)
        for _ in range(20_000):
            busy.try_tell(Sink.put)
        await neighbour.ask(Sink.count)
        left = system.tree()[0].queued_messages

        assert left > 10_000


async def test_dead_letters_are_shown_to_subscribers_until_they_leave() -> None:
    seen: list[DeadLetter] = []

    async with ActorSystem() as system:
        ref = await system.spawn(Gate, name="gate")
        await system.stop(ref)
        leave = system.dead_letters.subscribe(seen.append)
        await ref.tell(Gate.note, 1)
        leave()
        leave()
        await ref.tell(Gate.note, 2)

    assert seen == [DeadLetter(actor="gate", handler="note", reason=DeadLetterReason.not_running)]
    assert system.dead_letters.count == 2


async def test_an_ask_to_a_stopped_actor_is_a_dead_letter_too() -> None:
    async with ActorSystem() as system:
        ref = await system.spawn(Gate)
        await system.stop(ref)
        with pytest.raises(ActorNotRunning):
            await ref.ask(Gate.note, 1)

        assert system.dead_letters.counts == {DeadLetterReason.not_running: 1}


async def test_an_idle_actor_keeps_nothing_of_the_last_message() -> None:
    class Payload:
        pass

    class Eater(Actor):
        @handler
        async def eat(self, payload: Payload, *, other: Payload) -> None: ...

        @handler
        async def eat_one(self, payload: Payload) -> None: ...

    freed: list[str] = []

    def payload(name: str) -> Payload:
        made = Payload()
        weakref.finalize(made, freed.append, name)
        return made

    async with ActorSystem() as system:
        eater = await system.spawn(Eater)
        await eater.tell(Eater.eat, payload("one"), other=payload("two"))
        await anyio.wait_all_tasks_blocked()
        assert sorted(freed) == ["one", "two"]
        await eater.ask(Eater.eat, payload("three"), other=payload("four"))
        await eater.tell(Eater.eat_one, payload("five"))
        await anyio.wait_all_tasks_blocked()

        assert sorted(freed) == ["five", "four", "one", "three", "two"]


def test_a_mailbox_holds_at_least_one_message() -> None:
    with pytest.raises(ValueError, match="capacity of a mailbox must be 1 or more, not 0"):
        Mailbox(0)
