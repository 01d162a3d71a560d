"""Remote cell: an actor of another process, as a reference here needs it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from actorflow.actors.dead_letters import DeadLetter, DeadLetterReason
from actorflow.actors.envelope import Ask, Tell, handler_name
from actorflow.actors.errors import ActorNotRunning, MessageRefused
from actorflow.actors.mailbox import Inbox, Mailbox
from actorflow.actors.monitor import Monitor
from actorflow.actors.placement.passing import Address
from actorflow.actors.ref import ActorRef

if TYPE_CHECKING:
    from actorflow.actors.cell import Cell
    from actorflow.actors.placement.link import Link


class RemoteCell:
    """An actor of another process, as far as an `ActorRef` needs one. It lives as long as its link."""

    restarting = False
    incarnation = 0
    waiting_on = None
    also_waiting_on = None
    current = None
    parent = None

    def __init__(self, link: Link, address: Address) -> None:
        self.link = link
        self.system = link.system
        self.address = address
        self.path = address.path
        self.inbox = Inbox(_NO_MAILBOX, inspected=True)
        self.inbox.closed = link.over is not None

    @property
    def ended(self) -> bool:
        """True when it can be reached no more; that its actor has ended is known from monitors only."""
        return self.inbox.closed

    def in_own_task(self) -> bool:
        """Never: its tasks are elsewhere."""
        return False

    @property
    def supervisor(self) -> Any:
        raise MessageRefused(f"actor {self.path!r} lives in another process and is stopped there; tell it to stop")

    async def admit_tell(self, message: Tell) -> None:
        """Return when it is on its way."""
        if await self.link.room():
            self.link.send_tell(self, message)
        else:
            self.dead_letter(message)

    def admit_nowait(self, message: Tell) -> bool:
        if self.link.over is not None:
            self.dead_letter(message)
            return False
        if not self.link.has_room:
            return False
        self.link.send_tell(self, message)
        return True

    async def admit_ask(self, ask: Ask) -> None:
        """Return when it is on its way. Raises ActorNotRunning, MessageRefused."""
        if not await self.link.room():
            raise ActorNotRunning(self.path, f"is not reachable: {self.link.over}")
        self.link.send_ask(self, ask)

    def asker_gone(self, ask: Ask, cancelled: BaseException | None = None) -> None:
        ask.reply(None)
        self.link.drop_ask(ask)

    def relay(self, message: Tell | Ask, taken: Callable[[], None]) -> None:
        """For the link of a third process."""
        if self.link.over is not None:
            if isinstance(message, Ask):
                message.fail(ActorNotRunning(self.path, "is not reachable"))
            taken()
        elif isinstance(message, Ask):
            self.link.send_ask(self, message, taken)
        else:
            self.link.send_tell(self, message, taken)

    def dead_letter(self, message: Tell) -> None:
        letter = DeadLetter(actor=self.path, handler=handler_name(message), reason=DeadLetterReason.not_running)
        self.system.dead_letters.add(letter)

    def add_monitor(self, monitor: Monitor) -> bool:
        return self.link.watch(self, monitor)

    def drop_monitor(self, monitor: Monitor) -> None:
        self.link.unwatch(monitor)

    @property
    def ref(self) -> ActorRef[Any]:
        return ActorRef(cast("Cell", self))


_NO_MAILBOX = Mailbox(1)
