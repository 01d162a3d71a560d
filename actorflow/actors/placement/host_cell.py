"""Host cell: how a placed actor's mailbox is worked through in its own process, each step counted for the owner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from actorflow.actors.actor import Actor
from actorflow.actors.boundary import ArgumentsRefusedError
from actorflow.actors.cell import Cell
from actorflow.actors.codec import DecodeError
from actorflow.actors.dead_letters import DeadLetterReason
from actorflow.actors.dispatch import Method, leaf_of
from actorflow.actors.envelope import Ask, Message, handler_name
from actorflow.actors.errors import MessageRefused
from actorflow.actors.placement.frames import Kind
from actorflow_supervisors.child import Verdict
from actorflow_supervisors.exit_reason import ExitReason

if TYPE_CHECKING:
    from actorflow.actors.placement.host import Host, ReplySlot


@dataclass(frozen=True, slots=True)
class Arrival:
    """The arguments of a message of the owner, as they came. number: which message it is."""

    number: int
    body: bytes


class HostCell(Cell):
    """A cell of a host's system. path_there: what the placed actor is called by its owner; None for all others."""

    __slots__ = ("host", "is_ending", "path_there")

    def __init__(self, host: Host, *args: Any) -> None:
        super().__init__(*args)
        self.host = host
        self.is_ending = False
        self.path_there: str | None = None

    @property
    def path(self) -> str:
        return super().path if self.path_there is None else self.path_there

    @property
    def is_placed(self) -> bool:
        return self.path_there is not None

    # Its messages.

    def _bind(self, actor: Actor) -> dict[str, Method]:
        methods = super()._bind(actor)
        if not self.is_placed:
            return methods
        return {name: self._counted(type(actor), name, method) for name, method in methods.items()}

    def _counted(self, cls: type[Actor], name: str, method: Method) -> Method:
        """`method` for what the owner sent: decoded, checked, and counted."""
        declared = self.table.handlers[name].raises
        host, link = self.host, self.host.link

        async def call(*args: Any, **kwargs: Any) -> Any:
            if len(args) != 1 or type(args[0]) is not Arrival:
                return await method(*args, **kwargs)  # its own timer's
            number, current = args[0].number, self.current
            host.begun(number)
            is_told = False
            try:
                found = link.passing.read_call(args[0].body)
                given, named = link.signatures.arguments(cls, name, found, self.path)
            except (MessageRefused, DecodeError) as error:
                host.finished(number, is_told=type(current) is Ask)
                raise ArgumentsRefusedError(str(error.__cause__ or error)) from error
            try:
                result = await method(*given, **named)
                is_told = type(current) is Ask and not current.deferred and not current.slot.done()
            except Exception as error:
                if not declared or not isinstance(leaf_of(error), declared):
                    raise
                host.finished(number, is_told=type(current) is Ask)
                raise
            except self.system.cancelled:
                host.finished(number, is_told=False)
                raise
            host.finished(number, is_told=is_told)
            return result

        return call

    def mark_started(self) -> None:
        super().mark_started()
        if self.is_placed:
            self.host.up(self)

    def asker_of_gone(self, number: int) -> None:
        """The asker of that message has gone."""
        for message in self.inbox.items:
            if _number_of(message) == number:
                self.inbox.items.remove(message)
                self.host.send([Kind.dropped, number])
                return
        if isinstance(self.current, Ask) and _number_of(self.current) == number:
            self.asker_gone(self.current)

    def asker_gone(self, ask: Ask, cancelled: BaseException | None = None) -> None:
        if _number_of(ask) is not None:
            slot: ReplySlot = ask.slot  # type: ignore[assignment]  # whoever arrives has one
            slot.dropped()
        super().asker_gone(ask, cancelled)

    def dead_letter(self, message: Message, reason: DeadLetterReason, errors: tuple[BaseException, ...] = ()) -> None:
        number = _number_of(message)
        if number is None:
            super().dead_letter(message, reason, errors)
        elif not self.is_ending and reason is not DeadLetterReason.stopping:
            if number > self.host.progress.finished:
                self.host.begun(number)
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


def _number_of(message: Message) -> int | None:
    """Of a message of the owner; None for any other."""
    args = message[1] if isinstance(message, tuple) else getattr(message, "args", ())
    return args[0].number if len(args) == 1 and type(args[0]) is Arrival else None
