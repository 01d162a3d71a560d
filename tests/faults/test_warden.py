"""A warden ends what it started, whoever dies, and it dies of nothing but the end of its supervisor."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import psutil
import pytest

from actorflow_supervisors import warden_link, warden_process
from actorflow_supervisors.process import ProcessExit, ProcessStartFailed
from actorflow_supervisors.warden import open_warden, shared_warden
from actorflow_supervisors.warden_linux import LinuxWarden
from tests.faults.leaks import leak_audit as leak_audit
from tests.faults.process_site import Pipe
from tests.faults.process_site import pipe as pipe
from tests.faults.processes import FOREVER, IGNORE_SIGTERM, Says, is_gone, talking

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("leak_audit")]

HANG_S = 60.0
"""Only a hang takes longer."""

FAMILY = """
import os, signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
def say(): open({pipe!r}, "a").write(f"{{os.getpid()}}\\n")
def life():
    say()
    while True: signal.pause()
if os.fork() == 0: life()
if os.fork() == 0:
    os.setsid()
    if os.fork(): os._exit(0)
    life()
life()
"""
"""A process, its child, and a grandchild that has left their session; none of them heeds SIGTERM."""

SUPERVISOR = """
import anyio, os, subprocess, sys
from actorflow_supervisors.warden import open_warden

async def main():
    _, backend, pipe, family = sys.argv
    argv = [sys.executable, "-I", "-S", "-c", family]
    async with open_warden() as warden:
        await warden.start(argv, env=os.environ)
        subprocess.Popen(argv, start_new_session=True)  # as code in the loop may do by itself
        open(pipe, "a").write(f"{warden.pid}\\n")
        await anyio.sleep_forever()

anyio.run(main, backend=sys.argv[1])
"""


@asynccontextmanager
async def linux_warden() -> AsyncGenerator[LinuxWarden]:
    async with open_warden() as warden:
        assert isinstance(warden, LinuxWarden)
        yield warden


def pid_of(warden: LinuxWarden) -> int:
    assert warden.pid is not None
    return warden.pid


async def all_gone(pids: Iterable[int]) -> None:
    """Wait until none of these processes, seen alive before, runs any more."""
    for pid in pids:
        try:
            ending = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        with anyio.fail_after(HANG_S):
            await anyio.wait_readable(ending)
        os.close(ending)


def kill_at_once(pids: Sequence[int]) -> None:
    """None of them sees that another is gone."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize(
    "victims", [("supervisor",), ("supervisor", "family"), ("warden", "supervisor"), ("warden", "supervisor", "family")]
)
async def test_whoever_is_killed_nothing_stays(anyio_backend: str, pipe: Pipe, victims: tuple[str, ...]) -> None:
    argv = [sys.executable, "-c", SUPERVISOR, anyio_backend, pipe.path, FAMILY.format(pipe=pipe.path)]
    supervisor = subprocess.Popen(argv)
    said = [int(await pipe.line()) for _ in range(7)]
    below = {child.pid: child for child in psutil.Process(supervisor.pid).children(recursive=True)}
    (warden,) = [pid for pid in said if pid in below and "warden_main" in " ".join(below[pid].cmdline())]
    (direct,) = [child.pid for child in psutil.Process(warden).children() if child.pid in said and leads(child.pid)]
    pids = {"supervisor": supervisor.pid, "warden": warden, "family": direct}

    kill_at_once([pids[victim] for victim in victims])
    supervisor.wait()
    if "warden" in victims:  # direct workers are what is promised then
        await all_gone([direct])
        for pid in said:
            if not is_gone(pid):
                os.kill(pid, signal.SIGKILL)
    await all_gone(said)

    assert all(is_gone(pid) for pid in said)


async def test_a_copy_of_the_supervisor_that_holds_its_socket_holds_up_nothing(anyio_backend: str, pipe: Pipe) -> None:
    """As code in the loop may do by `multiprocessing`; a copy that executes nothing carries no mark, and stays."""
    copy = "if os.fork() == 0: open(pipe, 'a').write(f'{os.getpid()}\\n'), [signal.pause() for _ in iter(int, 1)]"
    code = SUPERVISOR.replace(
        "        await anyio.sleep_forever()", f"        import signal\n        {copy}\n        signal.pause()"
    )
    argv = [sys.executable, "-c", code, anyio_backend, pipe.path, FAMILY.format(pipe=pipe.path)]
    supervisor = subprocess.Popen(argv)
    said = [int(await pipe.line()) for _ in range(8)]
    (copied,) = [child.pid for child in psutil.Process(supervisor.pid).children() if child.cmdline()[2:3] == [code]]

    supervisor.kill()
    supervisor.wait()
    await all_gone([pid for pid in said if pid != copied])
    stays = not is_gone(copied)
    os.kill(copied, signal.SIGKILL)
    await all_gone([copied])

    assert copied in said
    assert stays


def leads(pid: int) -> bool:
    """Whether it is the first of its session: neither a child of the family nor one that lost its parent."""
    return os.getsid(pid) == pid


async def test_what_the_loop_started_by_itself_stays_when_a_warden_is_closed() -> None:
    async with open_warden():
        own = subprocess.Popen([sys.executable, "-I", "-S", "-c", FOREVER])
    running = own.poll()
    own.kill()
    own.wait()

    assert running is None


async def test_a_closed_warden_leaves_no_mark_and_nothing_alive() -> None:
    before = dict(os.environ)
    async with linux_warden() as warden:
        process, says = await talking(warden, f"{IGNORE_SIGTERM}os.fork()\nsay('up')\n{FOREVER}")
        await says.line()
        await says.line()
        marked = set(os.environ) - set(before)
        pid = pid_of(warden)

    assert [name.startswith("ACTORFLOW_OWNER_") for name in marked] == [True]
    assert dict(os.environ) == before
    assert process.exit == ProcessExit(signal=9)
    assert await says.line() == ""
    assert is_gone(pid)
    says.close()


async def test_what_a_killed_warden_had_started_is_gone_and_the_next_start_gets_another() -> None:
    async with linux_warden() as warden:
        code = f"{IGNORE_SIGTERM}if os.fork() == 0: os.setsid()\nsay('up')\n{FOREVER}"
        process, says = await talking(warden, code)
        await says.line()
        await says.line()
        first = pid_of(warden)
        os.kill(first, signal.SIGKILL)
        ended = await process.wait()
        said = await says.line()
        again, other_says = await talking(warden, "say('again')")
        second = pid_of(warden)

        assert (ended, said) == (ProcessExit(signal=9), "")
        assert await other_says.line() == "again"
        assert await again.wait() == ProcessExit(exit_code=0)
        assert first != second
        says.close()
        other_says.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGTSTP])
async def test_a_warden_heeds_no_signal_of_a_terminal_and_what_it_starts_does(number: signal.Signals) -> None:
    async with linux_warden() as warden:
        code = "import signal\nsay(signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)\n"
        first, first_says = await talking(warden, "")
        await first.wait()  # by now the warden listens
        first_says.close()
        os.kill(pid_of(warden), number)
        process, says = await talking(warden, code)

        assert await says.line() == "True"
        assert await process.wait() == ProcessExit(exit_code=0)
        says.close()


async def test_a_warden_that_hangs_is_killed_with_what_it_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warden_process, "ANSWER_S", 0.05)
    async with linux_warden() as warden:
        process, says = await talking(warden, "say('up')\n" + FOREVER)
        await says.line()
        os.kill(pid_of(warden), signal.SIGSTOP)
        ended = await process.stop(0.01)

        assert ended == ProcessExit(signal=9)
        says.close()


PAUSED = """
import os, sys
from actorflow_supervisors.warden_spawn import Spawner
def pause():
    open({pipe!r}, "a").write(f"{{os.getpid()}}\\n")
    open({release!r}).readline()
Spawner.before_arming = staticmethod(pause)
"""


async def test_a_child_whose_warden_dies_before_it_is_armed_ends(
    pipe: Pipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = Pipe(tmp_path / "release")
    paused = PAUSED.format(pipe=pipe.path, release=release.path)
    import_path = "import sys; sys.path.append(sys.argv.pop(1))\n"
    monkeypatch.setattr(
        warden_link, "BOOT", f"{import_path}{paused}from actorflow_supervisors.warden_main import main; main()"
    )
    marks: list[int] = []

    async def start() -> None:
        with pytest.raises(ProcessStartFailed, match="its warden has ended"):
            await warden.start([sys.executable, "-I", "-S", "-c", FOREVER], env=os.environ)

    async with linux_warden() as warden, anyio.create_task_group() as group:
        group.start_soon(start)
        child = int(await pipe.line())
        marks.append(child)
        os.kill(pid_of(warden), signal.SIGKILL)
        monkeypatch.undo()
        release.say("go on")
        await all_gone([child])
    release.close()

    assert [is_gone(pid) for pid in marks] == [True]


async def test_children_start_from_the_only_thread_of_the_warden() -> None:
    """So that no pool's thread, which ends when it is idle, takes them along: PDEATHSIG follows the thread."""
    async with linux_warden() as warden:
        process, says = await talking(warden, "say(os.getppid())\n" + FOREVER)

        assert int(await says.line()) == pid_of(warden)
        assert len(os.listdir(f"/proc/{pid_of(warden)}/task")) == 1
        await process.stop(0)
        says.close()


async def test_of_a_hundred_inheritable_descriptors_none_crosses() -> None:
    unwanted = [os.dup(0) for _ in range(100)]
    for descriptor in unwanted:
        os.set_inheritable(descriptor, True)
    code = "say(sorted(int(n) for n in os.listdir('/proc/self/fd') if os.path.lexists('/proc/self/fd/' + n)))"
    async with linux_warden() as warden:
        process, says = await talking(warden, code)
        said = await says.line()
        await process.wait()
        says.close()
    for descriptor in unwanted:
        os.close(descriptor)

    numbers = [int(number) for number in said.strip("[]").split(", ")]
    assert numbers[:3] == [0, 1, 2]
    assert len(numbers) == 4


async def test_a_process_that_a_signal_holds_stopped_is_ended_after_its_limit() -> None:
    async with linux_warden() as warden:
        process, says = await talking(warden, "say('up')\n" + FOREVER, stopped_limit_s=0.05)
        await says.line()
        os.kill(process.pid, signal.SIGSTOP)
        ended = await process.wait()
        says.close()

    assert ended == ProcessExit(signal=9)
    assert process.was_stopped


async def test_a_process_that_goes_on_in_time_is_left_alone() -> None:
    async with linux_warden() as warden:
        code = "import signal\nsignal.signal(signal.SIGUSR1, lambda *_: say('still here'))\nsay('up')\n" + FOREVER
        process, says = await talking(warden, code, stopped_limit_s=HANG_S)
        await says.line()
        os.kill(process.pid, signal.SIGSTOP)
        os.kill(process.pid, signal.SIGCONT)
        os.kill(process.pid, signal.SIGUSR1)
        said = await says.line()
        await process.stop(0)
        says.close()

    assert said == "still here"
    assert not process.was_stopped


async def test_an_orphan_without_environment_and_session_ends_with_the_process_that_started_it() -> None:
    """It carries no mark, and only its new parent, the warden, says where it came from."""
    says = Says()
    program = f"import os, signal; os.write({says.theirs}, b'up\\n'); signal.pause()"
    code = "if os.fork() == 0:\n    os.setsid()\n    if os.fork(): os._exit(0)\n"
    code += f"    os.execve({sys.executable!r}, ['python', '-I', '-S', '-c', {program!r}], {{}})\nos.wait()\n"
    async with linux_warden() as warden:
        process = await warden.start(says.code(code + FOREVER), env=os.environ, pass_fds=(says.theirs,))
        says.end_of_ours()
        said = await says.line()
        await process.stop(0)
        rest = await says.line()
    says.close()

    assert (said, rest) == ("up", "")


async def test_runs_inside_a_block_share_its_warden() -> None:
    async with linux_warden() as outer, shared_warden() as inner:
        shared = inner is outer
    async with shared_warden() as alone:
        assert isinstance(alone, LinuxWarden)

    assert shared
    assert alone is not outer


async def test_a_warden_whose_supervisor_was_killed_before_it_was_ready_still_ends_what_that_had_started() -> None:
    mark = "ACTORFLOW_OWNER_of_somebody_who_has_gone"
    gone = subprocess.Popen([sys.executable, "-I", "-S", "-c", ""])
    gone.wait()
    left = subprocess.Popen([sys.executable, "-I", "-S", "-c", FOREVER], env={**os.environ, mark: "1"})
    ours, theirs = socket.socketpair()
    with ours, theirs:
        folder = str(Path(warden_link.__file__).parents[1])
        code = [sys.executable, "-I", "-S", "-c", warden_link.BOOT, folder]
        argv = [*code, str(theirs.fileno()), str(gone.pid), f"{mark}=1"]
        ended = subprocess.run(argv, pass_fds=(theirs.fileno(),), capture_output=True, check=False)

    assert (ended.returncode, ended.stderr) == (0, b"")
    assert left.wait() == -signal.SIGKILL
