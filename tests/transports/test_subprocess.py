"""A socket handed over carries items both ways, with a loop at either end or without one."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from actorflow_transports import (
    AddressError,
    BlockingConnection,
    ConnectionOptions,
    EndOfItems,
    blocking_from_fd,
    from_fd,
    from_socket,
    socket_pair,
)

OPTIONS = ConnectionOptions()

CHILD = """
import sys
from actorflow_transports import ConnectionOptions, blocking_from_fd
with blocking_from_fd(int(sys.argv[1]), ConnectionOptions()) as parent:
    for item in parent:
        parent.send(item.upper())
"""


@pytest.mark.anyio
async def test_a_real_child_process_answers_each_item_in_order() -> None:
    ours, theirs = socket_pair()
    with theirs:
        child = subprocess.Popen([sys.executable, "-c", CHILD, str(theirs.fileno())], pass_fds=[theirs.fileno()])

    async with from_socket(ours, OPTIONS) as connection:
        for item in (b"one", b"two", b"x" * 300_000):
            await connection.send(item)
        connection.end()
        answers = [item async for item in connection]

    assert answers == [b"ONE", b"TWO", b"X" * 300_000]
    assert await anyio.to_thread.run_sync(child.wait) == 0


@pytest.mark.anyio
async def test_a_child_that_dies_ends_the_connection() -> None:
    ours, theirs = socket_pair()
    with theirs:
        child = subprocess.Popen([sys.executable, "-c", "pass"], pass_fds=[theirs.fileno()])

    async with from_socket(ours, OPTIONS) as connection:
        with pytest.raises(EndOfItems):
            await connection.receive()

    assert await anyio.to_thread.run_sync(child.wait) == 0


def test_two_blocking_ends_talk_between_threads() -> None:
    ours, theirs = socket_pair()

    def echo() -> None:
        with BlockingConnection(theirs, OPTIONS, peer="main thread") as connection:
            for item in connection:
                connection.send(item)

    thread = threading.Thread(target=echo)
    thread.start()
    with BlockingConnection(ours, OPTIONS, peer="other thread") as connection:
        connection.send(b"a" * 100_000)
        connection.send(b"b")
        connection.end()
        back = list(connection)
    thread.join()

    assert back == [b"a" * 100_000, b"b"]


def test_many_items_of_a_blocking_end_leave_in_one_write_and_arrive_in_one_read() -> None:
    ours, theirs = socket_pair()
    with (
        BlockingConnection(ours, OPTIONS, peer="other end") as here,
        BlockingConnection(theirs, OPTIONS, peer="this end") as there,
    ):
        here.send_many(number.to_bytes(2, "big") for number in range(500))
        arrived = theirs.recv(100_000, socket.MSG_PEEK)
        first = there.receive()
        rest: list[bytes] = []
        while there.has_received:
            rest.append(there.receive())

    assert len(arrived) == 500 * 8
    assert [first, *rest] == [number.to_bytes(2, "big") for number in range(500)]


def test_an_inherited_descriptor_is_not_inherited_further() -> None:
    ours, theirs = socket_pair()
    fd = theirs.detach()
    os.set_inheritable(fd, True)

    with blocking_from_fd(fd, OPTIONS):
        assert not os.get_inheritable(fd)

    ours.close()


def test_a_file_is_no_connection(tmp_path: Path) -> None:
    with open(tmp_path / "file", "wb") as file, pytest.raises(AddressError, match="is no socket"):
        from_fd(file.fileno(), OPTIONS)
