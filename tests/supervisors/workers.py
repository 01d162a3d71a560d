"""Children that do what a test tells them and report what they do, and a watch on a supervisor's events."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import anyio

from actorflow_supervisors.child_spec import ChildSpec
from actorflow_supervisors.events import ChildEnded, ChildStarted, SupervisorEvent
from actorflow_supervisors.supervisor import Supervisor


class Worker:
    """A child that runs until it is told to end; `log` shows its ups and downs, shared with its siblings."""

    def __init__(self, name: str, log: list[str], *, cleanup: Callable[[], Awaitable[object]] | None = None) -> None:
        self.name = name
        self.log = log
        self.starts = 0
        self._cleanup = cleanup
        self._orders: anyio.Event
        self._error: BaseException | None = None

    async def __call__(self) -> None:
        self.starts += 1
        self._orders, self._error = anyio.Event(), None
        self.log.append(f"{self.name} up")
        try:
            await self._orders.wait()
            if self._error is not None:
                raise self._error
        finally:
            if self._cleanup is not None:
                with anyio.CancelScope(shield=True):
                    await self._cleanup()
            self.log.append(f"{self.name} down")

    def crash(self, error: BaseException | None = None) -> None:
        self._error = error or ValueError(self.name)
        self._orders.set()

    def finish(self) -> None:
        self._orders.set()

    def spec(self, **options: Any) -> ChildSpec:
        return ChildSpec(id=self.name, run=self, **options)


class Watch:
    """Collects a supervisor's events, and waits for them without polling."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.events: list[SupervisorEvent] = []
        self._news = anyio.Event()
        supervisor.subscribe(self._take)

    def _take(self, event: SupervisorEvent) -> None:
        self.events.append(event)
        self._news.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Return once `condition` holds; it is looked at after each event."""
        while not condition():
            self._news = anyio.Event()
            await self._news.wait()

    async def started(self, child_id: str, incarnation: int) -> None:
        await self.until(
            lambda: any(
                isinstance(event, ChildStarted) and (event.child_id, event.incarnation) == (child_id, incarnation)
                for event in self.events
            )
        )

    async def ended(self, child_id: str, incarnation: int) -> ChildEnded:
        found: list[ChildEnded] = []

        def look() -> bool:
            found[:] = [
                event
                for event in self.events
                if isinstance(event, ChildEnded) and (event.child_id, event.incarnation) == (child_id, incarnation)
            ]
            return bool(found)

        await self.until(look)
        return found[0]


def incarnations(supervisor: Supervisor) -> dict[str, int]:
    return {child.id: child.incarnation for child in supervisor.tree().children}


def states(supervisor: Supervisor) -> dict[str, str]:
    return {child.id: str(child.state) for child in supervisor.tree().children}
