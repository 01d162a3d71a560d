"""Host cell: how a placed actor's mailbox is worked through in its own process, each step counted for the owner."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from actorflow.actors.actor import Actor
from actorflow.actors.boundary import ArgumentsRefusedError
from actorflow.actors.cell import Cell
from actorflow.actors.codec import DecodeError
from actorflow.actors.dead_letters import DeadLetterReason
from actorflow.actors.dispatch import Method, leaf_of
from actorflow.actors.envelope import NEVER_S, Ask, Message, handler_name
from actorflow.actors.errors import MessageRefused
from actorflow.actors.placement.arrivals import Arrival, ArrivedAsk, number_of
from actorflow.actors.placement.flight import BEGUN, FINISHED
from actorflow.actors.placement.frames import How, Kind
from actorflow.actors.placement.passing import is_plain
from actorflow.actors.placement.shapes import Shapes
from actorflow.actors.placement.signatures import Call
from actorflow_supervisors.child import Verdict
from actorflow_supervisors.exit_reason import ExitReason

if TYPE_CHECKING:
    from actorflow.actors.placement.host import Host


ACK_EVERY = 128
"""Finished messages that are told together, while more wait: half of the usual window."""


class HostCell(Cell):
    """A cell of a host's system. path_there: what the placed actor is called by its owner; None for all others."""

    __slots__ = ("_handlers", "host", "is_ending", "path_there")

    def __init__(self, host: Host, *args: Any) -> None:
        super().__init__(*args)
        self.host = host
        self.is_ending = False
        self.path_there: str | None = None
        self._handlers: dict[str, tuple[Method, Shapes]] = {}

    @property
    def path(self) -> str:
        return super().path if self.path_there is None else self.path_there

    @property
    def is_placed(self) -> bool:
        return self.path_there is not None

    # Its messages.

    def _bind(self, actor: Actor) -> dict[str, Method]:
        cls = type(actor)
        shapes = self.host.link.signatures.shapes
        self._handlers = {name: (method, shapes(cls, name)) for name, method in self.table.bind(actor).items()}
        return super()._bind(actor)

    async def _handle_other(self, message: Any, actor: Actor, methods: dict[str, Method]) -> None:
        """What the owner sent: checked, handled and counted.

        Stands here in full, as the loop of `Cell` does: each call left out is 2 to 5% of a message.
        """
        is_ask = type(message) is ArrivedAsk
        if not is_ask and type(message) is not Arrival:
            await super()._handle_other(message, actor, methods)
            return
        if is_ask and (message.is_done or not (message.deadline_s == NEVER_S or self._is_in_time(message))):
            return
        method, shapes = self._handlers[message.name]
        host, counts, number, args = self.host, self.host.progress.counts, message.number, message.args
        named: dict[str, Any] | None = None
        counts[BEGUN] = number
        if args.__class__ is not list or not shapes.fit(tuple(map(type, args))):
            args, named = self._named(shapes, args) or self._checked(type(actor), message)
        try:
            reply = await (method(*args, **named) if named else method(*args))
        except Exception as error:
            declared = self.table.handlers[message.name].raises
            if declared and isinstance(leaf_of(error), declared):
                host.finished(number, is_told=is_ask)
            raise
        except self.system.cancelled:
            if not host.is_lost:  # else this process ends over it: it was in hand
                host.finished(number, is_told=False)
            raise
        counts[FINISHED] = number
        if not is_ask or message.deferred or message.is_done:
            if number - host.acked >= ACK_EVERY or not self.inbox.items:
                host.tell_finished(number)
            return
        host.acked = number
        if type(reply) in shapes.replies and is_plain(reply):
            message.is_done = True
            host.reply(number, How.plain, reply)
        else:
            message.set_result(reply)

    def _named(self, shapes: Shapes, parcel: Any) -> Call | None:
        """Plain arguments with names; None where they are others, or need a check."""
        if parcel.__class__ is not list or not parcel or parcel[-1].__class__ is not dict:
            return None
        *args, named = parcel
        if not shapes.fit_named(tuple(map(type, args)), tuple(named), tuple(map(type, named.values()))):
            return None
        return tuple(args), named

    def _checked(self, cls: type[Actor], message: Arrival | ArrivedAsk) -> Call:
        """The arguments. Raises ArgumentsRefusedError."""
        link = self.host.link
        try:
            call = link.passing.read_parcel(message.args)
            return link.signatures.arguments(cls, message.name, call, self.path)
        except (MessageRefused, DecodeError) as error:
            self.host.finished(message.number, is_told=type(message) is ArrivedAsk)
            raise ArgumentsRefusedError(str(error.__cause__ or error)) from error

    def mark_started(self) -> None:
        super().mark_started()
        if self.is_placed:
            self.host.up(self)

    def asker_of_gone(self, number: int) -> None:
        """The asker of that message has gone."""
        for message in self.inbox.items:
            if number_of(message) == number:
                self.inbox.items.remove(message)
                self.host.send([Kind.dropped, number])
                return
        if isinstance(self.current, ArrivedAsk) and self.current.number == number:
            self.asker_gone(self.current)

    def asker_gone(self, ask: Ask, cancelled: BaseException | None = None) -> None:
        if isinstance(ask, ArrivedAsk):
            ask.dropped()
        super().asker_gone(ask, cancelled)

    def dead_letter(self, message: Message, reason: DeadLetterReason, errors: tuple[BaseException, ...] = ()) -> None:
        number = number_of(message)
        if number is None:
            super().dead_letter(message, reason, errors)
        elif not self.is_ending and reason is not DeadLetterReason.stopping:
            if number > self.host.progress.finished:
                self.host.progress.begun = number
                self.host.finished(number, is_told=False)
            self.host.letter(handler_name(message), reason, errors)

    # Its end.

    def request_stop(self, reason: ExitReason) -> None:
        self.is_ending = True
        super().request_stop(reason)

    def leave(self, reason: ExitReason) -> None:
        self.is_ending = True
        super().leave(reason)

    def on_exit(self, reason: ExitReason, verdict: Verdict) -> None:
        """As for any cell, but the owner logs it."""
        if not self.is_placed:
            super().on_exit(reason, verdict)
            return
        self._close_for_good()
        if self.holdings is not None:
            holdings, self.holdings = self.holdings, None
            holdings.release(self.path, reason)
        self._send_down(reason)

    def _crash(self, error: BaseException) -> ExitReason:
        if not self.is_placed:
            return super()._crash(error)
        self.is_ending = self.restarting = True
        self.current = None  # what becomes of it is for the owner to say
        return self.exit_reason_of(leaf_of(error))
