"""Processes under test: they run a few lines of Python, in which `say(text)` writes a line to the test."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager

import anyio

from actorflow_supervisors.process import Process
from actorflow_supervisors.process_direct import DirectProcess, start_process
from actorflow_supervisors.warden import Warden, open_warden

FOREVER = "import signal\nwhile True: signal.pause()\n"
IGNORE_SIGTERM = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"


class Says:
    """What processes say, line by line."""

    def __init__(self) -> None:
        self.ours, self.theirs = os.pipe()
        os.set_blocking(self.ours, False)

    def code(self, code: str) -> list[str]:
        """The command line of a process that runs `code`; it needs the descriptor `theirs`."""
        prelude = f"import os\ndef say(text): os.write({self.theirs}, (str(text) + '\\n').encode())\n"
        return [sys.executable, "-I", "-S", "-c", prelude + code]

    def end_of_ours(self) -> None:
        """Nobody but the processes can say anything now."""
        if self.theirs >= 0:
            os.close(self.theirs)
            self.theirs = -1

    async def line(self) -> str:
        """The next line; "" once nobody can say any more."""
        return await line(self.ours)

    def close(self) -> None:
        self.end_of_ours()
        os.close(self.ours)


async def line(descriptor: int) -> str:
    """The next line that a process says; "" once nobody can say any more."""
    said = b""
    while not said.endswith(b"\n"):
        await anyio.wait_readable(descriptor)
        byte = os.read(descriptor, 1)
        if not byte:
            break
        said += byte
    return said.decode().strip()


@asynccontextmanager
async def reporting(
    code: str, way: str = "warden", *, quota_bytes: int | None = None, backstop: bool = True
) -> AsyncGenerator[tuple[Process, int]]:
    """A process that runs `code`, started in one `way`, and the descriptor to read from what it says."""
    async with open_warden(reduced=way == "reduced") as warden:
        process, says = await talking(warden, code, quota_bytes=quota_bytes, backstop=backstop)
        try:
            yield process, says.ours
        finally:
            says.close()


async def talking(
    warden: Warden,
    code: str,
    *,
    env: Mapping[str, str] | None = None,
    quota_bytes: int | None = None,
    backstop: bool = True,
    stopped_limit_s: float = 0.0,
) -> tuple[Process, Says]:
    """A process of `warden` that runs `code`, and what it says."""
    says = Says()
    process = await warden.start(
        says.code(code),
        env=os.environ if env is None else env,
        pass_fds=(says.theirs,),
        quota_bytes=quota_bytes,
        backstop=backstop,
        stopped_limit_s=stopped_limit_s,
    )
    says.end_of_ours()
    return process, says


@contextmanager
def directly(code: str) -> Generator[tuple[DirectProcess, int]]:
    """A process that runs `code`, started by this one, and the descriptor to read from what it says."""
    says = Says()
    process = start_process(says.code(code), env=os.environ, pass_fds=(says.theirs,))
    says.end_of_ours()
    try:
        yield process, says.ours
    finally:
        says.close()


def is_gone(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True
