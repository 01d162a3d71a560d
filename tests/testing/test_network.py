"""Partitions: what is sent meanwhile is held or lost, and between whole nodes every promise of a connection is kept."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio
import pytest

from actorflow.testing import Event, EventKind, TestKit
from actorflow.testing.transports import CHECKS, Check, Subject
from actorflow_transports import Connection, ConnectionClosed, ConnectionOptions, ConnectRefused, EndOfItems
from actorflow_transports.address import Address
from actorflow_transports.errors import AddressInUse

pytestmark = pytest.mark.anyio

HERE = Address("inproc", "b")
OPTIONS = ConnectionOptions()


@asynccontextmanager
async def nodes_a_and_b(
    kit: TestKit, options: ConnectionOptions = OPTIONS
) -> AsyncGenerator[tuple[Connection, Connection]]:
    """Both ends of a connection from node a to node b."""
    async with (
        await kit.node("b").listen(HERE, options) as listener,
        await kit.node("a").connect(HERE, options) as near,
        await listener.accept() as far,
    ):
        yield near, far


@asynccontextmanager
async def pair(options: ConnectionOptions) -> AsyncGenerator[tuple[Connection, Connection]]:
    async with TestKit() as kit, nodes_a_and_b(kit, options) as ends:
        yield ends


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_between_whole_nodes_a_connection_keeps_its_promises(check: Check) -> None:
    await check(Subject(pair))


async def receive_all(connection: Connection, into: list[object]) -> None:
    async for item in connection:
        into.append(item)  # noqa: PERF401 - seen one by one


@pytest.mark.parametrize(("loss", "arrived"), [("hold", [1, 2, 3, 4]), ("drop", [1, 4])])
async def test_items_sent_into_a_partition_are_held_or_dropped(loss: str, arrived: list[object]) -> None:
    received: list[object] = []
    async with TestKit() as kit, nodes_a_and_b(kit) as (near, far), anyio.create_task_group() as tasks:
        tasks.start_soon(receive_all, far, received)
        await near.send(1)
        await kit.settle()
        kit.partition("a", "b", loss="drop" if loss == "drop" else "hold")
        await near.send(2)
        await near.send(3)
        await kit.settle()
        assert received == [1]

        kit.heal("a", "b")
        await near.send(4)
        near.end()

    assert received == arrived


async def test_21_after_a_partition_of_5_s_and_its_heal_every_item_arrives_once_and_in_order() -> None:
    received: list[object] = []
    async with TestKit() as kit, nodes_a_and_b(kit) as (near, far), anyio.create_task_group() as tasks:
        tasks.start_soon(receive_all, far, received)
        for number in range(6):
            if number == 1:
                kit.partition("a", "b")
            await near.send(number)
            await kit.advance(1)
        assert received == [0]

        kit.heal("a", "b")
        near.end()

    assert received == list(range(6))


async def test_a_partition_cuts_both_ways_and_no_other_node() -> None:
    async with TestKit() as kit, nodes_a_and_b(kit) as (near, far):
        kit.partition("b", "a", loss="drop")
        kit.partition("a", "c")
        await far.send("to a")
        await kit.settle()
        kit.heal("a", "b")
        await far.send("to a again")

        assert await near.receive() == "to a again"


async def test_a_sender_waits_when_a_partition_that_holds_is_full() -> None:
    async with TestKit() as kit, nodes_a_and_b(kit, ConnectionOptions(max_queued_items=4)) as (near, _):
        kit.partition("a", "b")

        sent = 0
        with anyio.move_on_after(60):
            while True:
                await near.send(sent)
                sent += 1

        assert 4 <= sent <= 5


async def test_the_end_of_a_connection_is_seen_only_after_the_heal() -> None:
    async with TestKit() as kit, nodes_a_and_b(kit) as (near, far):
        kit.partition("a", "b")
        near.close()
        with anyio.move_on_after(60) as waited:
            await far.receive()
        kit.heal("a", "b")

        assert waited.cancelled_caught
        with pytest.raises(EndOfItems):
            await far.receive()


async def test_connecting_waits_for_the_heal() -> None:
    async with TestKit() as kit, await kit.node("b").listen(HERE, OPTIONS) as listener:
        kit.partition("a", "b")
        with anyio.move_on_after(60) as waited:
            await kit.node("a").connect(HERE, OPTIONS)
        kit.heal("a", "b")
        async with await kit.node("a").connect(HERE, OPTIONS), await listener.accept() as far:
            assert far.peer

        assert waited.cancelled_caught


async def test_nobody_listening_is_refused_and_an_address_is_given_once() -> None:
    async with TestKit() as kit:
        with pytest.raises(ConnectRefused, match="nobody listens"):
            await kit.node("a").connect(HERE, OPTIONS)
        async with await kit.node("b").listen(HERE, OPTIONS):
            with pytest.raises(AddressInUse):
                await kit.node("c").listen(HERE, OPTIONS)
        async with await kit.node("c").listen(HERE, OPTIONS) as again:
            assert again.address == HERE


async def test_a_closed_listener_wakes_who_accepts() -> None:
    async with TestKit() as kit, anyio.create_task_group() as tasks:
        listener = await kit.node("b").listen(HERE, OPTIONS)

        async def accept() -> None:
            with pytest.raises(ConnectionClosed):
                await listener.accept()

        tasks.start_soon(accept)
        await kit.settle()
        listener.close()


async def test_a_partition_and_its_heal_are_logged() -> None:
    async with TestKit() as kit:
        kit.partition("a", "b", loss="drop")
        await kit.advance(5)
        kit.heal("a", "b")

        assert kit.log == (
            Event(0.0, EventKind.partitioned, "a | b", "drop"),
            Event(5.0, EventKind.healed, "a | b", ""),
        )


async def test_a_node_is_never_cut_off_from_itself() -> None:
    async with TestKit() as kit:
        with pytest.raises(ValueError, match="cannot be partitioned from itself"):
            kit.partition("a", "a")
