"""Workers that a zygote forks are as separate, and end as surely, as those that are started afresh."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from actorflow_supervisors.process import Process, ProcessExit, ProcessStartFailed
from actorflow_supervisors.process_tree import children
from actorflow_supervisors.warden import Warden, Zygote, open_warden
from actorflow_supervisors.warden_linux import LinuxWarden
from tests.faults.leaks import leak_audit as leak_audit
from tests.faults.process_site import Pipe
from tests.faults.process_site import pipe as pipe
from tests.faults.processes import is_gone, line
from tests.faults.test_warden import all_gone

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("leak_audit")]

HANG_S = 60.0
"""Only a hang takes longer."""

BOOT = (
    "import sys; sys.path[:] = sys.argv.pop(1).split(':'); from actorflow_supervisors.zygote_main import main; main()"
)
FOLDERS = ":".join(entry for entry in sys.path if entry)


async def zygote_of(warden: Warden, kind: str = "plain", boot: str = BOOT) -> Zygote:
    """Of the entries of `zygote_entries`."""
    entries = "tests.faults.zygote_entries"
    argv = [sys.executable, "-I", "-c", boot, FOLDERS, f"{entries}:preload", f"{entries}:entry", kind]
    return await warden.zygote(argv, env=os.environ)


class Worker:
    """A worker, and our end of its socket."""

    def __init__(self, process: Process, sock: socket.socket) -> None:
        self.process = process
        self.sock = sock

    async def line(self) -> str:
        """What it says next; "" once it cannot any more."""
        return await line(self.sock.fileno())


@asynccontextmanager
async def worker(zygote: Zygote, code: str) -> AsyncGenerator[Worker]:
    """One that runs `code`; its end of the block is not the end of the worker."""
    ours, theirs = socket.socketpair()
    try:
        process = await zygote.fork(code.encode(), sock=theirs)
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    try:
        yield Worker(process, ours)
    finally:
        ours.close()


async def test_workers_are_forked_and_each_ends_by_itself() -> None:
    async with open_warden() as warden:
        zygote = await zygote_of(warden)
        assert await zygote.ready() == ""
        async with worker(zygote, "say(os.getpid())\nos._exit(3)") as one, worker(zygote, "say(os.getpid())") as other:
            said = [int(await one.line()), int(await other.line())]
            ends = [await one.process.wait(), await other.process.wait()]

    assert said == [one.process.pid, other.process.pid]
    assert ends == [ProcessExit(exit_code=3), ProcessExit(exit_code=0)]
    assert all(ended.cpu_s is not None and ended.peak_rss_bytes for ended in ends)


@pytest.mark.parametrize("reduced", [False, True])
async def test_a_worker_has_its_streams_its_socket_and_a_session_of_its_own(reduced: bool) -> None:
    unwanted = [os.dup(0) for _ in range(100)]
    for descriptor in unwanted:
        os.set_inheritable(descriptor, True)
    code = "say([int(n) for n in os.listdir('/proc/self/fd') if os.path.lexists('/proc/self/fd/' + n)])\n"
    code += "say(os.getsid(0) == os.getpid())\nsay(os.get_inheritable(sock.fileno()))"
    async with open_warden(reduced=reduced) as warden:
        zygote = await zygote_of(warden)
        async with worker(zygote, code) as one:
            numbers = sorted(int(number) for number in (await one.line()).strip("[]").split(", "))
            leads, inherits = await one.line(), await one.line()
            await one.process.wait()
    for descriptor in unwanted:
        os.close(descriptor)

    assert numbers[:3] == [0, 1, 2]
    assert len(numbers) == 4
    assert (leads, inherits) == ("True", "False")


async def standby_of(warden: Warden) -> int:
    """The copy that waits, once it does: the child of the warden that is in the session of the zygote."""
    assert isinstance(warden, LinuxWarden)
    assert warden.pid is not None
    with anyio.fail_after(HANG_S):
        while True:
            for pid in children(warden.pid):
                with contextlib.suppress(ProcessLookupError):
                    if os.getsid(pid) not in (pid, os.getsid(warden.pid)):
                        return pid
            await anyio.lowlevel.checkpoint()


async def test_a_worker_is_the_copy_that_waits() -> None:
    async with open_warden() as warden:
        zygote = await zygote_of(warden)
        waiting = await standby_of(warden)
        async with worker(zygote, "say(os.getpid())\nsay(os.getsid(0))") as one:
            said = [int(await one.line()), int(await one.line())]
            ended = await one.process.wait()
        next_one = await standby_of(warden)

    assert said == [waiting, waiting]
    assert ended == ProcessExit(exit_code=0)
    assert is_gone(next_one)


async def test_a_copy_that_is_killed_while_it_waits_is_no_loss() -> None:
    async with open_warden() as warden:
        zygote = await zygote_of(warden)
        waiting = await standby_of(warden)
        ending = os.pidfd_open(waiting)
        os.kill(waiting, signal.SIGKILL)
        await anyio.wait_readable(ending)
        os.close(ending)

        async with worker(zygote, "say(os.getpid())") as one:
            said = int(await one.line())
            await one.process.wait()

    assert said != waiting


async def test_workers_draw_different_random_numbers() -> None:
    async with open_warden() as warden:
        zygote = await zygote_of(warden)
        drawn: list[str] = []
        for _ in range(2):
            async with worker(zygote, "say(random.random())") as one:
                drawn.append(await one.line())
                await one.process.wait()

    assert drawn[0] != drawn[1]


@pytest.mark.parametrize(
    ("kind", "words"),
    [("thread", "started 1 thread"), ("file", "/dev/null"), ("process", "started a process")],
)
async def test_what_could_not_live_on_in_a_copy_gets_a_fresh_interpreter_and_says_why(kind: str, words: str) -> None:
    async with open_warden() as warden:
        zygote = await zygote_of(warden, kind)
        why_cold = await zygote.ready()
        async with worker(zygote, "say(os.getpid())\nos._exit(3)") as one:
            pid = int(await one.line())
            ended = await one.process.wait()
        await zygote.stop()

    assert words in why_cold
    assert zygote.why_cold == why_cold
    assert pid == one.process.pid
    assert ended == ProcessExit(exit_code=3)


async def test_a_zygote_that_dies_while_it_imports_leaves_the_reason_to_its_workers() -> None:
    async with open_warden() as warden:
        zygote = await zygote_of(warden, "os._exit")
        ends: list[ProcessExit] = []
        for _ in range(2):
            async with worker(zygote, "say('never')") as one:
                ends.append(await one.process.wait())

    assert ends == [ProcessExit(exit_code=4)] * 2


async def test_a_zygote_that_was_killed_is_started_anew_and_its_workers_live_on() -> None:
    async with open_warden() as warden:
        zygote = await zygote_of(warden)
        async with worker(zygote, "say(os.getppid())\nsock.recv(1)\nsay('still here')") as one:
            await one.line()
            await zygote.stop()
            async with worker(zygote, "say('new')") as other:
                new = await other.line()
                await other.process.wait()
            one.sock.send(b"x")
            said = await one.line()
            await one.process.wait()

    assert (new, said) == ("new", "still here")


async def test_a_worker_that_is_not_wanted_any_more_before_it_is_there_never_runs() -> None:
    async with open_warden() as warden:
        zygote = await zygote_of(warden)
        with anyio.CancelScope() as scope:
            scope.cancel()
            async with worker(zygote, "say('ran')"):
                raise AssertionError("it was cancelled before")
        async with worker(zygote, "say('next')") as one:
            said = await one.line()
            await one.process.wait()

    assert scope.cancelled_caught
    assert said == "next"


async def test_a_payload_that_no_socket_holds_is_refused() -> None:
    async with open_warden() as warden:
        zygote = await zygote_of(warden)
        with pytest.raises(ProcessStartFailed, match="65,536 are allowed"):
            async with worker(zygote, "#" * (1 << 17)):
                raise AssertionError("it is too large")


GRANDCHILDREN = {
    "forked": "if os.fork() == 0:\n    say(os.getpid()); hold()",
    "double-forked in a session of its own": (
        "if os.fork() == 0:\n    os.setsid()\n    if os.fork(): os._exit(0)\n    say(os.getpid()); hold()\nos.wait()"
    ),
    "executed after that": (
        "if os.fork() == 0:\n    os.setsid()\n    if os.fork(): os._exit(0)\n    os.dup2(sock.fileno(), 1)\n"
        "    os.execv('/bin/sh', ['sh', '-c', 'trap \"\" TERM; echo $$; while :; do sleep 600; done'])\nos.wait()"
    ),
}


@pytest.mark.parametrize("kind", GRANDCHILDREN)
@pytest.mark.parametrize("end", ["stop", "SIGKILL", "by itself"])
async def test_what_a_worker_started_ends_with_it_and_not_with_its_neighbours(kind: str, end: str) -> None:
    code = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + GRANDCHILDREN[kind]
    async with open_warden() as warden:
        zygote = await zygote_of(warden)
        async with worker(zygote, code + "\nsay('up')\nsock.recv(1)\nsay('there')") as neighbour:
            neighbours = {await neighbour.line(), await neighbour.line()} - {"up"}
            async with worker(
                zygote, f"{code}\nsay('up')\n{'sock.recv(1)' if end == 'by itself' else 'hold()'}"
            ) as one:
                ours = {await one.line(), await one.line()} - {"up"}
                if end == "stop":
                    await one.process.stop(0.01)
                elif end == "SIGKILL":
                    os.kill(one.process.pid, signal.SIGKILL)
                else:
                    one.sock.send(b"x")
                await one.process.wait()
                gone = [is_gone(int(pid)) for pid in ours]
            alive = [not is_gone(int(pid)) for pid in neighbours]
            neighbour.sock.send(b"x")
            await neighbour.process.wait()

    assert (gone, alive) == ([True], [True])
    assert all(is_gone(int(pid)) for pid in neighbours)


async def test_a_worker_carries_its_own_mark_and_not_its_zygotes() -> None:
    code = "say([n for n in open('/proc/self/environ').read().split(chr(0)) if n.startswith('ACTORFLOW_PROCESS_')])\n"
    code += "say([n for n in os.environ if n.startswith('ACTORFLOW_PROCESS_')])"
    async with open_warden() as warden:
        zygote = await zygote_of(warden)
        seen: list[tuple[str, str]] = []
        for _ in range(2):
            async with worker(zygote, code) as one:
                seen.append((await one.line(), await one.line()))
                await one.process.wait()

    (first, first_name), (second, _) = seen
    assert first != second
    assert first == first_name.replace("']", "=1']")


PAUSED = """
import os
from actorflow_supervisors import zygote_main
arm = zygote_main.parent_death_signal()
def pause():
    open({pipe!r}, "a").write(f"{{os.getpid()}}\\n")
    open({release!r}).readline()
    arm()
zygote_main.parent_death_signal = lambda: pause
"""


async def test_a_copy_whose_warden_dies_before_it_is_armed_ends(pipe: Pipe, tmp_path: Path) -> None:
    copies: list[int] = []
    release = Pipe(tmp_path / "release")
    paused = PAUSED.format(pipe=pipe.path, release=release.path)
    boot = f"import sys; sys.path[:] = sys.argv.pop(1).split(':')\n{paused}zygote_main.main()"
    async with open_warden() as warden:
        assert isinstance(warden, LinuxWarden)
        await zygote_of(warden, boot=boot)
        copy = int(await pipe.line())
        copies.append(copy)
        zygote = os.getsid(copy)
        assert warden.pid is not None
        os.kill(warden.pid, signal.SIGKILL)
        await all_gone([zygote])
        release.say("go on")
        await all_gone([copy])
    release.close()

    assert [is_gone(pid) for pid in copies] == [True]
