"""The conformance kit for transports: what every Connection promises, as checks to run on yours.

    @pytest.mark.anyio
    @pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
    async def test_my_transport_keeps_its_promises(check: Check) -> None:
        await check(Subject(pair=my_pair))

A check returns, or raises AssertionError. None of them depends on how fast anything is.
"""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

import anyio
from anyio.lowlevel import checkpoint

from actorflow.actors.compress import expand, squeeze
from actorflow_transports import (
    BadFrame,
    BadItem,
    Connection,
    ConnectionClosed,
    ConnectionLost,
    ConnectionOptions,
    EndOfItems,
    FrameTooLarge,
    ReceiverBusy,
    TransportError,
)
from actorflow_transports.frame import COMPRESSED, header_of

Pair = Callable[[ConnectionOptions], AbstractAsyncContextManager[tuple[Connection, Connection]]]
"""Opens two connected ends, entered, and closes them."""

RawPair = Callable[[ConnectionOptions], AbstractAsyncContextManager[tuple[Connection, socket.socket]]]
"""Opens one end, entered, and the bare blocking socket at the other side of its wire."""


@dataclass(frozen=True, slots=True)
class Subject:
    """The transport under test; `raw_pair` for one over a socket."""

    pair: Pair
    raw_pair: RawPair | None = None


Check = Callable[[Subject], Awaitable[None]]
SMALL_QUEUE = ConnectionOptions(max_queued_bytes=4096, max_queued_items=8)
FILLER = b"f" * 1000
TEXT = b"".join(b"line %d of some text\n" % number for number in range(1000))


async def items_arrive_in_order_both_ways(subject: Subject) -> None:
    items = [number.to_bytes(4, "big") for number in range(2_000)]

    async def exchange(connection: Connection, received: list[bytes]) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_send_all, connection, items)
            received += [await connection.receive() for _ in items]

    async with subject.pair(ConnectionOptions()) as (here, there):
        at_here: list[bytes] = []
        at_there: list[bytes] = []
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(exchange, here, at_here)
            tasks.start_soon(exchange, there, at_there)

    assert at_here == items
    assert at_there == items


async def items_of_every_size_arrive_whole(subject: Subject) -> None:
    sizes = (0, 1, 5, 6, 16_383, 16_384, 16_385, 262_138, 262_144, 300_000, 0, 5_000_000, 1)
    items = [bytes([number]) * size for number, size in enumerate(sizes)]

    received: list[bytes] = []

    async with subject.pair(ConnectionOptions()) as (here, there), anyio.create_task_group() as tasks:
        tasks.start_soon(_send_all, here, items)
        received += [await there.receive() for _ in items]

    assert received == items


async def a_sender_waits_while_nobody_receives(subject: Subject) -> None:
    sent = held = 0
    received: list[bytes] = []

    async def send_for_ever(connection: Connection) -> None:
        nonlocal sent
        while True:
            await connection.send(sent.to_bytes(4, "big") + FILLER)
            sent += 1

    async with subject.pair(SMALL_QUEUE) as (here, there), anyio.create_task_group() as tasks:
        tasks.start_soon(send_for_ever, here)
        await anyio.wait_all_tasks_blocked()
        held = sent
        assert not here.try_send(FILLER), "a full connection took one more item"
        received += [await there.receive() for _ in range(held + 1)]
        tasks.cancel_scope.cancel()

    assert [int.from_bytes(item[:4], "big") for item in received] == list(range(held + 1))


async def a_full_connection_takes_items_again_once_some_are_received(subject: Subject) -> None:
    async with subject.pair(SMALL_QUEUE) as (here, there):
        held = await _fill(here)
        received = [await there.receive() for _ in range(held)]
        await here.send(b"next")
        last = await there.receive()

    assert received == [FILLER] * held
    assert last == b"next"


async def all_items_that_are_here_come_at_once_and_in_order(subject: Subject) -> None:
    items = [number.to_bytes(2, "big") for number in range(500)]
    received: list[bytes] = []
    calls = 0

    async with subject.pair(ConnectionOptions()) as (here, there):
        await _send_all(here, items)
        await here.drain()
        here.end()
        while len(received) < len(items):
            received += await there.receive_many()
            calls += 1
        await _raises(EndOfItems, there.receive_many)

    assert received == items
    assert calls < len(items) / 10, f"{calls} calls for {len(items)} items that were there"


async def items_are_taken_as_they_come_until_the_end(subject: Subject) -> None:
    items = [number.to_bytes(2, "big") for number in range(500)]
    received: list[bytes] = []

    async with subject.pair(ConnectionOptions()) as (here, there), anyio.create_task_group() as tasks:
        tasks.start_soon(_send_all_and_end, here, items)
        await _raises(EndOfItems, lambda: there.receive_into(received.extend))

    assert received == items


async def what_fails_to_take_an_item_fails_the_receiver_and_loses_no_later_one(subject: Subject) -> None:
    class NotTaken(Exception):
        pass

    def refuse(items: list[bytes]) -> None:
        raise NotTaken(items)

    async with subject.pair(ConnectionOptions()) as (here, there):
        await here.send(b"first")
        await _raises(NotTaken, lambda: there.receive_into(refuse))
        await here.send(b"second")
        second = await there.receive()

    assert second == b"second"


async def what_is_sent_at_once_comes_behind_what_was_sent_before(subject: Subject) -> None:
    items = [number.to_bytes(2, "big") for number in range(100)]
    async with subject.pair(ConnectionOptions()) as (here, there):
        taken = [here.try_send(item, at_once=number % 3 == 0) for number, item in enumerate(items)]
        received = [await there.receive() for _ in items]

    assert all(taken)
    assert received == items


async def compressed_items_arrive_whole(subject: Subject) -> None:
    options = ConnectionOptions(squeeze=squeeze, expand=expand)
    items = [b"", b"small", TEXT, bytes(range(256)) * 2000, bytes(1_000_000)]
    received: list[bytes] = []

    async with subject.pair(options) as (here, there), anyio.create_task_group() as tasks:
        tasks.start_soon(_send_all, here, items)
        received += [await there.receive() for _ in items]

    assert received == items


async def a_compressed_item_above_the_limit_is_refused(subject: Subject) -> None:
    if subject.raw_pair is None:
        return
    body = squeeze(TEXT)
    assert body is not None
    options = ConnectionOptions(expand=expand, max_frame_bytes=len(body))
    async with subject.raw_pair(options) as (victim, raw):
        raw.sendall(header_of(len(body), flags=COMPRESSED) + body)
        await _raises(BadItem, victim.receive)


async def a_compressed_item_that_nobody_agreed_on_is_refused(subject: Subject) -> None:
    if subject.raw_pair is None:
        return
    for options in (ConnectionOptions(), ConnectionOptions(expand=expand, max_first_frame_bytes=100)):
        async with subject.raw_pair(options) as (victim, raw):
            raw.sendall(header_of(1, flags=COMPRESSED) + b"x")
            await _raises(BadFrame, victim.receive)


async def ending_gives_the_peer_all_items_and_then_the_end(subject: Subject) -> None:
    async with subject.pair(ConnectionOptions()) as (here, there):
        await here.send(b"one")
        here.end()
        received = [item async for item in there]
        await _raises(EndOfItems, there.receive)
        await there.send(b"still open this way")
        answer = await here.receive()
        await _raises(ConnectionClosed, lambda: here.send(b"after the end"))

    assert received == [b"one"]
    assert answer == b"still open this way"


async def leaving_the_block_hands_over_what_was_sent(subject: Subject) -> None:
    items = [b"x" * 100_000] * 20
    received: list[bytes] = []
    async with subject.pair(ConnectionOptions()) as (here, there), anyio.create_task_group() as tasks:
        tasks.start_soon(_receive_all, there, received)
        await _send_all(here, items)
        await here.drain()
        here.end()

    assert received == items


async def closing_ends_the_peer_and_all_who_wait_here(subject: Subject) -> None:
    ended: list[str] = []

    async def expect_closed(name: str, act: Callable[[], Awaitable[object]]) -> None:
        await _raises(ConnectionClosed, act)
        ended.append(name)

    async with subject.pair(SMALL_QUEUE) as (here, there):
        await _fill(here)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(expect_closed, "receive", here.receive)
            tasks.start_soon(expect_closed, "send", lambda: here.send(FILLER))
            await anyio.wait_all_tasks_blocked()
            here.close()
        await _raises(ConnectionClosed, lambda: here.send(b"late"))
        await _raises(ConnectionClosed, here.receive)
        await _receive_until_over(there)

    assert sorted(ended) == ["receive", "send"]


async def sending_to_a_closed_peer_fails(subject: Subject) -> None:
    async with subject.pair(ConnectionOptions()) as (here, there):
        there.close()
        await _receive_until_over(here)
        try:
            while True:  # what the kernel still takes goes nowhere
                await here.send(FILLER)
                await checkpoint()
        except ConnectionLost:
            pass


async def a_cancelled_receive_loses_no_item(subject: Subject) -> None:
    async with subject.pair(ConnectionOptions()) as (here, there):
        for number in range(50):
            with anyio.CancelScope() as scope:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(there.receive)
                    await anyio.wait_all_tasks_blocked()
                    scope.cancel()
            await here.send(number.to_bytes(1, "big"))
            received = await there.receive()
            assert received == number.to_bytes(1, "big"), f"item {number} came as {received!r}"


async def a_send_cancelled_while_it_waits_sends_nothing(subject: Subject) -> None:
    async with subject.pair(SMALL_QUEUE) as (here, there):
        held = await _fill(here)
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as tasks:
                for _ in range(3):
                    tasks.start_soon(here.send, b"never sent".ljust(len(FILLER)))
                await anyio.wait_all_tasks_blocked()
                scope.cancel()
        received = [await there.receive() for _ in range(held)]
        await here.send(b"last")
        last = await there.receive()

    assert received == [FILLER] * held
    assert last == b"last"


async def each_of_many_senders_keeps_its_order(subject: Subject) -> None:
    senders, each = 20, 200
    received: list[bytes] = []

    async def send_numbered(connection: Connection, sender: int) -> None:
        for number in range(each):
            await connection.send(bytes([sender, number]) + FILLER[: sender * 40])

    async with subject.pair(SMALL_QUEUE) as (here, there), anyio.create_task_group() as tasks:
        for sender in range(senders):
            tasks.start_soon(send_numbered, here, sender)
        received += [await there.receive() for _ in range(senders * each)]

    for sender in range(senders):
        assert [item[1] for item in received if item[0] == sender] == list(range(each))


async def two_receivers_at_once_are_refused(subject: Subject) -> None:
    async with subject.pair(ConnectionOptions()) as (here, there), anyio.create_task_group() as tasks:
        tasks.start_soon(here.receive)
        await anyio.wait_all_tasks_blocked()
        await _raises(ReceiverBusy, here.receive)
        await there.send(b"for the first")


async def an_item_that_cannot_be_encoded_leaves_the_connection_usable(subject: Subject) -> None:
    if subject.raw_pair is None:
        return  # in-process nothing is encoded
    options = ConnectionOptions(max_frame_bytes=1000)
    async with subject.pair(options) as (here, there):
        await _raises(TypeError, lambda: here.send("text"))
        await _raises(FrameTooLarge, lambda: here.send(b"x" * 1001))
        await here.send(b"x" * 1000)
        received = await there.receive()

    assert received == b"x" * 1000


async def garbage_costs_its_own_connection_only(subject: Subject) -> None:
    if subject.raw_pair is None:
        return
    async with subject.pair(ConnectionOptions()) as (here, there):
        for garbage in (b"GET / HTTP/1.1\r\n\r\n", b"\x00" * 64, b"\xaf\xff\x00\x00\x00\x01x"):
            async with subject.raw_pair(ConnectionOptions()) as (victim, raw):
                raw.sendall(garbage)
                await _raises(BadFrame, victim.receive)
                await _raises(BadFrame, victim.receive)
                await _raises(ConnectionLost, lambda: victim.send(b"x"))
        await here.send(b"fine")
        received = await there.receive()

    assert received == b"fine"


async def an_announced_length_above_the_limit_is_refused_at_once(subject: Subject) -> None:
    if subject.raw_pair is None:
        return
    async with subject.raw_pair(ConnectionOptions(max_frame_bytes=1000)) as (victim, raw):
        raw.sendall(b"\xaf\x00\xff\xff\xff\xff")
        await _raises(FrameTooLarge, victim.receive)


async def a_peer_gone_in_the_middle_of_a_frame_is_a_lost_connection(subject: Subject) -> None:
    if subject.raw_pair is None:
        return
    async with subject.raw_pair(ConnectionOptions()) as (victim, raw):
        raw.sendall(b"\xaf\x00\x00\x00\x00\x01a\xaf\x00\x00\x00\x00\x10half")
        raw.close()
        first = await victim.receive()
        await _raises(ConnectionLost, victim.receive)

    assert first == b"a"


async def an_item_that_does_not_decode_closes_the_connection(subject: Subject) -> None:
    if subject.raw_pair is None:
        return
    options = ConnectionOptions(decode=_as_text)
    async with subject.raw_pair(options) as (victim, raw):
        raw.sendall(b"\xaf\x00\x00\x00\x00\x01\xff")
        await _raises(BadItem, victim.receive)
        await _raises(BadItem, victim.receive)


CHECKS: tuple[Check, ...] = (
    items_arrive_in_order_both_ways,
    items_of_every_size_arrive_whole,
    a_sender_waits_while_nobody_receives,
    a_full_connection_takes_items_again_once_some_are_received,
    all_items_that_are_here_come_at_once_and_in_order,
    items_are_taken_as_they_come_until_the_end,
    what_fails_to_take_an_item_fails_the_receiver_and_loses_no_later_one,
    what_is_sent_at_once_comes_behind_what_was_sent_before,
    compressed_items_arrive_whole,
    a_compressed_item_above_the_limit_is_refused,
    a_compressed_item_that_nobody_agreed_on_is_refused,
    ending_gives_the_peer_all_items_and_then_the_end,
    leaving_the_block_hands_over_what_was_sent,
    closing_ends_the_peer_and_all_who_wait_here,
    sending_to_a_closed_peer_fails,
    a_cancelled_receive_loses_no_item,
    a_send_cancelled_while_it_waits_sends_nothing,
    each_of_many_senders_keeps_its_order,
    two_receivers_at_once_are_refused,
    an_item_that_cannot_be_encoded_leaves_the_connection_usable,
    garbage_costs_its_own_connection_only,
    an_announced_length_above_the_limit_is_refused_at_once,
    a_peer_gone_in_the_middle_of_a_frame_is_a_lost_connection,
    an_item_that_does_not_decode_closes_the_connection,
)


def _as_text(data: bytes) -> str:
    return data.decode("ascii")


async def _send_all(connection: Connection, items: list[bytes]) -> None:
    for item in items:
        await connection.send(item)


async def _send_all_and_end(connection: Connection, items: list[bytes]) -> None:
    await _send_all(connection, items)
    connection.end()


async def _receive_all(connection: Connection, received: list[bytes]) -> None:
    received += [item async for item in connection]


async def _receive_until_over(connection: Connection) -> None:
    """All that still comes; a peer that dropped unread items may end as lost."""
    try:
        while True:
            await connection.receive()
    except (EndOfItems, ConnectionLost):
        pass


async def _fill(connection: Connection) -> int:
    """Send until there is no room and what can leave has left; how many items it took."""
    sent = 0
    while True:
        before = sent
        while connection.try_send(FILLER):
            sent += 1
        await anyio.wait_all_tasks_blocked()
        if sent == before:
            return sent


async def _raises(kind: type[BaseException], act: Callable[[], Awaitable[object]]) -> None:
    try:
        result = await act()
    except kind:
        return
    except TransportError as exc:
        raise AssertionError(f"expected {kind.__name__}, not {type(exc).__name__}: {exc}") from exc
    raise AssertionError(f"expected {kind.__name__}, not the result {result!r:.80}")
