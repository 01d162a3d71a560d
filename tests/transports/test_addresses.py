"""Which addresses may be used, who may connect, and what a refusal says."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from actorflow_transports import (
    Address,
    AddressError,
    AddressInUse,
    AddressRefused,
    Connection,
    ConnectionClosed,
    ConnectionOptions,
    ConnectRefused,
    InprocTransport,
    Registry,
    Transport,
    default_registry,
)

OPTIONS = ConnectionOptions()


@pytest.mark.parametrize("text", ["inproc://a", "tcp://127.0.0.1:1", "unix:///a/b://c", "fd://3", "x-y.z+1://r"])
def test_an_address_prints_as_it_was_written(text: str) -> None:
    assert str(Address.parse(text)) == text


@pytest.mark.parametrize("text", ["", "tcp", "tcp:", "tcp://", "://x", "TCP://x", "1a://x", " tcp://x"])
def test_what_is_no_address_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(AddressError, match=r"write scheme://"):
        Address.parse(text)


OPEN = [
    *("0.0.0.0:0", "[::]:0", "10.0.0.1:80", "192.168.1.1:80", "8.8.8.8:53", "example.org:80", "localhost.evil.org:1"),
    *("[fe80::1]:80", "[::ffff:8.8.8.8]:80", "127.1:80", "0:80", "2130706433:80"),
]


@pytest.mark.anyio
@pytest.mark.parametrize("rest", OPEN)
async def test_tcp_neither_listens_at_nor_connects_to_what_is_not_loopback(rest: str) -> None:
    registry = default_registry()

    for act in (registry.listen, registry.connect):
        with pytest.raises(AddressRefused, match="authentication and TLS"):
            await act(f"tcp://{rest}", OPTIONS)


@pytest.mark.anyio
@pytest.mark.parametrize(
    "rest", ["127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", "::1:80", "a b:1:2", ":80"]
)
async def test_a_tcp_address_without_host_or_port_is_refused(rest: str) -> None:
    with pytest.raises(AddressError, match=r"write tcp://127\.0\.0\.1:7000"):
        await default_registry().listen(f"tcp://{rest}", OPTIONS)


@pytest.mark.anyio
@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "localhost"])
async def test_tcp_listens_on_loopback_and_tells_the_port_it_was_given(host: str) -> None:
    async with await default_registry().listen(f"tcp://{host}:0", OPTIONS) as listener:
        port = int(listener.address.rest.rpartition(":")[2])

    assert port > 0


@pytest.mark.anyio
async def test_a_port_in_use_is_refused() -> None:
    registry = default_registry()

    async with await registry.listen("tcp://127.0.0.1:0", OPTIONS) as listener:
        with pytest.raises(AddressInUse, match="port 0 takes a free one"):
            await registry.listen(str(listener.address), OPTIONS)


def free_tcp(_: Path) -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"tcp://127.0.0.1:{server.getsockname()[1]}"


NOBODY: list[Callable[[Path], str]] = [free_tcp, lambda path: f"unix://{path}/none", lambda _: "inproc://none"]


@pytest.mark.anyio
@pytest.mark.parametrize("address", NOBODY, ids=["tcp", "unix", "inproc"])
async def test_connecting_where_nobody_listens_is_refused(address: Callable[[Path], str], tmp_path: Path) -> None:
    with pytest.raises(ConnectRefused):
        await default_registry().connect(address(tmp_path), OPTIONS)


@pytest.mark.anyio
async def test_closing_a_listener_ends_who_waits_to_accept(tmp_path: Path) -> None:
    registry = default_registry()
    closed: list[str] = []

    async def accept(address: str) -> None:
        async with await registry.listen(address, OPTIONS) as listener, anyio.create_task_group() as tasks:

            async def wait() -> None:
                with pytest.raises(ConnectionClosed):
                    await listener.accept()
                closed.append(address)

            tasks.start_soon(wait)
            await anyio.wait_all_tasks_blocked()
            listener.close()

    addresses = ["inproc://a", f"unix://{tmp_path}/a", "tcp://127.0.0.1:0"]
    for address in addresses:
        await accept(address)

    assert closed == addresses


@pytest.mark.anyio
async def test_a_unix_socket_is_private_and_gone_after_closing(tmp_path: Path) -> None:
    path = tmp_path / "a"

    async with await default_registry().listen(f"unix://{path}", OPTIONS):
        mode = path.stat().st_mode & 0o777

    assert mode == 0o600
    assert not path.exists()


@pytest.mark.anyio
async def test_a_directory_others_may_write_to_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)

    with pytest.raises(AddressRefused, match="mode 0700"):
        await default_registry().listen(f"unix://{tmp_path}/a", OPTIONS)


@pytest.mark.anyio
async def test_a_socket_left_by_a_dead_process_is_replaced_and_a_live_one_is_not(tmp_path: Path) -> None:
    registry, address = default_registry(), f"unix://{tmp_path}/a"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
        dead.bind(str(tmp_path / "a"))

    async with await registry.listen(address, OPTIONS):
        with pytest.raises(AddressInUse, match="somebody listens"):
            await registry.listen(address, OPTIONS)


@pytest.mark.anyio
async def test_a_file_in_the_way_is_not_removed(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("precious")

    with pytest.raises(AddressInUse, match="is no socket"):
        await default_registry().listen(f"unix://{tmp_path}/a", OPTIONS)

    assert (tmp_path / "a").read_text() == "precious"


@pytest.mark.anyio
@pytest.mark.parametrize(("rest", "says"), [("relative", "not absolute"), ("/" + "x" * 120, "longer than 107")])
async def test_a_unix_path_that_cannot_be_is_refused(rest: str, says: str) -> None:
    for act in (default_registry().listen, default_registry().connect):
        with pytest.raises(AddressError, match=says):
            await act(f"unix://{rest}", OPTIONS)


@pytest.mark.anyio
async def test_another_user_is_turned_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registry, address = default_registry(), f"unix://{tmp_path}/a"
    mine = os.geteuid()

    async with await registry.listen(address, OPTIONS):
        monkeypatch.setattr(os, "geteuid", lambda: mine + 1)
        with pytest.raises(ConnectRefused, match="another user"):
            await registry.connect(address, OPTIONS)


@pytest.mark.anyio
async def test_an_unknown_scheme_names_those_there_are() -> None:
    with pytest.raises(AddressError, match="'carrier'; there are fd, inproc, tcp, unix"):
        await default_registry().connect("carrier://pigeon", OPTIONS)


@pytest.mark.anyio
@pytest.mark.parametrize("rest", ["x", "-1", "999999"])
async def test_an_fd_that_is_none_is_refused(rest: str) -> None:
    with pytest.raises(AddressError):
        await default_registry().connect(f"fd://{rest}", OPTIONS)


@pytest.mark.anyio
async def test_nobody_can_listen_at_an_fd() -> None:
    with pytest.raises(AddressRefused, match="socket_pair"):
        await default_registry().listen("fd://3", OPTIONS)


@pytest.mark.anyio
async def test_a_transport_of_ones_own_serves_its_scheme() -> None:
    class Mine(InprocTransport):
        scheme = "mine"

    transport: Transport = Mine()
    registry = Registry(transport)
    async with (
        await registry.listen("mine://a", OPTIONS) as listener,
        await registry.connect("mine://a", OPTIONS) as here,
        await listener.accept() as there,
    ):
        await here.send(item := object())

        assert await there.receive() is item


@pytest.mark.anyio
@pytest.mark.parametrize("address", ["inproc://a", "tcp://127.0.0.1:0"])
async def test_a_connection_that_was_not_entered_says_so(address: str) -> None:
    registry = default_registry()

    async with await registry.listen(address, OPTIONS) as listener:
        connection: Connection = await registry.connect(str(listener.address), OPTIONS)
        with pytest.raises(ConnectionClosed, match="enter the connection first"):
            await connection.send(b"x")
        with pytest.raises(ConnectionClosed, match="enter the connection first"):
            await connection.receive()
        connection.close()
