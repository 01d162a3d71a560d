"""Warden: whoever keeps processes alive has one small process that starts, watches and ends them.

```python
async with open_warden() as warden:
    process = await warden.start(["convert", "a.png", "a.pdf"], env=os.environ, quota_bytes=1 << 30)
    print(await process.wait())
```

Two seconds after the supervisor has ended, in whatever way, nothing that it started is alive. Only Linux has what that
takes; elsewhere the same API starts processes from this process itself, which end with it as far as they notice.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextvars import ContextVar
from typing import Protocol

import anyio

from actorflow_supervisors.loop import current_seam
from actorflow_supervisors.process import Process
from actorflow_supervisors.process_tree import PROCFS
from actorflow_supervisors.warden_direct import DirectWarden
from actorflow_supervisors.warden_linux import LinuxWarden


class Zygote(Protocol):
    """An interpreter that has imported what its workers need, and forks them."""

    @property
    def why_cold(self) -> str | None:
        """Why workers get interpreters of their own, "" where they are forked, None as long as it is not known."""
        ...

    async def fork(
        self,
        payload: bytes,
        *,
        sock: socket.socket,
        stdout: int | None = None,
        stderr: int | None = None,
        stopped_limit_s: float = 0.0,
    ) -> Process:
        """A new worker: its entry function is called with its end of a socket and `payload`, 64 KiB at most.

        sock: that end, which stays the caller's here. stdout, stderr: descriptors, None for this process's own.
        stopped_limit_s: see `Warden.start`. Returns once the process is there, before its entry runs.
        Raises ProcessStartFailed.
        """
        ...

    async def ready(self) -> str:
        """Wait until it has imported what it imports; returns `why_cold`."""
        ...

    async def stop(self) -> None:
        """End it; workers live on."""
        ...


class Warden(Protocol):
    """Starts processes."""

    async def start(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: str | None = None,
        pass_fds: Sequence[int] = (),
        stdout: int | None = None,
        stderr: int | None = None,
        quota_bytes: int | None = None,
        backstop: bool = True,
        stopped_limit_s: float = 0.0,
    ) -> Process:
        """Start `argv` in a session of its own; return once the program runs.

        env: its whole environment, to which a marker is added. pass_fds: inherited under the same numbers. stdout,
        stderr: descriptors, None for this process's own; standard input is empty. quota_bytes, backstop: see
        `Process.limit`. stopped_limit_s: seconds that a signal may hold it stopped, 0 for as long as it likes.
        Raises ProcessStartFailed.
        """
        ...

    async def zygote(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: str | None = None,
        stdout: int | None = None,
        stderr: int | None = None,
    ) -> Zygote:
        """Start a zygote: `argv` runs `zygote_main.main`, which gets more arguments behind its own.

        Returns at once; forks wait until it has imported what it imports, and fail where it cannot be started.
        """
        ...

    @property
    def is_reduced(self) -> bool:
        """True where this system has no warden: processes are started from this one."""
        ...


_current: ContextVar[tuple[object, Warden] | None] = ContextVar("actorflow_warden", default=None)


@contextlib.asynccontextmanager
async def open_warden(*, name: str = "warden", reduced: bool | None = None) -> AsyncGenerator[Warden]:
    """A warden for as long as the block runs; leaving it ends whatever it still has.

    Meanwhile the environment of this process carries a mark, by which what it starts by itself is found, and ended, if
    it ends before the block. One is enough for a program: runs inside the block use it.
    name: in messages. reduced: start processes from this one; by default where the system has no more.
    """
    is_reduced = not is_supported() if reduced is None else reduced
    async with current_seam().open_home() as home:
        warden = DirectWarden(home) if is_reduced else LinuxWarden(home, name)
        token = _current.set((anyio.lowlevel.current_token(), warden))
        try:
            yield warden
        finally:
            with contextlib.suppress(ValueError):  # left in another context than entered
                _current.reset(token)
            with anyio.CancelScope(shield=True):  # bounded
                await warden.close()


@contextlib.asynccontextmanager
async def shared_warden() -> AsyncGenerator[Warden]:
    """The warden of the block around, if there is one in this loop; else one of its own."""
    found = _current.get()
    if found is not None and found[0] == anyio.lowlevel.current_token():
        yield found[1]
        return
    async with open_warden() as warden:
        yield warden


def is_supported() -> bool:
    """Whether this system has what a warden needs."""
    if sys.platform != "linux" or not PROCFS or not sys.executable:
        return False
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError):  # an old kernel, or a sandbox
        return False
    return True
