"""Virtual time on both loops: when nothing is left to do but wait, the clock jumps to the next timer."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable
from typing import Any

import trio.testing

Backend = tuple[str, dict[str, Any]]


class _JumpingSelector(selectors.DefaultSelector):
    """Never waits: a wait with a limit moves the clock by it, a wait without one is a deadlock."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            raise RuntimeError("deadlock: every task waits, and no timer is set")
        self.now_s += timeout
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An asyncio loop on virtual time, for code without threads and without I/O."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now_s


def virtual_backend(name: str) -> Backend:
    """What anyio needs to run a test on a fresh virtual clock."""
    if name == "asyncio":
        factory: Callable[[], asyncio.AbstractEventLoop] = VirtualLoop
        return name, {"loop_factory": factory}
    return name, {"clock": trio.testing.MockClock(autojump_threshold=0)}
