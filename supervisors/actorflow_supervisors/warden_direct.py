"""Warden direct: processes started by this process itself, where the system has no more to offer.

What is reduced: they end with this process as far as they notice its end, what has left their session may not be found
after it, memory is measured by this loop, and every worker is a fresh interpreter.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence

from actorflow_supervisors.loop import Home
from actorflow_supervisors.memory import MemoryWatch
from actorflow_supervisors.process import Process, ProcessStartFailed
from actorflow_supervisors.process_direct import DirectProcess, start_process
from actorflow_supervisors.warden_frames import FrameSocket

WHY_COLD = "this system has no warden that could fork them"


class DirectWarden:
    """A `Warden`. To be used in a thread that lives as long as what it starts."""

    is_reduced = True

    def __init__(self, home: Home) -> None:
        self.memory = MemoryWatch()
        self._processes: set[DirectProcess] = set()
        home.spawn(self.memory.run, name="memory")

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
        process = start_process(
            argv, env=env, cwd=cwd, pass_fds=pass_fds, stdout=stdout, stderr=stderr, memory=self.memory
        )
        self._processes = {other for other in self._processes if other.exit is None} | {process}
        process.limit(quota_bytes, backstop=backstop)
        return process

    async def zygote(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: str | None = None,
        stdout: int | None = None,
        stderr: int | None = None,
    ) -> DirectZygote:
        return DirectZygote(self, argv, env, cwd)

    async def close(self) -> None:
        for process in self._processes:
            process.kill()
        for process in self._processes:
            await process.wait()


class DirectZygote:
    """A `Zygote` that forks nobody."""

    why_cold = WHY_COLD

    def __init__(self, warden: DirectWarden, argv: Sequence[str], env: Mapping[str, str], cwd: str | None) -> None:
        self._warden = warden
        self._argv = argv
        self._env = env
        self._cwd = cwd

    async def fork(
        self,
        payload: bytes,
        *,
        sock: socket.socket,
        stdout: int | None = None,
        stderr: int | None = None,
        stopped_limit_s: float = 0.0,
    ) -> Process:
        ours, theirs = socket.socketpair()
        letter = FrameSocket(ours)
        try:
            letter.send("become", payload, fds=(sock.fileno(),))  # it fits, and lies there until it is read
            argv = [*self._argv, str(theirs.fileno()), str(os.getpid()), "unmarked=1"]
            return await self._warden.start(
                argv, env=self._env, cwd=self._cwd, pass_fds=(theirs.fileno(),), stdout=stdout, stderr=stderr
            )
        except OSError as exc:
            raise ProcessStartFailed(f"cannot start {self._argv[0]!r}: {exc}") from exc
        finally:
            theirs.close()
            letter.close()

    async def ready(self) -> str:
        return WHY_COLD

    async def stop(self) -> None:
        """There is nothing to stop."""
