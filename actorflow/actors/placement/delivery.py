"""Delivery: what came from another process, into the mailbox it is for. Nobody here waits for room."""

from __future__ import annotations

from collections.abc import Callable
from inspect import isclass
from typing import TYPE_CHECKING, Any, Protocol

from actorflow.actors import admission
from actorflow.actors.actor import Actor
from actorflow.actors.dead_letters import DeadLetterReason
from actorflow.actors.envelope import Ask, Tell
from actorflow.actors.errors import ActorNotRunning
from actorflow.actors.mailbox import Overflow
from actorflow.actors.placement.wire_slots import CallSlot

if TYPE_CHECKING:
    from actorflow.actors.cell import Cell
    from actorflow.actors.placement.remote_cell import RemoteCell


class Relay(Protocol):
    """A cell that passes messages on rather than keep them."""

    def relay(self, message: Tell | Ask, taken: Callable[[], None]) -> None:
        """Pass on what came from another process. taken: called once it lies in a mailbox, or never will."""


def deliver(cell: Cell, message: Tell | Ask, taken: Callable[[], None]) -> None:
    """Put what came from another process into a mailbox; nobody here waits for room, so `taken` says when it is in."""
    match admission.admit(cell, message):
        case admission.Admitted.full if cell.inbox.settings.overflow is Overflow.wait:
            cell.inbox.wait_for_room(message, CallSlot(taken))
            return
        case admission.Admitted.full | admission.Admitted.dropped if isinstance(message, Ask):
            message.fail(admission.full_error(cell))
        case admission.Admitted.full:
            cell.dead_letter(message, DeadLetterReason.dropped_newest, (admission.full_error(cell),))
        case admission.Admitted.closed if isinstance(message, Ask):
            message.fail(ActorNotRunning(cell.path, "is stopping" if not cell.ended else "is not running"))
        case _:
            pass
    taken()


def class_of(cell: Cell | RemoteCell) -> type[Actor] | None:
    """The actor's class; None where no instance and no class tells."""
    actor: Actor | None = getattr(cell, "actor", None)
    if actor is not None:
        return type(actor)
    factory = getattr(cell, "_factory", None)
    made: Any = getattr(factory, "func", factory)
    return made if isclass(made) and issubclass(made, Actor) else None
