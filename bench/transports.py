"""A connection over a socketpair, both ends on one loop, beside the bare sockets of the same run; JSON on stdout.

    python -m bench.transports [--backend asyncio|trio] [--repeat 5] [--scale 1.0]

Round trips a second with one and with 64 outstanding, items a second one way, MB/s one way for 64 KiB and 1 MiB:
medians of `--repeat` rounds of CPU seconds, since both ends run in this thread and none ever waits. `of_limit` is the
share of the limit beside it. For round trips that is a bare echo on the same loop, one outstanding, without frames
(asyncio: two Protocols; trio: two SocketStreams); for items, the same frames joined and cut apart by hand; for bytes,
nonblocking `send` and `recv_into` with no loop at all.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from functools import partial
from struct import Struct

import anyio

from actorflow_transports import Connection, ConnectionOptions, from_socket, socket_pair

clock = time.process_time
ITEM = b"0123456789abcdef"
JOINED_BYTES = 256 * 1024

Case = Callable[[int], Awaitable[float]]
"""Runs so many operations and gives the seconds they took."""


async def echo(connection: Connection) -> None:
    async for item in connection:
        await connection.send(item)


async def round_trips(outstanding: int, count: int) -> float:
    ours, theirs = socket_pair()
    options = ConnectionOptions()
    seconds = 0.0
    async with from_socket(ours, options) as here, from_socket(theirs, options) as there:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(echo, there)
            started = clock()
            for _ in range(outstanding):
                await here.send(ITEM)
            for _ in range(count - outstanding):
                await here.receive()
                await here.send(ITEM)
            for _ in range(outstanding):
                await here.receive()
            seconds = clock() - started
            here.end()
        return seconds


async def one_way(item: bytes, count: int) -> float:
    ours, theirs = socket_pair()
    started = clock()
    async with (
        from_socket(ours, ConnectionOptions()) as here,
        from_socket(theirs, ConnectionOptions(decode=len)) as there,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(send_all, here, item, count)
        received = 0
        async for size in there:
            received += size
        assert received == count * len(item)
    return clock() - started


async def send_all(connection: Connection, item: bytes, count: int) -> None:
    for _ in range(count):
        await connection.send(item)
    connection.end()


async def bare_round_trips(count: int) -> float:
    ours, theirs = socket_pair()
    if asyncio_runs():
        return await bare_protocols(ours, theirs, count)
    import trio

    here = trio.SocketStream(trio.socket.from_stdlib_socket(ours))
    there = trio.SocketStream(trio.socket.from_stdlib_socket(theirs))

    async def bare_echo() -> None:
        while data := await there.receive_some():
            await there.send_all(data)

    async with here, there, trio.open_nursery() as nursery:
        nursery.start_soon(bare_echo)
        started = clock()
        for _ in range(count):
            await here.send_all(ITEM)
            await here.receive_some()
        seconds = clock() - started
        nursery.cancel_scope.cancel()
    return seconds


def asyncio_runs() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


class BareEcho(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


class BareAsker(BareEcho):
    answer: asyncio.Future[bytes]

    def data_received(self, data: bytes) -> None:
        self.answer.set_result(data)


async def bare_protocols(ours: socket.socket, theirs: socket.socket, count: int) -> float:
    loop = asyncio.get_running_loop()
    _, asker = await loop.create_connection(BareAsker, sock=ours)
    await loop.create_connection(BareEcho, sock=theirs)
    started = clock()
    for _ in range(count):
        asker.answer = loop.create_future()
        asker.transport.write(ITEM)
        await asker.answer
    seconds = clock() - started
    asker.transport.close()
    return seconds


async def bare_bytes(item_bytes: int, count: int) -> float:
    """The same number of bytes, as large a piece at a time as one end gives the other."""
    ours, theirs = socket_pair()
    body = memoryview(bytes(max(item_bytes, JOINED_BYTES)))
    room = memoryview(bytearray(len(body)))
    with ours, theirs:
        for end in (ours, theirs):
            end.setblocking(False)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1024 * 1024)
        left = item_bytes * count
        started = clock()
        while left:
            sent = ours.send(body[: min(left, len(body))])
            left -= sent
            while sent:
                sent -= theirs.recv_into(room)
    return clock() - started


async def bare_items(count: int) -> float:
    """Frames of one item each joined 256 KiB at a time, sent, received and cut apart, with nothing around it."""
    ours, theirs = socket_pair()
    header = Struct(">BBI")
    room = bytearray(JOINED_BYTES * 2)
    framed = header.size + len(ITEM)
    each = JOINED_BYTES // framed
    with ours, theirs:
        for end in (ours, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1024 * 1024)
        received = 0
        started = clock()
        while received < count:
            ours.sendall(b"".join([header.pack(0xAF, 0, len(ITEM)) + ITEM for _ in range(each)]))
            theirs.recv_into(room, each * framed, socket.MSG_WAITALL)
            for at in range(0, each * framed, framed):
                length = header.unpack_from(room, at)[2]
                received += len(bytes(room[at + header.size : at + header.size + length])) > 0
    return (clock() - started) * count / received


async def median(case: Case, count: int, repeat: int) -> float:
    await case(max(count // 10, 64))
    return statistics.median([await case(count) for _ in range(repeat)])


async def measure(repeat: int, scale: float) -> dict[str, dict[str, float]]:
    def times(count: int) -> int:
        return max(int(count * scale), 64)

    async def rate(case: Case, limit: Case, operations: int, unit: float = 1.0) -> dict[str, float]:
        ours = operations * unit / await median(case, operations, repeat)
        bare = operations * unit / await median(limit, operations, repeat)
        return {"rate": round(ours), "limit": round(bare), "of_limit": round(ours / bare, 3)}

    found = {"round_trips_1": await rate(partial(round_trips, 1), bare_round_trips, times(5_000))}
    found["round_trips_64"] = await rate(partial(round_trips, 64), bare_round_trips, times(20_000))
    found["items_one_way"] = await rate(partial(one_way, ITEM), bare_items, times(100_000))
    for name, size in (("mb_s_64_kib", 64 * 1024), ("mb_s_1_mib", 1024 * 1024)):
        count = times(512 * 1024 * 1024 // size)
        found[name] = await rate(partial(one_way, bytes(size)), partial(bare_bytes, size), count, size / 1e6)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", choices=["asyncio", "trio"], action="append")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0)
    wanted = parser.parse_args()
    report = {
        backend: anyio.run(measure, wanted.repeat, wanted.scale, backend=backend)
        for backend in wanted.backend or ["asyncio", "trio"]
    }
    json.dump(report, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main()
