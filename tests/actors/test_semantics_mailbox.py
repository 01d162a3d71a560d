"""What docs/semantics.md says of mailboxes: bounds, order, what is dropped, and what a crash leaves in them."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from functools import partial

import anyio
import pytest

from actorflow.actors.actor import Actor
from actorflow.actors.dead_letters import (
    KEPT,
    LOG_PAUSE_S,
    LOGGED_AT_ONCE,
    DeadLetter,
    DeadLetterReason,
    DeadLetters,
)
from actorflow.actors.errors import ActorCrashed, MailboxFull
from actorflow.actors.handler import handler
from actorflow.actors.mailbox import Mailbox
from actorflow.actors.ref import ActorRef
from actorflow.actors.system import ActorSystem
from actorflow.testing.clock import Backend, virtual_backend
from actorflow_supervisors.backoff import Backoff

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> Backend:
    return virtual_backend(request.param)


@dataclass
class Hold:
    """Keeps an actor at one message until the test lets it go."""

    entered: anyio.Event = field(default_factory=anyio.Event)
    release: anyio.Event = field(default_factory=anyio.Event)


class Recorder(Actor):
    """Notes what it handles, in a log that outlives its incarnations."""

    def __init__(self, log: list[str]) -> None:
        self.log = log

    @handler
    async def note(self, word: str) -> str:
        self.log.append(f"{word}#{self.context.incarnation}")
        return word

    @handler
    async def crash(self) -> None:
        raise ValueError("boom")

    @handler
    async def hold(self, hold: Hold) -> None:
        hold.entered.set()
        await hold.release.wait()

    @handler
    async def same(self, thing: list[str]) -> list[str]:
        return thing


async def busy(ref: ActorRef[Recorder]) -> Hold:
    hold = Hold()
    await ref.tell(Recorder.hold, hold)
    await hold.entered.wait()
    return hold


async def note(ref: ActorRef[Recorder], word: str) -> None:
    await ref.tell(Recorder.note, word)


async def test_arguments_and_replies_are_the_very_objects_that_were_sent() -> None:
    thing: list[str] = []
    async with ActorSystem() as system:
        ref = await system.spawn(partial(Recorder, []))

        assert await ref.ask(Recorder.same, thing) is thing


async def test_a_tell_to_a_full_mailbox_waits_for_room_and_overtakes_nobody() -> None:
    log: list[str] = []
    async with ActorSystem(mailbox=Mailbox(1)) as system, anyio.create_task_group() as group:
        ref = await system.spawn(partial(Recorder, log))
        hold = await busy(ref)
        for word in "abc":
            group.start_soon(note, ref, word)
            await anyio.wait_all_tasks_blocked()

        assert system.tree()[0].queued_messages == 3
        hold.release.set()
        await ref.ask(Recorder.note, "d")

    assert log == ["a#1", "b#1", "c#1", "d#1"]


async def test_a_tell_that_is_cancelled_while_it_waits_for_room_leaves_nothing_behind() -> None:
    log: list[str] = []
    async with ActorSystem(mailbox=Mailbox(1)) as system:
        ref = await system.spawn(partial(Recorder, log))
        hold = await busy(ref)
        await ref.tell(Recorder.note, "first")
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as group:
                group.start_soon(note, ref, "given up")
                await anyio.wait_all_tasks_blocked()
                scope.cancel()
        hold.release.set()
        await ref.ask(Recorder.note, "last")

    assert log == ["first#1", "last#1"]


async def test_try_tell_never_waits() -> None:
    log: list[str] = []
    async with ActorSystem(mailbox=Mailbox(1)) as system:
        ref = await system.spawn(partial(Recorder, log))
        hold = await busy(ref)

        assert ref.try_tell(Recorder.note, "fits")
        assert not ref.try_tell(Recorder.note, "does not")
        hold.release.set()
        await ref.ask(Recorder.note, "last")

    assert log == ["fits#1", "last#1"]


async def test_messages_of_each_sender_are_handled_in_the_order_sent_however_small_the_mailbox() -> None:
    log: list[str] = []

    async def send(ref: ActorRef[Recorder], name: str) -> None:
        for number in range(50):
            await ref.tell(Recorder.note, f"{name}{number}")

    async with ActorSystem(mailbox=Mailbox(3)) as system:
        ref = await system.spawn(partial(Recorder, log))
        async with anyio.create_task_group() as group:
            for name in "xyz":
                group.start_soon(send, ref, name)
        await ref.ask(Recorder.note, "end")

    for name in "xyz":
        assert [line for line in log if line.startswith(name)] == [f"{name}{number}#1" for number in range(50)]


@pytest.mark.parametrize(
    ("overflow", "handled", "reason", "refused"),
    [
        ("drop_newest", ["a#1", "b#1"], DeadLetterReason.dropped_newest, ["d"]),
        ("drop_oldest", ["c#1", "d#1"], DeadLetterReason.dropped_oldest, []),
        ("fail", ["a#1", "b#1"], None, ["c", "d"]),
    ],
)
async def test_a_full_mailbox_does_as_its_overflow_says(
    overflow: str, handled: list[str], reason: DeadLetterReason | None, refused: list[str]
) -> None:
    log: list[str] = []
    full: list[str] = []

    async def ask(word: str) -> None:
        try:
            await ref.ask(Recorder.note, word)
        except MailboxFull:
            full.append(word)

    async with ActorSystem(mailbox=Mailbox(2, overflow)) as system, anyio.create_task_group() as group:  # type: ignore[arg-type]  # pyright: ignore
        ref = await system.spawn(partial(Recorder, log))
        hold = await busy(ref)
        for word in "ab":
            await ref.tell(Recorder.note, word)
        try:
            await ref.tell(Recorder.note, "c")
        except MailboxFull:
            full.append("c")
        group.start_soon(ask, "d")
        await anyio.wait_all_tasks_blocked()
        hold.release.set()
        await anyio.wait_all_tasks_blocked()

        assert log == handled
        assert full == refused
        assert system.dead_letters.counts == ({} if reason is None else {reason: 2})


async def test_an_ask_that_is_dropped_for_a_newer_message_gets_mailbox_full() -> None:
    outcomes: list[str] = []

    async def ask(ref: ActorRef[Recorder]) -> None:
        with pytest.raises(MailboxFull, match=r"full \(1 of 1 messages, overflow 'drop_oldest'\)"):
            await ref.ask(Recorder.note, "old")
        outcomes.append("told")

    async with ActorSystem(mailbox=Mailbox(1, "drop_oldest")) as system, anyio.create_task_group() as group:
        ref = await system.spawn(partial(Recorder, []))
        hold = await busy(ref)
        group.start_soon(ask, ref)
        await anyio.wait_all_tasks_blocked()
        await ref.tell(Recorder.note, "new")
        await anyio.wait_all_tasks_blocked()

        assert outcomes == ["told"]
        hold.release.set()


async def test_2_a_crash_on_one_message_leaves_the_rest_to_the_next_incarnation_in_order_and_once() -> None:
    log: list[str] = []
    crashes: list[str] = []

    async def ask_crash(ref: ActorRef[Recorder]) -> None:
        with pytest.raises(ActorCrashed, match="ValueError: boom"):
            await ref.ask(Recorder.crash)
        crashes.append("told")

    async with ActorSystem() as system, anyio.create_task_group() as group:
        ref = await system.spawn(partial(Recorder, log))
        hold = await busy(ref)
        for word in "ab":
            await ref.tell(Recorder.note, word)
        group.start_soon(ask_crash, ref)
        await anyio.wait_all_tasks_blocked()
        for word in "cde":
            await ref.tell(Recorder.note, word)
        hold.release.set()
        await ref.ask(Recorder.note, "f")

    assert log == ["a#1", "b#1", "c#2", "d#2", "e#2", "f#2"]
    assert crashes == ["told"]


async def test_9_what_waits_in_the_mailbox_survives_crash_after_crash() -> None:
    log: list[str] = []
    backoff = Backoff(base_s=1.0, cap_s=1.0, jitter=0.0)

    async with ActorSystem(backoff=backoff) as system:
        ref = await system.spawn(partial(Recorder, log))
        hold = await busy(ref)
        for method in (Recorder.crash, Recorder.crash, Recorder.crash):
            await ref.tell(method)
        for word in "abc":
            await ref.tell(Recorder.note, word)
        hold.release.set()
        await ref.ask(Recorder.note, "d")

        assert log == ["a#4", "b#4", "c#4", "d#4"]
        assert system.dead_letters.counts == {DeadLetterReason.crashed: 3}


async def test_12_start_up_work_may_send_to_itself_and_to_its_parent_through_mailboxes_of_one() -> None:
    log: list[str] = []

    class Child(Recorder):
        def __init__(self, log: list[str], parent: ActorRef[Recorder]) -> None:
            super().__init__(log)
            self.parent = parent

        async def started(self) -> None:
            await self.context.ref.tell(Recorder.note, "child to itself")
            await self.parent.tell(Recorder.note, "child to parent")

    class Parent(Recorder):
        async def started(self) -> None:
            await self.context.spawn(partial(Child, self.log, self.context.ref))

    async with ActorSystem(mailbox=Mailbox(1)) as system:
        await system.spawn(partial(Parent, log))
        await anyio.wait_all_tasks_blocked()

    assert sorted(log) == ["child to itself#1", "child to parent#1"]


async def test_a_long_backlog_starves_neither_a_neighbour_nor_a_stop() -> None:
    log: list[str] = []
    sent = 5_000

    async with ActorSystem(mailbox=Mailbox(sent)) as system:
        neighbour = await system.spawn(partial(Recorder, []))
        ref = await system.spawn(partial(Recorder, log))
        assert all(ref.try_tell(Recorder.note, "x") for _ in range(sent))
        await neighbour.ask(Recorder.note, "hello")
        handled_when_answered = len(log)
        await system.stop(ref)

        assert handled_when_answered < sent
        assert system.dead_letters.counts == {DeadLetterReason.stopping: sent - len(log)}


async def test_an_actor_that_sends_to_its_own_full_mailbox_is_told_so_and_does_not_wait_for_ever() -> None:
    class Spammer(Actor):
        @handler(raises=(MailboxFull,))
        async def spam(self) -> None:
            await self.context.ref.tell(Spammer.nothing)
            await self.context.ref.tell(Spammer.nothing)

        @handler
        async def nothing(self) -> None:
            pass

    async with ActorSystem(mailbox=Mailbox(1)) as system:
        ref = await system.spawn(Spammer, name="spammer")
        with pytest.raises(MailboxFull, match="sends to itself, so no room could ever come; use try_tell"):
            await ref.ask(Spammer.spam)

        await ref.ask(Spammer.nothing)


async def test_dead_letters_are_told_to_subscribers_until_they_leave() -> None:
    seen: list[DeadLetter] = []
    async with ActorSystem() as system:
        ref = await system.spawn(partial(Recorder, []), name="gone")
        await system.stop(ref)
        leave = system.dead_letters.subscribe(seen.append)
        await ref.tell(Recorder.note, "one")
        leave()
        await ref.tell(Recorder.note, "two")

        assert seen == [DeadLetter(actor="gone", handler="note", reason=DeadLetterReason.not_running)]
        assert system.dead_letters.count == 2


def test_dead_letters_are_all_counted_the_latest_kept_and_the_log_falls_silent(
    caplog: pytest.LogCaptureFixture,
) -> None:
    now_s = 0.0
    letters = DeadLetters(lambda: now_s)
    letter = DeadLetter(actor="a", handler="h", reason=DeadLetterReason.crashed)
    with caplog.at_level(logging.WARNING, "actorflow.actors"):
        for _ in range(KEPT + 1):
            letters.add(letter)
        logged_at_once = len(caplog.records)
        now_s = LOG_PAUSE_S
        letters.add(letter)

    assert letters.count == KEPT + 2
    assert len(letters.recent) == KEPT
    assert logged_at_once == LOGGED_AT_ONCE
    assert [record.getMessage() for record in caplog.records[LOGGED_AT_ONCE:]] == [
        f"{KEPT + 1 - LOGGED_AT_ONCE} dead letters were left out of the log",
        "dead letter (crashed): h to a",
    ]
