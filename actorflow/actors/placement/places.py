"""Places: where the placed actors of one system get their processes: one warden, and one zygote for each module."""

from __future__ import annotations

import os
import socket
import sys
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import anyio

from actorflow_supervisors.loop import Home, Seam
from actorflow_supervisors.process import Process
from actorflow_supervisors.warden import Warden, Zygote, shared_warden

if TYPE_CHECKING:
    from collections.abc import Mapping

    from actorflow.actors.system import ActorSystem

ENTRY = "actorflow.actors.placement.host_main:host"
PRELOAD = "actorflow.actors.placement.host_main:preload"
_BOOT = (
    "import os, sys; sys.path[:] = os.environ.pop('ACTORFLOW_PATH').split('\\n'); "
    "from actorflow_supervisors.zygote_main import main; main()"
)


class Places:
    """Opened when the first placed actor is spawned; closed after the last one has ended."""

    def __init__(self, home: Home, seam: Seam) -> None:
        self._seam = seam
        self._zygotes: dict[str, Zygote] = {}
        self._starting = anyio.Lock()
        self._warden: Warden | None = None
        self._opened = anyio.Event()
        self._closing = anyio.Event()
        self._closed = anyio.Event()
        home.spawn(self._hold)

    async def process(self, module: str, sock: socket.socket, stderr: int, quota_bytes: int | None) -> Process:
        """A process that has imported `module` and speaks over `sock`. Raises ProcessStartFailed."""
        zygote = await self._zygote(module)
        process = await zygote.fork(self._seam.name.encode(), sock=sock, stderr=stderr)
        if quota_bytes is not None:
            process.limit(quota_bytes)
        return process

    async def close(self) -> None:
        """All of its processes are gone when this returns."""
        self._closing.set()
        await self._closed.wait()

    async def _zygote(self, module: str) -> Zygote:
        await self._opened.wait()
        assert self._warden is not None
        async with self._starting:
            if module not in self._zygotes:
                argv = [sys.executable, *_flags(), "-c", _BOOT, PRELOAD, ENTRY, module, self._seam.name]
                self._zygotes[module] = await self._warden.zygote(argv, env=_environment())
            return self._zygotes[module]

    async def _hold(self) -> None:
        try:
            async with shared_warden() as warden:
                self._warden = warden
                self._opened.set()
                await self._closing.wait()
                for zygote in self._zygotes.values():
                    await zygote.stop()
        finally:
            self._opened.set()
            self._closed.set()


_places: WeakKeyDictionary[ActorSystem, Places] = WeakKeyDictionary()


def places_of(system: ActorSystem) -> Places:
    """One for each system, closed with it."""
    found = _places.get(system)
    if found is None:
        found = _places[system] = Places(system.home, system.seam)
        system.closers.append(found.close)
    return found


def _flags() -> list[str]:
    """What this interpreter was started with, as far as it changes what code does."""
    flags = ["-P", "-X", "faulthandler", *["-O"] * sys.flags.optimize, *["-B"] * bool(sys.dont_write_bytecode)]
    return [*flags, *(f"-W{option}" for option in sys.warnoptions)]


def _environment() -> Mapping[str, str]:
    return {**os.environ, "ACTORFLOW_PATH": "\n".join(sys.path)}
