"""Placed: the cell of an actor whose code runs in another process. Its mailbox, its name and its supervision are here.

Messages are encoded when they are sent, so what cannot travel is refused at the sender; they wait here, in the mailbox
of any other actor, and go out a window at a time. What happens when the process ends: `flight`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from actorflow.actors import admission, faults
from actorflow.actors.cell import Cell
from actorflow.actors.dead_letters import DeadLetterReason
from actorflow.actors.dispatch import NO_TABLE, table_of
from actorflow.actors.envelope import Ask, Message, Retold, Tell, handler_name
from actorflow.actors.errors import ActorCrashed, ActorNotRunning, OutcomeUnknown, SpawnFailed
from actorflow.actors.factory import FactorySpec, NotImportable, describe_factory
from actorflow.actors.mailbox import Inbox, Mailbox
from actorflow.actors.placement.delivery import class_of, deliver
from actorflow.actors.placement.exports import exports_of
from actorflow.actors.placement.flight import Landing
from actorflow.actors.placement.incarnation import Incarnation
from actorflow.actors.placement.passing import Address, Passing, is_plain_call
from actorflow.actors.ref import ActorRef, cell_of
from actorflow_supervisors.exit_reason import Crashed, ExitReason, Killed
from actorflow_supervisors.recycling import Recycling
from actorflow_supervisors.subprocess_child import Subprocess as ChildSubprocess
from actorflow_supervisors.subprocess_child import is_count

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from actorflow.actors.actor import Actor
    from actorflow.actors.observer import View
    from actorflow.actors.system import ActorSystem
    from actorflow_supervisors.child import ChildPolicy


DEFAULT_WINDOW = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Subprocess(ChildSubprocess):
    """`system.spawn(Counter, placement=Subprocess())`: each incarnation of the actor runs in a process of its own.

    It also places a plain child: `ChildSpec(id=..., run=..., placement=Subprocess())`.
    quota_bytes: of memory, for the process and all it starts; beyond it they are killed, and nobody else. window:
    messages sent to the process ahead of the one in hand; the others wait in the mailbox, which stays here. recycling:
    when the process makes room for a new one, between two messages; None for never.
    """

    window: int = DEFAULT_WINDOW
    recycling: Recycling | None = None

    def __post_init__(self) -> None:
        ChildSubprocess.__post_init__(self)
        if not is_count(self.window):
            raise ValueError(f"the window of a placed actor is a whole number of 1 or more, not {self.window!r}")

    def new_cell(
        self,
        system: ActorSystem,
        parent: Cell | None,
        factory: Callable[[], Actor],
        name: str | None,
        policy: ChildPolicy,
        mailbox: Mailbox,
    ) -> Cell:
        """For the system. Raises SpawnFailed for a factory that another process cannot find."""
        try:
            spec = describe_factory(factory)
        except NotImportable as error:
            raise SpawnFailed(f"{error}") from error
        return PlacedCell(system, parent, factory, name, policy, mailbox, placement=self, spec=spec)


class PlacedCell(Cell):
    """One placed actor's life. Each of its incarnations is a process."""

    __slots__ = ("_passing", "_running", "placement", "spec")

    def __init__(
        self,
        system: ActorSystem,
        parent: Cell | None,
        factory: Callable[[], Actor],
        name: str | None,
        policy: ChildPolicy,
        mailbox: Mailbox,
        *,
        placement: Subprocess,
        spec: FactorySpec,
    ) -> None:
        super().__init__(system, parent, factory, name, policy, mailbox)
        self.inbox = Inbox(mailbox, inspected=True)  # each message passes `admit_...` below
        self.placement = placement
        self.spec = spec
        cls = class_of(self)
        self.table = NO_TABLE if cls is None else table_of(cls)
        self._passing = Passing(self._address_of, _no_refs)
        self._running: Incarnation | None = None

    @property
    def address(self) -> Address:
        """What its process knows it by."""
        exports = exports_of(self.system)
        return Address(exports.node, exports.key_of(self), self.path)

    def is_in_time(self, ask: Ask) -> bool:
        """False if its deadline has passed; then it is told so."""
        return self._is_in_time(ask)

    @property
    def asked_to_end(self) -> ExitReason | None:
        """Why the running incarnation is to end; None while it is not."""
        return self.stop_reason or self._leaving

    def look(self) -> View | None:
        return None if self._running is None else self._running.look()

    def _address_of(self, ref: ActorRef[Any]) -> Address:
        exports = exports_of(self.system)
        cell = cell_of(ref)
        return Address(exports.node, exports.key_of(cell), cell.path)

    # What senders call.

    def admit_tell(self, message: Tell) -> Awaitable[None] | None:
        if not is_plain_call(message[1], message[2]):
            message = self._packed_tell(message)
        if self._is_admitted(message):
            return None
        return admission.admit_tell(self, message)

    def admit_nowait(self, message: Tell) -> bool:
        if not is_plain_call(message[1], message[2]):
            message = self._packed_tell(message)
        return self._is_admitted(message) or admission.admit_nowait(self, message)

    def admit_ask(self, ask: Ask) -> Awaitable[None] | None:
        if not is_plain_call(ask.args, ask.kwargs):
            self._pack_ask(ask)
        if self._is_admitted(ask):
            return None
        return admission.admit_ask(self, ask)

    def _is_admitted(self, message: Message) -> bool:
        """True if all there was to do was to append it; else it is for `admission`."""
        inbox = self.inbox
        items = inbox.items
        if inbox.closed or inbox.waiting or len(items) >= inbox.settings.capacity or self.system.boundary is not None:
            return False
        if items and inbox.parked is None:
            items.append(message)
        else:
            inbox.put(message)
        return True

    def relay(self, message: Tell | Ask, taken: Callable[[], None]) -> None:
        """For the link of another process that calls this actor."""
        if isinstance(message, Ask):
            if not is_plain_call(message.args, message.kwargs):
                self._pack_ask(message)
        elif not is_plain_call(message[1], message[2]):
            message = self._packed_tell(message)
        deliver(self, message, taken)

    # Arguments that are plain stay as they are, since nobody can change those; others are packed when they are sent.

    def _packed_tell(self, message: Tell) -> Tell:
        name, args, kwargs = message
        return (name, self._body(name, args, kwargs), None)

    def _pack_ask(self, ask: Ask) -> None:
        ask.args = self._body(ask.name, ask.args, ask.kwargs)
        ask.kwargs = {}

    def _body(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any] | None) -> Any:
        where = f"arguments of {name} for {self.path!r}"
        return self._passing.pack_call(args, kwargs or {}, where)

    def asker_gone(self, ask: Ask, cancelled: BaseException | None = None) -> None:
        super().asker_gone(ask, cancelled)
        if self._running is not None:
            self._running.drop(ask)

    # What the supervisor calls.

    def interrupt(self) -> None:
        self._signals += 1
        if self._running is not None:
            self._running.wake()

    def grace_extended(self) -> bool:
        """The incarnation kills its process when the grace is over, and that takes a moment."""
        return self._running is not None

    async def incarnate(self) -> ExitReason:
        """One process; or several, one after the other, where it makes room for new ones: nobody is told of that."""
        while True:
            self._clear_signals()
            self._running = running = Incarnation(self)
            try:
                reason = await running.run()
            finally:
                self._running = None
                self.restarting = True
            if not running.made_room:
                return reason

    def started(self, cls: type[Actor] | None) -> None:
        """For the incarnation: its process says that the actor is up. cls: its class, where it is known here."""
        if cls is not None:
            self.table = table_of(cls)
        self.restarting = False
        self.mark_started()

    def landed(self, landing: Landing[Message], asks: dict[int, Ask], reason: ExitReason) -> None:
        """For the incarnation: its process has ended, and nothing is in flight any more."""
        untouched = {id(message) for message in landing.untouched}
        if landing.in_hand is not None:
            untouched.add(id(landing.in_hand))
            self._settle_in_hand(landing.in_hand, reason)
        for ask in asks.values():
            if id(ask) not in untouched:
                why = f"actor {self.path!r} had handled {ask.name} when its process ended, before the reply was here"
                ask.fail(OutcomeUnknown(why))
        for message in reversed(landing.untouched):
            self._take_back(message)

    def _settle_in_hand(self, message: Message, reason: ExitReason) -> None:
        if not isinstance(message, tuple | Ask | Retold):
            return
        error = reason.error if isinstance(reason, Crashed) else None
        if error is None and isinstance(reason, Killed) and self.last_error is not None:
            error = self.last_error
        if error is None:
            if isinstance(message, Ask):
                message.fail(ActorNotRunning(self.path, "was stopped while it handled the message"))
        elif handler_name(message) in self.table.handlers:
            faults.settle_crash(self, message, error)
        else:
            if isinstance(message, Ask):
                message.fail(ActorCrashed(self.path, message.name, error))
            else:
                self.dead_letter(message, DeadLetterReason.crashed, (error,))

    def _take_back(self, message: Message) -> None:
        """Its place is the head of the mailbox; a closed one has none."""
        if not self.inbox.closed:
            self.inbox.items.appendleft(message)
            return
        if isinstance(message, Ask):
            message.fail(ActorNotRunning(self.path, "stopped before it handled the message"))
        if isinstance(message, tuple | Ask):
            self.dead_letter(message, DeadLetterReason.stopping)

    @property
    def last_error(self) -> BaseException | None:
        """What ended the process of the incarnation that ends."""
        return None if self._running is None else self._running.lost


def _no_refs(address: Address) -> ActorRef[Any]:
    raise RuntimeError("nothing is read with this")
