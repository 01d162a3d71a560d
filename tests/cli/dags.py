"""The files that end-to-end tests run, each one a small but real pipeline."""

from __future__ import annotations

ADD = '''
from actorflow import dag, task

@task
async def numbers(n: int) -> list[int]:
    return list(range(n))

@task
async def double(x: int) -> int:
    return 2 * x

@task
async def total(xs: list[int], top: int) -> int:
    return sum(sorted(xs)[-top:])

@dag
def add(n: int = 5, top: int = 3, title: str = "sums", full: bool = False) -> int:
    """Add up the largest numbers.

    n: how many numbers there are
    top: how many of them are added
    """
    return total(double.map(numbers(n)), top)
'''

FAILING = """
from actorflow import Retry, dag, task

@task
async def rows() -> list[str]:
    return ["1", "2", "n/a"]

def parse(text: str) -> float:
    return float(text)

@task(retry=Retry(attempts=2, backoff="fixed", base="1ms", jitter=0))
async def clean(row: str) -> float:
    return parse(row)

@task
async def report(rows: list[float]) -> float:
    return sum(rows)

@task
async def mail(total: float) -> None:
    return None

@dag
def etl() -> None:
    return mail(report(clean.map(rows())))
"""

FLAKY = """
from pathlib import Path
from actorflow import Retry, dag, task

@task(retry=Retry(attempts=3, backoff="fixed", base="1ms", jitter=0))
async def flaky(mark: Path) -> str:
    if not mark.exists():
        mark.touch()
        raise OSError("not yet")
    return "done"

@dag
def twice(mark: Path = Path("mark")) -> str:
    return flaky(mark)
"""

LOUD = """
import os, subprocess, sys
print("printed at import")

from actorflow import dag, task

@task
async def speak() -> str:
    print("printed by a task")
    os.write(1, b"written by a task\\n")
    subprocess.run([sys.executable, "-c", "print('printed by a child')"], check=True)
    return "quiet"

@task
def shout(word: str) -> str:
    print("printed in a worker")
    return word

@dag
def loud() -> str:
    return shout(speak())
"""
LOUD_WORDS = (
    "printed at import",
    "printed by a task",
    "written by a task",
    "printed by a child",
    "printed in a worker",
)

WAITING = """
import anyio
from actorflow import dag, task

@task
async def wait(n: int) -> int:
    await anyio.sleep_forever()
    return n

@task
async def after(ns: list[int]) -> int:
    return sum(ns)

@dag
def waiting() -> int:
    return after(wait.map([1, 2, 3]))
"""

STUBBORN = """
import anyio
from actorflow import dag, task

@task
async def wait() -> int:
    with anyio.CancelScope(shield=True):
        await anyio.sleep_forever()
    return 1

@dag
def stubborn() -> int:
    return wait()
"""

BLOCKING = """
import threading
from pathlib import Path
from actorflow import dag, task

@task
async def block(pipe: Path) -> int:
    pipe.write_text("blocking")
    threading.Event().wait()
    return 1

@dag
def blocking(pipe: Path = Path("pipe").absolute()) -> int:
    return block(pipe)
"""

WORKER = """
import os, signal, threading
from pathlib import Path
from actorflow import dag, task

@task
def work(pipe: Path) -> int:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    pipe.write_text(str(os.getpid()))
    threading.Event().wait()
    return 1

@dag
def worker(pipe: Path = Path("pipe").absolute()) -> int:
    return work(pipe)
"""

DEF_TASK = """
import os
from actorflow import dag, task

@task
def where() -> int:
    return os.getpid()

@task
async def here() -> int:
    return os.getpid()

@task
async def same(a: int, b: int) -> bool:
    return a == b

@dag
def places() -> bool:
    return same(where(), here())
"""

NO_ECHO = """
import termios
from actorflow import dag, task

@task
async def hush() -> bool:
    modes = termios.tcgetattr(0)
    modes[3] &= ~termios.ECHO
    termios.tcsetattr(0, termios.TCSANOW, modes)
    return not termios.tcgetattr(0)[3] & termios.ECHO

@dag
def no_echo() -> bool:
    return hush()
"""

THREAD = """
import threading
from pathlib import Path
from actorflow import dag, task

@task(executor="thread")
def block(pipe: Path) -> int:
    pipe.write_text("blocking")
    threading.Event().wait()
    return 1

@dag
def thread(pipe: Path = Path("pipe").absolute()) -> int:
    return block(pipe)
"""

INLINE = BLOCKING.replace("async def", "def")

BREAKPOINT = """
from actorflow import dag, task

@task
def stop(n: int) -> int:
    doubled = 2 * n
    breakpoint()
    return doubled

@dag
def debug(n: int = 21) -> int:
    return stop(n)
"""
