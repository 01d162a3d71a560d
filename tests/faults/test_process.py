"""Processes end when they should, how they ended is known, and nothing of them stays."""

from __future__ import annotations

import os
import signal
import socket
import sys

import anyio
import pytest

from actorflow_supervisors import process_handle
from actorflow_supervisors.process import ProcessExit, ProcessStartFailed
from actorflow_supervisors.process_direct import start_process
from actorflow_supervisors.warden import open_warden
from tests.faults.leaks import leak_audit as leak_audit
from tests.faults.processes import FOREVER, IGNORE_SIGTERM, is_gone, line, reporting

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("leak_audit")]


@pytest.fixture(params=["warden", "reduced"])
def way(request: pytest.FixtureRequest) -> str:
    """Who starts the process: a warden, or this process itself."""
    return str(request.param)


@pytest.mark.parametrize(
    ("code", "expected", "words"),
    [
        ("", ProcessExit(exit_code=0), "exit code 0"),
        ("raise SystemExit(3)", ProcessExit(exit_code=3), "exit code 3"),
        ("os._exit(7)", ProcessExit(exit_code=7), "exit code 7"),
        ("os.kill(os.getpid(), 9)", ProcessExit(signal=9), "signal 9 (SIGKILL)"),
        ("os.abort()", ProcessExit(signal=6), "signal 6 (SIGABRT)"),
        ("os.kill(os.getpid(), 40)", ProcessExit(signal=40), "signal 40"),
    ],
)
async def test_how_a_process_ended_is_known(code: str, expected: ProcessExit, words: str, way: str) -> None:
    async with reporting(code, way) as (process, _):
        ended = await process.wait()

    assert ended == expected
    assert str(ended) == words


async def test_many_may_wait_for_one_process(way: str) -> None:
    seen: list[ProcessExit] = []

    async def wait() -> None:
        seen.append(await process.wait())

    async with reporting("say('up')\n" + FOREVER, way) as (process, says):
        await line(says)
        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(wait)
            await anyio.lowlevel.checkpoint()
            os.kill(process.pid, signal.SIGKILL)
        again = await process.wait()

    assert [*seen, again] == [ProcessExit(signal=9)] * 4


async def test_a_cancelled_wait_leaves_the_process_alone(way: str) -> None:
    async with reporting(FOREVER, way) as (process, _):
        with anyio.CancelScope() as scope:
            scope.cancel()
            await process.wait()

        assert scope.cancelled_caught
        assert process.exit is None
        assert await process.stop(0) == ProcessExit(signal=9)


async def test_a_process_inherits_its_standard_streams_and_what_it_is_given_and_nothing_else(way: str) -> None:
    unwanted = os.dup(0)
    os.set_inheritable(unwanted, True)
    code = "listed = os.listdir('/proc/self/fd')\nsay([n for n in listed if os.path.lexists('/proc/self/fd/' + n)])"
    async with reporting(code, way) as (process, says):
        said = await line(says)
        await process.wait()
    os.close(unwanted)

    descriptors = said.strip("[]").replace("'", "").split(", ")
    assert descriptors[:3] == ["0", "1", "2"]
    assert len(descriptors) == 4


async def test_a_process_leads_a_session_of_its_own(way: str) -> None:
    async with reporting("say(os.getsid(0) == os.getpid() == os.getpgrp())", way) as (process, says):
        said = await line(says)
        await process.wait()

    assert said == "True"


async def test_a_program_that_is_not_there_is_named(way: str) -> None:
    async with open_warden(reduced=way == "reduced") as warden:
        with pytest.raises(ProcessStartFailed, match="no-such-program"):
            await warden.start(["no-such-program"], env={})


async def test_stop_lets_a_process_clean_up(way: str) -> None:
    code = "import signal, sys\nsignal.signal(signal.SIGTERM, lambda *_: (say('cleaned'), sys.exit(5)))\nsay('up')\n"
    async with reporting(code + FOREVER, way) as (process, says):
        await line(says)
        ended = await process.stop(60)
        said = await line(says)

    assert ended == ProcessExit(exit_code=5)
    assert said == "cleaned"


async def test_a_process_that_ignores_sigterm_is_killed_after_its_grace(way: str) -> None:
    async with reporting(IGNORE_SIGTERM + "say('up')\n" + FOREVER, way) as (process, says):
        await line(says)
        ended = await process.stop(0.01)

    assert ended == ProcessExit(signal=9)


async def test_a_stopped_process_gets_its_sigterm(way: str) -> None:
    code = "say('up')\nimport signal\nos.kill(os.getpid(), signal.SIGSTOP)\n"
    async with reporting(code + FOREVER, way) as (process, says):
        await line(says)
        ended = await process.stop(60)

    assert ended == ProcessExit(signal=15)


async def test_a_cancelled_stop_kills_at_once(way: str) -> None:
    async with reporting(IGNORE_SIGTERM + "say('up')\n" + FOREVER, way) as (process, says):
        await line(says)
        with anyio.CancelScope() as scope:
            scope.cancel()
            await process.stop(600)
        ended = await process.wait()

    assert ended == ProcessExit(signal=9)


GRANDCHILDREN = {
    "forked": "if os.fork() == 0:\n    {life}",
    "in a group of its own": "if os.fork() == 0:\n    os.setpgid(0, 0)\n    {life}",
    "in a session of its own": "if os.fork() == 0:\n    os.setsid()\n    {life}",
    "double-forked": "if os.fork() == 0:\n    if os.fork(): os._exit(0)\n    {life}\nos.wait()",
    "double-forked in a session of its own": (
        "if os.fork() == 0:\n    os.setsid()\n    if os.fork(): os._exit(0)\n    {life}\nos.wait()"
    ),
}


@pytest.mark.parametrize("kind", GRANDCHILDREN)
@pytest.mark.parametrize("end", ["stop", "kill", "it dies"])
async def test_what_a_process_started_ends_with_it(kind: str, end: str, way: str) -> None:
    life = "signal.signal(signal.SIGTERM, signal.SIG_IGN); say(os.getpid()); [signal.pause() for _ in iter(int, 1)]"
    code = "import signal\n" + GRANDCHILDREN[kind].format(life=life) + "\n" + FOREVER
    async with reporting(code, way) as (process, says):
        grandchild = int(await line(says))
        if end == "stop":
            await process.stop(0.01)
        elif end == "kill":
            process.kill()
        else:
            os.kill(process.pid, signal.SIGKILL)
        await process.wait()

        assert is_gone(grandchild)
        assert await line(says) == ""
    assert process.survivors == ()


async def test_a_grandchild_has_its_grace_too(way: str) -> None:
    handler = "lambda *_: (say('cleaned'), os._exit(0))"
    life = f"signal.signal(signal.SIGTERM, {handler}); say('up'); [signal.pause() for _ in iter(int, 1)]"
    code = f"import signal\nif os.fork() == 0:\n    {life}\n" + FOREVER
    async with reporting(code, way) as (process, says):
        await line(says)
        async with anyio.create_task_group() as group:
            group.start_soon(process.wait)
            await process.stop(60)
        said = await line(says)

    assert said == "cleaned"


async def test_a_tree_that_keeps_forking_is_killed_whole(way: str) -> None:
    code = "say(os.getpid())\nfor _ in range(4): os.fork()\nimport signal\nwhile True:\n"
    code += "    child = os.fork()\n    if not child: os._exit(0)\n    os.waitpid(child, 0)\n"
    async with reporting(code, way) as (process, says):
        await line(says)
        await process.stop(0)
        rest = await line(says)

    assert rest == ""
    assert process.survivors == ()


async def test_without_pidfds_an_end_is_seen_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_pidfd(pid: int) -> None:
        """As on a system that has none."""

    monkeypatch.setattr(process_handle, "_open_pidfd", no_pidfd)
    async with reporting(f"if os.fork() == 0: say('up')\n{FOREVER}", "reduced") as (process, says):
        await line(says)
        ended = await process.stop(60)

    assert ended == ProcessExit(signal=15)


async def test_a_child_whose_parent_is_gone_already_ends_at_once() -> None:
    code = "from actorflow_supervisors.parent_death import die_with_parent\ndie_with_parent(1 << 22)"
    process = start_process([sys.executable, "-c", code], env=os.environ)

    assert await process.wait() == ProcessExit(exit_code=1)


async def test_without_a_parent_death_signal_a_busy_worker_ends_with_its_socket() -> None:
    ours, theirs = socket.socketpair()
    code = "import signal, sys\nfrom actorflow.executors.worker_main import exit_when_socket_ends\n"
    code += "exit_when_socket_ends(int(sys.argv[1]))\nwhile True: signal.pause()\n"
    argv = [sys.executable, "-c", code, str(theirs.fileno())]
    process = start_process(argv, env=os.environ, pass_fds=(theirs.fileno(),))
    theirs.close()
    ours.close()

    assert await process.wait() == ProcessExit(exit_code=1)
