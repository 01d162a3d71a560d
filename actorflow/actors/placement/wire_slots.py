"""Wire slots: where the outcome of an ask goes when its asker is in another process."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

from actorflow.actors.envelope import Ask

if TYPE_CHECKING:
    from actorflow.actors.cell import Cell
    from actorflow.actors.placement.link import Link


class CallSlot:
    """A slot whose filling is a call."""

    __slots__ = ("_call", "_done")

    def __init__(self, call: Callable[[], None]) -> None:
        self._call = call
        self._done = False

    def set_result(self, value: Any, /) -> None:
        if not self._done:
            self._done = True
            self._call()

    def done(self) -> bool:
        return self._done

    def __await__(self) -> Generator[Any, Any, Any]:
        raise RuntimeError("nobody waits in this slot")


class WireSlot:
    """The slot of an ask that came over a link: its outcome is an answer that goes back. waiting: who waits for it."""

    __slots__ = ("_done", "_link", "_number", "ask", "waiting")

    def __init__(self, link: Link, number: int) -> None:
        self._link = link
        self._number = number
        self._done = False
        self.ask: Ask | None = None
        self.waiting: Cell | None = None

    def set_result(self, value: Any, /) -> None:
        if self._done:
            return
        self._done = True
        if self.waiting is not None:
            self.waiting.waiting_on = None
        self._link.answered(self._number, self.ask, value)

    def done(self) -> bool:
        return self._done

    def __await__(self) -> Generator[Any, Any, Any]:
        raise RuntimeError("nobody waits in this slot")
