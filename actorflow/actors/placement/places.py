"""Places: where the placed actors of one system get their processes: one warden, and one zygote for each module.

Beside each zygote wait spare processes (`spares`), once an actor of that module is up.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import anyio
from anyio.abc import TaskGroup

from actorflow.actors.placement.host_process import HostProcess
from actorflow.actors.placement.spares import Spares
from actorflow_supervisors.loop import Home, Seam
from actorflow_supervisors.warden import Warden, shared_warden

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
    """Opened when the first placed actor is spawned; closed after the last one has ended.

    spares: those beside the zygote of each module. wanted: how many wait there.
    """

    def __init__(self, home: Home, seam: Seam, *, wanted: int) -> None:
        self._seam = seam
        self.spares: dict[str, Spares] = {}
        self._wanted = wanted
        self._starting = anyio.Lock()
        self._warden: Warden | None = None
        self._tasks: TaskGroup | None = None
        self._opened = anyio.Event()
        self._closing = anyio.Event()
        self._closed = anyio.Event()
        home.spawn(self._hold)

    async def take(self, module: str, max_age_s: float | None = None) -> HostProcess:
        """A process that has imported `module`, and waits. max_age_s: of one. Raises ProcessStartFailed."""
        spares = self.spares.get(module) or await self._beside_zygote(module)
        return await spares.take(max_age_s)

    def refill(self, module: str) -> None:
        """The actor that took a process is up."""
        if not self._closing.is_set():
            self.spares[module].refill()

    async def close(self) -> None:
        """All of its processes are gone when this returns."""
        self._closing.set()
        await self._closed.wait()

    async def _beside_zygote(self, module: str) -> Spares:
        await self._opened.wait()
        assert self._warden is not None
        assert self._tasks is not None
        async with self._starting:
            if module not in self.spares:
                argv = [sys.executable, *_flags(), "-c", _BOOT, PRELOAD, ENTRY, module, self._seam.name]
                zygote = await self._warden.zygote(argv, env=_environment())
                self.spares[module] = Spares(zygote, self._seam.name, self._wanted, self._tasks)
            return self.spares[module]

    async def _hold(self) -> None:
        try:
            async with shared_warden() as self._warden:
                async with anyio.create_task_group() as self._tasks:
                    self._opened.set()
                    await self._closing.wait()
                    self._tasks.cancel_scope.cancel()
                for spares in self.spares.values():
                    await spares.end()
        finally:
            self._opened.set()
            self._closed.set()


_places: WeakKeyDictionary[ActorSystem, Places] = WeakKeyDictionary()


def places_of(system: ActorSystem) -> Places:
    """One for each system, closed with it."""
    found = _places.get(system)
    if found is None:
        found = _places[system] = Places(system.home, system.seam, wanted=system.spare_processes)
        system.closers.append(found.close)
    return found


def _flags() -> list[str]:
    """What this interpreter was started with, as far as it changes what code does."""
    flags = ["-P", "-X", "faulthandler", *["-O"] * sys.flags.optimize, *["-B"] * bool(sys.dont_write_bytecode)]
    return [*flags, *(f"-W{option}" for option in sys.warnoptions)]


def _environment() -> Mapping[str, str]:
    return {**os.environ, "ACTORFLOW_PATH": "\n".join(sys.path)}
