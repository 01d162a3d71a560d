"""The control socket of a run, over real runs: who may ask, what is answered, and that a run never depends on it."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from actorflow import RunResult, RunStatus, dag, run_async, task
from actorflow.runs import control_client, control_server, control_socket
from actorflow.runs.control_client import RunUnreachable, call_run
from actorflow.runs.events import AttemptStarted, Record
from actorflow.runs.store import SqliteStore
from actorflow_transports import ConnectionLost, EndOfItems, Hello, greet
from actorflow_transports.stream import StreamConnection

pytestmark = pytest.mark.anyio

Options = control_server.OPTIONS
release: anyio.Event


@task
async def held(item: int) -> int:
    await release.wait()
    return item


@dag
def holding() -> list[int]:
    return held.map([1, 2])


class Going:
    """A run that goes on until the block around it is left."""

    def __init__(self) -> None:
        self.socket = Path()
        self.result: RunResult[list[int]] | None = None

    @property
    def value(self) -> list[int]:
        assert self.result is not None
        return self.result.value


@asynccontextmanager
async def running(store: Path, backend: str) -> AsyncGenerator[Going]:
    """A run both of whose attempts have started."""
    global release
    release = anyio.Event()
    started = anyio.Event()
    attempts: list[AttemptStarted] = []

    def on_records(records: Sequence[Record]) -> None:
        attempts.extend(record.event for record in records if isinstance(record.event, AttemptStarted))
        if len(attempts) == 2:
            started.set()

    async def run() -> None:
        going.result = await run_async(holding.bind(), store=store, on_records=on_records)

    going = Going()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run)
        await started.wait()
        going.socket = control_socket.socket_path(SqliteStore(store).open_run("@last").path)
        try:
            yield going
        finally:
            release.set()


def paths(trees: Any) -> dict[str, Any]:
    """Every actor of the answer by its path."""
    found: dict[str, Any] = {}
    for tree in trees:
        found |= {tree["path"]: tree, **paths(tree["children"])}
    return found


async def test_a_run_answers_with_all_its_actors(tmp_path: Path, anyio_backend: str) -> None:
    async with running(tmp_path / "store", anyio_backend) as going, call_run(going.socket) as run:
        trees = await run.ask("actors")

    run_id = going.socket.stem
    actors = paths(trees)
    attempts = [actor for actor in actors.values() if actor["actor"] == "Attempt"]
    assert [tree["path"] for tree in trees] == [run_id]
    assert {f"{run_id}/{name}" for name in ("journal", "control", "workers", "coordinator")} < set(actors)
    assert actors[f"{run_id}/journal"]["current_handler"] == "write"
    assert len(attempts) == 2
    assert all(actor["state"] == "running" and actor["capacity"] > 0 for actor in attempts)
    assert going.value == [1, 2]


async def test_one_conversation_may_have_many_questions_and_many_callers_are_served(
    tmp_path: Path, anyio_backend: str
) -> None:
    store = tmp_path / "store"
    async with running(store, anyio_backend) as going, call_run(going.socket) as one, call_run(going.socket) as other:
        answers = [await caller.ask("actors") for caller in (one, other, one, other)]

    assert len({tree[0]["path"] for tree in answers}) == 1


async def test_the_socket_is_its_owners_alone_and_is_gone_with_the_run(tmp_path: Path, anyio_backend: str) -> None:
    async with running(tmp_path / "store", anyio_backend) as going:
        mode = going.socket.stat().st_mode
        folder = going.socket.parent.stat().st_mode

    assert stat.S_ISSOCK(mode)
    assert (stat.S_IMODE(mode), stat.S_IMODE(folder)) == (0o600, 0o700)
    assert not going.socket.exists()
    assert {path.suffix for path in going.socket.parent.iterdir()} == {".anchor", ".sqlite"}


async def test_the_socket_of_a_dead_owner_is_replaced(tmp_path: Path, anyio_backend: str) -> None:
    left = tmp_path / "run.sock"
    control_socket.listen(left).close()

    listening = control_socket.listen(left)
    with listening, control_socket.connect(left) as caller:
        accepted, _ = listening.accept()
        accepted.sendall(b"!")
        accepted.close()
        caller.setblocking(True)

        assert caller.recv(1) == b"!"


async def test_a_store_in_a_folder_deeper_than_a_socket_name_is_long_works_too(
    tmp_path: Path, anyio_backend: str
) -> None:
    deep = tmp_path.joinpath(*["a-folder-with-a-long-name"] * 8)

    async with running(deep, anyio_backend) as going, call_run(going.socket) as run:
        trees = await run.ask("actors")

    assert len(os.fsencode(going.socket)) > 200
    assert trees[0]["path"] == going.socket.stem
    assert not going.socket.exists()


async def test_a_question_nobody_answers_is_refused_and_the_conversation_goes_on(
    tmp_path: Path, anyio_backend: str
) -> None:
    async with running(tmp_path / "store", anyio_backend) as going, call_run(going.socket) as run:
        with pytest.raises(RunUnreachable, match="does not answer 'weather'; it answers actors"):
            await run.ask("weather")

        trees = await run.ask("actors")

    assert trees[0]["state"] == "running"


@pytest.mark.parametrize("item", [[], "actors", {"ask": "actors"}, {"id": 1}, {"id": 1, "ask": 7}], ids=json.dumps)
async def test_what_is_no_question_is_answered_by_an_error(item: object, tmp_path: Path, anyio_backend: str) -> None:
    async with running(tmp_path / "store", anyio_backend) as going, greeted(going.socket) as connection:
        await connection.send(item)
        reply = await connection.receive()

    assert set(reply) == {"id", "error"}


async def test_an_answer_that_fails_costs_only_itself(tmp_path: Path, anyio_backend: str) -> None:
    path = tmp_path / "run.sock"
    listening = control_socket.listen(path)

    async def broken(given: object) -> object:
        raise ValueError("no weather")

    async def echo(given: object) -> object:
        return given

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(control_server.serve, listening, {"broken": broken, "echo": echo})
        async with call_run(path) as run:
            with pytest.raises(RunUnreachable, match="ValueError: no weather"):
                await run.ask("broken")
            assert await run.ask("echo", day="2026-11-20", file="\udcff") == {"day": "2026-11-20", "file": "\udcff"}
        tasks.cancel_scope.cancel()


@asynccontextmanager
async def greeted(path: Path) -> AsyncGenerator[StreamConnection]:
    async with StreamConnection(control_socket.connect(path), Options, peer="the run") as connection:
        await greet(connection, Hello(role=control_socket.CALLER_ROLE), accepts={control_socket.ROLE})
        yield connection


async def test_a_caller_in_another_role_is_turned_away_and_others_are_served(
    tmp_path: Path, anyio_backend: str
) -> None:
    async with running(tmp_path / "store", anyio_backend) as going:
        async with StreamConnection(control_socket.connect(going.socket), Options, peer="run") as connection:
            await greet(connection, Hello(role="worker"), accepts={control_socket.ROLE})
            with pytest.raises((EndOfItems, ConnectionLost)):
                await connection.receive()
        async with call_run(going.socket) as run:
            trees = await run.ask("actors")

    assert trees[0]["state"] == "running"


async def test_a_caller_that_says_nothing_or_nonsense_does_not_hold_up_the_run(
    tmp_path: Path, anyio_backend: str
) -> None:
    async with running(tmp_path / "store", anyio_backend) as going:
        silent, nonsense = control_socket.connect(going.socket), control_socket.connect(going.socket)
        nonsense.send(b"GET / HTTP/1.1\r\n\r\n")
        async with call_run(going.socket) as run:
            await run.ask("actors")

    silent.close()
    nonsense.close()
    assert going.value == [1, 2]


async def test_a_caller_that_stays_is_left_when_the_run_ends(tmp_path: Path, anyio_backend: str) -> None:
    async with running(tmp_path / "store", anyio_backend) as going:
        caller = control_socket.connect(going.socket)
        async with StreamConnection(caller, Options, peer="run") as connection:
            await greet(connection, Hello(role=control_socket.CALLER_ROLE), accepts={control_socket.ROLE})
            release.set()
            with pytest.raises((EndOfItems, ConnectionLost)):
                await connection.receive()


async def test_a_run_whose_socket_cannot_be_made_says_so_and_runs(
    tmp_path: Path, anyio_backend: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(path: Path) -> socket.socket:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(control_socket, "listen", full)

    async with running(tmp_path / "store", anyio_backend) as going:
        with pytest.raises(RunUnreachable, match="nobody answers"):
            async with call_run(going.socket):
                pass

    assert going.result is not None
    assert going.result.status is RunStatus.succeeded
    assert caplog.text.count("cannot be watched by `actorflow actors`: no socket at") == 1
    assert "No space left on device" in caplog.text


async def test_the_socket_that_a_killed_owner_left_is_told_from_a_run(tmp_path: Path, anyio_backend: str) -> None:
    code = "import sys; from pathlib import Path; from actorflow.runs.control_socket import listen; "
    code += "kept = listen(Path(sys.argv[1])); print(flush=True); sys.stdin.read()"
    path = tmp_path / "run.sock"
    with subprocess.Popen([sys.executable, "-c", code, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        owner.stdout.readline()
        owner.kill()

    assert path.exists()
    with pytest.raises(RunUnreachable, match="nobody answers"):
        async with call_run(path):
            pass


async def test_a_run_that_does_not_answer_in_time_is_told_from_one_that_is_gone(
    tmp_path: Path, anyio_backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control_client, "GREETING_S", 0.01)
    path = tmp_path / "run.sock"

    with control_socket.listen(path), pytest.raises(RunUnreachable, match="does not answer; a task may block its loop"):
        async with call_run(path):
            pass


async def test_a_socket_of_a_new_owner_is_not_removed_with_the_old_one(tmp_path: Path, anyio_backend: str) -> None:
    async with running(tmp_path / "store", anyio_backend) as going:
        theirs = control_socket.listen(going.socket)
        ours = going.socket.stat().st_ino

    assert going.socket.stat().st_ino == ours
    theirs.close()


async def test_a_run_that_nobody_asks_imports_nothing_for_conversations(tmp_path: Path, anyio_backend: str) -> None:
    (tmp_path / "one.py").write_text(
        "from actorflow import dag, task\n@task\nasync def one() -> int:\n    return 1\n"
        "@dag\ndef single() -> int:\n    return one()\n"
    )
    code = (
        "import sys, one, actorflow; actorflow.run(one.single); "
        "print(*sorted(name for name in sys.modules if name.startswith('actorflow_transports')))"
    )

    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)

    assert done.stdout.split() == []
