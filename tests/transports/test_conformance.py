"""Every transport of ours keeps every promise of a Connection, on asyncio and on trio."""

from __future__ import annotations

import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from actorflow.testing.transports import CHECKS, Check, Pair, RawPair, Subject
from actorflow_transports import Connection, ConnectionOptions, Registry, default_registry, from_socket, socket_pair

pytestmark = pytest.mark.anyio


def listening(registry: Registry, address: str) -> Pair:
    """Two ends over a listener."""

    @asynccontextmanager
    async def pair(options: ConnectionOptions) -> AsyncGenerator[tuple[Connection, Connection]]:
        async with (
            await registry.listen(address, options) as listener,
            await registry.connect(str(listener.address), options) as here,
            await listener.accept() as there,
        ):
            yield here, there

    return pair


def raw_listening(registry: Registry, address: str, connect: Callable[[str], socket.socket]) -> RawPair:
    @asynccontextmanager
    async def raw_pair(options: ConnectionOptions) -> AsyncGenerator[tuple[Connection, socket.socket]]:
        async with await registry.listen(address, options) as listener:
            with connect(listener.address.rest) as raw:
                async with await listener.accept() as victim:
                    yield victim, raw

    return raw_pair


def subprocess_subject(_: Path) -> Subject:
    @asynccontextmanager
    async def pair(options: ConnectionOptions) -> AsyncGenerator[tuple[Connection, Connection]]:
        ours, theirs = socket_pair()
        async with from_socket(ours, options) as here, from_socket(theirs, options) as there:
            yield here, there

    @asynccontextmanager
    async def raw_pair(options: ConnectionOptions) -> AsyncGenerator[tuple[Connection, socket.socket]]:
        ours, theirs = socket_pair()
        with theirs:
            async with from_socket(ours, options) as victim:
                yield victim, theirs

    return Subject(pair, raw_pair)


def inproc_subject(_: Path) -> Subject:
    return Subject(listening(default_registry(), "inproc://here"))


def unix_subject(directory: Path) -> Subject:
    def connect(path: str) -> socket.socket:
        raw = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        raw.connect(path)
        return raw

    registry = default_registry()
    return Subject(
        listening(registry, f"unix://{directory}/a"), raw_listening(registry, f"unix://{directory}/b", connect)
    )


def tcp_subject(_: Path) -> Subject:
    def connect(host_port: str) -> socket.socket:
        host, _, port = host_port.rpartition(":")
        return socket.create_connection((host, int(port)))

    registry = default_registry()
    return Subject(listening(registry, "tcp://127.0.0.1:0"), raw_listening(registry, "tcp://127.0.0.1:0", connect))


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("subject", [inproc_subject, subprocess_subject, unix_subject, tcp_subject])
async def test_a_transport_keeps_the_promise_that(
    check: Check, subject: Callable[[Path], Subject], tmp_path: Path
) -> None:
    await check(subject(tmp_path))
