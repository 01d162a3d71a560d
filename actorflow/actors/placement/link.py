"""Link: one connection between two systems. Each side's references to the other's actors work over it.

An actor becomes known to the other side by a reference in a message: under a key, which is good for as long as the
actor lives. Tells and asks of it are frames (`frames`), in order; how many may be under way that do not yet lie in
their mailbox is bounded, so a full mailbox there makes the senders here wait.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING, Any, cast

from actorflow.actors.codec import DecodeError
from actorflow.actors.dead_letters import DeadLetterReason
from actorflow.actors.envelope import NEVER_S, Ask, Failure, Tell
from actorflow.actors.errors import ActorNotRunning, MessageRefused, OutcomeUnknown, UnknownHandler
from actorflow.actors.monitor import Down, Monitor
from actorflow.actors.placement.delivery import Relay, class_of, deliver
from actorflow.actors.placement.exports import exports_of
from actorflow.actors.placement.frames import How, Kind, name_of
from actorflow.actors.placement.passing import Address, Passing
from actorflow.actors.placement.remote_cell import RemoteCell
from actorflow.actors.placement.signatures import Call, Signatures, signatures
from actorflow.actors.placement.wire_slots import WireSlot
from actorflow.actors.ref import ActorRef, cell_of
from actorflow_supervisors.exit_reason import ExitReason, NodeDown, NoProc
from actorflow_supervisors.loop import Waiter

if TYPE_CHECKING:
    from actorflow.actors.cell import Cell
    from actorflow.actors.system import ActorSystem

UNTAKEN = 1024
"""Calls and sends under way, each direction, that do not lie in a mailbox yet."""

Send = Callable[[list[Any]], None]
"""Queues a frame for the other side, whatever the queue holds; harmless once the connection is over."""


class Link:
    """What both sides do.

    mine: the placed actor, here its code or here its owner; the other side calls it by `mine_key`, not by its own.
    over: why nothing comes or goes any more; None while it does.
    """

    def __init__(self, system: ActorSystem, send: Send) -> None:
        self.system = system
        self.over: str | None = None
        self.exports = exports_of(system)
        self.passing = Passing(self._address_of, self._ref_to)
        self.aliases: dict[Cell, Address] = {}
        self.send = send
        self._known: dict[tuple[str, int], RemoteCell] = {}
        self._ids = count(1)
        self._untaken: dict[int, Callable[[], None] | None] = {}
        self._asks: dict[int, Ask] = {}
        self._watches: dict[int, tuple[RemoteCell, Monitor]] = {}
        self._served: dict[int, Ask] = {}
        self._reporting: dict[int, tuple[Cell, _Reporter]] = {}
        self._rooms: deque[Waiter] = deque()

    @property
    def signatures(self) -> Signatures:
        """Made when first needed: pydantic costs a program that is never called from elsewhere nothing."""
        return signatures()

    # References.

    def _address_of(self, ref: ActorRef[Any]) -> Address:
        cell = cell_of(ref)
        alias = self.aliases.get(cell)
        if alias is not None:
            return alias
        remote: Any = cell
        if isinstance(remote, RemoteCell) and remote.link is self:
            return remote.address
        return Address(self.exports.node, self.exports.key_of(cell), cell.path)

    def _ref_to(self, address: Address) -> ActorRef[Any]:
        for cell, alias in self.aliases.items():
            if alias == address:
                return cell.ref
        if address.node == self.exports.node:
            found = self.exports.find(address.key)
            return self.remote(address, gone=True).ref if found is None else ActorRef(found)
        return self.remote(address).ref

    def remote(self, address: Address, *, gone: bool = False) -> RemoteCell:
        """The cell behind an address of the other side. gone: its actor is known to have ended."""
        cell = self._known.get((address.node, address.key))
        if cell is None:
            cell = self._known[address.node, address.key] = RemoteCell(self, address)
            cell.inbox.closed = cell.inbox.closed or gone
        return cell

    # What goes out.

    @property
    def has_room(self) -> bool:
        return len(self._untaken) < UNTAKEN and not self._rooms

    async def room(self) -> bool:
        """Wait until one more call or send may go out; False if none ever will."""
        while self.over is None and not len(self._untaken) < UNTAKEN:
            turn = self.system.seam.waiter()
            self._rooms.append(turn)
            try:
                await turn.wait()
            except BaseException:
                if turn in self._rooms:
                    self._rooms.remove(turn)
                else:
                    self._next_room()
                raise
        return self.over is None

    def _next_room(self) -> None:
        if self._rooms:
            self._rooms.popleft().wake()

    def send_tell(self, cell: RemoteCell, message: Tell, taken: Callable[[], None] | None = None) -> None:
        """Raises MessageRefused."""
        name, args, kwargs = message
        body = self.passing.pack_call(args, kwargs or {}, f"arguments of {name} for {cell.path!r}")
        number = next(self._ids)
        self._untaken[number] = taken
        self.send([Kind.send, number, cell.address.key, name, body])

    def send_ask(self, cell: RemoteCell, ask: Ask, taken: Callable[[], None] | None = None) -> None:
        """Raises MessageRefused."""
        body = self.passing.pack_call(ask.args, ask.kwargs, f"arguments of {ask.name} for {cell.path!r}")
        number = next(self._ids)
        self._untaken[number] = taken
        self._asks[number] = ask
        asker = self.system.cells.get(self.system.current_task())
        from_placed = asker is not None and asker in self.aliases
        self.send([Kind.call, number, cell.address.key, ask.name, body, self.left_s(ask), from_placed])

    def drop_ask(self, ask: Ask) -> None:
        """Its asker has gone."""
        number = next((number for number, known in self._asks.items() if known is ask), None)
        if number is not None:
            del self._asks[number]
            self.send([Kind.uncall, number])

    def left_s(self, ask: Ask) -> float | None:
        """What is left of its time, as it travels: clocks of two processes have nothing in common."""
        return None if ask.deadline_s == NEVER_S else max(0.0, ask.deadline_s - self.system.seam.now_s())

    def deadline_s(self, left_s: float | None) -> float:
        return NEVER_S if left_s is None or math.isinf(left_s) else self.system.seam.now_s() + left_s

    def watch(self, cell: RemoteCell, monitor: Monitor) -> bool:
        """False if it is known to be gone."""
        if cell.ended:
            return False
        number = next(self._ids)
        self._watches[number] = (cell, monitor)
        self.send([Kind.watch, number, cell.address.key])
        return True

    def unwatch(self, monitor: Monitor) -> None:
        number = next((number for number, (_, known) in self._watches.items() if known is monitor), None)
        if number is not None:
            del self._watches[number]
            self.send([Kind.unwatch, number])

    # What comes in.

    def receive(self, frame: list[Any]) -> None:
        """A frame that both sides send. Raises DecodeError for bodies that are none; the connection is then broken."""
        kind, number = frame[0], frame[1]
        match kind:
            case Kind.call:
                self._serve_ask(*frame[1:])
            case Kind.send:
                self._serve_tell(*frame[1:])
            case Kind.taken:
                taken = self._untaken.pop(number, None)
                self._next_room()
                if taken is not None:
                    taken()
            case Kind.uncall:
                ask = self._served.pop(number, None)
                if ask is not None:
                    ask.target.asker_gone(ask)
            case Kind.answer:
                ask = self._asks.pop(number, None)
                if ask is not None:
                    self.settle(ask, frame[2], frame[3])
            case Kind.watch:
                self._report_end_of(number, frame[2])
            case Kind.unwatch:
                cell, reporter = self._reporting.pop(number, (None, None))
                if cell is not None and reporter is not None:
                    cell.drop_monitor(reporter)
            case Kind.gone:
                self._tell_gone(number, self.passing.read_reason(frame[2]))
            case _:
                raise DecodeError(f"{name_of(frame)} is not for this side")

    def settle(self, ask: Ask, how: int, body: bytes) -> None:
        """Give an ask its outcome."""
        if how == How.value:
            ask.reply(self.passing.read(body))
        else:
            ask.fail(self.passing.read_error(body))

    def _tell_gone(self, number: int, reason: ExitReason) -> None:
        cell, monitor = self._watches.pop(number, (None, None))
        if cell is not None and monitor is not None:
            monitor.notify(Down(cell.ref, reason, 0))

    def _serve_tell(self, number: int, key: int, name: str, body: bytes) -> None:
        cell = self.exports.find(key)
        if cell is None:
            self._taken(number)
            return
        try:
            args, kwargs = self.fitting(cell, name, self.passing.read_call(body))
        except (MessageRefused, UnknownHandler, DecodeError) as error:
            cell.dead_letter((name, (), None), DeadLetterReason.bad_arguments, (error,))
            self._taken(number)
            return
        self._deliver(cell, (name, args, kwargs or None), number)

    def _serve_ask(
        self, number: int, key: int, name: str, body: bytes, left_s: float | None, from_placed: bool
    ) -> None:
        cell = self.exports.find(key)
        slot = WireSlot(self, number)
        if cell is None:
            slot.set_result(Failure(ActorNotRunning(f"actor {key} of {self.exports.node}", "has ended")))
            self._taken(number)
            return
        try:
            args, kwargs = self.fitting(cell, name, self.passing.read_call(body))
            ask = Ask(name, args, kwargs, slot, cell, self.deadline_s(left_s))
            slot.ask = ask
            if from_placed:
                self._refuse_cycle(ask, slot)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with it is the sender's answer
            slot.set_result(Failure(error))
            self._taken(number)
            return
        self._served[number] = ask
        self._deliver(cell, ask, number)

    def _refuse_cycle(self, ask: Ask, slot: WireSlot) -> None:
        """The placed actor waits for `ask` from now on. Raises AskCycle if it would wait for itself."""
        for owner in self.aliases:
            owner.before_ask(ask)
            slot.waiting = owner

    def fitting(self, cell: Cell, name: str, call: Call) -> Call:
        """The arguments, checked where the class is known here. Raises MessageRefused, UnknownHandler."""
        cls = class_of(cell)
        return call if cls is None else self.signatures.arguments(cls, name, call, cell.path)

    def _deliver(self, cell: Cell | RemoteCell, message: Tell | Ask, number: int) -> None:
        relay = getattr(cell, "relay", None)
        if relay is not None:
            cast("Relay", cell).relay(message, lambda: self._taken(number))
            return
        deliver(cast("Cell", cell), message, lambda: self._taken(number))

    def _taken(self, number: int) -> None:
        self.send([Kind.taken, number])

    def _report_end_of(self, number: int, key: int) -> None:
        cell = self.exports.find(key)
        reporter = _Reporter(self, number)
        if cell is None or not cell.add_monitor(reporter):
            self.send([Kind.gone, number, self.passing.pack_reason(NoProc())])
        else:
            self._reporting[number] = (cell, reporter)

    def report_gone(self, number: int, reason: ExitReason) -> None:
        if self._reporting.pop(number, None) is not None:
            self.send([Kind.gone, number, self.passing.pack_reason(reason)])

    def answered(self, number: int, ask: Ask | None, value: Any) -> None:
        """For a slot: the ask that came as `number` has its outcome."""
        self._served.pop(number, None)
        how, body = self.answer_of(ask, value)
        self.send([Kind.answer, number, how, body])

    def answer_of(self, ask: Ask | None, value: Any) -> tuple[int, bytes]:
        """How an outcome travels; a reply that cannot is answered with why."""
        if type(value) is Failure:
            return How.error, self.passing.pack_error(value.error)
        try:
            if ask is not None:
                cls = class_of(ask.target)
                if cls is not None:
                    value = self.signatures.reply(cls, ask.name, value, ask.target.path)
            return How.value, self.passing.pack(value, "reply" if ask is None else f"reply of {ask.name}")
        except MessageRefused as error:
            return How.error, self.passing.pack_error(error)

    # Its end.

    def close(self, why: str) -> None:
        """Nothing comes or goes from now on. Each ask under way ends, each monitor hears, who waits for room goes."""
        if self.over is not None:
            return
        self.over = why
        for cell in self._known.values():
            cell.inbox.closed = True
        asks, self._asks = self._asks, {}
        for ask in asks.values():
            ask.fail(OutcomeUnknown(f"actor {ask.target.path!r} was lost while {ask.name} was under way: {why}"))
        watches, self._watches = self._watches, {}
        for cell, monitor in watches.values():
            monitor.notify(Down(cell.ref, NodeDown(why), 0))
        for target, reporter in self._reporting.values():
            target.drop_monitor(reporter)
        for ask in tuple(self._served.values()):
            ask.target.asker_gone(ask)
        untaken, self._untaken = self._untaken, {}
        for taken in untaken.values():
            if taken is not None:
                taken()
        while self._rooms:
            self._rooms.popleft().wake()


class _Reporter:
    """A monitor held by the other side."""

    __slots__ = ("_link", "_number")

    def __init__(self, link: Link, number: int) -> None:
        self._link = link
        self._number = number

    def notify(self, down: Down) -> None:
        self._link.report_gone(self._number, down.reason)

    def cancel(self) -> None:
        """Nobody cancels it but the link."""
