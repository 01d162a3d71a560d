"""Under load several frames leave in one write, large bodies are not copied, and many arrive in one read."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from typing import Any

import anyio
import pytest

from actorflow_transports import ConnectionOptions, from_socket, socket_pair


class Counting(socket.socket):
    """A socket that counts its calls, and keeps what it was given to write."""

    def __init__(self, other: socket.socket) -> None:
        super().__init__(other.family, other.type, fileno=other.detach())
        self.writes: list[object] = []
        self.reads = 0

    def send(self, data: Any, flags: int = 0) -> int:
        self.writes.append(data)
        return super().send(data, flags)

    def sendmsg(self, buffers: Iterable[Any], *rest: Any) -> int:
        parts = list(buffers)
        self.writes += parts
        return super().sendmsg(parts, *rest)

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        self.reads += 1
        return super().recv_into(buffer, nbytes, flags)


@pytest.mark.anyio
async def test_what_is_sent_in_one_turn_leaves_in_few_writes_and_arrives_in_few_reads() -> None:
    ours, theirs = map(Counting, socket_pair())
    received: list[bytes] = []

    async with (
        from_socket(ours, ConnectionOptions()) as here,
        from_socket(theirs, ConnectionOptions()) as there,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(_receive_all, there, received)
        for number in range(1_000):
            await here.send(number.to_bytes(2, "big"))
        here.end()

    assert received == [number.to_bytes(2, "big") for number in range(1_000)]
    assert len(ours.writes) < 20
    assert theirs.reads < 40


@pytest.mark.anyio
async def test_a_large_body_is_written_from_where_it_lies() -> None:
    ours, theirs = socket_pair()
    counting = Counting(ours)
    body = b"x" * 100_000

    async with (
        from_socket(counting, ConnectionOptions()) as here,
        from_socket(theirs, ConnectionOptions()) as there,
    ):
        await here.send(body)
        await there.receive()

    assert any(isinstance(part, memoryview) and part.obj is body for part in counting.writes)


async def _receive_all(connection: Any, received: list[bytes]) -> None:
    received += [item async for item in connection]
