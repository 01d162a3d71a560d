"""Exchange: the messages of a placed actor on their way to its process, a window of them ahead, and what comes back.

What waits in the mailbox leaves in one frame for each turn of the loop. While answers come one at a time nobody else is
sending, so the next message leaves at once.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, Final

from actorflow.actors.codec import DecodeError
from actorflow.actors.envelope import NEVER_S, Ask, Message, handler_name
from actorflow.actors.placement.flight import Flight, Progress
from actorflow.actors.placement.frames import TOLD, How, Kind, NotAFrame
from actorflow.actors.placement.outgoing import Outgoing
from actorflow_transports.errors import TransportError

if TYPE_CHECKING:
    from actorflow.actors.placement.link import Link
    from actorflow.actors.placement.placed import PlacedCell
    from actorflow_supervisors.exit_reason import ExitReason
    from actorflow_transports.interface import Connection

JOIN_BYTES = 64 * 1024
"""Of bodies in one frame, after which the next message begins another."""

GONE: Final = object()


class Exchange:
    """Of one incarnation.

    others: takes the frames that are not about messages of the actor itself. heard: called behind all that has come in
    one turn.
    """

    def __init__(
        self, cell: PlacedCell, link: Link, others: Callable[[list[Any]], None], heard: Callable[[], None] | None = None
    ) -> None:
        self.is_up = False
        self._cell = cell
        self._link = link
        self._others = others
        self._heard = heard
        self._flight: Flight[Message] = Flight(cell.placement.window)
        self._asks: dict[int, Ask] = {}
        self._is_one_by_one = True
        self._is_taking = False
        self._resume = cell.system.seam.resume
        self._bell = _Bell(self)
        self.outgoing = Outgoing(cell.system.seam, self._next_messages, self._hang_bell)

    def up(self) -> None:
        """Its actor takes messages from now on; again after `pause`."""
        if not self.is_up:
            self.is_up = True
            self.outgoing.wake()

    def pause(self) -> None:
        """No message leaves from now on."""
        self.is_up = False

    def drop(self, ask: Ask) -> None:
        """Its asker has gone."""
        number = next((number for number, known in self._asks.items() if known is ask), None)
        if number is not None:
            del self._asks[number]
            self.outgoing.add([Kind.drop, number])

    def land(self, progress: Progress, reason: ExitReason) -> None:
        """The process has ended: every message in flight is settled."""
        self._cell.handled += self._flight.finished(progress.finished)
        self._cell.landed(self._flight.land(progress.begun, progress.finished), self._asks, reason)

    @property
    def handled(self) -> int:
        """How many messages the process has finished, as far as it has said."""
        return self._flight.finished_number

    @property
    def is_idle(self) -> bool:
        """No message is on its way to the process, or in hand there."""
        return not self._flight

    @property
    def owes_reply(self) -> bool:
        """An asker waits for the reply of a message that is finished: it is deferred."""
        return next(iter(self._asks), sys.maxsize) <= self._flight.finished_number

    def in_hand(self, progress: Progress) -> str | None:
        """The handler that the process is at; None where it is at none."""
        begun = progress.begun
        message = self._flight.at(begun) if begun > progress.finished else None
        return None if message is None else handler_name(message)

    # What goes out.

    async def write(self, connection: Connection) -> None:
        """The writer."""
        try:
            await self.outgoing.write(connection)
        finally:
            self._cell.inbox.parked = None

    def ring(self) -> None:
        """A message lies in the mailbox that was empty, or had no room ahead."""
        if self._is_taking:
            return
        if self._is_one_by_one and not self._flight:
            self.outgoing.flush()
            self._hang_bell()
        else:
            self.outgoing.wake()

    def _hang_bell(self) -> None:
        self._cell.inbox.parked = self._bell

    def _next_messages(self) -> list[Any] | None:
        """A frame of what may leave now; None if that is nothing."""
        cell, flight = self._cell, self._flight
        items = cell.inbox.items
        if not items or not self.is_up or cell.asked_to_end:
            return None
        number = flight.next_number
        frame: list[Any] = [Kind.messages, number]
        leaving: list[Message] = []
        room, room_bytes = flight.room, JOIN_BYTES
        while items and len(leaving) < room:
            message: Any = items.popleft()
            if message.__class__ is tuple:
                name, parcel, named = message
                left_s: Any = TOLD
            else:
                name, parcel, named = message.name, message.args, message.kwargs
                left_s = self._left_s(message)
                if left_s is GONE:
                    continue
                if left_s is not TOLD:
                    self._asks[number] = message
            leaving.append(message)
            number += 1
            frame += (name, (*parcel, named) if named else parcel, left_s)
            if parcel.__class__ is bytes:
                room_bytes -= len(parcel)
                if room_bytes <= 0:
                    break
        flight.extend(leaving)
        if cell.inbox.waiting is not None and len(items) <= cell.inbox.settings.low_water:
            cell.inbox.take_in()
        return frame if leaving else None

    def _left_s(self, message: Message) -> Any:
        """What is left of an ask's time, as it travels; TOLD where nobody waits, GONE where nobody does any more."""
        if not isinstance(message, Ask):
            return TOLD  # a tell that crashed an incarnation before
        if message.slot.done():
            return GONE
        if message.deadline_s == NEVER_S:
            return None
        return self._link.left_s(message) if self._cell.is_in_time(message) else GONE

    # What comes in.

    async def receive(self, connection: Connection) -> Exception:
        """Until the connection is over; says why it is."""
        try:
            await connection.receive_into(self._take)
        except (TransportError, DecodeError, NotAFrame) as error:
            return error

    def _take(self, frames: list[Any]) -> None:
        """What is sent by askers that go on meanwhile leaves together, behind the last of them."""
        self._is_taking = True
        try:
            for frame in frames:
                match frame[0]:
                    case Kind.replies:
                        self._answered(frame)
                    case Kind.done:
                        self._finished(frame[1])
                    case Kind.dropped:
                        self._flight.remove(frame[1])
                    case _:
                        self._others(frame)
        finally:
            self._is_taking = False
        if self._heard is not None:
            self._heard()
        self.outgoing.flush()
        self._hang_bell()

    def _answered(self, frame: list[Any]) -> None:
        self._is_one_by_one = len(frame) == 4
        self._finished(max(frame[1::3]))
        asks, resume = self._asks, self._resume
        fields = iter(frame)
        next(fields)
        for number, how, what in zip(fields, fields, fields, strict=True):
            ask = asks.pop(number, None)
            if ask is None:
                continue
            if how != How.plain:
                self._link.settle(ask, how, what)
            elif not (slot := ask.slot).done():
                resume(slot, what)

    def _finished(self, number: int) -> None:
        self._cell.handled += self._flight.finished(number)


class _Bell:
    """The slot in which the reader of the mailbox waits: filled by the first message."""

    __slots__ = ("_exchange",)

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def set_result(self, value: Any, /) -> None:
        self._exchange.ring()

    def done(self) -> bool:
        return False

    def __await__(self) -> Generator[Any, Any, Any]:
        raise RuntimeError("nobody waits in this slot")
