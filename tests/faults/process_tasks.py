"""Tasks that worker processes run in tests; they report through a named pipe."""

from __future__ import annotations

import ctypes
import mmap
import os
import resource
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import anyio

from actorflow import task


@dataclass(frozen=True)
class Point:
    x: int
    where: Path


class Stop(BaseException):
    """Not an Exception."""


def say(pipe: str, text: object) -> None:
    with open(pipe, "w") as file:
        file.write(f"{text}\n")


def forever() -> None:
    while True:
        signal.pause()


def add(a: int, b: int) -> int:
    return a + b


@task
def decorated(a: int) -> int:
    return a * 2


async def later(a: int) -> int:
    await anyio.lowlevel.checkpoint()
    return a + 1


def moved(point: Point) -> Point:
    return Point(point.x + 1, point.where / "moved")


def echo(value: object) -> object:
    return value


def pid() -> int:
    return os.getpid()


def meet(ours: str, theirs: str) -> int:
    """Say our pid, and return what the other said."""
    say(ours, os.getpid())
    with open(theirs) as file:
        return int(file.readline())


def fail(text: str) -> None:
    raise FileNotFoundError(text)


def end(kind: str) -> None:
    ends: dict[str, Callable[[], object]] = {
        "sys.exit": lambda: sys.exit(0),
        "keyboard interrupt": lambda: _raise(KeyboardInterrupt()),
        "base exception": lambda: _raise(Stop("enough")),
        "generator exit": lambda: _raise(GeneratorExit()),
        "group": lambda: _raise(BaseExceptionGroup("some", [Stop("a"), ValueError("b")])),
        "recursion": lambda: end("recursion"),
        "os._exit": lambda: os._exit(3),
        "os._exit(0)": lambda: os._exit(0),
        "segfault": lambda: ctypes.string_at(0),
        "abort": os.abort,
        "sigkill": lambda: os.kill(os.getpid(), signal.SIGKILL),
        "garbage": lambda: _write_to_socket(b"no frame at all"),
        "wrong reply": lambda: _write_to_socket(b"\xaf\x00\x00\x00\x00\x01\x00"),
        "closed socket": lambda: os.close(_socket()),
    }
    ends[kind]()


def _raise(error: BaseException) -> None:
    raise error


def _socket() -> int:
    return next(number for number in descriptors() if stat.S_ISSOCK(os.fstat(number).st_mode))


def _write_to_socket(data: bytes) -> None:
    os.write(_socket(), data)
    forever()


def unencodable() -> dict[str, object]:
    return {"rows": [1, {"when": sys.stdin}]}


def noisy() -> str:
    print("printed by the task")
    os.write(1, b"written to descriptor 1\n")
    subprocess.run(["echo", "echoed by a child"], check=True)
    return "result"


def descriptors() -> list[int]:
    listed = os.listdir("/proc/self/fd")
    return sorted(int(name) for name in listed if os.path.lexists(f"/proc/self/fd/{name}"))  # without the listing's own


def surroundings() -> tuple[list[str], str, list[str]]:
    return sys.argv, sys.stdin.read(), sys.path


def returns_twice() -> int:
    os.fork()
    return os.getpid()


def touch(path: str) -> None:
    Path(path).touch()


def hold(pipe: str) -> None:
    say(pipe, os.getpid())
    forever()


def hold_ignoring_sigterm(pipe: str) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    hold(pipe)


def hold_and_clean_up(pipe: str) -> None:
    def clean_up(*_: object) -> None:
        say(pipe, "cleaned")
        sys.exit(0)

    signal.signal(signal.SIGTERM, clean_up)
    hold(pipe)


def hold_with_grandchild(pipe: str) -> None:
    if os.fork() == 0:
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        hold(pipe)
    forever()


def hold_with_pipe_held(pipe: str) -> None:
    """A program holds our standard output and error, and heeds no SIGTERM."""
    code = "import os, signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    code += f"open({pipe!r}, 'w').write(f'{{os.getpid()}}\\n')\nwhile True: signal.pause()"
    subprocess.Popen([sys.executable, "-I", "-S", "-c", code], start_new_session=True)
    forever()


def stop_itself(pipe: str) -> None:
    """Say who we are, then be held by a signal."""
    say(pipe, os.getpid())
    os.kill(os.getpid(), signal.SIGSTOP)


def hold_gil(pipe: str, loops: int) -> int:
    """Keep every other thread of this process, and any heartbeat, from running."""
    say(pipe, os.getpid())
    sys.setswitchinterval(1000.0)
    return sum(range(loops))


def keep_forking(pipe: str) -> None:
    """64 processes in sessions of their own, each of which starts one after the other."""
    for _ in range(6):
        if os.fork() == 0:
            os.setsid()
    say(pipe, os.getpid())
    while True:
        child = os.fork()
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)


def fork_bomb(pipe: str, room: int) -> None:
    """Say who we are; fork, as every copy does, for ever; each says who it is when it is refused the first time."""
    said = os.open(pipe, os.O_WRONLY)
    os.write(said, f"{os.getpid()}\n".encode())
    if os.getuid() == 0:  # whom the limit does not bind
        os.setuid(20_000 + os.getpid() % 40_000)  # one of its own for each bomb
    limit = _tasks_of(os.getuid()) + room
    resource.setrlimit(resource.RLIMIT_NPROC, (limit, limit))
    refused = False
    while True:
        try:
            if os.fork() == 0:
                os.setsid()
                refused = False
        except BlockingIOError:
            if not refused:
                os.write(said, f"{os.getpid()}\n".encode())
            refused = True


def _tasks_of(user: int) -> int:
    """How many processes and threads that user has, as the kernel's limit counts them."""
    count = 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if process.stat().st_uid == user:
                count += len(os.listdir(process / "task"))
        except OSError:  # it has ended
            continue
    return count


def hog_at_once(mib: int) -> int:
    """Ask for more than any sampling can see coming, and touch none of it."""
    return len(bytes(mib << 20))


def hog_in_grandchild() -> None:
    """What grows is neither this process nor its child, and it has left the session."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            hog()
    forever()


def hog_shared_memory() -> None:
    """Memory that no limit of one process's own memory counts."""
    held: list[mmap.mmap] = []
    while True:
        held.append(mmap.mmap(-1, 1 << 20))
        held[-1].write(os.urandom(1 << 12) * 256)


def leave_grandchild(pipe: str) -> int:
    """Return while a child of this process goes on, which holds whatever this process had open."""
    child = os.fork()
    if child == 0:
        hold(pipe)
    return child


def use(mib: int) -> int:
    return len(bytearray(os.urandom(1 << 20) * mib))


_kept: list[bytearray] = []


def keep(mib: int) -> int:
    """Hold memory for as long as this process lives."""
    _kept.append(bytearray(os.urandom(1 << 20) * mib))
    return os.getpid()


def hog() -> None:
    held: list[bytes] = []
    while True:
        held.append(os.urandom(1 << 12) * 256)


def burn(cpu_s: float) -> None:
    import time

    end_s = time.process_time() + cpu_s
    while time.process_time() < end_s:
        pass


def burn_in_child(cpu_s: float) -> None:
    code = f"import time\nend = time.process_time() + {cpu_s}\nwhile time.process_time() < end: pass"
    subprocess.run([sys.executable, "-I", "-S", "-c", code], check=True)
