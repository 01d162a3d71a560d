"""Two ends agree on version, role and limits before anything else, or part."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import anyio
import pytest

from actorflow_transports import (
    MAX_HELLO_BYTES,
    Connection,
    ConnectionClosed,
    ConnectionOptions,
    FrameTooLarge,
    HandshakeRefused,
    Hello,
    from_socket,
    greet,
    inproc_pair,
    socket_pair,
)

pytestmark = pytest.mark.anyio

OPTIONS = ConnectionOptions(
    encode=lambda item: json.dumps(item).encode(), decode=json.loads, max_first_frame_bytes=MAX_HELLO_BYTES
)
SUPERVISOR = Hello(role="supervisor", name="a")
WORKER = Hello(role="worker", name="b", max_frame_bytes=5000)


def pair() -> tuple[Connection, Connection]:
    ours, theirs = socket_pair()
    return from_socket(ours, OPTIONS), from_socket(theirs, OPTIONS)


async def test_each_end_learns_who_the_other_is_and_obeys_its_limit() -> None:
    heard: dict[str, Hello] = {}

    async def say(connection: Connection, hello: Hello, accepts: str) -> None:
        heard[hello.role] = await greet(connection, hello, accepts=[accepts])

    here, there = pair()
    async with here, there:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(say, here, SUPERVISOR, "worker")
            tasks.start_soon(say, there, WORKER, "supervisor")
        with pytest.raises(FrameTooLarge, match="limit of 5,000"):
            await here.send("x" * 5000)
        await there.send("x" * 6000)
        received = await here.receive()

    assert heard == {"supervisor": WORKER, "worker": SUPERVISOR}
    assert received == "x" * 6000


async def test_a_greeting_needs_no_codec_in_process() -> None:
    here, there = inproc_pair(OPTIONS)
    async with here, there, anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: greet(there, WORKER, accepts=["supervisor"]))
        assert await greet(here, SUPERVISOR, accepts=["worker"]) == WORKER


@pytest.mark.parametrize(
    ("item", "says"),
    [
        (replace(WORKER, version=2).as_item(), "it speaks version 2, we speak 1"),
        (replace(WORKER, role="stranger").as_item(), "it is a 'stranger', expected worker"),
        ({"protocol": "other"}, "no greeting"),
        ({**WORKER.as_item(), "extra": 1}, "no greeting"),
        ({**WORKER.as_item(), "max_frame_bytes": 0}, "no greeting"),
        ({**WORKER.as_item(), "version": "1"}, "no greeting"),
        ([1, 2], "no greeting"),
        ("x" * 5000, "limit is 4,096"),
    ],
)
async def test_a_peer_that_does_not_fit_is_refused_and_the_connection_closed(item: Any, says: str) -> None:
    here, there = pair()
    async with here, there:
        await there.send(item)
        with pytest.raises(HandshakeRefused, match=says):
            await greet(here, SUPERVISOR, accepts=["worker"])
        with pytest.raises((ConnectionClosed, FrameTooLarge)):
            await here.receive()


async def test_a_peer_that_leaves_is_refused() -> None:
    here, there = pair()
    async with here, there:
        there.close()
        with pytest.raises(HandshakeRefused, match="broke off"):
            await greet(here, SUPERVISOR, accepts=["worker"])


async def test_a_silent_peer_is_refused_in_the_end() -> None:
    here, there = pair()
    async with here, there:
        with pytest.raises(HandshakeRefused, match=r"said nothing for 0\.0 s"):
            await greet(here, SUPERVISOR, accepts=["worker"], timeout_s=0.0)
