"""An actor that keeps what it was told, for the tests of what travels to another process and how."""

from __future__ import annotations

from typing import Any

from actorflow import Actor, ActorRef, handler
from tests.actors.placement.crew import Gate


class Scribe(Actor):
    def __init__(self) -> None:
        self.lines: list[Any] = []

    @handler
    async def writes(self, line: Any) -> int:
        self.lines.append(line)
        return len(self.lines)

    @handler
    async def echo(self, value: Any) -> Any:
        return value

    @handler
    async def halves(self, number: int, by: int = 2) -> float:
        return number / by

    @handler
    async def holds(self, gate: ActorRef[Gate]) -> None:
        """Occupied until the gate opens."""
        await gate.ask(Gate.arrive)
        await gate.ask(Gate.opened)

    @handler
    async def reads(self) -> list[Any]:
        return self.lines
