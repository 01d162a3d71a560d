"""Messages of a placed actor on their way: as they were, in order, checked, whatever batch they travel in."""

from __future__ import annotations

import os
import signal
from typing import Any

import anyio
import pytest

from actorflow import ActorRef, ActorSystem, Mailbox, Subprocess
from actorflow.actors.ref import cell_of
from actorflow.errors import ActorCrashed, MessageRefused, UnknownHandler
from tests.actors.placement.crew import Clerk, Gate
from tests.actors.placement.scribe import Scribe
from tests.faults.leaks import leak_audit as leak_audit

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("leak_audit")]

AT_THE_EDGE = [
    *(0, -1, 2**63 - 1, -(2**63), 2**64 - 1),  # what msgpack has a form for
    *(2**64, -(2**63) - 1, 2**5000),
    *("", "x" * 4096, "x" * 4097, "\ud800", "é" * 5000),
    *(b"", b"y" * 4096, b"y" * 4097, b"y" * 70_000),
    *(None, True, False, 0.0, 1e308, float("inf")),
    *((1, 2), [1, [2]], {"a": 1}, {1: "a"}, {1, 2}),
]


async def test_arguments_and_replies_are_what_they_were_plain_or_not_and_named_or_not() -> None:
    async with ActorSystem() as system:
        scribe = await system.spawn(Scribe, placement=Subprocess())

        for value in AT_THE_EDGE:
            assert repr(await scribe.ask(Scribe.echo, value)) == repr(value)
            assert repr(await scribe.ask(Scribe.echo, value=value)) == repr(value)


async def test_plain_messages_and_others_keep_their_order_through_any_number_of_batches() -> None:
    lines: list[Any] = [number if number % 3 else [number, b"b" * (number * 50)] for number in range(1500)]
    async with ActorSystem() as system:
        scribe = await system.spawn(Scribe, placement=Subprocess(window=100), mailbox=Mailbox(300))

        for line in lines[:-1]:
            await scribe.tell(Scribe.writes, line)
        count = await scribe.ask(Scribe.writes, lines[-1])

        assert count == len(lines)
        assert await scribe.ask(Scribe.reads) == lines


async def test_many_askers_at_once_get_each_their_own_answer() -> None:
    answers: dict[int, float] = {}
    async with ActorSystem() as system:
        scribe = await system.spawn(Scribe, placement=Subprocess(window=50))

        async def asks(number: int) -> None:
            for turn in range(10):
                answers[number * 10 + turn] = await scribe.ask(Scribe.halves, number * 10 + turn)

        async with anyio.create_task_group() as tasks:
            for number in range(150):
                tasks.start_soon(asks, number)

    assert answers == {number: number / 2 for number in range(1500)}


async def test_what_was_told_is_what_it_was_when_it_was_told() -> None:
    async with ActorSystem() as system:
        scribe = await system.spawn(Scribe, placement=Subprocess())
        line = ["first"]

        await scribe.tell(Scribe.writes, line)
        line.append("second")

        assert await scribe.ask(Scribe.reads) == [["first"]]


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        (("1",), {}),
        ((True,), {}),
        ((1.0,), {}),
        ((None,), {}),
        ((), {}),
        ((1, 2, 3), {}),
        ((1,), {"number": 1}),
        ((1,), {"by": 2.0}),
        ((1,), {"with": 2}),
    ],
)
async def test_plain_arguments_that_do_not_fit_are_refused_and_the_next_ones_are_not(args: Any, kwargs: Any) -> None:
    ask: Any
    async with ActorSystem() as system:
        scribe = await system.spawn(Scribe, placement=Subprocess())
        ask = scribe.ask

        with pytest.raises(MessageRefused, match="do not fit halves"):
            await ask(Scribe.halves, *args, **kwargs)

        assert await scribe.ask(Scribe.halves, 4, by=4) == 1.0


async def test_a_handler_that_it_lacks_is_named() -> None:
    async with ActorSystem() as system:
        scribe: Any = await system.spawn(Scribe, placement=Subprocess())

        with pytest.raises(UnknownHandler, match="sell"):
            await scribe.ask(Clerk.sell)

        assert await scribe.ask(Scribe.echo, 1) == 1


async def arrived(gate: ActorRef[Gate]) -> None:
    """Return once a handler has said to `gate` that it is there."""
    actor: Any = cell_of(gate).actor
    await actor.arrived.wait()


async def test_of_a_batch_that_its_process_left_behind_only_the_message_in_hand_is_lost() -> None:
    """Plain ones and others, which were under way together when the process was killed."""
    after = [number if number % 2 else [number] for number in range(40)]
    async with ActorSystem() as system:
        gate = await system.spawn(Gate)
        clerk = await system.spawn(Clerk, placement=Subprocess())
        pid = await clerk.ask(Clerk.pid)
        heard: list[Any] = []
        in_hand: list[type] = []

        async def asks_holds() -> None:
            try:
                await clerk.ask(Clerk.holds, gate)
            except ActorCrashed as error:
                in_hand.append(type(error))

        async def asks_echo(value: Any) -> None:
            heard.append((value, await clerk.ask(Clerk.echo, value)))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(asks_holds)
            await arrived(gate)
            for value in after:
                tasks.start_soon(asks_echo, value)
            await anyio.wait_all_tasks_blocked()
            os.kill(pid, signal.SIGKILL)

        assert in_hand == [ActorCrashed]
        assert sorted(heard, key=repr) == sorted([(value, value) for value in after], key=repr)
        assert await clerk.ask(Clerk.pid) != pid
