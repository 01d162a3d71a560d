"""Processes end when they should, how they ended is known, and nothing of them stays."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Generator
from contextlib import contextmanager

import anyio
import pytest

from actorflow_supervisors import process_handle
from actorflow_supervisors.process import Process, ProcessExit, ProcessStartFailed
from actorflow_supervisors.process_direct import start_process
from tests.faults.leaks import leak_audit as leak_audit

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("leak_audit")]

FOREVER = "import signal\nwhile True: signal.pause()\n"
IGNORE_SIGTERM = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"


@contextmanager
def reporting(code: str) -> Generator[tuple[Process, int]]:
    """A process that runs `code`, in which `say(text)` writes a line to us; and the descriptor to read them from."""
    ours, theirs = os.pipe()
    prelude = f"import os\ndef say(text): os.write({theirs}, (str(text) + '\\n').encode())\n"
    process = start_process([sys.executable, "-I", "-S", "-c", prelude + code], env=os.environ, pass_fds=(theirs,))
    os.close(theirs)
    try:
        yield process, ours
    finally:
        os.close(ours)


async def line(descriptor: int) -> str:
    """The next line that the process says; "" once nobody can say any more."""
    said = b""
    while not said.endswith(b"\n"):
        await anyio.wait_readable(descriptor)
        byte = os.read(descriptor, 1)
        if not byte:
            break
        said += byte
    return said.decode().strip()


def is_gone(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


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
async def test_how_a_process_ended_is_known(code: str, expected: ProcessExit, words: str) -> None:
    with reporting(code) as (process, _):
        ended = await process.wait()

    assert ended == expected
    assert str(ended) == words


async def test_many_may_wait_for_one_process() -> None:
    seen: list[ProcessExit] = []

    async def wait() -> None:
        seen.append(await process.wait())

    with reporting("say('up')\n" + FOREVER) as (process, says):
        await line(says)
        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(wait)
            await anyio.lowlevel.checkpoint()
            os.kill(process.pid, signal.SIGKILL)
        again = await process.wait()

    assert [*seen, again] == [ProcessExit(signal=9)] * 4


async def test_a_cancelled_wait_leaves_the_process_alone() -> None:
    with reporting(FOREVER) as (process, _):
        with anyio.CancelScope() as scope:
            scope.cancel()
            await process.wait()

        assert scope.cancelled_caught
        assert process.exit is None
        assert await process.stop(0) == ProcessExit(signal=9)


async def test_a_process_inherits_its_standard_streams_and_what_it_is_given_and_nothing_else() -> None:
    unwanted = os.dup(0)
    os.set_inheritable(unwanted, True)
    code = "listed = os.listdir('/proc/self/fd')\nsay([n for n in listed if os.path.lexists('/proc/self/fd/' + n)])"
    with reporting(code) as (process, says):
        said = await line(says)
        await process.wait()
    os.close(unwanted)

    descriptors = said.strip("[]").replace("'", "").split(", ")
    assert descriptors[:3] == ["0", "1", "2"]
    assert len(descriptors) == 4


async def test_a_process_leads_a_session_of_its_own() -> None:
    with reporting("say(os.getsid(0) == os.getpid() == os.getpgrp())") as (process, says):
        said = await line(says)
        await process.wait()

    assert said == "True"


async def test_a_program_that_is_not_there_is_named() -> None:
    with pytest.raises(ProcessStartFailed, match="no-such-program"):
        start_process(["no-such-program"], env={})


async def test_stop_lets_a_process_clean_up() -> None:
    code = "import signal, sys\nsignal.signal(signal.SIGTERM, lambda *_: (say('cleaned'), sys.exit(5)))\nsay('up')\n"
    with reporting(code + FOREVER) as (process, says):
        await line(says)
        ended = await process.stop(60)
        said = await line(says)

    assert ended == ProcessExit(exit_code=5)
    assert said == "cleaned"


async def test_a_process_that_ignores_sigterm_is_killed_after_its_grace() -> None:
    with reporting(IGNORE_SIGTERM + "say('up')\n" + FOREVER) as (process, says):
        await line(says)
        ended = await process.stop(0.01)

    assert ended == ProcessExit(signal=9)


async def test_a_stopped_process_gets_its_sigterm() -> None:
    with reporting("say('up')\nimport signal\nos.kill(os.getpid(), signal.SIGSTOP)\n" + FOREVER) as (process, says):
        await line(says)
        ended = await process.stop(60)

    assert ended == ProcessExit(signal=15)


async def test_a_cancelled_stop_kills_at_once() -> None:
    with reporting(IGNORE_SIGTERM + "say('up')\n" + FOREVER) as (process, says):
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
async def test_what_a_process_started_ends_with_it(kind: str, end: str) -> None:
    life = "signal.signal(signal.SIGTERM, signal.SIG_IGN); say(os.getpid()); [signal.pause() for _ in iter(int, 1)]"
    code = "import signal\n" + GRANDCHILDREN[kind].format(life=life) + "\n" + FOREVER
    with reporting(code) as (process, says):
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


async def test_a_grandchild_has_its_grace_too() -> None:
    handler = "lambda *_: (say('cleaned'), os._exit(0))"
    life = f"signal.signal(signal.SIGTERM, {handler}); say('up'); [signal.pause() for _ in iter(int, 1)]"
    code = f"import signal\nif os.fork() == 0:\n    {life}\n" + FOREVER
    with reporting(code) as (process, says):
        await line(says)
        async with anyio.create_task_group() as group:
            group.start_soon(process.wait)
            await process.stop(60)
        said = await line(says)

    assert said == "cleaned"


async def test_a_tree_that_keeps_forking_is_killed_whole() -> None:
    code = "say(os.getpid())\nfor _ in range(4): os.fork()\nimport signal\nwhile True:\n"
    code += "    child = os.fork()\n    if not child: os._exit(0)\n    os.waitpid(child, 0)\n"
    with reporting(code) as (process, says):
        await line(says)
        await process.stop(0)
        rest = await line(says)

    assert rest == ""
    assert process.survivors == ()


async def test_without_pidfds_an_end_is_seen_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_pidfd(pid: int) -> None:
        """As on a system that has none."""

    monkeypatch.setattr(process_handle, "_open_pidfd", no_pidfd)
    with reporting(f"if os.fork() == 0: say('up')\n{FOREVER}") as (process, says):
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
