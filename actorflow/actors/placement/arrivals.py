"""Arrivals: messages of the owner in the mailbox of the placed actor, as they came, with their numbers."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from actorflow.actors.envelope import Ask, Message

if TYPE_CHECKING:
    from actorflow.actors.cell import Cell
    from actorflow.actors.placement.host import Host


class Arrival:
    """A tell. args: its parcel."""

    __slots__ = ("args", "name", "number")

    def __init__(self, number: int, name: str, parcel: Any) -> None:
        self.number = number
        self.name = name
        self.args = parcel


class ArrivedAsk(Ask):
    """An ask, which is its own slot: its outcome is a reply to the owner. args: its parcel.

    is_done: it has its outcome, or nobody waits for one.
    """

    __slots__ = ("_host", "is_done", "number")

    patient = True  # the same for all of them, so none has one of its own
    crashes = ()
    kwargs: dict[str, Any] = {}  # noqa: RUF012 - they are in the parcel

    def __init__(self, host: Host, number: int, name: str, parcel: Any, target: Cell, deadline_s: float) -> None:
        self._host = host
        self.is_done = False
        self.number = number
        self.name = name
        self.args = parcel
        self.target = target
        self.deadline_s = deadline_s
        self.deferred = False

    @property
    def slot(self) -> ArrivedAsk:  # type: ignore[override]  # a field of Ask, which is its own slot here
        return self

    def set_result(self, value: Any, /) -> None:
        if self.is_done:
            return
        self.is_done = True
        host = self._host
        cell = host.cell
        if cell is not None and cell.is_ending and self.number > host.progress.begun:
            return  # it was never begun, so it is the owner's again
        host.reply(self.number, *host.link.answer_of(self, value))

    def dropped(self) -> None:
        """Nobody waits for it any more."""
        self.is_done = True

    def done(self) -> bool:
        return self.is_done

    def __await__(self) -> Generator[Any, Any, Any]:
        raise RuntimeError("nobody waits in this slot")


def number_of(message: Message | Arrival | None) -> int | None:
    """Of a message of the owner; None for any other."""
    return message.number if isinstance(message, Arrival | ArrivedAsk) else None
